"""Two ends of a stream over real sockets, one in a thread of its own; contexts of ours and of the standard library."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from threading import Thread
from typing import Any, Final

from sansticket import ClientSessionStore
from sansticket_wrappers.blocking import SSLContext
from tests.support.certificates import authority, server_identity
from tests.support.command import PATIENCE
from tests.support.configs import client_config, server_config
from tests.support.stdlib_peer import client_context, server_context

NAME: Final = "server.example"
SIDES: Final = ("ours", "theirs")
ROOM: Final = 65_536
"""Bytes that a socket keeps for its peer, or so: the system takes it for a proposal."""


def for_client(kind: str, **changes: Any) -> ssl.SSLContext:
    """Of ours with a store, so that what can be resumed is."""
    if kind == "ours":
        return SSLContext(client_config(session_store=ClientSessionStore(), **changes))
    return client_context(authority())


def for_server(kind: str, **changes: Any) -> ssl.SSLContext:
    return SSLContext(server_config(**changes)) if kind == "ours" else server_context(server_identity())


@contextmanager
def bounded() -> Iterator[None]:
    """Sockets that are made meanwhile, or accepted, wait that long for their peer and not for ever, unless told to."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(PATIENCE)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


@contextmanager
def listening() -> Iterator[socket.socket]:
    """On a free port of loopback; ``accept`` does not wait for ever for a client that has failed."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE / 2)
        yield listener


@contextmanager
def stream() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Both ends of a TCP connection on loopback, with a time-out that no healthy test meets, and little room."""
    with listening() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, ROOM)
        client = socket.create_connection(listener.getsockname(), PATIENCE)
        server, _ = listener.accept()
    for sock in (client, server):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, ROOM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, ROOM)
    server.settimeout(PATIENCE)
    with client, server:
        yield client, server


@contextmanager
def beside(act: Callable[..., Any], *arguments: Any) -> Iterator[Future[Any]]:
    """Do it in a thread of its own meanwhile, which is waited for.  What it raises is raised at the end."""
    future: Future[Any] = Future()

    def whole() -> None:
        try:
            future.set_result(act(*arguments))
        except BaseException as error:
            future.set_exception(error)

    thread = Thread(target=whole, daemon=True)
    thread.start()
    try:
        yield future
    except BaseException as error:
        thread.join(PATIENCE)
        if not future.done() or future.exception():
            error.add_note(f"beside it: {future.exception()!r}" if future.done() else "beside it: no end")
        raise
    future.result(PATIENCE)
    thread.join(PATIENCE)


def connect(context: ssl.SSLContext, sock: socket.socket, **options: Any) -> ssl.SSLSocket:
    return context.wrap_socket(sock, server_hostname=NAME, **options)


def accept(context: ssl.SSLContext, sock: socket.socket, **options: Any) -> ssl.SSLSocket:
    return context.wrap_socket(sock, server_side=True, **options)


@contextmanager
def secured(client: ssl.SSLContext, server: ssl.SSLContext) -> Iterator[tuple[ssl.SSLSocket, ssl.SSLSocket]]:
    """The same two ends with TLS over them, after the handshake."""
    with (
        stream() as (one, other),
        beside(accept, server, other) as accepted,
        connect(client, one) as ours,
        accepted.result(PATIENCE) as theirs,
    ):
        yield ours, theirs
