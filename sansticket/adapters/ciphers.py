"""Cipher suites by the names that OpenSSL has for them, and its language to choose among them."""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Sequence
from typing import Any, Final

from sansticket.codes import CipherSuite, NamedGroup, ProtocolVersion
from sansticket.config.defaults import DEFAULT_CIPHER_SUITES
from sansticket.crypto.suites import SUITES
from sansticket.values import frozen

VERSION_NAMES: Final = {ProtocolVersion.TLS_1_2: "TLSv1.2", ProtocolVersion.TLS_1_3: "TLSv1.3"}

CURVES: Final = {
    "prime256v1": NamedGroup.SECP256R1,
    "secp384r1": NamedGroup.SECP384R1,
    "secp521r1": NamedGroup.SECP521R1,
    "X25519": NamedGroup.X25519,
    "X448": NamedGroup.X448,
}
"""OpenSSL's names of the groups that ``set_ecdh_curve`` can choose."""

SECURITY_LEVELS: Final = ("@SECLEVEL=0", "@SECLEVEL=1", "@SECLEVEL=2")
"""What a cipher list may ask for: SSL_CTX_set_security_level(3).  Level 2 is kept whatever it asks for."""

CipherTuple = tuple[str, str, int]
"""Name, protocol version and secret bits, as ``SSLSocket.cipher()`` gives them."""


@frozen
class Cipher:
    """One suite, in OpenSSL's words."""

    name: str
    tls13: bool
    bits: int
    authentication: str | None
    """``ecdsa`` or ``rsa``; None in TLS 1.3, where it is no part of the suite."""

    @property
    def is_chacha20(self) -> bool:
        return "CHACHA20" in self.name

    @property
    def protocol(self) -> str:
        return "TLSv1.3" if self.tls13 else "TLSv1.2"

    @property
    def tags(self) -> frozenset[str]:
        """The words by which ``set_ciphers`` selects it (openssl-ciphers(1))."""
        tags = {self.name, "ALL", "DEFAULT", "HIGH", "TLSv1.2", "ECDH", "ECDHE", "EECDH", "kECDHE", "kEECDH"}
        tags |= {"aECDSA", "ECDSA"} if self.authentication == "ecdsa" else {"aRSA"}
        tags |= {"CHACHA20"} if self.is_chacha20 else {"AES", "AESGCM", f"AES{self.bits}"}
        return frozenset(tags)

    def as_tuple(self) -> CipherTuple:
        return self.name, self.protocol, self.bits

    def as_dict(self, number: int) -> dict[str, Any]:
        """What ``SSLContext.get_ciphers`` says of it."""
        symmetric = "chacha20-poly1305" if self.is_chacha20 else f"aes-{self.bits}-gcm"
        exchange, authentication = "any" if self.tls13 else "ECDH", (self.authentication or "any").upper()
        encryption = f"CHACHA20/POLY1305({self.bits})" if self.is_chacha20 else f"AESGCM({self.bits})"
        return {
            "id": 0x03000000 | number,
            "name": self.name,
            "protocol": self.protocol,
            "description": f"{self.name:30} {self.protocol} Kx={exchange:8} "
            f"Au={'any' if self.tls13 else authentication:5} Enc={encryption:22} Mac=AEAD",
            "strength_bits": self.bits,
            "alg_bits": self.bits,
            "aead": True,
            "symmetric": symmetric,
            "digest": None,
            "kea": "kx-any" if self.tls13 else "kx-ecdhe",
            "auth": f"auth-{authentication.lower()}",
        }


NAMES: Final = {
    CipherSuite.AES_128_GCM_SHA256: "TLS_AES_128_GCM_SHA256",
    CipherSuite.AES_256_GCM_SHA384: "TLS_AES_256_GCM_SHA384",
    CipherSuite.CHACHA20_POLY1305_SHA256: "TLS_CHACHA20_POLY1305_SHA256",
    CipherSuite.ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: "ECDHE-ECDSA-AES128-GCM-SHA256",
    CipherSuite.ECDHE_ECDSA_WITH_AES_256_GCM_SHA384: "ECDHE-ECDSA-AES256-GCM-SHA384",
    CipherSuite.ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: "ECDHE-ECDSA-CHACHA20-POLY1305",
    CipherSuite.ECDHE_RSA_WITH_AES_128_GCM_SHA256: "ECDHE-RSA-AES128-GCM-SHA256",
    CipherSuite.ECDHE_RSA_WITH_AES_256_GCM_SHA384: "ECDHE-RSA-AES256-GCM-SHA384",
    CipherSuite.ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256: "ECDHE-RSA-CHACHA20-POLY1305",
}

CIPHERS: Final[dict[int, Cipher]] = {
    suite: Cipher(
        NAMES[parameters.suite],
        parameters.tls12_authentication is None,
        parameters.key_length * 8,
        parameters.tls12_authentication,
    )
    for suite, parameters in SUITES.items()
}
"""Every suite that sansticket can use."""


def cipher_tuples(suites: Iterable[int]) -> list[CipherTuple]:
    return [CIPHERS[suite].as_tuple() for suite in suites]


def select_ciphers(text: str) -> tuple[int, ...]:
    """The TLS 1.2 suites that OpenSSL's cipher list ``text`` names, in its order.

    What it names and we do not have is passed over, as OpenSSL does.  SSLError when nothing is left.
    """
    available: list[int] = [suite for suite in DEFAULT_CIPHER_SUITES if not CIPHERS[suite].tls13]
    chosen: list[int] = []
    banned: set[int] = set()
    for word in text.replace(",", ":").replace(" ", ":").split(":"):
        if word.startswith("@"):
            chosen = _commanded(word, chosen)
            continue
        operator = word[0] if word[:1] in ("!", "-", "+") else ""
        named = [suite for suite in available if _matches(suite, word.removeprefix(operator))]
        if operator == "!":
            banned.update(named)
        if operator == "+":
            named = [suite for suite in chosen if suite in named]
        if operator:
            chosen = [suite for suite in chosen if suite not in named]
        if operator in ("", "+"):
            chosen += [suite for suite in named if suite not in chosen and suite not in banned]
    if not chosen:
        raise ssl.SSLError("No cipher can be selected.")
    return tuple(chosen)


def _commanded(word: str, chosen: list[int]) -> list[int]:
    """SSLError for a security level above ours: there is no promise of it.  A lower one changes nothing."""
    if word == "@STRENGTH":
        return _by_strength(chosen)
    if word not in SECURITY_LEVELS:
        raise ssl.SSLError("No cipher can be selected.")
    return chosen


def _matches(suite: int, word: str) -> bool:
    """Whether every part of ``ECDHE+AESGCM`` is said of the suite."""
    return set(word.split("+")) <= CIPHERS[suite].tags


def _by_strength(suites: Sequence[int]) -> list[int]:
    return sorted(suites, key=lambda suite: -CIPHERS[suite].bits)
