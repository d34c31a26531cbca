"""``docs/fuzzing.md``: it has every target with what it holds now, and counts are added to those that are there."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from fuzz import page
from fuzz.__main__ import EDGES, INPUTS, TARGETS, last_number
from fuzz.page import Ran

TWENTY_MINUTES: Final = 20 * 60

SAID: Final = """\
#4\tINITED cov: 70 ft: 113 corp: 3/121b exec/s: 0 rss: 67Mb
#5\tNEW    cov: 77 ft: 128 corp: 4/170b lim: 77 exec/s: 0 rss: 67Mb L: 49/77 MS: 1 InsertRepeatedBytes-
stat::number_of_executed_units: 1958452
"""


def test_every_target_has_run_for_twenty_minutes() -> None:
    ran = page.recorded()
    assert set(ran) == set(TARGETS)
    assert {name: each for name, each in ran.items() if each.seconds < TWENTY_MINUTES} == {}
    assert all(each.inputs and each.edges for each in ran.values())


def test_the_page_says_what_the_targets_hold() -> None:
    counts = page.PAGE.read_text().partition(page.START)[2].partition(page.END)[0]
    assert counts == f"\n{page.text(page.recorded())}\n", "python -m fuzz --write"


def test_what_ran_is_added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "page.md"
    file.write_text(f"before\n{page.START}{page.END}behind\n")
    monkeypatch.setattr(page, "PAGE", file)
    assert page.recorded() == {}
    page.add({"session": Ran(1200, 1_234_567, 80), "handover": Ran(5, 6, 7)})
    page.add({"session": Ran(3, 4, 79)})
    assert page.recorded() == {"session": Ran(1203, 1_234_571, 80), "handover": Ran(5, 6, 7)}
    assert file.read_text().startswith("before\n")
    assert file.read_text().endswith("behind\n")


def test_counts_are_read_from_what_libfuzzer_says() -> None:
    assert last_number(INPUTS, SAID) == 1_958_452
    assert last_number(EDGES, SAID) == 77
    assert last_number(INPUTS, "") == 0
