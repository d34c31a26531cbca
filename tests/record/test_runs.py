"""Runs of application data: where they stop, what is left behind, and that ``open`` says the rest."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansticket.crypto.suites import SuiteParameters
from sansticket.errors import Fault
from sansticket.record.protection import MAX_EMPTY_RECORDS, MAX_PLAINTEXT, record_stop
from tests.support.records import (
    AES_13,
    CHACHA_12,
    GCM_12,
    SUITES_12,
    SUITES_13,
    keys_for,
    name_of,
    opener,
    plain,
    run,
    sealer,
)

each_suite = pytest.mark.parametrize("suite", SUITES_13 + SUITES_12, ids=name_of)
both_versions = pytest.mark.parametrize("suite", [AES_13, GCM_12, CHACHA_12], ids=name_of)


@each_suite
def test_all_that_is_there(suite: SuiteParameters) -> None:
    source, target = sealer(suite), opener(suite)
    sizes = (1, 64, MAX_PLAINTEXT, 3)
    wire = b"prefix" + b"".join(source.seal(23, b"%d" % (size % 7) * 1 + bytes(size - 1)) for size in sizes)
    stop, content, empty = run(target, wire, start=6)
    assert (stop, empty, target.sequence) == (len(wire), 0, 4)
    assert content == b"".join(b"%d" % (size % 7) + bytes(size - 1) for size in sizes)


@both_versions
@pytest.mark.parametrize("content_type", [21, 22])
def test_it_stops_before_another_type(suite: SuiteParameters, content_type: int) -> None:
    source, target = sealer(suite), opener(suite)
    first = source.seal(23, b"data")
    other = source.seal(content_type, b"other")
    assert run(target, first + other) == (len(first), b"data", 0)
    assert target.sequence == 1
    assert target.open(other[:5], other[5:]) == (content_type, b"other")


@both_versions
@pytest.mark.parametrize("cut", [0, 1, 4, 5, 20])
def test_it_stops_before_an_incomplete_record(suite: SuiteParameters, cut: int) -> None:
    source, target = sealer(suite), opener(suite)
    first = source.seal(23, b"data")
    assert run(target, first + source.seal(23, b"more")[:cut]) == (len(first), b"data", 0)


@pytest.mark.parametrize(
    "follows",
    [
        plain(20, b"\x01"),
        b"\x17\x02" + bytes(100),
        plain(23, b""),
        plain(23, bytes(15)),
        plain(23, bytes(16)),
        plain(23, bytes(23)),
        plain(23, bytes(100)),
        plain(23, bytes(16_641)),
    ],
)
@both_versions
def test_it_stops_before_what_is_wrong(suite: SuiteParameters, follows: bytes) -> None:
    target = opener(suite)
    first = sealer(suite).seal(23, b"data")
    assert run(target, first + follows) == (len(first), b"data", 0)
    assert target.sequence == 1


@both_versions
def test_what_does_not_decrypt_leaves_no_plaintext(suite: SuiteParameters) -> None:
    record = sealer(suite).seal(23, b"secret" * 100)
    for position in (5, 20, len(record) - 1):
        changed = bytearray(record)
        changed[position] ^= 1
        room = bytearray(len(record))
        target = opener(suite)
        assert target.open_run(bytes(changed), 0, memoryview(room), 0) == (0, 0, 0)
        assert not any(room)
        assert target.sequence == 0


@both_versions
def test_it_stops_before_too_much_content(suite: SuiteParameters) -> None:
    wire = sealer(suite).seal(23, bytes(MAX_PLAINTEXT + 1))
    assert run(opener(suite), wire) == (0, b"", 0)


def test_padded_data_is_data() -> None:
    source, target = sealer(AES_13), opener(AES_13)
    sent = ((b"a", 5), (b"b\0\0", 0), (b"c\0", 300), (b"d", MAX_PLAINTEXT - 1))
    wire = b"".join(source.seal(23, content, padding) for content, padding in sent)
    assert run(target, wire) == (len(wire), b"ab\0\0c\0d", 0)
    too_long = source.seal(23, b"d", MAX_PLAINTEXT)
    assert run(target, too_long) == (0, b"", 0)


@pytest.mark.parametrize("zeros", [0, 1, 100])
def test_nothing_but_padding(zeros: int) -> None:
    keys = keys_for(AES_13)
    header = bytes((23, 3, 3)) + (zeros + 16).to_bytes(2)
    wire = header + AES_13.aead(keys.key).encrypt(keys.iv, bytes(zeros), header)
    assert run(opener(AES_13), wire) == (0, b"", 0)


@both_versions
def test_empty_records_are_counted(suite: SuiteParameters) -> None:
    source, target = sealer(suite), opener(suite)
    wire = b"".join(source.seal(23, content) for content in (b"", b"", b"a", b"", b"", b""))
    assert run(target, wire, empty=7) == (len(wire), b"a", 3)


@both_versions
def test_it_stops_before_one_empty_record_too_many(suite: SuiteParameters) -> None:
    source, target = sealer(suite), opener(suite)
    records = [source.seal(23, b"") for _ in range(MAX_EMPTY_RECORDS + 1)]
    stop = len(records[0]) * MAX_EMPTY_RECORDS
    assert run(target, b"".join(records)) == (stop, b"", MAX_EMPTY_RECORDS)
    assert target.sequence == MAX_EMPTY_RECORDS
    assert target.open(records[-1][:5], records[-1][5:]) == (23, b"")


@both_versions
def test_it_stops_where_the_sequence_number_would_wrap(suite: SuiteParameters) -> None:
    last = 2**64 - 1
    target = opener(suite, sequence=last)
    record = sealer(suite, sequence=last).seal(23, b"last")
    assert run(target, record + record) == (len(record), b"last", 0)
    assert run(target, record) == (0, b"", 0)


@given(
    st.sampled_from([AES_13, GCM_12, CHACHA_12]),
    st.lists(
        st.tuples(
            st.sampled_from([21, 22, 23, 23, 23]), st.binary(min_size=1, max_size=40), st.integers(0, 3)
        )
    ),
    st.integers(0, 1000),
)
def test_one_by_one_and_in_a_run_are_the_same(suite: SuiteParameters, sent, broken: int) -> None:
    source = sealer(suite)
    wire = bytearray(b"".join(source.seal(*item) for item in sent))
    if broken < len(wire):
        wire[broken] ^= 0x40
    start, content = 0, b""
    one_by_one = opener(suite)
    with suppress(Fault):
        while stop := record_stop(bytes(wire), start):
            content_type, fragment = one_by_one.open(
                bytes(wire[start : start + 5]), bytes(wire[start + 5 : stop])
            )
            if content_type != 23:
                break
            content += fragment
            start = stop
    assert run(opener(suite), bytes(wire)) == (start, content, 0)
