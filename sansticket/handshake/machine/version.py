"""What differs between the versions of the protocol, as values: who goes by them need not ask which one it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from attrs import field

from sansticket.codes import AlertDescription, AlertLevel, ProtocolVersion
from sansticket.errors import Fault
from sansticket.record import tls12, tls13
from sansticket.record.reader import Opener
from sansticket.record.writer import Sealer
from sansticket.values import value
from sansticket.wire.messages.alert import Alert
from sansticket.wire.messages.base import Message
from sansticket.wire.messages.tables import MESSAGES_OF_TLS12, MESSAGES_OF_TLS13


@value
class Version:
    """One version, as a state names it.

    ``messages`` decodes a handshake message by its number, ``alert_for`` gives the alert of a fault, ``is_harmless``
    says whether an alert ends nothing.  ``sealer`` and ``opener`` protect records.  ``has_change_cipher_spec``: that
    record is a step of the handshake, and not just something to be overlooked.  ``updates_keys``: new keys can
    take the place of those that have protected enough.  ``hidden_bytes``: what a record encrypts beside its content.
    ``signs_as_tls13``: a signature scheme names the curve with the hash (``crypto.signatures``).
    """

    number: ProtocolVersion
    messages: Mapping[int, Callable[[bytes], Message]] = field(repr=False)
    alert_for: Callable[[Fault], AlertDescription] = field(repr=False)
    is_harmless: Callable[[Alert], bool] = field(repr=False)
    sealer: type[Sealer]
    opener: type[Opener]
    has_change_cipher_spec: bool
    updates_keys: bool
    hidden_bytes: int
    signs_as_tls13: bool


def is_warning(alert: Alert) -> bool:
    """Whether an alert of TLS 1.2 is one that goes by its level (RFC 5246 section 7.2.2)."""
    return alert.level == AlertLevel.WARNING and alert.description != AlertDescription.CLOSE_NOTIFY


def is_cancellation(alert: Alert) -> bool:
    """The one alert of TLS 1.3 behind which another must come (RFC 9846 section 6.1)."""
    return alert.description == AlertDescription.USER_CANCELED


TLS_1_2: Final = Version(
    number=ProtocolVersion.TLS_1_2,
    messages=MESSAGES_OF_TLS12,
    alert_for=lambda fault: fault.alert_of_tls_1_2,
    is_harmless=is_warning,
    sealer=tls12.Sealer,
    opener=tls12.Opener,
    has_change_cipher_spec=True,
    updates_keys=False,
    hidden_bytes=0,
    signs_as_tls13=False,
)

TLS_1_3: Final = Version(
    number=ProtocolVersion.TLS_1_3,
    messages=MESSAGES_OF_TLS13,
    alert_for=lambda fault: fault.alert,
    is_harmless=is_cancellation,
    sealer=tls13.Sealer,
    opener=tls13.Opener,
    has_change_cipher_spec=False,
    updates_keys=True,
    hidden_bytes=1,
    signs_as_tls13=True,
)
"""Its rules are also those of the time before the version is settled."""
