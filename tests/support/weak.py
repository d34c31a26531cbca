"""Certificates with signatures that the library makes none of: over MD5 and SHA-1 hashes."""

from __future__ import annotations

from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.serialization import Encoding

_RSA_WITH: Final = bytes.fromhex("06092a864886f70d0101")
"""sha256WithRSAEncryption and its kin but for the last byte of the identifier."""


def signed_anew(certificate: x509.Certificate, key: rsa.RSAPrivateKey, number: int, algorithm: Any) -> bytes:
    """A certificate that RSA with SHA-256 signed, with a real signature of another hash: 4 is MD5, 5 is SHA-1."""
    old, new = _RSA_WITH + b"\x0b", _RSA_WITH + bytes((number,))
    signature = key.sign(certificate.tbs_certificate_bytes.replace(old, new), PKCS1v15(), algorithm)
    return certificate.public_bytes(Encoding.DER).replace(old, new)[: -len(signature)] + signature
