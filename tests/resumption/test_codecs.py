"""Codecs of one's own: what they are told, sessions in another encoding by remote keys, and the verified chain."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest
from attrs import evolve, frozen

from sansticket import (
    NATIVE,
    AcceptPeer,
    ClientAuthentication,
    ConfigError,
    Encounter,
    OpenSSLTicketKey,
    OpenSSLTicketKeys,
    OpenTicket,
    ProtectTicket,
    ProtocolVersion,
    SealTicket,
    Session,
    SessionCodec,
    SessionFormatError,
    TicketKeyRing,
    TicketNotOpened,
    TicketOpened,
    TicketProtected,
    TicketStatus,
    VerifyPeer,
)
from sansticket.events import PrepareTicket, TicketIssued
from sansticket.library import SSL_SESSIONS
from tests.support.credentials import anchors, client_credential
from tests.support.newer import needs
from tests.support.resumption import World, failed_checks, received, record, resumed

VERSIONS = (ProtocolVersion.TLS_1_3, ProtocolVersion.TLS_1_2)

every_version = pytest.mark.parametrize("version", VERSIONS, ids=["1.3", "1.2"])


class Keys(TicketKeyRing):
    """A ring with a codec of its own."""

    codec: Any


def keys_with(codec: SessionCodec, world: World) -> TicketKeyRing:
    keys = Keys.generate(world.clock(), os.urandom)
    keys.codec = codec
    return keys


class Nameless:
    """Keeps neither name nor context, and takes those of the encounter for them where it is told to."""

    keeps_issue_time = True
    keeps_verified_chain = False

    def __init__(self, trusting: bool) -> None:
        self.trusting = trusting
        self.seen: list[Encounter | None] = []

    def encode(self, session: Session) -> bytes:
        return evolve(session, server_name=None, session_id_context=b"").to_bytes()

    def decode(self, plaintext: bytes, now: float, encounter: Encounter | None = None) -> Session:
        session = Session.from_bytes(plaintext)
        self.seen.append(encounter)
        if encounter is None or not self.trusting:
            return session
        name, context = encounter.server_name, encounter.session_id_context
        return evolve(session, server_name=name, session_id_context=context)


@every_version
@pytest.mark.parametrize("trusting", [True, False])
def test_a_codec_is_told_who_shows_the_ticket(world: World, version: int, trusting: bool) -> None:
    codec = Nameless(trusting)
    config = world.server(versions=[version], ticket_keys=keys_with(codec, world))
    client = world.client(versions=[version])
    pair = world.connect(config, world.session(config, client=client), client=client)
    assert resumed(pair) is trusting
    assert failed_checks(pair)[:2] == ([] if trusting else ["context", "name"])
    (encounter,) = codec.seen
    assert encounter is not None
    assert encounter.config is config
    assert encounter.server_name == "server.example"
    assert encounter.session_id_context == config.effective_session_id_context
    assert encounter.hello.random


# --- remote keys that share with others ----------------------------------------------------------------------------


def remote(keys: OpenSSLTicketKeys) -> dict[Any, Any]:
    def open_ticket(question: OpenTicket) -> TicketOpened | TicketNotOpened:
        opened = keys.open(question.ticket, time.time())
        if opened.plaintext is None:
            return TicketNotOpened(opened.key_name)
        return TicketOpened(opened.plaintext, opened.key_name, codec=keys.codec)

    def protect(question: ProtectTicket) -> TicketProtected:
        assert question.plaintext == NATIVE.encode(question.session)
        return TicketProtected(keys.seal(keys.codec.encode(question.session), time.time(), os.urandom))

    return {OpenTicket: open_ticket, ProtectTicket: protect}


@needs(SSL_SESSIONS)
@every_version
def test_tickets_of_remote_keys_in_another_encoding(world: World, version: int) -> None:
    """A server with the keys and one whose keys are elsewhere resume each other's sessions."""
    keys = OpenSSLTicketKeys([OpenSSLTicketKey.generate(os.urandom)])
    client = world.client(versions=[version])
    near = world.server(versions=[version], ticket_keys=keys)
    far = world.server(versions=[version], answers=remote(keys))
    for one, other in ((near, far), (far, near), (far, far)):
        assert resumed(world.connect(other, world.session(one, client=client), client=client))


@needs(SSL_SESSIONS)
def test_a_plaintext_of_another_encoding_did_not_decrypt(world: World) -> None:
    keys = OpenSSLTicketKeys([OpenSSLTicketKey.generate(os.urandom)])
    config = world.server(
        answers={
            **remote(keys),
            OpenTicket: lambda question: TicketOpened(keys.open(question.ticket, 0).plaintext),
        }
    )
    pair = world.connect(config, world.session(config))
    assert not resumed(pair)
    assert record(pair).identities[0].status is TicketStatus.NO_DECRYPT


# --- the verified chain --------------------------------------------------------------------------------------------


@frozen
class Chained:
    """The native encoding, which wants the path."""

    keeps_issue_time = True
    keeps_verified_chain = True

    def encode(self, session: Session) -> bytes:
        return session.to_bytes()

    def decode(self, plaintext: bytes, now: float, encounter: Encounter | None = None) -> Session:
        session = Session.from_bytes(plaintext)
        if session.peer_certificates and not session.verified_chain:
            raise SessionFormatError("nobody verified it")
        return session


def asking(world: World, version: int, **more: Any) -> Any:
    return world.server(
        versions=[version],
        ticket_keys=keys_with(Chained(), world),
        client_authentication=ClientAuthentication.REQUIRED,
        trust_anchors=anchors(),
        **more,
    )


@every_version
def test_the_path_to_the_anchor_is_in_the_ticket(world: World, version: int) -> None:
    config = asking(world, version)
    client = world.client(versions=[version], credentials=[client_credential()])
    first = world.connect(config, client=client)
    leaf = client_credential().chain[0]
    chain = first.events("server", TicketIssued)[0].session.verified_chain
    assert chain == (*client_credential().chain, *anchors().certificates)
    assert chain[0] == leaf
    second = world.connect(config, received(first)[-1], client=client)
    assert resumed(second)
    assert second.server.peer_certificates == client_credential().chain
    assert all(event.session.verified_chain == chain for event in second.events("server", TicketIssued))


@every_version
@pytest.mark.parametrize("why", ["the application verified", "it has expired since"])
def test_without_a_path_there_is_none(world: World, version: int, why: str) -> None:
    """Who accepted it by other means, or an anchor that does not lead there any more, is no path."""
    more: dict[str, Any] = {}
    if why == "the application verified":
        more = {"answers": {VerifyPeer: lambda question: AcceptPeer()}, "verification_label": b"all"}
    else:

        def late(question: PrepareTicket) -> SealTicket:
            world.clock.forward(100 * 365 * 86_400)
            return SealTicket()

        more = {"answers": {PrepareTicket: late}, "num_tickets": 1}
    config = asking(world, version, **more)
    client = world.client(versions=[version], credentials=[client_credential()])
    first = world.connect(config, client=client)
    assert not any(event.session.verified_chain for event in first.events("server", TicketIssued))


@pytest.mark.parametrize("lacking", ["keeps_issue_time", "keeps_verified_chain", "encode", "decode"])
def test_what_is_no_codec(world: World, lacking: str) -> None:
    """Said when the config is made, and not in the middle of a handshake."""

    class Some:
        keeps_issue_time = keeps_verified_chain = False
        encode = decode = None

    delattr(Some, lacking)
    some: Any = Some()
    with pytest.raises(
        ConfigError, match=rf"^ticket_keys: the codec of .* has no {lacking}; expected a SessionCodec"
    ):
        world.server(ticket_keys=keys_with(some, world))
