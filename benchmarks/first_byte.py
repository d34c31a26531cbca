"""How long a client waits for the first byte of an answer, over a link that is simulated: its delay costs no time.

A visit is a ClientHello, what follows from it, a request of 200 bytes and an answer of 1,000.  The time is that of the
link, 25 ms each way, and the CPU time of both sides.  TCP's own round trip comes on top of it for everybody.
"""

from __future__ import annotations

import ssl
import statistics
from collections.abc import Callable
from contextlib import suppress
from math import inf
from time import process_time
from typing import Protocol

from benchmarks.contenders import IDENTITY, SERVER_NAME
from benchmarks.harness import Operation
from benchmarks.ours import client_config, server_config
from benchmarks.stdlib import Endpoint, Stdlib
from sansticket import (
    CipherSuite,
    ClientConfig,
    ClientConnection,
    DataReceived,
    EarlyDataReceived,
    EarlyDataStatus,
    Event,
    HandshakeCompleted,
    ReplayRecorder,
    SendData,
    SendEarlyData,
    ServerConfig,
    ServerConnection,
    Session,
    TicketReceived,
)

ONE_WAY = 25.0
"""Milliseconds."""

REQUEST, ANSWER = bytes(200), bytes(1000)


class Visit(Protocol):
    """A client and a server that are apart."""

    def begin(self) -> bytes:
        """The first flight."""

    def serve(self, flight: bytes) -> bytes:
        """What the server says to a flight; the answer with it once the request is there."""

    def hear(self, flight: bytes) -> tuple[bytes, int]:
        """What the client says to that, and how many bytes of the answer there are."""


def first_byte(visit: Visit) -> float:
    """Milliseconds until there is an answer."""
    begin, trips, answered = process_time(), 1, 0
    flight = visit.begin()
    while not answered:
        flight = visit.serve(flight)
        flight, answered = visit.hear(flight)
        trips += 1
    assert answered == len(ANSWER)
    return (trips - 1) * 2 * ONE_WAY + (process_time() - begin) * 1000


class OurVisit:
    def __init__(
        self, client: ClientConfig, server: ServerConfig, session: Session | None, *, early: bool = False
    ) -> None:
        self.client = ClientConnection(client, SERVER_NAME, session)
        self.server = ServerConnection(server)
        self._early = early
        self._asked = False
        self._requested = 0

    def begin(self) -> bytes:
        if self._early:
            self.client.send(SendEarlyData(REQUEST))
            self._asked = True
        return self.client.data_to_send()

    def serve(self, flight: bytes) -> bytes:
        before = self._requested
        for event in self.server.receive_data(flight):
            if type(event) is DataReceived or type(event) is EarlyDataReceived:
                self._requested += len(event.data)
        if before < self._requested == len(REQUEST):
            self.server.send(SendData(ANSWER))
        return self.server.data_to_send()

    def hear(self, flight: bytes) -> tuple[bytes, int]:
        events = self.client.receive_data(flight)
        if not self._asked and any(type(event) is HandshakeCompleted for event in events):
            self.client.send(SendData(REQUEST))
            self._asked = True
        return self.client.data_to_send(), sum(
            len(event.data) for event in events if type(event) is DataReceived
        )


class SslVisit:
    def __init__(
        self, client: ssl.SSLContext, server: ssl.SSLContext, session: ssl.SSLSession | None
    ) -> None:
        self.client = Endpoint(client, session=session)
        self.server = Endpoint(server, server=True)
        self._asked = False

    def begin(self) -> bytes:
        with suppress(ssl.SSLWantReadError):
            self.client.tls.do_handshake()
        return self.client.outgoing.read()

    def serve(self, flight: bytes) -> bytes:
        self.server.incoming.write(flight)
        with suppress(ssl.SSLWantReadError):
            self.server.tls.do_handshake()
            assert len(self.server.tls.read(1000)) == len(REQUEST)
            self.server.tls.write(ANSWER)
        return self.server.outgoing.read()

    def hear(self, flight: bytes) -> tuple[bytes, int]:
        self.client.incoming.write(flight)
        answered = 0
        if self._asked:
            with suppress(ssl.SSLWantReadError):
                answered = len(self.client.tls.read(2000))
        else:
            self.client.tls.do_handshake()
            self.client.tls.write(REQUEST)
            self._asked = True
        return self.client.outgoing.read(), answered


class Ours:
    """Visits of each kind, by configs that differ in nothing else."""

    def __init__(self) -> None:
        self._client, self._server = self._configs(early=False)
        self._early_client, self._early_server = self._configs(early=True)
        self._session = self._session_of(self._client, self._server)
        self._early_session = self._session_of(self._early_client, self._early_server)
        visit = self.early()
        first_byte(visit)
        assert visit.server.early_data is EarlyDataStatus.ACCEPTED

    def _configs(self, *, early: bool) -> tuple[ClientConfig, ServerConfig]:
        client = client_config(CipherSuite.AES_128_GCM_SHA256, early_data=early)
        server = server_config(
            IDENTITY,
            CipherSuite.AES_128_GCM_SHA256,
            max_early_data=16_384 if early else 0,
            replay=ReplayRecorder(since=-inf),
            half_rtt=early,
        )
        return client, server

    def _session_of(self, client: ClientConfig, server: ServerConfig) -> Session:
        visit, events = OurVisit(client, server, None), list[Event]()
        flight = visit.begin()
        while not any(type(event) is TicketReceived for event in events):
            events += visit.client.receive_data(visit.serve(flight))
            flight = visit.client.data_to_send()
        return next(event.session for event in events if type(event) is TicketReceived)

    def full(self) -> OurVisit:
        return OurVisit(self._client, self._server, None)

    def resumed(self) -> OurVisit:
        return OurVisit(self._client, self._server, self._session)

    def early(self) -> OurVisit:
        return OurVisit(self._early_client, self._early_server, self._early_session, early=True)


class Ssl(Stdlib):
    def visit(self, *, resumed: bool) -> SslVisit:
        return SslVisit(self._client_context, self._server_context, self._session if resumed else None)


def visits() -> dict[str, Callable[[], Visit]]:
    ours, theirs = Ours(), Ssl()
    return {
        "ssl, full": lambda: theirs.visit(resumed=False),
        "ssl, resumed": lambda: theirs.visit(resumed=True),
        "sansticket, full": ours.full,
        "sansticket, resumed": ours.resumed,
        "sansticket, early data": ours.early,
    }


def median_first_byte(make: Callable[[], Visit], rounds: int) -> float:
    """Milliseconds."""
    return statistics.median(first_byte(make()) for _ in range(rounds))


def as_operation(make: Callable[[], Visit]) -> Operation:
    return lambda: first_byte(make())
