"""What can be chosen in a config besides numbers and lists."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any, Final


class Ask(Enum):
    """The type of ``ASK``."""

    ASK = "ask"

    def __repr__(self) -> str:
        return "ASK"


ASK: Final = Ask.ASK
"""In ``answers``: emit the question as an event, and wait for the command that answers it."""

Answer = Callable[[Any], Any] | Ask
"""A function from the question to its answer, called at once; or ``ASK``."""


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
    """Nothing: they were verified when the session was made, and it lives for hours only."""
    CHECK_VALIDITY = "check validity"
    """None of the chain has expired since."""
    VERIFY = "verify the chain again"
    """The whole chain, against the trust anchors of today."""
