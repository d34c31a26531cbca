"""What a server has to settle before it takes early data: how much, when, and who remembers it."""

from __future__ import annotations

from collections.abc import Iterable
from math import isfinite
from typing import Any, Final

from attrs import Attribute

from sansticket.config.checks import as_tuple
from sansticket.errors import ConfigError
from sansticket.inputs import has_float
from sansticket.text import quoted
from sansticket.tickets.stores.replay import ReplayRecorder

MAX_EARLY_DATA: Final = 0xFFFFFFFF
"""Bytes: what max_early_data_size has room for (RFC 9846 section 4.7.1)."""


def as_window(values: Iterable[float]) -> tuple[float, float]:
    """As a tuple; what is no pair is for ``is_window`` to complain of."""
    window: tuple[float, float] = as_tuple(values)
    return window


def is_window(config: object, attribute: Attribute[Any], window: Any) -> None:
    """Two numbers of seconds, neither below 0."""
    if not isinstance(window, tuple) or len(window) != 2:
        raise ConfigError(attribute.name, f"{quoted(window)}; expected two numbers of seconds")
    for seconds in window:
        number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
        if number and not has_float(seconds):
            raise ConfigError(attribute.name, "a number beyond all floats; expected seconds, 0 or more")
        if not number or not isfinite(seconds) or seconds < 0:
            raise ConfigError(attribute.name, f"{quoted(seconds)}; expected seconds, 0 or more")


def check_early_data(
    limit: int, window: tuple[float, float], replay: ReplayRecorder | None, *, otherwise: bool
) -> None:
    """No early data without protection from replay, or with a recorder that forgets too early (RFC 9846 section 8)."""
    if limit and replay is None and not otherwise:
        raise ConfigError(
            "max_early_data",
            f"{limit}, and nothing protects from replay; expected single_use_tickets=True, or replay=ReplayRecorder(), "
            "or an answer for ClaimEarlyData",
        )
    if replay is not None and replay.window < sum(window):
        raise ConfigError(
            "replay",
            f"remembers for {replay.window} seconds; expected at least {sum(window)}, the whole early_data_window",
        )
