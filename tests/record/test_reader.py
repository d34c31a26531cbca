"""The reader: what it gives, what it refuses and under which name."""

from __future__ import annotations

from collections.abc import Callable
from time import process_time
from typing import Any

import pytest

from sansticket.crypto.suites import SuiteParameters
from sansticket.errors import Reason
from sansticket.record.protection import MAX_CIPHERTEXT, MAX_EMPTY_RECORDS, MAX_PLAINTEXT
from sansticket.record.reader import RecordReader
from tests.support.edits import flipped
from tests.support.faults import fault
from tests.support.records import (
    AES_13,
    CHACHA_12,
    DUPLICATES,
    GCM_12,
    name_of,
    opener,
    plain,
    reader,
    results_of,
    sealer,
)

both_versions = pytest.mark.parametrize("suite", [AES_13, GCM_12, CHACHA_12], ids=name_of)
any_protection = pytest.mark.parametrize(
    "suite", [None, AES_13, GCM_12], ids=["unprotected", "TLS 1.3", "TLS 1.2"]
)
COMPATIBILITY_CCS = plain(20, b"\x01")


class TestUnprotected:
    def test_records_come_one_by_one(self) -> None:
        source = reader(None, plain(22, b"hello") + plain(22, b"again") + plain(21, b"\x02\x28"))
        assert results_of(source) == [(22, b"hello"), (22, b"again"), (21, b"\x02\x28")]
        assert source.buffered == 0

    @pytest.mark.parametrize("version", [0x0300, 0x0301, 0x0303, 0x0304, 0x03FF])
    def test_the_minor_version_is_ignored(self, version: int) -> None:
        assert results_of(reader(None, plain(22, b"hello", version))) == [(22, b"hello")]

    def test_the_longest_record(self) -> None:
        assert results_of(reader(None, plain(22, bytes(MAX_PLAINTEXT)))) == [(22, bytes(MAX_PLAINTEXT))]
        with fault(Reason.RECORD_OVERFLOW, "16385"):
            reader(None, plain(22, bytes(MAX_PLAINTEXT + 1))[:5]).next()

    @pytest.mark.parametrize("content_type", [20, 21, 22])
    def test_empty_record(self, content_type: int) -> None:
        with fault(Reason.EMPTY_RECORD, str(content_type)):
            reader(None, plain(content_type, b"")).next()

    def test_application_data(self) -> None:
        """As soon as its type is seen, and however short it is."""
        with fault(Reason.UNEXPECTED_MESSAGE, "without protection"):
            reader(None, plain(23, b"data")[:2]).next()

    @pytest.mark.parametrize("body", [b"\0", b"\x02", b"\x01\x01"])
    def test_malformed_change_cipher_spec(self, body: bytes) -> None:
        with fault(Reason.UNEXPECTED_CHANGE_CIPHER_SPEC):
            reader(None, plain(20, body)).next()

    def test_change_cipher_spec(self) -> None:
        assert results_of(reader(None, COMPATIBILITY_CCS)) == [(20, b"\x01")]


class TestNotTls:
    @pytest.mark.parametrize(
        "start",
        [
            b"GET / HTTP/1.1",
            b"SSH-2.0-x",
            b"\x80\x2e\x01\x03\x01",
            b"\x16\x02\x00\x00\x05",
            b"\0\0",
            b"\x15\xfe",
        ],
        ids=["HTTP", "SSH", "SSL 2", "major version 2", "zeros", "DTLS"],
    )
    def test_two_bytes_tell(self, start: bytes) -> None:
        source = reader(None, start[:1])
        assert source.next() is None
        source.feed(start[1:])
        with fault(Reason.NOT_TLS, start[:2].hex()):
            source.next()

    @any_protection
    def test_also_later(self, suite: SuiteParameters | None) -> None:
        """A record header cannot have another major version, protected or not."""
        source = reader(suite, b"\x17\x02\x00\x00\x05")
        with fault(Reason.NOT_TLS, "1702"):
            source.next()

    @any_protection
    @pytest.mark.parametrize("content_type", [0, 19, 24, 0x47, 255])
    def test_unknown_content_type(self, suite: SuiteParameters | None, content_type: int) -> None:
        with fault(Reason.UNKNOWN_CONTENT_TYPE, str(content_type)):
            reader(suite, bytes((content_type, 3))).next()


class TestProtected:
    @both_versions
    def test_a_run_of_application_data_is_one_result(self, suite: SuiteParameters) -> None:
        source = sealer(suite)
        records = [source.seal(23, bytes((number,)) * (100 * number)) for number in range(1, 8)]
        content = b"".join(bytes((number,)) * (100 * number) for number in range(1, 8))
        assert results_of(reader(suite, b"".join(records))) == [(23, content)]

    @both_versions
    def test_what_is_not_application_data_ends_a_run(self, suite: SuiteParameters) -> None:
        source = sealer(suite)
        records = [
            source.seal(*item) for item in ((23, b"a"), (23, b"b"), (22, b"K"), (23, b"c"), (21, b"\1\0"))
        ]
        target = reader(suite, b"".join(records))
        assert target.next() == (23, b"ab")
        assert target.buffered >= len(records[3]) + len(records[4])
        assert results_of(target) == [(22, b"K"), (23, b"c"), (21, b"\1\0")]

    @both_versions
    def test_keys_change_after_the_record_that_says_so(self, suite: SuiteParameters) -> None:
        """Several records and two changes are there at once; the rest stays ciphertext until its keys come."""
        wire = b""
        for epoch in range(3):
            source = sealer(suite, epoch)
            wire += b"".join(source.seal(*item) for item in ((23, b"one"), (23, b"two"), (22, b"%d" % epoch)))
        target = reader(suite, wire)
        for epoch in range(3):
            assert target.next() == (23, b"onetwo")
            assert target.next() == (22, b"%d" % epoch)
            target.protect(opener(suite, epoch + 1))
        assert target.next() is None

    @both_versions
    def test_old_keys_after_the_change(self, suite: SuiteParameters) -> None:
        source = sealer(suite)
        target = reader(suite, source.seal(22, b"K") + source.seal(23, b"late"))
        assert target.next() == (22, b"K")
        target.protect(opener(suite, 1))
        with fault(Reason.BAD_RECORD_MAC):
            target.next()

    @both_versions
    def test_the_longest_record(self, suite: SuiteParameters) -> None:
        """By its header alone: 2^14 + 256 is refused later, when it does not decrypt."""
        limit = (23, 3, 3, *MAX_CIPHERTEXT.to_bytes(2))
        source = reader(suite, bytes(limit))
        assert source.next() is None
        source.feed(bytes(MAX_CIPHERTEXT))
        with fault(Reason.BAD_RECORD_MAC):
            source.next()
        with fault(Reason.RECORD_OVERFLOW, "16641"):
            reader(suite, bytes((23, 3, 3)) + (MAX_CIPHERTEXT + 1).to_bytes(2)).next()

    @both_versions
    def test_an_oversized_record_behind_others(self, suite: SuiteParameters) -> None:
        source = sealer(suite)
        wire = source.seal(23, b"a") + source.seal(23, b"b") + b"\x17\x03\x03\xff\xff" + bytes(70_000)
        target = reader(suite, wire)
        assert target.next() == (23, b"ab")
        with fault(Reason.RECORD_OVERFLOW, "65535"):
            target.next()

    @both_versions
    @pytest.mark.parametrize("position", range(5))
    def test_a_bad_record_does_not_take_what_preceded_it(self, suite: SuiteParameters, position: int) -> None:
        source = sealer(suite)
        records = [source.seal(23, b"%d" % number) for number in range(5)]
        records[position] = flipped(records[position])
        target = reader(suite, b"".join(records))
        if position:
            assert target.next() == (23, b"01234"[:position])
        for _ in range(2):
            with fault(Reason.BAD_RECORD_MAC, f"record {position} "):
                target.next()

    @pytest.mark.parametrize("content_type", [22])
    def test_unprotected_handshake_record(self, content_type: int) -> None:
        with fault(Reason.UNEXPECTED_MESSAGE, "under protection"):
            reader(AES_13, plain(content_type, b"\x14\0\0\0")[:2]).next()

    def test_compatibility_change_cipher_spec(self) -> None:
        """RFC 9846 section 5: it stands between protected records and has no sequence number."""
        source = sealer(AES_13)
        wire = source.seal(23, b"a") + COMPATIBILITY_CCS + source.seal(23, b"b")
        assert results_of(reader(AES_13, wire)) == [(23, b"a"), (20, b"\x01"), (23, b"b")]

    @pytest.mark.parametrize("body", [b"\0", b"\x01\x01", b"\x02"])
    def test_other_change_cipher_spec(self, body: bytes) -> None:
        with fault(Reason.UNEXPECTED_CHANGE_CIPHER_SPEC):
            reader(AES_13, plain(20, body)).next()
        with fault(Reason.EMPTY_RECORD):
            reader(AES_13, plain(20, b"")).next()

    def test_change_cipher_spec_of_tls12_must_decrypt(self) -> None:
        with fault(Reason.BAD_RECORD_MAC):
            reader(GCM_12, COMPATIBILITY_CCS).next()

    def test_the_version_in_a_header_is_authenticated(self) -> None:
        record = sealer(AES_13).seal(23, b"x")
        with fault(Reason.BAD_RECORD_MAC):
            reader(AES_13, b"\x17\x03\x01" + record[3:]).next()

    @both_versions
    def test_exhausted_sequence_number(self, suite: SuiteParameters) -> None:
        target = RecordReader()
        target.protect(opener(suite, sequence=2**64))
        target.feed(sealer(suite).seal(23, b"x"))
        with fault(Reason.SEQUENCE_EXHAUSTED):
            target.next()


def test_records_that_waited_together_are_read_once() -> None:
    """They came in small pieces.  To copy what is left for each of them would take many seconds."""
    source, target = sealer(GCM_12), RecordReader(in_handshake=False)
    wire = b"".join(source.seal(22, b"x") for _ in range(30_000))
    target.protect(opener(GCM_12))
    for start in range(0, len(wire), 1000):
        target.feed(wire[start : start + 1000])
    start_time = process_time()
    assert target.next() == (22, b"x")
    while target.buffered:
        assert target.next() == (22, b"x")
    assert process_time() - start_time < 3
    assert target.next() is None


class TestUnprotectedAlerts:
    """RFC 9846 section 6: the peer may fail before it has the keys that we have already."""

    def test_while_they_are_accepted(self) -> None:
        assert results_of(reader(AES_13, plain(21, b"\x02\x28"), in_handshake=True)) == [(21, b"\x02\x28")]

    def test_no_longer(self) -> None:
        source = reader(AES_13, plain(21, b"\x02\x28")[:2])
        with fault(Reason.UNEXPECTED_MESSAGE, "type 21"):
            source.next()

    @pytest.mark.parametrize("body", [b"\x02", b"\x02\x28\x00"])
    def test_only_whole_ones(self, body: bytes) -> None:
        with fault(Reason.UNEXPECTED_MESSAGE, "alert"):
            reader(AES_13, plain(21, body), in_handshake=True).next()

    def test_an_empty_one(self) -> None:
        with fault(Reason.EMPTY_RECORD):
            reader(AES_13, plain(21, b""), in_handshake=True).next()

    def test_it_takes_no_sequence_number(self) -> None:
        wire = plain(21, b"\x01\x5a") + sealer(AES_13).seal(22, b"Finished")
        assert results_of(reader(AES_13, wire, in_handshake=True)) == [(21, b"\x01\x5a"), (22, b"Finished")]

    def test_never_in_tls12(self) -> None:
        with fault(Reason.BAD_RECORD_MAC):
            reader(GCM_12, plain(21, b"\x02\x28")).next()


class TestEmptyRecords:
    @both_versions
    def test_as_many_as_may_come(self, suite: SuiteParameters) -> None:
        """They give nothing, and any content starts the count again."""
        source = sealer(suite)
        wire = b""
        for content_type, content in ((23, b"data"), (22, b"message"), (23, b"end")):
            wire += b"".join(source.seal(23, b"") for _ in range(MAX_EMPTY_RECORDS))
            wire += source.seal(content_type, content)
        assert results_of(reader(suite, wire)) == [(23, b"data"), (22, b"message"), (23, b"end")]

    @both_versions
    @pytest.mark.parametrize("before", [b"", b"data"])
    def test_one_too_many(self, suite: SuiteParameters, before: bytes) -> None:
        source = sealer(suite)
        wire = source.seal(23, before) if before else b""
        wire += b"".join(source.seal(23, b"") for _ in range(MAX_EMPTY_RECORDS + 1))
        target = reader(suite, wire + source.seal(23, b"after"))
        if before:
            assert target.next() == (23, before)
        with fault(Reason.TOO_MANY_EMPTY_RECORDS, "32"):
            target.next()

    @both_versions
    def test_one_by_one(self, suite: SuiteParameters) -> None:
        source, target = sealer(suite), reader(suite)
        for _ in range(MAX_EMPTY_RECORDS):
            target.feed(source.seal(23, b""))
            assert target.next() is None
        target.feed(source.seal(23, b""))
        with fault(Reason.TOO_MANY_EMPTY_RECORDS):
            target.next()

    def test_padding_does_not_fill_them(self) -> None:
        source = sealer(AES_13)
        wire = b"".join(source.seal(23, b"", padding=100) for _ in range(MAX_EMPTY_RECORDS + 1))
        with fault(Reason.TOO_MANY_EMPTY_RECORDS):
            reader(AES_13, wire).next()

    @both_versions
    @pytest.mark.parametrize("count", [1, 2, 40])
    def test_none_in_the_handshake(self, suite: SuiteParameters, count: int) -> None:
        """There is no application data yet, with or without content."""
        source = sealer(suite)
        wire = source.seal(22, b"message") + b"".join(source.seal(23, b"") for _ in range(count))
        target = reader(suite, wire + source.seal(22, b"Finished"), in_handshake=True)
        assert target.next() == (22, b"message")
        with fault(Reason.UNEXPECTED_MESSAGE, "before Finished"):
            target.next()


class TestBuffer:
    def test_what_is_fed_may_change_afterwards(self) -> None:
        for kind in (bytearray, lambda data: memoryview(bytearray(data))):
            source = RecordReader()
            wire = plain(22, b"hello")
            for piece in (wire[:3], wire[3:]):
                data = kind(piece)
                source.feed(data)
                data[:] = bytes(len(data))
            assert results_of(source) == [(22, b"hello")]

    def test_buffered(self) -> None:
        record = sealer(AES_13).seal(23, b"x" * 50)
        source = reader(AES_13)
        assert source.buffered == 0
        for count, byte in enumerate(record[:-1], 1):
            source.feed(bytes((byte,)))
            assert source.next() is None
            assert source.buffered == count
        source.feed(record[-1:])
        assert source.next() == (23, b"x" * 50)
        assert source.buffered == 0

    def test_what_was_not_given_out_counts(self) -> None:
        sealed = sealer(AES_13)
        message = sealed.seal(23, b"a") + sealed.seal(23, b"b"), sealed.seal(22, b"K" * 70)
        source = reader(AES_13, b"".join(message))
        assert source.next() == (23, b"ab")
        assert source.buffered == len(message[1])

    def test_a_large_block_is_let_go(self) -> None:
        """A few bytes of the next record must not keep alive the block in which they came."""
        sealed = sealer(AES_13)
        big = sealed.seal(23, bytes(MAX_PLAINTEXT)) * 1 + sealed.seal(23, b"next")[:9]
        source = reader(AES_13, big)
        assert source.next() == (23, bytes(MAX_PLAINTEXT))
        assert source.next() is None
        held = source.__getstate__()["buffer"]
        assert isinstance(held, bytes)
        assert len(held) == source.buffered == 9
        assert len(source.buffer) == 9


@pytest.mark.parametrize("duplicate", DUPLICATES)
@both_versions
def test_a_copy_goes_its_own_way(suite: SuiteParameters, duplicate: Callable[[Any], Any]) -> None:
    """In mid-record, with a complete one not given out."""
    sealed = sealer(suite)
    wire = b"".join(sealed.seal(*item) for item in ((23, b"a"), (23, b"b"), (22, b"K"), (23, b"c" * 99)))
    original = reader(suite, wire[:-20])
    assert original.next() == (23, b"ab")
    fork = duplicate(original)
    original.feed(wire[-20:])
    assert results_of(original) == [(22, b"K"), (23, b"c" * 99)]
    assert fork.buffered > 0
    assert fork.in_handshake is False
    fork.feed(wire[-20:])
    assert results_of(fork) == [(22, b"K"), (23, b"c" * 99)]


def test_no_plaintext_in_the_repr() -> None:
    sealed = sealer(AES_13)
    source = reader(AES_13, sealed.seal(23, b"a") + sealed.seal(23, b"b") + sealed.seal(22, b"private"))
    assert source.next() == (23, b"ab")
    assert "private" not in repr(source)
