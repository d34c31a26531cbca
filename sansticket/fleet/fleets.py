"""A fleet that runs: servers, who may be tried, clients that come back, and what came of every visit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial

from attrs import define

from sansticket.config.client import ClientConfig
from sansticket.connection.client import ClientConnection
from sansticket.events import EarlyDataReceived
from sansticket.fleet import identity
from sansticket.fleet.plan import Plan, Recorders, StoredSessions
from sansticket.fleet.servers import APART, FRESH, GROUPS, SCHEMES, Server, Shared, root_secret
from sansticket.fleet.store import Store
from sansticket.fleet.visits import Conversation, Kind, Stopwatch, Visit
from sansticket.fleet.world import Chance, World
from sansticket.tickets.keys.windowed import WindowedTicketKeys
from sansticket.tickets.session import Session
from sansticket.tickets.stores.client import ClientSessionStore, StoreKey
from sansticket.tickets.stores.replay import ReplayRecorder
from sansticket.tickets.stores.uses import TicketUses

RETRY_AFTER = 1.0
"""Seconds after which a client whose connection failed tries again, once."""


@define(eq=False)
class Client:
    """Somebody with a ``ClientSessionStore`` of his own."""

    fleet: Fleet
    """Whose servers it visits."""
    number: int
    """From 0, in the order in which clients were made."""
    name: str
    """As in its visits."""
    sessions: ClientSessionStore
    """What it keeps between visits."""
    config: ClientConfig
    """That of its connections."""

    def visit(
        self,
        session: Session | None = None,
        *,
        again: bool = True,
        told: Callable[[Visit], None] | None = None,
    ) -> None:
        """One connection, now, with the freshest of the sessions, or with ``session``.  If it fails it is tried once
        more, unless ``again`` is False.  ``told`` gets what came of it."""
        fleet = self.fleet
        if (server := fleet.balance(self.number)) is None:
            return
        connect = partial(ClientConnection, self.config, identity.NAME, session)
        fleet.converse(self.name, server, connect, retry=self._retry if again else None, told=told)

    def come_back(self, mean: float, connections: int = 1, same: bool = False) -> None:
        """From now on, a wait of ``mean`` seconds on average before each visit: as if it knew no past.

        ``connections``: how many are opened at the same moment.  ``same``: all of them show the same session.
        """

        def arrive() -> None:
            loan = self.sessions.reserve(self.key, self.fleet.world.now) if same else None
            for _ in range(connections):
                self.visit(None if loan is None else loan.session)
            self.come_back(mean, connections, same)

        self.fleet.world.after(self.fleet.coming.wait(mean), arrive)

    @property
    def key(self) -> StoreKey:
        """Under which its sessions are."""
        return self.config.store_key(identity.NAME)

    def _retry(self) -> None:
        self.fleet.world.after(RETRY_AFTER, lambda: self.visit(again=False))


class Fleet:
    """``plan`` says what it is made of.  ``visits`` are all that have ended, in their order.

    ``delivered`` counts how often the application got each piece of early data.
    """

    def __init__(self, world: World, plan: Plan, *, stopwatch: Stopwatch | None = None) -> None:
        self.world = world
        self.plan = plan
        self.visits: list[Visit] = []
        self.clients: list[Client] = []
        self.delivered: Counter[bytes] = Counter()
        self.listeners: list[Callable[[bytes], None]] = []
        """Each gets the first flight of every client."""
        self.coming: Chance = world.chance("coming")
        self._balancing = world.chance("balancing")
        self._losing = world.chance("losing")
        self._stopwatch = stopwatch
        self._requests = 0
        uses = TicketUses(policy=plan.reuse) if plan.reuse and plan.uses is Recorders.SHARED else None
        self.shared: Shared = Shared(self._store(), ReplayRecorder(FRESH + APART, since=world.now), uses)
        clocks = world.chance("clocks")
        self.servers: list[Server] = [
            Server(world, plan, number, clocks.between(-plan.skew, plan.skew), self.shared)
            for number in range(plan.servers)
        ]

    def _store(self) -> Store | None:
        if not isinstance(self.plan.keys, StoredSessions):
            return None
        keys = WindowedTicketKeys(root_secret(self.world), accept_for=self.plan.ticket_lifetime)
        return Store(self.world, keys)

    def client(self, name: str = "client", *, per_server: int = 4) -> Client:
        """One more, that has no session yet.  ``per_server``: how many sessions it keeps."""
        sessions = ClientSessionStore(per_server=per_server)
        config = ClientConfig(
            versions=[self.plan.version],
            groups=GROUPS,
            signature_schemes=SCHEMES,
            trust_anchors=identity.trust_anchors(),
            alpn_protocols=[identity.PROTOCOL],
            session_store=sessions,
            early_data=bool(self.plan.early_data),
            clock=self.world.clock,
            entropy=self.world.entropy,
        )
        number = len(self.clients)
        self.clients.append(Client(self, number, f"{name} {number}", sessions, config))
        return self.clients[-1]

    def populate(
        self, clients: int, mean: float, *, connections: int = 1, same: bool = False, per_server: int = 4
    ) -> None:
        """``clients`` of them, each of which comes back: see ``Client.come_back``."""
        for _ in range(clients):
            self.client(per_server=per_server).come_back(mean, connections, same)

    def balance(self, number: int) -> Server | None:
        """The server for a connection of the client with that number; None while there is none."""
        if self.plan.sticky and self.servers[number % len(self.servers)].up:
            return self.servers[number % len(self.servers)]
        up = [server for server in self.servers if server.up]
        return self._balancing.choice(up) if up else None

    def converse(
        self,
        who: str,
        server: Server,
        connect: Callable[[], ClientConnection],
        *,
        retry: Callable[[], None] | None = None,
        told: Callable[[Visit], None] | None = None,
    ) -> None:
        """A connection to ``server`` begins now.  ``retry`` is called if it fails, ``told`` gets what came of it."""

        def over(visit: Visit) -> None:
            self.visits.append(visit)
            if told is not None:
                told(visit)
            if visit.kind is Kind.FAILED and retry is not None:
                retry()

        Conversation(
            self.world,
            server,
            connect,
            who,
            over,
            self._lost,
            self._stopwatch,
            self._request(),
            self._heard if self.listeners else None,
            self._deliver,
        ).begin()

    def feed(self, server: Server, flight: bytes) -> int:
        """A connection that is only spoken to, and then cut off: how much early data the application got of it."""
        connection = server.connection()
        before = self.delivered.total()
        events = [*connection.receive_data(flight), *connection.receive_data(b"")]
        server.heed(events)
        for event in events:
            if isinstance(event, EarlyDataReceived):
                self._deliver(event.data)
        return self.delivered.total() - before

    def restart(self, number: int, seconds: float) -> None:
        """Stop a server now, and start it that many seconds later."""
        server = self.servers[number]
        server.stop()
        self.world.after(seconds, server.start)

    def _lost(self) -> bool:
        return bool(self.plan.loss) and self._losing.part() < self.plan.loss

    def _request(self) -> bytes:
        """What is sent early: no two are the same."""
        if not self.plan.early_data:
            return b""
        self._requests += 1
        return b"request %d" % self._requests

    def _heard(self, flight: bytes) -> None:
        for listener in self.listeners:
            listener(flight)

    def _deliver(self, data: bytes) -> None:
        self.delivered[data] += 1
