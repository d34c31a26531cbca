"""Connections: bytes in, commands in, bytes out; and what is known.

Three methods do everything.  What happens behind them is in ``engine``; who decides what, in ``handshake``.
"""

from __future__ import annotations

from types import NoneType
from typing import Any, Self

from sansticket.commands import Close, Command, SendData, UpdateKeys
from sansticket.config.base import Config
from sansticket.connection.ending import close, fail
from sansticket.connection.engine import APPLICATION_DATA, Engine, SessionKeeper
from sansticket.connection.forks import forked, pickled, unpickled
from sansticket.connection.inbound import read
from sansticket.errors import Fault, LocalProtocolError, Reason
from sansticket.events import Event, Question
from sansticket.handshake.machine.state import Ended, State
from sansticket.text import quoted
from sansticket.tickets.session import Session


def _check_exporter(label: Any, context: Any, length: Any) -> None:
    if not isinstance(label, str) or not label.isascii():
        raise LocalProtocolError(f"exporter label {quoted(label)}; expected ASCII text")
    if not isinstance(context, bytes | NoneType) or not isinstance(length, int):
        raise LocalProtocolError(
            f"exporter context {quoted(context)}, length {quoted(length)}; expected bytes, a number"
        )


class Connection:
    """What clients and servers have in common.  Make a ``ClientConnection`` or a ``ServerConnection``.

    Not thread-safe: one thread at a time, as with any object that changes.
    """

    __slots__ = ("_engine",)

    def __init__(self, config: Config, state: State, sessions: SessionKeeper, application: Any) -> None:
        self._engine = Engine(config, state, sessions, application)

    # --- the three methods -----------------------------------------------------------------------------------

    def receive_data(self, data: bytes | bytearray | memoryview) -> list[Event]:
        """Take bytes from the peer; ``b""`` means the end of its stream.

        Never raises for anything that the peer sent: a failure is the last event, ``ConnectionTerminated``,
        and the alert is in ``data_to_send``.  TypeError for what is not bytes.
        """
        if type(data) is not bytes and not isinstance(data, bytearray | memoryview):
            raise TypeError(
                f"receive_data with {type(data).__name__}; expected bytes, bytearray or memoryview"
            )
        engine = self._engine
        if engine.read_closed:
            return []
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
        """Take a command.  Raises ``LocalProtocolError`` if the state does not allow it; then nothing has changed."""
        engine = self._engine
        outbound = engine.outbound
        if (
            type(command) is SendData
            and engine.state.sends_at_once
            and not outbound.closed
            and outbound.writer.has_room(len(command.data))
        ):
            # The way of nearly all commands: no step, since nothing changes but the record layer.
            outbound.writer.write(APPLICATION_DATA, command.data)
            return []
        if type(command) is Close:
            close(engine)
        else:
            self._take_command(command)
        events, engine.events = engine.events, []
        return events

    def _take_command(self, command: Command) -> None:
        engine = self._engine
        if type(engine.state) is Ended or (engine.outbound.closed and engine.pending is None):
            after = "the end of the connection" if type(engine.state) is Ended else "Close"
            raise LocalProtocolError(f"{type(command).__name__} after {after}; expected nothing more")
        try:
            if type(command) is SendData and engine.state.ESTABLISHED:
                self._renew_keys_for(len(command.data))
            engine.step(command)
            engine.settle()
        except LocalProtocolError:
            raise
        except Fault as fault:
            fail(engine, fault)
        except Exception as error:
            fail(engine, Fault(Reason.INTERNAL_ERROR, type(error).__name__), error)
        read(engine)

    def _renew_keys_for(self, length: int) -> None:
        """New keys before the old ones have protected too much (RFC 9846 section 5.5)."""
        engine = self._engine
        if not engine.outbound.writer.has_room(length):
            if not engine.state.VERSION.updates_keys:
                left = engine.outbound.writer.records_left
                raise LocalProtocolError(
                    f"SendData of {length} bytes, and the key is good for {left} more records"
                )
            engine.step(UpdateKeys())

    def data_to_send(self) -> bytes:
        """The bytes to be written to the peer since the last call, in order."""
        outbound = self._engine.outbound
        outbound.silent = False
        outbound.unsent_tickets = 0
        return outbound.writer.take()

    # --- forks -----------------------------------------------------------------------------------------------

    def __copy__(self) -> Self:
        """A fork: a connection in the same state that goes its own way from here.

        What never changes (the state, the config, events) is shared, and so is what the config refers to:
        ticket keys, a session cache, the source of entropy.
        """
        return forked(self)

    def __deepcopy__(self, memo: object) -> Self:
        return forked(self)

    def __reduce__(self) -> tuple[Any, ...]:
        """A fork for another process, with the secrets, the config and all that it refers to.

        The config's functions must be known there by the same names.  As always with pickle: read only what
        you have written yourself.
        """
        return unpickled, (type(self), pickled(self))

    # --- what is known ---------------------------------------------------------------------------------------

    @property
    def state(self) -> str:
        """The name of the current state, as in the diagrams."""
        return self._engine.place

    @property
    def pending(self) -> Question | None:
        """The question that waits for an answer."""
        return self._engine.pending

    @property
    def application(self) -> Any:
        """What was given to the connection, and is in the ``connection`` of its events: SSL_set_app_data of libssl.

        Whatever the application wants to have at hand in its answers; None unless it was given.  It can be set at
        any time, for the events to come; a fork shares it.
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
    def trailing_data(self) -> bytes:
        """What came after the peer's close_notify, with it, as it came: TLS is over, it belongs to whoever goes on."""
        return self._engine.trailing_data

    def export_keying_material(self, label: str, context: bytes | None, length: int) -> bytes:
        """Keying material of this connection for another purpose (RFC 9846 section 7.5, RFC 5705).

        ``label`` has 1 to 249 ASCII characters, ``length`` is in bytes.  In TLS 1.2 no ``context`` is not the
        same as an empty one.  LocalProtocolError before the end of the handshake, out of range, or after
        ``ConnectionTerminated``: the secrets of a connection that has failed are forgotten.
        """
        exporter = self._engine.established.exporter if self._engine.established is not None else None
        if exporter is None:
            expected = "a connection that goes on" if self._engine.established else "a completed handshake"
            raise LocalProtocolError(f"export_keying_material in {self.state}; expected {expected}")
        _check_exporter(label, context, length)
        return exporter.export(label.encode("ascii"), context, length)

    def tls_exporter(self) -> bytes:
        """The tls-exporter channel binding (RFC 9266), 32 bytes.

        LocalProtocolError as there, and in TLS 1.2 without extended master secret, where
        another connection may have the same (RFC 7627 section 1).
        """
        if self._engine.established is not None and not self._engine.established.extended_master_secret:
            raise LocalProtocolError("tls_exporter without extended master secret; it binds to nothing")
        return self.export_keying_material("EXPORTER-Channel-Binding", b"", 32)
