"""Servers that are restarted one after the other, as for an update."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from sansticket.fleet.figures import early_data, handshakes, memory, over_time, resumption
from sansticket.fleet.fleets import Fleet
from sansticket.fleet.plan import OwnKeys, StoredSessions, WindowedKeys
from sansticket.fleet.report import Picture, Report, Size, number_of
from sansticket.fleet.scenarios.base import Scenario, Setting

COMES_BACK: Final = 900.0
DOWN: Final = 30.0
"""Seconds that a server needs to come back."""

PLANS: Final[Mapping[str, Any]] = {
    "own keys, any server": {"keys": OwnKeys()},
    "own keys, always the same": {"keys": OwnKeys(), "sticky": True},
    "windowed keys": {"keys": WindowedKeys()},
    "shared store": {"keys": StoredSessions()},
}


def play(setting: Setting) -> Report:
    cases = []
    for name, plan in PLANS.items():
        fleet = setting.fleet(**plan, early_data=1000)
        _plan_restarts(fleet, setting.seconds)
        cases.append(setting.played(name, fleet, COMES_BACK))
    return Report(
        scenario=RESTARTS.name,
        title=RESTARTS.title,
        size=setting.size,
        tables=(resumption(cases), early_data(cases), handshakes(cases), memory(cases)),
        picture=Picture(
            x="hours (restarts from a third to two thirds of the time)",
            y="tickets shown that were resumed",
            curves=tuple(
                over_time(case, setting.size.hours, min(24, 3 * setting.size.hours)) for case in cases
            ),
        ),
        notes=(
            f"Each server is down for {DOWN:.0f} s, one after the other, in the middle third of the time. Clients go "
            "to those that are up; a connection that is cut is tried once more.",
            "Own keys resume on the server that made the ticket: of "
            f"{number_of(setting.size.servers, 'server')} that any client may meet 1 in {setting.size.servers}, and "
            "none of what was made before its restart.",
            "Shared keys and a shared store are not touched by a restart. A server that has just begun refuses early "
            "data for 20 s: it cannot know what it accepted before.",
        ),
    )


def _plan_restarts(fleet: Fleet, seconds: float) -> None:
    third = seconds / 3
    for server in fleet.servers:
        when = third + third * server.number / len(fleet.servers)
        fleet.world.after(when, partial(fleet.restart, server.number, DOWN))


RESTARTS: Final = Scenario(
    "rolling-restart",
    "what does it cost to restart all servers, one after the other?",
    "Every server is restarted once, with nothing in its memory; four fleets differ in what their servers share.",
    Size(clients=30, hours=6, servers=6),
    play,
)
