"""The floor of TLS 1.2: the primitives of its handshakes, as in ``floor``."""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

from benchmarks.floor import CLIENT_HELLO, FINISHED, SERVER_HELLO, SIGNATURE, TICKET, Floor

KEY_EXCHANGE = bytes(40)
"""A message of the usual size, in bytes."""


def _prf(secret: bytes, *blocks: int) -> None:
    """RFC 5246 section 5: outputs of so many blocks of 32 bytes from one secret, which is keyed once."""
    keyed = HMAC(secret, SHA256())
    for count in blocks:
        for _ in range(2 * count):
            one = keyed.copy()
            one.update(b"label and seed")
            one.finalize()


class FloorOfTLS12(Floor):
    def full(self) -> None:
        self._key_exchange()
        for _ in range(2):
            _prf(bytes(32), 2)  # the master secret
            _prf(bytes(48), 2, 1, 1)  # the key block and both Finished
        chain = b"".join(self._chain)
        self._transcript(CLIENT_HELLO, SERVER_HELLO, chain, KEY_EXCHANGE + SIGNATURE, KEY_EXCHANGE, TICKET)
        self._authentication()
        self._protection_of_one_epoch()
        self._seal_tickets(1)

    def resumed(self) -> None:
        self._open_ticket()
        for _ in range(2):
            _prf(bytes(48), 2, 1, 1)
        self._transcript(CLIENT_HELLO + TICKET, SERVER_HELLO)
        self._protection_of_one_epoch()

    def _protection_of_one_epoch(self) -> None:
        """Keys of both directions and sides; each Finished is sealed and opened."""
        for _ in range(2):
            body = AESGCM(bytes(16)).encrypt(bytes(12), FINISHED, b"13 bytes")
            AESGCM(bytes(16)).decrypt(bytes(12), body, b"13 bytes")
