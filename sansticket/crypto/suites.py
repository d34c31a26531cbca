"""What a cipher suite number stands for: its hash, its AEAD and how much one key may protect."""

from collections.abc import Callable
from typing import Final, Literal, Protocol

from attrs import Factory, field
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from sansticket.codes import CipherSuite
from sansticket.crypto.hkdf import HASH_LENGTHS
from sansticket.library import AEAD_INTO
from sansticket.values import frozen

Tls12Authentication = Literal["ecdsa", "rsa"]

GCM_RECORD_LIMIT: Final = 23_726_566
"""Records one AES-GCM key may protect: 2^24.5, all of them full-sized (RFC 9846 section 5.5)."""

SEQUENCE_LIMIT: Final = 2**64 - 1
"""Records before the sequence number would wrap; for ChaCha20-Poly1305 nothing else counts."""


class Aead(Protocol):
    """The AEAD objects of ``cryptography``: one key, 12-byte nonces, 16-byte tags.

    The last two give the number of bytes that they wrote.
    """

    def encrypt(self, nonce: bytes, data: bytes | memoryview, additional: bytes, /) -> bytes: ...

    def decrypt(self, nonce: bytes, data: bytes | memoryview, additional: bytes, /) -> bytes: ...

    def encrypt_into(
        self, nonce: bytes, data: bytes | memoryview, additional: bytes, buf: memoryview, /
    ) -> int: ...

    def decrypt_into(
        self, nonce: bytes, data: bytes | memoryview, additional: bytes, buf: memoryview, /
    ) -> int: ...


class _Copying:
    """An AEAD of a library that cannot write into a buffer."""

    def __init__(self, aead: AESGCM | ChaCha20Poly1305) -> None:
        self.encrypt = aead.encrypt
        self.decrypt = aead.decrypt

    def encrypt_into(
        self, nonce: bytes, data: bytes | memoryview, additional: bytes, buf: memoryview, /
    ) -> int:
        buf[:] = self.encrypt(nonce, data, additional)
        return len(buf)

    def decrypt_into(
        self, nonce: bytes, data: bytes | memoryview, additional: bytes, buf: memoryview, /
    ) -> int:
        buf[:] = self.decrypt(nonce, data, additional)
        return len(buf)


def _aead(kind: type[AESGCM | ChaCha20Poly1305]) -> Callable[[bytes], Aead]:
    return kind if AEAD_INTO.installed else lambda key: _Copying(kind(key))


@frozen
class TrafficKeys:
    """What protects one direction of one epoch.

    ``iv`` has 12 bytes, or the 4 of the implicit part for AES-GCM in TLS 1.2 (RFC 5288 section 3).
    """

    key: bytes = field(repr=False)
    iv: bytes = field(repr=False)


@frozen
class SuiteParameters:
    """One cipher suite (RFC 9846 appendix B.4; RFC 5289 and RFC 7905 for TLS 1.2).

    ``key_length`` is in bytes; ``record_limit`` is how many records one key may protect.
    ``tls12_authentication`` is the kind of certificate that a TLS 1.2 suite fixes, None for TLS 1.3.
    ``explicit_nonce``: each record carries the 8 variable bytes of its nonce (AES-GCM in TLS 1.2).
    """

    suite: CipherSuite
    hash_name: str
    key_length: int
    aead: Callable[[bytes], Aead]
    record_limit: int
    tls12_authentication: Tls12Authentication | None = None
    explicit_nonce: bool = False
    iv_length: int = field(
        default=Factory(lambda self: 4 if self.explicit_nonce else 12, takes_self=True), init=False
    )
    """Bytes of ``TrafficKeys.iv``."""

    @property
    def hash_length(self) -> int:
        """Bytes of the suite's hash, and of every secret of its TLS 1.3 key schedule."""
        return HASH_LENGTHS[self.hash_name]

    def __reduce__(self) -> tuple[Callable[[int], "SuiteParameters"], tuple[int]]:
        # By number: pickle cannot import the class of the AEAD.
        return suite_of, (int(self.suite),)


def _gcm(
    suite: CipherSuite, hash_name: str, key_length: int, authentication: Tls12Authentication | None = None
) -> SuiteParameters:
    return SuiteParameters(
        suite,
        hash_name,
        key_length,
        _aead(AESGCM),
        GCM_RECORD_LIMIT,
        authentication,
        explicit_nonce=authentication is not None,
    )


def _chacha20(suite: CipherSuite, authentication: Tls12Authentication | None = None) -> SuiteParameters:
    return SuiteParameters(suite, "sha256", 32, _aead(ChaCha20Poly1305), SEQUENCE_LIMIT, authentication)


SUITES: Final[dict[int, SuiteParameters]] = {
    parameters.suite: parameters
    for parameters in (
        _gcm(CipherSuite.AES_128_GCM_SHA256, "sha256", 16),
        _gcm(CipherSuite.AES_256_GCM_SHA384, "sha384", 32),
        _chacha20(CipherSuite.CHACHA20_POLY1305_SHA256),
        _gcm(CipherSuite.ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, "sha256", 16, "ecdsa"),
        _gcm(CipherSuite.ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, "sha384", 32, "ecdsa"),
        _gcm(CipherSuite.ECDHE_RSA_WITH_AES_128_GCM_SHA256, "sha256", 16, "rsa"),
        _gcm(CipherSuite.ECDHE_RSA_WITH_AES_256_GCM_SHA384, "sha384", 32, "rsa"),
        _chacha20(CipherSuite.ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, "rsa"),
        _chacha20(CipherSuite.ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, "ecdsa"),
    )
}
"""Every suite sansticket can use, by its number.  TLS 1.3 suites have no ``tls12_authentication``."""


def suite_of(number: int) -> SuiteParameters:
    """What a pickled suite becomes again."""
    return SUITES[number]
