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
from typing import TYPE_CHECKING, Any, NoReturn, Self, TypeVar

from sansticket.adapters.failures import without_reason
from sansticket.adapters.members.arguments import KeyLogFile, encoded_name, protocol_of
from sansticket.adapters.members.certificates import CertificateMembers
from sansticket.adapters.members.files import StrPath
from sansticket.adapters.members.protocol import ProtocolMembers
from sansticket.adapters.members.psks import PskMembers
from sansticket.adapters.members.sessions import SessionMembers
from sansticket.adapters.members.settings import Settings
from sansticket.adapters.members.verification import VerificationMembers
from sansticket.adapters.profile import Profile
from sansticket.adapters.sessions import as_session
from sansticket.adapters.ssl_object import SSLObject
from sansticket.config.choices import Answer
from sansticket.config.client import ClientConfig
from sansticket.config.server import ServerConfig
from sansticket.events import Event, Question
from sansticket.handshake.client.start import normal_server_name

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

C = TypeVar("C", bound="SSLContext")
S = TypeVar("S", bound=SSLObject)


class SSLContext(CertificateMembers, VerificationMembers, ProtocolMembers, SessionMembers, PskMembers):
    """What connections are made from.

    ``SSLContext(config)`` is for what a ``ClientConfig`` or ``ServerConfig`` says; ``SSLContext(protocol)`` with
    ``ssl.PROTOCOL_TLS_CLIENT`` or ``PROTOCOL_TLS_SERVER`` is set up step by step, as in the standard library.
    Either can be changed by the methods and attributes of both.  A connection goes by what its context said when
    it was made.

    Beyond the standard library: ``config``, ``configure``, ``ticket_keys``, ``session_cache``,
    ``session_store``, ``answers``, ``on_event`` and ``new_connection``.

    A question can be answered by a function, and not with ``ASK``: nobody who drives an SSLObject would know of
    it.  A config with ``ASK`` is a ConfigError.
    """

    sslobject_class: type[ssl.SSLObject] = SSLObject

    on_event: Callable[[SSLObject, Event], object] | None = None
    """Called with each event of each connection, but questions: ``HandshakeCompleted`` with the resumption
    record, ``TicketIssued``, ``TicketReceived``, ``ConnectionTerminated``, ...  What it raises comes out of the
    call that the framework made."""

    new_connection: Callable[..., Any] | None = None
    """Makes each connection, called as ``ClientConnection`` or ``ServerConnection`` is, which do it otherwise; what it
    returns has the methods of one.  For connections that are recorded, or drawn as ladders."""

    def __new__(cls, made_for: int | ClientConfig | ServerConfig) -> Self:
        return super().__new__(cls, protocol_of(made_for))

    def __init__(self, made_for: int | ClientConfig | ServerConfig) -> None:
        self._protocol = protocol_of(made_for)
        given = made_for if isinstance(made_for, ClientConfig | ServerConfig) else None
        server = self._protocol is ssl.PROTOCOL_TLS_SERVER
        self._settings = Settings(given, server=server, options=self._initial_options())
        self._verify_flags = self._initial_verify_flags()
        self._keylog_filename: StrPath | None = None
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
    def answers(self) -> Mapping[type[Question], Answer]:
        """The functions that answer questions."""
        answers: Mapping[type[Question], Answer] = self._settings["answers"]
        return answers

    @answers.setter
    def answers(self, answers: Mapping[type[Question], Answer]) -> None:
        self.configure(answers=answers)

    @property
    def keylog_filename(self) -> Any:
        """A file to which the secrets of all connections are appended, for Wireshark."""
        return self._keylog_filename

    @keylog_filename.setter
    def keylog_filename(self, path: StrPath | None) -> None:
        key_log = KeyLogFile(os.fsdecode(path)) if path is not None else None
        self.configure(key_log=key_log)
        self._keylog_filename = path

    @property
    def _server_side(self) -> bool:
        return self._settings.server

    def _current_profile(self) -> Profile:
        return self._settings.profile()

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
        return self._new_object(
            self._object_class(), incoming, outgoing, server_side, server_hostname, session
        )

    def _new_object(
        self,
        kind: type[S],
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool,
        server_hostname: str | bytes | None,
        session: Any,
    ) -> S:
        self._check_side(server_side, server_hostname, session)
        name = encoded_name(server_hostname)
        profile = self._settings.profile()
        if isinstance(profile.live, ClientConfig):
            if name is None and self.check_hostname:
                raise ValueError("check_hostname requires server_hostname")
            normal_server_name(name, profile.live)
        given = as_session(session, profile.identity)
        return kind(self, incoming, outgoing, bool(server_side), name, given)

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
        """Not here: sansticket does no I/O.  The subclass ``sansticket_wrappers.blocking.SSLContext`` does."""
        raise NotImplementedError(
            "sansticket does no I/O: use wrap_bio, or sansticket_wrappers.blocking.SSLContext (docs/wrappers.md)"
        )

    _wrap_socket = _wrap_bio = wrap_socket

    # --- what there is not ---------------------------------------------------------------------------------------

    def load_dh_params(self, path: str, /) -> NoReturn:
        """There is no finite field Diffie-Hellman."""
        raise NotImplementedError("sansticket has no finite field Diffie-Hellman")

    def set_npn_protocols(self, npn_protocols: Iterable[str]) -> NoReturn:
        """Raises NotImplementedError: the Next Protocol Negotiation was never standardised."""
        raise NotImplementedError("NPN is history; expected set_alpn_protocols")


def create_default_context(
    purpose: ssl.Purpose = ssl.Purpose.SERVER_AUTH,
    *,
    cafile: StrPath | None = None,
    capath: StrPath | None = None,
    cadata: str | ReadableBuffer | None = None,
) -> SSLContext:
    """What ``ssl.create_default_context`` does: SERVER_AUTH is for clients, CLIENT_AUTH for servers."""
    return default_context(SSLContext, purpose, cafile, capath, cadata)


def default_context(
    kind: type[C],
    purpose: ssl.Purpose,
    cafile: StrPath | None,
    capath: StrPath | None,
    cadata: str | ReadableBuffer | None,
) -> C:
    """The same for a subclass of ``SSLContext``."""
    if not isinstance(purpose, ssl.Purpose):
        raise TypeError(purpose)
    server = purpose is ssl.Purpose.CLIENT_AUTH
    context = kind(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    if sys.version_info >= (3, 13):
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VERIFY_X509_STRICT
    if cafile or capath or cadata:
        context.load_verify_locations(cafile, capath, cadata)
    elif not server:
        context.load_default_certs(purpose)
    key_log = os.environ.get("SSLKEYLOGFILE")
    if key_log and not sys.flags.ignore_environment:
        context.keylog_filename = key_log
    return context
