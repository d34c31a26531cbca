"""docs/psk.md: its code runs, and the tests that it names are there."""

from __future__ import annotations

import re
from typing import Any, Final

from sansticket import ClientConnection, LookUpPsk, ServerConnection
from tests.support.command import ROOT
from tests.support.documents import Document

PAGE: Final = Document("psk.md")


def met(client: ClientConnection, server: ServerConnection) -> bytes | None:
    """Whom both sides took each other for."""
    for _ in range(4):
        server.receive_data(client.data_to_send())
        if answer := server.data_to_send():
            client.receive_data(answer)
    assert client.psk_identity == server.psk_identity
    return server.psk_identity


def of(names: dict[str, Any], server: str = "server_config") -> bytes | None:
    return met(ClientConnection(names["client_config"]), ServerConnection(names[server]))


def test_the_page_from_top_to_bottom() -> None:
    names: dict[str, Any] = {}
    PAGE.run("A client and a server", names)
    assert met(names["client"], names["server"]) == b"sensor-7"
    PAGE.run("A server that looks them up", names)
    assert of(names) == b"sensor-7"
    del names["keys"][b"sensor-7"]
    assert names["look_up"](LookUpPsk(b"sensor-7", None)).psk is None
    names["keys"][b"sensor-7"] = names["key"]
    PAGE.run("One key for both hashes: the importer", names)
    assert of(names) == of(names, "looking_up") == names["client_config"].psks[0].identity
    assert names["look_up_imported"](LookUpPsk(b"sensor-7", None)).psk is None


def test_the_tests_that_it_names() -> None:
    files = (
        "tests/test_psk.py",
        "tests/handshake/test_external_psks.py",
        "tests/resumption/test_psk_sessions.py",
        "tests/interop/test_psk_importer.py",
    )
    defined = re.findall(
        r"^def (test_\w+)", "".join((ROOT / file).read_text() for file in files), re.MULTILINE
    )
    named = re.findall(r"`(test_\w+)`", PAGE.text)
    assert len(named) > 15
    assert set(named) <= set(defined)
    numbers = re.findall(r"^\| (\d\d) \|", PAGE.text, re.MULTILINE)
    assert numbers == [str(number) for number in range(37, 46)]
