"""``docs/performance.md``: what was measured stands behind what was written by hand."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from shutil import copy
from typing import Final

DOCS: Final = Path(__file__).parents[1] / "docs"
PAGE: Final = DOCS / "performance.md"
PICTURES: Final = DOCS / "pictures"

MARK: Final = "<!-- from here on written by: python -m benchmarks --write -->"


def page(before: str, facts: str, measured: Iterable[str]) -> str:
    """The page with other figures: ``facts`` is what they are of, ``measured`` are the texts of the parts."""
    by_hand = before.partition(MARK)[0].rstrip()
    sections = map(str.strip, measured)
    return "\n\n".join([by_hand, MARK, "## What was measured", f"{facts}.", *sections]) + "\n"


def write(facts: str, measured: Iterable[str], pictures: Path) -> None:
    """With the pictures of that folder."""
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), facts, measured), encoding="utf-8")
    for old in PICTURES.glob("growth-*.png"):
        old.unlink()
    for new in pictures.iterdir():
        copy(new, PICTURES)
