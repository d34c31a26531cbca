"""sansticket's side of the differential test: its server runs a scenario, against a client of ``clients``.

What libssl keeps on one SSL_CTX is kept by the ``World`` between the connections: the ticket keys, the cache,
the store outside and the time.  The application's part is played by the functions in ``answers``.
"""

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final

from attrs import define, field

from sansticket.commands import (
    AbortHandshake,
    Close,
    Command,
    FlushTickets,
    IssueTicket,
    RequestClientCertificate,
    ResolveTicket,
    SealTicket,
    SendData,
    TicketNotOpened,
    TicketOpened,
    TicketProtected,
    UseConfig,
)
from sansticket.config import ClientAuthentication, ServerConfig
from sansticket.connection import ServerConnection
from sansticket.errors import LocalProtocolError
from sansticket.events import (
    ConnectionTerminated,
    DecideTicket,
    Event,
    HandshakeCompleted,
    OpenTicket,
    PrepareTicket,
    ProtectTicket,
    SelectConfig,
    TicketIssued,
)
from sansticket.tickets.cache import DEFAULT_SIZE, CacheMode, SessionCache
from sansticket.tickets.decision import TicketReturn
from sansticket.tickets.keyring import TicketKeyRing
from sansticket.tickets.session import Session
from sansticket.wire.codes import AlertDescription, NamedGroup, ProtocolVersion
from tests.differential.clients import (
    Clients,
    ClientSide,
    LibsslClients,
    OurClients,
    anchors,
    credential,
    numbers,
    suites,
)
from tests.differential.identities import SERVER, name_of
from tests.differential.scenario import (
    LIFETIME,
    PLAINTEXT_TAMPERS,
    TICKET_TAMPERS,
    Connection,
    Ending,
    KeyAnswer,
    Moment,
    Offer,
    Outcome,
    Scenario,
    Status,
    Store,
    Trigger,
)

CACHE_MODE: Final = {
    Store.OFF: CacheMode.OFF,
    Store.CLIENT: CacheMode.CLIENT,
    Store.SERVER: CacheMode.SERVER,
    Store.NO_INTERNAL: CacheMode.SERVER | CacheMode.NO_INTERNAL,
    Store.NO_INTERNAL_LOOKUP: CacheMode.SERVER | CacheMode.NO_INTERNAL_LOOKUP,
    Store.NO_INTERNAL_STORE: CacheMode.SERVER | CacheMode.NO_INTERNAL_STORE,
}

GROUPS: Final = (NamedGroup.X25519, NamedGroup.SECP384R1)
"""No hybrid: key exchange is not what is tested here."""


@define
class Log:
    """What was seen on one connection of the server."""

    events: list[Event] = field(factory=list)
    statuses: list[Status] = field(factory=list)
    key_name_length: int | None = None
    prepared: int = 0
    kept: int = 0
    lookups: int = 0
    removals: int = 0

    def count(self, kind: type[Event]) -> int:
        return sum(isinstance(event, kind) for event in self.events)

    def last(self, kind: type[Any]) -> Any:
        """The last event of this kind, or None."""
        return next((event for event in reversed(self.events) if isinstance(event, kind)), None)


class World:
    """What outlives a connection.  ``now`` is the server's time; the client's does not pass."""

    def __init__(self, scenario: Scenario) -> None:
        self.start = self.now = time.time()
        self.starts: list[float] = []
        self.log = Log()
        self.outside: dict[bytes, Session] = {}
        self.keys = TicketKeyRing.generate(self.now, os.urandom)
        self.new_hook_answer = scenario.new_hook_answer
        self.cache = SessionCache(
            DEFAULT_SIZE if scenario.cache_size is None else scenario.cache_size,
            mode=CACHE_MODE[scenario.store],
            on_new=self._on_new,
            on_remove=self._on_remove,
            on_get=self._on_get if scenario.external_store else None,
        )

    def begin(self, offer: Offer | None) -> None:
        """The next connection: so much later than the one whose ticket it offers."""
        if offer is not None:
            self.now = self.starts[offer.connection] + offer.age
        self.starts.append(self.now)
        self.log = Log()

    def _on_new(self, session: Session) -> bool:
        self.log.kept += 1
        if self.new_hook_answer:
            self.outside[session.session_id] = session
        return self.new_hook_answer

    def _on_remove(self, session: Session) -> None:
        self.log.removals += 1
        self.outside.pop(session.session_id, None)

    def _on_get(self, session_id: bytes) -> Session | None:
        self.log.lookups += 1
        return self.outside.get(session_id)

    def tampered(self, offer: Offer, ticket: bytes) -> bytes:
        """The stateless ticket as the scenario wants it offered."""
        if offer.tamper in PLAINTEXT_TAMPERS:
            opened = self.keys.open(ticket, self.now)
            assert opened.plaintext is not None
            changed = PLAINTEXT_TAMPERS[offer.tamper](opened.plaintext)
            return self.keys.seal(changed, self.now, os.urandom)
        return TICKET_TAMPERS[offer.tamper](ticket) if offer.tamper in TICKET_TAMPERS else ticket


class Server:
    """One connection of the server, and the application behind it."""

    def __init__(self, connection: Connection, world: World) -> None:
        self.plan = connection
        self.world = world
        self.log = world.log
        self.config = self._config()
        self.connection = ServerConnection(self.config)
        self.failed = False
        self.at(Moment.BEFORE_HANDSHAKE)

    def _config(self) -> ServerConfig:
        plan = self.plan
        elsewhere = plan.key_answer is not KeyAnswer.BUILT_IN
        own = plan.own_sid_context
        return ServerConfig(
            credentials=[credential(SERVER)],
            trust_anchors=anchors(),
            ticket_lifetime=LIFETIME,
            versions=numbers(frozenset({plan.version})),
            cipher_suites=suites(plan.server_suites),
            groups=GROUPS[1:] if plan.hello_retry else GROUPS,
            alpn_protocols=[name.encode() for name in plan.server_protocols],
            client_authentication=ClientAuthentication[plan.verify.name],
            ticket_keys=None if plan.stateful or elsewhere else self.world.keys,
            session_cache=self.world.cache,
            num_tickets=plan.num_tickets,
            session_id_context=plan.sid_context if own is None else own,
            answers=self._answers(elsewhere and not plan.stateful),
            clock=lambda: self.world.now,
        )

    def _answers(self, keys_elsewhere: bool) -> dict[type[Any], Any]:
        answers: dict[type[Any], Any] = {SelectConfig: self._select, PrepareTicket: self._prepare}
        if self.plan.decision is not None or self.plan.decisions_by_identity:
            answers[DecideTicket] = self._decide
        if keys_elsewhere:
            answers[OpenTicket], answers[ProtectTicket] = self._open, self._protect
        return answers

    def at(self, moment: Moment) -> None:
        """Set the number of tickets if the scenario wants that now.  A config cannot be changed."""
        later = self.plan.num_tickets_later
        if later is not None and later[0] is moment:
            self.connection.num_tickets = later[1]

    def _select(self, question: SelectConfig) -> Command:
        self.at(Moment.CLIENT_HELLO)
        return UseConfig(self.config)

    def _decide(self, question: DecideTicket) -> Command:
        call = len(self.log.statuses)
        self.log.statuses.append(Status[question.status.name])
        if call == 0:
            self.log.key_name_length = len(question.key_name)
        decision = self.plan.decision
        if self.plan.decisions_by_identity:
            decision = self.plan.decisions_by_identity[call]
        assert decision is not None
        return ResolveTicket(TicketReturn[decision.name])

    def _prepare(self, question: PrepareTicket) -> Command:
        self.log.prepared += 1
        if self.plan.generation_fails_at == self.log.prepared:
            return AbortHandshake()
        return SealTicket(self.plan.app_data)

    def _open(self, question: OpenTicket) -> Command:
        opened = self.world.keys.open(question.ticket, self.world.now)
        if self.plan.key_answer is KeyAnswer.ERROR:
            return AbortHandshake()
        if self.plan.key_answer is KeyAnswer.UNKNOWN_KEY or opened.plaintext is None:
            return TicketNotOpened()
        renew = self.plan.key_answer is KeyAnswer.OLDER_KEY
        return TicketOpened(opened.plaintext, opened.key_name, renew=renew)

    def _protect(self, question: ProtectTicket) -> Command:
        return TicketProtected(self.world.keys.seal(question.plaintext, self.world.now, os.urandom))

    def send(self, command: Command) -> None:
        """What the state does not allow is the caller's mistake, and nothing happens; as libssl's return of 0."""
        if self.failed:
            return
        with suppress(LocalProtocolError):
            self._take(self.connection.send(command))

    def receive(self, data: bytes) -> None:
        self._take(self.connection.receive_data(data))

    def _take(self, events: Sequence[Event]) -> None:
        self.log.events += events
        ended = self.log.last(ConnectionTerminated)
        self.failed = ended is not None
        if ended is not None and ended.cause is not None and not isinstance(ended.cause, LocalProtocolError):
            raise ended.cause

    @property
    def completed(self) -> bool:
        return not self.failed and self.log.count(HandshakeCompleted) > 0

    @property
    def tickets(self) -> int:
        return self.log.count(TicketIssued)


def exchange(client: ClientSide, server: Server) -> None:
    """Carry bytes until both are silent."""
    first = True
    while True:
        to_server = client.data_to_send()
        if to_server:
            server.receive(to_server)
            if first:
                server.at(Moment.FLIGHT_SENT)
                first = False
        to_client = server.connection.data_to_send()
        if to_client:
            client.receive(to_client)
        if not to_server and not to_client:
            return


def run_sansticket(scenario: Scenario, *, libssl_client: bool = False) -> tuple[Outcome, ...]:
    """One outcome for each connection of the scenario."""
    world = World(scenario)
    clients: Clients = LibsslClients() if libssl_client else OurClients(lambda: world.start)
    outcomes: list[Outcome] = []
    for connection in scenario.connections:
        world.begin(connection.offer)
        change = partial(world.tampered, connection.offer or Offer())
        client = clients.connect(connection, change)
        outcomes.append(_run_connection(connection, client, Server(connection, world)))
        client.free()
    clients.close()
    return tuple(outcomes)


def _run_connection(plan: Connection, client: ClientSide, server: Server) -> Outcome:
    log = server.log
    exchange(client, server)
    completed = client.completed and server.completed and not client.failed
    done = log.last(HandshakeCompleted)
    resumed = completed and done.resumed
    seen: dict[str, Any] = {
        "completed": completed,
        "resumed": resumed,
        "tickets": server.tickets,
        "prepared": log.prepared,
        "app_data": done.session.app_data if resumed else None,
    }
    if completed:
        seen["requested_tickets"] = _request(plan, client, server)
        seen["post_handshake_tickets"] = tuple(
            _authenticate(name, plan, client, server) for name in plan.post_handshake
        )
        chain = server.connection.peer_certificates
        seen["peer"] = name_of(chain[0]) if chain else None
    alert, alert_from = _alert(client, log)
    _end(plan.ending, client, server)
    stateless_13 = not plan.stateful and completed and done.version == ProtocolVersion.TLS_1_3
    return Outcome(
        **seen,
        alert=alert,
        alert_from=alert_from,
        statuses=tuple(log.statuses),
        key_name_length=log.key_name_length,
        sessions=server.tickets if stateless_13 else log.kept,
        lookups=log.lookups,
        removals=log.removals,
    )


def _request(plan: Connection, client: ClientSide, server: Server) -> int:
    """How many tickets follow the requests and their trigger."""
    if not plan.requests:
        return 0
    before = server.tickets
    server.send(IssueTicket(plan.requests))
    match plan.trigger:
        case Trigger.WRITE:
            server.send(SendData(b"data"))
        case Trigger.FLUSH:
            server.send(FlushTickets())
        case Trigger.READ:
            exchange(client, server)
    exchange(client, server)
    return server.tickets - before


def _authenticate(name: str | None, plan: Connection, client: ClientSide, server: Server) -> int:
    """Post-handshake authentication; how many tickets follow it."""
    client.present(name)
    if (number := plan.num_tickets_before_post_handshake) is not None and not server.failed:
        server.connection.num_tickets = number
    before = server.tickets
    server.send(RequestClientCertificate())
    exchange(client, server)
    return server.tickets - before


def _alert(client: ClientSide, log: Log) -> tuple[str | None, str | None]:
    """The fatal alert, and who sent it."""
    if client.alert is not None:
        return client.alert, "client"
    ended = log.last(ConnectionTerminated)
    if ended is not None and ended.alert is not None and not ended.by_peer:
        return AlertDescription(ended.alert).name, "server"
    return None, None


def _end(ending: Ending, client: ClientSide, server: Server) -> None:
    if ending is Ending.CLOSE:
        client.close()
        server.send(Close())
        exchange(client, server)
    elif not server.failed:
        server.receive(b"")
