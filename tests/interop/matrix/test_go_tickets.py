"""Servers in Go with the same ticket keys: their tickets resume on our server, and ours on theirs.

The program in ``go_tickets/`` says of each connection whether it was resumed, and how many verified chains it has.
"""

from __future__ import annotations

import atexit
import os
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any

import pytest

from sansticket import (
    ClientAuthentication,
    ClientConfig,
    ConnectionTerminated,
    GoTicketKey,
    GoTicketKeys,
    HandshakeCompleted,
    PrepareTicket,
    ProtocolVersion,
    Reason,
    SealTicket,
    SendData,
    ServerConfig,
    Session,
)
from tests.interop.matrix.test_go import BUILDING, OFFLINE
from tests.support.certificates import authority, client_identity, new_authority, server_identity
from tests.support.command import Command
from tests.support.configs import client_config, server_config
from tests.support.credentials import anchors, client_credential, credential_of
from tests.support.loopback import Line, OurServer, Refused, dial
from tests.support.peers import require, tool

SOURCE = Path(__file__).with_name("go_tickets")
NOBODY, REQUESTED, REQUIRED = 0, 1, 4
"""tls.NoClientCert, RequestClientCert, RequireAndVerifyClientCert."""

VERSIONS = (ProtocolVersion.TLS_1_3, ProtocolVersion.TLS_1_2)

every_version = pytest.mark.parametrize("version", VERSIONS, ids=["1.3", "1.2"])


def go(*arguments: str | Path) -> str:
    return subprocess.check_output(
        [tool("go"), *arguments], cwd=SOURCE, env=os.environ | OFFLINE, text=True, timeout=BUILDING
    )


@cache
def program() -> Path:
    require("Go")
    folder = Path(mkdtemp(prefix="sansticket-go-"))
    atexit.register(rmtree, folder, ignore_errors=True)
    built = folder / "server"
    go("build", "-o", built, ".")
    return built


@cache
def before_curves() -> bool:
    found = re.match(r"go1\.(\d+)", go("env", "GOVERSION"))
    return found is not None and int(found[1]) < 25


def new_keys(number: int = 1, **more: bool) -> GoTicketKeys:
    keys = [GoTicketKey.generate(os.urandom) for _ in range(number)]
    return GoTicketKeys(keys, **{"resume_unbound": True, "before_curves": before_curves(), **more})


@contextmanager
def served(folder: Path, keys: GoTicketKeys, version: int, auth: int = NOBODY) -> Iterator[int]:
    """A server in Go; its port."""
    files = {"cert": server_identity().chain_pem, "key": server_identity().key_pem, "ca": authority().pem}
    for name, content in files.items():
        (folder / name).write_bytes(content)
    arguments = [f"{name}={folder / name}" for name in files]
    arguments.append(f"keys={','.join(key.secret.hex() for key in keys.keys)}")
    arguments += [f"version={'1.3' if version == VERSIONS[0] else '1.2'}", f"auth={auth}"]
    with Command(program(), *arguments) as server:
        yield int(server.wait_for("listening on port"))


def visit(port: int, config: ClientConfig, session: Session | None = None) -> tuple[Line, list[str]]:
    """Our client at Go's server; what that says of the connection."""
    with dial(port, config, session) as line:
        line.send(SendData(b"hello"))
        line.pump(lambda: line.closed)
        return line, line.data.decode().split()


def come(server: OurServer, config: ClientConfig, session: Session | None = None) -> Line:
    """Our client at our server."""
    with dial(server.port, config, session) as line:
        line.close()
    return line


def ours(keys: GoTicketKeys, version: int, **more: Any) -> ServerConfig:
    return server_config(versions=[version], ticket_keys=keys, **more)


def failed_checks(server: OurServer) -> list[str]:
    completed = server.visits()[-1].completed
    assert isinstance(completed, HandshakeCompleted)
    return [check.name for check in completed.record.identities[0].checks if not check.passed]


@every_version
def test_tickets_cross_both_ways(version: int, tmp_path: Path) -> None:
    """Go's on ours, our renewal on Go, Go's renewal of that on ours, and one that we made first on Go."""
    keys, client = new_keys(), client_config(versions=[version])
    with served(tmp_path, keys, version) as port, OurServer(ours(keys, version)) as server:
        first, told = visit(port, client)
        assert told == ["false", "0"]
        second = come(server, client, first.sessions[-1])
        assert second.resumed
        third, told = visit(port, client, (second.sessions or first.sessions)[-1])
        assert told == ["true", "0"]
        assert come(server, client, third.sessions[-1]).resumed
        fresh = come(server, client)
        assert not fresh.resumed
        assert visit(port, client, fresh.sessions[-1])[1] == ["true", "0"]


@every_version
def test_the_second_key_opens_and_the_first_seals(version: int, tmp_path: Path) -> None:
    keys, client = new_keys(2), client_config(versions=[version])
    turned = GoTicketKeys(keys.keys[::-1], resume_unbound=True, before_curves=keys.codec.before_curves)
    with served(tmp_path, keys, version) as port, OurServer(ours(turned, version)) as server:
        theirs, _ = visit(port, client)
        renewed = come(server, client, theirs.sessions[-1])
        assert renewed.resumed
        assert turned.keys[0].open(renewed.sessions[-1].ticket) is not None
        assert visit(port, client, renewed.sessions[-1])[1] == ["true", "0"]


@every_version
def test_only_where_it_is_said_for_these_keys(version: int, tmp_path: Path) -> None:
    """What Go made is bound to nothing; what we made has all that it needs with it."""
    keys, client = new_keys(resume_unbound=False), client_config(versions=[version])
    with served(tmp_path, keys, version) as port, OurServer(ours(keys, version)) as server:
        theirs, _ = visit(port, client)
        assert not come(server, client, theirs.sessions[-1]).resumed
        assert failed_checks(server) == ["context", "name"]
        mine = come(server, client)
        assert come(server, client, mine.sessions[-1]).resumed


@every_version
def test_data_of_the_application_is_lost_when_go_renews(version: int, tmp_path: Path) -> None:
    def data(question: PrepareTicket) -> SealTicket:
        return SealTicket(question.session.app_data or b"a user")

    keys, client = new_keys(), client_config(versions=[version])
    config = ours(keys, version, answers={PrepareTicket: data})
    plain = ours(keys, version)
    with served(tmp_path, keys, version) as port, OurServer(config) as server, OurServer(plain) as other:
        mine = come(server, client)
        assert come(other, client, mine.sessions[-1]).resumed
        assert session_of(other).app_data == b"a user"
        theirs, told = visit(port, client, mine.sessions[-1])
        assert told[0] == "true"
        assert come(other, client, theirs.sessions[-1]).resumed
        assert session_of(other).app_data == b""


def session_of(server: OurServer) -> Session:
    """That of the last visit, which was resumed."""
    completed = server.visits()[-1].completed
    assert isinstance(completed, HandshakeCompleted)
    assert completed.session is not None
    return completed.session


# --- client certificates -------------------------------------------------------------------------------------------


def requiring(keys: GoTicketKeys, version: int) -> ServerConfig:
    return ours(
        keys,
        version,
        client_authentication=ClientAuthentication.REQUIRED,
        trust_anchors=anchors(),
    )


@every_version
def test_a_verified_client_is_one_for_both(version: int, tmp_path: Path) -> None:
    keys = new_keys()
    client = client_config(versions=[version], credentials=[client_credential()])
    with (
        served(tmp_path, keys, version, REQUIRED) as port,
        OurServer(requiring(keys, version)) as server,
    ):
        theirs, told = visit(port, client)
        assert told == ["false", "1"]
        assert come(server, client, theirs.sessions[-1]).resumed
        assert server.visits()[-1].connection.peer_certificates == client_identity().chain_der
        mine = come(server, client)
        assert visit(port, client, mine.sessions[-1])[1] == ["true", "1"]


@every_version
def test_a_certificate_that_nobody_verified_is_none(version: int, tmp_path: Path) -> None:
    """tls.RequestClientCert puts whatever the client shows into the ticket."""
    keys = new_keys()
    credential = credential_of(new_authority("somebody").issue("a stranger", client=True))
    client = client_config(versions=[version], credentials=[credential])
    with served(tmp_path, keys, version, REQUESTED) as port:
        theirs, told = visit(port, client)
        assert told == ["false", "0"]
    opened = keys.open(theirs.sessions[-1].ticket, time.time())
    assert opened.plaintext is not None
    assert credential.chain[0] in opened.plaintext
    with OurServer(requiring(keys, version)) as server:
        with suppress(Refused):
            come(server, client, theirs.sessions[-1])
        assert server.visits() == []  # a full handshake, in which the client has no certificate for us
        (complaint,) = server.complaints()
        assert isinstance(complaint, ConnectionTerminated)
        assert complaint.reason is Reason.CERTIFICATE_REQUIRED
    with OurServer(ours(keys, version)) as server:
        assert come(server, client, theirs.sessions[-1]).resumed
        assert server.visits()[-1].connection.peer_certificates == ()
