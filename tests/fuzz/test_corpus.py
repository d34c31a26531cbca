"""The fuzzers' seeds and their corpus hold, also where there is no Atheris; and the seeds are what they seem to be."""

from __future__ import annotations

import importlib
import random
import subprocess
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

from fuzz.__main__ import CORPUS, MAX_LENGTH, TARGETS
from fuzz.checks import feed, pieces
from fuzz.script import OPERATIONS, perform, step
from fuzz.seed import Seeds
from fuzz.world import CONVERSATIONS, SIDES, Conversation, Side, connection_at, place_number, places
from sansticket.events import DataReceived, HandshakeCompleted, PeerClosed
from sansticket.library import SSL_SESSIONS
from tests.support.newer import needs

pytestmark = needs(SSL_SESSIONS)


@cache
def seeds() -> dict[str, dict[str, bytes]]:
    return Seeds().contents


def inputs_of(target: str) -> dict[str, bytes]:
    """The seeds, and what was found since."""
    found = {path.name: path.read_bytes() for path in sorted((CORPUS / target).glob("*"))}
    return {**seeds()[target], **found}


EVERY_TARGET = pytest.mark.parametrize("target", TARGETS)


SLOW = ("captures", "client_early_data", "client_psks", "replays", "server_early_data", "server_psks")
"""Each input is a whole connection, or several."""


def module(target: str) -> ModuleType:
    return importlib.import_module(f"fuzz.targets.{target}")


@EVERY_TARGET
def test_target_says_its_invariant(target: str) -> None:
    first, *_ = (module(target).__doc__ or "").splitlines()
    assert first.endswith(".")
    assert len(first) > 30


@EVERY_TARGET
def test_corpus_holds(target: str) -> None:
    for name, data in inputs_of(target).items():
        assert len(data) <= MAX_LENGTH, name
        module(target).one_input(data)


@EVERY_TARGET
def test_damaged_corpus_holds(target: str) -> None:
    """A little fuzzing for those who have no fuzzer: the same every time."""
    source = random.Random(target)
    inputs = list(inputs_of(target).values())
    module(target).one_input(b"")
    for _ in range(50 if target in SLOW else 100 if target.endswith("_bytes") else 300):
        data = bytearray(source.choice(inputs))
        for _ in range(source.randint(1, 4)):
            start = source.randrange(len(data) + 1)
            stop = min(len(data), start + source.choice((0, 1, 1, 2, 8)))
            data[start:stop] = source.randbytes(source.choice((0, 1, 1, 2, 8)))
        module(target).one_input(bytes(data))


def test_seeds_are_the_same_every_time(tmp_path: Path) -> None:
    """In every process: an input that once broke something breaks it again."""
    assert Seeds().contents == seeds()
    assert set(seeds()) == set(TARGETS)
    root = Path(__file__).parent.parent.parent
    subprocess.run(
        [sys.executable, "-m", "fuzz.seed", str(tmp_path)], cwd=root, check=True, capture_output=True
    )
    written = {path.relative_to(tmp_path).as_posix(): path.read_bytes() for path in tmp_path.glob("*/*")}
    assert written == {
        f"{target}/{name}": data for target, found in seeds().items() for name, data in found.items()
    }


@pytest.mark.parametrize("conversation", CONVERSATIONS, ids=lambda conversation: conversation.name)
@pytest.mark.parametrize("side", SIDES)
def test_streams_are_understood(conversation: Conversation, side: Side) -> None:
    """What was recorded goes on to be decrypted: fuzzers start from whole handshakes, not from garbage."""
    data = seeds()[f"{side}_bytes"][conversation.name]
    watched = feed(connection_at(side, data[0]), pieces(data[3:], data[1]), end=False)
    kinds = [type(event) for event in watched.events]
    assert HandshakeCompleted in kinds
    assert DataReceived in kinds
    assert PeerClosed in kinds or kinds[-1].__name__ == "ConnectionTerminated"


def test_places_are_forks_of_their_own() -> None:
    for side in SIDES:
        for (_, state), connection in places(side).items():
            assert connection.state == state
            assert connection.data_to_send() == b""
        assert len(places(side)) < 256


def test_scripts() -> None:
    """Steps are read as they are written; what is cut off counts as far as it goes."""
    number = place_number("server", ("full", "tls13.ServerConnected"))
    data_operation = 2
    script = step(data_operation, b"first") + step(data_operation, b"second")
    events = perform(connection_at("server", number), script).events
    assert events == [DataReceived(b"first"), DataReceived(b"second")]
    events = perform(connection_at("server", number), script[:-3]).events
    assert events == [DataReceived(b"first"), DataReceived(b"sec")]
    assert len(OPERATIONS) <= 256
