"""How many certificates a peer may send, and what a client says when it shows none."""

from __future__ import annotations

from functools import cache

import pytest

from sansticket.codes import ProtocolVersion
from sansticket.commands import RequestClientCertificate
from sansticket.config.client import ClientConfig
from sansticket.config.server import ServerConfig
from sansticket.crypto.certificates import Credential, TrustAnchors
from sansticket.errors import Reason
from sansticket.events import CertificateWithheld, ConnectionTerminated, HandshakeCompleted, PeerAuthenticated
from tests.support.credentials import (
    anchors,
    anchors_of,
    client_credential,
    credential_of,
    root,
    server_credential,
    subordinate,
    with_chain,
)
from tests.support.pair import ConnectionPair

VERSIONS = [ProtocolVersion.TLS_1_3, ProtocolVersion.TLS_1_2]


@cache
def chain_of(count: int) -> tuple[Credential, TrustAnchors]:
    """So many certificates, and the anchor above them."""
    issuers = [root("top")]
    for number in range(count - 1):
        issuers.append(subordinate(issuers[-1], f"level {number}"))
    identity = issuers[-1].issue("server.example")
    return credential_of(with_chain(identity, *issuers[:0:-1])), anchors_of(issuers[0])


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("count", "bound"), [(1, 1), (2, 1), (10, 10), (11, 10), (12, 12), (100, 100)])
def test_max_certificates_means_what_it_says(count: int, bound: int, version: int) -> None:
    credential, trusted = chain_of(count)
    assert len(credential.chain) == count
    pair = ConnectionPair(
        ClientConfig(versions=[version], trust_anchors=trusted, max_certificates=bound),
        ServerConfig(versions=[version], credentials=[credential]),
    )
    pair.pump()
    if count <= bound:
        assert pair.event("client", HandshakeCompleted)
    else:
        end = pair.event("client", ConnectionTerminated)
        assert end.reason is Reason.MESSAGE_TOO_LARGE
        assert f"at most {bound} are accepted" in end.detail


def test_the_default_is_ten() -> None:
    assert ClientConfig(trust_anchors=anchors()).max_certificates == 10


def test_a_client_that_is_asked_later_says_that_it_shows_nothing() -> None:
    """The server trusts others only, and names them."""
    elsewhere = anchors_of(root("elsewhere"))
    pair = ConnectionPair(
        ClientConfig(trust_anchors=anchors(), credentials=[client_credential()], post_handshake_auth=True),
        ServerConfig(credentials=[server_credential()], trust_anchors=elsewhere),
    )
    pair.pump()
    assert pair.events("client", CertificateWithheld) == []
    pair.send("server", RequestClientCertificate())
    assert pair.event("client", CertificateWithheld).why == (
        "none of them was issued by an authority that the server names"
    )
    assert pair.event("server", PeerAuthenticated).certificates == ()
