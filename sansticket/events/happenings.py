"""What happened: the events that want no answer."""

from __future__ import annotations

from attrs import field

from sansticket.codes import AlertDescription
from sansticket.errors import Reason, reason_in_words
from sansticket.events.base import Event
from sansticket.text import printable, quoted
from sansticket.tickets.records import ResumptionRecord
from sansticket.tickets.session import Session
from sansticket.tickets.stores.uses import ReusePolicy, TicketUse
from sansticket.values import frozen


def size_of(data: bytes | None) -> str:
    """What a ``repr`` shows of it."""
    return f"<{len(data)} bytes>" if data is not None else "None"


@frozen
class HandshakeCompleted(Event):
    """The peer is authenticated as far as the config asks for it, and application data may flow.

    ``session`` is the session that was resumed, or None after a full handshake.  ``record`` says of each
    identity that was offered what became of it, and why.
    """

    version: int
    """A number of ``ProtocolVersion``."""
    cipher_suite: int
    """A number of ``CipherSuite``."""
    group: int
    """Of the key exchange, a number of ``NamedGroup``; 0 where a session of TLS 1.2 does not know it."""
    alpn_protocol: bytes | None
    """What was agreed on (RFC 7301), or None."""
    server_name: str | None
    """The name that the client asked for, normalised, or None."""
    peer_certificates: tuple[bytes, ...] = field(repr=lambda chain: f"<{len(chain)} certificates>")
    """The chain in DER, leaf first; after a resumption that of the session.  Empty if the peer has shown none."""
    session: Session | None
    """What was resumed; None after a full handshake."""
    record: ResumptionRecord
    """What became of each session that was offered."""
    psk_identity: bytes | None = field(default=None, repr=quoted)
    """The external PSK that authenticated the peers, or did when the session was made; None without one."""
    ocsp_response: bytes | None = field(default=None, repr=size_of)
    """What the server has stapled to its certificate, in DER; None if nothing, and after a resumption."""

    @property
    def resumed(self) -> bool:
        """A session was resumed: there was neither a certificate nor a signature."""
        return self.session is not None


@frozen
class DataReceived(Event):
    """Application data.

    One event for all that one ``receive_data`` brought in a row; there are more where other records came in between
    (tickets, new keys, warnings).
    """

    data: bytes = field(repr=size_of)
    """What came, in order."""


@frozen
class TicketIssued(Event):
    """Server: a ticket was made and is among the bytes of the next ``data_to_send``.  Or, in TLS 1.2 without a
    ticket, a session was made that the client knows by its ``session_id``.

    The new-session callback of the manual.  ``session`` is what the ticket stands for; for a stateful ticket
    ``session.session_id`` is the key under which a store must find it.  ``ordinal`` counts the tickets of this
    connection from 0.
    """

    session: Session
    """What the ticket stands for."""
    ordinal: int
    """From 0."""


@frozen
class TicketWithheld(Event):
    """Server: a ticket was to be made, and there is none, since no client could show it.  ``why``, in words.

    Data of a function for ``PrepareTicket``, a ticket of one for ``ProtectTicket``, a session with a long chain of
    certificates, or what keys of the application's own have made of it, is too large or empty.  The connection goes on.
    """

    why: str
    """A sentence for people: sizes, and nothing of the data."""


@frozen
class TicketReused(Event):
    """Server: a ticket was shown that had been used before, and longer ago than the window of ``ticket_uses``.

    It is known to ``ticket_uses``; and where tickets are for single use to the ``session_cache``, or to a store that
    says who was first (``SpentSession``), also without ``ticket_uses``: then the window is 10 seconds.

    Two have it, or its client does not know that a ticket is for one connection.  Nobody can tell which of the two uses
    was the thief's.  The first connection may be up still: it is one of those whose ``ServerConnection.family`` is that
    of ``first``, and in captures and key logs it has that ``client_random``.
    """

    first: TicketUse
    """The one that is remembered."""
    again: TicketUse
    """On this connection."""
    policy: ReusePolicy
    """What becomes of it: that of ``ticket_uses``, as far as it can be carried out.  A session for single use that was
    used up is not resumed in any case."""
    proven: bool
    """Whether the client of this connection has proved to have the session.  It has not where its ClientHello has the
    random of the first one, of which it may be a copy; where the session is gone and nobody knows more than its id; and
    in TLS 1.2 until its Finished: there a ticket can be read by anybody who sees a connection."""


@frozen
class TicketReceived(Event):
    """Client: the server sent a ticket.  ``session`` can be offered once, to the same server.

    In TLS 1.2 it is renewed seldom and can be offered more often; and where the server keeps the session
    itself, it has a ``session_id`` and no ticket.
    """

    session: Session
    """What can be resumed; ``to_bytes()`` keeps it."""


@frozen
class CertificateWithheld(Event):
    """Client: the server asked for a certificate, and none of our ``credentials`` was shown.  ``why``, in words.

    A server that requires one then ends the connection; in TLS 1.3 after ``HandshakeCompleted``.
    """

    why: str
    """A sentence for people."""


@frozen
class KeysUpdated(Event):
    """The keys of one direction were replaced (RFC 9846 section 4.7.3)."""

    by_peer: bool
    """The peer's sending keys were replaced, or else ours."""


@frozen
class PeerAuthenticated(Event):
    """Server: the client answered a post-handshake request; an empty chain means that it declined."""

    certificates: tuple[bytes, ...] = field(repr=lambda chain: f"<{len(chain)} certificates>")
    """The chain in DER, leaf first."""


@frozen
class PeerClosed(Event):
    """close_notify: the peer will send no more.  Ours may still go out, until ``Close``."""


@frozen
class ConnectionTerminated(Event):
    """The connection is over, and this is its last event.

    ``alert`` is the alert that was sent, or with ``by_peer`` the one that was received; None if there was
    none (a stream that ended without close_notify).  ``cause`` is the exception that a function of the
    application raised, where that is what ended it.  ``detail`` and ``str`` are printable, and have at most 1,000
    characters each.
    """

    reason: Reason
    """Why, as far as this side knows."""
    alert: AlertDescription | int | None
    """The last one; a number that is not in the registry stays a number."""
    detail: str = field(default="", converter=printable)
    """The particulars, for people; never a secret."""
    by_peer: bool = False
    """The peer's alert ended it."""
    cause: BaseException | None = field(default=None, eq=False)
    """What a function of the application raised."""

    def __str__(self) -> str:
        return reason_in_words(self.reason, self.detail)
