"""Key exchange: the named groups, each as one ephemeral exchange (RFC 9846 section 4.3.8).

Whoever speaks first calls ``generate`` and later ``KeyExchange.finish`` with the other's share; whoever
has the other's share already calls ``respond``.  In TLS 1.3 the client speaks first, in TLS 1.2 the server
(ServerKeyExchange, RFC 8422 section 5.4); the shares look the same in both.

Three kinds of groups:

- x25519 and x448 (RFC 7748): a share is the u-coordinate.
- the NIST curves: a share is an uncompressed point; the secret is its x-coordinate.
- hybrids with ML-KEM-768 and ML-KEM-1024 (draft-ietf-tls-ecdhe-mlkem): shares and secrets of the two halves joined.

What can be wrong with a share (its length, a point off the curve, a point of small order that would make
the secret zero, an ML-KEM key out of range) is ``Reason.BAD_KEY_SHARE``.

All randomness comes from ``entropy``, with one exception: ``cryptography`` draws the randomness of an
ML-KEM encapsulation itself, so the answer to a hybrid share is not reproducible.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final, Protocol, TypeVar

from attrs import field
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, x448, x25519

from sansticket.codes import NamedGroup
from sansticket.errors import Fault, Reason
from sansticket.inputs import drawn_beside
from sansticket.library import (
    ML_KEM,
    MLKEM768PrivateKey,
    MLKEM768PublicKey,
    MLKEM1024PrivateKey,
    MLKEM1024PublicKey,
    Newer,
)
from sansticket.values import value

Entropy = Callable[[int], bytes]
"""n -> n unpredictable bytes."""

Key = TypeVar("Key")


class Group(Protocol[Key]):
    """What an exchange needs of a group.

    ``private`` are the bytes of a private key as ``make_private`` makes them, ``Key`` is the library's
    object for it: loading one costs as much as an exchange, so it is done once.
    """

    def make_private(self, entropy: Entropy) -> bytes: ...

    def load(self, private: bytes) -> Key: ...

    def public(self, key: Key) -> bytes: ...

    def exchange(self, key: Key, share: bytes) -> bytes:
        """The secret of the side that spoke first."""

    def respond(self, share: bytes, entropy: Entropy) -> tuple[bytes, bytes]:
        """Share and secret of the side that spoke second."""


class _DiffieHellman(Group[Key]):
    """Where both sides do the same."""

    def respond(self, share: bytes, entropy: Entropy) -> tuple[bytes, bytes]:
        key = self.load(self.make_private(entropy))
        return self.public(key), self.exchange(key, share)


class _X25519(_DiffieHellman[x25519.X25519PrivateKey]):
    share_length = 32

    def make_private(self, entropy: Entropy) -> bytes:
        return entropy(32)

    def load(self, private: bytes) -> x25519.X25519PrivateKey:
        return x25519.X25519PrivateKey.from_private_bytes(private)

    def public(self, key: x25519.X25519PrivateKey) -> bytes:
        return key.public_key().public_bytes_raw()

    def exchange(self, key: x25519.X25519PrivateKey, share: bytes) -> bytes:
        try:
            return key.exchange(x25519.X25519PublicKey.from_public_bytes(share))
        except ValueError:  # also where the secret would be zero (RFC 9846 section 7.4.2)
            raise _bad_share("x25519") from None


class _X448(_DiffieHellman[x448.X448PrivateKey]):
    def make_private(self, entropy: Entropy) -> bytes:
        return entropy(56)

    def load(self, private: bytes) -> x448.X448PrivateKey:
        return x448.X448PrivateKey.from_private_bytes(private)

    def public(self, key: x448.X448PrivateKey) -> bytes:
        return key.public_key().public_bytes_raw()

    def exchange(self, key: x448.X448PrivateKey, share: bytes) -> bytes:
        try:
            return key.exchange(x448.X448PublicKey.from_public_bytes(share))
        except ValueError:  # also where the secret would be zero (RFC 9846 section 7.4.2)
            raise _bad_share("x448") from None


class _NistCurve(_DiffieHellman[ec.EllipticCurvePrivateKey]):
    def __init__(self, curve: ec.EllipticCurve, order: int) -> None:
        self.curve = curve
        self.order = order
        self.length = (order.bit_length() + 7) // 8
        self.share_length = 1 + 2 * self.length

    def make_private(self, entropy: Entropy) -> bytes:
        # FIPS 186-5 appendix A.2.1: 64 bits more than needed make the reduction's bias negligible, and
        # unlike rejection sampling it always takes the same number of bytes.
        scalar = int.from_bytes(entropy(self.length + 8)) % (self.order - 1) + 1
        return scalar.to_bytes(self.length)

    def load(self, private: bytes) -> ec.EllipticCurvePrivateKey:
        return ec.derive_private_key(int.from_bytes(private), self.curve)

    def public(self, key: ec.EllipticCurvePrivateKey) -> bytes:
        # Takes as long to import as all of this module, and the usual group has no use for it.
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def exchange(self, key: ec.EllipticCurvePrivateKey, share: bytes) -> bytes:
        # RFC 9846 section 4.3.8.2 allows the uncompressed form only; the library reads others too.
        if len(share) != self.share_length or share[0] != 4:
            raise _bad_share(self.curve.name)
        try:
            return key.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(self.curve, share))
        except ValueError:
            raise _bad_share(self.curve.name) from None


MlKemPrivateKey = MLKEM768PrivateKey | MLKEM1024PrivateKey


class _MlKem(Group[MlKemPrivateKey]):
    """ML-KEM alone (FIPS 203), of use in hybrids only.  The lengths are bytes."""

    seed_length = 64

    def __init__(
        self,
        name: str,
        private_key: type[MlKemPrivateKey],
        public_key: type[MLKEM768PublicKey | MLKEM1024PublicKey],
        encapsulation_key_length: int,
        ciphertext_length: int,
    ) -> None:
        self.name = name
        self.private_key = private_key
        self.public_key = public_key
        self.encapsulation_key_length = encapsulation_key_length
        self.ciphertext_length = ciphertext_length

    def make_private(self, entropy: Entropy) -> bytes:
        return entropy(self.seed_length)

    def load(self, private: bytes) -> MlKemPrivateKey:
        return self.private_key.from_seed_bytes(private)

    def public(self, key: MlKemPrivateKey) -> bytes:
        return key.public_key().public_bytes_raw()

    def exchange(self, key: MlKemPrivateKey, share: bytes) -> bytes:
        """A ciphertext for another key gives an unrelated secret, and a Finished that does not verify."""
        try:
            return key.decapsulate(share)
        except ValueError:
            raise _bad_share(self.name) from None

    def respond(self, share: bytes, entropy: Entropy) -> tuple[bytes, bytes]:
        try:
            encapsulate = self.public_key.from_public_bytes(share).encapsulate
            secret, ciphertext = drawn_beside(entropy, encapsulate)
        except ValueError:  # wrong length or a coefficient out of range (FIPS 203 section 7.2)
            raise _bad_share(self.name) from None
        return ciphertext, secret


class _Hybrid(Group[tuple[Any, Any]]):
    """ML-KEM joined with a curve: secure as long as one of them is (draft-ietf-tls-ecdhe-mlkem).

    ``mlkem_first`` is the order of the halves, in the shares and in the secret alike.
    """

    def __init__(self, curve: _X25519 | _NistCurve, mlkem: _MlKem, mlkem_first: bool) -> None:
        self.curve = curve
        self.mlkem = mlkem
        self.mlkem_first = mlkem_first

    def _join(self, mlkem: bytes, curve: bytes) -> bytes:
        return mlkem + curve if self.mlkem_first else curve + mlkem

    def _split(self, joined: bytes, mlkem_length: int) -> tuple[bytes, bytes]:
        """(ML-KEM half, curve half) of a share."""
        if len(joined) != mlkem_length + self.curve.share_length:
            raise _bad_share("hybrid")
        if self.mlkem_first:
            return joined[:mlkem_length], joined[mlkem_length:]
        return joined[-mlkem_length:], joined[:-mlkem_length]

    def make_private(self, entropy: Entropy) -> bytes:
        return self.mlkem.make_private(entropy) + self.curve.make_private(entropy)

    def load(self, private: bytes) -> tuple[Any, Any]:
        seed_length = self.mlkem.seed_length
        return self.mlkem.load(private[:seed_length]), self.curve.load(private[seed_length:])

    def public(self, key: tuple[Any, Any]) -> bytes:
        return self._join(self.mlkem.public(key[0]), self.curve.public(key[1]))

    def exchange(self, key: tuple[Any, Any], share: bytes) -> bytes:
        ciphertext, curve_share = self._split(share, self.mlkem.ciphertext_length)
        return self._join(self.mlkem.exchange(key[0], ciphertext), self.curve.exchange(key[1], curve_share))

    def respond(self, share: bytes, entropy: Entropy) -> tuple[bytes, bytes]:
        encapsulation_key, curve_share = self._split(share, self.mlkem.encapsulation_key_length)
        # The curve first: a bad point is found without the dearer encapsulation.
        curve_answer, curve_secret = self.curve.respond(curve_share, entropy)
        ciphertext, mlkem_secret = self.mlkem.respond(encapsulation_key, entropy)
        return self._join(ciphertext, curve_answer), self._join(mlkem_secret, curve_secret)


def _bad_share(name: str) -> Fault:
    return Fault(Reason.BAD_KEY_SHARE, f"not a valid {name} share")


# The orders of the base points (SEC 2).
P256_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
P384_ORDER: Final = int(
    "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973",
    16,
)
P521_ORDER: Final = int(
    "01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa"
    "51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409",
    16,
)
_P256: Final = _NistCurve(ec.SECP256R1(), P256_ORDER)
_P384: Final = _NistCurve(ec.SECP384R1(), P384_ORDER)
_ML_KEM_768: Final = _MlKem("ML-KEM-768", MLKEM768PrivateKey, MLKEM768PublicKey, 1184, 1088)
_ML_KEM_1024: Final = _MlKem("ML-KEM-1024", MLKEM1024PrivateKey, MLKEM1024PublicKey, 1568, 1568)

GROUPS: Final[dict[int, Group[Any]]] = {
    NamedGroup.X25519: _X25519(),
    NamedGroup.SECP256R1: _P256,
    NamedGroup.SECP384R1: _P384,
    NamedGroup.SECP521R1: _NistCurve(ec.SECP521R1(), P521_ORDER),
    NamedGroup.X448: _X448(),
    NamedGroup.X25519_MLKEM768: _Hybrid(_X25519(), _ML_KEM_768, mlkem_first=True),
    NamedGroup.SECP256R1_MLKEM768: _Hybrid(_P256, _ML_KEM_768, mlkem_first=False),
    NamedGroup.SECP384R1_MLKEM1024: _Hybrid(_P384, _ML_KEM_1024, mlkem_first=False),
}
"""Every group sansticket knows, by its number.  ``supported`` says which of them work here."""

NEWER: Final[dict[int, Newer]] = {
    group: ML_KEM for group, kind in GROUPS.items() if isinstance(kind, _Hybrid)
}
"""What a group needs that not every version of the library has."""


@lru_cache(maxsize=1)
def supported() -> frozenset[int]:
    """The groups that the installed ``cryptography`` can do.

    An older one has no ML-KEM, see ``NEWER``.  A build on another cryptographic library than its own may lack
    some: FIPS providers refuse x448, an old OpenSSL has no ML-KEM.
    """
    return frozenset(group for group in GROUPS if _works(group))


def _works(group: int) -> bool:
    try:
        GROUPS[group].load(bytes(range(1, 129))[: len(GROUPS[group].make_private(bytes))])
    except UnsupportedAlgorithm:
        return False
    return True


@value
class KeyExchange:
    """One side's ephemeral key, whose share has been sent.

    Can be copied and pickled: what goes along are the bytes of the private key.
    """

    group: int
    public: bytes
    _private: bytes = field(repr=False, alias="private")
    _key: Any = field(repr=False, eq=False, alias="key")

    def finish(self, peer_share: bytes) -> bytes:
        """The shared secret.  Fault BAD_KEY_SHARE for a share that is none of this group."""
        return GROUPS[self.group].exchange(self._key, peer_share)

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (self.group, self.public, self._private)


def _restore(group: int, public: bytes, private: bytes) -> KeyExchange:
    return KeyExchange(group, public, private, GROUPS[group].load(private))


def generate(group: int, entropy: Entropy) -> KeyExchange:
    """A new ephemeral key of a group in ``GROUPS``, whose ``public`` is the share to send."""
    kind = GROUPS[group]
    private = kind.make_private(entropy)
    key = kind.load(private)
    return KeyExchange(group, kind.public(key), private, key)


def respond(group: int, client_share: bytes, entropy: Entropy) -> tuple[bytes, bytes]:
    """(share to send, shared secret) for the share of whoever spoke first.

    Fault BAD_KEY_SHARE for a share that is none of this group.
    """
    return GROUPS[group].respond(client_share, entropy)
