"""A directed graph without circles as SVG: boxes in rows, arrows from the tabs of a box down to others.

No program and no library is needed, and the same graph gives the same bytes on every machine, so that a test can hold
the pictures of the documentation against the code.

Rows are by the longest way from a beginning; within a row boxes are where few arrows cross, and then as near to what
they are joined to as their widths allow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from html import escape
from itertools import pairwise
from typing import Final

from attrs import define, field, frozen

NAME_WIDTH: Final = 8.3
TEXT_WIDTH: Final = 6.3
"""Pixels for a character, in the heading of a box and elsewhere."""
HEADING: Final = 20
LINE: Final = 15
PAD: Final = 10
GAP: Final = 26
"""Between boxes of a row."""
ROW_GAP: Final = 46
LANE: Final = 14
"""The width that an arrow needs where it passes a row."""
MARGIN: Final = 14
SWEEPS: Final = 24

STYLE: Final = """\
text { font: 11px system-ui, sans-serif; fill: #1a1d24 }
.name { font-size: 13px; font-weight: 600 }
.box { fill: #f5f7fb; stroke: #5b6b8c; stroke-width: 1.2 }
.question { stroke-dasharray: 5 3; fill: #fff8e8; stroke: #a1732b }
.established { stroke-width: 3; fill: #eaf6ec; stroke: #3c7d4b }
.end { fill: #fbeaea; stroke: #a34848 }
.tab { fill: #ffffff; stroke: #b9c2d3 }
.arrow { fill: none; stroke: #5b6b8c; stroke-width: 1.2 }"""


@frozen
class Tab:
    """What leads from a box to others: its words, a line each, and their names."""

    lines: tuple[str, ...]
    ends: tuple[str, ...]

    @property
    def width(self) -> float:
        return max((len(line) for line in self.lines), default=0) * TEXT_WIDTH + PAD


@frozen
class Box:
    """``name`` is the heading; ``lines`` stand below it.  ``kind`` is its class in the style."""

    name: str
    lines: tuple[str, ...] = ()
    tabs: tuple[Tab, ...] = ()
    kind: str = ""

    @property
    def tabs_height(self) -> float:
        lines = max((len(tab.lines) for tab in self.tabs), default=0)
        return lines * LINE + 6 if lines else 0

    @property
    def width(self) -> float:
        tabs = sum(tab.width for tab in self.tabs) + 4 * max(len(self.tabs) - 1, 0)
        text = max((len(line) for line in self.lines), default=0) * TEXT_WIDTH
        return max(len(self.name) * NAME_WIDTH, text, tabs) + 2 * PAD

    @property
    def height(self) -> float:
        return HEADING + len(self.lines) * LINE + self.tabs_height + PAD


@define
class _Place:
    """A box, or where an arrow passes a row (``box`` is None)."""

    row: int
    width: float
    box: Box | None = None
    x: float = 0.0
    above: list[_Place] = field(factory=list, repr=False)
    below: list[_Place] = field(factory=list, repr=False)


@define
class _Arrow:
    tab: Tab
    places: list[_Place]
    """From the box that it leaves to that which it reaches."""


def svg(boxes: Sequence[Box], title: str) -> str:
    """The picture; ``title`` is for who cannot see it."""
    places, arrows = _placed(boxes)
    rows = _ordered(list(places.values()), arrows)
    _moved(rows)
    return "\n".join(_drawn(rows, arrows, title)) + "\n"


# --- rows ------------------------------------------------------------------------------------------------------------


def _placed(boxes: Sequence[Box]) -> tuple[dict[str, _Place], list[_Arrow]]:
    depth = _depths(boxes)
    places = {box.name: _Place(depth[box.name], box.width, box) for box in boxes}
    arrows = []
    for box in boxes:
        for tab in box.tabs:
            for end in tab.ends:
                first, last = places[box.name], places[end]
                between = [_Place(row, LANE) for row in range(first.row + 1, last.row)]
                arrow = _Arrow(tab, [first, *between, last])
                for one, other in pairwise(arrow.places):
                    one.below.append(other)
                    other.above.append(one)
                arrows.append(arrow)
    return places, arrows


def _depths(boxes: Sequence[Box]) -> dict[str, int]:
    """The longest way from a box that nothing leads to."""
    found: dict[str, int] = {}
    above: dict[str, set[str]] = {box.name: set() for box in boxes}
    for box in boxes:
        for tab in box.tabs:
            for end in tab.ends:
                above[end].add(box.name)
    while len(found) < len(boxes):
        ready = [name for name in above if name not in found and above[name] <= found.keys()]
        if not ready:
            raise ValueError("the graph has a circle")
        found |= {name: max((found[one] + 1 for one in above[name]), default=0) for name in ready}
    return found


def _ordered(places: list[_Place], arrows: list[_Arrow]) -> list[list[_Place]]:
    """The rows, in the order with the fewest crossings that was met."""
    everything = [*places, *(place for arrow in arrows for place in arrow.places[1:-1])]
    rows: list[list[_Place]] = [[] for _ in range(max(place.row for place in everything) + 1)]
    for place in everything:
        rows[place.row].append(place)
    best, fewest = [list(row) for row in rows], _crossings(rows)
    for sweep in range(SWEEPS):
        downwards = sweep % 2 == 0
        for row in rows if downwards else reversed(rows):
            number = {id(one): index for other in rows for index, one in enumerate(other)}
            row.sort(key=_by_neighbours(number, downwards))
        crossings = _crossings(rows)
        if crossings < fewest:
            best, fewest = [list(row) for row in rows], crossings
    return best


def _by_neighbours(number: dict[int, int], downwards: bool) -> Callable[[_Place], float]:
    def middle(place: _Place) -> float:
        near = place.above if downwards else place.below
        return sum(number[id(one)] for one in near) / len(near) if near else number[id(place)]

    return middle


def _crossings(rows: list[list[_Place]]) -> int:
    total = 0
    for upper, lower in pairwise(rows):
        number = {id(one): index for index, one in enumerate(lower)}
        ends = [
            number[id(end)] for one in upper for end in sorted(one.below, key=lambda end: number[id(end)])
        ]
        total += sum(ends[first] > later for first in range(len(ends)) for later in ends[first + 1 :])
    return total


# --- across ----------------------------------------------------------------------------------------------------------


def _moved(rows: list[list[_Place]]) -> None:
    for row in rows:
        _spread(row, [0.0] * len(row))
    for sweep in range(SWEEPS):
        for row in rows if sweep % 2 == 0 else reversed(rows):
            wanted = []
            for place in row:
                near = [*place.above, *place.below]
                wanted.append(sum(one.x for one in near) / len(near) if near else place.x)
            _spread(row, wanted)
    left = min(place.x - place.width / 2 for row in rows for place in row)
    for row in rows:
        for place in row:
            place.x += MARGIN - left


def _spread(row: list[_Place], wanted: list[float]) -> None:
    """Middles as near to those that are wanted as the widths allow (isotonic regression: neighbours are pooled)."""
    offsets = [0.0]
    for one, other in pairwise(row):
        gap = GAP if one.box is not None or other.box is not None else 0
        offsets.append(offsets[-1] + (one.width + other.width) / 2 + gap)
    pools: list[tuple[float, int]] = []
    for middle, offset in zip(wanted, offsets, strict=True):
        total, number = middle - offset, 1
        while pools and pools[-1][0] / pools[-1][1] >= total / number:
            total, number = total + pools[-1][0], number + pools[-1][1]
            pools.pop()
        pools.append((total, number))
    levels = [total / number for total, number in pools for _ in range(number)]
    for place, level, offset in zip(row, levels, offsets, strict=True):
        place.x = level + offset


# --- the picture -----------------------------------------------------------------------------------------------------


def _drawn(rows: list[list[_Place]], arrows: list[_Arrow], title: str) -> Iterable[str]:
    heights = [max(place.box.height if place.box else 0 for place in row) for row in rows]
    tops = [MARGIN + sum(heights[:index]) + index * ROW_GAP for index in range(len(rows))]
    width = max(place.x + place.width / 2 for row in rows for place in row) + MARGIN
    height = tops[-1] + heights[-1] + MARGIN
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" role="img">'
    )
    yield f"<title>{escape(title)}</title>\n<style>\n{STYLE}\n</style>"
    yield (
        '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0 8 4 0 8z" fill="#5b6b8c"/></marker></defs>'
    )
    yield '<rect width="100%" height="100%" rx="8" fill="#ffffff"/>'
    for arrow in arrows:
        yield _line(arrow, arrows, tops, heights)
    for row, top in zip(rows, tops, strict=True):
        for place in row:
            if place.box is not None:
                yield from _box(place, place.box, top)
    yield "</svg>"


def _line(arrow: _Arrow, arrows: list[_Arrow], tops: list[float], heights: list[float]) -> str:
    """Through the places of an arrow: from its tab, straight past each row, to a point of its own on the box."""
    first, *between, last = arrow.places
    assert first.box is not None
    x, y = _tab_middle(first, arrow.tab), tops[first.row] + first.box.height
    path = f"M{x:.1f} {y:.1f}"
    for place in between:
        path += _curve(x, y, place.x, tops[place.row]) + f"V{tops[place.row] + heights[place.row]:.1f}"
        x, y = place.x, tops[place.row] + heights[place.row]
    arriving = sorted(
        (other for other in arrows if other.places[-1] is last), key=lambda one: one.places[-2].x
    )
    share = (arriving.index(arrow) + 1) / (len(arriving) + 1) - 0.5
    path += _curve(x, y, last.x + share * (last.width - 2 * PAD), tops[last.row] - 1)
    return f'<path class="arrow" marker-end="url(#head)" d="{path}"/>'


def _curve(x: float, y: float, to_x: float, to_y: float) -> str:
    bend = (to_y - y) / 2
    return f"C{x:.1f} {y + bend:.1f} {to_x:.1f} {to_y - bend:.1f} {to_x:.1f} {to_y:.1f}"


def _tab_lefts(place: _Place, box: Box) -> list[float]:
    whole = sum(tab.width for tab in box.tabs) + 4 * (len(box.tabs) - 1)
    lefts = [place.x - whole / 2]
    for tab in box.tabs[:-1]:
        lefts.append(lefts[-1] + tab.width + 4)
    return lefts


def _tab_middle(place: _Place, tab: Tab) -> float:
    assert place.box is not None
    return _tab_lefts(place, place.box)[place.box.tabs.index(tab)] + tab.width / 2


def _box(place: _Place, box: Box, top: float) -> Iterable[str]:
    left = place.x - place.width / 2
    yield (
        f'<rect class="box {box.kind}" x="{left:.1f}" y="{top:.1f}" width="{place.width:.1f}" '
        f'height="{box.height:.1f}" rx="7"/>'
    )
    yield _text(place.x, top + HEADING - 3, box.name, "name")
    for number, line in enumerate(box.lines, 1):
        yield _text(place.x, top + HEADING + number * LINE - 3, line)
    if not box.tabs_height:
        return
    upper = top + box.height - box.tabs_height
    for tab, tab_left in zip(box.tabs, _tab_lefts(place, box), strict=True):
        yield (
            f'<rect class="tab" x="{tab_left:.1f}" y="{upper:.1f}" width="{tab.width:.1f}" '
            f'height="{box.tabs_height:.1f}" rx="4"/>'
        )
        for number, line in enumerate(tab.lines, 1):
            yield _text(tab_left + tab.width / 2, upper + number * LINE - 1, line)


def _text(x: float, y: float, words: str, kind: str = "") -> str:
    named = f' class="{kind}"' if kind else ""
    return f'<text{named} x="{x:.1f}" y="{y:.1f}" text-anchor="middle">{escape(words)}</text>'
