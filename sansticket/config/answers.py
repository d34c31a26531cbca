"""Who answers a question: the ``answers`` of a config, and that they are to questions which it asks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from inspect import iscoroutinefunction
from typing import Any, Final

from attrs import Attribute

from sansticket.config.checks import check_type
from sansticket.config.choices import ASK, Answer, Answering
from sansticket.errors import ConfigError
from sansticket.events import Question, Sign, VerifyPeer
from sansticket.inputs import random_bytes
from sansticket.text import quoted
from sansticket.values import Shared

VERIFIER_LENGTH: Final = 32

Lacking = Mapping[type[Question], str]
"""For each question of one side, what is expected of the config so that it can be asked; "" where it can."""


class Answers(Shared, dict[type[Question], Answering]):
    """The answers of a config, which do not change.

    Configs that are made from it with ``evolve``, without other answers, share them, and so do its copies.  Out of a
    pickle come others: a function is found there by its name, and may be another one by now.
    """

    verifier: bytes | None = None
    """Stands for whoever answers ``VerifyPeer`` here: 32 random bytes, once they are needed."""

    def know_verifier(self, entropy: Callable[[int], bytes]) -> None:
        """Draw ``verifier``, unless there is one."""
        if self.verifier is None:  # and the first counts, where two threads come at once
            self.__dict__.setdefault("verifier", random_bytes(entropy, VERIFIER_LENGTH))

    def _unchanging(self, *changes: Any, **more: Any) -> Any:
        raise TypeError("the answers of a config do not change; expected another config, made with evolve")

    # What was checked when the config was made stays so, and whom its sessions trust.
    __setitem__ = __delitem__ = __ior__ = _unchanging
    clear = pop = popitem = setdefault = update = _unchanging

    def __reduce__(self) -> tuple[Any, ...]:
        return Answers, (dict(self),)


def as_answers(values: Mapping[type[Question], Answer]) -> Answers:
    """A mapping of our own; anything else stays as it is, for ``are_answers``."""
    given: Any = values
    answers: Answers = (
        Answers(given) if isinstance(given, Mapping) and not isinstance(given, Answers) else given
    )
    return answers


def are_answers(config: object, attribute: Attribute[Any], answers: Any) -> None:
    """Functions or ``ASK``, each for a question."""
    name = attribute.name
    check_type(name, answers, Answers, "a mapping from questions to answers")
    for question, answer in answers.items():
        check_type(name, question, type, "a class like DecideTicket")
        if question is Question or not issubclass(question, Question):
            raise ConfigError(
                name, f"{quoted(question)} is not a question; expected a class like DecideTicket"
            )
        if answer is not ASK and not callable(answer):
            raise ConfigError(name, f"{quoted(answer)} for {question.__name__}; expected a function or ASK")
        if iscoroutinefunction(answer) or iscoroutinefunction(type(answer).__call__):
            expected = (
                "a function that gives the command, or ASK; coroutines are for the answers of a wrapper"
            )
            raise ConfigError(name, f"a coroutine function for {question.__name__}; expected {expected}")


def lacking_in_a_client(has_credentials: bool) -> Lacking:
    return {VerifyPeer: "", Sign: "" if has_credentials else "credentials"}


def check_asked(answered: Iterable[type[Question]], lacking: Lacking, side: str) -> None:
    """ConfigError for an answer to what is never asked."""
    for question in answered:
        if question not in lacking:
            raise ConfigError("answers", f"{question.__name__} is no question of a {side}")
        if lacking[question]:
            raise ConfigError(
                "answers", f"{question.__name__} can never be asked; expected {lacking[question]}"
            )
