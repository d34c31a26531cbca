"""Extensions by which a connection is settled: names, protocols, versions, sizes."""

from typing import Final, Self

from sansticket.codes import ExtensionType
from sansticket.values import frozen
from sansticket.wire.cursor import (
    Reader,
    vector16,
    whole_vector16,
)
from sansticket.wire.extensions.base import EmptyExtension, Extension, illegal
from sansticket.wire.extensions.shapes import (
    few_numbers16,
    filled16,
    names8,
    number8,
    number16,
    numbers16,
)

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

    TYPE = ExtensionType.SERVER_NAME
    RECURS = True
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


class ServerNameAck(EmptyExtension):
    """server_name from the server: the name was used (RFC 6066 section 3)."""

    __slots__ = ()
    TYPE = ExtensionType.SERVER_NAME


@frozen
class ApplicationProtocols(Extension):
    """application_layer_protocol_negotiation (RFC 7301): the client's list, or the server's list of one."""

    TYPE = ExtensionType.APPLICATION_LAYER_PROTOCOL_NEGOTIATION
    BODY = names8
    RECURS = True
    protocols: tuple[bytes, ...]


@frozen
class MaxFragmentLength(Extension):
    """max_fragment_length (RFC 6066 section 4): 1 to 4 stand for 2^9 to 2^12 bytes of content in a record."""

    TYPE = ExtensionType.MAX_FRAGMENT_LENGTH
    BODY = number8
    code: int

    @classmethod
    def decode(cls, body: bytes) -> Self:
        (code,) = cls.BODY.read(body)
        if not 1 <= code <= 4:
            raise illegal(f"max_fragment_length {code}")
        return cls(code)

    @property
    def length(self) -> int:
        """Bytes."""
        return int(2 ** (8 + self.code))


@frozen
class RecordSizeLimit(Extension):
    """record_size_limit (RFC 8449): the largest plaintext in bytes the sender wants to get, at least 64."""

    TYPE = ExtensionType.RECORD_SIZE_LIMIT
    BODY = number16
    limit: int

    @classmethod
    def decode(cls, body: bytes) -> Self:
        (limit,) = cls.BODY.read(body)
        if limit < SMALLEST_RECORD_SIZE_LIMIT:
            raise illegal(f"record_size_limit {limit}")
        return cls(limit)


@frozen
class Padding(Extension):
    """padding (RFC 7685): ``size`` zero bytes."""

    TYPE = ExtensionType.PADDING
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

    TYPE = ExtensionType.SUPPORTED_VERSIONS
    BODY = few_numbers16
    RECURS = True
    versions: tuple[int, ...]


@frozen
class SelectedVersion(Extension):
    """supported_versions in a ServerHello or HelloRetryRequest (RFC 9846 section 4.3.1)."""

    TYPE = ExtensionType.SUPPORTED_VERSIONS
    BODY = number16
    RECURS = True
    version: int


@frozen
class SignatureAlgorithms(Extension):
    """signature_algorithms (RFC 9846 section 4.3.3): for CertificateVerify, the preferred one first."""

    TYPE = ExtensionType.SIGNATURE_ALGORITHMS
    BODY = numbers16
    RECURS = True
    schemes: tuple[int, ...]


@frozen
class SignatureAlgorithmsCert(Extension):
    """signature_algorithms_cert (RFC 9846 section 4.3.3): for the signatures in certificates."""

    TYPE = ExtensionType.SIGNATURE_ALGORITHMS_CERT
    BODY = numbers16
    RECURS = True
    schemes: tuple[int, ...]


@frozen
class Cookie(Extension):
    """cookie (RFC 9846 section 4.3.2): from a HelloRetryRequest, returned as it is; never empty."""

    TYPE = ExtensionType.COOKIE
    BODY = filled16
    cookie: bytes
