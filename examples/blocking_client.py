"""A TLS client over a blocking socket.  It keeps its session in a file, and resumes it the next time:

    python -m examples.blocking_client localhost 4433 --ca ca.pem --session session.bin

What is typed is sent, what comes back is printed.
"""

import argparse
import socket
import sys
from pathlib import Path

from sansticket import ClientConfig, Event, Session, TicketReceived, TrustAnchors
from sansticket.adapters import SSLObject
from sansticket_wrappers.blocking import SSLContext


def talk(options: argparse.Namespace, session: Session | None) -> list[Session]:
    """The sessions of the tickets that came."""
    sessions: list[Session] = []

    def keep(tls: SSLObject, event: Event) -> None:
        if isinstance(event, TicketReceived):
            sessions.append(event.session)

    context = SSLContext(ClientConfig(trust_anchors=TrustAnchors.from_pem(options.ca.read_bytes())))
    context.on_event = keep
    name = options.name or options.host
    below = socket.create_connection((options.host, options.port))
    with context.wrap_socket(below, server_hostname=name, session=session) as sock:
        print("resumed" if sock.session_reused else "full handshake", flush=True)
        for line in sys.stdin.buffer:
            sock.sendall(line)
            sys.stdout.buffer.write(sock.recv(65536))
            sys.stdout.flush()
        sock.unwrap()
    return sessions


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
    sessions = talk(options, session)
    if sessions:
        options.session.write_bytes(sessions[-1].to_bytes())


if __name__ == "__main__":
    main()
