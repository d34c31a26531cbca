"""What every extension is, and the one for numbers that are not known."""

from struct import Struct
from typing import Any, ClassVar, Final, Self

from attrs import frozen

from sansticket.codes import ExtensionType
from sansticket.errors import Fault, Reason
from sansticket.wire.cursor import malformed, nothing

_HEADER: Final = Struct(">HH")


def illegal(detail: str) -> Fault:
    """The fault of a value that is well formed and forbidden: illegal_parameter."""
    return Fault(Reason.ILLEGAL_VALUE, detail)


class Extension:
    """What all extensions have in common.

    ``decode`` takes the body, without type and length, and raises ``Fault``; ``encode`` gives it back.
    """

    __slots__ = ("_written",)
    TYPE: ClassVar[ExtensionType]
    RECURS: ClassVar[bool] = False
    """A program says the same in all its hellos: what was read or written once is remembered."""

    type: int
    """The number in the registry, also of an extension that is not known."""
    _written: bytes

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "TYPE" in cls.__dict__:
            cls.type = int(cls.TYPE)

    @classmethod
    def decode(cls, body: bytes) -> Self:
        raise NotImplementedError

    def encode(self) -> bytes:
        raise NotImplementedError

    def written(self) -> bytes:
        """Type, length and body."""
        written: bytes | None = getattr(self, "_written", None)
        if written is None:
            body = self.encode()
            written = _HEADER.pack(self.type, len(body)) + body
            if self.RECURS:
                object.__setattr__(self, "_written", written)
        return written


class EmptyExtension(Extension):
    """An extension that says what it says by being there."""

    __slots__ = ()
    RECURS: ClassVar[bool] = True

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
