"""``python -m sansticket ticket-keys`` with keys that are not of OpenSSL's kind."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from attrs import evolve

from sansticket import CaddyTicketKeys, CipherSuite, GoTicketKey, GoTicketKeys
from sansticket.command.other_keys import OTHERS, read_others
from sansticket.command.sight import arguments
from sansticket.command.sight.openers import read_opener
from sansticket.tickets.keys.ring import TicketKey, TicketKeyRing
from tests.cli.conftest import Failure, Output
from tests.support.edits import flipped
from tests.support.sessions import NOW, ORDINARY
from tests.tickets.test_gnutls_keys import PLAINTEXTS, SECRET, ticket_of
from tests.tickets.test_go_keys import STEK

FRESH = evolve(ORDINARY, issued_at=float(int(time.time())))


def of_go(content: bytes) -> bytes:
    keys = GoTicketKeys([GoTicketKey(content)])
    return keys.seal(keys.codec.encode(FRESH), time.time(), os.urandom)


def of_ours(content: bytes) -> bytes:
    keys = TicketKeyRing([TicketKey(content[:16], content[16:], 0.0)])
    return keys.seal(keys.codec.encode(FRESH), time.time(), os.urandom)


SEALED: dict[str, Callable[[bytes], bytes]] = {"go": of_go, "sansticket": of_ours}


@pytest.mark.parametrize(
    ("program", "size", "described"),
    [
        ("go", 32, "32 bytes, AES-128  seals and opens"),
        ("gnutls", 64, "another name in each period  64 bytes, AES-256  seals and opens"),
        ("sansticket", 48, "48 bytes  seals and opens"),
    ],
)
def test_a_new_key(output: Output, tmp_path: Path, program: str, size: int, described: str) -> None:
    file = tmp_path / "new.key"
    (line,) = output("ticket-keys", "make", file, "--program", program)
    assert line.endswith(described)
    assert output("ticket-keys", "names", file, "--program", program) == [line]
    made = file.read_bytes()
    assert len(made) == size
    assert file.stat().st_mode & 0o777 == 0o600
    assert made.hex() not in line, "secrets are not shown"
    output("ticket-keys", "make", tmp_path / "other.key", "--program", program)
    assert (tmp_path / "other.key").read_bytes() != made


@pytest.mark.parametrize("program", SEALED)
def test_which_key_opens_a_ticket(output: Output, failure: Failure, tmp_path: Path, program: str) -> None:
    files = [tmp_path / name for name in ("current.key", "previous.key")]
    for file in files:
        output("ticket-keys", "make", file, "--program", program)
    names = output("ticket-keys", "names", *files, "--program", program)
    assert [line.rpartition("  ")[2] for line in names] == ["seals and opens", "opens"]
    for file, seals in zip(files, ("and seals", "but does not seal, so it would be renewed"), strict=True):
        ticket = SEALED[program](file.read_bytes())
        lines = output("ticket-keys", "open", ticket.hex(), *files, "--program", program)
        assert lines[0].endswith(f": the key in {file} opens it, {seals}")
        assert any("TLS 1.3" in line for line in lines)
        said = failure("ticket-keys", "open", flipped(ticket, -1).hex(), *files, "--program", program)
        assert ": no key opens it; by its layout it is" in said


def test_the_storage_of_caddy(output: Output, tmp_path: Path) -> None:
    stek = tmp_path / "stek.bin"
    stek.write_bytes(STEK)
    (key,) = CaddyTicketKeys.from_bytes(STEK).keys
    (line,) = output("ticket-keys", "names", stek, "--program", "caddy")
    assert line.endswith(f"{key.name.hex()}  32 bytes, AES-128  seals and opens")
    lines = output("ticket-keys", "open", of_go(key.secret).hex(), stek, "--program", "caddy")
    assert lines[0].endswith(f": the key in {stek} opens it, and seals")


@pytest.mark.parametrize("period", [3 * 3600, 18 * 3600])
@pytest.mark.parametrize("suite", PLAINTEXTS)
def test_tickets_of_gnutls(output: Output, tmp_path: Path, suite: CipherSuite, period: int) -> None:
    """Of servers whose sessions live an hour, or six, in this period and the one before."""
    (tmp_path / "key").write_bytes(SECRET)
    for number in (int(time.time()) // period, int(time.time()) // period - 1):
        ticket = ticket_of(bytes.fromhex(PLAINTEXTS[suite][0]), number)
        lines = output("ticket-keys", "open", ticket.hex(), tmp_path / "key", "--program", "gnutls")
        assert lines[0].endswith(f": the key in {tmp_path / 'key'} opens it, and seals")
        assert any(suite.name in line for line in lines)


def test_a_ticket_of_gnutls_that_is_not_read(failure: Failure, tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(SECRET)
    ticket = ticket_of(b"\xfa\xe1\xc1\xe6" * 16, int(time.time()) // 10_800)
    said = failure("ticket-keys", "open", ticket.hex(), tmp_path / "key", "--program", "gnutls")
    assert "opens it, but it holds no session of ours: a session of TLS 1.2, or of another hash" in said


def test_explain_takes_all_of_them() -> None:
    assert tuple(OTHERS) == arguments.OTHERS


@pytest.mark.parametrize("program", OTHERS)
def test_captures_are_opened_with_them_too(program: str) -> None:
    kind = OTHERS[program]
    content = STEK if program == "caddy" else SECRET[: kind.size]
    ticket = {
        "go": lambda: of_go(content),
        "caddy": lambda: of_go(CaddyTicketKeys.from_bytes(content).keys[0].secret),
        "gnutls": lambda: ticket_of(bytes.fromhex(next(iter(PLAINTEXTS.values()))[0]), int(NOW) // 10_800),
        "sansticket": lambda: of_ours(content),
    }[program]()
    opener = read_opener([("file", content)], program)
    assert opener.open(ticket, NOW) is not None
    assert opener.open(flipped(ticket, -1), NOW) is None


@pytest.mark.parametrize(("program", "size"), [("go", 32), ("gnutls", 64), ("sansticket", 48)])
def test_a_key_of_zeros(program: str, size: int) -> None:
    ((_, text),) = read_others([("key", bytes(size))], program).rows()
    assert "; ALL ZEROS: anybody can make and read its tickets" in text


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["names", "short", "--program", "go"], "has 31 bytes; expected a key of 32"),
        (["names", "short", "--program", "gnutls"], "has 31 bytes; expected a key of 64"),
        (["names", "short", "--program", "caddy"], "short: content: not Caddy's stek.bin: "),
        (["make", "new", "--program", "caddy"], "caddy makes its keys itself"),
        (["make", "new", "--program", "go", "--size", "48"], "--size: go's keys have 32 bytes"),
    ],
)
def test_what_is_no_key(failure: Failure, tmp_path: Path, arguments: list[str], why: str) -> None:
    (tmp_path / "short").write_bytes(bytes(31))
    action, name, *rest = arguments
    assert why in failure("ticket-keys", action, tmp_path / name, *rest)
    assert not (tmp_path / "new").exists()
