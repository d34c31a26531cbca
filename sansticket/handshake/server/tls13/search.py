"""The search for a session among the identities of a ClientHello (RFC 9846 section 4.3.11).

The identities are tried in their order, and the first usable one wins.  For each:

    stateless   decrypt (our keys, or AskOpenTicket)  ->  AskDecideTicket  ->  checks
    stateful    look up (our cache, or AskLookUpSession)                   ->  checks

A session that passes every check must be the client's (its binder verifies, or the handshake ends), and only
then is it used up, where tickets are for single use (AskClaimSession): one that was used before is no longer
usable, and the search goes on.  ``resolve`` says what all the decisions together mean.  After a HelloRetryRequest
only the second ClientHello is searched: no question is asked twice, and no ticket is used up by a retry.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from typing import Final

from attrs import evolve

from sansticket.commands import (
    ProvideSession,
    ResolveTicket,
    SessionClaimed,
    SessionNotClaimed,
    TicketNotOpened,
    TicketOpened,
)
from sansticket.crypto.suites import SUITES
from sansticket.errors import Fault, LocalProtocolError, Reason
from sansticket.events import ClaimSession, DecideTicket, LookUpSession, OpenTicket
from sansticket.handshake.machine.flight import Flight
from sansticket.handshake.machine.state import Asking
from sansticket.handshake.server.policy import check_policy
from sansticket.handshake.server.tls13.flight import (
    AskSign,
    Outcome,
    WaitClientFinished,
    answer_hello,
)
from sansticket.handshake.server.tls13.negotiation import TLS13, Negotiated
from sansticket.keys.tls13 import EarlySecret, binder
from sansticket.tickets.decision import (
    Decision,
    TicketReturn,
    TicketStatus,
    default_return,
    may_return,
    reported_status,
    resolve,
)
from sansticket.tickets.keys.protection import KEY_NAME_LENGTH, NATIVE, session_in
from sansticket.tickets.records import Check, IdentityRecord, ResumptionRecord
from sansticket.tickets.session import Session
from sansticket.values import value
from sansticket.wire.extensions.resumption import PreSharedKeyOffer, PskIdentity

MAX_IDENTITIES: Final = 8
"""How many identities of one ClientHello are looked at.  Each costs a decryption, or a question."""

USED_BEFORE: Final = Check("single use", False, "used before")


@value
class Search:
    """How far the search has come.  ``found`` are the sessions of the identities decided, None where there is none."""

    negotiated: Negotiated
    offer: PreSharedKeyOffer
    decisions: tuple[Decision, ...] = ()
    identities: tuple[IdentityRecord, ...] = ()
    found: tuple[Session | None, ...] = ()

    @property
    def index(self) -> int:
        """Of the identity to be decided now."""
        return len(self.decisions)

    @property
    def identity(self) -> PskIdentity:
        return self.offer.identities[self.index]

    def decided(self, decision: Decision, identity: IdentityRecord, session: Session | None) -> Search:
        return evolve(
            self,
            decisions=(*self.decisions, decision),
            identities=(*self.identities, identity),
            found=(*self.found, session),
        )


def search(negotiated: Negotiated, flight: Flight) -> AfterHello:
    """Begin with the first identity, if there is any that we could use."""
    offer = negotiated.hello.find(PreSharedKeyOffer) or PreSharedKeyOffer((), ())
    why_not = no_search(negotiated)
    if why_not is not None and offer.identities:
        return conclude(Search(negotiated, offer), (why_not,), flight)
    return next_identity(Search(negotiated, offer), flight)


def no_search(negotiated: Negotiated) -> Check | None:
    """What makes it useless to look at any identity."""
    if not negotiated.config.issues_tickets:
        return Check("tickets", False, "the config makes none")
    if not negotiated.takes_tickets:
        return Check("psk_key_exchange_modes", False, "without psk_dhe_ke, the only mode that we do")
    return None


def next_identity(search: Search, flight: Flight) -> AfterHello:
    """Try the next identity; when one was used, or none is left, conclude."""
    decisions = search.decisions
    if decisions and (decisions[-1].usable and decisions[-1].ticket_return.uses):
        return conclude(search, (), flight)
    if search.index >= min(len(search.offer.identities), MAX_IDENTITIES):
        return conclude(search, (), flight)
    config, ticket = search.negotiated.config, search.identity.identity
    if config.stateful_tickets:
        return look_up(search, ticket, flight)
    if config.ticket_keys is None:
        return AskOpenTicket(search)
    opened = config.ticket_keys.open(ticket, flight.now)
    session = session_in(opened.plaintext, config.ticket_keys.codec, flight.now, TLS13)
    return opened_ticket(search, reported_status(opened.status, TLS13), opened.key_name, session)


# --- stateless -----------------------------------------------------------------------------------------------


def opened_ticket(
    search: Search, status: TicketStatus, key_name: bytes, session: Session | None
) -> AskDecideTicket:
    """A plaintext that is no session of ours counts as a ticket that did not decrypt."""
    return AskDecideTicket(
        search, status if session is not None else TicketStatus.NO_DECRYPT, key_name, session
    )


@value
class AskOpenTicket(Asking):
    """The keys are elsewhere."""

    QUESTION = OpenTicket

    search: Search

    def question(self) -> OpenTicket:
        return OpenTicket(self.search.identity.identity, self.search.index)

    def default_answer(self, now: float) -> TicketNotOpened:
        return TicketNotOpened()

    def on_ticket_opened(self, command: TicketOpened, flight: Flight) -> AskDecideTicket:
        renew = command.renew is not False
        status = TicketStatus.SUCCESS_RENEW if renew else TicketStatus.SUCCESS
        session = session_in(command.plaintext, NATIVE, flight.now, TLS13)
        return opened_ticket(self.search, status, self.key_name(command.key_name), session)

    def on_ticket_not_opened(self, command: TicketNotOpened, flight: Flight) -> AskDecideTicket:
        return opened_ticket(self.search, TicketStatus.NO_DECRYPT, self.key_name(command.key_name), None)

    def key_name(self, named: bytes) -> bytes:
        return named or self.search.identity.identity[:KEY_NAME_LENGTH]


@value
class AskDecideTicket(Asking):
    """Decryption was attempted; what shall become of the ticket?"""

    QUESTION = DecideTicket

    search: Search
    status: TicketStatus
    key_name: bytes
    session: Session | None

    def question(self) -> DecideTicket:
        return DecideTicket(self.status, self.key_name, self.session, self.search.index)

    def default_answer(self, now: float) -> ResolveTicket:
        return ResolveTicket(default_return(self.status, TLS13))

    def on_resolve_ticket(self, command: ResolveTicket, flight: Flight) -> AfterHello:
        answer = command.ticket_return
        if not may_return(self.status, answer):
            raise LocalProtocolError(
                f"{answer.name} on a ticket with status {self.status.name}; expected IGNORE_RENEW, IGNORE or ABORT"
            )
        if answer is TicketReturn.ABORT:
            abort = Decision(self.status, answer, usable=False, alert=command.alert)
            return conclude(self.search.decided(abort, self.record(answer), None), (), flight)
        return decided(self.search, self.status, answer, self.key_name, self.session, flight)

    def record(self, answer: TicketReturn) -> IdentityRecord:
        return IdentityRecord(self.search.index, self.key_name, self.status, answer)


# --- stateful ------------------------------------------------------------------------------------------------


def look_up(search: Search, session_id: bytes, flight: Flight) -> AfterHello:
    cache = search.negotiated.config.session_cache
    if cache is not None and cache.was_claimed(session_id):
        return not_found(search, USED_BEFORE, flight)
    session = cache.get(session_id, flight.now) if cache is not None else None
    return AskLookUpSession(search) if session is None else found(search, session, flight)


@value
class AskLookUpSession(Asking):
    """The internal cache does not have the session: does an external store?"""

    QUESTION = LookUpSession

    search: Search

    def question(self) -> LookUpSession:
        return LookUpSession(self.search.identity.identity, TLS13)

    def default_answer(self, now: float) -> ProvideSession:
        return ProvideSession(None)

    def on_provide_session(self, command: ProvideSession, flight: Flight) -> AfterHello:
        session, asked = command.session, self.search.identity.identity
        if session is None:
            return not_found(self.search, Check("found", False, "no session of this id"), flight)
        if session.session_id != asked:
            raise LocalProtocolError(
                f"ProvideSession has a session with id {session.session_id.hex()}; expected {asked.hex()}"
            )
        cache = self.search.negotiated.config.session_cache
        if cache is not None and not cache.admit(session, flight.now) and not session.expired(flight.now):
            return not_found(self.search, USED_BEFORE, flight)
        return found(self.search, session, flight)


# Nothing was decrypted, so nobody is asked: a session that is there is used and renewed.


def found(search: Search, session: Session, flight: Flight) -> AfterHello:
    status = TicketStatus.SUCCESS_RENEW
    return decided(search, status, default_return(status, TLS13), b"", session, flight)


def not_found(search: Search, why: Check, flight: Flight) -> AfterHello:
    decision = Decision.by_default(TicketStatus.NO_DECRYPT, TLS13, usable=False)
    record = IdentityRecord(search.index, b"", decision.status, decision.ticket_return, (why,))
    return next_identity(search.decided(decision, record, None), flight)


# --- checks --------------------------------------------------------------------------------------------------


def decided(
    search: Search,
    status: TicketStatus,
    answer: TicketReturn,
    key_name: bytes,
    session: Session | None,
    flight: Flight,
) -> AfterHello:
    """Judge the session if it is to be used; one for single use has to be claimed as well."""
    checks: tuple[Check, ...] = ()
    negotiated = search.negotiated
    if session is not None and answer.uses:
        negotiated = fitting(search, session)
        checks = check_session(negotiated, session, search.identity, flight.now)
        if all(check.passed for check in checks):
            check_binder(negotiated, search.offer, search.index, session)
            checks = (*checks, Check("binder", True))
            if negotiated.config.single_use_tickets:
                return AskClaimSession(search, negotiated, session, checks)
    usable = bool(checks) and all(check.passed for check in checks)
    return judged(search, negotiated, Decision(status, answer, usable), key_name, checks, session, flight)


def judged(
    search: Search,
    negotiated: Negotiated,
    decision: Decision,
    key_name: bytes,
    checks: tuple[Check, ...],
    session: Session | None,
    flight: Flight,
) -> AfterHello:
    """Note the decision; on to the next identity.  ``negotiated`` fits the session, and holds if that is usable."""
    record = IdentityRecord(search.index, key_name, decision.status, decision.ticket_return, checks)
    if decision.usable and negotiated is not search.negotiated:
        search = evolve(search, negotiated=negotiated)
    return next_identity(search.decided(decision, record, session), flight)


@value
class AskClaimSession(Asking):
    """Each session is for one connection, and this client is its own: has it not been used before?"""

    QUESTION = ClaimSession

    search: Search
    negotiated: Negotiated
    session: Session
    checks: tuple[Check, ...]

    def question(self) -> ClaimSession:
        return ClaimSession(self.session)

    def default_answer(self, now: float) -> SessionClaimed:
        return SessionClaimed()

    def on_session_claimed(self, command: SessionClaimed, flight: Flight) -> AfterHello:
        config = self.negotiated.config
        cache, taken = config.session_cache, ClaimSession in config.answers
        first = cache is None or cache.claim(self.session, flight.now, taken=taken)
        return self.judged(Check("single use", True) if first else USED_BEFORE, flight)

    def on_session_not_claimed(self, command: SessionNotClaimed, flight: Flight) -> AfterHello:
        return self.judged(USED_BEFORE, flight)

    def judged(self, single_use: Check, flight: Flight) -> AfterHello:
        decision = Decision.by_default(TicketStatus.SUCCESS_RENEW, TLS13, usable=single_use.passed)
        checks = (*self.checks, single_use)
        return judged(self.search, self.negotiated, decision, b"", checks, self.session, flight)


def fitting(search: Search, session: Session) -> Negotiated:
    """With a suite of the session's hash, if there is one, and if the client's binder shows that it means this hash."""
    suite, shown = SUITES.get(session.cipher_suite), search.offer.binders[search.index]
    if suite is None or suite.hash_length != len(shown):
        return search.negotiated
    return search.negotiated.for_hash(suite.hash_name)


def check_session(
    negotiated: Negotiated, session: Session, identity: PskIdentity, now: float
) -> tuple[Check, ...]:
    """Every condition under which a session may go on, each with the numbers behind it."""
    config = negotiated.config
    if session.version != TLS13 or session.cipher_suite not in SUITES:
        return (
            Check(
                "version",
                False,
                f"session of version {session.version:#06x}, suite {session.cipher_suite:#06x}",
            ),
        )
    hash_name = SUITES[session.cipher_suite].hash_name
    claimed_age = ((identity.obfuscated_ticket_age - session.age_add) & 0xFFFFFFFF) / 1000
    return (
        *check_policy(config, session, negotiated.session_id_context, negotiated.server_name, now),
        Check(
            "hash", hash_name == negotiated.suite.hash_name, f"{hash_name}, now {negotiated.suite.hash_name}"
        ),
        # Never a reason to refuse a session: it matters to early data only (RFC 9846 section 8.3).
        Check("age", True, f"the client says {claimed_age:.3f} s"),
    )


def conclude(search: Search, why_not: tuple[Check, ...], flight: Flight) -> AskSign | WaitClientFinished:
    """What all decisions together mean; our answer.  ``why_not`` says why no identity was looked at."""
    negotiated = search.negotiated
    resolution = resolve(search.decisions, TLS13, negotiated.ticket_policy.counts(flight.num_tickets))
    if resolution.failure is not None:
        raise Fault(resolution.failure, resolution.why, alert=resolution.alert)
    session = search.found[resolution.winner] if resolution.winner is not None else None
    identities = (*search.identities, *not_looked_at(search, why_not))
    record = ResumptionRecord(identities, resolution.winner, resolution.tickets, resolution.why)
    return answer_hello(negotiated, Outcome(session, search.decisions, record), flight)


def not_looked_at(search: Search, why_not: tuple[Check, ...]) -> Iterator[IdentityRecord]:
    """The identities after the winner, or all of them; of those beyond the limit the first, for them all."""
    number = len(search.offer.identities)
    for index in range(search.index, min(number, MAX_IDENTITIES)):
        yield IdentityRecord(index, checks=why_not)
    if search.index == MAX_IDENTITIES < number:
        limit = Check("limit", False, f"of {number} identities {MAX_IDENTITIES} are looked at")
        yield IdentityRecord(MAX_IDENTITIES, checks=(limit,))


def check_binder(negotiated: Negotiated, offer: PreSharedKeyOffer, index: int, session: Session) -> None:
    """The client has the session's secret (RFC 9846 section 4.3.11.2)."""
    hash_name = negotiated.suite.hash_name
    truncated = negotiated.raw_hello[: -offer.binders_size]
    binder_key = EarlySecret.from_psk(hash_name, session.secret).binder_key(external=False)
    expected = binder(hash_name, binder_key, negotiated.transcript.digest_of(truncated))
    if not hmac.compare_digest(expected, offer.binders[index]):
        raise Fault(Reason.BAD_BINDER, f"identity {index}")


AfterHello = (
    AskOpenTicket | AskDecideTicket | AskLookUpSession | AskClaimSession | AskSign | WaitClientFinished
)
"""Where a server is once the ClientHello was taken in: at a question about an identity, or past its flight."""
