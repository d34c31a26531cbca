"""``python -m sansticket report``: what a log says about resumption, as text or as a plot."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence

from sansticket.accounts.summary import Summary
from sansticket.command.output import CommandError, Commands, add, read, write

DESCRIPTION = """\
Sums up a log of accounts, the lines of JSON that sansticket_wrappers.monitoring writes: how many handshakes resumed a
session, why the others did not, what became of tickets and of early data, and why connections failed.  Lines that are
something else are counted and passed over; what stands before the object in its line does not matter.
"""

EXAMPLES = """\
examples:
  python -m sansticket report server.log                        the figures
  python -m sansticket report server.log --side server          where clients log into the same file
  zcat server.log.*.gz | python -m sansticket report -          of the last days
  python -m sansticket report server.log --plot resumed.svg     and over time (pip install 'sansticket[plots]')
"""

POINTS = 48
"""Of the curve, at most."""


def add_report(commands: Commands) -> None:
    command = add(
        *(commands, "report", run),
        help="a log summed up: how many resumed, and why the others did not",
        description=DESCRIPTION,
        examples=EXAMPLES,
    )
    command.add_argument("log", metavar="LOG", help="a file, or - for standard input")
    command.add_argument("--side", choices=("client", "server"), help="only the accounts of this side")
    command.add_argument("--plot", metavar="FILE", help="write the share that resumed over time as SVG, too")


def run(options: argparse.Namespace) -> Iterable[str]:
    lines = read(options.log).decode("utf-8", "replace").split("\n")
    summary = Summary.of(lines, side=options.side)
    if options.plot is not None:
        write(options.plot, _plot(summary))
    return summary.lines()


def _plot(summary: Summary) -> bytes:
    from sansticket.fleet.plots import drawn
    from sansticket.fleet.report import Curve, Picture

    if not summary.handshakes:
        raise CommandError("no handshake in the log has a time; expected one for a plot")
    picture = Picture(
        x="hours since the first handshake",
        y="share of handshakes that resumed",
        curves=(Curve("resumed", tuple(shares(summary.handshakes))),),
    )
    heading = f"{summary.number:,} handshakes, {summary.outcomes['resumed']:,} of them resumed"
    return drawn(picture, heading, {"Title": "How many handshakes resumed a session"})


def shares(handshakes: Sequence[tuple[float, bool]]) -> Iterable[tuple[float, float]]:
    """Hours and share, in at most ``POINTS`` equal times, of which those without a handshake have no point."""
    start, end = min(time for time, _ in handshakes), max(time for time, _ in handshakes)
    width = max((end - start) / POINTS, 1e-9)
    found: dict[int, list[bool]] = {}
    for time, resumed in handshakes:
        found.setdefault(min(int((time - start) / width), POINTS - 1), []).append(resumed)
    return [
        ((place + 0.5) * width / 3600, sum(resumed) / len(resumed))
        for place, resumed in sorted(found.items())
    ]
