"""The recorder of ClientHellos on a real Redis: the rules, and its answers where Redis may have forgotten something."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from redis.asyncio import Redis

from sansticket import ClaimEarlyData, EarlyDataClaimed, EarlyDataNotClaimed
from sansticket.testing import FRESH_RECORDER_RULES, RECORDER_RULES, RecorderRule
from sansticket_wrappers.redis import RedisRecorder
from tests.support.command import PATIENCE
from tests.support.redis_server import RedisServer
from tests.wrappers.test_redis import run, server, troubled

__all__ = ["server", "troubled"]


@asynccontextmanager
async def connected(server: RedisServer, **options: Any) -> AsyncIterator[RedisRecorder]:
    async with Redis.from_url(server.url) as redis:
        yield RedisRecorder(redis, **{"timeout": PATIENCE, **options})


@asynccontextmanager
async def two(server: RedisServer) -> AsyncIterator[tuple[RedisRecorder, RedisRecorder]]:
    """One waits, the other does not wait long, on the same connections."""
    async with Redis.from_url(server.url) as redis:
        yield RedisRecorder(redis, timeout=PATIENCE), RedisRecorder(redis, timeout=0.1)


async def warm(recorder: RedisRecorder, server: RedisServer) -> None:
    """As if a window had passed since it first saw this Redis."""
    assert not await claim(recorder)
    with server.client() as client:
        assert client.delete("{early-data}:not yet") == 1


async def claim(recorder: RedisRecorder, key: bytes | None = None, seconds: float = 20) -> bool:
    return await recorder.claim(os.urandom(32) if key is None else key, time.time() + seconds)


@pytest.mark.parametrize("rule", RECORDER_RULES, ids=str)
def test_it_keeps_the_rules(rule: RecorderRule, server: RedisServer) -> None:
    """As three servers have it, each with connections of its own."""

    async def main() -> None:
        async with AsyncExitStack() as stack:
            recorders = [await stack.enter_async_context(connected(server)) for _ in range(3)]
            if not await claim(recorders[0]):
                await warm(recorders[0], server)
            await rule.check(*recorders, now=time.time, sleep=asyncio.sleep, gather=asyncio.gather)

    run(main())


@pytest.mark.parametrize("rule", FRESH_RECORDER_RULES, ids=str)
def test_a_fresh_one_keeps_the_rules(rule: RecorderRule) -> None:
    async def main() -> None:
        with RedisServer() as server:
            async with connected(server) as one, connected(server) as other:
                await rule.check(one, other, now=time.time, sleep=asyncio.sleep, gather=asyncio.gather)

    run(main())


def test_it_begins_when_its_window_has_passed() -> None:
    """Of the first server that asks; one that is started later has not to wait."""

    async def main() -> None:
        with RedisServer() as server:
            async with connected(server, window=2) as one:
                begun = time.monotonic()
                while not await claim(one, seconds=1.5):
                    await asyncio.sleep(0.05)
                assert 1.9 < time.monotonic() - begun < PATIENCE
            async with connected(server, window=2) as later:
                assert await claim(later, seconds=1.5)

    run(main())


def forget_nothing(server: RedisServer) -> None:
    pass


def restart(server: RedisServer) -> None:
    server.restart()


def restart_with_a_snapshot_of_before(server: RedisServer) -> None:
    """Which ``restore`` of the test made: it brings back all that Redis knew then, and not what it has learnt since."""
    server.restart()


def flush(server: RedisServer) -> None:
    with server.client() as client:
        client.flushall()


def evict(server: RedisServer) -> None:
    with server.client() as client:
        before = client.info("stats")["evicted_keys"]
        client.config_set("maxmemory-policy", "volatile-ttl")  # what docs/fleet.md says of sessions
        client.config_set("maxmemory", client.info("memory")["used_memory"] + 200_000)
        for number in range(2000):
            client.set(b"session:%d" % number, bytes(1000), px=1000_000)
        client.config_set("maxmemory", 0)
        assert client.info("stats")["evicted_keys"] > before


@pytest.mark.parametrize("loss", [forget_nothing, restart, restart_with_a_snapshot_of_before, flush, evict])
def test_what_redis_may_have_forgotten_is_not_accepted(loss: Callable[[RedisServer], None]) -> None:
    key = os.urandom(32)

    async def main() -> None:
        with RedisServer() as server:
            async with connected(server) as recorder:
                await warm(recorder, server)
                if loss is restart_with_a_snapshot_of_before:
                    with server.client() as client:
                        client.save()
                assert await claim(recorder, key)
                loss(server)
                replays = [await claim(recorder, key) for _ in range(3)]
                assert not any(replays)
                assert await claim(recorder) == (loss is forget_nothing)

    run(main())


def test_without_room_nothing_is_claimed(caplog: pytest.LogCaptureFixture) -> None:
    """Where Redis may evict nothing it takes nothing more."""

    async def main() -> None:
        with RedisServer() as server:
            async with connected(server) as recorder:
                await warm(recorder, server)
                with server.client() as client:
                    client.config_set("maxmemory", 1)
                assert not await claim(recorder)
                with server.client() as client:
                    client.config_set("maxmemory", 0)
                assert await claim(recorder)

    run(main())
    assert "early data refused: " in caplog.text


def test_a_window_that_is_too_short_claims_nothing(
    server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with connected(server) as recorder:
            if not await claim(recorder):
                await warm(recorder, server)
            assert await claim(recorder, seconds=59)
            assert not await claim(recorder, seconds=61)

    run(main())
    assert "longer than the 60.0 s of the window" in caplog.text


@pytest.mark.parametrize("troubled", ["frozen", "gone"], indirect=True)
def test_without_redis_nothing_is_claimed_and_nobody_waits_long(
    troubled: tuple[RedisServer, Callable[[], None]], caplog: pytest.LogCaptureFixture
) -> None:
    server, begin = troubled

    async def main() -> None:
        async with two(server) as (patient, recorder):
            await warm(patient, server)
            begin()
            started = time.monotonic()
            assert not any(await asyncio.gather(*[claim(recorder) for _ in range(8)]))
            assert not await claim(recorder)
            assert time.monotonic() - started < PATIENCE / 3, "two times a tenth of a second"

    with caplog.at_level(logging.WARNING):
        run(main())
    assert [message.split(":")[0] for message in caplog.messages] == ["early data refused"] * 9


def test_an_answer_that_was_lost_is_no_claim_for_anybody_else(server: RedisServer) -> None:
    """Redis may have carried it out: the replay is refused all the same."""

    async def main() -> None:
        key = os.urandom(32)
        async with two(server) as (patient, recorder):
            while not await claim(patient):
                await warm(patient, server)
            server.freeze()
            try:
                assert not await claim(recorder, key)
            finally:
                server.thaw()
            await asyncio.sleep(0.1)
            claims = [await claim(patient, key) for _ in range(3)]
            assert claims.count(True) <= 1
            assert [await claim(patient) for _ in range(5)] == [True] * 5

    run(main())


def test_it_answers_the_question(server: RedisServer) -> None:
    async def main() -> None:
        async with connected(server) as one, connected(server) as other:
            while not await claim(one):
                await warm(one, server)
            question = ClaimEarlyData(os.urandom(32), time.time() + 20)
            refusal = EarlyDataNotClaimed("seen before, or Redis cannot tell")
            answers = [await recorder.answer(question) for recorder in (one, other, one)]
            assert answers == [EarlyDataClaimed(), refusal, refusal]

    run(main())


def test_redis_does_not_see_the_keys(server: RedisServer) -> None:
    async def main() -> None:
        key = os.urandom(32)
        async with connected(server) as recorder, Redis.from_url(server.url) as redis:
            await claim(recorder, key)
            assert not [name async for name in redis.scan_iter() if key in name]

    run(main())


def test_the_names_lie_together_in_a_cluster(server: RedisServer) -> None:
    """Redis Cluster keeps names with the same word in braces on one machine."""

    async def main() -> None:
        async with connected(server) as recorder, Redis.from_url(server.url) as redis:
            await claim(recorder)
            names = [name async for name in redis.scan_iter() if b"early-data" in name]
            assert names
            assert all(name.startswith(b"{early-data}:") for name in names)

    run(main())
