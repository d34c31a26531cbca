"""A hand-made client, for servers of the package: see ``hostile``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, Self

from attrs import evolve

from sansticket.codes import (
    CipherSuite,
    NamedGroup,
    ProtocolVersion,
    PskKeyExchangeMode,
    SignatureScheme,
)
from sansticket.config.server import ServerConfig
from sansticket.connection.server import ServerConnection
from sansticket.crypto.certificates import Credential
from sansticket.crypto.groups import KeyExchange, generate
from sansticket.crypto.signatures import certificate_verify_input, sign
from sansticket.crypto.suites import SUITES
from sansticket.keys.tls13 import EarlySecret, binder, finished_mac, resumption_psk, traffic_keys
from sansticket.keys.transcript import Transcript
from sansticket.record.tls13 import Sealer
from sansticket.tickets.session import Session
from sansticket.wire.extensions.base import Extension
from sansticket.wire.extensions.key_exchange import (
    KeyShareAnswer,
    KeyShareEntry,
    KeyShareOffer,
    SupportedGroups,
)
from sansticket.wire.extensions.negotiation import (
    ServerNameList,
    SignatureAlgorithms,
    SupportedVersions,
)
from sansticket.wire.extensions.resumption import (
    EarlyData,
    PreSharedKeyOffer,
    PskIdentity,
    PskKeyExchangeModes,
)
from sansticket.wire.messages.base import Message
from sansticket.wire.messages.hello import ClientHello, HelloRetryRequest, ServerHello
from sansticket.wire.messages.tls13 import (
    CertificateRequest,
    CertificateVerify,
    Finished,
    NewSessionTicket,
)
from tests.support.configs import server_config
from tests.support.credentials import client_credential
from tests.support.hostile import CHANGE_CIPHER_SPEC, Edits, HostilePeer, plain_record
from tests.support.hostile_server import bytes_of, certificate_of

RANDOM: Final = bytes(range(100, 132))
SESSION_ID: Final = bytes(range(200, 232))

Binders = Callable[[tuple[bytes, ...]], Sequence[bytes]]


class HostileClient(HostilePeer):
    """Talks to ``server``.

    ``offered`` are its supported_groups, ``shares`` those it brings a key share of; ``sessions`` are offered, with
    binders that ``binders`` may change and whose keys have ``label``.  ``edits`` change its messages; that of the
    ClientHello comes before the binders are computed.
    """

    victim: ServerConnection

    def __init__(
        self,
        server: ServerConnection | ServerConfig | None = None,
        edits: Edits | None = None,
        *,
        suite: int = CipherSuite.AES_128_GCM_SHA256,
        offered: tuple[int, ...] = (NamedGroup.X25519, NamedGroup.SECP256R1),
        shares: tuple[int, ...] = (NamedGroup.X25519,),
        extensions: tuple[Extension, ...] = (),
        sessions: tuple[Session, ...] = (),
        binders: Binders = tuple,
        label: bytes = b"res binder",
        credential: Credential | None = None,
    ) -> None:
        if not isinstance(server, ServerConnection):
            server = ServerConnection(server or quick_server())
        super().__init__(server, SUITES[suite], edits)
        self.exchanges = {group: generate(group, bytes_of) for group in offered}
        self.offered, self.shares, self.extensions = offered, shares, extensions
        self.sessions, self.binders, self.label = sessions, binders, label
        self.credential = credential or client_credential()
        self.tickets: list[NewSessionTicket] = []
        self.connected = False

    # --- the ClientHello ---------------------------------------------------------------------------------------

    def hello(self) -> ClientHello:
        """An honest one."""
        extensions: tuple[Extension, ...] = (
            ServerNameList(b"server.example"),
            SupportedGroups(self.offered),
            SignatureAlgorithms((SignatureScheme.ECDSA_SECP256R1_SHA256,)),
            SupportedVersions((ProtocolVersion.TLS_1_3,)),
            PskKeyExchangeModes((PskKeyExchangeMode.PSK_DHE_KE,)),
            KeyShareOffer(tuple(self.share(group) for group in self.shares)),
            *self.extensions,
        )
        if self.sessions:
            offer = PreSharedKeyOffer(
                tuple(PskIdentity(session.ticket, session.age_add) for session in self.sessions),
                tuple(bytes(self.suite.hash_length) for _ in self.sessions),
            )
            extensions = (*extensions, offer)
        return ClientHello(RANDOM, SESSION_ID, (self.suite.suite,), extensions)

    def share(self, group: int) -> KeyShareEntry:
        return KeyShareEntry(group, self.exchanges[group].public)

    def say_hello(self, hello: ClientHello | None = None) -> Self:
        """Edit, binders, off it goes."""
        for said in self.edited(hello or self.hello()):
            raw = said if isinstance(said, bytes) else self.bound(said)
            self.transcript = self.transcript.plus(raw)
            self.send_message(raw)
        return self

    def bound(self, message: Message) -> bytes:
        """The hello's bytes with binders, if its last extension is an offer that we have the sessions for."""
        raw = message.encode()
        offer = message.find(PreSharedKeyOffer) if isinstance(message, ClientHello) else None
        if offer is None or not self.sessions:
            return raw
        truncated = raw[: -offer.binders_size]
        values = self.binders(tuple(self.binder(session, truncated) for session in self.sessions))
        encoded = b"".join(len(value).to_bytes(1) + value for value in values)
        assert len(encoded) + 2 == offer.binders_size, "the edit must keep the size of the binders"
        return truncated + len(encoded).to_bytes(2) + encoded

    def binder(self, session: Session, truncated: bytes) -> bytes:
        hash_name = self.suite.hash_name
        key = EarlySecret.from_psk(hash_name, session.secret).binder_key(self.label)
        return binder(hash_name, key, self.transcript.digest_of(truncated))

    def hear_retry(self, group: int = NamedGroup.SECP256R1) -> Self:
        """After a HelloRetryRequest: from now on ``hello`` makes the second one, with a share of ``group``."""
        self.listen()
        assert isinstance(self.heard[-1], HelloRetryRequest)
        first = Transcript(self.suite.hash_name, self.transcript.messages[:1])
        self.transcript = first.after_retry().plus(self.heard_raw[-1])
        self.shares = (group,)
        return self

    # --- the server's flight -----------------------------------------------------------------------------------

    def took(self, message: Message, raw: bytes) -> None:
        if isinstance(message, NewSessionTicket):
            self.tickets.append(message)
        if self.connected:
            return
        self.transcript = self.transcript.plus(raw)
        if isinstance(message, ServerHello):
            self.took_server_hello(message)
        elif isinstance(message, Finished):
            self.master = self.handshake_secret.master()
            self.application = self.master.traffic(self.transcript.digest())
            self.expect(self.application.server)

    def took_server_hello(self, message: ServerHello) -> None:
        answer = message.find(KeyShareAnswer)
        assert answer is not None
        exchange: KeyExchange = self.exchanges[answer.share.group]
        secret = exchange.finish(answer.share.key_exchange)
        name = self.suite.hash_name
        resumed = any(extension.type == PreSharedKeyOffer.TYPE for extension in message.extensions)
        early = (
            EarlySecret.from_psk(name, self.sessions[0].secret) if resumed else EarlySecret.without_psk(name)
        )
        self.handshake_secret = early.handshake(secret)
        self.traffic = self.handshake_secret.traffic(self.transcript.digest())
        self.protect(self.traffic.client)
        self.expect(self.traffic.server)

    # --- our answer --------------------------------------------------------------------------------------------

    def begin(self) -> Self:
        """ClientHello and the server's flight: our Finished is next."""
        return self.say_hello().listen()

    @property
    def asked(self) -> bool:
        return any(isinstance(message, CertificateRequest) for message in self.heard)

    def say_certificate(self) -> Self:
        return self.say(certificate_of(self.credential))

    def say_proof(self) -> Self:
        message = certificate_verify_input(False, self.transcript.digest())
        scheme = SignatureScheme.ECDSA_SECP256R1_SHA256
        assert self.credential.private_key is not None
        return self.say(CertificateVerify(scheme, sign(self.credential.private_key, scheme, message)))

    def say_finished(self) -> Self:
        mac = finished_mac(self.suite.hash_name, self.traffic.client, self.transcript.digest())
        self.say(Finished(mac))
        self.protect(self.application.client)
        self.connected = True
        return self

    def complete(self) -> Self:
        """The handshake to its end."""
        self.begin()
        for step in (self.say_certificate, self.say_proof) if self.asked else ():
            if not self.over:
                step()
        if not self.over:
            self.say_finished().listen()
        return self

    # --- other things ------------------------------------------------------------------------------------------

    def session(self) -> Session:
        """What the first ticket stands for."""
        ticket = self.tickets[0]
        secret = self.master.resumption(self.transcript.digest())
        return Session(
            version=ProtocolVersion.TLS_1_3,
            cipher_suite=self.suite.suite,
            secret=resumption_psk(self.suite.hash_name, secret, ticket.nonce),
            lifetime=ticket.lifetime,
            issued_at=0,
            ticket=ticket.ticket,
            age_add=ticket.age_add,
        )

    def early_records(self, count: int, size: int) -> bytes:
        """0-RTT data under the key of the first session."""
        secret = EarlySecret.from_psk(self.suite.hash_name, self.sessions[0].secret).client_early_traffic(
            self.transcript.digest()
        )
        sealer = Sealer(self.suite, traffic_keys(self.suite, secret))
        return b"".join(sealer.seal(23, bytes(size)) for _ in range(count))

    def change_cipher_spec(self, content: bytes = b"\x01") -> Self:
        self.deliver(plain_record(CHANGE_CIPHER_SPEC, content))
        return self


def quick_server(**changes: Any) -> ServerConfig:
    """A server with classical groups."""
    defaults = {"groups": (NamedGroup.X25519, NamedGroup.SECP256R1), "versions": (ProtocolVersion.TLS_1_3,)}
    return server_config(**{**defaults, **changes})


def session_from(config: ServerConfig) -> Session:
    """A session that a server with this config has made, and will resume."""
    return HostileClient(config).complete().session()


def with_early_data(hello: ClientHello) -> ClientHello:
    """The hello that announces early data."""
    *others, offer = hello.extensions
    return evolve(hello, extensions=(*others, EarlyData(), offer))
