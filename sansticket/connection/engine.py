"""What moves a connection: the only mutable object of the package is made of this.

    bytes -> RecordReader -> messages -> state -> Flight -> RecordWriter -> bytes
                                           |
                                           +-> events

An engine owns the two halves of the record layer, the current state and what is on its way between them.  Every
input is taken in the same way (``_step``): find the state's handler, call it with a fresh ``Flight``, carry the
flight out, replace the state, and if the new state asks a question that the config answers itself, answer it.
``connection`` puts the methods for the caller on top.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from attrs import evolve

from sansticket.codes import (
    AlertDescription,
    AlertLevel,
    ContentType,
    HandshakeType,
    ProtocolVersion,
)
from sansticket.commands import UpdateKeys
from sansticket.config.base import Config
from sansticket.config.choices import ASK
from sansticket.config.server import ServerConfig
from sansticket.errors import Fault, LocalProtocolError, Reason
from sansticket.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    PeerClosed,
    Question,
    TicketIssued,
)
from sansticket.handshake.client.wait import WaitServerHello
from sansticket.handshake.machine.established import Established
from sansticket.handshake.machine.flight import (
    Effect,
    Establish,
    Flight,
    LogSecret,
    ProtectReads,
    ProtectWrites,
    SendApplicationData,
    SendChangeCipherSpec,
    SendMessage,
    SendWarning,
    SkipEarlyData,
    StoreSession,
    UseConnectionConfig,
)
from sansticket.handshake.machine.state import Asking, ChangeCipherSpec, Ended, State
from sansticket.handshake.machine.transitions import (
    Input,
    accepted_by,
    expected_in,
    messages_accepted_by,
    name_of,
)
from sansticket.handshake.server.start import WaitClientHello
from sansticket.record.reader import RecordReader
from sansticket.record.tls12 import Opener as Opener12
from sansticket.record.tls12 import Sealer as Sealer12
from sansticket.record.tls13 import Opener as Opener13
from sansticket.record.tls13 import Sealer as Sealer13
from sansticket.record.writer import RecordWriter
from sansticket.tickets.session import Session
from sansticket.wire.messages.alert import Alert
from sansticket.wire.messages.tables import MESSAGES_OF_TLS12, MESSAGES_OF_TLS13

APPLICATION_DATA: Final = int(ContentType.APPLICATION_DATA)
HANDSHAKE: Final = int(ContentType.HANDSHAKE)
ALERT: Final = int(ContentType.ALERT)
CHANGE_CIPHER_SPEC: Final = int(ContentType.CHANGE_CIPHER_SPEC)

CHANGED_CIPHER_SPEC: Final = ChangeCipherSpec()

MAX_WARNINGS: Final = 4
"""Warning alerts in a row; OpenSSL's limit is 5."""

MAX_MESSAGES_WITHOUT_DATA: Final = {
    HandshakeType.KEY_UPDATE: 32,
    HandshakeType.NEW_SESSION_TICKET: 1024,
    HandshakeType.CERTIFICATE_REQUEST: 32,
    HandshakeType.HELLO_REQUEST: 32,
    HandshakeType.CLIENT_HELLO: 32,
}
"""Post-handshake messages of one kind that may come before any application data: 32 KeyUpdates as in OpenSSL
and BoringSSL; libssl really sends a thousand tickets if it is told to.  What answers a question of ours is not
counted: there is one question for each."""

TOO_MANY: Final = {
    HandshakeType.KEY_UPDATE: Reason.TOO_MANY_KEY_UPDATES,
    HandshakeType.NEW_SESSION_TICKET: Reason.TOO_MANY_TICKETS,
    HandshakeType.CERTIFICATE_REQUEST: Reason.TOO_MANY_CERTIFICATE_REQUESTS,
    HandshakeType.HELLO_REQUEST: Reason.RENEGOTIATION,
    HandshakeType.CLIENT_HELLO: Reason.RENEGOTIATION,
}
"""What more than that is called.  TLS 1.2 asks for a renegotiation with the last two."""

MAX_SKIPPED_EARLY_DATA: Final = 65_536
"""Bytes of early data that are dropped when it was not accepted.  No ticket of ours allows any, but the ticket
may be another server's.  BoringSSL skips 16 KiB."""

MAX_CHANGE_CIPHER_SPECS: Final = 32
"""change_cipher_spec records of compatibility mode; honest peers send one, and nothing says that two are wrong."""


class Engine:
    """A connection without the methods for its caller."""

    __slots__ = (
        "_cached_sessions",
        "_change_cipher_specs",
        "_config",
        "_end_of_stream",
        "_established",
        "_events",
        "_handshake_bytes",
        "_messages_without_data",
        "_num_tickets",
        "_pending",
        "_read_closed",
        "_reader",
        "_silent",
        "_state",
        "_trailing_data",
        "_unsent_tickets",
        "_unwritten",
        "_warnings",
        "_write_closed",
        "_writer",
    )

    def __init__(self, config: Config, state: State) -> None:
        self._config = config
        self._state = state
        self._num_tickets: int | None = None
        self._reader = RecordReader()
        self._writer = RecordWriter(padding=config.padding)
        self._handshake_bytes = bytearray()
        self._unwritten: bytes | bytearray = b""
        self._events: list[Event] = []
        self._pending: Question | None = None
        self._established: Established | None = None
        self._read_closed = False
        self._write_closed = False
        self._end_of_stream = False
        self._silent = True
        self._unsent_tickets = 0
        self._trailing_data = b""
        self._cached_sessions: list[Session] = []
        self._warnings = 0
        self._change_cipher_specs = 0
        self._messages_without_data: dict[int, int] = {}

    @property
    def state(self) -> str:
        """The name of the current state, as in the diagrams."""
        return name_of(type(self._state))

    # --- bytes in --------------------------------------------------------------------------------------------

    def _guarded_read(self) -> None:
        """Work through the bytes that have come; whatever goes wrong ends the connection in good order."""
        try:
            self._read()
        except Fault as fault:
            self._fail(fault)
        except Exception as error:
            self._fail(Fault(Reason.INTERNAL_ERROR, type(error).__name__), error)

    def _read(self) -> None:
        while self._pending is None and not self._read_closed:
            if self._handshake_bytes and self._take_held_message():
                continue
            content = self._reader.next()
            if content is None:
                break
            if content[0] == APPLICATION_DATA:
                self._take_data(content[1])
            else:
                self._take_content(*content)
        if self._pending is not None:
            self._check_buffered()
        elif self._end_of_stream and not self._read_closed:
            self._terminate(ConnectionTerminated(Reason.TRUNCATED, None))

    def _check_buffered(self) -> None:
        held = self._reader.buffered + len(self._handshake_bytes)
        if held > self._config.max_buffered:
            raise Fault(Reason.TOO_MUCH_BUFFERED, f"{held} bytes; at most {self._config.max_buffered}")

    def _take_content(self, content_type: int, content: bytes) -> None:
        if content_type == HANDSHAKE:
            if not self._handshake_bytes and 4 + int.from_bytes(content[1:4]) == len(content):
                self._take_message(content)  # the usual case: one message, which is all of the record
            else:
                self._handshake_bytes += content
            return
        if self._handshake_bytes:
            raise self._amid_message(content_type)
        if content_type == ALERT:
            self._take_alert(Alert.decode(content))
        else:
            self._take_change_cipher_spec()

    def _amid_message(self, content_type: int) -> Fault:
        return Fault(Reason.UNEXPECTED_MESSAGE, f"record of type {content_type} amid a handshake message")

    def _take_data(self, data: bytes) -> None:
        if self._handshake_bytes:
            raise self._amid_message(APPLICATION_DATA)
        if not self._state.takes_data:
            raise self._unexpected("application data")
        if self._messages_without_data:
            self._messages_without_data = {}
        self._warnings = 0
        self._events.append(DataReceived(data))

    def _take_held_message(self) -> bool:
        """Handle the first handshake message that is held, if it is complete; refuse it as early as can be."""
        held = self._handshake_bytes
        kind, end = held[0], 4 + int.from_bytes(held[1:4])
        if kind not in messages_accepted_by(type(self._state)):
            raise self._unexpected(_message_name(kind))
        if end > self._config.max_handshake_message and len(held) >= 4:
            raise Fault(Reason.MESSAGE_TOO_LARGE, f"{_message_name(kind)} of {end} bytes")
        if len(held) < max(end, 4):
            return False
        raw = bytes(held[:end])
        del held[:end]
        self._take_message(raw)
        return True

    def _take_message(self, raw: bytes) -> None:
        """Handle one handshake message, with the four bytes of its type and length."""
        state, kind = self._state, raw[0]
        classes = messages_accepted_by(type(state)).get(kind)
        if classes is None:
            raise self._unexpected(_message_name(kind))
        message = (MESSAGES_OF_TLS12 if state.IN_TLS_1_2 else MESSAGES_OF_TLS13)[kind](raw[4:])
        if type(message) not in classes:
            raise self._unexpected(type(message).__name__)
        if state.ESTABLISHED or kind == HandshakeType.HELLO_REQUEST:
            self._count_message(kind)
        self._step(message, raw)
        self._settle()

    def _count_message(self, kind: int) -> None:
        """Bound what a peer can make us do without sending any data."""
        limit = MAX_MESSAGES_WITHOUT_DATA.get(HandshakeType(kind))
        if limit is None:
            return
        count = self._messages_without_data.get(kind, 0) + 1
        self._messages_without_data[kind] = count
        if count > limit:
            raise Fault(TOO_MANY[HandshakeType(kind)], f"{count} without any data between them")

    def _take_alert(self, alert: Alert) -> None:
        """RFC 9846 section 6: two alerts are no errors, and the level says nothing unless this is TLS 1.2."""
        canceled = alert.description == AlertDescription.USER_CANCELED and not self._state.IN_TLS_1_2
        if canceled or self._is_warning(alert):
            self._warnings += 1
            if self._warnings > MAX_WARNINGS:
                raise Fault(Reason.TOO_MANY_WARNINGS)
        elif alert.description == AlertDescription.CLOSE_NOTIFY and self._established is not None:
            self._read_closed = True
            self._trailing_data = self._reader.rest()
            self._reader = RecordReader()
            self._events.append(PeerClosed())
        else:
            self._terminate(
                ConnectionTerminated(
                    Reason.PEER_ALERT, alert.description, _alert_name(alert.description), by_peer=True
                )
            )

    def _is_warning(self, alert: Alert) -> bool:
        """RFC 5246 section 7.2.2.

        As long as it may be either version, one warning has its place: a server does not know the name, and goes on
        all the same (RFC 6066 section 3).
        """
        if alert.level != AlertLevel.WARNING or alert.description == AlertDescription.CLOSE_NOTIFY:
            return False
        if self._state.IN_TLS_1_2 or type(self._state) is not WaitServerHello:
            return self._state.IN_TLS_1_2
        versions = self._config.usable_versions
        unknown_name = alert.description == AlertDescription.UNRECOGNIZED_NAME
        return ProtocolVersion.TLS_1_2 in versions and (
            unknown_name or ProtocolVersion.TLS_1_3 not in versions
        )

    def _take_change_cipher_spec(self) -> None:
        state = type(self._state)
        if ChangeCipherSpec in accepted_by(state):
            self._step(CHANGED_CIPHER_SPEC)
            self._settle()
            return
        if self._established is not None or state is WaitClientHello or state.IN_TLS_1_2:
            raise Fault(
                Reason.UNEXPECTED_CHANGE_CIPHER_SPEC, f"in {self.state}; expected {expected_in(state)}"
            )
        self._change_cipher_specs += 1
        if self._change_cipher_specs > MAX_CHANGE_CIPHER_SPECS:
            raise Fault(Reason.UNEXPECTED_CHANGE_CIPHER_SPEC, f"more than {MAX_CHANGE_CIPHER_SPECS}")

    def _unexpected(self, what: str) -> Fault:
        return Fault(
            Reason.UNEXPECTED_MESSAGE, f"{what} in {self.state}; expected {expected_in(type(self._state))}"
        )

    # --- steps -----------------------------------------------------------------------------------------------

    def _step(self, item: Input, raw: bytes = b"") -> None:
        """One transition.  When the handler raises, nothing has happened."""
        state, config = self._state, self._config
        handler = accepted_by(type(state)).get(type(item))
        if handler is None:
            expected = expected_in(type(state))
            raise LocalProtocolError(f"{type(item).__name__} in {self.state}; expected {expected}")
        logs = config.key_log is not None
        flight = Flight(config.clock(), config.entropy, raw, self._num_tickets, logs, not self._write_closed)
        state = handler(state, item, flight)
        if flight.ends_record and self._handshake_bytes:
            raise Fault(Reason.MESSAGE_ACROSS_KEY_CHANGE)
        if self._change_cipher_specs and state.IN_TLS_1_2:
            raise Fault(Reason.UNEXPECTED_CHANGE_CIPHER_SPEC, "before a ServerHello of TLS 1.2")
        self._state = state
        self._pending = None
        self._apply(flight)

    def _settle(self) -> None:
        """Answer the questions that the config answers itself; stop at the first that it does not."""
        while isinstance(self._state, Asking):
            state = self._state
            answer = self._config.answers.get(state.QUESTION)
            if answer is ASK:
                self._pending = state.question()
                self._events.append(self._pending)
                break
            try:
                command = answer(state.question()) if answer else state.default_answer(self._config.clock())
            except Fault:
                raise
            except Exception as error:
                return self._answer_failed(state, error)
            try:
                self._step(command)
            except LocalProtocolError as error:
                return self._answer_failed(state, error)
        self._write_messages()

    def _answer_failed(self, state: Asking, error: Exception) -> None:
        """The config's function raised, or gave what is no answer; there is no caller who could be told."""
        detail = f"{state.QUESTION.__name__}: {type(error).__name__}"
        self._fail(Fault(Reason.ANSWER_FAILED, detail), error)

    def _apply(self, flight: Flight) -> None:
        """Carry out what a step wants done.

        Handshake messages under the same keys share their records, also those of several steps: they are written
        when something else is to be done, or when the connection has come to rest (``_settle``).
        """
        for effect in flight.effects:
            if type(effect) is SendMessage:
                if self._unwritten:
                    self._unwritten += effect.raw
                else:
                    self._unwritten = bytearray(
                        effect.raw
                    )  # grows in place: there may be thousands of tickets
                continue
            if self._unwritten:
                self._write_messages()
            CARRIED_OUT_BY[type(effect)](self, effect)
        if flight.events:
            for event in flight.events:
                self._heed(event, flight.now)
            self._events += flight.events

    def _write_messages(self) -> None:
        if self._unwritten:
            messages, self._unwritten = self._unwritten, b""
            self._write(HANDSHAKE, messages)

    def _heed(self, event: Event, now: float) -> None:
        """What an event means to the connection itself."""
        self._unsent_tickets += type(event) is TicketIssued

    def _write(self, content_type: int, content: bytes | bytearray) -> None:
        if not self._write_closed:
            self._writer.write(content_type, content)

    def _send_application_data(self, effect: SendApplicationData) -> None:
        self._write(APPLICATION_DATA, effect.data)

    def _send_change_cipher_spec(self, effect: SendChangeCipherSpec) -> None:
        self._write(CHANGE_CIPHER_SPEC, b"\x01")

    def _send_warning(self, effect: SendWarning) -> None:
        self._write_alert(AlertLevel.WARNING, effect.description)

    def _protect_writes(self, effect: ProtectWrites) -> None:
        sealer = Sealer12 if effect.version == ProtocolVersion.TLS_1_2 else Sealer13
        self._writer.protect(sealer(effect.suite, effect.keys))

    def _protect_reads(self, effect: ProtectReads) -> None:
        opener = Opener12 if effect.version == ProtocolVersion.TLS_1_2 else Opener13
        self._reader.protect(opener(effect.suite, effect.keys))

    def _skip_early_data(self, effect: SkipEarlyData) -> None:
        if effect.before_second_hello:
            self._reader.skip_plaintext_application_data = MAX_SKIPPED_EARLY_DATA
        else:
            self._reader.skip_undecryptable = MAX_SKIPPED_EARLY_DATA

    def _use_config(self, effect: UseConnectionConfig) -> None:
        self._config = effect.config
        self._writer.padding = effect.config.padding

    def _log_secret(self, effect: LogSecret) -> None:
        if self._config.key_log is not None:
            self._config.key_log(f"{effect.label} {effect.client_random.hex()} {effect.secret.hex()}")

    def _establish(self, effect: Establish) -> None:
        first, self._established = self._established is None, effect.established
        self._reader.in_handshake = False
        resumed = effect.established.resumed_session
        if not first or resumed is None or not isinstance(self._config, ServerConfig):
            return
        used_up = self._config.single_use_tickets and resumed.version == ProtocolVersion.TLS_1_3
        if resumed.session_id and not used_up:
            self._cached_sessions.append(resumed)

    def _store_session(self, effect: StoreSession) -> None:
        cache = self._config.session_cache if isinstance(self._config, ServerConfig) else None
        if cache is not None and cache.add(effect.session, effect.now):
            self._cached_sessions.append(effect.session)

    def _forget_sessions(self, event: ConnectionTerminated) -> None:
        """A connection that failed, or was cut off, takes its sessions out of the cache (RFC 9846 section 6.2).

        Not one whose stream ends after our own close_notify: browsers and proxies seldom answer it.
        """
        if event.reason is Reason.TRUNCATED and self._write_closed:
            return
        cache = self._config.session_cache if isinstance(self._config, ServerConfig) else None
        sessions, self._cached_sessions = self._cached_sessions, []
        if cache is not None:
            for session in sessions:
                cache.remove(session)

    def _can_send_at_once(self, length: int) -> bool:
        return self._state.sends_at_once and not self._write_closed and self._writer.has_room(length)

    def _renew_keys_for(self, length: int) -> None:
        """New keys before the old ones have protected too much (RFC 9846 section 5.5)."""
        if not self._writer.has_room(length):
            if self._state.IN_TLS_1_2:
                left = self._writer.records_left
                raise LocalProtocolError(
                    f"SendData of {length} bytes, and the key is good for {left} more records"
                )
            self._step(UpdateKeys())

    # --- the end ---------------------------------------------------------------------------------------------

    def _close(self) -> None:
        if self._write_closed or type(self._state) is Ended:
            return
        completed = self._established is not None and self._pending is None
        if not completed:
            self._write_alert(AlertLevel.WARNING, AlertDescription.USER_CANCELED)
        self._write_alert(AlertLevel.WARNING, AlertDescription.CLOSE_NOTIFY)
        self._write_closed = True
        if not completed:
            self._terminate(ConnectionTerminated(Reason.CANCELED, AlertDescription.USER_CANCELED))

    def _ending(self) -> str:
        return "the end of the connection" if type(self._state) is Ended else "Close"

    def _fail(self, fault: Fault, cause: BaseException | None = None) -> None:
        """End the connection because of ``fault``, and tell the peer."""
        alert = fault.alert_of_tls_1_2 if self._state.IN_TLS_1_2 else fault.alert
        sent = None if self._write_closed else alert  # close_notify was our last word
        try:
            self._write_alert(AlertLevel.FATAL, alert)
        except (
            Exception
        ) as error:  # the config's padding fails, or the key is used up: it may be why we are here
            sent, cause = None, cause or error
        self._terminate(ConnectionTerminated(fault.reason, sent, fault.detail, cause=cause))

    def _write_alert(self, level: AlertLevel, description: AlertDescription) -> None:
        self._write_messages()
        self._write(ALERT, Alert(level, description).encode())

    def _terminate(self, event: ConnectionTerminated) -> None:
        """The last event.  What is in ``data_to_send`` can still be taken.

        The secrets of a connection that has failed are forgotten, but for those of its tickets (RFC 9846 section 6).
        """
        try:
            self._forget_sessions(event)
        except Exception as error:  # a hook of the application: it must not hide why the connection ended
            event = event if event.cause is not None else evolve(event, cause=error)
        self._events.append(event)
        self._state = Ended()
        self._pending = None
        self._read_closed = self._write_closed = True
        self._handshake_bytes = bytearray()
        self._reader = RecordReader()
        self._writer.protect(None)
        if self._established is not None:
            self._established = evolve(self._established, exporter=None)


CARRIED_OUT_BY: Final[dict[type[Effect], Callable[[Engine, Any], None]]] = {
    SendApplicationData: Engine._send_application_data,
    SendChangeCipherSpec: Engine._send_change_cipher_spec,
    SendWarning: Engine._send_warning,
    ProtectWrites: Engine._protect_writes,
    ProtectReads: Engine._protect_reads,
    SkipEarlyData: Engine._skip_early_data,
    UseConnectionConfig: Engine._use_config,
    LogSecret: Engine._log_secret,
    Establish: Engine._establish,
    StoreSession: Engine._store_session,
}
"""What each effect of a flight does here; handshake messages are collected into records by ``_apply``."""


def _message_name(kind: int) -> str:
    try:
        return HandshakeType(kind).name
    except ValueError:
        return f"handshake message of type {kind}"


def _alert_name(description: int) -> str:
    try:
        return AlertDescription(description).name.lower()
    except ValueError:
        return f"alert {description}"
