"""How much of the public face has a type that every type checker knows without inferring it: all of it."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support import public
from tools import reference

ROOT: Final = Path(__file__).parents[2]

COMPLETENESS: Final = 100.0
"""Per cent of the public classes, functions, methods and fields."""


FOREIGN: Final = "Type of base class unknown"
"""What pyright says of a class whose base is of a library without types (Twisted), or that it did not read (Trio)."""


GIVE_FOREIGN: Final = {"sansticket_wrappers.twisted.endpoints.TLSFactory.buildProtocol"}
"""What returns an instance of such a class."""


def symbols(folder: Path, package: Path) -> list[dict[str, Any]]:
    """What pyright says of every symbol of a package, seen from a folder that is not its own."""
    command = ["pyright", "--pythonpath", sys.executable, "--verifytypes", package.name, "--ignoreexternal"]
    done = subprocess.run(
        [sys.executable, "-m", *command, "--outputjson"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{package.parent}"},
        capture_output=True,
        timeout=500,
        check=False,
    )
    said: dict[str, Any] = json.loads(done.stdout)["typeCompleteness"]
    assert said["pyTypedPath"] == str(package / "py.typed")
    found: list[dict[str, Any]] = said["symbols"]
    return found


def is_public(name: str, prefixes: tuple[str, ...]) -> bool:
    """A public thing, or a member of one that has no underscore."""
    for prefix in prefixes:
        if name == prefix or name.startswith(f"{prefix}."):
            return not any(part.startswith("_") and part != "__init__" for part in name.split("."))
    return False


def completeness(
    package: Path, folder: Path, prefixes: tuple[str, ...], least: int
) -> tuple[float, list[str]]:
    """Per cent of the public symbols, of which there are more than ``least``, and the names of the others."""
    if find_spec("pyright") is None:
        pytest.skip("pyright is not installed; it comes with the extra `types`")
    ours = [symbol for symbol in symbols(folder, package) if is_public(symbol["name"], prefixes)]
    assert len(ours) > least
    unknown = [one["name"] for one in ours if not is_complete(one) and one["name"] not in GIVE_FOREIGN]
    return round(100 * (1 - len(unknown) / len(ours)), 1), unknown


def is_complete(symbol: dict[str, Any]) -> bool:
    foreign = any(one["message"] == FOREIGN for one in symbol["diagnostics"])
    return foreign or (symbol["isTypeKnown"] and not symbol["isTypeAmbiguous"])


def test_the_types_of_the_public_face_are_complete(tmp_path: Path) -> None:
    things = public.things()
    prefixes = (*things, *(f"{thing.__module__}.{thing.__qualname__}" for thing in public.classes().values()))
    found, unknown = completeness(ROOT / "sansticket", tmp_path, prefixes, 700)
    assert found >= COMPLETENESS, unknown


def test_the_types_of_the_wrappers_are_complete(tmp_path: Path) -> None:
    """All that their modules list, by the modules that define it: ``sansticket_wrappers.trio`` and so on."""
    prefixes = tuple(
        defined_as(module, name)
        for module in (f"sansticket_wrappers.{wrapper}" for wrapper in reference.WRAPPERS)
        for name in reference.defined(module)
    )
    found, unknown = completeness(ROOT / "wrappers/sansticket_wrappers", tmp_path, prefixes, 200)
    assert found >= COMPLETENESS, unknown


def defined_as(module: str, name: str) -> str:
    """The full name of a class or function where it is defined; of a constant where it is listed."""
    thing = getattr(importlib.import_module(module), name)
    return (
        f"{thing.__module__}.{thing.__qualname__}" if hasattr(thing, "__qualname__") else f"{module}.{name}"
    )
