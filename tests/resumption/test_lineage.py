"""From which full handshake a session comes, and over how many resumptions."""

from __future__ import annotations

import os
from typing import Any, Final

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from sansticket import (
    AdmitSession,
    ClientConfig,
    DecideTicket,
    FlushTickets,
    GoTicketKey,
    GoTicketKeys,
    IssueTicket,
    OpenSSLTicketKey,
    OpenSSLTicketKeys,
    PrepareTicket,
    ProtocolVersion,
    ResolveTicket,
    SealTicket,
    ServerConfig,
    Session,
    SessionAdmitted,
    SessionCache,
    TicketReturn,
)
from sansticket.events import TicketIssued
from sansticket.library import SSL_SESSIONS
from tests.support.newer import needs
from tests.support.pair import ConnectionPair
from tests.support.resumption import START, World, received, record, resumed

TLS12, TLS13 = ProtocolVersion.TLS_1_2, ProtocolVersion.TLS_1_3

every_version = pytest.mark.parametrize("version", [TLS13, TLS12], ids=["1.3", "1.2"])

LAST: Final = (1 << 32) - 1


def renewing(question: DecideTicket) -> ResolveTicket:
    """A new ticket for each that is shown, in TLS 1.2 too."""
    used = TicketReturn.USE_RENEW if question.session is not None else TicketReturn.IGNORE_RENEW
    return ResolveTicket(used)


def stored() -> dict[str, Any]:
    return {"ticket_keys": None, "session_cache": SessionCache()}


def issued(pair: ConnectionPair) -> list[Session]:
    return [event.session for event in pair.events("server", TicketIssued)]


def lineage(sessions: list[Session]) -> set[tuple[bytes, int]]:
    return {(session.family, session.generation) for session in sessions}


class Side:
    """A client and a server of one version."""

    def __init__(self, version: int, **changes: Any) -> None:
        self.world = World()
        self.client: ClientConfig = self.world.client(versions=[version])
        self.server: ServerConfig = self.world.server(versions=[version], **changes)

    def connect(self, session: Session | None = None) -> ConnectionPair:
        return self.world.connect(self.server, session, client=self.client)


# --- what has one --------------------------------------------------------------------------------------------------


@every_version
def test_every_full_handshake_starts_a_family(version: int) -> None:
    side = Side(version)
    pairs = [side.connect() for _ in range(3)]
    families = {pair.server.family for pair in pairs}
    assert len(families) == 3
    for pair in pairs:
        assert len(pair.server.family) == 16
        assert lineage(issued(pair)) == {(pair.server.family, 0)}
        assert record(pair).identities == () or record(pair).identities[0].family == b""


@every_version
def test_a_renewal_inherits_the_family_and_counts(version: int) -> None:
    side = Side(version, answers={DecideTicket: renewing})
    pair = side.connect()
    family = pair.server.family
    for generation in range(1, 5):
        pair = side.connect(received(pair)[0])
        assert resumed(pair)
        assert pair.server.session is not None
        assert (pair.server.session.family, pair.server.session.generation) == (family, generation - 1)
        assert pair.server.family == family
        assert lineage(issued(pair)) == {(family, generation)}
        shown = record(pair).identities[0]
        assert (shown.family, shown.generation) == (family, generation - 1)
        assert f"family {family.hex()} generation {generation - 1}" in str(record(pair))


def test_all_tickets_of_a_connection_are_of_one_generation() -> None:
    """Siblings: each is another identity, and none of them is older than the others."""
    side = Side(TLS13, num_tickets=3)
    first = side.connect()
    first.send("server", IssueTicket(2), pump=False)
    first.send("server", FlushTickets())
    assert len(issued(first)) == 5
    assert lineage(issued(first)) == {(first.server.family, 0)}
    assert len({session.secret for session in issued(first)}) == 5
    for session in received(first):
        assert lineage(issued(side.connect(session))) == {(first.server.family, 1)}


def test_sessions_in_a_cache_have_it_too() -> None:
    side = Side(TLS13, **stored())
    first = side.connect()
    cache = side.server.session_cache
    assert cache is not None
    kept = cache.get(issued(first)[0].session_id, START)
    assert kept is not None
    assert (kept.family, kept.generation) == (first.server.family, 0)
    second = side.connect(received(first)[0])
    assert lineage(issued(second)) == {(first.server.family, 1)}


def test_a_session_of_tls12_that_is_known_by_its_id_stays_what_it_is() -> None:
    """Nothing new is issued, however often it is resumed."""
    side = Side(TLS12, tickets_in_tls12=False, session_cache=SessionCache())
    first = side.connect()
    for _ in range(3):
        pair = side.connect(received(first)[0])
        assert resumed(pair)
        assert issued(pair) == []
        assert pair.server.session is not None
        assert (pair.server.session.family, pair.server.session.generation) == (first.server.family, 0)
        assert pair.server.family == first.server.family


@every_version
def test_the_questions_show_it(version: int) -> None:
    asked: list[Any] = []

    def note(answer: Any) -> Any:
        return lambda question: asked.append(question) or (answer(question) if callable(answer) else answer)

    answers = {
        DecideTicket: note(renewing),
        AdmitSession: note(SessionAdmitted()),
        PrepareTicket: note(SealTicket()),
    }
    side = Side(version, answers=answers, num_tickets=1)
    first = side.connect()
    asked.clear()
    second = side.connect(received(first)[0])
    assert resumed(second)
    seen = [(type(one).__name__, one.session.family, one.session.generation) for one in asked]
    family = first.server.family
    assert seen == [("DecideTicket", family, 0), ("AdmitSession", family, 0), ("PrepareTicket", family, 1)]


@every_version
def test_the_entropy_of_the_config_draws_it(version: int) -> None:
    drawn: list[bytes] = []

    def entropy(size: int) -> bytes:
        drawn.append(os.urandom(size))
        return drawn[-1]

    pair = Side(version, entropy=entropy).connect()
    assert drawn.count(pair.server.family) == 1


# --- what has none -------------------------------------------------------------------------------------------------


@every_version
def test_a_client_does_not_know_it(version: int) -> None:
    for session in received(Side(version).connect()):
        assert (session.family, session.generation) == (b"", 0)


@every_version
def test_where_there_are_no_tickets_there_is_none(version: int) -> None:
    assert Side(version, ticket_keys=None).connect().server.family == b""


def test_before_the_handshake_is_done_there_is_none() -> None:
    world = World()
    assert ConnectionPair(world.client(), world.server()).server.family == b""


@needs(SSL_SESSIONS)
@every_version
def test_in_the_format_of_openssl_it_is_lost(version: int) -> None:
    """A family is not begun in the middle: what is not known stays unknown until the next full handshake."""
    keys = OpenSSLTicketKeys([OpenSSLTicketKey.generate(os.urandom)])
    side = Side(version, ticket_keys=keys, answers={DecideTicket: renewing})
    pair = side.connect()
    assert len(pair.server.family) == 16
    for _ in range(2):
        pair = side.connect(received(pair)[0])
        assert resumed(pair)
        assert pair.server.family == b""
        assert lineage(issued(pair)) == {(b"", 0)}
        assert "family" not in str(record(pair))


@every_version
def test_in_the_format_of_go_it_stands_in_our_entry(version: int) -> None:
    """Go leaves that out when it renews."""
    keys = GoTicketKeys([GoTicketKey(os.urandom(32))])
    side = Side(version, ticket_keys=keys, answers={DecideTicket: renewing})
    first = side.connect()
    second = side.connect(received(first)[0])
    assert resumed(second)
    assert lineage(issued(second)) == {(first.server.family, 1)}


@every_version
def test_a_ticket_from_before_there_were_families_goes_on_without(version: int) -> None:
    side = Side(version, answers={DecideTicket: renewing})
    first = side.connect()
    old = evolve(issued(first)[0], family=b"", generation=0)
    keys = side.server.ticket_keys
    assert keys is not None
    ticket = keys.seal(old.to_bytes(), START, os.urandom)
    second = side.connect(evolve(received(first)[0], ticket=ticket))
    assert resumed(second)
    assert lineage(issued(second)) == {(b"", 0)}


@every_version
def test_a_family_of_another_fleet_is_a_family(version: int) -> None:
    """Whoever shares our keys may draw its own: it goes on, and counts on from what it says."""
    side = Side(version, answers={DecideTicket: renewing})
    first = side.connect()
    keys = side.server.ticket_keys
    assert keys is not None
    for generation, after in ((7, 8), (LAST, LAST)):
        other = evolve(issued(first)[0], family=bytes(16), generation=generation)
        ticket = keys.seal(other.to_bytes(), START, os.urandom)
        second = side.connect(evolve(received(first)[0], ticket=ticket))
        assert resumed(second)
        assert lineage(issued(second)) == {(bytes(16), after)}


# --- trees ---------------------------------------------------------------------------------------------------------


@given(
    st.sampled_from([TLS13, TLS12]),
    st.lists(st.none() | st.integers(0, 20), min_size=1, max_size=12),
)
def test_families_are_trees(version: int, visits: list[int | None]) -> None:
    """Clients come back with any ticket that they ever had, several times with the same, or with none."""
    side = Side(version, answers={DecideTicket: renewing})
    tickets: list[tuple[Session, bytes, int]] = []
    families: set[bytes] = set()
    for visit in visits:
        shown = tickets[visit % len(tickets)] if visit is not None and tickets else None
        pair = side.connect(shown[0] if shown is not None else None)
        side.world.clock.forward(1)
        family, generation = (pair.server.family, 0) if shown is None else (shown[1], shown[2] + 1)
        if shown is None:
            assert family not in families
            families.add(family)
        assert pair.server.family == family
        assert lineage(issued(pair)) == {(family, generation)}
        tickets += [(session, family, generation) for session in received(pair)]
