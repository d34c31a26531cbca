"""Changes to what is honest, which are to break something: each one says so if it changed nothing.

A byte that is put in the place of another is the same byte once in 256 runs; such a test fails by chance,
or passes without having tried anything.
"""

from __future__ import annotations

from typing import TypeVar

T = TypeVar("T")


def changed(honest: object, edited: T) -> T:
    """``edited``, which must not be what it was made from.  Who hands back the very same thing means it."""
    assert edited is honest or edited != honest, f"the edit changed nothing: {edited!r}"
    return edited


def flipped(data: bytes, place: int = -1, bit: int = 0) -> bytes:
    """``data`` with one bit turned in the byte at ``place``, which counts from the end if it is negative."""
    edited = bytearray(data)
    edited[place] ^= 1 << bit
    return changed(data, bytes(edited))
