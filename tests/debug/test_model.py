"""The model says what the code says, and all of it."""

from __future__ import annotations

import json

import pytest

from sansticket import commands
from sansticket.commands import Abort, CheckRevocations, Close, Command
from sansticket.debug.explain import Side
from sansticket.debug.model import EPOCHS, VERSIONS, Machine, Place, document, machine
from sansticket.debug.states import SIDES, reachable
from sansticket.events import Question
from sansticket.handshake.machine.state import Asking, Ended
from sansticket.handshake.machine.transitions import accepted_by, name_of, successors_of
from sansticket.wire.messages.tables import MESSAGES_OF_TLS12, MESSAGES_OF_TLS13
from tests.support.state_samples import all_states

MACHINES: dict[str, Machine] = {side: machine(side) for side in SIDES}


def test_every_state_of_the_code_is_a_place() -> None:
    places = {place.name for one in MACHINES.values() for place in one.places}
    assert places == {name_of(state) for state in all_states() if state is not Ended}


@pytest.mark.parametrize("side", SIDES)
def test_every_declared_transition_is_there_once(side: Side) -> None:
    declared = [
        (name_of(state), kind.__name__, None if end is None else name_of(end))
        for state in reachable(side)
        for kind in accepted_by(state)
        for end in successors_of(state, kind) or (None,)
    ]
    assert [(one.start, one.trigger, one.end) for one in MACHINES[side].transitions] == declared
    assert len(set(declared)) == len(declared)


@pytest.mark.parametrize("side", SIDES)
def test_a_place_says_what_its_state_is(side: Side) -> None:
    for place, state in zip(MACHINES[side].places, reachable(side), strict=True):
        version = None if place.version is None else place.version.removeprefix("TLS ").replace(".", "_")
        assert version in (None, state.VERSION.number.name.removeprefix("TLS_"))
        assert (place.version is None) == ("." not in place.name)
        assert place.question == (state.QUESTION.__name__ if issubclass(state, Asking) else None)
        assert place.established == state.ESTABLISHED
        assert place.epochs


def test_every_question_is_open_somewhere() -> None:
    asked = {place.question for one in MACHINES.values() for place in one.places} - {None}
    assert asked == {
        kind.__name__ for kind in Question.__subclasses__() if kind.__module__.startswith("sansticket.")
    }


def test_every_command_and_message_means_something_somewhere() -> None:
    triggers = {one.trigger: one.kind for machine in MACHINES.values() for one in machine.transitions}
    known = {
        name for name, kind in vars(commands).items() if isinstance(kind, type) and issubclass(kind, Command)
    }
    everywhere = {kind.__name__ for kind in (Close, Abort, CheckRevocations)}
    assert known - triggers.keys() == {Command.__name__, *everywhere}
    assert {kind for name, kind in triggers.items() if name in known} == {"command", "answer"}
    messages = {name for name, kind in triggers.items() if kind == "message"}
    assert len(messages) >= len({*MESSAGES_OF_TLS12, *MESSAGES_OF_TLS13})
    assert triggers["ChangeCipherSpec"] == "change_cipher_spec"
    assert triggers["EarlyDataRecord"] == "early data"


@pytest.mark.parametrize("side", SIDES)
def test_epochs_are_written_down_for_states_that_there_are(side: Side) -> None:
    places: dict[str, Place] = {place.name: place for place in MACHINES[side].places}
    assert {name for whose, name in EPOCHS if whose == side} <= places.keys()
    for place in places.values():
        names = {name for pair in place.epochs for name in pair}
        if place.version == VERSIONS["tls12"]:
            assert names <= {"plaintext", "protected"}
        else:
            assert "protected" not in names
        if place.established:
            assert len(place.epochs) == 1
            assert names in ({"application data"}, {"protected"})


def test_it_goes_through_json() -> None:
    text = json.dumps(document())
    assert json.loads(text)["server"]["first"] == ["WaitClientHello"]
    assert json.loads(text)["format"] == 1
    assert {"start", "trigger", "kind", "end"} == json.loads(text)["client"]["transitions"][0].keys()
