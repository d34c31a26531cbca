"""A hand-made server, for clients of the package: see ``hostile``."""

from __future__ import annotations

from typing import Final, Self

from attrs import evolve

from sansticket.codes import CipherSuite, NamedGroup, ProtocolVersion, SignatureScheme
from sansticket.config.client import ClientConfig
from sansticket.connection.client import ClientConnection
from sansticket.crypto.certificates import Credential
from sansticket.crypto.groups import respond
from sansticket.crypto.signatures import certificate_verify_input, sign
from sansticket.crypto.suites import SUITES
from sansticket.keys.tls13 import EarlySecret, MasterSecret, finished_mac
from sansticket.keys.transcript import Transcript
from sansticket.tickets.session import Session
from sansticket.wire.extensions.base import Extension
from sansticket.wire.extensions.key_exchange import (
    KeyShareAnswer,
    KeyShareEntry,
    KeyShareOffer,
    KeyShareRetry,
)
from sansticket.wire.extensions.negotiation import SelectedVersion, SignatureAlgorithms
from sansticket.wire.extensions.resumption import PreSharedKeySelection
from sansticket.wire.messages.base import Message
from sansticket.wire.messages.hello import ClientHello, HelloRetryRequest, ServerHello
from sansticket.wire.messages.tls13 import (
    Certificate,
    CertificateEntry,
    CertificateRequest,
    CertificateVerify,
    EncryptedExtensions,
    Finished,
    NewSessionTicket,
)
from tests.support.configs import client_config
from tests.support.credentials import server_credential
from tests.support.hostile import CHANGE_CIPHER_SPEC, Edits, HostilePeer, plain_record

RANDOM: Final = bytes(range(32))


class HostileServer(HostilePeer):
    """Answers the ClientHello of ``client``.

    ``group`` is what it takes a share of (by default the first that the client brings); ``session`` is resumed if
    it is given; ``request`` asks for a client certificate.  ``edits`` change its messages.
    """

    victim: ClientConnection

    def __init__(
        self,
        client: ClientConnection | ClientConfig | None = None,
        edits: Edits | None = None,
        *,
        suite: int = CipherSuite.AES_128_GCM_SHA256,
        group: int | None = None,
        credential: Credential | None = None,
        scheme: int = SignatureScheme.ECDSA_SECP256R1_SHA256,
        session: Session | None = None,
        selected: int = 0,
        request: CertificateRequest | None = None,
    ) -> None:
        if not isinstance(client, ClientConnection):
            client = ClientConnection(client or quick_client(), "server.example", session)
        super().__init__(client, SUITES[suite], edits)
        self.group = group
        self.credential = credential or server_credential()
        self.scheme = scheme
        self.session = session
        self.selected = selected
        self.request = request
        self.connected = False
        self.listen()
        hello = self.heard[0]
        assert isinstance(hello, ClientHello)
        self.hello = hello
        self.transcript = self.transcript.plus(self.heard_raw[0])

    def took(self, message: Message, raw: bytes) -> None:
        """What the client answers belongs to the transcript until its Finished."""
        if self.transcript.messages and not self.connected:
            self.transcript = self.transcript.plus(raw)
            self.connected = isinstance(message, Finished)

    # --- the flight, message by message ------------------------------------------------------------------------

    def serve(self) -> Self:
        """The whole flight, up to our Finished, as far as the client puts up with it."""
        self.say_hello()
        for step in (self.say_extensions, self.say_certificate, self.say_proof, self.say_finished):
            if not self.over:
                step()
        return self

    def complete(self) -> Self:
        """The handshake to its end: the client is connected, and so are we."""
        self.serve()
        self.hear_finished()
        return self

    def retry(self, group: int | None = None, extensions: tuple[Extension, ...] = ()) -> Self:
        """A HelloRetryRequest for ``group``; the client's second hello becomes ``hello``."""
        if group is not None:
            extensions = (KeyShareRetry(group), *extensions)
        request = HelloRetryRequest(
            self.hello.session_id, self.suite.suite, (SelectedVersion(ProtocolVersion.TLS_1_3), *extensions)
        )
        self.transcript = Transcript(self.suite.hash_name, self.transcript.messages).after_retry()
        self.say(request)
        if not self.over:
            count = len(self.heard)
            self.listen()
            hello = self.heard[count]
            assert isinstance(hello, ClientHello)
            self.hello = hello
        return self

    def say_hello(self) -> Self:
        """ServerHello; the handshake keys follow from it, if there is a share to make them of."""
        offer = self.hello.find(KeyShareOffer)
        assert offer is not None
        theirs = next(one for one in offer.shares if self.group in (None, one.group))
        share, secret = respond(theirs.group, theirs.key_exchange, bytes_of)
        extensions: tuple[Extension, ...] = (
            SelectedVersion(ProtocolVersion.TLS_1_3),
            KeyShareAnswer(KeyShareEntry(theirs.group, share)),
        )
        early = EarlySecret.without_psk(self.suite.hash_name)
        if self.session is not None:
            extensions = (*extensions, PreSharedKeySelection(self.selected))
            early = EarlySecret.from_psk(self.suite.hash_name, self.session.secret)
        self.say(ServerHello(RANDOM, self.hello.session_id, self.suite.suite, extensions))
        self.handshake_secret = early.handshake(secret)
        self.traffic = self.handshake_secret.traffic(self.transcript.digest())
        self.protect(self.traffic.server)
        self.expect(self.traffic.client)
        return self

    def say_extensions(self) -> Self:
        self.say(EncryptedExtensions(()))
        if self.request is not None:
            self.say(self.request)
        return self

    def say_certificate(self) -> Self:
        if self.session is None:
            self.say(certificate_of(self.credential))
        return self

    def say_proof(self) -> Self:
        if self.session is None:
            message = certificate_verify_input(True, self.transcript.digest())
            assert self.credential.private_key is not None
            self.say(CertificateVerify(self.scheme, sign(self.credential.private_key, self.scheme, message)))
        return self

    def say_finished(self) -> Self:
        mac = finished_mac(self.suite.hash_name, self.traffic.server, self.transcript.digest())
        self.say(Finished(mac))
        self.master = self.handshake_secret.master()
        self.application = self.master.traffic(self.transcript.digest())
        self.protect(self.application.server)
        self.expect(self.application.client)
        return self

    def hear_finished(self) -> Self:
        """The client's Finished, which must be right."""
        self.listen()
        transcript = Transcript(self.suite.hash_name, self.transcript.messages[:-1])
        mac = finished_mac(self.suite.hash_name, self.traffic.client, transcript.digest())
        assert self.heard[-1] == Finished(mac)
        return self

    # --- after it ----------------------------------------------------------------------------------------------

    def ticket(self, number: int = 0, lifetime: int = 7200, extensions: tuple[Extension, ...] = ()) -> Self:
        self.send_message(NewSessionTicket(lifetime, 0, bytes((number % 256,)), b"ticket", extensions))
        return self

    def resumption_secret(self) -> bytes:
        master: MasterSecret = self.master
        return master.resumption(self.transcript.digest())

    def change_cipher_spec(self, content: bytes = b"\x01") -> Self:
        self.deliver(plain_record(CHANGE_CIPHER_SPEC, content))
        return self


def quick_client(**changes: object) -> ClientConfig:
    """A client with one classical group."""
    defaults = {"groups": (NamedGroup.X25519,), "versions": (ProtocolVersion.TLS_1_3,)}
    return client_config(**{**defaults, **changes})


def certificate_of(credential: Credential, context: bytes = b"") -> Certificate:
    return Certificate(context, tuple(CertificateEntry(der) for der in credential.chain))


def certificate_request(*extensions: Extension, context: bytes = b"") -> CertificateRequest:
    schemes = SignatureAlgorithms((SignatureScheme.ECDSA_SECP256R1_SHA256,))
    return CertificateRequest(context, (schemes, *extensions))


def bytes_of(count: int) -> bytes:
    """Not random at all."""
    return bytes(7 + number % 200 for number in range(count))


def with_extensions(message: Message, *extensions: Extension) -> Message:
    """The message with these extensions in the place of those of the same number, or at the end."""
    assert isinstance(message, ClientHello | ServerHello | HelloRetryRequest | EncryptedExtensions)
    return replaced_extensions(message, extensions)


def replaced_extensions(
    message: ClientHello | ServerHello | HelloRetryRequest | EncryptedExtensions,
    extensions: tuple[Extension, ...],
) -> Message:
    new = {extension.type: extension for extension in extensions}
    kept = tuple(new.pop(old.type, old) for old in message.extensions)
    return evolve(message, extensions=(*kept, *new.values()))


def without(message: Message, kind: type[Extension]) -> Message:
    """The message without the extensions of this class."""
    assert isinstance(message, ClientHello | ServerHello | HelloRetryRequest | CertificateRequest)
    return evolve(message, extensions=tuple(e for e in message.extensions if not isinstance(e, kind)))
