"""The established TLS 1.3 server: tickets, automatic and on request.

Tickets are made lazily, one after the other, and each may wait for the application (``AskPrepareTicket``,
``AskProtectTicket``).  ``Batch`` is what is left to do: how many tickets, and the data to send after them.
"""

from __future__ import annotations

from typing import Final

from attrs import evolve, field, frozen

from sansticket.commands import FlushTickets, IssueTicket, SealTicket, SendData, TicketProtected
from sansticket.config import ServerConfig, TicketFlush
from sansticket.errors import LocalProtocolError
from sansticket.events import PrepareTicket, ProtectTicket, TicketIssued
from sansticket.handshake.connected13 import Connected13
from sansticket.handshake.machine import Asking, Flight
from sansticket.keys.schedule13 import resumption_psk
from sansticket.tickets.session import Session
from sansticket.wire.codes import ProtocolVersion
from sansticket.wire.messages import NewSessionTicket

MAX_TICKET: Final = 65_535
"""Bytes: the length field of a ticket (RFC 9846 section 4.7.1)."""

NONCE_LENGTH: Final = 8
"""Bytes of a ticket_nonce: a counter, so that no two tickets of a connection share one."""


@frozen(kw_only=True)
class ServerConnected13(Connected13):
    """RFC 9846 appendix A.2, CONNECTED.

    ``app_data`` is what the next ticket carries unless the application says otherwise: what the last one
    carried, or the resumed session.  ``queued`` tickets are waiting for our next write.
    """

    config: ServerConfig
    resumption_secret: bytes = field(repr=False)
    takes_tickets: bool
    app_data: bytes = field(default=b"", repr=False)
    tickets_made: int = 0
    queued: int = 0

    def on_send_data(self, command: SendData, flight: Flight) -> AfterHandshake:
        return self.flush(bytes(command.data), flight)

    def on_flush_tickets(self, command: FlushTickets, flight: Flight) -> AfterHandshake:
        return self.flush(b"", flight)

    def on_issue_ticket(self, command: IssueTicket, flight: Flight) -> ServerConnected13:
        if not self.config.issues_tickets:
            raise LocalProtocolError(
                "IssueTicket, but the config has neither ticket_keys nor a session_cache nor answers"
            )
        if not self.takes_tickets:
            raise LocalProtocolError(
                "IssueTicket, but the client offered no PSK key exchange mode that we do"
            )
        return evolve(self, queued=self.queued + command.count)

    def flush(self, data: bytes, flight: Flight) -> AfterHandshake:
        """Make the queued tickets; then send ``data``."""
        return go_on(evolve(self, queued=0), Batch(self.queued, data), flight)

    def remaining_lifetime(self, now: float) -> int:
        """Seconds that a ticket made now can live.

        A renewed one keeps the lifetime of its session, and no renewal reaches beyond ``max_session_age`` since
        the last full handshake: 0 or less means that there can be no ticket.
        """
        resumed = self.established.resumed_session
        lifetime = resumed.lifetime if resumed is not None else self.config.ticket_lifetime
        age = max(0.0, now - self.established.authenticated_at)
        return min(lifetime, int(self.config.max_session_age - age))

    def session_for_ticket(self, lifetime: int, flight: Flight) -> Session:
        """The session that the next ticket stands for."""
        established = self.established
        nonce = self.tickets_made.to_bytes(NONCE_LENGTH)
        return Session(
            version=ProtocolVersion.TLS_1_3,
            cipher_suite=established.suite.suite,
            secret=resumption_psk(established.suite.hash_name, self.resumption_secret, nonce),
            lifetime=lifetime,
            issued_at=flight.now,
            authenticated_at=established.authenticated_at,
            session_id=flight.entropy(32) if self.config.stateful_tickets else b"",
            age_add=int.from_bytes(flight.entropy(4)),
            alpn=established.alpn_protocol,
            server_name=established.server_name,
            session_id_context=established.session_id_context,
            peer_certificates=established.peer_certificates,
            app_data=self.app_data,
            group=established.group,
        )


@frozen
class Batch:
    """What remains to be done before the connection is at rest again."""

    tickets: int
    data: bytes = field(repr=False)

    def one_less(self) -> Batch:
        return Batch(self.tickets - 1, self.data)


def after_handshake(connected: ServerConnected13, tickets: int, flight: Flight) -> AfterHandshake:
    """The automatic tickets: now, or with our first write."""
    if connected.config.ticket_flush is TicketFlush.WRITE:
        return evolve(connected, queued=connected.queued + tickets)
    return go_on(connected, Batch(tickets, b""), flight)


def go_on(connected: ServerConnected13, batch: Batch, flight: Flight) -> AfterHandshake:
    """The next ticket of the batch; when there is none, its data."""
    if batch.tickets:
        lifetime = connected.remaining_lifetime(flight.now)
        if lifetime > 0:
            return AskPrepareTicket(connected, batch, connected.session_for_ticket(lifetime, flight))
    if batch.data:
        flight.send_application_data(batch.data)
    return connected


@frozen
class AskPrepareTicket(Asking):
    """A ticket is about to be made: what data does the application put in?"""

    QUESTION = PrepareTicket

    connected: ServerConnected13
    batch: Batch
    session: Session

    def question(self) -> PrepareTicket:
        return PrepareTicket(self.session, self.connected.tickets_made)

    def default_answer(self, now: float) -> SealTicket:
        return SealTicket()

    def on_seal_ticket(self, command: SealTicket, flight: Flight) -> AfterHandshake | AskProtectTicket:
        connected, session = self.connected, self.session
        if command.app_data is not None and command.app_data != session.app_data:
            connected = evolve(connected, app_data=command.app_data)
            session = evolve(session, app_data=command.app_data)
        if session.session_id:
            return self.send(connected, session, session.session_id, flight)
        plaintext = session.to_bytes()
        if len(plaintext) > MAX_TICKET:
            raise too_large(session, len(plaintext))
        keys = connected.config.ticket_keys
        if keys is None:
            return AskProtectTicket(connected, self.batch, session, plaintext)
        ticket = keys.seal(plaintext, flight.now, flight.entropy)
        if len(ticket) > MAX_TICKET:
            raise too_large(session, len(ticket))
        return self.send(connected, session, ticket, flight)

    def send(
        self, connected: ServerConnected13, session: Session, ticket: bytes, flight: Flight
    ) -> AfterHandshake:
        return go_on(send_ticket(connected, session, ticket, flight), self.batch.one_less(), flight)


@frozen
class AskProtectTicket(Asking):
    """A ticket's plaintext is to be encrypted by keys that are elsewhere."""

    QUESTION = ProtectTicket

    connected: ServerConnected13
    batch: Batch
    session: Session
    plaintext: bytes = field(repr=False)

    def question(self) -> ProtectTicket:
        return ProtectTicket(self.plaintext)

    def default_answer(self, now: float) -> TicketProtected:
        return TicketProtected(None)

    def on_ticket_protected(self, command: TicketProtected, flight: Flight) -> AfterHandshake:
        connected = self.connected
        if command.ticket is not None:
            if not 0 < len(command.ticket) <= MAX_TICKET:
                raise LocalProtocolError(
                    f"TicketProtected has a ticket of {len(command.ticket)} bytes; expected 1 to {MAX_TICKET}, or None"
                )
            connected = send_ticket(connected, self.session, command.ticket, flight)
        return go_on(connected, self.batch.one_less(), flight)


AfterHandshake = ServerConnected13 | AskPrepareTicket
"""Where a server is once the handshake is done: at rest, or about to make a ticket."""


def send_ticket(
    connected: ServerConnected13, session: Session, ticket: bytes, flight: Flight
) -> ServerConnected13:
    """One NewSessionTicket (RFC 9846 section 4.7.1)."""
    ordinal = connected.tickets_made
    nonce = ordinal.to_bytes(NONCE_LENGTH)
    flight.send(NewSessionTicket(session.lifetime, session.age_add, nonce, ticket))
    if session.session_id and connected.config.session_cache is not None:
        connected.config.session_cache.add(session, flight.now)
    flight.emit(TicketIssued(session, ordinal))
    return evolve(connected, tickets_made=ordinal + 1)


def too_large(session: Session, size: int) -> LocalProtocolError:
    return LocalProtocolError(
        f"SealTicket with {len(session.app_data)} bytes of app_data makes a ticket of {size} bytes; "
        f"expected at most {MAX_TICKET}"
    )
