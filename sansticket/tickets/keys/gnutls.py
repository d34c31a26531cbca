"""TLS 1.3 tickets of GnuTLS servers, which resume here and are replaced by tickets of other keys.

A server in GnuTLS has 64 bytes (``gnutls_session_ticket_enable_server``), which it uses for no ticket as they are.  Of
each period T of three times the expiration of its sessions comes a key

    SHA3-512(T as 8 bytes, big-endian | the 64 bytes) = key name 16 | AES-256 key 32 | HMAC key 16

and it opens tickets of this period and of the one before.  A ticket is

    key name 16 | IV 16 | length 2 | AES-256-CBC, padded with zeros | HMAC-SHA1 20 over everything before

and holds, for TLS 1.3,

    PRF 2 | age_add 4 | lifetime 4 | resumption master secret <1> | nonce <1> | state <2> | created 8 + 4

from which the PSK follows (RFC 9846 section 4.7.1).  Not the other way round: who has a session has its PSK, and cannot
make such a ticket.  ``state`` has the client's certificates in GnuTLS's own encoding, which is not read; all of a
session of TLS 1.2 is in it, and so is none.
"""

from __future__ import annotations

import hmac
from hashlib import sha3_512
from typing import Final

from attrs import evolve
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from sansticket.codes import CipherSuite, ProtocolVersion
from sansticket.crypto.hkdf import expand_label
from sansticket.errors import ConfigError
from sansticket.inputs import Entropy, as_bytes, check_kind
from sansticket.text import quoted
from sansticket.tickets.decision import TicketStatus
from sansticket.tickets.encoding import Source
from sansticket.tickets.keys.protection import (
    KEY_NAME_LENGTH,
    Encounter,
    OpenedTicket,
    SessionCodec,
    TicketKeys,
    asks_for_certificate,
)
from sansticket.tickets.session import Session, SessionFormatError
from sansticket.values import frozen

SECRET_LENGTH: Final = 64
EXPIRATION: Final = 3600
"""Seconds: GnuTLS's default for its sessions."""

PERIODS: Final = 3
"""Expirations for which a key is used."""

MAC_LENGTH: Final = 20
BLOCK: Final = 16
HEAD: Final = KEY_NAME_LENGTH + BLOCK + 2

MARK: Final = b"\0GnuTLS\0"
"""Before a plaintext of GnuTLS, to tell it from that of the keys that seal; no session begins with a 0."""

PRFS: Final = {
    6: ("sha256", 32, CipherSuite.AES_128_GCM_SHA256),
    7: ("sha384", 48, CipherSuite.AES_256_GCM_SHA384),
}
"""gnutls_mac_algorithm_t: the hash, the bytes of a PSK, and a suite with it, as the session may go on under any."""


@frozen
class GnuTLSCodec:
    """GnuTLS's sessions are read, and everything else is left to ``sealing``."""

    sealing: SessionCodec
    resume_unbound: bool

    @property
    def keeps_issue_time(self) -> bool:
        return self.sealing.keeps_issue_time

    @property
    def keeps_verified_chain(self) -> bool:
        return self.sealing.keeps_verified_chain

    def encode(self, session: Session) -> bytes:
        return self.sealing.encode(session)

    def decode(self, plaintext: bytes, now: float, encounter: Encounter | None = None) -> Session:
        if not plaintext.startswith(MARK):
            return self.sealing.decode(plaintext, now, encounter)
        session = _session_in(Source(plaintext[len(MARK) :]))
        if encounter is not None and asks_for_certificate(encounter):
            raise SessionFormatError("whether its client showed a certificate is not seen")
        if encounter is None or not self.resume_unbound:
            return session
        name, context = encounter.server_name, encounter.session_id_context
        return evolve(session, server_name=name, session_id_context=context)


def _session_in(source: Source) -> Session:
    prf, age_add, lifetime = source.number(2), source.number(4), source.number(4)
    if prf not in PRFS:
        raise SessionFormatError("a session of TLS 1.2, or of another hash")
    hash_name, length, suite = PRFS[prf]
    master, nonce = source.take(source.number(1)), source.take(source.number(1))
    source.take(source.number(2))
    created_at = source.number(8) + source.number(4) / 1e9
    return Session(
        version=ProtocolVersion.TLS_1_3,
        cipher_suite=suite,
        secret=expand_label(hash_name, master, b"resumption", nonce, length),
        lifetime=lifetime,
        issued_at=created_at,
        age_add=age_add,
    )


class GnuTLSTicketKeys:
    """The ``ticket_keys`` of a server that takes the place of one in GnuTLS, or stands beside it.

    GnuTLS's TLS 1.3 tickets open, with SUCCESS_RENEW; ``sealing`` seals, and opens its own, which GnuTLS does not.
    A client's certificate in one of GnuTLS's tickets is not seen: where one is asked for its session does not resume.

    Safe to be used by many threads if ``sealing`` is.
    """

    codec: SessionCodec
    """GnuTLS's, and that of ``sealing``."""

    def __init__(
        self,
        secret: bytes,
        sealing: TicketKeys,
        *,
        expiration: int = EXPIRATION,
        resume_unbound: bool = False,
    ) -> None:
        """``secret``: GnuTLS's 64 bytes.  ``expiration``: seconds that its sessions live, as it was told by
        ``gnutls_db_set_cache_expiration``.

        ``resume_unbound``: GnuTLS's sessions are bound to no server name and to no session id context; they resume here
        under the name that their client asks for and in the context of this server.  ConfigError names what is wrong.
        """
        self._secret = as_bytes("secret", secret)
        if len(self._secret) != SECRET_LENGTH:
            raise ConfigError(
                "secret", f"{len(self._secret)} bytes; a ticket key of GnuTLS has {SECRET_LENGTH}"
            )
        check_kind("expiration", expiration, int, "whole seconds")
        if expiration < 1:
            raise ConfigError("expiration", f"{quoted(expiration)}; expected a second at least")
        check_kind("resume_unbound", resume_unbound, bool, "True or False")
        for name in ("seal", "open", "codec"):
            if not hasattr(sealing, name):
                kind = type(sealing).__name__
                raise ConfigError("sealing", f"a value of type {kind} has no {name}; expected TicketKeys")
        self._period = PERIODS * expiration
        self.sealing = sealing
        self.codec = GnuTLSCodec(sealing.codec, resume_unbound)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(sealing={self.sealing!r})"

    def seal(self, plaintext: bytes, now: float, entropy: Entropy) -> bytes:
        """A ticket of ``sealing``."""
        return self.sealing.seal(plaintext, now, entropy)

    def open(self, ticket: bytes, now: float) -> OpenedTicket:
        """See ``TicketKeys.open``."""
        number = int(now) // self._period
        for period in (number, number - 1):
            key = sha3_512(max(0, period).to_bytes(8) + self._secret).digest()
            name = key[:KEY_NAME_LENGTH]
            if ticket[:KEY_NAME_LENGTH] == name:
                plaintext = _opened(ticket, key[KEY_NAME_LENGTH:48], key[48:])
                if plaintext is None:
                    return OpenedTicket.failed(ticket)
                return OpenedTicket(TicketStatus.SUCCESS_RENEW, name, MARK + plaintext)
        return self.sealing.open(ticket, now)


def _opened(ticket: bytes, aes_key: bytes, hmac_key: bytes) -> bytes | None:
    """The plaintext, with the zeros behind it; None for what was altered."""
    body, mac = ticket[:-MAC_LENGTH], ticket[-MAC_LENGTH:]
    if not hmac.compare_digest(hmac.digest(hmac_key, body, "sha1"), mac):
        return None
    encrypted = body[HEAD:]
    if not encrypted or len(encrypted) % BLOCK or len(encrypted) != int.from_bytes(body[HEAD - 2 : HEAD]):
        return None
    decryptor = Cipher(AES(aes_key), CBC(body[KEY_NAME_LENGTH : KEY_NAME_LENGTH + BLOCK])).decryptor()
    return decryptor.update(encrypted) + decryptor.finalize()
