"""What asyncio says of transports and tasks, where a connection is busy, early, or held up by its application."""

from __future__ import annotations

import asyncio
import ssl
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest

from sansticket import (
    ASK,
    ClientConnection,
    ClientSessionStore,
    Close,
    Command,
    ConnectionTerminated,
    Event,
    FlushTickets,
    HandshakeCompleted,
    IssueTicket,
    KeysUpdated,
    LookUpSession,
    PrepareTicket,
    ProvideSession,
    RequestClientCertificate,
    SealTicket,
    SendData,
    ServerConfig,
    ServerConnection,
    TicketIssued,
    UpdateKeys,
)
from sansticket_wrappers.asyncio import (
    Hooks,
    RestartableServer,
    TLSError,
    TLSProtocol,
    TLSTransport,
    open_connection,
    start_server,
)
from sansticket_wrappers.asyncio.flow import MAX_UNREAD
from sansticket_wrappers.asyncio.protocol import READ_SIZE
from tests.support.certificates import authority, server_identity
from tests.support.command import PATIENCE
from tests.support.configs import client_config, server_config
from tests.support.loops import LOOPS, Loop
from tests.support.loops import run as run_on
from tests.support.stdlib_peer import client_context, server_context
from tests.wrappers.test_asyncio import NAME, ask, close, run, serving
from tests.wrappers.test_early_data import ByHand, session_of
from tests.wrappers.test_early_data import server as early_server


async def hears(client: ByHand, data: bytes) -> None:
    """That, and nothing else, is what comes; then the client closes."""
    while len(client.data) < len(data):
        await client.take()
    assert client.data == data
    client.send(Close())
    client.writer.close()


class App(asyncio.Protocol):
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.received = b""
        self.lost: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, TLSTransport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.told.append("data")
        self.received += data

    def eof_received(self) -> bool:
        self.told.append("eof")
        return True

    def pause_writing(self) -> None:
        self.told.append("pause")

    def resume_writing(self) -> None:
        self.told.append("resume")

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set_result(exc)

    async def there(self) -> None:
        """A client's handshake is done before its server's is."""
        while not hasattr(self, "transport"):
            await asyncio.sleep(0.01)

    async def gone(self) -> None:
        if hasattr(self, "transport"):
            self.transport.abort()
            await self.lost


class Gate:
    """An observer that has tickets wait."""

    def __init__(self) -> None:
        self.waiting, self.open = asyncio.Event(), asyncio.Event()

    async def observe(self, happened: Sequence[Event]) -> None:
        if any(isinstance(event, TicketIssued | HandshakeCompleted) for event in happened):
            self.waiting.set()
            await self.open.wait()


@asynccontextmanager
async def served(
    app: App, config: ServerConfig, hooks: Hooks | None = None, **options: Any
) -> AsyncIterator[int]:
    """The port of a server for one connection."""

    def accept() -> TLSProtocol:
        return TLSProtocol(ServerConnection(config), app, hooks or Hooks(), **options)

    server = await asyncio.get_running_loop().create_server(accept, "127.0.0.1", 0)
    async with server:
        try:
            yield server.sockets[0].getsockname()[1]
            await app.lost
        finally:
            await app.gone()


async def connected(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await open_connection("127.0.0.1", port, client_config(), server_name=NAME)


# --- order ---------------------------------------------------------------------------------------------------


@LOOPS
def test_who_writes_when_it_may_again_is_behind_what_waited(new_loop: Loop) -> None:
    class Eager(App):
        def resume_writing(self) -> None:
            super().resume_writing()
            self.transport.write(b" third")

    async def main() -> None:
        gate, app = Gate(), Eager()
        async with served(app, server_config(num_tickets=0), Hooks(observe=gate.observe)) as port:
            gate.open.set()
            reader, writer = await connected(port)
            assert await reader.readexactly(6) == b" third"  # the handshake was observed, too
            gate.open.clear()
            gate.waiting.clear()
            app.transport.command(IssueTicket())
            app.transport.write(b"first")  # and the ticket before it, which is observed
            await gate.waiting.wait()
            app.transport.write(b" second")
            assert app.told[-1] == "pause"
            gate.open.set()
            assert await reader.readexactly(18) == b"first second third"
            await close(writer)
            app.transport.close()

    run_on(main(), new_loop)


def test_what_was_written_early_is_before_what_was_written_while_the_application_was_busy() -> None:
    async def main() -> None:
        gate, app = Gate(), App()
        config = early_server(half_rtt=False, num_tickets=0)
        async with served(app, config, Hooks(observe=gate.observe), early_data=True) as port:
            client = ByHand(session_of(early_server()))
            await client.connect(port)
            client.flush()
            await client.hear(HandshakeCompleted)
            while not app.received:
                await asyncio.sleep(0.01)
            app.transport.write(b"first")
            client.flush()
            await gate.waiting.wait()
            app.transport.write(b", second")
            gate.open.set()
            await hears(client, b"first, second")
            app.transport.close()

    run(main())


class Restless(App):
    """Writes numbers and asks for tickets when it may and when it may not, and has pauses in reading."""

    def __init__(self, random: Random, amid: Sequence[type[Command]] = ()) -> None:
        super().__init__()
        self.random, self.amid = random, amid
        self.said = b""
        self.left = random.choice([1, 5, 20])
        self.paused = False
        self.closed = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.say()
        self.go_on()

    def say(self) -> None:
        if self.left and self.amid and self.random.random() < 0.3:
            self.transport.command(self.random.choice(self.amid)())
        elif self.left:
            self.left -= 1
            data = self.left.to_bytes(4) * self.random.choice([1, 1000, 40_000])
            self.said += data
            self.transport.write(data)
            if not self.left:
                self.transport.write_eof()

    def go_on(self) -> None:
        self.say()
        if not self.paused and self.random.random() < 0.2:
            self.paused = True
            self.transport.pause_reading()
            asyncio.get_running_loop().call_later(0.002, self.read_on)
        if self.left:
            asyncio.get_running_loop().call_soon(self.go_on)

    def read_on(self) -> None:
        self.paused = False
        self.transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        assert not self.paused
        super().data_received(data)

    def eof_received(self) -> bool:
        self.closed.set()
        return True

    def resume_writing(self) -> None:
        super().resume_writing()
        self.say()


@pytest.mark.parametrize("seed", range(6))
def test_whatever_waits_for_whatever_the_order_stays(seed: int) -> None:
    async def main() -> None:
        random = Random(seed)
        one, other = Restless(random, (IssueTicket, UpdateKeys)), Restless(random)

        async def think(question: PrepareTicket) -> Command:
            for _ in range(random.choice([0, 1, 3])):
                await asyncio.sleep(0)
            return SealTicket()

        async def observe(happened: Sequence[Event]) -> None:
            await asyncio.sleep(random.choice([0, 0, 0.001]))

        config = server_config(num_tickets=random.choice([0, 2]), answers={PrepareTicket: ASK})
        hooks = Hooks({PrepareTicket: think}, observe if seed % 2 else None)
        async with served(one, config, hooks, read_size=random.choice([100, 65_536])) as port:
            client = TLSProtocol(ClientConnection(client_config(), NAME), other, Hooks())
            await client.loop.create_connection(lambda: client, "127.0.0.1", port)
            await one.closed.wait()
            await other.closed.wait()
            assert (one.received == other.said, other.received == one.said) == (True, True)
            one.transport.close()
            other.transport.close()
            assert (await one.lost, await other.lost) == (None, None)

    run(main())


# --- commands that come to nothing ---------------------------------------------------------------------------


def test_a_command_that_waited_and_is_wrong_costs_nothing_else() -> None:
    complaints: list[dict[str, Any]] = []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context))
        gate, app = Gate(), App()
        async with served(app, server_config(num_tickets=0), Hooks(observe=gate.observe)) as port:
            gate.open.set()
            reader, writer = await connected(port)
            while app.told != ["pause", "resume"]:
                await asyncio.sleep(0.01)
            gate.open.clear()
            gate.waiting.clear()
            app.transport.command(IssueTicket())
            app.transport.write(b"first")
            await gate.waiting.wait()
            app.transport.command(RequestClientCertificate())
            app.transport.write(b", second")
            app.transport.close()
            gate.open.set()
            assert await reader.read() == b"first, second"
            await close(writer)

    run(main())
    (complaint,) = complaints
    assert complaint["message"] == "TLS command failed"
    assert "RequestClientCertificate" in str(complaint["exception"])


def test_a_command_that_waited_for_the_handshake_and_is_wrong_costs_nothing_else() -> None:
    complaints: list[dict[str, Any]] = []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context))
        app = App()
        async with served(app, early_server(half_rtt=False, num_tickets=0), early_data=True) as port:
            client = ByHand(session_of(early_server()))
            await client.connect(port)
            client.flush()
            await client.hear(HandshakeCompleted)
            while not app.received:
                await asyncio.sleep(0.01)
            app.transport.command(RequestClientCertificate())
            app.transport.write(b"an answer")
            client.flush()
            await hears(client, b"an answer")
            app.transport.close()

    run(main())
    assert [complaint["message"] for complaint in complaints] == ["TLS command failed"]


@pytest.mark.parametrize("data", [5, [65, 66], "text", None])
def test_only_bytes_are_written(data: Any) -> None:
    """As many zeros as a number says, otherwise: what ``bytes`` makes of it."""

    async def main() -> None:
        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with pytest.raises(TypeError, match="expected bytes, bytearray or memoryview"):
                writer.write(data)
            writer.writelines([b"by", bytearray(b"te"), memoryview(b"s---")[:1]])
            writer.write(memoryview(b" and more").cast("c"))

        async with serving(server_config(), handler) as port:
            assert (await ask(port))[0] == b"bytes and more"

    run(main())


# --- an application that wants nothing for now ---------------------------------------------------------------


class Slow(App):
    """Wants nothing from the first moment."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.transport.pause_reading()


async def who_says_some(port: int) -> ByHand:
    """A client that has said something, and that it is all."""
    client = ByHand(None)
    await client.connect(port)
    client.flush()
    await client.hear(HandshakeCompleted)
    client.connection.send(SendData(b"some"))
    client.connection.send(Close())
    client.flush()
    return client


@LOOPS
def test_nothing_is_passed_on_while_reading_is_paused(new_loop: Loop) -> None:
    """Not even what came together with the end of the handshake."""

    async def main() -> None:
        app = Slow()
        async with served(app, server_config()) as port:
            client = await who_says_some(port)
            await app.there()
            await asyncio.sleep(0.02)
            assert app.told == []
            app.transport.resume_reading()
            assert app.told == []  # not within the call
            app.transport.pause_reading()
            await asyncio.sleep(0.02)
            assert app.told == []
            app.transport.resume_reading()
            while len(app.told) < 2:
                await asyncio.sleep(0.01)
            assert (app.told, app.received) == (["data", "eof"], b"some")
            app.transport.close()
            client.writer.close()

    run_on(main(), new_loop)


@LOOPS
def test_nothing_is_passed_on_while_the_application_is_waited_for(new_loop: Loop) -> None:
    """What was kept, as little as what comes: nothing is read meanwhile."""

    async def main() -> None:
        gate, app = Gate(), Slow()
        async with served(app, server_config(num_tickets=0), Hooks(observe=gate.observe)) as port:
            gate.open.set()
            client = await who_says_some(port)
            await app.there()
            await asyncio.sleep(0.02)
            gate.open.clear()
            gate.waiting.clear()
            app.transport.command(IssueTicket())
            app.transport.command(FlushTickets())
            await gate.waiting.wait()
            app.transport.resume_reading()
            await asyncio.sleep(0.02)
            assert app.received == b""
            gate.open.set()
            while "eof" not in app.told:
                await asyncio.sleep(0.01)
            assert app.received == b"some"
            app.transport.close()
            client.writer.close()

    run_on(main(), new_loop)


def test_an_application_that_fails_at_what_was_kept_ends_its_connection() -> None:
    complaints: list[dict[str, Any]] = []

    class Fails(Slow):
        def data_received(self, data: bytes) -> None:
            raise RuntimeError("no room")

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context))
        app = Fails()
        async with served(app, server_config()) as port:
            client = ByHand(None)
            await client.connect(port)
            client.flush()
            await client.hear(HandshakeCompleted)
            client.connection.send(SendData(b"some"))
            client.flush()
            await app.there()
            app.transport.resume_reading()
            assert str(await app.lost) == "no room"
            client.writer.close()

    run(main())
    assert [str(complaint["exception"]) for complaint in complaints] == ["no room"]


# --- the kinds of protocols ----------------------------------------------------------------------------------


class Buffered(asyncio.BufferedProtocol):
    """Has room for three bytes at a time, or for none."""

    def __init__(self, room: int = 3) -> None:
        self.room = bytearray(room)
        self.received: list[bytes] = []
        self.ended = False
        self.lost: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()

    def get_buffer(self, sizehint: int) -> bytearray:
        assert sizehint > 0
        return self.room

    def buffer_updated(self, nbytes: int) -> None:
        self.received.append(bytes(self.room[:nbytes]))

    def eof_received(self) -> None:
        self.ended = True

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set_result(exc)


@LOOPS
@pytest.mark.parametrize("paused", [False, True])
def test_a_protocol_that_has_its_own_buffer_takes_over(new_loop: Loop, paused: bool) -> None:
    async def main() -> None:
        app, other = App(), Buffered()
        async with served(app, server_config()) as port:
            _, writer = await connected(port)
            await app.there()
            if paused:
                app.transport.pause_reading()
            app.transport.set_protocol(other)
            assert app.transport.get_protocol() is other
            writer.write(b"12345678")
            writer.write_eof()
            if paused:
                await asyncio.sleep(0.02)
                app.transport.resume_reading()
            assert await other.lost is None
            assert (other.received, other.ended, app.received) == ([b"123", b"456", b"78"], True, b"")
            app.lost.set_result(None)
            await close(writer)

    run_on(main(), new_loop)


def test_a_protocol_without_room_ends_its_connection() -> None:
    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
        app, other = App(), Buffered(0)
        async with served(app, server_config()) as port:
            _, writer = await connected(port)
            await app.there()
            app.transport.set_protocol(other)
            writer.write(b"12345678")
            assert "no room" in str(await other.lost)
            app.lost.set_result(None)
            writer.transport.abort()

    run(main())


def test_a_connection_within_a_connection() -> None:
    """As ``start_tls`` does it, which takes asyncio's own transports only."""

    async def main() -> None:
        outer, inner = App(), App()
        async with served(outer, server_config()) as port:
            client, app = App(), App()
            tls = TLSProtocol(ClientConnection(client_config(), NAME), client, Hooks())
            await tls.loop.create_connection(lambda: tls, "127.0.0.1", port)
            await tls.ready
            await outer.there()
            ends = (
                (outer, TLSProtocol(ServerConnection(server_config()), inner, Hooks())),
                (client, TLSProtocol(ClientConnection(client_config(), NAME), app, Hooks())),
            )
            for end, within in ends:
                end.transport.set_protocol(within)
                within.connection_made(end.transport)
            await ends[1][1].ready
            app.transport.write(bytes(100_000))
            app.transport.write_eof()
            while "eof" not in inner.told:
                await asyncio.sleep(0.01)
            inner.transport.close()
            app.transport.close()
            assert (await inner.lost, await app.lost, len(inner.received)) == (None, None, 100_000)
            outer.lost.set_result(None)

    run(main())


@pytest.mark.parametrize("ended", [Close(), None], ids=["close_notify", "cut off"])
def test_what_comes_while_the_application_is_waited_for_keeps_its_order(ended: Close | None) -> None:
    """Some transports pass on in pieces what they have read, whoever pauses: ours, and asyncio's on Windows."""

    async def observe(happened: Sequence[Event]) -> None:
        if any(isinstance(event, KeysUpdated) for event in happened):
            await asyncio.sleep(0.1)

    async def main() -> None:
        outer, inner = App(), App()
        async with served(outer, server_config()) as port:
            reader, writer = await connected(port)
            await outer.there()
            tls = TLSProtocol(
                ServerConnection(server_config()),
                inner,
                Hooks(observe=observe),
                read_size=1024,
                https_compatible=True,
            )
            outer.transport.set_protocol(tls)
            tls.connection_made(outer.transport)
            client = ClientConnection(client_config(), NAME)
            while client.version is None:
                writer.write(client.data_to_send())
                client.receive_data(await reader.read(65_536))
            writer.write(client.data_to_send())
            await inner.there()
            commands = [UpdateKeys(), SendData(b"first"), SendData(bytes(3_000)), SendData(b"last"), ended]
            for command in commands:
                if command is not None:
                    client.send(command)
            writer.write(client.data_to_send())
            writer.close()
            while "eof" not in inner.told:
                await asyncio.sleep(0.01)
            inner.transport.close()
            assert await inner.lost is None
            outer.lost.set_result(None)
        assert inner.received == b"first" + bytes(3_000) + b"last"
        assert inner.told.count("eof") == 1

    run(main())


def test_what_a_transport_passes_on_that_does_not_pause_is_bounded() -> None:
    """While an observer is waited for; the connection ends, and the application hears why."""

    async def observe(happened: Sequence[Event]) -> None:
        if any(isinstance(event, KeysUpdated) for event in happened):
            await asyncio.sleep(PATIENCE)

    async def main() -> None:
        app = App()
        async with served(app, server_config(), Hooks(observe=observe)) as port:
            reader, writer = await connected(port)
            await app.there()
            app.transport.command(UpdateKeys())
            tls = app.transport._tls
            for _ in range(MAX_UNREAD // READ_SIZE + 1):
                assert not app.lost.done()
                tls.get_buffer(-1)
                tls.buffer_updated(READ_SIZE)
            assert isinstance(await app.lost, BufferError)
            with pytest.raises(TLSError, match="internal_error"):
                await reader.read()
            writer.close()

    run(main())


@LOOPS
@pytest.mark.parametrize("first", ["client", "server", "neither trusts"])
def test_a_connection_within_asyncios_own(
    first: str, new_loop: Loop, caplog: pytest.LogCaptureFixture
) -> None:
    """Its transport cannot be closed by halves, so it is closed where a socket would linger."""

    async def main() -> None:
        complaints: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context))

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write((await reader.readline()).upper())
            if first == "client":
                assert await reader.read() == b""
            writer.close()
            await writer.wait_closed()

        below, name = server_context(server_identity()), "neither.example" if "neither" in first else NAME
        server = await start_server(answer, "127.0.0.1", 0, server_config(), ssl=below)
        async with server:
            port, below = server.sockets[0].getsockname()[1], client_context(authority())
            attempt = open_connection(
                "127.0.0.1", port, client_config(), server_name=name, ssl=below, server_hostname=NAME
            )
            if name != NAME:
                with pytest.raises(TLSError, match=r"neither\.example"):
                    await attempt
            else:
                reader, writer = await attempt
                writer.write(b"hello\n")
                assert await reader.readline() == b"HELLO\n"
                if first == "server":
                    assert await reader.read() == b""
                writer.close()
                with suppress(ssl.SSLError):  # asyncio's own takes what comes behind its close_notify for one
                    await writer.wait_closed()
        assert complaints == []

    run_on(main(), new_loop)
    assert caplog.messages == []


@LOOPS
@pytest.mark.parametrize("restartable", [False, True], ids=["", "restartable"])
def test_a_handler_that_raises_is_told_with_an_alert(
    restartable: bool, new_loop: Loop, tmp_path: Path
) -> None:
    """Nobody takes what was cut off there for the whole, as behind close_notify."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"the first half")
        raise RuntimeError("there is no second half")

    async def main() -> None:
        complaints: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context))
        config = server_config()
        server: Any
        if restartable:
            server = await RestartableServer.start(handler, "127.0.0.1", 0, config, tmp_path / "path")
        else:
            server = await start_server(handler, "127.0.0.1", 0, config)
        async with server:
            reader, writer = await connected(server.sockets[0].getsockname()[1])
            assert await reader.readexactly(14) == b"the first half"
            with pytest.raises(TLSError, match="internal_error"):
                await reader.read()
            writer.close()
        assert [str(one["exception"]) for one in complaints] == ["there is no second half"]

    run_on(main(), new_loop)


@LOOPS
def test_who_waits_for_a_handshake_hears_of_its_end_where_the_application_fails_at_it(new_loop: Loop) -> None:
    class Failing(App):
        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            raise RuntimeError("and now?")

    async def main() -> None:
        complaints: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context))
        app, config = Failing(), early_server()
        async with served(app, config, early_data=True) as port:
            client = ByHand(session_of(config))
            await client.connect(port)
            client.flush()
            await app.there()
            client.writer.close()
            with pytest.raises(TLSError):
                await asyncio.wait_for(app.transport.get_extra_info("early_data").wait(), PATIENCE / 4)
        assert [str(one["exception"]) for one in complaints] == ["and now?"]

    run_on(main(), new_loop)


# --- tasks ---------------------------------------------------------------------------------------------------


def test_an_observer_of_an_end_has_its_time() -> None:
    """One that waits for a log that is not there: each peer that goes would leave a task."""
    complaints: list[dict[str, Any]] = []

    async def observe(happened: Sequence[Event]) -> None:
        if any(isinstance(event, ConnectionTerminated) for event in happened):
            await asyncio.Event().wait()

    async def main() -> None:
        loop, app = asyncio.get_running_loop(), App()
        loop.set_exception_handler(lambda loop, context: complaints.append(context))
        async with served(app, server_config(), Hooks(observe=observe), timeout=1) as port:
            _, writer = await connected(port)
            await app.there()
            app.transport.abort()
            await app.lost
            async with asyncio.timeout(PATIENCE / 2):
                while not complaints:
                    await asyncio.sleep(0.01)
            writer.transport.abort()

    run(main())
    assert [(one["message"], type(one["exception"])) for one in complaints] == [
        ("TLS hook failed", TimeoutError)
    ]


@pytest.mark.parametrize("command", [FlushTickets(), UpdateKeys()], ids=["asked", "observed"])
def test_a_hook_that_is_too_slow_is_named_and_told_with_an_alert(command: Command) -> None:
    """Also after the handshake, where the peer would see its stream cut off."""

    async def prepare(question: PrepareTicket) -> Command:
        await asyncio.Event().wait()
        return SealTicket()

    async def observe(happened: Sequence[Event]) -> None:
        if any(isinstance(event, KeysUpdated) for event in happened):
            await asyncio.Event().wait()

    async def main() -> None:
        app, hooks = App(), Hooks({PrepareTicket: prepare}, observe)
        config = server_config(num_tickets=0, answers={PrepareTicket: ASK})
        async with served(app, config, hooks, timeout=0.5) as port:
            reader, writer = await connected(port)
            await app.there()
            app.transport.command(IssueTicket())
            app.transport.command(command)
            with pytest.raises(TLSError, match="internal_error"):
                await reader.read()
            writer.close()
            lost = await app.lost
            assert isinstance(lost, TimeoutError)
            assert str(lost) == "an answer of the application took too long"

    run(main())


@LOOPS
@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit])
def test_a_connection_whose_hook_was_interrupted_has_ended(
    interrupt: type[BaseException], new_loop: Loop
) -> None:
    """It stops the loop; whoever tidies up then, as ``asyncio.run`` has it, does not wait for ever."""
    lost: list[Exception | None] = []

    async def observe(happened: Sequence[Event]) -> None:
        if any(isinstance(event, KeysUpdated) for event in happened):
            raise interrupt

    async def main() -> None:
        app = App()
        async with served(app, server_config(), Hooks(observe=observe)) as port:
            reader, writer = await connected(port)
            await app.there()
            app.transport.command(UpdateKeys())
            try:
                await asyncio.sleep(PATIENCE)
            finally:
                app.transport.close()
                lost.append(await asyncio.wait_for(app.lost, PATIENCE / 4))
                with pytest.raises(TLSError, match="internal_error"):
                    await reader.read()
                writer.close()

    with pytest.raises(interrupt):
        run_on(main(), new_loop)
    assert [type(error) for error in lost] == [ConnectionAbortedError]


@LOOPS
def test_an_abort_amid_a_question_is_observed_once(new_loop: Loop) -> None:
    async def main() -> None:
        asked = asyncio.Event()
        observed: list[Event] = []

        async def prepare(question: PrepareTicket) -> Command:
            asked.set()
            await asyncio.sleep(PATIENCE)
            return SealTicket()

        async def observe(happened: Sequence[Event]) -> None:
            observed.extend(happened)

        app = App()
        config = server_config(num_tickets=0, answers={PrepareTicket: ASK})
        async with served(app, config, Hooks({PrepareTicket: prepare}, observe)) as port:
            _, writer = await connected(port)
            await app.there()
            app.transport.command(IssueTicket())
            app.transport.command(FlushTickets())
            await asked.wait()
            app.transport.abort()
            assert await app.lost is None
            writer.transport.abort()
        await asyncio.sleep(0.01)  # the observer is told by a task
        assert [type(event) for event in observed].count(ConnectionTerminated) == 1

    run_on(main(), new_loop)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="Python 3.12 has eager tasks first")
def test_answers_of_tasks_that_are_done_at_once() -> None:
    """With ``eager_task_factory`` a hook that need not wait has answered before its task is there to be noted."""

    async def main() -> None:
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        sessions: dict[bytes, Any] = {}

        async def look_up(question: LookUpSession) -> Command:
            return ProvideSession(sessions.pop(question.session_id, None))

        async def observe(happened: Sequence[Event]) -> None:
            for event in happened:
                if isinstance(event, TicketIssued):
                    sessions[event.session.session_id] = event.session

        config = server_config(ticket_keys=None, answers={LookUpSession: ASK})
        client = client_config(session_store=ClientSessionStore())
        hooks = Hooks({LookUpSession: look_up}, observe)
        async with serving(config, hooks=lambda: hooks) as port:
            for resumed in (False, True, True):
                answer, connection = await ask(port, b"x" * 100_000, config=client)
                assert (answer, connection.resumed) == (b"X" * 100_000, resumed)

    run(main())


async def cancelled(question: LookUpSession) -> Command:
    """What it waits for is, and not itself: a query that was shared, say, and whose owner has gone."""
    shared = asyncio.get_running_loop().create_future()
    shared.cancel()
    await shared
    raise AssertionError


@pytest.mark.parametrize("harmless", [True, False])
def test_an_answer_that_waited_for_something_that_was_cancelled_has_failed(harmless: bool) -> None:
    complaints: list[dict[str, Any]] = []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context))
        config = server_config(ticket_keys=None, answers={LookUpSession: ASK})
        client = client_config(session_store=ClientSessionStore())
        hooks = Hooks({} if harmless else {LookUpSession: cancelled})
        options: dict[str, Any] = {"answers": {LookUpSession: cancelled}, "hooks": lambda: hooks}
        async with serving(config, **options) as port:
            await ask(port, config=client)
            if harmless:
                answer, connection = await ask(port, config=client)
                assert (answer, connection.resumed) == (b"HELLO", False)
            else:
                with pytest.raises(TLSError):
                    await asyncio.wait_for(ask(port, config=client), 5)

    run(main())
    failures = [str(complaint["exception"]) for complaint in complaints]
    assert failures == ([] if harmless else ["what a hook waited for was cancelled"])


def test_who_drains_after_a_failure_waits_for_the_reason() -> None:
    """What is written then goes nowhere; the socket is open until the peer has closed it."""

    async def main() -> None:
        rounds, failed = 0, asyncio.Event()

        async def write_for_ever(writer: asyncio.StreamWriter) -> None:
            nonlocal rounds
            while True:
                writer.write(b"data")
                await writer.drain()
                rounds += 1
                await asyncio.sleep(0.001)

        async def write(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with pytest.raises(TLSError, match="does not decrypt"):
                await write_for_ever(writer)
            failed.set()

        async with serving(server_config(), write, linger=1) as port:
            client = ByHand(None)
            await client.connect(port)
            client.flush()
            await client.hear(HandshakeCompleted)
            client.flush()
            await client.reader.readexactly(1)
            client.writer.write(b"\x17\3\3\0\x20" + bytes(32))
            while rounds:
                before, rounds = rounds, 0
                await asyncio.sleep(0.05)
            assert before
            assert not failed.is_set()
            await failed.wait()
            client.writer.close()

    run(main())


class Refusing(App):
    def pause_writing(self) -> None:
        raise ValueError("this is no time")


def test_an_application_that_cannot_pause_costs_no_connection() -> None:
    """As with asyncio's own transports."""
    complaints: list[dict[str, Any]] = []

    async def prepare(question: PrepareTicket) -> Command:
        await asyncio.sleep(0)
        return SealTicket()

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context))
        app = Refusing()
        config = server_config(answers={PrepareTicket: ASK})
        async with served(app, config, Hooks({PrepareTicket: prepare}), linger=0.1) as port:
            reader, writer = await connected(port)
            await app.there()
            app.transport.command(IssueTicket())
            app.transport.write(b"hello")
            assert await reader.readexactly(5) == b"hello"
            app.transport.close()
            writer.close()
        assert app.lost.result() is None

    run(main())
    assert {str(complaint["exception"]) for complaint in complaints} == {"this is no time"}
