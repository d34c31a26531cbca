"""Connections in every state there is, each a fork that can be used up.

They come from the scenes, played with every question asked and every record one byte long, so that no state is
passed over within a record.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from functools import cache
from typing import Final

from attrs import define, field, frozen

from sansticket import handshake
from sansticket.commands import Close, Command
from sansticket.config.choices import ASK
from sansticket.connection.client import ClientConnection
from sansticket.connection.connection import Connection
from sansticket.connection.engine import Engine
from sansticket.connection.server import ServerConnection
from sansticket.events import ClaimSession, LookUpPsk, LookUpSession, OpenTicket, ProtectTicket, Question
from sansticket.handshake.machine.state import Asking, State
from sansticket.handshake.machine.transitions import Input
from sansticket.record.tls12 import Opener
from sansticket.record.tls12 import Sealer as Sealer12
from sansticket.record.tls13 import Sealer as Sealer13
from tests.support.hostile import HANDSHAKE, plain_record
from tests.support.pair import Side
from tests.support.scenes import SCENES, TIME, Keys, Scene, Stage, with_the_hello

Transition = tuple[type[State], type[Input], type[State]]

SAMPLES_OF_EACH: Final = 6
"""Forks that are kept of each state: from different scenes, so that they hold different things."""


def all_states() -> list[type[State]]:
    """Every state of the package that is no base of others."""
    for module in pkgutil.walk_packages(handshake.__path__, f"{handshake.__name__}."):
        importlib.import_module(module.name)
    found = set(_subclasses(State))
    bases = {base for state in found for base in state.__bases__}
    return sorted(found - bases, key=lambda state: (state.__module__, state.__name__))


def _subclasses(state: type[State]) -> Iterator[type[State]]:
    # attrs makes slotted classes anew and leaves the first ones behind until they are collected.
    for subclass in state.__subclasses__():
        module = importlib.import_module(subclass.__module__)
        if getattr(module, subclass.__name__, None) is subclass:
            yield subclass
        yield from _subclasses(subclass)


@frozen
class Sample:
    """A connection in some state: ``fork`` gives one to be used up, ``answer`` the answer to its question."""

    scene: str
    connection: ClientConnection | ServerConnection
    keys: Keys

    def fork(self) -> ClientConnection | ServerConnection:
        return self.connection.fork()

    def answer(self) -> Command:
        return answer_of(self.connection, self.keys)

    def __repr__(self) -> str:
        return f"{type(self.connection._engine.state).__name__} in {self.scene!r}"


def answer_of(connection: Connection, keys: Keys) -> Command:
    question = connection.pending
    if isinstance(question, OpenTicket):
        return keys.open(question)
    if isinstance(question, ProtectTicket):
        return keys.protect(question)
    if isinstance(question, LookUpSession):
        return keys.look_up(question)
    if isinstance(question, ClaimSession):
        return keys.claim(question)
    if isinstance(question, LookUpPsk):
        return keys.look_up_psk(question)
    state = connection._engine.state
    assert isinstance(state, Asking)
    return state.default_answer(TIME)


@define
class Collection:
    """What the scenes showed."""

    samples: dict[type[State], list[Sample]] = field(factory=dict)
    transitions: set[Transition] = field(factory=set)

    def note(self, scene: Scene, connection: ClientConnection | ServerConnection, keys: Keys) -> None:
        known = self.samples.setdefault(type(connection._engine.state), [])
        if len(known) < SAMPLES_OF_EACH and all(
            sample.scene != scene.name or sample.connection._engine.state != connection._engine.state
            for sample in known
        ):
            kept = connection.fork()
            kept._engine.outbound.writer.max_fragment = 2**14
            kept.data_to_send()  # so that whatever a test finds there is of its own making
            known.append(Sample(scene.name, kept, keys))


class WatchedEngine(Engine):
    """Notes its transitions."""

    __slots__ = ()

    def step(self, item: Input, raw: bytes = b"") -> bool:
        before = type(self.state)
        unsettled = super().step(item, raw)
        _seen.add((before, type(item), type(self.state)))
        return unsettled


_seen: set[Transition] = set()


@cache
def collection() -> Collection:
    made = Collection()
    for scene in SCENES:
        _play(scene, made)
    made.transitions = set(_seen)
    return made


def samples_of(state: type[State]) -> list[Sample]:
    return collection().samples.get(state, [])


def _questions() -> list[type[Question]]:
    return [kind for kind in Question.__subclasses__() if kind.__module__.startswith("sansticket.events.")]


def _play(scene: Scene, made: Collection) -> None:
    elsewhere: dict[str, set[type[Question]]] = {
        "keys": {OpenTicket, ProtectTicket},
        "store": {LookUpSession, ClaimSession},
        "psks": {LookUpPsk},
    }
    away: set[type[Question]] = set().union(*elsewhere.values()) - elsewhere.get(scene.elsewhere, set())
    asked = {kind: ASK for kind in _questions() if kind not in away}
    stage = scene.open(asked, asked)
    for connection in (stage.client, stage.server):
        connection._engine.__class__ = WatchedEngine
        connection._engine.outbound.writer.max_fragment = 1
        made.note(scene, connection, stage.keys)
    early, talk = with_the_hello(scene.talk)
    for side, command in early:
        _side(stage, side).send(command)
    _carry(scene, stage, made)
    for side, command in talk:
        connection = _side(stage, side)
        if isinstance(command, Close):
            connection._engine.outbound.writer.max_fragment = 2**14  # an alert is never cut
        connection.send(command)
        made.note(scene, connection, stage.keys)
        _carry(scene, stage, made)


def _side(stage: Stage, side: Side) -> ClientConnection | ServerConnection:
    return stage.client if side == "client" else stage.server


def _carry(scene: Scene, stage: Stage, made: Collection) -> None:
    """Record by record, both ways; every question is answered after a look at it."""
    moved = True
    while moved:
        moved = False
        for sender, receiver in ((stage.client, stage.server), (stage.server, stage.client)):
            for record in records(sender.data_to_send()):
                receiver.receive_data(record)
                moved = True
                _settle(scene, receiver, stage.keys, made)
            _settle(scene, sender, stage.keys, made)


def _settle(
    scene: Scene, connection: ClientConnection | ServerConnection, keys: Keys, made: Collection
) -> None:
    if not connection._engine.held:
        made.note(scene, connection, keys)
    while connection.pending is not None:
        connection.send(answer_of(connection, keys))
        made.note(scene, connection, keys)


def records(data: bytes) -> Iterator[bytes]:
    """The records of which ``data`` consists."""
    while data:
        stop = 5 + int.from_bytes(data[3:5])
        yield data[:stop]
        data = data[stop:]


def as_the_peer(connection: Connection, content_type: int, content: bytes) -> bytes:
    """A record as the peer would send it now, under its keys."""
    opener = connection._engine.reader._opener
    if opener is None:
        return plain_record(content_type, content)
    sealer = Sealer12 if isinstance(opener, Opener) else Sealer13
    return sealer(opener._suite, opener.keys, opener.sequence).seal(content_type, content)


def message_as_the_peer(connection: Connection, raw: bytes) -> bytes:
    """A handshake message in as many records as it needs."""
    fork, made = connection.fork(), b""
    for start in range(0, len(raw), 2**14):
        made += as_the_peer(fork, HANDSHAKE, raw[start : start + 2**14])
        if fork._engine.reader._opener is not None:
            fork._engine.reader._opener.sequence += 1
    return made
