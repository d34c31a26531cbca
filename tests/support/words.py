"""Reads every text that a person may get to see of events, errors and records, and says which is not fit for that."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sansticket.adapters.failures import terminated
from sansticket.debug import words
from sansticket.events import ConnectionTerminated, Event, HandshakeCompleted
from sansticket.text import MAX_TEXT
from sansticket.tickets.records import ResumptionRecord


def texts_of(event: Event) -> Iterator[str]:
    """What ``str``, ``repr``, the debug words, and the exceptions of the look-alike make of an event."""
    yield repr(event)
    if type(event).__str__ is not object.__str__:
        yield str(event)
    yield words.event(event)
    if isinstance(event, ConnectionTerminated):
        yield event.detail
        error = terminated(event, "server.example")
        yield from (str(argument) for argument in error.args)
        yield str(getattr(error, "verify_message", ""))
    if isinstance(event, HandshakeCompleted):
        yield from lines_of(event.record)


def lines_of(record: ResumptionRecord) -> Iterator[str]:
    """The lines of a record, and the texts in it.  Its line feeds are its own."""
    yield record.why
    for identity in record.identities:
        for check in identity.checks:
            yield check.detail
            yield str(check)
    for line in str(record).split("\n"):
        yield line.strip()


def unfit(events: Iterable[Event]) -> list[str]:
    """Texts with a control character in them, or above their bound.

    The ``repr`` of an event has no bound of its own: it is that of its fields, and those of a peer are pieces.
    """
    return [
        f"{type(event).__name__}: {len(text)} characters, {text[:300]!r}"
        for event in events
        for text in texts_of(event)
        if not text.isprintable() or len(text) > (MAX_REPR if text == repr(event) else MAX_TEXT)
    ]


MAX_REPR = 4 * MAX_TEXT
"""A record tells of at most eight identities, in a few checks each; nothing else is half as long."""
