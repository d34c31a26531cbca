"""The TLS 1.2 server's answer to a ClientHello, and what the client sends back (RFC 5246 section 7.3).

resumed   ServerHello, and on in ``server12_end``
full      ServerHello, Certificate, AskSignExchange12, ServerKeyExchange, CertificateRequest?, ServerHelloDone
          [WaitClientCertificate12]  WaitClientKeyExchange12  [WaitCertificateVerify12  AskVerifyPeer12]
"""

from __future__ import annotations

from typing import Final, NoReturn

from attrs import evolve, field

from sansticket.commands import AcceptPeer, ProvideSignature, RejectPeer
from sansticket.config import ClientAuthentication
from sansticket.crypto.groups import KeyExchange, generate
from sansticket.crypto.inspection import public_key_of
from sansticket.crypto.signatures import PublicKey
from sansticket.crypto.suites import SUITES, SuiteParameters
from sansticket.errors import Fault, Reason
from sansticket.events import Sign, VerifyPeer
from sansticket.handshake.authentication import verify_chain_default
from sansticket.handshake.authentication12 import (
    certificate_request12,
    chain_of12,
    check_signature,
    sign_default12,
    signed_exchange,
)
from sansticket.handshake.common12 import Asking12, Hellos12, Keys12, State12
from sansticket.handshake.machine import Flight
from sansticket.handshake.server12_end import (
    AskPrepareTicket12,
    Outcome12,
    ServerHandshake12,
    ServerKeyed12,
    WaitClientChangeCipherSpec12,
)
from sansticket.handshake.server12_hello import Negotiated12, Selected12, select12
from sansticket.handshake.versions import random_for_tls12
from sansticket.keys.transcript import Transcript
from sansticket.tickets.session import Session
from sansticket.values import value
from sansticket.wire.extensions import (
    ApplicationProtocols,
    EcPointFormats,
    ExtendedMasterSecret,
    Extension,
    RenegotiationInfo,
    ServerNameAck,
    SessionTicketExtension,
)
from sansticket.wire.messages import CertificateVerify, ServerHello
from sansticket.wire.messages12 import (
    Certificate12,
    ClientKeyExchange,
    ServerHelloDone,
    ServerKeyExchange,
)

SESSION_ID_LENGTH = 32

# What a ServerHello says in the same words every time.
NO_RENEGOTIATION_INFO: Final = RenegotiationInfo(b"")
NAME_ACK: Final = ServerNameAck()
ONLY_UNCOMPRESSED: Final = EcPointFormats(b"\0")
EXTENDED_MASTER_SECRET: Final = ExtendedMasterSecret()
TICKET_PROMISED: Final = SessionTicketExtension(b"")


# --- ServerHello ---------------------------------------------------------------------------------------------


def resume(
    negotiated: Negotiated12, outcome: Outcome12, session: Session, flight: Flight
) -> AskPrepareTicket12 | WaitClientChangeCipherSpec12:
    """The session goes on: the client sees it by its own session id (RFC 5246 section 7.3, RFC 5077 section 3.4)."""
    session_id = negotiated.hello.session_id
    handshake = send_server_hello(negotiated, outcome, SUITES[session.cipher_suite], session_id, flight)
    keys = Keys12.resumed(handshake.hellos, session)
    keys.log(flight)
    keyed = ServerKeyed12(handshake, keys, session.group, session.peer_certificates)
    return keyed.give_ticket(flight) if outcome.gives_ticket else keyed.finish_resumed(flight)


def do_full_handshake(negotiated: Negotiated12, outcome: Outcome12, flight: Flight) -> AskSignExchange12:
    """A session id stands for a session that we keep; with a ticket the client keeps it (RFC 5077 section 3.4)."""
    selected = select12(negotiated)
    keeps = negotiated.keeps_sessions and not outcome.gives_ticket
    session_id = flight.entropy(SESSION_ID_LENGTH) if keeps else b""
    handshake = send_server_hello(negotiated, outcome, selected.suite, session_id, flight)
    handshake = handshake.plus(flight.send(Certificate12(selected.credential.chain)))
    return AskSignExchange12(handshake, selected, generate(selected.group, flight.entropy))


def send_server_hello(
    negotiated: Negotiated12, outcome: Outcome12, suite: SuiteParameters, session_id: bytes, flight: Flight
) -> ServerHandshake12:
    hello = ServerHello(
        random=random_for_tls12(negotiated.config, flight.entropy(32)),
        session_id=session_id,
        cipher_suite=suite.suite,
        extensions=tuple(hello_extensions(negotiated, outcome)),
    )
    hellos = Hellos12(
        suite=suite,
        client_random=negotiated.hello.random,
        server_random=hello.random,
        extended_master_secret=negotiated.extended_master_secret,
        alpn_protocol=negotiated.alpn_protocol,
        server_name=negotiated.server_name,
    )
    transcript = Transcript(suite.hash_name, (negotiated.raw_hello, flight.send(hello)))
    return ServerHandshake12(negotiated, outcome, hellos, session_id, transcript)


def hello_extensions(negotiated: Negotiated12, outcome: Outcome12) -> list[Extension]:
    """Answers to what the client said, and nothing else."""
    extensions: list[Extension] = []
    if negotiated.secure_renegotiation:
        extensions.append(NO_RENEGOTIATION_INFO)
    name = (
        negotiated.server_name if outcome.session is None else None
    )  # not in a resumption: RFC 6066 section 3
    if name is not None and any(one.matches(name) for one in negotiated.config.credentials):
        extensions.append(NAME_ACK)
    if negotiated.hello.find(EcPointFormats) is not None:
        extensions.append(ONLY_UNCOMPRESSED)
    if negotiated.extended_master_secret:
        extensions.append(EXTENDED_MASTER_SECRET)
    if outcome.gives_ticket:
        extensions.append(TICKET_PROMISED)
    if negotiated.alpn_protocol is not None:
        extensions.append(ApplicationProtocols((negotiated.alpn_protocol,)))
    return extensions


# --- the rest of our flight ----------------------------------------------------------------------------------


@value
class AskSignExchange12(Asking12):
    """Our Certificate is sent, the signature of our share is to be made."""

    QUESTION = Sign

    handshake: ServerHandshake12
    selected: Selected12
    exchange: KeyExchange

    def question(self) -> Sign:
        return Sign(self.selected.scheme, self.to_be_signed(), self.selected.credential)

    def default_answer(self, now: float) -> ProvideSignature:
        selected = self.selected
        return ProvideSignature(sign_default12(selected.credential, selected.scheme, self.to_be_signed()))

    def key_exchange(self, signature: bytes) -> ServerKeyExchange:
        return ServerKeyExchange(self.exchange.group, self.exchange.public, self.selected.scheme, signature)

    def to_be_signed(self) -> bytes:
        return signed_exchange(self.handshake.hellos, self.key_exchange(b"").params)

    def on_provide_signature(
        self, command: ProvideSignature, flight: Flight
    ) -> WaitClientCertificate12 | WaitClientKeyExchange12:
        handshake = self.handshake.plus(flight.send(self.key_exchange(command.signature)))
        config = handshake.negotiated.config
        if config.client_authentication is ClientAuthentication.NONE:
            handshake = handshake.plus(flight.send(ServerHelloDone()))
            return WaitClientKeyExchange12(handshake, self.exchange, NoCertificate())
        handshake = handshake.plus(flight.send(certificate_request12(config)))
        return WaitClientCertificate12(handshake.plus(flight.send(ServerHelloDone())), self.exchange)


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
class WaitClientCertificate12(State12):
    """We asked for a certificate."""

    handshake: ServerHandshake12
    exchange: KeyExchange

    def on_certificate(self, message: Certificate12, flight: Flight) -> WaitClientKeyExchange12:
        handshake = self.handshake.plus(flight.received)
        config = handshake.negotiated.config
        chain = chain_of12(message, config)
        if chain:
            shown = Shown(chain, public_key_of(chain[0]))
            return WaitClientKeyExchange12(handshake, self.exchange, shown)
        if config.client_authentication is ClientAuthentication.REQUIRED:
            raise Fault(Reason.CERTIFICATE_REQUIRED)
        return WaitClientKeyExchange12(handshake, self.exchange, NoCertificate())


@value
class WaitClientKeyExchange12(State12):
    """The client owes its share."""

    handshake: ServerHandshake12
    exchange: KeyExchange
    certificate: Shown | NoCertificate

    def on_client_key_exchange(
        self, message: ClientKeyExchange, flight: Flight
    ) -> WaitCertificateVerify12 | WaitClientChangeCipherSpec12:
        handshake = self.handshake.plus(flight.received)
        shared_secret = self.exchange.finish(message.public)
        keys = Keys12.exchanged(handshake.hellos, shared_secret, handshake.transcript)
        keys.log(flight)
        keyed = ServerKeyed12(handshake, keys, self.exchange.group, ())
        if isinstance(self.certificate, Shown):
            return WaitCertificateVerify12(keyed, self.certificate)
        return WaitClientChangeCipherSpec12(keyed)


@value
class WaitCertificateVerify12(State12):
    """The client showed a certificate and owes the proof."""

    keyed: ServerKeyed12
    shown: Shown

    def on_certificate_verify(self, message: CertificateVerify, flight: Flight) -> AskVerifyPeer12:
        handshake, where = self.keyed.handshake, "CertificateVerify"
        signed = b"".join(handshake.transcript.messages)
        config = handshake.negotiated.config
        check_signature(config, self.shown.public_key, message.scheme, signed, message.signature, where)
        keyed = evolve(self.keyed.plus(flight.received), peer_certificates=self.shown.chain)
        return AskVerifyPeer12(keyed, self.shown.public_key)


@value
class AskVerifyPeer12(Asking12):
    """The client holds its key; does the application accept the certificate?"""

    QUESTION = VerifyPeer

    keyed: ServerKeyed12
    public_key: PublicKey = field(repr=False)

    def question(self) -> VerifyPeer:
        anchors = self.keyed.handshake.negotiated.config.trust_anchors
        return VerifyPeer(self.keyed.peer_certificates, None, self.public_key, anchors)

    def default_answer(self, now: float) -> AcceptPeer:
        anchors = self.keyed.handshake.negotiated.config.trust_anchors
        verify_chain_default(self.keyed.peer_certificates, anchors, None, now)
        return AcceptPeer()

    def on_accept_peer(self, command: AcceptPeer, flight: Flight) -> WaitClientChangeCipherSpec12:
        return WaitClientChangeCipherSpec12(self.keyed)

    def on_reject_peer(self, command: RejectPeer, flight: Flight) -> NoReturn:
        raise Fault(Reason.CERTIFICATE_REFUSED, alert=command.alert)
