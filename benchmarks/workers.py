"""Processes that do what they are told over a pipe, and end with the pipe."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from typing import Any, Final, Self

from benchmarks.harness import Operation, Run, here

PATIENCE: Final = 60.0
"""Seconds that an answer may take."""


class Process:
    """``work`` in a process of its own, which is given the other end of a pipe, and ``arguments``."""

    def __init__(self, work: Callable[..., None], *arguments: Any) -> None:
        fresh = multiprocessing.get_context("spawn")
        self._pipe, theirs = fresh.Pipe()
        self._process = fresh.Process(target=work, args=(theirs, *arguments), daemon=True)
        self._process.start()
        theirs.close()

    def answer(self) -> Any:
        """What it says next.  ``TimeoutError`` if that is nothing, ``EOFError`` if it is gone."""
        if not self._pipe.poll(PATIENCE):
            raise TimeoutError(f"{self._process.name} says nothing for {PATIENCE:.0f} s")
        return self._pipe.recv()

    def ask(self, question: Any) -> Any:
        self._pipe.send(question)
        return self.answer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pipe.close()
        self._process.join(5)
        self._process.kill()


class Worker(Process):
    """Has operations, by name, that it makes itself: what one contender does to the heap is its own affair."""

    def __init__(self, make: Callable[..., Mapping[str, Operation]], *arguments: Any) -> None:
        super().__init__(_work, make, *arguments)

    def run(self, name: str) -> Run:
        """An operation, as if it were here."""

        def run(count: int) -> float:
            seconds: float = self.ask((name, count))
            return seconds

        return run


def _work(pipe: Connection, make: Callable[..., Mapping[str, Operation]], *arguments: Any) -> None:
    runs = {name: here(operation) for name, operation in make(*arguments).items()}
    while True:
        try:
            name, count = pipe.recv()
        except EOFError:
            return
        pipe.send(runs[name](count))
