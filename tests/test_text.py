"""Words that others chose: printable and short, whatever they were."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansticket.errors import ConfigError, Fault, LocalProtocolError, Reason
from sansticket.events import ConnectionTerminated
from sansticket.text import MAX_PIECE, MAX_TEXT, listed, printable, quoted, short
from sansticket.tickets.records import Check, IdentityRecord, ResumptionRecord

anything = st.text() | st.text(st.characters(max_codepoint=31)) | st.text(min_size=900, max_size=1_100)


@given(text=anything)
def test_a_text_is_printable_and_short(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert len(shown) <= MAX_TEXT
    if text.isprintable() and len(text) <= MAX_TEXT:
        assert shown == text


@given(
    piece=anything | st.binary() | st.binary(min_size=190, max_size=210) | st.tuples(st.binary(), st.text())
)
def test_a_piece_is_printable_and_short(piece: object) -> None:
    shown = quoted(piece)
    assert shown.isprintable()
    assert len(shown) <= MAX_PIECE
    if len(repr(piece)) <= MAX_PIECE:
        assert shown == repr(piece)
    else:
        assert shown.endswith("...")


@pytest.mark.parametrize("number", [10**5000, -(10**5000)], ids=["huge", "negative"])
def test_an_integer_of_more_digits_than_python_writes(number: int) -> None:
    for piece in (number, (1, number), [number], {number: number}):
        assert "<an integer of thousands of digits>" in quoted(piece)
        assert "<an integer of thousands of digits>" in short(piece)
    assert quoted(10**100) == repr(10**100)


@given(numbers=st.lists(st.integers(0, 0xFFFF), max_size=60).map(tuple))
def test_numbers_are_listed(numbers: tuple[int, ...]) -> None:
    shown = listed(numbers)
    assert len(shown) <= MAX_PIECE
    assert shown == ", ".join(f"{number:#06x}" for number in numbers) or shown.endswith("...")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb", r"a\nb"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("nul\0", r"nul\x00"),
        ("\u202eturned", r"\u202eturned"),
        ("\u2028next", r"\u2028next"),
        ("\ud800", r"\ud800"),
        ("Zürich, 東京", "Zürich, 東京"),
        ("x" * 1_000, "x" * 1_000),
        ("x" * 1_001, "x" * 997 + "..."),
        ("\n" * 1_000, r"\n" * 498 + "\\" + "..."),
    ],
)
def test_examples(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_long_pieces_are_not_read_to_their_end() -> None:
    assert quoted(b"x" * 100_000_000) == "b'" + "x" * 195 + "..."


NASTY = "\n\x1b]0;title\x07" + "x" * 5_000


def test_every_text_is_held_to_its_bound_where_it_is_made() -> None:
    terminated = ConnectionTerminated(Reason.ILLEGAL_VALUE, 47, NASTY)
    check = Check("name", False, NASTY)
    identity = IdentityRecord(0, key_name=bytes(5_000), checks=(check, Check("other", True, NASTY)))
    record = ResumptionRecord((identity,), why=NASTY)
    fault = Fault(Reason.ILLEGAL_VALUE, NASTY)
    texts = [
        str(terminated),
        terminated.detail,
        str(check),
        check.detail,
        record.why,
        *(line.strip() for line in str(record).split("\n")),
        str(fault),
        fault.detail,
        str(LocalProtocolError(NASTY)),
        str(ConfigError("server_name", NASTY)),
    ]
    for text in texts:
        assert text.isprintable()
        assert len(text) <= MAX_TEXT
