"""Which question a server's config can ever ask: an answer to another one is a mistake, and is refused.

``docs/tickets.md`` has the same as a table.
"""

from __future__ import annotations

from sansticket.config.answers import Lacking
from sansticket.config.choices import ClientAuthentication
from sansticket.config.derived import TLS12, TLS13, Numbers
from sansticket.config.tickets import StoredTickets, Tickets
from sansticket.events import (
    AdmitEarlyData,
    AdmitSession,
    ClaimEarlyData,
    ClaimSession,
    DecideTicket,
    LookUpPsk,
    LookUpSession,
    OpenTicket,
    PrepareTicket,
    ProtectTicket,
    SelectConfig,
    Sign,
    VerifyPeer,
)
from sansticket.values import frozen

SEALED = "stateless tickets: ticket_keys, or answers for OpenTicket and ProtectTicket"
IN_TLS13 = "TLS 1.3 among the versions"
IN_TLS12 = "TLS 1.3 among the versions, or tickets_in_tls12"


@frozen
class ServerTraits:
    """What of a server's config decides which questions it asks."""

    tickets: Tickets
    versions: Numbers
    tickets_in_tls12: bool
    finds_ids: bool
    """There is a cache, or somebody who looks sessions up."""
    single_use: bool
    client_authentication: ClientAuthentication
    has_credentials: bool
    early_data: bool


def lacking_in_a_server(server: ServerTraits) -> Lacking:
    """A server of TLS 1.3 can ask for certificates at any time; one of TLS 1.2 keeps sessions by their ids besides.

    The settings of a store go with every version: what they say of its tickets is no mistake without TLS 1.3.
    """
    tls13, stored = TLS13 in server.versions, isinstance(server.tickets, StoredTickets)
    sealed = "" if server.tickets.stateless else SEALED
    seals = sealed or ("" if tls13 or server.tickets_in_tls12 else IN_TLS12)
    by_ids = stored or (server.finds_ids and TLS12 in server.versions)
    looks_up = stored or TLS12 in server.versions
    mode = server.client_authentication
    can_verify = tls13 or mode is not ClientAuthentication.NONE
    early = ("" if server.early_data else "max_early_data") if tls13 else IN_TLS13
    no_psk = "client_authentication other than REQUIRED" if mode is ClientAuthentication.REQUIRED else ""
    return {
        SelectConfig: "",
        Sign: "" if server.has_credentials else "credentials",
        VerifyPeer: ("" if server.has_credentials else "credentials")
        if can_verify
        else "client_authentication, or TLS 1.3 among the versions",
        OpenTicket: seals,
        ProtectTicket: seals,
        DecideTicket: seals,
        PrepareTicket: "" if stored else seals,
        LookUpPsk: no_psk if tls13 else IN_TLS13,
        LookUpSession: "" if looks_up else "ticket_keys=None, or TLS 1.2 among the versions",
        AdmitSession: "" if by_ids else seals,
        ClaimSession: "" if server.single_use else "single_use_tickets",
        AdmitEarlyData: early,
        ClaimEarlyData: early,
    }
