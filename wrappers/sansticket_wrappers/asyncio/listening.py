"""Connections accepted from a listening socket, none of which is lost when that stops."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from sansticket_wrappers.asyncio.passing import Line, listen_at, remove_socket

log = logging.getLogger(__name__)

AT_ONCE: Final = 100
"""How many connections are accepted before the loop goes on with something else."""
ACCEPT_RETRY_DELAY: Final = 1.0
"""Seconds until it is tried again where files or memory were short; as asyncio has it."""
SHORTAGE: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class Listening:
    """A protocol of ``make_protocol`` for each connection that comes to ``listener``, until ``stop``.

    What ``asyncio.Server`` does, but for one thing: that drops a connection which was accepted in the very round of the
    loop in which it is closed (CPython 3.13.0; its transport finds no server to belong to).
    """

    def __init__(self, listener: socket.socket, make_protocol: Callable[[], asyncio.BaseProtocol]) -> None:
        self._loop = asyncio.get_running_loop()
        self._listener, self._make_protocol = listener, make_protocol
        self._accepted: dict[asyncio.Task[None], socket.socket] = {}
        self._retry: asyncio.TimerHandle | None = None
        listener.setblocking(False)
        self._listen()

    def stop(self) -> None:
        """Accept no more; the socket stays open, and what was accepted goes on."""
        self._loop.remove_reader(self._listener.fileno())
        if self._retry is not None:
            self._retry.cancel()

    def close(self) -> None:
        """Accept no more, and drop what has no transport yet."""
        self.stop()
        for task in self._accepted:
            task.cancel()

    def _listen(self) -> None:
        self._loop.add_reader(self._listener.fileno(), self._accept)

    def _accept(self) -> None:
        for _ in range(AT_ONCE):
            try:
                sock, _ = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in SHORTAGE:
                    raise
                self._pause(error)
                return
            self._begin(sock)

    def _begin(self, sock: socket.socket) -> None:
        try:
            protocol = self._make_protocol()
        except BaseException:
            sock.close()
            raise
        task = self._loop.create_task(connect(sock, protocol))
        self._accepted[task] = sock
        task.add_done_callback(self._begun)

    def _begun(self, task: asyncio.Task[None]) -> None:
        sock = self._accepted.pop(task)
        if task.cancelled():  # perhaps before it began
            sock.close()

    def _pause(self, error: OSError) -> None:
        log.warning("no connection is accepted for %s s: %s", ACCEPT_RETRY_DELAY, error)
        self._loop.remove_reader(self._listener.fileno())
        self._retry = self._loop.call_later(ACCEPT_RETRY_DELAY, self._listen)


async def connect(sock: socket.socket, protocol: asyncio.BaseProtocol) -> None:
    """Give the protocol its transport; the socket is closed if that fails."""
    try:
        sock.setblocking(False)
        await asyncio.get_running_loop().connect_accepted_socket(lambda: protocol, sock)
    except BaseException:
        sock.close()
        raise


class Door:
    """Where a successor comes: a Unix socket at ``path``.  ``let_in`` gets the line to it, and the socket is closed."""

    def __init__(self, path: str, let_in: Callable[[Line], None]) -> None:
        self._path, self._let_in = path, let_in
        self._sock: socket.socket | None = None
        self._file: os.stat_result | None = None
        self._retry: asyncio.TimerHandle | None = None

    def open(self) -> None:
        """OSError where that cannot be."""
        remove_socket(self._path)
        self._sock = listen_at(self._path)
        self._file = os.stat(self._path)
        self._watch()

    def open_in_time(self) -> None:
        """As soon as it can be."""
        try:
            self.open()
        except OSError as error:
            self._later(self.open_in_time, error)

    def close(self) -> None:
        if self._retry is not None:
            self._retry.cancel()
        if self._sock is not None:
            asyncio.get_running_loop().remove_reader(self._sock.fileno())
            self._sock.close()
            self._sock = None
            with suppress(FileNotFoundError):
                if self._file is not None and os.path.samestat(os.stat(self._path), self._file):
                    os.unlink(self._path)  # and not that of another server

    def _watch(self) -> None:
        assert self._sock is not None
        asyncio.get_running_loop().add_reader(self._sock.fileno(), self._somebody_came)

    def _later(self, function: Callable[[], None], error: OSError) -> None:
        log.warning("no successor can come for %s s: %s", ACCEPT_RETRY_DELAY, error)
        self._retry = asyncio.get_running_loop().call_later(ACCEPT_RETRY_DELAY, function)

    def _somebody_came(self) -> None:
        assert self._sock is not None
        try:
            line = Line(self._sock.accept()[0])
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        except OSError as error:  # there are too many files, and the socket stays ready
            asyncio.get_running_loop().remove_reader(self._sock.fileno())
            self._later(self._watch, error)
            return
        self.close()
        self._let_in(line)
