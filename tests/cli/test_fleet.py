"""``python -m sansticket fleet``: scenarios of the simulator."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sansticket.fleet import SCENARIOS, Scenario

Output = Callable[..., list[str]]
Failure = Callable[..., str]

SMALL = ("fleet", "store-outage", "--clients", 2, "--hours", 1)


def test_without_a_scenario_it_says_which_there_are(output: Output) -> None:
    lines = output("fleet")
    for scenario in SCENARIOS.values():
        assert f"{scenario.name}: {scenario.title}" in lines
        assert f"  {scenario.size}" in lines


def test_it_prints_the_report(output: Output) -> None:
    lines = output(*SMALL, "--servers", 2, "--seed", 5)
    report = SCENARIOS["store-outage"].run(clients=2, hours=1, servers=2, seed=5)
    assert lines == list(report.lines())
    assert lines[1] == "2 clients, 2 servers, 1 hour, seed 5"


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_one_of_each(scenario: str, output: Output, tmp_path: Path) -> None:
    """So few that there may be no visit, or no theft, at all."""
    for seed in (1, 2):
        options = ("--clients", 1, "--hours", 1, "--servers", 1, "--seed", seed)
        lines = output("fleet", scenario, *options, "--plot", tmp_path / "plot.svg")
        assert lines[1] == f"1 client, 1 server, 1 hour, seed {seed}"
        assert not re.search(r"(?<![\d,.])1 (clients|servers|hours|visits)\b", "\n".join(lines))


def test_json_and_a_plot(output: Output, tmp_path: Path) -> None:
    plot = tmp_path / "outage.svg"
    read = json.loads("\n".join(output(*SMALL, "--json", "--plot", plot)))
    assert read == json.loads(SCENARIOS["store-outage"].run(clients=2, hours=1).to_json())
    assert plot.read_bytes().startswith(b"<?xml")


def test_times(output: Output) -> None:
    assert any("server ms" in line for line in output(*SMALL, "--time"))
    assert not any("server ms" in line for line in output(*SMALL))


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--clients", 0), "clients: 0; expected 1 to 1,000,000"),
        (("--hours", 9000), "hours: 9000; expected 1 to 8,760"),
        (("--servers", -1), "servers: -1; expected 1 to 10,000"),
        (("--seed", -1), "seed: -1; expected 0 to 9,223,372,036,854,775,808"),
        (
            ("--clients", 1, "--hours", 1, "--plot", "no/such/folder/x.svg"),
            "no/such/folder/x.svg: No such file",
        ),
    ],
)
def test_what_cannot_be_done(failure: Failure, arguments: tuple[object, ...], complaint: str) -> None:
    assert failure("fleet", "store-outage", *arguments).startswith(complaint)


@pytest.mark.parametrize(
    ("plot", "complaint"),
    [
        ("no/such/folder/x.svg", "No such file or directory"),
        ("file/x.svg", "Not a directory"),
        (".", "Is a directory"),
        ("", "a file without a name: Is a directory"),
        ("-", "-: standard output is no place for it; expected a file"),
    ],
)
def test_a_plot_that_cannot_be_written_is_refused_at_once(
    plot: str, complaint: str, failure: Failure, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """And not after hours of simulation."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Scenario, "run", never)
    (tmp_path / "file").write_bytes(b"")
    assert complaint in failure(*SMALL, "--plot", plot)


def never(*arguments: object, **options: object) -> None:
    raise AssertionError("nothing is to be simulated")


def test_a_plot_without_matplotlib(failure: Failure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.setattr(Scenario, "run", never)
    assert "expected: pip install 'sansticket[plots]'" in failure(*SMALL, "--plot", "x.svg")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("restarts",), "invalid choice: 'restarts'"),
        (("rotation", "--clients", "many"), "--clients: invalid int value: 'many'"),
        (("--json",), "--json is for a SCENARIO"),
        (("--seed", "3"), "--seed is for a SCENARIO"),
    ],
)
def test_a_wrong_command_line(refusal: Failure, arguments: tuple[str, ...], complaint: str) -> None:
    assert complaint in refusal("fleet", *arguments)
