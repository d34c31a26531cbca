"""What the tests of resumption share: a clock, quick configs, and handshakes carried to their end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from attrs import evolve

from sansticket.codes import NamedGroup, ProtocolVersion
from sansticket.config.client import ClientConfig
from sansticket.config.server import ServerConfig
from sansticket.events import ConnectionTerminated, HandshakeCompleted, TicketReceived
from sansticket.tickets.records import Check, ResumptionRecord
from sansticket.tickets.session import Session
from sansticket.tickets.stores.cache import SessionCache
from tests.support import configs
from tests.support.credentials import NOW
from tests.support.pair import ConnectionPair, Side

START: Final = float(int(NOW.timestamp()))
"""When the tests take place: a whole second in which the certificates are valid."""

NAME: Final = "server.example"


class Clock:
    """Stands still until it is moved."""

    def __init__(self, now: float = START) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += seconds


class World:
    """One clock, and configs that go by it."""

    def __init__(self) -> None:
        self.clock = Clock()

    def client(self, **changes: Any) -> ClientConfig:
        return configs.client_config(**{**self._quick(), **changes})

    def server(self, **changes: Any) -> ServerConfig:
        return configs.server_config(**{**self._quick(), **changes})

    def stateful(self, **changes: Any) -> ServerConfig:
        """A server whose tickets are ids in a cache."""
        return self.server(**{"ticket_keys": None, "session_cache": SessionCache(), **changes})

    def connect(
        self,
        server: ServerConfig,
        session: Session | Sequence[Session] | None = None,
        *,
        client: ClientConfig | None = None,
        name: str | None = NAME,
    ) -> ConnectionPair:
        """A handshake to its end, tickets included."""
        pair = ConnectionPair(client or self.client(), server, server_name=name, session=session)
        pair.pump()
        return pair

    def session(self, server: ServerConfig, *, client: ClientConfig | None = None) -> Session:
        """What the first ticket of a full handshake stands for."""
        return received(self.connect(server, client=client))[0]

    def _quick(self) -> dict[str, Any]:
        return {
            "clock": self.clock,
            "groups": (NamedGroup.X25519, NamedGroup.SECP256R1),
            "versions": (ProtocolVersion.TLS_1_3,),
        }


def received(pair: ConnectionPair) -> list[Session]:
    """The tickets that the client got."""
    return [event.session for event in pair.events("client", TicketReceived)]


def resumed(pair: ConnectionPair) -> bool:
    """Whether the handshake was a resumption; both sides must think so."""
    client, server = (pair.event(side, HandshakeCompleted).resumed for side in ("client", "server"))
    assert client == server == pair.client.resumed == pair.server.resumed
    return client


def outcome(pair: ConnectionPair) -> tuple[bool, int]:
    """Resumed or not, and how many tickets came: what most of the rules are about."""
    return resumed(pair), len(received(pair))


def record(pair: ConnectionPair, side: Side = "server") -> ResumptionRecord:
    """The account that one side gives."""
    return pair.event(side, HandshakeCompleted).record


def failed_checks(pair: ConnectionPair, index: int = 0, side: Side = "server") -> list[str]:
    """The names of the checks that an identity did not pass."""
    return [check.name for check in checks(pair, index, side) if not check.passed]


def checks(pair: ConnectionPair, index: int = 0, side: Side = "server") -> tuple[Check, ...]:
    return record(pair, side).identities[index].checks


def ending(pair: ConnectionPair, side: Side = "server") -> ConnectionTerminated:
    """How the connection failed."""
    return pair.event(side, ConnectionTerminated)


def made_by(client: ClientConfig, session: Session) -> Session:
    """The session as if this client had made it: to see what a server makes of a client that it takes for another."""
    return evolve(session, session_id_context=client.session_context)


def altered(session: Session, ticket: bytes) -> Session:
    """The session with another ticket: what a client offers that has been given a wrong one."""
    return evolve(session, ticket=ticket)


def records_of(data: bytes) -> list[bytes]:
    """The records of a piece of the stream, each with its header."""
    found = []
    while data:
        end = 5 + int.from_bytes(data[3:5])
        found.append(data[:end])
        data = data[end:]
    return found


def longest_common_run(one: bytes, other: bytes) -> int:
    """How many consecutive bytes two byte strings have in common at most."""
    for length in range(min(len(one), len(other)), 0, -1):
        if _windows(one, length) & _windows(other, length):
            return length
    return 0


def _windows(data: bytes, length: int) -> set[bytes]:
    return {data[start : start + length] for start in range(len(data) - length + 1)}


def kinds(events: Iterable[object]) -> list[str]:
    """The names of the events' classes."""
    return [type(event).__name__ for event in events]
