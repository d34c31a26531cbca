"""A client and a server joined in memory, and all that happens between them, in order."""

from __future__ import annotations

from collections.abc import Iterator

from sansticket.commands import Command
from sansticket.connection.client import ClientConnection
from sansticket.connection.connection import Connection
from sansticket.connection.server import ServerConnection
from sansticket.debug.explain import Side
from sansticket.events import Event
from sansticket.values import frozen


@frozen
class Carried:
    """Bytes went over: what one ``data_to_send`` gave.  ``time`` is in seconds since the epoch, if it is known."""

    sender: Side
    data: bytes
    time: float | None = None


@frozen
class Happened:
    """An event came out of one side's connection."""

    side: Side
    event: Event
    time: float | None = None


Step = Carried | Happened

OTHER: dict[Side, Side] = {"client": "server", "server": "client"}


class TracedPair:
    """``client`` and ``server``, and in ``steps`` what was carried between them and what came out of them."""

    def __init__(self, client: ClientConnection, server: ServerConnection) -> None:
        self.client = client
        self.server = server
        self.steps: list[Step] = []

    def run(self) -> None:
        """Carry bytes both ways until both sides are silent."""
        while self._carry("client") | self._carry("server"):
            pass

    def send(self, side: Side, command: Command) -> None:
        """Give a command to one side, and carry what it causes."""
        self._note(side, self._connection(side).send(command))
        self.run()

    def events(self, side: Side) -> Iterator[Event]:
        for step in self.steps:
            if isinstance(step, Happened) and step.side == side:
                yield step.event

    def carried(self, sender: Side) -> int:
        """Bytes that ``sender`` has sent."""
        return sum(
            len(step.data) for step in self.steps if isinstance(step, Carried) and step.sender == sender
        )

    def _connection(self, side: Side) -> Connection:
        return self.client if side == "client" else self.server

    def _carry(self, sender: Side) -> bool:
        data = self._connection(sender).data_to_send()
        if data:
            self.steps.append(Carried(sender, data))
            receiver = OTHER[sender]
            self._note(receiver, self._connection(receiver).receive_data(data))
        return bool(data)

    def _note(self, side: Side, events: list[Event]) -> None:
        self.steps += [Happened(side, event) for event in events]
