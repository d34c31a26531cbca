"""The extensions that say which certificates are wanted, or that travel with one."""

from typing import Final, Self

from sansticket.codes import ExtensionType
from sansticket.values import frozen
from sansticket.wire.cursor import (
    Reader,
    items,
    vector8,
    vector16,
    vector24,
    whole_vector16,
)
from sansticket.wire.extensions.base import EmptyExtension, Extension, illegal
from sansticket.wire.extensions.shapes import few_numbers16, names16

OCSP: Final = 1
"""The only CertificateStatusType in use (RFC 6066 section 8)."""


def decode_certificate_status(body: bytes) -> bytes:
    """The OCSP response of a CertificateStatus (RFC 6066 section 8), 1 to 2^24 - 1 bytes of DER."""
    reader = Reader(body)
    status_type = reader.u8()
    response = reader.vector24(1)
    reader.finish()
    if status_type != OCSP:
        raise illegal(f"certificate status type {status_type}")
    return response


def encode_certificate_status(response: bytes) -> bytes:
    return b"\x01" + vector24(response)


@frozen
class CertificateAuthorities(Extension):
    """certificate_authorities (RFC 9846 section 4.3.4): distinguished names in DER, at least one."""

    TYPE = ExtensionType.CERTIFICATE_AUTHORITIES
    BODY = names16
    names: tuple[bytes, ...]


@frozen
class OidFilters(Extension):
    """oid_filters (RFC 9846 section 4.3.5): OIDs of certificate extensions with the values wanted, in DER."""

    TYPE = ExtensionType.OID_FILTERS
    filters: tuple[tuple[bytes, bytes], ...]

    @classmethod
    def decode(cls, body: bytes) -> Self:
        reader = Reader(whole_vector16(body))
        filters = []
        while reader.left:
            filters.append((reader.vector8(1), reader.vector16()))
        if len({oid for oid, _ in filters}) != len(filters):
            raise illegal("two filters for one OID")
        return cls(tuple(filters))

    def encode(self) -> bytes:
        return vector16(b"".join([vector8(oid) + vector16(values) for oid, values in self.filters]))


class PostHandshakeAuth(EmptyExtension):
    """post_handshake_auth (RFC 9846 section 4.3.6)."""

    __slots__ = ()
    TYPE = ExtensionType.POST_HANDSHAKE_AUTH


@frozen
class StatusRequest(Extension):
    """status_request in a ClientHello (RFC 6066 section 8): an OCSP response is wanted.

    The body stays as it is, since only its form matters here; by default no responders and no extensions.
    """

    TYPE = ExtensionType.STATUS_REQUEST
    body: bytes = b"\x01\0\0\0\0"

    @classmethod
    def decode(cls, body: bytes) -> Self:
        reader = Reader(body)
        if reader.u8() == OCSP:
            items(reader.vector16(), 2, 1)
            reader.vector16()
            reader.finish()
        # Another type has a form of its own, and a server that does not know it goes without.
        return cls(body)

    def encode(self) -> bytes:
        return self.body

    @property
    def wants_ocsp(self) -> bool:
        return self.body[0] == OCSP


class StatusRequestAck(EmptyExtension):
    """Empty status_request: in a CertificateRequest (RFC 9846 section 4.5.1.1) or a TLS 1.2 ServerHello."""

    __slots__ = ()
    TYPE = ExtensionType.STATUS_REQUEST


@frozen
class CertificateStatusResponse(Extension):
    """status_request in a CertificateEntry (RFC 9846 section 4.5.1.1): the OCSP response in DER."""

    TYPE = ExtensionType.STATUS_REQUEST
    response: bytes

    @classmethod
    def decode(cls, body: bytes) -> Self:
        return cls(decode_certificate_status(body))

    def encode(self) -> bytes:
        return encode_certificate_status(self.response)


class SignedCertificateTimestampRequest(EmptyExtension):
    """signed_certificate_timestamp in a ClientHello or CertificateRequest (RFC 6962 section 3.3.1)."""

    __slots__ = ()
    TYPE = ExtensionType.SIGNED_CERTIFICATE_TIMESTAMP


@frozen
class SignedCertificateTimestamps(Extension):
    """signed_certificate_timestamp in a CertificateEntry or a TLS 1.2 ServerHello (RFC 6962 section 3.3)."""

    TYPE = ExtensionType.SIGNED_CERTIFICATE_TIMESTAMP
    BODY = names16
    timestamps: tuple[bytes, ...]


@frozen
class CompressCertificate(Extension):
    """compress_certificate (RFC 8879 section 3): the algorithms the sender can undo."""

    TYPE = ExtensionType.COMPRESS_CERTIFICATE
    BODY = few_numbers16
    algorithms: tuple[int, ...]
