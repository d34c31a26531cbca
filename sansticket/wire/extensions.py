"""The extensions (RFC 9846 section 4.3 and the documents that add to it), one class each.

Where one number has a different form in different messages there are several classes with the same
``TYPE``: key_share is a ``KeyShareOffer`` in a ClientHello, a ``KeyShareAnswer`` in a ServerHello and a
``KeyShareRetry`` in a HelloRetryRequest.  Which class reads a number in which message is said by
``EXTENSIONS`` in ``messages``, the only place that says it.  A number that is in no row there is an
``UnknownExtension``, which keeps its body.

Decoding checks lengths (``MALFORMED_MESSAGE``) and what the definition of the extension itself forbids
(``ILLEGAL_VALUE``).  What depends on the handshake, such as whether an extension was asked for, is left to
the states.  The extensions about certificates and those of TLS 1.2 have their own modules; all can be
imported from here.
"""

from typing import ClassVar, Final, Self

from attrs import frozen

from sansticket.wire.codes import ExtensionType
from sansticket.wire.cursor import (
    Reader,
    items,
    malformed,
    numbers,
    pack_items,
    pack_numbers,
    tagged,
    u16,
    u32,
    vector8,
    vector16,
    whole_u16,
    whole_vector8,
    whole_vector16,
)
from sansticket.wire.extension import EmptyExtension, Extension, UnknownExtension, illegal
from sansticket.wire.extensions12 import (
    EcPointFormats,
    ExtendedMasterSecret,
    RenegotiationInfo,
    SessionTicketExtension,
)
from sansticket.wire.extensions_certificate import (
    CertificateAuthorities,
    CertificateStatusResponse,
    CompressCertificate,
    OidFilters,
    PostHandshakeAuth,
    SignedCertificateTimestampRequest,
    SignedCertificateTimestamps,
    StatusRequest,
    StatusRequestAck,
)

__all__ = [
    "ApplicationProtocols",
    "CertificateAuthorities",
    "CertificateStatusResponse",
    "CompressCertificate",
    "Cookie",
    "EarlyData",
    "EarlyDataLimit",
    "EcPointFormats",
    "EmptyExtension",
    "ExtendedMasterSecret",
    "Extension",
    "KeyShareAnswer",
    "KeyShareEntry",
    "KeyShareOffer",
    "KeyShareRetry",
    "OidFilters",
    "Padding",
    "PostHandshakeAuth",
    "PreSharedKeyOffer",
    "PreSharedKeySelection",
    "PskIdentity",
    "PskKeyExchangeModes",
    "RecordSizeLimit",
    "RenegotiationInfo",
    "SelectedVersion",
    "ServerNameAck",
    "ServerNameList",
    "SessionTicketExtension",
    "SignatureAlgorithms",
    "SignatureAlgorithmsCert",
    "SignedCertificateTimestampRequest",
    "SignedCertificateTimestamps",
    "StatusRequest",
    "StatusRequestAck",
    "SupportedGroups",
    "SupportedVersions",
    "TicketRequest",
    "TicketRequestHint",
    "UnknownExtension",
]

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
class SupportedGroups(Extension):
    """supported_groups (RFC 9846 section 4.3.7), the preferred one first."""

    TYPE: ClassVar[ExtensionType] = ExtensionType.SUPPORTED_GROUPS
    RECURS: ClassVar[bool] = True
    groups: tuple[int, ...]

    @classmethod
    def decode(cls, body: bytes) -> Self:
        return cls(numbers(whole_vector16(body, 2)))

    def encode(self) -> bytes:
        return vector16(pack_numbers(self.groups))


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


# --- key shares ------------------------------------------------------------------------------------


@frozen
class KeyShareEntry:
    """The public value of one key exchange (RFC 9846 section 4.3.8)."""

    group: int
    key_exchange: bytes

    def encode(self) -> bytes:
        return u16(self.group) + vector16(self.key_exchange)


@frozen
class KeyShareOffer(Extension):
    """key_share in a ClientHello (RFC 9846 section 4.3.8); empty asks for a HelloRetryRequest."""

    TYPE: ClassVar[ExtensionType] = ExtensionType.KEY_SHARE
    shares: tuple[KeyShareEntry, ...]

    @classmethod
    def decode(cls, body: bytes) -> Self:
        pairs = tagged(whole_vector16(body))
        if len(dict(pairs)) != len(pairs):
            raise illegal("two key shares of one group")
        if b"" in [key_exchange for _, key_exchange in pairs]:
            raise malformed("an empty key_exchange")
        return cls(tuple([KeyShareEntry(group, key_exchange) for group, key_exchange in pairs]))

    def encode(self) -> bytes:
        return vector16(b"".join([share.encode() for share in self.shares]))


@frozen
class KeyShareAnswer(Extension):
    """key_share in a ServerHello (RFC 9846 section 4.3.8)."""

    TYPE: ClassVar[ExtensionType] = ExtensionType.KEY_SHARE
    share: KeyShareEntry

    @classmethod
    def decode(cls, body: bytes) -> Self:
        reader = Reader(body)
        share = KeyShareEntry(reader.u16(), reader.vector16(1))
        reader.finish()
        return cls(share)

    def encode(self) -> bytes:
        return self.share.encode()


@frozen
class KeyShareRetry(Extension):
    """key_share in a HelloRetryRequest (RFC 9846 section 4.3.8): the group the server wants."""

    TYPE: ClassVar[ExtensionType] = ExtensionType.KEY_SHARE
    group: int

    @classmethod
    def decode(cls, body: bytes) -> Self:
        return cls(whole_u16(body))

    def encode(self) -> bytes:
        return u16(self.group)


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


# --- pre-shared keys, tickets, early data ----------------------------------------------------------


@frozen
class PskIdentity:
    """A ticket or the name of an external key (RFC 9846 section 4.3.11); age in milliseconds modulo 2^32."""

    identity: bytes
    obfuscated_ticket_age: int


def _read_identities(reader: Reader) -> tuple[PskIdentity, ...]:
    identities = []
    while reader.left:
        identities.append(PskIdentity(reader.vector16(1), reader.u32()))
    return tuple(identities)


@frozen
class PreSharedKeyOffer(Extension):
    """pre_shared_key in a ClientHello (RFC 9846 section 4.3.11), where it is the last extension.

    That there are as many binders as identities is for the server to check: it is its own ``Reason``.
    """

    TYPE: ClassVar[ExtensionType] = ExtensionType.PRE_SHARED_KEY
    identities: tuple[PskIdentity, ...]
    binders: tuple[bytes, ...]

    @property
    def binders_size(self) -> int:
        """Bytes of the list of binders with its length: the end of the hello, which no binder covers."""
        return 2 + len(self.binders) + sum([len(binder) for binder in self.binders])

    @classmethod
    def decode(cls, body: bytes) -> Self:
        reader = Reader(body)
        identities = _read_identities(Reader(reader.vector16(7)))
        binders = items(reader.vector16(33), 1, 32)
        reader.finish()
        return cls(identities, binders)

    def encode(self) -> bytes:
        identities = [vector16(one.identity) + u32(one.obfuscated_ticket_age) for one in self.identities]
        return vector16(b"".join(identities)) + vector16(pack_items(self.binders, 1))


@frozen
class PreSharedKeySelection(Extension):
    """pre_shared_key in a ServerHello (RFC 9846 section 4.3.11): which identity, from 0."""

    TYPE: ClassVar[ExtensionType] = ExtensionType.PRE_SHARED_KEY
    index: int

    @classmethod
    def decode(cls, body: bytes) -> Self:
        return cls(whole_u16(body))

    def encode(self) -> bytes:
        return u16(self.index)


@frozen
class PskKeyExchangeModes(Extension):
    """psk_key_exchange_modes (RFC 9846 section 4.3.9)."""

    TYPE: ClassVar[ExtensionType] = ExtensionType.PSK_KEY_EXCHANGE_MODES
    RECURS: ClassVar[bool] = True
    modes: tuple[int, ...]

    @classmethod
    def decode(cls, body: bytes) -> Self:
        return cls(tuple(whole_vector8(body, 1)))

    def encode(self) -> bytes:
        return vector8(bytes(self.modes))


@frozen
class EarlyData(EmptyExtension):
    """early_data in a ClientHello or EncryptedExtensions (RFC 9846 section 4.3.10)."""

    TYPE: ClassVar[ExtensionType] = ExtensionType.EARLY_DATA


@frozen
class EarlyDataLimit(Extension):
    """early_data in a NewSessionTicket (RFC 9846 section 4.7.1): bytes of plaintext, up to 2^32 - 1."""

    TYPE: ClassVar[ExtensionType] = ExtensionType.EARLY_DATA
    max_early_data_size: int

    @classmethod
    def decode(cls, body: bytes) -> Self:
        reader = Reader(body)
        size = reader.u32()
        reader.finish()
        return cls(size)

    def encode(self) -> bytes:
        return u32(self.max_early_data_size)


@frozen
class TicketRequest(Extension):
    """ticket_request in a ClientHello (RFC 9149 section 3): 0 to 255 tickets for either kind of handshake."""

    TYPE: ClassVar[ExtensionType] = ExtensionType.TICKET_REQUEST
    new_session_count: int
    resumption_count: int

    @classmethod
    def decode(cls, body: bytes) -> Self:
        reader = Reader(body)
        new_session_count, resumption_count = reader.u8(), reader.u8()
        reader.finish()
        return cls(new_session_count, resumption_count)

    def encode(self) -> bytes:
        return bytes((self.new_session_count, self.resumption_count))


@frozen
class TicketRequestHint(Extension):
    """ticket_request in EncryptedExtensions (RFC 9149 section 3): how many the server means to send."""

    TYPE: ClassVar[ExtensionType] = ExtensionType.TICKET_REQUEST
    expected_count: int

    @classmethod
    def decode(cls, body: bytes) -> Self:
        reader = Reader(body)
        expected_count = reader.u8()
        reader.finish()
        return cls(expected_count)

    def encode(self) -> bytes:
        return bytes((self.expected_count,))
