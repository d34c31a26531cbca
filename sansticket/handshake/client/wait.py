"""Where a client is after its first ClientHello: the ServerHello says which version it is.

Transitions (``python -m tools.transitions --write``):

    WaitServerHello  HelloRequest       WaitServerHello
                     HelloRetryRequest  tls13.WaitServerHelloAfterRetry
                     ServerHello        tls13.WaitEncryptedExtensions, tls12.WaitCertificate,
                                        tls12.WaitNewSessionTicket, tls12.WaitServerChangeCipherSpec
"""

from __future__ import annotations

from typing import Self

from sansticket.codes import AlertDescription, ExtensionType, ProtocolVersion
from sansticket.errors import Fault, Reason
from sansticket.handshake.client.offer import ClientOffer, room_in
from sansticket.handshake.client.tls12.hello import (
    AfterServerHello,
)
from sansticket.handshake.client.tls12.hello import (
    take_server_hello as take_server_hello12,
)
from sansticket.handshake.client.tls13.flight import WaitEncryptedExtensions
from sansticket.handshake.client.tls13.hello import (
    WaitServerHelloAfterRetry,
    check_answer,
    check_offered,
    take_server_hello,
    with_share_of,
)
from sansticket.handshake.machine.flight import Flight
from sansticket.handshake.machine.state import State
from sansticket.handshake.machine.version import is_warning
from sansticket.tickets.early_data import EarlyDataStatus
from sansticket.values import value
from sansticket.wire.extensions.key_exchange import (
    KeyShareRetry,
)
from sansticket.wire.extensions.negotiation import Cookie, SelectedVersion
from sansticket.wire.messages.alert import Alert
from sansticket.wire.messages.hello import HelloRequest, HelloRetryRequest, ServerHello


@value
class WaitServerHello(State):
    """RFC 9846 appendix A.1, WAIT_SH."""

    offer: ClientOffer

    def tolerates(self, alert: Alert) -> bool:
        """As long as it may be either version, one warning has its place.

        A server does not know the name, and goes on all the same (RFC 6066 section 3).
        """
        versions = self.offer.config.usable_versions
        if ProtocolVersion.TLS_1_2 in versions and is_warning(alert):
            unknown_name = alert.description == AlertDescription.UNRECOGNIZED_NAME
            if unknown_name or ProtocolVersion.TLS_1_3 not in versions:
                return True
        return super().tolerates(alert)

    def on_hello_request(self, message: HelloRequest, flight: Flight) -> Self:
        """A server of TLS 1.2 asks for what is under way already (RFC 5246 section 7.4.1.1)."""
        if ProtocolVersion.TLS_1_2 not in self.offer.config.usable_versions:
            raise Fault(Reason.UNEXPECTED_MESSAGE, "a HelloRequest, which TLS 1.3 does not have")
        return self

    def on_server_hello(
        self, message: ServerHello, flight: Flight
    ) -> WaitEncryptedExtensions | AfterServerHello:
        if message.find(SelectedVersion) is None:
            return take_server_hello12(self.offer, message, flight)
        return take_server_hello(self.offer, message, flight)

    def on_hello_retry_request(self, message: HelloRetryRequest, flight: Flight) -> WaitServerHelloAfterRetry:
        flight.expect_end_of_record()
        offer = self.offer
        suite = check_answer(offer, message)
        check_offered(message.extensions, offer, also=ExtensionType.COOKIE)
        cookie, retry_share = message.find(Cookie), message.find(KeyShareRetry)
        if cookie is None and retry_share is None:
            raise Fault(Reason.USELESS_RETRY, "neither key_share nor cookie")
        if retry_share is not None:
            offer = with_share_of(offer, retry_share.group, flight)
        if cookie is not None:
            offer = offer.with_extension(cookie)
        if room_in(offer.hello.extensions) < 0:
            raise Fault(Reason.ILLEGAL_VALUE, "a cookie so long that no ClientHello has room for it")
        transcript = offer.transcript.with_hash(suite.hash_name).after_retry().plus(flight.received)
        if offer.hello.session_id and offer.early_data.status is EarlyDataStatus.NOT_OFFERED:
            flight.send_change_cipher_spec()  # before early data there was one already
        offer = offer.after_retry(transcript, suite.hash_name)
        group = retry_share.group if retry_share is not None else None
        return WaitServerHelloAfterRetry(offer.sent(flight), suite, group)
