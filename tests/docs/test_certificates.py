"""The code of docs/certificates.md, run."""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from sansticket.events import CertificateWithheld, PeerClosed
from tests.support.certificates import authority
from tests.support.credentials import issue, subordinate
from tests.support.documents import Document
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


def test_openssl_as_the_verifier_and_revocation() -> None:
    found: dict[str, Any] = {}
    PAGE.run("OpenSSL as the verifier", found)
    PAGE.run("Revocation", found)
    lists = revocation_list(authority()), revocation_list(subordinate(authority()))
    checked, leaf_alone = found["verifiers"](*lists)
    assert len(checked.crls) == 2
    assert leaf_alone.crls_for_leaf_only
