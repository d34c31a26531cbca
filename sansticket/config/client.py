"""What a client decides beforehand."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any, Final

from attrs import Attribute, field

from sansticket.config.answers import Lacking, check_asked, lacking_in_a_client
from sansticket.config.base import Config
from sansticket.config.checks import (
    are,
    as_numbers_or_none,
    as_tuple,
    check_known,
    check_range,
    is_a,
    is_flag,
    or_none,
)
from sansticket.config.derived import (
    can_sign,
    client_identity,
    key_share_groups,
    store_policy,
    verification_policy,
)
from sansticket.config.hello import fixed_extensions, psk_modes
from sansticket.errors import ConfigError
from sansticket.events import VerifyPeer
from sansticket.psk import ExternalPsk, PskRole
from sansticket.text import short
from sansticket.tickets.stores.client import ClientSessionStore, StoreKey
from sansticket.values import frozen, says
from sansticket.wire.extensions.base import Extension
from sansticket.wire.extensions.certificate import StatusRequest

MAX_PSKS: Final = 16_384
"""Bytes of a ClientHello for external PSKs: a quarter of what its extensions have."""

SIZE_BESIDE_IDENTITY: Final = 6 + 1 + 48
"""Bytes that an external PSK takes besides its identity: length, age, and a binder of the longest hash."""


def _as_request(values: Iterable[int] | None) -> tuple[int, int] | None:
    """As a tuple; what is no pair is for ``_is_request`` to complain of."""
    numbers: tuple[int, int] | None = None if values is None else as_tuple(values)
    return numbers


def _is_request(config: object, attribute: Attribute[Any], numbers: Any) -> None:
    """Two numbers of tickets."""
    if not isinstance(numbers, tuple):
        raise ConfigError(attribute.name, f"{short(numbers)}; expected two numbers, or None")
    if len(numbers) != 2:
        raise ConfigError(attribute.name, f"{len(numbers)} numbers; expected two")
    for count in numbers:
        check_range(attribute.name, count, 0, 255)


@frozen(kw_only=True, slots=False)
class ClientConfig(Config):
    """What a client's connections offer, whom they believe, and where they keep their sessions.

    Without ``trust_anchors`` it is refused, unless there are ``psks``, ``VerifyPeer`` is answered or ``verify_peer`` is
    False.
    """

    verify_peer: bool = field(
        default=True,
        validator=is_flag,
        metadata=says(
            "False turns off the verification of the server's certificate: anybody can be in the middle."
        ),
    )
    key_shares: tuple[int, ...] | None = field(
        default=None,
        converter=as_numbers_or_none,
        validator=or_none(are(int, "a number")),
        metadata=says(
            "Groups for which the first ClientHello brings a key share, in the order that they have in ``groups``.  "
            "Empty leaves the choice to the server, for a round trip more.  None: the first group, and with a hybrid "
            "first group its classical half too, if it is among ``groups``."
        ),
    )
    middlebox_compatibility: bool = field(
        default=True,
        validator=is_flag,
        metadata=says(
            "RFC 9846 appendix E.4: a session id and a change_cipher_spec that make TLS 1.3 look like a resumed "
            "TLS 1.2."
        ),
    )
    post_handshake_auth: bool = field(
        default=False,
        validator=is_flag,
        metadata=says("Let the server ask for our certificate after the handshake."),
    )
    session_store: ClientSessionStore | None = field(
        default=None,
        validator=or_none(is_a(ClientSessionStore, "a ClientSessionStore or None")),
        metadata=says(
            "Where sessions live between connections.  A connection takes its session from the store unless it is "
            "given one, puts in those that come, and says what became of them: see ``ClientConnection``."
        ),
    )
    ticket_request: tuple[int, int] | None = field(
        default=None,
        converter=_as_request,
        validator=or_none(_is_request),
        metadata=says(
            "RFC 9149: the number of tickets wanted after a full handshake, and after a resumption; 0 to 255 each."
        ),
    )
    request_tickets: bool = field(
        default=False,
        validator=is_flag,
        metadata=says("RFC 9149 again: ask for as many tickets as ``session_store`` has room for."),
    )
    resume_with_other_name: bool = field(
        default=False,
        validator=is_flag,
        metadata=says(
            "Offer a session also to a server name other than the one it was made with, if its certificate is for both."
        ),
    )

    request_stapling: bool = field(
        default=False,
        validator=is_flag,
        metadata=says(
            "Ask the server for an OCSP response beside its certificate (RFC 6066 section 8).  What comes is verified "
            "with the chain, and a certificate that must be stapled (RFC 7633) is refused without one."
        ),
    )
    require_stapling: bool = field(
        default=False,
        validator=is_flag,
        metadata=says(
            "Ask for an OCSP response as ``request_stapling`` does, and refuse a certificate without one.  Where "
            "``VerifyPeer`` is answered, it is the answer that verifies the response."
        ),
    )
    early_data: bool = field(
        default=False,
        validator=is_flag,
        metadata=says(
            "Offer early data where the session allows it (RFC 9846 section 4.3.10): then ``SendEarlyData`` can be "
            "given before the handshake is done.  Nothing but that command is ever sent early."
        ),
    )

    def _check(self) -> None:
        super()._check()
        if self.key_shares is not None:
            check_known("key_shares", self.key_shares, self.groups)
        self._check_psks(PskRole.CLIENT)
        if sum(SIZE_BESIDE_IDENTITY + len(psk.identity) for psk in self.psks) > MAX_PSKS:
            raise ConfigError("psks", f"too many; expected identities of at most {MAX_PSKS} bytes together")
        if not self.psks and not self._verifies:
            raise ConfigError(
                "trust_anchors",
                "none given; expected TrustAnchors, or an answer for VerifyPeer, or verify_peer=False",
            )
        if self.require_stapling and self.psk_only:
            raise ConfigError(
                "require_stapling", "True, but there are only PSKs, with which no certificate counts"
            )
        if self.require_stapling and not self.somebody_verifies:
            raise ConfigError("require_stapling", "True, but verify_peer is False: nobody would look at it")
        if self.request_tickets and (self.session_store is None or self.ticket_request is not None):
            raise ConfigError("request_tickets", "needs a session_store, and no ticket_request beside it")
        check_asked(self.answers, self.lacking, "client")

    def _check_versions(self) -> None:
        super()._check_versions()
        if self.credentials and not any(
            can_sign(credential, version, self.schemes_of(version))
            for credential in self.credentials
            for version in self.usable_versions
        ):
            raise ConfigError(
                "credentials", "none has a key that goes with one of the signature_schemes for these versions"
            )

    @property
    def _verifies(self) -> bool:
        """Somebody looks at the server's certificate, or nobody is to."""
        return self.trust_anchors is not None or VerifyPeer in self.answers or not self.verify_peer

    @property
    def somebody_verifies(self) -> bool:
        """The server's certificate matters: by default, or to the application."""
        return self.verify_peer or VerifyPeer in self.answers

    @property
    def psk_only(self) -> bool:
        """There are PSKs and nobody to verify a certificate, so that none counts."""
        return bool(self.psks) and not (
            VerifyPeer in self.answers or (self.verify_peer and self.trust_anchors is not None)
        )

    @cached_property
    def usable_psks(self) -> tuple[ExternalPsk, ...]:
        """Those of a hash that one of the cipher suites has."""
        return tuple(psk for psk in self.psks if psk.hash_name in self.hashes)

    @property
    def lacking(self) -> Lacking:
        """For each question of clients what this config lacks to ask it; "" for those that it can ask."""
        return lacking_in_a_client(bool(self.credentials))

    # --- what follows from the fields ----------------------------------------------------------------------------

    @cached_property
    def verification_policy(self) -> bytes:
        """What a session remembers of how the server was verified (16 bytes): see ``handshake.client.sessions``."""
        by_default = b"chain" if self.verify_peer else b"none"
        how = self._who_verifies(b"psk" if self.psk_only else by_default)
        stapling = b"required" if self.require_stapling else b"requested" if self.asks_for_staples else b""
        return verification_policy(how, self.min_rsa_bits, self.trust_anchors, stapling)

    @cached_property
    def asks_for_staples(self) -> bool:
        """Servers are asked for OCSP responses; where no certificate counts there is nothing to ask for."""
        return (self.request_stapling or self.require_stapling) and not self.psk_only

    @property
    def verifies_by_default(self) -> bool:
        """Whether chains are verified, and by ``cryptography``."""
        return self.verify_peer and super().verifies_by_default

    @cached_property
    def client_identity(self) -> bytes:
        """What a session remembers of the credentials that the client had (16 bytes); empty for none."""
        return client_identity(tuple(credential.chain for credential in self.credentials))

    @cached_property
    def session_context(self) -> bytes:
        """The ``session_id_context`` of a client's sessions: ``verification_policy``, and then ``client_identity``."""
        return self.verification_policy + self.client_identity

    @cached_property
    def _store_policy(self) -> bytes:
        return store_policy(
            self.verification_policy,
            tuple(credential.chain for credential in self.credentials),
            tuple(psk.fingerprint for psk in self.psks),
        )

    def store_key(self, server_name: str, port: int = 443) -> StoreKey:
        """What sessions with this server are kept under: they stand for how it was verified, and for who we were."""
        return StoreKey(server_name, port, self.alpn_protocols, self._store_policy)

    @cached_property
    def key_share_groups(self) -> tuple[int, ...]:
        """The groups of the key shares in the first ClientHello."""
        return key_share_groups(self.groups, self.key_shares)

    @cached_property
    def fixed_extensions(self) -> tuple[Extension, ...]:
        """The extensions that every ClientHello of this config begins with, in a connection to whomever."""
        modes = psk_modes(self.psks)
        extensions = fixed_extensions(self, self.post_handshake_auth, modes)
        return (*extensions, StatusRequest()) if self.asks_for_staples else extensions
