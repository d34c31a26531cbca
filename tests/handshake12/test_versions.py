"""Two configs that know nothing of each other: the highest common version, or the right alert on both sides."""

from __future__ import annotations

from typing import Any, Final

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from sansticket.codes import CipherSuite, NamedGroup, ProtocolVersion, SignatureScheme
from sansticket.commands import SendData
from sansticket.config.choices import ClientAuthentication
from sansticket.config.client import ClientConfig
from sansticket.config.defaults import DEFAULT_CIPHER_SUITES, TLS_1_3_ONLY_GROUPS
from sansticket.config.server import ServerConfig
from sansticket.crypto.certificates import Credential
from sansticket.crypto.suites import SUITES
from sansticket.errors import ALERTS, ConfigError, Reason
from sansticket.events import ConnectionTerminated, HandshakeCompleted
from sansticket.library import ML_DSA, ML_KEM
from sansticket.tickets.session import Session
from sansticket.tickets.stores.cache import SessionCache
from sansticket.tickets.stores.client import ClientSessionStore
from sansticket.wire.extensions.key_exchange import KeyShareOffer, SupportedGroups
from sansticket.wire.extensions.negotiation import SignatureAlgorithms, SupportedVersions
from sansticket.wire.extensions.tls12 import (
    EcPointFormats,
    ExtendedMasterSecret,
    RenegotiationInfo,
    SessionTicketExtension,
)
from sansticket.wire.messages.hello import ClientHello
from tests.support.certificates import KEYS as KINDS
from tests.support.configs import client_config, server_config
from tests.support.credentials import anchors, client_credential, server_credential
from tests.support.newer import needs
from tests.support.pair import ConnectionPair
from tests.support.resumption import failed_checks, received, record, resumed
from tests.support.resumption12 import World12, in_clear

TLS12: Final = ProtocolVersion.TLS_1_2
TLS13: Final = ProtocolVersion.TLS_1_3
BOTH: Final = (TLS13, TLS12)
GROUPS: Final = (
    NamedGroup.X25519,
    NamedGroup.SECP256R1,
    NamedGroup.SECP384R1,
    *([NamedGroup.X25519_MLKEM768] if ML_KEM.installed else []),
)
SCHEMES: Final = (
    SignatureScheme.ECDSA_SECP256R1_SHA256,
    SignatureScheme.ECDSA_SECP384R1_SHA384,
    SignatureScheme.ED25519,
    SignatureScheme.RSA_PSS_RSAE_SHA256,
    SignatureScheme.RSA_PKCS1_SHA256,
)
KEYS: Final = ("p256", "ed25519", "rsa")
PSS: Final = SignatureScheme.RSA_PSS_RSAE_SHA256

REFUSALS: Final = {
    Reason.UNSUPPORTED_VERSION,
    Reason.NO_COMMON_CIPHER_SUITE,
    Reason.NO_COMMON_GROUP,
    Reason.NO_COMMON_SIGNATURE_SCHEME,
    Reason.NO_CREDENTIAL,
    Reason.NO_COMMON_APPLICATION_PROTOCOL,
    Reason.CERTIFICATE_REQUIRED,
    Reason.UNOFFERED_SIGNATURE_SCHEME,
}
"""How two sides without a common ground may end; all of them at the hands of the server, but for the last."""


def some_of(values: tuple[Any, ...]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(st.sampled_from(values), min_size=1, unique=True).map(tuple)


@st.composite
def common(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "versions": draw(st.just(BOTH) | some_of(BOTH)),
        "cipher_suites": draw(st.just(DEFAULT_CIPHER_SUITES) | some_of(tuple(DEFAULT_CIPHER_SUITES))),
        "groups": draw(st.just(GROUPS) | some_of(GROUPS)),
        "signature_schemes": draw(st.just(SCHEMES) | some_of(SCHEMES)),
        "alpn_protocols": draw(st.just(()) | some_of((b"h2", b"http/1.1"))),
        "tickets_in_tls12": draw(st.booleans()),
    }


@st.composite
def clients(draw: st.DrawFn) -> dict[str, Any]:
    certificate = draw(st.none() | st.sampled_from(KEYS))
    return {
        **draw(common()),
        "credentials": [client_credential(certificate)] if certificate else [],
        "middlebox_compatibility": draw(st.booleans()),
    }


@st.composite
def servers(draw: st.DrawFn) -> dict[str, Any]:
    return {
        **draw(common()),
        "credentials": [server_credential(key) for key in draw(some_of(KEYS))],
        "client_authentication": draw(st.sampled_from(ClientAuthentication)),
        "trust_anchors": anchors(),
        "session_cache": draw(st.none() | st.builds(SessionCache)),
    }


def made(make: Any, changes: dict[str, Any]) -> Any:
    """The config, or None if it cannot work at all."""
    try:
        return make(**changes)
    except ConfigError as error:
        if error.field not in ("versions", "cipher_suites", "signature_schemes", "credentials"):
            raise
        return None


@given(clients(), servers())
def test_the_highest_common_version_or_the_right_alert(theirs: dict[str, Any], ours: dict[str, Any]) -> None:
    client, server = made(client_config, theirs), made(server_config, ours)
    if client is None or server is None:
        return
    pair = ConnectionPair(client, server)
    pair.pump()
    shared = set(client.usable_versions) & set(server.usable_versions)
    if failure := failed(pair):
        assert failure.reason in REFUSALS
        assert (failure.reason is Reason.UNSUPPORTED_VERSION) == (not shared)
        return
    version = max(shared)
    check_connected(pair, version)
    again = ConnectionPair(client, server, session=received(pair))
    again.pump()
    check_connected(again, version)
    assert resumed(again) == bool(received(pair))


def failed(pair: ConnectionPair) -> ConnectionTerminated | None:
    """How it ended: one side says why and sends the alert, the other hears it."""
    ends = [event for side in ("client", "server") for event in of(pair, side)]
    if not ends:
        return None
    (mine,), (heard,) = ([e for e in ends if not e.by_peer], [e for e in ends if e.by_peer])
    assert heard.reason is Reason.PEER_ALERT
    assert heard.alert == mine.alert
    if mine.reason is not Reason.CERTIFICATE_REQUIRED:
        assert mine.alert == ALERTS[mine.reason]
    return mine


def of(pair: ConnectionPair, side: Any) -> list[ConnectionTerminated]:
    return pair.events(side, ConnectionTerminated)


def check_connected(pair: ConnectionPair, version: int) -> None:
    """Both sides agree on everything, and what they agree on is of that version."""
    client, server = pair.event("client", HandshakeCompleted), pair.event("server", HandshakeCompleted)
    for one, other in zip(facts(client), facts(server), strict=True):
        assert one == other
    assert client.version == version
    assert (SUITES[client.cipher_suite].tls12_authentication is None) == (version == TLS13)
    assert version == TLS13 or client.group not in TLS_1_3_ONLY_GROUPS
    pair.send("client", SendData(b"question"))
    pair.send("server", SendData(b"answer"))
    assert (pair.data("server"), pair.data("client")) == (b"question", b"answer")
    assert pair.client.tls_exporter() == pair.server.tls_exporter()


def facts(done: HandshakeCompleted) -> tuple[object, ...]:
    return (
        done.version,
        done.cipher_suite,
        done.group,
        done.alpn_protocol,
        done.server_name,
        done.resumed,
        done.session and done.session.secret,
    )


# --- what a client says ------------------------------------------------------------------------------------------


def hello_of(config: ClientConfig) -> ClientHello:
    pair = ConnectionPair(config, server_config())
    pair.carry("client")
    (hello,) = in_clear(pair)
    assert isinstance(hello, ClientHello)
    return hello


FOR_TLS12 = (ExtendedMasterSecret, RenegotiationInfo, EcPointFormats, SessionTicketExtension)
PKCS1 = {SignatureScheme.RSA_PKCS1_SHA256, SignatureScheme.RSA_PKCS1_SHA384, SignatureScheme.RSA_PKCS1_SHA512}
MLDSA = {SignatureScheme.MLDSA44, SignatureScheme.MLDSA65, SignatureScheme.MLDSA87}


@pytest.mark.parametrize("versions", [BOTH, (TLS13,), (TLS12,), (TLS12, TLS13)])
def test_one_hello_for_all_versions(versions: tuple[int, ...]) -> None:
    hello = hello_of(client_config(versions=versions))
    tls12, tls13 = TLS12 in versions, TLS13 in versions
    assert hello.legacy_version == TLS12
    assert len(hello.session_id) == (32 if tls13 else 0)
    assert any(suite >> 8 == 0x13 for suite in hello.cipher_suites) == tls13
    assert any(suite >> 8 != 0x13 for suite in hello.cipher_suites) == tls12
    for kind in FOR_TLS12:
        assert (hello.find(kind) is not None) == tls12
    for kind in (SupportedVersions, KeyShareOffer):
        assert (hello.find(kind) is not None) == tls13
    named, groups, schemes = (
        hello.find(SupportedVersions),
        hello.find(SupportedGroups),
        hello.find(SignatureAlgorithms),
    )
    assert named is None or named.versions == tuple(sorted(versions, reverse=True))
    assert groups is not None
    assert bool(set(groups.groups) & TLS_1_3_ONLY_GROUPS) == (tls13 and ML_KEM.installed)
    assert schemes is not None
    assert (set(schemes.schemes) >= PKCS1) == tls12
    assert tls12 or not set(schemes.schemes) & PKCS1
    assert tls13 or not set(schemes.schemes) & MLDSA


@pytest.mark.parametrize(
    "change",
    [
        {"cipher_suites": [CipherSuite.AES_128_GCM_SHA256]},
        pytest.param({"groups": [NamedGroup.X25519_MLKEM768]}, marks=needs(ML_KEM)),
        pytest.param({"signature_schemes": [SignatureScheme.MLDSA65]}, marks=needs(ML_DSA)),
    ],
)
def test_a_version_without_suite_group_or_scheme_is_not_offered(change: dict[str, Any]) -> None:
    config = client_config(**change)
    assert config.usable_versions == (TLS13,)
    named = hello_of(config).find(SupportedVersions)
    assert named is not None
    assert named.versions == (TLS13,)
    with pytest.raises(
        ConfigError, match=r"^versions: cipher_suites, groups or signature_schemes have nothing"
    ):
        client_config(versions=[TLS12], **change)


@pytest.mark.parametrize("make", [client_config, server_config])
@pytest.mark.parametrize(
    "change",
    [
        {"cipher_suites": [CipherSuite.ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]},
        {"signature_schemes": [SignatureScheme.RSA_PKCS1_SHA256, SignatureScheme.RSA_PKCS1_SHA512]},
    ],
    ids=str,
)
def test_no_list_lowers_the_version(make: Any, change: dict[str, Any]) -> None:
    """What leaves TLS 1.3 nothing is an error, and not a connection of TLS 1.2 that nobody asked for."""
    (name,) = change
    given = {**change, "credentials": [server_credential("rsa")]} if name == "signature_schemes" else change
    with pytest.raises(ConfigError, match=f"^{name}: nothing for TLS 1.3, which is among the versions"):
        make(**given)
    with pytest.raises(ConfigError, match=f"^{name}: nothing for TLS 1.3, which is among the versions"):
        make(versions=[TLS13], **given)
    assert make(versions=[TLS12], **given).usable_versions == (TLS12,)


def of_schemes(key: str, *schemes: SignatureScheme) -> Credential:
    credential = server_credential(key)
    return Credential(credential.chain, credential.private_key, schemes)


@pytest.mark.parametrize(
    ("version", "change"),
    [
        (TLS13, {"signature_schemes": [SignatureScheme.ED25519]}),
        (TLS13, {"credentials": [of_schemes("rsa", SignatureScheme.RSA_PKCS1_SHA256)]}),
        (TLS12, {"signature_schemes": [SignatureScheme.ED25519]}),
        (TLS12, {"cipher_suites": [CipherSuite.ECDHE_RSA_WITH_AES_128_GCM_SHA256]}),
        *([(TLS12, {"credentials": [server_credential("mldsa65")]})] if "mldsa65" in KINDS else []),
    ],
    ids=str,
)
def test_a_server_needs_a_credential_for_its_version(version: int, change: dict[str, Any]) -> None:
    """Otherwise every handshake would fail."""
    name = "TLS 1.3" if version == TLS13 else "TLS 1.2"
    with pytest.raises(ConfigError, match=f"^credentials: none is for {name}, which is among the versions"):
        server_config(versions=[version], **change)
    fitting = server_credential("ed25519" if "signature_schemes" in change else "rsa")
    credentials = [*change.pop("credentials", [server_credential()]), fitting]
    assert server_config(versions=[version], credentials=credentials, **change).usable_versions == (version,)


@pytest.mark.skipif("mldsa65" not in KINDS, reason="the only kind of key that TLS 1.2 does not have")
def test_a_server_whose_credentials_are_for_tls13_alone_has_no_tls12() -> None:
    """A client of TLS 1.2 hears of the version, which is what is missing; one of both has TLS 1.3."""
    config = server_config(credentials=[server_credential("mldsa65")])
    assert config.usable_versions == (TLS13,)
    pair = ConnectionPair(client_config(versions=[TLS12]), config)
    pair.pump()
    assert pair.event("server", ConnectionTerminated).reason is Reason.UNSUPPORTED_VERSION
    with pytest.raises(ConfigError, match=r"^credentials: none is for TLS 1.3"):
        server_config(credentials=[of_schemes("rsa", SignatureScheme.RSA_PKCS1_SHA256)])


def test_a_client_whose_credentials_go_with_nothing() -> None:
    with pytest.raises(ConfigError, match=r"^credentials: none has a key that goes with one of the"):
        client_config(credentials=[client_credential("ed25519")], signature_schemes=[PSS])
    both = [client_credential("ed25519"), client_credential("rsa")]
    assert client_config(credentials=both, signature_schemes=[PSS]).credentials == tuple(both)


@pytest.mark.parametrize("versions", [[], [0x0302], [TLS13, TLS13], [TLS12, 0x0305]])
def test_versions_that_a_config_cannot_have(versions: list[int]) -> None:
    with pytest.raises(ConfigError, match=r"^versions: "):
        client_config(versions=versions)


# --- sessions of both versions -----------------------------------------------------------------------------------


def sessions(world: World12, keys: ServerConfig) -> tuple[Session, Session]:
    """One of TLS 1.3 and one of TLS 1.2, from the same server."""
    client = world.client(versions=BOTH)
    tls13, tls12 = (
        received(world.connect(evolve(keys, versions=versions), client=client))[0]
        for versions in ((TLS13,), (TLS12,))
    )
    assert (tls13.version, tls12.version) == (TLS13, TLS12)
    return tls13, tls12


@pytest.mark.parametrize("version", BOTH)
def test_a_session_belongs_to_its_version(world: World12, version: int) -> None:
    """Both are shown; the server takes the one of its version."""
    config = world.server(versions=BOTH)
    both = sessions(world, config)
    client = world.client(versions=BOTH)
    pair = world.connect(evolve(config, versions=(version,)), both, client=client)
    assert resumed(pair)
    assert pair.client.version == version
    assert record(pair, "client").winner == (0 if version == TLS13 else 1)
    assert pair.client.session == both[0 if version == TLS13 else 1]


@pytest.mark.parametrize("version", BOTH)
def test_a_session_of_the_other_version_is_a_full_handshake(world: World12, version: int) -> None:
    config = world.server(versions=BOTH)
    tls13, tls12 = sessions(world, config)
    session = tls12 if version == TLS13 else tls13
    pair = world.connect(evolve(config, versions=(version,)), session, client=world.client(versions=BOTH))
    assert not resumed(pair)
    assert pair.client.version == version
    assert record(pair, "client").why.startswith("the server")


@pytest.mark.parametrize("version", BOTH)
def test_a_session_of_a_version_that_is_not_offered_is_not_shown(world: World12, version: int) -> None:
    config = world.server(versions=BOTH)
    tls13, tls12 = sessions(world, config)
    session = tls12 if version == TLS13 else tls13
    pair = world.connect(config, session, client=world.client(versions=(version,)))
    assert not resumed(pair)
    assert failed_checks(pair, side="client") == ["version"]


def test_one_session_of_tls12_is_shown(world: World12) -> None:
    config = world.server()
    first, second = world.session(config), world.session(config)
    pair = world.connect(config, [first, second])
    assert resumed(pair)
    assert pair.client.session == first
    assert failed_checks(pair, 1, "client") == ["place"]
    pair = world.connect(config, [evolve(first, issued_at=0), second])
    assert pair.client.session == second
    assert record(pair, "client").winner == 1


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ({"cipher_suite": 0xC030}, "suite"),
        ({"extended_master_secret": False}, "extended master secret"),
        ({"lifetime": 0}, "expiry"),
        ({"server_name": "other.example"}, "name"),
        ({"session_id_context": b"another policy"}, "verification policy"),
        ({"ticket": b""}, "version"),
        ({"ticket": bytes(65_535)}, "size"),
    ],
)
def test_what_is_not_shown(world: World12, change: dict[str, Any], check: str) -> None:
    config = world.server()
    session = evolve(world.session(config), **change)
    client = world.client(cipher_suites=[CipherSuite.ECDHE_ECDSA_WITH_AES_128_GCM_SHA256])
    pair = world.connect(config, session, client=client)
    assert not resumed(pair)
    assert failed_checks(pair, side="client") == [check]


# --- a client that looks after its sessions itself ---------------------------------------------------------------


@pytest.mark.parametrize("by_id", [True, False])
def test_a_store_lends_a_session_of_tls12_to_many(world: World12, by_id: bool) -> None:
    """And drops it when a server does not take it."""
    store = ClientSessionStore()
    client = world.client(session_store=store, versions=BOTH)
    config = world.by_id() if by_id else world.server()
    assert not resumed(world.connect(config, client=client))
    pairs = [ConnectionPair(client, config) for _ in range(3)]
    for pair in pairs:
        pair.pump()
        assert resumed(pair)
    assert len(store) == 1
    other = world.by_id() if by_id else world.server()
    assert not resumed(world.connect(other, client=client))
    assert resumed(world.connect(other, client=client))
    assert len(store) == 1
