"""A peer that sends data and its end in one flight: a protocol that answers to the data writes to nobody.

No transport of asyncio's or Twisted's raises for that, and a peer cannot make ours do it.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from sansticket import Abort, AlertDescription, ClientConnection, Close, SendData, ServerConnection
from sansticket_wrappers.asyncio import Hooks, TLSError, TLSProtocol
from sansticket_wrappers.twisted import TLSFactory
from tests.support.configs import client_config, server_config
from tests.support.loops import run

ENDS = pytest.mark.parametrize("end", [Abort(AlertDescription.INTERNAL_ERROR), Close()], ids=str)


def last_flight(client: ClientConnection, end: Abort | Close) -> bytes:
    client.send(SendData(b"data"))
    client.send(end)
    return client.data_to_send()


class Answering(asyncio.Protocol):
    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.lost: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(b"an answer")
        self.heard.append(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set_result(exc)


@ENDS
def test_on_asyncio(end: Abort | Close) -> None:
    async def main() -> None:
        loop, app = asyncio.get_running_loop(), Answering()
        complaints: list[Any] = []
        loop.set_exception_handler(lambda loop, context: complaints.append(context))
        server = await loop.create_server(
            lambda: TLSProtocol(ServerConnection(server_config()), app, Hooks()), "127.0.0.1", 0
        )
        reader, writer = await asyncio.open_connection("127.0.0.1", server.sockets[0].getsockname()[1])
        client = ClientConnection(client_config(), "server.example")
        writer.write(client.data_to_send())
        while client.version is None:
            data = await reader.read(65_536)
            assert data
            client.receive_data(data)
        writer.write(last_flight(client, end))
        lost = await app.lost
        writer.close()
        server.close()
        assert isinstance(lost, TLSError) == isinstance(end, Abort)
        assert app.heard == [b"data"]
        assert complaints == []

    run(main())


class Below(StringTransport):
    """As those of TCP are: it can be closed by halves."""

    def loseWriteConnection(self) -> None:
        self.loseConnection()


class AnsweringInTwisted(Protocol):
    heard = b""

    def dataReceived(self, data: bytes) -> None:
        self.transport.write(b"an answer")
        self.heard += data


@ENDS
def test_on_twisted(end: Abort | Close) -> None:
    apps: list[AnsweringInTwisted] = []

    class Building(Factory):
        def buildProtocol(self, addr: Any) -> AnsweringInTwisted:
            apps.append(AnsweringInTwisted())
            return apps[0]

    tls = TLSFactory(Clock(), lambda: ServerConnection(server_config()), Building()).buildProtocol(None)
    below = Below()
    tls.makeConnection(below)
    client = ClientConnection(client_config(), "server.example")
    tls.dataReceived(client.data_to_send())
    client.receive_data(below.value())
    tls.dataReceived(last_flight(client, end))
    assert apps[0].heard == b"data"
