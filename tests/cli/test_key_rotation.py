"""``python -m sansticket ticket-keys`` with every program's files: rotated, and converted from one's to another's."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from attrs import evolve

from sansticket import CaddyTicketKeys, GoTicketKey, OpenSSLTicketKey, OpenSSLTicketKeys
from sansticket.command.key_rotation import DELAY
from sansticket.command.other_keys import OTHERS
from sansticket.tickets.keys.programs.key import MAX_TIME
from sansticket.tickets.keys.programs.layouts import PROGRAMS, read_files, write_files
from tests.cli.conftest import Failure, Output
from tests.tickets.test_go_keys import STEK

EACH = ("nginx", "envoy", "node", "go", "sansticket")
"""A file for each key, without times."""

Keys = tuple[OpenSSLTicketKey, ...]


def made(output: Output, folder: Path, program: str, *names: str) -> list[Path]:
    for name in names:
        output("ticket-keys", "make", folder / name, "--program", program)
    return [folder / name for name in names]


def keys_in(file: Path, program: str) -> Keys:
    return read_files(program, [file.read_bytes()])


def put(file: Path, program: str, *keys: OpenSSLTicketKey) -> Path:
    (content,) = write_files(program, keys)
    file.write_bytes(content)
    return file


def roles(lines: list[str]) -> list[str]:
    return [line.rpartition("  ")[2] for line in lines if "forgotten" not in line]


# --- a file for each key ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("program", EACH)
def test_they_move_on(output: Output, tmp_path: Path, program: str) -> None:
    files = made(output, tmp_path, program, "current", "previous", "oldest")
    before = [file.read_bytes() for file in files]
    lines = output("ticket-keys", "rotate", *files, "--program", program)
    after = [file.read_bytes() for file in files]
    assert after[1:] == before[:-1]
    assert after[0] not in before
    assert len(after[0]) == len(before[0])
    assert roles(lines) == ["seals and opens", "opens", "opens"]
    assert lines[3].startswith("  forgotten: ")
    assert len(lines) == 4
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}


@pytest.mark.parametrize("program", EACH)
def test_they_move_on_in_a_fleet(output: Output, tmp_path: Path, program: str) -> None:
    """The key that seals now was known to everybody before."""
    *files, coming = made(output, tmp_path, program, "current", "previous", "next")
    current, _, next_ = (file.read_bytes() for file in (*files, coming))
    output("ticket-keys", "rotate", *files, "--next", coming, "--program", program)
    assert [file.read_bytes() for file in files] == [next_, current]
    assert coming.read_bytes() not in (current, next_)


def test_keys_of_go_that_are_given_twice(failure: Failure, output: Output, tmp_path: Path) -> None:
    current, coming = made(output, tmp_path, "go", "current", "next")
    before = coming.read_bytes()
    said = failure("ticket-keys", "rotate", current, "--next", current, "--program", "go")
    assert said == f"{current} is the file of the next key, and is named among the others too"
    (tmp_path / "copy").write_bytes(before)
    said = failure("ticket-keys", "rotate", coming, current, "--next", tmp_path / "copy", "--program", "go")
    assert said == "two files have the same key"
    coming.write_bytes(b"short")
    said = failure("ticket-keys", "rotate", current, "--next", coming, "--program", "go")
    assert said == f"{coming} has 5 bytes; expected a key of 32"


@pytest.mark.parametrize("program", EACH)
def test_the_next_one_under_another_path_is_not_lost(
    output: Output, failure: Failure, tmp_path: Path, program: str
) -> None:
    current, coming = made(output, tmp_path, program, "current", "next")
    before = current.read_bytes(), coming.read_bytes()
    (tmp_path / "link").symlink_to(coming)
    for path in (tmp_path / "link", tmp_path / ".." / tmp_path.name / "next"):
        said = failure("ticket-keys", "rotate", current, coming, "--next", path, "--program", program)
        assert "two keys have the same name" in said or said == "two files have the same key"
        assert (current.read_bytes(), coming.read_bytes()) == before


def test_what_a_link_leads_to_is_rotated(output: Output, tmp_path: Path) -> None:
    """It may be what the servers read."""
    (tmp_path / "secrets").mkdir()
    current, previous = made(output, tmp_path / "secrets", "nginx", "current", "previous")
    before, link = current.read_bytes(), tmp_path / "current.key"
    link.symlink_to(Path("secrets") / "current")
    output("ticket-keys", "rotate", link, previous)
    assert link.is_symlink()
    assert current.read_bytes() not in (before, previous.read_bytes())
    assert previous.read_bytes() == before
    assert sorted(file.name for file in current.parent.iterdir()) == ["current", "previous"]


# --- one file with all of them ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("held", "kept"), [(1, 1), (2, 1), (4, 3)])
def test_the_new_one_comes_in_front(output: Output, tmp_path: Path, held: int, kept: int) -> None:
    """The one that sealed before opens for one rotation at least."""
    keys = [OpenSSLTicketKey.generate(os.urandom, 48) for _ in range(held)]
    file = put(tmp_path / "keys", "traffic_server", *keys)
    output("ticket-keys", "rotate", file, "--program", "traffic_server")
    new, *older = keys_in(file, "traffic_server")
    assert new not in keys
    assert older == keys[:kept]


@pytest.mark.parametrize(("held", "kept"), [(2, 1), (3, 1), (4, 2)])
def test_the_new_one_comes_last_in_a_fleet(
    output: Output, failure: Failure, tmp_path: Path, held: int, kept: int
) -> None:
    keys = [OpenSSLTicketKey.generate(os.urandom, 48) for _ in range(held)]
    file, coming = put(tmp_path / "keys", "traffic_server", *keys), tmp_path / "next"
    put(coming, "traffic_server", keys[-1])
    arguments = ("ticket-keys", "rotate", file, "--next", coming, "--program", "traffic_server")
    lines = output(*arguments)
    first, *older, last = keys_in(file, "traffic_server")
    assert (first, older) == (keys[-1], keys[:kept])
    assert keys_in(coming, "traffic_server") == (last,)
    assert last not in keys
    opens = ["opens"] * kept
    assert roles(lines) == ["seals and opens", *opens, "opens; seals after the next rotation"]
    put(coming, "traffic_server", keys[0])
    assert f"{coming} is not the last key in {file}" in failure(*arguments)
    assert keys_in(file, "traffic_server") == (first, *older, last)


@pytest.mark.parametrize("program", ["traffic_server", "h2o"])
def test_there_is_one_file(output: Output, failure: Failure, tmp_path: Path, program: str) -> None:
    files = made(output, tmp_path, program, "one", "two")
    assert "has one file" in failure("ticket-keys", "rotate", *files, "--program", program)


# --- keys with times -------------------------------------------------------------------------------------------


def dated(file: Path, program: str, begin: float, end: float) -> OpenSSLTicketKey:
    """The key in a file of ``make`` gets times."""
    (key,) = keys_in(file, program)
    key = evolve(key, not_before=int(begin), not_after=int(end))
    put(file, program, key)
    return key


@pytest.mark.parametrize("program", ["lighttpd", "h2o"])
def test_a_new_one_seals_when_all_know_it(
    output: Output, failure: Failure, tmp_path: Path, program: str
) -> None:
    files = made(output, tmp_path, program, *("current", "previous")[: 2 if program == "lighttpd" else 1])
    now = time.time()
    old = dated(files[0], program, now - 100, now + 3600)
    arguments = ("ticket-keys", "rotate", *files, "--program", program)
    output(*arguments)
    new, before = (key for file in files for key in keys_in(file, program))
    assert before == old
    assert 0 <= new.not_before - int(now) - DELAY < 30
    assert new.not_after - new.not_before == old.not_after - old.not_before
    keys = OpenSSLTicketKeys.from_files(program, *(file.read_bytes() for file in files))
    for at, key in ((now, old), (now + DELAY + 30, new)):
        assert keys.seal(b"session", at, os.urandom).startswith(key.name)
        assert keys.open(old.seal(b"session", os.urandom), at).plaintext == b"session"
    said = failure(*arguments)
    assert said == f"{files[0]} has a key that seals from {new.not_before} on: rotate after that"


@pytest.mark.parametrize("program", ["lighttpd", "h2o"])
@pytest.mark.parametrize(("left", "begins"), [(60, 60), (-60, 0)])
def test_there_is_always_one_that_seals(
    output: Output, tmp_path: Path, program: str, left: int, begins: int
) -> None:
    """Where the one before has a minute left, the new one begins then, and where it has ended, now."""
    (file,) = made(output, tmp_path, program, "keys")
    now = time.time()
    dated(file, program, now - 3600, now + left)
    output("ticket-keys", "rotate", file, "--program", program)
    new, *older = keys_in(file, program)
    assert 0 <= new.not_before - int(now) - begins < 30
    assert len(older) == (program == "h2o" and left > 0), "what has ended is forgotten"


@pytest.mark.parametrize("program", ["lighttpd", "h2o"])
def test_without_an_end(output: Output, tmp_path: Path, program: str) -> None:
    (file,) = made(output, tmp_path, program, "keys")
    (old,) = keys_in(file, program)
    lines = output("ticket-keys", "rotate", file, "--program", program)
    new, *_ = keys_in(file, program)
    assert roles(lines)[1:] == ["seals and opens, each in its time"] * (program == "h2o")
    assert new.not_after == MAX_TIME
    assert new.size == old.size
    if program == "lighttpd":
        assert lines[-1] == f"  forgotten: {old.name.hex()}; its tickets open while lighttpd remembers it"


@pytest.mark.parametrize("program", ["lighttpd", "h2o"])
def test_their_times_are_the_way_for_a_fleet(
    output: Output, failure: Failure, tmp_path: Path, program: str
) -> None:
    file, coming = made(output, tmp_path, program, "keys", "next")
    said = failure("ticket-keys", "rotate", file, "--next", coming, "--program", program)
    assert said == f"--next: the times in {program}'s keys say when a new one seals"


# --- all programs ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("program", [*PROGRAMS, *OTHERS])
def test_every_program_is_rotated_or_says_why_not(
    output: Output, failure: Failure, tmp_path: Path, program: str
) -> None:
    file = tmp_path / "key"
    file.write_bytes(STEK)
    if program != "caddy":
        file.unlink()
        output("ticket-keys", "make", file, "--program", program)
    before = file.read_bytes()
    arguments = ("ticket-keys", "rotate", file, "--program", program)
    if program in ("caddy", "gnutls"):
        said = failure(*arguments)
        assert "themselves" in said or "itself" in said
        assert file.read_bytes() == before
    else:
        output(*arguments)
        assert file.read_bytes() != before


# --- converted -------------------------------------------------------------------------------------------------

FITTING = {
    "nginx": 80,
    "envoy": 80,
    "node": 48,
    "lighttpd": 80,
    "traffic_server": 48,
    "h2o": 80,
    "haproxy": 80,
}


@pytest.mark.parametrize("target", PROGRAMS)
@pytest.mark.parametrize("size", [48, 80])
def test_the_same_keys_in_other_files(
    output: Output, failure: Failure, tmp_path: Path, target: str, size: int
) -> None:
    """Three keys of nginx's: what seals, and what opens, is the same."""
    keys = [OpenSSLTicketKey.generate(os.urandom, size) for _ in range(3)]
    files = [put(tmp_path / str(number), "nginx", key) for number, key in enumerate(keys)]
    into = [
        tmp_path / f"new{number}"
        for number in range(1 if target in ("haproxy", "h2o", "traffic_server") else 3)
    ]
    arguments = ("ticket-keys", "convert", *files, "--to", target, "--output", *into)
    if (size < FITTING[target] and target in ("envoy", "lighttpd")) or size > FITTING[target]:
        assert f"{target}: keys: one of {size} bytes" in failure(*arguments)
        assert not any(file.exists() for file in into)
        return
    lines = output(*arguments)
    assert output("ticket-keys", "names", *into, "--program", target) == lines
    made_of = OpenSSLTicketKeys.from_files(target, *(file.read_bytes() for file in into))
    ticket = made_of.seal(b"session", time.time(), os.urandom)
    assert keys[0].open(ticket) == b"session"
    for key in keys:
        assert made_of.open(key.seal(b"session", os.urandom), time.time()).plaintext == b"session"
    assert {file.stat().st_mode & 0o777 for file in into} == {0o600}
    assert "exists already" in failure(*arguments)


def test_the_keys_of_caddy_are_those_of_go(output: Output, tmp_path: Path) -> None:
    (tmp_path / "stek.bin").write_bytes(STEK)
    (key,) = CaddyTicketKeys.from_bytes(STEK).keys
    arguments = ("--program", "caddy", "--to", "go", "--output", tmp_path / "go.key")
    (line,) = output("ticket-keys", "convert", tmp_path / "stek.bin", *arguments)
    assert line.endswith(f"{key.name.hex()}  32 bytes, AES-128  seals and opens")
    assert GoTicketKey((tmp_path / "go.key").read_bytes()) == key


@pytest.mark.parametrize(
    ("program", "target", "why"),
    [
        ("go", "caddy", "caddy writes its storage itself, and takes keys from nowhere else"),
        ("go", "nginx", "a key of go is none of nginx: they seal in another way"),
        ("nginx", "sansticket", "a key of nginx is none of sansticket: they seal in another way"),
        ("gnutls", "go", "a key of gnutls is none of go: they seal in another way"),
        ("nginx", "haproxy", "haproxy: keys: 1; haproxy uses 3 of one size: current, coming, older"),
        ("h2o", "nginx", "nginx: keys: one of 112 bytes; expected 48 or 80 bytes, without times"),
    ],
)
def test_what_cannot_be_converted(
    output: Output, failure: Failure, tmp_path: Path, program: str, target: str, why: str
) -> None:
    (file,) = made(output, tmp_path, program, "key")
    said = failure(
        "ticket-keys", "convert", file, "--program", program, "--to", target, "--output", tmp_path / "new"
    )
    assert said.startswith(why)
    assert not (tmp_path / "new").exists()


def test_as_many_files_as_there_will_be(output: Output, failure: Failure, tmp_path: Path) -> None:
    files = made(output, tmp_path, "nginx", "one", "two")
    said = failure("ticket-keys", "convert", *files, "--to", "envoy", "--output", tmp_path / "new")
    assert said == "--output: 1 file for 2 of envoy's"
    said = failure(
        "ticket-keys", "convert", *files, "--to", "h2o", "--output", tmp_path / "a", tmp_path / "b"
    )
    assert said == "--output: 2 files for 1 of h2o's"
    said = failure("ticket-keys", "convert", *files, "--to", "h2o", "--output", "-")
    assert said.startswith("-: standard output is no place for it")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]
