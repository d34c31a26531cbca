"""Copies and pickles: never do two connections write under the same keys (docs/secrets.md)."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any, Final

import pytest
from attrs import evolve

from fuzz.world import CONVERSATIONS, SIDES, Connection, default_answer, moments
from sansticket import (
    Abort,
    AbortHandshake,
    AcceptPeer,
    Close,
    Command,
    ConnectionTerminated,
    DataReceived,
    IssueTicket,
    KeysUpdated,
    LocalProtocolError,
    PeerAuthenticated,
    PeerClosed,
    RequestClientCertificate,
    SendData,
    TicketReceived,
    UpdateKeys,
    VerifyPeer,
)
from sansticket.tickets.stores.client import ClientSessionStore
from tests.support.configs import client_config, server_config
from tests.support.credentials import anchors, client_credential
from tests.support.pair import ConnectionPair

COPIES: Final[dict[str, Callable[[Connection], Connection]]] = {"copy": copy.copy, "deepcopy": copy.deepcopy}
COPY = pytest.mark.parametrize("duplicate", COPIES.values(), ids=COPIES)
SIDE = pytest.mark.parametrize("side", SIDES)
COMMANDS: Final = (
    SendData(b"data"),
    SendData(b""),
    UpdateKeys(),
    IssueTicket(),
    Close(),
    Abort(),
    AbortHandshake(),
)


def commands_for(connection: Connection) -> list[Command]:
    answers = [] if connection.pending is None else [default_answer(connection)]
    return [*COMMANDS, *answers]


def cannot_write(connection: Connection, why: str) -> None:
    for command in COMMANDS:
        with pytest.raises(LocalProtocolError, match=why):
            connection.send(command)
    assert connection.data_to_send() == b""
    assert connection._engine.outbound.writer.sealer is None


def facts(connection: Connection) -> tuple[Any, ...]:
    left = connection._engine.outbound.writer.records_left
    return connection.state, connection.pending, left, connection.cipher_suite, connection.session


@COPY
@SIDE
def test_a_copy_writes_nothing_in_any_state(side: Any, duplicate: Callable[[Connection], Connection]) -> None:
    for moment in moments(side):
        original = moment.fork()
        before = facts(original)
        twin = duplicate(original)
        assert type(twin) is type(original)
        assert (twin.state, twin.pending) == (original.state, original.pending)
        for command in commands_for(original):
            with pytest.raises(LocalProtocolError, match="on a copy, which only reads"):
                twin.send(command)
        cannot_write(twin, "on a copy, which only reads")
        if not twin._engine.state.ESTABLISHED:
            with pytest.raises(LocalProtocolError, match="receive_data on a copy"):
                twin.receive_data(b"\x16")
        cannot_write(duplicate(twin), "on a copy, which only reads")
        assert facts(original) == before
        assert original._engine.reader.buffered == 0


@SIDE
def test_a_pickle_takes_the_connection_along_in_any_state(side: Any) -> None:
    for moment in moments(side):
        original, reference = moment.fork(), moment.fork()
        twin = pickle.loads(pickle.dumps(original))
        assert facts(twin) == facts(reference)
        cannot_write(original, "on a connection that was pickled")
        assert (original.state, original.pending) == ("Ended", None)
        for data in (b"\x16\x03\x03\0\1\0", b""):
            with pytest.raises(LocalProtocolError, match="receive_data on a connection that was pickled"):
                original.receive_data(data)
        with pytest.raises(LocalProtocolError, match="pickle of a connection that was pickled"):
            pickle.dumps(original)
        cannot_write(copy.copy(original), "on a connection that was pickled")
        for command in commands_for(reference):
            outcomes = []
            for one in (twin.fork(), reference.fork()):
                try:
                    outcomes.append((one.send(command), one.data_to_send()))
                except LocalProtocolError as error:
                    outcomes.append((str(error), b""))
            assert outcomes[0] == outcomes[1]


@SIDE
def test_what_waits_to_be_written_goes_with_the_pickle_and_not_with_a_copy(side: Any) -> None:
    for conversation in CONVERSATIONS[:2]:
        client, server = conversation.open()
        if side == "server":
            server.receive_data(client.data_to_send())
            while server.pending is not None:
                server.send(default_answer(server))
        original: Connection = client if side == "client" else server
        expected = original.fork().data_to_send()
        assert expected
        assert copy.copy(original).data_to_send() == b""
        twin = pickle.loads(pickle.dumps(original))
        assert original.data_to_send() == b""
        assert twin.data_to_send() == expected


def connected(**server: Any) -> ConnectionPair:
    pair = ConnectionPair(client_config(), server_config(**server))
    pair.pump()
    return pair


def test_a_pickle_that_fails_leaves_the_connection_as_it_was() -> None:
    pair = connected(key_log=lambda line: None)
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(pair.server)
    pair.send("server", SendData(b"still here"))
    assert pair.data("client") == b"still here"


@pytest.mark.parametrize("ending", ["closed", "failed"])
def test_copies_of_what_has_ended_are_ended(ending: str) -> None:
    pair = connected()
    if ending == "closed":
        pair.send("client", Close())
        pair.send("server", Close())
    else:
        pair.server.receive_data(b"garbage")
    for duplicate in (*COPIES.values(), lambda one: pickle.loads(pickle.dumps(one))):
        for one in (pair.server, duplicate(pair.server)):
            assert one.state == "Ended"
            assert one.send(Close()) == []
            assert one.receive_data(b"more") == []
            with pytest.raises(LocalProtocolError, match="after the end of the connection"):
                one.send(SendData(b"x"))


@COPY
def test_a_copy_reads_on(duplicate: Callable[[Connection], Connection]) -> None:
    """Data, tickets and new keys; what would have to be answered is not, and the peer's end is seen."""
    pair = connected()
    twin = duplicate(pair.client)
    pair.server.send(IssueTicket())
    pair.server.send(SendData(b"one"))
    pair.server.send(UpdateKeys(request_peer=True))
    pair.server.send(SendData(b"two"))
    pair.server.send(Close())
    stream = pair.server.data_to_send()
    events = twin.receive_data(stream)
    assert [type(event) for event in events] == [
        TicketReceived,
        DataReceived,
        KeysUpdated,
        DataReceived,
        PeerClosed,
    ]
    assert b"".join(event.data for event in events if isinstance(event, DataReceived)) == b"onetwo"
    cannot_write(twin, "on a copy, which only reads")
    originals = [type(event) for event in pair.client.receive_data(stream)]
    assert [kind for kind in originals if kind is not KeysUpdated] == [
        type(event) for event in events if type(event) is not KeysUpdated
    ]
    assert pair.client.data_to_send(), "the original answers"


def test_a_copy_of_one_that_waits_for_new_keys() -> None:
    pair = connected()
    pair.client.send(UpdateKeys(request_peer=True))
    twin, moved = copy.copy(pair.client), pickle.loads(pickle.dumps(pair.client))
    pair.server.receive_data(moved.data_to_send())
    answer = pair.server.data_to_send()
    assert twin.receive_data(answer) == moved.receive_data(answer) == [KeysUpdated(by_peer=True)]
    cannot_write(twin, "on a copy")
    moved.send(SendData(b"on"))
    assert pair.server.receive_data(moved.data_to_send()) == [DataReceived(b"on")]


def test_a_copy_that_fails_says_nothing_and_takes_no_sessions_along() -> None:
    store = ClientSessionStore()
    pair = ConnectionPair(client_config(session_store=store), server_config())
    pair.pump()
    twin = copy.copy(pair.client)
    (end,) = twin.receive_data(b"garbage")
    assert isinstance(end, ConnectionTerminated)
    assert end.alert is None
    assert twin.data_to_send() == b""
    again = ConnectionPair(client_config(session_store=store), server_config())
    assert again.client._engine.state.offer.sessions


def test_a_copy_asks_nobody() -> None:
    """What the application answers is asked of it once; where it would be, the copy ends."""
    asked = []

    def verify(question: VerifyPeer) -> AcceptPeer:
        asked.append(question)
        return AcceptPeer()

    client = client_config(post_handshake_auth=True, credentials=[client_credential()])
    pair = ConnectionPair(client, server_config(trust_anchors=anchors(), answers={VerifyPeer: verify}))
    pair.pump()
    pair.server.send(RequestClientCertificate())
    pair.client.receive_data(pair.server.data_to_send())
    answer = pair.client.data_to_send()
    twin = copy.copy(pair.server)
    (question,) = twin.receive_data(answer)
    assert isinstance(question, VerifyPeer)
    assert asked == []
    with pytest.raises(LocalProtocolError, match="receive_data on a copy"):
        twin.receive_data(b"\x17")
    assert PeerAuthenticated(client_credential().chain) in pair.server.receive_data(answer)
    assert asked == [question]


def test_queued_tickets_go_along() -> None:
    pair = connected()
    pair.server.send(IssueTicket(2))
    moved = pickle.loads(pickle.dumps(pair.server))
    moved.send(Close())
    events = pair.client.receive_data(moved.data_to_send())
    assert [type(event) for event in events] == [TicketReceived, TicketReceived, PeerClosed]


def test_no_two_can_seal_with_one_key() -> None:
    """Of all that can be made of a connection but by ``fork``, one has the writing keys."""
    for side in SIDES:
        for moment in moments(side):
            original = moment.fork()
            had_keys = original._engine.outbound.writer.sealer is not None
            everybody = [original, copy.copy(original), copy.deepcopy(original)]
            everybody += [pickle.loads(pickle.dumps(original)), pickle.loads(pickle.dumps(everybody[1]))]
            writers = [one for one in everybody if not one._engine.spent]
            assert len(writers) == 1
            assert [one._engine.outbound.writer.sealer is not None for one in everybody].count(
                True
            ) == had_keys


def test_forks_share_what_the_config_refers_to() -> None:
    pair = connected()
    assert evolve(pair.server.fork()._engine.config) == evolve(pair.server._engine.config)
    assert pair.server.fork()._engine.config is pair.server._engine.config
