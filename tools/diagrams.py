"""The state machines as pictures, one for each side and version, from the annotations of the handlers.

    python -m tools.diagrams            say which of docs/diagrams are not what the code is
    python -m tools.diagrams --write    and draw them

States from each of which every other can be reached are one box: the search for a session with all its questions, or
the connected state with those that are asked in it.  An arrow is left out where others say the same: a question that
is not asked is passed, so what leads to it leads to where its answers lead, too.
"""

from __future__ import annotations

import argparse
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Final

from attrs import frozen

from sansticket.debug.explain import Side
from sansticket.debug.states import SIDES, arrows, reachable
from sansticket.handshake.machine.state import Asking, State
from sansticket.handshake.machine.transitions import name_of
from tools.layered import Box, Tab, svg

FOLDER: Final = Path(__file__).parent.parent / "docs/diagrams"
VERSIONS: Final = {"tls13": "TLS 1.3", "tls12": "TLS 1.2"}
END: Final = "the end"
LONGEST: Final = 64
"""Characters of a line in a box."""


@frozen(eq=False)
class Node:
    """States that are one box, with the inputs by which each leads out of it, and those that stay within."""

    states: tuple[type[State], ...]
    ways: dict[type[State], dict[str, set[type[State] | None]]]
    """For each state and input, where that leads, within this version."""

    @property
    def name(self) -> str:
        if len(self.states) == 1:
            return self.states[0].__name__
        established = [state.__name__ for state in self.states if state.ESTABLISHED]
        if established:
            return established[0]
        return "The search for a session" if self.is_question else "The last flights"

    @property
    def is_question(self) -> bool:
        return all(issubclass(state, Asking) for state in self.states)

    def staying(self, state: type[State]) -> list[str]:
        ends = self.ways[state]
        return [name for name, there in ends.items() if there & set(self.states)]


def nodes(side: Side, version: str) -> list[Node]:
    """The boxes of a diagram, in the order in which their first states are met."""
    (other,) = VERSIONS.keys() - {version}
    states = [state for state in reachable(side) if not name_of(state).startswith(other)]
    ways = {state: _ways(state, states) for state in states}
    states = [
        state
        for state in states
        if any(None in ends or ends - {state} for ends in ways[state].values()) or state.ESTABLISHED
    ]
    ends = {
        state: {end for there in ways[state].values() for end in there if end in states} for state in states
    }
    reached = {state: _closure(state, ends) for state in states}
    found: list[Node] = []
    for state in states:
        if not any(state in node.states for node in found):
            circle = tuple(
                one for one in states if one is state or (one in reached[state] and state in reached[one])
            )
            found.append(Node(circle, {one: ways[one] for one in circle}))
    return found


def _ways(state: type[State], states: Collection[type[State]]) -> dict[str, set[type[State] | None]]:
    ways: dict[str, set[type[State] | None]] = {}
    for arrow in arrows(state):
        for name in arrow.inputs:
            if arrow.end is None or arrow.end in states:
                ways.setdefault(name, set()).add(arrow.end)
    return dict(sorted(ways.items()))


def _closure(state: type[State], ends: dict[type[State], set[type[State]]]) -> set[type[State]]:
    found: set[type[State]] = set()
    waiting = [state]
    while waiting:
        new = ends[waiting.pop()] - found
        found |= new
        waiting += new
    return found


# --- arrows ----------------------------------------------------------------------------------------------------------

Leads = dict[str, dict[str, set[str]]]
"""By the name of a box: its inputs, and the names of the boxes that each leads to, ``END`` among them."""


def leads(all_nodes: Sequence[Node]) -> Leads:
    """All arrows between boxes."""
    box_of = {state: node.name for node in all_nodes for state in node.states}
    found: Leads = {}
    for node in all_nodes:
        out: dict[str, set[str]] = {}
        for ways in node.ways.values():
            for name, ends in ways.items():
                boxes = {END if end is None else box_of[end] for end in ends} - {node.name}
                if boxes:
                    out.setdefault(name, set()).update(boxes)
        found[node.name] = out
    return found


def reduced(all_leads: Leads, questions: Collection[str]) -> Leads:
    """Without the arrows that follow from others by passing questions."""
    return {
        box: {
            name: {
                end for end in ends if not any(end in passing(all_leads, by) for by in ends & set(questions))
            }
            for name, ends in out.items()
        }
        for box, out in all_leads.items()
    }


def passing(all_leads: Leads, question: str) -> set[str]:
    """Where the answers of a question lead."""
    return {end for ends in all_leads[question].values() for end in ends} - {END}


# --- pictures --------------------------------------------------------------------------------------------------------


def picture(side: Side, version: str) -> str:
    all_nodes = nodes(side, version)
    questions = [node.name for node in all_nodes if node.is_question]
    drawn = reduced(leads(all_nodes), questions)
    boxes = [_box(node, drawn[node.name]) for node in all_nodes]
    if any(END in tab.ends for box in boxes for tab in box.tabs):
        boxes.append(Box(END, kind="end"))
    return svg(boxes, f"The states of a {side} in {VERSIONS[version]}")


def _box(node: Node, out: dict[str, set[str]]) -> Box:
    by_ends: dict[tuple[str, ...], list[str]] = {}
    for name, ends in out.items():
        if ends:
            by_ends.setdefault(tuple(sorted(ends)), []).append(name)
    tabs = tuple(
        Tab(tuple(names) if len(names) < 5 else ("any answer",), ends) for ends, names in by_ends.items()
    )
    established = any(state.ESTABLISHED for state in node.states)
    kind = "established" if established else "question" if node.is_question else ""
    return Box(node.name, tuple(_lines(node)), tabs, kind)


def _lines(node: Node) -> Iterator[str]:
    if len(node.states) == 1:
        if staying := node.staying(node.states[0]):
            yield from _wrapped("stays: " + ", ".join(staying))
        return
    for state in node.states:
        inside = {
            name: [end for end in node.states if end in ends] for name, ends in node.ways[state].items()
        }
        moves = [", ".join(inside)] if node.is_question else _joined(state, inside)
        for number, move in enumerate(moves):
            yield from _wrapped(f"{state.__name__}: {move}" if not number else move)


def _joined(state: type[State], inside: dict[str, list[type[State]]]) -> list[str]:
    """Inputs that lead to the same states of the box are one line."""
    found: dict[str, list[str]] = {}
    for name, ends in inside.items():
        if ends:
            words = ("itself" if end is state else end.__name__ for end in ends)
            found.setdefault(" or ".join(words), []).append(name)
    return [f"{', '.join(names)} → {ends}" for ends, names in found.items()]


def _wrapped(text: str) -> Iterator[str]:
    line = ""
    for word in text.split(" "):
        if line and len(line) + 1 + len(word) > LONGEST:
            yield line
            line = word
        else:
            line = f"{line} {word}".strip()
    yield line


def pictures() -> dict[Path, str]:
    return {
        FOLDER / f"{side}-{version}.svg": picture(side, version) for side in SIDES for version in VERSIONS
    }


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tools.diagrams", description="The state machines as pictures."
    )
    parser.add_argument("--write", action="store_true", help=f"write docs/{FOLDER.name}")
    options = parser.parse_args(arguments)
    stale = 0
    for path, text in pictures().items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale += 1
            print(path)
            if options.write:
                FOLDER.mkdir(exist_ok=True)
                path.write_text(text, encoding="utf-8")
    return int(stale > 0 and not options.write)


if __name__ == "__main__":
    raise SystemExit(main())
