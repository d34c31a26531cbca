"""Early data, as a server sees it: what comes, and what is asked (RFC 9846 sections 4.3.10 and 8)."""

from __future__ import annotations

from attrs import field

from sansticket.events.base import Event, Question
from sansticket.events.happenings import size_of
from sansticket.text import quoted
from sansticket.tickets.session import Session
from sansticket.values import frozen
from sansticket.wire.messages.hello import ClientHello


@frozen
class EarlyDataReceived(Event):
    """Server: early data, which anybody may have recorded and sent again: see docs/early-data.md.

    The client has shown that it knows the session's secret, or it is somebody who repeats what such a client has sent.
    Nothing is known of the connection's life until ``HandshakeCompleted``.
    """

    data: bytes = field(repr=size_of)
    """What came, in order."""


class EarlyDataEnded(Event):
    """Server: EndOfEarlyData.  What comes from here on is no early data."""

    __slots__ = ()


@frozen
class AdmitEarlyData(Question):
    """Early data may be accepted, all things considered but the replay: does the application want it?

    Answers: ``AcceptEarlyData``, ``RefuseEarlyData``, ``AbortHandshake``.  Default: ``AcceptEarlyData``.  A function
    that raises is ``RefuseEarlyData``.

    It is asked once, before a byte of the data can be read, and cannot be taken back: the answer is in the first
    flight of the server.  After it comes ``ClaimEarlyData``.
    """

    session: Session
    """What is resumed; its ``alpn`` and ``server_name`` are those of this connection."""
    client_hello: ClientHello = field(repr=quoted)
    """As it was decoded."""
    age: float
    """Seconds since the ticket was issued, as the client says."""
    drift: float
    """Seconds by which the ClientHello came later than that says; less than 0 if it came earlier."""
    limit: int
    """The most bytes that will come."""


@frozen
class ClaimEarlyData(Question):
    """The early data of one ClientHello is to be accepted: is this the first time that anybody wants to?

    Answers: ``EarlyDataClaimed``, ``EarlyDataNotClaimed``, ``AbortHandshake``.  Default: what ``replay`` of the config
    says; without it ``EarlyDataClaimed``, since the session is for single use and was claimed already.  A function
    that raises is ``EarlyDataNotClaimed``.

    The last question of all.  Servers that share a store answer it by one operation that says whether it was the
    first, such as ``SET key 1 NX PXAT until`` of Redis.
    """

    key: bytes
    """32 bytes, made of the PSK's identity and its binder: the same for a replay, and for nothing else."""
    until: float
    """Seconds since the epoch: until then a server with the same clock accepts the same ClientHello.  Remember the key
    for so long, and for as long as the clocks of the servers differ."""
