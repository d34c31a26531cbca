"""Somebody who records first flights with early data, and sends them again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sansticket.fleet.attackers import Replayer
from sansticket.fleet.figures import Case, early_data
from sansticket.fleet.plan import OwnKeys, Recorders, StoredSessions, WindowedKeys
from sansticket.fleet.report import WORDS, Column, Curve, Picture, Report, Size, Table
from sansticket.fleet.scenarios.base import Scenario, Setting

COMES_BACK: Final = 900.0
LATER: Final = (0.1, 5.0, 60.0)
"""Seconds after which the attacker sends what he heard, each time to all servers."""

PLANS: Final[Mapping[str, Any]] = {
    "own keys": {"keys": OwnKeys(), "sticky": True},
    "windowed keys, own recorders": {"keys": WindowedKeys()},
    "windowed keys, one recorder": {"keys": WindowedKeys(), "recorders": Recorders.SHARED},
    "shared store, own recorders": {"keys": StoredSessions()},
}


def play(setting: Setting) -> Report:
    numbers = range(1, setting.size.servers + 1)
    played = {(name, number): _attacked(setting, name, number) for name in PLANS for number in numbers}
    cases = {
        case.name: (case, attacker)
        for (_, number), (case, attacker) in played.items()
        if number == numbers[-1]
    }
    return Report(
        scenario=REPLAYS.name,
        title=REPLAYS.title,
        size=setting.size,
        tables=(early_data(case for case, _ in cases.values()), _attacks(cases)),
        picture=Picture(
            x="servers",
            y="deliveries of one request, at most",
            curves=tuple(
                Curve(
                    name,
                    tuple(
                        (number, max(played[name, number][0].fleet.delivered.values(), default=0))
                        for number in numbers
                    ),
                )
                for name in PLANS
            ),
            share=False,
        ),
        notes=(
            f"The attacker sends every flight that he hears to all servers, after "
            f"{', '.join(f'{seconds:g}' for seconds in LATER)} s.",
            "Each recorder accepts a ClientHello once, so a request is delivered as often as there are recorders whose "
            "servers can open its ticket: once with own keys, with one recorder for all, and with tickets for one use.",
        ),
    )


def _attacked(setting: Setting, name: str, servers: int) -> tuple[Case, Replayer]:
    fleet = setting.fleet(**PLANS[name], early_data=1000, servers=servers)
    attacker = Replayer(fleet, LATER)
    return setting.played(name, fleet, COMES_BACK), attacker


def _attacks(cases: dict[str, tuple[Case, Replayer]]) -> Table:
    columns = (
        Column("case", WORDS),
        Column("flights heard"),
        Column("sent again"),
        Column("delivered by that"),
    )
    rows = (
        (name, attacker.heard, attacker.sent, attacker.delivered) for name, (_, attacker) in cases.items()
    )
    return Table("The attacker", columns, tuple(rows))


REPLAYS: Final = Scenario(
    "replays",
    "how often is replayed early data delivered?",
    "An attacker records the first flights of all clients and sends them to every server, a moment later and again.",
    Size(clients=8, hours=3, servers=4),
    play,
)
