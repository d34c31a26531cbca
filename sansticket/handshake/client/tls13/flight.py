"""The client's side of a TLS 1.3 handshake after the ServerHello (RFC 9846 appendix A.1).

WaitEncryptedExtensions
  WaitCertificateOrRequest, WaitCertificate, WaitCertificateVerify, AskVerifyPeer   (only without a session)
WaitServerFinished
  AskSign                                                       (only if we have a certificate to show)
ClientConnected

Transitions (``python -m tools.transitions --write``):

    WaitEncryptedExtensions   EncryptedExtensions    WaitCertificateOrRequest, WaitServerFinished
    WaitCertificateOrRequest  Certificate,
                              CompressedCertificate  WaitCertificateVerify
                              CertificateRequest     WaitCertificate
    WaitCertificate           Certificate,
                              CompressedCertificate  WaitCertificateVerify
    WaitCertificateVerify     CertificateVerify      AskVerifyPeer
    AskVerifyPeer             AcceptPeer             WaitServerFinished
                              RejectPeer             the end
    WaitServerFinished        Finished               AskSign, ClientConnected
    AskSign                   ProvideSignature       ClientConnected
"""

from __future__ import annotations

from typing import NoReturn

from attrs import field

from sansticket.codes import ProtocolVersion
from sansticket.commands import AcceptPeer, ProvideSignature, RejectPeer
from sansticket.crypto.inspection import signing_key_of
from sansticket.crypto.signatures import PublicKey, certificate_verify_input
from sansticket.crypto.suites import SuiteParameters
from sansticket.errors import Fault, Reason
from sansticket.events import VerifyPeer
from sansticket.handshake.client.offer import ClientOffer
from sansticket.handshake.client.staples import check_stapled
from sansticket.handshake.client.tls13.connected import ClientConnected
from sansticket.handshake.common.certificates import (
    ShowCertificate,
    ShowNothing,
    verify_chain_default,
)
from sansticket.handshake.common.names import selected_protocol
from sansticket.handshake.common.signing import AskSignature
from sansticket.handshake.common.sizes import sizes_agreed
from sansticket.handshake.machine.established import Established
from sansticket.handshake.machine.flight import Flight
from sansticket.handshake.machine.state import Asking, State
from sansticket.handshake.machine.version import TLS_1_3
from sansticket.handshake.tls13.certificates import (
    answer_request,
    chain_of,
    check_certificate_verify,
    shown,
    staple_of,
    undone,
)
from sansticket.handshake.tls13.finished import check_finished, finished_message
from sansticket.keys.tls13 import (
    ApplicationTraffic,
    Exporter,
    HandshakeSecret,
    HandshakeTraffic,
    MasterSecret,
    traffic_keys,
)
from sansticket.keys.transcript import Transcript
from sansticket.psk import ExternalPsk
from sansticket.text import quoted
from sansticket.tickets.early_data import EarlyDataReason
from sansticket.tickets.records import ResumptionRecord
from sansticket.tickets.session import Session
from sansticket.values import value
from sansticket.wire.extensions.base import Extension
from sansticket.wire.extensions.resumption import EarlyData, TicketRequestHint
from sansticket.wire.messages.tls13 import (
    Certificate,
    CertificateRequest,
    CertificateVerify,
    CompressedCertificate,
    EncryptedExtensions,
    EndOfEarlyData,
    Finished,
)


@value
class EndEarlyData:
    """The server takes our early data: it ends with a message of its own (RFC 9846 section 4.6)."""


Answer = ShowCertificate | ShowNothing
"""What we show when the server asks for our certificate."""


@value
class ClientHandshake:
    """What every state after the ServerHello shares."""

    offer: ClientOffer
    suite: SuiteParameters
    group: int
    session: Session | None
    """The session that the server chose to resume."""
    secret: HandshakeSecret
    traffic: HandshakeTraffic
    psk: ExternalPsk | None
    """The external PSK that the server chose."""
    alpn_protocol: bytes | None = None
    announced_tickets: int | None = None
    """RFC 9149 section 4."""


@value
class WaitEncryptedExtensions(State):
    """RFC 9846 appendix A.1, WAIT_EE."""

    handshake: ClientHandshake
    transcript: Transcript

    def on_encrypted_extensions(
        self, message: EncryptedExtensions, flight: Flight
    ) -> WaitCertificateOrRequest | WaitServerFinished:
        offer = self.handshake.offer
        offered = offer.extension_types if message.extensions else ()
        for extension in message.extensions:
            if extension.type not in offered:
                raise unsolicited(extension, offer)
        hint = message.find(TicketRequestHint)
        alpn_protocol = selected_protocol(offer.config, message)
        flight.learn(alpn_protocol=alpn_protocol)
        sizes = sizes_agreed(offer.config, message, TLS_1_3)
        if sizes is not None:
            sizes.keep(flight)
        before, transcript = self.handshake, self.transcript.plus(flight.received)
        # Spelled out: ``evolve`` takes three times as long.
        handshake = ClientHandshake(
            before.offer,
            before.suite,
            before.group,
            before.session,
            before.secret,
            before.traffic,
            before.psk,
            alpn_protocol=alpn_protocol,
            announced_tickets=hint.expected_count if hint is not None else None,
        )
        if handshake.session is not None:
            return WaitServerFinished(handshake, transcript, handshake.session.peer_certificates, None)
        if handshake.psk is not None:
            return WaitServerFinished(handshake, transcript, (), None)
        return WaitCertificateOrRequest(handshake, transcript)


def unsolicited(extension: Extension, offer: ClientOffer) -> Fault:
    """Early data is accepted with the first identity or not at all (RFC 9846 section 4.3.10)."""
    if isinstance(extension, EarlyData) and offer.early_data.reason is EarlyDataReason.NOT_FIRST:
        return Fault(Reason.EARLY_DATA_MISMATCH, "another identity than the first was taken")
    return Fault(Reason.UNSOLICITED_EXTENSION, quoted(extension))


# --- the server's certificate --------------------------------------------------------------------------------


@value
class WaitCertificateOrRequest(State):
    """RFC 9846 appendix A.1, WAIT_CERT_CR."""

    handshake: ClientHandshake
    transcript: Transcript

    def on_certificate_request(self, message: CertificateRequest, flight: Flight) -> WaitCertificate:
        if message.context:
            raise Fault(Reason.ILLEGAL_VALUE, "certificate_request_context in the handshake; expected none")
        answer = answer_request(message, self.handshake.offer.config)
        answer.tell(flight)
        return WaitCertificate(self.handshake, self.transcript.plus(flight.received), answer)

    def on_certificate(self, message: Certificate, flight: Flight) -> WaitCertificateVerify:
        return take_certificate(self.handshake, self.transcript, None, message, flight)

    def on_compressed_certificate(
        self, message: CompressedCertificate, flight: Flight
    ) -> WaitCertificateVerify:
        return self.on_certificate(undone(message, self.handshake.offer.config), flight)


@value
class WaitCertificate(State):
    """The server asked for our certificate and owes its own.  RFC 9846 appendix A.1, WAIT_CERT."""

    handshake: ClientHandshake
    transcript: Transcript
    answer: Answer

    def on_certificate(self, message: Certificate, flight: Flight) -> WaitCertificateVerify:
        return take_certificate(self.handshake, self.transcript, self.answer, message, flight)

    def on_compressed_certificate(
        self, message: CompressedCertificate, flight: Flight
    ) -> WaitCertificateVerify:
        return self.on_certificate(undone(message, self.handshake.offer.config), flight)


def take_certificate(
    handshake: ClientHandshake,
    transcript: Transcript,
    answer: Answer | None,
    message: Certificate,
    flight: Flight,
) -> WaitCertificateVerify:
    if message.context:
        raise Fault(
            Reason.ILLEGAL_VALUE, "certificate_request_context in the server's Certificate; expected none"
        )
    config, staple = handshake.offer.config, None
    chain = chain_of(message, config, config.asks_for_staples)
    if not chain:
        raise Fault(Reason.NO_SERVER_CERTIFICATE)
    flight.learn(peer_certificates=chain)
    public_key = signing_key_of(chain[0], config.min_rsa_bits)
    if config.asks_for_staples:
        staple = staple_of(message)
        check_stapled(config, chain, staple)
    transcript = transcript.plus(flight.received)
    return WaitCertificateVerify(handshake, transcript, answer, chain, public_key, staple)


@value
class WaitCertificateVerify(State):
    """RFC 9846 appendix A.1, WAIT_CV."""

    handshake: ClientHandshake
    transcript: Transcript
    answer: Answer | None
    chain: tuple[bytes, ...] = field(repr=False)
    public_key: PublicKey = field(repr=False)
    staple: bytes | None = field(repr=False)

    def on_certificate_verify(self, message: CertificateVerify, flight: Flight) -> AskVerifyPeer:
        handshake = self.handshake
        check_certificate_verify(
            message, handshake.offer.config, self.public_key, self.transcript, of_server=True
        )
        after = self.transcript.plus(flight.received)
        return AskVerifyPeer(handshake, after, self.answer, self.chain, self.public_key, self.staple)


@value
class AskVerifyPeer(Asking):
    """The server holds its key; is it the server that it should be?"""

    QUESTION = VerifyPeer

    handshake: ClientHandshake
    transcript: Transcript
    answer: Answer | None
    chain: tuple[bytes, ...] = field(repr=False)
    public_key: PublicKey = field(repr=False)
    staple: bytes | None = field(repr=False)

    def question(self) -> VerifyPeer:
        offer = self.handshake.offer
        anchors = offer.config.trust_anchors
        return VerifyPeer(self.chain, offer.server_name, self.public_key, anchors, self.staple)

    def default_answer(self, now: float) -> AcceptPeer:
        offer = self.handshake.offer
        if offer.config.verify_peer:
            verify_chain_default(offer.config, self.chain, offer.server_name, now, self.staple)
        return AcceptPeer()

    def on_accept_peer(self, command: AcceptPeer, flight: Flight) -> WaitServerFinished:
        return WaitServerFinished(self.handshake, self.transcript, self.chain, self.answer, self.staple)

    def on_reject_peer(self, command: RejectPeer, flight: Flight) -> NoReturn:
        raise Fault(Reason.CERTIFICATE_REFUSED, alert=command.alert)


# --- Finished ------------------------------------------------------------------------------------------------


@value
class WaitServerFinished(State):
    """RFC 9846 appendix A.1, WAIT_FINISHED."""

    handshake: ClientHandshake
    transcript: Transcript
    peer_certificates: tuple[bytes, ...] = field(repr=False)
    answer: Answer | EndEarlyData | None
    """What goes before our Finished: what we show of ourselves, or the end of early data, or nothing."""
    staple: bytes | None = field(default=None, repr=False)
    """What came with the server's certificate."""

    def on_finished(self, message: Finished, flight: Flight) -> AskSign | ClientConnected:
        handshake = self.handshake
        suite, client_random = handshake.suite, handshake.offer.hello.random
        check_finished(message, suite.hash_name, handshake.traffic.server, self.transcript)
        transcript = self.transcript.plus(flight.received)
        master = handshake.secret.master()
        transcript_hash = transcript.digest()
        application = master.traffic(transcript_hash)
        exporter_secret = master.exporter(transcript_hash)
        flight.protect_reads(TLS_1_3, suite, traffic_keys(suite, application.server))
        if flight.logs_secrets:
            flight.log_secrets(client_random, {**application.named, "EXPORTER_SECRET": exporter_secret})
        finished = ClientFinished(
            handshake, self.peer_certificates, application, master, exporter_secret, self.staple
        )
        match self.answer:
            case None:
                return finished.complete(transcript, flight)
            case ShowNothing():
                return finished.complete(transcript.plus(flight.send_raw(shown(b"", None))), flight)
            case EndEarlyData():
                transcript = transcript.plus(flight.send(EndOfEarlyData()))
                flight.protect_writes(TLS_1_3, suite, traffic_keys(suite, handshake.traffic.client))
                return finished.complete(transcript, flight)
            case ShowCertificate(credential=credential, compression=compression):
                transcript = transcript.plus(flight.send_raw(shown(b"", credential, compression)))
                return AskSign(credential, self.answer.scheme, finished, transcript)


@value
class ClientFinished:
    """The server is done; what we still owe ends with our Finished."""

    handshake: ClientHandshake
    peer_certificates: tuple[bytes, ...] = field(repr=False)
    application: ApplicationTraffic
    master: MasterSecret
    exporter_secret: bytes = field(repr=False)
    staple: bytes | None = field(repr=False)

    def complete(self, transcript: Transcript, flight: Flight) -> ClientConnected:
        """Our Finished, and the connection is up (RFC 9846 section 4.5.3)."""
        handshake = self.handshake
        suite = handshake.suite
        message = finished_message(suite.hash_name, handshake.traffic.client, transcript)
        transcript = transcript.plus(flight.send(message))
        flight.protect_writes(TLS_1_3, suite, traffic_keys(suite, self.application.client))
        established = self.established(flight.now)
        flight.establish(established)
        flight.emit(established.completed(self.record()))
        return ClientConnected(
            config=handshake.offer.config,
            established=established,
            reading_secret=self.application.server,
            writing_secret=self.application.client,
            resumption_secret=self.master.resumption(transcript.digest()),
            transcript=transcript
            if handshake.offer.config.post_handshake_auth and not handshake.psk
            else None,
        )

    def established(self, now: float) -> Established:
        handshake = self.handshake
        offer, session, psk = handshake.offer, handshake.session, handshake.psk
        context, psk_identity = offer.config.session_context, None
        if psk is not None:
            context, psk_identity = psk.session_context(b""), psk.identity
        elif session is not None:
            context, psk_identity = session.session_id_context, session.psk_identity
        return Established(
            version=ProtocolVersion.TLS_1_3,
            suite=handshake.suite,
            group=handshake.group,
            alpn_protocol=handshake.alpn_protocol,
            server_name=offer.server_name,
            session_id_context=context,
            peer_certificates=self.peer_certificates,
            resumed_session=session,
            authenticated_at=session.authenticated_at if session is not None else now,
            exporter=Exporter(self.handshake.suite.hash_name, self.exporter_secret),
            psk_identity=psk_identity,
            ocsp_response=self.staple,
        )

    def record(self) -> ResumptionRecord:
        """What we offered, and what the server took."""
        offer, session, psk = self.handshake.offer, self.handshake.session, self.handshake.psk
        place = psk_identity = None
        if psk is not None:
            place, psk_identity, why = offer.place_of_psk(psk), psk.identity, "the server took this PSK"
        elif session is not None:
            place, why = offer.place_of(session), "the server took this session"
        else:
            why = "the server took none of the sessions" if offer.offered else "no session was offered"
        tickets = self.handshake.announced_tickets
        return ResumptionRecord(offer.identities, place, tickets, why, psk_identity, offer.early_data)


@value
class AskSign(AskSignature):
    """Our Certificate is sent, its CertificateVerify is to be made."""

    finished: ClientFinished
    transcript: Transcript

    def to_be_signed(self) -> bytes:
        return certificate_verify_input(False, self.transcript.digest())

    def on_provide_signature(self, command: ProvideSignature, flight: Flight) -> ClientConnected:
        verify = CertificateVerify(self.scheme, command.signature)
        return self.finished.complete(self.transcript.plus(flight.send(verify)), flight)
