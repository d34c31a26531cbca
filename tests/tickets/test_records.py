"""The account of a handshake reads as a short text."""

from sansticket.tickets.decision import TicketReturn, TicketStatus
from sansticket.tickets.records import Check, IdentityRecord, ResumptionRecord


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
