"""Programs of fifteen lines, each the whole of what somebody asks for first."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from runpy import run_path

import pytest

from tests.support.certificates import authority, server_identity
from tests.support.command import ROOT, Command, example
from tests.support.configs import client_config
from tests.support.http_server import http_server
from tests.support.loopback import dial
from tests.support.redis_server import RedisServer
from tests.support.sockets import for_server
from tests.support.vsftpd import CONTENT, vsftpd


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "ca.pem").write_bytes(authority().pem)
    (tmp_path / "chain.pem").write_bytes(server_identity().chain_pem)
    (tmp_path / "key.pem").write_bytes(server_identity().key_pem)
    (tmp_path / "root-secret").write_bytes(bytes(range(32)))
    return tmp_path


def output_of(command: Command) -> str:
    with command:
        assert command.wait_for_end() == 0, command.end
        return command.output


@pytest.mark.parametrize("name", ["ftp_client", "redis_server", "requests_client"])
def test_they_are_short(name: str) -> None:
    """Of what does something: imports and lines that a function begins with are not counted."""
    tree = ast.parse((ROOT / f"examples/{name}.py").read_text())
    lines = {
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.stmt) and not isinstance(node, ast.Import | ast.ImportFrom)
    }
    assert len(lines) - 1 <= 15, "the docstring is one"


@pytest.mark.parametrize("name", sorted(path.stem for path in (ROOT / "examples").glob("*.py")))
def test_without_arguments_they_say_which_they_want(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [name])
    with pytest.raises(SystemExit) as ended:
        run_path(str(ROOT / f"examples/{name}.py"), run_name="__main__")
    if ended.value.code == 2:
        assert f"usage: {name}" in capsys.readouterr().err
    else:
        assert f": python -m examples.{name} " in str(ended.value.code)


def test_requests_over_a_restart(folder: Path) -> None:
    with http_server(for_server("theirs")) as port:
        arguments = (f"https://127.0.0.1:{port}/", folder / "ca.pem", folder / "sessions")
        found = [output_of(example("requests_client", *arguments)) for _ in range(3)]
    assert found == ["full 0\n", "resumed 1\n", "resumed 1\n"]


def test_a_server_with_redis(folder: Path) -> None:
    files = [folder / name for name in ("chain.pem", "key.pem", "root-secret")]
    with RedisServer() as redis, example("redis_server", *files, redis.url) as server:
        port = int(server.wait_for("listening on port"))
        session = None
        for said in (b"full handshake\n", b"resumed\n", b"resumed\n"):
            with dial(port, client_config(), session) as line:
                assert line.take_until(b"\n") == said
                session = line.sessions[0]
        assert redis.client().dbsize() > 0


def test_a_file_of_vsftpd(folder: Path) -> None:
    with vsftpd() as port:
        arguments = ("127.0.0.1", str(port), folder / "ca.pem", "file")
        assert output_of(example("ftp_client", *arguments)).encode() == CONTENT
