"""A private authority made on the spot: both sides take what it issues, and nobody else does."""

from __future__ import annotations

import ssl
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from sansticket import ClientAuthentication, ClientConfig, ServerConfig
from sansticket.errors import ConfigError, Reason
from sansticket.events import ConnectionTerminated, HandshakeCompleted
from sansticket.testing import PrivateAuthority
from tests.support.pair import ConnectionPair


def connect(client: ClientConfig, server: ServerConfig, name: str = "server.example") -> ConnectionPair:
    pair = ConnectionPair(client, server, server_name=name)
    pair.pump()
    return pair


@pytest.mark.parametrize("name", ["server.example", "localhost", "127.0.0.1", "::1", "a" * 60 + ".example"])
def test_what_it_issues_is_taken_by_who_has_its_anchors(name: str) -> None:
    authority = PrivateAuthority.make()
    server = ServerConfig(credentials=[authority.issue(name, "other.example")])
    for asked in (name, "other.example"):
        pair = connect(ClientConfig(trust_anchors=authority.anchors), server, asked)
        assert pair.event("client", HandshakeCompleted).resumed is False
    stranger = connect(ClientConfig(trust_anchors=PrivateAuthority.make().anchors), server, name)
    assert stranger.event("client", ConnectionTerminated).reason is Reason.CERTIFICATE_UNTRUSTED
    wrong = connect(ClientConfig(trust_anchors=authority.anchors), server, "third.example")
    assert wrong.event("client", ConnectionTerminated).reason is Reason.CERTIFICATE_NAME_MISMATCH


def test_certificates_of_clients_are_for_clients() -> None:
    authority = PrivateAuthority.make()
    server = ServerConfig(
        credentials=[authority.issue("server.example")],
        client_authentication=ClientAuthentication.REQUIRED,
        trust_anchors=authority.anchors,
        session_id_context=b"test",
    )
    for client, taken in ((True, True), (False, False)):
        credential = authority.issue("client.example", client=client)
        pair = connect(ClientConfig(trust_anchors=authority.anchors, credentials=[credential]), server)
        assert bool(pair.events("server", HandshakeCompleted)) is taken


def test_openssl_takes_it(tmp_path: Path) -> None:
    authority = PrivateAuthority.make()
    credential = authority.issue("server.example")
    key = credential.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "key.pem").write_bytes(key)
    (tmp_path / "chain.pem").write_text(ssl.DER_cert_to_PEM_cert(credential.chain[0]))
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    theirs.load_cert_chain(tmp_path / "chain.pem", tmp_path / "key.pem")
    client = ssl.create_default_context(cadata=authority.pem.decode())
    if hasattr(ssl, "VERIFY_X509_STRICT"):
        client.verify_flags |= ssl.VERIFY_X509_STRICT
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(to_client, to_server, server_hostname="server.example")
    other = theirs.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(3):
        for side in (ours, other):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    assert ours.version() == "TLSv1.3"


def test_how_long_it_is_valid() -> None:
    authority = PrivateAuthority.make(days=2, now=1_000_000_000.7)
    root = authority.certificate
    assert root.not_valid_before_utc.timestamp() == 1_000_000_000 - 86_400
    assert root.not_valid_after_utc.timestamp() == 1_000_000_000 + 2 * 86_400
    assert (
        abs(PrivateAuthority.make().certificate.not_valid_after_utc.timestamp() - time.time() - 30 * 86_400)
        < 60
    )


@pytest.mark.parametrize("days", [0, 3651, True, 1.5, "1"])
def test_days_that_cannot_be(days: object) -> None:
    with pytest.raises(ConfigError, match=r"days: .*expected an integer from 1 to 3650"):
        PrivateAuthority.make(days=days)  # type: ignore[arg-type]  # what is tested


def test_names_that_cannot_be() -> None:
    authority = PrivateAuthority.make()
    with pytest.raises(ConfigError, match="names: there are none"):
        authority.issue()
    for name in ("", "with blank", "bücher.example", "*.example", "fe80::1%eth0"):
        with pytest.raises(ConfigError, match=r"names: .*expected a host name in ASCII or an IP address"):
            authority.issue(name)
    with pytest.raises(TypeError, match="names: bytes; expected str"):
        authority.issue(b"server.example")  # type: ignore[arg-type]  # what is tested


def test_its_key_is_not_shown() -> None:
    assert "key" not in repr(PrivateAuthority.make())
