"""What goes into a connection: commands, and among them the answers to questions."""

from __future__ import annotations

from typing import Any

from attrs import field, frozen, validators

from sansticket.codes import AlertDescription
from sansticket.config.server import ServerConfig
from sansticket.tickets.decision import TicketReturn
from sansticket.tickets.session import Session


@frozen
class Command:
    """Base of all commands."""


def _bytes_like(command: Command, attribute: object, value: Any) -> None:
    # The first of the two tests is for speed: there is one for each piece of data that is sent.
    if type(value) is not bytes and not isinstance(value, bytearray | memoryview):
        raise TypeError(f"SendData with {type(value).__name__}; expected bytes, bytearray or memoryview")


@frozen
class SendData(Command):
    """Send application data.  Queued tickets leave first.  Empty data sends what is queued and nothing else."""

    data: bytes | bytearray | memoryview = field(
        repr=lambda data: f"<{len(data)} bytes>", validator=_bytes_like
    )


@frozen
class Close(Command):
    """Send close_notify: we send no more.  In the middle of a handshake it ends the connection."""


@frozen
class UpdateKeys(Command):
    """Replace our sending keys; with ``request_peer`` the peer is asked to replace its own too.

    It is asked once: while it still owes the answer to an earlier request, ours alone are replaced (RFC 9846
    section 4.7.3).
    """

    request_peer: bool = False


@frozen
class IssueTicket(Command):
    """Server, TLS 1.3: queue ``count`` tickets (SSL_new_session_ticket(3)), whatever num_tickets is.

    They leave before the data of the next ``SendData``, or on ``FlushTickets``.
    """

    count: int = field(default=1, validator=[validators.instance_of(int), validators.ge(1)])


@frozen
class FlushTickets(Command):
    """Make and send the queued tickets now."""


@frozen
class RequestClientCertificate(Command):
    """Server, TLS 1.3: ask for a client certificate after the handshake (RFC 9846 section 4.7.2)."""


def _error_alert(value: Any) -> AlertDescription:
    """Any alert but the two that are no errors, and have a level and an order of their own (RFC 9846 section 6.1)."""
    alert = AlertDescription(value)
    if alert in (AlertDescription.CLOSE_NOTIFY, AlertDescription.USER_CANCELED):
        raise ValueError(f"{alert.name} ends nothing; expected an alert for an error, or Close")
    return alert


@frozen
class AbortHandshake(Command):
    """An answer to any question: end the connection with this alert."""

    alert: AlertDescription = field(default=AlertDescription.INTERNAL_ERROR, converter=_error_alert)


@frozen
class UseConfig(Command):
    """Answers ``SelectConfig``."""

    config: ServerConfig = field(validator=validators.instance_of(ServerConfig))


@frozen
class TicketOpened(Command):
    """Answers ``OpenTicket``: the plaintext.

    ``renew`` True reports SUCCESS_RENEW, False reports SUCCESS, None leaves it to the protocol version:
    TLS 1.3 renews, TLS 1.2 does not.
    """

    plaintext: bytes = field(repr=False, validator=validators.instance_of(bytes))
    key_name: bytes = field(default=b"", validator=validators.instance_of(bytes))
    renew: bool | None = None


@frozen
class TicketNotOpened(Command):
    """Answers ``OpenTicket``: this ticket does not decrypt."""

    key_name: bytes = field(default=b"", validator=validators.instance_of(bytes))


@frozen
class ResolveTicket(Command):
    """Answers ``DecideTicket``.  ``alert`` is used with ABORT only."""

    ticket_return: TicketReturn = field(validator=validators.instance_of(TicketReturn))
    alert: AlertDescription = field(default=AlertDescription.INTERNAL_ERROR, converter=_error_alert)


@frozen
class ProvideSession(Command):
    """Answers ``LookUpSession``.  One that cannot be resumed (expired, of another version, ...) leads to a full
    handshake; one with another id is a LocalProtocolError."""

    session: Session | None = field(validator=validators.optional(validators.instance_of(Session)))


@frozen
class SessionClaimed(Command):
    """Answers ``ClaimSession``: this connection uses the session up, and no other has or will.

    A ``session_cache`` has to agree: what it knows to be used up is not used again.
    """


@frozen
class SessionNotClaimed(Command):
    """Answers ``ClaimSession``: it was used before, or nobody can tell.  The search for another session goes on."""


@frozen
class SealTicket(Command):
    """Answers ``PrepareTicket``.  ``app_data`` None keeps what the session carries (an inherited value too).

    Data that makes a ticket of more than 65,535 bytes is a LocalProtocolError.  When the session does not fit
    although no data was given (a long certificate chain, inherited data), this ticket is not sent.
    """

    app_data: bytes | None = field(
        default=None, validator=validators.optional(validators.instance_of(bytes)), repr=False
    )


@frozen
class TicketProtected(Command):
    """Answers ``ProtectTicket``, with 1 to 65,535 bytes.  None: this ticket is not sent, and the connection goes on."""

    ticket: bytes | None = field(validator=validators.optional(validators.instance_of(bytes)))


@frozen
class ProvideSignature(Command):
    """Answers ``Sign``.  At most 65,535 bytes."""

    signature: bytes = field(
        validator=validators.and_(validators.instance_of(bytes), validators.max_len(0xFFFF))
    )


@frozen
class AcceptPeer(Command):
    """Answers ``VerifyPeer``."""


@frozen
class RejectPeer(Command):
    """Answers ``VerifyPeer``."""

    alert: AlertDescription = field(default=AlertDescription.BAD_CERTIFICATE, converter=_error_alert)
