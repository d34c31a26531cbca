"""Speed that no clock can judge under load: calls, objects and classes stay what ``benchmarks/counts.json`` says."""

from __future__ import annotations

import pytest

from tools import counts


def test_nothing_costs_more_than_it_did() -> None:
    """After a change on purpose: ``python -m tools.counts --write``."""
    assert counts.complaints(counts.counted(), counts.known()) == []


@pytest.mark.parametrize(
    ("now", "complaint"),
    [
        (100, ""),
        (103, ""),
        (104, "calls: 104; 100 before"),
        (94, ""),
        (93, "calls: 93, less than 100; write it down"),
    ],
)
def test_a_jump_is_noticed_and_a_gain_is_kept(now: int, complaint: str) -> None:
    assert counts.complaints({"calls": now}, {"calls": 100}) == ([complaint] if complaint else [])


def test_the_file_has_what_is_counted_and_nothing_else() -> None:
    missing = "calls: is counted on one side only"
    assert counts.complaints({"calls": 1}, {}) == counts.complaints({}, {"calls": 1}) == [missing]


def test_what_others_call_is_theirs() -> None:
    calls = counts.Calls()
    calls.at("somebody", lambda: sorted([3, 1], key=lambda number: number))
    assert calls.of == {}
