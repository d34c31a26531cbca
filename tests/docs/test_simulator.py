"""docs/simulator.md: its tables and plots are those of the commands that stand there, and its code runs."""

from __future__ import annotations

import re
from typing import Any, Final

import pytest

from sansticket.fleet import SCENARIOS, Table, plots
from tests.support.command import ROOT
from tests.support.documents import Document
from tools.simulator import Shown, shown

PAGE: Final = Document("simulator.md")
COMMANDS: Final = {one.command: one for one in shown(PAGE.text)}


@pytest.mark.parametrize("one", COMMANDS.values(), ids=lambda one: one.plot.stem)
def test_tables_and_plots_are_what_the_command_makes(one: Shown) -> None:
    report = one.run()
    assert one.output == report.text(), "run: python -m tools.simulator --write"
    assert one.plot == one.picture, "the picture above the command is the one that it writes"
    assert plots.fingerprint(report) in one.plot.read_text(encoding="utf-8")


def test_every_scenario_is_there() -> None:
    assert [one.split()[4] for one in COMMANDS] == list(SCENARIOS)
    assert {one.plot for one in COMMANDS.values()} == set((ROOT / "docs/plots").iterdir())


def test_plots_are_small() -> None:
    for one in COMMANDS.values():
        assert one.plot.stat().st_size < 30_000


def test_a_question_of_ones_own(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    PAGE.run("Questions of your own", names)
    table = names["compared"](seed=1)
    assert isinstance(table, Table)
    assert capsys.readouterr().out.splitlines() == list(table.lines())
    windowed, stored = table.rows
    assert (windowed[0], stored[0]) == ("windowed keys", "shared store")
    assert windowed[1] > 50


def test_the_columns_are_explained() -> None:
    explained = re.findall(r"^\| (.+?) \|", PAGE.section("Reading the tables"), re.MULTILINE)
    words = {word for row in explained for word in row.split(", ")}
    for column in ("visits", "resumed", "share", "of shown", "no ticket", "refused", "failed", "why refused"):
        assert column in words


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", PAGE.text):
        assert (ROOT / "docs" / target).is_file()
    for path in re.findall(r"`(tests/\w+/\w+\.py)`", PAGE.text):
        assert (ROOT / path).is_file()
