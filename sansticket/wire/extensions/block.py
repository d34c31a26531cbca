"""A block of extensions, as many messages end with one: read by a table, written in order."""

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Final, TypeVar

from sansticket.errors import Fault, Reason
from sansticket.wire.cursor import tagged
from sansticket.wire.extensions.base import Extension, UnknownExtension

E = TypeVar("E", bound=Extension)

ExtensionTable = dict[int, type[Extension]]

NO_EXTENSIONS: Final = b"\0\0"
"""An empty block, with its length."""

MAX_REMEMBERED: Final = 128
"""Bytes of an extension that is remembered: a list of 60 numbers is longer than any that programs send."""


def find(extensions: Iterable[Extension], kind: type[E]) -> E | None:
    for extension in extensions:
        if isinstance(extension, kind):
            return extension
    return None


def decode_extensions(
    block: bytes, table: Mapping[int, type[Extension]], known: set[int]
) -> dict[int, Extension]:
    """The extensions of a block without its length, by number, in the order of the wire.

    ``table`` says which classes the message may carry; a number that is ``known`` from other messages but
    not in it is forbidden here (RFC 9846 section 4.3).  No number comes twice.
    """
    found: dict[int, Extension] = {}
    if not block:
        return found
    for number, body in tagged(block):
        if number in found:
            raise Fault(Reason.DUPLICATE_EXTENSION, f"extension {number}")
        kind = table.get(number)
        if kind is not None:
            try:
                repeats = kind.RECURS and len(body) <= MAX_REMEMBERED
                found[number] = _decode_once(kind, body) if repeats else kind.decode(body)
            except Fault as fault:
                raise Fault(fault.reason, f"{kind.__name__}: {fault.detail}") from fault
        elif number in known:
            raise Fault(Reason.FORBIDDEN_EXTENSION, f"extension {number}")
        else:
            found[number] = UnknownExtension(number, body)
    return found


def _decode(kind: type[Extension], body: bytes) -> Extension:
    return kind.decode(body)


_decode_once: Final[Callable[..., Extension]] = lru_cache(maxsize=512)(_decode)
"""Hellos come from few programs, which say mostly the same.  Extensions do not change and can be shared."""


def encode_extensions(extensions: Iterable[Extension]) -> bytes:
    """The block with its length of two bytes."""
    # What was written before is taken without a call: most extensions of a hello.
    block = b"".join([getattr(one, "_written", None) or one.written() for one in extensions])
    return len(block).to_bytes(2) + block
