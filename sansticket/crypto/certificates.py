"""Certificates: our own, and one place to import what concerns certificates from.

``Credential`` is here; ``TrustAnchors`` is in ``anchors``, the verification of a peer's chain in ``verification``,
reading a key out of a certificate is in ``inspection``.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any, Final

from attrs import Factory, field

from sansticket.codes import SignatureScheme
from sansticket.crypto.inspection import (
    Names,
    check_ders,
    der_tuple,
    is_ip_address,
    load,
    may_sign,
    names_of,
    parse_errors,
    public_key_of,
    require_installed,
    require_strength,
    signed_with,
)
from sansticket.crypto.signatures import (
    MIN_RSA_BITS,
    PrivateKey,
    PublicKey,
    RsaPssPublicKey,
    schemes_of,
    tls12_authentication,
)
from sansticket.crypto.stapling import end_of_staple
from sansticket.crypto.suites import Tls12Authentication
from sansticket.crypto.verification import TrustAnchors, verify_client_chain, verify_server_chain
from sansticket.errors import ConfigError, Fault
from sansticket.inputs import CERTIFICATES, PRIVATE_KEYS, check_kind, pem_blocks
from sansticket.text import quoted
from sansticket.values import Shared, frozen

__all__ = [
    "Credential",
    "TrustAnchors",
    "is_ip_address",
    "public_key_of",
    "verify_client_chain",
    "verify_server_chain",
]


SHA1_SCHEMES: Final = frozenset({SignatureScheme.RSA_PKCS1_SHA1, SignatureScheme.ECDSA_SHA1})


@frozen
class _Leaf:
    """What is needed of our own leaf, and of what stands behind it, in every handshake, found out once."""

    names: Names
    public_key: PublicKey
    issuer_names: tuple[bytes, ...]
    signed_with: tuple[frozenset[SignatureScheme], ...]
    schemes12: tuple[SignatureScheme, ...]
    schemes13: tuple[SignatureScheme, ...]
    authentication12: Tls12Authentication | None


@contextmanager
def _reading(what: str) -> Iterator[None]:
    try:
        yield
    except parse_errors(Fault) as error:
        raise ConfigError("credentials", f"no {what} in PEM could be read: {error}") from error


def _inspect(credential: "Credential") -> _Leaf:
    check_ders("credentials", credential.chain)
    if type(credential.min_rsa_bits) is not int or credential.min_rsa_bits < 0:
        raise ConfigError("min_rsa_bits", f"{quoted(credential.min_rsa_bits)}; expected a number of bits")
    if not credential.chain:
        raise ConfigError("credentials", "a chain needs at least one certificate")
    try:
        certificates = [load(der) for der in credential.chain]
        if not may_sign(certificates[0]):
            raise ConfigError(
                "credentials", "keyUsage of the first certificate does not allow digital signatures"
            )
        public_key = public_key_of(credential.chain[0])
        require_strength(public_key, credential.min_rsa_bits)
        return _Leaf(
            names_of(certificates[0]),
            public_key,
            tuple(certificate.issuer.public_bytes() for certificate in certificates),
            tuple(signed_with(each) for each in certificates if each.issuer != each.subject),
            schemes_of(public_key, tls13=False),
            schemes_of(public_key, tls13=True),
            tls12_authentication(public_key),
        )
    except ConfigError:
        raise
    except parse_errors(Fault) as error:
        raise ConfigError("credentials", str(error)) from error


def _end_of_staple(credential: "Credential") -> float:
    response = credential.ocsp_response
    return end_of_staple(response, credential.chain) if response is not None else 0.0


def check_private_key(key: Any) -> None:
    if not isinstance(key, PrivateKey):
        kind = type(key).__name__
        raise ConfigError("credentials", f"a private_key of type {kind}; expected one of cryptography's")


def _misplaced(key: PrivateKey, chain: tuple[bytes, ...]) -> str:
    """What is wrong with a key that is not the first certificate's."""
    own = key.public_key()
    for number, der in enumerate(chain[1:], 2):
        if load(der).public_key() == own:
            return f"the private key belongs to certificate {number} of the chain, which must be the first"
    return "the private key does not belong to the first certificate"


@frozen
class Credential(Shared):
    """A certificate chain and its private key.

    ``chain``: DER, leaf first, each certificate followed by its issuer; the trust anchor may be left out.
    ``private_key``: a private key of ``cryptography``; None when signatures are made elsewhere (``Sign``).
    ``schemes``: the signature schemes to use, best first; None for all that fit the key.
    ``must_match_issuer``: show it only to a peer that names one of its ``issuer_names`` in certificate_authorities.
    ``min_rsa_bits``: the length of an RSA key below which it is refused; a config has its own bound too
    (``Config.min_rsa_bits``).
    ``ocsp_response``: what a server staples for a client that asks, in DER (RFC 6066 section 8), until its nextUpdate;
    None for nothing.  ``evolve(credential, ocsp_response=...)`` has a newer one: see ``docs/extensions.md``.

    ConfigError ``credentials`` when the chain cannot be read, the key is not the leaf's, too short or may not sign, or
    a scheme does not fit it; ``ocsp_response`` when it cannot be read, or says nothing of the leaf.
    Pickling writes the private key; copying shares it.
    """

    chain: tuple[bytes, ...] = field(converter=der_tuple)
    private_key: PrivateKey | None = field(eq=False)
    schemes: tuple[int, ...] | None = None
    must_match_issuer: bool = field(default=False, kw_only=True)
    min_rsa_bits: int = field(default=MIN_RSA_BITS, kw_only=True, eq=False)
    ocsp_response: bytes | None = field(default=None, kw_only=True)
    _leaf: _Leaf = field(init=False, eq=False, default=Factory(_inspect, takes_self=True))
    _end_of_staple: float = field(init=False, eq=False, default=Factory(_end_of_staple, takes_self=True))

    def __attrs_post_init__(self) -> None:
        public_key = self._leaf.public_key
        if self.private_key is not None:
            check_private_key(self.private_key)
            own = public_key.key if isinstance(public_key, RsaPssPublicKey) else public_key
            if self.private_key.public_key() != own:
                raise ConfigError("credentials", _misplaced(self.private_key, self.chain))
        if type(self.must_match_issuer) is not bool:
            raise ConfigError(
                "must_match_issuer", f"{quoted(self.must_match_issuer)}; expected True or False"
            )
        if self.schemes is not None:
            fitting = {*schemes_of(public_key, tls13=True), *schemes_of(public_key, tls13=False)}
            if type(self.schemes) is not tuple or not self.schemes or not fitting.issuperset(self.schemes):
                raise ConfigError("credentials", f"signature schemes {self.schemes} do not all fit the key")

    @classmethod
    def from_pem(
        cls,
        chain_pem: bytes,
        key_pem: bytes,
        password: bytes | None = None,
        *,
        must_match_issuer: bool = False,
        min_rsa_bits: int = MIN_RSA_BITS,
        ocsp_response: bytes | None = None,
    ) -> "Credential":
        """A credential from a PEM chain, leaf first, and a PEM private key (with its password): the files' content.

        Both may be in one file, which is given twice then.  ConfigError ``credentials`` also where there is no chain,
        no private key, or the password is missing, needless or wrong.
        """
        from cryptography import x509
        from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

        if password is not None:
            check_kind("credentials", password, (bytes, bytearray, memoryview), "bytes, the password")
        chain_blocks = pem_blocks("credentials", chain_pem, "chain", CERTIFICATES)
        with _reading("chain"):
            certificates = x509.load_pem_x509_certificates(chain_blocks)
            require_installed(certificates[0])
        key_blocks = pem_blocks("credentials", key_pem, "private key", PRIVATE_KEYS)
        with _reading("private key"):
            key: Any = load_pem_private_key(key_blocks, password)
        chain = tuple(certificate.public_bytes(Encoding.DER) for certificate in certificates)
        return cls(
            chain,
            key,
            must_match_issuer=must_match_issuer,
            min_rsa_bits=min_rsa_bits,
            ocsp_response=ocsp_response,
        )

    @property
    def public_key(self) -> PublicKey:
        """The leaf's public key."""
        return self._leaf.public_key

    @property
    def names(self) -> tuple[str, ...]:
        """The leaf's names: dNSNames in lower case (wildcards as they are) and IP addresses in text."""
        return self._leaf.names.hosts + self._leaf.names.addresses

    @property
    def issuer_names(self) -> tuple[bytes, ...]:
        """Issuer of each certificate of the chain, in DER, to compare with certificate_authorities."""
        return self._leaf.issuer_names

    def matches(self, server_name: str) -> bool:
        """Whether the leaf is for this host name or IP address.  A wildcard covers one label."""
        return self._leaf.names.cover(server_name)

    def is_signed_with(self, schemes: Collection[int]) -> bool:
        """Whether these schemes are enough to verify the chain.  What is self-signed is not verified."""
        for one in self._leaf.signed_with:  # noqa: SIM110 - a generator would be resumed for each
            if one.isdisjoint(schemes):
                return False
        return True

    @property
    def needs_sha1(self) -> bool:
        """Whether one of those signatures is over a SHA-1 hash."""
        return any(SHA1_SCHEMES.issuperset(one) for one in self._leaf.signed_with if one)

    @property
    def tls12_authentication(self) -> Tls12Authentication | None:
        """Which suites of TLS 1.2 it goes with (RFC 8422 section 2); None for none."""
        return self._leaf.authentication12

    def staple_at(self, now: float) -> bytes | None:
        """The ``ocsp_response``, unless its nextUpdate is over; ``now`` in seconds since the epoch."""
        return self.ocsp_response if now <= self._end_of_staple else None

    def usable_schemes(self, tls13: bool) -> tuple[SignatureScheme, ...]:
        """The schemes this credential signs handshakes with, best first."""
        fitting = self._leaf.schemes13 if tls13 else self._leaf.schemes12
        if self.schemes is None:
            return fitting
        return tuple(SignatureScheme(scheme) for scheme in self.schemes if scheme in fitting)

    def __repr__(self) -> str:
        return f"Credential(names={self.names}, schemes={self.schemes})"

    def __reduce__(self) -> tuple[Any, ...]:
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

        key = self.private_key
        encoded = key and key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        return _restore_credential, (
            self.chain,
            encoded,
            self.schemes,
            self.must_match_issuer,
            self.min_rsa_bits,
            self.ocsp_response,
        )


def _restore_credential(
    chain: tuple[bytes, ...],
    encoded_key: bytes | None,
    schemes: tuple[int, ...] | None,
    must_match_issuer: bool,
    min_rsa_bits: int,
    ocsp_response: bytes | None,
) -> Credential:
    from cryptography.hazmat.primitives.serialization import load_der_private_key

    key: Any = encoded_key and load_der_private_key(encoded_key, None)
    return Credential(
        chain,
        key,
        schemes,
        must_match_issuer=must_match_issuer,
        min_rsa_bits=min_rsa_bits,
        ocsp_response=ocsp_response,
    )
