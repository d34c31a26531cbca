"""pyOpenSSL over memory buffers: the OpenSSL inside ``cryptography``, much newer than most systems'.

It knows the hybrid groups, X448 and ML-DSA.  pyOpenSSL has no call of its own to choose groups and signature
algorithms; the binding beneath it has, by the names of SSL_CTX_set1_groups_list(3) ("X25519MLKEM768", "X448",
"P-256") and SSL_CTX_set1_sigalgs_list(3) ("mldsa65", "ed25519", "rsa_pss_pss_sha256").
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from OpenSSL import SSL, crypto

from sansticket.library import Newer
from tests.support.certificates import Authority, Identity
from tests.support.memory import MemoryPeer, run
from tests.support.newer import require

__all__ = ["PyOpenSSLPeer", "context", "run"]

GROUPS: Final = Newer("pyOpenSSL with groups that are chosen", 47)

_lib: Any = SSL._lib  # type: ignore[attr-defined]


def context(
    *,
    authority: Authority | None = None,
    identity: Identity | None = None,
    groups: Sequence[str] = (),
    signature_algorithms: Sequence[str] = (),
    cipher_suites: Sequence[str] = (),
    alpn: Sequence[bytes] = (),
    version: int = SSL.TLS1_3_VERSION,
    key_log: Callable[[bytes], None] | None = None,
    post_handshake_auth: bool = False,
) -> SSL.Context:
    """For clients and servers alike.  With ``authority`` the peer must have a certificate from there."""
    made = SSL.Context(SSL.TLS_METHOD)
    made.set_min_proto_version(version)
    made.set_max_proto_version(version)
    made.set_session_id(b"sansticket tests")
    if identity is not None:
        with identity.files() as (chain, key):
            made.use_certificate_chain_file(chain)
            made.use_privatekey_file(key)
    if authority is not None:
        store = made.get_cert_store()
        assert store is not None
        store.add_cert(as_x509(authority))
        made.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT)
    if groups:
        require(GROUPS)
        _set_list(_lib.SSL_CTX_set1_curves_list, made, groups)
    if signature_algorithms:
        _set_list(_lib.SSL_CTX_set1_sigalgs_list, made, signature_algorithms)
    if cipher_suites:
        _set_list(_lib.SSL_CTX_set_ciphersuites, made, cipher_suites)
    if alpn:
        made.set_alpn_protos(list(alpn))
        made.set_alpn_select_callback(lambda _, offered: next(p for p in alpn if p in offered))
    if post_handshake_auth:
        _lib.SSL_CTX_set_post_handshake_auth(made._context, 1)
    if key_log is not None:
        made.set_keylog_callback(lambda _, line: key_log(line))
    return made


def as_x509(authority: Authority) -> Any:
    return crypto.X509.from_cryptography(authority.certificate)


def _set_list(function: Callable[[Any, bytes], int], made: Any, names: Sequence[str]) -> None:
    if function(made._context, ":".join(names).encode()) != 1:
        _lib.ERR_clear_error()
        raise ValueError(f"this OpenSSL does not know all of {list(names)}")


class PyOpenSSLPeer(MemoryPeer):
    """One connection.  ``tls`` is the Connection, for what it alone knows (session, group name)."""

    def __init__(
        self,
        made_for: SSL.Context,
        *,
        server: bool = False,
        server_name: str | None = "server.example",
        session: SSL.Session | None = None,
    ) -> None:
        super().__init__()
        self.tls = SSL.Connection(made_for, None)
        if server:
            self.tls.set_accept_state()
        else:
            self.tls.set_connect_state()
            if server_name is not None:
                self.tls.set_tlsext_host_name(server_name.encode())
        if session is not None:
            self.tls.set_session(session)
        self._step()

    @property
    def resumed(self) -> bool:
        return bool(_lib.SSL_session_reused(self._ssl))

    @property
    def _ssl(self) -> Any:
        return self.tls._ssl

    def receive(self, data: bytes) -> None:
        if data:
            self.tls.bio_write(data)
        else:
            self.tls.bio_shutdown()
        self._step()

    def data_to_send(self) -> bytes:
        chunks = []
        while True:
            try:
                chunks.append(self.tls.bio_read(1 << 20))
            except (SSL.WantReadError, SSL.ZeroReturnError):
                return b"".join(chunks)

    def write(self, data: bytes) -> None:
        self.tls.sendall(data)

    def close(self) -> None:
        self.tls.shutdown()

    def request_client_certificate(self) -> None:
        """Post-handshake authentication, as a server; as a client its context must have permitted it."""
        self.tls.set_verify(SSL.VERIFY_PEER | _lib.SSL_VERIFY_POST_HANDSHAKE)
        assert _lib.SSL_verify_client_post_handshake(self._ssl) == 1
        self.tls.do_handshake()

    def _step(self) -> None:
        """As far as the bytes reach.  A failure's alert is among the bytes to send."""
        if self.error is not None:
            return
        try:
            if not self.handshaken:
                self.tls.do_handshake()
                self.handshaken = True
            while True:
                self.received += self.tls.recv(65536)
        except SSL.WantReadError:
            pass
        except SSL.ZeroReturnError:
            self.closed = True
        except SSL.Error as error:
            self.error = error
