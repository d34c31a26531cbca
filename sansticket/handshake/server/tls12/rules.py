"""What of the search for a session is of TLS 1.2, and its questions.

A client shows one ticket, or one session id.  One that takes tickets and has none shows an empty ticket, about
which the application is asked as well; its session id counts then, and only then (RFC 5077 section 3.4).

Transitions (``python -m tools.transitions --write``):

    AskOpenTicket     TicketNotOpened,
                      TicketOpened      AskOpenTicket, AskDecideTicket, AskLookUpSession, AskAdmitSession,
                                        AskSignExchange, AskPrepareTicket, AskProtectTicket,
                                        WaitClientChangeCipherSpec
    AskDecideTicket   ResolveTicket     AskOpenTicket, AskDecideTicket, AskLookUpSession, AskAdmitSession,
                                        AskSignExchange, AskPrepareTicket, AskProtectTicket,
                                        WaitClientChangeCipherSpec
    AskLookUpSession  ProvideSession    AskOpenTicket, AskDecideTicket, AskLookUpSession, AskAdmitSession,
                                        AskSignExchange, AskPrepareTicket, AskProtectTicket,
                                        WaitClientChangeCipherSpec
    AskAdmitSession   SessionAdmitted,
                      SessionRefused    AskOpenTicket, AskDecideTicket, AskLookUpSession, AskAdmitSession,
                                        AskSignExchange, AskPrepareTicket, AskProtectTicket,
                                        WaitClientChangeCipherSpec
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Final

from attrs import evolve

from sansticket.config.server import ServerConfig
from sansticket.crypto.suites import SUITES
from sansticket.errors import Reason
from sansticket.handshake.machine.flight import Flight
from sansticket.handshake.server import rules, search
from sansticket.handshake.server.policy import check_policy
from sansticket.handshake.server.rules import Judgement, Outcome, Questions, Search, Shown
from sansticket.handshake.server.tls12.finished import (
    AskPrepareTicket,
    AskProtectTicket,
    WaitClientChangeCipherSpec,
)
from sansticket.handshake.server.tls12.flight import AskSignExchange, do_full_handshake, resume
from sansticket.handshake.server.tls12.negotiation import Negotiated, negotiate
from sansticket.handshake.tls12.keys import NOT_RESUMABLE, TLS12
from sansticket.handshake.tls12.states import Asking
from sansticket.psk import ExternalPsk
from sansticket.tickets.decision import TicketCounts
from sansticket.tickets.records import Check, IdentityRecord, all_passed, known_check
from sansticket.tickets.session import Session
from sansticket.values import value
from sansticket.wire.extensions.tls12 import SessionTicketExtension
from sansticket.wire.messages.hello import ClientHello

ONE_AT_MOST: Final = TicketCounts(1, 1)


def begin(config: ServerConfig, hello: ClientHello, raw_hello: bytes, flight: Flight) -> AfterHello:
    """From the ClientHello to our answer, or to a question."""
    negotiated = negotiate(config, hello, raw_hello)
    flight.learn(version=TLS12, server_name=negotiated.server_name, alpn_protocol=negotiated.alpn_protocol)
    own = Rules(config, negotiated)
    return search.go_on(Search(own, own.shown()), flight)


@value
class Rules(rules.Rules["AfterHello"]):
    """Of one ClientHello."""

    NUMBER: ClassVar[int] = TLS12
    HAS_PSKS: ClassVar[bool] = False
    IDS_ARE_TICKETS: ClassVar[bool] = False
    PROVES: ClassVar[bool] = False

    negotiated: Negotiated

    def questions(self) -> Questions[AfterHello]:
        return QUESTIONS

    def shown(self) -> tuple[Shown, ...]:
        ticket, session_id = self.negotiated.ticket, self.negotiated.hello.session_id
        if ticket:
            return (Shown(ticket, True),)
        by_id = (Shown(session_id, False),) if session_id and self.negotiated.looks_up_sessions else ()
        return by_id if ticket is None else (Shown(b"", True), *by_id)

    def not_looked_at(self, index: int) -> Iterator[IdentityRecord]:
        """A ticket, or a session id, of a client to whose sort of sessions we have no key."""
        if index:
            return
        extension = self.negotiated.hello.find(SessionTicketExtension)
        if extension is not None and extension.ticket:
            yield IdentityRecord(0, checks=(Check("tickets", False, self.why_no_tickets()),))
        elif self.negotiated.hello.session_id:
            why = "neither a session_cache nor an answer for LookUpSession"
            yield IdentityRecord(0, checks=(Check("session ids", False, why),))

    def why_no_tickets(self) -> str:
        """What makes it useless to look at a ticket, or to expect one."""
        if not self.config.tickets.stateless:
            return "the config has no ticket keys"
        if not self.config.tickets_in_tls12:
            return "tickets_in_tls12 is off"
        return "no session_ticket extension"

    def judge(
        self, index: int, session: Session, psk: ExternalPsk | None, now: float
    ) -> Judgement[AfterHello]:
        """Can the session go on; or, if everything else is right, does its client do what it must not?"""
        negotiated, version = self.negotiated, check_version(session)
        if not version.passed:
            return Judgement(self, (version,), passed=False)
        checks = check_policy(
            negotiated.config, session, negotiated.session_id_context, negotiated.server_name, now
        )
        secret, suite = check_secret(negotiated, session), check_suite(negotiated, session)
        rest, fault = all_passed(checks), None
        if rest:
            if session.extended_master_secret and not secret.passed:
                fault = Reason.EXTENDED_MASTER_SECRET_CHANGED
            elif secret.passed and not suite.passed:
                fault = Reason.UNOFFERED_CIPHER_SUITE
        return Judgement(self, (*checks, secret, suite), rest and secret.passed and suite.passed, fault)

    def counts(self, num_tickets: int | None) -> TicketCounts:
        """``num_tickets`` is of TLS 1.3."""
        return ONE_AT_MOST

    def answer(self, outcome: Outcome, flight: Flight) -> AfterAnswer:
        """The session goes on; or a full handshake, whose session is worth a ticket if it can be resumed."""
        if outcome.session is not None:
            return resume(self.negotiated, outcome, outcome.session, flight)
        record = outcome.record
        if not self.negotiated.extended_master_secret:
            record = evolve(record, tickets_to_follow=0, why=f"{record.why}, and {NOT_RESUMABLE}")
        elif self.negotiated.ticket is None:
            record = evolve(record, why=f"{record.why}, and no ticket follows: {self.why_no_tickets()}")
        if record is not outcome.record:
            outcome = evolve(outcome, record=record)
        return do_full_handshake(self.negotiated, outcome, flight)


def check_version(session: Session) -> Check:
    """It is a session of this version, with a suite that we have."""
    suite = SUITES.get(session.cipher_suite)
    fits = session.version == TLS12 and suite is not None and suite.tls12_authentication is not None
    return known_check("version", fits, f"version {session.version:#06x}, suite {session.cipher_suite:#06x}")


def check_secret(negotiated: Negotiated, session: Session) -> Check:
    """Both handshakes have extended master secret (RFC 7627 section 5.3).

    A client that had it and does not say so now is somebody else's; one that has it now, or never had it,
    gets a full handshake.
    """
    now, then = negotiated.extended_master_secret, session.extended_master_secret
    return known_check("extended master secret", now and then, f"then {then}, now {now}")


def check_suite(negotiated: Negotiated, session: Session) -> Check:
    """The client offers the suite of the session that it shows (RFC 5246 section 7.4.1.2)."""
    offered = session.cipher_suite in negotiated.hello.cipher_suites
    return known_check("suite", offered, f"suite {session.cipher_suite:#06x}")


# --- the questions -----------------------------------------------------------------------------------------------


class AskOpenTicket(search.AskOpenTicket["AfterHello"], Asking):
    """The keys are elsewhere."""

    __slots__ = ()


class AskDecideTicket(search.AskDecideTicket["AfterHello"], Asking):
    """Decryption was attempted, or there was nothing to decrypt; what shall become of the ticket?"""

    __slots__ = ()


class AskLookUpSession(search.AskLookUpSession["AfterHello"], Asking):
    """The internal cache does not have the session: does an external store?"""

    __slots__ = ()


class AskAdmitSession(search.AskAdmitSession["AfterHello"], Asking):
    """A session passed every check, however it was found: does the application let it go on?"""

    __slots__ = ()


AfterAnswer = AskSignExchange | AskPrepareTicket | AskProtectTicket | WaitClientChangeCipherSpec
AfterHello = AskOpenTicket | AskDecideTicket | AskLookUpSession | AskAdmitSession | AfterAnswer
"""Where a server is once the ClientHello was taken in."""

QUESTIONS: Final = Questions[AfterHello](AskOpenTicket, AskDecideTicket, AskLookUpSession, AskAdmitSession)
"""Without single use: a TLS 1.2 session is for many connections."""
