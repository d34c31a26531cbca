"""docs/tutorial.md: its files and commands, as they stand and in their order, print what stands below them."""

from __future__ import annotations

import os
import re
import shlex
import stat
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.support.command import PATIENCE, ROOT
from tests.support.documents import Document

PAGE: Final = Document("tutorial.md")
STEP: Final = re.compile(
    r"^<!-- (?P<mark>\S+) -->\n```\w+\n(?P<text>.*?)^```$(?:\n\n```text\n(?P<printed>.*?)^```$)?",
    re.MULTILINE | re.DOTALL,
)
STEPS: Final = list(STEP.finditer(PAGE.text))


def run(command: str, folder: Path) -> str:
    python, *arguments = shlex.split(command)
    assert python == "python"
    done = subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "wrappers")))},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """What each command of the page has printed, and the folder that it was in."""
    folder = tmp_path_factory.mktemp("tutorial")
    outputs = {}
    for step in STEPS:
        if step["mark"] == "run":
            (command,) = step["text"].splitlines()
            outputs[command] = run(command, folder)
        else:
            (folder / step["mark"]).write_text(step["text"])
    return folder, outputs


def without_names(text: str) -> str:
    """Keys and families have other names each time."""
    return re.sub(r" (key|family) [0-9a-f]{32}", r" \1 ...", text)


def test_what_stands_below_a_command_is_what_it_prints(printed: tuple[Path, dict[str, str]]) -> None:
    _, outputs = printed
    shown = {step["text"].strip(): step["printed"] for step in STEPS if step["printed"] is not None}
    assert len(shown) == 4
    for command, text in shown.items():
        assert without_names(outputs[command]) == without_names(text)


def test_keys_of_ones_own_outlive_the_server(printed: tuple[Path, dict[str, str]]) -> None:
    folder, outputs = printed
    assert outputs["python keys.py"].splitlines()[-1] == "welcome back"
    assert stat.S_IMODE((folder / "root.secret").stat().st_mode) == 0o600
    assert run("python keys.py", folder).splitlines()[-1] == "welcome back"


def test_every_program_is_run() -> None:
    marks = [step["mark"] for step in STEPS]
    programs = {mark for mark in marks if mark.endswith(".py")}
    assert len(re.findall(r"^```python$", PAGE.text, re.MULTILINE)) == len(programs) == 5
    commands = {step["text"].strip() for step in STEPS if step["mark"] == "run"}
    assert commands >= {f"python {program}" for program in programs}
