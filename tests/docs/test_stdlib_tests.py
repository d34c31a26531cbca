"""docs/stdlib-tests.md: every failure has its reason, and every reason that is known is one that fails."""

from __future__ import annotations

import re
from typing import Final

import pytest

from tests.support.documents import Document
from tools.stdlib_reasons import REASONS
from tools.stdlib_tests import MODULES, Result, page

TEXT: Final = Document("stdlib-tests.md").text
ROWS: Final = re.findall(r"^\| (test_[\w.]+) \| (\d+) \| (\d+) \| (\d+) \|$", TEXT, re.MULTILINE)
FAILURES: Final = re.findall(r"`(\w+\.test_\w+)`", TEXT.partition("## What fails")[2])


def test_every_module_is_there_and_most_tests_pass() -> None:
    assert [module for module, *_ in ROWS] == list(MODULES)
    for module, passed, _, failed in ROWS:
        assert int(passed) > 3 * int(failed), module
    assert sum(int(failed) for *_, failed in ROWS) == len(FAILURES)


@pytest.mark.parametrize("test", FAILURES)
def test_a_failure_has_its_reason(test: str) -> None:
    reason = Result("", test, "failed").reason
    assert reason is not None
    assert f"- {reason}\n" in TEXT


def test_a_reason_is_for_something_that_fails() -> None:
    unused = [sentence for _, sentence in REASONS if f"- {sentence}\n" not in TEXT]
    assert unused == []


def test_what_is_not_explained_is_seen() -> None:
    assert "- ?\n  `Some.test_of_another_kind`" in page(
        [Result("m", "Some.test_of_another_kind", "failed", "why")]
    )
