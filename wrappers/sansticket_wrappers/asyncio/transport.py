"""What the application's protocol writes to."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

from sansticket import Close, Command, LocalProtocolError, SendData

if TYPE_CHECKING:
    from sansticket_wrappers.asyncio.buffers import App
    from sansticket_wrappers.asyncio.protocol import TLSProtocol


class TLSTransport(asyncio.Transport):
    """What the application's protocol writes to.

    ``get_extra_info("tls")`` is the ``Connection``, which knows what was agreed on, ``"early_data"`` the ``EarlyData``,
    ``"state"`` what it was given on its way from another process (``RestartableServer``), and ``"truncated"`` says
    whether the peer's stream ended without close_notify.
    """

    def __init__(self, tls: TLSProtocol) -> None:
        super().__init__()
        self._tls = tls

    def command(self, command: Command) -> None:
        """Any command besides data and the end: ``IssueTicket``, ``UpdateKeys`` and so on."""
        self._tls.command(command)

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        if not isinstance(data, bytes | bytearray | memoryview):
            raise TypeError(f"write() with {type(data).__name__}; expected bytes, bytearray or memoryview")
        if data and not self.is_closing():
            try:
                self._tls.command(SendData(bytes(data)))
            except LocalProtocolError:
                # The end may have come together with what is answered.
                if self._tls.connection.state != "Ended":
                    raise

    def write_eof(self) -> None:
        self._tls.command(Close())

    def can_write_eof(self) -> bool:
        return True

    def close(self) -> None:
        self._tls.close()

    def abort(self) -> None:
        self._tls.abort()

    def is_closing(self) -> bool:
        return self._tls.closing or self._tls.ending

    def pause_reading(self) -> None:
        self._tls.reading_paused = True
        self._tls.update_flow()

    def resume_reading(self) -> None:
        self._tls.resume()

    def is_reading(self) -> bool:
        return not self._tls.reading_paused and not self.is_closing()

    def get_write_buffer_size(self) -> int:
        return self._socket().get_write_buffer_size()

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return self._socket().get_write_buffer_limits()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._socket().set_write_buffer_limits(high, low)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._tls.app = cast("App", protocol)

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._tls.app

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        if name == "tls":
            return self._tls.connection
        if name == "protocol_of_tls":
            return self._tls
        if name == "state":
            return getattr(self._tls, "state", default)
        if name == "early_data":
            return self._tls.early_data
        if name == "truncated":
            return self._tls.truncated
        return self._socket().get_extra_info(name, default)

    def _socket(self) -> asyncio.Transport:
        assert self._tls.socket_transport is not None
        return self._tls.socket_transport
