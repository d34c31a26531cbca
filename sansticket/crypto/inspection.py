"""Looking into certificates: their keys, their names, and what can go wrong on the way.

``cryptography.x509`` takes long to import and a resumption needs none of it: only the functions that touch
a certificate import it.  The same holds for ``certificates`` and ``verification``.
"""

from collections.abc import Collection, Iterable
from functools import cache
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa

from sansticket.crypto.signatures import PublicKey, RsaPssPublicKey, schemes_of
from sansticket.errors import ConfigError, Fault, Reason
from sansticket.wire.codes import SignatureScheme as Scheme

if TYPE_CHECKING:
    from cryptography import x509

_ID_RSASSA_PSS: Final = "1.2.840.113549.1.1.10"

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


def signed_with(certificate: "x509.Certificate") -> frozenset[Scheme]:
    """The schemes of which one must be known to verify the signature in a certificate; none for an unknown kind.

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
    """Whether a name is an IP address in text; it then goes into no server_name extension (RFC 6066)."""
    if ":" not in server_name and not server_name[-1:].isdigit():
        return False  # no top-level domain ends in a digit, every IPv4 address does
    try:
        ip_address(server_name)
    except ValueError:
        return False
    return True


def load(der: bytes) -> "x509.Certificate":
    """Fault CERTIFICATE_MALFORMED when it is none.  The library looks into most of it only when asked."""
    from cryptography import x509

    try:
        return x509.load_der_x509_certificate(der)
    except parse_errors() as error:
        raise unreadable(error) from None


def der_tuple(certificates: Any) -> Any:
    """Several certificates as a tuple.  What is no collection stays as it is, for ``check_ders`` to complain of."""
    return tuple(certificates) if isinstance(certificates, Iterable) else certificates


def check_ders(field: str, certificates: Any) -> None:
    if not isinstance(certificates, tuple) or not all(isinstance(der, bytes) for der in certificates):
        raise ConfigError(
            field, f"{certificates!r:.80}; expected a sequence of certificates in DER, each bytes"
        )


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
    unknown = isinstance(error, UnsupportedAlgorithm | TypeError) or "nsupported" in str(error)
    return Fault(Reason.CERTIFICATE_UNSUPPORTED if unknown else Reason.CERTIFICATE_MALFORMED, str(error))


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
        raise unreadable(error) from None
    if not schemes_of(key, tls13=True) and not schemes_of(key, tls13=False):
        raise Fault(Reason.CERTIFICATE_UNSUPPORTED, f"no signature scheme for a {type(key).__name__}")
    public_key: PublicKey = key
    return public_key


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


def may_sign(certificate: "x509.Certificate") -> bool:
    """Whether keyUsage, if it is there, has digitalSignature: no other key is shown (RFC 9846 section 4.5.1.2)."""
    from cryptography import x509

    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return True
    return usage.digital_signature


def is_named(der: bytes, server_name: str) -> bool:
    """Whether a certificate is for this host name or IP address; one that cannot be read is for none."""
    try:
        return name_matches(names_of(load(der)), server_name)
    except parse_errors(Fault):
        return False


def names_of(certificate: "x509.Certificate") -> tuple[str, ...]:
    """dNSNames in lower case and iPAddresses in text, from subjectAltName."""
    from cryptography import x509

    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return (
        *(name.lower() for name in names.get_values_for_type(x509.DNSName)),
        *(str(address) for address in names.get_values_for_type(x509.IPAddress)),
    )


def name_matches(names: Collection[str], server_name: str) -> bool:
    """RFC 9525 section 6.3: the whole name, or a wildcard for exactly the left-most label."""
    if is_ip_address(server_name):
        return str(ip_address(server_name)) in names
    wanted = server_name.lower().removesuffix(".")
    first, _, parent = wanted.partition(".")
    return wanted in names or (first != "" and parent != "" and f"*.{parent}" in names)
