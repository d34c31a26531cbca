"""The rules of ``sansticket.testing``: kept by the cache, and broken by stores that have one thing wrong each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from threading import Lock
from typing import Any

import pytest
from attrs import evolve

from sansticket import Session, SessionCache
from sansticket.testing.store_rules import RULES, BrokenRule, Rule

every_rule = pytest.mark.parametrize("rule", RULES, ids=str)


class Clock:
    """Time that passes when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Cached:
    """The cache of the package as a store."""

    def __init__(self, clock: Clock) -> None:
        self.cache, self.clock = SessionCache(0), clock

    def put(self, session: Session) -> None:
        self.cache.add(session, self.clock())

    def get(self, session_id: bytes) -> Session | None:
        return self.cache.get(session_id, self.clock())

    def take(self, session_id: bytes) -> Session | None:
        return self.cache.take(session_id, self.clock())

    def remove(self, session_id: bytes) -> None:
        session = self.cache.get(session_id, self.clock())
        if session is not None:
            self.cache.remove(session)


class Simple:
    """As a store should be, by a dict whose single operations are atomic."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.sessions: dict[bytes, bytes] = {}
        self.clock = clock

    def put(self, session: Session) -> None:
        self.sessions[session.session_id] = session.to_bytes()

    def get(self, session_id: bytes) -> Session | None:
        return self.alive(self.sessions.get(session_id))

    def take(self, session_id: bytes) -> Session | None:
        return self.alive(self.sessions.pop(session_id, None))

    def remove(self, session_id: bytes) -> None:
        self.sessions.pop(session_id, None)

    def alive(self, data: bytes | None) -> Session | None:
        session = Session.from_bytes(data) if data is not None else None
        return None if session is None or session.expired(self.clock()) else session


class Waiting:
    """A blocking store behind an event loop that does other things between any two operations."""

    def __init__(self, store: Simple) -> None:
        self.store = store

    async def put(self, session: Session) -> None:
        await asyncio.sleep(0)
        self.store.put(session)

    async def get(self, session_id: bytes) -> Session | None:
        await asyncio.sleep(0)
        return self.store.get(session_id)

    async def take(self, session_id: bytes) -> Session | None:
        await asyncio.sleep(0)
        return self.store.take(session_id)

    async def remove(self, session_id: bytes) -> None:
        await asyncio.sleep(0)
        self.store.remove(session_id)


def check(rule: Rule, store: Waiting, clock: Clock) -> None:
    async def sleep(seconds: float) -> None:
        clock.sleep(seconds)

    asyncio.run(rule.check(store, now=clock, sleep=sleep, gather=asyncio.gather))


@every_rule
def test_the_cache_keeps_them(rule: Rule) -> None:
    clock = Clock()
    rule.check_blocking(Cached(clock), now=clock, sleep=clock.sleep)


@every_rule
def test_a_simple_store_keeps_them(rule: Rule) -> None:
    clock = Clock()
    rule.check_blocking(Simple(clock), now=clock, sleep=clock.sleep)
    check(rule, Waiting(Simple(clock)), clock)


def test_names_are_unique_and_reasons_given() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert all(rule.why for rule in RULES)


# --- stores that have one thing wrong ------------------------------------------------------------------------


class GetThatTakes(Simple):
    def get(self, session_id: bytes) -> Session | None:
        return self.take(session_id)


class CutOff(Simple):
    """Fields of fixed size, as some databases have them."""

    def put(self, session: Session) -> None:
        super().put(evolve(session, app_data=session.app_data[:255]))


class Prefixes(Simple):
    def get(self, session_id: bytes) -> Session | None:
        found = [known for known in self.sessions if known.startswith(session_id)]
        return super().get(found[0]) if found else None


class NoReplacement(Simple):
    def put(self, session: Session) -> None:
        self.sessions.setdefault(session.session_id, session.to_bytes())


class TakeThatLeaves(Simple):
    def take(self, session_id: bytes) -> Session | None:
        return self.get(session_id)


class TwoSteps(Simple):
    """A look-up and a deletion, with time for another caller between them."""

    def take(self, session_id: bytes) -> Session | None:
        session = self.get(session_id)
        time.sleep(0.002)
        self.remove(session_id)
        return session


class WriteBack(Simple):
    """What was taken is written again, marked as used."""

    def take(self, session_id: bytes) -> Session | None:
        session = super().take(session_id)
        time.sleep(0.002)
        if session is not None:
            self.put(evolve(session, app_data=b"used"))
        return None if session is not None and session.app_data == b"used" else session


class SharedBuffer(Simple):
    """The answer is kept in the store until the caller fetches it."""

    def take(self, session_id: bytes) -> Session | None:
        self.answer = super().take(session_id)
        time.sleep(0.002)
        return self.answer


class LostDeletion(Simple):
    def remove(self, session_id: bytes) -> None:
        pass


class NoExpiry(Simple):
    def alive(self, data: bytes | None) -> Session | None:
        return Session.from_bytes(data) if data is not None else None


class FullLifetime(Simple):
    """It expires its whole lifetime after it was put in."""

    def put(self, session: Session) -> None:
        super().put(evolve(session, issued_at=self.clock()))


class LockOfOneProcess(Simple):
    """Two steps again, now with a lock; ``server()`` is the same store as another process has it."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__(clock)
        self.lock = Lock()

    def server(self) -> LockOfOneProcess:
        other = type(self)(self.clock)
        other.sessions = self.sessions
        return other

    def take(self, session_id: bytes) -> Session | None:
        with self.lock:
            session = self.get(session_id)
            time.sleep(0.002)
            self.remove(session_id)
            return session


class CopyOfOneProcess(LockOfOneProcess):
    """What was found once is kept at hand."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__(clock)
        self.seen: dict[bytes, Session] = {}

    def get(self, session_id: bytes) -> Session | None:
        session = self.seen.get(session_id) or super().get(session_id)
        if session is not None:
            self.seen[session_id] = session
        return session

    def remove(self, session_id: bytes) -> None:
        self.seen.pop(session_id, None)
        super().remove(session_id)


BROKEN: dict[str, type[Simple]] = {
    "keeps": GetThatTakes,
    "keeps every byte": CutOff,
    "knows no strangers": Prefixes,
    "keeps the latest": NoReplacement,
    "takes away": TakeThatLeaves,
    "gives to one": TwoSteps,
    "takes or removes": WriteBack,
    "keeps callers apart": SharedBuffer,
    "removes": LostDeletion,
    "forgets in time": NoExpiry,
    "refuses what is over": NoExpiry,
}
"""Which store each rule finds out."""


def test_every_rule_finds_somebody_out() -> None:
    assert set(BROKEN) == {rule.name for rule in RULES}


@every_rule
def test_broken_stores_are_found_out(rule: Rule) -> None:
    clock = Clock()
    with pytest.raises(BrokenRule) as broken:
        rule.check_blocking(BROKEN[rule.name](clock), now=clock, sleep=clock.sleep)
    assert str(broken.value).startswith(f"{rule.name}: expected ")
    assert str(broken.value).endswith(f". {rule.why}")


def test_a_lifetime_begins_with_the_session() -> None:
    clock = Clock()
    rule = next(rule for rule in RULES if rule.name == "forgets in time")
    with pytest.raises(BrokenRule):
        rule.check_blocking(FullLifetime(clock), now=clock, sleep=clock.sleep)


def test_two_steps_of_an_event_loop_are_found_out() -> None:
    class TwoAwaits(Waiting):
        async def take(self, session_id: bytes) -> Session | None:
            session = await self.get(session_id)
            await self.remove(session_id)
            return session

    clock = Clock()
    rule = next(rule for rule in RULES if rule.name == "gives to one")
    with pytest.raises(BrokenRule, match="expected one of 8 callers to get the session, and 8 did"):
        check(rule, TwoAwaits(Simple(clock)), clock)


@pytest.mark.parametrize(
    ("kind", "broken"),
    [
        (LockOfOneProcess, {"gives to one"}),
        (CopyOfOneProcess, {"keeps the latest", "takes away", "gives to one", "removes"}),
    ],
)
def test_what_holds_for_one_process_only_is_found_out_by_several(
    kind: type[LockOfOneProcess], broken: set[str]
) -> None:
    """With one of them they are as good as any, apart from the time that a copy lives."""
    for rule in RULES:
        if rule.name not in ("keeps the latest", "forgets in time"):
            clock = Clock()
            rule.check_blocking(kind(clock), now=clock, sleep=clock.sleep)
    found = set()
    for rule in RULES:
        clock = Clock()
        store = kind(clock)
        servers = [store, store.server(), store.server()]
        try:
            rule.check_blocking(*servers, now=clock, sleep=clock.sleep)
        except BrokenRule:
            found.add(rule.name)
    assert found - {"forgets in time"} == broken


def test_secrets_are_not_shown() -> None:
    clock = Clock()
    store = NoReplacement(clock)
    with pytest.raises(BrokenRule) as broken:
        next(rule for rule in RULES if rule.name == "keeps the latest").check_blocking(
            store, now=clock, sleep=clock.sleep
        )
    for data in store.sessions.values():
        assert Session.from_bytes(data).secret.hex() not in str(broken.value)


def test_a_store_that_waits_is_none_that_blocks() -> None:
    clock = Clock()
    store: Any = Waiting(Simple(clock))
    with pytest.raises(TypeError, match="Waiting has to be awaited; expected a store for ``check``"):
        RULES[0].check_blocking(store, now=clock, sleep=clock.sleep)


def test_what_a_store_raises_comes_through() -> None:
    class Unreachable(Simple):
        def put(self, session: Session) -> None:
            raise ConnectionError("nobody there")

    clock = Clock()
    with pytest.raises(ConnectionError, match="nobody there"):
        RULES[0].check_blocking(Unreachable(clock), now=clock, sleep=clock.sleep)


def test_a_store_that_gives_something_else_is_told_what() -> None:
    """Its bytes, because it forgot to read them; they are not shown."""

    class Unread(Simple):
        def alive(self, data: bytes | None) -> Any:
            return data

    clock = Clock()
    for rule in RULES:
        if rule.name not in ("takes or removes", "knows no strangers"):
            with pytest.raises(BrokenRule, match="a value of type bytes") as broken:
                rule.check_blocking(Unread(clock), now=clock, sleep=clock.sleep)
            assert "session" in str(broken.value)
