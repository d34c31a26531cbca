"""The extensions that only TLS 1.2 gives a meaning to.  A client that offers both versions sends them too."""

from typing import Self

from sansticket.codes import ExtensionType
from sansticket.values import frozen
from sansticket.wire.extensions.base import EmptyExtension, Extension
from sansticket.wire.extensions.shapes import filled8, opaque8


class ExtendedMasterSecret(EmptyExtension):
    """extended_master_secret (RFC 7627 section 5.1)."""

    __slots__ = ()
    TYPE = ExtensionType.EXTENDED_MASTER_SECRET


@frozen
class RenegotiationInfo(Extension):
    """renegotiation_info (RFC 5746 section 3.2): empty in a first handshake."""

    TYPE = ExtensionType.RENEGOTIATION_INFO
    BODY = opaque8
    RECURS = True
    renegotiated_connection: bytes


@frozen
class SessionTicketExtension(Extension):
    """SessionTicket (RFC 5077 section 3.2): the ticket itself, without a length of its own.

    Empty from a client that has none yet, and always empty from a server, which promises one by it.
    """

    TYPE = ExtensionType.SESSION_TICKET
    ticket: bytes

    @classmethod
    def decode(cls, body: bytes) -> Self:
        return cls(body)

    def encode(self) -> bytes:
        return self.ticket


@frozen
class EcPointFormats(Extension):
    """ec_point_formats (RFC 8422 section 5.1.2): one byte each; 0 is uncompressed, the only one in use."""

    TYPE = ExtensionType.EC_POINT_FORMATS
    BODY = filled8
    RECURS = True
    formats: bytes
