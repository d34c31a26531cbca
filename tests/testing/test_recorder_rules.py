"""The rules of a recorder: kept by the package's own, and broken by recorders that have one thing wrong each."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Any

import pytest

from sansticket import ReplayRecorder
from sansticket.testing import FRESH_RECORDER_RULES, RECORDER_RULES, BrokenRule, RecorderRule
from tests.testing.test_rules import Clock

ALL = RECORDER_RULES + FRESH_RECORDER_RULES

every_rule = pytest.mark.parametrize("rule", RECORDER_RULES, ids=str)


class Recording:
    """The recorder of the package, asked as a question asks."""

    def __init__(self, clock: Clock, since: float | None) -> None:
        self.recorder, self.clock = ReplayRecorder(since=since), clock

    def claim(self, key: bytes, until: float) -> bool:
        return self.recorder.claim(key, self.clock())


class Simple:
    """As a recorder should be, by a dict whose single operations are atomic, for whom there never was anything."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.known: dict[bytes, Any] = {}
        self.clock = clock

    def claim(self, key: bytes, until: float) -> bool:
        mine = object()
        return self.known.setdefault(key, mine) is mine


class Waiting:
    """A blocking recorder behind an event loop that does other things meanwhile."""

    def __init__(self, recorder: Any) -> None:
        self.recorder = recorder

    async def claim(self, key: bytes, until: float) -> bool:
        await asyncio.sleep(0)
        claimed: bool = self.recorder.claim(key, until)
        await asyncio.sleep(0)
        return claimed


def check(rule: RecorderRule, recorder: Any, clock: Clock) -> None:
    async def sleep(seconds: float) -> None:
        clock.sleep(seconds)

    asyncio.run(rule.check(recorder, now=clock, sleep=sleep, gather=asyncio.gather))


@every_rule
def test_the_recorder_keeps_them(rule: RecorderRule) -> None:
    clock = Clock()
    recorder = Recording(clock, since=clock() - 21)
    rule.check_blocking(recorder, now=clock, sleep=clock.sleep)
    check(rule, Waiting(recorder), clock)


@pytest.mark.parametrize("rule", FRESH_RECORDER_RULES, ids=str)
@pytest.mark.parametrize("since", [None, 0])
def test_a_fresh_recorder_keeps_them(rule: RecorderRule, since: float | None) -> None:
    clock = Clock()
    recorder = Recording(clock, None if since is None else clock() - since)
    rule.check_blocking(recorder, now=clock, sleep=clock.sleep)


@every_rule
def test_a_simple_recorder_keeps_them(rule: RecorderRule) -> None:
    clock = Clock()
    rule.check_blocking(Simple(clock), now=clock, sleep=clock.sleep)
    check(rule, Waiting(Simple(clock)), clock)


def test_names_are_unique_and_reasons_given() -> None:
    assert len({rule.name for rule in ALL}) == len(ALL)
    assert all(rule.why for rule in ALL)


# --- recorders that have one thing wrong ---------------------------------------------------------------------


class Agreeable(Simple):
    def claim(self, key: bytes, until: float) -> bool:
        return True


class TwoSteps(Simple):
    """A look and a note, with time for another caller between them."""

    def claim(self, key: bytes, until: float) -> bool:
        known = key in self.known
        time.sleep(0.002)
        self.known[key] = until
        return not known


class Texts(Simple):
    """As some databases compare what they take for texts."""

    def claim(self, key: bytes, until: float) -> bool:
        return super().claim(key.decode("latin-1").rstrip("\0 ").lower().encode(), until)


class Prefixes(Simple):
    def claim(self, key: bytes, until: float) -> bool:
        return super().claim(key[:16], until)


class SharedBuffer(Simple):
    """The answer is kept in the recorder until the caller fetches it."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__(clock)
        self.lock = Lock()

    def claim(self, key: bytes, until: float) -> bool:
        with self.lock:
            self.answer = super().claim(key, until)
        time.sleep(0.002)
        return self.answer


class Forgetful(Simple):
    def claim(self, key: bytes, until: float) -> bool:
        if self.known.get(key, 0) > self.clock():
            return False
        self.known[key] = self.clock() + 1
        return True


class LastWord(Simple):
    """A note with a lifetime, which is made anew by every claim."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__(clock)
        self.lock = Lock()

    def claim(self, key: bytes, until: float) -> bool:
        with self.lock:
            known = self.known.get(key, 0) > self.clock()
            self.known[key] = until
            return not known


class Small(Simple):
    """The 1,000 latest."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__(clock)
        self.latest: OrderedDict[bytes, None] = OrderedDict()
        self.lock = Lock()

    def claim(self, key: bytes, until: float) -> bool:
        with self.lock:
            known = key in self.latest
            self.latest[key] = None
            if len(self.latest) > 1000:
                self.latest.popitem(last=False)
            return not known


class NothingOver(LastWord):
    """What is over need not be noted."""

    def claim(self, key: bytes, until: float) -> bool:
        if until < self.clock():
            return True
        return Simple.claim(self, key, until)


BROKEN: dict[str, list[type[Simple]]] = {
    "claims once": [Agreeable],
    "gives to one": [TwoSteps],
    "keeps keys apart": [Texts, Prefixes],
    "keeps callers apart": [SharedBuffer],
    "remembers long enough": [Forgetful],
    "is not put off": [LastWord],
    "remembers many": [Small],
    "takes what is over": [NothingOver],
    "begins by refusing": [Simple],
}
"""Which recorders each rule finds out."""


def test_every_rule_finds_somebody_out() -> None:
    assert set(BROKEN) == {rule.name for rule in ALL}


@pytest.mark.parametrize(
    ("rule", "kind"), [(rule, kind) for rule in ALL for kind in BROKEN[rule.name]], ids=str
)
def test_broken_recorders_are_found_out(rule: RecorderRule, kind: type[Simple]) -> None:
    clock = Clock()
    with pytest.raises(BrokenRule) as broken:
        rule.check_blocking(kind(clock), now=clock, sleep=clock.sleep)
    assert str(broken.value).startswith(f"{rule.name}: expected ")
    assert str(broken.value).endswith(f". {rule.why}")


def test_what_holds_for_one_process_only_is_found_out_by_several() -> None:
    clock = Clock()
    found = set()
    for rule in RECORDER_RULES:
        rule.check_blocking(Simple(clock), now=clock, sleep=clock.sleep)
        try:
            rule.check_blocking(*[Simple(clock) for _ in range(3)], now=clock, sleep=clock.sleep)
        except BrokenRule:
            found.add(rule.name)
    assert found == {rule.name for rule in RECORDER_RULES}


def test_two_steps_of_an_event_loop_are_found_out() -> None:
    class TwoAwaits:
        def __init__(self) -> None:
            self.known: set[bytes] = set()

        async def claim(self, key: bytes, until: float) -> bool:
            known = key in self.known
            await asyncio.sleep(0)
            self.known.add(key)
            return not known

    rule = next(rule for rule in RECORDER_RULES if rule.name == "gives to one")
    with pytest.raises(BrokenRule, match="expected one of 8 callers to get True, and 8 did"):
        check(rule, TwoAwaits(), Clock())


def test_a_recorder_that_waits_is_none_that_blocks() -> None:
    clock = Clock()
    recorder: Any = Waiting(Simple(clock))
    with pytest.raises(TypeError, match="Waiting has to be awaited; expected a recorder for ``check``"):
        RECORDER_RULES[0].check_blocking(recorder, now=clock, sleep=clock.sleep)


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ((1, 0), "True for a key that is new, and it was 1"),
        (("yes", ""), "True for a key that is new, and it was 'yes'"),
        ((True, None), "False for a key that was claimed, and it was None"),
    ],
)
def test_a_recorder_that_answers_something_else_is_told_what(answers: tuple[Any, Any], said: str) -> None:
    """What Redis says, for example."""

    class Loose(Simple):
        def claim(self, key: bytes, until: float) -> Any:
            return answers[not super().claim(key, until)]

    clock = Clock()
    with pytest.raises(BrokenRule, match=said):
        RECORDER_RULES[0].check_blocking(Loose(clock), now=clock, sleep=clock.sleep)


def test_what_a_recorder_raises_comes_through() -> None:
    class Unreachable(Simple):
        def claim(self, key: bytes, until: float) -> bool:
            raise ConnectionError("nobody there")

    clock = Clock()
    with pytest.raises(ConnectionError, match="nobody there"):
        RECORDER_RULES[0].check_blocking(Unreachable(clock), now=clock, sleep=clock.sleep)
