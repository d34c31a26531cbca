"""Ends that nobody wanted: what they are told with, and what is left of a connection whose transport has gone."""

from __future__ import annotations

from sansticket import Abort, AbortHandshake, Close, Command, Connection, Event


def farewell(connection: Connection) -> Command:
    """An alert in any case: before the handshake is done Close is user_canceled, and later it would say that the data
    end here.
    """
    if connection.pending is not None:
        return AbortHandshake()
    return Close() if connection.version is None else Abort()


def cut_off(connection: Connection) -> list[Event]:
    """So that it knows that nothing comes any more; what is asked is not answered then."""
    asked = connection.pending is not None
    return connection.send(Close(at_once=True)) if asked else connection.receive_data(b"")
