"""Two endpoints in one thread, without a socket: what a foreign peer is, and how bytes are carried."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from sansticket.events import Event

MAX_ROUNDS = 1000
"""Two endpoints that still talk after so many exchanges talk for ever."""


class Ours(Protocol):
    """A connection of the package, as far as carrying bytes goes."""

    def receive_data(self, data: bytes) -> list[Event]: ...

    def data_to_send(self) -> bytes: ...


class MemoryPeer(ABC):
    """A TLS endpoint of another implementation.

    ``received`` is the application data that came, ``handshaken`` whether its handshake is done, ``closed``
    whether the other side's close_notify came, ``error`` the exception that ended it.
    """

    def __init__(self) -> None:
        self.received = bytearray()
        self.handshaken = False
        self.closed = False
        self.error: Exception | None = None

    @abstractmethod
    def receive(self, data: bytes) -> None:
        """Bytes from the other side; ``b""`` is the end of its stream."""

    @abstractmethod
    def data_to_send(self) -> bytes:
        """Bytes for the other side."""

    @abstractmethod
    def write(self, data: bytes) -> None:
        """Send application data."""

    @abstractmethod
    def close(self) -> None:
        """Send close_notify."""


def run(ours: Ours, theirs: MemoryPeer) -> list[Event]:
    """Carry bytes both ways until both are silent; the events on our side, in order."""
    events: list[Event] = []
    for _ in range(MAX_ROUNDS):
        if to_them := ours.data_to_send():
            theirs.receive(to_them)
        if to_us := theirs.data_to_send():
            events += ours.receive_data(to_us)
        if not to_them and not to_us:
            return events
    raise AssertionError(f"not quiet after {MAX_ROUNDS} exchanges; the last events: {events[-3:]}")


def run_foreign(client: MemoryPeer, server: MemoryPeer) -> None:
    """The same for two foreign peers."""
    for _ in range(MAX_ROUNDS):
        if to_server := client.data_to_send():
            server.receive(to_server)
        if to_client := server.data_to_send():
            client.receive(to_client)
        if not to_server and not to_client:
            return
    raise AssertionError(f"not quiet after {MAX_ROUNDS} exchanges")
