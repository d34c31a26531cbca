"""sansticket's side of the differential test: its connections, as the runner wants them.

What libssl keeps on one SSL_CTX, ``OurServers`` keeps between the connections: the ticket keys, the cache, the
store outside and the time.  The application's part is played by functions in ``answers``.
"""

import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from typing import Any, Final

from attrs import evolve

from sansticket.codes import AlertDescription, CipherSuite, NamedGroup, ProtocolVersion
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
from sansticket.config.choices import ClientAuthentication
from sansticket.config.client import ClientConfig
from sansticket.config.defaults import DEFAULT_CIPHER_SUITES
from sansticket.config.server import ServerConfig
from sansticket.connection.client import ClientConnection
from sansticket.connection.server import ServerConnection
from sansticket.crypto.certificates import Credential, TrustAnchors
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
    TicketReceived,
)
from sansticket.tickets.decision import TicketReturn
from sansticket.tickets.keys.protection import TicketKeys
from sansticket.tickets.keys.ring import TicketKeyRing
from sansticket.tickets.session import Session
from sansticket.tickets.stores.cache import DEFAULT_SIZE, CacheMode, SessionCache
from tests.differential.identities import SERVER, identity, name_of
from tests.differential.libssl import chosen
from tests.differential.runner import Clients, ClientSide, Log, Prepare, Servers, ServerSide, Side, run
from tests.differential.scenario import (
    LIFETIME,
    PLAINTEXT_TAMPERS,
    TICKET_TAMPERS,
    Connection,
    KeyAnswer,
    Moment,
    Offer,
    Outcome,
    Scenario,
    Status,
    Store,
    Trigger,
    Version,
)
from tests.support.certificates import authority
from tests.support.edits import flipped

NUMBER: Final = {Version.TLS12: ProtocolVersion.TLS_1_2, Version.TLS13: ProtocolVersion.TLS_1_3}
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


@cache
def credential(name: str) -> Credential:
    return Credential.from_pem(identity(name).chain_pem, identity(name).key_pem)


@cache
def anchors() -> TrustAnchors:
    return TrustAnchors.from_pem(authority().pem)


def suites(names: Sequence[str]) -> tuple[int, ...]:
    """By IANA names; the default for none."""
    numbered = tuple(CipherSuite[name.removeprefix("TLS_")] for name in names)
    return numbered or DEFAULT_CIPHER_SUITES


class OurSide(Side):
    """A connection of sansticket, of either side."""

    WHO: str
    connection: ClientConnection | ServerConnection

    def __init__(self, log: Log) -> None:
        self.log = log
        self.failed = False
        self.done: HandshakeCompleted | None = None

    @property
    def completed(self) -> bool:
        return self.done is not None and not self.failed

    def receive(self, data: bytes) -> None:
        self.take(self.connection.receive_data(data))

    def send(self, command: Command) -> None:
        """What the state does not allow is our mistake, and nothing happens: as where libssl returns 0."""
        if not self.failed:
            with suppress(LocalProtocolError):
                self.take(self.connection.send(command))

    def data_to_send(self) -> bytes:
        return self.connection.data_to_send()

    def close(self) -> None:
        self.send(Close())

    def free(self) -> None:
        """There is nothing to give back."""

    def take(self, events: Sequence[Event]) -> None:
        for event in events:
            match event:
                case HandshakeCompleted():
                    self.done = event
                case ConnectionTerminated():
                    self._ended(event)
                case _:
                    self.noted(event)

    def noted(self, event: Event) -> None:
        """An event that only one side has."""

    def _ended(self, event: ConnectionTerminated) -> None:
        """An illegal answer ends the connection by the rules; any other exception is a mistake of the test."""
        self.failed = True
        if event.alert is not None and not event.by_peer:
            self.log.alerts.append((AlertDescription(event.alert).name, self.WHO))
        if event.cause is not None and not isinstance(event.cause, LocalProtocolError):
            raise event.cause


# The client.


class OurClients(Clients):
    """The client's time stands still: its tickets never get old.  It takes every session for one of its own making."""

    def __init__(self) -> None:
        self._now = time.time()
        self._received: list[list[Session]] = []

    def connect(self, connection: Connection, log: Log, prepare: Prepare) -> ClientSide:
        sessions = [self._session(offer, prepare) for offer in connection.offers]
        received: list[Session] = []
        self._received.append(received)
        config = self._config(connection)
        # Ours keeps to the identity of the session's making, libssl's does not: what is compared is the server.
        offered = [evolve(one, session_id_context=config.session_context) for one in sessions if one]
        return OurClient(config, connection, offered, received, log)

    def close(self) -> None:
        """There is nothing to give back."""

    def _session(self, offer: Offer, prepare: Prepare) -> Session | None:
        session = chosen(self._received, offer)
        if session is None:
            return None
        if session.ticket:
            session = evolve(session, ticket=prepare(offer, session.ticket))
        else:
            prepare(offer, session.session_id)
        if offer.wrong_secret:
            session = evolve(session, secret=flipped(session.secret, 0))
        return session

    def _config(self, connection: Connection) -> ClientConfig:
        names = {name for name in (connection.certificate, *connection.post_handshake) if name}
        versions = connection.client_versions or {connection.version}
        return ClientConfig(
            versions=sorted((NUMBER[version] for version in versions), reverse=True),
            cipher_suites=suites(connection.client_suites),
            alpn_protocols=[name.encode() for name in connection.client_protocols],
            credentials=[credential(name) for name in names],
            verify_peer=False,
            post_handshake_auth=bool(connection.post_handshake),
            resume_with_other_name=True,
            clock=lambda: self._now,
        )


class OurClient(OurSide, ClientSide):
    WHO = "client"

    def __init__(
        self,
        config: ClientConfig,
        plan: Connection,
        sessions: Sequence[Session],
        received: list[Session],
        log: Log,
    ) -> None:
        super().__init__(log)
        self.connection = ClientConnection(config, plan.server_name, sessions)
        self._received = received

    def noted(self, event: Event) -> None:
        if isinstance(event, TicketReceived):
            if event.session.version == ProtocolVersion.TLS_1_2:
                self._received.clear()
            self._received.append(event.session)

    def take(self, events: Sequence[Event]) -> None:
        """In 1.2 the session that is resumed goes on being the session, if no ticket takes its place."""
        for event in events:
            match event:
                case HandshakeCompleted(version=ProtocolVersion.TLS_1_2, session=Session() as session):
                    self._received.append(session)
        super().take(events)

    def present(self, name: str) -> None:
        """It has had it from the beginning."""


def ours_can(scenario: Scenario) -> bool:
    """Whether our client can play its part.

    It always offers extended master secret and takes 1.2 tickets, keeps its certificates for as long as it
    lives, and offers no session that it could not resume.
    """
    for index, connection in enumerate(scenario.connections):
        if len(connection.post_handshake) > 1:
            return False
        if not (connection.extended_master_secret and connection.client_tickets):
            return False
        source = scenario.source(index)
        if source is not None and not _may_offer(source.client_suites, connection.client_suites):
            return False
    return True


def _may_offer(before: Sequence[str], now: Sequence[str]) -> bool:
    """It offers no session for whose hash it has no suite."""
    hashes_before, hashes_now = ({name.rsplit("_")[-1] for name in names} for names in (before, now))
    return not before or not now or bool(hashes_before & hashes_now)


# The server.


class OurServers(Servers):
    """``now`` is the server's time."""

    def __init__(self, scenario: Scenario) -> None:
        self.now = time.time()
        self.keys: TicketKeys = TicketKeyRing.generate(self.now, os.urandom)
        self.log = Log()
        self._starts: list[float] = []
        self._outside: dict[bytes, Session] = {}
        self._new_hook_answer = scenario.new_hook_answer
        self.cache = SessionCache(
            DEFAULT_SIZE if scenario.cache_size is None else scenario.cache_size,
            mode=CACHE_MODE[scenario.store],
            on_new=self._on_new,
            on_remove=self._on_remove,
            on_get=self._on_get if scenario.external_store else None,
        )

    def accept(self, connection: Connection, log: Log) -> ServerSide:
        offer = connection.offer
        if offer is None:
            self.now += connection.wait
        else:
            self.now = self._starts[offer.connection] + offer.age
        self._starts.append(self.now)
        self.log = log
        return OurServer(connection, self, log)

    def prepare(self, offer: Offer, ticket: bytes) -> bytes:
        """The ticket's age is a matter of the time, which ``accept`` has set."""
        if offer.tamper in PLAINTEXT_TAMPERS:
            plaintext = self.keys.open(ticket, self.now).plaintext
            assert plaintext is not None
            ticket = self.keys.seal(PLAINTEXT_TAMPERS[offer.tamper](plaintext), self.now, os.urandom)
        return TICKET_TAMPERS[offer.tamper](ticket) if offer.tamper in TICKET_TAMPERS else ticket

    def close(self) -> None:
        """There is nothing to give back."""

    def _on_new(self, session: Session) -> bool:
        self.log.sessions += 1
        if self._new_hook_answer:
            self._outside[session.session_id] = session
        return self._new_hook_answer

    def _on_remove(self, session: Session) -> None:
        self.log.removals += 1
        self._outside.pop(session.session_id, None)

    def _on_get(self, session_id: bytes) -> Session | None:
        self.log.lookups += 1
        return self._outside.get(session_id)


def _kept_by_id(session: Session) -> bool:
    """Of 1.2: no ticket, but an id."""
    return session.version == ProtocolVersion.TLS_1_2 and bool(session.session_id)


class OurServer(OurSide, ServerSide):
    """One connection of the server, and the application behind it."""

    WHO = "server"
    connection: ServerConnection

    def __init__(self, plan: Connection, servers: OurServers, log: Log) -> None:
        super().__init__(log)
        self._plan = plan
        self._servers = servers
        self._config = self._make_config()
        self.connection = ServerConnection(self._config)
        self.at(Moment.BEFORE_HANDSHAKE)

    def _make_config(self) -> ServerConfig:
        plan = self._plan
        elsewhere = plan.key_answer is not KeyAnswer.BUILT_IN
        own = plan.own_sid_context
        answers = self._answers(elsewhere and not plan.stateful)
        config = ServerConfig(
            credentials=[credential(SERVER)],
            trust_anchors=anchors(),
            ticket_lifetime=LIFETIME,
            versions=[NUMBER[plan.version]],
            cipher_suites=suites(plan.server_suites),
            groups=GROUPS[1:] if plan.hello_retry else GROUPS,
            alpn_protocols=[name.encode() for name in plan.server_protocols],
            client_authentication=ClientAuthentication[plan.verify.name],
            ticket_keys=None if plan.stateful or elsewhere else self._servers.keys,
            session_cache=self._servers.cache,
            num_tickets=plan.num_tickets,
            session_id_context=plan.sid_context if own is None else own,
            answers={kind: one for kind, one in answers.items() if kind in (OpenTicket, ProtectTicket)},
            clock=lambda: self._servers.now,
        )
        # libssl takes a callback that it will never call; a config does not.
        return evolve(
            config, answers={kind: one for kind, one in answers.items() if not config.lacking[kind]}
        )

    def _answers(self, keys_elsewhere: bool) -> dict[type[Any], Callable[[Any], Command]]:
        answers: dict[type[Any], Callable[[Any], Command]] = {
            SelectConfig: self._select,
            PrepareTicket: self._prepare,
        }
        if self._plan.decision is not None or self._plan.decisions_by_identity:
            answers[DecideTicket] = self._decide
        if keys_elsewhere:
            answers[OpenTicket], answers[ProtectTicket] = self._open, self._protect
        return answers

    # What the application answers.

    def _select(self, question: SelectConfig) -> Command:
        self.at(Moment.CLIENT_HELLO)
        config, switch = self._config, self._plan.switch
        if switch is not None:
            config = evolve(config, num_tickets=switch.num_tickets, session_id_context=switch.sid_context)
        return UseConfig(config)

    def _decide(self, question: DecideTicket) -> Command:
        call, decision = len(self.log.statuses), self._plan.decision
        self.log.asked(Status[question.status.name], len(question.key_name))
        if self._plan.decisions_by_identity:
            decision = self._plan.decisions_by_identity[call]
        assert decision is not None
        return ResolveTicket(TicketReturn[decision.name])

    def _prepare(self, question: PrepareTicket) -> Command:
        self.log.prepared += 1
        if self._plan.generation_fails_at == self.log.prepared:
            return AbortHandshake()
        return SealTicket(self._plan.app_data)

    def _open(self, question: OpenTicket) -> Command:
        answer = self._plan.key_answer
        if answer is KeyAnswer.ERROR:
            return AbortHandshake()
        opened = self._servers.keys.open(question.ticket, self._servers.now)
        if answer is KeyAnswer.UNKNOWN_KEY or opened.plaintext is None:
            return TicketNotOpened()
        return TicketOpened(opened.plaintext, opened.key_name, renew=answer is KeyAnswer.OLDER_KEY)

    def _protect(self, question: ProtectTicket) -> Command:
        keys, now = self._servers.keys, self._servers.now
        return TicketProtected(keys.seal(question.plaintext, now, os.urandom))

    # What the runner wants.

    def noted(self, event: Event) -> None:
        if isinstance(event, TicketIssued) and not _kept_by_id(event.session):
            self.log.tickets += 1

    @property
    def resumed(self) -> bool:
        return self.connection.resumed

    @property
    def app_data(self) -> bytes:
        session = self.connection.session
        return session.app_data if session is not None else b""

    @property
    def peer(self) -> str | None:
        chain = self.connection.peer_certificates
        return name_of(chain[0]) if chain else None

    def at(self, moment: Moment) -> None:
        """A config cannot be changed, so CONFIG_AFTER_START does nothing."""
        later = self._plan.num_tickets_later
        if later is not None and later[0] is moment:
            self.connection.num_tickets = later[1]

    def request_tickets(self, number: int) -> None:
        self.send(IssueTicket(number))

    def trigger(self, trigger: Trigger) -> None:
        """Reading is what ``receive`` does."""
        if trigger is Trigger.WRITE:
            self.send(SendData(b"data"))
        elif trigger is Trigger.FLUSH:
            self.send(FlushTickets())

    def authenticate(self) -> None:
        if (number := self._plan.num_tickets_before_post_handshake) is not None:
            self.connection.num_tickets = number
        self.send(RequestClientCertificate())

    def drop(self) -> None:
        if not self.failed:
            self.receive(b"")


def run_sansticket(scenario: Scenario, clients: Callable[[], Clients] = OurClients) -> tuple[Outcome, ...]:
    """What sansticket's server does."""
    return run(scenario, OurServers(scenario), clients())
