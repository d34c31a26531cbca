"""Sessions change hands between our client and ``openssl s_client``, on our server and on ``openssl s_server``."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from attrs import evolve, frozen

from sansticket import (
    ClientConfig,
    OpenSSLTicketKeys,
    ProtocolVersion,
    Reason,
    SendData,
    Session,
    SessionNotAdopted,
    adopt_session,
)
from sansticket.library import SSL_SESSIONS
from tests.support.certificates import authority, client_identity, server_identity
from tests.support.command import Command, s_client, s_server
from tests.support.configs import client_config, server_config
from tests.support.credentials import anchors_of, root
from tests.support.loopback import Line, OurServer, dial, echo
from tests.support.newer import needs
from tests.support.peers import require
from tests.support.sessions import ORDINARY, ORDINARY_12

pytestmark = needs(SSL_SESSIONS)

VERSIONS = {"-tls1_3": ProtocolVersion.TLS_1_3, "-tls1_2": ProtocolVersion.TLS_1_2}
NAME = "server.example"

every_version = pytest.mark.parametrize("flag", VERSIONS)
every_server = pytest.mark.parametrize("ours", [True, False], ids=["our server", "s_server"])


@frozen
class Files:
    ca: Path
    chain: Path
    key: Path
    session: Path


@pytest.fixture
def files(tmp_path: Path) -> Files:
    require("openssl command")
    made = Files(*(tmp_path / name for name in ("ca.pem", "chain.pem", "key.pem", "session.pem")))
    made.ca.write_bytes(authority().pem)
    made.chain.write_bytes(server_identity().chain_pem)
    made.key.write_bytes(server_identity().key_pem)
    return made


@contextmanager
def server(files: Files, flag: str, ours: bool) -> Iterator[int]:
    """A server of either kind: its port."""
    if ours:
        with OurServer(server_config(versions=[VERSIONS[flag]])) as served:
            yield served.port
    else:
        with s_server(files.chain, files.key, version=flag) as command:
            yield int(command.wait_for("ACCEPT").rpartition(":")[2])


def config(flag: str) -> ClientConfig:
    return client_config(versions=[VERSIONS[flag]])


def talk(line: Line) -> None:
    """Ours sends back what comes, ``s_server`` its reverse: to both of them this is the same."""
    line.send(SendData(b"level\n"))
    assert line.take(6) == b"level\n"
    line.close()


def say_hello(client: Command) -> str:
    """``s_client`` talks and leaves; what it printed."""
    client.type("level\n")
    client.wait_for("level")
    client.type("Q\n")
    assert client.wait_for_end() == 0
    return client.output


@every_server
@every_version
def test_s_client_comes_back_with_a_session_of_our_client(files: Files, flag: str, ours: bool) -> None:
    with server(files, flag, ours) as port:
        with dial(port, config(flag)) as line:
            talk(line)
        files.session.write_bytes(line.sessions[-1].to_openssl_pem())
        # s_server takes the client's favourite suite, and then looks whether the ticket has its hash.
        with s_client(
            *(port, files.ca, "-ciphersuites", "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384"),
            *("-sess_in", files.session),
            version=flag,
        ) as client:
            assert "Reused, TLSv1." in say_hello(client)


@every_server
@every_version
def test_our_client_comes_back_with_a_session_of_s_client(files: Files, flag: str, ours: bool) -> None:
    with server(files, flag, ours) as port:
        with s_client(port, files.ca, "-sess_out", files.session, version=flag) as client:
            assert "New, TLSv1." in say_hello(client)
        session = Session.from_openssl_pem(files.session.read_bytes())
        with dial(port, config(flag), session) as line:
            assert not line.resumed
        with dial(port, config(flag), adopt_session(config(flag), session, NAME)) as line:
            assert line.resumed
            talk(line)


@every_version
def test_a_session_goes_to_and_fro(files: Files, flag: str) -> None:
    """It is the same session in the end: TLS 1.2 keeps it, TLS 1.3 gives a new one each time."""
    with server(files, flag, ours=True) as port:
        with dial(port, config(flag)) as line:
            talk(line)
        session = line.sessions[-1]
        for _ in range(2):
            files.session.write_bytes(session.to_openssl_pem())
            with s_client(
                *(port, files.ca, "-sess_in", files.session, "-sess_out", files.session), version=flag
            ) as client:
                assert "Reused, TLSv1." in say_hello(client)
            session = Session.from_openssl_pem(files.session.read_bytes())
            session = adopt_session(config(flag), session, NAME)
            with dial(port, config(flag), session) as line:
                assert line.resumed
                talk(line)
            session = (line.sessions or [session])[-1]


def test_a_session_that_nobody_verified_is_not_adopted(files: Files) -> None:
    """``s_client`` goes on with whom it does not trust, and says so in its session; we look for ourselves."""
    with server(files, "-tls1_3", ours=True) as port:
        stranger = files.ca.with_name("stranger.pem")
        stranger.write_bytes(root().pem)
        with Command(
            *("openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", stranger),
            *("-servername", NAME, "-sess_out", files.session),
        ) as client:
            assert "Verify return code: 2" in say_hello(client)
    session = Session.from_openssl_pem(files.session.read_bytes())
    assert adopt_session(config("-tls1_3"), session, NAME).server_name == NAME
    with pytest.raises(SessionNotAdopted) as caught:
        adopt_session(ClientConfig(trust_anchors=anchors_of(root())), session, NAME)
    assert caught.value.reason is Reason.CERTIFICATE_UNTRUSTED


# --- openssl sess_id -----------------------------------------------------------------------------------------

CLIENT = evolve(
    ORDINARY, ticket=os.urandom(150), peer_certificates=server_identity().chain_der, max_early_data=16_384
)
CLIENT_12 = evolve(ORDINARY_12, ticket=os.urandom(150))
SERVER = evolve(ORDINARY, peer_certificates=client_identity().chain_der, app_data=b"data")


def sess_id(pem: bytes, *arguments: str) -> bytes:
    command = ["openssl", "sess_id", *arguments]
    return subprocess.run(command, input=pem, stdout=subprocess.PIPE, timeout=20, check=True).stdout


@pytest.mark.parametrize("session", [CLIENT, CLIENT_12, SERVER, ORDINARY_12], ids=repr)
def test_sess_id_reads_ours_and_writes_it_again(session: Session) -> None:
    require("openssl command")
    pem = session.to_openssl_pem()
    assert sess_id(pem) == pem
    assert sess_id(pem, "-outform", "DER") == session.to_openssl_der()


@pytest.mark.parametrize("session", [CLIENT, CLIENT_12, SERVER, ORDINARY_12], ids=repr)
def test_sess_id_says_what_we_meant(session: Session) -> None:
    require("openssl command")
    text = sess_id(session.to_openssl_pem(), "-noout", "-text", "-cert").decode()
    said = {
        name.strip(): value.strip() for name, _, value in (line.partition(":") for line in text.splitlines())
    }
    tls13 = session.version == ProtocolVersion.TLS_1_3
    assert said["Protocol"] == ("TLSv1.3" if tls13 else "TLSv1.2")
    assert said["Cipher"] == ("TLS_AES_128_GCM_SHA256" if tls13 else "ECDHE-ECDSA-AES128-GCM-SHA256")
    assert bytes.fromhex(said["Resumption PSK" if tls13 else "Master-Key"]) == session.secret
    context = b"" if session.ticket else session.session_id_context
    assert bytes.fromhex(said["Session-ID-ctx"]) == context
    assert len(said["Session-ID"]) == (64 if session.ticket else 0)
    assert said["Start Time"] == f"{session.issued_at:.0f}"
    assert said["Timeout"] == f"{session.lifetime} (sec)"
    assert said["Verify return code"] == "0 (ok)"
    assert said["Extended master secret"] == ("no" if tls13 else "yes")
    if session.ticket:
        assert said["TLS session ticket lifetime hint"] == f"{session.lifetime} (seconds)"
        assert f"{session.ticket[:16].hex(' ', 1)[:23]}-" in text
    if tls13:
        assert said["Max Early Data"] == str(session.max_early_data)
    assert ("No certificate present" in text) == (not session.peer_certificates)


# --- ticket keys ---------------------------------------------------------------------------------------------


@every_version
def test_the_session_of_s_server_is_readable_with_its_keys(files: Files, flag: str) -> None:
    """A ticket of ours under key files, resumed by ``s_client``: what it shows is what the file opens."""
    keys = OpenSSLTicketKeys.from_files("nginx", os.urandom(80))
    with OurServer(server_config(versions=[VERSIONS[flag]], ticket_keys=keys)) as served:
        with s_client(served.port, files.ca, "-sess_out", files.session, version=flag) as client:
            say_hello(client)
        with s_client(served.port, files.ca, "-sess_in", files.session, version=flag) as client:
            assert "Reused, TLSv1." in say_hello(client)
        with dial(served.port, config(flag)) as line:
            assert echo(line, b"hello") == b"hello"
    theirs = Session.from_openssl_pem(files.session.read_bytes())
    opened = keys.open(theirs.ticket, 0).plaintext
    assert opened is not None
    sealed = keys.codec.decode(opened, 0)
    assert (sealed.secret, sealed.cipher_suite) == (theirs.secret, theirs.cipher_suite)
    assert sealed.group == theirs.group
    # The file has the whole second in which the handshake was; an age counts from there.
    assert (theirs.age_add - sealed.age_add) % 2**32 in (range(2000) if flag == "-tls1_3" else (0,))
