"""What a peer may repeat: the bounds by themselves."""

from __future__ import annotations

from copy import copy

import pytest

from sansticket.codes import HandshakeType
from sansticket.connection.limits import (
    MAX_CHANGE_CIPHER_SPECS,
    MAX_MESSAGES_WITHOUT_DATA,
    MAX_WARNINGS,
    TOO_MANY,
    Limits,
)
from sansticket.errors import Fault, Reason

KINDS = pytest.mark.parametrize("kind", MAX_MESSAGES_WITHOUT_DATA, ids=lambda kind: kind.name)


def reached(kind: int) -> Limits:
    limits = Limits()
    for _ in range(MAX_MESSAGES_WITHOUT_DATA[kind]):
        limits.count_message(kind)
    return limits


@KINDS
def test_one_message_too_many(kind: int) -> None:
    limits = reached(kind)
    with pytest.raises(Fault) as caught:
        limits.count_message(kind)
    assert caught.value.reason is TOO_MANY[kind]
    assert caught.value.detail == f"{MAX_MESSAGES_WITHOUT_DATA[kind] + 1} without any data between them"


@KINDS
def test_kinds_are_counted_apart(kind: int) -> None:
    limits = reached(kind)
    for other in MAX_MESSAGES_WITHOUT_DATA:
        if other != kind:
            limits.count_message(other)


@KINDS
def test_data_makes_messages_good(kind: int) -> None:
    limits = reached(kind)
    assert limits.repeated
    limits.forgive()
    assert not limits.repeated
    limits.count_message(kind)


def test_messages_without_a_limit() -> None:
    limits = Limits()
    for _ in range(5000):
        limits.count_message(HandshakeType.CERTIFICATE)
        limits.count_message(255)
    assert not limits.repeated


def test_every_limit_has_a_name() -> None:
    assert set(TOO_MANY) == set(MAX_MESSAGES_WITHOUT_DATA)


def test_warnings() -> None:
    limits = Limits()
    for _ in range(3):
        for _ in range(MAX_WARNINGS):
            limits.count_warning()
        assert limits.repeated
        limits.forgive()
    for _ in range(MAX_WARNINGS):
        limits.count_warning()
    with pytest.raises(Fault) as caught:
        limits.count_warning()
    assert caught.value.reason is Reason.TOO_MANY_WARNINGS


def test_no_data_makes_change_cipher_specs_good() -> None:
    limits = Limits()
    for _ in range(MAX_CHANGE_CIPHER_SPECS):
        limits.count_change_cipher_spec()
        limits.forgive()
    with pytest.raises(Fault) as caught:
        limits.count_change_cipher_spec()
    assert caught.value.reason is Reason.UNEXPECTED_CHANGE_CIPHER_SPEC


def test_a_copy_counts_for_itself() -> None:
    limits = reached(HandshakeType.KEY_UPDATE)
    twin = copy(limits)
    twin.forgive()
    twin.count_message(HandshakeType.KEY_UPDATE)
    with pytest.raises(Fault):
        limits.count_message(HandshakeType.KEY_UPDATE)
