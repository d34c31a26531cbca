"""What can happen next: flights arrive, the applications speak and answer, and the attacker does what it can.

The attacker has the network: it drops, repeats, swaps, replays (also to whoever said it, and to another server that
has the same config), and ends streams.  Each of these costs one of the node's budget; all else is free.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from attrs import evolve, frozen

from sansticket.commands import CheckRevocations, Close, Command, IssueTicket, SendData, SendEarlyData
from sansticket.connection.server import ServerConnection
from sansticket.errors import LocalProtocolError
from sansticket.events import (
    ConnectionTerminated,
    DataReceived,
    EarlyDataReceived,
    Event,
    PeerAuthenticated,
    TicketIssued,
    TicketReceived,
)
from tools.explore.answers import answers_of
from tools.explore.rules import problems_of
from tools.explore.setting import Foreign, Setting, place_in
from tools.explore.shapes import shape_of
from tools.explore.watching import (
    APPLICATION_DATA,
    HANDSHAKE,
    Content,
    Notes,
    Watch,
    reads,
    watched,
)
from tools.explore.world import SEEN, Flight, Node, Party

CLIENT_HELLO: Final = 1


@frozen
class Result:
    """Where a move leads; ``problems`` are the rules that it breaks, ``notes`` what was seen on the way."""

    node: Node
    problems: tuple[str, ...]
    notes: Notes


def messages_in(data: bytes) -> Iterator[bytes]:
    """The handshake messages in the content of a record."""
    while data:
        stop = 4 + int.from_bytes(data[1:4])
        yield data[:stop]
        data = data[stop:]


def split(contents: list[Content]) -> list[Content]:
    """One for each message."""
    return [
        evolve(content, data=part)
        for content in contents
        for part in (messages_in(content.data) if content.content_type == HANDSHAKE else (content.data,))
    ]


def first_flight(node: Node, party: Party, contents: list[Content]) -> Node:
    """Send what a party has to say when it is made."""
    data = party.connection.data_to_send()
    return _sent(node, party, data, split(contents)) if data else node.with_party(party)


def _sent(node: Node, party: Party, data: bytes, contents: list[Content]) -> Node:
    shape = shape_of(party.name, data, [(c.keys, c.sequence, c.content_type, c.data) for c in contents])
    flight = Flight(
        party.name, party.flights, data, tuple(contents), shape, frozenset(c.said for c in contents)
    )
    said = tuple(c.said for c in contents if c.content_type == APPLICATION_DATA)
    node = node.with_party(party.but(flights=party.flights + 1, said=party.said + said))
    place = SEEN.index(party.name)
    seen = (*node.seen[:place], (*node.seen[place], flight), *node.seen[place + 1 :])
    if party.name == node.client.name:
        return node.but(seen=seen, to_server=(*node.to_server, flight))
    if party.name == node.server.name:
        return node.but(seen=seen, to_client=(*node.to_client, flight))
    return node.but(seen=seen)


def act(setting: Setting, node: Node, party: Party, action: Callable[[Any], list[Event]]) -> Result | None:
    """One thing happens to a fork of the party; None if it is a command that cannot be given now."""
    setting.go_to(node.stores, party)
    fork = party.fork()
    notes = Watch.notes = Notes()
    problems: list[str] = []
    try:
        action(fork.connection)
    except LocalProtocolError as error:
        if not notes.events and not notes.transitions:
            return None
        problems.append(f"{party.name} raises {type(error).__name__}: {error}")
    except Exception as error:
        problems.append(f"{party.name} raises {type(error).__name__}: {error}")
    data = fork.connection.data_to_send()
    fork = _told(fork.but(drawn=setting.source.drawn), notes)
    after = node.with_party(fork)
    if not party.is_client:
        after = after.but(stores=tuple(store.now() for store in setting.stores))
    contents = split(notes.written)
    if data:
        after = _sent(after, fork, data, contents)
    after = _without_what_nobody_reads(after)
    new = after.party(party.name)
    assert new is not None
    after, more = problems_of(setting, node, after, new, notes)
    return Result(after, (*problems, *more), notes)


def _without_what_nobody_reads(node: Node) -> Node:
    """Flights to whoever is gone are as good as gone."""
    for party, queue, rest in _queues(node):
        if queue and (party.over or party.stream_ended):
            node = node.but(**{rest: ()})
    return node


def _told(party: Party, notes: Notes) -> Party:
    changes: dict[str, Any] = {}
    if notes.agreed is not None:
        changes["agreed"] = notes.agreed
    hellos = [raw for _, kind, raw in notes.accepted if kind == HANDSHAKE and raw[0] == CLIENT_HELLO]
    if hellos:
        changes["hello"] = hellos[-1]
    if party.connection.pending is None and not party.connection._engine.reader.buffered:
        changes["waiting"] = ()
    for event in notes.events:
        match event:
            case TicketIssued(session):
                changes["sessions"] = (*changes.get("sessions", party.sessions), session)
            case TicketReceived(session):
                changes["sessions"] = (*changes.get("sessions", party.sessions), session)
            case DataReceived(data):
                changes["heard"] = (*changes.get("heard", party.heard), data)
            case EarlyDataReceived(data):
                changes["heard_early"] = (*changes.get("heard_early", party.heard_early), data)
            case PeerAuthenticated():
                changes["authentications"] = party.authentications + 1
            case ConnectionTerminated():
                changes["end"] = event
    return party.but(**changes)


def deliver(setting: Setting, node: Node, party: Party, flight: Flight) -> Result:
    """All of a flight, at once."""
    if party.question is not None:
        party = party.but(waiting=(*party.waiting, flight))
        node = node.with_party(party)
    result = act(setting, node, party, lambda connection: connection.receive_data(flight.data))
    assert result is not None, "receive_data has been refused"
    return result


def end_stream(setting: Setting, node: Node, party: Party) -> Result:
    party = party.but(stream_ended=True)
    result = act(setting, node.with_party(party), party, lambda connection: connection.receive_data(b""))
    assert result is not None, "the end of a stream has been refused"
    return result


# --- free moves ------------------------------------------------------------------------------------------------


def free_moves(setting: Setting, node: Node) -> Iterator[tuple[str, Result]]:
    """What happens if nobody interferes."""
    for party, queue, rest in _queues(node):
        if queue:
            less = node.but(**{rest: queue[1:]})
            yield f"{_title(queue[0])} arrives", deliver(setting, less, party, queue[0])
    for party in node.parties:
        if party.question is not None:
            yield from _answers(setting, node, party)
        yield from _speech(setting, node, party)


def _queues(node: Node) -> tuple[tuple[Party, tuple[Flight, ...], str], ...]:
    """Who waits for which flights, and the name of that field."""
    return (node.server, node.to_server, "to_server"), (node.client, node.to_client, "to_client")


def _title(flight: Flight) -> str:
    return f"flight {flight.number} of the {flight.who}"


def _answers(setting: Setting, node: Node, party: Party) -> Iterator[tuple[str, Result]]:
    for answer in answers_of(setting, node, party):
        before = node.but(
            undisturbed=node.undisturbed and not answer.ends_it,
            claimed=node.claimed + answer.claims,
        )
        command = answer.command
        result = act(setting, before, party, lambda connection, command=command: connection.send(command))  # type: ignore[misc]
        assert result is not None, f"{command} to {party.question} has been refused"
        yield f"{party.name} answers {type(command).__name__}", result


def _speech(setting: Setting, node: Node, party: Party) -> Iterator[tuple[str, Result]]:
    """The next thing that the application has to say, if it can be said now."""
    script = setting.script(party.name)
    place = place_in(script, party)
    if place == len(script) or (party.over and party.connection._engine.outbound.closed):
        return
    item = script[place]
    asked = item.count if type(item) is IssueTicket else 0
    speaker = party.but(steps_taken=place + 1, asked_for=party.asked_for + asked)
    cut = type(item) is Close and not all(one.connected for one in node.parties[:2])
    cut = cut or type(item) is CheckRevocations
    before = node.with_party(speaker).but(undisturbed=node.undisturbed and not cut)
    result = act(setting, before, speaker, lambda connection: _say(connection, party, place, item))
    if result is not None:
        yield f"{party.name} says {type(item).__name__}", result


def _say(connection: Any, party: Party, place: int, item: Command | Foreign) -> list[Event]:
    mark = f"{party.name} {place};".encode()
    state, steps = type(connection._engine.state), Watch.notes.transitions
    if isinstance(item, Foreign):
        if not (party.connected or item.early):
            raise LocalProtocolError("not before the handshake is done")
        connection._engine.outbound.write(HANDSHAKE, item.message)
        return []
    if isinstance(item, SendData | SendEarlyData):
        item = type(item)(mark)
    events: list[Event] = connection.send(item)
    if type(item) is SendData and not steps:
        steps.append((state, SendData, state))  # its shortcut, past the handler
    return events


# --- what the attacker does --------------------------------------------------------------------------------------


def attacks(setting: Setting, node: Node) -> Iterator[tuple[str, Result]]:
    """Each costs one."""
    if not node.budget:
        return
    less = node.but(budget=node.budget - 1, undisturbed=False)
    for party, queue, rest in _queues(node):
        if not queue:
            continue
        yield f"{_title(queue[0])} is lost", Result(less.but(**{rest: queue[1:]}), (), Notes())
        yield f"{_title(queue[0])} arrives, and will again", deliver(setting, less, party, queue[0])
        if len(queue) > 1:
            swapped = (queue[1], queue[0], *queue[2:])
            yield (
                f"{_title(queue[1])} overtakes another",
                Result(less.but(**{rest: swapped}), (), Notes()),
            )
    for party in less.parties:
        if not party.over and not party.stream_ended:
            yield f"the stream to the {party.name} ends", end_stream(setting, less, party)
            if party.question is None:
                yield from _replays(setting, less, party)
    yield from _second_server(setting, less)


def _replays(setting: Setting, node: Node, party: Party) -> Iterator[tuple[str, Result]]:
    """Old flights, one of each kind: those under keys that the party does not have are alike to it."""
    known = reads(party.connection)
    kinds = set()
    for flights in node.seen:
        for flight in flights:
            first = flight.contents[0]
            kind: object = flight
            if first.keys not in (b"", known):
                kind = first.content_type
            if kind not in kinds:
                kinds.add(kind)
                yield (
                    f"{_title(flight)} arrives at the {party.name} once more",
                    deliver(setting, node, party, flight),
                )


def _second_server(setting: Setting, node: Node) -> Iterator[tuple[str, Result]]:
    """A connection of the attacker's own, to a server with the same config: an old ClientHello, and what followed."""
    if len(node.parties) > 2:
        return
    connection = ServerConnection(setting.server_config)
    watched(connection)
    second = Party("second server", connection)
    node = node.but(parties=(*node.parties, second))
    for flights in node.seen:
        for place, flight in enumerate(flights):
            first = flight.contents[0]
            if first.content_type == HANDSHAKE and first.data[0] == CLIENT_HELLO:
                yield from _in_a_row(setting, node, flights[place:])


def _in_a_row(setting: Setting, node: Node, flights: tuple[Flight, ...]) -> Iterator[tuple[str, Result]]:
    """The first of them arrives at the second server; the first two; and so on."""
    problems: tuple[str, ...] = ()
    notes = Notes()
    for number, flight in enumerate(flights):
        party = node.party("second server")
        assert party is not None
        if party.over or (number and party.question is not None):
            return
        result = deliver(setting, node, party, flight)
        node, problems, notes = result.node, problems + result.problems, notes.plus(result.notes)
        words = _title(flights[0]) + (f" to {flight.number}" if number else "")
        yield f"{words} arrives at another server", Result(node, problems, notes)
