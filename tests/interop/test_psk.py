"""External PSKs with other implementations: ``openssl``, GnuTLS, and the ``ssl`` of Python 3.13 and later.

Neither OpenSSL 3.0 nor GnuTLS 3.7 has an importer, and both know PSKs of SHA-256 only; a newer GnuTLS is in
``test_psk_importer.py``.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from sansticket import (
    ClientConfig,
    ClientConnection,
    ExternalPsk,
    HandshakeCompleted,
    LookUpPsk,
    NamedGroup,
    ProvidePsk,
    PskKeyExchangeMode,
    PskRole,
    ServerConfig,
    ServerConnection,
    Session,
)
from tests.support.certificates import authority, server_identity
from tests.support.command import Command
from tests.support.configs import client_config, server_config
from tests.support.loopback import Line, OurServer, Refused, dial, echo, free_port
from tests.support.peers import require
from tests.support.stdlib_peer import StdlibPeer

KEY: Final = bytes(range(32))
IDENTITY: Final = b"sensor-7"
BOTH: Final = (PskKeyExchangeMode.PSK_DHE_KE, PskKeyExchangeMode.PSK_KE)
SHA384_FIRST: Final = (0x1302, 0x1301)


def ours(identity: bytes = IDENTITY, key: bytes = KEY, **more: Any) -> ExternalPsk:
    return ExternalPsk(identity, key, role=PskRole.CLIENT, **more)


def theirs(identity: bytes = IDENTITY, key: bytes = KEY, **more: Any) -> ExternalPsk:
    return ExternalPsk(identity, key, role=PskRole.SERVER, **more)


def quick(**changes: Any) -> dict[str, Any]:
    return {"groups": (NamedGroup.X25519, NamedGroup.SECP256R1), **changes}


# --- servers -------------------------------------------------------------------------------------------------------


@contextmanager
def openssl_server(*arguments: str | Path) -> Iterator[int]:
    """``openssl s_server`` without a certificate, unless the arguments bring one."""
    require("openssl command")
    certificate = [] if "-cert" in arguments else ["-nocert"]
    with Command(
        *("openssl", "s_server", "-accept", "127.0.0.1:0", "-tls1_3", "-rev", *certificate),
        *("-psk_identity", IDENTITY.decode(), "-psk", KEY.hex(), *arguments),
    ) as server:
        yield int(server.wait_for("ACCEPT").rpartition(":")[2])


@contextmanager
def gnutls_server(folder: Path, priority: str = "", *arguments: str | Path) -> Iterator[int]:
    """``gnutls-serv --echo`` that knows PSKs; without a certificate, unless the arguments bring one."""
    require("GnuTLS")
    passwords, port = folder / "passwords", free_port()
    passwords.write_text(f"{IDENTITY.decode()}:{KEY.hex()}\n")
    chosen = f"NORMAL:-VERS-ALL:+VERS-TLS1.3:+DHE-PSK:+ECDHE-PSK{priority}"
    with Command(
        *("gnutls-serv", "--echo", "--port", str(port), "--priority", chosen, "--pskpasswd", passwords),
        *arguments,
    ) as server:
        server.wait_for("IPv4 0.0.0.0 port")
        yield port


def talk_with_openssl(line: Line) -> None:
    line.send(send(b"hello\n"))
    assert line.take(6) == b"olleh\n"


def send(data: bytes) -> Any:
    from sansticket import SendData

    return SendData(data)


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path, Path]:
    paths = tuple(tmp_path / name for name in ("chain.pem", "key.pem", "ca.pem"))
    identity = server_identity()
    for path, content in zip(paths, (identity.chain_pem, identity.key_pem, authority().pem), strict=True):
        path.write_bytes(content)
    return paths[0], paths[1], paths[2]


@pytest.mark.parametrize("config", [{}, {"cipher_suites": SHA384_FIRST}], ids=["as it is", "SHA-384 first"])
def test_our_client_at_openssl(config: dict[str, Any]) -> None:
    """With its tickets afterwards: OpenSSL sends one."""
    client = ClientConfig(**quick(psks=[ours(b"stranger", bytes(32)), ours()], **config))
    with openssl_server() as port:
        session: Session | None = None
        for resumed in (False, True):
            with dial(port, client, session) as line:
                assert (line.hello.psk_identity, line.resumed) == (IDENTITY, resumed)
                talk_with_openssl(line)
                session = line.sessions[0]
                line.close()


@pytest.mark.parametrize("first", [(0x1301, 0x1302), SHA384_FIRST], ids=["SHA-256 first", "SHA-384 first"])
def test_our_client_at_openssl_with_a_certificate(files: tuple[Path, ...], first: tuple[int, ...]) -> None:
    """It chooses the suite first, and would not take the PSK with SHA-384: so our client names others first."""
    client = client_config(**quick(psks=[ours()], cipher_suites=first))
    with openssl_server("-cert", files[0], "-key", files[1]) as port, dial(port, client) as line:
        assert line.hello.psk_identity == IDENTITY
        talk_with_openssl(line)


def test_our_client_at_openssl_after_a_retry() -> None:
    client = ClientConfig(**quick(psks=[ours(), ours(b"b", bytes(32), hash_name="sha384")]))
    with openssl_server("-groups", "P-256") as port, dial(port, client) as line:
        assert line.retried
        assert line.hello.psk_identity == IDENTITY
        talk_with_openssl(line)


def test_our_client_at_openssl_in_both_modes() -> None:
    """Where both are offered, OpenSSL takes the one with a key exchange."""
    client = ClientConfig(**quick(psks=[ours(modes=BOTH)]))
    with openssl_server("-allow_no_dhe_kex") as port, dial(port, client) as line:
        assert line.hello.group == NamedGroup.X25519
        talk_with_openssl(line)


def test_our_client_at_openssl_without_a_common_group() -> None:
    client = ClientConfig(psks=[ours(modes=BOTH)], groups=[NamedGroup.X25519])
    with openssl_server("-allow_no_dhe_kex", "-groups", "P-384") as port, dial(port, client) as line:
        assert (line.hello.psk_identity, line.hello.group) == (IDENTITY, 0)
        talk_with_openssl(line)


def test_our_client_at_openssl_that_does_not_know_the_psk(files: tuple[Path, ...]) -> None:
    """Then there is the certificate, if both sides take one."""
    with openssl_server("-cert", files[0], "-key", files[1]) as port:
        client = client_config(**quick(psks=[ours(b"stranger")]))
        with dial(port, client) as line:
            assert line.hello.psk_identity is None
            assert line.hello.peer_certificates == server_identity().chain_der
            talk_with_openssl(line)
        with pytest.raises(Refused):
            dial(port, ClientConfig(**quick(psks=[ours(b"stranger")])))


def test_our_client_at_openssl_that_has_another_key() -> None:
    with openssl_server() as port, pytest.raises(Refused, match=r"illegal_parameter|decrypt_error"):
        dial(port, ClientConfig(**quick(psks=[ours(key=bytes(32))])))


def test_our_client_at_gnutls(tmp_path: Path) -> None:
    """With its tickets afterwards."""
    client = ClientConfig(**quick(psks=[ours()]))
    with gnutls_server(tmp_path) as port:
        session: Session | None = None
        for resumed in (False, True):
            with dial(port, client, session) as line:
                assert (line.hello.psk_identity, line.resumed) == (IDENTITY, resumed)
                assert echo(line, b"hello\n") == b"hello\n"
                session = line.sessions[0]
                line.close()


def test_our_client_at_gnutls_in_both_modes(tmp_path: Path) -> None:
    """It takes what stands first, and psk_ke never does."""
    client = ClientConfig(**quick(psks=[ours(modes=BOTH)]))
    with gnutls_server(tmp_path, ":+PSK") as port, dial(port, client) as line:
        assert line.hello.group == NamedGroup.X25519
        assert echo(line, b"hello\n") == b"hello\n"


def test_our_client_at_gnutls_after_a_retry(tmp_path: Path) -> None:
    client = ClientConfig(**quick(psks=[ours()]))
    with gnutls_server(tmp_path, ":-GROUP-ALL:+GROUP-SECP256R1") as port, dial(port, client) as line:
        assert line.retried
        assert line.hello.psk_identity == IDENTITY
        assert echo(line, b"hello\n") == b"hello\n"


# --- clients -------------------------------------------------------------------------------------------------------


@contextmanager
def s_client(port: int, *arguments: str | Path, key: bytes = KEY) -> Iterator[Command]:
    require("openssl command")
    with Command(
        *("openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-tls1_3"),
        *("-psk_identity", IDENTITY.decode(), "-psk", key.hex(), *arguments),
    ) as client:
        yield client


def our_answer(question: LookUpPsk) -> ProvidePsk:
    return ProvidePsk(theirs() if question.identity == IDENTITY else None)


@pytest.mark.parametrize(
    "known",
    [{"psks": [theirs()]}, {"answers": {LookUpPsk: our_answer}}],
    ids=["known", "looked up"],
)
@pytest.mark.parametrize("alone", [True, False], ids=["PSKs only", "certificate"])
@pytest.mark.parametrize("suites", [(0x1301, 0x1302), SHA384_FIRST], ids=["SHA-256 first", "SHA-384 first"])
def test_s_client_at_our_server(
    tmp_path: Path, known: dict[str, Any], alone: bool, suites: tuple[int, ...]
) -> None:
    """Whatever suite we prefer, with or without a certificate; and it resumes."""
    changes = quick(**known, cipher_suites=suites)
    config = ServerConfig(**changes) if alone else server_config(**changes)
    kept = tmp_path / "session"
    with OurServer(config) as server:
        for more in (["-sess_out", kept], ["-sess_in", kept]):
            with s_client(server.port, *more) as client:
                client.type("hello\n")
                client.wait_for("hello")
                client.type("Q\n")
                assert client.wait_for_end() == 0
        visits = server.visits()
    assert [(visit.hello.psk_identity, visit.resumed) for visit in visits] == [
        (IDENTITY, False),
        (IDENTITY, True),
    ]


def test_s_client_after_a_retry() -> None:
    config = ServerConfig(psks=[theirs()], groups=[NamedGroup.SECP256R1], cipher_suites=SHA384_FIRST)
    with OurServer(config) as server:
        with s_client(server.port, "-groups", "X25519:P-256") as client:
            client.type("hello\n")
            client.wait_for("hello")
            client.type("Q\n")
            assert client.wait_for_end() == 0
        (visit,) = server.visits()
    assert visit.retried
    assert visit.hello.psk_identity == IDENTITY


def test_s_client_in_psk_ke() -> None:
    """It offers both modes, and we take the one with a key exchange."""
    with OurServer(ServerConfig(**quick(psks=[theirs(modes=BOTH)]))) as server:
        with s_client(server.port, "-allow_no_dhe_kex") as client:
            client.type("hello\n")
            client.wait_for("hello")
            client.type("Q\n")
            assert client.wait_for_end() == 0
        (visit,) = server.visits()
    assert visit.hello.group == NamedGroup.X25519


def test_s_client_without_a_common_group() -> None:
    """There is no other way then."""
    with OurServer(ServerConfig(**quick(psks=[theirs(modes=BOTH)]))) as server:
        with s_client(server.port, "-allow_no_dhe_kex", "-groups", "P-384") as client:
            client.type("hello\n")
            client.wait_for("hello")
            client.type("Q\n")
            assert client.wait_for_end() == 0
        (visit,) = server.visits()
    assert (visit.hello.psk_identity, visit.hello.group) == (IDENTITY, 0)


@pytest.mark.parametrize(
    ("psk", "key", "alert"),
    [
        (theirs(b"other"), KEY, "unknown psk identity"),
        (theirs(), bytes(32), "decrypt error"),
    ],
    ids=["unknown", "another key"],
)
def test_s_client_hears_why_not(psk: ExternalPsk, key: bytes, alert: str) -> None:
    with OurServer(ServerConfig(**quick(psks=[psk]))) as server, s_client(server.port, key=key) as client:
        assert client.wait_for_end() != 0
        assert f"alert {alert}" in client.output


@pytest.mark.parametrize("mode", ["+DHE-PSK:+ECDHE-PSK", "+PSK:+DHE-PSK:+ECDHE-PSK", "+PSK"])
def test_gnutls_at_our_server(mode: str) -> None:
    """Alone ``+PSK`` means psk_ke, without a key share: both sides chose it."""
    require("GnuTLS")
    with OurServer(ServerConfig(**quick(psks=[theirs(modes=BOTH)]))) as server:
        with Command(
            *("gnutls-cli", "127.0.0.1", "--port", str(server.port), "--logfile", "/dev/null"),
            *("--priority", f"NORMAL:-VERS-ALL:+VERS-TLS1.3:-KX-ALL:{mode}"),
            *("--pskusername", IDENTITY.decode(), "--pskkey", KEY.hex(), "--no-ca-verification"),
        ) as client:
            client.give_and_take("hello\n")
            client.end_input()
            assert client.wait_for_end() == 0, client.end
        (visit,) = server.visits()
    assert visit.hello.psk_identity == IDENTITY
    assert (visit.hello.group == 0) == (mode == "+PSK")


# --- ssl -----------------------------------------------------------------------------------------------------------


def needs_callbacks() -> None:
    if not getattr(ssl, "HAS_PSK", False):
        pytest.skip("ssl has callbacks for PSKs from Python 3.13 on")


def meet(peer: StdlibPeer, connection: ClientConnection | ServerConnection) -> HandshakeCompleted:
    """A handshake, and data both ways."""
    happened = []
    for _ in range(6):
        if data := peer.data_to_send():
            happened += connection.receive_data(data)
        if data := connection.data_to_send():
            peer.receive(data)
    assert peer.error is None
    assert peer.handshaken
    connection.send(send(b"to ssl"))
    peer.receive(connection.data_to_send())
    assert peer.received == b"to ssl"
    peer.write(b"from ssl")
    assert connection.receive_data(peer.data_to_send())
    (completed,) = (event for event in happened if isinstance(event, HandshakeCompleted))
    return completed


def context(kind: int) -> Any:
    made = ssl.SSLContext(kind)
    made.minimum_version = ssl.TLSVersion.TLSv1_3
    return made


@pytest.mark.parametrize("suites", [(0x1301, 0x1302), SHA384_FIRST], ids=["SHA-256 first", "SHA-384 first"])
def test_the_client_of_ssl(suites: tuple[int, ...]) -> None:
    needs_callbacks()
    client = context(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    client.set_psk_client_callback(lambda hint: (IDENTITY.decode(), KEY))
    server = ServerConnection(ServerConfig(**quick(psks=[theirs()], cipher_suites=suites)))
    completed = meet(StdlibPeer(client), server)
    assert (completed.psk_identity, completed.cipher_suite) == (IDENTITY, 0x1301)


def test_the_server_of_ssl() -> None:
    needs_callbacks()
    asked = []

    def known(identity: str | None) -> bytes:
        asked.append(identity)
        return KEY if identity == IDENTITY.decode() else b""

    server = context(ssl.PROTOCOL_TLS_SERVER)
    server.set_psk_server_callback(known)
    client = ClientConnection(ClientConfig(**quick(psks=[ours(b"stranger"), ours()])))
    assert meet(StdlibPeer(server, server=True), client).psk_identity == IDENTITY
    assert asked == ["stranger", IDENTITY.decode()]
