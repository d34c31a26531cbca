"""Other implementations under one interface, and our connections meeting them.

``FOREIGN`` are the implementations: the standard library's ``ssl`` and the newer OpenSSL behind pyOpenSSL.  Each
makes contexts for servers and clients, and connections with them.  ``our_client`` and ``our_server`` join one
of those with a connection of ours: the ``Meeting`` keeps what happened on our side and every byte between the
two, which an observer with our key log can read.
"""

from __future__ import annotations

import ssl
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

from attrs import evolve
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL

from sansticket.codes import NamedGroup, ProtocolVersion
from sansticket.commands import Command, SendData
from sansticket.config.server import ServerConfig
from sansticket.connection.client import ClientConnection
from sansticket.connection.server import ServerConnection
from sansticket.debug.explain import HandshakeMessage, Record, Side, explain
from sansticket.debug.key_log import KeyLog
from sansticket.events import ConnectionTerminated, DataReceived, Event
from sansticket.tickets.session import Session
from sansticket.wire.messages.base import Message
from tests.support import pyopenssl_peer, stdlib_peer
from tests.support.certificates import Authority, Identity
from tests.support.configs import client_config, server_config
from tests.support.memory import MAX_ROUNDS
from tests.support.pair import Cut, whole
from tests.support.pyopenssl_peer import PyOpenSSLPeer
from tests.support.stdlib_peer import StdlibPeer

TLS12: Final = ProtocolVersion.TLS_1_2
TLS13: Final = ProtocolVersion.TLS_1_3

E = TypeVar("E", bound=Event)
M = TypeVar("M", bound=Message)


class Foreign(ABC):
    """An implementation.  Contexts and sessions are its own: they are only handed back to it."""

    name: str
    groups: Mapping[NamedGroup, str]
    """The groups that it knows, by the names that it gives them."""

    @abstractmethod
    def server(
        self,
        identity: Identity,
        *,
        client_authority: Authority | None = None,
        required: bool = True,
        alpn: Sequence[str] = (),
        group: NamedGroup | None = None,
        version: int = TLS13,
    ) -> Any:
        """A server's context.  With ``client_authority`` it asks for client certificates from there."""

    @abstractmethod
    def client(
        self,
        authority: Authority,
        *,
        identity: Identity | None = None,
        alpn: Sequence[str] = (),
        group: NamedGroup | None = None,
        version: int = TLS13,
    ) -> Any:
        """A client's context."""

    @abstractmethod
    def connect(
        self,
        context: Any,
        *,
        server: bool,
        server_name: str | None = None,
        session: Any = None,
    ) -> Any:
        """A connection: a ``MemoryPeer``."""

    @abstractmethod
    def resumed(self, peer: Any) -> bool: ...

    @abstractmethod
    def session(self, peer: Any) -> Any:
        """A client's session, after the tickets have come."""

    @abstractmethod
    def alpn(self, peer: Any) -> bytes | None: ...

    @abstractmethod
    def certificate(self, peer: Any) -> bytes | None:
        """The leaf that the peer was shown, in DER."""

    def __repr__(self) -> str:
        return self.name


class Stdlib(Foreign):
    name = "ssl"
    groups = {  # noqa: RUF012
        NamedGroup.X25519: "X25519",
        NamedGroup.SECP256R1: "prime256v1",
        NamedGroup.SECP384R1: "secp384r1",
        NamedGroup.SECP521R1: "secp521r1",
        NamedGroup.X448: "X448",
    }

    def server(
        self,
        identity: Identity,
        *,
        client_authority: Authority | None = None,
        required: bool = True,
        alpn: Sequence[str] = (),
        group: NamedGroup | None = None,
        version: int = TLS13,
    ) -> ssl.SSLContext:
        context = stdlib_peer.server_context(identity, client_authority, alpn, ssl.TLSVersion(version))
        if client_authority is not None and not required:
            context.verify_mode = ssl.CERT_OPTIONAL
        if group is not None:
            context.set_ecdh_curve(self.groups[group])
        return context

    def client(
        self,
        authority: Authority,
        *,
        identity: Identity | None = None,
        alpn: Sequence[str] = (),
        group: NamedGroup | None = None,
        version: int = TLS13,
    ) -> ssl.SSLContext:
        context = stdlib_peer.client_context(authority, identity, alpn, ssl.TLSVersion(version))
        if group is not None:
            context.set_ecdh_curve(self.groups[group])
        return context

    def connect(
        self, context: Any, *, server: bool, server_name: str | None = None, session: Any = None
    ) -> StdlibPeer:
        return StdlibPeer(context, server=server, server_name=server_name, session=session)

    def resumed(self, peer: StdlibPeer) -> bool:
        return bool(peer.tls.session_reused)

    def session(self, peer: StdlibPeer) -> Any:
        return peer.tls.session

    def alpn(self, peer: StdlibPeer) -> bytes | None:
        selected = peer.tls.selected_alpn_protocol()
        return selected.encode() if selected is not None else None

    def certificate(self, peer: StdlibPeer) -> bytes | None:
        return peer.tls.getpeercert(binary_form=True)


class Newer(Foreign):
    name = "pyOpenSSL"
    groups = {  # noqa: RUF012
        NamedGroup.X25519: "X25519",
        NamedGroup.SECP256R1: "P-256",
        NamedGroup.SECP384R1: "P-384",
        NamedGroup.SECP521R1: "P-521",
        NamedGroup.X448: "X448",
        NamedGroup.X25519_MLKEM768: "X25519MLKEM768",
        NamedGroup.SECP256R1_MLKEM768: "SecP256r1MLKEM768",
        NamedGroup.SECP384R1_MLKEM1024: "SecP384r1MLKEM1024",
    }

    def server(
        self,
        identity: Identity,
        *,
        client_authority: Authority | None = None,
        required: bool = True,
        alpn: Sequence[str] = (),
        group: NamedGroup | None = None,
        version: int = TLS13,
    ) -> SSL.Context:
        context = self._context(identity, client_authority, alpn, group, version)
        if client_authority is not None and not required:
            context.set_verify(SSL.VERIFY_PEER)
        return context

    def client(
        self,
        authority: Authority,
        *,
        identity: Identity | None = None,
        alpn: Sequence[str] = (),
        group: NamedGroup | None = None,
        version: int = TLS13,
    ) -> SSL.Context:
        return self._context(identity, authority, alpn, group, version)

    def _context(
        self,
        identity: Identity | None,
        authority: Authority | None,
        alpn: Sequence[str],
        group: NamedGroup | None,
        version: int,
    ) -> SSL.Context:
        return pyopenssl_peer.context(
            authority=authority,
            identity=identity,
            alpn=[protocol.encode() for protocol in alpn],
            groups=[self.groups[group]] if group is not None else (),
            version=version,
        )

    def connect(
        self, context: Any, *, server: bool, server_name: str | None = None, session: Any = None
    ) -> PyOpenSSLPeer:
        return PyOpenSSLPeer(context, server=server, server_name=server_name, session=session)

    def resumed(self, peer: PyOpenSSLPeer) -> bool:
        return peer.resumed

    def session(self, peer: PyOpenSSLPeer) -> Any:
        return peer.tls.get_session()

    def alpn(self, peer: PyOpenSSLPeer) -> bytes | None:
        return peer.tls.get_alpn_proto_negotiated() or None

    def certificate(self, peer: PyOpenSSLPeer) -> bytes | None:
        shown = peer.tls.get_peer_certificate()
        if shown is None:
            return None
        return shown.to_cryptography().public_bytes(Encoding.DER)


FOREIGN: Final[list[Foreign]] = [Stdlib(), Newer()]


class Meeting:
    """Our connection (``ours``) and a foreign one (``theirs``, a ``MemoryPeer``), joined in memory.

    ``events`` are ours so far, ``wire`` is what was carried.  ``cut`` says in which pieces.
    """

    def __init__(
        self,
        foreign: Foreign,
        ours: ClientConnection | ServerConnection,
        theirs: Any,
        log: KeyLog,
        cut: Cut,
    ) -> None:
        self.foreign = foreign
        self.ours = ours
        self.theirs = theirs
        self.events: list[Event] = []
        self.wire: list[tuple[Side, bytes]] = []
        self.cut = cut
        self._log = log
        self.we: Side = "client" if isinstance(ours, ClientConnection) else "server"
        self.they: Side = "server" if self.we == "client" else "client"
        self.run()

    def run(self) -> list[Event]:
        """Carry bytes both ways until both are silent; our events meanwhile."""
        before = len(self.events)
        for _ in range(MAX_ROUNDS):
            to_them, to_us = self.ours.data_to_send(), b""
            if to_them:
                self.wire.append((self.we, to_them))
                for piece in self.cut(to_them):
                    self.theirs.receive(piece)
            if to_us := self.theirs.data_to_send():
                self.wire.append((self.they, to_us))
                for piece in self.cut(to_us):
                    self.events += self.ours.receive_data(piece)
            if not to_them and not to_us:
                return self.events[before:]
        raise AssertionError(f"not quiet after {MAX_ROUNDS} exchanges; the last events: {self.events[-3:]}")

    def send(self, command: Command) -> list[Event]:
        """Give us a command, and carry what it causes."""
        happened = self.ours.send(command)
        self.events += happened
        return happened + self.run()

    def exchange(self, ours: bytes = b"from us", theirs: bytes = b"from them") -> None:
        """Both handshakes are done and data goes both ways."""
        assert self.theirs.error is None, (self.theirs.error, self.events)
        assert self.theirs.handshaken, self.events
        heard, said = len(self.theirs.received), len(self.data)
        self.send(SendData(ours))
        self.theirs.write(theirs)
        self.run()
        assert bytes(self.theirs.received[heard:]) == ours
        assert self.data[said:] == theirs

    # --- what became of it -------------------------------------------------------------------------------------

    @property
    def data(self) -> bytes:
        """All application data that we have received."""
        return b"".join(event.data for event in self.all(DataReceived))

    def all(self, kind: type[E]) -> list[E]:
        """Our events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]

    def one(self, kind: type[E]) -> E:
        """The only event of its kind."""
        (event,) = self.all(kind)
        return event

    @property
    def end(self) -> ConnectionTerminated:
        """Our last event, which is the end of the connection."""
        last = self.events[-1]
        assert isinstance(last, ConnectionTerminated), self.events
        return last

    @property
    def their_complaint(self) -> str:
        """What ended the other side, in lower case and with blanks: "... alert unknown ca ..."."""
        return str(self.theirs.error).lower().replace("_", " ")

    # --- what an observer sees ---------------------------------------------------------------------------------

    @property
    def records(self) -> list[Record]:
        return explain(self.wire, self._log)

    def messages(self, kind: type[M], sender: Side | None = None) -> list[M]:
        """The handshake messages of one kind, of both sides or one."""
        return [
            content.message
            for record in self.records
            for content in record.contents
            if isinstance(content, HandshakeMessage)
            and isinstance(content.message, kind)
            and sender in (None, record.sender)
        ]


def our_client(
    foreign: Foreign,
    context: Any,
    *,
    server_name: str = "server.example",
    session: Session | Sequence[Session] | None = None,
    cut: Cut = whole,
    **changes: Any,
) -> Meeting:
    """Our client meets a server of ``context``; ``changes`` are those of the config."""
    log = KeyLog()
    ours = ClientConnection(evolve(client_config(**changes), key_log=log.add), server_name, session)
    return Meeting(foreign, ours, foreign.connect(context, server=True), log, cut)


def our_server(
    foreign: Foreign,
    context: Any,
    *,
    server_name: str | None = "server.example",
    session: Any = None,
    config: ServerConfig | None = None,
    cut: Cut = whole,
    **changes: Any,
) -> Meeting:
    """Our server meets a client of ``context``.  With ``config`` it is one of several connections of a server."""
    log = KeyLog()
    ours = ServerConnection(evolve(config or server_config(**changes), key_log=log.add))
    theirs = foreign.connect(context, server=False, server_name=server_name, session=session)
    return Meeting(foreign, ours, theirs, log, cut)
