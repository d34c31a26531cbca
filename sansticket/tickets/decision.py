"""Is a session resumed, and how many tickets follow?  The rules of the manual, in one pure function.

``DecideTicket`` hands the application a ``TicketStatus`` and gets a ``TicketReturn``
(SSL_CTX_set_session_ticket_cb(3)).  What comes of it depends on a few rules, all of them here:

1. ABORT ends the handshake.  So does USE or USE_RENEW on a ticket that did not decrypt: there is no session.
2. The first identity that may be used (USE or USE_RENEW) and can be used (it has not expired, its context,
   hash and name fit) is resumed.  Those after it are not looked at.
3. After a resumption there is one ticket if any identity up to there was answered with a RENEW, else none.
4. After a full handshake there are all of them, unless every identity was answered with IGNORE.  A session
   that was to be used but could not be is no reason to leave the client without a ticket.
5. "All of them" is ``num_tickets`` in TLS 1.3, where a resumption gets at most one; in TLS 1.2 it is one, and
   only if the client sent the session_ticket extension, which is to say if there was something to decide.

Nothing else in the package decides any of this.
"""

from collections.abc import Sequence
from enum import Enum
from functools import cached_property, lru_cache
from typing import Final, Self

from sansticket.codes import AlertDescription
from sansticket.errors import ALERTS, Reason
from sansticket.tickets.versions import RULES
from sansticket.values import value


class TicketStatus(Enum):
    """What came of opening a ticket.  The values are those of SSL_TICKET_STATUS."""

    EMPTY = 3
    """The client sent an empty ticket: it takes tickets and has none.  TLS 1.2 only."""

    NO_DECRYPT = 4
    """The ticket could not be decrypted, or is not known."""

    SUCCESS = 5
    """Decrypted; no new ticket is needed."""

    SUCCESS_RENEW = 6
    """Decrypted; the client should get a new ticket."""

    @cached_property
    def decrypted(self) -> bool:
        """Whether there is a session."""
        return self is TicketStatus.SUCCESS or self is TicketStatus.SUCCESS_RENEW

    @cached_property
    def default_return(self) -> "TicketReturn":
        """What happens when nobody is asked.

        The manual's table has no version in it: a resumption renews its ticket in TLS 1.3 and not in 1.2 because
        another *status* is reported (``reported_status``).
        """
        return _DEFAULTS[self]


class TicketReturn(Enum):
    """What to do with a ticket.  The values are those of SSL_TICKET_RETURN."""

    ABORT = 0
    """End the handshake."""

    IGNORE = 1
    """Do not resume, and send no tickets after the full handshake either."""

    IGNORE_RENEW = 2
    """Do not resume; send new tickets."""

    USE = 3
    """Resume, without a new ticket.  Only for a ticket that decrypted."""

    USE_RENEW = 4
    """Resume, and send a new ticket.  Only for a ticket that decrypted."""

    @cached_property
    def uses(self) -> bool:
        """The session is resumed."""
        return self is TicketReturn.USE or self is TicketReturn.USE_RENEW

    @cached_property
    def renews(self) -> bool:
        """The client gets a new ticket."""
        return self is TicketReturn.IGNORE_RENEW or self is TicketReturn.USE_RENEW


class FoundBy(Enum):
    """How a server came by a session."""

    TICKET = "ticket"
    """It was in the ticket that the client shows."""
    CACHE = "cache"
    """By its id: the config's ``session_cache`` has it, or its ``on_get`` hook."""
    STORE = "store"
    """By its id: it came as the answer to ``LookUpSession``."""


_DEFAULTS: Final = {
    TicketStatus.EMPTY: TicketReturn.IGNORE_RENEW,
    TicketStatus.NO_DECRYPT: TicketReturn.IGNORE_RENEW,
    TicketStatus.SUCCESS: TicketReturn.USE,
    TicketStatus.SUCCESS_RENEW: TicketReturn.USE_RENEW,
}


def reported_status(opened: TicketStatus, version: int) -> TicketStatus:
    """The status to report for a ticket that keys of our own opened.

    A TLS 1.3 ticket should be used once (RFC 9846 appendix C.4), so there every resumption earns a new one
    and the key that is current counts as SUCCESS_RENEW as well.  A TLS 1.2 ticket is kept until its key has
    been replaced.  What an ``OpenTicket`` answer says is reported as it is.
    """
    if opened is TicketStatus.SUCCESS and RULES[version].used_once:
        return TicketStatus.SUCCESS_RENEW
    return opened


def may_return(status: TicketStatus, ticket_return: TicketReturn) -> bool:
    """Whether the manual allows this answer to this status: USE and USE_RENEW need a session."""
    return status.decrypted or not ticket_return.uses


@value
class Decision:
    """What is known about one identity once it was decided."""

    status: TicketStatus
    ticket_return: TicketReturn

    usable: bool
    """Whether the session passes every check (expiry, context, hash, name, ...).  False without a session."""

    fault: Reason | None = None
    """Set when using the session is not merely impossible but wrong of the client, so that USE ends the
    handshake with this reason (TLS 1.2: the session's suite or extended master secret was not offered)."""

    alert: AlertDescription | None = None
    """The alert to send on ABORT, if not ``internal_error``."""

    @classmethod
    def by_default(cls, status: TicketStatus, usable: bool) -> Self:
        """The decision when nobody is asked: stateful tickets, external PSKs, and configs without an answer.

        A session that was found by its id, or a PSK that was found, is SUCCESS_RENEW; one that was not is
        NO_DECRYPT.
        """
        return cls(status, status.default_return, usable)

    @property
    def ends(self) -> bool:
        """Nothing that is shown after it is looked at."""
        answer = self.ticket_return
        return answer is TicketReturn.ABORT or self.fault is not None or (self.usable and answer.uses)


@value
class Resolution:
    """What ``resolve`` found."""

    winner: int | None
    """The index of the identity that is resumed; None for a full handshake."""

    tickets: int
    """How many tickets follow when the handshake is done."""

    why: str
    """The rule that led here, for people."""

    failure: Reason | None = None
    """Why the handshake ends here, or None."""

    alert: AlertDescription | None = None
    """The alert that goes with ``failure``."""


@value
class TicketCounts:
    """How many TLS 1.3 tickets follow, in the two cases."""

    full: int
    resumed: int

    @classmethod
    @lru_cache(maxsize=64)
    def of(cls, num_tickets: int, requested: tuple[int, int] | None = None, limit: int = 255) -> Self:
        """SSL_CTX_set_num_tickets(3): ``num_tickets`` after a full handshake, at most one after a resumption.

        ``requested`` is what the client's ticket_request asked for (new_session_count, resumption_count;
        RFC 9149 section 3); it takes the place of both numbers, but no more than ``limit``, and a server
        that sends no tickets (``num_tickets`` is 0) still sends none.
        """
        if num_tickets == 0 or requested is None:
            return cls(num_tickets, min(1, num_tickets))
        return cls(min(requested[0], limit), min(requested[1], limit))


_NONE: Final = TicketCounts(0, 0)
_ONE: Final = TicketCounts(1, 1)


def resolve(decisions: Sequence[Decision], version: int, num_tickets: int | TicketCounts = 2) -> Resolution:
    """From what was decided about every identity, in their order, to what the server does.

    ``decisions`` is empty when there was nothing to decide.  It may end with the first identity that is
    resumed; whatever follows that one is not looked at.  TLS 1.2 has one ticket at most and does not know
    ``num_tickets``; a client that shares no PSK key exchange mode with us counts as ``num_tickets`` 0.
    """
    if not RULES[version].counted:
        num_tickets = _ONE if decisions else _NONE
    counts = num_tickets if isinstance(num_tickets, TicketCounts) else TicketCounts.of(num_tickets)
    renews = False
    for index, decision in enumerate(decisions):
        answer = decision.ticket_return
        if answer is TicketReturn.ABORT:
            return _failed(Reason.TICKET_ABORTED, decision.alert, f"identity {index}: ABORT")
        renews = renews or answer.renews
        if not answer.uses:
            continue
        if not decision.status.decrypted:  # as in ``may_return``
            why = f"identity {index}: {answer.name} on {decision.status.name}"
            return _failed(Reason.ILLEGAL_TICKET_USE, None, why)
        if decision.fault is not None:
            return _failed(decision.fault, None, f"identity {index}: {decision.fault.value}")
        if decision.usable:
            tickets = counts.resumed if renews else 0
            renewal = (
                "without renewal" if not renews else "with renewal" if tickets else "no ticket is to follow"
            )
            return Resolution(index, tickets, f"identity {index} is resumed, {renewal}")
    if not decisions:
        return Resolution(None, counts.full, "full handshake, no identity to decide on")
    if all(decision.ticket_return is TicketReturn.IGNORE for decision in decisions):
        return Resolution(None, 0, "full handshake, every identity was answered with IGNORE")
    return Resolution(None, counts.full, "full handshake, no identity could be used")


def _failed(reason: Reason, alert: AlertDescription | None, why: str) -> Resolution:
    return Resolution(None, 0, why, reason, ALERTS[reason] if alert is None else alert)
