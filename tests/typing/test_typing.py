"""The types of the public face, as mypy and pyright see them from outside: right uses pass, wrong ones do not.

``right.py`` and ``wrong.py`` are written as users write.  Both checkers have to agree on every line of them, and on
constructors of which no parameter is Any.
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from enum import Enum
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import pytest
from attrs import frozen

import sansticket
from sansticket.config import choices
from sansticket.events import Question
from tests.support.public import names_of

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[1]
RIGHT, WRONG = HERE / "right.py", HERE / "wrong.py"

CHECKERS: Final = ("mypy", "pyright")


@frozen
class Remark:
    """What a checker says of a line: an error, or the type that it was asked to reveal."""

    file: str
    line: int
    is_error: bool
    text: str


def constructed() -> Iterator[str]:
    """The public classes that users make instances of."""
    for name in names_of(sansticket):
        one = getattr(sansticket, name)
        is_protocol = getattr(one, "_is_protocol", False)
        if isinstance(one, type) and not is_protocol and not issubclass(one, Enum | BaseException):
            yield name


def run(*command: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env={**os.environ, "MYPYPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr + done.stdout
    return done.stdout


def remarks_of_mypy(files: list[str], cache: Path) -> Iterator[Remark]:
    options = ("--strict", "--config-file=", "--follow-imports=silent", f"--cache-dir={cache}")
    for line in run("mypy", *options, *files).splitlines():
        if found := re.fullmatch(r"(.+\.py):(\d+): (error|note): (.*)", line):
            file, number, kind, text = found.groups()
            yield Remark(Path(file).name, int(number), kind == "error", text)


def remarks_of_pyright(files: list[str]) -> Iterator[Remark]:
    said: dict[str, Any] = json.loads(run("pyright", "--outputjson", "--pythonpath", sys.executable, *files))
    for one in said["generalDiagnostics"]:
        line = one["range"]["start"]["line"] + 1
        yield Remark(Path(one["file"]).name, line, one["severity"] == "error", one["message"])


@pytest.fixture(scope="module", params=CHECKERS)
def remarks(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Remark]:
    """What one checker says of all files."""
    if find_spec(request.param) is None:
        pytest.skip(f"{request.param} is not installed; it comes with the extra `types`")
    folder = tmp_path_factory.mktemp(request.param)
    revealed = folder / "revealed.py"
    lines = ["import sansticket", *(f"reveal_type(sansticket.{name}.__init__)" for name in constructed())]
    revealed.write_text("\n".join(lines) + "\n", encoding="utf-8")
    files = [str(RIGHT), str(WRONG), str(revealed)]
    if request.param == "mypy":
        return list(remarks_of_mypy(files, folder))
    return list(remarks_of_pyright(files))


def test_right_uses_pass(remarks: list[Remark]) -> None:
    assert [one for one in remarks if one.file == "right.py"] == []


def test_wrong_uses_do_not(remarks: list[Remark]) -> None:
    source = WRONG.read_text(encoding="utf-8").splitlines()
    marked = {number for number, line in enumerate(source, 1) if line.endswith("# wrong")}
    found = {one.line for one in remarks if one.file == "wrong.py" and one.is_error}
    assert len(marked) > 80
    assert sorted(source[number - 1] for number in marked - found) == []
    assert sorted(source[number - 1] for number in found - marked) == []


def test_no_parameter_of_a_constructor_is_any(remarks: list[Remark]) -> None:
    revealed = [one.text for one in remarks if one.file == "revealed.py"]
    assert len(revealed) == len(list(constructed()))
    # ``application`` can be anything, and is handed back as it is.
    others = [re.sub(r"\bapplication: (typing\.)?Any\b", "application", text) for text in revealed]
    assert [text for text in others if re.search(r"\b(Any|Unknown)\b", text)] == []


def test_a_function_can_answer_every_question() -> None:
    """``EveryQuestion``, which only type checkers see, leaves none out."""
    tree = ast.parse(Path(choices.__file__).read_text(encoding="utf-8"))
    classes = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
    bases = {base.id for base in classes["EveryQuestion"].bases if isinstance(base, ast.Name)}
    ours = {
        kind.__name__
        for kind in Question.__subclasses__()
        if kind.__module__.startswith("sansticket.events.")
    }
    assert bases == ours
