"""Is a recorder of ClientHellos fit for early data?  Rules to be tried on your own.

Where several servers accept early data under the same ticket keys, one recorder that they share decides alone whether a
replay gets through (RFC 9846 section 8.2).  It has one operation, ``claim``, which answers ``ClaimEarlyData`` and must
mean exactly what ``Recorder`` says, also when many call it at the same time.  ``RECORDER_RULES`` says it in small
experiments.  With pytest, for a recorder of an event loop:

    @pytest.mark.parametrize("rule", RECORDER_RULES, ids=str)
    def test_my_recorder(rule):
        asyncio.run(rule.check(MyRecorder(), now=time.time, sleep=asyncio.sleep, gather=asyncio.gather))

and ``rule.check_blocking`` for one that blocks.  Several are the same recorder, as that many servers have it.  ``now``
is its clock, in seconds since the epoch, and ``sleep`` lets that many seconds pass on it.

A recorder that has just begun, or has lost what it knew, must refuse until that cannot be replayed any more.  So the
rules are for one that has been there for longer than it remembers; ``FRESH_RECORDER_RULES`` are for one that has not.

What a recorder raises is not its answer, and comes through.  The keys are random: it may be in use.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, ClassVar, Final, Protocol

from sansticket.testing.experiments import (
    BRIEF,
    CALLERS,
    ROUNDS,
    BrokenRule,
    Experiment,
    random,
)
from sansticket.text import quoted
from sansticket.values import frozen

MANY: Final = 2000
"""Hellos that come within the window: more than a small cache would remember."""


class Recorder(Protocol):
    """Remembers which ClientHellos had early data accepted, asynchronously."""

    async def claim(self, key: bytes, until: float) -> bool:
        """True for one caller with this key, and for nobody else until the time ``until``, or for longer.

        ``key``: 32 bytes.  ``until``: seconds since the epoch.  False where it cannot tell.
        """


class BlockingRecorder(Protocol):
    """``Recorder`` for threads: its method returns when it is known."""

    def claim(self, key: bytes, until: float) -> bool:
        """True for one caller with this key, and for nobody else until the time ``until``, or for longer."""


@frozen
class RecorderTrial:
    """What a rule works with.  ``recorders`` are one and the same, each as another server has it."""

    recorders: tuple[Recorder, ...]
    now: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    gather: Callable[..., Awaitable[Sequence[Any]]]

    def claim(self, key: bytes, seconds: float = 20, *, at: int = 0) -> Awaitable[bool]:
        """For so many seconds, by that server."""
        return self.recorders[at % len(self.recorders)].claim(key, self.now() + seconds)

    async def claimed(self, key: bytes, seconds: float = 20, *, at: int = 0) -> None:
        """A key that nobody has claimed."""
        answer = await self.claim(key, seconds, at=at)
        if answer is not True:
            raise BrokenRule(f"expected True for a key that is new, and it was {quoted(answer)}")

    async def refused(self, key: bytes) -> None:
        """A key that somebody has claimed, to whomever it comes."""
        for number in range(len(self.recorders)):
            answer = await self.claim(key, at=number)
            if answer is not False:
                raise BrokenRule(f"expected False for a key that was claimed, and it was {quoted(answer)}")


@frozen
class _Unblocked:
    """A blocking recorder as an asynchronous one that never waits."""

    recorder: BlockingRecorder

    async def claim(self, key: bytes, until: float) -> bool:
        return self.recorder.claim(key, until)


class RecorderRule(Experiment[Recorder, BlockingRecorder, RecorderTrial]):
    """Of a recorder.  ``name`` is short and unique, ``why`` is a sentence."""

    __slots__ = ()

    SUBJECT: ClassVar[str] = "recorder"
    OPERATION: ClassVar[str] = "claim"
    TRIAL: ClassVar[Callable[..., Any]] = RecorderTrial
    UNBLOCKED: ClassVar[Callable[..., Any]] = _Unblocked


# --- the experiments -----------------------------------------------------------------------------------------


async def _claims_once(trial: RecorderTrial) -> None:
    key = random(32)
    await trial.claimed(key)
    for _ in range(2):
        await trial.refused(key)


async def _gives_to_one(trial: RecorderTrial) -> None:
    for _ in range(ROUNDS):
        key = random(32)
        claims = await trial.gather(*[_answer(trial, key, number) for number in range(CALLERS)])
        if claims.count(True) != 1:
            raise BrokenRule(f"expected one of {CALLERS} callers to get True, and {claims.count(True)} did")
        await trial.refused(key)


async def _answer(trial: RecorderTrial, key: bytes, number: int) -> bool:
    return await trial.claim(key, at=number)


async def _keeps_keys_apart(trial: RecorderTrial) -> None:
    """Keys that a text, a pattern, a number or a part would take for the same."""
    known = random(22) + b"aZ* \r\n\xff\0\0\0"
    others = [known[:-1] + b"\1", known[:-1] + b" ", known.swapcase(), known[:26] + b"\n\r" + known[28:]]
    others += [bytes([known[0] ^ 128]) + known[1:], known[:16] + bytes([known[16] ^ 1]) + known[17:]]
    others += [known[:28] + b"\xfe\0\0\0", known[::-1]]
    await trial.claimed(known)
    for number, other in enumerate(others):
        await trial.claimed(other, at=number)
    for key in (known, *others):
        await trial.refused(key)


async def _keeps_callers_apart(trial: RecorderTrial) -> None:
    """What is one caller's answer is not another's."""
    for _ in range(ROUNDS):
        known, new = random(32), random(32)
        await trial.claimed(known)
        keys = [known, new] * (CALLERS // 2)
        answers = await trial.gather(*[_answer(trial, key, number) for number, key in enumerate(keys)])
        if answers.count(True) != 1 or answers.index(True) % 2 == 0:
            wrong = answers[::2].count(True)
            raise BrokenRule(
                f"expected True for one of {CALLERS // 2} callers with a new key, and it was for "
                f"{answers.count(True) - wrong} of these and {wrong} with a key that was claimed"
            )


async def _remembers_long_enough(trial: RecorderTrial) -> None:
    key = random(32)
    await trial.claimed(key, BRIEF)
    await trial.sleep(BRIEF - 0.5)
    await trial.refused(key)


async def _is_not_put_off(trial: RecorderTrial) -> None:
    """A claim that is refused shortens nothing."""
    key = random(32)
    await trial.claimed(key, BRIEF)
    for number in range(len(trial.recorders)):
        if answer := await trial.claim(key, 0.1, at=number):
            raise BrokenRule(f"expected False for a key that was claimed, and it was {quoted(answer)}")
    await trial.sleep(BRIEF - 0.5)
    await trial.refused(key)


async def _remembers_many(trial: RecorderTrial) -> None:
    keys = [random(32) for _ in range(MANY)]
    for number, key in enumerate(keys):
        await trial.claimed(key, at=number)
    for number, key in enumerate(keys):
        if answer := await trial.claim(key, at=number + 1):
            raise BrokenRule(
                f"expected False for key {number} of {MANY} that were claimed, and it was {quoted(answer)}"
            )


async def _takes_what_is_over(trial: RecorderTrial) -> None:
    """Clocks differ, and an answer takes its time."""
    key = random(32)
    answers = [await trial.claim(key, -0.5, at=number) for number in range(CALLERS)]
    if answers.count(True) > 1:
        raise BrokenRule(
            f"expected at most one True for a time that is over, and there were {answers.count(True)}"
        )


async def _begins_by_refusing(trial: RecorderTrial) -> None:
    for number in range(CALLERS):
        if answer := await trial.claim(random(32), at=number):
            raise BrokenRule(
                f"expected False from a recorder that has just begun, and it was {quoted(answer)}"
            )


ONCE: Final = "Whoever gets True hands the data of a replay to its application (RFC 9846 section 8.2)"
OTHERS: Final = "Clients could be kept from early data by others, or get the answer that was theirs"
WINDOW: Final = "Until then a replay is in time for every server (RFC 9846 section 8.3)"

RECORDER_RULES: Final = (
    RecorderRule("claims once", ONCE, _claims_once),
    RecorderRule("gives to one", ONCE, _gives_to_one),
    RecorderRule("keeps keys apart", OTHERS, _keeps_keys_apart),
    RecorderRule("keeps callers apart", OTHERS, _keeps_callers_apart),
    RecorderRule("remembers long enough", WINDOW, _remembers_long_enough),
    RecorderRule("is not put off", WINDOW, _is_not_put_off),
    RecorderRule("remembers many", "Whoever can send many hellos could replay the first", _remembers_many),
    RecorderRule("takes what is over", ONCE, _takes_what_is_over),
)
"""For a recorder that has been there for longer than it remembers; each independent of the others."""

FRESH_RECORDER_RULES: Final = (
    RecorderRule(
        "begins by refusing",
        "What was accepted before a restart is unknown after it, and can be replayed (RFC 9846 section 8.2)",
        _begins_by_refusing,
    ),
)
"""For a recorder that was just made, or whose store was just restarted; the window is more than a few seconds."""
