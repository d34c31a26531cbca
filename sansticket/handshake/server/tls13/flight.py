"""The TLS 1.3 server's flight, and what the client answers to it (RFC 9846 sections 4.2.3 to 4.5.3).

answer_hello      ServerHello, EncryptedExtensions, and either Finished or the certificate
  AskSign           (only without a session)
finish_flight     Finished; we may send application data
  WaitClientCertificate, WaitClientCertificateVerify, AskVerifyPeer   (only if we asked for one)
WaitClientFinished  the client may send application data, and tickets follow

Transitions (``python -m tools.transitions --write``):

    AskSign                      ProvideSignature       WaitClientFinished, WaitClientCertificate
    WaitClientCertificate        Certificate,
                                 CompressedCertificate  WaitClientCertificateVerify, WaitClientFinished
    WaitClientCertificateVerify  CertificateVerify      AskVerifyPeer
    AskVerifyPeer                AcceptPeer             WaitClientFinished
                                 RejectPeer             the end
    WaitClientFinished           Finished               ServerConnected, AskPrepareTicket, AskProtectTicket
                                 SendData               WaitClientFinished
"""

from __future__ import annotations

from typing import ClassVar, Final, NoReturn, Self

from attrs import evolve, field

from sansticket.commands import AcceptPeer, ProvideSignature, RejectPeer, SendData
from sansticket.config.choices import ClientAuthentication
from sansticket.config.server import ServerConfig
from sansticket.crypto.certificates import Credential
from sansticket.crypto.groups import respond
from sansticket.crypto.inspection import signing_key_of
from sansticket.crypto.signatures import PublicKey, certificate_verify_input
from sansticket.errors import Fault, LocalProtocolError, Reason
from sansticket.events import VerifyPeer
from sansticket.handshake.common.certificates import (
    preferred,
    scheme_for,
    staple_for,
    verify_chain_default,
)
from sansticket.handshake.common.names import credentials_named
from sansticket.handshake.common.signing import AskSignature
from sansticket.handshake.machine.established import Established
from sansticket.handshake.machine.flight import Flight
from sansticket.handshake.machine.state import Asking, State
from sansticket.handshake.machine.version import TLS_1_3
from sansticket.handshake.server.rules import Outcome
from sansticket.handshake.server.tickets import family_of, generation_after
from sansticket.handshake.server.tls13.connected import (
    AfterHandshake,
    ServerConnected,
    after_handshake,
    can_verify_clients,
)
from sansticket.handshake.server.tls13.negotiation import TLS13, Negotiated, check_exchange
from sansticket.handshake.tls13.certificates import (
    certificate_request,
    chain_of,
    check_certificate_verify,
    compression_for,
    shown,
    undone,
)
from sansticket.handshake.tls13.finished import check_finished, finished_message
from sansticket.keys.tls13 import (
    ApplicationTraffic,
    EarlySecret,
    Exporter,
    HandshakeSecret,
    HandshakeTraffic,
    MasterSecret,
    traffic_keys,
)
from sansticket.keys.transcript import Transcript
from sansticket.tickets.decision import resolve
from sansticket.tickets.records import ResumptionRecord
from sansticket.values import value
from sansticket.wire.extensions.base import Extension
from sansticket.wire.extensions.certificate import PostHandshakeAuth
from sansticket.wire.extensions.key_exchange import KeyShareAnswer, KeyShareEntry
from sansticket.wire.extensions.negotiation import (
    ApplicationProtocols,
    SelectedVersion,
    ServerNameAck,
    SignatureAlgorithms,
)
from sansticket.wire.extensions.resumption import (
    PreSharedKeySelection,
    TicketRequest,
    TicketRequestHint,
)
from sansticket.wire.messages.hello import ServerHello
from sansticket.wire.messages.tls13 import (
    Certificate,
    CertificateVerify,
    CompressedCertificate,
    EncryptedExtensions,
    Finished,
)

# What we say in the same words nearly every time.
SELECTED_TLS13: Final = SelectedVersion(TLS13)
SELECTED_FIRST: Final = PreSharedKeySelection(0)
NAME_ACK: Final = ServerNameAck()


@value
class ServerHandshake:
    """What every state after the ServerHello shares."""

    negotiated: Negotiated
    outcome: Outcome
    secret: HandshakeSecret
    traffic: HandshakeTraffic


@value
class ServerFinished:
    """What every state after our Finished shares besides."""

    handshake: ServerHandshake
    transcript: Transcript
    application: ApplicationTraffic
    master: MasterSecret
    exporter_secret: bytes = field(repr=False)

    def plus(self, raw: bytes) -> ServerFinished:
        # Spelled out: once per message, and ``evolve`` takes three times as long.
        transcript = self.transcript.plus(raw)
        return ServerFinished(self.handshake, transcript, self.application, self.master, self.exporter_secret)


# --- our flight ----------------------------------------------------------------------------------------------


def answer_hello(negotiated: Negotiated, outcome: Outcome, flight: Flight) -> AskSign | WaitClientFinished:
    """ServerHello, EncryptedExtensions, and either Finished or the certificate."""
    if negotiated.share is None or not negotiated.config.credentials:
        check_key(negotiated, outcome)
    handshake, transcript = send_server_hello(negotiated, outcome, flight)
    named = credentials_named(negotiated.config, negotiated.server_name) if outcome.session is None else ()
    sent = [flight.send(encrypted_extensions(negotiated, outcome, named))]
    if outcome.session is not None:
        chain = outcome.session.peer_certificates
        flight.learn(session=outcome.session, peer_certificates=chain)
        return WaitClientFinished(finish_flight(handshake, transcript.plus(*sent), flight), chain)
    if outcome.psk is not None:
        flight.learn(psk_identity=outcome.psk.identity)
        return WaitClientFinished(finish_flight(handshake, transcript.plus(*sent), flight), ())
    if negotiated.config.client_authentication is not ClientAuthentication.NONE:
        sent.append(flight.send(certificate_request(negotiated.config, b"")))
    credential, scheme = select_credential(negotiated, named)
    compression = compression_for(negotiated.config, negotiated.hello)
    stapled = credential.ocsp_response is not None
    staple = staple_for(credential, negotiated.hello, flight.now) if stapled else None
    sent.append(flight.send_raw(shown(b"", credential, compression, staple)))
    return AskSign(credential, scheme, handshake, transcript.plus(*sent))


def check_key(negotiated: Negotiated, outcome: Outcome) -> None:
    """There must be a session or an external PSK, since there can be no certificate.  A client whose identities are not
    known hears so (RFC 9846 section 6.2): they travel unprotected, and it is no aim to hide which of them exist."""
    if outcome.session is not None or outcome.psk is not None:
        return
    check_exchange(negotiated)
    shown = outcome.record.identities
    if shown and all(one.psk_identity is None for one in shown):
        raise Fault(Reason.UNKNOWN_PSK_IDENTITY, f"{len(shown)} were looked at, and there is no certificate")
    why = "none of those that are known can be used" if shown else "the client offers none"
    raise Fault(Reason.PSK_REQUIRED, why)


def send_server_hello(
    negotiated: Negotiated, outcome: Outcome, flight: Flight
) -> tuple[ServerHandshake, Transcript]:
    """The ServerHello, and the keys that come with it (RFC 9846 sections 4.2.3 and 7.1)."""
    suite, hello, share = negotiated.suite, negotiated.hello, negotiated.share
    extensions: tuple[Extension, ...] = (SELECTED_TLS13,)
    if share is None or (outcome.psk is not None and not negotiated.resumes):
        shared_secret = bytes(suite.hash_length)  # psk_ke
    else:
        our_share, shared_secret = respond(share.group, share.key_exchange, flight.entropy)
        extensions = (SELECTED_TLS13, KeyShareAnswer(KeyShareEntry(share.group, our_share)))
    if outcome.record.winner is not None:
        first = outcome.record.winner == 0
        extensions += (SELECTED_FIRST if first else PreSharedKeySelection(outcome.record.winner),)
    if outcome.session is not None:
        early = EarlySecret.from_psk(suite.hash_name, outcome.session.secret)
    elif outcome.psk is not None:
        early = EarlySecret.from_psk(suite.hash_name, outcome.psk.key)
    else:
        early = EarlySecret.without_psk(suite.hash_name)
    server_hello = ServerHello(flight.entropy(32), hello.session_id, suite.suite, extensions)
    transcript = negotiated.transcript.plus(negotiated.raw_hello, flight.send(server_hello))
    secret = early.handshake(shared_secret)
    traffic = secret.traffic(transcript.digest())
    if hello.session_id and not negotiated.retried:
        flight.send_change_cipher_spec()
    flight.protect_writes(TLS_1_3, suite, traffic_keys(suite, traffic.server))
    flight.protect_reads(TLS_1_3, suite, traffic_keys(suite, traffic.client))
    if flight.logs_secrets:
        flight.log_secrets(hello.random, traffic.named)
    if negotiated.record_sizes is not None:
        negotiated.record_sizes.keep(flight)
    return ServerHandshake(negotiated, outcome, secret, traffic), transcript


def encrypted_extensions(
    negotiated: Negotiated, outcome: Outcome, named: tuple[Credential, ...] = ()
) -> EncryptedExtensions:
    """``named``: the credentials for the client's server name; none in a resumption (RFC 6066 section 3)."""
    extensions: list[Extension] = []
    if named:
        extensions.append(NAME_ACK)
    if negotiated.alpn_protocol is not None:
        extensions.append(ApplicationProtocols((negotiated.alpn_protocol,)))
    if negotiated.record_sizes is not None:
        extensions.append(negotiated.record_sizes.answer)
    if negotiated.hello.find(TicketRequest) is not None:
        extensions.append(TicketRequestHint(min(outcome.record.tickets_to_follow or 0, 255)))
    return EncryptedExtensions(tuple(extensions))


def select_credential(negotiated: Negotiated, named: tuple[Credential, ...]) -> tuple[Credential, int]:
    """The best credential for the client's server name (``named``) whose key the client can verify.

    Without a name, or with one that no certificate has, every credential will do: the client decides
    whether it likes what it sees (RFC 6066 section 3 leaves that to the server).
    """
    config = negotiated.config
    offered = negotiated.hello.find(SignatureAlgorithms)
    if offered is None:
        raise Fault(
            Reason.MISSING_EXTENSION, "signature_algorithms, needed for a handshake with certificates"
        )
    fitting = []
    for credential in named or config.credentials:
        scheme = scheme_for(credential, offered.schemes, config.signature_schemes)
        if scheme is not None:
            fitting.append((credential, scheme))
    chosen = preferred(fitting, negotiated.hello)
    if chosen is not None:
        return chosen
    raise Fault(Reason.NO_COMMON_SIGNATURE_SCHEME, "no credential has a key that the client can verify")


@value
class AskSign(AskSignature):
    """Our Certificate is sent, its CertificateVerify is to be made."""

    handshake: ServerHandshake
    transcript: Transcript

    def to_be_signed(self) -> bytes:
        return certificate_verify_input(True, self.transcript.digest())

    def on_provide_signature(
        self, command: ProvideSignature, flight: Flight
    ) -> WaitClientFinished | WaitClientCertificate:
        raw = flight.send(CertificateVerify(self.scheme, command.signature))
        finished = finish_flight(self.handshake, self.transcript.plus(raw), flight)
        if self.handshake.negotiated.config.client_authentication is ClientAuthentication.NONE:
            return WaitClientFinished(finished, ())
        return WaitClientCertificate(finished)


def finish_flight(handshake: ServerHandshake, transcript: Transcript, flight: Flight) -> ServerFinished:
    """Our Finished, after which we may send application data (RFC 9846 section 4.5.3)."""
    suite, client_random = handshake.negotiated.suite, handshake.negotiated.hello.random
    finished = finished_message(suite.hash_name, handshake.traffic.server, transcript)
    transcript = transcript.plus(flight.send(finished))
    master = handshake.secret.master()
    transcript_hash = transcript.digest()
    application = master.traffic(transcript_hash)
    exporter_secret = master.exporter(transcript_hash)
    flight.protect_writes(TLS_1_3, suite, traffic_keys(suite, application.server))
    if flight.logs_secrets:
        flight.log_secrets(client_random, {**application.named, "EXPORTER_SECRET": exporter_secret})
    return ServerFinished(handshake, transcript, application, master, exporter_secret)


# --- the client's answer -------------------------------------------------------------------------------------


@value
class WaitClientCertificate(State):
    """We asked for a certificate.  RFC 9846 appendix A.2, WAIT_CERT."""

    finished: ServerFinished

    def on_certificate(
        self, message: Certificate, flight: Flight
    ) -> WaitClientCertificateVerify | WaitClientFinished:
        config = self.finished.handshake.negotiated.config
        if message.context:
            raise Fault(Reason.ILLEGAL_VALUE, "certificate_request_context in the handshake; expected none")
        chain = chain_of(message, config)
        flight.learn(peer_certificates=chain)
        finished = self.finished.plus(flight.received)
        if chain:
            return WaitClientCertificateVerify(finished, chain, signing_key_of(chain[0], config.min_rsa_bits))
        if config.client_authentication is ClientAuthentication.REQUIRED:
            raise Fault(Reason.CERTIFICATE_REQUIRED)
        return WaitClientFinished(finished, ())

    def on_compressed_certificate(
        self, message: CompressedCertificate, flight: Flight
    ) -> WaitClientCertificateVerify | WaitClientFinished:
        return self.on_certificate(undone(message, self.finished.handshake.negotiated.config), flight)


@value
class WaitClientCertificateVerify(State):
    """The client sent a certificate and owes the proof.  RFC 9846 appendix A.2, WAIT_CV."""

    finished: ServerFinished
    chain: tuple[bytes, ...] = field(repr=False)
    public_key: PublicKey = field(repr=False)

    def on_certificate_verify(self, message: CertificateVerify, flight: Flight) -> AskVerifyPeer:
        finished = self.finished
        config = finished.handshake.negotiated.config
        check_certificate_verify(message, config, self.public_key, finished.transcript, of_server=False)
        return AskVerifyPeer(finished.plus(flight.received), self.chain, self.public_key)


@value
class AskVerifyPeer(Asking):
    """The client holds its key; does the application accept the certificate?"""

    QUESTION = VerifyPeer

    finished: ServerFinished
    chain: tuple[bytes, ...] = field(repr=False)
    public_key: PublicKey = field(repr=False)

    def question(self) -> VerifyPeer:
        return VerifyPeer(
            self.chain, None, self.public_key, self.finished.handshake.negotiated.config.trust_anchors
        )

    def default_answer(self, now: float) -> AcceptPeer:
        verify_chain_default(self.finished.handshake.negotiated.config, self.chain, None, now)
        return AcceptPeer()

    def on_accept_peer(self, command: AcceptPeer, flight: Flight) -> WaitClientFinished:
        return WaitClientFinished(self.finished, self.chain)

    def on_reject_peer(self, command: RejectPeer, flight: Flight) -> NoReturn:
        raise Fault(Reason.CERTIFICATE_REFUSED, alert=command.alert)


@value
class WaitClientFinished(State):
    """The client owes its Finished.  RFC 9846 appendix A.2, WAIT_FINISHED."""

    FIXED_KEYS: ClassVar[bool] = True

    finished: ServerFinished
    peer_certificates: tuple[bytes, ...] = field(repr=False)

    def on_send_data(self, command: SendData, flight: Flight) -> Self:
        check_half_rtt(self.finished.handshake.negotiated.config, self.peer_certificates)
        flight.send_application_data(bytes(command.data))
        return self

    def on_finished(self, message: Finished, flight: Flight) -> AfterHandshake:
        handshake, application = self.finished.handshake, self.finished.application
        suite = handshake.negotiated.suite
        check_finished(message, suite.hash_name, handshake.traffic.client, self.finished.transcript)
        flight.protect_reads(TLS_1_3, suite, traffic_keys(suite, application.client))
        transcript = self.finished.transcript.plus(flight.received)
        outcome, negotiated = handshake.outcome, handshake.negotiated
        established = self.established(flight)
        connected = ServerConnected(
            config=negotiated.config,
            established=established,
            reading_secret=application.client,
            writing_secret=application.server,
            resumption_secret=self.finished.master.resumption(transcript.digest()),
            ticket_numbers=negotiated.ticket_numbers,
            transcript=transcript if may_be_asked_again(negotiated, established) else None,
            app_data=outcome.session.app_data if outcome.session is not None else b"",
        )
        record, policy = outcome.record, negotiated.config.ticket_policy
        if flight.num_tickets != outcome.num_tickets:
            record = self.counted_again(flight.num_tickets)
        tickets, why = record.tickets_to_follow or 0, record.why
        if tickets and policy.lifetime(outcome.session, established.authenticated_at, flight.now) <= 0:
            tickets, why = 0, f"{why}, but the session is too old for another ticket"
            record = evolve(record, tickets_to_follow=tickets, why=why)
        flight.establish(established)
        flight.emit(established.completed(record))
        return after_handshake(connected, tickets, flight)

    def counted_again(self, num_tickets: int | None) -> ResumptionRecord:
        """The account of the search, with the tickets that follow: another number was set on the connection since."""
        outcome = self.finished.handshake.outcome
        counts = self.finished.handshake.negotiated.ticket_numbers.counts(num_tickets)
        if outcome.psk is not None:
            return evolve(outcome.record, tickets_to_follow=counts.full)
        resolution = resolve(outcome.decisions, TLS13, counts)
        return evolve(outcome.record, tickets_to_follow=resolution.tickets, why=resolution.why)

    def established(self, flight: Flight) -> Established:
        negotiated, outcome = self.finished.handshake.negotiated, self.finished.handshake.outcome
        session, psk, share = outcome.session, outcome.psk, negotiated.share
        context, psk_identity = negotiated.session_id_context, None
        if psk is not None:
            context, psk_identity = psk.session_context(context), psk.identity
        elif session is not None:
            context, psk_identity = session.session_id_context, session.psk_identity
        return Established(
            version=TLS13,
            suite=negotiated.suite,
            group=0 if share is None or (psk is not None and not negotiated.resumes) else share.group,
            alpn_protocol=negotiated.alpn_protocol,
            server_name=negotiated.server_name,
            session_id_context=context,
            peer_certificates=self.peer_certificates,
            resumed_session=session,
            authenticated_at=session.authenticated_at if session is not None else flight.now,
            exporter=Exporter(negotiated.suite.hash_name, self.finished.exporter_secret),
            psk_identity=psk_identity,
            family=family_of(session, negotiated.config, flight),
            generation=generation_after(session),
        )


def check_half_rtt(config: ServerConfig, peer_certificates: tuple[bytes, ...]) -> None:
    """Data before the client's Finished goes to whoever sent the hello, which may be a replay (RFC 9846 appendix E.5).

    LocalProtocolError unless the config allows it, and where it matters who the client is.
    """
    if not config.half_rtt:
        raise LocalProtocolError("SendData before HandshakeCompleted; expected half_rtt=True in the config")
    if peer_certificates or config.client_authentication is not ClientAuthentication.NONE:
        raise LocalProtocolError(
            "SendData before HandshakeCompleted, where the client's certificate matters; expected it later"
        )


def may_be_asked_again(negotiated: Negotiated, established: Established) -> bool:
    """Whether there can be post-handshake authentication: a transcript is kept for it, as large as the handshake.
    Never after an external PSK (RFC 9846 section 4.4.2)."""
    if established.psk_identity is not None:
        return False
    return negotiated.hello.find(PostHandshakeAuth) is not None and can_verify_clients(negotiated.config)
