"""Every question and every event says whose it is: the facts of its connection, and what the application gave to it."""

from __future__ import annotations

import copy
import pickle
import threading
from collections.abc import Callable
from threading import Lock
from types import NoneType
from typing import Any, Final

import pytest
from attrs import evolve

from sansticket.codes import ProtocolVersion
from sansticket.commands import (
    Close,
    IssueTicket,
    RequestClientCertificate,
    ResolveTicket,
    SealTicket,
    SendData,
    UpdateKeys,
    UseConfig,
)
from sansticket.config.choices import ASK, ClientAuthentication
from sansticket.connection.server import ServerConnection
from sansticket.events import (
    ConnectionFacts,
    ConnectionTerminated,
    DataReceived,
    DecideTicket,
    EarlyDataRejected,
    Event,
    HandshakeCompleted,
    PeerAuthenticated,
    PeerClosed,
    PrepareTicket,
    Question,
    SelectConfig,
    Sign,
    TicketIssued,
    TicketReceived,
    VerifyPeer,
)
from sansticket.events.base import belongs_to
from tests.support.configs import client_config, server_config
from tests.support.credentials import anchors, client_credential, server_credential
from tests.support.pair import ConnectionPair
from tests.support.resumption import NAME, World, received
from tests.support.scenes import SCENES, TIME, Scene, perform

TLS_1_3: Final = ProtocolVersion.TLS_1_3
TLS_1_2: Final = ProtocolVersion.TLS_1_2


class User:
    """What an application might hang on a connection; two of them are never equal."""


class Slotted:
    """What cannot be pickled below protocol 2."""

    __slots__ = ("name",)


@pytest.fixture
def world() -> World:
    return World()


# --- what is said when -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_every_event_carries_the_application_and_what_is_known(scene: Scene) -> None:
    """After the handshake it is what the connection says of itself."""
    stage = scene.open()
    users = {"client": User(), "server": User()}
    stage.client.application, stage.server.application = users["client"], users["server"]
    parts = perform(stage, scene.talk)
    for side, part in parts.items():
        connection = part.connection
        assert part.events
        for event in part.events:
            facts = event.connection
            assert facts.application is users[side]
            if isinstance(event, EarlyDataRejected):
                continue  # so early that little is settled
            assert facts.version == connection.version
            assert facts.server_name == connection.server_name == NAME
            assert facts.alpn_protocol == connection.alpn_protocol
            assert facts.session == connection.session
        assert part.events[-1].connection.peer_certificates == connection.peer_certificates


@pytest.mark.parametrize("version", [TLS_1_3, TLS_1_2])
def test_what_a_server_knows_grows(world: World, version: int) -> None:
    """A full handshake with a client certificate, every question asked."""
    questions = (SelectConfig, Sign, VerifyPeer, PrepareTicket)
    server = world.server(
        versions=(version,),
        alpn_protocols=(b"h2",),
        client_authentication=ClientAuthentication.REQUIRED,
        trust_anchors=anchors(),
        answers=dict.fromkeys(questions, ASK),
    )
    client = world.client(
        versions=(version,), alpn_protocols=(b"http/1.1", b"h2"), credentials=[client_credential()]
    )
    pair = ConnectionPair(client, server)
    pair.server.application = user = User()
    known = answer_all(pair)
    at_hello, settled = (
        ConnectionFacts(server_name=NAME, application=user),
        ConnectionFacts(NAME, b"h2", version, application=user),
    )
    chain = client_credential().chain
    assert known[SelectConfig] == at_hello
    assert known[Sign] == settled
    assert known[VerifyPeer] == ConnectionFacts(NAME, b"h2", version, chain, None, user)
    done = evolve(known[VerifyPeer], established=True)
    assert known[PrepareTicket] == (done if version == TLS_1_3 else known[VerifyPeer])
    assert pair.event("server", HandshakeCompleted).connection == done


@pytest.mark.parametrize("version", [TLS_1_3, TLS_1_2])
def test_what_a_client_knows_grows(world: World, version: int) -> None:
    client = world.client(
        versions=(version,),
        alpn_protocols=(b"h2",),
        credentials=[client_credential()],
        answers=dict.fromkeys((VerifyPeer, Sign), ASK),
    )
    server = world.server(
        versions=(version,),
        alpn_protocols=(b"h2",),
        client_authentication=ClientAuthentication.REQUIRED,
        trust_anchors=anchors(),
    )
    pair = ConnectionPair(client, server)
    known = answer_all(pair)
    expected = ConnectionFacts(NAME, b"h2", version, server_credential().chain)
    assert known == {VerifyPeer: expected, Sign: expected}
    assert pair.event("client", HandshakeCompleted).connection == evolve(expected, established=True)


def answer_all(pair: ConnectionPair) -> dict[type[Question], ConnectionFacts]:
    """Go through a handshake with the defaults; what each kind of question knew when it was first asked."""
    known: dict[type[Question], ConnectionFacts] = {}
    pair.pump()
    while question := pair.client.pending or pair.server.pending:
        known.setdefault(type(question), question.connection)
        side, connection = ("client", pair.client) if pair.client.pending else ("server", pair.server)
        command = connection._engine.state.default_answer(TIME)  # type: ignore[attr-defined]
        pair.send(side, command)  # type: ignore[arg-type]
    return known


@pytest.mark.parametrize("version", [TLS_1_3, TLS_1_2])
def test_a_resumption_knows_its_session_when_it_is_decided(world: World, version: int) -> None:
    before: list[ConnectionFacts] = []
    after: list[ConnectionFacts] = []

    def decide(question: DecideTicket) -> Any:
        before.append(question.connection)
        return ResolveTicket(question.default_return)

    def prepare(question: PrepareTicket) -> Any:
        after.append(question.connection)
        return SealTicket()

    server = world.server(versions=(version,), answers={DecideTicket: decide, PrepareTicket: prepare})
    client = world.client(versions=(version,))
    session = received(world.connect(server, client=client))[0]
    before.clear()
    after.clear()
    pair = world.connect(server, session, client=client)
    assert before == [ConnectionFacts(NAME, None, version)]
    completed = pair.event("server", HandshakeCompleted)
    assert completed.connection.session == completed.session is not None
    assert [facts.session for facts in after] == [completed.session] * len(after)
    assert pair.event("client", HandshakeCompleted).connection.session == session


def test_a_new_identity_is_known_from_its_authentication_on(world: World) -> None:
    server = world.server(trust_anchors=anchors())
    client = world.client(post_handshake_auth=True, credentials=[client_credential()])
    pair = world.connect(server, client=client)
    assert pair.event("server", HandshakeCompleted).connection.peer_certificates == ()
    pair.send("server", RequestClientCertificate())
    assert pair.event("server", PeerAuthenticated).connection.peer_certificates == client_credential().chain
    pair.send("client", SendData(b"mine"))
    assert pair.event("server", DataReceived).connection.peer_certificates == client_credential().chain


def test_a_failure_says_what_was_known_when_it_came(world: World) -> None:
    pair = ConnectionPair(world.client(alpn_protocols=(b"h2",)), world.server(alpn_protocols=(b"other",)))
    pair.server.application = pair.client.application = user = User()
    pair.pump()
    ended = pair.event("client", ConnectionTerminated)
    assert ended.connection == ConnectionFacts(server_name=NAME, application=user)
    assert pair.event("server", ConnectionTerminated).connection.application is user


# --- the application ---------------------------------------------------------------------------------------------


def test_it_is_given_at_the_beginning_or_set_later(world: World) -> None:
    first, second = User(), User()
    connection = ServerConnection(server_config(), application=first)
    assert connection.application is first
    connection.application = second
    (ended,) = connection.send(Close())
    assert ended.connection.application is second
    assert ServerConnection(server_config()).application is None


def test_what_is_set_between_two_events_is_in_the_second(world: World) -> None:
    pair = world.connect(world.server())
    pair.client.application = user = User()
    pair.send("server", SendData(b"one"))
    pair.client.application = None
    pair.send("server", SendData(b"two"))
    one, two = pair.events("client", DataReceived)
    assert (one.connection.application, two.connection.application) == (user, None)


def test_the_selected_config_leaves_it_as_it_is(world: World) -> None:
    user = User()
    asked: list[ConnectionFacts] = []

    def select(question: SelectConfig) -> UseConfig:
        asked.append(question.connection)
        return UseConfig(other)

    other = world.server()
    pair = ConnectionPair(world.client(), world.server(answers={SelectConfig: select}))
    pair.server.application = user
    pair.pump()
    assert asked == [ConnectionFacts(server_name=NAME, application=user)]
    assert pair.event("server", HandshakeCompleted).connection.application is user


def test_it_counts_neither_for_equality_nor_for_patterns(world: World) -> None:
    pair = world.connect(world.server())
    pair.client.application = User()
    pair.send("server", SendData(b"data"))
    event = pair.event("client", DataReceived)
    assert event == DataReceived(b"data")
    match event:
        case DataReceived(data):
            assert data == b"data"
        case _:
            pytest.fail("an event is taken apart by its own fields")
    assert "User" not in repr(event)
    assert DataReceived(b"data").connection == ConnectionFacts()


def test_all_kinds_of_events_have_it(world: World) -> None:
    pair = world.connect(world.server())
    pair.client.application = pair.server.application = user = User()
    events: list[Event] = []
    for command in (IssueTicket(), UpdateKeys(request_peer=True), SendData(b"x"), Close()):
        events += pair.send("server", command)
    pair.send("client", Close())
    events += [
        *pair.events("client", DataReceived),
        *pair.events("client", PeerClosed),
        *pair.events("server", PeerClosed),
        pair.events("client", TicketReceived)[-1],
        pair.events("server", TicketIssued)[-1],
    ]
    assert all(event.connection.application is user for event in events)


# --- copies ------------------------------------------------------------------------------------------------------


@pytest.fixture
def asked() -> ConnectionPair:
    """A server with an open question about its client."""
    pair = ConnectionPair(client_config(), server_config(answers={SelectConfig: ASK}))
    pair.carry("client")
    assert pair.server.pending is not None
    return pair


@pytest.mark.parametrize("make", [lambda one: one.fork(), copy.copy, copy.deepcopy])
def test_forks_and_copies_share_it(
    asked: ConnectionPair, make: Callable[[ServerConnection], ServerConnection]
) -> None:
    asked.server.application = user = User()
    assert make(asked.server).application is user


def test_a_fork_goes_its_own_way(asked: ConnectionPair) -> None:
    first, second = User(), User()
    asked.server.application = first
    fork = asked.server.fork()
    fork.application = second
    (ended,), (other,) = asked.server.send(Close()), fork.send(Close())
    assert (ended.connection.application, other.connection.application) == (first, second)
    assert ended.connection.server_name == other.connection.server_name == NAME


def test_a_pickle_takes_what_can_be_pickled(asked: ConnectionPair) -> None:
    pair = ConnectionPair(client_config(), server_config(answers={SelectConfig: ASK}))
    pair.server.application = {"user": "alice"}
    pair.carry("client")
    loaded = pickle.loads(pickle.dumps(pair.server))
    assert loaded.application == {"user": "alice"}
    assert loaded.pending.connection == ConnectionFacts(server_name=NAME, application={"user": "alice"})


def test_a_pickle_leaves_behind_what_cannot(world: World) -> None:
    """A lock stands for a socket, a task, a request."""
    lock = threading.Lock()
    pair = ConnectionPair(client_config(), server_config(answers={SelectConfig: ASK}))
    pair.server.application = lock
    pair.carry("client")
    assert pair.server.pending is not None
    assert pair.server.pending.connection.application is lock
    loaded = pickle.loads(pickle.dumps(pair.server))
    assert loaded.application is None
    assert loaded.pending.connection == ConnectionFacts(server_name=NAME)
    loaded.application = lock
    pair.server = loaded
    pair.send("server", UseConfig(server_config()))
    assert pair.event("server", HandshakeCompleted).connection.application is lock


@pytest.mark.parametrize("of_the_application", [False, True])
def test_a_pickle_takes_an_application_that_has_the_connection(of_the_application: bool) -> None:
    """The usual case, a request that knows its connection: neither is lost, whichever is pickled."""
    pair = ConnectionPair(client_config(), server_config(answers={SelectConfig: ASK}))
    pair.server.application = user = {"connection": pair.server}
    pair.carry("client")
    loaded = pickle.loads(pickle.dumps(user if of_the_application else pair.server))
    server = loaded["connection"] if of_the_application else loaded
    assert server.application == {"connection": server}
    assert server.pending.connection.application is server.application
    assert pair.server.state == "Ended"
    pair.server = server
    pair.send("server", UseConfig(server_config()))
    assert pair.event("server", HandshakeCompleted).connection.application is server.application


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_an_application_with_slots(protocol: int) -> None:
    """Below protocol 2 it cannot be pickled; the connection goes without it, and is not lost."""
    pair = ConnectionPair(client_config(), server_config())
    pair.server.application = Slotted()
    loaded = pickle.loads(pickle.dumps(pair.server, protocol))
    assert isinstance(loaded.application, Slotted if protocol >= 2 else NoneType)
    assert loaded.state == "WaitClientHello"


@pytest.mark.parametrize("application", [Lock(), object(), None])
def test_events_can_be_copied_and_pickled_whatever_the_application_is(
    asked: ConnectionPair, application: Any
) -> None:
    """A question can go to another process; what only makes sense in this one stays."""
    question = asked.server.pending
    assert question is not None
    belongs_to(question, evolve(question.connection, application=application, server_name=NAME))
    loaded = pickle.loads(pickle.dumps(question))
    assert loaded == question
    assert loaded.connection == evolve(question.connection, application=None)
    for duplicate in (copy.copy(question), copy.deepcopy(question)):
        assert duplicate == question
        assert duplicate.connection is question.connection


def test_a_pickle_of_a_question_does_not_take_the_connection_of_its_application(
    asked: ConnectionPair,
) -> None:
    asked.server.application = [asked.server]
    before = asked.server.state
    pickle.dumps(asked.server.pending)
    assert asked.server.state == before


def test_a_pickle_takes_an_application_that_has_other_connections() -> None:
    """A proxy's: both come out of one pickle, and go on."""
    one, other = (ConnectionPair(client_config(), server_config()) for _ in range(2))
    one.pump()
    other.pump()
    one.server.application, other.server.application = other.server, one.server
    loaded = pickle.loads(pickle.dumps(one.server))
    one.server, other.server = loaded, loaded.application
    assert loaded.application.application is loaded
    for pair in (one, other):
        pair.send("server", SendData(b"still here"))
        assert pair.data("client") == b"still here"
