"""docs/extensions.md: its code runs and does what the text says."""

from __future__ import annotations

from typing import Any, Final

from attrs import evolve

from sansticket import ClientConnection, Credential, HandshakeCompleted, NamedGroup, ServerConnection
from tests.support.certificates import server_identity
from tests.support.configs import client_config
from tests.support.documents import Document

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
