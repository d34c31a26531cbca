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

MAX_RECORD: Final = HEADER_LENGTH + 16_384 + 256
"""Bytes of the longest record."""


class Incoming:
    """A ``MemoryBIO`` with bytes from the peer, and how much of the record has been taken that comes next."""

    __slots__ = ("_header", "_missing", "bio")

    def __init__(self, bio: ssl.MemoryBIO) -> None:
        self.bio = bio
        self._header = b""
        self._missing = 0

    def record(self) -> bytes:
        """What there is of the record that comes next, but not a byte of another one."""
        bio = self.bio
        if self._missing:
            data = bio.read(self._missing)
            self._missing -= len(data)
            return data
        data = bio.read(HEADER_LENGTH - len(self._header))
        header = self._header + data
        if len(header) < HEADER_LENGTH:
            self._header = header
            return data
        return data + self._body(header)

    def _body(self, header: bytes) -> bytes:
        self._header = b""
        length = header[3] << 8 | header[4]
        body = self.bio.read(length) if length else b""
        self._missing = length - len(body)
        return body

    def records(self, wanted: int) -> bytes:
        """As many bytes as can be taken for a read of ``wanted`` bytes of data.

        Several records are never longer than ``wanted``, so that their data is not, and end before the last byte that
        there is: what that belongs to is for the next call.
        """
        many = min(wanted, self.bio.pending - 1)
        if many > MAX_RECORD and not self._header and self._can_give_back():
            return self._passed(self.bio.read(many))
        if self._missing or self._header:
            return self.record()
        header = self.bio.read(HEADER_LENGTH)
        if len(header) < HEADER_LENGTH:
            self._header = header
            return header
        if many > HEADER_LENGTH + (header[3] << 8 | header[4]) and self._can_give_back():
            return self._passed(header + self.bio.read(many - HEADER_LENGTH))
        return header + self._body(header)

    def _passed(self, data: bytes) -> bytes:
        """Note where the last record that begins in ``data`` ends."""
        start, size = self._missing, len(data)
        while start + HEADER_LENGTH <= size:
            start += HEADER_LENGTH + (data[start + 3] << 8 | data[start + 4])
        self._missing = max(0, start - size)
        self._header = data[start:]
        return data

    def _can_give_back(self) -> bool:
        """Whether what came behind close_notify could go back: nothing can be written after ``write_eof``."""
        try:
            self.bio.write(b"")
        except ssl.SSLError:
            return False
        return True

    def give_back(self, data: bytes) -> None:
        """Put ``data``, which was taken last, before what is there.  TLS is over."""
        rest = self.bio.read()
        self.bio.write(data)
        self.bio.write(rest)
