"""The state machine as pictures and tables, read from the annotations of the handlers.

A handler's annotation is what mypy and the machine itself go by, so these pictures cannot say anything else
than the code does.  What every state can do besides is left out: end with an alert, and for a question
``AbortHandshake``.
"""

from __future__ import annotations

import typing
from collections.abc import Iterator
from inspect import getdoc
from typing import Final

from sansticket.commands import AbortHandshake
from sansticket.debug.explain import Side
from sansticket.handshake.client import start as client_start
from sansticket.handshake.machine.state import Asking, State
from sansticket.handshake.machine.transitions import accepted_by, name_of, successors_of
from sansticket.handshake.server.start import WaitClientHello
from sansticket.values import frozen

SIDES: Final[tuple[Side, ...]] = ("client", "server")


@frozen
class Arrow:
    """From one state to another, or to the end of the connection (None), on any of some inputs."""

    start: type[State]
    inputs: tuple[str, ...]
    end: type[State] | None


def first_states(side: Side) -> tuple[type[State], ...]:
    """Where the machine of that side begins; a client's sends early data, or it does not."""
    if side == "server":
        return (WaitClientHello,)
    return typing.get_args(typing.get_type_hints(client_start.start)["return"])


def reachable(side: Side) -> list[type[State]]:
    """Every state of that side, in the order in which they are met."""
    states = [*first_states(side)]
    for state in states:
        for kind in accepted_by(state):
            states += [next_ for next_ in successors_of(state, kind) if next_ not in states]
    return states


def arrows(state: type[State]) -> list[Arrow]:
    """All that can happen in a state, one arrow for each state that it leads to."""
    inputs: dict[type[State] | None, list[str]] = {}
    for kind in accepted_by(state):
        if kind is AbortHandshake:
            continue
        for end in successors_of(state, kind) or (None,):
            inputs.setdefault(end, []).append(kind.__name__)
    return [Arrow(state, tuple(sorted(names)), end) for end, names in inputs.items()]


def _identifiers(states: list[type[State]]) -> dict[type[State], str]:
    """The name of each state as the languages of diagrams take it."""
    return {state: name_of(state).replace(".", "_") for state in states}


# --- the three forms -------------------------------------------------------------------------------------------


def mermaid(side: Side) -> Iterator[str]:
    """A Mermaid state diagram; questions are its choices of class ``question``."""
    states = reachable(side)
    names = _identifiers(states)
    yield "stateDiagram-v2"
    yield from (f"    [*] --> {names[state]}" for state in first_states(side))
    for state in states:
        for arrow in arrows(state):
            end = names[arrow.end] if arrow.end is not None else "[*]"
            yield f"    {names[state]} --> {end} : {', '.join(arrow.inputs)}"
    yield "    classDef question stroke-dasharray: 5"
    yield "    classDef established stroke-width: 3px"
    questions = (names[state] for state in states if issubclass(state, Asking))
    yield f"    class {','.join(questions)} question"
    yield f"    class {','.join(names[state] for state in states if state.ESTABLISHED)} established"


def dot(side: Side) -> Iterator[str]:
    """A digraph for Graphviz; questions are dashed, the established state has two lines."""
    states = reachable(side)
    names = _identifiers(states)
    yield f"digraph {side} {{"
    yield "    node [shape=box, style=rounded];"
    for state in states:
        if issubclass(state, Asking):
            yield f'    {names[state]} [style="rounded,dashed"];'
        elif state.ESTABLISHED:
            yield f"    {names[state]} [peripheries=2];"
    yield "    start [shape=point];"
    yield from (f"    start -> {names[state]};" for state in first_states(side))
    ends = [arrow for state in states for arrow in arrows(state) if arrow.end is None]
    if ends:
        yield '    end [shape=doublecircle, label="", width=0.15];'
    for state in states:
        for arrow in arrows(state):
            end = names[arrow.end] if arrow.end is not None else "end"
            label = "\\n".join(arrow.inputs)
            yield f'    {names[state]} -> {end} [label="{label}"];'
    yield "}"


def page() -> Iterator[str]:
    """``docs/states.md``: a picture for each side and version, and a table of the states."""
    yield "# The state machines"
    yield ""
    yield "Made by `python -m sansticket states --format markdown > docs/states.md` from the code's annotations,"
    yield "and the pictures by `python -m tools.diagrams --write`; tests hold both to them. A dashed state is a"
    yield "question to the application, and only its answers are accepted there. Every state can also end with an"
    yield "alert, and every question can be answered with `AbortHandshake`: these are not drawn. Nor is an arrow"
    yield "that passes questions, which may not be asked, where the arrows through them are: the tables have every"
    yield "single one. [model.md](model.md) has the same for programs, and what was walked of it."
    for side in SIDES:
        yield ""
        yield f"## The {side}"
        yield ""
        for version in ("1.3", "1.2"):
            name = f"{side}-tls{version.replace('.', '')}"
            yield f"### A {side} in TLS {version}"
            yield ""
            yield f"![The states of a {side} in TLS {version}](diagrams/{name}.svg)"
            yield ""
        yield f"### The states of the {side}"
        yield ""
        yield "| state | what it is | what it accepts, and where that leads |"
        yield "|---|---|---|"
        yield from _table(side)


def _table(side: Side) -> Iterator[str]:
    for state in reachable(side):
        what = " ".join((getdoc(state) or "").partition("\n\n")[0].split())
        ways = []
        for kind in accepted_by(state):
            if kind is not AbortHandshake:
                ends = [name_of(end) for end in successors_of(state, kind)] or ["the end"]
                ways.append(f"{kind.__name__} → {' or '.join(ends)}")
        yield f"| `{name_of(state)}` | {what} | {'; '.join(sorted(ways))} |"
