"""The wrapper for Twisted, on loopback: with itself, with Twisted's own TLS, with bare sockets, and over HTTP.

Each test runs a reactor of its own, which is not installed: ``twisted.internet.reactor`` is not touched.  Where time
matters, TLS goes by a ``task.Clock``, and only the sockets by the reactor.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from subprocess import run as run_program
from typing import Any

import pytest
from twisted.internet import ssl
from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint
from twisted.internet.error import (
    ConnectingCancelledError,
    ConnectionAborted,
    ConnectionDone,
    ConnectionLost,
    ConnectionRefusedError,
    NoProtocol,
    TimeoutError,
)
from twisted.internet.interfaces import (
    IConsumer,
    IHalfCloseableProtocol,
    IHandshakeListener,
    INegotiated,
    IPullProducer,
    IPushProducer,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.selectreactor import SelectReactor
from twisted.internet.task import Clock, deferLater
from twisted.internet.threads import deferToThreadPool
from twisted.logger import LogLevel, globalLogPublisher
from twisted.protocols.policies import WrappingFactory
from twisted.protocols.portforward import ProxyFactory, ProxyServer
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.web.client import Agent, ResponseDone
from twisted.web.iweb import IAgentEndpointFactory
from twisted.web.resource import Resource
from twisted.web.server import Site
from zope.interface import implementer
from zope.interface.verify import verifyObject

from sansticket import (
    ASK,
    AlertDescription,
    ClientConnection,
    ClientSessionStore,
    Close,
    Command,
    ConfigError,
    Event,
    FlushTickets,
    IssueTicket,
    LocalProtocolError,
    LookUpSession,
    PrepareTicket,
    ProvideSession,
    Reason,
    RequestClientCertificate,
    SealTicket,
    SelectConfig,
    SendData,
    ServerConfig,
    Session,
    TicketIssued,
    TicketReceived,
    UpdateKeys,
    UseConfig,
    VerifyPeer,
)
from sansticket import events as happenings
from sansticket_wrappers.twisted import (
    Hooks,
    TLSClientEndpoint,
    TLSError,
    TLSFactory,
    TLSServerEndpoint,
)
from tests.support.certificates import authority, new_authority, server_identity
from tests.support.command import PATIENCE
from tests.support.configs import client_config, server_config
from tests.support.credentials import anchors_of, server_credential
from tests.support.loopback import free_port
from tests.support.peers import require

try:
    from twisted.internet.epollreactor import EPollReactor as UsualReactor
except ImportError:  # only Linux has it
    UsualReactor = SelectReactor

pytestmark = pytest.mark.filterwarnings(
    "ignore:Passing pyOpenSSL:DeprecationWarning"  # Twisted's own TLS does
)

NAME = "server.example"
Main = Callable[[Any], Coroutine[Any, Any, None]]


# --- how a test runs -----------------------------------------------------------------------------------------


def run(main: Main, reactor: Any = None, complaints: Sequence[str] = ()) -> None:
    """Bounded; nothing is left behind, and nothing was logged but these ``complaints``."""
    reactor = reactor or UsualReactor()
    logged: list[Any] = []
    outcome: list[Any] = []
    own = set(reactor.getReaders())

    async def tidily() -> None:
        await main(reactor)
        while set(reactor.getReaders()) != own or reactor.getWriters() or len(reactor.getDelayedCalls()) > 1:
            await sleep(reactor, 0.01)

    def start() -> None:
        done = Deferred.fromCoroutine(tidily()).addTimeout(PATIENCE, reactor)
        done.addBoth(outcome.append).addBoth(lambda _: reactor.stop())

    globalLogPublisher.addObserver(logged.append)
    try:
        reactor.callWhenRunning(start)
        reactor.run(installSignalHandlers=False)
        gc.collect()  # of a Deferred whose failure nobody has seen it is said when it goes
    finally:
        globalLogPublisher.removeObserver(logged.append)
        for reader in own:
            reactor.removeReader(reader)
            reader.connectionLost(Failure(ConnectionDone()))
    if isinstance(outcome[0], Failure):
        outcome[0].raiseException()
    serious = [event for event in logged if event["log_level"] >= LogLevel.warn]
    assert len(serious) == len(complaints), serious
    for event, complaint in zip(serious, complaints, strict=True):
        failure = event.get("log_failure") or event["failure"]
        assert complaint in str(failure.value)


def sleep(reactor: Any, seconds: float) -> Deferred[None]:
    return deferLater(reactor, seconds, lambda: None)


@implementer(IHalfCloseableProtocol)
class Stream(Protocol):
    """What a coroutine can wait for."""

    transport: Any

    def __init__(self) -> None:
        self.received = bytearray()
        self.connected_at_all = False
        self.read_closed = False
        self.write_closed = False
        self.lost: Failure | None = None
        self._waiting: list[Deferred[None]] = []

    def connectionMade(self) -> None:
        self.connected_at_all = True

    def dataReceived(self, data: bytes) -> None:
        self.received += data
        self.changed()

    def readConnectionLost(self) -> None:
        self.read_closed = True
        self.changed()

    def writeConnectionLost(self) -> None:
        self.write_closed = True
        self.changed()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        assert self.lost is None
        self.lost = reason
        self.changed()

    def changed(self) -> None:
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(None)

    async def until(self, condition: Callable[[], object]) -> None:
        while not condition():
            self._waiting.append(Deferred())
            await self._waiting[-1]

    async def read(self, size: int | None = None) -> bytes:
        """So many bytes, or all until the end."""
        await self.until(lambda: self.read_closed or self.lost or len(self.received) == size)
        return bytes(self.received)

    async def end(self) -> BaseException:
        """Why it was lost."""
        await self.until(lambda: self.lost)
        assert self.lost is not None
        return self.lost.value

    async def close(self) -> None:
        self.transport.loseConnection()
        assert type(await self.end()) is ConnectionDone


class Capitals(Stream):
    """Until the end of the stream."""

    def dataReceived(self, data: bytes) -> None:
        self.transport.write(data.upper())

    def readConnectionLost(self) -> None:
        super().readConnectionLost()
        self.transport.loseConnection()


class Accepting(Factory):
    """``port`` is where it listens, ``accepted`` are the protocols that it has built."""

    port = 0

    def __init__(self, reactor: Any, protocol: Callable[[], Any]) -> None:
        self.accepted: list[Any] = []
        self._reactor = reactor
        self._protocol = protocol
        self._seen = 0

    def buildProtocol(self, addr: Any) -> Any:
        stream = self._protocol()
        self.accepted.append(stream)
        return stream

    async def next(self) -> Any:
        """The next one that is connected; a client may be ready before its server is."""
        await eventually(self._reactor, lambda: len(self.accepted) > self._seen)
        stream = self.accepted[self._seen]
        self._seen += 1
        return stream


@asynccontextmanager
async def listening(reactor: Any, factory: Any, endpoint: Any = None) -> AsyncIterator[int]:
    endpoint = endpoint or TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")
    port = await endpoint.listen(factory)
    try:
        yield port.getHost().port
    finally:
        await port.stopListening()


@asynccontextmanager
async def serving(
    reactor: Any, config: ServerConfig, protocol: Callable[[], Stream] = Capitals, **options: Any
) -> AsyncIterator[Accepting]:
    """A server.  ``clock`` is what TLS goes by."""
    clock = options.pop("clock", reactor)
    factory = Accepting(reactor, protocol)
    tcp = TCP4ServerEndpoint(reactor, options.pop("at", 0), interface="127.0.0.1")
    async with listening(reactor, factory, TLSServerEndpoint(clock, tcp, config, **options)) as factory.port:
        yield factory
        for stream in factory.accepted:
            if stream.connected_at_all:
                await stream.end()


def tcp_to(reactor: Any, port: int) -> TCP4ClientEndpoint:
    return TCP4ClientEndpoint(reactor, "127.0.0.1", port, timeout=PATIENCE)


def connect(
    reactor: Any, port: int, protocol: Callable[[], Stream] = Stream, **options: Any
) -> Deferred[Stream]:
    clock = options.pop("clock", reactor)
    config = options.pop("config", None) or client_config()
    name = options.pop("server_name", NAME)
    endpoint = TLSClientEndpoint(clock, tcp_to(reactor, port), config, name, **options)
    return endpoint.connect(Factory.forProtocol(protocol))


async def connect_bare(reactor: Any, port: int) -> Stream:
    """Without TLS."""
    stream = await tcp_to(reactor, port).connect(Factory.forProtocol(Stream))
    assert isinstance(stream, Stream)
    return stream


async def ask(reactor: Any, port: int, question: bytes = b"hello", **options: Any) -> tuple[bytes, Any]:
    """One question and its answer, until the end of the stream."""
    stream = await connect(reactor, port, **options)
    stream.transport.write(question)
    stream.transport.loseWriteConnection()
    answer = await stream.read()
    await stream.close()
    return answer, stream.transport.connection


def terminations(log: list[Event]) -> list[happenings.ConnectionTerminated]:
    return [event for event in log if isinstance(event, happenings.ConnectionTerminated)]


def observing(log: list[Event]) -> Callable[[], Hooks]:
    """Hooks that note everything except data."""

    async def observe(happened: Sequence[Event]) -> None:
        log.extend(happened)

    return lambda: Hooks(observe=observe)


# --- what flows ----------------------------------------------------------------------------------------------


def asyncio_reactor() -> Any:
    return AsyncioSelectorReactor(asyncio.new_event_loop())


@pytest.mark.library("Twisted", "client", "server", "resumes")
@pytest.mark.parametrize("new_reactor", [UsualReactor, SelectReactor, asyncio_reactor])
def test_the_second_connection_resumes(new_reactor: Callable[[], Any]) -> None:
    async def main(reactor: Any) -> None:
        config = client_config(session_store=ClientSessionStore())
        async with serving(reactor, server_config()) as server:
            assert server.numPorts == 1  # it was started
            for resumed in (False, True, True):
                answer, connection = await ask(reactor, server.port, config=config)
                assert (answer, connection.resumed) == (b"HELLO", resumed)
        assert server.numPorts == 0

    reactor = new_reactor()
    run(main, reactor)
    if isinstance(reactor, AsyncioSelectorReactor):
        reactor._asyncioEventloop.close()


def test_what_a_protocol_finds_on_its_transport() -> None:
    @implementer(IHandshakeListener)
    class Listener(Stream):
        handshakes = 0

        def handshakeCompleted(self) -> None:
            assert self.connected_at_all
            self.handshakes += 1

    async def main(reactor: Any) -> None:
        config = server_config(alpn_protocols=[b"echo"])
        async with serving(reactor, config, Listener) as server:
            client = client_config(alpn_protocols=[b"other", b"echo"])
            stream = await connect(reactor, server.port, Listener, config=client)
            transport = stream.transport
            assert isinstance(stream, Listener)
            assert stream.handshakes == 1
            for interface in (INegotiated, IConsumer, IPushProducer):
                verifyObject(interface, transport)
            assert transport.negotiatedProtocol == b"echo"
            assert transport.getPeerCertificate() == server_identity().certificate
            assert transport.connection.peer_certificates == server_identity().chain_der
            assert not transport.connection.resumed
            assert transport.connection.session is None
            assert not transport.truncated
            assert transport.getPeer().port == server.port
            transport.setTcpNoDelay(True)
            transport.setTcpKeepAlive(True)
            assert transport.getTcpNoDelay()
            assert transport.getTcpKeepAlive()
            for wrong in ("hello", 5):
                with pytest.raises(TypeError, match="expected a bytes-like object"):
                    transport.write(wrong)
            accepted = await server.next()
            assert accepted.transport.getPeerCertificate() is None
            accepted.transport.loseConnection()
            await stream.close()

    run(main)


@pytest.mark.parametrize("size", [5, 3_000_000])
def test_twisteds_own_client(size: int) -> None:
    async def main(reactor: Any) -> None:
        root = ssl.trustRootFromCertificates([ssl.Certificate.loadPEM(authority().pem)])
        options = ssl.optionsForClientTLS(NAME, trustRoot=root)
        async with serving(reactor, server_config()) as server:
            factory = TLSMemoryBIOFactory(options, True, Factory.forProtocol(Stream), clock=reactor)
            stream = (await tcp_to(reactor, server.port).connect(factory)).wrappedProtocol
            stream.transport.write(b"x" * size)
            assert await stream.read(size) == b"X" * size
            await stream.close()
            accepted = await server.next()
            assert type(await accepted.end()) is ConnectionDone

    run(main)


@pytest.mark.parametrize("size", [5, 3_000_000])
def test_twisteds_own_server(size: int) -> None:
    async def main(reactor: Any) -> None:
        async with listening(reactor, their_tls(reactor, Accepting(reactor, Capitals))) as port:
            stream = await connect(reactor, port)
            stream.transport.write(b"x" * size)
            assert await stream.read(size) == b"X" * size
            await stream.close()

    run(main)


def test_twisteds_own_server_that_closes_first() -> None:
    class Greeting(Protocol):
        def connectionMade(self) -> None:
            assert self.transport is not None
            self.transport.write(b"hello" * 100_000)
            self.transport.loseConnection()

    async def main(reactor: Any) -> None:
        async with listening(reactor, their_tls(reactor, Factory.forProtocol(Greeting))) as port:
            stream = await connect(reactor, port)
            assert await stream.read() == b"hello" * 100_000
            assert stream.read_closed  # with close_notify
            await stream.close()

    run(main)


def their_tls(reactor: Any, factory: Any) -> TLSMemoryBIOFactory:
    """A server with Twisted's own TLS."""
    certificate = ssl.PrivateCertificate.loadPEM(server_identity().key_pem + server_identity().chain_pem)
    options = ssl.CertificateOptions(
        certificate.privateKey.original, certificate.original, enableSessionTickets=True
    )
    return TLSMemoryBIOFactory(options, False, factory, clock=reactor)


def test_half_close_from_either_side() -> None:
    async def main(reactor: Any) -> None:
        async with serving(reactor, server_config(), Stream) as server:
            client = await connect(reactor, server.port)
            accepted = await server.next()
            accepted.transport.write(b"first me")
            accepted.transport.loseWriteConnection()
            await accepted.until(lambda: accepted.write_closed)
            accepted.transport.write(b"dropped, as TCP does")
            assert await client.read() == b"first me"
            client.transport.write(b"then you")
            await client.close()
            assert await accepted.read() == b"then you"
            await accepted.close()

    run(main)


def test_a_half_close_is_told_when_all_has_been_written() -> None:
    async def main(reactor: Any) -> None:
        async with serving(reactor, server_config(), Stream) as server:
            client = await connect(reactor, server.port, Slow)
            accepted = await server.next()
            accepted.transport.write(bytes(20_000_000))
            accepted.transport.loseWriteConnection()
            await sleep(reactor, 0.1)
            assert not accepted.write_closed
            client.transport.resumeProducing()
            await accepted.until(lambda: accepted.write_closed)
            assert len(await client.read()) == 20_000_000
            client.transport.loseConnection()
            await accepted.read()
            await accepted.close()

    run(main)


def test_a_protocol_that_fails_where_it_hears_of_its_half_close_ends_its_connection() -> None:
    class Failing(Stream):
        def writeConnectionLost(self) -> None:
            raise RuntimeError("half a protocol")

    async def main(reactor: Any) -> None:
        async with serving(reactor, server_config(), Stream) as server:
            stream = await connect(reactor, server.port, Failing)
            stream.transport.loseWriteConnection()
            accepted = await server.next()
            await accepted.until(lambda: accepted.read_closed)
            with pytest.raises(RuntimeError, match="half a protocol"):
                raise await stream.end()
            accepted.transport.loseConnection()

    run(main, complaints=["half a protocol"])


@pytest.mark.parametrize("action", ["answer", "half-close", "stop"])
def test_a_protocol_that_knows_no_half_close_is_closed_with_its_peer(action: str) -> None:
    class Plain(Protocol):
        transport: Any

        def dataReceived(self, data: bytes) -> None:
            self.transport.write(data.upper())
            if action == "half-close":
                self.transport.loseWriteConnection()
            elif action == "stop":
                self.transport.unregisterProducer()  # there is none
                self.transport.stopProducing()

        def connectionLost(self, reason: Failure = connectionDone) -> None:
            lost.append(reason.value)

    lost: list[Any] = []

    async def main(reactor: Any) -> None:
        tcp = TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")
        endpoint = TLSServerEndpoint(reactor, tcp, server_config())
        async with listening(reactor, Factory.forProtocol(Plain), endpoint) as port:
            stream = await connect(reactor, port)
            stream.transport.write(b"hello")
            if action == "answer":
                stream.transport.loseWriteConnection()
            assert await stream.read() == b"HELLO"
            await stream.close()
            await eventually(reactor, lambda: lost)
            assert [type(error) for error in lost] == [ConnectionDone]

    run(main)


async def eventually(reactor: Any, condition: Callable[[], object]) -> None:
    while not condition():
        await sleep(reactor, 0.01)


def test_tickets_on_request_and_new_keys_amid_data() -> None:
    class Busy(Capitals):
        def connectionMade(self) -> None:
            super().connectionMade()
            self.transport.command(UpdateKeys(request_peer=True))
            self.transport.command(IssueTicket(3))

    async def main(reactor: Any) -> None:
        store = ClientSessionStore()
        async with serving(reactor, server_config(num_tickets=0), Busy) as server:
            answer, _ = await ask(
                reactor, server.port, b"x" * 500_000, config=client_config(session_store=store)
            )
            assert answer == b"X" * 500_000
        assert len(store) == 3

    run(main)


@pytest.mark.parametrize("asked", [True, False], ids=["asked", "observed"])
@pytest.mark.parametrize("half", [True, False], ids=["half-close", "close"])
def test_tickets_on_request_leave_before_the_end(half: bool, asked: bool) -> None:
    """What is asked, or told, of them takes its time; and then there is close_notify."""
    made: list[bytes] = []

    class Leaving(Stream):
        def dataReceived(self, data: bytes) -> None:
            self.transport.command(IssueTicket(2))
            if half:
                self.transport.loseWriteConnection()
            else:
                self.transport.loseConnection()

        def readConnectionLost(self) -> None:
            super().readConnectionLost()
            self.transport.loseConnection()

    async def main(reactor: Any) -> None:
        async def prepare(question: PrepareTicket) -> Command:
            await sleep(reactor, 0.01)
            return SealTicket(b"prepared")

        async def observe(happened: Sequence[Event]) -> None:
            await sleep(reactor, 0.01)
            made.extend(event.session.app_data for event in happened if isinstance(event, TicketIssued))

        store = ClientSessionStore()
        options: dict[str, Any] = {
            "answers": {PrepareTicket: prepare} if asked else {},
            "hooks": lambda: Hooks(observe=observe),
        }
        async with serving(reactor, server_config(num_tickets=0), Leaving, **options) as server:
            stream = await connect(reactor, server.port, config=client_config(session_store=store))
            stream.transport.write(b"hello")
            assert await stream.read() == b""
            assert stream.read_closed, "close_notify has come"
            await stream.close()
            assert (await server.next()).write_closed == half
        assert len(store) == 2

    run(main)
    assert made == [b"prepared" if asked else b""] * 2


def test_tls_in_tls() -> None:
    """Our transport is one that our protocol can be connected to, with all that it needs."""
    size = 3_000_000

    async def main(reactor: Any) -> None:
        tcp = TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")
        outer = TLSServerEndpoint(reactor, tcp, server_config())
        inner = TLSServerEndpoint(reactor, outer, server_config())
        factory = Accepting(reactor, Capitals)
        async with listening(reactor, factory, inner) as port:
            to_outer = TLSClientEndpoint(reactor, tcp_to(reactor, port), client_config(), NAME)
            to_inner = TLSClientEndpoint(reactor, to_outer, client_config(), NAME)
            stream = await to_inner.connect(Factory.forProtocol(Stream))
            stream.transport.write(b"x" * size)
            stream.transport.loseWriteConnection()
            assert await stream.read() == b"X" * size
            await stream.close()
            assert type(await factory.accepted[0].end()) is ConnectionDone

    run(main)


@pytest.mark.parametrize("closes_first", ["client", "server"])
def test_tls_in_twisteds_own(closes_first: str) -> None:
    """Which has no half-close, and would do it to the socket: its own stream would be cut off."""
    size = 300_000

    class TheirEndpoint:
        def __init__(self, reactor: Any, port: int = 0) -> None:
            self.reactor, self.port = reactor, port

        def listen(self, factory: Any) -> Any:
            tcp = TCP4ServerEndpoint(self.reactor, 0, interface="127.0.0.1")
            return tcp.listen(their_tls(self.reactor, factory))

        def connect(self, factory: Any) -> Any:
            root = ssl.trustRootFromCertificates([ssl.Certificate.loadPEM(authority().pem)])
            options = ssl.optionsForClientTLS(NAME, trustRoot=root)
            outer = TLSMemoryBIOFactory(options, True, factory, clock=self.reactor)
            return tcp_to(self.reactor, self.port).connect(outer).addCallback(lambda tls: tls.wrappedProtocol)

    async def main(reactor: Any) -> None:
        factory = Accepting(reactor, Capitals)
        inner = TLSServerEndpoint(reactor, TheirEndpoint(reactor), server_config())
        async with listening(reactor, factory, inner) as port:
            to_inner = TLSClientEndpoint(reactor, TheirEndpoint(reactor, port), client_config(), NAME)
            stream = await to_inner.connect(Factory.forProtocol(Stream))
            stream.transport.write(b"x" * size)
            assert await stream.read(size) == b"X" * size
            accepted = factory.accepted[0]
            (stream if closes_first == "client" else accepted).transport.loseConnection()
            if closes_first == "server":
                await stream.until(lambda: stream.read_closed)
                stream.transport.loseConnection()
            assert [type(await end) for end in (stream.end(), accepted.end())] == [ConnectionDone] * 2

    run(main)


class Plain:
    """A transport that has no more than that of ``ProcessEndpoint``: no half-close, no abort, no peer."""

    def __init__(self, transport: Any) -> None:
        self.write, self.loseConnection = transport.write, transport.loseConnection


class PlainEndpoint:
    def __init__(self, endpoint: Any) -> None:
        self._endpoint = endpoint

    def connect(self, factory: Any) -> Any:
        class Between(Protocol):
            def connectionMade(self) -> None:
                self.inner = factory.buildProtocol(None)
                self.inner.makeConnection(Plain(self.transport))

            def dataReceived(self, data: bytes) -> None:
                self.inner.dataReceived(data)

            def connectionLost(self, reason: Failure = connectionDone) -> None:
                self.inner.connectionLost(reason)

        connected = self._endpoint.connect(Factory.forProtocol(Between))
        return connected.addCallback(lambda between: between.inner)


def connect_plainly(reactor: Any, port: int, config: Any = None) -> Any:
    endpoint = PlainEndpoint(tcp_to(reactor, port))
    tls = TLSClientEndpoint(reactor, endpoint, config or client_config(), NAME, linger=0.05)
    return tls.connect(Factory.forProtocol(Stream))


def test_a_transport_that_is_no_socket_carries_data_and_the_end() -> None:
    async def main(reactor: Any) -> None:
        async with serving(reactor, server_config()) as server:
            stream = await connect_plainly(reactor, server.port)
            stream.transport.write(b"hello")
            stream.transport.pauseProducing()
            stream.transport.resumeProducing()
            assert await stream.read(5) == b"HELLO"
            stream.transport.loseConnection()
            assert type(await stream.end()) is ConnectionDone
            accepted = await server.next()
            assert type(await accepted.end()) is ConnectionDone
            assert accepted.read_closed  # with close_notify

    run(main)


def test_a_transport_that_is_no_socket_is_closed_by_an_abort() -> None:
    async def main(reactor: Any) -> None:
        async with serving(reactor, server_config()) as server:
            stream = await connect_plainly(reactor, server.port)
            stream.transport.abortConnection()
            await stream.end()
            accepted = await server.next()
            assert type(await accepted.end()) is TLSError  # there was no close_notify

    run(main)


def test_a_handshake_over_a_transport_that_is_no_socket_fails_or_is_cancelled() -> None:
    async def main(reactor: Any) -> None:
        log: list[Event] = []
        async with serving(reactor, server_config(), hooks=observing(log)) as server:
            stranger = client_config(trust_anchors=anchors_of(new_authority("stranger")))
            with pytest.raises(TLSError, match="no path to a trust anchor"):
                await connect_plainly(reactor, server.port, stranger)
            await eventually(reactor, lambda: terminations(log))
        assert terminations(log)[0].alert == AlertDescription.UNKNOWN_CA
        silent = Accepting(reactor, Stream)
        async with listening(reactor, silent) as port:
            attempt = connect_plainly(reactor, port)
            accepted = await silent.next()
            await accepted.until(lambda: accepted.received)
            attempt.cancel()
            with pytest.raises(ConnectingCancelledError):
                await attempt
            await accepted.read()
            await accepted.close()

    run(main)


# --- back-pressure -------------------------------------------------------------------------------------------


@implementer(IPushProducer)
class Flood(Stream):
    """Writes as long as it may, then closes."""

    closes_early = False
    left = 20_000_000
    paused = False
    stopped = False

    def connectionMade(self) -> None:
        super().connectionMade()
        self.transport.registerProducer(self, True)
        self.resumeProducing()

    def pauseProducing(self) -> None:
        assert not self.paused
        self.paused = True

    def resumeProducing(self) -> None:
        self.paused = False
        while self.left and not self.paused and not self.stopped:
            self.left -= 100_000
            self.transport.write(bytes(100_000))
        if not self.left:
            self.transport.unregisterProducer()
            self.transport.loseConnection()

    def stopProducing(self) -> None:
        self.stopped = True


@implementer(IPullProducer)
class Trickle(Stream):
    """Writes a piece whenever it is asked for one; it is closed early, but that waits for the last piece."""

    closes_early = True
    left = 20_000_000
    stopped = False

    def connectionMade(self) -> None:
        super().connectionMade()
        self.transport.registerProducer(self, False)
        self.transport.loseConnection()
        with pytest.raises(RuntimeError, match="cannot be registered"):
            self.transport.registerProducer(self, False)

    def resumeProducing(self) -> None:
        self.left -= 50_000
        self.transport.write(bytes(50_000))
        if not self.left:
            self.transport.unregisterProducer()

    def stopProducing(self) -> None:
        self.stopped = True


class Slow(Stream):
    def connectionMade(self) -> None:
        super().connectionMade()
        self.transport.pauseProducing()


async def stalled(reactor: Any, progress: Callable[[], int]) -> int:
    """Where it has come to a halt."""
    before, now = -1, progress()
    while now != before:
        await sleep(reactor, 0.2)
        before, now = now, progress()
    return now


@pytest.mark.parametrize("producer", [Flood, Trickle])
def test_a_producer_waits_for_a_reader_that_is_slow(producer: Any) -> None:
    async def main(reactor: Any) -> None:
        async with serving(reactor, server_config(), producer) as server:
            stream = await connect(reactor, server.port, Slow)
            accepted = await server.next()
            stream.transport.write(b"hello")
            assert await stalled(reactor, lambda: accepted.left) > 5_000_000
            received = len(stream.received)
            assert await stalled(reactor, lambda: len(stream.received)) == received == 0
            stream.transport.resumeProducing()
            assert len(await stream.read()) == 20_000_000
            await stream.close()
            assert type(await accepted.end()) is ConnectionDone
            assert not accepted.stopped
            assert accepted.received == (b"" if accepted.closes_early else b"hello")

    run(main)


@pytest.mark.parametrize("producer", [Flood, Trickle])
def test_a_producer_is_stopped_when_its_reader_leaves(producer: Any) -> None:
    async def main(reactor: Any) -> None:
        async with serving(reactor, server_config(), producer) as server:
            stream = await connect(reactor, server.port, Slow)
            accepted = await server.next()
            stream.transport.abortConnection()
            assert type(await stream.end()) is ConnectionAborted
            assert isinstance(await accepted.end(), ConnectionLost)
            assert accepted.stopped
            accepted.stopped = False
            accepted.transport.registerProducer(accepted, True)
            assert accepted.stopped

    run(main)


def test_a_pull_producer_that_fails_ends_its_connection() -> None:
    class Broken(Trickle):
        def resumeProducing(self) -> None:
            raise RuntimeError("the disk is on fire")

    async def main(reactor: Any) -> None:
        async with serving(reactor, server_config(), Broken) as server:
            stream = await connect(reactor, server.port)
            assert isinstance(await stream.end(), TLSError)
            accepted = await server.next()
            assert str(await accepted.end()) == "the disk is on fire"
            assert accepted.stopped

    run(main, complaints=["the disk is on fire"])


async def said_at_once(reactor: Any, port: int, data: bytes) -> Stream:
    """A client whose Finished, data and close_notify arrive together."""
    below = await connect_bare(reactor, port)
    client = ClientConnection(client_config(), NAME)
    below.transport.write(client.data_to_send())
    while not client.version:
        await below.until(lambda: below.received)
        client.receive_data(bytes(below.received))
        below.received.clear()
    client.send(SendData(data))
    client.send(Close())
    below.transport.write(client.data_to_send())
    return below


def test_nothing_is_passed_on_to_a_protocol_that_has_paused() -> None:
    """Not even what came together with the end of the handshake, and what comes behind it waits as well."""

    class Sipping(Slow):
        def dataReceived(self, data: bytes) -> None:
            super().dataReceived(data)
            self.transport.pauseProducing()

    async def main(reactor: Any) -> None:
        async with serving(reactor, server_config(), Sipping) as server:
            below = await said_at_once(reactor, server.port, b"hello")
            accepted = await server.next()
            await eventually(reactor, lambda: accepted.connected_at_all)
            for received in b"", b"hello":
                await sleep(reactor, 0.02)
                assert (accepted.received, accepted.read_closed) == (received, False)
                accepted.transport.resumeProducing()
                assert accepted.received == received  # not before it has returned
            await accepted.until(lambda: accepted.read_closed)
            await accepted.close()
            below.transport.loseConnection()
            await below.end()

    run(main)


def test_nothing_is_passed_on_while_the_application_is_waited_for() -> None:
    """What was kept, as little as what comes: nothing is read meanwhile."""

    async def main(reactor: Any) -> None:
        stored: Deferred[None] = Deferred()

        async def observe(happened: Sequence[Event]) -> None:
            if any(isinstance(event, TicketIssued) for event in happened) and accepted:
                await stored

        accepted: list[Stream] = []
        async with serving(reactor, server_config(), Slow, hooks=lambda: Hooks(observe=observe)) as server:
            below = await said_at_once(reactor, server.port, b"hello")
            accepted.append(stream := await server.next())
            await eventually(reactor, lambda: stream.connected_at_all)
            stream.transport.command(IssueTicket())
            stream.transport.command(FlushTickets())
            stream.transport.resumeProducing()
            await sleep(reactor, 0.02)
            assert stream.received == b""
            stored.callback(None)
            await stream.until(lambda: stream.read_closed)
            assert stream.received == b"hello"
            await stream.close()
            below.transport.loseConnection()
            await below.end()

    run(main)


def test_a_connection_that_ends_takes_along_what_was_kept() -> None:
    async def main(reactor: Any) -> None:
        async with serving(reactor, server_config(), Slow) as server:
            below = await said_at_once(reactor, server.port, b"hello")
            accepted = await server.next()
            await eventually(reactor, lambda: accepted.connected_at_all)
            accepted.transport.resumeProducing()
            accepted.transport.abortConnection()
            assert type(await accepted.end()) is ConnectionAborted
            assert accepted.received == b""
            await below.end()

    run(main)


def test_a_protocol_that_fails_with_what_was_kept_ends_its_connection() -> None:
    class Failing(Slow):
        def dataReceived(self, data: bytes) -> None:
            raise RuntimeError("what is that?")

    async def main(reactor: Any) -> None:
        async with serving(reactor, server_config(), Failing) as server:
            below = await said_at_once(reactor, server.port, b"hello")
            accepted = await server.next()
            await eventually(reactor, lambda: accepted.connected_at_all)
            accepted.transport.resumeProducing()
            await below.read()
            below.transport.loseConnection()
            assert str(await accepted.end()) == "what is that?"

    run(main, complaints=["what is that?"])


class Once(Protocol):
    """Answers, and closes."""

    transport: Any

    def dataReceived(self, data: bytes) -> None:
        self.transport.write(data.upper())
        self.transport.loseConnection()


@pytest.mark.parametrize("first", ["client", "upstream"])
def test_twisteds_port_forwarder_behind_tls(first: str) -> None:
    """Each side of it produces for the other: none waits for a last byte of one that is gone."""

    async def main(reactor: Any) -> None:
        upstream = Factory.forProtocol(Capitals if first == "client" else Once)
        async with listening(reactor, upstream) as behind:
            forwarder = ProxyFactory("127.0.0.1", behind)
            forwarder.protocol = partial(Forwarder, reactor)
            tcp = TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")
            async with listening(
                reactor, forwarder, TLSServerEndpoint(reactor, tcp, server_config())
            ) as port:
                stream = await connect(reactor, port, Eager)
                assert await stream.read(5) == b"HELLO"
                if first == "upstream":
                    await stream.until(lambda: stream.read_closed)
                await stream.close()

    run(main)


class Eager(Stream):
    def connectionMade(self) -> None:
        self.transport.write(b"hello")


class Forwarder(ProxyServer):
    def __init__(self, reactor: Any) -> None:
        self.reactor = reactor


def test_one_producer_after_another() -> None:
    class Changing(Flood):
        resumed = 0

        def connectionMade(self) -> None:
            Stream.connectionMade(self)
            self.transport.registerProducer(Trickle(), False)
            self.transport.unregisterProducer()
            self.transport.registerProducer(self, True)

        def resumeProducing(self) -> None:
            self.resumed += 1

    async def main(reactor: Any) -> None:
        async with serving(reactor, server_config(), Changing) as server:
            stream = await connect(reactor, server.port)
            accepted = await server.next()
            accepted.transport.write(b"hello")
            assert await stream.read(5) == b"hello"
            assert accepted.resumed == 0  # it was never paused
            stream.transport.loseConnection()
            await accepted.read()
            accepted.transport.unregisterProducer()
            await accepted.close()

    run(main)


def test_a_producer_waits_while_the_application_thinks() -> None:
    async def main(reactor: Any) -> None:
        thinking: list[Deferred[Command]] = []

        def prepare(question: PrepareTicket) -> Deferred[Command]:
            thinking.append(Deferred())
            return thinking[-1]

        config = server_config(num_tickets=0, answers={PrepareTicket: ASK})
        hooks = Hooks({PrepareTicket: prepare})
        async with serving(reactor, config, Flood, hooks=lambda: hooks) as server:
            stream = await connect(reactor, server.port)
            accepted = await server.next()
            accepted.transport.command(IssueTicket())
            await eventually(reactor, lambda: thinking)
            left = accepted.left
            assert left
            assert accepted.paused
            await sleep(reactor, 0.1)
            assert accepted.left == left
            thinking[0].callback(SealTicket())
            assert len(await stream.read()) == 20_000_000
            await stream.close()

    run(main)


def test_much_data_both_ways_at_once() -> None:
    """The server answers while it is still being asked, and neither side stops the other."""
    size = 5_000_000

    async def main(reactor: Any) -> None:
        async with serving(reactor, server_config()) as server:
            answer, _ = await ask(reactor, server.port, b"x" * size)
            assert answer == b"X" * size

    run(main)


# --- the end -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("https_compatible", [False, True])
@pytest.mark.parametrize("protocol", [Stream, Protocol])
@pytest.mark.parametrize("half_closes", [True, False])
def test_the_end_of_the_stream_without_close_notify(
    https_compatible: bool, protocol: Any, half_closes: bool
) -> None:
    """Also where a wrapper in between does not tell of half-closes: it takes every end for a clean one."""

    class Noting(protocol):  # type: ignore[misc]
        received = b""

        def dataReceived(self, data: bytes) -> None:
            self.received += data

        def connectionLost(self, reason: Failure = connectionDone) -> None:
            lost.append(reason.value)

    lost: list[Any] = []

    async def main(reactor: Any) -> None:
        async with serving(reactor, server_config(), Stream) as server:
            new_connection = partial(ClientConnection, client_config(), NAME)
            factory: Any = TLSFactory(
                reactor, new_connection, Factory.forProtocol(Noting), https_compatible=https_compatible
            )
            if not half_closes:
                factory = WrappingFactory(factory)
            tls = await tcp_to(reactor, server.port).connect(factory)
            if not half_closes:
                tls = tls.wrappedProtocol
            noting = await tls.ready()
            accepted = await server.next()
            accepted.transport.write(b"hello")
            cut(accepted)
            await eventually(reactor, lambda: lost)
            assert noting.received == b"hello"
            assert noting.transport.truncated == https_compatible
            (error,) = lost
            if https_compatible:
                assert type(error) is ConnectionDone
            else:
                assert "end of stream without close_notify" in str(error)
                assert isinstance(error, TLSError)
                assert error.event.reason is Reason.TRUNCATED
            assert isinstance(error, ConnectionDone if https_compatible else ConnectionLost)

    run(main)


def cut(stream: Stream) -> None:
    """End the stream beneath TLS."""
    stream.transport._tls.transport.loseWriteConnection()


def test_the_alert_comes_before_the_end_even_if_bytes_were_left_unread() -> None:
    """A socket closed with bytes unread in it sends RST, and the alert would be lost."""

    async def main(reactor: Any) -> None:
        async with serving(reactor, server_config()) as server:
            stream = await connect_bare(reactor, server.port)
            stream.transport.write(b"GET / HTTP/1.1\r\nHost: nowhere\r\n\r\n" + bytes(1_000_000))
            assert (await stream.read())[:5] == bytes.fromhex("1503030002")
            assert stream.read_closed
            await stream.close()

    run(main)


def test_a_client_that_does_not_trust_the_server_says_so() -> None:
    async def main(reactor: Any) -> None:
        log: list[Event] = []
        async with serving(reactor, server_config(), hooks=observing(log)) as server:
            stranger = client_config(trust_anchors=anchors_of(new_authority("stranger")))
            with pytest.raises(TLSError, match="no path to a trust anchor"):
                await connect(reactor, server.port, config=stranger)
            assert (await ask(reactor, server.port))[0] == b"HELLO"
            await eventually(reactor, lambda: terminations(log))
        (event,) = terminations(log)
        assert (event.by_peer, event.alert) == (True, AlertDescription.UNKNOWN_CA)

    run(main)


def test_twisteds_own_client_that_does_not_trust_our_server() -> None:
    async def main(reactor: Any) -> None:
        log: list[Event] = []
        root = ssl.trustRootFromCertificates([ssl.Certificate.loadPEM(new_authority("stranger").pem)])
        async with serving(reactor, server_config(), hooks=observing(log)) as server:
            options = ssl.optionsForClientTLS(NAME, trustRoot=root)
            factory = TLSMemoryBIOFactory(options, True, Factory.forProtocol(Stream), clock=reactor)
            stream = (await tcp_to(reactor, server.port).connect(factory)).wrappedProtocol
            assert isinstance(await stream.end(), ssl.SSL.Error)
            await eventually(reactor, lambda: terminations(log))
            (event,) = terminations(log)
            assert (event.by_peer, event.alert) == (True, AlertDescription.UNKNOWN_CA)
            assert server.accepted == []

    run(main)


def test_abort_does_not_wait_for_anything() -> None:
    async def main(reactor: Any) -> None:
        async with serving(reactor, server_config(), Stream) as server:
            stream = await connect(reactor, server.port, Slow)
            accepted = await server.next()
            accepted.transport.registerProducer(Flood(), True)
            accepted.transport.write(bytes(20_000_000))
            accepted.transport.loseConnection()  # which waits for the producer and for the reader
            await sleep(reactor, 0.1)
            assert accepted.lost is None
            accepted.transport.abortConnection()
            assert accepted.lost is None  # but soon
            assert type(await accepted.end()) is ConnectionAborted
            with pytest.raises(LocalProtocolError, match="after the end of the connection"):
                accepted.transport.connection.send(SendData(b"hello"))
            stream.transport.resumeProducing()
            assert isinstance(await stream.end(), ConnectionLost)

    run(main)


def test_nothing_is_delivered_after_an_abort() -> None:
    class Aborting(Stream):
        def dataReceived(self, data: bytes) -> None:
            super().dataReceived(data)
            self.transport.abortConnection()

    async def main(reactor: Any) -> None:
        async with serving(reactor, server_config(), Aborting) as server:
            stream = await connect(reactor, server.port)
            accepted = await server.next()
            stream.transport.write(b"hello")
            stream.transport.loseWriteConnection()
            assert type(await accepted.end()) is ConnectionAborted
            assert accepted.received == b"hello"
            assert not accepted.read_closed
            assert isinstance(await stream.end(), ConnectionLost)

    run(main)


def test_a_factory_that_wants_no_connection() -> None:
    class Refusing(Factory):
        def buildProtocol(self, addr: Any) -> None:
            return None

    class Greeting(Stream):
        def connectionMade(self) -> None:
            super().connectionMade()
            self.transport.write(b"hello")

    async def main(reactor: Any) -> None:
        tcp = TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")
        refusing = TLSServerEndpoint(reactor, tcp, server_config())
        async with listening(reactor, Refusing(), refusing) as port:
            stream = await connect(reactor, port, Greeting)
            await stream.read()
            assert stream.read_closed
            await stream.close()
        async with serving(reactor, server_config()) as server:
            endpoint = TLSClientEndpoint(reactor, tcp_to(reactor, server.port), client_config(), NAME)
            with pytest.raises(NoProtocol):
                await endpoint.connect(Refusing())

    run(main)


def test_a_protocol_that_fails_ends_its_connection_only() -> None:
    class Failing(Stream):
        def dataReceived(self, data: bytes) -> None:
            raise RuntimeError("what is that?")

    async def main(reactor: Any) -> None:
        async with serving(reactor, server_config(), Failing) as server:
            stream = await connect(reactor, server.port)
            stream.transport.write(b"hello")
            assert isinstance(await stream.end(), ConnectionLost)
            assert str(await (await server.next()).end()) == "what is that?"
            stream = await connect(reactor, server.port)
            (await server.next()).transport.loseConnection()
            await stream.close()

    run(main, complaints=["what is that?"])


def test_a_session_that_was_never_sent_is_kept() -> None:
    async def main(reactor: Any) -> None:
        store = ClientSessionStore()
        config = client_config(session_store=store)
        async with serving(reactor, server_config(), at=free_port()) as server:
            await ask(reactor, server.port, config=config)
            before = len(store)
        with pytest.raises(ConnectionRefusedError):
            await ask(reactor, server.port, config=config)
        assert len(store) == before == 2

    run(main)


def test_a_name_that_is_none_is_said_when_connecting() -> None:
    async def main(reactor: Any) -> None:
        async with serving(reactor, server_config()) as server:
            with pytest.raises(ConfigError, match="expected 1 to 253 ASCII characters"):
                await connect(reactor, server.port, server_name="nö.example")

    run(main)


# --- time ----------------------------------------------------------------------------------------------------


def test_a_client_that_says_nothing_is_left() -> None:
    async def main(reactor: Any) -> None:
        clock = Clock()
        async with serving(reactor, server_config(), clock=clock, timeout=30) as server:
            stream = await connect_bare(reactor, server.port)
            await eventually(reactor, clock.getDelayedCalls)
            clock.advance(29.9)
            await sleep(reactor, 0.1)
            assert not stream.received
            assert not stream.read_closed
            clock.advance(0.2)
            assert (await stream.read()).startswith(bytes.fromhex("15"))  # user_canceled
            await stream.close()

    run(main)


def test_a_server_that_says_nothing_is_left() -> None:
    async def main(reactor: Any) -> None:
        clock = Clock()
        silent = Accepting(reactor, Stream)
        async with listening(reactor, silent) as port:
            attempt = connect(reactor, port, clock=clock, timeout=10)
            accepted = await silent.next()
            await accepted.until(lambda: accepted.received)
            clock.advance(9.9)
            await sleep(reactor, 0.1)
            assert not accepted.read_closed
            clock.advance(0.2)
            with pytest.raises(TimeoutError, match="handshake took too long"):
                await attempt
            assert (await accepted.read()).endswith(bytes.fromhex("15030300020100"))  # close_notify
            await accepted.close()

    run(main)


def test_a_peer_that_does_not_close_is_left() -> None:
    async def main(reactor: Any) -> None:
        clock = Clock()
        async with serving(reactor, server_config(), Stream, clock=clock, linger=3) as server:
            stream = await connect(reactor, server.port)
            accepted = await server.next()
            accepted.transport.loseConnection()
            await stream.read()
            clock.advance(2.9)
            await sleep(reactor, 0.1)
            assert accepted.lost is None
            clock.advance(0.2)
            assert type(await accepted.end()) is ConnectionDone
            await stream.close()

    run(main)


def test_a_peer_that_has_said_its_last_is_not_waited_for() -> None:
    async def main(reactor: Any) -> None:
        clock = Clock()
        async with serving(reactor, server_config(), Stream, clock=clock) as server:
            stream = await connect(reactor, server.port)
            accepted = await server.next()
            stream.transport.loseWriteConnection()
            await accepted.read()
            await accepted.close()
            await stream.close()

    run(main)


def test_a_connection_may_last() -> None:
    async def main(reactor: Any) -> None:
        clock = Clock()
        async with serving(reactor, server_config(), clock=clock, timeout=30) as server:
            stream = await connect(reactor, server.port)
            await server.next()
            clock.advance(1000)
            stream.transport.write(b"hello")
            assert await stream.read(5) == b"HELLO"
            stream.transport.loseWriteConnection()
            await stream.read()
            await stream.close()

    run(main)


def test_a_peer_that_does_not_close_after_an_alert_is_left() -> None:
    async def main(reactor: Any) -> None:
        clock = Clock()
        async with serving(reactor, server_config(), clock=clock, linger=3) as server:
            stream = await connect_bare(reactor, server.port)
            stream.transport.write(b"GET / HTTP/1.1\r\n")
            assert await stream.read()
            open_ones = len(reactor.getReaders())
            clock.advance(2.9)
            await sleep(reactor, 0.1)
            assert len(reactor.getReaders()) == open_ones
            clock.advance(0.2)
            await eventually(reactor, lambda: len(reactor.getReaders()) < open_ones)
            await stream.close()

    run(main)


def test_a_peer_that_spoils_its_stream_and_does_not_read_is_left() -> None:
    async def main(reactor: Any) -> None:
        clock = Clock()
        async with serving(reactor, server_config(), Stream, clock=clock, linger=3) as server:
            stream = await connect(reactor, server.port, Slow)
            accepted = await server.next()
            accepted.transport.write(bytes(20_000_000))
            stream.transport._tls.transport.write(b"spoiled")
            await eventually(reactor, lambda: accepted.transport._tls.ending)
            clock.advance(3)
            await sleep(reactor, 0.1)
            assert accepted.lost is None
            clock.advance(3)
            error = await accepted.end()
            assert isinstance(error, TLSError)
            assert not error.event.by_peer
            stream.transport.abortConnection()

    run(main)


@pytest.mark.parametrize("ended", [False, True])
def test_a_reader_that_is_slow_gets_all_the_same(ended: bool) -> None:
    """However long it takes: who closes has no limit for that, but ``abortConnection``.

    With ``ended`` the reader has ended its own stream by then.
    """

    async def main(reactor: Any) -> None:
        clock = Clock()
        async with serving(reactor, server_config(), Stream, clock=clock, linger=3) as server:
            stream = await connect(reactor, server.port, Slow)
            accepted = await server.next()
            accepted.transport.write(bytes(20_000_000))
            accepted.transport.loseConnection()
            for _ in range(10):
                clock.advance(1000)
                await sleep(reactor, 0.01)
            assert accepted.lost is None
            stream.transport.write(b"this is not read, and RST must not follow from that")
            if ended:
                cut(stream)
                await eventually(reactor, lambda: accepted.transport._tls._end_of_stream)
            stream.transport.resumeProducing()
            assert len(await stream.read()) == 20_000_000
            await stream.close()
            assert type(await accepted.end()) is ConnectionDone
            assert accepted.received == b""

    run(main)


# --- cancellation --------------------------------------------------------------------------------------------


def test_a_cancelled_connection_attempt_says_goodbye() -> None:
    async def main(reactor: Any) -> None:
        silent = Accepting(reactor, Stream)
        async with listening(reactor, silent) as port:
            attempt = connect(reactor, port)
            accepted = await silent.next()
            await accepted.until(lambda: accepted.received)
            attempt.cancel()
            with pytest.raises(ConnectingCancelledError) as caught:
                await attempt
            assert caught.value.address.port == port
            assert (await accepted.read()).endswith(bytes.fromhex("15030300020100"))  # close_notify
            await accepted.close()

    run(main)


def test_a_connection_attempt_that_is_cancelled_at_once() -> None:
    async def main(reactor: Any) -> None:
        store = ClientSessionStore()
        config = client_config(session_store=store)
        async with serving(reactor, server_config()) as server:
            await ask(reactor, server.port, config=config)
            attempt = connect(reactor, server.port, config=config)
            attempt.cancel()
            with pytest.raises(ConnectingCancelledError):
                await attempt
        assert len(store) == 2

    run(main)


# --- questions -----------------------------------------------------------------------------------------------


class Store:
    """A store that takes its time."""

    def __init__(self, reactor: Any) -> None:
        self.reactor = reactor
        self.sessions: dict[bytes, Session] = {}
        self.asked = 0

    def look_up(self, question: LookUpSession) -> Deferred[Command]:
        """This one with a Deferred."""
        self.asked += 1
        return deferLater(
            self.reactor, 0.01, lambda: ProvideSession(self.sessions.pop(question.session_id, None))
        )

    async def observe(self, happened: Sequence[Event]) -> None:
        for event in happened:
            if isinstance(event, TicketIssued):
                await sleep(self.reactor, 0.01)
                self.sessions[event.session.session_id] = event.session

    def hooks(self) -> Hooks:
        return Hooks({LookUpSession: self.look_up}, self.observe)


def test_an_asynchronous_session_store() -> None:
    async def main(reactor: Any) -> None:
        store = Store(reactor)
        config = server_config(ticket_keys=None, answers={LookUpSession: ASK})
        client = client_config(session_store=ClientSessionStore())
        async with serving(reactor, config, hooks=store.hooks) as server:
            for resumed in (False, True, True):
                answer, connection = await ask(reactor, server.port, b"x" * 300_000, config=client)
                assert (answer, connection.resumed) == (b"X" * 300_000, resumed)
        assert store.asked == 2
        assert len(store.sessions) == 2

    run(main)


def test_a_function_answers_for_all_connections() -> None:
    """The config need not say that it asks."""

    async def main(reactor: Any) -> None:
        store = Store(reactor)
        config = server_config(ticket_keys=None)
        client = client_config(session_store=ClientSessionStore())
        hooks = Hooks(observe=store.observe)
        answers = {LookUpSession: store.look_up}
        async with serving(reactor, config, answers=answers, hooks=lambda: hooks) as server:
            for resumed in (False, True, True):
                _, connection = await ask(reactor, server.port, config=client)
                assert connection.resumed == resumed
        assert store.asked == 2

    run(main)


def test_an_answer_that_does_not_come_costs_a_full_handshake() -> None:
    asked: list[bytes] = []

    def look_up(question: LookUpSession) -> Deferred[Command]:
        asked.append(question.session_id)
        return Deferred()

    async def main(reactor: Any) -> None:
        client = client_config(session_store=ClientSessionStore())
        options: dict[str, Any] = {"answers": {LookUpSession: look_up}, "answer_timeout": 0.01}
        async with serving(reactor, server_config(ticket_keys=None), **options) as server:
            for _ in range(2):
                answer, connection = await ask(reactor, server.port, config=client)
                assert (answer, connection.resumed) == (b"HELLO", False)

    run(main)
    assert asked


def test_a_look_up_that_was_cancelled_costs_a_full_handshake() -> None:
    """By somebody else, and not by the end of the connection."""

    def look_up(question: LookUpSession) -> Deferred[Command]:
        shared: Deferred[Command] = Deferred()
        shared.cancel()
        return shared

    async def main(reactor: Any) -> None:
        client = client_config(session_store=ClientSessionStore())
        answers: dict[Any, Any] = {LookUpSession: look_up}
        async with serving(reactor, server_config(ticket_keys=None), answers=answers) as server:
            for _ in range(2):
                answer, connection = await ask(reactor, server.port, config=client)
                assert (answer, connection.resumed) == (b"HELLO", False)

    run(main)


def test_a_session_is_stored_before_the_client_has_its_ticket() -> None:
    async def main(reactor: Any) -> None:
        order: list[str] = []

        async def store(happened: Sequence[Event]) -> None:
            if any(isinstance(event, TicketIssued) for event in happened):
                await sleep(reactor, 0.1)
                order.append("stored")

        async def note(happened: Sequence[Event]) -> None:
            order.extend("received" for event in happened if isinstance(event, TicketReceived))

        async with serving(reactor, server_config(), hooks=lambda: Hooks(observe=store)) as server:
            await ask(reactor, server.port, hooks=lambda: Hooks(observe=note))
        assert order == ["stored", "received", "received"]

    run(main)


def test_a_client_that_talks_while_the_application_thinks_is_held_back() -> None:
    """Nothing is read while a question is open, so whatever the client sends cannot be too much."""
    size = 4_000_000

    async def main(reactor: Any) -> None:
        async def think(question: PrepareTicket) -> Command:
            await sleep(reactor, 0.05)
            return SealTicket(b"thought")

        config = server_config(answers={PrepareTicket: ASK}, max_buffered=65_536)
        async with serving(reactor, config, hooks=lambda: Hooks({PrepareTicket: think})) as server:
            answer, _ = await ask(reactor, server.port, b"x" * size)
            assert len(answer) == size

    run(main)


def test_a_protocol_that_writes_while_the_application_thinks_is_held_back() -> None:
    """A ticket on request is prepared with the next data.  What is written meanwhile comes after it, in order."""
    numbers = range(300)

    class Counting(Stream):
        def connectionMade(self) -> None:
            super().connectionMade()
            for number in numbers:
                self.transport.command(IssueTicket())
                self.transport.write(b"%d\n" % number)
            self.transport.loseConnection()

    async def main(reactor: Any) -> None:
        asked: list[PrepareTicket] = []

        async def prepare(question: PrepareTicket) -> Command:
            asked.append(question)
            if len(asked) == 1:
                await sleep(reactor, 0.05)
            return SealTicket(b"prepared")

        config = server_config(num_tickets=0, answers={PrepareTicket: ASK})
        hooks = Hooks({PrepareTicket: prepare})
        async with serving(reactor, config, Counting, hooks=lambda: hooks) as server:
            stream = await connect(reactor, server.port)
            assert await stream.read() == b"".join(b"%d\n" % number for number in numbers)
            await stream.close()
        assert len(asked) == len(numbers)

    run(main)


def test_a_command_that_waited_and_is_wrong_costs_nothing_else() -> None:
    class Speaking(Stream):
        def connectionMade(self) -> None:
            super().connectionMade()
            self.transport.command(IssueTicket())
            self.transport.write(b"first")
            self.transport.command(RequestClientCertificate())
            self.transport.write(b", second")
            self.transport.loseConnection()

    async def main(reactor: Any) -> None:
        async def prepare(question: PrepareTicket) -> Command:
            await sleep(reactor, 0.05)
            return SealTicket()

        config = server_config(num_tickets=0, answers={PrepareTicket: ASK})
        hooks = Hooks({PrepareTicket: prepare})
        async with serving(reactor, config, Speaking, hooks=lambda: hooks) as server:
            stream = await connect(reactor, server.port)
            assert await stream.read() == b"first, second"
            await stream.close()

    run(main, complaints=["RequestClientCertificate, but the config"])


def test_a_config_chosen_by_a_coroutine() -> None:
    async def main(reactor: Any) -> None:
        other = server_config(credentials=[server_credential("ed25519", "other.example")])

        async def choose(question: SelectConfig) -> Command:
            await sleep(reactor, 0)
            return UseConfig(other if question.server_name == "other.example" else server_config())

        config = server_config(answers={SelectConfig: ASK})
        async with serving(reactor, config, hooks=lambda: Hooks({SelectConfig: choose})) as server:
            for name in (NAME, "other.example"):
                assert (await ask(reactor, server.port, server_name=name))[0] == b"HELLO"

    run(main)


async def fails(question: LookUpSession) -> Command:
    raise RuntimeError("the store is on fire")


def fails_at_once(question: LookUpSession) -> Deferred[Command]:
    raise RuntimeError("the store is on fire")


async def wrong(question: LookUpSession) -> Command:
    return SealTicket()


@pytest.mark.parametrize(
    ("handler", "message"),
    [
        (fails, "the store is on fire"),
        (fails_at_once, "the store is on fire"),
        (wrong, "SealTicket in tls13.AskLookUpSession"),
    ],
)
def test_a_handler_that_fails_ends_its_connection_only(handler: Any, message: str) -> None:
    async def main(reactor: Any) -> None:
        config = server_config(ticket_keys=None, answers={LookUpSession: ASK})
        client = client_config(session_store=ClientSessionStore())
        async with serving(reactor, config, hooks=lambda: Hooks({LookUpSession: handler})) as server:
            await ask(reactor, server.port, config=client)
            with pytest.raises(TLSError) as caught:
                await ask(reactor, server.port, config=client)
            assert caught.value.event.alert == AlertDescription.INTERNAL_ERROR
            assert (await ask(reactor, server.port))[0] == b"HELLO"

    run(main, complaints=[message])


def test_questions_and_events_have_what_the_program_knows_of_the_connection() -> None:
    """Here the address of the peer, on the server, and a name on the client."""
    known: list[Any] = []

    async def prepare(question: PrepareTicket) -> SealTicket:
        known.append(question.connection.application)
        return SealTicket()

    async def main(reactor: Any) -> None:
        hooks = Hooks({PrepareTicket: prepare}, application=lambda transport: transport.getPeer().host)
        config = server_config(answers={PrepareTicket: ASK})
        async with serving(reactor, config, hooks=lambda: hooks) as server:
            _, connection = await ask(
                reactor, server.port, hooks=lambda: Hooks(application=lambda transport: "of alice")
            )
        assert connection.application == "of alice"
        assert set(known) == {"127.0.0.1"}

    run(main)


@pytest.mark.parametrize("side", ["client", "server"])
def test_a_connection_of_which_the_program_cannot_say_anything(side: str) -> None:
    """It is not let in without: who bans addresses would let everybody in."""

    async def main(reactor: Any) -> None:
        hooks = {"client": Hooks(), "server": Hooks(), side: Hooks(application=lambda transport: 1 // 0)}
        async with serving(reactor, server_config(), hooks=lambda: hooks["server"]) as server:
            with pytest.raises(TLSError if side == "server" else ZeroDivisionError):
                await connect(reactor, server.port, hooks=lambda: hooks["client"])

    run(main, complaints=["by zero"])


def test_an_observer_that_fails_ends_its_connection_only() -> None:
    async def observe(happened: Sequence[Event]) -> None:
        if any(isinstance(event, TicketIssued) for event in happened):
            raise RuntimeError("the store is on fire")

    async def main(reactor: Any) -> None:
        async with serving(reactor, server_config(), hooks=lambda: Hooks(observe=observe)) as server:
            with pytest.raises(AssertionError, match=r"TLSError.*internal_error"):
                await ask(reactor, server.port)

    run(main, complaints=["the store is on fire"])


def test_a_question_without_a_handler() -> None:
    async def main(reactor: Any) -> None:
        config = server_config(answers={SelectConfig: ASK})
        async with serving(reactor, config) as server:
            with pytest.raises(TLSError) as caught:
                await connect(reactor, server.port)
            assert caught.value.event.alert == AlertDescription.INTERNAL_ERROR

    run(main)


async def deaf(question: Any) -> Command:
    """Does not heed that it is cancelled."""
    with suppress(CancelledError):
        await Deferred()
    return UseConfig(server_config()) if isinstance(question, SelectConfig) else SealTicket()


@pytest.mark.parametrize("handler", [lambda question: Deferred(), deaf])
@pytest.mark.parametrize("question", [SelectConfig, PrepareTicket])
def test_a_question_without_an_answer_ends_in_bounded_time(handler: Any, question: Any) -> None:
    async def main(reactor: Any) -> None:
        clock = Clock()
        asked: list[Any] = []

        def ask_in_vain(question: Any) -> Any:
            asked.append(question)
            return handler(question)

        config = server_config(answers={question: ASK})
        hooks = Hooks({question: ask_in_vain})
        async with serving(reactor, config, clock=clock, timeout=30, hooks=lambda: hooks) as server:
            attempt = connect(reactor, server.port)
            await eventually(reactor, lambda: asked)
            clock.advance(29.9)
            await sleep(reactor, 0.1)
            clock.advance(0.2)
            try:  # what is asked after the handshake ends a connection that the client has already
                error = await (await attempt).end()
            except TLSError as failed:
                error = failed
            assert isinstance(error, TLSError)
            assert error.event.alert == AlertDescription.INTERNAL_ERROR

    run(main)


def test_a_client_that_leaves_while_the_application_thinks() -> None:
    async def main(reactor: Any) -> None:
        thinking: list[Deferred[Command]] = []

        def think(question: SelectConfig) -> Deferred[Command]:
            thinking.append(Deferred())
            return thinking[-1]

        config = server_config(answers={SelectConfig: ASK})
        async with serving(reactor, config, hooks=lambda: Hooks({SelectConfig: think})) as server:
            attempt = connect(reactor, server.port)
            await eventually(reactor, lambda: thinking)
            attempt.cancel()
            with pytest.raises(ConnectingCancelledError):
                await attempt
            thinking[0].callback(UseConfig(server_config()))
        assert server.accepted == []

    run(main)


def test_a_question_is_cancelled_with_the_connection_attempt() -> None:
    async def main(reactor: Any) -> None:
        cancelled: list[Any] = []
        thinking: list[VerifyPeer] = []

        def think(question: VerifyPeer) -> Deferred[Command]:
            thinking.append(question)
            return Deferred(cancelled.append)

        config = client_config(answers={VerifyPeer: ASK})
        async with serving(reactor, server_config()) as server:
            hooks = Hooks({VerifyPeer: think})
            attempt = connect(reactor, server.port, config=config, hooks=lambda: hooks)
            await eventually(reactor, lambda: thinking)
            assert not cancelled
            attempt.cancel()
            with pytest.raises(ConnectingCancelledError):
                await attempt
            assert len(cancelled) == 1
        assert server.accepted == []

    run(main)


def test_an_observer_is_not_cancelled_with_the_connection_but_nothing_follows() -> None:
    """What it stores may be of use to another connection."""

    async def main(reactor: Any) -> None:
        stored: list[Event] = []
        accepted: list[Any] = []

        async def observe(happened: Sequence[Event]) -> None:
            if any(isinstance(event, happenings.PeerClosed) for event in happened):
                accepted[0].transport.abortConnection()
                await accepted[0].end()
                stored.extend(happened)

        async with serving(reactor, server_config(), hooks=lambda: Hooks(observe=observe)) as server:
            stream = await connect(reactor, server.port)
            accepted.append(await server.next())
            stream.transport.loseWriteConnection()
            assert isinstance(await stream.end(), ConnectionLost)
            await eventually(reactor, lambda: stored)
            assert type(await accepted[0].end()) is ConnectionAborted
            assert not accepted[0].read_closed

    run(main)


def test_a_question_is_cancelled_with_the_connection() -> None:
    async def main(reactor: Any) -> None:
        cancelled: list[Any] = []
        config = server_config(num_tickets=0, answers={PrepareTicket: ASK})
        hooks = Hooks({PrepareTicket: lambda question: Deferred(cancelled.append)})
        async with serving(reactor, config, Stream, hooks=lambda: hooks) as server:
            stream = await connect(reactor, server.port)
            accepted = await server.next()
            accepted.transport.command(IssueTicket())
            accepted.transport.write(b"hello")
            accepted.transport.abortConnection()
            assert type(await accepted.end()) is ConnectionAborted
            assert len(cancelled) == 1
            assert isinstance(await stream.end(), ConnectionLost)
            assert stream.received == b""

    run(main)


# --- HTTP ----------------------------------------------------------------------------------------------------


class Page(Resource):
    """Says how it was asked; sends back what it got."""

    isLeaf = True

    def render_GET(self, request: Any) -> bytes:
        assert request.isSecure()
        return b"resumed" if request.channel.transport.connection.resumed else b"full handshake"

    def render_POST(self, request: Any) -> bytes:
        body: bytes = request.content.read()
        return body


def web(reactor: Any) -> Site:
    return Site(Page(), reactor=reactor)


def test_twisteds_web_server_with_curl(tmp_path: Path) -> None:
    require("curl")
    ca, sent = tmp_path / "ca.pem", tmp_path / "sent"
    ca.write_bytes(authority().pem)
    sent.write_bytes(bytes(range(256)) * 20_000)

    async def main(reactor: Any) -> None:
        async def curl(*arguments: str | Path) -> bytes:
            where = f"{NAME}:{port}:127.0.0.1"
            command = ["curl", "-sS", "--cacert", ca, "--resolve", where, *arguments]
            finished = await deferToThreadPool(
                reactor, reactor.getThreadPool(), run_program, command, capture_output=True, timeout=PATIENCE
            )
            assert finished.stderr == b""
            assert finished.returncode == 0
            output: bytes = finished.stdout
            return output

        tcp = TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")
        endpoint = TLSServerEndpoint(reactor, tcp, server_config(alpn_protocols=[b"http/1.1"]))
        async with listening(reactor, web(reactor), endpoint) as port:
            url = f"https://{NAME}:{port}/"
            assert await curl("-H", "Connection: close", url, url) == b"full handshake" + b"resumed"
            assert await curl(url, url) == b"full handshake" * 2  # on one connection
            assert await curl("--data-binary", f"@{sent}", url) == sent.read_bytes()

    run(main)


@implementer(IAgentEndpointFactory)
class OurEndpoints:
    """How ``twisted.web.client.Agent`` connects through ours."""

    def __init__(self, reactor: Any, **options: Any) -> None:
        self._reactor = reactor
        self._options = options

    def endpointForURI(self, uri: Any) -> TLSClientEndpoint:
        tcp, name = tcp_to(self._reactor, uri.port), uri.host.decode()
        return TLSClientEndpoint(
            self._reactor, tcp, server_name=name, port=uri.port, https_compatible=True, **self._options
        )


async def get(agent: Agent, port: int) -> bytes:
    response = await agent.request(b"GET", f"https://{NAME}:{port}/".encode())
    assert response.code == 200
    body = Stream()
    response.deliverBody(body)
    assert isinstance(await body.end(), ResponseDone)
    return bytes(body.received)


def test_twisteds_web_client_with_its_web_server() -> None:
    async def main(reactor: Any) -> None:
        config = client_config(session_store=ClientSessionStore(), alpn_protocols=[b"http/1.1"])
        agent = Agent.usingEndpointFactory(reactor, OurEndpoints(reactor, config=config))
        tcp = TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")
        endpoint = TLSServerEndpoint(reactor, tcp, server_config(alpn_protocols=[b"http/1.1"]))
        async with listening(reactor, web(reactor), endpoint) as port:
            for expected in (b"full handshake", b"resumed", b"resumed"):
                assert await get(agent, port) == expected

    run(main)


def test_twisteds_web_client_with_twisteds_own_tls_on_the_other_side() -> None:
    class Large(Resource):
        isLeaf = True

        def render_GET(self, request: Any) -> bytes:
            return b"x" * 1_000_000

    async def main(reactor: Any) -> None:
        log: list[Event] = []
        config = client_config(session_store=ClientSessionStore())
        agent = Agent.usingEndpointFactory(
            reactor, OurEndpoints(reactor, config=config, hooks=observing(log))
        )
        async with listening(reactor, their_tls(reactor, Site(Large(), reactor=reactor))) as port:
            for _ in range(3):
                assert await get(agent, port) == b"x" * 1_000_000
        completed = [event for event in log if isinstance(event, happenings.HandshakeCompleted)]
        assert [event.resumed for event in completed] == [False, True, True]

    run(main)
