"""uvloop's own implementation of TLS streams over our contexts: all that asyncio's tests say, and how a stream ends.

uvloop reads only while one of the buffers has something left.  An end that came with data, and was taken out of its
buffer with it, would never be seen.
"""

import asyncio
import ssl

import pytest
import uvloop

from tests.adapters import test_asyncio as with_asyncio
from tests.adapters.test_asyncio import (  # noqa: F401  # the same tests, collected here once more
    pair,
    test_a_handshake_that_does_not_come,
    test_a_peer_that_does_not_close,
    test_a_slow_reader_slows_the_writer_down,
    test_a_store_resumes_by_itself,
    test_a_wrong_certificate,
    test_alpn,
    test_cancelling_loses_nothing,
    test_client_certificates,
    test_echo,
    test_much_data_both_ways,
    test_protocols_with_buffers_of_their_own,
    test_start_tls_on_both_sides,
    test_the_end_of_the_stream_in_the_handshake,
    test_the_end_of_the_stream_without_close_notify,
    test_the_server_tells_why,
    test_who_closes_is_heard,
)
from tests.support.ssl_objects import NAME, OURS, STDLIB, TLS12, TLS13, End, House

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]

HOUSES = pytest.mark.parametrize("house", [OURS, STDLIB], ids=lambda house: house.name)
VERSIONS = pytest.mark.parametrize("version", [TLS12, TLS13], ids=["1.2", "1.3"])
SIZES = pytest.mark.parametrize("size", [1, 1000, 40_000, 700_000])


@pytest.fixture(autouse=True)
def _loops_of_uvloop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(with_asyncio, "new_loop", uvloop.new_event_loop)


def test_it_is_uvloop() -> None:
    async def main() -> None:
        assert isinstance(asyncio.get_running_loop(), uvloop.Loop)

    with_asyncio.run(main())


@pytest.mark.library("uvloop", "client", "server", "resumes")
def test_the_second_connection_resumes() -> None:
    with_asyncio.test_a_store_resumes_by_itself(OURS, TLS13)


async def shake(end: End, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The handshake of a peer that we hold in our hands, over a plain stream."""
    while not end.step():
        writer.write(end.outgoing.read())
        end.incoming.write(await reader.read(65536))
    writer.write(end.outgoing.read())
    await writer.drain()


def ending(end: End, data: bytes, how: str) -> bytes:
    """``data`` and an end behind it."""
    end.tls.write(data)
    if how == "close":
        with pytest.raises(ssl.SSLWantReadError):
            end.tls.unwrap()
    behind = {
        "close": b"",
        "damage": b"\x17\x03\x03\x00\x20" + bytes(32),
        "no record": b"GET / HTTP/1.0\r\n\r\n",
    }
    wire: bytes = end.outgoing.read()
    return wire + behind[how]


async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, data: bytes, how: str) -> None:
    """Read to the end.  An error comes with the data that was before it, or instead of it: the loop decides."""
    if how == "close":
        assert await reader.read() == data
    else:
        with pytest.raises(ssl.SSLError) as caught:
            await reader.read()
        expected = "WRONG_VERSION_NUMBER" if how == "no record" else "DECRYPTION_FAILED_OR_BAD_RECORD_MAC"
        assert caught.value.reason == expected
    writer.close()


@HOUSES
@VERSIONS
@SIZES
@pytest.mark.parametrize("how", ["close", "damage", "no record"])
def test_an_end_behind_data_reaches_a_server(
    house: House, version: ssl.TLSVersion, size: int, how: str
) -> None:
    """The peer's stream stays open: nothing but the record says that it is the end."""
    data = b"d" * size
    context = house.server(version=version)

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await meet(reader, writer, data, how)

    async def main() -> None:
        async with with_asyncio.serving(handler, context) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            peer = End(STDLIB.client(version=version), server_hostname=NAME)
            await shake(peer, reader, writer)
            writer.write(ending(peer, data, how))
            await until_it_is_over(reader)
            writer.close()

    with_asyncio.run(main())


@HOUSES
@VERSIONS
@SIZES
@pytest.mark.parametrize("how", ["close", "damage", "no record"])
def test_an_end_behind_data_reaches_a_client(
    house: House, version: ssl.TLSVersion, size: int, how: str
) -> None:
    data = b"d" * size

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = End(STDLIB.server(version=version), server_side=True)
        await shake(peer, reader, writer)
        writer.write(ending(peer, data, how))
        await until_it_is_over(reader)
        writer.close()

    async def main() -> None:
        async with with_asyncio.serving(handler, None) as port:
            reader, writer = await with_asyncio.connect(port, house.client(version=version))
            await meet(reader, writer, data, how)

    with_asyncio.run(main())


async def until_it_is_over(reader: asyncio.StreamReader) -> None:
    try:
        while await reader.read(65536):
            pass
    except ConnectionResetError:  # the loop aborts a connection that had an error
        pass


@HOUSES
@VERSIONS
def test_data_and_end_come_with_the_end_of_the_handshake(house: House, version: ssl.TLSVersion) -> None:
    """A client says all that it has to say together with its Finished."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await meet(reader, writer, b"all at once", "close")

    async def main() -> None:
        async with with_asyncio.serving(handler, house.server(version=version)) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            peer = End(STDLIB.client(version=version), server_hostname=NAME)
            while not peer.step():
                writer.write(peer.outgoing.read())
                peer.incoming.write(await reader.read(65536))
            flight = peer.outgoing.read()
            writer.write(flight + ending(peer, b"all at once", "close"))
            await until_it_is_over(reader)
            writer.close()

    with_asyncio.run(main())
