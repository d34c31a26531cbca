"""Early data with the tools of OpenSSL, GnuTLS and NSS, over loopback: ours read by them, and theirs by us."""

from __future__ import annotations

import math
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import NoEncryption
from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates

from sansticket.codes import NamedGroup, ProtocolVersion
from sansticket.commands import Close, SendData, SendEarlyData
from sansticket.config.client import ClientConfig
from sansticket.config.server import ServerConfig
from sansticket.connection.client import ClientConnection
from sansticket.crypto.certificates import Credential
from sansticket.crypto.verification import TrustAnchors
from sansticket.events import EarlyDataAccepted, EarlyDataReceived, EarlyDataRejected, Event
from sansticket.tickets.early_data import EarlyDataReason, EarlyDataStatus
from sansticket.tickets.session import Session
from sansticket.tickets.stores.replay import ReplayRecorder
from tests.support.certificates import authority, server_identity
from tests.support.command import PATIENCE, Command, s_client
from tests.support.loopback import Line, OurServer, Visit, dial, free_port
from tests.support.peers import require

EARLY = b"an early line\n"
TLS13 = {"versions": (ProtocolVersion.TLS_1_3,)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "ca.pem").write_bytes(authority().pem)
    (tmp_path / "chain.pem").write_bytes(server_identity().chain_pem)
    (tmp_path / "key.pem").write_bytes(server_identity().key_pem)
    (tmp_path / "early").write_bytes(EARLY)
    return tmp_path


def our_client(**changes: Any) -> ClientConfig:
    anchors = TrustAnchors.from_pem(authority().pem)
    return ClientConfig(**{**TLS13, "trust_anchors": anchors, "early_data": True, **changes})


def our_server(**changes: Any) -> ServerConfig:
    credential = Credential.from_pem(server_identity().chain_pem, server_identity().key_pem)
    defaults: dict[str, Any] = {"max_early_data": 16_384, "replay": ReplayRecorder(since=-math.inf)}
    return ServerConfig(**{**TLS13, "credentials": [credential], **defaults, **changes})


# --- our client --------------------------------------------------------------------------------------------------


def session_of(port: int) -> Session:
    """One that the server gave, which has seen us close in good order."""
    with dial(port, our_client()) as line:
        line.pump(lambda: bool(line.sessions))
        line.close()
        return line.sessions[0]


@contextmanager
def early(port: int, session: Session, data: bytes = EARLY, **changes: Any) -> Iterator[Line]:
    """A connection of ours that has sent ``data`` with its first flight, at the end of its handshake."""
    sock = socket.create_connection(("127.0.0.1", port), PATIENCE)
    with Line(sock, ClientConnection(our_client(**changes), "server.example", session)) as line:
        line.send(SendEarlyData(data))
        yield line.shake_hands()


def say(line: Line, text: bytes) -> None:
    line.send(SendData(text))
    line.pump(lambda: True)


def verdicts(line: Line) -> list[Event]:
    return [event for event in line.events if isinstance(event, EarlyDataAccepted | EarlyDataRejected)]


@contextmanager
def openssl(folder: Path, *arguments: str) -> Iterator[tuple[Command, int]]:
    require("openssl command")
    early_data = ("-early_data", "-max_early_data", "16384", *arguments)
    with Command(
        *("openssl", "s_server", "-accept", "127.0.0.1:0", "-tls1_3"),
        *("-cert", folder / "chain.pem", "-key", folder / "key.pem", *early_data),
    ) as server:
        yield server, int(server.wait_for("ACCEPT").rpartition(":")[2])


def test_openssl_takes_ours(folder: Path) -> None:
    with openssl(folder) as (server, port):
        session = session_of(port)
        assert session.max_early_data == 16_384
        with early(port, session) as line:
            assert verdicts(line) == [EarlyDataAccepted()]
            assert line.resumed
            say(line, b"and a line in time\n")
            server.wait_for("and a line in time")
            line.close()
    assert "an early line" in server.output
    assert "End of early data" in server.output


def test_openssl_takes_as_much_as_the_ticket_says(folder: Path) -> None:
    with openssl(folder) as (server, port), early(port, session_of(port), b"x" * 16_383 + b"\n") as line:
        assert verdicts(line) == [EarlyDataAccepted()]
        say(line, b"in time\n")
        server.wait_for("in time")
        line.close()


def test_openssl_refuses_a_ticket_twice(folder: Path) -> None:
    """Its tickets are used up; what was sent early is lost, and the connection goes on."""
    with openssl(folder) as (server, port):
        session = session_of(port)
        with early(port, session) as line:
            line.close()
        with early(port, session) as line:
            assert verdicts(line) == [EarlyDataRejected(EarlyDataReason.NOT_RESUMED, len(EARLY))]
            say(line, b"once more\n")
            server.wait_for("once more")
            line.close()


def test_openssl_wants_a_retry(folder: Path) -> None:
    with openssl(folder, "-groups", "P-384") as (server, port):
        groups = (NamedGroup.X25519, NamedGroup.SECP384R1)
        with dial(port, our_client(groups=groups)) as first:
            first.pump(lambda: bool(first.sessions))
            first.close()
        with early(port, first.sessions[0], groups=groups) as line:
            assert verdicts(line) == [EarlyDataRejected(EarlyDataReason.HELLO_RETRY, len(EARLY))]
            say(line, b"in time\n")
            server.wait_for("in time")
            line.close()


def test_close_amid_early_data(folder: Path) -> None:
    """The handshake is finished first, and close_notify is in its place."""
    with openssl(folder) as (server, port):
        session = session_of(port)
        sock = socket.create_connection(("127.0.0.1", port), PATIENCE)
        with Line(sock, ClientConnection(our_client(), "server.example", session)) as line:
            line.send(SendEarlyData(EARLY))
            line.pump(lambda: True)
            line.send(Close())
            line.pump(lambda: line.completed is not None)
            server.wait_for("End of early data")
            server.wait_for("DONE", "CONNECTION CLOSED")


@contextmanager
def gnutls(folder: Path, *arguments: str) -> Iterator[int]:
    require("GnuTLS")
    port = free_port()
    with Command(
        *("gnutls-serv", "--echo", "--port", str(port), "--earlydata", "-a", *arguments),
        *("--x509certfile", folder / "chain.pem", "--x509keyfile", folder / "key.pem"),
    ) as server:
        server.wait_for("IPv4 0.0.0.0 port")
        yield port


def test_gnutls_takes_ours(folder: Path) -> None:
    with gnutls(folder) as port:
        session = session_of(port)
        assert session.max_early_data > 0
        with early(port, session) as line:
            assert verdicts(line) == [EarlyDataAccepted()]
            line.send(SendData(b"in time\n"))
            line.take_until(b"in time\n")
            line.close()


def test_gnutls_with_early_data_off(folder: Path) -> None:
    require("GnuTLS")
    port = free_port()
    with Command(
        *("gnutls-serv", "--echo", "--port", str(port), "-a"),
        *("--x509certfile", folder / "chain.pem", "--x509keyfile", folder / "key.pem"),
    ) as server:
        server.wait_for("IPv4 0.0.0.0 port")
        session = session_of(port)
        assert session.max_early_data == 0
        with dial(port, our_client(), session) as line:
            assert line.resumed
            assert line.connection.early_data_reason is EarlyDataReason.TICKET_FORBIDS


def nss_database(folder: Path) -> str:
    """With the authority, and the server's identity."""
    identity, where = server_identity(), f"sql:{folder / 'nss'}"
    (folder / "nss").mkdir()
    pkcs12 = serialize_key_and_certificates(
        b"server", identity.key, identity.certificate, None, NoEncryption()
    )
    (folder / "server.p12").write_bytes(pkcs12)
    for arguments in (
        ("certutil", "-N", "-d", where, "--empty-password"),
        ("certutil", "-A", "-d", where, "-n", "root", "-t", "CT,C,C", "-a", "-i", folder / "ca.pem"),
        ("pk12util", "-i", folder / "server.p12", "-d", where, "-W", ""),
    ):
        with Command(*arguments) as program:
            assert program.wait_for_end() == 0, program.end
    return where


def test_nss_goes_on_with_ours(folder: Path) -> None:
    """It takes none before it has been there for a while, and says so: the connection goes on either way."""
    require("NSS")
    port = free_port()
    with Command(
        *("selfserv", "-d", nss_database(folder), "-n", "server", "-p", str(port), "-v", "-u", "-Z"),
        *("-V", "tls1.3:tls1.3"),
    ) as server:
        server.wait_for("About to call accept.")
        session = session_of(port)
        assert session.max_early_data == 65_536
        with early(port, session, b"GET / HTTP/1.0\r\n\r\n") as line:
            (verdict,) = verdicts(line)
            if isinstance(verdict, EarlyDataRejected):
                assert verdict.reason is EarlyDataReason.PEER_DECLINED
                line.send(SendData(b"GET / HTTP/1.0\r\n\r\n"))
            assert line.resumed
            line.take_until(b"EOF\r\n\r\n\r\n")


# --- our server --------------------------------------------------------------------------------------------------


class EarlyVisit(Visit):
    """Answers HTTP that came early, too, when the handshake is done."""

    @property
    def came_early(self) -> bytes:
        return b"".join(event.data for event in self.events if isinstance(event, EarlyDataReceived))

    def serve(self) -> None:
        if self.came_early.startswith(b"POST"):
            self.data[:0] = self.came_early
        super().serve()


class EarlyServer(OurServer):
    visit = EarlyVisit

    def early(self) -> list[tuple[EarlyDataStatus, bytes]]:
        """Of each connection."""
        return [
            (visit.connection.early_data, visit.came_early)
            for visit in self.visits()
            if isinstance(visit, EarlyVisit)
        ]


NONE = (EarlyDataStatus.NOT_OFFERED, b"")


def come_back(server: OurServer, folder: Path, *arguments: str | Path) -> str:
    """``openssl s_client``, for a session and then with early data; what it says of the second connection."""
    require("openssl command")
    session = folder / "session"
    with s_client(server.port, folder / "ca.pem", "-sess_out", session) as first:
        first.type("hello\n")
        first.wait_for("hello")
        first.type("Q\n")
        assert first.wait_for_end() == 0
    early_data = ("-sess_in", session, "-early_data", folder / "early", *arguments)
    with s_client(server.port, folder / "ca.pem", *early_data) as second:
        second.type("in time\n")
        second.wait_for("in time")
        second.type("Q\n")
        assert second.wait_for_end() == 0
    return second.output


def test_openssls_is_taken(folder: Path) -> None:
    with EarlyServer(our_server()) as server:
        said = come_back(server, folder)
        assert server.early() == [NONE, (EarlyDataStatus.ACCEPTED, EARLY)]
    assert "Early data was accepted" in said
    assert "Max Early Data: 16384" in said


def test_openssls_is_refused(folder: Path) -> None:
    """Because the server is new: its recorder knows nothing yet."""
    with EarlyServer(our_server(replay=ReplayRecorder())) as server:
        said = come_back(server, folder)
        assert server.early() == [NONE, (EarlyDataStatus.REJECTED, b"")]
    assert "Early data was rejected" in said
    assert "Reused, TLSv1.3" in said


def test_openssl_is_asked_for_a_retry(folder: Path) -> None:
    with EarlyServer(our_server(groups=(NamedGroup.SECP384R1,))) as server:
        said = come_back(server, folder, "-groups", "P-256:P-384")
        assert server.early() == [NONE, (EarlyDataStatus.REJECTED, b"")]
        reasons = [visit.hello.record.early_data.reason for visit in server.visits()]
        assert reasons == [None, EarlyDataReason.HELLO_RETRY]
    assert "Early data was rejected" in said


def test_gnutlss_is_taken(folder: Path) -> None:
    require("GnuTLS")
    with EarlyServer(our_server()) as server:
        with Command(
            *("gnutls-cli", "127.0.0.1", "--port", str(server.port), "--x509cafile", folder / "ca.pem"),
            *("--sni-hostname", "server.example", "--verify-hostname", "server.example"),
            *("--resume", "--waitresumption", "--earlydata", folder / "early", "--logfile", "/dev/null"),
        ) as client:
            client.give_and_take("in time\n")
            client.end_input()
            assert client.wait_for_end() == 0, client.end
        assert server.early() == [NONE, (EarlyDataStatus.ACCEPTED, EARLY)]


def test_nsss_is_taken(folder: Path) -> None:
    """It sends early what it has read by then, which on a busy machine may be nothing: then it is asked again."""
    require("NSS")
    database = nss_database(folder)
    assert any(nss_sends_early(folder, database).startswith(b"POST /close") for _ in range(5))


def nss_sends_early(folder: Path, database: str) -> bytes:
    """What tstclnt sends early, on the second of two connections."""
    (folder / "request").write_text("POST /close HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", newline="")
    with EarlyServer(our_server()) as server:
        with Command(
            *(
                "tstclnt",
                "-h",
                "127.0.0.1",
                "-a",
                "server.example",
                "-p",
                str(server.port),
                "-d",
                database,
            ),
            *("-V", "tls1.3:tls1.3", "-u", "-Z", "-A", folder / "request", "-L", "2"),
        ) as client:
            client.wait_for_end()
        first, second = server._visits
        assert first.connection.early_data is EarlyDataStatus.NOT_OFFERED
        assert second.connection.early_data is EarlyDataStatus.ACCEPTED
        assert isinstance(second, EarlyVisit)
        return second.came_early
