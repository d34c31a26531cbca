"""What two processes say to each other over a Unix socket while one takes the place of the other.

The successor connects and says its greeting.  Then each message of the predecessor is a byte for what it is, a length
of four bytes and as many bytes; a file descriptor goes with its first byte (SCM_RIGHTS):

    L   a listening socket; "last" with the last of them
    C   a connection; the lengths (four bytes each) of state and unread bytes, both, and ``Handover.to_bytes``
    D   done: no other will come

The successor answers ``R`` (ready: it listens) after the sockets, and to each connection ``Y``, or ``N`` where it
cannot take it: then the predecessor keeps it.  After ``Y`` the predecessor says ``G`` (go), and only then the
successor touches the connection: so whoever goes and whatever is lost, never do both seal under its keys.

A process that ends closes its end, and nothing else says that it has: answers are waited for, however late they come.
Whoever took a slow process for dead would go on beside it.  Only for the greeting ``TIMEOUT`` seconds are enough, since
that may be anybody, and nothing has happened by then.
"""

from __future__ import annotations

import os
import select
import socket
import stat
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from sansticket import Handover
from sansticket_wrappers.asyncio.moving import Package

GREETING: Final = b"sansticket restart 1\n"
TIMEOUT: Final = 10.0
"""Seconds for the greeting."""
MAX_MESSAGE: Final = 1 << 28
MOST_LISTENERS: Final = 64

LISTENER, CONNECTION, DONE = b"L", b"C", b"D"
READY, TAKEN, REFUSED, GO = b"R", b"Y", b"N", b"G"


class RestartError(ConnectionError):
    """The other process says what nobody expected, or nothing any more; or none can come."""


class Line:
    """One end of the socket; its methods block."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        sock.settimeout(TIMEOUT)

    def close(self) -> None:
        """Whoever waits in another thread does so no longer."""
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()

    @property
    def gone(self) -> bool:
        """Whether the other end is closed."""
        poll = select.poll()
        poll.register(self._sock, 0)  # POLLHUP and POLLERR are always told
        return bool(poll.poll(0))

    def greet(self) -> None:
        self._sock.sendall(GREETING)
        self._sock.settimeout(None)

    def expect_greeting(self) -> None:
        self.expect(GREETING)
        self._sock.settimeout(None)

    def expect(self, *words: bytes) -> bytes:
        """One of them, all of which have the same length."""
        word = self._take(len(words[0]))
        if word not in words:
            raise RestartError(f"the other process says {word!r}; expected {b' or '.join(words)!r}")
        return word

    def say(self, word: bytes) -> None:
        self._sock.sendall(word)

    def send(self, kind: bytes, content: bytes = b"", descriptor: int | None = None) -> None:
        first = () if descriptor is None else (descriptor,)
        socket.send_fds(self._sock, [kind], first)
        self._sock.sendall(len(content).to_bytes(4) + content)

    def receive(self) -> tuple[bytes, bytes, int]:
        """The kind, the content and the descriptor, which is -1 where there is none."""
        kind, descriptors, _, _ = socket.recv_fds(self._sock, 1, 1)
        descriptor = descriptors[0] if descriptors else -1
        try:
            if descriptor >= 0:
                os.set_inheritable(descriptor, False)  # as Python's own sockets are; none that comes so is
            length = int.from_bytes(self._take(4))
            if length > MAX_MESSAGE:
                raise RestartError(f"a message of {length} bytes; expected at most {MAX_MESSAGE}")
            return kind, self._take(length), descriptor
        except BaseException:
            close_all([descriptor])
            raise

    def _take(self, length: int) -> bytes:
        taken = bytearray()
        while len(taken) < length:
            data = self._sock.recv(min(length - len(taken), 1 << 20))
            if not data:
                raise RestartError("the other process has gone")
            taken += data
        return bytes(taken)

    def deliver(self, package: Package) -> bool:
        """Whether the successor has taken it.  OSError where it has not, and never will."""
        parts = (package.state, package.unread)
        lengths = b"".join(len(part).to_bytes(4) for part in parts)
        content = b"".join((lengths, *parts, package.handover.to_bytes()))
        self.send(CONNECTION, content, package.descriptor)
        if self.expect(TAKEN, REFUSED) == REFUSED:
            return False
        self.say(GO)
        return True


def unpacked(content: bytes, descriptor: int) -> Package:
    """HandoverError or RestartError for what is none; the descriptor is closed then."""
    try:
        if descriptor < 0 or len(content) < 8:
            raise RestartError("a connection without its socket, or cut short")
        start = 8 + int.from_bytes(content[:4])
        stop = start + int.from_bytes(content[4:8])
        handover = Handover.from_bytes(content[stop:])
    except BaseException:
        close_all([descriptor])
        raise
    return Package(descriptor, handover, unread=content[start:stop], state=content[8:start])


def close_all(descriptors: Sequence[int]) -> None:
    for descriptor in descriptors:
        if descriptor >= 0:
            os.close(descriptor)


def listen_at(path: str) -> socket.socket:
    """For a successor; only processes of this user can connect."""
    sock = socket.socket(socket.AF_UNIX)
    try:
        sock.bind(path)
        os.chmod(path, 0o600)  # before anybody can connect
        sock.listen(1)
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock


def predecessor_at(path: str) -> Line | None:
    """The line to whoever listens there; None if nobody does.  A socket that was left behind is removed."""
    sock = socket.socket(socket.AF_UNIX)
    line = Line(sock)
    try:
        sock.connect(path)
        line.greet()
    except FileNotFoundError:
        line.close()
        return None
    except ConnectionRefusedError:  # it was killed
        line.close()
        remove_socket(path)
        return None
    except BlockingIOError:
        line.close()
        raise RestartError("others are about to take the place of the server") from None
    except BaseException:
        line.close()
        raise
    return line


def remove_socket(path: str) -> None:
    """One that was left behind; of anything else that is there, listening there says what is wrong."""
    with suppress(FileNotFoundError):
        if stat.S_ISSOCK(os.stat(path).st_mode):
            os.unlink(path)


def listeners_of(line: Line) -> list[socket.socket]:
    """The listening sockets, which come first."""
    found: list[socket.socket] = []
    try:
        for _ in range(MOST_LISTENERS):
            kind, content, descriptor = line.receive()
            if kind != LISTENER or descriptor < 0:
                close_all([descriptor])
                raise RestartError(f"a message {kind!r}; expected a listening socket")
            found.append(socket.socket(fileno=descriptor))
            if content == b"last":
                return found
        raise RestartError("more listening sockets than anybody has")
    except BaseException as error:
        for listener in found:
            listener.close()
        if isinstance(error, ConnectionResetError | BrokenPipeError):
            raise RestartError("the other process has gone, or another has taken its place") from error
        raise
