"""What the application's protocol writes to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from cryptography import x509
from twisted.internet.interfaces import IConsumer, INegotiated, IPushProducer
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from sansticket import Close, Command, Connection, LocalProtocolError, SendData

if TYPE_CHECKING:
    from sansticket_wrappers.twisted.protocol import TLSProtocol

log = Logger()


@implementer(INegotiated, IConsumer, IPushProducer)
class TLSTransport:
    """What the application's protocol writes to.

    ``connection`` is the ``Connection``, which knows what was agreed on: ``version``, ``resumed``, ``session``,
    ``peer_certificates`` and so on.
    """

    def __init__(self, tls: TLSProtocol) -> None:
        self.connection: Connection = tls.connection
        self.disconnecting: bool = False
        self._tls = tls
        self._write_closing = False
        self._write_closed = False
        self._producer: Any = None
        self._streaming = False
        self._may_produce = True
        self._pull: Any = None

    @property
    def negotiatedProtocol(self) -> bytes | None:
        return self.connection.alpn_protocol

    @property
    def truncated(self) -> bool:
        """Whether the peer's stream ended without close_notify."""
        return self._tls.truncated

    def getPeerCertificate(self) -> x509.Certificate | None:
        chain = self.connection.peer_certificates
        return x509.load_der_x509_certificate(chain[0]) if chain else None

    def command(self, command: Command) -> None:
        """Any command besides data and the end: ``IssueTicket``, ``UpdateKeys`` and so on."""
        self._tls.do(command)

    def write(self, data: bytes) -> None:
        self.writeSequence((data,))

    def writeSequence(self, data: Iterable[bytes]) -> None:
        together = b"".join(data)
        if together and not self._write_closed:
            try:
                self._tls.do(SendData(together))
            except LocalProtocolError:
                # The end may have come together with what is answered.
                if self._tls.connection.state != "Ended":
                    raise

    def loseWriteConnection(self) -> None:
        self._write_closing = True
        self._close()

    def loseConnection(self) -> None:
        if not self.disconnecting:
            self.disconnecting = True
            self._close()

    def abortConnection(self) -> None:
        self.disconnecting = True
        self._tls.abort()

    def _close(self) -> None:
        """After the last byte of the producer."""
        if self._producer is None:
            self._write_closed = True
            self._tls.do(Close())

    # --- IPushProducer: of what the peer sends.  The end of the stream may still be told to a paused protocol.

    def pauseProducing(self) -> None:
        self._tls.reading_paused = True
        self._tls.update_flow()

    def resumeProducing(self) -> None:
        self._tls.reading_paused = False
        self._tls.read_on()

    def stopProducing(self) -> None:
        """Whoever consumed it is gone, and where it produced as well (a proxy), no last byte is to be waited for."""
        self.end_producing()
        self.disconnecting = True
        self._close()

    # --- IConsumer: of what the application's producer writes

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        if self._producer is not None:
            raise RuntimeError(
                f"{producer} cannot be registered: {self._producer} is, and was not unregistered"
            )
        if self._write_closed or self._tls.ending:
            producer.stopProducing()
            return
        self._producer, self._streaming, self._may_produce = producer, streaming, True
        self._tls.update_flow()

    def unregisterProducer(self) -> None:
        if self._producer is not None:
            self._producer = None
            if self._write_closing or self.disconnecting:
                self._close()

    def let_produce(self, allowed: bool) -> None:
        """A push producer is told when that changes; a pull producer is asked as long as it is allowed to write."""
        changed, self._may_produce = allowed != self._may_produce, allowed
        if self._producer is None:
            return
        if not self._streaming:
            if allowed and self._pull is None:
                self._pull = self._tls.reactor.callLater(0, self._pull_once)
        elif changed:
            tell = self._producer.resumeProducing if allowed else self._producer.pauseProducing
            tell()

    def _pull_once(self) -> None:
        self._pull = None
        if self._producer is None or self._streaming or not self._may_produce:
            return  # it is another one by now, or has to wait
        try:
            self._producer.resumeProducing()
        except Exception:
            log.failure("producer failed")
            self._tls.give_up(Failure())
        self._tls.update_flow()

    def end_producing(self) -> None:
        """Nobody is there to write to."""
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.stopProducing()

    # --- ITCPTransport

    def getPeer(self) -> Any:
        return self._tls.transport.getPeer()

    def getHost(self) -> Any:
        return self._tls.transport.getHost()

    def getTcpNoDelay(self) -> bool:
        enabled: bool = self._tls.transport.getTcpNoDelay()
        return enabled

    def setTcpNoDelay(self, enabled: bool) -> None:
        self._tls.transport.setTcpNoDelay(enabled)

    def getTcpKeepAlive(self) -> bool:
        enabled: bool = self._tls.transport.getTcpKeepAlive()
        return enabled

    def setTcpKeepAlive(self, enabled: bool) -> None:
        self._tls.transport.setTcpKeepAlive(enabled)
