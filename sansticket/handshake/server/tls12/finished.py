"""The end of a TLS 1.2 handshake on the server: the ticket, change_cipher_spec and Finished of both sides.

full      WaitClientChangeCipherSpec  WaitClientFinished, then [AskPrepareTicket] and our half
resumed   [AskPrepareTicket] and our half, then the same two states

Transitions (``python -m tools.transitions --write``):

    AskPrepareTicket            SealTicket        AskProtectTicket, WaitClientChangeCipherSpec, ServerConnected
    AskProtectTicket            TicketProtected   WaitClientChangeCipherSpec, ServerConnected
    WaitClientChangeCipherSpec  ChangeCipherSpec  WaitClientFinished
    WaitClientFinished          Finished          AskPrepareTicket, AskProtectTicket, ServerConnected
"""

from __future__ import annotations

from attrs import evolve, field

from sansticket.commands import SealTicket, TicketProtected
from sansticket.events import PrepareTicket, ProtectTicket, TicketIssued
from sansticket.handshake.machine.established import Established
from sansticket.handshake.machine.flight import Flight
from sansticket.handshake.machine.state import ChangeCipherSpec
from sansticket.handshake.server.reuse import note_finished
from sansticket.handshake.server.rules import Outcome
from sansticket.handshake.server.tickets import (
    AS_IT_IS,
    NotMade,
    ToBeProtected,
    accepted,
    generation_after,
    prepare,
)
from sansticket.handshake.server.tls12.negotiation import Negotiated
from sansticket.handshake.tls12.connected import ServerConnected
from sansticket.handshake.tls12.keys import TLS12, Hellos, Keys
from sansticket.handshake.tls12.states import Asking, State
from sansticket.keys.transcript import Transcript
from sansticket.tickets.policy import NO_HINT
from sansticket.tickets.session import Session
from sansticket.tickets.stores.uses import TicketUses
from sansticket.values import value
from sansticket.wire.messages.tls12 import NewSessionTicket
from sansticket.wire.messages.tls13 import Finished


@value
class ServerHandshake:
    """What every state after the ServerHello shares."""

    negotiated: Negotiated
    outcome: Outcome
    hellos: Hellos
    session_id: bytes
    """That of the ServerHello."""


@value
class ServerKeyed:
    """The keys are there: what remains is to prove it, and perhaps a ticket."""

    handshake: ServerHandshake
    keys: Keys
    group: int
    peer_certificates: tuple[bytes, ...] = field(repr=False)
    family: bytes
    """Of what the connection issues, or of what it resumed."""

    # Our half of the end

    def give_ticket(
        self, transcript: Transcript, flight: Flight
    ) -> Transcript | AskPrepareTicket | AskProtectTicket:
        """The ticket that the ServerHello promised; the transcript goes on with it."""
        resumed = self.handshake.outcome.session
        session = self.fresh_session(flight.now) if resumed is None else renewed(resumed)
        if PrepareTicket in self.handshake.negotiated.config.answers:
            return AskPrepareTicket(self, transcript, session)
        return give(self, transcript, session, AS_IT_IS, flight)

    def finish(self, transcript: Transcript, flight: Flight) -> AfterOurFinished:
        if self.handshake.outcome.session is None:
            return self.finish_full(transcript, flight)
        return self.finish_resumed(transcript, flight)

    def finish_full(self, transcript: Transcript, flight: Flight) -> ServerConnected:
        """The last message of the handshake is ours."""
        self.finished(transcript, flight)
        connected = self.connected(flight)
        if self.handshake.session_id:
            session = evolve(self.fresh_session(flight.now), session_id=self.handshake.session_id)
            flight.store_session(session)
            flight.emit(TicketIssued(session, 0))
        return connected

    def finish_resumed(self, transcript: Transcript, flight: Flight) -> WaitClientChangeCipherSpec:
        """The last message of the handshake is the client's."""
        return WaitClientChangeCipherSpec(self, transcript.plus(self.finished(transcript, flight)))

    def finished(self, transcript: Transcript, flight: Flight) -> bytes:
        """Our change_cipher_spec, and our Finished as it goes out."""
        self.keys.change_cipher_spec(flight, server=True)
        return flight.send(self.keys.finished(transcript, server=True))

    # What comes of it

    def note_use(self, uses: TicketUses, flight: Flight) -> None:
        """The client has shown that the ticket is its own."""
        negotiated = self.handshake.negotiated
        note_finished(uses, negotiated, negotiated.ticket or b"", self.handshake.outcome, flight)

    def connected(self, flight: Flight) -> ServerConnected:
        established = self.established(flight.now)
        flight.establish(established)
        flight.emit(established.completed(self.handshake.outcome.record))
        return ServerConnected(established)

    def established(self, now: float) -> Established:
        hellos, negotiated = self.handshake.hellos, self.handshake.negotiated
        session = self.handshake.outcome.session
        return Established(
            version=TLS12,
            suite=hellos.suite,
            group=self.group,
            alpn_protocol=hellos.alpn_protocol,
            server_name=hellos.server_name,
            session_id_context=negotiated.session_id_context,
            peer_certificates=self.peer_certificates,
            resumed_session=session,
            authenticated_at=session.authenticated_at if session is not None else now,
            exporter=self.keys.exporter,
            extended_master_secret=hellos.extended_master_secret,
            family=self.family,
            generation=generation_after(session),
        )

    def fresh_session(self, now: float) -> Session:
        """The session of a full handshake."""
        hellos, negotiated = self.handshake.hellos, self.handshake.negotiated
        return Session(
            version=TLS12,
            cipher_suite=hellos.suite.suite,
            secret=self.keys.master.secret,
            lifetime=negotiated.config.ticket_policy.first_lifetime(),
            issued_at=now,
            authenticated_at=now,
            alpn=hellos.alpn_protocol,
            server_name=hellos.server_name,
            session_id_context=negotiated.session_id_context,
            peer_certificates=self.peer_certificates,
            extended_master_secret=hellos.extended_master_secret,
            group=self.group,
            family=self.family,
        )


# --- the ticket ----------------------------------------------------------------------------------------------


@value
class AskPrepareTicket(Asking):
    """The promised ticket is about to be made: what data does the application put in?

    ``session`` is a fresh one, or the resumed one a generation on: a renewed ticket keeps its time.
    """

    QUESTION = PrepareTicket

    keyed: ServerKeyed
    transcript: Transcript
    session: Session

    def question(self) -> PrepareTicket:
        return PrepareTicket(self.session, 0)

    def default_answer(self, now: float) -> SealTicket:
        return AS_IT_IS

    def on_seal_ticket(self, command: SealTicket, flight: Flight) -> AskProtectTicket | AfterOurFinished:
        given = give(self.keyed, self.transcript, self.session, command, flight)
        return self.keyed.finish(given, flight) if isinstance(given, Transcript) else given


@value
class AskProtectTicket(Asking):
    """The ticket's plaintext is to be encrypted by keys that are elsewhere."""

    QUESTION = ProtectTicket

    keyed: ServerKeyed
    transcript: Transcript
    session: Session
    plaintext: bytes = field(repr=False)

    def question(self) -> ProtectTicket:
        return ProtectTicket(self.plaintext, self.session)

    def default_answer(self, now: float) -> TicketProtected:
        return TicketProtected(None)

    def on_ticket_protected(self, command: TicketProtected, flight: Flight) -> AfterOurFinished:
        ticket = accepted(command, self.session, self.keyed.handshake.negotiated.config, flight)
        raw = take_back(flight) if ticket is None else send_ticket(self.keyed, self.session, ticket, flight)
        return self.keyed.finish(self.transcript.plus(raw), flight)


def renewed(session: Session) -> Session:
    """The resumed one, a generation on."""
    generation = generation_after(session)
    return session if generation == session.generation else evolve(session, generation=generation)


def give(
    keyed: ServerKeyed, transcript: Transcript, session: Session, command: SealTicket, flight: Flight
) -> Transcript | AskProtectTicket:
    """Make the ticket and send it; the transcript goes on with it.  What is sealed has no id in our cache."""
    if session.session_id:
        session = evolve(session, session_id=b"")
    prepared = prepare(session, command, keyed.handshake.negotiated.config, flight)
    if isinstance(prepared, ToBeProtected):
        return AskProtectTicket(keyed, transcript, prepared.session, prepared.plaintext)
    if isinstance(prepared, NotMade):
        return transcript.plus(take_back(flight))
    return transcript.plus(send_ticket(keyed, prepared.session, prepared.ticket, flight))


def take_back(flight: Flight) -> bytes:
    """An empty ticket: the promise of the ServerHello cannot be kept (RFC 5077 section 3.3)."""
    return flight.send(NewSessionTicket(NO_HINT, b""))


def send_ticket(keyed: ServerKeyed, session: Session, ticket: bytes, flight: Flight) -> bytes:
    handshake = keyed.handshake
    hint = handshake.negotiated.config.ticket_policy.hint(
        session, renewed=handshake.outcome.session is not None
    )
    raw = flight.send(NewSessionTicket(hint, ticket))
    flight.emit(TicketIssued(session, 0))
    return raw


# --- the client's half ---------------------------------------------------------------------------------------


@value
class WaitClientChangeCipherSpec(State):
    """What comes next is the end of unprotected records."""

    keyed: ServerKeyed
    transcript: Transcript

    def on_change_cipher_spec(self, item: ChangeCipherSpec, flight: Flight) -> WaitClientFinished:
        self.keyed.keys.changed_cipher_spec(flight, server=False)
        return WaitClientFinished(self.keyed, self.transcript)


@value
class WaitClientFinished(State):
    """The client owes the proof that it has the keys and saw the same messages."""

    keyed: ServerKeyed
    transcript: Transcript

    def on_finished(
        self, message: Finished, flight: Flight
    ) -> AskPrepareTicket | AskProtectTicket | ServerConnected:
        keyed = self.keyed
        keyed.keys.check_finished(message, self.transcript, server=False)
        if keyed.handshake.outcome.session is not None:
            if keyed.handshake.negotiated.config.ticket_uses is not None:
                keyed.note_use(keyed.handshake.negotiated.config.ticket_uses, flight)
            return keyed.connected(flight)
        transcript = self.transcript.plus(flight.received)
        promised = keyed.handshake.outcome.record.tickets_to_follow
        given = keyed.give_ticket(transcript, flight) if promised else transcript
        return keyed.finish_full(given, flight) if isinstance(given, Transcript) else given


AfterOurFinished = WaitClientChangeCipherSpec | ServerConnected
"""Where a server is when its own half is done."""
