"""A TLS server over blocking sockets, a thread for each connection.  It answers in capitals:

    python -m examples.blocking_server 4433 --chain chain.pem --key key.pem

All connections share one context and with it the ticket keys: a client can resume on any of them.
"""

import argparse
import socket
import threading
from pathlib import Path

from sansticket import Credential, ServerConfig
from sansticket_wrappers.blocking import SSLContext


def answer(below: socket.socket, context: SSLContext) -> None:
    below.settimeout(60)
    try:
        with context.wrap_socket(below, server_side=True, suppress_ragged_eofs=False) as sock:
            print("resumed" if sock.session_reused else "full handshake")
            while data := sock.recv(65536):
                sock.sendall(data.upper())
            sock.unwrap()
    except OSError as error:  # ssl.SSLError is one
        print(f"connection failed: {error}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Answer in capitals, over TLS.")
    parser.add_argument("port", type=int, help="0 for any that is free")
    parser.add_argument("--chain", type=Path, required=True, help="PEM file of the certificates, leaf first")
    parser.add_argument("--key", type=Path, required=True, help="PEM file of the private key")
    options = parser.parse_args()
    credential = Credential.from_pem(options.chain.read_bytes(), options.key.read_bytes())
    context = SSLContext(ServerConfig(credentials=[credential]))
    with socket.create_server(("127.0.0.1", options.port)) as listener:
        print(f"listening on port {listener.getsockname()[1]}")
        while True:
            below, _ = listener.accept()
            threading.Thread(target=answer, args=(below, context), daemon=True).start()


if __name__ == "__main__":
    main()
