"""asyncio's streams over sansticket: ``open_connection`` and ``start_server`` with a config where ``ssl=`` would be.

    reader, writer = await open_connection("example.org", 443, config)
    server = await start_server(client_connected, "127.0.0.1", 4433, config)

``reader`` and ``writer`` are asyncio's own, so all that is known of them holds: ``drain`` is back-pressure,
``write_eof`` a half-close, ``wait_closed`` waits for the socket.  In between stands one protocol:

    the socket's transport  <->  TLSProtocol and TLSTransport  <->  the application's asyncio.Protocol

Time-outs and cancellation: a handshake that takes longer than ``timeout`` seconds, and an answer of the
application that does, end the connection with an alert.  So does a cancelled ``open_connection``.

The end: what is said last (close_notify or an alert) is written, then the socket's sending half is closed, and
what still comes is dropped until the peer closes, or stops taking bytes for ``linger`` seconds.  A socket closed
with unread bytes in it would send RST, and RST can destroy what the peer has not read yet: the alert.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from attrs import field, frozen

from sansticket import (
    AbortHandshake,
    ClientConfig,
    ClientConnection,
    Close,
    Command,
    Connection,
    Event,
    Question,
    Reason,
    SendData,
    ServerConfig,
    ServerConnection,
    Session,
    events,
)

READ_SIZE: Final = 32_768
"""Bytes read from the socket at once."""

TIMEOUT: Final = 30.0
LINGER: Final = 3.0

ClientConnected = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None] | None]


class TLSError(ConnectionError):
    """TLS has failed, or was cut off; ``event`` says why."""

    def __init__(self, event: events.ConnectionTerminated) -> None:
        super().__init__(str(event))
        self.event = event


@frozen
class Hooks:
    """What the application does on one connection, asynchronously.  Nothing is read or written meanwhile.

    ``answers``: a coroutine function for each class of questions that the config answers with ``ASK``.
    ``observe``: gets what has happened (except where that is data only) before the bytes are written that it
    caused.  With ``TicketIssued`` among it, it can put the session into a store before the client has the ticket.
    """

    answers: Mapping[type[Question], Callable[[Any], Awaitable[Command]]] = field(factory=dict)
    observe: Callable[[Sequence[Event]], Awaitable[None]] | None = None

    def concerns(self, happened: Sequence[Event]) -> bool:
        if self.observe is None:
            return any(isinstance(event, Question) for event in happened)
        return any(type(event) is not events.DataReceived for event in happened)

    async def answer(self, question: Question) -> Command:
        handler = self.answers.get(type(question))
        return AbortHandshake() if handler is None else await handler(question)


async def open_connection(
    host: str,
    port: int,
    config: ClientConfig,
    *,
    server_name: str | None = None,
    session: Session | None = None,
    sock: socket.socket | None = None,
    hooks: Hooks | None = None,
    limit: int = 65_536,
    **options: Any,
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect, and do the handshake.  ``sock`` is a socket that is connected already; ``options`` are those of
    ``TLSProtocol``.  Raises OSError: ``TLSError``, TimeoutError, or what connecting raises.
    """
    connection = ClientConnection(config, server_name or host, session, port=port)
    reader = asyncio.StreamReader(limit)
    app = asyncio.StreamReaderProtocol(reader)
    tls = TLSProtocol(connection, app, hooks or Hooks(), **options)
    loop = asyncio.get_running_loop()
    try:
        if sock is not None:
            await loop.create_connection(lambda: tls, sock=sock)
        else:
            await loop.create_connection(lambda: tls, host, port)
        await tls.ready
    except BaseException:
        tls.cancel()
        raise
    return reader, asyncio.StreamWriter(tls.transport, app, reader, loop)


async def start_server(
    client_connected: ClientConnected,
    host: str | None,
    port: int,
    config: ServerConfig,
    *,
    hooks: Callable[[], Hooks] = Hooks,
    limit: int = 65_536,
    **options: Any,
) -> asyncio.Server:
    """Listen; ``client_connected`` is called after each handshake.  ``hooks`` is called for each connection;
    ``options`` are those of ``TLSProtocol``.
    """

    def accept() -> TLSProtocol:
        app = asyncio.StreamReaderProtocol(asyncio.StreamReader(limit), client_connected)
        return TLSProtocol(ServerConnection(config), app, hooks(), **options)

    return await asyncio.get_running_loop().create_server(accept, host, port)


class TLSProtocol(asyncio.BufferedProtocol):
    """What the socket's transport talks to.  ``app`` is connected when the handshake is done, and so is ``ready``.

    ``https_compatible``: a stream that ends without close_notify has ended; otherwise that is a ``TLSError``,
    because anybody on the way can end a stream.  For HTTP, which knows by itself whether something is missing.
    """

    def __init__(
        self,
        connection: Connection,
        app: asyncio.Protocol,
        hooks: Hooks,
        *,
        timeout: float = TIMEOUT,
        linger: float = LINGER,
        https_compatible: bool = False,
    ) -> None:
        self.connection = connection
        self.transport = TLSTransport(self)
        self.loop = asyncio.get_running_loop()
        self.ready: asyncio.Future[None] = self.loop.create_future()
        self.app = app
        self.socket_transport: asyncio.Transport | None = None
        self.ending = False
        """Nothing more goes out, and what comes in is dropped."""
        self.reading_paused = False
        """By the application."""
        self.truncated = False
        self._hooks = hooks
        self._timeout = timeout
        self._linger = linger
        self._https_compatible = https_compatible
        self._buffer = memoryview(bytearray(READ_SIZE))
        self._timer: asyncio.TimerHandle | None = None
        self._connected = False
        self._lost = False
        self._attending: asyncio.Task[None] | None = None
        self._backlog: list[Command] = []
        self._socket_full = False
        self._app_paused = False
        self._end_of_stream = False
        self._error: Exception | None = None

    # --- what the socket's transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.socket_transport = transport
        self._call_later(self._timeout, self._give_up, TimeoutError("the TLS handshake took too long"))
        self._flush()

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        if not self.ending:
            self._step(self.connection.receive_data(self._buffer[:nbytes]))

    def eof_received(self) -> bool:
        self._end_of_stream = True
        if self.ending:
            self._close_socket()
        else:
            self._step(self.connection.receive_data(b""))
        return True  # the socket stays open, until we close it

    def connection_lost(self, error: Exception | None) -> None:
        self.ending = self._lost = True
        self._stop_timer()
        if self._attending is not None and self.connection.pending is not None:
            self._attending.cancel()
        self.connection.receive_data(b"")  # so that it knows, too
        error = self._error or error
        if self._connected:
            self.app.connection_lost(error)
        elif not self.ready.done():
            self.ready.set_exception(error or ConnectionResetError("connection lost in the TLS handshake"))
            self.ready.exception()  # of a server nobody asks for it

    def pause_writing(self) -> None:
        self._socket_full = True
        self.update_flow()

    def resume_writing(self) -> None:
        self._socket_full = False
        self.update_flow()

    # --- what TLSTransport calls

    def command(self, command: Command) -> None:
        """Carry it out, or put it off while the application is busy with a question."""
        if self._attending is not None:
            self._backlog.append(command)
        elif not self.ending:
            self._step(self.connection.send(command))
            if type(command) is Close and self.transport.is_closing():
                self._end(None)

    def update_flow(self) -> None:
        """Tell both neighbours whether they may go on.  While the application is busy neither may."""
        busy = self._attending is not None
        if self.socket_transport is not None and not self.socket_transport.is_closing():
            if self.ending or not (busy or self.reading_paused):
                self.socket_transport.resume_reading()
            else:
                self.socket_transport.pause_reading()
        paused = busy or self._socket_full
        if self._connected and paused != self._app_paused:
            self._app_paused = paused
            tell = self.app.pause_writing if paused else self.app.resume_writing
            tell()

    def cancel(self) -> None:
        """The caller wants no connection any more."""
        if not self.ending:
            self._give_up(ConnectionAbortedError("cancelled"))

    # --- what happens

    def _step(self, happened: list[Event]) -> None:
        """After every call that gives events: write what there is to write, then look at them."""
        if self._hooks.concerns(happened):
            self._attending = self.loop.create_task(self._attend(happened))
            self.update_flow()
        else:
            self._flush()
            self._handle(happened)

    async def _attend(self, happened: list[Event]) -> None:
        """The same where the application has to be waited for."""
        try:
            async with asyncio.timeout(self._timeout):
                while True:
                    if self._hooks.observe is not None:
                        await self._hooks.observe(happened)
                    if self._lost:
                        break  # the application knows of the end, or never of the connection
                    self._flush()
                    self._handle(happened)
                    question = self.connection.pending
                    if question is None:
                        break
                    happened = self.connection.send(await self._hooks.answer(question))
        except TimeoutError as error:
            self._give_up(error)
        except Exception as error:
            self.loop.call_exception_handler(
                {"message": "TLS hook failed", "exception": error, "protocol": self}
            )
            self._give_up(error)
        self._attending = None
        self.update_flow()
        backlog, self._backlog = self._backlog, []
        for command in backlog:
            self.command(command)

    def _handle(self, happened: list[Event]) -> None:
        for event in happened:
            match event:
                case events.HandshakeCompleted():
                    self._connect()
                case events.DataReceived(data) if not self.transport.is_closing():
                    self.app.data_received(data)
                case events.PeerClosed():
                    self._peer_closed()
                case events.ConnectionTerminated(Reason.TRUNCATED) if (
                    self._https_compatible and self._connected
                ):
                    self.truncated = True
                    self._peer_closed()
                    self._end(None)
                case events.ConnectionTerminated():
                    self._end(TLSError(event))

    def _connect(self) -> None:
        self._stop_timer()
        self._connected = True
        self.app.connection_made(self.transport)
        self.update_flow()
        if not self.ready.done():
            self.ready.set_result(None)

    def _peer_closed(self) -> None:
        if not self.app.eof_received():
            self.transport.close()

    def _flush(self) -> None:
        data = self.connection.data_to_send()
        if data and self.socket_transport is not None and not self.socket_transport.is_closing():
            self.socket_transport.write(data)

    # --- the end

    def _give_up(self, error: Exception) -> None:
        """It is us who cannot go on.  The peer is told, but not waited for."""
        if self._attending is not None and self._attending is not asyncio.current_task(self.loop):
            self._attending.cancel()
        if self.connection.pending is not None:
            self.connection.send(AbortHandshake())
        elif self.connection.version is None:
            self.connection.send(Close())  # user_canceled; later it would say that the data end here
        self._flush()
        self._error = self._error or error
        self.ending = True
        self._close_socket()

    def _end(self, error: Exception | None) -> None:
        """All has been said: let the peer read it, then close the socket."""
        if self.ending:
            return
        self._error = error
        self.ending = True
        if self._end_of_stream or self.socket_transport is None:
            self._close_socket()
        else:
            with suppress(OSError):  # the peer may have gone already
                self.socket_transport.write_eof()
            self.update_flow()
            self._wait_for_peer(None)

    def _wait_for_peer(self, unsent: int | None) -> None:
        """As long as it takes what we wrote, and then until it closes its side; ``connection_lost`` stops this."""
        assert self.socket_transport is not None
        left = self.socket_transport.get_write_buffer_size()
        if unsent is not None and not left < unsent:
            self.socket_transport.abort()
        else:
            self._call_later(self._linger, self._wait_for_peer, left)

    def _close_socket(self) -> None:
        if self.socket_transport is not None:
            self.socket_transport.close()
            self._wait_for_peer(None)

    def _call_later(self, delay: float, function: Callable[..., None], *arguments: object) -> None:
        """At most one thing is waited for at a time."""
        self._stop_timer()
        self._timer = self.loop.call_later(delay, function, *arguments)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()


class TLSTransport(asyncio.Transport):
    """What the application's protocol writes to.

    ``get_extra_info("tls")`` is the ``Connection``, which knows what was agreed on, and ``"truncated"`` whether
    the peer's stream ended without close_notify.
    """

    def __init__(self, tls: TLSProtocol) -> None:
        super().__init__()
        self._tls = tls
        self._closing = False

    def command(self, command: Command) -> None:
        """Any command besides data and the end: ``IssueTicket``, ``UpdateKeys`` and so on."""
        self._tls.command(command)

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        if data and not self.is_closing():
            self._tls.command(SendData(bytes(data)))

    def write_eof(self) -> None:
        self._tls.command(Close())

    def can_write_eof(self) -> bool:
        return True

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            self._tls.command(Close())

    def abort(self) -> None:
        self._closing = True
        if self._tls.socket_transport is not None:
            self._tls.socket_transport.abort()

    def is_closing(self) -> bool:
        return self._closing or self._tls.ending

    def pause_reading(self) -> None:
        self._tls.reading_paused = True
        self._tls.update_flow()

    def resume_reading(self) -> None:
        self._tls.reading_paused = False
        self._tls.update_flow()

    def is_reading(self) -> bool:
        return not self._tls.reading_paused and not self.is_closing()

    def get_write_buffer_size(self) -> int:
        return self._socket().get_write_buffer_size()

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return self._socket().get_write_buffer_limits()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._socket().set_write_buffer_limits(high, low)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        assert isinstance(protocol, asyncio.Protocol)
        self._tls.app = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._tls.app

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        if name == "tls":
            return self._tls.connection
        if name == "truncated":
            return self._tls.truncated
        return self._socket().get_extra_info(name, default)

    def _socket(self) -> asyncio.Transport:
        assert self._tls.socket_transport is not None
        return self._tls.socket_transport
