"""What turns a session's bytes into a ticket and back.

Anything with these two methods can protect tickets: ``TicketKeyRing`` and ``WindowedTicketKeys`` do.  They
see opaque plaintext and hand out opaque tickets; what is in them is the business of ``session``.
"""

from collections.abc import Callable
from typing import Protocol

from attrs import field, frozen

from sansticket.tickets.decision import TicketStatus
from sansticket.tickets.session import Session, SessionFormatError

Entropy = Callable[[int], bytes]
"""Gives that many random bytes: ``os.urandom``, or something repeatable in a test."""

KEY_NAME_LENGTH = 16
"""How many bytes at the start of a ticket name its key.  RFC 5077 section 4; OpenSSL has the same."""


@frozen
class OpenedTicket:
    """What came of opening a ticket."""

    status: TicketStatus

    key_name: bytes
    """The name of the key.  When nothing was decrypted: the first 16 bytes of the ticket, or all of a shorter
    one, whether or not such a key exists."""

    plaintext: bytes | None = field(default=None, repr=False)
    """What was sealed; None unless the status says that it was decrypted."""

    @classmethod
    def failed(cls, ticket: bytes) -> "OpenedTicket":
        """The answer to a ticket that cannot be opened: NO_DECRYPT, or EMPTY when there is none."""
        status = TicketStatus.NO_DECRYPT if ticket else TicketStatus.EMPTY
        return cls(status, ticket[:KEY_NAME_LENGTH])

    def session(self) -> tuple[TicketStatus, Session | None]:
        """The session that was sealed, and the status to report.

        A plaintext that is no session (a key shared with something else, or a future format) counts as
        NO_DECRYPT, as it does for libssl.
        """
        if self.plaintext is None:
            return self.status, None
        try:
            return self.status, Session.from_bytes(self.plaintext)
        except SessionFormatError:
            return TicketStatus.NO_DECRYPT, None


class TicketKeys(Protocol):
    """Seals and opens tickets.  ``now`` is in seconds since the epoch.  Many threads may call both."""

    def seal(self, plaintext: bytes, now: float, entropy: Entropy) -> bytes:
        """A ticket that holds ``plaintext``.  Two tickets never show that they hold the same."""
        ...

    def open(self, ticket: bytes, now: float) -> OpenedTicket:
        """Undo ``seal``.  SUCCESS when the key is the current one, SUCCESS_RENEW when it is an older one.

        A ticket that is not ours, was altered, or whose key is gone is NO_DECRYPT, never an exception.
        """
        ...
