"""What every handshake message is."""

from typing import ClassVar, Self

from sansticket.codes import HandshakeType
from sansticket.values import frozen
from sansticket.wire.cursor import malformed
from sansticket.wire.extensions.base import Extension
from sansticket.wire.extensions.block import E


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


@frozen
class EmptyMessage(Message):
    """A message that is nothing but its type."""

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
