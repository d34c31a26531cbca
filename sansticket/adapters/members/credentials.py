"""Our own certificates, where a context has to do more about them than read them."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from attrs import evolve
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from sansticket.crypto.certificates import Credential
from sansticket.crypto.inspection import load
from sansticket.crypto.verification import TrustAnchors
from sansticket.errors import ConfigError

ANY_SCALAR: Final = 4711


def completed(credential: Credential, anchors: TrustAnchors) -> Credential:
    """The credential with its chain as OpenSSL would complete it, from the trust anchors, if it is a leaf alone.

    SSL_CTX_add_extra_chain_cert(3), "when building a certificate chain".  Up to the root, or as far as it goes.
    """
    if len(credential.chain) > 1:
        return credential
    path = [load(credential.chain[0])]
    left = [load(der) for der in anchors.certificates]
    while path[-1].issuer != path[-1].subject:
        issuer = next((each for each in left if _issued(each, path[-1])), None)
        if issuer is None:
            break
        left.remove(issuer)
        path.append(issuer)
    chain = tuple(each.public_bytes(Encoding.DER) for each in path)
    try:
        return evolve(credential, chain=chain)
    except ConfigError:
        return credential  # an anchor that may verify, but is not to be shown


def _issued(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


@lru_cache(maxsize=1)
def stand_in() -> Credential:
    """A credential that nobody will ever see, to check the other settings of a context with that has none yet."""
    key = ec.derive_private_key(ANY_SCALAR, ec.SECP256R1())
    name = x509.Name([])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2000, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2049, 12, 31, tzinfo=UTC))
    )
    return Credential((builder.sign(key, SHA256()).public_bytes(Encoding.DER),), key)
