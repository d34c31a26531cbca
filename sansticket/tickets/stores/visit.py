"""What one connection does with a client's store, from the session that it offers to its end."""

from collections.abc import Iterable
from typing import Final

from sansticket.tickets.session import Session
from sansticket.tickets.stores.client import ClientSessionStore, Reservation, StoreKey, single_use

MAX_REQUESTED: Final = 255
"""A ticket_request has one byte for each of its counts."""


class StoreVisit:
    """What one connection does with a store: it takes a session, brings those that come, and says what became of them.

    Not thread-safe: it belongs to its connection.
    """

    __slots__ = ("_key", "_lasting", "_reservation", "_store")

    def __init__(self, store: ClientSessionStore, key: StoreKey) -> None:
        self._store = store
        self._key = key
        self._reservation: Reservation | None = None
        self._lasting: list[Session] = []  # in the store now, and gone from it if the connection fails

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._key})"

    @property
    def port(self) -> int:
        """Of the server, by which the store tells it from others."""
        return self._key.port

    @property
    def lasting(self) -> tuple[Session, ...]:
        """Those in the store that go from it if the connection fails."""
        return tuple(self._lasting)

    def go_on(self, lasting: Iterable[Session]) -> None:
        """Take the place of a visit that had come behind the handshake: a session that it took is used up."""
        self._lasting = [*lasting]

    def take(self, now: float) -> Session | None:
        """A session to offer, if there is one."""
        self._reservation = self._store.reserve(self._key, now)
        return None if self._reservation is None else self._reservation.session

    def ticket_request(self, now: float) -> tuple[int, int]:
        """The numbers of tickets to ask for, after a full handshake and after a resumption (RFC 9149 section 3).

        As many as there is room for: a server that has fewer reasons to send any sends fewer.  Where a session is
        offered, a full handshake says that it is refused, and those that are left are most likely worth no more: then
        there is room for as many as are kept, and they go first.
        """
        room = min(self._store.room(self._key, now), MAX_REQUESTED)
        return room if self._reservation is None else min(self._store.per_server, MAX_REQUESTED), room

    def brought(self, session: Session, now: float) -> None:
        """The server sent a session."""
        if self._store.put(self._key, session, now):
            self._lasting = [*self._lasting, session][-self._store.per_server :]

    def resumed(self, resumed: bool) -> None:
        """The handshake is done; a session that was taken and not resumed is of no more use."""
        taken = self._reservation
        if taken is None:
            return
        _ = taken.used() if resumed else taken.refused()
        if resumed and not single_use(taken.session):
            self._lasting = [taken.session]

    def ended(self, now: float, *, silent: bool, failed: bool) -> None:
        """The connection is over.

        ``silent``: nothing of it was ever written to the server, so a session that was taken goes back.
        ``failed``: by an alert, of either side; the sessions that came with the connection go too (RFC 9846
        section 6.2), and one that was taken, if it did not get through the handshake or is one of TLS 1.2, which
        stays in the store until then (RFC 5246 section 7.2.2).
        """
        taken = self._reservation
        if taken is not None:
            _ = taken.give_back(now) if silent else taken.refused() if failed else taken.used()
        for session in self._lasting if failed else ():
            self._store.drop(self._key, session)
        self._lasting = []
