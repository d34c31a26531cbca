"""Reads the sources of the package and says where they break its architecture.

Each rule is a function from parsed modules to complaints:

- imports between rooms point down (``ROOMS``), and no two modules need each other, however far around;
- what is of one version or of one side does not import what is of the other (``APART``);
- a module has at most ``MAX_LINES`` lines, a function ``MAX_LINES_OF_A_FUNCTION``;
- a folder has at most ``MAX_FILES`` files beside its face, and neither files nor classes have digits in their names,
  but where a registry has them (``REGISTERED``);
- the same holds for the lengths and the names of our code around the package (``AROUND``), and for the folders of the
  wrappers;
- no module touches sockets, the standard library's TLS or an event loop (``FORBIDDEN_MODULES``), or a library beside
  ``LIBRARIES``;
- a module asks which version of the protocol it is only where that is chosen, agreed on or written down
  (``VERSIONS_ARE_KNOWN``): all others go by what the version says of itself (``handshake.machine.version``,
  ``tickets.versions``);
- no module reads the clock or the system's randomness (``CLOCK_AND_RANDOMNESS``): both are handed in, and
  ``config`` alone names them, as default values, without calling them.

Nothing is imported or executed: what the source says counts, in functions and under TYPE_CHECKING too.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from attrs import frozen

PACKAGE: Final = "sansticket"

ROOMS: Final[tuple[tuple[str, ...], ...]] = (
    ("codes", "field_docs", "front_doors", "locks", "text", "values"),
    ("errors",),
    ("inputs", "library"),
    ("wire",),
    ("crypto",),
    ("record",),
    ("keys", "psk"),
    ("tickets",),
    ("config", "events", "commands"),
    ("handover",),
    ("handshake.machine",),
    ("handshake.common",),
    (
        "handshake.tls12",
        "handshake.tls13",
        "handshake.server.policy",
        "handshake.server.psks",
        "handshake.server.reuse",
        "handshake.server.rules",
        "handshake.server.search",
        "handshake.server.tickets",
    ),
    ("handshake.client", "handshake.server", "handshake"),
    ("connection",),
    ("captures", "debug", "adapters", "fleet", "replays", "testing", "verifiers", "accounts"),
    ("command",),
    ("__main__", "__init__"),
)
"""From the bottom up.  A module may import from its own row and from the rows below it; a name covers what is
inside it unless a longer name is listed."""

APART: Final = (("tls12", "tls13"), ("client", "server"))
"""Folders of ``handshake`` of which neither imports the other."""

AROUND: Final = ("wrappers/sansticket_wrappers", "examples", "tools", "fuzz", "benchmarks")
"""Folders with code of ours beside the package."""

MAX_FILES: Final = 12
MAX_LINES: Final = 450
MAX_LINES_OF_A_FUNCTION: Final = 40

REGISTERED: Final = re.compile(r"(?i)tls1[23]|x25519|x448|mlkem768|ed25519|x509")
"""Digits that belong to a name of a registry or of a protocol version."""

FORBIDDEN_MODULES: Final = frozenset(
    {"socket", "ssl", "asyncio", "selectors", "select", "socketserver", "_socket", "_ssl", "_asyncio"}
)
"""The package does no I/O.  ``adapters`` may import ``ssl``, whose interface it imitates."""

LIBRARIES: Final = frozenset({"attr", "attrs", "cryptography", "_typeshed"})
"""What the package needs beside the standard library (``_typeshed`` is for type checkers).  ``verifiers`` may import
pyOpenSSL, which is an extra, the compression of certificates brotli and zstandard, which are another, and the plots of
simulated fleets matplotlib, which is a third, and the reader of captures scapy, which is a fourth."""

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

VERSIONS_ARE_KNOWN: Final = (
    "accounts",
    "adapters",
    "captures",
    "command",
    "config",
    "debug",
    "handshake.client.start",
    "handshake.client.tls12",
    "handshake.client.tls13",
    "handshake.client.wait",
    "handshake.common.versions",
    "handshake.server.start",
    "handshake.server.tls12",
    "handshake.server.tls13",
    "psk",
    "tickets.keys.go",
    "tickets.openssl",
    "tickets.session",
)
"""What looks at the versions on offer before one is chosen, the rooms of one version, formats with a number in them,
and what words it for people."""

VERSION_NAMES: Final = frozenset({"TLS12", "TLS13", "TLS_1_2", "TLS_1_3"})

HIDDEN_IMPORTS: Final = ("__import__", "importlib", "builtins.__import__")
"""Imports that this reader could not see; only the front doors may be lazy, which say them for type checkers too."""


@frozen
class Module:
    """One source: its dotted name inside the package (``wire.cursor``) and its syntax tree."""

    name: str
    tree: ast.Module
    is_package: bool = False
    source: str = ""

    @property
    def room(self) -> str:
        return self.name.partition(".")[0]

    @property
    def folder(self) -> str:
        """Empty for what lies in the folder of the package itself."""
        return self.name.rpartition(".")[0]

    @property
    def length(self) -> int:
        """Lines."""
        return self.source.count("\n")


def parse(name: str, source: str, is_package: bool = False) -> Module:
    return Module(name, ast.parse(source), is_package, source)


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
    single = [complaint for module in modules for complaint in _complaints_of(module)]
    return sorted([*single, *_circles(modules), *_full_folders(modules)])


def complaints_around(modules: list[Module], whole_folders: bool = False) -> list[str]:
    """Every line of code beside the package that is too long, or named with a digit; ``whole_folders``: or is one of
    too many files."""
    single = [found for module in modules for found in (*_digits_in_names(module), *_too_long(module))]
    return sorted([*single, *(_full_folders(modules) if whole_folders else ())])


def _complaints_of(module: Module) -> Iterator[str]:
    if _row(module.name) is None:
        yield f"{module.name}:1 has no place in the architecture"
    for line, target in _imports(module):
        for rule in (_import_problem, _not_apart):
            if problem := rule(module, target):
                yield f"{module.name}:{line} {problem}"
    yield from _digits_in_names(module)
    yield from _too_long(module)
    yield from _questions_about_versions(module)
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
    extra = (
        (root == "OpenSSL" and module.room == "verifiers")
        or (root in ("brotli", "zstandard") and module.name == "wire.compression")
        or (root == "matplotlib" and module.name == "fleet.plots")
        or (root == "scapy" and module.name == "captures.packets")
    )
    if root not in LIBRARIES | sys.stdlib_module_names and not extra:
        return f"imports {target}: the package needs no such library"
    return None


def _not_apart(module: Module, target: str) -> str | None:
    """A state of one version knows nothing of the other version, nor one side of the other."""
    here, there = module.name.split("."), target.split(".")[1:]
    if here[0] != "handshake" or there[:1] != ["handshake"]:
        return None
    for pair in APART:
        for one, other in (pair, pair[::-1]):
            if one in here and other in there:
                return f"imports {target}: {one} and {other} are kept apart"
    return None


def _digits_in_names(module: Module) -> Iterator[str]:
    for line, name in _names_of(module):
        if any(character.isdigit() for character in REGISTERED.sub("", name)):
            yield f"{module.name}:{line} has a digit in the name {name}"


def _names_of(module: Module) -> Iterator[tuple[int, str]]:
    """(line, name) of the module itself and of its classes."""
    yield 1, module.name
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ClassDef):
            yield node.lineno, node.name


def _questions_about_versions(module: Module) -> Iterator[str]:
    if any(f"{module.name}.".startswith(f"{known}.") for known in VERSIONS_ARE_KNOWN):
        return
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.Compare):
            continue
        for operand in (node.left, *node.comparators):
            name = operand.attr if isinstance(operand, ast.Attribute) else getattr(operand, "id", "")
            if name in VERSION_NAMES:
                yield f"{module.name}:{node.lineno} asks which version it is: {ast.unparse(node)}"


def functions(module: Module) -> Iterator[tuple[int, str, int]]:
    """(line, name, lines) of every function and method."""
    for node in ast.walk(module.tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.lineno, node.name, (node.end_lineno or node.lineno) - node.lineno + 1


def _too_long(module: Module) -> Iterator[str]:
    if module.length > MAX_LINES:
        yield f"{module.name}:1 has {module.length} lines; at most {MAX_LINES} are read in one go"
    for line, name, length in functions(module):
        if length > MAX_LINES_OF_A_FUNCTION:
            yield f"{module.name}:{line} {name} has {length} lines; at most {MAX_LINES_OF_A_FUNCTION} fit on a screen"


def _full_folders(modules: list[Module]) -> Iterator[str]:
    folders: dict[str, int] = {}
    for module in modules:
        if not module.is_package and "." in module.name:
            folder = module.name.rpartition(".")[0]
            folders[folder] = folders.get(folder, 0) + 1
    for folder, files in folders.items():
        if files > MAX_FILES:
            yield f"{folder}:1 has {files} files; at most {MAX_FILES} are found at a glance"


def _circles(modules: list[Module]) -> Iterator[str]:
    """Modules that need each other.  The face of a package counts as a module of its own."""
    names = {module.name for module in modules}
    needs = {
        module.name: imported_modules(module, names) - {module.name}
        for module in modules
        if module.name != "__init__"
    }
    for name in needs:
        if name in _reached_from(name, needs):
            circle = [one for one in needs[name] if name in _reached_from(one, needs) or one == name]
            yield f"{name}:1 is in a circle with {', '.join(sorted(circle))}"


def imported_modules(module: Module, names: set[str]) -> set[str]:
    """Those of ``names`` that a module imports, or of which it imports something."""
    return {needed for _, target in _imports(module) if (needed := _module_of(target, names))}


def room_of(name: str) -> str:
    """The room of ``ROOMS`` that a module is in; what has no place is a room of its own."""
    while True:
        if any(name in rooms for rooms in ROOMS) or "." not in name:
            return name
        name = name.rpartition(".")[0]


def rooms_from_the_top() -> list[str]:
    return [room for rooms in reversed(ROOMS) for room in rooms]


def _reached_from(start: str, needs: dict[str, set[str]]) -> set[str]:
    reached: set[str] = set()
    waiting = [start]
    while waiting:
        new = needs.get(waiting.pop(), set()) - reached
        reached |= new
        waiting += new
    return reached


def _module_of(target: str, names: set[str]) -> str | None:
    """The module of the package that the dotted name of an import stands for, if it is one."""
    path = target.partition(".")[2] if target.startswith(f"{PACKAGE}.") else ""
    while path and path not in names:
        path = path.rpartition(".")[0]
    return path or None


def _use_problem(module: Module, name: str, called: bool) -> str | None:
    if _is_within(name, HIDDEN_IMPORTS) and module.name != "front_doors":
        return f"uses {name}: an import that cannot be seen"
    if _is_within(name, CLOCK_AND_RANDOMNESS):
        if module.name != "config.base":
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
