"""What a fleet is made of, as data: how its servers share sessions, how wrong their clocks are, what gets lost."""

from __future__ import annotations

from enum import Enum
from typing import Any, Final

from attrs import Attribute, field

from sansticket.codes import ProtocolVersion
from sansticket.config.checks import is_a, is_flag, or_none
from sansticket.errors import ConfigError
from sansticket.inputs import check_kind
from sansticket.text import quoted
from sansticket.tickets.stores.uses import ReusePolicy
from sansticket.tickets.versions import MAX_LIFETIME
from sansticket.values import frozen

MAX_SERVERS: Final = 10_000
DAY: Final = 86_400.0


def _in_range(low: float, high: float, kind: type | tuple[type, ...] = (int, float)) -> Any:
    """A finite number, both ends included."""

    def check(plan: object, attribute: Attribute[Any], value: Any) -> None:
        check_kind(attribute.name, value, kind, "a number")
        if not low <= value <= high:  # as NaN is, of all
            raise ConfigError(attribute.name, f"{quoted(value)}; expected {low:,} to {high:,}")

    return check


@frozen
class OwnKeys:
    """Each server seals with a key that it made itself, and forgets when it is restarted: the default of a config."""

    def __str__(self) -> str:
        return "own keys"


@frozen
class WindowedKeys:
    """All servers have a root secret, from which ``WindowedTicketKeys`` derives a key for each ``period`` of seconds.

    ``clock_skew``: by how many seconds the clocks of two of them may differ.
    """

    period: float = field(default=3600.0, validator=_in_range(1, 30 * DAY))
    clock_skew: float = field(default=300.0, validator=_in_range(0, DAY))

    def __str__(self) -> str:
        return "windowed keys"


@frozen
class StoredSessions:
    """Tickets are ids, and the sessions are in a ``Store`` that all servers ask.  In TLS 1.3 each is used once, and the
    store says who was first.

    The store has them sealed, as that of the wrappers in Redis, so that what it holds can be counted in bytes.
    """

    def __str__(self) -> str:
        return "shared store"


KeyPolicy = OwnKeys | WindowedKeys | StoredSessions


class Recorders(Enum):
    """Who remembers the ClientHellos whose early data was accepted, and who the tickets that were used."""

    OWN = "each server"
    """A ``ReplayRecorder``, or ``TicketUses``, of its own, which a restart empties."""
    SHARED = "one for all"
    """One for the fleet: it answers ``ClaimEarlyData``, or stands in the place of the table of each server."""


@frozen(kw_only=True)
class Plan:
    """A fleet.  ConfigError names the field that cannot work."""

    keys: KeyPolicy = field(
        factory=WindowedKeys,
        validator=is_a((OwnKeys, WindowedKeys, StoredSessions), "OwnKeys, WindowedKeys or StoredSessions"),
    )
    """How servers share sessions: ``OwnKeys``, ``WindowedKeys`` or ``StoredSessions``."""
    servers: int = field(default=3, validator=_in_range(1, MAX_SERVERS, int))
    """1 to 10,000."""
    version: int = ProtocolVersion.TLS_1_3
    """``0x0303`` or ``0x0304``."""
    skew: float = field(default=0.0, validator=_in_range(0, DAY))
    """Each server's clock is wrong by as many seconds at most, ahead or behind."""
    ticket_lifetime: int = field(default=7200, validator=_in_range(1, MAX_LIFETIME, int))
    """Seconds."""
    num_tickets: int = field(default=2, validator=_in_range(0, 255, int))
    """After a full handshake in TLS 1.3."""
    early_data: int = field(default=0, validator=_in_range(0, 16_384, int))
    """Bytes that a client may send early, and then does where it can; 0 for none.  TLS 1.2 has none in any case."""
    recorders: Recorders = field(default=Recorders.OWN, validator=is_a(Recorders, "one of Recorders"))
    """Who remembers the ClientHellos whose early data was accepted."""
    reuse: ReusePolicy | None = field(
        default=None, validator=or_none(is_a(ReusePolicy, "a ReusePolicy or None"))
    )
    """What becomes of a ticket that is used a second time, after a window of 10 seconds.  None: nobody but a store
    remembers which were used, and it refuses them.  Families that end are revoked, and servers tell each other, which
    takes a second."""
    uses: Recorders = field(default=Recorders.OWN, validator=is_a(Recorders, "one of Recorders"))
    """Who remembers which tickets were used."""
    sticky: bool = field(default=False, validator=is_flag)
    """A client always comes to the same server, as long as that is up; otherwise to any."""
    round_trip: float = field(default=0.05, validator=_in_range(0, 10))
    """Seconds from a client to a server and back."""
    loss: float = field(default=0.0, validator=_in_range(0, 1))
    """The probability that a flight never arrives, which ends its connection."""

    def __attrs_post_init__(self) -> None:
        if self.version not in (ProtocolVersion.TLS_1_2, ProtocolVersion.TLS_1_3):
            raise ConfigError("version", f"{quoted(self.version)}; expected 0x0303 or 0x0304")
