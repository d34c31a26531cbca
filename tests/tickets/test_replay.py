"""The recorder of ClientHellos: at most once within the window, whatever the clock does, in bounded memory and time."""

from __future__ import annotations

import copy
import os
import pickle
import sys
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from math import inf, nan
from threading import Barrier
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from sansticket import ConfigError, ReplayRecorder
from sansticket.tickets.stores import replay
from sansticket.tickets.stores.replay import FORGOTTEN_AT_ONCE, PERIODS
from tests.support.forked import CAN_FORK, MAY_HAVE_THREADS, forked

NOW = 1_700_000_000.0
WINDOW = 20.0


def key(number: int) -> bytes:
    return number.to_bytes(32, "big")


def warm(**options: Any) -> ReplayRecorder:
    """Its first window has passed."""
    return ReplayRecorder(WINDOW, since=NOW - WINDOW - 1, **options)


def test_a_hello_is_claimed_once() -> None:
    recorder = warm()
    assert recorder.claim(key(1), NOW)
    assert not recorder.claim(key(1), NOW)
    assert recorder.claim(key(2), NOW)
    assert not recorder.claim(key(1), NOW + WINDOW)
    assert len(recorder) == 2


def test_keys_are_any_bytes_and_every_byte_counts() -> None:
    recorder = warm()
    keys = [b"", bytes(1), bytes(2), b"*", bytes(10_000), bytes(9_999) + b"\1", bytes(31) + b"\2"]
    assert [recorder.claim(each, NOW) for each in keys + keys] == [True] * 7 + [False] * 7


@pytest.mark.parametrize("since", [None, NOW])
def test_nothing_is_claimed_before_the_first_window_has_passed(since: float | None) -> None:
    recorder = ReplayRecorder(WINDOW, since=since)
    for seconds in (0, 1, WINDOW - 1, WINDOW):
        assert not recorder.claim(key(1), NOW + seconds)
    assert recorder.claim(key(1), NOW + WINDOW + 0.001), (
        "a hello that was refused was not accepted, and is new"
    )


def test_a_clock_behind_the_beginning_is_refused() -> None:
    recorder = ReplayRecorder(WINDOW, since=NOW)
    assert not recorder.claim(key(1), NOW - 3600)
    assert not recorder.claim(key(1), NOW)


def test_there_may_never_have_been_a_hello() -> None:
    assert ReplayRecorder(WINDOW, since=-inf).claim(key(1), -1e9)


def test_what_is_over_is_forgotten() -> None:
    recorder = warm()
    recorder.claim(key(1), NOW)
    later = NOW + WINDOW + WINDOW / PERIODS + 0.001
    assert recorder.claim(key(1), later)
    assert len(recorder) == 1


def test_a_clock_that_is_set_back_lets_nothing_through() -> None:
    """It comes to the time again at which a hello was accepted that has been forgotten since."""
    recorder = warm()
    assert recorder.claim(key(1), NOW)
    assert recorder.claim(key(2), NOW + 1000)
    assert len(recorder) == 1
    for seconds in (-WINDOW, 0, 5, WINDOW):
        assert not recorder.claim(key(1), NOW + seconds)
    assert recorder.claim(key(3), NOW + WINDOW + 1), "the first is out of its time, the second still known"
    assert not recorder.claim(key(2), NOW + 1000 - WINDOW)


def test_hellos_of_the_same_moment_are_all_refused_until_the_last_is_out_of_its_time() -> None:
    recorder = warm()
    second = NOW + WINDOW / PERIODS / 2
    assert recorder.claim(key(1), NOW)
    assert recorder.claim(key(2), second)
    assert recorder.claim(key(3), NOW + 2 * WINDOW)
    assert len(recorder) == 1
    assert not recorder.claim(key(2), second + WINDOW)
    assert recorder.claim(key(2), second + WINDOW + 0.001)


def test_a_clock_that_is_set_back_a_little_costs_nothing() -> None:
    recorder = warm()
    for number in range(10_000):
        time = NOW + number / 100
        assert recorder.claim(key(number), time - number % 2 * WINDOW / PERIODS)


@pytest.mark.parametrize("time", [nan, inf, -inf, 10**400])
def test_a_clock_that_says_no_time_claims_nothing_and_changes_nothing(time: float) -> None:
    recorder = warm()
    assert not recorder.claim(key(1), time)
    assert recorder.claim(key(1), NOW)


def test_a_full_recorder_refuses_and_forgets_nothing() -> None:
    recorder = warm(max_hellos=3)
    assert [recorder.claim(key(number), NOW + number) for number in range(5)] == [True] * 3 + [False] * 2
    assert not any(recorder.claim(key(number), NOW + WINDOW) for number in range(6))
    assert recorder.claim(key(5), NOW + WINDOW * 2)


def test_no_call_forgets_many() -> None:
    recorder = warm(max_hellos=100)
    for number in range(100):
        assert recorder.claim(key(number), NOW)
    sizes = []
    for number in range(100, 140):
        assert recorder.claim(key(number), NOW + 2 * WINDOW)
        sizes.append(len(recorder))
    gone_after = 100 // FORGOTTEN_AT_ONCE
    assert sizes == [100 - 3 * call for call in range(1, gone_after + 1)] + [*range(gone_after + 1, 41)]


def test_one_that_is_over_is_refused_as_long_as_others_are_forgotten_first() -> None:
    recorder, later = warm(), NOW + WINDOW * (1 + 2 / PERIODS)
    for number in range(FORGOTTEN_AT_ONCE + 1):
        assert recorder.claim(key(number), NOW)
    assert not recorder.claim(key(FORGOTTEN_AT_ONCE), later)
    assert recorder.claim(key(FORGOTTEN_AT_ONCE), later)


@pytest.mark.parametrize("count", [1000, 20_000])
def test_a_hello_takes_at_most_200_bytes(count: int) -> None:
    """Also where as many are forgotten as come."""
    tracemalloc.start()
    try:
        recorder = warm()
        empty = tracemalloc.get_traced_memory()[0]
        most = 0.0
        for number in range(3 * count):
            assert recorder.claim(key(number), NOW + number * WINDOW / count)
            if number % (count // 4) == 0 and number >= count:
                most = max(most, (tracemalloc.get_traced_memory()[0] - empty) / len(recorder))
    finally:
        tracemalloc.stop()
    assert len(recorder) <= count * (1 + 2 / PERIODS) + 1
    assert 50 < most <= 200
    assert empty < 100_000


def test_many_threads_claim_each_hello_once() -> None:
    recorder = warm()
    threads, hellos = 8, 400
    start = Barrier(threads)

    def claim(_: int) -> list[bool]:
        start.wait()
        return [recorder.claim(key(number), NOW) for number in range(hellos)]

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(threads) as pool:
            answers = list(pool.map(claim, range(threads)))
    finally:
        sys.setswitchinterval(interval)
    assert [sum(each) for each in zip(*answers, strict=True)] == [1] * hellos


def test_copies_are_the_recorder_itself() -> None:
    recorder = warm()
    assert copy.copy(recorder) is recorder
    assert copy.deepcopy({"in a config": recorder})["in a config"] is recorder


def test_out_of_a_pickle_comes_one_that_claims_nothing() -> None:
    recorder = warm(max_hellos=7)
    assert recorder.claim(key(1), NOW)
    other = pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(recorder))))
    for seconds in (0, 100, 1000):
        assert not any(other.claim(key(number), NOW + seconds) for number in (1, 2))
    assert (other.window, other.max_hellos, len(other)) == (WINDOW, 7, 0)
    assert repr(other) == "ReplayRecorder(0 of 7, 20.0 s, of another process: claims nothing)"
    assert recorder.claim(key(2), NOW)


def test_another_process_claims_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = warm()
    monkeypatch.setattr(replay, "getpid", lambda: os.getpid() + 1)
    assert not recorder.claim(key(1), NOW)
    assert "of another process" in repr(recorder)
    monkeypatch.undo()
    assert recorder.claim(key(1), NOW)


@CAN_FORK
@MAY_HAVE_THREADS
def test_a_forked_process_claims_nothing() -> None:
    """Nor does it wait for a lock that a thread held that it has not."""
    recorder = warm()
    with recorder._lock:
        assert not forked(lambda: recorder.claim(key(1), NOW))
    assert recorder.claim(key(1), NOW)


def test_it_shows_no_keys() -> None:
    recorder = warm()
    recorder.claim(b"a binder", NOW)
    assert repr(recorder) == "ReplayRecorder(1 of 1000000, 20.0 s)"


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"window": 0}, "window"),
        ({"window": -1}, "window"),
        ({"window": nan}, "window"),
        ({"window": inf}, "window"),
        ({"window": "20"}, "window"),
        ({"window": True}, "window"),
        ({"max_hellos": 0}, "max_hellos"),
        ({"max_hellos": -(10**5000)}, "max_hellos"),
        ({"max_hellos": 1.5}, "max_hellos"),
        ({"since": nan}, "since"),
        ({"since": 10**400}, "since"),
        ({"since": -(10**5000)}, "since"),
        ({"since": "now"}, "since"),
    ],
)
def test_what_cannot_work_is_refused(arguments: dict[str, Any], field: str) -> None:
    with pytest.raises(ConfigError, match=field):
        ReplayRecorder(**arguments)


def test_a_key_is_bytes() -> None:
    recorder: Any = warm()
    with pytest.raises(ConfigError, match="key: a value of type str; expected bytes"):
        recorder.claim("binder", NOW)


class RecorderMachine(RuleBasedStateMachine):
    """Against a model that remembers everything, with a clock that goes as it likes."""

    def __init__(self) -> None:
        super().__init__()
        self.recorder = ReplayRecorder(WINDOW, max_hellos=12, since=NOW)
        self.now = self.latest = NOW
        self.steady = True  # the clock never went back
        self.accepted: dict[int, list[float]] = {}
        self.times: list[float] = []
        self.order: list[int] = []  # the numbers that were accepted at these times

    @rule(seconds=st.floats(0, 8))
    def time_passes(self, seconds: float) -> None:
        self.set(self.now + seconds)

    @rule(seconds=st.floats(-100, 100))
    def the_clock_is_set(self, seconds: float) -> None:
        self.steady = self.steady and seconds >= 0
        self.set(self.now + seconds)

    @rule(back=st.integers(1, 6), seconds=st.sampled_from([-WINDOW, -WINDOW / 2, 0, WINDOW / 2, WINDOW]))
    def the_clock_is_set_to_where_a_hello_was_accepted(self, back: int, seconds: float) -> None:
        if self.times:
            time = self.times[-min(back, len(self.times))] + seconds
            self.steady = self.steady and time >= self.now
            self.set(time)

    def set(self, time: float) -> None:
        self.now = time
        self.latest = max(self.latest, time)

    @rule(number=st.integers(0, 9))
    def a_hello_comes(self, number: int) -> None:
        self.claim(number)

    @rule(count=st.integers(1, 15))
    def new_hellos_come(self, count: int) -> None:
        for _ in range(count):
            self.claim(10 + len(self.times))

    @rule()
    def all_are_replayed(self) -> None:
        for number in list(self.accepted):
            self.claim(number)

    def claim(self, number: int) -> None:
        before = len(self.recorder)
        remembered = self.order[len(self.order) - before :]
        claimed = self.recorder.claim(key(number), self.now)
        in_time = [time for time in self.accepted.get(number, []) if abs(time - self.now) <= WINDOW]
        if claimed:
            assert not in_time, "it may be a replay"
            assert self.now > NOW + WINDOW
            assert before <= 12
            self.accepted.setdefault(number, []).append(self.now)
            self.times.append(self.now)
            self.order.append(number)
        elif self.steady and self.now > NOW + WINDOW:
            lately = [time for time in self.times if time >= self.now - WINDOW * (1 + 2 / PERIODS)]
            known = any(time in lately for time in self.accepted.get(number, []))
            known = known or number in remembered[FORGOTTEN_AT_ONCE:]  # over, behind others that went first
            assert known or before > 12 - FORGOTTEN_AT_ONCE, "it is new, and there is room"

    @invariant()
    def memory_is_bounded(self) -> None:
        recorder = self.recorder
        assert (
            len(recorder) == sum(map(len, recorder._known)) == sum(each.count for each in recorder._periods)
        )
        assert len(recorder) <= 12
        assert all(each.count for each in recorder._periods)


TestRecorderMachine = RecorderMachine.TestCase
