"""What goes over between programs is explained: OpenSSL's, nginx and Chromium, resumed and not, 1.3 and 1.2."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from sansticket.__main__ import main
from sansticket.library import SSL_SESSIONS
from tests.interop.matrix.test_chromium import FLAGS, trust
from tests.interop.test_nginx import Start, every_version, nginx
from tests.interop.test_openssl_command import Files, files, leave
from tests.support.certificates import authority
from tests.support.command import Command, s_client, s_server
from tests.support.configs import server_config
from tests.support.loopback import OurServer
from tests.support.newer import needs
from tests.support.peers import require
from tests.support.tapped import Tap

__all__ = ["files", "nginx"]  # fixtures

VERSIONS = {"-tls1_3": "TLS 1.3", "-tls1_2": "TLS 1.2"}


def explained(tap: Tap, folder: Path, capsys: pytest.CaptureFixture[str], *more: object) -> list[str]:
    """The lines of ``explain``; whatever it complains of is at their end."""
    path = folder / "trace.pcapng"
    path.write_bytes(tap.capture())
    assert main(["explain", str(path), *map(str, more)]) == 0
    printed = capsys.readouterr()
    return [*printed.out.splitlines(), *printed.err.splitlines()]


@pytest.mark.parametrize("version", VERSIONS)
def test_openssl_with_its_own_key_log(version: str, files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    folder = files.session.parent
    log = folder / "keys.log"
    server = s_server(files.chain, files.key, "-keylogfile", log, version=version)
    with server, Tap(int(server.wait_for("ACCEPT").rpartition(":")[2])) as tap:
        for session in ("-sess_out", "-sess_in"):
            with s_client(tap.port, files.ca, session, files.session, version=version) as client:
                client.type("hello\n")
                client.wait_for("olleh")
                leave(client)
    lines = explained(tap, folder, capsys, "--key-log", log)
    assert not any("not read" in line for line in lines), lines
    assert sum("data: 6 bytes, 'hello\\n'" in line for line in lines) == 2
    assert sum("data: 6 bytes, 'olleh\\n'" in line for line in lines) == 2
    assert sum(line.startswith("accepted: ticket 0") for line in lines) == 1
    (offered,) = [line for line in lines if line.startswith("offered: ")]
    assert ", issued in connection 1" in offered


@needs(SSL_SESSIONS)
@every_version
def test_nginx_with_its_ticket_key(
    version: int, nginx: Start, files: Files, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of TLS 1.2 everything; of TLS 1.3 what is in the tickets that are shown."""
    folder, option = files.session.parent, "-tls1_3" if version == 0x0304 else "-tls1_2"
    key, other = os.urandom(80), os.urandom(80)
    (folder / "ticket.key").write_bytes(key)
    (folder / "other.key").write_bytes(other)
    with Tap(nginx([key])) as tap:
        for session in ("-sess_out", "-sess_in"):
            with s_client(tap.port, files.ca, session, files.session, version=option) as client:
                client.type("GET / HTTP/1.0\r\nHost: server.example\r\n\r\n")
                client.wait_for(". TLSv1", "r TLSv1")  # the page, not what OpenSSL says of the handshake
    lines = explained(tap, folder, capsys, "--ticket-keys", folder / "ticket.key")
    assert sum(line.startswith("accepted: ticket 0") for line in lines) == 1
    (offered,) = [line for line in lines if line.startswith("offered: ")]
    assert "opened: TLS 1." in offered
    requests = sum("data: 40 bytes, 'GET / HTTP" in line for line in lines)
    assert requests == (0 if version == 0x0304 else 2)
    assert ("its binder is right" in offered) == (version == 0x0304)
    lines = explained(tap, folder, capsys, "--ticket-keys", folder / "other.key")
    assert any("no key given opens it" in line for line in lines)


def test_chromium_with_its_key_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for peer in ("Chromium", "NSS"):
        require(peer)
    (tmp_path / "ca.pem").write_bytes(authority().pem)
    trust(tmp_path, tmp_path / "ca.pem")
    log = tmp_path / "keys.log"
    with OurServer(server_config()) as server, Tap(server.port) as tap:
        page = f"https://server.example:{tap.port}/?size=10&times=4&method=POST"
        arguments = [
            *FLAGS,
            f"--user-data-dir={tmp_path}/profile",
            f"--ssl-key-log-file={log}",
            "--dump-dom",
            page,
        ]
        with Command("env", f"HOME={tmp_path}", "chromium", *arguments) as browser:
            assert browser.wait_for_end() == 0, browser.end
    lines = explained(tap, tmp_path, capsys, "--key-log", log)
    assert sum(line.startswith("connection ") for line in lines) >= 2
    assert any("to server.example" in line and "ClientHello" in line for line in lines)
    assert any(re.search(r"data: \d+ bytes, 'POST /", line) for line in lines)
    assert any(line.startswith("accepted: ticket 0") for line in lines), lines
    assert not any("not read" in line for line in lines), lines
