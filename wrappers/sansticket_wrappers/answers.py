"""Questions that coroutines answer, and what stands for an answer that does not come in time.

Each wrapper takes ``answers``: a coroutine function for each class of questions, called with the question.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, TypeVar

from attrs import evolve

from sansticket import (
    ASK,
    AbortHandshake,
    AdmitEarlyData,
    AdmitSession,
    ClaimEarlyData,
    ClaimSession,
    ClientConfig,
    Command,
    ConfigError,
    DecideTicket,
    EarlyDataNotClaimed,
    LookUpPsk,
    LookUpSession,
    OpenTicket,
    PrepareTicket,
    ProtectTicket,
    ProvidePsk,
    ProvideSession,
    Question,
    RefuseEarlyData,
    ResolveTicket,
    SealTicket,
    ServerConfig,
    SessionNotClaimed,
    SessionRefused,
    TicketNotOpened,
    TicketProtected,
    TicketReturn,
)

C = TypeVar("C", ClientConfig, ServerConfig)

Answers = Mapping[type[Question], Callable[[Any], Awaitable[Command]]]
"""A coroutine function for each class of questions."""

OF_EARLY_DATA: Final = (AdmitEarlyData, ClaimEarlyData)
"""A hello that was seen before is no reason to abort (RFC 9846 section 8.2), so not to know is none either."""

HARMLESS: Final = (LookUpSession, LookUpPsk, *OF_EARLY_DATA)
"""Where a coroutine raises, the same stands for its answer as where it is late."""

NO_ANSWERS: Final[Answers] = MappingProxyType({})

ANSWER_TIMEOUT: Final = 5.0
"""Seconds that a coroutine has for its answer, unless said otherwise."""

WITHOUT_ANSWER: Final[Mapping[type[Question], Command]] = {
    LookUpSession: ProvideSession(None),
    LookUpPsk: ProvidePsk(None),
    OpenTicket: TicketNotOpened(),
    ProtectTicket: TicketProtected(None),
    PrepareTicket: SealTicket(),
    DecideTicket: ResolveTicket(TicketReturn.IGNORE_RENEW),
    AdmitSession: SessionRefused("no answer in time"),
    ClaimSession: SessionNotClaimed(),
    AdmitEarlyData: RefuseEarlyData("no answer in time"),
    ClaimEarlyData: EarlyDataNotClaimed("no answer in time"),
}
"""The documented defaults, where they grant nothing.  A ticket or session of which the application wanted to have a
say is not resumed without it: that costs a full handshake."""


def without_answer(question: Question) -> Command:
    """What stands for an answer.  Where a handshake cannot do without, it is ended: ``SelectConfig``, ``Sign`` and
    ``VerifyPeer``.
    """
    return WITHOUT_ANSWER.get(type(question), AbortHandshake())


def asking(config: C, answers: Answers, kind: type[C]) -> C:
    """The config that asks what these answer.  ConfigError for what is no question of its side, or no config of it.

    One that asks all of it already stays what it is: without a ``verification_label`` sessions resume under the very
    mapping of answers that they were made under.
    """
    if not isinstance(config, kind):
        raise ConfigError("config", f"a value of type {type(config).__name__}; expected a {kind.__name__}")
    asked = {**config.answers, **dict.fromkeys(answers, ASK)}
    return config if asked == config.answers else evolve(config, answers=asked)
