"""docs/index.md has a place for every page, and each link in the documentation leads to a page and a heading."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from tests.support.command import ROOT
from tools import reference

PAGES: Final = sorted((ROOT / "docs").glob("*.md"))
FROM_THE_ROOT: Final = [ROOT / name for name in reference.OUTSIDE]
MADE: Final = {"reference/index", *(f"project/{name}" for name in reference.OUTSIDE.values())}


def test_every_page_has_its_place() -> None:
    text = (ROOT / "docs/index.md").read_text(encoding="utf-8")
    trees = re.findall(r"^```\{toctree\}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    placed = [line for tree in trees for line in tree.splitlines() if line and not line.startswith(":")]
    assert len(set(placed)) == len(placed)
    assert set(placed) == {path.stem for path in PAGES} - {"index"} | MADE


@cache
def anchors(path: Path) -> set[str]:
    """Of its headings, as forges and the site make them."""
    text = re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", [*PAGES, *FROM_THE_ROOT], ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_to_headings(page: Path) -> None:
    made = {ROOT / "docs/reference/index.md"}  # when the site is built
    for target, anchor in re.findall(r"\]\(([\w./-]*)(?:#([\w-]+))?\)", page.read_text(encoding="utf-8")):
        path = (page.parent / target).resolve() if target else page
        assert path.exists() or path in made, target
        if anchor:
            assert anchor in anchors(path), f"{target}#{anchor}"
