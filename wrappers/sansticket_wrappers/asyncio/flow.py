"""Who may go on, of the two between whom a connection stands."""

from __future__ import annotations

from collections import deque
from typing import Final

from sansticket import events
from sansticket_wrappers.asyncio.buffers import App
from sansticket_wrappers.asyncio.early_data import Waiting
from sansticket_wrappers.asyncio.socket_end import SocketEnd
from sansticket_wrappers.unread import MAX_ANSWERS

Kept = events.DataReceived | events.EarlyDataReceived | events.PeerClosed

MAX_UNREAD: Final = 1 << 20
"""Bytes that are kept of what still comes from a transport that was paused; asyncio's own TLS has read a quarter."""


class Flow(SocketEnd):
    """What holds the socket back, and the application."""

    app: App
    ending: bool

    # Not yet:
    reading_paused: bool = False
    """By the application."""
    _connected = False
    _socket_full = False
    _answers = 0
    """Bytes that the peer has brought about since it takes no more."""
    _app_paused = False
    _waiting: Waiting | None = None
    _busy = False
    """With hooks.  Whatever the application wants meanwhile waits in the backlog."""
    _kept: deque[Kept] | None = None
    """What came together with something upon which the application paused."""
    _unread: deque[bytes] | None = None
    """What came although we had paused: some pass on in pieces what they have read, asyncio's on Windows for one."""
    _unread_size = 0
    _error: Exception | None = None

    def pause_writing(self) -> None:
        self._socket_full = True
        self.update_flow()

    def resume_writing(self) -> None:
        self._socket_full = False
        self._answers = 0
        self.update_flow()

    def count_answer(self, length: int) -> None:
        """What a peer has brought about and takes no more is bounded: then it is not read."""
        if self._socket_full:
            self._answers += length
            if self._answers > MAX_ANSWERS:
                self.update_flow()

    def update_flow(self) -> None:
        """Tell both neighbours whether they may go on.  While the application is busy neither may.

        After a failure what is written goes nowhere: whoever drains waits for ``connection_lost``, which says why.
        """
        busy = self._busy
        if self.socket_transport is not None and not self.socket_transport.is_closing():
            waits = busy or self.reading_paused or self._kept or self._unread or self._answers > MAX_ANSWERS
            if self.ending or not waits:
                self.socket_transport.resume_reading()
            else:
                self.socket_transport.pause_reading()
        early = self._waiting is not None and bool(self._waiting.commands)
        paused = busy or self._socket_full or early or self._error is not None
        if self._connected and paused != self._app_paused:
            self._app_paused = paused
            try:
                tell = self.app.pause_writing if paused else self.app.resume_writing
                tell()
            except Exception as error:  # as asyncio has it: a connection does not fail for that
                self._report(f"{'pause' if paused else 'resume'}_writing failed", error)

    def _keep(self, event: Kept) -> None:
        self._kept = self._kept or deque()
        self._kept.append(event)

    def _put_off(self, data: bytes) -> BufferError | None:
        """An error for more than ``MAX_UNREAD`` bytes: whoever sends them is held back by nobody."""
        self._unread_size += len(data)
        if self._unread_size > MAX_UNREAD:
            return BufferError(
                f"{self._unread_size} bytes came though reading is paused; at most {MAX_UNREAD}"
            )
        self._unread = self._unread or deque()
        self._unread.append(data)
        return None

    def _next_unread(self, unread: deque[bytes]) -> bytes:
        data = unread.popleft()
        self._unread_size -= len(data)
        return data

    def _report(self, message: str, error: Exception) -> None:
        self.loop.call_exception_handler({"message": message, "exception": error, "protocol": self})
