"""gevent: its own SSLSocket drives our object, and waits as gevent does."""

from __future__ import annotations

import gevent
import gevent.socket
import gevent.ssl
import pytest

from tests.support.command import PATIENCE
from tests.support.resuming import resuming
from tests.support.sockets import for_server


@pytest.mark.library("gevent", "client", "server", "resumes")
def test_gevent() -> None:
    def serve() -> None:
        context = for_server("ours")
        for _ in range(2):
            below, _ = listener.accept()
            with gevent.ssl.SSLSocket(below, server_side=True, _context=context) as sock:
                sock.sendall(sock.recv(100).upper())

    listener = gevent.socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    with resuming() as context, gevent.Timeout(PATIENCE):
        serving = gevent.spawn(serve)
        for _ in range(2):
            below = gevent.socket.create_connection(listener.getsockname())
            with gevent.ssl.SSLSocket(below, server_hostname="server.example", _context=context) as sock:
                sock.sendall(b"a message")
                assert sock.recv(100) == b"A MESSAGE"
        serving.get()
    listener.close()
