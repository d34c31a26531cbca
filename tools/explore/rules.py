"""What must hold whatever happens: each rule looks at one move, and says in words what is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from sansticket.codes import ContentType, ProtocolVersion
from sansticket.debug.explain import Side
from sansticket.debug.model import epochs_of
from sansticket.errors import Fault, Reason
from sansticket.events import ConnectionTerminated, DataReceived, EarlyDataReceived, TicketReused
from sansticket.handshake.machine.transitions import name_of
from sansticket.tickets.stores.uses import ReusePolicy
from sansticket.wire.extensions import PreSharedKeyOffer, PreSharedKeySelection
from sansticket.wire.messages.hello import ClientHello, ServerHello
from sansticket.wire.messages.tables import MESSAGES_OF_TLS13
from tools.explore.setting import Setting, place_in
from tools.explore.watching import APPLICATION_DATA, HANDSHAKE, Notes, Watch
from tools.explore.world import SEEN, Node, Party

NUM_TICKETS: Final = 2
OUR_MISTAKES: Final = (Reason.INTERNAL_ERROR, Reason.ANSWER_FAILED)
OF_THE_APPLICATION: Final = (Reason.ABORTED_BY_APPLICATION, Reason.CERTIFICATE_REFUSED)


def problems_of(
    setting: Setting, before: Node, node: Node, party: Party, notes: Notes
) -> tuple[Node, list[str]]:
    """What a move of ``party`` breaks; and the node, with what the rules have to remember."""
    problems = [*notes.quarrels, *_places(party, notes), *_accepted(node, party, notes), *_reuse(notes)]
    if any(isinstance(event, DataReceived | EarlyDataReceived) for event in notes.events):
        node, more = _data(node, party, notes)
        problems += more
    if not party.is_client and notes.written:
        node, more = _uses(setting, node, party, notes)
        problems += more
    if notes.agreed is not None:
        problems += _agreement(node, party)
    problems += _tickets(node, party)
    for event in notes.events:
        if isinstance(event, ConnectionTerminated):
            was = before.party(party.name)
            closed = was is not None and was.connection._engine.outbound.closed
            problems += _end(node, event, notes, closed=closed)
    return node, [f"{party.name}: {problem}" for problem in problems]


def _others(node: Node, party: Party) -> list[Party]:
    return [one for one in node.parties if one.is_client != party.is_client]


# --- nothing in a wrong epoch -----------------------------------------------------------------------------------


def pieces(data: bytes) -> list[bytes]:
    """The marks of which data consists."""
    return [mark + b";" for mark in data.split(b";") if mark]


def _places(party: Party, notes: Notes) -> Iterator[str]:
    """A state reads and writes in the epochs that the model declares for it; a direction that has ended, in none."""
    side: Side = "client" if party.is_client else "server"
    for state, *epochs in notes.places:
        reads, writes = (epoch.rstrip(" 0123456789") for epoch in epochs)
        if not any(reads in ("", pair[0]) and writes in ("", pair[1]) for pair in epochs_of(side, state)):
            yield f"{name_of(state)} reads {reads} and writes {writes}"


def _accepted(node: Node, party: Party, notes: Notes) -> Iterator[str]:
    """What was accepted under some keys, the other side has written under them, word for word."""
    if not any(keys for keys, *_ in notes.accepted):
        return
    written = [
        flight.said
        for name, flights in zip(SEEN, node.seen, strict=True)
        if name.endswith("client") != party.is_client
        for flight in flights
    ]
    for keys, kind, data in notes.accepted:
        parts = pieces(data) if kind == APPLICATION_DATA else [data]
        for part in parts:
            if keys and not any((keys, kind, part) in said for said in written):
                yield f"accepted {part[:20]!r} in the epoch {Watch.epochs[keys]}, where nobody has said it"
            if not keys and kind == APPLICATION_DATA:
                yield f"accepted {part!r} without protection"


def _data(node: Node, party: Party, notes: Notes) -> tuple[Node, list[str]]:
    problems = []
    for keys, kind, data in notes.accepted:
        early = Watch.epochs[keys] == "early data"
        if kind == APPLICATION_DATA and early != (data in party.heard_early):
            problems.append(f"{data!r} of the epoch {Watch.epochs[keys]} is called something else")
    heard = [mark for data in party.heard for mark in pieces(data)]
    said = [
        [mark for keys, _, mark in one.said if Watch.epochs[keys] != "early data"]
        for one in _others(node, party)
    ]
    if heard and not any(heard == some[: len(heard)] for some in said):
        problems.append(f"heard {heard}, where {said} was said")
    new = [
        mark for event in notes.events if isinstance(event, EarlyDataReceived) for mark in pieces(event.data)
    ]
    problems += [
        f"early data {mark!r} is delivered a second time" for mark in new if mark in node.heard_early
    ]
    return node.but(heard_early=node.heard_early + tuple(new)), problems


def _reuse(notes: Notes) -> Iterator[str]:
    """A client shows each session once; what the attacker shows again is a copy, and ends nobody's family."""
    for event in notes.events:
        if isinstance(event, TicketReused) and (event.proven or event.policy is not ReusePolicy.REFUSE):
            yield "takes a copy of a ClientHello for somebody who has the session"


# --- single use --------------------------------------------------------------------------------------------------


def _uses(setting: Setting, node: Node, party: Party, notes: Notes) -> tuple[Node, list[str]]:
    """A ServerHello says which of the ClientHello's identities it takes."""
    for content in notes.written:
        if content.keys or content.content_type != HANDSHAKE or content.data[0] != 2:
            continue
        stop = 4 + int.from_bytes(content.data[1:4])
        answer = MESSAGES_OF_TLS13[2](content.data[4:stop])
        taken = isinstance(answer, ServerHello) and _taken(answer, party)
        if taken:
            again = taken in node.taken and setting.scenario.single_use
            return (
                node.but(taken=(*node.taken, taken)),
                ["a session for single use is used again"] if again else [],
            )
    return node, []


def _taken(answer: ServerHello, party: Party) -> bytes:
    hello = MESSAGES_OF_TLS13[1](party.hello[4:])
    assert isinstance(hello, ClientHello)
    for chosen in answer.extensions:
        if isinstance(chosen, PreSharedKeySelection):
            for offer in hello.extensions:
                if isinstance(offer, PreSharedKeyOffer):
                    return offer.identities[chosen.index].identity
    return b""


# --- agreement ---------------------------------------------------------------------------------------------------


def _agreement(node: Node, party: Party) -> Iterator[str]:
    """Who is connected has a partner that is too, or is about to be, and they agree on everything."""
    agreed = party.agreed
    assert agreed is not None
    others = [one for one in _others(node, party) if one.agreed is not None]
    partners = [one for one in others if one.agreed == agreed]
    if others and not partners:
        yield f"agreed on {agreed}, and the other side on {others[0].agreed}"
    twins = [one for one in node.parties if one.is_client == party.is_client and one is not party]
    if any(one.agreed is not None for one in twins):
        yield "two servers are connected to one client"
    full = agreed.resumed is None
    last_is_client = agreed.version == ProtocolVersion.TLS_1_2 and full
    if last_is_client == party.is_client and not partners:
        yield "is connected to nobody"
    for one in partners:
        for side, other in ((party, one), (one, party)):
            assert side.agreed is not None
            shown = tuple(
                chain
                for credential in other.connection._engine.config.credentials
                for chain in credential.chain
            )
            if not set(side.agreed.peer_certificates) <= set(shown):
                yield f"{side.name} has seen certificates that {other.name} does not have"


# --- tickets -----------------------------------------------------------------------------------------------------


def promised(party: Party) -> int:
    """Tickets that a server makes by itself: two after a full handshake, one after a resumption; one in TLS 1.2."""
    agreed = party.agreed
    if agreed is None or agreed.version == ProtocolVersion.TLS_1_2:
        return 1
    return NUM_TICKETS if agreed.resumed is None else 1


def _tickets(node: Node, party: Party) -> Iterator[str]:
    if party.is_client:
        issued = max(len(one.sessions) for one in _others(node, party))
        names = {session.ticket or session.session_id for session in party.sessions}
        if len(party.sessions) > max(issued, 1):
            yield f"received {len(party.sessions)} tickets, of {issued} that were issued"
        if len(names) < len(party.sessions):
            yield "received a ticket twice"
    else:
        most = promised(party) * (1 + party.authentications) + party.asked_for
        if len(party.sessions) > most:
            yield f"issued {len(party.sessions)} tickets; expected at most {most}"


# --- ends --------------------------------------------------------------------------------------------------------


def _end(node: Node, event: ConnectionTerminated, notes: Notes, *, closed: bool) -> Iterator[str]:
    """By an alert that fits, which was sent, and only if something was wrong."""
    if node.undisturbed:
        yield f"ends by {event} though nobody has interfered"
    if event.reason in OUR_MISTAKES or event.cause is not None:
        yield f"ends by {event}, {event.cause!r}"
    if event.by_peer:
        return
    fitting = {Fault(event.reason).alert, Fault(event.reason).alert_of_tls_1_2}
    if event.reason is Reason.TRUNCATED:
        fitting = {None}  # type: ignore[arg-type]
    silenced = event.alert is None and closed
    if event.alert not in fitting and event.reason not in OF_THE_APPLICATION and not silenced:
        yield f"ends by {event} with {event.alert!r}; expected one of {fitting}"
    said = [content for content in notes.written if content.content_type == ContentType.ALERT]
    if event.alert is not None and not any(content.data[1] == event.alert for content in said):
        yield f"ends by {event}, and does not say so"


def at_rest(setting: Setting, node: Node) -> Iterator[str]:
    """Nothing moves any more: rules for a node in which nobody has interfered."""
    client, server = node.client, node.server
    for party in (client, server):
        if setting.scenario.fails:
            continue
        if not party.connected:
            yield f"deadlock: {party.name} waits in {party.connection.state}"
        script = setting.script(party.name)
        if (place := place_in(script, party)) < len(script):
            yield f"{party.name} can never say {script[place]}"
    marks = [mark for data in server.heard for mark in pieces(data)]
    said = [mark for keys, _, mark in client.said if Watch.epochs[keys] != "early data"]
    if marks != said:
        yield f"the server has heard {marks}, of {said}"
