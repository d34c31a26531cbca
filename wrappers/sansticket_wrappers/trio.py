"""Trio over sansticket: ``TLSStream`` is a ``trio.abc.HalfCloseableStream`` over any other stream.

    async with await open_tls_over_tcp_stream("example.org", 443, config) as stream:
        await stream.send_all(b"hello")
        await stream.send_eof()
        async for data in stream: ...

    await serve_tls_over_tcp(handler, 4433, config)

One task may send while another one receives.  Three things are shared between them, each with its lock:

- the handshake, which whoever comes first does;
- the connection's turn: what happens is worked off, and questions are answered, before the next step is taken.
  Nothing is written during a turn, so a peer that does not read cannot keep us from reading;
- the outgoing bytes.  Whoever writes them goes on until there are none left, so what a receiver has to send
  (a KeyUpdate, an alert) it need not wait for.

The tickets of a TLS 1.3 server wait for its first write (or its end): its handshake ends with a message of the
client's, who may be writing already and read only afterwards.  A server that wrote its tickets then would not read,
and over a transport without a buffer neither side could go on.  What else a server has to send before its first
write (the answer to a KeyUpdate) waits with them; an alert does not.

Time-outs are Trio's: put a cancel scope around what may take too long.  A ``receive_some`` or ``do_handshake``
that was cancelled can be called again, a question that was open is asked again; a ``send_all`` that was cancelled
has broken the stream, because nobody knows which half of a record was sent.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from operator import index
from typing import Any, Final, TypedDict, Unpack

import trio

from sansticket import (
    AbortHandshake,
    ClientConfig,
    ClientConnection,
    Close,
    Command,
    Connection,
    Event,
    ProtocolVersion,
    Question,
    Reason,
    SendData,
    ServerConfig,
    ServerConnection,
    Session,
    events,
)
from sansticket_wrappers.answers import (
    ANSWER_TIMEOUT,
    NO_ANSWERS,
    OF_EARLY_DATA,
    Answers,
    asking,
    without_answer,
)
from sansticket_wrappers.making import Make

__all__ = ["StreamOptions", "TLSError", "TLSStream", "open_tls_over_tcp_stream", "serve_tls_over_tcp"]

log: logging.Logger = logging.getLogger(__name__)

READ_SIZE: Final = 65_536
LINGER: Final = 3.0
TIMEOUT: Final = 30.0


class TLSError(Exception):
    """Why TLS has ended; the cause of the ``trio.BrokenResourceError`` that is raised."""

    def __init__(self, event: events.ConnectionTerminated) -> None:
        super().__init__(str(event))
        self.event = event


class TLSStream(trio.abc.HalfCloseableStream):
    """``connection`` over ``transport``, which belongs to this stream from now on.

    ``answers``: a coroutine function for each class of questions that the config answers with ``ASK``; what stands for
    an answer that takes longer than ``answer_timeout`` seconds is in docs/wrappers.md.
    ``observe``: gets what has happened, data too, before the bytes are written that it caused; again, if it was
    cancelled.
    ``https_compatible``: a stream that ends without close_notify has ended; otherwise it is broken.
    ``linger``: how long ``aclose`` may take, in seconds.  After close_notify or an alert it waits for the peer to
    close as well: a socket closed with unread bytes in it sends RST, which can destroy what the peer has not read.
    """

    def __init__(
        self,
        transport: trio.abc.Stream,
        connection: Connection,
        *,
        answers: Answers = NO_ANSWERS,
        answer_timeout: float = ANSWER_TIMEOUT,
        observe: Callable[[Sequence[Event]], Awaitable[None]] | None = None,
        https_compatible: bool = False,
        linger: float = LINGER,
    ) -> None:
        self.transport = transport
        self.connection = connection
        self._answers = answers
        self._answer_timeout = answer_timeout
        self._observe = observe
        self._https_compatible = https_compatible
        self._linger = linger
        self._handshake = trio.Lock()
        self._turn = trio.Lock()
        self._outgoing = trio.StrictFIFOLock()
        self._busy: set[str] = set()
        self._incoming: bytes | bytearray | None = None
        self._happened: list[Event] = []
        self._received = bytearray()
        self._ready = False
        self._holds_back = False
        """A server before its first write: there may be tickets to send."""
        self._peer_closed = False
        self._write_closed = False
        self._closed = False
        self._cut_off = False
        """A send was, or the peer has gone: nothing more can be written."""
        self._broken: TLSError | None = None
        self._answer_failed: Exception | None = None

    # --- trio.abc.HalfCloseableStream

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        with self._only_one("sending"):
            await self.do_handshake()
            if self._write_closed:
                raise trio.ClosedResourceError("send_all after send_eof")
            if self._cut_off:
                raise trio.BrokenResourceError("nothing more can be sent")
            if data:
                await self._step(lambda: self.connection.send(SendData(data)))
                self._check()  # it may have been the end

    async def wait_send_all_might_not_block(self) -> None:
        with self._only_one("sending"):
            await self.do_handshake()
            async with self._outgoing:
                await self.transport.wait_send_all_might_not_block()

    async def send_eof(self) -> None:
        """Send close_notify: the peer can go on sending, and we receiving."""
        with self._only_one("sending"):
            await self.do_handshake()
            self._write_closed = True
            await self._step(lambda: self.connection.send(Close()))

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        if max_bytes is not None and index(max_bytes) < 1:
            raise ValueError("max_bytes must be 1 or more")
        with self._only_one("receiving"):
            if not self._received or self._closed:
                await self.do_handshake()
            while not self._received and not self._peer_closed:
                await self._receive()
            await trio.lowlevel.checkpoint()
            data = bytes(self._received[:max_bytes])
            del self._received[:max_bytes]
            return data

    async def aclose(self) -> None:
        if self._closed:
            await trio.lowlevel.checkpoint()
            return
        self._closed = True
        try:
            with trio.move_on_after(self._linger):
                await self._say_goodbye()
        except (trio.BrokenResourceError, trio.ClosedResourceError, trio.BusyResourceError):
            pass
        finally:
            happened = self.connection.receive_data(b"")  # so that it knows, too
            try:
                if self._cut_off:  # otherwise it matters to nobody what the peer has not said
                    with trio.move_on_after(self._linger):
                        await self._tell(happened)
            finally:
                await self.transport.aclose()

    # --- and more

    async def do_handshake(self) -> None:
        """Raises ``trio.BrokenResourceError`` from a ``TLSError`` if it fails.  All other methods do it as well."""
        self._check()
        if self._ready:
            await trio.lowlevel.checkpoint()
            return
        async with self._handshake:
            await self._flush()
            while not self._ready:
                await self._receive()

    async def command(self, command: Command) -> None:
        """Any command besides data and the end: ``IssueTicket``, ``UpdateKeys`` and so on."""
        await self.do_handshake()
        await self._step(lambda: self.connection.send(command))

    # --- steps

    async def _receive(self) -> None:
        """Take in what comes next.  Cancelled at any point, it can be called again."""
        self._check()
        if self._incoming is None and self.connection.pending is None:
            try:
                self._incoming = await self.transport.receive_some(READ_SIZE)
            except trio.BrokenResourceError:
                await self._lose()
                raise
        await self._step(self._take_incoming, receiving=True)

    def _take_incoming(self) -> list[Event]:
        data, self._incoming = self._incoming, None
        return [] if data is None else self.connection.receive_data(data)

    async def _lose(self) -> None:
        """The transport has failed: for the connection, and for who observes it, that is the end."""
        async with self._turn:
            happened = self.connection.receive_data(b"")
            for event in happened:
                if isinstance(event, events.ConnectionTerminated):
                    self._broken = TLSError(event)
            await self._tell(happened)

    async def _tell(self, happened: Sequence[Event]) -> None:
        if self._observe is not None and happened:
            await self._observe(tuple(happened))

    async def _step(self, act: Callable[[], list[Event]], *, receiving: bool = False) -> None:
        """Do one thing, and all that follows from it; then write.

        ``receiving``: for others that are writing we do not wait, once the handshake is done: they take what there
        is along.
        """
        wait = not (receiving and self._ready)
        async with self._turn:
            self._check()
            await self._attend(act())
        self._holds_back = self._holds_back and receiving and self._broken is None
        if not self._holds_back and (wait or not self._outgoing.locked()):
            await self._flush()
        if self._answer_failed is not None:
            error, self._answer_failed = self._answer_failed, None
            raise error

    async def _attend(self, happened: list[Event]) -> None:
        self._happened += happened
        while True:
            await self._tell(self._happened)
            happened, self._happened = self._happened, []
            for event in happened:
                self._handle(event)
            question = self.connection.pending
            if question is None:
                break
            self._happened += await self._answer(question)

    async def _answer(self, question: Question) -> list[Event]:
        """What a handler raises reaches the caller, after the alert that it causes; early data it only costs that."""
        try:
            command = without_answer(question)
            with trio.move_on_after(self._answer_timeout):
                command = await self._answers[type(question)](question)
            self._check()  # what was closed meanwhile has been answered
            return self.connection.send(command)
        except Exception as error:
            self._check()
            if isinstance(question, OF_EARLY_DATA):
                log.warning("answer to %s failed", type(question).__name__, exc_info=True)
                return self.connection.send(without_answer(question))
            self._answer_failed = error
            return self.connection.send(AbortHandshake())

    def _handle(self, event: Event) -> None:
        match event:
            case events.HandshakeCompleted(version=version):
                self._ready = True
                has_tickets = hasattr(self.connection, "unsent_tickets")  # a server's, also if it is recorded
                self._holds_back = has_tickets and version == ProtocolVersion.TLS_1_3
            case events.DataReceived(data) | events.EarlyDataReceived(data):
                self._received += data  # nobody reads before the handshake is done
            case events.PeerClosed():
                self._peer_closed = True
            case events.ConnectionTerminated(Reason.TRUNCATED) if self._https_compatible and self._ready:
                self._peer_closed = self._cut_off = True
            case events.ConnectionTerminated():
                self._broken = TLSError(event)

    async def _flush(self) -> None:
        async with self._outgoing:
            while data := self.connection.data_to_send():
                if self._cut_off:
                    raise trio.BrokenResourceError("nothing more can be sent")
                try:
                    await self.transport.send_all(data)
                except BaseException:
                    self._cut_off = True
                    raise

    async def _say_goodbye(self) -> None:
        """close_notify if there was nothing worse, then let the peer read it.

        Tickets leave before it, and what was to be asked about them is.  Not so while a question is open already: who
        was to answer it has been left, or takes his time.
        """
        left = self.connection.pending is not None
        happened = self.connection.send(Close())
        with trio.move_on_after(self._linger / 2):  # the rest is for the peer
            while not left and (question := self.connection.pending) is not None:
                happened += await self._last_answer(question)
        while (question := self.connection.pending) is not None:
            happened += self.connection.send(without_answer(question))
        await self._tell(happened)
        await self._flush()
        if isinstance(self.transport, trio.abc.HalfCloseableStream) and not self._peer_closed:
            await self.transport.send_eof()
            while await self.transport.receive_some(READ_SIZE):
                pass

    async def _last_answer(self, question: Question) -> list[Event]:
        """Where it fails something else stands for it: there is nobody who could be told."""
        command = without_answer(question)
        try:
            with trio.move_on_after(self._answer_timeout):
                command = await self._answers[type(question)](question)
            return self.connection.send(command)
        except Exception:
            log.warning("answer to %s failed", type(question).__name__, exc_info=True)
            return self.connection.send(without_answer(question))

    # --- what may not be done

    def _check(self) -> None:
        if self._closed:
            raise trio.ClosedResourceError("this stream was closed")
        if self._broken is not None:
            raise trio.BrokenResourceError(str(self._broken)) from self._broken

    @contextmanager
    def _only_one(self, what: str) -> Iterator[None]:
        if what in self._busy:
            raise trio.BusyResourceError(f"another task is {what}")
        self._busy.add(what)
        try:
            yield
        finally:
            self._busy.remove(what)


class StreamOptions(TypedDict, total=False):
    """What ``TLSStream`` can be told besides its connection."""

    answer_timeout: float
    observe: Callable[[Sequence[Event]], Awaitable[None]] | None
    https_compatible: bool
    linger: float


async def open_tls_over_tcp_stream(
    host: str,
    port: int,
    config: ClientConfig,
    *,
    server_name: str | None = None,
    session: Session | None = None,
    answers: Answers = NO_ANSWERS,
    application: Any = None,
    new_connection: Make = ClientConnection,
    **options: Unpack[StreamOptions],
) -> TLSStream:
    """Connect.  The handshake takes place with the first use.

    The config asks what ``answers`` answer; ``application`` is that of the connection, and ``new_connection`` makes it,
    for one that is recorded or drawn: see docs/wrappers.md.  ``options`` are those of ``TLSStream``.
    """
    connection = new_connection(
        asking(config, answers, ClientConfig),
        server_name or host,
        session,
        port=port,
        application=application,
    )
    try:
        transport = await trio.open_tcp_stream(host, port)
    except BaseException:
        connection.send(Close())  # nothing was sent: a session that was taken from the store goes back
        raise
    return TLSStream(transport, connection, answers=answers, **options)


async def serve_tls_over_tcp(
    handler: Callable[[TLSStream], Awaitable[object]],
    port: int,
    config: ServerConfig,
    *,
    host: str | None = None,
    timeout: float = TIMEOUT,
    answers: Answers = NO_ANSWERS,
    application: Callable[[trio.SocketStream], Any] = lambda transport: None,
    new_connection: Make = ServerConnection,
    task_status: trio.TaskStatus[list[trio.SocketListener]] = trio.TASK_STATUS_IGNORED,
    **options: Unpack[StreamOptions],
) -> None:
    """Listen, for ever.  ``handler`` is called after each handshake that takes no longer than ``timeout`` seconds.

    The config asks what ``answers`` answer; what ``application`` returns for the stream of a connection is what every
    question and event has of the application.  ``new_connection`` makes each, ``options`` are those of ``TLSStream``.
    Where ``application`` raises, or an answer or ``observe`` in a handshake, that is logged, and ends this connection
    alone; what ``handler`` raises comes out of here.
    """
    asked = asking(config, answers, ServerConfig)

    async def serve(transport: trio.SocketStream) -> None:
        try:
            connection = new_connection(asked, application=application(transport))
        except Exception:
            log.exception("what the application knows of a connection failed")
            await trio.aclose_forcefully(transport)
            return
        async with TLSStream(transport, connection, answers=answers, **options) as stream:
            if await _completes(stream, timeout):
                await handler(stream)

    await trio.serve_tcp(serve, port, host=host, task_status=task_status)


async def _completes(stream: TLSStream, timeout: float) -> bool:
    """Whether the handshake is done in time."""
    try:
        with trio.fail_after(timeout):
            await stream.do_handshake()
    except (trio.BrokenResourceError, trio.TooSlowError):
        return False  # observe has heard of it
    except Exception:
        log.exception("a TLS handshake failed")
        return False
    return True
