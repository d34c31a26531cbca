"""``ssl.SSLContext`` over a config of sansticket.

It inherits from the class that it resembles, since asyncio's ``start_tls``, aiohttp and others ask for an
instance of that.  Nothing of what is inherited is used: every public name of the base is defined here again,
and a test sees to it.  What cannot be done says so.
"""

from __future__ import annotations

import os
import ssl
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from operator import index
from typing import TYPE_CHECKING, Any, Final, Literal, NoReturn, Self, overload

from sansticket.adapters.arguments import (
    KeyLogFile,
    as_session,
    encoded_name,
    known_version,
    protocol_of,
    unsigned,
)
from sansticket.adapters.certificates import (
    Password,
    StrPath,
    as_dictionary,
    read_anchors,
    read_credential,
    usable_anchors,
)
from sansticket.adapters.ciphers import CIPHERS, CURVES, select_ciphers
from sansticket.adapters.failures import failure, without_reason
from sansticket.adapters.settings import Settings
from sansticket.adapters.ssl_object import SSLObject
from sansticket.config import Answer, ClientConfig, ServerConfig
from sansticket.errors import ConfigError
from sansticket.events import Event, Question, SelectConfig, VerifyPeer
from sansticket.handshake.client_start import normal_server_name
from sansticket.tickets.cache import SessionCache
from sansticket.tickets.protection import TicketKeys
from sansticket.tickets.store import ClientSessionStore
from sansticket.wire.codes import ProtocolVersion

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

SECURITY_LEVEL: Final = 2
"""What SSL_CTX_set_security_level(3) calls 112 bits: nothing below that is there to be chosen."""

POSSIBLE_VERIFY_FLAGS: Final = (
    ssl.VERIFY_X509_TRUSTED_FIRST | ssl.VERIFY_X509_STRICT | ssl.VerifyFlags(0x80000)  # partial chain
)

STATISTICS: Final = (
    "number",
    "connect",
    "connect_good",
    "connect_renegotiate",
    "accept",
    "accept_good",
    "accept_renegotiate",
    "hits",
    "misses",
    "timeouts",
    "cache_full",
)


class SSLContext(ssl.SSLContext):
    """What connections are made from.

    ``SSLContext(config)`` is for what a ``ClientConfig`` or ``ServerConfig`` says; ``SSLContext(protocol)`` with
    ``ssl.PROTOCOL_TLS_CLIENT`` or ``PROTOCOL_TLS_SERVER`` is set up step by step, as in the standard library.
    Either can be changed by the methods and attributes of both.  A connection goes by what its context said when
    it was made.

    Beyond the standard library: ``config``, ``configure``, ``ticket_keys``, ``session_cache``,
    ``session_store``, ``answers`` and ``on_event``.

    A question can be answered by a function, and not with ``ASK``: nobody who drives an SSLObject would know of
    it.  A config with ``ASK`` is a ConfigError.
    """

    sslobject_class: type[ssl.SSLObject] = SSLObject

    on_event: Callable[[SSLObject, Event], object] | None = None
    """Called with each event of each connection, but questions: ``HandshakeCompleted`` with the resumption
    record, ``TicketIssued``, ``TicketReceived``, ``ConnectionTerminated``, ...  What it raises comes out of the
    call that the framework made."""

    def __new__(cls, made_for: int | ClientConfig | ServerConfig) -> Self:
        return super().__new__(cls, protocol_of(made_for))

    def __init__(self, made_for: int | ClientConfig | ServerConfig) -> None:
        self._protocol = protocol_of(made_for)
        given = made_for if isinstance(made_for, ClientConfig | ServerConfig) else None
        server = self._protocol is ssl.PROTOCOL_TLS_SERVER
        self._settings = Settings(given, server=server, options=int(super().options))
        self._verify_flags = super().verify_flags
        self._keylog_filename: str | None = None
        self._statistics: Counter[str] = Counter()

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"cannot pickle {type(self).__name__!r} object")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._protocol.name}>"

    # --- sansticket ----------------------------------------------------------------------------------------------

    @property
    def config(self) -> ClientConfig | ServerConfig:
        """What new connections go by.  ConfigError while something is missing."""
        return self._settings.profile().config

    def configure(self, **changes: Any) -> None:
        """Change fields of the config, by their names: ``context.configure(num_tickets=4)``.

        ConfigError when they do not fit together, TypeError for what is no field; then nothing has changed.
        """
        self._settings.change(**changes)

    @property
    def ticket_keys(self) -> TicketKeys | None:
        """A server's ticket keys; they can be rotated, and shared with other contexts."""
        config = self.config
        return config.ticket_keys if isinstance(config, ServerConfig) else None

    @ticket_keys.setter
    def ticket_keys(self, keys: TicketKeys | None) -> None:
        self.configure(ticket_keys=keys)

    @property
    def session_cache(self) -> SessionCache | None:
        """A server's session cache, with its hooks."""
        cache: SessionCache | None = self._settings["session_cache"] if self._settings.server else None
        return cache

    @session_cache.setter
    def session_cache(self, cache: SessionCache | None) -> None:
        self.configure(session_cache=cache)

    @property
    def session_store(self) -> ClientSessionStore | None:
        """Where a client keeps sessions.  With one, connections resume without anybody passing ``session``."""
        store: ClientSessionStore | None = None if self._settings.server else self._settings["session_store"]
        return store

    @session_store.setter
    def session_store(self, store: ClientSessionStore | None) -> None:
        self.configure(session_store=store)

    @property
    def answers(self) -> Mapping[type[Question], Answer]:
        """The functions that answer questions."""
        answers: Mapping[type[Question], Answer] = self._settings["answers"]
        return answers

    @answers.setter
    def answers(self, answers: Mapping[type[Question], Answer]) -> None:
        self.configure(answers=answers)

    # --- making connections --------------------------------------------------------------------------------------

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: Any = None,
    ) -> SSLObject:
        """A connection between two buffers.  ``session`` is an ``SSLSession`` of the adapters, or a ``Session``."""
        for bio in (incoming, outgoing):
            if not isinstance(bio, ssl.MemoryBIO):
                raise TypeError(f"wrap_bio() needs two MemoryBIO, not {type(bio).__name__}")
        self._check_side(server_side, server_hostname, session)
        name = encoded_name(server_hostname)
        profile = self._settings.profile()
        if isinstance(profile.live, ClientConfig):
            if name is None and self.check_hostname:
                raise ValueError("check_hostname requires server_hostname")
            normal_server_name(name, profile.live)
        return self._object_class()(self, incoming, outgoing, bool(server_side), name, as_session(session))

    def _object_class(self) -> type[SSLObject]:
        if not issubclass(self.sslobject_class, SSLObject):
            raise TypeError("sslobject_class must be a subclass of the adapters' SSLObject")
        return self.sslobject_class

    def _check_side(self, server_side: bool, server_hostname: str | bytes | None, session: object) -> None:
        side = "server" if server_side else "client"
        if bool(server_side) is not self._settings.server:
            words = f"Cannot create a {side} socket with a {self._protocol.name} context"
            raise without_reason(ssl.SSLError, 0, words)
        if server_side and server_hostname:
            raise ValueError("server_hostname can only be specified in client mode")
        if server_side and session is not None:
            raise ValueError("session can only be specified in client mode")

    def wrap_socket(
        self,
        sock: Any,
        server_side: bool = False,
        do_handshake_on_connect: bool = True,
        suppress_ragged_eofs: bool = True,
        server_hostname: str | bytes | None = None,
        session: Any = None,
    ) -> NoReturn:
        """Not here: sansticket does no I/O.  A subclass can: see docs/adapters.md."""
        raise NotImplementedError(
            "sansticket does no I/O: use wrap_bio, or a subclass that has wrap_socket (see docs/adapters.md)"
        )

    _wrap_socket = _wrap_bio = wrap_socket

    # --- certificates --------------------------------------------------------------------------------------------

    def load_cert_chain(
        self, certfile: StrPath, keyfile: StrPath | None = None, password: Password = None
    ) -> None:
        """A chain and its private key from PEM files.  One more for each kind of key, as in OpenSSL."""
        self._settings.add_credential(read_credential(certfile, keyfile, password))

    def load_verify_locations(
        self,
        cafile: StrPath | None = None,
        capath: StrPath | None = None,
        cadata: str | ReadableBuffer | None = None,
    ) -> None:
        """More trust anchors.  Those in the folder ``capath`` are read at once, and not when they are needed."""
        if cafile is None and capath is None and cadata is None:
            raise TypeError("cafile, capath and cadata cannot be all omitted")
        found = tuple(read_anchors(cafile, capath, cadata))
        try:
            self._settings.add_anchors(found)
        except ConfigError as error:
            raise failure("X509_LIB", str(error), library="X509") from error

    def load_default_certs(self, purpose: ssl.Purpose = ssl.Purpose.SERVER_AUTH) -> None:
        """The trust anchors of the system, where OpenSSL would look for them."""
        if not isinstance(purpose, ssl.Purpose):
            raise TypeError(purpose)
        self.set_default_verify_paths()

    def set_default_verify_paths(self) -> None:
        """The same.  Files that are missing and certificates that are of no use are passed over."""
        paths = ssl.get_default_verify_paths()
        cafile = paths.cafile or None
        found = read_anchors(cafile, None if cafile else paths.capath or None, None)
        self._settings.add_anchors(tuple(usable_anchors(found)))

    def _anchors(self) -> tuple[bytes, ...]:
        anchors = self._settings["trust_anchors"]
        return anchors.certificates if anchors is not None else ()

    def cert_store_stats(self) -> dict[str, int]:
        """How many trust anchors there are.  Each counts as an authority."""
        count = len(self._anchors())
        return {"x509": count, "crl": 0, "x509_ca": count}

    @overload
    def get_ca_certs(self, binary_form: Literal[False] = False) -> list[dict[str, Any]]: ...
    @overload
    def get_ca_certs(self, binary_form: Literal[True]) -> list[bytes]: ...
    @overload
    def get_ca_certs(self, binary_form: bool = False) -> Any: ...

    def get_ca_certs(self, binary_form: bool = False) -> Any:
        """The trust anchors, as ``getpeercert`` gives certificates."""
        return [der if binary_form else as_dictionary(der) for der in self._anchors()]

    # --- verification --------------------------------------------------------------------------------------------

    @property
    def verify_mode(self) -> ssl.VerifyMode:
        """Whether the peer needs a certificate."""
        return self._settings.verify_mode

    @verify_mode.setter
    def verify_mode(self, value: int) -> None:
        mode = ssl.VerifyMode(index(value))
        if mode is ssl.CERT_NONE and self.check_hostname:
            raise ValueError("Cannot set verify_mode to CERT_NONE when check_hostname is enabled.")
        if mode is not self.verify_mode:
            self._settings.verify_mode = mode

    @property
    def check_hostname(self) -> bool:
        """Whether a client verifies the server's name.  False too where an answer for ``VerifyPeer`` does it."""
        return self._settings.check_hostname

    @check_hostname.setter
    def check_hostname(self, value: bool) -> None:
        if value and VerifyPeer in self.answers:
            raise ValueError("check_hostname cannot be enabled: the answer for VerifyPeer verifies servers")
        if value and self.verify_mode is ssl.CERT_NONE:
            self.verify_mode = ssl.CERT_REQUIRED
        self._settings.check_hostname = bool(value)
        self._settings.forget_profile()

    @property
    def hostname_checks_common_name(self) -> bool:
        """False: names are matched against subjectAltName only (RFC 9525 section 2)."""
        return False

    @hostname_checks_common_name.setter
    def hostname_checks_common_name(self, value: bool) -> None:
        if value:
            raise NotImplementedError("the common name is not looked at")

    @property
    def verify_flags(self) -> ssl.VerifyFlags:
        """The flags can be set that describe what is always done; there are no CRLs."""
        return self._verify_flags

    @verify_flags.setter
    def verify_flags(self, value: int) -> None:
        if value & ~POSSIBLE_VERIFY_FLAGS:
            raise NotImplementedError(f"{ssl.VerifyFlags(value & ~POSSIBLE_VERIFY_FLAGS)!r}")
        self._verify_flags = ssl.VerifyFlags(value)

    @property
    def post_handshake_auth(self) -> bool:
        """A client's: whether it can be asked for a certificate after the handshake.

        A server's: that clients of TLS 1.3 are asked with ``verify_client_post_handshake`` only.
        """
        return bool(self._settings.post_handshake_auth)

    @post_handshake_auth.setter
    def post_handshake_auth(self, value: bool) -> None:
        self._settings.use_post_handshake_auth(bool(value))

    # --- protocol ------------------------------------------------------------------------------------------------

    @property
    def protocol(self) -> Any:  # type: ignore[override]  # as in the stubs of the standard library
        """``PROTOCOL_TLS_CLIENT`` or ``PROTOCOL_TLS_SERVER``."""
        return self._protocol

    @property
    def minimum_version(self) -> ssl.TLSVersion:
        return ssl.TLSVersion(self._settings.minimum)

    @minimum_version.setter
    def minimum_version(self, value: int) -> None:
        self._settings.use_bounds(minimum=known_version(value))

    @property
    def maximum_version(self) -> ssl.TLSVersion:
        return ssl.TLSVersion(self._settings.maximum)

    @maximum_version.setter
    def maximum_version(self, value: int) -> None:
        self._settings.use_bounds(maximum=known_version(value))

    @property
    def options(self) -> ssl.Options:
        """OP_NO_TLSv1_2, OP_NO_TLSv1_3, OP_NO_TICKET, OP_IGNORE_UNEXPECTED_EOF and OP_ENABLE_MIDDLEBOX_COMPAT have
        an effect; the others are about what is always or never done."""
        return ssl.Options(self._settings.options)

    @options.setter
    def options(self, value: int) -> None:
        self._settings.use_options(unsigned(value))

    security_level: int = SECURITY_LEVEL

    def set_ciphers(self, cipherlist: str, /) -> None:
        """The cipher suites of TLS 1.2, in OpenSSL's language; those of TLS 1.3 stay as they are."""
        if not isinstance(cipherlist, str):
            raise TypeError(f"set_ciphers() argument must be str, not {type(cipherlist).__name__}")
        tls13 = tuple(suite for suite in self._settings["cipher_suites"] if CIPHERS[suite].tls13)
        self.configure(cipher_suites=(*tls13, *select_ciphers(cipherlist)))

    def get_ciphers(self) -> list[Any]:
        """The cipher suites that are enabled, the preferred ones first."""
        tls12 = self._settings.offers(ProtocolVersion.TLS_1_2)
        tls13 = self._settings.offers(ProtocolVersion.TLS_1_3)
        return [
            CIPHERS[suite].as_dict(suite)
            for suite in self._settings["cipher_suites"]
            if (tls13 if CIPHERS[suite].tls13 else tls12)
        ]

    def set_ecdh_curve(self, name: str | bytes, /) -> None:
        """Use this group and no other, by OpenSSL's short name."""
        curve = CURVES.get(os.fsdecode(name))
        if curve is None:
            raise ValueError(f"unknown elliptic curve name {name!r}")
        self.configure(groups=(curve,))

    def set_alpn_protocols(self, alpn_protocols: Iterable[str]) -> None:
        """The application protocols, in the order of preference.  A server that has none of the client's goes on
        without; one whose config names protocols refuses such a client instead (RFC 7301 section 3.2)."""
        protocols = tuple(bytes(protocol, "ascii") for protocol in alpn_protocols)
        if not all(0 < len(protocol) < 256 for protocol in protocols):
            raise ssl.SSLError("ALPN protocols must be 1 to 255 in length")
        if protocols != self._settings["alpn_protocols"] or not self._settings.lenient_alpn:
            self._settings.lenient_alpn = True
            self.configure(alpn_protocols=protocols)

    @property
    def num_tickets(self) -> int:
        """TLS 1.3 tickets after a full handshake."""
        number: int = self._settings["num_tickets"] if self._settings.server else 2
        return number

    @num_tickets.setter
    def num_tickets(self, value: int) -> None:
        if not self._settings.server:
            raise ValueError("SSLContext is not a server context.")
        self.configure(num_tickets=index(value))

    @property
    def sni_callback(self) -> Any:
        """A server's: called with the SSLObject, the name that the client asks for, and the context.

        It may set ``context`` of the SSLObject.  It returns None, or an alert to refuse the client with.
        """
        return self._settings.sni_callback

    @sni_callback.setter
    def sni_callback(self, callback: Callable[..., Any] | None) -> None:
        if not self._settings.server:
            raise ValueError("sni_callback cannot be set on TLS_CLIENT context")
        if callback is not None and not callable(callback):
            raise TypeError("not a callable object")
        if callback is not None and SelectConfig in self.answers:
            raise ConfigError("answers", "SelectConfig is answered; expected that or an sni_callback")
        self._settings.sni_callback = callback
        self._settings.forget_profile()

    def set_servername_callback(self, server_name_callback: Callable[..., Any] | None) -> None:
        """The older name of ``sni_callback``."""
        self.sni_callback = server_name_callback

    @property
    def keylog_filename(self) -> Any:
        """A file to which the secrets of all connections are appended, for Wireshark."""
        return self._keylog_filename

    @keylog_filename.setter
    def keylog_filename(self, path: StrPath | None) -> None:
        key_log = KeyLogFile(os.fsdecode(path)) if path is not None else None
        self.configure(key_log=key_log)
        self._keylog_filename = os.fsdecode(path) if path is not None else None

    def session_stats(self) -> dict[str, int]:
        """Connections begun and completed, sessions resumed (hits) and not (misses), and kept (number)."""
        found = {name: self._statistics[name] for name in STATISTICS}
        cache = self.session_cache
        found["number"] = len(cache) if cache is not None else 0
        return found

    def _count(self, name: str) -> None:
        with self._settings.lock:
            self._statistics[name] += 1

    # --- what there is not ---------------------------------------------------------------------------------------

    def load_dh_params(self, path: str, /) -> NoReturn:
        """There is no finite field Diffie-Hellman."""
        raise NotImplementedError("sansticket has no finite field Diffie-Hellman")

    def set_npn_protocols(self, npn_protocols: Iterable[str]) -> NoReturn:
        raise NotImplementedError("NPN is history; expected set_alpn_protocols")

    def set_psk_client_callback(self, callback: Callable[..., Any] | None) -> NoReturn:
        raise NotImplementedError("external PSKs cannot be used through an SSLContext")

    def set_psk_server_callback(
        self, callback: Callable[..., Any] | None, identity_hint: str | None = None
    ) -> NoReturn:
        raise NotImplementedError("external PSKs cannot be used through an SSLContext")


def create_default_context(
    purpose: ssl.Purpose = ssl.Purpose.SERVER_AUTH,
    *,
    cafile: StrPath | None = None,
    capath: StrPath | None = None,
    cadata: str | ReadableBuffer | None = None,
) -> SSLContext:
    """What ``ssl.create_default_context`` does: SERVER_AUTH is for clients, CLIENT_AUTH for servers."""
    if not isinstance(purpose, ssl.Purpose):
        raise TypeError(purpose)
    server = purpose is ssl.Purpose.CLIENT_AUTH
    context = SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    if cafile or capath or cadata:
        context.load_verify_locations(cafile, capath, cadata)
    elif not server:
        context.load_default_certs(purpose)
    key_log = os.environ.get("SSLKEYLOGFILE")
    if key_log and not sys.flags.ignore_environment:
        context.keylog_filename = key_log
    return context
