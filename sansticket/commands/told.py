"""What the application wants done: the commands that answer no question."""

from __future__ import annotations

from typing import Any

from attrs import field

from sansticket.codes import AlertDescription
from sansticket.commands.base import Command, error_alert, is_kind
from sansticket.values import frozen, says


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
        validator=is_kind(bool, expected="True or False"),
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
        validator=is_kind(bool, expected="True or False"),
        metadata=says("Ask the peer to replace its keys too."),
    )


class FlushTickets(Command):
    """Make and send the queued tickets now."""

    __slots__ = ()


class CheckRevocations(Command):
    """Server: end the connection if it was revoked since, by the ``revocations`` of the config: its family, the key of
    the ticket that was resumed, or a subject of its client's certificate or of the application data that its last
    ticket carries, or else those of the resumed session.  Its time is that of the full handshake.

    The end is ``ConnectionTerminated`` with ``Reason.SESSION_REVOKED`` and the alert access_denied; where it is not
    revoked nothing happens.  For any time after the handshake, while a question is open and after our close_notify
    too; before that it does nothing, since the handshake looks by itself.  LocalProtocolError for a client, and where
    the config has no ``revocations``.
    """

    __slots__ = ()


@frozen
class Abort(Command):
    """End the connection with a fatal alert, at any time: what is queued stays behind, an open question is closed.

    After our close_notify nothing can be said any more: that is a LocalProtocolError.  The event is
    ``ConnectionTerminated`` with ``Reason.ABORTED_BY_APPLICATION``.  Sessions go as with any other fatal alert: out of
    the ``session_cache``, and out of a client's store those that the connection was made with or has brought.
    """

    alert: AlertDescription = field(
        default=AlertDescription.INTERNAL_ERROR,
        converter=error_alert,
        metadata=says("What the peer is told: any alert for an error, or its number."),
    )
