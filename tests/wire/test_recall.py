"""Extensions that recur are recalled: the same value, in bounded memory, and a fault every time."""

from __future__ import annotations

import pytest

from sansticket.errors import Fault, Reason
from sansticket.wire.cursor import vector16
from sansticket.wire.extensions.base import Extension
from sansticket.wire.extensions.block import MAX_REMEMBERED, _decode_once, decode_extensions
from sansticket.wire.extensions.key_exchange import KeyShareOffer, SupportedGroups
from sansticket.wire.extensions.negotiation import ServerNameList

TABLE: dict[int, type[Extension]] = {
    int(kind.TYPE): kind for kind in (ServerNameList, SupportedGroups, KeyShareOffer)
}


def decoded(extension: Extension) -> Extension:
    """What a block of this extension alone gives."""
    (found,) = decode_extensions(extension.written(), TABLE, set()).values()
    return found


def groups(number: int) -> SupportedGroups:
    return SupportedGroups(tuple(range(number)))


def test_what_recurs_is_the_same_object() -> None:
    assert decoded(groups(5)) is decoded(groups(5))
    assert decoded(groups(5)) == groups(5) != decoded(groups(6))


def test_what_is_of_one_connection_is_not_remembered() -> None:
    before = _decode_once.cache_info().currsize  # type: ignore[attr-defined]
    assert decoded(KeyShareOffer(())) is not decoded(KeyShareOffer(()))
    assert _decode_once.cache_info().currsize == before  # type: ignore[attr-defined]


def test_what_is_long_is_not_remembered() -> None:
    longest = groups((MAX_REMEMBERED - 2) // 2)
    assert decoded(longest) is decoded(longest)
    longer = groups((MAX_REMEMBERED - 2) // 2 + 1)
    assert decoded(longer) == decoded(longer) == longer
    assert decoded(longer) is not decoded(longer)


def test_a_flood_of_different_ones_takes_no_more_memory() -> None:
    info = _decode_once.cache_info()  # type: ignore[attr-defined]
    for number in range(3 * info.maxsize):
        name = ServerNameList(f"{number}.example".encode())
        assert decoded(name) == name
    assert _decode_once.cache_info().currsize == info.maxsize  # type: ignore[attr-defined]


def test_faults_come_every_time() -> None:
    body = vector16(b"\0")
    block = int(SupportedGroups.TYPE).to_bytes(2) + vector16(body)
    for _ in range(3):
        with pytest.raises(Fault) as fault:
            decode_extensions(block, TABLE, set())
        assert fault.value.reason is Reason.MALFORMED_MESSAGE


def test_written_once_and_the_same() -> None:
    extension = groups(3)
    assert extension.written() is extension.written()
    assert extension.written() == groups(3).written()
    share = KeyShareOffer(())
    assert share.written() is not share.written() == share.written()
    before = share.written()
    assert share.kept() is share
    assert share.written() is share.written() == before
    assert extension == groups(3)
    assert hash(extension) == hash(groups(3))
