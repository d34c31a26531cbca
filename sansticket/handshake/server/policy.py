"""Whether a session may go on under the server's policy of today: what both versions check alike."""

from __future__ import annotations

import hmac
from typing import Final

from sansticket.config.choices import ClientAuthentication
from sansticket.config.server import ServerConfig
from sansticket.handshake.common.certificates import check_authentication_age, check_certificates_again
from sansticket.text import plain
from sansticket.tickets.records import SAME_NAME, Check
from sansticket.tickets.session import Session
from sansticket.tickets.stores.revocations import Revocations

SAME_CONTEXT: Final = Check("context", True)
NO_CERTIFICATE_LACKS: Final = Check("client certificate", True)
LACKS_CERTIFICATE: Final = Check("client certificate", False, "the session has none")


def check_policy(
    config: ServerConfig, session: Session, context: bytes, server_name: str | None, now: float
) -> tuple[Check, ...]:
    """Each condition with the numbers behind it."""
    needs_certificate = config.client_authentication is ClientAuthentication.REQUIRED
    chain = session.peer_certificates
    has_certificate = bool(chain) or not needs_certificate
    again = check_certificates_again(config, session, None, now) if chain else ()
    return (
        check_expiry(session, now),
        check_authentication_age(config, session, now),
        SAME_CONTEXT
        if hmac.compare_digest(session.session_id_context, context)
        else Check("context", False, f"{_text(session.session_id_context)}, now {_text(context)}"),
        SAME_NAME
        if session.server_name == server_name
        else Check(
            "name",
            config.resume_with_other_name,
            f"{plain(session.server_name)}, now {plain(server_name)}",
        ),
        NO_CERTIFICATE_LACKS if has_certificate else LACKS_CERTIFICATE,
        *again,
    )


def check_expiry(session: Session, now: float) -> Check:
    """Its lifetime is not over."""
    age = session.age(now)
    return Check("expiry", age < session.lifetime, f"age {age:.3f} s, lifetime {session.lifetime} s")


def check_revocations(revocations: Revocations, session: Session, key_name: bytes) -> Check:
    """It was not taken back; ``key_name`` is empty where no key sealed it."""
    why = revocations.why_refused(
        session.authenticated_at,
        family=session.family,
        app_data=session.app_data,
        peer_certificates=session.peer_certificates,
        key_name=key_name,
    )
    return Check("revocation", not why, why)


def _text(context: bytes) -> str:
    return context.hex() or "empty"
