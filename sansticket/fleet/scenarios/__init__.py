"""The scenarios that ship, each in a file of its own.  ``SCENARIOS`` has them by their names."""

from __future__ import annotations

from typing import Final

from sansticket.fleet.scenarios.base import Scenario, Setting
from sansticket.fleet.scenarios.browsers import BROWSERS
from sansticket.fleet.scenarios.outage import OUTAGE
from sansticket.fleet.scenarios.replays import REPLAYS
from sansticket.fleet.scenarios.restarts import RESTARTS
from sansticket.fleet.scenarios.rotation import ROTATION
from sansticket.fleet.scenarios.scale import SCALE
from sansticket.fleet.scenarios.theft import THEFT

SCENARIOS: Final = {one.name: one for one in (ROTATION, RESTARTS, OUTAGE, BROWSERS, THEFT, REPLAYS, SCALE)}

__all__ = ["SCENARIOS", "Scenario", "Setting"]
