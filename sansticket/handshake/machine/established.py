"""What both sides know of a connection once it is up."""

from __future__ import annotations

from attrs import field

from sansticket.crypto.suites import SuiteParameters
from sansticket.events import HandshakeCompleted
from sansticket.keys import tls12, tls13
from sansticket.tickets.records import ResumptionRecord
from sansticket.tickets.session import Session
from sansticket.values import value


@value
class Established:
    """The result of a handshake, as the connection's properties show it.

    ``resumed_session`` is None after a full handshake, ``exporter`` when the connection has ended.
    ``extended_master_secret`` says that the keys depend on the whole handshake (RFC 7627), as they always do in
    TLS 1.3.
    """

    version: int
    suite: SuiteParameters
    group: int
    alpn_protocol: bytes | None
    server_name: str | None
    session_id_context: bytes
    peer_certificates: tuple[bytes, ...] = field(repr=False)
    resumed_session: Session | None
    authenticated_at: float
    exporter: tls12.Exporter | tls13.Exporter | None
    extended_master_secret: bool = True
    psk_identity: bytes | None = None
    """Of the external PSK that authenticates, or did when the session was made."""
    family: bytes = b""
    generation: int = 0
    """Of the sessions that the connection issues, see ``Session.family``; server only."""
    ocsp_response: bytes | None = field(default=None, repr=False)
    """What the server has stapled to its certificate."""

    def completed(self, record: ResumptionRecord) -> HandshakeCompleted:
        """The event that says so."""
        return HandshakeCompleted(
            version=self.version,
            cipher_suite=self.suite.suite,
            group=self.group,
            alpn_protocol=self.alpn_protocol,
            server_name=self.server_name,
            peer_certificates=self.peer_certificates,
            session=self.resumed_session,
            record=record,
            psk_identity=self.psk_identity,
            ocsp_response=self.ocsp_response,
        )
