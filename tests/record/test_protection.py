"""Sealing and opening one record: what goes round, what is refused, and what is left behind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansticket.crypto.suites import SuiteParameters
from sansticket.errors import Reason
from sansticket.record.protection import MAX_PLAINTEXT
from sansticket.record.reader import Opener
from sansticket.record.tls13 import Sealer
from tests.support.faults import fault
from tests.support.records import (
    AES_13,
    CHACHA_12,
    DUPLICATES,
    GCM_12,
    SUITES_12,
    SUITES_13,
    keys_for,
    name_of,
    opener,
    run,
    sealer,
)

ALL_SUITES = SUITES_13 + SUITES_12
SEALED_CONTENT = b"some content"
each_suite = pytest.mark.parametrize("suite", ALL_SUITES, ids=name_of)
both_versions = pytest.mark.parametrize("suite", [AES_13, GCM_12, CHACHA_12], ids=name_of)


def open_(source: Opener, record: bytes) -> tuple[int, bytes]:
    """Open one record."""
    return source.open(record[:5], record[5:])


@each_suite
def test_round_trip_of_every_type_and_size(suite: SuiteParameters) -> None:
    source, target = sealer(suite), opener(suite)
    for content_type, content in (
        (23, b"x"),
        (23, b""),
        (22, b"handshake"),
        (21, b"\x01\x00"),
        (23, bytes(100)),
        (23, b"\x17" * 64),
        (23, bytes(MAX_PLAINTEXT)),
    ):
        record = source.seal(content_type, content)
        assert len(record) == len(content) + source.overhead
        assert open_(target, record) == (content_type, content)
    assert source.sequence == target.sequence == 7


@each_suite
def test_sealing_into_a_buffer_gives_the_same_bytes(suite: SuiteParameters) -> None:
    content = bytes(range(256)) * 3
    room = bytearray(b"\xaa" * 2000)
    one_by_one, at_once = sealer(suite, sequence=9), sealer(suite, sequence=9)
    at_once.seal_run(memoryview(room)[11:], 23, memoryview(content), 500)
    expected = one_by_one.seal(23, content[:500]) + one_by_one.seal(23, content[500:])
    stop = 11 + len(expected)
    assert bytes(room[11:stop]) == expected
    assert room[:11] == b"\xaa" * 11
    assert room[stop:] == b"\xaa" * (2000 - stop)
    assert at_once.sequence == one_by_one.sequence == 11


@both_versions
def test_every_flipped_bit_is_found(suite: SuiteParameters) -> None:
    """In the ciphertext, in the tag, in the explicit nonce; and in the header, which is authenticated."""
    record = sealer(suite).seal(23, SEALED_CONTENT)
    target = opener(suite)
    for position in range(len(record)):
        for bit in range(8):
            if suite.tls12_authentication and position in (3, 4):
                continue  # in TLS 1.2 the length of the content is authenticated, not that of the record
            changed = bytearray(record)
            changed[position] ^= 1 << bit
            with fault(Reason.BAD_RECORD_MAC, "record 0"):
                open_(target, bytes(changed))
    assert open_(target, record) == (23, SEALED_CONTENT)


@both_versions
def test_every_truncation_and_extension_is_found(suite: SuiteParameters) -> None:
    record = sealer(suite).seal(23, SEALED_CONTENT)
    target = opener(suite)
    for length in range(len(record) - 5):
        with fault(Reason.BAD_RECORD_MAC):
            open_(target, record[:3] + length.to_bytes(2) + record[5 : 5 + length])
    with fault(Reason.BAD_RECORD_MAC):
        open_(target, record[:3] + (len(record) - 4).to_bytes(2) + record[5:] + b"\0")


@both_versions
def test_a_record_opens_only_in_its_place(suite: SuiteParameters) -> None:
    record = sealer(suite, sequence=5).seal(23, b"five")
    for sequence in (0, 4, 6, 5 + 2**32):
        with fault(Reason.BAD_RECORD_MAC):
            opener(suite, sequence=sequence).open(record[:5], record[5:])
    with fault(Reason.BAD_RECORD_MAC):
        opener(suite, epoch=1, sequence=5).open(record[:5], record[5:])


@both_versions
def test_too_much_inside(suite: SuiteParameters) -> None:
    target = opener(suite)
    record = sealer(suite).seal(23, bytes(MAX_PLAINTEXT + 1))
    with fault(Reason.RECORD_OVERFLOW):
        open_(target, record)
    assert target.sequence == 0


def test_padding_counts_as_what_is_inside() -> None:
    source, target = sealer(AES_13), opener(AES_13)
    assert open_(target, source.seal(23, bytes(100), MAX_PLAINTEXT - 100)) == (23, bytes(100))
    with fault(Reason.RECORD_OVERFLOW):
        open_(target, source.seal(23, bytes(100), MAX_PLAINTEXT - 99))


@pytest.mark.parametrize("zeros", [0, 1, 100])
def test_nothing_but_padding(zeros: int) -> None:
    keys = keys_for(AES_13)
    header = bytes((23, 3, 3)) + (zeros + 16).to_bytes(2)
    record = header + AES_13.aead(keys.key).encrypt(keys.iv, bytes(zeros), header)
    with fault(Reason.NO_CONTENT_TYPE):
        open_(opener(AES_13), record)


@pytest.mark.parametrize("content_type", [1, 19, 24, 255])
def test_unknown_type_inside(content_type: int) -> None:
    with fault(Reason.UNKNOWN_CONTENT_TYPE, str(content_type)):
        open_(opener(AES_13), sealer(AES_13).seal(content_type, b"x"))


@pytest.mark.parametrize("content_type", [21, 22])
@both_versions
def test_empty_alert_or_handshake_inside(suite: SuiteParameters, content_type: int) -> None:
    with fault(Reason.EMPTY_RECORD, str(content_type)):
        open_(opener(suite), sealer(suite).seal(content_type, b""))


def test_change_cipher_spec_inside() -> None:
    with fault(Reason.UNEXPECTED_CHANGE_CIPHER_SPEC, "inside"):
        open_(opener(AES_13), sealer(AES_13).seal(20, b"\x01"))


@both_versions
def test_a_fault_leaves_the_sequence_number(suite: SuiteParameters) -> None:
    source, target = sealer(suite), opener(suite)
    bad = sealer(suite).seal(22, b"")
    for _ in range(2):
        with fault(Reason.EMPTY_RECORD):
            target.open(bad[:5], bad[5:])
    assert open_(target, source.seal(23, b"fine")) == (23, b"fine")


@both_versions
def test_the_sequence_number_never_wraps(suite: SuiteParameters) -> None:
    last = 2**64 - 1
    source, target = sealer(suite, sequence=last), opener(suite, sequence=last)
    record = source.seal(23, b"the last one")
    assert open_(target, record) == (23, b"the last one")
    room = memoryview(bytearray(100))
    with fault(Reason.SEQUENCE_EXHAUSTED):
        source.seal(23, b"x")
    with fault(Reason.SEQUENCE_EXHAUSTED):
        source.seal_run(room, 23, memoryview(b"x"), 1)
    with fault(Reason.SEQUENCE_EXHAUSTED):
        target.open(record[:5], record[5:])
    assert run(target, record) == (0, b"", 0)


@each_suite
def test_records_left(suite: SuiteParameters) -> None:
    limit = suite.record_limit
    assert sealer(suite).records_left == opener(suite).records_left == limit
    assert sealer(suite, sequence=limit - 1).records_left == 1
    assert sealer(suite, sequence=limit).records_left == 0
    assert sealer(suite, sequence=limit + 5).records_left == 0


@pytest.mark.parametrize("duplicate", DUPLICATES)
@each_suite
def test_a_copy_goes_its_own_way(suite: SuiteParameters, duplicate: Callable[[Any], Any]) -> None:
    source, target = sealer(suite, sequence=3), opener(suite, sequence=3)
    source_copy, target_copy = duplicate(source), duplicate(target)
    records = [source.seal(23, b"%d" % i) for i in range(3)]
    assert source_copy.sequence == target_copy.sequence == 3
    assert [source_copy.seal(23, b"%d" % i) for i in range(3)] == records
    for number, record in enumerate(records):
        assert target.open(record[:5], record[5:]) == target_copy.open(record[:5], record[5:])
        assert target.sequence == 4 + number


def test_no_key_in_the_repr() -> None:
    for half in (sealer(AES_13), opener(GCM_12)):
        keys = keys_for(AES_13)
        assert keys.key.hex() not in repr(half)
        assert repr(keys.key) not in repr(half)
        assert "sequence=0" in repr(half)


@given(st.sampled_from([22, 23]), st.binary(min_size=1, max_size=200), st.integers(0, 300))
def test_padding_comes_off_again(content_type: int, content: bytes, padding: int) -> None:
    """Also where the content ends in zeros, or in what looks like a content type."""
    source = Sealer(AES_13, keys_for(AES_13))
    record = source.seal(content_type, content, padding)
    assert len(record) == len(content) + padding + source.overhead
    assert opener(AES_13).open(record[:5], record[5:]) == (content_type, content)


def test_tls12_ignores_padding() -> None:
    assert sealer(GCM_12).seal(23, b"x", padding=100) == sealer(GCM_12).seal(23, b"x")
