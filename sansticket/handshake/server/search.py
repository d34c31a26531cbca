"""The search for a session that a client shows, in both versions (RFC 9846 section 4.3.11, RFC 5077 section 3.4).

What a client shows is looked at in its order, and the first session that is usable wins.  For each:

    a ticket   decrypt (our keys, or AskOpenTicket)  ->  AskDecideTicket  ->  checks
    an id      look up (our cache, or AskLookUpSession)                   ->  checks
    neither    in TLS 1.3 perhaps the name of an external PSK: ``psks``

A session that was taken back (``revocations``) is judged no further: no binder is looked at.
When a session has passed every check the application has the last word (AskAdmitSession); what has ended until its
answer came does not go on (``no_more``).  Only then is it used up, where sessions are for single use (``claims``), and
its use noted, where somebody remembers uses (``reuse``).  One that was used before is not usable, and the search goes
on.  ``resolve`` says what all the decisions together mean.

What is of one version is its ``Rules``: what is shown, how a session is judged, and how the hello is answered.
The questions are the same in both, but a state says in which version it is and where it leads: so they
are generic here, and each version has its own of them, bound to what may follow there (``Questions``).  A question
that the config does not answer in its own way needs no state: its default is taken where it would be asked.
"""

from __future__ import annotations

from typing import Final, Generic

from sansticket.commands import (
    ProvideSession,
    ResolveTicket,
    SessionAdmitted,
    SessionRefused,
    TicketNotOpened,
    TicketOpened,
)
from sansticket.config.tickets import SealedTickets
from sansticket.errors import Fault, LocalProtocolError
from sansticket.events import AdmitSession, DecideTicket, LookUpSession, OpenTicket
from sansticket.handshake.machine.flight import Flight
from sansticket.handshake.machine.state import Asking
from sansticket.handshake.server.policy import check_expiry, check_revocations
from sansticket.handshake.server.reuse import ended_family, noted, remembered, used_up
from sansticket.handshake.server.rules import (
    After,
    Candidate,
    Found,
    NotOurs,
    Outcome,
    Search,
    SoughtPsk,
    failed,
)
from sansticket.psk import ExternalPsk
from sansticket.tickets.decision import (
    Decision,
    FoundBy,
    TicketReturn,
    TicketStatus,
    may_return,
    reported_status,
    resolve,
)
from sansticket.tickets.keys.protection import KEY_NAME_LENGTH, session_in
from sansticket.tickets.records import Check, IdentityRecord, ResumptionRecord, all_passed
from sansticket.tickets.session import MAX_SESSION_ID, Session
from sansticket.tickets.stores.spent import SpentSession
from sansticket.tickets.stores.uses import TicketUse
from sansticket.values import value

UNKNOWN: Final = Check("found", False, "no session of this id")


def go_on(search: Search[After], flight: Flight) -> After:
    """Try what is shown next; when a session was found, or nothing is left, conclude: to our answer, or a question."""
    index = len(search.identities)
    if index == len(search.shown) or (search.decisions and search.decisions[-1].ends):
        return conclude(search, flight)
    shown, config = search.shown[index], search.rules.config
    if shown.only_psk is not None:
        return search.rules.look_up_psk(
            SoughtPsk(search, shown.identity, NotOurs(b"", shown.only_psk)), flight
        )
    if not shown.is_ticket:
        return look_up(search, shown.identity, flight)
    if not shown.identity:
        return opened(search, TicketStatus.EMPTY, b"", None, flight)
    if not isinstance(config.tickets, SealedTickets):
        return search.rules.questions().open_ticket(search)
    keys, version = config.tickets.keys, search.rules.NUMBER
    ticket = keys.open(shown.identity, flight.now)
    session = session_in(ticket.plaintext, keys.codec, flight.now, version, search.rules.negotiated)
    return opened(search, reported_status(ticket.status, version), ticket.key_name, session, flight)


# --- a ticket ------------------------------------------------------------------------------------------------


@value
class AskOpenTicket(Asking, Generic[After]):
    """The keys are elsewhere."""

    QUESTION = OpenTicket

    search: Search[After]

    def question(self) -> OpenTicket:
        return OpenTicket(self.search.now_shown.identity, self.search.index)

    def default_answer(self, now: float) -> TicketNotOpened:
        return TicketNotOpened()

    def on_ticket_opened(self, command: TicketOpened, flight: Flight) -> After:
        version = self.search.rules.NUMBER
        status = TicketStatus.SUCCESS_RENEW if command.renew else TicketStatus.SUCCESS
        if command.renew is None:
            status = reported_status(status, version)
        session = session_in(
            command.plaintext, command.codec, flight.now, version, self.search.rules.negotiated
        )
        return opened(self.search, status, self.key_name(command.key_name), session, flight)

    def on_ticket_not_opened(self, command: TicketNotOpened, flight: Flight) -> After:
        key_name = self.key_name(command.key_name)
        return opened(self.search, TicketStatus.NO_DECRYPT, key_name, None, flight)

    def key_name(self, named: bytes) -> bytes:
        return named or self.search.now_shown.identity[:KEY_NAME_LENGTH]


def opened(
    search: Search[After], status: TicketStatus, key_name: bytes, session: Session | None, flight: Flight
) -> After:
    """A plaintext that is no session of ours counts as a ticket that did not decrypt.  What no key of ours opens may be
    the name of an external PSK: nobody decides about it as if it were a ticket before that is known."""
    rules = search.rules
    if session is None and status.decrypted:
        status = TicketStatus.NO_DECRYPT
    elif status is TicketStatus.NO_DECRYPT and rules.HAS_PSKS and rules.config.takes_psks:
        identity = search.now_shown.identity
        return rules.look_up_psk(SoughtPsk(search, identity, NotOurs(key_name, None)), flight)
    return decide(search, status, key_name, session, (), flight)


def decide(
    search: Search[After],
    status: TicketStatus,
    key_name: bytes,
    session: Session | None,
    checks: tuple[Check, ...],
    flight: Flight,
) -> After:
    """Ask, or take the default; ``checks`` are those that it failed to be something else."""
    if DecideTicket in search.rules.config.answers:
        return search.rules.questions().decide_ticket(search, status, key_name, session, checks)
    answer = status.default_return
    if session is not None and answer.uses:
        return judged(search, session, FoundBy.TICKET, status, answer, key_name, flight)
    return note(search, Decision(status, answer, usable=False), key_name, checks, None, flight)


@value
class AskDecideTicket(Asking, Generic[After]):
    """Decryption was attempted, or there was nothing to decrypt; what shall become of the ticket?"""

    QUESTION = DecideTicket

    search: Search[After]
    status: TicketStatus
    key_name: bytes
    session: Session | None
    checks: tuple[Check, ...]

    def question(self) -> DecideTicket:
        return DecideTicket(self.status, self.key_name, self.session, self.search.index)

    def default_answer(self, now: float) -> ResolveTicket:
        return ResolveTicket(self.status.default_return)

    def on_resolve_ticket(self, command: ResolveTicket, flight: Flight) -> After:
        answer = command.ticket_return
        if not may_return(self.status, answer):
            raise LocalProtocolError(
                f"{answer.name} on a ticket with status {self.status.name}; expected IGNORE_RENEW, IGNORE or ABORT"
            )
        decision = Decision(self.status, answer, usable=False, alert=command.alert)
        session = self.session
        if session is None or not answer.uses:
            return note(self.search, decision, self.key_name, self.checks, session, flight)
        return judged(self.search, session, FoundBy.TICKET, self.status, answer, self.key_name, flight)


# --- an id -----------------------------------------------------------------------------------------------------


def look_up(search: Search[After], session_id: bytes, flight: Flight) -> After:
    """Our cache, or a store elsewhere.  A hook of the cache that fails costs a full handshake and no more."""
    config = search.rules.config
    cache = config.session_cache
    if len(session_id) > MAX_SESSION_ID:
        why = f"{len(session_id)} bytes are no id, which has at most {MAX_SESSION_ID}"
        return not_found(search, Check("found", False, why), flight)
    if cache is not None:
        if cache.was_claimed(session_id, flight.now):
            return gone(search, cache.spent(session_id), flight)
        try:
            session = cache.get(session_id, flight.now)
        except Exception as error:
            return not_found(search, failed(error), flight)
        if session is not None:
            return found(search, session, FoundBy.CACHE, flight)
    if LookUpSession in config.answers:
        return search.rules.questions().look_up_session(search)
    return not_there(search, flight)


@value
class AskLookUpSession(Asking, Generic[After]):
    """The internal cache does not have the session: does an external store?"""

    QUESTION = LookUpSession

    search: Search[After]

    def question(self) -> LookUpSession:
        return LookUpSession(self.search.now_shown.identity, self.search.rules.NUMBER)

    def default_answer(self, now: float) -> ProvideSession:
        return ProvideSession(None)

    def answer_after(self, error: Exception) -> ProvideSession:
        """Nothing was used up: a store that is down costs full handshakes."""
        return ProvideSession(None, why=failed(error).detail)

    def on_provide_session(self, command: ProvideSession, flight: Flight) -> After:
        session, asked = command.session, self.search.now_shown.identity
        if session is None and not command.why:
            return not_there(self.search, flight)
        if session is None:
            return not_found(self.search, Check("found", False, command.why), flight)
        if session.session_id != asked:
            raise LocalProtocolError(
                f"ProvideSession has a session with id {session.session_id.hex()}; expected {asked.hex()}"
            )
        if isinstance(session, SpentSession):
            return gone(self.search, session, flight)
        cache = self.search.rules.config.session_cache
        if cache is not None:
            try:
                admitted = cache.admit(session, flight.now)
            except Exception as error:
                return not_found(self.search, failed(error), flight)
            if not admitted and not session.expired(flight.now):
                return gone(self.search, cache.spent(asked), flight)
        return found(self.search, session, FoundBy.STORE, flight)


# Nothing was decrypted, so nobody decides: a session that is there is used.


def found(search: Search[After], session: Session, found_by: FoundBy, flight: Flight) -> After:
    status = reported_status(TicketStatus.SUCCESS, search.rules.NUMBER)
    return judged(search, session, found_by, status, status.default_return, b"", flight)


def not_there(search: Search[After], flight: Flight) -> After:
    """Where sessions go when they are used, the table may know that this one was."""
    if search.rules.config.single_use_tickets and remembered(search, flight) is not None:
        return gone(search, None, flight)
    return not_found(search, UNKNOWN, flight)


def not_found(search: Search[After], why: Check, flight: Flight) -> After:
    """No session; perhaps an external PSK."""
    rules = search.rules
    if rules.HAS_PSKS and rules.config.takes_psks:
        identity = search.now_shown.identity
        return rules.look_up_psk(SoughtPsk(search, identity, NotOurs(b"", why)), flight)
    return unknown_id(search, (why,), flight)


def gone(search: Search[After], spent: SpentSession | None, flight: Flight) -> After:
    """One of our own ids, whose session was used up."""
    check, earlier = used_up(search, spent, flight)
    return unknown_id(search, (check,), flight, earlier)


def unknown_id(
    search: Search[After], checks: tuple[Check, ...], flight: Flight, earlier: TicketUse | None = None
) -> After:
    status = TicketStatus.NO_DECRYPT
    if not search.rules.IDS_ARE_TICKETS:
        record = IdentityRecord(search.index, status=status, checks=checks, earlier_use=earlier)
        return go_on(search.undecided(record), flight)
    decision = Decision.by_default(status, usable=False)
    return note(search, decision, b"", checks, None, flight, earlier)


# --- a session -------------------------------------------------------------------------------------------------


def judged(
    search: Search[After],
    session: Session,
    found_by: FoundBy,
    status: TicketStatus,
    answer: TicketReturn,
    key_name: bytes,
    flight: Flight,
    *,
    looked_up: bool = False,
    psk: ExternalPsk | None = None,
) -> After:
    """All checks, with the external PSK that the session goes back to, if it was looked up; then it is the turn of the
    application, and last of all the session is used up."""
    if session.psk_identity is not None and not looked_up and search.rules.HAS_PSKS:
        found = Found(session, found_by, status, answer, key_name)
        return search.rules.look_up_psk(SoughtPsk(search, session.psk_identity, found), flight)
    config = search.rules.config
    first: tuple[Check, ...] = ()
    if config.revocations is not None:
        first = (check_revocations(config.revocations, session, key_name),)
        if not first[0].passed:
            return note(search, Decision(status, answer, usable=False), key_name, first, session, flight)
    judgement = search.rules.judge(len(search.identities), session, psk, flight.now)
    checks = first + judgement.checks
    if not judgement.passed:
        decision = Decision(status, answer, usable=False, fault=judgement.fault)
        return note(search, decision, key_name, checks, session, flight)
    candidate = Candidate(search, judgement.rules, session, found_by, status, answer, key_name, checks)
    if config.ticket_uses is not None and (ended := ended_family(config.ticket_uses, session)):
        return settle(candidate, ended, flight=flight)
    if AdmitSession in config.answers:
        return search.rules.questions().admit_session(candidate)
    if config.single_use_tickets or config.ticket_uses is not None:
        return admitted(candidate, flight)
    return settle(candidate, flight=flight)


@value
class AskAdmitSession(Asking, Generic[After]):
    """A session passed every check, however it was found: does the application let it go on?"""

    QUESTION = AdmitSession

    candidate: Candidate[After]

    def question(self) -> AdmitSession:
        return AdmitSession(self.candidate.session, self.candidate.found_by)

    def default_answer(self, now: float) -> SessionAdmitted:
        return SessionAdmitted()

    def on_session_admitted(self, command: SessionAdmitted, flight: Flight) -> After:
        if failed := no_more(self.candidate, flight.now):
            return settle(self.candidate, failed, flight=flight)
        return admitted(self.candidate, flight)

    def on_session_refused(self, command: SessionRefused, flight: Flight) -> After:
        return settle(self.candidate, Check("admission", False, command.why or "refused"), flight=flight)


def no_more(candidate: Candidate[After], now: float) -> Check | None:
    """Why a session that had passed every check cannot go on any more: an answer was waited for, and meanwhile it has
    expired, or was taken back."""
    config, session = candidate.rules.config, candidate.session
    checks: tuple[Check, ...] = (check_expiry(session, now),)
    if config.revocations is not None:
        checks = (*checks, check_revocations(config.revocations, session, candidate.key_name))
    failed = next((check for check in checks if not check.passed), None)
    if failed is None and config.ticket_uses is not None:
        failed = ended_family(config.ticket_uses, session)
    return failed


def admitted(candidate: Candidate[After], flight: Flight) -> After:
    rules = candidate.rules
    if rules.config.single_use_tickets and rules.IDS_ARE_TICKETS:
        return rules.claim(candidate, flight)
    return used(candidate, flight)


def used(candidate: Candidate[After], flight: Flight) -> After:
    """The last look of all is at the table of used tickets."""
    uses = candidate.rules.config.ticket_uses
    if uses is None:
        return settle(candidate, flight=flight)
    candidate, check = noted(uses, candidate, flight)
    return settle(candidate, check, flight=flight)


def settle(candidate: Candidate[After], *checks: Check, flight: Flight) -> After:
    """Usable, if it passed these last checks as well."""
    usable = not checks or all_passed(checks)
    decision = Decision(candidate.status, candidate.ticket_return, usable)
    search = candidate.search
    if usable and candidate.rules is not search.rules:
        before = search
        search = Search(
            candidate.rules, before.shown, before.decisions, before.identities, before.found, before.psks
        )
    checks = (*candidate.checks, *checks)
    return note(
        search, decision, candidate.key_name, checks, candidate.session, flight, candidate.earlier_use
    )


# --- the end ---------------------------------------------------------------------------------------------------


def note(
    search: Search[After],
    decision: Decision,
    key_name: bytes,
    checks: tuple[Check, ...],
    session: Session | None,
    flight: Flight,
    earlier_use: TicketUse | None = None,
) -> After:
    """Enter the decision; on to what is shown next.  An id that cannot be used may say nothing about tickets."""
    of = session or earlier_use
    family, generation = (of.family, of.generation) if of is not None else (b"", 0)
    status, answer = decision.status, decision.ticket_return
    record = IdentityRecord(
        len(search.identities), key_name, status, answer, checks, None, family, generation, earlier_use
    )
    speaks = search.rules.IDS_ARE_TICKETS or decision.usable or decision.fault is not None
    if speaks or search.now_shown.is_ticket:
        return go_on(search.decided(decision, record, session), flight)
    return go_on(search.undecided(record), flight)


def conclude(search: Search[After], flight: Flight) -> After:
    """What all decisions together mean; our answer."""
    rules = search.rules
    resolution = resolve(search.decisions, rules.NUMBER, rules.counts(flight.num_tickets))
    if resolution.failure is not None:
        raise Fault(resolution.failure, resolution.why, alert=resolution.alert)
    session = search.found[resolution.winner] if resolution.winner is not None else None
    identities = (*search.identities, *rules.not_looked_at(len(search.identities)))
    record = ResumptionRecord(identities, resolution.winner, resolution.tickets, resolution.why)
    return rules.answer(
        Outcome(session, search.decisions, record, flight.num_tickets, opened=search.found), flight
    )
