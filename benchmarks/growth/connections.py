"""Of connections, and in one: how many are open, and how much comes at once, in small pieces, or as tickets."""

from __future__ import annotations

import gc
from collections.abc import Iterable
from time import process_time
from typing import Final

from benchmarks.footprint import WARM_UP, resident
from benchmarks.growth.curves import Growth, beyond_noise, by_name, microseconds, sizes, texts
from benchmarks.harness import Plan
from benchmarks.ours import OurPair, Ours
from sansticket import DataReceived, Event, IssueTicket, SendData, TicketReceived

MIB: Final = 1 << 20

FEW: Final = 1_000
"""Connections, of which fewer are lost in what else there is in a process."""


def connections(plan: Plan) -> str:
    """Servers at rest."""
    ours, held = Ours(), list[object]()
    for _ in range(WARM_UP):
        ours.full()
    before, alone = resident() or 0, _collection()
    handshakes, collections, memory = dict[int, float](), dict[int, float](), dict[int, float]()
    for size in sizes(plan, 1, 10, 100, 1_000, 3_000, 10_000):
        held += [ours.idle_server() for _ in range(size - len(held))]
        if size >= FEW:
            collections[size] = (_collection() - alone) / size
            memory[size] = ((resident() or 0) - before) / 1024 / size
        handshakes[size] = microseconds(ours.full)
    many = "servers at rest"
    curves = {
        "a full handshake, both sides": handshakes,
        "its part of a full garbage collection": beyond_noise(collections),
    }
    return texts(
        [
            Growth("connections", "Many connections", many, "µs", curves),
            Growth(
                "memory",
                "Memory of a connection",
                many,
                "KiB",
                {"growth of the process": beyond_noise(memory)},
            ),
        ],
        plan,
    )


def _collection() -> float:
    """Microseconds of a full one."""
    gc.collect()
    return microseconds(gc.collect)


def bytes_at_once(plan: Plan) -> str:
    """One ``SendData``, and one ``receive_data`` of all that it made."""
    pair = Ours().pair()
    kibs = sizes(plan, 1, 4, 16, 64, 256, 1_024, 4_096, 16_384, 65_536)
    measured = {kib: _in_one_call(pair, bytes(kib * 1_024)) for kib in kibs}
    curves = by_name(("sent by one call", "received by one call"), measured)
    return texts([Growth("bytes", "Bytes in one call", "KiB", "µs a MiB", curves)], plan)


def _in_one_call(pair: OurPair, data: bytes) -> tuple[float, float]:
    """Microseconds a MiB: sent, and received."""
    sealed = b""

    def send() -> None:
        nonlocal sealed
        pair.client.send(SendData(data))
        sealed = pair.client.data_to_send()

    def receive() -> None:
        assert _length(pair.server.receive_data(sealed)) == len(data)

    send()
    sent = microseconds(send, prepare=receive)
    receive()
    return sent * MIB / len(data), microseconds(receive, prepare=send) * MIB / len(data)


def bytes_one_by_one(plan: Plan) -> str:
    """A call for each."""
    pair = Ours().pair()
    measured = {size: _one_by_one(pair, size) for size in sizes(plan, 1_024, 4_096, 16_384, 65_536, 262_144)}
    curves = by_name(("SendData of one byte", "receive_data of one byte"), measured)
    return texts([Growth("one-by-one", "One byte at a time", "bytes", "µs a byte", curves)], plan)


def _one_by_one(pair: OurPair, size: int) -> tuple[float, float]:
    """Microseconds a byte: sent, and received."""
    start = process_time()
    for _ in range(size):
        pair.client.send(SendData(b"x"))
    sealed = pair.client.data_to_send()
    sent = (process_time() - start) * 1e6 / size
    assert _length(pair.server.receive_data(sealed)) == size
    pair.client.send(SendData(bytes(size)))
    pieces = [bytes([byte]) for byte in pair.client.data_to_send()]
    start = process_time()
    arrived = sum(_length(pair.server.receive_data(piece)) for piece in pieces)
    assert arrived == size
    return sent, (process_time() - start) * 1e6 / len(pieces)


def _length(events: Iterable[Event]) -> int:
    return sum(len(event.data) for event in events if type(event) is DataReceived)


def tickets(plan: Plan) -> str:
    """Of one connection, made and received at once."""
    ours = Ours()
    measured = {number: _tickets(ours.pair(), number) for number in sizes(plan, 1, 10, 100, 1_000)}
    curves = by_name(("made by the server", "received by the client"), measured)
    return texts([Growth("tickets", "Tickets of one connection", "tickets", "µs a ticket", curves)], plan)


def _tickets(pair: OurPair, number: int) -> tuple[float, float]:
    """Microseconds a ticket: made, and received."""
    sealed = b""

    def make() -> None:
        nonlocal sealed
        pair.server.send(IssueTicket(number))
        pair.server.send(SendData(b"x"))  # without any data in between, a client takes 1,024
        sealed = pair.server.data_to_send()

    def receive() -> None:
        events = pair.client.receive_data(sealed)
        assert sum(type(event) is TicketReceived for event in events) == number

    make()
    made = microseconds(make, prepare=receive)
    receive()
    return made / number, microseconds(receive, prepare=make) / number
