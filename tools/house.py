"""The house, drawn from the code: its rooms, what each imports, and its measures.

    python -m tools.house            print what docs/architecture.md has between its marks
    python -m tools.house --write    put it there
    python -m tools.house --measure FOLDER    the measures of a package in another place

``tests/support/architecture.py`` says which rooms there are, and reads the sources; nothing is imported.
"""

from __future__ import annotations

import argparse
import ast
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from keyword import iskeyword
from pathlib import Path
from statistics import median
from typing import Final

from attrs import define, field

from tests.support.architecture import (
    MAX_LINES,
    MAX_LINES_OF_A_FUNCTION,
    Module,
    complaints,
    functions,
    imported_modules,
    read_package,
    room_of,
    rooms_from_the_top,
)
from tools.layered import Box, Tab, svg

ROOT: Final = Path(__file__).parent.parent
PACKAGE: Final = ROOT / "sansticket"
PAGE: Final = ROOT / "docs/architecture.md"
PICTURE: Final = ROOT / "docs/diagrams/house.svg"
RUN: Final = 6
"""Lines that are the same in two places make a repeated run."""

MARK: Final = "<!-- {} of python -m tools.house --write -->"

BEFORE: Final[Mapping[str, object]] = {
    "modules": 98,
    "files in the fullest folder": "29 (`handshake`)",
    "modules of more than 450 lines": 6,
    "functions of more than 40 lines": 0,
    "lines of a function, median and most": "5, 37",
    "imports that point up": 2,
    "modules in circles": 4,
    "runs of six lines that stand twice": 7,
    "the same but for names, strings and numbers": 61,
    "states": 47,
    "states that ask": 19,
}
"""The same measures of the package at commit 2337779, before its rooms were rebuilt."""


@define
class House:
    """The modules of a package, and the arrows between their rooms."""

    modules: list[Module]
    arrows: dict[str, Counter[str]] = field(init=False, factory=dict)
    """From each room to those that it imports from, with the number of imports."""

    def __attrs_post_init__(self) -> None:
        names = {module.name for module in self.modules}
        for module in self.modules:
            here = room_of(module.name)
            for target in imported_modules(module, names):
                if (there := room_of(target)) != here:
                    self.arrows.setdefault(here, Counter())[there] += 1

    def below(self, room: str) -> set[str]:
        """Every room that one can get to from here."""
        reached: set[str] = set()
        waiting = [room]
        while waiting:
            new = set(self.arrows.get(waiting.pop(), ())) - reached
            reached |= new
            waiting += new
        return reached

    def drawn(self, room: str) -> list[str]:
        """The arrows of a room that do not follow from others."""
        ends = self.arrows.get(room, Counter())
        return sorted(
            end for end in ends if not any(end in self.below(other) for other in ends if other != end)
        )

    def of(self, room: str) -> list[Module]:
        return [module for module in self.modules if room_of(module.name) == room]


@cache
def house(root: Path = PACKAGE) -> House:
    return House(read_package(root))


# --- the drawing -------------------------------------------------------------------------------------------------


DIAGRAM: Final = f"![The rooms of the package; an arrow is an import](diagrams/{PICTURE.name})"


def picture(built: House) -> str:
    """The rooms as SVG; an arrow that follows from others is left out."""
    boxes = []
    for room in rooms_from_the_top():
        ends = tuple(_title(end) for end in built.drawn(room))
        if ends or any(room in there for there in built.arrows.values()):
            boxes.append(Box(_title(room), tabs=(Tab((), ends),) if ends else ()))
    return svg(boxes, "The rooms of sansticket, and their imports")


def _title(room: str) -> str:
    return "sansticket" if room == "__init__" else room.replace(".", "/")


def table(built: House) -> str:
    """What each room is, from its docstring, how many files it has, and what it imports."""
    lines = ["| room | what it is | files | imports from |", "|---|---|---|---|"]
    for room in rooms_from_the_top():
        modules = built.of(room)
        if not modules:
            continue
        face = next((module for module in modules if module.name == room), modules[0])
        sentence = (ast.get_docstring(face.tree) or "").split("\n\n")[0].replace("\n", " ").replace("``", "`")
        ends = ", ".join(_title(end) for end in rooms_from_the_top() if end in built.arrows.get(room, {}))
        lines.append(f"| `{_title(room)}` | {sentence} | {len(modules)} | {ends} |")
    return "\n".join(lines)


# --- the measures ------------------------------------------------------------------------------------------------


def code_lines(module: Module) -> list[str]:
    """The lines that say what is done: no blank ones, comments, docstrings and imports."""
    lines = module.source.splitlines()
    for node in ast.walk(module.tree):
        is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if is_text or isinstance(node, ast.Import | ast.ImportFrom):
            assert isinstance(node, ast.stmt)
            assert node.end_lineno is not None
            for number in range(node.lineno - 1, node.end_lineno):
                lines[number] = ""
    stripped = (line.strip() for line in lines)
    return [line for line in stripped if line and not line.startswith("#")]


def alike(line: str) -> str:
    """A line but for its names, strings and numbers."""
    line = re.sub(r"""[bf]?(['"]).*?\1""", "''", line)
    return re.sub(r"\b[\w.]+\b", lambda word: word[0] if iskeyword(word[0]) else "x", line)


def repeated_runs(modules: Iterable[Module], key: Callable[[str], str] = str) -> int:
    """How often a run of six lines of code, or of more, stands somewhere for a second time or a third.

    ``key``: what of a line has to be the same.  Lines that say next to nothing make no run.
    """
    known: set[tuple[str, ...]] = set()
    repeated = 0
    for module in modules:
        lines = [key(line) for line in code_lines(module)]
        before = False
        for start in range(len(lines) - RUN + 1):
            run = tuple(lines[start : start + RUN])
            again = run in known and sum(map(len, run)) > 10 * RUN
            repeated += again and not before
            before = again
            known.add(run)
    return repeated


def measures(root: Path = PACKAGE) -> dict[str, object]:
    modules = read_package(root)
    lengths = [length for module in modules for _, _, length in functions(module)]
    folders = Counter(module.folder for module in modules if not module.is_package)
    folder, most = folders.most_common(1)[0]
    states, questions = states_and_questions(root.parent / "docs/states.md")
    found = complaints(modules)
    return {
        "modules": sum(not module.is_package for module in modules),
        "files in the fullest folder": f"{most} (`{folder.replace('.', '/') or 'sansticket'}`)",
        f"modules of more than {MAX_LINES} lines": sum(module.length > MAX_LINES for module in modules),
        f"functions of more than {MAX_LINES_OF_A_FUNCTION} lines": sum(
            length > MAX_LINES_OF_A_FUNCTION for length in lengths
        ),
        "lines of a function, median and most": f"{median(lengths):.0f}, {max(lengths)}",
        "imports that point up": sum("imports point down" in complaint for complaint in found),
        "modules in circles": sum("is in a circle" in complaint for complaint in found),
        "runs of six lines that stand twice": repeated_runs(modules),
        "the same but for names, strings and numbers": repeated_runs(modules, alike),
        "states": states,
        "states that ask": questions,
    }


def states_and_questions(page: Path) -> tuple[int, int]:
    """As the page of the states lists them, which is made from the code."""
    names = set(re.findall(r"^\| `([\w.]+)` \|", page.read_text(encoding="utf-8"), re.MULTILINE))
    return len(names), sum(name.rpartition(".")[2].startswith("Ask") for name in names)


def comparison(now: Mapping[str, object], before: Mapping[str, object] = BEFORE) -> str:
    lines = ["| | before | now |", "|---|---|---|"]
    lines += [f"| {name} | {before.get(name, '')} | {value} |" for name, value in now.items()]
    return "\n".join(lines)


# --- the page ----------------------------------------------------------------------------------------------------


def with_drawing(page: str) -> str:
    """The page with what stands between its marks made anew."""
    built = house()
    for name, text in (
        ("The rooms", f"{DIAGRAM}\n\n{table(built)}"),
        ("The measures", comparison(measures())),
    ):
        begin, end = MARK.format(name), MARK.format("The end")
        head, found, rest = page.partition(begin)
        if not found:
            raise ValueError(f"the page has no mark {begin}")
        page = f"{head}{begin}\n\n{text}\n\n{end}{rest.partition(end)[2]}"
    return page


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tools.house", description="The house, drawn from the code."
    )
    parser.add_argument("--write", action="store_true", help=f"write docs/{PAGE.name} and its picture")
    parser.add_argument("--measure", metavar="FOLDER", type=Path, help="measure the package in that folder")
    options = parser.parse_args(arguments)
    if options.measure:
        print(comparison(measures(options.measure)))
    elif options.write:
        PAGE.write_text(with_drawing(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
        PICTURE.write_text(picture(house()), encoding="utf-8")
    else:
        print(table(house()), comparison(measures()), sep="\n\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
