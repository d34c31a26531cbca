"""docs/replay.md: its code runs, and the format is as it stands there."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

import pytest

from sansticket.replays.recording import DOES, FORMAT, VERSION
from tests.support.configs import client_config, server_config
from tests.support.documents import Document

PAGE: Final = Document("replay.md")


def names() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for title in ("Recording", "Playing"):
        PAGE.run(title, found)
    return found


def test_the_code_runs(tmp_path: Path) -> None:
    found = names()
    client, server = found["recorded_pair"](client_config(), server_config(), "server.example")
    server.receive_data(client.data_to_send())
    client.receive_data(server.data_to_send())
    with pytest.raises(AssertionError) as caught:
        found["checked"](client, server, tmp_path)
    assert f"{tmp_path}/client.replay" in "".join(caught.value.__notes__)
    for one in (client, server):
        assert found["first_difference"](found["written"](one, secrets=True)) == ""
        assert found["first_difference"](found["written"](one, secrets=False)) == ""


def test_the_format() -> None:
    found = names()
    client, _ = found["recorded_pair"](client_config(), server_config(), "server.example")
    client.data_to_send()
    first, step, *_, last = map(json.loads, found["written"](client, secrets=True).splitlines())
    text = PAGE.section("The format")
    assert f'"{FORMAT}", `version` {VERSION}' in text
    for line in (first, step, last):
        for name in line:
            assert f"`{name}`" in text, name
    assert set(DOES) <= set(re.findall(r"`(\w+)`", text))
