"""Tickets on request, and when tickets leave (SSL_new_session_ticket(3)).

A request only queues.  What is queued is made and written together before the data of the next SendData, or on
FlushTickets; never because something was received.
"""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from sansticket.commands import (
    Close,
    FlushTickets,
    IssueTicket,
    RequestClientCertificate,
    SealTicket,
    SendData,
    UpdateKeys,
)
from sansticket.config.choices import ASK, TicketFlush
from sansticket.errors import LocalProtocolError, Reason
from sansticket.events import (
    DataReceived,
    KeysUpdated,
    PrepareTicket,
    TicketIssued,
    TicketReceived,
)
from tests.support.credentials import anchors
from tests.support.pair import ConnectionPair, every
from tests.support.resumption import World, ending, kinds, outcome, received, records_of, resumed

LATER = TicketFlush.WRITE


def quiet(world: World, session: Any = None, **changes: Any) -> ConnectionPair:
    """A connection at rest whose handshake brought no tickets."""
    pair = world.connect(world.server(**{"num_tickets": 0, **changes}), session)
    assert received(pair) == []
    return pair


# --- queued --------------------------------------------------------------------------------------------------


def test_a_request_makes_nothing_and_sends_nothing(world: World) -> None:
    pair = quiet(world)
    assert pair.server.send(IssueTicket(3)) == []
    assert pair.server.data_to_send() == b""
    assert pair.server.unsent_tickets == 0


def test_flushed_on_demand(world: World) -> None:
    pair = quiet(world)
    pair.server.send(IssueTicket())
    pair.server.send(IssueTicket(2))
    assert kinds(pair.server.send(FlushTickets())) == 3 * ["TicketIssued"]
    assert pair.server.unsent_tickets == 3
    assert len(records_of(pair.server.data_to_send())) == 1
    assert pair.server.unsent_tickets == 0


@pytest.mark.parametrize("size", [1, 4, 40_000])
def test_before_the_data(world: World, size: int) -> None:
    pair = quiet(world)
    pair.server.send(IssueTicket(2))
    pair.send("server", SendData(bytes(size)))
    arrived = [event for event in pair.client_events if isinstance(event, TicketReceived | DataReceived)]
    assert kinds(arrived) == ["TicketReceived", "TicketReceived", "DataReceived"]
    assert pair.data("client") == bytes(size)


def test_empty_data_sends_what_is_queued(world: World) -> None:
    pair = quiet(world)
    pair.server.send(IssueTicket())
    pair.send("server", SendData(b""))
    assert len(received(pair)) == 1
    assert pair.data("client") == b""


def test_flushing_nothing(world: World) -> None:
    pair = quiet(world)
    assert pair.server.send(FlushTickets()) == []
    assert pair.server.data_to_send() == b""


@pytest.mark.parametrize("number", [0, 2])
@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("requested", [1, 2, 5])
@pytest.mark.parametrize("stateful", [False, True])
def test_n_requests_give_n_tickets(
    world: World, number: int, again: bool, requested: int, stateful: bool
) -> None:
    """Whatever num_tickets is, and without the cap of one after a resumption."""
    config = evolve(world.stateful() if stateful else world.server(), num_tickets=2)
    session = world.session(config) if again else None
    pair = world.connect(evolve(config, num_tickets=number), session)
    automatic = len(received(pair))
    for _ in range(requested):
        pair.server.send(IssueTicket())
    pair.send("server", FlushTickets())
    sessions = received(pair)
    assert len(sessions) == automatic + requested
    assert [event.ordinal for event in pair.events("server", TicketIssued)] == list(range(len(sessions)))
    assert all(resumed(world.connect(config, one)) for one in sessions)


@given(st.lists(st.integers(1, 3) | st.binary(min_size=1, max_size=5), max_size=8))
def test_the_order_of_requests_and_data(actions: list[int | bytes]) -> None:
    pair = quiet(World())
    queued, expected = 0, []
    for action in actions:
        if isinstance(action, int):
            pair.server.send(IssueTicket(action))
            queued += action
        else:
            pair.server.send(SendData(action))
            expected += queued * ["ticket"] + [action]
            queued = 0
    pair.cut = every(1)
    pair.pump()
    arrived: list[str | bytes] = []
    for event in pair.client_events:
        if isinstance(event, TicketReceived):
            arrived.append("ticket")
        elif isinstance(event, DataReceived):
            arrived.append(event.data)
    assert arrived == expected


# --- never because something was received --------------------------------------------------------------------


def test_data_from_the_client_sends_nothing(world: World) -> None:
    pair = quiet(world)
    pair.server.send(IssueTicket(2))
    pair.send("client", SendData(b"ping"))
    assert pair.data("server") == b"ping"
    assert received(pair) == []
    pair.send("server", SendData(b"pong"))
    assert len(received(pair)) == 2


def test_a_key_update_of_the_client_sends_nothing(world: World) -> None:
    pair = quiet(world)
    pair.server.send(IssueTicket())
    pair.send("client", UpdateKeys(request_peer=True))
    assert pair.events("server", KeysUpdated) == [KeysUpdated(by_peer=True), KeysUpdated(by_peer=False)]
    assert received(pair) == []
    pair.send("server", FlushTickets())
    assert len(received(pair)) == 1


def test_nor_does_the_end_of_its_stream(world: World) -> None:
    pair = quiet(world)
    pair.server.send(IssueTicket())
    pair.send("client", Close())
    assert received(pair) == []
    pair.send("server", SendData(b"still here"))
    assert len(received(pair)) == 1, "the client sends no more, but it reads"


def test_key_updates_of_our_own_go_ahead_of_the_queue(world: World) -> None:
    pair = quiet(world)
    pair.server.send(IssueTicket())
    pair.send("server", UpdateKeys())
    assert received(pair) == []
    pair.send("server", SendData(b"x"))
    assert len(received(pair)) == 1
    assert pair.data("client") == b"x"


# --- TicketFlush ---------------------------------------------------------------------------------------------


def test_the_automatic_ones_leave_with_the_first_write(world: World) -> None:
    pair = world.connect(world.server(num_tickets=3, ticket_flush=LATER))
    assert received(pair) == []
    assert pair.events("server", TicketIssued) == []
    pair.send("client", SendData(b"request"))
    assert received(pair) == []
    pair.send("server", SendData(b"response"))
    assert kinds(pair.client_events[-4:]) == 3 * ["TicketReceived"] + ["DataReceived"]


def test_or_when_they_are_flushed(world: World) -> None:
    pair = world.connect(world.server(ticket_flush=LATER))
    pair.send("server", FlushTickets())
    assert len(received(pair)) == 2


def test_together_with_those_on_request(world: World) -> None:
    config = world.server(ticket_flush=LATER)
    pair = world.connect(config)
    pair.server.send(IssueTicket(2))
    pair.send("server", SendData(b"x"))
    assert len(received(pair)) == 4
    again = world.connect(config, received(pair)[0])
    assert received(again) == []
    again.send("server", SendData(b"x"))
    assert outcome(again) == (True, 1)


@pytest.mark.parametrize("at_once", [False, True])
def test_they_leave_with_close_when_we_never_write(world: World, at_once: bool) -> None:
    """Nothing queued is lost, unless we are to leave at once."""
    pair = world.connect(world.server(ticket_flush=LATER))
    assert received(pair) == []
    pair.send("server", Close(at_once=at_once))
    assert len(received(pair)) == (0 if at_once else 2)


# --- where it is not allowed ---------------------------------------------------------------------------------


def refused(pair: ConnectionPair, side: Any = "server") -> str:
    connection = pair.server if side == "server" else pair.client
    state, waiting = connection.state, connection._engine.outbound.writer.records_left
    messages = []
    for command in (IssueTicket(), FlushTickets()):
        with pytest.raises(LocalProtocolError) as caught:
            connection.send(command)
        messages.append(str(caught.value))
    assert (connection.state, connection._engine.outbound.writer.records_left) == (state, waiting), (
        "nothing has changed"
    )
    return " | ".join(messages)


def test_not_on_a_client(world: World) -> None:
    pair = quiet(world)
    assert "IssueTicket in tls13.ClientConnected" in refused(pair, "client")
    pair.send("server", SendData(b"all is well"))
    assert pair.data("client") == b"all is well"


def test_not_before_the_handshake_is_done(world: World) -> None:
    pair = ConnectionPair(world.client(), world.server())
    assert "in WaitClientHello" in refused(pair)
    pair.carry("client")
    assert "in tls13.WaitClientFinished" in refused(pair)
    pair.carry("server")
    assert "in tls13.WaitClientFinished" in refused(pair)
    pair.pump()
    assert outcome(pair) == (False, 2)


def test_not_after_close(world: World) -> None:
    pair = quiet(world)
    pair.server.send(IssueTicket())
    pair.server.send(Close(at_once=True))
    assert "Close" in refused(pair)
    pair.pump()
    assert received(pair) == [], "what was queued stays where it was"


def test_not_while_a_question_is_open(world: World) -> None:
    pair = world.connect(world.server(answers={PrepareTicket: ASK}))
    assert isinstance(pair.server.pending, PrepareTicket)
    assert "in tls13.AskPrepareTicket" in refused(pair)
    pair.send("server", SealTicket())
    pair.send("server", SealTicket())
    assert outcome(pair) == (False, 2)


def test_not_where_no_tickets_are_made(world: World) -> None:
    pair = world.connect(world.server(ticket_keys=None))
    with pytest.raises(LocalProtocolError, match="neither ticket_keys nor"):
        pair.server.send(IssueTicket())


@pytest.mark.parametrize("count", [0, -1])
def test_not_less_than_one(count: int) -> None:
    with pytest.raises(ValueError, match="count"):
        IssueTicket(count)


# --- made lazily ---------------------------------------------------------------------------------------------


def test_made_when_they_are_written(world: World) -> None:
    """The time, the keys and the identity are those of the moment at which the ticket is made."""
    pair = quiet(world)
    pair.server.send(IssueTicket())
    world.clock.forward(100)
    pair.send("server", FlushTickets())
    (session,) = received(pair)
    assert pair.event("server", TicketIssued).session.issued_at == world.clock() == session.issued_at


def test_the_data_waits_for_the_answers(world: World) -> None:
    pair = quiet(world, answers={PrepareTicket: ASK})
    pair.server.send(IssueTicket(2))
    assert kinds(pair.send("server", SendData(b"after them"))) == ["PrepareTicket"]
    pair.send("client", SendData(b"meanwhile"))
    assert (pair.data("client"), pair.data("server")) == (b"", b""), "what comes in waits too"
    assert kinds(pair.send("server", SealTicket(b"one"))) == ["TicketIssued", "PrepareTicket"]
    assert pair.data("client") == b""
    pair.send("server", SealTicket(b"two"))
    assert (pair.data("client"), pair.data("server")) == (b"after them", b"meanwhile")
    assert [event.session.app_data for event in pair.events("server", TicketIssued)] == [b"one", b"two"]


def test_a_failure_to_make_one_is_the_end(world: World) -> None:
    def fails(question: PrepareTicket) -> SealTicket:
        if question.ordinal == 1:
            raise RuntimeError("no")
        return SealTicket()

    pair = quiet(world, answers={PrepareTicket: fails})
    pair.server.send(IssueTicket(3))
    pair.send("server", SendData(b"never sent"))
    assert len(received(pair)) == 1
    assert ending(pair).reason is Reason.ANSWER_FAILED
    assert isinstance(ending(pair).cause, RuntimeError)
    assert pair.data("client") == b""
    assert ending(pair, "client").by_peer


def test_requests_and_a_post_handshake_request(world: World) -> None:
    """1 + n: the automatic ones for the new identity, those on request with the next write."""
    config = world.server(trust_anchors=anchors(), num_tickets=2)
    pair = world.connect(config, client=world.client(post_handshake_auth=True))
    pair.server.send(IssueTicket())
    pair.send("server", RequestClientCertificate())
    assert len(received(pair)) == 2 + 2
    pair.send("server", FlushTickets())
    assert len(received(pair)) == 2 + 2 + 1
