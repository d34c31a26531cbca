"""Why a chain was refused: the library's verdict says little about it, and the peer deserves the right alert.

Nothing here turns a refusal into an acceptance.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidSignature

from sansticket.crypto.anchors import TrustAnchors
from sansticket.crypto.inspection import extension_of, names_of, parse_errors
from sansticket.errors import Fault, Reason

if TYPE_CHECKING:
    from cryptography import x509

BROKEN_HASHES: Final = frozenset(
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

_UNSUPPORTED: Final = (
    "Forbidden",
    "too weak",
    "EKU",
    "X509v3",
    "UtcTime",
    "serial number cannot be negative",
    "malformed DNS name constraint",
    "directoryName matching is not implemented",
    "unsupported name constraint",
)
"""What the library says of algorithms, key sizes, key purposes, versions and forms that it does not take."""

_NOT_READ: Final = ("error parsing asn1 value", "ASN.1 parsing error")

WRONG_ORDER: Final = (
    "the first certificate is not the peer's own but the issuer of another; a chain begins with the leaf"
)


def diagnose(
    certificates: "Sequence[x509.Certificate]",
    anchors: TrustAnchors,
    server_name: str | None,
    now: datetime,
    verdict: str,
) -> Fault:
    """The reason: what speaks against trusting a chain first, then what may be a mistake.

    ``certificates`` is the chain, leaf first; ``verdict`` what the library said, which knows neither the name that was
    asked for nor the time.
    """
    path = _path(certificates[0], certificates[1:], anchors)
    reason = _reason(path, certificates[0], server_name, now, verdict)
    if in_wrong_order(certificates):
        verdict = WRONG_ORDER
    elif reason is Reason.CERTIFICATE_EXPIRED and path is not None:
        verdict = when_valid(path, now)
    elif reason is Reason.CERTIFICATE_NAME_MISMATCH and server_name is not None:
        verdict = names_of(certificates[0]).without(server_name)
    return Fault(reason, verdict)


def _reason(
    path: "list[x509.Certificate] | None",
    leaf: "x509.Certificate",
    server_name: str | None,
    now: datetime,
    verdict: str,
) -> Reason:
    if path is None:
        return Reason.CERTIFICATE_UNTRUSTED
    if any(certificate.signature_algorithm_oid.dotted_string in BROKEN_HASHES for certificate in path[:-1]):
        return Reason.CERTIFICATE_INVALID
    if not all(_is_signed_by(certificate, issuer) for certificate, issuer in pairwise(path)):
        return Reason.CERTIFICATE_INVALID
    if not all_valid(path, now):
        return Reason.CERTIFICATE_EXPIRED
    if server_name is not None and not names_of(leaf).cover(server_name):
        return Reason.CERTIFICATE_NAME_MISMATCH
    if any(hint in verdict for hint in _UNSUPPORTED):
        return Reason.CERTIFICATE_UNSUPPORTED
    if any(hint in verdict for hint in _NOT_READ):
        return Reason.CERTIFICATE_MALFORMED
    return Reason.CERTIFICATE_INVALID


def all_valid(certificates: "Iterable[x509.Certificate]", now: datetime) -> bool:
    """``now`` without time zone is UTC."""
    return all(_is_valid(each, now) for each in certificates)


def _is_valid(certificate: "x509.Certificate", now: datetime) -> bool:
    return certificate.not_valid_before_utc <= _in_utc(now) <= certificate.not_valid_after_utc


def has_ended(certificate: "x509.Certificate", then: datetime, now: datetime) -> bool:
    """Whether its time was over between the two."""
    return _in_utc(then) <= certificate.not_valid_after_utc < _in_utc(now)


def _in_utc(now: datetime) -> datetime:
    return now if now.tzinfo else now.replace(tzinfo=UTC)


def when_valid(certificates: "Iterable[x509.Certificate]", now: datetime) -> str:
    """Of certificates that are not all valid now: the first that is not, and when it is."""
    return validity_of(next(each for each in certificates if not _is_valid(each, now)), now)


def validity_of(certificate: "x509.Certificate", now: datetime) -> str:
    """Whose it is, when it is valid, and what time it is."""
    try:
        whose = certificate.subject.rfc4514_string() or "one without a subject"
    except parse_errors():  # so far nobody had to look into it
        whose = "one whose subject cannot be read"
    since, until, moment = (
        f"{time:%Y-%m-%d %H:%M:%S}"
        for time in (certificate.not_valid_before_utc, certificate.not_valid_after_utc, _in_utc(now))
    )
    return f"{whose} is valid from {since} to {until}, and now it is {moment} (UTC)"


def in_wrong_order(certificates: "Sequence[x509.Certificate]") -> bool:
    """Whether the first certificate issued one of those behind it, and so is not the leaf (RFC 9846 section 4.5.1)."""
    first, *others = certificates
    return any(
        other.subject != other.issuer and _names_as_issuer(other, first) and _is_signed_by(other, first)
        for other in others
    )


def _path(
    leaf: "x509.Certificate", intermediates: "Sequence[x509.Certificate]", anchors: TrustAnchors
) -> "list[x509.Certificate] | None":
    """The path from the leaf to an anchor that names and key identifiers give, or None.

    Each certificate is used once, so it ends; the anchors come first, so it is as short as can be.
    """
    roots = anchors.roots.certificates
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
        named = extension_of(certificate, x509.AuthorityKeyIdentifier)
        own = extension_of(other, x509.SubjectKeyIdentifier)
    except parse_errors():
        return True
    return named is None or own is None or named.key_identifier in (None, own.digest)


def _is_signed_by(certificate: "x509.Certificate", issuer: "x509.Certificate") -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except InvalidSignature:
        return False
    return True
