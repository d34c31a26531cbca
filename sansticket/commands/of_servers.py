"""What only a server does, and the answers to what only a server asks."""

from __future__ import annotations

from types import NoneType
from typing import Any, Final

from attrs import Attribute, field

from sansticket.codes import AlertDescription
from sansticket.commands.base import Command, error_alert, is_bytes, is_bytes_or_none, is_kind, is_text
from sansticket.config.defaults import MAX_NUM_TICKETS
from sansticket.config.server import ServerConfig
from sansticket.psk import ExternalPsk
from sansticket.text import quoted
from sansticket.tickets.decision import TicketReturn
from sansticket.tickets.keys.protection import NATIVE, SessionCodec
from sansticket.tickets.session import Session
from sansticket.tickets.stores.spent import SpentSession
from sansticket.values import frozen, says

REASON: Final = says("The reason, for the record of the handshake.")


def _is_count(command: Command, attribute: Attribute[Any], value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"IssueTicket.count: {type(value).__name__}; expected a number")
    if not 1 <= value <= MAX_NUM_TICKETS:
        raise ValueError(f"IssueTicket.count: {quoted(value)}; expected 1 to {MAX_NUM_TICKETS}")


@frozen
class IssueTicket(Command):
    """Server, TLS 1.3: queue ``count`` tickets (SSL_new_session_ticket(3)), whatever num_tickets is.

    They leave before the data of the next ``SendData``, or on ``FlushTickets`` or ``Close``.  No more than 65,535
    may be waiting.  Where the session has become too old there are none, and a ``TicketWithheld`` for each.
    """

    count: int = field(default=1, validator=_is_count, metadata=says(f"How many, 1 to {MAX_NUM_TICKETS:,}."))


@frozen
class RequestClientCertificate(Command):
    """Server, TLS 1.3: ask for a client certificate after the handshake (RFC 9846 section 4.7.2).

    A client that declines goes on without one: ``PeerAuthenticated`` has an empty chain.  Where one is required, here
    or by ``client_authentication`` of the config, that ends the connection with certificate_required.
    """

    required: bool = field(
        default=False,
        validator=is_kind(bool, expected="True or False"),
        metadata=says("End the connection if the client declines."),
    )


def _is_codec(command: Command, attribute: Attribute[Any], value: Any) -> None:
    if isinstance(value, type) or not hasattr(value, "keeps_issue_time"):
        raise TypeError(f"TicketOpened.codec: {type(value).__name__}; expected a SessionCodec")


@frozen
class UseConfig(Command):
    """Answers ``SelectConfig``."""

    config: ServerConfig = field(
        validator=is_kind(ServerConfig, expected="a ServerConfig"),
        metadata=says("The config that this connection goes by from now on."),
    )


@frozen
class TicketOpened(Command):
    """Answers ``OpenTicket``: the plaintext.

    ``renew`` True reports SUCCESS_RENEW, False reports SUCCESS, None leaves it to the protocol version:
    TLS 1.3 renews, TLS 1.2 does not.
    """

    plaintext: bytes = field(
        repr=False,
        validator=is_bytes,
        metadata=says("What was given to ``ProtectTicket``, or sealed by others."),
    )
    key_name: bytes = field(
        default=b"",
        validator=is_bytes,
        metadata=says("For the record of this handshake; empty is the first 16 bytes of the ticket."),
    )
    renew: bool | None = field(
        default=None,
        validator=is_kind(bool, NoneType, expected="True, False or None"),
        metadata=says("Whether the client should get a new ticket: see above."),
    )
    codec: SessionCodec = field(
        default=NATIVE,
        validator=_is_codec,
        metadata=says(
            "How the session is written in the plaintext: the native encoding, unless others made it."
        ),
    )


@frozen
class TicketNotOpened(Command):
    """Answers ``OpenTicket``: this ticket does not decrypt."""

    key_name: bytes = field(
        default=b"",
        validator=is_bytes,
        metadata=says("For the record of this handshake; empty is the first 16 bytes of the ticket."),
    )


@frozen
class ResolveTicket(Command):
    """Answers ``DecideTicket``.  ``alert`` is used with ABORT only."""

    ticket_return: TicketReturn = field(
        validator=is_kind(TicketReturn, expected="a TicketReturn"),
        metadata=says("What is to become of the ticket: see ``resolve``."),
    )
    alert: AlertDescription = field(
        default=AlertDescription.INTERNAL_ERROR,
        converter=error_alert,
        metadata=says("What the peer is told with ABORT: any alert for an error, or its number."),
    )


@frozen
class ProvideSession(Command):
    """Answers ``LookUpSession``.  One that cannot be resumed (expired, of another version, ...) leads to a full
    handshake; one with another id is a LocalProtocolError.

    A store that keeps what is left of sessions that were used up (``ClaimSession.spent``) gives that: it is a full
    handshake too, and the second use is seen (``TicketReused``).
    """

    session: Session | SpentSession | None = field(
        validator=is_kind(Session, SpentSession, NoneType, expected="a Session, a SpentSession or None"),
        metadata=says("The session of the id that was asked for, what is left of it, or None."),
    )
    why: str = field(
        default="",
        validator=is_text,
        metadata=says(
            'Why there is none, for the record of the handshake: "no session of this id" if it is empty.'
        ),
    )


@frozen
class ProvidePsk(Command):
    """Answers ``LookUpPsk``.  One with another identity, or for the role of a client, is a LocalProtocolError; one of a
    hash that no common cipher suite has is passed over."""

    psk: ExternalPsk | None = field(
        validator=is_kind(ExternalPsk, NoneType, expected="an ExternalPsk or None"),
        metadata=says("The PSK of the identity that was asked for, or None."),
    )
    why: str = field(
        default="",
        validator=is_text,
        metadata=says(
            'Why there is none, for the record of the handshake: "no PSK of this identity" if it is empty.'
        ),
    )


class SessionAdmitted(Command):
    """Answers ``AdmitSession``: the session goes on."""

    __slots__ = ()


@frozen
class SessionRefused(Command):
    """Answers ``AdmitSession``: as if a check had failed.  The search goes on, and a full handshake has new tickets."""

    why: str = field(default="", validator=is_text, metadata=REASON)


class SessionClaimed(Command):
    """Answers ``ClaimSession``: this connection uses the session up, and no other has or will.

    A ``session_cache`` has to agree: what it knows to be used up is not used again.
    """

    __slots__ = ()


@frozen
class SessionNotClaimed(Command):
    """Answers ``ClaimSession``: it was used before, or nobody can tell.  The search for another session goes on."""

    spent: SpentSession | None = field(
        default=None,
        validator=is_kind(SpentSession, NoneType, expected="a SpentSession or None"),
        metadata=says(
            "``ClaimSession.spent`` of the connection that was first, if it is known: then this use is seen as the "
            "second (``TicketReused``).  One of another session is a LocalProtocolError."
        ),
    )


class AcceptEarlyData(Command):
    """Answers ``AdmitEarlyData``: it is accepted if nobody has accepted it before."""

    __slots__ = ()


@frozen
class RefuseEarlyData(Command):
    """Answers ``AdmitEarlyData``: the session goes on, and the early data is dropped unread."""

    why: str = field(default="", validator=is_text, metadata=REASON)


class EarlyDataClaimed(Command):
    """Answers ``ClaimEarlyData``: nobody has claimed that key before, and nobody will."""

    __slots__ = ()


@frozen
class EarlyDataNotClaimed(Command):
    """Answers ``ClaimEarlyData``: somebody has, or nobody can tell.  The early data is dropped unread."""

    why: str = field(default="", validator=is_text, metadata=REASON)


@frozen
class SealTicket(Command):
    """Answers ``PrepareTicket``.  ``app_data`` None keeps what the session carries (an inherited value too).

    Data that makes a ticket of more than 57,344 bytes (TLS 1.2: 65,535) is a LocalProtocolError: no client could show
    it.  When a function of the config gave it, or when the session does not fit although no data was given (a long
    certificate chain, inherited data), this ticket is not sent, and ``TicketWithheld`` says why.
    """

    app_data: bytes | None = field(
        default=None,
        validator=is_bytes_or_none,
        repr=False,
        metadata=says("Data of the application, which the ticket brings back; the client never sees it."),
    )


@frozen
class TicketProtected(Command):
    """Answers ``ProtectTicket``, with 1 to 57,344 bytes, which a client has room for in its hello (TLS 1.2: 65,535).
    LocalProtocolError for more; or no ticket, where a function of the config gave it, and ``TicketWithheld`` says why.
    None: this ticket is not sent, and the connection goes on."""

    ticket: bytes | None = field(
        validator=is_bytes_or_none,
        metadata=says("1 to 57,344 bytes (TLS 1.2: 65,535), or None for no ticket."),
    )
