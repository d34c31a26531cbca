"""The HTTPS server with curl, as a user runs it, and the HTTPS client with it and with servers that are sloppy."""

from __future__ import annotations

import asyncio
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from attrs import frozen

from examples.https_client import HTTPError, get
from sansticket import (
    ClientConnection,
    ClientSessionStore,
    DataReceived,
    NamedGroup,
    SendData,
    SendEarlyData,
    Session,
)
from tests.support.certificates import authority, server_identity
from tests.support.command import PATIENCE, Command, example
from tests.support.configs import client_config
from tests.support.loopback import dial
from tests.support.loops import run
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


@contextmanager
def started(tmp_path: Path, *arguments: str) -> Iterator[Running]:
    ca, chain, key = (tmp_path / name for name in ("ca.pem", "chain.pem", "key.pem"))
    ca.write_bytes(authority().pem)
    chain.write_bytes(server_identity().chain_pem)
    key.write_bytes(server_identity().key_pem)
    with example("https_server", "0", "--chain", chain, "--key", key, *arguments) as command:
        yield Running(command, int(command.wait_for("listening on port")), ca)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    with started(tmp_path) as running:
        yield running


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


# --- early data ----------------------------------------------------------------------------------------------


@pytest.fixture
def early(tmp_path: Path) -> Iterator[Running]:
    """The same, and it takes early data."""
    with started(tmp_path, "--early-data", "16384") as running:
        yield running


def test_a_proxy_says_what_came_early(running: Running) -> None:
    """An Early-Data that comes in means the same as one of our own, whatever it says (RFC 8470 section 5.1)."""
    status = ("-o", "/dev/null", "-w", "%{http_code}")
    for arguments, expected in (
        (("-H", "Early-Data: 1"), "200"),
        (("-I", "-H", "Early-Data: 1"), "200"),
        (("-d", "x", "-H", "Early-Data: 1"), "425"),
        (("-d", "x", "-H", "early-data: 0"), "425"),
        (("-d", "x", "-H", "Early-Data: 1", "-H", "Early-Data: 1"), "425"),
        (("-d", "x"), "200"),
    ):
        assert running.curl(*status, *arguments, running.url) == expected, arguments
    assert running.curl(*status, "-H", "Early-Data: 1", running.url + "once") == "425"
    assert "early: yes" in running.curl("-H", "Early-Data: 1", running.url)
    assert "early: no" in running.curl(running.url)


def visits(running: Running, tmp_path: Path, *paths: str) -> tuple[list[str], str]:
    """How our client came to each page, one after the other, and the pages."""
    urls = [running.url + path for path in paths]
    where = ("--ca", running.ca, "--address", "127.0.0.1", "--sessions", tmp_path / "sessions.bin")
    with example("https_client", *urls, *where, "--early-data") as client:
        assert client.wait_for_end() == 0
        lines = [line for line in client.output.splitlines() if line.startswith("https://")]
        return [line.partition(": ")[2] for line in lines], client.output


def test_our_client_and_server(early: Running, tmp_path: Path) -> None:
    how, pages = visits(early, tmp_path, "", "again", "and-again")
    assert how == ["200, full handshake", "200, early", "200, early"]
    assert (pages.count("early: no"), pages.count("early: yes")) == (1, 2)


def test_what_is_not_safe_is_sent_again_after_the_handshake(early: Running, tmp_path: Path) -> None:
    how, pages = visits(early, tmp_path, "", "once", "again")
    assert how == ["200, full handshake", "200, resumed", "200, early"]
    assert (pages.count("early: no"), pages.count("early: yes")) == (2, 1)


def test_a_server_that_takes_none(running: Running, tmp_path: Path) -> None:
    how, pages = visits(running, tmp_path, "", "again")
    assert how == ["200, full handshake", "200, resumed"]
    assert pages.count("early: no") == 2


class OnTheWay:
    """Requests to the example by hand: flight by flight, in pieces, and again."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self.config = client_config(early_data=True, alpn_protocols=[b"http/1.1"], groups=[NamedGroup.X25519])
        self.sessions: list[Session] = []
        while len(self.sessions) < 4:
            with dial(running.port, self.config) as line:
                line.pump(lambda line=line: bool(line.sessions))  # type: ignore[misc]  # the line of now
                self.sessions += line.sessions

    def client(self, early: bytes) -> ClientConnection:
        client = ClientConnection(self.config, "server.example", self.sessions.pop())
        client.send(SendEarlyData(early))
        return client

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.running.port), PATIENCE)

    def answer(self, client: ClientConnection, sock: socket.socket, count: int = 1) -> bytes:
        """So many responses to the first flight, before the second has been sent."""
        data = b""
        while data.count(b"HTTP/1.1 ") < count or not data.endswith(b"\n"):
            piece = sock.recv(65_536)
            assert piece, data
            events = client.receive_data(piece)
            data += b"".join(event.data for event in events if isinstance(event, DataReceived))
        return data


@pytest.fixture
def on_the_way(early: Running) -> OnTheWay:
    return OnTheWay(early)


def request(method: str, target: str, body: bytes = b"") -> bytes:
    head = f"{method} {target} HTTP/1.1\r\nHost: server.example\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def test_each_request_is_judged_by_its_own_bytes(on_the_way: OnTheWay) -> None:
    """Two come early and whole, of a third all but the last byte: that is when the handshake is done."""
    third = request("POST", "/", b"body")
    client = on_the_way.client(request("GET", "/") + request("POST", "/", b"early") + third[:-1])
    with on_the_way.connect() as sock:
        sock.sendall(client.data_to_send())
        first, second = on_the_way.answer(client, sock, 2).split(b"HTTP/1.1 ")[1:]
        assert first.startswith(b"200 OK")
        assert b"early: yes" in first
        assert second.startswith(b"425 Too Early")
        client.send(SendData(third[-1:] + request("GET", "/")))
        sock.sendall(client.data_to_send())
        third_answer, fourth = on_the_way.answer(client, sock, 2).split(b"HTTP/1.1 ")[1:]
        assert third_answer.startswith(b"200 OK")
        assert third_answer.endswith(b"body")
        assert b"early: no" in fourth


def test_a_replayed_request_gets_no_answer(on_the_way: OnTheWay) -> None:
    client = on_the_way.client(request("GET", "/"))
    flight = client.data_to_send()
    with on_the_way.connect() as sock, on_the_way.connect() as attacker:
        sock.sendall(flight)
        assert b"early: yes" in on_the_way.answer(client, sock)
        attacker.sendall(flight)
        attacker.shutdown(socket.SHUT_WR)
        reply = b""
        while data := attacker.recv(65_536):
            reply += data
        assert len(reply) < 500, "the flight of a resumption, and an alert: there is no page in it"


def test_the_request_of_openssl(early: Running, tmp_path: Path) -> None:
    require("openssl command")
    sessions, early_data = tmp_path / "session.pem", tmp_path / "request"
    early_data.write_bytes(request("GET", "/"))

    def s_client(*arguments: str | Path) -> str:
        where = ("-connect", f"127.0.0.1:{early.port}", "-servername", "server.example", "-alpn", "http/1.1")
        command = ["openssl", "s_client", "-ign_eof", "-tls1_3", *where, *arguments]
        last = request("GET", "/").replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
        return subprocess.run(command, input=last, capture_output=True, timeout=PATIENCE).stdout.decode()

    assert "early: no" in s_client("-sess_out", sessions)
    output = s_client("-sess_in", sessions, "-early_data", early_data)
    assert "Early data was accepted" in output
    assert (output.count("early: yes"), output.count("early: no")) == (1, 1)


def test_a_client_that_gets_425_for_a_request_that_was_not_early_does_not_repeat_it() -> None:
    asked = 0

    async def too_early(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        await reader.readuntil(b"\r\n\r\n")
        asked += 1
        writer.write(b"HTTP/1.1 425 Too Early\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(too_early, "127.0.0.1", 0, ssl=server_context(server_identity()))
        async with server:
            port = server.sockets[0].getsockname()[1]
            answer = await get(f"https://server.example:{port}/", client_config(), address="127.0.0.1")
            assert (answer.status, answer.early) == (425, False)

    run(main())
    assert asked == 1


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
    assert run(get_from(BODIES[kind], close_notify=close_notify)) == b"hello"


def test_a_body_that_ends_with_the_connection() -> None:
    assert run(get_from(BODIES["until the end"], close_notify=True)) == b"hello"
    with pytest.raises(HTTPError, match="the end of the body is missing"):
        run(get_from(BODIES["until the end"], close_notify=False))


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
        run(get_from(response, close_notify=True))


def test_only_https_urls() -> None:
    with pytest.raises(HTTPError, match="no URL of HTTPS"):
        run(get("http://server.example/", client_config()))
