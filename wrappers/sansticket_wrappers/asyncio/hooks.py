"""What an application does on a connection, and why one has failed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from attrs import evolve, field, frozen

from sansticket import AbortHandshake, Command, Event, Question, events
from sansticket_wrappers.answers import HARMLESS, Answers, without_answer

Q = TypeVar("Q", bound=Question)
T = TypeVar("T")

log = logging.getLogger(__name__)


class TLSError(ConnectionError):
    """TLS has failed, or was cut off; ``event`` says why."""

    def __init__(self, event: events.ConnectionTerminated) -> None:
        super().__init__(str(event))
        self.event = event


Watch = Callable[[Sequence[Event]], None]
"""Sees what happens, and cannot change it."""

DATA = (events.DataReceived, events.EarlyDataReceived)


@frozen
class Hooks:
    """What the application does on one connection, asynchronously.  Nothing is read or written meanwhile.

    ``answers``: a coroutine function for each class of questions that the config answers with ``ASK``.
    ``observe``: gets what has happened (except where that is data only) before the bytes are written that it
    caused.  With ``TicketIssued`` among it, it can put the session into a store before the client has the ticket.
    ``application``: called with the socket's transport before anything is asked or happens; what it returns is the
    ``application`` of the connection, which every question and event has.
    """

    answers: Mapping[type[Question], Callable[[Any], Awaitable[Command]]] = field(factory=dict)
    observe: Callable[[Sequence[Event]], Awaitable[None]] | None = None
    application: Callable[[asyncio.Transport], Any] | None = None

    def concerns(self, happened: Sequence[Event]) -> bool:
        if self.observe is None:
            return bool(happened) and isinstance(happened[-1], Question)  # nothing happens behind one
        return any(type(event) not in DATA for event in happened)

    async def answer(self, question: Question) -> Command:
        handler = self.answers.get(type(question))
        return AbortHandshake() if handler is None else await handler(question)

    def with_answers(self, answers: Answers, timeout: float) -> Hooks:
        """The same, and ``answers`` for the questions that are not answered here, each within ``timeout`` seconds."""
        if not answers:
            return self
        bounded = {kind: in_time(function, timeout) for kind, function in answers.items()}
        return evolve(self, answers={**bounded, **self.answers})


NO_HOOKS: Final = Hooks()
"""The same for all connections that have none."""


def in_time(function: Callable[[Q], Awaitable[Command]], timeout: float) -> Callable[[Q], Awaitable[Command]]:
    """The answer of ``function``, or what stands for it after ``timeout`` seconds: docs/wrappers.md has the table.

    Where ``function`` raises the same stands for the answer to a ``HARMLESS`` question; the exception is logged.
    """

    async def answer(question: Q) -> Command:
        try:
            async with asyncio.timeout(timeout):
                return await function(question)
        except TimeoutError:
            return without_answer(question)
        except (Exception, asyncio.CancelledError):
            if was_cancelled() or not isinstance(question, HARMLESS):
                raise
            log.warning("answer to %s failed", type(question).__name__, exc_info=True)
            return without_answer(question)

    return answer


async def bounded(hook: Awaitable[T], timeout: float) -> T:
    """What it gives.  TimeoutError if it takes longer than ``timeout`` seconds."""
    limit = asyncio.timeout(timeout)
    try:
        async with limit:
            return await hook
    except TimeoutError as error:
        if limit.expired() and not error.args:
            raise TimeoutError("an answer of the application took too long") from error
        raise


def was_cancelled() -> bool:
    """Whether somebody has cancelled this very task, and not only what it waits for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def cancelled_within(error: asyncio.CancelledError) -> Exception:
    """For those who did not cancel anything: a CancelledError would stop them, too."""
    failure = ConnectionAbortedError("what a hook waited for was cancelled")
    failure.__cause__ = error
    return failure
