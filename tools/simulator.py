"""The tables and plots of docs/simulator.md, made by the commands that stand there.

python -m tools.simulator            print the page as it should be
python -m tools.simulator --write    write it, and the plots
"""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from attrs import frozen

from sansticket.__main__ import parser
from sansticket.fleet import SCENARIOS, Report, svg

ROOT: Final = Path(__file__).parent.parent
PAGE: Final = ROOT / "docs/simulator.md"
BLOCK: Final = re.compile(
    r"(?P<before>^!\[[^]]*\]\((?P<picture>[^)]+)\)\n\n```sh\n(?P<command>[^\n]+)\n```\n\n```text\n)(?P<output>.*?)(?=^```\n)",
    re.MULTILINE | re.DOTALL,
)
"""A plot, the command that makes it, and what that prints."""


@frozen
class Shown:
    """One command of the page."""

    command: str
    picture: Path
    """Where the page has it from, in the repository."""
    output: str

    @property
    def plot(self) -> Path:
        """What the command writes."""
        options = self._options()
        return ROOT / str(options.plot)

    def run(self) -> Report:
        """What it reports."""
        options = self._options()
        names = ("clients", "hours", "servers", "seed")
        given = {name: value for name in names if (value := getattr(options, name)) is not None}
        return SCENARIOS[options.scenario].run(**given)

    def _options(self) -> argparse.Namespace:
        arguments = shlex.split(self.command.removeprefix("python -m sansticket "))
        return parser().parse_args(arguments)


def shown(text: str) -> Iterator[Shown]:
    """All commands of a page."""
    for found in BLOCK.finditer(text):
        yield _shown(found)


def _shown(found: re.Match[str]) -> Shown:
    return Shown(found["command"], PAGE.parent / found["picture"], found["output"])


def main(arguments: Sequence[str] | None = None) -> int:
    options = argparse.ArgumentParser(
        prog="python -m tools.simulator", description="The page of the simulator."
    )
    options.add_argument("--write", action="store_true", help=f"write docs/{PAGE.name}, and its plots")
    write = options.parse_args(arguments).write

    def made(found: re.Match[str]) -> str:
        one = _shown(found)
        report = one.run()
        if write:
            one.plot.write_bytes(svg(report))
        return found["before"] + report.text()

    text = BLOCK.sub(made, PAGE.read_text(encoding="utf-8"))
    if write:
        PAGE.write_text(text, encoding="utf-8")
    else:
        print(text, end="")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
