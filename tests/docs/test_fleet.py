"""docs/fleet.md: its code runs and does what the text says, and its figures are right."""

from __future__ import annotations

import asyncio
import os
import re
import sqlite3
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pytest
from attrs import evolve
from redis.asyncio import Redis

from sansticket import (
    Abort,
    CaddyTicketKeys,
    Credential,
    EarlyDataReason,
    EarlyDataStatus,
    Event,
    HandshakeCompleted,
    ProtocolVersion,
    ReplayRecorder,
    ServerConfig,
    ServerConnection,
    Session,
    SessionCache,
    SpentSession,
    TicketReceived,
    TicketUse,
    TicketUses,
    WindowedTicketKeys,
)
from sansticket.testing import CLAIM_RULES, RECORDER_RULES, RULES, ClaimRule, RecorderRule, Rule
from sansticket.tickets.keys.programs.layouts import PROGRAMS
from sansticket_wrappers.asyncio import Hooks, open_connection
from sansticket_wrappers.redis import USED, RedisStore
from tests.support.certificates import server_identity
from tests.support.command import PATIENCE, ROOT
from tests.support.configs import client_config
from tests.support.documents import Document
from tests.support.early_data import World, early_data_of, said
from tests.support.loops import run
from tests.support.pair import ConnectionPair
from tests.support.redis_server import RedisServer
from tests.support.resumption import received, resumed
from tests.support.sessions import ORDINARY, ORDINARY_12
from tests.tickets.test_go_keys import STEK

PAGE: Final = Document("fleet.md")
DAY: Final = 86_400
MEMORY: Final = int(re.search(r"\| memory of Redis \| (\d+) bytes", PAGE.text)[1])  # type: ignore[index]
"""Of Redis, in bytes for each session of TLS 1.3."""
MEMORY_OF_USED: Final = int(re.search(r"in the memory of Redis \| (\d+) bytes", PAGE.text)[1])  # type: ignore[index]
"""Of one that was used."""
FAMILY: Final = bytes(range(16))
"""Every session that a server makes has one."""


@pytest.fixture(autouse=True)
def _redis_has_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's servers do not say how long they wait for Redis; what comes of a slow machine is not on the page."""
    defaults = RedisStore.__init__.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "timeout", PATIENCE)


@pytest.fixture
def names() -> dict[str, Any]:
    identity = server_identity()
    names: dict[str, Any] = {"credential": Credential.from_pem(identity.chain_pem, identity.key_pem)}
    PAGE.run("Sharing keys", names)
    return names


def connect(config: ServerConfig, session: Session | None = None) -> ConnectionPair:
    pair = ConnectionPair(client_config(), config, session=session)
    pair.pump()
    return pair


@pytest.mark.parametrize("server", ["beside_nginx", "beside_node"])
def test_sharing_keys_with_other_programs(names: dict[str, Any], server: str) -> None:
    PAGE.run("Sharing keys with other programs", names)
    files = (bytes(range(80)), bytes(48), b"context") if server == "beside_nginx" else (bytes(48),)
    assert resumed(connect(names[server](*files), received(connect(names[server](*files)))[0]))
    rows = re.findall(r"^\| `(\w+)`, ", PAGE.section("Sharing keys with other programs"), re.MULTILINE)
    assert set(rows) == set(PROGRAMS)


def test_servers_in_go_and_caddy(names: dict[str, Any]) -> None:
    PAGE.run("Servers in Go, and Caddy", names)
    go = [names["beside_go"](bytes(32), bytes(range(32))) for _ in range(2)]
    caddy, next_rotation = names["beside_caddy"](STEK)
    assert next_rotation == CaddyTicketKeys.from_bytes(STEK).next_rotation
    for one, other in (go, (caddy, caddy)):
        assert resumed(connect(other, received(connect(one))[0]))


def test_from_gnutls(names: dict[str, Any]) -> None:
    PAGE.run("From GnuTLS", names)
    one, other = (names["beside_gnutls"](bytes(range(64)), bytes(range(32))) for _ in range(2))
    assert resumed(connect(other, received(connect(one))[0]))


def test_keys_of_your_own(names: dict[str, Any]) -> None:
    PAGE.run("Keys of your own", names)
    keys = names["SmallKeys"].generate(time.time(), os.urandom)
    config = ServerConfig(credentials=[names["credential"]], ticket_keys=keys)
    first = received(connect(config))[0]
    assert resumed(connect(config, first))
    assert b"server.example" not in (keys.open(first.ticket, time.time()).plaintext or b"server.example")


def test_sharing_keys(names: dict[str, Any]) -> None:
    one, other = (names["server"](bytes(32)) for _ in range(2))
    assert resumed(connect(other, received(connect(one))[0]))
    assert not resumed(connect(names["server"](bytes(range(32))), received(connect(one))[0]))


def test_replacing_the_root_secret(names: dict[str, Any]) -> None:
    old, new = bytes(32), bytes(range(32))
    stages = [names["server"](old), *names["replacing"](names["server"], old, new)]
    for before, after in pairwise(stages):
        assert resumed(connect(after, received(connect(before))[0])), "forwards"
        assert resumed(connect(before, received(connect(after))[0])), "and back"


@pytest.mark.usefixtures("_patience_with_redis")
def test_sharing_a_store(names: dict[str, Any]) -> None:
    PAGE.run("Sharing a store", names)
    sessions: list[Session] = []

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"resumed" if writer.get_extra_info("tls").resumed else b"full")
        writer.write_eof()
        await reader.read()
        writer.close()

    async def keep(happened: Sequence[Event]) -> None:
        sessions.extend(event.session for event in happened if isinstance(event, TicketReceived))

    async def visit(port: int, session: Session | None) -> bytes:
        reader, writer = await open_connection(
            *("127.0.0.1", port, client_config()),
            server_name="server.example",
            session=session,
            hooks=Hooks(observe=keep),
        )
        greeting = await reader.read()
        writer.close()
        await writer.wait_closed()
        return greeting

    async def main(url: str) -> list[bytes]:
        async with asyncio.timeout(PATIENCE), Redis.from_url(url) as redis:
            servers = [await names["serve"](greet, 0, redis, bytes(32)) for _ in range(2)]
            ports = [server.sockets[0].getsockname()[1] for server in servers]
            greetings = [await visit(ports[0], None)]
            greetings += [await visit(port, sessions[0]) for port in reversed(ports)]
            for server in servers:
                server.close()
            while others := asyncio.all_tasks() - {asyncio.current_task()}:
                await asyncio.wait(others)  # Python 3.11 does not wait for the connections of a server
        return greetings

    with RedisServer() as redis:
        assert asyncio.run(main(redis.url)) == [b"full", b"resumed", b"full"]


@pytest.mark.usefixtures("_patience_with_redis")
def test_a_stolen_ticket_at_another_server(names: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Three servers, of which each is asked once: the client's, the thief's, and one that hears of it."""
    PAGE.run("Sharing a store", names)
    PAGE.run("A stolen ticket at another server", names)
    # No minute is waited for: the window is none.
    monkeypatch.setitem(names, "TicketUses", lambda policy: TicketUses(window=0, policy=policy))
    sessions: list[Session] = []
    families: list[bytes] = []
    failed: list[str] = []

    class Watched(RedisStore):
        async def observe(self, happened: Sequence[Event]) -> None:
            await super().observe(happened)
            for event in happened:
                if isinstance(event, HandshakeCompleted):
                    checks = [check for identity in event.record.identities for check in identity.checks]
                    failed.extend(check.name for check in checks if not check.passed)

    monkeypatch.setitem(names, "RedisStore", Watched)

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = writer.get_extra_info("tls")
        families.append(connection.family)
        writer.write(b"resumed" if connection.resumed else b"full")
        writer.write_eof()
        await reader.read()
        writer.close()

    async def keep(happened: Sequence[Event]) -> None:
        sessions.extend(event.session for event in happened if isinstance(event, TicketReceived))

    async def visit(port: int, session: Session | None) -> bytes:
        reader, writer = await open_connection(
            *("127.0.0.1", port, client_config()),
            server_name="server.example",
            session=session,
            hooks=Hooks(observe=keep),
        )
        greeting = await reader.read()
        writer.close()
        await writer.wait_closed()
        return greeting

    async def main(url: str) -> list[bytes]:
        async with asyncio.timeout(PATIENCE), Redis.from_url(url) as redis:
            started = [await names["serve_and_watch"](greet, 0, redis, bytes(32)) for _ in range(3)]
            ports = [server.sockets[0].getsockname()[1] for server, _ in started]
            while (await redis.pubsub_numsub("revocations"))[0][1] < 3:
                await asyncio.sleep(0.01)
            greetings = [await visit(ports[0], None)]
            stolen, sibling = sessions
            greetings.append(await visit(ports[0], stolen))
            newest = sessions[-1]
            greetings.append(await visit(ports[1], stolen))
            while not await redis.zcard("revocations"):
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.05)  # it is on its way
            greetings += [await visit(ports[2], session) for session in (newest, sibling)]
            for server, listening in started:
                server.close()
                listening.cancel()
            while others := asyncio.all_tasks() - {asyncio.current_task()}:
                await asyncio.wait(others)  # Python 3.11 does not wait for the connections of a server
        return greetings

    with RedisServer() as redis:
        greetings = asyncio.run(main(redis.url))
    assert greetings == [b"full", b"resumed", b"full", b"full", b"full"]
    assert failed == ["single use", "revocation", "revocation"]
    assert len(set(families)) == 4, "whoever is refused begins a family of his own"


class MyStore:
    """The package's cache, as if it were asynchronous."""

    def __init__(self, cache: SessionCache) -> None:
        self.cache = cache

    async def put(self, session: Session) -> None:
        self.cache.add(session, time.time())

    async def get(self, session_id: bytes) -> Session | None:
        return self.cache.get(session_id, time.time())

    async def take(self, session_id: bytes) -> Session | None:
        return self.cache.take(session_id, time.time())

    async def remove(self, session_id: bytes) -> None:
        self.cache.take(session_id, time.time())


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_is_my_store_fit_for_it(rule: Rule) -> None:
    names: dict[str, Any] = {}
    PAGE.run("Is my store fit for it?", names)
    test, (mark,) = names["test_my_store"], names["test_my_store"].pytestmark
    assert mark.args == ("rule", RULES)
    cache = SessionCache()
    test(rule, [MyStore(cache), MyStore(cache)])


@pytest.mark.parametrize("rule", CLAIM_RULES, ids=str)
def test_a_store_in_sql(rule: ClaimRule, tmp_path: Path) -> None:
    names: dict[str, Any] = {}
    PAGE.run("Is my store fit for it?", names)
    test, (mark,) = names["test_my_sql_store"], names["test_my_sql_store"].pytestmark
    assert mark.args == ("rule", CLAIM_RULES)
    with ExitStack() as stack:
        databases = [
            stack.enter_context(closing(sqlite3.connect(tmp_path / "sessions", timeout=PATIENCE)))
            for _ in range(2)
        ]
        test(rule, [names["SqlStore"](database) for database in databases])


class BlockingSqlStore:
    """The page's store, awaited on the spot: nothing in it waits."""

    def __init__(self, names: dict[str, Any], database: sqlite3.Connection) -> None:
        self.store = names["SqlStore"](database)

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments: run(getattr(self.store, name)(*arguments))


@pytest.mark.parametrize("version", [ProtocolVersion.TLS_1_3, ProtocolVersion.TLS_1_2], ids=str)
def test_a_store_that_blocks(tmp_path: Path, version: int) -> None:
    names: dict[str, Any] = {}
    PAGE.run("Is my store fit for it?", names)
    PAGE.run("A store that blocks", names)
    client = client_config(versions=[version])

    def visit(config: ServerConfig, session: Session | None = None) -> ConnectionPair:
        pair = ConnectionPair(client, config, session=session)
        pair.pump()
        return pair

    with ExitStack() as stack:
        databases = [
            stack.enter_context(closing(sqlite3.connect(tmp_path / "sessions", timeout=PATIENCE)))
            for _ in range(2)
        ]
        one, other = (names["sharing"](BlockingSqlStore(names, database)) for database in databases)
        session = received(visit(one))[0]
        assert resumed(visit(other, session))
        tls13 = version == ProtocolVersion.TLS_1_3
        assert (
            resumed(visit(one, session)) is not tls13
        )  # in TLS 1.3 it is used up, in TLS 1.2 it keeps its id
        failed = visit(one)
        failed.server.send(Abort())
        assert not resumed(visit(other, received(failed)[0]))
        databases[0].execute("DROP TABLE sessions")
        fresh = visit(other, session)  # the store is broken: full handshakes, and no connection ends
        assert not resumed(fresh)


def test_recording_client_hellos() -> None:
    names: dict[str, Any] = {}
    before = time.time()
    PAGE.run("Recording ClientHellos", names)
    recorder = names["recorder"]
    assert recorder.window == 20 == sum((10, 10))
    assert not recorder.claim(b"a hello", before + 20)
    assert recorder.claim(b"a hello", time.time() + 20.001)


@pytest.mark.parametrize("rule", RECORDER_RULES, ids=str)
def test_one_recorder_for_all_servers(rule: RecorderRule) -> None:
    names: dict[str, Any] = {}
    PAGE.run("One recorder for all servers", names)
    test, (mark,) = names["test_my_recorder"], names["test_my_recorder"].pytestmark
    assert mark.args == ("rule", RECORDER_RULES)

    class MyRecorder:
        recorder = ReplayRecorder(since=0)

        async def claim(self, key: bytes, until: float) -> bool:
            return self.recorder.claim(key, time.time())

    test(rule, [MyRecorder(), MyRecorder()])


@pytest.mark.usefixtures("_patience_with_redis")
def test_redis_records_for_all() -> None:
    names: dict[str, Any] = {}
    PAGE.run("One recorder for all servers", names)

    async def main(server: RedisServer) -> list[bool]:
        async with Redis.from_url(server.url) as here, Redis.from_url(server.url) as there:
            one, other = names["recorder_of_the_fleet"](here), names["recorder_of_the_fleet"](there)
            answers = [await one.claim(bytes(32), time.time() + 20)]
            with server.client() as client:
                assert client.delete("{early-data}:not yet") == 1
            return answers + [await recorder.claim(bytes(32), time.time() + 20) for recorder in (one, other)]

    with RedisServer() as server:
        assert run(main(server)) == [False, True, False]


def test_zones() -> None:
    """Each has a recorder of its own; a hello is accepted in the zone of its ticket alone, and resumed everywhere."""
    names: dict[str, Any] = {}
    PAGE.run("How often early data is delivered", names)
    world = World()
    zones = [world.server_config(answers=names["zone_answers"](zone)) for zone in (b"north", b"south")]
    session = world.session(zones[0])
    flight = world.first_flight(b"early", session)
    delivered = []
    for zone in (zones[1], zones[0], zones[1], zones[0]):
        server = ServerConnection(zone)
        delivered.append(early_data_of(server.receive_data(flight)))
    assert delivered == [b"", b"early", b"", b""]
    pair = world.pair(session, server=zones[1], early=b"early")
    pair.pump()
    assert resumed(pair)
    assert said(pair) == (EarlyDataStatus.REJECTED, EarlyDataReason.NOT_ADMITTED)


# --- figures -------------------------------------------------------------------------------------------------


def rows(first: str) -> list[list[str]]:
    """The cells of the table whose head begins so."""
    table = PAGE.text[PAGE.text.index(f"| {first} |") :].partition("\n\n")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


def test_sizes() -> None:
    native, sealed = rows("| TLS 1.3")[:2]
    for session, in_clear, in_redis in zip((ORDINARY, ORDINARY_12), native[1:], sealed[1:], strict=False):
        encoded = evolve(session, session_id=bytes(range(32)), family=FAMILY).to_bytes()
        assert in_clear == f"{len(encoded)} bytes"
        assert in_redis == f"{len(WindowedTicketKeys(bytes(32)).seal(encoded, 0.0, bytes))} bytes"


def left_of(session: Session) -> SpentSession:
    use = TicketUse(
        at=session.issued_at,
        version=session.version,
        family=session.family,
        generation=1,
        server_name="example.com",
        alpn_protocol=b"h2",
        client_random=session.session_id,
        hello=session.session_id[16:],
    )
    key = bytes(range(32))
    return SpentSession(session.session_id, use, session.cipher_suite, key, session.authenticated_at)


def test_sizes_of_what_is_left() -> None:
    table = {first: cells for first, *cells in rows("| TLS 1.3")}
    spent = left_of(evolve(ORDINARY, session_id=bytes(range(32)), family=FAMILY)).to_bytes()
    sealed = USED + WindowedTicketKeys(bytes(32)).seal(spent, 0.0, bytes)
    assert (ORDINARY.server_name, ORDINARY.alpn) == ("example.com", b"h2")
    for name, size in (
        ("what is left of one that was used, with its id", len(spent)),
        ("sealed, with its mark", len(sealed)),
    ):
        assert table[name] == [f"{size} bytes", "–", f"{size} bytes"]


def test_memory() -> None:
    """Redis grows its tables in steps, and its versions differ."""
    number = 20_000

    async def main(url: str) -> tuple[float, float]:
        async with asyncio.timeout(2 * PATIENCE), Redis.from_url(url) as redis:
            store = RedisStore(redis, WindowedTicketKeys(bytes(32)), timeout=PATIENCE)
            before = (await redis.info("memory"))["used_memory"]
            names = [index.to_bytes(32) for index in range(number)]
            now = round(time.time(), 3)
            parts = [
                [
                    evolve(ORDINARY, session_id=name, issued_at=now, family=FAMILY)
                    for name in names[start : start + 500]
                ]
                for start in range(0, number, 500)
            ]
            for sessions in parts:
                await store._put_all(sessions)
            assert await redis.dbsize() == number
            full = (await redis.info("memory"))["used_memory"]
            for sessions in parts:
                async with redis.pipeline(transaction=False) as pipeline:
                    for session in sessions:
                        left = store._keys.seal(left_of(session).to_bytes(), now, bytes)
                        await store._use_up([store._name(session.session_id)], [USED, left], client=pipeline)
                    await pipeline.execute()
            assert isinstance(await store.find(names[-1]), SpentSession)
            used = (await redis.info("memory"))["used_memory"]
            return (full - before) / number, (used - before) / number

    with RedisServer() as redis:
        measured = asyncio.run(main(redis.url))
    assert pytest.approx(measured[0], rel=0.15) == MEMORY
    assert pytest.approx(measured[1], rel=0.15) == MEMORY_OF_USED


def test_capacity() -> None:
    for day, brief, brief_memory, long, long_memory, writes in rows("sessions a day"):
        number = int(day.replace(",", ""))
        for shown, memory, lifetime in ((brief, brief_memory, 7200), (long, long_memory, 7 * DAY)):
            there = number * lifetime / DAY
            assert int(shown.replace(",", "")) == int(there)
            amount, unit = memory.split()
            assert float(amount) == pytest.approx(
                there * MEMORY / {"MB": 1e6, "GB": 1e9}[unit], abs=0.06 if "." in amount else 0.6
            )
        assert float(writes.replace(",", "")) == pytest.approx(number / DAY, rel=0.2)


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", PAGE.text):
        assert (ROOT / "docs" / target).is_file()
    for path in re.findall(r"`(examples/\w+\.py)`", PAGE.text):
        assert (ROOT / path).is_file()
