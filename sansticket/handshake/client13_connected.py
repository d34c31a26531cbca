"""The established TLS 1.3 client: tickets come in."""

from __future__ import annotations

from attrs import field, frozen

from sansticket.commands import SendData
from sansticket.config import MAX_LIFETIME, ClientConfig
from sansticket.events import TicketReceived
from sansticket.handshake.connected13 import Connected13
from sansticket.handshake.machine import Flight
from sansticket.keys.schedule13 import resumption_psk
from sansticket.tickets.session import Session
from sansticket.wire.codes import ProtocolVersion
from sansticket.wire.extensions import EarlyDataLimit
from sansticket.wire.messages import NewSessionTicket


@frozen(kw_only=True)
class ClientConnected13(Connected13):
    """RFC 9846 appendix A.1, CONNECTED."""

    config: ClientConfig
    resumption_secret: bytes = field(repr=False)

    def on_send_data(self, command: SendData, flight: Flight) -> ClientConnected13:
        flight.send_application_data(bytes(command.data))
        return self

    def on_new_session_ticket(self, message: NewSessionTicket, flight: Flight) -> ClientConnected13:
        """A ticket, for one later connection (RFC 9846 section 4.7.1).  A lifetime of 0 says to forget it at once."""
        if message.lifetime > 0:
            flight.emit(TicketReceived(self.session_of(message, flight.now)))
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
        )
