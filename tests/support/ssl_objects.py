"""Contexts and SSLObjects of the standard library and of the adapters, made alike and joined in memory.

A test that holds for ``STDLIB`` says what the interface is; that it holds for ``OURS`` too is what is tested.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable
from typing import Any, Final

from attrs import frozen

import sansticket.adapters
from tests.support.certificates import Authority, Identity, authority, server_identity

NAME: Final = "server.example"
TLS12: Final = ssl.TLSVersion.TLSv1_2
TLS13: Final = ssl.TLSVersion.TLSv1_3

MAX_ROUNDS: Final = 1000


@frozen
class House:
    """Where contexts come from: the ``ssl`` module, or the adapters."""

    name: str
    context: Callable[[Any], ssl.SSLContext]

    def client(
        self,
        *,
        trusted: Authority | None = None,
        identity: Identity | None = None,
        alpn: Iterable[str] = (),
        version: ssl.TLSVersion | None = None,
    ) -> Any:
        """A client that trusts the shared authority, or another one."""
        context = self.context(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=(trusted or authority()).der)
        return _set_up(context, identity, alpn, version)

    def server(
        self,
        *,
        identity: Identity | None = None,
        client_authority: Authority | None = None,
        alpn: Iterable[str] = (),
        version: ssl.TLSVersion | None = None,
    ) -> Any:
        """A server for server.example and 127.0.0.1; with ``client_authority`` it requires client certificates."""
        context = self.context(ssl.PROTOCOL_TLS_SERVER)
        if client_authority is not None:
            context.load_verify_locations(cadata=client_authority.der)
            context.verify_mode = ssl.CERT_REQUIRED
        return _set_up(context, identity or server_identity(), alpn, version)


STDLIB: Final = House("ssl", ssl.SSLContext)
OURS: Final = House("adapters", sansticket.adapters.SSLContext)


def _set_up(
    context: ssl.SSLContext, identity: Identity | None, alpn: Iterable[str], version: ssl.TLSVersion | None
) -> ssl.SSLContext:
    if version is not None:
        context.maximum_version = version
        context.minimum_version = version
    if identity is not None:
        with identity.files() as (chain, key):
            context.load_cert_chain(chain, key)
    if protocols := list(alpn):
        context.set_alpn_protocols(protocols)
    return context


class End:
    """One SSLObject, ``tls``, and its two buffers."""

    def __init__(self, context: Any, **options: Any) -> None:
        self.incoming = ssl.MemoryBIO()
        self.outgoing = ssl.MemoryBIO()
        self.tls: Any = context.wrap_bio(self.incoming, self.outgoing, **options)

    def step(self) -> bool:
        """Go on with the handshake; whether it is done."""
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def read(self) -> bytes:
        """All that can be read now."""
        chunks = []
        while True:
            try:
                chunk = self.tls.read(65536)
            except ssl.SSLWantReadError:
                break
            if not chunk:
                break
            chunks.append(chunk)
        return b"".join(chunks)


class Link:
    """A client and a server, joined by ``carry``."""

    def __init__(
        self,
        client: ssl.SSLContext,
        server: ssl.SSLContext,
        *,
        server_hostname: str | None = NAME,
        session: Any = None,
    ) -> None:
        self.client = End(client, server_hostname=server_hostname, session=session)
        self.server = End(server, server_side=True)

    def carry(self) -> bool:
        """Carry what both have to send; whether there was anything."""
        to_server, to_client = self.client.outgoing.read(), self.server.outgoing.read()
        if to_server:
            self.server.incoming.write(to_server)
        if to_client:
            self.client.incoming.write(to_client)
        return bool(to_server or to_client)

    def shake(self) -> None:
        """The handshake, until nothing more is to be carried.  An error is raised by the end that has it."""
        for _ in range(MAX_ROUNDS):
            done = self.client.step() & self.server.step()
            if not self.carry() and done:
                return
        raise AssertionError(f"no handshake after {MAX_ROUNDS} rounds")

    def say(self, sender: End, data: bytes) -> bytes:
        """``sender`` writes, the other end reads all that there is."""
        assert sender.tls.write(data) == len(data)
        self.carry()
        return (self.server if sender is self.client else self.client).read()


def shaken(client: ssl.SSLContext, server: ssl.SSLContext, **options: Any) -> Link:
    """A link after the handshake; tickets are read."""
    link = Link(client, server, **options)
    link.shake()
    link.client.read()
    return link
