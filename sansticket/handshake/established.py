"""What both sides know of a connection once it is up."""

from __future__ import annotations

from attrs import field

from sansticket.crypto.suites import SuiteParameters
from sansticket.events import HandshakeCompleted
from sansticket.keys.schedule12 import MasterSecret12
from sansticket.keys.schedule13 import export
from sansticket.tickets.records import ResumptionRecord
from sansticket.tickets.session import Session
from sansticket.values import value


@value
class Exporter13:
    """The exporter_secret of TLS 1.3 (RFC 9846 section 7.5)."""

    hash_name: str
    secret: bytes = field(repr=False)

    def export(self, label: bytes, context: bytes | None, length: int) -> bytes:
        return export(self.hash_name, self.secret, label, context or b"", length)


@value
class Exporter12:
    """What the exporter of TLS 1.2 works with (RFC 5705)."""

    master: MasterSecret12
    client_random: bytes
    server_random: bytes

    def export(self, label: bytes, context: bytes | None, length: int) -> bytes:
        return self.master.export(self.client_random, self.server_random, label, context, length)


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
    exporter: Exporter12 | Exporter13 | None
    extended_master_secret: bool = True

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
