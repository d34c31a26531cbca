"""What an application does on a connection, and why one has failed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from attrs import evolve, field, frozen
from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.error import ConnectionLost
from twisted.logger import Logger

from sansticket import AbortHandshake, Command, Event, Question, events
from sansticket_wrappers.answers import HARMLESS, Answers, without_answer

Q = TypeVar("Q", bound=Question)

log = Logger()


class TLSError(ConnectionLost):
    """TLS has failed, or was cut off; ``event`` says why."""

    def __init__(self, event: events.ConnectionTerminated) -> None:
        super().__init__(str(event))
        self.event = event


DATA = (events.DataReceived, events.EarlyDataReceived)

Kept = events.DataReceived | events.EarlyDataReceived | events.PeerClosed
"""What waits where it came together with something upon which the application paused."""


@frozen
class Hooks:
    """What the application does on one connection, asynchronously.  Nothing is read or written meanwhile.

    ``answers``: for each class of questions that the config answers with ``ASK`` a function that returns a
    Deferred or a coroutine.
    ``observe``: such a function, too; it gets what has happened (except where that is data only) before the bytes
    are written that it caused.  With ``TicketIssued`` among it, it can put the session into a store before the
    client has the ticket.
    ``application``: called with the transport below before anything is asked or happens; what it returns is the
    ``application`` of the connection, which every question and event has.
    """

    answers: Mapping[type[Question], Callable[[Any], Awaitable[Command]]] = field(factory=dict)
    observe: Callable[[Sequence[Event]], Awaitable[None]] | None = None
    application: Callable[[Any], Any] | None = None

    def concerns(self, happened: Sequence[Event]) -> bool:
        if self.observe is None:
            return any(isinstance(event, Question) for event in happened)
        return any(type(event) not in DATA for event in happened)

    async def tell(self, happened: Sequence[Event]) -> None:
        if self.observe is not None and self.concerns(happened):
            await self.observe(happened)

    async def answer(self, question: Question) -> Command:
        handler = self.answers.get(type(question))
        return AbortHandshake() if handler is None else await handler(question)

    def with_answers(self, answers: Answers, timeout: float, reactor: Any) -> Hooks:
        """The same, and ``answers`` for the questions that are not answered here, each within ``timeout`` seconds."""
        bounded = {kind: in_time(function, timeout, reactor) for kind, function in answers.items()}
        return evolve(self, answers={**bounded, **self.answers}) if bounded else self


def in_time(
    function: Callable[[Q], Awaitable[Command]], timeout: float, reactor: Any
) -> Callable[[Q], Awaitable[Command]]:
    """The answer of ``function``, or what stands for it after ``timeout`` seconds: docs/wrappers.md has the table.

    Where ``function`` raises the same stands for the answer to a ``HARMLESS`` question; the exception is logged.
    """

    async def ask(question: Q) -> Command:
        return await function(question)

    async def answer(question: Q) -> Command:
        asked = Deferred.fromCoroutine(ask(question))
        try:
            return await asked.addTimeout(timeout, reactor)
        except TimeoutError:
            return without_answer(question)
        except Exception as error:
            if not isinstance(question, HARMLESS):
                raise
            if not isinstance(error, CancelledError):  # by the end of the connection
                log.failure("answer to {question} failed", question=type(question).__name__)
            return without_answer(question)

    return answer
