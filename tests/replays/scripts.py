"""Recorded connections: those of the scenes, and those to which anything happens."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any
from unittest.mock import patch

from sansticket import commands
from sansticket.errors import LocalProtocolError
from sansticket.events import Event
from sansticket.handshake.machine.state import Asking
from sansticket.replays.player import Player
from sansticket.replays.recorder import Recorded, record_client, record_server
from sansticket.replays.recording import Recording
from tests.support import scenes
from tests.support.scenes import SCENES, Scene, Stage


def opened(scene: Scene) -> Stage:
    """The scene's two connections, recorded."""
    recorded = {"ClientConnection": record_client, "ServerConnection": record_server}
    with patch.multiple(scenes, **recorded):
        return scene.open()


def recordings_of(stage: Stage) -> tuple[Recorded, Recorded]:
    client, server = stage.client, stage.server
    assert isinstance(client, Recorded)
    assert isinstance(server, Recorded)
    return client, server


class Script:
    """Anything, in any order, with both sides of a scene: ``events`` are those of each recorded step."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.scene = self.random.choice(SCENES)
        self.sides: Sequence[Recorded] = recordings_of(opened(self.scene))
        self.events: list[list[list[Event]]] = [[[]], [[]]]
        self.waiting = [b"", b""]

    def run(self) -> None:
        for _ in range(self.random.randint(5, 60)):
            self.step(self.random.randrange(2))

    def step(self, side: int) -> None:
        """Mostly what brings a connection on, and now and then something else."""
        act: Callable[[int], None] = self.random.choices(
            (self.carry, self.answer, self.tell, self.spoil, self.set), (70, 15, 12, 1, 2)
        )[0]
        act(side)

    def does(self, side: int, act: Callable[[], list[Event]]) -> None:
        events: list[Event] = []
        with suppress(LocalProtocolError):
            events = act()
        self.events[side].append(events)

    def carry(self, side: int) -> None:
        """Some of what one side has to say, to the other."""
        self.waiting[side] += self.sides[side].data_to_send()
        self.events[side].append([])
        data = self.waiting[side]
        size = len(data) if self.random.random() < 0.7 else self.random.randint(0, len(data))
        self.waiting[side] = data[size:]
        if size:
            self.does(1 - side, lambda: self.sides[1 - side].receive_data(data[:size]))

    def answer(self, side: int) -> None:
        one = self.sides[side]
        state = one.connection._engine.state
        if one.pending is not None and isinstance(state, Asking):
            try:
                command = state.default_answer(scenes.TIME)
            except Exception:  # there is none
                command = commands.AbortHandshake()
            self.does(side, lambda: one.send(command))

    def tell(self, side: int) -> None:
        one, data = self.sides[side], self.random.randbytes(self.random.choice((0, 1, 50, 20_000)))
        command: Any = self.random.choice(
            (
                *(
                    commands.SendData(data),
                    commands.SendData(data),
                    commands.UpdateKeys(True),
                    commands.IssueTicket(2),
                ),
                *(
                    commands.FlushTickets(),
                    commands.RequestClientCertificate(),
                    commands.SendEarlyData(data[:50]),
                ),
                *(commands.Close(), commands.Abort()),
            )
        )
        self.does(side, lambda: one.send(command))

    def spoil(self, side: int) -> None:
        """Something that nobody said; or the end."""
        data = self.random.choice((b"", self.random.randbytes(20), b"\x15\x03\x03\x00\x02\x02\x28"))
        self.does(side, lambda: self.sides[side].receive_data(data))

    def set(self, side: int) -> None:
        if side == 1:
            try:
                self.sides[1].num_tickets = self.random.randint(0, 4)
            except LocalProtocolError:
                return
            self.events[1].append([])


def plays(recorded: Recorded, events: Sequence[Sequence[Event]] | None = None) -> Player:
    """The recording, out of its file, gives all again."""
    player = Player(Recording.from_bytes(recorded.recording.to_bytes()))
    for played in player.rest():
        assert played.difference == "", (played, played.difference)
        if events is not None:
            assert list(played.events) == list(events[played.number - 1])
    return player
