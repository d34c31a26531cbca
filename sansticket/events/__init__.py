"""What comes out of a connection: events, and among them the questions.

A question is an event after which the connection accepts nothing but its answer (a command), ``Close``, and
bytes, which it keeps.  Which questions are asked, and how each is answered, is said by ``config.answers``.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sansticket.events.base import (
        ConnectionFacts,
        Event,
        Question,
    )
    from sansticket.events.early import (
        AdmitEarlyData,
        ClaimEarlyData,
        EarlyDataEnded,
        EarlyDataReceived,
    )
    from sansticket.events.happenings import (
        CertificateWithheld,
        ConnectionTerminated,
        DataReceived,
        EarlyDataAccepted,
        EarlyDataRejected,
        HandshakeCompleted,
        KeysUpdated,
        PeerAuthenticated,
        PeerClosed,
        TicketIssued,
        TicketReceived,
    )
    from sansticket.events.of_servers import (
        AdmitSession,
        ClaimSession,
        DecideTicket,
        LookUpPsk,
        LookUpSession,
        OpenTicket,
        PrepareTicket,
        ProtectTicket,
        SelectConfig,
        TicketReused,
        TicketWithheld,
    )
    from sansticket.events.questions import (
        Sign,
        VerifyPeer,
    )
else:
    from sansticket.front_doors import front_door

    _HOMES = {
        "sansticket.events.base": "ConnectionFacts Event Question",
        "sansticket.events.early": "AdmitEarlyData ClaimEarlyData EarlyDataEnded EarlyDataReceived",
        "sansticket.events.happenings": (
            "CertificateWithheld ConnectionTerminated DataReceived EarlyDataAccepted "
            "EarlyDataRejected HandshakeCompleted KeysUpdated PeerAuthenticated PeerClosed "
            "TicketIssued TicketReceived"
        ),
        "sansticket.events.of_servers": (
            "AdmitSession ClaimSession DecideTicket LookUpPsk LookUpSession OpenTicket PrepareTicket "
            "ProtectTicket SelectConfig TicketReused TicketWithheld"
        ),
        "sansticket.events.questions": "Sign VerifyPeer",
    }
    """Where each name is at home."""

    __getattr__, __dir__ = front_door(__name__, _HOMES)

__all__ = [
    "AdmitEarlyData",
    "AdmitSession",
    "CertificateWithheld",
    "ClaimEarlyData",
    "ClaimSession",
    "ConnectionFacts",
    "ConnectionTerminated",
    "DataReceived",
    "DecideTicket",
    "EarlyDataAccepted",
    "EarlyDataEnded",
    "EarlyDataReceived",
    "EarlyDataRejected",
    "Event",
    "HandshakeCompleted",
    "KeysUpdated",
    "LookUpPsk",
    "LookUpSession",
    "OpenTicket",
    "PeerAuthenticated",
    "PeerClosed",
    "PrepareTicket",
    "ProtectTicket",
    "Question",
    "SelectConfig",
    "Sign",
    "TicketIssued",
    "TicketReceived",
    "TicketReused",
    "TicketWithheld",
    "VerifyPeer",
]
