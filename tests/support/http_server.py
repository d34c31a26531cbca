"""The standard library's HTTP server with TLS: it says of each connection whether it was a resumption."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import BaseServer

from tests.support.sockets import accept, beside, bounded


class Handler(BaseHTTPRequestHandler):
    """Says whether the connection was a resumption, and closes it."""

    def do_GET(self) -> None:
        assert isinstance(self.connection, ssl.SSLSocket)
        body = b"resumed" if self.connection.session_reused else b"full"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@contextmanager
def running(server: BaseServer) -> Iterator[BaseServer]:
    """In a thread of its own.  No client holds it up for ever."""
    with bounded(), beside(server.serve_forever, 0.01):
        try:
            yield server
        finally:
            server.shutdown()


@contextmanager
def http_server(tls: ssl.SSLContext) -> Iterator[int]:
    """Its port.  The socket listens, and gives TLS sockets."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = accept(tls, server.socket)
        with running(server):
            yield server.server_port
