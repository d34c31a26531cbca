"""Which sessions for single use were used up, in bounded memory."""

from heapq import heappop, heappush
from math import inf
from typing import Final, Self

from sansticket.tickets.session import Session

BATCH: Final = 512
"""How many sessions one call works through at most: two times as many as come until the next look at what expired."""


def expires_at_ms(session: Session) -> int:
    """In milliseconds since the epoch."""
    return round(session.issued_at * 1000) + session.lifetime * 1000


class Claims:
    """The ids of sessions that were used up, in bounded memory (see the module)."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.ids: dict[bytes, bytes] = {}  # with what was told of the use, written: it is smaller so
        self.expiry: list[tuple[int, bytes]] = []  # a heap of the same
        self.forgotten_until: float = -1  # the latest expiry of an id that was forgotten, in milliseconds

    def for_a_copy(self) -> Self:
        """What a copy may claim: nothing that somebody else may have, now or later, for that is the original's."""
        other = type(self)(self.limit)
        other.ids, other.expiry, other.forgotten_until = dict(self.ids), list(self.expiry), inf
        return other

    def record(self, session: Session, now: float, *, trusted: bool) -> bool:
        """Claim ``session``; False if that was done before, or if it cannot be told any more.

        ``trusted``: it was taken just now from where it would not be if somebody had claimed it.
        """
        self.forget_expired(now)
        expires_at = expires_at_ms(session)
        if session.session_id in self.ids or (not trusted and expires_at <= self.forgotten_until):
            return False
        self.ids[session.session_id] = b""
        heappush(self.expiry, (expires_at, session.session_id))
        if len(self.ids) > self.limit:
            self._forget()
        return True

    def forget_expired(self, now: float) -> None:
        """The earliest first, as long as it is no more than ``BATCH``."""
        for _ in range(BATCH):
            if not self.expiry or self.expiry[0][0] > now * 1000:
                break
            self._forget()

    def _forget(self) -> None:
        expires_at, session_id = heappop(self.expiry)
        del self.ids[session_id]
        self.forgotten_until = max(self.forgotten_until, expires_at)
