"""Checks of the fields of a config: each complaint names the field, what was wrong and what was expected.

What begins with ``check_`` raises ConfigError at once; the others make validators for ``attrs.field``, which know
the name of their field.  Converters give a constructor its type, and leave what they cannot convert as it is: the
validator, which comes after them, complains of that.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

from attrs import Attribute

from sansticket.errors import ConfigError
from sansticket.library import Newer
from sansticket.text import quoted, short
from sansticket.values import frozen

Validator = Callable[[object, "Attribute[Any]", Any], None]

SECRET: Final = frozenset(
    {"credentials", "entropy", "psks", "session", "session_store", "stateless_retry", "ticket_keys"}
)
"""Fields of keys, or of what has some in it: what is given in their place by mistake is a key more often than not."""


# --- checks --------------------------------------------------------------------------------------------------


def as_tuple(values: Any) -> Any:
    """Several values as a tuple.  What is no collection stays as it is, for ``check_items`` to complain of."""
    return tuple(values) if isinstance(values, Iterable) and not isinstance(values, str | bytes) else values


def shown(field: str, value: Any) -> str:
    """What was given, for a complaint; of what may be a secret its type alone."""
    return f"a value of type {type(value).__name__}" if field in SECRET else short(value)


def check_type(field: str, value: Any, kind: type | tuple[type, ...], expected: str) -> None:
    if not isinstance(value, kind):
        raise ConfigError(field, f"{shown(field, value)}; expected {expected}")


def check_items(field: str, values: Any, kind: type, expected: str) -> None:
    """A tuple of such values, perhaps an empty one."""
    if not isinstance(values, tuple):
        raise ConfigError(field, f"{shown(field, values)}; expected a sequence, each {expected}")
    for value in values:
        check_type(field, value, kind, expected)


def check_known(
    field: str, values: Any, known: Collection[int], newer: Mapping[int, Newer] = MappingProxyType({})
) -> None:
    """Different numbers, each of those that are known; perhaps none.  ``newer``: what some need to be known."""
    check_items(field, values, int, "a number")
    for value in values:
        if value not in known:
            if value in newer and not newer[value].installed:
                raise ConfigError(field, f"{quoted(value)}: {newer[value].lacking}")
            raise ConfigError(
                field,
                f"{quoted(value)} is not one that sansticket knows; expected of {[int(k) for k in known]}",
            )
    if len(set(values)) != len(values):
        raise ConfigError(field, "one is named twice")


def check_range(field: str, value: Any, low: int, high: int) -> None:
    """An integer, which True and False are not."""
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ConfigError(field, f"{short(value)}; expected an integer from {low} to {high}")


# --- converters ----------------------------------------------------------------------------------------------


def as_numbers(values: Iterable[int]) -> tuple[int, ...]:
    numbers: tuple[int, ...] = as_tuple(values)
    return numbers


def as_numbers_or_none(values: Iterable[int] | None) -> tuple[int, ...] | None:
    return None if values is None else as_numbers(values)


def as_strings_of_bytes(values: Iterable[bytes]) -> tuple[bytes, ...]:
    strings: tuple[bytes, ...] = as_tuple(values)
    return strings


# --- validators ----------------------------------------------------------------------------------------------


def is_a(kind: type | tuple[type, ...], expected: str) -> Validator:
    """An instance of a class, or of one of several."""

    def validate(config: object, attribute: Attribute[Any], value: Any) -> None:
        check_type(attribute.name, value, kind, expected)

    return validate


is_flag: Final = is_a(bool, "True or False")


@frozen
class InRange:
    """The validator of an integer from ``low`` to ``high``, both included; ``help()`` shows the bounds."""

    low: int
    high: int

    def __call__(self, config: object, attribute: Attribute[Any], value: Any) -> None:
        check_range(attribute.name, value, self.low, self.high)


def is_function(expected: str) -> Validator:
    """Something to call."""

    def validate(config: object, attribute: Attribute[Any], value: Any) -> None:
        if not callable(value):
            given = shown(attribute.name, value)
            raise ConfigError(attribute.name, f"{given}; expected a function, {expected}")

    return validate


def is_some_of(
    known: Callable[[], Collection[int]], newer: Mapping[int, Newer] = MappingProxyType({})
) -> Validator:
    """At least one number, each of those that are known; what is known may be costly to find out."""

    def validate(config: object, attribute: Attribute[Any], value: Any) -> None:
        check_known(attribute.name, value, known(), newer)
        if not value:
            raise ConfigError(attribute.name, "empty; expected at least one")

    return validate


def is_any_of(known: Callable[[], Collection[int]]) -> Validator:
    """Numbers, perhaps none, each of those that are known."""

    def validate(config: object, attribute: Attribute[Any], value: Any) -> None:
        check_known(attribute.name, value, known() if value else ())

    return validate


def are(kind: type, expected: str) -> Validator:
    """A tuple of instances of a class."""

    def validate(config: object, attribute: Attribute[Any], value: Any) -> None:
        check_items(attribute.name, value, kind, expected)

    return validate


def or_none(validator: Validator) -> Validator:
    """None, or what the other validator says."""

    def validate(config: object, attribute: Attribute[Any], value: Any) -> None:
        if value is not None:
            validator(config, attribute, value)

    return validate


def has_length(low: int, high: int) -> Validator:
    """Bytes, from ``low`` to ``high`` of them."""

    def validate(config: object, attribute: Attribute[Any], value: Any) -> None:
        check_type(attribute.name, value, bytes, "bytes or None")
        if not low <= len(value) <= high:
            at_least = f"{low} to {high}" if low else f"at most {high}"
            raise ConfigError(attribute.name, f"{len(value)} bytes; expected {at_least}")

    return validate
