"""Small servers that say their part of a protocol, on a socket, in a thread of their own."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from tests.support.command import PATIENCE
from tests.support.sockets import accept, beside, listening


@contextmanager
def talking(act: Callable[[socket.socket], None], times: int) -> Iterator[int]:
    """The port of a server that is done after that many connections, one after the other, or when one has failed.

    One more is refused.
    """

    def serve() -> None:
        with listener:
            for left in reversed(range(times)):
                sock, _ = listener.accept()
                if not left:
                    listener.close()
                sock.settimeout(PATIENCE)
                with sock:
                    act(sock)

    with listening() as listener, beside(serve):
        yield listener.getsockname()[1]


def converse(sock: socket.socket, greeting: bytes, replies: dict[bytes, bytes]) -> None:
    """Line by line, by the first word, until the last reply was given."""
    if greeting:
        sock.sendall(greeting)
    last = list(replies)[-1]
    with sock.makefile("rb", buffering=0) as lines:
        for line in iter(lines.readline, b""):
            word = next(word for word in replies if word in line.upper())
            sock.sendall(replies[word].replace(b"TAG", line.split()[0]))
            if word == last:
                break


@contextmanager
def talking_tls(
    tls: ssl.SSLContext, act: Callable[[ssl.SSLSocket], None], times: int, clear: bytes = b"", asked: int = 0
) -> Iterator[int]:
    """The same with TLS: from the first byte, or after ``asked`` bytes of the client that are answered by ``clear``."""

    def serve(sock: socket.socket) -> None:
        if asked:
            exactly(sock, asked)
            sock.sendall(clear)
        with accept(tls, sock) as secure:
            act(secure)
            listen_to_the_end(secure)

    with talking(serve, times) as port:
        yield port


def exactly(sock: socket.socket, length: int) -> bytes:
    """That many bytes, or what comes before the end."""
    data = b""
    while len(data) < length and (more := sock.recv(length - len(data))):
        data += more
    return data


def listen_to_the_end(sock: socket.socket) -> None:
    """A socket that is closed with unread bytes in it sends RST."""
    with suppress(OSError):
        while sock.recv(65_536):
            pass
