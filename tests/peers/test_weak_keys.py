"""Short RSA keys and keys that may not sign: refused in every role, by whoever verifies, in both versions."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from attrs import evolve
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding

from sansticket.codes import ProtocolVersion
from sansticket.commands import AcceptPeer, RequestClientCertificate
from sansticket.config.choices import ClientAuthentication, ResumedCertificates
from sansticket.config.client import ClientConfig
from sansticket.config.server import ServerConfig
from sansticket.crypto.certificates import Credential
from sansticket.errors import ConfigError, Reason
from sansticket.events import ConnectionTerminated, Event, HandshakeCompleted, TicketReceived, VerifyPeer
from tests.support.certificates import KEYS, authority
from tests.support.credentials import anchors, client_credential, issue, server_credential
from tests.support.pair import ConnectionPair

NAME = "server.example"
VERSIONS = [ProtocolVersion.TLS_1_3, ProtocolVersion.TLS_1_2]
SAN = (x509.SubjectAlternativeName([x509.DNSName(NAME)]), False)
YES = {VerifyPeer: lambda _: AcceptPeer()}


@cache
def short() -> Credential:
    """1,024 bits."""
    key = rsa.generate_private_key(65537, 1024)
    own = issue(authority(), "leaf", key.public_key(), [SAN])
    return Credential((own.public_bytes(Encoding.DER),), key, min_rsa_bits=1024)


@cache
def not_for_signatures() -> Credential:
    """A good key in a credential, which then shows a certificate with a keyUsage that has no digitalSignature."""
    key = KEYS["p256"]()
    usage = x509.KeyUsage(False, False, False, False, True, False, False, False, False), True
    good, bad = (issue(authority(), "leaf", key.public_key(), [SAN, *more]) for more in ([], [usage]))
    credential = Credential((good.public_bytes(Encoding.DER),), key)
    object.__setattr__(credential, "chain", (bad.public_bytes(Encoding.DER),))
    return credential


def end_of(events: list[Event]) -> Reason | None:
    last = events[-1]
    return last.reason if isinstance(last, ConnectionTerminated) else None


def pair_of(version: int, client: dict[str, Any], server: dict[str, Any]) -> ConnectionPair:
    ours = {"versions": [version], "trust_anchors": anchors()}
    pair = ConnectionPair(
        ClientConfig(**{**ours, **client}),
        ServerConfig(**{**ours, "credentials": [server_credential()], **server}),
    )
    pair.pump()
    return pair


CASES = [(short, Reason.CERTIFICATE_UNSUPPORTED), (not_for_signatures, Reason.CERTIFICATE_INVALID)]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("make", "reason"), CASES)
@pytest.mark.parametrize("verifies", [{}, {"answers": YES}, {"verify_peer": False}])
def test_a_server(make: Any, reason: Reason, version: int, verifies: dict[str, Any]) -> None:
    server = {"credentials": [make()], "min_rsa_bits": 1024}
    assert end_of(pair_of(version, verifies, server).client_events) is reason
    if make is short:
        allowed = pair_of(version, {**verifies, "min_rsa_bits": 1024}, server)
        assert end_of(allowed.client_events) is None
        assert allowed.event("client", HandshakeCompleted)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("make", "reason"), CASES)
@pytest.mark.parametrize("answers", [{}, YES])
def test_a_client(make: Any, reason: Reason, version: int, answers: dict[Any, Any]) -> None:
    client = {"credentials": [make()], "min_rsa_bits": 1024}
    server = {"client_authentication": ClientAuthentication.REQUIRED, "answers": answers}
    assert end_of(pair_of(version, client, server).server_events) is reason
    if make is short:
        allowed = pair_of(version, client, {**server, "min_rsa_bits": 1024})
        assert end_of(allowed.server_events) is None


@pytest.mark.parametrize(("make", "reason"), CASES)
def test_a_client_that_is_asked_later(make: Any, reason: Reason) -> None:
    client = {"credentials": [make()], "min_rsa_bits": 1024, "post_handshake_auth": True}
    pair = pair_of(ProtocolVersion.TLS_1_3, client, {"answers": YES})
    pair.send("server", RequestClientCertificate())
    assert end_of(pair.server_events) is reason


def test_our_own() -> None:
    for make in (ServerConfig, ClientConfig):
        with pytest.raises(
            ConfigError, match=r"credentials: an RSA key of 1024 bits; at least 2048.*min_rsa_bits"
        ):
            make(credentials=[short()], trust_anchors=anchors())
    ServerConfig(credentials=[short()], min_rsa_bits=1024)
    with pytest.raises(ConfigError, match="at least 3072"):
        ServerConfig(credentials=[server_credential("rsa")], min_rsa_bits=3072)


@pytest.mark.parametrize("version", VERSIONS)
def test_sessions_from_before_the_bound_was_raised_are_not_resumed(version: int) -> None:
    """It is a part of the policy that a session belongs to, on both sides."""
    ours: dict[str, Any] = {
        "versions": [version],
        "trust_anchors": anchors(),
        "credentials": [client_credential()],
    }
    client, server = (
        ClientConfig(**ours),
        ServerConfig(
            **{**ours, "credentials": [server_credential()]},
            client_authentication=ClientAuthentication.REQUIRED,
        ),
    )
    first = ConnectionPair(client, server)
    first.pump()
    session = first.events("client", TicketReceived)[0].session
    for one, other, resumes in (
        (client, server, True),
        (evolve(client, min_rsa_bits=3072), server, False),
        (client, evolve(server, min_rsa_bits=3072), False),
    ):
        again = ConnectionPair(one, other, session=session)
        again.pump()
        assert again.event("client", HandshakeCompleted).resumed == resumes


@pytest.mark.parametrize("how", [ResumedCertificates.CHECK_VALIDITY, ResumedCertificates.VERIFY])
def test_the_keys_of_a_session_are_looked_at_where_the_config_says_so(how: ResumedCertificates) -> None:
    """Also under a context of one's own, which does not change with the bound."""
    key = rsa.generate_private_key(65537, 2048)
    own = issue(authority(), "leaf", key.public_key(), [SAN]).public_bytes(Encoding.DER)
    server = ServerConfig(
        credentials=[server_credential()],
        trust_anchors=anchors(),
        client_authentication=ClientAuthentication.REQUIRED,
        session_id_context=b"ours",
        resumed_certificates=how,
    )
    client = ClientConfig(trust_anchors=anchors(), credentials=[Credential((own,), key)])
    first = ConnectionPair(client, server)
    first.pump()
    for config, resumes in ((server, True), (evolve(server, min_rsa_bits=3072), False)):
        session = first.events("client", TicketReceived)[0].session
        again = ConnectionPair(client, config, session=session)
        again.pump()
        completed = again.events("client", HandshakeCompleted)[0]
        assert completed.resumed == resumes
