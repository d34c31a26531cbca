"""Rejected early data is passed over, within a budget (RFC 9846 section 4.3.10)."""

from __future__ import annotations

import pytest

from sansticket.errors import Reason
from sansticket.record.protection import MAX_CIPHERTEXT, MAX_PLAINTEXT
from sansticket.record.reader import RecordReader
from tests.support.faults import fault
from tests.support.records import AES_13, DUPLICATES, plain, reader, results_of, sealer

EARLY = 7
"""The epoch of the early data keys, which the reader does not have."""


def early(*lengths: int) -> bytes:
    source = sealer(AES_13, EARLY)
    return b"".join(source.seal(23, bytes(length)) for length in lengths)


def skipping(budget: int) -> RecordReader:
    source = reader(AES_13, in_handshake=True)
    source.skip_undecryptable = budget
    return source


def skipping_after_retry(budget: int) -> RecordReader:
    source = reader()
    source.skip_plaintext_application_data = budget
    return source


class TestUndecryptable:
    def test_until_a_record_decrypts(self) -> None:
        source = skipping(1000)
        sealed = sealer(AES_13)
        source.feed(early(100, 200, 1) + sealed.seal(22, b"Finished") + sealed.seal(23, b"data"))
        assert results_of(source) == [(22, b"Finished"), (23, b"data")]
        assert source.skip_undecryptable == 0

    def test_no_more_after_that(self) -> None:
        source = skipping(1000)
        source.feed(early(100) + sealer(AES_13).seal(22, b"Finished") + early(100))
        assert source.next() == (22, b"Finished")
        with fault(Reason.BAD_RECORD_MAC):
            source.next()

    def test_it_costs_the_content(self) -> None:
        source = skipping(1000)
        source.feed(early(300))
        assert source.next() is None
        assert source.skip_undecryptable == 700
        source.feed(early(700))
        assert source.next() is None
        assert source.skip_undecryptable == 0

    def test_exactly_the_budget(self) -> None:
        source = skipping(1000)
        source.feed(early(600, 400) + sealer(AES_13).seal(22, b"Finished"))
        assert results_of(source) == [(22, b"Finished")]

    @pytest.mark.parametrize("lengths", [(1001,), (600, 401), (1000, 0), (1000, 1)])
    def test_over_the_budget(self, lengths: tuple[int, ...]) -> None:
        source = skipping(1000)
        source.feed(early(*lengths) + sealer(AES_13).seal(22, b"Finished"))
        with fault(Reason.TOO_MUCH_EARLY_DATA):
            source.next()

    def test_empty_ones_end_too(self) -> None:
        source = skipping(10)
        source.feed(early(*[0] * 10))
        assert source.next() is None
        source.feed(plain(23, b""))
        with fault(Reason.TOO_MUCH_EARLY_DATA):
            source.next()

    def test_too_long_is_too_long(self) -> None:
        source = skipping(1_000_000)
        source.feed(plain(23, bytes(MAX_CIPHERTEXT)))
        assert source.next() is None
        source.feed(bytes((23, 3, 3)) + (MAX_CIPHERTEXT + 1).to_bytes(2))
        with fault(Reason.RECORD_OVERFLOW):
            source.next()

    def test_what_decrypts_and_is_wrong_is_not_passed_over(self) -> None:
        source = skipping(1000)
        source.feed(early(5) + sealer(AES_13).seal(23, bytes(MAX_PLAINTEXT + 1)))
        with fault(Reason.RECORD_OVERFLOW):
            source.next()

    def test_change_cipher_spec_and_alert_in_between(self) -> None:
        source = skipping(1000)
        source.feed(early(5) + plain(20, b"\x01") + early(5) + plain(21, b"\x02\x28"))
        assert results_of(source) == [(20, b"\x01"), (21, b"\x02\x28")]
        assert source.skip_undecryptable == 990

    def test_without_a_budget(self) -> None:
        for source in (reader(AES_13), skipping(0)):
            source.feed(early(1))
            with fault(Reason.BAD_RECORD_MAC):
                source.next()

    @pytest.mark.parametrize("duplicate", DUPLICATES)
    def test_a_copy_has_a_budget_of_its_own(self, duplicate) -> None:
        source = skipping(1000)
        source.feed(early(400))
        assert source.next() is None
        fork = duplicate(source)
        fork.feed(early(600))
        assert fork.next() is None
        assert (source.skip_undecryptable, fork.skip_undecryptable) == (600, 0)


class TestAfterHelloRetryRequest:
    def test_until_the_second_hello(self) -> None:
        source = skipping_after_retry(1000)
        source.feed(early(100, 200) + plain(20, b"\x01") + early(300) + plain(22, b"ClientHello"))
        assert results_of(source) == [(20, b"\x01"), (22, b"ClientHello")]
        assert source.skip_plaintext_application_data == 0

    def test_no_more_after_that(self) -> None:
        source = skipping_after_retry(1000)
        source.feed(early(100) + plain(22, b"Client") + early(100))
        assert source.next() == (22, b"Client")
        with fault(Reason.UNEXPECTED_MESSAGE, "without protection"):
            source.next()

    def test_it_costs_the_content(self) -> None:
        source = skipping_after_retry(1000)
        source.feed(early(300))
        assert source.next() is None
        assert source.skip_plaintext_application_data == 700

    def test_exactly_the_budget(self) -> None:
        source = skipping_after_retry(1000)
        source.feed(early(600, 400) + plain(22, b"ClientHello"))
        assert results_of(source) == [(22, b"ClientHello")]

    @pytest.mark.parametrize("lengths", [(1001,), (600, 401), (1000, 0), (1000, 1)])
    def test_over_the_budget(self, lengths: tuple[int, ...]) -> None:
        source = skipping_after_retry(1000)
        source.feed(early(*lengths))
        with fault(Reason.TOO_MUCH_EARLY_DATA):
            source.next()

    def test_it_may_be_as_long_as_a_protected_record(self) -> None:
        source = skipping_after_retry(1_000_000)
        source.feed(plain(23, bytes(MAX_CIPHERTEXT)))
        assert source.next() is None
        source.feed(bytes((22, 3, 3)) + (MAX_PLAINTEXT + 1).to_bytes(2))
        with fault(Reason.RECORD_OVERFLOW):
            source.next()

    def test_too_long_is_too_long(self) -> None:
        source = skipping_after_retry(1_000_000)
        source.feed(bytes((23, 3, 3)) + (MAX_CIPHERTEXT + 1).to_bytes(2))
        with fault(Reason.RECORD_OVERFLOW):
            source.next()

    def test_a_budget_can_be_taken_back(self) -> None:
        source = skipping_after_retry(1000)
        source.skip_plaintext_application_data = 0
        source.feed(early(1))
        with fault(Reason.UNEXPECTED_MESSAGE):
            source.next()
