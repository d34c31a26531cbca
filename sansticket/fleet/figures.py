"""From visits to figures: what a fleet answers, in the same tables for every scenario."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from statistics import median

from sansticket.fleet.fleets import Fleet
from sansticket.fleet.report import SHARE, WORDS, Cell, Column, Curve, Table
from sansticket.fleet.servers import Server
from sansticket.fleet.visits import Kind, Visit
from sansticket.tickets.early_data import EarlyDataStatus
from sansticket.values import frozen

RECORDED_HELLO = 160
"""Bytes that a ``ReplayRecorder`` takes for each ClientHello."""

REMEMBERED_USE = 600
"""Those that ``TicketUses`` takes for each ticket."""

_OFFERED = (EarlyDataStatus.ACCEPTED, EarlyDataStatus.REJECTED)
"""What a server's record says where early data came."""


@frozen
class Case:
    """One of the fleets that a scenario compares, under the name that it has there."""

    name: str
    """As in the tables."""
    fleet: Fleet
    """When it has run."""

    @property
    def visits(self) -> list[Visit]:
        """Those of clients; what attackers do is counted apart."""
        return [visit for visit in self.fleet.visits if visit.who.startswith("client")]


def share(part: int, whole: int) -> float | None:
    """None of nothing."""
    return part / whole if whole else None


def count(visits: Iterable[Visit], kind: Kind) -> int:
    return sum(visit.kind is kind for visit in visits)


def resumed_of_shown(visits: Sequence[Visit]) -> float | None:
    """Of the visits that showed a ticket and were not cut off, the share that was resumed."""
    shown = sum(visit.shown > 0 for visit in visits)
    return share(count(visits, Kind.RESUMED), shown)


def causes(visits: Iterable[Visit]) -> str:
    """Why tickets were refused, the most frequent first: ``no key opens it 12, used before 3``."""
    counted = Counter(cause for visit in visits for cause in visit.refused)
    return ", ".join(
        f"{cause} {number}" for cause, number in sorted(counted.items(), key=lambda one: (-one[1], one[0]))
    )


RESUMPTION_COLUMNS = (
    Column("visits"),
    Column("resumed"),
    Column("share", SHARE),
    Column("of shown", SHARE),
    Column("no ticket"),
    Column("refused"),
    Column("failed"),
    Column("why refused", WORDS),
)


def resumption_row(visits: Sequence[Visit]) -> tuple[Cell, ...]:
    """The cells of ``RESUMPTION_COLUMNS``."""
    full = [visit for visit in visits if visit.kind is Kind.FULL]
    resumed = count(visits, Kind.RESUMED)
    refused = sum(visit.shown > 0 for visit in full)
    return (
        *(len(visits), resumed, share(resumed, len(visits)), resumed_of_shown(visits)),
        *(len(full) - refused, refused, count(visits, Kind.FAILED), causes(full)),
    )


def resumption(cases: Iterable[Case], heading: str = "case") -> Table:
    """How many were resumed, and why the others were not."""
    rows = ((case.name, *resumption_row(case.visits)) for case in cases)
    return Table("Resumption", (Column(heading, WORDS), *RESUMPTION_COLUMNS), tuple(rows))


def handshakes(cases: Sequence[Case]) -> Table:
    """What a handshake of each kind takes; with a stopwatch also its time, as the median in milliseconds."""
    timed = any(visit.server_cpu is not None for case in cases for visit in case.visits)
    columns = (
        Column("case", WORDS),
        Column("handshake", WORDS),
        Column("number"),
        Column("bytes from client", ",.1f"),
        Column("from server", ",.1f"),
        Column("tickets made", ".1f"),
        Column("bytes each", ",.1f"),
        Column("trips to store", ".1f"),
        *((Column("client ms", ".2f"), Column("server ms", ".2f")) if timed else ()),
    )
    rows = (
        (case.name, kind.value, *row)
        for case in cases
        for kind in (Kind.FULL, Kind.RESUMED)
        for row in _handshake([visit for visit in case.visits if visit.kind is kind], timed)
    )
    return Table("Handshakes, on average", columns, tuple(rows))


def _handshake(visits: Sequence[Visit], timed: bool) -> Iterator[tuple[Cell, ...]]:
    if not visits:
        return

    def mean(of: Callable[[Visit], float]) -> float:
        return sum(map(of, visits)) / len(visits)

    tickets = sum(visit.tickets for visit in visits)
    times = (
        (
            median(visit.client_cpu or 0.0 for visit in visits) * 1000,
            median(visit.server_cpu or 0.0 for visit in visits) * 1000,
        )
        if timed
        else ()
    )
    yield (
        len(visits),
        mean(lambda visit: visit.from_client),
        mean(lambda visit: visit.from_server),
        mean(lambda visit: visit.tickets),
        share(sum(visit.ticket_bytes for visit in visits), tickets),
        mean(lambda visit: visit.trips),
        *times,
    )


def early_data(cases: Iterable[Case]) -> Table:
    """What became of early data that was offered, and how often the application got some of it again."""
    columns = (
        Column("case", WORDS),
        Column("offered"),
        Column("accepted"),
        Column("share", SHARE),
        Column("delivered again"),
        Column("most often"),
        Column("why refused", WORDS),
    )
    return Table("Early data", columns, tuple((case.name, *_early_data(case)) for case in cases))


def _early_data(case: Case) -> tuple[Cell, ...]:
    outcomes = [visit.early_data for visit in case.visits if visit.early_data.status in _OFFERED]
    accepted = sum(outcome.status is EarlyDataStatus.ACCEPTED for outcome in outcomes)
    refused = Counter(outcome.reason.value for outcome in outcomes if outcome.reason is not None)
    why = ", ".join(f"{cause} {number}" for cause, number in sorted(refused.items()))
    times = case.fleet.delivered.values()
    again = sum(times) - len(times)
    return (
        len(outcomes),
        accepted,
        share(accepted, len(outcomes)),
        again,
        max(times, default=0),
        why,
    )


def memory(cases: Iterable[Case]) -> Table:
    """What a store had at its fullest, and what the server that has most has at the end."""
    columns = (Column("case", WORDS), Column("what is in memory", WORDS), Column("number"), Column("bytes"))
    rows = ((case.name, *row) for case in cases for row in _memory(case.fleet))
    return Table("Memory", columns, tuple(rows))


def _memory(fleet: Fleet) -> Iterator[tuple[Cell, ...]]:
    store = fleet.shared.store
    if store is not None:
        yield "sessions in the store, used ones too, at most", store.most, store.most_bytes
    for what, sizes in (
        ("hellos recorded by a server", [_recorded(server) for server in fleet.servers]),
        ("used tickets remembered by a server", [_remembered(server) for server in fleet.servers]),
        ("families revoked, as written", [_revoked(server) for server in fleet.servers]),
    ):
        if known := [size for size in sizes if size is not None]:
            yield what, *max(known)


def _recorded(server: Server) -> tuple[int, int] | None:
    number = len(server.recorder) if server.recorder is not None else None
    return None if number is None else (number, number * RECORDED_HELLO)


def _remembered(server: Server) -> tuple[int, int] | None:
    number = len(server.uses) if server.uses is not None else None
    return None if number is None else (number, number * REMEMBERED_USE)


def _revoked(server: Server) -> tuple[int, int] | None:
    return (
        None if server.revocations is None else (len(server.revocations), len(server.revocations.to_bytes()))
    )


def over_time(case: Case, hours: int, buckets: int) -> Curve:
    """Of the tickets shown in each part of the time, the share that was resumed; x is in hours."""
    return curve(case.name, case.visits, lambda visit: visit.began / 3600, hours, buckets)


def curve(
    name: str, visits: Sequence[Visit], place: Callable[[Visit], float], end: float, buckets: int
) -> Curve:
    """The share that was resumed of the tickets shown, by the ``place`` of the visit, in parts from 0 to ``end``."""
    sorted_in: list[list[Visit]] = [[] for _ in range(buckets)]
    for visit in visits:
        sorted_in[min(buckets - 1, int(place(visit) / end * buckets))].append(visit)
    points = (
        ((number + 0.5) * end / buckets, resumed_of_shown(those)) for number, those in enumerate(sorted_in)
    )
    return Curve(name, tuple((round(x, 4), round(y, 4)) for x, y in points if y is not None))
