"""Configs that work together, made from the shared authority: what a test changes is what it is about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import evolve

from sansticket import ClientConfig, ServerConfig
from sansticket.config import Answer
from sansticket.events import Question
from tests.support.credentials import anchors, server_credential


def client_config(**changes: Any) -> ClientConfig:
    """A client that trusts the shared authority."""
    return ClientConfig(**{"trust_anchors": anchors(), **changes})


def server_config(**changes: Any) -> ServerConfig:
    """A server for server.example and 127.0.0.1."""
    return ServerConfig(**{"credentials": [server_credential()], **changes})


def answering(config: ServerConfig, answers: Mapping[type[Question], Answer]) -> ServerConfig:
    """With answers to what such a config can never ask, which are refused: for a test that it does not."""
    made = evolve(config, answers={**config.answers})
    dict.update(made.answers, answers)
    return made
