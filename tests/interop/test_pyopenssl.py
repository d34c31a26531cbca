"""Our client and our server with a newer OpenSSL in memory: every group, kind of key and suite, in both roles."""

from __future__ import annotations

from typing import Any, Final

import pytest
from OpenSSL import SSL

from sansticket import (
    CipherSuite,
    ClientConnection,
    HandshakeCompleted,
    NamedGroup,
    PeerAuthenticated,
    RequestClientCertificate,
    SendData,
    ServerConnection,
    TicketIssued,
    TicketReceived,
    UpdateKeys,
)
from sansticket.events import DataReceived, Event
from tests.support.certificates import KEYS, authority, client_identity, server_identity
from tests.support.configs import client_config, server_config
from tests.support.credentials import anchors, client_credential, server_credential
from tests.support.pyopenssl_peer import PyOpenSSLPeer, as_x509, context, run

GROUPS: Final = {
    "X25519": NamedGroup.X25519,
    "X448": NamedGroup.X448,
    "P-256": NamedGroup.SECP256R1,
    "P-384": NamedGroup.SECP384R1,
    "P-521": NamedGroup.SECP521R1,
    "X25519MLKEM768": NamedGroup.X25519_MLKEM768,
    "SecP256r1MLKEM768": NamedGroup.SECP256R1_MLKEM768,
    "SecP384r1MLKEM1024": NamedGroup.SECP384R1_MLKEM1024,
}
SUITES: Final = {
    "TLS_AES_128_GCM_SHA256": CipherSuite.AES_128_GCM_SHA256,
    "TLS_AES_256_GCM_SHA384": CipherSuite.AES_256_GCM_SHA384,
    "TLS_CHACHA20_POLY1305_SHA256": CipherSuite.CHACHA20_POLY1305_SHA256,
}


def exchange(ours: ClientConnection | ServerConnection, peer: PyOpenSSLPeer) -> list[Event]:
    """The handshake, and a little data both ways."""
    happened = run(ours, peer)
    assert peer.error is None, happened
    assert HandshakeCompleted in map(type, happened), happened
    ours.send(SendData(b"ours"))
    peer.write(b"theirs")
    (received,) = run(ours, peer)
    assert received == DataReceived(b"theirs")
    assert peer.received == b"ours"
    return happened


def as_client(theirs: Any, **changes: Any) -> tuple[ClientConnection, PyOpenSSLPeer]:
    ours, peer = (
        ClientConnection(client_config(**changes), "server.example"),
        PyOpenSSLPeer(theirs, server=True),
    )
    exchange(ours, peer)
    return ours, peer


def as_server(theirs: Any, **changes: Any) -> tuple[ServerConnection, PyOpenSSLPeer]:
    ours, peer = ServerConnection(server_config(**changes)), PyOpenSSLPeer(theirs)
    exchange(ours, peer)
    return ours, peer


@pytest.mark.parametrize("group", GROUPS)
def test_our_client_with_a_group_at_once(group: str) -> None:
    theirs = context(identity=server_identity(), groups=[group])
    ours, peer = as_client(theirs, groups=(GROUPS[group],))
    assert ours.group == GROUPS[group]
    assert str(peer.tls.get_group_name()).lower() == GROUPS[group].name.lower().replace("_", "")


@pytest.mark.parametrize("group", GROUPS)
def test_our_client_with_a_group_after_a_retry(group: str) -> None:
    other = NamedGroup.SECP384R1 if group == "P-256" else NamedGroup.SECP256R1
    theirs = context(identity=server_identity(), groups=[group])
    ours, _ = as_client(theirs, groups=(other, GROUPS[group]), key_shares=(other,))
    assert ours.group == GROUPS[group]


@pytest.mark.parametrize("group", GROUPS)
def test_our_server_with_a_group_at_once(group: str) -> None:
    ours, _ = as_server(context(authority=authority(), groups=[group]), groups=(GROUPS[group],))
    assert ours.group == GROUPS[group]


@pytest.mark.parametrize("group", GROUPS)
def test_our_server_with_a_group_after_a_retry(group: str) -> None:
    other = "P-384" if group == "P-256" else "P-256"
    ours, _ = as_server(context(authority=authority(), groups=[other, group]), groups=(GROUPS[group],))
    assert ours.group == GROUPS[group]


@pytest.mark.parametrize("key", KEYS)
def test_our_client_with_every_kind_of_key(key: str) -> None:
    theirs = context(authority=authority(), identity=server_identity(key))
    ours, peer = as_client(theirs, credentials=(client_credential(key),))
    assert ours.peer_certificates[0] == server_identity(key).chain_der[0]
    certificate = peer.tls.get_peer_certificate()
    assert certificate is not None
    assert certificate.to_cryptography() == client_identity(key).certificate


@pytest.mark.parametrize("key", KEYS)
def test_our_server_with_every_kind_of_key(key: str) -> None:
    _, peer = as_server(context(authority=authority()), credentials=(server_credential(key),))
    certificate = peer.tls.get_peer_certificate()
    assert certificate is not None
    assert certificate.to_cryptography() == server_identity(key).certificate


@pytest.mark.parametrize("scheme", ["rsa_pss_rsae_sha256", "rsa_pss_rsae_sha384", "rsa_pss_rsae_sha512"])
def test_our_server_with_every_hash_of_rsa_pss(scheme: str) -> None:
    theirs = context(authority=authority(), signature_algorithms=[scheme, "ecdsa_secp256r1_sha256"])
    as_server(theirs, credentials=(server_credential("rsa"),))


def test_our_server_with_a_key_for_rsa_pss_only() -> None:
    theirs = context(
        authority=authority(), signature_algorithms=["rsa_pss_pss_sha256", "ecdsa_secp256r1_sha256"]
    )
    as_server(theirs, credentials=(server_credential("rsa-pss"),))


@pytest.mark.parametrize("suite", SUITES)
def test_our_client_with_every_suite_full_and_resumed(suite: str) -> None:
    theirs = context(identity=server_identity(), cipher_suites=[suite])
    ours = ClientConnection(client_config(), "server.example")
    happened = exchange(ours, PyOpenSSLPeer(theirs, server=True))
    assert ours.cipher_suite == SUITES[suite]
    (session, _) = (event.session for event in happened if isinstance(event, TicketReceived))
    again, peer = (
        ClientConnection(client_config(), "server.example", session),
        PyOpenSSLPeer(theirs, server=True),
    )
    exchange(again, peer)
    assert again.resumed
    assert peer.resumed


@pytest.mark.parametrize("suite", SUITES)
def test_our_server_with_every_suite_full_and_resumed(suite: str) -> None:
    config = server_config()
    theirs = context(authority=authority(), cipher_suites=[suite])
    ours, peer = ServerConnection(config), PyOpenSSLPeer(theirs)
    exchange(ours, peer)
    assert ours.cipher_suite == SUITES[suite]
    again, peer = ServerConnection(config), PyOpenSSLPeer(theirs, session=peer.tls.get_session())
    exchange(again, peer)
    assert again.resumed
    assert peer.resumed


@pytest.mark.parametrize("version", [SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION])
@pytest.mark.parametrize(
    ("said", "meant"), [("server.example.", "server.example"), ("192.0.2.1", None), ("2001:db8::1", None)]
)
def test_names_that_openssl_should_not_send(version: int, said: str, meant: str | None) -> None:
    """The dot is no part of a name, and an address is none: so it is for a resumption, too."""
    theirs = context(authority=authority(), version=version)
    config, session = server_config(), None
    for name in (said, meant):
        ours, peer = ServerConnection(config), PyOpenSSLPeer(theirs, server_name=name, session=session)
        exchange(ours, peer)
        assert ours.server_name == meant
        assert ours.resumed is (session is not None)
        session = peer.tls.get_session()


def test_both_export_the_same_keys_and_log_the_same_secrets() -> None:
    logs: tuple[list[str], list[str]] = ([], [])
    theirs = context(identity=server_identity(), key_log=lambda line: logs[1].append(line.decode()))
    ours, peer = as_client(theirs, key_log=logs[0].append)
    exported = peer.tls.export_keying_material(b"EXPORTER-test", 48, b"context")
    assert ours.export_keying_material("EXPORTER-test", b"context", 48) == exported
    binding = peer.tls.export_keying_material(b"EXPORTER-Channel-Binding", 32, b"")
    assert ours.tls_exporter() == binding
    assert sorted(logs[0]) == sorted(logs[1])
    assert len(logs[0]) == 5


def test_our_client_is_asked_for_its_certificate_later() -> None:
    theirs = context(identity=server_identity())
    store = theirs.get_cert_store()
    assert store is not None
    store.add_cert(as_x509(authority()))
    ours, peer = as_client(theirs, credentials=(client_credential(),), post_handshake_auth=True)
    assert peer.tls.get_peer_certificate() is None
    peer.request_client_certificate()
    run(ours, peer)
    certificate = peer.tls.get_peer_certificate()
    assert certificate is not None
    assert certificate.to_cryptography() == client_identity().certificate


def test_our_server_asks_for_a_certificate_later() -> None:
    theirs = context(authority=authority(), identity=client_identity(), post_handshake_auth=True)
    ours, peer = as_server(theirs, trust_anchors=anchors())
    assert ours.peer_certificates == ()
    ours.send(RequestClientCertificate())
    happened = run(ours, peer)
    assert [type(event) for event in happened] == [PeerAuthenticated, TicketIssued, TicketIssued]
    assert ours.peer_certificates[0] == client_identity().chain_der[0]
    ours.send(SendData(b" again"))
    run(ours, peer)
    assert peer.error is None
    assert peer.received == b"ours again"


@pytest.mark.parametrize("request_peer", [False, True])
def test_our_client_updates_its_keys(request_peer: bool) -> None:
    ours, peer = as_client(context(identity=server_identity()))
    ours.send(UpdateKeys(request_peer=request_peer))
    ours.send(SendData(b" again"))
    run(ours, peer)
    peer.write(b"x")
    assert DataReceived(b"x") in run(ours, peer)
    assert peer.received == b"ours again"
