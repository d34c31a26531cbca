"""From segments to streams: what each side of a TCP connection sent, in its order, once.

Retransmissions are dropped, what overtook waits for what it overtook, and what a capture missed is said.  Segments
that wait are bounded (``MAX_AHEAD``), and so are the connections (``MAX_CONNECTIONS``): beyond that there is a note.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import heappop, heappush
from typing import Final, NamedTuple

from attrs import Factory, define, field

from sansticket.captures.packets import Packet
from sansticket.captures.segments import ACK, FRAGMENT, LINKS, SYN, Endpoint, Segment, segment_of
from sansticket.debug.explain import Side
from sansticket.values import frozen

MAX_AHEAD: Final = 4 << 20
"""Bytes of one direction that may wait for what is missing before them."""

MAX_SEGMENTS_AHEAD: Final = 10_000
MAX_CONNECTIONS: Final = 10_000

BEGAN_BEFORE: Final = "it began before the capture"

AROUND: Final = 1 << 32
"""Sequence numbers are modulo this."""


class Moment(NamedTuple):
    """Bytes that came over at a time, in seconds since the epoch."""

    sender: Side
    data: bytes
    time: float


@frozen
class Flow:
    """One TCP connection.  ``moments`` are in the order of the capture; ``notes`` say what is missing."""

    client: Endpoint
    server: Endpoint
    start: float
    moments: tuple[Moment, ...] = field(repr=lambda moments: f"<{len(moments)} moments>")
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.client} -> {self.server}"


@define
class _Way:
    """One direction: ``place`` is that of the next byte in the stream, ``sequence`` its number."""

    sequence: int | None = None
    place: int = 0
    ahead: list[tuple[int, int, bytes]] = Factory(list)
    """What waits: where in the stream it begins, a number that keeps equal ones apart, the bytes."""
    held: int = 0
    dropped: int = 0
    begun: bool = False
    """Its SYN was seen, so nothing comes before the first byte."""
    early: int = 0
    """Bytes from before the first that was seen, which came later."""

    def take(self, segment: Segment) -> Iterator[bytes]:
        """What can be read now."""
        self.begun |= bool(segment.flags & SYN)
        sequence = (segment.sequence + bool(segment.flags & SYN)) % AROUND
        if self.sequence is None:
            self.sequence = sequence
        distance = (sequence - self.sequence + AROUND // 2) % AROUND - AROUND // 2
        if segment.data:
            self._hold(self.place + distance, segment.data)
        while self.ahead and self.ahead[0][0] <= self.place:
            start, _, data = heappop(self.ahead)
            self.held -= len(data)
            if fresh := data[self.place - start :]:
                self.place += len(fresh)
                self.sequence = (self.sequence + len(fresh)) % AROUND
                yield fresh

    def _hold(self, start: int, data: bytes) -> None:
        if start < 0 and not self.begun:
            self.early += min(len(data), -start)
        if start + len(data) <= self.place:
            return  # all of it was here already
        full = self.held + len(data) > MAX_AHEAD or len(self.ahead) >= MAX_SEGMENTS_AHEAD
        if full and start > self.place:  # what closes the gap is never too much: it lets the others go
            self.dropped += len(data)
            return
        heappush(self.ahead, (start, len(self.ahead), data))
        self.held += len(data)

    @property
    def missing(self) -> str:
        """What is not in the capture, in words."""
        if not self.ahead:
            return ""
        where = "are missing" if self.dropped else "are not in the capture"  # they may be what was dropped
        return f"bytes {self.place} to {self.ahead[0][0] - 1} {where}; what follows them is not read"


@define
class _Talk:
    """A connection as far as it has come; ``ends`` are its two endpoints, and the first of them sent first."""

    ends: tuple[Endpoint, Endpoint]
    start: float
    client: Endpoint | None = None
    """Who opened it, if that was seen."""
    begun: dict[Endpoint, int] = Factory(dict)
    """The sequence number of each side's SYN."""
    ways: dict[Endpoint, _Way] = Factory(dict)
    moments: list[tuple[Endpoint, bytes, float]] = Factory(list)

    def begins_anew(self, segment: Segment) -> bool:
        """The ports are used again: a SYN that is not the one which was seen."""
        if not segment.flags & SYN or segment.flags & ACK:
            return False
        known = self.begun.get(segment.source)
        return bool(self.moments) if known is None else known != segment.sequence

    def take(self, segment: Segment, time: float) -> None:
        if segment.flags & SYN:
            self.begun.setdefault(segment.source, segment.sequence)
            self.client = segment.target if segment.flags & ACK else segment.source
        elif not segment.data:
            return  # of the rest only bytes count: FIN and RST end what has been read already
        way = self.ways.setdefault(segment.source, _Way())
        self.moments += [(segment.source, data, time) for data in way.take(segment)]

    @property
    def has_data(self) -> bool:
        """Whether any bytes were seen, readable or not."""
        return bool(self.moments) or any(way.ahead or way.dropped for way in self.ways.values())

    def flow(self) -> Flow:
        client = self.client or self._likely_client()
        server = next(end for end in self.ends if end != client)
        sides: dict[Endpoint, Side] = {client: "client", server: "server"}
        moments = tuple(Moment(sides[source], data, time) for source, data, time in self.moments)
        return Flow(client, server, self.start, moments, tuple(self._notes(sides)))

    def _likely_client(self) -> Endpoint:
        """Without a SYN: who says a ClientHello first, or else has the higher port, as clients do."""
        for source, data, _ in self.moments:
            if data[:1] == b"\x16" and data[5:6] in (b"\x01", b"\x02"):
                other = next(end for end in self.ends if end != source)
                return source if data[5] == 1 else other
        return max(self.ends, key=lambda end: end.port)

    def _notes(self, sides: dict[Endpoint, Side]) -> Iterator[str]:
        if self.client is None:
            yield BEGAN_BEFORE
        for source, way in self.ways.items():
            if way.missing:
                yield f"of the {sides[source]} {way.missing}"
            if way.early:
                yield f"of the {sides[source]} {way.early} bytes came later than what follows them, and are not read"
            if way.dropped:
                yield f"of the {sides[source]} {way.dropped} bytes more were too far ahead to be kept"


@define
class Streams:
    """The connections in a capture.  ``notes`` say what was not looked at."""

    flows: list[Flow] = Factory(list)
    others: int = 0
    """Packets that are no TCP, or in a link layer that is not known here."""
    unknown_links: set[int] = Factory(set)
    beyond: int = 0
    """Segments of connections after the first ``MAX_CONNECTIONS``."""
    fragments: int = 0
    """Packets that have a part of a segment only."""
    cut: int = 0
    """Segments that the capture has not kept to their end."""

    @property
    def notes(self) -> tuple[str, ...]:
        """One line for each thing that was passed over."""
        links = ", ".join(map(str, sorted(self.unknown_links)))
        return tuple(
            note
            for said, note in (
                (self.unknown_links, f"packets of link type {links} are not read"),
                (self.beyond, f"{self.beyond} segments of more than {MAX_CONNECTIONS} connections not read"),
                (self.fragments, f"{self.fragments} fragments of IP packets with TCP in them are not read"),
                (self.cut, f"{self.cut} packets were cut when they were captured: take them whole (-s 0)"),
            )
            if said
        )


def streams_of(packets: Iterable[Packet]) -> Streams:
    """Every connection with bytes in it, in the order in which they began."""
    found = Streams()
    talks: dict[frozenset[Endpoint], _Talk] = {}
    every: list[_Talk] = []
    for packet in packets:
        segment = segment_of(packet)
        if segment == FRAGMENT:
            found.fragments += 1
            continue
        if segment is None or segment.source == segment.target:
            found.others += 1
            if packet.link not in LINKS:
                found.unknown_links.add(packet.link)
            continue
        found.cut += segment.cut
        ends = frozenset((segment.source, segment.target))
        talk = talks.get(ends)
        if talk is None or talk.begins_anew(segment):
            if len(every) >= MAX_CONNECTIONS:
                found.beyond += 1
                continue
            talk = talks[ends] = _Talk((segment.source, segment.target), packet.time)
            every.append(talk)
        talk.take(segment, packet.time)
    found.flows = [talk.flow() for talk in every if talk.has_data]
    return found
