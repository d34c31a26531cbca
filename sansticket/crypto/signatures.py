"""Signature schemes: what a key can sign with, signing, and verifying (RFC 9846 section 4.3.3).

A scheme names an algorithm, a hash and, in TLS 1.3, a curve.  In TLS 1.2 the same numbers mean less: an
ECDSA scheme only fixes the hash (RFC 5246 section 7.4.1.4.1), and PKCS#1 v1.5 signs handshakes.  Hence the
argument ``tls13`` of every function here.

RSA keys come in two kinds with different schemes.  An rsaEncryption key is the library's RSA key; one whose
certificate says id-RSASSA-PSS is a ``RsaPssPublicKey`` here, since the library's object does not tell.
A private key does not say either: its certificate decides, see ``Credential.usable_schemes``.

ECDSA signatures are deterministic (RFC 6979) where the library can, as are Ed25519, Ed448 and PKCS#1 v1.5;
RSA-PSS and ML-DSA signatures contain randomness that the library draws itself.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final, Literal, cast

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm

from sansticket.codes import SignatureScheme as Scheme
from sansticket.errors import Fault, Reason
from sansticket.library import (
    INSTALLED,
    ML_DSA,
    MLDSA44PrivateKey,
    MLDSA44PublicKey,
    MLDSA65PrivateKey,
    MLDSA65PublicKey,
    MLDSA87PrivateKey,
    MLDSA87PublicKey,
    Newer,
)
from sansticket.values import frozen, value

MlDsaPrivateKey = MLDSA44PrivateKey | MLDSA65PrivateKey | MLDSA87PrivateKey
MlDsaPublicKey = MLDSA44PublicKey | MLDSA65PublicKey | MLDSA87PublicKey
EdPrivateKey = ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey
EdPublicKey = ed25519.Ed25519PublicKey | ed448.Ed448PublicKey


@frozen
class RsaPssPublicKey:
    """An RSA key whose certificate restricts it to RSASSA-PSS, perhaps with one hash only (RFC 4055)."""

    key: rsa.RSAPublicKey
    hash_name: str | None = None


MIN_RSA_BITS: Final = 2048
"""Bits that an RSA key must have, whoever shows it, unless ``Config.min_rsa_bits`` says otherwise (RFC 9325 section
4.5)."""

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | EdPrivateKey | MlDsaPrivateKey
PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey | RsaPssPublicKey | EdPublicKey | MlDsaPublicKey
"""The kinds of keys that have a scheme."""

_CURVE_SCHEMES: Final = {
    "secp256r1": Scheme.ECDSA_SECP256R1_SHA256,
    "secp384r1": Scheme.ECDSA_SECP384R1_SHA384,
    "secp521r1": Scheme.ECDSA_SECP521R1_SHA512,
}
_RSAE_SCHEMES: Final = (Scheme.RSA_PSS_RSAE_SHA256, Scheme.RSA_PSS_RSAE_SHA384, Scheme.RSA_PSS_RSAE_SHA512)
_PSS_SCHEMES: Final = (Scheme.RSA_PSS_PSS_SHA256, Scheme.RSA_PSS_PSS_SHA384, Scheme.RSA_PSS_PSS_SHA512)
_PKCS1_SCHEMES: Final = (Scheme.RSA_PKCS1_SHA256, Scheme.RSA_PKCS1_SHA384, Scheme.RSA_PKCS1_SHA512)

_HASHES: Final[dict[int, HashAlgorithm]] = {
    scheme: algorithm
    for algorithm, schemes in (
        (SHA256(), (_RSAE_SCHEMES[0], _PSS_SCHEMES[0], _PKCS1_SCHEMES[0], Scheme.ECDSA_SECP256R1_SHA256)),
        (SHA384(), (_RSAE_SCHEMES[1], _PSS_SCHEMES[1], _PKCS1_SCHEMES[1], Scheme.ECDSA_SECP384R1_SHA384)),
        (SHA512(), (_RSAE_SCHEMES[2], _PSS_SCHEMES[2], _PKCS1_SCHEMES[2], Scheme.ECDSA_SECP521R1_SHA512)),
    )
    for scheme in schemes
}

_FIXED: Final[tuple[tuple[tuple[type, type], Scheme], ...]] = (
    ((ed25519.Ed25519PrivateKey, ed25519.Ed25519PublicKey), Scheme.ED25519),
    ((ed448.Ed448PrivateKey, ed448.Ed448PublicKey), Scheme.ED448),
    ((MLDSA44PrivateKey, MLDSA44PublicKey), Scheme.MLDSA44),
    ((MLDSA65PrivateKey, MLDSA65PublicKey), Scheme.MLDSA65),
    ((MLDSA87PrivateKey, MLDSA87PublicKey), Scheme.MLDSA87),
)
"""The kinds of keys that have a single scheme."""

_TLS13_ONLY: Final = (Scheme.MLDSA44, Scheme.MLDSA65, Scheme.MLDSA87)


@value
class _Table:
    """The schemes of a version of TLS, best first: for RSA keys, for ECDSA keys by their curve, and those that are the
    only one of their kind of key."""

    rsa: tuple[Scheme, ...]
    ecdsa: Mapping[str, tuple[Scheme, ...]]
    single: frozenset[Scheme]


_TABLES: Final[Mapping[bool, _Table]] = {
    True: _Table(
        _RSAE_SCHEMES,
        {curve: (own,) for curve, own in _CURVE_SCHEMES.items()},
        frozenset(scheme for _, scheme in _FIXED),
    ),
    False: _Table(
        _RSAE_SCHEMES + _PKCS1_SCHEMES,
        {
            curve: (own, *(other for other in _CURVE_SCHEMES.values() if other != own))
            for curve, own in _CURVE_SCHEMES.items()
        },
        frozenset(scheme for _, scheme in _FIXED if scheme not in _TLS13_ONLY),
    ),
}
"""By whether it is TLS 1.3.  There a scheme for ECDSA names the curve, in TLS 1.2 the hash alone."""

NEWER: Final[dict[int, Newer]] = dict.fromkeys(_TLS13_ONLY, ML_DSA)
"""What a scheme needs that not every version of the library has."""


_KINDS: Final[dict[type, str]] = {}


def _kind_of(key: object) -> str:
    """What kind of key it is: ec, rsa, or nothing for those without a choice of hash.

    Remembered by class (in ``_KINDS``, where whoever has asked ``schemes_of`` finds it): those of the library are
    abstract, and ``isinstance`` with them takes longer than all else that is done here.
    """
    cls = type(key)
    kind = _KINDS.get(cls)
    if kind is None:
        ec_key = isinstance(key, ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey)
        rsa_key = isinstance(key, rsa.RSAPrivateKey | rsa.RSAPublicKey)
        kind = _KINDS[cls] = "ec" if ec_key else "rsa" if rsa_key else ""
    return kind


def schemes_of(key: PrivateKey | PublicKey, tls13: bool) -> tuple[Scheme, ...]:
    """The schemes a key can sign handshakes with, best first; none for a key that is of no use."""
    kind, table = _kind_of(key), _TABLES[tls13]
    if kind == "ec":
        return table.ecdsa.get(cast(ec.EllipticCurvePublicKey, key).curve.name, ())
    if kind == "rsa":
        return tuple(scheme for scheme in table.rsa if _is_long_enough(cast(rsa.RSAPublicKey, key), scheme))
    if isinstance(key, RsaPssPublicKey):
        return tuple(
            scheme
            for scheme in _PSS_SCHEMES
            if key.hash_name in (None, _HASHES[scheme].name) and _is_long_enough(key.key, scheme)
        )
    for kinds, scheme in _FIXED:
        if isinstance(key, kinds):
            return (scheme,) if scheme in table.single else ()
    return ()


def _is_long_enough(key: rsa.RSAPrivateKey | rsa.RSAPublicKey, scheme: Scheme) -> bool:
    """Whether hash, salt and two more bytes fit into the key (RFC 8017 section 9.1.1)."""
    return scheme in _PKCS1_SCHEMES or (key.key_size + 6) // 8 >= 2 * _HASHES[scheme].digest_size + 2


def tls12_authentication(key: PrivateKey | PublicKey) -> Literal["ecdsa", "rsa"] | None:
    """Which TLS 1.2 suites a certificate with this key goes with (RFC 5246 section 7.4.2, RFC 8422)."""
    if not schemes_of(key, tls13=False):
        return None
    return "rsa" if _kind_of(key) == "rsa" or type(key) is RsaPssPublicKey else "ecdsa"


def curve_of(key: PublicKey) -> str | None:
    """The name of an ECDSA key's curve; None for a key of another kind."""
    return cast(ec.EllipticCurvePublicKey, key).curve.name if _kind_of(key) == "ec" else None


def rsa_bits_of(key: object) -> int | None:
    """The length of an RSA key of either kind; None for a key of another kind."""
    if isinstance(key, RsaPssPublicKey):
        return key.key.key_size
    return cast(rsa.RSAPublicKey, key).key_size if _kind_of(key) == "rsa" else None


@lru_cache(maxsize=1)
def supported() -> frozenset[int]:
    """The schemes that the installed ``cryptography`` can verify, for handshakes of TLS 1.3 or 1.2.

    An older one has no ML-DSA, see ``NEWER``.  A build on another cryptographic library than its own may lack
    Ed25519, Ed448 or ML-DSA.
    """
    probes: dict[Scheme, Callable[[], object]] = {
        Scheme.ED25519: lambda: ed25519.Ed25519PublicKey.from_public_bytes(bytes(32)),
        Scheme.ED448: lambda: ed448.Ed448PublicKey.from_public_bytes(bytes(57)),
        Scheme.MLDSA44: lambda: MLDSA44PublicKey.from_public_bytes(bytes(1312)),
        Scheme.MLDSA65: lambda: MLDSA65PublicKey.from_public_bytes(bytes(1952)),
        Scheme.MLDSA87: lambda: MLDSA87PublicKey.from_public_bytes(bytes(2592)),
    }
    return frozenset((*_HASHES, *(scheme for scheme, probe in probes.items() if _works(probe))))


@lru_cache(maxsize=1)
def verifiable_in_chains() -> frozenset[int]:
    """The schemes with which an authority may have signed, so that the installed ``cryptography`` verifies the chain.

    Its path validation takes no authorities with keys for Ed25519, Ed448 and RSASSA-PSS alone; ML-DSA from version 50.
    """
    usual = (*_RSAE_SCHEMES, *_PKCS1_SCHEMES, *_CURVE_SCHEMES.values())
    return frozenset((*usual, *_TLS13_ONLY)) & supported() if INSTALLED >= 50 else frozenset(usual)


def _works(probe: Callable[[], object]) -> bool:
    try:
        probe()
    except UnsupportedAlgorithm:
        return False
    return True


def sign(key: PrivateKey, scheme: int, message: bytes, tls13: bool = True) -> bytes:
    """Sign a handshake.  Fault ILLEGAL_VALUE for a scheme that does not fit the key."""
    schemes = schemes_of(key, tls13)
    if _KINDS[type(key)] == "ec" and scheme in schemes:
        return cast(ec.EllipticCurvePrivateKey, key).sign(message, _ecdsa(scheme))
    if isinstance(key, rsa.RSAPrivateKey):
        # The key of an id-RSASSA-PSS certificate is such an object too.
        schemes += schemes_of(RsaPssPublicKey(key.public_key()), tls13)
    if scheme not in schemes:
        raise _misfit(scheme)
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(message, _rsa_padding(scheme), _HASHES[scheme])
    return cast(ed25519.Ed25519PrivateKey, key).sign(message)  # and all others without a choice of hash


def verify(public_key: PublicKey, scheme: int, message: bytes, signature: bytes, tls13: bool = True) -> None:
    """Verify the signature of a handshake.

    Fault ILLEGAL_VALUE for a scheme that does not fit the key, BAD_SIGNATURE for a signature that does not
    verify.
    """
    if scheme not in schemes_of(public_key, tls13):
        raise _misfit(scheme)
    try:
        if _KINDS[type(public_key)] == "ec":
            cast(ec.EllipticCurvePublicKey, public_key).verify(signature, message, _ecdsa(scheme))
        elif isinstance(public_key, rsa.RSAPublicKey):
            public_key.verify(signature, message, _rsa_padding(scheme), _HASHES[scheme])
        elif isinstance(public_key, RsaPssPublicKey):
            public_key.key.verify(signature, message, _rsa_padding(scheme), _HASHES[scheme])
        else:
            cast(ed25519.Ed25519PublicKey, public_key).verify(signature, message)
    except InvalidSignature:
        raise Fault(Reason.BAD_SIGNATURE, Scheme(scheme).name.lower()) from None


def _misfit(scheme: int) -> Fault:
    return Fault(Reason.ILLEGAL_VALUE, f"signature scheme {scheme:#06x} does not fit the key")


@lru_cache(maxsize=8)
def _ecdsa(scheme: int) -> ec.ECDSA:
    try:
        return ec.ECDSA(_HASHES[scheme], deterministic_signing=True)
    except UnsupportedAlgorithm:
        return ec.ECDSA(_HASHES[scheme])


@lru_cache(maxsize=16)
def _rsa_padding(scheme: int) -> PSS | PKCS1v15:
    if scheme in _PKCS1_SCHEMES:
        return PKCS1v15()
    algorithm = _HASHES[scheme]
    return PSS(MGF1(algorithm), algorithm.digest_size)


_SERVER_CONTEXT: Final = b" " * 64 + b"TLS 1.3, server CertificateVerify\0"
_CLIENT_CONTEXT: Final = b" " * 64 + b"TLS 1.3, client CertificateVerify\0"


def certificate_verify_input(server: bool, transcript_hash: bytes) -> bytes:
    """What a TLS 1.3 CertificateVerify signs (RFC 9846 section 4.5.2).

    ``server``: whether the server is the one who signs.
    """
    return (_SERVER_CONTEXT if server else _CLIENT_CONTEXT) + transcript_hash
