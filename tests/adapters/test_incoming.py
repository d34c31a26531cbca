"""The incoming buffer is cut into records, whatever it holds and however it fills: nothing is lost or taken early."""

import ssl
import time

from hypothesis import given
from hypothesis import strategies as st

from sansticket.adapters.incoming import HEADER_LENGTH, MAX_RECORD, Incoming


def record(size: int, kind: int = 23) -> bytes:
    return bytes((kind, 3, 3)) + size.to_bytes(2) + bytes(size)


def filled(*pieces: bytes) -> Incoming:
    incoming = Incoming(ssl.MemoryBIO())
    for piece in pieces:
        incoming.bio.write(piece)
    return incoming


def test_one_record_and_no_more() -> None:
    first, second = record(10), record(20)
    incoming = filled(first, second)
    assert incoming.record() == first
    assert incoming.bio.pending == len(second)
    assert incoming.record() == second
    assert incoming.record() == b""


def test_half_a_header_is_kept() -> None:
    whole = record(10)
    incoming = filled(whole[:3])
    assert incoming.record() == b""
    assert incoming.bio.pending == 0
    incoming.bio.write(whole[3:12])
    assert incoming.record() == whole[:12]
    incoming.bio.write(whole[12:] + whole)
    assert incoming.record() == whole[12:]
    assert incoming.records(1000) == whole


def test_a_record_without_content() -> None:
    incoming = filled(record(0), record(0), record(0))
    assert incoming.record() == record(0)
    assert incoming.records(1000) == record(0)
    assert incoming.records(1000) == record(0)


def test_several_records_but_not_the_last() -> None:
    wire = record(10) * 5
    incoming = filled(wire)
    assert incoming.records(1000) == record(10) * 4
    assert incoming.bio.pending == 1
    assert incoming.records(1000) == record(10)


def test_not_more_than_is_wanted() -> None:
    incoming = filled(record(10) * 5)
    assert incoming.records(30) == record(10) * 2
    assert incoming.records(1) == record(10)


def test_one_by_one_when_nothing_could_be_given_back() -> None:
    incoming = filled(record(10) * 5)
    incoming.bio.write_eof()
    for left in (60, 45, 30, 15, 0):
        assert incoming.records(1000) == record(10)
        assert incoming.bio.pending == left


def test_what_begins_behind_a_record_and_is_wrong_by_its_header_is_for_the_next_call() -> None:
    incoming = filled(record(10)[:8])
    assert incoming.records(1000) == record(10)[:8]
    incoming.bio.write(record(10)[8:] + b"GET / HTTP/1.0\r\n")
    assert incoming.records(1000) == record(10)[8:]
    assert incoming.bio.pending > 0
    assert incoming.records(1000) == b"GET / HTTP/1.0\r\n"


def test_giving_back() -> None:
    incoming = filled(record(10) * 3 + record(9000))
    taken = incoming.records(1000)
    incoming.give_back(taken[15:])
    assert incoming.bio.read() == record(10) * 2 + record(9000)
    incoming.give_back(b"")
    assert incoming.bio.pending == 0


sizes = st.integers(0, 60) | st.sampled_from([1000, 16_401, MAX_RECORD - HEADER_LENGTH])


@given(
    records=st.lists(st.tuples(sizes, st.sampled_from([21, 22, 23])), min_size=1, max_size=12),
    cuts=st.lists(st.integers(1, 40_000), min_size=1, max_size=6),
    wanted=st.lists(st.sampled_from([1, 20, 100, 5000, 20_000, 300_000]), min_size=1, max_size=4),
    rest=st.sampled_from([b"", b"GET / HTTP/1.0\r\n\r\n", b"\x17", b"\x17\x03\x03\x00"]),
)
def test_any_cut(records: list[tuple[int, int]], cuts: list[int], wanted: list[int], rest: bytes) -> None:
    """Together it is what came, in order; and a call that empties the buffer handed out one record at most."""
    wire = b"".join(record(*one) for one in records) + rest
    ends, end = {0}, 0
    for size, _ in records:
        end += HEADER_LENGTH + size
        ends.add(end)
    incoming, out, turn, fed = Incoming(ssl.MemoryBIO()), b"", 0, 0
    while fed < len(wire):
        size = cuts[turn % len(cuts)]
        incoming.bio.write(wire[fed : fed + size])
        fed = min(len(wire), fed + size)
        while incoming.bio.pending:
            turn += 1
            want = wanted[turn % len(wanted)]
            taken = incoming.records(want) if want > 1 else incoming.record()
            complete = [end for end in ends if len(out) < end <= len(out) + len(taken)]
            assert len(complete) <= 1 or len(taken) <= want + HEADER_LENGTH + MAX_RECORD
            assert len(complete) <= 1 or incoming.bio.pending
            out += taken
        turn += 1
    assert wire.startswith(out)
    assert len(wire) - len(out) < HEADER_LENGTH


def test_the_time_grows_with_the_length_only() -> None:
    """Reading a byte at a time from much that has come, or a record at a time."""

    def spent(count: int, wanted: int) -> float:
        incoming = filled(record(30) * count)
        start = time.process_time()
        while incoming.bio.pending:
            incoming.records(wanted)
        return time.process_time() - start

    for wanted in (1, 70, 1 << 30):
        spent(1000, wanted)
        short, long = (min(spent(count, wanted) for _ in range(3)) for count in (5_000, 40_000))
        assert long < 40 * max(short, 0.001)
