"""The client whose early data is on its way: until the server's Finished it writes under the keys of early data.

The keys of the two directions have nothing to do with each other here: what the server sends is under its handshake
keys already (RFC 9846 sections 4.3.10 and 4.6; appendix A.1).

Transitions (``python -m tools.transitions --write``):

    WaitEncryptedExtensionsWithEarlyData  EncryptedExtensions  WaitServerFinishedWithEarlyData, WaitServerFinished
                                          SendEarlyData        WaitEncryptedExtensionsWithEarlyData
    WaitServerFinishedWithEarlyData       Finished             ClientConnected
                                          SendEarlyData        WaitServerFinishedWithEarlyData
"""

from __future__ import annotations

from typing import ClassVar, Self

from attrs import evolve, field

from sansticket.commands import SendEarlyData
from sansticket.errors import Fault, LocalProtocolError, Reason
from sansticket.events import EarlyDataAccepted, EarlyDataRejected
from sansticket.handshake.client.tls13.connected import ClientConnected
from sansticket.handshake.client.tls13.flight import (
    ClientHandshake,
    EndEarlyData,
    WaitEncryptedExtensions,
    WaitServerFinished,
)
from sansticket.handshake.machine.flight import Flight
from sansticket.handshake.machine.state import State
from sansticket.handshake.machine.version import TLS_1_3
from sansticket.keys.tls13 import Exporter, traffic_keys
from sansticket.keys.transcript import Transcript
from sansticket.text import quoted
from sansticket.tickets.early_data import ACCEPTED, EarlyDataOutcome, EarlyDataReason, rejected
from sansticket.tickets.session import Session
from sansticket.values import value
from sansticket.wire.extensions.resumption import EarlyData
from sansticket.wire.messages.tls13 import EncryptedExtensions, Finished


@value
class SendsEarlyData(State):
    """What these states have in common: ``left`` bytes may still be sent, ``sent`` were."""

    FIXED_KEYS: ClassVar[bool] = True
    DELAYS_CLOSE: ClassVar[bool] = True

    left: int
    sent: int
    exporter: Exporter = field(repr=False)

    @property
    def early_data_left(self) -> int:
        return self.left

    def on_send_early_data(self, command: SendEarlyData, flight: Flight) -> Self:
        """As the server counts it: content only, without padding (RFC 9846 section 4.7.1)."""
        length = len(command.data)
        if length > self.left:
            raise LocalProtocolError(
                f"SendEarlyData of {length} bytes; expected at most {self.left}, which is what the ticket leaves"
            )
        flight.send_application_data(bytes(command.data))
        return evolve(self, left=self.left - length, sent=self.sent + length)

    def tell(self, outcome: EarlyDataOutcome, flight: Flight) -> None:
        """The application hears that it was in vain."""
        tell_refusal(outcome, self.sent, flight)


def tell_refusal(outcome: EarlyDataOutcome, sent: int, flight: Flight) -> None:
    assert outcome.reason is not None
    flight.note_early_data(outcome)
    flight.emit(EarlyDataRejected(outcome.reason, sent))


def refused(
    handshake: ClientHandshake, sent: int, reason: EarlyDataReason, flight: Flight
) -> ClientHandshake:
    """The handshake goes on without it; what we write next is our Finished, or what goes before it."""
    outcome = rejected(reason)
    flight.protect_writes(TLS_1_3, handshake.suite, traffic_keys(handshake.suite, handshake.traffic.client))
    tell_refusal(outcome, sent, flight)
    return evolve(handshake, offer=handshake.offer.with_early_data(outcome))


@value
class WaitEncryptedExtensionsWithEarlyData(SendsEarlyData):
    """The server resumes the session; does it take the early data?  RFC 9846 appendix A.1, WAIT_EE."""

    handshake: ClientHandshake
    transcript: Transcript

    def on_encrypted_extensions(
        self, message: EncryptedExtensions, flight: Flight
    ) -> WaitServerFinishedWithEarlyData | WaitServerFinished:
        declined, suite = message.find(EarlyData) is None, self.handshake.suite
        if declined:  # it drops what is under the keys of early data, were it an alert
            flight.before_alert = TLS_1_3.sealer(suite, traffic_keys(suite, self.handshake.traffic.client))
        here = WaitEncryptedExtensions(self.handshake, self.transcript)
        waiting = here.on_encrypted_extensions(message, flight)
        handshake, transcript = waiting.handshake, waiting.transcript
        session = handshake.session
        assert session is not None
        chain = session.peer_certificates
        if declined:
            handshake = refused(handshake, self.sent, EarlyDataReason.PEER_DECLINED, flight)
            return WaitServerFinished(handshake, transcript, chain, None)
        check_same(handshake, session)
        flight.note_early_data(ACCEPTED, self.exporter)
        flight.emit(EarlyDataAccepted())
        accepted = evolve(handshake, offer=handshake.offer.with_early_data(ACCEPTED))
        return WaitServerFinishedWithEarlyData(
            self.left, self.sent, self.exporter, accepted, transcript, chain
        )


def check_same(handshake: ClientHandshake, session: Session) -> None:
    """A server that takes early data takes what it was made for (RFC 9846 section 4.3.10)."""
    if handshake.suite.suite != session.cipher_suite:
        raise Fault(
            Reason.EARLY_DATA_MISMATCH,
            f"suite {handshake.suite.suite:#06x}; the session has {session.cipher_suite:#06x}",
        )
    if handshake.alpn_protocol != session.alpn:
        raise Fault(
            Reason.EARLY_DATA_MISMATCH,
            f"protocol {quoted(handshake.alpn_protocol)}; the session has {quoted(session.alpn)}",
        )


@value
class WaitServerFinishedWithEarlyData(SendsEarlyData):
    """The server takes the early data.  RFC 9846 appendix A.1, WAIT_FINISHED."""

    handshake: ClientHandshake
    transcript: Transcript
    peer_certificates: tuple[bytes, ...] = field(repr=False)

    def on_finished(self, message: Finished, flight: Flight) -> ClientConnected:
        """EndOfEarlyData under the keys of early data, and our Finished under those of the handshake."""
        waiting = WaitServerFinished(self.handshake, self.transcript, self.peer_certificates, EndEarlyData())
        connected = waiting.on_finished(message, flight)
        assert isinstance(connected, ClientConnected)
        return connected
