"""Where a client begins that sends early data: whether it may, and its first flight (RFC 9846 section 4.3.10).

Transitions (``python -m tools.transitions --write``):

    WaitServerHelloWithEarlyData  HelloRetryRequest  tls13.WaitServerHelloAfterRetry
                                  SendEarlyData      WaitServerHelloWithEarlyData
                                  ServerHello        tls13.WaitEncryptedExtensionsWithEarlyData,
                                                     tls13.WaitEncryptedExtensions
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve

from sansticket.config.client import ClientConfig
from sansticket.crypto.suites import SUITES
from sansticket.errors import Fault, Reason
from sansticket.handshake.client.offer import ClientOffer
from sansticket.handshake.client.tls13.early_data import (
    SendsEarlyData,
    WaitEncryptedExtensionsWithEarlyData,
    refused,
)
from sansticket.handshake.client.tls13.flight import WaitEncryptedExtensions
from sansticket.handshake.client.tls13.hello import WaitServerHelloAfterRetry, take_server_hello
from sansticket.handshake.client.wait import WaitServerHello
from sansticket.handshake.machine.flight import Flight, StopProtectingWrites
from sansticket.handshake.machine.version import TLS_1_3
from sansticket.keys.tls13 import Exporter, traffic_keys
from sansticket.tickets.early_data import (
    OFFERED,
    EarlyDataOutcome,
    EarlyDataReason,
    EarlyDataStatus,
    rejected,
)
from sansticket.tickets.session import Session
from sansticket.values import value
from sansticket.wire.extensions.negotiation import SelectedVersion
from sansticket.wire.extensions.resumption import EarlyData, PreSharedKeySelection
from sansticket.wire.messages.alert import Alert
from sansticket.wire.messages.hello import HelloRetryRequest, ServerHello


def why_not(
    config: ClientConfig, server_name: str | None, sessions: Sequence[Session], suites: Sequence[int]
) -> EarlyDataReason | None:
    """What keeps a client from offering early data with the first of the sessions that it offers; None if nothing does.

    A server accepts it only if suite, application protocol and name are those of the session (RFC 9846 section
    4.3.10): what cannot be so is not tried.  That the session has not expired was seen before.
    """
    if not sessions:
        return EarlyDataReason.NO_SESSION
    first = sessions[0]
    if not first.max_early_data:
        return EarlyDataReason.TICKET_FORBIDS
    if first.cipher_suite not in suites:
        return EarlyDataReason.SUITE_MISMATCH
    offered = config.alpn_protocols
    if first.alpn not in offered if first.alpn is not None else offered:
        return EarlyDataReason.ALPN_MISMATCH
    if first.server_name != server_name:
        return EarlyDataReason.NAME_MISMATCH
    return None


def begin_early_data(offer: ClientOffer, flight: Flight) -> WaitServerHello | WaitServerHelloWithEarlyData:
    """The first flight of a client that wants to send early data: with it if that may be."""
    hello = offer.hello
    reason = why_not(offer.config, offer.server_name, offer.sessions, hello.cipher_suites)
    if reason is not None:
        outcome = EarlyDataOutcome(EarlyDataStatus.NOT_OFFERED, reason)
        flight.note_early_data(outcome)
        return WaitServerHello(evolve(offer, early_data=outcome).sent(flight))
    session = offer.sessions[0]
    others = tuple(suite for suite in hello.cipher_suites if suite != session.cipher_suite)
    hello = evolve(
        hello,
        cipher_suites=(session.cipher_suite, *others),  # servers that follow our order take the session's
        extensions=(*hello.extensions, EarlyData()),
    )
    offer = evolve(offer, hello=hello, early_data=OFFERED).sent(flight)
    if hello.session_id:
        flight.send_change_cipher_spec()
    exporter = protect(offer, session, flight)
    return WaitServerHelloWithEarlyData(session.max_early_data, 0, exporter, offer)


def protect(offer: ClientOffer, session: Session, flight: Flight) -> Exporter:
    """The keys of early data, and the exporter that belongs to them (RFC 9846 section 7.1)."""
    suite = SUITES[session.cipher_suite]
    early = offer.early_secrets[0]
    hello_hash = offer.transcript.with_hash(suite.hash_name).digest()
    traffic, secret = early.client_early_traffic(hello_hash), early.early_exporter(hello_hash)
    flight.protect_writes(TLS_1_3, suite, traffic_keys(suite, traffic))
    if flight.logs_secrets:
        secrets = {"CLIENT_EARLY_TRAFFIC_SECRET": traffic, "EARLY_EXPORTER_SECRET": secret}
        flight.log_secrets(offer.hello.random, secrets)
    exporter = Exporter(suite.hash_name, secret)
    flight.note_early_data(OFFERED, exporter)
    return exporter


@value
class WaitServerHelloWithEarlyData(SendsEarlyData):
    """Early data is on its way.  RFC 9846 appendix A.1, WAIT_SH; no version but TLS 1.3 can follow (appendix E.3).

    Whoever does not take it drops what is under its keys: an alert to such a server goes without, and is heard.
    """

    offer: ClientOffer

    def tolerates(self, alert: Alert) -> bool:
        """As without early data: who goes on with TLS 1.2 is refused for that, and not for a warning before."""
        return WaitServerHello(self.offer).tolerates(alert)

    def on_server_hello(
        self, message: ServerHello, flight: Flight
    ) -> WaitEncryptedExtensionsWithEarlyData | WaitEncryptedExtensions:
        selected = message.find(PreSharedKeySelection)
        older = message.find(SelectedVersion) is None
        if older or selected is None or selected.index != 0:
            flight.before_alert = StopProtectingWrites()
        if older:
            raise Fault(
                Reason.OLDER_VERSION_AFTER_EARLY_DATA,
                f"{message.legacy_version:#06x}; a connection without early data may succeed",
            )
        offer = self.offer
        waiting = take_server_hello(offer, message, flight, early_data=True)
        handshake, transcript = waiting.handshake, waiting.transcript
        if handshake.session is offer.sessions[0]:
            return WaitEncryptedExtensionsWithEarlyData(
                self.left, self.sent, self.exporter, handshake, transcript
            )
        another = handshake.session is not None or handshake.psk is not None
        reason = EarlyDataReason.NOT_FIRST if another else EarlyDataReason.NOT_RESUMED
        return WaitEncryptedExtensions(refused(handshake, self.sent, reason, flight), transcript)

    def on_hello_retry_request(self, message: HelloRetryRequest, flight: Flight) -> WaitServerHelloAfterRetry:
        """All that was sent is lost; the second hello is as if none had been."""
        outcome = rejected(EarlyDataReason.HELLO_RETRY)
        flight.before_alert = StopProtectingWrites()
        flight.stop_protecting_writes()
        self.tell(outcome, flight)
        return WaitServerHello(self.offer.with_early_data(outcome)).on_hello_retry_request(message, flight)
