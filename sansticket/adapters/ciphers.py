"""Cipher suites by the names that OpenSSL has for them, and its language to choose among them."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterable, Iterator, Sequence
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

SECURITY_LEVELS: Final = ("SECLEVEL=0", "SECLEVEL=1", "SECLEVEL=2")
"""What a cipher list may ask for: SSL_CTX_set_security_level(3).  Level 2 is kept whatever it asks for."""

DEFAULT: Final = "DEFAULT"
"""All that there is, at the beginning of a cipher list; nothing anywhere else."""

SEPARATORS: Final = ":,; "
RULE: Final = re.compile(r"[:,; ]*([-+!@]?+)([A-Za-z0-9_.=-]+(?:\+[A-Za-z0-9_.=-]+)*)")
REST_OF_RULE: Final = re.compile(r"\A[^:,; ]+")
"""A cipher list (openssl-ciphers(1)): what stands between the rules, an operator and a word, and the rest of a rule."""

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
        tags = {self.name, "ALL", "HIGH", "TLSv1.2", "ECDH", "ECDHE", "EECDH", "kECDHE", "kEECDH"}
        tags |= {"aECDSA", "ECDSA"} if self.authentication == "ecdsa" else {"aRSA"}
        tags |= {"CHACHA20"} if self.is_chacha20 else {"AES", "AESGCM", f"AES{self.bits}", "FIPS"}
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

    What it names and we do not have is passed over, as OpenSSL does.  SSLError when nothing is left, and for what is no
    cipher list.
    """
    available: list[int] = [suite for suite in DEFAULT_CIPHER_SUITES if not CIPHERS[suite].tls13]
    rules = text.removeprefix(DEFAULT)
    chosen: list[int] = [] if rules == text else [*available]
    banned: set[int] = set()
    for operator, word in _rules_of(rules):
        if operator == "@":
            chosen = _commanded(word, chosen)
            continue
        named = [suite for suite in available if _matches(suite, word)]
        if operator == "!":
            banned.update(named)
        if operator == "+":
            named = [suite for suite in chosen if suite in named]
        if operator:
            chosen = [suite for suite in chosen if suite not in named]
        if operator in ("", "+"):
            chosen += [suite for suite in named if suite not in chosen and suite not in banned]
    if not chosen:
        raise no_cipher()
    return tuple(chosen)


def _rules_of(text: str) -> Iterator[tuple[str, str]]:
    """Operator and word of each rule, as OpenSSL takes a list apart: what follows a word that it does not know, or a
    command, is passed over up to the next separator, and what follows another one is the next rule."""
    while match := RULE.match(text):
        operator, word = match.groups()
        yield operator, word
        text = text[match.end() :]
        if operator == "@" or not any(_matches(suite, word) for suite in NAMES):
            text = REST_OF_RULE.sub("", text)
    if text.strip(SEPARATORS):
        raise no_cipher()


def no_cipher() -> ssl.SSLError:
    """What the standard library raises for every cipher list with which nothing can be done."""
    return ssl.SSLError("No cipher can be selected.")


def _commanded(word: str, chosen: list[int]) -> list[int]:
    """SSLError for a security level above ours: there is no promise of it.  A lower one changes nothing."""
    if word == "STRENGTH":
        return _by_strength(chosen)
    if word not in SECURITY_LEVELS:
        raise no_cipher()
    return chosen


def _matches(suite: int, word: str) -> bool:
    """Whether every part of ``ECDHE+AESGCM`` is said of the suite."""
    return set(word.split("+")) <= CIPHERS[suite].tags


def _by_strength(suites: Sequence[int]) -> list[int]:
    return sorted(suites, key=lambda suite: -CIPHERS[suite].bits)
