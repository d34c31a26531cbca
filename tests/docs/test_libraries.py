"""docs/libraries.md: what was written by a run is what the tests say that they show."""

from __future__ import annotations

import re
from typing import Final

import pytest

from tests.support.command import ROOT
from tests.support.documents import Document
from tests.support.libraries import COLUMNS, EXTRA, HOW, LIBRARIES, WHY_NOT, YES, marks, showing, table

ROW: Final = re.compile(r"^\| ([^|]+) \| ([^|]*) \| ([^|]*) \| ([^|]*) \| ([^|]*) \|$", re.MULTILINE)
TEXT: Final = Document("libraries.md").text
ROWS: Final = ROW.findall(TEXT)[1:]
SHOWN: Final = showing(None)


def without_versions(text: str) -> str:
    return re.sub(r"^(\| [A-Za-z][\w.-]*) \d[\w.+-]*", r"\1", text, flags=re.MULTILINE)


def test_the_page_is_what_the_tests_show() -> None:
    assert without_versions(TEXT) == without_versions(table(SHOWN))


def test_most_libraries_work() -> None:
    assert len(ROWS) == len(LIBRARIES)
    assert sum(YES in row[1:3] for row in ROWS) >= 30


@pytest.mark.parametrize("library", LIBRARIES)
def test_every_library_has_an_answer(library: str) -> None:
    answers = {column for column in COLUMNS if (library, column) in SHOWN or (library, column) in WHY_NOT}
    assert answers & {"client", "server"}


def test_tests_speak_of_what_is_in_the_table() -> None:
    for mark in marks():
        assert mark.library in LIBRARIES, mark
        assert set(mark.columns) <= set(COLUMNS), mark
    assert set(HOW) <= set(LIBRARIES)
    assert {library for library, _ in WHY_NOT} <= set(LIBRARIES)
    assert not set(WHY_NOT) & set(SHOWN)


def test_what_is_looked_for_is_what_the_extra_installs() -> None:
    text = (ROOT / "setup.cfg").read_text(encoding="utf-8")
    extra = re.search(r"^libraries =\n((?: +.*\n)+)", text, re.MULTILINE)
    assert extra is not None
    names = {line.split()[0].partition("[")[0].partition("-")[0] for line in extra[1].splitlines()[1:]}
    assert {{"scylla": "cassandra"}.get(name, name) for name in names} == {*EXTRA}
