"""Certificates as dictionaries, in the form of the ``ssl`` module.

Names are read here and not by the library, which refuses strings that OpenSSL reads: a TeletexString in Latin-1, say.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Iterator
from datetime import datetime
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any, Final

from sansticket.adapters.failures import failure
from sansticket.crypto.der import SEQUENCE, content_of, elements, names_of
from sansticket.crypto.inspection import extension_of, load, object_identifier, parse_errors, raw_extension
from sansticket.errors import Fault

if TYPE_CHECKING:
    from cryptography import x509

TEXTS: Final = {0x81: "email", 0x82: "DNS", 0x86: "URI"}
UNSUPPORTED: Final = {0xA0: "othername", 0xA3: "X400Name", 0xA5: "EdiPartyName"}
"""Kinds of names by their tags (RFC 5280 section 4.2.1.6), in OpenSSL's words; the latter it does not look into."""

BIT_STRING: Final = 0x03

ENCODINGS: Final = {
    0x0C: "utf-8",
    0x1C: "utf-32-be",
    0x1E: "utf-16-be",
    **dict.fromkeys((0x12, 0x13, 0x14, 0x16, 0x1A), "latin-1"),
}
"""Of strings by their tags: UTF8String, UniversalString, BMPString; and in one byte for each character NumericString,
PrintableString, TeletexString, IA5String and VisibleString, whichever of them they should have
(ASN1_STRING_to_UTF8(3))."""

MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def as_dictionary(der: bytes) -> dict[str, Any]:
    """A certificate as ``SSLSocket.getpeercert`` gives it.  SSLError for one that cannot be read throughout."""
    try:
        certificate = load(der)
        subject, issuer = names_of(der)
        found: dict[str, Any] = {
            "subject": _name(subject),
            "issuer": _name(issuer),
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
    """What they say; one that cannot be read is left out."""
    for read in (_alternative_names, _access, _points):
        try:
            found = tuple(read(certificate))
        except parse_errors():
            continue
        yield from found


def _alternative_names(certificate: x509.Certificate) -> Iterator[tuple[str, Any]]:
    from cryptography import x509

    names = raw_extension(certificate, x509.SubjectAlternativeName.oid)
    if names is not None:
        yield (
            "subjectAltName",
            tuple(_general_name(tag, value) for tag, value, _ in elements(content_of(names, SEQUENCE))),
        )


def _access(certificate: x509.Certificate) -> Iterator[tuple[str, Any]]:
    from cryptography import x509
    from cryptography.x509.oid import AuthorityInformationAccessOID

    access = extension_of(certificate, x509.AuthorityInformationAccess) or ()
    for key, method in (
        ("OCSP", AuthorityInformationAccessOID.OCSP),
        ("caIssuers", AuthorityInformationAccessOID.CA_ISSUERS),
    ):
        yield from _addresses(key, (each.access_location for each in access if each.access_method == method))


def _points(certificate: x509.Certificate) -> Iterator[tuple[str, Any]]:
    from cryptography import x509

    points = extension_of(certificate, x509.CRLDistributionPoints) or ()
    yield from _addresses(
        "crlDistributionPoints", (name for point in points for name in point.full_name or ())
    )


def _addresses(key: str, names: Iterable[x509.GeneralName]) -> Iterator[tuple[str, Any]]:
    from cryptography import x509

    found = tuple(name.value for name in names if isinstance(name, x509.UniformResourceIdentifier))
    if found:
        yield key, found


def _general_name(tag: int, value: bytes) -> tuple[str, Any]:
    if tag in UNSUPPORTED:
        return UNSUPPORTED[tag], "<unsupported>"
    if tag in TEXTS:
        return TEXTS[tag], value.decode()
    match tag:
        case 0x87:
            return "IP Address", _address(value)
        case 0x88:
            return "Registered ID", _object_name(value)
        case 0xA4:
            return "DirName", _name(value)
        case _:
            raise ValueError(f"no kind of a name: {tag:#04x}")


def _address(value: bytes) -> str:
    match len(value):
        case 4:
            return str(IPv4Address(value))
        case 16:
            return ":".join(f"{value[at] << 8 | value[at + 1]:X}" for at in range(0, 16, 2))
        case _:
            return "<invalid>"


def _name(encoded: bytes) -> tuple[tuple[tuple[str, str | bytes], ...], ...]:
    return tuple(
        tuple(_attribute(content) for _, content, _ in elements(relative))
        for _, relative, _ in elements(content_of(encoded, SEQUENCE))
    )


def _attribute(content: bytes) -> tuple[str, str | bytes]:
    (_, kind, _), (tag, value, _) = elements(content)
    if tag == BIT_STRING:
        return _object_name(kind), value[1:]
    if tag not in ENCODINGS:
        raise ValueError(f"no string in a name: {tag:#04x}")
    return _object_name(kind), value.decode(ENCODINGS[tag])


def _object_name(encoded: bytes) -> str:
    """The long name that OpenSSL has for it; digits if it has none."""
    digits = object_identifier(encoded).dotted_string
    try:
        return ssl._ASN1Object(digits).longname
    except ValueError:
        return digits


def _serial_number(number: int) -> str:
    digits = f"{abs(number):X}"
    return ("-" if number < 0 else "") + digits.rjust(len(digits) + len(digits) % 2, "0")


def _time(moment: datetime) -> str:
    return f"{MONTHS[moment.month - 1]} {moment.day:2} {moment:%H:%M:%S} {moment.year} GMT"
