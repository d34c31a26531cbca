"""What a server decides beforehand."""

from __future__ import annotations

from hashlib import sha256
from types import NoneType

from attrs import Factory, field, frozen

from sansticket.config.base import Config, _once
from sansticket.config.checks import (
    check_range,
    check_type,
)
from sansticket.config.choices import ClientAuthentication, TicketFlush
from sansticket.config.defaults import MAX_LIFETIME, MAX_NUM_TICKETS, MAX_SESSION_ID_CONTEXT
from sansticket.errors import ConfigError
from sansticket.events import (
    ClaimSession,
    LookUpSession,
    OpenTicket,
    ProtectTicket,
    VerifyPeer,
)
from sansticket.tickets.keys.protection import NATIVE, SessionCodec, TicketKeys
from sansticket.tickets.keys.ring import TicketKeyRing
from sansticket.tickets.stores.cache import SessionCache


def _default_ticket_keys(config: ServerConfig) -> TicketKeyRing | None:
    config._check_sources()
    return None if OpenTicket in config.answers else TicketKeyRing.generate(config.clock(), config.entropy)


@frozen(kw_only=True)
class ServerConfig(Config):
    """A server's.

    Tickets are stateless with ``ticket_keys``; stateless with keys that are elsewhere when it is None and
    ``OpenTicket`` and ``ProtectTicket`` are answered; stateful when it is None and there is a ``session_cache``
    or an answer for ``LookUpSession``; otherwise there are none.
    """

    client_authentication: ClientAuthentication = ClientAuthentication.NONE
    ticket_keys: TicketKeys | None = field(default=Factory(_default_ticket_keys, takes_self=True))
    """None: see above.  The default is a ring with a random key of its own, or None with ``OpenTicket`` answered."""
    session_cache: SessionCache | None = None
    num_tickets: int = 2
    """TLS 1.3 tickets after a full handshake; after a resumption at most one of them (SSL_CTX_set_num_tickets(3))."""
    max_tickets_requested: int = 8
    """The most that a client's ticket_request can raise ``num_tickets`` to (RFC 9149 asks for a limit)."""
    ticket_flush: TicketFlush = TicketFlush.HANDSHAKE
    ticket_lifetime: int = 7200
    """Seconds.  Two hours is libssl's default; seven days the most that RFC 9846 section 4.7.1 allows."""
    max_session_age: int = MAX_LIFETIME
    """Seconds since the last full handshake after which no renewal helps any more."""
    session_id_context: bytes | None = None
    """The context within which sessions can be resumed, at most 32 bytes.  None derives one from the policy
    for client certificates: the mode, the trust anchors, and whether the application verifies."""
    resume_with_other_name: bool = False
    """Resume a session also under a server name other than its own.  See CVE-2025-23419 for what that can mean."""
    single_use_tickets: bool = False
    """TLS 1.3, stateful tickets: each is resumed once, whoever presents it, whatever an external store still has.
    Somebody must know what was used up: the ``session_cache`` for this process (see ``SessionCache.claim``), or
    whoever answers ``ClaimSession`` for all servers that share a store."""

    def _check_types(self) -> None:
        super()._check_types()
        for field_, kind in (("client_authentication", ClientAuthentication), ("ticket_flush", TicketFlush)):
            check_type(field_, getattr(self, field_), kind, f"a {kind.__name__}")
        for name in ("seal", "open", "codec") if self.ticket_keys is not None else ():
            if not hasattr(self.ticket_keys, name):
                raise ConfigError(
                    "ticket_keys", f"{self.ticket_keys!r} has no {name}; expected TicketKeys, or None"
                )
        check_type("session_cache", self.session_cache, (SessionCache, NoneType), "a SessionCache or None")
        check_type("session_id_context", self.session_id_context, (bytes, NoneType), "bytes or None")
        for field_ in ("resume_with_other_name", "single_use_tickets"):
            check_type(field_, getattr(self, field_), bool, "True or False")

    def _check(self) -> None:
        super()._check()
        if not self.credentials:
            raise ConfigError("credentials", "none given; a server needs at least one")
        check_range("num_tickets", self.num_tickets, 0, MAX_NUM_TICKETS)
        check_range("max_tickets_requested", self.max_tickets_requested, 0, 255)
        check_range("ticket_lifetime", self.ticket_lifetime, 1, MAX_LIFETIME)
        check_range("max_session_age", self.max_session_age, 1, MAX_LIFETIME)
        self._check_client_authentication()
        self._check_tickets()

    def _check_tickets(self) -> None:
        if (OpenTicket in self.answers) != (ProtectTicket in self.answers):
            raise ConfigError("answers", "OpenTicket and ProtectTicket need each other; only one is named")
        if OpenTicket in self.answers and self.ticket_keys is not None:
            raise ConfigError("ticket_keys", "given, but OpenTicket is answered too; expected one of them")
        known = self.session_cache is not None or ClaimSession in self.answers
        if self.single_use_tickets and not (known and self.stateful_tickets):
            raise ConfigError(
                "single_use_tickets",
                "needs stateful tickets, and somebody who knows what was used up: expected ticket_keys=None, and a "
                "session_cache or an answer for ClaimSession",
            )

    def _check_client_authentication(self) -> None:
        asks = self.client_authentication is not ClientAuthentication.NONE
        if asks and self.trust_anchors is None and VerifyPeer not in self.answers:
            raise ConfigError(
                "trust_anchors",
                "none given, but client certificates are asked for; expected TrustAnchors or an answer for VerifyPeer",
            )
        context = self.session_id_context
        if context is None:
            return
        if len(context) > MAX_SESSION_ID_CONTEXT:
            raise ConfigError(
                "session_id_context", f"{len(context)} bytes; expected at most {MAX_SESSION_ID_CONTEXT}"
            )
        if asks and not context:
            raise ConfigError(
                "session_id_context",
                "empty, but client certificates are asked for; expected 1 to 32 bytes or None",
            )

    @property
    @_once
    def effective_session_id_context(self) -> bytes:
        """The explicit context, or the one derived from the policy for client certificates (16 bytes).

        The policy is the mode, the trust anchors, and who verifies: what an application accepted by itself
        means nothing where the chain decides.
        """
        if self.session_id_context is not None:
            return self.session_id_context
        mode = self.client_authentication.value.encode()
        how = b"application" if VerifyPeer in self.answers else b"chain"
        anchors = self.trust_anchors.digest if self.trust_anchors is not None else b""
        return sha256(b"\0".join((b"sansticket session id context", mode, how, anchors))).digest()[:16]

    @property
    def stateful_tickets(self) -> bool:
        return (
            self.ticket_keys is None
            and OpenTicket not in self.answers
            and (self.session_cache is not None or LookUpSession in self.answers)
        )

    @property
    def stateless_tickets(self) -> bool:
        return self.ticket_keys is not None or OpenTicket in self.answers

    @property
    def ticket_codec(self) -> SessionCodec:
        """How sessions are written in stateless tickets: as the keys want it, natively where they are elsewhere."""
        return self.ticket_keys.codec if self.ticket_keys is not None else NATIVE

    @property
    def issues_tickets(self) -> bool:
        return self.ticket_keys is not None or OpenTicket in self.answers or self.stateful_tickets
