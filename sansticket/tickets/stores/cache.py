"""The server's session cache: for TLS 1.2 session ids, and for TLS 1.3 tickets that are only an id.

SSL_CTX_set_session_cache_mode(3) and SSL_CTX_sess_set_new_cb, _remove_cb and _get_cb(3), with these rules:

- It holds ``size`` sessions.  When it is full, those that expired go first, then the one that was not used
  for longest.
- Every removal calls the ``on_remove`` hook once: expiry, eviction, single use, failure, unclean close and
  clear.
- The ``on_new`` hook is asked before a session of a connection is kept; if it returns False the session is not kept
  at all.  What the application itself puts in with ``add`` calls no such hook.
- The ``on_get`` hook, an external store, is asked when the cache itself does not have a session, and always
  when the mode says so; what it gives is kept here too, unless the mode forbids that.
- A session that may be used once only is *claimed*, which one caller can do, once, whatever the external
  store goes on saying.

How a claim stays a claim.  Removing a session from the cache is not enough: an external store that still has
it would bring it back.  So the ids of claimed sessions are remembered until they expire, with what is left of
them (``note_use``), in bounded memory: when that is full, those that expire first are forgotten, and from then on
a session from outside that expires no later than they do can no longer be claimed.  Too many claims cost full
handshakes, never a second use.
This holds for one process.  Where several share a store, the store must decide: see ``events.ClaimSession``.

A copy must not be able to claim what the original can.  ``copy`` and ``deepcopy`` therefore give the cache itself, as
for a lock; and out of a pickle comes a cache that knows the same sessions, gives them to everybody, and claims none
but those that are new in it.  A forked process has such a copy too.

No call works through more than two times ``BATCH`` sessions with the lock held, however many expired.  Hooks are called
without it: they may use the cache.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from copy import deepcopy
from enum import Flag
from math import inf
from os import getpid
from threading import Lock
from typing import Any, Final

from attrs import evolve

from sansticket.errors import ConfigError
from sansticket.inputs import check_kind
from sansticket.locks import over_forks
from sansticket.tickets.session import Session
from sansticket.tickets.stores.claims import BATCH, Claims, expires_at_ms
from sansticket.tickets.stores.expiry import Entry, Expiry
from sansticket.tickets.stores.spent import SpentSession
from sansticket.values import Shared, frozen

DEFAULT_SIZE: Final = 20_480
"""SSL_SESSION_CACHE_MAX_SIZE_DEFAULT: 1024 * 20 sessions."""

AUTO_CLEAR_EVERY: Final = 255
"""After how many sessions that come, new or from an external store, those that expired are removed; libssl counts
connections, up to the same."""

NewHook = Callable[[Session], bool | None]
RemoveHook = Callable[[Session], None]
GetHook = Callable[[bytes], Session | None]


class CacheMode(Flag):
    """SSL_CTX_set_session_cache_mode(3).  The values are those of SSL_SESS_CACHE_*.

    OFF has no bit, BOTH those of CLIENT and SERVER, NO_INTERNAL those of NO_INTERNAL_LOOKUP and NO_INTERNAL_STORE.
    """

    OFF = 0
    """New sessions are not kept and the ``on_new`` hook is not called.  Look-ups still take place."""

    CLIENT = 1
    """Of no meaning to a server's cache: the same as OFF."""

    SERVER = 2
    """New sessions are kept, and the ``on_new`` hook is asked."""

    BOTH = 3
    """The same as SERVER."""

    NO_AUTO_CLEAR = 0x080
    """Do not look for expired sessions with every 255th that comes: ``flush`` is called by the application."""

    NO_INTERNAL_LOOKUP = 0x100
    """Always ask the ``on_get`` hook, even for what is kept here."""

    NO_INTERNAL_STORE = 0x200
    """Keep nothing here: only the hooks."""

    NO_INTERNAL = 0x300
    """NO_INTERNAL_LOOKUP and NO_INTERNAL_STORE."""


@frozen
class _Kept:
    session: Session

    order: int
    """How many came before it."""

    external: bool
    """It came from an external store, which may still have it."""


class SessionCache(Shared):
    """Sessions by ``session_id``.  Safe to be used by many threads.

    ``size``: how many sessions it holds; 0 is no limit, as in SSL_CTX_sess_set_cache_size(3).  A size that is
    made smaller takes effect with the next sessions that come: each removes ``BATCH`` at most.
    ``mode``, ``on_new``, ``on_remove`` and ``on_get`` can be read and set too.

    An exception of a hook reaches whoever called the cache, which is in order by then: a session that was
    removed is gone, and all other hooks that were due have been called.
    """

    def __init__(
        self,
        size: int = DEFAULT_SIZE,
        *,
        mode: CacheMode = CacheMode.SERVER,
        on_new: NewHook | None = None,
        on_remove: RemoveHook | None = None,
        on_get: GetHook | None = None,
        remembered_claims: int = DEFAULT_SIZE,
    ) -> None:
        """``remembered_claims``: how many ids of claimed sessions are remembered, at least 1."""
        check_kind("size", size, int, "a number")
        check_kind("mode", mode, CacheMode, "a CacheMode")
        check_kind("remembered_claims", remembered_claims, int, "a number")
        for name, hook in (("on_new", on_new), ("on_remove", on_remove), ("on_get", on_get)):
            if hook is not None and not callable(hook):
                raise ConfigError(name, f"a value of type {type(hook).__name__}; expected a function or None")
        if size < 0:
            raise ConfigError("size", "must be 0 (no limit) or more")
        if remembered_claims < 1:
            raise ConfigError("remembered_claims", "must be 1 or more")
        self.size = size
        self.mode = mode
        self.on_new = on_new
        self.on_remove = on_remove
        self.on_get = on_get
        self._kept: OrderedDict[bytes, _Kept] = OrderedDict()  # the least recently used first
        self._expiry = Expiry()  # some of its sessions may be gone
        self._claims = Claims(remembered_claims)
        self._came = 0  # how many sessions came, that is the order of the next
        self._process = getpid()
        self._here_since = 0  # the order of the first that came in this process
        self._lock = over_forks(Lock())

    def __getstate__(self) -> dict[str, Any]:
        """All of it; but what can be claimed here cannot be claimed there, as if it were from an external store."""
        with self._lock:
            state = {name: value for name, value in self.__dict__.items() if name != "_lock"}
            # Copies, so that nothing changes while they are pickled.
            state["_kept"] = OrderedDict(
                (name, evolve(kept, external=True)) for name, kept in self._kept.items()
            )
            state["_expiry"] = deepcopy(self._expiry)
            state["_claims"] = self._claims.for_a_copy()
            return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._process = getpid()
        self._lock = over_forks(Lock())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} of {self.size or 'any number'}, {self.mode})"

    def __len__(self) -> int:
        return len(self._kept)

    def __contains__(self, session_id: object) -> bool:
        """Whether the session is kept here.  Asks no hook and is no use of it."""
        return session_id in self._kept

    # Sessions come

    def add(self, session: Session, now: float) -> bool:
        """Put a session in by hand, whatever the mode is (SSL_CTX_add_session(3)).  False if it was there already.

        The ``on_new`` hook is not called: whoever adds it knows of it.  A session with the same id is replaced; that
        is no removal.  ValueError for a session without a session id.
        """
        self._check(session)
        with self._lock:
            known = session.session_id in self._kept
            removed = self._cleared(now)
            removed += self._keep(_Kept(session, self._came - 1, external=False), now)
        self._tell(removed)
        return not known

    def keep(self, session: Session, now: float) -> bool:
        """A new session of a connection.  False if it is not kept: the mode is OFF, or ``on_new`` returned False.

        A session with the same id is replaced; that is no removal.  ValueError for a session without a session id.
        """
        self._check(session)
        if CacheMode.SERVER not in self.mode:
            return False
        stores = CacheMode.NO_INTERNAL_STORE not in self.mode
        with self._lock:
            removed = self._cleared(now)
            order = self._came - 1
            if stores:
                removed += self._make_room(session, now)
        self._tell(removed)
        if self.on_new is not None and self.on_new(session) is False:
            return False
        if stores:
            with self._lock:
                removed = self._keep(_Kept(session, order, external=False), now)
            self._tell(removed)
        return True

    def admit(self, session: Session, now: float) -> bool:
        """A session that an external store gave.  False if it was claimed before, or has expired.

        It is kept here from now on, unless the mode is NO_INTERNAL_STORE.  ``on_new`` is not called.
        """
        removed = []
        with self._lock:
            if session.session_id in self._claims.ids:
                return False
            expired = session.expired(now)
            if expired:
                self._kept.pop(session.session_id, None)
                removed = [session]
            elif session.session_id in self._kept:
                self._kept.move_to_end(session.session_id)
            elif CacheMode.NO_INTERNAL_STORE not in self.mode:
                removed = self._cleared(now)
                removed += self._keep(_Kept(session, self._came - 1, external=True), now)
        self._tell(removed)
        return not expired

    # Sessions are looked up

    def get(self, session_id: bytes, now: float) -> Session | None:
        """The session with this id, if there is one and it has not expired.  It stays."""
        if CacheMode.NO_INTERNAL_LOOKUP not in self.mode:
            with self._lock:
                kept = self._kept.get(session_id)
                expired = kept is not None and kept.session.expired(now)
                if expired:
                    del self._kept[session_id]
                elif kept is not None:
                    self._kept.move_to_end(session_id)
            if kept is not None:
                self._tell([kept.session] if expired else [])
                return None if expired else kept.session
        session = self.on_get(session_id) if self.on_get is not None else None
        if session is None or session.session_id != session_id or not self.admit(session, now):
            return None
        return session

    def claim(self, session: Session, now: float, *, taken: bool = False) -> bool:
        """Use ``session`` up.  True for one caller only, and never if it has expired.

        ``session`` is what ``get`` or an external store gave.  It is removed, here and by the hook there.

        ``taken``: the external store has given it to this caller alone, and removed it.  Then only an id that is
        remembered is refused, and the hook is not called for the store's sake.

        In a process that was forked nothing can be claimed but what came to the cache there, or was ``taken``: the
        other process claims the rest.
        """
        with self._lock:
            self._know_process()
            kept = self._kept.pop(session.session_id, None)
            trusted = taken or (kept is not None and not kept.external and kept.order >= self._here_since)
            claimed = not session.expired(now) and self._claims.record(session, now, trusted=trusted)
        self._tell([session] if kept is not None or (claimed and not taken) else [])
        return claimed

    def was_claimed(self, session_id: bytes, now: float | None = None) -> bool:
        """Whether the session with this id is known to be used up: somebody presents it a second time.

        With ``now`` those are forgotten first that would have expired by then.
        """
        with self._lock:
            if now is not None:
                self._claims.forget_expired(now)
            return session_id in self._claims.ids

    def note_use(self, spent: SpentSession) -> None:
        """Who has used a session up that was claimed here, and how to know it again.  Of one that is not known to be
        claimed nothing is kept; and of each no more than the first that is said."""
        data = spent.to_bytes()
        with self._lock:
            if self._claims.ids.get(spent.session_id) == b"":
                self._claims.ids[spent.session_id] = data

    def spent(self, session_id: bytes) -> SpentSession | None:
        """What was noted of a session that is known to be used up; None where nothing was, or it is forgotten."""
        with self._lock:
            data = self._claims.ids.get(session_id)
        return SpentSession.from_bytes(data) if data else None

    def take(self, session_id: bytes, now: float) -> Session | None:
        """``get`` and ``claim``: the session, for one caller only."""
        session = self.get(session_id, now)
        return session if session is not None and self.claim(session, now) else None

    # Sessions go

    def remove(self, session: Session) -> bool:
        """Remove a session whose connection failed or was not closed cleanly.  False if it is not kept here.

        The hook is called all the same when nothing is kept here: then only the external store has it.  Not for one
        that was claimed here: it was removed then.
        """
        with self._lock:
            held = self._kept.pop(session.session_id, None) is not None
            outside = CacheMode.NO_INTERNAL_STORE in self.mode and session.session_id not in self._claims.ids
        self._tell([session] if held or outside else [])
        return held

    def flush(self, now: float) -> int:
        """Remove all that have expired, the earliest first; how many.  SSL_CTX_flush_sessions(3).

        Others get at the cache in between.
        """
        count = 0
        failed: Exception | None = None
        while True:
            with self._lock:
                removed = self._expired(now)
                more = self._expiry.is_due(round(now * 1000))
            try:
                self._tell(removed)
            except Exception as error:
                failed = failed or error
            count += len(removed)
            if not more:
                break
        if failed is not None:
            raise failed
        return count

    def clear(self) -> int:
        """Remove all, the oldest first; how many.  What was claimed stays claimed."""
        with self._lock:
            removed = [kept.session for kept in sorted(self._kept.values(), key=lambda kept: kept.order)]
            self._kept.clear()
            self._expiry.clear()
        self._tell(removed)
        return len(removed)

    # Called with the lock held

    def _know_process(self) -> None:
        """After a fork, what came before it is the other's to claim."""
        if self._process != getpid():
            self._process = getpid()
            self._here_since = self._came
            self._claims.forgotten_until = inf

    def _next(self) -> int:
        self._know_process()
        self._came += 1
        return self._came - 1

    def _cleared(self, now: float) -> list[Session]:
        """A session comes: with every 255th, what has expired goes."""
        clears = self._next() % AUTO_CLEAR_EVERY == AUTO_CLEAR_EVERY - 1
        return self._expired(now) if clears and CacheMode.NO_AUTO_CLEAR not in self.mode else []

    def _keep(self, kept: _Kept, now: float) -> list[Session]:
        """Put it in; what had to go for it."""
        session = kept.session
        removed = self._make_room(session, now)
        self._kept[session.session_id] = kept
        self._kept.move_to_end(session.session_id)
        entry = (expires_at_ms(session), kept.order, session.session_id)
        self._expiry.add(entry, len(self._kept), self._is_kept)
        return removed

    def _make_room(self, session: Session, now: float) -> list[Session]:
        """Remove what has to go so that ``session`` can be put in."""
        if not self.size or session.session_id in self._kept or len(self._kept) < self.size:
            return []
        removed = self._expired(now)
        while len(self._kept) >= self.size and len(removed) < BATCH:
            removed.append(self._kept.popitem(last=False)[1].session)
        return removed

    def _expired(self, now: float) -> list[Session]:
        """Remove what has expired, the earliest first, as long as it is no more than ``BATCH``."""
        removed: list[Session] = []
        for _ in range(BATCH):
            entry = self._expiry.due(round(now * 1000))
            if entry is None:
                break
            if self._is_kept(entry):
                removed.append(self._kept.pop(entry[2]).session)
        return removed

    def _is_kept(self, entry: Entry) -> bool:
        kept = self._kept.get(entry[2])
        return kept is not None and kept.order == entry[1]

    # Called without it

    def _check(self, session: Session) -> None:
        if not session.session_id:
            raise ValueError("a session without a session id cannot be looked up")

    def _tell(self, removed: Iterable[Session]) -> None:
        """Call the ``on_remove`` hook for each, even if it raises for one of them."""
        if self.on_remove is None:
            return
        with ExitStack() as hooks:
            for session in reversed(list(removed)):
                hooks.callback(self.on_remove, session)
