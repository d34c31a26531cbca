"""What Twisted says of transports, where a connection is asked, told or left by somebody: in memory, step by step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionAborted, ConnectionLost
from twisted.internet.interfaces import IPullProducer
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from zope.interface import implementer

from sansticket import (
    ASK,
    AlertDescription,
    ClientConnection,
    Command,
    ConnectionTerminated,
    Event,
    FlushTickets,
    IssueTicket,
    PrepareTicket,
    SealTicket,
    SendData,
    ServerConfig,
    ServerConnection,
)
from sansticket_wrappers.twisted import Hooks, TLSFactory
from tests.support.configs import client_config, server_config


class Below(StringTransport):
    """As those of TCP are: it can be closed by halves, and nothing is written behind that."""

    half_closed = False

    def write(self, data: bytes) -> None:
        assert not self.half_closed
        super().write(data)

    def loseWriteConnection(self) -> None:
        self.half_closed = True


class App(Protocol):
    transport: Any
    lost: Failure | None = None

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost = reason


class Server:
    """One connection of a server, with the client at its other end."""

    def __init__(
        self,
        app: Callable[[], App | None] = App,
        hooks: Hooks | None = None,
        config: ServerConfig | None = None,
        **options: Any,
    ) -> None:
        self.clock, self.below = Clock(), Below()
        self.client = ClientConnection(client_config(), "server.example")
        self.apps: list[Any] = []
        self.heard: list[str] = []
        """What the client has: the names of events."""
        self.terminated: list[AlertDescription | None] = []

        class Building(Factory):
            def buildProtocol(_, addr: Any) -> Any:
                self.apps.append(app())
                return self.apps[-1]

        factory = TLSFactory(
            self.clock,
            lambda: ServerConnection(config or server_config()),
            Building(),
            hooks=lambda: hooks or Hooks(),
            **options,
        )
        self.tls = factory.buildProtocol(None)
        self.tls.makeConnection(self.below)

    def exchange(self) -> None:
        """Until both have said what they have."""
        while (to_server := self.client.data_to_send()) or self.below.value():
            if to_server:
                self.tls.dataReceived(to_server)
            if to_client := self.below.value():
                self.below.clear()
                happened = self.client.receive_data(to_client)
                self.heard += names(happened)
                self.terminated += [one.alert for one in happened if isinstance(one, ConnectionTerminated)]


def names(happened: Sequence[Event]) -> list[str]:
    return [type(event).__name__ for event in happened]


class Asked:
    """Answers about tickets when it is told to."""

    def __init__(self) -> None:
        self.waiting: list[Deferred[None]] = []

    async def prepare(self, question: PrepareTicket) -> Command:
        self.waiting.append(Deferred())
        await self.waiting[-1]
        return SealTicket()

    @property
    def hooks(self) -> Hooks:
        return Hooks({PrepareTicket: self.prepare})

    def answer(self, server: Server) -> None:
        while self.waiting:
            self.waiting.pop(0).callback(None)
            server.exchange()


WITHOUT_TICKETS = server_config(num_tickets=0, answers={PrepareTicket: ASK})


@pytest.mark.parametrize("end", ["loseConnection", "loseWriteConnection", "stopProducing"])
def test_tickets_that_are_asked_about_leave_before_an_end_amid_data(end: str) -> None:
    """Also where nothing else was being asked when the data came."""

    class Leaving(App):
        def dataReceived(self, data: bytes) -> None:
            self.transport.command(IssueTicket())
            getattr(self.transport, end)()

    asked = Asked()
    server = Server(Leaving, asked.hooks, WITHOUT_TICKETS)
    server.exchange()
    server.client.send(SendData(b"hello"))
    server.exchange()
    assert len(asked.waiting) == 1
    assert not server.below.half_closed
    asked.answer(server)
    assert server.heard == ["HandshakeCompleted", "TicketReceived", "PeerClosed"]
    assert server.below.half_closed == (end != "loseWriteConnection")


def test_a_factory_that_wants_no_connection_is_asked_about_its_tickets() -> None:
    """The peer sees no stream that was cut off."""
    asked = Asked()
    server = Server(lambda: None, asked.hooks, server_config(answers={PrepareTicket: ASK}))
    server.exchange()
    asked.answer(server)
    assert server.heard == ["HandshakeCompleted", "TicketReceived", "TicketReceived", "PeerClosed"]
    assert server.below.half_closed


@pytest.mark.parametrize("asking", [True, False], ids=["amid a question", "at rest"])
@pytest.mark.parametrize("by_us", [True, False], ids=["aborted", "lost"])
def test_an_end_without_close_notify_is_observed_once(by_us: bool, asking: bool) -> None:
    async def observe(happened: Sequence[Event]) -> None:
        observed.extend(names(happened))

    observed: list[str] = []
    asked = Asked()
    hooks = Hooks({PrepareTicket: asked.prepare}, observe)
    server = Server(App, hooks, WITHOUT_TICKETS)
    server.exchange()
    transport = server.apps[0].transport
    if asking:
        transport.command(IssueTicket())
        transport.command(FlushTickets())
    assert bool(asked.waiting) == asking
    if by_us:
        transport.abortConnection()
    server.tls.connectionLost(Failure(ConnectionAborted() if by_us else ConnectionLost()))
    assert observed[-1] == "ConnectionTerminated"
    assert observed.count("ConnectionTerminated") == 1
    assert isinstance(server.apps[0].lost.value, ConnectionAborted if by_us else ConnectionLost)
    assert server.tls.connection.pending is None


def test_an_observer_that_is_too_slow_is_told_with_an_alert() -> None:
    """Also after the handshake, where the peer would see its stream cut off."""
    hooks = Hooks(observe=lambda happened: Deferred())
    server = Server(App, hooks, timeout=30)
    server.exchange()
    server.clock.advance(31)
    server.exchange()
    assert server.terminated == [AlertDescription.INTERNAL_ERROR]


def test_a_pull_producer_that_fails_is_told_with_an_alert() -> None:
    @implementer(IPullProducer)
    class Failing:
        def resumeProducing(self) -> None:
            raise RuntimeError("nothing there")

        def stopProducing(self) -> None:
            """It has failed by itself."""

    server = Server()
    server.exchange()
    server.apps[0].transport.registerProducer(Failing(), False)
    server.clock.advance(0)
    server.exchange()
    assert server.terminated == [AlertDescription.INTERNAL_ERROR]
