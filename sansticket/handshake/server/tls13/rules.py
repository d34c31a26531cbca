"""What of the search for a session is of TLS 1.3 (RFC 9846 section 4.3.11), and its questions.

The identities of pre_shared_key are all tickets, or all ids, so says the config; or the names of external PSKs.  A
session goes on under its own hash, and its client must have its secret: a binder that does not verify ends the
handshake, before anything is used up.  After a HelloRetryRequest only the second ClientHello is searched: no question
is asked twice, and no ticket is used up by a retry.

Transitions (``python -m tools.transitions --write``):

    AskOpenTicket     TicketNotOpened,
                      TicketOpened       AskOpenTicket, AskDecideTicket, AskLookUpSession, AskAdmitSession,
                                         AskClaimSession, AskLookUpPsk, AskAdmitEarlyData, AskClaimEarlyData,
                                         AskSign, WaitClientFinished, WaitEndOfEarlyData
    AskDecideTicket   ResolveTicket      AskOpenTicket, AskDecideTicket, AskLookUpSession, AskAdmitSession,
                                         AskClaimSession, AskLookUpPsk, AskAdmitEarlyData, AskClaimEarlyData,
                                         AskSign, WaitClientFinished, WaitEndOfEarlyData
    AskLookUpSession  ProvideSession     AskOpenTicket, AskDecideTicket, AskLookUpSession, AskAdmitSession,
                                         AskClaimSession, AskLookUpPsk, AskAdmitEarlyData, AskClaimEarlyData,
                                         AskSign, WaitClientFinished, WaitEndOfEarlyData
    AskAdmitSession   SessionAdmitted,
                      SessionRefused     AskOpenTicket, AskDecideTicket, AskLookUpSession, AskAdmitSession,
                                         AskClaimSession, AskLookUpPsk, AskAdmitEarlyData, AskClaimEarlyData,
                                         AskSign, WaitClientFinished, WaitEndOfEarlyData
    AskClaimSession   SessionClaimed,
                      SessionNotClaimed  AskOpenTicket, AskDecideTicket, AskLookUpSession, AskAdmitSession,
                                         AskClaimSession, AskLookUpPsk, AskAdmitEarlyData, AskClaimEarlyData,
                                         AskSign, WaitClientFinished, WaitEndOfEarlyData
    AskLookUpPsk      ProvidePsk         AskOpenTicket, AskDecideTicket, AskLookUpSession, AskAdmitSession,
                                         AskClaimSession, AskLookUpPsk, AskAdmitEarlyData, AskClaimEarlyData,
                                         AskSign, WaitClientFinished, WaitEndOfEarlyData
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from typing import ClassVar, Final

from attrs import evolve

from sansticket.config.tickets import NoTickets, StoredTickets
from sansticket.crypto.hkdf import HASH_LENGTHS
from sansticket.crypto.suites import SUITES
from sansticket.errors import Fault, Reason
from sansticket.handshake.machine.flight import Flight
from sansticket.handshake.server import claims, psks, rules, search
from sansticket.handshake.server.policy import check_policy
from sansticket.handshake.server.rules import Candidate, Judgement, Outcome, Questions, Shown, SoughtPsk
from sansticket.handshake.server.tls13.early_data import (
    AfterSearch,
    AskAdmitEarlyData,
    AskClaimEarlyData,
    WaitEndOfEarlyData,
    decide_early_data,
)
from sansticket.handshake.server.tls13.flight import AskSign, WaitClientFinished, answer_hello
from sansticket.handshake.server.tls13.negotiation import TLS13, Negotiated, can_resume
from sansticket.keys.tls13 import EarlySecret, binder
from sansticket.psk import ExternalPsk
from sansticket.text import quoted
from sansticket.tickets.decision import TicketCounts
from sansticket.tickets.records import Check, IdentityRecord, all_passed, known_check
from sansticket.tickets.session import Session
from sansticket.tickets.stores.spent import SpentSession
from sansticket.values import value
from sansticket.wire.extensions.resumption import PreSharedKeyOffer

MAX_IDENTITIES: Final = 8
"""How many identities of one ClientHello are looked at.  Each costs a decryption, or a question."""

WITHOUT_DHE: Final = "without psk_dhe_ke, the only mode that we do"

NOTHING_OFFERED: Final = PreSharedKeyOffer((), ())
BINDER_VERIFIED: Final = Check("binder", True)


@value
class Rules(rules.Rules["AfterHello"]):
    """Of one ClientHello."""

    NUMBER: ClassVar[int] = TLS13
    HAS_PSKS: ClassVar[bool] = True
    IDS_ARE_TICKETS: ClassVar[bool] = True
    PROVES: ClassVar[bool] = True

    negotiated: Negotiated
    offer: PreSharedKeyOffer

    @classmethod
    def of(cls, negotiated: Negotiated) -> Rules:
        offer = negotiated.hello.find(PreSharedKeyOffer) or NOTHING_OFFERED
        return cls(negotiated.config, negotiated, offer)

    def questions(self) -> Questions[AfterHello]:
        return QUESTIONS

    def shown(self) -> tuple[Shown, ...]:
        if not self.offer.identities:
            return ()
        only_psk = self.why_no_session()
        if only_psk is not None and self.why_not() is not None:
            return ()
        are_tickets = not isinstance(self.config.tickets, StoredTickets)
        identities = self.offer.identities[:MAX_IDENTITIES]
        return tuple([Shown(one.identity, are_tickets, only_psk) for one in identities])

    def why_not(self) -> Check | None:
        """What makes it useless to look at any identity."""
        takes_psks = self.config.takes_psks and (self.negotiated.resumes or self.negotiated.offers_psk_ke)
        return None if takes_psks else self.why_no_session()

    def why_no_session(self) -> Check | None:
        """What makes it useless to look at one for a session."""
        if isinstance(self.config.tickets, NoTickets):
            return Check("tickets", False, "the config makes none")
        if not self.negotiated.resumes:
            named = can_resume(self.negotiated.hello)
            why = "psk_dhe_ke, without a share that we can use" if named else WITHOUT_DHE
            return Check("psk_key_exchange_modes", False, why)
        return None

    def not_looked_at(self, index: int) -> Iterator[IdentityRecord]:
        """The identities after the winner, or all of them; of those beyond the limit the first, for them all."""
        number = len(self.offer.identities)
        if index == number:
            return
        why_not = self.why_not()
        checks = () if why_not is None else (why_not,)
        for place in range(index, min(number, MAX_IDENTITIES)):
            yield IdentityRecord(place, checks=checks)
        if index == MAX_IDENTITIES < number:
            limit = Check("limit", False, f"of {number} identities {MAX_IDENTITIES} are looked at")
            yield IdentityRecord(MAX_IDENTITIES, checks=(limit,))

    def judge(
        self, index: int, session: Session, psk: ExternalPsk | None, now: float
    ) -> Judgement[AfterHello]:
        """With the numbers behind each check; then the proof that the client has the session's secret."""
        context, suite = self.negotiated.session_id_context, SUITES.get(session.cipher_suite)
        if session.psk_identity is not None:
            if psk is None:
                return Judgement(
                    self, (Check("psk", False, "the session's PSK is not known any more"),), passed=False
                )
            context = psk.session_context(context)
        negotiated = self.fitting(index, session)
        if session.version != TLS13 or suite is None:
            why = f"session of version {session.version:#06x}, suite {session.cipher_suite:#06x}"
            return Judgement(self, (Check("version", False, why),), passed=False)
        identity, ours = self.offer.identities[index], negotiated.suite.hash_name
        claimed_age = ((identity.obfuscated_ticket_age - session.age_add) & 0xFFFFFFFF) / 1000
        checks = (
            *check_policy(negotiated.config, session, context, negotiated.server_name, now),
            known_check("hash", suite.hash_name == ours, f"{suite.hash_name}, now {ours}"),
            # Never a reason to refuse a session: it matters to early data only (RFC 9846 section 8.3).
            Check("age", True, f"the client says {claimed_age:.3f} s"),
        )
        if not all_passed(checks):
            return Judgement(self, checks, passed=False)
        self.check_binder(negotiated, index, session.secret, b"res binder")
        rules = self if negotiated is self.negotiated else evolve(self, negotiated=negotiated)
        return Judgement(rules, (*checks, BINDER_VERIFIED), passed=True)

    def judge_psk(self, index: int, psk: ExternalPsk) -> Judgement[AfterHello]:
        """A suite of its hash, and a mode that it allows; then the proof that the client has the key."""
        negotiated, hash_name = self.negotiated, psk.hash_name
        if len(self.offer.binders[index]) == HASH_LENGTHS[hash_name]:
            negotiated = negotiated.for_hash(hash_name)
        ours = negotiated.suite.hash_name
        in_mode = negotiated.resumes or (negotiated.offers_psk_ke and psk.does_without_key_exchange)
        mode = "psk_dhe_ke" if negotiated.resumes else "psk_ke" if in_mode else "psk_ke was not chosen for it"
        checks = (
            Check("psk", True, quoted(psk.identity)),
            Check("hash", hash_name == ours, f"{hash_name}, now {ours}"),
            Check("mode", in_mode, mode),
        )
        if not all_passed(checks):
            return Judgement(self, checks, passed=False)
        self.check_binder(negotiated, index, psk.key, psk.binder_label)
        rules = self if negotiated is self.negotiated else evolve(self, negotiated=negotiated)
        return Judgement(rules, (*checks, BINDER_VERIFIED), passed=True)

    def claim(self, candidate: Candidate[AfterHello], flight: Flight) -> AfterHello:
        return claims.claim(candidate, flight)

    def look_up_psk(self, sought: SoughtPsk[AfterHello], flight: Flight) -> AfterHello:
        return psks.look_up(sought, flight)

    def fitting(self, index: int, session: Session) -> Negotiated:
        """With a suite of the session's hash, if there is one and the client's binder shows that it means this hash."""
        suite, shown = SUITES.get(session.cipher_suite), self.offer.binders[index]
        if suite is None or HASH_LENGTHS[suite.hash_name] != len(shown):
            return self.negotiated
        return self.negotiated.for_hash(suite.hash_name)

    def check_binder(self, negotiated: Negotiated, index: int, secret: bytes, label: bytes) -> None:
        """The client has the secret of the session, or the key (RFC 9846 section 4.3.11.2)."""
        key = EarlySecret.from_psk(negotiated.suite.hash_name, secret).binder_key(label)
        if not hmac.compare_digest(self.binder_by(key, negotiated), self.offer.binders[index]):
            raise Fault(Reason.BAD_BINDER, f"identity {index}")

    def binder_by(self, key: bytes, negotiated: Negotiated) -> bytes:
        """Of this hello."""
        truncated = negotiated.raw_hello[: -self.offer.binders_size]
        return binder(negotiated.suite.hash_name, key, negotiated.transcript.digest_of(truncated))

    def binder_key(self, session: Session) -> bytes:
        return EarlySecret.from_psk(SUITES[session.cipher_suite].hash_name, session.secret).binder_key()

    def shows(self, index: int, spent: SpentSession) -> bool:
        suite = SUITES.get(spent.cipher_suite)
        if suite is None:
            return False
        negotiated = self.negotiated.for_hash(suite.hash_name)
        if negotiated.suite.hash_name != suite.hash_name:
            return False
        return hmac.compare_digest(self.binder_by(spent.binder_key, negotiated), self.offer.binders[index])

    def counts(self, num_tickets: int | None) -> TicketCounts:
        return self.negotiated.ticket_numbers.counts(num_tickets)

    def answer(self, outcome: Outcome, flight: Flight) -> AfterSearch:
        if self.negotiated.early_data:
            return decide_early_data(self.negotiated, self.offer, outcome, flight)
        return answer_hello(self.negotiated, outcome, flight)


# --- the questions -----------------------------------------------------------------------------------------------


class AskOpenTicket(search.AskOpenTicket["AfterHello"]):
    """The keys are elsewhere."""

    __slots__ = ()


class AskDecideTicket(search.AskDecideTicket["AfterHello"]):
    """Decryption was attempted; what shall become of the ticket?"""

    __slots__ = ()


class AskLookUpSession(search.AskLookUpSession["AfterHello"]):
    """The internal cache does not have the session: does an external store?"""

    __slots__ = ()


class AskAdmitSession(search.AskAdmitSession["AfterHello"]):
    """A session passed every check, however it was found: does the application let it go on?"""

    __slots__ = ()


class AskClaimSession(claims.AskClaimSession["AfterHello"]):
    """Each session is for one connection, and this client is its own: has it not been used before?"""

    __slots__ = ()


class AskLookUpPsk(psks.AskLookUpPsk["AfterHello"]):
    """The config does not have the PSK: does somebody else?"""

    __slots__ = ()


AfterHello = (
    AskOpenTicket
    | AskDecideTicket
    | AskLookUpSession
    | AskAdmitSession
    | AskClaimSession
    | AskLookUpPsk
    | AskAdmitEarlyData
    | AskClaimEarlyData
    | AskSign
    | WaitClientFinished
    | WaitEndOfEarlyData
)
"""Where a server is once the ClientHello was taken in: at a question about an identity, or past its flight."""

QUESTIONS: Final = Questions[AfterHello](
    AskOpenTicket, AskDecideTicket, AskLookUpSession, AskAdmitSession, AskClaimSession, AskLookUpPsk
)
