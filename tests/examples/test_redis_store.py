"""The store on a real Redis: every rule of a store, and what becomes of a handshake where Redis is not to be had."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest
from attrs import evolve
from redis.asyncio import Redis
from redis.exceptions import RedisError

from examples.redis_store import RedisStore
from sansticket import LookUpSession, Session, TicketIssued, WindowedTicketKeys
from sansticket.testing import RULES, Rule
from tests.support.command import PATIENCE
from tests.support.redis_server import RedisServer
from tests.support.sessions import numbered

TLS12, TLS13 = 0x0303, 0x0304
ROOT_SECRET: Final = bytes(range(32))


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with RedisServer() as running:
        yield running


@asynccontextmanager
async def connected(server: RedisServer, **options: Any) -> AsyncIterator[RedisStore]:
    async with Redis.from_url(server.url) as redis:
        yield RedisStore(redis, WindowedTicketKeys(ROOT_SECRET), **options)


def run(main: Coroutine[Any, Any, None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(PATIENCE):
            await main

    asyncio.run(bounded())


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_it_keeps_the_rules(rule: Rule, server: RedisServer) -> None:
    async def main() -> None:
        async with connected(server, timeout=5) as store:
            await rule.check(store, now=time.time, sleep=asyncio.sleep, gather=asyncio.gather)

    run(main())


def new_session(number: int, **changes: Any) -> Session:
    return evolve(numbered(number, issued_at=time.time()), **changes)


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
            await redis.set(store._name(other.session_id), store._keys.seal(b"no session", time.time(), bytes))
            assert await store.get(other.session_id) is None
        async with Redis.from_url(server.url, decode_responses=True, encoding_errors="replace") as texts:
            assert await RedisStore(texts, WindowedTicketKeys(ROOT_SECRET)).get(session.session_id) is None

    run(main())


def test_tls13_takes_and_tls12_looks(server: RedisServer) -> None:
    async def main() -> None:
        session = new_session(3)
        async with connected(server) as store:
            await store.observe([TicketIssued(session, 0)])
            for version, there in ((TLS12, True), (TLS12, True), (TLS13, True), (TLS13, False), (TLS12, False)):
                answer = await store.look_up(LookUpSession(session.session_id, version))
                assert answer.session == (session if there else None)

    run(main())


def test_a_failed_connection_removes_its_session(server: RedisServer) -> None:
    async def main() -> None:
        session = new_session(4)
        async with connected(server) as store:
            await store.put(session)
            store.settings()["session_cache"].remove(session)
            while await store.get(session.session_id) is not None:
                await asyncio.sleep(0.01)

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
        async with connected(server, timeout=0.1) as store:
            await store.put(session)
            begin()
            started = time.monotonic()
            await store.observe([TicketIssued(new_session(5), 0)])
            assert (await store.look_up(LookUpSession(session.session_id, TLS13))).session is None
            assert (await store.look_up(LookUpSession(session.session_id, TLS12))).session is None
            assert time.monotonic() - started < PATIENCE / 3, "three operations of a tenth of a second each"
            with pytest.raises((OSError, RedisError)):
                await store.get(session.session_id)

    with caplog.at_level(logging.WARNING):
        run(main())
    assert [message.split(":")[0] for message in caplog.messages] == [
        "session write failed",
        "session look-up failed",
        "session look-up failed",
    ]


def test_answers_that_came_too_late_are_nobody_elses(server: RedisServer) -> None:
    """A connection on which an answer is still to come is not used again."""

    async def main() -> None:
        first, second = new_session(6), new_session(7)
        async with connected(server, timeout=0.1) as store:
            await store.put(first)
            await store.put(second)
            server.freeze()
            try:
                assert (await store.look_up(LookUpSession(first.session_id, TLS12))).session is None
            finally:
                server.thaw()
            for session in (second, first) * 5:
                assert await store.get(session.session_id) == session

    run(main())
