"""Where a client keeps its sessions: by server, each TLS 1.3 ticket for one connection, the freshest first.

A TLS 1.3 ticket that is presented twice lets an observer link the two connections (RFC 9846 appendix C.4),
and a server that honours it once only answers the second with a full handshake.  So a ticket that is reserved
is no longer in the store; it comes back only if its connection never got to use it.  A TLS 1.2 session is
different: a resumption brings no new ticket, so it is lent to as many connections as ask for it, until a
server refuses it.

One at a time, since some servers look at the first identity only; the freshest, which has the longest to live and
whose key is the least likely to be gone: most other clients do so too (docs/peers.md).

A connection whose config has a store does all of that by itself, through a ``StoreVisit`` (``visit``); ``put`` and
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

from bisect import bisect_left, insort
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from functools import lru_cache
from math import inf
from os import getpid
from threading import Lock
from typing import Any, Final, Self, TypeVar

from attrs import define, field

from sansticket.errors import ConfigError
from sansticket.inputs import check_kind
from sansticket.locks import over_forks
from sansticket.tickets.encoding import SessionFormatError, Source, utf8_length, varint, vector
from sansticket.tickets.session import Session
from sansticket.tickets.versions import RULES, client_lifetime
from sansticket.values import Shared, frozen

FORMAT: Final = 1

AT_ONCE: Final = 1_024
"""Servers that are looked through while everybody else waits: half a millisecond."""

MAX_SHARED: Final = 16_384
"""Bytes of a chain that is remembered, or of what is in a file, of which there are 512: somebody else says how long it
is, and it outlives the store."""

V = TypeVar("V", bytes, tuple[bytes, ...])


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
    """Of the server, 0 to 65,535."""
    alpn: tuple[bytes, ...] = ()
    policy: bytes = b""

    def __attrs_post_init__(self) -> None:
        for name, value, kind in (
            ("server_name", self.server_name, str),
            ("port", self.port, int),
            ("alpn", self.alpn, tuple),
            ("policy", self.policy, bytes),
        ):
            if not isinstance(value, kind) or isinstance(value, bool):
                raise SessionFormatError(
                    f"{name} of a store key is of another type; expected {kind.__name__}"
                )
        if not all(isinstance(protocol, bytes) for protocol in self.alpn):
            raise SessionFormatError("alpn of a store key is of another type; expected a tuple of bytes")
        if not (utf8_length(self.server_name) > 0 and 0 <= self.port < 1 << 16 and all(self.alpn)):
            raise SessionFormatError("a store key has a name, a port, and protocols that are not empty")


class Reservation(Shared):
    """A session on loan for one connection.  Say once what became of it; what is said later has no effect.

    Nothing said is the same as ``used``: a TLS 1.3 ticket that may have been on the wire never comes back.
    Each method returns False if something had been said before.

    It is a loan, and stays one: ``copy`` and ``deepcopy`` give the reservation itself, whose first word counts
    whoever says it.  Out of a pickle, and in a process that was forked, it is settled, and gives nothing back: the
    original can.
    """

    __slots__ = ("_open", "_process", "_store", "key", "session")

    def __init__(self, store: "ClientSessionStore", key: StoreKey, session: Session) -> None:
        self.key: StoreKey = key
        self.session: Session = session
        self._store = store
        self._open = True
        self._process = getpid()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.key}, {self.session})"

    def __getstate__(self) -> tuple[None, dict[str, Any]]:
        slots = {"key": self.key, "session": self.session, "_store": self._store}
        return None, {**slots, "_open": False, "_process": self._process}

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
            if single_use(self.session):
                self._store._insert(self.key, self.session, now)
            return True

    def _close(self) -> bool:
        was_open, self._open = self._open, False
        return was_open and self._process == getpid()


@define
class _Kept:
    """The sessions of one key, the freshest last, never empty for long."""

    sessions: list[Session] = field(factory=list)
    ends: float = inf
    """No session ends before that: until then nothing has to be looked through."""

    def place_of(self, session: Session) -> int | None:
        """Where it is, among those that came in the same moment."""
        start = bisect_left(self.sessions, session.issued_at, key=_came_at)
        for place in range(start, len(self.sessions)):
            if self.sessions[place].issued_at != session.issued_at:
                break
            if self.sessions[place] == session:
                return place
        return None

    def add(self, session: Session) -> bool:
        """False if it is there already."""
        if self.place_of(session) is not None:
            return False
        insort(self.sessions, session, key=_came_at)
        self.ends = min(self.ends, _ends_at(session))
        return True

    def prune(self, now: float) -> int:
        """Drop what has expired; how many."""
        if now < self.ends:
            return 0
        before = len(self.sessions)
        self.sessions = [session for session in self.sessions if _usable(session, now)]
        self.ends = min(map(_ends_at, self.sessions), default=inf)
        return before - len(self.sessions)


class ClientSessionStore(Shared):
    """Sessions by ``StoreKey``.  Safe to be used by many threads.  ``now`` is in seconds since the epoch.

    A TLS 1.3 ticket is in one place only: ``copy`` and ``deepcopy`` give the store itself, as for a lock, and a
    pickle holds its bounds and its TLS 1.2 sessions, which may be shown by many.  To take all of it to the next run
    of a program there is ``to_bytes``; read that in one place, once.  A forked process knows what a pickle knows, and
    what came to the store there.
    """

    def __init__(self, *, per_server: int = 4, servers: int = 256) -> None:
        """``per_server``: sessions kept for each key; ``servers``: keys.  Both at least 1.

        Servers send two tickets by default; four leave room for a few connections side by side.
        """
        for name, number in (("per_server", per_server), ("servers", servers)):
            check_kind(name, number, int, "a number")
            if number < 1:
                raise ConfigError(name, "must be 1 or more")
        self._per_server = per_server
        self._servers = servers
        self._sessions: OrderedDict[StoreKey, _Kept] = OrderedDict()
        self._count = 0
        self._process = getpid()
        self._lock: AbstractContextManager[object] = over_forks(Lock())
        """Each operation is one ``with`` of it: what reads and writes a store that others share stands in its place."""

    def __getstate__(self) -> dict[str, Any]:
        with self._lock:
            found = self._found()
        data = written([(key, [one for one in sessions if not single_use(one)]) for key, sessions in found])
        return {"data": data, "per_server": self._per_server, "servers": self._servers}

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
        return self._count

    def put(self, key: StoreKey, session: Session, now: float) -> bool:
        """Keep a session that came from the server.  False if it has expired, or shows the server nothing.

        ConfigError ``key`` for one that is no ``StoreKey``.
        """
        check_kind("key", key, StoreKey, "a StoreKey, such as ClientConfig.store_key gives")
        if not (session.ticket or session.session_id):
            return False
        with self._lock:
            return self._insert(key, session, now)

    def reserve(self, key: StoreKey, now: float) -> Reservation | None:
        """The freshest session for a connection of this kind, or None.

        A TLS 1.3 session leaves the store; a TLS 1.2 session is lent to many.
        """
        with self._lock:
            kept = self._pruned(key, now)
            if kept is None:
                return None
            self._sessions.move_to_end(key)
            session = kept.sessions[-1]
            if single_use(session):
                self._take_out(key, kept, -1)
            return Reservation(self, key, session)

    def drop(self, key: StoreKey, session: Session) -> bool:
        """Drop one session, because the connection it came with has failed.  False if it is not there."""
        with self._lock:
            return self._discard(key, session)

    def room(self, key: StoreKey, now: float) -> int:
        """How many more sessions of this key would be kept: what to ask a server for (RFC 9149)."""
        with self._lock:
            kept = self._pruned(key, now)
            return self._per_server - (len(kept.sessions) if kept is not None else 0)

    def forget(self, key: StoreKey) -> int:
        """Drop every session of one key; how many."""
        with self._lock:
            return self._remove(key)

    def flush(self, now: float) -> int:
        """Drop every session that has expired; how many.

        A thousand servers at a time, so that nobody waits long for a large store.
        """
        with self._lock:
            keys = tuple(self._sessions)
            dropped = self._drop_expired(keys[:AT_ONCE], now)
        for start in range(AT_ONCE, len(keys), AT_ONCE):
            with self._lock:
                dropped += self._drop_expired(keys[start : start + AT_ONCE], now)
        return dropped

    def to_bytes(self) -> bytes:
        """Everything that is not reserved, in the format of the module.

        It holds secrets: who has it can pretend to be the client that the sessions authenticated, and read
        connections that resumed from them without a new key exchange.  Keep it as you keep a private key, and read
        it once: what two stores have of it, both will show.
        """
        with self._lock:
            found = self._found()
        return written(found)

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
        source = Source(data)
        if not source.left or source.number(1) != FORMAT:
            raise SessionFormatError("not a session store of a known format")
        while source.left:
            name, port = source.text(), source.number(2)
            alpn, policy = source.vectors(0), source.vector(0)
            alpn, policy = shared(alpn, sum(map(len, alpn))), shared(policy, len(policy))
            key = StoreKey(name, port, alpn, policy)
            for encoded in source.vectors():
                self._add(key, Session.from_bytes(encoded))

    # Called with the lock held

    def _know_process(self) -> None:
        """After a fork, the TLS 1.3 sessions that came before it are the other's to show."""
        if self._process == getpid():
            return
        self._process = getpid()
        for key, kept in tuple(self._sessions.items()):
            lasting = [session for session in kept.sessions if not single_use(session)]
            self._count -= len(kept.sessions) - len(lasting)
            kept.sessions = lasting
            if not lasting:
                del self._sessions[key]

    def _found(self) -> list[tuple[StoreKey, list[Session]]]:
        """What is there: to write it takes longer, and can be done without the lock."""
        self._know_process()
        return [(key, kept.sessions[:]) for key, kept in self._sessions.items()]

    def _drop_expired(self, keys: Iterable[StoreKey], now: float) -> int:
        before = self._count
        for key in keys:
            self._pruned(key, now)
        return before - self._count

    def _insert(self, key: StoreKey, session: Session, now: float) -> bool:
        self._pruned(key, now)
        if not _usable(session, now):
            return False
        self._add(key, session)
        return True

    def _add(self, key: StoreKey, session: Session) -> None:
        share_chain(session)
        kept = self._sessions.get(key)
        if kept is None:
            kept = self._sessions[key] = _Kept()
        self._sessions.move_to_end(key)
        self._count += kept.add(session)
        if len(kept.sessions) > self._per_server:
            self._take_out(key, kept, 0)
        if len(self._sessions) > self._servers:
            self._remove(next(iter(self._sessions)))

    def _pruned(self, key: StoreKey, now: float) -> _Kept | None:
        """What is left of one key when what has expired is dropped."""
        self._know_process()
        kept = self._sessions.get(key)
        if kept is None:
            return None
        self._count -= kept.prune(now)
        if not kept.sessions:
            del self._sessions[key]
            return None
        return kept

    def _discard(self, key: StoreKey, session: Session) -> bool:
        kept = self._sessions.get(key)
        place = kept.place_of(session) if kept is not None else None
        if kept is None or place is None:
            return False
        self._take_out(key, kept, place)
        return True

    def _take_out(self, key: StoreKey, kept: _Kept, place: int) -> None:
        del kept.sessions[place]
        self._count -= 1
        if not kept.sessions:
            del self._sessions[key]

    def _remove(self, key: StoreKey) -> int:
        kept = self._sessions.pop(key, None)
        number = len(kept.sessions) if kept is not None else 0
        self._count -= number
        return number


def written(found: Iterable[tuple[StoreKey, Sequence[Session]]]) -> bytes:
    """In the format of the module; keys without a session are left out."""
    parts = [bytes((FORMAT,))]
    for key, sessions in found:
        if sessions:
            parts += vector(key.server_name.encode()), key.port.to_bytes(2), varint(len(key.alpn))
            parts += map(vector, key.alpn)
            parts += vector(key.policy), varint(len(sessions))
            parts += [vector(session.to_bytes()) for session in sessions]
    return b"".join(parts)


def share_chain(session: Session) -> None:
    """Let all sessions of a server have one chain: each full handshake, and each that is read, brings its own."""
    chain = shared(session.peer_certificates, sum(map(len, session.peer_certificates)))
    if chain is not session.peer_certificates:
        object.__setattr__(session, "peer_certificates", chain)  # an equal one, so that nobody can tell


def shared(value: V, size: int) -> V:
    """One that is equal to it and is remembered, unless it is long: ``size`` is in bytes."""
    return value if size > MAX_SHARED else known_value(value)


@lru_cache(maxsize=512)
def known_value(value: V) -> V:
    """The first of all that are equal to it, as long as it is remembered."""
    return value


def single_use(session: Session) -> bool:
    """Whether it is shown once, and is then used up."""
    return RULES[session.version].used_once


def _usable(session: Session, now: float) -> bool:
    return session.age(now) < client_lifetime(session)


def _came_at(session: Session) -> float:
    return session.issued_at


def _ends_at(session: Session) -> float:
    """No later than the moment from which ``_usable`` says no: a millisecond of rounding is left."""
    return session.issued_at + client_lifetime(session) - 0.002
