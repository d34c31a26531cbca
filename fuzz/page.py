"""``docs/fuzzing.md``: for how long each target has run, with how many inputs, and how much code they reached."""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from attrs import frozen

PAGE: Final = Path(__file__).parent.parent / "docs" / "fuzzing.md"
START: Final = "<!-- The counts of python -m fuzz --write -->\n"
END: Final = "<!-- The end of python -m fuzz --write -->\n"
HEAD: Final[tuple[str, ...]] = ("target", "CPU seconds", "inputs", "edges", "what holds")
ROW: Final = re.compile(r"\| `(\w+)` \| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \| .* \|")


@frozen
class Ran:
    """What was done with a target, and held."""

    seconds: int
    """Of CPU time."""
    inputs: int
    edges: int
    """Of the package, which is instrumented: how many some input went over, as libFuzzer counts them."""

    def then(self, later: Ran) -> Ran:
        """Both runs, of which the later began with what the earlier had found, or went over less."""
        return Ran(self.seconds + later.seconds, self.inputs + later.inputs, max(self.edges, later.edges))


def recorded() -> dict[str, Ran]:
    """What the page has."""
    counts = PAGE.read_text().partition(START)[2].partition(END)[0]
    return {
        name: Ran(*(int(number.replace(",", "")) for number in numbers))
        for name, *numbers in ROW.findall(counts)
    }


def text(ran: Mapping[str, Ran]) -> str:
    """What stands between the two comments."""
    rows = [HEAD, ("---", "--:", "--:", "--:", "---")]
    for target, each in sorted(ran.items()):
        numbers = (f"{number:,}" for number in (each.seconds, each.inputs, each.edges))
        rows.append((f"`{target}`", *numbers, invariant(target)))
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def invariant(target: str) -> str:
    """The first sentence of its module."""
    words = importlib.import_module(f"fuzz.targets.{target}").__doc__ or ""
    return words.partition("\n")[0].replace("``", "`")


def add(ran: Mapping[str, Ran]) -> None:
    """To what the page has."""
    before, _, rest = PAGE.read_text().partition(START)
    sums = recorded()
    for target, each in ran.items():
        sums[target] = sums.get(target, Ran(0, 0, 0)).then(each)
    PAGE.write_text(before + START + "\n" + text(sums) + "\n" + END + rest.partition(END)[2])
