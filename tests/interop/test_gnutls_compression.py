"""Compressed certificates (RFC 8879) with the library of GnuTLS: both sides show one, and each reads the other's."""

from __future__ import annotations

from typing import Any, Final

import pytest

from sansticket import ClientAuthentication, ClientConnection, HandshakeCompleted, SendData, ServerConnection
from sansticket.codes import CertificateCompression
from sansticket.wire.compression import compressed_once
from tests.support.certificates import authority, client_identity, server_identity
from tests.support.configs import client_config, server_config
from tests.support.credentials import anchors, client_credential
from tests.support.gnutls_library import GnutlsCertificatePeer
from tests.support.memory import run
from tests.support.peers import require

pytestmark = pytest.mark.matrix

ZLIB: Final = CertificateCompression.ZLIB

each_wish = pytest.mark.parametrize(
    ("ours", "theirs"), [((ZLIB,), (ZLIB,)), ((), (ZLIB,)), ((ZLIB,), ())], ids=["both", "theirs", "ours"]
)


@pytest.fixture(autouse=True)
def _needed() -> None:
    require("GnuTLS library")
    compressed_once.cache_clear()


def meet(ours: ClientConnection | ServerConnection, peer: GnutlsCertificatePeer) -> HandshakeCompleted:
    """A handshake, and data both ways."""
    completed = next((event for event in run(ours, peer) if isinstance(event, HandshakeCompleted)), None)
    assert (peer.handshaken, peer.error) == (True, None)
    assert completed is not None
    ours.send(SendData(b"to GnuTLS"))
    peer.write(b"from GnuTLS")
    run(ours, peer)
    assert peer.received == b"to GnuTLS"
    return completed


def was_compressed(peer: GnutlsCertificatePeer) -> tuple[bool, bool]:
    """Our certificate, theirs."""
    return compressed_once.cache_info().misses == 1, peer.compressed_by == ZLIB


@each_wish
def test_our_client(ours: Any, theirs: Any) -> None:
    peer = GnutlsCertificatePeer(server_identity(), authority(), server=True, compression=theirs)
    config = client_config(certificate_compression=ours, credentials=[client_credential()])
    completed = meet(ClientConnection(config, "server.example"), peer)
    assert completed.peer_certificates == server_identity().chain_der
    assert was_compressed(peer) == (bool(ours and theirs), bool(ours and theirs))


@each_wish
def test_our_server(ours: Any, theirs: Any) -> None:
    peer = GnutlsCertificatePeer(client_identity(), authority(), server=False, compression=theirs)
    config = server_config(
        certificate_compression=ours,
        trust_anchors=anchors(),
        client_authentication=ClientAuthentication.REQUIRED,
    )
    completed = meet(ServerConnection(config), peer)
    assert completed.peer_certificates == client_identity().chain_der
    assert was_compressed(peer) == (bool(ours and theirs), bool(ours and theirs))
