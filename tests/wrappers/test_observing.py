"""Who looks on: monitors hear the same in every wrapper, and any connection can be recorded, or drawn as a ladder."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from typing import Any, Final

import pytest
import trio
from attrs import field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.selectreactor import SelectReactor
from twisted.python.failure import Failure

from sansticket import ClientConnection, ClientSessionStore, HandshakeCompleted, ServerConnection
from sansticket.accounts import Account
from sansticket.debug.key_log import KeyLog
from sansticket.debug.ladders.picture import picture
from sansticket.debug.trace import Happened
from sansticket.debug.watch import WatchedClient, WatchedServer, watch
from sansticket.replays.player import Player
from sansticket.replays.recorder import Recorded, record_client, record_server
from sansticket.replays.recording import Recording
from sansticket_wrappers.asyncio import Hooks as AsyncioHooks
from sansticket_wrappers.asyncio import open_connection, start_server
from sansticket_wrappers.blocking import SSLContext
from sansticket_wrappers.monitoring import Monitor
from sansticket_wrappers.trio import TLSStream, open_tls_over_tcp_stream, serve_tls_over_tcp
from sansticket_wrappers.twisted import Hooks as TwistedHooks
from sansticket_wrappers.twisted import TLSClientEndpoint, TLSServerEndpoint
from tests.support.command import PATIENCE
from tests.support.configs import client_config, server_config
from tests.support.loops import run
from tests.support.sockets import beside

NAME: Final = "server.example"
Make = Callable[..., Any]


@frozen
class Onlooker:
    """What a server is given to look on with, and what was heard."""

    make: Make = ServerConnection
    accounts: list[Account] = field(factory=list)

    def take(self, account: Account) -> None:
        self.accounts.append(account)

    @property
    def monitor(self) -> Monitor:
        return Monitor("server", self)

    def has_heard(self, event: str, number: int = 1) -> bool:
        return sum(account["event"] == event for account in self.accounts) >= number


# --- servers that answer with what they get --------------------------------------------------------------------------

Visit = Callable[[int], object]
"""Blocks; is given the port."""


def on_asyncio(visit: Visit, until: Callable[[], bool], **options: Any) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(100):
                writer.write(data)
        writer.close()

    async def main() -> None:
        server = await start_server(answer, "127.0.0.1", 0, server_config(), **options)
        await asyncio.to_thread(visit, server.sockets[0].getsockname()[1])
        async with asyncio.timeout(PATIENCE):
            while not until():
                await asyncio.sleep(0.01)
        server.close()

    run(main())


def with_asyncio(onlooker: Onlooker, visit: Visit, until: Callable[[], bool]) -> None:
    on_asyncio(visit, until, watch=onlooker.monitor.watch, new_connection=onlooker.make)


def with_hooks_of_asyncio(onlooker: Onlooker, visit: Visit, until: Callable[[], bool]) -> None:
    def hooks() -> AsyncioHooks:
        return AsyncioHooks(observe=onlooker.monitor.observe, application=lambda transport: NAME)

    on_asyncio(visit, until, hooks=hooks, new_connection=onlooker.make)


def with_trio(onlooker: Onlooker, visit: Visit, until: Callable[[], bool]) -> None:
    async def answer(stream: TLSStream) -> None:
        with suppress(trio.BrokenResourceError):
            async for data in stream:
                await stream.send_all(data)

    async def main() -> None:
        async def serve(task_status: Any = trio.TASK_STATUS_IGNORED) -> None:
            await serve_tls_over_tcp(
                answer,
                0,
                server_config(),
                host="127.0.0.1",
                new_connection=onlooker.make,
                observe=onlooker.monitor.observe,
                task_status=task_status,
            )

        with trio.fail_after(PATIENCE):
            async with trio.open_nursery() as nursery:
                (listener,) = await nursery.start(serve)
                await trio.to_thread.run_sync(visit, listener.socket.getsockname()[1])
                while not until():
                    await trio.sleep(0.01)
                nursery.cancel_scope.cancel()

    trio.run(main)


class Echo(Protocol):
    def dataReceived(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(data)


def on_a_reactor(main: Callable[[Any], Any]) -> Any:
    """The result of a coroutine."""
    reactor: Any = SelectReactor()
    outcome: list[Any] = []

    def start() -> None:
        done = Deferred.fromCoroutine(main(reactor)).addTimeout(PATIENCE, reactor)
        done.addBoth(outcome.append).addBoth(lambda _: reactor.stop())

    reactor.callWhenRunning(start)
    reactor.run(installSignalHandlers=False)
    if isinstance(outcome[0], Failure):
        outcome[0].raiseException()
    return outcome[0]


def with_twisted(onlooker: Onlooker, visit: Visit, until: Callable[[], bool]) -> None:
    async def main(reactor: Any) -> None:
        endpoint = TLSServerEndpoint(
            reactor,
            TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1"),
            server_config(),
            hooks=lambda: TwistedHooks(observe=onlooker.monitor.observe, application=lambda transport: NAME),
            new_connection=onlooker.make,
        )
        port = await endpoint.listen(Factory.forProtocol(Echo))
        visiting = Thread(target=visit, args=(port.getHost().port,))
        visiting.start()
        while visiting.is_alive() or not until():
            pause: Deferred[None] = Deferred()
            reactor.callLater(0.01, pause.callback, None)
            await pause
        await port.stopListening()

    on_a_reactor(main)


def with_sockets(onlooker: Onlooker, visit: Visit, until: Callable[[], bool]) -> None:
    context = SSLContext(server_config())
    context.on_event = onlooker.monitor.on_event
    context.new_connection = onlooker.make
    with socket.create_server(("127.0.0.1", 0)) as listener:
        visiting = Thread(target=visit, args=(listener.getsockname()[1],))
        visiting.start()
        while visiting.is_alive():
            listener.settimeout(0.1)
            with suppress(OSError):
                below = listener.accept()[0]
                below.settimeout(PATIENCE)
                with context.wrap_socket(below, server_side=True) as sock:
                    while data := sock.recv(100):
                        sock.sendall(data)
                    sock.unwrap()
    assert until()


SERVERS: Final = {
    "asyncio": with_asyncio,
    "hooks of asyncio": with_hooks_of_asyncio,
    "trio": with_trio,
    "twisted": with_twisted,
    "sockets": with_sockets,
}


def visits(port: int, *, number: int = 2, reset: bool = False) -> None:
    """Of one client, all but the first resumed; and one more, that is reset."""
    context = SSLContext(client_config(session_store=ClientSessionStore()))
    for left in range(number + reset - 1, -1, -1):
        below = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        with context.wrap_socket(below, server_hostname=NAME) as sock:
            sock.sendall(b"hello")
            assert sock.recv(100) == b"hello"
            if reset and not left:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            else:
                with suppress(OSError):
                    sock.unwrap()


@pytest.mark.parametrize("name", [name for name in SERVERS if name != "sockets"])
def test_a_monitor_hears_of_handshakes_tickets_and_ends(name: str) -> None:
    """An end by the socket alone is one, too."""
    onlooker = Onlooker()
    SERVERS[name](onlooker, lambda port: visits(port, reset=True), lambda: onlooker.has_heard("terminated"))
    heard = onlooker.accounts
    outcomes = [one["outcome"] for one in heard if one["event"] == "handshake"]
    assert outcomes == ["full", "resumed", "resumed"]
    assert sum(one["event"] == "ticket_issued" for one in heard) == 4
    assert [one["reason"] for one in heard if one["event"] == "terminated"] == ["truncated"]


def test_a_monitor_of_sockets() -> None:
    """Of a reset the context hears nothing: it is the socket's."""
    onlooker = Onlooker()
    with_sockets(onlooker, visits, lambda: onlooker.has_heard("handshake", 2))
    outcomes = [one["outcome"] for one in onlooker.accounts if one["event"] == "handshake"]
    assert outcomes == ["full", "resumed"]


@pytest.mark.parametrize("name", ["trio", "twisted", "asyncio"])
def test_a_monitor_hears_of_a_client_that_leaves_in_its_handshake(name: str) -> None:
    def leave(port: int) -> None:
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as sock:
            sock.sendall(ClientConnection(client_config(), NAME).data_to_send())
            sock.recv(1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    onlooker = Onlooker()
    SERVERS[name](onlooker, leave, lambda: onlooker.has_heard("terminated"))
    assert [(one["event"], one["reason"]) for one in onlooker.accounts] == [("terminated", "truncated")]


# --- connections that are drawn, or recorded -------------------------------------------------------------------------


@pytest.mark.parametrize("name", SERVERS)
def test_connections_of_a_server_can_be_drawn(name: str) -> None:
    drawn: list[WatchedServer] = []

    def make(*arguments: Any, **options: Any) -> Any:
        drawn.append(watch(ServerConnection(*arguments, **options), time.time))  # type: ignore[arg-type]  # a server's is
        return drawn[-1]

    onlooker = Onlooker(make)
    SERVERS[name](onlooker, visits, lambda: onlooker.has_heard("handshake", 2))
    for connection in drawn:
        rows = picture(connection.steps, KeyLog(), name).rows
        assert {"ClientHello", "ServerHello", "HandshakeCompleted"} <= {row.name for row in rows}
        assert all(row.time is not None for row in rows)
    assert [connection.resumed for connection in drawn] == [False, True]


@pytest.mark.parametrize("name", SERVERS)
def test_connections_of_a_server_can_be_recorded(name: str) -> None:
    recorded: list[Recorded] = []

    def make(*arguments: Any, **options: Any) -> Recorded:
        recorded.append(record_server(*arguments, **options))
        return recorded[-1]

    onlooker = Onlooker(make)
    SERVERS[name](onlooker, visits, lambda: onlooker.has_heard("handshake", 2))
    assert [replayed(one) for one in recorded] == [[], []]
    assert [one.resumed for one in recorded] == [False, True]
    if name in ("hooks of asyncio", "twisted"):
        assert {one.connection.application for one in recorded} == {NAME}, "what the hook has said"


def replayed(recorded: Recorded) -> list[str]:
    """What comes otherwise when it is played."""
    player = Player(Recording.from_bytes(recorded.recording.to_bytes()))
    return [played.difference for played in player.rest() if played.difference]


# --- clients ---------------------------------------------------------------------------------------------------------


def call_by_asyncio(port: int, make: Make) -> bytes:
    async def main() -> bytes:
        reader, writer = await open_connection(
            "127.0.0.1", port, client_config(), server_name=NAME, new_connection=make
        )
        writer.write(b"hello")
        data = await reader.readexactly(5)
        writer.close()
        await writer.wait_closed()
        return data

    return run(main())


def call_by_trio(port: int, make: Make) -> bytes:
    async def main() -> bytes:
        async with await open_tls_over_tcp_stream(
            "127.0.0.1", port, client_config(), server_name=NAME, new_connection=make
        ) as stream:
            await stream.send_all(b"hello")
            return await stream.receive_some()

    return trio.run(main)


class Asking(Protocol):
    def __init__(self) -> None:
        self.answer = b""
        self.over: Deferred[None] = Deferred()

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.write(b"hello")

    def dataReceived(self, data: bytes) -> None:
        assert self.transport is not None
        self.answer += data
        self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.over.callback(None)


def call_by_twisted(port: int, make: Make) -> bytes:
    async def main(reactor: Any) -> bytes:
        below = TCP4ClientEndpoint(reactor, "127.0.0.1", port)
        endpoint = TLSClientEndpoint(reactor, below, client_config(), NAME, new_connection=make)
        protocol = await endpoint.connect(Factory.forProtocol(Asking))
        await protocol.over
        answer: bytes = protocol.answer
        return answer

    answered: bytes = on_a_reactor(main)
    return answered


def call_by_sockets(port: int, make: Make) -> bytes:
    context = SSLContext(client_config())
    context.new_connection = make
    below = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    with context.wrap_socket(below, server_hostname=NAME) as sock:
        sock.sendall(b"hello")
        return sock.recv(100)


CALLS: Final = (call_by_asyncio, call_by_trio, call_by_twisted, call_by_sockets)


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.__name__)
def test_connections_of_a_client_can_be_drawn_and_recorded(call: Callable[[int, Make], bytes]) -> None:
    drawn: list[WatchedClient] = []
    recorded: list[Recorded] = []

    def draw(*arguments: Any, **options: Any) -> Any:
        drawn.append(watch(ClientConnection(*arguments, **options)))  # type: ignore[arg-type]  # a client's is
        return drawn[-1]

    def record(*arguments: Any, **options: Any) -> Recorded:
        recorded.append(record_client(*arguments, **options))
        return recorded[-1]

    with socket.create_server(("127.0.0.1", 0)) as listener, beside(serve, listener):
        port = listener.getsockname()[1]
        assert [call(port, make) for make in (draw, record)] == [b"hello", b"hello"]
    happened = [step.event for step in drawn[0].steps if isinstance(step, Happened)]
    assert any(isinstance(event, HandshakeCompleted) for event in happened)
    assert replayed(recorded[0]) == []


def serve(listener: socket.socket) -> None:
    """Two clients, one after the other."""
    context = SSLContext(server_config())
    with listener:
        listener.settimeout(PATIENCE)
        for _ in range(2):
            with suppress(OSError):
                below = listener.accept()[0]
                below.settimeout(PATIENCE)
                with context.wrap_socket(below, server_side=True) as sock:
                    while data := sock.recv(100):
                        sock.sendall(data)
                    sock.unwrap()
