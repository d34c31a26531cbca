"""``python -m sansticket explain`` of files with packets."""

from __future__ import annotations

from pathlib import Path

import pytest

from fuzz.packets import Talk, captured, pcap, pcapng
from sansticket import OpenSSLTicketKeys, ProtocolVersion
from sansticket.__main__ import main
from sansticket.debug.key_log import KeyLog
from sansticket.library import SSL_SESSIONS
from sansticket.tickets.keys.openssl import OpenSSLTicketKey
from sansticket.tickets.keys.ring import TicketKey, TicketKeyRing
from tests.captures.talks import NOW, talk
from tests.cli.conftest import Failure, Output
from tests.support.newer import needs

NATIVE = TicketKey(bytes(range(16)), bytes(range(32)), 0)


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """A full handshake, its resumption, and something that is no TLS; ``keys`` has the ticket key."""
    keys = TicketKeyRing([NATIVE])
    first, sessions = talk(keys, version=ProtocolVersion.TLS_1_2)
    second, _ = talk(keys, sessions[-1], version=ProtocolVersion.TLS_1_2)
    packets = captured(first, time=NOW).packets
    packets += captured(second, client=("127.0.0.1", 50_001), time=NOW + 1).packets
    packets += captured(
        [("client", b"GET / HTTP/1.0\r\n\r\n")], client=("127.0.0.1", 50_002), time=NOW
    ).packets
    (tmp_path / "keys").write_bytes(NATIVE.name + NATIVE.secret)
    path = tmp_path / "trace.pcapng"
    path.write_bytes(pcapng(packets))
    return path


def test_several_connections(output: Output, trace: Path) -> None:
    keys = ("--ticket-keys", trace.parent / "keys", "--program", "sansticket")
    printed = output("explain", trace, *keys)
    heads = [line for line in printed if line.startswith("connection ")]
    assert [line.split(", ")[0] for line in heads] == [
        f"connection {number}: 127.0.0.1:{49_999 + number} -> 127.0.0.1:443" for number in (1, 2, 3)
    ]
    assert printed[-1] == "note: no TLS in its 18 bytes"
    assert "accepted: ticket 0, the session is resumed" in printed
    assert sum("data: 10 bytes, 'a question'" in line for line in printed) == 2
    second = output("explain", trace, *keys, "--connection", "2")
    assert second == printed[printed.index(heads[1]) : printed.index(heads[2])]
    assert any("issued in connection 1" in line for line in second)


@needs(SSL_SESSIONS)
def test_key_files_of_openssl(output: Output, tmp_path: Path) -> None:
    key = OpenSSLTicketKey(bytes(range(16)), bytes(range(32)), bytes(range(32)))
    wire, _ = talk(OpenSSLTicketKeys([key]), version=ProtocolVersion.TLS_1_2)
    (tmp_path / "trace.pcap").write_bytes(pcap(captured(wire).packets))
    (tmp_path / "other.key").write_bytes(bytes(80))
    (tmp_path / "current.key").write_bytes(key.name + key.hmac_key + key.aes_key)
    both = ("--ticket-keys", tmp_path / "other.key", "--ticket-keys", tmp_path / "current.key")
    assert any("'a question'" in line for line in output("explain", tmp_path / "trace.pcap", *both))


def test_a_key_log_in_the_file_is_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = ["no line of a key log"]
    log = KeyLog()
    log.add = lines.append  # type: ignore[method-assign]  # the lines, for a file
    wire, _ = talk(TicketKeyRing([NATIVE]), log=log)
    path = tmp_path / "trace.pcapng"
    path.write_bytes(pcapng(captured(wire).packets, key_log="\n".join(lines)))
    assert main(["explain", str(path)]) == 0
    printed = capsys.readouterr()
    assert "data: 10 bytes, 'a question'" in printed.out
    assert printed.err.splitlines() == [
        f"sansticket: {path}: it has a key log in it, which is used: whoever gets the file can read these connections",
        f"sansticket: {path}: the key log in it: line 1 skipped: 6 words; expected a label, a client random and a "
        "secret",
    ]
    wrong = tmp_path / "keys.log"
    wrong.write_text("\n".join(line[:-64] + "00" * 32 for line in lines[1:]))
    assert main(["explain", str(path), "--key-log", str(wrong)]) == 0
    assert "'a question'" not in capsys.readouterr().out, "the key log that was given comes first"


def test_what_is_wrong_is_said(
    failure: Failure, refusal: Failure, trace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        failure("explain", trace, trace) == f"{trace}: a capture has both directions; expected no other FILE"
    )
    assert failure("explain", trace, "--sender", "client").endswith("expected no --sender")
    assert failure("explain", trace, "--connection", "4") == f"--connection 4: {trace} has 3 of them"
    empty = tmp_path / "empty.pcap"
    empty.write_bytes(pcap([]))
    assert failure("explain", empty) == f"{empty}: no TCP connection with data in it"
    (tmp_path / "hello").write_bytes(b"\x16\x03\x01\0\x05\x01\0\0\x01x")
    said = failure("explain", tmp_path / "hello", "--connection", "2")
    assert said.endswith("hello has the bytes of one connection")
    (tmp_path / "short").write_bytes(b"too short")
    said = failure("explain", trace, "--ticket-keys", tmp_path / "short", "--program", "go")
    assert said == f"{tmp_path / 'short'} has 9 bytes; expected a key of 32"
    said = failure("explain", trace, "--ticket-keys", tmp_path / "short", "--program", "nginx")
    assert "expected a key of 48 or 80 bytes" in said
    assert "--program is for --ticket-keys" in refusal("explain", trace, "--program", "go")


def test_a_damaged_file_is_read_as_far_as_it_goes(trace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trace.write_bytes(trace.read_bytes()[:-7])
    assert main(["explain", str(trace)]) == 0
    printed = capsys.readouterr()
    assert f"sansticket: {trace}: it ends amid a packet\n" in printed.err
    assert printed.out.startswith("connection 1: ")


def test_bytes_that_are_missing_are_said(output: Output, tmp_path: Path) -> None:
    made = Talk()
    made.open()
    made.say("client", b"\x16\x03\x01\0\x05\x01\0\0\x01x" * 2, 10)
    del made.packets[2]
    (tmp_path / "trace").write_bytes(pcap(made.packets))
    printed = output("explain", tmp_path / "trace")
    assert printed[-1].startswith("note: of the client bytes 0 to 9 are not in the capture")
