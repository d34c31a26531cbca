"""Configs that work together, made from the shared authority: what a test changes is what it is about."""

from __future__ import annotations

from typing import Any

from sansticket import ClientConfig, ServerConfig
from tests.support.credentials import anchors, server_credential


def client_config(**changes: Any) -> ClientConfig:
    """A client that trusts the shared authority."""
    return ClientConfig(**{"trust_anchors": anchors(), **changes})


def server_config(**changes: Any) -> ServerConfig:
    """A server for server.example and 127.0.0.1."""
    return ServerConfig(**{"credentials": [server_credential()], **changes})
