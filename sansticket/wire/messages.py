"""The handshake messages of TLS 1.3 (RFC 9846 section 4), and the hellos that TLS 1.2 shares with it.

Each class reads and writes in the order of its structure in the document.  Two tables say what is not in a
class: ``MESSAGES``, which decoder reads which handshake type, and ``EXTENSIONS``, which extension may appear
in which message.  What depends on the state of a handshake (the version, what was offered) is not checked
here.
"""

from collections.abc import Callable
from typing import ClassVar, Final, Self

from attrs import frozen

from sansticket.errors import Fault, Reason
from sansticket.wire import extensions as x
from sansticket.wire.codes import ExtensionType, HandshakeType
from sansticket.wire.cursor import (
    Reader,
    malformed,
    numbers,
    pack_numbers,
    u16,
    u32,
    vector8,
    vector16,
    vector24,
)
from sansticket.wire.extension import Extension
from sansticket.wire.message import (
    E,
    EmptyMessage,
    ExtensionsMessage,
    ExtensionTable,
    Message,
    decode_extensions,
    encode_extensions,
    encode_optional_extensions,
    find,
    frame,
)

__all__ = [
    "EXTENSIONS",
    "HELLO_RETRY_RANDOM",
    "MESSAGES",
    "Certificate",
    "CertificateEntry",
    "CertificateRequest",
    "CertificateVerify",
    "ClientHello",
    "EncryptedExtensions",
    "EndOfEarlyData",
    "ExtensionsMessage",
    "Finished",
    "HelloRequest",
    "HelloRetryRequest",
    "KeyUpdate",
    "Message",
    "NewSessionTicket",
    "ServerHello",
    "decode_server_hello",
]

HELLO_RETRY_RANDOM: Final = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
"""SHA-256 of "HelloRetryRequest", the random that makes a ServerHello one (RFC 9846 section 4.2.3)."""

LEGACY_VERSION: Final = 0x0303

VERIFY_DATA_SIZES: Final = (12, 32, 48)
"""Bytes of a Finished: 12 in TLS 1.2, else the hash, SHA-256 or SHA-384."""


@frozen
class HelloRequest(EmptyMessage):
    """RFC 5246 section 7.4.1.1: a server of TLS 1.2 would like to negotiate.

    It may say so at any time, also before the version is settled.
    """

    TYPE: ClassVar[HandshakeType] = HandshakeType.HELLO_REQUEST


@frozen
class ClientHello(ExtensionsMessage):
    """RFC 9846 section 4.2.2; RFC 5246 section 7.4.1.2.

    A hello of TLS 1.2 may end after the compression methods.  That and an empty block of extensions read the
    same, and are written without a block.
    """

    TYPE: ClassVar[HandshakeType] = HandshakeType.CLIENT_HELLO
    random: bytes
    session_id: bytes
    cipher_suites: tuple[int, ...]
    extensions: tuple[Extension, ...] = ()
    compression_methods: bytes = b"\0"
    legacy_version: int = LEGACY_VERSION

    @classmethod
    def decode(cls, body: bytes) -> Self:
        reader = Reader(body)
        legacy_version = reader.u16()
        random = reader.take(32)
        session_id = reader.vector8(0, 32)
        cipher_suites = numbers(reader.vector16(2, 0xFFFE))
        compression_methods = reader.vector8(1)
        found = read_optional_extensions(reader, EXTENSIONS[ClientHello])
        if ExtensionType.PRE_SHARED_KEY in found and next(reversed(found)) != ExtensionType.PRE_SHARED_KEY:
            raise Fault(Reason.ILLEGAL_VALUE, "pre_shared_key is not the last extension")
        extensions = tuple(found.values())
        return cls(random, session_id, cipher_suites, extensions, compression_methods, legacy_version)

    def encode(self) -> bytes:
        return frame(
            self.TYPE,
            u16(self.legacy_version)
            + self.random
            + vector8(self.session_id)
            + vector16(pack_numbers(self.cipher_suites))
            + vector8(self.compression_methods)
            + encode_optional_extensions(self.extensions),
        )


@frozen
class ServerHello(ExtensionsMessage):
    """RFC 9846 section 4.2.3; RFC 5246 section 7.4.1.3.

    The extensions may be those of either version: which one it is, is known only when they have been read.
    """

    TYPE: ClassVar[HandshakeType] = HandshakeType.SERVER_HELLO
    random: bytes
    session_id: bytes
    cipher_suite: int
    extensions: tuple[Extension, ...] = ()
    legacy_version: int = LEGACY_VERSION
    compression_method: int = 0

    @classmethod
    def decode(cls, body: bytes) -> Self:
        reader = Reader(body)
        legacy_version = reader.u16()
        random = reader.take(32)
        session_id = reader.vector8(0, 32)
        cipher_suite = reader.u16()
        compression_method = reader.u8()
        found = tuple(read_optional_extensions(reader, EXTENSIONS[ServerHello]).values())
        ticket = find(found, x.SessionTicketExtension)
        if ticket is not None and ticket.ticket:
            raise malformed("SessionTicketExtension: a server sends it empty")
        return cls(random, session_id, cipher_suite, found, legacy_version, compression_method)

    def encode(self) -> bytes:
        return frame(
            self.TYPE,
            u16(self.legacy_version)
            + self.random
            + vector8(self.session_id)
            + u16(self.cipher_suite)
            + self.compression_method.to_bytes(1)
            + encode_optional_extensions(self.extensions),
        )


@frozen
class HelloRetryRequest(ExtensionsMessage):
    """RFC 9846 section 4.2.4: a ServerHello by its type, told apart by its random."""

    TYPE: ClassVar[HandshakeType] = HandshakeType.SERVER_HELLO
    session_id: bytes
    cipher_suite: int
    extensions: tuple[Extension, ...] = ()
    legacy_version: int = LEGACY_VERSION

    @classmethod
    def decode(cls, body: bytes) -> Self:
        reader = Reader(body)
        legacy_version = reader.u16()
        if reader.take(32) != HELLO_RETRY_RANDOM:
            raise Fault(Reason.ILLEGAL_VALUE, "a HelloRetryRequest with another random")
        session_id = reader.vector8(0, 32)
        cipher_suite = reader.u16()
        if reader.u8() != 0:
            raise Fault(Reason.ILLEGAL_VALUE, "a HelloRetryRequest with compression")
        found = read_extensions(reader, EXTENSIONS[HelloRetryRequest])
        reader.finish()
        return cls(session_id, cipher_suite, found, legacy_version)

    def encode(self) -> bytes:
        return frame(
            self.TYPE,
            u16(self.legacy_version)
            + HELLO_RETRY_RANDOM
            + vector8(self.session_id)
            + u16(self.cipher_suite)
            + b"\0"
            + encode_extensions(self.extensions),
        )


def decode_server_hello(body: bytes) -> ServerHello | HelloRetryRequest:
    """The random comes first of all (RFC 9846 section 4.2.3)."""
    if body[2:34] == HELLO_RETRY_RANDOM:
        return HelloRetryRequest.decode(body)
    return ServerHello.decode(body)


@frozen
class EncryptedExtensions(ExtensionsMessage):
    """RFC 9846 section 4.4.1."""

    TYPE: ClassVar[HandshakeType] = HandshakeType.ENCRYPTED_EXTENSIONS
    extensions: tuple[Extension, ...] = ()

    @classmethod
    def decode(cls, body: bytes) -> Self:
        reader = Reader(body)
        found = read_extensions(reader, EXTENSIONS[EncryptedExtensions])
        reader.finish()
        return cls(found)

    def encode(self) -> bytes:
        return frame(self.TYPE, encode_extensions(self.extensions))


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
        found = read_extensions(reader, EXTENSIONS[CertificateRequest])
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
        return cls(reader.vector24(1), read_extensions(reader, EXTENSIONS[Certificate]))

    def encode(self) -> bytes:
        return vector24(self.certificate) + encode_extensions(self.extensions)


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
        return frame(self.TYPE, u16(self.scheme) + vector16(self.signature))


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


@frozen
class EndOfEarlyData(EmptyMessage):
    """RFC 9846 section 4.6."""

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
        lifetime = reader.u32()
        age_add = reader.u32()
        nonce = reader.vector8()
        ticket = reader.vector16(1)
        found = read_extensions(reader, EXTENSIONS[NewSessionTicket])
        reader.finish()
        return cls(lifetime, age_add, nonce, ticket, found)

    def encode(self) -> bytes:
        return frame(
            self.TYPE,
            u32(self.lifetime)
            + u32(self.age_add)
            + vector8(self.nonce)
            + vector16(self.ticket)
            + encode_extensions(self.extensions),
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


def _table(*kinds: type[Extension]) -> ExtensionTable:
    return {int(kind.TYPE): kind for kind in kinds}


EXTENSIONS: Final[dict[type[Message], ExtensionTable]] = {
    ClientHello: _table(
        x.ServerNameList,
        x.StatusRequest,
        x.SupportedGroups,
        x.EcPointFormats,
        x.SignatureAlgorithms,
        x.ApplicationProtocols,
        x.SignedCertificateTimestampRequest,
        x.Padding,
        x.ExtendedMasterSecret,
        x.CompressCertificate,
        x.RecordSizeLimit,
        x.SessionTicketExtension,
        x.PreSharedKeyOffer,
        x.EarlyData,
        x.SupportedVersions,
        x.Cookie,
        x.PskKeyExchangeModes,
        x.CertificateAuthorities,
        x.PostHandshakeAuth,
        x.SignatureAlgorithmsCert,
        x.KeyShareOffer,
        x.TicketRequest,
        x.RenegotiationInfo,
    ),
    # TLS 1.3 has the first three; the others are answers of TLS 1.2.  supported_groups is an answer in
    # neither, but there are servers of TLS 1.2 that send it all the same, and nothing follows from it.
    ServerHello: _table(
        x.PreSharedKeySelection,
        x.SelectedVersion,
        x.KeyShareAnswer,
        x.ServerNameAck,
        x.StatusRequestAck,
        x.SupportedGroups,
        x.EcPointFormats,
        x.ApplicationProtocols,
        x.SignedCertificateTimestamps,
        x.ExtendedMasterSecret,
        x.RecordSizeLimit,
        x.SessionTicketExtension,
        x.RenegotiationInfo,
    ),
    HelloRetryRequest: _table(x.SelectedVersion, x.Cookie, x.KeyShareRetry),
    EncryptedExtensions: _table(
        x.ServerNameAck,
        x.SupportedGroups,
        x.ApplicationProtocols,
        x.RecordSizeLimit,
        x.EarlyData,
        x.TicketRequestHint,
    ),
    CertificateRequest: _table(
        x.ServerNameList,
        x.StatusRequestAck,
        x.SignatureAlgorithms,
        x.SignedCertificateTimestampRequest,
        x.CompressCertificate,
        x.CertificateAuthorities,
        x.OidFilters,
        x.SignatureAlgorithmsCert,
    ),
    Certificate: _table(x.CertificateStatusResponse, x.SignedCertificateTimestamps),
    NewSessionTicket: _table(x.EarlyDataLimit),
}
"""Which extension may appear in which message (RFC 9846 section 4.3, table 1).

Those of a ``CertificateEntry`` are in the row of ``Certificate``.  A number that is in some row and not in
the row of the message is forbidden in it; a number that is in no row is unknown.
"""

_KNOWN: Final = {number for table in EXTENSIONS.values() for number in table}


def read_extensions(reader: Reader, table: ExtensionTable) -> tuple[Extension, ...]:
    """A block of extensions with its length."""
    return tuple(decode_extensions(reader.vector16(), table, _KNOWN).values())


def read_optional_extensions(reader: Reader, table: ExtensionTable) -> dict[int, Extension]:
    """The end of a hello: nothing, or a block of extensions, and nothing after it."""
    if not reader.left:
        return {}
    block = reader.vector16()
    reader.finish()
    return decode_extensions(block, table, _KNOWN)


MESSAGES: Final[dict[int, Callable[[bytes], Message]]] = {
    HandshakeType.HELLO_REQUEST: HelloRequest.decode,
    HandshakeType.CLIENT_HELLO: ClientHello.decode,
    HandshakeType.SERVER_HELLO: decode_server_hello,
    HandshakeType.NEW_SESSION_TICKET: NewSessionTicket.decode,
    HandshakeType.END_OF_EARLY_DATA: EndOfEarlyData.decode,
    HandshakeType.ENCRYPTED_EXTENSIONS: EncryptedExtensions.decode,
    HandshakeType.CERTIFICATE: Certificate.decode,
    HandshakeType.CERTIFICATE_REQUEST: CertificateRequest.decode,
    HandshakeType.CERTIFICATE_VERIFY: CertificateVerify.decode,
    HandshakeType.FINISHED: Finished.decode,
    HandshakeType.KEY_UPDATE: KeyUpdate.decode,
}
"""Which decoder reads the body of which handshake type in TLS 1.3, and before the version is settled."""
