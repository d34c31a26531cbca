"""Clients and servers of HTTP that the other rooms have not."""

from __future__ import annotations

import asyncio
import logging
import logging.handlers
import signal
import socket
import ssl
import sys
import wsgiref.simple_server
import xmlrpc.client
import xmlrpc.server
from collections.abc import Iterable
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import Any

import httpcore
import hypercorn.asyncio
import hypercorn.config
import pytest

from tests.support.certificates import server_identity
from tests.support.command import PATIENCE, ROOT, Command
from tests.support.http_server import http_server, running
from tests.support.loops import run
from tests.support.resuming import resuming
from tests.support.sockets import SIDES, accept, connect, for_client, for_server


@pytest.fixture(params=SIDES)
def server(request: pytest.FixtureRequest) -> ssl.SSLContext:
    return for_server(request.param)


@pytest.fixture(params=SIDES)
def client(request: pytest.FixtureRequest) -> ssl.SSLContext:
    return for_client(request.param)


def ask(context: ssl.SSLContext, port: int) -> bytes:
    """What a server answers to a GET, on a connection of its own."""
    with connect(context, socket.create_connection(("127.0.0.1", port), PATIENCE)) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: server.example\r\nConnection: close\r\n\r\n")
        answer = b""
        while data := sock.recv(65_536):
            answer += data
    return answer


# --- clients -------------------------------------------------------------------------------------------------


@pytest.mark.library("httpcore, blocking", "client", "resumes")
def test_httpcore(server: ssl.SSLContext) -> None:
    with http_server(server) as port, resuming() as context:
        for said in (b"full", b"resumed"):
            with httpcore.ConnectionPool(ssl_context=context) as pool:
                assert pool.request("GET", f"https://127.0.0.1:{port}/").content == said


@pytest.mark.library("httpcore, asynchronous", "client", "resumes")
def test_httpcore_without_waiting(server: ssl.SSLContext) -> None:
    async def main() -> None:
        for said in (b"full", b"resumed"):
            async with httpcore.AsyncConnectionPool(ssl_context=context) as pool:
                response = await pool.request("GET", f"https://127.0.0.1:{port}/")
                assert response.content == said

    with http_server(server) as port, resuming() as context:
        run(main())


@pytest.mark.library("logging.handlers.HTTPHandler", "client", "resumes")
def test_a_handler_of_logging(server: ssl.SSLContext) -> None:
    with http_server(server) as port, resuming() as context:
        handler = logging.handlers.HTTPHandler(
            f"127.0.0.1:{port}", "/log", method="GET", secure=True, context=context
        )
        for _ in range(2):
            handler.emit(logging.makeLogRecord({"msg": "what happened"}))


@pytest.mark.library("xmlrpc", "client", "server", "resumes")
def test_xmlrpc(server: ssl.SSLContext) -> None:
    class Quiet(xmlrpc.server.SimpleXMLRPCRequestHandler):
        def log_message(self, format: str, *arguments: object) -> None:
            pass

    with xmlrpc.server.SimpleXMLRPCServer(("127.0.0.1", 0), Quiet) as calls, resuming() as context:
        calls.register_function(pow)
        calls.socket = accept(server, calls.socket)
        with running(calls):
            for _ in range(2):
                url = f"https://127.0.0.1:{calls.server_address[1]}/"
                with xmlrpc.client.ServerProxy(url, context=context) as proxy:
                    assert proxy.pow(2, 10) == 1024


# --- servers -------------------------------------------------------------------------------------------------


@pytest.mark.library("socketserver", "server", "resumes")
def test_socketserver() -> None:
    class Echo(StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(self.rfile.readline().upper())

    with ThreadingTCPServer(("127.0.0.1", 0), Echo) as server, resuming() as context:
        server.socket = accept(for_server("ours"), server.socket)
        with running(server):
            for _ in range(2):
                below = socket.create_connection(server.server_address[:2], PATIENCE)
                with connect(context, below) as sock:
                    sock.sendall(b"a line\n")
                    assert sock.recv(100) == b"A LINE\n"


def wsgi(environment: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"an answer"]


@pytest.mark.library("wsgiref", "server")
def test_wsgiref(client: ssl.SSLContext) -> None:
    class Quiet(wsgiref.simple_server.WSGIRequestHandler):
        def log_message(self, format: str, *arguments: object) -> None:
            pass

    with wsgiref.simple_server.make_server("127.0.0.1", 0, wsgi, handler_class=Quiet) as server:
        server.socket = accept(for_server("ours"), server.socket)
        with running(server):
            assert ask(client, server.server_port).endswith(b"an answer")


class OwnContext(hypercorn.config.Config):
    def create_ssl_context(self) -> ssl.SSLContext:
        return for_server("ours")

    @property
    def ssl_enabled(self) -> bool:
        return True


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    assert scope["scheme"] == "https"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9")]})
    await send({"type": "http.response.body", "body": b"an answer"})


@pytest.mark.library("hypercorn", "server", "resumes")
def test_hypercorn() -> None:
    async def main() -> None:
        stop = asyncio.Event()
        config = OwnContext()
        config.bind = [f"fd://{listener.detach()}"]
        config.errorlog = None
        serving = asyncio.create_task(
            hypercorn.asyncio.serve(asgi, config, shutdown_trigger=stop.wait, mode="asgi")
        )
        for _ in range(2):
            answer = await asyncio.to_thread(ask, context, port)
            assert answer.endswith(b"an answer")
        stop.set()
        await serving

    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    with resuming() as context:
        run(main())


GUNICORN = """
import sys
sys.path[:0] = {paths}
from pathlib import Path
from sansticket import Credential, ServerConfig
from sansticket_wrappers.blocking import SSLContext

pem = Path({pem!r}).read_bytes()
context = SSLContext(ServerConfig(credentials=[Credential.from_pem(pem, pem)]))
certfile = keyfile = {pem!r}  # without them it serves in clear
bind = "127.0.0.1:0"
control_socket_disable = True
wsgi_app = "wsgiref.simple_server:demo_app"


def ssl_context(config, default_factory):
    return context
"""


@pytest.mark.library("gunicorn", "server", "resumes")
def test_gunicorn(tmp_path: Path) -> None:
    (tmp_path / "pem").write_bytes(server_identity().chain_pem + server_identity().key_pem)
    paths = [str(ROOT), str(ROOT / "wrappers")]
    (tmp_path / "config.py").write_text(GUNICORN.format(paths=paths, pem=str(tmp_path / "pem")))
    arguments = ("-m", "gunicorn", "--config", tmp_path / "config.py")
    with Command(sys.executable, *arguments) as server, resuming() as context:
        port = int(server.wait_for("Listening at: https://127.0.0.1:").partition(" ")[0])
        for _ in range(2):
            assert b"Hello world!" in ask(context, port), server.output
        server.signal(signal.SIGTERM)  # killed, it would leave its worker
        assert server.wait_for_end() == 0
