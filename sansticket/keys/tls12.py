"""The key schedule of TLS 1.2: one master secret, and what the PRF makes of it.

RFC 5246 sections 5, 6.3, 7.4.9 and 8.1, with the extended master secret of RFC 7627 and the exporter of
RFC 5705.  There is no staircase: a ``MasterSecret`` is there after the key exchange, or comes out of a
session, and everything follows from it and the two randoms of the connection.
"""

from attrs import Factory, field

from sansticket.crypto.hkdf import Expander, prf12
from sansticket.crypto.suites import SuiteParameters, TrafficKeys
from sansticket.errors import LocalProtocolError
from sansticket.text import quoted
from sansticket.values import frozen, value

MASTER_SECRET_LENGTH = 48
"""Bytes (RFC 5246 section 8.1)."""

VERIFY_DATA_LENGTH = 12
"""Bytes of a Finished (RFC 5246 section 7.4.9)."""

_RESERVED_LABELS = frozenset(
    (b"client finished", b"server finished", b"master secret", b"extended master secret", b"key expansion")
)
"""Labels of the protocol itself, which an exporter must not use (RFC 5705 section 4, RFC 7627)."""


@frozen
class ConnectionKeys:
    """What protects the two directions after their change_cipher_spec."""

    client: TrafficKeys
    server: TrafficKeys


@frozen
class MasterSecret:
    """The master secret of a TLS 1.2 session: 48 bytes, the same in every connection that resumes it."""

    hash_name: str
    secret: bytes = field(repr=False)
    # Not part of the value: the key of three PRFs in a handshake, made ready once.
    _prf: Expander = field(
        default=Factory(lambda self: Expander(self.hash_name, self.secret), takes_self=True),
        init=False,
        eq=False,
        repr=False,
    )

    @classmethod
    def plain(
        cls, hash_name: str, premaster_secret: bytes, client_random: bytes, server_random: bytes
    ) -> "MasterSecret":
        """From the key exchange and the randoms (RFC 5246 section 8.1)."""
        seed = client_random + server_random
        return cls(
            hash_name, prf12(hash_name, premaster_secret, b"master secret", seed, MASTER_SECRET_LENGTH)
        )

    @classmethod
    def extended(cls, hash_name: str, premaster_secret: bytes, session_hash: bytes) -> "MasterSecret":
        """From the key exchange and the hash of ClientHello...ClientKeyExchange (RFC 7627 section 4)."""
        label = b"extended master secret"
        return cls(hash_name, prf12(hash_name, premaster_secret, label, session_hash, MASTER_SECRET_LENGTH))

    def connection_keys(
        self, suite: SuiteParameters, client_random: bytes, server_random: bytes
    ) -> ConnectionKeys:
        """The key block, cut up (RFC 5246 section 6.3): AEAD suites have no MAC keys in it.

        The IVs are the implicit 4 bytes for AES-GCM, the whole 12 bytes for ChaCha20-Poly1305.
        """
        key, iv = suite.key_length, suite.iv_length
        seed = server_random + client_random
        block = self._prf.prf12(b"key expansion", seed, 2 * (key + iv))
        ivs = block[2 * key :]
        return ConnectionKeys(
            client=TrafficKeys(block[:key], ivs[:iv]), server=TrafficKeys(block[key : 2 * key], ivs[iv:])
        )

    def verify_data(self, transcript_hash: bytes, *, server: bool) -> bytes:
        """That of one side, over the handshake messages before its Finished (RFC 5246 section 7.4.9)."""
        label = b"server finished" if server else b"client finished"
        return self._prf.prf12(label, transcript_hash, VERIFY_DATA_LENGTH)

    def export(
        self, client_random: bytes, server_random: bytes, label: bytes, context: bytes | None, length: int
    ) -> bytes:
        """Keying material for the application (RFC 5705 section 4).

        ``context`` has at most 65535 bytes; None and an empty one give different results here, unlike in
        TLS 1.3.  ``length`` is at least 1, the label may be empty.  Out of range, or a label that the protocol uses
        itself: LocalProtocolError.
        """
        if label in _RESERVED_LABELS:
            raise LocalProtocolError(f"{quoted(label)} cannot be an exporter label")
        if length < 1:
            raise LocalProtocolError(f"an exporter gives 1 byte or more, not {length}")
        seed = client_random + server_random
        if context is not None:
            if len(context) > 0xFFFF:
                raise LocalProtocolError(f"an exporter context has at most 65535 bytes, not {len(context)}")
            seed += len(context).to_bytes(2) + context
        return self._prf.prf12(label, seed, length)


@value
class Exporter:
    """What the exporter of TLS 1.2 works with (RFC 5705)."""

    master: MasterSecret
    client_random: bytes
    server_random: bytes

    def export(self, label: bytes, context: bytes | None, length: int) -> bytes:
        return self.master.export(self.client_random, self.server_random, label, context, length)
