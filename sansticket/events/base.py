"""What every event is, and what it says of its connection."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from attrs import field, fields

from sansticket.text import quoted
from sansticket.tickets.session import Session
from sansticket.values import Shared, frozen


@frozen
class ConnectionFacts(Shared):
    """What is known of a connection when it says something: more and more as its handshake goes on.

    ``server_name``, ``alpn_protocol`` and ``version`` are None until they are settled, or where there is none;
    ``server_name`` is what the client asks for.  ``peer_certificates`` is the peer's chain in DER, leaf first, which
    says nothing of whose key it is before ``HandshakeCompleted``.  ``session`` is the session that is resumed.

    ``application`` is what was given to the connection: the ``arg`` that the callbacks of the manual get beside
    their ``SSL *``.  It can be anything, and is never looked at.  Copies refer to it too.  A pickle of an event goes
    without it: it may be a socket, or have the connection itself, which a pickle would take along.
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
    psk_identity: bytes | None = field(default=None, repr=quoted)
    """The external PSK that authenticates, or did when the session was made; None without one."""
    established: bool = False
    """Whether the handshake is done."""

    def __reduce__(self) -> tuple[Any, ...]:
        known = {
            one.name: getattr(self, one.name) for one in fields(ConnectionFacts) if one.name != "application"
        }
        return partial(ConnectionFacts, **known), ()


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


class Question(Event):
    """Base of the events that wait for an answer."""

    __slots__ = ()
