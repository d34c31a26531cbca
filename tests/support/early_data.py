"""Servers that take early data and clients that send it, with a clock that tests turn."""

from __future__ import annotations

from math import inf
from typing import Any

from attrs import define, field

from sansticket.codes import NamedGroup, ProtocolVersion
from sansticket.commands import SendEarlyData
from sansticket.config.client import ClientConfig
from sansticket.config.server import ServerConfig
from sansticket.connection.client import ClientConnection
from sansticket.connection.server import ServerConnection
from sansticket.crypto.suites import SUITES
from sansticket.events import (
    EarlyDataReceived,
    Event,
    HandshakeCompleted,
    TicketReceived,
)
from sansticket.keys.tls13 import EarlySecret, traffic_keys
from sansticket.record.tls13 import Opener
from sansticket.tickets.early_data import EarlyDataReason, EarlyDataStatus
from sansticket.tickets.keys.ring import TicketKeyRing
from sansticket.tickets.session import Session
from sansticket.tickets.stores.replay import ReplayRecorder
from sansticket.wire.extensions.negotiation import ApplicationProtocols
from sansticket.wire.extensions.resumption import EarlyData
from sansticket.wire.messages.hello import ClientHello
from sansticket.wire.messages.tls13 import EncryptedExtensions
from tests.support.configs import client_config, server_config
from tests.support.credentials import NOW
from tests.support.hostile_client import HostileClient, with_early_data
from tests.support.hostile_server import HostileServer
from tests.support.pair import ConnectionPair
from tests.support.sessions import repeatable_entropy

LIMIT = 1000
EARLY_DATA = EarlyData()


def recorder(window: float = 20.0) -> ReplayRecorder:
    """One that has been there for ever."""
    return ReplayRecorder(window, since=-inf)


@define
class World:
    """Everybody has the same clock, ``keys`` are those of all servers; ``client`` and ``server`` change the configs."""

    now: float = NOW.timestamp()
    keys: TicketKeyRing = field(
        factory=lambda: TicketKeyRing.generate(NOW.timestamp(), repeatable_entropy(1))
    )
    client: dict[str, Any] = field(factory=dict)
    server: dict[str, Any] = field(factory=dict)

    def clock(self) -> float:
        return self.now

    def server_config(self, **changes: Any) -> ServerConfig:
        """One that takes 1000 bytes of early data."""
        answered = {**self.server, **changes}
        defaults: dict[str, Any] = {
            "clock": self.clock,
            "ticket_keys": self.keys,
            "groups": (NamedGroup.X25519, NamedGroup.SECP256R1),
            "max_early_data": LIMIT,
            "alpn_protocols": (b"h2", b"http/1.1"),
        }
        if answered.get("max_early_data", LIMIT) and "replay" not in answered:
            defaults["replay"] = recorder()
        return server_config(**{**defaults, **answered})

    def client_config(self, **changes: Any) -> ClientConfig:
        """One that offers early data."""
        defaults: dict[str, Any] = {
            "clock": self.clock,
            "groups": (NamedGroup.X25519, NamedGroup.SECP256R1),
            "early_data": True,
            "alpn_protocols": (b"h2",),
        }
        return client_config(**{**defaults, **self.client, **changes})

    def session(self, server: ServerConfig | None = None, client: ClientConfig | None = None) -> Session:
        """What a client got from such a server a moment ago."""
        return self.sessions(server, client)[0]

    def sessions(
        self, server: ServerConfig | None = None, client: ClientConfig | None = None
    ) -> list[Session]:
        pair = ConnectionPair(client or self.client_config(), server or self.server_config())
        pair.pump()
        return [event.session for event in pair.events("client", TicketReceived)]

    def pair(
        self,
        session: Session | list[Session] | None = None,
        *,
        server: ServerConfig | None = None,
        client: ClientConfig | None = None,
        early: bytes = b"",
        **named: Any,
    ) -> ConnectionPair:
        """A client that comes back, and has sent ``early``; nothing is carried yet."""
        pair = ConnectionPair(
            client or self.client_config(),
            server or self.server_config(),
            session=session if session is not None else self.session(),
            **named,
        )
        if early:
            pair.send("client", SendEarlyData(early), pump=False)
        return pair

    def first_flight(self, early: bytes = b"early", session: Session | None = None) -> bytes:
        """A ClientHello and early data, as somebody who listens has it."""
        return self.pair(session, early=early).client.data_to_send()


def early_data_of(events: list[Event]) -> bytes:
    return b"".join(event.data for event in events if isinstance(event, EarlyDataReceived))


def said(pair: ConnectionPair) -> tuple[EarlyDataStatus, EarlyDataReason | None]:
    """What the server's record says of early data."""
    outcome = pair.event("server", HandshakeCompleted).record.early_data
    return outcome.status, outcome.reason


def another_world() -> World:
    """Of servers with other keys, for which every ticket is a stranger's."""
    return World(keys=TicketKeyRing.generate(NOW.timestamp(), repeatable_entropy(2)))


class EarlyClient(HostileClient):
    """A hand-made client that offers early data with its first session, whose keys it can write under."""

    def __init__(self, server: ServerConnection | ServerConfig, session: Session, **named: Any) -> None:
        edits = {ClientHello: with_early_data, **named.pop("edits", {})}
        extensions = (ApplicationProtocols((session.alpn,)),) if session.alpn is not None else ()
        super().__init__(server, edits, sessions=(session,), extensions=extensions, **named)

    def begin_early(self) -> EarlyClient:
        """ClientHello, and from here on the keys of early data."""
        self.say_hello()
        early = EarlySecret.from_psk(self.suite.hash_name, self.sessions[0].secret)
        self.early_secret = early.client_early_traffic(self.transcript.digest())
        self.protect(self.early_secret)
        return self

    def hear(self) -> EarlyClient:
        """The server's flight; we go on under the keys of early data."""
        sealer = self.sealer
        self.listen()
        self.sealer = sealer
        return self

    def to_handshake_keys(self) -> EarlyClient:
        self.protect(self.traffic.client)
        return self


def modern(**changes: Any) -> dict[str, Any]:
    """TLS 1.3 alone."""
    return {"versions": (ProtocolVersion.TLS_1_3,), **changes}


class EarlyServer(HostileServer):
    """A hand-made server that resumes the client's session and takes its early data."""

    def __init__(self, config: ClientConfig, session: Session, **named: Any) -> None:
        connection = ClientConnection(config, "server.example", session)
        super().__init__(connection, session=session, **named)
        early = EarlySecret.from_psk(self.suite.hash_name, session.secret)
        suite = SUITES[session.cipher_suite]  # not ours, perhaps
        secret = early.client_early_traffic(self.transcript.digest())
        self.openers.append(Opener(suite, traffic_keys(suite, secret)))
        self.alpn = session.alpn

    def say_extensions(self) -> EarlyServer:
        alpn = () if self.alpn is None else (ApplicationProtocols((self.alpn,)),)
        self.say(EncryptedExtensions((*alpn, EARLY_DATA)))
        return self

    def send_early(self, data: bytes) -> EarlyServer:
        """The client is told to."""
        self.events += self.victim.send(SendEarlyData(data))
        return self
