"""Ticket keys through real connections: rings that are rotated, fleets that share keys, and what the wire shows."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from sansticket.config.server import ServerConfig
from sansticket.tickets.decision import TicketStatus
from sansticket.tickets.keys.ring import TicketKey, TicketKeyRing
from sansticket.tickets.keys.windowed import WindowedTicketKeys
from sansticket.tickets.session import Session
from sansticket.wire.extensions.resumption import PreSharedKeyOffer
from sansticket.wire.messages.hello import ClientHello
from tests.support.examples import examples
from tests.support.pair import ConnectionPair
from tests.support.resumption import World, longest_common_run, outcome, received, record, resumed

ROOT = bytes(range(32))
OTHER_ROOT = bytes(range(32, 64))
HOUR = 3600.0
LIFETIME = 7200


def new_key(world: World) -> TicketKey:
    return TicketKey.generate(world.clock(), os.urandom)


def status(pair: ConnectionPair) -> TicketStatus | None:
    return record(pair).identities[0].status


# --- a ring --------------------------------------------------------------------------------------------------


def test_a_rotated_ring_opens_what_it_sealed_before_and_renews_it(world: World) -> None:
    old, new = new_key(world), new_key(world)
    ring = TicketKeyRing([old])
    config = world.server(ticket_keys=ring)
    session = world.session(config)
    assert session.ticket[:16] == old.name

    ring.rotate(new, world.clock())
    pair = world.connect(config, session)
    assert outcome(pair) == (True, 1)
    assert (status(pair), record(pair).identities[0].key_name) == (TicketStatus.SUCCESS_RENEW, old.name)
    (renewed,) = received(pair)
    assert renewed.ticket[:16] == new.name

    assert ring.retire(old.name)
    pair = world.connect(config, session)
    assert outcome(pair) == (False, 2)
    assert (status(pair), record(pair).identities[0].key_name) == (TicketStatus.NO_DECRYPT, old.name)
    assert resumed(world.connect(config, renewed))


def test_a_ring_that_rotates_by_itself(world: World) -> None:
    """Every hour; a key opens for another two hours, the lifetime of its last ticket."""
    ring = TicketKeyRing.generate(world.clock(), os.urandom, rotate_after=HOUR, retire_after=HOUR + LIFETIME)
    config = world.server(ticket_keys=ring)
    names = []
    for _ in range(6):
        session = world.session(config)
        names.append(session.ticket[:16])
        world.clock.forward(LIFETIME - 0.001)
        assert resumed(world.connect(config, session)), "for its whole lifetime"
        world.clock.forward(0.001)
        assert not resumed(world.connect(config, session))
        world.clock.forward(HOUR)
        assert len(ring.keys) <= 4
    assert len(set(names)) == len(names), "none was used longer than an hour"


def test_a_key_is_announced_before_it_is_used(world: World) -> None:
    """Wherever a fleet is in its rotation: a ticket of any server is opened by any other."""
    old, new = new_key(world), new_key(world)
    rings = [TicketKeyRing([old]) for _ in range(3)]
    fleet = [world.server(ticket_keys=ring) for ring in rings]
    steps: list[Callable[[], object]] = [lambda: None]
    steps += [lambda ring=ring: ring.add(new) for ring in rings]  # type: ignore[misc]
    steps += [lambda ring=ring: ring.rotate(new, world.clock()) for ring in rings]  # type: ignore[misc]
    for step in steps:
        step()
        assert_all_resume_all(world, fleet)
    for ring in rings:
        ring.retire(old.name)
        assert_all_resume_all(world, fleet)


def assert_all_resume_all(world: World, fleet: Sequence[ServerConfig]) -> None:
    for config in fleet:
        session = world.session(config)
        assert all(resumed(world.connect(other, session)) for other in fleet)


def test_rings_of_their_own_share_nothing(world: World) -> None:
    one, other = world.server(), world.server()
    assert outcome(world.connect(other, world.session(one))) == (False, 2)


# --- a fleet on one root secret --------------------------------------------------------------------------------

SKEW = 300.0


def windowed(world: World, off: float = 0.0, **changes: Any) -> ServerConfig:
    """A server whose clock is ``off`` by some seconds."""
    keys = WindowedTicketKeys(
        changes.pop("root", ROOT), HOUR, accept_for=LIFETIME, clock_skew=SKEW, **changes
    )
    return world.server(ticket_keys=keys, clock=lambda: world.clock() + off, ticket_lifetime=LIFETIME)


@settings(max_examples=examples(100))
@given(
    made=st.floats(0, 3 * HOUR),
    age=st.floats(0, LIFETIME + HOUR) | st.sampled_from([0.0, LIFETIME - 0.001, float(LIFETIME)]),
    offs=st.tuples(st.floats(-SKEW / 2, SKEW / 2), st.floats(-SKEW / 2, SKEW / 2)),
)
def test_a_ticket_of_any_server_for_its_lifetime_at_any_other(
    made: float, age: float, offs: tuple[float, float]
) -> None:
    """At every moment, the turns of windows included, as long as no two clocks differ by more than the skew."""
    world = World()
    one, other = (windowed(world, off) for off in offs)
    world.clock.forward(made)
    session = world.session(one)
    made_at = one.clock()
    world.clock.forward(age)
    client = world.client(clock=lambda: session.issued_at)  # it is the server that we look at
    age_there = max(0.0, round(other.clock() * 1000) - round(made_at * 1000)) / 1000
    pair = world.connect(other, session, client=client)
    assert resumed(pair) == (age_there < LIFETIME)
    assert status(pair) in (TicketStatus.SUCCESS_RENEW, TicketStatus.NO_DECRYPT)
    if age_there < LIFETIME:
        assert status(pair) is TicketStatus.SUCCESS_RENEW


def test_long_after_its_lifetime_it_does_not_even_open(world: World) -> None:
    config = windowed(world)
    session = world.session(config)
    world.clock.forward(HOUR + LIFETIME + 2 * SKEW)
    client = world.client(clock=lambda: session.issued_at)
    assert status(world.connect(config, session, client=client)) is TicketStatus.NO_DECRYPT


def test_a_root_secret_is_replaced_in_three_steps(world: World) -> None:
    """Announce it everywhere, use it everywhere, forget the old one: at no moment is a fleet divided."""
    old: dict[str, Any] = {"root": ROOT}
    announced = {"root": ROOT, "also_open": [OTHER_ROOT]}
    used = {"root": OTHER_ROOT, "also_open": [ROOT]}
    new = {"root": OTHER_ROOT}
    for before, after in ((old, announced), (announced, used), (used, new)):
        if after is not new:
            assert_all_resume_all(world, [windowed(world, **before), windowed(world, **after)])
    early = world.session(windowed(world, **used))
    assert resumed(world.connect(windowed(world, **new), early))
    assert not resumed(world.connect(windowed(world, **new), world.session(windowed(world, **old))))


# --- what the wire shows -------------------------------------------------------------------------------------

BY_CHANCE = 4
"""Consecutive bytes that random strings of a few hundred bytes may have in common: five are a chance of one in
millions."""


def identities_on_the_wire(world: World, config: ServerConfig, sessions: Sequence[Session]) -> list[bytes]:
    """What an observer sees of each in the ClientHello of its resumption."""
    seen = []
    for session in sessions:
        pair = world.connect(config, session)
        assert resumed(pair)
        hello = ClientHello.decode(pair.wire[0][1][9:])
        offer = hello.find(PreSharedKeyOffer)
        assert offer is not None
        (identity,) = offer.identities
        seen.append(identity.identity)
    return seen


def assert_unlinkable(tickets: Sequence[bytes], shared: int) -> None:
    """Nothing in common but the first ``shared`` bytes, and the length, which is that of what is in them."""
    for one, other in combinations(tickets, 2):
        assert one[:shared] == other[:shared]
        assert len(one) == len(other)
        assert longest_common_run(one[shared:], other[shared:]) <= BY_CHANCE


@pytest.mark.parametrize("kind", ["ring", "windows"])
def test_tickets_have_nothing_in_common_but_the_name_of_the_key(world: World, kind: str) -> None:
    """The same session several times over: tickets of one connection, renewed ones, and of other connections."""
    config = windowed(world) if kind == "windows" else world.server()
    config = evolve(config, num_tickets=3)
    sessions = received(world.connect(config)) + received(world.connect(config))
    sessions += received(world.connect(config, sessions[0]))
    tickets = identities_on_the_wire(world, config, sessions)
    assert len(set(tickets)) == 7
    assert_unlinkable(tickets, shared=16)
    assert len({(s.age_add, s.secret) for s in sessions}) == 7


def test_ids_have_nothing_in_common_at_all(world: World) -> None:
    config = world.stateful(num_tickets=3)
    sessions = received(world.connect(config)) + received(world.connect(config))
    assert_unlinkable(identities_on_the_wire(world, config, sessions), shared=0)


def test_names_of_windows_have_nothing_in_common(world: World) -> None:
    names = []
    for root in (ROOT, OTHER_ROOT):
        config = windowed(world, root=root)
        for _ in range(3):
            names.append(world.session(config).ticket[:16])
            world.clock.forward(HOUR)
    assert_unlinkable(names, shared=0)


def test_tickets_do_not_show_what_is_in_them(world: World) -> None:
    config = world.server(session_id_context=b"a context that is known")
    session = world.session(config)
    for secret in (b"a context that is known", b"server.example", session.secret):
        assert secret not in session.ticket


@pytest.mark.parametrize("kind", ["ring", "windows"])
def test_small(world: World, kind: str) -> None:
    """180 bytes at most with ALPN h2, a name of 11 bytes, a context of 16 and no data (libssl needs about 200).

    20 of them are for the session's family and generation.
    """
    config = windowed(world) if kind == "windows" else world.server()
    config = evolve(config, alpn_protocols=[b"h2"], resume_with_other_name=True)
    client = world.client(alpn_protocols=[b"h2"], verify_peer=False)
    pair = world.connect(config, client=client, name="example.com")
    assert len(pair.server.session_id_context) == 16
    sizes = {len(session.ticket) for session in received(pair)}
    again = world.connect(config, received(pair)[0], client=client, name="example.com")
    assert resumed(again)
    assert max(sizes | {len(session.ticket) for session in received(again)}) <= 180
