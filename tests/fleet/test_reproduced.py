"""What docs/fleet.md says of a fleet is what a simulated one does."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import pytest

from sansticket import ClientConnection
from sansticket.fleet import (
    Condition,
    Fleet,
    Kind,
    Plan,
    Recorders,
    Replayer,
    Store,
    StoredSessions,
    Visit,
    WindowedKeys,
    World,
)
from sansticket.fleet.identity import NAME
from tests.support.documents import Document

PAGE: Final = Document("fleet.md")
TLS12, TLS13 = 0x0303, 0x0304
DAY: Final = 86_400
RECORD: Final = 5 + 1 + 16
"""Bytes that a record of TLS 1.3 adds to a message."""


def rows(first: str) -> dict[str, list[str]]:
    """Those of the table whose head begins so, by their first cells."""
    table = PAGE.text[PAGE.text.index(f"| {first} |") :].partition("\n\n")[0]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]
    return {row[0]: row[1:] for row in cells}


def fleet_of(**plan: Any) -> Fleet:
    return Fleet(World(3), Plan(**plan))


def visit(fleet: Fleet) -> Visit:
    """The next of the first client."""
    if not fleet.clients:
        fleet.client()
    fleet.clients[0].visit()
    fleet.world.run(5)
    return fleet.visits[-1]


def store_of(fleet: Fleet) -> Store:
    assert fleet.shared.store is not None
    return fleet.shared.store


# --- how much it takes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("version", "column"), [(TLS13, 0), (TLS12, 1)])
def test_a_sealed_session(version: int, column: int) -> None:
    """Its length, in the store of a simulated fleet and on the page."""
    fleet = fleet_of(keys=StoredSessions(), version=version)
    visit(fleet)
    store = store_of(fleet)
    assert f"{store.most_bytes / store.most:.0f} bytes" == _sizes("sealed, as Redis has it")[column]


def _sizes(name: str) -> list[str]:
    (row,) = re.findall(rf"^\| {name} \| (.+) \|$", PAGE.text, re.MULTILINE)
    return [cell.strip() for cell in row.split("|")]


@pytest.mark.parametrize(("keys", "column"), [(WindowedKeys(), 0), (StoredSessions(), 1)], ids=str)
def test_what_a_handshake_takes(keys: Any, column: int) -> None:
    """Tickets that are made, and round trips: look-ups (claims too) and one to write where there are tickets."""
    said = {
        (TLS13, Kind.FULL): "full: tickets made, look-ups, round trips to write",
        (TLS13, Kind.RESUMED): r"resumed \(TLS 1.3\): the same, claims being look-ups",
        (TLS12, Kind.RESUMED): r"resumed \(TLS 1.2\)",
    }
    for version in (TLS12, TLS13):
        fleet = fleet_of(keys=keys, version=version)
        for one in (visit(fleet), visit(fleet)):
            if (version, one.kind) == (TLS12, Kind.FULL):
                continue
            tickets, look_ups, writes = map(int, _sizes(said[version, one.kind])[column].split(", "))
            assert (one.tickets, one.trips) == (tickets, look_ups + writes)


@pytest.mark.parametrize(("keys", "column"), [(WindowedKeys(), 0), (StoredSessions(), 1)], ids=str)
def test_bytes_of_a_ticket(keys: Any, column: int) -> None:
    fleet = fleet_of(keys=keys)
    visit(fleet)
    resumed = visit(fleet)
    said = _sizes("bytes of a NewSessionTicket message")[column]
    assert resumed.ticket_bytes - RECORD == pytest.approx(int(said.removeprefix("about ")), abs=10)


def test_sessions_that_are_there_at_a_time() -> None:
    """Those of a day, times the lifetime in days, if nobody comes back."""
    fleet = fleet_of(keys=StoredSessions(), num_tickets=1)
    daily, store, seen = 480, store_of(fleet), []
    for number in range(daily):
        fleet.world.after(number * DAY / daily, lambda: fleet.client().visit())
    for number in range(1, 22):
        fleet.world.after(7200 + number * 3600, lambda: seen.append(len(store)))
    fleet.world.run(DAY)
    assert sum(seen) / len(seen) == pytest.approx(daily * 7200 / DAY, abs=1)
    assert store.most == pytest.approx(daily * 7200 / DAY, abs=1)


# --- when it fails ---------------------------------------------------------------------------------------------


def test_a_server_is_killed() -> None:
    """``they connect to another, and are resumed``."""
    for keys in (WindowedKeys(), StoredSessions()):
        fleet = fleet_of(keys=keys)
        first = visit(fleet)
        fleet.servers[first.server].stop()
        second = visit(fleet)
        assert (second.kind, second.server != first.server) == (Kind.RESUMED, True)


def _works(store: Store) -> None:
    store.condition = Condition.UP


def _restart(store: Store) -> None:
    store.lose()


def _gone(store: Store) -> None:
    store.condition = Condition.GONE


def _silent(store: Store) -> None:
    store.condition = Condition.SILENT


@pytest.mark.parametrize(
    ("row", "happens", "later", "then"),
    [
        ("Redis is restarted, and has lost everything", _restart, 0.0, [Kind.FULL, Kind.RESUMED]),
        ("Redis is gone", _gone, 0.0, [Kind.FULL, Kind.FULL]),
        ("Redis answers nothing", _silent, 0.5, [Kind.FULL, Kind.FULL]),
    ],
)
def test_a_store_fails(row: str, happens: Callable[[Store], None], later: float, then: list[Kind]) -> None:
    said = rows("what")[row]
    assert "one full handshake each" in said[1] if Kind.RESUMED in then else "full handshakes" in said[1]
    assert ("half a second later" in said[1]) is bool(later)
    fleet = fleet_of(keys=StoredSessions())
    before = visit(fleet)
    happens(store_of(fleet))
    after = [visit(fleet) for _ in then]
    assert [one.kind for one in after] == then
    assert after[0].seconds - before.seconds == pytest.approx(later)


def test_clocks_differ_by_more_than_they_may() -> None:
    said = rows("what")["clocks differ by more than `clock_skew`"]
    assert said == ["what the others sealed does not open", "full handshakes"]
    for skew, kind in ((300.0, Kind.RESUMED), (301.0, Kind.FULL)):
        fleet = fleet_of(keys=WindowedKeys(period=3600, clock_skew=300), servers=2)
        fleet.servers[0].offset = skew
        fleet.servers[1].stop()
        fleet.world.run(3600 - skew)  # its clock is at the turn of the hour
        visit(fleet)
        fleet.world.now -= 5
        fleet.servers[1].up, fleet.servers[0].up = True, False
        assert visit(fleet).kind is kind


@pytest.mark.parametrize("happens", [_restart, _gone, _silent])
def test_a_ticket_is_accepted_once_whatever_the_store_does(happens: Callable[[Store], None]) -> None:
    """``In none of these is a ticket accepted twice``."""
    fleet = fleet_of(keys=StoredSessions())
    client, store = fleet.client(), store_of(fleet)
    visit(fleet)
    loan = client.sessions.reserve(client.key, fleet.world.now)
    assert loan is not None
    for change in (_works, happens, _works):
        change(store)
        for server in fleet.servers:
            connect = partial(ClientConnection, client.config, NAME, loan.session)
            fleet.converse("client", server, connect)
            fleet.world.run(5)
    assert [one.kind for one in fleet.visits].count(Kind.RESUMED) == 1


# --- early data --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("recorders", "times"), [(Recorders.OWN, 4), (Recorders.SHARED, 1)])
def test_early_data_is_delivered_once_by_each_recorder(recorders: Recorders, times: int) -> None:
    fleet = fleet_of(servers=4, early_data=1000, recorders=recorders)
    Replayer(fleet, (0.1, 0.2, 5.0))
    fleet.world.run(120)
    for _ in range(3):
        visit(fleet)
        fleet.world.run(10)
    assert set(fleet.delivered.values()) == {times}
