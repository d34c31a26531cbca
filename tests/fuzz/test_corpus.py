"""Every input of the fuzzers' corpus holds, also where there is no Atheris; and the seeds are what they seem to be."""

from __future__ import annotations

import importlib
import random
from copy import copy
from pathlib import Path
from types import ModuleType

import pytest

from fuzz import seed
from fuzz.__main__ import CORPUS, MAX_LENGTH, TARGETS
from fuzz.checks import feed, pieces
from fuzz.script import OPERATIONS, perform, step
from fuzz.world import CONVERSATIONS, SIDES, Conversation, Side, moments, place_number, places
from sansticket.events import DataReceived, HandshakeCompleted, PeerClosed

INPUTS = sorted(CORPUS.glob("*/*"))
EVERY_TARGET = pytest.mark.parametrize("target", TARGETS)


def module(target: str) -> ModuleType:
    return importlib.import_module(f"fuzz.targets.{target}")


@EVERY_TARGET
def test_target_says_its_invariant(target: str) -> None:
    first, *_ = (module(target).__doc__ or "").splitlines()
    assert first.endswith(".")
    assert len(first) > 30


@EVERY_TARGET
def test_corpus_holds(target: str) -> None:
    inputs = [path for path in INPUTS if path.parent.name == target]
    assert inputs
    for path in inputs:
        data = path.read_bytes()
        assert len(data) <= MAX_LENGTH, path
        module(target).one_input(data)


@EVERY_TARGET
def test_damaged_corpus_holds(target: str) -> None:
    """A little fuzzing for those who have no fuzzer: the same every time."""
    source = random.Random(target)
    inputs = [path.read_bytes() for path in INPUTS if path.parent.name == target]
    module(target).one_input(b"")
    for _ in range(100 if target.endswith("_bytes") else 300):
        data = bytearray(source.choice(inputs))
        for _ in range(source.randint(1, 4)):
            start = source.randrange(len(data) + 1)
            stop = min(len(data), start + source.choice((0, 1, 1, 2, 8)))
            data[start:stop] = source.randbytes(source.choice((0, 1, 1, 2, 8)))
        module(target).one_input(bytes(data))


def test_seeds_are_up_to_date(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``python -m fuzz.seed`` would change nothing."""
    monkeypatch.setattr(seed, "CORPUS", tmp_path)
    seed._written.clear()
    seed.main()
    made = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.glob("*/*.seed")}
    kept = {path.relative_to(CORPUS): path.read_bytes() for path in CORPUS.glob("*/*.seed")}
    assert made == kept, "run: python -m fuzz.seed"


@pytest.mark.parametrize("conversation", CONVERSATIONS, ids=lambda conversation: conversation.name)
@pytest.mark.parametrize("side", SIDES)
def test_streams_are_understood(conversation: Conversation, side: Side) -> None:
    """What was recorded goes on to be decrypted: fuzzers start from whole handshakes, not from garbage."""
    data = (CORPUS / f"{side}_bytes" / f"{conversation.name}.seed").read_bytes()
    watched = feed(copy(moments(side)[data[0]]), pieces(data[3:], data[1]), end=False)
    kinds = [type(event) for event in watched.events]
    assert HandshakeCompleted in kinds
    assert DataReceived in kinds
    assert PeerClosed in kinds or kinds[-1].__name__ == "ConnectionTerminated"


def test_places_are_forks_of_their_own() -> None:
    for side in SIDES:
        for (_, state), connection in places(side).items():
            assert connection.state == state
            assert connection.data_to_send() == b""
        assert len(moments(side)) == len(places(side)) < 256


def test_scripts() -> None:
    """Steps are read as they are written; what is cut off counts as far as it goes."""
    number = place_number("server", ("full", "ServerConnected13"))
    data_operation = 2
    script = step(data_operation, b"first") + step(data_operation, b"second")
    events = perform(copy(moments("server")[number]), script).events
    assert events == [DataReceived(b"first"), DataReceived(b"second")]
    events = perform(copy(moments("server")[number]), script[:-3]).events
    assert events == [DataReceived(b"first"), DataReceived(b"sec")]
    assert len(OPERATIONS) <= 256
