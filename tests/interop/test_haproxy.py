"""haproxy with the same file of ticket keys: its tickets resume on our server, and ours on haproxy."""

from __future__ import annotations

import base64
import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from sansticket import (
    CipherSuite,
    ClientConfig,
    OpenSSLTicketKeys,
    ProtocolVersion,
    SendData,
    Session,
)
from sansticket.config.defaults import DEFAULT_CIPHER_SUITES
from sansticket.library import SSL_SESSIONS
from sansticket.tickets.keys.openssl import HAPROXY_CONTEXT
from tests.support.certificates import server_identity
from tests.support.command import PATIENCE
from tests.support.configs import client_config, server_config
from tests.support.loopback import Line, OurServer, dial
from tests.support.newer import needs
from tests.support.peers import require, tool

pytestmark = needs(SSL_SESSIONS)

CONFIGURATION = """
defaults
    mode http
    timeout client {patience}s
    timeout server {patience}s
    timeout connect {patience}s
frontend test
    bind fd@{descriptor} ssl crt {folder}/identity.pem tls-ticket-keys {folder}/keys
    http-request return status 200 content-type text/plain lf-string "%[ssl_fc_is_resumed]"
"""

VERSIONS = (ProtocolVersion.TLS_1_3, ProtocolVersion.TLS_1_2)

Start = Callable[[bytes], int]


@pytest.fixture
def haproxy(tmp_path: Path) -> Iterator[Start]:
    """Starts haproxy with a file of ticket keys; gives its port."""
    require("haproxy")
    with ExitStack() as running:

        def start(keys: bytes) -> int:
            # It takes over a socket that listens already: nobody else has its port, and there is no waiting.
            listener = running.enter_context(socket.create_server(("127.0.0.1", 0)))
            (tmp_path / "keys").write_bytes(keys)
            identity = server_identity()
            (tmp_path / "identity.pem").write_bytes(identity.chain_pem + identity.key_pem)
            values = {"folder": tmp_path, "descriptor": listener.fileno(), "patience": int(PATIENCE)}
            (tmp_path / "configuration").write_text(CONFIGURATION.format(**values))
            command = [tool("haproxy"), "-f", tmp_path / "configuration", "-db", "-q"]
            process = subprocess.Popen(command, pass_fds=[listener.fileno()])
            running.callback(process.wait, PATIENCE)
            running.callback(process.terminate)
            port: int = listener.getsockname()[1]
            return port

        yield start


def ask(port: int, config: ClientConfig, session: Session | None = None) -> tuple[Line, bytes]:
    """Our client at haproxy; whether haproxy thinks that it came back."""
    with dial(port, config, session) as line:
        line.send(SendData(b"GET / HTTP/1.0\r\n\r\n"))
        line.pump(lambda: line.closed or line.over)
        return line, bytes(line.data[-1:])


@pytest.mark.parametrize("version", VERSIONS, ids=["1.3", "1.2"])
@pytest.mark.parametrize("size", [48, 80])
def test_tickets_cross_both_ways(haproxy: Start, size: int, version: int) -> None:
    content = b"".join(base64.b64encode(os.urandom(size)) + b"\n" for _ in range(3))
    port, client = haproxy(content), client_config(versions=[version])
    keys = OpenSSLTicketKeys.from_haproxy(content)
    first, _ = ask(port, client)
    assert first.sessions[-1].ticket.startswith(keys.keys[0].name)
    ours = server_config(
        versions=[version],
        ticket_keys=keys,
        session_id_context=HAPROXY_CONTEXT,
        cipher_suites=[CipherSuite.AES_256_GCM_SHA384, *DEFAULT_CIPHER_SUITES[2:]],  # haproxy's favourite
    )
    with OurServer(ours) as server:
        with dial(server.port, client, first.sessions[-1]) as line:
            assert line.resumed
            line.close()
        with dial(server.port, client) as line:
            line.close()
    again, told = ask(port, client, line.sessions[-1])
    assert again.resumed
    assert told == b"1"
