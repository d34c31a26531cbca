"""The socket's transport, and its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class SocketEnd(asyncio.BufferedProtocol):
    """What closes the socket when all has been said, and the one timer of a connection."""

    loop: asyncio.AbstractEventLoop
    socket_transport: asyncio.Transport | None
    _linger: float
    _timer: asyncio.TimerHandle | None = None

    def _wait_for_peer(self, unsent: int | None) -> None:
        """As long as it takes what we wrote, and then until it closes its side; ``connection_lost`` stops this."""
        assert self.socket_transport is not None
        left = self.socket_transport.get_write_buffer_size()
        if unsent is not None and not left < unsent:
            self.socket_transport.abort()
        else:
            self._call_later(self._linger, self._wait_for_peer, left)

    def _close_socket(self) -> None:
        self._stop_timer()
        if self.socket_transport is not None:
            if not self.socket_transport.is_closing():  # for asyncio's own TLS the second time is too much
                self.socket_transport.close()
            if self.socket_transport.get_write_buffer_size():
                self._wait_for_peer(None)

    def _call_later(self, delay: float, function: Callable[..., None], *arguments: object) -> None:
        """At most one thing is waited for at a time."""
        self._stop_timer()
        self._timer = self.loop.call_later(delay, function, *arguments)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
