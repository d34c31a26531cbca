"""What a scenario is: a name, what it asks, how much of it is simulated, and the function that does it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import evolve, field

from sansticket.fleet.figures import Case
from sansticket.fleet.fleets import Fleet
from sansticket.fleet.plan import Plan
from sansticket.fleet.report import Report, Size
from sansticket.fleet.visits import Stopwatch
from sansticket.fleet.world import World
from sansticket.values import frozen


@frozen
class Setting:
    """What a scenario is played with: a ``size``, and a ``stopwatch`` where times are wanted, otherwise None."""

    size: Size
    stopwatch: Stopwatch | None

    @property
    def seconds(self) -> float:
        """Of the world."""
        return self.size.hours * 3600.0

    def fleet(self, **plan: Any) -> Fleet:
        """One in a world of its own, in which all but the plan is as in the others of this setting."""
        return Fleet(
            World(self.size.seed), Plan(**{"servers": self.size.servers, **plan}), stopwatch=self.stopwatch
        )

    def played(self, name: str, fleet: Fleet, mean: float, **populated: Any) -> Case:
        """All clients come back, each after ``mean`` seconds on average, until the time is over."""
        fleet.populate(self.size.clients, mean, **populated)
        fleet.world.run(self.seconds)
        return Case(name, fleet)


@frozen
class Scenario:
    """``name`` is a word, ``title`` a question, ``how`` what is done to find the answer, ``size`` what is played if
    nothing is said."""

    name: str
    title: str
    how: str
    size: Size
    _play: Callable[[Setting], Report] = field(repr=False)

    def run(self, *, stopwatch: Stopwatch | None = None, **size: int) -> Report:
        """Play it with another ``clients``, ``hours``, ``servers`` or ``seed``.

        ``stopwatch``, such as ``time.process_time``, adds times to the table of handshakes; without it the same
        arguments give the same report.  ConfigError for a size that is out of range, TypeError for an argument of
        another name.
        """
        return self._play(Setting(evolve(self.size, **size), stopwatch))
