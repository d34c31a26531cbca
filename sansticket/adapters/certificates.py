"""Certificates as dictionaries, in the form of the ``ssl`` module."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from ipaddress import IPv6Address
from typing import TYPE_CHECKING, Any, Final

from sansticket.adapters.failures import failure
from sansticket.crypto.inspection import extension_of, kinds_of_names, load, parse_errors
from sansticket.errors import Fault

if TYPE_CHECKING:
    from cryptography import x509

UNKNOWN: Final = {0xA3: "X400Name", 0xA5: "EdiPartyName"}
"""What OpenSSL calls kinds of names that nobody reads, by their tags (RFC 5280 section 4.2.1.6)."""

MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

ATTRIBUTES: Final = {
    "2.5.4.3": "commonName",
    "2.5.4.4": "surname",
    "2.5.4.5": "serialNumber",
    "2.5.4.6": "countryName",
    "2.5.4.7": "localityName",
    "2.5.4.8": "stateOrProvinceName",
    "2.5.4.9": "streetAddress",
    "2.5.4.10": "organizationName",
    "2.5.4.11": "organizationalUnitName",
    "2.5.4.12": "title",
    "2.5.4.15": "businessCategory",
    "2.5.4.16": "postalAddress",
    "2.5.4.17": "postalCode",
    "2.5.4.42": "givenName",
    "2.5.4.43": "initials",
    "2.5.4.44": "generationQualifier",
    "2.5.4.46": "dnQualifier",
    "2.5.4.65": "pseudonym",
    "2.5.4.97": "organizationIdentifier",
    "0.9.2342.19200300.100.1.1": "userId",
    "0.9.2342.19200300.100.1.25": "domainComponent",
    "1.2.840.113549.1.9.1": "emailAddress",
    "1.2.840.113549.1.9.2": "unstructuredName",
    "1.3.6.1.4.1.311.60.2.1.1": "jurisdictionLocalityName",
    "1.3.6.1.4.1.311.60.2.1.2": "jurisdictionStateOrProvinceName",
    "1.3.6.1.4.1.311.60.2.1.3": "jurisdictionCountryName",
}
"""OpenSSL's long names of what stands in names; others are given as numbers."""


def as_dictionary(der: bytes) -> dict[str, Any]:
    """A certificate as ``SSLSocket.getpeercert`` gives it.  SSLError for one that cannot be read throughout."""
    try:
        certificate = load(der)
        found: dict[str, Any] = {
            "subject": _name(certificate.subject),
            "issuer": _name(certificate.issuer),
            "version": certificate.version.value + 1,
            "serialNumber": _serial_number(certificate.serial_number),
            "notBefore": _time(certificate.not_valid_before_utc),
            "notAfter": _time(certificate.not_valid_after_utc),
        }
        found.update(_extensions(certificate))
    except parse_errors(Fault) as error:
        raise failure("PARSE_ERROR", str(error), library="X509") from error
    return found


def _extensions(certificate: x509.Certificate) -> Iterator[tuple[str, Any]]:
    from cryptography import x509
    from cryptography.x509.oid import AuthorityInformationAccessOID

    names = extension_of(certificate, x509.SubjectAlternativeName)
    if names is not None:
        known = iter(names)
        yield (
            "subjectAltName",
            tuple(
                (UNKNOWN[tag], "<unsupported>") if tag in UNKNOWN else _general_name(next(known))
                for tag in kinds_of_names(certificate)
            ),
        )
    for key, method in (
        ("OCSP", AuthorityInformationAccessOID.OCSP),
        ("caIssuers", AuthorityInformationAccessOID.CA_ISSUERS),
    ):
        access = extension_of(certificate, x509.AuthorityInformationAccess) or ()
        yield from _addresses(key, (each.access_location for each in access if each.access_method == method))
    points = extension_of(certificate, x509.CRLDistributionPoints) or ()
    yield from _addresses(
        "crlDistributionPoints", (name for point in points for name in point.full_name or ())
    )


def _addresses(key: str, names: Iterable[x509.GeneralName]) -> Iterator[tuple[str, Any]]:
    from cryptography import x509

    found = tuple(name.value for name in names if isinstance(name, x509.UniformResourceIdentifier))
    if found:
        yield key, found


def _general_name(name: x509.GeneralName) -> tuple[str, Any]:
    from cryptography import x509

    match name:
        case x509.DNSName():
            return "DNS", name.value
        case x509.IPAddress(value=IPv6Address() as address):
            groups = (int(group, 16) for group in address.exploded.split(":"))
            return "IP Address", ":".join(f"{group:X}" for group in groups)
        case x509.IPAddress():
            return "IP Address", str(name.value)
        case x509.RFC822Name():
            return "email", name.value
        case x509.UniformResourceIdentifier():
            return "URI", name.value
        case x509.DirectoryName():
            return "DirName", _name(name.value)
        case x509.RegisteredID():
            return "Registered ID", name.value.dotted_string
        case _:
            return "othername", "<unsupported>"


def _name(name: x509.Name) -> tuple[tuple[tuple[str, str], ...], ...]:
    return tuple(
        tuple(
            (ATTRIBUTES.get(part.oid.dotted_string, part.oid.dotted_string), str(part.value))
            for part in relative
        )
        for relative in name.rdns
    )


def _serial_number(number: int) -> str:
    digits = f"{abs(number):X}"
    return ("-" if number < 0 else "") + digits.rjust(len(digits) + len(digits) % 2, "0")


def _time(moment: datetime) -> str:
    return f"{MONTHS[moment.month - 1]} {moment.day:2} {moment:%H:%M:%S} {moment.year} GMT"
