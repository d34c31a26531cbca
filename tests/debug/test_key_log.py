"""The key log takes the lines that TLS libraries write, and names the line that is none."""

from __future__ import annotations

import pytest

from sansticket.debug.key_log import KeyLog, KeyLogError

RANDOM = bytes(range(32))
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
    ],
)
def test_what_is_no_line_is_named(line: str, problem: str) -> None:
    with pytest.raises(KeyLogError, match=problem):
        KeyLog().add(line)
    with pytest.raises(KeyLogError, match=f"line 2: .*{problem}"):
        KeyLog(f"{LINE}\n{line}")


def test_secrets_are_not_shown() -> None:
    assert repr(KeyLog(LINE)) == "<KeyLog of 1 secrets>"
