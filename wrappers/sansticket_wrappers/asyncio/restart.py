"""A server of asyncio whose place another process can take, with all of its connections."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable, Coroutine
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from sansticket import Handover, ServerConfig, ServerConnection
from sansticket_wrappers.answers import ANSWER_TIMEOUT, NO_ANSWERS, Answers, asking
from sansticket_wrappers.asyncio.hooks import Hooks, Watch
from sansticket_wrappers.asyncio.listening import Door, Listening, connect
from sansticket_wrappers.asyncio.moving import MovableProtocol, Package, unless_moved
from sansticket_wrappers.asyncio.passing import (
    CONNECTION,
    DONE,
    GO,
    LISTENER,
    READY,
    REFUSED,
    TAKEN,
    Line,
    RestartError,
    close_all,
    listeners_of,
    predecessor_at,
    unpacked,
)
from sansticket_wrappers.asyncio.protocol import LINGER, READ_SIZE, TIMEOUT
from sansticket_wrappers.asyncio.streams import ClientConnected, check_sizes, unless_failed
from sansticket_wrappers.making import Make
from sansticket_wrappers.times import check_times

T = TypeVar("T")

log = logging.getLogger(__name__)

PATIENCE: Final = 10.0
"""Seconds after which it is said that the other process does not answer."""
SLOW: Final = "the other process has not answered for %s s; it is waited for as long as it lives"

GRACE: Final = 30.0
"""Seconds that connections have to come to rest, unless said otherwise."""
STILL_THERE: Final = 0.25
"""Seconds after which it is seen that a successor has gone, of which nothing else is wanted just then."""


class RestartableServer:
    """A server that another process can take the place of: ``start`` it there, with the same ``path``.

    The successor gets the listening sockets, so that none is turned away that connects meanwhile, and every connection
    as soon as its handler is ``at_rest``.  Handshakes are ended where they began.  When all connections are there, or
    after ``grace`` seconds, ``replaced`` returns here.

    Leaving the ``async with`` block closes what is open.  Not thread-safe, and not for Windows.
    """

    # Not yet:
    _closed = False
    _over = False
    _line: Line | None = None
    _handing: asyncio.Task[None] | None = None

    def __init__(
        self,
        client_connected: ClientConnected,
        config: ServerConfig,
        path: str | os.PathLike[str],
        *,
        grace: float = GRACE,
        choose: Callable[[Handover], ServerConfig] | None = None,
        answers: Answers = NO_ANSWERS,
        answer_timeout: float = ANSWER_TIMEOUT,
        hooks: Callable[[], Hooks] = Hooks,
        limit: int = 65_536,
        timeout: float = TIMEOUT,
        linger: float = LINGER,
        https_compatible: bool = False,
        read_size: int = READ_SIZE,
        watch: Watch | None = None,
        new_connection: Make = ServerConnection,
    ) -> None:
        check_times(grace=grace, answer_timeout=answer_timeout, timeout=timeout, linger=linger)
        check_sizes(limit=limit, read_size=read_size)
        self.wanted: asyncio.Event = asyncio.Event()
        """A successor is there."""
        self.under_way: int = 0
        """Connections that have left, and not arrived."""
        self._handler = unless_failed(unless_moved(client_connected))
        self._config = asking(config, answers, ServerConfig)
        self._choose = choose
        self._path, self._grace = os.fspath(path), grace
        self._answers, self._answer_timeout, self._hooks = answers, answer_timeout, hooks
        self._limit, self._new_connection = limit, new_connection
        self._of_tls = (timeout, linger, https_compatible, read_size, False, watch)
        self._listeners: list[socket.socket] = []
        self._listening: list[Listening] = []
        self._live: set[MovableProtocol] = set()
        self._emptied = asyncio.Event()
        self._turn = asyncio.Lock()
        self._door = Door(self._path, self._somebody_came)
        self._arrived: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._replaced: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @classmethod
    async def start(
        cls,
        client_connected: ClientConnected,
        host: str,
        port: int,
        config: ServerConfig,
        path: str | os.PathLike[str],
        **options: Any,
    ) -> Self:
        """Take the place of the server at ``path``, or listen on ``host`` and ``port`` if there is none.

        ``host``: an address, or a name that has an IPv4 address; "" for all of IPv4, "::" for all of IPv6.
        ``path`` is that of a Unix socket, which only processes of this user can connect to: whoever can gets the
        connections with their secrets.  ``grace``: seconds that connections have to come to rest when a successor
        comes.  ``choose``: the config for a connection that comes from the predecessor, where it is not ``config``
        itself (``SelectConfig``).  ``new_connection`` makes those that begin here.  ``answers``, ``answer_timeout``,
        ``hooks``, ``limit``, ``timeout``, ``linger``, ``https_compatible``, ``read_size`` and ``watch`` are those of
        ``start_server``.
        Raises OSError: of the sockets, or ``RestartError`` where the predecessor does not say what is expected.
        """
        server = cls(client_connected, config, path, **options)
        loop = asyncio.get_running_loop()
        line = await loop.run_in_executor(None, predecessor_at, server._path)
        try:
            if line is None:
                server._listeners = [listener_at(host, port)]
                server._listen()
                server._door.open()
                server._arrived.set_result(None)
            else:
                server._listeners = await loop.run_in_executor(None, listeners_of, line)
                server._listen()
                await loop.run_in_executor(None, line.say, READY)
                server._begin(server._take_over, line)
        except BaseException:
            if line is not None:
                line.close()
            await server.close()
            raise
        return server

    @property
    def sockets(self) -> tuple[socket.socket, ...]:
        """Those that it listens on."""
        return tuple(self._listeners)

    @property
    def connections(self) -> int:
        """How many there are here, with those in their handshake."""
        return len(self._live)

    async def arrived(self) -> None:
        """Until all is here that the predecessor had, or it has gone; at once if there was none.

        Raises ``RestartError`` if the server is closed before.
        """
        await asyncio.shield(self._arrived)

    async def replaced(self) -> None:
        """Until a successor has all connections, or ``grace`` seconds have passed since it came.

        What has come to rest by then is still brought there, for as long as the successor lives.
        Raises ``RestartError`` if the server is closed before.
        """
        await asyncio.shield(self._replaced)

    async def close(self) -> None:
        """Stop listening, and cut off what is still here."""
        self._closed = True
        self._door.close()
        self._stop_listening(Listening.close)
        for listener in self._listeners:
            listener.close()
        for tls in tuple(self._live):
            tls.abort()
        _fail(self._arrived, "the server was closed before all had arrived")
        _fail(self._replaced, "the server was closed, and nobody has replaced it")
        if self._handing is not None:
            self._handing.cancel()
            await asyncio.wait([self._handing])

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _begin(self, handing: Callable[[Line], Coroutine[Any, Any, None]], line: Line) -> None:
        self._handing = asyncio.get_running_loop().create_task(handing(line))
        self._handing.add_done_callback(lambda task: line.close())  # it may be cancelled before it begins

    # --- serving

    def _listen(self) -> None:
        self._listening = [Listening(listener, self._accept) for listener in self._listeners]

    def _stop_listening(self, how: Callable[[Listening], None]) -> None:
        while self._listening:
            how(self._listening.pop())

    def _accept(self) -> MovableProtocol:
        return self._protocol(self._new_connection(self._config))

    def _protocol(self, connection: ServerConnection, **where: Any) -> MovableProtocol:
        app = asyncio.StreamReaderProtocol(asyncio.StreamReader(self._limit), self._handler)
        own = self._hooks().with_answers(self._answers, self._answer_timeout)
        return _Counted(
            *(connection, app, own, *self._of_tls),
            live=self._live,
            emptied=self._emptied,
            carrier=self,
            **where,
        )

    # --- the successor's part

    async def _take_over(self, line: Line) -> None:
        """Everything that the predecessor has, until it says that it is done."""
        try:
            while True:
                kind, content, descriptor = await _received(line)
                if kind != CONNECTION:
                    close_all([descriptor])
                    break
                await self._take(line, content, descriptor)
        except OSError as error:
            log.warning("the predecessor went before it was done: %s", error)
        finally:
            line.close()
            self._handing = None
            if not self._arrived.done():
                self._arrived.set_result(None)
            self._open_door()

    async def _take(self, line: Line, content: bytes, descriptor: int) -> None:
        """A connection, if it fits; it is ours when the predecessor has said so.  OSError where it does not."""
        loop = asyncio.get_running_loop()
        try:
            package = unpacked(content, descriptor)
            protocol = self._restored(package)
        except Exception as error:  # of ``choose`` and ``hooks`` too: one connection is not all
            why = str(error) or type(error).__name__
            log.warning("a connection stays with the predecessor: %s", why)
            await loop.run_in_executor(None, line.say, REFUSED)
            return
        try:
            await loop.run_in_executor(None, line.say, TAKEN)
            await _patiently(line.expect, GO)
        except BaseException:
            self._live.discard(protocol)
            close_all([descriptor])
            raise
        try:
            await self._adopt(package, protocol)
        except OSError as error:
            log.warning("a connection is lost: %s", error)

    def _restored(self, package: Package, *, stays: bool = False) -> MovableProtocol:
        """Who goes on with the connection; where there can be nobody its descriptor is closed."""
        try:
            config = self._config if self._choose is None else self._choose(package.handover)
            connection = ServerConnection.restore(package.handover, config)
            return self._protocol(connection, arriving=package, stays=stays)
        except BaseException:
            close_all([package.descriptor])
            raise

    async def _adopt(self, package: Package, protocol: MovableProtocol) -> None:
        """Go on with a connection; its descriptor is ours, whatever becomes of it."""
        try:
            await connect(socket.socket(fileno=package.descriptor), protocol)
        except BaseException:
            self._live.discard(protocol)
            raise
        if self._closed:
            protocol.abort()

    # --- the predecessor's part

    def _open_door(self) -> None:
        if not self._closed:
            self._door.open_in_time()

    def _somebody_came(self, line: Line) -> None:
        self._begin(self._hand_over, line)

    async def _hand_over(self, line: Line) -> None:
        """All to the successor; if it fails before it listens, or goes, this server goes on."""
        loop = asyncio.get_running_loop()
        try:
            await _patiently(self._give_listeners, line)
            self._stop_listening(Listening.stop)
            self._line = line
            self.wanted.set()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._grace):
                    await self._until_empty(line)
            async with self._turn:  # not amid a connection
                self._line, self._over = None, True
                await loop.run_in_executor(None, line.send, DONE)
        except OSError as error:
            log.warning("the successor has gone: %s", error)
            self._go_on()
        else:
            self._replaced.set_result(None)
        finally:
            line.close()

    def _give_listeners(self, line: Line) -> None:
        line.expect_greeting()
        for left, listener in zip(range(len(self._listeners) - 1, -1, -1), self._listeners, strict=True):
            line.send(LISTENER, b"" if left else b"last", listener.fileno())
        line.expect(READY)

    async def _until_empty(self, line: Line) -> None:
        while self._live or self.under_way:
            self._emptied.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._emptied.wait(), STILL_THERE)
            if self._line is None:
                raise RestartError("it does not answer")
            if line.gone:
                raise RestartError("it has closed its end")

    async def carry(self, package: Package) -> None:
        """Bring it to the successor; where that does not take it, it goes on here, unless this server was closed."""
        try:
            async with self._turn:
                taken = await self._delivered(package)
            if taken or self._closed:
                close_all([package.descriptor])
            else:
                stays = self._over or self._line is not None
                await self._adopt(package, self._restored(package, stays=stays))
        finally:
            self.under_way -= 1
            self._emptied.set()

    async def _delivered(self, package: Package) -> bool:
        line = self._line
        if line is None:
            return False
        try:
            return await _patiently(line.deliver, package)
        except OSError:
            if self._line is line:
                self._line = None
            self._emptied.set()
            return False

    def _go_on(self) -> None:
        self.wanted.clear()
        self._line, self._handing, self._over = None, None, False
        for tls in self._live:
            if tls.released is not None:
                tls.released.set()  # another successor may have it
        if not self._listening:
            self._listen()
        self._open_door()


def listener_at(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family)


async def _patiently(function: Callable[..., T], *arguments: Any) -> T:
    """What a function of a line gives, which waits for the other process: that it is slow is said, and no more."""
    loop = asyncio.get_running_loop()
    slow = loop.call_later(PATIENCE, log.warning, SLOW, PATIENCE)
    try:
        return await loop.run_in_executor(None, function, *arguments)
    finally:
        slow.cancel()


async def _received(line: Line) -> tuple[bytes, bytes, int]:
    """What the line has received; the descriptor of what nobody waits for any more is closed."""
    receiving = asyncio.get_running_loop().run_in_executor(None, line.receive)
    try:
        return await asyncio.shield(receiving)
    except asyncio.CancelledError:
        receiving.add_done_callback(_drop)
        raise


def _drop(receiving: asyncio.Future[tuple[bytes, bytes, int]]) -> None:
    if not receiving.cancelled() and receiving.exception() is None:
        close_all([receiving.result()[2]])


def _fail(future: asyncio.Future[None], why: str) -> None:
    """Whether anybody waits for it is their affair."""
    if not future.done():
        future.set_exception(RestartError(why))
        future.exception()


class _Counted(MovableProtocol):
    """One that is in ``live`` as long as it has a socket here."""

    def __init__(
        self, *arguments: Any, live: set[MovableProtocol], emptied: asyncio.Event, **options: Any
    ) -> None:
        super().__init__(*arguments, **options)
        self._all, self._emptied = live, emptied
        live.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self._all.discard(self)
        self._emptied.set()
