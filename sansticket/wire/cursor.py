"""The presentation language of TLS (RFC 9846 section 3), both ways.

Reading: a ``Reader`` walks over one message body.  What does not fit is a ``Fault`` of reason
``MALFORMED_MESSAGE``, whose alert is decode_error, and never any other exception.
Writing: plain functions, since a message is one expression.  A value that does not fit its field is our own
mistake, not the peer's: ``OverflowError`` from ``int.to_bytes``, or ``struct.error``.

Extension bodies are mostly one vector and nothing else.  ``whole_vector8`` and ``whole_vector16`` read those
without a ``Reader``: a ClientHello carries a dozen of them and every handshake pays for it.
"""

from collections.abc import Iterable, Sequence
from struct import Struct, pack, unpack
from typing import Any, Final

from sansticket.errors import Fault, Reason

_U16: Final = Struct(">H").unpack_from
_TAG: Final = Struct(">HH").unpack_from
_U32: Final = Struct(">I").unpack_from
_U64: Final = Struct(">Q").unpack_from

_NUMBERS: Final = tuple(Struct(f">{count}H") for count in range(64))
"""Lists of 16-bit numbers by their length, as far as lists go in practice."""


def malformed(detail: str) -> Fault:
    """The fault of a message whose lengths do not add up: decode_error (RFC 9846 section 6.2)."""
    return Fault(Reason.MALFORMED_MESSAGE, detail)


def _short(wanted: int, left: int) -> Fault:
    return malformed(f"{wanted} more bytes expected, {left} left")


def _out_of_range(size: int, low: int, high: int) -> Fault:
    return malformed(f"a vector of {size} bytes, where {low} to {high} are allowed")


class Reader:
    """A position in one message body.  Every method consumes what it returns."""

    __slots__ = ("_data", "_end", "_offset")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._offset = 0
        self._end = len(data)

    @property
    def left(self) -> int:
        """How many bytes have not been read."""
        return self._end - self._offset

    def u8(self) -> int:
        offset = self._offset
        if offset >= self._end:
            raise _short(1, 0)
        self._offset = offset + 1
        return self._data[offset]

    def u16(self) -> int:
        offset = self._offset
        if offset + 2 > self._end:
            raise _short(2, self._end - offset)
        self._offset = offset + 2
        number: int = _U16(self._data, offset)[0]
        return number

    def u24(self) -> int:
        return int.from_bytes(self.take(3))

    def u32(self) -> int:
        offset = self._offset
        if offset + 4 > self._end:
            raise _short(4, self._end - offset)
        self._offset = offset + 4
        number: int = _U32(self._data, offset)[0]
        return number

    def u64(self) -> int:
        offset = self._offset
        if offset + 8 > self._end:
            raise _short(8, self._end - offset)
        self._offset = offset + 8
        number: int = _U64(self._data, offset)[0]
        return number

    def fixed(self, form: Struct) -> tuple[Any, ...]:
        """Several fields whose sizes never change, at once."""
        offset = self._offset
        end = offset + form.size
        if end > self._end:
            raise _short(form.size, self._end - offset)
        self._offset = end
        return form.unpack_from(self._data, offset)

    def take(self, size: int) -> bytes:
        """Exactly ``size`` bytes."""
        offset = self._offset
        end = offset + size
        if end > self._end:
            raise _short(size, self._end - offset)
        self._offset = end
        return self._data[offset:end]

    def rest(self) -> bytes:
        """All that is left, possibly nothing."""
        rest = self._data[self._offset :]
        self._offset = self._end
        return rest

    def vector8(self, low: int = 0, high: int = 0xFF) -> bytes:
        """An opaque vector ``<low..high>`` with a length of one byte."""
        # Here and in the others without a call of u8, u16 and take: most of a handshake is read by these three.
        start = self._offset + 1
        if start > self._end:
            raise _short(1, 0)
        size = self._data[start - 1]
        end = start + size
        if not low <= size <= high:
            raise _out_of_range(size, low, high)
        if end > self._end:
            raise _short(size, self._end - start)
        self._offset = end
        return self._data[start:end]

    def vector16(self, low: int = 0, high: int = 0xFFFF) -> bytes:
        """An opaque vector ``<low..high>`` with a length of two bytes."""
        start = self._offset + 2
        if start > self._end:
            raise _short(2, self._end - self._offset)
        size = self._data[start - 2] << 8 | self._data[start - 1]
        end = start + size
        if not low <= size <= high:
            raise _out_of_range(size, low, high)
        if end > self._end:
            raise _short(size, self._end - start)
        self._offset = end
        return self._data[start:end]

    def vector24(self, low: int = 0, high: int = 0xFFFFFF) -> bytes:
        """An opaque vector ``<low..high>`` with a length of three bytes."""
        start = self._offset + 3
        if start > self._end:
            raise _short(3, self._end - self._offset)
        size = int.from_bytes(self._data[start - 3 : start])
        end = start + size
        if not low <= size <= high:
            raise _out_of_range(size, low, high)
        if end > self._end:
            raise _short(size, self._end - start)
        self._offset = end
        return self._data[start:end]

    def finish(self) -> None:
        """Nothing may be left: trailing bytes are as wrong as missing ones."""
        if self._offset != self._end:
            raise malformed(f"{self._end - self._offset} bytes too many")


def whole_vector8(body: bytes, low: int = 0, high: int = 0xFF) -> bytes:
    """The content of a ``body`` that is one vector ``<low..high>`` with a one-byte length and no more."""
    size = len(body) - 1
    if size < 0 or body[0] != size:
        raise malformed(f"not one vector: {len(body)} bytes")
    if not low <= size <= high:
        raise _out_of_range(size, low, high)
    return body[1:]


def whole_vector16(body: bytes, low: int = 0, high: int = 0xFFFF) -> bytes:
    """The same with a two-byte length."""
    size = len(body) - 2
    if size < 0 or _U16(body)[0] != size:
        raise malformed(f"not one vector: {len(body)} bytes")
    if not low <= size <= high:
        raise _out_of_range(size, low, high)
    return body[2:]


def numbers(content: bytes) -> tuple[int, ...]:
    """The 16-bit numbers that fill ``content``."""
    size = len(content)
    if size & 1:
        raise malformed(f"16-bit numbers in {size} bytes")
    count = size >> 1
    return _NUMBERS[count].unpack(content) if count < len(_NUMBERS) else unpack(f">{count}H", content)


def items(content: bytes, width: int, low: int = 0) -> tuple[bytes, ...]:
    """The vectors that fill ``content``, each of at least ``low`` bytes after a length of ``width`` bytes."""
    found = []
    offset, end = 0, len(content)
    while offset < end:
        start = offset + width
        size = content[offset] if width == 1 else int.from_bytes(content[offset:start])
        offset = start + size
        # A length cut short ends beyond ``end`` too, since ``start`` already does.
        if offset > end:
            raise _short(offset - end, 0)
        if size < low:
            raise malformed(f"an item of {size} bytes, where {low} are the least")
        found.append(content[start:offset])
    return tuple(found)


def tagged(content: bytes) -> list[tuple[int, bytes]]:
    """The pairs that fill ``content``: a 16-bit number and a vector with a two-byte length.

    Extensions have this form, and key shares.
    """
    found = []
    offset, end = 0, len(content)
    while offset < end:
        start = offset + 4
        if start > end:
            raise _short(4, end - offset)
        tag, size = _TAG(content, offset)
        offset = start + size
        if offset > end:
            raise _short(size, end - start)
        found.append((tag, content[start:offset]))
    return found


def u16(number: int) -> bytes:
    return number.to_bytes(2)


def vector8(content: bytes) -> bytes:
    return len(content).to_bytes(1) + content


def vector16(content: bytes) -> bytes:
    return len(content).to_bytes(2) + content


def vector24(content: bytes) -> bytes:
    return len(content).to_bytes(3) + content


def pack_numbers(values: Sequence[int]) -> bytes:
    """16-bit numbers one after the other, without a length."""
    count = len(values)
    return _NUMBERS[count].pack(*values) if count < len(_NUMBERS) else pack(f">{count}H", *values)


def pack_items(values: Iterable[bytes], width: int) -> bytes:
    """Each value after its length of ``width`` bytes, without a length around them all."""
    return b"".join([len(value).to_bytes(width) + value for value in values])
