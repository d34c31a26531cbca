"""What a ladder shows, row by row, whatever it is drawn as.

A row is an arrow (a message, an alert, data, or what could not be read), an event, or the sum of what went over at
once.  Its ``details`` are what stands behind it: the fields of the message, its extensions by name.

Secrets are left out unless they are asked for: application data, and of tickets all but the name of their key, are
given as numbers of bytes.  Secrets of a key log are never in a picture.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import IntEnum
from typing import Any, Final, Literal

from attrs import Factory, field, fields, frozen, has

from sansticket.codes import (
    AlertDescription,
    CipherSuite,
    ExtensionType,
    NamedGroup,
    ProtocolVersion,
    PskKeyExchangeMode,
    SignatureScheme,
)
from sansticket.debug import words
from sansticket.debug.explain import (
    PLAINTEXT,
    ApplicationData,
    ChangeCipherSpec,
    Content,
    Explainer,
    HandshakeMessage,
    Record,
    Side,
    Unread,
)
from sansticket.debug.key_log import KeyLog
from sansticket.debug.trace import Happened, Step
from sansticket.errors import Reason
from sansticket.text import MAX_TEXT, printable
from sansticket.tickets.session import Session
from sansticket.wire.extensions.base import Extension
from sansticket.wire.messages.alert import Alert
from sansticket.wire.messages.base import Message

Kind = Literal["message", "alert", "data", "change", "unread", "event", "sum"]
Detail = tuple[str, str]

MAX_BYTES: Final = 48
"""Bytes of a value that are shown; of a longer one only the beginning."""

MAX_ITEMS: Final = 64
"""Values of a list that are shown."""

KEY_NAME: Final = 16
"""Bytes at the beginning of a ticket that name its key: those are public."""

HIDDEN: Final = frozenset(
    {
        "data",
        "ticket",
        "identity",
        "age_add",
        "obfuscated_ticket_age",
        "nonce",
        "binders",
        "app_data",
        "secret",
        "plaintext",
        "private_key",
    }
)
"""Fields whose bytes are shown only when asked for."""

NUMBERS: Final[dict[str, type[IntEnum]]] = {
    "version": ProtocolVersion,
    "versions": ProtocolVersion,
    "legacy_version": ProtocolVersion,
    "cipher_suite": CipherSuite,
    "cipher_suites": CipherSuite,
    "group": NamedGroup,
    "groups": NamedGroup,
    "scheme": SignatureScheme,
    "schemes": SignatureScheme,
    "modes": PskKeyExchangeMode,
    "description": AlertDescription,
}
"""Whose names the numbers in a field have."""


@frozen
class Row:
    """One row.  ``size`` is in bytes, ``keys`` as in ``Record``, ``time`` in seconds since the epoch."""

    side: Side
    kind: Kind
    name: str
    text: str = ""
    size: int | None = None
    keys: str | None = PLAINTEXT
    time: float | None = None
    details: tuple[Detail, ...] = ()

    @property
    def title(self) -> str:
        """The name in {braces} under early and handshake keys, [brackets] under application keys, (parentheses) where
        nothing opened it; and the text.
        """
        if self.keys is None:
            name = f"({self.name})"
        elif self.keys and self.kind not in ("event", "sum"):
            opening, closing = "{}" if self.keys in ("early", "handshake") else "[]"
            name = f"{opening}{self.name}{closing}"
        else:
            name = self.name
        return f"{name}: {self.text}" if self.text else name

    @property
    def protection(self) -> str:
        """``none``, ``early``, ``handshake``, ``application`` or ``unread``: what a picture colours by."""
        if self.keys is None:
            return "unread"
        return {"": "none", "early": "early", "handshake": "handshake"}.get(self.keys, "application")


@frozen
class Picture:
    """A ladder without its form.  ``notes`` are lines that stand below it."""

    title: str
    rows: tuple[Row, ...] = field(repr=lambda rows: f"<{len(rows)} rows>")
    notes: tuple[str, ...] = ()
    start: float | None = Factory(
        lambda self: next((row.time for row in self.rows if row.time is not None), None), takes_self=True
    )


def picture(
    steps: Iterable[Step], key_log: KeyLog, title: str, *, secrets: bool = False, notes: Iterable[str] = ()
) -> Picture:
    """Of what went over and what came out, in order.  ``secrets``: with the bytes that are left out otherwise."""
    return Picture(title, tuple(_rows(steps, key_log, _Shown(secrets))), tuple(notes))


def _rows(steps: Iterable[Step], key_log: KeyLog, shown: _Shown) -> Iterator[Row]:
    explainer, time = Explainer(key_log), None
    for step in steps:
        time = step.time
        if isinstance(step, Happened):
            yield _event(step, shown)
            continue
        records = explainer.feed(step.sender, step.data)
        yield from _contents(records, time, shown)
        own = sum(record.sender == step.sender for record in records)
        total = f"{words.count(len(step.data), 'byte')} in {words.count(own, 'record')}"
        yield Row(step.sender, "sum", total, time=time)
    yield from _contents(explainer.finish(), time, shown)


def _contents(records: Iterable[Record], time: float | None, shown: _Shown) -> Iterator[Row]:
    for record in records:
        for content in record.contents:
            kind, name, text, size, details = _described(content, shown)
            outside = (("record", _record(record)),)
            text = printable(text, MAX_TEXT)
            yield Row(record.sender, kind, name, text, size, record.keys, time, (*outside, *details))


def _record(record: Record) -> str:
    under = "not opened" if record.keys is None else f"{record.keys} keys" if record.keys else "in the clear"
    padding = f", {words.count(record.padding, 'byte')} of padding" if record.padding else ""
    return f"{words.count(record.size, 'byte')} at {record.offset}, {under}{padding}"


Described = tuple[Kind, str, str, int, tuple[Detail, ...]]


def _described(content: Content, shown: _Shown) -> Described:
    match content:
        case HandshakeMessage(message=None):
            return "message", content.name, content.problem, content.size, ()
        case HandshakeMessage(message=message):
            assert message is not None
            return (
                "message",
                content.name,
                words.message(message),
                content.size,
                tuple(shown.message(message)),
            )
        case Alert():
            return "alert", "Alert", words.alert(content), 2, tuple(shown.fields(content))
        case ChangeCipherSpec():
            return "change", "ChangeCipherSpec", "", 1, ()
        case ApplicationData(data):
            text = words.data(data) if shown.secrets else ""
            return "data", "Data", text, len(data), (("data", shown.bytes("data", data)),)
        case Unread():
            return "unread", "unread", content.why, content.size, ()


def _event(step: Happened, shown: _Shown) -> Row:
    event = step.event
    text = words.event(event)
    data = getattr(event, "data", None)
    if isinstance(data, bytes) and not shown.secrets:
        text = words.count(len(data), "byte")
    record = getattr(event, "record", None)
    details = [*shown.fields(event)] + [("account", str(record))] * (record is not None)
    return Row(
        step.side, "event", type(event).__name__, printable(text), time=step.time, details=tuple(details)
    )


@frozen
class _Shown:
    """How values are written."""

    secrets: bool

    def message(self, message: Message) -> Iterator[Detail]:
        """Its fields, and each extension by its name."""
        for name, value in self._values(message):
            if name != "extensions":
                yield name.replace("_", " "), self.value(name, value)
        for extension in getattr(message, "extensions", ()):
            yield self.extension(extension)

    def extension(self, extension: Extension) -> Detail:
        name = words.name(ExtensionType, extension.type).lower()
        return f"extension {name}", ", ".join(
            f"{what} {text}" for what, text in self.fields(extension)
        ) or "empty"

    def fields(self, one: Any) -> Iterator[Detail]:
        """Of an event, an alert or a part of a message; what says nothing is left out."""
        for name, value in self._values(one):
            if name not in ("type", "record", "connection") and value not in (None, (), b""):
                yield name.replace("_", " "), self.value(name, value)

    @staticmethod
    def _values(one: Any) -> Iterator[tuple[str, Any]]:
        if has(type(one)):
            yield from (
                (each.name, getattr(one, each.name)) for each in fields(type(one)) if each.name[0] != "_"
            )

    def value(self, name: str, value: Any) -> str:
        """On one line, never long, and without what is hidden."""
        return printable(self._value(name, value), MAX_TEXT)

    def _value(self, name: str, value: Any) -> str:
        if isinstance(value, bytes):
            return self.bytes(name, value)
        if isinstance(value, Session):
            return f"{words.version(value.version)}, {words.suite(value.cipher_suite)}, {value.lifetime} s"
        if isinstance(value, tuple | list):
            more = [f"and {len(value) - MAX_ITEMS} more"] if len(value) > MAX_ITEMS else []
            return ", ".join([*(self._value(name, one) for one in value[:MAX_ITEMS]), *more])
        if isinstance(value, Reason | IntEnum):
            return value.name
        if isinstance(value, BaseException) and not self.secrets:
            return type(value).__name__  # what it says is the application's own
        if has(type(value)):
            return "{" + ", ".join(f"{what} {text}" for what, text in self.fields(value)) + "}"
        if type(value) is int and name in NUMBERS:
            return words.name(NUMBERS[name], value)
        return "not shown" if name in HIDDEN and not self.secrets else str(value)

    def bytes(self, name: str, value: bytes) -> str:
        size = words.count(len(value), "byte")
        if name not in HIDDEN or self.secrets:
            cut = "..." if len(value) > MAX_BYTES else ""
            return f"{size}: {value[:MAX_BYTES].hex()}{cut}"
        if name in ("ticket", "identity") and len(value) > 2 * KEY_NAME:
            return f"{size}, key {value[:KEY_NAME].hex()}; the rest is not shown"
        return f"{size}, not shown"
