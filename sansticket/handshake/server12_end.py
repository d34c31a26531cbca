"""The end of a TLS 1.2 handshake on the server: the ticket, change_cipher_spec and Finished of both sides.

full      WaitClientChangeCipherSpec12  WaitClientFinished12, then [AskPrepareTicket12] and our half
resumed   [AskPrepareTicket12] and our half, then the same two states
"""

from __future__ import annotations

from typing import Final

from attrs import evolve, field

from sansticket.commands import SealTicket, TicketProtected
from sansticket.errors import LocalProtocolError
from sansticket.events import PrepareTicket, ProtectTicket, TicketIssued
from sansticket.handshake.common12 import TLS12, Asking12, Hellos12, Keys12, State12
from sansticket.handshake.connected12 import ServerConnected12
from sansticket.handshake.established import Established
from sansticket.handshake.machine import ChangeCipherSpec, Flight
from sansticket.handshake.server12_hello import Negotiated12
from sansticket.keys.transcript import Transcript
from sansticket.tickets.encoding import MAX_FIELD
from sansticket.tickets.records import ResumptionRecord
from sansticket.tickets.session import Session
from sansticket.values import value
from sansticket.wire.messages import Finished
from sansticket.wire.messages12 import NewSessionTicket12

MAX_TICKET: Final = 65_535
"""Bytes: the length field of a ticket (RFC 5077 section 3.3)."""

NO_HINT: Final = 0
"""The lifetime of a renewed ticket: it ends with its session, whose time the client knows (RFC 5077 section 3.3)."""


@value
class Outcome12:
    """What the search for a session found: the session that goes on, or None, and the account of the search."""

    session: Session | None
    record: ResumptionRecord

    @property
    def gives_ticket(self) -> bool:
        return bool(self.record.tickets_to_follow)


@value
class ServerHandshake12:
    """What every state after the ServerHello shares."""

    negotiated: Negotiated12
    outcome: Outcome12
    hellos: Hellos12
    session_id: bytes
    """That of the ServerHello."""
    transcript: Transcript

    def plus(self, raw: bytes) -> ServerHandshake12:
        transcript = self.transcript.plus(raw)
        return ServerHandshake12(self.negotiated, self.outcome, self.hellos, self.session_id, transcript)


@value
class ServerKeyed12:
    """The keys are there: what remains is to prove it, and perhaps a ticket."""

    handshake: ServerHandshake12
    keys: Keys12
    group: int
    peer_certificates: tuple[bytes, ...] = field(repr=False)

    def plus(self, raw: bytes) -> ServerKeyed12:
        return ServerKeyed12(self.handshake.plus(raw), self.keys, self.group, self.peer_certificates)

    # Our half of the end

    def give_ticket(self, flight: Flight) -> AskPrepareTicket12:
        session = self.handshake.outcome.session
        return AskPrepareTicket12(self, self.fresh_session(flight.now) if session is None else session)

    def finish(self, flight: Flight) -> AfterOurFinished12:
        if self.handshake.outcome.session is None:
            return self.finish_full(flight)
        return self.finish_resumed(flight)

    def finish_full(self, flight: Flight) -> ServerConnected12:
        """The last message of the handshake is ours."""
        connected = self.finished(flight).connected(flight)
        if self.handshake.session_id:
            session = evolve(self.fresh_session(flight.now), session_id=self.handshake.session_id)
            flight.store_session(session)
            flight.emit(TicketIssued(session, 0))
        return connected

    def finish_resumed(self, flight: Flight) -> WaitClientChangeCipherSpec12:
        """The last message of the handshake is the client's."""
        return WaitClientChangeCipherSpec12(self.finished(flight))

    def finished(self, flight: Flight) -> ServerKeyed12:
        self.keys.change_cipher_spec(flight, server=True)
        return self.plus(flight.send(self.keys.finished(self.handshake.transcript, server=True)))

    # What comes of it

    def connected(self, flight: Flight) -> ServerConnected12:
        established = self.established(flight.now)
        flight.establish(established)
        flight.emit(established.completed(self.handshake.outcome.record))
        return ServerConnected12(established)

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
        )

    def fresh_session(self, now: float) -> Session:
        """The session of a full handshake."""
        hellos, negotiated = self.handshake.hellos, self.handshake.negotiated
        return Session(
            version=TLS12,
            cipher_suite=hellos.suite.suite,
            secret=self.keys.master.secret,
            lifetime=min(negotiated.config.ticket_lifetime, negotiated.config.max_session_age),
            issued_at=now,
            alpn=hellos.alpn_protocol,
            server_name=hellos.server_name,
            session_id_context=negotiated.session_id_context,
            peer_certificates=self.peer_certificates,
            extended_master_secret=hellos.extended_master_secret,
            group=self.group,
        )


# --- the ticket ----------------------------------------------------------------------------------------------


@value
class AskPrepareTicket12(Asking12):
    """The promised ticket is about to be made: what data does the application put in?

    ``session`` is a fresh one, or the resumed one, whose time a renewed ticket keeps.
    """

    QUESTION = PrepareTicket

    keyed: ServerKeyed12
    session: Session

    def question(self) -> PrepareTicket:
        return PrepareTicket(self.session, 0)

    def default_answer(self, now: float) -> SealTicket:
        return SealTicket()

    def on_seal_ticket(self, command: SealTicket, flight: Flight) -> AskProtectTicket12 | AfterOurFinished12:
        session, config = self.session, self.keyed.handshake.negotiated.config
        if session.session_id:
            session = evolve(session, session_id=b"")
        if command.app_data is not None:
            if len(command.app_data) > MAX_FIELD:
                return self.unfit(command, len(command.app_data), flight)
            session = evolve(session, app_data=command.app_data)
        plaintext, keys = config.ticket_codec.encode(session), config.ticket_keys
        if len(plaintext) > MAX_TICKET:
            return self.unfit(command, len(plaintext), flight)
        if keys is None:
            return AskProtectTicket12(self.keyed, session, plaintext)
        ticket = keys.seal(plaintext, flight.now, flight.entropy)
        if len(ticket) > MAX_TICKET:
            return self.unfit(command, len(ticket), flight)
        return send_ticket12(self.keyed, session, ticket, flight).finish(flight)

    def unfit(self, command: SealTicket, size: int, flight: Flight) -> AfterOurFinished12:
        """Too large: new data is refused to whoever gave it; where nobody gave any there is no ticket."""
        if command.app_data is not None:
            raise LocalProtocolError(
                f"SealTicket with {len(command.app_data)} bytes of app_data makes a ticket of {size} bytes; "
                f"expected at most {MAX_TICKET}"
            )
        return take_back(self.keyed, flight).finish(flight)


@value
class AskProtectTicket12(Asking12):
    """The ticket's plaintext is to be encrypted by keys that are elsewhere."""

    QUESTION = ProtectTicket

    keyed: ServerKeyed12
    session: Session
    plaintext: bytes = field(repr=False)

    def question(self) -> ProtectTicket:
        return ProtectTicket(self.plaintext)

    def default_answer(self, now: float) -> TicketProtected:
        return TicketProtected(None)

    def on_ticket_protected(self, command: TicketProtected, flight: Flight) -> AfterOurFinished12:
        ticket = command.ticket
        if ticket is None:
            return take_back(self.keyed, flight).finish(flight)
        if not 0 < len(ticket) <= MAX_TICKET:
            raise LocalProtocolError(
                f"TicketProtected has a ticket of {len(ticket)} bytes; expected 1 to {MAX_TICKET}, or None"
            )
        return send_ticket12(self.keyed, self.session, ticket, flight).finish(flight)


def take_back(keyed: ServerKeyed12, flight: Flight) -> ServerKeyed12:
    """An empty ticket: the promise of the ServerHello cannot be kept (RFC 5077 section 3.3)."""
    return keyed.plus(flight.send(NewSessionTicket12(NO_HINT, b"")))


def send_ticket12(keyed: ServerKeyed12, session: Session, ticket: bytes, flight: Flight) -> ServerKeyed12:
    hint = session.lifetime if keyed.handshake.outcome.session is None else NO_HINT
    keyed = keyed.plus(flight.send(NewSessionTicket12(hint, ticket)))
    flight.emit(TicketIssued(session, 0))
    return keyed


# --- the client's half ---------------------------------------------------------------------------------------


@value
class WaitClientChangeCipherSpec12(State12):
    """What comes next is the end of unprotected records."""

    keyed: ServerKeyed12

    def on_change_cipher_spec(self, item: ChangeCipherSpec, flight: Flight) -> WaitClientFinished12:
        self.keyed.keys.changed_cipher_spec(flight, server=False)
        return WaitClientFinished12(self.keyed)


@value
class WaitClientFinished12(State12):
    """The client owes the proof that it has the keys and saw the same messages."""

    keyed: ServerKeyed12

    def on_finished(self, message: Finished, flight: Flight) -> AskPrepareTicket12 | ServerConnected12:
        keyed = self.keyed
        keyed.keys.check_finished(message, keyed.handshake.transcript, server=False)
        if keyed.handshake.outcome.session is not None:
            return keyed.connected(flight)
        keyed = keyed.plus(flight.received)
        return (
            keyed.give_ticket(flight) if keyed.handshake.outcome.gives_ticket else keyed.finish_full(flight)
        )


AfterOurFinished12 = WaitClientChangeCipherSpec12 | ServerConnected12
"""Where a server is when its own half is done."""
