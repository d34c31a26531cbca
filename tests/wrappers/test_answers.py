"""The config that asks what coroutines answer."""

from __future__ import annotations

from sansticket import ASK, AcceptPeer, Sign, VerifyPeer
from sansticket_wrappers.answers import NO_ANSWERS, asking
from tests.support.configs import client_config, server_config


async def accept(question: VerifyPeer) -> AcceptPeer:
    return AcceptPeer()


def test_what_is_asked_already_leaves_the_config_as_it_is() -> None:
    """So the sessions of one connection are for the next: who verifies is the same."""
    config = client_config(answers={VerifyPeer: ASK})
    assert asking(config, {VerifyPeer: accept}) is config
    assert asking(config, NO_ANSWERS) is config


def test_what_was_not_asked_is() -> None:
    config = server_config(answers={Sign: print})
    assert asking(config, {VerifyPeer: accept}).answers == {Sign: print, VerifyPeer: ASK}
    assert asking(config, {Sign: accept}).answers == {Sign: ASK}
    assert config.answers == {Sign: print}
