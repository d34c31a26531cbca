"""Reads the sources of the package and says where they break its architecture.

Three rules, each a function from parsed modules to complaints:

- imports between rooms point down (``ROOMS``);
- no module touches sockets, the standard library's TLS or an event loop (``FORBIDDEN_MODULES``);
- no module reads the clock or the system's randomness (``CLOCK_AND_RANDOMNESS``): both are handed in, and
  ``config`` alone names them, as default values, without calling them.

Nothing is imported or executed: what the source says counts, in functions and under TYPE_CHECKING too.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from attrs import frozen

PACKAGE: Final = "sansticket"

ROOMS: Final[tuple[tuple[str, ...], ...]] = (
    ("errors", "values", "wire.codes"),
    ("wire",),
    ("crypto",),
    ("record",),
    ("keys",),
    ("tickets",),
    ("config", "config_checks", "events", "commands"),
    ("handshake",),
    ("engine",),
    ("connection",),
    ("debug", "adapters", "testing"),
    ("__main__", "__init__"),
)
"""From the bottom up.  A module may import from its own row and from the rows below it; a name covers what is
inside it unless a longer name is listed."""

FORBIDDEN_MODULES: Final = frozenset(
    {"socket", "ssl", "asyncio", "selectors", "select", "socketserver", "_socket", "_ssl", "_asyncio"}
)
"""The package does no I/O.  ``adapters`` may import ``ssl``, whose interface it imitates."""

CLOCK_AND_RANDOMNESS: Final = (
    "time",
    "random",
    "secrets",
    "uuid",
    "os.urandom",
    "os.getrandom",
    "datetime.datetime.now",
    "datetime.datetime.utcnow",
    "datetime.datetime.today",
    "datetime.date.today",
)
"""Dotted names; everything inside a name is meant too."""

HIDDEN_IMPORTS: Final = ("__import__", "importlib", "builtins.__import__")
"""Imports that this reader could not see; only the front door may be lazy."""


@frozen
class Module:
    """One source: its dotted name inside the package (``wire.codes``) and its syntax tree."""

    name: str
    tree: ast.Module
    is_package: bool = False

    @property
    def room(self) -> str:
        return self.name.partition(".")[0]


def parse(name: str, source: str, is_package: bool = False) -> Module:
    return Module(name, ast.parse(source), is_package)


def read_package(root: Path) -> list[Module]:
    """Every module below ``root``, the folder of the package."""
    modules = []
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        is_package = parts[-1] == "__init__"
        name = ".".join(parts[:-1] if is_package and len(parts) > 1 else parts)
        modules.append(parse(name, path.read_text(encoding="utf-8"), is_package))
    return modules


def complaints(modules: list[Module]) -> list[str]:
    """Every line that breaks a rule, as ``module:line what``."""
    return sorted(complaint for module in modules for complaint in _complaints_of(module))


def _complaints_of(module: Module) -> Iterator[str]:
    if _row(module.name) is None:
        yield f"{module.name}:1 has no place in the architecture"
    for line, target in _imports(module):
        if problem := _import_problem(module, target):
            yield f"{module.name}:{line} {problem}"
    for line, name, called in _uses(module):
        if problem := _use_problem(module, name, called):
            yield f"{module.name}:{line} {problem}"


def _import_problem(module: Module, target: str) -> str | None:
    if target.partition(".")[0] == PACKAGE:
        here, there = _row(module.name), _row(target.partition(".")[2])
        points_up = here is not None and there is not None and there > here
        return f"imports {target}: imports point down" if points_up else None
    root = target.partition(".")[0]
    if root in FORBIDDEN_MODULES and not (root == "ssl" and module.room == "adapters"):
        return f"imports {target}: no sockets, TLS or event loops here"
    return None


def _use_problem(module: Module, name: str, called: bool) -> str | None:
    if _is_within(name, HIDDEN_IMPORTS) and module.name != "__init__":
        return f"uses {name}: an import that cannot be seen"
    if _is_within(name, CLOCK_AND_RANDOMNESS):
        if module.name != "config":
            return f"uses {name}: the clock and randomness are handed in"
        if called:
            return f"calls {name}: config may only name it as a default"
    return None


def _is_within(name: str, names: tuple[str, ...]) -> bool:
    return any(name == one or name.startswith(one + ".") for one in names)


def _row(name: str) -> int | None:
    """The row of ``ROOMS`` that a module or a name inside it belongs to."""
    while True:
        for row, rooms in enumerate(ROOMS):
            if (name or "__init__") in rooms:
                return row
        if "." not in name:
            return None
        name = name.rpartition(".")[0]


def _imports(module: Module) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of all that is imported: for ``from a import b`` that is ``a.b``.

    What ``from sansticket import`` takes is a room, or else something that the front door exports.
    """
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(module, node)
            for alias in node.names:
                at_the_front_door = base == PACKAGE and _row(alias.name) is None
                yield node.lineno, f"{base}.__init__" if at_the_front_door else f"{base}.{alias.name}"


def _absolute(module: Module, node: ast.ImportFrom) -> str:
    """The module that ``from x import`` names, with leading dots resolved."""
    if not node.level:
        return node.module or ""
    path = [] if module.name == "__init__" else module.name.split(".")
    if not module.is_package:
        path = path[:-1]
    path = path[: len(path) - (node.level - 1)]
    return ".".join([PACKAGE, *path, *([node.module] if node.module else [])])


def _uses(module: Module) -> Iterator[tuple[int, str, bool]]:
    """(line, full dotted name, whether it is called) of every name that an import brought in, or a builtin.

    An import of a name counts as its use, except in ``config``, where only what is done with it counts.
    """
    aliases = dict(_aliases(module))
    called = {id(node.func) for node in ast.walk(module.tree) if isinstance(node, ast.Call)}
    inner = {id(node.value) for node in ast.walk(module.tree) if isinstance(node, ast.Attribute)}
    for node in ast.walk(module.tree):
        if isinstance(node, (ast.Name, ast.Attribute)) and id(node) not in inner:
            if name := _dotted(node, aliases):
                yield node.lineno, name, id(node) in called
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            base = "" if isinstance(node, ast.Import) else _absolute(module, node) + "."
            for alias in node.names:
                yield node.lineno, base + alias.name, False


def _aliases(module: Module) -> Iterator[tuple[str, str]]:
    """Local name to dotted name, for what the imports bind."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                root = alias.name.partition(".")[0]
                yield (alias.asname, alias.name) if alias.asname else (root, root)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(module, node)
            for alias in node.names:
                yield alias.asname or alias.name, f"{base}.{alias.name}"


def _dotted(node: ast.expr, aliases: dict[str, str]) -> str | None:
    """``dt.datetime.now`` as ``datetime.datetime.now`` after ``import datetime as dt``, else None."""
    if isinstance(node, ast.Name):
        return aliases.get(node.id) or (node.id if node.id == "__import__" else None)
    if isinstance(node, ast.Attribute):
        base = _dotted(node.value, aliases)
        return f"{base}.{node.attr}" if base else None
    return None
