"""A session in words, and the files that hold one: native, or OpenSSL's in DER or PEM."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Literal

from sansticket.codes import ProtocolVersion
from sansticket.crypto.inspection import parse_errors
from sansticket.debug import words
from sansticket.text import quoted
from sansticket.tickets.keys.protection import KEY_NAME_LENGTH
from sansticket.tickets.session import FORMAT, Session, SessionFormatError
from sansticket.values import frozen

Form = Literal["native", "der", "pem"]

NAMES: dict[Form, str] = {
    "native": "native session",
    "der": "SSL_SESSION in DER",
    "pem": "SSL_SESSION in PEM",
}

Row = tuple[str, str]


@frozen
class SessionFile:
    """What was in a file.  ``more`` is what an SSL_SESSION says and a ``Session`` has no place for."""

    form: Form
    session: Session
    client: bool
    more: tuple[Row, ...] = ()


def read_session(data: bytes, client: bool | None = None) -> SessionFile:
    """The session in ``data``, whichever form it has.  ``client``: whose it is; None: a client's has a ticket."""
    if b"-----BEGIN" in data:
        return _read_openssl("pem", data, client)
    if data[:1] == b"\x30":
        return _read_openssl("der", data, client)
    if data[:1] != bytes((FORMAT,)):
        raise SessionFormatError("no session; expected the native encoding, or an SSL_SESSION in DER or PEM")
    session = Session.from_bytes(data)
    return SessionFile("native", session, bool(session.ticket) if client is None else client)


def _read_openssl(form: Form, data: bytes, client: bool | None) -> SessionFile:
    from sansticket.tickets import openssl

    fields = openssl.decode(openssl.from_pem(data) if form == "pem" else data)
    session = Session(**openssl.values_of(fields, client))
    more = []
    if fields.lifetime_hint is not None and fields.lifetime_hint != fields.timeout:
        more.append(("time-out, and hint", f"{fields.timeout or 0} s, and {fields.lifetime_hint} s"))
    if fields.verify_result:
        more.append(("verify result", f"{fields.verify_result}: the certificate was not verified"))
    return SessionFile(form, session, fields.ticket is not None if client is None else client, tuple(more))


def write_session(session: Session, form: Form, client: bool) -> bytes:
    if form == "native":
        return session.to_bytes()
    return session.to_openssl_pem(client=client) if form == "pem" else session.to_openssl_der(client=client)


def describe(session: Session, *, client: bool, secrets: bool = False) -> Iterator[Row]:
    """What a session says, as names and values; its secrets only if they are asked for."""
    tls13 = session.version == ProtocolVersion.TLS_1_3
    yield "version", words.version(session.version)
    yield "cipher suite", words.suite(session.cipher_suite)
    yield "key exchange", words.group(session.group) if session.group else "not known"
    yield "issued", moment(session.issued_at)
    yield "expires", f"{moment(session.issued_at + session.lifetime)}, after {session.lifetime} s"
    if session.authenticated_at != session.issued_at:
        yield "last full handshake", moment(session.authenticated_at)
    yield "server name", _ascii(session.server_name.encode()) if session.server_name is not None else "none"
    yield "ALPN", _ascii(session.alpn) if session.alpn is not None else "none"
    yield "peer's certificates", _certificates(session.peer_certificates)
    if session.psk_identity is not None:
        yield "external PSK", quoted(session.psk_identity)
    if session.family:
        yield "family", f"{session.family.hex()}, generation {session.generation}"
    if session.session_id:
        yield "session id", session.session_id.hex()
    yield (
        "verification policy" if client else "session id context",
        session.session_id_context.hex() or "none",
    )
    if tls13:
        yield "early data", f"up to {session.max_early_data} bytes" if session.max_early_data else "none"
    else:
        yield "extended master secret", "yes" if session.extended_master_secret else "no"
    yield from _hidden("application data", session.app_data, secrets)
    if session.ticket:
        yield "ticket", f"{words.count(len(session.ticket), 'byte')}, key name {key_name(session.ticket)}"
    if not secrets:
        yield "secret", f"{words.count(len(session.secret), 'byte')}, not shown"
        return
    if session.ticket:
        yield "", session.ticket.hex()
    if tls13:
        yield "ticket_age_add", f"{session.age_add:#010x}"
    yield "secret" if tls13 else "master secret", session.secret.hex()


def key_name(ticket: bytes) -> str:
    """The beginning of a ticket, which names its key."""
    return ticket[:KEY_NAME_LENGTH].hex()


def moment(seconds: float) -> str:
    """A time in words; those that no calendar has, as seconds."""
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(sep=" ", timespec="seconds")
    except (ValueError, OverflowError, OSError):
        return f"{seconds:.0f} s after 1970"


def _hidden(name: str, value: bytes, secrets: bool) -> Iterator[Row]:
    if value:
        yield name, value.hex() if secrets else f"{words.count(len(value), 'byte')}, not shown"


def _certificates(chain: tuple[bytes, ...]) -> str:
    if not chain:
        return "none"
    from cryptography import x509

    try:
        leaf = x509.load_der_x509_certificate(chain[0])
        name, until = leaf.subject.rfc4514_string(), leaf.not_valid_after_utc.timestamp()
    except parse_errors():
        return f"{len(chain)}, the first cannot be read"
    return f"{len(chain)}, the first is {_ascii(name.encode()) or 'nameless'}, valid until {moment(until)}"


def _ascii(text: bytes) -> str:
    """Printable: what came from a peer must not reach a terminal as it is."""
    return ascii(text.decode(errors="backslashreplace"))[1:-1]
