"""A client and a server of ours, joined in memory: what every test of behaviour starts from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal, TypeVar

from sansticket.commands import Command
from sansticket.config.client import ClientConfig
from sansticket.config.server import ServerConfig
from sansticket.connection.client import ClientConnection
from sansticket.connection.server import ServerConnection
from sansticket.events import DataReceived, Event
from sansticket.tickets.session import Session

Side = Literal["client", "server"]
Cut = Callable[[bytes], Iterable[bytes]]
E = TypeVar("E", bound=Event)

MAX_ROUNDS = 1000
"""Two endpoints that still talk after so many exchanges talk for ever."""


def whole(data: bytes) -> Iterator[bytes]:
    """A ``Cut`` that does not cut."""
    yield data


def every(size: int) -> Cut:
    """A ``Cut`` into pieces of ``size`` bytes."""

    def cut(data: bytes) -> Iterator[bytes]:
        for start in range(0, len(data), size):
            yield data[start : start + size]

    return cut


class ConnectionPair:
    """``client`` and ``server``; their events so far in ``client_events`` and ``server_events``.

    ``wire`` holds what was carried, as (who sent it, bytes), in order.  ``cut`` says in which pieces.
    """

    def __init__(
        self,
        client: ClientConfig,
        server: ServerConfig,
        *,
        server_name: str | None = "server.example",
        session: Session | Sequence[Session] | None = None,
        cut: Cut = whole,
    ) -> None:
        self.client = ClientConnection(client, server_name, session)
        self.server = ServerConnection(server)
        self.client_events: list[Event] = []
        self.server_events: list[Event] = []
        self.wire: list[tuple[Side, bytes]] = []
        self.cut = cut

    def pump(self) -> None:
        """Carry bytes both ways until both sides are silent."""
        for _ in range(MAX_ROUNDS):
            moved = self.carry("client")
            if not self.carry("server") and not moved:
                return
        raise AssertionError(f"not quiet after {MAX_ROUNDS} exchanges")

    def carry(self, sender: Side) -> bool:
        """Carry what ``sender`` has to send, one way; whether there was anything."""
        data = (self.client if sender == "client" else self.server).data_to_send()
        if data:
            self.wire.append((sender, data))
            self.deliver("server" if sender == "client" else "client", data)
        return bool(data)

    def deliver(self, receiver: Side, data: bytes) -> list[Event]:
        """Hand bytes to one side, in pieces; ``b""`` is the end of its stream.  Its events."""
        side, log = self._side(receiver)
        pieces = self.cut(data) if data else [b""]
        events = [event for piece in pieces for event in side.receive_data(piece)]
        log += events
        return events

    def send(self, sender: Side, command: Command, *, pump: bool = True) -> list[Event]:
        """Give a command to one side; its immediate events.  Then carry what it caused, if ``pump``."""
        side, log = self._side(sender)
        events = side.send(command)
        log += events
        if pump:
            self.pump()
        return events

    def data(self, receiver: Side) -> bytes:
        """All application data that one side has received."""
        return b"".join(event.data for event in self.events(receiver, DataReceived))

    def events(self, side: Side, kind: type[E]) -> list[E]:
        """The events of one kind on one side."""
        return [event for event in self._side(side)[1] if isinstance(event, kind)]

    def event(self, side: Side, kind: type[E]) -> E:
        """The only event of its kind on one side."""
        found = self.events(side, kind)
        assert len(found) == 1, f"{len(found)} times {kind.__name__} in {self._side(side)[1]}"
        return found[0]

    def _side(self, side: Side) -> tuple[ClientConnection | ServerConnection, list[Event]]:
        return (self.client, self.client_events) if side == "client" else (self.server, self.server_events)
