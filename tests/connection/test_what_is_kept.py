"""What a connection keeps is kept only where it can be used, and what is logged is logged from the start."""

from __future__ import annotations

from typing import Any

import pytest

from sansticket import (
    ASK,
    LocalProtocolError,
    ProtocolVersion,
    RequestClientCertificate,
    SelectConfig,
    UseConfig,
)
from tests.support.configs import client_config, server_config
from tests.support.credentials import anchors, client_credential
from tests.support.pair import ConnectionPair


def connected(offers: bool, **server: Any) -> ConnectionPair:
    client = client_config(post_handshake_auth=offers, credentials=[client_credential()] if offers else [])
    pair = ConnectionPair(client, server_config(**server))
    pair.pump()
    return pair


@pytest.mark.parametrize("offers", [True, False])
@pytest.mark.parametrize("could_ask", [True, False])
def test_transcripts_for_authentication_after_the_handshake(offers: bool, could_ask: bool) -> None:
    """They hold all that was said in the handshake."""
    pair = connected(offers, **({"trust_anchors": anchors()} if could_ask else {}))
    server: Any = pair.server._engine.state
    client: Any = pair.client._engine.state
    assert (server.transcript is not None) == (offers and could_ask)
    assert (client.transcript is not None) == offers
    if not could_ask:
        with pytest.raises(LocalProtocolError, match="neither trust_anchors nor an answer"):
            pair.server.send(RequestClientCertificate())
    elif not offers:
        with pytest.raises(LocalProtocolError, match="did not offer post_handshake_auth"):
            pair.server.send(RequestClientCertificate())


@pytest.mark.parametrize(
    "version", [ProtocolVersion.TLS_1_3, ProtocolVersion.TLS_1_2], ids=lambda one: one.name
)
@pytest.mark.parametrize("way", ["later", "by a function"])
def test_a_key_log_that_begins_with_the_config_chosen(version: ProtocolVersion, way: str) -> None:
    """Its first lines are of the very step that chooses the config."""
    ours: list[str] = []
    theirs: list[str] = []
    chosen = server_config(key_log=ours.append, versions=[version])
    answer = ASK if way == "later" else lambda question: UseConfig(chosen)
    pair = ConnectionPair(
        client_config(key_log=theirs.append),
        server_config(versions=[version], answers={SelectConfig: answer}),
    )
    pair.carry("client")
    if way == "later":
        pair.send("server", UseConfig(chosen))
    pair.pump()
    assert sorted(ours) == sorted(theirs)
    assert len(ours) == (5 if version == ProtocolVersion.TLS_1_3 else 1)


def test_a_key_log_that_ends_with_the_config_chosen() -> None:
    lines: list[str] = []
    answers = {SelectConfig: lambda question: UseConfig(server_config())}
    pair = ConnectionPair(client_config(), server_config(key_log=lines.append, answers=answers))
    pair.pump()
    assert lines == []
