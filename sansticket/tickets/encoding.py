"""The pieces of the native encodings: integers, and byte strings with their length as a varint.

A varint has seven bits a byte, the lowest first, the high bit set on every byte but the last; it has at most
four bytes and no useless ones, so that every value has one form only.
"""

from typing import Any, Final

from sansticket.errors import SansticketError
from sansticket.inputs import BytesLike

MAX_FIELD: Final = (1 << 28) - 1
"""The longest byte string that a varint of four bytes can announce."""


class SessionFormatError(SansticketError, ValueError):
    """Bytes that are not a session (or a store of them), or values that no session can have."""


def octets(value: Any) -> bytes:
    """What is to be read, unchanging.  SessionFormatError for what is no bytes: a number would become zeros."""
    if not isinstance(value, BytesLike):
        raise SessionFormatError(f"a value of type {type(value).__name__}; expected bytes")
    return bytes(value)


def varint(number: int) -> bytes:
    """``number``, 0 to ``MAX_FIELD``, in one to four bytes."""
    if number < 0x80:
        return bytes((number,))
    return bytes((number & 0x7F | 0x80,)) + varint(number >> 7)


def vector(value: bytes) -> bytes:
    """The length of ``value`` and ``value``."""
    length = len(value)
    return (length.to_bytes(1) if length < 0x80 else varint(length)) + value


def utf8_length(text: str) -> int:
    """How many bytes ``text`` takes, or -1 when it has lone surrogates and no encoding."""
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        return -1


class Source:
    """Reads what was written with these; everything too short, too long or not minimal is an error."""

    __slots__ = ("data", "offset")

    def __init__(self, data: bytes) -> None:
        self.data: bytes = data if data.__class__ is bytes else octets(data)
        self.offset: int = 0

    @property
    def left(self) -> int:
        """How many bytes have not been read."""
        return len(self.data) - self.offset

    def take(self, length: int) -> bytes:
        """The next ``length`` bytes."""
        end = self.offset + length
        if end > len(self.data):
            raise SessionFormatError("the data is cut short")
        value = self.data[self.offset : end]
        self.offset = end
        return value

    def number(self, width: int) -> int:
        """A big-endian integer of ``width`` bytes."""
        start, end = self.offset, self.offset + width
        if end > len(self.data):
            raise SessionFormatError("the data is cut short")
        self.offset = end
        return int.from_bytes(self.data[start:end])

    def present(self, width: int) -> int:
        """A number that would have been left out if it were 0."""
        # ``number`` spelled out: two or three of them are in each ticket that comes in.
        start, end = self.offset, self.offset + width
        if end > len(self.data):
            raise SessionFormatError("the data is cut short")
        number = int.from_bytes(self.data[start:end])
        if not number:
            raise SessionFormatError("a field that should have been left out")
        self.offset = end
        return number

    def varint(self, low: int = 1) -> int:
        """A length or a count, at least ``low``: what may be left out when it is empty is not empty."""
        number = 0
        for shift in (0, 7, 14, 21):
            byte = self.take(1)[0]
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                if number < low or (shift and not byte):
                    raise SessionFormatError("a length that is 0 or not in its shortest form")
                return number
        raise SessionFormatError("a length of more than four bytes")

    def vector(self, low: int = 1) -> bytes:
        """A byte string of at least ``low`` bytes."""
        data, start = self.data, self.offset + 1
        if start <= len(data) and low <= (length := data[start - 1]) < 0x80 and start + length <= len(data):
            # Nearly all are short; several are read for each ticket that comes in.
            self.offset = start + length
            return data[start : self.offset]
        return self.take(self.varint(low))

    def vectors(self, low: int = 1) -> tuple[bytes, ...]:
        """At least ``low`` byte strings, none of them empty."""
        return tuple(self.vector() for _ in range(self.varint(low)))

    def text(self) -> str:
        """A byte string that is UTF-8 and not empty."""
        try:
            return self.vector().decode()
        except UnicodeDecodeError:
            raise SessionFormatError("a name that is not UTF-8") from None

    def finish(self) -> None:
        """Nothing may follow."""
        if self.offset != len(self.data):
            raise SessionFormatError("bytes after the end")
