"""num_tickets: how many tickets follow a handshake, at every moment at which the number can be set.

SSL_CTX_set_num_tickets(3); SEMANTICS of the count: n after a full handshake, at most one after a resumption.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve

from sansticket.commands import IssueTicket, ResolveTicket, UseConfig
from sansticket.config.choices import ASK
from sansticket.config.defaults import MAX_NUM_TICKETS
from sansticket.errors import ConfigError, LocalProtocolError
from sansticket.events import DecideTicket, HandshakeCompleted, SelectConfig, TicketIssued
from sansticket.tickets.decision import TicketReturn
from sansticket.wire.extensions.resumption import PskKeyExchangeModes
from sansticket.wire.messages.hello import ClientHello
from tests.support.hostile_client import HostileClient
from tests.support.hostile_server import with_extensions, without
from tests.support.pair import ConnectionPair
from tests.support.resumption import World, kinds, outcome, received, record, records_of, resumed

NUMBERS = [0, 1, 2, 3, 5, 10]


def paused_at_the_flight(world: World, number: int) -> ConnectionPair:
    """The server's flight is out, the client's Finished is not in."""
    pair = ConnectionPair(world.client(), world.server(num_tickets=number))
    pair.carry("client")
    pair.carry("server")
    assert pair.server.state == "tls13.WaitClientFinished"
    return pair


# --- what the config says ------------------------------------------------------------------------------------


def test_two_by_default(world: World) -> None:
    pair = world.connect(world.server())
    assert world.server().num_tickets == pair.server.num_tickets == 2
    assert outcome(pair) == (False, 2)


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("stateful", [False, True])
def test_n_after_a_full_handshake_and_at_most_one_after_a_resumption(
    world: World, number: int, stateful: bool
) -> None:
    config = world.stateful() if stateful else world.server()
    session = world.session(config)
    config = evolve(config, num_tickets=number)

    full, again = world.connect(config), world.connect(config, session)
    assert outcome(full) == (False, number)
    assert outcome(again) == (True, min(1, number))
    for pair in full, again:
        assert (
            record(pair).tickets_to_follow == len(received(pair)) == len(pair.events("server", TicketIssued))
        )


def test_very_many(world: World) -> None:
    assert outcome(world.connect(world.server(num_tickets=1000))) == (False, 1000)


@pytest.mark.parametrize("number", [-1, MAX_NUM_TICKETS + 1])
def test_out_of_range(world: World, number: int) -> None:
    with pytest.raises(ConfigError, match="num_tickets"):
        world.server(num_tickets=number)
    pair = ConnectionPair(world.client(), world.server())
    with pytest.raises(LocalProtocolError, match="num_tickets"):
        pair.server.num_tickets = number
    assert pair.server.num_tickets == 2


# --- what the connection says, and when ----------------------------------------------------------------------


def before_the_handshake(pair: ConnectionPair, number: int) -> None:
    pair.server.num_tickets = number
    pair.pump()


def at_the_client_hello(pair: ConnectionPair, number: int) -> None:
    pair.carry("client")
    assert isinstance(pair.server.pending, SelectConfig)
    pair.server.num_tickets = number
    pair.send("server", UseConfig(pair.server._engine.config))


def after_the_servers_flight(pair: ConnectionPair, number: int) -> None:
    pair.carry("client")
    pair.carry("server")
    assert pair.server.state == "tls13.WaitClientFinished"
    pair.server.num_tickets = number
    pair.pump()


@pytest.mark.parametrize("number", [0, 1, 4])
@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("moment", [before_the_handshake, at_the_client_hello, after_the_servers_flight])
def test_set_on_the_connection(
    world: World, moment: Callable[[ConnectionPair, int], None], number: int, again: bool
) -> None:
    config = world.server()
    session = world.session(config) if again else None
    asks = {SelectConfig: ASK} if moment is at_the_client_hello else {}
    pair = ConnectionPair(world.client(), evolve(config, answers=asks), session=session)
    moment(pair, number)
    assert pair.server.num_tickets == number
    assert config.num_tickets == 2
    assert outcome(pair) == (again, min(1, number) if again else number)
    assert record(pair).tickets_to_follow == len(received(pair))


def test_the_number_of_the_config_that_is_selected(world: World) -> None:
    selected = world.server(num_tickets=5)
    config = world.server(answers={SelectConfig: lambda question: UseConfig(selected)})
    pair = ConnectionPair(world.client(), config)
    assert pair.server.num_tickets == 2
    pair.pump()
    assert pair.server.num_tickets == 5
    assert outcome(pair) == (False, 5)


def test_a_number_set_on_the_connection_outlives_the_selection(world: World) -> None:
    selected = world.server(num_tickets=5)
    pair = ConnectionPair(world.client(), world.server(answers={SelectConfig: ASK}))
    pair.server.num_tickets = 3
    pair.carry("client")
    pair.send("server", UseConfig(selected))
    assert outcome(pair) == (False, 3)


def test_after_the_handshake_it_is_too_late(world: World) -> None:
    pair = world.connect(world.server())
    pair.server.num_tickets = 7
    pair.pump()
    assert outcome(pair) == (False, 2)
    assert pair.server.num_tickets == 7


# --- the tickets themselves ----------------------------------------------------------------------------------


def test_they_leave_when_the_clients_finished_has_come_and_not_before(world: World) -> None:
    pair = paused_at_the_flight(world, 3)
    assert pair.events("server", TicketIssued) == []
    pair.carry("client")
    assert kinds(pair.server_events) == ["HandshakeCompleted"] + 3 * ["TicketIssued"]
    assert pair.server.unsent_tickets == 3
    assert len(records_of(pair.server.data_to_send())) == 1, "all in one record"
    assert pair.server.unsent_tickets == 0


def test_no_two_are_alike(world: World) -> None:
    pair = world.connect(world.server(num_tickets=50))
    sessions = received(pair)
    for values in (
        [session.ticket for session in sessions],
        [session.secret for session in sessions],
        [session.age_add for session in sessions],
    ):
        assert len(set(values)) == 50
    issued = pair.events("server", TicketIssued)
    assert [event.ordinal for event in issued] == list(range(50))
    assert [event.session.secret for event in issued] == [session.secret for session in sessions]


def test_each_resumes(world: World) -> None:
    config = world.server(num_tickets=4)
    for session in received(world.connect(config)):
        assert resumed(world.connect(config, session))


def test_nonces_count_from_nought(world: World) -> None:
    client = HostileClient(world.server(num_tickets=3)).complete()
    assert [ticket.nonce for ticket in client.tickets] == [number.to_bytes(8) for number in range(3)]
    assert [ticket.extensions for ticket in client.tickets] == [(), (), ()]
    assert [ticket.lifetime for ticket in client.tickets] == [7200, 7200, 7200]


# --- clients that take no tickets ----------------------------------------------------------------------------

PSK_KE = PskKeyExchangeModes((0,))


@pytest.mark.parametrize(
    "edit",
    [
        lambda hello: without(hello, PskKeyExchangeModes),
        lambda hello: with_extensions(without(hello, PskKeyExchangeModes), PSK_KE),
    ],
    ids=["no psk_key_exchange_modes", "psk_ke only"],
)
def test_none_for_a_client_that_could_not_use_them(world: World, edit: Callable[[Any], Any]) -> None:
    client = HostileClient(world.server(num_tickets=3), {ClientHello: edit}).complete()
    assert kinds(client.events) == ["HandshakeCompleted"]
    assert client.tickets == []
    completed = client.events[0]
    assert isinstance(completed, HandshakeCompleted)
    assert completed.record.tickets_to_follow == 0
    with pytest.raises(LocalProtocolError, match="no PSK key exchange mode that we do"):
        client.victim.send(IssueTicket())


@pytest.mark.parametrize("lists_psk_ke", [False, True])
def test_a_client_that_names_no_mode_before_it_has_a_ticket(world: World, lists_psk_ke: bool) -> None:
    """Erlang's: the first hello has no modes, the one with the ticket has.  A client that lists others means it."""
    config = world.server(num_tickets=3, tickets_without_psk_modes=True)

    def edit(hello: ClientHello) -> ClientHello:
        bare = without(hello, PskKeyExchangeModes)
        return with_extensions(bare, PSK_KE) if lists_psk_ke else bare

    client = HostileClient(config, {ClientHello: edit}).complete()
    assert len(client.tickets) == (0 if lists_psk_ke else 3)
    completed = client.events[0]
    assert isinstance(completed, HandshakeCompleted)
    assert completed.record.tickets_to_follow == len(client.tickets)
    if lists_psk_ke:
        return
    client.victim.send(IssueTicket())
    session = evolve(client.session(), server_name="server.example", issued_at=world.clock())
    again = HostileClient(config, sessions=(session,)).complete()
    assert again.victim.resumed
    assert len(again.tickets) == 1


def test_none_where_the_config_makes_none(world: World) -> None:
    assert outcome(world.connect(world.server(ticket_keys=None))) == (False, 0)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (TicketReturn.USE, (True, 0)),
        (TicketReturn.USE_RENEW, (True, 1)),
        (TicketReturn.IGNORE, (False, 0)),
        (TicketReturn.IGNORE_RENEW, (False, 5)),
    ],
)
def test_the_decision_comes_before_the_number(
    world: World, answer: TicketReturn, expected: tuple[bool, int]
) -> None:
    config = world.server(num_tickets=5)
    session = world.session(config)
    decided = evolve(config, answers={DecideTicket: lambda question: ResolveTicket(answer)})
    assert outcome(world.connect(decided, session)) == expected
