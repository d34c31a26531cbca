"""How much of the public face has a type that every type checker knows without inferring it: all of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support import public

ROOT: Final = Path(__file__).parents[2]

COMPLETENESS: Final = 100.0
"""Per cent of the public classes, functions, methods and fields."""


def symbols(folder: Path) -> list[dict[str, Any]]:
    """What pyright says of every symbol of the package, seen from a folder that is not its own."""
    command = ["pyright", "--pythonpath", sys.executable, "--verifytypes", "sansticket", "--ignoreexternal"]
    done = subprocess.run(
        [sys.executable, "-m", *command, "--outputjson"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        timeout=500,
        check=False,
    )
    said: dict[str, Any] = json.loads(done.stdout)["typeCompleteness"]
    assert said["pyTypedPath"] == str(ROOT / "sansticket/py.typed")
    found: list[dict[str, Any]] = said["symbols"]
    return found


def is_public(name: str, prefixes: tuple[str, ...]) -> bool:
    """A public thing, or a member of one that has no underscore."""
    for prefix in prefixes:
        if name == prefix or name.startswith(f"{prefix}."):
            return not any(part.startswith("_") and part != "__init__" for part in name.split("."))
    return False


def test_the_types_of_the_public_face_are_complete(tmp_path: Path) -> None:
    if find_spec("pyright") is None:
        pytest.skip("pyright is not installed; it comes with the extra `types`")
    things = public.things()
    prefixes = (*things, *(f"{thing.__module__}.{thing.__qualname__}" for thing in public.classes().values()))
    ours = [symbol for symbol in symbols(tmp_path) if is_public(symbol["name"], prefixes)]
    assert len(ours) > 700
    unknown = [one["name"] for one in ours if not one["isTypeKnown"] or one["isTypeAmbiguous"]]
    assert round(100 * (1 - len(unknown) / len(ours)), 1) >= COMPLETENESS, unknown
