"""What is given in the place of bytes by mistake, and sources of randomness that are none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

WRONG_BYTES: Final[tuple[Any, ...]] = (32, "secret words" * 4, [7] * 32, None, True, 32.0, [b"7" * 32])
"""``bytes`` makes zeros, or bytes, of some of these."""

BROKEN_ENTROPY: Final[tuple[Callable[[int], Any], ...]] = (
    lambda length: b"",
    lambda length: bytes(length - 1),
    lambda length: bytes(length + 1),
    lambda length: bytearray(length),
    lambda length: "x" * length,
    lambda length: length,
    lambda length: None,
)
"""Each gives another number of bytes than it is asked for, or no bytes."""
