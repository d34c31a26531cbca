"""``python -m sansticket explain``: captured bytes in words."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sansticket import Close, SendData, UpdateKeys
from sansticket.__main__ import main
from sansticket.captures.errors import CaptureError
from sansticket.captures.listing import DEEPER, lines, unread
from sansticket.captures.text import read_capture
from sansticket.debug.explain import Side, explain
from sansticket.debug.key_log import KeyLog
from tests.cli.conftest import Failure, Output
from tests.support.configs import client_config, server_config
from tests.support.newer import SHARES
from tests.support.pair import ConnectionPair


class Talk:
    """A connection of ours: what each side sent, all of it in order, and the key log."""

    def __init__(self) -> None:
        self.log: list[str] = []
        pair = ConnectionPair(
            client_config(key_log=self.log.append, padding=lambda length: 5), server_config()
        )
        pair.pump()
        pair.send("client", SendData(b"a question"))
        pair.send("server", UpdateKeys())
        pair.send("server", SendData(b"an answer"))
        pair.send("client", Close())
        self.wire = pair.wire

    def stream(self, side: Side) -> bytes:
        return b"".join(data for sender, data in self.wire if sender == side)


TALK = Talk()


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "client.bin").write_bytes(TALK.stream("client"))
    (tmp_path / "server.bin").write_bytes(TALK.stream("server"))
    (tmp_path / "keys.log").write_text("# a comment\n" + "\n".join(TALK.log) + "\n")
    marks = {"client": ">", "server": "<"}
    text = "".join(f"{marks[sender]} {data.hex(' ')}\n" for sender, data in TALK.wire)
    (tmp_path / "talk.txt").write_text("# both sides\n\n" + text)
    return tmp_path


def told(printed: list[str]) -> list[str]:
    """What was said of the records' contents; the names of extensions stand deeper."""
    return [line.strip() for line in printed if line.startswith(" ") and not line.startswith(DEEPER)]


def test_everything_with_a_key_log(output: Output, files: Path) -> None:
    printed = output("explain", files / "talk.txt", "--key-log", files / "keys.log")
    assert printed[0].startswith("client      0  handshake, ")
    inside = told(printed)
    assert inside[0].startswith("ClientHello, ")
    assert f": to server.example, shares of {SHARES}" in inside[0]
    names = [line.split(",")[0].split(":")[0] for line in inside]
    assert names == [
        *("ClientHello", "ServerHello", "change_cipher_spec", "EncryptedExtensions", "Certificate"),
        *("CertificateVerify", "Finished", "change_cipher_spec", "Finished"),
        *("NewSessionTicket", "NewSessionTicket", "data", "KeyUpdate", "data", "alert"),
    ]
    assert "data: 10 bytes, 'a question'" in inside
    assert inside[-1] == "alert: close_notify"
    assert any(line.endswith("handshake keys") for line in printed)
    assert any(line.endswith("application keys, 5 bytes of padding") for line in printed)
    assert any("application 1 keys" in line for line in printed)


def test_two_streams_say_the_same_as_one_text(output: Output, files: Path) -> None:
    log = ["--key-log", files / "keys.log"]
    together = output("explain", files / "talk.txt", *log)
    apart = output("explain", files / "server.bin", files / "client.bin", *log)
    assert sorted(told(apart)) == sorted(told(together))
    assert [line for line in apart if line.startswith("server")] == [
        line for line in together if line.startswith("server")
    ]


def test_without_a_key_log(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", str(files / "talk.txt")]) == 0
    printed = capsys.readouterr()
    inside = told(printed.out.splitlines())
    assert inside[1].startswith("ServerHello, ")
    assert "(no SERVER_HANDSHAKE_TRAFFIC_SECRET of this connection in the key log)" in inside
    closed = sum(line.startswith("(no ") for line in inside)
    every = sum(line.startswith(("client", "server")) for line in printed.out.splitlines())
    assert printed.err == (
        f"sansticket: {closed} of {every} records not read; a key log opens what is encrypted (--key-log)\n"
    )


def test_a_key_log_of_another_connection(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (files / "other.log").write_text("\n".join(Talk().log))
    assert main(["explain", str(files / "client.bin"), "--key-log", str(files / "other.log")]) == 0
    printed = capsys.readouterr()
    assert printed.err.endswith("records not read\n")


@pytest.mark.parametrize("form", ["raw", "hex", "xxd -p", "colons"])
def test_the_forms_of_a_stream(output: Output, tmp_path: Path, form: str) -> None:
    hello = TALK.wire[0][1]
    forms = {
        "raw": hello,
        "hex": hello.hex().encode(),
        "xxd -p": "\n".join(hello[at : at + 30].hex() for at in range(0, len(hello), 30)).encode() + b"\n",
        "colons": hello.hex(":").upper().encode() + b"   # the client\r\n",
    }
    (tmp_path / "hello").write_bytes(forms[form])
    first, second, *names = output("explain", tmp_path / "hello")
    assert "".join(names).split()[0] == "server_name,"
    assert first == f"client      0  handshake, {len(hello)} bytes"
    assert second.startswith(" " * 17 + f"ClientHello, {len(hello) - 5} bytes: to server.example")


def test_standard_input(output: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(TALK.wire[0][1])))
    assert output("explain", "-")[0].startswith("client")


def test_a_stream_that_does_not_begin_at_the_beginning(
    output: Output, failure: Failure, tmp_path: Path
) -> None:
    (tmp_path / "alert").write_bytes(bytes.fromhex("15030300020228"))
    said = failure("explain", tmp_path / "alert")
    assert said == (
        f"{tmp_path / 'alert'}: it begins neither with a ClientHello nor with a ServerHello; expected to be told "
        "whose it is (--sender)"
    )
    assert output("explain", tmp_path / "alert", "--sender", "server") == [
        "server      0  alert, 7 bytes",
        " " * 17 + "alert: handshake_failure",
    ]


def test_messages_over_several_records() -> None:
    hello = TALK.wire[0][1][5:]
    records = b"".join(
        b"\x16\x03\x01" + len(part).to_bytes(2) + part for part in (hello[:4], hello[4:100], hello[100:])
    )
    printed = list(lines(explain([("client", records)], KeyLog())))
    assert printed[1] == printed[3] == " " * 17 + "(a part of a handshake message)"
    assert printed[5].startswith(" " * 17 + f"ClientHello, {len(hello)} bytes in 3 records: to")


def test_messages_that_do_not_decode() -> None:
    records = explain([("client", bytes.fromhex("1603010004010000 00".replace(" ", "")))], KeyLog())
    assert list(lines(records))[1].startswith(" " * 17 + "ClientHello, 4 bytes: ")
    assert unread(records) == 0


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "nothing in it"),
        (b" \n", "nothing in it"),
        (b"# only a comment\n", "no bytes in it"),
        (b"GET / HTTP/1.1\r\n", "it begins neither"),
        (b"abcdefgh\n", "line 1 is not hexadecimal"),
        (b"16 03\n> what\n", "line 2 is not hexadecimal"),
        (b"160\n", "an odd number of hexadecimal digits before line 2"),
        (b"> 160\n< 16\n", "an odd number of hexadecimal digits before line 3"),
        (b"1603\n", "it begins neither"),
        (b"< 68656c6c6f\n", "no record that can be read: not a TLS record"),
    ],
)
def test_what_is_no_capture(failure: Failure, tmp_path: Path, content: bytes, why: str) -> None:
    (tmp_path / "it").write_bytes(content)
    assert failure("explain", tmp_path / "it").startswith(f"{tmp_path / 'it'}: {why}")


@pytest.mark.parametrize("line", [" " * 100_000 + "x", "a " * 100_000 + "x", "  a" * 100_000 + "?"])
def test_long_lines_are_read_once(line: str) -> None:
    """What takes time with the square of their length would not come to an end here."""
    with pytest.raises(CaptureError, match="line 1 is not hexadecimal"):
        read_capture(line.encode())


def test_a_key_log_with_a_line_that_is_none(
    files: Path, failure: Failure, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is skipped, which is said; the others open what they open."""
    (files / "bad.log").write_text(
        "# fine\nCLIENT_RANDOM zz zz\n" + (files / "keys.log").read_text() + "CLIENT_RAN"
    )
    assert main(["explain", str(files / "talk.txt"), "--key-log", str(files / "keys.log")]) == 0
    expected = capsys.readouterr()
    assert main(["explain", str(files / "talk.txt"), "--key-log", str(files / "bad.log")]) == 0
    printed = capsys.readouterr()
    assert printed.out == expected.out
    first, second = printed.err.splitlines()
    assert expected.err == ""
    assert (
        first
        == f"sansticket: {files / 'bad.log'}: line 2 skipped: a value of CLIENT_RANDOM is not hexadecimal"
    )
    assert second.endswith("skipped: 1 words; expected a label, a client random and a secret")
    assert failure("explain", files / "none").endswith("No such file or directory")


def test_a_wrong_command_line(refusal: Failure) -> None:
    assert "required: FILE" in refusal("explain")
    assert "--sender is for one FILE" in refusal("explain", "a", "b", "--sender", "client")
    assert "invalid choice: 'proxy'" in refusal("explain", "a", "--sender", "proxy")


@given(data=st.binary(max_size=300) | st.text("0123456789abcdef<># \n:", max_size=100).map(str.encode))
@example(b"\x16\x03\x01")
@example(b"<>")
def test_anything_is_a_capture_or_is_not(data: bytes) -> None:
    try:
        pieces = read_capture(data, "client")
    except CaptureError:
        return
    assert all(content for _, content in pieces)
    list(lines(explain(pieces, KeyLog())))


@pytest.mark.parametrize("command", ["session", "explain", "ticket-keys", "fleet"])
def test_help_teaches(capsys: pytest.CaptureFixture[str], command: str) -> None:
    actions = ["make", "names", "rotate", "open"] if command == "ticket-keys" else []
    for arguments in ([], *([action] for action in actions)):
        with pytest.raises(SystemExit) as exit_:
            main([command, *arguments, "--help"])
        assert exit_.value.code == 0
        text = capsys.readouterr().out
        assert "examples:\n  python -m sansticket " in text
        assert max(map(len, text.splitlines())) <= 120
