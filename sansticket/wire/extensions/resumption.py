"""Extensions of resumption: pre-shared keys, early data, ticket requests (RFC 9846 sections 4.3.9 on, RFC 9149)."""

from typing import ClassVar, Self

from attrs import frozen

from sansticket.codes import ExtensionType
from sansticket.wire.cursor import (
    Reader,
    items,
    pack_items,
    u16,
    u32,
    vector8,
    vector16,
    whole_u16,
    whole_vector8,
)
from sansticket.wire.extensions.base import EmptyExtension, Extension

# --- pre-shared keys, tickets, early data ----------------------------------------------------------


@frozen
class PskIdentity:
    """A ticket or the name of an external key (RFC 9846 section 4.3.11); age in milliseconds modulo 2^32."""

    identity: bytes
    obfuscated_ticket_age: int


def _read_identities(reader: Reader) -> tuple[PskIdentity, ...]:
    identities = []
    while reader.left:
        identities.append(PskIdentity(reader.vector16(1), reader.u32()))
    return tuple(identities)


@frozen
class PreSharedKeyOffer(Extension):
    """pre_shared_key in a ClientHello (RFC 9846 section 4.3.11), where it is the last extension.

    That there are as many binders as identities is for the server to check: it is its own ``Reason``.
    """

    TYPE: ClassVar[ExtensionType] = ExtensionType.PRE_SHARED_KEY
    identities: tuple[PskIdentity, ...]
    binders: tuple[bytes, ...]

    @property
    def binders_size(self) -> int:
        """Bytes of the list of binders with its length: the end of the hello, which no binder covers."""
        return 2 + len(self.binders) + sum([len(binder) for binder in self.binders])

    @classmethod
    def decode(cls, body: bytes) -> Self:
        reader = Reader(body)
        identities = _read_identities(Reader(reader.vector16(7)))
        binders = items(reader.vector16(33), 1, 32)
        reader.finish()
        return cls(identities, binders)

    def encode(self) -> bytes:
        identities = [vector16(one.identity) + u32(one.obfuscated_ticket_age) for one in self.identities]
        return vector16(b"".join(identities)) + vector16(pack_items(self.binders, 1))


@frozen
class PreSharedKeySelection(Extension):
    """pre_shared_key in a ServerHello (RFC 9846 section 4.3.11): which identity, from 0."""

    TYPE: ClassVar[ExtensionType] = ExtensionType.PRE_SHARED_KEY
    index: int

    @classmethod
    def decode(cls, body: bytes) -> Self:
        return cls(whole_u16(body))

    def encode(self) -> bytes:
        return u16(self.index)


@frozen
class PskKeyExchangeModes(Extension):
    """psk_key_exchange_modes (RFC 9846 section 4.3.9)."""

    TYPE: ClassVar[ExtensionType] = ExtensionType.PSK_KEY_EXCHANGE_MODES
    RECURS: ClassVar[bool] = True
    modes: tuple[int, ...]

    @classmethod
    def decode(cls, body: bytes) -> Self:
        return cls(tuple(whole_vector8(body, 1)))

    def encode(self) -> bytes:
        return vector8(bytes(self.modes))


@frozen
class EarlyData(EmptyExtension):
    """early_data in a ClientHello or EncryptedExtensions (RFC 9846 section 4.3.10)."""

    TYPE: ClassVar[ExtensionType] = ExtensionType.EARLY_DATA


@frozen
class EarlyDataLimit(Extension):
    """early_data in a NewSessionTicket (RFC 9846 section 4.7.1): bytes of plaintext, up to 2^32 - 1."""

    TYPE: ClassVar[ExtensionType] = ExtensionType.EARLY_DATA
    max_early_data_size: int

    @classmethod
    def decode(cls, body: bytes) -> Self:
        reader = Reader(body)
        size = reader.u32()
        reader.finish()
        return cls(size)

    def encode(self) -> bytes:
        return u32(self.max_early_data_size)


@frozen
class TicketRequest(Extension):
    """ticket_request in a ClientHello (RFC 9149 section 3): 0 to 255 tickets for either kind of handshake."""

    TYPE: ClassVar[ExtensionType] = ExtensionType.TICKET_REQUEST
    new_session_count: int
    resumption_count: int

    @classmethod
    def decode(cls, body: bytes) -> Self:
        reader = Reader(body)
        new_session_count, resumption_count = reader.u8(), reader.u8()
        reader.finish()
        return cls(new_session_count, resumption_count)

    def encode(self) -> bytes:
        return bytes((self.new_session_count, self.resumption_count))


@frozen
class TicketRequestHint(Extension):
    """ticket_request in EncryptedExtensions (RFC 9149 section 3): how many the server means to send."""

    TYPE: ClassVar[ExtensionType] = ExtensionType.TICKET_REQUEST
    expected_count: int

    @classmethod
    def decode(cls, body: bytes) -> Self:
        reader = Reader(body)
        expected_count = reader.u8()
        reader.finish()
        return cls(expected_count)

    def encode(self) -> bytes:
        return bytes((self.expected_count,))
