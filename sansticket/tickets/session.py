"""A session: what a resumption needs to know about the handshake it resumes, and its native encoding.

The encoding is what a native ticket holds, what the session cache may be given by an external store, and
what a client keeps between two runs.  It is made to be small, to have exactly one form per session, and to
be refused when it comes from a version of the format that this code does not know.

Layout of format 1 (integers big-endian, ``vector`` is a length as varint followed by that many bytes):

    format              1 byte      1
    flags               2 bytes     which of the optional fields follow, and two properties (see below)
    cipher_suite        2 bytes
    lifetime            4 bytes     seconds
    issued_at           6 bytes     milliseconds since the epoch
    secret              vector
    authenticated_at    6 bytes     milliseconds since the epoch, also where it is issued_at: a ticket's length
                                    must not say whether its session was resumed
    age_add             4 bytes     bit 0x0002: not 0
    group               2 bytes     bit 0x0004: not 0
    max_early_data      4 bytes     bit 0x0008: not 0
    ticket              vector      bit 0x0010: not empty
    session_id          vector      bit 0x0020: not empty
    alpn                vector      bit 0x0040: not None
    server_name         vector      bit 0x0080: not None (UTF-8)
    session_id_context  vector      bit 0x0100: not empty
    app_data            vector      bit 0x0200: not empty
    peer_certificates   a count as varint, then each certificate as vector; bit 0x0400: not empty
    verified_chain      likewise; bit 0x2000: not empty
    psk_identity        vector      bit 0x4000: not None
    family              16 bytes    bit 0x8000: not empty; with it
    generation          4 bytes     also where it is 0, for the same reason as above

Bit 0x0800 says TLS 1.3 (otherwise TLS 1.2), bit 0x1000 extended master secret; the others must be 0.
Varints are those of ``encoding``.
"""

from operator import attrgetter
from types import NoneType
from typing import Any, Final, Self, cast

from attrs import Factory, asdict, field

from sansticket.codes import ProtocolVersion
from sansticket.inputs import END_OF_TIME
from sansticket.text import quoted
from sansticket.tickets.encoding import MAX_FIELD, Source, utf8_length, varint, vector
from sansticket.tickets.encoding import SessionFormatError as SessionFormatError
from sansticket.values import frozen

FORMAT: Final = 1

MAX_CONTEXT: Final = 32
"""SSL_MAX_SID_CTX_LENGTH: a session id context is at most this long, in bytes."""

MAX_SESSION_ID: Final = 32
"""RFC 5246 section 7.4.1.2: a session id is at most this long, in bytes."""

FAMILY_LENGTH: Final = 16
"""Bytes of a family's id: drawn at random, no two full handshakes of all servers have the same."""

MAX_GENERATION: Final = (1 << 32) - 1
"""The last one that is counted."""

_TLS_1_2_CODE: Final = int(ProtocolVersion.TLS_1_2)
_TLS_1_3_CODE: Final = int(ProtocolVersion.TLS_1_3)

_AGE_ADD = 0x0002
_GROUP = 0x0004
_MAX_EARLY_DATA = 0x0008
_TICKET = 0x0010
_SESSION_ID = 0x0020
_ALPN = 0x0040
_SERVER_NAME = 0x0080
_CONTEXT = 0x0100
_APP_DATA = 0x0200
_CERTIFICATES = 0x0400
_TLS_1_3 = 0x0800
_EXTENDED_MASTER_SECRET = 0x1000
_VERIFIED_CHAIN = 0x2000
_PSK_IDENTITY = 0x4000
_FAMILY = 0x8000
_ALL_FLAGS = 0xFFFE

_BYTES_OR_NONE: Final = (bytes, NoneType)
_TEXT_OR_NONE: Final = (str, NoneType)
_FAMILY_LENGTHS: Final = (0, FAMILY_LENGTH)

_TYPES: Final[tuple[tuple[tuple[str, ...], Any], ...]] = (
    (("secret", "ticket", "session_id", "session_id_context", "app_data", "family"), bytes),
    (("alpn", "psk_identity"), _BYTES_OR_NONE),
    (("server_name",), _TEXT_OR_NONE),
    (("version", "cipher_suite", "lifetime", "age_add", "max_early_data", "group", "generation"), int),
    (("extended_master_secret",), bool),
)

_TYPED_FIELDS: Final = attrgetter(
    *(name for names, _ in _TYPES for name in names), "peer_certificates", "verified_chain"
)
_RIGHT_TYPES: Final[set[tuple[type, ...]]] = set()
_MANY_TYPES: Final = 256
"""A program has few: a number may be a member of a registry, a text a string of its own kind."""

_HEAD = 15  # bytes from the format to issued_at


def _milliseconds(seconds: float) -> float:
    """``seconds`` rounded to what the encoding keeps, so that decoding gives back an equal session."""
    try:
        if seconds.__class__ is bool:
            raise TypeError
        return round(seconds * 1000.0) / 1000
    except (ValueError, OverflowError, TypeError):
        raise SessionFormatError("a time must be a finite number of seconds") from None


def _are_certificates(value: Any) -> bool:
    return isinstance(value, tuple) and not [one for one in value if not isinstance(one, bytes)]


def _size(value: bytes | tuple[bytes, ...]) -> str:
    return f"<{len(value)} {'bytes' if isinstance(value, bytes) else 'certificates'}>"


@frozen(kw_only=True)
class Session:
    """One resumable session.  RFC 9846 section 4.7.1, RFC 5077, RFC 5246 section 7.3.

    Times are seconds since the epoch, kept to the millisecond.  Values of another type or out of range raise
    ``SessionFormatError``.  The ``repr`` shows neither secrets nor application data.
    """

    version: int
    """``0x0303`` or ``0x0304``."""

    cipher_suite: int
    """The suite of the handshake that made the session, 16 bits."""

    secret: bytes = field(repr=False)
    """TLS 1.3: the PSK that belongs to the ticket, 1 to 255 bytes.  TLS 1.2: the master secret, 48 bytes."""

    lifetime: int
    """Seconds from ``issued_at`` for which the session may be resumed, 32 bits.  TLS 1.3 announces at most
    604,800 of them to the client (RFC 9846 section 4.7.1)."""

    issued_at: float = field(converter=_milliseconds)
    """When the ticket was made (server) or came (client).  A renewed TLS 1.2 ticket keeps the old time."""

    authenticated_at: float = field(
        default=Factory(lambda self: self.issued_at, takes_self=True), converter=_milliseconds
    )
    """When the last full handshake authenticated the peers.  Resumption and renewal keep it."""

    ticket: bytes = field(default=b"", repr=_size)
    """What the client presents.  Empty on a server, and in the plaintext of a ticket."""

    session_id: bytes = b""
    """The id under which a cache holds the session, 0 to 32 bytes."""

    age_add: int = field(default=0, repr=False)
    """``ticket_age_add``, 32 bits.  TLS 1.3 only."""

    alpn: bytes | None = None
    """The application protocol of the session, 1 to 255 bytes."""

    server_name: str | None = None
    """The name that the client asked for, 1 to 255 bytes of UTF-8."""

    session_id_context: bytes = b""
    """Within which context the session may be resumed, 0 to 32 bytes.  On a client ``ClientConfig.session_context``."""

    peer_certificates: tuple[bytes, ...] = field(default=(), repr=_size)
    """The chain with which the peer proved who it is, DER, leaf first."""

    verified_chain: tuple[bytes, ...] = field(default=(), repr=_size)
    """The path by which the peer's chain was verified, DER, from the leaf to the anchor.  Empty but on servers whose
    tickets have a place for it (``SessionCodec.keeps_verified_chain``): it is for those that share them."""

    max_early_data: int = 0
    """Bytes of early data that the ticket allows, 32 bits; 0 for none."""

    app_data: bytes = field(default=b"", repr=_size)
    """What the server's application keeps in the ticket.  A client never sees it."""

    extended_master_secret: bool = False
    """RFC 7627; TLS 1.2 only."""

    group: int = 0
    """The group of the key exchange, 16 bits; 0 when not known."""

    psk_identity: bytes | None = field(default=None, repr=quoted)
    """The external PSK by which the peers were authenticated when it was made, 1 to 65,535 bytes; TLS 1.3 only."""

    family: bytes = field(default=b"", repr=bytes.hex)
    """The full handshake from which it comes, through however many resumptions: 16 random bytes that its server drew.
    Empty on a client, in the formats of other programs, and in what comes from them: nobody knows."""

    generation: int = 0
    """How many resumptions lie between that handshake and this session, 32 bits: 0 for what the full handshake issued,
    one more than the resumed session for what a resumption issues.  All tickets of a connection have the same.  0
    without a family."""

    def __attrs_post_init__(self) -> None:
        """All ranges at once, since a session is made for every ticket; two methods find out which one it was."""
        types, chain, path = (
            tuple(map(type, _TYPED_FIELDS(self))),
            self.peer_certificates,
            self.verified_chain,
        )
        if types not in _RIGHT_TYPES or (
            (chain or path) and not (_are_certificates(chain) and _are_certificates(path))
        ):
            self._check_types(types)
        name, protocol, psk, length = self.server_name, self.alpn, self.psk_identity, len(self.secret)
        tls13 = self.version == _TLS_1_3_CODE
        if not (
            (0 < length < 256 if tls13 else self.version == _TLS_1_2_CODE and length == 48)
            # Nothing is left beyond the bits that there are, also of a negative number.
            and not (self.cipher_suite | self.group) >> 16
            and not (self.lifetime | self.age_add | self.max_early_data) >> 32
            and 0 <= self.issued_at < END_OF_TIME
            and 0 <= self.authenticated_at < END_OF_TIME
            and len(self.ticket) < 1 << 16
            and len(self.session_id) <= MAX_SESSION_ID
            and len(self.session_id_context) <= MAX_CONTEXT
            and (protocol is None or 0 < len(protocol) < 256)
            and (psk is None or (0 < len(psk) < 1 << 16 and tls13))
            and (name is None or (0 < len(name) < 256 if name.isascii() else 0 < utf8_length(name) < 256))
            and len(self.app_data) <= MAX_FIELD
            and len(self.family) in _FAMILY_LENGTHS
            and 0 <= self.generation <= (MAX_GENERATION if self.family else 0)
            and not (chain and [one for one in chain if not 0 < len(one) <= MAX_FIELD])
            and not (path and [one for one in path if not 0 < len(one) <= MAX_FIELD])
        ):
            raise SessionFormatError(f"{self._out_of_range() or self._too_long()} is out of range")

    def _check_types(self, types: tuple[type, ...]) -> None:
        """The types that are right for one session are for every other; what is in a chain is looked at each time."""
        if other := self._other_type():
            raise SessionFormatError(f"{other} is of another type")
        if len(_RIGHT_TYPES) < _MANY_TYPES:
            _RIGHT_TYPES.add(types)

    def _other_type(self) -> str:
        """The name of the first field that is of another type, or nothing."""
        for names, kind in _TYPES:
            for name in names:
                value = getattr(self, name)
                if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
                    return name
        for name in ("peer_certificates", "verified_chain"):
            if not _are_certificates(getattr(self, name)):
                return name
        return ""

    def _out_of_range(self) -> str:
        """The name of the first number that is, or nothing."""
        if self.version != _TLS_1_3_CODE and self.version != _TLS_1_2_CODE:
            return "version"
        if not 0 <= self.cipher_suite < 1 << 16:
            return "cipher_suite"
        if not 0 <= self.group < 1 << 16:
            return "group"
        if not 0 <= self.lifetime < 1 << 32:
            return "lifetime"
        if not 0 <= self.age_add < 1 << 32:
            return "age_add"
        if not 0 <= self.max_early_data < 1 << 32:
            return "max_early_data"
        if not 0 <= self.issued_at < END_OF_TIME:
            return "issued_at"
        if not 0 <= self.authenticated_at < END_OF_TIME:
            return "authenticated_at"
        return ""

    def _too_long(self) -> str:
        """The name of the first byte string that is, or too short; of those, one is."""
        low, high = (1, 255) if self.version == _TLS_1_3_CODE else (48, 48)
        if not low <= len(self.secret) <= high:
            return "secret"
        if len(self.ticket) >= 1 << 16:
            return "ticket"
        if len(self.session_id) > MAX_SESSION_ID:
            return "session_id"
        if len(self.session_id_context) > MAX_CONTEXT:
            return "session_id_context"
        if self.alpn is not None and not 0 < len(self.alpn) < 256:
            return "alpn"
        if self.server_name is not None and not 0 < utf8_length(self.server_name) < 256:
            return "server_name"
        if len(self.app_data) > MAX_FIELD:
            return "app_data"
        if not all(0 < len(certificate) <= MAX_FIELD for certificate in self.peer_certificates):
            return "peer_certificates"
        if not all(0 < len(certificate) <= MAX_FIELD for certificate in self.verified_chain):
            return "verified_chain"
        if len(self.family) not in _FAMILY_LENGTHS:
            return "family"
        fits = 0 <= self.generation <= (MAX_GENERATION if self.family else 0)
        return "psk_identity" if fits else "generation"

    def age(self, now: float) -> float:
        """Seconds since the ticket was issued, to the millisecond; 0 when the issuer's clock is ahead."""
        return max(0, round(now * 1000) - round(self.issued_at * 1000)) / 1000

    def authentication_age(self, now: float) -> float:
        """Seconds since the last full handshake, to the millisecond; 0 when that clock is ahead."""
        return max(0, round(now * 1000) - round(self.authenticated_at * 1000)) / 1000

    def expired(self, now: float) -> bool:
        """Whether the lifetime is over: an age equal to it is expired, and a lifetime of 0 always is."""
        return self.age(now) >= self.lifetime

    def to_bytes(self) -> bytes:
        """The native encoding, format 1 (see the module)."""
        flags = _TLS_1_3 if self.version == _TLS_1_3_CODE else 0
        if self.extended_master_secret:
            flags |= _EXTENDED_MASTER_SECRET
        parts = [vector(self.secret), round(self.authenticated_at * 1000).to_bytes(6)]
        for bit, number, width in (
            (_AGE_ADD, self.age_add, 4),
            (_GROUP, self.group, 2),
            (_MAX_EARLY_DATA, self.max_early_data, 4),
        ):
            if number:
                flags |= bit
                parts.append(number.to_bytes(width))
        name = self.server_name
        for bit, value in (
            (_TICKET, self.ticket),
            (_SESSION_ID, self.session_id),
            (_ALPN, self.alpn),
            (_SERVER_NAME, name.encode() if name is not None else None),
            (_CONTEXT, self.session_id_context),
            (_APP_DATA, self.app_data),
        ):
            if value:
                flags |= bit
                parts.append(vector(value))
        for bit, chain in ((_CERTIFICATES, self.peer_certificates), (_VERIFIED_CHAIN, self.verified_chain)):
            if chain:
                flags |= bit
                parts.append(varint(len(chain)))
                parts.extend(map(vector, chain))
        if self.psk_identity is not None:
            flags |= _PSK_IDENTITY
            parts.append(vector(self.psk_identity))
        if self.family:
            flags |= _FAMILY
            parts.append(self.family + self.generation.to_bytes(4))
        head = FORMAT << 112 | flags << 96 | self.cipher_suite << 80 | self.lifetime << 48
        return (head | round(self.issued_at * 1000)).to_bytes(_HEAD) + b"".join(parts)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """The session that ``data`` encodes.  What ``to_bytes`` cannot give is ``SessionFormatError``."""
        source = Source(data)
        if not source.data or source.data[0] != FORMAT:
            raise SessionFormatError("not a session of a known format")
        head = source.number(_HEAD)
        flags = head >> 96 & 0xFFFF
        if flags & ~_ALL_FLAGS:
            raise SessionFormatError("unknown flags")
        issued_at = (head & (1 << 48) - 1) / 1000
        secret = source.vector()
        authenticated_at = source.number(6) / 1000
        session = cls(
            version=_TLS_1_3_CODE if flags & _TLS_1_3 else _TLS_1_2_CODE,
            cipher_suite=head >> 80 & 0xFFFF,
            secret=secret,
            lifetime=head >> 48 & 0xFFFFFFFF,
            issued_at=issued_at,
            authenticated_at=authenticated_at,
            # Keyword arguments are evaluated in the order in which they are written: that of the layout.
            age_add=source.present(4) if flags & _AGE_ADD else 0,
            group=source.present(2) if flags & _GROUP else 0,
            max_early_data=source.present(4) if flags & _MAX_EARLY_DATA else 0,
            ticket=source.vector() if flags & _TICKET else b"",
            session_id=source.vector() if flags & _SESSION_ID else b"",
            alpn=source.vector() if flags & _ALPN else None,
            server_name=source.text() if flags & _SERVER_NAME else None,
            session_id_context=source.vector() if flags & _CONTEXT else b"",
            app_data=source.vector() if flags & _APP_DATA else b"",
            peer_certificates=source.vectors() if flags & _CERTIFICATES else (),
            verified_chain=source.vectors() if flags & _VERIFIED_CHAIN else (),
            psk_identity=source.vector() if flags & _PSK_IDENTITY else None,
            family=(lineage := source.take(FAMILY_LENGTH + 4) if flags & _FAMILY else b"")[:FAMILY_LENGTH],
            generation=int.from_bytes(lineage[FAMILY_LENGTH:]),
            extended_master_secret=bool(flags & _EXTENDED_MASTER_SECRET),
        )
        source.finish()
        return session

    # OpenSSL's format.  Its module takes long to import, and most programs do not need it.

    def to_openssl_der(self, *, client: bool | None = None) -> bytes:
        """The session as SSL_SESSION, for ``openssl`` and programs that use libssl; see ``tickets.openssl``.

        ``client``: whether it is a client's, which leaves out its session id context.  None: it is if it has a
        ticket; so say True for a client's session of TLS 1.2 that has an id only.
        """
        from sansticket.tickets import openssl

        values = asdict(self, recurse=False)
        return openssl.encode(openssl.fields_of(cast(openssl.SessionValues, values), client))

    @classmethod
    def from_openssl_der(
        cls, der: bytes, *, client: bool | None = None, now: float | None = None
    ) -> "Session":
        """The session in an SSL_SESSION.  SessionFormatError for what is none, or needs what is not done here.

        ``client`` as above; a client can offer it after ``adopt_session``.  ``now`` stands for a missing time.
        """
        from sansticket.tickets import openssl

        return cls(**openssl.values_of(openssl.decode(der), client, now))

    def to_openssl_pem(self, *, client: bool | None = None) -> bytes:
        """``to_openssl_der`` in PEM: what ``openssl s_client -sess_in`` reads."""
        from sansticket.tickets import openssl

        return openssl.to_pem(self.to_openssl_der(client=client))

    @classmethod
    def from_openssl_pem(
        cls, pem: bytes, *, client: bool | None = None, now: float | None = None
    ) -> "Session":
        """``from_openssl_der`` of the first such PEM block: what ``openssl s_client -sess_out`` writes."""
        from sansticket.tickets import openssl

        return cls.from_openssl_der(openssl.from_pem(pem), client=client, now=now)
