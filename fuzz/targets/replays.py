"""A replay file is a ``ReplayError``, or is played, forward and back, drawn and stripped, whatever is in it."""

import json
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from typing import Final

from sansticket.command.sight.replay import lines
from sansticket.debug.ladders.picture import picture
from sansticket.replays.player import Player
from sansticket.replays.recording import Recording
from sansticket.replays.values import ReplayError


def one_input(data: bytes) -> None:
    try:
        recording = Recording.from_bytes(sealed(data))
    except ReplayError:
        return
    assert Recording.from_bytes(recording.to_bytes()).to_bytes() == recording.to_bytes()
    for look in LOOKS:
        with suppress(ReplayError):
            look(recording)


def play(recording: Recording) -> None:
    player = Player(recording)
    for played in player.rest():
        assert all(line.isprintable() for line in lines(played, fields=True))
    player.go_to(len(player) // 2)


def play_stripped(recording: Recording) -> None:
    for played in Player(recording.without_secrets()).rest():
        assert not played.difference
        assert all(line.isprintable() for line in lines(played, fields=True))


def draw(recording: Recording) -> None:
    player = Player(recording)
    for row in picture(player.ladder(), player.key_log, recording.side, secrets=True).rows:
        assert row.title.isprintable()
        assert all(text.isprintable() for detail in row.details for text in detail)


LOOKS: Final[tuple[Callable[[Recording], None], ...]] = (play, play_stripped, draw)


def sealed(data: bytes) -> bytes:
    """With the hash that it should have: a fuzzer would never find it."""
    body = data[: data.rfind(b"\n", 0, -1) + 1]
    end = {"end": body.count(b"\n") - 1, "sha256": sha256(body).hexdigest()}
    return body + json.dumps(end).encode() + b"\n"
