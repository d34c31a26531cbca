"""A ladder as SVG: one file without script, in the colours of whoever looks at it, light or dark."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from sansticket.debug.ladders.picture import Picture, Row

WIDTH: Final = 960
LEFT: Final = 40
RIGHT: Final = WIDTH - LEFT
TOP: Final = 84
HEIGHT: Final = {"event": 20, "sum": 22}
"""Of a row, by its kind; those with an arrow have ``ARROW``."""
ARROW: Final = 34
LETTERS: Final = 112
"""Characters of a row; all of a longer text stands in its tooltip."""

STYLE: Final = """\
text { font: 13px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; fill: #1c2330; }
.page { fill: #ffffff; } .rail { stroke: #9aa4b2; stroke-width: 2; } .title { font-size: 16px; font-weight: 600; }
.end { font-weight: 600; } .sum { fill: #667085; font-size: 11px; } .event { font-style: italic; }
.arrow { stroke-width: 1.6; fill: none; } .note { fill: #667085; }
.none { stroke: #667085; } .early { stroke: #b45309; } .handshake { stroke: #1d4ed8; }
.application { stroke: #15803d; } .unread { stroke: #b91c1c; stroke-dasharray: 5 4; } .dot { fill: #7c3aed; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6e9ef; } .page { fill: #11151c; } .rail { stroke: #5b6573; } .sum, .note { fill: #98a2b3; }
  .none { stroke: #98a2b3; } .early { stroke: #fbbf24; } .handshake { stroke: #7da7ff; }
  .application { stroke: #5fd38a; } .unread { stroke: #ff8a80; } .dot { fill: #c4a7ff; }
}"""

LEGEND: Final = (
    ("none", "in the clear"),
    ("early", "early keys"),
    ("handshake", "handshake keys"),
    ("application", "application keys"),
    ("unread", "not opened"),
)


def svg(picture: Picture) -> str:
    """The file, as text."""
    rows, bottom = [], TOP
    for row in picture.rows:
        rows += list(_row(row, bottom))
        bottom += HEIGHT.get(row.kind, ARROW)
    notes = [
        f'<text class="note" x="{LEFT}" y="{bottom + 26 + 18 * at}">{_cut(note)}</text>'
        for at, note in enumerate(picture.notes)
    ]
    height = bottom + 30 + 18 * len(notes)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
            f"aria-label={quoteattr(picture.title)}>",
            f"<title>{escape(picture.title)}</title>",
            f"<style>{STYLE}</style>",
            f'<rect class="page" width="{WIDTH}" height="{height}"/>',
            f'<text class="title" x="{LEFT}" y="28">{_cut(picture.title)}</text>',
            *_legend(),
            f'<text class="end" x="{LEFT - 24}" y="{TOP - 14}">client</text>',
            f'<text class="end" x="{RIGHT + 24}" y="{TOP - 14}" text-anchor="end">server</text>',
            *(f'<path class="rail" d="M{x} {TOP - 6}V{bottom + 4}"/>' for x in (LEFT, RIGHT)),
            *rows,
            *notes,
            "</svg>\n",
        ]
    )


def _legend() -> Iterator[str]:
    x = LEFT + 60
    for name, text in LEGEND:
        yield f'<path class="arrow {name}" d="M{x} 48h22"/><text class="sum" x="{x + 28}" y="52">{text}</text>'
        x += 46 + 7 * len(text)


def _row(row: Row, top: int) -> Iterator[str]:
    client = row.side == "client"
    x, anchor = (LEFT + 12, "") if client else (RIGHT - 12, ' text-anchor="end"')
    tip = f"<title>{escape(row.title)}</title>"
    if row.kind == "event":
        yield f'<circle class="dot" cx="{LEFT if client else RIGHT}" cy="{top + 9}" r="3.5"/>'
        yield f'<text class="event" x="{x}" y="{top + 13}"{anchor}>{tip}{_cut(row.title)}</text>'
        return
    if row.kind == "sum":
        yield f'<text class="sum" x="{x}" y="{top + 12}"{anchor}>{_cut(row.title)}</text>'
        return
    size = f" ({row.size} B)" if row.size is not None else ""
    yield f'<text x="{x}" y="{top + 14}"{anchor}>{tip}{_cut(row.title, LETTERS - len(size))}{size}</text>'
    start, end, back = (LEFT + 6, RIGHT - 6, -8) if client else (RIGHT - 6, LEFT + 6, 8)
    y = top + 22
    head = f"M{end + back} {y - 4}L{end} {y}L{end + back} {y + 4}"
    yield f'<path class="arrow {row.protection}" d="M{start} {y}H{end}"/>'
    yield f'<path class="arrow {row.protection}" style="stroke-dasharray: none" d="{head}"/>'


def _cut(text: str, most: int = LETTERS) -> str:
    return escape(text if len(text) <= most else text[: most - 1] + "\N{HORIZONTAL ELLIPSIS}")
