"""The key schedule of TLS 1.3 as a staircase of types (RFC 9846 section 7.1).

                 0
                 |
    PSK or 0 -> Extract = EarlySecret ------> binder keys, client early traffic, early exporter
                 |
    (EC)DHE  -> Extract = HandshakeSecret --> handshake traffic of both sides
                 |
    0        -> Extract = MasterSecret -----> application traffic of both sides, exporter, resumption

Each step has only the secrets that exist then and leads to the next; there is no way back up.  Everything
named ``transcript_hash`` is the hash of the messages up to the point that the method's text names.
"""

from functools import lru_cache
from typing import Final

from attrs import field

from sansticket.crypto.hkdf import (
    EMPTY_HASHES,
    HASH_LENGTHS,
    derive_secret,
    expand_label,
    expand_two,
    hash_digest,
    hkdf_extract,
    hmac_digest,
    two_labels,
)
from sansticket.crypto.suites import SuiteParameters, TrafficKeys
from sansticket.errors import LocalProtocolError
from sansticket.values import frozen, value

IV_LENGTH: Final = 12
"""Bytes of an IV: every AEAD of TLS 1.3 has a nonce of that length (RFC 9846 section 5.3)."""

HANDSHAKE_LABELS: Final = {
    size: two_labels(b"c hs traffic", size, b"s hs traffic", size, size) for size in HASH_LENGTHS.values()
}
APPLICATION_LABELS: Final = {
    size: two_labels(b"c ap traffic", size, b"s ap traffic", size, size) for size in HASH_LENGTHS.values()
}
"""By the length of the hash in bytes, as those before."""

KEY_AND_IV: Final = {size: two_labels(b"key", size, b"iv", IV_LENGTH, 0) for size in (16, 32)}
"""By the length of the key in bytes."""


@frozen
class HandshakeTraffic:
    """client_handshake_traffic_secret and server_handshake_traffic_secret."""

    client: bytes = field(repr=False)
    server: bytes = field(repr=False)

    @property
    def named(self) -> dict[str, bytes]:
        """By their names in a key log."""
        return {
            "CLIENT_HANDSHAKE_TRAFFIC_SECRET": self.client,
            "SERVER_HANDSHAKE_TRAFFIC_SECRET": self.server,
        }


@frozen
class ApplicationTraffic:
    """client_application_traffic_secret_0 and server_application_traffic_secret_0."""

    client: bytes = field(repr=False)
    server: bytes = field(repr=False)

    @property
    def named(self) -> dict[str, bytes]:
        """By their names in a key log."""
        return {"CLIENT_TRAFFIC_SECRET_0": self.client, "SERVER_TRAFFIC_SECRET_0": self.server}


@frozen
class MasterSecret:
    """The last step: what the connection, its exporters and its tickets live on."""

    hash_name: str
    secret: bytes = field(repr=False)

    def traffic(self, transcript_hash: bytes) -> ApplicationTraffic:
        """The first application traffic secrets; ClientHello...server Finished."""
        labels = APPLICATION_LABELS[len(transcript_hash)]
        return ApplicationTraffic(*expand_two(self.hash_name, self.secret, transcript_hash, labels))

    def exporter(self, transcript_hash: bytes) -> bytes:
        """exporter_secret, for ``export``; ClientHello...server Finished."""
        return derive_secret(self.hash_name, self.secret, b"exp master", transcript_hash)

    def resumption(self, transcript_hash: bytes) -> bytes:
        """resumption_secret, for ``resumption_psk``; ClientHello...client Finished."""
        return derive_secret(self.hash_name, self.secret, b"res master", transcript_hash)


@frozen
class HandshakeSecret:
    """The middle step: there is a shared secret, and nobody is authenticated yet."""

    hash_name: str
    secret: bytes = field(repr=False)

    def traffic(self, transcript_hash: bytes) -> HandshakeTraffic:
        """The handshake traffic secrets; ClientHello...ServerHello."""
        labels = HANDSHAKE_LABELS[len(transcript_hash)]
        return HandshakeTraffic(*expand_two(self.hash_name, self.secret, transcript_hash, labels))

    def master(self) -> MasterSecret:
        """The last step, for which nothing new is needed."""
        salt = derive_secret(self.hash_name, self.secret, b"derived", EMPTY_HASHES[self.hash_name])
        return MasterSecret(self.hash_name, hkdf_extract(self.hash_name, salt, bytes(len(salt))))


@frozen
class EarlySecret:
    """The first step: a PSK or none, before any key exchange."""

    hash_name: str
    secret: bytes = field(repr=False)

    @classmethod
    def without_psk(cls, hash_name: str) -> "EarlySecret":
        """The early secret of a handshake without PSK: as good as public."""
        return _early_secret_without_psk(hash_name)

    @classmethod
    def from_psk(cls, hash_name: str, psk: bytes) -> "EarlySecret":
        """The early secret of a handshake that offers or uses ``psk`` (of any length)."""
        return cls(hash_name, hkdf_extract(hash_name, b"", psk))

    def binder_key(self, label: bytes = b"res binder") -> bytes:
        """binder_key, for ``binder``, of a PSK from a ticket, or of an external one (``ExternalPsk.binder_label``)."""
        return derive_secret(self.hash_name, self.secret, label, EMPTY_HASHES[self.hash_name])

    def client_early_traffic(self, transcript_hash: bytes) -> bytes:
        """client_early_traffic_secret; ClientHello."""
        return derive_secret(self.hash_name, self.secret, b"c e traffic", transcript_hash)

    def early_exporter(self, transcript_hash: bytes) -> bytes:
        """early_exporter_secret, for ``export`` of 0-RTT; ClientHello."""
        return derive_secret(self.hash_name, self.secret, b"e exp master", transcript_hash)

    def handshake(self, shared_secret: bytes) -> HandshakeSecret:
        """The next step, with the result of the key exchange (or a hash's length of zeros for psk_ke)."""
        salt = derive_secret(self.hash_name, self.secret, b"derived", EMPTY_HASHES[self.hash_name])
        return HandshakeSecret(self.hash_name, hkdf_extract(self.hash_name, salt, shared_secret))


@lru_cache(maxsize=len(HASH_LENGTHS))
def _early_secret_without_psk(hash_name: str) -> EarlySecret:
    return EarlySecret.from_psk(hash_name, bytes(HASH_LENGTHS[hash_name]))


def traffic_keys(suite: SuiteParameters, secret: bytes) -> TrafficKeys:
    """Key and IV of one direction from its traffic secret (RFC 9846 section 7.3)."""
    return TrafficKeys(*expand_two(suite.hash_name, secret, b"", KEY_AND_IV[suite.key_length]))


def next_traffic_secret(hash_name: str, secret: bytes) -> bytes:
    """application_traffic_secret_N+1 from the one before, at a KeyUpdate (RFC 9846 section 7.2)."""
    return derive_secret(hash_name, secret, b"traffic upd", b"")


def finished_mac(hash_name: str, base_secret: bytes, transcript_hash: bytes) -> bytes:
    """verify_data of a Finished, from the traffic secret of its sender (RFC 9846 section 4.5.3)."""
    finished_key = derive_secret(hash_name, base_secret, b"finished", b"")
    return hmac_digest(hash_name, finished_key, transcript_hash)


binder: Final = finished_mac
"""One PSK binder, over the transcript that ends before the binders (RFC 9846 section 4.3.11.2): made as a Finished is,
with the binder key in the place of the traffic secret."""


def resumption_psk(hash_name: str, resumption_secret: bytes, nonce: bytes) -> bytes:
    """The PSK of one ticket; ``nonce`` is its ticket_nonce of 0 to 255 bytes (RFC 9846 section 4.7.1)."""
    return derive_secret(hash_name, resumption_secret, b"resumption", nonce)


def export(hash_name: str, exporter_secret: bytes, label: bytes, context: bytes, length: int) -> bytes:
    """Keying material for the application (RFC 9846 section 7.5).

    ``label`` has 1 to 249 bytes, ``context`` any number (no context and an empty one are the same here),
    ``length`` is 1 to 255 times the hash's length in bytes.  Out of these ranges: LocalProtocolError.
    """
    hash_length = HASH_LENGTHS[hash_name]
    if not 1 <= len(label) <= 249:
        raise LocalProtocolError(f"an exporter label has 1 to 249 bytes, not {len(label)}")
    if not 1 <= length <= 255 * hash_length:
        raise LocalProtocolError(f"an exporter gives 1 to {255 * hash_length} bytes, not {length}")
    secret = derive_secret(hash_name, exporter_secret, label, EMPTY_HASHES[hash_name])
    return expand_label(hash_name, secret, b"exporter", hash_digest(hash_name, context), length)


@value
class Exporter:
    """The exporter_secret of TLS 1.3 (RFC 9846 section 7.5)."""

    hash_name: str
    secret: bytes = field(repr=False)

    def export(self, label: bytes, context: bytes | None, length: int) -> bytes:
        return export(self.hash_name, self.secret, label, context or b"", length)
