"""The established TLS 1.3 server: tickets, automatic and on request, and post-handshake authentication.

Tickets are made lazily, one after the other, and each may wait for the application (``AskPrepareTicket``,
``AskProtectTicket``).  ``Batch`` is what is left to do: how many tickets, and the data to send after them.

Transitions (``python -m tools.transitions --write``):

    ServerConnected   Certificate,
                      CompressedCertificate,
                      IssueTicket,
                      KeyUpdate,
                      RequestClientCertificate,
                      UpdateKeys                 ServerConnected
                      CertificateVerify          AskVerifyAgain
                      Finished,
                      FlushTickets,
                      SendData                   ServerConnected, AskPrepareTicket, AskProtectTicket
    AskPrepareTicket  SealTicket                 ServerConnected, AskPrepareTicket, AskProtectTicket
    AskProtectTicket  TicketProtected            ServerConnected, AskPrepareTicket, AskProtectTicket
    AskVerifyAgain    AcceptPeer                 ServerConnected
                      RejectPeer                 the end
"""

from __future__ import annotations

from typing import Final, NoReturn, Self

from attrs import evolve, field

from sansticket.codes import ProtocolVersion
from sansticket.commands import (
    AcceptPeer,
    FlushTickets,
    IssueTicket,
    RejectPeer,
    RequestClientCertificate,
    SealTicket,
    SendData,
    TicketProtected,
)
from sansticket.config.choices import ClientAuthentication, TicketFlush
from sansticket.config.defaults import MAX_NUM_TICKETS
from sansticket.config.server import ServerConfig
from sansticket.config.tickets import NoTickets, StoredTickets
from sansticket.crypto.inspection import signing_key_of
from sansticket.errors import Fault, LocalProtocolError, Reason
from sansticket.events import (
    PeerAuthenticated,
    PrepareTicket,
    ProtectTicket,
    TicketIssued,
    VerifyPeer,
)
from sansticket.handshake.common.certificates import verify_chain_default
from sansticket.handshake.machine.flight import Flight
from sansticket.handshake.machine.state import Asking
from sansticket.handshake.server.tickets import (
    AS_IT_IS,
    MAX_TICKET,
    NotMade,
    Sealed,
    ToBeProtected,
    accepted,
    prepare,
    too_old,
)
from sansticket.handshake.server.tls13.negotiation import TicketNumbers
from sansticket.handshake.server.tls13.responses import (
    CertificateProved,
    CertificateRequested,
    CertificateShown,
    NoResponse,
    Response,
)
from sansticket.handshake.tls13.certificates import (
    certificate_request,
    chain_of,
    check_certificate_verify,
    undone,
)
from sansticket.handshake.tls13.connected import Connected
from sansticket.handshake.tls13.finished import check_finished
from sansticket.keys.tls13 import resumption_psk
from sansticket.keys.transcript import Transcript
from sansticket.tickets.session import Session
from sansticket.values import changed, value
from sansticket.wire.extensions.resumption import EarlyDataLimit
from sansticket.wire.messages.tls13 import (
    Certificate,
    CertificateVerify,
    CompressedCertificate,
    Finished,
    KeyUpdate,
    NewSessionTicket,
)

LARGEST_TICKET_MESSAGE: Final = MAX_TICKET[ProtocolVersion.TLS_1_3] + 64
"""Bytes of a NewSessionTicket: besides the ticket there are a lifetime, a nonce and a few lengths."""

NONCE_LENGTH: Final = 8
"""Bytes of a ticket_nonce: a counter, so that no two tickets of a connection share one."""


MAX_REQUESTS: Final = 8
"""Certificate requests that may be unanswered at a time: each holds a transcript."""

CONTEXT_LENGTH: Final = 16
"""Bytes of a certificate_request_context: unique and not to be foreseen (RFC 9846 section 4.4.2)."""


def can_verify_clients(config: ServerConfig) -> bool:
    """Whether the certificate of a client could be judged: without that none is asked for after the handshake."""
    return config.trust_anchors is not None or VerifyPeer in config.answers


@value(kw_only=True)
class ServerConnected(Connected):
    """RFC 9846 appendix A.2, CONNECTED.

    ``app_data`` is what the next ticket carries unless the application says otherwise: what the last one
    carried, or the resumed session.  ``queued`` tickets are waiting for our next write.
    """

    config: ServerConfig
    resumption_secret: bytes = field(repr=False)
    ticket_numbers: TicketNumbers
    transcript: Transcript | None
    """Up to the client's Finished, for post-handshake authentication; None where there can be none."""
    requests: tuple[CertificateRequested, ...] = ()
    response: Response = NoResponse()
    app_data: bytes = field(default=b"", repr=False)
    tickets_made: int = 0
    queued: int = 0

    @property
    def takes_data(self) -> bool:
        """Not in the middle of an answer, which comes in one piece (RFC 9846 section 4.7.2)."""
        return type(self.response) is NoResponse

    @property
    def sends_at_once(self) -> bool:
        return not self.queued

    @property
    def bytes_queued(self) -> int:
        return self.queued * LARGEST_TICKET_MESSAGE

    def without_writing_secrets(self) -> Self:
        return changed(self, writing_secret=b"", resumption_secret=b"")

    def with_tickets(self, made: int) -> ServerConnected:
        """As many were made by now."""
        # Spelled out: once in nearly every handshake, and ``evolve`` takes five times as long.
        return ServerConnected(
            established=self.established,
            reading_secret=self.reading_secret,
            writing_secret=self.writing_secret,
            key_updates=self.key_updates,
            asked_for_update=self.asked_for_update,
            config=self.config,
            resumption_secret=self.resumption_secret,
            ticket_numbers=self.ticket_numbers,
            transcript=self.transcript,
            requests=self.requests,
            response=self.response,
            app_data=self.app_data,
            tickets_made=made,
            queued=self.queued,
        )

    def on_send_data(self, command: SendData, flight: Flight) -> AfterHandshake:
        return self.flush(bytes(command.data), flight)

    def on_flush_tickets(self, command: FlushTickets, flight: Flight) -> AfterHandshake:
        return self.flush(b"", flight)

    def on_issue_ticket(self, command: IssueTicket, flight: Flight) -> ServerConnected:
        if isinstance(self.config.tickets, NoTickets):
            raise LocalProtocolError(
                "IssueTicket, but the config has neither ticket_keys nor a session_cache nor answers"
            )
        if not self.ticket_numbers.client_takes_tickets:
            raise LocalProtocolError(
                "IssueTicket, but the client offered no PSK key exchange mode that we do"
            )
        queued = self.queued + command.count
        if queued > MAX_NUM_TICKETS:
            raise LocalProtocolError(
                f"IssueTicket makes {queued} tickets that wait; expected at most {MAX_NUM_TICKETS}"
            )
        return evolve(self, queued=queued)

    # Post-handshake authentication: the messages are those of the handshake, and we may send data meanwhile.

    def on_key_update(self, message: KeyUpdate, flight: Flight) -> Self:
        if not self.takes_data:
            raise Fault(
                Reason.UNEXPECTED_MESSAGE, "KeyUpdate in the middle of an answer to CertificateRequest"
            )
        return super().on_key_update(message, flight)

    def on_request_client_certificate(
        self, command: RequestClientCertificate, flight: Flight
    ) -> ServerConnected:
        if not can_verify_clients(self.config):
            raise LocalProtocolError(
                "RequestClientCertificate, but the config has neither trust_anchors nor an answer for VerifyPeer"
            )
        if self.transcript is None:
            raise LocalProtocolError(
                "RequestClientCertificate, but the client did not offer post_handshake_auth, or has an external PSK"
            )
        if len(self.requests) >= MAX_REQUESTS:
            raise LocalProtocolError(f"RequestClientCertificate, but {MAX_REQUESTS} are unanswered")
        context = flight.entropy(CONTEXT_LENGTH)
        raw = flight.send(certificate_request(self.config, context))
        request = CertificateRequested(context, self.transcript.plus(raw), command.required)
        return evolve(self, requests=(*self.requests, request))

    def on_certificate(self, message: Certificate, flight: Flight) -> ServerConnected:
        request = next((r for r in self.requests if r.context == message.context), None)
        if request is None or not self.takes_data:
            raise Fault(Reason.UNEXPECTED_MESSAGE, "Certificate that answers no request")
        chain, transcript = chain_of(message, self.config), request.transcript.plus(flight.received)
        others = tuple(r for r in self.requests if r is not request)
        response: Response
        if chain:
            response = CertificateShown(transcript, chain, signing_key_of(chain[0], self.config.min_rsa_bits))
        elif request.required or self.config.client_authentication is ClientAuthentication.REQUIRED:
            raise Fault(Reason.CERTIFICATE_REQUIRED)
        else:
            response = CertificateProved(transcript, ())
        return evolve(self, requests=others, response=response)

    def on_compressed_certificate(self, message: CompressedCertificate, flight: Flight) -> ServerConnected:
        return self.on_certificate(undone(message, self.config), flight)

    def on_certificate_verify(self, message: CertificateVerify, flight: Flight) -> AskVerifyAgain:
        shown = self.response
        if not isinstance(shown, CertificateShown):
            raise Fault(Reason.UNEXPECTED_MESSAGE, "CertificateVerify without Certificate")
        check_certificate_verify(message, self.config, shown.public_key, shown.transcript, of_server=False)
        proved = CertificateProved(shown.transcript.plus(flight.received), shown.chain)
        return AskVerifyAgain(evolve(self, response=proved), shown)

    def on_finished(self, message: Finished, flight: Flight) -> AfterHandshake:
        """The client's new identity holds; tickets follow, as many as after the handshake."""
        proved = self.response
        if not isinstance(proved, CertificateProved):
            raise Fault(Reason.UNEXPECTED_MESSAGE, "Finished without Certificate")
        check_finished(message, self.established.suite.hash_name, self.reading_secret, proved.transcript)
        established = evolve(self.established, peer_certificates=proved.chain)
        flight.establish(established)
        flight.emit(PeerAuthenticated(proved.chain))
        counts = self.ticket_numbers.counts(flight.num_tickets)
        tickets = counts.full if established.resumed_session is None else counts.resumed
        if not flight.can_send:
            tickets = 0
        return after_handshake(evolve(self, established=established, response=NoResponse()), tickets, flight)

    def flush(self, data: bytes, flight: Flight) -> AfterHandshake:
        """Make the queued tickets; then send ``data``."""
        return go_on(evolve(self, queued=0), Batch(self.queued, data), flight)

    def session_for_ticket(self, lifetime: int, ordinal: int, flight: Flight) -> Session:
        """The session that the ticket with that number stands for."""
        established = self.established
        nonce = ordinal.to_bytes(NONCE_LENGTH)
        return Session(
            version=ProtocolVersion.TLS_1_3,
            cipher_suite=established.suite.suite,
            secret=resumption_psk(established.suite.hash_name, self.resumption_secret, nonce),
            lifetime=lifetime,
            issued_at=flight.now,
            authenticated_at=established.authenticated_at,
            session_id=flight.entropy(32) if isinstance(self.config.tickets, StoredTickets) else b"",
            age_add=int.from_bytes(flight.entropy(4)),
            alpn=established.alpn_protocol,
            server_name=established.server_name,
            session_id_context=established.session_id_context,
            peer_certificates=established.peer_certificates,
            max_early_data=self.config.max_early_data,
            app_data=self.app_data,
            group=established.group,
            psk_identity=established.psk_identity,
            family=established.family,
            generation=established.generation,
        )


@value
class Batch:
    """What remains to be done before the connection is at rest again."""

    tickets: int
    data: bytes = field(repr=False)

    @property
    def bytes_queued(self) -> int:
        return self.tickets * LARGEST_TICKET_MESSAGE + len(self.data)

    def one_less(self) -> Batch:
        return Batch(self.tickets - 1, self.data)


def after_handshake(connected: ServerConnected, tickets: int, flight: Flight) -> AfterHandshake:
    """The automatic tickets: now, or with our next write.  Those on request always wait for it."""
    if connected.config.ticket_flush is TicketFlush.WRITE:
        return evolve(connected, queued=connected.queued + tickets)
    return go_on(connected, Batch(tickets, b""), flight)


def go_on(connected: ServerConnected, batch: Batch, flight: Flight) -> AfterHandshake:
    """Make the tickets of the batch, up to one about which somebody is asked; when all are made, send its data."""
    config, left, made = connected.config, batch.tickets, connected.tickets_made
    lifetime, of = 0, connected.established
    if left:
        lifetime = config.ticket_policy.lifetime(of.resumed_session, of.authenticated_at, flight.now)
    while left and lifetime > 0:
        session, prepared = connected.session_for_ticket(lifetime, made, flight), None
        if PrepareTicket not in config.answers:
            prepared = prepare(session, AS_IT_IS, config, flight)
        if prepared is None or isinstance(prepared, ToBeProtected):
            connected, batch = evolve(connected, tickets_made=made), Batch(left, batch.data)
            if prepared is None:
                return AskPrepareTicket(connected, batch, session)
            return AskProtectTicket(connected, batch, prepared.session, prepared.plaintext)
        if isinstance(prepared, Sealed):
            send_ticket(prepared.session, prepared.ticket, made, flight)
            made += 1
        left -= 1
    if left:
        too_old(left, of.authenticated_at, flight)
    if batch.data:
        flight.send_application_data(batch.data)
    return connected.with_tickets(made) if made != connected.tickets_made else connected


@value
class AskPrepareTicket(Asking):
    """A ticket is about to be made: what data does the application put in?"""

    QUESTION = PrepareTicket

    connected: ServerConnected
    batch: Batch
    session: Session

    @property
    def bytes_queued(self) -> int:
        return self.batch.bytes_queued

    def question(self) -> PrepareTicket:
        return PrepareTicket(self.session, self.connected.tickets_made)

    def default_answer(self, now: float) -> SealTicket:
        return AS_IT_IS

    def on_seal_ticket(self, command: SealTicket, flight: Flight) -> AfterHandshake:
        connected = self.connected
        prepared = prepare(self.session, command, connected.config, flight)
        if isinstance(prepared, NotMade):
            return go_on(connected, self.batch.one_less(), flight)
        if connected.app_data != prepared.session.app_data:
            connected = evolve(connected, app_data=prepared.session.app_data)
        if isinstance(prepared, ToBeProtected):
            return AskProtectTicket(connected, self.batch, prepared.session, prepared.plaintext)
        return sent(connected, self.batch, prepared.session, prepared.ticket, flight)


@value
class AskProtectTicket(Asking):
    """A ticket's plaintext is to be encrypted by keys that are elsewhere."""

    QUESTION = ProtectTicket

    connected: ServerConnected
    batch: Batch
    session: Session
    plaintext: bytes = field(repr=False)

    @property
    def bytes_queued(self) -> int:
        return self.batch.bytes_queued

    def question(self) -> ProtectTicket:
        return ProtectTicket(self.plaintext, self.session)

    def default_answer(self, now: float) -> TicketProtected:
        return TicketProtected(None)

    def on_ticket_protected(self, command: TicketProtected, flight: Flight) -> AfterHandshake:
        ticket = accepted(command, self.session, self.connected.config, flight)
        if ticket is None:
            return go_on(self.connected, self.batch.one_less(), flight)
        return sent(self.connected, self.batch, self.session, ticket, flight)


AfterHandshake = ServerConnected | AskPrepareTicket | AskProtectTicket
"""Where a server is once the handshake is done: at rest, or about to make a ticket."""


def sent(
    connected: ServerConnected, batch: Batch, session: Session, ticket: bytes, flight: Flight
) -> AfterHandshake:
    """Send the ticket; on to what remains."""
    send_ticket(session, ticket, connected.tickets_made, flight)
    connected = connected.with_tickets(connected.tickets_made + 1)
    return go_on(connected, batch.one_less(), flight)


def send_ticket(session: Session, ticket: bytes, ordinal: int, flight: Flight) -> None:
    """One NewSessionTicket (RFC 9846 section 4.7.1)."""
    if session.session_id:
        flight.store_session(session)  # before the client can come back with it
    nonce = ordinal.to_bytes(NONCE_LENGTH)
    limit = session.max_early_data
    extensions = (EarlyDataLimit(limit),) if limit else ()
    flight.send(NewSessionTicket(session.lifetime, session.age_add, nonce, ticket, extensions))
    flight.emit(TicketIssued(session, ordinal))


@value
class AskVerifyAgain(Asking):
    """Post-handshake: the client holds its key; does the application accept the certificate?"""

    QUESTION = VerifyPeer

    connected: ServerConnected
    shown: CertificateShown

    @property
    def bytes_queued(self) -> int:
        return self.connected.bytes_queued

    def question(self) -> VerifyPeer:
        return VerifyPeer(self.shown.chain, None, self.shown.public_key, self.connected.config.trust_anchors)

    def default_answer(self, now: float) -> AcceptPeer:
        verify_chain_default(self.connected.config, self.shown.chain, None, now)
        return AcceptPeer()

    def on_accept_peer(self, command: AcceptPeer, flight: Flight) -> ServerConnected:
        return self.connected

    def on_reject_peer(self, command: RejectPeer, flight: Flight) -> NoReturn:
        raise Fault(Reason.CERTIFICATE_REFUSED, alert=command.alert)
