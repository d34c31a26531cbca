"""Sessions in Redis, where all servers of a fleet find them; and ClientHellos, so that early data is accepted once.

    store = RedisStore(Redis.from_url(url), keys)
    config = ServerConfig(credentials=[credential], **store.settings())
    server = await start_server(serve, host, port, config, hooks=store.hooks)

Tickets are ids then.  A session is written before its client can have the ticket, looked up when the ticket comes
back, and deleted when its connection fails.  In TLS 1.3 each is used once: when the client has proved that the
session is its own, a GETDEL claims it, and whoever shows the ticket, to whichever server and how many at a time,
one connection resumes and gets a new ticket.  In TLS 1.2 a session keeps its id, and is looked up as often as its
client comes.

What Redis knows: hashes of the ids, and sessions sealed with ``keys``, the ticket keys that the fleet shares
(``WindowedTicketKeys``).  Whoever reads its memory can neither resume a session nor decrypt a connection.

What happens without it: every operation has ``timeout`` seconds.  A look-up or a claim that fails is a full
handshake, and the last that is tried in it; a session that could not be written is a full handshake later.
Nothing waits longer, and nothing is used twice: a GETDEL whose answer was lost has used the session up.

It needs the client ``redis`` (``pip install "sansticket-wrappers[redis]"``), and a Redis of version 6.2 or newer
that does not persist (``save ""``, ``appendonly no``): one that does brings back, when it is restarted, what was
taken.

``RedisRecorder`` is the other thing: which ClientHellos had early data accepted, by whichever server.

    recorder = RedisRecorder(Redis.from_url(url))
    config = ServerConfig(credentials=[credential], max_early_data=16_384, answers={ClaimEarlyData: ASK})
    server = await start_server(serve, host, port, config, answers={ClaimEarlyData: recorder.answer})
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
    Session,
    SessionCache,
    SessionClaimed,
    SessionFormatError,
    SessionNotClaimed,
    TicketIssued,
    TicketKeys,
)
from sansticket_wrappers.asyncio import Hooks

T = TypeVar("T")

log = logging.getLogger(__name__)

WINDOW: Final = 60.0
"""Seconds for which a ClientHello is remembered: 20 in which it is fresh, and 40 by which clocks may differ."""

TIMEOUT: Final = 0.25
"""Seconds that a handshake waits for Redis; on a network that works it takes a thousandth of that."""


FAILURES: Final = (OSError, RedisError)
"""Redis is not to be had; TimeoutError is an OSError."""


class RedisStore:
    """A ``sansticket.testing.SessionStore``; those four operations raise OSError, TimeoutError and RedisError."""

    def __init__(
        self,
        redis: Redis,
        keys: TicketKeys,
        *,
        timeout: float = TIMEOUT,
        prefix: bytes = b"session:",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._redis = redis
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
        return self._opened(session_id, await self._bounded(self._redis.get(self._name(session_id))))

    async def take(self, session_id: bytes) -> Session | None:
        return self._opened(session_id, await self._bounded(self._redis.getdel(self._name(session_id))))

    async def remove(self, session_id: bytes) -> None:
        await self._bounded(self._redis.delete(self._name(session_id)))

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

    def _opened(self, session_id: bytes, sealed: bytes | str | None) -> Session | None:
        """The session, unless it is too old, or not ours."""
        if not isinstance(sealed, bytes):
            return None
        opened = self._keys.open(sealed, self._clock())
        if opened.plaintext is None:
            return None
        try:
            session = Session.from_bytes(opened.plaintext)
        except SessionFormatError:
            return None
        fits = session.session_id == session_id and not session.expired(self._clock())
        return session if fits else None


@define
class Answers:
    """To the questions of one connection.  After one that failed nothing is asked: a client may show many tickets."""

    store: RedisStore
    failed: bool = False

    async def look_up(self, question: LookUpSession) -> ProvideSession:
        return ProvideSession(await self._ask("look-up", self.store.get, question.session_id))

    async def claim(self, question: ClaimSession) -> SessionClaimed | SessionNotClaimed:
        taken = await self._ask("claim", self.store.take, question.session.session_id)
        return SessionClaimed() if taken == question.session else SessionNotClaimed()

    async def _ask(
        self, what: str, operation: Callable[[bytes], Awaitable[Session | None]], session_id: bytes
    ) -> Session | None:
        try:
            return None if self.failed else await operation(session_id)
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
