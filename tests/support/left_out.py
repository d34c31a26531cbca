"""What a run of the tests left out, as its last words: nobody should take a part for the whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from tests.support.peers import NEEDED

TYPING: Final = "tests/typing"
REST: Final = (
    "tests/adapters/frameworks",
    "tests/adapters/test_call_by_call.py",
    "tests/differential",
    "tests/docs",
    "tests/examples",
    "tests/fleet",
    "tests/handshake/test_forks.py",
    "tests/handshake/test_growth.py",
    "tests/handshake/test_hostile_ends.py",
    "tests/handshake/test_questions.py",
    "tests/handshake/test_splits.py",
    "tests/handshake/test_states.py",
    "tests/tools",
    "tests/wrappers",
)
"""Those of ``tox -e rest``."""


def left_out(
    skipped: Iterable[str], markers: str = "", *, ignored: Iterable[str] = (), quick: bool = False
) -> list[str]:
    """A line for each thing that was not tried.

    ``skipped``: the reasons of the tests that were skipped; ``markers``: the expression by which tests were chosen;
    ``ignored``: the folders that were not looked into; ``quick``: hypothesis tried a part of its examples.
    """
    peers: Counter[str] = Counter()
    others: Counter[str] = Counter()
    for reason in skipped:
        if found := NEEDED.search(reason):
            peers[found["peer"]] += 1
        else:
            others[reason.removeprefix("Skipped: ")] += 1
    lines = [
        f"{_tests(count)} with {peer}, which is not on this machine" for peer, count in sorted(peers.items())
    ]
    lines += [f"{_tests(count)}: {reason}" for reason, count in sorted(others.items())]
    if folders := [folder for folder in REST if folder in ignored]:
        lines.append(f"{', '.join(folders)}: tox -e rest")
    if TYPING in ignored:
        lines.append("what the package looks like to two type checkers: tox -e types")
    if "not matrix" in markers:
        lines.append("our client and server with every other implementation: tox -e interop,interop-wide")
    if quick:
        lines.append(
            "three quarters of hypothesis' examples and of the scenarios for libssl: tox -e thorough"
        )
    return lines


def _tests(count: int) -> str:
    return "1 test" if count == 1 else f"{count} tests"
