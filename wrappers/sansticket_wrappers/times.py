"""The time-outs that a wrapper is given, looked at before anybody waits for them."""

from __future__ import annotations

from typing import Any, Final

from sansticket import ConfigError

TIMES: Final = frozenset({"timeout", "linger", "answer_timeout", "grace"})


def check_times(**options: Any) -> None:
    """ConfigError for what is no number of seconds, among the options that are times.

    An event loop says so too, but in the middle of a connection, which nobody would end then.
    """
    for name in TIMES & options.keys():
        value = options[name]
        if not isinstance(value, int | float) or isinstance(value, bool) or not value >= 0:
            raise ConfigError(name, f"{value!r}; expected a number of seconds, 0 or more")
