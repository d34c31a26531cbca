"""An input of a fuzzer that breaks something is also a replay file for each connection that it tried."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from fuzz.checks import Watched
from fuzz.recorded import RecordingSource, recorded
from fuzz.seed import Seeds
from fuzz.world import SIDES, SOURCES, Side, connection_at, places
from sansticket.library import SSL_SESSIONS
from sansticket.replays.player import Player
from sansticket.replays.recording import Recording
from tests.support.newer import needs

pytestmark = needs(SSL_SESSIONS)

TRIED = {
    "client_bytes": 2,
    "server_bytes": 2,
    "client_messages": 1,
    "server_messages": 1,
    "client_psks": 1,
    "server_psks": 1,
    "client_early_data": 1,
    "server_early_data": 1,
}
"""How many connections an input of each target is about."""


class Broken(Exception):
    """What a target says when its invariant does not hold."""


@pytest.mark.parametrize("target", TRIED)
def test_what_breaks_is_played_again(target: str, tmp_path: Path) -> None:
    file = tmp_path / "crash"
    file.write_bytes(max(Seeds().contents[target].values(), key=len))
    with pytest.raises(Broken) as caught:
        _break(target, file)
    left = sorted(tmp_path.glob("*.replay"))
    assert [path.name for path in left] == [
        f"crash-{number}.replay" for number in range(1, TRIED[target] + 1)
    ]
    assert len(caught.value.__notes__) == len(left)
    for path in left:
        played = list(Player(Recording.from_bytes(path.read_bytes())).rest())
        assert len(played) > 3
        assert [one.difference for one in played] == [""] * len(played)


def _break(target: str, file: Path) -> None:
    with recorded(file):
        importlib.import_module(f"fuzz.targets.{target}").one_input(file.read_bytes())
        raise Broken


def test_what_holds_leaves_nothing(tmp_path: Path) -> None:
    with recorded(tmp_path / "good") as tried:
        Watched(connection_at("client", 0)).end()
    assert len(tried) == 1
    assert list(tmp_path.iterdir()) == []
    assert len(SOURCES) == 1


@pytest.mark.parametrize("side", SIDES)
def test_places_are_reached_from_the_beginning(side: Side) -> None:
    for number, (conversation, state) in enumerate(places(side)):
        if conversation not in ("certificate", "resumed12", "early and retry"):
            continue
        source = RecordingSource()
        made = source.at(side, number)
        assert made.state == state
        assert source.tried == [made]
