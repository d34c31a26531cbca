"""What both stacks are asked to do, and what is compared.

A ``Scenario`` is a short story in one server's life: a few connections, one after the other, each with its
own ``Connection`` settings.  A connection may offer a ticket that an earlier one received, as it is, older
than it is, or tampered with.  Nothing here knows either stack: names are those of RFC 9846 and of the
OpenSSL manual pages, cipher suites are IANA names.

``run_libssl(scenario)`` and ``run_sansticket(scenario)`` each give one ``Outcome`` per connection.
"""

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, Final

from attrs import evolve, frozen

from tests.support.edits import flipped


class Version(Enum):
    TLS12 = "1.2"
    TLS13 = "1.3"


class Status(Enum):
    """What the decision callback is told: SSL_TICKET_STATUS."""

    EMPTY = 3
    NO_DECRYPT = 4
    SUCCESS = 5
    SUCCESS_RENEW = 6


class Return(Enum):
    """What the decision callback answers: SSL_TICKET_RETURN."""

    ABORT = 0
    IGNORE = 1
    IGNORE_RENEW = 2
    USE = 3
    USE_RENEW = 4


class KeyAnswer(Enum):
    """What the ticket key callback answers when a ticket is to be decrypted; BUILT_IN: there is none."""

    BUILT_IN = None
    ERROR = -1
    UNKNOWN_KEY = 0
    CURRENT_KEY = 1
    OLDER_KEY = 2


class Moment(Enum):
    """When ``num_tickets`` is set on the connection."""

    BEFORE_HANDSHAKE = "before the handshake"
    CLIENT_HELLO = "when the ClientHello is looked at"
    FLIGHT_SENT = "when the server's first flight is out"
    CONFIG_AFTER_START = "on the config, when the connection exists already"


class Trigger(Enum):
    """What follows the requests for tickets."""

    WRITE = "SSL_write"
    FLUSH = "SSL_do_handshake"
    READ = "SSL_read"


class Verify(Enum):
    """Whether the server asks for a client certificate."""

    NONE = "none"
    OPTIONAL = "optional"
    REQUIRED = "required"


class Store(Enum):
    """The server's cache: SSL_CTX_set_session_cache_mode."""

    OFF = "off"
    CLIENT = "client"
    SERVER = "server"
    NO_INTERNAL = "no internal"
    NO_INTERNAL_LOOKUP = "no internal lookup"
    NO_INTERNAL_STORE = "no internal store"


class Ending(Enum):
    """How the connection ends on the server."""

    CLOSE = "both send close_notify"
    DROP = "freed without close_notify"


class Psk(Enum):
    """An external PSK that the client offers after its ticket (1.3)."""

    KNOWN = "known to the server"
    UNKNOWN = "not known to the server"


class Tamper(Enum):
    """What is done to a stateless ticket before it is offered."""

    LAST_BYTE = "last byte changed"
    MIDDLE_BYTE = "a byte of the ciphertext changed"
    KEY_NAME = "unknown key name"
    HALF = "truncated to half"
    TO_65 = "truncated to 65 bytes"
    TO_63 = "truncated to 63 bytes"
    TO_32 = "truncated to 32 bytes"
    TO_31 = "truncated to 31 bytes"
    TO_16 = "truncated to 16 bytes"
    TO_1 = "truncated to one byte"
    LONGER = "one byte appended"
    GARBAGE = "authentic, but the plaintext is garbage"
    NOTHING = "authentic, but the plaintext is empty"
    TRAILING = "authentic, but with a byte after the session"


Change = Callable[[bytes], bytes]

TICKET_TAMPERS: Final[Mapping[Tamper | None, Change]] = {
    Tamper.LAST_BYTE: flipped,
    Tamper.MIDDLE_BYTE: lambda t: flipped(t, 60),
    Tamper.KEY_NAME: lambda t: flipped(t, 0),
    Tamper.HALF: lambda t: t[: len(t) // 2],
    Tamper.TO_65: lambda t: t[:65],
    Tamper.TO_63: lambda t: t[:63],
    Tamper.TO_32: lambda t: t[:32],
    Tamper.TO_31: lambda t: t[:31],
    Tamper.TO_16: lambda t: t[:16],
    Tamper.TO_1: lambda t: t[:1],
    Tamper.LONGER: lambda t: t + b"\0",
}

PLAINTEXT_TAMPERS: Final[Mapping[Tamper | None, Change]] = {
    Tamper.GARBAGE: lambda plaintext: bytes(len(plaintext)),
    Tamper.NOTHING: lambda _: b"",
    Tamper.TRAILING: lambda plaintext: plaintext + b"\0",
}
"""These need the server's key: open, change, seal again."""

LIFETIME: Final = 7200
"""The session timeout of the server in every scenario, in seconds (libssl's default for a TLS context)."""

APP_DATA: Final = b"app data"


@frozen(kw_only=True)
class Offer:
    """A ticket (or session id) received earlier; by default the last of the last connection.

    ``age`` seconds pass on the server between the receipt and this connection, none on the client.
    """

    connection: int = -1
    ticket: int = -1
    age: int = 0
    tamper: Tamper | None = None
    wrong_secret: bool = False
    """The client takes another secret to belong to it: 1.3's binder is wrong."""


@frozen(kw_only=True)
class Switch:
    """What is different in the config that the server changes to because of the client's server name."""

    num_tickets: int
    sid_context: bytes


@frozen(kw_only=True)
class Connection:
    """The settings of one connection, and what happens on it.  The first half is the handshake, in order."""

    version: Version = Version.TLS13
    """The one version that the server speaks."""
    client_versions: frozenset[Version] = frozenset()
    """Empty: the server's."""
    client_suites: tuple[str, ...] = ()
    server_suites: tuple[str, ...] = ()
    """Empty: the defaults."""
    server_name: str | None = None
    acknowledge_name: bool = False
    switch: Switch | None = None
    client_protocols: tuple[str, ...] = ()
    server_protocols: tuple[str, ...] = ()
    extended_master_secret: bool = True
    """Whether the client offers it (1.2)."""
    hello_retry: bool = False
    """Whether the server refuses the group of the client's first key share (1.3)."""
    stateful: bool = False
    """SSL_OP_NO_TICKET on the server: session ids in 1.2, stateful tickets in 1.3."""
    client_tickets: bool = True
    """Whether the client sends the SessionTicket extension (1.2)."""
    max_early_data: int = 0
    """What the server would take; the client never sends any.  More than 0 makes 1.3 tickets single-use."""
    wait: int = 0
    """How many seconds after the connection before; where a ticket is offered its age says it."""
    offer: Offer | None = None
    also: tuple[Offer, ...] = ()
    """More tickets, after that one (1.3).  Their ages must agree."""
    psk: Psk | None = None
    key_answer: KeyAnswer = KeyAnswer.BUILT_IN
    decision: Return | None = None
    """None: no decision callback."""
    decisions_by_identity: tuple[Return, ...] = ()
    """Instead of ``decision``: the answers in the order of the calls."""
    generation_fails_at: int | None = None
    """The generation callback answers 0 for this ticket of the connection; the first is 1."""
    app_data: bytes | None = None
    """What the generation callback puts into the tickets; None: nothing is set."""
    sid_context: bytes | None = b"tests"
    """None: never set.  On the config."""
    own_sid_context: bytes | None = None
    """None: the config's.  On the connection."""
    verify: Verify = Verify.NONE
    certificate: str | None = None
    """The client's: None, ``client-one`` or ``client-two``."""

    num_tickets: int = 2
    """On the config."""
    num_tickets_later: tuple[Moment, int] | None = None

    requests: int = 0
    """SSL_new_session_ticket, so many times, then the trigger."""
    trigger: Trigger = Trigger.FLUSH
    post_handshake: tuple[str | None, ...] = ()
    """Post-handshake authentications, one after the other: the certificate that the client has then."""
    post_handshake_required: bool = False
    num_tickets_before_post_handshake: int | None = None
    ending: Ending = Ending.CLOSE

    @property
    def offers(self) -> tuple[Offer, ...]:
        return (self.offer, *self.also) if self.offer is not None else ()

    def but(self, **changes: Any) -> "Connection":
        return evolve(self, **changes)


@frozen(kw_only=True)
class Scenario:
    connections: tuple[Connection, ...]
    store: Store = Store.SERVER
    external_store: bool = False
    """Whether new, get and remove hooks are set that keep the sessions outside."""
    new_hook_answer: bool = True
    """What the hook for new sessions returns."""
    cache_size: int | None = None
    """None: the default."""

    def source(self, index: int) -> Connection | None:
        """The connection whose ticket the connection of this index offers."""
        offer = self.connections[index].offer
        return self.connections[:index][offer.connection] if offer is not None else None

    def with_last(self, **changes: Any) -> "Scenario":
        """The same story with other settings of its last connection."""
        *before, last = self.connections
        return evolve(self, connections=(*before, last.but(**changes)))

    def with_first(self, **changes: Any) -> "Scenario":
        first, *rest = self.connections
        return evolve(self, connections=(first.but(**changes), *rest))


@frozen(kw_only=True)
class Outcome:
    """What is compared, per connection.  Counts are what the server sent or was told."""

    completed: bool
    """The handshake ended on both sides."""
    resumed: bool
    tickets: int
    """NewSessionTicket messages that belong to the handshake."""
    alert: str | None = None
    """The first fatal alert, such as ``INTERNAL_ERROR``."""
    alert_from: str | None = None
    """``server`` or ``client``."""
    statuses: tuple[Status, ...] = ()
    """What the decision callback was told, call by call; empty without one."""
    key_name_length: int | None = None
    """At its first call."""
    prepared: int = 0
    """Calls of the generation callback in the handshake."""
    app_data: bytes | None = None
    """What the resumed session carries; None when not resumed."""
    requested_tickets: int = 0
    post_handshake_tickets: tuple[int, ...] = ()
    peer: str | None = None
    """Who the client is for the server in the end."""
    sessions: int = 0
    """Calls of the hook for new sessions, on the whole connection."""
    lookups: int = 0
    """Calls of the hook that looks outside."""
    removals: int = 0
    """Calls of the hook for removed sessions, on the whole connection and its end."""

    def __str__(self) -> str:
        """``resumed 1``, ``full 2``, or the alert; with the tickets that follow the handshake."""
        if self.alert is not None:
            return self.alert
        later = "".join(f" + {n}" for n in (self.requested_tickets, *self.post_handshake_tickets) if n)
        return f"{'resumed' if self.resumed else 'full'} {self.tickets}{later}"


def story(*connections: Connection, **settings: Any) -> Scenario:
    return Scenario(connections=connections, **settings)


def resumption(first: Connection | None = None, **second: Any) -> Scenario:
    """A connection, and another of the same settings (but for ``second``) that offers its last ticket."""
    first = first or Connection()
    return story(first, first.but(**{"offer": Offer(), **second}))
