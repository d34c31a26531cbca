"""How the fields of a handover are written: each kind knows its words for the docs, and both directions."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from math import isfinite
from struct import pack, unpack
from typing import Any, Final, TypeVar

from sansticket.errors import SansticketError
from sansticket.text import quoted
from sansticket.tickets.encoding import MAX_FIELD, SessionFormatError, Source, varint, vector
from sansticket.tickets.session import Session
from sansticket.values import frozen

E = TypeVar("E", bound=Enum)


MAX_ITEMS: Final = 1 << 16
"""In a list whose items have no bytes to speak of: what is read never takes much more memory than it has bytes."""


class HandoverError(SansticketError, ValueError):
    """Bytes that are no handover, or one that cannot be restored: the text names what was wrong with it."""


@frozen
class Kind:
    """``words`` for the docs; ``fits`` says whether a value is of the type; ``write`` gives its one form, ``read``
    takes it from a source.

    The last two raise SessionFormatError: a value that has no form, bytes that are none.
    """

    words: str
    fits: Callable[[Any], bool]
    write: Callable[[Any], bytes]
    read: Callable[[Source], Any]


def _is(*kinds: type) -> Callable[[Any], bool]:
    """No bool in the place of a number."""
    return lambda value: isinstance(value, kinds) and (type(value) is not bool or bool in kinds)


def number(width: int) -> Kind:
    """An unsigned integer, big-endian."""

    def write(value: int) -> bytes:
        if value >> 8 * width:
            raise SessionFormatError(f"{quoted(value)}; expected a number of {width} bytes")
        return value.to_bytes(width)

    words = f"{width} byte{'s' if width > 1 else ''}"
    return Kind(words, _is(int), write, lambda source: source.number(width))


def _read_flag(source: Source) -> bool:
    value = source.number(1)
    if value > 1:
        raise SessionFormatError(f"{value}; expected 0 or 1")
    return bool(value)


def _write_bytes(value: bytes) -> bytes:
    if len(value) > MAX_FIELD:
        raise SessionFormatError(f"{len(value)} bytes; expected at most {MAX_FIELD}")
    return vector(value)


def _read_seconds(source: Source) -> float:
    (value,) = unpack(">d", source.take(8))
    if not isfinite(value):
        raise SessionFormatError("not a finite number of seconds")
    return float(value)


def _write_text(value: str) -> bytes:
    return vector(value.encode())


def _read_text(source: Source) -> str:
    try:
        return source.vector(0).decode()
    except UnicodeDecodeError:
        raise SessionFormatError("not UTF-8") from None


FLAG: Final = Kind("flag", _is(bool), lambda value: bytes((value,)), _read_flag)
BYTES: Final = Kind("vector", _is(bytes), _write_bytes, lambda source: source.vector(0))
TEXT: Final = Kind("vector of UTF-8", _is(str), _write_text, _read_text)
SECONDS: Final = Kind("8 bytes, IEEE 754", _is(int, float), lambda value: pack(">d", value), _read_seconds)
SESSION: Final = Kind(
    "vector: `Session.to_bytes`",
    _is(Session),
    lambda session: vector(session.to_bytes()),
    lambda source: Session.from_bytes(source.vector()),
)


def optional(kind: Kind) -> Kind:
    """A flag, and the value where it is 1; None otherwise."""
    return Kind(
        f"flag, {kind.words}",
        lambda value: value is None or kind.fits(value),
        lambda value: b"\0" if value is None else b"\1" + kind.write(value),
        lambda source: kind.read(source) if _read_flag(source) else None,
    )


def several(*kinds: Kind, most: int | None = MAX_ITEMS) -> Kind:
    """A count, and for each item what these kinds say of it: a tuple of items, or of tuples."""

    def check(count: int) -> int:
        if most is not None and count > most:
            raise SessionFormatError(f"{count} items; expected at most {most}")
        return count

    def fits(values: Any) -> bool:
        if not isinstance(values, tuple):
            return False
        if len(kinds) == 1:
            return all(map(kinds[0].fits, values))
        return all(_fit_together(kinds, item) for item in values)

    def read(source: Source) -> tuple[Any, ...]:
        return tuple(_together(kinds, source) for _ in range(check(source.varint(0))))

    def write(values: tuple[Any, ...]) -> bytes:
        check(len(values))
        items = (value if len(kinds) > 1 else (value,) for value in values)
        written = (kind.write(one) for item in items for kind, one in zip(kinds, item, strict=True))
        return varint(len(values)) + b"".join(written)

    each = " and ".join(kind.words for kind in kinds)
    return Kind(f"count; for each: {each}", fits, write, read)


def _fit_together(kinds: tuple[Kind, ...], item: Any) -> bool:
    if not isinstance(item, tuple) or len(item) != len(kinds):
        return False
    return all(kind.fits(one) for kind, one in zip(kinds, item, strict=True))


def _together(kinds: tuple[Kind, ...], source: Source) -> Any:
    values = tuple(kind.read(source) for kind in kinds)
    return values if len(values) > 1 else values[0]


def member(kind: type[E]) -> Kind:
    """A member of an enum, by its name: numbers would change with the order."""

    def read(source: Source) -> E:
        name = _read_text(source)
        if name not in kind.__members__:
            raise SessionFormatError(f"{name!r:.60}; expected a member of {kind.__name__}")
        return kind[name]

    words = f"vector: a name of `{kind.__name__}`"
    return Kind(words, _is(kind), lambda value: _write_text(value.name), read)
