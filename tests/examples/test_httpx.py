"""httpx over our client, with the example's HTTPS server: the second connection to a host resumes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from examples.https_server import serve
from examples.httpx_client import TLSTransport, tls
from sansticket import ClientConfig, ClientSessionStore
from sansticket_wrappers.asyncio import start_server
from tests.support.certificates import authority, new_authority, server_identity
from tests.support.command import PATIENCE, example
from tests.support.configs import client_config, server_config
from tests.support.credentials import anchors_of
from tests.support.loopback import free_port
from tests.support.loops import run
from tests.support.stdlib_peer import server_context


def config(**changes: Any) -> ClientConfig:
    return client_config(session_store=ClientSessionStore(), alpn_protocols=[b"http/1.1"], **changes)


@asynccontextmanager
async def serving() -> AsyncIterator[str]:
    """The URL of a server: 127.0.0.1 is a name in its certificate."""
    async with await start_server(
        serve, "127.0.0.1", 0, server_config(alpn_protocols=[b"http/1.1"]), https_compatible=True
    ) as server:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


def test_the_second_connection_to_a_host_resumes() -> None:
    async def main() -> None:
        transport = TLSTransport(config(), max_keepalive_connections=0)
        async with serving() as url, httpx.AsyncClient(transport=transport) as client:
            for resumed in (False, True, True):
                response = await client.get(url)
                assert response.status_code == 200
                assert ("resumed: yes" in response.text) == resumed
                assert tls(response).resumed == resumed
                assert tls(response).alpn_protocol == b"http/1.1"

    run(main())


def test_a_connection_is_kept_and_used_again() -> None:
    async def main() -> None:
        async with serving() as url, httpx.AsyncClient(transport=TLSTransport(config())) as client:
            first = await client.get(url)
            second = await client.post(url, content=b"x" * 1_000_000)
            assert tls(first) is tls(second)
            assert second.content == b"x" * 1_000_000

    run(main())


def test_many_at_once() -> None:
    async def main() -> None:
        transport = TLSTransport(config(), max_connections=4)
        async with serving() as url, httpx.AsyncClient(transport=transport, timeout=PATIENCE) as client:
            responses = await asyncio.gather(*(client.get(url) for _ in range(20)))
            assert {response.status_code for response in responses} == {200}
            assert len({id(tls(response)) for response in responses}) <= 4

    run(main())


def test_a_connection_that_the_server_has_closed_is_not_used_again() -> None:
    async def main() -> None:
        async def one_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            await writer.drain()
            writer.close()  # without having said so
            await writer.wait_closed()

        server = await asyncio.start_server(
            one_request, "127.0.0.1", 0, ssl=server_context(server_identity())
        )
        async with server, httpx.AsyncClient(transport=TLSTransport(config())) as client:
            url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
            for resumed in (False, True):
                response = await client.get(url)
                assert (response.text, tls(response).resumed) == ("ok", resumed)
                async with asyncio.timeout(PATIENCE):
                    while not response.extensions["network_stream"].get_extra_info("is_readable"):
                        await asyncio.sleep(0.01)

    run(main())


def test_a_server_that_is_not_trusted() -> None:
    async def main() -> None:
        stranger = config(trust_anchors=anchors_of(new_authority("stranger")))
        async with serving() as url, httpx.AsyncClient(transport=TLSTransport(stranger)) as client:
            with pytest.raises(httpx.ConnectError, match="no path to a trust anchor"):
                await client.get(url)

    run(main())


def test_a_server_that_is_not_there_or_says_nothing() -> None:
    async def main() -> None:
        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            writer.close()

        port = free_port()
        server = await asyncio.start_server(silent, "127.0.0.1", port)
        url = f"https://127.0.0.1:{port}/"
        async with httpx.AsyncClient(transport=TLSTransport(config()), timeout=PATIENCE) as client:
            with pytest.raises(httpx.ConnectTimeout):
                await client.get(url, timeout=0.2)
            server.close()
            await server.wait_closed()
            with pytest.raises(httpx.ConnectError):
                await client.get(url)
            with pytest.raises(httpx.UnsupportedProtocol):
                await client.get("http://127.0.0.1/")

    run(main())


def test_the_command(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(authority().pem)
    (tmp_path / "chain.pem").write_bytes(server_identity().chain_pem)
    (tmp_path / "key.pem").write_bytes(server_identity().key_pem)
    files = ("--chain", tmp_path / "chain.pem", "--key", tmp_path / "key.pem")
    with example("https_server", "0", *files) as server:
        url = f"https://127.0.0.1:{server.wait_for('listening on port')}/"
        with example("httpx_client", url, url, "--ca", tmp_path / "ca.pem") as client:
            assert client.wait_for_end() == 0
    first, second = client.output.splitlines()
    assert "200, full handshake" in first
    assert "200, resumed" in second
