"""The peers that we are tested against do what their helpers say: each is tried with another one."""

from __future__ import annotations

import pytest

from tests.support import pyopenssl_peer as newer
from tests.support.certificates import KEYS, authority, client_identity, server_identity
from tests.support.memory import run_foreign
from tests.support.stdlib_peer import StdlibPeer, client_context, server_context

GROUPS = {
    "X25519": "x25519",
    "X448": "x448",
    "P-256": "secp256r1",
    "P-384": "secp384r1",
    "P-521": "secp521r1",
    "X25519MLKEM768": "X25519MLKEM768",
    "SecP256r1MLKEM768": "SecP256r1MLKEM768",
    "SecP384r1MLKEM1024": "SecP384r1MLKEM1024",
}


def test_the_standard_library_with_itself() -> None:
    context = client_context(authority(), client_identity(), alpn=["h2"])
    server_side = server_context(server_identity(), authority(), alpn=["h2"])
    client, server = StdlibPeer(context), StdlibPeer(server_side, server=True)
    run_foreign(client, server)
    assert client.handshaken
    assert server.handshaken
    assert server.tls.selected_alpn_protocol() == "h2"
    assert server.tls.getpeercert(binary_form=True) == client_identity().chain_der[0]

    client.write(b"ping")
    run_foreign(client, server)
    server.write(b"pong" * 10_000)
    run_foreign(client, server)
    assert (server.received, client.received) == (b"ping", b"pong" * 10_000)

    again = StdlibPeer(context, session=client.tls.session)
    run_foreign(again, StdlibPeer(server_side, server=True))
    assert again.tls.session_reused

    client.close()
    run_foreign(client, server)
    assert server.closed


def test_what_fails_is_kept_and_its_alert_is_sent() -> None:
    client = StdlibPeer(client_context(authority()), server_name="other.example")
    server = StdlibPeer(server_context(server_identity()), server=True)
    run_foreign(client, server)
    assert "Hostname mismatch" in str(client.error)
    assert "alert" in str(server.error)


@pytest.mark.parametrize("group", GROUPS)
def test_groups_can_be_chosen(group: str) -> None:
    made = newer.context(authority=authority(), groups=[group])
    client, server = (
        newer.PyOpenSSLPeer(made),
        newer.PyOpenSSLPeer(newer.context(identity=server_identity(), groups=[group]), server=True),
    )
    run_foreign(client, server)
    assert (client.error, server.error) == (None, None)
    assert client.tls.get_group_name() == GROUPS[group]


def test_an_unknown_group_is_an_error() -> None:
    with pytest.raises(ValueError, match="does not know"):
        newer.context(groups=["P-42"])


@pytest.mark.parametrize("key", KEYS)
def test_every_kind_of_key_can_authenticate(key: str) -> None:
    client = newer.PyOpenSSLPeer(newer.context(authority=authority(), identity=client_identity(key)))
    server_side = newer.context(authority=authority(), identity=server_identity(key))
    server = newer.PyOpenSSLPeer(server_side, server=True)
    run_foreign(client, server)
    assert (client.error, server.error) == (None, None)
    assert server.handshaken


def test_a_server_can_ask_for_a_certificate_later() -> None:
    client_side = newer.context(authority=authority(), identity=client_identity(), post_handshake_auth=True)
    client = newer.PyOpenSSLPeer(client_side)
    server_side = newer.context(identity=server_identity())
    store = server_side.get_cert_store()
    assert store is not None
    store.add_cert(newer.as_x509(authority()))
    server = newer.PyOpenSSLPeer(server_side, server=True)
    run_foreign(client, server)
    assert server.tls.get_peer_certificate() is None
    server.request_client_certificate()
    run_foreign(client, server)
    assert (client.error, server.error) == (None, None)
    assert server.tls.get_peer_certificate() is not None


def test_the_newer_one_with_the_standard_library() -> None:
    made = newer.context(authority=authority(), cipher_suites=["TLS_CHACHA20_POLY1305_SHA256"], alpn=[b"h2"])
    server_side = server_context(server_identity(), alpn=["h2"])
    client, server = newer.PyOpenSSLPeer(made), StdlibPeer(server_side, server=True)
    run_foreign(client, server)
    assert client.tls.get_cipher_name() == "TLS_CHACHA20_POLY1305_SHA256"
    assert client.tls.get_alpn_proto_negotiated() == b"h2"
    client.write(b"x" * 100_000)
    run_foreign(client, server)
    assert server.received == b"x" * 100_000

    again = newer.PyOpenSSLPeer(made, session=client.tls.get_session())
    run_foreign(again, StdlibPeer(server_side, server=True))
    assert again.resumed
    assert not client.resumed


def test_both_close() -> None:
    client = newer.PyOpenSSLPeer(newer.context(authority=authority()))
    server = StdlibPeer(server_context(server_identity()), server=True)
    run_foreign(client, server)
    client.close()
    run_foreign(client, server)
    assert server.closed
    server.close()
    run_foreign(client, server)
    assert client.closed
    assert (client.error, server.error) == (None, None)
