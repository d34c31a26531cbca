"""Every scheme there and back, against the library, and with keys that it does not fit."""

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, padding, rsa, x25519
from hypothesis import given
from hypothesis import strategies as st

from sansticket.codes import SignatureScheme as Scheme
from sansticket.crypto import signatures
from sansticket.crypto.inspection import public_key_of
from sansticket.crypto.signatures import (
    RsaPssPublicKey,
    certificate_verify_input,
    schemes_of,
    sign,
    supported,
    tls12_authentication,
    verify,
)
from sansticket.errors import Fault, Reason
from sansticket.library import ML_DSA, MLDSA44PrivateKey, MLDSA65PrivateKey, MLDSA87PrivateKey
from tests.support.edits import flipped
from tests.support.newer import each, needs
from tests.support.rfc8448 import LEAF, RETRY, SIMPLE, Trace

MESSAGE = b"what is signed"

PRIVATE: dict[str, Any] = {
    "p256": ec.generate_private_key(ec.SECP256R1()),
    "p384": ec.generate_private_key(ec.SECP384R1()),
    "p521": ec.generate_private_key(ec.SECP521R1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate(),
    "ed448": ed448.Ed448PrivateKey.generate(),
    "rsa": rsa.generate_private_key(65537, 2048),
}
ML_DSA_KEYS = {"mldsa44": MLDSA44PrivateKey, "mldsa65": MLDSA65PrivateKey, "mldsa87": MLDSA87PrivateKey}
if ML_DSA.installed:
    PRIVATE |= {name: kind.generate() for name, kind in ML_DSA_KEYS.items()}
PUBLIC: dict[str, Any] = {name: key.public_key() for name, key in PRIVATE.items()}
PRIVATE["rsa-pss"] = PRIVATE["rsa"]
PUBLIC["rsa-pss"] = RsaPssPublicKey(PUBLIC["rsa"])

RSAE = (Scheme.RSA_PSS_RSAE_SHA256, Scheme.RSA_PSS_RSAE_SHA384, Scheme.RSA_PSS_RSAE_SHA512)
PSS = (Scheme.RSA_PSS_PSS_SHA256, Scheme.RSA_PSS_PSS_SHA384, Scheme.RSA_PSS_PSS_SHA512)
PKCS1 = (Scheme.RSA_PKCS1_SHA256, Scheme.RSA_PKCS1_SHA384, Scheme.RSA_PKCS1_SHA512)
P256, P384, P521 = (
    Scheme.ECDSA_SECP256R1_SHA256,
    Scheme.ECDSA_SECP384R1_SHA384,
    Scheme.ECDSA_SECP521R1_SHA512,
)

TLS13: dict[str, tuple[Scheme, ...]] = {
    "p256": (P256,),
    "p384": (P384,),
    "p521": (P521,),
    "ed25519": (Scheme.ED25519,),
    "ed448": (Scheme.ED448,),
    "rsa": RSAE,
    "rsa-pss": PSS,
    "mldsa44": (Scheme.MLDSA44,),
    "mldsa65": (Scheme.MLDSA65,),
    "mldsa87": (Scheme.MLDSA87,),
}
TLS12: dict[str, tuple[Scheme, ...]] = {
    "p256": (P256, P384, P521),
    "p384": (P384, P256, P521),
    "p521": (P521, P256, P384),
    "ed25519": (Scheme.ED25519,),
    "ed448": (Scheme.ED448,),
    "rsa": RSAE + PKCS1,
    "rsa-pss": PSS,
    "mldsa44": (),
    "mldsa65": (),
    "mldsa87": (),
}
EACH = each(TLS13, dict.fromkeys(ML_DSA_KEYS, ML_DSA))
CASES = [
    pytest.param(name, scheme, tls13, marks=[needs(ML_DSA)] if name in ML_DSA_KEYS else ())
    for tls13, table in ((True, TLS13), (False, TLS12))
    for name, schemes in table.items()
    for scheme in schemes
]
HASHES = {"SHA256": hashes.SHA256(), "SHA384": hashes.SHA384(), "SHA512": hashes.SHA512()}


def refused(reason: Reason, *arguments: Any) -> None:
    with pytest.raises(Fault) as caught:
        verify(*arguments)
    assert caught.value.reason is reason


@pytest.mark.parametrize("name", EACH)
def test_the_schemes_of_each_kind_of_key(name: str) -> None:
    assert schemes_of(PUBLIC[name], tls13=True) == TLS13[name]
    assert schemes_of(PUBLIC[name], tls13=False) == TLS12[name]
    if name != "rsa-pss":  # whose private key cannot be told from an ordinary one
        assert schemes_of(PRIVATE[name], tls13=True) == TLS13[name]
        assert schemes_of(PRIVATE[name], tls13=False) == TLS12[name]


def test_every_scheme_that_is_not_for_old_certificates_has_a_key() -> None:
    covered = {scheme for table in (TLS13, TLS12) for schemes in table.values() for scheme in schemes}
    assert covered == set(Scheme) - {Scheme.RSA_PKCS1_SHA1, Scheme.ECDSA_SHA1}
    assert {scheme for name in PUBLIC for scheme in (*TLS13[name], *TLS12[name])} == supported()
    assert covered - supported() == (set() if ML_DSA.installed else set(signatures.NEWER))


@pytest.mark.parametrize(("name", "scheme", "tls13"), CASES)
def test_there_and_back(name: str, scheme: Scheme, tls13: bool) -> None:
    signature = sign(PRIVATE[name], scheme, MESSAGE, tls13)
    verify(PUBLIC[name], scheme, MESSAGE, signature, tls13)
    refused(Reason.BAD_SIGNATURE, PUBLIC[name], scheme, MESSAGE + b"!", signature, tls13)
    tampered = flipped(signature)
    for bad in (tampered, b"", signature[:-1], signature + b"\0", bytes(len(signature))):
        refused(Reason.BAD_SIGNATURE, PUBLIC[name], scheme, MESSAGE, bad, tls13)


@pytest.mark.parametrize(("name", "scheme", "tls13"), CASES)
def test_a_signature_is_the_one_that_the_scheme_s_name_says(name: str, scheme: Scheme, tls13: bool) -> None:
    signature = sign(PRIVATE[name], scheme, MESSAGE, tls13)
    key = PUBLIC["rsa" if name == "rsa-pss" else name]
    algorithm = HASHES.get(scheme.name.rpartition("_")[2])
    if isinstance(key, ec.EllipticCurvePublicKey):
        assert algorithm is not None
        key.verify(signature, MESSAGE, ec.ECDSA(algorithm))
    elif algorithm is None:
        key.verify(signature, MESSAGE)
    elif "PKCS1" in scheme.name:
        key.verify(signature, MESSAGE, padding.PKCS1v15(), algorithm)
    else:
        pss = padding.PSS(padding.MGF1(algorithm), salt_length=algorithm.digest_size)
        key.verify(signature, MESSAGE, pss, algorithm)


def pss(salt: int, mgf: hashes.HashAlgorithm, algorithm: hashes.HashAlgorithm) -> bytes:
    return PRIVATE["rsa"].sign(MESSAGE, padding.PSS(padding.MGF1(mgf), salt), algorithm)  # type: ignore[no-any-return]


SHA_256, SHA_384 = hashes.SHA256(), hashes.SHA384()


@pytest.mark.parametrize(
    "made",
    [
        *(lambda salt=salt: pss(salt, SHA_256, SHA_256) for salt in (0, 31, 33, 222)),
        lambda: pss(32, SHA_384, SHA_256),
        lambda: pss(48, SHA_384, SHA_384),
        lambda: PRIVATE["rsa"].sign(MESSAGE, padding.PKCS1v15(), SHA_256),
    ],
    ids=["no salt", "short salt", "long salt", "longest salt", "another MGF", "another hash", "PKCS#1"],
)
@pytest.mark.parametrize(("name", "scheme"), [("rsa", RSAE[0]), ("rsa-pss", PSS[0])])
def test_a_pss_signature_has_the_hash_thrice(name: str, scheme: Scheme, made: Callable[[], bytes]) -> None:
    """It hashes the message, it is in MGF1, and the salt is as long as it (RFC 9846 section 4.3.3)."""
    verify(PUBLIC[name], scheme, MESSAGE, pss(32, SHA_256, SHA_256))
    for tls13 in (True, False):
        refused(Reason.BAD_SIGNATURE, PUBLIC[name], scheme, MESSAGE, made(), tls13)


@pytest.mark.parametrize("tls13", [True, False])
@pytest.mark.parametrize("name", EACH)
def test_schemes_that_do_not_fit_the_key(name: str, tls13: bool) -> None:
    table = TLS13 if tls13 else TLS12
    signable = {*table[name], *(table["rsa"] + PSS if name.startswith("rsa") else ())}
    for scheme in (*Scheme, 0x0A0A, 0xFE00):
        if scheme not in table[name]:
            refused(Reason.ILLEGAL_VALUE, PUBLIC[name], scheme, MESSAGE, b"signature", tls13)
        if scheme not in signable:
            with pytest.raises(Fault) as caught:
                sign(PRIVATE[name], scheme, MESSAGE, tls13)
            assert caught.value.reason is Reason.ILLEGAL_VALUE


def test_the_default_is_tls_1_3() -> None:
    refused(Reason.ILLEGAL_VALUE, PUBLIC["p384"], P256, MESSAGE, b"")
    refused(Reason.ILLEGAL_VALUE, PUBLIC["rsa"], PKCS1[0], MESSAGE, b"")
    with pytest.raises(Fault):
        sign(PRIVATE["rsa"], PKCS1[0], MESSAGE)


@pytest.mark.parametrize("name", ["p256", "p384", "p521", "ed25519", "ed448"])
def test_signatures_on_curves_are_deterministic(name: str) -> None:
    (scheme,) = TLS13[name]
    assert sign(PRIVATE[name], scheme, MESSAGE) == sign(PRIVATE[name], scheme, MESSAGE)


def test_a_library_without_deterministic_ecdsa_signs_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def only_random(algorithm: hashes.HashAlgorithm, deterministic_signing: bool = False) -> ec.ECDSA:
        if deterministic_signing:
            raise UnsupportedAlgorithm("no RFC 6979 here")
        return made(algorithm)

    made = ec.ECDSA
    monkeypatch.setattr(signatures.ec, "ECDSA", only_random)
    signatures._ecdsa.cache_clear()
    try:
        first, second = (sign(PRIVATE["p256"], P256, MESSAGE) for _ in range(2))
    finally:
        monkeypatch.undo()
        signatures._ecdsa.cache_clear()
    assert first != second
    verify(PUBLIC["p256"], P256, MESSAGE, first)


def test_a_library_without_ml_dsa_supports_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(data: bytes) -> None:
        raise UnsupportedAlgorithm("no ML-DSA here")

    for kind in ("MLDSA44PublicKey", "MLDSA65PublicKey", "MLDSA87PublicKey"):
        monkeypatch.setattr(getattr(signatures, kind), "from_public_bytes", missing)
    supported.cache_clear()
    try:
        without = supported()
    finally:
        monkeypatch.undo()
        supported.cache_clear()
    ml_dsa = {Scheme.MLDSA44, Scheme.MLDSA65, Scheme.MLDSA87}
    assert without == supported() - ml_dsa
    assert set(signatures.NEWER) == ml_dsa


@pytest.mark.parametrize(
    ("bits", "fitting"),
    # RFC 8017 section 9.1.1: twice the hash and two bytes more must fit into one bit less than the modulus.
    [(1024, 2), (1034, 3)],
)
def test_short_rsa_keys_do_not_fit_long_hashes(bits: int, fitting: int) -> None:
    key = rsa.generate_private_key(65537, bits)
    assert schemes_of(key, tls13=True) == RSAE[:fitting]
    assert schemes_of(RsaPssPublicKey(key.public_key()), tls13=True) == PSS[:fitting]
    assert schemes_of(key, tls13=False) == RSAE[:fitting] + PKCS1
    for scheme in RSAE[:fitting]:
        verify(key.public_key(), scheme, MESSAGE, sign(key, scheme, MESSAGE))


def test_a_pss_key_for_one_hash_only() -> None:
    for scheme, name in zip(PSS, ("sha256", "sha384", "sha512"), strict=True):
        restricted = RsaPssPublicKey(PUBLIC["rsa"], name)
        assert schemes_of(restricted, tls13=True) == schemes_of(restricted, tls13=False) == (scheme,)
        verify(restricted, scheme, MESSAGE, sign(PRIVATE["rsa"], scheme, MESSAGE))


USELESS: list[Any] = [
    ec.generate_private_key(ec.SECP256K1()),
    x25519.X25519PrivateKey.generate(),
    dsa.generate_private_key(2048),
]


@pytest.mark.parametrize("key", USELESS, ids=["secp256k1", "x25519", "dsa"])
def test_keys_that_have_no_scheme(key: Any) -> None:
    for side in (key, key.public_key()):
        assert schemes_of(side, tls13=True) == schemes_of(side, tls13=False) == ()
        assert tls12_authentication(side) is None
    with pytest.raises(Fault):
        sign(key, P256, MESSAGE)


def test_the_tls_1_2_suites_of_a_key() -> None:
    found = {name: tls12_authentication(key) for name, key in PUBLIC.items()}
    assert {name for name, kind in found.items() if kind == "rsa"} == {"rsa", "rsa-pss"}
    assert {name for name, kind in found.items() if kind == "ecdsa"} == {
        "p256",
        "p384",
        "p521",
        "ed25519",
        "ed448",
    }
    assert tls12_authentication(PRIVATE["rsa"]) == "rsa"


@given(st.sampled_from([*PUBLIC]), st.sampled_from([True, False]), st.binary(max_size=200))
def test_whatever_is_no_signature_is_a_fault(name: str, tls13: bool, signature: bytes) -> None:
    for scheme in (TLS13 if tls13 else TLS12)[name]:
        refused(Reason.BAD_SIGNATURE, PUBLIC[name], scheme, MESSAGE, signature, tls13)


@pytest.mark.parametrize("trace", [SIMPLE, RETRY], ids=["simple", "retry"])
def test_the_signatures_of_rfc_8448(trace: Trace) -> None:
    messages = list(trace.hellos)
    if trace is RETRY:
        messages[0] = b"\xfe\x00\x00\x20" + hashlib.sha256(messages[0]).digest()
    covered = hashlib.sha256(b"".join((*messages, *trace.flight[:-1]))).digest()
    certificate_verify = trace.flight[-1]
    scheme = int.from_bytes(certificate_verify[4:6], "big")
    key = public_key_of(LEAF)
    verify(key, scheme, certificate_verify_input(True, covered), certificate_verify[8:])
    refused(
        Reason.BAD_SIGNATURE, key, scheme, certificate_verify_input(False, covered), certificate_verify[8:]
    )


def test_what_a_certificate_verify_covers() -> None:
    server, client = certificate_verify_input(True, b"hash"), certificate_verify_input(False, b"hash")
    assert server == b"\x20" * 64 + b"TLS 1.3, server CertificateVerify" + b"\x00" + b"hash"
    assert client == b"\x20" * 64 + b"TLS 1.3, client CertificateVerify" + b"\x00" + b"hash"
