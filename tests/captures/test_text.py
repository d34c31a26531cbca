"""Hexadecimal text of every kind that people have."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansticket.captures.errors import CaptureError
from sansticket.captures.text import MAX_REPEATED, read_capture

HELLO = b"\x16\x03\x01\x00\x50\x01" + bytes(40) + b"abc 0123 ff: 00  dead beef |" + bytes(33)

COMMANDS = (
    ("xxd",),
    ("xxd", "-g1"),
    ("xxd", "-g4", "-u"),
    ("xxd", "-c", "20"),
    ("xxd", "-p"),
    ("hexdump", "-C"),
    ("hexdump", "-v", "-C"),
)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_what_programs_print(command: tuple[str, ...]) -> None:
    if shutil.which(command[0]) is None:
        pytest.skip(f"no {command[0]} here; their formats are tested below as well")
    for size in (17, 46, len(HELLO)):
        printed = subprocess.run(command, input=HELLO[:size], capture_output=True, check=True).stdout
        assert read_capture(printed) == [("client", HELLO[:size])]


def xxd(data: bytes, *, group: int = 2) -> str:
    rows = []
    for start in range(0, len(data), 16):
        row = data[start : start + 16]
        digits = " ".join(row[at : at + group].hex() for at in range(0, len(row), group))
        shown = "".join(chr(one) if 32 <= one < 127 else "." for one in row)
        rows.append(f"{start:08x}: {digits:<{48 if group == 1 else 40}} {shown}")
    return "\n".join(rows) + "\n"


def hexdump(data: bytes) -> str:
    rows, before = [], None
    for start in range(0, len(data), 16):
        row = data[start : start + 16]
        if row == before and start + 16 < len(data):
            rows += ["*"] if rows[-1] != "*" else []
            continue
        digits = f"{row[:8].hex(' '):<23}  {row[8:].hex(' '):<23}"
        rows.append(f"{start:08x}  {digits}  |{'.' * len(row)}|")
        before = row
    return "\n".join([*rows, f"{len(data):08x}"]) + "\n"


@given(st.binary(max_size=100), st.sampled_from([1, 2, 4]))
def test_dumps_are_read_as_they_are_written(data: bytes, group: int) -> None:
    whole = b"\x16\x03\x01\x00\x50\x01" + data + bytes(50)
    assert read_capture(xxd(whole, group=group).encode()) == [("client", whole)]
    assert read_capture(hexdump(whole).encode()) == [("client", whole)]


def test_repeated_lines_are_bounded_together() -> None:
    """A short text is not gigabytes, however often a * stands in it."""
    step = 16 + MAX_REPEATED // 2
    dump = "*\n".join(f"{number * step:08x}: 1603 0100 5001{' 0000' * 5}\n" for number in range(4))
    with pytest.raises(CaptureError, match=f"line 7 begins at {3 * step:#x}; expected .*: lines are missing"):
        read_capture(dump.encode())


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("00000000: 1603 01\n00000020: 00\n", r"line 2 begins at 0x20; expected 0x3: lines are missing"),
        ("00000000: 1603 01\nnot of it\n", "line 2 is none of a dump, as those before it are"),
        ("00000000  16 03 0\n", "line 1 is none of a dump"),
        ("00000000  16 03 01 00\n*\nffffff00\n", "lines are missing"),
        ("\x1f\x8b\x08", "gunzip"),
        ("XCP\0", "editcap"),
        ('{"a": 1}', "it begins neither with a ClientHello"),
        ("a text that is none", "line 1 is not hexadecimal"),
        ("> 16 03 0\n", "an odd number of hexadecimal digits"),
        ("# nothing\n", "no bytes in it"),
        ("  \n", "nothing in it"),
    ],
)
def test_what_is_wrong_is_said(text: str, why: str) -> None:
    with pytest.raises(CaptureError, match=why):
        read_capture(text.encode("latin-1"))
