"""Each group, suite and signature scheme of ours with another implementation, in both roles.

The tables say how each is reached; ``test_nothing_is_left_out`` holds them to the defaults of the config.  What
was really agreed on is read from the bytes on the wire.
"""

from __future__ import annotations

from typing import Final

import pytest

from sansticket.config import (
    CERTIFICATE_ONLY_SCHEMES,
    DEFAULT_CIPHER_SUITES,
    DEFAULT_GROUPS,
    DEFAULT_SIGNATURE_SCHEMES,
    ClientAuthentication,
)
from sansticket.events import HandshakeCompleted, TicketReceived
from sansticket.wire.codes import CipherSuite, NamedGroup, SignatureScheme
from sansticket.wire.extensions import KeyShareAnswer
from sansticket.wire.messages import CertificateVerify, HelloRetryRequest, ServerHello
from tests.support.certificates import KEYS, Identity, authority, client_identity, server_identity
from tests.support.configs import server_config
from tests.support.credentials import anchors, credential_of
from tests.support.foreign import FOREIGN, Foreign, Meeting, Newer, our_client, our_server
from tests.support.pss import pss_identity

SUITES: Final = [
    CipherSuite.AES_128_GCM_SHA256,
    CipherSuite.AES_256_GCM_SHA384,
    CipherSuite.CHACHA20_POLY1305_SHA256,
]

SCHEMES: Final = {
    SignatureScheme.ECDSA_SECP256R1_SHA256: "p256",
    SignatureScheme.ECDSA_SECP384R1_SHA384: "p384",
    SignatureScheme.ECDSA_SECP521R1_SHA512: "p521",
    SignatureScheme.ED25519: "ed25519",
    SignatureScheme.ED448: "ed448",
    SignatureScheme.RSA_PSS_RSAE_SHA256: "rsa",
    SignatureScheme.RSA_PSS_RSAE_SHA384: "rsa",
    SignatureScheme.RSA_PSS_RSAE_SHA512: "rsa",
    SignatureScheme.RSA_PSS_PSS_SHA256: "rsa-pss",
    SignatureScheme.RSA_PSS_PSS_SHA384: "rsa-pss",
    SignatureScheme.RSA_PSS_PSS_SHA512: "rsa-pss",
    SignatureScheme.MLDSA44: "mldsa44",
    SignatureScheme.MLDSA65: "mldsa65",
    SignatureScheme.MLDSA87: "mldsa87",
}
"""Each scheme and a kind of key for it."""

IN_CERTIFICATES: Final = SignatureScheme.ECDSA_SECP256R1_SHA256
"""What the shared authority signs with; OpenSSL wants to see it offered."""

WITHOUT_CERTIFICATES: Final = {
    scheme for scheme in SCHEMES if scheme.name.startswith("MLDSA") and SCHEMES[scheme] not in KEYS
}
"""Schemes for which the oldest ``cryptography`` that we support cannot make certificates."""

pairs = [(foreign, group) for foreign in FOREIGN for group in foreign.groups]
each_group = pytest.mark.parametrize(
    ("foreign", "group"), pairs, ids=lambda value: getattr(value, "name", "")
)
each_suite = pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.name)
each_foreign = pytest.mark.parametrize("foreign", FOREIGN, ids=str)
each_scheme = pytest.mark.parametrize(
    ("foreign", "scheme"),
    [
        (foreign, scheme)
        for foreign in FOREIGN
        for scheme in SCHEMES
        if scheme not in WITHOUT_CERTIFICATES
        and not (foreign.name == "ssl" and scheme.name.startswith("MLDSA"))
    ],
    ids=lambda value: value.name,
)


def test_nothing_is_left_out() -> None:
    with_newer = {group for foreign, group in pairs if isinstance(foreign, Newer)}
    assert with_newer == set(DEFAULT_GROUPS)
    assert set(SUITES) == {suite for suite in DEFAULT_CIPHER_SUITES if suite >> 8 == 0x13}
    assert set(SCHEMES) == set(DEFAULT_SIGNATURE_SCHEMES) - set(CERTIFICATE_ONLY_SCHEMES)


# --- groups ----------------------------------------------------------------------------------------------------


def check_group(meeting: Meeting, group: int, *, retried: bool) -> None:
    (hello,) = meeting.messages(ServerHello)
    answer = hello.find(KeyShareAnswer)
    assert answer is not None
    assert answer.share.group == group
    assert bool(meeting.messages(HelloRetryRequest)) == retried
    assert meeting.one(HandshakeCompleted).group == meeting.ours.group == group
    meeting.exchange()


def another(group: int) -> NamedGroup:
    return NamedGroup.SECP384R1 if group == NamedGroup.SECP256R1 else NamedGroup.SECP256R1


@each_group
def test_a_group_at_once_as_client(foreign: Foreign, group: NamedGroup) -> None:
    check_group(our_client(foreign, foreign.server(server_identity()), groups=(group,)), group, retried=False)


@each_group
def test_a_group_after_a_retry_as_client(foreign: Foreign, group: NamedGroup) -> None:
    context = foreign.server(server_identity(), group=group)
    other = another(group)
    meeting = our_client(foreign, context, groups=(other, group), key_shares=(other,))
    check_group(meeting, group, retried=True)


@each_group
def test_a_group_at_once_as_server(foreign: Foreign, group: NamedGroup) -> None:
    context = foreign.client(authority(), group=group)
    check_group(our_server(foreign, context, groups=(group,)), group, retried=False)


@each_group
def test_a_group_after_a_retry_as_server(foreign: Foreign, group: NamedGroup) -> None:
    context = foreign.client(authority(), group=None)
    first = our_server(foreign, context)
    given = first.ours.group  # for which this client sends a share unasked
    meeting = our_server(foreign, context, groups=(group,))
    retried = group not in (given, NamedGroup.X25519)
    check_group(meeting, group, retried=retried)


# --- suites ----------------------------------------------------------------------------------------------------


@each_suite
@each_foreign
def test_a_suite_as_client(foreign: Foreign, suite: CipherSuite) -> None:
    context = foreign.server(server_identity())
    first = our_client(foreign, context, cipher_suites=(suite,))
    second = our_client(
        foreign, context, cipher_suites=(suite,), session=first.all(TicketReceived)[0].session
    )
    for meeting, resumed in ((first, False), (second, True)):
        assert meeting.messages(ServerHello)[0].cipher_suite == meeting.ours.cipher_suite == suite
        assert meeting.ours.resumed == foreign.resumed(meeting.theirs) == resumed
        meeting.exchange(b"a" * 50_000, b"b" * 50_000)


@each_suite
@each_foreign
def test_a_suite_as_server(foreign: Foreign, suite: CipherSuite) -> None:
    context, config = foreign.client(authority()), server_config(cipher_suites=(suite,))
    first = our_server(foreign, context, config=config)
    second = our_server(foreign, context, config=config, session=foreign.session(first.theirs))
    for meeting, resumed in ((first, False), (second, True)):
        assert meeting.messages(ServerHello)[0].cipher_suite == meeting.ours.cipher_suite == suite
        assert meeting.ours.resumed == foreign.resumed(meeting.theirs) == resumed
        meeting.exchange(b"a" * 50_000, b"b" * 50_000)


# --- signature schemes -----------------------------------------------------------------------------------------


def server_with(scheme: SignatureScheme) -> Identity:
    key = SCHEMES[scheme]
    return pss_identity() if key == "rsa-pss" else server_identity(key)


def client_with(scheme: SignatureScheme) -> Identity:
    key = SCHEMES[scheme]
    return pss_identity("client.example", client=True) if key == "rsa-pss" else client_identity(key)


def check_scheme(meeting: Meeting, scheme: SignatureScheme, *, ours: bool) -> None:
    """The signature of one side has that scheme, and the other is content."""
    (verify,) = meeting.messages(CertificateVerify, meeting.we if ours else meeting.they)
    assert verify.scheme == scheme
    meeting.exchange()


@each_scheme
def test_we_verify_a_server(foreign: Foreign, scheme: SignatureScheme) -> None:
    context = foreign.server(server_with(scheme))
    meeting = our_client(foreign, context, signature_schemes=dict.fromkeys((scheme, IN_CERTIFICATES)))
    check_scheme(meeting, scheme, ours=False)


@each_scheme
def test_we_sign_as_server(foreign: Foreign, scheme: SignatureScheme) -> None:
    credential = credential_of(server_with(scheme), (scheme,))
    check_scheme(
        our_server(foreign, foreign.client(authority()), credentials=[credential]), scheme, ours=True
    )


@each_scheme
def test_we_verify_a_client(foreign: Foreign, scheme: SignatureScheme) -> None:
    context = foreign.client(authority(), identity=client_with(scheme))
    meeting = our_server(
        foreign,
        context,
        signature_schemes=dict.fromkeys((scheme, IN_CERTIFICATES)),
        client_authentication=ClientAuthentication.REQUIRED,
        trust_anchors=anchors(),
    )
    check_scheme(meeting, scheme, ours=False)
    assert meeting.ours.peer_certificates[0] == client_with(scheme).chain_der[0]


@each_scheme
def test_we_sign_as_client(foreign: Foreign, scheme: SignatureScheme) -> None:
    context = foreign.server(server_identity(), client_authority=authority())
    meeting = our_client(foreign, context, credentials=[credential_of(client_with(scheme), (scheme,))])
    check_scheme(meeting, scheme, ours=True)
    assert foreign.certificate(meeting.theirs) == client_with(scheme).chain_der[0]
