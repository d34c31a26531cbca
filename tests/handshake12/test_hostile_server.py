"""Clients of ours against TLS 1.2 servers that do everything wrong, one thing at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve

from sansticket.codes import (
    CipherSuite,
    HandshakeType,
    NamedGroup,
    ProtocolVersion,
    SignatureScheme,
)
from sansticket.connection.client import ClientConnection
from sansticket.crypto.certificates import Credential
from sansticket.errors import Reason
from sansticket.events import HandshakeCompleted, TicketReceived
from sansticket.wire.extensions.base import Extension, UnknownExtension
from sansticket.wire.extensions.certificate import StatusRequestAck
from sansticket.wire.extensions.key_exchange import (
    KeyShareAnswer,
    KeyShareEntry,
    KeyShareRetry,
    SupportedGroups,
)
from sansticket.wire.extensions.negotiation import (
    ApplicationProtocols,
    MaxFragmentLength,
    RecordSizeLimit,
    SelectedVersion,
    ServerNameAck,
    SignatureAlgorithms,
)
from sansticket.wire.extensions.resumption import PreSharedKeySelection
from sansticket.wire.extensions.tls12 import (
    EcPointFormats,
    ExtendedMasterSecret,
    RenegotiationInfo,
    SessionTicketExtension,
)
from sansticket.wire.messages.hello import (
    HELLO_RETRY_RANDOM,
    HelloRequest,
    HelloRetryRequest,
    ServerHello,
)
from sansticket.wire.messages.tls12 import (
    Certificate,
    CertificateRequest,
    CertificateStatus,
    NewSessionTicket,
    ServerHelloDone,
    ServerKeyExchange,
)
from sansticket.wire.messages.tls13 import EncryptedExtensions, Finished
from tests.support.certificates import authority, new_authority
from tests.support.credentials import (
    credential_of,
    expired_credential,
    premature_credential,
    server_credential,
)
from tests.support.edits import flipped
from tests.support.hostile import APPLICATION_DATA, CHANGE_CIPHER_SPEC, raw_message
from tests.support.hostile12 import HostileServer12, changed, client12, lacking, with_
from tests.support.refusals import case, refused

BOTH = (ProtocolVersion.TLS_1_3, ProtocolVersion.TLS_1_2)
RSA_SUITE = CipherSuite.ECDHE_RSA_WITH_AES_128_GCM_SHA256
TICKET = NewSessionTicket(7200, b"ticket")
REQUEST = CertificateRequest(b"\x40\x01", (SignatureScheme.ECDSA_SECP256R1_SHA256,), ())
UNKNOWN = UnknownExtension(0x2A2A, b"")


def random_ending(end: bytes) -> Callable[[ServerHello], ServerHello]:
    return lambda hello: evolve(hello, random=hello.random[:-8] + end)


def with_long_session_id(hello: ServerHello) -> bytes:
    raw = evolve(hello, session_id=bytes(32)).encode()
    return raw_message(2, raw[4:38] + b"\x21" + bytes(33) + raw[71:])


# --- ServerHello -------------------------------------------------------------------------------------------------

HELLOS = [
    case("TLS 1.1", Reason.UNSUPPORTED_VERSION, changed(legacy_version=0x0302)),
    case("SSL 3.0", Reason.UNSUPPORTED_VERSION, changed(legacy_version=0x0300)),
    case("TLS 1.3 in legacy_version", Reason.UNSUPPORTED_VERSION, changed(legacy_version=0x0304)),
    case("downgrade from TLS 1.3", Reason.DOWNGRADE, random_ending(b"DOWNGRD\x01")),
    case("downgrade from TLS 1.2", Reason.DOWNGRADE, random_ending(b"DOWNGRD\x00")),
    case("a suite that was not offered", Reason.UNOFFERED_CIPHER_SUITE, changed(cipher_suite=0xC030)),
    case("a suite of TLS 1.3", Reason.UNOFFERED_CIPHER_SUITE, changed(cipher_suite=0x1301)),
    case("a suite that is not one", Reason.UNOFFERED_CIPHER_SUITE, changed(cipher_suite=0x00FF)),
    case("compression", Reason.ILLEGAL_VALUE, changed(compression_method=1)),
    case("session id too long", Reason.MALFORMED_MESSAGE, with_long_session_id),
    case("no renegotiation_info", Reason.RENEGOTIATION_INFO_MISMATCH, lacking(RenegotiationInfo)),
    case("no extensions at all", Reason.RENEGOTIATION_INFO_MISMATCH, changed(extensions=())),
    case("half a renegotiation_info", Reason.MALFORMED_MESSAGE, with_(UnknownExtension(0xFF01, b"\x01"))),
    case("renegotiation", Reason.RENEGOTIATION_INFO_MISMATCH, with_(RenegotiationInfo(bytes(24)))),
    case("no uncompressed points", Reason.ILLEGAL_VALUE, with_(EcPointFormats(b"\x01\x02"))),
    case("an unknown extension", Reason.UNSOLICITED_EXTENSION, with_(UNKNOWN)),
    case("record_size_limit", Reason.UNSOLICITED_EXTENSION, with_(RecordSizeLimit(64))),
    case("max_fragment_length", Reason.UNSOLICITED_EXTENSION, with_(MaxFragmentLength(1))),
    case("a status to come", Reason.UNSOLICITED_EXTENSION, with_(StatusRequestAck())),
    case("signature algorithms", Reason.FORBIDDEN_EXTENSION, with_(SignatureAlgorithms((0x0403,)))),
    case("TLS 1.2 in supported_versions", Reason.ILLEGAL_VALUE, with_(SelectedVersion(0x0303))),
    case("a share", Reason.FORBIDDEN_EXTENSION, with_(KeyShareAnswer(KeyShareEntry(29, bytes(32))))),
    case("a TLS 1.3 session", Reason.UNSOLICITED_EXTENSION, with_(PreSharedKeySelection(0))),
    case("another protocol", Reason.UNOFFERED_APPLICATION_PROTOCOL, with_(ApplicationProtocols((b"h3",)))),
    case("two protocols", Reason.ILLEGAL_VALUE, with_(ApplicationProtocols((b"h2", b"x")))),
    case("no protocol", Reason.MALFORMED_MESSAGE, with_(ApplicationProtocols(()))),
    case("the same twice", Reason.DUPLICATE_EXTENSION, lambda m: evolve(m, extensions=m.extensions * 2)),
    case("an unknown session", Reason.UNOFFERED_SESSION, lambda m: m),
    case("a ticket in the hello", Reason.MALFORMED_MESSAGE, with_(SessionTicketExtension(b"x"))),
]


@pytest.mark.parametrize(("edit", "reason"), HELLOS)
def test_hello_is_refused(edit: Callable[[ServerHello], object], reason: Reason) -> None:
    """The client offers both versions; where nothing else is wrong the server echoes its session id."""
    config = client12(versions=BOTH, alpn_protocols=[b"h2"], cipher_suites=[0x1301, 0xC02B, 0xC02F])
    server = HostileServer12(config, {ServerHello: edit})
    if reason is Reason.UNOFFERED_SESSION:
        server.session_id = server.hello.session_id
    server.say_hello().assert_refused(reason)


@refused(Reason.UNSOLICITED_EXTENSION)
def test_a_protocol_nobody_asked_for() -> HostileServer12:
    return HostileServer12(edits={ServerHello: with_(ApplicationProtocols((b"h2",)))}).say_hello()


@refused(Reason.UNSOLICITED_EXTENSION)
def test_a_name_nobody_named() -> HostileServer12:
    client = ClientConnection(client12(), "127.0.0.1")
    return HostileServer12(client, {ServerHello: with_(ServerNameAck())}).say_hello()


@refused(Reason.UNSOLICITED_EXTENSION)
def test_a_promise_nobody_asked_for() -> HostileServer12:
    return HostileServer12(client12(tickets_in_tls12=False), ticket=TICKET).say_hello()


@refused(Reason.UNSOLICITED_EXTENSION)
def test_tls13_nobody_asked_for() -> HostileServer12:
    return HostileServer12(edits={ServerHello: with_(SelectedVersion(0x0304))}).say_hello()


@refused(Reason.FORBIDDEN_EXTENSION)
def test_a_hello_with_the_random_of_a_retry() -> HostileServer12:
    return HostileServer12(edits={ServerHello: changed(random=HELLO_RETRY_RANDOM)}).say_hello()


@refused(Reason.UNSOLICITED_EXTENSION)
def test_a_retry_of_tls13_nobody_asked_for() -> HostileServer12:
    retry = HelloRetryRequest(b"", 0x1301, (SelectedVersion(0x0304), KeyShareRetry(0x0017)))
    return HostileServer12(edits={ServerHello: lambda _: retry}).say_hello()


@refused(Reason.UNSUPPORTED_VERSION)
def test_tls12_nobody_asked_for() -> HostileServer12:
    return HostileServer12(client12(versions=[ProtocolVersion.TLS_1_3])).say_hello()


@refused(Reason.MISSING_EXTENDED_MASTER_SECRET)
def test_no_extended_master_secret_where_it_is_required() -> HostileServer12:
    config = client12(require_extended_master_secret=True)
    return HostileServer12(config, {ServerHello: lacking(ExtendedMasterSecret)}).say_hello()


@pytest.mark.parametrize("end", [b"DOWNGRD\x01", b"DOWNGRD\x00"])
def test_a_client_without_tls13_cannot_be_downgraded_from_it(end: bytes) -> None:
    server = HostileServer12(edits={ServerHello: random_ending(end)}).complete()
    server.assert_alive()
    assert server.victim.version == ProtocolVersion.TLS_1_2


def test_answers_to_ours_are_taken() -> None:
    extensions: tuple[Extension, ...] = (
        ServerNameAck(),
        SupportedGroups((0x2A2A,)),  # no answer in any version, but there are servers
        EcPointFormats(b"\x01\0"),
        ApplicationProtocols((b"h2",)),
    )
    server = HostileServer12(client12(alpn_protocols=[b"h2"]), extensions=extensions).complete()
    server.assert_alive()
    assert server.victim.alpn_protocol == b"h2"


def test_without_extended_master_secret() -> None:
    server = HostileServer12(edits={ServerHello: lacking(ExtendedMasterSecret)}).complete()
    server.assert_alive()
    assert server.victim.state == "tls12.ClientConnected"


@pytest.mark.parametrize(
    "gives", [{"ticket": TICKET}, {"session_id": bytes(range(32))}], ids=["ticket", "id"]
)
def test_what_can_never_resume_is_not_reported(gives: dict[str, bytes]) -> None:
    """Without extended master secret: a ticket or an id is taken, and the application does not hear of it."""
    server = HostileServer12(client12(), {ServerHello: lacking(ExtendedMasterSecret)}, **gives).complete()
    server.assert_alive()
    assert not any(isinstance(event, TicketReceived) for event in server.events)
    (done,) = (event for event in server.events if isinstance(event, HandshakeCompleted))
    assert done.record.why == (
        "no session was offered, and without extended master secret no session can be resumed"
    )


# --- resumption --------------------------------------------------------------------------------------------------


def given(**options: Any) -> HostileServer12:
    """A server from which the client has a session."""
    return HostileServer12(client12(), **options).complete()


def resuming(edits: Any = None, *, by_ticket: bool = True, **options: Any) -> HostileServer12:
    """A server that goes on with the session."""
    first = given(ticket=TICKET) if by_ticket else given(session_id=bytes(range(32)))
    (session,) = [event.session for event in first.events if isinstance(event, TicketReceived)]
    return HostileServer12(client12(), edits, session=session, resumes=session, **options)


@pytest.mark.parametrize("by_ticket", [True, False])
def test_a_session_is_resumed(by_ticket: bool) -> None:
    server = resuming(by_ticket=by_ticket).complete()
    server.assert_alive()
    assert server.victim.resumed
    assert isinstance(server.heard[-1], Finished)


RESUMED = [
    case(
        "without extended master secret", Reason.EXTENDED_MASTER_SECRET_CHANGED, lacking(ExtendedMasterSecret)
    ),
    case("with another suite", Reason.ILLEGAL_VALUE, changed(cipher_suite=0xCCA9)),
    case("with another version", Reason.UNSUPPORTED_VERSION, changed(legacy_version=0x0302)),
]


@pytest.mark.parametrize(("edit", "reason"), RESUMED)
@pytest.mark.parametrize("by_ticket", [True, False])
def test_resumption_is_refused(
    edit: Callable[[ServerHello], object], reason: Reason, by_ticket: bool
) -> None:
    resuming({ServerHello: edit}, by_ticket=by_ticket).say_hello().assert_refused(reason)


@refused(Reason.UNEXPECTED_MESSAGE)
def test_a_certificate_in_a_resumption() -> HostileServer12:
    return resuming().say_hello().say_certificate()


@refused(Reason.BAD_FINISHED)
def test_resumption_without_the_secret() -> HostileServer12:
    server = resuming().say_hello()
    secret = server.master.secret
    server.have(evolve(server.master, secret=bytes(48)))
    sealed_with_right_keys = evolve(server.master, secret=secret)
    server.keys = sealed_with_right_keys.connection_keys(
        server.suite, server.hello.random, server.answer.random
    )
    return server.finish()


@refused(Reason.BAD_RECORD_MAC)
def test_resumption_without_the_keys() -> HostileServer12:
    server = resuming().say_hello()
    server.have(evolve(server.master, secret=bytes(48)))
    return server.finish()


@refused(Reason.UNEXPECTED_CHANGE_CIPHER_SPEC)
def test_promise_without_ticket_in_a_resumption() -> HostileServer12:
    return resuming(ticket=TICKET).say_hello().change_cipher_spec()


@refused(Reason.UNEXPECTED_MESSAGE)
def test_ticket_without_promise_in_a_resumption() -> HostileServer12:
    server = resuming().say_hello()
    server.ticket = TICKET
    return server.say_ticket()


@refused(Reason.UNEXPECTED_MESSAGE)
def test_two_tickets_in_a_resumption() -> HostileServer12:
    return resuming({NewSessionTicket: lambda m: (m, m)}, ticket=TICKET).complete()


@refused(Reason.UNEXPECTED_MESSAGE)
def test_a_ticket_after_change_cipher_spec() -> HostileServer12:
    """It is never protected in its own handshake (RFC 5077 section 3.3)."""
    server = resuming().say_hello().change_cipher_spec()
    server.ticket = TICKET
    return server.say_ticket()


@refused(Reason.UNEXPECTED_MESSAGE)
def test_finished_in_clear_in_a_resumption() -> HostileServer12:
    return resuming().say_hello().say_finished()


@refused(Reason.UNEXPECTED_MESSAGE)
def test_data_before_finished_in_a_resumption() -> HostileServer12:
    server = resuming().say_hello().change_cipher_spec()
    server.send(APPLICATION_DATA, b"too early")
    return server


def test_a_promise_is_taken_back_in_a_resumption() -> None:
    """The old ticket stays what it was."""
    server = resuming(ticket=NewSessionTicket(0, b"")).complete()
    server.assert_alive()
    assert server.victim.resumed
    assert tickets_of(server) == []


def test_a_renewed_ticket_is_not_reported_before_finished_is_right() -> None:
    server = resuming({Finished: changed(verify_data=bytes(12))}, ticket=TICKET).complete()
    server.assert_refused(Reason.BAD_FINISHED)
    assert tickets_of(server) == []


@pytest.mark.parametrize("session_id", [b"", bytes(31), bytes(range(1, 33))])
def test_another_session_id_is_another_session(session_id: bytes) -> None:
    """RFC 5246 section 7.4.1.3, RFC 5077 section 3.4: a full handshake."""
    server = resuming({ServerHello: changed(session_id=session_id)} if session_id else {})
    server.resumes = None
    server.complete().assert_alive()
    assert not server.victim.resumed


# --- Certificate -------------------------------------------------------------------------------------------------


def without_certificate(**options: Any) -> Callable[[], HostileServer12]:
    return lambda: HostileServer12(**options)


CERTIFICATES = [
    case("empty chain", Reason.NO_SERVER_CERTIFICATE, changed(certificates=())),
    case("too long a chain", Reason.MESSAGE_TOO_LARGE, lambda m: evolve(m, certificates=m.certificates * 11)),
    case("not DER", Reason.CERTIFICATE_MALFORMED, changed(certificates=(b"not DER",))),
    case("of an RSA key", Reason.ILLEGAL_VALUE, lambda m: Certificate(server_credential("rsa").chain)),
    case("left out", Reason.UNEXPECTED_MESSAGE, lambda m: None),
    case("twice", Reason.UNEXPECTED_MESSAGE, lambda m: (m, m)),
    case("of TLS 1.3", Reason.MALFORMED_MESSAGE, lambda m: raw_message(11, b"\0" + m.encode()[4:])),
    case("an empty one in it", Reason.MALFORMED_MESSAGE, lambda m: raw_message(11, b"\0\0\3\0\0\0")),
    case("with its status", Reason.UNEXPECTED_MESSAGE, lambda m: (m, CertificateStatus(b"response"))),
]


@pytest.mark.parametrize(("edit", "reason"), CERTIFICATES)
def test_certificate_is_refused(edit: Callable[[Certificate], object], reason: Reason) -> None:
    HostileServer12(edits={Certificate: edit}).serve().assert_refused(reason)


def stranger() -> Credential:
    return credential_of(new_authority("another").issue("server.example"))


def for_another_name() -> Credential:
    return credential_of(authority().issue("other.example"))


CREDENTIALS = [
    case("unknown authority", Reason.CERTIFICATE_UNTRUSTED, stranger),
    case("expired", Reason.CERTIFICATE_EXPIRED, expired_credential),
    case("not yet valid", Reason.CERTIFICATE_EXPIRED, premature_credential),
    case("another name", Reason.CERTIFICATE_NAME_MISMATCH, for_another_name),
]


@pytest.mark.parametrize(("credential", "reason"), CREDENTIALS)
def test_credential_is_refused(credential: Callable[[], Credential], reason: Reason) -> None:
    HostileServer12(credential=credential()).serve().assert_refused(reason)


# --- ServerKeyExchange -------------------------------------------------------------------------------------------

OFF_THE_CURVE = b"\x04" + bytes(31) + b"\x01" + bytes(31) + b"\x01"
COMPRESSED = b"\x02" + bytes(31) + b"\x01"


def explicit_curve(message: ServerKeyExchange) -> bytes:
    return raw_message(HandshakeType.SERVER_KEY_EXCHANGE, b"\x01" + message.encode()[5:])


UNSIGNED = [
    case("a curve of its own", Reason.ILLEGAL_VALUE, explicit_curve),
    case("another scheme", Reason.UNOFFERED_SIGNATURE_SCHEME, changed(scheme=0x0203)),
    case("a scheme of TLS 1.3", Reason.UNOFFERED_SIGNATURE_SCHEME, changed(scheme=SignatureScheme.MLDSA44)),
    case("a scheme for RSA", Reason.ILLEGAL_VALUE, changed(scheme=SignatureScheme.RSA_PKCS1_SHA256)),
    case("a scheme for Ed25519", Reason.ILLEGAL_VALUE, changed(scheme=SignatureScheme.ED25519)),
    case("another hash", Reason.BAD_SIGNATURE, changed(scheme=SignatureScheme.ECDSA_SECP384R1_SHA384)),
    case("no signature", Reason.BAD_SIGNATURE, changed(signature=b"")),
    case("not a signature", Reason.BAD_SIGNATURE, changed(signature=bytes(70))),
    case("another share than the signed", Reason.BAD_SIGNATURE, changed(public=bytes(32))),
    case("no share at all", Reason.MALFORMED_MESSAGE, changed(public=b"")),
    case("left out of the flight", Reason.UNEXPECTED_MESSAGE, lambda m: None),
    case("sent twice", Reason.UNEXPECTED_MESSAGE, lambda m: (m, m)),
    case(
        "with something behind it", Reason.MALFORMED_MESSAGE, lambda m: raw_message(12, m.encode()[4:] + b"x")
    ),
]


@pytest.mark.parametrize(("edit", "reason"), UNSIGNED)
def test_exchange_is_refused(edit: Callable[[ServerKeyExchange], object], reason: Reason) -> None:
    HostileServer12(edits={ServerKeyExchange: edit}).serve().assert_refused(reason)


SIGNED = [
    case("a group that was not offered", Reason.UNOFFERED_GROUP, {"group": NamedGroup.SECP384R1}),
    case("a group of TLS 1.3", Reason.UNOFFERED_GROUP, {"group": NamedGroup.X25519_MLKEM768}),
    case("a group that is none", Reason.UNOFFERED_GROUP, {"group": 0x2A2A}),
    case("a point off the curve", Reason.BAD_KEY_SHARE, {"group": 0x17, "public": OFF_THE_CURVE}),
    case("a compressed point", Reason.BAD_KEY_SHARE, {"group": 0x17, "public": COMPRESSED}),
    case("the point at infinity", Reason.BAD_KEY_SHARE, {"group": 0x17, "public": b"\0"}),
    case("a point in hybrid form", Reason.BAD_KEY_SHARE, {"group": 0x17, "public": b"\x06" + bytes(64)}),
    case("a point too short", Reason.BAD_KEY_SHARE, {"group": 0x17, "public": OFF_THE_CURVE[:-1]}),
    case("a point too long", Reason.BAD_KEY_SHARE, {"group": 0x17, "public": OFF_THE_CURVE + b"\0"}),
    case("a share of another group", Reason.BAD_KEY_SHARE, {"group": 0x17, "public": bytes(32)}),
    case("a share of small order", Reason.BAD_KEY_SHARE, {"public": bytes(32)}),
    case("a share too short", Reason.BAD_KEY_SHARE, {"public": bytes(31)}),
]


@pytest.mark.parametrize(("fields", "reason"), SIGNED)
def test_signed_exchange_is_refused(fields: dict[str, Any], reason: Reason) -> None:
    """Even if the signature is right."""
    server = HostileServer12()

    def sign(message: ServerKeyExchange) -> ServerKeyExchange:
        message = evolve(message, **fields)
        return evolve(message, signature=server.signature(message))

    server.edits = {ServerKeyExchange: sign}
    server.serve().assert_refused(reason)


@refused(Reason.BAD_SIGNATURE)
def test_signature_by_another_key() -> HostileServer12:
    server = HostileServer12().say_hello().say_certificate()
    server.credential = stranger()
    return server.say_exchange()


@refused(Reason.BAD_SIGNATURE)
def test_signature_of_another_connection() -> HostileServer12:
    """The randoms are signed: what a server once said cannot be said again."""
    said = HostileServer12().serve().transcript.messages[3]
    return HostileServer12(edits={ServerKeyExchange: lambda _: said}).serve()


def test_any_ecdsa_scheme_goes_with_any_curve() -> None:
    """In TLS 1.2 the scheme names a hash only."""
    server = HostileServer12(scheme=SignatureScheme.ECDSA_SECP384R1_SHA384).complete()
    server.assert_alive()


# --- CertificateRequest and ServerHelloDone ----------------------------------------------------------------------

REQUESTS = [
    case("no types", Reason.MALFORMED_MESSAGE, lambda m: raw_message(13, b"\0\0\2\4\3\0\0")),
    case("no schemes", Reason.MALFORMED_MESSAGE, changed(schemes=())),
    case("half a scheme", Reason.MALFORMED_MESSAGE, lambda m: raw_message(13, b"\1\x40\0\3\4\3\4\0\0")),
    case("an empty authority", Reason.MALFORMED_MESSAGE, changed(authorities=(b"",))),
    case("asked twice", Reason.UNEXPECTED_MESSAGE, lambda m: (m, m)),
]


@pytest.mark.parametrize(("edit", "reason"), REQUESTS)
def test_request_is_refused(edit: Callable[[CertificateRequest], object], reason: Reason) -> None:
    HostileServer12(edits={CertificateRequest: edit}, request=REQUEST).serve().assert_refused(reason)


DONE = [
    case("a full ServerHelloDone", Reason.MALFORMED_MESSAGE, lambda m: raw_message(14, b"x")),
    case("TLS 1.3's instead", Reason.UNEXPECTED_MESSAGE, lambda m: EncryptedExtensions(())),
    case("never done", Reason.UNEXPECTED_CHANGE_CIPHER_SPEC, lambda m: None),
]


@pytest.mark.parametrize(("edit", "reason"), DONE)
def test_done_is_refused(edit: Callable[[ServerHelloDone], object], reason: Reason) -> None:
    server = HostileServer12(edits={ServerHelloDone: edit}).serve()
    if not server.over:
        server.send(CHANGE_CIPHER_SPEC, b"\x01")
    server.assert_refused(reason)


@pytest.mark.parametrize("message", [REQUEST, ServerHelloDone(), HelloRequest(), Certificate(())])
def test_after_the_flight(message: Any) -> None:
    """Only a ticket, if there was a promise; what asks for a handshake asks for what is under way."""
    server = HostileServer12().serve().listen()
    server.send_message(message)
    if isinstance(message, HelloRequest):
        server.finish().assert_alive()
    else:
        server.assert_refused(Reason.UNEXPECTED_MESSAGE)


# --- tickets -----------------------------------------------------------------------------------------------------


def tickets_of(server: HostileServer12) -> list[Any]:
    return [event.session for event in server.events if isinstance(event, TicketReceived)]


@refused(Reason.UNEXPECTED_MESSAGE)
def test_ticket_without_promise() -> HostileServer12:
    server = HostileServer12().serve().listen()
    server.ticket = TICKET
    return server.say_ticket()


@refused(Reason.UNEXPECTED_CHANGE_CIPHER_SPEC)
def test_promise_without_ticket() -> HostileServer12:
    server = HostileServer12(ticket=TICKET).serve().listen()
    return server.change_cipher_spec()


@refused(Reason.UNEXPECTED_MESSAGE)
def test_two_tickets() -> HostileServer12:
    return HostileServer12(edits={NewSessionTicket: lambda m: (m, m)}, ticket=TICKET).complete()


@refused(Reason.UNEXPECTED_MESSAGE)
def test_ticket_after_the_handshake() -> HostileServer12:
    server = HostileServer12().complete()
    server.send_message(TICKET)
    return server


@refused(Reason.MALFORMED_MESSAGE)
def test_ticket_of_tls13() -> HostileServer12:
    edits = {NewSessionTicket: lambda _: raw_message(4, bytes(8) + b"\1\0" + b"\0\1x" + b"\0\0")}
    return HostileServer12(edits=edits, ticket=TICKET).complete()


def test_a_promise_is_taken_back() -> None:
    server = HostileServer12(ticket=NewSessionTicket(0, b"")).complete()
    server.assert_alive()
    assert tickets_of(server) == []


def test_a_promise_is_taken_back_and_there_is_an_id() -> None:
    server = HostileServer12(ticket=NewSessionTicket(0, b""), session_id=b"id").complete()
    (session,) = tickets_of(server)
    assert (session.session_id, session.ticket) == (b"id", b"")


def test_a_ticket_makes_the_id_void() -> None:
    (session,) = tickets_of(HostileServer12(ticket=TICKET, session_id=b"id").complete())
    assert (session.session_id, session.ticket) == (b"", b"ticket")


def test_no_ticket_is_reported_before_finished_is_right() -> None:
    server = HostileServer12(edits={Finished: lambda m: Finished(bytes(12))}, ticket=TICKET).complete()
    server.assert_refused(Reason.BAD_FINISHED)
    assert tickets_of(server) == []
    assert not any(isinstance(event, HandshakeCompleted) for event in server.events)


# --- change_cipher_spec and Finished -----------------------------------------------------------------------------


@refused(Reason.UNEXPECTED_CHANGE_CIPHER_SPEC)
def test_change_cipher_spec_before_the_hello() -> HostileServer12:
    """In TLS 1.3 it would be dropped, so it is only refused when it turns out not to be."""
    server = HostileServer12()
    server.send(CHANGE_CIPHER_SPEC, b"\x01")
    server.assert_alive()
    return server.say_hello()


EARLY: list[Callable[[HostileServer12], object]] = [
    HostileServer12.say_hello,
    HostileServer12.say_certificate,
    HostileServer12.say_exchange,
    HostileServer12.say_request,
]


@pytest.mark.parametrize("number", range(1, 5))
@refused(Reason.UNEXPECTED_CHANGE_CIPHER_SPEC)
def test_change_cipher_spec_too_early(number: int) -> HostileServer12:
    """CVE-2014-0224 began like this."""
    server = HostileServer12(request=REQUEST)
    for step in EARLY[:number]:
        step(server)
    server.send(CHANGE_CIPHER_SPEC, b"\x01")
    return server


@refused(Reason.UNEXPECTED_CHANGE_CIPHER_SPEC)
def test_change_cipher_spec_twice() -> HostileServer12:
    server = HostileServer12().serve().listen().change_cipher_spec()
    server.send(CHANGE_CIPHER_SPEC, b"\x01")
    return server


@refused(Reason.BAD_RECORD_MAC)
def test_change_cipher_spec_twice_in_clear() -> HostileServer12:
    server = HostileServer12().serve().listen().change_cipher_spec()
    server.sealer = None
    server.send(CHANGE_CIPHER_SPEC, b"\x01")
    return server


@refused(Reason.UNEXPECTED_CHANGE_CIPHER_SPEC)
def test_change_cipher_spec_after_the_handshake() -> HostileServer12:
    server = HostileServer12().complete()
    server.send(CHANGE_CIPHER_SPEC, b"\x01")
    return server


@pytest.mark.parametrize("content", [b"\0", b"\2", b"\1\1"])
@refused(Reason.UNEXPECTED_CHANGE_CIPHER_SPEC)
def test_another_change_cipher_spec(content: bytes) -> HostileServer12:
    return HostileServer12().serve().listen().change_cipher_spec(content)


@refused(Reason.UNEXPECTED_MESSAGE)
def test_change_cipher_spec_amid_a_message() -> HostileServer12:
    server = HostileServer12(ticket=TICKET).serve().listen()
    server.send_message(TICKET.encode()[:5])
    server.send(CHANGE_CIPHER_SPEC, b"\x01")
    return server


@refused(Reason.UNEXPECTED_MESSAGE)
def test_change_cipher_spec_amid_a_hello_request() -> HostileServer12:
    """Of which one byte is enough for what comes after it to be read otherwise."""
    server = HostileServer12().serve().listen()
    server.send_message(b"\0")
    return server.change_cipher_spec()


@refused(Reason.EMPTY_RECORD)
def test_an_empty_change_cipher_spec() -> HostileServer12:
    return HostileServer12().serve().listen().change_cipher_spec(b"")


@refused(Reason.UNEXPECTED_MESSAGE)
def test_finished_in_clear() -> HostileServer12:
    return HostileServer12().serve().listen().say_finished()


@refused(Reason.BAD_RECORD_MAC)
def test_finished_in_clear_after_change_cipher_spec() -> HostileServer12:
    server = HostileServer12().serve().listen().change_cipher_spec()
    server.sealer = None
    return server.say_finished()


@refused(Reason.UNEXPECTED_MESSAGE)
def test_another_message_in_the_place_of_finished() -> HostileServer12:
    return HostileServer12(edits={Finished: lambda _: ServerHelloDone()}).complete()


FINISHED = [
    case("zeros", Reason.BAD_FINISHED, changed(verify_data=bytes(12))),
    case(
        "one bit",
        Reason.BAD_FINISHED,
        lambda m: Finished(flipped(m.verify_data)),
    ),
    case("of TLS 1.3's length", Reason.MALFORMED_MESSAGE, changed(verify_data=bytes(32))),
    case("one byte short", Reason.MALFORMED_MESSAGE, lambda m: raw_message(20, m.verify_data[1:])),
    case("one byte more", Reason.MALFORMED_MESSAGE, lambda m: raw_message(20, m.verify_data + b"x")),
    case("nothing in it", Reason.MALFORMED_MESSAGE, lambda m: raw_message(20, b"")),
]


@pytest.mark.parametrize(("edit", "reason"), FINISHED)
def test_finished_is_refused(edit: Callable[[Finished], object], reason: Reason) -> None:
    HostileServer12(edits={Finished: edit}).complete().assert_refused(reason)


@refused(Reason.BAD_FINISHED)
def test_our_finished_comes_back() -> HostileServer12:
    server = HostileServer12().serve().listen()
    ours = server.heard[-1]
    server.edits = {Finished: lambda _: ours}
    return server.finish()


@refused(Reason.BAD_FINISHED)
def test_an_altered_message_is_found_by_finished() -> HostileServer12:
    """Somebody in the middle took a suite out of the hello; only the Finished knows."""
    server = HostileServer12().serve().listen()
    hello = evolve(server.hello, cipher_suites=server.hello.cipher_suites[:1])
    server.transcript = (
        evolve(server.transcript, messages=(hello.encode(), *server.transcript.messages[1:]))
        .with_hash("sha384")
        .with_hash("sha256")
    )
    return server.finish()


# --- HelloRequest ------------------------------------------------------------------------------------------------


def test_hello_requests_during_the_handshake_are_ignored() -> None:
    server = HostileServer12(ticket=TICKET, request=REQUEST).say_hello()
    for step in (
        server.say_certificate,
        server.say_exchange,
        server.say_request,
        server.say_done,
        server.listen,
        server.say_ticket,
        server.change_cipher_spec,
    ):
        server.send_message(HelloRequest())
        step()
    server.send_message(HelloRequest())
    server.say_finished().assert_alive()
    assert server.victim.state == "tls12.ClientConnected"


def asked_before_the_hello(versions: tuple[int, ...] = BOTH) -> HostileServer12:
    server = HostileServer12(client12(versions=versions))
    server.send_message(HelloRequest())
    return server


@pytest.mark.parametrize("versions", [BOTH, BOTH[1:]])
def test_a_hello_request_that_crosses_our_hello_is_ignored(versions: tuple[int, ...]) -> None:
    server = asked_before_the_hello(versions).complete()
    server.assert_alive()
    assert server.victim.state == "tls12.ClientConnected"


@refused(Reason.UNEXPECTED_MESSAGE)
def test_a_hello_request_to_a_client_of_tls13() -> HostileServer12:
    return asked_before_the_hello(BOTH[:1])


@pytest.mark.parametrize("after_the_hello", [True, False])
@refused(Reason.RENEGOTIATION)
def test_endless_hello_requests_during_the_handshake(after_the_hello: bool) -> HostileServer12:
    server = HostileServer12()
    if after_the_hello:
        server.say_hello()
    for _ in range(33):
        server.send_message(HelloRequest())
    return server


@refused(Reason.MALFORMED_MESSAGE)
def test_a_hello_request_with_content() -> HostileServer12:
    server = HostileServer12().say_hello()
    server.send_message(raw_message(0, b"x"))
    return server
