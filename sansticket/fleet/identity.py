"""The name of a simulated fleet, its certificate, and signatures that are the same in every run.

The keys follow from names that everybody can read here.  They are good for nothing but a simulation.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sansticket.codes import SignatureScheme
from sansticket.commands import ProvideSignature
from sansticket.crypto.certificates import Credential
from sansticket.crypto.verification import TrustAnchors
from sansticket.events import Sign
from sansticket.fleet.world import BEGINNING

NAME: Final = "www.example"
PROTOCOL: Final = b"h2"
VALIDITY: Final = timedelta(days=30)
SCHEME: Final = SignatureScheme.ECDSA_SECP256R1_SHA256


def _key(name: bytes) -> ec.EllipticCurvePrivateKey:
    number = int.from_bytes(sha256(b"sansticket fleet " + name).digest()[:31])
    return ec.derive_private_key(number + 1, ec.SECP256R1())


@cache
def credential() -> Credential:
    """The chain of every server, one certificate of P-256, and its key."""
    issuer, key = _key(b"root"), _key(b"server")
    builder = (
        _builder(key, _named(NAME), 2)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key()), critical=False
        )
    )
    return Credential((_signed(builder),), key)


@cache
def trust_anchors() -> TrustAnchors:
    """The root that every client trusts."""
    key = _key(b"root")
    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    builder = (
        _builder(key, _named("sansticket fleet root"), 1)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return TrustAnchors.from_der([_signed(builder)])


def sign(question: Sign) -> ProvideSignature:
    """Answers ``Sign``: RFC 6979, since a signature with randomness is sometimes a byte longer."""
    return ProvideSignature(_key(b"server").sign(question.message, _DETERMINISTIC))


_DETERMINISTIC: Final = ec.ECDSA(SHA256(), deterministic_signing=True)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _builder(key: ec.EllipticCurvePrivateKey, name: x509.Name, number: int) -> x509.CertificateBuilder:
    now = datetime.fromtimestamp(BEGINNING, UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(_named("sansticket fleet root"))
        .public_key(key.public_key())
        .serial_number(number)
        .not_valid_before(now - VALIDITY)
        .not_valid_after(now + VALIDITY)
    )


def _signed(builder: x509.CertificateBuilder) -> bytes:
    made = builder.sign(_key(b"root"), SHA256(), ecdsa_deterministic=True)
    return made.public_bytes(Encoding.DER)
