"""Coroutines that answer questions, for connections that cannot wait for them themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from os import getpid
from threading import TIMEOUT_MAX, Thread
from typing import Final, TypeVar

from sansticket import Command, Question
from sansticket_wrappers.answers import ANSWER_TIMEOUT, without_answer
from sansticket_wrappers.asyncio.hooks import in_time

Q = TypeVar("Q", bound=Question)

LOOPS: Final[dict[int, asyncio.AbstractEventLoop]] = {}
"""That of each process.  A fork has its parent's too, whose thread is not there."""


def in_thread(
    function: Callable[[Q], Awaitable[Command]], *, timeout: float = ANSWER_TIMEOUT
) -> Callable[[Q], Command]:
    """A plain function for ``answers``, which lets ``function`` answer on an event loop in a thread of its own.

    All of these have one loop together, so what they share (a pool of connections to a store) may be asyncio's.  The
    thread that asks waits for at most ``timeout`` seconds, also where the loop is held up by another of them; what
    stands for an answer then is in docs/wrappers.md.
    """

    bounded, patience = in_time(function, timeout), min(timeout, TIMEOUT_MAX)

    async def ask(question: Q) -> Command:
        return await bounded(question)

    def answer(question: Q) -> Command:
        asked = asyncio.run_coroutine_threadsafe(ask(question), answering_loop())
        try:
            return asked.result(patience)
        except TimeoutError:
            asked.cancel()
            return without_answer(question)

    return answer


def answering_loop() -> asyncio.AbstractEventLoop:
    """Made when it is asked for first, and in a forked process anew; it ends with the process."""
    process = getpid()
    loop = LOOPS.get(process)
    if loop is None:
        made = asyncio.new_event_loop()
        loop = LOOPS.setdefault(process, made)
        if loop is made:
            Thread(target=run_on, args=(loop,), name="sansticket answers", daemon=True).start()
        else:  # another thread was quicker
            made.close()
    return loop


def run_on(loop: asyncio.AbstractEventLoop) -> None:
    """Until somebody stops it.  What ends a program (SystemExit) ends a loop too, and is for who asked."""
    while True:
        with suppress(SystemExit, KeyboardInterrupt):
            loop.run_forever()
            return
