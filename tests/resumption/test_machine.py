"""A client, several servers, a clock, keys that are rotated: whatever they do, in whatever order.

The model knows of each ticket when, where and by which key it was made, and whether it was used.  No ticket is
accepted after its expiry, after its key was retired, in another context, or twice where it is for single use; and
the number of tickets on the wire is what the rules say.
"""

from __future__ import annotations

import os
from typing import Final

import pytest
from attrs import define, evolve
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sansticket.commands import Close, FlushTickets, IssueTicket, SendData
from sansticket.config.server import ServerConfig
from sansticket.events import TicketIssued
from sansticket.tickets.keys.ring import TicketKey, TicketKeyRing
from sansticket.tickets.keys.windowed import WindowedTicketKeys
from sansticket.tickets.session import Session
from tests.support.examples import examples
from tests.support.pair import ConnectionPair
from tests.support.resumption import START, Clock, World, ending, received, record, resumed

LIFETIME: Final = 7200
LIMIT: Final = 20_000
"""max_session_age of all servers."""


@define
class Ticket:
    """What the model knows of a ticket; ``home`` is the server that made it."""

    session: Session
    home: str
    key: bytes
    made_at: float
    authenticated_at: float
    lifetime: int
    gone: bool = False
    """Used up, or removed with a connection that failed."""


class Machine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.clock = self.world.clock
        self.ring = TicketKeyRing([TicketKey.generate(START, os.urandom)])
        common = {"ticket_lifetime": LIFETIME, "max_session_age": LIMIT}
        windows = WindowedTicketKeys(os.urandom(32), 3600.0, accept_for=LIFETIME, clock_skew=0.0)
        on_ring = self.world.server(ticket_keys=self.ring, session_id_context=b"A", **common)
        self.servers: dict[str, ServerConfig] = {
            "ring, A": on_ring,
            "ring, B": evolve(on_ring, session_id_context=b"B"),
            "windows": self.world.server(ticket_keys=windows, **common),
            "ids": self.world.stateful(**common),
            "ids for single use": self.world.stateful(single_use_tickets=True, **common),
        }
        self.numbers = dict.fromkeys(self.servers, 2)
        self.retired: set[bytes] = set()
        self.tickets: list[Ticket] = []
        self.pair: ConnectionPair | None = None
        """The connection that is up, and where."""
        self.place = ""
        self.authenticated_at = START
        self.resumed: Ticket | None = None

    # --- the model -----------------------------------------------------------------------------------------------

    def good(self, ticket: Ticket, place: str) -> bool:
        """Whether the server there accepts it."""
        now = self.clock()
        return (
            ticket.home == place  # or its key is not there, or it is of another context
            and ticket.key not in self.retired
            and now - ticket.made_at < ticket.lifetime
            and now - ticket.authenticated_at < LIMIT
            and not ticket.gone
        )

    def lifetime_now(self) -> int:
        """What a ticket made now would get; 0 is none."""
        left = int(LIMIT - (self.clock() - self.authenticated_at))
        return max(0, min(LIFETIME, left))

    def ticket(self, number: int) -> Ticket:
        """Counted from the newest."""
        return self.tickets[-1 - number % len(self.tickets)]

    def note(self, sessions: list[Session]) -> None:
        """New tickets have come."""
        for session in sessions:
            assert session.lifetime == self.lifetime_now()
            self.tickets.append(
                Ticket(
                    evolve(session, issued_at=self.clock(), authenticated_at=self.authenticated_at),
                    self.place,
                    session.ticket[:16],
                    self.clock(),
                    self.authenticated_at,
                    session.lifetime,
                )
            )

    # --- what happens --------------------------------------------------------------------------------------------

    places = st.sampled_from(["ring, A", "ring, B", "windows", "ids", "ids for single use"])
    newest_first = st.integers(0, 6) | st.integers(0, 1000)

    @initialize(place=places)
    def first(self, place: str) -> None:
        self.connect(place, [], honest=True)

    @precondition(lambda self: self.tickets)
    @rule(chosen=st.lists(newest_first, min_size=1, max_size=3), honest=st.booleans())
    def come_back(self, chosen: list[int], honest: bool) -> None:
        """To the server that made the ticket."""
        self.connect(self.ticket(chosen[-1]).home, chosen, honest)

    @precondition(lambda self: self.tickets)
    @rule(which=newest_first, early=st.sampled_from([0.0, 0.001, 1.0]))
    def come_back_at_the_last_moment(self, which: int, early: float) -> None:
        ticket = self.ticket(which)
        self.clock.now = max(self.clock.now, round(ticket.made_at + ticket.lifetime - early, 3))
        self.connect(ticket.home, [which], honest=False)

    @rule(place=places, chosen=st.lists(newest_first, max_size=3), honest=st.booleans())
    def connect(self, place: str, chosen: list[int], honest: bool) -> None:
        """With the sessions of some tickets.  The clock of a client that is not honest has stopped long ago."""
        offered = list({id(one): one for one in map(self.ticket, chosen)}.values()) if self.tickets else []
        now = self.clock() if honest else START
        shown = [ticket for ticket in offered if now - ticket.made_at < ticket.lifetime]
        winner = next((ticket for ticket in shown if self.good(ticket, place)), None)
        config = evolve(self.servers[place], num_tickets=self.numbers[place])
        client = self.world.client(clock=Clock(now))
        pair = self.world.connect(config, [ticket.session for ticket in offered], client=client)

        assert resumed(pair) == (winner is not None)
        said = record(pair)
        if winner is not None:
            assert said.winner == shown.index(winner)
            assert pair.server.session is not None
            assert pair.server.session.secret == winner.session.secret
            winner.gone = winner.gone or place == "ids for single use"
        self.pair, self.place, self.resumed = pair, place, winner
        self.authenticated_at = winner.authenticated_at if winner is not None else self.clock()
        expected = self.numbers[place] if winner is None else min(1, self.numbers[place])
        expected = expected if self.lifetime_now() else 0
        assert len(received(pair)) == said.tickets_to_follow == expected
        self.note(received(pair))

    @precondition(lambda self: self.pair is not None)
    @rule(count=st.integers(1, 3), with_data=st.booleans())
    def issue(self, count: int, with_data: bool) -> None:
        assert self.pair is not None
        before = len(received(self.pair))
        self.pair.send("server", IssueTicket(count))
        self.pair.send("client", SendData(b"not yet"))
        assert len(received(self.pair)) == before
        self.pair.send("server", SendData(b"now") if with_data else FlushTickets())
        new = received(self.pair)[before:]
        assert len(new) == (count if self.lifetime_now() else 0)
        self.note(new)

    @precondition(lambda self: self.pair is not None)
    @rule(cleanly=st.booleans())
    def end(self, cleanly: bool) -> None:
        """A connection that is cut off takes the sessions of a cache with it."""
        assert self.pair is not None
        if cleanly:
            self.pair.send("client", Close())
            self.pair.send("server", Close())
        else:
            self.pair.deliver("server", b"")
            assert ending(self.pair).alert is None
            if self.place.startswith("ids"):
                lost = {session.ticket for session in received(self.pair)}
                if self.resumed is not None:
                    lost.add(self.resumed.session.ticket)
                for ticket in self.tickets:
                    ticket.gone = ticket.gone or ticket.session.ticket in lost
        self.pair = None

    @rule(seconds=st.sampled_from([0.001, 1.0, 1799.0, 3600.0, 7199.999, 7200.0]) | st.floats(0, 4000))
    def wait(self, seconds: float) -> None:
        self.clock.now = round(self.clock.now + seconds, 3)

    @rule()
    def rotate(self) -> None:
        self.ring.rotate(TicketKey.generate(self.clock(), os.urandom), self.clock())

    @precondition(lambda self: len(self.ring.keys) > 1)
    @rule(which=st.integers(0, 100))
    def retire(self, which: int) -> None:
        _, *older = self.ring.keys
        name = older[which % len(older)].name
        self.ring.retire(name)
        self.retired.add(name)

    @rule(place=places, number=st.integers(0, 4))
    def change_number(self, place: str, number: int) -> None:
        self.numbers[place] = number

    @precondition(lambda self: self.tickets)
    @rule(which=newest_first, bit=st.integers(0, 10_000))
    def tamper(self, which: int, bit: int) -> None:
        """A ticket that was changed is another, which nobody has made."""
        ticket = self.ticket(which)
        changed = bytearray(ticket.session.ticket)
        changed[bit // 8 % len(changed)] ^= 1 << bit % 8
        if any(known.session.ticket == changed for known in self.tickets):
            return  # changed back
        self.tickets.append(evolve(ticket, session=evolve(ticket.session, ticket=bytes(changed)), gone=True))

    @invariant()
    def the_server_agrees_on_what_it_sent(self) -> None:
        if self.pair is not None:
            issued = [event.session.secret for event in self.pair.events("server", TicketIssued)]
            assert issued == [session.secret for session in received(self.pair)]


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=examples(100), stateful_step_count=40)


def test_the_model_can_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that forgets to look at the clock would be found."""
    monkeypatch.setattr(Session, "age", lambda self, now: 0.0)
    machine = Machine()
    machine.first("ring, A")
    machine.wait(7200.0)
    with pytest.raises(AssertionError):
        machine.connect("ring, A", [0], honest=False)
