"""What a walk is made of: parties, flights, the node that they stand in, and what connections share.

Connections share their configs, and with them a source of entropy, a cache, a recorder.  Each node has its own idea of
these: randomness is a function of the party and of how much it has drawn, and what a store has been told is kept as a
list and told again where a walk goes on from another node.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from hashlib import shake_128
from typing import Any, Final, Self

from attrs import define, field, frozen

from sansticket.connection.client import ClientConnection
from sansticket.connection.server import ServerConnection
from sansticket.events import ConnectionTerminated, Question
from sansticket.tickets.session import Session
from sansticket.tickets.stores.cache import SessionCache
from sansticket.tickets.stores.replay import ReplayRecorder
from sansticket.tickets.stores.spent import SpentSession
from sansticket.tickets.stores.uses import ReusePolicy, TicketUse, TicketUses
from tools.explore.shapes import Shape, shape_of, shape_of_state
from tools.explore.watching import Agreed, Content, Keys, reads, writes

Told = tuple[tuple[str, tuple[Any, ...]], ...]
"""What a store was told: method and arguments."""


SEEN: Final = ("earlier client", "earlier server", "client", "server", "second server")
"""Whose flights stand where in ``Node.seen``."""


class Source:
    """Randomness that is the same whenever the same party has drawn as much."""

    def __init__(self, seed: str = "") -> None:
        self.seed: str = seed
        self.drawn: int = 0

    def __call__(self, size: int) -> bytes:
        self.drawn += 1
        return shake_128(f"{self.seed} {self.drawn}".encode()).digest(size)


class TalkativeCache(SessionCache):
    """Says what it was told."""

    told: list[tuple[str, tuple[Any, ...]]]

    def keep(self, session: Session, now: float) -> bool:
        self.told.append(("keep", (session, now)))
        return super().keep(session, now)

    def claim(self, session: Session, now: float, *, taken: bool = False) -> bool:
        self.told.append(("claim", (session, now)))
        return super().claim(session, now, taken=taken)

    def note_use(self, spent: SpentSession) -> None:
        self.told.append(("note_use", (spent,)))
        super().note_use(spent)

    def remove(self, session: Session) -> bool:
        self.told.append(("remove", (session,)))
        return super().remove(session)


class TalkativeUses(TicketUses):
    """Says what it was told."""

    told: list[tuple[str, tuple[Any, ...]]]

    def note(self, ticket: bytes, use: TicketUse, until: float) -> TicketUse | None:
        self.told.append(("note", (ticket, use, until)))
        return super().note(ticket, use, until)

    def end_family(self, family: bytes, now: float, until: float) -> None:
        self.told.append(("end_family", (family, now, until)))
        super().end_family(family, now, until)


def new_table() -> TalkativeUses:
    """In a walk no time passes, so that there must be no window."""
    return TalkativeUses(window=0, policy=ReusePolicy.END_FAMILY)


class TalkativeRecorder(ReplayRecorder):
    """Says what it was told."""

    told: list[tuple[str, tuple[Any, ...]]]

    def claim(self, key: bytes, now: float) -> bool:
        self.told.append(("claim", (key, now)))
        return super().claim(key, now)


def new_recorder() -> TalkativeRecorder:
    return TalkativeRecorder(since=float("-inf"))


@define
class Store:
    """A cache, a recorder or a table of used tickets that the configs have, and a way to set it back."""

    one: Any
    fresh: Callable[[], Any]
    told: Told = ()

    def go_to(self, told: Told) -> None:
        """Be as it was when it had been told that."""
        if told is self.told:
            self.one.told = [*told]
            return
        self.one.__dict__.update(self.fresh().__dict__)
        self.one.told = []
        for name, arguments in told:
            getattr(self.one, name)(*arguments)
        self.told = told

    def now(self) -> Told:
        """What it has been told."""
        if len(self.one.told) != len(self.told):
            self.told = tuple(self.one.told)
        return self.told


class Changing:
    """Values of which many are made: ``evolve`` of attrs takes ten times as long."""

    def but(self, **changes: Any) -> Self:
        """The same with other fields."""
        new = object.__new__(type(self))
        new.__dict__.update(self.__dict__, **changes)
        new.__dict__.pop("shape", None)
        return new


@frozen(eq=False)
class Flight:
    """What one party had to send after one thing that happened to it.  ``who`` and ``number`` are for people."""

    who: str
    number: int
    data: bytes = field(repr=False)
    contents: tuple[Content, ...] = field(repr=False)
    shape: Shape = field(repr=False)
    said: frozenset[tuple[Keys, int, bytes]] = field(repr=False)


@frozen(eq=False, slots=False)
class Party(Changing):
    """A connection, and what is remembered of it for the rules."""

    name: str
    connection: ClientConnection | ServerConnection = field(repr=False)
    drawn: int = 0
    """How often it asked for randomness."""
    steps_taken: int = 0
    """How much of what it is to say has been said."""
    flights: int = 0
    hello: bytes = b""
    """The last ClientHello that was accepted."""
    agreed: Agreed | None = None
    end: ConnectionTerminated | None = None
    asked_for: int = 0
    """Tickets that the application has asked for."""
    authentications: int = 0
    """How often the client has answered a request after the handshake."""
    sessions: tuple[Session, ...] = ()
    """Those that came to a client, and those that a server has made."""
    said: tuple[tuple[Keys, int, bytes], ...] = ()
    """Data of the application, in order."""
    heard: tuple[bytes, ...] = ()
    heard_early: tuple[bytes, ...] = ()
    waiting: tuple[Flight, ...] = ()
    """Flights that came while a question was open."""
    stream_ended: bool = False

    @property
    def is_client(self) -> bool:
        return isinstance(self.connection, ClientConnection)

    @property
    def over(self) -> bool:
        """Nothing that comes makes a difference any more."""
        return self.connection._engine.read_closed

    @property
    def connected(self) -> bool:
        return self.agreed is not None

    @property
    def question(self) -> Question | None:
        return self.connection.pending

    def fork(self) -> Party:
        return self.but(connection=self.connection.fork())

    @cached_property
    def shape(self) -> Shape:
        """Everything that decides what this party does next, and what the rules know of it."""
        engine = self.connection._engine
        reader, writer = engine.reader, engine.outbound.writer
        opener, sealer = reader._opener, writer.sealer
        return shape_of(
            self.name,
            self.connection.state,
            [reads(self.connection), 0 if opener is None else opener.sequence, reader.in_handshake],
            [reader.in_early_data, reader.skip_undecryptable > 0, reader.skip_plaintext_application_data > 0],
            [writes(self.connection), 0 if sealer is None else sealer.sequence, engine.outbound.closed],
            [engine.outbound.silent, engine.closing, engine.pending is not None, reader.buffered > 0],
            [self.waiting and self.waiting[0].number, *(flight.data for flight in self.waiting)],
            engine.held,
            [session.session_id for session in getattr(engine.sessions, "_kept", ())],
            engine.limits,
            engine.early_data.status,
            [self.steps_taken, self.asked_for, len(self.sessions), self.stream_ended],
            [self.authentications, self.hello],
            [said[2] for said in self.said],
            [self.heard, self.heard_early],
            self.agreed,
            self.end and (self.end.reason, self.end.by_peer),
        )

    @property
    def shapes(self) -> tuple[Shape, Shape]:
        return shape_of_state(self.connection._engine.state), self.shape


@frozen(eq=False, slots=False)
class Node(Changing):
    """A situation: who is there, what is on its way, what the attacker has seen and may still do."""

    parties: tuple[Party, ...]
    """The client, its server, and a second server if the attacker has connected to it."""
    to_server: tuple[Flight, ...] = ()
    to_client: tuple[Flight, ...] = ()
    seen: tuple[tuple[Flight, ...], ...] = ()
    """Those of each party, in order: of client and server of an earlier connection, and of ``parties``."""
    budget: int = 0
    undisturbed: bool = True
    """Neither the attacker nor a refusal of the application has done anything."""
    stores: tuple[Told, ...] = ()
    claimed: tuple[bytes, ...] = ()
    """Ids of sessions that an external store has given away."""
    taken: tuple[bytes, ...] = ()
    """Tickets and ids that servers have resumed by, each as often as that."""
    heard_early: tuple[bytes, ...] = ()
    """Early data that servers have delivered, in the earlier connection too."""
    path: tuple[Any, ...] | None = field(default=None, repr=False)
    """(what was done last, the path before that)."""

    @property
    def client(self) -> Party:
        return self.parties[0]

    @property
    def server(self) -> Party:
        return self.parties[1]

    def with_party(self, party: Party) -> Node:
        parties = tuple(party if one.name == party.name else one for one in self.parties)
        return self.but(parties=parties)

    def party(self, name: str) -> Party | None:
        return next((one for one in self.parties if one.name == name), None)

    def shapes(self) -> list[Shape]:
        """All that makes a difference: what the attacker has seen does not, once it can do nothing any more."""
        flights = [self.to_server, self.to_client, *(self.seen if self.budget else ())]
        shapes = [shape for party in self.parties for shape in party.shapes]
        shapes.append(
            shape_of(
                self.budget,
                self.undisturbed,
                [len(some) for some in flights],
                self.claimed,
                self.taken,
                self.heard_early,
                [
                    [(name, _key(arguments[0]), _by(arguments)) for name, arguments in told]
                    for told in self.stores
                ],
            )
        )
        return shapes + [flight.shape for some in flights for flight in some]

    def steps(self) -> list[str]:
        """How one gets here."""
        steps, path = [], self.path
        while path is not None:
            steps.append(str(path[0]))
            path = path[1]
        return steps[::-1]


def _key(argument: Session | SpentSession | bytes) -> bytes:
    return argument if isinstance(argument, bytes) else argument.session_id


def _by(arguments: tuple[Any, ...]) -> bytes:
    """The random of whoever has used it, where that is said."""
    uses = (getattr(argument, "use", argument) for argument in arguments)
    return next((use.client_random for use in uses if isinstance(use, TicketUse)), b"")
