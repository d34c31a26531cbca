"""Questions in the handshake of TLS 1.2: keys and verification that are elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve

from sansticket.codes import AlertDescription, ProtocolVersion, SignatureScheme
from sansticket.commands import (
    AbortHandshake,
    AcceptPeer,
    Command,
    ProvideSession,
    ProvideSignature,
    RejectPeer,
    TicketNotOpened,
    TicketProtected,
    UseConfig,
)
from sansticket.config.choices import ASK, ClientAuthentication
from sansticket.crypto.certificates import Credential
from sansticket.crypto.signatures import sign, verify
from sansticket.errors import Reason
from sansticket.events import (
    LookUpSession,
    OpenTicket,
    ProtectTicket,
    SelectConfig,
    Sign,
    TicketIssued,
    TicketReceived,
    VerifyPeer,
)
from sansticket.tickets.session import Session
from sansticket.tickets.stores.cache import SessionCache
from sansticket.wire.messages.tls12 import NewSessionTicket
from tests.support.credentials import anchors, client_credential, server_credential
from tests.support.hostile12 import HostileServer12, client12
from tests.support.pair import ConnectionPair
from tests.support.resumption import ending, outcome, received, resumed
from tests.support.resumption12 import World12, tickets_on_the_wire

REQUIRED = {"client_authentication": ClientAuthentication.REQUIRED, "trust_anchors": anchors()}


def keyless(credential: Credential) -> Credential:
    return Credential(credential.chain, None)


def signature(question: Sign, credential: Credential) -> Command:
    assert credential.private_key is not None
    return ProvideSignature(sign(credential.private_key, question.scheme, question.message, tls13=False))


# --- signatures --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["p256", "rsa", "ed25519"])
def test_the_servers_key_is_elsewhere(world: World12, key: str) -> None:
    credential = server_credential(key)
    config = world.server(credentials=[keyless(credential)], answers={Sign: ASK})
    pair = world.connect(config)
    question = pair.server.pending
    assert isinstance(question, Sign)
    assert question.credential == keyless(credential)
    assert len(question.message) == 32 + 32 + 4 + 32  # both randoms, a curve, and a share of X25519
    pair.send("server", signature(question, credential))
    assert outcome(pair) == (False, 1)


@pytest.mark.parametrize("key", ["p256", "rsa", "ed25519"])
def test_the_clients_key_is_elsewhere(world: World12, key: str) -> None:
    credential = client_credential(key)
    client = world.client(credentials=[keyless(credential)], answers={Sign: ASK})
    pair = world.connect(world.server(**REQUIRED), client=client)
    question = pair.client.pending
    assert isinstance(question, Sign)
    assert question.message.startswith(b"\x01\0"), "all messages, from the ClientHello on"
    pair.send("client", signature(question, credential))
    assert outcome(pair) == (False, 1)
    assert pair.server.peer_certificates == credential.chain


def test_a_wrong_signature_is_noticed_by_the_other_side(world: World12) -> None:
    pair = world.connect(world.server(answers={Sign: lambda _: ProvideSignature(b"nonsense")}))
    assert ending(pair, "client").reason is Reason.BAD_SIGNATURE
    assert ending(pair).alert == AlertDescription.DECRYPT_ERROR


@pytest.mark.parametrize("side", ["client", "server"])
def test_nobody_signs(world: World12, side: str) -> None:
    server = {"answers": {Sign: lambda _: AbortHandshake()}} if side == "server" else {}
    client = {"answers": {Sign: lambda _: AbortHandshake()}} if side == "client" else {}
    pair = world.connect(
        world.server(**REQUIRED, **server),
        client=world.client(credentials=[client_credential()], **client),
    )
    assert ending(pair, "client" if side == "client" else "server").reason is Reason.ABORTED_BY_APPLICATION


# --- verification ------------------------------------------------------------------------------------------------


def test_the_application_verifies_the_server(world: World12) -> None:
    client = world.client(trust_anchors=None, answers={VerifyPeer: ASK})
    pair = world.connect(world.server(), client=client)
    question = pair.client.pending
    assert isinstance(question, VerifyPeer)
    assert (question.certificates, question.server_name) == (server_credential().chain, "server.example")
    pair.send("client", AcceptPeer())
    assert outcome(pair) == (False, 1)


def test_the_application_verifies_the_client(world: World12) -> None:
    config = world.server(client_authentication=ClientAuthentication.REQUIRED, answers={VerifyPeer: ASK})
    pair = world.connect(config, client=world.client(credentials=[client_credential()]))
    question = pair.server.pending
    assert isinstance(question, VerifyPeer)
    assert (question.certificates, question.server_name) == (client_credential().chain, None)
    pair.send("server", AcceptPeer())
    assert outcome(pair) == (False, 1)
    resumption = world.connect(
        config, received(pair)[0], client=world.client(credentials=[client_credential()])
    )
    assert resumed(resumption), "and is not asked again"


@pytest.mark.parametrize("side", ["client", "server"])
def test_the_application_rejects(world: World12, side: Any) -> None:
    answers = {VerifyPeer: lambda _: RejectPeer(AlertDescription.ACCESS_DENIED)}
    pair = world.connect(
        world.server(**REQUIRED, answers=answers if side == "server" else {}),
        client=world.client(credentials=[client_credential()], answers=answers if side == "client" else {}),
    )
    assert (ending(pair, side).reason, ending(pair, side).alert) == (
        Reason.CERTIFICATE_REFUSED,
        AlertDescription.ACCESS_DENIED,
    )


def test_a_client_that_verifies_nobody(world: World12) -> None:
    client = world.client(trust_anchors=None, verify_peer=False)
    assert outcome(world.connect(world.server(), client=client, name="anybody.example")) == (False, 1)


# --- configs -----------------------------------------------------------------------------------------------------


def test_the_config_is_chosen_by_name_and_decides_the_version(world: World12) -> None:
    """A.18: its keys, its context, its versions."""
    both = (ProtocolVersion.TLS_1_3, ProtocolVersion.TLS_1_2)
    chosen = world.server(answers={})
    general = world.server(versions=both, answers={SelectConfig: lambda _: UseConfig(chosen)})
    pair = world.connect(general, client=world.client(versions=both))
    assert outcome(pair) == (False, 1)
    assert pair.client.version == ProtocolVersion.TLS_1_2
    assert resumed(world.connect(chosen, received(pair)[0]))


# --- the rarer answers about tickets -----------------------------------------------------------------------------


def test_keys_that_open_nothing(world: World12) -> None:
    answers = {
        OpenTicket: lambda _: TicketNotOpened(b"a key name"),
        ProtectTicket: lambda _: TicketProtected(b"opaque"),
    }
    config = world.server(answers=answers)
    pair = world.connect(config, received(world.connect(config))[0])
    assert outcome(pair) == (False, 1)
    assert received(pair)[0].ticket == b"opaque"


def test_the_cache_refuses_what_the_store_gives(world: World12) -> None:
    """It was claimed for a single use before: there is such a session, but not for us."""
    cache = SessionCache()
    config = world.server(ticket_keys=None, session_cache=cache)
    pair = world.connect(config)
    (issued,) = pair.events("server", TicketIssued)
    assert cache.claim(issued.session, world.clock())
    asking = evolve(config, answers=answers_with(issued.session))
    assert not resumed(world.connect(asking, received(pair)[0]))


def answers_with(session: Session) -> dict[Any, Callable[[Any], Command]]:
    return {LookUpSession: lambda _: ProvideSession(session)}


# --- what the client makes of a ticket ---------------------------------------------------------------------------


def full(hint: int) -> Session:
    server = HostileServer12(
        client12(clock=lambda: 1_800_000_000.0, verify_peer=False), ticket=NewSessionTicket(hint, b"t")
    ).complete()
    return session_of(server)


def session_of(server: HostileServer12) -> Session:
    (session,) = [event.session for event in server.events if isinstance(event, TicketReceived)]
    return session


@pytest.mark.parametrize(
    ("hint", "lifetime"), [(0, 7200), (1, 1), (7200, 7200), (604_800, 604_800), (0xFFFFFFFF, 604_800)]
)
def test_lifetimes(hint: int, lifetime: int) -> None:
    """0 says nothing; nothing is kept for more than a week."""
    session = full(hint)
    assert (session.issued_at, session.lifetime) == (1_800_000_000.0, lifetime)


@pytest.mark.parametrize(("hint", "kept"), [(0, True), (600, False)])
def test_the_lifetime_of_a_renewed_ticket(hint: int, kept: bool) -> None:
    """A server that says how long the new one is good is believed; one that does not has not changed its mind."""
    first = full(3600)
    later = client12(clock=lambda: 1_800_001_000.0, verify_peer=False)
    server = HostileServer12(later, session=first, resumes=first, ticket=NewSessionTicket(hint, b"new"))
    renewed = session_of(server.complete())
    times = {} if kept else {"issued_at": 1_800_001_000.0, "lifetime": 600}
    assert renewed == evolve(first, ticket=b"new", authenticated_at=first.authenticated_at, **times)


def test_signatures_of_tls12_can_be_checked_by_hand(world: World12) -> None:
    """What ``Sign`` shows is what is signed: no prefix, no hash."""
    seen: list[tuple[Sign, bytes]] = []
    credential = server_credential()

    def answer(question: Sign) -> Command:
        made = signature(question, credential)
        assert isinstance(made, ProvideSignature)
        seen.append((question, made.signature))
        return made

    pair = ConnectionPair(world.client(), world.server(answers={Sign: answer}))
    pair.pump()
    assert outcome(pair) == (False, 1)
    ((question, made),) = seen
    assert question.scheme == SignatureScheme.ECDSA_SECP256R1_SHA256
    verify(credential.public_key, question.scheme, question.message, made, tls13=False)
    assert tickets_on_the_wire(pair)
