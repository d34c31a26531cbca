"""The ticket keys that Caddy's servers share in their storage (``session_tickets`` with the ``distributed`` provider).

``stek/stek.bin`` is one value in Go's gob encoding, a struct with three fields, behind the definitions of its types:

    Keys            [][32]uint8     the newest first
    LastRotation    time.Time
    NextRotation    time.Time

An unsigned integer is a byte below 128, or a byte that says how many follow, as the negative of their number; a signed
one is unsigned with its sign in the lowest bit.  A message is its length, a type (below 0 for a definition) and a
value; a struct is its fields, each behind the distance to its number, up to a 0.
"""

from __future__ import annotations

from typing import Final, Self

from sansticket.errors import ConfigError
from sansticket.inputs import as_bytes
from sansticket.tickets.encoding import SessionFormatError, Source
from sansticket.tickets.keys.go.keys import SECRET_LENGTH, GoTicketKey
from sansticket.values import frozen

FIELDS: Final = (b"Keys", b"LastRotation", b"NextRotation")
TIME_LENGTH: Final = 15
TIME_VERSION: Final = 1
YEAR_ONE: Final = 62_135_596_800
"""Seconds from the beginning of Go's time, 1 January of the year 1, to 1970."""

MAX_KEYS: Final = 1000
"""Caddy keeps four."""


@frozen
class CaddyTicketKeys:
    """What is in Caddy's storage: the keys, the one that seals first, and when they were and will be rotated.

    Caddy reads it when it starts, and at ``next_rotation``; the first server that is due writes it.  Whoever shares the
    keys reads it at ``next_rotation`` too, at once, as the new key seals the moment it is made, and once more a few
    seconds later: ``GoTicketKeys.replace`` takes the new ``keys``.
    """

    keys: tuple[GoTicketKey, ...]
    last_rotation: float
    """Seconds since the epoch."""
    next_rotation: float
    """Seconds since the epoch."""

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """The content of ``stek.bin``.  ConfigError ``content`` for anything else."""
        try:
            return cls(*_value(as_bytes("content", content)))
        except SessionFormatError as error:
            raise ConfigError("content", f"not Caddy's stek.bin: {error}") from None


Value = tuple[tuple[GoTicketKey, ...], float, float]


def _value(content: bytes) -> Value:
    source, definitions = Source(content), bytearray()  # grows in place: there may be many
    while source.left:
        message = Source(source.take(_unsigned(source)))
        kind = _unsigned(message)
        if kind & 1:  # its sign: a definition
            definitions += message.take(message.left)
            continue
        places = [definitions.find(name) for name in FIELDS]
        if -1 in places or places != sorted(places):
            raise SessionFormatError("its fields have other names")
        value = _struct(message)
        message.finish()
        source.finish()
        return value
    raise SessionFormatError("it ends before a value")


def _struct(source: Source) -> Value:
    _next_field(source)
    number = _unsigned(source)
    if not 0 < number <= MAX_KEYS:
        raise SessionFormatError(f"{number} keys")
    keys = tuple([_key(source) for _ in range(number)])
    _next_field(source)
    last = _time(source)
    _next_field(source)
    following = _time(source)
    if _unsigned(source):
        raise SessionFormatError("a fourth field")
    return keys, last, following


def _next_field(source: Source) -> None:
    if _unsigned(source) != 1:
        raise SessionFormatError("a field is missing")


def _key(source: Source) -> GoTicketKey:
    """An array of bytes, each an unsigned integer."""
    if _unsigned(source) != SECRET_LENGTH:
        raise SessionFormatError(f"a key that has not {SECRET_LENGTH} bytes")
    numbers = [_unsigned(source) for _ in range(SECRET_LENGTH)]
    if max(numbers) > 0xFF:
        raise SessionFormatError("a byte above 255")
    return GoTicketKey(bytes(numbers))


def _time(source: Source) -> float:
    """Go's binary time: version, seconds, nanoseconds, and the zone in minutes, which does not matter."""
    if _unsigned(source) != TIME_LENGTH or source.number(1) != TIME_VERSION:
        raise SessionFormatError("a time in another format")
    seconds, nanoseconds = source.number(8), source.number(4)
    source.take(2)
    return seconds - YEAR_ONE + nanoseconds / 1e9


def _unsigned(source: Source) -> int:
    first = source.number(1)
    if first < 0x80:
        return first
    width = 0x100 - first
    if width > 8:
        raise SessionFormatError("a number of more than eight bytes")
    return source.number(width)
