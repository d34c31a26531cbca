"""Whatever a peer sends, twice as much of it is twice the work and no more; and what is kept of it is bounded.

Work is counted (``support.work``), since times say little on a machine that others use too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pytest
from attrs import evolve

from sansticket.codes import NamedGroup
from sansticket.commands import FlushTickets, IssueTicket, SealTicket
from sansticket.config.server import ServerConfig
from sansticket.connection.server import CacheKeeper
from sansticket.events import PrepareTicket
from sansticket.handshake.server.tls13.negotiation import check_shares
from sansticket.tickets.stores.cache import SessionCache
from sansticket.wire.extensions.base import UnknownExtension
from sansticket.wire.extensions.certificate import CertificateAuthorities
from sansticket.wire.extensions.key_exchange import KeyShareEntry, KeyShareOffer, SupportedGroups
from sansticket.wire.extensions.negotiation import ApplicationProtocols, SignatureAlgorithms
from sansticket.wire.extensions.resumption import PreSharedKeyOffer, PskIdentity
from sansticket.wire.messages.hello import ClientHello
from sansticket.wire.messages.tls13 import (
    Certificate,
    CertificateEntry,
    EncryptedExtensions,
    KeyUpdate,
    NewSessionTicket,
)
from tests.support.credentials import client_credential
from tests.support.hostile import (
    APPLICATION_DATA,
    HANDSHAKE,
    HostilePeer,
    held_bytes,
    plain_record,
    raw_message,
)
from tests.support.hostile_client import HostileClient, quick_server
from tests.support.hostile_server import HostileServer, certificate_request, quick_client, with_extensions
from tests.support.work import Counting, steps

Attack = Callable[[int], tuple[HostilePeer, Sequence[bytes]]]
"""From a size to a peer, and what it sends, piece by piece."""

MANY = {"max_handshake_message": 0xFFFFFF}


def records(peer: HostilePeer, message: bytes, size: int = 2**14) -> list[bytes]:
    """The message in records of so many bytes."""
    return [peer.record(HANDSHAKE, message[at : at + size]) for at in range(0, len(message), size)]


def drip(pieces: Sequence[bytes]) -> list[bytes]:
    return [bytes((byte,)) for piece in pieces for byte in piece]


# --- streams -----------------------------------------------------------------------------------------------------


def fragments(number: int) -> tuple[HostilePeer, Sequence[bytes]]:
    """A hello that is announced as 16 MB, in records of one byte."""
    client = HostileClient(quick_server(**MANY))
    return client, records(client, raw_message(1, bytes(0xFFFFF0))[:number], 1)


def protected_fragments(number: int) -> tuple[HostilePeer, Sequence[bytes]]:
    server = HostileServer(quick_client(**MANY)).say_hello()
    return server, records(server, raw_message(8, bytes(0xFFFFF0))[:number], 1)


def dripping_record(number: int) -> tuple[HostilePeer, Sequence[bytes]]:
    client = HostileClient()
    return client, drip([plain_record(HANDSHAKE, raw_message(1, bytes(2**14)))[:number]])


def dripping_protected_record(number: int) -> tuple[HostilePeer, Sequence[bytes]]:
    client = HostileClient().complete()
    return client, drip([client.record(APPLICATION_DATA, bytes(2**14))[:number]])


def dripping_fragments(number: int) -> tuple[HostilePeer, Sequence[bytes]]:
    peer, pieces = fragments(number // 6)
    return peer, drip(pieces)


def small_data(number: int) -> tuple[HostilePeer, Sequence[bytes]]:
    client = HostileClient().complete()
    return client, [client.record(APPLICATION_DATA, b"x") for _ in range(number)]


def small_data_at_once(number: int) -> tuple[HostilePeer, Sequence[bytes]]:
    peer, pieces = small_data(number)
    return peer, [b"".join(pieces)]


def small_data_in_odd_pieces(number: int) -> tuple[HostilePeer, Sequence[bytes]]:
    stream = b"".join((made := small_data(number))[1])
    return made[0], [stream[at : at + 7] for at in range(0, len(stream), 7)]


def empty_data(number: int) -> tuple[HostilePeer, Sequence[bytes]]:
    """As many empty records as may be between two that are not."""
    client = HostileClient().complete()
    return client, [client.record(APPLICATION_DATA, b"" if turn % 32 else b"x") for turn in range(number)]


def tickets(number: int) -> tuple[HostilePeer, Sequence[bytes]]:
    server = HostileServer().complete()
    ticket = NewSessionTicket(100, 1, b"nonce", b"ticket").encode()
    return server, [server.record(HANDSHAKE, ticket * number)]


def key_updates(number: int) -> tuple[HostilePeer, Sequence[bytes]]:
    server = HostileServer().complete()
    pieces = []
    for _ in range(number):
        pieces.append(server.record(HANDSHAKE, KeyUpdate(1).encode()))
        server.update_keys()
        pieces.append(server.record(APPLICATION_DATA, b"x"))
    return server, pieces


# --- long lists --------------------------------------------------------------------------------------------------


def hello(
    edit: Callable[[ClientHello], ClientHello], config: ServerConfig | None = None
) -> tuple[HostilePeer, Sequence[bytes]]:
    client = HostileClient(config)
    return client, records(client, edit(client.hello()).encode())


def unknown_extensions(number: int) -> tuple[HostilePeer, Sequence[bytes]]:
    many = tuple(UnknownExtension(0x4000 + one, b"") for one in range(number))
    return hello(lambda honest: evolve(honest, extensions=(*honest.extensions, *many)))


def suites(number: int) -> tuple[HostilePeer, Sequence[bytes]]:
    return hello(lambda honest: evolve(honest, cipher_suites=(*range(0x4000, 0x4000 + number), 0x1301)))


def signature_schemes(number: int) -> tuple[HostilePeer, Sequence[bytes]]:
    many = SignatureAlgorithms((*range(0x4000, 0x4000 + number), 0x0403))
    return hello(lambda honest: with_extensions(honest, many))


def protocols(number: int) -> tuple[HostilePeer, Sequence[bytes]]:
    many = ApplicationProtocols((*(b"%04x" % one for one in range(number)), b"h2"))
    return hello(lambda honest: with_extensions(honest, many), quick_server(alpn_protocols=[b"h2"]))


def key_shares(number: int) -> tuple[HostilePeer, Sequence[bytes]]:
    groups = SupportedGroups((*range(0x4000, 0x4000 + 2 * number), NamedGroup.X25519))
    shares = KeyShareOffer(tuple(KeyShareEntry(0x4000 + number + one, b"x") for one in range(number)))
    return hello(lambda honest: with_extensions(honest, groups, shares))


def identities(number: int) -> tuple[HostilePeer, Sequence[bytes]]:
    offer = PreSharedKeyOffer((PskIdentity(b"nobody's", 0),) * number, (bytes(32),) * number)
    return hello(lambda honest: evolve(honest, extensions=(*honest.extensions, offer)))


def certificates(number: int) -> tuple[HostilePeer, Sequence[bytes]]:
    server = HostileServer(quick_client(**MANY)).say_hello().say_extensions()
    return server, records(server, Certificate(b"", (CertificateEntry(b"x"),) * number).encode())


def authorities(number: int) -> tuple[HostilePeer, Sequence[bytes]]:
    server = HostileServer(quick_client(credentials=[client_credential()] * 5)).say_hello()
    server.say(EncryptedExtensions(()))
    many = CertificateAuthorities(tuple(b"%08x" % one for one in range(number)))
    return server, records(server, certificate_request(many).encode())


ATTACKS: list[tuple[Attack, int]] = [
    (fragments, 400),
    (protected_fragments, 400),
    (dripping_record, 1000),
    (dripping_protected_record, 1000),
    (dripping_fragments, 1200),
    (small_data, 300),
    (small_data_at_once, 300),
    (small_data_in_odd_pieces, 300),
    (empty_data, 320),
    (tickets, 50),
    (key_updates, 50),
    (unknown_extensions, 1000),
    (suites, 5000),
    (signature_schemes, 5000),
    (protocols, 1500),
    (key_shares, 1500),
    (identities, 300),
    (certificates, 300),
    (authorities, 1000),
]


@pytest.mark.parametrize(("attack", "number"), ATTACKS, ids=[attack.__name__ for attack, _ in ATTACKS])
def test_work_grows_with_what_was_sent(attack: Attack, number: int) -> None:
    deliver(*attack(number))  # the interpreter counts the steps of a function from its second call on
    work = [deliver(*attack(size)) for size in (number, 2 * number, 4 * number)]
    assert 100 < work[0] <= work[1] <= work[2]
    first, second = work[1] - work[0], work[2] - work[1]
    assert second <= 2.1 * first + 100, work


def deliver(peer: HostilePeer, pieces: Sequence[bytes]) -> int:
    """The steps that the victim takes; it keeps no more than it was sent."""

    def action() -> None:
        for piece in pieces:
            peer.victim.receive_data(piece)

    taken = steps(action)
    assert held_bytes(peer.victim) <= sum(map(len, pieces))
    return taken


def test_steps_are_counted() -> None:
    """The counter would see work that grows with the square."""

    def quadratic(number: int) -> Iterator[int]:
        for one in range(number):
            yield from range(one)

    assert steps(lambda: list(quadratic(10))) == 0, "not the package's"
    shares = KeyShareOffer((KeyShareEntry(1, b"x"),) * 100)
    few, many = [
        steps(lambda offer=offer: check_shares(SupportedGroups((1,)), offer))
        for offer in (KeyShareOffer(()), KeyShareOffer(()), shares)
    ][1:]
    assert many > few + 100


@pytest.mark.parametrize("number", [1000, 2000])
def test_shares_are_found_without_a_search(number: int) -> None:
    """What ``in`` does is no step of the interpreter's, so here comparisons are counted."""
    Counting.comparisons = 0
    groups = SupportedGroups(tuple(map(Counting, range(2 * number))))
    check_shares(
        groups, KeyShareOffer(tuple(KeyShareEntry(2 * number - 1 - one, b"x") for one in range(number)))
    )
    assert Counting.comparisons <= 4 * number


def test_what_comes_in_small_pieces_is_collected_in_place() -> None:
    """A ``bytes`` object that grew byte by byte would be copied each time, and no step would show it."""
    client = HostileClient(quick_server(**MANY))
    record = plain_record(HANDSHAKE, raw_message(1, bytes(2**14))[: 2**14])
    for byte in record[:-1]:
        client.victim.receive_data(bytes((byte,)))
        if client.victim._engine.reader.buffered > 2:
            assert type(client.victim._engine.reader.buffer) is bytearray
    client.victim.receive_data(record[-1:])
    assert type(client.victim._engine.held) is bytearray
    assert len(client.victim._engine.held) == 2**14


def test_a_batch_of_tickets_is_collected_in_place() -> None:
    """They are written together (40,000 of them took a minute when each was added to a new ``bytes`` object)."""
    collected: list[bytearray] = []

    def prepare(question: PrepareTicket) -> SealTicket:
        collected.append(server._engine.outbound.messages)
        return SealTicket()

    server = HostileClient(quick_server(num_tickets=0, answers={PrepareTicket: prepare})).complete().victim
    server.send(IssueTicket(5))
    server.send(FlushTickets())
    assert server._engine.outbound.messages == b""
    assert len(collected) == 5
    assert {id(one) for one in collected} == {id(collected[0])}


def test_sessions_of_a_connection_are_collected_in_place() -> None:
    """A connection knows which sessions it has put into the cache (40,000 took three times as long as the tickets)."""
    cache = SessionCache()
    config = quick_server(num_tickets=0, ticket_keys=None, session_cache=cache)
    server = HostileClient(config).complete().victim
    keeper = server._engine.sessions
    assert isinstance(keeper, CacheKeeper)
    before = keeper._kept
    server.send(IssueTicket(5))
    server.send(FlushTickets())
    assert len(cache) == len(before) == 5
    assert keeper._kept is before


def test_forks_collect_sessions_apart() -> None:
    cache = SessionCache()
    config = quick_server(num_tickets=1, ticket_keys=None, session_cache=cache)
    server = HostileClient(config).complete().victim
    fork = server.fork()
    fork.send(IssueTicket())
    fork.send(FlushTickets())
    assert len(cache) == 2
    server.receive_data(b"no TLS")
    assert len(cache) == 1, "the session of the fork"
