"""Browsers that open several connections at the same moment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sansticket.fleet.figures import RESUMPTION_COLUMNS, Case, resumption_row, share
from sansticket.fleet.plan import KeyPolicy, StoredSessions, WindowedKeys
from sansticket.fleet.report import WORDS, Column, Curve, Picture, Report, Size, Table
from sansticket.fleet.scenarios.base import Scenario, Setting
from sansticket.fleet.visits import Kind
from sansticket.values import frozen

CONNECTIONS: Final = (1, 2, 3, 4, 6, 8)
IN_THE_TABLE: Final = (1, 4, 8)
COMES_BACK: Final = 1800.0


@frozen
class Race:
    """How browsers race, and for what."""

    name: str
    keys: KeyPolicy
    per_server: int = 4
    """How many tickets a browser keeps."""
    same: bool = False
    """All connections of a moment show the same ticket; otherwise each shows another."""


RACES: Final = (
    Race("one ticket each, four kept", WindowedKeys()),
    Race("one ticket each, eight kept", WindowedKeys(), per_server=8),
    Race("one ticket for all, windowed keys", WindowedKeys(), same=True),
    Race("one ticket for all, shared store", StoredSessions(), same=True),
)


def play(setting: Setting) -> Report:
    played = {
        (race.name, number): setting.played(
            race.name,
            setting.fleet(keys=race.keys),
            COMES_BACK,
            connections=number,
            per_server=race.per_server,
            same=race.same,
        )
        for race in RACES
        for number in CONNECTIONS
    }
    return Report(
        scenario=BROWSERS.name,
        title=BROWSERS.title,
        size=setting.size,
        tables=(_table(played),),
        picture=Picture(
            x="connections opened at the same moment",
            y="connections that were resumed",
            curves=tuple(
                Curve(
                    race.name, tuple((number, _resumed(played[race.name, number])) for number in CONNECTIONS)
                )
                for race in RACES
            ),
        ),
        notes=(
            "Two tickets come with a full handshake, and one with each resumption. A browser that shows each ticket "
            "once resumes as many connections as it has kept tickets.",
            "With shared keys a ticket that is shown by several connections at once resumes all of them, and whoever "
            "watches sees that they belong together. With a store one of them is resumed.",
        ),
    )


def _table(played: Mapping[tuple[str, int], Case]) -> Table:
    columns = (Column("browsers show", WORDS), Column("at once"), *RESUMPTION_COLUMNS)
    rows = (
        (name, number, *resumption_row(case.visits))
        for (name, number), case in played.items()
        if number in IN_THE_TABLE
    )
    return Table("Resumption", columns, tuple(rows))


def _resumed(case: Case) -> float:
    resumed = sum(visit.kind is Kind.RESUMED for visit in case.visits)
    return round(share(resumed, len(case.visits)) or 0.0, 4)


BROWSERS: Final = Scenario(
    "racing-browsers",
    "how many connections of a browser are resumed if it opens several at once?",
    "Browsers open 1 to 8 connections at the same moment, with one ticket each or all with the same.",
    Size(clients=10, hours=4, servers=3),
    play,
)
