"""AnyIO's ``TLSStream`` over our contexts, on asyncio and on Trio."""

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from anyio.abc import SocketAttribute
from anyio.streams.tls import TLSAttribute, TLSListener, TLSStream

from sansticket import ClientSessionStore
from sansticket.adapters import SSLContext
from tests.support.certificates import authority, client_identity, new_authority
from tests.support.configs import client_config
from tests.support.ssl_objects import NAME, OURS, STDLIB, TLS12, TLS13, House

PAIRS = [(OURS, OURS), (OURS, STDLIB), (STDLIB, OURS), (STDLIB, STDLIB)]

Handler = Callable[[TLSStream], Awaitable[None]]


@pytest.fixture(params=PAIRS, ids=lambda pair: f"{pair[0].name}-to-{pair[1].name}")
def pair(request: pytest.FixtureRequest) -> tuple[House, House]:
    chosen: tuple[House, House] = request.param
    return chosen


@pytest.fixture(params=["asyncio", "trio"])
def run(request: pytest.FixtureRequest) -> Callable[[Callable[[], Awaitable[None]]], None]:
    async def bounded(main: Callable[[], Awaitable[None]]) -> None:
        with anyio.fail_after(60):
            await main()

    return lambda main: anyio.run(bounded, main, backend=request.param)


@asynccontextmanager
async def serving(handler: Handler, context: ssl.SSLContext, **options: Any) -> AsyncIterator[int]:
    """The port of a server, and its handlers are done when this is; what fails in the handshake is closed."""
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
    port: int = listener.extra(SocketAttribute.local_port)
    async with Quiet(listener, context, **options) as tls_listener, anyio.create_task_group() as tasks:
        tasks.start_soon(tls_listener.serve, handler)
        yield port
        tasks.cancel_scope.cancel()


class Quiet(TLSListener):
    @staticmethod
    async def handle_handshake_error(exc: BaseException, stream: anyio.abc.AnyByteStream) -> None:
        await anyio.aclose_forcefully(stream)


async def connect(port: int, context: ssl.SSLContext, name: str = NAME, **options: Any) -> TLSStream:
    return await anyio.connect_tcp(
        "127.0.0.1", port, tls=True, ssl_context=context, tls_hostname=name, **options
    )


async def echo(stream: TLSStream) -> None:
    async with stream:
        async for data in stream:
            await stream.send(data)


@pytest.mark.parametrize("version", [TLS12, TLS13], ids=["1.2", "1.3"])
def test_echo(run: Any, pair: tuple[House, House], version: ssl.TLSVersion) -> None:
    data = bytes(range(256)) * 8192

    async def main() -> None:
        async with serving(echo, pair[1].server(version=version, alpn=["h2"])) as port:
            stream = await connect(port, pair[0].client(version=version, alpn=["h2"]))
            async with stream, anyio.create_task_group() as sending:
                sending.start_soon(stream.send, data)
                received = b""
                while len(received) < len(data):
                    received += await stream.receive()
                assert received == data
                assert stream.extra(TLSAttribute.tls_version) == (
                    "TLSv1.2" if version is TLS12 else "TLSv1.3"
                )
                assert stream.extra(TLSAttribute.alpn_protocol) == "h2"
                assert stream.extra(TLSAttribute.cipher)[2] in (128, 256)
                assert stream.extra(TLSAttribute.server_side) is False
                assert stream.extra(TLSAttribute.shared_ciphers) is None
                assert stream.extra(TLSAttribute.peer_certificate)["subject"] == ((("commonName", NAME),),)

    run(main)


def test_a_clean_end(run: Any, pair: tuple[House, House]) -> None:
    async def say_goodbye(stream: TLSStream) -> None:
        await stream.send(b"goodbye")
        await stream.aclose()

    async def main() -> None:
        async with serving(say_goodbye, pair[1].server()) as port:
            stream = await connect(port, pair[0].client())
            assert await stream.receive() == b"goodbye"
            with pytest.raises(anyio.EndOfStream):
                await stream.receive()
            await stream.aclose()

    run(main)


def test_unwrap(run: Any, pair: tuple[House, House]) -> None:
    """Both go on without TLS."""

    async def lift(stream: TLSStream) -> None:
        transport, trailing = await stream.unwrap()
        assert trailing == b""
        await transport.send(b"in the clear")
        await transport.aclose()

    async def main() -> None:
        async with serving(lift, pair[1].server()) as port:
            stream = await connect(port, pair[0].client())
            with pytest.raises(anyio.EndOfStream):
                await stream.receive()
            transport, trailing = await stream.unwrap()
            received = trailing
            while received != b"in the clear":
                received += await transport.receive()
            await transport.aclose()

    run(main)


@pytest.mark.parametrize("standard_compatible", [True, False])
def test_the_end_of_the_stream_without_close_notify(
    run: Any, pair: tuple[House, House], standard_compatible: bool
) -> None:
    async def hang_up(stream: TLSStream) -> None:
        await stream.send(b"good")
        await stream.receive()
        await stream.transport_stream.aclose()

    async def main() -> None:
        async with serving(hang_up, pair[1].server()) as port:
            stream = await connect(port, pair[0].client(), tls_standard_compatible=standard_compatible)
            assert await stream.receive() == b"good"
            await stream.send(b"!")
            with pytest.raises(anyio.BrokenResourceError if standard_compatible else anyio.EndOfStream):
                await stream.receive()
            await anyio.aclose_forcefully(stream)

    run(main)


@pytest.mark.parametrize("wrong", ["authority", "name"])
def test_a_wrong_certificate(run: Any, pair: tuple[House, House], wrong: str) -> None:
    async def main() -> None:
        async with serving(echo, pair[1].server()) as port:
            trusted = new_authority("another root") if wrong == "authority" else None
            with pytest.raises(ssl.SSLCertVerificationError) as caught:
                await connect(
                    port, pair[0].client(trusted=trusted), "other.example" if wrong == "name" else NAME
                )
            assert caught.value.verify_code == (20 if wrong == "authority" else 62)

    run(main)


def test_client_certificates(run: Any, pair: tuple[House, House]) -> None:
    async def who(stream: TLSStream) -> None:
        async with stream:
            await stream.send(stream.extra(TLSAttribute.peer_certificate)["subject"][0][0][1].encode())

    async def main() -> None:
        async with serving(who, pair[1].server(client_authority=authority())) as port:
            stream = await connect(port, pair[0].client(identity=client_identity()))
            assert await stream.receive() == b"client.example"
            await stream.aclose()
            stream = await connect(port, pair[0].client())
            with pytest.raises((ssl.SSLError, anyio.BrokenResourceError)):
                await stream.receive()
            await anyio.aclose_forcefully(stream)

    run(main)


def test_cancelling_a_read_loses_nothing(run: Any, pair: tuple[House, House]) -> None:
    async def main() -> None:
        async with serving(echo, pair[1].server()) as port, await connect(port, pair[0].client()) as stream:
            for _ in range(3):
                with anyio.move_on_after(0.01) as scope:
                    await stream.receive()
                assert scope.cancelled_caught
            await stream.send(b"hello")
            assert await stream.receive() == b"hello"

    run(main)


def test_a_handshake_that_does_not_come(run: Any, pair: tuple[House, House]) -> None:
    async def main() -> None:
        async with await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0) as listener:
            with anyio.move_on_after(0.05) as scope:
                await connect(listener.extra(SocketAttribute.local_port), pair[0].client())
            assert scope.cancelled_caught

    run(main)


@pytest.mark.library("AnyIO", "client", "server", "resumes")
@pytest.mark.parametrize("server", [OURS, STDLIB], ids=lambda house: house.name)
def test_a_store_resumes_by_itself(run: Any, server: House) -> None:
    context = SSLContext(client_config(session_store=ClientSessionStore()))

    async def main() -> None:
        async with serving(echo, server.server()) as port:
            for resumed in (False, True, True):
                async with await connect(port, context) as stream:
                    await stream.send(b"tickets come before this")
                    assert await stream.receive() == b"tickets come before this"
                    assert stream.extra(TLSAttribute.ssl_object).session_reused is resumed

    run(main)
