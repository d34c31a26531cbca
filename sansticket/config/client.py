"""What a client decides beforehand."""

from __future__ import annotations

from hashlib import sha256
from types import NoneType

from attrs import field, frozen

from sansticket.codes import NamedGroup
from sansticket.config.base import Config, _once
from sansticket.config.checks import (
    as_tuple,
    check_known,
    check_range,
    check_type,
)
from sansticket.errors import ConfigError
from sansticket.events import (
    VerifyPeer,
)
from sansticket.tickets.stores.client import ClientSessionStore, StoreKey


@frozen(kw_only=True)
class ClientConfig(Config):
    """A client's.

    Without ``trust_anchors`` it is refused, unless ``VerifyPeer`` is answered or ``verify_peer`` is False.
    """

    verify_peer: bool = True
    """False turns off the verification of the server's certificate: anybody can be in the middle."""
    key_shares: tuple[int, ...] | None = field(default=None, converter=as_tuple)
    """Groups for which the first ClientHello brings a key share, in the order that they have in ``groups``.  Empty
    leaves the choice to the server, for a round trip more.  None: the first group, and with a hybrid first group
    its classical half too, if it is among ``groups``."""
    middlebox_compatibility: bool = True
    """RFC 9846 appendix E.4: a session id and a change_cipher_spec that make TLS 1.3 look like a resumed TLS 1.2."""
    post_handshake_auth: bool = False
    """Let the server ask for our certificate after the handshake."""
    session_store: ClientSessionStore | None = None
    """Where sessions live between connections.  A connection takes its session from the store unless it is given
    one, puts in those that come, and says what became of them: see ``ClientConnection``."""
    ticket_request: tuple[int, int] | None = field(default=None, converter=as_tuple)
    """RFC 9149: the number of tickets wanted after a full handshake, and after a resumption; 0 to 255 each."""
    request_tickets: bool = False
    """RFC 9149 again: ask for as many tickets as ``session_store`` has room for."""
    resume_with_other_name: bool = False
    """Offer a session also to a server name other than the one it was made with, if its certificate is for both."""

    def _check_types(self) -> None:
        super()._check_types()
        check_type(
            "session_store",
            self.session_store,
            (ClientSessionStore, NoneType),
            "a ClientSessionStore or None",
        )
        for field_ in (
            "verify_peer",
            "middlebox_compatibility",
            "post_handshake_auth",
            "request_tickets",
            "resume_with_other_name",
        ):
            check_type(field_, getattr(self, field_), bool, "True or False")

    def _check(self) -> None:
        super()._check()
        if self.key_shares is not None:
            check_known("key_shares", self.key_shares, self.groups)
        if self.trust_anchors is None and self.verify_peer and VerifyPeer not in self.answers:
            raise ConfigError(
                "trust_anchors",
                "none given; expected TrustAnchors, or an answer for VerifyPeer, or verify_peer=False",
            )
        if self.ticket_request is not None:
            check_type("ticket_request", self.ticket_request, tuple, "two numbers, or None")
            if len(self.ticket_request) != 2:
                raise ConfigError("ticket_request", f"{len(self.ticket_request)} numbers; expected two")
            for count in self.ticket_request:
                check_range("ticket_request", count, 0, 255)
        if self.request_tickets and (self.session_store is None or self.ticket_request is not None):
            raise ConfigError("request_tickets", "needs a session_store, and no ticket_request beside it")

    @property
    @_once
    def verification_policy(self) -> bytes:
        """What a session remembers of how the server was verified (16 bytes): see ``handshake.client.sessions``."""
        how = b"application" if VerifyPeer in self.answers else b"chain" if self.verify_peer else b"none"
        anchors = self.trust_anchors.digest if self.trust_anchors is not None else b""
        return sha256(b"sansticket verification policy\0" + how + b"\0" + anchors).digest()[:16]

    def store_key(self, server_name: str, port: int = 443) -> StoreKey:
        """What sessions with this server are kept under: they stand for how it was verified, and for who we were."""
        ours = b"".join(sha256(b"".join(credential.chain)).digest() for credential in self.credentials)
        policy = sha256(b"sansticket session store\0" + self.verification_policy + ours).digest()[:16]
        return StoreKey(server_name, port, self.alpn_protocols, policy)

    @_once
    def key_share_groups(self) -> tuple[int, ...]:
        if self.key_shares is not None:
            return tuple(group for group in self.groups if group in self.key_shares)
        first = self.groups[0]
        classical = {
            NamedGroup.X25519_MLKEM768: NamedGroup.X25519,
            NamedGroup.SECP256R1_MLKEM768: NamedGroup.SECP256R1,
        }.get(NamedGroup(first))
        return (first, classical) if classical in self.groups and classical is not None else (first,)
