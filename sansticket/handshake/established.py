"""What both sides know of a connection once it is up."""

from __future__ import annotations

from attrs import field, frozen

from sansticket.crypto.suites import SuiteParameters
from sansticket.events import HandshakeCompleted
from sansticket.tickets.records import ResumptionRecord
from sansticket.tickets.session import Session


@frozen
class Established:
    """The result of a handshake, as the connection's properties show it.

    ``exporter_secret`` is the exporter_secret of TLS 1.3.  ``resumed_session`` is None after a full handshake.
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
    exporter_secret: bytes = field(repr=False)

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
        )
