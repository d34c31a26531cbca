"""OpenSSL's path validation as the answer to ``VerifyPeer``: revocation, time, names, and whole handshakes."""

from __future__ import annotations

import datetime
import random
import re
from typing import Any

import pytest
from attrs import evolve
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from sansticket.codes import ProtocolVersion
from sansticket.commands import AcceptPeer
from sansticket.config.choices import ClientAuthentication
from sansticket.config.client import ClientConfig
from sansticket.config.server import ServerConfig
from sansticket.crypto.certificates import Credential, TrustAnchors
from sansticket.crypto.inspection import public_key_of
from sansticket.errors import ALERTS, ConfigError, Fault, LocalProtocolError, Reason
from sansticket.events import ConnectionTerminated, HandshakeCompleted, VerifyPeer
from sansticket.verifiers.pyopenssl import REASONS, ClientVerifier, ServerVerifier
from tests.crypto.test_verification import changed_somewhere
from tests.support.certificates import KEYS, Authority, authority, server_identity
from tests.support.credentials import (
    CA,
    DAY,
    NOW,
    anchors,
    anchors_of,
    client_credential,
    credential_of,
    root,
    server_credential,
    subordinate,
    with_chain,
)
from tests.support.pair import ConnectionPair
from tests.support.staples import NEXT_UPDATE, REVOKED, of_another_certificate, staple

NAME = "server.example"


def question(
    chain: tuple[bytes, ...], trusted: TrustAnchors | None = None, name: str | None = NAME
) -> VerifyPeer:
    return VerifyPeer(chain, name, public_key_of(chain[0]), anchors() if trusted is None else trusted)


def refused(verifier: Any, asked: VerifyPeer) -> tuple[Reason, str]:
    with pytest.raises(Fault) as caught:
        verifier(asked)
    return caught.value.reason, caught.value.detail


def revocation_list(
    issuer: Authority,
    *revoked: x509.Certificate,
    end: datetime.timedelta = DAY,
    start: datetime.timedelta = DAY,
) -> bytes:
    builder = x509.CertificateRevocationListBuilder(issuer.certificate.subject, NOW - start, NOW + end)
    for certificate in revoked:
        one = x509.RevokedCertificateBuilder(certificate.serial_number, NOW - DAY)
        builder = builder.add_revoked_certificate(one.build())
    return builder.sign(issuer.key, SHA256()).public_bytes(Encoding.DER)


# --- revocation ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("as_pem", [False, True])
def test_revoked(as_pem: bool) -> None:
    identity = server_identity()
    crls = [revocation_list(authority(), identity.certificate)]
    if as_pem:
        crls = [x509.load_der_x509_crl(crls[0]).public_bytes(Encoding.PEM)]
    reason, detail = refused(ServerVerifier(crls), question(identity.chain_der))
    assert (reason, detail) == (Reason.CERTIFICATE_REVOKED, "certificate revoked")
    other = authority().issue(NAME)
    ServerVerifier(crls)(question(other.chain_der))
    client = authority().issue("client.example", client=True)
    lists = [revocation_list(authority(), client.certificate)]
    assert (
        refused(ClientVerifier(lists), question(client.chain_der, name=None))[0] is Reason.CERTIFICATE_REVOKED
    )


def test_a_revoked_intermediate() -> None:
    middle = subordinate(authority())
    chain = with_chain(middle.issue(NAME), middle).chain_der
    lists = [revocation_list(authority(), middle.certificate), revocation_list(middle)]
    assert refused(ServerVerifier(lists), question(chain))[0] is Reason.CERTIFICATE_REVOKED
    ServerVerifier(lists, crls_for_leaf_only=True)(question(chain))
    ServerVerifier([revocation_list(authority()), revocation_list(middle)])(question(chain))


def test_an_authority_without_a_list() -> None:
    middle = subordinate(authority())
    chain = with_chain(middle.issue(NAME), middle).chain_der
    for lists in ([revocation_list(authority())], [revocation_list(middle)]):
        assert refused(ServerVerifier(lists), question(chain)) == (
            Reason.CERTIFICATE_UNTRUSTED,
            "unable to get certificate CRL",
        )
    ServerVerifier([revocation_list(middle)], crls_for_leaf_only=True)(question(chain))


def test_an_anchor_that_is_no_root_needs_no_list() -> None:
    """Its own issuer is not in the path, whatever else is trusted."""
    middle = subordinate(authority())
    below = subordinate(middle, "below")
    identity = below.issue(NAME)
    chain = with_chain(identity, below).chain_der
    lists = [revocation_list(middle), revocation_list(below)]
    others = [revocation_list(authority(), middle.certificate)]
    for trusted in (anchors_of(middle), anchors_of(middle, authority())):
        for crls in (lists, lists + others):
            ServerVerifier(crls)(question(chain, trusted))
        for wrong, reason in (
            (lists[:1], Reason.CERTIFICATE_UNTRUSTED),
            (lists[1:], Reason.CERTIFICATE_UNTRUSTED),
            ([lists[0], revocation_list(below, identity.certificate)], Reason.CERTIFICATE_REVOKED),
            ([lists[1], revocation_list(middle, below.certificate)], Reason.CERTIFICATE_REVOKED),
            ([lists[1], revocation_list(middle, end=-DAY / 2)], Reason.CERTIFICATE_INVALID),
        ):
            assert refused(ServerVerifier(wrong), question(chain, trusted))[0] is reason


def test_a_revoked_certificate_that_is_an_anchor_itself() -> None:
    """Where its issuer is known."""
    middle = subordinate(authority())
    identity = middle.issue(NAME)
    chain = with_chain(identity, middle).chain_der
    trusted = TrustAnchors(chain[:1])
    for leaf_alone in (True, False):
        ServerVerifier([revocation_list(middle)], crls_for_leaf_only=leaf_alone)(question(chain, trusted))
        verifier = ServerVerifier(
            [revocation_list(middle, identity.certificate)], crls_for_leaf_only=leaf_alone
        )
        assert refused(verifier, question(chain, trusted))[0] is Reason.CERTIFICATE_REVOKED


def test_a_list_that_is_not_valid_today() -> None:
    chain = server_identity().chain_der
    for lists in (
        [revocation_list(authority(), end=-DAY / 2)],
        [revocation_list(authority(), start=-DAY / 2)],
    ):
        reason, detail = refused(ServerVerifier(lists), question(chain))
        assert reason is Reason.CERTIFICATE_INVALID
        assert "CRL" in detail
    forged = revocation_list(Authority(authority().certificate, root().key))
    assert refused(ServerVerifier([forged]), question(chain))[0] is Reason.CERTIFICATE_INVALID


@pytest.mark.parametrize(
    "crls", [b"a list", "a list", [1], [None], 7, [b""], [b"no list"], [b"-----BEGIN X"]]
)
def test_what_is_no_list(crls: Any) -> None:
    for kind in (ServerVerifier, ClientVerifier):
        with pytest.raises(ConfigError) as caught:
            kind(crls)
        assert caught.value.field == "crls"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("crls_for_leaf_only", "yes"),
        ("crls_for_leaf_only", 1),
        ("clock", 0.0),
        pytest.param("clock", 10**5000, id="huge"),
        ("min_rsa_bits", "2048"),
        ("min_rsa_bits", True),
        ("min_rsa_bits", -1),
    ],
)
def test_other_wrong_arguments(name: str, value: Any) -> None:
    for kind in (ServerVerifier, ClientVerifier):
        with pytest.raises(ConfigError) as caught:
            kind(**{name: value})
        assert caught.value.field == name


# --- time, names, keys, anchors -------------------------------------------------------------------------------


def test_the_clock() -> None:
    asked = question(server_identity().chain_der)
    ServerVerifier(clock=NOW.timestamp)(asked)
    later = (NOW + 400 * DAY).timestamp()
    for time in later, 0.0:
        reason, detail = refused(ServerVerifier(clock=lambda time=time: time), asked)
        assert reason is Reason.CERTIFICATE_EXPIRED
        now = f"{datetime.datetime.fromtimestamp(time, datetime.UTC):%Y-%m-%d %H:%M:%S}"
        assert re.match(rf"CN=.+ is valid from .* to .*, and now it is {now} \(UTC\)$", detail)


@pytest.mark.parametrize(
    ("name", "right"),
    [(NAME, True), ("127.0.0.1", True), ("other.example", False), ("127.0.0.2", False), ("leaf", False)],
)
def test_names(name: str, right: bool) -> None:
    asked = question(server_identity().chain_der, name=name)
    if right:
        ServerVerifier()(asked)
    else:
        assert refused(ServerVerifier(), asked)[0] is Reason.CERTIFICATE_NAME_MISMATCH


def test_a_server_is_verified_by_name_only() -> None:
    """A client without a server name asks without one, as a server does: that is no client's chain."""
    client = authority().issue("client.example", client=True)
    with pytest.raises(LocalProtocolError, match="needs the server's name"):
        ServerVerifier()(question(client.chain_der, name=None))
    assert refused(ServerVerifier(), question(client.chain_der, name="client.example"))[0] is (
        Reason.CERTIFICATE_UNSUPPORTED
    )


def test_without_trust_anchors() -> None:
    chain = server_identity().chain_der
    for verifier in (ServerVerifier(), ClientVerifier()):
        with pytest.raises(LocalProtocolError, match="needs the config's trust_anchors"):
            verifier(VerifyPeer(chain, NAME, public_key_of(chain[0]), None))


def test_the_length_of_rsa_keys_of_authorities_too() -> None:
    long = root(make_key=KEYS["rsa"])
    asked = question(long.issue(NAME).chain_der, anchors_of(long))
    ServerVerifier()(asked)
    reason, detail = refused(ServerVerifier(min_rsa_bits=3072), asked)
    assert (reason, detail) == (
        Reason.CERTIFICATE_UNSUPPORTED,
        "an RSA key of 2048 bits; at least 3072 are accepted",
    )


@pytest.mark.parametrize("garbage", [b"", b"0\0", b"no certificate"])
def test_what_is_no_certificate(garbage: bytes) -> None:
    chain = server_identity().chain_der
    asked = VerifyPeer((*chain, garbage), NAME, public_key_of(chain[0]), anchors())
    assert refused(ServerVerifier(), asked)[0] is Reason.CERTIFICATE_MALFORMED


def test_every_verdict_is_about_certificates() -> None:
    assert all(reason.name.startswith("CERTIFICATE_") for reason in REASONS.values())
    assert repr(ServerVerifier([revocation_list(authority())])) == (
        "ServerVerifier(crls=<1>, crls_for_leaf_only=False, min_rsa_bits=2048)"
    )


# --- whole handshakes -----------------------------------------------------------------------------------------


def handshake(client: dict[str, Any], server: dict[str, Any], version: int) -> ConnectionPair:
    pair = ConnectionPair(
        ClientConfig(versions=[version], **client), ServerConfig(versions=[version], **server)
    )
    pair.pump()
    return pair


@pytest.mark.parametrize("version", [ProtocolVersion.TLS_1_3, ProtocolVersion.TLS_1_2])
@pytest.mark.parametrize("kind", ["ed25519", "ed448"])
def test_authorities_that_the_library_does_not_take(kind: str, version: int) -> None:
    top = root(make_key=KEYS[kind])
    trusted = anchors_of(top)
    ours = {
        "trust_anchors": trusted,
        "credentials": [credential_of(top.issue("client.example", client=True))],
    }
    theirs = {
        "trust_anchors": trusted,
        "credentials": [credential_of(top.issue(NAME))],
        "client_authentication": ClientAuthentication.REQUIRED,
    }
    pair = handshake(
        {**ours, "answers": {VerifyPeer: ServerVerifier()}},
        {**theirs, "answers": {VerifyPeer: ClientVerifier()}},
        version,
    )
    for events in (pair.client_events, pair.server_events):
        assert any(isinstance(event, HandshakeCompleted) for event in events)


@pytest.mark.parametrize("version", [ProtocolVersion.TLS_1_3, ProtocolVersion.TLS_1_2])
def test_a_refusal_on_the_wire(version: int) -> None:
    credential: Credential = server_credential()
    lists = [revocation_list(authority(), server_identity().certificate)]
    pair = handshake(
        {"trust_anchors": anchors(), "answers": {VerifyPeer: ServerVerifier(lists)}},
        {"credentials": [credential]},
        version,
    )
    end = pair.client_events[-1]
    assert isinstance(end, ConnectionTerminated)
    assert (end.reason, end.alert) == (Reason.CERTIFICATE_REVOKED, ALERTS[Reason.CERTIFICATE_REVOKED])
    lists = [revocation_list(authority(), *client_certificate())]
    pair = handshake(
        {"trust_anchors": anchors(), "credentials": [client_credential()]},
        {
            "credentials": [credential],
            "trust_anchors": anchors(),
            "client_authentication": ClientAuthentication.REQUIRED,
            "answers": {VerifyPeer: ClientVerifier(lists)},
        },
        version,
    )
    end = pair.server_events[-1]
    assert isinstance(end, ConnectionTerminated)
    assert end.reason is Reason.CERTIFICATE_REVOKED


def client_certificate() -> list[x509.Certificate]:
    return [x509.load_der_x509_certificate(client_credential().chain[0])]


def test_an_intermediate_may_be_the_anchor() -> None:
    middle = subordinate(authority(), extensions=(CA,))
    ServerVerifier()(question(middle.issue(NAME).chain_der, anchors_of(middle)))


@pytest.mark.filterwarnings("default::cryptography.utils.CryptographyDeprecationWarning")
def test_no_changed_chain_raises_anything_but_a_fault() -> None:
    """And what is accepted has the name, whatever else was changed."""
    middle = subordinate(authority())
    original = with_chain(middle.issue(NAME, "127.0.0.1"), middle).chain_der
    key, chosen, reasons = public_key_of(original[0]), random.Random(8), []
    for _ in range(1500):
        which = chosen.randrange(2)
        chain = list(original)
        chain[which] = changed_somewhere(original[which], chosen)
        assert chain[which] != original[which]
        try:
            ServerVerifier()(VerifyPeer(tuple(chain), NAME, key, anchors()))
        except Fault as caught:
            reasons.append(caught.reason)
    assert len(reasons) > 1400
    assert all(reason.name.startswith("CERTIFICATE_") for reason in reasons)


# --- OCSP stapling -----------------------------------------------------------------------------------------------


def test_a_stapled_response_is_verified() -> None:
    """By the path that OpenSSL has found, at the time of the verifier's clock or the system's."""
    chain = server_credential().chain
    asked = VerifyPeer(chain, NAME, public_key_of(chain[0]), anchors(), staple())
    assert ServerVerifier()(asked) == AcceptPeer()
    for response, reason in (
        (staple("p256", REVOKED), Reason.CERTIFICATE_REVOKED),
        (of_another_certificate(), Reason.BAD_CERTIFICATE_STATUS),
        (b"", Reason.BAD_CERTIFICATE_STATUS),
    ):
        assert refused(ServerVerifier(), evolve(asked, ocsp_response=response))[0] is reason
    late = (NEXT_UPDATE + DAY).timestamp()
    assert refused(ServerVerifier(clock=lambda: late), asked)[0] is Reason.BAD_CERTIFICATE_STATUS
