"""What the application decides beforehand.

A config is frozen and can serve any number of connections.  It is checked when it is made: a ``ConfigError``
names the field, what was wrong and what was expected.  The defaults of ``clock`` and ``entropy`` are the only
places in the package that touch the system's time and randomness.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from enum import Enum
from functools import wraps
from hashlib import sha256
from types import NoneType
from typing import Any, Final, TypeVar, cast

from attrs import Factory, field, frozen

from sansticket.config_checks import (
    as_dict,
    as_tuple,
    check_callable,
    check_items,
    check_known,
    check_range,
    check_some,
    check_type,
)
from sansticket.crypto import groups, signatures
from sansticket.crypto.certificates import Credential
from sansticket.crypto.suites import SUITES
from sansticket.crypto.verification import TrustAnchors
from sansticket.errors import ConfigError
from sansticket.events import (
    ClaimSession,
    LookUpSession,
    OpenTicket,
    ProtectTicket,
    Question,
    Sign,
    VerifyPeer,
)
from sansticket.tickets.cache import SessionCache
from sansticket.tickets.keyring import TicketKeyRing
from sansticket.tickets.protection import NATIVE, SessionCodec, TicketKeys
from sansticket.tickets.store import ClientSessionStore, StoreKey
from sansticket.wire.codes import CipherSuite, NamedGroup, ProtocolVersion, SignatureScheme

MAX_SESSION_ID_CONTEXT: Final = 32
"""SSL_MAX_SSL_SESSION_ID_LENGTH, see SSL_CTX_set_session_id_context(3)."""

MAX_NUM_TICKETS: Final = 65_535
"""More would not be tickets but a flood; libssl has no bound."""

MAX_PROTOCOLS: Final = 32_767
"""Bytes of all application protocols, each with its length: half of what a ClientHello has room for."""

MAX_LIFETIME: Final = 604_800
"""Seven days in seconds: RFC 9846 section 4.7.1."""


KNOWN_VERSIONS: Final = (ProtocolVersion.TLS_1_3, ProtocolVersion.TLS_1_2)


class Ask(Enum):
    """The type of ``ASK``."""

    ASK = "ask"

    def __repr__(self) -> str:
        return "ASK"


ASK: Final = Ask.ASK
"""In ``answers``: emit the question as an event, and wait for the command that answers it."""

Answer = Callable[[Any], Any] | Ask
"""A function from the question to its answer, called at once; or ``ASK``."""


class ClientAuthentication(Enum):
    """Whether a server asks for a client certificate during the handshake."""

    NONE = "none"
    OPTIONAL = "optional"
    REQUIRED = "required"


class TicketFlush(Enum):
    """When the automatic tickets leave."""

    HANDSHAKE = "handshake"
    """At once, when the client's Finished has come."""
    WRITE = "write"
    """Before the data of our first ``SendData`` (or on ``FlushTickets``), for peers that must not be written to
    before they have read something else."""


class ResumedCertificates(Enum):
    """What is checked of the peer's certificates when a session is resumed that holds them."""

    REUSE = "reuse"
    """Nothing: they were verified when the session was made, and it lives for hours only."""
    CHECK_VALIDITY = "check validity"
    """None of the chain has expired since."""
    VERIFY = "verify the chain again"
    """The whole chain, against the trust anchors of today."""


DEFAULT_CIPHER_SUITES: Final = (
    CipherSuite.AES_128_GCM_SHA256,
    CipherSuite.AES_256_GCM_SHA384,
    CipherSuite.CHACHA20_POLY1305_SHA256,
    CipherSuite.ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    CipherSuite.ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    CipherSuite.ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    CipherSuite.ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    CipherSuite.ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    CipherSuite.ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
)
"""Those of TLS 1.3, then those of TLS 1.2."""

DEFAULT_GROUPS: Final = (
    NamedGroup.X25519_MLKEM768,
    NamedGroup.X25519,
    NamedGroup.SECP256R1,
    NamedGroup.SECP384R1,
    NamedGroup.SECP521R1,
    NamedGroup.X448,
    NamedGroup.SECP256R1_MLKEM768,
)

TLS_1_3_ONLY_GROUPS: Final = frozenset((NamedGroup.X25519_MLKEM768, NamedGroup.SECP256R1_MLKEM768))
"""A share of these does not fit into a ServerKeyExchange."""

DEFAULT_SIGNATURE_SCHEMES: Final = (
    SignatureScheme.ECDSA_SECP256R1_SHA256,
    SignatureScheme.ED25519,
    SignatureScheme.ECDSA_SECP384R1_SHA384,
    SignatureScheme.ECDSA_SECP521R1_SHA512,
    SignatureScheme.ED448,
    SignatureScheme.RSA_PSS_RSAE_SHA256,
    SignatureScheme.RSA_PSS_RSAE_SHA384,
    SignatureScheme.RSA_PSS_RSAE_SHA512,
    SignatureScheme.RSA_PSS_PSS_SHA256,
    SignatureScheme.RSA_PSS_PSS_SHA384,
    SignatureScheme.RSA_PSS_PSS_SHA512,
    SignatureScheme.MLDSA44,
    SignatureScheme.MLDSA65,
    SignatureScheme.MLDSA87,
    SignatureScheme.RSA_PKCS1_SHA256,
    SignatureScheme.RSA_PKCS1_SHA384,
    SignatureScheme.RSA_PKCS1_SHA512,
)

CERTIFICATE_ONLY_SCHEMES: Final = (
    SignatureScheme.RSA_PKCS1_SHA256,
    SignatureScheme.RSA_PKCS1_SHA384,
    SignatureScheme.RSA_PKCS1_SHA512,
)
"""Signatures that TLS 1.3 allows inside certificates and nowhere else (RFC 9846 section 4.3.3)."""

TLS_1_3_ONLY_SCHEMES: Final = (SignatureScheme.MLDSA44, SignatureScheme.MLDSA65, SignatureScheme.MLDSA87)


F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")


def _once(method: F) -> F:
    """A config does not change: what follows from it is worked out once, not in every handshake."""
    name = method.__name__

    @wraps(method)
    def remembered(self: Any, *args: int) -> Any:
        key = (name, *args)
        try:
            return self._known[key]
        except KeyError:
            self._known[key] = made = method(self, *args)
            return made

    return cast(F, remembered)


def _default_groups() -> tuple[int, ...]:
    return tuple(group for group in DEFAULT_GROUPS if group in groups.supported())


def _default_signature_schemes() -> tuple[int, ...]:
    return tuple(scheme for scheme in DEFAULT_SIGNATURE_SCHEMES if scheme in signatures.supported())


def _default_ticket_keys(config: ServerConfig) -> TicketKeyRing | None:
    config._check_sources()
    return None if OpenTicket in config.answers else TicketKeyRing.generate(config.clock(), config.entropy)


@frozen(kw_only=True)
class Config:
    """What clients and servers have in common.  Make a ``ClientConfig`` or a ``ServerConfig``.

    Sequences are in the order of preference.
    """

    versions: tuple[int, ...] = field(default=KNOWN_VERSIONS, converter=as_tuple)
    """The protocol versions; the highest that both sides have is used.  One without a cipher suite, a group or a
    signature scheme among those below is not offered."""
    cipher_suites: tuple[int, ...] = field(default=DEFAULT_CIPHER_SUITES, converter=as_tuple)
    groups: tuple[int, ...] = field(factory=_default_groups, converter=as_tuple)
    """``DEFAULT_GROUPS``, less those that the installed ``cryptography`` cannot do."""
    signature_schemes: tuple[int, ...] = field(factory=_default_signature_schemes, converter=as_tuple)
    """``DEFAULT_SIGNATURE_SCHEMES``, less those that the installed ``cryptography`` cannot do."""
    alpn_protocols: tuple[bytes, ...] = field(default=(), converter=as_tuple)
    credentials: tuple[Credential, ...] = field(default=(), converter=as_tuple)
    """Certificate chains with their keys.  A server chooses by server name, then by the peer's signature schemes."""
    trust_anchors: TrustAnchors | None = None
    answers: Mapping[type[Question], Answer] = field(factory=dict, converter=as_dict)
    """How each question is answered: by a function, or with ``ASK`` by a later command.  Those that are not
    named get their documented default."""
    clock: Callable[[], float] = field(default=time.time, repr=False)
    """Seconds since the epoch."""
    entropy: Callable[[int], bytes] = field(default=os.urandom, repr=False)
    """Gives n random bytes.  All randomness of a connection comes from here, where the library permits it."""
    key_log: Callable[[str], None] | None = field(default=None, repr=False)
    """Gets the lines of an NSS key log (SSLKEYLOGFILE), without line ends.  Whoever has them can read everything."""
    padding: Callable[[int], int] | None = field(default=None, repr=False)
    """TLS 1.3: from the length of a record's content to the number of zero bytes of padding after it."""
    resumed_certificates: ResumedCertificates = ResumedCertificates.REUSE
    require_extended_master_secret: bool = False
    """TLS 1.2: refuse a peer without it (RFC 7627).  Without this a full handshake still does; a resumption never."""
    tickets_in_tls12: bool = True
    """TLS 1.2: a client takes tickets, a server whose tickets are stateless gives one.  False leaves session ids,
    which a server knows if it has a ``session_cache`` or an answer for ``LookUpSession`` (SSL_OP_NO_TICKET)."""
    max_handshake_message: int = 131_072
    """Bytes.  A ClientHello with the largest ticket that fits has 64 KiB and a little more, OpenSSL allows one of
    128 KiB; a chain of ten ordinary certificates has 15 KiB."""
    max_buffered: int = 262_144
    """Bytes that may arrive while a question is open."""
    max_certificates: int = 10
    """Certificates in the peer's chain; OpenSSL's default depth is 100, GnuTLS's 16."""

    _known: dict[Any, Any] = field(init=False, repr=False, eq=False, factory=dict)

    def __attrs_post_init__(self) -> None:
        self._check()

    def _check(self) -> None:
        self._check_types()
        self._check_lists()
        self._check_numbers()
        self._check_answers()
        for credential in self.credentials:
            if credential.private_key is None and Sign not in self.answers:
                raise ConfigError("credentials", "one has no private key, and answers has nothing for Sign")

    def _check_types(self) -> None:
        check_items("credentials", self.credentials, Credential, "a Credential")
        check_type("trust_anchors", self.trust_anchors, (TrustAnchors, NoneType), "TrustAnchors or None")
        self._check_sources()
        if self.key_log is not None:
            check_callable("key_log", self.key_log, "that takes a line, or None")
        if self.padding is not None:
            check_callable("padding", self.padding, "from a length to a length, or None")
        check_type(
            "resumed_certificates", self.resumed_certificates, ResumedCertificates, "a ResumedCertificates"
        )
        for field_ in ("require_extended_master_secret", "tickets_in_tls12"):
            check_type(field_, getattr(self, field_), bool, "True or False")

    def _check_sources(self) -> None:
        """What is used already to make the default of another field."""
        check_type("answers", self.answers, dict, "a mapping from questions to answers")
        check_callable("clock", self.clock, "without arguments to seconds since the epoch")
        check_callable("entropy", self.entropy, "from a number to as many random bytes")

    def _check_answers(self) -> None:
        for question, answer in self.answers.items():
            check_type("answers", question, type, "a class like DecideTicket")
            if question is Question or not issubclass(question, Question):
                raise ConfigError(
                    "answers", f"{question!r} is not a question; expected a class like DecideTicket"
                )
            if answer is not ASK and not callable(answer):
                raise ConfigError(
                    "answers", f"{answer!r} for {question.__name__}; expected a function or ASK"
                )

    def _check_lists(self) -> None:
        check_some("versions", self.versions, KNOWN_VERSIONS)
        check_some("cipher_suites", self.cipher_suites, SUITES)
        check_some("groups", self.groups, groups.supported())
        check_some("signature_schemes", self.signature_schemes, signatures.supported())
        if not self.usable_versions:
            raise ConfigError(
                "versions", "cipher_suites, groups or signature_schemes have nothing for any of them"
            )
        check_items("alpn_protocols", self.alpn_protocols, bytes, "bytes")
        for protocol in self.alpn_protocols:
            if not 1 <= len(protocol) <= 255:
                raise ConfigError("alpn_protocols", f"{protocol!r}; expected 1 to 255 bytes")
        if sum(1 + len(protocol) for protocol in self.alpn_protocols) > MAX_PROTOCOLS:
            raise ConfigError(
                "alpn_protocols", f"too many; expected at most {MAX_PROTOCOLS} bytes, with a length for each"
            )

    def _check_numbers(self) -> None:
        check_range("max_handshake_message", self.max_handshake_message, 16_384, 0xFFFFFF)
        check_range("max_buffered", self.max_buffered, 16_640, 1 << 40)
        check_range("max_certificates", self.max_certificates, 1, 1000)
        if self.resumed_certificates is ResumedCertificates.VERIFY and self.trust_anchors is None:
            raise ConfigError("resumed_certificates", "VERIFY, but there are no trust_anchors")

    def derived(self, make: Callable[[Any], T]) -> T:
        """What ``make`` makes of this config, which is worked out once: a config does not change."""
        made: T
        try:
            made = self._known[make]
        except KeyError:
            self._known[make] = made = make(self)
        return made

    @property
    @_once
    def usable_versions(self) -> tuple[int, ...]:
        """Those of ``versions`` that have a cipher suite, a group and a signature scheme, the highest first."""
        named = sorted(self.versions, reverse=True)
        return tuple(
            version
            for version in named
            if self.suites_of(version) and self.groups_of(version) and self.schemes_of(version)
        )

    @_once
    def suites_of(self, version: int) -> tuple[int, ...]:
        """The cipher suites of that protocol version."""
        tls13 = version == ProtocolVersion.TLS_1_3
        return tuple(suite for suite in self.cipher_suites if (suite >> 8 == 0x13) == tls13)

    @_once
    def groups_of(self, version: int) -> tuple[int, ...]:
        """The groups for a key exchange of that protocol version."""
        if version == ProtocolVersion.TLS_1_3:
            return self.groups
        return tuple(group for group in self.groups if group not in TLS_1_3_ONLY_GROUPS)

    @_once
    def schemes_of(self, *versions: int) -> tuple[int, ...]:
        """The signature schemes for handshakes of any of these protocol versions."""
        unfit: frozenset[int] = frozenset()
        if ProtocolVersion.TLS_1_2 not in versions:
            unfit = frozenset(CERTIFICATE_ONLY_SCHEMES)
        elif ProtocolVersion.TLS_1_3 not in versions:
            unfit = frozenset(TLS_1_3_ONLY_SCHEMES)
        return tuple(scheme for scheme in self.signature_schemes if scheme not in unfit)


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
        """What a session remembers of how the server was verified (16 bytes): see ``handshake.client_offer``."""
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
