"""Clients that do not keep to the rules of early data: what is read, what is dropped, and what ends the connection."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve

from sansticket.codes import AlertDescription, AlertLevel, CipherSuite, NamedGroup
from sansticket.errors import Reason
from sansticket.events import (
    ConnectionTerminated,
    DataReceived,
    EarlyDataEnded,
    EarlyDataReceived,
    HandshakeCompleted,
)
from sansticket.handshake.server.tls13.early_data import LEAST_SKIPPED, SLACK
from sansticket.keys.tls13 import finished_mac
from sansticket.tickets.early_data import EarlyDataReason, EarlyDataStatus
from sansticket.wire.messages.alert import Alert
from sansticket.wire.messages.hello import ClientHello
from sansticket.wire.messages.tls13 import EndOfEarlyData, Finished, KeyUpdate
from tests.support.early_data import LIMIT, EarlyClient, World, early_data_of
from tests.support.hostile import ALERT, APPLICATION_DATA, HANDSHAKE, held_bytes
from tests.support.refusals import ends, refused

EOED = EndOfEarlyData().encode()
P256 = NamedGroup.SECP256R1


def early_client(world: World | None = None, **changes: Any) -> EarlyClient:
    """Its early data is accepted, unless the server's config says otherwise."""
    world = world or World()
    session = world.session()
    return EarlyClient(world.server_config(**changes), session).begin_early().hear()


def accepted(client: EarlyClient) -> EarlyClient:
    assert client.victim.early_data is EarlyDataStatus.ACCEPTED
    return client


# --- accepted ----------------------------------------------------------------------------------------------------


def test_a_hand_made_client_can_do_it() -> None:
    client = accepted(early_client())
    client.send(APPLICATION_DATA, b"early")
    client.say(EndOfEarlyData()).to_handshake_keys().say_finished().listen()
    client.send(APPLICATION_DATA, b"data")
    client.assert_alive()
    kinds = [type(event) for event in client.events]
    assert kinds[:3] == [EarlyDataReceived, EarlyDataEnded, HandshakeCompleted]
    assert client.events[-1] == DataReceived(b"data")


def test_none_at_all_is_early_data_too() -> None:
    client = accepted(early_client())
    client.say(EndOfEarlyData()).to_handshake_keys().say_finished().listen()
    client.assert_alive()
    assert early_data_of(client.events) == b""
    assert EarlyDataEnded() in client.events


@pytest.mark.parametrize("sizes", [[LIMIT], [400, 600], [1] * LIMIT])
def test_exactly_the_limit(sizes: list[int]) -> None:
    """Padding and the byte of the type do not count."""
    client = accepted(early_client())
    for size in sizes:
        client.deliver(client.record(APPLICATION_DATA, bytes(size), padding=50))
    client.assert_alive()
    assert client.victim.early_data_left == 0
    assert len(early_data_of(client.events)) == LIMIT


@pytest.mark.parametrize("sizes", [[LIMIT + 1], [LIMIT, 1], [400, 400, 400]])
@refused(Reason.TOO_MUCH_EARLY_DATA, AlertDescription.UNEXPECTED_MESSAGE)
def test_more_than_the_limit(sizes: list[int]) -> EarlyClient:
    """However slowly it is read: the counter is the connection's."""
    client = accepted(early_client())
    for size in sizes:
        client.send(APPLICATION_DATA, bytes(size))
    assert len(early_data_of(client.events)) <= LIMIT
    return client


def test_empty_records_in_between() -> None:
    client = accepted(early_client())
    for _ in range(31):
        client.send(APPLICATION_DATA, b"")
    client.send(APPLICATION_DATA, b"abc")
    client.assert_alive()
    assert early_data_of(client.events) == b"abc"


@refused(Reason.TOO_MANY_EMPTY_RECORDS)
def test_a_flood_of_empty_records() -> EarlyClient:
    client = accepted(early_client())
    for _ in range(40):
        if not client.over:
            client.send(APPLICATION_DATA, b"")
    return client


@refused(Reason.BAD_RECORD_MAC)
def test_a_record_that_does_not_decrypt() -> EarlyClient:
    """Dropping is for what was refused."""
    client = accepted(early_client())
    record = bytearray(client.record(APPLICATION_DATA, b"early"))
    record[-1] ^= 1
    client.deliver(bytes(record))
    return client


@refused(Reason.BAD_RECORD_MAC)
def test_no_end_of_early_data() -> EarlyClient:
    client = accepted(early_client())
    client.send(APPLICATION_DATA, b"early")
    return client.to_handshake_keys().say_finished()


@refused(Reason.UNEXPECTED_MESSAGE)
def test_it_ends_twice() -> EarlyClient:
    client = accepted(early_client())
    client.say(EndOfEarlyData()).to_handshake_keys().say(EndOfEarlyData())
    return client


@refused(Reason.BAD_RECORD_MAC)
def test_it_ends_twice_under_its_own_keys() -> EarlyClient:
    client = accepted(early_client())
    client.say(EndOfEarlyData())
    client.send(HANDSHAKE, EOED)
    return client


@refused(Reason.BAD_RECORD_MAC)
def test_early_data_after_its_end() -> EarlyClient:
    client = accepted(early_client())
    client.say(EndOfEarlyData())
    client.send(APPLICATION_DATA, b"late")
    return client


@refused(Reason.UNEXPECTED_MESSAGE)
def test_early_data_under_the_keys_of_the_handshake() -> EarlyClient:
    client = accepted(early_client())
    client.say(EndOfEarlyData()).to_handshake_keys()
    client.send(APPLICATION_DATA, b"late")
    return client


@refused(Reason.UNEXPECTED_MESSAGE)
def test_an_empty_record_under_the_keys_of_the_handshake() -> EarlyClient:
    client = accepted(early_client())
    client.say(EndOfEarlyData()).to_handshake_keys()
    client.send(APPLICATION_DATA, b"")
    return client


@refused(Reason.MALFORMED_MESSAGE)
def test_an_end_that_is_not_empty() -> EarlyClient:
    client = accepted(early_client())
    client.send(HANDSHAKE, b"\x05\0\0\x01\0")
    return client


@refused(Reason.MESSAGE_ACROSS_KEY_CHANGE)
def test_an_end_that_is_not_the_last_of_its_record() -> EarlyClient:
    client = accepted(early_client())
    client.send(HANDSHAKE, EOED + Finished(bytes(32)).encode())
    return client


@refused(Reason.UNEXPECTED_MESSAGE)
def test_data_amid_the_end() -> EarlyClient:
    client = accepted(early_client())
    client.send(HANDSHAKE, EOED[:2])
    client.send(APPLICATION_DATA, b"early")
    return client


def test_an_end_in_two_records() -> None:
    client = accepted(early_client())
    client.transcript = client.transcript.plus(EOED)
    client.send(HANDSHAKE, EOED[:2])
    client.send(HANDSHAKE, EOED[2:])
    client.to_handshake_keys().say_finished().assert_alive()


@pytest.mark.parametrize("message", [Finished(bytes(32)), KeyUpdate(0), KeyUpdate(1)])
@refused(Reason.UNEXPECTED_MESSAGE)
def test_another_message_under_the_keys_of_early_data(message: Any) -> EarlyClient:
    client = accepted(early_client())
    client.send_message(message)
    return client


@refused(Reason.UNEXPECTED_MESSAGE)
def test_a_second_hello_under_the_keys_of_early_data() -> EarlyClient:
    client = accepted(early_client())
    client.send_message(client.hello())
    return client


@refused(Reason.BAD_FINISHED, AlertDescription.DECRYPT_ERROR)
def test_a_finished_that_is_wrong() -> EarlyClient:
    """The early data was delivered; that the handshake was never completed is said after it."""
    client = accepted(early_client())
    client.send(APPLICATION_DATA, b"early")
    client.say(EndOfEarlyData()).to_handshake_keys().say(Finished(bytes(32)))
    kinds = [type(event) for event in client.events]
    assert kinds == [EarlyDataReceived, EarlyDataEnded, ConnectionTerminated]
    return client


@refused(Reason.BAD_FINISHED)
def test_a_finished_over_a_transcript_without_the_end() -> EarlyClient:
    client = accepted(early_client())
    before = client.transcript
    client.say(EndOfEarlyData()).to_handshake_keys()
    client.transcript = before
    return client.say_finished()


def test_the_application_keys_do_not_depend_on_the_end() -> None:
    """They, and the exporter, are of the transcript up to the server's Finished (RFC 9846 section 7.1)."""
    client = accepted(early_client())
    expected = client.application
    client.say(EndOfEarlyData()).to_handshake_keys().say_finished()
    state = client.victim._engine.state
    assert getattr(state, "reading_secret", None) == expected.client


@ends(Reason.PEER_ALERT)
def test_close_notify_under_the_keys_of_early_data() -> ConnectionTerminated:
    client = accepted(early_client())
    client.send(APPLICATION_DATA, b"early")
    client.send_alert(AlertDescription.CLOSE_NOTIFY, AlertLevel.WARNING)
    end = client.events[-1]
    assert isinstance(end, ConnectionTerminated)
    assert end.alert == AlertDescription.CLOSE_NOTIFY
    assert early_data_of(client.events) == b"early"
    return end


def test_user_canceled_under_the_keys_of_early_data() -> None:
    client = accepted(early_client())
    client.deliver(client.record(ALERT, Alert(AlertLevel.WARNING, AlertDescription.USER_CANCELED).encode()))
    client.assert_alive()


def test_the_server_answers_while_early_data_comes() -> None:
    """Its flight went out at once; early data behind it is taken until the end."""
    client = accepted(early_client())
    assert any(isinstance(message, Finished) for message in client.heard)
    client.send(APPLICATION_DATA, b"after your Finished")
    client.assert_alive()
    assert early_data_of(client.events) == b"after your Finished"


# --- refused -----------------------------------------------------------------------------------------------------


def refused_client(**changes: Any) -> EarlyClient:
    client = early_client(**{"early_data_window": (10, 10), "session_id_context": None, **changes})
    assert client.victim.early_data is EarlyDataStatus.REJECTED
    return client


def test_what_was_refused_is_dropped_and_not_kept() -> None:
    client = refused_client(max_early_data=0)
    for _ in range(60):
        client.send(APPLICATION_DATA, bytes(1000))
        assert held_bytes(client.victim) == 0
    client.to_handshake_keys().say_finished().listen()
    client.send(APPLICATION_DATA, b"in time")
    client.assert_alive()
    assert early_data_of(client.events) == b""
    assert client.events[-1] == DataReceived(b"in time")


def fill(client: EarlyClient, total: int) -> None:
    """Records of that much content together, which is what they cost."""
    for start in range(0, total, 16_000):
        client.send(APPLICATION_DATA, bytes(min(16_000, total - start)))


@pytest.mark.parametrize(
    ("ticket", "now", "bound"),
    [
        (LIMIT, 0, LEAST_SKIPPED + SLACK),
        (LIMIT, LIMIT - 1, LEAST_SKIPPED + SLACK),
        (100_000, 0, 100_000 + SLACK),
        (100_000, 150_000, 150_000 + SLACK),
    ],
)
def test_how_much_is_dropped(ticket: int, now: int, bound: int) -> None:
    """As much as the ticket allows, or the config, or a ticket of another server; and some slack."""
    world = World()
    session = world.session(world.server_config(max_early_data=ticket))
    late = evolve(session, age_add=(session.age_add + 60_000) & 0xFFFFFFFF)  # outside the window
    for total, taken in ((bound, True), (bound + 1, False)):
        client = EarlyClient(world.server_config(max_early_data=now), late).begin_early().hear()
        assert client.victim.early_data is EarlyDataStatus.REJECTED
        fill(client, total)
        if taken:
            client.to_handshake_keys().say_finished().assert_alive()
        else:
            client.assert_refused(Reason.TOO_MUCH_EARLY_DATA, AlertDescription.UNEXPECTED_MESSAGE)


@refused(Reason.BAD_RECORD_MAC)
def test_nothing_is_dropped_after_the_first_record_that_opens() -> EarlyClient:
    client = refused_client(max_early_data=0)
    late = client.record(APPLICATION_DATA, b"late")
    client.to_handshake_keys()
    finished = client.say_finished()
    assert isinstance(finished, EarlyClient)
    client.deliver(late)
    return client


@refused(Reason.UNEXPECTED_MESSAGE)
def test_an_end_of_what_was_refused() -> EarlyClient:
    client = refused_client(max_early_data=0)
    client.send(APPLICATION_DATA, b"early")
    client.to_handshake_keys().say(EndOfEarlyData())
    return client


@refused(Reason.UNEXPECTED_MESSAGE)
def test_handshake_records_are_not_dropped() -> EarlyClient:
    """Only what looks like application data can be early data."""
    client = refused_client(max_early_data=0)
    client.sealer = None
    client.send(HANDSHAKE, EOED)
    return client


@refused(Reason.BAD_RECORD_MAC)
def test_what_was_never_announced_is_not_dropped() -> EarlyClient:
    world = World()
    client = EarlyClient(world.server_config(), world.session())
    client.edits = {}
    client.begin_early().hear().send(APPLICATION_DATA, b"early")
    return client


# --- with a retry ------------------------------------------------------------------------------------------------


def retried(**changes: Any) -> EarlyClient:
    """The server has asked for another share; the client goes on with early data that was on its way."""
    world = World(server={"groups": (P256,)})
    client = EarlyClient(world.server_config(**changes), world.session())
    return client.begin_early()


def second_hello(client: EarlyClient) -> EarlyClient:
    client.edits = {}
    client.sealer = None
    client.hear_retry().say_hello()
    return client


def test_what_is_on_its_way_is_dropped_until_the_second_hello() -> None:
    client = retried()
    client.send(APPLICATION_DATA, b"before the retry was there")
    early = client.sealer
    client.sealer = None
    client.hear_retry()
    client.sealer = early
    client.send(APPLICATION_DATA, b"and after")
    client.edits, client.sealer = {}, None
    client.say_hello().listen().to_handshake_keys().say_finished().listen()
    client.assert_alive()
    done = next(event for event in client.events if isinstance(event, HandshakeCompleted))
    assert done.resumed
    assert done.record.early_data.reason is EarlyDataReason.HELLO_RETRY
    assert early_data_of(client.events) == b""


@refused(Reason.BAD_RECORD_MAC)
def test_there_is_no_slack_after_the_second_hello() -> EarlyClient:
    client = retried()
    late = client.record(APPLICATION_DATA, b"late")
    second_hello(client).deliver(late)
    return client


@refused(Reason.CHANGED_AFTER_RETRY)
def test_early_data_once_more_with_the_second_hello() -> EarlyClient:
    client = retried()
    client.sealer = None
    client.hear_retry().say_hello()
    return client


@pytest.mark.parametrize(("allowed", "bound"), [(LIMIT, LEAST_SKIPPED), (100_000, 100_000)])
def test_how_much_is_dropped_with_a_retry(allowed: int, bound: int) -> None:
    for total, taken in ((bound + SLACK, True), (bound + SLACK + 1, False)):
        client = retried(max_early_data=allowed)
        fill(client, total)
        if taken:
            second_hello(client).listen().to_handshake_keys().say_finished().assert_alive()
        else:
            client.assert_refused(Reason.TOO_MUCH_EARLY_DATA)


# --- three states ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "first", "second"),
    [
        ("without", "refused", "refused"),
        ("refused", "dropped", "refused"),
        ("retried", "dropped", "dropped"),
        ("accepted", "delivered", "delivered"),
    ],
)
def test_the_same_record_means_something_else_in_each(how: str, first: str, second: str) -> None:
    """Garbage, then an unprotected look-alike: where nothing was announced both are fatal, and so on."""
    world = World(server={"groups": (P256,)} if how == "retried" else {})
    session = world.session()
    client = EarlyClient(world.server_config(max_early_data=0 if how == "refused" else LIMIT), session)
    if how == "without":
        client.edits = {}
    client.begin_early()
    client.send(APPLICATION_DATA, b"early")
    seen = "refused" if client.over else "delivered" if early_data_of(client.events) else "dropped"
    assert seen == first
    if seen == "dropped":
        client.hear() if how == "refused" else None
        rest = client.to_handshake_keys().say_finished() if how == "refused" else client
        rest.deliver(b"\x17\x03\x03\0\x20" + bytes(32))
        assert ("refused" if client.over else "dropped") == second


# --- what must be so for early data at all -----------------------------------------------------------------------


def test_early_data_with_a_binder_that_is_wrong_burns_nothing() -> None:
    world = World()
    session, config = world.session(), world.server_config()
    wrong = EarlyClient(config, session, binders=lambda made: [bytes(len(one)) for one in made])
    wrong.say_hello()
    wrong.assert_refused(Reason.BAD_BINDER)
    assert config.replay is not None
    assert len(config.replay) == 0
    right = EarlyClient(config, session).begin_early()
    assert right.victim.early_data is EarlyDataStatus.ACCEPTED


@refused(Reason.MESSAGE_ACROSS_KEY_CHANGE)
def test_a_hello_that_is_not_the_last_of_its_record() -> EarlyClient:
    world = World()
    session = world.session()
    client = EarlyClient(world.server_config(), session)
    raw = client.bound(client.edits[ClientHello](client.hello()))  # type: ignore[arg-type]  # a message
    client.send(HANDSHAKE, raw + EOED)
    return client


def test_a_suite_of_the_same_hash_is_not_the_same() -> None:
    """The session goes on, and its early data is not read under keys of another kind."""
    world = World()
    session = world.session()
    other = CipherSuite.CHACHA20_POLY1305_SHA256
    client = EarlyClient(world.server_config(), session, suite=other).begin_early()
    client.send(APPLICATION_DATA, b"early")
    client.assert_alive()
    assert client.victim.early_data_reason is EarlyDataReason.SUITE_MISMATCH


def test_cuts_make_no_difference() -> None:
    """Early data, its end and Finished, in pieces of every size."""
    world = World()
    client = EarlyClient(world.server_config(), world.session()).begin_early().hear()
    fork = client.victim.fork()
    data = client.record(APPLICATION_DATA, b"one") + client.record(APPLICATION_DATA, b"two")
    data += client.record(HANDSHAKE, EOED)
    client.transcript = client.transcript.plus(EOED)
    client.to_handshake_keys()
    mac = finished_mac(client.suite.hash_name, client.traffic.client, client.transcript.digest())
    data += client.record(HANDSHAKE, Finished(mac).encode())
    whole = fork.fork().receive_data(data)
    for size in (1, 2, 3, 7, 30):
        cut = fork.fork()
        events = [
            event
            for start in range(0, len(data), size)
            for event in cut.receive_data(data[start : start + size])
        ]
        assert [type(event) for event in events] == [type(event) for event in whole]
        assert early_data_of(events) == early_data_of(whole) == b"onetwo"
        assert any(isinstance(event, HandshakeCompleted) for event in events)
