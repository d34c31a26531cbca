"""Ticket keys that change every hour, and clocks that are wrong."""

from __future__ import annotations

from typing import Final

from sansticket.fleet.figures import curve, early_data, handshakes, resumption
from sansticket.fleet.plan import WindowedKeys
from sansticket.fleet.report import Picture, Report, Size
from sansticket.fleet.scenarios.base import Scenario, Setting

KEYS: Final = WindowedKeys(period=3600, clock_skew=300)
SKEWS: Final = {
    "right clocks": 0,
    "wrong by up to 150 s": 150,
    "by up to 15 min": 900,
    "by up to 45 min": 2700,
}
COMES_BACK: Final = 600.0
PARTS_OF_AN_HOUR: Final = 12


def play(setting: Setting) -> Report:
    cases = [
        setting.played(name, setting.fleet(keys=KEYS, skew=skew, early_data=1000), COMES_BACK)
        for name, skew in SKEWS.items()
    ]
    return Report(
        scenario=ROTATION.name,
        title=ROTATION.title,
        size=setting.size,
        tables=(resumption(cases, "clocks"), early_data(cases), handshakes(cases[:1])),
        picture=Picture(
            x="minutes past the hour, when keys change",
            y="tickets shown that were resumed",
            curves=tuple(
                curve(case.name, case.visits, lambda visit: visit.began / 60 % 60, 60, PARTS_OF_AN_HOUR)
                for case in cases
            ),
        ),
        notes=(
            f"Keys change every {KEYS.period:,.0f} s and open for clocks that differ by {KEYS.clock_skew:,.0f} s. "
            "Two clocks that are each wrong by 150 s differ by 300 s at most: no ticket is refused.",
            "A server that is further ahead seals with a key that others do not know yet; the turn of the hour is "
            "where that shows.",
            "Early data needs better clocks than tickets do: it is refused where the clocks of the server that made "
            "the ticket and of the one that gets it differ by more than 10 s.",
        ),
    )


ROTATION: Final = Scenario(
    "rotation",
    "what do wrong clocks cost where ticket keys change every hour?",
    "Clients come back every ten minutes on average, to any of the servers, whose clocks are wrong by more and more.",
    Size(clients=20, hours=6, servers=6),
    play,
)
