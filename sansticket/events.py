"""What comes out of a connection: events, and among them the questions.

A question is an event after which the connection accepts nothing but its answer (a command), ``Close``, and
bytes, which it keeps.  Which questions are asked, and how each is answered, is said by ``config.answers``.
"""

from __future__ import annotations

from typing import Any, Final

from attrs import field, frozen

from sansticket.codes import AlertDescription
from sansticket.crypto.certificates import Credential
from sansticket.crypto.signatures import PublicKey
from sansticket.crypto.verification import TrustAnchors
from sansticket.errors import Reason, reason_in_words
from sansticket.text import printable, quoted
from sansticket.tickets.decision import FoundBy, TicketStatus
from sansticket.tickets.records import ResumptionRecord
from sansticket.tickets.session import Session
from sansticket.wire.messages.hello import ClientHello

__all__ = [
    "AdmitSession",
    "CertificateWithheld",
    "ClaimSession",
    "ConnectionFacts",
    "ConnectionTerminated",
    "DataReceived",
    "DecideTicket",
    "Event",
    "HandshakeCompleted",
    "KeysUpdated",
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
    "VerifyPeer",
]


def _size(data: bytes) -> str:
    return f"<{len(data)} bytes>"


@frozen
class ConnectionFacts:
    """What is known of a connection when it says something: more and more as its handshake goes on.

    ``server_name``, ``alpn_protocol`` and ``version`` are None until they are settled, or where there is none;
    ``server_name`` is what the client asks for.  ``peer_certificates`` is the peer's chain in DER, leaf first, which
    says nothing of whose key it is before ``HandshakeCompleted``.  ``session`` is the session that is resumed.

    ``application`` is what was given to the connection: the ``arg`` that the callbacks of the manual get beside
    their ``SSL *``.  It can be anything, and is never looked at.
    """

    server_name: str | None = None
    """What the client asks for, normalised; None until it is settled, or without one."""
    alpn_protocol: bytes | None = None
    """What was agreed on; None until it is settled, or without ALPN."""
    version: int | None = None
    """A number of ``ProtocolVersion``; None until it is settled."""
    peer_certificates: tuple[bytes, ...] = field(
        default=(), repr=lambda chain: f"<{len(chain)} certificates>"
    )
    """In DER, leaf first."""
    session: Session | None = None
    """What is resumed, or None."""
    application: Any = None
    """The ``application`` argument of the connection."""


NOTHING_KNOWN: Final = ConnectionFacts()


@frozen
class Event:
    """Base of all events.

    ``connection`` says whose it is.  It counts neither for equality nor for patterns, and an event that no
    connection has made knows nothing.
    """

    connection: ConnectionFacts = field(default=NOTHING_KNOWN, init=False, eq=False, repr=False)
    """The facts of its connection, and what the application gave to it."""


def belongs_to(event: Event, connection: ConnectionFacts) -> None:
    """Say whose event it is: once, by the connection that makes it and before anybody has seen it."""
    object.__setattr__(event, "connection", connection)


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

    data: bytes = field(repr=_size)
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


@frozen
class Question(Event):
    """Base of the events that wait for an answer."""


@frozen
class SelectConfig(Question):
    """A ClientHello came.  Answers: ``UseConfig``, ``AbortHandshake``.  Default: the connection's own config.

    Asked before anything else is looked at: ticket keys, answers, session id context and number of tickets are
    those of the config that is selected here.
    """

    client_hello: ClientHello = field(repr=quoted)
    """The first ClientHello as it was decoded."""
    server_name: str | None
    """The name that the client asks for, normalised, or None."""
    alpn_protocols: tuple[bytes, ...] = field(repr=quoted)
    """What the client offers, in its order; empty without ALPN."""


@frozen
class OpenTicket(Question):
    """A stateless ticket is to be decrypted, and the config has no keys of its own.

    Answers: ``TicketOpened``, ``TicketNotOpened``, ``AbortHandshake``.  There is no default: without keys and
    without an answer for this question no stateless ticket is ever made.
    """

    ticket: bytes = field(repr=quoted)
    """As it came, not empty."""
    index: int
    """That of the identity in the ClientHello, from 0."""


@frozen
class DecideTicket(Question):
    """Decryption of a ticket was attempted: the dec_cb of SSL_CTX_set_session_ticket_cb(3).

    Answers: ``ResolveTicket``, ``AbortHandshake``.  Default: what the manual page names for each status.
    ``session`` is there only on ``SUCCESS`` and ``SUCCESS_RENEW``, with its ``app_data``; ``key_name`` holds the
    first 16 bytes of the ticket, whoever's they are; ``index`` is that of the identity in the ClientHello.
    """

    status: TicketStatus
    """What opening the ticket gave."""
    key_name: bytes
    """The first 16 bytes of the ticket, or all of a shorter one."""
    session: Session | None
    """What the ticket holds."""
    index: int
    """From 0."""


@frozen
class LookUpSession(Question):
    """The internal cache has no session of this id: the get callback of SSL_CTX_sess_set_get_cb(3).

    Answers: ``ProvideSession``, ``AbortHandshake``.  Default: there is none.  ``session_id`` has 1 to 32 bytes:
    what is longer is no id.  ``version`` is that of the handshake.  A function that raises is a full handshake, and
    the record names the exception's class: nothing was used up, and a store that is down costs no more than that.

    Anybody can show an id that was seen on the wire, so a look-up should not use the session up: ``ClaimSession``
    is for that.
    """

    session_id: bytes = field(repr=quoted)
    """What the client shows, 1 to 32 bytes; in TLS 1.3 it is the ticket."""
    version: int
    """A number of ``ProtocolVersion``."""


@frozen
class AdmitSession(Question):
    """A session passed every check, in either version, however it was found: may it go on?

    Answers: ``SessionAdmitted``, ``SessionRefused``, ``AbortHandshake``.  Default: ``SessionAdmitted``.

    The application's last word on every resumption.  ``session`` has what it needs for that: its ``app_data``, the
    ``peer_certificates`` that the client showed in the full handshake, the server name, the times; ``how`` says
    where it was found.  In TLS 1.3 the client has proved to be the session's own; in TLS 1.2 its
    Finished will prove it.  Nothing is used up yet: ``ClaimSession`` comes after it.
    """

    session: Session
    """What is to be resumed."""
    how: FoundBy
    """By which it was found."""


@frozen
class ClaimSession(Question):
    """TLS 1.3, ``single_use_tickets``: a session is to be used up.  Is this connection the first that wants to?

    Answers: ``SessionClaimed``, ``SessionNotClaimed``, ``AbortHandshake``.  Default: ``SessionClaimed``, which leaves
    it to the ``session_cache``.

    It is asked when all else is right with the session, and its client has proved to be the one that it was made
    for: the binder has been verified (RFC 9846 section 4.3.11.2).  Servers that share a store answer it by an
    operation that takes the session out for one of all who ask, such as GETDEL of Redis.
    """

    session: Session
    """What is to be used up; its ``session_id`` is the key of a store."""


@frozen
class PrepareTicket(Question):
    """A ticket is about to be made: the gen_cb of SSL_CTX_set_session_ticket_cb(3).

    Answers: ``SealTicket`` (with application data, or without to keep what ``session.app_data`` has),
    ``AbortHandshake``.  Default: ``SealTicket()``.  ``ordinal`` counts the tickets of the connection from 0.
    """

    session: Session
    """What the ticket will stand for."""
    ordinal: int
    """From 0."""


@frozen
class ProtectTicket(Question):
    """A ticket is to be encrypted elsewhere: the counterpart of ``OpenTicket``.

    Answers: ``TicketProtected``, ``AbortHandshake``.  Asked only where ``OpenTicket`` is answered.
    """

    plaintext: bytes = field(repr=False)
    """What is to be sealed, as ``TicketOpened`` must give it back."""


@frozen
class Sign(Question):
    """A signature with the key of ``credential`` is needed.

    Answers: ``ProvideSignature``, ``AbortHandshake``.  Default: sign with the credential's private key.
    ``message`` is what to sign, not its hash; ``scheme`` a SignatureScheme number.
    """

    scheme: int
    """A number of ``SignatureScheme``."""
    message: bytes = field(repr=False)
    """What to sign, not its hash."""
    credential: Credential
    """Whose key is to sign."""


@frozen
class VerifyPeer(Question):
    """The peer proved that it holds the key of ``certificates[0]``: is it who it should be?

    Answers: ``AcceptPeer``, ``RejectPeer``, ``AbortHandshake``.  Default: verify the chain against the config's
    trust anchors, on a client also the server name.  ``server_name`` is None on a server.  ``sansticket.verifiers``
    has ready-made answers.
    """

    certificates: tuple[bytes, ...] = field(repr=lambda chain: f"<{len(chain)} certificates>")
    """The chain in DER, leaf first."""
    server_name: str | None
    """The name that the certificate must be for; None on a server."""
    public_key: PublicKey = field(repr=False, eq=False)
    """That of the leaf, as an object of ``cryptography``."""
    trust_anchors: TrustAnchors | None = field(repr=False)
    """Those of the config, or None."""
