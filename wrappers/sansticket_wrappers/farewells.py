"""What an end that nobody wanted is told with."""

from __future__ import annotations

from sansticket import Abort, AbortHandshake, Close, Command, Connection


def farewell(connection: Connection) -> Command:
    """An alert in any case: before the handshake is done Close is user_canceled, and later it would say that the data
    end here.
    """
    if connection.pending is not None:
        return AbortHandshake()
    return Close() if connection.version is None else Abort()
