"""Curves as SVG, by ``matplotlib`` (the extra ``plots``)."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from io import BytesIO
from typing import Any, Final

from sansticket.errors import SansticketError
from sansticket.fleet.report import Curve, Picture, Report

_STYLES: Final = ("-", "--", "-.", ":")

_SETTINGS: Final = {
    "svg.fonttype": "none",  # text stays text, which is small, and can be found
    "svg.hashsalt": "sansticket",
    "font.size": 9,
    "font.family": "sans-serif",
    "axes.spines.top": False,
    "axes.spines.right": False,
}


FEW: Final = 12
"""Points that are marked; more make a line."""


class PlotError(SansticketError):
    """There can be no plot here; the text says why."""


def fingerprint(report: Report) -> str:
    """Of all that the report says: what a plot names as the source of its curves, 64 hexadecimal digits."""
    return sha256(report.to_json().encode()).hexdigest()


def svg(report: Report) -> bytes:
    """The picture of a report.  ``PlotError`` without ``matplotlib``.

    Its metadata has the question of the scenario, and as its source the ``fingerprint`` of the report.
    """
    heading = f"{report.scenario}: {report.size}"
    return drawn(report.picture, heading, {"Title": report.title, "Source": fingerprint(report)})


def drawn(picture: Picture, heading: str, metadata: Mapping[str, str]) -> bytes:
    """Curves under a heading, as SVG.  ``PlotError`` without ``matplotlib``."""
    library = require_matplotlib()
    with library.rc_context(_SETTINGS):
        figure = library.figure.Figure(figsize=(7.2, 3.4), layout="constrained")
        axes = figure.add_subplot()
        for number, one in enumerate(picture.curves):
            style = _STYLES[number % len(_STYLES)]
            marker = "." if len(one.points) <= FEW else ""
            axes.plot(*_coordinates(one), style, marker=marker, linewidth=1.3, label=one.title)
        axes.set_xlabel(picture.x)
        axes.set_ylabel(picture.y)
        axes.set_title(heading, fontsize=9, loc="left")
        if picture.share:
            axes.set_ylim(-0.03, 1.03)
            axes.yaxis.set_major_formatter(library.ticker.PercentFormatter(1.0))
        else:
            axes.set_ylim(bottom=0)
        axes.grid(alpha=0.25)
        if len(picture.curves) > 1:
            figure.legend(loc="outside right center", frameon=False)
        written = BytesIO()
        figure.savefig(written, format="svg", metadata={**metadata, "Date": None, "Creator": None})
    return written.getvalue()


def _coordinates(one: Curve) -> tuple[list[float], list[float]]:
    return [x for x, _ in one.points], [y for _, y in one.points]


def require_matplotlib() -> Any:
    """The library.  ``PlotError`` without it."""
    try:
        import matplotlib.figure
        import matplotlib.ticker
    except ImportError:
        raise PlotError("a plot needs matplotlib; expected: pip install 'sansticket[plots]'") from None
    return matplotlib
