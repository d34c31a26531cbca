"""docs/adapters.md tells the truth."""

import ast
import re
import subprocess
import sys
from pathlib import Path

from tests.support.certificates import authority, server_identity

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/adapters.md").read_text()
PROGRAMS = re.findall(r"^```python\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)


def test_the_programs_can_be_read() -> None:
    assert len(PROGRAMS) == 2
    for program in PROGRAMS:
        ast.parse(program)


def test_the_first_program_runs_and_resumes(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(authority().pem)
    (tmp_path / "chain.pem").write_bytes(server_identity().chain_pem)
    (tmp_path / "key.pem").write_bytes(server_identity().key_pem)
    (tmp_path / "program.py").write_text(PROGRAMS[0])
    done = subprocess.run(
        [sys.executable, "-W", "error", "program.py"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stderr == ""
    printed = done.stdout.splitlines()
    assert printed[0].startswith("full handshake, 1 ticket to follow:")
    assert printed[1].startswith("resumed identity 0,")


def test_what_is_refused_is_listed() -> None:
    """Every method that raises NotImplementedError, whatever it is given, is in the list of what cannot be done."""
    source = ast.parse((ROOT / "sansticket/adapters/context.py").read_text())
    refused = {
        node.name
        for node in ast.walk(source)
        if isinstance(node, ast.FunctionDef)
        and isinstance(node.returns, ast.Name)
        and node.returns.id == "NoReturn"
    }
    listed = set(re.findall(r"`(\w+)`", TEXT.partition("**What it cannot do**")[2]))
    assert refused - {"__reduce__"} <= listed
