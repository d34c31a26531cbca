"""What can be chosen in a config besides numbers and lists."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Any, Final


class Ask(Enum):
    """The type of ``ASK``."""

    ASK = "ask"

    def __repr__(self) -> str:
        return "ASK"


ASK: Final = Ask.ASK
"""In ``answers``: emit the question as an event, and wait for the command that answers it."""

if TYPE_CHECKING:
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

    class EveryQuestion(
        PrepareTicket,
        AdmitEarlyData,
        AdmitSession,
        ClaimEarlyData,
        ClaimSession,
        DecideTicket,
        LookUpPsk,
        LookUpSession,
        OpenTicket,
        ProtectTicket,
        SelectConfig,
        Sign,
        VerifyPeer,
    ):
        """Each question at once: whatever takes one of them takes this, and what takes none of them does not."""

    Answer = Callable[[EveryQuestion], object] | Ask
else:
    Answer = Callable[[Any], object] | Ask
"""A function from the question to the command that answers it, called at once; or ``ASK``."""

Answering = Callable[[Any], Any] | Ask
"""The same as a config keeps it: which question a function takes is said by the key beside it."""


class ClientAuthentication(Enum):
    """Whether a server asks for a client certificate during the handshake."""

    NONE = "none"
    OPTIONAL = "optional"
    REQUIRED = "required"


class TicketFlush(Enum):
    """When the automatic tickets leave."""

    HANDSHAKE = "handshake"
    """At once, when the client's Finished has come."""
    WRITE = "write"
    """Before the data of our first ``SendData`` (or on ``FlushTickets``), for peers that must not be written to
    before they have read something else."""


class ResumedCertificates(Enum):
    """What is checked of the peer's certificates when a session is resumed that holds them."""

    REUSE = "reuse"
    """Nothing: they were verified when the session was made.  ``max_session_age`` bounds how long ago that can be, and
    a client that verifies offers no session beyond the end of the server's certificate."""
    CHECK_VALIDITY = "check validity"
    """None of the chain has expired since.  What had expired before was of no use then, and does not count now."""
    VERIFY = "verify the chain again"
    """The whole chain, against the trust anchors of today."""
