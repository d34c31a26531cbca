"""What is agreed on with other implementations besides algorithms: protocols, names, keys; and what if not."""

from __future__ import annotations

import ssl
from typing import Any

import pytest

from sansticket.codes import (
    AlertDescription,
    CipherSuite,
    ContentType,
    NamedGroup,
    ProtocolVersion,
    SignatureScheme,
)
from sansticket.commands import RequestClientCertificate
from sansticket.connection.client import ClientConnection
from sansticket.connection.server import ServerConnection
from sansticket.crypto.groups import supported
from sansticket.errors import Reason
from sansticket.events import HandshakeCompleted, PeerAuthenticated, TicketIssued, TicketReceived
from sansticket.wire.extensions.negotiation import ServerNameAck, ServerNameList
from sansticket.wire.messages.hello import ClientHello
from sansticket.wire.messages.tls13 import EncryptedExtensions
from tests.support.certificates import authority, client_identity, server_identity
from tests.support.configs import client_config, server_config
from tests.support.credentials import anchors, client_credential, server_credential
from tests.support.foreign import FOREIGN, Foreign, Newer, Stdlib, our_client, our_server
from tests.support.memory import run
from tests.support.pyopenssl_peer import PyOpenSSLPeer, as_x509
from tests.support.pyopenssl_peer import context as newer_context
from tests.support.stdlib_peer import client_context, server_context

each_foreign = pytest.mark.parametrize("foreign", FOREIGN, ids=str)


# --- application protocols -------------------------------------------------------------------------------------


@each_foreign
def test_a_common_protocol_as_client(foreign: Foreign) -> None:
    context = foreign.server(server_identity(), alpn=["http/1.1", "h2"])
    meeting = our_client(foreign, context, alpn_protocols=(b"spdy", b"h2", b"http/1.1"))
    meeting.exchange()
    assert meeting.ours.alpn_protocol == foreign.alpn(meeting.theirs) == b"http/1.1"  # the server's choice


@each_foreign
def test_a_common_protocol_as_server(foreign: Foreign) -> None:
    context = foreign.client(authority(), alpn=["spdy", "http/1.1", "h2"])
    meeting = our_server(foreign, context, alpn_protocols=(b"h2", b"http/1.1"))
    meeting.exchange()
    assert meeting.ours.alpn_protocol == foreign.alpn(meeting.theirs) == b"h2"


@each_foreign
def test_only_one_side_knows_protocols(foreign: Foreign) -> None:
    for meeting in (
        our_client(foreign, foreign.server(server_identity(), alpn=["h2"])),
        our_client(foreign, foreign.server(server_identity()), alpn_protocols=(b"h2",)),
        our_server(foreign, foreign.client(authority(), alpn=["h2"])),
        our_server(foreign, foreign.client(authority()), alpn_protocols=(b"h2",)),
    ):
        meeting.exchange()
        assert meeting.ours.alpn_protocol is None
        assert foreign.alpn(meeting.theirs) is None


@each_foreign
def test_no_common_protocol_is_our_alert(foreign: Foreign) -> None:
    meeting = our_server(foreign, foreign.client(authority(), alpn=["h3"]), alpn_protocols=(b"h2",))
    assert meeting.end.reason is Reason.NO_COMMON_APPLICATION_PROTOCOL
    assert "alert no application protocol" in meeting.their_complaint


class RefusingPeer(PyOpenSSLPeer):
    """One whose callbacks raise, which pyOpenSSL makes a fatal alert before it passes the exception on."""

    def _step(self) -> None:
        try:
            super()._step()
        except LookupError as error:
            self.error = error


class Refusing(Newer):
    def connect(
        self, context: Any, *, server: bool, server_name: str | None = None, session: Any = None
    ) -> PyOpenSSLPeer:
        return RefusingPeer(context, server=server, server_name=server_name, session=session)


def refuse(*arguments: Any) -> Any:
    raise LookupError


def test_no_common_protocol_is_their_alert() -> None:
    """OpenSSL leaves it to a callback, and that of ``ssl`` goes on without a protocol."""
    context = Newer().server(server_identity())
    context.set_alpn_select_callback(refuse)
    meeting = our_client(Refusing(), context, alpn_protocols=(b"h2",))
    assert meeting.end.by_peer
    assert meeting.end.detail == "no_application_protocol"
    lenient = our_client(Stdlib(), Stdlib().server(server_identity(), alpn=["h3"]), alpn_protocols=(b"h2",))
    lenient.exchange()
    assert lenient.ours.alpn_protocol is None


# --- names -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "sent"),
    [("server.example", "server.example"), ("SERVER.Example.", "server.example"), ("127.0.0.1", None)],
)
def test_our_name_arrives(name: str, sent: str | None) -> None:
    seen: list[str | None] = []
    context = Stdlib().server(server_identity())
    context.sni_callback = lambda tls, heard, _: seen.append(heard)
    our_client(Stdlib(), context, server_name=name).exchange()
    assert seen == [sent]
    meeting = our_client(Newer(), Newer().server(server_identity()), server_name=name)
    assert meeting.theirs.tls.get_servername() == (sent.encode() if sent else None)
    assert meeting.messages(EncryptedExtensions)


def test_a_server_that_does_not_know_the_name_refuses_it() -> None:
    context = Stdlib().server(server_identity())
    context.sni_callback = lambda *arguments: ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
    meeting = our_client(Stdlib(), context)
    assert meeting.end.by_peer
    assert meeting.end.detail == "unrecognized_name"


@each_foreign
def test_their_name_arrives_and_is_acknowledged(foreign: Foreign) -> None:
    meeting = our_server(foreign, foreign.client(authority()))
    meeting.exchange()
    assert meeting.ours.server_name == meeting.one(HandshakeCompleted).server_name == "server.example"
    assert meeting.messages(EncryptedExtensions)[0].find(ServerNameAck) is not None


def test_a_client_without_a_name() -> None:
    meeting = our_server(Newer(), Newer().client(authority()), server_name=None)
    meeting.exchange()
    assert meeting.messages(ClientHello)[0].find(ServerNameList) is None
    assert meeting.ours.server_name is None


# --- exported keys ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suite", [0x1301, 0x1302])
@pytest.mark.parametrize("we_are_client", [True, False])
def test_both_sides_export_the_same(suite: int, we_are_client: bool) -> None:
    foreign = Newer()
    context, config = foreign.client(authority()), server_config(cipher_suites=(suite,))
    if we_are_client:
        context = foreign.server(server_identity())
        first = our_client(foreign, context, cipher_suites=(suite,))
        session = first.all(TicketReceived)[0].session
        second = our_client(foreign, context, cipher_suites=(suite,), session=session)
    else:
        first = our_server(foreign, context, config=config)
        second = our_server(foreign, context, config=config, session=foreign.session(first.theirs))
    assert second.ours.resumed
    bindings = set()
    for meeting in (first, second):
        ours, theirs = meeting.ours, meeting.theirs.tls
        for label, context_, length in (
            ("EXPORTER-a", b"", 16),
            ("EXPORTER-b", b"context", 255),
            ("x", b"c" * 70_000, 1),
        ):
            exported = ours.export_keying_material(label, context_, length)
            assert exported == theirs.export_keying_material(label.encode(), length, context_)
            assert len(exported) == length
        binding = ours.tls_exporter()
        assert binding == theirs.export_keying_material(b"EXPORTER-Channel-Binding", 32, b"")
        bindings.add(binding)
    assert len(bindings) == 2


@pytest.mark.parametrize("we_are_client", [True, False])
def test_both_sides_log_the_same_secrets(we_are_client: bool) -> None:
    theirs: list[str] = []
    made = newer_context(
        authority=None if we_are_client else authority(),
        identity=server_identity() if we_are_client else None,
        key_log=lambda line: theirs.append(line.decode()),
    )
    ours: list[str] = []
    if we_are_client:
        connection: ClientConnection | ServerConnection = ClientConnection(
            client_config(key_log=ours.append), "server.example"
        )
    else:
        connection = ServerConnection(server_config(key_log=ours.append))
    run(connection, PyOpenSSLPeer(made, server=we_are_client))
    assert sorted(ours) == sorted(theirs)
    assert len({line.split()[0] for line in ours}) == 5


# --- nothing in common -----------------------------------------------------------------------------------------


def test_no_common_suite() -> None:
    ours = (CipherSuite.AES_128_GCM_SHA256,)
    for_us = newer_context(identity=server_identity(), cipher_suites=["TLS_AES_256_GCM_SHA384"])
    meeting = our_client(Newer(), for_us, cipher_suites=ours)
    assert (meeting.end.by_peer, meeting.end.detail) == (True, "handshake_failure")
    for_them = newer_context(authority=authority(), cipher_suites=["TLS_AES_256_GCM_SHA384"])
    meeting = our_server(Newer(), for_them, cipher_suites=ours)
    assert meeting.end.reason is Reason.NO_COMMON_CIPHER_SUITE
    assert "handshake failure" in meeting.their_complaint


def test_no_common_group() -> None:
    for foreign in FOREIGN:
        context = foreign.server(server_identity(), group=NamedGroup.X25519)
        meeting = our_client(foreign, context, groups=(NamedGroup.SECP521R1,))
        assert (meeting.end.by_peer, meeting.end.detail) == (True, "handshake_failure")
        context = foreign.client(authority(), group=NamedGroup.X25519)
        meeting = our_server(foreign, context, groups=(NamedGroup.SECP521R1,))
        assert meeting.end.reason is Reason.NO_COMMON_GROUP
        assert "handshake failure" in meeting.their_complaint


@each_foreign
def test_no_common_signature_scheme(foreign: Foreign) -> None:
    context = foreign.server(server_identity("ed25519"))
    meeting = our_client(foreign, context, signature_schemes=(SignatureScheme.ECDSA_SECP256R1_SHA256,))
    assert (meeting.end.by_peer, meeting.end.detail) == (True, "handshake_failure")
    meeting = our_server(
        foreign,
        foreign.client(authority()),
        credentials=[server_credential("ed448"), server_credential("p256", "other.example")],
        signature_schemes=(SignatureScheme.ECDSA_SECP256R1_SHA256,),
    )
    assert meeting.end.reason is Reason.NO_COMMON_SIGNATURE_SCHEME
    assert "handshake failure" in meeting.their_complaint


def test_no_common_version() -> None:
    tls12, ours = ssl.TLSVersion.TLSv1_2, [ProtocolVersion.TLS_1_3]
    meeting = our_client(Stdlib(), server_context(server_identity(), version=tls12), versions=ours)
    assert meeting.end.alert == AlertDescription.PROTOCOL_VERSION
    meeting = our_server(Stdlib(), client_context(authority(), version=tls12), versions=ours)
    assert meeting.end.reason is Reason.UNSUPPORTED_VERSION
    assert "alert protocol version" in meeting.their_complaint


# --- ways of asking --------------------------------------------------------------------------------------------


@each_foreign
@pytest.mark.parametrize("compatible", [True, False])
def test_compatibility_mode_or_not(foreign: Foreign, compatible: bool) -> None:
    meeting = our_client(foreign, foreign.server(server_identity()), middlebox_compatibility=compatible)
    meeting.exchange()
    changes = [r for r in meeting.records if r.content_type == ContentType.CHANGE_CIPHER_SPEC]
    # OpenSSL's server sends one in any case.
    assert [record.sender for record in changes] == (["server", "client"] if compatible else ["server"])


@each_foreign
def test_tickets_of_rfc_9149_are_asked_of_a_server_that_does_not_know_it(foreign: Foreign) -> None:
    meeting = our_client(foreign, foreign.server(server_identity()), ticket_request=(5, 1))
    meeting.exchange()
    assert len(meeting.all(TicketReceived)) == 2


@each_foreign
def test_many_key_shares(foreign: Foreign) -> None:
    groups = tuple(group for group in foreign.groups if group in supported())
    meeting = our_client(foreign, foreign.server(server_identity()), groups=groups, key_shares=groups)
    meeting.exchange()
    assert meeting.ours.group in groups


# --- certificates after the handshake --------------------------------------------------------------------------


@each_foreign
@pytest.mark.parametrize("has_one", [True, False])
def test_we_ask_for_a_certificate_later(foreign: Foreign, has_one: bool) -> None:
    context = foreign.client(authority(), identity=client_identity() if has_one else None)
    if isinstance(context, ssl.SSLContext):
        context.post_handshake_auth = True
    else:
        context = newer_context(
            authority=authority(), identity=client_identity() if has_one else None, post_handshake_auth=True
        )
    meeting = our_server(foreign, context, trust_anchors=anchors())
    meeting.exchange()
    meeting.send(RequestClientCertificate())
    meeting.exchange()
    shown = meeting.one(PeerAuthenticated).certificates
    assert shown[:1] == (client_identity().chain_der[:1] if has_one else ())
    assert len(meeting.all(TicketIssued)) == 4


@each_foreign
@pytest.mark.parametrize("has_one", [True, False])
def test_they_ask_for_a_certificate_later(foreign: Foreign, has_one: bool) -> None:
    context = foreign.server(server_identity())
    if isinstance(context, ssl.SSLContext):
        context.load_verify_locations(cadata=authority().der)
        context.verify_mode = ssl.CERT_OPTIONAL
        context.post_handshake_auth = True
    else:
        store = context.get_cert_store()
        store.add_cert(as_x509(authority()))
    credentials = [client_credential()] if has_one else []
    meeting = our_client(foreign, context, credentials=credentials, post_handshake_auth=True)
    meeting.exchange()
    if isinstance(meeting.theirs, PyOpenSSLPeer):
        meeting.theirs.request_client_certificate()
    else:
        meeting.theirs.tls.verify_client_post_handshake()
        meeting.theirs.write(b"")
    meeting.run()
    meeting.exchange()
    assert foreign.certificate(meeting.theirs) == (client_identity().chain_der[0] if has_one else None)
