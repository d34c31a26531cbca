"""The same ClientHello once more, at any server and at any time: its early data is delivered once, or not at all."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest
from attrs import evolve

from sansticket.codes import NamedGroup
from sansticket.commands import EarlyDataClaimed, EarlyDataNotClaimed, RefuseEarlyData, SendEarlyData
from sansticket.config.choices import ASK
from sansticket.connection.client import ClientConnection
from sansticket.connection.server import ServerConnection
from sansticket.events import (
    AdmitEarlyData,
    ClaimEarlyData,
    ClaimSession,
    Event,
    HandshakeCompleted,
    TicketReceived,
)
from sansticket.tickets.early_data import EarlyDataReason, EarlyDataStatus
from sansticket.tickets.stores.cache import SessionCache
from sansticket.tickets.stores.replay import ReplayRecorder
from sansticket.wire.extensions.resumption import PreSharedKeyOffer
from tests.early_data.test_sending import hello_in
from tests.support.early_data import EarlyClient, World, early_data_of, recorder


@pytest.fixture
def world() -> World:
    return World()


def served(config: Any, flight: bytes) -> tuple[ServerConnection, list[Event]]:
    server = ServerConnection(config)
    return server, server.receive_data(flight)


def test_a_replay_goes_on_without_early_data(world: World) -> None:
    """As a handshake that takes one round trip, which nobody but the client can complete."""
    config, flight = world.server_config(), world.first_flight()
    first, events = served(config, flight)
    assert early_data_of(events) == b"early"
    second, events = served(config, flight)
    assert events == []
    assert second.early_data is EarlyDataStatus.REJECTED
    assert second.early_data_reason is EarlyDataReason.NOT_CLAIMED
    assert second.data_to_send()
    assert first.early_data is EarlyDataStatus.ACCEPTED


def test_a_new_hello_with_the_same_ticket_is_no_replay(world: World) -> None:
    """What is remembered is a ClientHello, not a ticket: for that there are tickets for single use."""
    config, session = world.server_config(), world.session()
    for _ in range(3):
        assert early_data_of(served(config, world.first_flight(b"early", session))[1]) == b"early"


def test_single_use(world: World) -> None:
    """The ticket is used up, by whatever hello; that is the protection."""
    config = world.server_config(
        ticket_keys=None, session_cache=SessionCache(10), single_use_tickets=True, replay=None
    )
    session = world.session(config)
    flight = world.first_flight(b"early", session)
    assert early_data_of(served(config, flight)[1]) == b"early"
    for again in (flight, world.first_flight(b"early", session)):
        server, events = served(config, again)
        assert early_data_of(events) == b""
        assert server.early_data_reason is EarlyDataReason.NOT_RESUMED


def test_single_use_and_a_recorder(world: World) -> None:
    replay = recorder()
    config = world.server_config(
        ticket_keys=None, session_cache=SessionCache(10), single_use_tickets=True, replay=replay
    )
    assert early_data_of(served(config, world.first_flight(b"early", world.session(config)))[1]) == b"early"
    assert len(replay) == 1


def test_the_session_is_claimed_after_the_binder(world: World) -> None:
    asked: list[object] = []

    def claim(question: object) -> Any:
        asked.append(question)
        raise AssertionError

    config = world.server_config(
        ticket_keys=None,
        session_cache=SessionCache(10),
        single_use_tickets=True,
        replay=None,
        answers={ClaimSession: claim},
    )
    session = evolve(world.session(evolve(config, answers={})), secret=bytes(32))
    server, _ = served(config, world.first_flight(b"early", session))
    assert server.state == "Ended"
    assert asked == []


# --- consume last ------------------------------------------------------------------------------------------------


def _wrong_binder(world: World, config: Any) -> None:
    session = world.session()
    EarlyClient(config, session, binders=lambda made: [bytes(len(one)) for one in made]).say_hello()


def _other(**changes: Any) -> Callable[[World, Any], None]:
    def play(world: World, config: Any) -> None:
        served(evolve(config, **changes), world.first_flight())

    return play


@pytest.mark.parametrize(
    "play",
    [
        _wrong_binder,
        _other(alpn_protocols=()),
        _other(max_early_data=1),
        _other(early_data_window=(0, 0), clock=lambda: World().now + 5),
        _other(session_id_context=b"another"),
        _other(groups=(NamedGroup.SECP256R1,)),
        _other(answers={AdmitEarlyData: lambda _: RefuseEarlyData()}),
    ],
)
def test_nothing_is_used_up_by_what_is_refused(world: World, play: Callable[[World, Any], None]) -> None:
    """Otherwise whoever listens could burn tickets, and fill the recorder."""
    replay = recorder()
    config = world.server_config(replay=replay)
    play(world, config)
    assert len(replay) == 0
    assert early_data_of(served(config, world.first_flight())[1]) == b"early"
    assert len(replay) == 1


def test_a_retry_uses_nothing_up(world: World) -> None:
    """A ticket for single use is still good for the second hello."""
    config = world.server_config(
        ticket_keys=None,
        session_cache=SessionCache(10),
        single_use_tickets=True,
        replay=None,
        groups=(NamedGroup.SECP256R1,),
    )
    session = world.session(config)
    pair = world.pair(session, server=config, early=b"early")
    pair.pump()
    assert pair.event("server", HandshakeCompleted).resumed


# --- the key -----------------------------------------------------------------------------------------------------


def keys_of(world: World, flight: bytes) -> list[bytes]:
    asked: list[bytes] = []

    def claim(question: ClaimEarlyData) -> EarlyDataNotClaimed:
        asked.append(question.key)
        return EarlyDataNotClaimed()

    served(world.server_config(answers={ClaimEarlyData: claim}), flight)
    return asked


def test_the_key_is_of_the_identity_and_the_binder_that_were_verified(world: World) -> None:
    flight = world.first_flight()
    offer = hello_in(flight).find(PreSharedKeyOffer)
    assert offer is not None
    identity = sha256(offer.identities[0].identity).digest()
    assert keys_of(world, flight) == [sha256(identity + offer.binders[0]).digest()]


def test_what_nobody_verifies_makes_no_other_key(world: World) -> None:
    """Another identity behind the first, whose binder is not looked at, would be another hello each time."""
    first, second = world.sessions()
    config = world.server_config()

    def client(binders: Callable[[Any], Any]) -> EarlyClient:
        made = EarlyClient(config, first, binders=binders)
        made.sessions = (first, second)
        return made.begin_early()

    honest = client(tuple)
    assert honest.victim.early_data is EarlyDataStatus.ACCEPTED
    replayed = client(lambda made: (made[0], bytes(len(made[1]))))
    assert replayed.victim.early_data_reason is EarlyDataReason.NOT_CLAIMED


# --- forks, copies and pickles -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "protection",
    [
        lambda: {"replay": recorder()},
        lambda: {
            "ticket_keys": None,
            "session_cache": SessionCache(10),
            "single_use_tickets": True,
            "replay": None,
        },
    ],
    ids=["recorder", "single use"],
)
def test_of_all_forks_one_delivers_it(world: World, protection: Callable[[], dict[str, Any]]) -> None:
    """The claim is outside the connection."""
    config = world.server_config(**protection())
    server = ServerConnection(config)
    flight = world.first_flight(b"early", world.session(config))
    twins = [server.fork(), server.fork(), server, copy.copy(server)]
    delivered = [early_data_of(twin.receive_data(flight)) for twin in twins[:3]]
    assert sorted(delivered) == [b"", b"", b"early"]


def clock() -> float:
    return World().now


def test_a_connection_that_was_pickled_accepts_none(world: World) -> None:
    """Its recorder is nobody's any more; the session goes on."""
    server = ServerConnection(world.server_config(clock=clock))
    flight = world.first_flight()
    moved = pickle.loads(pickle.dumps(server))
    assert moved.receive_data(flight) == []
    assert moved.early_data_reason is EarlyDataReason.NOT_CLAIMED


def test_a_pickle_amid_early_data(world: World) -> None:
    session = world.session()
    client = world.client_config(clock=clock)
    pair = world.pair(session, server=world.server_config(clock=clock), client=client, early=b"one ")
    moved_client = pickle.loads(pickle.dumps(pair.client))
    assert isinstance(moved_client, ClientConnection)
    assert moved_client.early_data_left == 996
    moved_client.send(SendEarlyData(b"two"))
    events = pair.server.receive_data(moved_client.data_to_send())
    moved = pickle.loads(pickle.dumps(pair.server))
    assert moved.early_data is EarlyDataStatus.ACCEPTED
    assert moved.early_data_left == 1000 - 7
    moved_client.receive_data(moved.data_to_send())
    events += moved.receive_data(moved_client.data_to_send())
    assert early_data_of(events) == b"one two"
    assert any(isinstance(event, HandshakeCompleted) for event in events)
    assert moved.export_early_keying_material("x", b"", 8) == moved_client.export_early_keying_material(
        "x", b"", 8
    )


# --- restarts, and servers beside each other ---------------------------------------------------------------------


def test_a_recorder_accepts_nothing_before_its_window_is_over(world: World) -> None:
    config = world.server_config(replay=ReplayRecorder())
    session = world.session()
    for wait, expected in ((0, b""), (19, b""), (1.5, b"early")):
        world.now += wait
        server, events = served(config, world.first_flight(b"early", session))
        assert early_data_of(events) == expected
        assert server.state != "Ended"


def test_a_restart_is_no_second_chance(world: World) -> None:
    flight = world.first_flight()
    assert early_data_of(served(world.server_config(), flight)[1]) == b"early"
    restarted = world.server_config(replay=ReplayRecorder(since=world.now))
    for wait in (0, 5, 5, 9.9, 0.2, 100):
        world.now += wait
        assert early_data_of(served(restarted, flight)[1]) == b""


def test_separate_recorders_deliver_once_each(world: World) -> None:
    """What docs/early-data.md says: servers with the same ticket keys, each with its own memory."""
    flight = world.first_flight()
    configs = [world.server_config() for _ in range(3)]
    delivered = [early_data_of(served(config, flight)[1]) for config in configs * 2]
    assert delivered == [b"early"] * 3 + [b""] * 3


def test_a_recorder_that_is_shared(world: World) -> None:
    """Over a question, with an operation that gives a key to the first of all who ask."""
    taken: dict[bytes, float] = {}

    def claim(question: ClaimEarlyData) -> EarlyDataClaimed | EarlyDataNotClaimed:
        first = taken.setdefault(question.key, question.until) is question.until
        return EarlyDataClaimed() if first else EarlyDataNotClaimed()

    flight = world.first_flight()
    configs = [world.server_config(answers={ClaimEarlyData: claim}, replay=None) for _ in range(3)]
    delivered = [early_data_of(served(config, flight)[1]) for config in configs * 2]
    assert delivered == [b"early"] + [b""] * 5


def test_a_full_recorder_refuses(world: World) -> None:
    config = world.server_config(replay=ReplayRecorder(max_hellos=1, since=float("-inf")))
    assert early_data_of(served(config, world.first_flight())[1]) == b"early"
    server, _ = served(config, world.first_flight())
    assert server.early_data_reason is EarlyDataReason.NOT_CLAIMED


def test_nobody_answers(world: World) -> None:
    """Whoever waits decides for how long; until then it is held within bounds, and 1-RTT is what comes of it."""
    server, events = served(world.server_config(answers={ClaimEarlyData: ASK}), world.first_flight())
    assert [type(event) for event in events] == [ClaimEarlyData]
    assert server.receive_data(bytes(1000)) == []
    fork = server.fork()
    events = fork.send(EarlyDataNotClaimed("no answer in time"))
    assert early_data_of(events) == b""
    (end,) = server.receive_data(bytes(300_000))
    assert getattr(end, "reason", None) is not None


def test_the_same_hello_over_and_over_is_bounded(world: World) -> None:
    """A thousand replays cost a place in the recorder."""
    replay = recorder()
    config, flight = world.server_config(replay=replay), world.first_flight()
    delivered = [early_data_of(served(config, flight)[1]) for _ in range(100)]
    assert delivered.count(b"early") == 1
    assert len(replay) == 1


def test_the_client_cannot_tell_a_replay_from_a_refusal(world: World) -> None:
    """And the session of a replayed hello makes no tickets before its Finished."""
    config, flight = world.server_config(), world.first_flight()
    served(config, flight)
    server, events = served(config, flight)
    assert not any(isinstance(event, TicketReceived) for event in events)
    assert server.version is None
