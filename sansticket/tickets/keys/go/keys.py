"""Ticket keys shared with servers in Go (``tls.Config.SetSessionTicketKeys``), Caddy's among them.

A key is 32 bytes.  From h = SHA-512(key) come the AES-128 key h[16:32] and the HMAC key h[32:48].  A ticket is

    IV 16 | AES-128-CTR of the session, without padding | HMAC-SHA256 32

with the HMAC over everything before it.  It names no key: each is tried by its HMAC.  What is in it: see ``codec``.

Go's tickets have no server name, no session id context and no lifetime of their own.  A session that Go made is bound
to nothing, and is resumed here only with ``resume_unbound``; docs/fleet.md has what is lost on the way.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from hashlib import sha512
from typing import Any, Final, Self

from attrs import field
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

from sansticket.errors import ConfigError
from sansticket.inputs import Entropy, as_bytes, check_kind, random_bytes
from sansticket.tickets.decision import TicketStatus
from sansticket.tickets.keys.go.codec import GoCodec
from sansticket.tickets.keys.protection import OpenedTicket, listed
from sansticket.values import frozen

SECRET_LENGTH: Final = 32
IV_LENGTH: Final = 16
MAC_LENGTH: Final = 32


def _as_secret(value: bytes) -> bytes:
    return as_bytes("secret", value)


@frozen
class GoTicketKey:
    """One of the keys that ``SetSessionTicketKeys`` takes: 32 bytes.  ConfigError ``secret`` for anything else."""

    secret: bytes = field(repr=False, converter=_as_secret)
    name: bytes = field(init=False)
    """16 bytes by which it is called here, of the same hash as the keys.  They are public: before Go 1.21 they stood at
    the beginning of every ticket."""
    _aes_key: bytes = field(init=False, repr=False, eq=False)
    _hmac_key: bytes = field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        if len(self.secret) != SECRET_LENGTH:
            raise ConfigError("secret", f"{len(self.secret)} bytes; a ticket key of Go has {SECRET_LENGTH}")
        digest = sha512(self.secret).digest()
        object.__setattr__(self, "name", digest[:16])
        object.__setattr__(self, "_aes_key", digest[16:32])
        object.__setattr__(self, "_hmac_key", digest[32:48])

    @classmethod
    def generate(cls, entropy: Entropy) -> Self:
        """A new random key."""
        return cls(random_bytes(entropy, SECRET_LENGTH))

    def seal(self, plaintext: bytes, entropy: Entropy) -> bytes:
        """A ticket under this key, with a new IV."""
        iv = random_bytes(entropy, IV_LENGTH)
        body = iv + self._crypt(iv, plaintext)
        return body + hmac.digest(self._hmac_key, body, "sha256")

    def open(self, ticket: bytes) -> bytes | None:
        """The plaintext; None for what is not of this key, or was altered."""
        body, mac = ticket[:-MAC_LENGTH], ticket[-MAC_LENGTH:]
        genuine = hmac.compare_digest(hmac.digest(self._hmac_key, body, "sha256"), mac)
        if not genuine or len(body) < IV_LENGTH:
            return None
        return self._crypt(body[:IV_LENGTH], body[IV_LENGTH:])

    def _crypt(self, iv: bytes, data: bytes) -> bytes:
        """Both ways."""
        cipher = Cipher(AES(self._aes_key), CTR(iv)).encryptor()
        return cipher.update(data) + cipher.finalize()


class GoTicketKeys:
    """The ``ticket_keys`` of a server that shares its tickets with servers in Go 1.21 and later.

    The first key seals; all of them open, tried in their order.  ``open`` says SUCCESS for the first and SUCCESS_RENEW
    for the others.  Rotate as with Go's: the new key in the second place everywhere, then in the first.

    Safe to be used by many threads.  A copy, also a pickled one, seals under the same keys, each ticket with an IV of
    its own; what is replaced in one is not replaced in the other.
    """

    codec: GoCodec = GoCodec()
    """Of all keys here."""

    def __init__(
        self, keys: Iterable[GoTicketKey], *, resume_unbound: bool = False, before_curves: bool = False
    ) -> None:
        """``keys``: at least one, in order, no two the same.  ConfigError ``keys`` otherwise.

        ``resume_unbound``: sessions that Go made, which are bound to no server name and to no session id context,
        resume here under the name that their client asks for and in the context of this server.  All servers that have
        the keys must be good for each of the names, and have one policy for client certificates.

        ``before_curves``: the others run on Go 1.24 or earlier, which does not take TLS 1.2 tickets of 1.25 or later,
        nor those the others'.  TLS 1.3 is the same for all.
        """
        check_kind("resume_unbound", resume_unbound, bool, "True or False")
        check_kind("before_curves", before_curves, bool, "True or False")
        self.codec = GoCodec(resume_unbound, before_curves)
        self.replace(keys)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(key.name.hex() for key in self.keys)})"

    @property
    def keys(self) -> tuple[GoTicketKey, ...]:
        """All keys, the one that seals first."""
        return self._keys

    def replace(self, keys: Iterable[GoTicketKey]) -> None:
        """Use these instead.  Tickets of a key that is not among them do not open."""
        given: Any = listed(keys, GoTicketKey)
        self._keys: tuple[GoTicketKey, ...] = given

    def seal(self, plaintext: bytes, now: float, entropy: Entropy) -> bytes:
        """A ticket under the first key."""
        return self._keys[0].seal(plaintext, entropy)

    def open(self, ticket: bytes, now: float) -> OpenedTicket:
        """See ``TicketKeys.open``."""
        for place, key in enumerate(self._keys):
            plaintext = key.open(ticket)
            if plaintext is not None:
                status = TicketStatus.SUCCESS_RENEW if place else TicketStatus.SUCCESS
                return OpenedTicket(status, key.name, plaintext)
        return OpenedTicket.failed(ticket)
