"""Members of a context: tickets, sessions, and how many connections resumed one."""

from __future__ import annotations

from collections import Counter
from typing import Final

from sansticket.adapters.members.arguments import signed
from sansticket.adapters.members.base import Members
from sansticket.config.server import ServerConfig
from sansticket.tickets.keys.protection import TicketKeys
from sansticket.tickets.stores.cache import SessionCache
from sansticket.tickets.stores.client import ClientSessionStore

STATISTICS: Final = (
    "number",
    "connect",
    "connect_good",
    "connect_renegotiate",
    "accept",
    "accept_good",
    "accept_renegotiate",
    "hits",
    "misses",
    "timeouts",
    "cache_full",
)


class SessionMembers(Members):
    """Ticket keys, caches and stores, and what became of them."""

    _statistics: Counter[str]

    @property
    def ticket_keys(self) -> TicketKeys | None:
        """A server's ticket keys; they can be rotated, and shared with other contexts."""
        config = self._settings.profile().config
        return config.ticket_keys if isinstance(config, ServerConfig) else None

    @ticket_keys.setter
    def ticket_keys(self, keys: TicketKeys | None) -> None:
        self._settings.change(ticket_keys=keys)

    @property
    def session_cache(self) -> SessionCache | None:
        """A server's session cache, with its hooks."""
        cache: SessionCache | None = self._settings["session_cache"] if self._settings.server else None
        return cache

    @session_cache.setter
    def session_cache(self, cache: SessionCache | None) -> None:
        self._settings.change(session_cache=cache)

    @property
    def session_store(self) -> ClientSessionStore | None:
        """Where a client keeps sessions.  With one, connections resume without anybody passing ``session``."""
        store: ClientSessionStore | None = None if self._settings.server else self._settings["session_store"]
        return store

    @session_store.setter
    def session_store(self, store: ClientSessionStore | None) -> None:
        self._settings.change(session_store=store)

    @property
    def num_tickets(self) -> int:
        """TLS 1.3 tickets after a full handshake."""
        number: int = self._settings["num_tickets"] if self._settings.server else 2
        return number

    @num_tickets.setter
    def num_tickets(self, value: int) -> None:
        number = signed(value, 8)
        if number < 0:
            raise ValueError(f"num_tickets: {number}; value must be non-negative")
        if not self._settings.server:
            raise ValueError("SSLContext is not a server context.")
        self._settings.change(num_tickets=number)

    def session_stats(self) -> dict[str, int]:
        """Connections begun and completed, sessions resumed (hits) and not (misses), and kept (number)."""
        found = {name: self._statistics[name] for name in STATISTICS}
        cache = self.session_cache
        found["number"] = len(cache) if cache is not None else 0
        return found

    def _count(self, name: str) -> None:
        with self._settings.lock:
            self._statistics[name] += 1
