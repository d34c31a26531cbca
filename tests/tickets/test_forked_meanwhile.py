"""A process that is forked while another thread is at what both use: it goes on there, as it does here."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

import sansticket
from sansticket import (
    ClientConfig,
    ClientSessionStore,
    Revocations,
    SessionCache,
    StoreKey,
    TicketKeyRing,
    TicketUses,
    TrustAnchors,
    locks,
)
from sansticket.adapters import SSLContext
from tests.support.configs import client_config
from tests.support.forked import CAN_FORK, MAY_HAVE_THREADS, forked
from tests.support.sessions import NOW, numbered

KEY: Final = StoreKey("example.com")
SOON: Final = 5

pytestmark = [CAN_FORK, MAY_HAVE_THREADS]


def in_time(function: Callable[[], object]) -> Callable[[], bool]:
    """Whether it does anything at all, in a process of its own, which ends otherwise."""

    def run() -> bool:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(SOON)
        function()
        return True

    return run


class At:
    """A thread that has the lock for a while."""

    def __init__(self, lock: Any, seconds: float = 0.3) -> None:
        self._lock, self._seconds, self._began = lock, seconds, threading.Event()
        self._thread = threading.Thread(target=self._hold)

    def _hold(self) -> None:
        with self._lock:
            self._began.set()
            time.sleep(self._seconds)

    def __enter__(self) -> None:
        self._thread.start()
        self._began.wait()

    def __exit__(self, *exception: object) -> None:
        self._thread.join()


def use_cache(cache: SessionCache) -> object:
    return cache.add(numbered(1), NOW), cache.take(numbered(1).session_id, NOW)


ANCHORS: Final = client_config().trust_anchors
assert ANCHORS is not None


@pytest.mark.parametrize(
    ("one", "use"),
    [
        (ClientSessionStore(), lambda one: one.put(KEY, numbered(1), NOW)),
        (SessionCache(), use_cache),
        (TicketUses(), lambda one: one.end_family(b"family", NOW, NOW + 1)),
        (Revocations(), lambda one: one.revoke_subject(b"somebody", NOW)),
        (TicketKeyRing.generate(NOW, os.urandom), lambda one: one.flush(NOW, os.urandom)),
        (
            TrustAnchors(ANCHORS.certificates).accepted,
            lambda one: one.add("asked", ANCHORS.roots.certificates),
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_another_thread_was_at_goes_on_in_both(one: Any, use: Callable[[Any], object]) -> None:
    with At(one._lock):
        assert forked(in_time(lambda: use(one)))
    use(one)


def test_a_context_too() -> None:
    context = SSLContext(ClientConfig(trust_anchors=ANCHORS))
    with At(context._settings.lock):
        assert forked(in_time(context._settings.profile))
    context._settings.profile()


def test_a_fork_waits_for_no_lock_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever forks has it itself, in the handler of a signal."""
    monkeypatch.setattr(locks, "PATIENCE", 0.05)
    store, other = ClientSessionStore(), SessionCache()
    with store._lock:
        assert forked(in_time(lambda: use_cache(other)))
    assert store.put(KEY, numbered(1), NOW)
    assert forked(in_time(lambda: store.put(KEY, numbered(2), NOW)))


def test_forks_side_by_side() -> None:
    store = ClientSessionStore()
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            store.put(KEY, numbered(1), NOW)

    done: list[bool] = []

    def fork() -> None:
        done.extend(forked(in_time(lambda: store.put(KEY, numbered(2), NOW))) for _ in range(5))

    threads = [threading.Thread(target=fork) for _ in range(3)]
    worker = threading.Thread(target=work)
    worker.start()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stop.set()
    worker.join()
    assert done == [True] * 15


def test_every_lock_of_the_package_is_one_of_them() -> None:
    """But that of a recorder, which does nothing in a process that was forked."""
    package = Path(sansticket.__file__).parent
    made = {
        str(path.relative_to(package)): re.findall(r"\S*\bR?Lock\(\)", path.read_text())
        for path in package.rglob("*.py")
        if path.name != "locks.py"
    }
    others = {name for name, found in made.items() if any(not one.startswith("over_forks(") for one in found)}
    assert others == {os.path.join("tickets", "stores", "replay.py")}
