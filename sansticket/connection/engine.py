"""What moves a connection: one step after the other.

    bytes -> RecordReader -> messages -> state -> Flight -> RecordWriter -> bytes
                                           |
                                           +-> events

An engine holds the two halves of the record layer, the current state and what is on its way between them.  Every
input is taken in the same way (``step``): find the state's handler, call it with a fresh ``Flight``, carry the
flight out, replace the state, and if the new state asks a question that the config answers itself, answer it
(``settle``).  ``inbound`` makes inputs of what the peer sends, ``ending`` knows the ways to end; ``connection`` puts
the methods for the caller on top.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Final

from sansticket.codes import AlertLevel, ContentType
from sansticket.commands import SendEarlyData, UpdateKeys
from sansticket.config.base import Config
from sansticket.config.choices import ASK
from sansticket.connection.limits import Limits
from sansticket.connection.outbound import Outbound
from sansticket.errors import Fault, LocalProtocolError, Reason
from sansticket.events import (
    ConnectionFacts,
    ConnectionTerminated,
    Event,
    Question,
    TicketIssued,
)
from sansticket.events.base import belongs_to
from sansticket.handshake.machine.established import Established
from sansticket.handshake.machine.flight import (
    Effect,
    Flight,
    Learned,
    LimitRecords,
    LogSecret,
    NoteEarlyData,
    ReadEarlyData,
    SendApplicationData,
    SendChangeCipherSpec,
    SendWarning,
    SkipEarlyData,
    StopProtectingWrites,
    StoreSession,
    UseConnectionConfig,
)
from sansticket.handshake.machine.state import Asking, State
from sansticket.handshake.machine.transitions import Input, accepted_by, commands_expected_in, name_of
from sansticket.inputs import END_OF_TIME, check_now
from sansticket.keys.tls13 import Exporter
from sansticket.record import tls12, tls13
from sansticket.record.reader import Opener, RecordReader
from sansticket.record.writer import Sealer
from sansticket.tickets.early_data import NOT_OFFERED, EarlyDataOutcome
from sansticket.tickets.session import Session

APPLICATION_DATA: Final = int(ContentType.APPLICATION_DATA)
CHANGE_CIPHER_SPEC: Final = int(ContentType.CHANGE_CIPHER_SPEC)


NOTHING_LEARNED: Final[Learned] = {}


class SessionKeeper:
    """What a side does with its sessions while a connection lives; here nothing.

    A client pays a visit to a store, a server tends its cache.
    """

    __slots__ = ()

    HEEDED: ClassVar[frozenset[type[Event]]] = frozenset()
    """The events that count here."""

    def heed(self, event: Event, config: Config, now: float) -> None:
        """One of them happened."""

    def handed_over(self) -> dict[str, Any]:
        """Fields of a ``Handover``: what of this goes to the process where the connection goes on."""
        return {"port": None, "kept_sessions": (), "revocable_data": None, "ticket_key_name": b""}

    def store(self, session: Session, config: Config, now: float) -> None:
        """A session was made that a client will come back with."""

    def ended(self, engine: Engine, event: ConnectionTerminated) -> None:
        """The connection is over, and not in good order."""

    def why_revoked(self, engine: Engine) -> str:
        """In words why the connection is to be ended, or nothing."""
        raise LocalProtocolError("CheckRevocations on a client; expected a server with revocations")


class Engine:
    """A connection without the methods for its caller.

    ``known`` is what is settled, of which ``facts`` are made when something is to be said of the connection;
    ``held`` is the beginning of a handshake message; ``pending`` the question that waits for the application;
    ``num_tickets`` what was set on the connection; ``trailing_data`` what came behind close_notify; ``closing``: a
    Close waits, for tickets or for the handshake; ``spent``: why nothing can be sealed here, if that is so (see
    ``forks``).  ``early_exporter`` is there as long as early data is on its way or was accepted.  ``sends_at_once`` and
    ``takes_data``: what a state behind the handshake says of data, noted once because each piece of data asks.
    ``asks``: a function of the config is answering just now.
    """

    __slots__ = (
        "application",
        "asks",
        "closing",
        "config",
        "early_data",
        "early_exporter",
        "end_of_stream",
        "established",
        "events",
        "facts",
        "held",
        "known",
        "limits",
        "num_tickets",
        "outbound",
        "pending",
        "read_closed",
        "reader",
        "sends_at_once",
        "sessions",
        "spent",
        "state",
        "takes_data",
        "trailing_data",
    )

    def __init__(self, config: Config, state: State, sessions: SessionKeeper, application: Any) -> None:
        self.config: Config = config
        self.application: Any = application
        self.known: Learned = NOTHING_LEARNED
        self.facts: ConnectionFacts | None = None
        self.state: State = state
        self.sessions: SessionKeeper = sessions
        self.reader: RecordReader = RecordReader()
        self.outbound: Outbound = Outbound(config.padding)
        self.held: bytearray = bytearray()
        self.limits: Limits = Limits()
        self.events: list[Event] = []
        self.pending: Question | None = None
        self.established: Established | None = None
        self.early_data: EarlyDataOutcome = NOT_OFFERED
        self.early_exporter: Exporter | None = None
        self.num_tickets: int | None = None
        self.end_of_stream: bool = False
        self.read_closed: bool = False
        self.closing: bool = False
        self.spent: str = ""
        self.trailing_data: bytes = b""
        self.sends_at_once: bool = False
        self.takes_data: bool = False
        self.asks: bool = False

    @property
    def place(self) -> str:
        """The name of the current state, as in the diagrams."""
        return name_of(type(self.state))

    def note_ways_of_data(self) -> None:
        """In a new state, behind the handshake or where it ends."""
        state = self.state
        self.sends_at_once = state.ESTABLISHED and state.sends_at_once
        self.takes_data = state.ESTABLISHED and state.takes_data
        self.reader.amid_message = bool(self.held) or (state.ESTABLISHED and not self.takes_data)

    def establish(self, established: Established) -> None:
        """The handshake is done, or the peer has a new identity."""
        self.established = established
        self.known, self.facts = NOTHING_LEARNED, None  # it is all in there
        self.reader.in_handshake = False

    def tell(self, event: Event) -> None:
        """Give the event to the caller, with the facts of the connection."""
        # ``belongs_to``, of which there is one for each piece of data.
        object.__setattr__(event, "connection", self.facts or self.current_facts())
        self.events.append(event)

    def current_facts(self) -> ConnectionFacts:
        if self.facts is None:
            known, established = self.known, self.established
            if established is not None:
                known = {
                    "server_name": established.server_name,
                    "alpn_protocol": established.alpn_protocol,
                    "version": established.version,
                    "peer_certificates": established.peer_certificates,
                    "session": established.resumed_session,
                    "psk_identity": established.psk_identity,
                    **known,
                }
            done = established is not None
            self.facts = ConnectionFacts(**known, application=self.application, established=done)
        return self.facts

    def not_accepted(self, command: Input) -> str:
        """In words what is expected in its place."""
        expected = commands_expected_in(type(self.state))
        if type(command) is SendEarlyData and self.pending is None:
            expected = f"SendData after HandshakeCompleted ({self.early_data})"
        return f"{type(command).__name__} in {self.place}; expected {expected}"

    def step(self, item: Input, raw: bytes = b"") -> bool:
        """One transition.  When the handler raises, nothing has happened, but for the keys of the alert.

        Gives whether there is something to ``settle``.
        """
        before, config = self.state, self.config
        handler = accepted_by(type(before)).get(type(item))
        if handler is None:
            raise LocalProtocolError(self.not_accepted(item))
        logs = config.key_log is not None
        out, now = self.outbound, config.clock()
        if now.__class__ is not float or not 0 <= now < END_OF_TIME:
            check_now(now)
        flight = Flight(now, config.entropy, raw, self.num_tickets, logs, not out.closed, out.answer_waits)
        try:
            state = handler(before, item, flight)
            if flight.ends_record and self.held:
                raise Fault(Reason.MESSAGE_ACROSS_KEY_CHANGE)
            if self.limits.change_cipher_specs and state.VERSION.has_change_cipher_spec:
                raise Fault(Reason.UNEXPECTED_CHANGE_CIPHER_SPEC, "before a ServerHello of TLS 1.2")
        except Fault:
            if flight.before_alert is not None:
                CARRIED_OUT_BY[type(flight.before_alert)](self, flight.before_alert)
            raise
        if state is not before:
            self.state = state
            if state.ESTABLISHED or self.established is not None:
                self.note_ways_of_data()
        self.pending = None
        if flight.effects or flight.learned is not None:
            self.carry_out(flight)
        return isinstance(state, Asking) or bool(out.messages)

    def settle(self) -> None:
        """Answer the questions that the config answers itself; stop at the first that it does not."""
        while isinstance(self.state, Asking):
            state = self.state
            answer = self.config.answers.get(state.QUESTION)
            if answer is ASK or (answer is not None and self.spent):  # a copy disturbs nobody
                self.pending = state.question()
                self.tell(self.pending)
                break
            try:
                command = self.asked(state, answer) if answer else state.default_answer(self.config.clock())
            except Fault:
                raise
            except Exception as error:
                instead = state.answer_after(error)
                if instead is None:
                    raise _answer_failed(state, error) from error
                command = instead
            try:
                self.step(command)
            except LocalProtocolError as error:
                raise _answer_failed(state, error) from error
        if self.outbound.messages:
            self.outbound.flush()
            sealer = self.outbound.writer.sealer
            if sealer is not None and sealer.sequence >= sealer.replace_at and self.state.ESTABLISHED:
                self.make_room(0)

    def make_room(self, length: int) -> None:
        """New keys before the present ones have protected too much (RFC 9846 section 5.5), whatever is to be sent.

        Where there are none to be had, Fault when the last record is all that is left: it is for the alert.
        """
        writer = self.outbound.writer
        if self.outbound.closed or writer.has_room(length):
            return
        if self.state.VERSION.updates_keys:
            self.step(UpdateKeys())
        elif writer.records_left == 1:
            raise Fault(Reason.SEQUENCE_EXHAUSTED, "the key has protected as much as it may")

    def asked(self, state: Asking, answer: Callable[[Any], Any]) -> Any:
        """What a function of the config answers."""
        question = state.question()
        belongs_to(question, self.current_facts())
        self.asks = True
        try:
            return answer(question)
        finally:
            self.asks = False

    def require_no_answer_before(self, what: str) -> None:
        """LocalProtocolError for what a function of the config does that is answering: half a step is none."""
        if self.asks:
            raise LocalProtocolError(
                f"{what} while a function answers, in {self.place}; expected its answer before"
            )

    def carry_out(self, flight: Flight) -> None:
        """Do what a step wants done, in its order; handshake messages wait until something else is to be done."""
        outbound = self.outbound
        if flight.learned is not None:
            self.known, self.facts = {**self.known, **flight.learned}, None
        for effect in flight.effects:
            if type(effect) is bytes:
                outbound.messages += effect
            elif isinstance(effect, Event):
                self.tell(effect)
                outbound.unsent_tickets += type(effect) is TicketIssued
                if type(effect) in self.sessions.HEEDED:
                    self.sessions.heed(effect, self.config, flight.now)
            else:
                if (
                    outbound.messages and type(effect) is not LogSecret
                ):  # nobody sees on the wire who looks on
                    outbound.flush()
                CARRIED_OUT_BY[type(effect)](self, effect)
        if flight.answers_update:
            outbound.answer_waits = True


def _answer_failed(state: Asking, error: Exception) -> Fault:
    """The config's function raised, or gave what is no answer; there is no caller who could be told.

    What an application says when it fails is its own, and may be secret: it is the ``cause``.  What is wrong with an
    answer we say ourselves.
    """
    why = str(error) if type(error) is LocalProtocolError else type(error).__name__
    return Fault(Reason.ANSWER_FAILED, f"{state.QUESTION.__name__}: {why}")


def _send_application_data(engine: Engine, effect: SendApplicationData) -> None:
    engine.outbound.write(APPLICATION_DATA, effect.data)
    engine.outbound.answer_waits = False


def _send_change_cipher_spec(engine: Engine, effect: SendChangeCipherSpec) -> None:
    engine.outbound.writer.legacy_record_version = 0x0303  # also right after the first ClientHello
    engine.outbound.write(CHANGE_CIPHER_SPEC, b"\x01")


def _send_warning(engine: Engine, effect: SendWarning) -> None:
    engine.outbound.alert(AlertLevel.WARNING, effect.description)
    engine.make_room(0)


def _protect_writes(engine: Engine, sealer: Sealer) -> None:
    engine.outbound.writer.protect(sealer)


def _protect_reads(engine: Engine, opener: Opener) -> None:
    engine.reader.protect(opener)


def _skip_early_data(engine: Engine, effect: SkipEarlyData) -> None:
    if effect.before_second_hello:
        engine.reader.skip_plaintext_application_data = effect.budget
    else:
        engine.reader.skip_undecryptable = effect.budget


def _stop_protecting_writes(engine: Engine, effect: StopProtectingWrites) -> None:
    engine.outbound.writer.protect(None)


def _read_early_data(engine: Engine, effect: ReadEarlyData) -> None:
    engine.reader.protect(effect.opener, early=True)


def _note_early_data(engine: Engine, effect: NoteEarlyData) -> None:
    engine.early_data, engine.early_exporter = effect.outcome, effect.exporter


def _limit_records(engine: Engine, effect: LimitRecords) -> None:
    engine.outbound.writer.max_fragment = effect.writes
    engine.reader.restrict(effect.reads)


def _use_config(engine: Engine, effect: UseConnectionConfig) -> None:
    engine.config = effect.config
    engine.outbound.writer.padding = effect.config.padding


def _log_secret(engine: Engine, effect: LogSecret) -> None:
    if engine.config.key_log is not None:
        engine.config.key_log(f"{effect.label} {effect.client_random.hex()} {effect.secret.hex()}")


def _store_session(engine: Engine, effect: StoreSession) -> None:
    engine.sessions.store(effect.session, engine.config, effect.now)


CARRIED_OUT_BY: Final[dict[type[Effect], Callable[[Engine, Any], None]]] = {
    SendApplicationData: _send_application_data,
    SendChangeCipherSpec: _send_change_cipher_spec,
    SendWarning: _send_warning,
    tls12.Sealer: _protect_writes,
    tls13.Sealer: _protect_writes,
    tls12.Opener: _protect_reads,
    tls13.Opener: _protect_reads,
    StopProtectingWrites: _stop_protecting_writes,
    ReadEarlyData: _read_early_data,
    SkipEarlyData: _skip_early_data,
    NoteEarlyData: _note_early_data,
    LimitRecords: _limit_records,
    UseConnectionConfig: _use_config,
    LogSecret: _log_secret,
    Established: Engine.establish,
    StoreSession: _store_session,
}
"""What each effect of a flight does here; handshake messages are collected into records by ``carry_out``."""
