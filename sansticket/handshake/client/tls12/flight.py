"""The client's side of a full TLS 1.2 handshake after the ServerHello (RFC 5246 section 7.3, RFC 8422 section 2).

WaitCertificate, [WaitCertificateStatus], WaitServerKeyExchange, AskVerifyPeer
WaitRequestOrDone, WaitServerHelloDone
  AskSign                                                     (only if we have a certificate to show)
and on in ``finished``.

Transitions (``python -m tools.transitions --write``):

    WaitCertificate        Certificate         WaitCertificateStatus, WaitServerKeyExchange
                           HelloRequest        WaitCertificate
    WaitCertificateStatus  CertificateStatus   WaitServerKeyExchange
                           HelloRequest        WaitCertificateStatus
                           ServerKeyExchange   AskVerifyPeer
    WaitServerKeyExchange  HelloRequest        WaitServerKeyExchange
                           ServerKeyExchange   AskVerifyPeer
    AskVerifyPeer          AcceptPeer          WaitRequestOrDone
                           RejectPeer          the end
    WaitRequestOrDone      CertificateRequest  WaitServerHelloDone
                           HelloRequest        WaitRequestOrDone
                           ServerHelloDone     WaitNewSessionTicket, WaitServerChangeCipherSpec
    WaitServerHelloDone    HelloRequest        WaitServerHelloDone
                           ServerHelloDone     AskSign, WaitNewSessionTicket, WaitServerChangeCipherSpec
    AskSign                ProvideSignature    WaitNewSessionTicket, WaitServerChangeCipherSpec
"""

from __future__ import annotations

from typing import NoReturn

from attrs import field

from sansticket.commands import AcceptPeer, ProvideSignature, RejectPeer
from sansticket.crypto.groups import respond
from sansticket.crypto.inspection import signing_key_of
from sansticket.crypto.signatures import PublicKey
from sansticket.errors import Fault, Reason
from sansticket.events import VerifyPeer
from sansticket.handshake.client.staples import check_stapled
from sansticket.handshake.client.tls12.finished import (
    ClientHandshake,
    ClientKeyed,
    ClientState,
    WaitNewSessionTicket,
    WaitServerChangeCipherSpec,
)
from sansticket.handshake.common.certificates import (
    ShowCertificate,
    ShowNothing,
    verify_chain_default,
)
from sansticket.handshake.common.signing import AskSignature
from sansticket.handshake.machine.flight import Flight
from sansticket.handshake.tls12.certificates import (
    answer_request,
    chain_of,
    check_curve,
    check_exchange,
    check_kind,
    written_once,
)
from sansticket.handshake.tls12.keys import Keys
from sansticket.handshake.tls12.states import Asking
from sansticket.keys.transcript import Transcript
from sansticket.values import value
from sansticket.wire.messages.tls12 import (
    Certificate,
    CertificateRequest,
    CertificateStatus,
    ClientKeyExchange,
    ServerHelloDone,
    ServerKeyExchange,
)
from sansticket.wire.messages.tls13 import CertificateVerify

Answer = ShowCertificate | ShowNothing
"""What we show when the server asks for our certificate."""


@value
class ServerProof:
    """The server's chain, the share that it signed, and what it stapled."""

    chain: tuple[bytes, ...] = field(repr=False)
    group: int
    share: bytes
    staple: bytes | None = field(repr=False)


@value
class WaitCertificate(ClientState):
    """The server takes no session of ours, and owes its certificate."""

    handshake: ClientHandshake
    transcript: Transcript

    def on_certificate(
        self, message: Certificate, flight: Flight
    ) -> WaitCertificateStatus | WaitServerKeyExchange:
        handshake = self.handshake
        chain = chain_of(message, handshake.offer.config)
        if not chain:
            raise Fault(Reason.NO_SERVER_CERTIFICATE)
        flight.learn(peer_certificates=chain)
        config = handshake.offer.config
        public_key = signing_key_of(chain[0], config.min_rsa_bits)
        check_kind(public_key, handshake.hellos.suite)
        check_curve(public_key, config)
        transcript = self.transcript.plus(flight.received)
        if handshake.status_promised:
            return WaitCertificateStatus(handshake, transcript, chain, public_key)
        if config.asks_for_staples:
            check_stapled(config, chain, None)
        return WaitServerKeyExchange(handshake, transcript, chain, public_key, None)


@value
class WaitCertificateStatus(ClientState):
    """The server said that it would staple an OCSP response, and may do without all the same (RFC 6066 section 8)."""

    handshake: ClientHandshake
    transcript: Transcript
    chain: tuple[bytes, ...] = field(repr=False)
    public_key: PublicKey = field(repr=False)

    def on_certificate_status(self, message: CertificateStatus, flight: Flight) -> WaitServerKeyExchange:
        transcript = self.transcript.plus(flight.received)
        return WaitServerKeyExchange(
            self.handshake, transcript, self.chain, self.public_key, message.response
        )

    def on_server_key_exchange(self, message: ServerKeyExchange, flight: Flight) -> AskVerifyPeer:
        check_stapled(self.handshake.offer.config, self.chain, None)
        state = WaitServerKeyExchange(self.handshake, self.transcript, self.chain, self.public_key, None)
        return state.on_server_key_exchange(message, flight)


@value
class WaitServerKeyExchange(ClientState):
    """The server owes its share of the key exchange, signed."""

    handshake: ClientHandshake
    transcript: Transcript
    chain: tuple[bytes, ...] = field(repr=False)
    public_key: PublicKey = field(repr=False)
    staple: bytes | None = field(repr=False)

    def on_server_key_exchange(self, message: ServerKeyExchange, flight: Flight) -> AskVerifyPeer:
        handshake = self.handshake
        check_exchange(handshake.offer.config, handshake.hellos, self.public_key, message)
        proof = ServerProof(self.chain, message.group, message.public, self.staple)
        return AskVerifyPeer(handshake, self.transcript.plus(flight.received), proof, self.public_key)


@value
class AskVerifyPeer(Asking):
    """The server holds its key; is it the server that it should be?"""

    QUESTION = VerifyPeer

    handshake: ClientHandshake
    transcript: Transcript
    proof: ServerProof
    public_key: PublicKey = field(repr=False)

    def question(self) -> VerifyPeer:
        offer, proof = self.handshake.offer, self.proof
        anchors = offer.config.trust_anchors
        return VerifyPeer(proof.chain, offer.server_name, self.public_key, anchors, proof.staple)

    def default_answer(self, now: float) -> AcceptPeer:
        offer = self.handshake.offer
        if offer.config.verify_peer:
            proof = self.proof
            verify_chain_default(offer.config, proof.chain, offer.server_name, now, proof.staple)
        return AcceptPeer()

    def on_accept_peer(self, command: AcceptPeer, flight: Flight) -> WaitRequestOrDone:
        return WaitRequestOrDone(self.handshake, self.transcript, self.proof)

    def on_reject_peer(self, command: RejectPeer, flight: Flight) -> NoReturn:
        raise Fault(Reason.CERTIFICATE_REFUSED, alert=command.alert)


@value
class WaitRequestOrDone(ClientState):
    """The server may ask for our certificate."""

    handshake: ClientHandshake
    transcript: Transcript
    proof: ServerProof

    def on_certificate_request(self, message: CertificateRequest, flight: Flight) -> WaitServerHelloDone:
        answer = answer_request(message, self.handshake.offer.config)
        answer.tell(flight)
        transcript = self.transcript.plus(flight.received)
        return WaitServerHelloDone(self.handshake, transcript, self.proof, answer)

    def on_server_hello_done(
        self, message: ServerHelloDone, flight: Flight
    ) -> WaitNewSessionTicket | WaitServerChangeCipherSpec:
        transcript = self.transcript.plus(flight.received)
        keyed, transcript = exchange_keys(self.handshake, transcript, self.proof, flight)
        return keyed.finish(transcript, flight)


@value
class WaitServerHelloDone(ClientState):
    """The server asked for our certificate, and has nothing else to say."""

    handshake: ClientHandshake
    transcript: Transcript
    proof: ServerProof
    answer: Answer

    def on_server_hello_done(
        self, message: ServerHelloDone, flight: Flight
    ) -> AskSign | WaitNewSessionTicket | WaitServerChangeCipherSpec:
        answer = self.answer
        chain = answer.credential.chain if isinstance(answer, ShowCertificate) else ()
        transcript = self.transcript.plus(flight.received, flight.send_raw(written_once(chain)))
        keyed, transcript = exchange_keys(self.handshake, transcript, self.proof, flight)
        if not isinstance(answer, ShowCertificate):
            return keyed.finish(transcript, flight)
        return AskSign(answer.credential, answer.scheme, keyed, transcript)


def exchange_keys(
    handshake: ClientHandshake, transcript: Transcript, proof: ServerProof, flight: Flight
) -> tuple[ClientKeyed, Transcript]:
    """Our share, and the keys that follow from both (RFC 8422 sections 5.7 and 5.10)."""
    share, shared_secret = respond(proof.group, proof.share, flight.entropy)
    transcript = transcript.plus(flight.send(ClientKeyExchange(share)))
    keys = Keys.exchanged(handshake.hellos, shared_secret, transcript)
    if flight.logs_secrets:
        keys.log(flight)
    return ClientKeyed(handshake, keys, proof.chain, proof.group, None, proof.staple), transcript


@value
class AskSign(AskSignature, Asking):
    """Our Certificate is sent, its CertificateVerify is to be made."""

    keyed: ClientKeyed
    transcript: Transcript

    def to_be_signed(self) -> bytes:
        """All messages so far (RFC 5246 section 7.4.8)."""
        return b"".join(self.transcript.messages)

    def on_provide_signature(
        self, command: ProvideSignature, flight: Flight
    ) -> WaitNewSessionTicket | WaitServerChangeCipherSpec:
        raw = flight.send(CertificateVerify(self.scheme, command.signature))
        return self.keyed.finish(self.transcript.plus(raw), flight)
