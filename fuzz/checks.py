"""What must hold of a connection whatever it is fed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from fuzz.world import COMMON, Connection, default_answer
from sansticket.commands import AbortHandshake, Close, Command
from sansticket.errors import Fault, LocalProtocolError, Reason
from sansticket.events import ConnectionTerminated, DataReceived, Event
from sansticket.record.tls12 import Opener
from sansticket.record.tls12 import Sealer as Sealer12
from sansticket.record.tls13 import Sealer as Sealer13
from sansticket.wire.messages.base import Message

MOST_HELD: Final = COMMON["max_buffered"] + COMMON["max_handshake_message"] + 2**14 + 261
"""Bytes: what may wait for an answer, the largest message and the largest record."""


class Watched:
    """A connection, and everything that came of what it was given so far."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.events: list[Event] = []
        self.output = b""
        self.ended = False

    def take(self, data: bytes) -> None:
        """Bytes from the peer; every question is answered at once."""
        self.take_unanswered(data)
        self.answer()

    def take_unanswered(self, data: bytes) -> None:
        """Bytes from the peer, none after the end of its stream."""
        if not self.ended:
            self._note(self.connection.receive_data(data))

    def end(self) -> None:
        """The end of the peer's stream."""
        self.ended = True
        self._note(self.connection.receive_data(b""))

    def answer(self) -> None:
        """The default answers to all questions that are open; none of them may be refused."""
        while self.connection.pending is not None:
            self._note(self.connection.send(answer_of(self.connection)))

    def command(self, command: Command) -> None:
        """A command; that it is not allowed now is no fault, and has changed nothing."""
        state, pending = self.connection._engine.state, self.connection.pending
        try:
            self._note(self.connection.send(command))
        except LocalProtocolError:
            assert self.connection._engine.state is state
            assert self.connection.pending is pending

    def _note(self, events: list[Event]) -> None:
        was_over = self.over
        self.events += events
        output = self.connection.data_to_send()
        self.output += output
        assert not (was_over and (events or output)), "something after the end"
        ends = [event for event in self.events if isinstance(event, ConnectionTerminated)]
        assert len(ends) <= 1
        if ends:
            check_end(self.connection, ends[0])
            assert self.events[-1] is ends[0]
        assert held_bytes(self.connection) <= MOST_HELD

    @property
    def over(self) -> bool:
        return bool(self.events) and isinstance(self.events[-1], ConnectionTerminated)

    def outcome(self) -> tuple[list[Event], bytes, str]:
        """What does not depend on how the bytes were cut."""
        joined: list[Event] = []
        for event in self.events:
            if joined and isinstance(event, DataReceived) and isinstance(joined[-1], DataReceived):
                event = DataReceived(joined.pop().data + event.data)  # type: ignore[attr-defined]
            joined.append(event)
        return joined, self.output, self.connection.state


def answer_of(connection: Connection) -> Command:
    """The default; where that finds fault with the peer, no."""
    try:
        return default_answer(connection)
    except Fault as fault:
        return AbortHandshake(fault.alert)


def check_end(connection: Connection, end: ConnectionTerminated) -> None:
    if end.reason in (Reason.INTERNAL_ERROR, Reason.ANSWER_FAILED):
        raise AssertionError(f"{end}: {end.cause!r}") from end.cause
    assert end.cause is None
    assert connection.state == "Ended"
    assert connection.pending is None
    assert held_bytes(connection) == 0
    fork = connection.fork()
    assert fork.receive_data(b"\x16\x03\x03\0\1\1") == []
    assert fork.send(Close()) == []
    assert fork.data_to_send() == b""


def held_bytes(connection: Connection) -> int:
    return connection._engine.reader.buffered + len(connection._engine.held)


def pieces(data: bytes, how: int) -> Iterator[bytes]:
    """``data`` cut as a byte says: into pieces of one size, or of growing sizes."""
    size = 1 + how % 64
    start = 0
    while start < len(data):
        yield data[start : start + size]
        start += size
        size += how >> 6


def feed(connection: Connection, stream: Iterable[bytes], end: bool) -> Watched:
    """All pieces one after the other, and the end of the stream."""
    watched = Watched(connection)
    for piece in stream:
        watched.take(piece)
    if end:
        watched.end()
        watched.answer()
    return watched


def as_the_peer(connection: Connection, content_type: int, content: bytes) -> bytes:
    """A record as the peer would send it now, under its keys."""
    opener = connection._engine.reader._opener
    if opener is None:
        return bytes((content_type, 3, 3)) + len(content).to_bytes(2) + content
    sealer = Sealer12 if isinstance(opener, Opener) else Sealer13
    return sealer(opener._suite, opener.keys, opener.sequence).seal(content_type, content)


def round_trip(table: Mapping[int, Callable[[bytes], Message]], data: bytes) -> None:
    """The first byte chooses a decoder, the rest is a body."""
    if not data:
        return
    kinds = sorted(table)
    kind = kinds[data[0] % len(kinds)]
    try:
        message = table[kind](data[1:])
    except Fault:
        return
    raw = message.encode()
    assert raw[0] == message.TYPE == kind
    assert int.from_bytes(raw[1:4]) == len(raw) - 4
    again = table[kind](raw[4:])
    assert again == message
    assert again.encode() == raw
