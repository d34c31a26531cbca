"""The account of a handshake reads as a short text."""

from sansticket.text import MAX_TEXT
from sansticket.tickets.decision import TicketReturn, TicketStatus
from sansticket.tickets.early_data import EarlyDataOutcome, EarlyDataReason, EarlyDataStatus
from sansticket.tickets.records import MAX_RECORD, MAX_REPR, Check, IdentityRecord, ResumptionRecord


def test_a_resumption() -> None:
    record = ResumptionRecord(
        identities=(
            IdentityRecord(0, b"\xab\xcd", TicketStatus.NO_DECRYPT, TicketReturn.IGNORE_RENEW),
            IdentityRecord(
                1,
                b"\x01" * 16,
                TicketStatus.SUCCESS_RENEW,
                TicketReturn.USE_RENEW,
                (Check("context", True), Check("expiry", True, "age 60.000 s, lifetime 7200 s")),
            ),
        ),
        winner=1,
        tickets_to_follow=1,
        why="identity 1 is resumed, with renewal",
    )
    assert record.resumed
    assert str(record) == (
        "resumed identity 1, 1 ticket to follow: identity 1 is resumed, with renewal\n"
        "  identity 0 key abcd NO_DECRYPT -> IGNORE_RENEW: no checks\n"
        "  identity 1 key 01010101010101010101010101010101 SUCCESS_RENEW -> USE_RENEW\n"
        "    passed: context, expiry (age 60.000 s, lifetime 7200 s)"
    )


def test_a_full_handshake() -> None:
    failed = IdentityRecord(0, checks=(Check("hash", True), Check("name", False, "a.example, not b.example")))
    record = ResumptionRecord((failed,), tickets_to_follow=2, why="full handshake, no identity could be used")
    assert not record.resumed
    assert not failed.passed
    assert str(record) == (
        "full handshake, 2 tickets to follow: no identity could be used\n"
        "  identity 0\n"
        "    name FAILED (a.example, not b.example)\n"
        "    passed: hash"
    )


def ticket_record(index: int, words: int) -> IdentityRecord:
    checks = tuple(Check(f"check {number}", number < 4, "x" * words) for number in range(5))
    return IdentityRecord(index, b"k" * 16, TicketStatus.SUCCESS, TicketReturn.USE, checks)


def test_eight_identities_are_shown_as_a_server_sees_them() -> None:
    record = ResumptionRecord(tuple(ticket_record(index, 50) for index in range(8)), None, 2, "none will do")
    text = str(record)
    assert 3_000 < len(text) <= MAX_RECORD
    assert [f"  identity {index} key" in text for index in range(8)] == [True] * 8
    assert "more" not in text


def test_a_record_has_its_bounds() -> None:
    """Nobody makes so long a one by wrong identities; what is left out is counted."""
    early = EarlyDataOutcome(EarlyDataStatus.REJECTED, EarlyDataReason.NOT_ADMITTED, "y" * 5_000)
    for words in (0, 100, 400, 1_000, 5_000):
        for number in (1, 8, 9, 1_000):
            identities = tuple(ticket_record(index, words) for index in range(min(number, 9)))
            identities += (IdentityRecord(9),) * (number - len(identities))
            record = ResumptionRecord(identities, None, 2, "z" * 5_000, early_data=early)
            lines = str(record).split("\n")
            assert len(str(record)) <= MAX_RECORD
            assert max(map(len, lines)) <= MAX_TEXT + 4
            shown = sum(line.startswith("  identity ") for line in lines)
            more = [line for line in lines if line.startswith("  and ")]
            assert more == ([] if shown == number else [f"  and {number - shown} more identities"])
            assert len(repr(record)) < MAX_REPR + 3 * MAX_TEXT


def test_nothing_offered() -> None:
    assert str(ResumptionRecord()) == "full handshake, 0 tickets to follow"
    assert IdentityRecord(0).passed


def test_after_the_winner_and_what_a_client_was_not_told() -> None:
    identities = (IdentityRecord(0, checks=(Check("hash", True),)), IdentityRecord(1))
    record = ResumptionRecord(identities, 0, None, "the server took this session")
    assert str(record) == (
        "resumed identity 0: the server took this session\n"
        "  identity 0\n"
        "    passed: hash\n"
        "  identity 1: not looked at"
    )
