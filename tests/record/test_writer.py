"""The writer: fragments, padding, versions, and that the reader gets back what was written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansticket.crypto.suites import SuiteParameters
from sansticket.record.protection import MAX_PLAINTEXT
from sansticket.record.writer import RecordWriter
from tests.support.records import (
    AES_13,
    CHACHA_12,
    DUPLICATES,
    GCM_12,
    joined,
    name_of,
    opener,
    plain,
    reader,
    results_of,
    sealer,
)

both_versions = pytest.mark.parametrize("suite", [AES_13, GCM_12, CHACHA_12], ids=name_of)


def writer(suite: SuiteParameters | None = None, **options: Any) -> RecordWriter:
    made = RecordWriter(**options)
    if suite is not None:
        made.protect(sealer(suite))
    return made


def bodies_of(wire: bytes) -> list[int]:
    """The length of the body of each record."""
    lengths = []
    while wire:
        lengths.append(int.from_bytes(wire[3:5]))
        wire = wire[5 + lengths[-1] :]
    return lengths


def pad_to_64(length: int) -> int:
    return -length % 64


class TestUnprotected:
    def test_one_record(self) -> None:
        target = writer()
        target.write(22, b"hello")
        assert target.take() == plain(22, b"hello")
        assert target.take() == b""

    def test_the_version_of_a_first_hello(self) -> None:
        target = writer(legacy_record_version=0x0301)
        target.write(22, b"hello")
        target.legacy_record_version = 0x0303
        target.write(22, b"again")
        assert target.take() == plain(22, b"hello", 0x0301) + plain(22, b"again")

    def test_fragments(self) -> None:
        target = writer(max_fragment=4)
        target.write(22, b"ten bytes!")
        assert target.take() == plain(22, b"ten ") + plain(22, b"byte") + plain(22, b"s!")

    def test_the_version_stands_in_every_fragment(self) -> None:
        target = writer(max_fragment=3, legacy_record_version=0x0301)
        target.write(22, b"hello")
        assert target.take() == plain(22, b"hel", 0x0301) + plain(22, b"lo", 0x0301)

    def test_no_limit_of_records(self) -> None:
        assert writer().records_left is None


class TestProtected:
    @both_versions
    def test_the_version_is_fixed(self, suite: SuiteParameters) -> None:
        target = writer(suite, legacy_record_version=0x0301)
        target.write(22, b"x")
        assert target.take()[1:3] == b"\x03\x03"

    @both_versions
    @pytest.mark.parametrize(
        "size", [1, MAX_PLAINTEXT - 1, MAX_PLAINTEXT, MAX_PLAINTEXT + 1, 3 * MAX_PLAINTEXT]
    )
    def test_sizes(self, suite: SuiteParameters, size: int) -> None:
        """One by one as the sealer makes them, many in place: the bytes must be the same."""
        content = bytes(number % 251 for number in range(size))
        target, expected = writer(suite), sealer(suite)
        target.write(23, content)
        wire = target.take()
        assert wire == b"".join(
            expected.seal(23, content[start : start + MAX_PLAINTEXT])
            for start in range(0, size, MAX_PLAINTEXT)
        )
        assert results_of(reader(suite, wire)) == [(23, content)]

    @both_versions
    def test_a_megabyte(self, suite: SuiteParameters) -> None:
        content = bytes(range(256)) * 4096
        target = writer(suite)
        target.write(23, content)
        wire = target.take()
        assert len(bodies_of(wire)) == 64
        assert results_of(reader(suite, wire)) == [(23, content)]

    @both_versions
    def test_keys_change_between_writes(self, suite: SuiteParameters) -> None:
        target = writer(suite)
        target.write(22, b"old")
        target.protect(sealer(suite, 1))
        target.write(23, b"new")
        source = reader(suite, target.take())
        assert source.next() == (22, b"old")
        source.protect(opener(suite, 1))
        assert source.next() == (23, b"new")

    @both_versions
    def test_records_left(self, suite: SuiteParameters) -> None:
        target = writer(suite, max_fragment=10)
        before = target.records_left
        assert before == suite.record_limit
        target.write(23, bytes(95))
        assert target.records_left == before - 10

    @both_versions
    @pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
    @pytest.mark.parametrize("size", [20, 40_000])
    def test_what_was_written_may_change_afterwards(
        self, suite: SuiteParameters, kind: Callable[[bytes], Any], size: int
    ) -> None:
        target = writer(suite)
        data = bytearray(b"x" * size)
        target.write(23, kind(data))
        data[:] = bytes(size)
        assert results_of(reader(suite, target.take())) == [(23, b"x" * size)]


@pytest.mark.parametrize("suite", [None, AES_13, GCM_12])
def test_nothing_to_write(suite: SuiteParameters | None) -> None:
    target = writer(suite)
    for content_type in (21, 22, 23):
        target.write(content_type, b"")
    assert target.take() == b""
    assert target.records_left == (None if suite is None else suite.record_limit)


class TestPadding:
    def test_policy(self) -> None:
        """It sees the content's length; type byte and tag come on top."""
        target = writer(AES_13, padding=pad_to_64)
        for length in (1, 63, 64, 65):
            target.write(23, bytes(length))
        wire = target.take()
        assert bodies_of(wire) == [64 + 17, 64 + 17, 64 + 17, 128 + 17]
        assert results_of(reader(AES_13, wire)) == [(23, bytes(1 + 63 + 64 + 65))]

    def test_each_fragment_is_padded(self) -> None:
        target = writer(AES_13, padding=pad_to_64, max_fragment=100)
        target.write(23, bytes(250))
        assert bodies_of(target.take()) == [100 + 17, 100 + 17, 64 + 17]

    @pytest.mark.parametrize(("asked", "given_"), [(-1, 0), (-(10**9), 0), (10**9, MAX_PLAINTEXT - 5)])
    def test_the_nearest_that_fits(self, asked: int, given_: int) -> None:
        target = writer(AES_13, padding=lambda length: asked)
        target.write(22, b"hello")
        wire = target.take()
        assert bodies_of(wire) == [5 + given_ + 17]
        assert results_of(reader(AES_13, wire)) == [(22, b"hello")]

    def test_within_a_smaller_record_size(self) -> None:
        """RFC 8449: the peer's limit counts content, type and padding."""
        target = writer(AES_13, padding=lambda length: 1000, max_fragment=63)
        target.write(23, bytes(130))
        assert bodies_of(target.take()) == [63 + 17, 63 + 17, 63 + 17]

    def test_not_in_tls12_nor_unprotected(self) -> None:
        for suite, expected in ((GCM_12, sealer(GCM_12).seal(23, b"data")), (None, plain(23, b"data"))):
            asked: list[int] = []
            target = writer(suite, padding=asked.append)  # nobody asks, so None does no harm
            target.write(23, b"data")
            assert target.take() == expected
            target.write(23, bytes(100_000))
            assert asked == []


@pytest.mark.parametrize("duplicate", DUPLICATES)
@pytest.mark.parametrize("suite", [None, AES_13, GCM_12])
def test_a_copy_goes_its_own_way(suite: SuiteParameters | None, duplicate: Callable[[Any], Any]) -> None:
    options = {"padding": pad_to_64, "max_fragment": 77, "legacy_record_version": 0x0301}
    expected, original = writer(suite, **options), writer(suite, **options)
    for target in (expected, original):
        target.write(22, b"first" * 40)
    fork = duplicate(original)
    original.write(22, b"only here")
    for target in (expected, fork):
        target.write(22, b"second")
    assert fork.take() == expected.take()
    assert fork.max_fragment == 77


@given(
    st.sampled_from([None, AES_13, GCM_12, CHACHA_12]),
    st.lists(st.tuples(st.sampled_from([21, 22, 23]), st.binary(max_size=500)), max_size=8),
    st.integers(1, 600),
    st.sampled_from([None, pad_to_64, abs]),
    st.booleans(),
)
def test_the_reader_gets_it_back(suite, sent, size, padding, taken_at_once) -> None:
    if suite is None:
        sent = [item for item in sent if item[0] != 23]
    target = writer(suite, max_fragment=size, padding=padding)
    wire = b""
    for item in sent:
        target.write(*item)
        wire += b"" if taken_at_once else target.take()
    wire += target.take()
    received = results_of(reader(suite, wire))
    assert all(length <= size + 25 for length in bodies_of(wire))
    for content_type in (21, 22, 23):
        assert b"".join(c for t, c in received if t == content_type) == b"".join(
            c for t, c in sent if t == content_type
        )
    assert [t for t, _ in joined(received)] == [t for t, c in sent for _ in range(-(-len(c) // size))] or any(
        t == 23 for t, _ in sent
    )
