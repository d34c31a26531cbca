"""Reads every text that a person may get to see of events, errors and records, and says which is not fit for that."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sansticket.adapters.failures import terminated
from sansticket.debug import words
from sansticket.events import ConnectionTerminated, Event, HandshakeCompleted
from sansticket.text import MAX_TEXT
from sansticket.tickets.records import MAX_RECORD, ResumptionRecord


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


def unfit(events: Sequence[Event]) -> list[str]:
    """Texts with a control character in them, or above their bound.

    The ``repr`` of an event has the bounds of its fields, most of which are pieces; a record may be longer than a text.
    """
    found = [
        f"{type(event).__name__}: {len(text)} characters, {text[:300]!r}"
        for event in events
        for text in texts_of(event)
        if not text.isprintable() or len(text) > (MAX_REPR if text == repr(event) else MAX_TEXT)
    ]
    records = [str(event.record) for event in events if isinstance(event, HandshakeCompleted)]
    return found + [text for text in records if len(text) > MAX_RECORD]


MAX_REPR = 9 * MAX_TEXT
"""Identities in 2,000 characters, two reasons, a session, and two protocols of 255 bytes each."""
