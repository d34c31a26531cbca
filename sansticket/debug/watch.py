"""A live connection with somebody who looks on.

Who wants to see what a connection does puts a ``Watched`` in its place.  Where there is none nothing is called and
nothing is asked: a connection knows of no observers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sansticket.commands import Command
from sansticket.connection.connection import Connection
from sansticket.connection.server import ServerConnection
from sansticket.debug.explain import Side
from sansticket.debug.trace import OTHER, Carried, Happened, Step
from sansticket.events import Event


class Watched:
    """A connection, and in ``steps`` what came, what was sent, and which events came out, for a ladder.

    It has the three methods of the connection, and gives all else on to it, so that it can stand wherever the
    connection does.  Put it there before the first byte: who looks on later has not seen the hello, by which a key
    log is read.  ``clock`` gives the time of each step, in seconds since the epoch; without it steps have none.
    """

    def __init__(self, connection: Connection, clock: Callable[[], float] | None = None) -> None:
        self.connection = connection
        self.side: Side = "server" if isinstance(connection, ServerConnection) else "client"
        self.steps: list[Step] = []
        self._clock = clock

    def receive_data(self, data: bytes | bytearray | memoryview) -> list[Event]:
        """``Connection.receive_data``."""
        if len(data):
            self.steps.append(Carried(OTHER[self.side], bytes(data), self._now()))
        return self._noted(self.connection.receive_data(data))

    def send(self, command: Command) -> list[Event]:
        """``Connection.send``."""
        return self._noted(self.connection.send(command))

    def data_to_send(self) -> bytes:
        """``Connection.data_to_send``."""
        data = self.connection.data_to_send()
        if data:
            self.steps.append(Carried(self.side, data, self._now()))
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connection, name)

    def _noted(self, events: list[Event]) -> list[Event]:
        self.steps += [Happened(self.side, event, self._now()) for event in events]
        return events

    def _now(self) -> float | None:
        return None if self._clock is None else self._clock()
