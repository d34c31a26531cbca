"""The config that asks what coroutines answer."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

import pytest

from sansticket import ASK, AcceptPeer, ClientConfig, ConfigError, ServerConfig, Sign, VerifyPeer
from sansticket_wrappers.answers import NO_ANSWERS, asking
from sansticket_wrappers.asyncio import open_connection, start_server
from tests.support.configs import client_config, server_config


async def accept(question: VerifyPeer) -> AcceptPeer:
    return AcceptPeer()


def test_what_is_asked_already_leaves_the_config_as_it_is() -> None:
    """So the sessions of one connection are for the next: who verifies is the same."""
    config = client_config(answers={VerifyPeer: ASK})
    assert asking(config, {VerifyPeer: accept}, ClientConfig) is config
    assert asking(config, NO_ANSWERS, ClientConfig) is config


def test_what_was_not_asked_is() -> None:
    config = server_config(answers={Sign: print})
    assert asking(config, {VerifyPeer: accept}, ServerConfig).answers == {Sign: print, VerifyPeer: ASK}
    assert asking(config, {Sign: accept}, ServerConfig).answers == {Sign: ASK}
    assert config.answers == {Sign: print}


@pytest.mark.parametrize(
    "given", [ssl.create_default_context(), client_config(), None], ids=lambda one: type(one).__name__
)
def test_a_server_with_something_else_than_a_config(given: Any) -> None:
    """At once, and not with the first client: whoever comes from asyncio gives a context of the standard library."""
    with pytest.raises(
        ConfigError, match=rf"^config: a value of type {type(given).__name__}; expected a ServerConfig$"
    ):
        asyncio.run(start_server(print, "127.0.0.1", 0, given))


@pytest.mark.parametrize(
    "given", [ssl.create_default_context(), server_config(), None], ids=lambda one: type(one).__name__
)
def test_a_client_with_something_else_than_a_config(given: Any) -> None:
    with pytest.raises(
        ConfigError, match=rf"^config: a value of type {type(given).__name__}; expected a ClientConfig$"
    ):
        asyncio.run(open_connection("127.0.0.1", 1, given))
