"""What a context has been told, and the config that comes of it.

A context of the standard library is changed step by step, and need not make sense until a connection is made
from it; a config is complete and never changes.  ``Settings`` collects the steps as fields of a config to
be, and ``profile`` makes the config when it is needed: once, until the next step.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from threading import RLock
from typing import Any, ClassVar, Final

from attrs import evolve, fields

from sansticket.adapters.members.credentials import completed, stand_in
from sansticket.adapters.profile import Profile
from sansticket.codes import ProtocolVersion
from sansticket.commands import AcceptPeer
from sansticket.config.choices import ASK, ClientAuthentication
from sansticket.config.client import ClientConfig
from sansticket.config.defaults import KNOWN_VERSIONS
from sansticket.config.server import ServerConfig
from sansticket.crypto.certificates import Credential
from sansticket.crypto.verification import TrustAnchors
from sansticket.errors import ConfigError, Fault, Reason
from sansticket.events import SelectConfig, Sign, VerifyPeer
from sansticket.handshake.common.certificates import verify_chain_default
from sansticket.locks import over_forks
from sansticket.values import frozen

VERIFY_MODES: Final = {
    ClientAuthentication.NONE: ssl.CERT_NONE,
    ClientAuthentication.OPTIONAL: ssl.CERT_OPTIONAL,
    ClientAuthentication.REQUIRED: ssl.CERT_REQUIRED,
}

NO_VERSION: Final = {
    ProtocolVersion.TLS_1_2: ssl.OP_NO_TLSv1_2,
    ProtocolVersion.TLS_1_3: ssl.OP_NO_TLSv1_3,
}
"""The option that turns a protocol version off."""

_BOUNDS: Final[dict[int, int]] = {
    ssl.TLSVersion.MINIMUM_SUPPORTED: min(KNOWN_VERSIONS),
    ssl.TLSVersion.MAXIMUM_SUPPORTED: max(KNOWN_VERSIONS),
}

# The end of all versions is one of them where it does not leave the bound open, and reads as that.
_NO_LOWER_BOUND: Final[dict[int, int]] = {ssl.TLSVersion.MAXIMUM_SUPPORTED: ssl.TLSVersion.TLSv1_3}
_NO_UPPER_BOUND: Final[dict[int, int]] = {ssl.TLSVersion.MINIMUM_SUPPORTED: ssl.TLSVersion.TLSv1}


class SteppedServerConfig(ServerConfig):
    """A config whose credentials need not go with its cipher suites: they come one after the other.

    As with OpenSSL it is the handshake that says what does not fit.
    """

    def _check_credentials(self) -> None:
        """Nothing is said before the handshake."""

    def _can_do(self, version: int) -> bool:
        return super(ServerConfig, self)._can_do(version)


def _made(
    kind: type[ClientConfig] | type[ServerConfig], given: Mapping[str, Any]
) -> ClientConfig | ServerConfig:
    """A config of that kind; a stepped one where a version would be without a credential."""
    try:
        config = kind(**given)
    except ConfigError as error:
        if kind is ClientConfig or error.field != "credentials":
            raise
        return SteppedServerConfig(**given)
    if isinstance(config, ServerConfig) and config.usable_versions != tuple(
        sorted(config.versions, reverse=True)
    ):
        return SteppedServerConfig(**{**given, "ticket_keys": config.ticket_keys})
    return config


class Settings:
    """See the module.  Safe to be used by many threads: some frameworks make connections in a worker thread."""

    def __init__(self, given: ClientConfig | ServerConfig | None, *, server: bool, options: int) -> None:
        self.server = server
        self.kind: type[ClientConfig] | type[ServerConfig] = ServerConfig if server else ClientConfig
        self.lock: RLock = over_forks(RLock(), outer=True)
        self.fields: dict[str, Any] = {"answers": {}}
        self.check_hostname: bool = not server
        self.optional: bool = False
        self.lenient_alpn: bool = given is None
        self.post_handshake_auth: bool = False
        self.sni_callback: Callable[..., Any] | None = None
        self.psk_client_callback: Callable[..., Any] | None = None
        self._loaded: dict[type, Credential] = {}
        self._profile: Profile | None = None
        self.options: int = options
        self.minimum: int = min(self["versions"])
        self.maximum: int = int(ssl.TLSVersion.MAXIMUM_SUPPORTED)
        if given is not None:
            self._adopt(given)

    def _adopt(self, given: ClientConfig | ServerConfig) -> None:
        """Start with what a config says; the settings that are derived from it follow."""
        refuse_ask(given.answers)
        self.fields = {name: getattr(given, name) for name in self._names}
        self._follow(self._names)
        self.check_hostname = self._verifies_names

    @property
    def _verifies_names(self) -> bool:
        """What a client's config means by itself; ``check_hostname`` can be False where this is True."""
        return not self.server and self["verify_peer"] and VerifyPeer not in self["answers"]

    @property
    def _names(self) -> frozenset[str]:
        return frozenset(attribute.name for attribute in fields(self.kind) if attribute.init)

    def _follow(self, changed: Collection[str]) -> None:
        """What the standard library's settings say after these fields have changed."""
        if "versions" in changed:
            versions = self["versions"]
            newest = ProtocolVersion.TLS_1_3 in versions
            self.minimum = min(versions)
            self.maximum = int(ssl.TLSVersion.MAXIMUM_SUPPORTED) if newest else max(versions)
            for version, option in NO_VERSION.items():
                self._set_option(option, self.options & option and version not in versions)
        self._set_option(ssl.OP_NO_TICKET, not self["tickets_in_tls12"])
        if not self.server:
            self._set_option(ssl.OP_ENABLE_MIDDLEBOX_COMPAT, self["middlebox_compatibility"])
            self.post_handshake_auth = self["post_handshake_auth"]

    def _set_option(self, option: int, on: int) -> None:
        self.options = self.options | option if on else self.options & ~option

    def __getitem__(self, name: str) -> Any:
        """A field of the config to be."""
        if name in self.fields:
            return self.fields[name]
        return getattr(fields(self.kind), name).default

    @contextmanager
    def changing(self) -> Iterator[dict[str, Any]]:
        """Change settings: all of them or, when something raises, none.

        They are checked as soon as they are there.  What a context may still lack is filled in for that.
        """
        with self.lock:
            before = {**vars(self), "fields": dict(self.fields), "_loaded": dict(self._loaded)}
            try:
                yield self.fields
                refuse_ask(self["answers"])
                _made(self.kind, self._filled_in())
            except BaseException:
                vars(self).update(before)
                raise
            self._profile = None

    def _filled_in(self) -> dict[str, Any]:
        """The fields, with something that will do for what nobody has given yet.

        Bounds without a version between them may be those of a context whose other bound comes next.
        """
        filled = dict(self.fields)
        if not self["versions"]:
            filled["versions"] = KNOWN_VERSIONS
        if not self["credentials"] and (self.server or Sign in self["answers"]):
            filled["credentials"] = (stand_in(),)
        if self._lacks_anchors:
            filled["trust_anchors"] = TrustAnchors(stand_in().chain)
        return filled

    @property
    def _lacks_anchors(self) -> bool:
        """Whether there is somebody to be verified, and nothing to do it with."""
        verifies = self.verify_mode is not ssl.CERT_NONE
        return verifies and self["trust_anchors"] is None and VerifyPeer not in self["answers"]

    def change(self, **changes: Any) -> None:
        """Change fields by name.  TypeError for one that the config does not have, ConfigError as it says."""
        for name in changes:
            if name not in self._names:
                raise TypeError(f"{self.kind.__name__} has no field {name!r}")
        with self.lock:
            verified = self._verifies_names
            with self.changing() as changed:
                changed.update(changes)
            self._follow(changes)
            if self._verifies_names is not verified:
                self.check_hostname = not verified

    # --- settings of the standard library that are more than a field ---------------------------------------------

    @property
    def verify_mode(self) -> ssl.VerifyMode:
        if self.server:
            return VERIFY_MODES[self["client_authentication"]]
        if not self["verify_peer"]:
            return ssl.CERT_NONE
        return ssl.CERT_OPTIONAL if self.optional else ssl.CERT_REQUIRED

    @verify_mode.setter
    def verify_mode(self, mode: ssl.VerifyMode) -> None:
        with self.changing() as changed:
            self.optional = mode is ssl.CERT_OPTIONAL
            if self.server:
                changed["client_authentication"] = {v: k for k, v in VERIFY_MODES.items()}[mode]
            else:
                changed["verify_peer"] = mode is not ssl.CERT_NONE

    def use_bounds(self, minimum: int | None = None, maximum: int | None = None) -> None:
        """The lowest and the highest protocol version; the magic values of ``ssl.TLSVersion`` too."""
        with self.changing() as changed:
            if minimum is not None:
                self.minimum = _NO_LOWER_BOUND.get(minimum, minimum)
            if maximum is not None:
                self.maximum = _NO_UPPER_BOUND.get(maximum, maximum)
            changed["versions"] = self._versions()

    def _versions(self) -> tuple[int, ...]:
        lowest, highest = _BOUNDS.get(self.minimum, self.minimum), _BOUNDS.get(self.maximum, self.maximum)
        return tuple(
            version
            for version in KNOWN_VERSIONS
            if lowest <= version <= highest and not self.options & NO_VERSION[version]
        )

    def offers(self, version: int) -> bool:
        return version in self["versions"]

    def use_options(self, options: int) -> None:
        with self.changing() as changed:
            before, self.options = self.options, options
            if (before ^ options) & (ssl.OP_NO_TLSv1_2 | ssl.OP_NO_TLSv1_3):
                changed["versions"] = self._versions()
            changed["tickets_in_tls12"] = not options & ssl.OP_NO_TICKET
            if not self.server:
                changed["middlebox_compatibility"] = bool(options & ssl.OP_ENABLE_MIDDLEBOX_COMPAT)

    def use_post_handshake_auth(self, wanted: bool) -> None:
        with self.changing() as changed:
            self.post_handshake_auth = wanted
            if not self.server:
                changed["post_handshake_auth"] = wanted

    def use_protocols(self, protocols: tuple[bytes, ...]) -> None:
        with self.changing() as changed:
            self.lenient_alpn = True
            changed["alpn_protocols"] = protocols

    def add_credential(self, credential: Credential) -> None:
        """One of each kind of key, as in OpenSSL; those that a config brought stay, behind it."""
        with self.changing() as changed:
            others = [one for one in self["credentials"] if one not in self._loaded.values()]
            self._loaded[type(credential.private_key)] = credential
            changed["credentials"] = (*self._loaded.values(), *others)

    def add_anchors(self, certificates: tuple[bytes, ...]) -> None:
        with self.changing() as changed:
            known = self["trust_anchors"].certificates if self["trust_anchors"] is not None else ()
            new = tuple(der for der in dict.fromkeys(certificates) if der not in known)
            if new:
                changed["trust_anchors"] = TrustAnchors((*known, *new))

    # --- the config ----------------------------------------------------------------------------------------------

    def profile(self) -> Profile:
        """What a new connection goes by.  ConfigError when something is missing."""
        with self.lock:
            if self._profile is None:
                config = self._config()
                live = self._live(config)
                self._profile = Profile(
                    config,
                    live,
                    self._identity(live),
                    self.verify_mode is not ssl.CERT_NONE,
                    self.verify_mode is ssl.CERT_REQUIRED,
                    self.check_hostname,
                    self.post_handshake_auth,
                    self.lenient_alpn,
                    bool(self.options & getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)),
                    self.sni_callback,
                    self.psk_client_callback,
                )
            return self._profile

    def _identity(self, live: ClientConfig | ServerConfig) -> object:
        """What a client's session must not cross: how servers are verified, and who we are."""
        return live.session_context if isinstance(live, ClientConfig) else None

    def forget_profile(self) -> None:
        """Something that is no field has changed."""
        with self.lock:
            self._profile = None

    def _config(self) -> ClientConfig | ServerConfig:
        given = dict(self.fields)
        anchors = self["trust_anchors"]
        if anchors is not None and self._loaded:
            loaded = self._loaded.values()
            given["credentials"] = tuple(
                completed(one, anchors) if one in loaded else one for one in self["credentials"]
            )
        if self._lacks_anchors and (self.verify_mode is ssl.CERT_OPTIONAL or self.psk_client_callback):
            given["answers"] = {**self["answers"], VerifyPeer: trust_nobody}
        config = _made(self.kind, given)
        # Perhaps a random ring, and random bytes for whoever verifies: made once.
        if isinstance(config, ServerConfig):
            self.fields["ticket_keys"] = config.ticket_keys
        if given["answers"] is self.fields["answers"]:
            self.fields["answers"] = config.answers
        return config

    def _live(self, config: ClientConfig | ServerConfig) -> ClientConfig | ServerConfig:
        if isinstance(config, ServerConfig):
            return (
                evolve(config, answers={**config.answers, SelectConfig: ASK})
                if self._chooses(config)
                else config
            )
        if config.verify_peer and not self.check_hostname and VerifyPeer not in config.answers:
            answers = {**config.answers, VerifyPeer: ChainAlone(config)}
            return evolve(config, answers=answers, verification_label=CHAIN_ALONE)
        return config

    def _chooses(self, config: ServerConfig) -> bool:
        """Whether something depends on the ClientHello: a question is a step more in each handshake.

        With a ``stateless_retry`` the hello that begins a connection may be another client's, and the question shows
        the one that counts.
        """
        return (
            self.sni_callback is not None
            or self.post_handshake_auth
            or SelectConfig in config.answers
            or config.stateless_retry is not None
            or (self.lenient_alpn and bool(config.alpn_protocols))
        )


def refuse_ask(answers: Mapping[Any, Any]) -> None:
    """Whoever drives an SSLObject knows nothing of questions: only a function can answer one."""
    for question, answer in answers.items():
        if answer is ASK:
            raise ConfigError(
                "answers",
                f"ASK for {question.__name__}, but nobody behind an SSLObject can answer; expected a function",
            )


def trust_nobody(question: VerifyPeer) -> AcceptPeer:
    """The answer where a certificate may be shown (CERT_OPTIONAL, or beside a PSK), and no trust anchor is there to
    verify it with."""
    raise Fault(Reason.CERTIFICATE_UNTRUSTED, "there are no trust anchors")


CHAIN_ALONE: Final = b"sansticket.adapters: chain without name"
"""The label of ``ChainAlone``: it accepts the same wherever trust anchors and ``min_rsa_bits`` are the same."""


@frozen
class ChainAlone:
    """The answer of a client that verifies the chain, with what is stapled, and not the name (``check_hostname`` is
    False).

    A Fault that it raises is the verdict, with its reason.
    """

    VERIFIES_BY_DEFAULT: ClassVar = True
    config: ClientConfig

    def __call__(self, question: VerifyPeer) -> AcceptPeer:
        now = self.config.clock()
        verify_chain_default(self.config, question.certificates, None, now, question.ocsp_response)
        return AcceptPeer()
