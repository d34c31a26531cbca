"""The HTTPS server with curl, as a user runs it, and the HTTPS client with it and with servers that are sloppy."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import frozen

from examples.https_client import HTTPError, get
from sansticket import ClientSessionStore
from tests.support.certificates import authority, server_identity
from tests.support.command import PATIENCE, Command, example
from tests.support.configs import client_config
from tests.support.peers import require
from tests.support.stdlib_peer import server_context


@frozen
class Running:
    """The example's server on a port of its own."""

    command: Command
    port: int
    ca: Path

    @property
    def url(self) -> str:
        return f"https://server.example:{self.port}/"

    def curl(self, *arguments: str | Path) -> str:
        """What curl prints.  A failure fails the test, with what curl says of it."""
        require("curl")
        finished = subprocess.run(
            [
                "curl",
                "-sS",
                "--cacert",
                self.ca,
                "--resolve",
                f"server.example:{self.port}:127.0.0.1",
                *arguments,
            ],
            capture_output=True,
            timeout=PATIENCE,
        )
        assert finished.stderr == b""
        assert finished.returncode == 0
        return finished.stdout.decode()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    ca, chain, key = (tmp_path / name for name in ("ca.pem", "chain.pem", "key.pem"))
    ca.write_bytes(authority().pem)
    chain.write_bytes(server_identity().chain_pem)
    key.write_bytes(server_identity().key_pem)
    with example("https_server", "0", "--chain", chain, "--key", key) as command:
        yield Running(command, int(command.wait_for("listening on port")), ca)


# --- curl ----------------------------------------------------------------------------------------------------


def test_curl_gets_a_page(running: Running) -> None:
    page = running.curl("-w", "%{http_code} %{http_version} %{num_connects}", running.url)
    assert page.splitlines()[0] == "version: TLS_1_3"
    assert "application protocol: http/1.1" in page
    assert "server name: server.example" in page
    assert "resumed: no" in page
    assert page.endswith("200 1.1 1")


def test_curl_keeps_its_connection(running: Running) -> None:
    asked = running.curl(
        "-o", "/dev/null", "-w", "%{num_connects}", running.url, "-o", "/dev/null", running.url
    )
    assert asked == "10"


def test_curl_resumes_on_its_second_connection(running: Running) -> None:
    pages = running.curl("-H", "Connection: close", running.url, running.url)
    assert pages.count("resumed: no") == 1
    assert pages.count("resumed: yes") == 1


def test_curl_posts_and_gets_it_back(running: Running, tmp_path: Path) -> None:
    sent, received = tmp_path / "sent", tmp_path / "received"
    sent.write_bytes(bytes(range(256)) * 12_000)  # curl asks for 100 Continue before so much
    running.curl("--data-binary", f"@{sent}", "-o", received, running.url)
    assert received.read_bytes() == sent.read_bytes()


def test_curl_asks_for_the_head_only(running: Running) -> None:
    head = running.curl("-I", running.url)
    assert head.startswith("HTTP/1.1 200 OK")


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("-X", "DELETE"), "405"),
        (("-H", "X-Long: " + "x" * 40_000), "431"),
        (("-H", "Transfer-Encoding: chunked", "-d", "x"), "501"),
        (("-H", "Content-Length: many"), "400"),
        (("-H", "Host:"), "400"),
        (("-H", "Content-Length: 999999999"), "413"),
    ],
)
def test_what_the_server_does_not_do(running: Running, arguments: tuple[str, ...], status: str) -> None:
    assert running.curl("-o", "/dev/null", "-w", "%{http_code}", *arguments, running.url) == status
    assert running.curl(running.url)  # it is there for the next one


def test_only_the_old_http_needs_no_host(running: Running) -> None:
    assert running.curl("-0", "--no-alpn", "-H", "Host:", running.url).startswith("version: TLS_1_3")


def test_a_client_that_speaks_no_tls_leaves_the_server_running(running: Running) -> None:
    require("curl")
    plain = subprocess.run(
        ["curl", "-sS", f"http://127.0.0.1:{running.port}/"], capture_output=True, timeout=PATIENCE
    )
    assert plain.returncode != 0
    assert running.curl(running.url)
    assert "Traceback" not in running.command.output


# --- our client ----------------------------------------------------------------------------------------------


def test_our_client_resumes_the_next_time(running: Running, tmp_path: Path) -> None:
    for expected in (["full handshake", "resumed"], ["resumed", "resumed"]):
        with example(
            *("https_client", running.url, running.url + "again", "--ca", running.ca),
            *("--address", "127.0.0.1", "--sessions", tmp_path / "sessions.bin"),
        ) as client:
            assert client.wait_for_end() == 0
            assert [how for how in expected if f"200, {how}" in client.output] == expected
    assert (tmp_path / "sessions.bin").stat().st_mode & 0o077 == 0


BODIES = {
    "with its length": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "in chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\nA: b\r\n\r\n",
    "until the end": b"HTTP/1.0 200 OK\r\n\r\nhello",
}


async def get_from(response: bytes, *, close_notify: bool) -> bytes:
    """The body that our client makes of the response of a server of the standard library."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(response)
        await writer.drain()
        if not close_notify:
            writer.transport.abort()
            return
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=server_context(server_identity()))
    async with server:
        port = server.sockets[0].getsockname()[1]
        config = client_config(session_store=ClientSessionStore())
        answer = await get(f"https://server.example:{port}/", config, timeout=PATIENCE, address="127.0.0.1")
        assert answer.status == 200
        return answer.body


@pytest.mark.parametrize("close_notify", [True, False])
@pytest.mark.parametrize("kind", ["with its length", "in chunks"])
def test_a_body_that_says_where_it_ends(kind: str, close_notify: bool) -> None:
    """Whether the server says goodbye does not matter then, and many do not."""
    assert asyncio.run(get_from(BODIES[kind], close_notify=close_notify)) == b"hello"


def test_a_body_that_ends_with_the_connection() -> None:
    assert asyncio.run(get_from(BODIES["until the end"], close_notify=True)) == b"hello"
    with pytest.raises(HTTPError, match="the end of the body is missing"):
        asyncio.run(get_from(BODIES["until the end"], close_notify=False))


@pytest.mark.parametrize(
    "response",
    [
        b"",
        b"hello\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000,
    ],
)
def test_what_is_no_response_is_said_so(response: bytes) -> None:
    with pytest.raises(HTTPError):
        asyncio.run(get_from(response, close_notify=True))


def test_only_https_urls() -> None:
    with pytest.raises(HTTPError, match="no URL of HTTPS"):
        asyncio.run(get("http://server.example/", client_config()))
