"""Records and what is in them as a list: whose, where in the stream, how long, under which keys, and what it says.

client      0  handshake, 250 bytes
                 ClientHello, 245 bytes: to server.example, shares of X25519
                   server_name, supported_groups, signature_algorithms, supported_versions, key_share
server    122  application_data, 39 bytes, handshake keys
                 EncryptedExtensions, 17 bytes
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from textwrap import wrap

from sansticket.codes import ContentType
from sansticket.debug import words
from sansticket.debug.explain import (
    PLAINTEXT,
    ApplicationData,
    ChangeCipherSpec,
    Content,
    HandshakeMessage,
    Record,
    Unread,
)
from sansticket.wire.messages.alert import Alert

INDENT = " " * 17
DEEPER = " " * 19
"""Before the names of a message's extensions."""
WIDTH = 120


def lines(records: Iterable[Record]) -> Iterator[str]:
    for record in records:
        yield f"{record.sender} {record.offset:6}  {_outside(record)}"
        if not record.contents:
            yield INDENT + "(a part of a handshake message)"
        for content in record.contents:
            yield INDENT + _inside(content)
            if isinstance(content, HandshakeMessage) and (names := words.extensions(content.message)):
                yield from wrap(names, WIDTH, initial_indent=DEEPER, subsequent_indent=DEEPER)


def unread(records: Iterable[Record]) -> int:
    """How many records could not be read."""
    return sum(any(isinstance(content, Unread) for content in record.contents) for record in records)


def reason(record: Record) -> str:
    """Why a record could not be read."""
    return next(content.why for content in record.contents if isinstance(content, Unread))


def _outside(record: Record) -> str:
    parts = [f"{words.name(ContentType, record.content_type).lower()}, {words.count(record.size, 'byte')}"]
    if record.keys not in (PLAINTEXT, None):
        parts.append(f"{record.keys} keys")
    if record.padding:
        parts.append(f"{words.count(record.padding, 'byte')} of padding")
    return ", ".join(parts)


def _inside(content: Content) -> str:
    match content:
        case HandshakeMessage():
            told = words.message(content.message) if content.message is not None else content.problem
            spread = f" in {content.records} records" if content.records > 1 else ""
            name = f"{content.name}, {words.count(content.size, 'byte')}{spread}"
            return f"{name}: {told}" if told else name
        case Alert():
            return f"alert: {words.alert(content)}"
        case ChangeCipherSpec():
            return "change_cipher_spec"
        case ApplicationData(data):
            return f"data: {words.data(data)}"
        case Unread():
            return f"({content.why})"
