"""A server in GnuTLS with a ticket key that is known: its TLS 1.3 tickets resume here."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sansticket import (
    CipherSuite,
    ClientAuthentication,
    ClientConfig,
    GnuTLSTicketKeys,
    HandshakeCompleted,
    ProtocolVersion,
    SendData,
    Session,
    TicketKeyRing,
)
from tests.support.certificates import server_identity
from tests.support.command import Command
from tests.support.configs import client_config, server_config
from tests.support.credentials import anchors
from tests.support.loopback import Line, OurServer, Refused, dial
from tests.support.peers import require

SECRET = os.urandom(64)
EXPIRATION = 7200
NEWER, OLDER = "NORMAL", "NORMAL:-VERS-ALL:+VERS-TLS1.2"


@contextmanager
def served(folder: Path, priority: str = NEWER) -> Iterator[int]:
    require("GnuTLS")
    (folder / "chain.pem").write_bytes(server_identity().chain_pem)
    (folder / "key.pem").write_bytes(server_identity().key_pem)
    script = Path(__file__).with_name("gnutls_server.py")
    arguments = (folder / "chain.pem", folder / "key.pem", SECRET.hex(), priority, str(EXPIRATION))
    with Command(sys.executable, script, *arguments) as server:
        yield int(server.wait_for("listening on port"))


def visit(port: int, config: ClientConfig, session: Session | None = None) -> tuple[Line, bytes]:
    with dial(port, config, session) as line:
        line.send(SendData(b"hello"))
        line.pump(lambda: line.closed)
        return line, bytes(line.data)


def come(server: OurServer, config: ClientConfig, session: Session) -> Line:
    with dial(server.port, config, session) as line:
        line.close()
    return line


def new_keys(**more: bool) -> GnuTLSTicketKeys:
    ring = TicketKeyRing.generate(time.time(), os.urandom)
    return GnuTLSTicketKeys(SECRET, ring, expiration=EXPIRATION, **more)


@pytest.mark.parametrize("suite", [CipherSuite.AES_128_GCM_SHA256, CipherSuite.AES_256_GCM_SHA384])
def test_a_ticket_of_gnutls_resumes_here_and_is_replaced(tmp_path: Path, suite: CipherSuite) -> None:
    client = client_config(versions=[ProtocolVersion.TLS_1_3], cipher_suites=[suite])
    with (
        served(tmp_path) as port,
        OurServer(server_config(ticket_keys=new_keys(resume_unbound=True))) as server,
    ):
        first, told = visit(port, client)
        assert told == b"full"
        second = come(server, client, first.sessions[-1])
        assert second.resumed
        assert come(server, client, second.sessions[-1]).resumed
        # Ours is none of GnuTLS's; its own is.
        assert visit(port, client, second.sessions[-1])[1] == b"full"
        assert visit(port, client, first.sessions[0])[1] == b"resumed"


def test_only_where_it_is_said_for_these_keys(tmp_path: Path) -> None:
    client = client_config(versions=[ProtocolVersion.TLS_1_3])
    with served(tmp_path) as port, OurServer(server_config(ticket_keys=new_keys())) as server:
        first, _ = visit(port, client)
        assert not come(server, client, first.sessions[-1]).resumed
        completed = server.visits()[-1].completed
    assert isinstance(completed, HandshakeCompleted)
    failed = [check.name for check in completed.record.identities[0].checks if not check.passed]
    assert failed == ["context", "name"]


def test_where_a_certificate_is_required_it_does_not_resume(tmp_path: Path) -> None:
    config = server_config(
        ticket_keys=new_keys(resume_unbound=True),
        client_authentication=ClientAuthentication.REQUIRED,
        trust_anchors=anchors(),
        versions=[ProtocolVersion.TLS_1_3],
    )
    client = client_config(versions=[ProtocolVersion.TLS_1_3])
    with served(tmp_path) as port, OurServer(config) as server:
        first, _ = visit(port, client)
        try:
            line = come(server, client, first.sessions[-1])
            assert not line.resumed
        except Refused:
            pass  # nobody shows a certificate
        assert server.visits() == []


def test_a_ticket_of_the_older_version_is_a_full_handshake(tmp_path: Path) -> None:
    client = client_config(versions=[ProtocolVersion.TLS_1_2])
    keys = new_keys(resume_unbound=True)
    config = server_config(versions=[ProtocolVersion.TLS_1_2], ticket_keys=keys)
    with served(tmp_path, OLDER) as port, OurServer(config) as server:
        first, _ = visit(port, client)
        opened = keys.open(first.sessions[-1].ticket, time.time())
        assert opened.plaintext is not None
        assert not come(server, client, first.sessions[-1]).resumed
