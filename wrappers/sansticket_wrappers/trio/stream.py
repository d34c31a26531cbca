"""A ``trio.abc.HalfCloseableStream`` over any other stream."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from operator import index
from typing import Final, TypedDict

import trio

from sansticket import (
    Abort,
    AbortHandshake,
    Close,
    Command,
    Connection,
    Event,
    LocalProtocolError,
    ProtocolVersion,
    Question,
    Reason,
    SendData,
    events,
)
from sansticket.adapters.failures import ENDED
from sansticket_wrappers.answers import (
    ANSWER_TIMEOUT,
    NO_ANSWERS,
    OF_EARLY_DATA,
    Answers,
    without_answer,
)
from sansticket_wrappers.times import check_times

log: logging.Logger = logging.getLogger(__name__)

READ_SIZE: Final = 65_536
LINGER: Final = 3.0


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
        check_times(answer_timeout=answer_timeout, linger=linger)
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
        self._waits: set[trio.CancelScope] = set()
        self._incoming: bytes | bytearray | None = None
        self._happened: list[Event] = []
        self._telling = 0  # so many of these is the observer being told
        self._received = bytearray()
        self._ready = False
        self._established = False  # the handshake is done, and what it said last is written
        self._unwritten = True  # there may be bytes that nobody has in hand
        self._holds_back = False
        """A server before its first write: there may be tickets to send."""
        self._peer_closed = False
        self._write_closed = False
        self._closed = False
        self._cut_off = False
        """A send was, or the peer has gone: nothing more can be written."""
        self._broken: Exception | None = None
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
            try:
                async with self._outgoing:
                    with self._wait():
                        await self.transport.wait_send_all_might_not_block()
                    self._check()
                    if self._unwritten:
                        await self._write()
            finally:
                # The peer may be waiting for that.  Without a reader it leaves with what comes next.
                if self._unwritten:
                    self._wake()

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
            if not (self._received and self._established) or self._closed:
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
        self._wake()  # what still comes is read here, and room for our last word is not waited for
        try:
            with trio.move_on_after(self._linger):
                await self._say_goodbye()
        except (trio.BrokenResourceError, trio.ClosedResourceError, trio.BusyResourceError):
            pass
        finally:
            happened = self.connection.receive_data(b"")  # so that it knows, too
            try:
                if self._cut_off:  # otherwise it matters to nobody what the peer has not said
                    self._happened += happened
                    with trio.move_on_after(self._linger):
                        await self._tell_at_last()
            finally:
                await self.transport.aclose()

    # --- and more

    async def do_handshake(self) -> None:
        """Raises ``trio.BrokenResourceError`` from a ``TLSError`` if it fails.  All other methods do it as well."""
        self._check()
        if self._established:
            await trio.lowlevel.checkpoint()
            return
        async with self._handshake:
            while not self._established:
                await self._receive()

    async def command(self, command: Command) -> None:
        """Any command besides data and the end: ``IssueTicket``, ``UpdateKeys`` and so on."""
        await self.do_handshake()
        await self._step(lambda: self.connection.send(command))

    def abort(self) -> None:
        """Nothing more is sent, and ``aclose`` says so with an alert: close_notify would say that the data end here."""
        with suppress(LocalProtocolError):  # it does
            self._end_by(self.connection.send(Abort()))

    # --- steps

    async def _receive(self) -> None:
        """Go on with what was cancelled, or take in what comes next.  So it can be cancelled at any point."""
        self._check()
        if not self._has_begun():
            try:
                with self._wait():
                    self._incoming = await self.transport.receive_some(READ_SIZE)
            except trio.BrokenResourceError:
                await self._lose()
                raise
            self._check()
        await self._step(self._take_incoming, receiving=True)

    def _has_begun(self) -> bool:
        """Something that was cancelled.  What is unwritten is left to whoever is writing."""
        unwritten = self._unwritten and not self._outgoing.locked()
        asked = self.connection.pending is not None
        return self._incoming is not None or bool(self._happened) or asked or unwritten

    def _break(self, error: Exception) -> None:
        self._broken = error
        self._wake()

    def _wake(self) -> None:
        """Whoever waits for the peer, its bytes or room for ours, looks what else there is to do."""
        for scope in self._waits:
            scope.cancel()

    @contextmanager
    def _wait(self) -> Iterator[None]:
        """For the peer's bytes or for room, until it is there or somebody ``wakes`` who waits."""
        with trio.CancelScope() as scope:
            self._waits.add(scope)
            try:
                yield
            finally:
                self._waits.discard(scope)

    def _take_incoming(self) -> list[Event]:
        data, self._incoming = self._incoming, None
        return [] if data is None else self.connection.receive_data(data)

    async def _lose(self) -> None:
        """The transport has failed: for the connection, and for who observes it, that is the end."""
        async with self._turn:
            happened = self.connection.receive_data(b"")
            for event in happened:
                if isinstance(event, events.ConnectionTerminated):
                    self._break(TLSError(event))
            self._happened += happened
            await self._tell()

    async def _tell(self) -> tuple[Event, ...]:
        """What has happened, now that the observer knows.  Where it fails the connection does: close_notify would say
        that the data end here.

        What ``abort`` and ``aclose`` add meanwhile is not among it.
        """
        told = tuple(self._happened)
        if self._observe is not None and told:
            self._telling = len(told)
            try:
                await self._observe(told)
            except Exception as error:
                self._happened.clear()
                self._break(error)
                with suppress(LocalProtocolError):  # nothing more can be said
                    self.connection.send(Abort())
                raise
            finally:
                self._telling = 0
        del self._happened[: len(told)]
        return told

    async def _tell_at_last(self) -> None:
        """What nobody else tells.  Where that fails there is nobody who could be told."""
        untold = tuple(self._happened[self._telling :])
        del self._happened[self._telling :]
        if self._observe is not None and untold:
            try:
                await self._observe(untold)
            except Exception:
                log.warning("observe failed", exc_info=True)

    async def _step(self, act: Callable[[], list[Event]], *, receiving: bool = False) -> None:
        """Do one thing, and all that follows from it; then write.

        ``receiving``: for others that are writing we do not wait, once the handshake is done: they take what there
        is along.  And where it cannot be written, what the peer has sent is received all the same.
        """
        wait = not (receiving and self._established)
        async with self._turn:
            self._check()
            await self._attend([])  # what was cancelled
            if self._answer_failed is None:
                self._check()
                await self._attend(self._carry_out(act))
        self._holds_back = self._holds_back and receiving and self._broken is None
        if not self._holds_back:
            self._unwritten = True
            if wait or not self._outgoing.locked():
                try:
                    await self._flush()
                except trio.BrokenResourceError:
                    if wait and self._answer_failed is None:
                        raise
        if self._answer_failed is not None:
            error, self._answer_failed = self._answer_failed, None
            raise error

    def _carry_out(self, act: Callable[[], list[Event]]) -> list[Event]:
        """Also where that raises what no code expects: the connection has ended then, and from here on says so."""
        try:
            return act()
        except BaseException:
            if self.connection.state == ENDED:
                self._end_by(self.connection.receive_data(b""))
            raise

    def _end_by(self, happened: list[Event]) -> None:
        for event in happened:
            self._handle(event)
        self._happened += happened

    async def _attend(self, happened: list[Event]) -> None:
        self._happened += happened
        while True:
            for event in await self._tell():
                self._handle(event)
            question = self.connection.pending
            if question is not None:
                self._happened += await self._answer(question)
            elif not self._happened:
                break

    async def _answer(self, question: Question) -> list[Event]:
        """What a handler raises reaches the caller, after the alert that it causes; early data it only costs that."""
        self._check()  # who closes it asks himself
        try:
            command = without_answer(question)
            with trio.move_on_after(self._answer_timeout):
                command = await self._answers[type(question)](question)
            self._check()  # what was closed meanwhile has been answered
            return self._carry_out(lambda: self.connection.send(command))
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
                self._established = self._holds_back
            case events.DataReceived(data) | events.EarlyDataReceived(data):
                self._received += data  # nobody reads before the handshake is done
            case events.PeerClosed():
                self._peer_closed = True
            case events.ConnectionTerminated(Reason.TRUNCATED) if self._https_compatible and self._ready:
                self._peer_closed = self._cut_off = True
            case events.ConnectionTerminated():
                self._break(TLSError(event))

    async def _flush(self) -> None:
        async with self._outgoing:
            await self._write()

    async def _write(self) -> None:
        """All that there is.  To be called with ``_outgoing``."""
        while data := self.connection.data_to_send():
            if self._cut_off:
                raise trio.BrokenResourceError("nothing more can be sent")
            try:
                await self.transport.send_all(data)
            except BaseException as error:
                self._cut_off, self._unwritten = True, False
                if not (self._established or isinstance(error, Exception)):
                    self._break(trio.BrokenResourceError("cancelled while the handshake was written"))
                raise
        self._unwritten, self._established = False, self._ready

    async def _say_goodbye(self) -> None:
        """close_notify if there was nothing worse, then let the peer read it.

        Tickets leave before it, and what was to be asked about them is.  Not so while a question is open already: who
        was to answer it has been left, or takes his time.
        """
        left = self.connection.pending is not None
        self._happened += self.connection.send(Close())
        with trio.move_on_after(self._linger / 2):  # the rest is for the peer
            while not left and (question := self.connection.pending) is not None:
                self._happened += await self._last_answer(question)
        while (question := self.connection.pending) is not None:
            self._happened += self.connection.send(without_answer(question))
        await self._tell_at_last()
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
            return self._say(command, question)
        except Exception:
            log.warning("answer to %s failed", type(question).__name__, exc_info=True)
            return self._say(without_answer(question), question)

    def _say(self, command: Command, question: Question) -> list[Event]:
        """Unless the stream was aborted meanwhile: then nobody asks any more."""
        return self.connection.send(command) if self.connection.pending is question else []

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
