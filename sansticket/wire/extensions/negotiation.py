"""Extensions by which a connection is settled: names, protocols, versions, sizes."""

from typing import ClassVar, Final, Self

from attrs import frozen

from sansticket.codes import ExtensionType
from sansticket.wire.cursor import (
    Reader,
    items,
    numbers,
    pack_items,
    pack_numbers,
    u16,
    vector8,
    vector16,
    whole_u16,
    whole_vector8,
    whole_vector16,
)
from sansticket.wire.extensions.base import EmptyExtension, Extension, illegal

HOST_NAME: Final = 0
"""The only NameType there is (RFC 6066 section 3)."""

SMALLEST_RECORD_SIZE_LIMIT: Final = 64
"""RFC 8449 section 4."""


# --- names and protocols ---------------------------------------------------------------------------


def _find_host_name(names: bytes) -> bytes:
    reader = Reader(names)
    found: dict[int, bytes] = {}
    while reader.left:
        name_type, name = reader.u8(), reader.vector16(1)
        if name_type in found:
            raise illegal(f"two server names of type {name_type}")
        found[name_type] = name
    if HOST_NAME not in found:
        raise illegal("no host name")
    return found[HOST_NAME]


@frozen
class ServerNameList(Extension):
    """server_name in a ClientHello (RFC 6066 section 3): the one host name, in ASCII.

    Names of other types are skipped; none is defined, and the document promises them a two-byte length.
    """

    TYPE: ClassVar[ExtensionType] = ExtensionType.SERVER_NAME
    RECURS: ClassVar[bool] = True
    host_name: bytes

    @classmethod
    def decode(cls, body: bytes) -> Self:
        names = whole_vector16(body, 1)
        size = len(names) - 3
        # One host name is what everybody sends: its type, 0, and its length are the size in three bytes.
        one = size > 0 and names[:3] == size.to_bytes(3)
        host_name = names[3:] if one else _find_host_name(names)
        if b"\0" in host_name or not host_name.isascii():
            raise illegal("a host name that is not ASCII")
        return cls(host_name)

    def encode(self) -> bytes:
        return vector16(b"\0" + vector16(self.host_name))


@frozen
class ServerNameAck(EmptyExtension):
    """server_name from the server: the name was used (RFC 6066 section 3)."""

    TYPE: ClassVar[ExtensionType] = ExtensionType.SERVER_NAME


@frozen
class ApplicationProtocols(Extension):
    """application_layer_protocol_negotiation (RFC 7301): the client's list, or the server's list of one."""

    TYPE: ClassVar[ExtensionType] = ExtensionType.APPLICATION_LAYER_PROTOCOL_NEGOTIATION
    RECURS: ClassVar[bool] = True
    protocols: tuple[bytes, ...]

    @classmethod
    def decode(cls, body: bytes) -> Self:
        return cls(items(whole_vector16(body, 2), 1, 1))

    def encode(self) -> bytes:
        return vector16(pack_items(self.protocols, 1))


@frozen
class RecordSizeLimit(Extension):
    """record_size_limit (RFC 8449): the largest plaintext in bytes the sender wants to get, at least 64."""

    TYPE: ClassVar[ExtensionType] = ExtensionType.RECORD_SIZE_LIMIT
    limit: int

    @classmethod
    def decode(cls, body: bytes) -> Self:
        limit = whole_u16(body)
        if limit < SMALLEST_RECORD_SIZE_LIMIT:
            raise illegal(f"record_size_limit {limit}")
        return cls(limit)

    def encode(self) -> bytes:
        return u16(self.limit)


@frozen
class Padding(Extension):
    """padding (RFC 7685): ``size`` zero bytes."""

    TYPE: ClassVar[ExtensionType] = ExtensionType.PADDING
    size: int

    @classmethod
    def decode(cls, body: bytes) -> Self:
        if body.count(0) != len(body):
            raise illegal("padding that is not zero")
        return cls(len(body))

    def encode(self) -> bytes:
        return bytes(self.size)


# --- versions, groups, signatures ------------------------------------------------------------------


@frozen
class SupportedVersions(Extension):
    """supported_versions in a ClientHello (RFC 9846 section 4.3.1), the preferred one first."""

    TYPE: ClassVar[ExtensionType] = ExtensionType.SUPPORTED_VERSIONS
    RECURS: ClassVar[bool] = True
    versions: tuple[int, ...]

    @classmethod
    def decode(cls, body: bytes) -> Self:
        return cls(numbers(whole_vector8(body, 2, 254)))

    def encode(self) -> bytes:
        return vector8(pack_numbers(self.versions))


@frozen
class SelectedVersion(Extension):
    """supported_versions in a ServerHello or HelloRetryRequest (RFC 9846 section 4.3.1)."""

    TYPE: ClassVar[ExtensionType] = ExtensionType.SUPPORTED_VERSIONS
    RECURS: ClassVar[bool] = True
    version: int

    @classmethod
    def decode(cls, body: bytes) -> Self:
        return cls(whole_u16(body))

    def encode(self) -> bytes:
        return u16(self.version)


@frozen
class SignatureAlgorithms(Extension):
    """signature_algorithms (RFC 9846 section 4.3.3): for CertificateVerify, the preferred one first."""

    TYPE: ClassVar[ExtensionType] = ExtensionType.SIGNATURE_ALGORITHMS
    RECURS: ClassVar[bool] = True
    schemes: tuple[int, ...]

    @classmethod
    def decode(cls, body: bytes) -> Self:
        return cls(numbers(whole_vector16(body, 2)))

    def encode(self) -> bytes:
        return vector16(pack_numbers(self.schemes))


@frozen
class SignatureAlgorithmsCert(Extension):
    """signature_algorithms_cert (RFC 9846 section 4.3.3): for the signatures in certificates."""

    TYPE: ClassVar[ExtensionType] = ExtensionType.SIGNATURE_ALGORITHMS_CERT
    RECURS: ClassVar[bool] = True
    schemes: tuple[int, ...]

    @classmethod
    def decode(cls, body: bytes) -> Self:
        return cls(numbers(whole_vector16(body, 2)))

    def encode(self) -> bytes:
        return vector16(pack_numbers(self.schemes))


@frozen
class Cookie(Extension):
    """cookie (RFC 9846 section 4.3.2): from a HelloRetryRequest, returned as it is; never empty."""

    TYPE: ClassVar[ExtensionType] = ExtensionType.COOKIE
    cookie: bytes

    @classmethod
    def decode(cls, body: bytes) -> Self:
        return cls(whole_vector16(body, 1))

    def encode(self) -> bytes:
        return vector16(self.cookie)
