"""The probe against five programs and a server of ours: what it finds is what they are known to do."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from examples.ticket_probe import Report, Target, lines, probe
from sansticket import (
    OpenedTicket,
    OpenSSLTicketKey,
    OpenSSLTicketKeys,
    ProtocolVersion,
    SendData,
    ServerConfig,
    SessionCache,
    TicketFlush,
)
from tests.interop.test_haproxy import CONFIGURATION as HAPROXY
from tests.interop.test_key_files import Node
from tests.interop.test_nginx import CONFIGURATION as NGINX
from tests.support.certificates import server_identity
from tests.support.command import PATIENCE, ROOT, Command
from tests.support.configs import server_config
from tests.support.loopback import OurServer, Visit, free_port, wait_for_port
from tests.support.peers import require, tool

TLS13, TLS12 = ProtocolVersion.TLS_1_3, ProtocolVersion.TLS_1_2
KEYS = [OpenSSLTicketKey.generate(os.urandom) for _ in range(3)]


GET = b"GET / HTTP/1.0\r\n\r\n"


def target(port: int, **more: Any) -> Target:
    """A server that closes when it is asked, or by itself: whoever is slow is waited for, and nobody for nothing."""
    told = {"timeout": PATIENCE, "patience": PATIENCE, "request": GET, **more}
    return Target("127.0.0.1", port, "server.example", **told)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "chain.pem").write_bytes(server_identity().chain_pem)
    (tmp_path / "key.pem").write_bytes(server_identity().key_pem)
    (tmp_path / "identity.pem").write_bytes(server_identity().chain_pem + server_identity().key_pem)
    return tmp_path


def both(port: int, **more: Any) -> tuple[Report, Report]:
    return probe(target(port, **more), TLS13), probe(target(port, **more), TLS12)


# What the programs have in common, with the number of tickets after a full handshake and after a resumption.


def expected(report: Report, full: int, resumed: int) -> None:
    assert report.error is None
    assert (report.kind, report.tickets, report.tickets_after_resumption) == ("ticket", full, resumed)
    assert (report.resumed, report.twice) == (True, True)
    assert len(report.sizes) == full
    assert report.key_name is not None


@pytest.mark.parametrize("version", [TLS13, TLS12])
def test_openssl(folder: Path, version: int) -> None:
    require("openssl command")
    option = "-tls1_3" if version == TLS13 else "-tls1_2"
    files = ("-cert", folder / "chain.pem", "-key", folder / "key.pem")
    with Command("openssl", "s_server", "-accept", "127.0.0.1:0", option, *files, "-www") as server:
        port = int(server.wait_for("ACCEPT 127.0.0.1:"))
        report = probe(target(port), version)
        other = probe(target(port), TLS12 if version == TLS13 else TLS13)
    expected(report, *((2, 1) if version == TLS13 else (1, 0)))
    assert (report.lifetime, report.other_name) == (7200, True)
    assert other == Report(error="no handshake: alert received")


def test_gnutls(folder: Path) -> None:
    require("GnuTLS")
    port = free_port()
    files = ("--x509certfile", folder / "chain.pem", "--x509keyfile", folder / "key.pem")
    with Command("gnutls-serv", "--http", "-a", "--port", str(port), *files) as server:
        server.wait_for("IPv4 0.0.0.0 port")
        newer, older = both(port)
    expected(newer, 2, 2)
    expected(older, 1, 0)
    assert newer.other_name


def test_nginx(folder: Path) -> None:
    require("nginx")
    (folder / "ticket.key").write_bytes(KEYS[0].to_bytes())
    settings = (
        f"ssl_certificate {folder}/chain.pem; ssl_certificate_key {folder}/key.pem; "
        f"ssl_session_ticket_key {folder}/ticket.key;"
    )
    port = free_port()
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port, settings=settings, before=""))
    command = (tool("nginx"), "-p", folder, "-c", folder / "nginx.conf", "-e", folder / "log")
    with Command(*command) as server:
        wait_for_port(port, server)
        newer, older = both(port)
        server.signal(signal.SIGTERM)  # not killed: it would leave its worker behind
        server.wait_for_end()
    expected(newer, 2, 1)
    expected(older, 1, 0)
    assert newer.key_name == older.key_name == KEYS[0].name.hex()
    assert newer.lifetime == 300


def test_haproxy(folder: Path) -> None:
    require("haproxy")
    (folder / "keys").write_bytes(OpenSSLTicketKeys(KEYS).to_files("haproxy")[0])
    with socket.create_server(("127.0.0.1", 0)) as listener:
        values = {"folder": folder, "descriptor": listener.fileno(), "patience": int(PATIENCE)}
        (folder / "configuration").write_text(HAPROXY.format(**values))
        command = [tool("haproxy"), "-f", folder / "configuration", "-db", "-q"]
        process = subprocess.Popen(command, pass_fds=[listener.fileno()])
        try:
            newer, older = both(listener.getsockname()[1])
        finally:
            process.terminate()
            process.wait(PATIENCE)
    expected(newer, 2, 0)
    expected(older, 1, 0)
    assert newer.key_name == KEYS[0].name.hex()


def test_node(folder: Path) -> None:
    require("Node.js")
    key = OpenSSLTicketKey.generate(os.urandom, 48)
    with ExitStack() as running:
        newer, older = both(Node().serve(folder, *OpenSSLTicketKeys([key]).to_files("node"), running))
    expected(newer, 2, 0)
    expected(older, 1, 0)
    assert newer.key_name == key.name.hex()


# --- ours, which can do what the others cannot ---------------------------------------------------------------------


def ours(**more: Any) -> ServerConfig:
    return server_config(**{"versions": [TLS13, TLS12], **more})


class Leaving(Visit):
    """Closes after the handshake."""

    def serve(self) -> None:
        self.close()


class Answering(Visit):
    """Answers once, and closes."""

    def serve(self) -> None:
        self.pump(lambda: bool(self.data))
        self.send(SendData(self.take(len(self.data))))
        self.close()


class Server(OurServer):
    visit = Leaving


class AnsweringServer(OurServer):
    visit = Answering


def test_our_server() -> None:
    with Server(ours()) as server:
        newer, older = both(server.port)
    expected(newer, 2, 1)
    expected(older, 1, 0)
    assert (newer.other_name, older.other_name) == (False, False)


def test_sessions_that_are_stored_and_used_once() -> None:
    stored = ours(ticket_keys=None, session_cache=SessionCache(), single_use_tickets=True)
    with Server(stored) as server:
        newer, older = both(server.port)
    assert (newer.kind, newer.resumed, newer.twice, newer.key_name) == ("ticket", True, False, None)
    assert (older.kind, older.tickets, older.resumed, older.twice) == ("id", 0, True, True)
    assert set(newer.sizes) == {32}


def test_no_tickets() -> None:
    with Server(ours(ticket_keys=None)) as server:
        assert both(server.port) == (Report(), Report())
    assert list(lines("TLS 1.3", Report())) == ["TLS 1.3", "  no tickets, no session ids"]


@pytest.mark.parametrize("kept", [True, False])
def test_after_a_rotation(kept: bool) -> None:
    keys = OpenSSLTicketKeys([KEYS[0]])

    def rotate(seconds: float) -> None:
        assert seconds == 5
        keys.replace([KEYS[1], KEYS[0]] if kept else [KEYS[1]])

    with Server(ours(ticket_keys=keys)) as server:
        report = probe(target(server.port), TLS13, 5, rotate)
    assert report.key_name == KEYS[0].name.hex()
    assert (report.later, report.later_key_name) == (kept, KEYS[1].name.hex())


def test_a_server_that_does_not_share_with_itself() -> None:
    """Another key for each connection: a ticket that comes is of none."""

    class Forgetful(OpenSSLTicketKeys):
        def open(self, ticket: bytes, now: float) -> OpenedTicket:
            return OpenedTicket.failed(ticket)

    with Server(ours(ticket_keys=Forgetful([KEYS[0]]))) as server:
        report = probe(target(server.port), TLS13)
    assert (report.resumed, report.twice, report.other_name) == (False, None, None)


def test_several_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of the loopback, and nobody at the second."""

    known = socket.getaddrinfo

    def two(host: str, port: int, *more: Any, **named: Any) -> list[Any]:
        if host != "several.example":
            return known(host, port, *more, **named)
        stream = socket.AF_INET, socket.SOCK_STREAM, 6, ""
        return [(*stream, (address, port)) for address in ("127.0.0.1", "127.0.0.2", "127.0.0.1")]

    with Server(ours()) as server:
        where = target(server.port)
        monkeypatch.setattr(socket, "getaddrinfo", two)
        report = probe(evolve(where, host="several.example"), TLS13)
    assert report.addresses == {"127.0.0.1": True, "127.0.0.2": False}
    assert "  by address                      127.0.0.1 yes, 127.0.0.2 no" in list(lines("TLS 1.3", report))


def test_a_server_that_waits_for_the_client() -> None:
    with AnsweringServer(ours(ticket_flush=TicketFlush.WRITE)) as server:
        silent = probe(target(server.port, patience=0.3, request=b""), TLS13)
        asked = probe(target(server.port, request=b"hello"), TLS13)
    assert silent == Report()
    expected(asked, 2, 1)


def test_nobody_is_there() -> None:
    newer, _ = both(free_port())
    assert newer.error is not None
    assert newer.error.startswith("127.0.0.1: ")


# --- as it is run --------------------------------------------------------------------------------------------------


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "examples.ticket_probe", "127.0.0.1", *arguments]
    command += ["--patience", str(PATIENCE)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=PATIENCE)


def test_text_and_json() -> None:
    with Server(ours(ticket_keys=OpenSSLTicketKeys([KEYS[0]]))) as server:
        port = str(server.port)
        text = run(port, "--name", "server.example")
        found = json.loads(run(port, "--name", "server.example", "--json", "--send", r"x\r\n").stdout)
    assert (text.returncode, text.stderr) == (0, "")
    assert text.stdout.startswith("TLS 1.3\n  resumes by                      ticket\n")
    assert f"  key name                        {KEYS[0].name.hex()}\n" in text.stdout
    assert "  under another server name       no\n" in text.stdout
    assert found["TLS 1.3"]["tickets"] == 2
    assert found["TLS 1.2"]["key_name"] == KEYS[0].name.hex()


def test_a_failure_is_one() -> None:
    failed = run(str(free_port()))
    assert failed.returncode == 1
    assert failed.stdout.count("  error ") == 2
