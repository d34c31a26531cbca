"""Sessions in Redis, where all servers of a fleet find them; and ClientHellos, so that early data is accepted once.

    store = RedisStore(Redis.from_url(url), keys)
    config = ServerConfig(credentials=[credential], **store.settings())
    server = await start_server(serve, host, port, config, hooks=store.hooks)

Tickets are ids then.  A session is written before its client can have the ticket, looked up when the ticket comes
back, and deleted when its connection fails.  In TLS 1.3 each is used once: when the client has proved that the
session is its own, a script claims it, and whoever shows the ticket, to whichever server and how many at a time,
one connection resumes and gets a new ticket.  What is left of the session stays in its place until it would have
expired: whichever server sees the ticket again knows who was the first (``TicketReused``).  In TLS 1.2 a session keeps
its id, and is looked up as often as its client comes.

What Redis knows: hashes of the ids, and sessions, or what is left of them, sealed with ``keys``, the ticket keys that
the fleet shares (``WindowedTicketKeys``).  Whoever reads its memory can neither resume a session nor decrypt a
connection.

What happens without it: every operation has ``timeout`` seconds.  A look-up or a claim that fails is a full
handshake, and the last that is tried in it; a session that could not be written is a full handshake later.
Nothing waits longer, and nothing is used twice: a claim whose answer was lost has used the session up.

It needs the client ``redis`` (``pip install "sansticket-wrappers[redis]"``), and a Redis of version 6.2 or newer
that does not persist (``save ""``, ``appendonly no``): one that does brings back, when it is restarted, what was
taken.

``RedisRecorder`` is the other thing: which ClientHellos had early data accepted, by whichever server.

    recorder = RedisRecorder(Redis.from_url(url))
    config = ServerConfig(credentials=[credential], max_early_data=16_384, answers={ClaimEarlyData: ASK})
    server = await start_server(serve, host, port, config, answers={ClaimEarlyData: recorder.answer})

``RedisRevocations`` lets servers hear of each other's revocations, while a task runs it:

    channel = RedisRevocations(Redis.from_url(url), revocations)
    listening = asyncio.create_task(channel.run())
    await channel.publish(revocations.revoke_subject(b"alice", time.time()))
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from hashlib import sha256
from typing import Any, Final, TypeVar

from attrs import define
from redis.asyncio import Redis
from redis.exceptions import RedisError

from sansticket import (
    ASK,
    CacheMode,
    ClaimEarlyData,
    ClaimSession,
    EarlyDataClaimed,
    EarlyDataNotClaimed,
    Event,
    LookUpSession,
    ProvideSession,
    RevocationFormatError,
    Revocations,
    Session,
    SessionCache,
    SessionClaimed,
    SessionFormatError,
    SessionNotClaimed,
    SpentSession,
    TicketIssued,
    TicketKeys,
)
from sansticket_wrappers.asyncio import Hooks
from sansticket_wrappers.undecoded import undecoded

__all__ = ["RedisRecorder", "RedisRevocations", "RedisStore"]

T = TypeVar("T")

log = logging.getLogger(__name__)

WINDOW: Final = 60.0
"""Seconds for which a ClientHello is remembered: 20 in which it is fresh, and 40 by which clocks may differ."""

NAME: Final = 16
HEAD: Final = 11
ENTRY: Final = 22
"""Bytes in the written form of ``Revocations``: of a name, before the first entry, and of an entry."""

ALWAYS: Final = (1 << 48) - 1
"""The latest time that it has, in milliseconds: one that never comes."""

FLOOR: Final = b"floor"
"""What stands beside the names, which are longer."""

INTERVAL: Final = 60.0
"""Seconds after which servers look whether they have missed something."""

TIMEOUT: Final = 0.25
"""Seconds that a handshake waits for Redis; on a network that works it takes a thousandth of that."""

USED: Final = b"used up:"
"""Before what is left of a session, which stays; a session that is sealed begins with the name of a key."""

USE_UP: Final = """
local kept = redis.call('GET', KEYS[1])
if kept and string.sub(kept, 1, #ARGV[1]) ~= ARGV[1] then
    redis.call('SET', KEYS[1], ARGV[1] .. ARGV[2], 'KEEPTTL')
end
return kept
"""
"""What was there; a session is replaced by what is left of it, and goes when that would have gone.  It is one step: of
all who ask one gets the session, and the others what the first has left."""

REMOVE: Final = """
local kept = redis.call('GET', KEYS[1])
if kept and string.sub(kept, 1, #ARGV[1]) ~= ARGV[1] then redis.call('DEL', KEYS[1]) end"""

FAILURES: Final = (OSError, RedisError)
"""Redis is not to be had; TimeoutError is an OSError."""


class RedisStore:
    """A ``sansticket.testing.SessionStore``, and a ``ClaimingStore``; those operations raise OSError, TimeoutError and
    RedisError."""

    def __init__(
        self,
        redis: Redis,
        keys: TicketKeys,
        *,
        timeout: float = TIMEOUT,
        prefix: bytes = b"session:",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._redis = undecoded(redis)
        self._use_up = redis.register_script(USE_UP)
        self._remove = redis.register_script(REMOVE)
        self._keys = keys
        self._timeout = timeout
        self._prefix = prefix
        self._clock = clock
        self._removals: set[asyncio.Task[None]] = set()

    # --- for a server

    def settings(self) -> dict[str, Any]:
        """What a ``ServerConfig`` has to say for this.  The cache keeps nothing; it tells what is to be removed."""
        return {
            "ticket_keys": None,
            "answers": {LookUpSession: ASK, ClaimSession: ASK},
            "single_use_tickets": True,
            "session_cache": SessionCache(
                mode=CacheMode.SERVER | CacheMode.NO_INTERNAL, on_remove=self._remove_soon
            ),
        }

    def hooks(self) -> Hooks:
        """For one connection."""
        answers = Answers(self)
        return Hooks({LookUpSession: answers.look_up, ClaimSession: answers.claim}, self.observe)

    async def observe(self, happened: Sequence[Event]) -> None:
        """New sessions are there before their clients can come back with them."""
        new = [event.session for event in happened if isinstance(event, TicketIssued)]
        if new:
            await self._try("write", self._put_all(new))

    def _remove_soon(self, session: Session) -> None:
        """The hook of the cache cannot wait."""
        removal = asyncio.get_running_loop().create_task(
            self._try("removal", self.remove(session.session_id))
        )
        self._removals.add(removal)
        removal.add_done_callback(self._removals.discard)

    async def _try(self, what: str, operation: Awaitable[None]) -> None:
        try:
            await operation
        except FAILURES as error:
            log.warning("session %s failed: %r", what, error)

    # --- the store

    async def put(self, session: Session) -> None:
        await self._put_all([session])

    async def get(self, session_id: bytes) -> Session | None:
        found = await self.find(session_id)
        return found if isinstance(found, Session) else None

    async def find(self, session_id: bytes) -> Session | SpentSession | None:
        return self._opened(session_id, await self._bounded(self._redis.get(self._name(session_id))))

    async def take(self, session_id: bytes) -> Session | None:
        found = self._opened(session_id, await self._bounded(self._redis.getdel(self._name(session_id))))
        return found if isinstance(found, Session) else None

    async def claim(self, spent: SpentSession) -> Session | SpentSession | None:
        left = self._keys.seal(spent.to_bytes(), self._clock(), os.urandom)
        operation = self._use_up(keys=[self._name(spent.session_id)], args=[USED, left])
        return self._opened(spent.session_id, await self._bounded(operation))

    async def remove(self, session_id: bytes) -> None:
        await self._bounded(self._remove(keys=[self._name(session_id)], args=[USED]))

    async def _put_all(self, sessions: Sequence[Session]) -> None:
        """In one round trip.  Redis forgets each when its lifetime is over."""
        now = self._clock()
        async with self._redis.pipeline(transaction=False) as pipeline:
            for session in sessions:
                left = round((session.issued_at + session.lifetime - now) * 1000)
                if left > 0:
                    sealed = self._keys.seal(session.to_bytes(), now, os.urandom)
                    pipeline.set(self._name(session.session_id), sealed, px=left)
            await self._bounded(pipeline.execute())

    async def _bounded(self, operation: Awaitable[T]) -> T:
        async with asyncio.timeout(self._timeout):
            return await operation

    def _name(self, session_id: bytes) -> bytes:
        return self._prefix + sha256(session_id).digest()

    def _opened(self, session_id: bytes, kept: Any) -> Session | SpentSession | None:
        """The session, unless it is too old, or what is left of it; None for what is not ours."""
        if not isinstance(kept, bytes):
            return None
        opened = self._keys.open(kept.removeprefix(USED), self._clock())
        if opened.plaintext is None:
            return None
        kind = SpentSession if kept.startswith(USED) else Session
        try:
            found: Session | SpentSession = kind.from_bytes(opened.plaintext)
        except SessionFormatError:
            return None
        over = isinstance(found, Session) and found.expired(self._clock())
        return found if found.session_id == session_id and not over else None


@define
class Answers:
    """To the questions of one connection.  After one that failed nothing is asked: a client may show many tickets."""

    store: RedisStore
    failed: bool = False

    async def look_up(self, question: LookUpSession) -> ProvideSession:
        return ProvideSession(await self._ask("look-up", self.store.find, question.session_id))

    async def claim(self, question: ClaimSession) -> SessionClaimed | SessionNotClaimed:
        found = await self._ask("claim", self.store.claim, question.spent)
        if isinstance(found, SpentSession):
            return SessionNotClaimed(found)
        return SessionClaimed() if found == question.session else SessionNotClaimed()

    async def _ask(
        self, what: str, operation: Callable[[T], Awaitable[Session | SpentSession | None]], argument: T
    ) -> Session | SpentSession | None:
        try:
            return None if self.failed else await operation(argument)
        except FAILURES as error:
            log.warning("session %s failed: %r", what, error)
            self.failed = True
            return None


CLAIM: Final = """
local life = redis.call('INFO', 'server'):match('run_id:(%w+)')
    .. redis.call('INFO', 'stats'):match('evicted_keys:(%d+)')
if redis.call('GET', KEYS[2]) ~= life then
    redis.call('SET', KEYS[2], life)
    redis.call('SET', KEYS[3], 1, 'PX', ARGV[1])
end
if redis.call('EXISTS', KEYS[3]) == 1 then
    return 0
end
return redis.call('SET', KEYS[1], 1, 'NX', 'PX', ARGV[1]) and 1 or 0
"""
"""SET NX PX, unless Redis may have forgotten something: it was restarted or emptied, another took its place, or it has
evicted keys.  Then nothing is claimed until a window has passed.  One script is one step, whoever else calls it."""


class RedisRecorder:
    """A ``sansticket.testing.Recorder``: which ClientHellos had early data accepted, for a fleet that shares a Redis.

    ``window``: seconds for which each is remembered, the same on all servers: both parts of ``early_data_window``, and
    by how much the clocks of two servers may differ, or that of one be set back.

    ``timeout``: seconds that a handshake waits for Redis.  ``prefix``: of the names in it.  Each claim is one round
    trip and one key of about 100 bytes.

    ``claim`` never raises for what Redis does: False is the answer where there is none.
    """

    def __init__(
        self,
        redis: Redis,
        *,
        window: float = WINDOW,
        timeout: float = TIMEOUT,
        prefix: bytes = b"{early-data}:",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._claim = redis.register_script(CLAIM)
        self._window = window
        self._timeout = timeout
        self._prefix = prefix
        self._clock = clock

    async def claim(self, key: bytes, until: float) -> bool:
        """True for one caller only, on whichever server; False for all others, and where Redis cannot tell."""
        if until - self._clock() > self._window:
            log.warning(
                "early data refused: to be remembered for longer than the %s s of the window", self._window
            )
            return False
        names = [self._prefix + name for name in (sha256(key).digest(), b"known since", b"not yet")]
        try:
            async with asyncio.timeout(self._timeout):
                claimed = await self._claim(keys=names, args=[round(self._window * 1000)])
        except FAILURES as error:
            log.warning("early data refused: %r", error)
            return False
        return bool(claimed == 1)

    async def answer(self, question: ClaimEarlyData) -> EarlyDataClaimed | EarlyDataNotClaimed:
        """For ``answers`` of a server."""
        if await self.claim(question.key, question.until):
            return EarlyDataClaimed()
        return EarlyDataNotClaimed("seen before, or Redis cannot tell")


class RedisRevocations:
    """What one server revokes the others hear at once; and who was away, or comes anew, catches up.

    A sorted set holds all that is revoked, each name with its time, and a channel of the same name carries what is new.
    Redis needs no memory of its own for this to be right: each server brings back what it finds missing, so one that
    lost everything has all of it again within ``interval`` seconds.

    ``heard``: called without arguments after something came from Redis, to have a look at open connections.  What it
    raises is logged.
    ``timeout``: seconds for a look-up or an announcement.  ``interval``: seconds between two looks at all of it, and at
    most until the next attempt where Redis is not to be had.  ``name``: of the sorted set and the channel.

    Whoever can write to this Redis can revoke, and nobody can take back by it what was revoked.
    """

    def __init__(
        self,
        redis: Redis,
        revocations: Revocations,
        *,
        heard: Callable[[], None] | None = None,
        timeout: float = TIMEOUT,
        interval: float = INTERVAL,
        name: bytes = b"revocations",
    ) -> None:
        self._redis = undecoded(redis)
        self._revocations = revocations
        self._heard = heard
        self._timeout = timeout
        self._interval = interval
        self._name = name

    async def publish(self, new: Revocations) -> bool:
        """Tell the others.  False where Redis was not to be had: they hear with the next look of ``run``."""
        data = new.to_bytes()
        times = _times_in(data)
        floor = times.pop(FLOOR)
        try:
            async with asyncio.timeout(self._timeout), self._redis.pipeline() as pipeline:
                if floor:
                    pipeline.zremrangebyscore(self._name, "-inf", floor)
                    times[FLOOR] = floor
                if times:
                    pipeline.zadd(self._name, times, gt=True)
                pipeline.publish(self._name, data)
                await pipeline.execute()
        except FAILURES as error:
            log.warning("revocations were not announced: %r", error)
            return False
        return True

    async def run(self) -> None:
        """Listen, until the task is cancelled.  What is wrong with Redis is logged, and tried again."""
        while True:
            try:
                async with self._redis.pubsub() as channel:
                    await channel.subscribe(self._name)
                    while True:
                        await self._take(await channel.get_message(timeout=self._interval))
            except FAILURES as error:
                log.warning("no revocations are heard: %r", error)
            await asyncio.sleep(min(1.0, self._interval))

    async def _take(self, message: Any) -> None:
        """One that says that we are subscribed, once more perhaps, is when something may have been missed."""
        if message is None or message["type"] == "subscribe":
            await self.catch_up()
        elif message["type"] == "message":
            self._merge(message["data"], self._revocations.max_entries)

    async def catch_up(self) -> None:
        """Merge all that Redis knows, and tell it what it does not.  OSError, TimeoutError and RedisError."""
        async with asyncio.timeout(max(self._timeout, self._interval)):
            found: Any = await self._redis.zrange(self._name, 0, -1, withscores=True)
        known = {name: _time_of(score) for name, score in found}
        if known:
            self._merge(_written(known), len(known))
        ours = _times_in(self._revocations.to_bytes())
        missing = {name: time for name, time in ours.items() if time > known.get(name, 0)}
        if missing:
            await self.publish(Revocations.from_bytes(_written(missing), max_entries=len(ours)))

    def _merge(self, data: Any, max_entries: int) -> None:
        try:
            self._revocations.merge(Revocations.from_bytes(data, max_entries=max_entries))
        except RevocationFormatError as error:
            log.warning("what was published is no list of revocations: %s", error)
            return
        if self._heard is not None:
            try:
                self._heard()
            except Exception:  # whoever does not listen any more hears of no ban
                log.exception("heard failed")


def _time_of(score: float) -> int:
    """In milliseconds; others may have written an infinity, or what is no time."""
    return int(min(max(score, 0.0), float(ALWAYS)))


def _times_in(data: bytes) -> dict[bytes, int]:
    """The floor, and what is above it, in milliseconds."""
    entries = [data[start : start + ENTRY] for start in range(HEAD, len(data), ENTRY)]
    times = {entry[:NAME]: int.from_bytes(entry[NAME:]) for entry in entries}
    return {FLOOR: int.from_bytes(data[1:7]), **times}


def _written(times: dict[bytes, int]) -> bytes:
    """The written form of the same; names that have sunk below the floor are left out."""
    floor = times.get(FLOOR, 0)
    entries = [
        name + time.to_bytes(ENTRY - NAME)
        for name, time in sorted(times.items())
        if len(name) == NAME and time > floor
    ]
    return b"\1" + floor.to_bytes(6) + len(entries).to_bytes(4) + b"".join(entries)
