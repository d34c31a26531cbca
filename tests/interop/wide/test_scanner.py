"""``testssl.sh`` of Debian, which owners of servers run against them: what it has to say of ours."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests.support.configs import server_config
from tests.support.loopback import OurServer
from tests.support.peers import require, tool

DURATION: Final = 300
"""Seconds; in a quiet hour it takes half a minute."""

PARTS: Final = (
    "--protocols",
    "--std",
    "--server-preference",
    "--server-defaults",
    "--pfs",
    "--vulnerable",
)

SEVERE: Final = {"LOW", "MEDIUM", "HIGH", "CRITICAL"}


@pytest.mark.by_hand
def test_testssl(tmp_path: Path) -> None:
    """But for the certificate, which is one of the tests', there is nothing that it would have otherwise."""
    require("testssl.sh")
    report = tmp_path / "report.json"
    with OurServer(server_config()) as server:
        where = f"127.0.0.1:{server.port}"
        command = (
            tool("testssl"),
            "--warnings",
            "off",
            "--nodns",
            "none",
            *PARTS,
            "--jsonfile",
            report,
            where,
        )
        subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=DURATION)
    found = {row["id"]: row for row in json.loads(report.read_text()) if not row["id"].startswith("cert")}
    assert [row for row in found.values() if row["severity"] in SEVERE] == []
    for name in ("TLS1_2", "TLS1_3", "heartbleed", "CCS", "ticketbleed", "secure_renego"):
        assert found[name]["severity"] == "OK", found[name]
