"""What differs between the versions of the protocol for a session and its tickets, as values: who goes by them need not
ask which version it is."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Final

from sansticket.codes import ProtocolVersion
from sansticket.tickets.session import Session
from sansticket.values import value

MAX_LIFETIME: Final = 604_800
"""Seven days in seconds: for no longer does a client use a ticket of TLS 1.3 (RFC 9846 section 4.7.1)."""


@value
class SessionRules:
    """The rules of one version."""

    max_lifetime: float
    """Seconds after which a client uses no ticket any more, whatever the server says of it."""

    used_once: bool
    """A ticket is shown once, or whoever looks on sees that two connections are of one client (RFC 9846 appendix C.4):
    each resumption earns a new one.  Otherwise a ticket is kept until the key that sealed it has been replaced."""

    counted: bool
    """A server sends as many tickets as it likes.  Otherwise it sends one, to a client that has asked for it."""

    says_age: bool
    """Beside its ticket a client says how old that is, with ``age_add`` on top (RFC 9846 section 4.3.11.1)."""

    several_offered: bool
    """A ClientHello has room for several sessions."""


RULES: Final[Mapping[int, SessionRules]] = {
    ProtocolVersion.TLS_1_2: SessionRules(
        max_lifetime=inf, used_once=False, counted=False, says_age=False, several_offered=False
    ),
    ProtocolVersion.TLS_1_3: SessionRules(
        max_lifetime=MAX_LIFETIME, used_once=True, counted=True, says_age=True, several_offered=True
    ),
}


def client_lifetime(session: Session) -> float:
    """Seconds for which a client uses it: what the server says, within the bound of the version."""
    return min(session.lifetime, RULES[session.version].max_lifetime)
