"""docs/libraries.md: every yes has a test."""

from __future__ import annotations

import importlib
import re
from typing import Final

import pytest

from tests.support.documents import Document

ROW: Final = re.compile(
    r"^\| ([^|]+) \|( yes)? \|( yes)? \|( yes)? \| `tests/([\w/]+)\.py::(\w+)` \|$", re.MULTILINE
)
TEXT: Final = Document("libraries.md").text
ROWS: Final = ROW.findall(TEXT)


def test_every_row_is_read() -> None:
    assert len(ROWS) == len(re.findall(r"^\| ", TEXT, re.MULTILINE)) - 1 >= 16
    assert all(client or server for _, client, server, *_ in ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row[0]).replace(" ", "-"))
def test_a_yes_has_a_test(row: tuple[str, ...]) -> None:
    module, name = row[-2:]
    assert callable(getattr(importlib.import_module("tests." + module.replace("/", ".")), name))
