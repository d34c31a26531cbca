"""``python -m sansticket ticket-keys``: key files are made, rotated, named, and tried on tickets."""

from __future__ import annotations

import base64
import errno
import hashlib
import hmac
import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from attrs import evolve
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from sansticket import GoTicketKey, OpenSSLTicketKey, OpenSSLTicketKeys, Session, TicketStatus
from sansticket.__main__ import main
from sansticket.command.key_files import KeyFiles, read_keys
from sansticket.command.key_rotation import rotate
from sansticket.command.ticket_layouts import opens_under_zeros
from sansticket.library import SSL_SESSIONS
from sansticket.tickets.keys.ring import TicketKey
from sansticket.tickets.keys.windowed import WindowedTicketKeys
from tests.cli.conftest import Failure, Output
from tests.support.command import PATIENCE, ROOT
from tests.support.edits import flipped
from tests.support.newer import needs, require
from tests.support.sessions import NOW, ORDINARY, ORDINARY_12, repeatable_entropy


def content(number: int, size: int = 80) -> bytes:
    return repeatable_entropy(number)(size)


def name(number: int) -> str:
    return content(number)[:16].hex()


@pytest.fixture
def files(tmp_path: Path) -> Path:
    for number, file in enumerate(("current.key", "previous.key", "next.key")):
        (tmp_path / file).write_bytes(content(number))
    return tmp_path


def sealed(key: bytes, session: Session = ORDINARY) -> bytes:
    require(SSL_SESSIONS)
    keys = OpenSSLTicketKeys.from_files("nginx", key)
    return keys.seal(keys.codec.encode(session), NOW, os.urandom)


# --- make ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "bits"), [(80, 256), (48, 128)])
def test_a_new_key(output: Output, tmp_path: Path, size: int, bits: int) -> None:
    file = tmp_path / "new.key"
    (line,) = output("ticket-keys", "make", file, "--size", size)
    made = file.read_bytes()
    assert len(made) == size
    assert line == f"  {file}  {made[:16].hex()}  {size} bytes, AES-{bits}  seals and opens"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    other = tmp_path / "other.key"
    output("ticket-keys", "make", other)
    assert other.read_bytes() != made


def test_a_new_file_for_haproxy(output: Output, tmp_path: Path) -> None:
    file = tmp_path / "keys.txt"
    lines = output("ticket-keys", "make", file, "--haproxy")
    assert [len(base64.b64decode(line)) for line in file.read_bytes().splitlines()] == [80, 80, 80]
    roles = ["seals and opens", "opens; seals after the next rotation", "opens"]
    for line, key, role in zip(
        lines, OpenSSLTicketKeys.from_haproxy(file.read_bytes()).keys, roles, strict=True
    ):
        assert line.endswith(f"{key.name.hex()}  80 bytes, AES-256  {role}")


def test_no_file_is_overwritten(failure: Failure, files: Path) -> None:
    assert failure("ticket-keys", "make", files / "current.key") == f"{files / 'current.key'} exists already"
    assert (files / "current.key").read_bytes() == content(0)


def test_a_file_that_was_left_half_done(failure: Failure, output: Output, tmp_path: Path) -> None:
    (tmp_path / "k.new").write_bytes(b"")
    said = failure("ticket-keys", "make", tmp_path / "k")
    assert said == f"{tmp_path / 'k.new'} exists: somebody writes {tmp_path / 'k'} now, or was interrupted"
    (tmp_path / "k.new").unlink()
    output("ticket-keys", "make", tmp_path / "k")


def test_a_file_that_cannot_be_put_in_its_place(
    failure: Failure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(source: str, target: str) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", full)
    assert failure("ticket-keys", "make", tmp_path / "k") == f"{tmp_path / 'k'}: No space left on device"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [["-"], ["{current}", "--next", "-"]])
def test_a_rotation_needs_files(failure: Failure, files: Path, arguments: list[str]) -> None:
    named = [argument.format(current=files / "current.key") for argument in arguments]
    assert "standard input is none" in failure("ticket-keys", "rotate", *named)


def test_a_new_key_on_standard_output() -> None:
    command = [sys.executable, "-m", "sansticket", "ticket-keys", "make", "-"]
    run = subprocess.run(command, capture_output=True, cwd=ROOT, timeout=PATIENCE)
    assert (run.returncode, run.stderr, len(run.stdout)) == (0, b"", 80)


# --- names ---------------------------------------------------------------------------------------------------


def test_names(output: Output, files: Path) -> None:
    (files / "previous.key").write_bytes(content(1, 48))
    lines = output("ticket-keys", "names", files / "current.key", files / "previous.key")
    assert lines == [
        f"  {files / 'current.key'}   {name(0)}  80 bytes, AES-256  seals and opens",
        f"  {files / 'previous.key'}  {name(1)}  48 bytes, AES-128  opens",
    ]
    shown = "\n".join(lines)
    assert not any(content(number)[16:32].hex() in shown for number in (0, 1))


def test_the_name_of_a_file_is_printable(output: Output, tmp_path: Path) -> None:
    file = tmp_path / "\x1b[31mred\n.key"
    file.write_bytes(content(1))
    for line in (
        *output("ticket-keys", "names", file),
        *output("ticket-keys", "open", sealed(content(1)).hex(), file),
    ):
        assert line.isprintable()
    assert any("\\x1b[31mred\\n.key" in line for line in output("ticket-keys", "names", file))


@pytest.mark.parametrize(
    ("contents", "why"),
    [
        ([b""], "has 0 bytes; expected a key of 48 or 80 bytes, or haproxy's file"),
        ([bytes(79)], "has 79 bytes"),
        ([content(0), bytes(81)], "has 81 bytes; expected a key of 48 or 80 bytes"),
        ([content(0), content(0)], "two keys have the same name"),
        ([base64.b64encode(content(0)) + b"\n"], "1 in the file; haproxy expects at least 3"),
        ([base64.b64encode(content(0)) + b"\n" * 3, content(1)], "expected a key of 48 or 80 bytes"),
        ([(base64.b64encode(content(0)) + b"\n") * 3], "two keys have the same name"),
        ([b"not base64, but text\n"], "line 1"),
    ],
)
def test_what_is_no_key_file(failure: Failure, tmp_path: Path, contents: list[bytes], why: str) -> None:
    paths = []
    for number, each in enumerate(contents):
        paths.append(tmp_path / str(number))
        paths[-1].write_bytes(each)
    assert why in failure("ticket-keys", "names", *paths)


# --- rotate --------------------------------------------------------------------------------------------------


def test_rotation_on_one_server(output: Output, files: Path) -> None:
    current, previous = files / "current.key", files / "previous.key"
    lines = output("ticket-keys", "rotate", current, previous)
    new = current.read_bytes()
    assert len(new) == 80
    assert new not in (content(0), content(1))
    assert previous.read_bytes() == content(0)
    assert lines == [
        f"  {current}   {new[:16].hex()}  80 bytes, AES-256  seals and opens",
        f"  {previous}  {name(0)}  80 bytes, AES-256  opens",
        f"  forgotten: {name(1)}; its tickets open no more",
    ]
    assert {stat.S_IMODE(file.stat().st_mode) for file in (current, previous)} == {0o600}
    assert sorted(file.name for file in files.iterdir()) == ["current.key", "next.key", "previous.key"]


def test_rotation_in_a_fleet(output: Output, files: Path) -> None:
    """The key that seals now was known to everybody before."""
    current, previous, coming = (files / f"{name}.key" for name in ("current", "previous", "next"))
    lines = output("ticket-keys", "rotate", current, previous, "--next", coming)
    assert current.read_bytes() == content(2)
    assert previous.read_bytes() == content(0)
    assert coming.read_bytes() not in (content(0), content(1), content(2))
    assert [line.split("  ")[-1] for line in lines[:3]] == [
        "seals and opens",
        "opens",
        "opens; seals after the next rotation",
    ]
    assert lines[3] == f"  forgotten: {name(1)}; its tickets open no more"


def test_a_ticket_opens_until_its_key_is_forgotten(output: Output, failure: Failure, files: Path) -> None:
    current, previous, coming = (files / f"{name}.key" for name in ("current", "previous", "next"))
    ticket = sealed(current.read_bytes()).hex()
    output("ticket-keys", "rotate", current, previous, "--next", coming)
    output("ticket-keys", "open", ticket, current, previous, coming)
    output("ticket-keys", "rotate", current, previous, "--next", coming)
    failure("ticket-keys", "open", ticket, current, previous, coming)


def test_rotation_of_a_single_file(output: Output, files: Path) -> None:
    lines = output("ticket-keys", "rotate", files / "current.key")
    assert len(lines) == 2
    assert lines[1] == f"  forgotten: {name(0)}; its tickets open no more"


def test_the_new_key_has_the_size_of_the_first(output: Output, files: Path) -> None:
    (files / "current.key").write_bytes(content(0, 48))
    output("ticket-keys", "rotate", files / "current.key", files / "previous.key")
    assert len((files / "current.key").read_bytes()) == 48
    assert (files / "previous.key").read_bytes() == content(0, 48)


@pytest.mark.parametrize("size", [48, 80])
def test_rotation_for_haproxy(output: Output, files: Path, size: int) -> None:
    file = files / "keys.txt"
    file.write_bytes(b"\n".join(base64.b64encode(content(number, size)) for number in range(5)))
    before = file.read_bytes().splitlines()
    lines = output("ticket-keys", "rotate", file)
    after = file.read_bytes().splitlines()
    assert after[:2] == before[3:]
    assert len(after) == 3
    assert len(base64.b64decode(after[2])) == size
    assert lines[0].endswith(
        f"{content(4)[:16].hex()}  {size} bytes, AES-{128 if size == 48 else 256}  seals and opens"
    )
    assert lines[3:] == [f"  forgotten: {name(2)}; its tickets open no more"]


def test_what_rotation_refuses(failure: Failure, files: Path) -> None:
    current = files / "current.key"
    said = failure("ticket-keys", "rotate", current, "--next", current)
    assert said == f"{current} is the file of the next key, and is named among the others too"
    (files / "copy.key").write_bytes(content(0))
    said = failure("ticket-keys", "rotate", current, files / "previous.key", "--next", files / "copy.key")
    assert "two keys have the same name" in said
    assert (files / "current.key").read_bytes() == content(0)
    haproxy = files / "keys.txt"
    haproxy.write_bytes(b"\n".join(base64.b64encode(content(number)) for number in range(3)))
    said = failure("ticket-keys", "rotate", haproxy, "--next", current)
    assert said == "--next: haproxy's file has its next key inside"
    (files / "next.key").write_bytes(b"short")
    assert "has 5 bytes" in failure("ticket-keys", "rotate", current, "--next", files / "next.key")


def test_at_no_moment_is_a_key_nowhere(files: Path) -> None:
    """A rotation that is cut off after any of its writes has lost nothing but what it was to forget."""
    state = {path.name: path.read_bytes() for path in files.iterdir()}
    found: KeyFiles = read_keys([(name, state[name]) for name in ("current.key", "previous.key")])
    _, writes = rotate(found, ("next.key", state["next.key"]), repeatable_entropy(9), NOW)
    assert len(writes) == 3
    for path, written in writes:
        state[path] = written
        assert {content(0), content(2)} <= set(state.values())


# --- open ----------------------------------------------------------------------------------------------------


def test_which_key_opens_a_ticket(output: Output, files: Path) -> None:
    lines = output(
        "ticket-keys", "open", sealed(content(1)).hex(), files / "current.key", files / "previous.key"
    )
    assert lines[0].endswith(
        f"key name {name(1)}: the key in {files / 'previous.key'} opens it, but does not seal, so it would be renewed"
    )
    said = [line.split() for line in lines]
    assert ["session", "id", "context", ORDINARY.session_id_context.hex()] in said
    assert ["server", "name", "example.com"] in said
    assert ORDINARY.secret.hex() not in "\n".join(lines)
    lines = output("ticket-keys", "open", sealed(content(0)).hex(), files / "current.key", "--secrets")
    assert lines[0].endswith("opens it, and seals")
    assert ORDINARY.secret.hex() in "\n".join(lines)


@pytest.mark.parametrize("form", ["raw", "hex", "lines", "pem", "der", "native"])
def test_where_a_ticket_comes_from(output: Output, files: Path, form: str) -> None:
    ticket = sealed(content(0), ORDINARY_12)
    session = evolve(ORDINARY_12, ticket=ticket)
    forms = {
        "raw": ticket,
        "hex": ticket.hex().encode(),
        "lines": ticket.hex(" ", 2).encode().replace(b"0 ", b"0\n"),
        "pem": session.to_openssl_pem(),
        "der": session.to_openssl_der(),
        "native": session.to_bytes(),
    }
    (files / "ticket").write_bytes(forms[form])
    lines = output("ticket-keys", "open", files / "ticket", files / "current.key")
    assert lines[0].startswith(f"a ticket of {len(ticket)} bytes, key name {name(0)}: ")
    assert any(line.startswith("  version") and line.endswith("TLS 1.2") for line in lines)


def test_why_a_ticket_does_not_open(failure: Failure, files: Path) -> None:
    current = files / "current.key"
    ticket = sealed(content(0))
    altered = flipped(ticket)
    for closed in (altered, ticket[:40], ticket + b"\0"):
        said = failure("ticket-keys", "open", closed.hex(), current)
        assert said.endswith(
            f"the key in {current} has its name, but the ticket is not authentic under it: it was altered or cut "
            "short, or the key with this name was another one"
        )
    said = failure("ticket-keys", "open", sealed(content(1)).hex(), current)
    size = len(sealed(content(1))) - 64
    assert said.endswith(
        f"no key is called {name(1)}, as the beginning of this ticket; by its layout it is OpenSSL's, BoringSSL's or "
        f"rustls's with aws-lc (key name 16, IV 16, AES-CBC {size}, HMAC 32), or Go's (no key name, IV 16, AES-CTR "
        f"{size + 16}, HMAC 32), or a TicketKeyRing's (key name 16, salt and tag 40, session {size + 8}), or rustls's "
        f"with ring (key name 16, nonce 12, ChaCha20 {size + 20}, tag 16)"
    )
    keys = OpenSSLTicketKeys.from_files("nginx", content(0))
    said = failure("ticket-keys", "open", keys.seal(b"anything", NOW, os.urandom).hex(), current)
    assert "opens it, but it holds no session of ours: not an SSL_SESSION in DER" in said
    key = OpenSSLTicketKey.from_bytes(content(0))
    body = key.name + bytes(17)
    said = failure("ticket-keys", "open", (body + hmac.digest(key.hmac_key, body, "sha256")).hex(), current)
    assert "not authentic" in said


@pytest.mark.parametrize(
    ("ticket", "said"),
    [
        (bytes(32), "it is an id: the session is with the server that made it, and no key opens it"),
        (bytes(60), "its layout is none that is known here"),
        (
            bytes(32) + (160).to_bytes(2) + bytes(180),
            "by its layout it is GnuTLS's (key name 16, IV 16, length 2, AES-CBC 160, HMAC-SHA1 20)",
        ),
        (
            bytes(16) + (114).to_bytes(2) + bytes(130),
            "by its layout it is mbed TLS's (key name 4, nonce 12, length 2, AES-GCM 114, tag 16)",
        ),
        (
            b"\1" * 105,
            "by its layout it is Go's (no key name, IV 16, AES-CTR 57, HMAC 32), or a TicketKeyRing's (key name 16, "
            "salt and tag 40, session 49), or rustls's with ring (key name 16, nonce 12, ChaCha20 61, tag 16)",
        ),
    ],
    ids=["id", "small", "gnutls", "mbedtls", "go"],
)
def test_whose_layout_a_ticket_has(failure: Failure, files: Path, ticket: bytes, said: str) -> None:
    assert failure("ticket-keys", "open", ticket.hex(), files / "current.key").endswith(f"; {said}")


@needs(SSL_SESSIONS)
@pytest.mark.parametrize(
    ("program", "opens"),
    [("node", "nginx"), ("nginx", "node or traffic_server"), ("traffic_server", "nginx")],
)
def test_a_key_in_the_order_of_another_program(
    failure: Failure, tmp_path: Path, program: str, opens: str
) -> None:
    key = content(5, 48)
    (tmp_path / "key").write_bytes(key)
    keys = OpenSSLTicketKeys.from_files(opens.partition(" ")[0], key)
    ticket = keys.seal(keys.codec.encode(ORDINARY), NOW, os.urandom)
    said = failure("ticket-keys", "open", ticket.hex(), tmp_path / "key", "--program", program)
    assert said.endswith(
        "the ticket is not authentic under it: it is as a key of another program, say --program " + opens
    )


def test_a_text_has_one_order_only(failure: Failure, tmp_path: Path) -> None:
    (tmp_path / "keys").write_bytes(b"\n".join(base64.b64encode(content(number)) for number in range(3)))
    said = failure("ticket-keys", "open", flipped(sealed(content(1))).hex(), tmp_path / "keys")
    assert "it was altered or cut short" in said


def gnutls(key: bytes, name: bytes = bytes(16)) -> bytes:
    body = name + bytes(16) + (64).to_bytes(2) + bytes(64)
    return body + hmac.digest(key, body, "sha1")


def gnutls_derived() -> bytes:
    key = hashlib.sha3_512((int(time.time()) // 10_800).to_bytes(8) + bytes(64)).digest()
    return gnutls(key[48:], key[:16])


def rustls() -> bytes:
    return content(0)[:28] + ChaCha20Poly1305(bytes(32)).encrypt(
        content(0)[16:28], b"session", content(0)[:16]
    )


def mbedtls(size: int) -> bytes:
    head = content(0)[:16] + (7).to_bytes(2)
    return head + AESGCM(bytes(size)).encrypt(head[4:16], b"session", head)


ZEROS = {
    "Go's": lambda: GoTicketKey(bytes(32)).seal(b"session", os.urandom),
    "GnuTLS's": lambda: gnutls(bytes(16)),
    "GnuTLS's, derived from zeros": gnutls_derived,
    "rustls's": rustls,
    "mbed TLS's": lambda: mbedtls(32),
    "OpenSSL's, of 48 bytes": lambda: sealed(content(0)[:16] + bytes(32)),
    "OpenSSL's, of 80 bytes": lambda: sealed(content(0)[:16] + bytes(64)),
    "a TicketKey's": lambda: TicketKey(content(0)[:16], bytes(32), NOW).seal(b"session", os.urandom),
    "derived from a root secret of zeros": lambda: WindowedTicketKeys(bytes(3600)).seal(
        b"session", time.time(), os.urandom
    ),
}


@pytest.mark.parametrize("which", ZEROS)
def test_a_ticket_under_a_key_of_zeros(files: Path, capsys: pytest.CaptureFixture[str], which: str) -> None:
    """Whichever keys are given: whoever made it has no key at all."""
    main(["ticket-keys", "open", ZEROS[which]().hex(), str(files / "previous.key")])
    first = capsys.readouterr().err.splitlines()[0]
    assert first == (
        f"sansticket: WARNING: this ticket opens under a key of zeros ({which}): anybody can read it, and make others"
    )


def test_a_key_of_zeros_that_opens(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    zeros = content(0)[:16] + bytes(64)
    (files / "zeros.key").write_bytes(zeros)
    assert main(["ticket-keys", "open", sealed(zeros).hex(), str(files / "zeros.key")]) == 0
    printed = capsys.readouterr()
    assert "opens it, and seals" in printed.out
    assert printed.err.count("WARNING") == 1
    assert main(["ticket-keys", "names", str(files / "zeros.key"), str(files / "previous.key")]) == 0
    zeroed, other = capsys.readouterr().out.splitlines()
    assert zeroed.endswith("ALL ZEROS: anybody can make and read its tickets")
    assert other.endswith("opens")


def test_almost_a_key_of_zeros() -> None:
    assert opens_under_zeros(mbedtls(16), NOW) == "mbed TLS's"
    ticket = gnutls_derived()
    assert opens_under_zeros(ticket, time.time()) == "GnuTLS's, derived from zeros"
    assert opens_under_zeros(flipped(ticket), time.time()) == ""


def test_too_short_for_a_name() -> None:
    assert opens_under_zeros(bytes(15), NOW) == opens_under_zeros(b"", NOW) == ""
    assert opens_under_zeros(sealed(content(0)), NOW) == ""


def test_what_is_no_ticket(failure: Failure, files: Path) -> None:
    current = files / "current.key"
    assert failure("ticket-keys", "open", "nowhere", current) == "nowhere is neither hexadecimal nor a file"
    (files / "session").write_bytes(ORDINARY.to_bytes())
    said = failure("ticket-keys", "open", files / "session", current)
    assert said == f"{files / 'session'} is a session without a ticket"
    (files / "empty").write_bytes(b"")
    assert "no key is called nothing" in failure("ticket-keys", "open", files / "empty", current)


def test_what_a_server_would_say(files: Path) -> None:
    """The command and a server with the same files agree."""
    keys = OpenSSLTicketKeys.from_files("nginx", content(0), content(1))
    assert keys.open(sealed(content(1)), NOW).status is TicketStatus.SUCCESS_RENEW


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ([], "the following arguments are required: ACTION"),
        (["melt"], "invalid choice: 'melt'"),
        (["make"], "the following arguments are required: FILE"),
        (["make", "k", "--size", "64"], "invalid choice: 64"),
        (["names"], "the following arguments are required: FILE"),
        (["open", "aa"], "the following arguments are required: FILE"),
    ],
)
def test_a_wrong_command_line(refusal: Failure, arguments: list[str], why: str) -> None:
    assert why in refusal("ticket-keys", *arguments)


# --- files of other programs -----------------------------------------------------------------------------------


@needs(SSL_SESSIONS)
@pytest.mark.parametrize(
    ("program", "size", "described"),
    [
        ("nginx", 80, "80 bytes, AES-256  seals and opens"),
        ("envoy", 80, "80 bytes, AES-256  seals and opens"),
        ("node", 48, "48 bytes, AES-128  seals and opens"),
        ("traffic_server", 48, "48 bytes, AES-128  seals and opens"),
        ("lighttpd", 92, "80 bytes, AES-256  seals and opens"),
        ("h2o", 0, "112 bytes, AES-256  seals and opens"),
        ("haproxy", 0, "80 bytes, AES-256  seals and opens"),
    ],
)
def test_a_new_key_for_a_program(
    output: Output, tmp_path: Path, program: str, size: int, described: str
) -> None:
    file = tmp_path / "new.key"
    lines = output("ticket-keys", "make", file, "--program", program)
    assert lines[0].endswith(described)
    assert output("ticket-keys", "names", file, "--program", program) == lines
    made = file.read_bytes()
    assert size in (0, len(made))
    keys = OpenSSLTicketKeys.from_files(program, made)
    ticket = keys.seal(keys.codec.encode(ORDINARY), NOW, os.urandom)
    opened = output("ticket-keys", "open", ticket.hex(), file, "--program", program)
    assert opened[0].endswith("opens it, and seals")


def test_times_of_keys_are_shown(output: Output, tmp_path: Path) -> None:
    key = OpenSSLTicketKey(bytes(16), b"A" * 32, b"H" * 64, 1_700_000_000, 1_700_003_600)
    (tmp_path / "keys").write_bytes(OpenSSLTicketKeys([key]).to_files("h2o")[0])
    (line,) = output("ticket-keys", "names", tmp_path / "keys", "--program", "h2o")
    assert line.endswith("seals and opens, each in its time; seals from 1700000000 to 1700003600")


def test_rotation_for_node(output: Output, files: Path) -> None:
    for number, file in enumerate(("current.key", "previous.key")):
        (files / file).write_bytes(content(number, 48))
    output("ticket-keys", "rotate", files / "current.key", files / "previous.key", "--program", "node")
    assert (files / "previous.key").read_bytes() == content(0, 48)
    assert len((files / "current.key").read_bytes()) == 48


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (
            ["make", "k", "--program", "node", "--size", "80"],
            "node: keys: one of 80 bytes; expected 48 bytes, without times",
        ),
        (
            ["names", "current.key", "--program", "node"],
            "80 bytes; expected node's (keys: 80 bytes; node's have 48",
        ),
        (["names", "current.key", "--program", "h2o"], "it could be a key of nginx or envoy"),
    ],
)
def test_what_a_program_cannot_have(failure: Failure, files: Path, arguments: list[str], why: str) -> None:
    named = [
        str(files / argument) if argument in ("k", "current.key") else argument for argument in arguments
    ]
    assert why in failure("ticket-keys", *named)
