"""docs/extensions.md: its code runs and does what the text says."""

from __future__ import annotations

from typing import Any, Final

from attrs import evolve

from sansticket import ClientConnection, Credential, HandshakeCompleted, NamedGroup, ServerConnection
from sansticket.crypto.stapling import MAX_RESPONDERS, SKEW
from tests.support.certificates import authority, server_identity
from tests.support.configs import client_config
from tests.support.credentials import NOW, server_credential
from tests.support.documents import Document
from tests.support.pair import ConnectionPair
from tests.support.staples import respond, staple

PAGE: Final = Document("extensions.md")


def test_a_retry_that_is_forgotten() -> None:
    identity = server_identity()
    names: dict[str, Any] = {
        "credential": Credential.from_pem(identity.chain_pem, identity.key_pem),
    }
    PAGE.run("A retry that is forgotten", names)
    names["config"] = evolve(names["config"], groups=(NamedGroup.SECP384R1,))
    client = ClientConnection(client_config(), "server.example")
    first = ServerConnection(names["config"])
    assert names["moved"](first) is first
    first.receive_data(client.data_to_send())
    client.receive_data(first.data_to_send())
    second = names["moved"](first)
    assert second is not first
    second.receive_data(client.data_to_send())
    events = client.receive_data(second.data_to_send())
    assert any(isinstance(event, HandshakeCompleted) for event in events)


def test_stapling() -> None:
    """What is renewed reaches the clients of a server that was given its config once."""
    found: dict[str, Any] = {}
    PAGE.run("On a server", found)
    renewed = found["Renewed"](found["stapling"](server_credential(), staple()))
    client = client_config(require_stapling=True)
    newer = respond(server_identity().certificate, authority(), this_update=NOW)
    for response in (staple(), newer):
        renewed.renew(response)
        pair = ConnectionPair(client, renewed.served)
        pair.pump()
        assert pair.client.ocsp_response == response


def test_numbers() -> None:
    text = PAGE.section("On a client")
    assert f"first {MAX_RESPONDERS} certificates" in text
    assert text.count(f"{SKEW.seconds // 60} minutes") == 2
