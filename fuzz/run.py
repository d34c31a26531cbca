"""Targets under Atheris.  What is tried is imported here, under instrumentation, before anything else imports it."""

from __future__ import annotations

import importlib
import io
import os
import pkgutil
import sys
import traceback
from collections.abc import Sequence
from contextlib import redirect_stderr
from pathlib import Path

import atheris

# Its line for each module would hide what the targets say.
with redirect_stderr(io.StringIO()), atheris.instrument_imports(include=["sansticket"]):
    for _module in pkgutil.walk_packages(importlib.import_module("sansticket").__path__, "sansticket."):
        if not _module.name.endswith("__main__"):
            importlib.import_module(_module.name)


def run(target: str, arguments: Sequence[str], output: Path) -> int:
    """Fuzz a target in a copy of this process; its exit code.

    ``arguments``: options of libFuzzer, and folders; ``output``: where to write what it says.
    """
    sys.stdout.flush()
    if (child := os.fork()) == 0:
        with output.open("wb") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        _fuzz(target, arguments)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _fuzz(target: str, arguments: Sequence[str]) -> None:
    """It does not come back: libFuzzer ends the process."""
    try:
        one_input = importlib.import_module(f"fuzz.targets.{target}").one_input
        atheris.Setup([target, *arguments], one_input)
        atheris.Fuzz()
    except BaseException:
        traceback.print_exc()
    os._exit(1)
