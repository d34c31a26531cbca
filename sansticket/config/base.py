"""What the application decides beforehand.

A config is frozen and can serve any number of connections.  It is checked when it is made: a ``ConfigError``
names the field, what was wrong and what was expected.  The defaults of ``clock`` and ``entropy`` are the only
places in the package that touch the system's time and randomness.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from functools import wraps
from types import NoneType
from typing import Any, TypeVar, cast

from attrs import field, frozen

from sansticket.codes import ProtocolVersion
from sansticket.config.checks import (
    as_dict,
    as_tuple,
    check_callable,
    check_items,
    check_range,
    check_some,
    check_type,
)
from sansticket.config.choices import ASK, Answer, ResumedCertificates
from sansticket.config.defaults import (
    CERTIFICATE_ONLY_SCHEMES,
    DEFAULT_CIPHER_SUITES,
    KNOWN_VERSIONS,
    MAX_PROTOCOLS,
    TLS_1_3_ONLY_GROUPS,
    TLS_1_3_ONLY_SCHEMES,
    _default_groups,
    _default_signature_schemes,
)
from sansticket.crypto import groups, signatures
from sansticket.crypto.certificates import Credential
from sansticket.crypto.suites import SUITES
from sansticket.crypto.verification import TrustAnchors
from sansticket.errors import ConfigError
from sansticket.events import (
    Question,
    Sign,
)

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
