"""A peer that asks and takes no answers: what is kept for it is bounded, and it goes on when it has read."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from attrs import evolve
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from sansticket import ClientConnection, SendData, ServerConnection, UpdateKeys
from sansticket_wrappers.asyncio import Hooks, TLSProtocol
from sansticket_wrappers.blocking import SSLContext
from sansticket_wrappers.twisted import Hooks as TwistedHooks
from sansticket_wrappers.twisted import TLSProtocol as TwistedProtocol
from tests.support.configs import client_config, server_config

NAME = "server.example"
BOUND = 70_000


def key_updates(client: ClientConnection) -> Iterator[bytes]:
    """One after the other, each of which asks for an answer, with data in between."""
    for _ in range(10_000):
        engine: Any = client._engine
        engine.state = evolve(engine.state, asked_for_update=False)
        client.send(UpdateKeys(request_peer=True))
        client.send(SendData(b"data"))
        yield client.data_to_send()


class Socket(asyncio.Transport):
    """One that takes everything, and is read when it is not paused."""

    def __init__(self) -> None:
        super().__init__()
        self.written, self.paused = bytearray(), False

    def write(self, data: Any) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def abort(self) -> None:
        pass


def bounded(
    client: ClientConnection,
    receive: Callable[[bytes], None],
    sent: Callable[[], bytes],
    reads: Callable[[], bool],
    full: Callable[[bool], None],
) -> None:
    """The handshake; then it asks and takes nothing, and then all."""
    receive(client.data_to_send())
    client.receive_data(sent())
    receive(client.data_to_send())
    client.receive_data(sent())
    full(True)
    asked = 0
    for update in key_updates(client):
        if not reads():
            break
        receive(update)
        asked += 1
    assert asked > 1000
    assert len(sent()) < BOUND
    full(False)
    assert reads()


def test_on_asyncio() -> None:
    async def main() -> None:
        sock, app = Socket(), asyncio.Protocol()
        tls = TLSProtocol(ServerConnection(server_config()), app, Hooks())
        tls.connection_made(sock)

        def receive(data: bytes) -> None:
            tls.get_buffer(-1)[: len(data)] = data
            tls.buffer_updated(len(data))

        def sent() -> bytes:
            data, sock.written = bytes(sock.written), bytearray()
            return data

        def full(it_is: bool) -> None:
            (tls.pause_writing if it_is else tls.resume_writing)()

        bounded(ClientConnection(client_config(), NAME), receive, sent, lambda: not sock.paused, full)
        tls.connection_lost(None)

    asyncio.run(main())


def test_on_twisted() -> None:
    sock = StringTransport()
    tls = TwistedProtocol(Clock(), ServerConnection(server_config()), Protocol, TwistedHooks())
    tls.makeConnection(sock)

    def sent() -> bytes:
        data: bytes = sock.value()
        sock.clear()
        return data

    def full(it_is: bool) -> None:
        (tls.pauseProducing if it_is else tls.resumeProducing)()

    bounded(
        ClientConnection(client_config(), NAME),
        tls.dataReceived,
        sent,
        lambda: sock.producerState == "producing",
        full,
    )


def test_on_blocking_sockets() -> None:
    """A read waits for the answers then; here it says so, since the socket does not block."""
    one, other = socket.socketpair()
    client = ClientConnection(client_config(), NAME)
    one.setblocking(False)
    other.setblocking(False)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    context = SSLContext(server_config())
    with other, context.wrap_socket(one, server_side=True, do_handshake_on_connect=False) as sock:
        for _ in range(2):
            other.send(client.data_to_send())
            with suppress(ssl.SSLWantReadError):
                sock.do_handshake()
            client.receive_data(other.recv(65_536))
        read = 0

        def ask_and_read() -> None:
            nonlocal read
            for update in key_updates(client):
                other.send(update)
                read += len(sock.recv(100))

        with pytest.raises(ssl.SSLWantWriteError):
            ask_and_read()
        assert read > 4000
        while data := read_at_once(other):
            assert len(data) < BOUND
            with suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):
                sock.recv(100)
        with pytest.raises(ssl.SSLWantReadError):
            sock.recv(100)


def read_at_once(sock: socket.socket) -> bytes:
    try:
        return sock.recv(65_536)
    except BlockingIOError:
        return b""
