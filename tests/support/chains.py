"""Makes chains of certificates as an authority may have made them, for the table of ``chain_kinds``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any, Final

import trustme
from attrs import field, frozen
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sansticket.crypto.der import element, elements
from tests.support.certificates import KEYS, Authority, Identity, authority
from tests.support.credentials import (
    DAY,
    NOW,
    PSS_IDENTIFIER,
    RSA_IDENTIFIER,
    issue,
    root,
    subordinate,
)
from tests.support.weak import signed_anew

NAME: Final = "server.example"

Extension = tuple[x509.ExtensionType, bool]


def _in_order(ders: Sequence[bytes]) -> tuple[bytes, ...]:
    return tuple(ders)


@frozen
class Chain:
    """What a peer sends, whom we trust, and the name that is asked for: None for a client's chain."""

    sent: tuple[bytes, ...] = field(converter=_in_order)
    anchors: tuple[bytes, ...] = field(converter=_in_order)
    server_name: str | None = NAME


class Verdict(Enum):
    """Who accepts: the default answer to ``VerifyPeer``, and ``sansticket.verifiers.pyopenssl``."""

    BOTH = (True, True)
    OPENSSL = (False, True)
    OURS = (True, False)
    NEITHER = (False, False)


@frozen
class Kind:
    """One row of the table."""

    title: str
    verdict: Verdict
    make: Callable[[], Chain]


# --- how they are made --------------------------------------------------------------------------------------


def der(certificate: x509.Certificate | bytes) -> bytes:
    return certificate if isinstance(certificate, bytes) else certificate.public_bytes(Encoding.DER)


def san(*names: str, critical: bool = False) -> Extension:
    return x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical


def usage(*allowed: str, critical: bool = True) -> Extension:
    fields = [
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    ]
    return x509.KeyUsage(**{name: name in allowed for name in fields}), critical


def purpose(*purposes: Any, critical: bool = False) -> Extension:
    return x509.ExtendedKeyUsage(purposes), critical


def raw(oid: str, value: bytes, critical: bool = False) -> Extension:
    return x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), value), critical


def raw_names(*names: bytes) -> Extension:
    host = element(0x82, NAME.encode())
    return raw("2.5.29.17", element(0x30, host + b"".join(names)))


def leaf(issuer: Authority, *extensions: Extension, key: Any = None, **options: Any) -> bytes:
    """A leaf with the name and these extensions; with exactly these if a subjectAltName is among them."""
    if not any(value.oid == x509.SubjectAlternativeName.oid for value, _ in extensions):
        extensions = (san(NAME), *extensions)
    public_key = (KEYS["p256"]() if key is None else key).public_key()
    return der(issue(issuer, "leaf", public_key, extensions, **options))


def under(issuer: Authority, *extensions: Extension, name: str | None = NAME, **options: Any) -> Chain:
    """A leaf that an anchor issued."""
    return Chain([leaf(issuer, *extensions, **options)], [issuer.der], name)


def below(
    *extensions: Extension, name: str | None = NAME, own: Sequence[Extension] = (), **options: Any
) -> Chain:
    """A leaf that an intermediate with these extensions issued."""
    middle = subordinate(authority(), extensions=extensions, **options)
    return Chain([leaf(middle, *own), middle.der], [authority().der], name)


def plain(*extensions: Extension) -> Callable[[], Chain]:
    return lambda: under(authority(), *extensions)


def own_root(*extensions: Extension, make_key: Callable[[], Any] = KEYS["p256"]) -> Callable[[], Chain]:
    return lambda: under(root("own root", extensions, make_key))


def without_subject(*extensions: Extension) -> Chain:
    key = KEYS["p256"]()
    builder = x509.CertificateBuilder(
        authority().certificate.subject,
        x509.Name([]),
        key.public_key(),
        x509.random_serial_number(),
        NOW - DAY,
        NOW + DAY,
    )
    for value, critical in extensions:
        builder = builder.add_extension(value, critical)
    return Chain([der(builder.sign(authority().key, SHA256()))], [authority().der])


def beside(name: x509.GeneralName) -> Extension:
    """subjectAltName with the host's name and this one."""
    return x509.SubjectAlternativeName([x509.DNSName(NAME), name]), False


def path_of(identity: Identity, server_name: str | None = NAME) -> Chain:
    return Chain(identity.chain_der, [authority().der], server_name)


def levels(count: int, *, reverse: bool = False, without: int | None = None) -> Chain:
    """A leaf below so many intermediates."""
    top = root("top")
    issuers = [top]
    for number in range(count):
        issuers.append(subordinate(issuers[-1], f"level {number}"))
    others = [each.der for number, each in enumerate(issuers[:0:-1]) if number != without]
    return Chain([leaf(issuers[-1]), *(others[::-1] if reverse else others)], [top.der])


def weak(number: int, algorithm: Any, which: str) -> Chain:
    """One signature over a broken hash: 4 is MD5, 5 is SHA-1."""
    top = root("RSA root", make_key=KEYS["rsa"])
    if which == "leaf":
        own = x509.load_der_x509_certificate(leaf(top))
        return Chain([signed_anew(own, top.key, number, algorithm)], [top.der])  # type: ignore[arg-type]
    if which == "intermediate":
        middle = subordinate(top)
        old = signed_anew(middle.certificate, top.key, number, algorithm)  # type: ignore[arg-type]
        return Chain([leaf(middle), old], [top.der])
    return Chain([leaf(top)], [signed_anew(top.certificate, top.key, number, algorithm)])  # type: ignore[arg-type]


def signed_over(algorithm: Any) -> Chain:
    """A leaf that is signed with ECDSA over another hash than the curve is usually used with."""
    builder = _like(x509.load_der_x509_certificate(leaf(authority())))
    return Chain([der(builder.sign(authority().key, algorithm))], [authority().der])


def signed_with_pss() -> Chain:
    top = root("RSA root", make_key=KEYS["rsa"])
    key: Any = top.key
    builder = _like(x509.load_der_x509_certificate(leaf(top)))
    return Chain([der(builder.sign(key, SHA256(), rsa_padding=PSS(MGF1(SHA256()), 32)))], [top.der])


def keyed_by_pss() -> Chain:
    """An authority whose certificate restricts its RSA key to RSASSA-PSS."""
    chain = signed_with_pss()
    key = x509.load_der_x509_certificate(chain.anchors[0]).public_key()
    encoded = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    algorithm, bits = (whole for _, _, whole in elements(next(elements(encoded))[1]))
    assert algorithm == RSA_IDENTIFIER
    restricted = element(0x30, PSS_IDENTIFIER + bits)
    anchor = edited(chain.anchors[0], {"key": restricted}, authority().key)
    return Chain(chain.sent, [anchor])


def _like(certificate: x509.Certificate) -> x509.CertificateBuilder:
    key: Any = certificate.public_key()
    builder = x509.CertificateBuilder(
        certificate.issuer,
        certificate.subject,
        key,
        certificate.serial_number,
        certificate.not_valid_before_utc,
        certificate.not_valid_after_utc,
    )
    for extension in certificate.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    return builder


PLACES: Final = {"serial": 1, "validity": 4, "key": 6, "extensions": 7}
"""Of fields in a TBSCertificate of version 3 (RFC 5280 section 4.1)."""


def edited(certificate: bytes, changes: dict[str, bytes], key: ec.EllipticCurvePrivateKey) -> bytes:
    """A certificate with other fields, signed again with ECDSA and SHA-256 (or not really, if it is an anchor's)."""
    body, algorithm, _ = elements(next(elements(certificate))[1])
    fields = [whole for _, _, whole in elements(body[1])]
    for name, encoded in changes.items():
        assert fields[PLACES[name]] != encoded
        fields[PLACES[name]] = encoded
    signed = element(0x30, b"".join(fields))
    signature = key.sign(signed, ec.ECDSA(SHA256()))
    return element(0x30, signed + algorithm[2] + element(0x03, b"\0" + signature))


def with_field(name: str, encoded: bytes) -> Chain:
    return Chain([edited(leaf(authority()), {name: encoded}, authority().key)], [authority().der])


def validity(start: bytes, end: bytes, tags: tuple[int, int]) -> bytes:
    return element(0x30, element(tags[0], start) + element(tags[1], end))


def doubled_extension() -> Chain:
    own = leaf(authority())
    body = next(elements(next(elements(own))[1]))[1]
    extensions = [whole for _, _, whole in elements(body)][PLACES["extensions"]]
    every = next(elements(next(elements(extensions))[1]))[1]
    return with_field("extensions", element(0xA3, element(0x30, every * 2)))


def policy_mappings() -> Extension:
    """From one policy to another (RFC 5280 section 4.2.1.5)."""
    pair = bytes.fromhex("06062b0601040101") + bytes.fromhex("06062b0601040102")
    return raw("2.5.29.33", element(0x30, element(0x30, pair)), critical=True)


def trustme_chain(server_name: str | None, depth: int = 1) -> Chain:
    """From the authority that the tests of many projects use."""
    top = trustme.CA()
    issuer = top
    for _ in range(depth - 1):
        issuer = issuer.create_child_ca()
    own = issuer.issue_cert(server_name or "client.example")
    sent = [x509.load_pem_x509_certificate(pem.bytes()) for pem in own.cert_chain_pems]
    return Chain(
        [der(each) for each in sent], [der(x509.load_pem_x509_certificate(top.cert_pem.bytes()))], server_name
    )
