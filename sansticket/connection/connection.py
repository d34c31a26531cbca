"""Connections: bytes in, commands in, bytes out; and what is known.

Three methods do everything.  What happens behind them is in ``engine``; who decides what, in ``handshake``.
"""

from __future__ import annotations

from copy import copy
from io import BytesIO
from types import NoneType
from typing import Any, Self

from sansticket.commands import Close, Command, SendData
from sansticket.connection.engine import APPLICATION_DATA, Engine
from sansticket.connection.forks import COPIED_BY_A_FORK, ConnectionPickler, restore
from sansticket.errors import Fault, LocalProtocolError, Reason
from sansticket.events import (
    Event,
    Question,
)
from sansticket.handshake.machine.state import Ended
from sansticket.tickets.session import Session


def _check_exporter(label: Any, context: Any, length: Any) -> None:
    if not isinstance(label, str) or not label.isascii():
        raise LocalProtocolError(f"exporter label {label!r}; expected ASCII text")
    if not isinstance(context, bytes | NoneType) or not isinstance(length, int):
        raise LocalProtocolError(f"exporter context {context!r}, length {length!r}; expected bytes, a number")


class Connection(Engine):
    """What clients and servers have in common.  Make a ``ClientConnection`` or a ``ServerConnection``.

    Not thread-safe: one thread at a time, as with any object that changes.
    """

    __slots__ = ()

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
        if self._read_closed:
            return []
        self._events = []
        if len(data) == 0:
            self._end_of_stream = True
        elif self._end_of_stream:
            raise LocalProtocolError("receive_data after the end of the stream; expected no more calls")
        else:
            self._reader.feed(data)
        self._guarded_read()
        return self._events

    def send(self, command: Command) -> list[Event]:
        """Take a command.  Raises ``LocalProtocolError`` if the state does not allow it; then nothing has changed."""
        if type(command) is SendData and self._can_send_at_once(len(command.data)):
            # The way of nearly all commands: no step, since nothing changes but the record layer.
            self._writer.write(APPLICATION_DATA, command.data)
            return []
        self._events = []
        if type(command) is Close:
            self._close()
            return self._events
        if type(self._state) is Ended or (self._write_closed and self._pending is None):
            raise LocalProtocolError(
                f"{type(command).__name__} after {self._ending()}; expected nothing more"
            )
        try:
            if type(command) is SendData and self._state.ESTABLISHED:
                self._renew_keys_for(len(command.data))
            self._step(command)
            self._settle()
        except LocalProtocolError:
            raise
        except Fault as fault:
            self._fail(fault)
        except Exception as error:
            self._fail(Fault(Reason.INTERNAL_ERROR, type(error).__name__), error)
        self._guarded_read()
        return self._events

    def data_to_send(self) -> bytes:
        """The bytes to be written to the peer since the last call, in order."""
        self._silent = False
        self._unsent_tickets = 0
        return self._writer.take()

    # --- forks -----------------------------------------------------------------------------------------------

    def __copy__(self) -> Self:
        """A fork: a connection in the same state that goes its own way from here.

        What never changes (the state, the config, events) is shared, and so is what the config refers to:
        ticket keys, a session cache, the source of entropy.
        """
        fork = object.__new__(type(self))
        for kind in type(self).__mro__:
            for name in getattr(kind, "__slots__", ()):
                value = getattr(self, name)
                setattr(fork, name, copy(value) if name in COPIED_BY_A_FORK else value)
        return fork

    def __deepcopy__(self, memo: object) -> Self:
        return copy(self)

    def __reduce__(self) -> tuple[Any, ...]:
        """A fork for another process, with the secrets, the config and all that it refers to.

        The config's functions must be known there by the same names.  As always with pickle: read only what
        you have written yourself.
        """
        values = {
            name: getattr(self, name)
            for kind in type(self).__mro__
            for name in getattr(kind, "__slots__", ())
        }
        pickled = BytesIO()
        ConnectionPickler(pickled).dump(values)
        return restore, (type(self), pickled.getvalue())

    # --- what is known ---------------------------------------------------------------------------------------

    @property
    def pending(self) -> Question | None:
        """The question that waits for an answer."""
        return self._pending

    @property
    def version(self) -> int | None:
        return self._established.version if self._established is not None else None

    @property
    def cipher_suite(self) -> int | None:
        return self._established.suite.suite if self._established is not None else None

    @property
    def group(self) -> int | None:
        return self._established.group if self._established is not None else None

    @property
    def alpn_protocol(self) -> bytes | None:
        return self._established.alpn_protocol if self._established is not None else None

    @property
    def server_name(self) -> str | None:
        return self._established.server_name if self._established is not None else None

    @property
    def peer_certificates(self) -> tuple[bytes, ...]:
        """The peer's chain in DER, leaf first; after a resumption that of the session."""
        return self._established.peer_certificates if self._established is not None else ()

    @property
    def resumed(self) -> bool:
        return self.session is not None

    @property
    def session(self) -> Session | None:
        """The session that was resumed."""
        return self._established.resumed_session if self._established is not None else None

    @property
    def trailing_data(self) -> bytes:
        """What came after the peer's close_notify, with it, as it came: TLS is over, it belongs to whoever goes on."""
        return self._trailing_data

    def export_keying_material(self, label: str, context: bytes | None, length: int) -> bytes:
        """Keying material of this connection for another purpose (RFC 9846 section 7.5, RFC 5705).

        ``label`` has 1 to 249 ASCII characters, ``length`` is in bytes.  In TLS 1.2 no ``context`` is not the
        same as an empty one.  LocalProtocolError before the end of the handshake, out of range, or after
        ``ConnectionTerminated``: the secrets of a connection that has failed are forgotten.
        """
        exporter = self._established.exporter if self._established is not None else None
        if exporter is None:
            expected = "a connection that goes on" if self._established else "a completed handshake"
            raise LocalProtocolError(f"export_keying_material in {self.state}; expected {expected}")
        _check_exporter(label, context, length)
        return exporter.export(label.encode("ascii"), context, length)

    def tls_exporter(self) -> bytes:
        """The tls-exporter channel binding (RFC 9266), 32 bytes.

        LocalProtocolError as there, and in TLS 1.2 without extended master secret, where
        another connection may have the same (RFC 7627 section 1).
        """
        if self._established is not None and not self._established.extended_master_secret:
            raise LocalProtocolError("tls_exporter without extended master secret; it binds to nothing")
        return self.export_keying_material("EXPORTER-Channel-Binding", b"", 32)
