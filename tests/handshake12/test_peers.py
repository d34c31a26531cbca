"""TLS 1.2 with other implementations, in both roles: algorithms, certificates, names, protocols, and the end."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from typing import Any, Final

import pytest

from sansticket.codes import (
    AlertDescription,
    CipherSuite,
    NamedGroup,
    ProtocolVersion,
    SignatureScheme,
)
from sansticket.commands import Close
from sansticket.config.choices import ClientAuthentication
from sansticket.config.defaults import DEFAULT_CIPHER_SUITES, DEFAULT_GROUPS, TLS_1_3_ONLY_GROUPS
from sansticket.crypto.certificates import Credential
from sansticket.errors import LocalProtocolError, Reason
from sansticket.events import (
    ConnectionTerminated,
    HandshakeCompleted,
    PeerClosed,
    TicketIssued,
    TicketReceived,
)
from sansticket.tickets.stores.cache import SessionCache
from sansticket.wire.messages.hello import ClientHello, ServerHello
from sansticket.wire.messages.tls12 import CertificateRequest, ServerKeyExchange
from sansticket.wire.messages.tls13 import CertificateVerify
from tests.support.certificates import authority, client_identity, new_authority, server_identity
from tests.support.configs import server_config
from tests.support.credentials import anchors, client_credential, server_credential
from tests.support.foreign import FOREIGN, Foreign, Meeting, Newer, Stdlib, our_client, our_server
from tests.support.pair import every

TLS12: Final = ProtocolVersion.TLS_1_2
ONLY: Final = {"versions": (TLS12,)}

SUITES: Final = {
    CipherSuite.ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: ("p256", "ECDHE-ECDSA-AES128-GCM-SHA256"),
    CipherSuite.ECDHE_ECDSA_WITH_AES_256_GCM_SHA384: ("p256", "ECDHE-ECDSA-AES256-GCM-SHA384"),
    CipherSuite.ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: ("p256", "ECDHE-ECDSA-CHACHA20-POLY1305"),
    CipherSuite.ECDHE_RSA_WITH_AES_128_GCM_SHA256: ("rsa", "ECDHE-RSA-AES128-GCM-SHA256"),
    CipherSuite.ECDHE_RSA_WITH_AES_256_GCM_SHA384: ("rsa", "ECDHE-RSA-AES256-GCM-SHA384"),
    CipherSuite.ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256: ("rsa", "ECDHE-RSA-CHACHA20-POLY1305"),
}
"""Each suite, the key that goes with it, and its OpenSSL name."""

GROUPS: Final = [group for group in DEFAULT_GROUPS if group not in TLS_1_3_ONLY_GROUPS]

SCHEMES: Final = [
    ("p256", SignatureScheme.ECDSA_SECP256R1_SHA256),
    ("p384", SignatureScheme.ECDSA_SECP384R1_SHA384),
    ("p384", SignatureScheme.ECDSA_SECP256R1_SHA256),
    ("p521", SignatureScheme.ECDSA_SECP521R1_SHA512),
    ("ed25519", SignatureScheme.ED25519),
    ("ed448", SignatureScheme.ED448),
    ("rsa", SignatureScheme.RSA_PSS_RSAE_SHA256),
    ("rsa", SignatureScheme.RSA_PSS_RSAE_SHA512),
    ("rsa", SignatureScheme.RSA_PKCS1_SHA256),
    ("rsa", SignatureScheme.RSA_PKCS1_SHA384),
    ("rsa", SignatureScheme.RSA_PKCS1_SHA512),
]

each_foreign = pytest.mark.parametrize("foreign", FOREIGN, ids=str)
each_offer = pytest.mark.parametrize("ours", [{}, ONLY], ids=["both versions", "TLS 1.2"])


def close(meeting: Meeting) -> None:
    """From both sides: OpenSSL forgets the session of a connection that was not closed."""
    meeting.send(Close())
    meeting.theirs.close()
    meeting.run()


def check(meeting: Meeting) -> HandshakeCompleted:
    """Data flows, and it is TLS 1.2 on both sides."""
    meeting.exchange()
    done = meeting.one(HandshakeCompleted)
    assert (done.version, meeting.ours.version) == (TLS12, TLS12)
    return done


# --- algorithms --------------------------------------------------------------------------------------------------


def test_no_suite_is_left_out() -> None:
    assert set(SUITES) == {suite for suite in DEFAULT_CIPHER_SUITES if suite >> 8 != 0x13}


@each_foreign
@each_offer
@pytest.mark.parametrize("suite", SUITES)
def test_suite(foreign: Foreign, ours: dict[str, Any], suite: CipherSuite) -> None:
    key, _ = SUITES[suite]
    suites = (CipherSuite.AES_128_GCM_SHA256, suite)
    server = our_client(
        foreign, foreign.server(server_identity(key), version=TLS12), cipher_suites=suites, **ours
    )
    client = our_server(
        foreign,
        foreign.client(authority(), version=TLS12),
        cipher_suites=suites,
        credentials=[server_credential(key)],
        **ours,
    )
    for meeting in (server, client):
        assert check(meeting).cipher_suite == suite
        (hello,) = meeting.messages(ServerHello)
        assert hello.cipher_suite == suite


@each_foreign
@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)
def test_group(foreign: Foreign, group: NamedGroup) -> None:
    """Those of TLS 1.3 alone are offered too, and not chosen."""
    server = our_client(foreign, foreign.server(server_identity("ed25519"), group=group, version=TLS12))
    client = our_server(
        foreign,
        foreign.client(authority(), group=group, version=TLS12),
        credentials=[server_credential("ed25519")],
    )
    for meeting in (server, client):
        assert check(meeting).group == group
        assert [message.group for message in meeting.messages(ServerKeyExchange)] == [group]


@each_foreign
@pytest.mark.parametrize(("key", "scheme"), SCHEMES)
def test_scheme(foreign: Foreign, key: str, scheme: SignatureScheme) -> None:
    """In the ServerKeyExchange of each side, and in the CertificateVerify of each side.

    The certificates are signed with ECDSA and SHA-256, which OpenSSL wants to see offered for them.
    """
    root = SignatureScheme.ECDSA_SECP256R1_SHA256
    schemes = list(dict.fromkeys([scheme, root]))
    server_schemes = {scheme, root} if scheme.name.startswith("ECDSA") else {scheme}
    server = our_client(
        foreign,
        foreign.server(server_identity(key), client_authority=authority(), version=TLS12),
        signature_schemes=schemes,
        credentials=[schemed(client_credential(key), scheme)],
    )
    client = our_server(
        foreign,
        foreign.client(authority(), identity=client_identity(key), version=TLS12),
        signature_schemes=schemes,
        credentials=[schemed(server_credential(key), scheme)],
        versions=[TLS12],
        client_authentication=ClientAuthentication.REQUIRED,
        trust_anchors=anchors(),
    )
    for meeting in (server, client):
        check(meeting)
        (exchange,), (proof,) = meeting.messages(ServerKeyExchange), meeting.messages(CertificateVerify)
        ours, theirs = (proof, exchange) if meeting is server else (exchange, proof)
        assert ours.scheme == scheme
        assert theirs.scheme in server_schemes


def schemed(credential: Credential, scheme: SignatureScheme) -> Credential:
    return Credential(credential.chain, credential.private_key, (scheme,))


@each_foreign
def test_no_common_suite(foreign: Foreign) -> None:
    ours = {"cipher_suites": [CipherSuite.ECDHE_RSA_WITH_AES_128_GCM_SHA256], **ONLY}
    meeting = our_client(foreign, foreign.server(server_identity(), version=TLS12), **ours)
    assert meeting.end.alert == AlertDescription.HANDSHAKE_FAILURE


@each_foreign
def test_no_certificate_for_a_common_suite(foreign: Foreign) -> None:
    """There is one for another suite of ours, which the client does not have."""
    rsa, ecdsa = (
        CipherSuite.ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        CipherSuite.ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    )
    context = foreign.client(authority(), version=TLS12)
    choose = getattr(context, "set_ciphers", None) or (lambda name: context.set_cipher_list(name.encode()))
    choose(SUITES[rsa][1])
    meeting = our_server(foreign, context, cipher_suites=[rsa, ecdsa], **ONLY)
    assert meeting.end.reason is Reason.NO_CREDENTIAL
    assert "handshake failure" in meeting.their_complaint


# --- versions ----------------------------------------------------------------------------------------------------


@each_foreign
def test_both_have_both(foreign: Foreign) -> None:
    """The server says in its random that it could do more only when it does less."""
    meeting = our_server(foreign, foreign.client(authority(), version=TLS12))
    check(meeting)
    (hello,) = meeting.messages(ServerHello)
    assert hello.random.endswith(b"DOWNGRD\x01")
    meeting = our_server(foreign, foreign.client(authority(), version=TLS12), **ONLY)
    check(meeting)
    (hello,) = meeting.messages(ServerHello)
    assert b"DOWNGRD" not in hello.random


def test_somebody_takes_tls13_away() -> None:
    """Their server has TLS 1.3 too, and somebody in the middle takes supported_versions out of our hello."""
    context = Stdlib().server(server_identity())
    context.minimum_version = ssl.TLSVersion.TLSv1_2

    def without_versions(data: bytes) -> Iterator[bytes]:
        yield data.replace(b"\0\x2b\0\5\4\3\4\3\3", b"\x2a\x2a\0\5\4\3\4\3\3")

    meeting = our_client(Stdlib(), context, cut=without_versions)
    assert meeting.end.reason is Reason.DOWNGRADE
    assert "illegal parameter" in meeting.their_complaint


# --- certificates ------------------------------------------------------------------------------------------------


@each_foreign
@pytest.mark.parametrize("key", ["p256", "rsa", "ed25519"])
def test_our_client_shows_its_certificate(foreign: Foreign, key: str) -> None:
    context = foreign.server(server_identity(), client_authority=authority(), version=TLS12)
    meeting = our_client(foreign, context, credentials=[client_credential(key)])
    check(meeting)
    assert foreign.certificate(meeting.theirs) == client_identity(key).chain_der[0]


@each_foreign
@pytest.mark.parametrize("required", [True, False])
def test_our_client_has_no_certificate(foreign: Foreign, required: bool) -> None:
    context = foreign.server(
        server_identity(), client_authority=authority(), required=required, version=TLS12
    )
    meeting = our_client(foreign, context)
    if required:
        assert meeting.end.alert == AlertDescription.HANDSHAKE_FAILURE
    else:
        check(meeting)


@each_foreign
@pytest.mark.parametrize("mode", [ClientAuthentication.OPTIONAL, ClientAuthentication.REQUIRED])
def test_our_server_asks_for_a_certificate(foreign: Foreign, mode: ClientAuthentication) -> None:
    meeting = our_server(
        foreign,
        foreign.client(authority(), identity=client_identity(), version=TLS12),
        client_authentication=mode,
        trust_anchors=anchors(),
    )
    assert check(meeting).peer_certificates[0] == client_identity().chain_der[0]
    (request,) = meeting.messages(CertificateRequest)
    assert sorted(request.certificate_types) == [1, 64]
    assert request.authorities == anchors().subjects


@each_foreign
@pytest.mark.parametrize("mode", [ClientAuthentication.OPTIONAL, ClientAuthentication.REQUIRED])
def test_our_server_gets_none(foreign: Foreign, mode: ClientAuthentication) -> None:
    meeting = our_server(
        foreign,
        foreign.client(authority(), version=TLS12),
        client_authentication=mode,
        trust_anchors=anchors(),
    )
    if mode is ClientAuthentication.OPTIONAL:
        assert check(meeting).peer_certificates == ()
    else:
        assert (meeting.end.reason, meeting.end.alert) == (
            Reason.CERTIFICATE_REQUIRED,
            AlertDescription.HANDSHAKE_FAILURE,
        )
        assert "handshake failure" in meeting.their_complaint


@each_foreign
def test_nobody_trusts_anybody(foreign: Foreign) -> None:
    stranger = new_authority("another")
    meeting = our_client(foreign, foreign.server(stranger.issue("server.example"), version=TLS12))
    assert meeting.end.reason is Reason.CERTIFICATE_UNTRUSTED
    assert "unknown ca" in meeting.their_complaint
    meeting = our_server(foreign, foreign.client(stranger, version=TLS12))
    assert (meeting.end.by_peer, meeting.end.alert) == (True, AlertDescription.UNKNOWN_CA)


def test_a_server_with_two_keys() -> None:
    """The first suite that both have decides, and the certificate that goes with it is shown."""
    for suite, key in (
        (CipherSuite.ECDHE_RSA_WITH_AES_256_GCM_SHA384, "rsa"),
        (CipherSuite.ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, "p256"),
    ):
        meeting = our_server(
            Stdlib(),
            Stdlib().client(authority(), version=TLS12),
            credentials=[server_credential("p256"), server_credential("rsa")],
            cipher_suites=[suite, *SUITES.keys() - {suite}],
            **ONLY,
        )
        check(meeting)
        assert Stdlib().certificate(meeting.theirs) == server_identity(key).chain_der[0]


# --- names and protocols -----------------------------------------------------------------------------------------


@each_foreign
def test_protocols(foreign: Foreign) -> None:
    meeting = our_client(
        foreign,
        foreign.server(server_identity(), alpn=["http/1.1", "h2"], version=TLS12),
        alpn_protocols=[b"spdy", b"h2", b"http/1.1"],
    )
    check(meeting)
    assert meeting.ours.alpn_protocol == foreign.alpn(meeting.theirs) == b"http/1.1"  # the server's choice
    meeting = our_server(
        foreign,
        foreign.client(authority(), alpn=["spdy", "http/1.1", "h2"], version=TLS12),
        alpn_protocols=[b"h2", b"http/1.1"],
    )
    check(meeting)
    assert meeting.ours.alpn_protocol == foreign.alpn(meeting.theirs) == b"h2"


@each_foreign
def test_no_common_protocol(foreign: Foreign) -> None:
    context = foreign.client(authority(), alpn=["h2"], version=TLS12)
    meeting = our_server(foreign, context, alpn_protocols=[b"h3"])
    assert meeting.end.reason is Reason.NO_COMMON_APPLICATION_PROTOCOL
    assert "no application protocol" in meeting.their_complaint


@each_foreign
def test_names(foreign: Foreign) -> None:
    meeting = our_server(foreign, foreign.client(authority(), version=TLS12), server_name="server.example")
    assert check(meeting).server_name == "server.example"
    meeting = our_client(
        foreign,
        foreign.server(server_identity(name="other.example"), version=TLS12),
        server_name="other.example",
    )
    assert check(meeting).server_name == "other.example"


def test_an_address_is_no_name() -> None:
    meeting = our_client(Stdlib(), Stdlib().server(server_identity(), version=TLS12), server_name="127.0.0.1")
    check(meeting)
    (hello,) = meeting.messages(ClientHello)
    assert 0 not in {extension.type for extension in hello.extensions}


# --- resumption --------------------------------------------------------------------------------------------------


def context_without_tickets(foreign: Foreign, context: Any) -> Any:
    if isinstance(foreign, Stdlib):
        context.options |= ssl.OP_NO_TICKET
    else:
        context.set_options(ssl.OP_NO_TICKET)
        context.set_session_id(b"tests")
    return context


@each_foreign
@each_offer
@pytest.mark.parametrize("tickets", [True, False], ids=["by ticket", "by id"])
@pytest.mark.parametrize("key", ["p256", "rsa"])
def test_our_client_resumes(foreign: Foreign, ours: dict[str, Any], tickets: bool, key: str) -> None:
    context = foreign.server(server_identity(key), version=TLS12)
    if not tickets:
        context = context_without_tickets(foreign, context)
    meeting = our_client(foreign, context, **ours)
    assert not check(meeting).resumed
    close(meeting)
    session = meeting.one(TicketReceived).session
    assert (bool(session.ticket), bool(session.session_id)) == (tickets, not tickets)
    for _ in range(2):  # a session of TLS 1.2 can be offered more than once
        meeting = our_client(foreign, context, session=session, **ours)
        done = check(meeting)
        assert done.session == session
        assert done.peer_certificates == server_identity(key).chain_der
        assert foreign.resumed(meeting.theirs)
        assert meeting.all(TicketReceived) == []
        assert meeting.messages(ServerKeyExchange) == []
        close(meeting)


@each_foreign
@each_offer
@pytest.mark.parametrize("tickets", [True, False], ids=["by ticket", "by id"])
def test_our_server_resumes(foreign: Foreign, ours: dict[str, Any], tickets: bool) -> None:
    config = server_config(session_cache=SessionCache(), tickets_in_tls12=tickets, **ours)
    context = foreign.client(authority(), version=TLS12)
    meeting = our_server(foreign, context, config=config)
    assert not check(meeting).resumed
    issued = meeting.one(TicketIssued).session
    assert bool(issued.session_id) != tickets
    close(meeting)
    session = foreign.session(meeting.theirs)
    for _ in range(2):
        meeting = our_server(foreign, context, config=config, session=session)
        assert check(meeting).resumed
        assert foreign.resumed(meeting.theirs)
        assert meeting.all(TicketIssued) == []
        close(meeting)


@each_foreign
def test_client_certificates_are_remembered(foreign: Foreign) -> None:
    config = server_config(
        client_authentication=ClientAuthentication.REQUIRED, trust_anchors=anchors(), **ONLY
    )
    context = foreign.client(authority(), identity=client_identity(), version=TLS12)
    meeting = our_server(foreign, context, config=config)
    chain = check(meeting).peer_certificates
    close(meeting)
    meeting = our_server(foreign, context, config=config, session=foreign.session(meeting.theirs))
    assert check(meeting).resumed
    assert meeting.ours.peer_certificates == chain
    assert chain[0] == client_identity().chain_der[0]


# --- the end -----------------------------------------------------------------------------------------------------


@each_foreign
@pytest.mark.parametrize("we_are_first", [True, False])
def test_close(foreign: Foreign, we_are_first: bool) -> None:
    for meeting in (
        our_client(foreign, foreign.server(server_identity(), version=TLS12)),
        our_server(foreign, foreign.client(authority(), version=TLS12)),
    ):
        check(meeting)
        if we_are_first:
            meeting.send(Close())
            assert meeting.theirs.closed
        meeting.theirs.close()
        meeting.run()
        assert isinstance(meeting.events[-1], PeerClosed)
        meeting.send(Close())
        assert meeting.theirs.error is None


@each_foreign
def test_a_cut_stream_is_told_from_a_clean_end(foreign: Foreign) -> None:
    meeting = our_server(foreign, foreign.client(authority(), version=TLS12))
    check(meeting)
    (end,) = meeting.ours.receive_data(b"")
    assert isinstance(end, ConnectionTerminated)
    assert end.reason is Reason.TRUNCATED


@each_foreign
def test_a_mebibyte_each_way_in_pieces(foreign: Foreign) -> None:
    mebibyte = bytes(range(256)) * 4096
    for meeting in (
        our_client(foreign, foreign.server(server_identity(), version=TLS12), cut=every(10_000)),
        our_server(foreign, foreign.client(authority(), version=TLS12), cut=every(10_000)),
    ):
        meeting.exchange(mebibyte, mebibyte)


@each_foreign
def test_a_handshake_byte_by_byte(foreign: Foreign) -> None:
    for meeting in (
        our_client(foreign, foreign.server(server_identity(), version=TLS12), cut=every(1)),
        our_server(foreign, foreign.client(authority(), version=TLS12), cut=every(1)),
    ):
        check(meeting)


# --- keying material ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("context", [None, b"", b"context"])
@pytest.mark.parametrize("label", ["", "x", "EXPORTER-of-a-test"])
def test_an_exporter_may_have_no_label(label: str, context: bytes | None) -> None:
    """RFC 5705 section 4 has nothing against it, and OpenSSL does it; in TLS 1.3 a label is longer than its prefix."""
    meeting = our_server(Newer(), Newer().client(authority(), version=TLS12))
    ours = meeting.ours.export_keying_material(label, context, 40)
    assert ours == meeting.theirs.tls.export_keying_material(label.encode(), 40, context)
    newer = our_server(Newer(), Newer().client(authority()))
    with pytest.raises(LocalProtocolError, match="has 1 to 249 bytes, not 0"):
        newer.ours.export_keying_material("", context, 40)
