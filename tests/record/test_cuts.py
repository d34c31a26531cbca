"""However a byte stream is cut, the same comes out of it: content, faults and what they say."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sansticket.crypto.suites import SuiteParameters
from sansticket.record.protection import MAX_EMPTY_RECORDS
from sansticket.record.reader import RecordReader
from tests.support.examples import examples
from tests.support.records import (
    AES_13,
    CHACHA_12,
    DUPLICATES,
    GCM_12,
    Result,
    joined,
    name_of,
    opener,
    plain,
    read_pieces,
    reader,
    sealer,
)

SWITCH = b"\x18 new keys from here on"
"""The content of a handshake record after which our stream changes keys."""

Item = tuple[int, bytes]

contents = st.one_of(st.binary(max_size=3), st.binary(max_size=300), st.just(b"long" * 3000))
items = st.one_of(
    st.tuples(st.just(23), contents),
    st.tuples(st.just(23), st.just(b"")),
    st.tuples(st.sampled_from([21, 22]), st.binary(min_size=1, max_size=40)),
    st.just((22, SWITCH)),
)
endings = st.sampled_from(
    [
        b"",
        b"\x17\x03",
        b"\x17\x03\x03\x00\x20half a record",
        b"\x17\x03\x03\x00\x14twenty bytes of chaff",
        b"\x17\x03\x03\x00\x00",
        b"\x17\x03\x03\xff\xff",
        b"\x17\x02\x03\x00\x01",
        b"\x63\x03\x03\x00\x01x",
        b"GET / HTTP/1.1",
    ]
)
suites = st.sampled_from([AES_13, GCM_12, CHACHA_12])


def stream(suite: SuiteParameters, sent: list[Item]) -> bytes:
    epoch = 0
    source = sealer(suite)
    wire = b""
    for item in sent:
        wire += source.seal(*item)
        if item == (22, SWITCH):
            epoch += 1
            source = sealer(suite, epoch)
    return wire


def key_switcher(suite: SuiteParameters):
    epochs = iter(range(1, 1000))

    def react(source: RecordReader, result: Result) -> None:
        if result == (22, SWITCH):
            source.protect(opener(suite, next(epochs)))

    return react


def read(suite: SuiteParameters, pieces: list[bytes]) -> tuple[list[Result], str]:
    results, fault = read_pieces(reader(suite), pieces, key_switcher(suite))
    return results, repr(fault)


def cut(wire: bytes, points: list[int]) -> list[bytes]:
    bounds = [0, *sorted(point % (len(wire) + 1) for point in points), len(wire)]
    return [wire[start:stop] for start, stop in pairwise(bounds)]


@settings(max_examples=examples(500))
@given(suites, st.lists(items, max_size=12), endings, st.lists(st.integers(0, 10**6), max_size=12))
@example(AES_13, [(23, b"x")] + [(23, b"")] * (MAX_EMPTY_RECORDS + 1) + [(23, b"y")], b"", [30, 60, 700])
@example(GCM_12, [(23, b"x")] + [(23, b"")] * MAX_EMPTY_RECORDS + [(23, b"y")], b"", [30, 60, 700])
def test_any_cut(suite: SuiteParameters, sent: list[Item], ending: bytes, points: list[int]) -> None:
    wire = stream(suite, sent) + ending
    assert read(suite, cut(wire, points)) == read(suite, [wire])


@given(suites, st.lists(items, max_size=12))
def test_nothing_is_lost_or_added(suite: SuiteParameters, sent: list[Item]) -> None:
    results, fault = read(suite, [stream(suite, sent)])
    assert fault == "None"
    assert results == joined(item for item in sent if item[1])


@pytest.mark.parametrize("suite", [AES_13, GCM_12, CHACHA_12], ids=name_of)
def test_every_cut_in_two_and_byte_by_byte(suite: SuiteParameters) -> None:
    sent = [(23, b"a"), (23, b"bb"), (23, b""), (22, SWITCH), (23, b"c"), (21, b"\x01\x00"), (23, b"d" * 50)]
    wire = stream(suite, sent) + b"\x17\x03\x03\x00\x14twenty bytes of chaff"
    whole = read(suite, [wire])
    assert "does not decrypt" in whole[1]
    for point in range(len(wire)):
        assert read(suite, [wire[:point], wire[point:]]) == whole
    assert read(suite, [wire[i : i + 1] for i in range(len(wire))]) == whole


@given(st.lists(st.sampled_from(
    [plain(22, b"hello"), plain(20, b"\x01"), plain(21, b"\x02\x28"), plain(22, b""), plain(20, b"\x02"),
     plain(23, b"early data, twenty-odd bytes"), plain(23, b""), plain(99, b"x"), b"HELO", plain(22, bytes(20_000))]
), max_size=8), st.integers(0, 40), st.lists(st.integers(0, 10**5), max_size=8))  # fmt: skip
def test_any_cut_without_protection(records: list[bytes], budget: int, points: list[int]) -> None:
    def read(pieces: list[bytes]) -> tuple[list[Result], str, int]:
        source = reader()
        source.skip_plaintext_application_data = budget
        results, fault = read_pieces(source, pieces)
        return results, repr(fault), source.skip_plaintext_application_data

    wire = b"".join(records)
    assert read(cut(wire, points)) == read([wire])


@given(
    st.lists(st.one_of(st.integers(0, 60).map(lambda n: ("early", n)), st.just(("ours", 0))), max_size=10),
    st.integers(0, 200),
    st.lists(st.integers(0, 10**4), max_size=8),
)
def test_any_cut_of_rejected_early_data(sent: list[tuple[str, int]], budget: int, points: list[int]) -> None:
    early, ours = sealer(AES_13, 9), sealer(AES_13)
    wire = b"".join(
        early.seal(23, bytes(length)) if kind == "early" else ours.seal(23, b"ours") for kind, length in sent
    )

    def read(pieces: list[bytes]) -> tuple[list[Result], str]:
        source = reader(AES_13)
        source.skip_undecryptable = budget
        results, fault = read_pieces(source, pieces)
        return results, repr(fault)

    assert read(cut(wire, points)) == read([wire])


@settings(max_examples=examples(300))
@given(
    suites,
    st.lists(items, max_size=8),
    endings,
    st.lists(st.tuples(st.integers(0, 10**6), st.sampled_from(DUPLICATES)), max_size=6),
)
def test_a_copy_at_any_cut(suite: SuiteParameters, sent: list[Item], ending: bytes, forks) -> None:
    """Reading goes on with a copy after each cut; the original it was made from is fed garbage."""
    wire = stream(suite, sent) + ending
    react = key_switcher(suite)
    pieces = cut(wire, [point for point, _ in forks])
    source, results, fault = reader(suite), [], None
    for number, piece in enumerate(pieces):
        more, fault = read_pieces(source, [piece], react)
        results += more
        if fault is not None:
            break
        if number < len(forks):
            original, source = source, forks[number][1](source)
            original.feed(b"garbage that only the original sees")
    assert (joined(results), repr(fault)) == read(suite, [wire])
