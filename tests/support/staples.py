"""OCSP responses of every kind, by the authorities of ``certificates``; and certificates that must be stapled."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from attrs import evolve
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, HashAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

from sansticket import Credential
from sansticket.crypto.der import SEQUENCE, content_of, element, elements
from tests.support.certificates import END, KEYS, START, Authority, authority, hash_for, server_identity
from tests.support.credentials import DAY, NOW, credential_of, issue, server_credential

GOOD: Final = ocsp.OCSPCertStatus.GOOD
REVOKED: Final = ocsp.OCSPCertStatus.REVOKED
UNKNOWN: Final = ocsp.OCSPCertStatus.UNKNOWN

THIS_UPDATE: Final = NOW.replace(microsecond=0) - DAY
NEXT_UPDATE: Final = THIS_UPDATE + 7 * DAY

OCSP_SIGNING: Final = (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), False)
MUST_STAPLE: Final = (x509.TLSFeature([x509.TLSFeatureType.status_request]), False)
BIT_STRING, OCTET_STRING, RESPONSE_BYTES = 0x03, 0x04, 0xA0
SUCCESSFUL: Final = b"\x0a\x01\x00"
OCSP_BASIC: Final = bytes.fromhex("06092b0601050507300101")
ECDSA_WITH_SHA256: Final = bytes.fromhex("06082a8648ce3d040302")
NOT_KNOWN: Final = x509.UnrecognizedExtension(ObjectIdentifier("1.2.3.4"), b"\x05\x00")


def respond(
    certificate: x509.Certificate,
    issuer: Authority,
    status: ocsp.OCSPCertStatus = GOOD,
    *,
    this_update: datetime.datetime = THIS_UPDATE,
    next_update: datetime.datetime | None = NEXT_UPDATE,
    named_by: HashAlgorithm | None = None,
    signer: Authority | None = None,
    shown: Sequence[x509.Certificate] = (),
    extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
    by_hash: bool = False,
) -> bytes:
    """What a responder of the issuer says of a certificate, in DER.

    ``signer`` signs in the place of the issuer, ``shown`` are the certificates in the response, ``named_by`` is the
    hash of the certificate's identifier, SHA-1 unless given, as everywhere.
    """
    signs = signer or issuer
    identity = ocsp.OCSPResponderEncoding.HASH if by_hash else ocsp.OCSPResponderEncoding.NAME
    builder = (
        ocsp.OCSPResponseBuilder()
        .add_response(
            cert=certificate,
            issuer=issuer.certificate,
            algorithm=named_by or SHA1(),
            cert_status=status,
            this_update=this_update,
            next_update=next_update,
            revocation_time=THIS_UPDATE - DAY if status is REVOKED else None,
            revocation_reason=None,
        )
        .responder_id(identity, signs.certificate)
    )
    if shown:
        builder = builder.certificates(list(shown))
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(signs.key, hash_for(signs.key)).public_bytes(Encoding.DER)


def responder(
    issuer: Authority,
    extensions: Sequence[tuple[x509.ExtensionType, bool]] = (OCSP_SIGNING,),
    key: str = "p256",
    start: datetime.timedelta = START,
    end: datetime.timedelta = END,
) -> Authority:
    """Somebody whom the issuer has authorized to sign responses; by other extensions perhaps not."""
    private_key = KEYS[key]()
    made = issue(issuer, "responder", private_key.public_key(), extensions, start=start, end=end)
    return Authority(made, private_key)


def staple(key: str = "p256", status: ocsp.OCSPCertStatus = GOOD) -> bytes:
    """For the certificate of ``server_credential``: the same for the same arguments."""
    return _staple(key, status)


@cache
def _staple(key: str, status: ocsp.OCSPCertStatus) -> bytes:
    return respond(server_identity(key).certificate, authority(), status)


def stapled_credential(key: str = "p256", status: ocsp.OCSPCertStatus = GOOD) -> Credential:
    """``server_credential`` with that."""
    return evolve(server_credential(key), ocsp_response=staple(key, status))


@cache
def must_staple_credential() -> Credential:
    """For a certificate that is good only with an OCSP response, which it does not have."""
    identity = server_identity()
    names = identity.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    made = issue(authority(), "server.example", identity.key.public_key(), [(names, False), MUST_STAPLE])
    return credential_of(evolve(identity, chain=(made,)))


def in_one(responses: Sequence[bytes], signer: Authority) -> bytes:
    """All that they say, in one response (RFC 6960 section 4.2.1); the library makes them about one certificate."""
    bodies = [ocsp.load_der_ocsp_response(one).tbs_response_bytes for one in responses]
    *before, _ = (whole for _, _, whole in elements(content_of(bodies[0], SEQUENCE)))
    said = b"".join(list(elements(content_of(body, SEQUENCE)))[-1][1] for body in bodies)
    body = element(SEQUENCE, b"".join(before) + element(SEQUENCE, said))
    key: Any = signer.key
    signature = element(BIT_STRING, b"\0" + key.sign(body, ECDSA(SHA256())))
    basic = element(SEQUENCE, body + element(SEQUENCE, ECDSA_WITH_SHA256) + signature)
    typed = element(SEQUENCE, OCSP_BASIC + element(OCTET_STRING, basic))
    return element(SEQUENCE, SUCCESSFUL + element(RESPONSE_BYTES, typed))


def of_another_certificate() -> bytes:
    """A response about another certificate of the same authority."""
    return respond(authority().issue("server.example").certificate, authority())
