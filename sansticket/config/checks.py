"""Checks of the fields of a config: each complaint names the field, what was wrong and what was expected."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from reprlib import repr as short
from typing import Any

from sansticket.errors import ConfigError


def as_tuple(values: Any) -> Any:
    """Several values as a tuple.  What is no collection stays as it is, for ``check_items`` to complain of."""
    return tuple(values) if isinstance(values, Iterable) and not isinstance(values, str | bytes) else values


def as_dict(values: Any) -> Any:
    """A mapping as a dict of its own; anything else stays as it is, for ``check_type``."""
    return dict(values) if isinstance(values, Mapping) else values


def check_type(field: str, value: Any, kind: type | tuple[type, ...], expected: str) -> None:
    if not isinstance(value, kind):
        raise ConfigError(field, f"{short(value)}; expected {expected}")


def check_items(field: str, values: Any, kind: type, expected: str) -> None:
    """A tuple of such values, perhaps an empty one."""
    if not isinstance(values, tuple):
        raise ConfigError(field, f"{short(values)}; expected a sequence, each {expected}")
    for value in values:
        check_type(field, value, kind, expected)


def check_callable(field: str, value: Any, expected: str) -> None:
    if not callable(value):
        raise ConfigError(field, f"{short(value)}; expected a function, {expected}")


def check_some(field: str, values: Any, known: Collection[int]) -> None:
    """At least one, and each of those that are known."""
    check_known(field, values, known)
    if not values:
        raise ConfigError(field, "empty; expected at least one")


def check_known(field: str, values: Any, known: Collection[int]) -> None:
    check_items(field, values, int, "a number")
    for value in values:
        if value not in known:
            raise ConfigError(
                field, f"{value!r} is not one that sansticket knows; expected of {[int(k) for k in known]}"
            )
    if len(set(values)) != len(values):
        raise ConfigError(field, "one is named twice")


def check_range(field: str, value: Any, low: int, high: int) -> None:
    if not isinstance(value, int) or not low <= value <= high:
        raise ConfigError(field, f"{short(value)}; expected an integer from {low} to {high}")
