"""What ``certificates`` makes, as the package's own ``Credential`` and ``TrustAnchors``, and rarer kinds.

Everything that is expensive is made once per process.  ``NOW``, when the certificates are made, is inside the
validity of all that is not meant to be outside.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Final

from attrs import evolve
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from sansticket.crypto.certificates import Credential, TrustAnchors
from tests.support.certificates import (
    END,
    KEYS,
    MADE_AT,
    START,
    Authority,
    Identity,
    authority,
    client_identity,
    hash_for,
    server_identity,
)

NOW: Final = MADE_AT
DAY: Final = datetime.timedelta(days=1)


def anchors_of(*authorities: Authority) -> TrustAnchors:
    return TrustAnchors.from_der([each.der for each in authorities])


@cache
def anchors() -> TrustAnchors:
    """The shared root, as trust anchor."""
    return anchors_of(authority())


def credential_of(identity: Identity, schemes: tuple[int, ...] | None = None) -> Credential:
    return Credential(identity.chain_der, identity.key, schemes)


@cache
def server_credential(key: str = "p256", name: str = "server.example") -> Credential:
    """For ``name`` and 127.0.0.1; ``key`` is one of ``certificates.KEYS``, or "rsa-pss"."""
    if key == "rsa-pss":
        return credential_of(rsa_pss_identity(name))
    return credential_of(server_identity(key, name))


@cache
def client_credential(key: str = "p256") -> Credential:
    return credential_of(client_identity(key))


@cache
def expired_credential() -> Credential:
    """Its certificate has been invalid since yesterday."""
    return credential_of(authority().issue("server.example", end=-DAY))


@cache
def premature_credential() -> Credential:
    """Its certificate becomes valid tomorrow."""
    return credential_of(authority().issue("server.example", start=-DAY))


# --- certificates of other shapes -------------------------------------------------------------------------


def issue(
    issuer: Authority,
    name: str,
    public_key: Any,
    extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
    *,
    subject: str | None = None,
    start: datetime.timedelta = START,
    end: datetime.timedelta = END,
) -> x509.Certificate:
    """A certificate with exactly these extensions (and whether each is critical).

    ``name`` is the subject's common name; the issuer's kind of key decides how it is signed.
    """
    builder = (
        x509.CertificateBuilder()
        .subject_name(common_name(name))
        .issuer_name(issuer.certificate.subject if subject is None else common_name(subject))
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - start)
        .not_valid_after(NOW + end)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    key: Any = issuer.key
    return builder.sign(key, hash_for(key))


def common_name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


CA: Final = (x509.BasicConstraints(ca=True, path_length=None), True)


def subordinate(
    issuer: Authority,
    name: str = "sansticket test intermediate",
    extensions: Sequence[tuple[x509.ExtensionType, bool]] = (CA,),
    key: str = "p256",
    start: datetime.timedelta = START,
    end: datetime.timedelta = END,
) -> Authority:
    """An intermediate authority."""
    private_key = KEYS[key]()
    certificate = issue(issuer, name, private_key.public_key(), extensions, start=start, end=end)
    return Authority(certificate, private_key)


def root(
    name: str = "sansticket other root",
    extensions: Sequence[tuple[x509.ExtensionType, bool]] = (CA,),
    make_key: Callable[[], Any] = KEYS["p256"],
) -> Authority:
    """A self-signed authority."""
    key = make_key()
    itself = Authority(authority().certificate, key)  # only its key counts: the issuer's name is given
    return Authority(issue(itself, name, key.public_key(), extensions, subject=name), key)


def with_chain(identity: Identity, *issuers: Authority) -> Identity:
    """The identity with the certificates of its issuers after its own."""
    return evolve(identity, chain=identity.chain + tuple(each.certificate for each in issuers))


# --- RSASSA-PSS keys --------------------------------------------------------------------------------------

RSA_IDENTIFIER: Final = bytes.fromhex("300d06092a864886f70d0101010500")
PSS_IDENTIFIER: Final = bytes.fromhex("300b06092a864886f70d01010a")
PSS_SHA256_IDENTIFIER: Final = bytes.fromhex(
    "304106092a864886f70d01010a3034"
    "a00f300d06096086480165030402010500"
    "a11c301a06092a864886f70d010108300d06096086480165030402010500"
    "a203020120"
)
"""AlgorithmIdentifiers of public keys: rsaEncryption, RSASSA-PSS with any hash, RSASSA-PSS with SHA-256."""


@cache
def rsa_pss_identity(name: str = "server.example", identifier: bytes = PSS_IDENTIFIER) -> Identity:
    """An identity whose certificate says id-RSASSA-PSS, which the library cannot make.

    An ordinary certificate is made, the algorithm of its key replaced, and signed once more.
    """
    plain = authority().issue(name, "127.0.0.1", key="rsa")
    der = with_key_algorithm(plain.certificate, identifier)
    return Identity((x509.load_der_x509_certificate(der),), plain.key)


def with_key_algorithm(certificate: x509.Certificate, identifier: bytes) -> bytes:
    """The certificate with another algorithm of its RSA key, signed by the shared root."""
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    replaced = _sequence(identifier + _content(key).removeprefix(RSA_IDENTIFIER))
    return signed_again(_content(certificate.tbs_certificate_bytes).replace(key, replaced))


def of_version_1(certificate: x509.Certificate) -> bytes:
    """A certificate without extensions as one of version 1, signed by the shared root."""
    return signed_again(_content(certificate.tbs_certificate_bytes).removeprefix(bytes.fromhex("a003020102")))


def signed_again(content: bytes) -> bytes:
    """A certificate with this content of its TBSCertificate, signed by the shared root."""
    to_be_signed = _sequence(content)
    signature = authority().key.sign(to_be_signed, ec.ECDSA(SHA256()))
    ecdsa_with_sha256 = bytes.fromhex("300a06082a8648ce3d040302")
    return _sequence(to_be_signed + ecdsa_with_sha256 + _element(0x03, b"\0" + signature))


def _sequence(content: bytes) -> bytes:
    return _element(0x30, content)


def _element(tag: int, content: bytes) -> bytes:
    length = len(content)
    if length < 0x80:
        return bytes((tag, length)) + content
    encoded = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(encoded))) + encoded + content


def _content(element: bytes) -> bytes:
    """What is inside of an element, which has a definite length of less than 64 KiB."""
    return element[2 + (element[1] & 0x7F if element[1] & 0x80 else 0) :]
