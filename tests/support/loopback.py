"""Connections of ours over sockets of loopback, for peers that are programs.  Every wait is bounded."""

from __future__ import annotations

import random
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Final, Self

from sansticket.commands import Close, Command, SendData, SendEarlyData
from sansticket.config.client import ClientConfig
from sansticket.config.server import ServerConfig
from sansticket.connection.client import ClientConnection
from sansticket.connection.server import ServerConnection
from sansticket.events import (
    ConnectionTerminated,
    DataReceived,
    EarlyDataReceived,
    Event,
    HandshakeCompleted,
    PeerClosed,
    TicketReceived,
)
from sansticket.tickets.session import Session
from sansticket.wire.messages.hello import HELLO_RETRY_RANDOM
from tests.support.command import PATIENCE
from tests.support.command import Command as Program

KEPT: Final = 16_384
"""Bytes of what the peer and we sent first: enough for any HelloRetryRequest."""

HTTP_METHODS: Final = (b"GET ", b"POST", b"PUT ", b"HEAD")

PAGE: Final = b"""<!doctype html><title>sansticket</title><link rel="icon" href="data:,"><p id="came"></p>
<script>
const asked = new URLSearchParams(location.search), method = asked.get("method");
const body = method === "POST" ? "x".repeat(asked.get("size")) : null;
for (let left = asked.get("times") - 1; left >= 0; left--) {
  const request = new XMLHttpRequest();
  request.open(method, left ? "/close" : "/", false);
  request.send(body);
  const whole = body === null ? request.status === 200 : request.responseText === body;
  if (whole) document.getElementById("came").append("there and back ");
}
</script>
"""
"""For browsers: posts ``size`` bytes ``times`` times, or gets this page as often; all connections but the last
are closed by the server."""


class Refused(AssertionError):
    """The connection ended before what was expected of it."""


class Line:
    """A connection of ours over a connected socket; leaving the ``with`` block closes the socket.

    ``events`` is all that happened, ``data`` the application data that has come and not been taken.
    """

    def __init__(self, sock: socket.socket, connection: ClientConnection | ServerConnection) -> None:
        self.connection = connection
        self.events: list[Event] = []
        self.data = bytearray()
        self.completed: HandshakeCompleted | None = None
        self.sessions: list[Session] = []
        self.closed = False
        self.over = False
        self._sock = sock
        self._out = bytearray()
        self._wire = bytearray()
        sock.setblocking(False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._sock.close()

    @property
    def retried(self) -> bool:
        """Whether there was a HelloRetryRequest."""
        return HELLO_RETRY_RANDOM in self._wire

    @property
    def hello(self) -> HandshakeCompleted:
        """What the handshake agreed on."""
        assert self.completed is not None, self.events
        return self.completed

    @property
    def resumed(self) -> bool:
        return self.completed is not None and self.completed.resumed

    def send(self, *commands: Command) -> None:
        for command in commands:
            self._take(self.connection.send(command))
        self._collect()

    def pump(self, until: Callable[[], bool], patience: float = PATIENCE) -> None:
        """Carry bytes both ways until it is so, and everything of ours is written.

        ``Refused`` if the connection is over before, or after ``patience`` seconds.
        """
        deadline = time.monotonic() + patience
        self._collect()
        with selectors.DefaultSelector() as selector:
            selector.register(self._sock, selectors.EVENT_READ)
            while not until() or self._out:
                if self.over and not until():
                    raise Refused(f"the connection is over: {self.events[-3:]}")
                if self.over:
                    return
                reads, writes = selectors.EVENT_READ, selectors.EVENT_WRITE
                selector.modify(self._sock, reads | writes if self._out else reads)
                ready = selector.select(max(0.0, deadline - time.monotonic()))
                if not ready:
                    raise Refused(f"nothing happened within {patience} s: {self.events[-3:]}")
                for _, what in ready:
                    self._move(what)

    def shake_hands(self) -> Self:
        self.pump(lambda: self.completed is not None)
        return self

    def take(self, length: int) -> bytes:
        """So many bytes of application data."""
        self.pump(lambda: len(self.data) >= length)
        taken = bytes(self.data[:length])
        del self.data[:length]
        return taken

    def take_until(self, mark: bytes) -> bytes:
        """Application data up to this mark, and with it."""
        self.pump(lambda: mark in self.data)
        return self.take(self.data.index(mark) + len(mark))

    def close(self) -> None:
        """close_notify, and wait until the other side has done the same or is gone."""
        self.send(Close())
        with suppress(Refused):
            self.pump(lambda: self.closed)

    def _move(self, what: int) -> None:
        try:
            if what & selectors.EVENT_WRITE and self._out:
                del self._out[: self._sock.send(self._out[:65536])]
            data = self._sock.recv(65536) if what & selectors.EVENT_READ else None
        except BlockingIOError:
            return
        except OSError:  # reset: for us the same as an end
            data, self._out = b"", bytearray()
        if data is None:
            return
        if len(self._wire) < KEPT:
            self._wire += data
        self._take(self.connection.receive_data(data))
        self._collect()
        if not data:
            self.over = True

    def _take(self, happened: Iterable[Event]) -> None:
        for event in happened:
            self.events.append(
                event if not isinstance(event, DataReceived) else DataReceived(event.data[:20])
            )
            match event:
                case HandshakeCompleted():
                    self.completed = event
                case DataReceived(data):
                    self.data += data
                case TicketReceived(session):
                    self.sessions.append(session)
                case PeerClosed():
                    self.closed = True
                case ConnectionTerminated():
                    self.over = True

    def _collect(self) -> None:
        data = self.connection.data_to_send()
        if len(self._wire) < KEPT:
            self._wire += data
        self._out += data
        if self.over and self._out:
            with suppress(OSError):
                self._sock.send(self._out)  # the alert
            self._out = bytearray()


class EarlyLine(Line):
    """Sends what it is given first with the ClientHello."""

    def send(self, *commands: Command) -> None:
        if self.completed is None:
            commands = tuple(
                SendEarlyData(command.data) if isinstance(command, SendData) else command
                for command in commands
            )
        super().send(*commands)


def dial_early(
    port: int, config: ClientConfig, session: Session, server_name: str = "server.example"
) -> Line:
    """Our client, connected to a port of loopback: nothing was sent yet."""
    sock = socket.create_connection(("127.0.0.1", port), PATIENCE)
    return EarlyLine(sock, ClientConnection(config, server_name, session))


def dial(
    port: int,
    config: ClientConfig,
    session: Session | None = None,
    server_name: str = "server.example",
    *,
    begin: Callable[[socket.socket], None] | None = None,
) -> Line:
    """Our client, connected to a port of loopback and at the end of its handshake; or ``Refused``.

    ``begin`` says what is to be said in the clear before.
    """
    sock = socket.create_connection(("127.0.0.1", port), PATIENCE)
    try:
        if begin is not None:
            begin(sock)
        return Line(sock, ClientConnection(config, server_name, session)).shake_hands()
    except BaseException:
        sock.close()
        raise


def echo(line: Line, payload: bytes) -> bytes:
    """Send, and take as much from a server that gives back everything."""
    line.send(SendData(payload))
    return line.take(len(payload))


def http(line: Line, payload: bytes, method: str = "POST", path: str = "/", *, last: bool = False) -> bytes:
    """An HTTP request with this body; the body of the answer.  After the ``last`` one the server is to close."""
    head = f"{method} {path} HTTP/1.1\r\nHost: server.example\r\nContent-Length: {len(payload)}\r\n"
    head += "Connection: close\r\n\r\n" if last else "\r\n"
    line.send(SendData(head.encode() + payload))
    answer = line.take_until(b"\r\n\r\n")
    if not answer.startswith((b"HTTP/1.1 2", b"HTTP/1.0 2")):
        raise Refused(answer.decode())
    length = content_length(answer)
    return line.take(length)


def content_length(head: bytes) -> int:
    for header in head.lower().split(b"\r\n"):
        if header.startswith(b"content-length:"):
            return int(header.partition(b":")[2])
    return 0


class Visit(Line):
    """A connection that a client made to ``OurServer``."""

    def serve(self) -> None:
        """Until the client has closed: answer HTTP requests with their bodies, and anything else with itself."""
        self.pump(lambda: bool(self.data) or self.closed)
        http = bytes(self.data[:4]) in HTTP_METHODS
        while self.data or not self.closed:
            if not http:
                self.send(SendData(self.take(len(self.data))))
            elif not self._answer_http():
                return
            self.pump(lambda: bool(self.data) or self.closed)
        self.send(Close())
        self.pump(lambda: True)

    def _answer_http(self) -> bool:
        """Answer one request; whether there can be another."""
        head = self.take_until(b"\r\n\r\n")
        body = self.take(content_length(head)) or PAGE
        leaving = b" /close HTTP" in head  # otherwise it is the client that closes: it knows the length
        lines = [
            "HTTP/1.1 200 OK",
            "Content-Type: text/html",
            f"Content-Length: {len(body)}",
            f"Connection: {'close' if leaving else 'keep-alive'}",
        ]
        self.send(
            SendData("\r\n".join((*lines, "", "")).encode() + (b"" if head.startswith(b"HEAD") else body))
        )
        if leaving:
            self.close()
        return not leaving


class OurServer:
    """Our server on a free port of loopback, with a thread for each connection.

    ``visits`` are the connections whose handshake was tried, in the order in which they came; a subclass may have
    a ``visit`` of its own.
    """

    visit: type[Visit] = Visit

    def __init__(self, config: ServerConfig) -> None:
        self.config = config
        self._visits: list[Visit] = []
        self._threads: list[threading.Thread] = []
        self._starting = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.1)
        self._leaving = False
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        self._acceptor.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leaving = True
        self._acceptor.join(PATIENCE)
        self._listener.close()

    def visits(self) -> list[Visit]:
        """The connections that ended with, or after, a handshake.  Waits for those that are still open."""
        with self._starting:
            threads = list(self._threads)
        for thread in threads:
            thread.join(PATIENCE)
        return [visit for visit in self._visits if visit.completed is not None]

    def complaints(self) -> list[Event]:
        """How connections ended that did not end well."""
        return [
            visit.events[-1]
            for visit in self._visits
            if visit.events and isinstance(visit.events[-1], ConnectionTerminated)
        ]

    def _accept(self) -> None:
        while not self._leaving:
            try:
                sock, _ = self._listener.accept()
            except TimeoutError:
                continue
            visit = self.visit(sock, ServerConnection(self.config))
            thread = threading.Thread(target=self._serve, args=(visit,), daemon=True)
            with self._starting:
                self._visits.append(visit)
                self._threads.append(thread)
                thread.start()

    def _serve(self, visit: Visit) -> None:
        with visit, suppress(Refused):
            visit.shake_hands().serve()


class EarlyVisit(Visit):
    """Answers what came early like anything else, when the handshake is done."""

    def _take(self, happened: Iterable[Event]) -> None:
        happened = list(happened)
        super()._take(happened)
        self.data += b"".join(event.data for event in happened if isinstance(event, EarlyDataReceived))


class EarlyServer(OurServer):
    visit = EarlyVisit


class ForgetfulVisit(Visit):
    """Sends a HelloRetryRequest, and goes on with another connection, which knows nothing of it."""

    def _take(self, happened: Iterable[Event]) -> None:
        super()._take(happened)
        if self.connection.state == "tls13.WaitClientHelloWithCookie":
            self._collect()
            config, rest = self.connection._engine.config, self.connection.trailing_data
            assert isinstance(config, ServerConfig)
            self.connection = ServerConnection(config)
            if rest:
                super()._take(self.connection.receive_data(rest))


class ForgetfulServer(OurServer):
    visit = ForgetfulVisit


BLOCK: Final = 100
"""Ports that a process has for itself, the first of which shows it; another block when they are used up."""
FIRST_PORTS: Final = range(10_000, 30_000, BLOCK)
"""Below the ports that the system gives to whoever asks for any."""


def _own_ports() -> Iterator[int]:
    """Each once, and to no other process."""
    with ExitStack() as held:
        for first in random.sample(FIRST_PORTS, len(FIRST_PORTS)):
            if (sock := _bound(first)) is not None:
                held.enter_context(sock)
                yield from range(first + 1, first + BLOCK)


def _bound(port: int) -> socket.socket | None:
    """To that port; None if somebody has it, or had it a moment ago."""
    sock = socket.socket()
    try:
        sock.bind(("127.0.0.1", port))
    except OSError:
        sock.close()
        return None
    return sock


PORTS: Final = _own_ports()


def free_port() -> int:
    """A port of loopback that nobody has or will be given, for programs that cannot choose one themselves."""
    for port in PORTS:
        if (sock := _bound(port)) is not None:
            sock.close()
            return port
    raise AssertionError("no port is free")


def wait_for_port(port: int, program: Program) -> None:
    """Until the program listens there."""
    deadline = time.monotonic() + PATIENCE
    while not _listening(port):
        waiting = program.running and time.monotonic() < deadline
        assert waiting, f"nothing listens on port {port}:\n{program.end}"
        time.sleep(0.02)


def _listening(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), PATIENCE).close()
    except ConnectionRefusedError:
        return False
    return True


class PlainEcho:
    """A server without TLS that gives back everything, on a free port of loopback."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.1)
        self._leaving = False
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        self._acceptor.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leaving = True
        self._acceptor.join(PATIENCE)
        self._listener.close()

    def _accept(self) -> None:
        while not self._leaving:
            try:
                sock, _ = self._listener.accept()
            except TimeoutError:
                continue
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        sock.settimeout(PATIENCE)
        with sock, suppress(OSError):
            while data := sock.recv(65536):
                sock.sendall(data)


def plain_exchange(port: int, payload: bytes) -> bytes:
    """Send over a connection without TLS, and take as much; then close it."""
    back = bytearray()
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as sock:
        writer = threading.Thread(target=sock.sendall, args=(payload,), daemon=True)
        writer.start()
        while len(back) < len(payload) and (data := sock.recv(65536)):
            back += data
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(65536):
            pass
        writer.join(PATIENCE)
    return bytes(back)
