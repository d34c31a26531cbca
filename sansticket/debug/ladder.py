"""A picture of a connection for a terminal: who said what, how big it was, and what each side made of it.

    client                                                       server
     | ClientHello: to server.example, shares of X25519 -- 243 B --> |
     |                                                               |
     | <-- 122 B -- ServerHello: AES_128_GCM_SHA256, X25519          |
     | <---- 15 B - {EncryptedExtensions}                            |

A message is an arrow with its size in bytes, an event a *; what is the client's begins at the left, what is the
server's further right.  {Braces} are around what handshake keys protect, and early ones, [brackets] around what
application keys protect (in TLS 1.2 there are no others), (parentheses) around what was not opened.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from textwrap import wrap
from typing import Final

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
from sansticket.values import frozen
from sansticket.wire.messages.alert import Alert

MIN_WIDTH: Final = 60
TEXT_WIDTH: Final = 68
"""Columns of either side's text at most."""
ARROW_WIDTH: Final = 18
"""Columns that are left for an arrow with its size."""
HANGING: Final = 4
"""Columns by which the second line of a text is indented."""

LEGEND: Final = "{...} is protected by handshake keys, [...] by application keys; * is an event."


@frozen
class Line:
    """What one side says or sees; ``size`` is None for what is not sent."""

    side: Side
    text: str
    size: int | None = None


def draw(steps: Iterable[Step], key_log: KeyLog, width: int = 80, *, hides: bool = False) -> Iterator[str]:
    """The lines of the picture, without line ends, ``width`` columns wide at most (60 or more).

    ``hides``: of application data it has only the number of bytes, in events too.
    """
    width = max(width, MIN_WIDTH)
    column = width - len(_row("", 0))
    yield "client" + "server".rjust(width - len("client"))
    explainer = Explainer(key_log)
    for step in steps:
        if isinstance(step, Happened):
            yield from _lines(Line(step.side, _event(step, hides)), column)
            continue
        yield _row("", column)
        records = explainer.feed(step.sender, step.data)
        yield from _contents(records, column, hides)
        own = sum(record.sender == step.sender for record in records)
        total = f"= {words.count(len(step.data), 'byte')} in {words.count(own, 'record')}"
        yield from _lines(Line(step.sender, total), column)
    yield from _contents(explainer.finish(), column, hides)


def _contents(records: Iterable[Record], column: int, hides: bool) -> Iterator[str]:
    for record in records:
        for content in record.contents:
            yield from _lines(_line(record, content, hides), column)


def _event(step: Happened, hides: bool) -> str:
    detail = words.event(step.event)
    data = getattr(step.event, "data", None)
    if hides and isinstance(data, bytes):
        detail = words.count(len(data), "byte")
    return f"* {type(step.event).__name__}" + (f": {detail}" if detail else "")


def _line(record: Record, content: Content, hides: bool) -> Line:
    name, detail, size = _describe(content)
    if hides and isinstance(content, ApplicationData):
        detail = ""
    if record.keys:
        opening, closing = "{}" if record.keys in ("early", "handshake") else "[]"
        name = f"{opening}{name}{closing}"
    elif record.keys is None:
        name = f"({name})"
    if record.keys != PLAINTEXT and record.padding:
        detail = ", ".join(filter(None, (detail, f"{words.count(record.padding, 'byte')} of padding")))
    return Line(record.sender, f"{name}: {detail}" if detail else name, size)


def _describe(content: Content) -> tuple[str, str, int]:
    """Name, details, and size in bytes."""
    match content:
        case HandshakeMessage():
            detail = words.message(content.message) if content.message is not None else content.problem
            return content.name, detail, content.size
        case Alert():
            return "Alert", words.alert(content), 2
        case ChangeCipherSpec():
            return "ChangeCipherSpec", "", 1
        case ApplicationData(data):
            return "Data", words.data(data), len(data)
        case Unread():
            return "unread", content.why, content.size


def _lines(line: Line, column: int) -> Iterator[str]:
    """The text of one line, wrapped; the first with the arrow."""
    text_width = min(TEXT_WIDTH, column - ARROW_WIDTH)
    texts = wrap(line.text, text_width, subsequent_indent=" " * HANGING, break_on_hyphens=False)
    before = 0 if line.side == "client" else column - text_width
    for number, text in enumerate(texts):
        if line.size is None or number > 0:
            yield _row(" " * before + text, column)
        elif line.side == "client":
            yield _row(_to_the_right(text, line.size, column), column)
        else:
            yield _row(_to_the_left(line.size, before) + text, column)


def _to_the_right(text: str, size: int, column: int) -> str:
    tip = f" {size} B -->"
    return f"{text} ".ljust(column - len(tip), "-") + tip


def _to_the_left(size: int, before: int) -> str:
    return f"<-- {size} B ".ljust(before - 1, "-") + " "


def _row(text: str, column: int) -> str:
    return f" | {text:<{column}} |"
