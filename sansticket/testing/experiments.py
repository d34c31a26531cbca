"""What the rules for stores and for recorders are tried with: callers at the same time, and what a broken rule says."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from inspect import iscoroutinefunction
from threading import Barrier
from typing import Any, ClassVar, Final, Generic, TypeVar

from attrs import field, fields

from sansticket.config.base import Config
from sansticket.values import frozen

S = TypeVar("S")
B = TypeVar("B")
T = TypeVar("T")

CALLERS: Final = 8
"""How many want the same thing at the same time."""

ROUNDS: Final = 25
"""How often that is tried: a race is not lost every time."""

BRIEF: Final = 2
"""Seconds of the lifetime of what is to expire."""


def random(length: int) -> bytes:
    """That many bytes from the source that is a config's default."""
    source: Any = fields(Config).entropy.default
    made: bytes = source(length)
    return made


class BrokenRule(AssertionError):
    """A store or a recorder does not do what a rule demands."""


@frozen
class Experiment(Generic[S, B, T]):
    """``name`` is short and unique, ``why`` is a sentence.

    ``S`` is what several servers share (a store, a recorder), ``B`` the same where it blocks, and ``T`` what the rule
    works with.
    """

    name: str
    why: str
    _experiment: Callable[[T], Coroutine[Any, Any, None]] = field(repr=False, alias="experiment")

    SUBJECT: ClassVar[str]
    """What it is a rule for."""
    OPERATION: ClassVar[str]
    """One method of that."""
    TRIAL: ClassVar[Callable[..., Any]]
    """Makes a ``T``."""
    UNBLOCKED: ClassVar[Callable[..., Any]]
    """Makes an ``S`` that never waits of a ``B``."""

    async def check(
        self,
        one: S,
        *others: S,
        now: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
        gather: Callable[..., Awaitable[Sequence[Any]]],
    ) -> None:
        """Raises ``BrokenRule``.  ``others`` are the same one as other servers have it.  ``gather`` runs several
        coroutines at once and gives their results, as ``asyncio.gather`` does.
        """
        await self._try(self.TRIAL((one, *others), now, sleep, gather))

    def check_blocking(
        self,
        one: B,
        *others: B,
        now: Callable[[], float],
        sleep: Callable[[float], object],
    ) -> None:
        """The same for one that is used by threads.  TypeError for one that has to be awaited."""
        for each in (one, *others):
            if iscoroutinefunction(getattr(each, self.OPERATION)):
                kind = type(each).__name__
                raise TypeError(f"{kind} has to be awaited; expected a {self.SUBJECT} for ``check``")

        async def pause(seconds: float) -> None:
            sleep(seconds)

        unblocked = map(self.UNBLOCKED, (one, *others))
        finish_with_threads(self.check(*unblocked, now=now, sleep=pause, gather=in_threads))

    async def _try(self, trial: T) -> None:
        try:
            await self._experiment(trial)
        except BrokenRule as broken:
            raise BrokenRule(f"{self.name}: {broken}. {self.why}") from None

    def __str__(self) -> str:
        return self.name


def finish_with_threads(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run what waits for nothing but ``in_threads``, with as many changes of thread as there can be."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        _finish(coroutine)
    finally:
        sys.setswitchinterval(interval)


async def in_threads(*coroutines: Coroutine[Any, Any, Any]) -> Sequence[Any]:
    """Each in a thread of its own, all starting together."""
    start = Barrier(len(coroutines))

    def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
        start.wait()
        return _finish(coroutine)

    with ThreadPoolExecutor(len(coroutines)) as threads:
        return list(threads.map(run, coroutines))


def _finish(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that never waits."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    raise AssertionError("nothing in it can wait")
