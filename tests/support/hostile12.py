"""TLS 1.2 peers made by hand, which say what they are told to say, right or wrong: see ``hostile``.

Before its change_cipher_spec a side's records are plain, after it they are protected.  ``edits`` change messages
on their way out; the transcript, the signatures and the keys follow from what was really sent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final, Self

from attrs import evolve

from sansticket.codes import CipherSuite, NamedGroup, ProtocolVersion, SignatureScheme
from sansticket.config.client import ClientConfig
from sansticket.config.server import ServerConfig
from sansticket.connection.client import ClientConnection
from sansticket.connection.server import ServerConnection
from sansticket.crypto.certificates import Credential
from sansticket.crypto.groups import KeyExchange, generate, respond
from sansticket.crypto.signatures import sign
from sansticket.crypto.suites import SUITES
from sansticket.keys.tls12 import ConnectionKeys, MasterSecret
from sansticket.keys.transcript import Transcript
from sansticket.record.tls12 import Opener, Sealer
from sansticket.tickets.session import Session
from sansticket.wire.extensions.base import Extension
from sansticket.wire.extensions.key_exchange import SupportedGroups
from sansticket.wire.extensions.negotiation import ServerNameList, SignatureAlgorithms
from sansticket.wire.extensions.tls12 import (
    EcPointFormats,
    ExtendedMasterSecret,
    RenegotiationInfo,
    SessionTicketExtension,
)
from sansticket.wire.messages.base import Message
from sansticket.wire.messages.hello import ClientHello, ServerHello
from sansticket.wire.messages.tables import MESSAGES_OF_TLS12
from sansticket.wire.messages.tls12 import (
    Certificate,
    CertificateRequest,
    ClientKeyExchange,
    NewSessionTicket,
    ServerHelloDone,
    ServerKeyExchange,
)
from sansticket.wire.messages.tls13 import CertificateVerify, Finished
from tests.support.configs import client_config, server_config
from tests.support.credentials import client_credential, server_credential
from tests.support.hostile import CHANGE_CIPHER_SPEC, Edits, HostilePeer
from tests.support.hostile_server import bytes_of

CLIENT_RANDOM: Final = bytes(range(100, 132))
SERVER_RANDOM: Final = bytes(range(32))
SUITE: Final = CipherSuite.ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
SCHEME: Final = SignatureScheme.ECDSA_SECP256R1_SHA256
TLS12: Final = (ProtocolVersion.TLS_1_2,)
QUICK_GROUPS: Final = (NamedGroup.X25519, NamedGroup.SECP256R1)


def client12(**changes: Any) -> ClientConfig:
    """A client of TLS 1.2 alone."""
    return client_config(**{"versions": TLS12, "groups": QUICK_GROUPS, **changes})


def server12(**changes: Any) -> ServerConfig:
    """A server of TLS 1.2 alone."""
    return server_config(**{"versions": TLS12, "groups": QUICK_GROUPS, **changes})


class HostilePeer12(HostilePeer):
    """What both sides have in common.

    ``extended`` says whether the master secret depends on the transcript; ``hello`` is the ClientHello, ``answer`` the
    ServerHello.
    """

    DECODERS: ClassVar[Mapping[int, Callable[[bytes], Message]]] = MESSAGES_OF_TLS12
    SERVER: ClassVar[bool]

    hello: ClientHello
    answer: ServerHello
    master: MasterSecret
    keys: ConnectionKeys
    extended = True
    _opening = False

    def took(self, message: Message, raw: bytes) -> None:
        self.transcript = self.transcript.plus(raw)

    def _open(self, header: bytes, body: bytes) -> tuple[int, bytes]:
        if not self._opening:
            return header[0], body
        return self.openers[0].open(header, body)

    def _hear(self, content_type: int, content: bytes) -> None:
        super()._hear(content_type, content)
        self._opening = self._opening or content_type == CHANGE_CIPHER_SPEC

    # --- keys --------------------------------------------------------------------------------------------------

    def exchanged(self, shared_secret: bytes) -> None:
        """After ClientKeyExchange."""
        name = self.suite.hash_name
        if self.extended:
            self.have(MasterSecret.extended(name, shared_secret, self.transcript.digest()))
        else:
            self.have(MasterSecret.plain(name, shared_secret, self.hello.random, self.answer.random))

    def have(self, master: MasterSecret) -> None:
        self.master = master
        self.keys = master.connection_keys(self.suite, self.hello.random, self.answer.random)
        self.openers = [Opener(self.suite, self.keys.client if self.SERVER else self.keys.server)]

    def change_cipher_spec(self, content: bytes = b"\x01") -> Self:
        self.send(CHANGE_CIPHER_SPEC, content)
        self.sealer = Sealer(self.suite, self.keys.server if self.SERVER else self.keys.client)
        return self

    def say_finished(self) -> Self:
        self.say(Finished(self.master.verify_data(self.transcript.digest(), server=self.SERVER)))
        return self

    def finish(self) -> Self:
        """change_cipher_spec and Finished, as far as the other side puts up with it."""
        for step in (self.change_cipher_spec, self.say_finished):
            if not self.over:
                step()
        return self

    def session(self, ticket: bytes = b"", session_id: bytes = b"") -> Session:
        """What this connection can be resumed with."""
        return Session(
            version=ProtocolVersion.TLS_1_2,
            cipher_suite=self.suite.suite,
            secret=self.master.secret,
            lifetime=7200,
            issued_at=0,
            ticket=ticket,
            session_id=session_id,
            extended_master_secret=self.extended,
        )


class HostileServer12(HostilePeer12):
    """Answers the ClientHello of ``client``.

    ``resumes`` is the session that it goes on with, by echoing the session id; ``session_id`` is its own otherwise.
    ``ticket`` is promised and sent if it is given; ``request`` asks for a client certificate.
    """

    SERVER = True
    victim: ClientConnection

    def __init__(
        self,
        client: ClientConnection | ClientConfig | None = None,
        edits: Edits | None = None,
        *,
        suite: int = SUITE,
        group: int = NamedGroup.X25519,
        credential: Credential | None = None,
        scheme: int = SCHEME,
        extensions: tuple[Extension, ...] = (),
        session: Session | None = None,
        resumes: Session | None = None,
        session_id: bytes = b"",
        ticket: NewSessionTicket | None = None,
        request: CertificateRequest | None = None,
    ) -> None:
        if not isinstance(client, ClientConnection):
            client = ClientConnection(client or client12(), "server.example", session)
        super().__init__(client, SUITES[suite], edits)
        self.exchange: KeyExchange = generate(group, bytes_of)
        self.credential = credential or server_credential()
        self.scheme = scheme
        self.extensions = extensions
        self.resumes, self.session_id, self.ticket, self.request = resumes, session_id, ticket, request
        self.listen()
        hello = self.heard[0]
        assert isinstance(hello, ClientHello)
        self.hello = hello

    def took(self, message: Message, raw: bytes) -> None:
        super().took(message, raw)
        if isinstance(message, ClientKeyExchange):
            self.exchanged(self.exchange.finish(message.public))

    # --- the flight, message by message ------------------------------------------------------------------------

    def say_hello(self) -> Self:
        extensions: tuple[Extension, ...] = (RenegotiationInfo(b""), ExtendedMasterSecret())
        if self.ticket is not None:
            extensions = (*extensions, SessionTicketExtension(b""))
        session_id = self.hello.session_id if self.resumes is not None else self.session_id
        answer = ServerHello(SERVER_RANDOM, session_id, self.suite.suite, (*extensions, *self.extensions))
        said = self.edited(answer)
        self.answer = next((one for one in said if isinstance(one, ServerHello)), answer)
        self.extended = self.answer.find(ExtendedMasterSecret) is not None
        self.say(answer)
        if self.resumes is not None:
            self.have(MasterSecret(self.suite.hash_name, self.resumes.secret))
        return self

    def say_certificate(self) -> Self:
        return self.say(Certificate(self.credential.chain))

    def say_exchange(self) -> Self:
        exchange = ServerKeyExchange(self.exchange.group, self.exchange.public, self.scheme, b"")
        return self.say(evolve(exchange, signature=self.signature(exchange)))

    def signature(self, exchange: ServerKeyExchange) -> bytes:
        signed = self.hello.random + self.answer.random + exchange.params
        assert self.credential.private_key is not None
        return sign(self.credential.private_key, exchange.scheme, signed, tls13=False)

    def say_request(self) -> Self:
        return self.say(self.request) if self.request is not None else self

    def say_done(self) -> Self:
        return self.say(ServerHelloDone())

    def say_ticket(self) -> Self:
        return self.say(self.ticket) if self.ticket is not None else self

    def serve(self) -> Self:
        """The first flight, as far as the client puts up with it."""
        self.say_hello()
        steps = (self.say_certificate, self.say_exchange, self.say_request, self.say_done)
        for step in steps if self.resumes is None else ():
            if not self.over:
                step()
        return self

    def complete(self) -> Self:
        """The handshake to its end, as far as the client puts up with it."""
        self.serve()
        if self.resumes is None and not self.over:
            self.listen()
        if not self.over:
            self.say_ticket()
        return self.finish()


class HostileClient12(HostilePeer12):
    """Talks to ``server``.

    ``shows`` is a session, by its ticket or by its id; ``extensions`` come on top of those of an honest hello.
    """

    SERVER = False
    victim: ServerConnection

    def __init__(
        self,
        server: ServerConnection | ServerConfig | None = None,
        edits: Edits | None = None,
        *,
        suites: tuple[int, ...] = (SUITE,),
        groups: tuple[int, ...] = QUICK_GROUPS,
        extensions: tuple[Extension, ...] = (),
        shows: Session | None = None,
        takes_tickets: bool = True,
        credential: Credential | None = None,
        scheme: int = SCHEME,
    ) -> None:
        if not isinstance(server, ServerConnection):
            server = ServerConnection(server or server12())
        super().__init__(server, SUITES[suites[0]], edits)
        self.suites, self.groups, self.extensions = suites, groups, extensions
        self.shows, self.takes_tickets = shows, takes_tickets
        self.credential, self.scheme = credential or client_credential(), scheme
        self.tickets: list[NewSessionTicket] = []
        self.shared_secret = self.share = b""

    def honest_hello(self) -> ClientHello:
        extensions: tuple[Extension, ...] = (
            ServerNameList(b"server.example"),
            SupportedGroups(self.groups),
            SignatureAlgorithms((SCHEME, SignatureScheme.RSA_PSS_RSAE_SHA256)),
            ExtendedMasterSecret(),
            RenegotiationInfo(b""),
            EcPointFormats(b"\0"),
        )
        session_id = b""
        if self.takes_tickets:
            extensions = (*extensions, SessionTicketExtension(self.shows.ticket if self.shows else b""))
        if self.shows is not None:
            session_id = self.shows.session_id or bytes(range(200, 232))
        return ClientHello(CLIENT_RANDOM, session_id, self.suites, (*extensions, *self.extensions))

    def took(self, message: Message, raw: bytes) -> None:
        super().took(message, raw)
        if isinstance(message, ServerHello):
            self.answer = message
            self.suite = SUITES[message.cipher_suite]
            self.transcript = Transcript(self.suite.hash_name, self.transcript.messages)
            self.extended = message.find(ExtendedMasterSecret) is not None
            if self.resumed:
                assert self.shows is not None
                self.have(MasterSecret(self.suite.hash_name, self.shows.secret))
        elif isinstance(message, ServerKeyExchange):
            self.share, self.shared_secret = respond(message.group, message.public, bytes_of)
        elif isinstance(message, NewSessionTicket):
            self.tickets.append(message)

    @property
    def resumed(self) -> bool:
        """The server goes on with the session that we showed."""
        return self.shows is not None and self.answer.session_id == self.hello.session_id != b""

    @property
    def asked(self) -> bool:
        return any(isinstance(message, CertificateRequest) for message in self.heard)

    # --- our messages ------------------------------------------------------------------------------------------

    def say_hello(self) -> Self:
        hello = self.honest_hello()
        said = self.edited(hello)
        self.hello = next((one for one in said if isinstance(one, ClientHello)), hello)
        return self.say(hello)

    def begin(self) -> Self:
        """ClientHello and the server's flight."""
        return self.say_hello().listen()

    def say_certificate(self) -> Self:
        return self.say(Certificate(self.credential.chain))

    def say_exchange(self) -> Self:
        self.say(ClientKeyExchange(self.share))
        self.exchanged(self.shared_secret)
        return self

    def say_proof(self) -> Self:
        assert self.credential.private_key is not None
        signed = b"".join(self.transcript.messages)
        proof = sign(self.credential.private_key, self.scheme, signed, tls13=False)
        return self.say(CertificateVerify(self.scheme, proof))

    def answer_flight(self) -> Self:
        """Certificate, ClientKeyExchange and CertificateVerify, as far as the server puts up with it."""
        steps = (
            (self.say_certificate, self.say_exchange, self.say_proof) if self.asked else (self.say_exchange,)
        )
        for step in steps:
            if not self.over:
                step()
        return self

    def complete(self) -> Self:
        """The handshake to its end, as far as the server puts up with it."""
        self.begin()
        if not self.over and not self.resumed:
            self.answer_flight()
        if not self.over:
            self.finish()
        return self.listen()


def lacking(kind: type[Extension]) -> Callable[[Any], Any]:
    """An edit: the hello without the extension of this class."""
    return lambda hello: evolve(hello, extensions=tuple(e for e in hello.extensions if type(e) is not kind))


def with_(*extensions: Extension) -> Callable[[Any], Any]:
    """An edit: the hello with these extensions in the place of those of the same number, or at the end."""

    def edit(hello: Any) -> Any:
        new = {extension.type: extension for extension in extensions}
        kept = tuple(new.pop(old.type, old) for old in hello.extensions)
        return evolve(hello, extensions=(*kept, *new.values()))

    return edit


def changed(**fields: Any) -> Callable[[Any], Any]:
    """An edit: the message with other values in these fields."""
    return lambda message: evolve(message, **fields)


def session_of12(config: ServerConfig, **options: Any) -> Session:
    """A session that a server with this config has made, and will resume."""
    client = HostileClient12(config, **options).complete()
    ticket = client.tickets[0].ticket if client.tickets else b""
    return client.session(ticket, client.answer.session_id if not ticket else b"")


def session_without_secret12(config: ServerConfig) -> Session:
    """A session without extended master secret, of a server that made such sessions; this one knows it."""
    session, now = session_of12(config), config.clock()
    if config.ticket_keys is not None:
        opened = config.ticket_keys.open(session.ticket, now)
        assert opened.plaintext is not None
        sealed = evolve(Session.from_bytes(opened.plaintext), extended_master_secret=False)
        ticket = config.ticket_keys.seal(sealed.to_bytes(), now, config.entropy)
        return evolve(session, ticket=ticket, extended_master_secret=False)
    cache = config.session_cache
    assert cache is not None
    kept = cache.get(session.session_id, now)
    assert kept is not None
    cache.add(evolve(kept, extended_master_secret=False), now)
    return evolve(session, extended_master_secret=False)
