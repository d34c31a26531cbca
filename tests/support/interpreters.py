"""The interpreters that are supported, asked about their standard library, each in a process of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

VERSIONS: Final = ("3.11", "3.12", "3.13")


def run_python(version: str, program: str) -> str:
    """What a program prints.  An interpreter that is missing skips the test, and fails it in CI."""
    interpreter = find(version)
    if interpreter is None:
        sentence = f"no Python {version} on this machine"
        if os.environ.get("CI"):
            pytest.fail(sentence)
        pytest.skip(sentence)
    arguments: list[str] = [interpreter, "-c", program]
    return subprocess.run(arguments, stdout=subprocess.PIPE, text=True, timeout=60, check=True).stdout


def find(version: str) -> str | None:
    if version == f"{sys.version_info[0]}.{sys.version_info[1]}":
        return sys.executable
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    found = sorted(root.glob(f"{version}.*/bin/python{version}"))
    return str(found[-1]) if found else shutil.which(f"python{version}")
