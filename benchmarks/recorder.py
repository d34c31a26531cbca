"""What it costs to remember ClientHellos: time and memory, with a million of them in the window."""

from __future__ import annotations

import statistics
import tracemalloc
from time import process_time, process_time_ns

from attrs import frozen

from sansticket import ReplayRecorder

HELLOS = 1_000_000
WINDOW = 20.0
SLICE = 10_000


@frozen
class RecorderCosts:
    """``mean`` and ``slow`` in microseconds of a claim, ``size`` in bytes of a hello.

    ``slow``: of each 10,000 claims the slowest, and of these the median.
    """

    hellos: int
    mean: float
    slow: float
    size: float


def recorder_costs() -> RecorderCosts:
    tracemalloc.start()
    recorder = ReplayRecorder(WINDOW, max_hellos=2 * HELLOS, since=-WINDOW - 1)
    _fill(recorder, 0, 2 * HELLOS)
    size = tracemalloc.get_traced_memory()[0] / len(recorder)
    tracemalloc.stop()
    begin = process_time()
    _fill(recorder, 2 * HELLOS, 3 * HELLOS)
    mean = (process_time() - begin) / HELLOS
    slowest = [_slowest(recorder, start) for start in range(3 * HELLOS, 4 * HELLOS, SLICE)]
    return RecorderCosts(HELLOS, mean * 1e6, statistics.median(slowest) / 1000, size)


def _fill(recorder: ReplayRecorder, start: int, end: int) -> None:
    for number in range(start, end):
        assert recorder.claim(number.to_bytes(32, "big"), number * WINDOW / HELLOS)


def _slowest(recorder: ReplayRecorder, start: int) -> int:
    """Nanoseconds."""
    most = 0
    for number in range(start, start + SLICE):
        key, now = number.to_bytes(32, "big"), number * WINDOW / HELLOS
        begin = process_time_ns()
        recorder.claim(key, now)
        most = max(most, process_time_ns() - begin)
    return most
