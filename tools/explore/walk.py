"""The walk: from the beginning of a scenario, every move from every node that is not like one that was met before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from attrs import define, field

from sansticket.codes import AlertDescription, ProtocolVersion
from sansticket.handshake.machine.state import State
from sansticket.tickets.session import Session
from tools.explore.moves import Result, attacks, end_stream, first_flight, free_moves
from tools.explore.rules import at_rest
from tools.explore.setting import Scenario, Setting
from tools.explore.shapes import forget, key_of
from tools.explore.watching import Agreed, Transition, watched
from tools.explore.world import Node

MAX_STEPS_OF_A_CONNECTION = 500


@define
class Walk:
    """What a walk has met."""

    scenario: Scenario
    budget: int
    """How much the attacker may do."""
    nodes: int = 0
    moves: int = 0
    """Results that were looked at, those that lead to nodes that were known too."""
    depth: int = 0
    complete: bool = True
    """All was walked; False where ``limit`` was reached."""
    transitions: set[Transition] = field(factory=set)
    places: set[tuple[type[State], str, str]] = field(factory=set)
    pairs: set[tuple[str, str]] = field(factory=set)
    """States of the client and its server at the same time."""
    agreements: set[tuple[str, ...]] = field(factory=set)
    """What sides have agreed on, as far as it says which handshake it was."""
    ends: Counter[tuple[str, str]] = field(factory=Counter)
    """How connections ended: the reason and the alert."""
    waits: set[tuple[str, str]] = field(factory=set)
    """Where both sides wait for ever, since the attacker or a refusal is to blame."""
    problems: dict[str, list[str]] = field(factory=dict)
    """What is wrong, and the shortest way that was met to it."""

    def note(self, result: Result) -> None:
        self.moves += 1
        notes = result.notes
        self.transitions.update(notes.transitions)
        self.places.update(notes.places)
        if notes.agreed is not None:
            self.agreements.add(_kind(notes.agreed))
        for party in result.node.parties:
            if party.end is not None and party.end in notes.events:
                alert = party.end.alert
                name = "none" if alert is None else AlertDescription(alert).name.lower()
                self.ends[party.end.reason.name, f"{name}{', of the peer' if party.end.by_peer else ''}"] += 1
        for problem in result.problems:
            self.blame(result.node, problem)

    def blame(self, node: Node, problem: str) -> None:
        steps = node.steps()
        known = self.problems.get(problem)
        if known is None or len(steps) < len(known):
            self.problems[problem] = steps


def _kind(agreed: Agreed) -> tuple[str, ...]:
    words = {
        "TLS 1.2": agreed.version == ProtocolVersion.TLS_1_2,
        "TLS 1.3": agreed.version == ProtocolVersion.TLS_1_3,
        "full": agreed.resumed is None,
        "resumed": agreed.resumed is not None,
        "early data": agreed.early_data,
        "external PSK": agreed.psk_identity is not None,
    }
    return tuple(word for word, holds in words.items() if holds)


def begin(setting: Setting, walk: Walk) -> Node:
    """The first node: after an earlier connection without an attacker, if the scenario resumes one."""
    sessions: tuple[Session, ...] = ()
    node = Node((), seen=((),) * 5, stores=tuple(store.now() for store in setting.stores))
    if setting.scenario.scene.resumes:
        node = _start(setting, node, sessions, earlier=True)
        for _ in range(MAX_STEPS_OF_A_CONNECTION):
            move = next(free_moves(setting, node), None)
            if move is None:
                break
            result = _on(node, *move)
            walk.note(result)
            node = result.node
        client, server = node.parties
        sessions = client.sessions[: setting.scenario.offers]
        assert sessions, f"the earlier connection brings no session: {client.end or server.end}"
        setting.keep(server.sessions)
    node = _start(setting, node, sessions)
    return node


def _start(setting: Setting, node: Node, sessions: tuple[Session, ...], *, earlier: bool = False) -> Node:
    parties = setting.parties(sessions, earlier=earlier)
    contents = [watched(party.connection) for party in parties]
    node = node.but(parties=parties, to_client=(), to_server=())
    for party, some in zip(parties, contents, strict=True):
        node = first_flight(node, party, some)
    return node


def explore(scenario: Scenario, budget: int, limit: int = 1_000_000) -> Walk:
    """Walk all of it, with at most ``budget`` moves of the attacker on each way, and at most ``limit`` nodes."""
    walk = Walk(scenario, min(budget, scenario.budget))
    setting = Setting(scenario)
    first = begin(setting, walk)
    first = first.but(budget=walk.budget, path=None)
    known = {key_of(first.shapes())}
    left = [(first, 0)]
    while left:
        node, depth = left.pop()
        walk.nodes += 1
        walk.depth = max(depth, walk.depth)
        walk.pairs.add((node.client.connection.state, node.server.connection.state))
        for result in successors(setting, node, walk):
            walk.note(result)
            key = key_of(result.node.shapes())
            if key not in known:
                if len(known) >= limit:
                    walk.complete = False
                    continue
                known.add(key)
                left.append((result.node, depth + 1))
    forget()
    return walk


def successors(setting: Setting, node: Node, walk: Walk) -> Iterator[Result]:
    """Every move from a node, with the way that leads there."""
    still = True
    for name, result in free_moves(setting, node):
        still = False
        yield _on(node, name, result)
    if still:
        _rest(setting, node, walk)
    for name, result in attacks(setting, node):
        yield _on(node, name, result)


def differences(scenario: Scenario, budget: int) -> Iterator[str]:
    """Is it right to walk on from one alone of all nodes that are alike?  Where another of them leads elsewhere.

    It looks one move further from each that a walk would pass over.
    """
    walk, setting = Walk(scenario, budget), Setting(scenario)
    first = begin(setting, walk).but(budget=budget, path=None)
    expected: dict[bytes, Counter[bytes]] = {}
    left = [first]
    while left:
        node = left.pop()
        key = key_of(node.shapes())
        results = [result.node for result in successors(setting, node, walk)]
        found = Counter(key_of(after.shapes()) for after in results)
        if key not in expected:
            expected[key] = found
            left += results
        elif expected[key] != found:
            yield f"{node.steps()}: {len(found - expected[key])} moves lead elsewhere"
    forget()


def _on(node: Node, name: str, result: Result) -> Result:
    return Result(result.node.but(path=(name, node.path)), result.problems, result.notes)


def _rest(setting: Setting, node: Node, walk: Walk) -> None:
    """Nothing moves by itself any more: is that as it should be?  And does the end of the streams free everybody?"""
    if node.undisturbed:
        for problem in at_rest(setting, node):
            walk.blame(node, problem)
    elif not all(party.over for party in node.parties[:2]):
        walk.waits.add((node.client.connection.state, node.server.connection.state))
    for party in node.parties:
        if not party.over and not party.stream_ended:
            result = end_stream(setting, node.but(undisturbed=False), party)
            for problem in result.problems:
                walk.blame(node, f"at the end of its stream {problem}")
            after = result.node.party(party.name)
            if after is None or not after.over:
                walk.blame(node, f"{party.name} is not over at the end of its stream")
