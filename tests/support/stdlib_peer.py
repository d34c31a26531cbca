"""The standard library's ``ssl`` over memory buffers, as a client or a server.

It uses the OpenSSL that Python was built with; ``pyopenssl_peer`` has a newer one, with more groups.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable

from tests.support.certificates import Authority, Identity
from tests.support.memory import MemoryPeer, run

__all__ = ["StdlibPeer", "client_context", "run", "server_context"]

TLS13 = ssl.TLSVersion.TLSv1_3


def client_context(
    authority: Authority,
    identity: Identity | None = None,
    alpn: Iterable[str] = (),
    version: ssl.TLSVersion = TLS13,
) -> ssl.SSLContext:
    """A client that trusts ``authority``, has ``identity`` as its certificate, speaks ``version`` only."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=authority.der)
    _set_up(context, identity, alpn, version)
    return context


def server_context(
    identity: Identity,
    client_authority: Authority | None = None,
    alpn: Iterable[str] = (),
    version: ssl.TLSVersion = TLS13,
) -> ssl.SSLContext:
    """A server; with ``client_authority`` it requires client certificates that come from there."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if client_authority is not None:
        context.load_verify_locations(cadata=client_authority.der)
        context.verify_mode = ssl.CERT_REQUIRED
    _set_up(context, identity, alpn, version)
    return context


def _set_up(
    context: ssl.SSLContext, identity: Identity | None, alpn: Iterable[str], version: ssl.TLSVersion
) -> None:
    context.minimum_version = context.maximum_version = version
    if identity is not None:
        with identity.files() as (chain, key):
            context.load_cert_chain(chain, key)
    if protocols := list(alpn):
        context.set_alpn_protocols(protocols)


class StdlibPeer(MemoryPeer):
    """One connection.  ``tls`` is the SSLObject, for what it alone knows (session, cipher, certificate)."""

    def __init__(
        self,
        context: ssl.SSLContext,
        *,
        server: bool = False,
        server_name: str | None = "server.example",
        session: ssl.SSLSession | None = None,
    ) -> None:
        super().__init__()
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self.tls = context.wrap_bio(
            self._incoming,
            self._outgoing,
            server_side=server,
            server_hostname=None if server else server_name,
            session=session,
        )
        self._step()

    def receive(self, data: bytes) -> None:
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()
        self._step()

    def data_to_send(self) -> bytes:
        return self._outgoing.read()

    def write(self, data: bytes) -> None:
        assert self.tls.write(data) == len(data)

    def close(self) -> None:
        """Sends close_notify; the other side's need not have come yet."""
        try:
            self.tls.unwrap()
        except ssl.SSLWantReadError:
            return
        self.closed = True

    def _step(self) -> None:
        """As far as the bytes reach.  A failure's alert is among the bytes to send."""
        if self.error is not None:
            return
        try:
            if not self.handshaken:
                self.tls.do_handshake()
                self.handshaken = True
            while chunk := self.tls.read(65536):
                self.received += chunk
            self.closed = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.closed = True
        except ssl.SSLError as error:
            self.error = error
