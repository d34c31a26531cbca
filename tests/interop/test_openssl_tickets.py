"""What the ``openssl`` command can show of tickets: their number, a session file, and a certificate afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sansticket import (
    Close,
    PeerAuthenticated,
    ProtocolVersion,
    RequestClientCertificate,
    SendData,
    ServerConfig,
    TicketIssued,
)
from tests.support.certificates import authority, client_identity, server_identity
from tests.support.command import Command, s_client, s_server
from tests.support.configs import client_config, server_config
from tests.support.credentials import anchors, client_credential
from tests.support.loopback import Line, OurServer, Visit, dial
from tests.support.peers import require

ARRIVED = "Post-Handshake New Session Ticket arrived:"
"""What ``s_client`` prints for each ticket of TLS 1.3."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    require("openssl command")
    (tmp_path / "ca.pem").write_bytes(authority().pem)
    for name, identity in (("server", server_identity()), ("client", client_identity())):
        (tmp_path / f"{name}.pem").write_bytes(identity.chain_pem + identity.key_pem)
    return tmp_path


@contextmanager
def their_server(folder: Path, *arguments: str | Path) -> Iterator[tuple[Command, int]]:
    with s_server(folder / "server.pem", folder / "server.pem", *arguments) as server:
        yield server, int(server.wait_for("ACCEPT").rpartition(":")[2])


def leave(client: Command) -> None:
    client.type("Q\n")
    assert client.wait_for_end() == 0, client.end


def reversed_by(line: Line, text: bytes) -> None:
    """``s_server -rev`` has answered, so its tickets are here."""
    line.send(SendData(text + b"\n"))
    assert line.take(len(text) + 1) == text[::-1] + b"\n"


@pytest.mark.parametrize("number", [0, 1, 2, 3, 7])
def test_s_server_sends_so_many(folder: Path, number: int) -> None:
    with their_server(folder, "-num_tickets", str(number)) as (_, port):
        with dial(port, client_config()) as line:
            reversed_by(line, b"first")
            assert (line.resumed, len(line.sessions)) == (False, number)
            sessions = line.sessions
            line.close()
        for session in sessions:
            with dial(port, client_config(), session) as line:
                reversed_by(line, b"again")
                assert (line.resumed, len(line.sessions)) == (True, 1), "at most one after a resumption"
                line.close()


def test_s_server_without_tickets_keeps_sessions_itself(folder: Path) -> None:
    with their_server(folder, "-no_ticket") as (_, port):
        with dial(port, client_config()) as line:
            reversed_by(line, b"first")
            session = line.sessions[0]
            assert len(session.ticket) == 32, "an id"
            line.close()
        with dial(port, client_config(), session) as line:
            reversed_by(line, b"again")
            assert line.resumed
            line.close()


@pytest.mark.parametrize("number", [0, 1, 2, 5])
def test_we_send_s_client_so_many(folder: Path, number: int) -> None:
    session = folder / "session.pem"
    with OurServer(server_config(num_tickets=number)) as server:
        with s_client(server.port, folder / "ca.pem", "-sess_out", session) as client:
            client.type("hello\n")
            client.wait_for("hello")
            leave(client)
            assert client.output.count(ARRIVED) == number
        if number:
            with s_client(server.port, folder / "ca.pem", "-sess_in", session) as client:
                client.wait_for("Reused, TLSv1.3")
                client.type("again\n")
                client.wait_for("again")
                leave(client)
                assert client.output.count(ARRIVED) == 1, "at most one after a resumption"
        visits = server.visits()
    assert [visit.resumed for visit in visits] == [False, True][: len(visits)]
    assert sum(isinstance(event, TicketIssued) for event in visits[0].events) == number


class Asking(Visit):
    """Asks for a certificate when the client has said something."""

    def serve(self) -> None:
        self.pump(lambda: bool(self.data))
        self.send(RequestClientCertificate())
        self.pump(lambda: any(isinstance(event, PeerAuthenticated) for event in self.events))
        self.send(SendData(self.take(len(self.data))))
        self.pump(lambda: self.closed)
        self.send(Close())
        self.pump(lambda: True)


class AskingServer(OurServer):
    visit = Asking


def asking_config() -> ServerConfig:
    return server_config(trust_anchors=anchors())


@pytest.mark.parametrize("shows", [True, False], ids=["shows it", "has none"])
def test_s_client_is_asked_for_its_certificate_later(folder: Path, shows: bool) -> None:
    """Two tickets after the handshake, and two more for the new identity."""
    certificate = ("-cert", folder / "client.pem") if shows else ()
    with AskingServer(asking_config()) as server:
        with s_client(server.port, folder / "ca.pem", "-enable_pha", *certificate) as client:
            client.type("hello\n")
            client.wait_for("hello")
            leave(client)
            assert client.output.count(ARRIVED) == 4
        (visit,) = server.visits()
    authenticated = [event for event in visit.events if isinstance(event, PeerAuthenticated)]
    leaves = [event.certificates[:1] for event in authenticated]  # s_client adds the authority
    assert leaves == [client_identity().chain_der if shows else ()]
    issued = [event.session.peer_certificates for event in visit.events if isinstance(event, TicketIssued)]
    assert issued == [(), (), *[authenticated[0].certificates] * 2]


def test_s_server_asks_us_for_our_certificate_later(folder: Path) -> None:
    pem = folder / "server.pem"
    arguments = ("-accept", "127.0.0.1:0", "-tls1_3", "-cert", pem, "-key", pem, "-CAfile", folder / "ca.pem")
    with Command("openssl", "s_server", *arguments) as server:
        port = int(server.wait_for("ACCEPT").rpartition(":")[2])
        config = client_config(post_handshake_auth=True, credentials=[client_credential()])
        with dial(port, config) as line:
            assert line.hello.version == ProtocolVersion.TLS_1_3
            line.send(SendData(b"hello\n"))
            line.pump(lambda: True)
            server.wait_for("hello")
            before = len(line.sessions)
            server.type("c\n")
            line.pump(
                lambda: len(line.sessions) == before + 2
            )  # it is content with our answer: that earns tickets
            line.send(SendData(b"and goodbye\n"))
            line.pump(lambda: True)
            server.wait_for("and goodbye")
            line.close()
