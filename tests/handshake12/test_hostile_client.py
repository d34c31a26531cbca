"""Servers of ours against TLS 1.2 clients that do everything wrong, one thing at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve

from sansticket.codes import (
    AlertDescription,
    CipherSuite,
    NamedGroup,
    ProtocolVersion,
    SignatureScheme,
)
from sansticket.config.choices import ClientAuthentication
from sansticket.config.server import ServerConfig
from sansticket.crypto.certificates import Credential
from sansticket.errors import Reason
from sansticket.events import HandshakeCompleted, TicketIssued
from sansticket.record.tls12 import Sealer
from sansticket.tickets.stores.cache import SessionCache
from sansticket.wire.extensions.base import UnknownExtension
from sansticket.wire.extensions.key_exchange import SupportedGroups
from sansticket.wire.extensions.negotiation import (
    ApplicationProtocols,
    MaxFragmentLength,
    RecordSizeLimit,
    ServerNameList,
    SignatureAlgorithms,
    SupportedVersions,
)
from sansticket.wire.extensions.tls12 import (
    EcPointFormats,
    ExtendedMasterSecret,
    RenegotiationInfo,
    SessionTicketExtension,
)
from sansticket.wire.messages.hello import ClientHello, HelloRequest, ServerHello
from sansticket.wire.messages.tls12 import (
    Certificate,
    ClientKeyExchange,
    NewSessionTicket,
    ServerHelloDone,
)
from sansticket.wire.messages.tls13 import CertificateVerify, Finished
from tests.support.certificates import new_authority
from tests.support.credentials import anchors, client_credential, credential_of, server_credential
from tests.support.hostile import APPLICATION_DATA, CHANGE_CIPHER_SPEC, raw_message
from tests.support.hostile12 import (
    SUITE,
    HostileClient12,
    changed,
    lacking,
    server12,
    session_of12,
    session_without_secret12,
    with_,
)
from tests.support.refusals import case, refused

BOTH = (ProtocolVersion.TLS_1_3, ProtocolVersion.TLS_1_2)
FALLBACK = CipherSuite.FALLBACK_SCSV
SCSV = CipherSuite.EMPTY_RENEGOTIATION_INFO_SCSV


def asking(mode: ClientAuthentication = ClientAuthentication.REQUIRED, **changes: Any) -> ServerConfig:
    """A server that asks for certificates."""
    return server12(client_authentication=mode, trust_anchors=anchors(), **changes)


def with_long_session_id(hello: ClientHello) -> bytes:
    raw = evolve(hello, session_id=bytes(32)).encode()
    return raw_message(1, raw[4:38] + b"\x21" + bytes(33) + raw[71:])


def with_signal_and_renegotiation(hello: ClientHello) -> ClientHello:
    """RFC 5746 section 3.6: the suite says the same as an empty extension, and does not make up for another."""
    hello = evolve(hello, cipher_suites=(*hello.cipher_suites, SCSV))
    renegotiating: ClientHello = with_(RenegotiationInfo(bytes(12)))(hello)
    return renegotiating


# --- ClientHello -------------------------------------------------------------------------------------------------

HELLOS = [
    case("TLS 1.1", Reason.UNSUPPORTED_VERSION, changed(legacy_version=0x0302)),
    case("TLS 1.0", Reason.UNSUPPORTED_VERSION, changed(legacy_version=0x0301)),
    case("SSL 3.0", Reason.UNSUPPORTED_VERSION, changed(legacy_version=0x0300)),
    case(
        "SSL 3.0 beside supported_versions",
        Reason.UNSUPPORTED_VERSION,
        lambda m: evolve(m, extensions=(*m.extensions, SupportedVersions((0x0303,))), legacy_version=0x0300),
    ),
    case("only older versions", Reason.UNSUPPORTED_VERSION, with_(SupportedVersions((0x0302, 0x0301)))),
    case("only newer versions", Reason.UNSUPPORTED_VERSION, with_(SupportedVersions((0x0305, 0x2A2A)))),
    case("session id too long", Reason.MALFORMED_MESSAGE, with_long_session_id),
    case("record_size_limit below 64", Reason.ILLEGAL_VALUE, with_(RecordSizeLimit(63))),
    case("record_size_limit of one byte", Reason.MALFORMED_MESSAGE, with_(UnknownExtension(28, b"\x40"))),
    case("max_fragment_length 5", Reason.ILLEGAL_VALUE, with_(MaxFragmentLength(5))),
    case("compression alone", Reason.ILLEGAL_VALUE, changed(compression_methods=b"\x01")),
    case("no compression method", Reason.MALFORMED_MESSAGE, changed(compression_methods=b"")),
    case("compressed points alone", Reason.ILLEGAL_VALUE, with_(EcPointFormats(b"\x01\x02"))),
    case("no point formats", Reason.MALFORMED_MESSAGE, with_(EcPointFormats(b""))),
    case("renegotiation", Reason.RENEGOTIATION_INFO_MISMATCH, with_(RenegotiationInfo(bytes(12)))),
    case("no common suite", Reason.NO_COMMON_CIPHER_SUITE, changed(cipher_suites=(0x002F, 0xC013))),
    case("a suite of TLS 1.3", Reason.NO_COMMON_CIPHER_SUITE, changed(cipher_suites=(0x1301,))),
    case("a suite for RSA", Reason.NO_CREDENTIAL, changed(cipher_suites=(0xC02F, 0xC030))),
    case("no suite", Reason.MALFORMED_MESSAGE, changed(cipher_suites=())),
    case("no common group", Reason.NO_COMMON_GROUP, with_(SupportedGroups((NamedGroup.SECP521R1, 0x0100)))),
    case("a group of TLS 1.3", Reason.NO_COMMON_GROUP, with_(SupportedGroups((NamedGroup.X25519_MLKEM768,)))),
    case("another curve of the key", Reason.NO_COMMON_SIGNATURE_SCHEME, with_(SupportedGroups((29,)))),
    case("no schemes", Reason.NO_COMMON_SIGNATURE_SCHEME, lacking(SignatureAlgorithms)),
    case("SHA-1", Reason.NO_COMMON_SIGNATURE_SCHEME, with_(SignatureAlgorithms((0x0203, 0x0201)))),
    case("RSA schemes", Reason.NO_COMMON_SIGNATURE_SCHEME, with_(SignatureAlgorithms((0x0401, 0x0804)))),
    case("an empty list of groups", Reason.MALFORMED_MESSAGE, with_(SupportedGroups(()))),
    case("an empty list of schemes", Reason.MALFORMED_MESSAGE, with_(SignatureAlgorithms(()))),
    case("half a renegotiation_info", Reason.MALFORMED_MESSAGE, with_(UnknownExtension(0xFF01, b"\x01"))),
    case("the signal too", Reason.RENEGOTIATION_INFO_MISMATCH, with_signal_and_renegotiation),
    case("no common protocol", Reason.NO_COMMON_APPLICATION_PROTOCOL, with_(ApplicationProtocols((b"h3",)))),
    case("a name that is none", Reason.ILLEGAL_VALUE, with_(ServerNameList(b"\xc3\xa9.example"))),
    case(
        "the same extension twice",
        Reason.DUPLICATE_EXTENSION,
        lambda m: evolve(m, extensions=(*m.extensions, ExtendedMasterSecret())),
    ),
    case("an acknowledgment", Reason.MALFORMED_MESSAGE, with_(UnknownExtension(23, b"x"))),
]


@pytest.mark.parametrize(("edit", "reason"), HELLOS)
def test_hello_is_refused(edit: Callable[[ClientHello], object], reason: Reason) -> None:
    config = server12(alpn_protocols=[b"h2"])
    HostileClient12(config, {ClientHello: edit}).say_hello().assert_refused(reason)


@refused(Reason.MISSING_EXTENDED_MASTER_SECRET)
def test_no_extended_master_secret_where_it_is_required() -> HostileClient12:
    config = server12(require_extended_master_secret=True)
    return HostileClient12(config, {ClientHello: lacking(ExtendedMasterSecret)}).say_hello()


@refused(Reason.INAPPROPRIATE_FALLBACK)
def test_fallback_from_tls13() -> HostileClient12:
    return HostileClient12(server12(versions=BOTH), suites=(SUITE, FALLBACK)).say_hello()


@refused(Reason.INAPPROPRIATE_FALLBACK)
def test_fallback_below_what_we_have() -> HostileClient12:
    edits = {ClientHello: changed(legacy_version=0x0302)}
    return HostileClient12(edits=edits, suites=(SUITE, FALLBACK)).say_hello()


@refused(Reason.UNSUPPORTED_VERSION)
def test_fallback_to_more_than_we_have() -> HostileClient12:
    """RFC 7507 section 3: only where ours is the higher version."""
    edits = {ClientHello: with_(SupportedVersions((0x2A2A, 0x0304)))}
    return HostileClient12(edits=edits, suites=(SUITE, FALLBACK)).say_hello()


@refused(Reason.INAPPROPRIATE_FALLBACK)
def test_grease_is_no_higher_version() -> HostileClient12:
    edits = {ClientHello: with_(SupportedVersions((0x2A2A, 0x0302)))}
    return HostileClient12(edits=edits, suites=(SUITE, FALLBACK)).say_hello()


def test_fallback_to_what_we_have() -> None:
    HostileClient12(suites=(SUITE, FALLBACK)).complete().assert_alive()


@pytest.mark.parametrize("version", [0x0303, 0x0304, 0x03FF])
def test_without_supported_versions_it_is_tls12(version: int) -> None:
    """RFC 9846 section 4.3.1: whatever legacy_version says beyond that."""
    edits = {ClientHello: changed(legacy_version=version)} if version != 0x0303 else {}
    client = HostileClient12(server12(versions=BOTH), edits).complete()
    client.assert_alive()
    assert client.victim.version == ProtocolVersion.TLS_1_2
    assert client.answer.legacy_version == 0x0303
    assert client.answer.random.endswith(b"DOWNGRD\x01")


def test_supported_versions_counts() -> None:
    edits = {
        ClientHello: lambda m: with_(SupportedVersions((0x2A2A, 0x0303)))(evolve(m, legacy_version=0x0301))
    }
    client = HostileClient12(server12(versions=BOTH), edits).complete()
    client.assert_alive()
    assert client.victim.version == ProtocolVersion.TLS_1_2


def test_a_server_without_tls13_makes_no_signal() -> None:
    assert b"DOWNGRD" not in HostileClient12().complete().answer.random


@pytest.mark.parametrize("methods", [b"\x01\0", b"\0\x01", b"\x40\xff\0"])
def test_compression_methods_with_null(methods: bytes) -> None:
    """RFC 5246 section 7.4.1.2: null must be among them, and is what we take."""
    client = HostileClient12(edits={ClientHello: changed(compression_methods=methods)}).complete()
    client.assert_alive()
    assert client.answer.compression_method == 0


# --- what need not be there --------------------------------------------------------------------------------------

Modest = Callable[[ClientHello], Any]

MODEST: dict[str, tuple[Modest, set[int]]] = {
    "everything": (lambda m: m, {0, 11, 23, 35, 0xFF01}),
    "no name": (lacking(ServerNameList), {11, 23, 35, 0xFF01}),
    "another name": (with_(ServerNameList(b"other.example")), {11, 23, 35, 0xFF01}),
    "no extended master secret": (lacking(ExtendedMasterSecret), {0, 11, 0xFF01}),
    "no point formats": (lacking(EcPointFormats), {0, 23, 35, 0xFF01}),
    "no tickets": (lacking(SessionTicketExtension), {0, 11, 23, 0xFF01}),
    "no renegotiation_info": (lacking(RenegotiationInfo), {0, 11, 23, 35}),
    "the suite for it": (
        lambda m: evolve(lacking(RenegotiationInfo)(m), cipher_suites=(SUITE, SCSV)),
        {0, 11, 23, 35, 0xFF01},
    ),
    "unknown": (with_(UnknownExtension(0x2A2A, b"x")), {0, 11, 23, 35, 0xFF01}),
    "protocols": (with_(ApplicationProtocols((b"h2",))), {0, 11, 23, 35, 0xFF01}),
}


@pytest.mark.parametrize("name", MODEST)
def test_the_server_answers_what_was_said_and_nothing_else(name: str) -> None:
    edit, expected = MODEST[name]
    client = HostileClient12(edits={ClientHello: edit}).complete()
    client.assert_alive()
    assert {extension.type for extension in client.answer.extensions} == expected
    assert client.victim.state == "tls12.ServerConnected"


def test_a_client_that_says_nothing_of_groups_has_p256() -> None:
    client = HostileClient12(edits={ClientHello: lacking(SupportedGroups)}).complete()
    client.assert_alive()
    assert client.victim.group == NamedGroup.SECP256R1


@refused(Reason.NO_COMMON_GROUP)
def test_a_client_that_says_nothing_of_groups_does_not_have_x25519() -> HostileClient12:
    config = server12(groups=[NamedGroup.X25519])
    return HostileClient12(config, {ClientHello: lacking(SupportedGroups)}).say_hello()


def test_a_hello_without_extensions_asks_for_sha1() -> None:
    edits = {ClientHello: changed(extensions=())}
    HostileClient12(edits=edits).say_hello().assert_refused(Reason.NO_COMMON_SIGNATURE_SCHEME)


# --- Certificate -------------------------------------------------------------------------------------------------

CERTIFICATES = [
    case("not DER", Reason.CERTIFICATE_MALFORMED, changed(certificates=(b"not DER",))),
    case("too long a chain", Reason.MESSAGE_TOO_LARGE, lambda m: evolve(m, certificates=m.certificates * 11)),
    case("not there", Reason.UNEXPECTED_MESSAGE, lambda m: None),
    case("there twice", Reason.UNEXPECTED_MESSAGE, lambda m: (m, m)),
    case("of TLS 1.3", Reason.MALFORMED_MESSAGE, lambda m: raw_message(11, b"\0" + m.encode()[4:])),
]


@pytest.mark.parametrize(("edit", "reason"), CERTIFICATES)
@pytest.mark.parametrize("mode", [ClientAuthentication.REQUIRED, ClientAuthentication.OPTIONAL])
def test_certificate_is_refused(
    mode: ClientAuthentication, edit: Callable[[Certificate], object], reason: Reason
) -> None:
    HostileClient12(asking(mode), {Certificate: edit}).begin().answer_flight().assert_refused(reason)


@refused(Reason.CERTIFICATE_REQUIRED, AlertDescription.HANDSHAKE_FAILURE)
def test_no_certificate_where_one_is_required() -> HostileClient12:
    """certificate_required is an alert of TLS 1.3."""
    client = HostileClient12(asking(), {Certificate: changed(certificates=())}).begin()
    return client.say_certificate()


def test_no_certificate_where_none_is_required() -> None:
    edits = {Certificate: changed(certificates=()), CertificateVerify: lambda m: None}
    client = HostileClient12(asking(ClientAuthentication.OPTIONAL), edits).complete()
    client.assert_alive()
    assert client.victim.peer_certificates == ()


@refused(Reason.UNEXPECTED_MESSAGE)
def test_a_certificate_nobody_asked_for() -> HostileClient12:
    return HostileClient12().begin().say_certificate()


@refused(Reason.CERTIFICATE_UNTRUSTED)
def test_a_certificate_of_a_stranger() -> HostileClient12:
    stranger = credential_of(new_authority("another").issue("client.example", client=True))
    return HostileClient12(asking(), credential=stranger).begin().answer_flight()


# --- ClientKeyExchange -------------------------------------------------------------------------------------------

OFF_THE_CURVE = b"\x04" + bytes(31) + b"\x01" + bytes(31) + b"\x01"

SHARES = [
    case("of small order", Reason.BAD_KEY_SHARE, NamedGroup.X25519, changed(public=bytes(32))),
    case("too short", Reason.BAD_KEY_SHARE, NamedGroup.X25519, changed(public=bytes(31))),
    case("too long", Reason.BAD_KEY_SHARE, NamedGroup.X25519, changed(public=bytes(33))),
    case("off the curve", Reason.BAD_KEY_SHARE, NamedGroup.SECP256R1, changed(public=OFF_THE_CURVE)),
    case("infinity", Reason.BAD_KEY_SHARE, NamedGroup.SECP256R1, changed(public=b"\0")),
    case("compressed", Reason.BAD_KEY_SHARE, NamedGroup.SECP256R1, changed(public=b"\x02" + bytes(32))),
    case("of another group", Reason.BAD_KEY_SHARE, NamedGroup.SECP256R1, changed(public=bytes(32))),
    case("nothing", Reason.MALFORMED_MESSAGE, NamedGroup.X25519, changed(public=b"")),
    case("implicit", Reason.MALFORMED_MESSAGE, NamedGroup.X25519, lambda m: raw_message(16, b"")),
    case("more after it", Reason.MALFORMED_MESSAGE, NamedGroup.X25519, lambda m: raw_message(16, b"\1xx")),
    case("another message", Reason.UNEXPECTED_MESSAGE, NamedGroup.X25519, lambda m: ServerHelloDone()),
]


@pytest.mark.parametrize(("group", "edit", "reason"), SHARES)
def test_share_is_refused(group: int, edit: Callable[[ClientKeyExchange], object], reason: Reason) -> None:
    config = server12(groups=[group])
    client = HostileClient12(config, {ClientKeyExchange: edit}, groups=(group, NamedGroup.SECP256R1))
    client.begin().answer_flight().assert_refused(reason)


@refused(Reason.UNEXPECTED_MESSAGE)
def test_two_shares() -> HostileClient12:
    client = HostileClient12().begin().say_exchange()
    client.send_message(ClientKeyExchange(client.share))
    return client


# --- CertificateVerify -------------------------------------------------------------------------------------------

PROOFS = [
    case("other bytes", Reason.BAD_SIGNATURE, changed(signature=bytes(70))),
    case("nothing signed", Reason.BAD_SIGNATURE, changed(signature=b"")),
    case("another hash", Reason.BAD_SIGNATURE, changed(scheme=SignatureScheme.ECDSA_SECP384R1_SHA384)),
    case("SHA-1 of old", Reason.UNOFFERED_SIGNATURE_SCHEME, changed(scheme=0x0203)),
    case("ML-DSA", Reason.UNOFFERED_SIGNATURE_SCHEME, changed(scheme=SignatureScheme.MLDSA65)),
    case("a scheme for RSA", Reason.ILLEGAL_VALUE, changed(scheme=SignatureScheme.RSA_PKCS1_SHA256)),
    case("left out", Reason.UNEXPECTED_CHANGE_CIPHER_SPEC, lambda m: None),
    case("twice", Reason.UNEXPECTED_MESSAGE, lambda m: (m, m)),
]


@pytest.mark.parametrize(("edit", "reason"), PROOFS)
def test_proof_is_refused(edit: Callable[[CertificateVerify], object], reason: Reason) -> None:
    client = HostileClient12(asking(), {CertificateVerify: edit}).begin().answer_flight()
    if not client.over:
        client.change_cipher_spec()
    client.assert_refused(reason)


@refused(Reason.UNEXPECTED_MESSAGE)
def test_a_proof_before_the_share() -> HostileClient12:
    """What it has to cover includes the share (RFC 5246 section 7.4.8)."""
    return HostileClient12(asking()).begin().say_certificate().say_proof()


@refused(Reason.BAD_SIGNATURE)
def test_a_proof_of_another_connection() -> HostileClient12:
    first = HostileClient12(asking()).begin().answer_flight()
    edits = {CertificateVerify: lambda _: first.transcript.messages[-1]}
    return HostileClient12(asking(), edits).begin().answer_flight()


@refused(Reason.BAD_SIGNATURE)
def test_proof_by_another_key() -> HostileClient12:
    client = HostileClient12(asking()).begin().say_certificate().say_exchange()
    client.credential = credential_of(new_authority("another").issue("client.example", client=True))
    return client.say_proof()


@refused(Reason.UNEXPECTED_MESSAGE)
def test_a_proof_of_nothing() -> HostileClient12:
    edits = {Certificate: changed(certificates=())}
    client = HostileClient12(asking(ClientAuthentication.OPTIONAL), edits).begin()
    return client.say_certificate().say_exchange().say_proof()


def proofs() -> list[tuple[Credential, int]]:
    rsa = client_credential("rsa")
    return [
        (client_credential("p384"), SignatureScheme.ECDSA_SECP256R1_SHA256),
        (client_credential("ed25519"), SignatureScheme.ED25519),
        (rsa, SignatureScheme.RSA_PKCS1_SHA256),
        (rsa, SignatureScheme.RSA_PKCS1_SHA512),
        (rsa, SignatureScheme.RSA_PSS_RSAE_SHA384),
    ]


@pytest.mark.parametrize("number", range(5))
def test_any_scheme_that_goes_with_the_key(number: int) -> None:
    credential, scheme = proofs()[number]
    client = HostileClient12(asking(), credential=credential, scheme=scheme).complete()
    client.assert_alive()
    assert client.victim.peer_certificates == credential.chain


# --- resumption --------------------------------------------------------------------------------------------------


def by_id(**changes: Any) -> ServerConfig:
    return server12(ticket_keys=None, session_cache=SessionCache(), **changes)


KINDS = pytest.mark.parametrize("make", [server12, by_id], ids=["by ticket", "by id"])


@KINDS
def test_a_session_is_resumed(make: Callable[..., ServerConfig]) -> None:
    config = make()
    client = HostileClient12(config, shows=session_of12(config)).complete()
    client.assert_alive()
    assert client.victim.resumed
    assert client.resumed
    assert [type(message) for message in client.heard] == [ServerHello, Finished]


@KINDS
def test_a_resumption_acknowledges_no_name(make: Callable[..., ServerConfig]) -> None:
    """RFC 6066 section 3; everything else is answered as in a full handshake."""
    config = make()
    client = HostileClient12(config, shows=session_of12(config)).complete()
    assert {extension.type for extension in client.answer.extensions} == {11, 23, 0xFF01}


def test_a_ticket_without_a_session_id() -> None:
    """RFC 5077 section 3.4: the server takes it, with no id either."""
    config = server12()
    edits = {ClientHello: changed(session_id=b"")}
    client = ClientWithoutId12(config, edits, shows=session_of12(config)).complete()
    client.assert_alive()
    assert client.answer.session_id == b""
    assert client.victim.resumed


class ClientWithoutId12(HostileClient12):
    """Without an id only the server's next message tells whether it took the ticket."""

    @property
    def resumed(self) -> bool:
        return True


@KINDS
@refused(Reason.RENEGOTIATION_INFO_MISMATCH)
def test_a_renegotiation_that_resumes(make: Callable[..., ServerConfig]) -> HostileClient12:
    config = make()
    edits = {ClientHello: with_(RenegotiationInfo(bytes(12)))}
    return HostileClient12(config, edits, shows=session_of12(config)).say_hello()


@KINDS
@refused(Reason.UNEXPECTED_CHANGE_CIPHER_SPEC)
def test_change_cipher_spec_twice_in_a_resumption(make: Callable[..., ServerConfig]) -> HostileClient12:
    config = make()
    client = HostileClient12(config, shows=session_of12(config)).begin().change_cipher_spec()
    client.send(CHANGE_CIPHER_SPEC, b"\x01")
    return client


@KINDS
@refused(Reason.UNEXPECTED_MESSAGE)
def test_data_before_finished_in_a_resumption(make: Callable[..., ServerConfig]) -> HostileClient12:
    config = make()
    client = HostileClient12(config, shows=session_of12(config)).begin().change_cipher_spec()
    client.send(APPLICATION_DATA, b"too early")
    return client


@KINDS
def test_neither_has_extended_master_secret(make: Callable[..., ServerConfig]) -> None:
    """RFC 7627 section 5.3, and a server that requires it does not even go on with a full handshake."""
    config = make()
    edits = {ClientHello: lacking(ExtendedMasterSecret)}
    session = session_without_secret12(config)
    strict = evolve(config, require_extended_master_secret=True)
    client = HostileClient12(strict, edits, shows=session).say_hello()
    client.assert_refused(Reason.MISSING_EXTENDED_MASTER_SECRET)


@KINDS
@refused(Reason.EXTENDED_MASTER_SECRET_CHANGED)
def test_extended_master_secret_dropped(make: Callable[..., ServerConfig]) -> HostileClient12:
    """RFC 7627 section 5.3."""
    config = make()
    edits = {ClientHello: lacking(ExtendedMasterSecret)}
    return HostileClient12(config, edits, shows=session_of12(config)).say_hello()


@KINDS
def test_extended_master_secret_added(make: Callable[..., ServerConfig]) -> None:
    """RFC 7627 section 5.3: a full handshake."""
    config = make()
    session = session_without_secret12(config)
    assert not session.extended_master_secret
    client = HostileClient12(config, shows=session).complete()
    client.assert_alive()
    assert not client.victim.resumed
    assert "extended master secret FAILED (then False, now True)" in account_of(client)


def account_of(client: HostileClient12) -> str:
    """What the server's record says."""
    (done,) = (event for event in client.events if isinstance(event, HandshakeCompleted))
    return str(done.record)


@KINDS
def test_a_session_without_extended_master_secret_is_never_resumed(make: Callable[..., ServerConfig]) -> None:
    config = make()
    edits = {ClientHello: lacking(ExtendedMasterSecret)}
    client = HostileClient12(config, edits, shows=session_without_secret12(config)).complete()
    client.assert_alive()
    assert not client.victim.resumed
    assert "extended master secret FAILED (then False, now False)" in account_of(client)


@KINDS
def test_what_is_never_resumed_may_have_any_suite(make: Callable[..., ServerConfig]) -> None:
    """Nothing would have gone on, so a client that does not offer the suite of such a session has done no wrong."""
    config = make()
    edits = {ClientHello: changed(cipher_suites=(CipherSuite.ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,))}
    client = HostileClient12(config, edits, shows=session_without_secret12(config)).say_hello()
    client.assert_alive()
    assert client.answer.cipher_suite == CipherSuite.ECDHE_ECDSA_WITH_AES_256_GCM_SHA384


@pytest.mark.parametrize(
    "make", [server12, by_id, lambda: server12(session_cache=SessionCache())], ids=["ticket", "id", "both"]
)
@pytest.mark.parametrize("takes_tickets", [True, False])
def test_what_can_never_resume_is_not_issued(make: Callable[..., ServerConfig], takes_tickets: bool) -> None:
    """Without extended master secret: no ticket, no session id, nothing in the cache, and the record says why."""
    config = make()
    edit = lacking(ExtendedMasterSecret)
    edits = {ClientHello: edit if takes_tickets else lambda m: lacking(SessionTicketExtension)(edit(m))}
    client = HostileClient12(config, edits).complete()
    client.assert_alive()
    assert client.tickets == []
    assert client.answer.session_id == b""
    assert client.answer.find(SessionTicketExtension) is None
    assert not any(isinstance(event, TicketIssued) for event in client.events)
    assert config.session_cache is None or len(config.session_cache) == 0
    said = account_of(client)
    assert said.startswith("full handshake, 0 tickets to follow: ")
    assert said.splitlines()[0].endswith("and without extended master secret no session can be resumed")


@KINDS
@refused(Reason.UNOFFERED_CIPHER_SUITE)
def test_the_suite_of_the_session_is_not_offered(make: Callable[..., ServerConfig]) -> HostileClient12:
    """RFC 5246 section 7.4.1.2."""
    config = make()
    session = session_of12(config)
    edits = {ClientHello: changed(cipher_suites=(CipherSuite.ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,))}
    return HostileClient12(config, edits, shows=session).say_hello()


@KINDS
@refused(Reason.BAD_RECORD_MAC)
def test_somebody_elses_session(make: Callable[..., ServerConfig]) -> HostileClient12:
    """Who saw a ticket does not have the secret."""
    config = make()
    client = HostileClient12(config, shows=session_of12(config)).begin()
    guessed = evolve(client.master, secret=bytes(48))
    client.keys = guessed.connection_keys(client.suite, client.hello.random, client.answer.random)
    return client.finish()


@KINDS
@refused(Reason.UNEXPECTED_MESSAGE)
def test_a_share_in_a_resumption(make: Callable[..., ServerConfig]) -> HostileClient12:
    config = make()
    client = HostileClient12(config, shows=session_of12(config)).begin()
    client.send_message(ClientKeyExchange(bytes(32)))
    return client


@KINDS
@refused(Reason.UNEXPECTED_MESSAGE)
def test_finished_in_clear_in_a_resumption(make: Callable[..., ServerConfig]) -> HostileClient12:
    config = make()
    return HostileClient12(config, shows=session_of12(config)).begin().say_finished()


# --- change_cipher_spec and Finished -----------------------------------------------------------------------------


@refused(Reason.UNEXPECTED_CHANGE_CIPHER_SPEC)
def test_change_cipher_spec_first_of_all() -> HostileClient12:
    client = HostileClient12()
    client.send(CHANGE_CIPHER_SPEC, b"\x01")
    return client


@pytest.mark.parametrize("number", range(3))
@refused(Reason.UNEXPECTED_CHANGE_CIPHER_SPEC)
def test_change_cipher_spec_too_early(number: int) -> HostileClient12:
    """CVE-2014-0224."""
    client = HostileClient12(asking()).begin()
    for step in (client.say_certificate, client.say_exchange)[:number]:
        step()
    client.send(CHANGE_CIPHER_SPEC, b"\x01")
    return client


@refused(Reason.UNEXPECTED_CHANGE_CIPHER_SPEC)
def test_change_cipher_spec_twice() -> HostileClient12:
    client = HostileClient12().begin().answer_flight().change_cipher_spec()
    client.send(CHANGE_CIPHER_SPEC, b"\x01")
    return client


@refused(Reason.UNEXPECTED_CHANGE_CIPHER_SPEC)
def test_change_cipher_spec_after_the_handshake() -> HostileClient12:
    client = HostileClient12().complete()
    client.send(CHANGE_CIPHER_SPEC, b"\x01")
    return client


@pytest.mark.parametrize("content", [b"\0", b"\2", b"\1\1"])
@refused(Reason.UNEXPECTED_CHANGE_CIPHER_SPEC)
def test_another_change_cipher_spec(content: bytes) -> HostileClient12:
    return HostileClient12().begin().answer_flight().change_cipher_spec(content)


@refused(Reason.UNEXPECTED_MESSAGE)
def test_change_cipher_spec_amid_a_message() -> HostileClient12:
    client = HostileClient12().begin()
    client.send_message(ClientKeyExchange(client.share).encode()[:5])
    client.send(CHANGE_CIPHER_SPEC, b"\x01")
    return client


@refused(Reason.EMPTY_RECORD)
def test_an_empty_change_cipher_spec() -> HostileClient12:
    return HostileClient12().begin().answer_flight().change_cipher_spec(b"")


@refused(Reason.UNEXPECTED_MESSAGE)
def test_change_cipher_spec_missing() -> HostileClient12:
    """A protected Finished is no handshake message to those who read it as one."""
    client = HostileClient12().begin().answer_flight()
    client.sealer = Sealer(client.suite, client.keys.client)
    return client.say_finished()


@refused(Reason.UNEXPECTED_MESSAGE)
def test_change_cipher_spec_amid_finished() -> HostileClient12:
    client = HostileClient12().begin().answer_flight()
    client.send_message(b"\x14")
    if not client.over:
        client.change_cipher_spec()
    return client


@refused(Reason.UNEXPECTED_MESSAGE)
def test_finished_in_clear() -> HostileClient12:
    return HostileClient12().begin().answer_flight().say_finished()


@refused(Reason.BAD_RECORD_MAC)
def test_finished_in_clear_after_change_cipher_spec() -> HostileClient12:
    client = HostileClient12().begin().answer_flight().change_cipher_spec()
    client.sealer = None
    return client.say_finished()


FINISHED = [
    case("zeros", Reason.BAD_FINISHED, changed(verify_data=bytes(12))),
    case("of another length", Reason.MALFORMED_MESSAGE, changed(verify_data=bytes(48))),
    case("one byte short", Reason.MALFORMED_MESSAGE, lambda m: raw_message(20, m.verify_data[1:])),
    case("another message", Reason.UNEXPECTED_MESSAGE, lambda m: ClientKeyExchange(bytes(32))),
]


@pytest.mark.parametrize(("edit", "reason"), FINISHED)
def test_finished_is_refused(edit: Callable[[Finished], object], reason: Reason) -> None:
    client = HostileClient12(edits={Finished: edit}).complete()
    client.assert_refused(reason)
    assert not any(isinstance(event, HandshakeCompleted) for event in client.events)
    assert client.tickets == []


@refused(Reason.BAD_FINISHED)
def test_the_servers_finished_comes_back() -> HostileClient12:
    config = server12()
    client = HostileClient12(config, shows=session_of12(config)).begin()
    client.edits = {Finished: lambda _: client.heard[-1]}
    return client.finish()


# --- messages at the wrong time ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "message", [ServerHelloDone(), HelloRequest(), NewSessionTicket(0, b"x"), Certificate(())]
)
@pytest.mark.parametrize("moment", ["in the handshake", "connected"])
def test_what_only_servers_say(message: Any, moment: str) -> None:
    client = HostileClient12().begin() if moment == "in the handshake" else HostileClient12().complete()
    client.send_message(message)
    client.assert_refused(Reason.UNEXPECTED_MESSAGE)


@refused(Reason.UNEXPECTED_MESSAGE)
def test_a_second_hello_in_the_handshake() -> HostileClient12:
    client = HostileClient12().begin()
    client.send_message(client.hello)
    return client


@refused(Reason.NO_CREDENTIAL)
def test_certificate_of_another_kind() -> HostileClient12:
    return HostileClient12(server12(credentials=[server_credential("rsa")])).say_hello()
