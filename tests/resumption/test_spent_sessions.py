"""The second use of a session for single use, whoever remembers the first: the cache, or a store of several servers."""

from __future__ import annotations

from collections.abc import Mapping
from pickle import dumps, loads
from typing import Any, Final

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from sansticket import (
    ASK,
    AbortHandshake,
    CipherSuite,
    ClaimSession,
    LocalProtocolError,
    LookUpSession,
    NamedGroup,
    ProtocolVersion,
    ProvideSession,
    Reason,
    ReusePolicy,
    Revocations,
    ServerConfig,
    ServerConnection,
    Session,
    SessionCache,
    SessionClaimed,
    SessionNotClaimed,
    SpentSession,
    TicketIssued,
    TicketReused,
    TicketUses,
)
from tests.support.hostile_client import HostileClient
from tests.support.pair import ConnectionPair
from tests.support.resumption import (
    START,
    World,
    checks,
    failed_checks,
    outcome,
    received,
    record,
    resumed,
)

TLS13, TLS12 = ProtocolVersion.TLS_1_3, ProtocolVersion.TLS_1_2
IGNORE, REFUSE, END_FAMILY = ReusePolicy.IGNORE, ReusePolicy.REFUSE, ReusePolicy.END_FAMILY
SHA256, SHA384 = CipherSuite.AES_128_GCM_SHA256, CipherSuite.AES_256_GCM_SHA384


class Store:
    """Of several servers.  What it keeps of a session that is used up: nothing, or what is left, in the place of the
    session or beside it (where a look-up goes on finding the session)."""

    def __init__(self, keeps: str = "in its place") -> None:
        self.keeps = keeps
        self.found: dict[bytes, bytes] = {}
        self.used: dict[bytes, bytes] = {}

    def look_up(self, question: LookUpSession) -> ProvideSession:
        data = self.found.get(question.session_id)
        if data is not None:
            return ProvideSession(Session.from_bytes(data))
        used = self.used.get(question.session_id)
        return ProvideSession(None if used is None else SpentSession.from_bytes(used))

    def claim(self, question: ClaimSession) -> SessionClaimed | SessionNotClaimed:
        name = question.session.session_id
        used = self.used.get(name)
        if used is not None:
            return SessionNotClaimed(SpentSession.from_bytes(used))
        data = self.found.get(name) if self.keeps == "beside it" else self.found.pop(name, None)
        if data is None:
            return SessionNotClaimed()
        if self.keeps != "nothing":
            self.used[name] = question.spent.to_bytes()
        return SessionClaimed()


class Fleet:
    """Servers with one store, or with a cache each; ``connect`` to any of them."""

    def __init__(self, store: Store | None = None, **changes: Any) -> None:
        self.world, self.store = World(), store
        changes = {"ticket_keys": None, "single_use_tickets": True, **changes}
        if store is None:
            changes = {"session_cache": SessionCache(), **changes}
        else:
            changes["answers"] = {LookUpSession: store.look_up, ClaimSession: store.claim}
        self.server = self.world.server(**changes)

    def other(self, **changes: Any) -> ServerConfig:
        """Another server, with memory of its own."""
        return evolve(self.server, **changes)

    def connect(self, *sessions: Session, at: ServerConfig | None = None, **client: Any) -> ConnectionPair:
        pair = self.world.connect(at or self.server, sessions, client=self.world.client(**client))
        if self.store is not None:
            for event in pair.events("server", TicketIssued):
                self.store.found[event.session.session_id] = event.session.to_bytes()
        return pair

    def shown(self, hello: bytes) -> ServerConnection:
        connection = ServerConnection(self.server)
        self.events = connection.receive_data(hello)
        return connection

    def used(self, *, later: float = 60, **client: Any) -> tuple[ConnectionPair, Session, Session]:
        """The connection of a full handshake, a ticket of it that was used, and its sibling."""
        first = self.connect(**client)
        ticket, sibling = received(first)
        assert resumed(self.connect(ticket, **client))
        self.world.clock.forward(later)
        return first, ticket, sibling


def table(policy: ReusePolicy = END_FAMILY) -> TicketUses:
    return TicketUses(policy=policy)


def reused(pair: ConnectionPair) -> list[TicketReused]:
    return pair.events("server", TicketReused)


KINDS: Final[Mapping[str, Store | None]] = {
    "cache": None,
    "store that keeps it in its place": Store("in its place"),
    "store that keeps it beside": Store("beside it"),
}
whoever_remembers = pytest.mark.parametrize("kind", KINDS)


def fleet_of(kind: str, **changes: Any) -> Fleet:
    store = KINDS[kind]
    return Fleet(Store(store.keeps) if store is not None else None, **changes)


# --- what is seen --------------------------------------------------------------------------------------------------


@whoever_remembers
@pytest.mark.parametrize("policy", [None, *ReusePolicy], ids=str)
def test_a_second_use_is_seen_and_refused(kind: str, policy: ReusePolicy | None) -> None:
    """Also without a table: then it is refused, and no more."""
    fleet = fleet_of(kind, ticket_uses=table(policy) if policy else None)
    first, ticket, sibling = fleet.used()
    pair = fleet.connect(ticket)
    assert outcome(pair) == (False, 2)
    (event,) = reused(pair)
    told = END_FAMILY if policy is END_FAMILY else REFUSE
    assert (event.policy, event.proven) == (told, True)
    assert (event.first.at, event.again.at) == (START, START + 60)
    for use in (event.first, event.again):
        assert (use.version, use.server_name, use.generation) == (TLS13, "server.example", 0)
        assert use.family == first.server.family
    assert event.first.client_random != event.again.client_random
    identity = record(pair).identities[0]
    assert (identity.earlier_use, identity.family) == (event.first, first.server.family)
    (failed,) = [check for check in identity.checks if not check.passed]
    assert (failed.name, failed.detail) == ("single use", f"used before, 60.000 s ago: {told.value}")
    assert resumed(fleet.connect(sibling)) is (policy is not END_FAMILY)


@whoever_remembers
def test_within_the_window_it_is_a_race_that_one_wins(kind: str) -> None:
    """Browsers open several connections at a time: nobody is alarmed, and single use holds."""
    fleet = fleet_of(kind, ticket_uses=table())
    ticket, sibling = received(fleet.connect())
    outcomes = [fleet.connect(ticket) for _ in range(4)]
    assert [resumed(pair) for pair in outcomes] == [True, False, False, False]
    fleet.world.clock.forward(10)
    outcomes.append(fleet.connect(ticket))
    assert [reused(pair) for pair in outcomes] == [[]] * 5
    assert checks(outcomes[-1])[-1].detail == "used before, 10.000 s ago, at most 10.000 s"
    fleet.world.clock.forward(0.001)
    assert len(reused(fleet.connect(ticket))) == 1
    assert failed_checks(fleet.connect(sibling)) == ["family"]


def test_a_stolen_ticket_at_another_server() -> None:
    """Its table knows nothing of the ticket, its cache neither: the store does."""
    revocations = Revocations()
    fleet = Fleet(Store(), ticket_uses=table(), revocations=revocations, session_cache=SessionCache())
    other = fleet.other(ticket_uses=table(), session_cache=SessionCache())
    first, ticket, sibling = fleet.used()
    theft = fleet.connect(ticket, at=other)
    assert [event.policy for event in reused(theft)] == [END_FAMILY]
    assert theft.server.family != first.server.family
    # The others hear of it from the list of revocations; here it is one for all.
    assert failed_checks(fleet.connect(sibling)) == ["revocation"]


def test_who_was_faster_at_the_claim() -> None:
    """Both have looked it up before either claimed it; one answer comes long after the other."""
    store = Store()
    fleet = Fleet(store, ticket_uses=table())
    asking = fleet.other(answers={LookUpSession: store.look_up, ClaimSession: ASK}, ticket_uses=table())
    ticket = received(fleet.connect())[0]
    pairs = [fleet.connect(ticket, at=asking) for _ in range(2)]
    questions = [pair.server.pending for pair in pairs]
    assert all(isinstance(question, ClaimSession) for question in questions)
    pairs[0].send("server", SessionClaimed())
    fleet.world.clock.forward(60)
    question = questions[0]
    assert isinstance(question, ClaimSession)
    pairs[1].send("server", SessionNotClaimed(question.spent))
    assert [resumed(pair) for pair in pairs] == [True, False]
    (event,) = reused(pairs[1])
    assert (event.policy, event.proven) == (END_FAMILY, True)
    assert event.first == question.spent.use


@pytest.mark.parametrize("at", ["this", "another"])
def test_a_store_that_keeps_nothing_goes_on_as_before(at: str) -> None:
    """``SessionNotClaimed()``, or no session: refused; and seen by the table of the server where it was used, which
    does not know who shows it."""
    fleet = Fleet(Store("nothing"), ticket_uses=table())
    _, ticket, sibling = fleet.used()
    pair = fleet.connect(ticket, at=fleet.other(ticket_uses=table()) if at == "another" else None)
    assert not resumed(pair)
    assert failed_checks(pair) == (["single use"] if at == "this" else ["found"])
    assert [(event.policy, event.proven) for event in reused(pair)] == [(REFUSE, False)] * (at == "this")
    assert resumed(fleet.connect(sibling))


@pytest.mark.parametrize("policy", [IGNORE, REFUSE, END_FAMILY])
def test_a_store_that_gives_twice_is_not_believed_where_it_was_used(policy: ReusePolicy) -> None:
    """Somebody has brought back an old copy of it.  The table of this server knows better, if it is to heed that."""
    store = Store("nothing")
    fleet = Fleet(store, ticket_uses=table(policy))
    first = fleet.connect()
    ticket = received(first)[0]
    before = dict(store.found)
    assert resumed(fleet.connect(ticket))
    store.found.update(before)
    fleet.world.clock.forward(60)
    pair = fleet.connect(ticket)
    assert resumed(pair) is (policy is IGNORE)
    assert [(event.policy, event.proven) for event in reused(pair)] == [(policy, True)]
    assert [check.name for check in checks(pair)][-2:] == ["single use", "reuse"]


def test_the_next_ticket_is_used_where_the_first_was() -> None:
    fleet = Fleet(ticket_uses=table(REFUSE))
    _, ticket, sibling = fleet.used()
    pair = fleet.connect(ticket, sibling)
    assert record(pair).winner == 1
    assert len(reused(pair)) == 1


# --- who proves what -----------------------------------------------------------------------------------------------


@whoever_remembers
def test_who_only_saw_the_ticket_ends_no_family(kind: str) -> None:
    """A wrong binder is no fault of whoever sends it, and proves nothing: a full handshake."""
    fleet = fleet_of(kind, ticket_uses=table())
    _, ticket, sibling = fleet.used()
    if kind == "store that keeps it beside":
        thief = HostileClient(fleet.server, sessions=(evolve(ticket, secret=bytes(32)),))
        thief.begin().assert_refused(Reason.BAD_BINDER)  # as for every session that is there
    else:
        pair = fleet.connect(evolve(ticket, secret=bytes(32)))
        assert not resumed(pair)
        assert [(event.policy, event.proven) for event in reused(pair)] == [(REFUSE, False)]
    assert resumed(fleet.connect(sibling))


@whoever_remembers
def test_an_id_that_is_shown_in_tls12_proves_nothing(kind: str) -> None:
    """Whoever has seen a ticket that is an id can show it as a session id of TLS 1.2."""
    fleet = fleet_of(kind, ticket_uses=table(), versions=(TLS13, TLS12))
    old = received(fleet.connect(versions=(TLS12,)))[0]
    _, ticket, sibling = fleet.used()
    pair = fleet.connect(evolve(old, session_id=ticket.ticket), versions=(TLS12,))
    assert not resumed(pair)
    assert [event.proven for event in reused(pair)] == [False] * (kind != "store that keeps it beside")
    assert resumed(fleet.connect(sibling))


@whoever_remembers
def test_a_copy_of_the_first_hello_ends_no_family(kind: str) -> None:
    fleet = fleet_of(kind, ticket_uses=table())
    ticket, sibling = received(fleet.connect())
    pair = fleet.connect(ticket)
    hello = pair.wire[0][1]
    fleet.world.clock.forward(60)
    fleet.shown(hello)
    (event,) = [event for event in fleet.events if isinstance(event, TicketReused)]
    assert (event.policy, event.proven) == (REFUSE, False)
    assert resumed(fleet.connect(sibling))


@whoever_remembers
def test_a_copy_with_another_binder_changed_ends_no_family(kind: str) -> None:
    """No binder covers the others."""
    fleet = fleet_of(kind, ticket_uses=table())
    ticket, sibling = received(fleet.connect())
    pair = fleet.connect(ticket, evolve(sibling, ticket=bytes(32)))
    hello = pair.wire[0][1]
    fleet.world.clock.forward(60)
    fleet.shown(hello[:-1] + bytes((hello[-1] ^ 1,)))
    (event,) = [event for event in fleet.events if isinstance(event, TicketReused)]
    assert event.first.hello != event.again.hello
    assert (event.policy, event.proven) == (REFUSE, False)
    assert resumed(fleet.connect(sibling))


@pytest.mark.parametrize("suite", [SHA256, SHA384])
@pytest.mark.parametrize("retry", [False, True], ids=["at once", "after a retry"])
def test_the_proof_is_under_the_hash_of_the_session(suite: int, retry: bool) -> None:
    """Whatever suite the server would choose now; and over both hellos, if there are two."""
    fleet = Fleet(ticket_uses=table(), cipher_suites=(SHA256, SHA384))
    client: dict[str, Any] = {"cipher_suites": (suite,)}
    if retry:
        client["key_shares"] = (NamedGroup.X25519,)
    _, ticket, _ = fleet.used(**client)
    config = evolve(fleet.server, groups=(NamedGroup.SECP256R1,)) if retry else fleet.server
    client["cipher_suites"] = (SHA256, SHA384) if not retry else (suite,)
    (event,) = reused(fleet.connect(ticket, at=config, **client))
    assert (event.policy, event.proven) == (END_FAMILY, True)


def test_a_hash_that_nobody_has_any_more_proves_nothing() -> None:
    fleet = Fleet(ticket_uses=table(), cipher_suites=(SHA256, SHA384))
    _, ticket, _ = fleet.used(cipher_suites=(SHA384,))
    config = fleet.other(cipher_suites=(SHA256,))
    (event,) = reused(fleet.connect(ticket, at=config, cipher_suites=(SHA256, SHA384)))
    assert (event.policy, event.proven) == (REFUSE, False)


@pytest.mark.parametrize("suite", [0x1399, CipherSuite.ECDHE_RSA_WITH_AES_128_GCM_SHA256])
def test_what_is_left_by_a_suite_that_is_not_known_proves_nothing(suite: int) -> None:
    store = Store()
    fleet = Fleet(store, ticket_uses=table())
    _, ticket, _ = fleet.used()
    spent = SpentSession.from_bytes(store.used[ticket.ticket])
    store.used[ticket.ticket] = evolve(spent, cipher_suite=suite).to_bytes()
    pair = fleet.connect(ticket)
    assert not resumed(pair)
    assert len(reused(pair)) == 1


def test_what_is_left_resumes_nothing() -> None:
    """The key of the binders is no secret of a session."""
    store = Store()
    fleet = Fleet(store, ticket_uses=table(REFUSE))
    _, ticket, _ = fleet.used()
    spent = SpentSession.from_bytes(store.used[ticket.ticket])
    assert spent.binder_key != ticket.secret
    assert ticket.secret not in spent.to_bytes()
    assert spent.binder_key.hex() not in repr(spent)


# --- wrong answers, and what is kept -------------------------------------------------------------------------------


def asked(fleet: Fleet, *answered: Any) -> ConnectionPair:
    """A question of the last kind is pending."""
    kinds = {LookUpSession: fleet.store.look_up if fleet.store else None, ClaimSession: ASK}
    server = fleet.other(answers={**kinds, **dict(answered)})
    return fleet.connect(received(fleet.connect())[0], at=server)


def left_of_another(fleet: Fleet) -> SpentSession:
    assert fleet.store is not None
    _, ticket, _ = fleet.used()
    return SpentSession.from_bytes(fleet.store.used[ticket.ticket])


def test_what_is_left_of_another_session() -> None:
    """An error of the application; the question stays, and nothing has changed."""
    fleet = Fleet(Store(), ticket_uses=table())
    spent = left_of_another(fleet)
    pair = asked(fleet)
    with pytest.raises(LocalProtocolError, match=r"SessionNotClaimed has what is left of .*; expected "):
        pair.send("server", SessionNotClaimed(spent))
    pair.send("server", SessionClaimed())
    assert resumed(pair)
    pair = asked(fleet, (LookUpSession, ASK))
    with pytest.raises(LocalProtocolError, match=r"ProvideSession has a session with id .*; expected "):
        pair.send("server", ProvideSession(spent))
    pair.send("server", AbortHandshake())
    assert pair.server.state == "Ended"


def test_a_cache_forgets_what_is_left_with_the_claim() -> None:
    """Bounded by ``remembered_claims``; single use holds all the same."""
    fleet = Fleet(ticket_uses=None, session_cache=SessionCache(remembered_claims=1))
    cache = fleet.server.session_cache
    assert cache is not None
    _, ticket, _ = fleet.used()
    assert cache.spent(ticket.ticket) is not None
    later = received(fleet.connect())[0]
    assert resumed(fleet.connect(later))
    assert cache.spent(ticket.ticket) is None
    pair = fleet.connect(ticket)
    assert (resumed(pair), reused(pair)) == (False, [])


def test_what_has_expired_is_no_alarm() -> None:
    """A client that comes back with an old ticket; what is left of its session would be gone with the session."""
    fleet = Fleet(ticket_uses=table(), ticket_lifetime=100)
    cache = fleet.server.session_cache
    assert cache is not None
    first = fleet.connect()
    ticket = received(first)[0]
    renewed = fleet.connect(ticket)
    fleet.world.clock.forward(50)
    newest = received(fleet.connect(received(renewed)[0]))[0]
    fleet.world.clock.forward(50)
    pair = fleet.connect(evolve(ticket, lifetime=1000))
    assert (resumed(pair), reused(pair)) == (False, [])
    assert failed_checks(pair) == ["found"]
    assert resumed(fleet.connect(newest))


def test_copies_of_a_cache_know_what_is_left() -> None:
    fleet = Fleet()
    cache = fleet.server.session_cache
    assert cache is not None
    _, ticket, _ = fleet.used()
    assert loads(dumps(cache)).spent(ticket.ticket) == cache.spent(ticket.ticket) is not None


def test_a_cache_keeps_the_first_that_it_is_told() -> None:
    fleet = Fleet()
    cache = fleet.server.session_cache
    assert cache is not None
    _, ticket, sibling = fleet.used()
    first = cache.spent(ticket.ticket)
    assert first is not None
    cache.note_use(evolve(first, cipher_suite=SHA384))
    assert cache.spent(ticket.ticket) == first
    cache.note_use(evolve(first, session_id=sibling.ticket))
    assert cache.spent(sibling.ticket) is None, "that one was not used up"
    assert resumed(fleet.connect(sibling))


@given(
    st.lists(
        st.tuples(st.sampled_from([0, 1]), st.sampled_from([0.0, 5.0, 60.0]), st.booleans()),
        min_size=1,
        max_size=6,
    )
)
def test_whatever_they_do(visits: list[tuple[int, float, bool]]) -> None:
    """One of two servers, after a time, with the oldest ticket or the newest: each is resumed once at most; a use after
    the window is told, with the first; and once a family was ended, none of it is resumed at either."""
    revocations = Revocations()
    fleet = Fleet(Store(), ticket_uses=table(), revocations=revocations)
    servers = [fleet.server, fleet.other(ticket_uses=table())]
    tickets = received(fleet.connect())
    first: dict[bytes, float] = {}
    ended = False
    for number, later, oldest in visits:
        fleet.world.clock.forward(later)
        ticket = tickets[0 if oldest else -1]
        pair = fleet.connect(ticket, at=servers[number])
        at = first.get(ticket.ticket)
        if not ended:
            late = at is not None and fleet.world.clock() - at > 10
            assert resumed(pair) is (at is None)
            assert [event.first.at for event in reused(pair)] == ([at] if late else [])
            ended = late
        else:
            assert not resumed(pair)
        if resumed(pair):
            first[ticket.ticket] = fleet.world.clock()
            tickets += received(pair)
