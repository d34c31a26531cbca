"""What a server decides beforehand."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from attrs import Attribute, Factory, field

from sansticket.config.answers import Lacking, check_asked
from sansticket.config.base import Config, validate
from sansticket.config.checks import InRange, has_length, is_a, is_flag, or_none, shown
from sansticket.config.choices import ClientAuthentication, TicketFlush
from sansticket.config.defaults import (
    MAX_NUM_TICKETS,
    MAX_SESSION_ID_CONTEXT,
    ROTATE_AFTER,
)
from sansticket.config.derived import TLS13, can_authenticate, session_id_context
from sansticket.config.early_data import MAX_EARLY_DATA, as_window, check_early_data, is_window
from sansticket.config.questions import ServerTraits, lacking_in_a_server
from sansticket.config.tickets import StoredTickets, Tickets, tickets_of
from sansticket.errors import ConfigError
from sansticket.events import ClaimEarlyData, ClaimSession, LookUpPsk, LookUpSession, OpenTicket, VerifyPeer
from sansticket.inputs import now_of
from sansticket.library import SSL_SESSIONS
from sansticket.psk import PskRole
from sansticket.tickets.keys.openssl import OpenSSLCodec
from sansticket.tickets.keys.protection import TicketKeys
from sansticket.tickets.keys.ring import TicketKeyRing
from sansticket.tickets.keys.windowed import WindowedTicketKeys
from sansticket.tickets.policy import TicketPolicy
from sansticket.tickets.stores.cache import SessionCache
from sansticket.tickets.stores.replay import ReplayRecorder
from sansticket.tickets.stores.revocations import Revocations
from sansticket.tickets.stores.uses import TicketUses
from sansticket.tickets.versions import MAX_LIFETIME
from sansticket.values import frozen, says

CookieKeys = TicketKeyRing | WindowedTicketKeys
"""What can seal the cookie of a HelloRetryRequest."""


def _default_ticket_keys(config: ServerConfig) -> TicketKeyRing | None:
    validate(config, "answers", "clock", "entropy", "ticket_lifetime")
    if OpenTicket in config.answers:
        return None
    # A key seals for a day, and opens until the last of its tickets has expired.
    return TicketKeyRing.generate(
        now_of(config.clock),
        config.entropy,
        rotate_after=ROTATE_AFTER,
        retire_after=ROTATE_AFTER + config.ticket_lifetime,
    )


def _are_ticket_keys(config: object, attribute: Attribute[Any], keys: Any) -> None:
    given = shown(attribute.name, keys)
    if isinstance(keys, type):
        raise ConfigError(attribute.name, f"a class, {keys.__name__}; expected TicketKeys, or None")
    for name in ("seal", "open", "codec"):
        if not hasattr(keys, name):
            raise ConfigError(attribute.name, f"{given} has no {name}; expected TicketKeys, or None")
    for name in ("keeps_issue_time", "keeps_verified_chain", "encode", "decode"):
        if not hasattr(keys.codec, name):
            raise ConfigError(attribute.name, f"the codec of {given} has no {name}; expected a SessionCodec")
    if isinstance(keys.codec, OpenSSLCodec) and not SSL_SESSIONS.installed:
        raise SSL_SESSIONS.error(attribute.name)


@frozen(kw_only=True, slots=False)
class ServerConfig(Config):
    """What a server's connections take, what they show, and what becomes of tickets and sessions.

    Tickets are stateless with ``ticket_keys``; stateless with keys that are elsewhere when it is None and
    ``OpenTicket`` and ``ProtectTicket`` are answered; stateful when it is None and there is a ``session_cache``
    or an answer for ``LookUpSession``; otherwise there are none.
    """

    client_authentication: ClientAuthentication = field(
        default=ClientAuthentication.NONE,
        validator=is_a(ClientAuthentication, "a ClientAuthentication"),
        metadata=says("Whether client certificates are asked for during the handshake, and required."),
    )
    session_cache: SessionCache | None = field(
        default=None,
        validator=or_none(is_a(SessionCache, "a SessionCache or None")),
        metadata=says("Sessions by their ids: for stateful tickets, and for the session ids of TLS 1.2."),
    )
    num_tickets: int = field(
        default=2,
        validator=InRange(0, MAX_NUM_TICKETS),
        metadata=says(
            "TLS 1.3 tickets after a full handshake; after a resumption at most one of them "
            "(SSL_CTX_set_num_tickets(3)).  Two are what most servers send, and what most clients keep.  Not more "
            "than 16 for clients in Go, which end a connection when 17 messages come in a row without data."
        ),
    )
    max_tickets_requested: int = field(
        default=8,
        validator=InRange(0, 255),
        metadata=says(
            "The most that a client's ticket_request can raise ``num_tickets`` to (RFC 9149 asks for a limit)."
        ),
    )
    ticket_flush: TicketFlush = field(
        default=TicketFlush.HANDSHAKE,
        validator=is_a(TicketFlush, "a TicketFlush"),
        metadata=says("When the automatic tickets leave."),
    )
    ticket_lifetime: int = field(
        default=7200,
        validator=InRange(1, MAX_LIFETIME),
        metadata=says(
            "Seconds.  Two hours is libssl's default; seven days the most that RFC 9846 section 4.7.1 allows."
        ),
    )
    ticket_keys: TicketKeys | None = field(
        default=Factory(_default_ticket_keys, takes_self=True),
        validator=or_none(_are_ticket_keys),
        metadata=says(
            "None: see above.  The default is a ring with a random key of its own, which it replaces every day, and "
            "forgets after another ``ticket_lifetime``; or None with ``OpenTicket`` answered."
        ),
    )
    session_id_context: bytes | None = field(
        default=None,
        validator=or_none(has_length(0, MAX_SESSION_ID_CONTEXT)),
        metadata=says(
            "The context within which sessions can be resumed, at most 32 bytes.  None derives one from the policy "
            "for client certificates: the mode, the trust anchors, ``min_rsa_bits``, and if the application verifies, "
            "its ``verification_label``."
        ),
    )
    resume_with_other_name: bool = field(
        default=False,
        validator=is_flag,
        metadata=says(
            "Resume a session also under a server name other than its own.  See CVE-2025-23419 for what that can mean."
        ),
    )
    tickets_without_psk_modes: bool = field(
        default=False,
        validator=is_flag,
        metadata=says(
            "TLS 1.3: give tickets also to a client whose hello has no psk_key_exchange_modes, which is to say that it "
            "cannot resume (RFC 9846 section 4.3.9: there should be none).  Erlang's client lists a mode only once "
            "it has a ticket."
        ),
    )
    single_use_tickets: bool = field(
        default=False,
        validator=is_flag,
        metadata=says(
            "TLS 1.3, stateful tickets: each is resumed once, whoever presents it, whatever an external store still "
            "has.  Somebody must know what was used up: the ``session_cache`` for this process (see "
            "``SessionCache.claim``), or whoever answers ``ClaimSession`` for all servers that share a store."
        ),
    )
    revocations: Revocations | None = field(
        default=None,
        validator=or_none(is_a(Revocations, "Revocations or None")),
        metadata=says(
            "Whose sessions are not resumed, however they are found, and whose connections ``CheckRevocations`` ends.  "
            "It may change at any time; configs that are copied share it."
        ),
    )

    stateless_retry: CookieKeys | None = field(
        default=None,
        validator=or_none(
            is_a((TicketKeyRing, WindowedTicketKeys), "a TicketKeyRing, WindowedTicketKeys or None")
        ),
        metadata=says(
            "TLS 1.3: a HelloRetryRequest brings a cookie, which has all that must be known of the ClientHello, so "
            "that any connection whose config has these keys can take the second one.  The cookie is good for five "
            "minutes.  They may be the ``ticket_keys``: cookies are sealed by keys derived from those, and none is a "
            "ticket.  None: the connection that sends a HelloRetryRequest keeps the ClientHello."
        ),
    )
    ticket_uses: TicketUses | None = field(
        default=None,
        validator=or_none(is_a(TicketUses, "TicketUses or None")),
        metadata=says(
            "Who remembers which tickets were used, and what becomes of one that is shown again (``TicketReused``).  "
            "None: nobody does, but for tickets for single use: the ``session_cache`` and stores remember those, and "
            "one that is shown again is refused."
        ),
    )

    max_early_data: int = field(
        default=0,
        validator=InRange(0, MAX_EARLY_DATA),
        metadata=says(
            "TLS 1.3: bytes of early data that tickets allow.  0: they say nothing of early data, "
            "and none is accepted.  More needs a protection from replay: ``single_use_tickets``, ``replay`` or an "
            "answer for ``ClaimEarlyData``.  Tickets that allow more than this are resumed, and their early data is "
            "not accepted."
        ),
    )
    early_data_window: tuple[float, float] = field(
        default=(10, 10),
        converter=as_window,
        validator=is_window,
        metadata=says(
            "Seconds by which a ClientHello with early data may come earlier, and later, than the age of its ticket "
            "says (RFC 9846 section 8.3).  Outside that the session is resumed without early data."
        ),
    )
    replay: ReplayRecorder | None = field(
        default=None,
        validator=or_none(is_a(ReplayRecorder, "a ReplayRecorder or None")),
        metadata=says(
            "Who remembers the ClientHellos whose early data was accepted (RFC 9846 section 8.2), for as long as both "
            "parts of ``early_data_window`` together or longer."
        ),
    )
    half_rtt: bool = field(
        default=False,
        validator=is_flag,
        metadata=says(
            "TLS 1.3: take ``SendData`` as soon as our Finished is out.  What is sent before ``HandshakeCompleted`` "
            "goes to whoever sent the ClientHello, were it for the second time.  Never where a client certificate "
            "matters."
        ),
    )

    def _check(self) -> None:
        super()._check()
        self._check_psks(PskRole.SERVER)
        if self.psks and self.client_authentication is ClientAuthentication.REQUIRED:
            raise ConfigError(
                "psks", "given, but client certificates are required, and with a PSK none is shown"
            )
        self._check_client_authentication()
        self._check_single_use()
        check_early_data(
            self.max_early_data,
            self.early_data_window,
            self.replay,
            otherwise=self.single_use_tickets or ClaimEarlyData in self.answers,
        )
        check_asked(self.answers, self.lacking, "server")

    def _check_versions(self) -> None:
        super()._check_versions()
        if self.credentials:
            self._check_credentials()
        elif not self.takes_psks:
            raise ConfigError(
                "credentials", "none given; a server needs at least one, or psks, or an answer for LookUpPsk"
            )

    def _check_credentials(self) -> None:
        lost = [one for one in self.versions if self._has_lists_for(one) and one not in self.usable_versions]
        if TLS13 in lost or not self.usable_versions:
            version = "TLS 1.3" if TLS13 in lost else "TLS 1.2"
            raise ConfigError(
                "credentials",
                f"none is for {version}, which is among the versions; expected a key that goes with one of the "
                f"signature_schemes{'' if TLS13 in lost else ' and with one of the cipher_suites'}",
            )

    def _can_do(self, version: int) -> bool:
        schemes, suites = self.schemes_of(version), self.suites_of(version)
        return super()._can_do(version) and (
            self.psk_only
            or any(can_authenticate(credential, version, schemes, suites) for credential in self.credentials)
        )

    def _check_client_authentication(self) -> None:
        if self.client_authentication is ClientAuthentication.NONE:
            return
        if self.trust_anchors is None and VerifyPeer not in self.answers:
            raise ConfigError(
                "trust_anchors",
                "none given, but client certificates are asked for; expected TrustAnchors or an answer for VerifyPeer",
            )
        if self.session_id_context == b"":
            raise ConfigError(
                "session_id_context",
                "empty, but client certificates are asked for; expected 1 to 32 bytes or None",
            )

    def _check_single_use(self) -> None:
        stored = isinstance(self.tickets, StoredTickets)
        known = self.session_cache is not None or ClaimSession in self.answers
        if self.single_use_tickets and not (known and stored):
            raise ConfigError(
                "single_use_tickets",
                "needs stateful tickets, and somebody who knows what was used up: expected ticket_keys=None, and a "
                "session_cache or an answer for ClaimSession",
            )

    @cached_property
    def takes_psks(self) -> bool:
        """There may be external PSKs."""
        return bool(self.psks) or LookUpPsk in self.answers

    @property
    def psk_only(self) -> bool:
        """There are external PSKs, and no certificate to show."""
        return not self.credentials and self.takes_psks

    @property
    def lacking(self) -> Lacking:
        """For each question of servers what this config lacks to ask it; "" for those that it can ask."""
        traits = ServerTraits(
            tickets=self.tickets,
            versions=self.usable_versions,
            tickets_in_tls12=self.tickets_in_tls12,
            finds_ids=self.session_cache is not None or LookUpSession in self.answers,
            single_use=self.single_use_tickets,
            client_authentication=self.client_authentication,
            has_credentials=bool(self.credentials),
            early_data=self.max_early_data > 0,
        )
        return lacking_in_a_server(traits)

    # --- what follows from the fields ----------------------------------------------------------------------------

    @cached_property
    def tickets(self) -> Tickets:
        """Which of the four ways of having tickets this is."""
        return tickets_of(self.ticket_keys, self.answers.keys(), self.session_cache)

    @cached_property
    def ticket_policy(self) -> TicketPolicy:
        """How long sessions live."""
        return TicketPolicy(self.ticket_lifetime, self.max_session_age, self.tickets.codec.keeps_issue_time)

    @cached_property
    def effective_session_id_context(self) -> bytes:
        """The explicit context, or the one derived from the policy for client certificates (16 bytes).

        The policy is the mode, the trust anchors, the length of RSA keys, and who verifies: what an application
        accepted by itself means nothing where the chain decides.
        """
        if self.session_id_context is not None:
            return self.session_id_context
        how = self._who_verifies(b"chain")
        mode = self.client_authentication.value.encode()
        return session_id_context(mode, how, self.min_rsa_bits, self.trust_anchors)
