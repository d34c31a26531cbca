"""Ticket keys shared with OpenSSL's servers: nginx, haproxy, and whatever calls SSL_CTX_set_tlsext_ticket_keys(3).

A ticket is

    key_name 16 | IV 16 | AES-CBC of the SSL_SESSION in DER, PKCS#7 padding | HMAC-SHA256 32

with the HMAC over everything before it, as RFC 5077 section 4 recommends.  It is compared in constant time
before anything else is looked at, so that neither the padding nor the DER can be probed.

A key is 48 or 80 bytes, and the two are not laid out alike:

    48    name 16 | AES-128 key 16 | HMAC key 16      nginx, haproxy
    80    name 16 | HMAC key 32 | AES-256 key 32      nginx, OpenSSL
    80    name 16 | AES-256 key 32 | HMAC key 32      haproxy

Tickets resume across servers that have the key, and agree on three things more:

- the *session id context*, which is part of the session.  Set ``ServerConfig.session_id_context`` to that of the
  others: ``nginx_session_id_context`` computes nginx's, ``HAPROXY_CONTEXT`` is haproxy's, and ``python -m
  sansticket ticket-keys open`` shows the context in any ticket.
- in TLS 1.3 the *hash of the suite*.  Our server takes a suite of the ticket's hash where it can.  OpenSSL's do
  not: they choose first, nginx the client's favourite and haproxy its own, and then look whether the ticket fits.
  Our client prefers the hash of its session; others go by their own order, which is AES_256_GCM_SHA384 first for
  OpenSSL's (and for haproxy) and AES_128_GCM_SHA256 first for browsers, as in our config.
- the *server name*.  OpenSSL keeps it only where a callback acknowledged it, as nginx's does.  A session without a
  name does not resume here for a client that names one, unless ``resume_with_other_name`` says so.

What the format costs, compared with ``TicketKeyRing``:

- One key for all tickets, with random IVs: the birthday bound of CBC is 2^64 blocks, and rotation does not happen
  by itself.  Rotate once a day: ``replace``, or ``python -m sansticket ticket-keys rotate``.
- It has one time and one certificate.  The time is that of the last full handshake, so a renewed ticket expires
  when the first one would have (OpenSSL's own renewals begin anew, without end); and of a client's chain the
  leaf is left, so ``ResumedCertificates.VERIFY`` works only where no intermediate is needed.
"""

import hmac
from base64 import b64decode
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha1
from math import floor
from types import MappingProxyType
from typing import Any, Final, Self

from attrs import evolve, field, frozen
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

from sansticket.errors import ConfigError
from sansticket.inputs import Entropy, as_bytes, check_bytes, random_bytes
from sansticket.tickets.decision import TicketStatus
from sansticket.tickets.keys.protection import KEY_NAME_LENGTH, OpenedTicket, SessionCodec, listed
from sansticket.tickets.session import Session, SessionFormatError

BLOCK: Final = 16
MAC_LENGTH: Final = 32
MIN_TICKET: Final = KEY_NAME_LENGTH + BLOCK + BLOCK + MAC_LENGTH
"""Bytes of a ticket with a single block."""

KEY_SIZES: Final = (48, 80)
"""Bytes of a key with AES-128, and of one with AES-256."""

HAPROXY_KEYS: Final = 3
"""TLS_TICKETS_NO: how many keys of its file haproxy uses."""

HAPROXY_CONTEXT: Final = b"haproxy"
"""The session id context of all haproxy's sessions."""

MAX_LIFETIME: Final = (1 << 32) - 1
"""Seconds: what a ``Session`` can have."""


@frozen
class OpenSSLCodec:
    """The SSL_SESSION that OpenSSL's servers expect in a ticket.

    Its one time is that of the last full handshake, so that no chain of renewals outlives ``max_session_age``;
    its time-out ends with the ticket.  A session id in it means nothing, and is ignored.
    """

    keeps_issue_time = False

    def encode(self, session: Session) -> bytes:
        authenticated_at = floor(min(session.authenticated_at, session.issued_at))
        lifetime = floor(session.issued_at) + session.lifetime - authenticated_at
        session = evolve(session, issued_at=authenticated_at, lifetime=min(lifetime, MAX_LIFETIME))
        return session.to_openssl_der(client=False)

    def decode(self, plaintext: bytes, now: float) -> Session:
        session = Session.from_openssl_der(plaintext, client=False, now=now)
        if session.ticket:
            raise SessionFormatError("a client's session in a ticket")
        return evolve(session, session_id=b"")


@frozen
class OpenSSLTicketKey:
    """One key.  ``name`` has 16 bytes and is public; ``aes_key`` and ``hmac_key`` have 16 each, or 32 each.

    ConfigError names the field that is no bytes, or has another length.
    """

    name: bytes
    aes_key: bytes = field(repr=False)
    hmac_key: bytes = field(repr=False)

    def __attrs_post_init__(self) -> None:
        for field_ in ("name", "aes_key", "hmac_key"):
            check_bytes(field_, getattr(self, field_))
        if len(self.name) != KEY_NAME_LENGTH:
            raise ConfigError("name", f"a ticket key's name has {KEY_NAME_LENGTH} bytes")
        if len(self.aes_key) != len(self.hmac_key) or self.size not in KEY_SIZES:
            raise ConfigError("aes_key", "a ticket key has two secrets of 16 or of 32 bytes")

    @property
    def size(self) -> int:
        """Bytes: 48 or 80."""
        return len(self.name) + len(self.aes_key) + len(self.hmac_key)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """The content of a key file of nginx, or what SSL_CTX_set_tlsext_ticket_keys(3) takes: 48 or 80 bytes."""
        data = as_bytes("key", data)
        if len(data) not in KEY_SIZES:
            sizes = " or ".join(map(str, KEY_SIZES))
            hint = f"{sizes}; haproxy's file, with a key in base64 to a line, is for from_haproxy"
            raise ConfigError("key", f"{len(data)} bytes; expected {hint}")
        name, middle = data[:KEY_NAME_LENGTH], (KEY_NAME_LENGTH + len(data)) // 2
        first, second = data[KEY_NAME_LENGTH:middle], data[middle:]
        return cls(name, first, second) if len(data) == KEY_SIZES[0] else cls(name, second, first)

    def to_bytes(self) -> bytes:
        """Undo ``from_bytes``."""
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


@frozen
class _Keys:
    """What the keys are at one moment.  Replaced as a whole."""

    first: OpenSSLTicketKey
    known: Mapping[bytes, OpenSSLTicketKey]


class OpenSSLTicketKeys:
    """The ``ticket_keys`` of a server whose tickets OpenSSL's servers share (see the module).

    The first key seals; all of them open.  ``open`` says SUCCESS for the first and SUCCESS_RENEW for the others.
    To rotate in a fleet without a moment at which somebody gets a ticket under a key that it does not know: give
    the new key to all servers in the second place, then move it to the first everywhere.

    Safe to be used by many threads.  A copy, also a pickled one, seals under the same keys, each ticket with an IV of
    its own; what is replaced in one is not replaced in the other.
    """

    codec: SessionCodec = OpenSSLCodec()

    def __init__(self, keys: Iterable[OpenSSLTicketKey]) -> None:
        """``keys``: at least one, in order, no two with the same name.  ConfigError ``keys`` otherwise."""
        self.replace(keys)

    @classmethod
    def from_files(cls, *contents: bytes) -> Self:
        """From what is in the files that nginx's ``ssl_session_ticket_key`` names, in the same order: the first seals.

        Of a key of 80 bytes nothing tells whether its secrets are laid out as nginx's or as haproxy's.
        """
        return cls([OpenSSLTicketKey.from_bytes(content) for content in contents])

    @classmethod
    def from_haproxy(cls, content: bytes) -> Self:
        """From what is in the file that haproxy's ``tls-ticket-keys`` names: see ``haproxy_keys``."""
        return cls(haproxy_keys(content))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(key.name.hex() for key in self.keys)})"

    def __getstate__(self) -> dict[str, Any]:
        return {"keys": self.keys}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.replace(state["keys"])

    @property
    def keys(self) -> tuple[OpenSSLTicketKey, ...]:
        """All keys, the one that seals first."""
        return tuple(self._keys.known.values())

    def replace(self, keys: Iterable[OpenSSLTicketKey]) -> None:
        """Use these instead: the key files have changed.  Tickets of a key that is not among them do not open."""
        given = listed(keys, OpenSSLTicketKey)
        self._keys = _Keys(given[0], MappingProxyType({key.name: key for key in given}))

    def seal(self, plaintext: bytes, now: float, entropy: Entropy) -> bytes:
        """A ticket under the first key."""
        return self._keys.first.seal(plaintext, entropy)

    def open(self, ticket: bytes, now: float) -> OpenedTicket:
        """See ``TicketKeys.open``."""
        keys = self._keys
        key = keys.known.get(ticket[:KEY_NAME_LENGTH])
        plaintext = key.open(ticket) if key is not None else None
        if key is None or plaintext is None:
            return OpenedTicket.failed(ticket)
        status = TicketStatus.SUCCESS if key is keys.first else TicketStatus.SUCCESS_RENEW
        return OpenedTicket(status, key.name, plaintext)


def haproxy_keys(content: bytes) -> tuple[OpenSSLTicketKey, ...]:
    """The keys that haproxy uses of its file, the one that it seals with first.

    A key of 48 or 80 bytes to a line, in base64, the oldest first, at least three of them.  haproxy uses the last
    three: the last but one seals, the last is known before it is used, and the one before them is on its way out.
    """
    content = as_bytes("keys", content)
    if len(content) in KEY_SIZES:
        raise ConfigError(
            "keys", f"{len(content)} bytes, a key of nginx's and OpenSSL's; expected haproxy's file"
        )
    keys = [_haproxy_key(number, line) for number, line in enumerate(content.split(b"\n"), 1) if line.strip()]
    if len(keys) < HAPROXY_KEYS:
        raise ConfigError("keys", f"{len(keys)} in the file; haproxy expects at least {HAPROXY_KEYS}")
    if len({key.size for key in keys}) > 1:
        raise ConfigError("keys", "of 48 and of 80 bytes in one file; haproxy expects one size")
    older, current, coming = keys[-HAPROXY_KEYS:]
    return current, coming, older


def _haproxy_key(number: int, line: bytes) -> OpenSSLTicketKey:
    try:
        key = OpenSSLTicketKey.from_bytes(b64decode(line.strip(), validate=True))
    except ValueError as error:  # ConfigError is one
        raise ConfigError("keys", f"line {number}: {error}") from None
    # With 80 bytes the two secrets are the other way round than for everybody else.
    return key if key.size == KEY_SIZES[0] else evolve(key, aes_key=key.hmac_key, hmac_key=key.aes_key)


def nginx_session_id_context(
    certificates: Sequence[bytes], client_authorities: Sequence[bytes] = (), module: bytes = b"HTTP"
) -> bytes:
    """The session id context of an nginx server (20 bytes), for ``ServerConfig.session_id_context``.

    nginx has no setting for it: it is the SHA-1 of the module's name, the SHA-1 of each certificate, and the SHA-1
    of the name of each authority whose client certificates it asks for.

    ``certificates``: the leaf of each ``ssl_certificate`` in DER, the last directive first.
    ``client_authorities``: the DER of the subjects in ``ssl_client_certificate``, in the order of that file.
    ``module``: ``HTTP``, ``STREAM`` or ``MAIL``.
    """
    parts = (module, *(_sha1(part) for part in (*certificates, *client_authorities)))
    return _sha1(b"".join(parts))


def _sha1(data: bytes) -> bytes:
    """A fingerprint, which nobody has a reason to forge: allowed where SHA-1 is not allowed for security."""
    return sha1(data, usedforsecurity=False).digest()
