"""TLS 1.2 sessions that the server keeps: its cache with every mode and hook, and a store somewhere else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from attrs import define, evolve, field

from sansticket.codes import AlertDescription, ProtocolVersion
from sansticket.commands import (
    AbortHandshake,
    Close,
    Command,
    ProvideSession,
    ResolveTicket,
    SendData,
)
from sansticket.config.choices import ASK, ClientAuthentication
from sansticket.config.server import ServerConfig
from sansticket.errors import LocalProtocolError, Reason
from sansticket.events import (
    DecideTicket,
    HandshakeCompleted,
    LookUpSession,
    PrepareTicket,
    TicketIssued,
)
from sansticket.tickets.decision import TicketReturn, TicketStatus
from sansticket.tickets.records import Check
from sansticket.tickets.session import Session
from sansticket.tickets.stores.cache import CacheMode, SessionCache
from sansticket.wire.extensions.tls12 import SessionTicketExtension
from sansticket.wire.messages.hello import ClientHello, ServerHello
from tests.support.configs import answering
from tests.support.credentials import anchors, client_credential
from tests.support.hostile12 import HostileClient12, changed, session_of12
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

SERVER = CacheMode.SERVER
MODES = {
    "off": CacheMode.OFF,
    "client": CacheMode.CLIENT,
    "server": SERVER,
    "no internal": SERVER | CacheMode.NO_INTERNAL,
    "no internal lookup": SERVER | CacheMode.NO_INTERNAL_LOOKUP,
    "no internal store": SERVER | CacheMode.NO_INTERNAL_STORE,
}


@define
class Outside:
    """A store behind the hooks of a cache, and what it was told."""

    sessions: dict[bytes, Session] = field(factory=dict)
    new: int = 0
    looked_up: int = 0
    removed: int = 0

    def on_new(self, session: Session) -> None:
        self.new += 1
        self.sessions[session.session_id] = session

    def on_get(self, session_id: bytes) -> Session | None:
        self.looked_up += 1
        return self.sessions.get(session_id)

    def on_remove(self, session: Session) -> None:
        self.removed += 1
        self.sessions.pop(session.session_id, None)

    def cache(self, mode: CacheMode = SERVER, *, get: bool = True, **options: Any) -> SessionCache:
        return SessionCache(
            mode=mode,
            on_new=self.on_new,
            on_remove=self.on_remove,
            on_get=self.on_get if get else None,
            **options,
        )


def connect(world: World12, config: ServerConfig, session: Session | None = None) -> ConnectionPair:
    """A connection that is closed by both sides, so that its session stays good."""
    pair = world.connect(config, session)
    pair.send("client", Close())
    pair.send("server", Close())
    return pair


def id_of(pair: ConnectionPair) -> bytes:
    """The session id of the ServerHello."""
    (hello,) = (message for message in in_clear(pair) if isinstance(message, ServerHello))
    return hello.session_id


def asked_for(pair: ConnectionPair) -> bytes:
    """That of the ClientHello."""
    (hello,) = (message for message in in_clear(pair) if isinstance(message, ClientHello))
    return hello.session_id


# --- the cache ---------------------------------------------------------------------------------------------------


def test_a_session_is_kept_and_resumed(world: World12) -> None:
    config = world.by_id()
    pair = connect(world, config)
    assert not resumed(pair)
    (issued,), (session,) = pair.events("server", TicketIssued), received(pair)
    assert issued.session.session_id == session.session_id == id_of(pair)
    assert len(session.session_id) == 32
    assert session.ticket == b""
    assert pair.server_events.index(issued) > pair.server_events.index(
        pair.event("server", HandshakeCompleted)
    )
    for _ in range(3):
        pair = connect(world, config, session)
        assert outcome(pair) == (True, 0)
        assert asked_for(pair) == id_of(pair) == session.session_id
        assert pair.events("server", TicketIssued) == []
        assert str(record(pair)).startswith("resumed identity 0, 0 tickets to follow")
    assert not resumed(connect(world, config))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("get", [True, False], ids=["get hook", "no get hook"])
def test_modes(world: World12, mode: str, get: bool) -> None:
    """SEMANTICS, the external cache: who is told, who is asked, and whether there is a session id at all."""
    outside = Outside()
    config = world.by_id(session_cache=outside.cache(MODES[mode], get=get))
    first = connect(world, config)
    keeps = SERVER in MODES[mode]
    assert (outside.new, len(id_of(first))) == ((1, 32) if keeps else (0, 0))
    if not keeps:
        assert received(first) == []
        return
    second = connect(world, config, received(first)[0])
    internal = mode == "server"
    stored = mode in ("server", "no internal lookup")
    assert resumed(second) == (get or internal)
    assert outside.looked_up == (get and not internal)
    cache = config.session_cache
    assert cache is not None
    assert (len(cache) > 0) == stored
    assert outside.removed == 0


def test_a_cache_that_is_off_still_looks_up(world: World12) -> None:
    outside = Outside()
    session = received(connect(world, world.by_id(session_cache=outside.cache())))[0]
    config = world.by_id(session_cache=outside.cache(CacheMode.OFF))
    assert resumed(connect(world, config, session))
    assert outside.looked_up == 1


def test_the_hook_for_new_sessions_says_no(world: World12) -> None:
    """A.14.  The client has an id all the same, and gets a full handshake for it."""
    config = world.by_id(session_cache=SessionCache(on_new=lambda _: False))
    (session,) = received(connect(world, config))
    assert not resumed(connect(world, config, session))


def test_an_unknown_id(world: World12) -> None:
    outside = Outside()
    config = world.by_id(session_cache=outside.cache())
    session = evolve(received(connect(world, config))[0], session_id=bytes(32))
    pair = connect(world, config, session)
    assert not resumed(pair)
    assert outside.looked_up == 1
    assert failed_checks(pair) == ["found"]
    assert id_of(pair) not in (b"", bytes(32))


def test_an_expired_session_is_removed(world: World12) -> None:
    outside = Outside()
    config = world.by_id(session_cache=outside.cache(get=False))
    (session,) = received(connect(world, config))
    world.clock.forward(7200)
    pair = connect(world, config, evolve(session, issued_at=world.clock()))
    assert not resumed(pair)
    assert outside.removed == 1


def test_another_context(world: World12) -> None:
    """A full handshake, and the session stays for those who may use it."""
    outside = Outside()
    config = world.by_id(session_cache=outside.cache())
    (session,) = received(connect(world, config))
    pair = connect(world, evolve(config, session_id_context=b"another"), session)
    assert not resumed(pair)
    assert failed_checks(pair) == ["context"]
    assert outside.removed == 0
    assert resumed(connect(world, config, session))


def test_the_policy_for_certificates_is_the_context(world: World12) -> None:
    """A.9."""
    config = world.by_id()
    (session,) = received(connect(world, config))
    required = evolve(config, client_authentication=ClientAuthentication.REQUIRED, trust_anchors=anchors())
    client = world.client(credentials=[client_credential()])
    pair = world.connect(required, made_by(client, session), client=client)
    assert failed_checks(pair) == ["context", "client certificate"]


def test_a_session_of_tls13_is_none_of_tls12(world: World12) -> None:
    """Both kinds live in one cache, with ids that look alike."""
    cache = SessionCache()
    tls13 = {"versions": (ProtocolVersion.TLS_1_3,)}
    other = world.session(world.stateful(session_cache=cache, **tls13), client=world.client(**tls13))
    config = world.by_id(session_cache=cache)
    session = evolve(world.session(config), session_id=other.ticket)
    pair = world.connect(config, session)
    assert not resumed(pair)
    assert failed_checks(pair) == ["version"]


def test_renewal_is_nothing_that_ids_have(world: World12) -> None:
    """The session in the cache keeps its time."""
    config = world.by_id()
    (session,) = received(connect(world, config))
    for expected in (True, True, True, False):
        world.clock.forward(2399)
        assert resumed(connect(world, config, evolve(session, issued_at=world.clock()))) == expected
        world.clock.forward(1)


# --- the end of a connection -------------------------------------------------------------------------------------


@pytest.mark.parametrize("again", [False, True], ids=["full", "resumed"])
def test_a_cut_stream_takes_the_session_with_it(world: World12, again: bool) -> None:
    outside = Outside()
    config = world.by_id(session_cache=outside.cache(get=False))
    pair = connect(world, config) if again else world.connect(config)
    (session,) = received(pair)
    if again:
        pair = world.connect(config, session)
    pair.deliver("server", b"")
    assert outside.removed == 1
    assert not resumed(connect(world, config, session))


def test_a_fatal_alert_takes_the_session_with_it(world: World12) -> None:
    outside = Outside()
    config = world.by_id(session_cache=outside.cache())
    pair = world.connect(config)
    pair.deliver("server", b"\x17\x03\x03\0\x20" + bytes(32))
    assert ending(pair).reason is Reason.BAD_RECORD_MAC
    assert outside.removed == 1
    assert not resumed(connect(world, config, received(pair)[0]))


def test_who_only_knows_the_id_cannot_remove_the_session(world: World12) -> None:
    """The id is no secret: a failed attempt to resume proves nothing."""
    config = world.by_id()
    session = session_of12(config)
    client = HostileClient12(config, shows=session).begin()
    client.change_cipher_spec()
    client.send(22, bytes(16))
    assert client.over
    client = HostileClient12(config, {ClientHello: changed(cipher_suites=(0xC02C,))}, shows=session)
    assert client.say_hello().over
    assert HostileClient12(config, shows=session).complete().victim.resumed


def test_a_handshake_that_failed_left_nothing(world: World12) -> None:
    outside = Outside()
    config = world.by_id(session_cache=outside.cache())
    client = HostileClient12(config).begin().answer_flight().change_cipher_spec()
    client.send(22, bytes(16))
    assert client.over
    assert outside == Outside()


# --- beside tickets ----------------------------------------------------------------------------------------------


def ignore(question: DecideTicket) -> Command:
    return ResolveTicket(TicketReturn.IGNORE)


def test_ignoring_an_empty_ticket_falls_back_to_an_id(world: World12) -> None:
    """A.17."""
    config = world.server(session_cache=SessionCache(), answers={DecideTicket: ignore})
    pair = connect(world, config)
    assert tickets_on_the_wire(pair) == []
    (session,) = received(pair)
    assert (len(session.session_id), session.ticket) == (32, b"")
    pair = connect(world, config, session)
    assert outcome(pair) == (True, 0)
    identities = record(pair).identities
    assert [identity.status for identity in identities] == [TicketStatus.EMPTY, TicketStatus.SUCCESS]
    assert record(pair).winner == 1


def test_without_a_cache_there_is_nothing_to_fall_back_to(world: World12) -> None:
    pair = connect(world, world.server(answers={DecideTicket: ignore}))
    assert (received(pair), id_of(pair)) == ([], b"")


def test_a_client_without_tickets_on_a_server_with_them(world: World12) -> None:
    config = world.server(session_cache=SessionCache())
    client = world.client(tickets_in_tls12=False)
    (session,) = received(world.connect(config, client=client))
    assert session.session_id
    pair = world.connect(config, session, client=client)
    assert outcome(pair) == (True, 0)
    assert all(m.find(SessionTicketExtension) is None for m in in_clear(pair) if isinstance(m, ClientHello))


def test_an_id_becomes_a_ticket(world: World12) -> None:
    """A client comes with an id and takes tickets: it goes on, and is given one, which holds the same session."""
    config = world.server(session_cache=SessionCache())
    (session,) = received(world.connect(config, client=world.client(tickets_in_tls12=False)))
    pair = connect(world, config, session)
    assert outcome(pair) == (True, 1)
    (renewed,) = received(pair)
    assert renewed == evolve(session, ticket=renewed.ticket, session_id=b"")
    assert outcome(connect(world, config, renewed)) == (True, 0)


def test_nobody_prepares_a_session_without_a_ticket(world: World12) -> None:
    def never(question: PrepareTicket) -> Command:
        raise AssertionError(question)

    config = answering(world.by_id(), {PrepareTicket: never})
    assert resumed(connect(world, config, received(connect(world, config))[0]))


# --- a store that is elsewhere -----------------------------------------------------------------------------------


def elsewhere(world: World12, answer: Callable[[LookUpSession], Command] | Any = ASK) -> ServerConfig:
    return world.server(ticket_keys=None, answers={LookUpSession: answer})


def test_an_external_store(world: World12) -> None:
    """It hears of sessions by TicketIssued and is asked for them by LookUpSession."""
    config = elsewhere(world)
    pair = connect(world, config)
    (issued,), (session,) = pair.events("server", TicketIssued), received(pair)
    pair = world.connect(config, session)
    assert pair.server.pending == LookUpSession(session.session_id, 0x0303)
    pair.send("server", ProvideSession(issued.session))
    assert resumed(pair)

    pair = world.connect(config, session)
    with pytest.raises(LocalProtocolError, match="has a session with id"):
        pair.send("server", ProvideSession(evolve(issued.session, session_id=b"another")))
    pair.send("server", ProvideSession(None))
    assert not resumed(pair)
    pair.send("client", SendData(b"good"))
    assert pair.data("server") == b"good"


def test_the_store_is_not_asked_about_nothing(world: World12) -> None:
    pair = world.connect(elsewhere(world))
    assert pair.server.pending is None
    assert not resumed(pair)


def test_the_store_aborts(world: World12) -> None:
    config = elsewhere(world)
    (session,) = received(connect(world, config))
    pair = world.connect(config, session)
    pair.send("server", AbortHandshake(AlertDescription.ACCESS_DENIED))
    assert ending(pair).reason is Reason.ABORTED_BY_APPLICATION


@pytest.mark.parametrize(
    ("change", "failed"),
    [
        ({"lifetime": 0}, "expiry"),
        ({"cipher_suite": 0x1301}, "version"),
        ({"cipher_suite": 0xC013}, "version"),
        ({"version": ProtocolVersion.TLS_1_3}, "version"),
    ],
)
def test_the_store_gives_what_cannot_be_used(world: World12, change: dict[str, int], failed: str) -> None:
    config = elsewhere(world)
    pair = connect(world, config)
    (issued,), (session,) = pair.events("server", TicketIssued), received(pair)
    pair = world.connect(config, session)
    pair.send("server", ProvideSession(evolve(issued.session, **change)))
    assert not resumed(pair)
    assert failed_checks(pair) == [failed]


def test_the_cache_refuses_what_the_store_gave(world: World12) -> None:
    """While the store was asked somebody used the session up, which says more than that there is none."""
    config = evolve(elsewhere(world), session_cache=SessionCache())
    pair = connect(world, config)
    (issued,), (session,) = pair.events("server", TicketIssued), received(pair)
    cache = config.session_cache
    assert cache is not None
    cache.clear()
    pair = world.connect(config, session)
    assert cache.claim(issued.session, world.clock())
    pair.send("server", ProvideSession(issued.session))
    assert not resumed(pair)
    (identity,) = record(pair).identities
    assert (identity.status, identity.ticket_return) == (TicketStatus.NO_DECRYPT, None)
    assert identity.checks == (Check("single use", False, "used before"),)


def test_what_was_used_up_is_not_looked_for(world: World12) -> None:
    config = elsewhere(world, lambda question: pytest.fail("asked"))
    config = evolve(config, session_cache=SessionCache())
    pair = connect(world, config)
    (issued,), (session,) = pair.events("server", TicketIssued), received(pair)
    cache = config.session_cache
    assert cache is not None
    assert cache.claim(issued.session, world.clock())
    assert failed_checks(world.connect(config, session)) == ["single use"]


def test_a_store_that_is_down_costs_a_full_handshake(world: World12) -> None:
    """By its function, by its hook, and in its own words."""

    def down(question: object) -> Command:
        raise ConnectionError("with a secret in it")

    function = elsewhere(world, down)
    hook = world.by_id(session_cache=SessionCache(on_get=down))
    (session,) = received(connect(world, elsewhere(world)))
    for config in (function, hook):
        pair = world.connect(config, session)
        assert not resumed(pair)
        assert checks(pair) == (Check("found", False, "the look-up failed: ConnectionError"),)
        assert "secret in it" not in str(record(pair))
    pair = world.connect(elsewhere(world), session)
    pair.send("server", ProvideSession(None, why="the store does not answer"))
    assert not resumed(pair)
    assert checks(pair) == (Check("found", False, "the store does not answer"),)


def test_the_cache_keeps_what_the_store_gave(world: World12) -> None:
    """And what has expired in the store is not kept."""
    config = evolve(elsewhere(world), session_cache=SessionCache())
    pair = connect(world, config)
    (issued,), (session,) = pair.events("server", TicketIssued), received(pair)
    cache = config.session_cache
    assert cache is not None
    cache.clear()
    pair = world.connect(config, session)
    pair.send("server", ProvideSession(issued.session))
    assert resumed(pair)
    assert session.session_id in cache
    cache.clear()
    pair = world.connect(config, session)
    pair.send("server", ProvideSession(evolve(issued.session, lifetime=0)))
    assert failed_checks(pair) == ["expiry"]
    assert session.session_id not in cache


def test_a_client_of_both_versions_shows_an_id_that_is_none(world: World12) -> None:
    """Its compatibility mode: the store is asked, and knows nothing."""
    asked: list[bytes] = []

    def look_up(question: LookUpSession) -> Command:
        asked.append(question.session_id)
        return ProvideSession(None)

    both = (ProtocolVersion.TLS_1_3, ProtocolVersion.TLS_1_2)
    pair = world.connect(elsewhere(world, look_up), client=world.client(versions=both))
    assert not resumed(pair)
    assert asked == [asked_for(pair)]
    assert len(asked[0]) == 32
