"""What becomes of early data, and why: the words that both sides say it with (RFC 9846 section 4.3.10)."""

from enum import Enum

from attrs import field

from sansticket.text import printable
from sansticket.values import value


class EarlyDataStatus(Enum):
    """How far the early data of a connection has come."""

    NOT_OFFERED = "not offered"
    OFFERED = "offered"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


class EarlyDataReason(Enum):
    """Why early data was not offered, or not accepted.

    What a client knows of a server's refusal is HELLO_RETRY, NOT_RESUMED, NOT_FIRST or PEER_DECLINED.
    """

    DISABLED = "the config does not want it"
    NO_SESSION = "no session of TLS 1.3 to offer it with"
    TICKET_FORBIDS = "the ticket allows none"
    LIMIT_LOWERED = "the ticket allows more than the config now does"
    SUITE_MISMATCH = "another cipher suite than that of the session"
    ALPN_MISMATCH = "another application protocol than that of the session"
    NAME_MISMATCH = "another server name than that of the session"
    HELLO_RETRY = "there was a HelloRetryRequest"
    NOT_RESUMED = "the session was not resumed"
    NOT_FIRST = "another identity than the first was taken"
    EXTERNAL_PSK = "an external PSK, which has no age"
    AGE_SKEW = "outside the time window"
    NOT_ADMITTED = "refused by the application"
    NOT_CLAIMED = "seen before, or nobody can tell"
    PEER_DECLINED = "the server declined"


@value
class EarlyDataOutcome:
    """What became of it so far."""

    status: EarlyDataStatus = EarlyDataStatus.NOT_OFFERED
    """How far it has come."""
    reason: EarlyDataReason | None = None
    """Why there is none; None where it was accepted, is on its way, or nobody spoke of it."""
    detail: str = field(default="", converter=printable)
    """The numbers behind the reason: printable, at most 1,000 characters."""

    def __str__(self) -> str:
        why = self.reason.value if self.reason is not None else ""
        words = ": ".join(part for part in (f"early data {self.status.value}", why) if part)
        return printable(f"{words} ({self.detail})" if self.detail else words)


NOT_OFFERED = EarlyDataOutcome()
"""Nobody spoke of early data."""

NOT_WANTED = EarlyDataOutcome(EarlyDataStatus.NOT_OFFERED, EarlyDataReason.DISABLED)
"""A client whose config does not want any."""

OFFERED = EarlyDataOutcome(EarlyDataStatus.OFFERED)
ACCEPTED = EarlyDataOutcome(EarlyDataStatus.ACCEPTED)


def rejected(reason: EarlyDataReason, detail: str = "") -> EarlyDataOutcome:
    """It was offered, and nothing came of it."""
    return EarlyDataOutcome(EarlyDataStatus.REJECTED, reason, detail)
