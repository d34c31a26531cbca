"""What every handshake message is, and the block of extensions that many of them end with."""

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import ClassVar, Final, Self, TypeVar

from sansticket.errors import Fault, Reason
from sansticket.wire.codes import HandshakeType
from sansticket.wire.cursor import malformed, tagged, vector16
from sansticket.wire.extension import Extension, UnknownExtension

E = TypeVar("E", bound=Extension)

ExtensionTable = dict[int, type[Extension]]

MAX_REMEMBERED: Final = 128
"""Bytes of an extension that is remembered: a list of 60 numbers is longer than any that programs send."""


class Message:
    """A handshake message (RFC 9846 section 4).

    ``decode`` takes the body without the four bytes of type and length, and raises ``Fault``.
    ``encode`` gives the whole message, with them.
    """

    __slots__ = ()
    TYPE: ClassVar[HandshakeType]

    @classmethod
    def decode(cls, body: bytes) -> Self:
        raise NotImplementedError

    def encode(self) -> bytes:
        raise NotImplementedError


class ExtensionsMessage(Message):
    """A message with extensions, kept in the order of the wire."""

    __slots__ = ()
    extensions: tuple[Extension, ...]

    def find(self, kind: type[E]) -> E | None:
        """The extension of this class, if the message has it."""
        for extension in self.extensions:
            if type(extension) is kind:
                return extension
        return None


class EmptyMessage(Message):
    """A message that is nothing but its type."""

    __slots__ = ()

    @classmethod
    def decode(cls, body: bytes) -> Self:
        if body:
            raise malformed(f"{cls.__name__} with a body of {len(body)} bytes")
        return cls()

    def encode(self) -> bytes:
        return frame(self.TYPE, b"")


def frame(handshake_type: int, body: bytes) -> bytes:
    """The body after its type and its length of three bytes."""
    return handshake_type.to_bytes(1) + len(body).to_bytes(3) + body


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
    return vector16(b"".join([extension.written() for extension in extensions]))


def encode_optional_extensions(extensions: tuple[Extension, ...]) -> bytes:
    """The same for hellos, which before TLS 1.3 may end without a block: an empty one is not written."""
    return encode_extensions(extensions) if extensions else b""
