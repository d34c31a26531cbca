"""Identities whose certificate and key both say id-RSASSA-PSS, for peers that compare the two."""

from __future__ import annotations

from base64 import encodebytes
from functools import cache

from attrs import frozen
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.support.certificates import Identity, authority
from tests.support.credentials import PSS_IDENTIFIER, RSA_IDENTIFIER, with_key_algorithm


@frozen
class PssIdentity(Identity):
    """``key`` is the library's RSA key, which cannot say what it is for; ``key_pem`` does."""

    @property
    def key_pem(self) -> bytes:
        der: bytes = self.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        content = der[4:].replace(RSA_IDENTIFIER, PSS_IDENTIFIER, 1)  # behind a length of two bytes
        relabelled = b"\x30\x82" + len(content).to_bytes(2) + content
        return b"-----BEGIN PRIVATE KEY-----\n" + encodebytes(relabelled) + b"-----END PRIVATE KEY-----\n"


@cache
def pss_identity(name: str = "server.example", *, client: bool = False) -> PssIdentity:
    plain = authority().issue(name, key="rsa", client=client)
    certificate = x509.load_der_x509_certificate(with_key_algorithm(plain.certificate, PSS_IDENTIFIER))
    return PssIdentity((certificate,), plain.key)
