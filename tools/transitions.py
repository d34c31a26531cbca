"""The table of transitions at the head of each file with states, from the annotations of their handlers.

    python -m tools.transitions            say which files have another table than their handlers
    python -m tools.transitions --write    and write it there

What every state can do besides is left out: end with an alert, and for a question ``AbortHandshake``.
"""

from __future__ import annotations

import argparse
import ast
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from textwrap import wrap
from typing import Final

from sansticket.debug.states import SIDES, arrows, reachable
from sansticket.handshake.machine.state import State
from sansticket.handshake.machine.transitions import name_of

HEAD: Final = "Transitions (``python -m tools.transitions --write``):"
WIDTH: Final = 110
INDENT: Final = "    "


def modules() -> dict[str, list[type[State]]]:
    """The modules that have states, each with them in the order of its source."""
    found: dict[str, list[type[State]]] = {}
    for side in SIDES:
        for state in reachable(side):
            known = found.setdefault(state.__module__, [])
            if state not in known:
                known.append(state)
    for name, states in found.items():
        source = path_of(name).read_text(encoding="utf-8")
        states.sort(key=lambda state: source.index(f"class {state.__name__}("))
    return dict(sorted(found.items()))


def path_of(module: str) -> Path:
    file = sys.modules[module].__file__
    assert file is not None
    return Path(file)


def table(states: Sequence[type[State]]) -> list[str]:
    """Lines of three columns: a state, what comes, and where that leads."""
    rows = [row for state in states for row in _rows(state)]
    first, second = (max(len(row[column]) for row in rows) + 2 for column in (0, 1))
    lines, before = [], ""
    for state, inputs, ends in rows:
        start = f"{'' if state == before else state:{first}}{inputs:{second}}"
        below = " " * (first + second)
        lines += wrap(ends, WIDTH, initial_indent=start, subsequent_indent=below) or [start.rstrip()]
        before = state
    return lines


def _rows(state: type[State]) -> Iterator[tuple[str, str, str]]:
    """(state, inputs, ends): one for all inputs that lead to the same ends."""
    ends: dict[str, list[str]] = {}
    for arrow in arrows(state):
        for kind in arrow.inputs:
            ends.setdefault(kind, []).append(_end(state, arrow.end))
    inputs: dict[str, list[str]] = {}
    for kind, names in sorted(ends.items()):
        inputs.setdefault(", ".join(names), []).append(kind)
    for together, kinds in inputs.items():
        for kind in kinds[:-1]:
            yield state.__name__, f"{kind},", ""
        yield state.__name__, kinds[-1], together


def _end(state: type[State], end: type[State] | None) -> str:
    if end is None:
        return "the end"
    name = name_of(end)
    folder = name.rpartition(".")[0]
    return end.__name__ if folder == name_of(state).rpartition(".")[0] else name


def with_table(source: str, states: Sequence[type[State]]) -> str:
    """The source of a module, with the table at the end of its docstring."""
    docstring = ast.get_docstring(ast.parse(source), clean=False)
    assert docstring is not None
    text = docstring.partition(HEAD)[0].rstrip()
    lines = "\n".join(INDENT + line for line in table(states))
    new = f'"""{text}\n\n{HEAD}\n\n{lines}\n"""'
    return source.replace(f'"""{docstring}"""', new, 1)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tools.transitions", description="The tables of transitions."
    )
    parser.add_argument("--write", action="store_true", help="write them at the heads of the files")
    options = parser.parse_args(arguments)
    stale = 0
    for name, states in modules().items():
        path = path_of(name)
        source = path.read_text(encoding="utf-8")
        new = with_table(source, states)
        if new != source:
            stale += 1
            print(path)
            if options.write:
                path.write_text(new, encoding="utf-8")
    return int(stale > 0 and not options.write)


if __name__ == "__main__":
    raise SystemExit(main())
