"""The time-outs that a wrapper is given, looked at before anybody waits for them."""

from __future__ import annotations

from typing import Any, Final

from sansticket import ConfigError
from sansticket.inputs import has_float
from sansticket.text import quoted

TIMES: Final = frozenset({"timeout", "linger", "answer_timeout", "grace"})


def check_times(**options: Any) -> None:
    """ConfigError for what is no number of seconds, among the options that are times.

    An event loop says so too, but in the middle of a connection, which nobody would end then.
    """
    for name in TIMES & options.keys():
        value = options[name]
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not (number and value >= 0 and has_float(value)):
            raise ConfigError(name, f"{quoted(value)}; expected a number of seconds, 0 or more")
