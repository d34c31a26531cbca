"""What a client offers: whose session it is, for how long, and whether a hello has room for it.

What it does not offer is in the record, with the reason.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

import pytest
from attrs import evolve

from sansticket.codes import CipherSuite, NamedGroup, ProtocolVersion
from sansticket.commands import AcceptPeer, Close, RequestClientCertificate, ResolveTicket
from sansticket.config.choices import ClientAuthentication, ResumedCertificates
from sansticket.config.client import ClientConfig
from sansticket.config.server import ServerConfig
from sansticket.connection.client import ClientConnection
from sansticket.crypto.certificates import Credential
from sansticket.crypto.inspection import end_of_validity
from sansticket.errors import ConfigError, Reason
from sansticket.events import DecideTicket, HandshakeCompleted, VerifyPeer
from sansticket.handshake.client.offer import room_in
from sansticket.library import ML_KEM
from sansticket.tickets.decision import TicketReturn
from sansticket.tickets.keys.protection import Encounter, SessionCodec
from sansticket.tickets.keys.ring import TicketKey, TicketKeyRing
from sansticket.tickets.session import Session
from sansticket.tickets.stores.cache import SessionCache
from sansticket.tickets.stores.client import ClientSessionStore
from sansticket.wire.extensions.negotiation import Cookie
from sansticket.wire.extensions.resumption import EarlyData, PreSharedKeyOffer
from sansticket.wire.messages.hello import ClientHello
from tests.support.certificates import authority
from tests.support.credentials import anchors, client_credential, credential_of, server_credential
from tests.support.hostile_server import HostileServer
from tests.support.newer import needs
from tests.support.pair import ConnectionPair, Side
from tests.support.refusals import refused
from tests.support.resumption import NAME, Clock, World, checks, failed_checks, received, record, resumed

TLS12: Final = ProtocolVersion.TLS_1_2
TLS13: Final = ProtocolVersion.TLS_1_3
DAY: Final = 86_400

ONE: Final = client_credential()
TWO: Final = client_credential("ed25519")

both_versions = pytest.mark.parametrize("version", [TLS13, TLS12], ids=["1.3", "1.2"])

# --- whose session it is ------------------------------------------------------------------------------------------


def asking(world: World, version: int, **changes: Any) -> ServerConfig:
    return world.server(
        **{
            "versions": (version,),
            "trust_anchors": anchors(),
            "client_authentication": ClientAuthentication.OPTIONAL,
            **changes,
        }
    )


@both_versions
@pytest.mark.parametrize("by_id", [False, True], ids=["ticket", "id"])
@pytest.mark.parametrize("made_with", [(), (ONE,), (TWO,), (ONE, TWO), (TWO, ONE)], ids=len)
def test_a_session_goes_on_under_the_credentials_of_its_making(
    world: World, version: int, by_id: bool, made_with: tuple[Credential, ...]
) -> None:
    stateful = {"ticket_keys": None, "session_cache": SessionCache()} if by_id else {}
    config = asking(world, version, **stateful)
    client = world.client(versions=(version,), credentials=made_with)
    session = world.session(config, client=client)
    assert resumed(world.connect(config, session, client=client))
    session = world.session(config, client=client)
    for others in ((), (ONE,), (TWO,), (ONE, TWO), (TWO, ONE)):
        if others == made_with:
            continue
        pair = world.connect(config, session, client=evolve(client, credentials=others))
        assert not resumed(pair)
        assert record(pair).identities == () or version == TLS12
        assert failed_checks(pair, side="client") == ["credentials"]
        assert "credentials FAILED (it was made with other credentials, or without)" in str(
            record(pair, "client")
        )
        assert pair.server.peer_certificates == (others[0].chain if others else ())


@both_versions
def test_not_out_of_a_store_that_holds_it_under_a_wrong_key(world: World, version: int) -> None:
    config = asking(world, version)
    made = world.client(versions=(version,), credentials=[ONE])
    store = ClientSessionStore()
    other = world.client(versions=(version,), session_store=store)
    assert store.put(other.store_key(NAME), world.session(config, client=made), world.clock())
    pair = world.connect(config, client=other)
    assert not resumed(pair)
    assert failed_checks(pair, side="client") == ["credentials"]


@both_versions
def test_of_a_client_that_verified_otherwise(world: World, version: int) -> None:
    config = world.server(versions=(version,))
    lax = world.client(versions=(version,), verify_peer=False)
    session = world.session(config, client=lax)
    pair = world.connect(config, session, client=world.client(versions=(version,)))
    assert not resumed(pair)
    assert failed_checks(pair, side="client") == ["verification policy"]


def test_after_authentication_in_the_middle_as_before_it(world: World) -> None:
    """Sessions from before and after it belong to the client that could show its certificate, and did."""
    client = world.client(post_handshake_auth=True, credentials=[ONE])
    config = world.server(trust_anchors=anchors())
    pair = world.connect(config, client=client)
    pair.send("server", RequestClientCertificate())
    sessions = received(pair)
    assert len(sessions) == 4
    for session in sessions:
        for others in ([], [TWO]):
            again = world.connect(config, session, client=evolve(client, credentials=others))
            assert not resumed(again)
            assert failed_checks(again, side="client") == ["credentials"]
        assert resumed(world.connect(config, session, client=client))


def test_what_a_session_remembers(world: World) -> None:
    plain, ours = world.client(), world.client(credentials=[ONE])
    assert plain.session_context == plain.verification_policy == ours.verification_policy
    assert len(ours.client_identity) == 16
    assert ours.session_context == ours.verification_policy + ours.client_identity
    for client in (plain, ours):
        assert world.session(world.server(), client=client).session_id_context == client.session_context


# --- for how long -------------------------------------------------------------------------------------------------


def by_hand(world: World, config: ServerConfig, client: ClientConfig, days: float) -> list[ConnectionPair]:
    """A connection every few days, each with the newest session."""
    pairs, session = [], None
    for _ in range(int(100 / days)):
        pair = world.connect(config, session, client=client)
        new = received(pair)
        session = new[-1] if new else session
        pairs.append(pair)
        world.clock.forward(days * DAY)
    return pairs


def by_store(world: World, config: ServerConfig, client: ClientConfig, days: float) -> list[ConnectionPair]:
    client = evolve(client, session_store=ClientSessionStore())
    pairs = []
    for _ in range(int(100 / days)):
        pairs.append(world.connect(config, client=client))
        world.clock.forward(days * DAY)
    return pairs


class Forgetful:
    """A native codec whose server takes every ticket for new: no bound of its own ends a chain of resumptions."""

    keeps_issue_time = True
    keeps_verified_chain = False

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def encode(self, session: Session) -> bytes:
        return session.to_bytes()

    def decode(self, plaintext: bytes, now: float, encounter: Encounter | None = None) -> Session:
        return evolve(Session.from_bytes(plaintext), issued_at=now, authenticated_at=now)


class ForgetfulKeys(TicketKeyRing):
    codec: SessionCodec


def endless(world: World, version: int) -> ServerConfig:
    """A server that knows no end: its keys open everything, as if it were new, and its tickets live for seven days."""
    keys = ForgetfulKeys([TicketKey.generate(0, os.urandom)])
    keys.codec = Forgetful(world.clock)
    return world.server(
        versions=(version,),
        ticket_lifetime=7 * DAY,
        ticket_keys=keys,
        credentials=[credential_of(authority().issue("server.example", end=timedelta(days=400)))],
        answers={DecideTicket: always},
    )


def always(question: DecideTicket) -> ResolveTicket:
    return ResolveTicket(TicketReturn.USE_RENEW if question.status.decrypted else TicketReturn.IGNORE_RENEW)


@both_versions
@pytest.mark.parametrize("connect", [by_hand, by_store])
@pytest.mark.parametrize("days", [1, 3, 6.5])
def test_a_chain_of_resumptions_ends(
    world: World, version: int, connect: Callable[..., list[ConnectionPair]], days: float
) -> None:
    """Seven days after the last full handshake, whatever the server would let pass, until day 100."""
    begun = full = world.clock()
    client = world.client(versions=(version,), answers={VerifyPeer: accept})
    resumptions = 0
    for index, pair in enumerate(connect(world, endless(world, version), client, days)):
        now = begun + index * days * DAY
        if resumed(pair):
            resumptions += 1
        else:
            full = now
        assert now - full < 7 * DAY
        for session in received(pair):
            assert session.authenticated_at == full
    assert resumptions >= 100 // 13 - 1


@both_versions
def test_an_old_session_is_not_offered(world: World, version: int) -> None:
    config, client = (
        world.server(versions=(version,), ticket_lifetime=7 * DAY),
        world.client(versions=(version,)),
    )
    session = evolve(world.session(config, client=client), issued_at=world.clock() + 6 * DAY)
    for seconds, good in ((7 * DAY - 1, True), (7 * DAY, False), (12 * DAY, False)):
        world.clock.now = session.authenticated_at + seconds
        pair = world.connect(config, session, client=client)
        assert failed_checks(pair, side="client") == ([] if good else ["authentication age"])
    assert f"authentication age FAILED ({12 * DAY}.000 s, at most {7 * DAY} s)" in str(record(pair, "client"))


def test_the_clients_own_bound(world: World) -> None:
    config, client = world.server(), world.client(max_session_age=600)
    session = world.session(config, client=client)
    world.clock.forward(600)
    assert failed_checks(world.connect(config, session, client=client), side="client") == [
        "authentication age"
    ]
    with pytest.raises(ConfigError, match="max_session_age"):
        world.client(max_session_age=7 * DAY + 1)


def ending_soon(hours: float) -> Credential:
    return credential_of(authority().issue("server.example", end=timedelta(hours=hours)))


@both_versions
@pytest.mark.parametrize("stored", [False, True], ids=["by hand", "by a store"])
@pytest.mark.parametrize("application", [False, True])
def test_a_session_ends_with_the_certificate(
    world: World, version: int, stored: bool, application: bool
) -> None:
    config = world.server(versions=(version,), credentials=[ending_soon(24)], ticket_lifetime=7 * DAY)
    answers: dict[Any, Any] = {VerifyPeer: accept} if application else {}
    client = world.client(
        versions=(version,), session_store=ClientSessionStore() if stored else None, answers=answers
    )
    end = end_of_validity(config.credentials[0].chain[0])
    sessions = received(world.connect(config, client=client))
    today = evolve(config, credentials=[server_credential()])
    world.clock.now = end
    pair = world.connect(today, None if stored else sessions[0], client=client)
    assert resumed(pair)
    world.clock.now = end + 1
    pair = world.connect(today, None if stored else sessions[0], client=client)
    assert not resumed(pair)
    assert failed_checks(pair, side="client") == ["certificates"]
    assert "certificates FAILED (the server's ended 1 s ago)" in str(record(pair, "client"))


def accept(question: VerifyPeer) -> AcceptPeer:
    return AcceptPeer()


def test_a_client_that_verifies_nobody_looks_at_no_certificate(world: World) -> None:
    config, client = world.server(credentials=[ending_soon(1)]), world.client(verify_peer=False)
    session = world.session(config, client=client)
    world.clock.forward(7000)
    assert resumed(world.connect(config, session, client=client))
    assert "certificates" not in [
        check.name for check in checks(world.connect(config, session, client=client), 0, "client")
    ]


@pytest.mark.parametrize("how", list(ResumedCertificates))
def test_a_certificate_that_cannot_be_read_has_ended(world: World, how: ResumedCertificates) -> None:
    client = world.client(resumed_certificates=how)
    session = evolve(world.session(world.server(), client=client), peer_certificates=(b"no certificate",))
    pair = world.connect(world.server(), session, client=client)
    assert failed_checks(pair, side="client") == ["certificates"]


# --- whether it fits ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [57_344, 60_000, 63_000, 65_000, 65_400, 65_535])
@pytest.mark.parametrize("protocols", [(), tuple(bytes((number,)) * 250 for number in range(1, 130))])
@both_versions
def test_a_ticket_that_no_hello_can_carry_is_not_offered(
    world: World, size: int, protocols: tuple[bytes, ...], version: int
) -> None:
    client = world.client(versions=(version,), alpn_protocols=protocols)
    session = evolve(world.session(world.server(versions=(version,)), client=client), ticket=bytes(size))
    pair = world.connect(world.server(versions=(version,)), session, client=client)
    assert not resumed(pair)
    fits = size + 500 + sum(map(len, protocols)) < 65_536
    failed = failed_checks(pair, side="client")
    assert failed == [] if fits else failed in ([], ["size"])
    if size == 65_535 or protocols:
        assert failed == ["size"]


@pytest.mark.parametrize("early", [0, 1000])
def test_the_longest_ticket_that_has_room(world: World, early: int) -> None:
    """To the byte, with the longest binder, and the extension for early data."""
    client = world.client(cipher_suites=(CipherSuite.AES_256_GCM_SHA384,), early_data=bool(early))
    session = evolve(world.session(world.server(), client=client), max_early_data=early)

    def hello(size: int) -> ClientHello:
        return HostileServer(ClientConnection(client, NAME, evolve(session, ticket=bytes(size)))).hello

    size = 1000 + room_in(hello(1000).extensions)
    assert (hello(size).find(EarlyData) is not None) == bool(early)
    assert room_in(hello(size).extensions) == 0
    assert hello(size + 1).find(PreSharedKeyOffer) is None


@pytest.mark.parametrize("size", [100, 1000, 3500, 4096, 5000])
@pytest.mark.parametrize("number", [1, 7, 20, 200])
def test_many_tickets_beside_the_longest_list_of_protocols(world: World, size: int, number: int) -> None:
    protocols = tuple(index.to_bytes(2) + bytes(253) for index in range(127))
    client = world.client(alpn_protocols=protocols)
    session = world.session(world.server(), client=client)
    sessions = [evolve(session, ticket=index.to_bytes(2) + bytes(size - 2)) for index in range(number)]
    pair = world.connect(world.server(), sessions, client=client)
    said = record(pair, "client").identities
    offered = [one for one in said if one.passed]
    assert offered
    assert all([check.name for check in one.checks if not check.passed] in ([], ["size"]) for one in said)
    if number * (size + 55) < 28_000:
        assert len(offered) == number


def test_a_retry_leaves_room_for_less(world: World) -> None:
    """A cookie comes: what does not fit beside it any more is left out, and the record says so."""
    client = world.client()
    base = world.session(world.server(), client=client)
    sessions = [base, *(evolve(base, ticket=bytes((number,)) * 20_000) for number in range(1, 4))]
    server = HostileServer(ClientConnection(client, NAME, sessions), {})
    server.retry(None, (Cookie(b"c" * 30_000),)).complete().assert_alive()
    completed = next(event for event in server.events if isinstance(event, HandshakeCompleted))
    failed = [[check.name for check in one.checks if not check.passed] for one in completed.record.identities]
    assert failed == [[], [], ["size"], ["size"]]
    assert "in the second hello" in str(completed.record)


@pytest.mark.parametrize(("more", "left"), [(0, 2), (1, 1)])
def test_a_retry_leaves_room_to_the_byte(world: World, more: int, left: int) -> None:
    """A second hello may be as long as extensions can be together, and no longer."""
    client = world.client(cipher_suites=(CipherSuite.AES_256_GCM_SHA384,))
    session = world.session(world.server(), client=client)
    sessions = [session, evolve(session, ticket=bytes(1000))]
    server = HostileServer(
        ClientConnection(client, NAME, sessions), suite=CipherSuite.AES_256_GCM_SHA384, session=session
    )
    server.retry(None, (Cookie(bytes(room_in(server.hello.extensions) - 6 + more)),))
    offer = server.hello.find(PreSharedKeyOffer)
    assert offer is not None
    assert len(offer.identities) == left
    assert (room_in(server.hello.extensions) == 0) == (left == 2)
    server.complete().assert_alive()


@pytest.mark.parametrize(
    ("size", "groups"),
    [
        (65_400, (NamedGroup.X25519,)),
        (65_520, (NamedGroup.X25519,)),
        pytest.param(64_500, (NamedGroup.X25519_MLKEM768, NamedGroup.X25519), marks=needs(ML_KEM)),
    ],
)
def test_a_cookie_that_no_hello_has_room_for(world: World, size: int, groups: tuple[int, ...]) -> None:
    client = world.client(groups=groups)
    offered = ClientConnection(client, NAME, world.session(world.server()))
    HostileServer(offered, {}).retry(None, (Cookie(b"c" * size),)).assert_refused(Reason.ILLEGAL_VALUE)


def test_the_longest_cookie_that_has_room(world: World) -> None:
    client = world.client()
    server = HostileServer(ClientConnection(client, NAME, world.session(world.server())), {})
    room = room_in(server.hello.extensions) + len(server.hello.extensions[-1].written()) - 6
    server.retry(None, (Cookie(b"c" * room),)).complete().assert_alive()
    completed = next(event for event in server.events if isinstance(event, HandshakeCompleted))
    assert [check.name for check in completed.record.identities[0].checks if not check.passed] == ["size"]


def test_a_retry_with_another_hash(world: World) -> None:
    suites = (CipherSuite.AES_128_GCM_SHA256, CipherSuite.AES_256_GCM_SHA384)
    client = world.client(cipher_suites=suites)
    session = world.session(world.server(cipher_suites=suites[:1]), client=client)
    config = world.server(cipher_suites=suites[1:], groups=world.client().groups[1:])
    pair = world.connect(config, session, client=evolve(client, key_shares=()))
    assert not resumed(pair)
    assert failed_checks(pair, side="client") == ["hash"]
    assert "the retry settled sha384" in str(record(pair, "client"))


def test_a_ticket_is_offered_once(world: World) -> None:
    """However often it is given: so that the place that the server names means one session, and early data with any
    place but the first is refused (RFC 9846 section 4.3.10)."""
    client = world.client()
    first, second = world.session(world.server(), client=client), world.session(world.server(), client=client)
    given = [first, first, evolve(first, lifetime=60), second, second]
    server = HostileServer(ClientConnection(client, NAME, given), session=second, selected=1)
    server.complete().assert_alive()
    completed = next(event for event in server.events if isinstance(event, HandshakeCompleted))
    failed = [[check.name for check in one.checks if not check.passed] for one in completed.record.identities]
    assert failed == [[], ["place"], ["place"], [], ["place"]]
    assert completed.record.winner == 3
    assert completed.session is second
    assert "its ticket is offered already" in str(completed.record)


@refused(Reason.BAD_PSK_SELECTION)
def test_the_place_of_a_ticket_that_was_given_twice(world: World) -> HostileServer:
    client = world.client()
    session = world.session(world.server(), client=client)
    offered = ClientConnection(client, NAME, [session, session])
    return HostileServer(offered, session=session, selected=1).serve()


# --- the end of the connection they came with ---------------------------------------------------------------------


@both_versions
@pytest.mark.parametrize("closes", [False, True])
def test_a_clean_end_takes_no_session(world: World, version: int, closes: bool) -> None:
    """close_notify and then the end of the stream, whether we said goodbye too or not (libssl drops it if not)."""
    cache = SessionCache()
    config = world.server(versions=(version,), ticket_keys=None, session_cache=cache)
    client = world.client(versions=(version,), session_store=ClientSessionStore())
    ends: tuple[tuple[Side, Side], ...] = (("client", "server"), ("server", "client"))
    for side, other in ends:
        pair = world.connect(config, client=client)
        store = client.session_store
        assert store is not None
        before = (len(cache), len(store))
        pair.send(side, Close())
        if closes:
            pair.send(other, Close())
        pair.deliver(other, b"")
        pair.deliver(side, b"")
        assert (len(cache), len(store)) == before
