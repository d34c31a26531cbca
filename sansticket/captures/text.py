"""Bytes of a connection as people keep them: raw, or as hexadecimal text that may say who sent what.

    # comments and empty lines mean nothing
    > 16 03 01 00 f5 01 00 00 f1 ...     the client sent this
    < 160303007a...                      the server sent that
      02 00 00 76                        and goes on here

Without > and < all of it is of one side.  So is what ``xxd`` and ``hexdump -C`` print:

    00000000: 1603 0100 f501 0000 f103 03a5 11c0 5a3e  ..............Z>
    00000000  16 03 01 00 f5 01 00 00  f1 03 03 a5 11 c0 5a 3e  |..............Z>|
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from sansticket.captures.errors import CaptureError
from sansticket.codes import ContentType, HandshakeType
from sansticket.debug.explain import Side

Piece = tuple[Side, bytes]

_SENDERS: Final[dict[str, Side]] = {">": "client", "<": "server"}
_FIRST: Final[dict[int, Side]] = {HandshakeType.CLIENT_HELLO: "client", HandshakeType.SERVER_HELLO: "server"}
_LINE: Final = re.compile(r"([<>]?)([0-9a-fA-F\s:]*)")
"""A line without its comment and without blanks around it."""

_DUMPS: Final = (
    re.compile(r"([0-9a-fA-F]{6,16}):(?: ((?:[0-9a-fA-F]{2,} )*[0-9a-fA-F]{2,}))?(?:  .*)?"),
    re.compile(r"([0-9a-fA-F]{6,16})(?:  ([0-9a-fA-F ]*)(?:\|.*\|)?)?"),
)
"""A line of xxd's and one of hexdump's: where it begins, and its bytes."""

_DUMP_BEGINS: Final = re.compile(rb"\s*0{6,16}(: |  )[0-9a-fA-F]{2}")

MAX_REPEATED: Final = 1 << 24
"""Bytes for which the lines with a * of a dump may stand, all together."""

_OTHERS: Final = (
    (b"\x1f\x8b", "gzip has compressed it; expected what is inside: gunzip it"),
    (b"\x28\xb5\x2f\xfd", "zstd has compressed it; expected what is inside: unzstd it"),
    (b"XCP\0", "a file of the Windows sniffer; expected pcapng: convert it with editcap"),
    (b"GMBU", "a file of Network Monitor; expected pcapng: convert it with editcap"),
)
"""What is given in the place of a capture, by its first bytes."""


def read_capture(data: bytes, sender: Side | None = None) -> list[Piece]:
    """Who sent what.  ``sender``: of what does not say itself; None: whoever begins like that."""
    if not data.strip():
        raise CaptureError("nothing in it")
    for magic, problem in _OTHERS:
        if data.startswith(magic):
            raise CaptureError(problem)
    whole: list[Piece] = []
    for said, content in _pieces(data):
        whole.append((said or sender or _sender_of(content), content))
    return whole


def _pieces(data: bytes) -> list[tuple[Side | None, bytes]]:
    if data[0] not in b"#<> \t\r\n0123456789abcdefABCDEF":
        return [(None, data)]
    return [(None, _dump(data))] if _DUMP_BEGINS.match(data) else list(_text(data))


def _text(data: bytes) -> Iterator[tuple[Side | None, bytes]]:
    """The pieces of hexadecimal text; a piece ends where the next one begins, or the lines do."""
    said: Side | None = None
    digits: list[str] = []
    for number, line in enumerate(data.decode("latin-1").splitlines(), 1):
        found = _LINE.fullmatch(line.partition("#")[0].strip())
        if found is None:
            raise CaptureError(
                f"line {number} is not hexadecimal, and the file does not begin as a TLS record does"
            )
        if found[1]:
            if any(digits):
                yield said, _bytes(digits, number)
            said, digits = _SENDERS[found[1]], []
        digits.append(re.sub(r"[\s:]", "", found[2]))
    if not any(digits):
        raise CaptureError("no bytes in it")
    yield said, _bytes(digits, number)


def _bytes(digits: list[str], line: int) -> bytes:
    whole = "".join(digits)
    if len(whole) % 2:
        raise CaptureError(f"an odd number of hexadecimal digits before line {line + 1}")
    return bytes.fromhex(whole)


def _dump(data: bytes) -> bytes:
    """What xxd or hexdump -C has printed.  A * stands for lines like the one before, up to where the next begins.

    Where those are too many together (``MAX_REPEATED``) lines are missing.
    """
    found, before, repeats, left = bytearray(), b"", False, MAX_REPEATED
    for number, line in enumerate(data.decode("latin-1").splitlines(), 1):
        text = line.strip()
        if text in ("", "*"):
            repeats |= text == "*"
            continue
        start, row = _row_of_dump(text, number)
        gap = start - len(found)
        if repeats and before and 0 < gap <= left:
            left -= gap
            found += before * (gap // len(before))
        if start != len(found):
            raise CaptureError(
                f"line {number} begins at {start:#x}; expected {len(found):#x}: lines are missing"
            )
        before, repeats = row, False
        found += row
    return bytes(found)


def _row_of_dump(text: str, number: int) -> tuple[int, bytes]:
    """Where a line begins, and its bytes."""
    for form in _DUMPS:
        if parts := form.fullmatch(text):
            digits = re.sub(" ", "", parts[2] or "")
            if len(digits) % 2 == 0:
                return int(parts[1], 16), bytes.fromhex(digits)
    raise CaptureError(f"line {number} is none of a dump, as those before it are")


def _sender_of(data: bytes) -> Side:
    """A stream that begins with a ClientHello is the client's, with a ServerHello the server's."""
    if data[0] == ContentType.HANDSHAKE and len(data) > 5 and data[5] in _FIRST:
        return _FIRST[data[5]]
    raise CaptureError(
        "it begins neither with a ClientHello nor with a ServerHello; expected to be told whose it is (--sender)"
    )
