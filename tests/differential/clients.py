"""The clients that face sansticket's server: our own, and libssl's.

Ours cannot be all that a scenario needs: it always offers extended master secret and takes 1.2 tickets, keeps
its credentials for as long as it lives, and offers no session that it could not resume.
"""

import ctypes
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import cache
from typing import Final, TypeVar

from attrs import evolve

from sansticket.commands import Close
from sansticket.config import DEFAULT_CIPHER_SUITES, ClientConfig
from sansticket.connection import ClientConnection
from sansticket.crypto.certificates import Credential, TrustAnchors
from sansticket.events import ConnectionTerminated, Event, HandshakeCompleted, TicketReceived
from sansticket.tickets.session import Session
from sansticket.wire.codes import AlertDescription, CipherSuite, ProtocolVersion
from tests.differential import capi, libssl_ticket
from tests.differential.capi import lib
from tests.differential.identities import identity
from tests.differential.libssl import Endpoint
from tests.differential.libssl_contexts import Client as LibsslContext
from tests.differential.libssl_contexts import Log, use_certificate
from tests.differential.scenario import Change, Connection, Scenario, Version
from tests.support.certificates import authority

NUMBER: Final = {Version.TLS12: ProtocolVersion.TLS_1_2, Version.TLS13: ProtocolVersion.TLS_1_3}

T = TypeVar("T")


def numbers(versions: frozenset[Version]) -> tuple[ProtocolVersion, ...]:
    """The newest first."""
    return tuple(sorted((NUMBER[version] for version in versions), reverse=True))


def suites(names: Sequence[str]) -> tuple[int, ...]:
    """By IANA names; the default for none."""
    numbered = tuple(CipherSuite[name.removeprefix("TLS_")] for name in names)
    return numbered or DEFAULT_CIPHER_SUITES


@cache
def credential(name: str) -> Credential:
    return Credential.from_pem(identity(name).chain_pem, identity(name).key_pem)


@cache
def anchors() -> TrustAnchors:
    return TrustAnchors.from_pem(authority().pem)


class ClientSide(ABC):
    """A client of one connection.  ``alert`` is the fatal alert that it sent."""

    completed = False
    failed = False
    alert: str | None = None

    @abstractmethod
    def receive(self, data: bytes) -> None: ...

    @abstractmethod
    def data_to_send(self) -> bytes: ...

    @abstractmethod
    def present(self, name: str | None) -> None:
        """From now on it has this certificate."""

    @abstractmethod
    def close(self) -> None:
        """Send close_notify."""

    @abstractmethod
    def free(self) -> None:
        """Nothing will be asked of it any more."""


class Clients(ABC):
    """The clients of a scenario, and the sessions that they received, by connection."""

    @abstractmethod
    def connect(self, connection: Connection, change: Change) -> ClientSide:
        """The next connection; ``change`` is done to the stateless ticket that it offers."""

    @abstractmethod
    def close(self) -> None:
        """Every client is gone."""


def ours_can(scenario: Scenario) -> bool:
    """Whether our client can play its part; libssl's always can."""
    for index, connection in enumerate(scenario.connections):
        if len(connection.post_handshake) > 1:
            return False
        if not (connection.extended_master_secret and connection.client_tickets):
            return False
        source = scenario.source(index)
        if source is not None and not _may_offer(source.client_suites, connection.client_suites):
            return False
    return True


def _may_offer(before: Sequence[str], now: Sequence[str]) -> bool:
    """Our client does not offer a session for whose hash it has no suite."""
    hashes_before, hashes_now = ({name.rsplit("_")[-1] for name in names} for names in (before, now))
    return not before or not now or bool(hashes_before & hashes_now)


def _chosen(received: Sequence[Sequence[T]], connection: Connection) -> T | None:
    """The session that the connection is to offer, if there is one."""
    offer = connection.offer
    if offer is None or not received[offer.connection]:
        return None
    return received[offer.connection][offer.ticket]


class OurClients(Clients):
    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.received: list[list[Session]] = []

    def connect(self, connection: Connection, change: Change) -> ClientSide:
        session = _chosen(self.received, connection)
        if session is not None and session.ticket:
            session = evolve(session, ticket=change(session.ticket))
        if session is not None and connection.offer is not None and connection.offer.wrong_secret:
            session = evolve(session, secret=bytes([session.secret[0] ^ 1]) + session.secret[1:])
        names = {name for name in (connection.certificate, *connection.post_handshake) if name}
        config = ClientConfig(
            versions=numbers(connection.client_versions or frozenset({connection.version})),
            cipher_suites=suites(connection.client_suites),
            alpn_protocols=[name.encode() for name in connection.client_protocols],
            credentials=[credential(name) for name in names],
            verify_peer=False,
            post_handshake_auth=bool(connection.post_handshake),
            resume_with_other_name=True,
            clock=self.clock,
        )
        received: list[Session] = []
        self.received.append(received)
        return OurClient(ClientConnection(config, connection.server_name, session), received)

    def close(self) -> None:
        """Nothing is held that would have to be given back."""


class OurClient(ClientSide):
    def __init__(self, connection: ClientConnection, received: list[Session]) -> None:
        self.connection = connection
        self.received = received

    def receive(self, data: bytes) -> None:
        self._take(self.connection.receive_data(data))

    def data_to_send(self) -> bytes:
        return self.connection.data_to_send()

    def present(self, name: str | None) -> None:
        """It had it from the beginning."""

    def close(self) -> None:
        if not self.failed:
            self._take(self.connection.send(Close()))

    def free(self) -> None:
        """Nothing is held that would have to be given back."""

    def _take(self, events: Sequence[Event]) -> None:
        for event in events:
            match event:
                case HandshakeCompleted():
                    self.completed = True
                case TicketReceived(session):
                    self.received.append(session)
                case ConnectionTerminated(_, alert, by_peer=by_peer):
                    self.failed = True
                    if alert is not None and not by_peer:
                        self.alert = AlertDescription(alert).name
                case _:
                    pass


class LibsslClients(Clients):
    def __init__(self) -> None:
        self.context = LibsslContext()
        self.logs: list[Log] = []

    def connect(self, connection: Connection, change: Change) -> ClientSide:
        session = _chosen([log.received for log in self.logs], connection)
        if session is not None and (ticket := libssl_ticket.ticket_of(session)) is not None:
            session = libssl_ticket.with_ticket(session, change(ticket))
        if session is not None and connection.offer is not None and connection.offer.wrong_secret:
            session = libssl_ticket.with_wrong_secret(session)
        log = Log()
        self.logs.append(log)
        return LibsslClient(self.context.connect(connection, log, session), log)

    def close(self) -> None:
        self.context.close()
        if self.context.failure is not None:
            raise self.context.failure


class LibsslClient(ClientSide):
    """It has two memory BIOs of its own, and bytes are carried."""

    def __init__(self, ssl: int, log: Log) -> None:
        self.endpoint = Endpoint(ssl)
        self.log = log
        self.incoming, self.outgoing = lib.BIO_new(lib.BIO_s_mem()), lib.BIO_new(lib.BIO_s_mem())
        lib.SSL_set_bio(ssl, self.incoming, self.outgoing)
        self.endpoint.handshake()

    def receive(self, data: bytes) -> None:
        lib.BIO_write(self.incoming, data, len(data))
        self.endpoint.read()
        self.failed = self.endpoint.failed
        if self.endpoint.established and not self.completed:
            self.completed = True
            if lib.SSL_version(self.endpoint.ssl) == capi.TLS1_2_VERSION:
                session = lib.SSL_get_session(self.endpoint.ssl)
                self.log.received[:] = [capi.encoded(lib.i2d_SSL_SESSION, session)]
        if self.log.alerts:
            self.alert = self.log.alerts[0][0]

    def data_to_send(self) -> bytes:
        buffer, data = ctypes.create_string_buffer(1 << 14), b""
        while (size := lib.BIO_read(self.outgoing, buffer, len(buffer))) > 0:
            data += buffer.raw[:size]
        return data

    def present(self, name: str | None) -> None:
        if name is not None:
            use_certificate(self.endpoint.ssl, name)

    def close(self) -> None:
        self.endpoint.close()

    def free(self) -> None:
        lib.SSL_free(self.endpoint.ssl)
