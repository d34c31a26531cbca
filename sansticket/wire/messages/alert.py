"""The alert (RFC 9846 section 6)."""

from typing import Self

from sansticket.values import frozen
from sansticket.wire.cursor import Reader


@frozen
class Alert:
    """Two bytes.  Unknown levels and descriptions survive; in TLS 1.3 the description alone has a meaning."""

    level: int
    description: int

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """Exactly two bytes: an alert is neither cut nor put together with another (section 5.1)."""
        reader = Reader(body)
        level, description = reader.u8(), reader.u8()
        reader.finish()
        return cls(level, description)

    def encode(self) -> bytes:
        return bytes((self.level, self.description))
