"""A live connection with somebody who looks on.

Who wants to see what a connection does puts what ``watch`` gives in its place.  Where nobody looks on nothing is called
and nothing is asked: a connection knows of no observers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sansticket.commands import Command
from sansticket.connection.client import ClientConnection
from sansticket.connection.connection import Connection
from sansticket.connection.engine import Engine
from sansticket.connection.server import ServerConnection
from sansticket.debug.explain import Side
from sansticket.debug.trace import OTHER, Carried, Happened, Step
from sansticket.events import Event


class _Watched(Connection):
    """Notes what goes through its three methods.  Forks and copies of it are watched by nobody."""

    __slots__ = ()
    side: Side
    steps: list[Step]
    clock: Callable[[], float] | None
    WATCHES: type[Connection]

    @classmethod
    def _around(cls, engine: Engine) -> Any:
        return cls.WATCHES._around(engine)

    def receive_data(self, data: bytes | bytearray | memoryview) -> list[Event]:
        """As that of every connection."""
        time, events = self._now(), super().receive_data(data)
        if len(data):
            self.steps.append(Carried(OTHER[self.side], bytes(data), time))
        return self._noted(events)

    def send(self, command: Command) -> list[Event]:
        """As that of every connection."""
        return self._noted(super().send(command))

    def data_to_send(self) -> bytes:
        """As that of every connection."""
        data = super().data_to_send()
        if data:
            self.steps.append(Carried(self.side, data, self._now()))
        return data

    def _noted(self, events: list[Event]) -> list[Event]:
        self.steps += [Happened(self.side, event, self._now()) for event in events]
        return events

    def _now(self) -> float | None:
        return None if self.clock is None else self.clock()


class WatchedClient(_Watched, ClientConnection):
    """A client's connection, and in ``steps`` what came, what was sent, and which events came out, for a ladder."""

    __slots__ = ("clock", "steps")
    side = "client"
    WATCHES = ClientConnection


class WatchedServer(_Watched, ServerConnection):
    """The same of a server."""

    __slots__ = ("clock", "steps")
    side = "server"
    WATCHES = ServerConnection


def watch(connection: Connection, clock: Callable[[], float] | None = None) -> WatchedClient | WatchedServer:
    """The same connection, to be used in the place of ``connection`` from now on, with its ``steps``.

    Before the first byte: who looks on later has not seen the hello, by which a key log is read.  ``clock`` gives the
    time of each step, in seconds since the epoch; without it steps have none.
    """
    watched: WatchedClient | WatchedServer
    if isinstance(connection, ServerConnection):
        watched = object.__new__(WatchedServer)
    else:
        watched = object.__new__(WatchedClient)
    watched._engine = connection._engine
    watched.steps, watched.clock = [], clock
    return watched
