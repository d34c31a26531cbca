"""Which sessions a client may offer, and why not the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hmac import compare_digest
from typing import Final

from sansticket.codes import ProtocolVersion
from sansticket.config.choices import ResumedCertificates
from sansticket.config.client import ClientConfig
from sansticket.crypto.inspection import end_of_validity, is_named
from sansticket.crypto.suites import SUITES
from sansticket.handshake.client.offer import OFFER_OVERHEAD, size_of, size_of_psks
from sansticket.handshake.common.certificates import check_authentication_age, check_certificates_again
from sansticket.text import plain, quoted
from sansticket.tickets.records import SAME_NAME, Check, IdentityRecord, all_passed, known_check
from sansticket.tickets.session import Session
from sansticket.tickets.versions import RULES, client_lifetime
from sansticket.values import value

SAME_POLICY: Final = Check("verification policy", True)
OTHER_POLICY: Final = Check("verification policy", False, "the server was verified otherwise")
SAME_CREDENTIALS: Final = Check("credentials", True)
OTHER_CREDENTIALS: Final = Check("credentials", False, "it was made with other credentials, or without")
STILL_VALID: Final = (Check("certificates", True),)


def fit_sessions(
    config: ClientConfig, server_name: str | None, sessions: Sequence[Session], now: float, room: int
) -> tuple[tuple[Session, ...], tuple[int, ...], tuple[IdentityRecord, ...]]:
    """Those that can be offered, their places, and what was checked of each; and of the external PSKs behind them.

    ``room`` is what is left of the 65,535 bytes that a ClientHello has for its extensions.
    """
    fit: list[Session] = []
    places: list[int] = []
    records: list[IdentityRecord] = []
    room -= OFFER_OVERHEAD + (size_of_psks(config.psks) if config.psks else 0)
    for index, session in enumerate(sessions):
        checks = check_session(config, server_name, session, now)
        size = size_of(session)
        if size > room:
            checks = (*checks, Check("size", False, f"{size} bytes, room for {room}"))
        if fit and (why := _why_no_place(fit, session)):
            checks = (*checks, Check("place", False, why))
        records.append(IdentityRecord(index, checks=checks))
        if all_passed(checks):
            fit.append(session)
            places.append(index)
            room -= size
    if config.psks:
        records += psk_records(config, len(records))
    return tuple(fit), tuple(places), tuple(records)


def _why_no_place(fit: Sequence[Session], session: Session) -> str:
    """In words why it cannot stand beside those that are offered, or nothing.

    A ticket that is shown twice is shown in vain, and the server's answer, which names a place, must mean one session.
    """
    if not RULES[session.version].several_offered:
        taken = any(one.version == session.version for one in fit)
        return "a hello shows one session of TLS 1.2" if taken else ""
    return "its ticket is offered already" if any(one.ticket == session.ticket for one in fit) else ""


def psk_records(config: ClientConfig, index: int) -> list[IdentityRecord]:
    """What was checked of the external PSKs; ``index`` is that of the first."""
    return [
        IdentityRecord(
            index + place,
            checks=(Check("hash", psk.hash_name in config.hashes, psk.hash_name),),
            psk_identity=psk.identity,
        )
        for place, psk in enumerate(config.psks)
    ]


def check_session(
    config: ClientConfig, server_name: str | None, session: Session, now: float
) -> tuple[Check, ...]:
    """Every condition under which a session may be offered.

    A resumption verifies nobody and shows no certificate of ours: it goes on as who the peers were.  So a client's
    session is bound to the policy by which the server was verified when it was made, and to the credentials that the
    client had then, whether the server asked for one, in the handshake or after it, or did not.  Both are in its
    session id context (``ClientConfig.session_context``).
    """
    own = OWN_RULES[session.version]
    if session.version not in config.usable_versions or not own.can_be_shown(config, session):
        return (
            Check("version", False, f"version {session.version:#06x}, ticket of {len(session.ticket)} bytes"),
        )
    age = session.age(now)
    lifetime = client_lifetime(session)
    return (
        Check("expiry", age < lifetime, f"age {age:.3f} s, lifetime {lifetime} s"),
        check_authentication_age(config, session, now),
        *own.check_secret(config, session),
        check_name(config, session, server_name),
        *check_context(config, session),
        *check_certificates(config, session, server_name, now),
    )


def check_context(config: ClientConfig, session: Session) -> tuple[Check, ...]:
    """How the server was verified, and who we were."""
    if session.psk_identity is not None:
        return (check_psk(config, session, session.psk_identity),)
    policy, ours = config.verification_policy, config.client_identity
    context = session.session_id_context
    same_policy, same_identity = context[: len(policy)] == policy, context[len(policy) :] == ours
    return (
        SAME_POLICY if same_policy else OTHER_POLICY,
        SAME_CREDENTIALS if same_identity else OTHER_CREDENTIALS,
    )


def check_psk(config: ClientConfig, session: Session, identity: bytes) -> Check:
    """The PSK that the session goes back to is still one of ours, with the same key."""
    psk = config.psk_of.get(identity)
    known = psk is not None and compare_digest(session.session_id_context, psk.session_context(b""))
    return Check("psk", known, quoted(identity) if known else f"{quoted(identity)} is none of ours any more")


def check_certificates(
    config: ClientConfig, session: Session, server_name: str | None, now: float
) -> tuple[Check, ...]:
    """What the config asks for; at least, where servers are verified, that the server's certificate has not ended."""
    chain = session.peer_certificates
    if config.resumed_certificates is not ResumedCertificates.REUSE:
        return check_certificates_again(config, session, server_name, now)
    if not chain or not config.somebody_verifies:
        return ()
    end = end_of_validity(chain[0])
    if now <= end:
        return STILL_VALID
    return (Check("certificates", False, f"the server's ended {now - end:.0f} s ago"),)


def check_name(config: ClientConfig, session: Session, server_name: str | None) -> Check:
    """The same server name, or where the config allows another one that the server's certificate is for as well: a
    client MUST only resume under such a name (RFC 9846 section 4.7.1)."""
    if session.server_name == server_name:
        return SAME_NAME
    names = f"{plain(session.server_name)}, now {plain(server_name)}"
    if not config.resume_with_other_name or server_name is None or not config.somebody_verifies:
        return Check("name", config.resume_with_other_name, names)
    certified = bool(session.peer_certificates) and is_named(session.peer_certificates[0], server_name)
    return Check("name", certified, names if certified else f"{names}, which the certificate is not for")


def has_id_or_ticket(config: ClientConfig, session: Session) -> bool:
    """In TLS 1.2 either will do."""
    return bool(session.session_id or (session.ticket and config.tickets_in_tls12))


def has_ticket(config: ClientConfig, session: Session) -> bool:
    return bool(session.ticket)


def check_hash(config: ClientConfig, session: Session) -> tuple[Check, ...]:
    """A PSK belongs to a hash (RFC 9846 section 4.3.11)."""
    known = session.cipher_suite in SUITES
    fits = known and SUITES[session.cipher_suite].hash_name in config.hashes
    return (known_check("hash", fits, f"suite {session.cipher_suite:#06x}"),)


def check_suite(config: ClientConfig, session: Session) -> tuple[Check, ...]:
    """A master secret belongs to a suite, and is bound to its handshake or dangerous (RFC 7627 section 5.3)."""
    offered = session.cipher_suite in config.suites_of(session.version)
    return (
        known_check("suite", offered, f"suite {session.cipher_suite:#06x}"),
        known_check("extended master secret", session.extended_master_secret, ""),
    )


@value
class OwnRules:
    """What only one version asks of a session."""

    can_be_shown: Callable[[ClientConfig, Session], bool]
    check_secret: Callable[[ClientConfig, Session], tuple[Check, ...]]


OWN_RULES: Final[Mapping[int, OwnRules]] = {
    ProtocolVersion.TLS_1_2: OwnRules(has_id_or_ticket, check_suite),
    ProtocolVersion.TLS_1_3: OwnRules(has_ticket, check_hash),
}
