"""What the transport below talks to: the engine of the wrapper."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Final, TypedDict, TypeVar

from twisted.internet import error
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.error import ConnectingCancelledError, ConnectionDone, NoProtocol, TimeoutError
from twisted.internet.interfaces import IHalfCloseableProtocol, IHandshakeListener, IPushProducer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from sansticket import (
    Close,
    Command,
    Connection,
    Event,
    LocalProtocolError,
    Reason,
    events,
)
from sansticket_wrappers.farewells import cut_off, farewell
from sansticket_wrappers.times import check_times
from sansticket_wrappers.twisted.below import abort, ask, has_half_close
from sansticket_wrappers.twisted.hooks import Hooks, Kept, TLSError
from sansticket_wrappers.twisted.transport import TLSTransport
from sansticket_wrappers.unread import MAX_ANSWERS

TIMEOUT: Final = 30.0
LINGER: Final = 3.0

log = Logger()
T = TypeVar("T")


class ProtocolOptions(TypedDict, total=False):
    """What a ``TLSProtocol`` can be told besides its connection and its application."""

    timeout: float
    linger: float
    https_compatible: bool


@implementer(IHalfCloseableProtocol, IPushProducer)
class TLSProtocol(Protocol):
    """What the transport below talks to, and what produces for it.

    ``https_compatible``: a stream that ends without close_notify has ended; otherwise that is a ``TLSError``,
    because anybody on the way can end a stream.  For HTTP, which knows by itself whether something is missing.
    """

    transport: Any
    _said_close = False
    """And what that brings is not done yet."""
    _answers = 0
    """Bytes that the peer has brought about since it takes no more."""
    _peer_closed = False
    _end_of_stream = False
    _untold = False

    def __init__(
        self,
        reactor: Any,
        connection: Connection,
        build: Callable[[], Any],
        hooks: Hooks,
        *,
        timeout: float = TIMEOUT,
        linger: float = LINGER,
        https_compatible: bool = False,
    ) -> None:
        check_times(timeout=timeout, linger=linger)
        self.reactor = reactor
        self.connection = connection
        self.app: Any = None
        """The application's protocol, from the handshake to the end."""
        self.app_transport: TLSTransport = TLSTransport(self)
        self.ending: bool = False
        """Nothing more goes out, and what comes in is dropped."""
        self.lost: bool = False
        """So is the transport below, and the application has been told."""
        self.reading_paused: bool = False
        """By the application."""
        self.truncated: bool = False
        self._build = build
        self._hooks = hooks
        self._timeout = timeout
        self._linger = linger
        self._https_compatible = https_compatible
        self._timer: Any = None
        self._waiter: Deferred[Any] | None = None
        self._busy = False
        self._awaited: Deferred[Any] = succeed(None)
        self._backlog: deque[Command | bytes] = deque()
        self._full = False
        self._reading = True
        self._early_data: list[Kept] = []
        self._kept: deque[Kept] = deque()
        self._reason: Failure | None = None

    def ready(self) -> Deferred[Any]:
        """Fires with the application's protocol when the handshake is done, or fails.  To be called once."""
        waiter: Deferred[Any] = Deferred(lambda _: self.cancel())
        self._waiter = waiter
        self._tell_waiter()
        return waiter

    # --- what the transport below calls

    def connectionMade(self) -> None:
        ask(self.transport, "registerProducer", self, True)
        if self._hooks.application is not None:
            try:
                self.connection.application = self._hooks.application(self.transport)
            except Exception:
                self._hook_failed(Failure())
                return
        self._call_later(self._timeout, self.give_up, _too_long("the TLS handshake"))
        self._flush()

    def dataReceived(self, data: bytes) -> None:
        self.do(data)

    def readConnectionLost(self) -> None:
        self._end_of_stream = True
        if self.ending:
            self._close_transport()
        else:
            self.do(b"")

    def writeConnectionLost(self) -> None:
        """Because we have closed it."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._stop_timer()
        in_good_order = self.ending and self._reason is None
        self._reason = self._reason or self._judge(reason)
        self.ending = self._end_of_stream = True
        asked = self.connection.pending is not None
        happened = cut_off(self.connection)
        if not in_good_order:  # otherwise it matters to nobody what the peer has not said
            self._tell(happened)
        if asked:
            self._awaited.cancel()
        self.app_transport.end_producing()
        self._tell_waiter()
        if self.app is not None:
            self.app.connectionLost(self._reason)
        # Both refer to this: without garbage to be collected it is gone when nobody refers to them.
        self.lost, self.app = True, None
        del self.app_transport

    def pauseProducing(self) -> None:
        self._full = True
        self.update_flow()

    def resumeProducing(self) -> None:
        self._full = False
        self._answers = 0
        if self.ending:
            self._shut_down()
        else:
            self._tell_of_half_close()
            self.update_flow()

    def stopProducing(self) -> None:
        """``connectionLost`` will follow."""

    # --- what TLSTransport calls

    def do(self, what: Command | bytes) -> None:
        """Carry out a command or take bytes in; or put it off while the application is busy with a question."""
        if self._busy:
            self._backlog.append(what)
        elif not self.ending:
            self._step(self._act(what), received=isinstance(what, bytes))

    def update_flow(self) -> None:
        """Tell both neighbours whether they may go on.  While the application is busy neither may."""
        if self.lost:
            return
        waits = self._busy or self.reading_paused or self._kept or self._answers > MAX_ANSWERS
        reading = self.ending or not waits
        if reading != self._reading and not self._end_of_stream:
            self._reading = reading
            ask(self.transport, "resumeProducing" if reading else "pauseProducing")
        self.app_transport.let_produce(not (self.ending or self._busy or self._full))

    def read_on(self) -> None:
        """The application may have data again: first what was kept, and not before it has returned."""
        if self._kept:
            self.reactor.callLater(0, self._pass_on)
        self.update_flow()

    def cancel(self) -> None:
        """The caller wants no connection any more."""
        self.give_up(Failure(ConnectingCancelledError(ask(self.transport, "getPeer"))))

    def abort(self) -> None:
        if not self.ending:
            self.ending, self._reason = True, Failure(error.ConnectionAborted())
        abort(self.transport)

    def give_up(self, reason: Failure) -> None:
        """It is us who cannot go on."""
        if not self.ending:
            with suppress(LocalProtocolError):  # close_notify was the last word
                self._tell(self.connection.send(farewell(self.connection)))
            self._flush()
            self._end(reason)
        self._awaited.cancel()

    # --- what happens

    def _act(self, what: Command | bytes) -> list[Event]:
        if isinstance(what, bytes):
            return self.connection.receive_data(what)
        happened = self.connection.send(what)
        self._said_close |= type(what) is Close
        return happened

    def _act_late(self, what: Command | bytes) -> list[Event]:
        """The same for what was put off: nobody is there to be told that it was wrong, and nothing has changed."""
        try:
            return self._act(what)
        except LocalProtocolError:
            log.failure("TLS command failed")
            return []

    def _step(self, happened: list[Event], *, received: bool = False) -> None:
        """After every call that gives events: write what there is to write, then look at them."""
        if self._hooks.concerns(happened):
            self._busy = True
            self.update_flow()
            Deferred.fromCoroutine(self._attend(happened)).addErrback(self._hook_failed)
        else:
            self._flush(received)
            self._handle(happened)
            if not self._busy:  # with what the application has said by the way
                self._close_if_all_is_said()

    async def _attend(self, happened: list[Event]) -> None:
        """The same where the application has to be waited for, and then what was put off meanwhile."""
        try:
            while True:
                await self._wait_for(self._hooks.tell(happened))
                self._flush(received=True)
                self._handle(happened)
                question = self.connection.pending
                if question is None:
                    self._close_if_all_is_said()
                if self.ending:
                    break
                if question is not None:
                    happened = self.connection.send(await self._wait_for(self._hooks.answer(question)))
                elif self._backlog:
                    happened = self._act_late(self._backlog.popleft())
                else:
                    break
        finally:
            self._busy = False
        self.read_on()

    def _tell(self, happened: list[Event]) -> None:
        """Of the end, for which nobody waits."""
        told = Deferred.fromCoroutine(self._hooks.tell(happened))
        told.addErrback(lambda failure: log.failure("TLS hook failed", failure))

    async def _wait_for(self, hook: Coroutine[Any, Any, T]) -> T:
        """Its result.  CancelledError when the connection has ended meanwhile."""
        timer = self.reactor.callLater(self._timeout, self.give_up, _too_long("an answer of the application"))
        self._awaited = awaited = Deferred.fromCoroutine(hook)
        try:
            result = await awaited
        finally:
            if timer.active():
                timer.cancel()
        if self.ending:
            raise CancelledError
        return result

    def _hook_failed(self, failure: Failure, message: str = "TLS hook failed") -> None:
        if not failure.check(CancelledError):
            log.failure(message, failure)
        self.give_up(failure)

    def _handle(self, happened: list[Event]) -> None:
        for event in happened:
            if self.ending:
                break
            match event:
                case events.HandshakeCompleted():
                    self._connect()
                case events.DataReceived() | events.PeerClosed():
                    self._peer_closed |= type(event) is events.PeerClosed
                    self._take(event)
                case events.EarlyDataReceived():
                    self._early_data.append(event)
                case events.ConnectionTerminated(Reason.TRUNCATED) if self._https_compatible and self.app:
                    self.truncated = True
                    self._tell_of_the_peers_close()
                    self._end(None)
                case events.ConnectionTerminated():
                    self._end(Failure(TLSError(event)))

    def _take(self, event: Kept) -> None:
        """For the application, unless it has paused; of the end it hears all the same, but not before the data."""
        if self._kept or (self.reading_paused and not isinstance(event, events.PeerClosed)):
            self._kept.append(event)
        else:
            self._give(event)

    def _give(self, event: Kept) -> None:
        if isinstance(event, events.PeerClosed):
            self._tell_of_the_peers_close()
        elif not (self.ending or self.app_transport.disconnecting):
            self.app.dataReceived(event.data)

    def _pass_on(self) -> None:
        try:
            while self._kept and not (self._busy or self.reading_paused or self.ending):
                self._give(self._kept.popleft())
        except Exception:
            self._hook_failed(Failure(), "dataReceived failed")
        self.update_flow()

    def _connect(self) -> None:
        self._stop_timer()
        self.app = self._build()
        if self.app is None:
            self.app_transport.loseConnection()
            return
        self.app.makeConnection(self.app_transport)
        if IHandshakeListener.providedBy(self.app):
            self.app.handshakeCompleted()
        self._tell_waiter()
        early, self._early_data = self._early_data, []
        for event in early:
            self._take(event)

    def _tell_of_the_peers_close(self) -> None:
        if IHalfCloseableProtocol.providedBy(self.app):
            self.app.readConnectionLost()
        else:
            transport = self.app_transport
            transport.end_producing()
            transport.loseConnection()

    def _close_if_all_is_said(self) -> None:
        """close_notify is out, and before it the tickets, of which somebody may have been asked and told."""
        if not self._said_close or self.ending:
            return
        self._said_close = False
        if self.app_transport.disconnecting:
            self._end(Failure(NoProtocol()) if self.app is None else None)
        else:
            self._untold = True
            told = deferLater(self.reactor, 0, self._tell_of_half_close)
            told.addErrback(self._hook_failed, "writeConnectionLost failed")

    def _tell_of_half_close(self) -> None:
        """Not before it has been written."""
        if self._untold and not self._full and not self.ending:
            self._untold = False
            if IHalfCloseableProtocol.providedBy(self.app):
                self.app.writeConnectionLost()

    def _tell_waiter(self) -> None:
        waiter = self._waiter
        if waiter is not None and (self.app is not None or self._reason is not None):
            self._waiter = None
            if self.app is not None:
                waiter.callback(self.app)
            else:
                waiter.errback(self._reason)

    def _flush(self, received: bool = False) -> None:
        """What the peer has brought about is bounded, where it takes no more: then it is not read."""
        if data := self.connection.data_to_send():
            self.transport.write(data)
            if received and self._full:
                self._answers += len(data)
                self.update_flow()

    # --- the end

    def _end(self, reason: Failure | None) -> None:
        """All has been said: let the peer read it, then close the transport.

        If that is what the application wanted, the peer may take its time to read what was written, as with any
        transport: only ``abortConnection`` is quicker.  After a failure it may not.
        """
        if self.ending:
            return
        self.ending = True
        self._reason = reason
        self.update_flow()
        self._tell_waiter()
        if reason is not None or not self._full:
            self._shut_down()

    def _shut_down(self) -> None:
        self._full = False
        ask(self.transport, "unregisterProducer")
        if self._end_of_stream or self._peer_closed or not has_half_close(self.transport):
            self._close_transport()
        else:
            self.transport.loseWriteConnection()
            self._call_later(self._linger, self._close_transport)

    def _close_transport(self) -> None:
        self._stop_timer()
        if self._reason is not None:
            self._call_later(self._linger, abort, self.transport)
        self.transport.loseConnection()

    def _judge(self, reason: Failure) -> Failure:
        """Why the connection was lost, if nothing is known but what the transport says.

        One that does not tell of half-closes says of every end of the stream that it is clean.
        """
        if self.ending or self._peer_closed or not reason.check(ConnectionDone):
            return reason
        if self._https_compatible and self.app is not None:
            self.truncated = True
            return reason
        return Failure(TLSError(events.ConnectionTerminated(Reason.TRUNCATED, None)))

    def _call_later(self, delay: float, act: Callable[..., object], *arguments: Any) -> None:
        self._stop_timer()
        self._timer = self.reactor.callLater(delay, act, *arguments)

    def _stop_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()


def _too_long(what: str) -> Failure:
    return Failure(TimeoutError(string=f"{what} took too long"))
