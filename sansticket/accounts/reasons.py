"""Why a session was not resumed, in one word out of a list: what a counter can have as a label.

A ``ResumptionRecord`` says everything, with numbers and names of the peer's.  Here each identity gets one word, that of
the first thing that spoke against it.  The list has all of them, and none comes from a peer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from sansticket.tickets.decision import TicketStatus
from sansticket.tickets.records import IdentityRecord, ResumptionRecord

CHECKS: Final = (
    "admission",
    "age",
    "authentication age",
    "binder",
    "certificates",
    "client certificate",
    "context",
    "credentials",
    "expiry",
    "extended master secret",
    "family",
    "found",
    "hash",
    "limit",
    "mode",
    "name",
    "place",
    "psk",
    "psk_key_exchange_modes",
    "reuse",
    "revocation",
    "session ids",
    "single use",
    "size",
    "suite",
    "tickets",
    "verification policy",
    "version",
)
"""The names of all checks, a test says; a check is the word for what did not pass it."""

NONE_OFFERED: Final = "none offered"
NOT_OPENED: Final = "not opened"
EMPTY: Final = "empty"
IGNORED: Final = "ignored"
NOT_LOOKED_AT: Final = "not looked at"
DECLINED: Final = "declined"
OTHER: Final = "other"

REASONS: Final = tuple(
    name.replace(" ", "_")
    for name in (*CHECKS, NONE_OFFERED, NOT_OPENED, EMPTY, IGNORED, NOT_LOOKED_AT, DECLINED, OTHER)
)
"""All words that ``reason_of`` and ``refusals_of`` give, besides the checks of ``ResumptionRecord`` that did not pass:

``none_offered`` (the client came without a session), ``empty`` (with an empty ticket, which asks for one),
``not_opened`` (no key of ours opened the ticket), ``ignored`` (the application said so), ``not_looked_at`` (another was
resumed, or the handshake was over before), ``declined`` (a client's session was good, and the server did not take it),
``other``.
"""

OUTCOMES: Final = ("resumed", "external_psk", "full")


def outcome_of(record: ResumptionRecord) -> str:
    """``resumed``, ``external_psk`` or ``full``."""
    if record.winner is None:
        return "full"
    return "external_psk" if record.psk_identity is not None else "resumed"


def reason_of(record: ResumptionRecord) -> str:
    """Why no session was resumed, one of ``REASONS``; empty if one was, or an external PSK was taken.

    Of several that were offered the first that was looked at counts: it is the freshest.
    """
    if record.winner is not None:
        return ""
    refusals = tuple(refusals_of(record))
    looked_at = [reason for reason in refusals if reason != _slug(NOT_LOOKED_AT)]
    return (looked_at or refusals or [_slug(NONE_OFFERED)])[0]


def refusals_of(record: ResumptionRecord) -> Iterator[str]:
    """One of ``REASONS`` for each identity that was offered and not taken, in their order."""
    server = any(one.status is not None or one.ticket_return is not None for one in record.identities)
    for place, identity in enumerate(record.identities):
        if place != record.winner:
            yield _slug(_reason(identity, server=server))


def _reason(identity: IdentityRecord, *, server: bool) -> str:
    if identity.status is TicketStatus.EMPTY:
        return EMPTY
    failed = next((check.name for check in identity.checks if not check.passed), None)
    if failed is not None:
        return failed if failed in CHECKS else OTHER
    if identity.status is TicketStatus.NO_DECRYPT:
        return NOT_OPENED
    if identity.ticket_return is not None and not identity.ticket_return.uses:
        return IGNORED
    if not server and identity.checks:
        return DECLINED
    return NOT_LOOKED_AT


def _slug(words: str) -> str:
    return words.replace(" ", "_")
