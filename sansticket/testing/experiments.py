"""What the rules for stores and for recorders are tried with: callers at the same time, and what a broken rule says."""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from inspect import iscoroutinefunction
from threading import Barrier
from typing import Any, Final, Generic, TypeVar

from attrs import field, fields, frozen

from sansticket.config.base import Config

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
class Experiment(Generic[T]):
    """``name`` is short and unique, ``why`` is a sentence.  ``T`` is what it is tried with."""

    name: str
    why: str
    _experiment: Callable[[T], Coroutine[Any, Any, None]] = field(repr=False, alias="experiment")

    async def _try(self, trial: T) -> None:
        try:
            await self._experiment(trial)
        except BrokenRule as broken:
            raise BrokenRule(f"{self.name}: {broken}. {self.why}") from None

    def __str__(self) -> str:
        return self.name


def check_blocks(one: object, operation: Callable[..., object], what: str) -> None:
    """TypeError for a store or recorder whose operations have to be awaited."""
    if iscoroutinefunction(operation):
        raise TypeError(f"{type(one).__name__} has to be awaited; expected a {what} for ``check``")


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
