"""Fleets on the real state machines: what is resumed, what is lost, and what is noticed of it."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import Any

import pytest

from sansticket import ConfigError, EarlyDataReason, EarlyDataStatus, ReusePolicy
from sansticket.fleet import (
    Condition,
    Fleet,
    Kind,
    OwnKeys,
    Plan,
    Recorders,
    Replayer,
    StoredSessions,
    Thief,
    Visit,
    WindowedKeys,
    World,
)

TLS12, TLS13 = 0x0303, 0x0304
HOUR = 3600.0
POLICIES = (OwnKeys(), WindowedKeys(), StoredSessions())


def fleet_of(seed: int = 1, **plan: Any) -> Fleet:
    return Fleet(World(seed), Plan(**plan))


def played(clients: int = 6, hours: float = 2, mean: float = 900, seed: int = 1, **plan: Any) -> Fleet:
    fleet = fleet_of(seed, **plan)
    fleet.populate(clients, mean)
    fleet.world.run(hours * HOUR)
    return fleet


def kinds(fleet: Fleet) -> Counter[Kind]:
    return Counter(visit.kind for visit in fleet.visits)


def visit(fleet: Fleet, number: int = 0) -> Visit:
    """The next of a client, to its end."""
    while len(fleet.clients) <= number:
        fleet.client()
    fleet.clients[number].visit()
    fleet.world.run(5)
    return fleet.visits[-1]


# --- resumption ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [TLS12, TLS13])
@pytest.mark.parametrize("keys", POLICIES, ids=str)
def test_the_same_seed_gives_the_same(version: int, keys: Any) -> None:
    plan = {"keys": keys, "version": version, "skew": 20.0, "loss": 0.01}
    one, other = (played(hours=1, **plan) for _ in range(2))
    assert one.visits == other.visits
    assert one.visits
    assert played(hours=1, seed=2, **plan).visits != one.visits


@pytest.mark.parametrize("version", [TLS12, TLS13])
@pytest.mark.parametrize("keys", [WindowedKeys(), StoredSessions()], ids=str)
def test_whatever_is_shared_is_resumed_anywhere(version: int, keys: Any) -> None:
    fleet = played(keys=keys, version=version)
    assert kinds(fleet) == {Kind.FULL: 6, Kind.RESUMED: len(fleet.visits) - 6}
    assert {visit.server for visit in fleet.visits if visit.kind is Kind.RESUMED} == {0, 1, 2}
    assert all(visit.version == version and not visit.refused for visit in fleet.visits)


def test_own_keys_resume_where_the_ticket_was_made() -> None:
    fleet = fleet_of(keys=OwnKeys(), servers=2)
    fleet.servers[1].stop()
    assert visit(fleet).kind is Kind.FULL
    assert visit(fleet).kind is Kind.RESUMED
    fleet.servers[1].start()
    fleet.servers[0].stop()
    other = visit(fleet)
    assert (other.kind, other.shown, other.refused) == (Kind.FULL, 1, ("no key opens it",))


def test_sticky_clients_keep_to_a_server() -> None:
    fleet = played(keys=OwnKeys(), sticky=True)
    assert kinds(fleet)[Kind.FULL] == 6
    assert all(visit.server == int(visit.who.split()[1]) % 3 for visit in fleet.visits)


def test_a_ticket_that_has_expired_is_not_shown() -> None:
    fleet = fleet_of(ticket_lifetime=600)
    assert visit(fleet).kind is Kind.FULL
    fleet.world.run(601)
    late = visit(fleet)
    assert (late.kind, late.shown) == (Kind.FULL, 0)


@pytest.mark.parametrize(("skew", "refused"), [(300.0, False), (301.0, True)])
def test_clocks_that_differ_by_more_than_they_may(skew: float, refused: bool) -> None:
    """Just before the turn of the hour, the one that is ahead is past it."""
    fleet = fleet_of(keys=WindowedKeys(period=3600, clock_skew=300), servers=2)
    ahead, behind = fleet.servers
    ahead.offset = skew
    fleet.world.run(HOUR - skew)
    behind.stop()
    assert visit(fleet).kind is Kind.FULL
    behind.up, ahead.up = True, False
    fleet.world.now -= 5.0
    assert bool(visit(fleet).refused) is refused


# --- restarts and losses ------------------------------------------------------------------------------------------


def test_a_restart_cuts_connections_and_forgets_keys() -> None:
    fleet = fleet_of(keys=OwnKeys(), servers=1)
    assert visit(fleet).kind is Kind.FULL
    fleet.clients[0].visit()
    fleet.world.run(0.03)  # the hello has come, and the server has answered
    fleet.restart(0, 2.0)
    fleet.world.run(5)
    assert [one.kind for one in fleet.visits] == [Kind.FULL, Kind.FAILED]
    retried = visit(fleet)
    assert (retried.kind, retried.refused) == (Kind.FULL, ("no key opens it",))


def test_a_client_that_was_cut_off_tries_once_more() -> None:
    fleet = fleet_of(servers=2)
    visit(fleet)
    fleet.clients[0].visit()
    fleet.world.run(0.03)
    for number in range(2):
        fleet.restart(number, 0.5)
    fleet.world.run(5)
    assert [one.kind for one in fleet.visits] == [Kind.FULL, Kind.FAILED, Kind.RESUMED]
    assert fleet.visits[2].began - fleet.visits[1].began > 1


def test_where_no_server_is_up_nothing_is_tried() -> None:
    fleet = fleet_of(servers=2)
    for server in fleet.servers:
        server.stop()
    fleet.client().visit()
    fleet.world.run(5)
    assert fleet.visits == []


def test_lost_flights_lose_sessions() -> None:
    """A ticket that was shown does not come back."""
    fleet = played(loss=0.1, hours=4)
    counted = kinds(fleet)
    assert counted[Kind.FAILED] > 10
    assert counted[Kind.FULL] > 6
    assert all(visit.refused == () for visit in fleet.visits)
    everything = played(loss=1, hours=1)
    assert set(kinds(everything)) == {Kind.FAILED}


def test_a_connection_that_fails_takes_its_sessions_out_of_the_store() -> None:
    fleet = fleet_of(keys=StoredSessions(), servers=1)
    store = fleet.shared.store
    assert store is not None
    fleet.client().visit(again=False)
    fleet.world.run(0.08)  # the tickets are made, and on their way
    assert len(store) == 2
    fleet.restart(0, 1.0)
    fleet.world.run(2)
    assert fleet.visits[0].kind is Kind.FAILED
    assert len(store) == 0


# --- the store --------------------------------------------------------------------------------------------------


def test_a_store_that_loses_everything() -> None:
    fleet = fleet_of(keys=StoredSessions())
    store = fleet.shared.store
    assert store is not None
    assert [visit(fleet).kind for _ in range(3)] == [Kind.FULL, Kind.RESUMED, Kind.RESUMED]
    store.lose()
    after = visit(fleet)
    assert (after.kind, after.refused) == (Kind.FULL, ("no session of this id",))
    assert visit(fleet).kind is Kind.RESUMED


@pytest.mark.parametrize("condition", [Condition.GONE, Condition.SILENT])
def test_a_store_that_is_not_to_be_had(condition: Condition) -> None:
    """Full handshakes, which wait where it is silent: once for the look-up, and once to write."""
    fleet = fleet_of(keys=StoredSessions())
    store = fleet.shared.store
    assert store is not None
    first, second = visit(fleet), visit(fleet)
    store.condition = condition
    without = visit(fleet)
    error = "StoreError" if condition is Condition.GONE else "StoreTimeout"
    assert (without.kind, without.refused) == (Kind.FULL, (f"the look-up failed: {error}",))
    waited = 0.5 if condition is Condition.SILENT else 0.0
    assert without.seconds - second.seconds == waited
    assert first.seconds == 0.1
    store.condition = Condition.UP
    assert visit(fleet).refused == ("no session of this id",), "it was not written"
    assert visit(fleet).kind is Kind.RESUMED


def test_a_store_forgets_what_has_expired() -> None:
    fleet = fleet_of(keys=StoredSessions(), ticket_lifetime=600)
    store = fleet.shared.store
    assert store is not None
    visit(fleet)
    assert (len(store), store.most) == (2, 2)
    assert store.bytes_held == store.most_bytes > 300
    fleet.world.run(601)
    assert (len(store), store.bytes_held, store.most) == (0, 0, 2)


def test_a_store_gives_a_session_to_one() -> None:
    fleet = fleet_of(keys=StoredSessions())
    client = fleet.client()
    visit(fleet)
    loan = client.sessions.reserve(client.key, fleet.world.now)
    assert loan is not None
    for _ in range(5):
        client.visit(loan.session)
    fleet.world.run(5)
    assert [one.kind for one in fleet.visits[1:]].count(Kind.RESUMED) == 1


# --- early data -------------------------------------------------------------------------------------------------


def test_a_server_that_has_just_begun_takes_no_early_data() -> None:
    fleet = fleet_of(early_data=1000, servers=1)
    outcomes = [visit(fleet).early_data for _ in range(6)]
    assert outcomes[0].status is EarlyDataStatus.NOT_OFFERED
    assert {one.reason for one in outcomes[1:3]} == {EarlyDataReason.NOT_CLAIMED}
    assert outcomes[5].status is EarlyDataStatus.ACCEPTED


def test_early_data_needs_clocks_that_are_right() -> None:
    fleet = fleet_of(early_data=1000, servers=2)
    fleet.world.run(60)
    fleet.servers[1].offset = 11.0
    fleet.servers[1].stop()
    visit(fleet)
    fleet.servers[1].up, fleet.servers[0].up = True, False
    elsewhere = visit(fleet)
    assert (elsewhere.kind, elsewhere.early_data.reason) == (Kind.RESUMED, EarlyDataReason.AGE_SKEW)


@pytest.mark.parametrize(
    ("plan", "most"),
    [
        ({"keys": OwnKeys(), "sticky": True}, 1),
        ({"keys": WindowedKeys()}, 3),
        ({"keys": WindowedKeys(), "recorders": Recorders.SHARED}, 1),
        ({"keys": StoredSessions()}, 1),
    ],
    ids=["own keys", "own recorders", "one recorder", "store"],
)
@pytest.mark.parametrize("after", [0.0, 3.0, 60.0])
def test_how_often_a_replay_is_delivered(plan: dict[str, Any], most: int, after: float) -> None:
    """``after`` 60 s nobody takes it; at once, or a little later, every recorder that can open its ticket."""
    fleet = fleet_of(early_data=1000, **plan)
    attacker = Replayer(fleet, (after, after))
    fleet.world.run(120)
    for _ in range(4):
        visit(fleet)
        fleet.world.run(70)
    assert (attacker.heard, attacker.sent) == (4, 24)
    assert len(fleet.delivered) == 3
    assert set(fleet.delivered.values()) == {most if after < 60 else 1}


# --- thieves ----------------------------------------------------------------------------------------------------


def test_a_thief_goes_on_where_keys_are_shared() -> None:
    fleet = fleet_of()
    visit(fleet)
    thief = Thief(fleet, fleet.clients[0], 10.0, 600.0)
    fleet.world.run(1.9 * HOUR)
    fleet.clients[0].visit()
    fleet.world.run(5)
    assert fleet.visits[-1].kind is Kind.RESUMED, "the victim notices nothing"
    assert thief.stole_at == pytest.approx(15.0)
    assert len(thief.visits()) > 5
    assert all(one.kind is Kind.RESUMED for one in thief.visits())
    assert thief.seen() == []


@pytest.mark.parametrize("who_is_first", ["thief", "victim"])
def test_who_comes_second_is_refused_where_tickets_are_used_once(who_is_first: str) -> None:
    fleet = fleet_of(keys=StoredSessions())
    visit(fleet)
    victim = fleet.clients[0]
    thief = Thief(fleet, victim, 1.0, 600.0)
    victim_comes = 3 if who_is_first == "victim" else 2 * HOUR - 100
    fleet.world.after(victim_comes, partial(victim.visit))
    fleet.world.run(2 * HOUR)
    (seen, *_) = thief.seen()
    refused = thief.client.name if who_is_first == "victim" else victim.name
    assert seen.who == refused
    assert seen.kind is Kind.FULL
    assert any(one.kind is Kind.RESUMED for one in thief.visits()) is (who_is_first == "thief")


def test_a_thief_waits_for_something_to_steal() -> None:
    fleet = fleet_of()
    thief = Thief(fleet, fleet.client(), 0.0, 100.0)
    fleet.world.run(150)
    assert (thief.stole_at, thief.seen(), thief.visits()) == (None, [], [])
    fleet.clients[0].visit()
    fleet.world.run(1000)
    assert thief.stole_at == 180.0
    assert thief.visits()


@pytest.mark.parametrize("uses", Recorders)
def test_the_second_use_of_a_ticket_ends_its_family(uses: Recorders) -> None:
    """Everywhere, a second after it was noticed."""
    fleet = fleet_of(servers=3, reuse=ReusePolicy.END_FAMILY, uses=uses)
    visit(fleet)
    victim = fleet.clients[0]
    for server in fleet.servers[1:]:
        server.stop()
    thief = Thief(fleet, victim, 1.0, 600.0)
    fleet.world.run(HOUR)
    assert thief.visits()
    assert thief.seen() == []
    noticed = visit(fleet)
    assert (noticed.kind, noticed.reused, noticed.refused) == (Kind.FULL, True, ("reuse",))
    assert thief.seen() == [noticed]
    for server in fleet.servers[1:]:
        server.start()
    fleet.servers[0].stop()
    assert all(server.revocations and len(server.revocations) == 1 for server in fleet.servers)
    before = len(thief.visits())
    fleet.world.run(HOUR)
    (refused,) = thief.visits()[before:]
    assert refused.kind is Kind.FULL
    assert visit(fleet).kind is Kind.RESUMED, "the victim has begun anew"


def test_a_server_does_not_see_what_another_resumed() -> None:
    fleet = fleet_of(servers=2, reuse=ReusePolicy.REFUSE)
    client = fleet.client()
    visit(fleet)
    loan = client.sessions.reserve(client.key, fleet.world.now)
    assert loan is not None
    seen = []
    for number in (0, 1, 0, 1):
        for server in fleet.servers:
            server.up = server.number == number
        client.visit(loan.session)
        fleet.world.run(20)
        seen.append(fleet.visits[-1].reused)
    assert seen == [False, False, True, True]


def test_browsers_may_race() -> None:
    """Several connections with one ticket at the same moment are within the window."""
    fleet = fleet_of(reuse=ReusePolicy.END_FAMILY, uses=Recorders.SHARED)
    fleet.populate(3, 600.0, connections=4, same=True)
    fleet.world.run(2 * HOUR)
    assert kinds(fleet)[Kind.RESUMED] > 20
    assert not any(one.reused for one in fleet.visits)


# --- plans ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("keys", "windowed"),
        ("servers", 0),
        ("servers", 10_001),
        ("servers", 2.5),
        ("version", 0x0302),
        ("skew", -1),
        ("skew", float("nan")),
        ("skew", "1"),
        ("skew", 10**400),
        ("servers", 10**400),
        pytest.param("servers", -(10**5000), id="servers-negative"),
        pytest.param("version", 10**5000, id="version-huge"),
        ("ticket_lifetime", 0),
        ("num_tickets", 256),
        ("early_data", 16_385),
        ("recorders", "own"),
        ("uses", None),
        ("reuse", "ignore"),
        ("sticky", 1),
        ("round_trip", 11),
        ("loss", 1.5),
        ("loss", True),
    ],
)
def test_a_plan_that_cannot_work(field: str, value: object) -> None:
    with pytest.raises(ConfigError, match=f"^{field}"):
        Plan(**{field: value})


def test_there_is_no_early_data_in_tls12() -> None:
    fleet = fleet_of(version=TLS12, early_data=100)
    fleet.world.run(60)
    assert [visit(fleet).kind for _ in range(2)] == [Kind.FULL, Kind.RESUMED]
    assert {one.early_data.status for one in fleet.visits} == {EarlyDataStatus.NOT_OFFERED}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("period", 0),
        ("period", 10**400),
        ("clock_skew", -1),
        ("period", float("inf")),
    ],
)
def test_windows_that_cannot_work(field: str, value: float) -> None:
    with pytest.raises(ConfigError, match=f"^{field}"):
        WindowedKeys(**{field: value})
