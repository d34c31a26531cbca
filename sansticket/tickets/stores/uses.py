"""Which tickets were used, and by whom: the second use of one may be a thief's.

A ticket of TLS 1.3 is for one connection (RFC 9846 appendix C.4), and each resumption earns a new one.  So when one is
shown again, either its client does not know better, or two have it.  Nobody can tell which of the two is the thief;
but all that the thief can have is of one family (``Session.family``), and that can be ended.

What is remembered of a ticket is a hash, and the facts of its first use: until the ticket has expired, or until the
table is full, which then forgets the oldest use.  So what is not seen is the reuse of a ticket that ``capacity`` others
were used after.  No session is refused for want of memory.
"""

from __future__ import annotations

from collections import OrderedDict
from enum import Enum
from hashlib import sha256
from threading import Lock
from typing import Any, Final

from attrs import field

from sansticket.errors import ConfigError
from sansticket.inputs import check_bytes, check_kind, check_seconds
from sansticket.locks import over_forks
from sansticket.text import quoted
from sansticket.values import Shared, frozen

FORGOTTEN_AT_ONCE: Final = 4
"""How many of what is over one call forgets at most."""

DEFAULT_WINDOW: Final = 10.0
"""Seconds after the first use, unless said otherwise: also where no table says what follows from another one."""

NAME_LENGTH: Final = 16
"""Bytes of the hash by which a ticket, or a ClientHello, is known again."""


class ReusePolicy(Enum):
    """What becomes of a ticket that is shown again after the window."""

    IGNORE = "ignore"
    """It is resumed, without early data."""
    REFUSE = "refuse"
    """It is not resumed: a full handshake."""
    END_FAMILY = "end the family"
    """It is not resumed, nor from now on is any session of its family, whoever shows it: all that came of the same full
    handshake.  Where who shows it has not proved to have it (``TicketReused.proven``), or where the family is not
    known, the same as REFUSE."""


@frozen
class TicketUse:
    """The facts of one use of a ticket."""

    at: float
    """When, in seconds since the epoch."""
    version: int
    """A number of ``ProtocolVersion``."""
    family: bytes = field(repr=bytes.hex)
    """See ``Session.family``; empty where it is not known."""
    generation: int
    """See ``Session.generation``."""
    server_name: str | None
    """What the client asked for, normalised."""
    alpn_protocol: bytes | None
    """What was agreed on (RFC 7301)."""
    client_random: bytes = field(repr=bytes.hex)
    """Of the ClientHello, 32 bytes: what captures and key logs know a connection by.  A copy of it has the same."""
    hello: bytes = field(repr=False)
    """A hash of the ClientHello, by which one that is repeated byte for byte is known again."""


def name_of(data: bytes) -> bytes:
    """What is remembered of a ticket, or of a ClientHello, in its place."""
    return sha256(data).digest()[:NAME_LENGTH]


class TicketUses(Shared):
    """Remembers which tickets were used, so that a second use is seen.  Safe to be used by many threads.

    ``capacity``: how many tickets it remembers, and how many families that were ended; about 600 bytes each.  When it
    is full the oldest goes.

    ``window``: seconds after the first use for which another one is none of anybody's business: browsers open several
    connections with one ticket at a time, and clients try again.  0 for none.

    ``policy``: what becomes of a ticket that is shown again after that.

    One serves all connections and configs of a process.  It knows what was used in this process: a forked one goes on
    with a table of its own, and what comes out of a pickle is empty.  ``copy`` and ``deepcopy`` give the table itself.
    """

    def __init__(
        self,
        capacity: int = 65_536,
        *,
        window: float = DEFAULT_WINDOW,
        policy: ReusePolicy = ReusePolicy.REFUSE,
    ) -> None:
        """ConfigError for anything but a capacity of at least 1, a window of at least 0 seconds, and a policy."""
        check_kind("capacity", capacity, int, "a number")
        if capacity < 1:
            raise ConfigError("capacity", f"{quoted(capacity)}; expected 1 or more")
        check_seconds("window", window)
        if window < 0:
            raise ConfigError("window", f"{window}; expected seconds, 0 or more")
        check_kind("policy", policy, ReusePolicy, "a ReusePolicy")
        self._capacity = capacity
        self._window = float(window)
        self._policy = policy
        self._uses: OrderedDict[bytes, tuple[float, TicketUse]] = OrderedDict()
        self._ended: OrderedDict[bytes, float] = OrderedDict()
        self._forgotten = 0
        self._lock = over_forks(Lock())

    @property
    def capacity(self) -> int:
        """How many tickets it remembers at a time."""
        return self._capacity

    @property
    def window(self) -> float:
        """Seconds for which another use is nobody's business."""
        return self._window

    @property
    def policy(self) -> ReusePolicy:
        """What becomes of a ticket that is shown again after the window."""
        return self._policy

    @property
    def forgotten(self) -> int:
        """How many tickets and families were forgotten before their time: if it grows, ``capacity`` is too small."""
        return self._forgotten

    def __len__(self) -> int:
        """How many tickets are remembered; some of them may have expired."""
        return len(self._uses)

    def __bool__(self) -> bool:
        """It is there, also where it is empty."""
        return True

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({len(self)} of {self._capacity}, {self._window} s, {self._policy.value})"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return _empty, (type(self), self._capacity, self._window, self._policy)

    def note(self, ticket: bytes, use: TicketUse, until: float) -> TicketUse | None:
        """Remember a use of ``ticket``, unless there was one: that is given back, and remains what is remembered.

        ``until``: when the ticket expires, in seconds since the epoch; what is over by ``use.at`` may be forgotten.
        ConfigError for a ticket that is no bytes.
        """
        check_bytes("ticket", ticket)
        name = name_of(ticket)
        with self._lock:
            known = self._uses.get(name)
            if known is not None:
                return known[1]
            self._put(name, (until, use), use.at)
            return None

    def earlier(self, ticket: bytes, now: float | None = None) -> TicketUse | None:
        """The first use of ``ticket``, if one is remembered; with ``now``, if the ticket has not expired by then.
        ConfigError for a ticket that is no bytes."""
        check_bytes("ticket", ticket)
        known = self._uses.get(name_of(ticket))
        return None if known is None or (now is not None and known[0] <= now) else known[1]

    def end_family(self, family: bytes, now: float, until: float) -> None:
        """From ``now`` on no session of that family is resumed, until ``capacity`` others were ended after it.

        Time alone forgets none, so that a clock that jumps ahead and back brings no ticket back.  ``until``: when none
        lives any more; a family that goes before that is counted in ``forgotten``.
        ConfigError for a family that is no bytes, or is empty.
        """
        check_bytes("family", family)
        if not family:
            raise ConfigError("family", "empty; expected the id of one")
        with self._lock:
            self._ended[family] = until
            self._ended.move_to_end(family)
            if len(self._ended) > self._capacity and self._ended.popitem(last=False)[1] > now:
                self._forgotten += 1

    def has_ended(self, family: bytes) -> bool:
        """Whether that family was ended.  One that is not known was not: another fleet's, or one that was forgotten."""
        return family in self._ended

    def _put(self, name: bytes, entry: tuple[float, TicketUse], now: float) -> None:
        """Called with the lock held.  What is over goes first, then the oldest if there is no room."""
        table = self._uses
        table[name] = entry
        for _ in range(FORGOTTEN_AT_ONCE):
            if next(iter(table.values()))[0] > now:
                break
            table.popitem(last=False)
            if not table:
                return
        if len(table) > self._capacity:
            table.popitem(last=False)
            self._forgotten += 1


def _empty(kind: type[TicketUses], capacity: int, window: float, policy: ReusePolicy) -> TicketUses:
    """What comes out of a pickle."""
    return kind(capacity, window=window, policy=policy)
