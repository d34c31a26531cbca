"""Messages of another implementation: each is decoded, says what it should, and encodes to the same bytes.

The standard library's ``ssl`` shows every handshake message in the clear to a callback.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any

import pytest

from sansticket.codes import (
    CipherSuite,
    ContentType,
    ExtensionType,
    HandshakeType,
    NamedGroup,
    ProtocolVersion,
)
from sansticket.wire import extensions as x
from sansticket.wire.extensions.base import UnknownExtension
from sansticket.wire.messages import hello as m0
from sansticket.wire.messages import tls12 as m12
from sansticket.wire.messages import tls13 as m
from sansticket.wire.messages.base import ExtensionsMessage, Message
from sansticket.wire.messages.tables import MESSAGES_OF_TLS12, MESSAGES_OF_TLS13
from tests.support.certificates import authority, client_identity, server_identity
from tests.support.memory import run_foreign
from tests.support.stdlib_peer import StdlibPeer, client_context, server_context

TLS12 = ssl.TLSVersion.TLSv1_2
TLS13 = ssl.TLSVersion.TLSv1_3


def handshake(
    version: ssl.TLSVersion,
    prepare: Callable[[ssl.SSLContext, ssl.SSLContext], None] = lambda client, server: None,
    resume: bool = False,
) -> list[bytes]:
    """Every handshake message of one connection (the second one, if it resumes), in order."""
    client = client_context(authority(), client_identity(), ["h2", "http/1.1"], version)
    server = server_context(server_identity(), authority(), ["http/1.1"], version)
    prepare(client, server)
    seen: list[bytes] = []

    def callback(conn: Any, direction: Any, version: Any, kind: Any, detail: Any, data: bytes) -> None:
        if kind == ContentType.HANDSHAKE:
            seen.append(data)

    client._msg_callback = callback  # type: ignore[attr-defined]
    session = None
    for _ in range(1 + resume):
        seen.clear()
        ours, theirs = StdlibPeer(client, session=session), StdlibPeer(server, server=True)
        run_foreign(ours, theirs)
        assert ours.handshaken
        assert theirs.handshaken
        session = ours.tls.session
    assert ours.tls.session_reused == resume
    return seen


def decode(raw: list[bytes], table: dict[int, Callable[[bytes], Message]]) -> list[Message]:
    """Each message by its class, and the same bytes back from it."""
    decoded = []
    for one in raw:
        message = table[one[0]](one[4:])
        assert message.encode() == one
        if isinstance(message, ExtensionsMessage):
            # Nothing that we have a class for went by as unknown.
            unknown = {found.type for found in message.extensions if isinstance(found, UnknownExtension)}
            assert not unknown & set(ExtensionType)
        decoded.append(message)
    return decoded


def kinds(messages: list[Message]) -> list[str]:
    return [type(message).__name__ for message in messages]


def of(messages: list[Message], kind: type[Any]) -> Any:
    """The first message of this class."""
    return next(message for message in messages if isinstance(message, kind))


def test_tls_13_with_a_client_certificate() -> None:
    messages = decode(handshake(TLS13), MESSAGES_OF_TLS13)
    assert kinds(messages) == [
        "ClientHello",
        "ServerHello",
        "EncryptedExtensions",
        "CertificateRequest",
        "Certificate",
        "CertificateVerify",
        "Finished",
        "Certificate",
        "CertificateVerify",
        "Finished",
        "NewSessionTicket",
        "NewSessionTicket",
    ]
    hello = of(messages, m0.ClientHello)
    assert hello.legacy_version == ProtocolVersion.TLS_1_2
    assert hello.find(x.ServerNameList) == x.ServerNameList(b"server.example")
    assert hello.find(x.ApplicationProtocols) == x.ApplicationProtocols((b"h2", b"http/1.1"))
    assert ProtocolVersion.TLS_1_3 in hello.find(x.SupportedVersions).versions
    assert CipherSuite.AES_128_GCM_SHA256 in hello.cipher_suites
    answer = of(messages, m0.ServerHello)
    assert answer.session_id == hello.session_id
    assert answer.find(x.SelectedVersion) == x.SelectedVersion(ProtocolVersion.TLS_1_3)
    assert answer.find(x.KeyShareAnswer).share.group in hello.find(x.SupportedGroups).groups
    found = of(messages, m.EncryptedExtensions)
    assert found.find(x.ApplicationProtocols) == x.ApplicationProtocols((b"http/1.1",))
    assert of(messages, m.CertificateRequest).find(x.SignatureAlgorithms) is not None
    assert of(messages, m.Certificate).entries[0].certificate == server_identity().chain_der[0]
    assert len(of(messages, m.NewSessionTicket).nonce) == 8


def test_tls_13_resumed() -> None:
    messages = decode(handshake(TLS13, resume=True), MESSAGES_OF_TLS13)
    assert kinds(messages) == [
        "ClientHello",
        "ServerHello",
        "EncryptedExtensions",
        "Finished",
        "Finished",
        "NewSessionTicket",
    ]
    hello = of(messages, m0.ClientHello)
    offer = hello.find(x.PreSharedKeyOffer)
    assert hello.extensions[-1] is offer
    assert len(offer.identities) == len(offer.binders) == 1
    assert hello.find(x.PskKeyExchangeModes) == x.PskKeyExchangeModes((1,))
    assert of(messages, m0.ServerHello).find(x.PreSharedKeySelection) == x.PreSharedKeySelection(0)


def test_tls_13_with_a_retry() -> None:
    def prepare(client: ssl.SSLContext, server: ssl.SSLContext) -> None:
        server.set_ecdh_curve("secp384r1")

    messages = decode(handshake(TLS13, prepare), MESSAGES_OF_TLS13)
    assert kinds(messages)[:4] == ["ClientHello", "HelloRetryRequest", "ClientHello", "ServerHello"]
    retry = of(messages, m0.HelloRetryRequest)
    assert retry.find(x.KeyShareRetry) == x.KeyShareRetry(NamedGroup.SECP384R1)
    (share,) = messages[2].find(x.KeyShareOffer).shares  # type: ignore[attr-defined]
    assert (share.group, len(share.key_exchange)) == (NamedGroup.SECP384R1, 97)


def test_tls_12_with_a_client_certificate() -> None:
    messages = decode(handshake(TLS12), MESSAGES_OF_TLS12)
    assert kinds(messages) == [
        "ClientHello",
        "ServerHello",
        "Certificate",
        "ServerKeyExchange",
        "CertificateRequest",
        "ServerHelloDone",
        "Certificate",
        "ClientKeyExchange",
        "CertificateVerify",
        "Finished",
        "NewSessionTicket",
        "Finished",
    ]
    hello, answer = of(messages, m0.ClientHello), of(messages, m0.ServerHello)
    for kind in (x.ExtendedMasterSecret, x.RenegotiationInfo, x.SessionTicketExtension):
        assert answer.find(kind) is not None
    assert hello.find(x.SessionTicketExtension) == x.SessionTicketExtension(b"")
    assert answer.find(x.ApplicationProtocols) == x.ApplicationProtocols((b"http/1.1",))
    assert answer.find(x.SelectedVersion) is None
    assert of(messages, m12.Certificate).certificates[0] == server_identity().chain_der[0]
    exchange = of(messages, m12.ServerKeyExchange)
    assert exchange.scheme in hello.find(x.SignatureAlgorithms).schemes
    assert len(exchange.public) == len(of(messages, m12.ClientKeyExchange).public)
    assert of(messages, m12.CertificateRequest).certificate_types == b"\x01\x02\x40"
    assert of(messages, m12.NewSessionTicket).lifetime_hint == 7200
    assert len(of(messages, m.Finished).verify_data) == 12


def test_tls_12_resumed() -> None:
    raw = handshake(TLS12, resume=True)
    messages = decode(raw, MESSAGES_OF_TLS12)
    assert kinds(messages)[:2] == ["ClientHello", "ServerHello"]
    assert kinds(messages)[-2:] == ["Finished", "Finished"]
    assert of(messages, m0.ClientHello).find(x.SessionTicketExtension).ticket


@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_both_tables_read_the_first_hellos(version: ssl.TLSVersion) -> None:
    """The version is chosen after the ClientHello, and known to the client after the ServerHello."""
    for raw in handshake(version)[:2]:
        assert MESSAGES_OF_TLS13[raw[0]](raw[4:]) == MESSAGES_OF_TLS12[raw[0]](raw[4:])
        assert raw[0] in (HandshakeType.CLIENT_HELLO, HandshakeType.SERVER_HELLO)
