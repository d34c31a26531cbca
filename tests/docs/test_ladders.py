"""docs/ladders.md: its code runs, its keys are those of the page, its pictures are there."""

from __future__ import annotations

import re
from typing import Any, Final
from xml.etree import ElementTree

from sansticket import ServerConnection
from sansticket.debug.key_log import KeyLog
from sansticket.debug.ladders.script import SCRIPT
from tests.support.command import ROOT
from tests.support.configs import client_config, server_config
from tests.support.documents import Document

PAGE: Final = Document("ladders.md")


def test_the_code_runs() -> None:
    names: dict[str, Any] = {}
    PAGE.run("A live connection", names)
    log = KeyLog()
    client = names["watched_client"](client_config(key_log=log.add), "server.example")
    server = ServerConnection(server_config())
    for _ in range(3):
        server.receive_data(client.data_to_send() or b"\x16")
        if data := server.data_to_send():
            client.receive_data(data)
    text = names["ladder_of"](client, log)
    assert "HandshakeCompleted" in text
    assert "[NewSessionTicket]" in text


def test_its_keys_are_those_of_the_page() -> None:
    for key in re.findall(r"`([jkod/])`", PAGE.text):
        assert f'"{key}": ' in SCRIPT


def test_its_pictures_are_there() -> None:
    for picture in re.findall(r"\((pictures/[^)]+)\)", PAGE.text):
        data = (ROOT / "docs" / picture).read_bytes()
        assert len(data) < 200_000
        if picture.endswith(".svg"):
            ElementTree.fromstring(data)
        else:
            assert data.startswith(b"\x89PNG")
