"""A store of sessions that loses everything, is gone, and answers nothing."""

from __future__ import annotations

from functools import partial
from statistics import mean
from typing import Final

from sansticket.fleet.figures import RESUMPTION_COLUMNS, Case, handshakes, memory, over_time, resumption_row
from sansticket.fleet.plan import StoredSessions, WindowedKeys
from sansticket.fleet.report import WORDS, Column, Picture, Report, Size, Table
from sansticket.fleet.scenarios.base import Scenario, Setting
from sansticket.fleet.store import Condition, Store

COMES_BACK: Final = 900.0
PHASES: Final = (
    ("works", Condition.UP),
    ("restarted, empty", Condition.UP),
    ("is gone", Condition.GONE),
    ("answers nothing", Condition.SILENT),
    ("works again", Condition.UP),
)
"""Each lasts for a fifth of the time."""


def play(setting: Setting) -> Report:
    fleet = setting.fleet(keys=StoredSessions())
    for number, (name, condition) in enumerate(PHASES):
        begins = number * setting.seconds / len(PHASES)
        fleet.world.after(begins, partial(_change, fleet.shared.store, condition, "empty" in name))
    stored = setting.played("shared store", fleet, COMES_BACK)
    keys = setting.played("windowed keys", setting.fleet(keys=WindowedKeys()), COMES_BACK)
    parts = len(PHASES) * 4
    return Report(
        scenario=OUTAGE.name,
        title=OUTAGE.title,
        size=setting.size,
        tables=(_phases(stored, setting.seconds), handshakes([stored, keys]), memory([stored])),
        picture=Picture(
            x=f"hours: the store {', '.join(name for name, _ in PHASES)}",
            y="tickets shown that were resumed",
            curves=tuple(over_time(case, setting.size.hours, parts) for case in (stored, keys)),
        ),
        notes=(
            "A visit that finds no store is a full handshake, and no failure. While the store is gone tickets are made "
            "that nobody will find: each costs another full handshake, also once the store is back.",
            "While it answers nothing a handshake waits a quarter of a second for the look-up, and another to write.",
        ),
    )


def _change(store: Store | None, condition: Condition, loses: bool) -> None:
    if store is not None:
        store.condition = condition
        if loses:
            store.lose()


def _phases(case: Case, seconds: float) -> Table:
    length = seconds / len(PHASES)
    rows = []
    for number, (name, _) in enumerate(PHASES):
        visits = [visit for visit in case.visits if number * length <= visit.began < (number + 1) * length]
        waits = round(mean(visit.seconds for visit in visits) * 1000) if visits else None
        rows.append((name, waits, *resumption_row(visits)))
    columns = (Column("the store", WORDS), Column("ms each"), *RESUMPTION_COLUMNS)
    return Table("Resumption", columns, tuple(rows))


OUTAGE: Final = Scenario(
    "store-outage",
    "what happens when the store of sessions dies?",
    "A store is emptied, refuses connections, then answers nothing, and comes back; beside it a fleet without a store.",
    Size(clients=40, hours=10, servers=3),
    play,
)
