"""What holds of early data whatever else happens; docs/early-data.md has the list."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from sansticket import adapters
from sansticket.codes import NamedGroup
from sansticket.commands import Close, RefuseEarlyData, SendData, SendEarlyData
from sansticket.config.choices import ASK
from sansticket.connection.server import ServerConnection
from sansticket.errors import LocalProtocolError
from sansticket.events import (
    AdmitEarlyData,
    DataReceived,
    EarlyDataEnded,
    EarlyDataReceived,
    EarlyDataRejected,
    Event,
    HandshakeCompleted,
)
from sansticket.tickets.early_data import EarlyDataStatus
from tests.support.early_data import EarlyClient, EarlyServer, World, another_world, early_data_of
from tests.support.hostile import APPLICATION_DATA, held_bytes
from tests.support.pair import every
from tests.support.sessions import repeatable_entropy

SERVERS: dict[str, Callable[[World], Any]] = {
    "accepted": lambda world: world.server_config(),
    "switched off": lambda world: world.server_config(max_early_data=0),
    "not admitted": lambda world: world.server_config(answers={AdmitEarlyData: lambda _: RefuseEarlyData()}),
    "not resumed": lambda world: another_world().server_config(),
    "a retry": lambda world: world.server_config(groups=(NamedGroup.SECP256R1,)),
}
EVERY_SERVER = pytest.mark.parametrize("server", SERVERS.values(), ids=SERVERS.keys())


def order(events: list[Event]) -> Iterator[int]:
    kinds = (EarlyDataReceived, EarlyDataEnded, HandshakeCompleted, DataReceived)
    return (kinds.index(type(event)) for event in events if isinstance(event, kinds))


@EVERY_SERVER
@pytest.mark.parametrize("size", [1, 7, 100, 100_000])
def test_early_is_early_and_late_is_late(server: Callable[[World], Any], size: int) -> None:
    """1, 2, 7: nothing of one kind is ever in an event of the other, and these are in their order, however cut."""
    world = World()
    pair = world.pair(world.session(), server=server(world), cut=every(size))
    for number in range(5):
        pair.send("client", SendEarlyData(b"E%d" % number), pump=False)
    pair.pump()
    for number in range(5):
        pair.send("client", SendData(b"L%d" % number))
    pair.send("client", Close())
    accepted = pair.server.early_data is EarlyDataStatus.ACCEPTED
    assert early_data_of(pair.server_events) == (b"E0E1E2E3E4" if accepted else b"")
    assert pair.data("server") == b"L0L1L2L3L4"
    found = list(order(pair.server_events))
    assert found == sorted(found)
    assert found.count(2) == 1
    assert found.count(1) == (1 if accepted else 0)


@EVERY_SERVER
def test_nothing_is_sent_twice_or_early_by_itself(server: Callable[[World], Any]) -> None:
    """3: after a refusal there is no early data any more."""
    world = World()
    pair = world.pair(world.session(), server=server(world), early=b"E" * 500)
    wire = len(pair.client.fork().data_to_send())
    pair.pump()
    if pair.events("client", EarlyDataRejected):
        with pytest.raises(LocalProtocolError, match="SendEarlyData in"):
            pair.client.send(SendEarlyData(b"x"))
        assert pair.client.early_data_left == 0
    sent = sum(len(data) for side, data in pair.wire if side == "client")
    assert sent < wire + 1500  # a second hello perhaps, and Finished: the 500 bytes did not go again
    assert pair.data("server") == b""


def test_what_is_late_is_never_under_the_keys_of_early_data() -> None:
    """3, as a server sees it that knows all keys: its openers take the records in the order of the keys."""
    world = World()
    server = EarlyServer(world.client_config(), world.session())
    server.send_early(b"early").say_hello().say_extensions().listen()
    assert server.data == b"early"
    with pytest.raises(LocalProtocolError, match="SendData in"):
        server.victim.send(SendData(b"late"))
    server.say_finished().hear_finished()
    server.victim.send(SendData(b"late"))
    early_keys = server.openers[0]
    server.listen()
    assert server.data == b"earlylate"
    assert server.openers[0] is not early_keys or len(server.openers) == 1


@EVERY_SERVER
def test_a_refusal_keeps_nothing(server: Callable[[World], Any]) -> None:
    """6, and the buffer while a question is open is that of any question."""
    world = World()
    session = world.session()
    config = server(world)
    client = world.pair(session, server=config).client
    connection = ServerConnection(config)
    connection.receive_data(client.data_to_send())
    for _ in range(20):
        client.send(SendEarlyData(b"x" * 50))
        connection.receive_data(client.data_to_send())
        assert held_bytes(connection) == 0
    asking = ServerConnection(world.server_config(answers={AdmitEarlyData: ASK}, max_buffered=16_640))
    flight = world.first_flight(b"y" * 900, world.session())
    asking.receive_data(flight)
    assert asking.pending is not None
    assert 900 < held_bytes(asking) < 1000


@given(garbage=st.binary(max_size=300), early=st.binary(max_size=100))
def test_what_came_early_decides_nothing(garbage: bytes, early: bytes) -> None:
    """9: the answer of the server is the same, byte for byte, whatever comes under the keys of early data."""
    world = World(client={"entropy": repeatable_entropy(5)})
    session = world.session()
    answers = []
    for data in (b"", early, garbage):
        config = world.server_config(max_early_data=0, entropy=repeatable_entropy(6))
        hand_made = EarlyClient(config, session).begin_early()
        if data is garbage and data:
            hand_made.deliver(b"\x17\x03\x03" + len(data).to_bytes(2) + data)
        elif data:
            hand_made.send(APPLICATION_DATA, data)
        assert not hand_made.over
        answers.append(hand_made.victim.data_to_send())
    assert len({len(answer) for answer in answers}) == 1
    assert answers[0] == answers[1] == answers[2]


def test_tickets_that_are_opened_tell_the_same_with_and_without() -> None:
    """9: the identities, and every check of them, do not depend on early data."""
    world = World()
    session = world.session()
    records = []
    for offers in (True, False):
        pair = world.pair(session, client=world.client_config(early_data=offers))
        pair.pump()
        done = pair.event("server", HandshakeCompleted)
        records.append(evolve(done.record, early_data=type(done.record.early_data)()))
    assert records[0] == records[1]


def test_the_look_alike_takes_none() -> None:
    """A context whose config does not ask for it: what was sent early is dropped, and its program sees what is late."""
    world = World()
    client = world.pair(world.session(), early=b"early").client
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = adapters.SSLContext(world.server_config(max_early_data=0)).wrap_bio(incoming, outgoing, True)
    incoming.write(client.data_to_send())
    with pytest.raises(ssl.SSLWantReadError):
        server.do_handshake()
    client.receive_data(outgoing.read())
    assert client.early_data is EarlyDataStatus.REJECTED
    client.send(SendData(b"late"))
    incoming.write(client.data_to_send())
    server.do_handshake()
    assert server.read(100) == b"late"
