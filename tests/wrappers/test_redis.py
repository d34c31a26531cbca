"""The store on a real Redis: every rule of a store, and what becomes of a handshake where Redis is not to be had."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

import pytest
from attrs import evolve
from redis.asyncio import Redis
from redis.exceptions import RedisError

from sansticket import (
    ClaimSession,
    ConfigError,
    LookUpSession,
    ProvideSession,
    Revocations,
    Session,
    SessionClaimed,
    SessionNotClaimed,
    SpentSession,
    TicketIssued,
    TicketUse,
    WindowedTicketKeys,
)
from sansticket.testing import CLAIM_RULES, RULES, ClaimRule, Rule
from sansticket_wrappers.redis import Answers, RedisRevocations, RedisStore
from tests.support.command import PATIENCE
from tests.support.loops import run
from tests.support.redis_server import RedisServer
from tests.support.sessions import numbered

TLS12, TLS13 = 0x0303, 0x0304
ROOT_SECRET: Final = bytes(range(32))


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with RedisServer() as running:
        yield running


@asynccontextmanager
async def connected(server: RedisServer) -> AsyncIterator[RedisStore]:
    async with Redis.from_url(server.url) as redis:
        yield RedisStore(redis, WindowedTicketKeys(ROOT_SECRET), timeout=PATIENCE)


@asynccontextmanager
async def two(server: RedisServer) -> AsyncIterator[tuple[RedisStore, RedisStore]]:
    """One waits, the other does not wait long, on the same connections."""
    async with Redis.from_url(server.url) as redis:
        keys = WindowedTicketKeys(ROOT_SECRET)
        yield RedisStore(redis, keys, timeout=PATIENCE), RedisStore(redis, keys, timeout=0.1)


@pytest.mark.parametrize("rule", [*RULES, *CLAIM_RULES], ids=str)
def test_it_keeps_the_rules(rule: Rule | ClaimRule, server: RedisServer) -> None:
    """As three servers have it, each with connections of its own."""

    async def main() -> None:
        async with AsyncExitStack() as stack:
            stores = [await stack.enter_async_context(connected(server)) for _ in range(3)]
            await rule.check(*stores, now=time.time, sleep=asyncio.sleep, gather=asyncio.gather)

    run(main())


def new_session(number: int, **changes: Any) -> Session:
    return evolve(numbered(number, issued_at=time.time()), **changes)


def left_of(session: Session, at: float | None = None) -> SpentSession:
    use = TicketUse(
        at=at or session.issued_at,
        version=TLS13,
        family=bytes(range(16)),
        generation=1,
        server_name="server.example",
        alpn_protocol=None,
        client_random=bytes(range(32)),
        hello=bytes(range(16, 32)),
    )
    key = bytes(range(32, 64))
    return SpentSession(session.session_id, use, session.cipher_suite, key, session.authenticated_at)


def test_redis_sees_no_secret(server: RedisServer) -> None:
    async def main() -> None:
        session = new_session(8, app_data=b"for nobody else")
        async with connected(server) as store, Redis.from_url(server.url) as redis:
            await store.put(session)
            dump = b"".join([key + (await redis.get(key) or b"") async for key in redis.scan_iter()])
        assert len(dump) > len(session.to_bytes())
        for secret in (session.secret, session.session_id, session.app_data):
            assert secret not in dump

    run(main())


def test_sessions_of_another_root_secret_or_name_are_none(server: RedisServer) -> None:
    async def main() -> None:
        session, other = new_session(1), new_session(2)
        async with connected(server) as store, Redis.from_url(server.url) as redis:
            await store.put(session)
            stranger = RedisStore(redis, WindowedTicketKeys(bytes(32)))
            assert await stranger.get(session.session_id) is None
            await redis.set(store._name(other.session_id), await redis.get(store._name(session.session_id)))
            assert await store.get(other.session_id) is None, "it was sealed for another id"
            assert await store.get(session.session_id) == session
            await redis.set(
                store._name(other.session_id), store._keys.seal(b"no session", time.time(), bytes)
            )
            assert await store.get(other.session_id) is None

    run(main())


def test_a_client_that_decodes_is_refused() -> None:
    texts = Redis(decode_responses=True)
    makers: list[Callable[[], object]] = [
        lambda: RedisStore(texts, WindowedTicketKeys(ROOT_SECRET)),
        lambda: RedisRevocations(texts, Revocations()),
    ]
    for make in makers:
        with pytest.raises(ConfigError, match=r"^redis: decode_responses is set"):
            make()


def test_a_look_up_leaves_and_a_claim_takes(server: RedisServer) -> None:
    async def main() -> None:
        session = new_session(3)
        async with connected(server) as store:
            await store.observe([TicketIssued(session, 0)])
            one, other = Answers(store), Answers(store)
            for version in (TLS12, TLS13, TLS12):
                assert await one.look_up(LookUpSession(session.session_id, version)) == ProvideSession(
                    session
                )
            first, second = left_of(session), left_of(session, at=session.issued_at + 60)
            assert await one.claim(ClaimSession(session, first)) == SessionClaimed()
            for answers in (one, other):
                assert await answers.claim(ClaimSession(session, second)) == SessionNotClaimed(first)
                answer = await answers.look_up(LookUpSession(session.session_id, TLS13))
                assert answer == ProvideSession(first)

    run(main())


def test_what_took_its_place_is_not_claimed(server: RedisServer) -> None:
    async def main() -> None:
        session = new_session(10)
        async with connected(server) as store:
            await store.put(evolve(session, app_data=b"another"))
            question = ClaimSession(session, left_of(session))
            assert await Answers(store).claim(question) == SessionNotClaimed()

    run(main())


def test_what_is_gone_is_not_claimed(server: RedisServer) -> None:
    """Evicted, or never there: nothing is left in its place, and no thief is suspected."""

    async def main() -> None:
        session = new_session(12)
        async with connected(server) as store:
            question = ClaimSession(session, left_of(session))
            assert await Answers(store).claim(question) == SessionNotClaimed()
            assert await store.find(session.session_id) is None

    run(main())


def test_what_is_left_is_sealed_and_goes_with_the_session(server: RedisServer) -> None:
    async def main() -> None:
        session = new_session(13, lifetime=100)
        spent = left_of(session)
        async with connected(server) as store, Redis.from_url(server.url) as redis:
            await store.put(session)
            name = store._name(session.session_id)
            before = await redis.pttl(name)
            stranger = RedisStore(redis, WindowedTicketKeys(bytes(32)))
            assert await stranger.find(session.session_id) is None
            assert await store.claim(spent) == session
            assert 0 < await redis.pttl(name) <= before <= 100_000
            kept = await redis.get(name)
            assert kept is not None
            assert kept.startswith(b"used up:")
            for secret in (session.secret, session.session_id, spent.binder_key, spent.use.client_random):
                assert secret not in kept
            assert await stranger.find(session.session_id) is None
            # Neither passes for the other, whatever somebody writes in front of it.
            await redis.set(name, kept.removeprefix(b"used up:"))
            assert await store.find(session.session_id) is None
            sealed = store._keys.seal(session.to_bytes(), time.time(), bytes)
            await redis.set(name, b"used up:" + sealed)
            assert await store.find(session.session_id) is None

    run(main())


def test_a_redis_that_persists_brings_back_what_was_taken() -> None:
    """Why docs/fleet.md says that it must not."""

    async def take(server: RedisServer, session: Session) -> Session | None:
        async with connected(server) as store:
            return await store.take(session.session_id)

    async def put(server: RedisServer, session: Session) -> None:
        async with connected(server) as store:
            await store.put(session)

    session = new_session(11)
    with RedisServer() as server:
        run(put(server, session))
        with server.client() as client:
            client.save()  # as its timer does by default
        assert run(take(server, session)) == session
        assert run(take(server, session)) is None
        server.restart()
        assert run(take(server, session)) == session


def test_a_failed_connection_removes_its_session(server: RedisServer) -> None:
    async def main() -> None:
        session = new_session(4)
        async with connected(server) as store:
            await store.put(session)
            store.settings()["session_cache"].remove(session)
            while await store.get(session.session_id) is not None:
                await asyncio.sleep(0.01)

    run(main())


def test_a_failed_connection_leaves_alone_what_another_has_used(server: RedisServer) -> None:
    """It issued the ticket, and is cut off long after."""

    async def main() -> None:
        session = new_session(14)
        spent = left_of(session)
        async with connected(server) as store:
            await store.put(session)
            assert await store.claim(spent) == session
            store.settings()["session_cache"].remove(session)
            assert store._removals
            await asyncio.gather(*store._removals)
            assert await store.find(session.session_id) == spent

    run(main())


# --- without Redis -------------------------------------------------------------------------------------------


@pytest.fixture
def troubled(request: pytest.FixtureRequest) -> Iterator[tuple[RedisServer, Callable[[], None]]]:
    """A Redis that is frozen, or gone."""
    with RedisServer() as running:
        yield running, running.freeze if request.param == "frozen" else running.end
        running.thaw() if request.param == "frozen" else running.restart()


@pytest.mark.parametrize("troubled", ["frozen", "gone"], indirect=True)
def test_nothing_waits_long_or_raises(
    troubled: tuple[RedisServer, Callable[[], None]], caplog: pytest.LogCaptureFixture
) -> None:
    server, begin = troubled

    async def main() -> None:
        session = new_session(9)
        async with two(server) as (patient, store):
            await patient.put(session)
            begin()
            started = time.monotonic()
            await store.observe([TicketIssued(new_session(5), 0)])
            asking, claiming = Answers(store), Answers(store)
            for _ in range(8):  # as many tickets as a server looks at
                assert await asking.look_up(LookUpSession(session.session_id, TLS13)) == ProvideSession(None)
            question = ClaimSession(session, left_of(session))
            assert await claiming.claim(question) == SessionNotClaimed()
            assert time.monotonic() - started < PATIENCE / 3, "three operations of a tenth of a second each"
            with pytest.raises((OSError, RedisError)):
                await store.get(session.session_id)

    with caplog.at_level(logging.WARNING):
        run(main())
    assert [message.split(":")[0] for message in caplog.messages] == [
        "session write failed",
        "session look-up failed",
        "session claim failed",
    ]


def test_answers_that_came_too_late_are_nobody_elses(server: RedisServer) -> None:
    """A connection on which an answer is still to come is not used again."""

    async def main() -> None:
        first, second = new_session(6), new_session(7)
        async with two(server) as (patient, store):
            await patient.put(first)
            await patient.put(second)
            server.freeze()
            try:
                answer = await Answers(store).look_up(LookUpSession(first.session_id, TLS12))
                assert answer == ProvideSession(None)
            finally:
                server.thaw()
            for session in (second, first) * 5:
                assert await patient.get(session.session_id) == session

    run(main())
