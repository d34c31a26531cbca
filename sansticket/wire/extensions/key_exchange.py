"""Extensions of the key exchange: groups and shares (RFC 9846 sections 4.3.7 and 4.3.8)."""

from typing import Self

from sansticket.codes import ExtensionType
from sansticket.values import frozen
from sansticket.wire.cursor import (
    malformed,
    tagged,
    vector16,
    whole_vector16,
)
from sansticket.wire.extensions.base import Extension, illegal
from sansticket.wire.extensions.shapes import number16, numbers16


@frozen
class SupportedGroups(Extension):
    """supported_groups (RFC 9846 section 4.3.7), the preferred one first."""

    TYPE = ExtensionType.SUPPORTED_GROUPS
    BODY = numbers16
    RECURS = True
    groups: tuple[int, ...]


# --- key shares ------------------------------------------------------------------------------------


@frozen
class KeyShareEntry:
    """The public value of one key exchange (RFC 9846 section 4.3.8)."""

    group: int
    key_exchange: bytes

    def encode(self) -> bytes:
        return self.group.to_bytes(2) + len(self.key_exchange).to_bytes(2) + self.key_exchange


@frozen
class KeyShareOffer(Extension):
    """key_share in a ClientHello (RFC 9846 section 4.3.8); empty asks for a HelloRetryRequest."""

    TYPE = ExtensionType.KEY_SHARE
    shares: tuple[KeyShareEntry, ...]

    @classmethod
    def decode(cls, body: bytes) -> Self:
        pairs = tagged(whole_vector16(body))
        if len(dict(pairs)) != len(pairs):
            raise illegal("two key shares of one group")
        if b"" in [key_exchange for _, key_exchange in pairs]:
            raise malformed("an empty key_exchange")
        return cls(tuple([KeyShareEntry(group, key_exchange) for group, key_exchange in pairs]))

    def encode(self) -> bytes:
        return vector16(b"".join([share.encode() for share in self.shares]))


@frozen
class KeyShareAnswer(Extension):
    """key_share in a ServerHello (RFC 9846 section 4.3.8)."""

    TYPE = ExtensionType.KEY_SHARE
    share: KeyShareEntry

    @classmethod
    def decode(cls, body: bytes) -> Self:
        pairs = tagged(body)
        if len(pairs) != 1 or not pairs[0][1]:
            raise malformed(f"{len(body)} bytes, which are not one key share")
        return cls(KeyShareEntry(*pairs[0]))

    def encode(self) -> bytes:
        return self.share.encode()


@frozen
class KeyShareRetry(Extension):
    """key_share in a HelloRetryRequest (RFC 9846 section 4.3.8): the group the server wants."""

    TYPE = ExtensionType.KEY_SHARE
    BODY = number16
    group: int
