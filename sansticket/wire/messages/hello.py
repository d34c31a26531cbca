"""The messages that begin a handshake, common to both versions (RFC 9846 section 4.2, RFC 5246 section 7.4.1)."""

from struct import Struct
from typing import ClassVar, Final, Self

from sansticket.codes import ExtensionType, HandshakeType
from sansticket.errors import Fault, Reason
from sansticket.values import frozen
from sansticket.wire import extensions as x
from sansticket.wire.cursor import (
    Reader,
    malformed,
    numbers,
    pack_numbers,
    u16,
)
from sansticket.wire.extensions.base import Extension
from sansticket.wire.extensions.block import (
    encode_extensions,
)
from sansticket.wire.extensions.tables import (
    IN_CLIENT_HELLO,
    IN_HELLO_RETRY_REQUEST,
    IN_SERVER_HELLO,
    read_extensions,
    read_optional_extensions,
)
from sansticket.wire.messages.base import EmptyMessage, ExtensionsMessage, frame

HELLO_RETRY_RANDOM: Final = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
"""SHA-256 of "HelloRetryRequest", the random that makes a ServerHello one (RFC 9846 section 4.2.3)."""

LEGACY_VERSION: Final = 0x0303

_START: Final = Struct(">H32s")
_CHOSEN: Final = Struct(">HB")


def read_start(reader: Reader) -> tuple[int, bytes, bytes]:
    """What all hellos begin with: legacy_version, random, session id."""
    legacy_version, random = reader.fixed(_START)
    return legacy_version, random, reader.vector8(0, 32)


def write_start(legacy_version: int, random: bytes, session_id: bytes) -> bytes:
    return legacy_version.to_bytes(2) + random + len(session_id).to_bytes(1) + session_id


class HelloRequest(EmptyMessage):
    """RFC 5246 section 7.4.1.1: a server of TLS 1.2 would like to negotiate.

    It may say so at any time, also before the version is settled.
    """

    __slots__ = ()

    TYPE: ClassVar[HandshakeType] = HandshakeType.HELLO_REQUEST


@frozen(slots=False)
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
        legacy_version, random, session_id = read_start(reader)
        cipher_suites = numbers(reader.vector16(2, 0xFFFE))
        compression_methods = reader.vector8(1)
        found = read_optional_extensions(reader, IN_CLIENT_HELLO)
        if ExtensionType.PRE_SHARED_KEY in found and next(reversed(found)) != ExtensionType.PRE_SHARED_KEY:
            raise Fault(Reason.ILLEGAL_VALUE, "pre_shared_key is not the last extension")
        extensions = tuple(found.values())
        hello = cls(random, session_id, cipher_suites, extensions, compression_methods, legacy_version)
        # A server asks some twenty times: here a table's own look-up, without a call of ours, is the method.
        object.__setattr__(hello, "find", {type(one): one for one in reversed(extensions)}.get)
        return hello

    def encode(self) -> bytes:
        return frame(
            self.TYPE,
            write_start(self.legacy_version, self.random, self.session_id)
            + (2 * len(self.cipher_suites)).to_bytes(2)
            + pack_numbers(self.cipher_suites)
            + len(self.compression_methods).to_bytes(1)
            + self.compression_methods
            + (encode_extensions(self.extensions) if self.extensions else b""),
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
        legacy_version, random, session_id = read_start(reader)
        cipher_suite, compression_method = reader.fixed(_CHOSEN)
        found = read_optional_extensions(reader, IN_SERVER_HELLO)
        ticket = found.get(ExtensionType.SESSION_TICKET)
        if isinstance(ticket, x.SessionTicketExtension) and ticket.ticket:
            raise malformed("SessionTicketExtension: a server sends it empty")
        extensions = tuple(found.values())
        return cls(random, session_id, cipher_suite, extensions, legacy_version, compression_method)

    def encode(self) -> bytes:
        return frame(
            self.TYPE,
            write_start(self.legacy_version, self.random, self.session_id)
            + self.cipher_suite.to_bytes(2)
            + self.compression_method.to_bytes(1)
            + (encode_extensions(self.extensions) if self.extensions else b""),
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
        legacy_version, random, session_id = read_start(reader)
        if random != HELLO_RETRY_RANDOM:
            raise Fault(Reason.ILLEGAL_VALUE, "a HelloRetryRequest with another random")
        cipher_suite, compression_method = reader.fixed(_CHOSEN)
        found = read_extensions(reader, IN_HELLO_RETRY_REQUEST)
        reader.finish()
        if compression_method != 0:  # last: what has not the form of a message has no values
            raise Fault(Reason.ILLEGAL_VALUE, "a HelloRetryRequest with compression")
        return cls(session_id, cipher_suite, found, legacy_version)

    def encode(self) -> bytes:
        return frame(
            self.TYPE,
            write_start(self.legacy_version, HELLO_RETRY_RANDOM, self.session_id)
            + u16(self.cipher_suite)
            + b"\0"
            + encode_extensions(self.extensions),
        )


def decode_server_hello(body: bytes) -> ServerHello | HelloRetryRequest:
    """The random comes first of all (RFC 9846 section 4.2.3)."""
    if body[2:34] == HELLO_RETRY_RANDOM:
        return HelloRetryRequest.decode(body)
    return ServerHello.decode(body)
