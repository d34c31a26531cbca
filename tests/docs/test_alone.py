"""Every piece of Python in the documentation runs alone, as it stands: what it uses it imports or makes itself."""

from __future__ import annotations

import shlex
import threading
from pathlib import Path
from typing import Any, Final

import pytest

from sansticket.__main__ import main
from tests.support.command import PATIENCE, ROOT
from tests.support.documents import blocks, undefined

ELSEWHERE: Final = {
    "docs/tutorial.md": "test_tutorial.py, in its order",
    "docs/coming-from.md": "test_coming_from.py",
}
"""Pages whose programs other tests run, with all that they print."""
FILES: Final = "certificates server.example"
"""The command that makes the files which the few programs read that show how to read files."""

PAGES: Final = [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md"]
BLOCKS: Final = [
    pytest.param(code, id=f"{path.name}:{line} {heading}", marks=())
    for path in PAGES
    if path.relative_to(ROOT).as_posix() not in ELSEWHERE
    for heading, line, code in blocks(path.read_text(encoding="utf-8"))
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert main([*shlex.split(FILES), "--folder", str(tmp_path)]) == 0
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("program", BLOCKS)
def test_it_runs_alone(program: str) -> None:
    assert undefined(program) == set()
    if 'create_connection(("localhost", 4433))' in program:
        return  # the README's first program has its server beside it: tests/test_readme.py runs both
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(program, "program", "exec", dont_inherit=True), names)
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join(PATIENCE)


def test_there_are_many() -> None:
    assert len(BLOCKS) >= 65


def test_what_is_not_defined_is_noticed() -> None:
    assert undefined("import os\n\ndef f(x):\n    return os.path.join(x, base)\n") == {"base"}
    assert undefined("def f(x) -> Config:\n    y = len(x)\n    return y\nclass A:\n    z = f\n") == {"Config"}
