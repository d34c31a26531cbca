"""What a server decides about early data before a byte of it is seen, and that a refusal is nothing more."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from attrs import evolve

from sansticket.codes import CipherSuite, ProtocolVersion
from sansticket.commands import (
    AcceptEarlyData,
    EarlyDataClaimed,
    EarlyDataNotClaimed,
    RefuseEarlyData,
    SendData,
    UseConfig,
)
from sansticket.config.choices import ASK, ClientAuthentication
from sansticket.connection.server import ServerConnection
from sansticket.errors import ConfigError, LocalProtocolError
from sansticket.events import (
    AdmitEarlyData,
    ClaimEarlyData,
    DataReceived,
    EarlyDataEnded,
    EarlyDataReceived,
    HandshakeCompleted,
    SelectConfig,
    TicketIssued,
    TicketReceived,
)
from sansticket.library import SSL_SESSIONS
from sansticket.tickets.early_data import EarlyDataOutcome, EarlyDataReason, EarlyDataStatus
from sansticket.tickets.keys.openssl import OpenSSLTicketKey, OpenSSLTicketKeys
from sansticket.tickets.session import Session
from sansticket.tickets.stores.cache import SessionCache
from sansticket.tickets.stores.replay import ReplayRecorder
from tests.support.configs import server_config
from tests.support.credentials import anchors, client_credential
from tests.support.early_data import LIMIT, EarlyClient, World, early_data_of, recorder, said
from tests.support.hostile import APPLICATION_DATA
from tests.support.newer import each
from tests.support.pair import ConnectionPair

ACCEPTED = (EarlyDataStatus.ACCEPTED, None)


def rejected(reason: EarlyDataReason) -> tuple[EarlyDataStatus, EarlyDataReason]:
    return EarlyDataStatus.REJECTED, reason


@pytest.fixture
def world() -> World:
    return World()


# --- what tickets say --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [0, 1, 16_384, 0xFFFFFFFF])
def test_tickets_say_the_limit(world: World, limit: int) -> None:
    """And 0 says nothing of early data at all."""
    client = EarlyClientWithout(world.server_config(max_early_data=limit)).complete()
    extensions = client.tickets[0].extensions
    assert [getattr(one, "max_early_data_size", None) for one in extensions] == ([limit] if limit else [])
    issued = [event for event in client.events if isinstance(event, TicketIssued)]
    assert {event.session.max_early_data for event in issued} == {limit}


class EarlyClientWithout(EarlyClient):
    """Without a session yet."""

    def __init__(self, server: Any) -> None:
        super(EarlyClient, self).__init__(server)


def test_nothing_unless_asked_for() -> None:
    config = server_config()
    assert (config.max_early_data, config.half_rtt, config.replay) == (0, False, None)
    assert config.early_data_window == (10, 10)


def test_a_ticket_after_early_data_allows_some_too(world: World) -> None:
    pair = world.pair(early=b"early")
    pair.pump()
    again = world.pair(pair.event("client", TicketReceived).session, early=b"once more")
    again.pump()
    assert early_data_of(again.server_events) == b"once more"


@pytest.mark.parametrize("where", each(["ours", "OpenSSL", "cache"], {"OpenSSL": SSL_SESSIONS}))
def test_whatever_the_tickets_are(world: World, where: str) -> None:
    """The limit is in the ticket, or in the session that is kept."""
    keys: dict[str, dict[str, Any]] = {
        "ours": {},
        "OpenSSL": {
            "ticket_keys": OpenSSLTicketKeys([OpenSSLTicketKey.generate(lambda size: bytes(range(size)))])
        },
        "cache": {"ticket_keys": None, "session_cache": SessionCache(10)},
    }
    server = world.server_config(**keys[where])
    session = world.session(server)
    world.now += 3
    pair = world.pair(session, server=server, early=b"early")
    pair.pump()
    assert said(pair) == ACCEPTED
    assert early_data_of(pair.server_events) == b"early"


# --- the config --------------------------------------------------------------------------------------------------


def test_a_config_without_protection_from_replay() -> None:
    expected = r"expected single_use_tickets=True, or replay=.*, or an answer for ClaimEarlyData"
    with pytest.raises(ConfigError, match=expected) as caught:
        server_config(max_early_data=1)
    assert caught.value.field == "max_early_data"


@pytest.mark.parametrize(
    "protection",
    [
        {"replay": ReplayRecorder()},
        {"answers": {ClaimEarlyData: ASK}},
        {"ticket_keys": None, "session_cache": SessionCache(1), "single_use_tickets": True},
    ],
)
def test_each_protection_will_do(protection: dict[str, Any]) -> None:
    assert server_config(max_early_data=1, **protection).max_early_data == 1


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"max_early_data": -1}, "max_early_data: .*expected an integer from 0"),
        ({"max_early_data": 1 << 32}, "max_early_data: .*expected an integer from 0 to 4294967295"),
        ({"max_early_data": True}, "max_early_data: .*expected an integer"),
        ({"early_data_window": 10}, "early_data_window: .*expected two numbers"),
        ({"early_data_window": (1, 2, 3)}, "early_data_window: .*expected two numbers"),
        ({"early_data_window": (-1, 2)}, "early_data_window: -1; expected seconds, 0 or more"),
        ({"early_data_window": (1, float("nan"))}, "early_data_window: nan; expected seconds"),
        ({"early_data_window": (1, "2")}, "early_data_window: '2'; expected seconds"),
        ({"replay": {}}, "replay: .*expected a ReplayRecorder"),
        ({"replay": recorder(19.9)}, r"replay: remembers for 19\.9 seconds; expected at least 20"),
        ({"half_rtt": 1}, "half_rtt: .*expected True or False"),
    ],
)
def test_a_config_that_cannot_be(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        server_config(**changes)


def test_a_recorder_for_another_window() -> None:
    assert server_config(replay=recorder(3), early_data_window=[1, 2]).early_data_window == (1, 2)


# --- the verdict -------------------------------------------------------------------------------------------------


def test_accepted(world: World) -> None:
    pair = world.pair(early=b"early")
    pair.carry("client")
    assert pair.server_events == [EarlyDataReceived(b"early")]
    assert pair.server_events[0].connection.session is not None
    assert pair.server_events[0].connection.server_name == "server.example"
    assert pair.server_events[0].connection.alpn_protocol == b"h2"
    assert pair.server.early_data is EarlyDataStatus.ACCEPTED
    assert pair.server.early_data_left == LIMIT - 5
    assert pair.server.version is None
    pair.pump()
    kinds = [type(event) for event in pair.server_events]
    assert kinds == [EarlyDataReceived, EarlyDataEnded, HandshakeCompleted, TicketIssued]
    assert said(pair) == ACCEPTED
    assert pair.server.early_data_left == 0
    pair.send("client", SendData(b"data"))
    assert pair.server_events[-1] == DataReceived(b"data")


CHACHA = CipherSuite.CHACHA20_POLY1305_SHA256

REFUSALS: list[Any] = [
    pytest.param({"max_early_data": 0}, EarlyDataReason.DISABLED, id="switched off"),
    pytest.param({"max_early_data": LIMIT - 1}, EarlyDataReason.LIMIT_LOWERED, id="lowered"),
    pytest.param({"cipher_suites": (CHACHA,)}, EarlyDataReason.SUITE_MISMATCH, id="suite of the same hash"),
    pytest.param({"alpn_protocols": ()}, EarlyDataReason.ALPN_MISMATCH, id="no protocol any more"),
]


@pytest.mark.parametrize(("changes", "reason"), REFUSALS)
def test_tickets_outlive_policy(world: World, changes: dict[str, Any], reason: EarlyDataReason) -> None:
    """The session goes on, what was sent early is dropped."""
    pair = world.pair(world.session(), server=world.server_config(**changes), early=bytes(LIMIT))
    pair.pump()
    assert said(pair) == rejected(reason)
    assert pair.event("server", HandshakeCompleted).resumed
    assert early_data_of(pair.server_events) == b""
    assert pair.server.early_data_reason is reason
    assert reason.value in str(pair.event("server", HandshakeCompleted).record)
    pair.send("client", SendData(b"data"))
    assert pair.data("server") == b"data"


def test_a_higher_limit_is_none_for_old_tickets(world: World) -> None:
    """The ticket's limit binds: its client keeps to it."""
    pair = world.pair(world.session(), server=world.server_config(max_early_data=5000), early=b"early")
    pair.carry("client")
    assert pair.server.early_data_left == LIMIT - 5


def test_a_ticket_that_forbids(world: World) -> None:
    """A client that offers early data all the same."""
    session = world.session(world.server_config(max_early_data=0))
    pair = world.pair(evolve(session, max_early_data=LIMIT), early=b"early")
    pair.pump()
    assert said(pair) == rejected(EarlyDataReason.TICKET_FORBIDS)


def test_the_protocol_is_the_one_that_is_selected_now(world: World) -> None:
    """Not one of those that the client offers."""
    client = world.client_config(alpn_protocols=(b"http/1.1", b"h2"))
    session = world.session(world.server_config(alpn_protocols=(b"http/1.1",)), client)
    for protocols, expected in (
        ((b"http/1.1",), ACCEPTED),
        ((b"h2", b"http/1.1"), rejected(EarlyDataReason.ALPN_MISMATCH)),
        ((b"h2",), rejected(EarlyDataReason.ALPN_MISMATCH)),
    ):
        server = world.server_config(alpn_protocols=protocols)
        pair = world.pair(session, server=server, client=client, early=b"early")
        pair.pump()
        assert said(pair) == expected


def test_a_ticket_of_a_resumption_says_what_holds_now(world: World) -> None:
    """Not what the session before it said: its limit, its protocol, its suite, its name."""
    suites = (CipherSuite.AES_128_GCM_SHA256, CipherSuite.CHACHA20_POLY1305_SHA256)
    client = world.client_config(alpn_protocols=(b"http/1.1", b"h2"), resume_with_other_name=True)
    before = world.server_config(cipher_suites=suites[:1], alpn_protocols=(b"h2",))
    server = partial(
        world.server_config,
        cipher_suites=suites[1:],
        alpn_protocols=(b"http/1.1",),
        resume_with_other_name=True,
    )
    for limit in (0, 5, 2 * LIMIT):
        now = server(max_early_data=limit)
        pair = world.pair(world.session(before, client), server=now, client=client, server_name="127.0.0.1")
        pair.pump()
        done = pair.event("server", HandshakeCompleted)
        assert done.resumed
        (ours,), (theirs,) = pair.events("server", TicketIssued), pair.events("client", TicketReceived)
        for session in (ours.session, theirs.session):
            assert (session.max_early_data, session.alpn, session.cipher_suite) == (
                limit,
                b"http/1.1",
                suites[1],
            )
        assert (ours.session.server_name, theirs.session.server_name) == (None, "127.0.0.1")
        assert done.session is not None
        assert (done.session.max_early_data, done.session.server_name) == (LIMIT, "server.example")


def test_no_protocol_equals_no_protocol(world: World) -> None:
    client, server = world.client_config(alpn_protocols=()), world.server_config()
    session = world.session(server, client)
    pair = world.pair(session, server=server, client=client, early=b"early")
    pair.pump()
    assert said(pair) == ACCEPTED
    hand_made = EarlyClient(server, evolve(session, alpn=b"h2")).begin_early()
    hand_made.send(APPLICATION_DATA, b"early")
    assert hand_made.victim.early_data_reason is EarlyDataReason.ALPN_MISMATCH


def test_another_name_refuses_though_the_session_goes_on(world: World) -> None:
    server = world.server_config(resume_with_other_name=True)
    pair = ConnectionPair(world.client_config(), server, server_name="127.0.0.1")
    pair.pump()
    nameless = pair.events("client", TicketReceived)[0].session
    client = EarlyClient(server, nameless).begin_early()
    assert client.victim.early_data_reason is EarlyDataReason.NAME_MISMATCH
    client.listen().to_handshake_keys().say_finished().listen()
    assert next(event for event in client.events if isinstance(event, HandshakeCompleted)).resumed


def test_the_policy_is_that_of_the_selected_config(world: World) -> None:
    """Whatever the config says with which the connection began."""
    on, off = world.server_config(), world.server_config(max_early_data=0)
    session = world.session()
    for first, second, expected in (
        (off, on, ACCEPTED),
        (on, off, rejected(EarlyDataReason.DISABLED)),
    ):
        asking = evolve(first, answers={SelectConfig: lambda _, chosen=second: UseConfig(chosen)})
        pair = world.pair(session, server=asking, early=b"early")
        pair.pump()
        assert said(pair) == expected
    asking = evolve(off, answers={SelectConfig: lambda _: UseConfig(on)})
    assert world.session(asking).max_early_data == LIMIT


def test_after_a_retry_there_is_none(world: World) -> None:
    server = world.server_config(groups=world.server_config().groups[1:])
    pair = world.pair(world.session(), server=server, early=b"early")
    pair.pump()
    assert said(pair) == rejected(EarlyDataReason.HELLO_RETRY)


def test_no_session_no_early_data(world: World) -> None:
    pair = world.pair(
        world.session(), server=world.server_config(session_id_context=b"another"), early=b"early"
    )
    pair.pump()
    assert said(pair) == rejected(EarlyDataReason.NOT_RESUMED)
    assert not pair.event("server", HandshakeCompleted).resumed


# --- time --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "drift", "accepted"),
    [
        (10, 10, 10, True),
        (10, 10, 10.001, False),
        (10, 10, -10, True),
        (10, 10, -10.001, False),
        (1, 9, 9, True),
        (1, 9, -1.001, False),
        (0, 0, 0, True),
        (0, 0, 0.001, False),
        (0, 0, -0.001, False),
    ],
)
def test_the_window_is_for_the_drift(
    world: World, before: float, after: float, drift: float, accepted: bool
) -> None:
    """And not for the age: an old ticket is as good as a new one."""
    world.now = float(int(world.now))
    session = world.session()
    world.now += 5000
    flight = world.first_flight(b"early", session)
    world.now += drift
    server = ServerConnection(world.server_config(early_data_window=(before, after)))
    events = server.receive_data(flight)
    assert (server.early_data is EarlyDataStatus.ACCEPTED) == accepted
    assert early_data_of(events) == (b"early" if accepted else b"")
    if not accepted:
        assert server.early_data_reason is EarlyDataReason.AGE_SKEW


def test_a_ticket_from_the_future_is_a_drift_too(world: World) -> None:
    """Of a server whose clock is 5 s ahead of ours."""
    ahead = World(now=world.now + 5)
    session = evolve(world.session(ahead.server_config(), world.client_config()), issued_at=world.now)
    for difference, expected in ((0, EarlyDataStatus.ACCEPTED), (-6, EarlyDataStatus.REJECTED)):
        flight = world.first_flight(b"early", session)
        late = World(now=world.now + difference)
        server = ServerConnection(late.server_config())
        server.receive_data(flight)
        assert server.early_data is expected


def test_an_age_below_zero_wraps(world: World) -> None:
    """A client whose clock was set back says 2^32 less a bit, and is 1.5 s from where it should be."""
    session = world.session()
    client = EarlyClient(
        world.server_config(), evolve(session, age_add=(session.age_add - 1500) & 0xFFFFFFFF)
    )
    client.begin_early()
    assert client.victim.early_data is EarlyDataStatus.ACCEPTED
    far = EarlyClient(world.server_config(), evolve(session, age_add=(session.age_add - 15_000) & 0xFFFFFFFF))
    far.begin_early()
    assert far.victim.early_data_reason is EarlyDataReason.AGE_SKEW


# --- the application's word --------------------------------------------------------------------------------------


def test_what_the_application_is_shown(world: World) -> None:
    world.now = float(int(world.now))
    asked: list[AdmitEarlyData] = []

    def admit(question: AdmitEarlyData) -> AcceptEarlyData:
        asked.append(question)
        return AcceptEarlyData()

    session = world.session()
    world.now += 100
    flight = world.first_flight(b"early", session)
    world.now += 2.5
    server = ServerConnection(world.server_config(answers={AdmitEarlyData: admit}))
    server.receive_data(flight)
    (question,) = asked
    assert (question.age, question.drift, question.limit) == (100, 2.5, LIMIT)
    assert question.session.server_name == question.connection.server_name == "server.example"
    assert question.session.alpn == question.connection.alpn_protocol == b"h2"
    assert question.client_hello.find(type(question.client_hello.extensions[0])) is not None
    assert server.early_data is EarlyDataStatus.ACCEPTED


@pytest.mark.parametrize(("changes", "reason"), REFUSALS)
def test_it_is_not_asked_where_it_would_change_nothing(
    world: World, changes: dict[str, Any], reason: EarlyDataReason
) -> None:
    def never(question: object) -> AcceptEarlyData:
        raise AssertionError

    answers = {AdmitEarlyData: never, ClaimEarlyData: never} if changes.get("max_early_data", 1) else {}
    server = world.server_config(**changes, answers=answers)
    pair = world.pair(world.session(), server=server, early=b"early")
    pair.pump()
    assert said(pair) == rejected(reason)


def test_the_application_says_no(world: World) -> None:
    """Then nothing is claimed."""
    replay = recorder()
    answers = {AdmitEarlyData: lambda _: RefuseEarlyData("not for this user")}
    server = world.server_config(answers=answers, replay=replay)
    pair = world.pair(world.session(), server=server, early=b"early")
    pair.pump()
    assert said(pair) == rejected(EarlyDataReason.NOT_ADMITTED)
    assert pair.event("server", HandshakeCompleted).record.early_data.detail == "not for this user"
    assert len(replay) == 0


class Down(Exception):
    pass


def _raise(question: object) -> Any:
    raise Down("secret")


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ({AdmitEarlyData: _raise}, EarlyDataReason.NOT_ADMITTED),
        ({ClaimEarlyData: _raise}, EarlyDataReason.NOT_CLAIMED),
    ],
)
def test_a_function_that_raises_is_a_refusal(
    world: World, answers: dict[Any, Any], reason: EarlyDataReason
) -> None:
    """The connection goes on (RFC 9846 section 8.2); the record names the exception, and does not say its text."""
    pair = world.pair(world.session(), server=world.server_config(answers=answers), early=b"early")
    pair.pump()
    assert said(pair) == rejected(reason)
    assert pair.event("server", HandshakeCompleted).record.early_data.detail == "Down"
    assert pair.event("server", HandshakeCompleted).resumed


def test_a_recorder_that_raises_is_a_refusal(world: World) -> None:
    class Broken(ReplayRecorder):
        def claim(self, key: bytes, now: float) -> bool:
            raise Down

    pair = world.pair(world.session(), server=world.server_config(replay=Broken()), early=b"early")
    pair.pump()
    assert said(pair) == rejected(EarlyDataReason.NOT_CLAIMED)


def test_it_is_claimed_as_of_when_it_came(world: World) -> None:
    """However long the application takes to decide: the record is of ClientHellos."""
    times: list[float] = []

    class Noting(ReplayRecorder):
        def claim(self, key: bytes, now: float) -> bool:
            times.append(now)
            return True

    server = world.server_config(replay=Noting(), answers={AdmitEarlyData: ASK})
    pair = world.pair(world.session(), server=server, early=b"early")
    pair.carry("client")
    came = world.now
    world.now += 3
    pair.send("server", AcceptEarlyData())
    assert pair.server.early_data is EarlyDataStatus.ACCEPTED
    assert times == [came]


@pytest.mark.parametrize("claimed", [True, False])
def test_answers_that_come_later(world: World, claimed: bool) -> None:
    """Early data waits meanwhile, within ``max_buffered``; nothing of the answer has left."""
    server = world.server_config(answers={AdmitEarlyData: ASK, ClaimEarlyData: ASK})
    pair = world.pair(world.session(), server=server, early=b"early")
    pair.carry("client")
    assert [type(event) for event in pair.server_events] == [AdmitEarlyData]
    assert pair.server.data_to_send() == b""
    came = world.now
    world.now += 3
    pair.send("server", AcceptEarlyData(), pump=False)
    question = pair.server.pending
    assert isinstance(question, ClaimEarlyData)
    assert len(question.key) == 32
    assert question.until == came + 20
    assert pair.server.data_to_send() == b""
    pair.send(
        "server", EarlyDataClaimed() if claimed else EarlyDataNotClaimed("no answer in time"), pump=False
    )
    pair.pump()
    assert early_data_of(pair.server_events) == (b"early" if claimed else b"")
    outcome = pair.event("server", HandshakeCompleted).record.early_data
    assert outcome.detail == ("" if claimed else "no answer in time")
    assert pair.server.early_data is (EarlyDataStatus.ACCEPTED if claimed else EarlyDataStatus.REJECTED)


# --- a refusal changes nothing else ------------------------------------------------------------------------------


def outcome(world: World, server: Any, client: Any, session: Session, early: bytes) -> tuple[Any, ...]:
    pair = world.pair(session, server=server, client=client, early=early)
    pair.pump()
    pair.send("client", SendData(b"question"))
    pair.send("server", SendData(b"answer"))
    done = pair.event("server", HandshakeCompleted)
    kinds = [type(event) for event in pair.server_events]
    record = evolve(done.record, early_data=EarlyDataOutcome())
    return record, done.session, kinds, pair.data("client"), pair.data("server")


@pytest.mark.parametrize(
    "changes",
    [
        {"max_early_data": 0},
        {"max_early_data": 1},
        {"early_data_window": (0, 1)},
        {"answers": {AdmitEarlyData: lambda _: RefuseEarlyData()}},
        {"answers": {ClaimEarlyData: lambda _: EarlyDataNotClaimed()}},
        {"session_id_context": b"another"},
    ],
)
def test_a_refusal_is_as_if_none_had_been_offered(world: World, changes: dict[str, Any]) -> None:
    session = world.session()
    server = world.server_config(**changes)
    world.now += 2
    session = evolve(session, issued_at=session.issued_at - 2)
    with_it = outcome(world, server, world.client_config(), session, b"early")
    without = outcome(world, server, world.client_config(early_data=False), session, b"")
    assert with_it == without


# --- half-RTT ----------------------------------------------------------------------------------------------------


def test_the_server_waits_unless_it_may_not(world: World) -> None:
    pair = world.pair(early=b"early")
    pair.carry("client")
    with pytest.raises(
        LocalProtocolError, match="SendData before HandshakeCompleted; expected half_rtt=True"
    ):
        pair.server.send(SendData(b"an answer"))
    pair.pump()
    pair.send("server", SendData(b"an answer"))
    assert pair.data("client") == b"an answer"


def test_half_rtt(world: World) -> None:
    """The answer is there with the server's first flight."""
    pair = world.pair(world.session(), server=world.server_config(half_rtt=True), early=b"early")
    pair.carry("client")
    pair.send("server", SendData(b"an answer"), pump=False)
    pair.carry("server")
    assert pair.data("client") == b"an answer"
    kinds = [type(event) for event in pair.client_events]
    assert kinds.index(HandshakeCompleted) < kinds.index(DataReceived)
    assert pair.events("server", HandshakeCompleted) == []
    pair.pump()
    assert pair.event("server", HandshakeCompleted)


def test_half_rtt_without_early_data(world: World) -> None:
    pair = ConnectionPair(world.client_config(), world.server_config(half_rtt=True))
    pair.carry("client")
    pair.send("server", SendData(b"a greeting"))
    assert pair.data("client") == b"a greeting"


@pytest.mark.parametrize("mode", [ClientAuthentication.OPTIONAL, ClientAuthentication.REQUIRED])
def test_no_half_rtt_where_the_client_has_a_certificate(world: World, mode: ClientAuthentication) -> None:
    server = world.server_config(half_rtt=True, client_authentication=mode, trust_anchors=anchors())
    client = world.client_config(credentials=[client_credential()])
    pair = world.pair(world.session(server, client), server=server, client=client, early=b"early")
    pair.carry("client")
    assert early_data_of(pair.server_events) == b"early"
    with pytest.raises(LocalProtocolError, match="where the client's certificate matters"):
        pair.server.send(SendData(b"an answer"))
    pair.pump()
    pair.send("server", SendData(b"an answer"))
    assert pair.data("client") == b"an answer"


def test_half_rtt_until_the_key_is_worn_out(world: World) -> None:
    pair = world.pair(world.session(), server=world.server_config(half_rtt=True), early=b"early")
    pair.carry("client")
    sealer = pair.server._engine.outbound.writer.sealer
    assert sealer is not None
    sealer.sequence = sealer.replace_at
    with pytest.raises(
        LocalProtocolError, match=r"SendData of 1 bytes, and the key is good for 16 more records"
    ):
        pair.server.send(SendData(b"x"))


# --- the exporter, and the key log -------------------------------------------------------------------------------

Export = Callable[[str, bytes | None, int], bytes]


def test_the_early_exporter(world: World) -> None:
    """On a client while it is not refused, on a server when it has accepted; the same on both, and for a replay too."""
    pair = world.pair(early=b"early")
    with pytest.raises(LocalProtocolError, match="export_early_keying_material in WaitClientHello; expected"):
        pair.server.export_early_keying_material("label", b"", 16)
    before = pair.client.export_early_keying_material("label", b"context", 32)
    pair.pump()
    for side in (pair.client, pair.server):
        assert side.export_early_keying_material("label", b"context", 32) == before
        assert side.export_early_keying_material("label", None, 8) == side.export_early_keying_material(
            "label", b"", 8
        )
        assert side.export_keying_material("label", b"context", 32) != before
        with pytest.raises(LocalProtocolError, match="exporter label"):
            side.export_early_keying_material("lab\u00e9l", b"", 16)


def test_no_early_exporter_after_a_refusal(world: World) -> None:
    pair = world.pair(world.session(), server=world.server_config(max_early_data=0), early=b"early")
    assert pair.client.export_early_keying_material("label", b"", 16)
    pair.pump()
    for side in (pair.client, pair.server):
        with pytest.raises(LocalProtocolError, match="expected early data that was offered and not refused"):
            side.export_early_keying_material("label", b"", 16)


def test_the_key_log(world: World) -> None:
    logs: dict[str, list[str]] = {"client": [], "server": []}
    client = world.client_config(key_log=logs["client"].append)
    server = world.server_config(key_log=logs["server"].append)
    session = world.session()
    pair = world.pair(session, client=client, server=server, early=b"early")
    pair.pump()
    labels = {side: {line.split()[0]: line for line in lines} for side, lines in logs.items()}
    for label in ("CLIENT_EARLY_TRAFFIC_SECRET", "EARLY_EXPORTER_SECRET"):
        assert labels["client"][label] == labels["server"][label]
    assert labels["client"] == labels["server"]


def test_no_secret_in_a_repr(world: World) -> None:
    pair = world.pair(early=b"early")
    pair.carry("client")
    for side in (pair.client, pair.server):
        exporter = side._engine.early_exporter
        assert exporter is not None
        shown = repr(side._engine.state)
        assert exporter.secret.hex() not in shown
        assert not re.search(re.escape(repr(exporter.secret)[2:-1][:12]), shown)


def test_tls_12_has_none_of_this(world: World) -> None:
    only12 = {"versions": (ProtocolVersion.TLS_1_2,)}
    pair = ConnectionPair(world.client_config(**only12), world.server_config(**only12))
    pair.pump()
    assert pair.client.early_data_reason is EarlyDataReason.NO_SESSION
    assert pair.server.early_data is EarlyDataStatus.NOT_OFFERED
    assert {event.session.max_early_data for event in pair.events("server", TicketIssued)} == {0}
