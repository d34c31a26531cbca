"""The table of checks: which line of which function says it, and what that line becomes without the check.

``checks.txt`` has a heading for each module (``[wire/cursor.py]``) and a row for each check: the function, the snippet,
and whose rule it is.  A snippet ``if ...:`` becomes ``if False:`` unless the row has another replacement.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from attrs import frozen

HERE = Path(__file__).parent
PACKAGE = HERE.parent.parent / "sansticket"


class TableError(Exception):
    """A row that does not fit the sources: the check is gone, or is there more than once."""


@frozen
class Mutant:
    """One check, and the package without it."""

    number: int
    module: str
    function: str
    snippet: str
    replacement: str
    rule: str

    def __str__(self) -> str:
        return f"{self.number:3} {self.module} {self.function}: {self.snippet}  ({self.rule})"

    def applied(self, source: str) -> str:
        """The module with this one change."""
        first, last = _lines_of(self.function, source, str(self))
        lines = source.split("\n")
        body = "\n".join(lines[first - 1 : last])
        if body.count(self.snippet) != 1:
            raise TableError(f"{self}: the snippet stands {body.count(self.snippet)} times in it")
        lines[first - 1 : last] = [body.replace(self.snippet, self.replacement)]
        changed = "\n".join(lines)
        ast.parse(changed)
        return changed


def read_table(text: str | None = None) -> list[Mutant]:
    return list(_rows((HERE / "checks.txt").read_text() if text is None else text))


def _rows(text: str) -> Iterator[Mutant]:
    module, number = "", 0
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            module = line.strip("[]")
            continue
        number += 1
        function, what, rule = (part.strip() for part in line.split(" | "))
        snippet, arrow, replacement = (part.strip() for part in what.partition(" => "))
        if not arrow:
            replacement = f"{snippet.split()[0]} False:"
        yield Mutant(number, module, function, snippet, replacement, rule)


def _lines_of(function: str, source: str, where: str) -> tuple[int, int]:
    node: ast.AST = ast.parse(source)
    for name in function.split("."):
        kinds = ast.FunctionDef | ast.ClassDef
        found = [one for one in ast.walk(node) if isinstance(one, kinds) and one.name == name]
        if len(found) != 1:
            raise TableError(f"{where}: {len(found)} of {name}")
        node = found[0]
    assert isinstance(node, ast.FunctionDef)
    assert node.end_lineno is not None
    return node.lineno, node.end_lineno
