"""Three servers, each a process of its own, that share a root secret, or that and a Redis.

A client has the list of their ports and takes the first that answers, beginning somewhere.
"""

from __future__ import annotations

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from functools import partial

import pytest
from attrs import evolve

from sansticket import ClientConnection
from tests.support.command import PATIENCE
from tests.support.configs import client_config
from tests.support.loopback import Refused, dial
from tests.support.redis_server import RedisServer
from tests.support.server_fleet import (
    NAMES,
    TLS12,
    TLS13,
    VERSIONS,
    Recorded,
    StartFleet,
    when_recorders_have_begun,
)

# --- tickets with shared keys --------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
def test_a_ticket_of_any_resumes_on_any(version: int, start_fleet: StartFleet) -> None:
    fleet = start_fleet()
    for maker, taker in fleet.crossings():
        made = fleet.visit(maker, version=version)
        assert (made.server, made.resumed) == (maker, False)
        taken = fleet.visit(taker, session=made.sessions[0], version=version)
        assert (taken.server, taken.resumed) == (taker, True)
    assert fleet.healthy()


@pytest.mark.parametrize("version", VERSIONS)
def test_clocks_that_differ_across_the_turn_of_a_window(version: int, start_fleet: StartFleet) -> None:
    """Three windows at the same time: one server is in the next, one in the last."""
    offsets = [["--clock-offset", offset] for offset in ("-600", "0", "600")]
    fleet = start_fleet("--period", "600", "--clock-skew", "1200", each=offsets)
    for maker, taker in fleet.crossings():
        made = fleet.visit(maker, version=version)
        assert fleet.visit(taker, session=made.sessions[0], version=version).resumed
    names = {fleet.visit(name).sessions[0].ticket[:16] for name in NAMES}
    assert len(names) == 3, "each seals with another key"


def test_keys_rotate_while_clients_come_and_go(start_fleet: StartFleet) -> None:
    """A key a second, and clocks a second apart: every ticket is resumed by the next server all the same."""
    offsets = [["--clock-offset", offset] for offset in ("-0.5", "0", "0.5")]
    fleet = start_fleet("--period", "1", "--clock-skew", "1", "--lifetime", "60", each=offsets)
    key_names, session, number = set(), fleet.visit("one").sessions[0], 0
    deadline = time.monotonic() + PATIENCE
    while len(key_names) < 5:
        assert time.monotonic() < deadline, "the keys do not rotate"
        number += 1
        visited = fleet.visit(NAMES[number % 3], session=session)
        assert visited.resumed, f"connection {number}, keys {len(key_names)}"
        session = visited.sessions[0]
        key_names.add(session.ticket[:16])
        time.sleep(0.05)
    assert fleet.healthy()


def test_clocks_that_differ_too_much_are_full_handshakes(start_fleet: StartFleet) -> None:
    offsets = [["--clock-offset", offset] for offset in ("-9000", "0", "0")]
    fleet = start_fleet("--period", "600", "--clock-skew", "10", each=offsets)
    assert not fleet.visit("two", session=fleet.visit("one").sessions[0]).resumed
    assert not fleet.visit("one", session=fleet.visit("two").sessions[0]).resumed
    assert fleet.visit("three", session=fleet.visit("two").sessions[0]).resumed


@pytest.mark.parametrize("version", VERSIONS)
def test_a_server_that_is_killed(version: int, start_fleet: StartFleet) -> None:
    fleet = start_fleet()
    made = fleet.visit("one", version=version)
    fleet.commands["one"].kill()
    taken = fleet.visit(session=made.sessions[0], version=version)
    assert (taken.server, taken.resumed) == ("two", True)


# --- sessions in Redis ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
def test_a_session_of_any_resumes_on_any(version: int, redis: RedisServer, start_fleet: StartFleet) -> None:
    fleet = start_fleet("--redis", redis.url)
    for maker, taker in fleet.crossings():
        made = fleet.visit(maker, version=version)
        assert not made.resumed
        taken = fleet.visit(taker, session=made.sessions[0], version=version)
        assert (taken.server, taken.resumed) == (taker, True)
    assert fleet.healthy()


def test_a_session_id_is_resumed_again_and_again(redis: RedisServer, start_fleet: StartFleet) -> None:
    fleet = start_fleet("--redis", redis.url)
    session = fleet.visit("one", version=TLS12).sessions[0]
    assert not session.ticket
    for name in NAMES * 2:
        assert fleet.visit(name, session=session, version=TLS12).resumed


def test_no_ticket_is_accepted_twice(redis: RedisServer, start_fleet: StartFleet) -> None:
    """Nine clients show the same ticket at the same time, three to each server."""
    fleet = start_fleet("--redis", redis.url)
    for _ in range(5):
        session = fleet.visit("one").sessions[0]
        with ThreadPoolExecutor(9) as clients:
            visits = list(clients.map(partial(fleet.visit, session=session), NAMES * 3))
        assert sum(visited.resumed for visited in visits) == 1
        assert not any(fleet.visit(name, session=session).resumed for name in NAMES)
    assert fleet.healthy()


@pytest.mark.parametrize("version", VERSIONS)
def test_who_only_saw_a_ticket_uses_nothing_up(
    version: int, redis: RedisServer, start_fleet: StartFleet
) -> None:
    """Whoever copies it from the wire, and shows it in TLS 1.3, has not the secret to go with it."""
    fleet = start_fleet("--redis", redis.url)
    session = fleet.visit("one", version=version).sessions[0]
    thief = fleet.visit("one").sessions[0]
    for name in NAMES:
        with pytest.raises(Refused) if version == TLS13 else nullcontext():
            shown = evolve(thief, ticket=session.ticket or session.session_id)
            assert not fleet.visit(name, session=shown).resumed
    assert fleet.visit("two", session=session, version=version).resumed
    assert fleet.healthy()


def test_a_failed_connection_takes_its_sessions_with_it(redis: RedisServer, start_fleet: StartFleet) -> None:
    """In another process, too: what a server removes is gone for all."""
    fleet = start_fleet("--redis", redis.url)
    line = dial(fleet.ports["one"], client_config())
    with line:
        line.pump(lambda: len(line.sessions) == 2)
    deadline = time.monotonic() + PATIENCE
    with redis.client() as client:
        while client.dbsize():  # the socket was closed without close_notify
            assert time.monotonic() < deadline, "the sessions are still there"
            time.sleep(0.02)
    assert not fleet.visit("two", session=line.sessions[0]).resumed


def test_redis_forgets_in_time(redis: RedisServer, start_fleet: StartFleet) -> None:
    fleet = start_fleet("--redis", redis.url)
    fleet.visit("one")
    with redis.client() as client:
        left = [client.pttl(key) for key in client.scan_iter()]
    assert len(left) == 2, "of two tickets"
    assert all(7_100_000 < milliseconds <= 7_200_000 for milliseconds in left)


@pytest.mark.parametrize("version", VERSIONS)
def test_redis_is_restarted(version: int, redis: RedisServer, start_fleet: StartFleet) -> None:
    """It has lost everything, and the servers their connections to it."""
    fleet = start_fleet("--redis", redis.url)
    session = fleet.visit("one", version=version).sessions[0]
    redis.restart()
    for name in NAMES:
        visited = fleet.visit(name, session=session, version=version)
        assert not visited.resumed
    assert fleet.visit("two", session=visited.sessions[0], version=version).resumed
    assert fleet.healthy()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("trouble", ["frozen", "gone"])
def test_redis_is_cut_off(version: int, trouble: str, redis: RedisServer, start_fleet: StartFleet) -> None:
    """In mid-question, since the look-up is under way when nothing comes back: a full handshake, and then the next."""
    fleet = start_fleet("--redis", redis.url)
    session = fleet.visit("one", version=version).sessions[0]
    (redis.freeze if trouble == "frozen" else redis.end)()
    for name in NAMES:
        assert not fleet.visit(name, session=session, version=version).resumed
    (redis.thaw if trouble == "frozen" else redis.restart)()
    fresh = fleet.visit("three", version=version).sessions[0]
    assert fleet.visit("one", session=fresh, version=version).resumed
    if version == TLS13:
        assert sum(fleet.visit(name, session=session).resumed for name in NAMES) <= 1, (
            "it may have been used up"
        )
    assert fleet.healthy()


def test_a_server_is_killed_while_it_asks(redis: RedisServer, start_fleet: StartFleet) -> None:
    fleet = start_fleet("--redis", redis.url, "--redis-timeout", str(PATIENCE))
    session = fleet.visit("one").sessions[0]
    redis.freeze()
    client = ClientConnection(client_config(), "server.example", session)
    with socket.create_connection(("127.0.0.1", fleet.ports["one"]), PATIENCE) as sock:
        sock.sendall(client.data_to_send())
        time.sleep(0.1)
        fleet.commands["one"].kill()
        with suppress(ConnectionResetError):
            assert sock.recv(1) == b"", "it has not answered"
    redis.thaw()
    visits = [fleet.visit(session=session) for _ in range(3)]
    assert {visited.server for visited in visits} == {"two"}
    assert sum(visited.resumed for visited in visits) <= 1
    assert fleet.visit("three", session=visits[-1].sessions[0]).resumed


# --- early data ----------------------------------------------------------------------------------------------

EARLY = ("--early-data", "1000")
BRIEFLY = (*EARLY, "--window", "6")
"""For who waits until a window has passed."""


def test_each_server_takes_early_data_once(start_fleet: StartFleet) -> None:
    """They share the keys of their tickets, and no recorder: docs/early-data.md says how often that is."""
    fleet = start_fleet(*BRIEFLY)
    when_recorders_have_begun(fleet)
    recorded = Recorded(fleet.visit("one").sessions[0])
    answers = [recorded.sent_to(fleet.ports[name]) for name in NAMES * 3]
    assert answers == [f"server {name}: early\n" for name in NAMES] + [""] * 6
    assert fleet.healthy()


def test_a_server_that_has_just_begun_takes_none(start_fleet: StartFleet) -> None:
    """It may have been accepted before."""
    fleet = start_fleet(*EARLY, "--window", "60")
    assert Recorded(fleet.visit("one").sessions[0]).sent_to(fleet.ports["one"]) == ""


def test_one_server_takes_it_where_they_share_a_recorder(redis: RedisServer, start_fleet: StartFleet) -> None:
    fleet = start_fleet(*EARLY, "--recorder", redis.url)
    assert Recorded(fleet.visit("one").sessions[0]).sent_to(fleet.ports["one"]) == ""
    with redis.client() as client:
        assert client.delete("{early-data}:not yet") == 1  # as if the first window had passed
    recorded = Recorded(fleet.visit("one").sessions[0])
    answers = [recorded.sent_to(fleet.ports[name]) for name in (*NAMES[1:], *NAMES)]
    assert answers == ["server two: early\n", "", "", "", ""]
    redis.freeze()
    assert Recorded(fleet.visit("one").sessions[0]).sent_to(fleet.ports["one"]) == "", "nobody can tell"
    redis.thaw()
    assert fleet.healthy()
