"""What goes into a connection: commands, and among them the answers to questions."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sansticket.commands.answers import (
        AbortHandshake,
        AcceptPeer,
        ProvideSignature,
        RejectPeer,
    )
    from sansticket.commands.base import Command
    from sansticket.commands.of_servers import (
        AcceptEarlyData,
        EarlyDataClaimed,
        EarlyDataNotClaimed,
        IssueTicket,
        ProvidePsk,
        ProvideSession,
        RefuseEarlyData,
        RequestClientCertificate,
        ResolveTicket,
        SealTicket,
        SessionAdmitted,
        SessionClaimed,
        SessionNotClaimed,
        SessionRefused,
        TicketNotOpened,
        TicketOpened,
        TicketProtected,
        UseConfig,
    )
    from sansticket.commands.told import (
        Abort,
        CheckRevocations,
        Close,
        FlushTickets,
        SendData,
        SendEarlyData,
        UpdateKeys,
    )
else:
    from sansticket.front_doors import front_door

    _HOMES = {
        "sansticket.commands.answers": "AbortHandshake AcceptPeer ProvideSignature RejectPeer",
        "sansticket.commands.base": "Command",
        "sansticket.commands.of_servers": (
            "AcceptEarlyData EarlyDataClaimed EarlyDataNotClaimed IssueTicket ProvidePsk "
            "ProvideSession RefuseEarlyData RequestClientCertificate ResolveTicket SealTicket "
            "SessionAdmitted SessionClaimed SessionNotClaimed SessionRefused TicketNotOpened "
            "TicketOpened TicketProtected UseConfig"
        ),
        "sansticket.commands.told": (
            "Abort CheckRevocations Close FlushTickets SendData SendEarlyData UpdateKeys"
        ),
    }
    """Where each name is at home."""

    __getattr__, __dir__ = front_door(__name__, _HOMES)

__all__ = [
    "Abort",
    "AbortHandshake",
    "AcceptEarlyData",
    "AcceptPeer",
    "CheckRevocations",
    "Close",
    "Command",
    "EarlyDataClaimed",
    "EarlyDataNotClaimed",
    "FlushTickets",
    "IssueTicket",
    "ProvidePsk",
    "ProvideSession",
    "ProvideSignature",
    "RefuseEarlyData",
    "RejectPeer",
    "RequestClientCertificate",
    "ResolveTicket",
    "SealTicket",
    "SendData",
    "SendEarlyData",
    "SessionAdmitted",
    "SessionClaimed",
    "SessionNotClaimed",
    "SessionRefused",
    "TicketNotOpened",
    "TicketOpened",
    "TicketProtected",
    "UpdateKeys",
    "UseConfig",
]
