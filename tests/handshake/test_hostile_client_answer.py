"""Servers of ours against clients that do everything wrong after the hello: certificates, Finished, early data."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from attrs import evolve
from cryptography.hazmat.primitives.asymmetric import x25519
from cryptography.hazmat.primitives.serialization import Encoding

from sansticket.codes import NamedGroup, SignatureScheme
from sansticket.config.choices import ClientAuthentication
from sansticket.config.server import ServerConfig
from sansticket.crypto.certificates import Credential
from sansticket.crypto.signatures import certificate_verify_input, sign
from sansticket.errors import Reason
from sansticket.events import DataReceived, HandshakeCompleted
from sansticket.handshake.server.tls13.early_data import skippable
from sansticket.wire.extensions.base import UnknownExtension
from sansticket.wire.extensions.certificate import CertificateStatusResponse
from sansticket.wire.messages.hello import ClientHello, ServerHello
from sansticket.wire.messages.tls13 import (
    Certificate,
    CertificateEntry,
    CertificateRequest,
    CertificateVerify,
    EncryptedExtensions,
    Finished,
    KeyUpdate,
    NewSessionTicket,
)
from tests.support.certificates import authority, new_authority
from tests.support.credentials import DAY, anchors, credential_of, issue, server_credential
from tests.support.edits import flipped
from tests.support.hostile import APPLICATION_DATA, HANDSHAKE, Edits
from tests.support.hostile_client import HostileClient, quick_server, session_from, with_early_data
from tests.support.refusals import case, refused

P256 = NamedGroup.SECP256R1
SKIPPED = skippable(0)


def asking(**changes: object) -> ServerConfig:
    """A server that insists on a client certificate."""
    defaults = {"client_authentication": ClientAuthentication.REQUIRED, "trust_anchors": anchors()}
    return quick_server(**{**defaults, **changes})


def answering(edits: Edits | None = None, credential: Credential | None = None) -> HostileClient:
    return HostileClient(asking(), edits, credential=credential).complete()


def test_the_honest_answer() -> None:
    client = answering()
    client.assert_alive()
    assert client.victim.peer_certificates == client.credential.chain


# --- certificates ------------------------------------------------------------------------------------------------


def entries(*certificates: bytes) -> Callable[[Certificate], Certificate]:
    return lambda _: Certificate(b"", tuple(CertificateEntry(der) for der in certificates))


def first_entry_with(
    *extensions: UnknownExtension | CertificateStatusResponse,
) -> Callable[[Certificate], object]:
    def edit(message: Certificate) -> Certificate:
        return evolve(message, entries=(evolve(message.entries[0], extensions=extensions),))

    return edit


def with_key_exchange_key() -> bytes:
    """A certificate whose key can sign nothing."""
    key = x25519.X25519PrivateKey.generate().public_key()
    return issue(authority(), "client.example", key).public_bytes(Encoding.DER)


CERTIFICATES = [
    case("none", Reason.CERTIFICATE_REQUIRED, entries()),
    case("a context in the handshake", Reason.ILLEGAL_VALUE, lambda message: evolve(message, context=b"x")),
    case(
        "too long a chain",
        Reason.MESSAGE_TOO_LARGE,
        lambda message: evolve(message, entries=message.entries * 11),
    ),
    case("not DER", Reason.CERTIFICATE_MALFORMED, entries(b"not DER")),
    case(
        "a key that cannot sign",
        Reason.CERTIFICATE_UNSUPPORTED,
        lambda message: entries(with_key_exchange_key())(message),
    ),
    case(
        "an answer to no request",
        Reason.UNSOLICITED_EXTENSION,
        first_entry_with(CertificateStatusResponse(b"x")),
    ),
    case(
        "an unknown extension", Reason.UNSOLICITED_EXTENSION, first_entry_with(UnknownExtension(0x2A2A, b""))
    ),
    case("an empty certificate", Reason.MALFORMED_MESSAGE, lambda _: b"\x0b\0\0\x09\0\0\0\x05\0\0\0\0\0"),
]


@pytest.mark.parametrize(("edit", "reason"), CERTIFICATES)
def test_certificate_is_refused(edit: Callable[[Certificate], object], reason: Reason) -> None:
    answering({Certificate: edit}).assert_refused(reason)


def issued(**named: object) -> Callable[[], Credential]:
    return lambda: credential_of(authority().issue("client.example", **{"client": True, **named}))


def of_another_authority() -> Credential:
    return credential_of(new_authority("another").issue("client.example", client=True))


def of_the_same_name() -> Credential:
    """Its issuer has the name of the trust anchor, and another key."""
    return credential_of(new_authority("sansticket test root").issue("client.example", client=True))


CREDENTIALS = [
    case("unknown authority", Reason.CERTIFICATE_UNTRUSTED, of_another_authority),
    case("authority of the same name", Reason.CERTIFICATE_UNTRUSTED, of_the_same_name),
    case("expired", Reason.CERTIFICATE_EXPIRED, issued(end=-DAY)),
    case("not yet valid", Reason.CERTIFICATE_EXPIRED, issued(start=-DAY)),
    case("a server's certificate", Reason.CERTIFICATE_UNSUPPORTED, issued(client=False)),
]


@pytest.mark.parametrize(("credential", "reason"), CREDENTIALS)
def test_chain_is_refused(credential: Callable[[], Credential], reason: Reason) -> None:
    answering(credential=credential()).assert_refused(reason)


@refused(Reason.CERTIFICATE_MALFORMED)
def test_garbage_behind_the_first_certificate() -> HostileClient:
    return answering(
        {
            Certificate: lambda message: evolve(
                message, entries=(*message.entries, CertificateEntry(b"garbage"))
            )
        }
    )


@refused(Reason.CERTIFICATE_INVALID)
def test_certificate_whose_signature_is_wrong() -> HostileClient:
    good = issued()()
    forged = flipped(good.chain[0])
    return answering(credential=Credential((forged,), good.private_key))


# --- the proof ---------------------------------------------------------------------------------------------------


def scheme(number: int) -> Callable[[CertificateVerify], CertificateVerify]:
    return lambda message: evolve(message, scheme=number)


PROOFS = [
    case("unoffered scheme", Reason.UNOFFERED_SIGNATURE_SCHEME, scheme(0x0203)),
    case("PKCS#1", Reason.UNOFFERED_SIGNATURE_SCHEME, scheme(SignatureScheme.RSA_PKCS1_SHA256)),
    case("unknown scheme", Reason.UNOFFERED_SIGNATURE_SCHEME, scheme(0xFEFE)),
    case("scheme of another key", Reason.ILLEGAL_VALUE, scheme(SignatureScheme.ED25519)),
    case("scheme of another curve", Reason.ILLEGAL_VALUE, scheme(SignatureScheme.ECDSA_SECP384R1_SHA384)),
    case("empty signature", Reason.BAD_SIGNATURE, lambda message: evolve(message, signature=b"")),
    case(
        "no signature at all", Reason.BAD_SIGNATURE, lambda message: evolve(message, signature=b"signature")
    ),
    case("left out", Reason.UNEXPECTED_MESSAGE, lambda message: None),
    case("twice", Reason.UNEXPECTED_MESSAGE, lambda message: (message, message)),
]


@pytest.mark.parametrize(("edit", "reason"), PROOFS)
def test_proof_is_refused(edit: Callable[[CertificateVerify], object], reason: Reason) -> None:
    answering({CertificateVerify: edit}).assert_refused(reason)


@pytest.mark.parametrize("of_server", [True, False])
@refused(Reason.BAD_SIGNATURE)
def test_proof_over_something_else(of_server: bool) -> HostileClient:
    """The server's context string, or the transcript of another moment."""
    client = HostileClient(asking())
    client.begin().say_certificate()
    transcript = client.transcript.digest() if of_server else bytes(32)
    number = SignatureScheme.ECDSA_SECP256R1_SHA256
    assert client.credential.private_key is not None
    signature = sign(client.credential.private_key, number, certificate_verify_input(of_server, transcript))
    client.say(CertificateVerify(number, signature))
    return client


@refused(Reason.BAD_SIGNATURE)
def test_proof_with_another_key() -> HostileClient:
    """Somebody else's certificate."""
    theirs = authority().issue("client.example", client=True)
    client = HostileClient(asking(), {Certificate: entries(*theirs.chain_der)})
    return client.complete()


# --- Finished ----------------------------------------------------------------------------------------------------

FINISHED = [
    case("one bit", Reason.BAD_FINISHED, lambda m: Finished(flipped(m.verify_data))),
    case("of SHA-384", Reason.MALFORMED_MESSAGE, lambda m: Finished(m.verify_data + bytes(16))),
    case("of TLS 1.2", Reason.MALFORMED_MESSAGE, lambda m: Finished(m.verify_data[:12])),
    case("empty Finished", Reason.MALFORMED_MESSAGE, lambda m: b"\x14\0\0\0"),
    case("one byte short", Reason.MALFORMED_MESSAGE, lambda m: b"\x14\0\0\x1f" + m.verify_data[:31]),
    case("another message first", Reason.UNEXPECTED_MESSAGE, lambda m: (KeyUpdate(0), m)),
    case("a certificate nobody asked for", Reason.UNEXPECTED_MESSAGE, lambda m: (Certificate(b"", ()), m)),
    case("the server's message", Reason.UNEXPECTED_MESSAGE, lambda m: EncryptedExtensions(())),
    case("Finished twice", Reason.BAD_RECORD_MAC, lambda m: (m, m)),
]


@pytest.mark.parametrize(("edit", "reason"), FINISHED)
def test_finished_is_refused(edit: Callable[[Finished], object], reason: Reason) -> None:
    HostileClient(quick_server(), {Finished: edit}).begin().say_finished().assert_refused(reason)


@refused(Reason.UNEXPECTED_MESSAGE)
def test_finished_again_under_the_new_keys() -> HostileClient:
    client = HostileClient().complete()
    client.send_message(client.transcript.messages[-1])
    return client


@refused(Reason.UNEXPECTED_MESSAGE)
def test_finished_in_the_place_of_the_hello() -> HostileClient:
    client = HostileClient()
    client.send_message(Finished(bytes(32)))
    return client


@refused(Reason.UNEXPECTED_MESSAGE)
def test_finished_in_the_place_of_the_certificate() -> HostileClient:
    return HostileClient(asking()).begin().say_finished()


@refused(Reason.BAD_RECORD_MAC)
def test_finished_under_the_wrong_keys() -> HostileClient:
    client = HostileClient().begin()
    client.protect(client.application.client)
    client.say(Finished(bytes(32)))
    return client


@refused(Reason.UNEXPECTED_MESSAGE)
def test_unprotected_finished() -> HostileClient:
    client = HostileClient().begin()
    client.sealer = None
    client.say(Finished(bytes(32)))
    return client


@refused(Reason.UNEXPECTED_MESSAGE)
def test_data_before_finished() -> HostileClient:
    client = HostileClient().begin()
    client.send(APPLICATION_DATA, b"too early")
    return client


@pytest.mark.parametrize("message", [ServerHello(bytes(32), b"", 0x1301), NewSessionTicket(1, 1, b"", b"x")])
@refused(Reason.UNEXPECTED_MESSAGE)
def test_messages_that_only_servers_send(message: ServerHello | NewSessionTicket) -> HostileClient:
    client = HostileClient().begin()
    client.send_message(message)
    return client


@refused(Reason.UNEXPECTED_MESSAGE)
def test_a_client_does_not_ask_for_certificates() -> HostileClient:
    client = HostileClient().complete()
    client.send_message(CertificateRequest(b"", ()))
    return client


# --- what may not stand in one record ----------------------------------------------------------------------------


@refused(Reason.MESSAGE_ACROSS_KEY_CHANGE)
def test_something_behind_the_hello() -> HostileClient:
    client = HostileClient(edits={ClientHello: lambda hello: hello.encode() + b"\x14\0\0\x20"})
    return client.say_hello()


@refused(Reason.MESSAGE_ACROSS_KEY_CHANGE)
def test_something_behind_finished() -> HostileClient:
    client = HostileClient(edits={Finished: lambda message: message.encode() + KeyUpdate(0).encode()})
    return client.begin().say_finished()


def test_hello_in_many_records() -> None:
    """What is cut into records of one byte is as good as whole."""
    client = HostileClient()
    for byte in client.hello().encode():
        client.send(HANDSHAKE, bytes((byte,)))
    client.transcript = client.transcript.plus(client.hello().encode())
    client.listen().say_finished()
    client.assert_alive()


# --- early data --------------------------------------------------------------------------------------------------


def with_early(config: ServerConfig, **named: object) -> HostileClient:
    """A client that has sent its hello and announced early data, which we never accept."""
    session = session_from(config)
    client = HostileClient(config, {ClientHello: with_early_data}, sessions=(session,), **named)
    return client.say_hello()


@pytest.mark.parametrize(("count", "size"), [(1, 0), (1, 1), (3, 16_000), (40, 100)])
def test_early_data_is_dropped(count: int, size: int) -> None:
    """The session is resumed, the data is lost: RFC 9846 section 4.3.10."""
    client = with_early(quick_server())
    client.deliver(client.early_records(count, size))
    client.listen().say_finished().listen()
    client.send(APPLICATION_DATA, b"in time")
    client.assert_alive()
    assert next(event for event in client.events if isinstance(event, HandshakeCompleted)).resumed
    assert [event.data for event in client.events if isinstance(event, DataReceived)] == [b"in time"]


@refused(Reason.TOO_MUCH_EARLY_DATA)
def test_too_much_early_data() -> HostileClient:
    client = with_early(quick_server())
    client.deliver(client.early_records(SKIPPED // 16_000 + 1, 16_000))
    return client


@refused(Reason.TOO_MUCH_EARLY_DATA)
def test_too_many_empty_early_records() -> HostileClient:
    client = with_early(quick_server())
    client.deliver(client.early_records(SKIPPED + 1, 0))
    return client


@refused(Reason.BAD_RECORD_MAC)
def test_early_data_after_finished() -> HostileClient:
    client = with_early(quick_server())
    late = client.early_records(1, 10)
    client.listen().say_finished()
    client.deliver(late)
    return client


@refused(Reason.BAD_RECORD_MAC)
def test_early_data_that_was_not_announced() -> HostileClient:
    config = quick_server()
    client = HostileClient(config, sessions=(session_from(config),)).say_hello()
    client.deliver(client.early_records(1, 10))
    return client


def test_early_data_is_dropped_with_the_retry() -> None:
    config = quick_server(groups=(P256,))
    session = HostileClient(config, shares=(P256,)).complete().session()
    client = HostileClient(config, {ClientHello: with_early_data}, sessions=(session,)).say_hello()
    client.deliver(client.early_records(3, 16_000))
    client.edits = {}
    client.hear_retry().complete().assert_alive()
    assert next(event for event in client.events if isinstance(event, HandshakeCompleted)).resumed


@refused(Reason.CHANGED_AFTER_RETRY)
def test_early_data_announced_again() -> HostileClient:
    config = quick_server(groups=(P256,))
    session = HostileClient(config, shares=(P256,)).complete().session()
    client = HostileClient(config, {ClientHello: with_early_data}, sessions=(session,)).say_hello()
    return client.hear_retry().say_hello()


@refused(Reason.TOO_MUCH_EARLY_DATA)
def test_too_much_early_data_with_the_retry() -> HostileClient:
    config = quick_server(groups=(P256,))
    session = HostileClient(config, shares=(P256,)).complete().session()
    client = HostileClient(config, {ClientHello: with_early_data}, sessions=(session,)).say_hello()
    client.deliver(client.early_records(SKIPPED // 16_000 + 1, 16_000))
    return client


@refused(Reason.UNEXPECTED_MESSAGE)
def test_data_before_the_second_hello_that_was_not_announced() -> HostileClient:
    client = HostileClient(quick_server(groups=(P256,))).say_hello()
    client.send(APPLICATION_DATA, bytes(100))
    return client


def test_an_unknown_identity_with_early_data() -> None:
    """A ticket of another server's: a full handshake, and what it protected is dropped."""
    session = session_from(quick_server())
    client = HostileClient(quick_server(), {ClientHello: with_early_data}, sessions=(session,)).say_hello()
    client.deliver(client.early_records(2, 1000))
    client.listen().say_finished().listen()
    client.assert_alive()
    assert not next(event for event in client.events if isinstance(event, HandshakeCompleted)).resumed


@refused(Reason.NO_COMMON_SIGNATURE_SCHEME)
def test_no_credential_for_the_client() -> HostileClient:
    """The server has a key that the client cannot verify."""
    return HostileClient(quick_server(credentials=[server_credential("ed25519")])).say_hello()
