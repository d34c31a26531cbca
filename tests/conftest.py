"""The profiles of hypothesis, and what a run says at its end.

Examples are random at home and reproducible in CI; deadlines would only make slow machines fail.
"""

import os

import pytest
from hypothesis import HealthCheck, settings

from tests.support.left_out import left_out

settings.register_profile("home", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("home"), derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "home")
if os.environ.get("SANSTICKET_QUICK"):
    # The same tests on one more interpreter: a quarter of the examples, the full number is tried by ``tox -e cov``.
    settings.register_profile("quick", settings(), max_examples=25)
    settings.load_profile("quick")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """What was left out, and which command does it."""
    skipped = [str(report.longrepr[-1]) for report in terminalreporter.stats.get("skipped", ())]
    lines = left_out(skipped, config.option.markexpr, quick=bool(os.environ.get("SANSTICKET_QUICK")))
    if lines:
        terminalreporter.section("left out")
        for line in lines:
            terminalreporter.write_line(line)
