"""What newer versions of ``cryptography`` have is left out of the defaults and refused by name where it is missing.

The tests make it missing, so that they say the same with every version.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

import pytest
from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.serialization import Encoding

import sansticket.tickets
from sansticket import library
from sansticket.codes import NamedGroup, SignatureScheme
from sansticket.config import ClientConfig, ServerConfig
from sansticket.crypto import groups, inspection, signatures
from sansticket.crypto.certificates import Credential
from sansticket.crypto.suites import _Copying
from sansticket.errors import ConfigError, Fault, Reason
from sansticket.library import INSTALLED, Newer
from sansticket.tickets.keys.openssl import OpenSSLTicketKey, OpenSSLTicketKeys
from sansticket.tickets.session import Session
from tests.support.certificates import server_identity
from tests.support.credentials import server_credential
from tests.support.sessions import ORDINARY

MISSING = Newer("it", 1000)
SAID = r"it needs cryptography 1000 or newer; \d+\.\d+\.\d+ is installed"


def test_the_lowest_version_has_none_of_it_and_the_newest_has_all() -> None:
    newer = [value for value in vars(library).values() if isinstance(value, Newer)]
    assert len(newer) >= 4
    assert min(one.since for one in newer) > 45
    assert max(one.since for one in newer) <= 49
    for one in newer:
        assert one.installed is (one.since <= INSTALLED)
        assert one.installed or one.lacking.startswith(f"{one.name} needs cryptography {one.since}")


def test_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    for group in groups.NEWER:
        monkeypatch.setitem(groups.NEWER, group, MISSING)
    left = groups.supported() - set(groups.NEWER)
    monkeypatch.setattr(groups, "supported", lambda: left)
    assert set(ClientConfig(verify_peer=False).groups) == left
    for group in groups.NEWER:
        with pytest.raises(ConfigError, match=SAID) as caught:
            ClientConfig(verify_peer=False, groups=[NamedGroup.X25519, group])
        assert caught.value.field == "groups"
        assert str(int(group)) in str(caught.value)


def test_signature_schemes(monkeypatch: pytest.MonkeyPatch) -> None:
    for scheme in signatures.NEWER:
        monkeypatch.setitem(signatures.NEWER, scheme, MISSING)
    left = signatures.supported() - set(signatures.NEWER)
    monkeypatch.setattr(signatures, "supported", lambda: left)
    assert set(ClientConfig(verify_peer=False).signature_schemes) == left
    for scheme in signatures.NEWER:
        with pytest.raises(ConfigError, match=SAID) as caught:
            ClientConfig(verify_peer=False, signature_schemes=[scheme])
        assert caught.value.field == "signature_schemes"


def test_what_is_installed_and_does_not_work_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """A build without ML-KEM: a newer version would not help."""
    monkeypatch.setitem(groups.NEWER, NamedGroup.X25519_MLKEM768, Newer("ML-KEM", 1))
    monkeypatch.setattr(groups, "supported", lambda: frozenset({NamedGroup.X25519}))
    with pytest.raises(ConfigError, match="is not one that sansticket knows"):
        ClientConfig(verify_peer=False, groups=[NamedGroup.X25519_MLKEM768])


def test_certificates_with_a_newer_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(inspection._SIGNATURES, "1.3.101.127", (SignatureScheme.MLDSA44,))
    monkeypatch.setattr(inspection, "ML_DSA", MISSING)
    identity = server_identity("ed25519")
    der = identity.chain_der[0].replace(bytes.fromhex("06032b6570"), bytes.fromhex("06032b657f"))
    with pytest.raises(Fault, match=SAID) as caught:
        inspection.public_key_of(der)
    assert caught.value.reason is Reason.CERTIFICATE_UNSUPPORTED
    with pytest.raises(ConfigError, match=SAID):
        Credential((der,), identity.key)
    with pytest.raises(ConfigError, match=SAID):
        Credential.from_pem(inspection.load(der).public_bytes(Encoding.PEM), b"no key that can be read")


@pytest.fixture
def without_openssl_s_format(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "SSL_SESSIONS", MISSING)
    monkeypatch.setattr("sansticket.config.server.SSL_SESSIONS", MISSING)
    monkeypatch.delitem(sys.modules, "sansticket.tickets.openssl", raising=False)
    monkeypatch.delattr(sansticket.tickets, "openssl", raising=False)


@pytest.mark.usefixtures("without_openssl_s_format")
@pytest.mark.parametrize(
    "ask",
    [
        ORDINARY.to_openssl_der,
        ORDINARY.to_openssl_pem,
        lambda: Session.from_openssl_der(b""),
        lambda: Session.from_openssl_pem(b""),
    ],
    ids=["to DER", "to PEM", "from DER", "from PEM"],
)
def test_sessions_in_openssl_s_format(ask: Callable[[], object]) -> None:
    for _ in range(2):
        with pytest.raises(ConfigError, match=SAID) as caught:
            ask()
        assert caught.value.field == "cryptography"


@pytest.mark.usefixtures("without_openssl_s_format")
def test_ticket_keys_of_openssl_s_servers() -> None:
    """The keys can be read and written; a server cannot use them."""
    key = OpenSSLTicketKey.generate(os.urandom)
    keys = OpenSSLTicketKeys.from_files("nginx", *OpenSSLTicketKeys([key]).to_files("nginx"))
    with pytest.raises(ConfigError, match=SAID) as caught:
        ServerConfig(credentials=[server_credential()], ticket_keys=keys)
    assert caught.value.field == "ticket_keys"


def test_what_stands_in_for_a_class_that_is_missing() -> None:
    for make in (library._Absent.from_seed_bytes, library._Absent.from_public_bytes):
        with pytest.raises(UnsupportedAlgorithm, match="does not have it"):
            make(bytes(64))


@pytest.mark.parametrize("kind", [AESGCM, ChaCha20Poly1305])
def test_writing_into_a_buffer_without_the_library_s_help(kind: type[AESGCM | ChaCha20Poly1305]) -> None:
    theirs = kind(bytes(32))
    ours, nonce = _Copying(theirs), bytes(12)
    assert ours.encrypt(nonce, b"text", b"more") == theirs.encrypt(nonce, b"text", b"more")
    sealed, opened = bytearray(20), bytearray(4)
    assert ours.encrypt_into(nonce, b"text", b"more", memoryview(sealed)) == 20
    assert sealed == theirs.encrypt(nonce, b"text", b"more")
    assert ours.decrypt_into(nonce, memoryview(sealed), b"more", memoryview(opened)) == 4
    assert opened == ours.decrypt(nonce, bytes(sealed), b"more") == b"text"
    with pytest.raises(InvalidTag):
        ours.decrypt_into(nonce, bytes(20), b"more", memoryview(opened))
