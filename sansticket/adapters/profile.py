"""What an SSLObject needs of its context: what it was told, as it was at that moment, and where to report to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

from sansticket.config.client import ClientConfig
from sansticket.config.server import ServerConfig
from sansticket.events import Event
from sansticket.values import frozen


@frozen
class Profile:
    """What a connection needs to know of its context, as it was when the connection was made."""

    config: ClientConfig | ServerConfig
    live: ClientConfig | ServerConfig
    """The same for the connection itself: a server's asks ``SelectConfig``, which the SSLObject answers, where its
    choice depends on the ClientHello."""

    identity: object
    """Who we are and how the peer is verified: a session of another identity is not for this connection."""

    verifies: bool
    requires: bool
    """CERT_REQUIRED: a client that is asked after the handshake must have a certificate too."""

    checks_name: bool
    post_handshake_auth: bool
    """A server verifies clients, but asks those of TLS 1.3 only after the handshake."""

    lenient_alpn: bool
    """A server goes on without ALPN when there is no common protocol, as OpenSSL's do."""

    ignore_eof: bool
    """The end of the stream without close_notify is an end like any other (OP_IGNORE_UNEXPECTED_EOF)."""

    sni_callback: Callable[..., Any] | None
    psk_client_callback: Callable[..., Any] | None


@runtime_checkable
class Context(Protocol):
    """The context of an SSLObject: ``SSLContext`` is one."""

    on_event: Callable[[Any, Event], object] | None
    new_connection: Callable[..., Any] | None

    @property
    def _server_side(self) -> bool: ...

    def _current_profile(self) -> Profile:
        """What a connection that is made now goes by.  ConfigError while something is missing."""

    def _count(self, name: str) -> None:
        """One more for ``session_stats``."""
