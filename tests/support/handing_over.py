"""Connections that are handed over, and what there is of one, to be compared."""

from __future__ import annotations

from enum import Enum
from typing import Any, Final

from fuzz.checks import as_the_peer
from sansticket import (
    Abort,
    ClientConfig,
    ClientConnection,
    Close,
    Command,
    FlushTickets,
    Handover,
    IssueTicket,
    LocalProtocolError,
    RequestClientCertificate,
    SendData,
    ServerConfig,
    ServerConnection,
    UpdateKeys,
)
from sansticket.config.base import Config

AnyConnection = ClientConnection | ServerConnection

COMMANDS: Final = (
    SendData(b"data"),
    SendData(b""),
    UpdateKeys(),
    IssueTicket(),
    FlushTickets(),
    RequestClientCertificate(),
    Close(),
    Abort(),
)

MADE_ANEW: Final = {"facts", "_aead", "_hasher", "_prf", "_store", "_process", "__weakref__"}


def restored(handover: Handover, config: Config, **more: Any) -> AnyConnection:
    """On the side that the config is for."""
    if isinstance(config, ServerConfig):
        return ServerConnection.restore(handover, config, **more)
    assert isinstance(config, ClientConfig)
    return ClientConnection.restore(handover, config, **more)


def handed_over(connection: AnyConnection) -> AnyConnection:
    """By way of bytes."""
    config = connection._engine.config
    return restored(Handover.from_bytes(connection.export().to_bytes()), config)


def is_live(connection: AnyConnection) -> bool:
    return connection._engine.state.ESTABLISHED and connection.pending is None


def picture(value: Any) -> Any:
    """All that a thing of ours holds; what is made of the rest again does not count."""
    if isinstance(value, Config) or callable(value):
        return id(value)
    if isinstance(value, dict):
        return {name: picture(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [picture(one) for one in value]
    ours = any(kind.__module__.startswith("sansticket.") for kind in type(value).__mro__)
    if not ours or isinstance(value, Enum):
        return value
    names = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())]
    kept = (name for name in names if name not in MADE_ANEW and hasattr(value, name))
    return {name: picture(getattr(value, name)) for name in kept}


def peer_records(connection: AnyConnection) -> list[bytes]:
    """Data, a KeyUpdate, a message cut short, close_notify, what is none of these, half a record, and the end."""
    contents = ((23, b"data"), (22, b"\x18\0\0\1\1"), (22, b"\4\0\1\0half"), (21, b"\1\0"), (20, b"\1"))
    found = [as_the_peer(connection, *content) for content in contents]
    return [*found, found[0][:7], b""]


def outcome(connection: AnyConnection, item: Command | bytes) -> Any:
    """What one input leads to, with all that the connection is then."""
    try:
        events: Any = connection.send(item) if isinstance(item, Command) else connection.receive_data(item)
    except LocalProtocolError as error:
        events = str(error)
    return events, connection.data_to_send(), connection.state, connection.pending, connection.trailing_data
