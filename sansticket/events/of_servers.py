"""What a server says and asks, and no client."""

from __future__ import annotations

from attrs import field

from sansticket.events.base import Event, Question
from sansticket.psk import ImportedIdentity
from sansticket.text import quoted
from sansticket.tickets.decision import FoundBy, TicketReturn, TicketStatus
from sansticket.tickets.session import Session
from sansticket.tickets.stores.spent import SpentSession
from sansticket.tickets.stores.uses import ReusePolicy, TicketUse
from sansticket.values import frozen
from sansticket.wire.messages.hello import ClientHello


@frozen
class TicketWithheld(Event):
    """Server: a ticket was to be made, and there is none.  ``why``, in words.

    No client could show it: data of a function for ``PrepareTicket``, a ticket of one for ``ProtectTicket``, a session
    with a long chain of certificates, or what keys of the application's own have made of it, is too large or empty.  Or
    the ``ticket_keys`` make none at the time.  Or the session has become too old for another ticket, by
    ``max_session_age``, or by the ticket that was resumed where its format has one time.  The connection goes on.
    """

    why: str
    """A sentence for people: sizes and ages, and nothing of the data."""


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

    @property
    def default_return(self) -> TicketReturn:
        """What stands in ``ResolveTicket`` if nobody says otherwise."""
        return self.status.default_return


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
class LookUpPsk(Question):
    """TLS 1.3: an identity is none of our tickets and sessions, and none of ``psks``: is it an external PSK?

    Answers: ``ProvidePsk``, ``AbortHandshake``.  Default: there is none.  Asked once for each identity of a connection,
    also where the client sends a second ClientHello, and for the PSK that a session goes back to: one that is not
    provided any more is not resumed.  A function that raises is a PSK that is not known, and the record names the
    exception's class.

    Nothing proves yet that the client has the key.  Anybody can show an identity.
    """

    identity: bytes = field(repr=quoted)
    """What the client shows, 1 to 65,535 bytes."""
    imported: ImportedIdentity | None
    """What it says if it has the form of an imported one (RFC 9258), whose ``derive`` gives the PSK; else None."""


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
    operation that takes the session out for one of all who ask, such as GETDEL of Redis; or better by one that puts
    ``spent`` in its place, so that whoever comes second is seen: see ``ProvideSession`` and ``SessionNotClaimed``.
    """

    session: Session
    """What is to be used up; its ``session_id`` is the key of a store."""
    spent: SpentSession
    """What a store may keep of it, until it would have expired."""


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
    """What is to be sealed, as ``TicketOpened`` must give it back: the native encoding of ``session``."""
    session: Session
    """For whoever shares keys with another implementation: a ``SessionCodec`` makes another plaintext of it, which
    ``TicketOpened`` gives back with that codec."""
