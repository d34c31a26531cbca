"""One set of ticket keys, two implementations: a ticket of libssl's server resumes on ours, and ours on libssl's.

The keys are the 80 bytes of SSL_CTX_set_tlsext_ticket_keys.  The client is libssl's or ours.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import pytest
from attrs import evolve

from sansticket.library import SSL_SESSIONS
from sansticket.tickets.keys.openssl import OpenSSLTicketKey, OpenSSLTicketKeys
from tests.differential import libssl_ticket
from tests.differential.deviations import comparable
from tests.differential.libssl import LibsslClients, LibsslServers
from tests.differential.runner import Clients, Log, Servers, ServerSide, run
from tests.differential.sansticket_side import OurClients, OurServers, run_sansticket
from tests.differential.scenario import (
    LIFETIME,
    Connection,
    KeyAnswer,
    Offer,
    Outcome,
    Return,
    Scenario,
    Status,
    Verify,
    Version,
    story,
)
from tests.differential.test_differential import OF_OUR_CLIENT
from tests.support.newer import needs

if SSL_SESSIONS.installed:
    from sansticket.tickets import openssl

pytestmark = needs(SSL_SESSIONS)

SHARED: Final = OpenSSLTicketKey.from_bytes(libssl_ticket.KEYS)

FULL: Final = Connection(
    server_name="server.example",
    acknowledge_name=True,
    client_protocols=("h2",),
    server_protocols=("h2",),
    app_data=b"app data",
    verify=Verify.REQUIRED,
    certificate="client-one",
)
"""Everything that a ticket can carry."""

KINDS: Final = {
    "plain": Connection(),
    "full": FULL,
    "large": Connection(app_data=bytes(range(256)) * 64),
    "retry": Connection(hello_retry=True),
}

every_version = pytest.mark.parametrize("version", Version, ids=[version.name for version in Version])
every_client = pytest.mark.parametrize("clients", [LibsslClients, OurClients], ids=["libssl", "ours"])


class Fleet(Servers):
    """Servers of both stacks with the same keys; ``route`` says for each connection which one takes it."""

    def __init__(self, scenario: Scenario, route: str, keys: Sequence[OpenSSLTicketKey] = (SHARED,)) -> None:
        self._libssl, self._ours = LibsslServers(scenario), OurServers(scenario)
        self._ours.keys = OpenSSLTicketKeys(keys)
        self._route: Iterator[str] = iter(route)

    def accept(self, connection: Connection, log: Log) -> ServerSide:
        if next(self._route) == "L":
            return self._libssl.accept(connection, log)
        return self._ours.accept(connection.but(offer=None), log)  # it wants the offer for its time only

    def prepare(self, offer: Offer, ticket: bytes) -> bytes:
        return ticket

    def close(self) -> None:
        self._libssl.close()
        self._ours.close()


def with_one_hash(connection: Connection) -> Connection:
    """A ticket of TLS 1.3 resumes under suites of its hash only, and the two servers have other favourites."""
    if connection.version is Version.TLS12 or connection.client_suites:
        return connection
    return connection.but(server_suites=("TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"))


def travel(
    route: str,
    *connections: Connection,
    clients: Callable[[], Clients] = LibsslClients,
    keys: Sequence[OpenSSLTicketKey] = (SHARED,),
) -> tuple[Outcome, ...]:
    """L is libssl's server, S is ours; from the second on, each offers the last ticket of the one before."""
    connections = connections * len(route) if len(connections) == 1 else connections
    first, *others = map(with_one_hash, connections)
    scenario = story(first, *(other.but(offer=Offer()) for other in others))
    return run(scenario, Fleet(scenario, route, keys), clients())


@every_client
@pytest.mark.parametrize(
    ("kind", "version"),
    [
        *((kind, Version.TLS13) for kind in KINDS),
        *((kind, Version.TLS12) for kind in KINDS if kind != "retry"),
    ],
)
@pytest.mark.parametrize("route", ["LSLSS", "SLLSL"])
def test_a_ticket_travels(route: str, kind: str, version: Version, clients: Callable[[], Clients]) -> None:
    """Back and forth.  A resumption renews the ticket in TLS 1.3, wherever it takes place."""
    connection = KINDS[kind].but(version=version)
    if version is Version.TLS12:
        route = route[:2]  # there the client gets no other ticket to go on with
    first, *others = travel(route, connection, clients=clients)
    assert (first.completed, first.resumed) == (True, False)
    for outcome in others:
        assert (outcome.completed, outcome.resumed, outcome.alert) == (True, True, None)
        assert outcome.tickets == (version is Version.TLS13)
        assert outcome.app_data == (connection.app_data or b"")
        assert outcome.peer == connection.certificate


@every_version
@pytest.mark.parametrize("suite", ["AES_128_GCM_SHA256", "AES_256_GCM_SHA384", "CHACHA20_POLY1305_SHA256"])
@pytest.mark.parametrize("route", ["LS", "SL"])
def test_every_suite(route: str, suite: str, version: Version) -> None:
    name = f"TLS_{suite}" if version is Version.TLS13 else f"TLS_ECDHE_ECDSA_WITH_{suite}"
    _, outcome = travel(route, Connection(version=version, client_suites=(name,)))
    assert outcome.resumed


@every_version
@pytest.mark.parametrize("route", ["LS", "SL"])
def test_another_context_is_another_handshake(route: str, version: Version) -> None:
    first = Connection(version=version)
    for context in (b"others", b""):
        _, outcome = travel(route, first, first.but(sid_context=context))
        assert (outcome.completed, outcome.resumed) == (True, False)


@every_version
@pytest.mark.parametrize("route", ["LS", "SL"])
def test_other_keys_are_another_handshake(route: str, version: Version) -> None:
    keys = [OpenSSLTicketKey.generate(os.urandom)]
    _, outcome = travel(route, Connection(version=version), keys=keys)
    assert (outcome.completed, outcome.resumed) == (True, False)
    same_name = [evolve(SHARED, aes_key=bytes(32)), evolve(SHARED, hmac_key=bytes(32))]
    for key in same_name:
        _, outcome = travel(route, Connection(version=version), keys=[key])
        assert (outcome.completed, outcome.resumed) == (True, False)


@every_version
def test_a_key_that_only_opens_is_reported_as_such(version: Version) -> None:
    """And so the ticket is renewed, in TLS 1.2 as well."""
    connection = Connection(version=version)
    keys = [OpenSSLTicketKey.generate(os.urandom), SHARED]
    _, outcome = travel("LS", connection, connection.but(decision=Return.USE_RENEW), keys=keys)
    assert (outcome.resumed, outcome.tickets) == (True, 1)
    assert outcome.statuses == (Status.SUCCESS_RENEW,)


@every_version
def test_a_name_that_was_not_acknowledged_is_none(version: Version) -> None:
    """libssl keeps no name that no callback has acknowledged.  Ours does, and takes none for another."""
    unacknowledged = FULL.but(version=version, acknowledge_name=False)
    _, outcome = travel("LS", unacknowledged, unacknowledged)
    assert (outcome.completed, outcome.resumed) == (True, False)
    _, outcome = travel("SL", unacknowledged, unacknowledged)
    assert outcome.resumed


def test_a_session_without_extended_master_secret_is_not_resumed() -> None:
    """RFC 7627 section 5.3: the client that has it now would have to be refused for ever."""
    first = Connection(version=Version.TLS12, extended_master_secret=False)
    _, outcome = travel("LS", first, first.but(extended_master_secret=True))
    assert (outcome.completed, outcome.resumed) == (True, False)


@every_version
@pytest.mark.parametrize("kind", ["plain", "full"])
def test_what_libssl_seals_is_what_we_would(version: Version, kind: str) -> None:
    """Field by field, but for what is random; and libssl gives an id to what is in a ticket of TLS 1.3."""
    sealed = {}
    for route in "LS":
        clients, scenario = LibsslClients(), story(with_one_hash(KINDS[kind].but(version=version)))
        run(scenario, Fleet(scenario, route), clients)
        der = clients.received[-1][-1]
        ticket = libssl_ticket.ticket_of(der)
        assert ticket is not None
        plaintext = OpenSSLTicketKeys([SHARED]).open(ticket, 0).plaintext
        assert plaintext is not None
        made = openssl.decode(plaintext)
        assert abs((made.time or 0) - (openssl.decode(der).time or 0)) <= 2
        sealed[route] = {
            name: value
            for name, value in vars(made).items()
            if name not in ("session_id", "master_key", "time", "age_add", "kex_group", "timeout", "cipher")
        }
        assert len(made.master_key) == 48
        assert bool(made.age_add) == (version is Version.TLS13)
        assert made.timeout is not None
        assert made.kex_group is not None
    assert sealed["L"] == sealed["S"]


def ours_with_these_keys(scenario: Scenario) -> tuple[Outcome, ...]:
    servers = OurServers(scenario)
    servers.keys = OpenSSLTicketKeys([SHARED])
    return run(scenario, servers, OurClients())


@pytest.mark.parametrize("group", ["decisions", "generation", "contexts", "identities", "binders"])
def test_these_keys_are_as_good_as_any(group: str) -> None:
    """Altered tickets, contexts, application data and the rest: the same outcomes as with keys of our own."""
    names = [name for name in OF_OUR_CLIENT if name.startswith(f"{group}: ")]
    assert names
    for name in names:
        scenario = OF_OUR_CLIENT[name]
        if any(connection.key_answer is not KeyAnswer.BUILT_IN for connection in scenario.connections):
            continue  # keys that are elsewhere seal the native encoding
        outcomes = run_sansticket(scenario), ours_with_these_keys(scenario)
        assert comparable(scenario, outcomes[0]) == comparable(scenario, outcomes[1]), name


def test_renewal_does_not_make_a_session_longer() -> None:
    """The format has one time only; it is that of the last full handshake (compare ``chains``)."""
    first, interval = Connection(), LIFETIME // 3
    outcomes = ours_with_these_keys(story(first, *(first.but(offer=Offer(age=interval)) for _ in range(5))))
    assert [outcome.resumed for outcome in outcomes] == [False, True, True, False, True, True]
    assert [outcome.tickets for outcome in outcomes] == [2, 1, 1, 2, 1, 1]
