"""What the socket's transport talks to: the engine of the wrapper."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import cached_property
from typing import Any, Final, cast

from sansticket import (
    Close,
    Command,
    Connection,
    Event,
    LocalProtocolError,
    Reason,
    events,
)
from sansticket_wrappers.asyncio.buffers import App, buffers_of, deliver
from sansticket_wrappers.asyncio.early_data import EarlyData, Waiting
from sansticket_wrappers.asyncio.flow import Flow, Kept
from sansticket_wrappers.asyncio.hooks import Hooks, TLSError, Watch, bounded, cancelled_within, was_cancelled
from sansticket_wrappers.asyncio.transport import TLSTransport
from sansticket_wrappers.farewells import cut_off, farewell
from sansticket_wrappers.times import check_times

READ_SIZE: Final = 65_536
"""Bytes read from the socket at once: four records."""

TIMEOUT: Final = 30.0
LINGER: Final = 3.0


class TLSProtocol(Flow):
    """What the socket's transport talks to.  ``app`` is connected when the handshake is done, and so is ``ready``.

    ``early_data``: a server's ``app`` is connected as soon as early data comes, and gets it at once.  What it writes
    before the handshake is done goes out at once too where the config has ``half_rtt``, and waits otherwise.  Without
    this early data waits, and is the first that comes after the handshake.

    ``https_compatible``: a stream that ends without close_notify has ended; otherwise that is a ``TLSError``,
    because anybody on the way can end a stream.  For HTTP, which knows by itself whether something is missing.

    ``watch``: gets the events of each call before anything else does; it must be quick, and not raise.

    ``timeout``, ``linger``: seconds for the handshake and for each answer of the hooks, and for the end.
    ``read_size``: bytes that are read from the socket at once, 1 or more.

    Nothing of a connection that has ended refers to itself: it is gone as soon as nobody refers to it, and no garbage
    has to be collected for that.
    """

    # Not yet:
    closing: bool = False
    """The application has said that it is through."""
    ending: bool = False
    """Nothing more goes out, and what comes in is dropped."""
    truncated: bool = False
    _completed = False
    _lost = False
    _peer_has_closed = False
    _end_of_stream = False
    _buffer: memoryview | None = None
    _last_word = False
    """Close was said for good: what that brings is attended to, and then comes the end."""
    _backlog: deque[Command]
    _attending: asyncio.Task[None] | None = None
    _telling: asyncio.Task[None] | None = None

    def __init__(
        self,
        connection: Connection,
        app: App,
        hooks: Hooks,
        timeout: float = TIMEOUT,
        linger: float = LINGER,
        https_compatible: bool = False,
        read_size: int = READ_SIZE,
        early_data: bool = False,
        watch: Watch | None = None,
    ) -> None:
        check_times(timeout=timeout, linger=linger)
        if read_size < 1:
            raise ValueError(f"read_size: {read_size}; expected 1 byte or more")
        self.connection = connection
        self.loop: asyncio.AbstractEventLoop = asyncio.get_running_loop()
        self.ready: asyncio.Future[None] = self.loop.create_future()
        self.app = app
        self.socket_transport: asyncio.Transport | None = None
        self._hooks = hooks
        self._watch = watch
        self._timeout = timeout
        self._linger = linger
        self._https_compatible = https_compatible
        self._buffers = buffers_of(read_size)
        self._takes_early_data = early_data

    @property
    def transport(self) -> TLSTransport:
        """The way from the application to here.  It is not kept: it refers to this, and in nothing else does one differ
        from another.
        """
        return TLSTransport(self)

    @cached_property
    def early_data(self) -> EarlyData:
        return EarlyData(self.ready)

    # --- what the socket's transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's inherit from nothing of asyncio's
        self.socket_transport = cast(asyncio.Transport, transport)
        if self._hooks.application is not None:
            try:
                self.connection.application = self._hooks.application(self.socket_transport)
            except Exception as error:
                self._hook_failed(error)
                return
        self._call_later(self._timeout, self._give_up, TimeoutError("the TLS handshake took too long"))
        self._flush()

    def get_buffer(self, sizehint: int) -> memoryview:
        if self._buffer is None:
            self._buffer = self._buffers.take()
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        buffer = self._buffer
        assert buffer is not None
        happened = None
        if not self.ending:
            if self._busy or self._unread:
                if (excess := self._put_off(bytes(buffer[:nbytes]))) is not None:
                    self._give_up(excess)
            else:
                happened = self.connection.receive_data(buffer[:nbytes])
        self._give_back_buffer()
        if happened is not None:
            self._step(happened, received=True)

    def _give_back_buffer(self) -> None:
        if self._buffer is not None:
            self._buffers.give_back(self._buffer)
            self._buffer = None

    def eof_received(self) -> bool:
        self._give_back_buffer()
        self._end_of_stream = True
        if self.ending:
            self._close_socket()
        elif self._busy or self._unread:
            self._put_off(b"")
        else:
            self._step(self.connection.receive_data(b""))
        assert self.socket_transport is not None
        return self.socket_transport.can_write_eof()  # a socket stays open, until we close it

    def connection_lost(self, error: Exception | None) -> None:
        # Then it matters to nobody what the peer has not said.
        in_good_order = self.ending and self._error is None
        self.ending = self._lost = True
        self._stop_timer()
        asked = self.connection.pending is not None
        if self._attending is not None and asked:
            self._attending.cancel()
        happened = cut_off(self.connection)
        if not in_good_order:
            self._end_seen(happened)
        error = self._error or error
        if not self.ready.done():
            self.ready.set_exception(error or ConnectionResetError("connection lost in the TLS handshake"))
            self.ready.exception()  # of a server nobody asks for it
        if self._connected:
            self.app.connection_lost(error)

    # --- what TLSTransport calls

    def command(self, command: Command, *, has_waited: bool = False) -> None:
        """Carry it out, or put it off while the application is busy with a question."""
        if self._busy and not has_waited:
            self._backlog.append(command)
        elif not self.ending and not self._completed:
            self._waiting = self._waiting or Waiting()
            self._step(self._waiting.put(self.connection, command))
            self.update_flow()
        elif not self.ending:
            self._step(self.connection.send(command))
            self._last_word |= type(command) is Close and self.closing
            self._end_if_all_is_said()

    def close(self) -> None:
        if not self.closing:
            self.closing = True
            self.command(Close())

    def abort(self) -> None:
        self.closing = True
        if self.socket_transport is not None:
            self.socket_transport.abort()

    def cancel(self) -> None:
        """The caller wants no connection any more."""
        if not self.ending:
            self._give_up(ConnectionAbortedError("cancelled"))

    # --- what happens

    def _step(self, happened: list[Event], *, received: bool = False) -> None:
        """After every call that gives events: write what there is to write, then look at them."""
        if not happened:
            self._flush(received)
            return
        if self._watch is not None:
            self._watch(happened)
        if self._hooks.concerns(happened):
            self._begin_backlog()
            attending = self.loop.create_task(self._attend(happened))
            if not attending.done():  # as eager tasks may be
                self._attending = attending
                self.update_flow()
        else:
            self._flush(received)
            self._handle(happened)

    def _seen(self, happened: list[Event]) -> list[Event]:
        if self._watch is not None and happened:
            self._watch(happened)
        return happened

    def _end_seen(self, happened: list[Event]) -> None:
        """The same of an end for which nobody waits."""
        self._seen(happened)
        if self._hooks.observe is not None and self._hooks.concerns(happened):
            self._telling = self.loop.create_task(self._tell(happened, self._hooks.observe))

    async def _tell(
        self, happened: list[Event], observe: Callable[[Sequence[Event]], Awaitable[None]]
    ) -> None:
        try:
            await bounded(observe(happened), self._timeout)
        except Exception as error:
            self._report("TLS hook failed", error)

    async def _attend(self, happened: list[Event]) -> None:
        """The same where the application has to be waited for."""
        try:
            while True:
                if self._hooks.observe is not None:
                    await bounded(self._hooks.observe(happened), self._timeout)
                if self._lost:
                    break  # the application knows of the end, or never of the connection
                self._flush(received=True)
                self._handle(happened)
                question = self.connection.pending
                if question is None:
                    break
                answer = await bounded(self._hooks.answer(question), self._timeout)
                happened = self._seen(self.connection.send(answer))
        except TimeoutError as error:
            self._give_up(error)
        except Exception as error:
            self._hook_failed(error)
        except (KeyboardInterrupt, SystemExit):
            # It stops the loop, but who tidies up afterwards may wait for the end of this connection.
            self._give_up(ConnectionAbortedError("a hook was interrupted"))
            raise
        except asyncio.CancelledError as error:
            if was_cancelled():
                # It was whoever cancels all tasks: nobody would go on with this connection.
                if not self.ending:
                    self._give_up(ConnectionAbortedError("a hook was cancelled"))
                raise
            self._hook_failed(cancelled_within(error))
        self._attending = None
        self._work_off()
        self._end_if_all_is_said()

    def _begin_backlog(self) -> None:
        if not self._busy:
            self._busy, self._backlog = True, deque()

    def _work_off(self) -> None:
        """What was put off, in its order: until it is done, or the application is busy again, all else waits behind."""
        while self._backlog and self._attending is None:
            try:
                self.command(self._backlog.popleft(), has_waited=True)
            except LocalProtocolError as error:  # nobody is there to be told, and nothing has changed
                self._report("TLS command failed", error)
        if self._attending is None:
            self._busy = False
            self._read_on()

    def _handle(self, happened: list[Event]) -> None:
        for event in happened:
            heed = HEEDED_BY.get(type(event))
            if heed is not None:
                heed(self, event)

    def _take_data(self, event: events.DataReceived | events.EarlyDataReceived) -> None:
        if self._kept or self.reading_paused:
            self._keep(event)
        elif not (self.closing or self.ending):
            deliver(event.data, self.app)

    def resume(self) -> None:
        """The application may have data again."""
        self.reading_paused = False
        self._read_on()

    def _read_on(self) -> None:
        """First with what was kept, and not before the application has returned."""
        if self._kept or self._unread:
            self.loop.call_soon(self._pass_on)
        self.update_flow()

    def _pass_on(self) -> None:
        try:
            while not (self._busy or self.reading_paused or self.ending):
                if self._kept:
                    self._pass_one_on(self._kept.popleft())
                elif self._unread:
                    self._step(self.connection.receive_data(self._next_unread(self._unread)), received=True)
                else:
                    break
        except Exception as error:
            self._hook_failed(error, "data_received failed")
        self.update_flow()

    def _pass_one_on(self, event: Kept) -> None:
        if isinstance(event, events.PeerClosed):
            self._peer_closed()
        elif not (self.closing or self.ending):
            deliver(event.data, self.app)

    def _take_early_data(self, event: events.EarlyDataReceived) -> None:
        self.early_data.received += len(event.data)
        if not self._takes_early_data:
            self._waiting = self._waiting or Waiting()
            self._waiting.data.append(event)
            return
        if not self._connected:
            self._connect()
            self.update_flow()
        self._take_data(event)

    def _early_data_rejected(self, event: events.EarlyDataRejected) -> None:
        self.early_data.sent = 0

    def _terminated(self, event: events.ConnectionTerminated) -> None:
        if event.reason is Reason.TRUNCATED and self._https_compatible and self._completed:
            self.truncated = True
            self._peer_closed()
            self._end(None)
        else:
            self._end(TLSError(event))

    def _connect(self) -> None:
        self._connected = True
        self.app.connection_made(self.transport)

    def _complete(self, event: events.HandshakeCompleted | None = None) -> None:
        """The handshake is done: now there is nothing more that has to wait for it."""
        self._stop_timer()
        self._completed = True
        if not self.ready.done():
            self.ready.set_result(None)
        waiting, self._waiting = self._waiting, None
        if not self._connected:
            self._connect()
        if waiting is not None:
            for early in waiting.data:
                self._take_data(early)
            was_busy = self._busy
            self._begin_backlog()
            self._backlog.extendleft(reversed(waiting.commands))  # they were there first
            if not was_busy:
                self._work_off()
        self.update_flow()

    def _peer_closed(self, event: events.PeerClosed | None = None) -> None:
        if event is not None and self._kept:
            self._keep(event)
            return
        self._peer_has_closed = True
        if not self.app.eof_received():
            self.close()

    def _flush(self, received: bool = False) -> None:
        data = self.connection.data_to_send()
        if data and self.socket_transport is not None and not self.socket_transport.is_closing():
            self.socket_transport.write(data)
            if received:
                self.count_answer(len(data))

    # --- the end

    def _hook_failed(self, error: Exception, message: str = "TLS hook failed") -> None:
        self._report(message, error)
        self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        """It is us who cannot go on.  The peer is told, but not waited for."""
        if self._attending is not None and self._attending is not asyncio.current_task(self.loop):
            self._attending.cancel()
        with suppress(LocalProtocolError):  # close_notify was the last word
            self._end_seen(self.connection.send(farewell(self.connection)))
        self._flush()
        self._error = self._error or error
        self.ending = True
        self.update_flow()
        self._close_socket()

    def _end_if_all_is_said(self) -> None:
        """Tickets leave before close_notify: there may have been questions about them, and events to be observed."""
        if self._last_word and self._attending is None:
            self._end(None)

    def _end(self, error: Exception | None) -> None:
        """All has been said: let the peer read it, then close the socket.

        Not before the peer has closed its side, if it may still say something: see ``How a connection ends``.
        """
        if self.ending:
            return
        self._error = error
        self.ending = True
        self.update_flow()
        below = self.socket_transport
        if self._peer_has_closed or self._end_of_stream or below is None or not below.can_write_eof():
            self._close_socket()
        else:
            with suppress(OSError):  # the peer may have gone already
                below.write_eof()
            self._wait_for_peer(None)


HEEDED_BY: Final[dict[type[Event], Callable[[TLSProtocol, Any], None]]] = {
    events.HandshakeCompleted: TLSProtocol._complete,
    events.DataReceived: TLSProtocol._take_data,
    events.EarlyDataReceived: TLSProtocol._take_early_data,
    events.EarlyDataRejected: TLSProtocol._early_data_rejected,
    events.PeerClosed: TLSProtocol._peer_closed,
    events.ConnectionTerminated: TLSProtocol._terminated,
}
"""What each event does here; the others do nothing."""
