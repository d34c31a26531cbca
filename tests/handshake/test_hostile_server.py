"""Clients of ours against servers that do everything wrong, one thing at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve
from cryptography.hazmat.primitives.asymmetric import x25519
from cryptography.hazmat.primitives.serialization import Encoding

from sansticket.codes import NamedGroup, SignatureScheme
from sansticket.config.client import ClientConfig
from sansticket.connection.client import ClientConnection
from sansticket.crypto.certificates import Credential
from sansticket.crypto.signatures import certificate_verify_input, sign
from sansticket.errors import Reason
from sansticket.wire.extensions.base import Extension, UnknownExtension
from sansticket.wire.extensions.certificate import (
    CertificateAuthorities,
    CertificateStatusResponse,
    OidFilters,
)
from sansticket.wire.extensions.key_exchange import (
    KeyShareAnswer,
    KeyShareEntry,
    KeyShareRetry,
    SupportedGroups,
)
from sansticket.wire.extensions.negotiation import (
    ApplicationProtocols,
    Cookie,
    MaxFragmentLength,
    RecordSizeLimit,
    SelectedVersion,
    ServerNameAck,
    SignatureAlgorithms,
)
from sansticket.wire.extensions.resumption import (
    EarlyData,
    PreSharedKeySelection,
    TicketRequestHint,
)
from sansticket.wire.extensions.tls12 import ExtendedMasterSecret
from sansticket.wire.messages.hello import ClientHello, HelloRetryRequest, ServerHello
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
from tests.support.credentials import (
    DAY,
    client_credential,
    credential_of,
    expired_credential,
    issue,
    premature_credential,
)
from tests.support.edits import flipped
from tests.support.hostile import APPLICATION_DATA
from tests.support.hostile_server import (
    HostileServer,
    certificate_request,
    quick_client,
    with_extensions,
    without,
)
from tests.support.refusals import case, refused

P256 = NamedGroup.SECP256R1
X25519 = NamedGroup.X25519
UNKNOWN = UnknownExtension(0x2A2A, b"")


def with_(*extensions: Extension) -> Callable[[Any], Any]:
    return lambda message: with_extensions(message, *extensions)


def lacking(kind: type[Extension]) -> Callable[[Any], Any]:
    return lambda message: without(message, kind)


def changed(**changes: object) -> Callable[[Any], Any]:
    return lambda message: evolve(message, **changes)


def two_groups(**changes: object) -> ClientConfig:
    """Brings a share of X25519, and has P-256 too."""
    return quick_client(groups=(X25519, P256), **changes)


def answer(group: int, key_exchange: bytes) -> KeyShareAnswer:
    return KeyShareAnswer(KeyShareEntry(group, key_exchange))


def shortened(message: ServerHello) -> bytes:
    body = message.encode()[4:-1]
    return b"\x02" + len(body).to_bytes(3) + body


# --- ServerHello -------------------------------------------------------------------------------------------------

HELLOS = [
    case("TLS 1.2", Reason.UNSUPPORTED_VERSION, lacking(SelectedVersion)),
    case("TLS 1.2 in supported_versions", Reason.ILLEGAL_VALUE, with_(SelectedVersion(0x0303))),
    case("a draft of TLS 1.3", Reason.ILLEGAL_VALUE, with_(SelectedVersion(0x7F1C))),
    case("legacy version of TLS 1.3", Reason.UNSUPPORTED_VERSION, changed(legacy_version=0x0304)),
    case("legacy version of TLS 1.1", Reason.UNSUPPORTED_VERSION, changed(legacy_version=0x0302)),
    case("legacy version of SSL 3.0", Reason.UNSUPPORTED_VERSION, changed(legacy_version=0x0300)),
    case("session id not echoed", Reason.SESSION_ID_NOT_ECHOED, changed(session_id=bytes(32))),
    case("session id left out", Reason.SESSION_ID_NOT_ECHOED, changed(session_id=b"")),
    case("compression", Reason.ILLEGAL_VALUE, changed(compression_method=1)),
    case("a suite that was not offered", Reason.UNOFFERED_CIPHER_SUITE, changed(cipher_suite=0x1304)),
    case("a suite of TLS 1.2", Reason.UNOFFERED_CIPHER_SUITE, changed(cipher_suite=0xC02B)),
    case("a suite of GREASE", Reason.UNOFFERED_CIPHER_SUITE, changed(cipher_suite=0x2A2A)),
    case("no key_share", Reason.MISSING_EXTENSION, lacking(KeyShareAnswer)),
    case("a share of a group that was not offered", Reason.UNOFFERED_GROUP, with_(answer(0x0100, b"x"))),
    case("a share that has no counterpart", Reason.UNOFFERED_GROUP, with_(answer(P256, bytes(65)))),
    case("a share too short", Reason.BAD_KEY_SHARE, with_(answer(X25519, bytes(31)))),
    case("a share of small order", Reason.BAD_KEY_SHARE, with_(answer(X25519, bytes(32)))),
    case("a session that was not offered", Reason.UNSOLICITED_EXTENSION, with_(PreSharedKeySelection(0))),
    case("an unknown extension", Reason.UNSOLICITED_EXTENSION, with_(UNKNOWN)),
    case("an extension of TLS 1.2", Reason.UNSOLICITED_EXTENSION, with_(ExtendedMasterSecret())),
    case("an extension of another message", Reason.FORBIDDEN_EXTENSION, with_(ServerNameAck())),
    case("a protocol in the wrong place", Reason.FORBIDDEN_EXTENSION, with_(ApplicationProtocols((b"h2",)))),
    case("a cookie", Reason.FORBIDDEN_EXTENSION, with_(Cookie(b"x"))),
    case(
        "the same extension twice",
        Reason.DUPLICATE_EXTENSION,
        lambda message: evolve(message, extensions=(*message.extensions, message.extensions[0])),
    ),
    case("a key_share cut short", Reason.MALFORMED_MESSAGE, shortened),
    case("something behind the hello", Reason.MESSAGE_ACROSS_KEY_CHANGE, lambda m: m.encode() + b"\x08"),
]


@pytest.mark.parametrize(("edit", "reason"), HELLOS)
def test_hello_is_refused(edit: Callable[[ServerHello], object], reason: Reason) -> None:
    config = two_groups(alpn_protocols=[b"h2"])
    HostileServer(config, {ServerHello: edit}).say_hello().assert_refused(reason)


# --- HelloRetryRequest -------------------------------------------------------------------------------------------

RETRIES = [
    case("retry with TLS 1.2", Reason.ILLEGAL_VALUE, with_(SelectedVersion(0x0303))),
    case("retry without version", Reason.MISSING_EXTENSION, lacking(SelectedVersion)),
    case("retry of TLS 1.1", Reason.UNSUPPORTED_VERSION, changed(legacy_version=0x0302)),
    case("retry without session id", Reason.SESSION_ID_NOT_ECHOED, changed(session_id=b"")),
    case("retry with another suite", Reason.UNOFFERED_CIPHER_SUITE, changed(cipher_suite=0x1304)),
    case("retry for nothing", Reason.USELESS_RETRY, lacking(KeyShareRetry)),
    case("retry for what is there", Reason.USELESS_RETRY, with_(KeyShareRetry(X25519))),
    case("retry for another group", Reason.UNOFFERED_GROUP, with_(KeyShareRetry(NamedGroup.X448))),
    case("retry for no group", Reason.UNOFFERED_GROUP, with_(KeyShareRetry(0x2A2A))),
    case("retry with an unknown extension", Reason.UNSOLICITED_EXTENSION, with_(UNKNOWN)),
    case("retry that selects a session", Reason.FORBIDDEN_EXTENSION, with_(PreSharedKeySelection(0))),
    case("retry with an empty cookie", Reason.MALFORMED_MESSAGE, with_(Cookie(b""))),
    case(
        "retry with an extension twice",
        Reason.DUPLICATE_EXTENSION,
        lambda message: evolve(message, extensions=(*message.extensions, message.extensions[0])),
    ),
    case("retry twice", Reason.UNEXPECTED_MESSAGE, lambda message: (message, message)),
    case("something behind the retry", Reason.MESSAGE_ACROSS_KEY_CHANGE, lambda m: m.encode() + b"\x02"),
]


@pytest.mark.parametrize(("edit", "reason"), RETRIES)
def test_retry_is_refused(edit: Callable[[HelloRetryRequest], object], reason: Reason) -> None:
    HostileServer(two_groups(), {HelloRetryRequest: edit}).retry(P256).assert_refused(reason)


AFTER_RETRY = [
    case("another suite after it", Reason.CHANGED_AFTER_RETRY, changed(cipher_suite=0x1302)),
    case("the old group after it", Reason.CHANGED_AFTER_RETRY, with_(answer(X25519, bytes(32)))),
    case("TLS 1.2 after it", Reason.CHANGED_AFTER_RETRY, lacking(SelectedVersion)),
    case("no share after it", Reason.MISSING_EXTENSION, lacking(KeyShareAnswer)),
    case(
        "another retry after it",
        Reason.UNEXPECTED_MESSAGE,
        lambda m: HelloRetryRequest(m.session_id, m.cipher_suite, (SelectedVersion(0x0304), Cookie(b"x"))),
    ),
]


@pytest.mark.parametrize(("edit", "reason"), AFTER_RETRY)
def test_hello_after_retry_is_refused(edit: Callable[[ServerHello], object], reason: Reason) -> None:
    server = HostileServer(two_groups(), {ServerHello: edit}).retry(P256, (Cookie(b"crumbs"),))
    server.say_hello().assert_refused(reason)


@pytest.mark.parametrize("group", [P256, None])
def test_the_cookie_comes_back(group: int | None) -> None:
    """And nothing else has changed but the share, which stays as it was if the retry asked for none."""
    server = HostileServer(two_groups())
    first = server.hello
    server.retry(group, (Cookie(b"crumbs"),)).complete().assert_alive()
    assert server.hello.find(Cookie) == Cookie(b"crumbs")
    assert evolve(server.hello, extensions=()) == evolve(first, extensions=())
    types = [extension.type for extension in server.hello.extensions]
    assert types == [*(extension.type for extension in first.extensions), Cookie.TYPE]


# --- EncryptedExtensions -----------------------------------------------------------------------------------------

EXTENSIONS = [
    case("an unknown one", Reason.UNSOLICITED_EXTENSION, (UNKNOWN,)),
    case("early data", Reason.UNSOLICITED_EXTENSION, (EarlyData(),)),
    case("record_size_limit", Reason.UNSOLICITED_EXTENSION, (RecordSizeLimit(64),)),
    case("max_fragment_length", Reason.UNSOLICITED_EXTENSION, (MaxFragmentLength(1),)),
    case("tickets to come", Reason.UNSOLICITED_EXTENSION, (TicketRequestHint(1),)),
    case("one of ServerHello", Reason.FORBIDDEN_EXTENSION, (SelectedVersion(0x0304),)),
    case("one of ClientHello", Reason.FORBIDDEN_EXTENSION, (SignatureAlgorithms((0x0403,)),)),
    case("twice", Reason.DUPLICATE_EXTENSION, (SupportedGroups((1,)), SupportedGroups((1,)))),
    case("another protocol", Reason.UNOFFERED_APPLICATION_PROTOCOL, (ApplicationProtocols((b"h3",)),)),
    case("two protocols", Reason.ILLEGAL_VALUE, (ApplicationProtocols((b"h2", b"http/1.1")),)),
    case("no protocol", Reason.MALFORMED_MESSAGE, (ApplicationProtocols(()),)),
    case("a name that is not empty", Reason.MALFORMED_MESSAGE, (UnknownExtension(0, b"x"),)),
]


@pytest.mark.parametrize(("extensions", "reason"), EXTENSIONS)
def test_extensions_are_refused(extensions: tuple[Extension, ...], reason: Reason) -> None:
    config = quick_client(alpn_protocols=[b"h2", b"http/1.1"])
    edits = {EncryptedExtensions: lambda _: EncryptedExtensions(extensions)}
    HostileServer(config, edits).serve().assert_refused(reason)


@refused(Reason.UNSOLICITED_EXTENSION)
def test_a_protocol_nobody_asked_for() -> HostileServer:
    return HostileServer(edits={EncryptedExtensions: with_(ApplicationProtocols((b"h2",)))}).serve()


@refused(Reason.UNSOLICITED_EXTENSION)
def test_a_name_nobody_named() -> HostileServer:
    """An IP address is not sent as a name, so there is nothing to acknowledge."""
    client = ClientConnection(quick_client(), "127.0.0.1")
    return HostileServer(client, {EncryptedExtensions: with_(ServerNameAck())}).serve()


def test_extensions_that_answer_ours_are_taken() -> None:
    config = quick_client(alpn_protocols=[b"h2"], ticket_request=(1, 1))
    answers = (
        ServerNameAck(),
        SupportedGroups((0x2A2A, P256)),
        ApplicationProtocols((b"h2",)),
        TicketRequestHint(1),
    )
    server = HostileServer(config, {EncryptedExtensions: lambda _: EncryptedExtensions(answers)}).complete()
    server.assert_alive()
    assert server.victim.alpn_protocol == b"h2"


# --- CertificateRequest ------------------------------------------------------------------------------------------

REQUESTS = [
    case("a context", Reason.ILLEGAL_VALUE, certificate_request(context=b"x")),
    case("no signature algorithms", Reason.MISSING_EXTENSION, CertificateRequest(b"", ())),
    case("one of the hello", Reason.FORBIDDEN_EXTENSION, certificate_request(SupportedGroups((P256,)))),
    case("no authorities", Reason.MALFORMED_MESSAGE, certificate_request(CertificateAuthorities(()))),
    case("two filters", Reason.ILLEGAL_VALUE, certificate_request(OidFilters(((b"1", b""), (b"1", b""))))),
    case("twice the same", Reason.DUPLICATE_EXTENSION, certificate_request(UNKNOWN, UNKNOWN)),
]


@pytest.mark.parametrize(("request_", "reason"), REQUESTS)
def test_request_is_refused(request_: CertificateRequest, reason: Reason) -> None:
    HostileServer(request=request_).serve().assert_refused(reason)


@pytest.mark.parametrize("extra", [(), (UNKNOWN,), (OidFilters(((b"1", b""),)),)])
def test_request_is_answered(extra: tuple[Extension, ...]) -> None:
    """Unknown extensions of a request are no answers to anything, and ignored (RFC 9846 section 4.4.2)."""
    server = HostileServer(request=certificate_request(*extra)).complete()
    server.assert_alive()
    assert Certificate(b"", ()) in server.heard


@refused(Reason.UNEXPECTED_MESSAGE)
def test_two_requests() -> HostileServer:
    request = certificate_request()
    return HostileServer(edits={CertificateRequest: lambda m: (m, m)}, request=request).serve()


# --- Certificate and CertificateVerify ---------------------------------------------------------------------------


def with_key_exchange_key(message: Certificate) -> Certificate:
    """A certificate whose key can sign nothing."""
    key = x25519.X25519PrivateKey.generate().public_key()
    der = issue(authority(), "server.example", key).public_bytes(Encoding.DER)
    return Certificate(b"", (CertificateEntry(der),))


def first_entry_with(*extensions: Extension) -> Callable[[Certificate], Certificate]:
    return lambda m: evolve(m, entries=(evolve(m.entries[0], extensions=extensions),))


CERTIFICATES = [
    case("empty chain", Reason.NO_SERVER_CERTIFICATE, changed(entries=())),
    case("context", Reason.ILLEGAL_VALUE, changed(context=b"x")),
    case("too long a chain", Reason.MESSAGE_TOO_LARGE, lambda m: evolve(m, entries=m.entries * 11)),
    case("not DER", Reason.CERTIFICATE_MALFORMED, changed(entries=(CertificateEntry(b"not DER"),))),
    case("a key that cannot sign", Reason.CERTIFICATE_UNSUPPORTED, with_key_exchange_key),
    case("no status wanted", Reason.UNSOLICITED_EXTENSION, first_entry_with(CertificateStatusResponse(b"x"))),
    case("unknown", Reason.UNSOLICITED_EXTENSION, first_entry_with(UNKNOWN)),
    case("of EncryptedExtensions", Reason.FORBIDDEN_EXTENSION, first_entry_with(ServerNameAck())),
    case("one twice", Reason.DUPLICATE_EXTENSION, first_entry_with(UNKNOWN, UNKNOWN)),
    case("left out", Reason.UNEXPECTED_MESSAGE, lambda m: None),
    case("twice", Reason.UNEXPECTED_MESSAGE, lambda m: (m, m)),
]


@pytest.mark.parametrize(("edit", "reason"), CERTIFICATES)
def test_certificate_is_refused(edit: Callable[[Certificate], object], reason: Reason) -> None:
    HostileServer(edits={Certificate: edit}).serve().assert_refused(reason)


def of_another_authority() -> Credential:
    return credential_of(new_authority("another").issue("server.example"))


def for_another_name() -> Credential:
    return credential_of(authority().issue("other.example"))


def signed_wrongly() -> Credential:
    good = credential_of(authority().issue("server.example"))
    return Credential((flipped(good.chain[0]),), good.private_key)


CREDENTIALS = [
    case("unknown authority", Reason.CERTIFICATE_UNTRUSTED, of_another_authority),
    case("expired", Reason.CERTIFICATE_EXPIRED, expired_credential),
    case("not yet valid", Reason.CERTIFICATE_EXPIRED, premature_credential),
    case("wrong name", Reason.CERTIFICATE_NAME_MISMATCH, for_another_name),
    case("wrong signature", Reason.CERTIFICATE_INVALID, signed_wrongly),
    case(
        "a client's",
        Reason.CERTIFICATE_UNSUPPORTED,
        lambda: credential_of(authority().issue("server.example", client=True)),
    ),
]


@pytest.mark.parametrize(("credential", "reason"), CREDENTIALS)
def test_chain_is_refused(credential: Callable[[], Credential], reason: Reason) -> None:
    HostileServer(credential=credential()).serve().assert_refused(reason)


@refused(Reason.CERTIFICATE_EXPIRED)
def test_chain_that_expires_according_to_the_clock_of_the_config() -> HostileServer:
    later = (DAY * 400).total_seconds()
    from time import time

    return HostileServer(quick_client(clock=lambda: time() + later)).serve()


def scheme(number: int) -> Callable[[CertificateVerify], CertificateVerify]:
    return lambda message: evolve(message, scheme=number)


PROOFS = [
    case("unoffered scheme", Reason.UNOFFERED_SIGNATURE_SCHEME, scheme(0x0203)),
    case("PKCS#1", Reason.UNOFFERED_SIGNATURE_SCHEME, scheme(SignatureScheme.RSA_PKCS1_SHA256)),
    case("another key's scheme", Reason.ILLEGAL_VALUE, scheme(SignatureScheme.RSA_PSS_RSAE_SHA256)),
    case("empty", Reason.BAD_SIGNATURE, changed(signature=b"")),
    case("one bit", Reason.BAD_SIGNATURE, lambda m: evolve(m, signature=flipped(m.signature))),
    case("left out", Reason.UNEXPECTED_MESSAGE, lambda m: None),
    case("a second certificate", Reason.UNEXPECTED_MESSAGE, lambda m: (Certificate(b"", ()), m)),
]


@pytest.mark.parametrize(("edit", "reason"), PROOFS)
def test_proof_is_refused(edit: Callable[[CertificateVerify], object], reason: Reason) -> None:
    HostileServer(edits={CertificateVerify: edit}).serve().assert_refused(reason)


@pytest.mark.parametrize("of_server", [True, False])
@refused(Reason.BAD_SIGNATURE)
def test_proof_over_something_else(of_server: bool) -> HostileServer:
    """The transcript of another moment, or the client's context string."""
    server = HostileServer()
    server.say_hello().say_extensions().say_certificate()
    transcript = bytes(32) if of_server else server.transcript.digest()
    assert server.credential.private_key is not None
    signed = certificate_verify_input(of_server, transcript)
    server.say(CertificateVerify(server.scheme, sign(server.credential.private_key, server.scheme, signed)))
    return server


# --- Finished ----------------------------------------------------------------------------------------------------

FINISHED = [
    case("one bit", Reason.BAD_FINISHED, lambda m: Finished(flipped(m.verify_data))),
    case("of SHA-384", Reason.MALFORMED_MESSAGE, lambda m: Finished(m.verify_data + bytes(16))),
    case("odd length", Reason.MALFORMED_MESSAGE, lambda m: b"\x14\0\0\x01x"),
    case("KeyUpdate first", Reason.UNEXPECTED_MESSAGE, lambda m: (KeyUpdate(0), m)),
    case("a ticket first", Reason.UNEXPECTED_MESSAGE, lambda m: (NewSessionTicket(1, 1, b"", b"x"), m)),
    case("a ticket behind it", Reason.MESSAGE_ACROSS_KEY_CHANGE, lambda m: m.encode() + b"\x04"),
    case("data first", Reason.UNEXPECTED_MESSAGE, lambda m: (ClientHello(bytes(32), b"", (1,)), m)),
]


@pytest.mark.parametrize(("edit", "reason"), FINISHED)
def test_finished_is_refused(edit: Callable[[Finished], object], reason: Reason) -> None:
    HostileServer(edits={Finished: edit}).serve().assert_refused(reason)


@refused(Reason.UNEXPECTED_MESSAGE)
def test_finished_instead_of_the_certificate() -> HostileServer:
    """The old way to be nobody and be trusted all the same."""
    return HostileServer(edits={Certificate: lambda m: None, CertificateVerify: lambda m: None}).serve()


@refused(Reason.UNEXPECTED_MESSAGE)
def test_data_before_finished() -> HostileServer:
    server = HostileServer().say_hello()
    server.send(APPLICATION_DATA, b"too early")
    return server


@refused(Reason.UNEXPECTED_MESSAGE)
def test_unprotected_extensions() -> HostileServer:
    server = HostileServer().say_hello()
    server.sealer = None
    return server.say_extensions()


# --- what a client shows of itself -------------------------------------------------------------------------------


def test_the_client_shows_its_certificate() -> None:
    config = quick_client(credentials=[client_credential()])
    server = HostileServer(config, request=certificate_request()).complete()
    server.assert_alive()
    shown = next(message for message in server.heard if isinstance(message, Certificate))
    assert tuple(entry.certificate for entry in shown.entries) == client_credential().chain
