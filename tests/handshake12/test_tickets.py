"""TLS 1.2 tickets (RFC 5077) under the rules of the manual: each status with each answer, renewal, application data."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve

from sansticket.codes import AlertDescription, CipherSuite
from sansticket.commands import (
    AbortHandshake,
    Command,
    ResolveTicket,
    SealTicket,
    SendData,
    TicketNotOpened,
    TicketOpened,
    TicketProtected,
)
from sansticket.config.choices import ASK, ClientAuthentication
from sansticket.config.server import ServerConfig
from sansticket.errors import LocalProtocolError, Reason
from sansticket.events import (
    ConnectionTerminated,
    DecideTicket,
    HandshakeCompleted,
    OpenTicket,
    PrepareTicket,
    ProtectTicket,
    TicketIssued,
    TicketReceived,
)
from sansticket.tickets.decision import TicketReturn, TicketStatus
from sansticket.tickets.encoding import MAX_FIELD
from sansticket.tickets.keys.ring import TicketKey, TicketKeyRing
from sansticket.tickets.session import Session
from sansticket.tickets.stores.cache import SessionCache
from sansticket.wire.extensions.tls12 import SessionTicketExtension
from sansticket.wire.messages.hello import ClientHello, ServerHello
from sansticket.wire.messages.tls12 import Certificate, NewSessionTicket
from tests.support.configs import answering
from tests.support.credentials import anchors, client_credential
from tests.support.pair import ConnectionPair
from tests.support.resumption import (
    checks,
    ending,
    failed_checks,
    made_by,
    outcome,
    received,
    record,
    resumed,
)
from tests.support.resumption12 import World12, in_clear, tickets_on_the_wire

ABORT, IGNORE, IGNORE_RENEW = TicketReturn.ABORT, TicketReturn.IGNORE, TicketReturn.IGNORE_RENEW
USE, USE_RENEW = TicketReturn.USE, TicketReturn.USE_RENEW
EMPTY, NO_DECRYPT = TicketStatus.EMPTY, TicketStatus.NO_DECRYPT
SUCCESS, SUCCESS_RENEW = TicketStatus.SUCCESS, TicketStatus.SUCCESS_RENEW

HOUR = 3600


def no_session(world: World12) -> tuple[ServerConfig, Session | None]:
    return world.server(), None


def fresh(world: World12) -> tuple[ServerConfig, Session | None]:
    config = world.server()
    return config, world.session(config)


def of_an_older_key(world: World12) -> tuple[ServerConfig, Session | None]:
    ring = TicketKeyRing.generate(world.clock(), os.urandom)
    config = world.server(ticket_keys=ring)
    session = world.session(config)
    ring.rotate(TicketKey.generate(world.clock(), os.urandom), world.clock())
    return config, session


def of_another_server(world: World12) -> tuple[ServerConfig, Session | None]:
    return world.server(), world.session(world.server())


def expired(world: World12) -> tuple[ServerConfig, Session | None]:
    """The client has been told that it lives longer than the server believes."""
    config, session = fresh(world)
    assert session is not None
    world.clock.forward(2 * HOUR)
    return config, evolve(session, issued_at=world.clock())


def of_another_context(world: World12) -> tuple[ServerConfig, Session | None]:
    config, session = fresh(world)
    return evolve(config, session_id_context=b"another"), session


FULL_1, FULL_0, RESUMED_1, RESUMED_0 = (False, 1), (False, 0), (True, 1), (True, 0)

TABLE: dict[Callable[[World12], tuple[ServerConfig, Session | None]], tuple[TicketStatus, list[Any]]] = {
    no_session: (EMPTY, [FULL_1, FULL_0, FULL_1, None, None]),
    fresh: (SUCCESS, [RESUMED_0, FULL_0, FULL_1, RESUMED_0, RESUMED_1]),
    of_an_older_key: (SUCCESS_RENEW, [RESUMED_1, FULL_0, FULL_1, RESUMED_0, RESUMED_1]),
    of_another_server: (NO_DECRYPT, [FULL_1, FULL_0, FULL_1, None, None]),
    expired: (SUCCESS, [FULL_1, FULL_0, FULL_1, FULL_1, FULL_1]),
    of_another_context: (SUCCESS, [FULL_1, FULL_0, FULL_1, FULL_1, FULL_1]),
}
"""For each ticket: its status, and what comes of it by default and with four answers; None where one is illegal."""

CELLS = [
    pytest.param(make, status, answer, expected, id=f"{make.__name__} {answer and answer.name}")
    for make, (status, row) in TABLE.items()
    for answer, expected in zip([None, IGNORE, IGNORE_RENEW, USE, USE_RENEW], row, strict=True)
]


@pytest.mark.parametrize(("make", "status", "answer", "expected"), CELLS)
def test_every_status_with_every_answer(
    world: World12,
    make: Callable[[World12], tuple[ServerConfig, Session | None]],
    status: TicketStatus,
    answer: TicketReturn | None,
    expected: tuple[bool, int] | None,
) -> None:
    config, session = make(world)
    asked: list[DecideTicket] = []

    def decide(question: DecideTicket) -> Command:
        asked.append(question)
        assert answer is not None
        return ResolveTicket(answer)

    pair = world.connect(evolve(config, answers={DecideTicket: decide} if answer else {}), session)
    if expected is None:
        end = ending(pair)
        assert (end.reason, end.alert) == (Reason.ANSWER_FAILED, AlertDescription.INTERNAL_ERROR)
        assert isinstance(end.cause, LocalProtocolError)
        return
    assert outcome(pair) == expected
    assert len(tickets_on_the_wire(pair)) == len(pair.events("server", TicketIssued)) == expected[1]
    account = record(pair)
    assert account.tickets_to_follow == record(pair, "client").tickets_to_follow == expected[1]
    assert account.identities[0].status is status
    if answer is not None:
        (question,) = asked
        name = b"" if session is None else session.ticket[:16]
        assert (question.status, question.key_name, question.index) == (status, name, 0)
        assert (question.session is not None) == status.decrypted


@pytest.mark.parametrize("make", TABLE)
@pytest.mark.parametrize("alert", [AlertDescription.INTERNAL_ERROR, AlertDescription.ACCESS_DENIED])
def test_abort(
    world: World12,
    make: Callable[[World12], tuple[ServerConfig, Session | None]],
    alert: AlertDescription,
) -> None:
    config, session = make(world)
    answers = {DecideTicket: lambda _: ResolveTicket(ABORT, alert)}
    pair = world.connect(evolve(config, answers=answers), session)
    assert (ending(pair).reason, ending(pair).alert) == (Reason.TICKET_ABORTED, alert)
    assert ending(pair, "client").alert == alert


@pytest.mark.parametrize("answer", [USE, USE_RENEW])
def test_an_illegal_use_as_a_command_changes_nothing(world: World12, answer: TicketReturn) -> None:
    pair = world.connect(world.server(answers={DecideTicket: ASK}))
    assert pair.server.pending == DecideTicket(EMPTY, b"", None, 0)
    with pytest.raises(LocalProtocolError, match="expected IGNORE_RENEW, IGNORE or ABORT"):
        pair.send("server", ResolveTicket(answer))
    pair.send("server", ResolveTicket(IGNORE_RENEW))
    assert outcome(pair) == FULL_1


# --- which tickets are asked about -------------------------------------------------------------------------------


def never(question: DecideTicket) -> Command:
    raise AssertionError(question)


@pytest.mark.parametrize("side", ["client", "server"])
def test_nobody_is_asked_where_one_side_does_no_tickets(world: World12, side: str) -> None:
    no_tickets = {"tickets_in_tls12": False}
    server = answering(world.server(**(no_tickets if side == "server" else {})), {DecideTicket: never})
    client = world.client(**(no_tickets if side == "client" else {}))
    pair = world.connect(server, client=client)
    assert outcome(pair) == FULL_0


NOTHING_LOOKED_AT: list[Any] = [
    ({"ticket_keys": None}, {}, "ticket", "the config has no ticket keys", "tickets"),
    ({"tickets_in_tls12": False}, {}, "ticket", "tickets_in_tls12 is off", "tickets"),
    ({"tickets_in_tls12": False}, {}, "", "tickets_in_tls12 is off", ""),
    ({"ticket_keys": None}, {}, "", "the config has no ticket keys", ""),
    ({}, {"tickets_in_tls12": False}, "", "no session_ticket extension", ""),
    ({}, {"tickets_in_tls12": False}, "id", "no session_ticket extension", "session ids"),
]


@pytest.mark.parametrize(("server", "client", "shows", "why", "check"), NOTHING_LOOKED_AT)
def test_why_nothing_was_looked_at(
    world: World12, server: dict[str, Any], client: dict[str, Any], shows: str, why: str, check: str
) -> None:
    """The record says it, of what was shown and of the ticket that does not follow."""
    sessions = {
        "ticket": lambda: world.session(world.server()),
        "id": lambda: world.session(world.by_id()),
        "": lambda: None,
    }
    pair = world.connect(world.server(**server), sessions[shows](), client=world.client(**client))
    assert outcome(pair) == FULL_0
    expected = f"full handshake, no identity to decide on, and no ticket follows: {why}"
    assert record(pair).why == expected
    assert [one.name for identity in record(pair).identities for one in identity.checks] == [check] * bool(
        check
    )
    if shows == "ticket":
        assert checks(pair)[0].detail == why
    if shows == "id":
        assert checks(pair)[0].detail == "neither a session_cache nor an answer for LookUpSession"


def test_num_tickets_is_of_tls13(world: World12) -> None:
    """A.11: TLS 1.2 has its own switch."""
    for number in (0, 1, 5):
        assert outcome(world.connect(world.server(num_tickets=number))) == FULL_1


def test_stateful_tickets_are_of_tls13(world: World12) -> None:
    """Without ticket keys there is an id."""
    pair = world.connect(answering(world.stateful(), {DecideTicket: never}))
    assert outcome(pair) == FULL_1
    (session,) = received(pair)
    assert (bool(session.ticket), len(session.session_id)) == (False, 32)


@pytest.mark.parametrize("ticket", [b"x", bytes(16), bytes(1000)])
def test_nonsense_in_the_place_of_a_ticket(world: World12, ticket: bytes) -> None:
    config, session = fresh(world)
    assert session is not None
    pair = world.connect(config, evolve(session, ticket=ticket))
    assert outcome(pair) == FULL_1
    identity = record(pair).identities[0]
    assert (identity.status, identity.key_name) == (NO_DECRYPT, ticket[:16])


def test_a_session_id_beside_a_ticket_is_no_session_id(world: World12) -> None:
    """RFC 5077 section 3.4: not even if the ticket is worth nothing."""
    looked_up: list[bytes] = []
    config = world.server(session_cache=SessionCache(on_get=looked_up.append))
    session = world.session(config)
    assert resumed(world.connect(config, session))
    pair = world.connect(config, evolve(session, ticket=session.ticket[:-1]))
    assert outcome(pair) == FULL_1
    assert hellos(pair)[0].session_id
    assert looked_up == []
    assert len(record(pair).identities) == 1


# --- what is in the hellos ---------------------------------------------------------------------------------------


def hellos(pair: ConnectionPair) -> tuple[ClientHello, ServerHello]:
    client, server = (m for m in in_clear(pair) if isinstance(m, ClientHello | ServerHello))
    assert isinstance(client, ClientHello)
    assert isinstance(server, ServerHello)
    return client, server


def test_the_hellos_of_a_full_handshake(world: World12) -> None:
    client, server = hellos(world.connect(world.server()))
    assert client.session_id == server.session_id == b""
    assert (
        client.find(SessionTicketExtension)
        == server.find(SessionTicketExtension)
        == SessionTicketExtension(b"")
    )


@pytest.mark.parametrize("renew", [True, False])
def test_the_hellos_of_a_resumption(world: World12, renew: bool) -> None:
    """The session id is echoed, since the client has no other way to know before it sees change_cipher_spec."""
    config, session = of_an_older_key(world) if renew else fresh(world)
    assert session is not None
    pair = world.connect(config, session)
    client, server = hellos(pair)
    assert client.find(SessionTicketExtension) == SessionTicketExtension(session.ticket)
    assert client.session_id == server.session_id
    assert len(client.session_id) == 32
    assert (server.find(SessionTicketExtension) is not None) == renew
    assert not any(isinstance(message, Certificate) for message in in_clear(pair))


def test_a_ticket_that_is_not_taken_is_not_echoed(world: World12) -> None:
    config, session = of_another_server(world)
    client, server = hellos(world.connect(config, session))
    assert client.session_id
    assert server.session_id == b""


def test_no_two_ids_beside_a_ticket_are_alike(world: World12) -> None:
    config, session = fresh(world)
    ids = {hellos(world.connect(config, session))[0].session_id for _ in range(4)}
    assert len(ids) == 4


# --- renewal -----------------------------------------------------------------------------------------------------


def always_renew(question: DecideTicket) -> Command:
    return ResolveTicket(USE_RENEW if question.status.decrypted else IGNORE_RENEW)


def test_a_renewed_ticket_keeps_the_time_of_its_session(world: World12) -> None:
    """A.17: however often it is renewed, it ends when it would have ended."""
    config = world.server(answers={DecideTicket: always_renew})
    first = session = world.session(config)
    (ticket,) = tickets_on_the_wire(world.connect(config))
    assert ticket.lifetime_hint == config.ticket_lifetime == 2 * HOUR
    for _ in range(3):
        world.clock.forward(HOUR / 2)
        pair = world.connect(config, session)
        assert outcome(pair) == RESUMED_1
        (issued,) = pair.events("server", TicketIssued)
        assert (issued.session.issued_at, issued.session.lifetime) == (first.issued_at, 2 * HOUR)
        (ticket,) = tickets_on_the_wire(pair)
        assert ticket.lifetime_hint == 0
        (session,) = received(pair)
        assert session == evolve(first, ticket=session.ticket)
        assert session.ticket != first.ticket
    world.clock.forward(HOUR / 2)
    pair = world.connect(config, session)
    assert not resumed(pair)
    assert failed_checks(pair, side="client") == ["expiry"]
    pair = world.connect(config, evolve(session, issued_at=world.clock()))
    assert outcome(pair) == FULL_1
    assert failed_checks(pair) == ["expiry"]


def test_the_session_that_is_shown_before_it_is_renewed(world: World12) -> None:
    """It is the one that is resumed, with its time, its data and its secret, not one of this handshake."""
    seen: list[Session] = []

    def prepare(question: PrepareTicket) -> Command:
        seen.append(question.session)
        return SealTicket(b"ours") if not question.session.app_data else SealTicket()

    config = world.server(answers={DecideTicket: always_renew, PrepareTicket: prepare})
    session = world.session(config)
    world.clock.forward(HOUR)
    pair = world.connect(config, session)
    first, again = seen
    assert first.issued_at == again.issued_at == world.clock() - HOUR
    assert pair.event("server", HandshakeCompleted).session == evolve(first, app_data=b"ours")
    assert again == evolve(first, app_data=b"ours", generation=1)
    (issued,) = pair.events("server", TicketIssued)
    assert issued.session == again


def test_the_session_that_is_shown_before_an_id_becomes_a_ticket(world: World12) -> None:
    """The id is of the session in the cache; what the ticket holds has none."""
    seen: list[Session] = []

    def prepare(question: PrepareTicket) -> Command:
        seen.append(question.session)
        return SealTicket()

    config = world.server(session_cache=SessionCache(), answers={PrepareTicket: prepare})
    without = world.client(tickets_in_tls12=False)
    (session,) = received(world.connect(config, client=without))
    assert seen == []
    pair = world.connect(config, session)
    assert outcome(pair) == RESUMED_1
    (shown,), (issued,) = seen, pair.events("server", TicketIssued)
    resumed_session = pair.event("server", HandshakeCompleted).session
    assert resumed_session is not None
    assert shown == evolve(resumed_session, generation=1)
    assert shown.session_id == session.session_id
    assert issued.session == evolve(shown, session_id=b"")


def test_the_old_ticket_is_good_as_well(world: World12) -> None:
    config = world.server(answers={DecideTicket: always_renew})
    session = world.session(config)
    for _ in range(3):
        assert outcome(world.connect(config, session)) == RESUMED_1


def test_a_chain_of_sessions_ends_with_the_authentication(world: World12) -> None:
    """A.5, for a ticket of another server that did renew the time."""
    config = world.server(ticket_lifetime=604_800, max_session_age=HOUR)
    pair = world.connect(config)
    (ticket,) = tickets_on_the_wire(pair)
    assert ticket.lifetime_hint == HOUR
    (session,) = received(pair)
    world.clock.forward(HOUR)
    pair = world.connect(config, evolve(session, issued_at=world.clock()))
    assert failed_checks(pair) == ["expiry", "authentication age"]


# --- application data --------------------------------------------------------------------------------------------


def test_application_data(world: World12) -> None:
    """What is put into the ticket comes back with it, and is inherited by the renewed one; the client never sees it."""
    seen: list[bytes] = []

    def prepare(question: PrepareTicket) -> Command:
        assert question.ordinal == 0
        seen.append(question.session.app_data)
        return SealTicket(b"ours" if not question.session.app_data else None)

    config = world.server(answers={DecideTicket: always_renew, PrepareTicket: prepare})
    session = world.session(config)
    for _ in range(2):
        pair = world.connect(config, session)
        done = pair.event("server", HandshakeCompleted)
        assert done.session is not None
        assert done.session.app_data == b"ours"
        (session,) = received(pair)
        assert session.app_data == b""
    assert seen == [b"", b"ours", b"ours"]


@pytest.mark.parametrize("renewing", [True, False])
def test_too_much_application_data_is_refused_and_the_handshake_lives(world: World12, renewing: bool) -> None:
    config, session = of_an_older_key(world) if renewing else (world.server(), None)
    pair = world.connect(evolve(config, answers={PrepareTicket: ASK}), session)
    assert isinstance(pair.server.pending, PrepareTicket)
    for size in (65_535, MAX_FIELD, MAX_FIELD + 1):
        with pytest.raises(LocalProtocolError, match=f"SealTicket with {size} bytes of app_data"):
            pair.send("server", SealTicket(bytes(size)))
    pair.send("server", SealTicket(b"less"))
    assert outcome(pair) == (renewing, 1)
    (issued,) = pair.events("server", TicketIssued)
    assert issued.session.app_data == b"less"


def test_a_session_that_does_not_fit_gets_an_empty_ticket(world: World12) -> None:
    """Nobody gave too much: the client's certificates alone are too large."""
    pair = world.connect(world.server(answers={PrepareTicket: ASK}))
    state: Any = pair.server._engine.state
    pair.server._engine.state = evolve(
        state, session=evolve(state.session, peer_certificates=(bytes(70_000),))
    )
    pair.send("server", SealTicket())
    assert outcome(pair) == FULL_0
    assert tickets_on_the_wire(pair) == [NewSessionTicket(0, b"")]
    assert pair.events("server", TicketIssued) == []


@pytest.mark.parametrize("renewing", [True, False])
def test_the_application_aborts(world: World12, renewing: bool) -> None:
    config, session = of_an_older_key(world) if renewing else (world.server(), None)
    answers = {PrepareTicket: lambda _: AbortHandshake(AlertDescription.ACCESS_DENIED)}
    pair = world.connect(evolve(config, answers=answers), session)
    assert ending(pair).reason is Reason.ABORTED_BY_APPLICATION
    assert ending(pair, "client").alert == AlertDescription.ACCESS_DENIED
    assert pair.events("client", TicketReceived) == []


# --- keys that are elsewhere -------------------------------------------------------------------------------------


class Service:
    """Ticket keys somewhere else; ``renew`` is what it says of them."""

    def __init__(self, world: World12, renew: bool | None = None) -> None:
        self.world = world
        self.renew = renew
        self.ring = TicketKeyRing.generate(world.clock(), os.urandom)

    def answers(self) -> dict[Any, Any]:
        return {OpenTicket: self.open, ProtectTicket: self.protect}

    def open(self, question: OpenTicket) -> Command:
        assert question.index == 0
        opened = self.ring.open(question.ticket, self.world.clock())
        if opened.plaintext is None:
            return TicketNotOpened()
        return TicketOpened(opened.plaintext, opened.key_name, self.renew)

    def protect(self, question: ProtectTicket) -> Command:
        return TicketProtected(self.ring.seal(question.plaintext, self.world.clock(), os.urandom))


@pytest.mark.parametrize(
    ("renew", "status", "expected"),
    [(None, SUCCESS, RESUMED_0), (False, SUCCESS, RESUMED_0), (True, SUCCESS_RENEW, RESUMED_1)],
)
def test_keys_elsewhere(
    world: World12, renew: bool | None, status: TicketStatus, expected: tuple[bool, int]
) -> None:
    config = world.server(answers=Service(world, renew).answers())
    session = world.session(config)
    pair = world.connect(config, session)
    assert outcome(pair) == expected
    identity = record(pair).identities[0]
    assert (identity.status, identity.key_name) == (status, session.ticket[:16])
    pair = world.connect(config, evolve(session, ticket=session.ticket[:-1]))
    assert outcome(pair) == FULL_1
    assert record(pair).identities[0].status is NO_DECRYPT


@pytest.mark.parametrize("plaintext", [b"", b"not a session", bytes(100)])
def test_a_plaintext_that_is_no_session(world: World12, plaintext: bytes) -> None:
    service = Service(world)
    config = world.server(answers={**service.answers(), OpenTicket: lambda _: TicketOpened(plaintext)})
    session = world.session(config)
    pair = world.connect(config, session)
    assert outcome(pair) == FULL_1
    assert record(pair).identities[0].status is NO_DECRYPT


def test_a_promise_that_cannot_be_kept(world: World12) -> None:
    """Nobody could encrypt the ticket: an empty one (RFC 5077 section 3.3), and the connection is good."""
    answers = {**Service(world).answers(), ProtectTicket: lambda _: TicketProtected(None)}
    pair = world.connect(world.server(answers=answers))
    assert outcome(pair) == FULL_0
    assert tickets_on_the_wire(pair) == [NewSessionTicket(0, b"")]
    pair.send("client", SendData(b"good"))
    assert pair.data("server") == b"good"


@pytest.mark.parametrize("size", [0, 65_536])
def test_a_ticket_of_an_impossible_size(world: World12, size: int) -> None:
    answers = {**Service(world).answers(), ProtectTicket: ASK}
    pair = world.connect(world.server(answers=answers))
    with pytest.raises(LocalProtocolError, match=f"a ticket of {size} bytes; expected 1 to 65535"):
        pair.send("server", TicketProtected(bytes(size)))
    pair.send("server", TicketProtected(bytes(65_535)))
    assert outcome(pair) == FULL_1


# --- the session -------------------------------------------------------------------------------------------------


def test_another_name(world: World12) -> None:
    """A.7."""
    config, session = fresh(world)
    client = world.client(resume_with_other_name=True)
    pair = world.connect(config, session, client=client, name="127.0.0.1")
    assert outcome(pair) == FULL_1
    assert failed_checks(pair) == ["name"]
    lenient = evolve(config, resume_with_other_name=True)
    assert resumed(world.connect(lenient, session, client=client, name="127.0.0.1"))


def test_protocols_are_agreed_on_anew(world: World12) -> None:
    """RFC 7301 section 3.1: they are no part of the session."""
    config = world.server(alpn_protocols=[b"h2", b"h3"])
    session = world.session(config, client=world.client(alpn_protocols=[b"h2"]))
    for offered, selected in ([b"h3"], b"h3"), ([b"h2"], b"h2"), ([], None):
        pair = world.connect(config, session, client=world.client(alpn_protocols=offered))
        assert resumed(pair)
        assert pair.client.alpn_protocol == pair.server.alpn_protocol == selected


def test_a_required_certificate(world: World12) -> None:
    """A.8, with a context that does not tell the policies apart."""
    common = {"session_id_context": b"one for all", "ticket_keys": TicketKeyRing.generate(0, os.urandom)}
    required = {"client_authentication": ClientAuthentication.REQUIRED, "trust_anchors": anchors()}
    session = world.session(world.server(**common))
    config = world.server(**common, **required)
    client = world.client(credentials=[client_credential()])
    pair = world.connect(config, made_by(client, session), client=client)
    assert outcome(pair) == FULL_1
    assert failed_checks(pair) == ["client certificate"]
    pair = world.connect(config, received(pair)[0], client=client)
    assert resumed(pair)
    assert pair.server.peer_certificates == client_credential().chain


def test_the_suite_of_the_session_stays(world: World12) -> None:
    """Even if the server would now choose another, or has it no more."""
    aes, chacha = (
        CipherSuite.ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        CipherSuite.ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    )
    config = world.server(cipher_suites=[aes])
    session = world.session(config)
    pair = world.connect(evolve(config, cipher_suites=[chacha]), session)
    assert resumed(pair)
    assert pair.client.cipher_suite == pair.server.cipher_suite == aes


def test_the_account_of_a_resumption(world: World12) -> None:
    config, session = fresh(world)
    pair = world.connect(config, session)
    assert [check.name for check in checks(pair)] == [
        "expiry",
        "authentication age",
        "context",
        "name",
        "client certificate",
        "extended master secret",
        "suite",
    ]
    assert record(pair).winner == record(pair, "client").winner == 0
    assert "resumed identity 0, 0 tickets to follow" in str(record(pair))


def test_a_connection_that_failed_leaves_its_ticket_good(world: World12) -> None:
    config, session = fresh(world)
    pair = world.connect(config, session)
    pair.deliver("server", b"")
    assert isinstance(pair.server_events[-1], ConnectionTerminated)
    assert resumed(world.connect(config, session))
