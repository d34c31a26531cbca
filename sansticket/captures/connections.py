"""The connections in a file, whatever kind of file it is, as far as they are TLS."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from attrs import field

from sansticket.captures.packets import PacketFile
from sansticket.captures.streams import BEGAN_BEFORE, Flow, Moment, streams_of
from sansticket.codes import ContentType
from sansticket.debug.explain import Side
from sansticket.values import frozen

HANDSHAKE: Final = bytes((ContentType.HANDSHAKE, 3))

ANSWER: Final = re.compile(rb"\x16\x03[\x00-\x03]..\x02\x00", re.DOTALL)
"""A record with a ServerHello, where the capture has it before what the client said, or nothing of that."""

HELLO: Final = re.compile(rb"\x16\x03[\x00-\x03]..\x01\x00", re.DOTALL)
"""A record with a ClientHello, amid what a client says."""

MAX_BEFORE: Final = 65_536
"""Bytes of another protocol before TLS begins: a STARTTLS, or a proxy's CONNECT."""

HAS_KEY_LOG: Final = "it has a key log in it, which is used: whoever gets the file can read these connections"


@frozen
class Captured:
    """One connection of a capture.

    ``number`` counts all connections from 1, those without TLS too.  ``moments`` are those of TLS, empty where there
    is none; ``before`` is how many bytes of another protocol came first.
    """

    number: int
    flow: Flow
    moments: tuple[Moment, ...] = field(repr=False)
    before: int

    @property
    def pieces(self) -> list[tuple[Side, bytes]]:
        """What was sent, for ``explain``."""
        return [(moment.sender, moment.data) for moment in self.moments]

    def __str__(self) -> str:
        began = f", {_date(self.flow.start)}" if self.flow.start else ""
        return f"connection {self.number}: {self.flow}{began}"

    @property
    def notes(self) -> Iterator[str]:
        """What a reader must know of it."""
        if not self.moments:
            total = sum(len(moment.data) for moment in self.flow.moments)
            yield f"no TLS in its {total} bytes"
        elif self.before and BEGAN_BEFORE not in self.flow.notes:
            yield f"{self.before} bytes of another protocol before TLS begins"
        elif self.before:
            yield f"{self.before} bytes before the first record that is whole"
        yield from self.flow.notes


@frozen
class Capture:
    """What is in a file of packets.  ``notes``: where the file is damaged, and what was not looked at.

    ``key_log``: the lines of the key logs in it.
    """

    connections: tuple[Captured, ...]
    notes: tuple[str, ...] = ()
    key_log: str = field(default="", repr=False)


def connections_in(data: bytes) -> Capture:
    """The connections in a pcap or pcapng file.  CaptureError for what is none."""
    file = PacketFile(data)
    streams = streams_of(file)
    found = tuple(captured(number, flow) for number, flow in enumerate(streams.flows, 1))
    notes = (file.note, HAS_KEY_LOG if file.key_log else "", *streams.notes)
    return Capture(found, tuple(note for note in notes if note), file.key_log)


def captured(number: int, flow: Flow) -> Captured:
    """A connection, from where TLS begins: with the first that looks like a hello of the client's, a piece, or the rest
    of one, behind the header of a proxy; or like one of the server's.

    In what was not captured from the beginning it may go on with any record.
    """
    before = 0
    for index, moment in enumerate(flow.moments):
        if moment.sender == "client":
            hello = _begins(flow, index).startswith(HANDSHAKE)
        else:
            hello = ANSWER.match(moment.data) is not None
        if hello or (flow.notes and _is_record(moment.data)):
            return Captured(number, flow, flow.moments[index:], before)
        if moment.sender == "client" and (found := HELLO.search(moment.data)):
            rest = moment._replace(data=moment.data[found.start() :])
            return Captured(number, flow, (rest, *flow.moments[index + 1 :]), before + found.start())
        before += len(moment.data)
        if before > MAX_BEFORE:
            break
    return Captured(number, flow, (), 0)


def _begins(flow: Flow, index: int) -> bytes:
    """The first two bytes at least that the client says from there on, however small its pieces are."""
    begun = b""
    for place in range(index, len(flow.moments)):  # islice would go over all before it, each time
        moment = flow.moments[place]
        if moment.sender == "client":
            begun += moment.data
        if len(begun) >= len(HANDSHAKE):
            break
    return begun


def _is_record(data: bytes) -> bool:
    return len(data) >= 5 and 20 <= data[0] <= 23 and data[1] == 3 and data[2] <= 4


def _date(seconds: float) -> str:
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S.%f} UTC"
    except (ValueError, OverflowError, OSError):
        return f"{seconds:.6f} s"
