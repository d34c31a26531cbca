"""docs/monitoring.md: its program runs, and its tables are those of the code."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

from sansticket.accounts import REASONS
from sansticket_wrappers.monitoring import METRICS
from tests.support.certificates import authority, server_identity
from tests.support.command import PATIENCE, ROOT
from tests.support.documents import Document, code

PAGE: Final = Document("monitoring.md")


def test_the_program_runs(tmp_path: Path) -> None:
    """And what it prints is a log that ``report`` sums up."""
    (tmp_path / "ca.pem").write_bytes(authority().pem)
    (tmp_path / "chain.pem").write_bytes(server_identity().chain_pem)
    (tmp_path / "key.pem").write_bytes(server_identity().key_pem)
    (tmp_path / "program.py").write_text(code(PAGE.text.partition("\n## ")[0]))
    environment = {"PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "wrappers")))}

    def run(*arguments: str) -> str:
        command = [sys.executable, "-W", "error", *arguments]
        return subprocess.run(
            *(command,),
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=True,
        ).stdout

    printed = run("program.py")
    accounts = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
    assert [one["outcome"] for one in accounts if one["event"] == "handshake"] == ["full", "resumed"]
    counted = 'sansticket_handshakes_total{outcome="resumed",side="server",version="TLS_1_3"} 1.0'
    assert counted in printed.splitlines()
    (tmp_path / "server.log").write_text(printed)
    assert "  none_offered         1  100.0%" in run("-m", "sansticket", "report", "server.log").splitlines()


def test_the_counters() -> None:
    rows = re.findall(
        r"^\| `(\w+)` \| (\w+) \| (.*?) \| (.*?) \|$", PAGE.section("The counters"), re.MULTILINE
    )
    assert rows == [
        (one.name, one.kind.value, ", ".join(f"`{label}`" for label in one.labels), one.help)
        for one in METRICS
    ]


def test_the_reasons_are_reasons() -> None:
    section = PAGE.section("Why sessions were not resumed")
    named = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", section, re.MULTILINE)
    words = {word for names in named for word in re.findall(r"\w+", names)} - {"reason"}
    assert len(words) >= 15
    assert words <= set(REASONS)


def test_every_metric_in_the_text_is_there() -> None:
    known = {f"sansticket_{one.name}" for one in METRICS} | {"sansticket_wrappers"}
    for name in re.findall(r"\bsansticket_\w+", PAGE.text):
        assert name.removesuffix("_total") in known, name


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", PAGE.text):
        assert (ROOT / "docs" / target).is_file()
