"""A TLS client over a blocking socket.  It keeps its session in a file, and resumes it the next time:

    python -m examples.blocking_client localhost 4433 --ca ca.pem --session session.bin

What is typed is sent, what comes back is printed.  ``Client`` is the whole wrapper, for any connected socket.
"""

import argparse
import socket
import sys
from collections.abc import Iterable
from pathlib import Path

from sansticket import (
    ClientConfig,
    ClientConnection,
    Close,
    SendData,
    Session,
    TrustAnchors,
    events,
)


class Client:
    """A TLS connection over ``sock``.  All its methods raise ConnectionError when TLS fails.

    ``connection`` knows what was agreed on; ``sessions`` collects what the tickets stand for, each of
    which can be given to one later Client.
    """

    def __init__(
        self, sock: socket.socket, config: ClientConfig, server_name: str, session: Session | None = None
    ) -> None:
        self.sessions: list[Session] = []
        self.connection = ClientConnection(config, server_name, session)
        self._sock = sock
        self._received = b""
        self._at_end = False
        self._ready = False
        self._step([])
        while not self._ready:
            self._step(self.connection.receive_data(sock.recv(65536)))

    def send(self, data: bytes) -> None:
        self._step(self.connection.send(SendData(data)))

    def receive(self) -> bytes:
        """What has come: at least one byte, or ``b""`` when the server has closed."""
        while not self._received and not self._at_end:
            self._step(self.connection.receive_data(self._sock.recv(65536)))
        data, self._received = self._received, b""
        return data

    def close(self) -> None:
        """Say that nothing more follows.  The socket is the caller's to close."""
        self._step(self.connection.send(Close()))

    def _step(self, happened: Iterable[events.Event]) -> None:
        """After every call that gives events: first write what there is to write, then look at them."""
        self._sock.sendall(self.connection.data_to_send())
        for event in happened:
            match event:
                case events.HandshakeCompleted():
                    self._ready = True
                case events.DataReceived(data):
                    self._received += data
                case events.TicketReceived(session):
                    self.sessions.append(session)
                case events.PeerClosed():
                    self._at_end = True
                case events.ConnectionTerminated():
                    raise ConnectionError(str(event))


def main() -> None:
    parser = argparse.ArgumentParser(description="Talk TLS, and resume the session of the last time.")
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("--ca", type=Path, required=True, help="PEM file of the certificates to trust")
    parser.add_argument("--name", help="the server's name, if it is not HOST")
    parser.add_argument("--session", type=Path, default="session.bin", help="where the session is kept")
    options = parser.parse_args()
    session = None
    if options.session.exists():
        session = Session.from_bytes(options.session.read_bytes())
        options.session.unlink()  # A ticket is for one use: used twice, it would link the two connections.
    config = ClientConfig(trust_anchors=TrustAnchors.from_pem(options.ca.read_bytes()))
    with socket.create_connection((options.host, options.port)) as sock:
        client = Client(sock, config, options.name or options.host, session)
        print("resumed" if client.connection.resumed else "full handshake", flush=True)
        for line in sys.stdin.buffer:
            client.send(line)
            sys.stdout.buffer.write(client.receive())
            sys.stdout.flush()
        client.close()
    if client.sessions:
        options.session.write_bytes(client.sessions[-1].to_bytes())


if __name__ == "__main__":
    main()
