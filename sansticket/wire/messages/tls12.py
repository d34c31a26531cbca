"""The handshake messages that only TLS 1.2 has (RFC 5246 section 7.4 and its companions), for ECDHE suites.

HelloRequest, ClientHello, ServerHello, CertificateVerify and Finished are those of ``messages``.  Certificate,
CertificateRequest and NewSessionTicket have the same type in both versions and another form in each, which is
why the version chooses the table: ``MESSAGES_12`` here, ``MESSAGES`` there.
"""

from typing import ClassVar, Final, Self

from sansticket.codes import HandshakeType
from sansticket.values import frozen
from sansticket.wire.cursor import (
    Reader,
    items,
    numbers,
    pack_items,
    pack_numbers,
    vector8,
    vector16,
    vector24,
    whole_vector8,
)
from sansticket.wire.extensions.base import illegal
from sansticket.wire.extensions.certificate import (
    decode_certificate_status,
    encode_certificate_status,
)
from sansticket.wire.messages.base import EmptyMessage, Message, frame

NAMED_CURVE: Final = 3
"""The ECCurveType of every group this package knows (RFC 8422 section 5.4)."""


@frozen
class Certificate(Message):
    """RFC 5246 section 7.4.2: certificates in DER, the sender's own first.  A client may send none."""

    TYPE: ClassVar[HandshakeType] = HandshakeType.CERTIFICATE
    certificates: tuple[bytes, ...]

    @classmethod
    def decode(cls, body: bytes) -> Self:
        reader = Reader(body)
        certificates = items(reader.vector24(), 3, 1)
        reader.finish()
        return cls(certificates)

    def encode(self) -> bytes:
        return frame(self.TYPE, vector24(pack_items(self.certificates, 3)))


@frozen
class CertificateStatus(Message):
    """RFC 6066 section 8: the OCSP response in DER."""

    TYPE: ClassVar[HandshakeType] = HandshakeType.CERTIFICATE_STATUS
    response: bytes

    @classmethod
    def decode(cls, body: bytes) -> Self:
        return cls(decode_certificate_status(body))

    def encode(self) -> bytes:
        return frame(self.TYPE, encode_certificate_status(self.response))


@frozen
class ServerKeyExchange(Message):
    """RFC 8422 section 5.4: the server's ECDHE share, signed together with both randoms."""

    TYPE: ClassVar[HandshakeType] = HandshakeType.SERVER_KEY_EXCHANGE
    group: int
    public: bytes
    scheme: int
    signature: bytes

    @property
    def params(self) -> bytes:
        """ServerECDHParams, the part that the signature covers after the two randoms."""
        return b"\x03" + self.group.to_bytes(2) + len(self.public).to_bytes(1) + self.public

    @classmethod
    def decode(cls, body: bytes) -> Self:
        reader = Reader(body)
        curve_type = reader.u8()
        # Checked at once: what follows has another form for another type.
        if curve_type != NAMED_CURVE:
            raise illegal(f"curve type {curve_type}")
        group = reader.u16()
        public = reader.vector8(1)
        scheme = reader.u16()
        signature = reader.vector16()
        reader.finish()
        return cls(group, public, scheme, signature)

    def encode(self) -> bytes:
        return frame(
            self.TYPE,
            self.params + self.scheme.to_bytes(2) + len(self.signature).to_bytes(2) + self.signature,
        )


@frozen
class CertificateRequest(Message):
    """RFC 5246 section 7.4.4.  The authorities are distinguished names in DER, and may be none."""

    TYPE: ClassVar[HandshakeType] = HandshakeType.CERTIFICATE_REQUEST
    certificate_types: bytes
    schemes: tuple[int, ...]
    authorities: tuple[bytes, ...]

    @classmethod
    def decode(cls, body: bytes) -> Self:
        reader = Reader(body)
        certificate_types = reader.vector8(1)
        schemes = numbers(reader.vector16(2, 0xFFFE))
        authorities = items(reader.vector16(), 2, 1)
        reader.finish()
        return cls(certificate_types, schemes, authorities)

    def encode(self) -> bytes:
        return frame(
            self.TYPE,
            vector8(self.certificate_types)
            + vector16(pack_numbers(self.schemes))
            + vector16(pack_items(self.authorities, 2)),
        )


class ServerHelloDone(EmptyMessage):
    """RFC 5246 section 7.4.5."""

    __slots__ = ()

    TYPE: ClassVar[HandshakeType] = HandshakeType.SERVER_HELLO_DONE


@frozen
class ClientKeyExchange(Message):
    """RFC 8422 section 5.7: the client's ECDHE share."""

    TYPE: ClassVar[HandshakeType] = HandshakeType.CLIENT_KEY_EXCHANGE
    public: bytes

    @classmethod
    def decode(cls, body: bytes) -> Self:
        return cls(whole_vector8(body, 1))

    def encode(self) -> bytes:
        return frame(self.TYPE, vector8(self.public))


@frozen
class NewSessionTicket(Message):
    """RFC 5077 section 3.3.  The hint is in seconds, 0 for none; an empty ticket takes the promise back."""

    TYPE: ClassVar[HandshakeType] = HandshakeType.NEW_SESSION_TICKET
    lifetime_hint: int
    ticket: bytes

    @classmethod
    def decode(cls, body: bytes) -> Self:
        reader = Reader(body)
        lifetime_hint = reader.u32()
        ticket = reader.vector16()
        reader.finish()
        return cls(lifetime_hint, ticket)

    def encode(self) -> bytes:
        return frame(self.TYPE, self.lifetime_hint.to_bytes(4) + len(self.ticket).to_bytes(2) + self.ticket)
