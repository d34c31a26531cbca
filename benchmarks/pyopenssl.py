"""pyOpenSSL over memory: the OpenSSL inside ``cryptography``, called through cffi."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from OpenSSL import SSL

from benchmarks.contenders import AUTHORITY, IDENTITY, SERVER_NAME
from tests.support.pyopenssl_peer import context

_lib: Any = SSL._lib  # type: ignore[attr-defined]  # for what pyOpenSSL has no method

READ_SIZE = 16_384
"""What one read asks for: it gets one record at most, and pyOpenSSL clears a buffer of this size before."""


class PyOpenSSLPair:
    def __init__(self, client: Any, server: Any) -> None:
        self.client = client
        self.server = server

    def transfer(self, data: bytes) -> int:
        return _move(self.client, self.server, data)

    def echo(self, data: bytes) -> int:
        _move(self.client, self.server, data)
        return _move(self.server, self.client, data)


def _carry(sender: Any, receiver: Any, size: int = READ_SIZE) -> None:
    """All that there is to carry, which is about ``size`` bytes."""
    with suppress(SSL.WantReadError):
        while True:
            receiver.bio_write(sender.bio_read(size))


def _move(sender: Any, receiver: Any, data: bytes) -> int:
    sender.sendall(data)
    _carry(sender, receiver, len(data) + len(data) // 256 + 256)
    arrived = 0
    while arrived < len(data):
        arrived += len(receiver.recv(READ_SIZE))
    return arrived


class PyOpenSSL:
    name = "pyOpenSSL"

    def __init__(self, suite: str = "TLS_AES_128_GCM_SHA256", version: int = SSL.TLS1_3_VERSION) -> None:
        suites = [suite] if version == SSL.TLS1_3_VERSION else []
        # In TLS 1.2 the groups of a client are the curves of certificates too; the first is used for the exchange.
        groups = ["X25519"] if suites else ["X25519", "P-256"]
        common: Any = {"groups": groups, "cipher_suites": suites, "version": version}
        self._server_context = context(identity=IDENTITY, **common)
        self._client_context = context(authority=AUTHORITY, **common)
        if version == SSL.TLS1_2_VERSION:
            self._client_context.set_cipher_list(suite.encode())
        pair = self._connect(None)
        assert pair.client.get_cipher_name() == suite
        self._session = pair.client.get_session()
        self._first = pair  # when it goes without a close_notify, OpenSSL marks its session as not resumable
        for _ in range(2):
            assert _lib.SSL_session_reused(self.resumed().server._ssl)

    def full(self) -> object:
        return self._connect(None)

    def resumed(self) -> PyOpenSSLPair:
        pair = self._connect(self._session)
        pair.client.set_shutdown(
            SSL.SENT_SHUTDOWN | SSL.RECEIVED_SHUTDOWN
        )  # or TLS 1.2 marks the session too
        return pair

    def pair(self) -> PyOpenSSLPair:
        return self._connect(None)

    def idle_server(self) -> object:
        return self._connect(None).server

    def _connect(self, session: Any) -> PyOpenSSLPair:
        client, server = SSL.Connection(self._client_context), SSL.Connection(self._server_context)
        client.set_connect_state()
        server.set_accept_state()
        client.set_tlsext_host_name(SERVER_NAME.encode())
        client.set_verify(SSL.VERIFY_PEER)
        if session is not None:
            client.set_session(session)
        for _ in range(2):
            _handshake(client)
            _carry(client, server)
            _handshake(server)
            _carry(server, client)
        with suppress(SSL.WantReadError):
            client.recv(1)  # takes the tickets
        return PyOpenSSLPair(client, server)


def _handshake(connection: Any) -> None:
    with suppress(SSL.WantReadError):
        connection.do_handshake()
