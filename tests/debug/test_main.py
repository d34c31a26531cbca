"""The command line does what its help says, and fails as it says."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from sansticket import Credential, __version__
from sansticket.__main__ import INTERRUPTED, main, parser
from sansticket.debug import states
from sansticket.debug.model import document
from sansticket.testing import PrivateAuthority
from tests.support.command import PATIENCE, ROOT

Output = Callable[..., list[str]]


@pytest.fixture
def output(capsys: pytest.CaptureFixture[str]) -> Output:
    """Runs a command that works; the lines that it prints."""

    def run(*arguments: str) -> list[str]:
        assert main(arguments) == 0
        printed = capsys.readouterr()
        assert printed.err == ""
        return printed.out.splitlines()

    return run


def figures(lines: list[str]) -> dict[str, tuple[int, int]]:
    """The table at the end of the demo."""
    rows = (re.fullmatch(r"(\D+?) +(\d+) +(\d+)", line) for line in lines)
    return {row[1]: (int(row[2]), int(row[3])) for row in rows if row}


def count(lines: list[str], text: str) -> int:
    return sum(text in line for line in lines)


def test_the_demo_as_a_program() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "sansticket", "demo"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert run.stderr == ""
    assert run.returncode == 0
    lines = run.stdout.splitlines()
    assert max(map(len, lines)) == 80
    assert run.stdout.isascii()
    assert count(lines, "* TicketIssued") == 3
    assert count(lines, "* TicketReceived") == 3
    assert count(lines, "* DataReceived") == 4
    assert count(lines, "* HandshakeCompleted: resumed") == 2
    table = figures(lines)
    assert table["tickets"] == (2, 1)
    assert table["signatures"] == table["certificate chains"] == (1, 0)
    full, resumed = table["bytes from the server"]
    assert resumed < full


@pytest.mark.parametrize(("asked", "told"), [(0, []), (1, [(1, 1)]), (5, [(5, 1)])])
def test_the_number_of_tickets(output: Output, asked: int, told: list[tuple[int, int]]) -> None:
    lines = output("demo", "--tickets", str(asked))
    assert [figures(lines)["tickets"]] == told if told else "tickets" not in figures(lines)
    assert ("No ticket, no resumption: the next connection would look the same." in lines) == (asked == 0)


def test_a_retry(output: Output) -> None:
    lines = output("demo", "--retry")
    assert count(lines, "HelloRetryRequest: a share of SECP384R1 please") == 2
    assert figures(lines)["handshake messages"] == (11, 8)


def test_a_client_certificate(output: Output) -> None:
    lines = output("demo", "--client-certificate")
    assert figures(lines)["signatures"] == (2, 0)
    assert count(lines, "{CertificateRequest}") == 1


def test_tls_1_2(output: Output) -> None:
    lines = output("demo", "--tls", "1.2")
    assert count(lines, "* HandshakeCompleted: full, TLS 1.2,") == 2
    assert count(lines, "* HandshakeCompleted: resumed, TLS 1.2,") == 2
    assert count(lines, "ClientHello: to server.example, ALPN demo/1, 1 ticket") == 1
    table = figures(lines)
    assert table["handshake messages"] == (9, 4)
    assert table["signatures"] == table["tickets"] == (1, 0)


@pytest.mark.parametrize("width", [60, 100])
def test_the_width(output: Output, width: int) -> None:
    assert max(map(len, output("demo", "--width", str(width)))) == width


@pytest.mark.parametrize(("columns", "width"), [("20", 80), ("90", 90), ("300", 100)])
def test_the_width_of_the_terminal(monkeypatch: pytest.MonkeyPatch, columns: str, width: int) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert parser().parse_args(["demo"]).width == width


def test_states(output: Output) -> None:
    assert output("states", "server") == list(states.mermaid("server"))
    assert output("states", "client", "--format", "dot") == list(states.dot("client"))
    assert output("states") == [*states.mermaid("client"), *states.mermaid("server")]
    assert output("states", "--format", "markdown") == list(states.page())
    assert json.loads("\n".join(output("states", "--format", "json"))) == json.loads(json.dumps(document()))
    assert json.loads("\n".join(output("states", "client", "--format", "json"))).keys() == {
        "format",
        "client",
    }


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["demos"], "invalid choice: 'demos'"),
        (["demo", "--tickets", "101"], "argument --tickets: '101'; expected an integer from 0 to 100"),
        (["demo", "--tickets", "two"], "argument --tickets: 'two'; expected an integer from 0 to 100"),
        (["demo", "--width", "59"], "argument --width: '59'; expected an integer from 60 to 500"),
        (
            ["ladder", "x", "--width", "999999999"],
            "argument --width: '999999999'; expected an integer from 60 to",
        ),
        (["demo", "--tls", "1.1"], "argument --tls: invalid choice: '1.1'"),
        (["states", "proxy"], "invalid choice: 'proxy'"),
        (["states", "--format", "png"], "invalid choice: 'png'"),
    ],
)
def test_a_wrong_command_line_exits_with_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str], complaint: str
) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert exit_.value.code == 2
    assert complaint in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--help"], ["demo", "--help"], ["states", "--help"]])
def test_help_teaches(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert exit_.value.code == 0
    text = capsys.readouterr().out
    assert "python -m sansticket" in text
    for word in (r"Exit codes: 0",) if len(arguments) == 1 else ("examples:", "options:"):
        assert word in text


def test_what_goes_wrong_is_said_on_standard_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def untrusting(self: PrivateAuthority, *names: str, client: bool = False) -> Credential:
        stranger = ec.generate_private_key(ec.SECP256R1())  # not the root's
        return issue(PrivateAuthority(self.certificate, stranger), *names, client=client)

    issue = PrivateAuthority.issue
    monkeypatch.setattr(PrivateAuthority, "issue", untrusting)
    assert main(["demo"]) == 1
    printed = capsys.readouterr()
    assert printed.err.startswith("sansticket: the handshake failed: ")
    assert printed.out == ""


def test_a_reader_that_has_enough(tmp_path: Path) -> None:
    """As in ``python -m sansticket demo | head -1``: no traceback."""
    command = f"{sys.executable} -m sansticket demo --tickets 100; echo $? > {tmp_path}/code"
    script = f"({command}) 2> {tmp_path}/errors | head -n 1"
    subprocess.run(["sh", "-c", script], cwd=ROOT, check=True, capture_output=True, timeout=PATIENCE)
    assert (tmp_path / "errors").read_text() == ""
    assert (tmp_path / "code").read_text().strip() in ("0", "1")


@pytest.mark.parametrize(
    ("script", "code", "said"),
    [
        ("{python} states >&-", 1, "sansticket: standard output is closed\n"),
        ("{python} ticket-keys make - >&-", 1, "sansticket: standard output is closed\n"),
        ("{python} session - <&-", 1, "sansticket: standard input is closed, or was read already\n"),
        ("{python} explain - - </dev/null", 1, "sansticket: -: nothing in it\n"),
        ("{python} states >/dev/full", 1, "sansticket: standard output: No space left on device\n"),
        (
            "{python} ticket-keys make - >/dev/full",
            1,
            "sansticket: standard output: No space left on device\n",
        ),
        ("{python} session ''", 1, "sansticket: a file without a name: Is a directory\n"),
    ],
)
def test_files_that_are_closed_or_full(script: str, code: int, said: str) -> None:
    if "/dev/full" in script and not Path("/dev/full").exists():
        pytest.skip("no /dev/full, which only Linux has")
    command = script.format(python=f"{sys.executable} -m sansticket")
    run = subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)
    assert (run.returncode, run.stderr) == (code, said)


@pytest.mark.parametrize(
    ("script", "code", "begins"),
    [
        ("{python} session nowhere", 1, b""),
        ("printf '%s\n' 16030100050100000178 | {python} explain - --key-log pyproject.toml", 0, b"client  "),
    ],
    ids=["what went wrong", "a remark"],
)
def test_what_is_for_standard_error_is_not_in_the_output(script: str, code: int, begins: bytes) -> None:
    """Where standard error is closed it goes nowhere."""
    command = "{ " + script.format(python=f"{sys.executable} -m sansticket") + "; } 2>&-"
    run = subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True, timeout=PATIENCE)
    assert (run.returncode, run.stderr) == (code, b"")
    assert run.stdout.startswith(begins)
    assert b"sansticket:" not in run.stdout


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_what_the_output_has_no_characters_for_is_escaped(
    encoding: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A terminal in another encoding than UTF-8, and the name of a folder that is in none."""
    folder = tmp_path / os.fsdecode(b"\xff")
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("a file system whose names are Unicode")
    for command, expected in (
        (["certificates", "localhost", "--folder", str(folder)], b"\\udcff/ca.pem: "),
        (["states", "--format", "markdown"], " \N{RIGHTWARDS ARROW} ".encode(encoding, "backslashreplace")),
    ):
        written = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding=encoding))
        assert main(command) == 0
        assert expected in written.getvalue()


def test_standard_input_can_be_read_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(bytes(80))))
    assert main(["ticket-keys", "names", "-", "-"]) == 1
    assert capsys.readouterr().err == "sansticket: standard input is closed, or was read already\n"


def test_whoever_has_enough_of_waiting() -> None:
    """Control-C while it waits for standard input: no traceback."""
    command = [sys.executable, "-m", "sansticket", "session", "-"]
    with heeding_interrupts():
        run = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    with run:
        wait_until_reading(run)
        run.send_signal(signal.SIGINT)
        _, said = run.communicate(timeout=PATIENCE)
    assert (run.returncode, said) == (INTERRUPTED, b"")


@contextmanager
def heeding_interrupts() -> Iterator[None]:
    """What is started within has Control-C as at a terminal, even if we run where it is ignored (in a script's
    background, under nohup): whoever is started inherits that, but no function."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def wait_until_reading(run: subprocess.Popen[bytes]) -> None:
    """Write more than a pipe holds: when that is done, it has been read from."""
    assert run.stdin is not None
    run.stdin.write(bytes(1 << 20))
    run.stdin.flush()


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["--version"])
    assert exit_.value.code == 0
    assert capsys.readouterr().out == f"sansticket {__version__}\n"
