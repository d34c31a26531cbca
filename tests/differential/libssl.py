"""libssl's side of the differential test: two of its endpoints run a scenario in memory.

Each endpoint reads the memory BIO that the other one writes, so nothing needs to be carried.
"""

import ctypes
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.differential import capi, libssl_ticket
from tests.differential.capi import lib
from tests.differential.identities import name_of
from tests.differential.libssl_contexts import VERIFY_MODE, Client, Log, Server, use_certificate
from tests.differential.scenario import (
    LIFETIME,
    PLAINTEXT_TAMPERS,
    TICKET_TAMPERS,
    Connection,
    Ending,
    Moment,
    Offer,
    Outcome,
    Scenario,
    Trigger,
    Verify,
    Version,
)


class Endpoint:
    """An SSL that is driven; once it has failed, nothing more is asked of it."""

    def __init__(self, ssl: int) -> None:
        self.ssl = ssl
        self.failed = False

    def _checked(self, returned: int) -> int:
        if returned <= 0:
            error = lib.SSL_get_error(self.ssl, returned)
            self.failed = error in {capi.SSL_ERROR_SSL, capi.SSL_ERROR_SYSCALL}
        lib.ERR_clear_error()
        return returned

    @property
    def established(self) -> bool:
        return not self.failed and bool(lib.SSL_is_init_finished(self.ssl))

    def handshake(self) -> None:
        if not self.failed:
            self._checked(lib.SSL_do_handshake(self.ssl))

    def write(self, data: bytes) -> None:
        if not self.failed:
            self._checked(lib.SSL_write(self.ssl, data, len(data)))

    def read(self) -> bytes:
        """What has arrived of application data; handshake messages and alerts are processed on the way."""
        buffer, data = ctypes.create_string_buffer(1 << 14), b""
        while not self.failed and (size := self._checked(lib.SSL_read(self.ssl, buffer, len(buffer)))) > 0:
            data += buffer.raw[:size]
        return data

    def close(self) -> None:
        if not self.failed:
            self._checked(lib.SSL_shutdown(self.ssl))


@contextmanager
def linked(client: int, server: int) -> Iterator[tuple[Endpoint, Endpoint]]:
    """The two ends, each reading what the other writes.  They are freed in the end."""
    to_server, to_client = lib.BIO_new(lib.BIO_s_mem()), lib.BIO_new(lib.BIO_s_mem())
    lib.BIO_up_ref(to_server)
    lib.BIO_up_ref(to_client)
    lib.SSL_set_bio(client, to_client, to_server)
    lib.SSL_set_bio(server, to_server, to_client)
    try:
        yield Endpoint(client), Endpoint(server)
    finally:
        lib.SSL_free(client)
        lib.SSL_free(server)


@contextmanager
def contexts(scenario: Scenario) -> Iterator[tuple[Client, Server]]:
    """Both contexts; a callback that failed fails the run."""
    client, server = Client(), Server(scenario)
    try:
        yield client, server
    finally:
        client.close()
        server.close()
    for context in (client, server):
        if context.failure is not None:
            raise context.failure


def run_libssl(scenario: Scenario) -> tuple[Outcome, ...]:
    """One outcome for each connection of the scenario."""
    _avoid_end_of_second(scenario)
    outcomes: list[Outcome] = []
    logs: list[Log] = []
    with contexts(scenario) as (client, server):
        for connection in scenario.connections:
            session = _offered(connection.offer, logs, server) if connection.offer else None
            log = Log()
            logs.append(log)
            ends = linked(client.connect(connection, log, session), server.accept(connection, log))
            outcomes.append(_run_connection(connection, log, server, ends))
    return tuple(outcomes)


def _avoid_end_of_second(scenario: Scenario) -> None:
    """libssl's ages are whole seconds: where one more would matter, do not start at the end of one."""
    exact = any(c.offer is not None and c.offer.age == LIFETIME for c in scenario.connections)
    if exact and (left := 1 - time.time() % 1) < 0.25:
        time.sleep(left)


def _offered(offer: Offer, logs: list[Log], server: Server) -> bytes | None:
    """The client's session as the scenario wants it offered; None when none was received."""
    received = logs[offer.connection].received
    if not received:
        return None
    session = received[offer.ticket]
    ticket = libssl_ticket.ticket_of(session)
    stateless = ticket is not None and ticket.startswith(libssl_ticket.KEY_NAME)
    if offer.age and not stateless:
        server.age(ticket or libssl_ticket.id_of(session), offer.age)
    if offer.wrong_secret:
        session = libssl_ticket.with_wrong_secret(session)
    if ticket is None:
        return session
    if offer.age and stateless:
        ticket = libssl_ticket.seal(libssl_ticket.older(libssl_ticket.unseal(ticket), offer.age))
    if offer.tamper in PLAINTEXT_TAMPERS:
        ticket = libssl_ticket.seal(PLAINTEXT_TAMPERS[offer.tamper](libssl_ticket.unseal(ticket)))
    if offer.tamper in TICKET_TAMPERS:
        ticket = TICKET_TAMPERS[offer.tamper](ticket)
    return libssl_ticket.with_ticket(session, ticket)


def _run_connection(connection: Connection, log: Log, context: Server, ends: Any) -> Outcome:
    with ends as (client, server):
        _shake_hands(client, server, context)
        completed = client.established and server.established
        resumed = completed and bool(lib.SSL_session_reused(server.ssl))
        if completed and connection.version is Version.TLS12:
            log.received[:] = [capi.encoded(lib.i2d_SSL_SESSION, lib.SSL_get_session(client.ssl))]
        seen: dict[str, Any] = {
            "completed": completed,
            "resumed": resumed,
            "tickets": log.tickets,
            "prepared": log.prepared,
            "app_data": capi.app_data(lib.SSL_get_session(server.ssl)) if resumed else None,
        }
        if completed:
            seen["requested_tickets"] = _request(connection, log, client, server)
            seen["post_handshake_tickets"] = tuple(
                _authenticate(name, connection, log, client, server) for name in connection.post_handshake
            )
            seen["peer"] = _peer(server)
        if connection.ending is Ending.CLOSE:
            client.close()
            server.close()
    return Outcome(
        **seen,
        alert=log.alerts[0][0] if log.alerts else None,
        alert_from=log.alerts[0][1] if log.alerts else None,
        statuses=tuple(log.statuses),
        key_name_length=log.key_name_length,
        sessions=log.sessions,
        lookups=log.lookups,
        removals=log.removals,
    )


def _shake_hands(client: Endpoint, server: Endpoint, context: Server) -> None:
    """Until neither end has anything to say: three turns, or four with a HelloRetryRequest."""
    for turn in range(4):
        client.handshake()
        server.handshake()
        if turn == 0:
            context.at(Moment.FLIGHT_SENT, server.ssl)
    client.read()
    server.read()


def _request(connection: Connection, log: Log, client: Endpoint, server: Endpoint) -> int:
    """How many tickets follow the requests and their trigger."""
    if not connection.requests:
        return 0
    before = log.tickets
    for _ in range(connection.requests):
        lib.SSL_new_session_ticket(server.ssl)
    match connection.trigger:
        case Trigger.WRITE:
            server.write(b"data")
        case Trigger.FLUSH:
            server.handshake()
        case Trigger.READ:
            server.read()
    client.read()
    return log.tickets - before


def _authenticate(
    name: str | None, connection: Connection, log: Log, client: Endpoint, server: Endpoint
) -> int:
    """Post-handshake authentication; how many tickets follow it."""
    if name is not None:
        use_certificate(client.ssl, name)
    if (number := connection.num_tickets_before_post_handshake) is not None:
        lib.SSL_set_num_tickets(server.ssl, number)
    required = Verify.REQUIRED if connection.post_handshake_required else Verify.OPTIONAL
    lib.SSL_set_verify(server.ssl, VERIFY_MODE[required], None)
    before = log.tickets
    lib.SSL_verify_client_post_handshake(server.ssl)
    server.handshake()
    client.read()
    server.read()
    client.read()
    return log.tickets - before


def _peer(server: Endpoint) -> str | None:
    certificate = lib.SSL_get0_peer_certificate(server.ssl)
    return name_of(capi.encoded(lib.i2d_X509, certificate)) if certificate else None
