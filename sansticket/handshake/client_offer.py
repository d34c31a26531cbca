"""What a client has offered, and how its ClientHello is put together (RFC 9846 section 4.2.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from attrs import evolve, field

from sansticket.config import MAX_LIFETIME, ClientConfig
from sansticket.crypto.groups import KeyExchange
from sansticket.crypto.inspection import is_named
from sansticket.crypto.suites import SUITES
from sansticket.handshake.authentication import check_certificates_again
from sansticket.handshake.machine import Flight
from sansticket.keys.schedule13 import EarlySecret, binder
from sansticket.keys.transcript import Transcript
from sansticket.tickets.records import Check, IdentityRecord
from sansticket.tickets.session import Session
from sansticket.values import value
from sansticket.wire.codes import ProtocolVersion
from sansticket.wire.extensions import Extension, PreSharedKeyOffer, PskIdentity
from sansticket.wire.messages import ClientHello

TLS12: Final = ProtocolVersion.TLS_1_2

OFFER_OVERHEAD: Final = 8
"""Bytes of a pre_shared_key extension besides its identities and binders: four lengths and the type."""

IDENTITY_OVERHEAD: Final = 6 + 1 + 48
"""Bytes that an identity takes besides its ticket: length, age, and a binder of the longest hash."""


@value
class ClientOffer:
    """Every later state of the client looks back at this: a server may only answer what was asked.

    ``hello`` has no pre_shared_key yet; ``sent`` adds it, for ``sessions``.  ``transcript`` ends before this hello
    until it was sent.
    """

    config: ClientConfig
    server_name: str | None
    key_exchanges: tuple[KeyExchange, ...] = field(repr=False)
    hello: ClientHello
    offered: tuple[Session, ...]
    """The sessions of the first hello."""
    sessions: tuple[Session, ...]
    """Those of TLS 1.3 in the latest hello: after a retry perhaps fewer."""
    session12: Session | None
    """The one of TLS 1.2, which the hello shows in its session_ticket extension or by its session id."""
    identities: tuple[IdentityRecord, ...]
    transcript: Transcript
    retried: bool = False

    @property
    def extension_types(self) -> frozenset[int]:
        types = [extension.type for extension in self.hello.extensions]
        return frozenset((*types, PreSharedKeyOffer.TYPE) if self.sessions else types)

    def place_of(self, session: Session) -> int:
        """The index of an offered session among all those that were given."""
        fit = [record.index for record in self.identities if record.passed]
        return fit[self.offered.index(session)]

    def with_extension(self, extension: Extension) -> ClientOffer:
        """The hello with ``extension`` in the place of its predecessor of the same type, or at the end."""
        others = self.hello.extensions
        if any(other.type == extension.type for other in others):
            extensions = tuple(extension if other.type == extension.type else other for other in others)
        else:
            extensions = (*others, extension)
        return evolve(self, hello=evolve(self.hello, extensions=extensions))

    def after_retry(self, transcript: Transcript, hash_name: str) -> ClientOffer:
        """For the second hello: only sessions of the hash that the retry has settled (RFC 9846 section 4.3.11)."""
        sessions = tuple(s for s in self.sessions if SUITES[s.cipher_suite].hash_name == hash_name)
        return evolve(self, transcript=transcript, sessions=sessions, retried=True)

    def sent(self, flight: Flight) -> ClientOffer:
        """Send the hello; the transcript has it then."""
        hello = self.hello
        if self.sessions:
            offer = self._unbound_offer(flight.now)
            hello = ClientHello(
                hello.random, hello.session_id, hello.cipher_suites, (*hello.extensions, offer)
            )
        raw = hello.encode()
        if self.sessions:
            raw = self._with_binders(raw)
        flight.send_raw(raw)
        return ClientOffer(
            self.config,
            self.server_name,
            self.key_exchanges,
            self.hello,
            self.offered,
            self.sessions,
            self.session12,
            self.identities,
            self.transcript.plus(raw),
            self.retried,
        )

    def _unbound_offer(self, now: float) -> PreSharedKeyOffer:
        """The offer with binders of zeros: their sizes count, since the hash covers all lengths before them."""
        return PreSharedKeyOffer(
            tuple(PskIdentity(session.ticket, obfuscated_age(session, now)) for session in self.sessions),
            tuple(bytes(SUITES[session.cipher_suite].hash_length) for session in self.sessions),
        )

    def _with_binders(self, raw: bytes) -> bytes:
        """RFC 9846 section 4.3.11.2: each binder covers the hello up to the list of binders."""
        lengths = [SUITES[session.cipher_suite].hash_length for session in self.sessions]
        truncated = raw[: -(2 + sum(1 + length for length in lengths))]
        binders = b""
        for session, length in zip(self.sessions, lengths, strict=True):
            hash_name = SUITES[session.cipher_suite].hash_name
            key = EarlySecret.from_psk(hash_name, session.secret).binder_key(external=False)
            value = binder(hash_name, key, self.transcript.with_hash(hash_name).digest_of(truncated))
            binders += bytes((length,)) + value
        return truncated + len(binders).to_bytes(2) + binders


def obfuscated_age(session: Session, now: float) -> int:
    """RFC 9846 section 4.3.11.1: milliseconds since the ticket came, plus ticket_age_add, modulo 2^32."""
    return (round(session.age(now) * 1000) + session.age_add) & 0xFFFFFFFF


def fit_sessions(
    config: ClientConfig, server_name: str | None, sessions: Sequence[Session], now: float, room: int
) -> tuple[tuple[Session, ...], tuple[IdentityRecord, ...]]:
    """Those that can be offered, and what was checked of each.

    ``room`` is what is left of the 65,535 bytes that a ClientHello has for its extensions.
    """
    fit: list[Session] = []
    records: list[IdentityRecord] = []
    room -= OFFER_OVERHEAD
    for index, session in enumerate(sessions):
        checks = check_session(config, server_name, session, now)
        size = len(session.ticket) + IDENTITY_OVERHEAD
        if size > room:
            checks = (*checks, Check("size", False, f"{size} bytes, room for {room}"))
        if session.version == TLS12 and any(one.version == TLS12 for one in fit):
            checks = (*checks, Check("place", False, "a hello shows one session of TLS 1.2"))
        records.append(IdentityRecord(index, checks=checks))
        if all(check.passed for check in checks):
            fit.append(session)
            room -= size
    return tuple(fit), tuple(records)


def check_session(
    config: ClientConfig, server_name: str | None, session: Session, now: float
) -> tuple[Check, ...]:
    """Every condition under which a session may be offered.

    The session id context of a client's session is the policy by which the server was verified when it was
    made: one of another policy would let its server in unverified.
    """
    if session.version not in config.usable_versions or not can_be_shown(config, session):
        return (
            Check("version", False, f"version {session.version:#06x}, ticket of {len(session.ticket)} bytes"),
        )
    age = session.age(now)
    same_policy = session.session_id_context == config.verification_policy
    lifetime = session.lifetime if session.version == TLS12 else min(session.lifetime, MAX_LIFETIME)
    return (
        Check("expiry", age < lifetime, f"age {age:.3f} s, lifetime {lifetime} s"),
        *(check_secret12(config, session) if session.version == TLS12 else check_secret13(config, session)),
        check_name(config, session, server_name),
        Check("verification policy", same_policy, "" if same_policy else "the server was verified otherwise"),
        *check_certificates_again(config, session.peer_certificates, server_name, now),
    )


def check_name(config: ClientConfig, session: Session, server_name: str | None) -> Check:
    """The same server name, or where the config allows another one that the server's certificate is for as well: a
    client MUST only resume under such a name (RFC 9846 section 4.7.1)."""
    if session.server_name == server_name:
        return Check("name", True, "the same")
    names = f"{session.server_name}, now {server_name}"
    if not config.resume_with_other_name or server_name is None or not config.verify_peer:
        return Check("name", config.resume_with_other_name, names)
    certified = bool(session.peer_certificates) and is_named(session.peer_certificates[0], server_name)
    return Check("name", certified, names if certified else f"{names}, which the certificate is not for")


def can_be_shown(config: ClientConfig, session: Session) -> bool:
    """It has a ticket; in TLS 1.2 an id does as well."""
    if session.version == TLS12:
        return bool(session.session_id or (session.ticket and config.tickets_in_tls12))
    return bool(session.ticket)


def check_secret13(config: ClientConfig, session: Session) -> tuple[Check, ...]:
    """A PSK belongs to a hash (RFC 9846 section 4.3.11)."""
    hashes = {SUITES[suite].hash_name for suite in config.suites_of(session.version)}
    known = session.cipher_suite in SUITES
    fits = known and SUITES[session.cipher_suite].hash_name in hashes
    return (Check("hash", fits, f"suite {session.cipher_suite:#06x}"),)


def check_secret12(config: ClientConfig, session: Session) -> tuple[Check, ...]:
    """A master secret belongs to a suite, and is bound to its handshake or dangerous (RFC 7627 section 5.3)."""
    offered = session.cipher_suite in config.suites_of(session.version)
    return (
        Check("suite", offered, f"suite {session.cipher_suite:#06x}"),
        Check("extended master secret", session.extended_master_secret),
    )
