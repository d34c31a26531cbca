"""Each scenario, in small: it can be had twice, and says what it is about."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from typing import Any

import pytest

from sansticket import ConfigError
from sansticket.fleet import SCENARIOS, Report

SMALL = {"clients": 3, "hours": 1, "servers": 2}
FEWER = {
    "racing-browsers": {**SMALL, "clients": 1},
    "replays": {**SMALL, "clients": 1},
    "ten-thousand": {**SMALL, "clients": 9},
}


def rows(report: Report, title: str) -> dict[str, dict[str, Any]]:
    """Those of a table by their first cells."""
    table = json.loads(report.to_json())["tables"][title]
    return {next(iter(row.values())): row for row in table}


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_same_seed_gives_the_same_to_the_byte(name: str) -> None:
    size = FEWER.get(name, SMALL)
    one, other = (SCENARIOS[name].run(**size) for _ in range(2))
    assert one.text() == other.text()
    assert one.to_json() == other.to_json()
    assert (one.scenario, one.title) == (name, SCENARIOS[name].title)
    assert all(curve.points for curve in one.picture.curves)
    assert one.notes
    assert SCENARIOS[name].run(**size, seed=99).text() != one.text()


def test_a_stopwatch_adds_times() -> None:
    ticks = itertools.count()
    report = SCENARIOS["ten-thousand"].run(**SMALL, stopwatch=lambda: next(ticks) / 1000)
    for row in json.loads(report.to_json())["tables"]["Handshakes, on average"]:
        assert row["client ms"] >= 1
        assert row["server ms"] >= 1
    assert any(note.startswith("Time of the servers") for note in report.notes)
    assert "server ms" not in SCENARIOS["ten-thousand"].run(**SMALL).text()


def test_sizes_are_checked() -> None:
    with pytest.raises(ConfigError, match=r"^clients"):
        SCENARIOS["rotation"].run(clients=0)
    with pytest.raises(TypeError, match="customers"):
        SCENARIOS["rotation"].run(customers=3)


def test_rotation() -> None:
    report = SCENARIOS["rotation"].run(clients=4, hours=3, servers=6)
    resumption = rows(report, "Resumption")
    for clocks in ("right clocks", "wrong by up to 150 s"):
        assert resumption[clocks]["refused"] == 0
    assert resumption["by up to 45 min"]["refused"] > 0
    assert resumption["by up to 45 min"]["why refused"].startswith("no key opens it")
    early = rows(report, "Early data")
    assert early["right clocks"]["share"] == 1
    assert early["wrong by up to 150 s"]["share"] < 0.5


def test_rolling_restart() -> None:
    resumption = rows(SCENARIOS["rolling-restart"].run(clients=4, hours=4, servers=4), "Resumption")
    assert resumption["windowed keys"]["of shown"] == resumption["shared store"]["of shown"] == 1
    sticky, roaming = (
        resumption[f"own keys, {which}"]["of shown"] for which in ("always the same", "any server")
    )
    assert roaming < 0.5 < sticky < 1


def test_store_outage() -> None:
    phases = rows(SCENARIOS["store-outage"].run(clients=6, hours=5), "Resumption")
    assert phases["is gone"]["resumed"] == phases["answers nothing"]["resumed"] == 0
    assert phases["answers nothing"]["ms each"] - phases["works"]["ms each"] == 500
    for empty in ("restarted, empty", "works again"):
        assert 1 <= phases[empty]["refused"] <= 6, "one full handshake each"


def test_racing_browsers() -> None:
    report = SCENARIOS["racing-browsers"].run(clients=1, hours=4)
    last = {curve.title: curve.points[-1][1] for curve in report.picture.curves}
    assert last["one ticket each, four kept"] < last["one ticket each, eight kept"]
    assert last["one ticket for all, shared store"] < 0.2


def test_stolen_ticket() -> None:
    thefts = rows(SCENARIOS["stolen-ticket"].run(clients=6, hours=6), "Thefts")
    assert thefts["windowed keys"]["noticed"] == 0
    assert thefts["windowed keys"]["resumed after that"] == 0
    one, each = thefts["one table of uses"], thefts["each server remembers uses"]
    assert one["noticed"] >= each["noticed"] > 0
    assert one["resumed after that"] == 0
    assert one["times in all"] < thefts["windowed keys"]["times in all"]
    assert thefts["shared store"]["noticed"] > 0
    assert 0 < thefts["shared store"]["minutes until then"] < 180


def test_replays() -> None:
    report = SCENARIOS["replays"].run(clients=2, hours=2, servers=3)
    early = rows(report, "Early data")
    assert early["windowed keys, own recorders"]["most often"] == 3
    assert {row["most often"] for case, row in early.items() if case != "windowed keys, own recorders"} == {1}


def test_ten_thousand() -> None:
    report = SCENARIOS["ten-thousand"].run(clients=20, hours=2, servers=20)
    resumption = rows(report, "Resumption")
    assert all(row["refused"] == 0 for case, row in resumption.items() if "windowed" in case)
    assert resumption["20 servers, own keys"]["of shown"] < 0.2
    load = next(note for note in report.notes if note.startswith("Load"))
    visits = resumption["20 servers, windowed keys"]["visits"]
    assert f"{visits:,} visits / 20 servers / 2 h = {visits / 40:.2f}" in load
    assert f"{visits / 40 * 10_000:,.0f} visits an hour" in load


def test_nobody_pays_for_it_who_does_not_use_it() -> None:
    program = "import sys, sansticket; print([name for name in sys.modules if 'fleet' in name or 'matplotlib' in name])"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"
