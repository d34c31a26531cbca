"""The key log takes the lines that TLS libraries write, and skips what is none, with a note."""

from __future__ import annotations

import re

import pytest

from sansticket.debug import explain
from sansticket.debug.key_log import HEADER, MAX_NOTES, SECRET_LENGTHS, KeyLog, KeyLogError

RANDOM = bytes(range(32))
SECOND = f"CLIENT_RANDOM {RANDOM.hex()} {'ab' * 48}"
LINE = f"CLIENT_TRAFFIC_SECRET_0 {RANDOM.hex()} {'ab' * 32}"


def test_a_secret_is_found_by_its_label_and_its_connection() -> None:
    log = KeyLog(f"# made by a browser\n\n{LINE}\n")
    assert len(log) == 1
    assert log.secret("CLIENT_TRAFFIC_SECRET_0", RANDOM) == b"\xab" * 32
    assert log.secret("SERVER_TRAFFIC_SECRET_0", RANDOM) is None
    assert log.secret("CLIENT_TRAFFIC_SECRET_0", bytes(32)) is None


def test_both_sides_may_write_into_the_same_log() -> None:
    log = KeyLog()
    log.add(LINE)
    log.add(LINE)
    assert len(log) == 1


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("CLIENT_RANDOM", "1 words; expected a label, a client random and a secret"),
        (f"{LINE} more", "4 words"),
        (LINE.replace("ab", "xy"), "CLIENT_TRAFFIC_SECRET_0 is not hexadecimal"),
        (f"LABEL {RANDOM.hex()}00 ab", "LABEL is too short or too long"),
        (f"CLIENT_RANDOM {RANDOM.hex()} {'ab' * 32}", "CLIENT_RANDOM is too short or too long"),
        (f"RSA {'cd' * 8} {'ab' * 48}", "RSA is too short or too long"),
        (f"{'ab' * 48} {RANDOM.hex()} {'ab' * 48}", "does not begin with a label"),
        ("\x1b[31mCLIENT_RANDOM a b", "does not begin with a label"),
    ],
)
def test_what_is_no_line_is_named(line: str, problem: str) -> None:
    with pytest.raises(KeyLogError, match=problem):
        KeyLog().add(line)
    log = KeyLog(f"{LINE}\n{line}\n{SECOND}\n")
    assert len(log) == 2, "all others count"
    (note,) = log.notes
    assert re.fullmatch(f"line 2 skipped: .*{problem}.*", note)


def test_a_line_that_is_not_written_to_its_end() -> None:
    """A log is read while others write to it: wherever its last line is torn, it does not count."""
    for cut in range(len(SECOND) + 1):
        log = KeyLog(f"{LINE}\n{SECOND[:cut]}")
        whole = cut == len(SECOND)
        assert len(log) == 1 + whole
        assert len(log.notes) == log.skipped == (0 < cut < len(SECOND))
        assert not any("abab" in note for note in log.notes)


def test_lines_with_the_ends_of_other_systems() -> None:
    log = KeyLog(f"# made elsewhere\r\n{LINE}\r\n{SECOND}\r\n")
    assert (len(log), log.notes) == (2, ())


def test_labels_that_are_not_read_here() -> None:
    """Of Encrypted Client Hello (RFC 9850): the second value of one is a whole ECHConfig."""
    others = [
        f"ECH_SECRET {RANDOM.hex()} {'ab' * 64}",
        f"ECH_CONFIG {RANDOM.hex()} fe0d{'cd' * 70}",
        f"EXPORTER_SECRET {RANDOM.hex()} {'ef' * 32}",
    ]
    log = KeyLog("\n".join([*others, LINE]))
    assert log.notes == ()
    assert log.secret("CLIENT_TRAFFIC_SECRET_0", RANDOM) == b"\xab" * 32


def test_the_lengths_of_all_labels_that_are_read_are_known() -> None:
    read = {label for labels in explain._LABELS.values() for label in labels.values()}
    assert set(SECRET_LENGTHS) == read | {"CLIENT_RANDOM"}


def test_of_many_lines_the_number_is_enough() -> None:
    log = KeyLog("no line\n" * 1000)
    assert len(log) == 0
    assert log.skipped == 1000
    assert len(log.notes) == MAX_NOTES + 1
    assert log.notes[-1] == f"{1000 - MAX_NOTES} more lines skipped"


def test_how_a_file_begins() -> None:
    log = KeyLog(f"{HEADER}\n{LINE}\n")
    assert (len(log), log.notes) == (1, ())


def test_secrets_are_not_shown() -> None:
    assert repr(KeyLog(LINE)) == "<KeyLog of 1 secrets>"
