"""What every extension is, and the one for numbers that are not known."""

from typing import ClassVar, Self

from attrs import frozen

from sansticket.errors import Fault, Reason
from sansticket.wire.codes import ExtensionType
from sansticket.wire.cursor import malformed, nothing


def illegal(detail: str) -> Fault:
    """The fault of a value that is well formed and forbidden: illegal_parameter."""
    return Fault(Reason.ILLEGAL_VALUE, detail)


class Extension:
    """What all extensions have in common.

    ``decode`` takes the body, without type and length, and raises ``Fault``; ``encode`` gives it back.
    """

    __slots__ = ()
    TYPE: ClassVar[ExtensionType]

    @property
    def type(self) -> int:
        """The number in the registry, also of an extension that is not known."""
        return self.TYPE

    @classmethod
    def decode(cls, body: bytes) -> Self:
        raise NotImplementedError

    def encode(self) -> bytes:
        raise NotImplementedError


class EmptyExtension(Extension):
    """An extension that says what it says by being there."""

    __slots__ = ()

    @classmethod
    def decode(cls, body: bytes) -> Self:
        nothing(body)
        return cls()

    def encode(self) -> bytes:
        return b""


@frozen
class UnknownExtension(Extension):
    """An extension this package has no class for.  The body is kept as it came."""

    type: int
    body: bytes

    @classmethod
    def decode(cls, body: bytes) -> Self:
        raise malformed("an unknown extension cannot be decoded without its number")

    def encode(self) -> bytes:
        return self.body
