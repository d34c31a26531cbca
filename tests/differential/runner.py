"""How a scenario is run: the servers of one stack, the clients of the same or the other, bytes carried between.

A stack brings ``Servers`` and ``Clients``, which live as long as a scenario, and for each connection a
``ServerSide`` and a ``ClientSide``.  Everything that both stacks do alike is here.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import closing

from attrs import define, field

from tests.differential.scenario import (
    Connection,
    Ending,
    Moment,
    Offer,
    Outcome,
    Scenario,
    Status,
    Trigger,
)

Prepare = Callable[[Offer, bytes], bytes]
"""Makes of a ticket (or session id) what the offer wants of it: older, or tampered with."""


@define
class Log:
    """What was seen on one connection; both sides write it."""

    tickets: int = 0
    alerts: list[tuple[str, str]] = field(factory=list)
    """Fatal alerts and who sent them, in order."""
    statuses: list[Status] = field(factory=list)
    key_name_length: int | None = None
    prepared: int = 0
    sessions: int = 0
    lookups: int = 0
    removals: int = 0

    def asked(self, status: Status, key_name_length: int) -> None:
        """The decision callback was called."""
        if not self.statuses:
            self.key_name_length = key_name_length
        self.statuses.append(status)


class Side(ABC):
    """One end of a connection.  After a failure nothing more is asked of it than its last bytes."""

    @property
    @abstractmethod
    def completed(self) -> bool:
        """Its handshake is done, and it has not failed."""

    @abstractmethod
    def receive(self, data: bytes) -> None: ...

    @abstractmethod
    def data_to_send(self) -> bytes: ...

    @abstractmethod
    def close(self) -> None:
        """Send close_notify."""

    @abstractmethod
    def free(self) -> None:
        """Nothing will be asked of it any more."""


class ClientSide(Side):
    @abstractmethod
    def present(self, name: str) -> None:
        """From now on it has this certificate."""


class ServerSide(Side):
    @property
    @abstractmethod
    def resumed(self) -> bool: ...

    @property
    @abstractmethod
    def app_data(self) -> bytes:
        """What the session carries that was resumed."""

    @property
    @abstractmethod
    def peer(self) -> str | None:
        """Who the client is."""

    @abstractmethod
    def at(self, moment: Moment) -> None:
        """Set the number of tickets if the scenario wants that now."""

    @abstractmethod
    def request_tickets(self, number: int) -> None: ...

    @abstractmethod
    def trigger(self, trigger: Trigger) -> None: ...

    @abstractmethod
    def authenticate(self) -> None:
        """Ask for a certificate after the handshake."""

    @abstractmethod
    def drop(self) -> None:
        """The transport is gone, without a close_notify."""


class Clients(ABC):
    """The clients of a scenario, and the sessions that they received."""

    @abstractmethod
    def connect(self, connection: Connection, log: Log, prepare: Prepare) -> ClientSide: ...

    @abstractmethod
    def close(self) -> None: ...


class Servers(ABC):
    """The server of a scenario, with what it keeps between two connections."""

    @abstractmethod
    def accept(self, connection: Connection, log: Log) -> ServerSide: ...

    @abstractmethod
    def prepare(self, offer: Offer, ticket: bytes) -> bytes:
        """See ``Prepare``."""

    @abstractmethod
    def close(self) -> None: ...


def run(scenario: Scenario, servers: Servers, clients: Clients) -> tuple[Outcome, ...]:
    """One outcome for each connection of the scenario."""
    outcomes = []
    with closing(servers), closing(clients):
        for connection in scenario.connections:
            log = Log()
            server = servers.accept(connection, log)
            client = clients.connect(connection, log, servers.prepare)
            outcomes.append(play(connection, client, server, log))
    return tuple(outcomes)


def play(connection: Connection, client: ClientSide, server: ServerSide, log: Log) -> Outcome:
    """The handshake, what the scenario wants after it, and the end."""
    exchange(client, server)
    completed = client.completed and server.completed
    resumed = completed and server.resumed
    tickets, prepared = log.tickets, log.prepared
    app_data = server.app_data if resumed else None
    requested = _request(connection, client, server, log) if completed else 0
    asked = connection.post_handshake if completed else ()
    post_handshake = tuple([_authenticate(name, client, server, log) for name in asked])
    peer = server.peer if completed else None
    _end(connection.ending, client, server)
    alert, alert_from = log.alerts[0] if log.alerts else (None, None)
    return Outcome(
        completed=completed,
        resumed=resumed,
        tickets=tickets,
        alert=alert,
        alert_from=alert_from,
        statuses=tuple(log.statuses),
        key_name_length=log.key_name_length,
        prepared=prepared,
        app_data=app_data,
        requested_tickets=requested,
        post_handshake_tickets=post_handshake,
        peer=peer,
        sessions=log.sessions,
        lookups=log.lookups,
        removals=log.removals,
    )


def exchange(client: ClientSide, server: ServerSide) -> None:
    """Carry bytes until both are silent."""
    first = True
    while True:
        if to_server := client.data_to_send():
            server.receive(to_server)
            if first:
                server.at(Moment.FLIGHT_SENT)
                first = False
        if to_client := server.data_to_send():
            client.receive(to_client)
        if not to_server and not to_client:
            return


def _request(connection: Connection, client: ClientSide, server: ServerSide, log: Log) -> int:
    """How many tickets follow the requests and their trigger."""
    if not connection.requests:
        return 0
    before = log.tickets
    server.request_tickets(connection.requests)
    server.trigger(connection.trigger)
    exchange(client, server)
    return log.tickets - before


def _authenticate(name: str | None, client: ClientSide, server: ServerSide, log: Log) -> int:
    """How many tickets follow a post-handshake authentication."""
    if name is not None:
        client.present(name)
    before = log.tickets
    server.authenticate()
    exchange(client, server)
    return log.tickets - before


def _end(ending: Ending, client: ClientSide, server: ServerSide) -> None:
    if ending is Ending.CLOSE:
        client.close()
        server.close()
        exchange(client, server)
    else:
        server.drop()
    client.free()
    server.free()
