"""Sessions that are stolen from clients, with their secrets."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import mean
from typing import Any, Final

from sansticket.fleet.attackers import Thief
from sansticket.fleet.figures import Case, count, memory, resumption
from sansticket.fleet.plan import Recorders, StoredSessions, WindowedKeys
from sansticket.fleet.report import WORDS, Cell, Column, Curve, Picture, Report, Size, Table
from sansticket.fleet.scenarios.base import Scenario, Setting
from sansticket.fleet.visits import Kind
from sansticket.tickets.stores.uses import ReusePolicy
from sansticket.values import frozen

COMES_BACK: Final = 1800.0
THIEF_COMES_BACK: Final = 900.0
POINTS: Final = 24

PLANS: Final[Mapping[str, Any]] = {
    "windowed keys": {"keys": WindowedKeys()},
    "each server remembers uses": {"reuse": ReusePolicy.END_FAMILY},
    "one table of uses": {"reuse": ReusePolicy.END_FAMILY, "uses": Recorders.SHARED},
    "shared store": {"keys": StoredSessions()},
    "store, families end": {"keys": StoredSessions(), "reuse": ReusePolicy.END_FAMILY},
}
"""The second and the third have windowed keys too, and end the family of a ticket that is used again."""


@frozen
class Robbed:
    """A fleet, and the thieves that came to it: one for each of its clients."""

    case: Case
    thieves: list[Thief]

    def hours_until_seen(self) -> list[float | None]:
        """For each theft: since then, until one of both showed a ticket that the other had used; None for never."""
        return [
            min(((visit.began - (thief.stole_at or 0.0)) / 3600 for visit in thief.seen()), default=None)
            for thief in self.thieves
            if thief.stole_at is not None
        ]


def play(setting: Setting) -> Report:
    robbed = [_rob(setting, name) for name in PLANS]
    left = setting.size.hours / 2
    return Report(
        scenario=THEFT.name,
        title=THEFT.title,
        size=setting.size,
        tables=(_thefts(robbed), resumption(cases := [one.case for one in robbed]), memory(cases)),
        picture=Picture(
            x="hours since the theft",
            y="thefts that were not noticed",
            curves=tuple(_unseen(one, left) for one in robbed),
        ),
        notes=(
            "A thief has the session with its secret: with shared keys both of them are resumed, and nothing tells.",
            "Where used tickets are remembered, the second use of one ends the family: all that came of the same full "
            "handshake is refused, the tickets of the thief too, and the client begins anew. A server that remembers "
            f"for itself sees it only where both uses were its own, once in {setting.size.servers}; after that there "
            "is no ticket that both have.",
            "Where a ticket is used once, whoever of the two comes second is refused, at whichever server: the store "
            "has what is left of the session, and says who was first. That alone does not stop a thief who was: he "
            "goes on with the tickets that he got. Where the family ends he has nothing, whoever was first.",
        ),
    )


def _rob(setting: Setting, name: str) -> Robbed:
    fleet = setting.fleet(**PLANS[name])
    fleet.populate(setting.size.clients, COMES_BACK)
    when = fleet.world.chance("thefts")
    thieves = [
        Thief(fleet, victim, when.between(0.0, setting.seconds / 2), THIEF_COMES_BACK)
        for victim in list(fleet.clients)
    ]
    fleet.world.run(setting.seconds)
    return Robbed(Case(name, fleet), thieves)


def _thefts(robbed: list[Robbed]) -> Table:
    columns = (
        Column("case", WORDS),
        Column("thefts"),
        Column("thief was resumed"),
        Column("times in all"),
        Column("noticed"),
        Column("minutes until then", ",.1f"),
        Column("resumed after that"),
    )
    return Table("Thefts", columns, tuple((one.case.name, *_cells(one)) for one in robbed))


def _cells(robbed: Robbed) -> tuple[Cell, ...]:
    waits = robbed.hours_until_seen()
    seen = [wait for wait in waits if wait is not None]
    successful = sum(any(visit.kind is Kind.RESUMED for visit in thief.visits()) for thief in robbed.thieves)
    after = 0
    for thief in robbed.thieves:
        first = min((visit.began for visit in thief.seen()), default=None)
        if first is not None:
            after += count((visit for visit in thief.visits() if visit.began > first), Kind.RESUMED)
    return (
        len(waits),
        successful,
        sum(count(thief.visits(), Kind.RESUMED) for thief in robbed.thieves),
        len(seen),
        mean(seen) * 60 if seen else None,
        after,
    )


def _unseen(robbed: Robbed, hours: float) -> Curve:
    waits = robbed.hours_until_seen()
    if not waits:
        return Curve(robbed.case.name, ())
    points = []
    for number in range(POINTS + 1):
        since = number * hours / POINTS
        unseen = sum(wait is None or wait > since for wait in waits)
        points.append((round(since, 4), round(unseen / len(waits), 4)))
    return Curve(robbed.case.name, tuple(points))


THEFT: Final = Scenario(
    "stolen-ticket",
    "how long can somebody go on with a stolen ticket, and after how long can it be noticed?",
    "Of every client a session is copied, with its secret; the thief comes back with it more often than the client.",
    Size(clients=60, hours=8, servers=3),
    play,
)
