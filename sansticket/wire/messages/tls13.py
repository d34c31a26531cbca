"""The handshake messages of TLS 1.3 after the hellos (RFC 9846 section 4)."""

from struct import Struct
from typing import ClassVar, Final, Self

from attrs import field

from sansticket.codes import HandshakeType
from sansticket.errors import Fault, Reason
from sansticket.values import frozen
from sansticket.wire.cursor import (
    Reader,
    malformed,
    u16,
    vector8,
    vector24,
)
from sansticket.wire.extensions.base import Extension
from sansticket.wire.extensions.block import (
    NO_EXTENSIONS,
    E,
    encode_extensions,
    find,
)
from sansticket.wire.extensions.tables import (
    IN_CERTIFICATE,
    IN_CERTIFICATE_REQUEST,
    IN_ENCRYPTED_EXTENSIONS,
    IN_NEW_SESSION_TICKET,
    read_extensions,
)
from sansticket.wire.messages.base import EmptyMessage, ExtensionsMessage, Message, frame

_TWO_NUMBERS: Final = Struct(">II")

VERIFY_DATA_SIZES: Final = (12, 32, 48)
"""Bytes of a Finished: 12 in TLS 1.2, else the hash, SHA-256 or SHA-384."""


@frozen
class EncryptedExtensions(ExtensionsMessage):
    """RFC 9846 section 4.4.1."""

    TYPE: ClassVar[HandshakeType] = HandshakeType.ENCRYPTED_EXTENSIONS
    extensions: tuple[Extension, ...] = ()

    @classmethod
    def decode(cls, body: bytes) -> Self:
        reader = Reader(body)
        found = read_extensions(reader, IN_ENCRYPTED_EXTENSIONS)
        reader.finish()
        return cls(found)

    def encode(self) -> bytes:
        return frame(self.TYPE, encode_extensions(self.extensions) if self.extensions else NO_EXTENSIONS)


@frozen
class CertificateRequest(ExtensionsMessage):
    """RFC 9846 section 4.4.2.  The context is empty in a handshake, and unique after it."""

    TYPE: ClassVar[HandshakeType] = HandshakeType.CERTIFICATE_REQUEST
    context: bytes
    extensions: tuple[Extension, ...] = ()

    @classmethod
    def decode(cls, body: bytes) -> Self:
        reader = Reader(body)
        context = reader.vector8()
        found = read_extensions(reader, IN_CERTIFICATE_REQUEST)
        reader.finish()
        return cls(context, found)

    def encode(self) -> bytes:
        return frame(self.TYPE, vector8(self.context) + encode_extensions(self.extensions))


@frozen
class CertificateEntry:
    """One certificate in DER with what belongs to it (RFC 9846 section 4.5.1)."""

    certificate: bytes
    extensions: tuple[Extension, ...] = ()

    def find(self, kind: type[E]) -> E | None:
        """The extension of this class, if the entry has it."""
        return find(self.extensions, kind)

    @classmethod
    def read(cls, reader: Reader) -> Self:
        return cls(reader.vector24(1), read_extensions(reader, IN_CERTIFICATE))

    def encode(self) -> bytes:
        return vector24(self.certificate) + (
            encode_extensions(self.extensions) if self.extensions else NO_EXTENSIONS
        )


@frozen
class Certificate(Message):
    """RFC 9846 section 4.5.1, the sender's own certificate first.  A client may send an empty list."""

    TYPE: ClassVar[HandshakeType] = HandshakeType.CERTIFICATE
    context: bytes
    entries: tuple[CertificateEntry, ...]

    @classmethod
    def decode(cls, body: bytes) -> Self:
        reader = Reader(body)
        context = reader.vector8()
        inner = Reader(reader.vector24())
        reader.finish()
        entries = []
        while inner.left:
            entries.append(CertificateEntry.read(inner))
        return cls(context, tuple(entries))

    def encode(self) -> bytes:
        entries = b"".join([entry.encode() for entry in self.entries])
        return frame(self.TYPE, vector8(self.context) + vector24(entries))


@frozen
class CompressedCertificate(Message):
    """RFC 8879 section 4: the body of a Certificate, whose ``length`` in bytes is said beforehand."""

    TYPE: ClassVar[HandshakeType] = HandshakeType.COMPRESSED_CERTIFICATE
    algorithm: int
    length: int
    compressed: bytes = field(repr=lambda data: f"<{len(data)} bytes>")

    @classmethod
    def decode(cls, body: bytes) -> Self:
        reader = Reader(body)
        algorithm = reader.u16()
        length = reader.u24()
        compressed = reader.vector24(1)
        reader.finish()
        return cls(algorithm, length, compressed)

    def encode(self) -> bytes:
        return frame(self.TYPE, u16(self.algorithm) + self.length.to_bytes(3) + vector24(self.compressed))


@frozen
class CertificateVerify(Message):
    """RFC 9846 section 4.5.2; the same in TLS 1.2 (RFC 5246 section 7.4.8)."""

    TYPE: ClassVar[HandshakeType] = HandshakeType.CERTIFICATE_VERIFY
    scheme: int
    signature: bytes

    @classmethod
    def decode(cls, body: bytes) -> Self:
        reader = Reader(body)
        scheme = reader.u16()
        signature = reader.vector16()
        reader.finish()
        return cls(scheme, signature)

    def encode(self) -> bytes:
        return frame(self.TYPE, self.scheme.to_bytes(2) + len(self.signature).to_bytes(2) + self.signature)


@frozen
class Finished(Message):
    """RFC 9846 section 4.5.3; RFC 5246 section 7.4.9.

    Which of the three possible lengths is right depends on version and suite, and is not known here.
    """

    TYPE: ClassVar[HandshakeType] = HandshakeType.FINISHED
    verify_data: bytes

    @classmethod
    def decode(cls, body: bytes) -> Self:
        if len(body) not in VERIFY_DATA_SIZES:
            raise malformed(f"a Finished of {len(body)} bytes")
        return cls(body)

    def encode(self) -> bytes:
        return frame(self.TYPE, self.verify_data)


class EndOfEarlyData(EmptyMessage):
    """RFC 9846 section 4.6."""

    __slots__ = ()

    TYPE: ClassVar[HandshakeType] = HandshakeType.END_OF_EARLY_DATA


@frozen
class NewSessionTicket(ExtensionsMessage):
    """RFC 9846 section 4.7.1.  lifetime is in seconds, age_add in milliseconds; the ticket is never empty."""

    TYPE: ClassVar[HandshakeType] = HandshakeType.NEW_SESSION_TICKET
    lifetime: int
    age_add: int
    nonce: bytes
    ticket: bytes
    extensions: tuple[Extension, ...] = ()

    @classmethod
    def decode(cls, body: bytes) -> Self:
        reader = Reader(body)
        lifetime, age_add = reader.fixed(_TWO_NUMBERS)
        nonce = reader.vector8()
        ticket = reader.vector16(1)
        found = read_extensions(reader, IN_NEW_SESSION_TICKET)
        reader.finish()
        return cls(lifetime, age_add, nonce, ticket, found)

    def encode(self) -> bytes:
        return frame(
            self.TYPE,
            self.lifetime.to_bytes(4)
            + self.age_add.to_bytes(4)
            + len(self.nonce).to_bytes(1)
            + self.nonce
            + len(self.ticket).to_bytes(2)
            + self.ticket
            + (encode_extensions(self.extensions) if self.extensions else NO_EXTENSIONS),
        )


@frozen
class KeyUpdate(Message):
    """RFC 9846 section 4.7.3: 1 asks for a KeyUpdate in return, 0 does not, and there is no other value."""

    TYPE: ClassVar[HandshakeType] = HandshakeType.KEY_UPDATE
    request_update: int

    @classmethod
    def decode(cls, body: bytes) -> Self:
        reader = Reader(body)
        request_update = reader.u8()
        reader.finish()
        if request_update > 1:
            raise Fault(Reason.ILLEGAL_VALUE, f"request_update {request_update}")
        return cls(request_update)

    def encode(self) -> bytes:
        return frame(self.TYPE, self.request_update.to_bytes(1))
