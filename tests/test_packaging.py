"""What setup.cfg promises is what the other files test."""

import configparser
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from tests.support import peers
from tests.support.left_out import left_out

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


def test_nothing_but_the_package_is_shipped() -> None:
    """Tests, tools, examples and fuzzers stay in the source; every room of the package is found."""
    wanted = setup_cfg()["options.packages.find"]["include"]
    folders = [path.parent for path in ROOT.glob("*/**/__init__.py")]
    names = {str(folder.relative_to(ROOT)).replace("/", ".") for folder in folders}
    shipped = {name for name in names if fnmatchcase(name, wanted)}
    rooms = {
        str(path.parent.relative_to(ROOT)).replace("/", ".") for path in (ROOT / "sansticket").rglob("*.py")
    }
    assert shipped == rooms


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


def test_what_was_left_out_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(peers.PEERS, "nobody", lambda: False)
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception) as skipped:
        peers.require("nobody")
    reason = f"Skipped: {skipped.value.msg}"
    skips = [reason, reason, "Skipped: no /dev/full"]
    assert left_out(
        skips, "not matrix", ignored=["tests/typing", "tests/docs", "tests/fleet"], quick=True
    ) == [
        "2 tests with nobody, which is not on this machine",
        "1 test: no /dev/full",
        "tests/docs, tests/fleet: tox -e rest",
        "what the package looks like to two type checkers: tox -e types",
        "our client and server with every other implementation: tox -e interop,interop-wide",
        "three quarters of hypothesis' examples and of the scenarios for libssl: tox -e thorough",
    ]
    assert left_out([]) == []
