"""Connections: bytes in, commands in, bytes out; and what is known.

Three methods do everything.  What happens behind them is in ``engine``; who decides what, in ``handshake``.
"""

from __future__ import annotations

from copy import copy
from operator import index
from types import NoneType
from typing import TYPE_CHECKING, Any, ClassVar, Self, SupportsIndex

from sansticket.commands import (
    Abort,
    CheckRevocations,
    Close,
    Command,
    FlushTickets,
    SendData,
    SendEarlyData,
)
from sansticket.config.base import Config
from sansticket.connection.ending import close, end_by, fail, interrupt
from sansticket.connection.engine import APPLICATION_DATA, Engine, SessionKeeper
from sansticket.connection.inbound import read
from sansticket.errors import Fault, LocalProtocolError, Reason
from sansticket.events import Event, Question
from sansticket.handshake.machine.state import Ended, State
from sansticket.handshake.machine.transitions import accepted_by
from sansticket.text import quoted
from sansticket.tickets.early_data import EarlyDataReason, EarlyDataStatus
from sansticket.tickets.session import Session

if TYPE_CHECKING:
    from sansticket.handover.value import Handover


def _check_exporter(label: Any, context: Any, length: Any) -> None:
    if not isinstance(label, str) or not label.isascii():
        raise LocalProtocolError(f"exporter label {quoted(label)}; expected ASCII text")
    if not isinstance(context, bytes | NoneType) or type(length) is not int:
        raise LocalProtocolError(
            f"exporter context {quoted(context)}, length {quoted(length)}; expected bytes, a number"
        )


class Connection:
    """What clients and servers have in common.  Make a ``ClientConnection`` or a ``ServerConnection``.

    Not thread-safe: one thread at a time, as with any object that changes.  And a function that answers a question has
    its answer to give, and nothing else: until then ``receive_data`` and ``send`` are LocalProtocolErrors.
    """

    __slots__ = ("_engine",)

    _OF_SERVER: ClassVar[bool]

    def __init__(self, config: Config, state: State, sessions: SessionKeeper, application: Any) -> None:
        self._engine = Engine(config, state, sessions, application)

    # --- the three methods -----------------------------------------------------------------------------------

    def receive_data(self, data: bytes | bytearray | memoryview) -> list[Event]:
        """Take bytes from the peer; ``b""`` means the end of its stream.

        Never raises for anything that the peer sent: a failure is the last event, ``ConnectionTerminated``,
        and the alert is in ``data_to_send``.  TypeError for what is not bytes, LocalProtocolError after ``b""`` and
        on a connection that was pickled.
        """
        if type(data) is not bytes and not isinstance(data, bytearray | memoryview):
            raise TypeError(
                f"receive_data with {type(data).__name__}; expected bytes, bytearray or memoryview"
            )
        engine = self._engine
        if engine.asks:
            engine.require_no_answer_before("receive_data")
        if engine.read_closed:
            events, engine.events = engine.events, []  # there are some if the last call was interrupted
            return events
        if engine.spent and not engine.state.ESTABLISHED:
            raise LocalProtocolError(f"receive_data on {engine.spent}")
        if len(data) == 0:
            engine.end_of_stream = True
        elif engine.end_of_stream:
            raise LocalProtocolError("receive_data after the end of the stream; expected no more calls")
        else:
            engine.reader.feed(data)
        read(engine)
        events, engine.events = engine.events, []
        return events

    def send(self, command: Command) -> list[Event]:
        """Take a command, as a whole or not at all.

        Raises ``LocalProtocolError`` for what is no command, or not allowed by the state, and where ``padding`` fails
        for data; then nothing has changed and nothing is sent.  What else goes wrong (another function of the config's
        raises, or ``padding`` for data behind tickets or new keys) ends the connection.
        """
        engine = self._engine
        outbound = engine.outbound
        if (
            type(command) is SendData
            and engine.sends_at_once
            and not outbound.closed
            and outbound.writer.has_room(len(command.data))
        ):
            # The way of nearly all commands: no step, since nothing changes but the record layer.
            try:
                outbound.writer.write(APPLICATION_DATA, command.data)
                outbound.answer_waits = False
            except Exception as error:
                raise self._not_written(command, error) from error
            except BaseException as error:
                interrupt(engine, error)
                raise
            return []
        self._take_command(command)
        events, engine.events = engine.events, []
        return events

    def _not_written(self, command: Command, error: Exception) -> LocalProtocolError:
        """Data could not be made records of."""
        what, name = type(command).__name__, type(error).__name__
        if self._engine.outbound.writer.padding is None:
            fail(self._engine, Fault(Reason.INTERNAL_ERROR, name), error)
            return LocalProtocolError(f"{what} ended the connection by {name}")
        return LocalProtocolError(f"{what}, but padding raised {name}; expected a number of bytes")

    def _send_ahead(self, command: SendData | SendEarlyData) -> None:
        """Data before the handshake is done, that leave by themselves: if not written, nothing has happened."""
        engine, before = self._engine, self._engine.state
        self._check_room_for(command)
        try:
            engine.step(command)
        except LocalProtocolError:
            raise
        except Exception as error:
            engine.state = before
            raise self._not_written(command, error) from error

    def _take_command(self, command: Command) -> None:
        engine = self._engine
        self._check_command(command)
        try:
            if type(command) is Close:
                close(engine, at_once=command.at_once)
            elif type(command) is Abort:
                raise Fault(Reason.ABORTED_BY_APPLICATION, f"Abort in {self.state}", alert=command.alert)
            elif type(command) is CheckRevocations:
                if why := engine.sessions.why_revoked(engine):
                    raise Fault(Reason.SESSION_REVOKED, why)
            else:
                if engine.state.ESTABLISHED:
                    self._make_room_for(command)
                if engine.state.FIXED_KEYS and isinstance(command, SendData | SendEarlyData):
                    self._send_ahead(command)
                elif engine.step(command):
                    engine.settle()
                if engine.closing and engine.pending is None and engine.established is not None:
                    close(engine)
        except LocalProtocolError:
            raise
        except BaseException as error:
            if not end_by(engine, error):
                raise
        read(engine)

    def _check_command(self, command: Command) -> None:
        engine = self._engine
        name, ended = type(command).__name__, type(engine.state) is Ended
        engine.require_no_answer_before(name)
        if engine.spent:
            raise LocalProtocolError(f"{name} on {engine.spent}")
        waits = engine.closing and type(command) is not Abort
        closed = (engine.outbound.closed or waits) and engine.pending is None
        if type(command) is CheckRevocations:
            closed = False  # the peer may go on
        if type(command) is not Close and (ended or closed):
            after = "the end of the connection" if ended else "Close"
            raise LocalProtocolError(f"{name} after {after}; expected nothing more")
        if not isinstance(command, Command):  # a message would be taken for the peer's
            raise LocalProtocolError(engine.not_accepted(command))

    def _make_room_for(self, command: Command) -> None:
        """New keys in time for data, and for the tickets that leave first; not for what is refused."""
        engine, kind = self._engine, type(command)
        if kind not in (SendData, FlushTickets) or kind not in accepted_by(type(engine.state)):
            return
        length = len(command.data) if type(command) is SendData else 0
        writer = engine.outbound.writer
        if length and not engine.state.VERSION.updates_keys and not writer.has_room(length):
            left = writer.records_left
            raise LocalProtocolError(
                f"SendData of {length} bytes, and the key is good for {left} more records"
            )
        engine.make_room(length + engine.state.bytes_queued)

    def _check_room_for(self, command: SendData | SendEarlyData) -> None:
        """Before the handshake is done there are no other keys to be had (RFC 9846 section 5.5)."""
        writer, length = self._engine.outbound.writer, len(command.data)
        if length and not writer.has_room(length):
            raise LocalProtocolError(
                f"{type(command).__name__} of {length} bytes, and the key is good for {writer.records_left} more "
                "records; expected the rest after HandshakeCompleted"
            )

    def data_to_send(self) -> bytes:
        """The bytes to be written to the peer since the last call, in order."""
        outbound = self._engine.outbound
        outbound.silent = outbound.answer_waits = False
        outbound.unsent_tickets = 0
        return outbound.writer.take()

    def export(self) -> Handover:
        """The connection itself, for another process, in a documented format: docs/handover.md.

        It goes along as a whole, with half a record that has come and with what is in ``data_to_send``; not with the
        config, which is given again to ``restore``, nor with ``application``.  The original is at its end, and raises
        LocalProtocolError for all that it is given.  So does this, and nothing has changed, before the handshake is
        done, while a question is open, and where there is nothing that could go on; HandoverError where more than
        2^28 bytes wait.
        """
        from sansticket.connection.exports import handed_over  # it knows both sides, and all of a Handover

        return handed_over(self._engine, of_server=self._OF_SERVER)

    # --- copies: docs/secrets.md ---------------------------------------------------------------------------------

    def fork(self) -> Self:
        """Never let a fork and its original both write to a peer: they seal with the same keys and sequence numbers.

        Two records under one nonce give the XOR of their contents away, and with AES-GCM the key of all
        authentication.  Forks are for tests, searches and replays, where what they write is looked at and goes nowhere.

        A fork is a connection in the same state that goes its own way from here.  What never changes (the state, the
        config) is shared, and so is what the config refers to: ticket keys, a session cache, the source of entropy.
        """
        from sansticket.connection.forks import forked

        return self._around(forked(self._engine))

    def __copy__(self) -> Self:
        """A connection that only reads, what the peer sends from here on, and once the handshake is done.

        It has nothing to write, answers nothing, and knows no store and no cache: the original alone does.
        """
        from sansticket.connection.forks import reading_copy

        return self._around(reading_copy(self._engine))

    def __deepcopy__(self, memo: object) -> Self:
        return copy(self)

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[Any, ...]:
        """The connection itself, for another process, with its secrets, the config and all that it refers to.

        It goes along as a whole, with what is in ``data_to_send``: the original is at its end, and raises
        LocalProtocolError for all that it is given.  Load a pickle once: two connections of one pickle are as
        dangerous as two forks.

        The config's functions must be known there by the same names.  As always with pickle: read only what
        you have written yourself.
        """
        from sansticket.connection.forks import can_be_pickled, exported  # pickle takes its time to load

        application = self._engine.application
        if application is not None and not can_be_pickled(application, index(protocol)):
            application = None
        connection = _restored, (type(self), exported(self._engine))
        return connection if application is None else (*connection, application)

    def __setstate__(self, application: Any) -> None:
        """The application comes when the connection is there: each may refer to the other."""
        from sansticket.connection.forks import give_application

        give_application(self._engine, application)

    @classmethod
    def _around(cls, engine: Engine) -> Self:
        connection = object.__new__(cls)
        connection._engine = engine
        return connection

    # --- what is known ---------------------------------------------------------------------------------------

    @property
    def state(self) -> str:
        """The name of the current state, as in the diagrams."""
        return self._engine.place

    @property
    def _where(self) -> str:
        """Where it has come to, for whoever asks what is not to be had there."""
        return f"on {self._engine.spent}" if self._engine.spent else f"in {self.state}"

    @property
    def pending(self) -> Question | None:
        """The question that waits for an answer."""
        return self._engine.pending

    @property
    def application(self) -> Any:
        """What was given to the connection, and is in the ``connection`` of its events: SSL_set_app_data of libssl.

        Whatever the application wants to have at hand in its answers; None unless it was given.  It can be set at
        any time, for the events to come.  Forks and copies share it; a pickle takes it if it can be pickled, and has
        None in its place otherwise.
        """
        return self._engine.application

    @application.setter
    def application(self, application: Any) -> None:
        self._engine.application = application
        self._engine.facts = None

    @property
    def version(self) -> int | None:
        """The protocol version, a number of ``ProtocolVersion``; None before the handshake is done."""
        return self._engine.established.version if self._engine.established is not None else None

    @property
    def cipher_suite(self) -> int | None:
        """A number of ``CipherSuite``; None before the handshake is done."""
        return self._engine.established.suite.suite if self._engine.established is not None else None

    @property
    def group(self) -> int | None:
        """The group of the key exchange, a number of ``NamedGroup``; None before the handshake is done.
        After a resumption in TLS 1.2 that of the session, 0 if it has none."""
        return self._engine.established.group if self._engine.established is not None else None

    @property
    def alpn_protocol(self) -> bytes | None:
        """What was agreed on (RFC 7301); None without ALPN, and before the handshake is done."""
        return self._engine.established.alpn_protocol if self._engine.established is not None else None

    @property
    def server_name(self) -> str | None:
        """The name that the client asked for, normalised; None without one, and before the handshake is done."""
        return self._engine.established.server_name if self._engine.established is not None else None

    @property
    def peer_certificates(self) -> tuple[bytes, ...]:
        """The peer's chain in DER, leaf first; after a resumption that of the session."""
        return self._engine.established.peer_certificates if self._engine.established is not None else ()

    @property
    def resumed(self) -> bool:
        """A session was resumed; False until the handshake is done."""
        return self.session is not None

    @property
    def session(self) -> Session | None:
        """The session that was resumed."""
        return self._engine.established.resumed_session if self._engine.established is not None else None

    @property
    def psk_identity(self) -> bytes | None:
        """The external PSK that authenticates, or did when the session was made; None without, and before the
        handshake is done."""
        return self._engine.established.psk_identity if self._engine.established is not None else None

    @property
    def trailing_data(self) -> bytes:
        """What came after the peer's close_notify, with it, as it came: TLS is over, it belongs to whoever goes on.

        With ``stateless_retry``, before the second ClientHello: the beginning of a record that came behind the first,
        from a client that sent early data.  It belongs to the connection that goes on, and comes before all else.
        """
        engine = self._engine
        return engine.reader.rest() if engine.state.GIVES_WAY else engine.trailing_data

    def export_keying_material(self, label: str, context: bytes | None, length: int) -> bytes:
        """Keying material of this connection for another purpose (RFC 9846 section 7.5, RFC 5705).

        ``label`` has 1 to 249 ASCII characters, in TLS 1.2 any number of them; ``length`` is in bytes.  In TLS 1.2
        no ``context`` is not the same as an empty one.  LocalProtocolError before the end of the handshake, out of
        range, after the end of the connection, whose secrets are forgotten, and in TLS 1.2 without extended master
        secret (RFC 7627 section 5.4).
        """
        established = self._engine.established
        exporter = established.exporter if established is not None else None
        if established is None or exporter is None:
            expected = "a connection that goes on" if established else "a completed handshake"
            raise LocalProtocolError(f"export_keying_material {self._where}; expected {expected}")
        if not established.extended_master_secret:
            raise LocalProtocolError(
                "export_keying_material without extended master secret; another connection may have the same"
            )
        _check_exporter(label, context, length)
        return exporter.export(label.encode("ascii"), context, length)

    def export_early_keying_material(self, label: str, context: bytes | None, length: int) -> bytes:
        """Keying material of the early data (RFC 9846 section 7.5), which a replay of it has too: it binds to nothing.

        Arguments as above.  A client has it as soon as it offers early data, a server when it has accepted it; neither
        after a refusal, nor after the end of the connection (LocalProtocolError).
        """
        exporter = self._engine.early_exporter
        if exporter is None:
            raise LocalProtocolError(
                f"export_early_keying_material {self._where}; expected early data that was offered and not refused, "
                "and on a server was accepted"
            )
        _check_exporter(label, context, length)
        return exporter.export(label.encode("ascii"), context, length)

    @property
    def early_data(self) -> EarlyDataStatus:
        """How far early data has come."""
        return self._engine.early_data.status

    @property
    def early_data_reason(self) -> EarlyDataReason | None:
        """Why there is none; None if it was accepted, is on its way, or (server) nobody offered any."""
        return self._engine.early_data.reason

    @property
    def early_data_left(self) -> int:
        """Bytes of early data that ``SendEarlyData`` may still take; on a server, that may still come.  0 where there
        can be none, or none any more."""
        return self._engine.state.early_data_left

    def tls_exporter(self) -> bytes:
        """The tls-exporter channel binding (RFC 9266), 32 bytes.  LocalProtocolError as there."""
        return self.export_keying_material("EXPORTER-Channel-Binding", b"", 32)


def _restored(kind: type[Connection], parts: bytes) -> Connection:
    """What was in a pickle."""
    from sansticket.connection.forks import imported

    return kind._around(imported(parts))
