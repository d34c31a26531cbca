"""Curves, as a table and as a picture."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from io import BytesIO
from math import ceil, floor, log10
from time import process_time
from typing import Final

from attrs import frozen

from benchmarks.harness import Plan
from benchmarks.report import section, table
from sansticket.fleet.plots import require_matplotlib

Points = Mapping[int, float]
"""What one costs (in ``Growth.unit``), by how many there are."""

BATCH: Final = 0.02
"""Seconds of CPU time that a batch takes at least, with what is not measured of it."""
BATCHES: Final = 3

SETTINGS: Final = {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}


@frozen
class Growth:
    """``many`` is the name of what grows, ``unit`` that of what it costs."""

    name: str
    title: str
    many: str
    unit: str
    curves: Mapping[str, Points]

    def text(self, plan: Plan) -> str:
        """With a picture, if there is a place for it."""
        sizes = sorted({size for points in self.curves.values() for size in points})
        rows = [
            [f"{size:,.0f}", *(_figure(points.get(size)) for points in self.curves.values())]
            for size in sizes
        ]
        parts = [table([self.many, *self.curves], rows)]
        if plan.pictures:
            picture = plan.pictures / f"growth-{self.name}.png"
            picture.write_bytes(self.png())
            parts.insert(0, f"![{self.title}]({picture.parent.name}/{picture.name})")
        return section(f"{self.title}, {self.unit}", *parts)

    def png(self) -> bytes:
        """A curve that is level says that one more costs what the others did."""
        library = require_matplotlib()
        with library.rc_context(SETTINGS):
            figure = library.figure.Figure(figsize=(6.4, 3.4), dpi=100, layout="constrained")
            axes = figure.add_subplot()
            for name, points in self.curves.items():
                axes.plot(list(points), list(points.values()), marker=".", linewidth=1.3, label=name)
            for axis, set_scale in ((axes.xaxis, axes.set_xscale), (axes.yaxis, axes.set_yscale)):
                set_scale("log")
                axis.set_major_formatter(library.ticker.FuncFormatter(lambda number, _: f"{number:,.10g}"))
                axis.set_minor_formatter(library.ticker.NullFormatter())
            values = [value for points in self.curves.values() for value in points.values()]
            axes.set_ylim(10 ** floor(log10(min(values) / 2)), 10 ** ceil(log10(max(values) * 2)))
            axes.set_xlabel(self.many)
            axes.set_ylabel(self.unit)
            axes.grid(alpha=0.25)
            figure.legend(loc="outside upper left", ncols=2, frameon=False)
            written = BytesIO()
            figure.savefig(written, format="png", metadata={"Title": self.title, "Software": None})
        return written.getvalue()


def _figure(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def beyond_noise(points: Points) -> Points:
    """Differences of two measurements, without those that are none: there is no place for them on such an axis."""
    return {size: value for size, value in points.items() if value > 0}


def texts(growths: Iterable[Growth], plan: Plan) -> str:
    return "\n\n".join(growth.text(plan) for growth in growths)


def by_name(names: Sequence[str], measured: Mapping[int, Sequence[float]]) -> dict[str, Points]:
    """The curve of each name, of figures in their order."""
    return {name: {size: each[place] for size, each in measured.items()} for place, name in enumerate(names)}


def sizes(plan: Plan, *numbers: int) -> list[int]:
    """Those that are not too large for the plan."""
    return [number for number in numbers if number <= plan.largest]


def microseconds(work: Callable[[], object], prepare: Callable[[], object] = lambda: None) -> float:
    """CPU time of ``work``, ``prepare`` before it not counted: the best of some batches."""
    return min(_batch(work, prepare) for _ in range(BATCHES)) * 1e6


def _batch(work: Callable[[], object], prepare: Callable[[], object]) -> float:
    count, taken, begin = 0, 0.0, process_time()
    while process_time() - begin < BATCH:
        prepare()
        start = process_time()
        work()
        taken += process_time() - start
        count += 1
    return taken / count
