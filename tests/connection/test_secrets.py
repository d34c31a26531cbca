"""Where secrets are when a connection has ended: nowhere (docs/secrets.md)."""

from __future__ import annotations

import gc
import pickle
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa, x448, x25519

from sansticket import (
    ClientSessionStore,
    Close,
    ConnectionTerminated,
    IssueTicket,
    PeerClosed,
    ProtocolVersion,
    SendData,
    SessionCache,
    TicketIssued,
    TicketReceived,
    UpdateKeys,
)
from sansticket.connection.connection import Connection
from sansticket.connection.engine import Engine
from sansticket.crypto.groups import KeyExchange
from sansticket.crypto.suites import TrafficKeys
from sansticket.errors import LocalProtocolError
from sansticket.record.protection import Direction
from tests.support.configs import client_config, server_config
from tests.support.credentials import anchors, client_credential
from tests.support.pair import ConnectionPair

V: Final = ProtocolVersion
PLAINTEXT: Final = b"what nobody is to find afterwards"
PRIVATE_KEYS: Final = (
    ec.EllipticCurvePrivateKey,
    rsa.RSAPrivateKey,
    x25519.X25519PrivateKey,
    x448.X448PrivateKey,
)
KEYS: Final = (Direction, TrafficKeys, KeyExchange, *PRIVATE_KEYS)


class Lines:
    """A key log."""

    def __init__(self) -> None:
        self.secrets: set[bytes] = set()

    def __call__(self, line: str) -> None:
        self.secrets.add(bytes.fromhex(line.split()[2]))


class Life:
    """A pair of connections that have lived, with all that they must forget."""

    def __init__(self, version: ProtocolVersion, *, resumed: bool, stateful: bool = False) -> None:
        log, store = Lines(), ClientSessionStore()
        cache = SessionCache() if stateful else None
        server = server_config(
            versions=[version],
            key_log=log,
            trust_anchors=anchors(),
            session_cache=cache,
            **({"ticket_keys": None} if stateful else {}),
            tickets_in_tls12=resumed,  # where there are tickets the master secret is theirs
        )
        client = client_config(
            versions=[version], key_log=log, session_store=store, credentials=[client_credential()]
        )
        if resumed:
            first = ConnectionPair(client, server)
            first.pump()
        self.pair = pair = ConnectionPair(client, server)
        pair.pump()
        assert pair.client.resumed == resumed
        self.secrets: set[bytes] = set(log.secrets)
        for side in (pair.client, pair.server):
            state: Any = side._engine.state
            self.secrets |= {
                getattr(state, name)
                for name in ("reading_secret", "writing_secret", "resumption_secret")
                if hasattr(state, name)
            }
            exporter: Any = side._engine.established.exporter  # type: ignore[union-attr]
            if version == V.TLS_1_3:
                self.secrets.add(exporter.secret)
        for sender in ("client", "server"):
            pair.send(sender, SendData(PLAINTEXT))
            if version == V.TLS_1_3:
                pair.send(sender, UpdateKeys(request_peer=True))
                self.secrets.add(
                    (pair.client if sender == "client" else pair.server)._engine.state.writing_secret
                )
        self.kept = {
            event.session.secret
            for event in (*pair.client_events, *pair.server_events)
            if isinstance(event, TicketIssued | TicketReceived)
        }
        if pair.client.session is not None:
            self.kept.add(pair.client.session.secret)
        self.secrets -= self.kept
        assert len(self.secrets) >= 8 or (version == V.TLS_1_2 and (self.secrets or resumed))


def reached(root: object, apart_from: set[int]) -> Iterator[object]:
    """Everything that an object holds, as the interpreter sees it, but for code and for ``apart_from``."""
    seen, waiting = set(apart_from), [root]
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, type | ModuleType):
            continue
        seen.add(id(one))
        yield one
        if not callable(one) or hasattr(one, "__self__"):
            waiting += gc.get_referents(one)


def held_by(connection: Connection) -> tuple[list[object], set[int]]:
    of_the_config = {id(one) for one in reached(connection._engine.config, set())}
    return list(reached(connection, of_the_config)), of_the_config


def secrets_in(connection: Connection, life: Life) -> list[str]:
    """What must not be there, by kind."""
    found = []
    for one in held_by(connection)[0]:
        if isinstance(one, KEYS):
            found.append(type(one).__name__)
        elif isinstance(one, bytes | bytearray | memoryview | str):
            data = one.encode() if isinstance(one, str) else bytes(one)
            if PLAINTEXT in data:
                found.append("plaintext")
            found += ["secret" for secret in life.secrets if secret and secret in data]
    return found


def both_close(life: Life) -> None:
    life.pair.send("client", Close())
    life.pair.send("server", Close())
    assert life.pair.event("server", PeerClosed)
    assert life.pair.event("client", PeerClosed)


def the_other_closes_first(life: Life) -> None:
    life.pair.send("server", Close())
    life.pair.send("client", Close())


def one_closes_and_the_streams_end(life: Life) -> None:
    life.pair.send("client", Close())
    life.pair.deliver("client", b"")
    life.pair.deliver("server", b"")
    life.pair.send("server", Close())


def the_streams_end(life: Life) -> None:
    life.pair.deliver("client", b"")
    life.pair.deliver("server", b"")


def one_fails(life: Life) -> None:
    life.pair.deliver("server", b"garbage")
    life.pair.pump()
    assert life.pair.event("client", ConnectionTerminated)


def both_fail(life: Life) -> None:
    life.pair.deliver("server", b"garbage")
    life.pair.deliver("client", b"\x17\x03\x03\0\x30" + bytes(0x30))


def tickets_are_queued_and_both_close(life: Life) -> None:
    if life.pair.server.version == V.TLS_1_3:
        life.pair.send("server", IssueTicket(), pump=False)
    both_close(life)


ENDINGS: Final[list[Callable[[Life], None]]] = [
    both_close,
    the_other_closes_first,
    one_closes_and_the_streams_end,
    the_streams_end,
    one_fails,
    both_fail,
    tickets_are_queued_and_both_close,
]
LIVES: Final = {
    "1.3": lambda: Life(V.TLS_1_3, resumed=False),
    "1.3 resumed": lambda: Life(V.TLS_1_3, resumed=True),
    "1.3 stateful": lambda: Life(V.TLS_1_3, resumed=True, stateful=True),
    "1.2": lambda: Life(V.TLS_1_2, resumed=False),
    "1.2 resumed": lambda: Life(V.TLS_1_2, resumed=True),
}


@pytest.mark.parametrize("live", LIVES.values(), ids=LIVES)
def test_the_search_finds_secrets_while_there_are_any(live: Callable[[], Life]) -> None:
    life = live()
    for side in (life.pair.client, life.pair.server):
        found = set(secrets_in(side, life))
        assert {"secret", "Sealer", "Opener"} <= found or side.version == V.TLS_1_2
        assert {"Sealer", "Opener"} <= found


@pytest.mark.parametrize("end", ENDINGS, ids=lambda end: end.__name__)
@pytest.mark.parametrize("live", LIVES.values(), ids=LIVES)
def test_nothing_is_left(live: Callable[[], Life], end: Callable[[Life], None]) -> None:
    life = live()
    end(life)
    for side in (life.pair.client, life.pair.server):
        side.data_to_send()
        assert side.state == "Ended"
        assert secrets_in(side, life) == []
        with pytest.raises(LocalProtocolError, match="expected a connection that goes on"):
            side.export_keying_material("EXPORTER-test", b"", 32)


@pytest.mark.parametrize("live", LIVES.values(), ids=LIVES)
def test_one_direction_has_ended(live: Callable[[], Life]) -> None:
    """Its keys are gone, those of the other are not."""
    life = live()
    closed, open_ = life.pair.client, life.pair.server
    life.secrets = {getattr(closed._engine.state, "writing_secret", b"")}
    life.pair.send("client", Close())
    assert closed._engine.outbound.writer.sealer is None
    assert open_._engine.reader._opener is None
    assert {"secret", "Sealer"}.isdisjoint(secrets_in(closed, life))
    assert {"secret", "Opener"}.isdisjoint(secrets_in(open_, life))
    life.pair.send("server", SendData(b"still heard"))
    assert life.pair.data("client").endswith(b"still heard")


@pytest.mark.parametrize("live", LIVES.values(), ids=LIVES)
def test_events_are_handed_over(live: Callable[[], Life]) -> None:
    """Neither data nor the sessions of tickets stay behind in a connection that lives on."""
    life = live()
    for side in (life.pair.client, life.pair.server):
        assert side._engine.events == []
        assert "plaintext" not in secrets_in(side, life)


@pytest.mark.parametrize("live", LIVES.values(), ids=LIVES)
def test_an_abandoned_connection_is_gone_at_once(live: Callable[[], Life]) -> None:
    """There are no circles that would keep it until the collector comes."""
    gc.collect()
    gc.disable()
    try:
        before = alive()
        life = live()
        during = alive()
        del life
        after = alive()
    finally:
        gc.enable()
    assert during >= before + 6, "two engines, and keys for both directions"
    assert after == before


def alive() -> int:
    return sum(isinstance(one, Engine | Direction) for one in gc.get_objects())


@pytest.mark.parametrize("live", LIVES.values(), ids=LIVES)
def test_what_was_pickled_is_left_behind_without_secrets(live: Callable[[], Life]) -> None:
    life = live()
    for side in (life.pair.client, life.pair.server):
        side._engine.config = client_config() if side is life.pair.client else server_config()
        side.__reduce_ex__(pickle.HIGHEST_PROTOCOL)
        assert secrets_in(side, life) == []
