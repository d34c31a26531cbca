"""The extensions that only TLS 1.2 gives a meaning to.  A client that offers both versions sends them too."""

from typing import ClassVar, Self

from attrs import frozen

from sansticket.codes import ExtensionType
from sansticket.wire.cursor import vector8, whole_vector8
from sansticket.wire.extensions.base import EmptyExtension, Extension


@frozen
class ExtendedMasterSecret(EmptyExtension):
    """extended_master_secret (RFC 7627 section 5.1)."""

    TYPE: ClassVar[ExtensionType] = ExtensionType.EXTENDED_MASTER_SECRET


@frozen
class RenegotiationInfo(Extension):
    """renegotiation_info (RFC 5746 section 3.2): empty in a first handshake."""

    TYPE: ClassVar[ExtensionType] = ExtensionType.RENEGOTIATION_INFO
    RECURS: ClassVar[bool] = True
    renegotiated_connection: bytes

    @classmethod
    def decode(cls, body: bytes) -> Self:
        return cls(whole_vector8(body))

    def encode(self) -> bytes:
        return vector8(self.renegotiated_connection)


@frozen
class SessionTicketExtension(Extension):
    """SessionTicket (RFC 5077 section 3.2): the ticket itself, without a length of its own.

    Empty from a client that has none yet, and always empty from a server, which promises one by it.
    """

    TYPE: ClassVar[ExtensionType] = ExtensionType.SESSION_TICKET
    ticket: bytes

    @classmethod
    def decode(cls, body: bytes) -> Self:
        return cls(body)

    def encode(self) -> bytes:
        return self.ticket


@frozen
class EcPointFormats(Extension):
    """ec_point_formats (RFC 8422 section 5.1.2): one byte each; 0 is uncompressed, the only one in use."""

    TYPE: ClassVar[ExtensionType] = ExtensionType.EC_POINT_FORMATS
    RECURS: ClassVar[bool] = True
    formats: bytes

    @classmethod
    def decode(cls, body: bytes) -> Self:
        return cls(whole_vector8(body, 1))

    def encode(self) -> bytes:
        return vector8(self.formats)
