"""Trio's ``SSLStream`` over our contexts, on loopback and over its own streams in memory."""

import ssl
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
import trio.testing

from sansticket import ClientSessionStore
from sansticket.adapters import SSLContext
from tests.support.certificates import authority, client_identity, new_authority
from tests.support.configs import client_config
from tests.support.ssl_objects import NAME, OURS, STDLIB, TLS12, TLS13, House

PAIRS = [(OURS, OURS), (OURS, STDLIB), (STDLIB, OURS), (STDLIB, STDLIB)]

TlsStream = trio.SSLStream[Any]


@pytest.fixture(params=PAIRS, ids=lambda pair: f"{pair[0].name}-to-{pair[1].name}")
def pair(request: pytest.FixtureRequest) -> tuple[House, House]:
    chosen: tuple[House, House] = request.param
    return chosen


def run(main: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        with trio.fail_after(60):
            await main()

    trio.run(bounded)


def joined(
    client: ssl.SSLContext, server: ssl.SSLContext, name: str = NAME, **options: Any
) -> tuple[TlsStream, TlsStream]:
    """Two ends, joined in memory."""
    here, there = trio.testing.memory_stream_pair()
    return (
        trio.SSLStream(here, client, server_hostname=name, **options),
        trio.SSLStream(there, server, server_side=True, **options),
    )


async def both(*calls: Callable[[], Awaitable[object]]) -> None:
    async with trio.open_nursery() as nursery:
        for call in calls:
            nursery.start_soon(call)


async def shaken(
    client: ssl.SSLContext, server: ssl.SSLContext, **options: Any
) -> tuple[TlsStream, TlsStream]:
    ends = joined(client, server, **options)
    await both(*(end.do_handshake for end in ends))
    return ends


async def echo(stream: TlsStream) -> None:
    async with stream:
        async for data in stream:
            await stream.send_all(data)


# --- on loopback ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [TLS12, TLS13], ids=["1.2", "1.3"])
def test_echo_on_loopback(pair: tuple[House, House], version: ssl.TLSVersion) -> None:
    data = bytes(range(256)) * 8192

    async def main() -> None:
        (listener,) = await trio.open_ssl_over_tcp_listeners(
            0, pair[1].server(version=version), host="127.0.0.1"
        )
        port = listener.transport_listener.socket.getsockname()[1]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.serve_listeners, echo, [listener])
            stream = await trio.open_ssl_over_tcp_stream(
                "127.0.0.1", port, ssl_context=pair[0].client(version=version)
            )
            async with stream, trio.open_nursery() as sending:
                sending.start_soon(stream.send_all, data)
                received = b""
                while len(received) < len(data):
                    received += await stream.receive_some()
                assert received == data
                assert stream.version() == ("TLSv1.2" if version is TLS12 else "TLSv1.3")
                assert stream.getpeercert()["subject"] == ((("commonName", NAME),),)
                assert stream.server_hostname == "127.0.0.1"
            nursery.cancel_scope.cancel()

    run(main)


@pytest.mark.library("Trio", "client", "server", "resumes")
@pytest.mark.parametrize("server", [OURS, STDLIB], ids=lambda house: house.name)
def test_a_store_resumes_by_itself(server: House) -> None:
    context = SSLContext(client_config(session_store=ClientSessionStore()))
    one_server = server.server()

    async def main() -> None:
        for resumed in (False, True, True):
            client, serving = joined(context, one_server)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(echo, serving)
                await client.send_all(b"tickets come before this")
                assert await client.receive_some() == b"tickets come before this"
                assert client.session_reused is resumed
                await client.aclose()

    run(main)


def test_a_session_can_be_passed_on() -> None:
    client, server = OURS.client(), OURS.server()

    async def main() -> None:
        ends = await shaken(client, server)
        await ends[1].send_all(b"tickets")
        await ends[0].receive_some()
        session = ends[0].session
        again, other = joined(client, server)
        again.session = session
        await both(again.do_handshake, other.do_handshake)
        assert again.session_reused

    run(main)


# --- the contract of a stream ---------------------------------------------------------------------------------


def test_everything_that_trio_asks_of_a_stream(pair: tuple[House, House]) -> None:
    client, server = pair[0].client(), pair[1].server()

    async def maker() -> tuple[TlsStream, TlsStream]:
        return await shaken(client, server)

    async def clogged_maker() -> tuple[TlsStream, TlsStream]:
        here, there = trio.testing.lockstep_stream_pair()
        ends = (
            trio.SSLStream(here, client, server_hostname=NAME),
            trio.SSLStream(there, server, server_side=True),
        )
        await both(*(end.do_handshake for end in ends))
        return ends

    run(lambda: trio.testing.check_two_way_stream(maker, clogged_maker))


def test_bytes_in_small_pieces(pair: tuple[House, House]) -> None:
    async def main() -> None:
        here, there = trio.testing.memory_stream_pair()
        outgoing = here.send_stream

        async def trickle() -> None:
            data = outgoing.get_data_nowait()
            for start in range(0, len(data), 7):
                await trio.lowlevel.checkpoint()
                there.receive_stream.put_data(data[start : start + 7])

        outgoing.send_all_hook = trickle
        client = trio.SSLStream(here, pair[0].client(), server_hostname=NAME)
        server = trio.SSLStream(there, pair[1].server(), server_side=True)
        await both(client.do_handshake, server.do_handshake)
        await client.send_all(b"hello")
        assert await server.receive_some() == b"hello"

    run(main)


# --- the end --------------------------------------------------------------------------------------------------


def test_a_clean_end(pair: tuple[House, House]) -> None:
    async def main() -> None:
        client, server = await shaken(pair[0].client(), pair[1].server())
        await client.send_all(b"goodbye")
        await both(client.aclose, server.receive_some)
        assert await server.receive_some() == b""
        await server.aclose()

    run(main)


def test_unwrap_gives_back_what_came_behind(pair: tuple[House, House]) -> None:
    async def main() -> None:
        client, server = await shaken(pair[0].client(), pair[1].server())
        transport = client.transport_stream
        await server.send_all(b"tickets")
        await client.receive_some()
        # A close_notify and what follows it, in one piece: as a peer that goes on at once may send them.
        with pytest.raises(ssl.SSLWantReadError):
            server._ssl_object.unwrap()
        await server.transport_stream.send_all(server._outgoing.read() + b"in the clear")
        assert await client.unwrap() == (transport, b"in the clear")
        await transport.send_all(b" and back")
        assert (await server.unwrap())[1] == b" and back"

    run(main)


@pytest.mark.parametrize("https", [False, True])
def test_the_end_of_the_stream_without_close_notify(pair: tuple[House, House], https: bool) -> None:
    async def main() -> None:
        client, server = await shaken(pair[0].client(), pair[1].server(), https_compatible=https)
        await server.transport_stream.aclose()
        if https:
            assert await client.receive_some() == b""
        else:
            with pytest.raises(trio.BrokenResourceError) as caught:
                await client.receive_some()
            assert isinstance(caught.value.__cause__, ssl.SSLEOFError)
        await client.aclose()

    run(main)


def test_the_end_of_the_stream_in_the_handshake(pair: tuple[House, House]) -> None:
    async def main() -> None:
        for end, other in (
            joined(pair[0].client(), pair[1].server()),
            joined(pair[0].client(), pair[1].server())[::-1],
        ):
            await other.transport_stream.aclose()
            with pytest.raises(trio.BrokenResourceError):
                await end.do_handshake()

    run(main)


# --- cancellation ---------------------------------------------------------------------------------------------


def test_a_handshake_that_does_not_come(pair: tuple[House, House]) -> None:
    async def main() -> None:
        client, _ = joined(pair[0].client(), pair[1].server())
        with trio.move_on_after(0.05) as scope:
            await client.do_handshake()
        assert scope.cancelled_caught
        with pytest.raises(trio.BrokenResourceError):
            await client.send_all(b"too late")

    run(main)


def test_cancelling_a_read_loses_nothing(pair: tuple[House, House]) -> None:
    async def main() -> None:
        client, server = await shaken(pair[0].client(), pair[1].server())
        for _ in range(3):
            with trio.move_on_after(0.01) as scope:
                await client.receive_some()
            assert scope.cancelled_caught
        await server.send_all(b"hello")
        assert await client.receive_some() == b"hello"

    run(main)


# --- who is who -----------------------------------------------------------------------------------------------


async def failures(client: TlsStream, server: TlsStream) -> list[BaseException | None]:
    """What the handshake of each raises beneath Trio's own exception."""
    causes: dict[str, BaseException | None] = {}

    async def shake(name: str, end: TlsStream) -> None:
        try:
            await end.do_handshake()
            await end.receive_some()
        except trio.BrokenResourceError as error:
            causes[name] = error.__cause__
            await trio.aclose_forcefully(end)

    await both(lambda: shake("client", client), lambda: shake("server", server))
    return [causes.get("client"), causes.get("server")]


@pytest.mark.parametrize("wrong", ["authority", "name"])
def test_a_wrong_certificate(pair: tuple[House, House], wrong: str) -> None:
    async def main() -> None:
        trusted = new_authority("another root") if wrong == "authority" else None
        name = "other.example" if wrong == "name" else NAME
        client, _ = await failures(*joined(pair[0].client(trusted=trusted), pair[1].server(), name))
        assert isinstance(client, ssl.SSLCertVerificationError)
        assert client.verify_code == (20 if wrong == "authority" else 62)

    run(main)


def test_client_certificates(pair: tuple[House, House]) -> None:
    async def main() -> None:
        server = pair[1].server(client_authority=authority())
        ends = await shaken(pair[0].client(identity=client_identity()), server)
        assert ends[1].getpeercert()["subject"] == ((("commonName", "client.example"),),)
        _, problem = await failures(*joined(pair[0].client(), server))
        assert isinstance(problem, ssl.SSLError)
        assert problem.reason == "PEER_DID_NOT_RETURN_A_CERTIFICATE"

    run(main)


def test_alpn(pair: tuple[House, House]) -> None:
    async def main() -> None:
        ends = await shaken(pair[0].client(alpn=["h2", "http/1.1"]), pair[1].server(alpn=["http/1.1"]))
        assert [end.selected_alpn_protocol() for end in ends] == ["http/1.1", "http/1.1"]

    run(main)
