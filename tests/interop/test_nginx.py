"""nginx with the same ticket key files: its tickets resume on our server, and ours on nginx.

nginx says itself what it made of a connection: ``r`` for a resumed one, ``.`` for a new one.
"""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from sansticket import (
    CipherSuite,
    ClientAuthentication,
    ClientConfig,
    OpenSSLTicketKeys,
    ProtocolVersion,
    SendData,
    ServerConfig,
    Session,
)
from sansticket.config.defaults import DEFAULT_CIPHER_SUITES
from sansticket.library import SSL_SESSIONS
from sansticket.tickets.keys.openssl import nginx_session_id_context
from tests.support.certificates import Identity, authority, server_identity
from tests.support.command import PATIENCE
from tests.support.configs import client_config, server_config
from tests.support.credentials import anchors, client_credential
from tests.support.documents import Document
from tests.support.loopback import Line, OurServer, dial, echo
from tests.support.newer import needs
from tests.support.peers import require, tool

pytestmark = needs(SSL_SESSIONS)

CONFIGURATION = """
daemon off;
pid {folder}/pid;
error_log {folder}/log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
    uwsgi_temp_path {folder}; scgi_temp_path {folder};
    {before}
    server {{
        listen 127.0.0.1:{port} ssl;
        server_name server.example;
        ssl_protocols TLSv1.2 TLSv1.3;
        {settings}
        default_type text/plain;
        location / {{ return 200 "$ssl_session_reused $ssl_protocol $ssl_client_verify\\n"; }}
    }}
}}
"""

DEFAULT = """server {{
        listen 127.0.0.1:{port} ssl;
        server_name default.example;
        ssl_protocols TLSv1.2 TLSv1.3;
        {settings}
    }}"""
"""A block before the other, which has no name in common with it."""

REQUEST = b"GET / HTTP/1.0\r\nHost: server.example\r\n\r\n"

VERSIONS = (ProtocolVersion.TLS_1_3, ProtocolVersion.TLS_1_2)

every_version = pytest.mark.parametrize("version", VERSIONS, ids=["1.3", "1.2"])
every_size = pytest.mark.parametrize("size", [48, 80])

Start = Callable[..., int]


@pytest.fixture
def nginx(tmp_path: Path) -> Iterator[Start]:
    """Starts nginx with key files and other settings; gives its port.  All end with the test."""
    require("nginx")
    with ExitStack() as running:

        def start(
            keys: Sequence[bytes],
            *settings: str,
            identities: Sequence[Identity] = (server_identity(),),
            default: Identity | None = None,
        ) -> int:
            # nginx takes over a socket that listens already: nobody else has its port, and there is no waiting.
            listener = running.enter_context(socket.create_server(("127.0.0.1", 0)))
            port: int = listener.getsockname()[1]
            folder = tmp_path / str(port)
            folder.mkdir()
            values = {
                "folder": folder,
                "port": port,
                "settings": _settings(folder, keys, settings, identities),
                "before": "",
            }
            if default is not None:
                (folder / "default").mkdir()
                first = _settings(folder / "default", keys, settings, [default])
                values["before"] = DEFAULT.format(port=port, settings=first)
            (folder / "nginx.conf").write_text(CONFIGURATION.format(**values))
            process = subprocess.Popen(
                [tool("nginx"), "-p", folder, "-c", folder / "nginx.conf", "-e", folder / "log"],
                env={**os.environ, "NGINX": f"{listener.fileno()};"},
                pass_fds=[listener.fileno()],
            )
            running.callback(process.wait, PATIENCE)
            running.callback(process.terminate)  # not kill: it would leave its worker behind
            return port

        yield start


def _settings(
    folder: Path, keys: Sequence[bytes], settings: Sequence[str], identities: Sequence[Identity]
) -> str:
    lines = [*settings, *_files(folder, "ssl_session_ticket_key", keys)]
    lines += _files(folder, "ssl_certificate", [identity.chain_pem for identity in identities])
    lines += _files(folder, "ssl_certificate_key", [identity.key_pem for identity in identities])
    return "\n        ".join(lines)


def _files(folder: Path, directive: str, contents: Sequence[bytes]) -> Iterator[str]:
    """Each content as a file, and the directive that names it."""
    for number, content in enumerate(contents):
        path = folder / f"{directive}.{number}"
        path.write_bytes(content)
        yield f"{directive} {path};"


def context_of(*identities: Identity, client_authorities: Sequence[bytes] = ()) -> bytes:
    """As nginx computes it: the certificates from the last directive to the first."""
    leaves = [identity.chain_der[0] for identity in reversed(identities)]
    return nginx_session_id_context(leaves, client_authorities)


def our_server(keys: OpenSSLTicketKeys, context: bytes | None = None, **more: Any) -> ServerConfig:
    if context is None:
        context = context_of(server_identity())
    return server_config(
        **{
            "versions": VERSIONS,
            "ticket_keys": keys,
            "session_id_context": context,
            **more,
        }
    )


def our_client(version: int, **more: Any) -> ClientConfig:
    return client_config(versions=[version], **more)


def ask(port: int, config: ClientConfig, session: Session | None = None) -> tuple[Line, list[str]]:
    """Our client at nginx; what nginx says of the connection."""
    with dial(port, config, session) as line:
        line.send(SendData(REQUEST))
        line.pump(lambda: line.closed)
        return line, line.data.decode().splitlines()[-1].split()


def come(server: OurServer, config: ClientConfig, session: Session | None = None) -> Line:
    """Our client at our server."""
    with dial(server.port, config, session) as line:
        assert echo(line, b"hello") == b"hello"
        line.close()
    assert server.visits()[-1].resumed == line.resumed
    return line


@every_version
@every_size
def test_a_ticket_of_nginx_resumes_on_our_server(nginx: Start, size: int, version: int) -> None:
    content = os.urandom(size)
    port, client = nginx([content]), our_client(version)
    first, told = ask(port, client)
    assert told[0] == "."
    assert first.sessions[0].ticket.startswith(content[:16])
    with OurServer(our_server(OpenSSLTicketKeys.from_files("nginx", content))) as server:
        second = come(server, client, first.sessions[-1])
        assert second.resumed
        third = come(server, client, (second.sessions or first.sessions)[-1])
        assert third.resumed
    again, told = ask(port, client, (third.sessions or first.sessions)[-1])
    assert again.resumed
    assert told[0] == "r"


def test_servers_that_prefer_other_suites(nginx: Start) -> None:
    """A ticket of TLS 1.3 is bound to a hash.  nginx takes the client's favourite suite, ours its config's; so our
    client prefers those of its session's hash, and our server takes one of them if it can."""
    content = os.urandom(80)
    client = our_client(
        VERSIONS[0], cipher_suites=[CipherSuite.AES_256_GCM_SHA384, *DEFAULT_CIPHER_SUITES[:1]]
    )
    port = nginx([content])
    first, _ = ask(port, client)
    keys = OpenSSLTicketKeys.from_files("nginx", content)
    with OurServer(our_server(keys)) as server:
        second = come(server, client, first.sessions[-1])
        assert second.resumed
        assert second.connection.cipher_suite == CipherSuite.AES_256_GCM_SHA384
        third = come(server, client)
        assert third.connection.cipher_suite == CipherSuite.AES_128_GCM_SHA256
    for visited in (second, third):
        _, told = ask(port, client, visited.sessions[-1])
        assert told[0] == "r"


@pytest.mark.parametrize("setting", ["", "ssl_prefer_server_ciphers on;"], ids=["the client's", "its own"])
def test_the_order_of_openssl(nginx: Start, setting: str) -> None:
    """docs/fleet.md: OpenSSL's client keeps to its order, whatever its session's hash, and so does nginx to whichever
    it goes by.  So what is sealed here resumes there if our order is that one, and not with our own."""
    content = os.urandom(80)
    port = nginx([content], setting)
    keys = OpenSSLTicketKeys.from_files("nginx", content)
    names: dict[str, Any] = {}
    Document("fleet.md").run("Sharing keys with other programs", names)
    for config, resumed in ((our_server(keys), False), (names["with_their_hash"](our_server(keys)), True)):
        context = ssl.create_default_context(cadata=authority().pem.decode())
        with OurServer(config) as server:
            session, reused = libssl_visits(context, server.port)
        assert not reused
        assert libssl_visits(context, port, session)[1] is resumed
        session, reused = libssl_visits(context, port)
        with OurServer(config) as server:
            assert libssl_visits(context, server.port, session)[1]


def libssl_visits(
    context: ssl.SSLContext, port: int, session: ssl.SSLSession | None = None
) -> tuple[ssl.SSLSession | None, bool]:
    """The standard library's client, in TLS 1.3: its newest session, and whether the one given was resumed."""
    with (
        socket.create_connection(("127.0.0.1", port), PATIENCE) as below,
        context.wrap_socket(below, server_hostname="server.example", session=session) as sock,
    ):
        sock.sendall(REQUEST)
        assert sock.recv(4096)
        return sock.session, bool(sock.session_reused)


@every_version
def test_the_context_is_that_of_the_default_server(nginx: Start, version: int) -> None:
    """docs/fleet.md: whichever block the name chooses."""
    content = os.urandom(80)
    keys, client = OpenSSLTicketKeys.from_files("nginx", content), our_client(version)
    port = nginx([content], default=server_identity("rsa"))
    first, told = ask(port, client)
    assert told[0] == "."
    for context, resumed in (
        (context_of(server_identity()), False),
        (context_of(server_identity("rsa")), True),
    ):
        with OurServer(our_server(keys, context)) as server:
            assert come(server, client, first.sessions[-1]).resumed is resumed
            fresh = come(server, client)
        assert (ask(port, client, fresh.sessions[-1])[1][0] == "r") is resumed


@every_version
@every_size
def test_our_ticket_resumes_on_nginx(nginx: Start, size: int, version: int) -> None:
    content = os.urandom(size)
    client = our_client(version)
    with OurServer(our_server(OpenSSLTicketKeys.from_files("nginx", content))) as server:
        first = come(server, client)
    second, told = ask(nginx([content]), client, first.sessions[-1])
    assert second.resumed
    assert told[:2] == ["r", {0x0304: "TLSv1.3", 0x0303: "TLSv1.2"}[version]]


@every_version
def test_several_keys(nginx: Start, version: int) -> None:
    """Each side seals with its first, and opens the other's, which is its second."""
    one, two = os.urandom(80), os.urandom(48)
    port, client = nginx([one, two]), our_client(version)
    from_nginx, _ = ask(port, client)
    with OurServer(our_server(OpenSSLTicketKeys.from_files("nginx", two, one))) as server:
        assert come(server, client, from_nginx.sessions[-1]).resumed
        from_us = come(server, client)
    assert from_us.sessions[-1].ticket.startswith(two[:16])
    _, told = ask(port, client, from_us.sessions[-1])
    assert told[0] == "r"


@every_version
def test_another_context_or_key_is_another_handshake(nginx: Start, version: int) -> None:
    content = os.urandom(80)
    port, client = nginx([content]), our_client(version)
    first, _ = ask(port, client)
    keys, others = (
        OpenSSLTicketKeys.from_files("nginx", content),
        OpenSSLTicketKeys.from_files("nginx", os.urandom(80)),
    )
    for config in (our_server(keys, b"other"), our_server(others)):
        with OurServer(config) as server:
            mine = come(server, client, first.sessions[-1])
        assert not mine.resumed
        _, told = ask(port, client, mine.sessions[-1])
        assert told[0] == "."


def test_the_context_of_nginx(nginx: Start, tmp_path: Path) -> None:
    """It is in every ticket, and can be computed from what nginx was given."""
    content = os.urandom(80)
    keys = OpenSSLTicketKeys.from_files("nginx", content)
    (tmp_path / "clients.pem").write_bytes(authority().pem)
    asking = f"ssl_verify_client optional; ssl_client_certificate {tmp_path}/clients.pem;"
    several = (server_identity(), server_identity("rsa"))
    subjects = anchors().subjects
    for settings, identities, context in (
        ("", several[:1], context_of(server_identity())),
        ("", several, context_of(*several)),
        (asking, several[:1], context_of(server_identity(), client_authorities=subjects)),
    ):
        visited, _ = ask(nginx([content], settings, identities=identities), our_client(VERSIONS[0]))
        plaintext = keys.open(visited.sessions[-1].ticket, time.time()).plaintext
        assert plaintext is not None
        session = keys.codec.decode(plaintext, time.time())
        assert session.session_id_context == context
        assert session.server_name == "server.example"


@every_version
def test_the_clients_certificate_travels(nginx: Start, tmp_path: Path, version: int) -> None:
    content = os.urandom(80)
    (tmp_path / "clients.pem").write_bytes(authority().pem)
    port = nginx([content], f"ssl_verify_client on; ssl_client_certificate {tmp_path}/clients.pem;")
    client = our_client(version, credentials=[client_credential()])
    config = our_server(
        OpenSSLTicketKeys.from_files("nginx", content),
        context_of(server_identity(), client_authorities=anchors().subjects),
        client_authentication=ClientAuthentication.REQUIRED,
        trust_anchors=anchors(),
    )
    first, told = ask(port, client)
    assert (told[0], told[2]) == (".", "SUCCESS")
    with OurServer(config) as server:
        assert come(server, client, first.sessions[-1]).resumed
        assert server.visits()[0].connection.peer_certificates == client_credential().chain[:1]
        fresh = come(server, client)
    _, told = ask(port, client, fresh.sessions[-1])
    assert (told[0], told[2]) == ("r", "SUCCESS")
