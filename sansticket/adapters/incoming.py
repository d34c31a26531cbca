"""The incoming buffer, taken record by record.

Whoever drives an SSLObject looks at the buffer to learn whether there is more to be read (uvloop reads only while
something is left in it), and uses it himself when TLS is over (STARTTLS).  So no more is taken than a call needs, as
OpenSSL does: ``record`` takes one record, and ``records`` several, but never all that there are.  Then what ends the
stream, and came with data, is still in the buffer when the data has been read.
"""

from __future__ import annotations

import ssl
from typing import Final

HEADER_LENGTH: Final = 5
"""Content type, version and length of a record (RFC 9846 section 5.1)."""

DATA: Final = b"\x17\x03"
"""How the header of application data begins, and in TLS 1.3 that of all that is protected."""

MAX_RECORD: Final = HEADER_LENGTH + 16_384 + 256
"""Bytes of the longest record."""


class Incoming:
    """A ``MemoryBIO`` with bytes from the peer.

    What was taken from it and not handed out is ``_held``: the beginning of a record, at least when there are less
    bytes than a header has.  ``_missing`` are the bytes that come before the next header.
    """

    __slots__ = ("_held", "_missing", "bio")

    def __init__(self, bio: ssl.MemoryBIO) -> None:
        self.bio: ssl.MemoryBIO = bio
        self._held = b""
        self._missing = 0

    def record(self) -> bytes:
        """What there is of the record that comes next, but not a byte of another one; ``b""`` for half a header."""
        if not self._missing:
            return self._begun(self._header())
        data = self.bio.read(self._missing)
        self._missing -= len(data)
        if self._held:
            data, self._held = self._held + data, b""
        return data

    def _header(self) -> bytes:
        """Of the next record; less than that is kept for the next call."""
        header = self.bio.read(HEADER_LENGTH - len(self._held))
        if self._held:
            header = self._held + header
        self._held = b"" if len(header) == HEADER_LENGTH else header
        return header

    def _begun(self, header: bytes) -> bytes:
        """The header with what there is of its record."""
        if len(header) < HEADER_LENGTH:
            return b""
        length = header[3] << 8 | header[4]
        body = self.bio.read(length) if length else b""
        self._missing = length - len(body)
        return header + body

    def records(self, wanted: int) -> bytes:
        """As many bytes as can be taken for a read of ``wanted`` bytes of data.

        Several records are never longer than ``wanted``, so that their data is not, and end before the last byte that
        there is: what that belongs to is for the next call.
        """
        many = min(wanted, self.bio.pending - 1)
        if many > MAX_RECORD and self._can_give_back():
            return self._complete(self.bio.read(many))
        if self._missing:
            return self._rest(many)
        header = self._header()
        more = len(header) == HEADER_LENGTH and many > HEADER_LENGTH + (header[3] << 8 | header[4])
        if more and self._can_give_back():
            return self._complete(header + self.bio.read(many - HEADER_LENGTH))
        return self._begun(header)

    def _rest(self, many: int) -> bytes:
        """What was missing of a record, with the beginning of the next one if that is not all of it.

        Only of application data: what else begins there may be an error by its header alone.
        """
        data = self.record()
        if self._missing or many < len(data) + HEADER_LENGTH or not self._can_give_back():
            return data
        header = self._header()
        length = header[3] << 8 | header[4]
        if length > self.bio.pending and header.startswith(DATA) and length <= MAX_RECORD - HEADER_LENGTH:
            return data + self._begun(header)
        self._held, self._missing = header, length
        return data

    def _complete(self, data: bytes) -> bytes:
        """The records that are complete in what was taken; of much data what is behind them too."""
        end = len(self._held) + self._missing if self._missing else 0
        if self._held:
            data, self._held = self._held + data, b""
        start, size = 0, len(data)
        while end + HEADER_LENGTH <= size:
            start, end = end, end + HEADER_LENGTH + (data[end + 3] << 8 | data[end + 4])
        self._missing = max(0, end - size)
        start = min(start if end > size else end, size)
        if size > MAX_RECORD and self._missing:
            return data
        self._held = data[start:]
        return data[:start]

    def _can_give_back(self) -> bool:
        """Whether what came behind close_notify could go back: nothing can be written after ``write_eof``."""
        try:
            self.bio.write(b"")
        except ssl.SSLError:
            return False
        return True

    def give_back(self, data: bytes) -> None:
        """TLS is over: put ``data``, which was the last that was handed out, before all else that there is."""
        data += self._held
        self._held, self._missing = b"", 0
        if data:
            rest = self.bio.read()
            self.bio.write(data)
            self.bio.write(rest)
