"""Verifying a peer's certificates against trust anchors.

Path validation is ``cryptography.x509.verification``, with the profile of RFC 5280 rather than that of the
public Web PKI where the two differ, because TLS is used with private authorities too:

- authorityKeyIdentifier may be missing, and an issuer's keyUsage; a keyUsage that is there must allow
  signing certificates (RFC 5280 section 6.1.4 (n));
- a leaf may be marked as CA, as self-signed certificates that are their own trust anchor usually are;
- a client's certificate need not have a subjectAltName.

Stricter than the library: a leaf with keyUsage must have digitalSignature (RFC 9846 section 4.5.1.2).  Names
are matched against subjectAltName only, never against the common name (RFC 9525 section 2).

The library's verdict says little about why a chain was refused, and the peer deserves the right alert:
``_diagnose`` finds the reason afterwards.  It never turns a refusal into an acceptance.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from enum import Enum
from functools import lru_cache
from ipaddress import ip_address
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from attrs import Factory, field, frozen
from cryptography.exceptions import InvalidSignature

from sansticket.crypto.inspection import (
    check_ders,
    der_tuple,
    is_ip_address,
    load,
    name_matches,
    names_of,
    parse_errors,
    unreadable,
)
from sansticket.errors import ConfigError, Fault, Reason

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.x509.verification import ExtensionPolicy, Policy, PolicyBuilder, Store


@frozen
class _Roots:
    """What the library wants to have of the trust anchors."""

    certificates: "tuple[x509.Certificate, ...]"
    subjects: tuple[bytes, ...]
    store: "Store"


def _plant(anchors: "TrustAnchors") -> _Roots:
    from cryptography.x509.verification import Store

    check_ders("trust_anchors", anchors.certificates)
    if not anchors.certificates:
        raise ConfigError("trust_anchors", "there must be at least one")
    try:
        certificates = tuple(load(der) for der in anchors.certificates)
        subjects = tuple(certificate.subject.public_bytes() for certificate in certificates)
    except parse_errors(Fault) as error:
        raise ConfigError("trust_anchors", str(error)) from error
    return _Roots(certificates, subjects, Store(list(certificates)))


@frozen
class TrustAnchors:
    """The certificates at which a chain may end, in DER.

    Roots as a rule; an intermediate or the peer's own certificate will do.  ConfigError ``trust_anchors``
    when there is none or one cannot be read.
    """

    certificates: tuple[bytes, ...] = field(repr=lambda ders: f"<{len(ders)}>", converter=der_tuple)
    _roots: _Roots = field(init=False, repr=False, eq=False, default=Factory(_plant, takes_self=True))

    @classmethod
    def from_pem(cls, pem: bytes) -> "TrustAnchors":
        """All certificates of a PEM bundle."""
        from cryptography import x509
        from cryptography.hazmat.primitives.serialization import Encoding

        try:
            certificates = x509.load_pem_x509_certificates(pem)
        except (ValueError, TypeError) as error:
            raise ConfigError("trust_anchors", str(error)) from error
        return cls(tuple(certificate.public_bytes(Encoding.DER) for certificate in certificates))

    @classmethod
    def from_der(cls, certificates: Sequence[bytes]) -> "TrustAnchors":
        """The given certificates, each in DER."""
        return cls(der_tuple(certificates))

    @property
    def subjects(self) -> tuple[bytes, ...]:
        """Names of the anchors in DER, for certificate_authorities (RFC 9846 section 4.3.4)."""
        return self._roots.subjects

    @property
    def digest(self) -> bytes:
        """32 bytes that stand for the set of anchors: whatever their order, in every process."""
        fingerprints = sorted({hashlib.sha256(der).digest() for der in self.certificates})
        return hashlib.sha256(b"".join(fingerprints)).digest()

    def __copy__(self) -> "TrustAnchors":
        return self

    def __deepcopy__(self, memo: object) -> "TrustAnchors":
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return TrustAnchors, (self.certificates,)


def _issuer_key_usage(
    policy: "Policy", certificate: "x509.Certificate", usage: "x509.KeyUsage | None"
) -> None:
    if usage is not None and not usage.key_cert_sign:
        raise ValueError("keyUsage of an issuer does not allow signing certificates")


def _leaf_key_usage(policy: "Policy", certificate: "x509.Certificate", usage: "x509.KeyUsage | None") -> None:
    if usage is not None and not usage.digital_signature:
        raise ValueError("keyUsage does not allow digital signatures")


def _server_key_purpose(
    policy: "Policy", certificate: "x509.Certificate", purposes: "x509.ExtendedKeyUsage | None"
) -> None:
    """What the library checks by itself where it knows that a server is verified."""
    from cryptography.x509.oid import ExtendedKeyUsageOID

    fit = {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
    if purposes is not None and fit.isdisjoint(purposes):
        raise ValueError("EKU does not allow server authentication")


class _Role(Enum):
    """Whose chain it is.  The library verifies servers by name only: one without a name passes as a client
    whose key is for servers."""

    SERVER = "server"
    SERVER_OF_ANY_NAME = "server of any name"
    CLIENT = "client"


@lru_cache(maxsize=3)
def _extension_policies(role: _Role) -> "tuple[ExtensionPolicy, ExtensionPolicy]":
    """For issuers and for leaves; the module's docstring says how they differ from the library's own."""
    from cryptography import x509
    from cryptography.x509.verification import Criticality, ExtensionPolicy

    either = Criticality.AGNOSTIC
    issuers = (
        ExtensionPolicy.webpki_defaults_ca()
        .may_be_present(x509.KeyUsage, either, _issuer_key_usage)
        .may_be_present(x509.AuthorityKeyIdentifier, either, None)
    )
    leaves = (
        ExtensionPolicy.webpki_defaults_ee()
        .may_be_present(x509.KeyUsage, either, _leaf_key_usage)
        .may_be_present(x509.AuthorityKeyIdentifier, either, None)
        .may_be_present(x509.BasicConstraints, either, None)
    )
    if role is not _Role.SERVER:
        leaves = leaves.may_be_present(x509.SubjectAlternativeName, either, None)
    if role is _Role.SERVER_OF_ANY_NAME:
        issuers = issuers.may_be_present(x509.ExtendedKeyUsage, either, _server_key_purpose)
        leaves = leaves.may_be_present(x509.ExtendedKeyUsage, either, _server_key_purpose)
    return issuers, leaves


def _builder(anchors: TrustAnchors, now: datetime, role: _Role) -> "PolicyBuilder":
    from cryptography.x509.verification import PolicyBuilder

    issuers, leaves = _extension_policies(role)
    return (
        PolicyBuilder()
        .store(anchors._roots.store)
        .time(now)
        .extension_policies(ca_policy=issuers, ee_policy=leaves)
    )


def _subject(server_name: str) -> "x509.DNSName | x509.IPAddress":
    from cryptography import x509

    if is_ip_address(server_name):
        return x509.IPAddress(ip_address(server_name))
    return x509.DNSName(server_name.removesuffix("."))


def verify_server_chain(
    chain: Sequence[bytes], anchors: TrustAnchors, server_name: str | None, now: datetime
) -> "list[x509.Certificate]":
    """Check that a chain (DER, leaf first) leads to an anchor, is for ``server_name`` and valid at ``now``.

    ``server_name`` is a host name in ASCII (A-labels) or an IP address; one that can be neither is a
    ConfigError ``server_name``.  With None the chain may be that of any server: all holders of a certificate
    from the anchors can be in the middle.  ``now`` without time zone is UTC.  How long a chain may be is for
    the caller to limit.  Fault CERTIFICATE_... with the reason of the refusal; otherwise the path that was
    found, from the leaf to the anchor.
    """
    if server_name is None:
        any_server = _builder(anchors, now, _Role.SERVER_OF_ANY_NAME).build_client_verifier()
        return _verify(lambda leaf, others: any_server.verify(leaf, others).chain, chain, anchors, None, now)
    try:
        verifier = _builder(anchors, now, _Role.SERVER).build_server_verifier(_subject(server_name))
    except ValueError as error:
        raise ConfigError("server_name", f"{server_name!r}: {error}") from None
    return _verify(verifier.verify, chain, anchors, server_name, now)


def verify_client_chain(
    chain: Sequence[bytes], anchors: TrustAnchors, now: datetime
) -> "list[x509.Certificate]":
    """Check that a client's chain (DER, leaf first) leads to an anchor and is valid at ``now``.

    ``now`` without time zone is UTC.  Fault CERTIFICATE_... with the reason of the refusal; otherwise the
    path that was found, from the leaf to the anchor.
    """
    verifier = _builder(anchors, now, _Role.CLIENT).build_client_verifier()
    return _verify(lambda leaf, others: verifier.verify(leaf, others).chain, chain, anchors, None, now)


def check_validity(chain: Sequence[bytes], now: datetime) -> None:
    """Check that every certificate of a chain (DER) is valid at ``now``, and nothing else.

    For chains that were verified before.  Fault CERTIFICATE_EXPIRED, CERTIFICATE_MALFORMED.
    """
    if not _all_valid(map(load, chain), now):
        raise Fault(Reason.CERTIFICATE_EXPIRED)


def _all_valid(certificates: "Iterable[x509.Certificate]", now: datetime) -> bool:
    moment = now if now.tzinfo else now.replace(tzinfo=UTC)
    return all(each.not_valid_before_utc <= moment <= each.not_valid_after_utc for each in certificates)


def _verify(
    verify: Callable[["x509.Certificate", "list[x509.Certificate]"], "list[x509.Certificate]"],
    chain: Sequence[bytes],
    anchors: TrustAnchors,
    server_name: str | None,
    now: datetime,
) -> "list[x509.Certificate]":
    from cryptography.x509.verification import VerificationError

    if not chain:
        raise Fault(Reason.CERTIFICATE_MALFORMED, "an empty chain")
    leaf, *intermediates = [load(der) for der in chain]
    try:
        try:
            return verify(leaf, intermediates)
        except VerificationError as error:
            reason = _diagnose(leaf, intermediates, anchors, server_name, now, str(error))
            raise Fault(reason, str(error)) from None
    except parse_errors() as error:
        raise unreadable(error) from None


_BROKEN_HASHES: Final = frozenset(
    {
        "1.2.840.113549.1.1.2",  # md2WithRSAEncryption
        "1.2.840.113549.1.1.4",  # md5WithRSAEncryption
        "1.2.840.113549.1.1.5",  # sha1WithRSAEncryption
        "1.3.14.3.2.29",  # the same, as an older standard has it
        "1.2.840.10045.4.1",  # ecdsa-with-SHA1
        "1.2.840.10040.4.3",  # dsa-with-sha1
    }
)
"""Algorithms of signatures that the library does not take, and that are no matter of support: whoever has to verify one
says bad_certificate (RFC 9846 section 4.5.1.3)."""

# What the library says of algorithms, key sizes, key purposes and versions that it does not take.
_UNSUPPORTED: Final = ("Forbidden", "too weak", "EKU", "X509v3")


def _diagnose(
    leaf: "x509.Certificate",
    intermediates: "list[x509.Certificate]",
    anchors: TrustAnchors,
    server_name: str | None,
    now: datetime,
    verdict: str,
) -> Reason:
    """Why a chain was refused: what speaks against trusting it first, then what may be a mistake."""
    path = _path(leaf, intermediates, anchors)
    if path is None:
        return Reason.CERTIFICATE_UNTRUSTED
    if any(certificate.signature_algorithm_oid.dotted_string in _BROKEN_HASHES for certificate in path[:-1]):
        return Reason.CERTIFICATE_INVALID
    if not all(_is_signed_by(certificate, issuer) for certificate, issuer in pairwise(path)):
        return Reason.CERTIFICATE_INVALID
    if not _all_valid(path, now):
        return Reason.CERTIFICATE_EXPIRED
    if server_name is not None and not name_matches(names_of(leaf), server_name):
        return Reason.CERTIFICATE_NAME_MISMATCH
    if any(hint in verdict for hint in _UNSUPPORTED):
        return Reason.CERTIFICATE_UNSUPPORTED
    return Reason.CERTIFICATE_INVALID


def _path(
    leaf: "x509.Certificate", intermediates: "list[x509.Certificate]", anchors: TrustAnchors
) -> "list[x509.Certificate] | None":
    """The path from the leaf to an anchor that names and key identifiers give, or None.

    Each certificate is used once, so it ends; the anchors come first, so it is as short as can be.
    """
    roots = anchors._roots.certificates
    left = [*roots, *intermediates]
    path = [leaf]
    while path[-1] not in roots:
        step = next((other for other in left if _names_as_issuer(path[-1], other)), None)
        if step is None:
            return None
        left.remove(step)
        path.append(step)
    return path


def _names_as_issuer(certificate: "x509.Certificate", other: "x509.Certificate") -> bool:
    """Whether ``certificate`` names ``other`` as its issuer, by key too if both have an identifier."""
    from cryptography import x509

    if certificate.issuer != other.subject:
        return False
    try:
        named = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
        own = other.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        return True
    return named.key_identifier in (None, own.digest)


def _is_signed_by(certificate: "x509.Certificate", issuer: "x509.Certificate") -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except InvalidSignature:
        return False
    return True
