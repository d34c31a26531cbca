"""asyncio's own streams over our contexts: passed as ``ssl``, with nothing else changed.

``pair`` has the makers of the client's and the server's contexts.  The standard library talks to itself too:
then the test says what asyncio does, and the others that it does the same with us.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

from sansticket import ClientSessionStore, SessionCache
from sansticket.adapters import SSLContext
from tests.support.certificates import authority, client_identity, new_authority
from tests.support.configs import client_config, server_config
from tests.support.ssl_objects import NAME, OURS, STDLIB, TLS12, TLS13, House

PAIRS = [(OURS, OURS), (OURS, STDLIB), (STDLIB, OURS), (STDLIB, STDLIB)]

new_loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
"""frameworks/test_uvloop.py runs these tests with another one."""

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture(params=PAIRS, ids=lambda pair: f"{pair[0].name}-to-{pair[1].name}")
def pair(request: pytest.FixtureRequest) -> tuple[House, House]:
    chosen: tuple[House, House] = request.param
    return chosen


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run it, for a minute at most; nothing may have gone wrong where nobody was looking."""

    async def bounded() -> None:
        complaints: list[dict[str, Any]] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: complaints.append(context))
        async with asyncio.timeout(60):
            await main
        assert complaints == []

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(bounded())


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    await finish(writer)


async def finish(writer: asyncio.StreamWriter) -> None:
    writer.close()
    await writer.wait_closed()


@asynccontextmanager
async def serving(handler: Handler, context: ssl.SSLContext | None, **options: Any) -> AsyncIterator[int]:
    """The port of a server; its handlers are done when this is."""
    tasks: list[asyncio.Task[None]] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.append(task)
        await handler(reader, writer)

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=context, **options)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await asyncio.gather(*tasks)


async def connect(port: int, context: ssl.SSLContext, **options: Any) -> Streams:
    return await asyncio.open_connection(
        "127.0.0.1", port, ssl=context, **{"server_hostname": NAME, **options}
    )


def tls_of(writer: asyncio.StreamWriter) -> Any:
    return writer.get_extra_info("ssl_object")


# --- data -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [TLS12, TLS13], ids=["1.2", "1.3"])
def test_echo(pair: tuple[House, House], version: ssl.TLSVersion) -> None:
    async def main() -> None:
        async with serving(echo, pair[1].server(version=version)) as port:
            reader, writer = await connect(port, pair[0].client(version=version))
            for line in (b"hello\n", b"x" * 20_000 + b"\n"):
                writer.write(line)
                assert await reader.readexactly(len(line)) == line
            assert tls_of(writer).version() == ("TLSv1.2" if version is TLS12 else "TLSv1.3")
            assert writer.get_extra_info("peercert")["subject"] == ((("commonName", NAME),),)
            assert writer.get_extra_info("cipher") == tls_of(writer).cipher()
            assert writer.get_extra_info("compression") is None
            await finish(writer)
            assert await reader.read() == b""

    run(main())


def test_much_data_both_ways(pair: tuple[House, House]) -> None:
    data = bytes(range(256)) * 16_384

    async def main() -> None:
        async with serving(echo, pair[1].server()) as port:
            reader, writer = await connect(port, pair[0].client())

            async def send() -> None:
                for start in range(0, len(data), 300_000):
                    writer.write(data[start : start + 300_000])
                    await writer.drain()

            sending = asyncio.create_task(send())
            assert await reader.readexactly(len(data)) == data
            await sending
            await finish(writer)

    run(main())


def test_a_slow_reader_slows_the_writer_down(pair: tuple[House, House]) -> None:
    """All buffers on the way are bounded: 32 MiB cannot hide in them."""
    chunk, chunks = b"y" * 1_048_576, 32
    written = 0

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        for _ in range(chunks):
            writer.write(chunk)
            await writer.drain()
            written += 1
        await finish(writer)

    async def main() -> None:
        async with serving(pour, pair[1].server()) as port:
            reader, writer = await connect(port, pair[0].client())
            await reader.readexactly(1)
            before = -1
            while before != written:
                before = written
                await asyncio.sleep(0.1)
            assert written < chunks
            assert len(await reader.readexactly(chunks * len(chunk) - 1)) == chunks * len(chunk) - 1
            await finish(writer)

    run(main())


class Buffered(asyncio.BufferedProtocol):
    """Reads into a buffer of its own, as protocols for speed do."""

    def __init__(self, wanted: int) -> None:
        self.buffer = bytearray(1000)
        self.received = bytearray()
        self.wanted = wanted
        self.done = asyncio.get_running_loop().create_future()

    def get_buffer(self, sizehint: int) -> bytearray:
        return self.buffer

    def buffer_updated(self, count: int) -> None:
        self.received += self.buffer[:count]
        if len(self.received) >= self.wanted and not self.done.done():
            self.done.set_result(None)


def test_protocols_with_buffers_of_their_own(pair: tuple[House, House]) -> None:
    data = b"0123456789" * 20_000

    async def main() -> None:
        async with serving(echo, pair[1].server()) as port:
            transport, protocol = await asyncio.get_running_loop().create_connection(
                lambda: Buffered(len(data)),
                "127.0.0.1",
                port,
                ssl=pair[0].client(),
                server_hostname=NAME,
            )
            transport.write(data)
            await protocol.done
            assert protocol.received == data
            transport.close()

    run(main())


# --- start_tls ------------------------------------------------------------------------------------------------


def test_start_tls_on_both_sides(pair: tuple[House, House]) -> None:
    async def upgrade(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readline() == b"STARTTLS\n"
        writer.write(b"go ahead\n")
        await writer.drain()
        await writer.start_tls(pair[1].server())
        await echo(reader, writer)

    async def main() -> None:
        async with serving(upgrade, None) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"STARTTLS\n")
            assert await reader.readline() == b"go ahead\n"
            await writer.start_tls(pair[0].client(), server_hostname=NAME)
            writer.write(b"secret\n")
            assert await reader.readline() == b"secret\n"
            assert tls_of(writer).version() == "TLSv1.3"
            await finish(writer)

    run(main())


# --- the end --------------------------------------------------------------------------------------------------


def test_who_closes_is_heard(pair: tuple[House, House]) -> None:
    async def say_goodbye(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"goodbye")
        await finish(writer)

    async def main() -> None:
        async with serving(say_goodbye, pair[1].server()) as port:
            reader, writer = await connect(port, pair[0].client())
            assert await reader.read() == b"goodbye"
            await finish(writer)

    run(main())


def test_the_end_of_the_stream_without_close_notify(pair: tuple[House, House]) -> None:
    """asyncio makes no difference: it is the end."""

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"good")
        await writer.drain()
        await reader.readexactly(1)
        writer.transport.abort()

    async def main() -> None:
        async with serving(hang_up, pair[1].server()) as port:
            reader, writer = await connect(port, pair[0].client())
            assert await reader.readexactly(4) == b"good"
            writer.write(b"!")
            assert await reader.read() == b""
            writer.close()

    run(main())


@pytest.mark.parametrize("after", ["nothing", "a hello"])
def test_the_end_of_the_stream_in_the_handshake(pair: tuple[House, House], after: str) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if after == "a hello":
            await reader.read(1000)
        writer.close()

    async def main() -> None:
        async with serving(hang_up, None) as port:
            with pytest.raises((ConnectionError, ssl.SSLError)):
                await connect(port, pair[0].client())

    run(main())


def test_a_peer_that_does_not_close(pair: tuple[House, House]) -> None:
    """The wait for its close_notify is bounded."""
    held = asyncio.Event()

    async def main() -> None:
        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.transport.pause_reading()
            writer.write(b"I do not listen")
            await held.wait()
            writer.transport.abort()

        async with serving(silent, pair[1].server()) as port:
            reader, writer = await connect(port, pair[0].client(), ssl_shutdown_timeout=0.2)
            await reader.readexactly(15)
            writer.close()
            with pytest.raises(TimeoutError):
                await writer.wait_closed()
            held.set()

    run(main())


def test_a_handshake_that_does_not_come(pair: tuple[House, House]) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async def main() -> None:
        async with serving(silent, None) as port:
            with pytest.raises(ConnectionAbortedError):
                await connect(port, pair[0].client(), ssl_handshake_timeout=0.2)

    run(main())


def test_cancelling_loses_nothing(pair: tuple[House, House]) -> None:
    async def main() -> None:
        async with serving(echo, pair[1].server()) as port:
            reader, writer = await connect(port, pair[0].client())
            for _ in range(3):
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.01):
                        await reader.readexactly(5)
            writer.write(b"hello")
            assert await reader.readexactly(5) == b"hello"
            await finish(writer)

    run(main())


# --- who is who -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", ["authority", "name"])
def test_a_wrong_certificate(pair: tuple[House, House], wrong: str) -> None:
    called: list[object] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        called.append(writer)
        await finish(writer)

    async def main() -> None:
        async with serving(handler, pair[1].server()) as port:
            trusted = new_authority("another root") if wrong == "authority" else None
            name = "other.example" if wrong == "name" else NAME
            with pytest.raises(ssl.SSLCertVerificationError) as caught:
                await connect(port, pair[0].client(trusted=trusted), server_hostname=name)
            assert caught.value.verify_code == (20 if wrong == "authority" else 62)

    run(main())
    assert called == []


def test_client_certificates(pair: tuple[House, House]) -> None:
    async def who(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(writer.get_extra_info("peercert")["subject"][0][0][1].encode())
        await finish(writer)

    async def main() -> None:
        async with serving(who, pair[1].server(client_authority=authority())) as port:
            reader, writer = await connect(port, pair[0].client(identity=client_identity()))
            assert await reader.read() == b"client.example"
            await finish(writer)
            reader, writer = await connect(port, pair[0].client())
            assert await reader.read() == b""  # asyncio does not send the alert
            writer.close()

    run(main())


def test_alpn(pair: tuple[House, House]) -> None:
    async def main() -> None:
        async with serving(echo, pair[1].server(alpn=["h2", "http/1.1"])) as port:
            _, writer = await connect(port, pair[0].client(alpn=["http/1.1"]))
            assert tls_of(writer).selected_alpn_protocol() == "http/1.1"
            await finish(writer)

    run(main())


# --- tickets --------------------------------------------------------------------------------------------------


@pytest.mark.library("asyncio", "client", "server", "resumes")
@pytest.mark.parametrize("server", [OURS, STDLIB], ids=lambda house: house.name)
@pytest.mark.parametrize("version", [TLS12, TLS13], ids=["1.2", "1.3"])
def test_a_store_resumes_by_itself(server: House, version: ssl.TLSVersion) -> None:
    store = ClientSessionStore()
    context = SSLContext(client_config(session_store=store, versions=[version]))

    async def main() -> None:
        async with serving(echo, server.server()) as port:
            for resumed in (False, True, True):
                reader, writer = await connect(port, context)
                writer.write(b"tickets come before this")
                await reader.readexactly(24)
                assert tls_of(writer).session_reused is resumed
                await finish(writer)

    run(main())


@pytest.mark.parametrize("client", [OURS, STDLIB], ids=lambda house: house.name)
def test_the_server_tells_why(client: House) -> None:
    context = SSLContext(server_config(ticket_keys=None, session_cache=SessionCache()))
    records: list[Any] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        records.append(tls_of(writer).resumption_record)
        await echo(reader, writer)

    async def main() -> None:
        async with serving(handler, context) as port:
            reader, writer = await connect(port, client.client())
            writer.write(b"?")
            await reader.readexactly(1)
            await finish(writer)

    run(main())
    assert [record.tickets_to_follow for record in records] == [2]
    assert len(context.session_cache or ()) == 2
