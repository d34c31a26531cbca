"""docs/stdlib-tests.md: every failure has its reason, and every reason that is known is one that fails."""

from __future__ import annotations

import re
from typing import Final

import pytest

from tests.support.documents import Document
from tools.stdlib_reasons import REASONS
from tools.stdlib_tests import MODULES, Result, page

TEXT: Final = Document("stdlib-tests.md").text
HEADING, *ROWS = (
    line.strip("| ").split(" | ") for line in TEXT.splitlines() if line.startswith(("| module", "| test_"))
)
VERSIONS: Final = HEADING[1:]
FAILURES: Final = re.findall(r"`(\w+\.test_\w+)`(?: \(([\d., ]+)\))?", TEXT.partition("## What fails")[2])
"""Each test, and the versions on which it fails if they are not all."""


def test_every_module_is_there_on_every_version() -> None:
    assert [module for module, *_ in ROWS] == list(MODULES)
    assert [version.rpartition(".")[0] for version in VERSIONS] == ["3.11", "3.12", "3.13"]


@pytest.mark.parametrize("column", range(len(VERSIONS)), ids=VERSIONS)
def test_most_pass_and_what_fails_is_named(column: int) -> None:
    failed = 0
    for module, *cells in ROWS:
        here, _, not_here = map(int, cells[column].split(" / "))
        assert here > 3 * not_here, module
        failed += not_here
    assert failed == sum(not versions or VERSIONS[column] in versions for _, versions in FAILURES)


@pytest.mark.parametrize("test", sorted({test for test, _ in FAILURES}))
def test_a_failure_has_its_reason(test: str) -> None:
    reason = Result("", "", test, "failed").reason
    assert reason is not None
    assert f"- {reason}\n" in TEXT


def test_a_reason_is_for_something_that_fails() -> None:
    unused = [sentence for _, sentence in REASONS if f"- {sentence}\n" not in TEXT]
    assert unused == []


def test_what_is_not_explained_is_seen() -> None:
    results = [
        Result("3.11.0", "m", "Some.test_of_another_kind", "failed", "why"),
        Result("3.12.0", "m", "Some.test_of_another_kind", "passed"),
    ]
    assert "- ?\n  `Some.test_of_another_kind` (3.11.0)" in page(results)
    assert "- ?\n  `Some.test_of_another_kind`\n" in page(results[:1])
