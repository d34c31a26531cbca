"""Plays a recording: the connection is made again, step by step, forward and back, from nothing but the file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from attrs import field

from sansticket.connection.client import ClientConnection
from sansticket.connection.connection import Connection
from sansticket.connection.server import ServerConnection
from sansticket.debug.explain import Side
from sansticket.debug.key_log import KeyLog
from sansticket.debug.trace import OTHER, Carried, Happened
from sansticket.debug.trace import Step as LadderStep
from sansticket.errors import LocalProtocolError, SansticketError
from sansticket.events import Event
from sansticket.replays.configs import PlayedConfigs
from sansticket.replays.outside import Interruption
from sansticket.replays.recorder import event_in_words, said
from sansticket.replays.recording import Gave, Recording, Step
from sansticket.replays.values import Left, ReplayError
from sansticket.values import frozen

MISSING: Final = (
    "secrets were left out of this file: randomness, keys, sessions, answers and application data",
    "so the connection is not made again: what is shown was noted when it was recorded, and is not checked",
    "no record is opened, no event has its fields, and there is no key log",
)
"""What cannot be shown without secrets."""


LONGEST: Final = float(1 << 53)
"""Seconds, beyond which no clock counts them."""


@frozen
class Played:
    """A step that was played.  ``difference``: what came otherwise than it was noted; nothing if all is the same.

    ``gave`` is what came now; ``events`` are the events themselves, none where secrets were left out.
    """

    number: int
    step: Step
    gave: Gave
    events: tuple[Event, ...] = field(default=(), repr=False)
    difference: str = ""


class Player:
    """Where a recording has got to, and the connection as it is there.

    ``position`` is the number of steps that were played; ``connection`` is None before the first, and always where
    secrets were left out (``missing`` says what that means).  ``key_log`` has the secrets of the connection so far.
    """

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.missing: tuple[str, ...] = () if recording.secrets else MISSING
        self._start()

    def _start(self) -> None:
        self.position = 0
        self.connection: Connection | None = None
        self.key_log = KeyLog()
        self._configs = PlayedConfigs(self.recording.objects, self.key_log.add)
        self._broken = ""

    def __len__(self) -> int:
        return len(self.recording.steps)

    @property
    def state(self) -> str:
        """Of the connection, by its name; empty before it is made."""
        return self.recording.steps[self.position - 1].gave.state if self.position else ""

    def forward(self) -> Played:
        """Play the next step.  ReplayError at the end, and where the file cannot be played at all."""
        if self.position >= len(self):
            raise ReplayError(f"the recording ends after step {len(self)}")
        step = self.recording.steps[self.position]
        self.position += 1
        if self.missing:
            return Played(self.position, step, step.gave)
        if self._broken:
            return Played(self.position, step, step.gave, (), f"not played, since {self._broken}")
        played = self._play(step)
        if played.difference:
            self._broken = f"step {self.position} came otherwise"
        return played

    def back(self) -> None:
        """To before the step that was played last: everything is played again up to there."""
        self.go_to(self.position - 1)

    def go_to(self, position: int) -> None:
        """To where so many steps were played.  ReplayError for a number that there is not."""
        if not 0 <= position <= len(self):
            raise ReplayError(f"step {position}; expected 0 to {len(self)}")
        if position < self.position:
            self._start()
        while self.position < position:
            self.forward()

    def rest(self) -> Iterator[Played]:
        """All steps from here on."""
        while self.position < len(self):
            yield self.forward()

    def _play(self, step: Step) -> Played:
        playing = self._configs.playing
        playing.expect(list(step.calls))
        events: list[Event] = []
        data, raised = None, ""
        try:
            given = playing.value(step.given) if step.given is not None else None
            if isinstance(given, Left):
                raise ReplayError(f"step {self.position} needs what was left out")
            data, events = self._do(step.do, given)
        except ReplayError:
            if not playing.diverged:
                raise
        except (Exception, Interruption) as error:
            raised = said(error)
        connection = self.connection
        state = connection.state if connection is not None else ""
        gave = Gave(state, self._told(events), data, raised)
        return Played(
            self.position,
            step,
            gave,
            tuple(events),
            playing.diverged or _difference(step, gave, playing.left),
        )

    def _told(self, events: list[Event]) -> tuple[tuple[str, str, str], ...]:
        """In words.  What a file says that others gave need not be what a connection was ever given."""
        try:
            return tuple(event_in_words(one) for one in events)
        except Exception as error:
            name = type(error).__name__
            raise ReplayError(f"step {self.position} has an event that cannot be told: {name}") from None

    def _do(self, do: str, given: Any) -> tuple[bytes | None, list[Event]]:
        if do == "make":
            self.connection = self._made()
            return None, []
        connection = self.connection
        assert connection is not None
        if do == "take":
            return connection.data_to_send(), []
        if do == "receive":
            return None, connection.receive_data(given)
        if do == "send":
            return None, connection.send(given)
        if not isinstance(connection, ServerConnection):
            raise LocalProtocolError("num_tickets of a client")
        connection.num_tickets = given
        return None, []

    def _made(self) -> Connection:
        config = self._configs.made(self.recording.config)
        given, value = self.recording.given, self._configs.playing.value
        if self.recording.side == "server":
            return ServerConnection(config)
        try:
            name, sessions, port = given["server_name"], value(given["sessions"]), given["port"]
            return ClientConnection(config, name, sessions, port=port)
        except (KeyError, TypeError, SansticketError) as error:
            raise ReplayError(f"the connection cannot be made: {type(error).__name__}: {error}") from None

    # --- for ladders ---------------------------------------------------------------------------------------------

    def ladder(self) -> list[LadderStep]:
        """What went over and what came out, from the beginning to the end, for ``picture`` and ``draw``.

        Afterwards the player is at the end, and ``key_log`` has all that opens it.
        """
        self.go_to(0)
        self._start()
        side: Side = "client" if self.recording.side == "client" else "server"
        found: list[LadderStep] = []
        time: float | None = None
        for played in self.rest():
            time = next((one for what, one in played.step.calls if what == "clock" and _is_time(one)), time)
            if played.step.do == "receive":
                came = self._configs.playing.value(played.step.given)
                if isinstance(came, bytes) and came:
                    found.append(Carried(OTHER[side], came, time))
            if played.gave.data:
                found.append(Carried(side, played.gave.data, time))
            found += [Happened(side, event, time) for event in played.events]
        return found


def _is_time(noted: Any) -> bool:
    """Whether a clock can have said it, in seconds since the epoch: a number whose microseconds are numbers, too."""
    return type(noted) in (int, float) and -LONGEST < noted < LONGEST


def _difference(step: Step, gave: Gave, left: int) -> str:
    noted = step.gave
    for what, then, now in (
        ("it raised", noted.raised, gave.raised),
        ("its events", noted.events, gave.events),
        ("the bytes to send", noted.data, gave.data),
        ("its state", noted.state, gave.state),
    ):
        if then != now:
            return f"{what}: noted {_short(then)}, came {_short(now)}"
    return f"{left} calls less than were noted" if left else ""


def _short(value: Any) -> str:
    if isinstance(value, bytes):
        return f"{len(value)} bytes {value[:16].hex()}"
    if isinstance(value, tuple):
        return ", ".join(f"{name} ({words})" if words else name for name, words, _ in value) or "none"
    return str(value) or "nothing"
