"""Three servers of ``examples/fleet_server.py``, each a process of its own, and clients that visit them.

A client has the list of their ports and takes the first that answers, beginning somewhere.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from itertools import permutations
from typing import Final

from attrs import frozen

from sansticket import (
    ClientConnection,
    DataReceived,
    EarlyDataRejected,
    Event,
    SendData,
    SendEarlyData,
    Session,
)
from tests.support.command import PATIENCE, Command
from tests.support.configs import client_config
from tests.support.loopback import dial

NAMES: Final = ("one", "two", "three")
TLS12, TLS13 = 0x0303, 0x0304
VERSIONS: Final = (TLS12, TLS13)


@frozen
class Visited:
    """What one connection showed."""

    server: str
    resumed: bool
    sessions: tuple[Session, ...]


@frozen
class Fleet:
    ports: dict[str, int]
    commands: dict[str, Command]

    def visit(self, *names: str, session: Session | None = None, version: int = TLS13) -> Visited:
        """Connect to the first of the servers (all, if none is named) that takes connections, and ask who it is."""
        config = client_config(versions=[version])
        for name in names or NAMES:
            try:
                line = dial(self.ports[name], config, session)
            except ConnectionRefusedError:
                continue
            with line:
                line.send(SendData(b"who are you?\n"))
                answer = line.take_until(b"\n").decode()
                line.close()
            server, _, how = answer.removeprefix("server ").strip().partition(": ")
            assert line.resumed == (how == "resumed"), "both sides say the same"
            return Visited(server, line.resumed, tuple(line.sessions))
        raise AssertionError("no server takes connections")

    def crossings(self) -> Iterator[tuple[str, str]]:
        """From each server to each other."""
        return permutations(NAMES, 2)

    def healthy(self) -> bool:
        return all(
            command.running and "Traceback" not in command.output for command in self.commands.values()
        )


StartFleet = Callable[..., Fleet]


# --- early data ---


class Recorded:
    """The first flight of a client with early data, and what it makes of the answer of whoever it is sent to."""

    def __init__(self, session: Session) -> None:
        self.client = ClientConnection(client_config(early_data=True), "server.example", session)
        self.client.send(SendEarlyData(b"who are you?\n"))
        self.forks = [self.client.fork() for _ in range(12)]
        self.flight = self.client.data_to_send()

    def sent_to(self, port: int) -> str:
        """What the server answers to early data; nothing if it does not take it.  It hears nothing more of us."""
        fork, happened = self.forks.pop(), list[Event]()
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as sock:
            sock.sendall(self.flight)
            while not any(isinstance(event, DataReceived | EarlyDataRejected) for event in happened):
                data = sock.recv(65_536)
                assert data, happened
                happened += fork.receive_data(data)
        return b"".join(event.data for event in happened if isinstance(event, DataReceived)).decode()


def when_recorders_have_begun(fleet: Fleet) -> None:
    """A window after each server has."""
    deadline = time.monotonic() + PATIENCE
    for name in NAMES:
        while not Recorded(fleet.visit(name).sessions[0]).sent_to(fleet.ports[name]):
            assert time.monotonic() < deadline
            time.sleep(0.5)
