"""docs/early-data.md: its code runs and does what the text says, its tables are whole, and its tests are there."""

from __future__ import annotations

import re
import time
from math import inf
from pathlib import Path
from typing import Any, Final

import pytest
from attrs import evolve

from sansticket import (
    Credential,
    EarlyDataReason,
    EarlyDataReceived,
    EarlyDataRejected,
    ReplayRecorder,
    SendData,
    ServerConnection,
    TrustAnchors,
)
from tests.support.certificates import authority, server_identity
from tests.support.documents import Document

PAGE: Final = Document("early-data.md")
TESTS: Final = Path(__file__).parent.parent / "early_data"


@pytest.fixture
def names() -> dict[str, Any]:
    identity = server_identity()
    credential = Credential.from_pem(identity.chain_pem, identity.key_pem)
    anchors = TrustAnchors.from_pem(authority().pem)
    names: dict[str, Any] = {"credential": credential, "anchors": anchors}
    PAGE.run("A client", names)
    PAGE.run("A server", names)
    return names


def test_client_and_server(names: dict[str, Any]) -> None:
    """A first connection without, a second one with early data, a third one that is refused and sends once more."""

    config = names["server_config"]
    assert isinstance(config.replay, ReplayRecorder)

    def connect(since: float) -> tuple[bytes, list[object], bytes, bool]:
        client, left = names["ask"](b"GET /")
        server = ServerConnection(evolve(config, replay=ReplayRecorder(since=since)))
        early, there = b"", False
        heard: list[object] = []
        for _ in range(2):
            more, there_now = names["serve"](server, client.data_to_send())
            early, there = early + more, there or there_now
            events = client.receive_data(server.data_to_send())
            heard += events
            for event in events:
                left += names["heed"](client, event, b"GET /")
        for request in left:
            client.send(SendData(request))
        return early, heard, client.data_to_send(), there

    early, _, later, there = connect(-inf)
    assert (early, there) == (b"", True)
    assert later
    early, heard, later, there = connect(-inf)
    assert (early, there, later) == (b"GET /", True, b"")
    early, heard, later, there = connect(time.time())
    assert (early, there) == (b"", True)
    assert EarlyDataRejected(EarlyDataReason.PEER_DECLINED, 5) in heard
    assert later
    assert not any(isinstance(event, EarlyDataReceived) for event in heard)


def test_every_reason_is_in_the_table() -> None:
    table = PAGE.section("Why there was none")
    rows = [row for row in table.splitlines() if row.startswith("| `")]
    named = [name for row in rows for name in re.findall(r"`([A-Z_]+)`", row.split("|")[1])]
    assert sorted(named) == sorted(reason.name for reason in EarlyDataReason)


def test_every_trap_has_its_row_and_every_row_its_tests() -> None:
    rows = re.findall(
        r"^\| (\d+) \|.*\| (.*) \|$", PAGE.section("Where good guesses are wrong"), re.MULTILINE
    )
    assert [int(number) for number, _ in rows] == list(range(1, len(rows) + 1))
    assert len(rows) >= 35
    invariants = re.findall(r"^\| ([ivx]+) \|.*\| (.*) \|$", PAGE.section("What always holds"), re.MULTILINE)
    assert [name for name, _ in invariants] == ["i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix"]
    for number, tests in [*rows, *invariants]:
        module = ""
        assert tests, number
        for name in re.findall(r"`([^`]+)`", tests):
            if name.startswith("tests/"):
                assert (TESTS.parent.parent / name).exists(), name
                continue
            module, _, test = name.rpartition(".") if "." in name else (module, "", name)
            source = (TESTS / f"{module}.py").read_text(encoding="utf-8")
            assert f"def {test}(" in source, (number, name)


def test_links_lead_somewhere() -> None:
    anchors = {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", PAGE.text, re.MULTILINE)
    }
    assert set(re.findall(r"\]\(#([^)]*)\)", PAGE.text)) <= anchors
