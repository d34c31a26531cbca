"""What a scenario found: tables, curves, and the arithmetic behind what was not simulated itself.

A report is a value.  ``text`` is for people, ``to_json`` for programs, and ``sansticket.fleet.plots`` draws the curves.
Without times of a stopwatch the same seed gives the same report, to the byte.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from textwrap import wrap
from typing import Any

from attrs import asdict, field

from sansticket.errors import ConfigError
from sansticket.inputs import check_kind
from sansticket.text import quoted
from sansticket.values import frozen

Cell = str | int | float | None
"""None is what there is nothing to say of."""

WIDTH = 120
"""Characters of a line of notes."""

_BOUNDS = {"clients": (1, 1_000_000), "hours": (1, 8760), "servers": (1, 10_000), "seed": (0, 1 << 63)}


def number_of(count: int, what: str) -> str:
    """As people say it: ``1 server``, ``10,000 servers``."""
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


@frozen(kw_only=True)
class Size:
    """How much is simulated.  ConfigError names the field that is out of range."""

    clients: int
    """1 to 1,000,000."""
    hours: int
    """Of the world, 1 to 8,760."""
    servers: int
    """1 to 10,000."""
    seed: int = 1
    """0 to 2^63."""

    def __attrs_post_init__(self) -> None:
        for name, (low, high) in _BOUNDS.items():
            value = getattr(self, name)
            check_kind(name, value, int, "a number")
            if not low <= value <= high:
                raise ConfigError(name, f"{quoted(value)}; expected {low} to {high:,}")

    def __str__(self) -> str:
        counted = [
            number_of(self.clients, "client"),
            number_of(self.servers, "server"),
            number_of(self.hours, "hour"),
        ]
        return f"{', '.join(counted)}, seed {self.seed}"


@frozen
class Column:
    """``form`` is a format specification of Python for its numbers, or ``""``: then it has words.

    ``title`` stands above it.
    """

    title: str
    form: str = ",d"

    def text(self, cell: Cell) -> str:
        """A cell of this column, as people read it."""
        if cell is None:
            return "-"
        return cell if isinstance(cell, str) else format(cell, self.form)


WORDS = ""
"""The ``form`` of a column of words."""

SHARE = ".1%"
"""That of shares, 0 to 1."""


@frozen
class Table:
    """``title``, ``columns``, and ``rows``, each of which has a cell for each column: words, a number, or None."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def lines(self) -> Iterator[str]:
        """The title, the head and the rows, aligned."""
        texts = [tuple(column.title for column in self.columns)]
        texts += [
            tuple(column.text(cell) for column, cell in zip(self.columns, row, strict=True))
            for row in self.rows
        ]
        widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
        yield self.title
        for row in texts:
            cells = (
                text.ljust(width) if column.form == WORDS else text.rjust(width)
                for text, width, column in zip(row, widths, self.columns, strict=True)
            )
            yield ("  " + "  ".join(cells)).rstrip()


@frozen
class Curve:
    """``title`` is its name, ``points`` are pairs of x and y, in the order of x."""

    title: str
    points: tuple[tuple[float, float], ...]


@frozen(kw_only=True)
class Picture:
    """Curves over one pair of axes."""

    x: str
    """What the axis counts."""
    y: str
    """Likewise."""
    curves: tuple[Curve, ...]
    """In the order of the legend."""
    share: bool = True
    """y is a share, 0 to 1; otherwise a number."""


@frozen(kw_only=True)
class Report:
    """What was found."""

    scenario: str
    """Its name."""
    title: str
    """What it asks."""
    size: Size
    """How much was simulated."""
    tables: tuple[Table, ...]
    """All figures."""
    picture: Picture
    """One of them, as curves."""
    notes: tuple[str, ...] = field(default=())
    """Sentences: what follows, and by which arithmetic."""

    def lines(self) -> Iterator[str]:
        """All of it as text, without line ends."""
        yield f"{self.scenario}: {self.title}"
        yield str(self.size)
        for table in self.tables:
            yield ""
            yield from table.lines()
        if self.notes:
            yield ""
        for note in self.notes:
            yield from wrap(note, WIDTH, initial_indent="* ", subsequent_indent="  ", break_on_hyphens=False)

    def text(self) -> str:
        """The same as one string."""
        return "".join(f"{line}\n" for line in self.lines())

    def to_json(self) -> str:
        """An object: ``scenario``, ``title``, ``size``, ``notes``; ``tables`` by their titles, whose rows are objects
        with the titles of the columns as names; ``picture`` with the points of its curves.  Shares are 0 to 1."""
        known: dict[str, Any] = {
            "scenario": self.scenario,
            "title": self.title,
            "size": asdict(self.size),
            "tables": {
                table.title: [
                    {column.title: cell for column, cell in zip(table.columns, row, strict=True)}
                    for row in table.rows
                ]
                for table in self.tables
            },
            "notes": list(self.notes),
            "picture": asdict(self.picture),
        }
        return json.dumps(known, indent=1)
