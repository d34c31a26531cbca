"""Certificates in the form of the ``ssl`` module: PEM files in, dictionaries out."""

from __future__ import annotations

import re
from base64 import b64decode, encodebytes
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from ipaddress import IPv6Address
from os import PathLike, fsdecode
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sansticket.adapters.failures import failure
from sansticket.crypto.certificates import Credential
from sansticket.crypto.der import elements
from sansticket.crypto.inspection import extension_of, kinds_of_names, load, parse_errors
from sansticket.crypto.verification import TrustAnchors
from sansticket.errors import ConfigError, Fault

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer
    from cryptography import x509

StrPath = str | bytes | PathLike[str] | PathLike[bytes]
Password = str | bytes | bytearray | Callable[[], str | bytes | bytearray] | None

MAX_PASSWORD: Final = 1024
"""Bytes; OpenSSL's buffer."""

UNKNOWN: Final = {0xA3: "X400Name", 0xA5: "EdiPartyName"}
"""What OpenSSL calls kinds of names that nobody reads, by their tags (RFC 5280 section 4.2.1.6)."""

_TRUSTED: Final = re.compile(
    b"-----BEGIN TRUSTED CERTIFICATE-----([A-Za-z0-9+/=\\s]*)-----END TRUSTED CERTIFICATE-----"
)

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


# --- files in -----------------------------------------------------------------------------------------------


def read_credential(certfile: StrPath, keyfile: StrPath | None, password: Password) -> Credential:
    """What ``SSLContext.load_cert_chain`` reads: the key is in the file of the chain if there is no other."""
    if not callable(password):
        _password(password)  # what can be none is refused also where none is needed
    chain = _read(certfile)
    key = chain if keyfile is None else _read(keyfile)
    try:
        return Credential.from_pem(
            untrusted(chain), key, _password(password) if b"ENCRYPTED" in key else None
        )
    except ConfigError as error:
        if "does not belong" in str(error):
            raise failure("KEY_VALUES_MISMATCH", library="X509") from error
        if "an RSA key of" in str(error):
            raise failure("EE_KEY_TOO_SMALL", str(error)) from error
        raise failure("PEM_LIB", str(error)) from error


def _password(password: Password) -> bytes | None:
    """A ValueError or TypeError for what is none, as in the standard library."""
    given = password() if callable(password) else password
    if given is None:
        return None
    if not isinstance(given, str | bytes | bytearray):
        raise TypeError("password should be a string or callable")
    encoded = given.encode() if isinstance(given, str) else bytes(given)
    if len(encoded) > MAX_PASSWORD:
        raise ValueError(f"password cannot be longer than {MAX_PASSWORD} bytes")
    return encoded


def read_anchors(
    cafile: StrPath | None, capath: StrPath | None, cadata: str | ReadableBuffer | None
) -> Iterator[bytes]:
    """What ``SSLContext.load_verify_locations`` reads, each certificate in DER.

    ``cadata`` is PEM if it is a string, and otherwise DER, one certificate after the other.
    """
    if cafile is not None:
        yield from _certificates(_read(cafile))
    if capath is not None:
        yield from _certificates_of(Path(fsdecode(capath)))
    if cadata is not None and not cadata:
        raise ValueError("Empty certificate data")
    if isinstance(cadata, str):
        try:
            yield from _certificates(cadata.encode("ascii"))
        except UnicodeEncodeError:
            raise TypeError("cadata should be an ASCII string or a bytes-like object") from None
    elif cadata is not None:
        yield from _in_der(bytes(memoryview(cadata)))


def usable_anchors(certificates: Iterable[bytes]) -> Iterator[bytes]:
    """Those that sansticket can use: a system has some that are odd, and does not want to hear of it."""
    for der in certificates:
        try:
            TrustAnchors((der,))
        except ConfigError:
            continue
        yield der


def _certificates_of(folder: Path) -> Iterator[bytes]:
    """Those of the files that OpenSSL would find: the names are hashes, with a number at the end."""
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.suffix[1:].isdigit():
            yield from _certificates(path.read_bytes())


def _certificates(pem: bytes) -> list[bytes]:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    try:
        found = x509.load_pem_x509_certificates(untrusted(pem))
    except ValueError as error:
        raise failure("NO_CERTIFICATE_OR_CRL_FOUND", str(error), library="X509") from error
    return [certificate.public_bytes(Encoding.DER) for certificate in found]


def untrusted(pem: bytes) -> bytes:
    """PEM whose certificates with OpenSSL's label TRUSTED CERTIFICATE are ordinary ones.

    There the certificate may be followed by what it is trusted for (X509_AUX), which is left out, as in
    ``SSLContext.load_verify_locations``.  What is not well-formed stays as it is.
    """
    return _TRUSTED.sub(_without_trust, pem) if b"TRUSTED" in pem else pem


def _without_trust(found: re.Match[bytes]) -> bytes:
    try:
        _, _, certificate = next(elements(b64decode(found[1])))
    except (ValueError, StopIteration):
        return found[0]
    return b"-----BEGIN CERTIFICATE-----\n%b-----END CERTIFICATE-----" % encodebytes(certificate)


def _in_der(data: bytes) -> Iterator[bytes]:
    """Certificates in DER in a row: each is a SEQUENCE, which says how long it is (X.690 section 8.1.3)."""
    while data:
        head, size = 2, data[1] if len(data) > 1 else 0
        if size > 0x80:
            head += size - 0x80
            size = int.from_bytes(data[2:head])
        whole, data = data[: head + size], data[head + size :]
        try:
            load(whole)
        except Fault as fault:
            raise failure("NO_CERTIFICATE_OR_CRL_FOUND", str(fault), library="X509") from fault
        yield whole


def _read(path: StrPath) -> bytes:
    return Path(fsdecode(path)).read_bytes()


# --- dictionaries out ---------------------------------------------------------------------------------------


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
