"""Extensions of resumption: pre-shared keys, early data, ticket requests (RFC 9846 sections 4.3.9 on, RFC 9149)."""

from typing import Self

from sansticket.codes import ExtensionType
from sansticket.values import frozen
from sansticket.wire.cursor import (
    Reader,
    items,
    malformed,
    pack_items,
)
from sansticket.wire.extensions.base import EmptyExtension, Extension
from sansticket.wire.extensions.shapes import number8, number16, number32, numbers8, two_numbers8

# --- pre-shared keys, tickets, early data ----------------------------------------------------------


@frozen
class PskIdentity:
    """A ticket or the name of an external key (RFC 9846 section 4.3.11); age in milliseconds modulo 2^32."""

    identity: bytes
    obfuscated_ticket_age: int


def _identities(content: bytes) -> tuple[PskIdentity, ...]:
    """Those that fill ``content``, each a vector with a two-byte length and four bytes of age."""
    found = []
    offset, end = 0, len(content)
    while offset < end:
        start = offset + 2
        size = int.from_bytes(content[offset:start])
        age = start + size
        offset = age + 4
        # A length cut short ends beyond ``end`` too, since ``start`` already does.
        if offset > end:
            raise malformed(f"{offset - end} more bytes of an identity expected, none left")
        if not size:
            raise malformed("an identity of 0 bytes, where 1 is the least")
        found.append(PskIdentity(content[start:age], int.from_bytes(content[age:offset])))
    return tuple(found)


@frozen
class PreSharedKeyOffer(Extension):
    """pre_shared_key in a ClientHello (RFC 9846 section 4.3.11), where it is the last extension.

    That there are as many binders as identities is for the server to check: it is its own ``Reason``.
    """

    TYPE = ExtensionType.PRE_SHARED_KEY
    identities: tuple[PskIdentity, ...]
    binders: tuple[bytes, ...]

    @property
    def binders_size(self) -> int:
        """Bytes of the list of binders with its length: the end of the hello, which no binder covers."""
        return 2 + len(self.binders) + sum([len(binder) for binder in self.binders])

    @classmethod
    def decode(cls, body: bytes) -> Self:
        reader = Reader(body)
        identities = _identities(reader.vector16(7))
        binders = items(reader.vector16(33), 1, 32)
        reader.finish()
        return cls(identities, binders)

    def encode(self) -> bytes:
        identities = b"".join(
            [
                len(one.identity).to_bytes(2) + one.identity + one.obfuscated_ticket_age.to_bytes(4)
                for one in self.identities
            ]
        )
        binders = pack_items(self.binders, 1)
        return len(identities).to_bytes(2) + identities + len(binders).to_bytes(2) + binders


@frozen
class PreSharedKeySelection(Extension):
    """pre_shared_key in a ServerHello (RFC 9846 section 4.3.11): which identity, from 0."""

    TYPE = ExtensionType.PRE_SHARED_KEY
    BODY = number16
    RECURS = True
    index: int


@frozen
class PskKeyExchangeModes(Extension):
    """psk_key_exchange_modes (RFC 9846 section 4.3.9)."""

    TYPE = ExtensionType.PSK_KEY_EXCHANGE_MODES
    BODY = numbers8
    RECURS = True
    modes: tuple[int, ...]


class EarlyData(EmptyExtension):
    """early_data in a ClientHello or EncryptedExtensions (RFC 9846 section 4.3.10)."""

    __slots__ = ()
    TYPE = ExtensionType.EARLY_DATA


@frozen
class EarlyDataLimit(Extension):
    """early_data in a NewSessionTicket (RFC 9846 section 4.7.1): bytes of plaintext, up to 2^32 - 1."""

    TYPE = ExtensionType.EARLY_DATA
    BODY = number32
    max_early_data_size: int


@frozen
class TicketRequest(Extension):
    """ticket_request in a ClientHello (RFC 9149 section 3): 0 to 255 tickets for either kind of handshake."""

    TYPE = ExtensionType.TICKET_REQUEST
    BODY = two_numbers8
    RECURS = True
    new_session_count: int
    resumption_count: int


@frozen
class TicketRequestHint(Extension):
    """ticket_request in EncryptedExtensions (RFC 9149 section 3): how many the server means to send."""

    TYPE = ExtensionType.TICKET_REQUEST
    BODY = number8
    expected_count: int
