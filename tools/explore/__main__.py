"""Walk the model: every way of a client, a server and an attacker, up to a bound.  docs/model.md says what that shows.

python -m tools.explore              the full bound; exits with 1 if a rule is broken or a transition is missing
python -m tools.explore --quick      the bound of the ordinary tests
python -m tools.explore --only TEXT  walks whose name has that, with two attacks
python -m tools.explore --write      the full bound, and its tables into docs/model.md
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import process_time
from typing import Final

from tools.explore.questions import asking
from tools.explore.report import Report, lines, tables
from tools.explore.scenarios import brief, walks
from tools.explore.setting import Scenario
from tools.explore.walk import explore

PAGE: Final = Path(__file__).parent.parent.parent / "docs/model.md"
BEGIN: Final = "<!-- The tables of python -m tools.explore --write -->"
END: Final = "<!-- The end of python -m tools.explore --write -->"

QUICK: Final = ("full", "resumed, single use", "early data", "TLS 1.2, resumed by ticket")

Bounds = Iterator[tuple[Scenario, int]]


def quick() -> Bounds:
    """The protocol without an attacker, and some short talks with one attack."""
    yield from ((scenario, 0) for scenario in walks())
    yield from ((scenario, 1) for scenario in brief() if scenario.name in QUICK)


def full() -> Bounds:
    """All of it with one attack, the short talks with two, and questions in all their combinations."""
    yield from ((scenario, 1) for scenario in walks())
    yield from ((scenario, 2) for scenario in brief())
    yield from ((scenario, 0) for scenario in asking())


def run(bounds: Bounds) -> Report:
    report, started = Report(), process_time()
    for scenario, budget in bounds:
        report.walks.append(explore(scenario, budget))
    report.seconds = process_time() - started
    return report


def page(text: str, report: Report) -> str:
    """The page with the tables of these walks."""
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    return "\n".join((before + BEGIN, "", *tables(report), "", END + after))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.explore", description="Walk the model.")
    parser.add_argument("--quick", action="store_true", help="the bound of the ordinary tests")
    parser.add_argument("--only", metavar="TEXT", help="walks whose name has that, with two attacks")
    parser.add_argument("--write", action="store_true", help="write the tables of docs/model.md")
    options = parser.parse_args(arguments)
    if options.only:
        every = (*walks(), *brief(), *asking())
        report = run((scenario, 2) for scenario in every if options.only in scenario.name)
    else:
        report = run(quick() if options.quick else full())
    missing = [] if options.only or options.quick else report.unexplained()
    for line in (*lines(report), *(f"neither made nor explained: {arrow}" for arrow in missing)):
        print(line)
    if options.write:
        PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), report), encoding="utf-8")
    return int(bool(report.problems or missing))


if __name__ == "__main__":
    raise SystemExit(main())
