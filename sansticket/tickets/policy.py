"""How long the sessions of a server live, and what their tickets say of it: all of it, for both versions.

A session ends when its lifetime is over, and whatever was renewed in between, ``max_session_age`` after the last full
handshake (RFC 9846 section 4.7.1): a chain of resumptions does not live for ever.
"""

from typing import Final

from sansticket.tickets.session import Session
from sansticket.values import value

NO_HINT: Final = 0
"""What a renewed TLS 1.2 ticket says: it ends with its session, whose time the client knows (RFC 5077 section 3.3)."""


@value
class TicketPolicy:
    """Numbers of seconds.  ``keeps_issue_time``: tickets have place for two times, see ``SessionCodec``."""

    ticket_lifetime: int
    max_session_age: int
    keeps_issue_time: bool

    def lifetime(self, resumed: Session | None, authenticated_at: float, now: float) -> int:
        """Seconds that a session made now can live; 0 or less means that there can be none.

        A renewed one keeps the lifetime of the session that was resumed, or where its format has no place for two
        times the end of it.
        """
        left = self.max_session_age - max(0.0, now - authenticated_at)
        if resumed is None:
            return int(min(self.ticket_lifetime, left))
        lifetime = float(resumed.lifetime)
        if not self.keeps_issue_time:
            lifetime = min(lifetime, resumed.issued_at + resumed.lifetime - now)
        return int(min(lifetime, left))

    def first_lifetime(self) -> int:
        """Seconds of the session of a full handshake."""
        return min(self.ticket_lifetime, self.max_session_age)

    def hint(self, session: Session, *, renewed: bool) -> int:
        """The lifetime that a TLS 1.2 ticket announces; its renewal keeps the time of its session."""
        return NO_HINT if renewed else session.lifetime
