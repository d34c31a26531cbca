"""The TLS 1.2 server's answer to a ClientHello, and what the client sends back (RFC 5246 section 7.3).

resumed   ServerHello, and on in ``finished``
full      ServerHello, Certificate, CertificateStatus?, AskSignExchange, ServerKeyExchange, CertificateRequest?,
          ServerHelloDone
          [WaitClientCertificate]  WaitClientKeyExchange  [WaitCertificateVerify  AskVerifyPeer]

Transitions (``python -m tools.transitions --write``):

    AskSignExchange        ProvideSignature   WaitClientCertificate, WaitClientKeyExchange
    WaitClientCertificate  Certificate        WaitClientKeyExchange
    WaitClientKeyExchange  ClientKeyExchange  WaitCertificateVerify, WaitClientChangeCipherSpec
    WaitCertificateVerify  CertificateVerify  AskVerifyPeer
    AskVerifyPeer          AcceptPeer         WaitClientChangeCipherSpec
                           RejectPeer         the end
"""

from __future__ import annotations

from typing import Final, NoReturn

from attrs import evolve, field

from sansticket.commands import AcceptPeer, ProvideSignature, RejectPeer
from sansticket.config.choices import ClientAuthentication
from sansticket.crypto.certificates import Credential
from sansticket.crypto.groups import KeyExchange, generate
from sansticket.crypto.inspection import signing_key_of
from sansticket.crypto.signatures import PublicKey
from sansticket.crypto.suites import SUITES, SuiteParameters
from sansticket.errors import Fault, Reason
from sansticket.events import VerifyPeer
from sansticket.handshake.common.certificates import staple_for, verify_chain_default
from sansticket.handshake.common.names import credentials_named
from sansticket.handshake.common.signing import AskSignature
from sansticket.handshake.common.versions import random_for_tls12
from sansticket.handshake.machine.flight import Flight
from sansticket.handshake.server.rules import Outcome
from sansticket.handshake.server.tickets import family_of
from sansticket.handshake.server.tls12.finished import (
    AskPrepareTicket,
    AskProtectTicket,
    ServerHandshake,
    ServerKeyed,
    WaitClientChangeCipherSpec,
)
from sansticket.handshake.server.tls12.negotiation import Negotiated, select
from sansticket.handshake.tls12.certificates import (
    certificate_request,
    chain_of,
    check_signature,
    signed_exchange,
    written_once,
)
from sansticket.handshake.tls12.keys import Hellos, Keys
from sansticket.handshake.tls12.states import Asking, State
from sansticket.keys.transcript import Transcript
from sansticket.tickets.session import Session
from sansticket.values import value
from sansticket.wire.extensions.base import Extension
from sansticket.wire.extensions.certificate import StatusRequestAck
from sansticket.wire.extensions.negotiation import ApplicationProtocols, ServerNameAck
from sansticket.wire.extensions.tls12 import (
    EcPointFormats,
    ExtendedMasterSecret,
    RenegotiationInfo,
    SessionTicketExtension,
)
from sansticket.wire.messages.hello import ServerHello
from sansticket.wire.messages.tls12 import (
    Certificate,
    CertificateStatus,
    ClientKeyExchange,
    ServerHelloDone,
    ServerKeyExchange,
)
from sansticket.wire.messages.tls13 import CertificateVerify

SESSION_ID_LENGTH = 32

# What a ServerHello says in the same words every time.
NO_RENEGOTIATION_INFO: Final = RenegotiationInfo(b"")
NAME_ACK: Final = ServerNameAck()
ONLY_UNCOMPRESSED: Final = EcPointFormats(b"\0")
EXTENDED_MASTER_SECRET: Final = ExtendedMasterSecret()
TICKET_PROMISED: Final = SessionTicketExtension(b"")
STATUS_PROMISED: Final = StatusRequestAck()


# --- ServerHello ---------------------------------------------------------------------------------------------


def resume(
    negotiated: Negotiated, outcome: Outcome, session: Session, flight: Flight
) -> AskPrepareTicket | AskProtectTicket | WaitClientChangeCipherSpec:
    """The session goes on: the client sees it by its own session id (RFC 5246 section 7.3, RFC 5077 section 3.4)."""
    flight.learn(session=session, peer_certificates=session.peer_certificates)
    session_id = negotiated.hello.session_id
    suite, chain = SUITES[session.cipher_suite], session.peer_certificates
    extensions = hello_extensions(negotiated, outcome)
    handshake, transcript = send_server_hello(negotiated, outcome, suite, session_id, extensions, flight)
    keys = Keys.resumed(handshake.hellos, session)
    if flight.logs_secrets:
        keys.log(flight)
    keyed = ServerKeyed(handshake, keys, session.group, chain, session.family)
    promised = outcome.record.tickets_to_follow
    given = keyed.give_ticket(transcript, flight) if promised else transcript
    return keyed.finish_resumed(given, flight) if isinstance(given, Transcript) else given


def do_full_handshake(negotiated: Negotiated, outcome: Outcome, flight: Flight) -> AskSignExchange:
    """A session id stands for a session that we keep; with a ticket the client keeps it (RFC 5077 section 3.4).

    Without extended master secret there is neither: what can never resume is not issued (RFC 7627 section 5.3).
    """
    named = credentials_named(negotiated.config, negotiated.server_name)
    selected = select(negotiated, named)
    session_id = b""
    if (
        negotiated.extended_master_secret
        and not outcome.record.tickets_to_follow
        and negotiated.keeps_sessions
    ):
        session_id = flight.entropy(SESSION_ID_LENGTH)
    credential = selected.credential
    staple = None
    if credential.ocsp_response is not None:
        staple = staple_for(credential, negotiated.hello, flight.now)
    extensions = hello_extensions(negotiated, outcome, named)
    if staple is not None:
        extensions.append(STATUS_PROMISED)
    handshake, transcript = send_server_hello(
        negotiated, outcome, selected.suite, session_id, extensions, flight
    )
    sent = [flight.send_raw(written_once(credential.chain))]
    if staple is not None:
        sent.append(flight.send(CertificateStatus(staple)))
    exchange = generate(selected.group, flight.entropy)
    return AskSignExchange(credential, selected.scheme, handshake, transcript.plus(*sent), exchange)


def send_server_hello(
    negotiated: Negotiated,
    outcome: Outcome,
    suite: SuiteParameters,
    session_id: bytes,
    extensions: list[Extension],
    flight: Flight,
) -> tuple[ServerHandshake, Transcript]:
    hello = ServerHello(
        random=random_for_tls12(negotiated.config, flight.entropy(32)),
        session_id=session_id,
        cipher_suite=suite.suite,
        extensions=tuple(extensions),
    )
    hellos = Hellos(
        suite=suite,
        client_random=negotiated.hello.random,
        server_random=hello.random,
        extended_master_secret=negotiated.extended_master_secret,
        alpn_protocol=negotiated.alpn_protocol,
        server_name=negotiated.server_name,
    )
    transcript = Transcript(suite.hash_name, (negotiated.raw_hello, flight.send(hello)))
    if negotiated.record_sizes is not None:
        negotiated.record_sizes.keep(flight)
    return ServerHandshake(negotiated, outcome, hellos, session_id), transcript


def hello_extensions(
    negotiated: Negotiated, outcome: Outcome, named: tuple[Credential, ...] = ()
) -> list[Extension]:
    """Answers to what the client said, and nothing else.

    ``named``: the credentials for the client's server name; none in a resumption (RFC 6066 section 3).
    """
    extensions: list[Extension] = []
    if negotiated.secure_renegotiation:
        extensions.append(NO_RENEGOTIATION_INFO)
    if named:
        extensions.append(NAME_ACK)
    if negotiated.hello.find(EcPointFormats) is not None:
        extensions.append(ONLY_UNCOMPRESSED)
    if negotiated.extended_master_secret:
        extensions.append(EXTENDED_MASTER_SECRET)
    if outcome.record.tickets_to_follow:
        extensions.append(TICKET_PROMISED)
    if negotiated.alpn_protocol is not None:
        extensions.append(ApplicationProtocols((negotiated.alpn_protocol,)))
    if negotiated.record_sizes is not None:
        extensions.append(negotiated.record_sizes.answer)
    return extensions


# --- the rest of our flight ----------------------------------------------------------------------------------


@value
class AskSignExchange(AskSignature, Asking):
    """Our Certificate is sent, the signature of our share is to be made."""

    handshake: ServerHandshake
    transcript: Transcript
    exchange: KeyExchange

    def key_exchange(self, signature: bytes) -> ServerKeyExchange:
        return ServerKeyExchange(self.exchange.group, self.exchange.public, self.scheme, signature)

    def to_be_signed(self) -> bytes:
        return signed_exchange(self.handshake.hellos, self.key_exchange(b"").params)

    def on_provide_signature(
        self, command: ProvideSignature, flight: Flight
    ) -> WaitClientCertificate | WaitClientKeyExchange:
        handshake, config = self.handshake, self.handshake.negotiated.config
        sent = [flight.send(self.key_exchange(command.signature))]
        asks = config.client_authentication is not ClientAuthentication.NONE
        if asks:
            sent.append(flight.send(certificate_request(config)))
        sent.append(flight.send(ServerHelloDone()))
        transcript = self.transcript.plus(*sent)
        if asks:
            return WaitClientCertificate(handshake, transcript, self.exchange)
        return WaitClientKeyExchange(handshake, transcript, self.exchange, NoCertificate())


# --- the client's answer -------------------------------------------------------------------------------------


@value
class NoCertificate:
    """The client was not asked for a certificate, or has none."""


@value
class Shown:
    """The client's chain, whose key it has not yet proved to have."""

    chain: tuple[bytes, ...] = field(repr=False)
    public_key: PublicKey = field(repr=False)


@value
class WaitClientCertificate(State):
    """We asked for a certificate."""

    handshake: ServerHandshake
    transcript: Transcript
    exchange: KeyExchange

    def on_certificate(self, message: Certificate, flight: Flight) -> WaitClientKeyExchange:
        handshake, transcript = self.handshake, self.transcript.plus(flight.received)
        config = handshake.negotiated.config
        chain = chain_of(message, config)
        flight.learn(peer_certificates=chain)
        if chain:
            shown = Shown(chain, signing_key_of(chain[0], config.min_rsa_bits))
            return WaitClientKeyExchange(handshake, transcript, self.exchange, shown)
        if config.client_authentication is ClientAuthentication.REQUIRED:
            raise Fault(Reason.CERTIFICATE_REQUIRED)
        return WaitClientKeyExchange(handshake, transcript, self.exchange, NoCertificate())


@value
class WaitClientKeyExchange(State):
    """The client owes its share."""

    handshake: ServerHandshake
    transcript: Transcript
    exchange: KeyExchange
    certificate: Shown | NoCertificate

    def on_client_key_exchange(
        self, message: ClientKeyExchange, flight: Flight
    ) -> WaitCertificateVerify | WaitClientChangeCipherSpec:
        handshake, transcript = self.handshake, self.transcript.plus(flight.received)
        shared_secret = self.exchange.finish(message.public)
        keys = Keys.exchanged(handshake.hellos, shared_secret, transcript)
        if flight.logs_secrets:
            keys.log(flight)
        family = family_of(None, handshake.negotiated.config, flight)
        keyed = ServerKeyed(handshake, keys, self.exchange.group, (), family)
        if isinstance(self.certificate, Shown):
            return WaitCertificateVerify(keyed, transcript, self.certificate)
        return WaitClientChangeCipherSpec(keyed, transcript)


@value
class WaitCertificateVerify(State):
    """The client showed a certificate and owes the proof."""

    keyed: ServerKeyed
    transcript: Transcript
    shown: Shown

    def on_certificate_verify(self, message: CertificateVerify, flight: Flight) -> AskVerifyPeer:
        config, where = self.keyed.handshake.negotiated.config, "CertificateVerify"
        signed = b"".join(self.transcript.messages)
        check_signature(config, self.shown.public_key, message.scheme, signed, message.signature, where)
        keyed = evolve(self.keyed, peer_certificates=self.shown.chain)
        return AskVerifyPeer(keyed, self.transcript.plus(flight.received), self.shown.public_key)


@value
class AskVerifyPeer(Asking):
    """The client holds its key; does the application accept the certificate?"""

    QUESTION = VerifyPeer

    keyed: ServerKeyed
    transcript: Transcript
    public_key: PublicKey = field(repr=False)

    def question(self) -> VerifyPeer:
        anchors = self.keyed.handshake.negotiated.config.trust_anchors
        return VerifyPeer(self.keyed.peer_certificates, None, self.public_key, anchors)

    def default_answer(self, now: float) -> AcceptPeer:
        config = self.keyed.handshake.negotiated.config
        verify_chain_default(config, self.keyed.peer_certificates, None, now)
        return AcceptPeer()

    def on_accept_peer(self, command: AcceptPeer, flight: Flight) -> WaitClientChangeCipherSpec:
        return WaitClientChangeCipherSpec(self.keyed, self.transcript)

    def on_reject_peer(self, command: RejectPeer, flight: Flight) -> NoReturn:
        raise Fault(Reason.CERTIFICATE_REFUSED, alert=command.alert)
