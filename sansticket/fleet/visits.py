"""One visit of a client to a server: flights that take time, any of which can be lost, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum
from typing import Final

from attrs import define, field

from sansticket.commands import Close, SendEarlyData
from sansticket.connection.client import ClientConnection
from sansticket.connection.server import ServerConnection
from sansticket.events import (
    ConnectionTerminated,
    EarlyDataReceived,
    Event,
    HandshakeCompleted,
    TicketIssued,
    TicketReused,
)
from sansticket.fleet.servers import Server
from sansticket.fleet.world import World
from sansticket.tickets.decision import TicketStatus
from sansticket.tickets.early_data import EarlyDataOutcome, EarlyDataStatus
from sansticket.tickets.records import Check, ResumptionRecord
from sansticket.values import frozen

Stopwatch = Callable[[], float]
"""Seconds since whenever, such as ``time.process_time``: what is between two calls was used in between."""


class Kind(Enum):
    """How a visit ended."""

    FULL = "full"
    RESUMED = "resumed"
    FAILED = "failed"
    """Cut off, or refused, before both sides had completed the handshake."""


@frozen(kw_only=True)
class Visit:
    """What is known of a visit when it is over.  Bytes and seconds are those of the handshake and its tickets."""

    began: float
    """Seconds since the beginning of the world."""
    seconds: float
    """Until both sides were ready, and the last ticket had come; in the time of the world."""
    who: str
    """The client, or the attacker."""
    server: int
    """Its number."""
    kind: Kind
    """How it ended."""
    version: int
    """A number of ``ProtocolVersion``."""
    shown: int
    """How many tickets the client showed."""
    refused: tuple[str, ...] = ()
    """Why none of them was taken, after a full handshake."""
    reused: bool = False
    """A ticket was shown that had been used before (``TicketReused``)."""
    early_data: EarlyDataOutcome
    """What became of it, as the server has it."""
    from_client: int
    """Bytes."""
    from_server: int
    """Bytes."""
    tickets: int
    """How many were made."""
    ticket_bytes: int
    """What the server sent with its tickets and behind them, in bytes."""
    trips: int
    """Round trips to the store."""
    client_cpu: float | None
    """Seconds by the stopwatch; None without one."""
    server_cpu: float | None
    """Likewise."""


_IN_DETAIL: Final = frozenset({"found", "single use", "admission", "family"})
"""Checks whose details begin with words, and not with numbers."""


def why_refused(record: ResumptionRecord) -> Iterator[str]:
    """In words that are the same for the same cause, one for each session that was shown."""
    for identity in record.identities:
        failed = next((check for check in identity.checks if not check.passed), None)
        if failed is not None:
            yield _cause(failed)
        elif identity.status is TicketStatus.NO_DECRYPT:
            yield "no key opens it"


def _cause(check: Check) -> str:
    words = check.detail.partition(",")[0]  # behind it are numbers
    return words if check.name in _IN_DETAIL and words else check.name


def _shown(record: ResumptionRecord) -> int:
    return sum(identity.status is not TicketStatus.EMPTY for identity in record.identities)


@define(eq=False)
class _Side:
    """What one side has sent, and what it took."""

    sent: int = 0
    cpu: float = 0.0
    record: ResumptionRecord | None = None
    """Once its handshake is complete."""
    resumed: bool = False


@define(eq=False)
class Conversation:
    """A visit that goes on.  ``begin`` it once; ``over`` gets what came of it when it has ended.

    ``early`` is sent early where the session allows it.  ``lost`` says of the next flight whether it is lost.
    """

    world: World
    server: Server
    connect: Callable[[], ClientConnection]
    who: str
    over: Callable[[Visit], None]
    lost: Callable[[], bool]
    stopwatch: Stopwatch | None = None
    early: bytes = b""
    heard: Callable[[bytes], None] | None = None
    """Whoever listens gets the client's first flight."""
    delivered: Callable[[bytes], None] | None = None
    """Whoever counts gets what the server's application gets early."""

    client: ClientConnection = field(init=False)
    _served: ServerConnection = field(init=False)
    _life: int = field(init=False)
    _began: float = field(init=False)
    _trips: int = 0
    _tickets: int = 0
    _reused: bool = False
    _before_tickets: int = 0
    _sides: tuple[_Side, _Side] = field(factory=lambda: (_Side(), _Side()))
    _ended: bool = False

    def begin(self) -> None:
        started = self._start()
        self.client = self.connect()
        if self.early and self.client.early_data is EarlyDataStatus.OFFERED:
            self.client.send(SendEarlyData(self.early))
        self._began, self._life = self.world.elapsed, self.server.life
        flight = self.client.data_to_send()
        self._stop(0, started)
        self._served = self.server.connection()
        if self.heard is not None:
            self.heard(flight)
        self._carry(0, flight, 0.0)

    # --- flights

    def _carry(self, sender: int, flight: bytes, late: float) -> None:
        """A flight sets off.  ``late``: so many seconds after it could have."""
        self._sides[sender].sent += len(flight)
        one_way = self.server.plan.round_trip / 2
        arrive = self._cut if self.lost() else lambda: self._arrive(1 - sender, flight)
        self.world.after(one_way + late, arrive)

    def _arrive(self, receiver: int, flight: bytes) -> None:
        if self._ended:
            return
        if not self.server.up or self.server.life != self._life:
            self._cut()
            return
        answer = self._to_client(flight) if receiver == 0 else self._to_server(flight)
        store = self.server.shared.store
        late = store.take_wait() if receiver == 1 and store is not None else 0.0
        if answer:
            self._carry(receiver, answer, late)
        elif self._sides[0].record is not None and self._sides[1].record is not None:
            self._finish()

    def _to_client(self, flight: bytes) -> bytes:
        started = self._start()
        events = self.client.receive_data(flight)
        answer = self.client.data_to_send()
        self._stop(0, started)
        self._note(0, events)
        return answer

    def _to_server(self, flight: bytes) -> bytes:
        store = self.server.shared.store
        before = store.trips if store is not None else 0
        started = self._start()
        events = self._served.receive_data(flight)
        answer = self._served.data_to_send()
        self._stop(1, started)
        self.server.heed(events)
        self._trips += store.trips - before if store is not None else 0
        self._note(1, events)
        if any(isinstance(event, TicketIssued) for event in events):
            self._before_tickets += len(answer)
        return answer

    def _note(self, side: int, events: list[Event]) -> None:
        for event in events:
            match event:
                case HandshakeCompleted(record=record):
                    self._sides[side].record = record
                    self._sides[side].resumed = event.resumed
                case EarlyDataReceived(data=data) if self.delivered is not None:
                    self.delivered(data)
                case TicketIssued():
                    self._tickets += 1
                case TicketReused():
                    self._reused = True
                case ConnectionTerminated():
                    self._cut()

    # --- the end

    def _finish(self) -> None:
        """Both sides say goodbye, which nobody waits for."""
        for command, sender, receiver in (
            (Close(), self.client, self._served),
            (Close(), self._served, self.client),
        ):
            sender.send(command)
            receiver.receive_data(sender.data_to_send())
        self._ended = True
        self._tell(Kind.RESUMED if self._sides[1].resumed else Kind.FULL)

    def _cut(self) -> None:
        """Nothing comes any more, to either side."""
        if not self._ended:
            self._ended = True
            for connection in (self.client, self._served):
                connection.receive_data(b"")
            self._tell(Kind.FAILED)

    def _tell(self, kind: Kind) -> None:
        record = self._sides[1].record or ResumptionRecord()
        timed = self.stopwatch is not None
        visit = Visit(
            began=self._began,
            seconds=round(self.world.elapsed - self._began, 3),
            who=self.who,
            server=self.server.number,
            kind=kind,
            version=self.server.plan.version,
            shown=_shown(record),
            refused=tuple(why_refused(record)) if kind is Kind.FULL else (),
            reused=self._reused,
            early_data=record.early_data,
            from_client=self._sides[0].sent,
            from_server=self._sides[1].sent,
            tickets=self._tickets,
            ticket_bytes=self._before_tickets,
            trips=self._trips,
            client_cpu=self._sides[0].cpu if timed else None,
            server_cpu=self._sides[1].cpu if timed else None,
        )
        self.over(visit)

    def _start(self) -> float:
        return self.stopwatch() if self.stopwatch is not None else 0.0

    def _stop(self, side: int, started: float) -> None:
        if self.stopwatch is not None:
            self._sides[side].cpu += self.stopwatch() - started
