"""A session goes on under its own hash: a server that prefers another takes a suite of the session's if it can."""

from __future__ import annotations

import os

import pytest
from attrs import evolve

from sansticket import (
    CipherSuite,
    ClientConnection,
    NamedGroup,
    ProtocolVersion,
    ServerConfig,
    Session,
    TicketKeyRing,
)
from sansticket.wire.messages.hello import ClientHello
from tests.support.resumption import NAME, START, World, failed_checks, outcome, record, resumed

SHORT, LONG = CipherSuite.AES_128_GCM_SHA256, CipherSuite.AES_256_GCM_SHA384
CHACHA = CipherSuite.CHACHA20_POLY1305_SHA256
OLD = CipherSuite.ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
VERSIONS = (ProtocolVersion.TLS_1_3, ProtocolVersion.TLS_1_2)


class Fleet:
    """Servers that share their keys and prefer different suites, and a client that takes all."""

    def __init__(self) -> None:
        self.world = World()
        self.keys = TicketKeyRing.generate(START, os.urandom)

    def server(self, *suites: CipherSuite, **changes: object) -> ServerConfig:
        return self.world.server(cipher_suites=suites, ticket_keys=self.keys, **changes)

    def session(self, suite: CipherSuite) -> Session:
        session = self.world.session(self.server(suite))
        assert session.cipher_suite == suite
        return session


@pytest.mark.parametrize(
    ("of", "suites", "then"),
    [
        (LONG, (SHORT, LONG, CHACHA), LONG),
        (LONG, (CHACHA, SHORT, LONG), LONG),
        (SHORT, (LONG, CHACHA, SHORT), CHACHA),  # the first of that hash, whatever the session had
        (CHACHA, (LONG, SHORT), SHORT),
        (CHACHA, (SHORT, LONG), SHORT),
        (SHORT, (SHORT, LONG), SHORT),
    ],
)
def test_a_suite_of_the_sessions_hash(
    of: CipherSuite, suites: tuple[CipherSuite, ...], then: CipherSuite
) -> None:
    fleet = Fleet()
    server = fleet.server(*suites)
    pair = fleet.world.connect(server, fleet.session(of))
    assert outcome(pair) == (True, 1)
    assert pair.client.cipher_suite == pair.server.cipher_suite == then
    assert failed_checks(pair) == []
    assert fleet.world.connect(server).server.cipher_suite == suites[0]


def test_where_there_is_none_the_handshake_is_full() -> None:
    fleet = Fleet()
    pair = fleet.world.connect(fleet.server(SHORT, CHACHA), fleet.session(LONG))
    assert outcome(pair) == (False, 2)
    assert failed_checks(pair) == ["hash"]
    assert pair.server.cipher_suite == SHORT


def test_a_session_that_cannot_go_on_leaves_the_choice_as_it_was() -> None:
    fleet = Fleet()
    session = fleet.session(LONG)
    fleet.world.clock.forward(session.lifetime - 1)
    client = fleet.world.client(clock=lambda: START)
    fleet.world.clock.forward(1)
    pair = fleet.world.connect(fleet.server(SHORT, LONG), session, client=client)
    assert not resumed(pair)
    assert failed_checks(pair) == ["expiry"]
    assert pair.server.cipher_suite == SHORT


def test_the_first_of_two_hashes_wins() -> None:
    fleet = Fleet()
    both = [fleet.session(LONG), fleet.session(SHORT)]
    for sessions in (both, both[::-1]):
        pair = fleet.world.connect(fleet.server(SHORT, LONG), sessions)
        assert record(pair).winner == 0
        assert pair.server.cipher_suite == sessions[0].cipher_suite


def test_a_retry_has_settled_the_suite() -> None:
    fleet = Fleet()
    server = fleet.server(SHORT, LONG, groups=(NamedGroup.SECP256R1,))
    client = fleet.world.client(key_shares=(NamedGroup.X25519,))
    assert not resumed(fleet.world.connect(server, fleet.session(LONG), client=client))
    assert resumed(fleet.world.connect(server, fleet.session(SHORT), client=client))


def test_a_binder_of_another_length_means_another_hash() -> None:
    """The client thinks that its session has the other hash: nothing of it can be verified."""
    fleet = Fleet()
    mistaken = evolve(fleet.session(LONG), cipher_suite=SHORT)
    pair = fleet.world.connect(fleet.server(SHORT, LONG), mistaken)
    assert outcome(pair) == (False, 2)
    assert failed_checks(pair) == ["hash"]


def offered(sessions: list[Session], *suites: CipherSuite, fleet: Fleet) -> list[int]:
    """The TLS 1.3 suites of a client's hello, in its order."""
    config = fleet.world.client(cipher_suites=suites, versions=VERSIONS)
    connection = ClientConnection(config, NAME, sessions)
    hello = ClientHello.decode(connection.data_to_send()[9:])
    assert sorted(hello.cipher_suites) == sorted(suites)
    assert [suite for suite in hello.cipher_suites if suite not in (SHORT, LONG, CHACHA)] == [OLD]
    return list(hello.cipher_suites)


def test_a_client_prefers_the_hash_of_its_session() -> None:
    """Some servers take the client's favourite suite before they look at its ticket."""
    fleet = Fleet()
    short, long = fleet.session(SHORT), fleet.session(LONG)
    all_of_them = (SHORT, LONG, CHACHA, OLD)
    assert offered([], *all_of_them, fleet=fleet) == [SHORT, LONG, CHACHA, OLD]
    assert offered([short], *all_of_them, fleet=fleet) == [SHORT, CHACHA, LONG, OLD]
    assert offered([long], *all_of_them, fleet=fleet) == [LONG, SHORT, CHACHA, OLD]
    assert offered([long, short], *all_of_them, fleet=fleet) == [LONG, SHORT, CHACHA, OLD]
    assert offered([long], CHACHA, SHORT, OLD, fleet=fleet) == [CHACHA, SHORT, OLD]  # it is not offered
