"""RFC 9149: the client says how many tickets it wants, the server how many it will send."""

from __future__ import annotations

import pytest
from attrs import evolve

from sansticket.commands import ResolveTicket, UseConfig
from sansticket.config.choices import ASK
from sansticket.errors import ConfigError, Reason
from sansticket.events import DecideTicket, SelectConfig
from sansticket.tickets.decision import TicketReturn
from sansticket.wire.extensions.resumption import TicketRequest, TicketRequestHint
from sansticket.wire.messages.hello import ClientHello
from sansticket.wire.messages.tls13 import EncryptedExtensions
from tests.support.hostile_client import HostileClient
from tests.support.hostile_server import HostileServer, with_extensions
from tests.support.pair import ConnectionPair
from tests.support.resumption import World, outcome, received, record


@pytest.mark.parametrize(
    ("wanted", "full", "again"),
    [
        ((0, 0), 0, 0),
        ((1, 1), 1, 1),
        ((4, 0), 4, 0),
        ((0, 3), 0, 3),
        ((8, 8), 8, 8),
        ((9, 255), 8, 8),  # the server's limit
    ],
)
def test_the_clients_wish_within_the_servers_limit(
    world: World, wanted: tuple[int, int], full: int, again: int
) -> None:
    config = world.server()
    session = world.session(config)
    client = world.client(ticket_request=wanted)
    first, second = world.connect(config, client=client), world.connect(config, session, client=client)
    assert outcome(first) == (False, full)
    assert outcome(second) == (True, again)
    for pair in first, second:
        assert record(pair, "client").tickets_to_follow == record(pair).tickets_to_follow
        assert record(pair, "client").tickets_to_follow == len(received(pair))


@pytest.mark.parametrize(("limit", "expected"), [(0, 0), (1, 1), (3, 3), (255, 255)])
def test_the_limit(world: World, limit: int, expected: int) -> None:
    client = world.client(ticket_request=(255, 255))
    assert outcome(world.connect(world.server(max_tickets_requested=limit), client=client)) == (
        False,
        expected,
    )


def test_a_server_without_tickets_has_none_to_give(world: World) -> None:
    client = world.client(ticket_request=(4, 4))
    for config in (world.server(num_tickets=0), world.server(ticket_keys=None)):
        pair = world.connect(config, client=client)
        assert outcome(pair) == (False, 0)
        assert record(pair, "client").tickets_to_follow == 0


def test_what_was_decided_is_stronger(world: World) -> None:
    config = world.server()
    session = world.session(config)
    client = world.client(ticket_request=(4, 4))
    for answer, expected in ((TicketReturn.USE, (True, 0)), (TicketReturn.IGNORE, (False, 0))):
        decided = evolve(config, answers={DecideTicket: lambda _, answer=answer: ResolveTicket(answer)})
        pair = world.connect(decided, session, client=client)
        assert outcome(pair) == expected
        assert record(pair, "client").tickets_to_follow == 0


def test_the_limit_of_the_config_that_is_selected(world: World) -> None:
    config = world.server(answers={SelectConfig: ASK})
    pair = ConnectionPair(world.client(ticket_request=(200, 0)), config)
    pair.carry("client")
    pair.send("server", UseConfig(world.server(max_tickets_requested=100)))
    assert outcome(pair) == (False, 100)
    assert record(pair, "client").tickets_to_follow == 100


def test_without_a_request_nothing_is_announced(world: World) -> None:
    pair = world.connect(world.server())
    assert record(pair, "client").tickets_to_follow is None
    assert "to follow" not in str(record(pair, "client"))
    server = HostileServer(world.client()).complete()
    assert server.hello.find(TicketRequest) is None


def test_an_announcement_that_nobody_asked_for(world: World) -> None:
    edit = {EncryptedExtensions: lambda message: with_extensions(message, TicketRequestHint(1))}
    HostileServer(world.client(), edit).serve().assert_refused(Reason.UNSOLICITED_EXTENSION)


def test_on_the_wire(world: World) -> None:
    edit = {ClientHello: lambda hello: with_extensions(hello, TicketRequest(3, 2))}
    client = HostileClient(world.server(), edit).complete()
    (answer,) = (message for message in client.heard if isinstance(message, EncryptedExtensions))
    assert answer.find(TicketRequestHint) == TicketRequestHint(3)
    assert len(client.tickets) == 3


@pytest.mark.parametrize("wanted", [(-1, 0), (0, 256), ("1", 1)])
def test_wishes_that_cannot_be_said(world: World, wanted: tuple[int, int]) -> None:
    with pytest.raises(ConfigError, match="ticket_request"):
        world.client(ticket_request=wanted)


def test_limits_that_cannot_be(world: World) -> None:
    with pytest.raises(ConfigError, match="max_tickets_requested"):
        world.server(max_tickets_requested=256)
