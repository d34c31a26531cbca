"""Clients of the servers: they are the same for all, and what they cost is not measured."""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress
from typing import Final

from benchmarks.contenders import AUTHORITY, SERVER_NAME
from benchmarks.loopback.server import HOST, MODERN, Version
from benchmarks.ours import client_config
from benchmarks.stdlib import client_context
from sansticket import (
    ClientConnection,
    Close,
    DataReceived,
    EarlyDataStatus,
    SendEarlyData,
    Session,
    TicketReceived,
)

PATIENCE: Final = 20.0
"""Seconds."""

PIECE: Final = bytes(1 << 20)
"""Of an upload."""


class Visitor:
    """Of the standard library."""

    def __init__(self, version: Version) -> None:
        self._context = client_context(AUTHORITY.der, version.openssl_suite, version.number)

    def connect(self, port: int, session: ssl.SSLSession | None = None) -> ssl.SSLSocket:
        """A connection that has had its answer, and with it the tickets."""
        below = socket.create_connection((HOST, port), PATIENCE)
        sock = self._context.wrap_socket(below, server_hostname=SERVER_NAME, session=session)
        _ask(sock)
        return sock

    def visit(
        self, port: int, session: ssl.SSLSession | None = None
    ) -> tuple[ssl.SSLSession | None, bool | None]:
        """The session that the next visit may show, and whether this one was resumed."""
        with self.connect(port, session) as sock:
            found = sock.session, sock.session_reused
            _close(sock)
        return found

    def upload(self, port: int, pieces: int) -> None:
        """So many MiB."""
        with self.connect(port) as sock:
            for _ in range(pieces):
                sock.sendall(PIECE)
            _ask(sock)
            _close(sock)


def _ask(sock: ssl.SSLSocket) -> None:
    sock.sendall(b".")
    assert sock.recv(10) == b"!"


def _close(sock: ssl.SSLSocket) -> None:
    with suppress(OSError):
        sock.unwrap()


class EarlyVisitor:
    """Ours, whose request is early data: the standard library has no call for it."""

    def __init__(self) -> None:
        self._config = client_config(MODERN.suite, early_data=True)
        self._session: Session | None = None

    def visit(self, port: int) -> None:
        """With the ticket of the visit before; the first has none."""
        early = self._session is not None
        client = ClientConnection(self._config, SERVER_NAME, self._session)
        if early:
            client.send(SendEarlyData(b"."))
        awaited = {TicketReceived, DataReceived} if early else {TicketReceived}
        with socket.create_connection((HOST, port), PATIENCE) as sock:
            while awaited:
                sock.sendall(client.data_to_send())
                for event in client.receive_data(sock.recv(65_536)):
                    awaited.discard(type(event))
                    if type(event) is TicketReceived:
                        self._session = event.session
            client.send(Close())
            sock.sendall(client.data_to_send())
            while sock.recv(1_000):
                pass
        assert not early or client.early_data is EarlyDataStatus.ACCEPTED
