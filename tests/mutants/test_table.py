"""The table of mutants fits the sources: every check that it names is there, once."""

from __future__ import annotations

import pytest

from tests.mutants.__main__ import explanations, key, read_killers
from tests.mutants.subsets import WIDER, nearest
from tests.mutants.table import PACKAGE, TableError, read_table

TABLE = read_table()


def test_every_check_is_there_and_can_be_taken_away() -> None:
    for mutant in TABLE:
        source = (PACKAGE / mutant.module).read_text(encoding="utf-8")
        assert mutant.applied(source) != source


def test_there_are_enough_and_no_two_are_alike() -> None:
    assert len(TABLE) >= 150
    assert len({key(mutant) for mutant in TABLE}) == len(TABLE)


def test_the_tests_are_there() -> None:
    for tests in (WIDER, *(nearest(mutant.module) for mutant in TABLE)):
        for name in tests:
            assert (PACKAGE.parent / name).exists(), name


def test_what_is_explained_is_in_the_table() -> None:
    assert explanations().keys() <= {key(mutant) for mutant in TABLE}


def test_the_killers_are_of_the_table_and_there() -> None:
    killers = read_killers()
    assert killers.keys() <= {key(mutant) for mutant in TABLE}
    for test in killers.values():
        assert (PACKAGE.parent / test.partition("::")[0]).exists(), test


@pytest.mark.parametrize(
    "row",
    ["[wire/cursor.py]\nReader.gone | if x: | nobody", "[wire/cursor.py]\nReader.u8 | if gone: | nobody"],
)
def test_a_check_that_is_gone_is_an_error(row: str) -> None:
    (mutant,) = read_table(row)
    with pytest.raises(TableError):
        mutant.applied((PACKAGE / mutant.module).read_text(encoding="utf-8"))
