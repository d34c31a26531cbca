"""The server's word on early data, and how it is read or dropped (RFC 9846 sections 4.3.10, 4.6 and 8).

decide_early_data   all that can be judged
  AskAdmitEarlyData   the application's word
  AskClaimEarlyData   last of all: nobody has accepted it before
WaitEndOfEarlyData  it is accepted, and read until EndOfEarlyData

A refusal leaves everything else as it is: the session goes on, and what comes under the keys of early data is counted
and dropped, unread.

Transitions (``python -m tools.transitions --write``):

    AskAdmitEarlyData   AcceptEarlyData      AskClaimEarlyData, AskSign, WaitClientFinished, WaitEndOfEarlyData
                        RefuseEarlyData      AskSign, WaitClientFinished
    AskClaimEarlyData   EarlyDataClaimed     WaitEndOfEarlyData
                        EarlyDataNotClaimed  AskSign, WaitClientFinished
    WaitEndOfEarlyData  EarlyDataRecord,
                        SendData             WaitEndOfEarlyData
                        EndOfEarlyData       WaitClientFinished
"""

from __future__ import annotations

from hashlib import sha256
from typing import ClassVar, Final, Self

from attrs import evolve, field

from sansticket.commands import (
    AcceptEarlyData,
    EarlyDataClaimed,
    EarlyDataNotClaimed,
    RefuseEarlyData,
    SendData,
)
from sansticket.errors import Fault, Reason
from sansticket.events import AdmitEarlyData, ClaimEarlyData, EarlyDataEnded, EarlyDataReceived
from sansticket.handshake.machine.flight import Flight
from sansticket.handshake.machine.state import Asking, EarlyDataRecord, State
from sansticket.handshake.machine.version import TLS_1_3
from sansticket.handshake.server.rules import Outcome
from sansticket.handshake.server.tls13.flight import (
    AskSign,
    ServerFinished,
    WaitClientFinished,
    answer_hello,
    check_half_rtt,
    encrypted_extensions,
    finish_flight,
    send_server_hello,
)
from sansticket.handshake.server.tls13.negotiation import Negotiated
from sansticket.keys.tls13 import EarlySecret, Exporter, traffic_keys
from sansticket.text import plain, quoted
from sansticket.tickets.early_data import ACCEPTED, EarlyDataOutcome, EarlyDataReason, rejected
from sansticket.tickets.session import Session
from sansticket.values import value
from sansticket.wire.extensions.resumption import EarlyData, PreSharedKeyOffer
from sansticket.wire.messages.tls13 import EncryptedExtensions, EndOfEarlyData

LEAST_SKIPPED: Final = 65_536
"""Bytes of early data that are dropped in any case: the ticket may be another server's.  NSS allows as many, OpenSSL
and GnuTLS 16,384."""

SLACK: Final = 256
"""Bytes more: a client counts what it sends, and we see what it has become."""


def skippable(*limits: int) -> int:
    """Bytes of early data that are dropped before it is too much.

    Each record costs its content and padding, and at least 1: see ``record.reader``.
    """
    return max(LEAST_SKIPPED, *limits) + SLACK


# --- the verdict -------------------------------------------------------------------------------------------------


@value
class Candidate:
    """Early data with which everything is right that we can see.  ``arrived``: when its ClientHello came."""

    negotiated: Negotiated
    outcome: Outcome
    session: Session
    age: float
    drift: float
    arrived: float
    key: bytes

    @property
    def until(self) -> float:
        """By then the same ClientHello is out of time."""
        return self.arrived + sum(self.negotiated.config.early_data_window)

    def refused(self, reason: EarlyDataReason, detail: str, flight: Flight) -> AskSign | WaitClientFinished:
        return refuse(self.negotiated, self.outcome, rejected(reason, detail), flight)


def decide_early_data(
    negotiated: Negotiated, offer: PreSharedKeyOffer, outcome: Outcome, flight: Flight
) -> AfterSearch:
    """Of a client that offered some: the session is chosen, and nothing of our answer is sent yet."""
    refusal = misfit(negotiated, outcome)
    session = outcome.session
    if refusal is not None or session is None:
        return refuse(negotiated, outcome, refusal or rejected(EarlyDataReason.NOT_RESUMED), flight)
    identity = offer.identities[0]
    age, drift = age_and_drift(session, identity.obfuscated_ticket_age, flight.now)
    before, after = negotiated.config.early_data_window
    if not -before <= drift <= after:
        detail = f"drift {drift:.3f} s; expected {-before} to {after}"
        return refuse(negotiated, outcome, rejected(EarlyDataReason.AGE_SKEW, detail), flight)
    key = sha256(sha256(identity.identity).digest() + offer.binders[0]).digest()
    candidate = Candidate(negotiated, outcome, session, age, drift, flight.now, key)
    if AdmitEarlyData in negotiated.config.answers:
        return AskAdmitEarlyData(candidate)
    return admitted(candidate, flight)


def misfit(negotiated: Negotiated, outcome: Outcome) -> EarlyDataOutcome | None:
    """What of the ticket, and of the config as it is today, does not allow it; None if all does."""
    session, config = outcome.session, negotiated.config
    if negotiated.retried:
        return rejected(EarlyDataReason.HELLO_RETRY)
    if not config.max_early_data:
        return rejected(EarlyDataReason.DISABLED)
    if outcome.psk is not None:
        return rejected(EarlyDataReason.EXTERNAL_PSK)
    if session is None:
        return rejected(EarlyDataReason.NOT_RESUMED)
    if outcome.record.winner != 0:
        return rejected(EarlyDataReason.NOT_FIRST, f"identity {outcome.record.winner}")
    if outcome.record.identities[0].earlier_use is not None:
        return rejected(EarlyDataReason.NOT_CLAIMED, "the ticket was used before")
    if not session.max_early_data:
        return rejected(EarlyDataReason.TICKET_FORBIDS)
    if session.max_early_data > config.max_early_data:
        detail = f"{session.max_early_data} bytes, now {config.max_early_data}"
        return rejected(EarlyDataReason.LIMIT_LOWERED, detail)
    return differing(negotiated, session)


def differing(negotiated: Negotiated, session: Session) -> EarlyDataOutcome | None:
    """Equal they must be, and not just compatible as for a resumption (RFC 9846 section 4.3.10)."""
    suite = negotiated.suite.suite
    if session.cipher_suite != suite:
        return rejected(EarlyDataReason.SUITE_MISMATCH, f"{session.cipher_suite:#06x}, now {suite:#06x}")
    if session.alpn != negotiated.alpn_protocol:
        detail = f"{quoted(session.alpn)}, now {quoted(negotiated.alpn_protocol)}"
        return rejected(EarlyDataReason.ALPN_MISMATCH, detail)
    if session.server_name != negotiated.server_name:
        detail = f"{plain(session.server_name)}, now {plain(negotiated.server_name)}"
        return rejected(EarlyDataReason.NAME_MISMATCH, detail)
    return None


def age_and_drift(session: Session, obfuscated_age: int, now: float) -> tuple[float, float]:
    """The ticket's age in seconds as its client says, and how much later the hello comes (RFC 9846 section 8.3).

    Ages are milliseconds modulo 2^32, so their difference is one too: the nearest to 0.  A ticket from the future, of a
    server whose clock is ahead, is a drift like any other.
    """
    said = (obfuscated_age - session.age_add) & 0xFFFFFFFF
    ours = round(now * 1000) - round(session.issued_at * 1000)
    drift = (ours - said + 0x80000000 & 0xFFFFFFFF) - 0x80000000
    return said / 1000, drift / 1000


@value
class AskAdmitEarlyData(Asking):
    """Everything is right with the early data: does the application want it?"""

    QUESTION = AdmitEarlyData

    candidate: Candidate

    def question(self) -> AdmitEarlyData:
        one = self.candidate
        hello, limit = one.negotiated.hello, one.session.max_early_data
        return AdmitEarlyData(one.session, hello, one.age, one.drift, limit)

    def default_answer(self, now: float) -> AcceptEarlyData:
        return AcceptEarlyData()

    def answer_after(self, error: Exception) -> RefuseEarlyData:
        """The connection is none the worse for it."""
        return RefuseEarlyData(type(error).__name__)

    def on_accept_early_data(
        self, command: AcceptEarlyData, flight: Flight
    ) -> AskClaimEarlyData | AskSign | WaitClientFinished | WaitEndOfEarlyData:
        return admitted(self.candidate, flight)

    def on_refuse_early_data(self, command: RefuseEarlyData, flight: Flight) -> AskSign | WaitClientFinished:
        return self.candidate.refused(EarlyDataReason.NOT_ADMITTED, command.why, flight)


def admitted(
    candidate: Candidate, flight: Flight
) -> AskClaimEarlyData | AskSign | WaitClientFinished | WaitEndOfEarlyData:
    """Last of all, that it is for the first time: whoever replays a hello with a mistake in it uses nothing up."""
    config = candidate.negotiated.config
    if ClaimEarlyData in config.answers:
        return AskClaimEarlyData(candidate)
    if config.replay is not None:
        try:
            claimed = config.replay.claim(candidate.key, candidate.arrived)
        except Exception as error:
            return candidate.refused(EarlyDataReason.NOT_CLAIMED, type(error).__name__, flight)
        if not claimed:
            return candidate.refused(EarlyDataReason.NOT_CLAIMED, "", flight)
    return accept(candidate, flight)


@value
class AskClaimEarlyData(Asking):
    """Somebody else knows which ClientHellos had their early data accepted."""

    QUESTION = ClaimEarlyData

    candidate: Candidate

    def question(self) -> ClaimEarlyData:
        return ClaimEarlyData(self.candidate.key, self.candidate.until)

    def default_answer(self, now: float) -> EarlyDataClaimed | EarlyDataNotClaimed:
        one = self.candidate
        replay = one.negotiated.config.replay
        if replay is None or replay.claim(one.key, one.arrived):
            return EarlyDataClaimed()
        return EarlyDataNotClaimed()

    def answer_after(self, error: Exception) -> EarlyDataNotClaimed:
        """Nobody can tell (RFC 9846 section 8.2)."""
        return EarlyDataNotClaimed(type(error).__name__)

    def on_early_data_claimed(self, command: EarlyDataClaimed, flight: Flight) -> WaitEndOfEarlyData:
        return accept(self.candidate, flight)

    def on_early_data_not_claimed(
        self, command: EarlyDataNotClaimed, flight: Flight
    ) -> AskSign | WaitClientFinished:
        return self.candidate.refused(EarlyDataReason.NOT_CLAIMED, command.why, flight)


def with_early_data(outcome: Outcome, early_data: EarlyDataOutcome) -> Outcome:
    return evolve(outcome, record=evolve(outcome.record, early_data=early_data))


def refuse(
    negotiated: Negotiated, outcome: Outcome, early_data: EarlyDataOutcome, flight: Flight
) -> AskSign | WaitClientFinished:
    """All else is as if it had not been offered.  After a retry there is none any more that could come."""
    flight.note_early_data(early_data)
    state = answer_hello(negotiated, with_early_data(outcome, early_data), flight)
    if not negotiated.retried:
        limits = [session.max_early_data for session in outcome.opened if session is not None]
        budget = skippable(negotiated.config.max_early_data, *limits)
        flight.skip_early_data(before_second_hello=False, budget=budget)
    return state


# --- early data --------------------------------------------------------------------------------------------------


def accept(candidate: Candidate, flight: Flight) -> WaitEndOfEarlyData:
    """Our flight goes out at once: a client sends early data until it has it (RFC 9846 section 4.3.11.3)."""
    negotiated, session = candidate.negotiated, candidate.session
    suite, client_random = negotiated.suite, negotiated.hello.random
    outcome = with_early_data(candidate.outcome, ACCEPTED)
    handshake, transcript = send_server_hello(negotiated, outcome, flight)
    extensions = (*encrypted_extensions(negotiated, outcome).extensions, EarlyData())
    transcript = transcript.plus(flight.send(EncryptedExtensions(extensions)))
    flight.learn(session=session, peer_certificates=session.peer_certificates)
    finished = finish_flight(handshake, transcript, flight)
    early = EarlySecret.from_psk(suite.hash_name, session.secret)
    hello_hash = negotiated.transcript.plus(negotiated.raw_hello).digest()
    traffic, exporter = early.client_early_traffic(hello_hash), early.early_exporter(hello_hash)
    flight.read_early_data(TLS_1_3, suite, traffic_keys(suite, traffic))
    if flight.logs_secrets:
        secrets = {"CLIENT_EARLY_TRAFFIC_SECRET": traffic, "EARLY_EXPORTER_SECRET": exporter}
        flight.log_secrets(client_random, secrets)
    flight.note_early_data(ACCEPTED, Exporter(suite.hash_name, exporter))
    return WaitEndOfEarlyData(finished, session.peer_certificates, session.max_early_data)


@value
class WaitEndOfEarlyData(State):
    """Early data comes in, and then EndOfEarlyData.  RFC 9846 appendix A.2, WAIT_EOED.

    ``left``: how many bytes may still come.
    """

    FIXED_KEYS: ClassVar[bool] = True

    finished: ServerFinished
    peer_certificates: tuple[bytes, ...] = field(repr=False)
    left: int

    @property
    def early_data_left(self) -> int:
        return self.left

    def on_early_data_record(self, item: EarlyDataRecord, flight: Flight) -> Self:
        """The limit is that of the whole connection (RFC 9846 section 4.7.1)."""
        length = len(item.data)
        if length > self.left:
            raise Fault(
                Reason.TOO_MUCH_EARLY_DATA, f"{length} bytes, and {self.left} of the ticket's are left"
            )
        flight.emit(EarlyDataReceived(item.data))
        return evolve(self, left=self.left - length)

    def on_end_of_early_data(self, message: EndOfEarlyData, flight: Flight) -> WaitClientFinished:
        """The keys change: nothing may stand behind it in its record."""
        handshake = self.finished.handshake
        suite = handshake.negotiated.suite
        flight.protect_reads(TLS_1_3, suite, traffic_keys(suite, handshake.traffic.client))
        flight.emit(EarlyDataEnded())
        return WaitClientFinished(self.finished.plus(flight.received), self.peer_certificates)

    def on_send_data(self, command: SendData, flight: Flight) -> Self:
        check_half_rtt(self.finished.handshake.negotiated.config, self.peer_certificates)
        flight.send_application_data(bytes(command.data))
        return self


AfterSearch = AskAdmitEarlyData | AskClaimEarlyData | AskSign | WaitClientFinished | WaitEndOfEarlyData
"""Where a server is once the search for a session is over."""
