"""What must hold of the fields of a handover together: a connection that has them can go on, whatever comes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Final

from sansticket.config.defaults import MAX_NUM_TICKETS
from sansticket.crypto.hkdf import HASH_LENGTHS
from sansticket.crypto.suites import SUITES
from sansticket.keys.tls12 import MASTER_SECRET_LENGTH
from sansticket.record.protection import MAX_EMPTY_RECORDS, MAX_PLAINTEXT
from sansticket.text import quoted
from sansticket.tickets.session import Session, SessionFormatError
from sansticket.tickets.versions import RULES

Fields = Any
"""A ``Handover``, whose module needs this one."""

RANDOM_LENGTH: Final = 32
MIN_LIMIT: Final = 63
"""RFC 8449 section 4: a record_size_limit of 64 counts the content type in TLS 1.3."""

ONLY_OF_TLS13: Final = (
    "reading_secret",
    "writing_secret",
    "early_exporter_secret",
    "key_updates",
    "asked_for_update",
    "resumption_secret",
)
"""Empty, 0 or False in TLS 1.2."""

ONLY_OF_ITS_SERVER: Final = (
    "client_takes_tickets",
    "automatic_tickets",
    "wanted_tickets",
    "most_tickets",
    "requests",
    "response",
    "app_data",
    "tickets_made",
    "queued_tickets",
)
"""Likewise but for a server of TLS 1.3."""

ONLY_OF_SERVERS: Final[tuple[str, ...]] = (
    "num_tickets",
    "family",
    "generation",
    "revocable_data",
    "ticket_key_name",
)
ONLY_OF_CLIENTS: Final[tuple[str, ...]] = ("ocsp_response", "port")


def broken_rule(handover: Fields) -> str:
    """The first rule that does not hold, in words that begin with the name of a field; nothing if all do."""
    if handover.version not in RULES:
        return f"version: {handover.version:#06x}; expected one of TLS 1.2 and 1.3"
    suite = SUITES.get(handover.cipher_suite)
    if suite is None:
        return f"cipher_suite: {handover.cipher_suite:#06x} is not known"
    counted = RULES[handover.version].counted
    if counted != (suite.tls12_authentication is None):
        return f"cipher_suite: {suite.suite.name} is of another version"
    hash_length = HASH_LENGTHS[suite.hash_name]
    rules = _of_secrets_in_tls13(handover, hash_length) if counted else _of_secrets_in_tls12(handover)
    for problem in (*_of_any(handover), *rules, *_of_absent(handover, counted), *_of_sessions(handover)):
        return problem
    return ""


def _of_any(handover: Fields) -> Iterator[str]:
    if handover.closed and handover.peer_closed:
        yield "closed: so has the peer; expected a connection that goes on"
    if handover.stream_ended and not handover.peer_closed:
        yield "stream_ended: without the peer's close_notify; expected a connection that goes on"
    if handover.peer_closed and (handover.received or handover.message):
        yield "received: there are bytes to be read behind the peer's close_notify"
    if handover.trailing_data and not handover.peer_closed:
        yield "trailing_data: the peer has not closed"
    for name in ("reading_limit", "writing_limit"):
        limit = getattr(handover, name)
        if not MIN_LIMIT <= limit <= MAX_PLAINTEXT:
            yield f"{name}: {quoted(limit)}; expected {MIN_LIMIT} to {MAX_PLAINTEXT}"
    if handover.empty_records > MAX_EMPTY_RECORDS:
        yield f"empty_records: {quoted(handover.empty_records)}; expected at most {MAX_EMPTY_RECORDS}"
    if any(one[0] >= other[0] for one, other in pairwise(handover.repetitions)):
        yield "repetitions: expected rising types"
    if len(handover.early_data_detail) > 1000 or not (handover.early_data_detail or "-").isprintable():
        yield "early_data_detail: expected at most 1,000 printable characters"
    if handover.num_tickets is not None and handover.num_tickets > MAX_NUM_TICKETS:
        yield f"num_tickets: {quoted(handover.num_tickets)}; expected at most {MAX_NUM_TICKETS}"


def _of_secrets_in_tls12(handover: Fields) -> Iterator[str]:
    if len(handover.exporter_secret) != MASTER_SECRET_LENGTH:
        yield f"exporter_secret: expected a master secret of {MASTER_SECRET_LENGTH} bytes"
    for name in ("client_random", "server_random"):
        if len(getattr(handover, name)) != RANDOM_LENGTH:
            yield f"{name}: expected {RANDOM_LENGTH} bytes"
    for name in ONLY_OF_TLS13:
        if getattr(handover, name):
            yield f"{name}: there is none in TLS 1.2"
    if handover.transcript is not None:
        yield "transcript: there is none in TLS 1.2"


def _of_secrets_in_tls13(handover: Fields, hash_length: int) -> Iterator[str]:
    # A server makes tickets as long as it writes, a client takes them as long as it reads.
    no_tickets = handover.closed if handover.of_server else handover.peer_closed
    for name, forgotten in (
        ("exporter_secret", False),
        ("reading_secret", handover.peer_closed),
        ("writing_secret", handover.closed),
        ("resumption_secret", no_tickets),
    ):
        expected = 0 if forgotten else hash_length
        if len(getattr(handover, name)) != expected:
            yield f"{name}: {len(getattr(handover, name))} bytes; expected {expected}"
    if len(handover.early_exporter_secret) not in (0, hash_length):
        yield f"early_exporter_secret: expected nothing or {hash_length} bytes"
    if handover.client_random or handover.server_random:
        yield "client_random: expected none in TLS 1.3"
    if not handover.extended_master_secret:
        yield "extended_master_secret: expected True in TLS 1.3"


def _of_absent(handover: Fields, counted: bool) -> Iterator[str]:
    """What there is on one side only, or in one version."""
    names: tuple[str, ...] = ONLY_OF_CLIENTS if handover.of_server else ONLY_OF_SERVERS
    if not (handover.of_server and counted):
        names += ONLY_OF_ITS_SERVER
    for name in names:
        if getattr(handover, name) not in (None, 0, b"", ()):
            yield f"{name}: expected none on this side"
    if len(handover.wanted_tickets) > 1:
        yield "wanted_tickets: expected one ticket_request, or none"
    if len(handover.response) > 1:
        yield "response: expected one, or none"
    for proved, _, chain in handover.response:
        if not proved and not chain:
            yield "response: expected a chain"


def _of_sessions(handover: Fields) -> Iterator[str]:
    """Sessions are made of these fields: by either side, when a ticket is issued or comes."""
    if handover.session is not None and handover.session.version != handover.version:
        yield "session: of another version"
    try:
        Session(
            version=handover.version,
            cipher_suite=handover.cipher_suite,
            secret=bytes(MASTER_SECRET_LENGTH),
            lifetime=0,
            issued_at=0,
            authenticated_at=handover.authenticated_at,
            alpn=handover.alpn_protocol,
            server_name=handover.server_name,
            session_id_context=handover.session_id_context,
            peer_certificates=handover.peer_certificates,
            app_data=handover.app_data,
            psk_identity=handover.psk_identity,
            family=handover.family,
            generation=handover.generation,
        )
    except SessionFormatError as error:
        yield f"{error}"
