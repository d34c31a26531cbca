"""The answers to what both sides ask, or any."""

from __future__ import annotations

from typing import Any, Final

from attrs import Attribute, field

from sansticket.codes import AlertDescription
from sansticket.commands.base import Command, error_alert, is_bytes
from sansticket.values import frozen, says

MAX_SIGNATURE: Final = 65_535
"""Bytes: what the length of a signature has room for (RFC 9846 section 4.5.2)."""


@frozen
class AbortHandshake(Command):
    """An answer to any question: end the connection with this alert."""

    alert: AlertDescription = field(
        default=AlertDescription.INTERNAL_ERROR,
        converter=error_alert,
        metadata=says("What the peer is told: any alert for an error, or its number."),
    )


def _is_signature(command: Command, attribute: Attribute[Any], value: Any) -> None:
    is_bytes(command, attribute, value)
    if len(value) > MAX_SIGNATURE:
        raise ValueError(f"ProvideSignature.signature: {len(value)} bytes; expected at most {MAX_SIGNATURE}")


@frozen
class ProvideSignature(Command):
    """Answers ``Sign``: the signature of ``Sign.message``, in the form that TLS has for ``Sign.scheme``."""

    signature: bytes = field(validator=_is_signature, metadata=says(f"At most {MAX_SIGNATURE:,} bytes."))


class AcceptPeer(Command):
    """Answers ``VerifyPeer``."""

    __slots__ = ()


@frozen
class RejectPeer(Command):
    """Answers ``VerifyPeer``."""

    alert: AlertDescription = field(
        default=AlertDescription.BAD_CERTIFICATE,
        converter=error_alert,
        metadata=says("What the peer is told: any alert for an error, or its number."),
    )
