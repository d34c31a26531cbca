"""The established TLS 1.3 client: tickets come in, and requests for our certificate.

Transitions (``python -m tools.transitions --write``):

    ClientConnected  CertificateRequest  ClientConnected, AskSignAgain
                     KeyUpdate,
                     NewSessionTicket,
                     SendData,
                     UpdateKeys          ClientConnected
    AskSignAgain     ProvideSignature    ClientConnected
"""

from __future__ import annotations

from attrs import field

from sansticket.codes import ProtocolVersion
from sansticket.commands import ProvideSignature, SendData
from sansticket.config.client import ClientConfig
from sansticket.crypto.signatures import certificate_verify_input
from sansticket.errors import Fault, Reason
from sansticket.events import TicketReceived
from sansticket.handshake.common.certificates import ShowCertificate
from sansticket.handshake.common.signing import AskSignature
from sansticket.handshake.machine.flight import Flight
from sansticket.handshake.tls13.certificates import answer_request, shown
from sansticket.handshake.tls13.connected import Connected
from sansticket.handshake.tls13.finished import finished_message
from sansticket.keys.tls13 import resumption_psk
from sansticket.keys.transcript import Transcript
from sansticket.tickets.session import Session
from sansticket.tickets.versions import MAX_LIFETIME
from sansticket.values import changed, value
from sansticket.wire.extensions.resumption import EarlyDataLimit
from sansticket.wire.messages.tls13 import CertificateRequest, CertificateVerify, NewSessionTicket


@value(kw_only=True)
class ClientConnected(Connected):
    """RFC 9846 appendix A.1, CONNECTED."""

    config: ClientConfig
    resumption_secret: bytes = field(repr=False)
    transcript: Transcript | None
    """Up to our Finished, for post-handshake authentication; None if we do not take part."""

    def without_reading_secrets(self) -> ClientConnected:
        return changed(self, reading_secret=b"", resumption_secret=b"")

    def on_send_data(self, command: SendData, flight: Flight) -> ClientConnected:
        flight.send_application_data(bytes(command.data))
        return self

    def on_new_session_ticket(self, message: NewSessionTicket, flight: Flight) -> ClientConnected:
        """A ticket, for one later connection (RFC 9846 section 4.7.1).  A lifetime of 0 says to forget it at once."""
        if message.lifetime > 0:
            flight.emit(TicketReceived(self.session_of(message, flight.now)))
        return self

    def on_certificate_request(
        self, message: CertificateRequest, flight: Flight
    ) -> ClientConnected | AskSignAgain:
        """Post-handshake authentication (RFC 9846 section 4.7.2)."""
        if self.transcript is None:
            raise Fault(
                Reason.UNEXPECTED_MESSAGE,
                "CertificateRequest, and we did not offer post_handshake_auth, or have an external PSK",
            )
        answer, transcript = answer_request(message, self.config), self.transcript.plus(flight.received)
        if not flight.can_send:
            return self
        answer.tell(flight)
        if isinstance(answer, ShowCertificate):
            certificate = shown(message.context, answer.credential, answer.compression)
            transcript = transcript.plus(flight.send_raw(certificate))
            return AskSignAgain(answer.credential, answer.scheme, self, transcript)
        transcript = transcript.plus(flight.send_raw(shown(message.context, None)))
        return self.with_answer_finished(transcript, flight)

    def with_answer_finished(self, transcript: Transcript, flight: Flight) -> ClientConnected:
        """The Finished that ends our answer, under our present traffic secret."""
        flight.send(finished_message(self.established.suite.hash_name, self.writing_secret, transcript))
        return self

    def session_of(self, message: NewSessionTicket, now: float) -> Session:
        established = self.established
        hash_name = established.suite.hash_name
        early_data = message.find(EarlyDataLimit)
        return Session(
            version=ProtocolVersion.TLS_1_3,
            cipher_suite=established.suite.suite,
            secret=resumption_psk(hash_name, self.resumption_secret, message.nonce),
            lifetime=min(message.lifetime, MAX_LIFETIME),
            issued_at=now,
            authenticated_at=established.authenticated_at,
            ticket=message.ticket,
            age_add=message.age_add,
            alpn=established.alpn_protocol,
            server_name=established.server_name,
            session_id_context=established.session_id_context,
            peer_certificates=established.peer_certificates,
            max_early_data=early_data.max_early_data_size if early_data is not None else 0,
            group=established.group,
            psk_identity=established.psk_identity,
        )


@value
class AskSignAgain(AskSignature):
    """Post-handshake: our Certificate is sent, its CertificateVerify is to be made."""

    connected: ClientConnected
    transcript: Transcript

    def to_be_signed(self) -> bytes:
        return certificate_verify_input(False, self.transcript.digest())

    def on_provide_signature(self, command: ProvideSignature, flight: Flight) -> ClientConnected:
        verify = CertificateVerify(self.scheme, command.signature)
        return self.connected.with_answer_finished(self.transcript.plus(flight.send(verify)), flight)
