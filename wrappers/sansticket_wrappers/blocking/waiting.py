"""One call on a socket: how long it may wait, and the bytes that it reads and writes."""

from __future__ import annotations

import errno
import os
import select
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from time import monotonic
from typing import Final

from sansticket.adapters.failures import want_read, without_reason

AT_ONCE: Final = getattr(socket, "MSG_DONTWAIT", 0)
"""Where there is no such flag a socket that can be written to takes a few bytes without waiting all the same."""


SAME_CALLS: Final = os.name == "posix"
"""A socket is read like a file.  One with a time-out does not block beneath, Python waits for it."""


def want_write() -> ssl.SSLWantWriteError:
    """The socket has to take more first."""
    return without_reason(
        ssl.SSLWantWriteError, ssl.SSL_ERROR_WANT_WRITE, "The operation did not complete (write)"
    )


class Call:
    """By the socket's time-out of this moment: None waits, 0 never does, anything else is for the whole call."""

    __slots__ = ("_deadline", "_sock", "_timeout", "_what", "held")

    def __init__(self, sock: socket.socket, what: str) -> None:
        self._sock = sock
        self._what = what
        self._timeout = sock.gettimeout()
        self._deadline = monotonic() + self._timeout if self._timeout else 0.0
        self.held: list[Lock] = []

    @contextmanager
    def holding(self, lock: Lock) -> Iterator[None]:
        """Wait for another thread that has it."""
        if self._timeout is None:
            lock.acquire()
        elif not lock.acquire(timeout=max(0.0, self._left())):
            if self._timeout:
                raise self._too_long()
            raise want_read() if self._what == "read" else want_write()
        self.held.append(lock)
        try:
            yield
        finally:
            self.held.remove(lock)
            lock.release()

    def receive(self, length: int) -> bytes:
        """1 to ``length`` bytes; ``b""`` at the end of the stream."""
        if self._timeout:
            if (data := self._there_already(length)) is not None:
                return data
            self._wait(for_write=False)
        try:
            return socket.socket.recv(self._sock, length)
        except BlockingIOError:
            raise want_read() from None

    def _there_already(self, length: int) -> bytes | None:
        """What needs no waiting costs one call of the system; None where that is not possible or there is nothing."""
        if not SAME_CALLS or self._left() <= 0.0:
            return None
        try:
            return os.read(self._sock.fileno(), length)
        except BlockingIOError:
            return None

    def send(self, data: memoryview) -> int:
        """How many bytes the socket has taken, at least one.

        A socket that blocks is waited for here as well: the system would give a signal that comes when a part is sent
        the number of its bytes to say, and if its handler raises (Ctrl-C) nobody has that.
        """
        if self._timeout:
            self._wait(for_write=True)
        while True:
            try:
                return socket.socket.send(self._sock, data, 0 if self._timeout else AT_ONCE)
            except BlockingIOError:
                if self._timeout is not None:
                    raise want_write() from None
            ready(self._sock, for_write=True, seconds=None)

    def send_at_once(self, data: memoryview) -> int:
        """The same without waiting; 0 when it takes none, or has failed, which others will notice."""
        try:
            if any(ready(self._sock, for_write=True, seconds=0.0)):
                return socket.socket.send(self._sock, data, AT_ONCE)
        except OSError:
            pass
        return 0

    def can_receive_or_send(self) -> tuple[bool, bool]:
        """Which of the two, once it is one of them."""
        seconds = None if self._timeout is None else max(0.0, self._left())
        able = ready(self._sock, for_read=True, for_write=True, seconds=seconds)
        if self._timeout and not any(able):
            raise self._too_long()
        return able

    def _wait(self, *, for_write: bool) -> None:
        able = ready(self._sock, for_read=not for_write, for_write=for_write, seconds=max(0.0, self._left()))
        if not any(able):
            raise self._too_long()

    @property
    def is_over(self) -> bool:
        """It may wait no more."""
        return self._timeout is not None and self._left() <= 0.0

    def _left(self) -> float:
        return self._deadline - monotonic()

    def _too_long(self) -> TimeoutError:
        return TimeoutError(f"The {self._what} operation timed out")


def ready(
    sock: socket.socket, *, for_read: bool = False, for_write: bool, seconds: float | None
) -> tuple[bool, bool]:
    """Whether the socket can be read from, and written to, as soon as one that is asked for can be done or ``seconds``
    have passed.

    OSError for one that another thread has closed, as all that is done with it has: neither ``poll`` nor ``select``
    takes its number.
    """
    number = sock.fileno()
    if number < 0:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    if not hasattr(select, "poll"):  # Windows, whose select has no bound on the number
        to_write = [number] * for_write
        readable, writable, failed = select.select([number] * for_read, to_write, to_write, seconds)
        return bool(readable), bool(writable or failed)
    poll = select.poll()
    poll.register(number, select.POLLIN * for_read | select.POLLOUT * for_write)
    able = poll.poll(None if seconds is None else seconds * 1000)
    return any(mask & ~select.POLLOUT for _, mask in able), any(mask & ~select.POLLIN for _, mask in able)
