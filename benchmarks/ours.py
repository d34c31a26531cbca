"""sansticket, through its public interface."""

from __future__ import annotations

from collections.abc import Sequence
from time import process_time
from typing import Any

from benchmarks.contenders import AUTHORITY, IDENTITY, SERVER_NAME
from sansticket import (
    CipherSuite,
    ClientConfig,
    ClientConnection,
    Connection,
    Credential,
    DataReceived,
    Event,
    NamedGroup,
    ProtocolVersion,
    SendData,
    ServerConfig,
    ServerConnection,
    Session,
    TicketReceived,
    TrustAnchors,
)
from tests.support.certificates import Identity


def server_config(identity: Identity, suite: CipherSuite, **more: Any) -> ServerConfig:
    """One suite, and with it one version."""
    return ServerConfig(credentials=[Credential(identity.chain_der, identity.key)], **_common(suite), **more)


def client_config(
    suite: CipherSuite, anchors: Sequence[bytes] = (AUTHORITY.der,), **more: Any
) -> ClientConfig:
    """For servers of that.  ``anchors`` are in DER."""
    return ClientConfig(trust_anchors=TrustAnchors.from_der(anchors), **_common(suite), **more)


def _common(suite: CipherSuite) -> dict[str, Any]:
    if suite >> 8 == 0x13:
        version, groups = ProtocolVersion.TLS_1_3, [NamedGroup.X25519]
    else:  # here the groups of a client are the curves of certificates too; the first is used for the exchange
        version, groups = ProtocolVersion.TLS_1_2, [NamedGroup.X25519, NamedGroup.SECP256R1]
    return {"versions": [version], "cipher_suites": [suite], "groups": groups}


class OurPair:
    def __init__(self, client: ClientConnection, server: ServerConnection) -> None:
        self.client = client
        self.server = server

    def transfer(self, data: bytes) -> int:
        return _move(self.client, self.server, data)

    def echo(self, data: bytes) -> int:
        _move(self.client, self.server, data)
        return _move(self.server, self.client, data)


def _move(sender: Connection, receiver: Connection, data: bytes) -> int:
    sender.send(SendData(data))
    arrived = 0
    for event in receiver.receive_data(sender.data_to_send()):
        if type(event) is DataReceived:
            arrived += len(event.data)
    return arrived


class Ours:
    name = "sansticket"

    def __init__(
        self,
        suite: CipherSuite = CipherSuite.AES_128_GCM_SHA256,
        tickets: tuple[int, int] = (2, 1),
    ) -> None:
        """``suite`` is the only one, and with it the version; ``tickets`` come after full and resumed handshakes."""
        self._client_config = client_config(suite)
        self._server_config = server_config(IDENTITY, suite)
        pair, events = self._connect(None)
        assert pair.client.cipher_suite == pair.server.cipher_suite == suite
        sessions = [event.session for event in events if isinstance(event, TicketReceived)]
        assert len(sessions) == tickets[0]
        self.session = sessions[0]
        pair, events = self._connect(self.session)
        assert pair.server.resumed
        assert sum(isinstance(event, TicketReceived) for event in events) == tickets[1]

    def full(self) -> object:
        return self._connect(None)

    def resumed(self) -> object:
        return self._connect(self.session)

    def seconds_of_sides(self, resumed: bool) -> tuple[float, float]:
        """CPU time of one handshake: the client's, and the server's."""
        start = process_time()
        client = ClientConnection(self._client_config, SERVER_NAME, self.session if resumed else None)
        data, mine, theirs = client.data_to_send(), process_time() - start, 0.0
        start = process_time()
        server = ServerConnection(self._server_config)
        while data:
            server.receive_data(data)
            answer, now = server.data_to_send(), process_time()
            theirs += now - start
            start = process_time()
            client.receive_data(answer)
            data, now = client.data_to_send(), process_time()
            mine += now - start
            start = process_time()
        return mine, theirs

    def pair(self) -> OurPair:
        return self._connect(None)[0]

    def idle_server(self) -> object:
        return self._connect(None)[0].server

    def _connect(self, session: Session | None) -> tuple[OurPair, list[Event]]:
        """A pair after its handshake, and the events of the client."""
        client = ClientConnection(self._client_config, SERVER_NAME, session)
        server = ServerConnection(self._server_config)
        events: list[Event] = []
        while data := client.data_to_send():
            server.receive_data(data)
            if answer := server.data_to_send():
                events += client.receive_data(answer)
        return OurPair(client, server), events
