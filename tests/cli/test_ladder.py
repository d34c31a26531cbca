"""``python -m sansticket ladder``."""

from __future__ import annotations

from pathlib import Path

import pytest

from fuzz.packets import captured, pcapng
from sansticket.debug.key_log import KeyLog
from sansticket.tickets.keys.ring import TicketKey, TicketKeyRing
from tests.captures.talks import NOW, talk
from tests.cli.conftest import Failure, Output


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    keys = TicketKeyRing([TicketKey(bytes(range(16)), bytes(range(32)), 0)])
    lines: list[str] = []
    log = KeyLog()
    log.add = lines.append  # type: ignore[method-assign]  # the lines, for a file
    first, sessions = talk(keys, log=log)
    second, _ = talk(keys, sessions[-1], log=log)
    packets = captured(first, time=NOW).packets
    packets += captured(second, client=("127.0.0.1", 50_001), time=NOW + 1).packets
    packets += captured([("client", b"no TLS at all")], client=("127.0.0.1", 50_002), time=NOW + 2).packets
    (tmp_path / "keys.log").write_text("\n".join(lines))
    (tmp_path / "trace.pcapng").write_bytes(pcapng(packets))
    return tmp_path / "trace.pcapng"


def test_text(output: Output, trace: Path) -> None:
    log = ("--key-log", trace.parent / "keys.log")
    printed = output("ladder", trace, *log, "--width", "80")
    assert sum(line.startswith("connection ") for line in printed) == 2
    assert "accepted: ticket 0, the session is resumed" in printed
    assert not any("a question" in line for line in printed)
    asked = output("ladder", trace, *log, "--secrets", "--connection", "2")
    assert any("a question" in line for line in asked)
    assert sum(line.startswith("connection ") for line in asked) == 1


def test_a_minus_is_standard_output(output: Output, trace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(trace.parent)
    before = sorted(trace.parent.iterdir())
    assert output("ladder", trace, "--output", "-") == output("ladder", trace)
    assert sorted(trace.parent.iterdir()) == before


def test_pictures(output: Output, failure: Failure, trace: Path, tmp_path: Path) -> None:
    log = ("--key-log", trace.parent / "keys.log")
    page = "\n".join(output("ladder", trace, *log, "--format", "html"))
    assert page.count("<section ") == 2
    assert "a question" not in page
    assert output("ladder", trace, *log, "--format", "html", "--output", tmp_path / "ladder.html") == []
    assert (tmp_path / "ladder.html").read_text() == page + "\n"
    picture = "\n".join(output("ladder", trace, *log, "--format", "svg", "--connection", "1"))
    assert picture.startswith("<svg ")
    said = failure("ladder", trace, "--format", "svg")
    assert said == "2 connections, and an SVG has one; expected --connection, or html"
    assert failure("ladder", trace, "--connection", "3") == f"{trace}: no connection with TLS in it"
