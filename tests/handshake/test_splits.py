"""However a byte stream is cut, the same events and the same bytes come of it; and every run is like the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from copy import deepcopy
from functools import cache

import pytest
from attrs import evolve, frozen
from hypothesis import given
from hypothesis import strategies as st

from sansticket.codes import NamedGroup
from sansticket.commands import Command
from sansticket.connection.client import ClientConnection
from sansticket.connection.server import ServerConnection
from sansticket.errors import LocalProtocolError, Reason
from sansticket.events import ConnectionTerminated, Event
from sansticket.library import ML_KEM
from tests.support.certificates import KEYS
from tests.support.credentials import server_credential
from tests.support.newer import needs
from tests.support.pair import Cut, Side, every, whole
from tests.support.scenes import SCENES, SHORT_TALK, Input, Scene, named, perform, without_cuts

Result = tuple[list[Event], bytes]
SIDES: tuple[Side, Side] = ("client", "server")
BY_NAME = pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)


def joined(inputs: Iterable[Input]) -> list[Input]:
    """The inputs with neighbouring bytes as one."""
    made: list[Input] = []
    for item in inputs:
        if made and item and isinstance(item, bytes) and isinstance(made[-1], bytes):
            made[-1] += item
        else:
            made.append(item)
    return made


@cache
def recorded(scene: Scene, side: Side) -> tuple[list[Input], Result]:
    """What went into one side of a scene, and what came of it."""
    part = perform(scene.open(), scene.talk)[side]
    return joined(part.inputs), (without_cuts(part.events), bytes(part.output))


def replay(scene: Scene, side: Side, inputs: Iterable[Input], cut: Cut) -> Result:
    """The same connection once more, with other inputs, cut otherwise."""
    stage = scene.open()
    connection = stage.client if side == "client" else stage.server
    output = connection.data_to_send()
    events: list[Event] = []
    for item in inputs:
        for piece in cut(item) if isinstance(item, bytes) and item else [item]:
            events += fed(connection, piece)
            output += connection.data_to_send()
    return without_cuts(events), output


def fed(connection: ClientConnection | ServerConnection, item: Input) -> list[Event]:
    """The events of one input; a command that the state does not allow, after the damage, has none."""
    if not isinstance(item, Command):
        return connection.receive_data(item)
    try:
        return connection.send(item)
    except LocalProtocolError:
        return []


# --- cuts --------------------------------------------------------------------------------------------------------


@BY_NAME
@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("size", [1, 4, 50, 1000, 1 << 20])
def test_pieces_of_one_size(scene: Scene, side: Side, size: int) -> None:
    inputs, expected = recorded(scene, side)
    assert replay(scene, side, inputs, every(size)) == expected


def cut_into(lengths: Sequence[int]) -> Cut:
    """Pieces of these lengths, over and over."""

    def cut(data: bytes) -> Iterator[bytes]:
        start, turn = 0, 0
        while start < len(data):
            yield data[start : start + lengths[turn % len(lengths)]]
            start += lengths[turn % len(lengths)]
            turn += 1

    return cut


pieces = st.lists(st.integers(1, 40) | st.integers(1, 20_000), min_size=1, max_size=8)
places = st.tuples(st.sampled_from([scene.name for scene in SCENES]), st.sampled_from(SIDES))


@given(place=places, lengths=pieces)
def test_pieces_of_any_size(place: tuple[str, Side], lengths: Sequence[int]) -> None:
    scene, side = named(place[0]), place[1]
    inputs, expected = recorded(scene, side)
    assert replay(scene, side, inputs, cut_into(lengths)) == expected


@pytest.mark.parametrize("name", ["full", "resumed after a retry", "client certificate"])
@pytest.mark.parametrize("side", SIDES)
def test_every_place_to_cut_a_handshake(name: str, side: Side) -> None:
    """Each flight in two pieces, wherever it can be cut: forks of one connection, each with its own entropy."""
    scene = evolve(named(name), talk=())
    stage = scene.open()
    connection = stage.client if side == "client" else stage.server
    connection.data_to_send()
    for item in perform(scene.open(), ())[side].inputs:
        assert isinstance(item, bytes)
        expected = outcome(fork(connection), [item])
        for place in range(1, len(item)):
            assert outcome(fork(connection), [item[:place], item[place:]]) == expected, place
        outcome(connection, [item])


def fork(connection: ClientConnection | ServerConnection) -> ClientConnection | ServerConnection:
    """A fork that draws the same random bytes as the original will."""
    twin = connection.fork()
    twin._engine.config = evolve(
        connection._engine.config, entropy=deepcopy(connection._engine.config.entropy)
    )
    return twin


def outcome(connection: ClientConnection | ServerConnection, pieces: Iterable[bytes]) -> Result:
    events = [event for piece in pieces for event in connection.receive_data(piece)]
    return without_cuts(events), connection.data_to_send()


# --- damage ------------------------------------------------------------------------------------------------------


@frozen
class Damage:
    """What happens to the bytes of one input: some are replaced by others, and the stream may end after it."""

    index: int
    start: int
    stop: int
    instead: bytes
    ends: bool

    def done_to(self, inputs: Sequence[Input]) -> list[Input]:
        data = inputs[self.index]
        assert isinstance(data, bytes)
        changed = data[: self.start] + self.instead + data[self.stop :]
        others = [b""] if self.ends else inputs[self.index + 1 :]
        return [*inputs[: self.index], *([changed] if changed else []), *others]


@st.composite
def damaged(draw: st.DrawFn) -> tuple[str, Side, Damage]:
    name, side = draw(places)
    inputs = recorded(named(name), side)[0]
    index = draw(st.sampled_from([i for i, item in enumerate(inputs) if isinstance(item, bytes)]))
    data = inputs[index]
    assert isinstance(data, bytes)
    start = draw(st.integers(0, len(data) - 1) | st.integers(0, min(len(data) - 1, 10)))
    stop = draw(st.integers(start, min(len(data), start + 40)))
    return name, side, Damage(index, start, stop, draw(st.binary(max_size=40)), draw(st.booleans()))


@given(case=damaged(), lengths=pieces)
def test_damage_is_the_same_in_pieces(case: tuple[str, Side, Damage], lengths: Sequence[int]) -> None:
    """Also what goes wrong does not depend on the pieces: reason, detail, alert, and all that came before."""
    name, side, damage = case
    scene = named(name)
    inputs = joined(damage.done_to(recorded(scene, side)[0]))
    events, output = replay(scene, side, inputs, whole)
    assert replay(scene, side, inputs, cut_into(lengths)) == (events, output)
    ends = [event for event in events if isinstance(event, ConnectionTerminated)]
    assert all(end.reason is not Reason.INTERNAL_ERROR for end in ends)
    assert len(ends) <= 1
    assert not ends or events[-1] is ends[0]


# --- determinism -------------------------------------------------------------------------------------------------


@BY_NAME
def test_two_runs_are_the_same(scene: Scene) -> None:
    """The same entropy and the same clock: the same events and the same bytes, to the last one."""
    first, second = perform(scene.open(), scene.talk), perform(scene.open(), scene.talk)
    for side in SIDES:
        assert first[side].events == second[side].events
        assert first[side].output == second[side].output
        assert first[side].output


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"groups": (NamedGroup.X25519_MLKEM768,)}, marks=needs(ML_KEM)),
        {"credentials": [server_credential("rsa")]},
        *([{"credentials": [server_credential("mldsa44")]}] if "mldsa44" in KEYS else []),
    ],
    ids=["ML-KEM", "RSA-PSS", "ML-DSA"][: 3 if "mldsa44" in KEYS else 2],
)
def test_what_cannot_be_repeated(changes: dict[str, object]) -> None:
    """The library draws the randomness of ML-KEM encapsulation, RSA-PSS and ML-DSA itself.

    The client's hello is the same all the same, and so is the meaning of everything.
    """
    groups = changes.get("groups", (NamedGroup.X25519,))
    scene = Scene("not repeatable", client={"groups": groups}, server=changes, talk=SHORT_TALK)
    first, second = perform(scene.open(), scene.talk), perform(scene.open(), scene.talk)
    hello = scene.open().client.data_to_send()
    assert first["client"].output[: len(hello)] == second["client"].output[: len(hello)] == hello
    assert first["server"].output != second["server"].output
    assert [type(event) for event in first["client"].events] == [
        type(event) for event in second["client"].events
    ]


def test_another_entropy_is_another_connection() -> None:
    scene = named("full")
    other = evolve(scene, client={"entropy": bytes})
    assert perform(scene.open(), ())["server"].output != perform(other.open(), ())["server"].output
