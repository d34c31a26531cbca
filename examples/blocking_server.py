"""A TLS server over blocking sockets, a thread for each connection.  It answers in capitals:

    python -m examples.blocking_server 4433 --chain chain.pem --key key.pem

All connections share one config and with it the ticket keys: a client can resume on any of them.
"""

import argparse
import socket
import threading
from collections.abc import Iterable
from pathlib import Path

from sansticket import Close, Credential, SendData, ServerConfig, ServerConnection, events


class Server:
    """One accepted connection.  All its methods raise ConnectionError when TLS fails.

    ``connection`` knows what was agreed on, and whether a session was resumed.
    """

    def __init__(self, sock: socket.socket, config: ServerConfig) -> None:
        self.connection = ServerConnection(config)
        self._sock = sock
        self._received = b""
        self._at_end = False
        self._ready = False
        while not self._ready:
            self._step(self.connection.receive_data(sock.recv(65536)))

    def send(self, data: bytes) -> None:
        self._step(self.connection.send(SendData(data)))

    def receive(self) -> bytes:
        """What has come: at least one byte, or ``b""`` when the client has closed."""
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
                case events.PeerClosed():
                    self._at_end = True
                case events.ConnectionTerminated():
                    raise ConnectionError(str(event))


def answer(sock: socket.socket, config: ServerConfig) -> None:
    sock.settimeout(60)
    with sock:
        try:
            server = Server(sock, config)
            print("resumed" if server.connection.resumed else "full handshake")
            while data := server.receive():
                server.send(data.upper())
            server.close()
        except OSError as error:  # ConnectionError is one
            print(f"connection failed: {error}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Answer in capitals, over TLS.")
    parser.add_argument("port", type=int, help="0 for any that is free")
    parser.add_argument("--chain", type=Path, required=True, help="PEM file of the certificates, leaf first")
    parser.add_argument("--key", type=Path, required=True, help="PEM file of the private key")
    options = parser.parse_args()
    credential = Credential.from_pem(options.chain.read_bytes(), options.key.read_bytes())
    config = ServerConfig(credentials=[credential])
    with socket.create_server(("127.0.0.1", options.port)) as listener:
        print(f"listening on port {listener.getsockname()[1]}")
        while True:
            sock, _ = listener.accept()
            threading.Thread(target=answer, args=(sock, config), daemon=True).start()


if __name__ == "__main__":
    main()
