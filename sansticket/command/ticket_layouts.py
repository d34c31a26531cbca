"""Tickets without their keys: whose layout they have, and whether a key of zeros opens them, which everybody has."""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from hashlib import sha3_512
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from sansticket.tickets.keys.go.keys import SECRET_LENGTH as GO_LENGTH
from sansticket.tickets.keys.go.keys import GoTicketKey
from sansticket.tickets.keys.openssl import OpenSSLTicketKey
from sansticket.tickets.keys.protection import KEY_NAME_LENGTH
from sansticket.tickets.keys.ring import OVERHEAD, SECRET_LENGTH, TicketKey
from sansticket.tickets.keys.windowed import MIN_ROOT_LENGTH, WindowedTicketKeys
from sansticket.tickets.session import MAX_SESSION_ID
from sansticket.values import frozen

SMALLEST: Final = 40
"""Bytes: no session is smaller than its secret and what says what it is."""


@frozen
class Layout:
    """``parts`` has the place of the session, whose bytes are what a ticket has beside ``fixed``.

    ``block``: of which its length is a multiple.  ``length_at``: where two bytes say how many they are.
    """

    whose: str
    parts: str
    fixed: int
    block: int = 1
    length_at: int | None = None

    def fits(self, ticket: bytes) -> bool:
        size = len(ticket) - self.fixed
        if size < SMALLEST or size % self.block:
            return False
        at = self.length_at
        return at is None or int.from_bytes(ticket[at : at + 2]) == size

    def described(self, ticket: bytes) -> str:
        return f"{self.whose} ({self.parts.format(len(ticket) - self.fixed)})"


LAYOUTS: Final = (
    Layout("GnuTLS's", "key name 16, IV 16, length 2, AES-CBC {}, HMAC-SHA1 20", 54, 16, 32),
    Layout("mbed TLS's", "key name 4, nonce 12, length 2, AES-GCM {}, tag 16", 34, 1, 16),
    Layout(
        "OpenSSL's, BoringSSL's or rustls's with aws-lc", "key name 16, IV 16, AES-CBC {}, HMAC 32", 64, 16
    ),
    Layout("Go's", "no key name, IV 16, AES-CTR {}, HMAC 32", 48),
    Layout(
        "a TicketKeyRing's", f"key name 16, salt and tag {OVERHEAD - KEY_NAME_LENGTH}, session {{}}", OVERHEAD
    ),
    Layout("rustls's with ring", "key name 16, nonce 12, ChaCha20 {}, tag 16", 44),
)
"""Those that say how long they are come first: what fits one of these is hardly anything else."""


def described(ticket: bytes) -> str:
    """Whose ticket it could be, by its layout."""
    if len(ticket) <= MAX_SESSION_ID:
        return "it is an id: the session is with the server that made it, and no key opens it"
    fitting = [layout for layout in LAYOUTS if layout.fits(ticket)]
    sure = [layout for layout in fitting if layout.length_at is not None]
    if not fitting:
        return "its layout is none that is known here"
    return f"by its layout it is {', or '.join(layout.described(ticket) for layout in sure or fitting)}"


# --- keys of zeros -------------------------------------------------------------------------------------------------


def opens_under_zeros(ticket: bytes, now: float) -> str:
    """Under which key of zeros a ticket opens, whoever made it, or nothing.

    Such a key comes of a buffer that was never filled, or of a number in the place of a secret; everybody has it.
    """
    if len(ticket) < KEY_NAME_LENGTH:
        return ""
    return next((whose for whose, opens in _zeros(ticket, now) if opens), "")


def _zeros(ticket: bytes, now: float) -> Iterator[tuple[str, bool]]:
    """(whose, whether it opens the ticket)."""
    name = ticket[:KEY_NAME_LENGTH]
    for size in (16, 32):
        key = OpenSSLTicketKey(name, bytes(size), bytes(size))
        yield f"OpenSSL's, of {key.size} bytes", key.open(ticket) is not None
    yield "a TicketKey's", TicketKey(name, bytes(SECRET_LENGTH), 0.0).open(ticket) is not None
    for root in (bytes(MIN_ROOT_LENGTH), bytes(3600)):
        opened = WindowedTicketKeys(root).open(ticket, now)
        yield "derived from a root secret of zeros", opened.plaintext is not None
    yield "Go's", GoTicketKey(bytes(GO_LENGTH)).open(ticket) is not None
    yield "GnuTLS's", _gnutls(ticket, bytes(16))
    yield "GnuTLS's, derived from zeros", _gnutls_derived(ticket, now)
    rustls = ChaCha20Poly1305(bytes(32))
    yield "rustls's", _decrypts(rustls, ticket[16:28], ticket[28:], name)
    for size in (16, 32):
        yield "mbed TLS's", _decrypts(AESGCM(bytes(size)), ticket[4:16], ticket[18:], ticket[:18])


def _gnutls(ticket: bytes, hmac_key: bytes) -> bool:
    return hmac.compare_digest(hmac.digest(hmac_key, ticket[:-20], "sha1"), ticket[-20:])


GNUTLS_PERIODS: Final = (10_800, 64_800)
"""Seconds: three times how long sessions live, one hour or six."""


def _gnutls_derived(ticket: bytes, now: float) -> bool:
    """64 zeros, of which GnuTLS makes a key for each period."""
    for period in GNUTLS_PERIODS:
        for number in (int(now) // period, int(now) // period - 1):
            key = sha3_512(number.to_bytes(8) + bytes(64)).digest()
            if key[:16] == ticket[:16] and _gnutls(ticket, key[48:]):
                return True
    return False


def _decrypts(cipher: AESGCM | ChaCha20Poly1305, nonce: bytes, data: bytes, associated: bytes) -> bool:
    try:
        cipher.decrypt(nonce, data, associated)
    except (InvalidTag, ValueError):  # ValueError: there is no whole nonce
        return False
    return True
