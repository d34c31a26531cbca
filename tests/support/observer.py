"""What somebody sees who is between two peers: the bytes of both, and with the key log what is in them."""

from __future__ import annotations

from sansticket.debug.explain import ApplicationData, HandshakeMessage, Record, Side, Unread
from sansticket.wire.messages.alert import Alert
from tests.support.memory import MemoryPeer

Wire = list[tuple[Side, bytes]]


def story(records: list[Record]) -> list[tuple[str, str | None, str]]:
    """Who said what, and under which keys."""
    return [
        (record.sender, record.keys, content.name if isinstance(content, HandshakeMessage) else kind(content))
        for record in records
        for content in record.contents
    ]


def kind(content: object) -> str:
    return f"Alert {content.description}" if isinstance(content, Alert) else type(content).__name__


def unread(records: list[Record]) -> list[str]:
    return [content.why for record in records for content in record.contents if isinstance(content, Unread)]


def data_of(records: list[Record], sender: Side) -> bytes:
    return b"".join(
        content.data
        for record in records
        for content in record.contents
        if isinstance(content, ApplicationData) and record.sender == sender
    )


def stream(wire: Wire, sender: Side) -> bytes:
    return b"".join(data for side, data in wire if side == sender)


def run_and_note(client: MemoryPeer, server: MemoryPeer) -> Wire:
    wire: Wire = []
    while True:
        if to_server := client.data_to_send():
            wire.append(("client", to_server))
            server.receive(to_server)
        if to_client := server.data_to_send():
            wire.append(("server", to_client))
            client.receive(to_client)
        if not to_server and not to_client:
            assert client.handshaken, (client.error, server.error)
            assert server.handshaken, (client.error, server.error)
            return wire
