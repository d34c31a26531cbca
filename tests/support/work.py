"""How much work something is, counted and not timed: the steps that the interpreter takes in the package."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import sansticket

PACKAGE = str(Path(sansticket.__file__).parent)


class Counting(int):
    """A number that counts how often it, or any other of its kind, is compared."""

    comparisons = 0

    def __eq__(self, other: object) -> bool:
        Counting.comparisons += 1
        return int(self) == other

    __hash__ = int.__hash__


def steps(action: Callable[[], object]) -> int:
    """Opcodes of the package's own code.  What its calls into C cost is not seen."""
    count = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        if event == "call":
            if not frame.f_code.co_filename.startswith(PACKAGE):
                return None
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
        elif event == "opcode":
            count += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        action()
    finally:
        sys.settrace(before)
    return count
