"""Bytes of a connection as people keep them: raw, or as hexadecimal text that may say who sent what.

    # comments and empty lines mean nothing
    > 16 03 01 00 f5 01 00 00 f1 ...     the client sent this
    < 160303007a...                      the server sent that
      02 00 00 76                        and goes on here

Without > and < all of it is of one side.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from sansticket.codes import ContentType, HandshakeType
from sansticket.debug.explain import Side
from sansticket.errors import SansticketError

Piece = tuple[Side, bytes]

_SENDERS: Final[dict[str, Side]] = {">": "client", "<": "server"}
_FIRST: Final[dict[int, Side]] = {HandshakeType.CLIENT_HELLO: "client", HandshakeType.SERVER_HELLO: "server"}
_LINE: Final = re.compile(r"([<>]?)([0-9a-fA-F\s:]*)")
"""A line without its comment and without blanks around it."""


class CaptureError(SansticketError, ValueError):
    """Bytes that are no capture of a TLS connection."""


def read_capture(data: bytes, sender: Side | None = None) -> list[Piece]:
    """Who sent what.  ``sender``: of what does not say itself; None: whoever begins like that."""
    if not data.strip():
        raise CaptureError("nothing in it")
    pieces = list(_text(data)) if data[0] in b"#<> \t\r\n0123456789abcdefABCDEF" else [(None, data)]
    whole: list[Piece] = []
    for said, content in pieces:
        whole.append((said or sender or _sender_of(content), content))
    return whole


def _text(data: bytes) -> Iterator[tuple[Side | None, bytes]]:
    """The pieces of hexadecimal text; a piece ends where the next one begins, or the lines do."""
    said: Side | None = None
    digits = ""
    for number, line in enumerate(data.decode("latin-1").splitlines(), 1):
        found = _LINE.fullmatch(line.partition("#")[0].strip())
        if found is None:
            raise CaptureError(
                f"line {number} is not hexadecimal, and the file does not begin as a TLS record does"
            )
        if found[1]:
            if digits:
                yield said, _bytes(digits, number)
            said, digits = _SENDERS[found[1]], ""
        digits += re.sub(r"[\s:]", "", found[2])
    if not digits:
        raise CaptureError("no bytes in it")
    yield said, _bytes(digits, number)


def _bytes(digits: str, line: int) -> bytes:
    if len(digits) % 2:
        raise CaptureError(f"an odd number of hexadecimal digits before line {line + 1}")
    return bytes.fromhex(digits)


def _sender_of(data: bytes) -> Side:
    """A stream that begins with a ClientHello is the client's, with a ServerHello the server's."""
    if data[0] == ContentType.HANDSHAKE and len(data) > 5 and data[5] in _FIRST:
        return _FIRST[data[5]]
    raise CaptureError(
        "it begins neither with a ClientHello nor with a ServerHello; expected to be told whose it is"
    )
