"""The pictures of the state machines are current, say all of it, and are laid out without a program."""

from __future__ import annotations

import re
from itertools import combinations, pairwise
from xml.etree import ElementTree

import pytest

from sansticket.debug.explain import Side
from sansticket.debug.states import SIDES, arrows, reachable
from sansticket.handshake.machine.transitions import name_of
from tools import diagrams
from tools.layered import Box, Tab, svg

SVG = "{http://www.w3.org/2000/svg}"
ALL = [(side, version) for side in SIDES for version in diagrams.VERSIONS]


def test_the_pictures_are_current() -> None:
    there = {path: path.read_text(encoding="utf-8") for path in diagrams.FOLDER.glob("*tls*.svg")}
    assert there == diagrams.pictures(), "python -m tools.diagrams --write"


@pytest.mark.parametrize(("side", "version"), ALL)
def test_every_state_and_every_input_stands_in_its_picture(side: Side, version: str) -> None:
    text = diagrams.picture(side, version)
    words = set(re.findall(r"\w+", " ".join(re.findall(r"<text[^>]*>(.*?)</text>", text))))
    for state in reachable(side):
        if name_of(state).startswith(version):
            assert state.__name__ in words
            assert {name for arrow in arrows(state) for name in arrow.inputs} <= words, state


@pytest.mark.parametrize(("side", "version"), ALL)
def test_no_arrow_is_lost_or_invented(side: Side, version: str) -> None:
    """What is left out can be gone by passing questions; what is drawn is there."""
    nodes = diagrams.nodes(side, version)
    questions = {node.name for node in nodes if node.is_question}
    whole = diagrams.leads(nodes)
    drawn = diagrams.reduced(whole, questions)
    for box, out in whole.items():
        for name, ends in out.items():
            assert drawn[box][name] <= ends
            assert ends <= passed(drawn, drawn[box][name], questions), (box, name)


def passed(drawn: diagrams.Leads, ends: set[str], questions: set[str]) -> set[str]:
    found: set[str] = set()
    waiting = list(ends)
    while waiting:
        box = waiting.pop()
        if box not in found:
            found.add(box)
            if box in questions:
                waiting += [end for there in drawn[box].values() for end in there]
    return found


def test_the_states_of_both_versions_are_all_in_some_box() -> None:
    for side in SIDES:
        boxes = {
            state
            for version in diagrams.VERSIONS
            for node in diagrams.nodes(side, version)
            for state in node.states
        }
        assert boxes == set(reachable(side))


def rectangles(text: str) -> list[tuple[float, float, float, float]]:
    found = ElementTree.fromstring(text).iter(f"{SVG}rect")
    boxes = [one for one in found if one.get("class", "").startswith("box")]
    return [tuple(float(one.attrib[name]) for name in ("x", "y", "width", "height")) for one in boxes]  # type: ignore[misc]  # four of them


@pytest.mark.parametrize(("side", "version"), ALL)
def test_boxes_do_not_overlap_and_are_inside(side: Side, version: str) -> None:
    text = diagrams.picture(side, version)
    root = ElementTree.fromstring(text)
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    for (x, y, w, h), (x2, y2, w2, h2) in combinations(rectangles(text), 2):
        assert x + w <= x2 or x2 + w2 <= x or y + h <= y2 or y2 + h2 <= y
    assert all(x >= 0 and y >= 0 and x + w <= width and y + h <= height for x, y, w, h in rectangles(text))


def test_rows_are_by_the_longest_way() -> None:
    boxes = [
        Box("a", tabs=(Tab(("1",), ("b", "d")),)),
        Box("b", tabs=(Tab(("2",), ("c",)),)),
        Box("c", tabs=(Tab(("3",), ("d",)),)),
        Box("d"),
    ]
    tops = [y for _, y, _, _ in sorted(rectangles(svg(boxes, "four")), key=lambda one: one[1])]
    assert all(later - earlier > 40 for earlier, later in pairwise(tops))


def test_a_circle_is_refused() -> None:
    with pytest.raises(ValueError, match="circle"):
        svg([Box("a", tabs=(Tab((), ("b",)),)), Box("b", tabs=(Tab((), ("a",)),))], "round")


def test_words_are_escaped() -> None:
    assert "&lt;script&gt;" in svg([Box("<script>")], "a & b")
