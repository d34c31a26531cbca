"""What comes out of a connection: events, and among them the questions.

A question is an event after which the connection accepts nothing but its answer (a command), ``Close``, and
bytes, which it keeps.  Which questions are asked, and how each is answered, is said by ``config.answers``.
"""

from sansticket.events.base import (
    ConnectionFacts,
    Event,
    Question,
)
from sansticket.events.early import (
    AdmitEarlyData,
    ClaimEarlyData,
    EarlyDataAccepted,
    EarlyDataEnded,
    EarlyDataReceived,
    EarlyDataRejected,
)
from sansticket.events.happenings import (
    CertificateWithheld,
    ConnectionTerminated,
    DataReceived,
    HandshakeCompleted,
    KeysUpdated,
    PeerAuthenticated,
    PeerClosed,
    TicketIssued,
    TicketReceived,
    TicketReused,
    TicketWithheld,
)
from sansticket.events.questions import (
    AdmitSession,
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
from sansticket.field_docs import show_field_docs

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

show_field_docs([globals()[name] for name in __all__])
