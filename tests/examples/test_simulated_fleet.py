"""The simulator says what servers do that are processes of their own: the same script for both, with the same end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import pytest

from sansticket import ClientConnection, SendEarlyData
from sansticket.fleet import (
    Condition,
    Fleet,
    Kind,
    Plan,
    Recorders,
    Store,
    StoredSessions,
    WindowedKeys,
    World,
)
from sansticket.fleet.identity import NAME
from tests.support.redis_server import RedisServer
from tests.support.server_fleet import NAMES, VERSIONS, Recorded, StartFleet, when_recorders_have_begun

SCRIPT: Final = (
    *("one", "two", "three", "one"),
    *("restart", "two", "three", "three"),
    *("end", "one", "two"),
    *("begin", "three", "one", "two"),
)
"""Visits to servers, and what happens to the store between them."""


def simulated(**plan: Any) -> Fleet:
    fleet = Fleet(World(), Plan(servers=len(NAMES), **plan))
    fleet.client()
    fleet.world.run(120)
    return fleet


def visit(fleet: Fleet, name: str) -> bool:
    """Whether the client, with the freshest of its sessions, is resumed by that server."""
    for server in fleet.servers:
        server.up = NAMES[server.number] == name
    fleet.clients[0].visit()
    fleet.world.run(5)
    assert fleet.visits[-1].kind is not Kind.FAILED
    return fleet.visits[-1].kind is Kind.RESUMED


@pytest.mark.parametrize("version", VERSIONS)
def test_a_store_that_is_restarted_and_gone(
    version: int, redis: RedisServer, start_fleet: StartFleet
) -> None:
    real = start_fleet("--redis", redis.url)
    session, seen = None, []
    for step in SCRIPT:
        if step in NAMES:
            visited = real.visit(step, session=session, version=version)
            session = visited.sessions[-1] if visited.sessions else session
            seen.append(visited.resumed)
        else:
            {"restart": redis.restart, "end": redis.end, "begin": redis.restart}[step]()
    assert real.healthy()
    assert seen == _simulated_script(version)
    assert seen.count(True) == 7


def _simulated_script(version: int) -> list[bool]:
    fleet = simulated(keys=StoredSessions(), version=version)
    store = fleet.shared.store
    assert store is not None
    seen = []
    for step in SCRIPT:
        if step in NAMES:
            seen.append(visit(fleet, step))
        else:
            _happens(store, step)
    return seen


def _happens(store: Store, step: str) -> None:
    store.lose()
    store.condition = Condition.GONE if step == "end" else Condition.UP


@pytest.mark.parametrize("recorders", Recorders)
def test_a_flight_that_is_sent_to_all(
    recorders: Recorders, redis: RedisServer, start_fleet: StartFleet
) -> None:
    """Which of the servers hand its early data to the application, each of three times."""
    shared = recorders is Recorders.SHARED
    how = ("--recorder", redis.url) if shared else ("--window", "6")
    real = start_fleet("--early-data", "1000", *how)
    if shared:
        assert not Recorded(real.visit("one").sessions[0]).sent_to(real.ports["one"])
        with redis.client() as client:
            assert client.delete("{early-data}:not yet") == 1  # as if the first window had passed
    else:
        when_recorders_have_begun(real)
    recorded = Recorded(real.visit("one").sessions[0])
    taken = [bool(recorded.sent_to(real.ports[name])) for name in NAMES * 3]
    assert real.healthy()
    assert taken == _simulated_replay(recorders)
    assert sum(taken) == (1 if shared else 3)


def _simulated_replay(recorders: Recorders) -> list[bool]:
    fleet = simulated(recorders=recorders, early_data=1000)
    visit(fleet, "one")
    client = ClientConnection(fleet.clients[0].config, NAME)
    client.send(SendEarlyData(b"who are you?\n"))
    flight = client.data_to_send()
    return [bool(fleet.feed(server, flight)) for server in fleet.servers * 3]


@pytest.mark.parametrize(
    ("offsets", "period", "skew"),
    [((-600, 0, 600), 600, 1200), ((-9000, 0, 0), 600, 10), ((0, 30, 0), 10, 5)],
)
def test_clocks_that_differ(offsets: Sequence[int], period: int, skew: int, start_fleet: StartFleet) -> None:
    """From each server to each other."""
    each = [["--clock-offset", str(offset)] for offset in offsets]
    real = start_fleet("--period", str(period), "--clock-skew", str(skew), each=each)
    seen = {
        (maker, taker): real.visit(taker, session=real.visit(maker).sessions[0]).resumed
        for maker, taker in real.crossings()
    }
    fleet = simulated(keys=WindowedKeys(period=period, clock_skew=skew))
    for server, offset in zip(fleet.servers, offsets, strict=True):
        server.offset = offset
    assert seen == {(maker, taker): _crosses(fleet, maker, taker) for maker, taker in seen}
    assert len(set(seen.values())) == (1 if skew > 600 else 2)


def _crosses(fleet: Fleet, maker: str, taker: str) -> bool:
    client = fleet.client()
    fleet.clients[0] = client  # who has no session yet
    assert not visit(fleet, maker)
    return visit(fleet, taker)
