"""The end of a TLS 1.2 handshake on the client: change_cipher_spec and Finished of both sides.

    full      we send ours, then  [WaitNewSessionTicket]  WaitServerChangeCipherSpec  WaitServerFinished
    resumed   the same states, and after them we send ours

What the server gave us to come back with, a ticket or a session id, is reported when its Finished was right.

Transitions (``python -m tools.transitions --write``):

    WaitNewSessionTicket        HelloRequest      WaitNewSessionTicket
                                NewSessionTicket  WaitServerChangeCipherSpec
    WaitServerChangeCipherSpec  ChangeCipherSpec  WaitServerFinished
                                HelloRequest      WaitServerChangeCipherSpec
    WaitServerFinished          Finished          ClientConnected
                                HelloRequest      WaitServerFinished
"""

from __future__ import annotations

from typing import Final, Self

from attrs import evolve, field

from sansticket.events import TicketReceived
from sansticket.handshake.client.offer import ClientOffer
from sansticket.handshake.machine.established import Established
from sansticket.handshake.machine.flight import Flight
from sansticket.handshake.machine.state import ChangeCipherSpec
from sansticket.handshake.tls12.connected import ClientConnected
from sansticket.handshake.tls12.keys import NOT_RESUMABLE, TLS12, Hellos, Keys
from sansticket.handshake.tls12.states import State
from sansticket.keys.transcript import Transcript
from sansticket.tickets.records import ResumptionRecord
from sansticket.tickets.session import Session
from sansticket.tickets.versions import MAX_LIFETIME
from sansticket.values import value
from sansticket.wire.messages.hello import HelloRequest
from sansticket.wire.messages.tls12 import NewSessionTicket
from sansticket.wire.messages.tls13 import Finished

UNKNOWN_LIFETIME: Final = 7200
"""Seconds that a session is kept of which the server does not say how long it keeps it: libssl's default."""


class ClientState(State):
    """A client in the middle of a handshake."""

    __slots__ = ()

    def on_hello_request(self, message: HelloRequest, flight: Flight) -> Self:
        """It asks for what is under way already, and is in no transcript (RFC 5246 section 7.4.1.1)."""
        return self


@value
class ClientHandshake:
    """What every state after the ServerHello shares."""

    offer: ClientOffer
    hellos: Hellos
    session_id: bytes
    """That of the ServerHello."""
    ticket_promised: bool
    """The server will send a NewSessionTicket (RFC 5077 section 3.2)."""
    status_promised: bool
    """The server will send a CertificateStatus, or perhaps not (RFC 6066 section 8)."""


@value
class ClientKeyed:
    """The keys are there: what remains is to prove it."""

    handshake: ClientHandshake
    keys: Keys
    peer_certificates: tuple[bytes, ...] = field(repr=False)
    group: int
    session: Session | None
    """The one that is resumed."""
    staple: bytes | None = field(default=None, repr=False)
    """What came with the server's certificate."""

    def finish(
        self, transcript: Transcript, flight: Flight
    ) -> WaitNewSessionTicket | WaitServerChangeCipherSpec:
        """Our half of the end comes first, after a key exchange."""
        return self.wait(transcript.plus(self.finished(transcript, flight)))

    def wait(self, transcript: Transcript) -> WaitNewSessionTicket | WaitServerChangeCipherSpec:
        """The server's half."""
        if self.handshake.ticket_promised:
            return WaitNewSessionTicket(self, transcript)
        return WaitServerChangeCipherSpec(self, transcript, None)

    def finished(self, transcript: Transcript, flight: Flight) -> bytes:
        """Our change_cipher_spec, and our Finished as it goes out."""
        self.keys.change_cipher_spec(flight, server=False)
        return flight.send(self.keys.finished(transcript, server=False))

    def established(self, now: float) -> Established:
        handshake, session = self.handshake, self.session
        return Established(
            version=TLS12,
            suite=handshake.hellos.suite,
            group=self.group,
            alpn_protocol=handshake.hellos.alpn_protocol,
            server_name=handshake.hellos.server_name,
            session_id_context=handshake.offer.config.session_context,
            peer_certificates=self.peer_certificates,
            resumed_session=session,
            authenticated_at=session.authenticated_at if session is not None else now,
            exporter=self.keys.exporter,
            extended_master_secret=handshake.hellos.extended_master_secret,
            ocsp_response=self.staple,
        )

    def record(self) -> ResumptionRecord:
        """What we offered, and what the server took."""
        offer, session, tickets = self.handshake.offer, self.session, int(self.handshake.ticket_promised)
        if session is not None:
            place = offer.place_of(session)
            return ResumptionRecord(offer.identities, place, tickets, "the server took this session")
        why = "the server took none of the sessions" if offer.offered else "no session was offered"
        if not self.handshake.hellos.extended_master_secret:
            why = f"{why}, and {NOT_RESUMABLE}"
        return ResumptionRecord(offer.identities, None, tickets, why)

    def new_session(self, ticket: NewSessionTicket | None, now: float) -> Session | None:
        """What the server gave us to come back with.  A ticket makes a session id void (RFC 5077 section 3.4)."""
        if not self.handshake.hellos.extended_master_secret:
            return None
        if ticket is not None and ticket.ticket:
            if self.session is not None:
                return renewed(self.session, ticket, now)
            lifetime = min(ticket.lifetime_hint or UNKNOWN_LIFETIME, MAX_LIFETIME)
            return self.fresh_session(lifetime, now, ticket=ticket.ticket)
        if self.session is None and self.handshake.session_id:
            return self.fresh_session(UNKNOWN_LIFETIME, now, session_id=self.handshake.session_id)
        return None

    def fresh_session(
        self, lifetime: int, now: float, *, ticket: bytes = b"", session_id: bytes = b""
    ) -> Session:
        hellos = self.handshake.hellos
        return Session(
            version=TLS12,
            cipher_suite=hellos.suite.suite,
            secret=self.keys.master.secret,
            lifetime=lifetime,
            issued_at=now,
            ticket=ticket,
            session_id=session_id,
            alpn=hellos.alpn_protocol,
            server_name=hellos.server_name,
            session_id_context=self.handshake.offer.config.session_context,
            peer_certificates=self.peer_certificates,
            extended_master_secret=hellos.extended_master_secret,
            group=self.group,
        )


def renewed(session: Session, ticket: NewSessionTicket, now: float) -> Session:
    """The session with its new ticket.  Where the server does not say otherwise it ends when it would have ended."""
    session = evolve(session, ticket=ticket.ticket, session_id=b"")
    if ticket.lifetime_hint:
        return evolve(session, lifetime=min(ticket.lifetime_hint, MAX_LIFETIME), issued_at=now)
    return session


@value
class WaitNewSessionTicket(ClientState):
    """The server promised a ticket, and may still take that back with an empty one."""

    keyed: ClientKeyed
    transcript: Transcript

    def on_new_session_ticket(self, message: NewSessionTicket, flight: Flight) -> WaitServerChangeCipherSpec:
        return WaitServerChangeCipherSpec(self.keyed, self.transcript.plus(flight.received), message)


@value
class WaitServerChangeCipherSpec(ClientState):
    """What comes next is the end of unprotected records."""

    keyed: ClientKeyed
    transcript: Transcript
    ticket: NewSessionTicket | None

    def on_change_cipher_spec(self, item: ChangeCipherSpec, flight: Flight) -> WaitServerFinished:
        self.keyed.keys.changed_cipher_spec(flight, server=True)
        return WaitServerFinished(self.keyed, self.transcript, self.ticket)


@value
class WaitServerFinished(ClientState):
    """The server owes the proof that it has the keys and saw the same messages."""

    keyed: ClientKeyed
    transcript: Transcript
    ticket: NewSessionTicket | None

    def on_finished(self, message: Finished, flight: Flight) -> ClientConnected:
        keyed = self.keyed
        keyed.keys.check_finished(message, self.transcript, server=True)
        if keyed.session is not None:
            keyed.finished(self.transcript.plus(flight.received), flight)
        established = keyed.established(flight.now)
        flight.establish(established)
        flight.emit(established.completed(keyed.record()))
        session = keyed.new_session(self.ticket, flight.now)
        if session is not None:
            flight.emit(TicketReceived(session))
        return ClientConnected(established)
