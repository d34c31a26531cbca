"""What is handed over of a live connection, and its format.

Layout of format 1 (integers big-endian; ``vector`` is a length as varint followed by that many bytes, ``count`` a
varint, ``flag`` a byte that is 0 or 1; varints are those of ``tickets.encoding``):

    magic        8 bytes   "handover"
    format       1 byte    1
    sealed       1 byte    0, or 1 under a key
    the fields of ``Handover``, in their order (``docs/handover.md`` has the table)
    checksum     32 bytes  SHA-256 of all before

With a key the fields are sealed with AES-SIV (RFC 5297), the first ten bytes being its associated data; its 16 bytes
stand in front of the ciphertext, and there is no checksum.  Each value has one form only.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from hmac import compare_digest
from types import MappingProxyType
from typing import Any, Final, Self

from attrs import Attribute, field, fields
from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from sansticket.codes import CipherSuite, ProtocolVersion
from sansticket.errors import ConfigError
from sansticket.handover.kinds import (
    BYTES,
    FLAG,
    SECONDS,
    SESSION,
    TEXT,
    HandoverError,
    Kind,
    member,
    number,
    optional,
    several,
)
from sansticket.handover.rules import broken_rule
from sansticket.inputs import BytesLike, check_bytes
from sansticket.tickets.early_data import EarlyDataReason, EarlyDataStatus
from sansticket.tickets.encoding import SessionFormatError, Source
from sansticket.tickets.session import Session
from sansticket.values import DOC, frozen

MAGIC: Final = b"handover"
FORMAT: Final = 1
_HEAD: Final = len(MAGIC) + 2
_CHECKSUM: Final = 32

KEY_LENGTHS: Final = (32, 48, 64)
"""Bytes of a key: two halves, of which one encrypts (AES-128 to AES-256)."""

KIND: Final = "sansticket.handover"
"""The key of a field's kind in its metadata."""

MESSAGES: Final = several(BYTES)


def _as(kind: Kind, doc: str) -> Mapping[str, Any]:
    return MappingProxyType({KIND: kind, DOC: doc})


@frozen(kw_only=True, repr=False)
class Handover:
    """A live connection, out of ``Connection.export``: for ``restore``, in this process or in another, **once**.

    It has the connection's secrets: whoever reads its bytes can read and write in the connection's name.  ``repr``
    shows none of them.  Two connections restored from one handover would seal under the same keys: ``docs/secrets.md``.
    HandoverError names a field that no connection can have.
    """

    of_server: bool = field(metadata=_as(FLAG, "A server's; otherwise a client's."))
    version: int = field(metadata=_as(number(2), "A number of ``ProtocolVersion``."))
    cipher_suite: int = field(metadata=_as(number(2), "A number of ``CipherSuite``."))
    group: int = field(
        metadata=_as(
            number(2), "Of the key exchange, a number of ``NamedGroup``; 0 where a session knows none."
        )
    )
    alpn_protocol: bytes | None = field(metadata=_as(optional(BYTES), "What was agreed on (RFC 7301)."))
    server_name: str | None = field(
        metadata=_as(optional(TEXT), "The name that the client asked for, normalised.")
    )
    session_id_context: bytes = field(
        metadata=_as(BYTES, "Under which policy the peer was verified: see ``Session.session_id_context``.")
    )
    peer_certificates: tuple[bytes, ...] = field(
        metadata=_as(MESSAGES, "The peer's chain in DER, leaf first.")
    )
    session: Session | None = field(metadata=_as(optional(SESSION), "The session that was resumed."))
    authenticated_at: float = field(
        metadata=_as(SECONDS, "When the last full handshake was, in seconds since the epoch.")
    )
    extended_master_secret: bool = field(metadata=_as(FLAG, "RFC 7627; always in TLS 1.3."))
    psk_identity: bytes | None = field(
        metadata=_as(
            optional(BYTES), "The external PSK that authenticates, or did when the session was made."
        )
    )
    family: bytes = field(metadata=_as(BYTES, "Of the sessions that the connection issues; servers only."))
    generation: int = field(metadata=_as(number(4), "Likewise."))
    ocsp_response: bytes | None = field(
        metadata=_as(optional(BYTES), "What the server has stapled to its certificate; clients only.")
    )
    exporter_secret: bytes = field(
        metadata=_as(
            BYTES, "TLS 1.3: exporter_secret.  TLS 1.2: the master secret, of which all keys are made."
        )
    )
    client_random: bytes = field(metadata=_as(BYTES, "TLS 1.2: 32 bytes; otherwise empty."))
    server_random: bytes = field(metadata=_as(BYTES, "TLS 1.2: 32 bytes; otherwise empty."))
    reading_secret: bytes = field(
        metadata=_as(
            BYTES, "TLS 1.3: the traffic secret of the peer's present keys; empty after its close_notify."
        )
    )
    writing_secret: bytes = field(metadata=_as(BYTES, "TLS 1.3: that of ours; empty after our close_notify."))
    reading_sequence: int = field(metadata=_as(number(8), "The number of the peer's next record."))
    writing_sequence: int = field(metadata=_as(number(8), "The number of our next record."))
    reading_limit: int = field(
        metadata=_as(number(2), "Bytes of content in a record of the peer's, at most.")
    )
    writing_limit: int = field(metadata=_as(number(2), "Bytes of content in a record of ours, at most."))
    received: bytes = field(
        metadata=_as(BYTES, "The beginning of a record, as it came: what follows it makes it whole.")
    )
    message: bytes = field(metadata=_as(BYTES, "The beginning of a handshake message, out of records."))
    empty_records: int = field(metadata=_as(number(1), "Records without content in a row, so far."))
    unsent: bytes = field(metadata=_as(BYTES, "What was in ``data_to_send``: it leaves before all else."))
    unsent_tickets: int = field(metadata=_as(number(4), "Tickets among it."))
    answer_waits: bool = field(
        metadata=_as(FLAG, "Our answer to a KeyUpdate is among it, and no data behind it.")
    )
    stream_ended: bool = field(metadata=_as(FLAG, "The peer's stream has ended, behind its close_notify."))
    peer_closed: bool = field(metadata=_as(FLAG, "The peer's close_notify has come."))
    closed: bool = field(metadata=_as(FLAG, "Our close_notify is out, or in ``unsent``."))
    trailing_data: bytes = field(metadata=_as(BYTES, "What came behind the peer's close_notify, as it came."))
    repeated: bool = field(metadata=_as(FLAG, "The peer has repeated something that data makes good."))
    change_cipher_specs: int = field(metadata=_as(number(1), "Those that were overlooked."))
    warnings: int = field(metadata=_as(number(1), "Warning alerts since the last data."))
    repetitions: tuple[tuple[int, int], ...] = field(
        metadata=_as(
            several(number(1), number(2)),
            "Handshake messages since the last data: the type, and how many, by rising types.",
        )
    )
    num_tickets: int | None = field(
        metadata=_as(optional(number(2)), "``ServerConnection.num_tickets``, where it was set.")
    )
    early_data: EarlyDataStatus = field(metadata=_as(member(EarlyDataStatus), "How far early data has come."))
    early_data_reason: EarlyDataReason | None = field(
        metadata=_as(optional(member(EarlyDataReason)), "Why there is none.")
    )
    early_data_detail: str = field(metadata=_as(TEXT, "The numbers behind it."))
    early_exporter_secret: bytes = field(
        metadata=_as(BYTES, "That of the early data, where it was accepted; otherwise empty.")
    )
    key_updates: int = field(metadata=_as(number(6), "TLS 1.3: how often our keys were replaced."))
    asked_for_update: bool = field(metadata=_as(FLAG, "TLS 1.3: a KeyUpdate that we asked for is to come."))
    resumption_secret: bytes = field(
        metadata=_as(
            BYTES, "TLS 1.3: of which the secrets of tickets are made; empty when none can come any more."
        )
    )
    transcript: tuple[bytes, ...] | None = field(
        metadata=_as(
            optional(MESSAGES),
            "TLS 1.3: the messages of the handshake, where a certificate can be asked for after it.",
        )
    )
    client_takes_tickets: bool = field(
        metadata=_as(FLAG, "TLS 1.3 server: the client can do with tickets what we can.")
    )
    automatic_tickets: int = field(metadata=_as(number(2), "TLS 1.3 server: ``num_tickets`` of the config."))
    wanted_tickets: tuple[tuple[int, int], ...] = field(
        metadata=_as(
            several(number(1), number(1)),
            "TLS 1.3 server: the client's ticket_request (RFC 9149), if there was one.",
        )
    )
    most_tickets: int = field(metadata=_as(number(2), "TLS 1.3 server: the most that are granted to it."))
    requests: tuple[tuple[bytes, tuple[bytes, ...], bool], ...] = field(
        metadata=_as(
            several(BYTES, MESSAGES, FLAG),
            "TLS 1.3 server: requests for a certificate that are not answered: context, transcript, required.",
        )
    )
    response: tuple[tuple[bool, tuple[bytes, ...], tuple[bytes, ...]], ...] = field(
        metadata=_as(
            several(FLAG, MESSAGES, MESSAGES),
            "TLS 1.3 server: an answer that is half there, if one is: whether the key is proved, transcript, chain.",
        )
    )
    app_data: bytes = field(
        metadata=_as(
            BYTES, "TLS 1.3 server: what the next ticket carries, unless the application says otherwise."
        )
    )
    tickets_made: int = field(metadata=_as(number(4), "TLS 1.3 server: how many were made."))
    queued_tickets: int = field(metadata=_as(number(2), "TLS 1.3 server: how many wait for our next write."))
    port: int | None = field(
        metadata=_as(
            optional(number(2)), "Client: under which its ``session_store`` is visited; None without one."
        )
    )
    kept_sessions: tuple[Session, ...] = field(
        metadata=_as(
            several(SESSION, most=None),
            "Those in the store or cache of the config that go from there if the connection fails.",
        )
    )
    revocable_data: bytes | None = field(
        metadata=_as(
            optional(BYTES), "Server: the data of the last ticket, by which ``CheckRevocations`` goes."
        )
    )
    ticket_key_name: bytes = field(
        metadata=_as(BYTES, "Server: the key of the ticket that was resumed, for the same.")
    )

    def __attrs_post_init__(self) -> None:
        for one in fields(Handover):
            value = getattr(self, one.name)
            if not one.metadata[KIND].fits(value):
                raise HandoverError(f"{one.name} is of another type: {type(value).__name__}")
        problem = broken_rule(self)
        if problem:
            raise HandoverError(problem)

    def __repr__(self) -> str:
        side, version = "server" if self.of_server else "client", ProtocolVersion(self.version).name
        waiting = f"{len(self.received)} bytes received, {len(self.unsent)} bytes unsent"
        return f"Handover({side}, {version}, {CipherSuite(self.cipher_suite).name}, {self.server_name!r}, {waiting})"

    def to_bytes(self, key: bytes | None = None) -> bytes:
        """The format of ``docs/handover.md``.  They are as secret as the connection.

        With a ``key`` of 32, 48 or 64 random bytes, which both processes have, they are sealed.  HandoverError where a
        value has no form (more than 2^28 bytes in one), ConfigError for no such key.
        """
        head = MAGIC + bytes((FORMAT, key is not None))
        body = b"".join(_written(self, one) for one in fields(Handover))
        if key is not None:
            return head + _cipher(key).encrypt(body, [head])
        return head + body + sha256(head + body).digest()

    @classmethod
    def from_bytes(cls, data: bytes | bytearray | memoryview, key: bytes | None = None) -> Self:
        """What ``to_bytes`` gave.  HandoverError says what is wrong with anything else.

        What was sealed needs its ``key``, and with a key nothing is taken that was not sealed.
        """
        source = Source(_opened(data, key))
        values: dict[str, Any] = {}
        for one in fields(cls):
            try:
                values[one.name] = one.metadata[KIND].read(source)
            except SessionFormatError as error:
                raise HandoverError(f"{one.name}: {error}") from None
        if source.left:
            raise HandoverError(f"{source.left} bytes after the end")
        return cls(**values)


def _written(handover: Handover, one: Attribute[Any]) -> bytes:
    try:
        written: bytes = one.metadata[KIND].write(getattr(handover, one.name))
    except SessionFormatError as error:
        raise HandoverError(f"{one.name}: {error}") from None
    return written


def _opened(given: bytes | bytearray | memoryview, key: bytes | None) -> bytes:
    """The fields, still written."""
    if not isinstance(given, BytesLike):
        raise HandoverError(f"a value of type {type(given).__name__}; expected bytes")
    data = bytes(given)
    if data[: len(MAGIC)] != MAGIC:
        raise HandoverError(f"no handover: it begins with {data[: len(MAGIC)].hex() or 'nothing'}")
    if len(data) < _HEAD:
        raise HandoverError("the data is cut short")
    form, sealed = data[len(MAGIC) : _HEAD]
    if form != FORMAT:
        raise HandoverError(f"format {form}; expected format {FORMAT}")
    if sealed > 1:
        raise HandoverError(f"sealed: {sealed}; expected 0 or 1")
    if sealed != (key is not None):
        raise HandoverError("sealed, but no key was given" if sealed else "not sealed, but a key was given")
    return _decrypted(data, key) if key is not None else _checked(data)


def _checked(data: bytes) -> bytes:
    content, checksum = data[:-_CHECKSUM], data[-_CHECKSUM:]
    if len(content) < _HEAD:
        raise HandoverError("the data is cut short")
    if not compare_digest(sha256(content).digest(), checksum):
        raise HandoverError("damaged: the checksum is another")
    return content[_HEAD:]


def _decrypted(data: bytes, key: bytes) -> bytes:
    try:
        return _cipher(key).decrypt(data[_HEAD:], [data[:_HEAD]])
    except InvalidTag:
        raise HandoverError("it does not open: damaged, or sealed under another key") from None


def _cipher(key: bytes) -> AESSIV:
    check_bytes("key", key)
    if len(key) not in KEY_LENGTHS:
        raise ConfigError("key", f"{len(key)} bytes; expected 32, 48 or 64 bytes")
    try:
        return AESSIV(key)
    except UnsupportedAlgorithm:
        raise ConfigError("key", "the installed cryptography has no AES-SIV; expected None") from None
