"""What goes into a connection: commands, and among them the answers to questions."""

from __future__ import annotations

from collections.abc import Callable
from types import NoneType
from typing import Any, Final

from attrs import Attribute, field, frozen

from sansticket.codes import AlertDescription
from sansticket.config.defaults import MAX_NUM_TICKETS
from sansticket.config.server import ServerConfig
from sansticket.psk import ExternalPsk
from sansticket.tickets.decision import TicketReturn
from sansticket.tickets.keys.protection import NATIVE, SessionCodec
from sansticket.tickets.session import Session
from sansticket.values import says

__all__ = [
    "Abort",
    "AbortHandshake",
    "AcceptEarlyData",
    "AcceptPeer",
    "Close",
    "Command",
    "EarlyDataClaimed",
    "EarlyDataNotClaimed",
    "FlushTickets",
    "IssueTicket",
    "ProvidePsk",
    "ProvideSession",
    "ProvideSignature",
    "RefuseEarlyData",
    "RejectPeer",
    "RequestClientCertificate",
    "ResolveTicket",
    "SealTicket",
    "SendData",
    "SendEarlyData",
    "SessionAdmitted",
    "SessionClaimed",
    "SessionNotClaimed",
    "SessionRefused",
    "TicketNotOpened",
    "TicketOpened",
    "TicketProtected",
    "UpdateKeys",
    "UseConfig",
]

MAX_SIGNATURE: Final = 65_535
"""Bytes: what the length of a signature has room for (RFC 9846 section 4.5.2)."""


@frozen
class Command:
    """Base of all commands.  A value of a wrong type is a TypeError, one out of range a ValueError."""


def _is(*kinds: type, expected: str) -> Callable[[Command, Attribute[Any], Any], None]:
    """A validator.  What it complains of may be a secret, and is not shown."""

    def validate(command: Command, attribute: Attribute[Any], value: Any) -> None:
        if not isinstance(value, kinds):
            field_ = f"{type(command).__name__}.{attribute.name}"
            raise TypeError(f"{field_}: {type(value).__name__}; expected {expected}")

    return validate


_is_text: Final = _is(str, expected="text")
_is_bytes: Final = _is(bytes, expected="bytes")
_is_bytes_or_none: Final = _is(bytes, NoneType, expected="bytes or None")


def _is_codec(command: Command, attribute: Attribute[Any], value: Any) -> None:
    if isinstance(value, type) or not hasattr(value, "keeps_issue_time"):
        raise TypeError(f"TicketOpened.codec: {type(value).__name__}; expected a SessionCodec")


def _bytes_like(
    value: bytes | bytearray | memoryview, command: str = "SendData"
) -> bytes | bytearray | memoryview:
    # The first test is for speed: there is one for each piece of data that is sent.
    if type(value) is bytes or isinstance(value, bytes | bytearray):
        return value
    given: Any = value
    if not isinstance(given, memoryview):
        raise TypeError(f"{command} with {type(given).__name__}; expected bytes, bytearray or memoryview")
    one_by_one = given.itemsize == 1 and given.ndim == 1
    return given if one_by_one else given.tobytes()  # so that its length is in bytes


def _early_bytes_like(value: bytes | bytearray | memoryview) -> bytes | bytearray | memoryview:
    return _bytes_like(value, "SendEarlyData")


@frozen
class SendData(Command):
    """Send application data.  Queued tickets leave first.  Empty data sends what is queued and nothing else."""

    data: bytes | bytearray | memoryview = field(
        repr=lambda data: f"<{len(data)} bytes>",
        converter=_bytes_like,
        metadata=says("Any number of bytes; they leave in records of at most 16,384."),
    )


@frozen
class SendEarlyData(Command):
    """Client: send early data, before the handshake is done (RFC 9846 section 4.3.10).

    Whoever records it can send it once more, and it is protected by the session's secret alone: see
    docs/early-data.md for what may be sent so.  LocalProtocolError where none was offered or the handshake has gone
    on, and for more than ``early_data_left``; then nothing is sent and nothing counted.
    """

    data: bytes | bytearray | memoryview = field(
        repr=lambda data: f"<{len(data)} bytes>",
        converter=_early_bytes_like,
        metadata=says("At most ``early_data_left`` bytes."),
    )


@frozen
class Close(Command):
    """Send close_notify: we send no more.  In the middle of a handshake it ends the connection.

    Queued tickets, and data that wait behind them, leave first; while a question about them is open, the Close waits
    for its answer.  ``at_once`` leaves them behind.
    """

    at_once: bool = field(
        default=False,
        validator=_is(bool, expected="True or False"),
        metadata=says("Leave what is queued behind."),
    )


@frozen
class UpdateKeys(Command):
    """Replace our sending keys; with ``request_peer`` the peer is asked to replace its own too.

    It is asked once: while it still owes the answer to an earlier request, ours alone are replaced (RFC 9846
    section 4.7.3).
    """

    request_peer: bool = field(
        default=False,
        validator=_is(bool, expected="True or False"),
        metadata=says("Ask the peer to replace its keys too."),
    )


def _is_count(command: Command, attribute: Attribute[Any], value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"IssueTicket.count: {type(value).__name__}; expected a number")
    if not 1 <= value <= MAX_NUM_TICKETS:
        raise ValueError(f"IssueTicket.count: {value!r:.80}; expected 1 to {MAX_NUM_TICKETS}")


@frozen
class IssueTicket(Command):
    """Server, TLS 1.3: queue ``count`` tickets (SSL_new_session_ticket(3)), whatever num_tickets is.

    They leave before the data of the next ``SendData``, or on ``FlushTickets`` or ``Close``.  No more than 65,535
    may be waiting.
    """

    count: int = field(default=1, validator=_is_count, metadata=says(f"How many, 1 to {MAX_NUM_TICKETS:,}."))


@frozen
class FlushTickets(Command):
    """Make and send the queued tickets now."""


@frozen
class RequestClientCertificate(Command):
    """Server, TLS 1.3: ask for a client certificate after the handshake (RFC 9846 section 4.7.2).

    A client that declines goes on without one: ``PeerAuthenticated`` has an empty chain.  Where one is required, here
    or by ``client_authentication`` of the config, that ends the connection with certificate_required.
    """

    required: bool = field(
        default=False,
        validator=_is(bool, expected="True or False"),
        metadata=says("End the connection if the client declines."),
    )


NO_ERRORS: Final = frozenset(
    {AlertDescription.CLOSE_NOTIFY, AlertDescription.USER_CANCELED, AlertDescription.NO_RENEGOTIATION}
)
"""The first two have a level and an order of their own (RFC 9846 section 6.1); the third is always a warning (RFC 5246
section 7.2.2)."""


def _error_alert(value: int) -> AlertDescription:
    """Any alert but those of ``NO_ERRORS``."""
    if type(value) is not AlertDescription and type(value) is not int:
        raise TypeError(f"alert: {type(value).__name__}; expected an AlertDescription")
    try:
        alert = AlertDescription(value)
    except ValueError:
        known = "none that sansticket knows; expected an AlertDescription"
        raise ValueError(f"alert: {value!r:.80} is {known}") from None
    if alert in NO_ERRORS:
        raise ValueError(f"alert: {alert.name} ends nothing; expected an alert for an error, or Close")
    return alert


@frozen
class Abort(Command):
    """End the connection with a fatal alert, at any time: what is queued stays behind, an open question is closed.

    After our close_notify nothing can be said any more: that is a LocalProtocolError.  The event is
    ``ConnectionTerminated`` with ``Reason.ABORTED_BY_APPLICATION``.  Sessions go as with any other fatal alert: out of
    the ``session_cache``, and out of a client's store those that the connection was made with or has brought.
    """

    alert: AlertDescription = field(
        default=AlertDescription.INTERNAL_ERROR,
        converter=_error_alert,
        metadata=says("What the peer is told: any alert for an error, or its number."),
    )


@frozen
class AbortHandshake(Command):
    """An answer to any question: end the connection with this alert."""

    alert: AlertDescription = field(
        default=AlertDescription.INTERNAL_ERROR,
        converter=_error_alert,
        metadata=says("What the peer is told: any alert for an error, or its number."),
    )


@frozen
class UseConfig(Command):
    """Answers ``SelectConfig``."""

    config: ServerConfig = field(
        validator=_is(ServerConfig, expected="a ServerConfig"),
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
        validator=_is_bytes,
        metadata=says("What was given to ``ProtectTicket``, or sealed by others."),
    )
    key_name: bytes = field(
        default=b"",
        validator=_is_bytes,
        metadata=says("For the record of this handshake; empty is the first 16 bytes of the ticket."),
    )
    renew: bool | None = field(
        default=None,
        validator=_is(bool, NoneType, expected="True, False or None"),
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
        validator=_is_bytes,
        metadata=says("For the record of this handshake; empty is the first 16 bytes of the ticket."),
    )


@frozen
class ResolveTicket(Command):
    """Answers ``DecideTicket``.  ``alert`` is used with ABORT only."""

    ticket_return: TicketReturn = field(
        validator=_is(TicketReturn, expected="a TicketReturn"),
        metadata=says("What is to become of the ticket: see ``resolve``."),
    )
    alert: AlertDescription = field(
        default=AlertDescription.INTERNAL_ERROR,
        converter=_error_alert,
        metadata=says("What the peer is told with ABORT: any alert for an error, or its number."),
    )


@frozen
class ProvideSession(Command):
    """Answers ``LookUpSession``.  One that cannot be resumed (expired, of another version, ...) leads to a full
    handshake; one with another id is a LocalProtocolError."""

    session: Session | None = field(
        validator=_is(Session, NoneType, expected="a Session or None"),
        metadata=says("The session of the id that was asked for, or None."),
    )
    why: str = field(
        default="",
        validator=_is_text,
        metadata=says(
            'Why there is none, for the record of the handshake: "no session of this id" if it is empty.'
        ),
    )


@frozen
class ProvidePsk(Command):
    """Answers ``LookUpPsk``.  One with another identity, or for the role of a client, is a LocalProtocolError; one of a
    hash that no common cipher suite has is passed over."""

    psk: ExternalPsk | None = field(
        validator=_is(ExternalPsk, NoneType, expected="an ExternalPsk or None"),
        metadata=says("The PSK of the identity that was asked for, or None."),
    )
    why: str = field(
        default="",
        validator=_is_text,
        metadata=says(
            'Why there is none, for the record of the handshake: "no PSK of this identity" if it is empty.'
        ),
    )


@frozen
class SessionAdmitted(Command):
    """Answers ``AdmitSession``: the session goes on."""


@frozen
class SessionRefused(Command):
    """Answers ``AdmitSession``: as if a check had failed.  The search goes on, and a full handshake has new tickets."""

    why: str = field(
        default="",
        validator=_is_text,
        metadata=says("The reason, for the record of the handshake."),
    )


@frozen
class SessionClaimed(Command):
    """Answers ``ClaimSession``: this connection uses the session up, and no other has or will.

    A ``session_cache`` has to agree: what it knows to be used up is not used again.
    """


@frozen
class SessionNotClaimed(Command):
    """Answers ``ClaimSession``: it was used before, or nobody can tell.  The search for another session goes on."""


@frozen
class AcceptEarlyData(Command):
    """Answers ``AdmitEarlyData``: it is accepted if nobody has accepted it before."""


@frozen
class RefuseEarlyData(Command):
    """Answers ``AdmitEarlyData``: the session goes on, and the early data is dropped unread."""

    why: str = field(
        default="",
        validator=_is_text,
        metadata=says("The reason, for the record of the handshake."),
    )


@frozen
class EarlyDataClaimed(Command):
    """Answers ``ClaimEarlyData``: nobody has claimed that key before, and nobody will."""


@frozen
class EarlyDataNotClaimed(Command):
    """Answers ``ClaimEarlyData``: somebody has, or nobody can tell.  The early data is dropped unread."""

    why: str = field(
        default="",
        validator=_is_text,
        metadata=says("The reason, for the record of the handshake."),
    )


@frozen
class SealTicket(Command):
    """Answers ``PrepareTicket``.  ``app_data`` None keeps what the session carries (an inherited value too).

    Data that makes a ticket of more than 57,344 bytes (TLS 1.2: 65,535) is a LocalProtocolError: no client could show
    it.  When the session does not fit although no data was given (a long certificate chain, inherited data), this
    ticket is not sent.
    """

    app_data: bytes | None = field(
        default=None,
        validator=_is_bytes_or_none,
        repr=False,
        metadata=says("Data of the application, which the ticket brings back; the client never sees it."),
    )


@frozen
class TicketProtected(Command):
    """Answers ``ProtectTicket``, with 1 to 57,344 bytes, which a client has room for in its hello (TLS 1.2: 65,535).
    LocalProtocolError for more.  None: this ticket is not sent, and the connection goes on."""

    ticket: bytes | None = field(
        validator=_is_bytes_or_none,
        metadata=says("1 to 57,344 bytes (TLS 1.2: 65,535), or None for no ticket."),
    )


def _is_signature(command: Command, attribute: Attribute[Any], value: Any) -> None:
    _is_bytes(command, attribute, value)
    if len(value) > MAX_SIGNATURE:
        raise ValueError(f"ProvideSignature.signature: {len(value)} bytes; expected at most {MAX_SIGNATURE}")


@frozen
class ProvideSignature(Command):
    """Answers ``Sign``."""

    signature: bytes = field(validator=_is_signature, metadata=says(f"At most {MAX_SIGNATURE:,} bytes."))


@frozen
class AcceptPeer(Command):
    """Answers ``VerifyPeer``."""


@frozen
class RejectPeer(Command):
    """Answers ``VerifyPeer``."""

    alert: AlertDescription = field(
        default=AlertDescription.BAD_CERTIFICATE,
        converter=_error_alert,
        metadata=says("What the peer is told: any alert for an error, or its number."),
    )
