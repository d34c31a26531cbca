"""``python -m sansticket replay``."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from fuzz.packets import captured, pcap
from sansticket.__main__ import main
from sansticket.library import ML_KEM
from tests.cli.conftest import Failure, Output
from tests.replays.test_damaged import sealed
from tests.replays.test_replays import talk


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A server's connection with its secrets."""
    path = tmp_path_factory.mktemp("replay") / "server.replay"
    path.write_bytes(talk()[1].recording.to_bytes())
    return path


def test_it_is_played(output: Output, file: Path) -> None:
    first, *lines, last = output("replay", file)
    steps = int(first.removeprefix("a server, ").removesuffix(" steps"))
    assert last == f"played {steps} steps: the same bytes and events as were noted"
    assert lines[0].split() == ["1", "make", "->", "WaitClientHello"]
    assert any("HandshakeCompleted: full, TLS 1.3" in line for line in lines)
    assert any("DataReceived: 10 bytes" in line for line in lines)
    assert any("encapsulation" in line for line in lines) == ML_KEM.installed
    assert not any("a question" in line for line in lines)
    assert any(b"a question".hex() in line for line in output("replay", file, "--fields"))


def test_recordings_from_standard_input(output: Output, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for command in "replay", "ladder":
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(file.read_bytes())))
        assert output(command, "-") == output(command, file)


def test_a_recording_stands_alone(failure: Failure, file: Path, tmp_path: Path) -> None:
    """And is no capture."""
    trace = tmp_path / "trace.pcap"
    trace.write_bytes(pcap(captured([("client", b"GET / HTTP/1.0")]).packets))
    for more, expected in (
        ((file,), "no other FILE"),
        ((trace,), "no other FILE"),
        (("--sender", "client"), "no --sender"),
        (("--key-log", "keys.log"), "no --key-log"),
        (("--ticket-keys", "current.key"), "no --ticket-keys"),
        (("--connection", "2"), "no --connection"),
    ):
        assert (
            failure("ladder", file, *more) == f"{file}: a recording needs nothing else; expected {expected}"
        )
    assert failure("explain", file) == f"{file}: a recording, which the commands replay and ladder show"


def test_some_steps(output: Output, file: Path) -> None:
    lines = output("replay", file, "--steps", "2-3")
    assert [line.split()[0] for line in lines if "->" in line] == ["2", "3"]
    _, made, played = output("replay", file, "--steps", "1")
    assert "make" in made
    assert played == "played 1 step: the same bytes and events as were noted"


def test_it_is_stripped(output: Output, failure: Failure, file: Path, tmp_path: Path) -> None:
    stripped = tmp_path / "report.replay"
    assert output("replay", file, "--strip", stripped) == []
    assert output("replay", file, "--strip", "-") == stripped.read_text().splitlines()
    first, *notes = output("replay", stripped)
    assert first.startswith("a server, ")
    assert [line for line in notes if line.startswith("note: ")][1].startswith(
        "note: so the connection is not made"
    )
    assert not any(line.startswith("played ") for line in notes)
    page = "\n".join(output("ladder", stripped, "--format", "html"))
    assert "secrets were left out of this file" in page


def test_forward_and_back(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("\nn\nb\nb\nb\n4\nf\n\n?\n999\nq\n\n"))
    assert main(["replay", str(file), "--interactive"]) == 0
    _, told, *lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:2] == ["1", "make"]
    assert lines[1].split()[0] == "2"
    assert lines[2] == "after step 1, WaitClientHello"
    assert lines[3] == "after step 0, not made"
    assert lines[4].startswith("(step -1; expected 0 to ")
    assert lines[5].startswith("after step 4, ")
    assert told in lines[6:]
    assert lines[-1].startswith("(step 999; expected 0 to ")


def test_what_is_typed_may_be_no_text(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xff\n\n"), encoding="utf-8"))
    assert main(["replay", str(file), "--interactive"]) == 0
    *_, told, again, made = capsys.readouterr().out.splitlines()
    assert told == again
    assert made.split()[:2] == ["1", "make"]
    monkeypatch.setattr(sys, "stdin", None)
    assert main(["replay", str(file), "--interactive"]) == 1
    assert capsys.readouterr().err == "sansticket: standard input is closed, or was read already\n"


def test_what_is_wrong_is_said(failure: Failure, refusal: Failure, file: Path, tmp_path: Path) -> None:
    (tmp_path / "torn").write_bytes(file.read_bytes()[:-10])
    assert failure("replay", tmp_path / "torn").startswith(f"{tmp_path / 'torn'}: it has no end")
    assert failure("ladder", tmp_path / "torn").startswith(f"{tmp_path / 'torn'}: it has no end")
    assert "step, or two as 3-7" in refusal("replay", file, "--steps", "3-1")
    assert "step, or two as 3-7" in refusal("replay", file, "--steps", "x")
    assert "--steps and --strip do not go together" in refusal("replay", file, "--steps", "1", "--strip", "x")
    assert "reads standard input" in refusal("replay", "-", "--interactive")


def test_what_came_otherwise(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [json.loads(line) for line in file.read_bytes().splitlines()[:-1]]
    lines[2]["gave"]["state"] = "Elsewhere"
    (tmp_path / "other").write_bytes(sealed(lines))
    assert main(["replay", str(tmp_path / "other")]) == 1
    printed = capsys.readouterr()
    assert "OTHERWISE: its state: noted Elsewhere, came tls13.WaitClientFinished" in printed.out
    assert "came otherwise than it was noted, from step 2: its state" in printed.err


def test_a_file_writes_nothing_to_the_terminal_but_text(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of whatever it says: states, events, numbers, sides, calls."""
    wild = "\x1b[31m"
    lines = [json.loads(line) for line in file.read_bytes().splitlines()[:-1]]
    lines[0]["secrets"] = False
    lines[0]["config"]["side"] = wild
    lines[2]["gave"] = {"state": wild, "events": [[wild, wild, wild]], "raised": wild}
    lines[2]["calls"].append([wild, None])
    for do, given in (("set", wild), ("send", {"!": wild}), ("send", wild)):
        lines.append({"do": do, "with": given, "calls": [], "gave": {"state": wild}})
    (tmp_path / "wild").write_bytes(sealed(lines))
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{len(lines) - 1}\nb\n"))
    forms = (("ladder",), ("ladder", "--format", "svg"), ("replay", "--fields"), ("replay", "--interactive"))
    for command, *options in forms:
        assert main([command, str(tmp_path / "wild"), *options]) == 0
        printed = capsys.readouterr()
        assert all(line.isprintable() for line in printed.out.splitlines() + printed.err.splitlines())


@pytest.mark.parametrize("form", ["text", "svg", "html"])
def test_ladders_of_a_replay(output: Output, file: Path, form: str) -> None:
    """Its key log comes out of the replay."""
    text = "\n".join(output("ladder", file, "--format", form))
    for name in ("{EncryptedExtensions}", "[NewSessionTicket]", "HandshakeCompleted"):
        assert name in text
    assert "(unread)" not in text
    assert "a question" not in text
