"""Looking into certificates: their keys, their names, and what can go wrong on the way.

The library reads all extensions of a certificate or none: one that it cannot read (an ediPartyName beside the host
name, a broken list of SCTs) would spoil those that can be read.  ``extension_of`` reads the one that is wanted.

``cryptography.x509`` takes long to import and a resumption needs none of it: only the functions that touch
a certificate import it, and ``ipaddress``, which it imports.  The same holds for ``certificates`` and ``verification``.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import cache, lru_cache
from math import inf
from typing import TYPE_CHECKING, Any, Final, TypeVar

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa

from sansticket.codes import SignatureScheme as Scheme
from sansticket.crypto.der import EXTENSIONS, SEQUENCE, content_of, element, elements
from sansticket.crypto.signatures import (
    MIN_RSA_BITS,
    NEWER,
    PublicKey,
    RsaPssPublicKey,
    rsa_bits_of,
    schemes_of,
)
from sansticket.errors import ConfigError, Fault, Reason
from sansticket.library import ML_DSA
from sansticket.values import frozen

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.x509 import ocsp

    ExtensionValue = TypeVar("ExtensionValue", bound=x509.ExtensionType)

_UTC_TIME: Final = 0x17

_ID_RSASSA_PSS: Final = "1.2.840.113549.1.1.10"

RSA_KEYS: Final = ("1.2.840.113549.1.1.1", _ID_RSASSA_PSS)
"""Algorithms of public keys that are RSA keys (RFC 4055)."""

# AlgorithmIdentifier of RSASSA-PSS without parameters, and with each hash, MGF1 of it and a salt of its
# length (RFC 4055 section 3.1).
_PSS_IDENTIFIERS: Final = {
    bytes.fromhex("300b06092a864886f70d01010a"): None,
    **{
        bytes.fromhex(
            "304106092a864886f70d01010a3034"
            f"a00f300d060960864801650304020{number}0500"
            f"a11c301a06092a864886f70d010108300d060960864801650304020{number}0500"
            f"a2030201{salt:02x}"
        ): hash_name
        for number, salt, hash_name in ((1, 32, "sha256"), (2, 48, "sha384"), (3, 64, "sha512"))
    },
}


_SIGNATURES: Final[dict[str, tuple[Scheme, ...]]] = {
    "1.2.840.113549.1.1.5": (Scheme.RSA_PKCS1_SHA1,),
    "1.2.840.113549.1.1.11": (Scheme.RSA_PKCS1_SHA256,),
    "1.2.840.113549.1.1.12": (Scheme.RSA_PKCS1_SHA384,),
    "1.2.840.113549.1.1.13": (Scheme.RSA_PKCS1_SHA512,),
    "1.2.840.10045.4.1": (Scheme.ECDSA_SHA1,),
    "1.2.840.10045.4.3.2": (Scheme.ECDSA_SECP256R1_SHA256,),
    "1.2.840.10045.4.3.3": (Scheme.ECDSA_SECP384R1_SHA384,),
    "1.2.840.10045.4.3.4": (Scheme.ECDSA_SECP521R1_SHA512,),
    "1.3.101.112": (Scheme.ED25519,),
    "1.3.101.113": (Scheme.ED448,),
    "2.16.840.1.101.3.4.3.17": (Scheme.MLDSA44,),
    "2.16.840.1.101.3.4.3.18": (Scheme.MLDSA65,),
    "2.16.840.1.101.3.4.3.19": (Scheme.MLDSA87,),
}
_PSS_SIGNATURES: Final[dict[str, tuple[Scheme, ...]]] = {
    "sha256": (Scheme.RSA_PSS_RSAE_SHA256, Scheme.RSA_PSS_PSS_SHA256),
    "sha384": (Scheme.RSA_PSS_RSAE_SHA384, Scheme.RSA_PSS_PSS_SHA384),
    "sha512": (Scheme.RSA_PSS_RSAE_SHA512, Scheme.RSA_PSS_PSS_SHA512),
}


def signed_with(certificate: "x509.Certificate | ocsp.OCSPResponse") -> frozenset[Scheme]:
    """The schemes of which one must be known to verify the signature in a certificate (or in an OCSP response, where
    the library does not know the hash of RSA-PSS); none for an unknown kind.

    More than one where the issuer's key decides, which need not be there: RSA-PSS.  That of an ECDSA scheme may
    be on any curve, as in TLS 1.2.
    """
    algorithm = certificate.signature_algorithm_oid.dotted_string
    if algorithm != _ID_RSASSA_PSS:
        return frozenset(_SIGNATURES.get(algorithm, ()))
    try:
        hash_algorithm = certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return frozenset()
    return frozenset(_PSS_SIGNATURES.get(hash_algorithm.name, ()) if hash_algorithm is not None else ())


def is_ip_address(server_name: str) -> bool:
    """Whether a name is an IP address in text; it then goes into no server_name extension (RFC 6066).

    One with a zone is none: no certificate is for an interface of one of its clients.
    """
    if "%" in server_name:
        return False
    if ":" not in server_name and not server_name[-1:].isdigit():
        return False  # no top-level domain ends in a digit, every IPv4 address does
    from ipaddress import ip_address

    try:
        ip_address(server_name)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=16)
def load(der: bytes) -> "x509.Certificate":
    """Fault CERTIFICATE_MALFORMED when it is none.  The library looks into most of it only when asked.

    A handshake asks several times, and keeps what it was told in the object: the last few are remembered.
    """
    from cryptography import x509

    try:
        return x509.load_der_x509_certificate(der)
    except parse_errors() as error:
        raise unreadable(error) from None


def der_tuple(certificates: Iterable[bytes]) -> tuple[bytes, ...]:
    """Several certificates as a tuple.  What is no collection stays as it is, for ``check_ders`` to complain of."""
    given: Any = certificates
    several = isinstance(given, Iterable) and not isinstance(given, str | bytes | bytearray)
    ders: tuple[bytes, ...] = tuple(given) if several else given
    return ders


def check_ders(field: str, certificates: Any) -> None:
    """A key may have been given in their place: what was given is not shown."""
    expected = "expected a sequence of certificates in DER, each bytes; from_pem takes PEM"
    if not isinstance(certificates, tuple):
        raise ConfigError(field, f"a value of type {type(certificates).__name__}; {expected}")
    for der in certificates:
        if not isinstance(der, bytes):
            raise ConfigError(field, f"one of type {type(der).__name__}; {expected}")


@cache
def parse_errors(*others: type[Exception]) -> tuple[type[Exception], ...]:
    """What the library raises while it looks into a certificate that is not well-formed throughout."""
    from cryptography import x509
    from cryptography.utils import CryptographyDeprecationWarning

    return (
        *others,
        ValueError,
        TypeError,
        LookupError,  # a type of string in a name that has no business there, before version 50
        OverflowError,
        UnsupportedAlgorithm,
        CryptographyDeprecationWarning,  # an exception only for those who turn warnings into exceptions
        x509.DuplicateExtension,
        x509.InvalidVersion,
        x509.UnsupportedGeneralNameType,
    )


def unreadable(error: Exception) -> Fault:
    """What such an error says of a certificate: that there is something unknown in it, or nonsense.

    The library has no exception of its own for the unknown; a TypeError is about the kind of a key.
    """
    text = str(error)
    unknown = isinstance(error, UnsupportedAlgorithm | TypeError) or "nsupported" in text
    unknown = unknown or text.startswith("Unknown key type")  # a ValueError before version 47
    return Fault(Reason.CERTIFICATE_UNSUPPORTED if unknown else Reason.CERTIFICATE_MALFORMED, text)


def public_key_of(der: bytes) -> PublicKey:
    """The public key of a certificate, for ``signatures.verify``.

    Fault CERTIFICATE_MALFORMED, or CERTIFICATE_UNSUPPORTED for a kind of key that no signature scheme has.
    """
    certificate = load(der)
    try:
        key: Any = certificate.public_key()
        if certificate.public_key_algorithm_oid.dotted_string == _ID_RSASSA_PSS:
            key = _rsa_pss_key(certificate, key)
    except parse_errors() as error:
        require_installed(certificate)
        raise unreadable(error) from None
    if not schemes_of(key, tls13=True) and not schemes_of(key, tls13=False):
        raise Fault(Reason.CERTIFICATE_UNSUPPORTED, f"no signature scheme for a {type(key).__name__}")
    public_key: PublicKey = key
    return public_key


def require_installed(certificate: "x509.Certificate") -> None:
    """Fault CERTIFICATE_UNSUPPORTED for a kind of key that a newer library than the installed one has."""
    needed = _SIGNATURES.get(certificate.public_key_algorithm_oid.dotted_string, ())
    if not ML_DSA.installed and any(scheme in NEWER for scheme in needed):
        raise Fault(Reason.CERTIFICATE_UNSUPPORTED, ML_DSA.lacking)


def _rsa_pss_key(certificate: "x509.Certificate", key: rsa.RSAPublicKey) -> RsaPssPublicKey:
    """The key with the restriction that the library drops: what stands before it in the certificate."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    encoded = key.public_bytes(Encoding.DER, PublicFormat.PKCS1)
    before = certificate.tbs_certificate_bytes.partition(encoded)[0]
    for identifier, hash_name in _PSS_IDENTIFIERS.items():
        # Between them stands the header of the BIT STRING, 3 to 5 bytes for keys of 512 bits and more.
        if identifier in before[-len(identifier) - 5 :]:
            return RsaPssPublicKey(key, hash_name)
    raise UnsupportedAlgorithm("RSASSA-PSS parameters that no signature scheme has")


@lru_cache(maxsize=16)
def signing_key_of(der: bytes, min_rsa_bits: int = MIN_RSA_BITS) -> PublicKey:
    """The key of a peer's certificate, which it signs the handshake with, whoever verifies the chain.

    Fault as ``public_key_of``; CERTIFICATE_UNSUPPORTED for an RSA key of fewer than ``min_rsa_bits``,
    CERTIFICATE_INVALID where keyUsage does not allow signatures.  The last keys that were good are remembered, as
    certificates are.
    """
    key = public_key_of(der)
    require_strength(key, min_rsa_bits)
    try:
        if may_sign(load(der)):
            return key
    except parse_errors() as error:
        raise unreadable(error) from None
    raise Fault(Reason.CERTIFICATE_INVALID, "keyUsage does not allow digital signatures")


def require_strength(key: Any, min_rsa_bits: int) -> None:
    """Fault CERTIFICATE_UNSUPPORTED for an RSA key that is too short; there is nothing to ask of other kinds."""
    bits = rsa_bits_of(key)
    if bits is not None and bits < min_rsa_bits:
        raise Fault(
            Reason.CERTIFICATE_UNSUPPORTED,
            f"an RSA key of {bits} bits; at least {min_rsa_bits} are accepted",
        )


def may_sign(certificate: "x509.Certificate") -> bool:
    """Whether keyUsage, if it is there, has digitalSignature: no other key is shown (RFC 9846 section 4.5.1.2)."""
    from cryptography import x509

    usage = extension_of(certificate, x509.KeyUsage)
    return usage is None or usage.digital_signature


# --- extensions, one by one ---------------------------------------------------------------------------------

_TRUE: Final = b"\x01\x01\xff"

_UNKNOWN_NAMES: Final = (0xA3, 0xA5)
"""Tags of x400Address and ediPartyName, which the library does not know (RFC 5280 section 4.2.1.6)."""


def extension_of(certificate: "x509.Certificate", kind: "type[ExtensionValue]") -> "ExtensionValue | None":
    """That extension, or None where it is missing.  Whether the others can be read does not matter.

    Of alternative names those of kinds that the library does not know are left out.  Raises one of ``parse_errors``
    where the extension itself cannot be read.
    """
    from cryptography import x509

    try:
        extensions = certificate.extensions
    except parse_errors():
        extensions = _with_one_extension(certificate, kind.oid).extensions
    try:
        return extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def require_readable(certificate: "x509.Certificate") -> None:
    """Raises one of ``parse_errors`` where a critical extension cannot be read; others do no harm."""
    try:
        len(certificate.extensions)
    except parse_errors():
        for _, extension, _ in _raw_extensions(certificate):
            if any(whole == _TRUE for _, _, whole in elements(extension)):
                len(_with_one_extension(certificate, _identifier(extension)).extensions)


def _raw_extensions(certificate: "x509.Certificate") -> "Iterator[tuple[int, bytes, bytes]]":
    body = content_of(certificate.tbs_certificate_bytes, SEQUENCE)
    for tag, content, _ in elements(body):
        if tag == EXTENSIONS:
            yield from elements(content_of(content, SEQUENCE))


def raw_extension(certificate: "x509.Certificate", wanted: "x509.ObjectIdentifier") -> bytes | None:
    """What stands in that extension, whether the library can read it or not; None where it is missing."""
    for _, extension, _ in _raw_extensions(certificate):
        if _identifier(extension) == wanted:
            *_, (_, value, _) = elements(extension)
            return value
    return None


def _with_one_extension(
    certificate: "x509.Certificate", wanted: "x509.ObjectIdentifier"
) -> "x509.Certificate":
    """The certificate without its other extensions; its signature is worth nothing then."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    signed, *rest = elements(content_of(certificate.public_bytes(Encoding.DER), SEQUENCE))
    fields = []
    for tag, content, whole in elements(signed[1]):
        if tag == EXTENSIONS:
            every = elements(content_of(content, SEQUENCE))
            own = b"".join(_readable(inner) for _, inner, _ in every if _identifier(inner) == wanted)
            whole = element(EXTENSIONS, element(SEQUENCE, own)) if own else b""
        fields.append(whole)
    body = element(SEQUENCE, b"".join(fields)) + b"".join(whole for _, _, whole in rest)
    return x509.load_der_x509_certificate(element(SEQUENCE, body))


def _identifier(extension: bytes) -> "x509.ObjectIdentifier":
    return object_identifier(next(elements(extension))[1])


def object_identifier(encoded: bytes) -> "x509.ObjectIdentifier":
    """From the content of its element (X.690 section 8.19)."""
    from cryptography import x509

    numbers, number = [], 0
    for byte in encoded:
        number = number << 7 | byte & 0x7F
        if not byte & 0x80:
            numbers.append(number)
            number = 0
    first = min(numbers[0] // 40, 2)
    return x509.ObjectIdentifier(".".join(map(str, (first, numbers[0] - 40 * first, *numbers[1:]))))


def _readable(extension: bytes) -> bytes:
    """An extension; if it is of alternative names, without the kinds that the library does not know."""
    from cryptography import x509

    *front, (tag, value, _) = elements(extension)
    if _identifier(extension) == x509.SubjectAlternativeName.oid:
        names = elements(content_of(value, SEQUENCE))
        known = b"".join(each for kind, _, each in names if kind not in _UNKNOWN_NAMES)
        value = element(SEQUENCE, known)
    return element(SEQUENCE, b"".join(whole for _, _, whole in front) + element(tag, value))


# --- names --------------------------------------------------------------------------------------------------

MAX_NAME: Final = 253
"""Characters of a host name: the DNS has 255 bytes for it (RFC 1035 section 2.3.4), two of them around its text."""

_HOST_NAME: Final = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*")


@frozen
class Names:
    """What a certificate is for: ``hosts`` are dNSNames in lower case, wildcards as they are, ``addresses``
    iPAddresses in text."""

    hosts: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()

    def cover(self, server_name: str) -> bool:
        """Whether the name is among them (RFC 9525 section 6).

        A host name is there as a whole, or by a wildcard for exactly its left-most label.  An IP address is
        there as an iPAddress: a dNSName that reads like one is for nobody.
        """
        if is_ip_address(server_name):
            from ipaddress import ip_address

            return str(ip_address(server_name)) in self.addresses
        wanted = server_name.lower().removesuffix(".")
        first, _, parent = wanted.partition(".")
        return wanted in self.hosts or (first != "" and parent != "" and f"*.{parent}" in self.hosts)

    def without(self, server_name: str) -> str:
        """That the name is not among them, and which are, eight at most."""
        names = self.hosts + self.addresses
        more = f" and {len(names) - 8} more" if len(names) > 8 else ""
        return f"it is not for {server_name}, but for {', '.join(names[:8]) or 'no host'}{more}"


def is_host_name(name: str) -> bool:
    """Whether a name can be verified: labels of 1 to 63 letters, digits, hyphens and underscores, 253 characters."""
    return _HOST_NAME.fullmatch(name) is not None


def check_server_name(name: str) -> None:
    """ConfigError ``server_name`` for what is neither a host name in ASCII nor an IP address."""
    if not is_ip_address(name) and not is_host_name(name.removesuffix(".")):
        raise ConfigError("server_name", f"{name!r:.200}; expected a host name in ASCII or an IP address")


@lru_cache(maxsize=256)
def end_of_validity(der: bytes) -> float:
    """The last second in which a certificate is valid, since the epoch; of one that cannot be read, long ago.

    Read here, since it is needed in a resumption (see above): notAfter of RFC 5280 section 4.1.2.5.
    """
    try:
        body = next(elements(content_of(der, SEQUENCE)))[1]
        _signature, _issuer, validity, *_ = (content for tag, content, _ in elements(body) if tag == SEQUENCE)
        _not_before, (tag, text, _) = elements(validity)
        digits = text.decode("ascii").removesuffix("Z")
        if tag == _UTC_TIME:
            digits = ("20" if digits < "50" else "19") + digits
        month, day, hour, minute, second = (int(digits[place : place + 2]) for place in range(4, 14, 2))
        return datetime(int(digits[:4]), month, day, hour, minute, second, tzinfo=UTC).timestamp()
    except (ValueError, TypeError, StopIteration):
        return -inf


def is_named(der: bytes, server_name: str) -> bool:
    """Whether a certificate is for this host name or IP address; one that cannot be read is for none."""
    try:
        return names_of(load(der)).cover(server_name)
    except parse_errors(Fault):
        return False


def names_of(certificate: "x509.Certificate") -> Names:
    """From subjectAltName."""
    from cryptography import x509

    names = extension_of(certificate, x509.SubjectAlternativeName)
    if names is None:
        return Names()
    return Names(
        tuple(name.lower() for name in names.get_values_for_type(x509.DNSName)),
        tuple(str(address) for address in names.get_values_for_type(x509.IPAddress)),
    )
