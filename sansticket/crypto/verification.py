"""Verifying a peer's certificates against trust anchors.

Path validation is ``cryptography.x509.verification``, with the profile of RFC 5280 (see ``profile``) and the anchors
of ``anchors``.  Added to it are the length of RSA keys, policies that a path requires, and names that the library
does not take: labels with underscores, and with hyphens at their ends.  Names are matched against subjectAltName
only, never against the common name (RFC 9525 section 2).

A chain that was accepted is remembered with its anchors, by its bytes, role, name and ``min_rsa_bits``, and holds
while every certificate of its path is valid: see ``AcceptedChains``.  A refusal is not.

``docs/certificates.md`` lists what is accepted.  The library's verdict says little about why a chain was refused;
``diagnosis`` finds the reason afterwards, and never turns a refusal into an acceptance.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

from sansticket.crypto.anchors import MAX_REMEMBERED, TrustAnchors
from sansticket.crypto.inspection import (
    RSA_KEYS,
    check_server_name,
    extension_of,
    is_host_name,
    is_ip_address,
    load,
    names_of,
    parse_errors,
    require_readable,
    require_strength,
    unreadable,
)
from sansticket.crypto.paths.diagnosis import all_valid, diagnose, has_ended, when_valid
from sansticket.crypto.paths.policies import check_policies
from sansticket.crypto.paths.profile import Role, extension_policies
from sansticket.crypto.signatures import MIN_RSA_BITS
from sansticket.errors import Fault, Reason
from sansticket.library import DIRECTORY_CONSTRAINTS

if TYPE_CHECKING:
    from cryptography import x509

    Subject = x509.DNSName | x509.IPAddress

__all__ = ["TrustAnchors", "check_validity", "ders", "verify_client_chain", "verify_server_chain"]

_MAX_DEPTH: Final = 255
"""What the library can count to; it gives up after 128 signatures anyhow."""


def verify_server_chain(
    chain: Sequence[bytes],
    anchors: TrustAnchors,
    server_name: str | None,
    now: datetime,
    min_rsa_bits: int = MIN_RSA_BITS,
) -> "list[x509.Certificate]":
    """Check that a chain (DER, leaf first) leads to an anchor, is for ``server_name`` and valid at ``now``.

    ``server_name`` is a host name in ASCII (A-labels) or an IP address; one that can be neither is a
    ConfigError ``server_name``.  With None the chain may be that of any server: all holders of a certificate
    from the anchors can be in the middle.  ``now`` without time zone is UTC.  Every RSA key has ``min_rsa_bits``,
    those of issuers 2048 in any case.  How long a chain may be is for the caller to limit.  Fault CERTIFICATE_...
    with the reason of the refusal; otherwise the path that was found, from the leaf to the anchor.
    """
    return _verify(Role.SERVER, chain, anchors, server_name, now, min_rsa_bits)


def verify_client_chain(
    chain: Sequence[bytes], anchors: TrustAnchors, now: datetime, min_rsa_bits: int = MIN_RSA_BITS
) -> "list[x509.Certificate]":
    """Check that a client's chain (DER, leaf first) leads to an anchor and is valid at ``now``.

    ``now`` without time zone is UTC, ``min_rsa_bits`` as in ``verify_server_chain``.  Fault CERTIFICATE_... with the
    reason of the refusal; otherwise the path that was found, from the leaf to the anchor.
    """
    return _verify(Role.CLIENT, chain, anchors, None, now, min_rsa_bits)


def ders(path: "Sequence[x509.Certificate]") -> tuple[bytes, ...]:
    """The certificates of a path in DER."""
    from cryptography.hazmat.primitives.serialization import Encoding

    return tuple([certificate.public_bytes(Encoding.DER) for certificate in path])


def check_validity(chain: Sequence[bytes], now: datetime, then: datetime) -> None:
    """Check that of a chain (DER, not empty) that was verified ``then`` the first certificate is valid at ``now``, that
    none of the others has ended since, and nothing else.

    What had ended before was of no use: there are many chains with an authority's certificate by an older one, which
    expired long ago.  Fault CERTIFICATE_EXPIRED, CERTIFICATE_MALFORMED.
    """
    first, *others = [load(der) for der in chain]
    certificates = [first, *[other for other in others if has_ended(other, then, now)]]
    if not all_valid(certificates, now):
        raise Fault(Reason.CERTIFICATE_EXPIRED, when_valid(certificates, now))


def _verify(
    role: Role,
    chain: Sequence[bytes],
    anchors: TrustAnchors,
    server_name: str | None,
    now: datetime,
    min_rsa_bits: int,
) -> "list[x509.Certificate]":
    asked = role, tuple(chain), server_name, min_rsa_bits
    path = anchors.accepted.path(asked, now)
    if path is None:
        if server_name is not None:
            check_server_name(server_name)
        path = tuple(_verify_anew(role, chain, anchors, server_name, now, min_rsa_bits))
        if sum(map(len, chain)) <= MAX_REMEMBERED:
            anchors.accepted.add(asked, path)
    return list(path)


def _verify_anew(
    role: Role,
    chain: Sequence[bytes],
    anchors: TrustAnchors,
    server_name: str | None,
    now: datetime,
    min_rsa_bits: int,
) -> "list[x509.Certificate]":
    from cryptography.x509.verification import VerificationError

    if not chain:
        raise Fault(Reason.CERTIFICATE_MALFORMED, "an empty chain")
    certificates = [load(der) for der in chain]
    try:
        try:
            path = _path(role, certificates, anchors, server_name, now)
        except VerificationError as error:
            raise diagnose(certificates, anchors, server_name, now, str(error)) from None
        _check_path(path, min_rsa_bits)
        check_policies(chain, path)
    except parse_errors() as error:
        raise unreadable(error) from None
    return path


def _path(
    role: Role,
    certificates: "list[x509.Certificate]",
    anchors: TrustAnchors,
    server_name: str | None,
    now: datetime,
) -> "list[x509.Certificate]":
    """The path that the library finds.  What it cannot be asked by name is compared here."""
    from cryptography.x509.verification import PolicyBuilder

    leaf, *others = certificates
    subject = _subject(server_name) if server_name is not None else _any_subject(leaf)
    issuers, leaves = extension_policies(role, subject is not None)
    builder = (
        PolicyBuilder()
        .store(anchors.roots.store)
        .time(now)
        .max_chain_depth(min(len(others), _MAX_DEPTH))
        .extension_policies(ca_policy=issuers, ee_policy=leaves)
    )
    if subject is not None:
        path = builder.build_server_verifier(subject).verify(leaf, others)
    else:
        path = builder.build_client_verifier().verify(leaf, others).chain
        if server_name is not None and not names_of(leaf).cover(server_name):
            raise Fault(Reason.CERTIFICATE_NAME_MISMATCH, names_of(leaf).without(server_name))
    return [anchors.roots.originals.get(certificate, certificate) for certificate in path]


def _check_path(path: "list[x509.Certificate]", min_rsa_bits: int) -> None:
    """What the library does not see: it counts the bytes of issuers' keys alone, and reads what it needs."""
    for certificate in path:
        if certificate.public_key_algorithm_oid.dotted_string in RSA_KEYS:
            require_strength(certificate.public_key(), min_rsa_bits)
    for certificate in path[:-1]:
        require_readable(certificate)
    if not DIRECTORY_CONSTRAINTS.installed:
        _refuse_directory_constraints(path[1:])


def _refuse_directory_constraints(issuers: "Sequence[x509.Certificate]") -> None:
    """Newer libraries refuse them by themselves, since they cannot say whether they are kept; older ones do not ask."""
    from cryptography import x509

    for certificate in issuers:
        constraints = extension_of(certificate, x509.NameConstraints)
        if constraints is not None:
            names = (*(constraints.permitted_subtrees or ()), *(constraints.excluded_subtrees or ()))
            if any(isinstance(name, x509.DirectoryName) for name in names):
                raise Fault(Reason.CERTIFICATE_INVALID, "name constraints for directories are not compared")


def _subject(server_name: str) -> "Subject | None":
    """The name as the library wants it; None for a host name that it does not take."""
    from ipaddress import ip_address

    from cryptography import x509

    if is_ip_address(server_name):
        return x509.IPAddress(ip_address(server_name))
    name = server_name.removesuffix(".")
    odd = "_" in name or any(label[0] == "-" or label[-1] == "-" for label in name.split("."))
    return None if odd else x509.DNSName(name)


def _any_subject(leaf: "x509.Certificate") -> "Subject | None":
    """Where no name is asked for: None, or a name of the leaf if the library could not list all of them."""
    try:
        len(leaf.extensions)
    except parse_errors():
        names = names_of(leaf)
        hosts = (name.replace("*", "any", 1) for name in names.hosts)
        usable = (name for name in (*hosts, *names.addresses) if is_ip_address(name) or is_host_name(name))
        return next((subject for name in usable if (subject := _subject(name)) is not None), None)
    return None
