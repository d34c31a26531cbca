"""``python -m sansticket report``: a log summed up."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sansticket.accounts import LogError, Summary
from sansticket.command.report import POINTS, shares

Output = Callable[..., list[str]]
Failure = Callable[..., str]


def handshake(time: float = 0, outcome: str = "full", reason: str | None = "expiry", **more: Any) -> str:
    account = {
        "sansticket": 1,
        "event": "handshake",
        "time": time,
        "side": "server",
        "version": "TLS_1_3",
        "outcome": outcome,
        "reason": reason if outcome == "full" else None,
        "early_data": "not_offered",
        "early_data_reason": None,
        "identities": [],
    }
    return json.dumps({**account, **more})


@pytest.fixture
def log(tmp_path: Path) -> Path:
    lines = [
        "some other line",
        *(handshake(60 * number, "resumed") for number in range(6)),
        "2030-01-01 00:00:00 INFO " + handshake(400, reason="not_opened"),
        handshake(500, identities=[{"key": "ab", "failed": {"expiry": "age 1 s"}}]),
        handshake(600, side="client", early_data="rejected", early_data_reason="not_claimed"),
        json.dumps({"sansticket": 1, "event": "terminated", "side": "server", "reason": "bad_record_mac"}),
        json.dumps({"sansticket": 1, "event": "ticket_issued", "side": "server"}),
        json.dumps({"sansticket": 2, "event": "of a later format"}),
        "{" * 100_000,
        "",
    ]
    path = tmp_path / "server.log"
    path.write_text("\n".join(lines))
    return path


def test_the_figures(output: Output, log: Path) -> None:
    assert output("report", log) == [
        "9 handshakes, 3 lines that are none",
        "",
        "outcome:",
        "  resumed         6   66.7%",
        "  full            3   33.3%",
        "",
        "why the full ones were not resumed:",
        "  expiry             2   66.7%",
        "  not_opened         1   33.3%",
        "",
        "versions:",
        "  TLS_1_3 resumed         6   66.7%",
        "  TLS_1_3 full            3   33.3%",
        "",
        "checks that identities failed:",
        "  expiry         1  100.0%",
        "",
        "tickets that each key opened:",
        "  ab         1  100.0%",
        "",
        "tickets:",
        "  issued         1  100.0%",
        "",
        "early data:",
        "  rejected: not_claimed         1  100.0%",
        "",
        "connections that failed:",
        "  bad_record_mac         1  100.0%",
    ]


def test_one_side(output: Output, log: Path) -> None:
    assert output("report", log, "--side", "client")[0] == "1 handshakes, 3 lines that are none"


def test_a_plot(output: Output, log: Path, tmp_path: Path) -> None:
    output("report", log, "--plot", tmp_path / "resumed.svg")
    drawn = (tmp_path / "resumed.svg").read_text()
    assert drawn.startswith("<?xml")
    assert "9 handshakes, 6 of them resumed" in drawn


def test_a_plot_is_a_file(failure: Failure, log: Path) -> None:
    assert failure("report", log, "--plot", "-").startswith("-: standard output is no place for it")


def test_a_log_of_something_else(failure: Failure, tmp_path: Path) -> None:
    path = tmp_path / "other.log"
    path.write_text("nothing\n[1]\n{}\n")
    assert "no account of sansticket in it" in failure("report", path)
    path.write_text(json.dumps({"sansticket": 1, "event": "ticket_issued"}))
    assert "no handshake in the log has a time" in failure("report", path, "--plot", tmp_path / "no.svg")


def test_words_that_are_none_are_counted_as_other() -> None:
    """A log is a file that anybody may have written to."""
    lines = [
        handshake(reason="\x1b[31m" * 50, outcome="full", version=["x"] * 1000),
        handshake(outcome="\n", early_data="\x07", identities=[7, {"failed": {"\x1b": ""}, "key": 5}]),
        json.dumps({"sansticket": 1, "event": "terminated", "reason": {}}),
    ]
    summary = Summary.of(lines)
    assert summary.reasons == {"other": 1}
    assert summary.outcomes == {"full": 1, "other": 1}
    assert all(line.isprintable() and len(line) < 200 for line in summary.lines())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(10**400),
    lambda some: (
        st.lists(some, max_size=3) | st.dictionaries(st.text() | st.just("failed"), some, max_size=3)
    ),
    max_leaves=6,
)
NAMES = st.sampled_from(
    ["event", "time", "side", "version", "outcome", "reason", "early_data", "early_data_reason", "identities"]
)


@given(st.dictionaries(NAMES, JSON), st.sampled_from([None, "client", "server"]))
@example({"identities": 5}, None)
@example({"identities": [{"failed": 5}]}, None)
@example({"time": math.nan}, None)
@example({"time": math.inf}, None)
@example({"time": 10**400}, None)
@example({"time": -1e308}, None)
def test_whatever_an_account_says_it_is_summed_up(said: dict[str, Any], side: str | None) -> None:
    """Values of another kind than ours count as other, or not at all."""
    summary = Summary.of([json.dumps({**json.loads(handshake()), **said}), handshake(8.0)], side=side)
    assert all(line.isprintable() for line in summary.lines())
    assert not summary.handshakes or 1 <= len(list(shares(summary.handshakes))) <= 2


@pytest.mark.parametrize("before", ["{main} ", "server[7]: {'a': 1} ", "2030-01-01T00:00:00Z INFO "])
def test_what_stands_before_an_account_does_not_matter(before: str) -> None:
    shuffled = '{"event": "ticket_issued", "sansticket": 1}'  # as another formatter may write it
    assert Summary.of([before + handshake(), shuffled]).number == 1


def test_a_line_ends_where_a_file_says(output: Output, tmp_path: Path) -> None:
    """What JSON leaves in its texts, if it is not written in ASCII, ends none."""
    path = tmp_path / "server.log"
    written = json.dumps(json.loads(handshake(why="a\u2028b\x85c")), ensure_ascii=False)
    path.write_bytes((written + "\r\n").encode())
    assert output("report", path)[0] == "1 handshakes"


def test_nothing_at_all() -> None:
    with pytest.raises(LogError):
        Summary.of([])


def test_a_point_for_each_time_in_which_there_was_a_handshake() -> None:
    points = list(shares([(0.0, True), (1.0, False), (48 * 3600.0, True)]))
    assert points == [(0.5, 0.5), (47.5, 1.0)]
    assert len(list(shares([(float(number), True) for number in range(1000)]))) == POINTS
    assert len(list(shares([(5.0, True)] * 3))) == 1
