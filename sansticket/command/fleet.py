"""``python -m sansticket fleet``: a scenario of the simulator, as a table, as JSON or as a plot."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator
from textwrap import wrap

from sansticket.command.output import Commands, add, check_writable, write
from sansticket.config.client import ClientConfig
from sansticket.fleet.plots import require_matplotlib, svg
from sansticket.fleet.scenarios import SCENARIOS

DESCRIPTION = """\
A fleet that is simulated: servers, clients and attackers on the real state machines, in a time that is only a number.
Nothing touches a network, and the same options give the same answer.  Without a SCENARIO: which there are.
"""

EXAMPLES = """\
examples:
  python -m sansticket fleet                                          which scenarios there are
  python -m sansticket fleet rotation                                 hourly keys and wrong clocks
  python -m sansticket fleet rolling-restart --clients 100 --seed 7   more clients, other chances
  python -m sansticket fleet store-outage --plot outage.svg           and a picture (pip install 'sansticket[plots]')
  python -m sansticket fleet ten-thousand --time --json               with the time of handshakes, for programs
"""

SIZES = {
    "clients": "clients that come back",
    "hours": "simulated hours",
    "servers": "servers",
    "seed": "another seed, other chances",
}


def add_fleet(commands: Commands) -> None:
    command = add(
        *(commands, "fleet", run),
        help="a simulated fleet: what is resumed, what it takes, and what attackers get",
        description=DESCRIPTION,
        examples=EXAMPLES,
    )
    command.add_argument(
        "scenario", metavar="SCENARIO", nargs="?", choices=SCENARIOS, help="one of the scenarios"
    )
    for name, words in SIZES.items():
        command.add_argument(
            f"--{name}", type=int, metavar="N", help=f"{words} (default: that of the scenario)"
        )
    command.add_argument("--json", action="store_true", help="for programs")
    command.add_argument("--plot", metavar="FILE", help="write the curves of the scenario as SVG, too")
    command.add_argument(
        "--time",
        action="store_true",
        help="measure handshakes, and say their medians in milliseconds: they differ from one run to the next",
    )
    command.set_defaults(check=check)


def check(options: argparse.Namespace) -> str:
    given = [name for name in (*SIZES, "json", "plot", "time") if getattr(options, name) not in (None, False)]
    return f"--{given[0]} is for a SCENARIO" if given and options.scenario is None else ""


def run(options: argparse.Namespace) -> Iterable[str]:
    if options.scenario is None:
        return scenarios()
    if options.plot is not None:
        require_matplotlib()
        check_writable(options.plot)
    size = {name: value for name in SIZES if (value := getattr(options, name)) is not None}
    report = SCENARIOS[options.scenario].run(stopwatch=_stopwatch() if options.time else None, **size)
    if options.plot is not None:
        write(options.plot, svg(report))
    return [report.to_json()] if options.json else report.lines()


def scenarios() -> Iterator[str]:
    """Which there are, and what each asks."""
    for scenario in SCENARIOS.values():
        yield f"{scenario.name}: {scenario.title}"
        yield from wrap(scenario.how, 110, initial_indent="  ", subsequent_indent="  ")
        yield f"  {scenario.size}"


def _stopwatch() -> Callable[[], float]:
    """The system's clock, as in every config that names no other."""
    return ClientConfig(verify_peer=False).clock
