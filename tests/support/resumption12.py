"""What the tests of TLS 1.2 resumption share, besides ``resumption``."""

from __future__ import annotations

from typing import Any

from sansticket.codes import ProtocolVersion
from sansticket.config.server import ServerConfig
from sansticket.tickets.stores.cache import SessionCache
from sansticket.wire.messages.base import Message
from sansticket.wire.messages.tables import MESSAGES_OF_TLS12
from sansticket.wire.messages.tls12 import NewSessionTicket
from tests.support.pair import ConnectionPair
from tests.support.resumption import World, records_of

TLS12 = ProtocolVersion.TLS_1_2
HANDSHAKE = 22


class World12(World):
    """Configs of TLS 1.2 alone."""

    def by_id(self, **changes: Any) -> ServerConfig:
        """A server whose sessions are known by their id alone."""
        return self.server(**{"tickets_in_tls12": False, "session_cache": SessionCache(), **changes})

    def _quick(self) -> dict[str, Any]:
        return {**super()._quick(), "versions": (TLS12,)}


def in_clear(pair: ConnectionPair) -> list[Message]:
    """The handshake messages that anybody can read, of both sides in their order."""
    messages: list[Message] = []
    for side in ("client", "server"):
        stream = b"".join(data for sender, data in pair.wire if sender == side)
        content = b""
        for record in records_of(stream):
            if record[0] != HANDSHAKE:
                break
            content += record[5:]
        while content:
            end = 4 + int.from_bytes(content[1:4])
            messages.append(MESSAGES_OF_TLS12[content[0]](content[4:end]))
            content = content[end:]
    return messages


def tickets_on_the_wire(pair: ConnectionPair) -> list[NewSessionTicket]:
    return [message for message in in_clear(pair) if isinstance(message, NewSessionTicket)]
