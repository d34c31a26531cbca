"""docs/tickets.md: every piece of its code runs and does what the text says, and its tables are true."""

from __future__ import annotations

import asyncio
import re
import time
from collections import deque
from collections.abc import Awaitable, Callable
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pytest
from attrs import evolve, fields

import sansticket
from sansticket import (
    ClaimSession,
    ClientConfig,
    ClientConnection,
    Close,
    Command,
    Event,
    HandshakeCompleted,
    LookUpSession,
    PrepareTicket,
    ProvideSession,
    Question,
    RejectPeer,
    ServerConfig,
    ServerConnection,
    Session,
    SessionNotClaimed,
    SpentSession,
    TicketIssued,
    TicketKeyRing,
    TicketReceived,
    TicketReturn,
    TicketStatus,
    VerifyPeer,
    resolve,
)
from sansticket.codes import ProtocolVersion
from sansticket.handshake.server.tls13.rules import MAX_IDENTITIES
from sansticket.tickets.decision import Decision, may_return
from tests.support.certificates import authority, server_identity
from tests.support.configs import client_config, server_config
from tests.support.credentials import server_credential
from tests.support.documents import Document, code
from tests.support.pair import ConnectionPair
from tests.support.resumption import failed_checks, outcome, received, record, resumed

PAGE: Final = Document("tickets.md")

Names = dict[str, Any]
Handle = Callable[[Event], Awaitable[list[Command]]]


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Names]:
    """Runs the code of a section after that of the introduction; its names."""
    identity = server_identity()
    for name, content in (
        ("chain.pem", identity.chain_pem),
        ("key.pem", identity.key_pem),
        ("ca.pem", authority().pem),
    ):
        (tmp_path / name).write_bytes(content)
    monkeypatch.chdir(tmp_path)

    def run(title: str) -> Names:
        names: Names = {}
        introduction = code(PAGE.text.partition("\n## ")[0])
        exec(compile(introduction, "docs/tickets.md, introduction", "exec"), names)
        PAGE.run(title, names)
        return names

    return run


def connect(config: ServerConfig, session: Session | None = None, **named: Any) -> ConnectionPair:
    pair = ConnectionPair(client_config(), config, session=session, **named)
    pair.pump()
    return pair


async def drive(config: ServerConfig, handle: Handle, session: Session | None = None) -> ConnectionPair:
    """The driver loop of the README, in memory, for the server's side."""
    pair = ConnectionPair(client_config(), config, session=session)
    happened: deque[Event] = deque()
    seen = 0
    while True:
        pair.pump()
        happened.extend(pair.server_events[seen:])
        seen = len(pair.server_events)
        if not happened:
            return pair
        for command in await handle(happened.popleft()):
            pair.send("server", command, pump=False)


# --- recipes for servers -------------------------------------------------------------------------------------


def test_a_label_for_what_the_application_accepts(recipe: Callable[[str], Names]) -> None:
    names = recipe("A label for what the application accepts")
    pinned, pinning = names["pinned"], names["pinning"]
    answers = {VerifyPeer: pinned}
    again = ClientConfig(answers=answers, verification_label=b"pins of March")
    stricter = ClientConfig(answers=answers, verification_label=b"pins of April")
    policies = [one.verification_policy for one in (pinning, again, stricter, ClientConfig(answers=answers))]
    assert policies[0] == policies[1]
    assert len(set(policies)) == 3
    refused = VerifyPeer((b"another",), None, server_credential().public_key, None)
    assert pinned(refused) == RejectPeer()


def test_rotate_keys(recipe: Callable[[str], Names]) -> None:
    names = recipe("Rotate keys")
    ring, config = names["ring"], names["config"]
    sessions = []
    for _ in range(4):
        sessions.append(received(connect(config))[0])
        names["rotate"](ring)
    assert len(ring.keys) == 3
    assert [outcome(connect(config, session)) for session in sessions] == [
        (False, 2),
        (False, 2),
        (True, 1),
        (True, 1),
    ]
    before = ring.current
    start = time.time()
    later = evolve(config, clock=lambda: start + 3601)
    assert resumed(connect(later, sessions[-1]))
    assert ring.current != before, "by the clock"


def test_share_keys_over_a_fleet(recipe: Callable[[str], Names]) -> None:
    names = recipe("Share keys over a fleet")
    server_of, old, new = names["server_of_the_fleet"], bytes(32), bytes(range(32))
    start = time.time()
    one, other = (evolve(server_of(old), clock=lambda off=off: start + off) for off in (-150, 150))
    assert resumed(connect(other, received(connect(one))[0]))
    assert resumed(connect(one, received(connect(other))[0]))
    stages = [server_of(old), *names["steps"](server_of, old, new)]
    for before, after in pairwise(stages):
        assert resumed(connect(after, received(connect(before))[0]))
        if after is not stages[-1]:
            assert resumed(connect(before, received(connect(after))[0]))


class KeyService:
    """Slow, and sometimes away."""

    def __init__(self) -> None:
        self.ring = TicketKeyRing.generate(time.time(), lambda number: bytes(range(number)))
        self.away = False

    async def open(self, ticket: bytes) -> bytes | None:
        await asyncio.sleep(0)
        return self.ring.open(ticket, time.time()).plaintext

    async def seal(self, plaintext: bytes) -> bytes:
        await asyncio.sleep(0)
        if self.away:
            raise ConnectionRefusedError
        return self.ring.seal(plaintext, time.time(), lambda number: bytes(number))


def test_keys_that_are_elsewhere(recipe: Callable[[str], Names]) -> None:
    names, service = recipe("Keys that are elsewhere"), KeyService()

    def run(session: Session | None = None) -> ConnectionPair:
        return asyncio.run(drive(names["config"], lambda event: names["handle"](event, service), session))

    first = run()
    assert outcome(first) == (False, 2)
    assert outcome(run(received(first)[0])) == (True, 1)
    assert outcome(run(evolve(received(first)[0], ticket=b"unknown"))) == (False, 2)
    service.away = True
    assert outcome(run(received(first)[1])) == (True, 0)


@pytest.mark.parametrize("version", [ProtocolVersion.TLS_1_3, ProtocolVersion.TLS_1_2])
def test_data_in_tickets(recipe: Callable[[str], Names], version: ProtocolVersion) -> None:
    """In TLS 1.2 with a renewal each time: the ticket is made before ``HandshakeCompleted``."""
    names, renewing = recipe("Data in tickets"), recipe("Renew TLS 1.2 tickets")
    answers = {**names["config"].answers, **renewing["config"].answers}
    config = evolve(names["config"], versions=[version], answers=answers)
    session, seen = None, []
    for _ in range(3):
        pair = connect(config, session)
        for event in pair.server_events:  # which grow while we look
            for command in names["handle"](event):
                pair.send("server", command)
        assert pair.server.resumed == (session is not None)
        seen.append(names["seen_before"](pair.server.session))
        session = received(pair)[0]
        assert session.app_data == b""
    assert seen == [0, 1, 2]


def test_a_ticket_after_the_login(recipe: Callable[[str], Names]) -> None:
    names = recipe("A ticket after the login")
    pair = connect(names["config"])
    assert received(pair) == []
    events = names["logged_in"](pair.server, "alice")
    assert [type(event) for event in events] == [TicketIssued]
    pair.pump()
    again = connect(evolve(names["config"], answers={}), received(pair)[0])
    assert again.server.session is not None
    assert again.server.session.app_data == b"alice"


def test_refuse_a_users_tickets(recipe: Callable[[str], Names]) -> None:
    names = recipe("Refuse a user's tickets")
    config = names["config"]

    def prepare(question: PrepareTicket) -> sansticket.SealTicket:
        return sansticket.SealTicket(b"mallory")

    stateful = evolve(config, ticket_keys=None, session_cache=sansticket.SessionCache())
    by_id = evolve(stateful, versions=[ProtocolVersion.TLS_1_2])
    kept = []
    for one in (config, stateful, by_id):
        pair = connect(evolve(one, answers={**one.answers, PrepareTicket: prepare}))
        names["open_connections"].setdefault("mallory", []).append(pair.server)
        kept.append((one, received(pair)[0], pair))
        if one is by_id:
            (issued,) = pair.events("server", TicketIssued)
            names["users"][issued.session.session_id] = "mallory"
    assert outcome(connect(config, kept[0][1])) == (True, 1)
    assert outcome(connect(config, evolve(kept[0][1], ticket=kept[0][1].ticket[:-1]))) == (False, 2)
    assert names["log_out"]("mallory") == [pair.server for _, _, pair in kept]
    for one, session, before in kept:
        assert before.server.data_to_send() != b""
        pair = connect(one, session)
        assert outcome(pair) == (False, 1 if one is by_id else 2)
        assert failed_checks(pair) == ["admission"]
        assert resumed(connect(one, received(pair)[0])), "anonymous again"


def test_renew_tls12_tickets(recipe: Callable[[str], Names]) -> None:
    names = recipe("Renew TLS 1.2 tickets")
    config = evolve(names["config"], versions=[ProtocolVersion.TLS_1_2])
    (session,) = received(connect(config))
    for _ in range(3):
        pair = connect(config, session)
        assert outcome(pair) == (True, 1)
        (session,) = received(pair)
    assert outcome(connect(evolve(config, answers={}), session)) == (True, 0)


def test_whose_ticket_is_it(recipe: Callable[[str], Names]) -> None:
    names = recipe("Whose ticket is it")
    sessions = {}
    for user in ("alice", "bob"):
        pair = ConnectionPair(client_config(), names["config"])
        visit = names["Visit"]()
        pair.server = names["accept"](visit)
        pair.pump()
        assert received(pair) == []
        visit.user = user
        pair.send("server", sansticket.IssueTicket())
        pair.send("server", sansticket.FlushTickets())
        sessions[user] = received(pair)[0]
    for user, session in sessions.items():
        pair = connect(names["config"], session)
        assert pair.server.session is not None
        assert pair.server.session.app_data == user.encode()


def test_bans_by_address(recipe: Callable[[str], Names]) -> None:
    names = recipe("Bans by address")
    pair = connect(names["config"])
    for address, banned in (("192.0.2.1", False), ("192.0.2.2", True)):
        names["banned"].update([address] if banned else [])
        again = ConnectionPair(client_config(), names["config"], session=received(pair)[0])
        again.server.application = address
        again.pump()
        assert again.server.resumed != banned
        assert (again.server.state == "Ended") == banned


def test_a_tenants_keys(recipe: Callable[[str], Names]) -> None:
    names = recipe("A tenant's keys")
    config = evolve(names["config"], resume_with_other_name=True)
    client = evolve(client_config(), verify_peer=False, trust_anchors=None, resume_with_other_name=True)

    def visit(tenant: str, session: Session | None = None) -> ConnectionPair:
        pair = ConnectionPair(client, config, server_name=tenant, session=session)
        pair.pump()
        return pair

    session = received(visit("one.example"))[0]
    assert set(names["rings"]) == {"one.example"}
    assert resumed(visit("one.example", session))
    assert not resumed(visit("two.example", session)), "sealed with the keys of another"
    assert len(names["rings"]) == 2


class Redis:
    """As much of its client as the recipe uses."""

    def __init__(self) -> None:
        self.data: dict[bytes, bytes] = {}
        self.expiry: set[int] = set()
        self.down = False

    async def get(self, key: bytes) -> bytes | None:
        await asyncio.sleep(0)
        if self.down:
            raise ConnectionResetError
        return self.data.get(key)

    async def set(self, key: bytes, value: bytes, *, ex: int) -> None:
        await asyncio.sleep(0)
        self.data[key] = value
        self.expiry.add(ex)


def test_an_asynchronous_store(recipe: Callable[[str], Names]) -> None:
    names, store = recipe("An asynchronous store"), Redis()

    def run(session: Session | None = None) -> ConnectionPair:
        return asyncio.run(drive(names["config"], lambda event: names["handle"](event, store), session))

    first = run()
    assert outcome(first) == (False, 2)
    assert sorted(store.data) == sorted(session.ticket for session in received(first))
    assert store.expiry == {7200}
    one, two = received(first)
    assert outcome(run(one)) == (True, 1)
    store.data[two.ticket] = b"damaged"
    assert outcome(run(two)) == (False, 2)
    store.down = True
    assert outcome(run(one)) == (False, 2)


def test_a_ticket_that_is_used_again(recipe: Callable[[str], Names]) -> None:
    names = recipe("A ticket that is used again")
    now = [time.time()]
    config = evolve(names["config"], clock=lambda: now[0])
    handle = names["handle"]

    def visit(session: Session | None = None) -> tuple[ConnectionPair, list[ServerConnection]]:
        pair = connect(config, session)
        return pair, [one for event in pair.server_events for one in handle(pair.server, event)]

    first, _ = visit()
    ticket, sibling = received(first)
    second, ended = visit(ticket)
    assert (resumed(second), ended) == (True, [])
    now[0] += 60
    third, ended = visit(ticket)
    assert (resumed(third), ended) == (False, [first.server, second.server])
    assert len(names["alarms"]) == 1
    assert names["alarms"][0].startswith("server.example: generation 0 at ")
    fourth, _ = visit(sibling)
    assert failed_checks(fourth) == ["family"]
    assert names["families"] == {third.server.family: [third.server], fourth.server.family: [fourth.server]}


def test_single_use(recipe: Callable[[str], Names]) -> None:
    names = recipe("Single use")
    config = names["config"]
    session = received(connect(config))[0]
    assert [outcome(connect(config, session)) for _ in range(2)] == [(True, 1), (False, 2)]

    sessions: dict[bytes, Session | SpentSession] = {}

    async def taken(spent: SpentSession) -> Session | SpentSession | None:
        found = sessions.get(spent.session_id)
        if isinstance(found, Session):
            sessions[spent.session_id] = spent
        return found

    async def handle(event: Event) -> list[Command]:
        match event:
            case TicketIssued(issued):
                sessions[issued.session_id] = issued
            case LookUpSession(session_id):
                return [ProvideSession(sessions.get(session_id))]
            case ClaimSession():
                return [await names["claim"](event, taken)]
        return []

    def run(session: Session | None = None) -> ConnectionPair:
        return asyncio.run(drive(names["shared"], handle, session))

    session = received(run())[0]
    kept = dict(sessions)
    assert [outcome(run(session)) for _ in range(2)] == [(True, 1), (False, 2)]
    issued, spent = kept[session.ticket], sessions[session.ticket]
    assert isinstance(issued, Session)
    assert isinstance(spent, SpentSession)
    sessions[session.ticket] = evolve(issued, app_data=b"another")
    assert asyncio.run(names["claim"](ClaimSession(issued, spent), taken)) == SessionNotClaimed()
    sessions[session.ticket] = spent
    assert asyncio.run(names["claim"](ClaimSession(issued, spent), taken)) == SessionNotClaimed(spent)


def test_several_hosts_behind_one_address(recipe: Callable[[str], Names]) -> None:
    names = recipe("Several hosts behind one address")
    client = client_config(verify_peer=False, trust_anchors=None)
    numbers = []
    for name in ("a.example", "b.example", "c.example"):
        pair = ConnectionPair(client, names["config"], server_name=name)
        pair.pump()
        numbers.append((pair.server.session_id_context, outcome(pair)[1]))
    assert numbers == [(b"a.example", 2), (b"b.example", 1), (b"a.example", 2)]


def test_why_was_it_not_resumed(recipe: Callable[[str], Names]) -> None:
    explain = recipe("Why was it not resumed?")["explain"]
    start = time.time()
    config = ServerConfig(credentials=recipe("Single use")["config"].credentials)
    session = received(connect(config))[0]
    late = evolve(config, clock=lambda: session.issued_at + 7200)
    pair = ConnectionPair(
        client_config(clock=lambda: start), late, session=evolve(session, issued_at=start - 7199)
    )
    pair.pump()
    said = explain(pair.event("server", HandshakeCompleted))
    assert said == str(record(pair))
    assert explain(pair.events("client", TicketReceived)[0]) == ""
    shown = re.findall(r"^```text\n(.*?)^```$", PAGE.text, re.MULTILINE | re.DOTALL)[0]
    assert without_numbers(said) == without_numbers(shown.strip())


def without_numbers(text: str) -> str:
    return re.sub(r"[0-9a-f]{32}|\d+\.\d+", "#", text)


# --- recipes for clients -------------------------------------------------------------------------------------


@cache
def ordinary_server() -> ServerConfig:
    return server_config()


def carry(client: ClientConnection) -> list[Event]:
    """The client's handshake with an ordinary server; its events."""
    server, events = ServerConnection(ordinary_server()), list[Event]()
    while data := client.data_to_send():
        server.receive_data(data)
        events += client.receive_data(server.data_to_send())
    events += client.send(Close())
    return events


def test_a_clients_store(recipe: Callable[[str], Names], tmp_path: Path) -> None:
    names = recipe("A client's store")
    config: ClientConfig = names["config"]
    assert not carry_and_tell(names["connection"])
    assert carry_and_tell(ClientConnection(config, "server.example"))
    names["save"](config.session_store, tmp_path / "sessions")
    assert (tmp_path / "sessions").stat().st_mode & 0o077 == 0
    stored = evolve(config, session_store=names["load"](tmp_path / "sessions"))
    assert carry_and_tell(ClientConnection(stored, "server.example"))


def carry_and_tell(connection: ClientConnection) -> bool:
    (completed,) = (event for event in carry(connection) if isinstance(event, HandshakeCompleted))
    return completed.resumed


def test_a_clients_sessions_by_hand(recipe: Callable[[str], Names]) -> None:
    names = recipe("A client's sessions by hand")
    found = []
    for _ in range(4):
        reservation, connection = names["connect"](time.time())
        for event in carry(connection):
            names["heed"](reservation, event, time.time())
        found.append(connection.resumed)
    assert found == [False, True, True, True]


# --- tables --------------------------------------------------------------------------------------------------


def rows(title: str, heading: str = "") -> list[list[str]]:
    """The rows of a table in a section: the one after ``heading``, without its head."""
    text = PAGE.section(title).partition(heading)[2] if heading else PAGE.section(title)
    table = re.search(r"(?:^\|.*\n)+", text, re.MULTILINE)
    assert table is not None
    lines = table[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in (lines[0], *lines[2:])]


@pytest.mark.parametrize(
    ("version", "heading", "number"),
    [(ProtocolVersion.TLS_1_3, "For TLS 1.3", "n"), (ProtocolVersion.TLS_1_2, "For TLS 1.2", "1")],
)
def test_the_decision_table(version: int, heading: str, number: str) -> None:
    (_, *head, _), *table = rows("The decision", heading)
    statuses = [TicketStatus[row[0].strip("`")] for row in table]
    assert set(TicketStatus) - set(statuses) == ({TicketStatus.EMPTY} if number == "n" else set())
    returns = [TicketReturn[name.strip("`")] for name in head]
    assert set(returns) == set(TicketReturn)
    for status, (_, *cells, default) in zip(statuses, table, strict=True):
        assert f"`{status.default_return.name}`" == default
        for answer, cell in zip(returns, cells, strict=True):
            assert cell == said(status, answer, version, number), (status, answer)


def said(status: TicketStatus, answer: TicketReturn, version: int, number: str) -> str:
    if not may_return(status, answer):
        return "refused"
    resolution = resolve([Decision(status, answer, status.decrypted)], version, 7)
    if resolution.failure is not None:
        return "fatal"
    if resolution.winner is not None:
        return f"resumed, {resolution.tickets}"
    return f"full, {number if resolution.tickets else 0}"


def test_the_questions_and_answers_are_there() -> None:
    for _, question, answers, _ in rows("When each question is asked")[1:]:
        assert issubclass(getattr(sansticket, question.strip("`")), sansticket.Question)
        for answer in answers.split(", "):
            command = getattr(sansticket, answer.strip("`"))
            assert issubclass(command, Command)
            assert f"``{question.strip('`')}``" in (command.__doc__ or "")


FUNCTIONS: Final = {
    "SSL_CTX_set_session_ticket_cb",
    "SSL_SESSION_get0_ticket_appdata",
    "SSL_SESSION_set1_ticket_appdata",
    "SSL_CTX_generate_session_ticket_fn",
    "SSL_CTX_decrypt_session_ticket_fn",
    "SSL_set_num_tickets",
    "SSL_get_num_tickets",
    "SSL_CTX_set_num_tickets",
    "SSL_CTX_get_num_tickets",
    "SSL_new_session_ticket",
    "SSL_CTX_sess_set_new_cb",
    "SSL_CTX_sess_set_remove_cb",
    "SSL_CTX_sess_set_get_cb",
    "SSL_CTX_sess_get_new_cb",
    "SSL_CTX_sess_get_remove_cb",
    "SSL_CTX_sess_get_get_cb",
    "SSL_CTX_set_session_id_context",
    "SSL_set_session_id_context",
}
"""All that the manual pages describe."""


def test_every_function_of_the_manual_pages_has_its_counterpart() -> None:
    table = rows("From the manual pages to sansticket")[1:]
    named = {name for left, _ in table for name in re.findall(r"`(\w+)`", left)}
    assert named >= FUNCTIONS
    for left, right in table:
        counterparts = re.findall(r"\b([A-Z][A-Za-z]+[a-z])\b(?:\.([a-z_0-9]+))?", right.replace("SSL_", ""))
        assert counterparts, left
        for name, attribute in counterparts:
            if not hasattr(sansticket, name):
                assert name in ("True", "False"), (name, left)
            elif attribute:
                owner = getattr(sansticket, name)
                known = {
                    *dir(owner),
                    *getattr(owner, "__annotations__", ()),
                    *vars(sansticket.SessionCache()).keys(),
                }
                assert attribute in known, (name, attribute)


def test_the_numbers_that_are_named() -> None:
    assert f"At most {MAX_IDENTITIES} identities" in PAGE.text
    plain = {field.name: field.default for field in fields(ServerConfig)}
    assert f"`max_tickets_requested` ({plain['max_tickets_requested']})" in PAGE.text
    assert f"`num_tickets` ({plain['num_tickets']} unless" in PAGE.text
    assert plain["max_session_age"] == 7 * 86_400
    assert "`max_session_age` (7 days)" in PAGE.text


def test_links_lead_somewhere() -> None:
    anchors = {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", PAGE.text, re.MULTILINE)
    }
    assert set(re.findall(r"\]\(#([^)]*)\)", PAGE.text)) <= anchors


def test_every_recipe_has_its_test() -> None:
    recipes = {
        title for title in re.findall(r"^### (.*)$", PAGE.text, re.MULTILINE) if code(PAGE.section(title))
    }
    tested = re.findall(r'recipe\("([^"]+)"\)', Path(__file__).read_text(encoding="utf-8"))
    assert recipes == set(tested)
    assert len(recipes) >= 12


def test_the_table_of_who_can_ask_what_is_whole() -> None:
    """What is in it is held by tests/test_config.py."""
    table = PAGE.section("When each question is asked").partition("| question | can be asked by |")[2]
    rows = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
    named = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    ours = [
        kind.__name__
        for kind in Question.__subclasses__()
        if kind.__module__.startswith("sansticket.events.")
    ]
    assert sorted(named) == sorted(ours)
