"""Clients of databases and directories."""

from __future__ import annotations

import socket
import ssl
import struct
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pymysql
import pytest
import redis
import redis.asyncio
from cassandra.connection import DefaultEndPoint
from cassandra.io.asyncioreactor import AsyncioConnection

from tests.support.certificates import authority, server_identity
from tests.support.command import PATIENCE, Command
from tests.support.loopback import free_port
from tests.support.loops import run
from tests.support.peers import require
from tests.support.resuming import resuming
from tests.support.sockets import SIDES, accept, for_server
from tests.support.talking import exactly, listen_to_the_end, talking, talking_tls

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it uses names of pyasn1 that are no longer wanted
    import ldap3


@pytest.fixture(params=SIDES)
def server(request: pytest.FixtureRequest) -> ssl.SSLContext:
    return for_server(request.param)


# --- PostgreSQL ----------------------------------------------------------------------------------------------


def postgres(sock: ssl.SSLSocket) -> None:
    """Whoever comes is let in, and nothing is asked."""
    (length,) = struct.unpack("!I", exactly(sock, 4))
    assert b"user\0somebody\0" in exactly(sock, length - 4)
    version = b"server_version\x0015.0\0"
    sock.sendall(b"R" + struct.pack("!II", 8, 0))
    sock.sendall(b"S" + struct.pack("!I", 4 + len(version)) + version)
    sock.sendall(b"K" + struct.pack("!III", 12, 1, 2) + b"Z" + struct.pack("!I", 5) + b"I")
    assert exactly(sock, 1) == b"X"
    sock.shutdown(socket.SHUT_RDWR)  # it is the server that closes


@pytest.mark.library("asyncpg", "client", "resumes")
def test_asyncpg(server: ssl.SSLContext) -> None:
    async def main(port: int, context: ssl.SSLContext) -> None:
        connection = await asyncpg.connect(
            host="127.0.0.1", port=port, user="somebody", password="x", database="x", ssl=context
        )
        assert connection.get_server_version().major == 15
        await connection.close()

    with talking_tls(server, postgres, 2, clear=b"S", asked=8) as port, resuming() as context:
        for _ in range(2):
            run(main(port, context))


# --- MySQL ---------------------------------------------------------------------------------------------------

SSL, SECURE, PLUGIN, PROTOCOL = 1 << 11, 1 << 15, 1 << 19, 1 << 9
OK = b"\0\0\0\2\0\0\0"


def packet(number: int, content: bytes) -> bytes:
    return len(content).to_bytes(3, "little") + bytes((number,)) + content


def greeting() -> bytes:
    able = SSL | SECURE | PLUGIN | PROTOCOL
    return (
        b"\x0a8.0.0\0" + bytes(4) + b"saltsalt\0" + struct.pack("<HBHH", able & 0xFFFF, 33, 2, able >> 16)
        + bytes((21,)) + bytes(10) + b"saltsaltsalt\0" + b"mysql_native_password\0"
    )  # fmt: skip


@pytest.mark.library("PyMySQL", "client", "resumes")
def test_pymysql(server: ssl.SSLContext) -> None:
    def serve(sock: socket.socket) -> None:
        sock.sendall(packet(0, greeting()))
        exactly(sock, 36)  # it wants TLS
        with accept(server, sock) as secure:
            while head := exactly(secure, 4):
                content = exactly(secure, int.from_bytes(head[:3], "little"))
                if content == b"\1":  # quit
                    break
                secure.sendall(packet(head[3] + 1, OK))
            listen_to_the_end(secure)

    with talking(serve, 2) as port, resuming() as context:
        for _ in range(2):
            connection = pymysql.connect(
                host="127.0.0.1",
                port=port,
                user="somebody",
                password="x",
                ssl=context,
                connect_timeout=PATIENCE,
                read_timeout=PATIENCE,
            )
            connection.ping()
            connection.close()


# --- Redis ---------------------------------------------------------------------------------------------------


@contextmanager
def redis_server() -> Iterator[int]:
    """With TLS, and without a port in clear."""
    require("redis-server")
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="redis") as name:
        folder = Path(name)
        (folder / "ca.pem").write_bytes(authority().pem)
        (folder / "chain.pem").write_bytes(server_identity().chain_pem)
        (folder / "key.pem").write_bytes(server_identity().key_pem)
        arguments = [
            "--port",
            "0",
            "--tls-port",
            str(port),
            "--bind",
            "127.0.0.1",
            "--tls-auth-clients",
            "no",
        ]
        arguments += ["--tls-cert-file", str(folder / "chain.pem"), "--tls-key-file", str(folder / "key.pem")]
        arguments += ["--tls-ca-cert-file", str(folder / "ca.pem"), "--save", "", "--dir", name]
        with Command("redis-server", *arguments) as command:
            command.wait_for("eady to accept connections")
            yield port


class WithContext(redis.SSLConnection):
    """redis has no argument for a context."""

    def __init__(self, context: ssl.SSLContext, **options: Any) -> None:
        super().__init__(**options)
        self._ours = context

    def _wrap_socket_with_ssl(self, sock: socket.socket) -> ssl.SSLSocket:
        return self._ours.wrap_socket(sock, server_hostname=self.host)


class WithContextToo(redis.asyncio.SSLConnection):
    def __init__(self, context: ssl.SSLContext, **options: Any) -> None:
        super().__init__(**options)
        self.ssl_context.context = context


@pytest.mark.library("redis, blocking", "client", "resumes")
def test_redis() -> None:
    with redis_server() as port, resuming() as context:
        for _ in range(2):
            pool = redis.ConnectionPool(
                connection_class=WithContext,
                context=context,
                host="127.0.0.1",
                port=port,
                socket_timeout=PATIENCE,
            )
            with redis.Redis(connection_pool=pool) as client:
                assert client.ping()
            pool.disconnect()


@pytest.mark.library("redis, asyncio", "client", "resumes")
def test_redis_with_asyncio() -> None:
    async def main() -> None:
        for _ in range(2):
            pool = redis.asyncio.ConnectionPool(
                connection_class=WithContextToo,
                context=context,
                host="127.0.0.1",
                port=port,
                socket_timeout=PATIENCE,
            )
            async with redis.asyncio.Redis(connection_pool=pool) as client:
                assert await client.ping()
            await pool.disconnect()

    with redis_server() as port, resuming() as context:
        run(main())


# --- Cassandra and Scylla ------------------------------------------------------------------------------------

OPTIONS, SUPPORTED, STARTUP, READY = 5, 6, 1, 2


def cassandra(sock: ssl.SSLSocket) -> None:
    """The native protocol, version 4: says what it supports, and whoever comes may start."""
    answers = {
        OPTIONS: (SUPPORTED, b"\0\2\0\x0bCQL_VERSION\0\1\0\0053.4.5\0\x0bCOMPRESSION\0\0"),
        STARTUP: (READY, b""),
    }
    while head := exactly(sock, 9):
        version, _, stream, asked, length = struct.unpack("!BBHBI", head)
        assert version == 4
        exactly(sock, length)
        code, body = answers[asked]
        sock.sendall(struct.pack("!BBHBI", 0x84, 0, stream, code, len(body)) + body)


@pytest.mark.library("scylla-driver, asyncio", "client", "resumes")
def test_scylla_with_asyncio(server: ssl.SSLContext) -> None:
    """Its own cache of sessions is not for asyncio, which has no place to give one: the context has its store."""
    AsyncioConnection.initialize_reactor()
    with talking_tls(server, cassandra, 2) as port, resuming() as context:
        for _ in range(2):
            connection = AsyncioConnection.factory(
                DefaultEndPoint("127.0.0.1", port), PATIENCE, ssl_context=context, protocol_version=4
            )
            assert connection.connected_event.is_set()
            assert not connection.is_defunct
            connection.close()


# --- LDAP ----------------------------------------------------------------------------------------------------


class OwnContext(ldap3.Tls):
    """ldap3 has no argument for a context."""

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(validate=ssl.CERT_REQUIRED)
        self._ours = context

    def wrap_socket(self, connection: Any, do_handshake: bool = False) -> None:
        connection.socket = self._ours.wrap_socket(
            connection.socket, do_handshake_on_connect=do_handshake, server_hostname=connection.server.host
        )


def directory(sock: ssl.SSLSocket) -> None:
    """Whoever comes is bound."""
    request = sock.recv(1000)
    message_id, bind = request[4], request[5]
    assert bind == 0x60
    sock.sendall(bytes((0x30, 12, 2, 1, message_id, 0x61, 7, 0x0A, 1, 0, 4, 0, 4, 0)))


@pytest.mark.library("ldap3", "client", "resumes")
def test_ldap3(server: ssl.SSLContext) -> None:
    with talking_tls(server, directory, 2) as port, resuming() as context:
        for _ in range(2):
            tls = OwnContext(context)
            host = ldap3.Server("127.0.0.1", port=port, use_ssl=True, tls=tls, get_info=ldap3.NONE)
            connection = ldap3.Connection(host, "cn=somebody", "x")
            assert connection.bind()
            connection.unbind()
