"""The pictures of the state machine say what the code says, and all of it."""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path

import pytest

from sansticket import handshake
from sansticket.debug import states
from sansticket.debug.explain import Side
from sansticket.handshake.machine.state import Asking, Ended, State
from sansticket.handshake.machine.transitions import accepted_by, successors_of

PAGE = Path(__file__).parent.parent.parent / "docs/states.md"


def test_the_page_in_docs_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8").splitlines() == list(states.page()), (
        "run: python -m sansticket states --format markdown > docs/states.md"
    )


def test_every_state_can_be_reached() -> None:
    for module in pkgutil.walk_packages(handshake.__path__, f"{handshake.__name__}."):
        importlib.import_module(module.name)
    defined = {state for state in _subclasses(State) if state.__module__.startswith(handshake.__name__)}
    bases = {base for state in defined for base in state.__bases__}
    drawn = {state for side in states.SIDES for state in states.reachable(side)}
    assert defined - bases == drawn | {Ended}  # where every state can end, which is not drawn


def _subclasses(state: type[State]) -> set[type[State]]:
    # attrs makes slotted classes anew and leaves the first ones behind until they are collected.
    found = set()
    for subclass in state.__subclasses__():
        module = importlib.import_module(subclass.__module__)
        if getattr(module, subclass.__name__, None) is subclass:
            found.add(subclass)
        found |= _subclasses(subclass)
    return found


@pytest.mark.parametrize("side", states.SIDES)
def test_every_declared_transition_is_an_arrow(side: Side) -> None:
    for state in states.reachable(side):
        drawn = {(name, arrow.end) for arrow in states.arrows(state) for name in arrow.inputs}
        declared = {
            (kind.__name__, end)
            for kind in accepted_by(state)
            for end in successors_of(state, kind) or (None,)
        }
        assert drawn == declared - {("AbortHandshake", None)}


@pytest.mark.parametrize("side", states.SIDES)
def test_mermaid_names_every_state_and_marks_the_questions(side: Side) -> None:
    lines = list(states.mermaid(side))
    assert lines[0] == "stateDiagram-v2"
    firsts = states.first_states(side)
    assert lines[1 : 1 + len(firsts)] == [f"    [*] --> {first.__name__}" for first in firsts]
    drawn = {
        name
        for line in lines
        for name in re.findall(r"^    (\w+) -->|--> (\w+)", line)
        for name in name
        if name
    }
    assert len(drawn) == len(states.reachable(side))
    (questions,) = (line.split()[1].split(",") for line in lines if line.endswith(" question"))
    assert len(questions) == sum(issubclass(state, Asking) for state in states.reachable(side))


@pytest.mark.parametrize("side", states.SIDES)
def test_dot_is_one_digraph_with_the_same_arrows(side: Side) -> None:
    lines = list(states.dot(side))
    assert lines[0] == f"digraph {side} {{"
    assert lines[-1] == "}"
    arrows = [line for line in lines if " -> " in line]
    assert len(arrows) == len(states.first_states(side)) + sum(
        len(states.arrows(state)) for state in states.reachable(side)
    )
    assert all(line.endswith(";") for line in lines[1:-1])


@pytest.mark.parametrize("side", states.SIDES)
def test_states_of_the_same_name_are_told_apart(side: Side) -> None:
    reachable = states.reachable(side)
    names = states._identifiers(reachable)
    assert len(set(names.values())) == len(names)
    assert names[reachable[0]] == reachable[0].__name__
    assert {"tls12_AskVerifyPeer", "tls13_AskVerifyPeer"} <= set(names.values())
