"""The rules for a store that says who was first: kept by two, and broken by stores that have one thing wrong each."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from threading import Lock
from typing import Any

import pytest
from attrs import evolve

from sansticket import Session, SpentSession
from sansticket.testing import CLAIM_RULES, BrokenRule, ClaimingStore, ClaimRule

every_rule = pytest.mark.parametrize("rule", CLAIM_RULES, ids=str)

Found = Session | SpentSession | None


class Clock:
    """Time that passes when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Simple:
    """As a store should be: a dict, a lock, and for each id when it is over and what there is."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.kept: dict[bytes, tuple[float, bytes]] = {}
        self.clock = clock
        self.lock = Lock()

    def put(self, session: Session) -> None:
        self.kept[session.session_id] = (session.issued_at + session.lifetime, session.to_bytes())

    def find(self, session_id: bytes) -> Found:
        over, data = self.kept.get(session_id, (0.0, b""))
        if over <= self.clock():
            return None
        return SpentSession.from_bytes(data) if data[0] == 0x81 else Session.from_bytes(data)

    def claim(self, spent: SpentSession) -> Found:
        with self.lock:
            found = self.find(spent.session_id)
            if isinstance(found, Session):
                self.leave(spent, self.kept[spent.session_id][0])
            return found

    def leave(self, spent: SpentSession, until: float) -> None:
        self.kept[spent.session_id] = (until, spent.to_bytes())

    def remove(self, session_id: bytes) -> None:
        if isinstance(self.find(session_id), Session):
            del self.kept[session_id]


class Waiting:
    """It behind an event loop that does other things before each operation."""

    def __init__(self, store: Simple) -> None:
        self.store = store

    async def put(self, session: Session) -> None:
        await asyncio.sleep(0)
        self.store.put(session)

    async def find(self, session_id: bytes) -> Found:
        await asyncio.sleep(0)
        return self.store.find(session_id)

    async def claim(self, spent: SpentSession) -> Found:
        await asyncio.sleep(0)
        return self.store.claim(spent)

    async def remove(self, session_id: bytes) -> None:
        await asyncio.sleep(0)
        self.store.remove(session_id)


def check(rule: ClaimRule, store: ClaimingStore, clock: Clock) -> None:
    async def sleep(seconds: float) -> None:
        clock.sleep(seconds)

    asyncio.run(rule.check(store, now=clock, sleep=sleep, gather=asyncio.gather))


@every_rule
def test_a_simple_store_keeps_them(rule: ClaimRule) -> None:
    clock = Clock()
    store = Simple(clock)
    rule.check_blocking(store, store, now=clock, sleep=clock.sleep)
    check(rule, Waiting(Simple(clock)), clock)


# --- broken in one way each --------------------------------------------------------------------------------------


class UsesUp(Simple):
    def find(self, session_id: bytes) -> Found:
        found = super().find(session_id)
        if not self.lock.locked():
            self.kept.pop(session_id, None)
        return found


class Racing(Waiting):
    """Looks first and writes after: others get in between."""

    async def claim(self, spent: SpentSession) -> Found:
        found = await self.find(spent.session_id)
        if isinstance(found, Session):
            await asyncio.sleep(0)
            self.store.leave(spent, self.store.kept[spent.session_id][0])
        return found


class KeepsTheLast(Simple):
    def claim(self, spent: SpentSession) -> Found:
        found = super().claim(spent)
        if isinstance(found, SpentSession):
            self.leave(spent, self.kept[spent.session_id][0])
        return found


class KeepsNothing(Simple):
    """As one that only deletes: ``RULES`` are enough for that, and these are not kept."""

    def leave(self, spent: SpentSession, until: float) -> None:
        self.remove(spent.session_id)


class RoundsTimes(Simple):
    def leave(self, spent: SpentSession, until: float) -> None:
        super().leave(evolve(spent, use=evolve(spent.use, generation=spent.use.generation & 3)), until)


class KeepsOfStrangers(Simple):
    def claim(self, spent: SpentSession) -> Found:
        found = super().claim(spent)
        if found is None:
            self.leave(spent, self.clock() + 7200)
        return found


class NeverRemoves(Simple):
    def remove(self, session_id: bytes) -> None:
        if session_id not in self.kept:
            super().remove(session_id)


class RemovesAll(Simple):
    def remove(self, session_id: bytes) -> None:
        self.kept.pop(session_id, None)


class KeepsForLonger(Simple):
    def leave(self, spent: SpentSession, until: float) -> None:
        super().leave(spent, until + 7200)


class ForgetsTooSoon(Simple):
    def leave(self, spent: SpentSession, until: float) -> None:
        super().leave(spent, min(until, self.clock() + 2))


BROKEN: dict[str, tuple[type[Simple], type[Waiting], str]] = {
    "uses up": (UsesUp, Waiting, "finds"),
    "races": (Simple, Racing, "gives to one, and tells the others"),
    "keeps the last": (KeepsTheLast, Waiting, "keeps the first"),
    "keeps nothing": (KeepsNothing, Waiting, "keeps the first"),
    "loses bits": (RoundsTimes, Waiting, "keeps every byte of what is left"),
    "keeps of strangers": (KeepsOfStrangers, Waiting, "keeps nothing of strangers"),
    "never removes": (NeverRemoves, Waiting, "removes what may be claimed"),
    "removes all": (RemovesAll, Waiting, "does not remove what is left"),
    "keeps for longer": (KeepsForLonger, Waiting, "forgets what is left in time"),
    "forgets too soon": (ForgetsTooSoon, Waiting, "forgets what is left in time"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_store_breaks_its_rule(name: str) -> None:
    kind, front, broken = BROKEN[name]
    clock = Clock()
    rule = next(rule for rule in CLAIM_RULES if rule.name == broken)
    with pytest.raises(BrokenRule, match=rf"^{broken}: expected .*\. {re.escape(rule.why)}$"):
        check(rule, front(kind(clock)), clock)


def test_every_rule_can_be_broken() -> None:
    assert {broken for _, _, broken in BROKEN.values()} == {rule.name for rule in CLAIM_RULES}


def test_what_a_broken_rule_says_tells_uses_apart_and_no_secret() -> None:
    clock = Clock()
    rule = next(rule for rule in CLAIM_RULES if rule.name == "keeps the first")
    said = r"expected what \w{8} has left of the session \w{8}, and there was what \w{8}"
    with pytest.raises(BrokenRule, match=said):
        check(rule, Waiting(KeepsTheLast(clock)), clock)


def test_a_store_that_gives_something_else_is_told_what() -> None:
    class Unread(Simple):
        def find(self, session_id: bytes) -> Any:
            return self.kept.get(session_id, (0.0, b""))[1]

    clock = Clock()
    with pytest.raises(BrokenRule, match=r"expected the session \w{8}, and there was a value of type bytes"):
        CLAIM_RULES[0].check_blocking(Unread(clock), now=clock, sleep=clock.sleep)


def test_a_store_that_has_to_be_awaited_is_not_for_threads() -> None:
    clock = Clock()
    waiting: Any = Waiting(Simple(clock))
    with pytest.raises(TypeError, match="Waiting has to be awaited; expected a store for ``check``"):
        CLAIM_RULES[0].check_blocking(waiting, now=clock, sleep=clock.sleep)
