"""A ticket that was changed in any way: NO_DECRYPT, a full handshake, new tickets, and no exception."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansticket.commands import ProvideSession
from sansticket.config.server import ServerConfig
from sansticket.connection.client import ClientConnection
from sansticket.connection.server import ServerConnection
from sansticket.errors import Reason
from sansticket.events import DecideTicket, Event, LookUpSession, TicketIssued
from sansticket.tickets.decision import TicketStatus
from sansticket.tickets.keys.windowed import WindowedTicketKeys
from sansticket.tickets.records import Check
from sansticket.tickets.session import Session
from sansticket.tickets.stores.cache import SessionCache
from tests.support.configs import answering
from tests.support.hostile_client import HostileClient
from tests.support.resumption import World, altered, checks, outcome, received, record, resumed


def flips(ticket: bytes) -> Iterator[bytes]:
    """Every bit."""
    for place in range(8 * len(ticket)):
        changed = bytearray(ticket)
        changed[place // 8] ^= 1 << place % 8
        yield bytes(changed)


def cuts(ticket: bytes) -> Iterator[bytes]:
    """Every beginning and every end; an empty ticket cannot be shown in TLS 1.3."""
    for length in range(1, len(ticket)):
        yield ticket[:length]
        yield ticket[-length:]


def extensions(ticket: bytes) -> Iterator[bytes]:
    """More at the beginning, at the end, or in between."""
    for more in (b"\0", b"\xff", bytes(16), ticket[-1:], ticket):
        for place in (0, 16, 40, len(ticket) - 16, len(ticket)):
            yield ticket[:place] + more + ticket[place:]


def ring(world: World) -> ServerConfig:
    return world.server()


def windows(world: World) -> ServerConfig:
    return world.server(ticket_keys=WindowedTicketKeys(bytes(range(32))))


def ids(world: World) -> ServerConfig:
    return world.stateful()


@pytest.mark.parametrize("change", [flips, cuts, extensions])
@pytest.mark.parametrize("kind", [ring, windows, ids])
def test_every_change(
    world: World, kind: Callable[[World], ServerConfig], change: Callable[[bytes], Iterator[bytes]]
) -> None:
    config = kind(world)
    session = world.session(config)
    assert resumed(world.connect(config, session))
    changed = [ticket for ticket in change(session.ticket) if ticket != session.ticket]
    assert len(changed) > 20
    for number, ticket in enumerate(changed):
        if number % 16:
            assert_full_handshake_begins(world, config, altered(session, ticket))
            continue
        pair = world.connect(config, altered(session, ticket))
        assert outcome(pair) == (False, 2)
        (identity,) = record(pair).identities
        assert identity.status is TicketStatus.NO_DECRYPT
        assert identity.key_name == (b"" if kind is ids else ticket[:16])
    assert resumed(world.connect(config, session)), "the honest one is none the worse"


def assert_full_handshake_begins(world: World, config: ServerConfig, session: Session) -> None:
    """As far as the server's flight, which has a certificate in it."""
    server = ServerConnection(config)
    client = ClientConnection(world.client(), "server.example", session)
    assert server.receive_data(client.data_to_send()) == []
    assert server.state == "tls13.WaitClientFinished"
    assert len(server.data_to_send()) > 500


WORLD = World()
CONFIGS = {"stateless": WORLD.server(), "stateful": WORLD.stateful()}


@given(st.sampled_from(sorted(CONFIGS)), st.binary(min_size=1, max_size=300))
def test_any_bytes(kind: str, ticket: bytes) -> None:
    config = CONFIGS[kind]
    pair = WORLD.connect(config, altered(WORLD.session(config), ticket))
    assert outcome(pair) == (False, 2)
    assert record(pair).identities[0].status is TicketStatus.NO_DECRYPT


def test_what_opens_but_is_no_session(world: World) -> None:
    """Sealed by our own key: another format, another version, or something else altogether."""
    config = world.server()
    keys = config.ticket_keys
    assert keys is not None
    pair = world.connect(config)
    honest = pair.events("server", TicketIssued)[0].session.to_bytes()
    session = received(pair)[0]
    for plaintext in (b"", b"x", honest[:-1], honest + b"\0", b"\2" + honest[1:], bytes(200)):
        ticket = keys.seal(plaintext, world.clock(), config.entropy)
        again = world.connect(config, altered(session, ticket))
        assert outcome(again) == (False, 2)
        assert record(again).identities[0].status is TicketStatus.NO_DECRYPT


def test_an_empty_ticket_is_refused(world: World) -> None:
    """TLS 1.3 does not know them (RFC 9846 section 4.3.11: an identity has at least one byte)."""
    session = altered(world.session(world.server()), b"")
    HostileClient(world.server(), sessions=(session,)).begin().assert_refused(Reason.MALFORMED_MESSAGE)


@pytest.mark.parametrize("length", [1, 31, 32, 33, 1000])
def test_an_id_has_32_bytes_at_most_and_what_is_longer_is_not_looked_for(world: World, length: int) -> None:
    """Stores get as keys what a session id can be, and nothing else of a peer's making (RFC 5246 section 7.4.1.2)."""
    asked: list[Event] = []

    def look_up(question: LookUpSession) -> ProvideSession:
        asked.append(question)
        return ProvideSession(None)

    config = answering(world.stateful(answers={LookUpSession: look_up}), {DecideTicket: asked.append})
    session = altered(world.session(world.stateful()), bytes(length))
    pair = world.connect(config, session)
    assert outcome(pair) == (False, 2)
    looked_for = [LookUpSession(bytes(length), 0x0304)] if length <= 32 else []
    assert asked == looked_for, "and nobody is asked to decide"
    (check,) = checks(pair)
    no_id = f"{length} bytes are no id, which has at most 32"
    assert check == Check("found", False, "no session of this id" if looked_for else no_id)
    assert hooked(world, session) == looked_for


def hooked(world: World, session: Session) -> list[LookUpSession]:
    """What the ``on_get`` hook of a cache is asked."""
    asked: list[bytes] = []
    world.connect(world.stateful(session_cache=SessionCache(on_get=asked.append)), session)
    return [LookUpSession(session_id, 0x0304) for session_id in asked]
