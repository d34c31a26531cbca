"""A replay file is a ``ReplayError``, or is played, forward and back, whatever is in it."""

import json
from hashlib import sha256

from sansticket.command.sight.replay import lines
from sansticket.replays.player import Player
from sansticket.replays.recording import Recording
from sansticket.replays.values import ReplayError


def one_input(data: bytes) -> None:
    try:
        recording = Recording.from_bytes(sealed(data))
        assert Recording.from_bytes(recording.to_bytes()).to_bytes() == recording.to_bytes()
        player = Player(recording)
        for played in player.rest():
            assert all(line.isprintable() for line in lines(played, fields=True))
        player.go_to(len(player) // 2)
        for played in Player(recording.without_secrets()).rest():
            assert not played.difference
    except ReplayError:
        return


def sealed(data: bytes) -> bytes:
    """With the hash that it should have: a fuzzer would never find it."""
    body = data[: data.rfind(b"\n", 0, -1) + 1]
    end = {"end": body.count(b"\n") - 1, "sha256": sha256(body).hexdigest()}
    return body + json.dumps(end).encode() + b"\n"
