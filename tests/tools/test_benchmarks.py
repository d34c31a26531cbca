"""The benchmarks run, and the page that they write is whole.  What they say of time is no test."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from benchmarks.__main__ import ALSO
from benchmarks.first_handshake import KINDS, first_handshakes
from benchmarks.growth.connections import tickets
from benchmarks.growth.curves import Growth, beyond_noise
from benchmarks.harness import Operation, Plan, measure_runs
from benchmarks.loopback.client import EarlyVisitor, Visitor
from benchmarks.loopback.parts import cost, settings
from benchmarks.loopback.server import MODERN, OLD, Server, Version
from benchmarks.page import MARK, PAGE, PICTURES, page
from benchmarks.parts import PARTS
from benchmarks.workers import Worker
from tests.support.command import ROOT

QUICK: Final = Plan(rounds=2, seconds=0.001, largest=10)


def test_what_is_written_by_hand_stays() -> None:
    by_hand = "# Costs\n\nAdvice.\n"
    once = page(by_hand, "Python", ["### One\n\n| |\n", "### Two\n"])
    assert once == f"{by_hand}\n{MARK}\n\n## What was measured\n\nPython.\n\n### One\n\n| |\n\n### Two\n"
    assert page(once, "PyPy", ["### Three"]) == page(by_hand, "PyPy", ["### Three"])


def test_the_page_has_what_a_run_says() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text.count(MARK) == 1
    measured, _, elsewhere = text.partition(MARK)[2].partition("## With another interpreter")
    headings = re.findall(r"^### (.+)", measured, re.MULTILINE)
    assert len(headings) == len(set(headings)) == len(PARTS) + 1  # one has two pictures
    assert re.findall(r"^### (.+)", elsewhere, re.MULTILINE) == headings[: len(ALSO)]
    pictures = {PICTURES.parent / name for name in re.findall(r"\((pictures/growth-[^)]+)\)", text)}
    assert pictures == set(PICTURES.glob("growth-*")) != set()
    assert all(picture.stat().st_size < 60_000 for picture in pictures)


def test_every_part_is_explained() -> None:
    text = (ROOT / "benchmarks/README.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `([\w-]+)` \|", text, re.MULTILINE) == list(PARTS)


def test_a_difference_within_the_noise_has_no_place_on_a_logarithmic_axis(tmp_path: Path) -> None:
    growth = Growth(
        "x", "Many", "things", "µs", {"one": {1: 1.0}, "other": beyond_noise({1: -0.1, 2: 0.0, 3: 2.0})}
    )
    assert growth.text(Plan(pictures=tmp_path)).count("–") == 2  # "one" of 3, "other" of 1


def test_what_grows_is_a_table_and_a_picture(tmp_path: Path) -> None:
    growth = Growth("x", "Many things", "things", "µs", {"one": {1: 2.0, 1_000: 2_000.0}, "other": {1: 0.5}})
    assert growth.text(Plan()) == (
        "### Many things, µs\n\n"
        "| things |   one | other |\n"
        "| ------ | ----: | ----: |\n"
        "| 1      |     2 |   0.5 |\n"
        "| 1,000  | 2,000 |     – |"
    )
    assert f"![Many things]({tmp_path.name}/growth-x.png)" in growth.text(Plan(pictures=tmp_path))
    assert (tmp_path / "growth-x.png").read_bytes().startswith(b"\x89PNG")


def test_sizes_end_where_the_plan_says() -> None:
    assert re.findall(r"^\| (\d+)", tickets(QUICK), re.MULTILINE) == ["1", "10"]


def operations() -> dict[str, Operation]:
    return {"sum": lambda: sum(range(1_000)), "nothing": lambda: None}


def test_a_process_of_its_own() -> None:
    with Worker(operations) as worker:
        measured = measure_runs({name: worker.run(name) for name in operations()}, QUICK)
    assert measured["sum"].times(measured["nothing"]) > 1
    assert measured["sum"].best > 0


@pytest.mark.parametrize(("kind", "version"), [("ssl", MODERN), ("look-alike", OLD), ("wrapper", MODERN)])
def test_a_server_says_what_it_costs(kind: str, version: Version) -> None:
    visitor = Visitor(version)
    with Server(settings(version)[kind]) as server:
        session, first = visitor.visit(server.port)
        _, second = visitor.visit(server.port, session)
        assert (first, second) == (False, True)
        assert cost([server], lambda: visitor.upload(server.port, 1))(2) > 0
        assert server.memory() > 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_process_says_what_its_first_handshake_takes(kind: str) -> None:
    milliseconds, times = first_handshakes(kind, rounds=1)
    assert milliseconds > 0
    assert times > 0


def test_early_data_is_accepted() -> None:
    visitor = EarlyVisitor()
    with Server(settings(MODERN, ["early data"])["early data"]) as server:
        for _ in range(3):
            visitor.visit(server.port)
