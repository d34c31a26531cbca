"""The code of docs/certificates.md, run."""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from sansticket.crypto.certificates import Credential
from sansticket.events import CertificateWithheld, PeerClosed
from tests.support.certificates import authority, server_identity
from tests.support.credentials import anchors, issue, server_credential, subordinate
from tests.support.documents import Document
from tests.verifiers.test_pyopenssl import revocation_list

PAGE = Document("certificates.md")


def names() -> dict[str, Any]:
    return {"anchors": anchors(), "credential": server_credential()}


def test_short_rsa_keys() -> None:
    key = rsa.generate_private_key(65537, 1024)
    own = issue(authority(), "leaf", key.public_key())
    found = {
        **names(),
        "short_chain_pem": own.public_bytes(Encoding.PEM),
        "short_key_pem": key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    }
    PAGE.run("Short RSA keys", found)
    assert found["old_device"].min_rsa_bits == found["own"].min_rsa_bits == 1024


def test_which_certificate_is_shown() -> None:
    identity = server_identity()
    found = {
        **names(),
        "Credential": Credential,
        "events": [CertificateWithheld("because"), PeerClosed()],
        "chain_pem": identity.chain_pem,
        "key_pem": identity.key_pem,
    }
    PAGE.run("Which certificate is shown", found)
    assert found["reasons"] == ["because"]
    assert found["inside"].must_match_issuer


def test_openssl_as_the_verifier_and_revocation() -> None:
    found = {
        **names(),
        "authority_crl": revocation_list(authority()),
        "intermediate_crl": revocation_list(subordinate(authority())),
    }
    PAGE.run("OpenSSL as the verifier", found)
    PAGE.run("Revocation", found)
    assert len(found["checked"].crls) == 2
    assert found["leaf_alone"].crls_for_leaf_only
