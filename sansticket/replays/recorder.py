"""Records a connection while it works: in its place, with its methods.

recorded = record_client(config, "server.example")
...                                                  as with a ClientConnection
recorded.recording.to_bytes()
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from copy import copy
from typing import Any

from sansticket.commands import Command
from sansticket.config.client import ClientConfig
from sansticket.config.server import ServerConfig
from sansticket.connection.client import ClientConnection
from sansticket.connection.connection import Connection
from sansticket.connection.server import ServerConnection
from sansticket.debug import words
from sansticket.events import Event
from sansticket.replays.configs import NotedConfigs
from sansticket.replays.recording import Gave, Recording, Step
from sansticket.replays.values import written
from sansticket.text import MAX_TEXT, printable
from sansticket.tickets.session import Session

ADDRESS = re.compile(r" at 0x[0-9a-f]+")
"""Of an object, in its repr: another one each time."""


def record_client(
    config: ClientConfig,
    server_name: str | None = None,
    session: Session | Sequence[Session] | None = None,
    *,
    port: int = 443,
    application: Any = None,
) -> Recorded:
    """A ``ClientConnection`` that is recorded from its first moment."""
    configs = NotedConfigs()
    sessions = [session] if isinstance(session, Session) else session
    given = {
        "server_name": server_name,
        "sessions": None if sessions is None else written(tuple(sessions), _no_place),
        "port": port,
    }
    recording = Recording(configs.written(config), given, configs.noting.tables)

    def make() -> Connection:
        noted = configs.noted(config)
        return ClientConnection(noted, server_name, session, port=port, application=application)

    return Recorded(recording, configs, make)


def record_server(config: ServerConfig, *, application: Any = None) -> Recorded:
    """A ``ServerConnection`` that is recorded from its first moment."""
    configs = NotedConfigs()
    recording = Recording(configs.written(config), {}, configs.noting.tables)
    return Recorded(
        recording, configs, lambda: ServerConnection(configs.noted(config), application=application)
    )


class Recorded:
    """A connection, and in ``recording`` all that goes in and comes out.

    It has the three methods of the connection and ``num_tickets``, and gives all else on to it.  ``fork``, ``export``,
    ``application`` and copies are not recorded.
    """

    connection: Connection

    def __init__(self, recording: Recording, configs: NotedConfigs, make: Callable[[], Connection]) -> None:
        self.recording = recording
        self._configs = configs
        configs.noting.take()
        self.connection = make()
        self._note("make", None)

    def receive_data(self, data: bytes | bytearray | memoryview) -> list[Event]:
        """``Connection.receive_data``."""
        given = bytes(data)
        return self._does("receive", written(given, _no_place), lambda: self.connection.receive_data(given))

    def send(self, command: Command) -> list[Event]:
        """``Connection.send``."""
        given = self._configs.command(command)
        noted = self._configs.noting.pair(command)[1]
        return self._does("send", noted, lambda: self.connection.send(given))

    def data_to_send(self) -> bytes:
        """``Connection.data_to_send``."""
        data = self.connection.data_to_send()
        self._note("take", None, data=data)
        return data

    @property
    def num_tickets(self) -> int:
        """``ServerConnection.num_tickets``, which can be set."""
        number: int = getattr(self.connection, "num_tickets")  # noqa: B009  # a client has none
        return number

    @num_tickets.setter
    def num_tickets(self, number: int) -> None:
        setattr(self.connection, "num_tickets", number)  # noqa: B010  # as above
        self._note("set", number)

    @property
    def application(self) -> Any:
        """``Connection.application``, which can be set."""
        return self.connection.application

    @application.setter
    def application(self, application: Any) -> None:
        self.connection.application = application

    def __copy__(self) -> Connection:
        """Of the connection, not recorded."""
        return copy(self.connection)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connection, name)

    def _does(self, do: str, given: Any, act: Callable[[], list[Event]]) -> list[Event]:
        try:
            events = act()
        except BaseException as error:
            self._note(do, given, raised=said(error))
            raise
        self._note(do, given, events)
        return events

    def _note(self, do: str, given: Any, events: Sequence[Event] = (), **gave: Any) -> None:
        calls = tuple(self._configs.noting.take())
        told = tuple(event_in_words(event) for event in events)
        self.recording.steps.append(Step(do, given, calls, Gave(self.connection.state, told, **gave)))


def event_in_words(event: Event) -> tuple[str, str, str]:
    """Its name; what is worth knowing, without data; and all of its fields."""
    data = getattr(event, "data", None)
    worth = words.count(len(data), "byte") if isinstance(data, bytes) else words.event(event)
    fields = ADDRESS.sub("", repr(event))
    if isinstance(data, bytes):
        fields += f" {data.hex()}"
    return type(event).__name__, printable(worth, MAX_TEXT), fields


def said(error: BaseException) -> str:
    """What was raised."""
    return printable(ADDRESS.sub("", f"{type(error).__name__}: {error}"), MAX_TEXT)


def _no_place(value: Any) -> Any:
    raise TypeError(f"{type(value).__name__} cannot be written in a replay")
