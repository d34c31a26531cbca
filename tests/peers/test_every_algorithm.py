"""Each group, suite and signature scheme of ours with other implementations, in both roles and versions.

The tables say how each is reached; ``test_nothing_is_left_out`` holds them to the defaults of the config.  What
was really agreed on is read from the bytes on the wire.
"""

from __future__ import annotations

import ssl
from typing import Any, Final

import pytest

from sansticket.codes import CipherSuite, NamedGroup, ProtocolVersion, SignatureScheme
from sansticket.config.choices import ClientAuthentication
from sansticket.config.defaults import (
    CERTIFICATE_ONLY_SCHEMES,
    DEFAULT_CIPHER_SUITES,
    DEFAULT_GROUPS,
    DEFAULT_SIGNATURE_SCHEMES,
    TLS_1_3_ONLY_GROUPS,
    TLS_1_3_ONLY_SCHEMES,
)
from sansticket.events import HandshakeCompleted, TicketReceived
from sansticket.library import ML_KEM
from sansticket.wire.extensions.key_exchange import KeyShareAnswer
from sansticket.wire.messages.hello import HelloRetryRequest, ServerHello
from sansticket.wire.messages.tls12 import ServerKeyExchange
from sansticket.wire.messages.tls13 import CertificateVerify
from tests.support.certificates import KEYS, Identity, authority, client_identity, server_identity
from tests.support.configs import server_config
from tests.support.credentials import anchors, credential_of, server_credential
from tests.support.foreign import FOREIGN, TLS12, TLS13, Foreign, Meeting, Newer, our_client, our_server
from tests.support.newer import needs
from tests.support.pss import pss_identity
from tests.support.pyopenssl_peer import context as newer_context

SUITES: Final = {
    CipherSuite.AES_128_GCM_SHA256: "p256",
    CipherSuite.AES_256_GCM_SHA384: "p256",
    CipherSuite.CHACHA20_POLY1305_SHA256: "p256",
    CipherSuite.ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: "p256",
    CipherSuite.ECDHE_RSA_WITH_AES_128_GCM_SHA256: "rsa",
    CipherSuite.ECDHE_ECDSA_WITH_AES_256_GCM_SHA384: "p256",
    CipherSuite.ECDHE_RSA_WITH_AES_256_GCM_SHA384: "rsa",
    CipherSuite.ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: "p256",
    CipherSuite.ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256: "rsa",
}
"""Each suite and a kind of key for it."""

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
    SignatureScheme.RSA_PKCS1_SHA256: "rsa",
    SignatureScheme.RSA_PKCS1_SHA384: "rsa",
    SignatureScheme.RSA_PKCS1_SHA512: "rsa",
}
"""Each scheme and a kind of key for it."""

IN_CERTIFICATES: Final = SignatureScheme.ECDSA_SECP256R1_SHA256
"""What the shared authority signs with; OpenSSL wants to see it offered."""

WITHOUT_CERTIFICATES: Final = {scheme for scheme in TLS_1_3_ONLY_SCHEMES if SCHEMES[scheme] not in KEYS}
"""Schemes for which the oldest ``cryptography`` that we support cannot make certificates."""


ONLY_IF_NAMED: Final = {NamedGroup.SECP384R1_MLKEM1024}
"""Groups that OpenSSL has and does not use by itself."""


def versions_of_group(group: NamedGroup) -> list[ProtocolVersion]:
    return [TLS13] if group in TLS_1_3_ONLY_GROUPS else [TLS12, TLS13]


def needed_by(group: NamedGroup) -> list[pytest.MarkDecorator]:
    """All groups that are for TLS 1.3 alone are hybrids."""
    return [needs(ML_KEM)] if group in TLS_1_3_ONLY_GROUPS else []


def version_of_suite(suite: CipherSuite) -> ProtocolVersion:
    return TLS13 if suite >> 8 == 0x13 else TLS12


def versions_of_scheme(scheme: SignatureScheme) -> list[ProtocolVersion]:
    if scheme in TLS_1_3_ONLY_SCHEMES:
        return [TLS13]
    return [TLS12] if scheme in CERTIFICATE_ONLY_SCHEMES else [TLS12, TLS13]


def schemes_of(foreign: Foreign) -> list[SignatureScheme]:
    unknown = WITHOUT_CERTIFICATES if isinstance(foreign, Newer) else TLS_1_3_ONLY_SCHEMES
    return [scheme for scheme in SCHEMES if scheme not in unknown]


def name_of(value: object) -> str:
    return str(getattr(value, "name", value))


each_foreign = pytest.mark.parametrize("foreign", FOREIGN, ids=name_of)
each_suite = pytest.mark.parametrize("suite", SUITES, ids=name_of)
each_group = pytest.mark.parametrize(
    ("foreign", "group"),
    [pytest.param(foreign, group, marks=needed_by(group)) for foreign in FOREIGN for group in foreign.groups],
    ids=name_of,
)
each_group_and_version = pytest.mark.parametrize(
    ("foreign", "group", "version"),
    [
        pytest.param(foreign, group, version, marks=needed_by(group))
        for foreign in FOREIGN
        for group in foreign.groups
        for version in versions_of_group(group)
    ],
    ids=name_of,
)
each_scheme = pytest.mark.parametrize(
    ("foreign", "scheme", "version"),
    [
        (foreign, scheme, version)
        for foreign in FOREIGN
        for scheme in schemes_of(foreign)
        for version in versions_of_scheme(scheme)
    ],
    ids=name_of,
)


def test_nothing_is_left_out() -> None:
    assert {group for foreign in FOREIGN for group in foreign.groups} == set(DEFAULT_GROUPS)
    assert set(SUITES) == set(DEFAULT_CIPHER_SUITES)
    assert set(SCHEMES) == set(DEFAULT_SIGNATURE_SCHEMES)
    tried = {scheme for foreign in FOREIGN for scheme in schemes_of(foreign)}
    assert set(DEFAULT_SIGNATURE_SCHEMES) - tried == WITHOUT_CERTIFICATES


# --- groups ----------------------------------------------------------------------------------------------------


def check_group(meeting: Meeting, group: int, version: int = TLS13, *, retried: bool = False) -> None:
    if version == TLS13:
        answer = meeting.messages(ServerHello)[0].find(KeyShareAnswer)
        assert answer is not None
        assert answer.share.group == group
    else:
        assert meeting.messages(ServerKeyExchange)[0].group == group
    assert bool(meeting.messages(HelloRetryRequest)) == retried
    completed = meeting.one(HandshakeCompleted)
    assert (completed.version, completed.group) == (version, group)
    meeting.exchange()


@each_group_and_version
def test_a_group_at_once_as_client(foreign: Foreign, group: NamedGroup, version: int) -> None:
    named = group if group in ONLY_IF_NAMED else None
    context = foreign.server(
        server_identity("rsa"), group=named, version=version
    )  # TLS 1.2: a key on a curve needs its group
    check_group(our_client(foreign, context, groups=(group,), versions=(version,)), group, version)


@each_group_and_version
def test_a_group_at_once_as_server(foreign: Foreign, group: NamedGroup, version: int) -> None:
    context = foreign.client(authority(), group=group, version=version)
    ours = our_server(
        foreign, context, groups=(group,), versions=(version,), credentials=[server_credential("rsa")]
    )
    check_group(ours, group, version)


@each_group
def test_a_group_after_a_retry_as_client(foreign: Foreign, group: NamedGroup) -> None:
    context = foreign.server(server_identity(), group=group)
    other = NamedGroup.SECP384R1 if group == NamedGroup.SECP256R1 else NamedGroup.SECP256R1
    meeting = our_client(foreign, context, groups=(other, group), key_shares=(other,))
    check_group(meeting, group, retried=True)


@each_group
def test_a_group_after_a_retry_as_server(foreign: Foreign, group: NamedGroup) -> None:
    context = foreign.client(authority())
    if group in ONLY_IF_NAMED:
        context = newer_context(authority=authority(), groups=("X25519", foreign.groups[group]))
    unasked = {NamedGroup.X25519, our_server(foreign, context).ours.group}  # what this client sends shares of
    check_group(our_server(foreign, context, groups=(group,)), group, retried=group not in unasked)


# --- suites ----------------------------------------------------------------------------------------------------


def check_suite(meeting: Meeting, suite: CipherSuite, *, resumed: bool) -> None:
    assert meeting.messages(ServerHello)[0].cipher_suite == meeting.ours.cipher_suite == suite
    assert meeting.ours.resumed == meeting.foreign.resumed(meeting.theirs) == resumed
    meeting.exchange(b"a" * 50_000, b"b" * 50_000)


@each_suite
@each_foreign
def test_a_suite_as_client(foreign: Foreign, suite: CipherSuite) -> None:
    version = version_of_suite(suite)
    context = foreign.server(server_identity(SUITES[suite]), version=version)
    first = our_client(foreign, context, cipher_suites=(suite,), versions=(version,))
    check_suite(first, suite, resumed=False)
    session = first.all(TicketReceived)[0].session
    second = our_client(foreign, context, session=session, cipher_suites=(suite,), versions=(version,))
    check_suite(second, suite, resumed=True)


@each_suite
@each_foreign
def test_a_suite_as_server(foreign: Foreign, suite: CipherSuite) -> None:
    version, credential = version_of_suite(suite), server_credential(SUITES[suite])
    context = foreign.client(authority(), version=version)
    config = server_config(cipher_suites=(suite,), versions=(version,), credentials=[credential])
    first = our_server(foreign, context, config=config)
    check_suite(first, suite, resumed=False)
    second = our_server(foreign, context, config=config, session=foreign.session(first.theirs))
    check_suite(second, suite, resumed=True)


# --- signature schemes -----------------------------------------------------------------------------------------


def server_with(scheme: SignatureScheme) -> Identity:
    key = SCHEMES[scheme]
    return pss_identity() if key == "rsa-pss" else server_identity(key)


def client_with(scheme: SignatureScheme) -> Identity:
    key = SCHEMES[scheme]
    return pss_identity("client.example", client=True) if key == "rsa-pss" else client_identity(key)


def only(scheme: SignatureScheme) -> list[SignatureScheme]:
    """What to offer so that this one is taken."""
    return list(dict.fromkeys((scheme, IN_CERTIFICATES)))


def in_our_order(context: Any) -> Any:
    """In TLS 1.2 any hash goes with any curve: ``ssl`` has its own order unless it is told otherwise."""
    if isinstance(context, ssl.SSLContext):
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    return context


def check_server_signature(meeting: Meeting, scheme: SignatureScheme, version: int) -> None:
    if version == TLS13:
        assert [verify.scheme for verify in meeting.messages(CertificateVerify, "server")] == [scheme]
    else:
        assert [exchange.scheme for exchange in meeting.messages(ServerKeyExchange)] == [scheme]
    meeting.exchange()


def check_client_signature(meeting: Meeting, scheme: SignatureScheme) -> None:
    assert [verify.scheme for verify in meeting.messages(CertificateVerify, "client")] == [scheme]
    meeting.exchange()


@each_scheme
def test_we_verify_a_server(foreign: Foreign, scheme: SignatureScheme, version: int) -> None:
    context = in_our_order(foreign.server(server_with(scheme), version=version))
    meeting = our_client(foreign, context, signature_schemes=only(scheme), versions=(version,))
    check_server_signature(meeting, scheme, version)


@each_scheme
def test_we_sign_as_server(foreign: Foreign, scheme: SignatureScheme, version: int) -> None:
    context = foreign.client(authority(), version=version)
    credential = credential_of(server_with(scheme), (scheme,))
    meeting = our_server(foreign, context, credentials=[credential], versions=(version,))
    check_server_signature(meeting, scheme, version)


@each_scheme
def test_we_verify_a_client(foreign: Foreign, scheme: SignatureScheme, version: int) -> None:
    meeting = our_server(
        foreign,
        in_our_order(foreign.client(authority(), identity=client_with(scheme), version=version)),
        signature_schemes=only(scheme),
        client_authentication=ClientAuthentication.REQUIRED,
        trust_anchors=anchors(),
        versions=(version,),
    )
    check_client_signature(meeting, scheme)
    assert meeting.ours.peer_certificates[0] == client_with(scheme).chain_der[0]


@each_scheme
def test_we_sign_as_client(foreign: Foreign, scheme: SignatureScheme, version: int) -> None:
    context = foreign.server(server_identity(), client_authority=authority(), version=version)
    credential = credential_of(client_with(scheme), (scheme,))
    meeting = our_client(foreign, context, credentials=[credential], versions=(version,))
    check_client_signature(meeting, scheme)
    assert foreign.certificate(meeting.theirs) == client_with(scheme).chain_der[0]
