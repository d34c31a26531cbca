"""Tests of what came after the lowest ``cryptography`` that works: skipped where it is missing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import pytest

from sansticket.library import ML_KEM, Newer

SHARES: Final = "X25519_MLKEM768 and X25519" if ML_KEM.installed else "X25519"
"""What a ClientHello of the defaults has shares of, in words."""


def needs(what: Newer) -> pytest.MarkDecorator:
    """Skips a test, a parameter or (as ``pytestmark``) a module where it is not installed."""
    return pytest.mark.skipif(not what.installed, reason=what.lacking)


def require(what: Newer) -> None:
    """The same, for a helper that many tests call."""
    if not what.installed:
        pytest.skip(what.lacking)


def each(values: Iterable[Any], newer: Mapping[Any, Newer]) -> list[Any]:
    """The values as parameters of a test; ``newer`` says what some of them need."""
    return [pytest.param(value, marks=needs(newer[value])) if value in newer else value for value in values]
