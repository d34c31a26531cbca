"""Who answers a question: the ``answers`` of a config."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import Attribute

from sansticket.config.checks import check_type
from sansticket.config.choices import ASK, Answer, Answering
from sansticket.errors import ConfigError
from sansticket.events import Question
from sansticket.text import quoted


class Answers(dict[type[Question], Answering]):
    """The answers of a config, and of those that are made from it with the same answers."""

    verifier: bytes | None = None
    """Stands for whoever answers ``VerifyPeer`` here: 32 random bytes, once they are needed."""


def as_answers(values: Mapping[type[Question], Answer]) -> Mapping[type[Question], Answering]:
    """A mapping of our own; anything else stays as it is, for ``are_answers``."""
    given: object = values
    return Answers(values) if isinstance(given, Mapping) and not isinstance(given, Answers) else values


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
