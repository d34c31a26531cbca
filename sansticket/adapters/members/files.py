"""Certificates and keys in files, read as the ``ssl`` module reads them, with its errors.

PEM is what RFC 7468 section 2 says, with text around it.  Besides CERTIFICATE there are two labels of OpenSSL's:
X509 CERTIFICATE, which is the same, and TRUSTED CERTIFICATE, behind which stands what it is trusted for
(openssl-x509(1), "Trust Settings").
"""

from __future__ import annotations

import os
import re
import ssl
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from os import PathLike, fsdecode
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sansticket.adapters.failures import failure, library_failure, without_reason
from sansticket.crypto.certificates import Credential
from sansticket.crypto.der import SEQUENCE, content_of, element, elements
from sansticket.crypto.inspection import load, parse_errors
from sansticket.crypto.verification import TrustAnchors
from sansticket.errors import ConfigError, Fault

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

StrPath = str | bytes | PathLike[str] | PathLike[bytes]
Password = str | bytes | bytearray | Callable[[], str | bytes | bytearray] | None

MAX_PASSWORD: Final = 1024
"""Bytes; OpenSSL's buffer."""

CERTIFICATE: Final = re.compile(
    rb"(?m)^(?:\xef\xbb\xbf)?-----BEGIN ((?:X509 |TRUSTED )?CERTIFICATE)-----[ \t\r]*\n([^-]*)(^-----END \1-----)?"
)
"""One that begins, at the beginning of a line (what stands behind a # was taken away by somebody), with its label, its
text, and its end if it has one."""

HASHED: Final = re.compile(r"[0-9a-f]{8}\.[0-9]+")
"""The name of a file that OpenSSL finds in a folder: the hash of a subject, and a number (openssl-rehash(1))."""

TRUSTED: Final = b"TRUSTED CERTIFICATE"

PURPOSES: Final = {
    True: bytes.fromhex("06082b06010505070302"),
    False: bytes.fromhex("06082b06010505070301"),
}
"""What the anchors of a server are for, and those of a client: id-kp-clientAuth and id-kp-serverAuth (RFC 5280
section 4.2.1.12)."""

ANY_PURPOSE: Final = bytes.fromhex("0604551d2500")

REJECTED: Final = 0xA0
"""The tag of the purposes for which a certificate is not trusted."""


def read_credential(
    certfile: StrPath, keyfile: StrPath | None, password: Password, min_rsa_bits: int
) -> Credential:
    """What ``SSLContext.load_cert_chain`` reads: the key is in the file of the chain if there is no other."""
    if not callable(password):
        _password(password)  # what can be none is refused also where none is needed
    chain = _read("certfile", certfile)
    key = chain if keyfile is None else _read("keyfile", keyfile)
    pem = _pem(_chain_of(chain))
    try:
        secret = _password(password) if b"ENCRYPTED" in key else None
        return Credential.from_pem(pem, key, secret, min_rsa_bits=min_rsa_bits)
    except ConfigError as error:
        if " belong" in str(error):
            raise failure("KEY_VALUES_MISMATCH", str(error), library="X509") from error
        if "an RSA key of" in str(error):
            raise failure("EE_KEY_TOO_SMALL", str(error)) from error
        raise library_failure("SSL", "PEM lib", str(error)) from error


def _chain_of(pem: bytes) -> list[bytes]:
    found: list[bytes] = []
    try:
        found.extend(der for _, der in _blocks(pem))
    except ValueError as error:
        library, words = ("PEM", "ASN1 lib") if found else ("SSL", "PEM lib")
        raise library_failure(library, words, str(error)) from error
    if not found:
        raise library_failure("SSL", "PEM lib", "there is no certificate in the file")
    return found


def _pem(ders: Iterable[bytes]) -> bytes:
    return "".join(ssl.DER_cert_to_PEM_cert(der) for der in ders).encode()


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
    cafile: StrPath | None,
    capath: StrPath | None,
    cadata: str | ReadableBuffer | None,
    *,
    server: bool,
) -> Iterator[bytes]:
    """What ``SSLContext.load_verify_locations`` reads, each certificate in DER.

    ``cadata`` is PEM if it is a string, and otherwise DER, one certificate after the other.  ``server``: the
    anchors are a server's, to verify clients with.
    """
    if cafile is not None:
        yield from _certificates_of_file(_read("cafile", cafile), server)
    if capath is not None:
        yield from _certificates_of_folders(_path("capath", capath), server)
    if cadata is not None and not cadata:
        raise ValueError("Empty certificate data")
    if isinstance(cadata, str):
        yield from _certificates_of_text(cadata)
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


def _certificates_of_folders(paths: str, server: bool) -> Iterator[bytes]:
    """Those of the files that OpenSSL would find there, in several folders if there is a separator between them.

    What cannot be read, and certificates that are of no use, are passed over: OpenSSL looks into a file when it needs
    what its name says.
    """
    if not paths:
        raise failure("INVALID_DIRECTORY", library="X509")
    for folder in map(Path, filter(None, paths.split(os.pathsep))):
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            found: list[bytes] = []
            if HASHED.fullmatch(path.name):
                with suppress(OSError):  # an SSLError is one too
                    found = _certificates_of_file(path.read_bytes(), server)
            yield from usable_anchors(found)


def _certificates_of_file(pem: bytes, server: bool) -> list[bytes]:
    """Those that may be trusted for their purpose; what they may not be trusted for is no error."""
    try:
        found = [(label, *_taken_apart(label, data)) for label, data in _encoded(pem)]
    except ValueError as error:
        raise library_failure("X509", "PEM lib", str(error)) from error
    if not found:
        raise failure("NO_CERTIFICATE_OR_CRL_FOUND", library="X509")
    return [der for _, der, trust in found if _is_for(trust, server)]


def _certificates_of_text(text: str) -> list[bytes]:
    """TRUSTED CERTIFICATE is none here: it is not read where certificates are given in a string."""
    try:
        pem = text.encode("ascii")
    except UnicodeEncodeError:
        raise TypeError("cadata should be an ASCII string or a bytes-like object") from None
    found: list[bytes] = []
    try:
        found.extend(der for label, der in _blocks(pem) if label != TRUSTED)
    except ValueError as error:
        if not found:
            raise _without_certificate("no start line") from error
        raise library_failure("PEM", "ASN1 lib", str(error)) from error
    if not found:
        raise _without_certificate("no start line")
    return found


def _without_certificate(what: str) -> ssl.SSLError:
    return without_reason(ssl.SSLError, 0, f"{what}: cadata does not contain a certificate")


def _blocks(pem: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Label and DER of each certificate.  ValueError for one that cannot be read."""
    for label, data in _encoded(pem):
        yield label, _taken_apart(label, data)[0]


def _encoded(pem: bytes) -> Iterator[tuple[bytes, bytes]]:
    for match in CERTIFICATE.finditer(pem):
        label, text, end = match.groups()
        if end is None:
            raise ValueError(f"{label.decode()} without its end")
        try:
            yield label, b64decode(b"".join(text.split()), validate=True)
        except Base64Error as error:
            raise ValueError(f"{label.decode()} with bad base64: {error}") from None


def _taken_apart(label: bytes, data: bytes) -> tuple[bytes, bytes]:
    """A certificate in DER, and what stands behind it.  ValueError for what is none by its outside."""
    parts = [whole for _, _, whole in elements(data)]
    if data[:1] != SEQUENCE.to_bytes():
        raise ValueError("no SEQUENCE")
    trust = b"".join(parts[1:])
    if trust and label != TRUSTED:
        raise ValueError(f"{len(trust)} bytes behind a certificate")
    return parts[0], trust


def _is_for(trust: bytes, server: bool) -> bool:
    """Whether trust settings allow what anchors are for: trusted if there are none, or they say nothing about it."""
    purposes = {PURPOSES[server], ANY_PURPOSE}
    try:
        settings = list(elements(content_of(trust, SEQUENCE))) if trust else []
        trusted = [one for tag, one, _ in settings if tag == SEQUENCE]
        rejected = [one for tag, one, _ in settings if tag == REJECTED]
        if any(purposes & _elements_of(each) for each in rejected):
            return False
        return all(purposes & _elements_of(each) for each in trusted)
    except ValueError:
        return False


def _elements_of(content: bytes) -> set[bytes]:
    return {whole for _, _, whole in elements(content)}


def _in_der(data: bytes) -> Iterator[bytes]:
    """Certificates in DER in a row."""
    count = 0
    try:
        for tag, content, whole in elements(data):
            if tag != SEQUENCE or whole != element(tag, content):
                raise ValueError("no SEQUENCE in DER")
            count += 1
            yield whole
    except ValueError as error:
        if not count:
            raise _without_certificate("not enough data") from error
        raise failure("NOT_ENOUGH_DATA", str(error), library="ASN1") from error


def _path(name: str, path: StrPath) -> str:
    try:
        return fsdecode(path)
    except TypeError:
        raise TypeError(f"{name} should be a valid filesystem path") from None


def _read(name: str, path: StrPath) -> bytes:
    with open(_path(name, path), "rb") as file:  # a Path without a name would be the folder that we are in
        return file.read()


def is_authority(der: bytes) -> bool:
    """Whether it may have issued others, as OpenSSL sees it (X509_check_ca(3))."""
    from cryptography import x509

    try:
        certificate = load(der)
        found = {type(extension.value): extension.value for extension in certificate.extensions}
    except parse_errors(Fault):
        return False
    constraints, usage = found.get(x509.BasicConstraints), found.get(x509.KeyUsage)
    if isinstance(usage, x509.KeyUsage) and not usage.key_cert_sign:
        return False
    if isinstance(constraints, x509.BasicConstraints):
        return constraints.ca
    old_root = certificate.version is x509.Version.v1 and certificate.issuer == certificate.subject
    return old_root or usage is not None
