"""Of stores of sessions: a server's cache, and what a client keeps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import process_time
from typing import Final

from attrs import evolve

from benchmarks.growth.curves import Growth, by_name, sizes, texts
from benchmarks.harness import Plan
from benchmarks.ours import Ours
from sansticket import ClientSessionStore, Session, SessionCache, StoreKey

SLICE: Final = 1_000
"""Sessions of which the cost of one is taken."""


def cache(plan: Plan) -> str:
    """Full of sessions that were never used."""
    numbers = sizes(plan, 1_000, 10_000, 100_000, 1_000_000)
    sessions = _sessions()
    full = SessionCache(size=0)
    measured = {number: _cached(full, sessions, number) for number in numbers}
    curves = by_name(("add", "get", "add, where another has to go"), measured)
    return texts([Growth("cache", "SessionCache", "sessions in it", "µs", curves)], plan)


def _sessions() -> Iterator[Session]:
    """Each with an id of its own."""
    session, number = Ours().session, 0
    while True:
        number += 1
        yield evolve(session, session_id=number.to_bytes(32, "big"))


def _cached(full: SessionCache, sessions: Iterator[Session], number: int) -> tuple[float, float, float]:
    """Microseconds of each call, with so many sessions in the cache."""
    full.size = 0
    while len(full) < number - SLICE:
        session = next(sessions)
        full.add(session, session.issued_at)
    some = [next(sessions) for _ in range(SLICE)]
    now = some[0].issued_at
    add = _each(lambda: sum(full.add(session, now) for session in some))
    get = _each(lambda: sum(full.get(session.session_id, now) is session for session in some))
    full.size = number
    others = [next(sessions) for _ in range(SLICE)]
    replace = _each(lambda: sum(full.add(session, now) for session in others))
    assert len(full) == number
    return add, get, replace


def _each(work: Callable[[], int]) -> float:
    """Microseconds of each of a slice."""
    start = process_time()
    assert work() == SLICE
    return (process_time() - start) * 1e6 / SLICE


def client_store(plan: Plan) -> str:
    """Names of servers with one session each."""
    numbers = sizes(plan, 1_000, 10_000, 100_000)
    session = Ours().session
    measured = {number: _stored(session, number) for number in numbers}
    names = (
        "put",
        "reserve and give back",
        "len and flush, a name",
        "to_bytes, a name",
        "from_bytes, a name",
    )
    growth = Growth("client-store", "ClientSessionStore", "names in it", "µs", by_name(names, measured))
    return texts([growth], plan)


def _stored(session: Session, number: int) -> tuple[float, ...]:
    """Microseconds of each call; of what goes through all of it, for each name."""
    now = session.issued_at
    store = ClientSessionStore(servers=number)
    keys = [StoreKey(f"{place}.example") for place in range(number)]
    for key in keys[SLICE:]:
        store.put(key, session, now)
    put = _each(lambda: sum(store.put(key, session, now) for key in keys[:SLICE]))
    lend = _each(lambda: sum(_lent(store, key, now) for key in keys[:SLICE]))
    start = process_time()
    assert len(store) == number
    store.flush(now)
    flushed = process_time()
    data = store.to_bytes()
    written = process_time()
    assert len(ClientSessionStore.from_bytes(data, servers=number)) == number
    read = process_time()
    whole = (flushed - start, written - flushed, read - written)
    return put, lend, *(seconds * 1e6 / number for seconds in whole)


def _lent(store: ClientSessionStore, key: StoreKey, now: float) -> bool:
    reservation = store.reserve(key, now)
    return reservation is not None and reservation.give_back(now)
