"""The pictures of the documents are current: each is drawn from the code, or knows what it was made of."""

from __future__ import annotations

import pytest

from benchmarks.page import PICTURES
from tests.support.command import ROOT
from tools import diagrams, house, pictures, simulator

PNG = pictures.SCREENSHOT.read_bytes()


def test_the_ladders_are_current() -> None:
    assert list(pictures.stale(pictures.drawn())) == [], "python -m tools.pictures --write"


def test_the_handshake_that_is_drawn_is_always_the_same() -> None:
    assert pictures.drawn() == pictures.drawn()


def test_a_screenshot_of_another_page_is_not_current(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "page", lambda made: "another page")
    assert list(pictures.stale(pictures.drawn())) == [pictures.SCREENSHOT]
    assert pictures.main([]) == 1


def test_the_hash_of_a_page_changes_nothing_else_of_its_screenshot() -> None:
    again = pictures.with_source(PNG, "another page")
    assert pictures.is_of(again, "another page")
    assert not pictures.is_of(PNG, "another page")
    added = [one for one in pictures.chunks(again) if one not in list(pictures.chunks(PNG))]
    assert [kind for kind, _ in added] == [b"tEXt"]
    assert list(pictures.chunks(again))[-1][0] == b"IEND"


def test_every_picture_of_the_documents_is_one_that_is_checked() -> None:
    """The state machines in ``test_diagrams``, the house and the plots of fleets in the tests of their pages.

    Those of a run of the benchmarks, which no other run draws again, are held to their page in ``test_benchmarks``.
    """
    checked = {pictures.VECTOR, pictures.SCREENSHOT, house.PICTURE, *diagrams.pictures()}
    checked |= {one.picture for one in simulator.shown(simulator.PAGE.read_text(encoding="utf-8"))}
    checked |= set(PICTURES.glob("growth-*.png"))
    there = {
        path
        for folder in ("docs", "wrappers")
        for path in (ROOT / folder).rglob("*")
        if is_picture(path.suffix)
    }
    assert {path.resolve() for path in there} == {path.resolve() for path in checked}


def is_picture(suffix: str) -> bool:
    return suffix in {".svg", ".png", ".jpg", ".jpeg", ".gif", ".webp"}
