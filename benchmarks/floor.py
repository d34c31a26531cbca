"""The floor: only the primitives that both sides of a handshake need, called through ``cryptography``.

No Python on top of ``cryptography`` can be faster.  There are no messages here, no states and no checks: the
same numbers again and again.  Each primitive is called in the way that was measured to be the fastest.
"""

from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.x509.verification import PolicyBuilder, Store

from benchmarks.contenders import AUTHORITY, IDENTITY, SERVER_NAME

RECORD = 16_384
_SHA256 = SHA256()
_PREHASHED = ec.ECDSA(Prehashed(_SHA256))
_LABEL = b"\x00\x20\x0ctls13 s label" + b"\x20" + bytes(32) + b"\x01"

CLIENT_HELLO, SERVER_HELLO, ENCRYPTED_EXTENSIONS, SIGNATURE, FINISHED, TICKET = (
    bytes(length) for length in (300, 122, 20, 80, 36, 200)
)
"""Messages of the usual sizes, in bytes."""


def _hmac(key: bytes, data: bytes) -> bytes:
    keyed = HMAC(key, _SHA256)
    keyed.update(data)
    return keyed.finalize()


def _expand(secret: bytes, count: int) -> list[bytes]:
    """HKDF-Expand-Label, several from one secret: it is keyed once."""
    keyed = HMAC(secret, _SHA256)
    made = []
    for _ in range(count):
        one = keyed.copy()
        one.update(_LABEL)
        made.append(one.finalize())
    return made


class Floor:
    name = "floor"

    def __init__(self) -> None:
        self._chain = IDENTITY.chain_der
        self._key = IDENTITY.key
        self._store = Store([AUTHORITY.certificate])
        self._name = x509.DNSName(SERVER_NAME)
        self._ticket_key = os.urandom(32)

    def full(self) -> None:
        secret = self._key_exchange()
        self._key_schedule(secret, tickets=2)
        self._transcript(CLIENT_HELLO, SERVER_HELLO, ENCRYPTED_EXTENSIONS, b"".join(self._chain), SIGNATURE)
        self._authentication()
        self._protection(records=4)
        self._seal_tickets(2)

    def resumed(self) -> None:
        self._open_ticket()
        for _ in range(2):
            _hmac(_hmac(bytes(32), bytes(32)), bytes(32))  # the binder and its key
        secret = self._key_exchange()
        self._key_schedule(secret, tickets=1)
        self._transcript(CLIENT_HELLO + TICKET, SERVER_HELLO, ENCRYPTED_EXTENSIONS)
        self._protection(records=3)
        self._seal_tickets(1)

    def _authentication(self) -> None:
        """A signature, and on the other side its verification and that of the chain."""
        digest = hashlib.sha256(b"signed").digest()
        signature = self._key.sign(digest, _PREHASHED)
        leaf = x509.load_der_x509_certificate(self._chain[0])
        verifier = (
            PolicyBuilder().store(self._store).time(datetime.now(UTC)).build_server_verifier(self._name)
        )
        verifier.verify(leaf, [])
        public_key = leaf.public_key()
        assert isinstance(public_key, ec.EllipticCurvePublicKey)
        public_key.verify(signature, digest, _PREHASHED)

    def _key_exchange(self) -> bytes:
        """X25519 on both sides."""
        client, server = X25519PrivateKey.generate(), X25519PrivateKey.generate()
        client_share = client.public_key().public_bytes_raw()
        server_share = server.public_key().public_bytes_raw()
        server.exchange(X25519PublicKey.from_public_bytes(client_share))
        return client.exchange(X25519PublicKey.from_public_bytes(server_share))

    def _key_schedule(self, shared_secret: bytes, tickets: int) -> None:
        """RFC 9846 section 7.1 on both sides, to the PSK of each ticket."""
        for _ in range(2):
            early = _hmac(bytes(32), bytes(32))
            handshake = _hmac(_expand(early, 1)[0], shared_secret)
            client, server, derived = _expand(handshake, 3)
            for traffic in (client, server):
                _key, _iv, finished = _expand(traffic, 3)
                _hmac(finished, b"transcript hash")
            master = _hmac(derived, bytes(32))
            client, server, _exporter, resumption = _expand(master, 4)
            for traffic in (client, server):
                _expand(traffic, 2)
            _expand(resumption, tickets)

    def _transcript(self, *messages: bytes) -> None:
        """The hash of all messages on both sides, with its value at the five points that need one."""
        for _ in range(2):
            transcript = hashlib.sha256()
            for message in (*messages, FINISHED, FINISHED):
                transcript.update(message)
                transcript.digest()

    def _protection(self, records: int) -> None:
        """Keys of both epochs, directions and sides; each record is sealed and opened."""
        sealers = [AESGCM(bytes(16)) for _ in range(4)]
        openers = [AESGCM(bytes(16)) for _ in range(4)]
        for number in range(records):
            body = sealers[number].encrypt(bytes(12), TICKET, b"5 bytes")
            openers[number].decrypt(bytes(12), body, b"5 bytes")

    def _seal_tickets(self, count: int) -> None:
        for _ in range(count):
            AESGCM(_hmac(self._ticket_key, os.urandom(24))).encrypt(bytes(12), TICKET, b"name")

    def _open_ticket(self) -> None:
        aead = AESGCM(_hmac(self._ticket_key, bytes(24)))
        aead.decrypt(bytes(12), aead.encrypt(bytes(12), TICKET, b"name"), b"name")

    def idle_server(self) -> object:
        """What no server can do without: the keys of both directions."""
        return AESGCM(os.urandom(16)), AESGCM(os.urandom(16))


class FloorPair:
    """Nothing but the AEAD, record by record: no headers, no joining, no buffers."""

    def __init__(self, aead: type[AESGCM | ChaCha20Poly1305], key_length: int) -> None:
        key = os.urandom(key_length)
        self._encrypt = aead(key).encrypt
        self._decrypt = aead(key).decrypt

    def transfer(self, data: bytes) -> int:
        arrived = 0
        nonce, header = bytes(12), bytes(5)
        for start in range(0, len(data), RECORD):
            record = data[start : start + RECORD]
            arrived += len(self._decrypt(nonce, self._encrypt(nonce, record, header), header))
        return arrived

    def echo(self, data: bytes) -> int:
        self.transfer(data)
        return self.transfer(data)
