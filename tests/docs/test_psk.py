"""docs/psk.md: its code runs, and the tests that it names are there."""

from __future__ import annotations

import re
from typing import Any, Final

from sansticket import (
    AlertDescription,
    ClientConfig,
    ClientConnection,
    ClientSessionStore,
    Close,
    ConnectionTerminated,
    Event,
    LookUpPsk,
    PeerClosed,
    PskRole,
    ServerConnection,
    import_psk,
)
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


def test_a_device_that_is_withdrawn() -> None:
    """One that is connected, one whose handshake was under way, and one that comes back with a ticket."""
    names: dict[str, Any] = {}
    PAGE.run("A device that is withdrawn", names)
    offered = import_psk(b"sensor-7", names["keys"][b"sensor-7"], role=PskRole.CLIENT, context=b"hub")
    client_config = ClientConfig(psks=offered, session_store=ClientSessionStore())

    def connection(steps: int = 2) -> tuple[ClientConnection, ServerConnection]:
        client = ClientConnection(client_config, "hub.example")
        server = ServerConnection(names["server_config"])
        for _ in range(steps):
            carry(client, server)
        return client, server

    def carry(client: ClientConnection, server: ServerConnection) -> list[Event]:
        for event in server.receive_data(client.data_to_send()):
            names["heed"](server, event)
        return client.receive_data(server.data_to_send())

    (_, full), (client, open_one), (late, under_way) = connection(), connection(), connection(1)
    assert not full.resumed
    assert open_one.resumed
    (_, closing), (_, closed) = connection(), connection()
    closing.send(Close())
    for event in closed.receive_data(b""):  # it is cut off
        names["heed"](closed, event)
    assert names["open_connections"] == {b"sensor-7": {full, open_one, closing}}
    assert names["withdraw"](b"sensor-7") == {full, open_one, closing}
    assert names["open_connections"] == {}
    for device, server in ((client, open_one), (late, under_way)):
        assert PeerClosed in map(type, carry(device, server))
    (*_, end) = carry(
        ClientConnection(client_config, "hub.example"), ServerConnection(names["server_config"])
    )
    assert isinstance(end, ConnectionTerminated)
    assert end.alert == AlertDescription.UNKNOWN_PSK_IDENTITY
    assert names["open_connections"] == {}


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
