"""Twisted over sansticket: endpoints that put TLS on top of other endpoints, for any Protocol and Factory.

    server = TLSServerEndpoint(reactor, TCP4ServerEndpoint(reactor, 4433), config)
    await server.listen(Site(resource))

    client = TLSClientEndpoint(reactor, HostnameEndpoint(reactor, "example.org", 443), config, "example.org")
    protocol = await client.connect(factory)

On each connection one protocol, which ``TLSFactory`` builds, stands in between:

    the transport below  <->  TLSProtocol and TLSTransport  <->  the application's Protocol

The application's protocol is built and connected when the handshake is done, so it never sees a connection that
it cannot trust, and ``transport.connection`` knows all that was agreed on from the start.  Its transport is like
that of TCP: producers of both kinds, half-closes for an ``IHalfCloseableProtocol``, ``loseConnection`` after all
that was written and produced, ``abortConnection`` at once.

Time-outs and cancellation: a handshake that takes longer than ``timeout`` seconds, and an answer of the
application (or an observer) that does, end the connection with an alert.  So does a cancelled ``connect``.

The end: what is said last (close_notify or an alert) is written, then the sending half of the transport below is
closed, and what still comes is dropped until the peer closes too, or ``linger`` seconds have passed.  A socket
closed with unread bytes in it would send RST, and RST can destroy what the peer has not read yet: the alert.
After the peer's close_notify nothing is waited for, because nothing can come.

Any stands for a provider of one of Twisted's interfaces: they are zope's, and no types.
"""

from sansticket_wrappers.twisted.endpoints import TLSClientEndpoint, TLSFactory, TLSServerEndpoint
from sansticket_wrappers.twisted.hooks import Hooks, TLSError
from sansticket_wrappers.twisted.protocol import ProtocolOptions, TLSProtocol
from sansticket_wrappers.twisted.transport import TLSTransport

__all__ = [
    "Hooks",
    "ProtocolOptions",
    "TLSClientEndpoint",
    "TLSError",
    "TLSFactory",
    "TLSProtocol",
    "TLSServerEndpoint",
    "TLSTransport",
]
