"""Forks, in this process and for another: a connection in any state goes on as the original would have."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from fuzz.world import (
    ASKED,
    CONVERSATIONS,
    SIDES,
    Connection,
    Conversation,
    converse,
    default_answer,
    moments,
)
from sansticket.commands import Close, Command
from sansticket.crypto.suites import SUITES

FORKS: Final[dict[str, Callable[[Connection], Connection]]] = {
    "fork": lambda connection: connection.fork(),
    "fork of a fork": lambda connection: connection.fork().fork(),
    "pickle": lambda connection: pickle.loads(pickle.dumps(connection.fork())),
}


@pytest.mark.parametrize("fork", FORKS.values(), ids=FORKS.keys())
@pytest.mark.parametrize("conversation", CONVERSATIONS, ids=lambda conversation: conversation.name)
def test_forks_go_on_as_the_original(
    conversation: Conversation, fork: Callable[[Connection], Connection]
) -> None:
    """Before every input a fork is made, which gets the same input: the same events, the same bytes."""
    client, server = conversation.open()
    plain = list(converse(*conversation.open(), conversation.talk))
    sides: dict[str, Connection] = {"client": client, "server": server}
    outputs = {"client": client.data_to_send(), "server": server.data_to_send()}
    for side, item, events in plain:
        connection = sides[side]
        connection.data_to_send()
        twin = fork(connection)
        for one in (connection, twin):
            assert (one.send(item) if isinstance(item, Command) else one.receive_data(item)) == events
        outputs[side] = connection.data_to_send()
        assert twin.data_to_send() == outputs[side]
        assert (twin.state, twin.pending, twin.cipher_suite) == (
            connection.state,
            connection.pending,
            connection.cipher_suite,
        )
        sides[side] = fork(connection)


@pytest.mark.parametrize("fork", FORKS.values(), ids=FORKS.keys())
def test_what_happens_to_a_fork_happens_to_nobody_else(fork: Callable[[Connection], Connection]) -> None:
    for side in SIDES:
        for moment in moments(side):
            first, second = fork(moment), fork(moment)
            before = (second.state, second.pending, second._engine.outbound.writer.records_left)
            first.receive_data(b"\x16\x03\x03\0\1\0")
            first.send(Close())
            first.data_to_send()
            assert (second.state, second.pending, second._engine.outbound.writer.records_left) == before
            assert second.data_to_send() == moment.data_to_send() == b""
            assert second._engine.reader.buffered == 0


def test_open_questions_go_along() -> None:
    """What waits for an answer waits for it there too, and takes it."""
    asked = [moment for side in SIDES for moment in moments(side) if moment.pending is not None]
    assert {type(moment.pending) for moment in asked} == set(ASKED)
    for moment in asked:
        twin, other = pickle.loads(pickle.dumps(moment.fork())), moment.fork()
        assert twin.pending == moment.pending
        assert twin.send(default_answer(twin)) == other.send(default_answer(other))
        assert twin.data_to_send() == other.data_to_send()


def test_another_process() -> None:
    """It takes over a server in the middle of a handshake, and ends it."""
    client, server = CONVERSATIONS[0].open()
    server.receive_data(client.data_to_send())
    code = """
import pickle, sys
from fuzz.world import default_answer
server = pickle.loads(sys.stdin.buffer.read())
while server.pending is not None:
    server.send(default_answer(server))
sys.stdout.buffer.write(server.data_to_send())
"""
    root = Path(__file__).parent.parent.parent
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=pickle.dumps(server.fork()),
        capture_output=True,
        check=True,
        cwd=root,
    )
    while server.pending is not None:
        server.send(default_answer(server))
    assert done.stdout == server.data_to_send()
    client.receive_data(done.stdout)
    assert client.state == "tls13.AskVerifyPeer"


@pytest.mark.parametrize("suite", SUITES.values(), ids=lambda suite: suite.suite.name)
def test_suites_are_the_same_after_pickling(suite: object) -> None:
    assert pickle.loads(pickle.dumps(suite)) is suite
