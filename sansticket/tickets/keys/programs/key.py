"""One key of OpenSSL's tickets, whichever program has it.

A ticket is

    key_name 16 | IV 16 | AES-CBC of the SSL_SESSION in DER, PKCS#7 padding | HMAC-SHA256 32

with the HMAC over everything before it, as RFC 5077 section 4 recommends.  It is compared in constant time
before anything else is looked at, so that neither the padding nor the DER can be probed.
"""

import hmac
from typing import Any, Final, Self

from attrs import field
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

from sansticket.errors import ConfigError
from sansticket.inputs import Entropy, as_bytes, check_bytes, random_bytes
from sansticket.text import quoted
from sansticket.tickets.keys.protection import KEY_NAME_LENGTH
from sansticket.values import frozen

BLOCK: Final = 16
MAC_LENGTH: Final = 32
MIN_TICKET: Final = KEY_NAME_LENGTH + BLOCK + BLOCK + MAC_LENGTH
"""Bytes of a ticket with a single block."""

KEY_SIZES: Final = (48, 80)
"""Bytes of a key with AES-128, and of one with AES-256."""

SECRET_SIZES: Final = ((16, 16), (32, 32), (16, 64), (32, 64))
"""Bytes of the AES key and of the HMAC key; h2o has 64 of the second, a block of SHA-256."""

MAX_TIME: Final = (1 << 32) - 1
"""Seconds since the epoch: until when a key is good that has no end."""


@frozen
class OpenSSLTicketKey:
    """One key.  ``name`` has 16 bytes and is public; ``aes_key`` and ``hmac_key`` have 16 each, or 32 each; h2o's
    ``hmac_key`` has 64.

    The times are seconds since the epoch, both included: before ``not_before`` the key opens and does not seal, after
    ``not_after`` it does neither.  lighttpd's and h2o's keys have them, the others are good at all times.

    ConfigError names the field that is of another type, has another length, or is no such time.
    """

    name: bytes
    aes_key: bytes = field(repr=False)
    hmac_key: bytes = field(repr=False)
    not_before: int = 0
    not_after: int = MAX_TIME

    def __attrs_post_init__(self) -> None:
        for field_ in ("name", "aes_key", "hmac_key"):
            check_bytes(field_, getattr(self, field_))
        if len(self.name) != KEY_NAME_LENGTH:
            raise ConfigError("name", f"a ticket key's name has {KEY_NAME_LENGTH} bytes")
        if (len(self.aes_key), len(self.hmac_key)) not in SECRET_SIZES:
            raise ConfigError(
                "aes_key", "a ticket key has two secrets of 16 or of 32 bytes, or 64 for the HMAC (h2o's)"
            )
        _check_time("not_before", self.not_before, 0)
        _check_time("not_after", self.not_after, self.not_before)

    @property
    def size(self) -> int:
        """Bytes: 48 or 80; of h2o's keys 96 or 112."""
        return len(self.name) + len(self.aes_key) + len(self.hmac_key)

    @property
    def dated(self) -> bool:
        """Whether there is a time at which it does not seal."""
        return bool(self.not_before) or self.not_after < MAX_TIME

    def seals_at(self, now: float) -> bool:
        """Whether ``now``, in seconds since the epoch, is within its time."""
        return self.not_before <= int(now) <= self.not_after

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """The content of a key file of nginx, or what SSL_CTX_set_tlsext_ticket_keys(3) takes: 48 or 80 bytes.

        Other programs have the two secrets in another order, which nothing in the bytes tells: see
        ``OpenSSLTicketKeys.from_files``.
        """
        data = as_bytes("key", data)
        if len(data) not in KEY_SIZES:
            sizes = " or ".join(map(str, KEY_SIZES))
            raise ConfigError(
                "key",
                f"{len(data)} bytes; expected {sizes}, a key of nginx's; from_files reads other programs'",
            )
        name, middle = data[:KEY_NAME_LENGTH], (KEY_NAME_LENGTH + len(data)) // 2
        first, second = data[KEY_NAME_LENGTH:middle], data[middle:]
        return cls(name, first, second) if len(data) == KEY_SIZES[0] else cls(name, second, first)

    def to_bytes(self) -> bytes:
        """Undo ``from_bytes``.  ConfigError ``key`` for one that nginx cannot have: of another size, or with times."""
        if self.size not in KEY_SIZES or self.dated:
            raise ConfigError(
                "key", f"of {self.size} bytes{', with times' * self.dated}; nginx's have 48 or 80, and none"
            )
        secrets = (
            (self.aes_key, self.hmac_key) if self.size == KEY_SIZES[0] else (self.hmac_key, self.aes_key)
        )
        return self.name + b"".join(secrets)

    @classmethod
    def generate(cls, entropy: Entropy, size: int = 80) -> Self:
        """A new random key of 48 or 80 bytes."""
        return cls.from_bytes(random_bytes(entropy, size))

    def seal(self, plaintext: bytes, entropy: Entropy) -> bytes:
        """A ticket under this key, with a new IV."""
        iv, padder = random_bytes(entropy, BLOCK), PKCS7(8 * BLOCK).padder()
        encryptor = Cipher(AES(self.aes_key), CBC(iv)).encryptor()
        ciphertext = encryptor.update(padder.update(plaintext) + padder.finalize()) + encryptor.finalize()
        body = self.name + iv + ciphertext
        return body + hmac.digest(self.hmac_key, body, "sha256")

    def open(self, ticket: bytes) -> bytes | None:
        """The plaintext, or None when the ticket was altered.  Its name must be this key's."""
        body, mac = ticket[:-MAC_LENGTH], ticket[-MAC_LENGTH:]
        if not hmac.compare_digest(hmac.digest(self.hmac_key, body, "sha256"), mac):
            return None
        if len(ticket) < MIN_TICKET or len(body) % BLOCK:
            return None
        decryptor = Cipher(
            AES(self.aes_key), CBC(body[KEY_NAME_LENGTH : KEY_NAME_LENGTH + BLOCK])
        ).decryptor()
        unpadder = PKCS7(8 * BLOCK).unpadder()
        padded = decryptor.update(body[KEY_NAME_LENGTH + BLOCK :]) + decryptor.finalize()
        try:
            return unpadder.update(padded) + unpadder.finalize()
        except ValueError:  # authentic all the same: whoever has the key did not pad
            return None


def _check_time(name: str, time: Any, low: int) -> None:
    if not isinstance(time, int) or isinstance(time, bool) or not low <= time <= MAX_TIME:
        raise ConfigError(
            name, f"{quoted(time)}; expected whole seconds since the epoch, {low} to {MAX_TIME}"
        )
