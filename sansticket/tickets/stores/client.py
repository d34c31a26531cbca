"""Where a client keeps its sessions: by server, each TLS 1.3 ticket for one connection, the freshest first.

A TLS 1.3 ticket that is presented twice lets an observer link the two connections (RFC 9846 appendix C.4),
and a server that honours it once only answers the second with a full handshake.  So a ticket that is reserved
is no longer in the store; it comes back only if its connection never got to use it.  A TLS 1.2 session is
different: a resumption brings no new ticket, so it is lent to as many connections as ask for it, until a
server refuses it.

A connection whose config has a store does all of that by itself, through a ``StoreVisit``; ``put`` and
``reserve`` are for those who want to do it otherwise.

The store is bounded: ``per_server`` sessions of one server, of which the stalest goes first, and ``servers``
servers, of which the one goes that was not used for longest.

``to_bytes`` writes it for the next run of the program.  Format 1, with the varints and vectors of
``encoding``:

    format      1 byte    1
    then for each server, the least recently used first:
    server_name vector
    port        2 bytes
    alpn        a count as varint, and each protocol as vector
    policy      vector
    sessions    a count as varint, and each session as vector, the stalest first
"""

from bisect import insort
from collections import OrderedDict
from threading import Lock
from typing import Any, Final, Self

from attrs import frozen

from sansticket.codes import ProtocolVersion
from sansticket.errors import ConfigError
from sansticket.tickets.encoding import SessionFormatError, Source, utf8_length, varint, vector
from sansticket.tickets.session import Session

FORMAT: Final = 1

MAX_LIFETIME: Final = 604_800
"""RFC 9846 section 4.7.1: a client uses no TLS 1.3 ticket for longer than seven days, in seconds."""

MAX_REQUESTED: Final = 255
"""A ticket_request has one byte for each of its counts."""


@frozen
class StoreKey:
    """For which connections a session may be used.  Sessions never cross from one key to another.

    ``alpn`` is the list of protocols that the client offers.  ``policy`` is a digest of how the client
    verifies the server (its trust anchors, its own verification, its own certificate): a session stands for
    the verification of the handshake it came from, and must not stand for a stricter one.
    """

    server_name: str
    """As given to the connection, not empty; an IP address is a name too."""

    port: int = 443
    alpn: tuple[bytes, ...] = ()
    policy: bytes = b""

    def __attrs_post_init__(self) -> None:
        if not (utf8_length(self.server_name) > 0 and 0 <= self.port < 1 << 16 and all(self.alpn)):
            raise SessionFormatError("a store key has a name, a port, and protocols that are not empty")


class Reservation:
    """A session on loan for one connection.  Say once what became of it; what is said later has no effect.

    Nothing said is the same as ``used``: a TLS 1.3 ticket that may have been on the wire never comes back.
    Each method returns False if something had been said before.
    """

    __slots__ = ("_open", "_store", "key", "session")

    def __init__(self, store: "ClientSessionStore", key: StoreKey, session: Session) -> None:
        self.key = key
        self.session = session
        self._store = store
        self._open = True

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.key}, {self.session})"

    def used(self) -> bool:
        """The server resumed the session.  A TLS 1.2 session stays in the store."""
        with self._store._lock:
            return self._close()

    def refused(self) -> bool:
        """The server did a full handshake instead: the session is dropped, in TLS 1.2 too."""
        with self._store._lock:
            if not self._close():
                return False
            self._store._discard(self.key, self.session)
            return True

    def give_back(self, now: float) -> bool:
        """The connection failed before the session was sent: another one may use it."""
        with self._store._lock:
            if not self._close():
                return False
            if _single_use(self.session):
                self._store._insert(self.key, self.session, now)
            return True

    def _close(self) -> bool:
        was_open, self._open = self._open, False
        return was_open


class ClientSessionStore:
    """Sessions by ``StoreKey``.  Safe to be used by many threads.  ``now`` is in seconds since the epoch."""

    def __init__(self, *, per_server: int = 4, servers: int = 256) -> None:
        """``per_server``: sessions kept for each key; ``servers``: keys.  Both at least 1.

        Servers send two tickets by default; four leave room for a few connections side by side.
        """
        if per_server < 1:
            raise ConfigError("per_server", "must be 1 or more")
        if servers < 1:
            raise ConfigError("servers", "must be 1 or more")
        self._per_server = per_server
        self._servers = servers
        self._sessions: OrderedDict[StoreKey, list[Session]] = OrderedDict()  # the freshest last, never empty
        self._lock = Lock()

    def __getstate__(self) -> dict[str, Any]:
        return {"data": self.to_bytes(), "per_server": self._per_server, "servers": self._servers}

    def __setstate__(self, state: dict[str, Any]) -> None:
        ClientSessionStore.__init__(self, per_server=state["per_server"], servers=state["servers"])
        self._read(state["data"])

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} sessions of {len(self._sessions)} servers)"

    @property
    def per_server(self) -> int:
        """How many sessions are kept for each key."""
        return self._per_server

    def __len__(self) -> int:
        """How many sessions there are, those not counted that are reserved."""
        with self._lock:
            return self._count()

    def put(self, key: StoreKey, session: Session, now: float) -> bool:
        """Keep a session that came from the server.  False if it has expired, or shows the server nothing."""
        if not (session.ticket or session.session_id):
            return False
        with self._lock:
            return self._insert(key, session, now)

    def reserve(self, key: StoreKey, now: float) -> Reservation | None:
        """The freshest session for a connection of this kind, or None.

        A TLS 1.3 session leaves the store; a TLS 1.2 session is lent to many.
        """
        with self._lock:
            if not self._prune(key, now):
                return None
            self._sessions.move_to_end(key)
            session = self._sessions[key][-1]
            if _single_use(session):
                self._discard(key, session)
            return Reservation(self, key, session)

    def drop(self, key: StoreKey, session: Session) -> bool:
        """Drop one session, because the connection it came with has failed.  False if it is not there."""
        with self._lock:
            before = len(self._sessions.get(key, ()))
            self._discard(key, session)
            return len(self._sessions.get(key, ())) < before

    def room(self, key: StoreKey, now: float) -> int:
        """How many more sessions of this key would be kept: what to ask a server for (RFC 9149)."""
        with self._lock:
            self._prune(key, now)
            return self._per_server - len(self._sessions.get(key, ()))

    def forget(self, key: StoreKey) -> int:
        """Drop every session of one key; how many."""
        with self._lock:
            return len(self._sessions.pop(key, ()))

    def flush(self, now: float) -> int:
        """Drop every session that has expired; how many."""
        with self._lock:
            before = self._count()
            for key in tuple(self._sessions):
                self._prune(key, now)
            return before - self._count()

    def to_bytes(self) -> bytes:
        """Everything that is not reserved, in the format of the module.

        It holds secrets: who has it can pretend to be the client that the sessions authenticated, and read
        connections that resumed from them without a new key exchange.  Keep it as you keep a private key.
        """
        with self._lock:
            parts = [bytes((FORMAT,))]
            for key, sessions in self._sessions.items():
                parts += vector(key.server_name.encode()), key.port.to_bytes(2), varint(len(key.alpn))
                parts += map(vector, key.alpn)
                parts += vector(key.policy), varint(len(sessions))
                parts += (vector(session.to_bytes()) for session in sessions)
            return b"".join(parts)

    @classmethod
    def from_bytes(cls, data: bytes, *, per_server: int = 4, servers: int = 256) -> Self:
        """The store that ``to_bytes`` wrote, cut to the bounds given.

        What has expired in the meantime goes when it would be used.  Bytes that are no store are
        ``SessionFormatError``.
        """
        store = cls(per_server=per_server, servers=servers)
        store._read(data)
        return store

    def _read(self, data: bytes) -> None:
        if not data or data[0] != FORMAT:
            raise SessionFormatError("not a session store of a known format")
        source = Source(data)
        source.take(1)
        while source.left:
            key = StoreKey(source.text(), source.number(2), source.vectors(0), source.vector(0))
            for encoded in source.vectors():
                self._add(key, Session.from_bytes(encoded))

    # Called with the lock held

    def _count(self) -> int:
        return sum(map(len, self._sessions.values()))

    def _insert(self, key: StoreKey, session: Session, now: float) -> bool:
        self._prune(key, now)
        if not _usable(session, now):
            return False
        self._add(key, session)
        return True

    def _add(self, key: StoreKey, session: Session) -> None:
        sessions = self._sessions.setdefault(key, [])
        self._sessions.move_to_end(key)
        if session not in sessions:
            insort(sessions, session, key=lambda one: one.issued_at)
        del sessions[: -self._per_server]
        if len(self._sessions) > self._servers:
            self._sessions.popitem(last=False)

    def _prune(self, key: StoreKey, now: float) -> bool:
        """Drop what has expired of one key; whether anything is left."""
        sessions = [session for session in self._sessions.get(key, ()) if _usable(session, now)]
        return self._replace(key, sessions)

    def _discard(self, key: StoreKey, session: Session) -> None:
        self._replace(key, [one for one in self._sessions.get(key, ()) if one != session])

    def _replace(self, key: StoreKey, sessions: list[Session]) -> bool:
        if sessions:
            self._sessions[key] = sessions
        else:
            self._sessions.pop(key, None)
        return bool(sessions)


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

    def take(self, now: float) -> Session | None:
        """A session to offer, if there is one."""
        self._reservation = self._store.reserve(self._key, now)
        return None if self._reservation is None else self._reservation.session

    def ticket_request(self, now: float) -> tuple[int, int]:
        """The numbers of tickets to ask for, after a full handshake and after a resumption (RFC 9149 section 3).

        As many as there is room for in either case: a server that has fewer reasons to send any sends fewer.
        """
        room = min(self._store.room(self._key, now), MAX_REQUESTED)
        return room, room

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
        if resumed and not _single_use(taken.session):
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


def _single_use(session: Session) -> bool:
    return session.version >= ProtocolVersion.TLS_1_3


def _usable(session: Session, now: float) -> bool:
    if session.expired(now):
        return False
    return session.version < ProtocolVersion.TLS_1_3 or session.age(now) < MAX_LIFETIME
