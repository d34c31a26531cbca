"""What the search for a session works with: what is shown, how far it has come, and the rules of one version."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import ClassVar, Generic, Protocol, TypeVar

from sansticket.config.server import ServerConfig
from sansticket.errors import Reason
from sansticket.handshake.machine.flight import Flight
from sansticket.handshake.machine.state import State
from sansticket.psk import ExternalPsk
from sansticket.tickets.decision import Decision, FoundBy, TicketCounts, TicketReturn, TicketStatus
from sansticket.tickets.keys.protection import Encounter
from sansticket.tickets.records import Check, IdentityRecord, ResumptionRecord
from sansticket.tickets.session import Session
from sansticket.tickets.stores.spent import SpentSession
from sansticket.tickets.stores.uses import TicketUse
from sansticket.values import value

After = TypeVar("After", bound=State)
"""Where a search of one version can lead: to one of its questions, or past the answer to the hello."""


@value
class Shown:
    """One thing by which a client shows that it has a session: a ticket to decrypt, or an id to look up.

    An empty ticket says that the client takes tickets and has none (TLS 1.2).
    """

    identity: bytes
    is_ticket: bool
    only_psk: Check | None = None
    """Why it can be neither, and at most an external PSK."""


class Greeting(Encounter, Protocol):
    """A ClientHello, and what follows from it whatever session goes on."""

    @property
    def raw_hello(self) -> bytes: ...

    @property
    def alpn_protocol(self) -> bytes | None: ...


def failed(error: Exception) -> Check:
    """Of a look-up.  What an exception says may hold secrets; its class does not."""
    return Check("found", False, f"the look-up failed: {type(error).__name__}")


@value
class Judgement(Generic[After]):
    """What the checks said of a session.  ``rules`` are those that hold if it goes on.

    ``fault`` is set if everything else is right, and its client does what it must not.
    """

    rules: Rules[After]
    checks: tuple[Check, ...]
    passed: bool
    fault: Reason | None = None


@value
class Outcome:
    """What the search found: the session that goes on, or None, all decisions, and the account of the search."""

    session: Session | None
    decisions: tuple[Decision, ...]
    record: ResumptionRecord
    num_tickets: int | None
    """What was set on the connection when the tickets to follow were counted."""
    psk: ExternalPsk | None = None
    """The external PSK that authenticates, in the place of a session."""
    opened: tuple[Session | None, ...] = ()
    """The sessions of the decisions, None where there is none, whatever became of them."""


@value
class Rules(Generic[After]):
    """What of the search is of one version of the protocol.  Each has its own."""

    NUMBER: ClassVar[int]
    """Of the protocol version."""
    HAS_PSKS: ClassVar[bool]
    """What is no ticket and no id may be an external PSK."""
    IDS_ARE_TICKETS: ClassVar[bool]
    """An id comes in the place of a ticket, so that one which is not known is a decision about tickets too."""
    PROVES: ClassVar[bool]
    """A session passes its checks only if the client has its secret, or repeats the hello of one that has."""

    config: ServerConfig
    """Whose keys, cache and answers are asked."""
    negotiated: Greeting
    """Who shows it, and to whom."""

    def questions(self) -> Questions[After]:
        """The states in which this version asks."""
        raise NotImplementedError

    def shown(self) -> tuple[Shown, ...]:
        """What is looked at, in its order."""
        raise NotImplementedError

    def not_looked_at(self, index: int) -> Iterable[IdentityRecord]:
        """The records of what is shown from ``index`` on, which nobody looked at."""
        raise NotImplementedError

    def judge(self, index: int, session: Session, psk: ExternalPsk | None, now: float) -> Judgement[After]:
        """Every condition under which a session may go on; ``psk`` is the one that it goes back to, if it does.  Raises
        ``Fault`` for a client that cannot be its own."""
        raise NotImplementedError

    def judge_psk(self, index: int, psk: ExternalPsk) -> Judgement[After]:
        """The same for an external PSK."""
        raise NotImplementedError

    def binder_key(self, session: Session) -> bytes:
        """Of a session that this version proves by one (``PROVES``)."""
        raise NotImplementedError

    def shows(self, index: int, spent: SpentSession) -> bool:
        """Whether the client has proved to have a session that was used up.  One that has not is no fault."""
        return False

    def claim(self, candidate: Candidate[After], flight: Flight) -> After:
        """Use a session up, where ids are tickets and for single use."""
        raise NotImplementedError

    def look_up_psk(self, sought: SoughtPsk[After], flight: Flight) -> After:
        """Find out which external PSK has an identity, and go on with what is found."""
        raise NotImplementedError

    def counts(self, num_tickets: int | None) -> TicketCounts:
        """How many tickets may follow, given the number that is set on the connection."""
        raise NotImplementedError

    def answer(self, outcome: Outcome, flight: Flight) -> After:
        """Our answer to the hello."""
        raise NotImplementedError


@value
class Questions(Generic[After]):
    """The states of one version in which the application is asked.  Without the last two there is no single use, and no
    external PSK."""

    open_ticket: Callable[[Search[After]], After]
    decide_ticket: Callable[[Search[After], TicketStatus, bytes, Session | None, tuple[Check, ...]], After]
    look_up_session: Callable[[Search[After]], After]
    admit_session: Callable[[Candidate[After]], After]
    claim_session: Callable[[Candidate[After], SpentSession], After] | None = None
    look_up_psk: Callable[[SoughtPsk[After]], After] | None = None


@value
class Search(Generic[After]):
    """How far the search has come.  ``found`` are the sessions of the decisions, None where there is none."""

    rules: Rules[After]
    shown: tuple[Shown, ...]
    decisions: tuple[Decision, ...] = ()
    identities: tuple[IdentityRecord, ...] = ()
    found: tuple[Session | None, ...] = ()
    psks: tuple[tuple[bytes, ExternalPsk | None], ...] = ()
    """The identities that were looked up, and what was found: none is looked up twice."""

    @property
    def index(self) -> int:
        """Of what is to be decided now."""
        return len(self.identities)

    @property
    def now_shown(self) -> Shown:
        """What is to be decided now."""
        return self.shown[len(self.identities)]

    def decided(self, decision: Decision, identity: IdentityRecord, session: Session | None) -> Search[After]:
        return Search(
            self.rules,
            self.shown,
            (*self.decisions, decision),
            (*self.identities, identity),
            (*self.found, session),
            self.psks,
        )

    def undecided(self, identity: IdentityRecord) -> Search[After]:
        """With what says nothing about tickets."""
        identities = (*self.identities, identity)
        return Search(self.rules, self.shown, self.decisions, identities, self.found, self.psks)


@value
class Found:
    """A session of what is shown now, before it is judged."""

    session: Session
    found_by: FoundBy
    status: TicketStatus
    ticket_return: TicketReturn
    key_name: bytes


@value
class NotOurs:
    """What is shown now is none of our tickets; and if it is no external PSK, this is the rest of its record."""

    key_name: bytes
    why: Check | None
    """What the search for an id found; None for a ticket."""


@value
class SoughtPsk(Generic[After]):
    """Which external PSK has this identity?  And for what: that which is shown, or a session that goes back to it."""

    search: Search[After]
    identity: bytes
    purpose: Found | NotOurs


@value
class Candidate(Generic[After]):
    """A session that passed every check, of what is shown now."""

    search: Search[After]
    rules: Rules[After]
    session: Session
    found_by: FoundBy
    status: TicketStatus
    ticket_return: TicketReturn
    key_name: bytes
    checks: tuple[Check, ...]
    earlier_use: TicketUse | None = None
    """Somebody has shown it before."""
