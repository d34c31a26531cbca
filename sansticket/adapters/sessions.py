"""A session, as the standard library shows one."""

from __future__ import annotations

from hashlib import sha256

from attrs import field

from sansticket.tickets.session import Session
from sansticket.values import frozen


@frozen
class SSLSession:
    """What ``ssl.SSLSession`` tells, of a ``Session`` of ours.

    ``session`` is what sansticket works with: it can be stored with ``to_bytes``, and moved to another process
    or context.
    """

    session: Session = field(repr=False)
    _identity: object = field(default=None, repr=False, eq=False)
    """That of the profile under which it was made; None for one that is made from a ``Session``."""

    @property
    def id(self) -> bytes:
        """The session id; for a session that has none the SHA-256 of its ticket."""
        return self.session.session_id or sha256(self.session.ticket).digest()

    @property
    def time(self) -> int:
        """When it was made or came, in seconds since the epoch."""
        return int(self.session.issued_at)

    @property
    def timeout(self) -> int:
        """Seconds from ``time`` for which it can be resumed."""
        return self.session.lifetime

    @property
    def ticket_lifetime_hint(self) -> int:
        """The lifetime that the ticket came with, in seconds; 0 without a ticket."""
        return self.session.lifetime if self.has_ticket else 0

    @property
    def has_ticket(self) -> bool:
        """There is a ticket, and not only a session id."""
        return bool(self.session.ticket)


def as_session(session: SSLSession | Session | None, identity: object) -> Session | None:
    """The session to be offered by a connection of this identity.

    TypeError for what is no session of ours, ValueError for one of somebody else: it was made with another certificate
    of ours, or its server was verified in another way.
    """
    if isinstance(session, SSLSession):
        if session._identity not in (None, identity):
            raise ValueError("Session refers to a different SSLContext.")
        return session.session
    if session is not None and not isinstance(session, Session):
        raise TypeError("Value is not a SSLSession.")
    return session
