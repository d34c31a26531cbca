"""Tickets that are an id: the cache, its modes and hooks, an external store, and single use."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from attrs import evolve

from sansticket.codes import CipherSuite, NamedGroup, ProtocolVersion
from sansticket.commands import (
    AbortHandshake,
    Close,
    IssueTicket,
    ProvideSession,
    RequestClientCertificate,
    SealTicket,
    SendData,
    SessionClaimed,
    SessionNotClaimed,
)
from sansticket.config.choices import ASK
from sansticket.config.server import ServerConfig
from sansticket.config.tickets import NoTickets, StoredTickets
from sansticket.connection.ending import fail
from sansticket.errors import ConfigError, Fault, LocalProtocolError, Reason
from sansticket.events import (
    ClaimSession,
    DecideTicket,
    LookUpSession,
    PrepareTicket,
    TicketIssued,
)
from sansticket.tickets.decision import TicketStatus
from sansticket.tickets.session import Session
from sansticket.tickets.stores.cache import CacheMode, SessionCache
from tests.support.configs import answering
from tests.support.credentials import anchors
from tests.support.forked import CAN_FORK, MAY_HAVE_THREADS, forked
from tests.support.hostile_client import HostileClient
from tests.support.pair import ConnectionPair
from tests.support.resumption import (
    World,
    checks,
    ending,
    failed_checks,
    outcome,
    received,
    record,
    resumed,
)


class Store:
    """Sessions that live elsewhere.  ``log`` says what was done to it."""

    def __init__(self) -> None:
        self.sessions: dict[bytes, Session] = {}
        self.log: list[tuple[str, bytes]] = []
        self.keeps = True

    def new(self, session: Session) -> bool:
        self.log.append(("new", session.session_id))
        self.sessions[session.session_id] = session
        return self.keeps

    def get(self, session_id: bytes) -> Session | None:
        self.log.append(("get", session_id))
        return self.sessions.get(session_id)

    def remove(self, session: Session) -> None:
        self.log.append(("remove", session.session_id))
        self.sessions.pop(session.session_id, None)

    def times(self, what: str) -> int:
        return [name for name, _ in self.log].count(what)

    def cache(self, mode: CacheMode = CacheMode.SERVER, *, get: bool = True) -> SessionCache:
        return SessionCache(
            mode=mode, on_new=self.new, on_remove=self.remove, on_get=self.get if get else None
        )


@pytest.fixture
def store() -> Store:
    return Store()


def in_cache(config: ServerConfig, session: Session) -> bool:
    assert config.session_cache is not None
    return session.ticket in config.session_cache


# --- what a ticket is, and where its session is --------------------------------------------------------------


def test_the_ticket_is_a_random_id_and_the_session_is_kept(world: World) -> None:
    config = world.stateful()
    pair = world.connect(config)
    issued = [event.session for event in pair.events("server", TicketIssued)]
    sessions = received(pair)
    assert [session.ticket for session in sessions] == [session.session_id for session in issued]
    assert {len(session.ticket) for session in sessions} == {32}
    assert config.session_cache is not None
    assert [config.session_cache.get(s.ticket, world.clock()) for s in sessions] == issued


def test_neither_keys_nor_a_store_is_no_tickets_at_all(world: World) -> None:
    assert world.server(ticket_keys=None).tickets == NoTickets()
    assert world.server(ticket_keys=None, answers={LookUpSession: ASK}).tickets == StoredTickets(None)


def test_nobody_is_asked_to_decide(world: World) -> None:
    """Nothing was decrypted."""
    config = world.stateful()
    session = world.session(config)
    silent = answering(config, {DecideTicket: ASK})
    assert outcome(world.connect(silent, session)) == (True, 1)
    assert outcome(world.connect(silent, evolve(session, ticket=bytes(32)))) == (False, 2)


def test_a_session_can_be_resumed_again_and_again(world: World) -> None:
    config = world.stateful()
    session = world.session(config)
    assert [outcome(world.connect(config, session)) for _ in range(3)] == [(True, 1)] * 3


def test_a_stateless_ticket_on_a_stateful_server_and_the_other_way_round(world: World) -> None:
    stateless, stateful = world.server(), world.stateful()
    assert outcome(world.connect(stateful, world.session(stateless))) == (False, 2)
    pair = world.connect(stateless, world.session(stateful))
    assert outcome(pair) == (False, 2)
    assert record(pair).identities[0].status is TicketStatus.NO_DECRYPT


# --- modes and hooks -----------------------------------------------------------------------------------------

INTERNAL = [CacheMode.SERVER, CacheMode.BOTH, CacheMode.NO_INTERNAL_LOOKUP | CacheMode.SERVER]
EXTERNAL_ONLY = [CacheMode.NO_INTERNAL | CacheMode.SERVER, CacheMode.NO_INTERNAL_STORE | CacheMode.SERVER]


@pytest.mark.parametrize("mode", [*INTERNAL, *EXTERNAL_ONLY, CacheMode.OFF, CacheMode.CLIENT])
def test_modes(world: World, store: Store, mode: CacheMode) -> None:
    on = CacheMode.SERVER in mode
    config = world.stateful(session_cache=store.cache(mode))
    pair = world.connect(config)
    assert outcome(pair) == (False, 2), "tickets are sent whether or not they are kept"
    assert store.times("new") == (2 if on else 0)
    session = received(pair)[0]
    assert in_cache(config, session) == (mode in INTERNAL)

    again = world.connect(config, session)
    assert outcome(again) == (on, 1 if on else 2)
    asks = CacheMode.NO_INTERNAL_LOOKUP in mode or mode not in INTERNAL
    assert store.times("get") == asks


def test_without_an_external_store_what_is_not_kept_is_not_found(world: World, store: Store) -> None:
    for mode in (*EXTERNAL_ONLY, CacheMode.NO_INTERNAL_LOOKUP | CacheMode.SERVER):
        config = world.stateful(session_cache=store.cache(mode, get=False))
        assert outcome(world.connect(config, world.session(config))) == (False, 2)


def test_what_the_store_gave_is_kept_even_when_nothing_new_is(world: World, store: Store) -> None:
    kept = world.stateful(session_cache=store.cache())
    session = world.session(kept)
    config = world.stateful(session_cache=store.cache(CacheMode.OFF))
    assert resumed(world.connect(config, session))
    assert in_cache(config, session)
    assert store.times("get") == 1
    assert resumed(world.connect(config, session))
    assert store.times("get") == 1


def test_the_new_hook_can_refuse(world: World, store: Store) -> None:
    """As the manual says and libssl does not: the session is not kept.  The client cannot know."""
    store.keeps = False
    config = world.stateful(session_cache=store.cache(get=False))
    session = world.session(config)
    assert not in_cache(config, session)
    assert outcome(world.connect(config, session)) == (False, 2)


def test_it_is_kept_before_the_client_can_have_it(world: World) -> None:
    made: list[bytes] = []
    pair: ConnectionPair

    def new(session: Session) -> None:
        made.append(session.session_id)
        assert pair.server.data_to_send() == b""

    config = world.stateful(session_cache=SessionCache(on_new=new), num_tickets=1)
    pair = ConnectionPair(world.client(), config)
    pair.pump()
    assert made == [session.ticket for session in received(pair)]


class Trouble(Exception):
    """What a hook raised."""


def fails(*arguments: object) -> Any:
    raise Trouble


def test_a_new_hook_that_fails_is_the_end_and_no_ticket_leaves(world: World) -> None:
    config = world.stateful(session_cache=SessionCache(on_new=fails))
    pair = world.connect(config)
    assert isinstance(ending(pair).cause, Trouble)
    assert outcome(pair) == (False, 0)
    assert ending(pair, "client").by_peer


def test_a_get_hook_that_fails_is_a_full_handshake(world: World) -> None:
    """Nothing was used up: a store that is down costs no more than that, and the record says what happened."""
    session = world.session(world.stateful())
    pair = world.connect(world.stateful(session_cache=SessionCache(on_get=fails)), session)
    assert not resumed(pair)
    assert [str(check) for check in checks(pair)] == ["found FAILED (the look-up failed: Trouble)"]


def test_a_remove_hook_that_fails_does_not_hide_why_the_connection_ended(world: World) -> None:
    config = world.stateful(session_cache=SessionCache(on_remove=fails))
    pair = world.connect(config)
    pair.deliver("server", b"")
    assert ending(pair).reason is Reason.TRUNCATED
    assert isinstance(ending(pair).cause, Trouble)


def test_a_remove_hook_that_fails_does_not_keep_the_others(world: World) -> None:
    removed: list[bytes] = []

    def remove(session: Session) -> None:
        removed.append(session.session_id)
        if len(removed) != 2:
            raise Trouble

    cache = SessionCache(on_remove=remove)
    pair = world.connect(world.stateful(session_cache=cache, num_tickets=3))
    assert len(cache) == 3
    pair.deliver("server", b"")
    assert len(cache) == 0
    assert removed == [session.ticket for session in received(pair)]
    assert isinstance(ending(pair).cause, Trouble)


def test_a_new_hook_that_fails_when_it_has_stored_the_session(world: World) -> None:
    """The store is told to let it go, as of any connection that fails."""
    stored: list[bytes] = []

    def new(session: Session) -> None:
        stored.append(session.session_id)
        if len(stored) == 2:
            raise Trouble

    def remove(session: Session) -> None:
        stored.remove(session.session_id)

    cache = SessionCache(mode=CacheMode.SERVER | CacheMode.NO_INTERNAL, on_new=new, on_remove=remove)
    pair = world.connect(world.stateful(session_cache=cache))
    assert isinstance(ending(pair).cause, Trouble)
    assert stored == []


@pytest.mark.parametrize("closed", [False, True])
def test_an_end_of_the_stream_after_our_close_keeps_the_session(world: World, *, closed: bool) -> None:
    config = world.stateful()
    pair = world.connect(config)
    if closed:
        pair.send("server", Close())
    pair.deliver("server", b"")
    assert ending(pair).reason is Reason.TRUNCATED
    assert resumed(world.connect(config, received(pair)[-1])) == closed


# --- an external store, asked by a question ------------------------------------------------------------------


def by_question(world: World, store: Store, answer: object = None, **changes: Any) -> ServerConfig:
    """No cache at all: the store hears of new sessions by ``TicketIssued`` and is asked with ``LookUpSession``."""

    def look_up(question: LookUpSession) -> ProvideSession:
        return ProvideSession(store.get(question.session_id))

    return world.server(**{"ticket_keys": None, "answers": {LookUpSession: answer or look_up}, **changes})


def connect(
    world: World, store: Store, config: ServerConfig, session: Session | Sequence[Session] | None = None
) -> ConnectionPair:
    """A handshake in which the store is told and asked as an application would."""
    pair = world.connect(config, session)
    while isinstance(pair.server.pending, LookUpSession):
        pair.send("server", ProvideSession(store.get(pair.server.pending.session_id)))
    for event in pair.events("server", TicketIssued):
        store.new(event.session)
    return pair


@pytest.mark.parametrize("answer", [None, ASK])
def test_a_store_without_a_cache(world: World, store: Store, answer: object) -> None:
    config = by_question(world, store, answer)
    session = received(connect(world, store, config))[0]
    again = connect(world, store, config, session)
    assert outcome(again) == (True, 1)
    assert store.times("get") == 1
    unknown = connect(world, store, config, evolve(session, ticket=bytes(32)))
    assert outcome(unknown) == (False, 2)
    assert [check.name for check in checks(unknown)] == failed_checks(unknown) == ["found"]


def test_the_question_comes_after_the_cache(world: World, store: Store) -> None:
    config = evolve(by_question(world, store), session_cache=SessionCache(1))
    first, second = received(connect(world, store, config))
    assert resumed(connect(world, store, config, second))
    assert store.times("get") == 0, "the cache has it"
    assert resumed(connect(world, store, config, first))
    assert store.times("get") == 1, "evicted"


def test_what_the_question_brought_is_kept(world: World, store: Store) -> None:
    session = received(connect(world, store, by_question(world, store)))[0]
    config = evolve(by_question(world, store), session_cache=SessionCache())
    for _ in range(3):
        assert resumed(connect(world, store, config, session))
    assert store.times("get") == 1


def test_the_questions_of_several_identities(world: World, store: Store) -> None:
    config = by_question(world, store)
    sessions = received(connect(world, store, config))
    del store.sessions[sessions[0].ticket]
    pair = connect(world, store, config, sessions)
    assert record(pair).winner == 1
    assert [session_id for what, session_id in store.log if what == "get"] == [s.ticket for s in sessions]


def test_no_session_can_abort(world: World, store: Store) -> None:
    config = by_question(world, store, lambda question: AbortHandshake())
    pair = connect(world, store, config, world.session(world.stateful()))
    assert ending(pair).reason is Reason.ABORTED_BY_APPLICATION


# --- wrong sessions ------------------------------------------------------------------------------------------


def wrong_sessions() -> Iterator[Any]:
    def case(name: str, failed: str, **changes: Any) -> Any:
        return pytest.param(changes, failed, id=name)

    yield case("of TLS 1.2", "version", version=ProtocolVersion.TLS_1_2, secret=bytes(48))
    yield case("of an unknown suite", "version", cipher_suite=0x1399)
    yield case("expired", "expiry", lifetime=0)
    yield case("too old", "authentication age", authenticated_at=0.0)
    yield case("of another context", "context", session_id_context=b"another")
    yield case("of another name", "name", server_name="other.example")
    yield case("of another hash", "hash", cipher_suite=CipherSuite.AES_256_GCM_SHA384, secret=bytes(48))


@pytest.mark.parametrize(("changes", "failed"), list(wrong_sessions()))
@pytest.mark.parametrize("how", ["function", "command", "hook"])
@pytest.mark.parametrize("cached", [False, True])
def test_a_wrong_session_is_a_full_handshake(
    world: World, store: Store, changes: dict[str, Any], failed: str, how: str, cached: bool
) -> None:
    config = by_question(world, store)
    session = received(connect(world, store, config))[0]
    store.sessions = {key: evolve(value, **changes) for key, value in store.sessions.items()}
    if how == "hook":
        config = world.stateful(session_cache=store.cache())
    else:
        config = by_question(world, store, ASK if how == "command" else None)
        config = evolve(config, session_cache=SessionCache() if cached else None)
    pair = connect(world, store, config, session)
    assert outcome(pair) == (False, 2)
    assert failed_checks(pair) == (["found"] if (how, failed) == ("hook", "expiry") else [failed])
    if failed == "expiry" and config.session_cache is not None:
        assert session.ticket not in config.session_cache


def test_a_session_of_another_id_is_refused_to_the_caller(world: World, store: Store) -> None:
    session = received(connect(world, store, by_question(world, store)))[0]
    other = next(one for key, one in store.sessions.items() if key != session.ticket)
    pair = world.connect(by_question(world, store, ASK), session)
    with pytest.raises(LocalProtocolError, match=f"expected {session.ticket.hex()}"):
        pair.server.send(ProvideSession(other))
    pair.send("server", ProvideSession(store.sessions[session.ticket]))
    assert resumed(pair)

    pair = world.connect(by_question(world, store, lambda question: ProvideSession(other)), session)
    assert ending(pair).reason is Reason.ANSWER_FAILED
    assert isinstance(ending(pair).cause, LocalProtocolError)


def test_a_get_hook_that_gives_another_id_has_given_nothing(world: World, store: Store) -> None:
    config = world.stateful(session_cache=store.cache(CacheMode.NO_INTERNAL | CacheMode.SERVER))
    first, second = received(world.connect(config))
    store.sessions[first.ticket] = store.sessions[second.ticket]
    assert outcome(world.connect(config, first)) == (False, 2)


def test_a_wrong_secret_in_the_store_does_not_pass_the_binder(world: World, store: Store) -> None:
    config = by_question(world, store)
    session = received(connect(world, store, config))[0]
    store.sessions[session.ticket] = evolve(store.sessions[session.ticket], secret=bytes(32))
    assert ending(connect(world, store, config, session)).reason is Reason.BAD_BINDER


# --- removal -------------------------------------------------------------------------------------------------


def pair_with_sessions(world: World, store: Store, **changes: Any) -> tuple[ServerConfig, ConnectionPair]:
    """A resumed connection: one session resumed, one made."""
    config = world.stateful(session_cache=store.cache(get=False), **changes)
    pair = world.connect(config, world.session(config))
    assert outcome(pair) == (True, 1)
    store.log.clear()
    return config, pair


def by_truncation(pair: ConnectionPair) -> None:
    pair.deliver("server", b"")


def by_an_alert_of_the_client(pair: ConnectionPair) -> None:
    fail(pair.client._engine, Fault(Reason.INTERNAL_ERROR))
    pair.pump()


def by_garbage(pair: ConnectionPair) -> None:
    pair.deliver("server", b"\x17\x03\x03\x00\x20" + bytes(32))


def by_the_application(pair: ConnectionPair) -> None:
    pair.send("server", IssueTicket())
    pair.send("server", SendData(b"x"))
    assert isinstance(pair.server.pending, PrepareTicket)
    pair.send("server", AbortHandshake())


@pytest.mark.parametrize("fail", [by_truncation, by_an_alert_of_the_client, by_garbage])
def test_a_connection_that_fails_takes_its_sessions_with_it(
    world: World, store: Store, fail: Callable[[ConnectionPair], None]
) -> None:
    config, pair = pair_with_sessions(world, store)
    fail(pair)
    removed = [session_id for what, session_id in store.log if what == "remove"]
    assert pair.server.session is not None
    assert removed == [pair.server.session.session_id, received(pair)[0].ticket], "each once"
    assert outcome(world.connect(config, received(pair)[0])) == (False, 2)
    assert store.times("remove") == 2


def test_so_does_one_that_the_application_ends(world: World, store: Store) -> None:
    config = world.stateful(session_cache=store.cache(get=False), answers={PrepareTicket: ASK}, num_tickets=1)
    pair = world.connect(config)
    pair.send("server", SealTicket())
    by_the_application(pair)
    assert store.times("remove") == 1
    assert len(config.session_cache or ()) == 0


def test_a_clean_end_takes_nothing(world: World, store: Store) -> None:
    config, pair = pair_with_sessions(world, store)
    pair.send("client", Close())
    pair.send("server", Close())
    pair.deliver("server", b"")
    assert store.times("remove") == 0
    assert resumed(world.connect(config, received(pair)[0]))


def test_each_is_removed_once_even_after_another_authentication(world: World, store: Store) -> None:
    config = world.stateful(session_cache=store.cache(CacheMode.NO_INTERNAL_STORE | CacheMode.SERVER))
    config = evolve(config, trust_anchors=anchors())
    client = world.client(post_handshake_auth=True)
    pair = world.connect(config, world.session(config), client=client)
    pair.send("server", RequestClientCertificate())
    by_truncation(pair)
    removed = [session_id for what, session_id in store.log if what == "remove"]
    assert len(removed) == len(set(removed)) == 3


def test_tickets_that_are_no_ids_stay_good(world: World) -> None:
    config = world.server()
    pair = world.connect(config)
    by_garbage(pair)
    assert resumed(world.connect(config, received(pair)[0]))


# --- single use ----------------------------------------------------------------------------------------------


def single(world: World, cache: SessionCache | None = None, **changes: Any) -> ServerConfig:
    cache = SessionCache() if cache is None else cache
    return world.stateful(session_cache=cache, single_use_tickets=True, **changes)


def test_once_and_never_again(world: World) -> None:
    config = single(world)
    session = world.session(config)
    first = world.connect(config, session)
    assert outcome(first) == (True, 1)
    assert not in_cache(config, session)
    for _ in range(2):
        replay = world.connect(config, session)
        assert outcome(replay) == (False, 2)
        assert failed_checks(replay) == ["single use"]
    assert resumed(world.connect(config, received(first)[0])), "the renewed one is another"


@pytest.mark.parametrize("mode", [CacheMode.SERVER, *INTERNAL[1:], *EXTERNAL_ONLY])
@pytest.mark.parametrize("forgets", [False, True])
def test_once_whatever_an_external_store_has(
    world: World, store: Store, mode: CacheMode, forgets: bool
) -> None:
    cache = store.cache(mode)
    if not forgets:
        cache.on_remove = None
    config = single(world, cache)
    session = world.session(config)
    assert outcome(world.connect(config, session)) == (True, 1)
    assert outcome(world.connect(config, session)) == (False, 2)
    assert (session.ticket in store.sessions) == (not forgets)


@pytest.mark.parametrize("answer", [None, ASK])
def test_once_where_the_store_is_asked_by_a_question(world: World, store: Store, answer: object) -> None:
    config = evolve(by_question(world, store, answer), session_cache=SessionCache(), single_use_tickets=True)
    session = received(connect(world, store, config))[0]
    config = evolve(config, session_cache=SessionCache())
    assert outcome(connect(world, store, config, session)) == (True, 1)
    replay = connect(world, store, config, session)
    assert outcome(replay) == (False, 2)
    assert failed_checks(replay) == ["single use"]
    assert store.times("get") == 1, "it need not even be asked"


def test_two_at_the_same_time(world: World, store: Store) -> None:
    """Both have asked the store before either is answered: one of them resumes."""
    config = evolve(by_question(world, store, ASK), session_cache=SessionCache(), single_use_tickets=True)
    session = received(connect(world, store, config))[0]
    config = evolve(config, session_cache=SessionCache())
    pairs = [world.connect(config, session) for _ in range(3)]
    assert all(isinstance(pair.server.pending, LookUpSession) for pair in pairs)
    for pair in reversed(pairs):
        pair.send("server", ProvideSession(store.sessions[session.ticket]))
    assert [resumed(pair) for pair in pairs] == [False, False, True]
    assert [failed_checks(pair) for pair in pairs] == [["single use"], ["single use"], []]


def test_a_stranger_uses_nothing_up(world: World) -> None:
    """The binder comes first: who only saw the ticket cannot spend it."""
    config = single(world)
    session = world.session(config)
    thief = HostileClient(config, sessions=(evolve(session, secret=bytes(32)),)).begin()
    thief.assert_refused(Reason.BAD_BINDER)
    assert resumed(world.connect(config, session))


def test_a_retry_uses_nothing_up(world: World) -> None:
    config = single(world)
    session = world.session(config)
    config = evolve(config, groups=(NamedGroup.SECP256R1,))
    client = world.client(key_shares=(NamedGroup.X25519,))
    assert outcome(world.connect(config, session, client=client)) == (True, 1)


def test_what_cannot_be_used_is_not_used_up(world: World) -> None:
    config = single(world)
    session = world.session(config)
    elsewhere = evolve(config, session_id_context=b"another")
    assert not resumed(world.connect(elsewhere, session))
    assert resumed(world.connect(config, session))


def test_the_search_goes_on_after_a_replay(world: World) -> None:
    config = single(world, num_tickets=3)
    sessions = received(world.connect(config))
    assert resumed(world.connect(config, sessions[0]))
    pair = world.connect(config, sessions)
    assert record(pair).winner == 1
    assert failed_checks(pair, 0) == ["single use"]
    assert resumed(world.connect(config, sessions[2])), "what was not needed was not used up"


def test_removal_is_told_once(world: World, store: Store) -> None:
    config = single(world, store.cache())
    session = world.session(config)
    pair = world.connect(config, session)
    by_truncation(pair)
    assert sorted(store.log.count(("remove", s.ticket)) for s in (session, received(pair)[0])) == [1, 1]


# --- single use in a fleet: ClaimSession ---------------------------------------------------------------------


def shared(world: World, store: Store, answer: object = None, **changes: Any) -> ServerConfig:
    """One of several servers with a store that gives a session to one of all who claim it."""

    def claim(question: ClaimSession) -> SessionClaimed | SessionNotClaimed:
        store.log.append(("claim", question.session.session_id))
        taken = store.sessions.pop(question.session.session_id, None)
        return SessionClaimed() if taken == question.session else SessionNotClaimed()

    answers = {**by_question(world, store).answers, ClaimSession: answer or claim}
    return by_question(world, store, answers=answers, single_use_tickets=True, **changes)


def test_one_server_of_all_resumes(world: World, store: Store) -> None:
    servers = [shared(world, store) for _ in range(3)]
    session = received(connect(world, store, servers[0]))[0]
    first, *others = (connect(world, store, server, session) for server in servers)
    assert outcome(first) == (True, 1)
    for pair in others:
        assert outcome(pair) == (False, 2)
        assert failed_checks(pair) == ["found"]
    assert store.times("claim") == 1


def test_two_that_found_it_at_the_same_time(world: World, store: Store) -> None:
    """Each has looked it up and verified the binder before either claims it."""
    config = shared(world, store, ASK)
    session = received(connect(world, store, config))[0]
    pairs = [connect(world, store, config, session) for _ in range(2)]
    issued = store.sessions[session.ticket]
    questions = [pair.server.pending for pair in pairs]
    assert [isinstance(question, ClaimSession) and question.session for question in questions] == [issued] * 2
    pairs[0].send("server", SessionClaimed())
    pairs[1].send("server", SessionNotClaimed())
    assert [outcome(pair) for pair in pairs] == [(True, 1), (False, 2)]
    assert failed_checks(pairs[1]) == ["single use"]
    assert [check.name for check in checks(pairs[0])][-2:] == ["binder", "single use"]


def test_who_only_saw_a_ticket_claims_nothing(world: World, store: Store) -> None:
    config = shared(world, store)
    session = received(connect(world, store, config))[0]
    HostileClient(config, sessions=(evolve(session, secret=bytes(32)),)).begin().assert_refused(
        Reason.BAD_BINDER
    )
    assert store.times("claim") == 0
    assert outcome(connect(world, store, config, session)) == (True, 1)


def test_what_fails_another_check_is_not_claimed(world: World, store: Store) -> None:
    config = shared(world, store)
    session = received(connect(world, store, config))[0]
    assert not resumed(connect(world, store, evolve(config, session_id_context=b"another"), session))
    assert store.times("claim") == 0


def test_a_retry_claims_once(world: World, store: Store) -> None:
    config = shared(world, store)
    session = received(connect(world, store, config))[0]
    config = evolve(config, groups=(NamedGroup.SECP256R1,))
    pair = world.connect(config, session, client=world.client(key_shares=(NamedGroup.X25519,)))
    assert outcome(pair) == (True, 1)
    assert store.times("claim") == 1


def test_the_search_goes_on_where_a_session_was_not_claimed(world: World, store: Store) -> None:
    """And with the negotiation as it was: what the lost session would have changed has not happened."""
    config = shared(world, store, ASK)
    sessions = received(connect(world, store, config))
    pair = connect(world, store, config, sessions)
    pair.send("server", SessionNotClaimed())
    assert isinstance(pair.server.pending, ClaimSession)
    pair.send("server", SessionClaimed())
    assert outcome(pair) == (True, 1)
    assert record(pair).winner == 1


def test_a_lost_session_does_not_choose_the_suite(world: World, store: Store) -> None:
    suites = (CipherSuite.AES_128_GCM_SHA256, CipherSuite.AES_256_GCM_SHA384)
    config = shared(world, store, ASK, cipher_suites=suites)
    session = received(connect(world, store, evolve(config, cipher_suites=suites[1:])))[0]
    for answer, suite in ((SessionClaimed(), suites[1]), (SessionNotClaimed(), suites[0])):
        pair = world.connect(config, session, client=world.client(cipher_suites=suites))
        pair.send("server", answer)
        assert resumed(pair) == isinstance(answer, SessionClaimed)
        assert pair.server.cipher_suite == suite


def test_a_cache_has_to_agree(world: World, store: Store) -> None:
    """A store that brings back what it gave away, after a restart for example, is not believed by this process."""
    config = shared(world, store, lambda question: SessionClaimed(), session_cache=SessionCache())
    session = received(connect(world, store, config))[0]
    assert outcome(connect(world, store, config, session)) == (True, 1)
    replay = connect(world, store, config, session)
    assert outcome(replay) == (False, 2)
    assert failed_checks(replay) == ["single use"]


def test_a_cache_of_another_process_is_not_believed(world: World, store: Store) -> None:
    """It still has the session; the store does not."""
    one, other = (shared(world, store, session_cache=SessionCache()) for _ in range(2))
    session = received(connect(world, store, one))[0]
    assert outcome(connect(world, store, other, session)) == (True, 1)
    assert in_cache(one, session)
    assert outcome(connect(world, store, one, session)) == (False, 2)


def test_a_claim_is_no_removal_for_the_store(world: World, store: Store) -> None:
    """Whoever answered took it out already."""
    cache = store.cache(CacheMode.SERVER | CacheMode.NO_INTERNAL, get=False)
    config = shared(world, store, session_cache=cache)
    session = received(connect(world, store, config))[0]
    pair = connect(world, store, config, session)
    assert outcome(pair) == (True, 1)
    assert (store.times("claim"), store.times("remove")) == (1, 0)
    by_truncation(pair)
    assert [what for what in store.log if what[0] == "remove"] == [("remove", received(pair)[0].ticket)]


def test_without_single_use_nobody_is_asked(world: World, store: Store) -> None:
    shares = shared(world, store)
    others = {question: one for question, one in shares.answers.items() if question is not ClaimSession}
    config = answering(evolve(shares, single_use_tickets=False, answers=others), shares.answers)
    session = received(connect(world, store, config))[0]
    assert [outcome(connect(world, store, config, session)) for _ in range(2)] == [(True, 1)] * 2
    assert store.times("claim") == 0


def test_it_needs_something_to_remember_with(world: World) -> None:
    claimed = world.server(
        ticket_keys=None, answers={LookUpSession: ASK, ClaimSession: ASK}, single_use_tickets=True
    )
    assert claimed.tickets == StoredTickets(None)
    for changes in (
        {"single_use_tickets": True, "answers": {ClaimSession: ASK}},
        {"single_use_tickets": True},
        {"single_use_tickets": True, "session_cache": SessionCache()},
        {"single_use_tickets": True, "ticket_keys": None},
        {"single_use_tickets": True, "ticket_keys": None, "answers": {LookUpSession: ASK}},
    ):
        with pytest.raises(ConfigError, match="single_use_tickets"):
            world.server(**changes)


@CAN_FORK
@MAY_HAVE_THREADS
def test_a_session_for_single_use_is_used_by_one_of_two_processes(world: World) -> None:
    """The worker that cannot tell does a full handshake, and resumes what it has made itself."""
    config = world.stateful(session_cache=SessionCache(), single_use_tickets=True)
    session = world.session(config)

    def in_a_worker() -> tuple[bool, bool, bool, bool]:
        pair = world.connect(config, session)
        own = received(pair)[0]
        again = [resumed(world.connect(config, own)) for _ in range(2)]
        return resumed(pair), "cannot tell whether it was used" in str(record(pair)), *again

    assert forked(in_a_worker) == (False, True, True, False)
    assert [resumed(world.connect(config, session)) for _ in range(2)] == [True, False]
