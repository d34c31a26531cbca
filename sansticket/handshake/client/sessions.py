"""Which sessions a client may offer, and why not the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sansticket.config.client import ClientConfig
from sansticket.config.defaults import MAX_LIFETIME
from sansticket.crypto.inspection import is_named
from sansticket.crypto.suites import SUITES
from sansticket.handshake.client.offer import TLS12
from sansticket.handshake.common.certificates import check_certificates_again
from sansticket.text import plain
from sansticket.tickets.records import Check, IdentityRecord
from sansticket.tickets.session import Session

OFFER_OVERHEAD: Final = 8
"""Bytes of a pre_shared_key extension besides its identities and binders: four lengths and the type."""

IDENTITY_OVERHEAD: Final = 6 + 1 + 48
"""Bytes that an identity takes besides its ticket: length, age, and a binder of the longest hash."""


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
    names = f"{plain(session.server_name)}, now {plain(server_name)}"
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
