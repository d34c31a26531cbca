"""Does a store say who has used a session up?  Rules to be tried on your own, for one that does.

A store has to give each session to one of all who claim it: that is what ``RULES`` ask of ``take``.  It can do more,
and keep what is left of the session in its place (``sansticket.SpentSession``): then a ticket that is used a second
time is seen, at whichever server.  ``CLAIM_RULES`` are for such a store, in addition to ``RULES``, and tried in the
same way.

What it may answer a connection:

    LookUpSession  ProvideSession(session)     it was not used
                   ProvideSession(spent)       it was, and this is left of it
                   ProvideSession(None)        nothing is known of it
    ClaimSession   SessionClaimed()            this connection is the first, and ``question.spent`` is left of it now
                   SessionNotClaimed(spent)    another one was, and has left this
                   SessionNotClaimed()         nothing is known of it, or nobody can tell

So ``ProvideSession(await store.find(...))``, and for a claim whichever of the three is meant by
``await store.claim(question.spent)``.  A store that does not keep what is left says None where it would say ``spent``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, ClassVar, Final, Protocol

from attrs import evolve

from sansticket.testing.experiments import BRIEF, CALLERS, ROUNDS, BrokenRule, Experiment, random
from sansticket.testing.store_rules import ONCE, new_session, value_of_type
from sansticket.tickets.session import Session
from sansticket.tickets.stores.spent import SpentSession
from sansticket.tickets.stores.uses import TicketUse
from sansticket.values import frozen

Found = Session | SpentSession | None


class ClaimingStore(Protocol):
    """Sessions by their ``session_id``, and what is left of those that were used up, asynchronously."""

    async def put(self, session: Session) -> None:
        """Keep the session until its lifetime is over."""

    async def find(self, session_id: bytes) -> Session | SpentSession | None:
        """The session with this id, which stays, or what is left of it."""

    async def claim(self, spent: SpentSession) -> Session | SpentSession | None:
        """The session with the id of ``spent``, which takes its place until its lifetime would have been over: of all
        who ask one gets the session, and the others what that one has left.  None, and nothing is kept, if there is
        neither."""

    async def remove(self, session_id: bytes) -> None:
        """Forget the session with this id, if there is one.  What is left of one stays: the connection that issued it
        may fail long after another has used it up."""


class BlockingClaimingStore(Protocol):
    """``ClaimingStore`` for threads: its methods return when it is done."""

    def put(self, session: Session) -> None:
        """Keep a session under its ``session_id``, until it expires."""

    def find(self, session_id: bytes) -> Session | SpentSession | None:
        """The session of that id, which stays, or what is left of it; None if there is neither."""

    def claim(self, spent: SpentSession) -> Session | SpentSession | None:
        """The session of the id of ``spent``, to one caller only, which leaves ``spent`` in its place; to all others
        what that one has left; None, and nothing is kept, if there is neither."""

    def remove(self, session_id: bytes) -> None:
        """Forget the session of that id; nothing happens if there is none, or what is left of it."""


@frozen
class Trial:
    """What a rule works with.  ``stores`` are one and the same, each as another server has it."""

    stores: tuple[ClaimingStore, ...]
    now: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    gather: Callable[..., Awaitable[Sequence[Any]]]

    def at(self, number: int) -> ClaimingStore:
        """Of that server, or of the only one."""
        return self.stores[number % len(self.stores)]

    async def kept(self, **changes: Any) -> Session:
        """A session of TLS 1.3 that nobody has seen before, after it was put in."""
        session = new_session(self.now(), **changes)
        await self.at(0).put(session)
        return session

    def left_of(self, session: Session, **changes: Any) -> SpentSession:
        """By a connection that nobody has seen before."""
        use = TicketUse(
            at=round(self.now(), 3),
            version=session.version,
            family=random(16),
            generation=7,
            server_name="xn--bcher-kva.example",
            alpn_protocol=b"h2",
            client_random=random(32),
            hello=random(16),
        )
        key = b"\0\r\n\xff" + random(28)
        return SpentSession(
            session.session_id, evolve(use, **changes), session.cipher_suite, key, session.authenticated_at
        )

    async def found_by_all(self, wanted: Found, session_id: bytes) -> None:
        for store in self.stores:
            expect(wanted, await store.find(session_id))


def expect(wanted: Found, came: Found) -> None:
    """What a look-up or a claim must have given."""
    if came != wanted:
        raise BrokenRule(f"expected {_named(wanted)}, and there was {_named(came)}")


def _named(found: object) -> str:
    """Enough to tell two uses apart, and no secret."""
    match found:
        case Session():
            return f"the session {found.session_id.hex()[:8]}"
        case SpentSession():
            name = found.session_id.hex()[:8]
            return f"what {found.use.client_random.hex()[:8]} has left of the session {name}"
        case None:
            return "nothing"
    return value_of_type(found)


@frozen
class _Unblocked:
    """A blocking store as an asynchronous one that never waits."""

    store: BlockingClaimingStore

    async def put(self, session: Session) -> None:
        self.store.put(session)

    async def find(self, session_id: bytes) -> Session | SpentSession | None:
        return self.store.find(session_id)

    async def claim(self, spent: SpentSession) -> Session | SpentSession | None:
        return self.store.claim(spent)

    async def remove(self, session_id: bytes) -> None:
        self.store.remove(session_id)


class ClaimRule(Experiment[ClaimingStore, BlockingClaimingStore, Trial]):
    """Of a store that says who was first.  ``name`` is short and unique, ``why`` is a sentence."""

    __slots__ = ()

    SUBJECT: ClassVar[str] = "store"
    OPERATION: ClassVar[str] = "claim"
    TRIAL: ClassVar[Callable[..., Any]] = Trial
    UNBLOCKED: ClassVar[Callable[..., Any]] = _Unblocked


# --- the experiments -----------------------------------------------------------------------------------------


async def _finds(trial: Trial) -> None:
    session = await trial.kept()
    await trial.found_by_all(session, session.session_id)
    await trial.found_by_all(session, session.session_id)


async def _gives_to_one(trial: Trial) -> None:
    for _ in range(ROUNDS):
        session = await trial.kept()
        left = [trial.left_of(session) for _ in range(CALLERS)]
        found = await trial.gather(*[trial.at(number).claim(one) for number, one in enumerate(left)])
        winners = [spent for spent, came in zip(left, found, strict=True) if came == session]
        if len(winners) != 1:
            raise BrokenRule(f"expected one of {CALLERS} callers to get the session, and {len(winners)} did")
        for spent, came in zip(left, found, strict=True):
            expect(session if spent is winners[0] else winners[0], came)
        await trial.found_by_all(winners[0], session.session_id)


async def _keeps_every_byte(trial: Trial) -> None:
    for changes in ({}, {"server_name": None, "alpn_protocol": None, "family": b"", "generation": 0}):
        session = await trial.kept(session_id=bytes(24) + random(8))
        spent = trial.left_of(session, **changes)
        expect(session, await trial.at(1).claim(spent))
        await trial.found_by_all(spent, session.session_id)


async def _keeps_the_first(trial: Trial) -> None:
    session = await trial.kept()
    first = trial.left_of(session)
    expect(session, await trial.at(0).claim(first))
    for number in range(3):
        expect(first, await trial.at(number + 1).claim(trial.left_of(session)))
    await trial.found_by_all(first, session.session_id)


async def _keeps_nothing_of_strangers(trial: Trial) -> None:
    session = await trial.kept(session_id=random(31) + b"*")
    stranger = evolve(session, session_id=session.session_id[:-1] + b"?")
    expect(None, await trial.at(1).claim(trial.left_of(stranger)))
    await trial.found_by_all(None, stranger.session_id)
    await trial.found_by_all(session, session.session_id)


async def _removes(trial: Trial) -> None:
    session = await trial.kept()
    await trial.at(1).remove(session.session_id)
    expect(None, await trial.at(0).claim(trial.left_of(session)))
    await trial.found_by_all(None, session.session_id)


async def _leaves_what_is_left(trial: Trial) -> None:
    session = await trial.kept()
    first = trial.left_of(session)
    expect(session, await trial.at(0).claim(first))
    await trial.at(1).remove(session.session_id)
    expect(first, await trial.at(0).claim(trial.left_of(session)))
    await trial.found_by_all(first, session.session_id)


async def _forgets_in_time(trial: Trial) -> None:
    """What is left goes when the session would have gone, however late it was used up."""
    brief, used, lasting = [await trial.kept(lifetime=lifetime) for lifetime in (BRIEF, BRIEF, 7200)]
    left = {session.session_id: trial.left_of(session) for session in (used, lasting)}
    for session in (used, lasting):
        expect(session, await trial.at(1).claim(left[session.session_id]))
        await trial.found_by_all(left[session.session_id], session.session_id)
    await trial.sleep(BRIEF + 0.5)
    for session in (brief, used):
        await trial.found_by_all(None, session.session_id)
        expect(None, await trial.at(0).claim(trial.left_of(session)))
    await trial.found_by_all(left[lasting.session_id], lasting.session_id)


SEEN: Final = "A second use that nobody sees is a thief that nobody sees"

CLAIM_RULES: Final = (
    ClaimRule("finds", "A look-up alone must not use a session up", _finds),
    ClaimRule("gives to one, and tells the others", ONCE, _gives_to_one),
    ClaimRule(
        "keeps every byte of what is left", "A changed key takes the thief for a stranger", _keeps_every_byte
    ),
    ClaimRule("keeps the first", SEEN, _keeps_the_first),
    ClaimRule(
        "keeps nothing of strangers",
        "Ids come from clients, who may send what they like, and memory is finite",
        _keeps_nothing_of_strangers,
    ),
    ClaimRule(
        "removes what may be claimed", "A session whose connection failed must not be resumed", _removes
    ),
    ClaimRule("does not remove what is left", SEEN, _leaves_what_is_left),
    ClaimRule(
        "forgets what is left in time", "What has expired is no alarm, and memory is finite", _forgets_in_time
    ),
)
"""All of them, each independent of the others."""
