"""Servers with ticket keys in a file: their tickets resume on our server, and ours on them.

Caddy's are in its storage.  Apache Traffic Server's sessions are bound to SHA-256 of what ``ssl_cert_name`` says, with
the names of the authorities where a client certificate is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from hashlib import sha256
from os import urandom
from pathlib import Path

import pytest

from sansticket import (
    CaddyTicketKeys,
    CipherSuite,
    ClientConfig,
    GoTicketKeys,
    OpenSSLTicketKey,
    OpenSSLTicketKeys,
    ProtocolVersion,
    Session,
)
from sansticket.config.defaults import DEFAULT_CIPHER_SUITES
from tests.interop.wide.traffic_server import start_with
from tests.interop.wide.web import fetch, start_caddy
from tests.support.configs import client_config, server_config
from tests.support.loopback import Line, OurServer, dial
from tests.support.matrix import SMALL, Files
from tests.support.peers import require
from tests.support.wide import temporary

VERSIONS = (ProtocolVersion.TLS_1_3, ProtocolVersion.TLS_1_2)


@pytest.fixture(scope="module")
def keys() -> OpenSSLTicketKeys:
    """The second opens only."""
    return OpenSSLTicketKeys([OpenSSLTicketKey.generate(urandom, 48) for _ in range(2)])


@pytest.fixture(scope="module")
def port(keys: OpenSSLTicketKeys) -> Iterator[int]:
    require("Traffic Server")
    with temporary() as folder, ExitStack() as running:
        (content,) = keys.to_files("traffic_server")
        yield start_with(content, folder, running)


def visit(port: int, config: ClientConfig, session: Session | None = None) -> Line:
    with dial(port, config, session) as line:
        assert fetch(line, SMALL) == SMALL
    return line


def come(server: OurServer, config: ClientConfig, session: Session | None = None) -> Line:
    with dial(server.port, config, session) as line:
        line.close()
    return line


every_version = pytest.mark.parametrize("version", VERSIONS, ids=["1.3", "1.2"])


@every_version
def test_caddy(version: int, files: Files, tmp_path: Path) -> None:
    require("Caddy")
    client = client_config(versions=[version])
    with ExitStack() as running:
        port = start_caddy(files, tmp_path, running)
        stored = CaddyTicketKeys.from_bytes((tmp_path / "caddy/stek/stek.bin").read_bytes())
        assert stored.next_rotation > stored.last_rotation
        config = server_config(versions=[version], ticket_keys=GoTicketKeys(stored.keys, resume_unbound=True))
        first = visit(port, client)
        with OurServer(config) as server:
            assert come(server, client, first.sessions[-1]).resumed
            fresh = come(server, client)
            assert not fresh.resumed
        assert visit(port, client, fresh.sessions[-1]).resumed


@pytest.mark.by_hand
@every_version
def test_traffic_server_both_ways(keys: OpenSSLTicketKeys, port: int, version: int) -> None:
    client = client_config(versions=[version])
    theirs = OpenSSLTicketKeys.from_files("traffic_server", *keys.to_files("traffic_server"))
    context = sha256(b"server.pem").digest()
    suites = [
        CipherSuite.AES_256_GCM_SHA384,
        *DEFAULT_CIPHER_SUITES[2:],
    ]  # what it prefers, or theirs is none for it
    config = server_config(
        versions=[version], ticket_keys=theirs, session_id_context=context, cipher_suites=suites
    )
    first = visit(port, client)
    assert first.sessions[-1].ticket.startswith(keys.keys[0].name)
    with OurServer(config) as server:
        assert come(server, client, first.sessions[-1]).resumed
        fresh = come(server, client)
        assert not fresh.resumed
    assert visit(port, client, fresh.sessions[-1]).resumed


@pytest.mark.by_hand
def test_in_another_context_they_are_none(keys: OpenSSLTicketKeys, port: int) -> None:
    first = visit(port, client_config())
    with OurServer(server_config(ticket_keys=keys, session_id_context=b"another")) as server:
        assert not come(server, client_config(), first.sessions[-1]).resumed
