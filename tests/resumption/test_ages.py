"""Lifetimes and ages to the second, by a clock that is handed in; and a chain of renewals that comes to an end."""

from __future__ import annotations

import os
from typing import Any, Final

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from sansticket.commands import FlushTickets, IssueTicket, RequestClientCertificate, SealTicket, SendData
from sansticket.config.choices import ASK, TicketFlush
from sansticket.config.server import ServerConfig
from sansticket.errors import ConfigError
from sansticket.events import (
    HandshakeCompleted,
    PeerAuthenticated,
    PrepareTicket,
    TicketIssued,
    TicketReceived,
    TicketWithheld,
)
from sansticket.tickets.keys.ring import TicketKeyRing
from sansticket.tickets.session import Session
from sansticket.tickets.versions import MAX_LIFETIME
from sansticket.wire.messages.tls13 import NewSessionTicket
from tests.support.credentials import anchors
from tests.support.examples import examples
from tests.support.hostile_client import HostileClient
from tests.support.hostile_server import HostileServer
from tests.support.pair import ConnectionPair
from tests.support.resumption import (
    START,
    Clock,
    World,
    checks,
    failed_checks,
    outcome,
    received,
    record,
    resumed,
)

DAY: Final = 86_400
WEEK: Final = 7 * DAY


def connect_unsuspecting(world: World, config: ServerConfig, session: Session) -> ConnectionPair:
    """With a client whose clock has stopped: it is the server that finds out."""
    return world.connect(config, session, client=world.client(clock=Clock(session.issued_at)))


# --- the lifetime of a ticket --------------------------------------------------------------------------------

AGES = [(0, True), (1, True), (7199, True), (7199.999, True), (7200, False), (7201, False), (10**6, False)]


@pytest.mark.parametrize(("age", "good"), AGES)
def test_the_server_counts(world: World, age: float, good: bool) -> None:
    config = world.server(ticket_keys=TicketKeyRing.generate(START, os.urandom))  # one that never forgets
    session = world.session(config)
    world.clock.forward(age)
    pair = connect_unsuspecting(world, config, session)
    assert outcome(pair) == ((True, 1) if good else (False, 2))
    if age < WEEK:
        assert failed_checks(pair) == ([] if good else ["expiry"])
    assert f"age {age:.3f} s, lifetime 7200 s" in str(record(pair))


@pytest.mark.parametrize(("age", "good"), AGES)
def test_so_does_the_client(world: World, age: float, good: bool) -> None:
    session = world.session(world.server())
    world.clock.forward(age)
    pair = world.connect(world.server(clock=Clock(START)), session)
    expected = ["expiry", "authentication age"] if age >= WEEK else ["expiry"]
    assert failed_checks(pair, side="client") == ([] if good else expected)
    assert len(record(pair).identities) == good


@pytest.mark.parametrize("lifetime", [1, 60, 7200, MAX_LIFETIME])
def test_any_lifetime(world: World, lifetime: int) -> None:
    config = world.server(ticket_lifetime=lifetime)
    session = world.session(config)
    assert session.lifetime == lifetime
    world.clock.forward(lifetime - 0.001)
    assert resumed(connect_unsuspecting(world, config, session))
    world.clock.forward(0.001)
    assert not resumed(connect_unsuspecting(world, config, session))


@pytest.mark.parametrize("field", ["ticket_lifetime", "max_session_age"])
@pytest.mark.parametrize("seconds", [0, -1, MAX_LIFETIME + 1, 1.5])
def test_no_other_lifetimes(world: World, field: str, seconds: float) -> None:
    with pytest.raises(ConfigError, match=field):
        world.server(**{field: seconds})


@pytest.mark.parametrize(("sealed", "today", "good"), [(7200, 10, True), (10, 7200, False)])
def test_the_lifetime_in_the_ticket_counts_not_that_of_today(
    world: World, sealed: int, today: int, good: bool
) -> None:
    config = world.server(ticket_lifetime=sealed)
    session = world.session(config)
    world.clock.forward(100)
    assert resumed(connect_unsuspecting(world, evolve(config, ticket_lifetime=today), session)) == good


def test_a_clock_that_was_set_back(world: World) -> None:
    """A ticket from the future is a young one."""
    config = world.server()
    session = world.session(config)
    world.clock.forward(-1000)
    pair = connect_unsuspecting(world, config, session)
    assert resumed(pair)
    assert "age 0.000 s" in str(record(pair))


@pytest.mark.parametrize("stateful", [False, True])
def test_a_cache_counts_the_same(world: World, stateful: bool) -> None:
    config = world.stateful() if stateful else world.server()
    first, second = received(world.connect(config))
    world.clock.forward(7199.999)
    assert resumed(connect_unsuspecting(world, config, first))
    world.clock.forward(0.001)
    assert not resumed(connect_unsuspecting(world, config, second))


# --- what the client says ------------------------------------------------------------------------------------


@pytest.mark.parametrize("age", [0, 0.5, 1234.567, 7199])
def test_the_client_tells_its_age(world: World, age: float) -> None:
    config = world.server()
    session = world.session(config)
    world.clock.forward(age)
    (claimed,) = (check for check in checks(world.connect(config, session)) if check.name == "age")
    assert claimed.detail == f"the client says {age:.3f} s"


@given(st.integers(0, (1 << 32) - 1))
def test_a_wrong_age_is_no_reason_against_a_session(obfuscated: int) -> None:
    """It matters to early data only (RFC 9846 section 8.3); libssl resumes too."""
    world = WORLD
    session = evolve(SESSION, age_add=obfuscated)
    client = HostileClient(CONFIG, sessions=(session,)).complete()
    (completed,) = (event for event in client.events if isinstance(event, HandshakeCompleted))
    assert completed.resumed
    said = ((obfuscated - SESSION.age_add) & 0xFFFFFFFF) / 1000
    assert f"the client says {said:.3f} s" in str(completed.record)
    assert world.clock() == START


WORLD = World()
CONFIG = WORLD.server()
SESSION = WORLD.session(CONFIG)


# --- what the server says ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("said", "kept"), [(1, 1), (7200, 7200), (2**32 - 1, MAX_LIFETIME)])
def test_a_client_believes_in_a_week_at_most(world: World, said: int, kept: int) -> None:
    assert [session.lifetime for session in sessions_of(world, said)] == [kept]


def test_a_lifetime_of_nought_says_to_forget_it(world: World) -> None:
    assert sessions_of(world, 0) == []


def sessions_of(world: World, lifetime: int) -> list[Session]:
    """What a client makes of a ticket of that lifetime."""
    server = HostileServer(world.client()).complete()
    server.say(NewSessionTicket(lifetime, 0, b"", b"ticket"))
    server.assert_alive()
    return [event.session for event in server.events if isinstance(event, TicketReceived)]


def test_nor_does_it_use_a_session_of_others_for_longer(world: World) -> None:
    config = world.server()
    session = evolve(world.session(config), lifetime=2**32 - 1)
    for age, good in ((WEEK - 0.001, True), (WEEK, False)):
        world.clock.now = START + age
        pair = world.connect(config, session)
        assert failed_checks(pair, side="client") == ([] if good else ["expiry", "authentication age"])


# --- renewal -------------------------------------------------------------------------------------------------


def test_a_renewed_ticket_is_young_again_and_keeps_its_lifetime(world: World) -> None:
    config = world.server(ticket_lifetime=1000)
    session = world.session(config)
    world.clock.forward(900)
    pair = world.connect(evolve(config, ticket_lifetime=50), session)
    renewed = pair.event("server", TicketIssued).session
    assert (renewed.issued_at, renewed.lifetime) == (START + 900, 1000)
    assert renewed.authenticated_at == START
    assert received(pair)[0].authenticated_at == START
    world.clock.forward(999)
    assert resumed(connect_unsuspecting(world, config, received(pair)[0]))


@pytest.mark.parametrize(("lifetime", "limit"), [(7200, 20_000), (DAY, WEEK), (WEEK, WEEK), (7200, 7200)])
@pytest.mark.parametrize("stateful", [False, True])
def test_no_chain_of_renewals_is_longer_than_the_limit(
    world: World, lifetime: int, limit: int, stateful: bool
) -> None:
    """In libssl it never ends."""
    changes: dict[str, Any] = {"ticket_lifetime": lifetime, "max_session_age": limit}
    config = world.stateful(**changes) if stateful else world.server(**changes)
    session, renewals = world.session(config), 0
    while True:
        end = session.issued_at + session.lifetime
        assert end <= START + limit, "no ticket promises more than there is"
        world.clock.now = end - 0.5
        pair = world.connect(config, session)
        assert resumed(pair)
        if not received(pair):
            break
        (session,) = received(pair)
        renewals += 1
    assert world.clock() >= START + limit - 1
    assert renewals >= (limit - 2) // lifetime
    world.clock.forward(1)
    assert not resumed(connect_unsuspecting(world, config, session))


@settings(max_examples=examples(50))
@given(st.lists(st.floats(0, 30_000), min_size=1, max_size=8))
def test_whatever_the_moments_of_renewal(pauses: list[float]) -> None:
    world = World()
    config = world.server(ticket_lifetime=20_000, max_session_age=50_000)
    session = world.session(config)
    for pause in pauses:
        world.clock.forward(pause)
        pair = world.connect(config, session)
        age, alive = session.age(world.clock()), world.clock() - START < 50_000
        assert resumed(pair) == (age < session.lifetime)
        assert resumed(pair) <= alive
        if not resumed(pair):
            return
        left = int(50_000 - session.authentication_age(world.clock()))
        assert [one.lifetime for one in received(pair)] == ([min(20_000, left)] if left else [])
        session = (received(pair) or [session])[0]


def test_too_old_for_another_ticket(world: World) -> None:
    """Less than a second is left; the record says why there is none, and a request makes none either."""
    config = world.server(max_session_age=10_000, ticket_lifetime=10_000)
    session = world.session(config)
    world.clock.forward(9999.5)
    pair = connect_unsuspecting(world, config, session)
    assert outcome(pair) == (True, 0)
    assert record(pair).tickets_to_follow == 0
    assert "the session is too old for another ticket" in str(record(pair))
    pair.server.send(IssueTicket(3))
    pair.send("server", FlushTickets())
    assert received(pair) == []
    why = "the session is too old for another ticket, authenticated 10000 s ago"
    assert [event.why for event in pair.events("server", TicketWithheld)] == [why] * 3
    pair.send("server", SendData(b"x"))
    assert pair.data("client") == b"x"


@pytest.mark.parametrize("flush", TicketFlush)
def test_too_old_by_the_time_of_the_first_write(world: World, flush: TicketFlush) -> None:
    """No record can say it any more: whoever asked for the tickets hears of each."""
    config = world.server(max_session_age=1000, ticket_lifetime=1000, num_tickets=2, ticket_flush=flush)
    pair = world.connect(config)
    pair.server.send(IssueTicket())
    waiting = 3 if flush is TicketFlush.WRITE else 1
    world.clock.forward(1000)
    pair.send("server", SendData(b"x"))
    assert pair.data("client") == b"x"
    assert len(received(pair)) == 3 - waiting
    assert len(pair.events("server", TicketWithheld)) == waiting
    assert len(pair.events("server", TicketIssued)) == 3 - waiting


def test_too_old_for_a_second_ticket_while_the_first_was_asked_about(world: World) -> None:
    config = world.server(max_session_age=1000, ticket_lifetime=1000, answers={PrepareTicket: ASK})
    pair = world.connect(config)
    world.clock.forward(1000)
    pair.send("server", SealTicket())
    assert len(received(pair)) == len(pair.events("server", TicketWithheld)) == 1
    assert pair.server.pending is None


def test_too_old_after_a_post_handshake_authentication(world: World) -> None:
    config = world.server(max_session_age=1000, ticket_lifetime=1000, num_tickets=2, trust_anchors=anchors())
    pair = world.connect(config, client=world.client(post_handshake_auth=True))
    world.clock.forward(1000)
    pair.send("server", RequestClientCertificate())
    assert len(pair.events("server", PeerAuthenticated)) == 1
    assert len(received(pair)) == len(pair.events("server", TicketWithheld)) == 2


def test_a_session_that_is_too_old_although_its_ticket_is_not(world: World) -> None:
    """The limit of today counts: a policy that was made stricter holds at once."""
    config = world.server()
    session = world.session(config)
    world.clock.forward(5000)
    pair = connect_unsuspecting(world, evolve(config, max_session_age=5000), session)
    assert not resumed(pair)
    assert failed_checks(pair) == ["authentication age"]
