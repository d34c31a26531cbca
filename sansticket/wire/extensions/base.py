"""What every extension is, and the one for numbers that are not known."""

from collections.abc import Callable
from struct import Struct
from typing import Any, ClassVar, Final, Self

from sansticket.codes import ExtensionType
from sansticket.errors import Fault, Reason
from sansticket.values import frozen
from sansticket.wire.cursor import malformed
from sansticket.wire.extensions.shapes import Shape, nothing

_HEADER: Final = Struct(">HH")


def illegal(detail: str) -> Fault:
    """The fault of a value that is well formed and forbidden: illegal_parameter."""
    return Fault(Reason.ILLEGAL_VALUE, detail)


class Extension:
    """What all extensions have in common.

    ``decode`` takes the body, without type and length, and raises ``Fault``; ``encode`` gives it back.  A class
    names the shape of its body, or has both methods of its own where a rule is to be checked.
    """

    __slots__ = ("_written",)
    TYPE: ClassVar[ExtensionType]
    BODY: ClassVar[Shape]
    RECURS: ClassVar[bool] = False
    """A program says the same in all its hellos: what was read or written once is remembered."""

    type: int
    """The number in the registry, also of an extension that is not known."""
    __match_args__: ClassVar[tuple[str, ...]]
    _written: bytes

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "TYPE" in cls.__dict__:
            cls.type = int(cls.TYPE)

    @classmethod
    def decode(cls, body: bytes) -> Self:
        make: Callable[..., Self] = cls
        return make(*cls.BODY.read(body))

    def encode(self) -> bytes:
        return self.BODY.write(*[getattr(self, name) for name in self.__match_args__])

    def written(self) -> bytes:
        """Type, length and body."""
        written: bytes | None = getattr(self, "_written", None)
        if written is None:
            body = self.encode()
            written = _HEADER.pack(self.type, len(body)) + body
            if self.RECURS:
                object.__setattr__(self, "_written", written)
        return written

    def kept(self) -> Self:
        """Itself, with its bytes: it will be written again."""
        object.__setattr__(self, "_written", self.written())
        return self


@frozen
class EmptyExtension(Extension):
    """It says what it says by being there."""

    BODY = nothing
    RECURS = True


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
