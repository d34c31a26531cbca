"""docs/architecture.md: its drawing and its figures are those of the code, and what it names is there."""

from __future__ import annotations

import re

import pytest

from tests.support.architecture import parse
from tests.support.documents import Document
from tools import house

PAGE = Document("architecture.md")


def test_the_page_is_current() -> None:
    assert PAGE.text == house.with_drawing(PAGE.text), "python -m tools.house --write"


def test_the_picture_is_current() -> None:
    drawn = house.PICTURE.read_text(encoding="utf-8")
    assert drawn == house.picture(house.house()), "python -m tools.house --write"
    assert house.DIAGRAM in PAGE.text


def test_every_room_is_drawn_and_no_arrow_is_lost() -> None:
    built = house.house()
    for room, ends in built.arrows.items():
        reached: set[str] = set()
        waiting = [room]
        while waiting:
            drawn = set(built.drawn(waiting.pop())) - reached
            reached |= drawn
            waiting += drawn
        assert set(ends) <= reached, room


def test_the_drawing_leaves_out_what_follows() -> None:
    wire = "from sansticket.errors import Fault\nfrom sansticket.codes import ContentType"
    errors = "from sansticket.codes import AlertDescription"
    built = house.House([parse("wire.cursor", wire), parse("errors", errors), parse("codes", "")])
    assert built.arrows["wire"] == {"errors": 1, "codes": 1}
    assert built.drawn("wire") == ["errors"]
    assert built.drawn("errors") == ["codes"]


def test_runs_that_stand_twice_are_counted() -> None:
    run = "".join(f"variable_{number} = function_{number}(argument)\n" for number in range(6))
    other = run.replace("variable", "name").replace("argument", "'a string'")
    modules = [parse("codes", run), parse("errors", f"x = 1\n{run}"), parse("values", other)]
    assert house.repeated_runs(modules[:1]) == 0
    assert house.repeated_runs(modules[:2]) == 1
    assert house.repeated_runs(modules) == 1
    assert house.repeated_runs([parse("codes", "import a\n" * 20)] * 2) == 0


@pytest.mark.parametrize(
    "row", re.findall(r"^\| (?:where|what) .*$", PAGE.section("Where is it?"), re.MULTILINE)
)
def test_what_is_named_is_where_the_page_says(row: str) -> None:
    _, _, answer, _ = row.split("|")
    names = re.findall(r"`([\w./]+)`", answer)
    folder = next(name for name in names if name.startswith("sansticket/"))
    path = house.ROOT / folder
    files = [path] if path.is_file() else sorted(path.rglob("*.py"))
    text = "".join(file.read_text(encoding="utf-8") for file in files)
    for name in names:
        if "/" not in name and not name.endswith(".md"):
            sources = text + (house.ROOT / "sansticket/tickets/session.py").read_text(encoding="utf-8")
            assert name.rpartition(".")[2] in sources, name
