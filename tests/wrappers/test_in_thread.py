"""The loop on which coroutines answer for sockets that block: one in each process."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import Iterator
from math import inf
from threading import Barrier, Event, Thread
from typing import Any

import pytest

from sansticket import Command, LookUpSession, ProvideSession
from sansticket_wrappers.blocking import in_thread, questions
from tests.support.command import PATIENCE
from tests.support.forked import CAN_FORK, MAY_HAVE_THREADS, forked
from tests.support.sockets import beside

QUESTION = object.__new__(LookUpSession)
"""Nothing of it is looked at but the kind."""


async def nothing(question: LookUpSession) -> Command:
    return ProvideSession(None)


@CAN_FORK
@MAY_HAVE_THREADS
def test_a_forked_process_has_a_loop_of_its_own() -> None:
    """The thread of its parent's is not there: who asked it waited for ever, time-out or not."""
    answer = in_thread(nothing)
    answer(QUESTION)

    def ask() -> Command:
        signal.alarm(20)
        return answer(QUESTION)

    assert forked(ask) == ProvideSession(None)


@pytest.fixture
def _often_interrupted(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(questions, "LOOPS", {})
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("_often_interrupted")
def test_threads_that_ask_at_once_have_one_loop() -> None:
    """What they share, a pool of connections say, is of one loop."""
    loops: list[Any] = []

    async def note(question: LookUpSession) -> Command:
        loops.append(asyncio.get_running_loop())
        return ProvideSession(None)

    def ask() -> None:
        together.wait()
        answer(QUESTION)

    answer, together = in_thread(note), Barrier(8)
    threads = [Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(loops), len(set(loops))) == (8, 1)
    (loop,) = set(loops)
    loop.call_soon_threadsafe(loop.stop)
    while loop.is_running():
        time.sleep(0.01)
    loop.close()


def test_an_answer_that_blocks_holds_up_the_others_no_longer_than_they_wait() -> None:
    begun, go_on = Event(), Event()

    async def block(question: LookUpSession) -> Command:
        begun.set()
        go_on.wait(PATIENCE)
        return ProvideSession(None)

    blocking, waiting = in_thread(block, timeout=PATIENCE), in_thread(nothing, timeout=0.05)
    with beside(blocking, QUESTION) as late:
        try:
            assert begun.wait(PATIENCE)
            started = time.monotonic()
            assert waiting(QUESTION) == ProvideSession(None)
            assert time.monotonic() - started >= 0.05
            assert not late.done()
        finally:
            go_on.set()
    assert late.result() == ProvideSession(None)
    assert in_thread(nothing, timeout=inf)(QUESTION) == ProvideSession(None)


def test_an_answer_that_ends_the_program_ends_no_other() -> None:
    async def leave(question: LookUpSession) -> Command:
        raise SystemExit("enough")

    with pytest.raises(SystemExit, match="enough"):
        in_thread(leave, timeout=PATIENCE / 10)(QUESTION)
    assert in_thread(nothing, timeout=PATIENCE)(QUESTION) == ProvideSession(None)
