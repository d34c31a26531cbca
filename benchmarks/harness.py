"""Interleaved contenders, CPU time, ratios inside a round.

The speed of a shared machine changes from second to second, so that a time alone means little.  Here every
contender runs in every round, the order is rotated, the time is that of a process's CPU, and what is
reported is the median over the rounds of the ratio to one of them.
"""

from __future__ import annotations

import gc
import statistics
from collections.abc import Callable, Mapping
from pathlib import Path
from time import process_time

from attrs import frozen

Operation = Callable[[], object]

Run = Callable[[int], float]
"""Does something so many times; the seconds of CPU time that one took."""


@frozen
class Plan:
    """``rounds`` rounds, each contender for about ``seconds`` of CPU time in each.

    What grows does so up to ``largest``; ``pictures`` is the folder for its pictures, and without one there are none.
    """

    rounds: int = 15
    seconds: float = 0.05
    largest: int = 1_000_000
    pictures: Path | None = None


@frozen
class Measured:
    """Seconds per operation of one contender, one number for each round."""

    seconds: tuple[float, ...]

    @property
    def best(self) -> float:
        """The fastest round: the nearest to what it costs without neighbours."""
        return min(self.seconds)

    def times(self, base: Measured) -> float:
        """How many times as long as ``base``: the median of the rounds."""
        return statistics.median(mine / other for mine, other in zip(self.seconds, base.seconds, strict=True))


def measure(contenders: Mapping[str, Operation], plan: Plan) -> dict[str, Measured]:
    """Time per operation of each contender, all of them in this process."""
    return measure_runs({name: here(operation) for name, operation in contenders.items()}, plan)


def measure_runs(contenders: Mapping[str, Run], plan: Plan) -> dict[str, Measured]:
    """Time per operation of each contender, wherever it runs."""
    repeats = {name: _repeats(run, plan.seconds) for name, run in contenders.items()}
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    order = list(contenders)
    for _ in range(plan.rounds):
        for name in order:
            seconds[name].append(contenders[name](repeats[name]))
        order.append(order.pop(0))
    return {name: Measured(tuple(values)) for name, values in seconds.items()}


def here(operation: Operation) -> Run:
    """In this process."""

    def run(count: int) -> float:
        gc.collect()
        start = process_time()
        for _ in range(count):
            operation()
        return (process_time() - start) / count

    return run


def _repeats(run: Run, seconds: float) -> int:
    """How often the operation fits into a round.  It warms the operation up, too."""
    count = 1
    while (taken := count * run(count)) < seconds / 4:
        count *= 2
    return max(1, round(count * seconds / taken))
