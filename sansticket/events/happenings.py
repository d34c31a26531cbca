"""What happened: the events that want no answer."""

from __future__ import annotations

from attrs import field

from sansticket.codes import AlertDescription
from sansticket.errors import Reason, reason_in_words
from sansticket.events.base import Event
from sansticket.text import printable, quoted
from sansticket.tickets.early_data import EarlyDataReason
from sansticket.tickets.records import ResumptionRecord
from sansticket.tickets.session import Session
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


class EarlyDataAccepted(Event):
    """Client: the server takes the early data.  More can be sent until ``HandshakeCompleted``."""

    __slots__ = ()


@frozen
class EarlyDataRejected(Event):
    """Client: the server has not read any of the early data, and will not.

    The connection goes on without it, and nothing is sent again by itself: the application protocol, the server's
    certificate and whatever else was taken from the session may be others now.  All that is known anew with
    ``HandshakeCompleted``; then the application decides what to send.
    """

    reason: EarlyDataReason
    """As far as a client knows it."""
    bytes_sent: int
    """How many bytes of early data were given to the connection; all of them are lost."""


class PeerClosed(Event):
    """close_notify: the peer will send no more.  Ours may still go out, until ``Close``."""

    __slots__ = ()


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
