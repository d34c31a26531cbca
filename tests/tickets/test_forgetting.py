"""How long a ticket key matters, and what it gives to whoever takes it: the tables of docs/secrets.md."""

from __future__ import annotations

import hashlib
from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansticket import (
    NATIVE,
    ConfigError,
    NamedGroup,
    OpenSSLTicketKey,
    OpenSSLTicketKeys,
    ProtocolVersion,
    SendData,
    Session,
    TicketKey,
    TicketKeyRing,
    TicketReceived,
    WindowedTicketKeys,
)
from sansticket.crypto.suites import SUITES
from sansticket.debug.explain import ApplicationData, explain
from sansticket.debug.key_log import KeyLog
from sansticket.keys.tls13 import EarlySecret, traffic_keys
from sansticket.record.tls13 import Opener
from sansticket.tickets.keys.programs.key import MAX_TIME
from tests.support.configs import client_config, server_config
from tests.support.early_data import World as EarlyWorld
from tests.support.pair import ConnectionPair
from tests.support.resumption import records_of, resumed
from tests.support.sessions import NOW, repeatable_entropy

ENTROPY = repeatable_entropy(7)


def key(created_at: float) -> TicketKey:
    return TicketKey.generate(created_at, ENTROPY)


# --- until when ----------------------------------------------------------------------------------------------------


def test_a_ring_that_rotates() -> None:
    ring = TicketKeyRing.generate(NOW, ENTROPY, rotate_after=3600, retire_after=10_800)
    first = ring.current.name
    assert ring.opens_until(NOW) == {first: NOW + 10_800}
    ring.seal(b"", NOW + 3600, ENTROPY)
    second = ring.current.name
    assert ring.opens_until(NOW + 3600) == {second: NOW + 14_400, first: NOW + 10_800}
    assert ring.opens_until(NOW + 10_800) == {second: NOW + 14_400}
    assert ring.opens_until(NOW + 14_400) == {}


def test_a_ring_that_is_rotated_by_hand() -> None:
    """The current key does not retire; without ``retire_after`` none does."""
    old, current = key(NOW), key(NOW + 100)
    ring = TicketKeyRing([current, old], retire_after=1000)
    assert ring.opens_until(NOW) == {current.name: inf, old.name: NOW + 1000}
    assert ring.opens_until(NOW + 9999) == {current.name: inf}
    assert TicketKeyRing([current, old]).opens_until(NOW + 9999) == {current.name: inf, old.name: inf}


@given(st.integers(0, 20_000), st.booleans())
def test_a_ring_opens_until_then(now: int, rotates: bool) -> None:
    keys = [key(NOW + 3000), key(NOW), key(NOW + 7000)]
    make: dict[str, Any] = {"rotate_after": 3600, "retire_after": 9000} if rotates else {"retire_after": 9000}
    tickets = {one.name: one.seal(b"", ENTROPY) for one in keys}
    until = TicketKeyRing(keys, **make).opens_until(NOW + now)
    for name, ticket in tickets.items():
        assert (name in until) == (TicketKeyRing(keys, **make).open(ticket, NOW + now).plaintext is not None)
        if until.get(name, inf) < inf:
            assert TicketKeyRing(keys, **make).open(ticket, until[name] - 0.001).plaintext is not None
            assert TicketKeyRing(keys, **make).open(ticket, until[name]).plaintext is None


@given(st.integers(0, 100_000), st.integers(0, 9000), st.integers(0, 600), st.booleans())
def test_windows_open_until_then(now: int, accept_for: int, skew: int, two: bool) -> None:
    roots = (b"o" * 32,) if two else ()
    keys = WindowedTicketKeys(b"r" * 32, 3600, accept_for=accept_for, clock_skew=skew, also_open=roots)
    until = keys.opens_until(now)
    assert keys.current(now).name in until
    for name, end in until.items():
        assert now < end
        assert name in keys.opens_until(end - 1)
        assert name not in keys.opens_until(end)


def test_keys_of_openssl_with_a_time_and_without() -> None:
    parts = (b"a" * 32, b"h" * 32)
    dated = OpenSSLTicketKey(b"d" * 16, *parts, not_before=100, not_after=200)
    always = OpenSSLTicketKey(b"n" * 16, *parts)
    keys = OpenSSLTicketKeys([dated, always])
    assert keys.opens_until(50) == {b"d" * 16: 201, b"n" * 16: inf}
    ticket = dated.seal(b"", ENTROPY)
    assert b"d" * 16 in keys.opens_until(200.9)
    assert keys.open(ticket, 200.9).plaintext == b""
    assert keys.opens_until(201) == {b"n" * 16: inf}
    assert keys.open(ticket, 201).plaintext is None
    assert always.not_after == MAX_TIME


# --- what it gives -------------------------------------------------------------------------------------------------


def recorded(version: int, keys: Any, session: Session | None = None) -> ConnectionPair:
    """A connection that somebody has listened to, with a secret word in it."""
    changes: dict[str, Any] = {"versions": (version,), "groups": (NamedGroup.X25519, NamedGroup.SECP256R1)}
    log: list[str] = []
    client = client_config(key_log=log.append, **changes)
    pair = ConnectionPair(client, server_config(ticket_keys=keys, **changes), session=session)
    pair.pump()
    pair.send("client", SendData(b"the secret word"))
    assert read_with(pair, *((line.split()[0], bytes.fromhex(line.split()[2])) for line in log))
    return pair


def stolen(ring: TicketKeyRing, pair: ConnectionPair) -> Session:
    """What the client's ticket holds, for whoever has the ring."""
    ticket = pair.events("client", TicketReceived)[0].session.ticket
    plaintext = ring.open(ticket, NOW).plaintext
    assert plaintext is not None
    return NATIVE.decode(plaintext, NOW)


def read_with(pair: ConnectionPair, *secrets: tuple[str, bytes]) -> bool:
    """Whether the secret word is read by who knows these."""
    hello = pair.wire[0][1]
    random = hello[11:43].hex()
    log = KeyLog("".join(f"{label} {random} {secret.hex()}\n" for label, secret in secrets))
    contents = [content for record in explain(pair.wire, log) for content in record.contents]
    return any(
        b"the secret word" in content.data for content in contents if isinstance(content, ApplicationData)
    )


def test_in_tls12_a_ticket_is_the_connection() -> None:
    """The full handshake, key exchange and all, and every resumption have one master secret, which is in the ticket."""
    ring = TicketKeyRing.generate(NOW, ENTROPY)
    first = recorded(ProtocolVersion.TLS_1_2, ring)
    again = recorded(ProtocolVersion.TLS_1_2, ring, first.events("client", TicketReceived)[0].session)
    assert resumed(again)
    master = stolen(ring, first).secret
    assert read_with(first, ("CLIENT_RANDOM", master))
    assert read_with(again, ("CLIENT_RANDOM", master))


def test_in_tls13_a_ticket_reads_no_connection() -> None:
    """Neither the one that it came from, nor the one that it resumes: each has a key exchange of its own."""
    ring = TicketKeyRing.generate(NOW, ENTROPY)
    first = recorded(ProtocolVersion.TLS_1_3, ring)
    session = first.events("client", TicketReceived)[0].session
    again = recorded(ProtocolVersion.TLS_1_3, ring, session)
    assert resumed(again)
    psk = stolen(ring, first).secret
    assert psk == session.secret
    labels = ("CLIENT_HANDSHAKE_TRAFFIC_SECRET", "CLIENT_TRAFFIC_SECRET_0", "SERVER_TRAFFIC_SECRET_0")
    for pair in (first, again):
        assert not read_with(pair, *((label, psk) for label in labels))


def test_in_tls13_a_ticket_reads_its_early_data() -> None:
    world = EarlyWorld()
    server = world.server_config()
    session = world.session(server)
    flight = world.pair(session, server=server, early=b"the secret word").client.data_to_send()
    plaintext = world.keys.open(session.ticket, world.now).plaintext
    assert plaintext is not None
    theirs = NATIVE.decode(plaintext, world.now)
    suite = SUITES[theirs.cipher_suite]
    records = records_of(flight)
    hello = records[0][5:]
    early = EarlySecret.from_psk(suite.hash_name, theirs.secret)
    secret = early.client_early_traffic(hashlib.new(suite.hash_name, hello).digest())
    opener = Opener(suite, traffic_keys(suite, secret))
    assert b"the secret word" in opener.open(records[-1][:5], records[-1][5:])[1]


def test_a_dropped_key_gives_nothing_and_a_root_secret_everything() -> None:
    ring = TicketKeyRing.generate(NOW, ENTROPY, rotate_after=3600, retire_after=7200)
    old = ring.current.name
    ring.seal(b"", NOW + 3600, ENTROPY)
    assert ring.flush(NOW + 7200, ENTROPY) == 1
    assert old not in {one.name for one in ring.keys}

    root = b"r" * 32
    years_ago = WindowedTicketKeys(root).seal(b"a session", NOW - 1e8, ENTROPY)
    in_years = WindowedTicketKeys(root).seal(b"a session", NOW + 1e8, ENTROPY)
    thief = WindowedTicketKeys(root)
    assert thief.open(years_ago, NOW).plaintext is None
    assert thief.open(years_ago, NOW - 1e8).plaintext == b"a session"
    assert thief.open(in_years, NOW + 1e8).plaintext == b"a session"


def test_the_current_key_of_a_ring_cannot_be_forgotten() -> None:
    ring = TicketKeyRing.generate(NOW, ENTROPY)
    with pytest.raises(ConfigError, match="rotate first"):
        ring.retire(ring.current.name)
