"""Revocations over a real Redis: what one server revokes the others refuse, whoever was away in between."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from redis.asyncio import Redis

from sansticket import Revocations
from sansticket_wrappers.redis import RedisRevocations
from tests.support.loops import run
from tests.support.redis_server import RedisServer

NOW = 1_700_000_000.0
DAY = 86_400


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with RedisServer() as running:
        yield running


async def until(condition: Callable[[], Any]) -> None:
    while not condition():
        await asyncio.sleep(0.01)


@asynccontextmanager
async def listening(
    server: RedisServer, revocations: Revocations, **options: Any
) -> AsyncIterator[RedisRevocations]:
    """One server that hears the others."""
    async with Redis.from_url(server.url) as redis:
        channel = RedisRevocations(redis, revocations, **{"timeout": 5, **options})
        task = asyncio.create_task(channel.run())
        try:
            yield channel
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


def refused(revocations: Revocations, user: bytes) -> bool:
    return bool(revocations.why_refused(NOW - 1, app_data=user))


def test_the_others_hear_of_it(server: RedisServer) -> None:
    here, there = Revocations(), Revocations()
    calls: list[bool] = []

    async def main() -> None:
        async with (
            listening(server, here) as channel,
            listening(server, there, heard=lambda: calls.append(refused(there, b"alice"))),
        ):
            while not calls:
                assert await channel.publish(here.revoke_subject(b"alice", NOW))
                await asyncio.sleep(0.05)
            assert await channel.publish(here.revoke_key(b"k" * 16))
            await until(lambda: there.to_bytes() == here.to_bytes())

    run(main())
    assert calls[-1], "it is called when the list has it"


def test_a_server_that_comes_later_catches_up(server: RedisServer) -> None:
    here, later = Revocations(), Revocations()

    async def main() -> None:
        async with listening(server, here) as channel:
            await channel.publish(here.revoke_subject(b"alice", NOW))
            await channel.publish(here.revoke_subject(b"alice", NOW - DAY))
            await channel.publish(here.revoke_family(bytes(16), NOW))
        async with listening(server, later):
            await until(lambda: later.to_bytes() == here.to_bytes())

    run(main())


def test_what_was_revoked_without_redis_comes_when_it_is_back(
    server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """And what Redis has forgotten is brought back."""
    here, there = Revocations(), Revocations()

    async def main() -> None:
        async with (
            listening(server, here, timeout=0.25, interval=0.1) as channel,
            listening(server, there, timeout=0.25, interval=0.1),
        ):
            await channel.publish(here.revoke_subject(b"alice", NOW))
            await until(lambda: refused(there, b"alice"))
            server.end()
            assert not await channel.publish(here.revoke_subject(b"bob", NOW))
            await asyncio.sleep(0.3)
            assert not refused(there, b"bob")
            server._command = server._started()
            await until(lambda: refused(there, b"bob"))
            assert there.to_bytes() == here.to_bytes()
            assert server.client().zcard("revocations") == 2

    with caplog.at_level(logging.WARNING):
        run(main())
    assert "revocations were not announced" in caplog.text
    assert "no revocations are heard" in caplog.text


def test_a_redis_that_hangs_holds_nobody_up(server: RedisServer) -> None:
    here = Revocations()

    async def main() -> None:
        async with listening(server, here, timeout=0.1) as channel:
            server.freeze()
            try:
                began = asyncio.get_running_loop().time()
                assert not await channel.publish(here.revoke_subject(b"alice", NOW))
                assert asyncio.get_running_loop().time() - began < 5
            finally:
                server.thaw()

    run(main())
    assert refused(here, b"alice")


def test_what_is_forgotten_stays_so(server: RedisServer) -> None:
    """The floor of one server comes to the others, and out of Redis go the names below it."""
    here, there = Revocations(), Revocations()

    async def main() -> None:
        async with (
            listening(server, here, interval=0.1) as channel,
            listening(server, there, interval=0.1),
        ):
            await channel.publish(here.revoke_subject(b"alice", NOW))
            await channel.publish(here.revoke_subject(b"bob", NOW + DAY))
            await until(lambda: len(there) == 2)
            here.forget(NOW + 7 * DAY)
            await until(lambda: len(there) == 1)
            assert there.to_bytes() == here.to_bytes()
            assert server.client().zcard("revocations") == 2, "the floor, and bob"

    run(main())
    assert refused(there, b"alice")


def test_what_is_no_list_is_no_reason_to_stop(server: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    here, there = Revocations(), Revocations()

    async def main() -> None:
        async with listening(server, here) as channel, listening(server, there):
            await channel.publish(here.revoke_subject(b"alice", NOW))
            await until(lambda: refused(there, b"alice"))
            before = there.to_bytes()
            client = server.client()
            client.publish("revocations", here.to_bytes()[:-1])
            client.publish("revocations", b"hello")
            client.zadd("revocations", {b"another name": 5.0})
            await channel.publish(here.revoke_subject(b"bob", NOW))
            await until(lambda: refused(there, b"bob"))
            assert there.to_bytes() != before

    with caplog.at_level(logging.WARNING):
        run(main())
    assert "what was published is no list of revocations: cut short" in caplog.text
    assert "what was published is no list of revocations: format 104; expected 1" in caplog.text


@pytest.mark.parametrize("score", ["-inf", "-5", "0.5", "1e300", str(1 << 48), "+inf"])
@pytest.mark.parametrize("name", [bytes(16), b"floor"], ids=["family", "floor"])
def test_scores_that_are_no_times_are_no_reason_to_stop(
    server: RedisServer, score: str, name: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """What is above all times revokes for ever, and what is below revokes nothing."""
    here, there, calls = Revocations(), Revocations(), []

    async def main() -> None:
        server.client().execute_command("ZADD", "revocations", score, name)
        here.revoke_subject(b"alice", NOW)
        async with (
            listening(server, here, interval=0.1),
            listening(server, there, interval=0.1, heard=lambda: calls.append(refused(there, b"alice"))),
        ):
            await until(lambda: any(calls))

    run(main())
    for_ever = not score.startswith(("-", "0"))
    assert bool(there.why_refused(NOW + 1000 * DAY, family=bytes(16))) == for_ever
    assert not caplog.records


def test_a_function_that_fails_does_not_end_it(server: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    here, there = Revocations(), Revocations()

    async def main() -> None:
        async with listening(server, here) as channel, listening(server, there, heard=lambda: 1 / 0):
            for user in (b"alice", b"bob"):
                await channel.publish(here.revoke_subject(user, NOW))
                await until(lambda user=user: refused(there, user))

    run(main())
    assert "heard failed" in caplog.text
    assert "ZeroDivisionError" in caplog.text


def test_names_of_two_fleets_are_apart(server: RedisServer) -> None:
    here, there = Revocations(), Revocations()

    async def main() -> None:
        async with listening(server, here) as channel, listening(server, there, name=b"other", interval=0.1):
            await channel.publish(here.revoke_subject(b"alice", NOW))
            await asyncio.sleep(0.3)

    run(main())
    assert not len(there)
