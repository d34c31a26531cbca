"""Programs with key files of their own layout, named to ``from_files``: tickets resume both ways.

nginx and haproxy have pages of their own.  The sessions of those here are bound to no server name.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

import pytest
from attrs import evolve

from sansticket import (
    CipherSuite,
    ClientConfig,
    HandshakeCompleted,
    OpenSSLTicketKey,
    OpenSSLTicketKeys,
    ProtocolVersion,
    SendData,
    ServerConfig,
    Session,
)
from sansticket.config.defaults import DEFAULT_CIPHER_SUITES
from sansticket.library import SSL_SESSIONS
from sansticket.tickets.keys.openssl import LIGHTTPD_CONTEXT
from tests.support.certificates import server_identity
from tests.support.command import Command
from tests.support.configs import client_config, server_config
from tests.support.loopback import PATIENCE, Line, OurServer, dial, free_port, wait_for_port
from tests.support.newer import needs
from tests.support.peers import require, tool

pytestmark = needs(SSL_SESSIONS)


VERSIONS = (ProtocolVersion.TLS_1_3, ProtocolVersion.TLS_1_2)

every_version = pytest.mark.parametrize("version", VERSIONS, ids=["1.3", "1.2"])


class Peer(Protocol):
    """``program`` as ``from_files`` knows it, the context of its sessions, and its suite with our client."""

    needs: str
    program: str
    context: bytes
    favourite: CipherSuite

    def new_key(self) -> OpenSSLTicketKey: ...

    def serve(self, folder: Path, keys: bytes, running: ExitStack) -> int: ...


def start(running: ExitStack, folder: Path, content: str, port: int, *command: str) -> int:
    """A server with a file of configuration, on that port."""
    (folder / "configuration").write_text(content)
    wait_for_port(port, running.enter_context(Command(*command, folder / "configuration")))
    return port


class Node:
    needs = "Node.js"
    program = "node"
    context = b"fleet"
    favourite = CipherSuite.AES_256_GCM_SHA384

    SCRIPT = """
        const [chain, key, ticketKeys] = process.argv.slice(1).map((name) => require('fs').readFileSync(name));
        const server = require('tls').createServer({ cert: chain, key, ticketKeys, sessionIdContext: 'fleet' });
        server.on('secureConnection', (socket) => socket.on('error', () => {}).on('data', () => socket.end('page')));
        server.listen(0, '127.0.0.1', () => console.log('listening on port ' + server.address().port));
    """

    def new_key(self) -> OpenSSLTicketKey:
        return OpenSSLTicketKey.generate(os.urandom, 48)

    def serve(self, folder: Path, keys: bytes, running: ExitStack) -> int:
        (folder / "keys").write_bytes(keys)
        files = (folder / "chain.pem", folder / "key.pem", folder / "keys")
        return int(
            running.enter_context(Command("node", "-e", self.SCRIPT, *files)).wait_for("listening on port")
        )


class Lighttpd:
    needs = "lighttpd"
    program = "lighttpd"
    context = LIGHTTPD_CONTEXT
    favourite = CipherSuite.AES_128_GCM_SHA256

    CONFIGURATION = """
        server.modules = ( "mod_openssl" )
        server.document-root = "{folder}"
        index-file.names = ( "page" )
        server.bind = "127.0.0.1"
        server.port = {port}
        ssl.engine = "enable"
        ssl.pemfile = "{folder}/chain.pem"
        ssl.privkey = "{folder}/key.pem"
        ssl.stek-file = "{folder}/keys"
    """

    def new_key(self) -> OpenSSLTicketKey:
        now = int(time.time())
        return evolve(OpenSSLTicketKey.generate(os.urandom), not_before=now - 60, not_after=now + 3600)

    def serve(self, folder: Path, keys: bytes, running: ExitStack) -> int:
        (folder / "keys").write_bytes(keys)
        port = free_port()
        content = self.CONFIGURATION.format(folder=folder, port=port)
        return start(running, folder, content, port, tool("lighttpd"), "-D", "-f")


class Htwoo:
    needs = "h2o"
    program = "h2o"
    context = b""
    favourite = CipherSuite.AES_128_GCM_SHA256

    CONFIGURATION = """
        user: root
        num-threads: 1
        listen:
          host: 127.0.0.1
          port: {port}
          ssl:
            certificate-file: {folder}/chain.pem
            key-file: {folder}/key.pem
        ssl-session-resumption:
          mode: ticket
          ticket-store: file
          ticket-file: {folder}/keys
        hosts:
          default:
            paths:
              /:
                file.dir: {folder}
                file.index: [page]
    """

    def new_key(self) -> OpenSSLTicketKey:
        now = int(time.time())
        return OpenSSLTicketKey(os.urandom(16), os.urandom(32), os.urandom(64), now - 60, now + 3600)

    def serve(self, folder: Path, keys: bytes, running: ExitStack) -> int:
        (folder / "keys").write_bytes(keys)
        port = free_port()
        content = self.CONFIGURATION.replace("\n        ", "\n").format(folder=folder, port=port)
        return start(running, folder, content, port, tool("h2o"), "-m", "worker", "-c")


PEERS: list[Peer] = [Node(), Lighttpd(), Htwoo()]

every_peer = pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.program)


@contextmanager
def served(peer: Peer, folder: Path, key: OpenSSLTicketKey) -> Iterator[int]:
    """The program with that key; its port."""
    require(peer.needs)
    folder.mkdir()
    (folder / "chain.pem").write_bytes(server_identity().chain_pem)
    (folder / "key.pem").write_bytes(server_identity().key_pem)
    (folder / "page").write_bytes(b"page")
    (content,) = OpenSSLTicketKeys([key]).to_files(peer.program)
    with ExitStack() as running:
        port = peer.serve(folder, content, running)
        wait_for_key(port, key)
        yield port


def wait_for_key(port: int, key: OpenSSLTicketKey) -> None:
    """Until the program seals with it: h2o listens before a thread of its own has read the file."""
    deadline = time.monotonic() + PATIENCE
    while not visit(port, client_config()).sessions[0].ticket.startswith(key.name):
        assert time.monotonic() < deadline, f"no ticket under {key.name.hex()}"
        time.sleep(0.01)


def visit(port: int, config: ClientConfig, session: Session | None = None) -> Line:
    with dial(port, config, session) as line:
        line.send(SendData(b"GET /page HTTP/1.0\r\nHost: server.example\r\n\r\n"))
        line.pump(lambda: bool(line.data) and (bool(line.sessions) or line.closed))
        return line


def our_server(peer: Peer, keys: OpenSSLTicketKeys, version: int) -> ServerConfig:
    return server_config(
        versions=[version],
        ticket_keys=keys,
        session_id_context=peer.context,
        cipher_suites=[peer.favourite, *DEFAULT_CIPHER_SUITES[2:]],
    )


def keys_of(peer: Peer, key: OpenSSLTicketKey, **more: bool) -> OpenSSLTicketKeys:
    """As read from the program's own file."""
    return OpenSSLTicketKeys.from_files(
        peer.program, *OpenSSLTicketKeys([key]).to_files(peer.program), **more
    )


def come(port: int, config: ClientConfig, session: Session | None = None) -> Line:
    """Our client at our server."""
    with dial(port, config, session) as line:
        line.close()
    return line


@every_version
@every_peer
def test_tickets_cross_both_ways(peer: Peer, version: int, tmp_path: Path) -> None:
    key, client = peer.new_key(), client_config(versions=[version])
    with served(peer, tmp_path / "peer", key) as port:
        first = visit(port, client)
        assert first.sessions[0].ticket.startswith(key.name)
        with OurServer(our_server(peer, keys_of(peer, key, resume_unbound=True), version)) as server:
            second = come(server.port, client, first.sessions[-1])
            assert second.resumed
            fresh = come(server.port, client)
            assert not fresh.resumed
        assert visit(port, client, fresh.sessions[-1]).resumed
        assert visit(port, client, (second.sessions or first.sessions)[-1]).resumed


@every_peer
def test_only_where_it_is_said_for_these_keys(peer: Peer, tmp_path: Path) -> None:
    """A session without a name is none for a client that names one, and the record says so."""
    key, client = peer.new_key(), client_config()
    with served(peer, tmp_path / "peer", key) as port:
        first = visit(port, client)
    with OurServer(our_server(peer, keys_of(peer, key), VERSIONS[0])) as server:
        assert come(server.port, client, first.sessions[-1]).resumed is False
        (visited,) = server.visits()
    completed = visited.completed
    assert isinstance(completed, HandshakeCompleted)
    failed = [check.name for check in completed.record.identities[0].checks if not check.passed]
    assert failed == ["name"]


@every_peer
def test_a_key_without_times(peer: Peer, tmp_path: Path) -> None:
    """The program seals with it at once."""
    key = OpenSSLTicketKey.generate(os.urandom, 48 if peer.program == "node" else 80)
    assert not key.dated
    with served(peer, tmp_path / "peer", key) as port:
        assert visit(port, client_config()).sessions[-1].ticket.startswith(key.name)


def test_in_the_order_of_another_program_nothing_opens(tmp_path: Path) -> None:
    """48 bytes of Node's are a key of nginx's too, and another one."""
    peer, client = Node(), client_config()
    key = peer.new_key()
    (content,) = OpenSSLTicketKeys([key]).to_files("node")
    with served(peer, tmp_path / "peer", key) as port:
        ticket = visit(port, client).sessions[-1].ticket
    for program, opens in (("node", True), ("traffic_server", True), ("nginx", False)):
        opened = OpenSSLTicketKeys.from_files(program, content).open(ticket, time.time())
        assert (opened.plaintext is not None) is opens
