"""A ticket that is used again: seen where the config remembers uses, and what follows from it, in both versions."""

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
    EarlyDataReason,
    EarlyDataStatus,
    HandshakeCompleted,
    OpenSSLTicketKey,
    OpenSSLTicketKeys,
    ProtocolVersion,
    ResolveTicket,
    ReusePolicy,
    Revocations,
    ServerConfig,
    ServerConnection,
    Session,
    SessionCache,
    SessionRefused,
    TicketReturn,
    TicketReused,
    TicketUse,
    TicketUses,
    WindowedTicketKeys,
)
from sansticket.library import SSL_SESSIONS
from tests.support.early_data import World as EarlyWorld
from tests.support.early_data import said
from tests.support.newer import needs
from tests.support.pair import ConnectionPair
from tests.support.resumption import START, World, checks, failed_checks, received, record, resumed

TLS12, TLS13 = ProtocolVersion.TLS_1_2, ProtocolVersion.TLS_1_3
IGNORE, REFUSE, END_FAMILY = ReusePolicy.IGNORE, ReusePolicy.REFUSE, ReusePolicy.END_FAMILY

every_version = pytest.mark.parametrize("version", [TLS13, TLS12], ids=["1.3", "1.2"])
every_policy = pytest.mark.parametrize("policy", list(ReusePolicy), ids=lambda policy: policy.name)

WINDOW: Final = 10.0


def renewing(question: DecideTicket) -> ResolveTicket:
    """A new ticket for each that is shown, in TLS 1.2 too."""
    used = TicketReturn.USE_RENEW if question.session is not None else TicketReturn.IGNORE_RENEW
    return ResolveTicket(used)


class Side:
    """A client and a server of one version, with a table."""

    def __init__(self, version: int, policy: ReusePolicy = REFUSE, **changes: Any) -> None:
        self.world, self.clock = (world := World()), world.clock
        self.uses: TicketUses = changes.pop("ticket_uses", None) or TicketUses(window=WINDOW, policy=policy)
        self.client: ClientConfig = self.world.client(versions=[version])
        changes = {"answers": {DecideTicket: renewing}, "ticket_uses": self.uses, **changes}
        self.server: ServerConfig = self.world.server(versions=[version], **changes)

    def connect(self, *sessions: Session) -> ConnectionPair:
        return self.world.connect(self.server, sessions, client=self.client)

    def begin(self, session: Session) -> ConnectionPair:
        """The server has the ClientHello, and no more."""
        pair = ConnectionPair(self.client, self.server, server_name="server.example", session=session)
        pair.carry("client")
        return pair


def reused(pair: ConnectionPair) -> list[TicketReused]:
    return pair.events("server", TicketReused)


# --- what is seen --------------------------------------------------------------------------------------------------


@every_version
@every_policy
def test_a_ticket_that_is_used_again(version: int, policy: ReusePolicy) -> None:
    side = Side(version, policy)
    first = side.connect()
    ticket = received(first)[0]
    second = side.connect(ticket)
    assert resumed(second)
    assert (reused(second), record(second).identities[0].earlier_use) == ([], None)
    side.clock.forward(60)
    third = side.connect(ticket)
    assert resumed(third) is (policy is IGNORE)
    (event,) = reused(third)
    # A ticket of TLS 1.2 was seen by whoever sees the connection: nobody ends a family for showing it.
    told = REFUSE if version == TLS12 and policy is END_FAMILY else policy
    assert (event.policy, event.proven) == (told, version == TLS13)
    assert (event.first.at, event.again.at) == (START, START + 60)
    for use in (event.first, event.again):
        assert (use.version, use.server_name, use.alpn_protocol) == (version, "server.example", None)
        assert (use.family, use.generation) == (first.server.family, 0)
    assert event.first.client_random != event.again.client_random
    assert event.first.hello != event.again.hello
    assert record(third).identities[0].earlier_use == event.first
    check = checks(third)[-1]
    assert (check.name, check.passed) == ("reuse", policy is IGNORE)
    assert check.detail == f"used 60.000 s before: {told.value}"


@every_version
def test_within_the_window_it_is_nobodys_business(version: int) -> None:
    """Browsers open several connections at a time, and clients try again."""
    side = Side(version, END_FAMILY)
    ticket = received(side.connect())[0]
    for elapsed in (0, 4, 6):
        side.clock.forward(elapsed)
        pair = side.connect(ticket)
        assert resumed(pair)
        assert reused(pair) == []
    assert checks(pair)[-1].detail == "again after 10.000 s, at most 10.000 s"
    side.clock.forward(0.001)
    assert len(reused(side.connect(ticket))) == 1


@pytest.mark.parametrize("elapsed", [0, 10, 10.001])
def test_a_race_of_two_that_finish_one_after_the_other(elapsed: float) -> None:
    """TLS 1.2: neither was there when the hello of the other came, so it is seen at the Finished."""
    side = Side(TLS12)
    ticket = received(side.connect())[0]
    one, other = side.begin(ticket), side.begin(ticket)
    one.pump()
    side.clock.forward(elapsed)
    other.pump()
    assert resumed(one)
    assert resumed(other)
    assert reused(one) == []
    assert len(reused(other)) == (elapsed > WINDOW)


@every_version
def test_a_window_of_nothing_is_none_however_coarse_the_clock(version: int) -> None:
    side = Side(version, ticket_uses=TicketUses(window=0))
    ticket = received(side.connect())[0]
    assert resumed(side.connect(ticket))
    pair = side.connect(ticket)
    assert not resumed(pair)
    (event,) = reused(pair)
    assert event.first.at == event.again.at


@every_version
def test_a_clock_that_is_set_back_is_as_far_away(version: int) -> None:
    side = Side(version)
    ticket = received(side.connect())[0]
    side.clock.forward(100)
    side.connect(ticket)
    side.clock.forward(-50)
    (event,) = reused(side.connect(ticket))
    assert (event.first.at, event.again.at) == (START + 100, START + 50)


@every_version
def test_siblings_are_other_tickets(version: int) -> None:
    """Several tickets of one connection, and those of two connections with one ticket: each is used once."""
    side = Side(version, END_FAMILY)
    ticket = received(side.connect())[0]
    siblings = [received(side.connect(ticket))[0] for _ in range(3)]
    for sibling in siblings:
        side.clock.forward(60)
        pair = side.connect(sibling)
        assert resumed(pair)
        assert reused(pair) == []
        assert record(pair).identities[0].generation == 1


@every_version
def test_an_older_generation_after_a_newer_one(version: int) -> None:
    """Generation n was used, and n + 1 after it; then comes n once more: it is as used as it was."""
    side = Side(version)
    oldest = received(side.connect())[0]
    newer = received(side.connect(oldest))[0]
    newest = received(side.connect(newer))[0]
    side.clock.forward(60)
    for ticket, generation in ((oldest, 0), (newer, 1)):
        (event,) = reused(side.connect(ticket))
        assert event.first.generation == event.again.generation == generation
    assert resumed(side.connect(newest))


def test_without_the_field_nobody_looks() -> None:
    side = Side(TLS13)
    config = evolve(side.server, ticket_uses=None)
    ticket = received(side.connect())[0]
    for _ in range(2):
        pair = side.world.connect(config, ticket, client=side.client)
        assert resumed(pair)
        assert "reuse" not in [check.name for check in checks(pair)]
        side.clock.forward(60)


def test_a_ticket_of_tls12_that_is_not_renewed_is_for_many_connections() -> None:
    side = Side(TLS12, END_FAMILY, answers={})
    ticket = received(side.connect())[0]
    for _ in range(3):
        pair = side.connect(ticket)
        assert resumed(pair)
        assert received(pair) == []
        assert reused(pair) == []
        side.clock.forward(60)
    assert len(side.uses) == 0


def test_an_id_of_tls12_is_for_many_connections() -> None:
    side = Side(TLS12, END_FAMILY, answers={}, tickets_in_tls12=False, session_cache=SessionCache())
    session = received(side.connect())[0]
    for _ in range(3):
        assert resumed(side.connect(session))
        side.clock.forward(60)
    assert len(side.uses) == 0


@needs(SSL_SESSIONS)
@every_version
@pytest.mark.parametrize("revocations", [None, Revocations()], ids=["no list", "with a list"])
def test_tickets_of_other_formats_are_known_again_without_a_family(
    version: int, revocations: Revocations | None
) -> None:
    """There is no family to be ended: what remains is to refuse this one."""
    keys = OpenSSLTicketKeys([OpenSSLTicketKey.generate(os.urandom)])
    side = Side(version, END_FAMILY, ticket_keys=keys, revocations=revocations)
    ticket = received(side.connect())[0]
    assert resumed(side.connect(ticket))
    side.clock.forward(60)
    pair = side.connect(ticket)
    (event,) = reused(pair)
    assert (event.policy, event.again.family) == (REFUSE, b"")
    assert not resumed(pair)


def test_ids_as_tickets() -> None:
    side = Side(TLS13, answers={}, ticket_keys=None, session_cache=SessionCache())
    ticket = received(side.connect())[0]
    assert resumed(side.connect(ticket))
    side.clock.forward(60)
    pair = side.connect(ticket)
    assert not resumed(pair)
    assert len(reused(pair)) == 1


def test_ids_that_are_used_up_are_seen_too() -> None:
    """The session is gone; what is left of it proves who shows its id.  More in test_spent_sessions."""
    stored = {"ticket_keys": None, "session_cache": SessionCache(), "single_use_tickets": True}
    side = Side(TLS13, END_FAMILY, answers={}, **stored)
    first = side.connect()
    ticket, sibling = received(first)
    assert resumed(side.connect(ticket))
    at_once = side.connect(ticket)
    assert (resumed(at_once), reused(at_once)) == (False, [])
    side.clock.forward(60)
    pair = side.connect(ticket)
    assert not resumed(pair)
    assert failed_checks(pair) == ["single use"]
    (event,) = reused(pair)
    assert (event.policy, event.proven, event.first.at) == (END_FAMILY, True, START)
    assert (event.again.at, event.again.family) == (START + 60, first.server.family)
    assert failed_checks(side.connect(sibling)) == ["family"]


# --- what is not consumed ------------------------------------------------------------------------------------------


@every_version
def test_what_the_application_refuses_is_not_used(version: int) -> None:
    refusing = {DecideTicket: renewing, AdmitSession: lambda question: SessionRefused()}
    side = Side(version, answers=refusing)
    ticket = received(side.connect())[0]
    assert not resumed(side.connect(ticket))
    assert len(side.uses) == 0
    side.clock.forward(60)
    assert resumed(side.world.connect(evolve(side.server, answers={}), ticket, client=side.client))


def test_a_wrong_binder_uses_nothing() -> None:
    side = Side(TLS13)
    ticket = received(side.connect())[0]
    pair = side.begin(evolve(ticket, secret=bytes(32)))
    assert pair.server.state == "Ended"
    assert len(side.uses) == 0


def test_a_ticket_of_tls12_that_is_only_shown_is_not_used() -> None:
    """Whoever saw it can show it, and gets no further: its client's use is the first."""
    side = Side(TLS12)
    ticket = received(side.connect())[0]
    thief = side.connect(evolve(ticket, secret=bytes(48)))
    assert thief.server.state == "Ended"
    assert len(side.uses) == 0
    side.clock.forward(60)
    pair = side.connect(ticket)
    assert resumed(pair)
    assert reused(pair) == []
    assert len(side.uses) == 1


def test_a_copy_of_a_hello_ends_no_family() -> None:
    """Whoever sees a connection can send its ClientHello once more: the binder is right, and proves nothing new."""
    side = Side(TLS13, END_FAMILY)
    ticket, sibling = received(side.connect())
    pair = side.begin(ticket)
    hello = pair.wire[0][1]
    pair.pump()
    side.clock.forward(60)
    copy = ServerConnection(side.server)
    events = copy.receive_data(hello)
    (event,) = [event for event in events if isinstance(event, TicketReused)]
    assert (event.policy, event.proven) == (REFUSE, False)
    assert event.first.client_random == event.again.client_random
    assert resumed(side.connect(sibling))


def test_a_copy_with_another_binder_changed_ends_no_family() -> None:
    """A binder covers all of a ClientHello but the binders: of those that nobody checks, a copy may have its own."""
    side = Side(TLS13, END_FAMILY)
    ticket, sibling = received(side.connect())
    pair = side.connect(ticket, evolve(sibling, ticket=bytes(len(sibling.ticket))))
    hello = pair.wire[0][1]
    side.clock.forward(60)
    copy = ServerConnection(side.server)
    events = copy.receive_data(hello[:-1] + bytes((hello[-1] ^ 1,)))
    (event,) = [event for event in events if isinstance(event, TicketReused)]
    assert event.first.hello != event.again.hello
    assert (event.policy, event.proven) == (REFUSE, False)
    assert resumed(side.connect(sibling))


def test_a_copy_of_a_first_hello_ends_no_family() -> None:
    """The one before a HelloRetryRequest has a binder of its own; a server that wants no retry takes it at its word."""
    side = Side(TLS13, END_FAMILY)
    other = evolve(side.client, groups=tuple(reversed(side.client.groups)))
    ticket, sibling = received(side.world.connect(side.server, client=other))
    pair = side.world.connect(evolve(side.server, groups=side.client.groups[:1]), ticket, client=other)
    assert resumed(pair)
    hello = pair.wire[0][1]
    side.clock.forward(60)
    copy = ServerConnection(side.server)
    events = copy.receive_data(hello)
    (event,) = [event for event in events if isinstance(event, TicketReused)]
    assert (event.policy, event.proven) == (REFUSE, False)
    assert resumed(side.connect(sibling))


def test_a_hello_that_fails_after_it_is_told_all_the_same() -> None:
    """Whoever adds an identity with a wrong binder has shown the first one nevertheless."""
    side = Side(TLS13, END_FAMILY)
    ticket, sibling = received(side.connect())
    assert resumed(side.connect(ticket))
    side.clock.forward(60)
    pair = side.connect(ticket, evolve(sibling, secret=bytes(32)))
    assert pair.server.state == "Ended"
    assert [(event.policy, event.proven) for event in reused(pair)] == [(END_FAMILY, True)]
    assert failed_checks(side.connect(sibling)) == ["family"]


def test_a_retry_uses_it_once() -> None:
    """The first ClientHello is not searched: what a HelloRetryRequest costs is no use."""
    side = Side(TLS13)
    other = evolve(side.client, groups=tuple(reversed(side.client.groups)))
    server = evolve(side.server, groups=side.client.groups[:1])
    ticket = side.world.session(server, client=other)
    pair = side.world.connect(server, ticket, client=other)
    assert resumed(pair)
    assert record(pair).identities[0].earlier_use is None
    assert len(side.uses) == 1


# --- the family ----------------------------------------------------------------------------------------------------


def test_an_ended_family() -> None:
    """All that comes of the same full handshake, the newest too; who then authenticates has another one."""
    side = Side(TLS13, END_FAMILY)
    first = side.connect()
    stolen, sibling = received(first)
    newest = received(side.connect(stolen))[0]
    side.clock.forward(60)
    theft = side.connect(stolen)
    assert [event.policy for event in reused(theft)] == [END_FAMILY]
    assert side.uses.has_ended(first.server.family)
    for ticket in (stolen, sibling, newest):
        pair = side.connect(ticket)
        assert not resumed(pair)
        assert failed_checks(pair) == ["family"]
        assert "ended, since one of its tickets was used again" in str(record(pair))
        assert reused(pair) == []
        assert pair.server.family != first.server.family
    assert resumed(side.connect(received(theft)[0]))


def test_a_later_identity_of_the_family_does_not_save_it() -> None:
    side = Side(TLS13, END_FAMILY)
    stolen, sibling = received(side.connect())
    side.connect(stolen)
    side.clock.forward(60)
    pair = side.connect(stolen, sibling)
    assert not resumed(pair)
    assert (failed_checks(pair, 0), failed_checks(pair, 1)) == (["reuse"], ["family"])


def test_the_next_identity_is_used_where_the_first_is_refused() -> None:
    side = Side(TLS13)
    stale, sibling = received(side.connect())
    side.connect(stale)
    side.clock.forward(60)
    pair = side.connect(stale, sibling)
    assert resumed(pair)
    assert record(pair).winner == 1
    assert len(reused(pair)) == 1


def test_an_ended_family_in_tls12() -> None:
    """The other version's connection, or the application, has ended it."""
    side = Side(TLS12, END_FAMILY)
    first = side.connect()
    side.uses.end_family(first.server.family, START, START + 604_800)
    pair = side.connect(received(first)[0])
    assert not resumed(pair)
    assert failed_checks(pair) == ["family"]


def test_it_is_remembered_until_the_last_of_its_tickets_has_expired() -> None:
    """Which is ``max_session_age`` after the full handshake, however late it is ended; then it may go for another."""
    uses = TicketUses(2, window=WINDOW, policy=END_FAMILY)
    side = Side(TLS13, ticket_uses=uses, max_session_age=5000, ticket_lifetime=4000)
    first = side.connect()
    ticket = received(first)[0]
    side.clock.forward(3000)
    newest = received(side.connect(ticket))[0]
    side.clock.forward(60)
    side.connect(ticket)
    assert newest.lifetime == 2000
    side.clock.now = START + 4999
    assert failed_checks(side.connect(newest)) == ["family"]
    side.uses.end_family(b"another", START + 4999, START + 9999)
    assert side.uses.has_ended(first.server.family)
    side.uses.end_family(b"a third", START + 5000, START + 9999)
    assert not side.uses.has_ended(first.server.family)
    assert side.uses.forgotten == 0


@every_version
def test_a_clock_that_jumps_ahead_and_back_brings_no_family_back(version: int) -> None:
    keys = WindowedTicketKeys(b"\7" * 32)  # a ring would drop its keys
    side = Side(version, END_FAMILY, ticket_keys=keys)
    first = side.connect()
    ticket = received(first)[0]
    assert resumed(side.connect(ticket))
    side.uses.end_family(first.server.family, START, START + 604_800)
    side.clock.forward(30 * 86_400)
    side.uses.end_family(side.connect().server.family, side.clock.now, side.clock.now + 604_800)
    side.clock.now = START + 60
    pair = side.connect(ticket)
    assert not resumed(pair)
    assert failed_checks(pair) == ["family"]


# --- early data ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("elapsed", [0.0, 60.0])
@every_policy
def test_a_ticket_that_was_used_gets_no_early_data(policy: ReusePolicy, elapsed: float) -> None:
    """Not within the window either, where it is resumed."""
    world = EarlyWorld()
    world.server = {"ticket_uses": TicketUses(window=WINDOW, policy=policy)}
    server = world.server_config()
    session = world.session(server)
    first = world.pair(session, server=server, early=b"one")
    first.pump()
    assert said(first) == (EarlyDataStatus.ACCEPTED, None)
    world.now += elapsed
    again = world.pair(session, server=server, early=b"two")
    again.pump()
    refused = elapsed > WINDOW and policy is not IGNORE
    reason = EarlyDataReason.NOT_RESUMED if refused else EarlyDataReason.NOT_CLAIMED
    assert said(again) == (EarlyDataStatus.REJECTED, reason)
    assert again.event("server", HandshakeCompleted).resumed is not refused


# --- a table that fails --------------------------------------------------------------------------------------------


class Broken(TicketUses):
    def note(self, ticket: bytes, use: TicketUse, until: float) -> TicketUse | None:
        raise OSError("it is full of secrets")

    def earlier(self, ticket: bytes) -> TicketUse | None:
        raise OSError("it is full of secrets")


@every_version
def test_a_table_that_fails_costs_nothing(version: int) -> None:
    side = Side(version, ticket_uses=Broken())
    pair = side.connect(received(side.connect())[0])
    assert resumed(pair)
    assert checks(pair)[-1].detail == "nobody can tell: OSError"
    assert "secrets" not in str(record(pair))


def test_a_table_that_fails_costs_nothing_where_tickets_are_used_up() -> None:
    stored = {"ticket_keys": None, "session_cache": SessionCache(), "single_use_tickets": True}
    side = Side(TLS13, answers={}, ticket_uses=Broken(), **stored)
    ticket = received(side.connect())[0]
    assert resumed(side.connect(ticket))
    side.clock.forward(60)
    pair = side.connect(ticket)
    assert (resumed(pair), failed_checks(pair)) == (False, ["single use"])
    assert [event.first.at for event in reused(pair)] == [START], "the cache knows as well"


def test_a_table_that_fails_costs_nothing_where_nobody_else_knows() -> None:
    """The application has claimed it by hand, and the cache was told nothing of a use."""
    cache = SessionCache()
    stored = {"ticket_keys": None, "session_cache": cache, "single_use_tickets": True}
    side = Side(TLS13, answers={}, ticket_uses=Broken(), **stored)
    ticket = received(side.connect())[0]
    assert cache.take(ticket.ticket, START) is not None
    pair = side.connect(ticket)
    assert (resumed(pair), reused(pair)) == (False, [])
    assert [check.detail for check in checks(pair)] == ["used before"]


class BrokenFamilies(TicketUses):
    def has_ended(self, family: bytes) -> bool:
        raise OSError("it is full of secrets")

    def end_family(self, family: bytes, now: float, until: float) -> None:
        raise OSError("it is full of secrets")


@pytest.mark.parametrize("listed", [False, True])
def test_a_family_that_cannot_be_ended(listed: bool) -> None:
    """The reuse is refused all the same; and where there is a list of revocations, the family is on that."""
    revocations = Revocations() if listed else None
    broken = BrokenFamilies(window=WINDOW, policy=END_FAMILY)
    side = Side(TLS13, ticket_uses=broken, revocations=revocations)
    ticket, sibling = received(side.connect())
    assert resumed(side.connect(ticket))
    side.clock.forward(60)
    pair = side.connect(ticket)
    assert not resumed(pair)
    assert [event.policy for event in reused(pair)] == [END_FAMILY if listed else REFUSE]
    assert resumed(side.connect(sibling)) is not listed


# --- whatever they do ----------------------------------------------------------------------------------------------


@given(
    st.sampled_from([TLS13, TLS12]),
    st.sampled_from(list(ReusePolicy)),
    st.lists(
        st.tuples(st.none() | st.integers(0, 12), st.sampled_from([0, 1, 9, 11])), min_size=1, max_size=14
    ),
)
def test_clients_that_come_back_with_anything(
    version: int, policy: ReusePolicy, visits: list[tuple[int | None, int]]
) -> None:
    """Any ticket that there ever was, any number of times, after any time; or none."""
    side = Side(version, policy)
    tickets: list[tuple[Session, bytes]] = []
    used: dict[int, float] = {}
    ended: set[bytes] = set()
    for visit, elapsed in visits:
        side.clock.forward(elapsed)
        place = visit % len(tickets) if visit is not None and tickets else None
        pair = side.connect(*([tickets[place][0]] if place is not None else []))
        if place is not None:
            family = tickets[place][1]
            late = place in used and side.clock() - used[place] > WINDOW
            refused = family in ended or (late and policy is not IGNORE)
            assert resumed(pair) is not refused
            assert len(reused(pair)) == (late and family not in ended)
            if late and policy is END_FAMILY and version == TLS13:
                ended.add(family)
            if not refused:
                used.setdefault(place, side.clock())
        tickets += [(session, pair.server.family) for session in received(pair)]
    assert len(side.uses) == len(used)
    assert all(side.uses.has_ended(family) for family in ended)


@given(
    st.sampled_from([TLS13, TLS12]),
    st.lists(
        st.tuples(st.integers(0, 3), st.booleans(), st.sampled_from([0, 4, 11])), min_size=1, max_size=12
    ),
)
def test_races(version: int, steps: list[tuple[int, bool, int]]) -> None:
    """Four connections with one ticket, whose hellos and Finished come in any order, at any time.

    In TLS 1.3 the hello is the use, in TLS 1.2 the Finished; and a use that was known of when the hello came was judged
    then.
    """
    side = Side(version)
    ticket = received(side.connect())[0]
    racing: dict[int, ConnectionPair] = {}
    finished: set[int] = set()
    judged: set[int] = set()
    first: float | None = None
    for which, finish, elapsed in steps:
        side.clock.forward(elapsed)
        now = side.clock()
        if which not in racing:
            racing[which] = pair = side.begin(ticket)
            late = first is not None and now - first > WINDOW
            assert len(reused(pair)) == late
            if first is not None:
                judged.add(which)
            if late:
                assert reused(pair)[0].policy is REFUSE
                finished.add(which)  # nothing to be raced for any more
            elif version == TLS13 and first is None:
                first = now
        if finish and which not in finished:
            pair = racing[which]
            pair.pump()
            finished.add(which)
            assert resumed(pair)
            late = first is not None and now - first > WINDOW
            told = version == TLS12 and late and which not in judged
            assert [(event.policy, event.proven) for event in reused(pair)] == [(IGNORE, True)] * told
            if version == TLS12 and first is None:
                first = now
    assert len(side.uses) == (first is not None)
