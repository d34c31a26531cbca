"""Certificates between us and other implementations: who shows what, who refuses it, and what the other is told."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import pytest

from sansticket.codes import AlertDescription
from sansticket.commands import AcceptPeer, ProvideSignature, RejectPeer
from sansticket.config.choices import ASK, ClientAuthentication
from sansticket.crypto.certificates import Credential
from sansticket.crypto.signatures import sign
from sansticket.errors import Reason
from sansticket.events import HandshakeCompleted, Sign, VerifyPeer
from sansticket.wire.extensions.certificate import CertificateAuthorities
from sansticket.wire.messages.tls13 import Certificate, CertificateRequest
from tests.support.certificates import Identity, authority, client_identity, new_authority, server_identity
from tests.support.credentials import (
    DAY,
    anchors,
    anchors_of,
    client_credential,
    credential_of,
    server_credential,
    subordinate,
    with_chain,
)
from tests.support.foreign import FOREIGN, Foreign, Newer, our_client, our_server

each_foreign = pytest.mark.parametrize("foreign", FOREIGN, ids=str)

STRANGER: Final = new_authority("sansticket unknown root")


BAD_SERVERS: Final[dict[str, tuple[Identity, Reason, str, str]]] = {
    "a stranger": (
        STRANGER.issue("server.example"),
        Reason.CERTIFICATE_UNTRUSTED,
        "unknown ca",
        "unknown_ca",
    ),
    "expired": (
        authority().issue("server.example", end=-DAY),
        Reason.CERTIFICATE_EXPIRED,
        "certificate expired",
        "certificate_expired",
    ),
    "not yet valid": (
        authority().issue("server.example", start=-DAY),
        Reason.CERTIFICATE_EXPIRED,
        "certificate expired",
        "bad_certificate",
    ),
    "a client": (
        authority().issue("server.example", client=True),
        Reason.CERTIFICATE_UNSUPPORTED,
        "unsupported certificate",
        "unsupported_certificate",
    ),
}
"""Identity, our reason to refuse it, our alert, and the alert of OpenSSL in the same case."""

each_bad_server = pytest.mark.parametrize("kind", BAD_SERVERS)


# --- servers ---------------------------------------------------------------------------------------------------


@each_foreign
@each_bad_server
def test_we_refuse_a_server_and_say_why(foreign: Foreign, kind: str) -> None:
    identity, reason, alert, _ = BAD_SERVERS[kind]
    meeting = our_client(foreign, foreign.server(identity))
    assert meeting.end.reason is reason
    assert not meeting.theirs.handshaken
    assert f"alert {alert}" in meeting.their_complaint


@each_foreign
@each_bad_server
def test_they_refuse_our_server_and_we_hear_why(foreign: Foreign, kind: str) -> None:
    identity, _, _, alert = BAD_SERVERS[kind]
    meeting = our_server(foreign, foreign.client(authority()), credentials=[credential_of(identity)])
    assert meeting.end.reason is Reason.PEER_ALERT
    assert meeting.end.by_peer
    assert meeting.end.detail == alert
    assert meeting.all(HandshakeCompleted) == []


@each_foreign
@pytest.mark.parametrize("name", ["other.example", "192.0.2.1", "example"])
def test_we_refuse_a_server_of_another_name(foreign: Foreign, name: str) -> None:
    meeting = our_client(foreign, foreign.server(server_identity()), server_name=name)
    assert meeting.end.reason is Reason.CERTIFICATE_NAME_MISMATCH
    assert "alert bad certificate" in meeting.their_complaint


@each_foreign
@pytest.mark.parametrize("name", ["SERVER.example", "server.example.", "127.0.0.1"])
def test_we_accept_a_server_of_any_of_its_names(foreign: Foreign, name: str) -> None:
    our_client(foreign, foreign.server(server_identity()), server_name=name).exchange()


@each_foreign
def test_a_wildcard_covers_one_label(foreign: Foreign) -> None:
    context = foreign.server(authority().issue("*.server.example"))
    our_client(foreign, context, server_name="www.server.example").exchange()
    for name in ("server.example", "a.b.server.example"):
        meeting = our_client(foreign, context, server_name=name)
        assert meeting.end.reason is Reason.CERTIFICATE_NAME_MISMATCH


@each_foreign
def test_intermediates_are_sent_and_used(foreign: Foreign) -> None:
    between = subordinate(authority())
    identity = with_chain(between.issue("server.example"), between)
    meeting = our_client(foreign, foreign.server(identity))
    meeting.exchange()
    assert meeting.ours.peer_certificates == identity.chain_der
    meeting = our_server(foreign, foreign.client(authority()), credentials=[credential_of(identity)])
    meeting.exchange()
    lonely = identity.chain[:1]
    meeting = our_server(
        foreign, foreign.client(authority()), credentials=[credential_of(Identity(lonely, identity.key))]
    )
    assert meeting.end.detail == "unknown_ca"


@cache
def long_identity() -> Identity:
    """Its Certificate message is longer than a record may be."""
    names = [f"host-{number:04}.a-rather-long-name-of-a-domain.example" for number in range(400)]
    identity = authority().issue("server.example", *names)
    assert len(identity.chain_der[0]) > 16_384
    return identity


@each_foreign
def test_a_certificate_that_needs_several_records(foreign: Foreign) -> None:
    meeting = our_client(foreign, foreign.server(long_identity()))
    meeting.exchange()
    assert meeting.ours.peer_certificates == long_identity().chain_der
    meeting = our_server(foreign, foreign.client(authority()), credentials=[credential_of(long_identity())])
    meeting.exchange()
    assert foreign.certificate(meeting.theirs) == long_identity().chain_der[0]


@each_foreign
def test_a_certificate_that_is_longer_than_we_take(foreign: Foreign) -> None:
    meeting = our_client(foreign, foreign.server(long_identity()), max_handshake_message=16_384)
    assert meeting.end.reason is Reason.MESSAGE_TOO_LARGE
    assert "alert illegal parameter" in meeting.their_complaint


@each_foreign
def test_we_choose_the_certificate_by_the_name(foreign: Foreign) -> None:
    credentials = [server_credential("p256", name) for name in ("server.example", "other.example")]
    for name in ("server.example", "other.example", "OTHER.EXAMPLE"):
        meeting = our_server(foreign, foreign.client(authority()), credentials=credentials, server_name=name)
        meeting.exchange()
        assert meeting.ours.server_name == name.lower()
        shown = server_identity("p256", name.lower())
        assert foreign.certificate(meeting.theirs) == shown.chain_der[0]


@each_foreign
def test_we_choose_the_certificate_by_what_they_can_verify(foreign: Foreign) -> None:
    """ssl does not know ML-DSA."""
    pytest.importorskip("cryptography", minversion="49")
    credentials = [server_credential("mldsa65"), server_credential("p384")]
    meeting = our_server(foreign, foreign.client(authority()), credentials=credentials)
    meeting.exchange()
    expected = "mldsa65" if isinstance(foreign, Newer) else "p384"
    assert foreign.certificate(meeting.theirs) == server_identity(expected).chain_der[0]


@each_foreign
def test_keys_and_verification_that_are_elsewhere(foreign: Foreign) -> None:
    """Both questions wait for an answer while the peer waits for us."""
    complete = server_credential("rsa")
    remote = Credential(complete.chain, None)
    meeting = our_server(
        foreign,
        foreign.client(authority(), identity=client_identity()),
        credentials=[remote],
        client_authentication=ClientAuthentication.REQUIRED,
        answers={Sign: ASK, VerifyPeer: ASK},
    )
    question = meeting.one(Sign)
    assert complete.private_key is not None
    meeting.send(ProvideSignature(sign(complete.private_key, question.scheme, question.message)))
    asked = meeting.one(VerifyPeer)
    assert asked.certificates[0] == client_identity().chain_der[0]
    assert meeting.all(HandshakeCompleted) == []
    meeting.send(AcceptPeer())
    meeting.exchange()


@each_foreign
def test_the_application_refuses_with_an_alert_of_its_own(foreign: Foreign) -> None:
    meeting = our_client(
        foreign,
        foreign.server(server_identity()),
        answers={VerifyPeer: lambda question: RejectPeer(AlertDescription.ACCESS_DENIED)},
    )
    assert meeting.end.reason is Reason.CERTIFICATE_REFUSED
    assert "access denied" in meeting.their_complaint


# --- clients ---------------------------------------------------------------------------------------------------

ASKS: Final[dict[str, Any]] = {"trust_anchors": anchors()}


@each_foreign
@pytest.mark.parametrize("mode", ClientAuthentication)
@pytest.mark.parametrize("has_one", [False, True])
def test_client_certificates_that_we_ask_for(
    foreign: Foreign, mode: ClientAuthentication, has_one: bool
) -> None:
    context = foreign.client(authority(), identity=client_identity() if has_one else None)
    meeting = our_server(foreign, context, client_authentication=mode, **ASKS)
    asked = mode is not ClientAuthentication.NONE
    assert bool(meeting.messages(CertificateRequest)) == asked
    assert bool(meeting.messages(Certificate, "client")) == asked
    if mode is ClientAuthentication.REQUIRED and not has_one:
        assert meeting.end.reason is Reason.CERTIFICATE_REQUIRED
        assert "alert certificate required" in meeting.their_complaint
        return
    meeting.exchange()
    shown = client_identity().chain_der[:1] if asked and has_one else ()
    assert meeting.ours.peer_certificates[:1] == shown


@each_foreign
@pytest.mark.parametrize("required", [False, True])
@pytest.mark.parametrize("has_one", [False, True])
def test_client_certificates_that_they_ask_for(foreign: Foreign, required: bool, has_one: bool) -> None:
    context = foreign.server(server_identity(), client_authority=authority(), required=required)
    meeting = our_client(foreign, context, credentials=[client_credential()] if has_one else [])
    assert len(meeting.messages(Certificate, "client")) == 1
    if required and not has_one:
        assert meeting.end.by_peer
        assert meeting.end.detail == "certificate_required"
        return
    meeting.exchange()
    assert foreign.certificate(meeting.theirs) == (client_identity().chain_der[0] if has_one else None)


@each_foreign
@pytest.mark.parametrize(
    ("issue", "reason", "alert"),
    [
        (lambda: STRANGER.issue("client.example", client=True), Reason.CERTIFICATE_UNTRUSTED, "unknown ca"),
        (
            lambda: authority().issue("client.example", client=True, end=-DAY),
            Reason.CERTIFICATE_EXPIRED,
            "certificate expired",
        ),
        (
            lambda: authority().issue("client.example"),
            Reason.CERTIFICATE_UNSUPPORTED,
            "unsupported certificate",
        ),
    ],
    ids=["a stranger", "expired", "a server"],
)
@pytest.mark.parametrize("mode", [ClientAuthentication.OPTIONAL, ClientAuthentication.REQUIRED])
def test_we_refuse_a_client_and_say_why(
    foreign: Foreign, mode: ClientAuthentication, issue: Any, reason: Reason, alert: str
) -> None:
    context = foreign.client(authority(), identity=issue())
    meeting = our_server(foreign, context, client_authentication=mode, **ASKS)
    assert meeting.end.reason is reason
    assert f"alert {alert}" in meeting.their_complaint


@each_foreign
def test_they_refuse_our_client_and_we_hear_why(foreign: Foreign) -> None:
    context = foreign.server(server_identity(), client_authority=authority())
    for identity, alert in (
        (STRANGER.issue("client.example", client=True), "unknown_ca"),
        (authority().issue("client.example", client=True, end=-DAY), "certificate_expired"),
        (authority().issue("client.example"), "unsupported_certificate"),
    ):
        meeting = our_client(foreign, context, credentials=[credential_of(identity)])
        assert meeting.end.by_peer
        assert meeting.end.detail == alert
        assert meeting.all(HandshakeCompleted)  # the server answers to our last message


@each_foreign
def test_they_are_told_whom_we_trust(foreign: Foreign) -> None:
    meeting = our_server(
        foreign,
        foreign.client(authority(), identity=client_identity()),
        client_authentication=ClientAuthentication.OPTIONAL,
        trust_anchors=anchors_of(authority(), STRANGER),
    )
    named = meeting.messages(CertificateRequest)[0].find(CertificateAuthorities)
    assert named is not None
    assert set(named.names) == {each.certificate.subject.public_bytes() for each in (authority(), STRANGER)}
    meeting.exchange()


def test_we_choose_the_certificate_by_whom_they_trust() -> None:
    strange = STRANGER.issue("client.example", client=True)
    credentials = [credential_of(strange), client_credential()]
    for trusted, shown in ((authority(), client_identity()), (STRANGER, strange)):
        context = Newer().server(server_identity(), client_authority=trusted)
        context.add_client_ca(trusted.certificate)
        meeting = our_client(Newer(), context, credentials=credentials)
        meeting.exchange()
        assert Newer().certificate(meeting.theirs) == shown.chain_der[0]
