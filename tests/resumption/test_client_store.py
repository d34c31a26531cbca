"""A client whose config has a session store: it takes, brings and drops sessions by itself."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from attrs import evolve

from sansticket import ClientSessionStore, Reservation, StoreKey
from sansticket.codes import CipherSuite, ProtocolVersion
from sansticket.commands import Close, IssueTicket, ResolveTicket, SendData
from sansticket.config.client import ClientConfig
from sansticket.config.server import ServerConfig
from sansticket.connection.client import ClientConnection
from sansticket.errors import ConfigError, Reason
from sansticket.events import DecideTicket, HandshakeCompleted, TicketReceived
from sansticket.tickets.decision import TicketReturn
from tests.support.credentials import client_credential, server_credential
from tests.support.pair import ConnectionPair
from tests.support.resumption import NAME, World, ending, failed_checks, outcome, received, record, resumed

TLS12 = ProtocolVersion.TLS_1_2


@pytest.fixture
def store() -> ClientSessionStore:
    return ClientSessionStore()


@pytest.fixture
def client(world: World, store: ClientSessionStore) -> ClientConfig:
    return world.client(session_store=store)


@pytest.fixture
def server(world: World) -> ServerConfig:
    return world.server()


def start(client: ClientConfig, server: ServerConfig, **named: Any) -> ConnectionPair:
    """Not yet carried anywhere."""
    pair = ConnectionPair(evolve(client, session_store=None, request_tickets=False), server)
    pair.client = ClientConnection(client, NAME, **named)
    return pair


def connect(client: ClientConfig, server: ServerConfig, **named: Any) -> ConnectionPair:
    pair = start(client, server, **named)
    pair.pump()
    return pair


def held(client: ClientConfig, port: int = 443) -> list[bytes]:
    """The tickets that could be taken, the freshest first.  Takes nothing."""
    store = client.session_store
    assert store is not None
    copy, key = ClientSessionStore.from_bytes(store.to_bytes()), client.store_key(NAME, port)
    tickets = []
    while (reservation := copy.reserve(key, client.clock())) is not None:
        tickets.append(reservation.session.ticket)
        reservation.refused()
    return tickets


# --- nothing else to do --------------------------------------------------------------------------------------


def test_the_second_connection_resumes_and_so_do_all_after_it(
    client: ClientConfig, server: ServerConfig
) -> None:
    found = [outcome(connect(client, server)) for _ in range(5)]
    assert found == [(False, 2), (True, 1), (True, 1), (True, 1), (True, 1)]


def test_each_ticket_is_taken_once_and_the_freshest_first(
    world: World, client: ClientConfig, server: ServerConfig
) -> None:
    first = connect(client, server)
    world.clock.forward(10)
    second = connect(client, server)
    used = [pair.client.session.ticket for pair in (second, connect(client, server)) if pair.client.session]
    assert used == [received(first)[1].ticket, received(second)[0].ticket]
    assert received(first)[0].ticket in held(client)


def test_connections_side_by_side_share_nothing(client: ClientConfig, server: ServerConfig) -> None:
    connect(client, server)
    pairs = [start(client, server) for _ in range(3)]
    assert held(client) == []
    for pair in pairs:
        pair.pump()
    assert [resumed(pair) for pair in pairs] == [True, True, False]


def test_tickets_that_come_later_are_kept_too(client: ClientConfig, server: ServerConfig) -> None:
    pair = connect(client, evolve(server, num_tickets=0))
    assert held(client) == []
    pair.server.send(IssueTicket())
    pair.send("server", SendData(b"x"))
    assert held(client) == [received(pair)[0].ticket]


def test_it_is_bounded(world: World, server: ServerConfig) -> None:
    client = world.client(session_store=ClientSessionStore(per_server=3))
    connect(client, evolve(server, num_tickets=10))
    assert len(held(client)) == 3


def test_it_outlives_the_program(world: World, client: ClientConfig, server: ServerConfig) -> None:
    connect(client, server)
    assert client.session_store is not None
    saved = client.session_store.to_bytes()
    again = world.client(session_store=ClientSessionStore.from_bytes(saved))
    assert resumed(connect(again, server))


# --- whose sessions they are ---------------------------------------------------------------------------------


def test_ports_are_servers_of_their_own(client: ClientConfig, server: ServerConfig) -> None:
    assert outcome(connect(client, server, port=8443)) == (False, 2)
    assert outcome(connect(client, server)) == (False, 2)
    assert outcome(connect(client, server, port=8443)) == (True, 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"alpn_protocols": [b"h2"]},
        {"verify_peer": False},
        {"credentials": [client_credential()]},
        {"credentials": [client_credential("ed25519")]},
    ],
)
def test_nothing_crosses_from_one_policy_to_another(
    client: ClientConfig, server: ServerConfig, changes: dict[str, Any]
) -> None:
    other = evolve(client, **changes)
    keys = {
        client.store_key(NAME),
        other.store_key(NAME),
        evolve(other, resume_with_other_name=True).store_key(NAME),
    }
    assert len(keys) == 2
    connect(client, server)
    assert record(connect(other, server), "client").identities == ()
    assert resumed(connect(other, server))
    assert resumed(connect(client, server))


def test_the_key_of_a_config(client: ClientConfig) -> None:
    key = evolve(client, alpn_protocols=[b"h2", b"http/1.1"]).store_key("www.example", 8443)
    assert (key.server_name, key.port, key.alpn) == ("www.example", 8443, (b"h2", b"http/1.1"))
    assert len(key.policy) == 16
    assert key == StoreKey("www.example", 8443, (b"h2", b"http/1.1"), key.policy)
    assert pickle.loads(pickle.dumps(key)) == key


def test_an_impossible_port(client: ClientConfig) -> None:
    with pytest.raises(ConfigError, match=r"^port: 65536; expected an integer from 0 to 65535"):
        ClientConnection(client, NAME, port=65_536)


def test_the_name_as_it_is_verified(world: World, client: ClientConfig, server: ServerConfig) -> None:
    world.connect(server, client=client, name="SERVER.example.")
    assert resumed(world.connect(server, client=client, name="server.EXAMPLE"))


def test_without_a_name_there_is_nothing_to_keep_it_under(
    world: World, client: ClientConfig, server: ServerConfig
) -> None:
    careless = evolve(client, verify_peer=False)
    pair = world.connect(server, client=careless, name=None)
    assert outcome(pair) == (False, 2)
    assert len(careless.session_store or ()) == 0


# --- refusals and failures -----------------------------------------------------------------------------------


def test_what_the_server_refused_is_dropped(world: World, client: ClientConfig, server: ServerConfig) -> None:
    connect(client, server)
    (_, older) = held(client)
    pair = connect(client, world.server())  # whose keys are others
    assert outcome(pair) == (False, 2)
    assert held(client) == [*(session.ticket for session in reversed(received(pair))), older]


def test_what_cannot_be_offered_is_dropped(world: World, client: ClientConfig, server: ServerConfig) -> None:
    """It would be in the way of the others for ever."""
    connect(client, evolve(server, num_tickets=1))
    other = evolve(client, cipher_suites=[CipherSuite.AES_256_GCM_SHA384])
    pair = connect(other, server)
    assert failed_checks(pair, side="client") == ["hash"]
    assert held(client) == [session.ticket for session in reversed(received(pair))]


def test_what_was_never_shown_goes_back(client: ClientConfig, server: ServerConfig) -> None:
    """The transport was never there: close the connection, and nothing is lost."""
    connect(client, server)
    before = held(client)
    connection = ClientConnection(client, NAME)
    assert held(client) == before[1:]
    connection.send(Close())
    assert held(client) == before
    assert connection.data_to_send() == b"", "what went back must not be shown"
    assert resumed(connect(client, server))


@pytest.mark.parametrize("end", ["close", "truncation", "alert"])
def test_what_was_shown_does_not(client: ClientConfig, server: ServerConfig, end: str) -> None:
    connect(client, server)
    before = held(client)
    connection = ClientConnection(client, NAME)
    assert connection.data_to_send()
    if end == "close":
        connection.send(Close())
    else:
        connection.receive_data(b"" if end == "truncation" else b"\x15\x03\x03\x00\x02\x02\x28")
    assert connection.state == "Ended"
    assert held(client) == before[1:]


def test_a_handshake_that_fails_keeps_nothing(
    world: World, client: ClientConfig, server: ServerConfig
) -> None:
    connect(client, server)
    wrong = world.server(credentials=[server_credential(name="other.example")])
    pair = connect(client, wrong)
    assert ending(pair, "client").reason is Reason.CERTIFICATE_NAME_MISMATCH
    assert len(held(client)) == 1


@pytest.mark.parametrize(
    ("end", "kept"),
    [("close", True), ("truncation", True), ("an alert of theirs", False), ("a fault of theirs", False)],
)
def test_sessions_of_a_connection_that_fails_later(
    client: ClientConfig, server: ServerConfig, end: str, kept: bool
) -> None:
    """RFC 9846 section 6.2: after a fatal alert they should be forgotten.  A stream that is cut is no alert: the
    web is full of them."""
    connect(client, server)
    (_, older) = held(client)
    pair = connect(client, server)
    assert held(client) == [received(pair)[0].ticket, older]
    if end == "close":
        pair.send("client", Close())
        pair.send("server", Close())
    elif end == "truncation":
        pair.deliver("client", b"")
    elif end == "an alert of theirs":
        pair.deliver("server", b"\x17\x03\x03\x00\x20" + bytes(32))
        pair.pump()
        assert ending(pair, "client").by_peer
    else:
        pair.deliver("client", b"\x17\x03\x03\x00\x20" + bytes(32))
        assert ending(pair, "client").reason is Reason.BAD_RECORD_MAC
    assert held(client) == [received(pair)[0].ticket] * kept + [older]


# --- beside the store ----------------------------------------------------------------------------------------


def test_a_session_that_is_given_goes_before_the_store(
    world: World, client: ClientConfig, server: ServerConfig
) -> None:
    session = world.session(server)
    connect(client, server)
    before = held(client)
    pair = connect(client, server, session=session)
    assert resumed(pair)
    assert held(client) == [received(pair)[0].ticket, *before]


def test_no_session_at_all_can_be_given(client: ClientConfig, server: ServerConfig) -> None:
    connect(client, server)
    pair = connect(client, server, session=())
    assert not resumed(pair)
    assert len(held(client)) == 4


def test_by_hand(world: World, store: ClientSessionStore, server: ServerConfig) -> None:
    """The same with an application that says everything itself."""
    client = world.client()
    key = client.store_key(NAME)
    found = []
    for _ in range(3):
        reservation = store.reserve(key, world.clock())
        pair = world.connect(server, reservation.session if reservation is not None else None, client=client)
        for event in pair.client_events:
            match event:
                case TicketReceived(session):
                    store.put(key, session, world.clock())
                case HandshakeCompleted(resumed=success) if reservation is not None:
                    assert isinstance(reservation, Reservation)
                    _ = reservation.used() if success else reservation.refused()
        found.append(resumed(pair))
    assert found == [False, True, True]


# --- RFC 9149 ------------------------------------------------------------------------------------------------


def test_as_many_as_there_is_room_for(world: World, server: ServerConfig) -> None:
    client = world.client(session_store=ClientSessionStore(per_server=3), request_tickets=True)
    first = connect(client, server)
    assert outcome(first) == (False, 3)
    assert record(first, "client").tickets_to_follow == 3
    pairs = [start(client, server) for _ in range(2)]
    for pair in pairs:
        pair.pump()
    assert [outcome(pair) for pair in pairs] == [(True, 1), (True, 2)]
    assert len(held(client)) == 3
    assert outcome(connect(client, server)) == (True, 1)


def test_all_places_are_for_the_tickets_after_a_refusal(world: World, server: ServerConfig) -> None:
    """The server has lost its keys: what it issued before is worth nothing any more, and makes room."""
    client = world.client(session_store=ClientSessionStore(per_server=3), request_tickets=True)
    connect(client, server)
    old = held(client)
    world.clock.forward(1)
    anew = world.server()
    assert outcome(connect(client, anew)) == (False, 3)
    assert set(old).isdisjoint(held(client))
    pairs = [start(client, anew) for _ in range(3)]
    for pair in pairs:
        pair.pump()
    assert [resumed(pair) for pair in pairs] == [True, True, True]


def test_what_is_asked_for_needs_no_config_of_its_own(world: World, server: ServerConfig) -> None:
    client = world.client(session_store=ClientSessionStore(per_server=3), request_tickets=True)
    assert connect(client, server).client._engine.config is client


def test_none_where_there_is_no_room(world: World, server: ServerConfig) -> None:
    client = world.client(session_store=ClientSessionStore(per_server=1), request_tickets=True)
    connect(client, server)
    assert outcome(connect(client, server, session=())) == (False, 0)


@pytest.mark.parametrize("per_server", [255, 1000])
def test_no_more_than_can_be_said(world: World, server: ServerConfig, per_server: int) -> None:
    client = world.client(session_store=ClientSessionStore(per_server=per_server), request_tickets=True)
    pair = connect(client, evolve(server, max_tickets_requested=255))
    assert outcome(pair) == (False, 255)


def test_it_needs_a_store_and_no_other_wish(world: World, store: ClientSessionStore) -> None:
    for changes in (
        {"request_tickets": True},
        {"request_tickets": True, "session_store": store, "ticket_request": (1, 1)},
    ):
        with pytest.raises(ConfigError, match="request_tickets"):
            world.client(**changes)


# --- TLS 1.2 -------------------------------------------------------------------------------------------------


def of_12(world: World, store: ClientSessionStore) -> tuple[ClientConfig, ServerConfig]:
    return world.client(session_store=store, versions=[TLS12]), world.server(versions=[TLS12])


def test_a_session_of_tls_1_2_is_lent_to_many(world: World, store: ClientSessionStore) -> None:
    client, server = of_12(world, store)
    assert not resumed(connect(client, server))
    pairs = [start(client, server) for _ in range(3)]
    for pair in pairs:
        pair.pump()
    assert [resumed(pair) for pair in pairs] == [True, True, True]
    assert len(held(client)) == 1


def test_until_a_server_refuses_it(world: World, store: ClientSessionStore) -> None:
    client, server = of_12(world, store)
    connect(client, server)
    (old,) = held(client)
    assert not resumed(connect(client, world.server(versions=[TLS12])))
    assert old not in held(client)


@pytest.mark.parametrize("again", [False, True], ids=["full", "resumed"])
@pytest.mark.parametrize(
    ("end", "kept"), [("close", True), ("truncation", True), ("theirs", False), ("ours", False)]
)
def test_a_session_of_tls_1_2_whose_connection_fails(
    world: World, store: ClientSessionStore, again: bool, end: str, kept: bool
) -> None:
    """RFC 5246 section 7.2.2: what was terminated with a fatal alert must not be resumed, not even once more."""
    client, server = of_12(world, store)
    pair = connect(client, server)
    (session,) = held(client)
    if again:
        pair = connect(client, server)
        assert resumed(pair)
        assert held(client) == [session]
    wrong = b"\x17\x03\x03\x00\x20" + bytes(32)
    if end == "close":
        pair.send("client", Close())
        pair.send("server", Close())
    elif end == "truncation":
        pair.deliver("client", b"")
    elif end == "theirs":
        pair.deliver("server", wrong)
        pair.pump()
        assert ending(pair, "client").by_peer
    else:
        pair.deliver("client", wrong)
        assert ending(pair, "client").reason is Reason.BAD_RECORD_MAC
    assert held(client) == [session] * kept


def test_a_renewed_session_of_tls_1_2_whose_connection_fails(world: World, store: ClientSessionStore) -> None:
    """Both tickets are for the same session."""
    client, server = of_12(world, store)
    connect(client, server)
    answers = {DecideTicket: lambda _: ResolveTicket(TicketReturn.USE_RENEW)}
    pair = connect(client, evolve(server, answers=answers))
    assert resumed(pair)
    assert len(held(client)) == 2
    pair.deliver("client", b"\x17\x03\x03\x00\x20" + bytes(32))
    assert held(client) == []


def test_a_session_of_either_version(world: World, store: ClientSessionStore, server: ServerConfig) -> None:
    """The server's versions change: what was made under the other one is of no more use, and goes."""
    both = [ProtocolVersion.TLS_1_3, TLS12]
    client = world.client(session_store=store, versions=both)
    old = evolve(server, versions=[TLS12])
    new = evolve(server, versions=both)
    found = [outcome(connect(client, config))[0] for config in (old, old, new, new, old, old)]
    assert found == [False, True, False, True, False, True]
