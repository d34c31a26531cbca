"""What every command is, and how its fields are checked."""

from __future__ import annotations

from collections.abc import Callable
from types import NoneType
from typing import Any, Final

from attrs import Attribute

from sansticket.codes import AlertDescription
from sansticket.text import quoted
from sansticket.values import frozen


@frozen
class Command:
    """Base of all commands.  A value of a wrong type is a TypeError, one out of range a ValueError."""


def is_kind(*kinds: type, expected: str) -> Callable[[Command, Attribute[Any], Any], None]:
    """A validator.  What it complains of may be a secret, and is not shown."""

    def validate(command: Command, attribute: Attribute[Any], value: Any) -> None:
        if not isinstance(value, kinds):
            field_ = f"{type(command).__name__}.{attribute.name}"
            raise TypeError(f"{field_}: {type(value).__name__}; expected {expected}")

    return validate


is_text: Final = is_kind(str, expected="text")
is_bytes: Final = is_kind(bytes, expected="bytes")
is_bytes_or_none: Final = is_kind(bytes, NoneType, expected="bytes or None")


NO_ERRORS: Final = frozenset(
    {AlertDescription.CLOSE_NOTIFY, AlertDescription.USER_CANCELED, AlertDescription.NO_RENEGOTIATION}
)
"""The first two have a level and an order of their own (RFC 9846 section 6.1); the third is always a warning (RFC 5246
section 7.2.2)."""


def error_alert(value: int) -> AlertDescription:
    """Any alert but those of ``NO_ERRORS``."""
    if type(value) is not AlertDescription and type(value) is not int:
        raise TypeError(f"alert: {type(value).__name__}; expected an AlertDescription")
    try:
        alert = AlertDescription(value)
    except ValueError:
        known = "none that sansticket knows; expected an AlertDescription"
        raise ValueError(f"alert: {quoted(value)} is {known}") from None
    if alert in NO_ERRORS:
        raise ValueError(f"alert: {alert.name} ends nothing; expected an alert for an error, or Close")
    return alert
