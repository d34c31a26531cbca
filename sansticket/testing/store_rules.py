"""Is a session store fit for single-use tickets?  Rules to be tried on your own.

A store that several servers share decides alone whether a ticket is resumed once or twice, so its four
operations must mean exactly what ``SessionStore`` says, also when many call them at the same time.  ``RULES``
says it in small experiments.  With pytest, for a store of an event loop:

    @pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
    def test_my_store(rule):
        asyncio.run(rule.check(MyStore(), now=time.time, sleep=asyncio.sleep, gather=asyncio.gather))

and for one that blocks, which the rules call from several threads:

        rule.check_blocking(MyStore(), now=time.time, sleep=time.sleep)

Give it the store several times over, ``rule.check(mine, another, ...)``, as that many servers would have it, each
with a connection and a memory of its own: what is kept apart by a lock in one process is not kept apart in a fleet.

``CLAIM_RULES`` are for a store that says who has used a session up.

A store that breaks a rule raises ``BrokenRule``, an AssertionError that says what was expected, what happened,
and why it matters.  ``now`` is the store's clock, in seconds since the epoch, and ``sleep`` lets that many
seconds pass on it: for a store whose clock is handed in it can do so at once, and nothing has to be waited for.

The experiments use random ids and remove nothing but their own: the store may hold other sessions.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from hashlib import sha256
from typing import Any, ClassVar, Final, Protocol

from attrs import evolve

from sansticket.codes import CipherSuite, ProtocolVersion
from sansticket.testing.experiments import (
    BRIEF,
    CALLERS,
    ROUNDS,
    BrokenRule,
    Experiment,
    random,
)
from sansticket.tickets.session import Session
from sansticket.values import frozen


class SessionStore(Protocol):
    """Sessions by their ``session_id``, where other servers find them too, asynchronously."""

    async def put(self, session: Session) -> None:
        """Keep the session until its lifetime is over; it takes the place of one with the same id."""

    async def get(self, session_id: bytes) -> Session | None:
        """The session with this id, which stays."""

    async def take(self, session_id: bytes) -> Session | None:
        """The session with this id, which is gone then: of all who ask, one gets it."""

    async def remove(self, session_id: bytes) -> None:
        """Forget the session with this id, if there is one."""


class BlockingSessionStore(Protocol):
    """``SessionStore`` for threads: its methods return when it is done."""

    def put(self, session: Session) -> None:
        """Keep a session under its ``session_id``, until it expires."""

    def get(self, session_id: bytes) -> Session | None:
        """The session of that id, which stays; None if there is none or it has expired."""

    def take(self, session_id: bytes) -> Session | None:
        """The session of that id, to one caller only, whoever asks at the same time; it is gone then."""

    def remove(self, session_id: bytes) -> None:
        """Forget the session of that id; nothing happens if there is none."""


@frozen
class Trial:
    """What a rule works with.  ``stores`` are one and the same, each as another server has it."""

    stores: tuple[SessionStore, ...]
    now: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    gather: Callable[..., Awaitable[Sequence[Any]]]

    @property
    def store(self) -> SessionStore:
        return self.stores[0]

    def at(self, number: int) -> SessionStore:
        """Of that server, or of the only one."""
        return self.stores[number % len(self.stores)]

    async def found_by_all(self, wanted: Session | None, session_id: bytes) -> None:
        for store in self.stores:
            expect(wanted, await store.get(session_id))

    def session(self, **changes: Any) -> Session:
        """A session of TLS 1.3 that nobody has seen before."""
        return new_session(self.now(), **changes)

    async def kept(self, **changes: Any) -> Session:
        """Such a session after it was put in."""
        session = self.session(**changes)
        await self.store.put(session)
        return session


def new_session(now: float, **changes: Any) -> Session:
    """One of TLS 1.3, with an id and a secret that nobody has seen before."""
    session = Session(
        version=ProtocolVersion.TLS_1_3,
        cipher_suite=CipherSuite.AES_128_GCM_SHA256,
        secret=random(32),
        lifetime=7200,
        issued_at=now,
        session_id=random(32),
    )
    return evolve(session, **changes)


def value_of_type(value: object) -> str:
    """What a store gave that can be no answer; it may be a session all the same, in a form of the store's own."""
    return f"a value of type {type(value).__name__}"


def expect(wanted: Session | None, came: Session | None) -> None:
    """What a look-up must have given."""
    if came != wanted:
        raise BrokenRule(f"expected {_named(wanted)}, and there was {_named(came)}")


def _named(session: object) -> str:
    """Enough to tell two sessions apart, and no secret."""
    if session is None:
        return "no session"
    if not isinstance(session, Session):
        return value_of_type(session)
    return f"the session {session.session_id.hex()[:8]} ({sha256(session.to_bytes()).hexdigest()[:8]})"


@frozen
class _Unblocked:
    """A blocking store as an asynchronous one that never waits."""

    store: BlockingSessionStore

    async def put(self, session: Session) -> None:
        self.store.put(session)

    async def get(self, session_id: bytes) -> Session | None:
        return self.store.get(session_id)

    async def take(self, session_id: bytes) -> Session | None:
        return self.store.take(session_id)

    async def remove(self, session_id: bytes) -> None:
        self.store.remove(session_id)


class Rule(Experiment[SessionStore, BlockingSessionStore, Trial]):
    """Of a store.  ``name`` is short and unique, ``why`` is a sentence."""

    __slots__ = ()

    SUBJECT: ClassVar[str] = "store"
    OPERATION: ClassVar[str] = "get"
    TRIAL: ClassVar[Callable[..., Any]] = Trial
    UNBLOCKED: ClassVar[Callable[..., Any]] = _Unblocked


# --- the experiments -----------------------------------------------------------------------------------------


async def _keeps(trial: Trial) -> None:
    session = await trial.kept()
    await trial.found_by_all(session, session.session_id)
    await trial.found_by_all(session, session.session_id)


async def _keeps_every_byte(trial: Trial) -> None:
    session = await trial.kept(
        session_id=bytes(24) + random(8),
        secret=b"\0\r\n\xff" * 12,
        app_data=bytes(range(256)) * 40,
        server_name="xn--bcher-kva.example",
        session_id_context=bytes(32),
        peer_certificates=(b"\x30" * 2000, bytes(1000)),
        alpn=b"h2",
        age_add=0xFFFFFFFF,
    )
    expect(session, await trial.store.get(session.session_id))
    expect(session, await trial.store.take(session.session_id))


async def _knows_no_strangers(trial: Trial) -> None:
    """Ids come from clients, who may send what they like."""
    session, store = await trial.kept(session_id=bytes(1) + random(30) + b"*"), trial.store
    known = session.session_id
    for stranger in (random(32), known[:-1], known[:-1] + b"?", known + bytes(1), b"*", b"", bytes(65_535)):
        expect(None, await store.get(stranger))
        expect(None, await store.take(stranger))
        await store.remove(stranger)
    expect(session, await store.get(known))


async def _keeps_the_latest(trial: Trial) -> None:
    old = await trial.kept()
    await trial.found_by_all(old, old.session_id)
    new = await trial.kept(session_id=old.session_id)
    await trial.found_by_all(new, old.session_id)
    expect(new, await trial.at(1).take(old.session_id))
    await trial.found_by_all(None, old.session_id)


async def _takes_away(trial: Trial) -> None:
    """From those as well that have seen it."""
    session = await trial.kept()
    await trial.found_by_all(session, session.session_id)
    expect(session, await trial.at(1).take(session.session_id))
    for store in trial.stores:
        expect(None, await store.take(session.session_id))
    await trial.found_by_all(None, session.session_id)


async def _gives_to_one(trial: Trial) -> None:
    for _ in range(ROUNDS):
        session = await trial.kept()
        takes = [trial.at(number).take(session.session_id) for number in range(CALLERS)]
        takers = [found for found in await trial.gather(*takes) if found is not None]
        if len(takers) != 1:
            raise BrokenRule(f"expected one of {CALLERS} callers to get the session, and {len(takers)} did")
        expect(session, takers[0])
        await trial.found_by_all(None, session.session_id)


async def _takes_or_removes(trial: Trial) -> None:
    for number in range(ROUNDS):
        session = await trial.kept()
        both = [trial.at(0).take(session.session_id), trial.at(1).remove(session.session_id)]
        await trial.gather(*(both if number % 2 else reversed(both)))  # who comes last is often the first
        await trial.found_by_all(None, session.session_id)
        expect(None, await trial.store.take(session.session_id))


async def _keeps_callers_apart(trial: Trial) -> None:
    async def bring_and_take(number: int, session: Session) -> Session | None:
        await trial.at(number).put(session)
        return await trial.at(number + 1).take(session.session_id)

    for _ in range(ROUNDS):
        sessions = [trial.session() for _ in range(CALLERS)]
        found = await trial.gather(*[bring_and_take(*numbered) for numbered in enumerate(sessions)])
        for session, came in zip(sessions, found, strict=True):
            expect(session, came)


async def _removes(trial: Trial) -> None:
    session, other = await trial.kept(), await trial.kept()
    await trial.found_by_all(session, session.session_id)
    await trial.at(1).remove(session.session_id)
    await trial.found_by_all(None, session.session_id)
    expect(None, await trial.store.take(session.session_id))
    expect(other, await trial.store.take(other.session_id))


async def _forgets_in_time(trial: Trial) -> None:
    """What counts is the age of a session, not when it was put in."""
    store = trial.store
    brief = await trial.kept(lifetime=BRIEF)
    aged = await trial.kept(issued_at=trial.now() - 1000, lifetime=1000 + BRIEF)
    lasting = await trial.kept()
    for session in (brief, aged):
        expect(session, await store.get(session.session_id))
    await trial.sleep(BRIEF + 0.5)
    for session in (brief, aged):
        expect(None, await store.get(session.session_id))
        expect(None, await store.take(session.session_id))
    expect(lasting, await store.get(lasting.session_id))


async def _refuses_what_is_over(trial: Trial) -> None:
    session = await trial.kept(issued_at=trial.now() - 1000, lifetime=1000)
    expect(None, await trial.store.get(session.session_id))
    expect(None, await trial.store.take(session.session_id))


ONCE: Final = "A ticket that two servers accept is a replay (RFC 9846 section 8.1)"

RULES: Final = (
    Rule("keeps", "A look-up alone must not use a session up: TLS 1.2 resumes it again and again", _keeps),
    Rule("keeps every byte", "A changed secret or name fails the handshake, or worse", _keeps_every_byte),
    Rule(
        "knows no strangers",
        "Whoever guesses a part of an id, or sends a pattern, must not get a session",
        _knows_no_strangers,
    ),
    Rule("keeps the latest", "The old secret of an id is of no use to its client", _keeps_the_latest),
    Rule("takes away", ONCE, _takes_away),
    Rule("gives to one", ONCE, _gives_to_one),
    Rule(
        "takes or removes",
        "What was removed because its connection failed must not come back",
        _takes_or_removes,
    ),
    Rule(
        "keeps callers apart",
        "A session of another client would authenticate the wrong one",
        _keeps_callers_apart,
    ),
    Rule("removes", "A session whose connection failed must not be resumed (RFC 9846 section 6.2)", _removes),
    Rule("forgets in time", "An expired session must not be resumed, and memory is finite", _forgets_in_time),
    Rule("refuses what is over", "An expired session must not be resumed", _refuses_what_is_over),
)
"""All of them, each independent of the others."""
