"""The code of docs/certificates.md, run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from sansticket import ClientAuthentication, ConfigError
from sansticket.events import CertificateWithheld, PeerClosed
from tests.support.certificates import authority, server_identity
from tests.support.configs import client_config
from tests.support.credentials import issue, subordinate
from tests.support.documents import Document
from tests.support.pair import ConnectionPair
from tests.support.resumption import received
from tests.verifiers.test_pyopenssl import revocation_list

PAGE = Document("certificates.md")


def test_short_rsa_keys() -> None:
    key = rsa.generate_private_key(65537, 1024)
    own = issue(authority(), "leaf", key.public_key())
    found: dict[str, Any] = {}
    PAGE.run("Short RSA keys", found)
    chain_pem = own.public_bytes(Encoding.PEM)
    key_pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    assert found["old_device"].min_rsa_bits == found["own"](chain_pem, key_pem).min_rsa_bits == 1024


def test_which_certificate_is_shown() -> None:
    found: dict[str, Any] = {}
    PAGE.run("Which certificate is shown", found)
    assert found["reasons"]([CertificateWithheld("because"), PeerClosed()]) == ["because"]
    assert found["inside"].must_match_issuer


def test_certificates_that_are_renewed(tmp_path: Path) -> None:
    """A session goes on over a renewal, a name has rules of its own, and what does not fit changes nothing."""
    found: dict[str, Any] = {}
    PAGE.run("Certificates that are renewed", found)
    for folder, identity in ((tmp_path, server_identity()), (tmp_path / "admin", server_identity("rsa"))):
        folder.mkdir(exist_ok=True)
        (folder / "chain.pem").write_bytes(identity.chain_pem)
        (folder / "key.pem").write_bytes(identity.key_pem)
    names = found["serve"](tmp_path, authority().pem, num_tickets=1)
    assert names.configs["admin.example"].client_authentication is ClientAuthentication.REQUIRED
    first = ConnectionPair(client_config(), names.served)
    first.pump()
    (session,) = received(first)
    before = dict(names.configs)
    (tmp_path / "key.pem").write_bytes(server_identity("rsa").key_pem)
    with pytest.raises(ConfigError):
        names.renew("www.example", tmp_path)
    assert names.configs == before
    names.renew("www.example", tmp_path / "admin")
    for session_of_first, chain in ((session, server_identity()), (None, server_identity("rsa"))):
        pair = ConnectionPair(client_config(), names.served, session=session_of_first)
        pair.pump()
        assert pair.client.resumed is (session_of_first is not None)
        assert pair.client.peer_certificates[0] == chain.chain_der[0]


def test_openssl_as_the_verifier_and_revocation() -> None:
    found: dict[str, Any] = {}
    PAGE.run("OpenSSL as the verifier", found)
    PAGE.run("Revocation", found)
    lists = revocation_list(authority()), revocation_list(subordinate(authority()))
    checked, leaf_alone = found["verifiers"](*lists)
    assert len(checked.crls) == 2
    assert leaf_alone.crls_for_leaf_only
