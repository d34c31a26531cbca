"""libssl's side of the differential test: its endpoints over memory BIOs, as the runner wants them."""

import ctypes
import time
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from tests.differential import capi, libssl_ticket
from tests.differential.capi import lib
from tests.differential.identities import name_of
from tests.differential.libssl_contexts import (
    VERIFY_MODE,
    ClientContext,
    Context,
    ServerContext,
    use_certificate,
)
from tests.differential.runner import Clients, ClientSide, Log, Prepare, Servers, ServerSide, Side, run
from tests.differential.scenario import (
    LIFETIME,
    PLAINTEXT_TAMPERS,
    TICKET_TAMPERS,
    Connection,
    Moment,
    Offer,
    Outcome,
    Scenario,
    Trigger,
    Verify,
)

T = TypeVar("T")


class Endpoint(Side):
    """An SSL between two memory BIOs."""

    def __init__(self, ssl: int) -> None:
        self.ssl = ssl
        self.failed = False
        self._incoming, self._outgoing = lib.BIO_new(lib.BIO_s_mem()), lib.BIO_new(lib.BIO_s_mem())
        lib.SSL_set_bio(ssl, self._incoming, self._outgoing)

    @property
    def completed(self) -> bool:
        return not self.failed and bool(lib.SSL_is_init_finished(self.ssl))

    def call(self, function: Callable[..., int], *arguments: object) -> int:
        """Call a function that reads or writes, unless the connection has failed."""
        if self.failed:
            return -1
        returned = function(self.ssl, *arguments)
        if returned <= 0:
            error = lib.SSL_get_error(self.ssl, returned)
            self.failed = error in {capi.SSL_ERROR_SSL, capi.SSL_ERROR_SYSCALL}
            lib.ERR_clear_error()
        return returned

    def read(self) -> None:
        """Process what has come: handshake messages, alerts and (not kept) application data."""
        buffer = ctypes.create_string_buffer(1 << 14)
        while self.call(lib.SSL_read, buffer, len(buffer)) > 0:
            pass

    def receive(self, data: bytes) -> None:
        lib.BIO_write(self._incoming, data, len(data))
        self.read()

    def data_to_send(self) -> bytes:
        buffer, data = ctypes.create_string_buffer(1 << 14), b""
        while (size := lib.BIO_read(self._outgoing, buffer, len(buffer))) > 0:
            data += buffer.raw[:size]
        return data

    def close(self) -> None:
        self.call(lib.SSL_shutdown)

    def free(self) -> None:
        lib.SSL_free(self.ssl)


class LibsslServer(Endpoint, ServerSide):
    def __init__(self, context: ServerContext, connection: Connection, log: Log) -> None:
        super().__init__(context.accept(connection, log))
        self._context = context
        self._connection = connection

    @property
    def resumed(self) -> bool:
        return bool(lib.SSL_session_reused(self.ssl))

    @property
    def app_data(self) -> bytes:
        return capi.app_data(lib.SSL_get_session(self.ssl))

    @property
    def peer(self) -> str | None:
        certificate = lib.SSL_get0_peer_certificate(self.ssl)
        return name_of(capi.encoded(lib.i2d_X509, certificate)) if certificate else None

    def at(self, moment: Moment) -> None:
        self._context.at(moment, self.ssl)

    def request_tickets(self, number: int) -> None:
        for _ in range(number):
            lib.SSL_new_session_ticket(self.ssl)

    def trigger(self, trigger: Trigger) -> None:
        match trigger:
            case Trigger.WRITE:
                self.call(lib.SSL_write, b"data", 4)
            case Trigger.FLUSH:
                self.call(lib.SSL_do_handshake)
            case Trigger.READ:
                self.read()

    def authenticate(self) -> None:
        if (number := self._connection.num_tickets_before_post_handshake) is not None:
            lib.SSL_set_num_tickets(self.ssl, number)
        required = Verify.REQUIRED if self._connection.post_handshake_required else Verify.OPTIONAL
        lib.SSL_set_verify(self.ssl, VERIFY_MODE[required], None)
        lib.SSL_verify_client_post_handshake(self.ssl)
        self.call(lib.SSL_do_handshake)

    def drop(self) -> None:
        """Freeing an SSL that has not sent close_notify says it."""


class LibsslClient(Endpoint, ClientSide):
    """``received`` gets the session of 1.2; those of 1.3 the context's callback puts there."""

    def __init__(self, ssl: int, received: list[bytes]) -> None:
        super().__init__(ssl)
        self._received = received
        self.call(lib.SSL_do_handshake)

    def receive(self, data: bytes) -> None:
        super().receive(data)
        if self.completed and not self._received and lib.SSL_version(self.ssl) == capi.TLS1_2_VERSION:
            self._received.append(capi.encoded(lib.i2d_SSL_SESSION, lib.SSL_get_session(self.ssl)))

    def present(self, name: str) -> None:
        use_certificate(self.ssl, name)


def _close(context: Context) -> None:
    """A callback that failed fails the run."""
    context.close()
    if context.failure is not None:
        raise context.failure


class LibsslServers(Servers):
    def __init__(self, scenario: Scenario) -> None:
        self._context = ServerContext(scenario)

    def accept(self, connection: Connection, log: Log) -> ServerSide:
        return LibsslServer(self._context, connection, log)

    def prepare(self, offer: Offer, ticket: bytes) -> bytes:
        stateless = ticket.startswith(libssl_ticket.KEY_NAME)
        if offer.age and stateless:
            ticket = libssl_ticket.seal(libssl_ticket.older(libssl_ticket.unseal(ticket), offer.age))
        elif offer.age:
            self._context.age(ticket, offer.age)
        if offer.tamper in PLAINTEXT_TAMPERS:
            ticket = libssl_ticket.seal(PLAINTEXT_TAMPERS[offer.tamper](libssl_ticket.unseal(ticket)))
        return TICKET_TAMPERS[offer.tamper](ticket) if offer.tamper in TICKET_TAMPERS else ticket

    def close(self) -> None:
        _close(self._context)


class LibsslClients(Clients):
    """``received`` has the sessions (DER) that each client got."""

    def __init__(self) -> None:
        self._context = ClientContext()
        self.received: list[list[bytes]] = []

    def connect(self, connection: Connection, log: Log, prepare: Prepare) -> ClientSide:
        assert not connection.also, "libssl's client offers one ticket"
        session = None
        if connection.offer is not None:
            session = chosen(self.received, connection.offer)
            session = _prepared(session, connection.offer, prepare) if session is not None else None
        received: list[bytes] = []
        self.received.append(received)
        return LibsslClient(self._context.connect(connection, log, received, session), received)

    def close(self) -> None:
        _close(self._context)


def chosen(received: Sequence[Sequence[T]], offer: Offer) -> T | None:
    """The session to be offered, if the client has got one."""
    of_connection = received[offer.connection]
    return of_connection[offer.ticket] if of_connection else None


def _prepared(session: bytes, offer: Offer, prepare: Prepare) -> bytes:
    ticket = libssl_ticket.ticket_of(session)
    if ticket is None:
        prepare(offer, libssl_ticket.id_of(session))
    else:
        session = libssl_ticket.with_ticket(session, prepare(offer, ticket))
    return libssl_ticket.with_wrong_secret(session) if offer.wrong_secret else session


libc: Final = ctypes.CDLL(None)
libc.time.restype = ctypes.c_long

MAX_TICKS: Final = 20
"""Runs of a few milliseconds that a new second may spoil, one after the other."""


def run_libssl(scenario: Scenario, clients: Callable[[], Clients] = LibsslClients) -> tuple[Outcome, ...]:
    """What libssl's server does.

    It counts ages in whole seconds: where one more would matter, what a second ended in is done again.
    libssl may ask the C library's ``time()``, which lags a few milliseconds behind the exact clock: that one
    before the run and the exact one after it enclose whatever libssl saw.
    """
    exact = any(offer.age == LIFETIME for c in scenario.connections for offer in c.offers)
    for _ in range(MAX_TICKS):
        second = libc.time(None)
        outcomes = run(scenario, LibsslServers(scenario), clients())
        if not exact or int(time.time()) == second:
            return outcomes
    raise AssertionError(f"a second ended in each of {MAX_TICKS} runs")
