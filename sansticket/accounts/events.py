"""An event as a flat account of plain values, which any log can write: no secret is in it, and no certificate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

from sansticket.accounts.reasons import outcome_of, reason_of, refusals_of
from sansticket.codes import AlertDescription, CipherSuite, NamedGroup, ProtocolVersion
from sansticket.events import (
    ConnectionTerminated,
    EarlyDataRejected,
    Event,
    HandshakeCompleted,
    TicketIssued,
    TicketReceived,
    TicketReused,
    TicketWithheld,
)
from sansticket.tickets.records import IdentityRecord

Account = dict[str, Any]
"""Names and plain values: text, numbers, True and False, None, and lists and mappings of such."""

Side = Literal["client", "server"]

FORMAT: Final = 1
"""Of accounts: they may get more names within it."""


def account_of(event: Event, now: float, side: Side) -> Account | None:
    """What there is to say of it, at ``now`` in seconds since the epoch; None for an event that no log is about.

    ``sansticket`` is the format, 1; ``event`` is ``handshake``, ``terminated``, ``ticket_issued``, ``ticket_received``,
    ``ticket_withheld``, ``ticket_reused`` or ``early_data_rejected``; ``time`` and ``side`` are what was given.
    ``docs/monitoring.md`` has the rest.
    """
    told = _TOLD_BY.get(type(event))
    if told is None:
        return None
    name, values = told
    return {"sansticket": FORMAT, "event": name, "time": round(now, 3), "side": side, **values(event, now)}


def _handshake(event: HandshakeCompleted, now: float) -> Account:
    record, early = event.record, event.record.early_data
    return {
        "version": ProtocolVersion(event.version).name,
        "cipher_suite": CipherSuite(event.cipher_suite).name,
        "group": NamedGroup(event.group).name if event.group in list(NamedGroup) else None,
        "outcome": outcome_of(record),
        "reason": reason_of(record) or None,
        "refusals": list(refusals_of(record)),
        "why": record.why,
        "session_age": event.session.age(now) if event.session is not None else None,
        "generation": event.session.generation if event.session is not None else None,
        "tickets_to_follow": record.tickets_to_follow,
        "early_data": early.status.name.lower(),
        "early_data_reason": early.reason.name.lower() if early.reason is not None else None,
        "identities": [_identity(one) for one in record.identities],
    }


def _identity(identity: IdentityRecord) -> Account:
    opened = identity.status is not None and identity.status.decrypted
    return {
        "status": identity.status.name if identity.status is not None else None,
        "answer": identity.ticket_return.name if identity.ticket_return is not None else None,
        # Of a ticket that no key opened it is the client's first bytes, and says nothing of a key.
        "key": identity.key_name.hex() if opened else None,
        "failed": {check.name: check.detail for check in identity.checks if not check.passed},
    }


def _terminated(event: ConnectionTerminated, now: float) -> Account:
    return {
        "reason": event.reason.name.lower(),
        "alert": _NAMES.get(event.alert, event.alert) if event.alert is not None else None,
        "by_peer": event.by_peer,
        "detail": event.detail,
        "established": event.connection.established,
    }


_NAMES: Final = {int(alert): alert.name.lower() for alert in AlertDescription}


def _issued(event: TicketIssued, now: float) -> Account:
    return {"ordinal": event.ordinal, "lifetime": event.session.lifetime}


def _received(event: TicketReceived, now: float) -> Account:
    return {"lifetime": event.session.lifetime}


def _withheld(event: TicketWithheld, now: float) -> Account:
    return {"why": event.why}


def _reused(event: TicketReused, now: float) -> Account:
    return {"policy": event.policy.name.lower(), "proven": event.proven}


def _rejected(event: EarlyDataRejected, now: float) -> Account:
    return {"reason": event.reason.name.lower(), "bytes": event.bytes_sent}


_TOLD_BY: Final[Mapping[type[Event], tuple[str, Callable[[Any, float], Account]]]] = {
    HandshakeCompleted: ("handshake", _handshake),
    ConnectionTerminated: ("terminated", _terminated),
    TicketIssued: ("ticket_issued", _issued),
    TicketReceived: ("ticket_received", _received),
    TicketWithheld: ("ticket_withheld", _withheld),
    TicketReused: ("ticket_reused", _reused),
    EarlyDataRejected: ("early_data_rejected", _rejected),
}
