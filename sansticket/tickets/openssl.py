"""OpenSSL's SSL_SESSION: what ``openssl s_client -sess_out`` writes, ``openssl sess_id`` prints, and OpenSSL's
tickets hold.

    SSL_SESSION ::= SEQUENCE {
        version INTEGER (1), ssl_version INTEGER, cipher OCTET STRING (2), session_id OCTET STRING,
        master_key OCTET STRING, ... optional fields, each with a tag of its own }

``SslSession`` has every field, so ``decode`` and ``encode`` give back OpenSSL's own bytes.  ``values_of`` and
``fields_of`` go between that and the values of a ``Session``, and what one of them has no place for is lost:

- OpenSSL keeps whole seconds, one time, and of the peer's certificates the first.  So ``authenticated_at`` is
  the time of the ticket afterwards, and a chain is its leaf.
- A ``Session`` has one lifetime: the shorter of a client's time-out ([2]) and the server's hint ([9]).
- A session that depends on what is not done here (PSK and SRP suites, compression, max_fragment_length, raw
  public keys) is refused.

A client's session is told from a server's by its ticket ([10]), unless the caller knows better; they differ in

- the session id context ([4]): OpenSSL compares a client's with that of its own SSL_CTX, where it is normally
  empty, and knows nothing of the verification policy that a client's ``Session`` keeps there.  So it is not
  written, and an imported session gets one from ``adopt_session``, which verifies the certificate once more.
- whether the certificate was verified ([5]): a server's session in which it was not is refused; a client's is
  not, since nothing becomes of it without ``adopt_session``.

In PEM the label is ``SSL SESSION PARAMETERS``.  This module takes long to import (it needs certificates): use it
through ``Session.to_openssl_der`` and its relatives.  ConfigError ``cryptography`` where the installed one is too old.
"""

from base64 import b64decode, b64encode
from hashlib import sha256
from math import floor
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated, Final, TypedDict

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from sansticket.codes import ProtocolVersion
from sansticket.crypto.inspection import parse_errors
from sansticket.library import SSL_SESSIONS
from sansticket.tickets.encoding import SessionFormatError, octets

if TYPE_CHECKING or SSL_SESSIONS.installed:
    from cryptography.hazmat import asn1
else:
    raise SSL_SESSIONS.error("cryptography")

FORMAT: Final = 1
"""SSL_SESSION_ASN1_VERSION."""

EXTENDED_MASTER_SECRET: Final = 1
"""SSL_SESS_FLAG_EXTMS."""

DEFAULT_TIMEOUT: Final = 3
"""Seconds of a session without a time-out, for libssl as well."""

MAX_LIFETIME: Final = (1 << 32) - 1
"""Seconds: what a ``Session`` can have.  libssl's time-outs can be longer."""

PEM_LABEL: Final = "SSL SESSION PARAMETERS"

_BEGIN: Final = f"-----BEGIN {PEM_LABEL}-----".encode()
_END: Final = f"-----END {PEM_LABEL}-----".encode()


@asn1.sequence
class SslSession:
    """SSL_SESSION_ASN1 of OpenSSL's ssl_asn1.c, version 1.  A number that is 0 is left out, except ``kex_group``."""

    version: int
    ssl_version: int
    cipher: bytes
    session_id: bytes
    master_key: bytes
    key_arg: Annotated[bytes | None, asn1.Implicit(0)] = None
    time: Annotated[int | None, asn1.Explicit(1)] = None
    timeout: Annotated[int | None, asn1.Explicit(2)] = None
    peer: Annotated[x509.Certificate | None, asn1.Explicit(3)] = None
    session_id_context: Annotated[bytes | None, asn1.Explicit(4)] = None
    verify_result: Annotated[int | None, asn1.Explicit(5)] = None
    hostname: Annotated[bytes | None, asn1.Explicit(6)] = None
    psk_identity_hint: Annotated[bytes | None, asn1.Explicit(7)] = None
    psk_identity: Annotated[bytes | None, asn1.Explicit(8)] = None
    lifetime_hint: Annotated[int | None, asn1.Explicit(9)] = None
    ticket: Annotated[bytes | None, asn1.Explicit(10)] = None
    compression: Annotated[bytes | None, asn1.Explicit(11)] = None
    srp_username: Annotated[bytes | None, asn1.Explicit(12)] = None
    flags: Annotated[int | None, asn1.Explicit(13)] = None
    age_add: Annotated[int | None, asn1.Explicit(14)] = None
    max_early_data: Annotated[int | None, asn1.Explicit(15)] = None
    alpn: Annotated[bytes | None, asn1.Explicit(16)] = None
    max_fragment_length: Annotated[int | None, asn1.Explicit(17)] = None
    app_data: Annotated[bytes | None, asn1.Explicit(18)] = None
    kex_group: Annotated[int | None, asn1.Explicit(19)] = None
    peer_raw_public_key: Annotated[bytes | None, asn1.Explicit(20)] = None


NOT_DONE: Final = (
    "key_arg",
    "psk_identity_hint",
    "compression",
    "srp_username",
    "max_fragment_length",
    "peer_raw_public_key",
)
"""The fields that a session may not have, since it could not be resumed as it was meant."""

NUMBERS: Final = (
    *("version", "ssl_version", "time", "timeout", "verify_result", "lifetime_hint"),
    *("flags", "age_add", "max_early_data", "kex_group"),
)

_numbers_of: Final = attrgetter(*NUMBERS)


def decode(der: bytes) -> SslSession:
    """The fields.  ``SessionFormatError`` for what is no SSL_SESSION of version 1, or has a field unknown here, or a
    number of more than 64 bits, as OpenSSL has none."""
    try:
        fields: SslSession = asn1.decode_der(SslSession, octets(der))
    except parse_errors() as error:
        raise SessionFormatError(f"not an SSL_SESSION in DER: {error}") from None
    for name, number in zip(NUMBERS, _numbers_of(fields), strict=True):
        if number is not None and not -1 << 63 <= number < 1 << 64:
            raise SessionFormatError(f"an SSL_SESSION with a {name} of more than 64 bits")
    if fields.version != FORMAT:
        raise SessionFormatError(f"SSL_SESSION of version {fields.version}; expected {FORMAT}")
    return fields


def encode(fields: SslSession) -> bytes:
    """Undo ``decode``."""
    return asn1.encode_der(fields)


class SessionValues(TypedDict):
    """The fields of a ``Session`` of which an SSL_SESSION says something: all but ``authenticated_at``."""

    version: int
    cipher_suite: int
    secret: bytes
    lifetime: int
    issued_at: float
    ticket: bytes
    session_id: bytes
    age_add: int
    alpn: bytes | None
    server_name: str | None
    session_id_context: bytes
    peer_certificates: tuple[bytes, ...]
    max_early_data: int
    app_data: bytes
    extended_master_secret: bool
    group: int
    psk_identity: bytes | None


def values_of(fields: SslSession, client: bool | None = None, now: float | None = None) -> SessionValues:
    """What the fields say of a session; ``SessionFormatError`` if it cannot be one of ours (see the module).

    ``client``: whether it is a client's; None: it is if it has a ticket.  ``now`` stands for a time that is
    missing, as for libssl; without it that is an error too.
    """
    if client is None:
        client = fields.ticket is not None
    for name in NOT_DONE:
        if getattr(fields, name):
            raise SessionFormatError(f"a session with {name}, which cannot be kept up")
    if fields.verify_result and fields.peer is not None and not client:
        raise SessionFormatError("the peer's certificate did not verify")
    issued_at = fields.time or now
    if issued_at is None:
        raise SessionFormatError("an SSL_SESSION without a time")
    if len(fields.cipher) != 2:
        raise SessionFormatError(f"a cipher of {len(fields.cipher)} bytes; expected 2")
    ticket = fields.ticket or b""
    return SessionValues(
        version=fields.ssl_version,
        cipher_suite=int.from_bytes(fields.cipher),
        secret=fields.master_key,
        lifetime=_lifetime(fields),
        issued_at=issued_at,
        ticket=ticket,
        session_id=b"" if ticket and fields.session_id == _id_of(ticket) else fields.session_id,
        age_add=fields.age_add or 0,
        alpn=fields.alpn,
        server_name=_text(fields.hostname),
        session_id_context=fields.session_id_context or b"",
        peer_certificates=(fields.peer.public_bytes(Encoding.DER),) if fields.peer is not None else (),
        max_early_data=fields.max_early_data or 0,
        app_data=fields.app_data or b"",
        extended_master_secret=bool((fields.flags or 0) & EXTENDED_MASTER_SECRET),
        group=fields.kex_group or 0,
        psk_identity=fields.psk_identity or None,
    )


def fields_of(session: SessionValues, client: bool | None = None) -> SslSession:
    """The fields that describe such a session.  ``SessionFormatError`` for a certificate that is none, and for what
    means something else in an SSL_SESSION: a lifetime of 0, or a time before the second second of 1970.

    ``client``: whether it is a client's, which has a lifetime hint, an id made of its ticket, and no context.
    None: it is if it has a ticket.
    """
    if client is None:
        client = bool(session["ticket"])
    if not session["lifetime"] or session["issued_at"] < 1:
        raise SessionFormatError("a session without a lifetime, or of the year 1970, has no SSL_SESSION")
    return SslSession(
        version=FORMAT,
        ssl_version=session["version"],
        cipher=session["cipher_suite"].to_bytes(2),
        session_id=session["session_id"] or (_id_of(session["ticket"]) if session["ticket"] else b""),
        master_key=session["secret"],
        time=floor(session["issued_at"]),
        timeout=session["lifetime"],
        peer=_certificate(session["peer_certificates"][0]) if session["peer_certificates"] else None,
        session_id_context=b"" if client else session["session_id_context"],
        hostname=session["server_name"].encode() if session["server_name"] is not None else None,
        lifetime_hint=session["lifetime"] if session["ticket"] else None,
        ticket=session["ticket"] or None,
        flags=EXTENDED_MASTER_SECRET if session["extended_master_secret"] else None,
        age_add=session["age_add"] or None,
        max_early_data=session["max_early_data"] or None,
        alpn=session["alpn"],
        app_data=session["app_data"] or None,
        kex_group=session["group"] or None,
        psk_identity=session["psk_identity"],
    )


def _lifetime(fields: SslSession) -> int:
    """With a ticket the server's hint counts as well as the time-out; TLS 1.2 has hints of 0 that say nothing."""
    timeout = min(fields.timeout or DEFAULT_TIMEOUT, MAX_LIFETIME)
    if fields.ticket is None or (fields.ssl_version == ProtocolVersion.TLS_1_2 and not fields.lifetime_hint):
        return timeout
    return min(timeout, fields.lifetime_hint or 0)


def _id_of(ticket: bytes) -> bytes:
    """The session id that OpenSSL gives a client's session when it gets a ticket."""
    return sha256(ticket).digest()


def _text(name: bytes | None) -> str | None:
    try:
        return name.decode() if name is not None else None
    except UnicodeDecodeError:
        raise SessionFormatError("a host name that is not UTF-8") from None


def _certificate(der: bytes) -> x509.Certificate:
    try:
        return x509.load_der_x509_certificate(der)
    except parse_errors() as error:
        raise SessionFormatError(f"the peer's certificate cannot be read: {error}") from None


def to_pem(der: bytes) -> bytes:
    """DER in PEM, as OpenSSL writes it."""
    text = b64encode(der).decode()
    lines = (text[start : start + 64] for start in range(0, len(text), 64))
    return "\n".join((f"-----BEGIN {PEM_LABEL}-----", *lines, f"-----END {PEM_LABEL}-----", "")).encode()


def from_pem(pem: bytes) -> bytes:
    """The DER in the first PEM block of a session; text around it does not matter."""
    _, begin, rest = octets(pem).partition(_BEGIN)
    text, end, _ = rest.partition(_END)
    if not begin or not end or not text[:1].isspace():
        raise SessionFormatError(f"no PEM block of {PEM_LABEL}")
    try:
        return b64decode(b"".join(text.split()), validate=True)
    except ValueError:
        raise SessionFormatError(f"the PEM block of {PEM_LABEL} is not base64") from None
