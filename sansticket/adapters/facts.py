"""What an SSLObject knows of its connection: what was agreed on, and who the peer is."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from typing import Any, Final, Literal, overload

from cryptography.hazmat.primitives.serialization import Encoding

from sansticket.adapters.certificates import as_dictionary
from sansticket.adapters.ciphers import CIPHERS, VERSION_NAMES, CipherTuple, cipher_tuples
from sansticket.adapters.profile import Profile
from sansticket.codes import ProtocolVersion
from sansticket.connection.client import ClientConnection
from sansticket.connection.server import ServerConnection
from sansticket.crypto.verification import verify_client_chain, verify_server_chain
from sansticket.errors import Fault, LocalProtocolError
from sansticket.events import ConnectionTerminated, HandshakeCompleted
from sansticket.text import quoted

CHANNEL_BINDING_TYPES: Final = ["tls-exporter"]
"""What ``get_channel_binding`` knows: RFC 9266.  tls-unique is not defined for TLS 1.3 (RFC 9846 appendix C.5)."""


class Facts(ssl.SSLObject):
    """The members of an SSLObject that tell and change nothing."""

    _profile: Profile
    _server_side: bool
    _server_hostname: str | None
    _connection: ClientConnection | ServerConnection | None
    _completed: HandshakeCompleted | None
    _completed_at: float
    _offered: tuple[int, ...]
    _termination: ConnectionTerminated | None

    # --- what was agreed on --------------------------------------------------------------------------------------

    def version(self) -> str | None:
        """``TLSv1.3`` or ``TLSv1.2``; None until the handshake is done."""
        done = self._completed
        return VERSION_NAMES[ProtocolVersion(done.version)] if done is not None else None

    def cipher(self) -> CipherTuple | None:
        """Name, protocol version and secret bits of the cipher suite."""
        done = self._completed
        return CIPHERS[done.cipher_suite].as_tuple() if done is not None else None

    def shared_ciphers(self) -> list[CipherTuple] | None:
        """A server's: what the client offers and we have too, in its order; None on a client."""
        if not self._server_side or self._completed is None:
            return None
        config = self._profile.config
        ours = {suite for version in config.usable_versions for suite in config.suites_of(version)}
        return cipher_tuples(suite for suite in self._offered if suite in ours)

    def compression(self) -> None:
        """None: there is no compression."""
        return None

    def selected_alpn_protocol(self) -> str | None:
        protocol = self._completed.alpn_protocol if self._completed is not None else None
        return protocol.decode("utf-8", "backslashreplace") if protocol is not None else None

    def selected_npn_protocol(self) -> None:
        """None: NPN is history."""
        return None

    def get_channel_binding(self, cb_type: str = "tls-unique") -> bytes | None:
        """``tls-exporter`` (RFC 9266), 32 bytes; None until the handshake is done, when the connection has failed or
        both sides have closed it, and in TLS 1.2 without extended master secret (RFC 7627 section 5.4).

        ValueError for other types.
        """
        if cb_type not in CHANNEL_BINDING_TYPES:
            raise ValueError(f"{quoted(cb_type)} channel binding type not implemented")
        if self._connection is None or self._completed is None or self._termination is not None:
            return None
        try:
            return self._connection.tls_exporter()
        except LocalProtocolError:
            return None

    # --- certificates --------------------------------------------------------------------------------------------

    @overload
    def getpeercert(self, binary_form: Literal[False] = False) -> dict[str, Any] | None: ...
    @overload
    def getpeercert(self, binary_form: Literal[True]) -> bytes | None: ...
    @overload
    def getpeercert(self, binary_form: bool) -> dict[str, Any] | bytes | None: ...

    def getpeercert(self, binary_form: bool = False) -> dict[str, Any] | bytes | None:
        """The peer's certificate; None if there is none, and {} for one that was not verified.

        In DER with ``binary_form``, whether verified or not.
        """
        if self._completed is None:
            raise ValueError("handshake not done yet")
        chain = self.get_unverified_chain()
        if not chain:
            return None
        if binary_form:
            return chain[0]
        return as_dictionary(chain[0]) if self._profile.verifies else {}

    def get_unverified_chain(self) -> list[bytes]:
        """The peer's certificates as it sent them, in DER."""
        return list(self._connection.peer_certificates) if self._connection is not None else []

    def get_verified_chain(self) -> list[bytes]:
        """The path from the peer's certificate to a trust anchor, in DER; [] if there is none.

        Where nothing is verified, or the application does it, the same as ``get_unverified_chain``.
        """
        chain, config = self.get_unverified_chain(), self._profile.live
        anchors = config.trust_anchors
        if self._connection is None or not chain or not self._profile.verifies or anchors is None:
            return chain
        moment = datetime.fromtimestamp(self._completed_at, UTC)
        try:
            if self._server_side:
                path = verify_client_chain(chain, anchors, moment, config.min_rsa_bits)
            else:
                name = self._connection.server_name if self._profile.checks_name else None
                path = verify_server_chain(chain, anchors, name, moment, config.min_rsa_bits)
        except Fault:
            return []
        return [certificate.public_bytes(Encoding.DER) for certificate in path]
