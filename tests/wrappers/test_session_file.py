"""A client's sessions in a file: over restarts, with several processes, and with whatever the file has become."""

from __future__ import annotations

import copy
import fcntl
import logging
import os
import pickle
import re
import signal
import stat
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from attrs import evolve

from sansticket import ClientSessionStore, ConfigError, Session, SessionFormatError, StoreKey
from sansticket.commands import Close
from sansticket.connection.client import ClientConnection
from sansticket_wrappers.session_file import SessionFile, disk
from tests.support.command import PATIENCE, ROOT, Command
from tests.support.configs import client_config, server_config
from tests.support.forked import CAN_FORK, MAY_HAVE_THREADS, forked
from tests.support.pair import ConnectionPair
from tests.support.sessions import NOW, ORDINARY_12, numbered

KEY: Final = StoreKey("example.com")
SECRET: Final = bytes(range(100, 132))
SECRETS: Final = pytest.mark.parametrize("secret", [None, SECRET], ids=["plain", "sealed"])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sessions"


def holding(path: Path, *sessions: Session, secret: bytes | None = None) -> SessionFile:
    store = SessionFile(path, secret, per_server=64)
    for session in sessions:
        assert store.put(KEY, session, NOW)
    return store


def tickets(path: Path, secret: bytes | None = None) -> list[bytes]:
    """What another program would find, the freshest first.  Takes nothing."""
    data = SessionFile(path, secret, per_server=64).to_bytes()
    store, found = ClientSessionStore.from_bytes(data, per_server=64), []
    while (reservation := store.reserve(KEY, NOW)) is not None:
        found.append(reservation.session.ticket)
        reservation.refused()
    return found


def numbers(*found: int) -> list[bytes]:
    return [number.to_bytes(32) for number in found]


# --- what it is for --------------------------------------------------------------------------------------------


@SECRETS
@pytest.mark.parametrize("version", [0x0303, 0x0304])
def test_connections_resume_after_a_restart(path: Path, secret: bytes | None, version: int) -> None:
    server = server_config(versions=[version])
    outcome = []
    for _ in range(4):
        store = SessionFile(path, secret)
        pair = ConnectionPair(client_config(session_store=store, versions=[version]), server)
        pair.pump()
        outcome.append(pair.client.resumed)
        del store
    assert outcome == [False, True, True, True]


def test_two_programs_share_what_either_gets(path: Path) -> None:
    one, other = holding(path), holding(path)
    one.put(KEY, numbered(1), NOW)
    assert other.room(KEY, NOW) == 63
    reservation = other.reserve(KEY, NOW)
    assert reservation is not None
    assert reservation.session == numbered(1)
    assert one.reserve(KEY, NOW) is None


@SECRETS
def test_a_ticket_is_gone_from_the_file_before_its_connection_has_it(
    path: Path, secret: bytes | None
) -> None:
    store = holding(path, numbered(1), numbered(2, issued_at=NOW + 1), secret=secret)
    assert tickets(path, secret) == numbers(2, 1)
    assert store.reserve(KEY, NOW) is not None
    assert tickets(path, secret) == numbers(1)


def test_a_connection_that_was_never_shown_gives_its_ticket_back(path: Path) -> None:
    config = client_config(session_store=SessionFile(path))
    pair = ConnectionPair(config, server_config())
    pair.pump()
    before = len(SessionFile(path))
    connection = ClientConnection(config, "server.example")
    assert len(SessionFile(path)) == before - 1
    connection.send(Close())
    assert len(SessionFile(path)) == before


def test_a_session_of_tls12_stays_until_it_is_refused(path: Path) -> None:
    session = evolve(ORDINARY_12, ticket=b"ticket")
    store = holding(path, session)
    reservation = store.reserve(KEY, NOW)
    assert reservation is not None
    assert tickets(path) == [b"ticket"]
    assert reservation.refused()
    assert tickets(path) == []


def test_what_changes_nothing_writes_nothing(path: Path) -> None:
    store = holding(path, numbered(1), secret=SECRET)
    before = path.read_bytes(), path.stat().st_ino
    assert store.room(KEY, NOW) == 63
    assert store.flush(NOW) == 0
    assert store.reserve(StoreKey("example.org"), NOW) is None
    assert (path.read_bytes(), path.stat().st_ino) == before


def test_bounds(path: Path) -> None:
    holding(path, *(numbered(number) for number in range(9)))
    small = SessionFile(path, per_server=2, servers=1)
    assert (small.per_server, len(small)) == (2, 2)


def test_it_is_not_copied(path: Path) -> None:
    store = holding(path, numbered(1))
    assert copy.copy(store) is copy.deepcopy(store) is store
    with pytest.raises(TypeError, match="the other process opens the file itself"):
        pickle.dumps(store)


# --- several processes -------------------------------------------------------------------------------------------


PROGRAM: Final = """
import sys
from attrs import evolve
from sansticket import Session, StoreKey
from sansticket_wrappers.session_file import SessionFile, disk

disk.PATIENCE = 30.0  # the machine may be busy
path, first, now = sys.argv[1], int(sys.argv[2]), 1_700_000_000.0
session = Session.from_bytes(bytes.fromhex(sys.argv[3]))
store, key = SessionFile(path, bytes(32), per_server=64), StoreKey("example.com")
print("ready", flush=True)
sys.stdin.readline()
for number in range(first, first + 10):
    assert store.put(key, evolve(session, ticket=number.to_bytes(32)), now)
print("put", flush=True)
sys.stdin.readline()
while (reservation := store.reserve(key, now)) is not None:
    print("has", int.from_bytes(reservation.session.ticket), flush=True)
print("done", flush=True)
sys.stdin.read()
"""


def program(path: Path, first: int) -> Command:
    """Puts ten sessions, and takes all, each when it is told to."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "wrappers")))}
    session = numbered(0).to_bytes().hex()
    return Command(sys.executable, "-c", PROGRAM, path, str(first), session, env=environment)


def test_two_processes_lose_nothing_and_take_nothing_twice(path: Path) -> None:
    with program(path, 0) as one, program(path, 10) as other:
        for word in ("ready", "put", "done"):
            one.wait_for(word)
            other.wait_for(word)
            if word != "done":
                one.type("go on\n")
                other.type("go on\n")
        taken = re.findall("^has (.*)$", one.output + other.output, re.MULTILINE)
    assert sorted(map(int, taken)) == list(range(20))


def test_a_process_that_is_killed_takes_its_ticket_along(path: Path) -> None:
    with program(path, 0) as killed:
        killed.wait_for("ready")
        killed.type("go on\ngo on\n")
        killed.wait_for("has")
        killed.kill()
    gone = len(re.findall("^has .*$", killed.output, re.MULTILINE))
    left = tickets(path, bytes(32))
    shown = set(numbers(*map(int, re.findall("^has (.*)$", killed.output, re.MULTILINE))))
    assert gone + len(left) in (9, 10), "one may be taken and not yet printed"
    assert shown.isdisjoint(left)


# --- what the file is, and is not ----------------------------------------------------------------------------------


@SECRETS
def test_it_is_its_users_alone(path: Path, secret: bytes | None) -> None:
    before = os.umask(0)
    try:
        holding(path, numbered(1), secret=secret)
    finally:
        os.umask(before)
    found = {entry.name: stat.S_IMODE(entry.stat().st_mode) for entry in path.parent.iterdir()}
    assert found == {"sessions": 0o600, "sessions.lock": 0o600}


def test_with_a_key_nothing_of_it_can_be_read(path: Path) -> None:
    session = evolve(numbered(1), ticket=b"a ticket of the server", secret=b"s" * 32)
    store = holding(path, session, secret=SECRET)
    for hidden in (session.ticket, session.secret, b"example.com"):
        assert hidden not in path.read_bytes()
    assert SECRET.hex() not in repr(store)
    assert tickets(path, SECRET) == [session.ticket]


@SECRETS
@pytest.mark.parametrize(
    "content", [b"x", b"-----BEGIN CERTIFICATE-----\n" * 3, bytes(100), ClientSessionStore().to_bytes()]
)
def test_a_foreign_file_is_left_as_it_is(content: bytes, secret: bytes | None, path: Path) -> None:
    path.touch(0o600)
    path.write_bytes(content)
    with pytest.raises(SessionFormatError, match="is no file of sessions"):
        SessionFile(path, secret)
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("written_with", "read_with", "words"),
    [
        (SECRET, bytes(32), "does not open with this key; remove it to begin anew"),
        (SECRET, None, "is sealed; expected its key"),
        (None, SECRET, "is not sealed; expected one that is, or no key"),
    ],
)
def test_the_other_key(written_with: bytes | None, read_with: bytes | None, words: str, path: Path) -> None:
    holding(path, numbered(1), secret=written_with)
    with pytest.raises(SessionFormatError, match=words) as caught:
        SessionFile(path, read_with)
    assert str(path) in str(caught.value)
    assert tickets(path, written_with) == numbers(1)


@SECRETS
def test_a_file_that_was_cut_or_altered(path: Path, secret: bytes | None) -> None:
    holding(path, numbered(1), secret=secret)
    whole = path.read_bytes()
    for length in (*range(1, len(whole), 7), len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(SessionFormatError):
            SessionFile(path, secret)
    for place in range(0, len(whole), 5):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(SessionFormatError):
            SessionFile(path, secret)


def test_an_empty_file_has_no_sessions(path: Path) -> None:
    path.touch(0o600)
    assert len(SessionFile(path)) == 0
    assert tickets(path) == []


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602])
def test_a_file_that_others_may_read_or_write(mode: int, path: Path) -> None:
    holding(path, numbered(1))
    path.chmod(mode)
    with pytest.raises(PermissionError, match="is open to others; expected mode 0600"):
        SessionFile(path)


def test_a_file_of_another_user(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    holding(path, numbered(1))
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
    with pytest.raises(PermissionError, match="belongs to another user"):
        SessionFile(path)


def test_what_is_no_file(path: Path) -> None:
    os.mkfifo(path, 0o600)
    with pytest.raises(OSError, match="is no regular file"):
        SessionFile(path)
    with pytest.raises(FileNotFoundError):
        SessionFile(path.parent / "no such folder" / "sessions")


def test_a_link_stays_one(path: Path) -> None:
    (path.parent / "elsewhere").mkdir()
    path.symlink_to(path.parent / "elsewhere" / "sessions")
    holding(path, numbered(1))
    assert path.is_symlink()
    assert tickets(path.parent / "elsewhere" / "sessions") == numbers(1)


@pytest.mark.parametrize("key", [b"", bytes(31), bytes(33), "x" * 32, 32, bytearray(32)])
def test_keys_that_are_none(key: Any, path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^key: must be 32 bytes"):
        SessionFile(path, key)
    assert not path.exists()


# --- what fails while it is used -------------------------------------------------------------------------------------


@contextmanager
def failing(monkeypatch: pytest.MonkeyPatch, name: str) -> Iterator[None]:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, name, fail)
        yield


@pytest.mark.parametrize("name", ["replace", "fsync", "open"])
def test_a_ticket_that_cannot_be_taken_out_is_not_shown(
    name: str, path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    store = holding(path, numbered(1))
    with failing(monkeypatch, name):
        assert store.reserve(KEY, NOW) is None
    assert "No space left on device" in caplog.text
    assert tickets(path) == numbers(1), "it was not shown, and can be"
    reservation = store.reserve(KEY, NOW)
    assert reservation is not None
    assert reservation.session == numbered(1)
    assert store.reserve(KEY, NOW) is None


def test_no_connection_fails_for_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config, server = client_config(session_store=SessionFile(path)), server_config()
    outcome = []
    for works in (True, False, False, True, True):
        with ExitStack() as stack:
            if not works:
                stack.enter_context(failing(monkeypatch, "replace"))
            pair = ConnectionPair(config, server)
            pair.pump()
        outcome.append(pair.client.resumed)
    assert outcome == [False, False, False, True, True]


def test_somebody_who_keeps_the_lock(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(disk, "PATIENCE", 0.02)
    store = holding(path, numbered(1))
    with open(f"{path}.lock", "r+b") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert store.reserve(KEY, NOW) is None
        assert "is held by another process" in caplog.text
        with pytest.raises(TimeoutError):
            SessionFile(path)
    assert store.reserve(KEY, NOW) is not None


def test_a_file_that_has_become_something_else(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = holding(path, numbered(1))
    path.write_bytes(b"something else")
    assert store.reserve(KEY, NOW) is None
    store.put(KEY, numbered(2), NOW)
    assert path.read_bytes() == b"something else"
    assert {record.levelno for record in caplog.records} == {logging.WARNING}


def test_a_log_that_is_sent_over_a_connection_with_the_same_store(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is no reason to wait for oneself, nor to show a ticket that is in the file still."""
    store, sent = holding(path, numbered(1)), list[Any]()

    class Sender(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            monkeypatch.undo()
            sent.append(store.reserve(KEY, NOW))

    def fails(old: str, new: str) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", fails)
    log, sender, shown = logging.getLogger("sansticket_wrappers"), Sender(), list[Any]()
    log.addHandler(sender)
    thread = threading.Thread(target=lambda: shown.append(store.reserve(KEY, NOW)), daemon=True)
    try:
        thread.start()
        thread.join(10)
    finally:
        log.removeHandler(sender)
    assert shown == [None]
    assert [one.session.ticket for one in sent] == numbers(1)


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo], ids=["folder", "pipe"])
def test_what_is_no_file_any_more_is_not_left_open(path: Path, make: Any) -> None:
    store = holding(path, numbered(1))
    path.unlink()
    make(path)
    before = len(os.listdir("/dev/fd"))
    assert [store.reserve(KEY, NOW) for _ in range(10)] == [None] * 10
    with pytest.raises(OSError, match="is no regular file"):
        SessionFile(path)
    assert len(os.listdir("/dev/fd")) == before


def test_a_file_that_is_removed_begins_anew(path: Path) -> None:
    store = holding(path, numbered(1))
    path.unlink()
    assert store.reserve(KEY, NOW) is None
    store.put(KEY, numbered(2), NOW)
    assert tickets(path) == numbers(2)


def test_what_a_process_left_that_died_while_it_wrote(path: Path) -> None:
    Path(f"{path}.new").write_bytes(b"half")
    holding(path, numbered(1))
    assert tickets(path) == numbers(1)
    assert not Path(f"{path}.new").exists()


@CAN_FORK
@MAY_HAVE_THREADS
def test_a_forked_process_takes_from_the_file_too(path: Path) -> None:
    """There a session is once, whoever takes it; what the other has taken is gone from it."""
    store = holding(path, numbered(1), numbered(2), numbered(3))

    def in_a_worker() -> bytes:
        own = store.reserve(KEY, NOW)
        assert own is not None
        other = store.reserve(KEY, NOW)
        assert other is not None
        assert other.give_back(NOW)
        return own.session.ticket

    taken = [forked(in_a_worker)]
    while (reservation := store.reserve(KEY, NOW)) is not None:
        taken.append(reservation.session.ticket)
    assert sorted(taken) == numbers(1, 2, 3)


@CAN_FORK
@MAY_HAVE_THREADS
def test_a_process_that_was_forked_meanwhile_does_not_keep_the_lock(path: Path) -> None:
    """By another thread: it has a copy of the descriptor as long as it lives, and never gives it back."""
    lock = f"{path}.lock"
    reads, writes = os.pipe()
    with disk.locked(lock):
        child = os.fork()
        if not child:
            os.close(writes)
            os.read(reads, 1)  # until the other process closes it
            os._exit(0)
    try:
        with disk.locked(lock):
            pass
    finally:
        os.close(writes)
        os.close(reads)
        os.waitpid(child, 0)


@CAN_FORK
@MAY_HAVE_THREADS
def test_a_process_that_is_forked_while_a_thread_is_at_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits for the other process as any would, does not take its lock from it, and takes what is left."""
    store, taken = holding(path, numbered(1), numbered(2)), list[Any]()
    at_it, go_on = threading.Event(), threading.Event()
    replace = os.replace

    def slowly(old: str, new: str) -> None:
        at_it.set()
        assert go_on.wait(PATIENCE)
        replace(old, new)

    def take() -> None:
        taken.append(store.reserve(KEY, NOW))

    def in_the_copy() -> bool:
        signal.alarm(10)
        return store.reserve(KEY, NOW) is None

    monkeypatch.setattr(os, "replace", slowly)
    thread = threading.Thread(target=take)
    thread.start()
    assert at_it.wait(PATIENCE)
    try:
        assert forked(in_the_copy), "the thread is not done"
        with pytest.raises(TimeoutError, match="is held by another process"), disk.locked(f"{path}.lock"):
            pass
    finally:
        go_on.set()
        thread.join()
    monkeypatch.undo()
    assert taken[0] is not None
    assert tickets(path) == numbers(1)
    assert forked(lambda: store.reserve(KEY, NOW) is not None)
    assert store.reserve(KEY, NOW) is None
