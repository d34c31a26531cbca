"""The profiles of hypothesis, and what a run says at its end.

Examples are random at home and reproducible in CI; deadlines would only make slow machines fail.
"""

import os
import re
from typing import Final

import pytest
from hypothesis import HealthCheck, settings

from tests.support import libraries
from tests.support.left_out import left_out

settings.register_profile("home", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("home"), derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "home")
if os.environ.get("SANSTICKET_QUICK"):
    # A quarter of the examples; the full number is tried by ``tox -e thorough``.
    settings.register_profile("quick", settings(), max_examples=25)
    settings.load_profile("quick")


LIBRARY: Final = "library"
passed: Final[set[tuple[str, str]]] = set()
"""Libraries and columns of docs/libraries.md that a test of this run has shown."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-libraries", action="store_true", help="write docs/libraries.md from this run")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if re.search(r" at 0x[0-9a-f]+>", item.nodeid):
            raise pytest.UsageError(f"{item.nodeid}: a name with an address is another one in each process")
        for mark in item.iter_markers(LIBRARY):
            name, *columns = mark.args
            item.user_properties += [(LIBRARY, (name, column)) for column in columns]


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" and report.passed:
        passed.update(tuple(value) for kind, value in report.user_properties if kind == LIBRARY)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if session.config.getoption("--write-libraries") and session.testsfailed == 0:
        libraries.write(passed)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """What was left out, and which command does it."""
    skipped = [str(report.longrepr[-1]) for report in terminalreporter.stats.get("skipped", ())]
    lines = libraries.not_installed()
    lines += left_out(
        skipped,
        config.option.markexpr,
        ignored=config.option.ignore or (),
        quick=bool(os.environ.get("SANSTICKET_QUICK")),
    )
    if lines:
        terminalreporter.section("left out")
        for line in lines:
            terminalreporter.write_line(line)
