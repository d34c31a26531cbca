"""Connections that leave for another process: where one may, what it takes along, and how it arrives."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, Final, Protocol, TypeVar

from attrs import frozen

from sansticket import Handover, HandoverError, LocalProtocolError, events
from sansticket_wrappers.asyncio.protocol import TLSProtocol

T = TypeVar("T")

LOOK_AGAIN: Final = 0.05
"""Seconds after which a connection that was not ready to leave is looked at again."""


class Moved(Exception):
    """The connection has left for another process: nothing can be read or written here any more.

    Let it pass; what is said to the writer by the way (``close``) has no effect.
    """


@frozen
class Package:
    """A connection on its way: the socket (``descriptor`` is this process's own), and what goes with it."""

    descriptor: int
    handover: Handover
    unread: bytes
    state: bytes


class Carrier(Protocol):
    """Whoever brings connections to another process."""

    wanted: asyncio.Event
    """Connections are to leave."""
    under_way: int
    """How many have left their protocol and not arrived."""

    async def carry(self, package: Package) -> None:
        """Bring it there, or go on with it here; it is not under way any more."""
        ...


class MovableProtocol(TLSProtocol):
    """One that can leave; if it ``stays`` it has to be released first.  ``arriving`` is what was brought with it, from
    another process.
    """

    def __init__(
        self,
        *arguments: Any,
        carrier: Carrier,
        arriving: Package | None = None,
        stays: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(*arguments, **options)
        self.carrier = carrier
        self.released: asyncio.Event | None = asyncio.Event() if stays else None
        self.state: bytes = b"" if arriving is None else arriving.state
        self._arriving = arriving
        self._left = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        package, self._arriving = self._arriving, None
        if package is not None and not self.ending:
            self.go_on(package.unread, peer_closed=package.handover.peer_closed)

    def connection_lost(self, error: Exception | None) -> None:
        if self._left:
            self.app.connection_lost(None)
        else:
            super().connection_lost(error)

    @property
    def may_leave(self) -> asyncio.Event:
        """When to look whether it is to leave."""
        if self.released is None or self.released.is_set():
            return self.carrier.wanted
        return self.released

    @property
    def at_rest(self) -> bool:
        """The handshake is done, nobody is asked, and all is on its way, in both directions."""
        transport = self.socket_transport
        return (
            self._completed
            and not self.ending
            and not self._busy
            and not self._kept
            and not self._unread
            and transport is not None
            and not transport.get_write_buffer_size()
        )

    def go_on(self, unread: bytes, *, peer_closed: bool) -> None:
        """With a connection that is up already, of whose stream ``unread`` was not read yet."""
        self._flush()
        self._complete()
        self._handle([events.DataReceived(unread)] if unread else [])
        self._handle([events.PeerClosed()] if peer_closed else [])

    async def leave(self, reader: asyncio.StreamReader, state: bytes) -> Package | None:
        """Take it apart; None, and nothing has happened, if it is not ready: something is being written or asked."""
        transport = self.socket_transport
        if transport is None or self.closing or transport.is_closing() or not self.at_rest:
            return None
        try:
            descriptor = os.dup(transport.get_extra_info("socket").fileno())
        except OSError:  # there are too many open
            return None
        transport.pause_reading()
        try:
            handover = self.connection.export()
        except (LocalProtocolError, HandoverError):
            os.close(descriptor)
            self.update_flow()
            return None
        self._left = self.ending = True
        self.carrier.under_way += 1
        transport.abort()
        reader.feed_eof()
        return Package(descriptor, handover, await reader.read(), state)


async def at_rest(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    waiting: Callable[[], Coroutine[Any, Any, T]],
    state: bytes = b"",
) -> T:
    """What ``waiting()`` gives, a coroutine that reads; meanwhile the connection may leave for another process.

    For the place of a protocol where nothing is half done, before a request is read:
    ``line = await at_rest(reader, writer, reader.readline)``.  When it leaves this raises ``Moved``, nothing of what
    ``waiting`` would have read is lost, and the handler in the other process begins anew: with ``state``, in
    ``writer.get_extra_info("state")``, and with the same stream from here on.  ``waiting`` must be good to be cancelled
    and called again, as the methods of readers are.  Where the server is not one that can be replaced, it is just
    awaited.  TypeError for a state that is no bytes, before anything is waited for.
    """
    if not isinstance(state, bytes | bytearray):
        raise TypeError(f"at_rest() with a state of type {type(state).__name__}; expected bytes")
    tls = writer.get_extra_info("protocol_of_tls")
    if not isinstance(tls, MovableProtocol):
        return await waiting()
    while True:
        with suppress(_Wanted):
            return await _unless(tls.may_leave, waiting)
        if not tls.carrier.wanted.is_set():
            continue
        package = await tls.leave(reader, bytes(state))
        if package is not None:
            # Whoever cancels this handler does not hold up what is under way.
            await asyncio.shield(asyncio.ensure_future(tls.carrier.carry(package)))
            raise Moved
        await asyncio.sleep(LOOK_AGAIN)


class _Wanted(Exception):
    """The connection is to leave before what it waits for has come."""


async def _unless(event: asyncio.Event, waiting: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """What ``waiting()`` gives, or ``_Wanted`` if the event is set before.

    It waits in this very task: what it has read cannot be lost where that is cancelled.
    """
    limit = asyncio.timeout(None)

    def reach_limit(watch: asyncio.Future[Any]) -> None:
        with suppress(RuntimeError):  # it has come meanwhile
            if not watch.cancelled():
                limit.reschedule(asyncio.get_running_loop().time())

    watch = asyncio.ensure_future(event.wait())
    watch.add_done_callback(reach_limit)
    try:
        async with limit:
            return await waiting()
    except TimeoutError:
        if limit.expired():
            raise _Wanted from None
        raise
    finally:
        watch.cancel()


def unless_moved(
    handler: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None] | None],
) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    """The handler, for which it is no failure that its connection has left."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(Moved):
            result = handler(reader, writer)
            if result is not None:
                await result

    return handle
