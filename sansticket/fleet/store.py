"""A store of sessions that all servers ask: what Redis is to ``sansticket_wrappers.redis``, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from hashlib import sha256
from heapq import heappop, heappush
from typing import Final

from attrs import define, field

from sansticket.fleet.world import World
from sansticket.tickets.keys.windowed import WindowedTicketKeys
from sansticket.tickets.session import Session
from sansticket.tickets.stores.spent import SpentSession

TIMEOUT: Final = 0.25
"""Seconds that a server waits for an answer: the default of ``RedisStore``."""


class Condition(Enum):
    """How a store is."""

    UP = "up"
    GONE = "gone"
    """Connections to it are refused at once."""
    SILENT = "silent"
    """It takes connections, and never answers."""


class StoreError(OSError):
    """The store is not to be had."""


class StoreTimeout(StoreError):
    """It did not answer in time."""


@define(eq=False)
class Store:
    """``keys`` seal what is in it.  Every operation raises ``StoreError`` while the store is not up.

    ``trips`` counts round trips, and those that failed too.
    """

    world: World
    """Whose time it has."""
    keys: WindowedTicketKeys
    condition: Condition = Condition.UP
    """How it is now."""
    trips: int = 0
    most: int = 0
    """The most sessions that there were at a time, with those of which something is left."""
    bytes_held: int = 0
    """Of the sessions that are there now, and of what is left of others, sealed."""
    most_bytes: int = 0
    """The most of them at a time."""
    waited: float = 0.0
    """Seconds for which servers waited in vain, since somebody last took note."""
    _sessions: dict[bytes, bytes] = field(factory=dict, repr=False)
    _used: set[bytes] = field(factory=set, repr=False)
    """Of which sessions something is left."""
    _expiry: list[tuple[float, bytes]] = field(factory=list, repr=False)

    def __len__(self) -> int:
        self._expire()
        return len(self._sessions)

    def lose(self) -> None:
        """It is restarted, and has lost everything."""
        self._sessions.clear()
        self._used.clear()
        self._expiry.clear()
        self.bytes_held = 0

    def put(self, sessions: Sequence[Session], now: float) -> None:
        """All of them in one round trip.  ``now``, here and below: by the clock of the server."""
        self._ask()
        for session in sessions:
            name = self._name(session.session_id)
            self._drop(name)
            sealed = self.keys.seal(session.to_bytes(), now, self.world.entropy)
            self._sessions[name] = sealed
            self.bytes_held += len(sealed)
            left = session.issued_at + session.lifetime - now
            heappush(self._expiry, (self.world.now + left, name))
        self.most = max(self.most, len(self))
        self.most_bytes = max(self.most_bytes, self.bytes_held)

    def find(self, session_id: bytes, now: float) -> Session | SpentSession | None:
        """It stays, or what is left of it."""
        self._ask()
        return self._opened(self._name(session_id), now)

    def claim(self, spent: SpentSession, now: float) -> Session | SpentSession | None:
        """The session, for one of all who ask, who leaves ``spent`` in its place; for the others what he has left."""
        self._ask()
        name = self._name(spent.session_id)
        found = self._opened(name, now)
        if isinstance(found, Session):
            sealed = self.keys.seal(spent.to_bytes(), now, self.world.entropy)
            self.bytes_held += len(sealed) - len(self._sessions[name])
            self._sessions[name] = sealed
            self._used.add(name)
        return found

    def remove(self, session_id: bytes) -> None:
        """Nobody is to have it any more; what is left of one that was used stays."""
        self._ask()
        name = self._name(session_id)
        if name not in self._used:
            self._drop(name)

    def take_wait(self) -> float:
        """Seconds that were waited in vain since the last call."""
        waited, self.waited = self.waited, 0.0
        return waited

    def _ask(self) -> None:
        self.trips += 1
        if self.condition is Condition.SILENT:
            self.waited += TIMEOUT
            raise StoreTimeout("no answer")
        if self.condition is Condition.GONE:
            raise StoreError("connection refused")
        self._expire()

    def _expire(self) -> None:
        while self._expiry and self._expiry[0][0] <= self.world.now:
            self._drop(heappop(self._expiry)[1])

    def _drop(self, name: bytes) -> None:
        self.bytes_held -= len(self._sessions.pop(name, b""))
        self._used.discard(name)

    def _opened(self, name: bytes, now: float) -> Session | SpentSession | None:
        sealed = self._sessions.get(name)
        plaintext = self.keys.open(sealed, now).plaintext if sealed is not None else None
        if plaintext is None:
            return None
        return SpentSession.from_bytes(plaintext) if name in self._used else Session.from_bytes(plaintext)

    @staticmethod
    def _name(session_id: bytes) -> bytes:
        return sha256(session_id).digest()
