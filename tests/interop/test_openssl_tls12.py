"""What the ``openssl`` command can do in TLS 1.2 alone: reconnect, move sessions to files, ask for a renegotiation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sansticket.codes import AlertDescription, CipherSuite, ProtocolVersion
from sansticket.events import ConnectionTerminated
from sansticket.tickets.stores.cache import SessionCache
from tests.support.certificates import authority, server_identity
from tests.support.command import Command
from tests.support.configs import client_config, server_config
from tests.support.credentials import server_credential
from tests.support.loopback import Line, OurServer, dial, echo
from tests.support.peers import require

RECONNECTIONS = 5
"""As often ``s_client -reconnect`` comes back."""

BY_TICKET: dict[str, Any] = {}
BY_ID: dict[str, Any] = {"tickets_in_tls12": False}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    require("openssl command")
    (tmp_path / "ca.pem").write_bytes(authority().pem)
    for key in ("p256", "rsa"):
        (tmp_path / f"{key}.pem").write_bytes(server_identity(key).chain_pem + server_identity(key).key_pem)
    return tmp_path


def s_client(folder: Path, port: int, *arguments: str) -> Command:
    return Command(
        *("openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-tls1_2", "-CAfile", folder / "ca.pem"),
        *("-servername", "server.example", "-verify_hostname", "server.example", "-verify_return_error"),
        *arguments,
    )


def s_server(folder: Path, *arguments: str, key: str = "p256") -> Command:
    pem = folder / f"{key}.pem"
    return Command(
        *("openssl", "s_server", "-accept", "127.0.0.1:0", "-tls1_2", "-cert", pem, "-key", pem), *arguments
    )


def port_of(server: Command) -> int:
    return int(server.wait_for("ACCEPT").rpartition(":")[2])


def leave(client: Command) -> None:
    client.type("Q\n")
    assert client.wait_for_end() == 0, client.end


@pytest.mark.parametrize("server", [BY_TICKET, BY_ID], ids=["by ticket", "by id"])
@pytest.mark.parametrize("arguments", [(), ("-no_ticket",)], ids=["takes tickets", "takes none"])
def test_reconnect(folder: Path, server: dict[str, Any], arguments: tuple[str, ...]) -> None:
    config = server_config(session_cache=SessionCache(), **server)
    with OurServer(config) as ours:
        with s_client(folder, ours.port, "-reconnect", *arguments) as client:
            for _ in range(RECONNECTIONS):
                client.wait_for("Reused, TLSv1.2")
            leave(client)
        first, *others = ours.visits()
    assert not first.resumed
    assert len(others) == RECONNECTIONS
    assert all(visit.resumed for visit in others)
    assert {visit.hello.version for visit in others} == {ProtocolVersion.TLS_1_2}


@pytest.mark.parametrize("server", [BY_TICKET, BY_ID], ids=["by ticket", "by id"])
def test_a_session_in_a_file(folder: Path, server: dict[str, Any]) -> None:
    """And it says what is in it: extended master secret, and how long the ticket is good."""
    config = server_config(session_cache=SessionCache(), **server)
    file = str(folder / "session.pem")
    with OurServer(config) as ours:
        with s_client(folder, ours.port, "-sess_out", file) as client:
            client.type("hello\n")
            client.wait_for("hello")
            leave(client)
        assert "New, TLSv1.2" in client.output
        assert "Extended master secret: yes" in client.output
        assert "Secure Renegotiation IS supported" in client.output
        assert ("TLS session ticket lifetime hint: 7200 (seconds)" in client.output) == (not server)
        with s_client(folder, ours.port, "-sess_in", file) as client:
            client.wait_for("Reused, TLSv1.2")
            leave(client)
        assert [visit.resumed for visit in ours.visits()] == [False, True]


@pytest.mark.parametrize(
    ("suite", "name", "key"),
    [
        (CipherSuite.ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, "ECDHE-RSA-CHACHA20-POLY1305", "rsa"),
        (CipherSuite.ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, "ECDHE-ECDSA-AES256-GCM-SHA384", "p256"),
    ],
)
def test_the_client_chooses_the_suite(folder: Path, suite: CipherSuite, name: str, key: str) -> None:
    with OurServer(server_config(credentials=[server_credential(key)])) as ours:
        with s_client(folder, ours.port, "-cipher", name) as client:
            client.wait_for(f"Cipher is {name}")
            leave(client)
        assert [visit.hello.cipher_suite for visit in ours.visits()] == [suite]


def test_the_client_asks_for_a_renegotiation(folder: Path) -> None:
    """It takes our no for the end."""
    with OurServer(server_config()) as ours, s_client(folder, ours.port) as client:
        client.type("hello\n")
        client.wait_for("hello")
        client.type("R\n")
        client.wait_for("no renegotiation")
        assert client.wait_for_end() != 0


def test_the_server_asks_for_a_renegotiation(folder: Path) -> None:
    """It takes our no for the end too."""
    with s_server(folder) as server, dial(port_of(server), client_config()) as line:
        server.type("hello\n")
        assert line.take_until(b"\n") == b"hello\n"
        server.type("r\n")
        line.pump(lambda: line.over)
        end = line.events[-1]
        assert isinstance(end, ConnectionTerminated)
        assert (end.by_peer, end.alert) == (True, AlertDescription.HANDSHAKE_FAILURE)


@pytest.mark.parametrize("arguments", [(), ("-no_ticket",)], ids=["by ticket", "by id"])
@pytest.mark.parametrize("key", ["p256", "rsa"])
def test_our_client_resumes(folder: Path, arguments: tuple[str, ...], key: str) -> None:
    with s_server(folder, "-rev", *arguments, key=key) as server:
        port, session = port_of(server), None
        for turn in range(3):
            with dial(port, client_config(), session) as line:
                assert echo(line, b"abc\n") == b"cba\n"
                line.close()
            assert line.resumed == (turn > 0)
            session = session or session_of(line)
    assert bool(session and session.ticket) == (not arguments)


def session_of(line: Line) -> Any:
    (session,) = line.sessions
    return session
