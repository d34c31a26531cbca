"""500 connections whose clients are slow, or a flood, and are killed: nothing of them is left, whoever has the sockets.

The clients are a process of their own, with the standard library's TLS.  Some say nothing, some half a ClientHello,
some a whole one and no more; of those that have done their handshake some are silent, and a few send without end and
read nothing.  Then the process is killed.
"""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest
import trio
import uvloop
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.selectreactor import SelectReactor

from sansticket import ClientConnection, ServerConfig, ServerConnection
from sansticket_wrappers.asyncio import start_server
from sansticket_wrappers.blocking import SSLContext
from sansticket_wrappers.trio import TLSStream, serve_tls_over_tcp
from sansticket_wrappers.twisted import TLSServerEndpoint
from tests.support.command import PATIENCE, Command
from tests.support.configs import client_config, server_config
from tests.support.sockets import beside

try:
    from twisted.internet.epollreactor import EPollReactor as UsualReactor
except ImportError:  # only Linux has it
    UsualReactor = SelectReactor

HOW_MANY: Final = 500
FLOODS: Final = 3
ENOUGH: Final = 32_000_000
"""Bytes that one of a flood gets rid of only where nobody holds it back: the system's buffers have a few million."""
FOR_EACH: Final = 100_000
"""Bytes of memory of a connection, its thread and the flood included: ten times what is idle."""

READS_OF_ASYNCIO: Final = 262_144
"""Bytes that asyncio's own TLS has ready for reads of each connection, whosever context it has."""

CLIENTS: Final = """\
import select, socket, ssl, sys, time
port, hello, how_many, floods, enough = int(sys.argv[1]), bytes.fromhex(sys.argv[2]), *map(int, sys.argv[3:])
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
held = []
for number in range(how_many):
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    sock.connect(("127.0.0.1", port))
    if number % 5 == 1:
        sock.sendall(hello[: len(hello) // 2])
    elif number % 5 == 2:
        sock.sendall(hello)
    elif number % 10 == 3:
        sock = context.wrap_socket(sock)
    held.append(sock)
for sock in [sock for sock in held if isinstance(sock, ssl.SSLSocket)][:floods]:
    sock.setblocking(False)
    # With a small buffer each piece of a flood waits for the acknowledgement of the one before: half a minute in all.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 262144)
    sent = 0
    while sent < enough and select.select([], [sock], [], 0.2)[1]:
        try:
            sent += sock.send(bytes(16384))
        except ssl.SSLWantWriteError:
            pass
    print("held back" if sent < enough else "took it all")
print("all are there", flush=True)
time.sleep(60)
"""


# --- servers, each in a thread ---------------------------------------------------------------------------------


@contextmanager
def thread(run: Callable[[Future[tuple[int, Callable[[], None]]]], None]) -> Iterator[int]:
    """``run`` says its port, and how it is stopped; what it raises is raised at the end."""
    started: Future[tuple[int, Callable[[], None]]] = Future()
    with beside(run, started):
        port, stop = started.result(PATIENCE)
        try:
            yield port
        finally:
            stop()


Listen = Callable[..., Awaitable[asyncio.Server]]


async def with_a_context(connected: Any, host: str, port: int, config: ServerConfig, **options: Any) -> Any:
    """asyncio's own TLS."""
    return await asyncio.start_server(connected, host, port, ssl=SSLContext(config), **options)


def on_asyncio(
    new_loop: Callable[[], asyncio.AbstractEventLoop], listen: Listen, started: Future[Any]
) -> None:
    complaints: list[dict[str, Any]] = []

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    async def main() -> None:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        loop.set_exception_handler(lambda _, context: complaints.append(context))
        server = await listen(echo, "127.0.0.1", 0, server_config(), backlog=HOW_MANY)
        started.set_result((server.sockets[0].getsockname()[1], partial(loop.call_soon_threadsafe, stop.set)))
        await stop.wait()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        server.close()
        await server.wait_closed()

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(main())
    assert complaints == []


def on_trio(started: Future[Any]) -> None:
    async def echo(stream: TLSStream) -> None:
        with suppress(trio.BrokenResourceError):
            async for data in stream:
                await stream.send_all(data)

    async def main() -> None:
        token = trio.lowlevel.current_trio_token()
        async with trio.open_nursery() as nursery:
            serve = partial(serve_tls_over_tcp, echo, 0, server_config(), host="127.0.0.1")
            (listener,) = await nursery.start(serve)
            stop = partial(token.run_sync_soon, nursery.cancel_scope.cancel)
            started.set_result((listener.socket.getsockname()[1], stop))

    trio.run(main)


class Echo(Protocol):
    def dataReceived(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(data)

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.registerProducer(Held(self.transport), streaming=True)


class Held:
    """Does not read while nobody reads what it has written."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport

    def pauseProducing(self) -> None:
        self._transport.pauseProducing()

    def resumeProducing(self) -> None:
        self._transport.resumeProducing()

    def stopProducing(self) -> None:
        """The connection is lost."""


def on_twisted(started: Future[Any]) -> None:
    reactor = UsualReactor()

    def start() -> None:
        below = TCP4ServerEndpoint(reactor, 0, backlog=HOW_MANY, interface="127.0.0.1")
        endpoint = TLSServerEndpoint(reactor, below, server_config())
        listening = endpoint.listen(Factory.forProtocol(Echo))
        listening.addCallback(
            lambda port: started.set_result(
                (port.getHost().port, partial(reactor.callFromThread, reactor.stop))
            )
        )

    own = set(reactor.getReaders())
    reactor.callWhenRunning(start)
    reactor.run(installSignalHandlers=False)
    left = [*reactor.getWriters(), *reactor.getDelayedCalls()]
    for reader in own:
        reactor.removeReader(reader)
        reader.connectionLost(None)
    assert left == []


def with_threads(started: Future[Any]) -> None:
    """Blocking sockets."""
    context = SSLContext(server_config())
    threads: list[threading.Thread] = []

    def echo(sock: socket.socket) -> None:
        with sock, suppress(OSError):
            sock.settimeout(PATIENCE)
            with context.wrap_socket(sock, server_side=True) as secure:
                while data := secure.recv(65_536):
                    secure.sendall(data)

    with socket.create_server(("127.0.0.1", 0), backlog=HOW_MANY) as listener:
        started.set_result((listener.getsockname()[1], partial(listener.shutdown, socket.SHUT_RDWR)))
        with suppress(OSError):  # it is closed
            while True:
                threads.append(threading.Thread(target=echo, args=(listener.accept()[0],), daemon=True))
                threads[-1].start()
    for one in threads:
        one.join(PATIENCE)
    assert not any(one.is_alive() for one in threads)


# --- what is left ----------------------------------------------------------------------------------------------

SERVERS: Final[dict[str, Callable[[Future[Any]], None]]] = {
    "asyncio": partial(on_asyncio, asyncio.new_event_loop, start_server),
    "uvloop": partial(on_asyncio, uvloop.new_event_loop, start_server),
    "asyncio's own": partial(on_asyncio, asyncio.new_event_loop, with_a_context),
    "trio": on_trio,
    "twisted": on_twisted,
    "blocking": with_threads,
}


def connections() -> int:
    gc.collect()
    return sum(isinstance(one, ServerConnection) for one in gc.get_objects())


def open_files() -> int:
    return len(os.listdir("/dev/fd"))


def resident() -> int:
    """Bytes of memory of this process, servers and all; 0 where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except FileNotFoundError:
        return 0
    return pages * os.sysconf("SC_PAGESIZE")


def clients(port: int) -> AbstractContextManager[Command]:
    hello = ClientConnection(client_config(), "server.example").data_to_send()
    arguments = map(str, (port, hello.hex(), HOW_MANY, FLOODS, ENOUGH))
    return Command(sys.executable, "-c", CLIENTS, *arguments)


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, (connections(), open_files())
        time.sleep(0.05)


@pytest.mark.parametrize("server", SERVERS)
def test_nothing_is_left_of_clients_that_are_killed(server: str) -> None:
    before = connections()
    with thread(SERVERS[server]) as port:
        files, memory = open_files(), resident()
        with clients(port) as process:
            process.wait_for("all are there")
            assert process.output.count("held back") == FLOODS, process.end
            eventually(lambda: open_files() - files >= HOW_MANY)
            own = READS_OF_ASYNCIO if server == "asyncio's own" else 0
            assert resident() - memory < HOW_MANY * (FOR_EACH + own)
            process.kill()
        eventually(lambda: open_files() <= files)
        eventually(lambda: connections() <= before)
