"""The search for a session that a TLS 1.2 client shows: one by ticket, or one by id.

    ticket   decrypt (our keys, or AskOpenTicket)  ->  AskDecideTicket  ->  checks
    id       look up (our cache, or AskLookUpSession)                     ->  checks

A client that takes tickets and has none shows an empty one, about which the application is asked as well.  The
session id counts if no ticket was shown (RFC 5077 section 3.4).  ``resolve`` says what the decisions mean.
"""

from __future__ import annotations

from attrs import evolve

from sansticket.commands import ProvideSession, ResolveTicket, TicketNotOpened, TicketOpened
from sansticket.config.server import ServerConfig
from sansticket.crypto.suites import SUITES
from sansticket.errors import Fault, LocalProtocolError, Reason
from sansticket.events import DecideTicket, LookUpSession, OpenTicket
from sansticket.handshake.machine.flight import Flight
from sansticket.handshake.server.policy import check_policy
from sansticket.handshake.server.tls12.finished import (
    AskPrepareTicket,
    Outcome,
    WaitClientChangeCipherSpec,
)
from sansticket.handshake.server.tls12.flight import AskSignExchange, do_full_handshake, resume
from sansticket.handshake.server.tls12.negotiation import Negotiated, negotiate
from sansticket.handshake.tls12.keys import TLS12
from sansticket.handshake.tls12.states import Asking
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
from sansticket.wire.messages.hello import ClientHello


@value
class Search:
    """How far the search has come.  ``found`` are the sessions of the decisions, None where there is none."""

    negotiated: Negotiated
    decisions: tuple[Decision, ...] = ()
    identities: tuple[IdentityRecord, ...] = ()
    found: tuple[Session | None, ...] = ()

    @property
    def index(self) -> int:
        return len(self.identities)

    def decided(self, decision: Decision, identity: IdentityRecord, session: Session | None) -> Search:
        return Search(
            self.negotiated,
            (*self.decisions, decision),
            (*self.identities, identity),
            (*self.found, session),
        )


def begin(config: ServerConfig, hello: ClientHello, raw_hello: bytes, flight: Flight) -> AfterHello:
    """From the ClientHello to our answer, or to a question."""
    search = Search(negotiate(config, hello, raw_hello))
    negotiated = search.negotiated
    flight.learn(version=TLS12, server_name=negotiated.server_name, alpn_protocol=negotiated.alpn_protocol)
    ticket = search.negotiated.ticket
    if ticket is None:
        return look_up(search, flight)
    if not ticket:
        return AskDecideTicket(search, TicketStatus.EMPTY, b"", None)
    if config.ticket_keys is None:
        return AskOpenTicket(search, ticket)
    opened = config.ticket_keys.open(ticket, flight.now)
    session = session_in(opened.plaintext, config.ticket_keys.codec, flight.now, TLS12)
    return opened_ticket(search, reported_status(opened.status, TLS12), opened.key_name, session)


# --- a ticket ------------------------------------------------------------------------------------------------


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
    ticket: bytes

    def question(self) -> OpenTicket:
        return OpenTicket(self.ticket, self.search.index)

    def default_answer(self, now: float) -> TicketNotOpened:
        return TicketNotOpened()

    def on_ticket_opened(self, command: TicketOpened, flight: Flight) -> AskDecideTicket:
        status = TicketStatus.SUCCESS_RENEW if command.renew else TicketStatus.SUCCESS
        session = session_in(command.plaintext, NATIVE, flight.now, TLS12)
        return opened_ticket(self.search, status, self.key_name(command.key_name), session)

    def on_ticket_not_opened(self, command: TicketNotOpened, flight: Flight) -> AskDecideTicket:
        return opened_ticket(self.search, TicketStatus.NO_DECRYPT, self.key_name(command.key_name), None)

    def key_name(self, named: bytes) -> bytes:
        return named or self.ticket[:KEY_NAME_LENGTH]


@value
class AskDecideTicket(Asking):
    """Decryption was attempted, or there was nothing to decrypt; what shall become of the ticket?"""

    QUESTION = DecideTicket

    search: Search
    status: TicketStatus
    key_name: bytes
    session: Session | None

    def question(self) -> DecideTicket:
        return DecideTicket(self.status, self.key_name, self.session, self.search.index)

    def default_answer(self, now: float) -> ResolveTicket:
        return ResolveTicket(default_return(self.status, TLS12))

    def on_resolve_ticket(self, command: ResolveTicket, flight: Flight) -> AfterHello:
        answer = command.ticket_return
        if not may_return(self.status, answer):
            raise LocalProtocolError(
                f"{answer.name} on a ticket with status {self.status.name}; expected IGNORE_RENEW, IGNORE or ABORT"
            )
        decision = Decision(self.status, answer, usable=False, alert=command.alert)
        checks: tuple[Check, ...] = ()
        if self.session is not None and answer.uses:
            decision, checks = judge(self.search.negotiated, self.status, answer, self.session, flight.now)
        record = IdentityRecord(self.search.index, self.key_name, self.status, answer, checks)
        search = self.search.decided(decision, record, self.session)
        if self.status is TicketStatus.EMPTY and answer is not TicketReturn.ABORT:
            return look_up(search, flight)
        return conclude(search, flight)


# --- a session id --------------------------------------------------------------------------------------------


def look_up(search: Search, flight: Flight) -> AfterHello:
    negotiated = search.negotiated
    session_id, cache = negotiated.hello.session_id, negotiated.config.session_cache
    if not session_id or not negotiated.looks_up_sessions:
        return conclude(search, flight)
    session = cache.get(session_id, flight.now) if cache is not None else None
    return AskLookUpSession(search) if session is None else found(search, session, flight)


@value
class AskLookUpSession(Asking):
    """The internal cache does not have the session: does an external store?"""

    QUESTION = LookUpSession

    search: Search

    def question(self) -> LookUpSession:
        return LookUpSession(self.search.negotiated.hello.session_id, TLS12)

    def default_answer(self, now: float) -> ProvideSession:
        return ProvideSession(None)

    def on_provide_session(self, command: ProvideSession, flight: Flight) -> AfterHello:
        session, negotiated = command.session, self.search.negotiated
        if session is None:
            return not_found(self.search, flight)
        if session.session_id != negotiated.hello.session_id:
            raise LocalProtocolError(
                f"ProvideSession has a session with id {session.session_id.hex()}; "
                f"expected {negotiated.hello.session_id.hex()}"
            )
        cache = negotiated.config.session_cache
        if cache is not None and not cache.admit(session, flight.now) and not session.expired(flight.now):
            return not_found(self.search, flight)
        return found(self.search, session, flight)


def not_found(search: Search, flight: Flight) -> AfterHello:
    """No decision: an id says nothing about tickets."""
    check = Check("found", False, "no session of this id")
    record = IdentityRecord(search.index, status=TicketStatus.NO_DECRYPT, checks=(check,))
    return conclude(evolve(search, identities=(*search.identities, record)), flight)


def found(search: Search, session: Session, flight: Flight) -> AfterHello:
    """Nothing was decrypted, so nobody is asked: a session that is there is used."""
    status, answer = TicketStatus.SUCCESS, TicketReturn.USE
    decision, checks = judge(search.negotiated, status, answer, session, flight.now)
    record = IdentityRecord(search.index, b"", status, answer, checks)
    if decision.usable or decision.fault is not None:
        return conclude(search.decided(decision, record, session), flight)
    return conclude(evolve(search, identities=(*search.identities, record)), flight)


# --- checks --------------------------------------------------------------------------------------------------


def judge(
    negotiated: Negotiated, status: TicketStatus, answer: TicketReturn, session: Session, now: float
) -> tuple[Decision, tuple[Check, ...]]:
    """Can the session go on; or, if everything else is right, does its client do what it must not?"""
    version = check_version(session)
    if not version.passed:
        return Decision(status, answer, usable=False), (version,)
    checks = check_policy(
        negotiated.config, session, negotiated.session_id_context, negotiated.server_name, now
    )
    secret, suite = check_secret(negotiated, session), check_suite(negotiated, session)
    rest, fault = all(check.passed for check in checks), None
    usable = rest and secret.passed and suite.passed
    if rest:
        if session.extended_master_secret and not secret.passed:
            fault = Reason.EXTENDED_MASTER_SECRET_CHANGED
        elif secret.passed and not suite.passed:
            fault = Reason.UNOFFERED_CIPHER_SUITE
    return Decision(status, answer, usable, fault), (*checks, secret, suite)


def check_version(session: Session) -> Check:
    """It is a session of this version, with a suite that we have."""
    suite = SUITES.get(session.cipher_suite)
    fits = session.version == TLS12 and suite is not None and suite.tls12_authentication is not None
    return Check("version", fits, f"version {session.version:#06x}, suite {session.cipher_suite:#06x}")


def check_secret(negotiated: Negotiated, session: Session) -> Check:
    """Both handshakes have extended master secret (RFC 7627 section 5.3).

    A client that had it and does not say so now is somebody else's; one that has it now, or never had it,
    gets a full handshake.
    """
    now, then = negotiated.extended_master_secret, session.extended_master_secret
    return Check("extended master secret", now and then, f"then {then}, now {now}")


def check_suite(negotiated: Negotiated, session: Session) -> Check:
    """The client offers the suite of the session that it shows (RFC 5246 section 7.4.1.2)."""
    offered = session.cipher_suite in negotiated.hello.cipher_suites
    return Check("suite", offered, f"suite {session.cipher_suite:#06x}")


def conclude(search: Search, flight: Flight) -> AfterAnswer:
    """What all decisions together mean; our answer."""
    resolution = resolve(search.decisions, TLS12)
    if resolution.failure is not None:
        raise Fault(resolution.failure, resolution.why, alert=resolution.alert)
    record = ResumptionRecord(search.identities, resolution.winner, resolution.tickets, resolution.why)
    session = search.found[resolution.winner] if resolution.winner is not None else None
    outcome = Outcome(session, record)
    if session is not None:
        return resume(search.negotiated, outcome, session, flight)
    return do_full_handshake(search.negotiated, outcome, flight)


AfterAnswer = AskSignExchange | AskPrepareTicket | WaitClientChangeCipherSpec
AfterHello = AskOpenTicket | AskDecideTicket | AskLookUpSession | AfterAnswer
"""Where a server is once the ClientHello was taken in."""
