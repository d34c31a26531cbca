"""Which question a config can ever ask: an answer to another one is a mistake, and is refused.

``docs/tickets.md`` has the same as a table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sansticket.config.derived import TLS12, TLS13, Numbers
from sansticket.config.tickets import StoredTickets, Tickets
from sansticket.errors import ConfigError
from sansticket.events import (
    ClaimSession,
    DecideTicket,
    LookUpSession,
    OpenTicket,
    PrepareTicket,
    ProtectTicket,
    Question,
    SelectConfig,
    Sign,
    VerifyPeer,
)

Lacking = Mapping[type[Question], str]
"""For each question of one side, what is expected of the config so that it can be asked; "" where it can."""

SEALED = "stateless tickets: ticket_keys, or answers for OpenTicket and ProtectTicket"
IN_TLS12 = "TLS 1.3 among the versions, or tickets_in_tls12"


def lacking_in_a_client(has_credentials: bool) -> Lacking:
    return {VerifyPeer: "", Sign: "" if has_credentials else "credentials"}


def lacking_in_a_server(
    tickets: Tickets, versions: Numbers, tickets_in_tls12: bool, single_use: bool, asks_for_certificates: bool
) -> Lacking:
    """A server of TLS 1.3 can ask for certificates at any time; one of TLS 1.2 keeps sessions by their ids besides."""
    tls13, stored = TLS13 in versions, isinstance(tickets, StoredTickets)
    sealed = "" if tickets.stateless else SEALED
    seals = sealed or ("" if tls13 or tickets_in_tls12 else IN_TLS12)
    makes = "" if stored and tls13 else seals
    looks_up = TLS12 in versions or stored
    can_verify = tls13 or asks_for_certificates
    return {
        SelectConfig: "",
        Sign: "",
        VerifyPeer: "" if can_verify else "client_authentication, or TLS 1.3 among the versions",
        OpenTicket: seals,
        ProtectTicket: seals,
        DecideTicket: seals,
        PrepareTicket: makes,
        LookUpSession: "" if looks_up else "ticket_keys=None, or TLS 1.2 among the versions",
        ClaimSession: "" if tls13 and single_use else "single_use_tickets, and TLS 1.3 among the versions",
    }


def check_asked(answered: Iterable[type[Question]], lacking: Lacking, side: str) -> None:
    """ConfigError for an answer to what is never asked."""
    for question in answered:
        if question not in lacking:
            raise ConfigError("answers", f"{question.__name__} is no question of a {side}")
        if lacking[question]:
            raise ConfigError(
                "answers", f"{question.__name__} can never be asked; expected {lacking[question]}"
            )
