"""What setup.cfg promises is what the other files test."""

import ast
import configparser
from pathlib import Path

import pytest

import sansticket
from tests.support import peers

ROOT = Path(__file__).parent.parent


def setup_cfg() -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


def entries(text: str) -> list[str]:
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def test_the_lowest_versions_that_are_tested_are_those_that_are_promised() -> None:
    promised = {line.replace(" >= ", "==") for line in entries(setup_cfg()["options"]["install_requires"])}
    tested = set(entries((ROOT / "tests/lowest.txt").read_text()))
    assert tested == promised
    assert {line.partition("==")[0] for line in tested} == {"attrs", "cryptography"}


def test_the_package_is_marked_as_typed() -> None:
    assert (ROOT / "sansticket/py.typed").is_file()
    assert setup_cfg()["options.package_data"]["sansticket"] == "py.typed"


def test_every_room_is_a_package_that_is_shipped() -> None:
    folders = {path.parent for path in (ROOT / "sansticket").rglob("*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").is_file()] == []


def test_a_missing_peer_is_skipped_at_home_and_fails_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(peers.PEERS, "nobody", lambda: False)
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="needs the peer 'nobody'"):
        peers.require("nobody")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="in CI a missing peer is a failure"):
        peers.require("nobody")
    monkeypatch.setitem(peers.PEERS, "nobody", lambda: True)
    peers.require("nobody")


def test_the_front_door_exports_what_it_imports() -> None:
    """Written out, because type checkers read ``__all__`` and do not run it."""
    source = (ROOT / "sansticket/__init__.py").read_text()
    imported = [
        alias.name
        for node in ast.parse(source).body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    ]
    assert set(sansticket.__all__) == {*imported, "__version__"}
    assert all(hasattr(sansticket, name) for name in sansticket.__all__)
