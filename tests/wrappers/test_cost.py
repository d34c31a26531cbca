"""What a connection of the wrappers leaves behind, and how often that for asyncio goes to the socket."""

from __future__ import annotations

import asyncio
import gc
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from sansticket import Event, ProtocolVersion, ServerConnection
from sansticket_wrappers.asyncio import Hooks, TLSProtocol, TLSTransport
from tests.support import memory
from tests.support.certificates import authority
from tests.support.configs import client_config, server_config
from tests.support.stdlib_peer import StdlibPeer, client_context
from tests.wrappers import test_twisted as with_twisted
from tests.wrappers.test_asyncio import ask, run, serving

VERSIONS = (ProtocolVersion.TLS_1_3, ProtocolVersion.TLS_1_2)


class Socket(asyncio.Transport):
    """The transport below, which notes what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []
        self.written = b""

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        self.calls.append("write")
        self.written += data

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.calls.append("write_eof")

    def close(self) -> None:
        self.calls.append("close")

    def is_closing(self) -> bool:
        return "close" in self.calls

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        self.calls.append("pause_reading")

    def resume_reading(self) -> None:
        """It does read."""


class Echo(asyncio.Protocol):
    """Gives back what comes."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, TLSTransport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


class Below:
    """A server's protocol, as the loop sees it; to be made while one runs."""

    def __init__(self) -> None:
        self.socket = Socket()
        self.tls = TLSProtocol(ServerConnection(server_config()), Echo(), Hooks())
        self.tls.connection_made(self.socket)

    def receive_data(self, data: bytes) -> list[Event]:
        buffer = self.tls.get_buffer(-1)
        buffer[: len(data)] = data
        self.tls.buffer_updated(len(data))
        return []

    def data_to_send(self) -> bytes:
        data, self.socket.written = self.socket.written, b""
        return data


def client_of(version: ProtocolVersion) -> StdlibPeer:
    return StdlibPeer(client_context(authority(), version=ssl.TLSVersion(version)))


@contextmanager
def garbage() -> Iterator[list[str]]:
    """Names of the classes of ours whose instances somebody had to collect.

    asyncio's transports are among the others before Python 3.12.
    """
    gc.collect()
    gc.disable()
    names: list[str] = []
    try:
        yield names
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        kinds = [type(one) for one in gc.garbage]
        names += [kind.__name__ for kind in kinds if kind.__module__.startswith("sansticket")]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


@pytest.mark.parametrize("version", VERSIONS)
def test_a_connection_that_has_ended_is_gone_with_the_last_reference(version: ProtocolVersion) -> None:
    async def main() -> None:
        config = client_config(versions=[version])
        async with serving(server_config()) as port:
            await ask(port, config=config)
            with garbage() as names:
                answer, _ = await ask(port, config=config)
                await asyncio.sleep(0.05)
            assert (answer, names) == (b"HELLO", [])

    run(main())


def test_neither_does_one_of_twisted_leave_garbage() -> None:
    async def main(reactor: Any) -> None:
        async with with_twisted.serving(reactor, server_config()) as server:
            await with_twisted.ask(reactor, server.port)
            with garbage() as names:
                answer, _ = await with_twisted.ask(reactor, server.port)
                for stream in server.accepted:
                    await stream.end()
                server.accepted.clear()
                del stream
            assert answer == b"HELLO"
            # A client's endpoint and its connector refer to each other: that is Twisted's.
            assert not {"TLSProtocol", "TLSTransport", "Engine"} & set(names)

    with_twisted.run(main)


@pytest.mark.parametrize("version", VERSIONS)
def test_what_belongs_together_is_written_at_once(version: ProtocolVersion) -> None:
    """And the end needs no time-out where nothing can come any more."""

    async def main() -> None:
        server, client = Below(), client_of(version)
        memory.run(server, client)
        # The server's flight, and what follows the client's Finished: in TLS 1.3 two tickets.
        assert server.socket.calls == ["write", "write"]
        client.write(b"hello")
        memory.run(server, client)
        assert client.received == b"hello"
        client.close()
        memory.run(server, client)
        client.close()
        assert client.closed
        assert server.socket.calls == ["write", "write", "write", "write", "close"]
        assert server.tls._timer is None
        server.tls.connection_lost(None)

    run(main())


def test_the_socket_is_closed_when_both_sides_have_said_their_last() -> None:
    """Also where the client keeps its side of it open: there is nothing more to be said or read."""

    async def main() -> None:
        loop, client = asyncio.get_running_loop(), client_of(ProtocolVersion.TLS_1_3)
        async with serving(server_config(), linger=1_000) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            before = loop.time()
            while not client.closed:
                writer.write(client.data_to_send())
                data = await reader.read(65_536)
                assert data
                client.receive(data)
                if client.handshaken:
                    client.close()
            # The server's handler, for which its socket has to be gone, ends here.
        assert loop.time() - before < 500
        assert await reader.read() == b""
        writer.close()

    run(main())


def test_connections_read_into_a_buffer_in_turns() -> None:
    async def main() -> None:
        first, second = Below(), Below()
        buffer = first.tls.get_buffer(-1)
        assert first.tls.get_buffer(-1) is buffer  # nothing has come into it
        other = second.tls.get_buffer(-1)  # of a loop that goes on before it reads
        assert other is not buffer
        buffer[:5], other[:5] = b"\x16\x03\x01\x01\x00", b"hello"
        first.tls.buffer_updated(5)
        assert second.tls.get_buffer(-1) is other
        second.tls.buffer_updated(5)
        assert first.tls.connection.state == "WaitClientHello"
        assert second.tls.connection.state == "Ended"  # that is no TLS
        assert first.tls.get_buffer(-1) is other
        first.tls.eof_received()
        assert second.tls.get_buffer(-1) is other
        for end in (first, second):
            end.tls.connection_lost(None)

    run(main())


def test_nothing_is_left_in_the_buffer() -> None:
    """Half a record becomes a whole one, whatever others have read in between."""

    async def main() -> None:
        server, client = Below(), client_of(ProtocolVersion.TLS_1_3)
        memory.run(server, client)
        client.write(b"hello")
        record = client.data_to_send()
        server.receive_data(record[:9])
        other = Below()
        other.receive_data(bytes(20_000))
        server.receive_data(record[9:])
        memory.run(server, client)
        assert client.received == b"hello"
        for end in (server, other):
            end.tls.connection_lost(None)

    run(main())
