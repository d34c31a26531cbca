"""The standard library's ``ssl`` over MemoryBIO.

Python before 3.15 cannot choose among the suites of TLS 1.3, and some of 3.11 no group like X25519.  OpenSSL's
configuration file can: the front end starts the workers with one (see ``openssl_configuration``).
"""

from __future__ import annotations

import ssl
from contextlib import suppress

from benchmarks.contenders import AUTHORITY, IDENTITY, SERVER_NAME
from tests.support.certificates import Identity

READ_SIZE = 16_384
"""What one read asks for.  It gets one record at most, so that asking for more changes nothing."""


def openssl_configuration(suite: str) -> str:
    """A configuration file in which TLS 1.3 has this suite only, and X25519 is what is tried first.

    In TLS 1.2 a client's groups are the curves of certificates, too.
    """
    return (
        "openssl_conf = modules\n[modules]\nssl_conf = names\n[names]\nsystem_default = tls\n"
        f"[tls]\nCiphersuites = {suite}\nGroups = X25519:P-256\n"
    )


def server_context(identity: Identity, suite: str, version: ssl.TLSVersion) -> ssl.SSLContext:
    """One version, one suite."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with identity.files() as (chain, key):
        made.load_cert_chain(chain, key)
    return _of(made, suite, version)


def client_context(authority: bytes, suite: str, version: ssl.TLSVersion) -> ssl.SSLContext:
    """For servers of that."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.load_verify_locations(cadata=authority)
    return _of(made, suite, version)


def _of(made: ssl.SSLContext, suite: str, version: ssl.TLSVersion) -> ssl.SSLContext:
    made.minimum_version = made.maximum_version = version
    if version is ssl.TLSVersion.TLSv1_2:
        made.set_ciphers(suite)
    return made


class Endpoint:
    """An SSLObject with its two buffers."""

    def __init__(
        self, context: ssl.SSLContext, *, server: bool = False, session: ssl.SSLSession | None = None
    ) -> None:
        self.incoming = ssl.MemoryBIO()
        self.outgoing = ssl.MemoryBIO()
        self.tls = context.wrap_bio(
            self.incoming,
            self.outgoing,
            server_side=server,
            server_hostname=None if server else SERVER_NAME,
            session=session,
        )


class StdlibPair:
    def __init__(self, client: Endpoint, server: Endpoint) -> None:
        self.client = client
        self.server = server

    def transfer(self, data: bytes) -> int:
        return _move(self.client, self.server, data)

    def echo(self, data: bytes) -> int:
        _move(self.client, self.server, data)
        return _move(self.server, self.client, data)


def _move(sender: Endpoint, receiver: Endpoint, data: bytes) -> int:
    sender.tls.write(data)
    receiver.incoming.write(sender.outgoing.read())
    arrived = 0
    while arrived < len(data):
        arrived += len(receiver.tls.read(READ_SIZE))
    return arrived


class Stdlib:
    name = "ssl"

    def __init__(
        self, suite: str = "TLS_AES_128_GCM_SHA256", version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3
    ) -> None:
        self._server_context = server_context(IDENTITY, suite, version)
        self._client_context = client_context(AUTHORITY.der, suite, version)
        pair = self._connect(None)
        cipher = pair.server.tls.cipher()
        assert cipher is not None
        assert cipher[0] == suite, f"{cipher[0]} instead of {suite}: OPENSSL_CONF is not set"
        self._session = pair.client.tls.session
        assert self._connect(self._session).server.tls.session_reused

    def full(self) -> object:
        return self._connect(None)

    def resumed(self) -> object:
        return self._connect(self._session)

    def pair(self) -> StdlibPair:
        return self._connect(None)

    def idle_server(self) -> object:
        return self._connect(None).server

    def _connect(self, session: ssl.SSLSession | None) -> StdlibPair:
        client = Endpoint(self._client_context, session=session)
        server = Endpoint(self._server_context, server=True)
        _handshake(client)
        server.incoming.write(client.outgoing.read())
        _handshake(server)
        client.incoming.write(server.outgoing.read())
        _handshake(client)
        server.incoming.write(client.outgoing.read())
        _handshake(server)
        client.incoming.write(server.outgoing.read())
        with suppress(ssl.SSLWantReadError):
            client.tls.read(1)  # takes the tickets
        return StdlibPair(client, server)


def _handshake(endpoint: Endpoint) -> None:
    with suppress(ssl.SSLWantReadError):
        endpoint.tls.do_handshake()
