"""What is asked of the transport below, which need not be a socket: a process has no half-close, no abort, no peer."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import ISSLTransport


def ask(transport: Any, method: str, *arguments: object) -> Any:
    """What it answers; None if it has no such method."""
    return getattr(transport, method, lambda *_: None)(*arguments)


def abort(transport: Any) -> None:
    """At once, or when it has written what it has: for more of a producer it would wait."""
    if hasattr(transport, "abortConnection"):
        transport.abortConnection()
    else:
        ask(transport, "unregisterProducer")
        transport.loseConnection()


def has_half_close(transport: Any) -> bool:
    """Of its own: Twisted's TLS passes on what it has not, and the socket below it would be closed amid its stream."""
    where = type(transport) if ISSLTransport.providedBy(transport) else transport
    return hasattr(where, "loseWriteConnection")
