"""The client when a ServerHello of TLS 1.2 has come (RFC 5246 section 7.4.1.3 and its companions).

It settles everything but the keys; if it echoes the session id of a session that was shown, those too.
"""

from __future__ import annotations

from typing import Final

from sansticket.codes import ExtensionType
from sansticket.crypto.suites import SUITES, SuiteParameters
from sansticket.errors import Fault, Reason
from sansticket.handshake.client.offer import ClientOffer
from sansticket.handshake.client.tls12.finished import (
    ClientHandshake,
    ClientKeyed,
    WaitNewSessionTicket,
    WaitServerChangeCipherSpec,
)
from sansticket.handshake.client.tls12.flight import WaitCertificate
from sansticket.handshake.common.names import selected_protocol
from sansticket.handshake.common.sizes import sizes_agreed
from sansticket.handshake.common.versions import check_downgrade
from sansticket.handshake.machine.flight import Flight
from sansticket.handshake.machine.version import TLS_1_2
from sansticket.handshake.tls12.keys import TLS12, Hellos, Keys
from sansticket.text import quoted
from sansticket.tickets.session import Session
from sansticket.wire.extensions.certificate import StatusRequestAck
from sansticket.wire.extensions.tls12 import (
    EcPointFormats,
    ExtendedMasterSecret,
    RenegotiationInfo,
    SessionTicketExtension,
)
from sansticket.wire.messages.hello import ServerHello

ONLY_IN_TLS13: Final = frozenset(
    {ExtensionType.SUPPORTED_VERSIONS, ExtensionType.KEY_SHARE, ExtensionType.PRE_SHARED_KEY}
)
"""What a ServerHello of TLS 1.2 cannot carry although the client offered it."""

AfterServerHello = WaitCertificate | WaitNewSessionTicket | WaitServerChangeCipherSpec


def take_server_hello(offer: ClientOffer, message: ServerHello, flight: Flight) -> AfterServerHello:
    """The version, the suite and the session are settled."""
    check_downgrade(offer.config, message)
    check_extensions(offer, message)
    suite = selected_suite(offer, message)
    bound = message.find(ExtendedMasterSecret) is not None
    if offer.config.require_extended_master_secret and not bound:
        raise Fault(Reason.MISSING_EXTENDED_MASTER_SECRET, "in the ServerHello")
    hellos = Hellos(
        suite=suite,
        client_random=offer.hello.random,
        server_random=message.random,
        extended_master_secret=bound,
        alpn_protocol=selected_protocol(offer.config, message),
        server_name=offer.server_name,
    )
    session = resumed_session(offer, message, hellos)
    sizes = sizes_agreed(offer.config, message, TLS_1_2)
    if sizes is not None:
        sizes.keep(flight)
    flight.learn(version=TLS12, alpn_protocol=hellos.alpn_protocol, session=session)
    handshake = ClientHandshake(
        offer=offer,
        hellos=hellos,
        session_id=message.session_id,
        ticket_promised=message.find(SessionTicketExtension) is not None,
        status_promised=offer.config.asks_for_staples and message.find(StatusRequestAck) is not None,
    )
    transcript = offer.transcript.with_hash(suite.hash_name, flight.received)
    if session is None:
        return WaitCertificate(handshake, transcript)
    keys = Keys.resumed(hellos, session)
    if flight.logs_secrets:
        keys.log(flight)
    return ClientKeyed(handshake, keys, session.peer_certificates, session.group, session).wait(transcript)


def check_extensions(offer: ClientOffer, message: ServerHello) -> None:
    """A server answers only what was offered; some of its answers are not free."""
    offered = offer.extension_types
    for extension in message.extensions:
        if extension.type not in offered:
            raise Fault(Reason.UNSOLICITED_EXTENSION, quoted(extension))
        if extension.type in ONLY_IN_TLS13:
            raise Fault(Reason.FORBIDDEN_EXTENSION, f"{quoted(extension)} in a TLS 1.2 ServerHello")
    renegotiation = message.find(RenegotiationInfo)
    if renegotiation is None:
        # RFC 5746 section 4.1: who goes on cannot know whether somebody else's handshake preceded this one.
        raise Fault(Reason.RENEGOTIATION_INFO_MISMATCH, "the server has no secure renegotiation")
    if renegotiation.renegotiated_connection:
        raise Fault(Reason.RENEGOTIATION_INFO_MISMATCH, "not empty in a first handshake")
    formats = message.find(EcPointFormats)
    if formats is not None and 0 not in formats.formats:
        raise Fault(Reason.ILLEGAL_VALUE, "ec_point_formats without uncompressed")


def selected_suite(offer: ClientOffer, message: ServerHello) -> SuiteParameters:
    if message.compression_method != 0:
        raise Fault(Reason.ILLEGAL_VALUE, f"compression method {message.compression_method}")
    if message.cipher_suite not in offer.config.suites_of(TLS12):
        raise Fault(Reason.UNOFFERED_CIPHER_SUITE, f"{message.cipher_suite:#06x}")
    return SUITES[message.cipher_suite]


def resumed_session(offer: ClientOffer, message: ServerHello, hellos: Hellos) -> Session | None:
    """The session that was shown, if the server echoes its id; it must be the same in every respect."""
    if not message.session_id or message.session_id != offer.hello.session_id:
        return None
    session = offer.session12
    if session is None:
        raise Fault(Reason.UNOFFERED_SESSION, "the server echoes a session id that stands for no session")
    if session.cipher_suite != message.cipher_suite:
        raise Fault(
            Reason.ILLEGAL_VALUE,
            f"a session of suite {session.cipher_suite:#06x} resumed with {message.cipher_suite:#06x}",
        )
    if not hellos.extended_master_secret:
        raise Fault(Reason.EXTENDED_MASTER_SECRET_CHANGED, "the session has it, the ServerHello does not")
    return session
