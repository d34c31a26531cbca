"""Which of several certificates is shown: by name, by the key, by the signatures in the chain, by who issued it."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from attrs import evolve
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, SHA384
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from sansticket.codes import SignatureScheme as Scheme
from sansticket.commands import AcceptPeer
from sansticket.config.choices import ClientAuthentication
from sansticket.crypto import signatures
from sansticket.crypto.certificates import Credential, TrustAnchors
from sansticket.crypto.inspection import signed_with
from sansticket.crypto.verification import verify_server_chain
from sansticket.errors import ConfigError, Fault, Reason
from sansticket.events import CertificateWithheld, VerifyPeer
from sansticket.handshake.tls12.certificates import certificate_request
from sansticket.handshake.tls13.certificates import certificate_request as request_of_tls13
from sansticket.wire.extensions.base import Extension
from sansticket.wire.extensions.certificate import CertificateAuthorities
from sansticket.wire.extensions.negotiation import SignatureAlgorithms, SignatureAlgorithmsCert
from sansticket.wire.messages.hello import ClientHello
from sansticket.wire.messages.tls13 import Certificate, CertificateRequest
from tests.support.certificates import KEYS, Authority, authority
from tests.support.credentials import (
    NOW,
    anchors,
    anchors_of,
    client_credential,
    credential_of,
    root,
    with_chain,
)
from tests.support.hostile_client import HostileClient, quick_server
from tests.support.hostile_server import HostileServer, quick_client, with_extensions
from tests.support.refusals import refused
from tests.support.weak import signed_anew

P256 = Scheme.ECDSA_SECP256R1_SHA256
AUTHORITIES = ("rsa", "p256", "p384", "ed25519")


@cache
def authority_with(kind: str) -> Authority:
    """Its certificates are signed by a key of this kind; all hashes but Ed25519's are SHA-256."""
    return root(f"{kind} root", make_key=KEYS[kind])


@cache
def signed_by(kind: str, name: str = "server.example", *, client: bool = False) -> Credential:
    return credential_of(authority_with(kind).issue(name, client=client))


@cache
def weak(kind: str = "server.example") -> Credential:
    """The signature of its authority is over a SHA-1 hash."""
    issuer = authority_with("rsa")
    good = issuer.issue(kind)
    return Credential((signed_anew(good.certificate, issuer.key, 5, SHA1()),), good.key)


def shown_by_server(credentials: list[Credential], *extensions: Extension) -> Credential:
    """The one that a server with these takes for a client with these extensions."""
    client = HostileClient(quick_server(credentials=credentials), extensions=extensions).say_hello().listen()
    message = next(message for message in client.heard if isinstance(message, Certificate))
    chain = tuple(entry.certificate for entry in message.entries)
    return next(credential for credential in credentials if credential.chain == chain)


def shown_by_client(credentials: list[Credential], *extensions: Extension) -> Credential | None:
    """The one that a client with these takes for a server with these extensions in its request; None for none."""
    request = CertificateRequest(b"", (SignatureAlgorithms((P256,)), *extensions))
    server = HostileServer(quick_client(credentials=credentials), request=request).complete()
    message = next(message for message in server.heard if isinstance(message, Certificate))
    chain = tuple(entry.certificate for entry in message.entries)
    return next((credential for credential in credentials if credential.chain == chain), None)


ALGORITHMS = [
    ((Scheme.RSA_PKCS1_SHA256,), "rsa"),
    ((P256,), "p256"),
    ((Scheme.ED25519,), "ed25519"),
    ((Scheme.ED25519, P256), "p256"),
    ((0x2A2A, Scheme.RSA_PSS_RSAE_SHA256), "rsa"),
    ((Scheme.RSA_PKCS1_SHA1,), "rsa"),
]


@pytest.mark.parametrize(("schemes", "expected"), ALGORITHMS)
def test_a_server_looks_at_signature_algorithms_cert(schemes: tuple[int, ...], expected: str) -> None:
    """A chain of algorithms that the client names, if there is one (RFC 9846 section 4.5.1.2); else any."""
    credentials = [signed_by(kind) for kind in ("rsa", "p256", "ed25519")]
    assert shown_by_server(credentials, SignatureAlgorithmsCert(schemes)) is signed_by(expected)


def test_without_it_signature_algorithms_counts() -> None:
    """The hand-made client names ECDSA with P-256 there."""
    assert shown_by_server([signed_by("rsa"), signed_by("p256")]) is signed_by("p256")
    assert shown_by_server([signed_by("rsa")]) is signed_by("rsa")


def test_every_certificate_of_the_chain_counts() -> None:
    """But for those that are self-signed, which nobody verifies."""
    issuer = authority_with("rsa")
    whole = credential_of(with_chain(issuer.issue("server.example"), issuer))
    only_rsa = SignatureAlgorithmsCert((Scheme.RSA_PKCS1_SHA256,))
    assert shown_by_server([signed_by("p256"), whole], only_rsa) is whole
    assert whole.is_signed_with((Scheme.RSA_PKCS1_SHA256,))
    assert not whole.is_signed_with((P256,))


def test_the_name_comes_first() -> None:
    credentials = [signed_by("p256", "other.example"), signed_by("rsa")]
    assert shown_by_server(credentials, SignatureAlgorithmsCert((P256,))) is signed_by("rsa")


def test_a_server_looks_at_certificate_authorities() -> None:
    credentials = [signed_by(kind) for kind in AUTHORITIES]
    for kind in AUTHORITIES:
        schemes = SignatureAlgorithmsCert((Scheme.RSA_PKCS1_SHA256, P256, Scheme.ED25519))
        wanted = CertificateAuthorities((authority_with(kind).certificate.subject.public_bytes(), b"0\0"))
        assert shown_by_server(credentials, schemes, wanted) is signed_by(kind)
    nobody = CertificateAuthorities((b"0\0",))
    assert shown_by_server(credentials, schemes, nobody) is signed_by("rsa")


def test_sha1_is_no_way_out() -> None:
    """Only for clients that say that they take it."""
    assert weak().needs_sha1
    assert shown_by_server([weak(), signed_by("ed25519")], SignatureAlgorithmsCert((P256,))) is signed_by(
        "ed25519"
    )
    taken = SignatureAlgorithmsCert((P256, Scheme.RSA_PKCS1_SHA1))
    assert shown_by_server([weak(), signed_by("ed25519")], taken) is weak()


@refused(Reason.NO_COMMON_SIGNATURE_SCHEME)
def test_nothing_but_sha1() -> HostileClient:
    return HostileClient(quick_server(credentials=[weak()])).say_hello()


@pytest.mark.parametrize(("schemes", "expected"), ALGORITHMS)
def test_a_client_looks_at_signature_algorithms_cert(schemes: tuple[int, ...], expected: str) -> None:
    credentials = [signed_by(kind, "client.example", client=True) for kind in ("rsa", "p256", "ed25519")]
    shown = shown_by_client(credentials, SignatureAlgorithmsCert(schemes))
    assert shown is signed_by(expected, "client.example", client=True)


def test_a_client_shows_nothing_with_sha1() -> None:
    assert shown_by_client([weak("client.example")]) is None


def test_a_client_shows_nothing_that_is_not_wanted() -> None:
    credentials = [signed_by(kind, "client.example", client=True) for kind in ("rsa", "p256")]
    wanted = CertificateAuthorities((authority_with("rsa").certificate.subject.public_bytes(),))
    assert shown_by_client(credentials, wanted) is credentials[0]
    assert shown_by_client(credentials, CertificateAuthorities((b"0\0",))) is None


def test_what_a_certificate_is_signed_with() -> None:
    """By the signature alone: the key of who made it may be elsewhere."""
    issued = {kind: authority_with(kind).issue("x").certificate for kind in AUTHORITIES}
    assert [signed_with(issued[kind]) for kind in AUTHORITIES] == [
        {Scheme.RSA_PKCS1_SHA256},
        {P256},
        {P256},
        {Scheme.ED25519},
    ]
    builder = x509.CertificateBuilder(
        issued["rsa"].issuer,
        issued["rsa"].subject,
        issued["rsa"].public_key(),
        1,
        issued["rsa"].not_valid_before_utc,
        issued["rsa"].not_valid_after_utc,
    )
    for algorithm, schemes in (
        (SHA256(), {Scheme.RSA_PSS_RSAE_SHA256, Scheme.RSA_PSS_PSS_SHA256}),
        (SHA384(), {Scheme.RSA_PSS_RSAE_SHA384, Scheme.RSA_PSS_PSS_SHA384}),
    ):
        padding = PSS(MGF1(algorithm), algorithm.digest_size)
        made = builder.sign(authority_with("rsa").key, algorithm, rsa_padding=padding)
        assert signed_with(made) == schemes
    sha384, unknown = bytes.fromhex("0609608648016503040202"), bytes.fromhex("060960864801650304027f")
    odd = made.public_bytes(Encoding.DER).replace(sha384, unknown)
    assert signed_with(x509.load_der_x509_certificate(odd)) == frozenset()


UNVERIFIABLE = {
    Scheme.ED25519,
    Scheme.ED448,
    Scheme.RSA_PSS_PSS_SHA256,
    Scheme.RSA_PSS_PSS_SHA384,
    Scheme.RSA_PSS_PSS_SHA512,
}
"""What authorities sign with whose keys the library's path validation does not take."""


def lists_in(hello: ClientHello | CertificateRequest) -> tuple[set[int], set[int]]:
    """What is offered for handshakes, and for certificates."""
    handshakes, certificates = hello.find(SignatureAlgorithms), hello.find(SignatureAlgorithmsCert)
    assert certificates is not None
    assert handshakes is not None
    return set(handshakes.schemes), set(certificates.schemes)


def test_both_lists_are_in_our_own_hello() -> None:
    """So a server of ours finds what a client of ours can verify; what cannot be verified in chains is not offered."""
    hello = HostileServer().hello
    assert isinstance(hello, ClientHello)
    assert with_extensions(hello) == hello
    handshakes, certificates = lists_in(hello)
    assert {P256, Scheme.RSA_PSS_RSAE_SHA256, Scheme.RSA_PKCS1_SHA256} <= certificates
    assert certificates.isdisjoint(UNVERIFIABLE)
    assert handshakes >= UNVERIFIABLE


@pytest.mark.parametrize(
    "changes", [{"verify_peer": False}, {"answers": {VerifyPeer: lambda _: AcceptPeer()}}]
)
def test_who_verifies_otherwise_can_have_chains_of_every_kind(changes: dict[str, object]) -> None:
    hello = HostileServer(quick_client(**changes)).hello
    assert isinstance(hello, ClientHello)
    handshakes, certificates = lists_in(hello)
    assert handshakes < certificates


def test_a_server_asks_for_what_it_can_verify() -> None:
    config = quick_server(client_authentication=ClientAuthentication.REQUIRED, trust_anchors=anchors())
    handshakes, certificates = lists_in(request_of_tls13(config, b""))
    assert certificates.isdisjoint(UNVERIFIABLE)
    assert handshakes >= UNVERIFIABLE


@pytest.mark.parametrize("kind", KEYS)
def test_what_is_offered_is_what_verifies(kind: str) -> None:
    """An authority with each kind of key, and what its signatures are called."""
    issuer = authority_with(kind)
    identity = issuer.issue("server.example")
    offered = not signed_with(identity.certificate).isdisjoint(signatures.verifiable_in_chains())
    try:
        verify_server_chain(identity.chain_der, anchors_of(issuer), "server.example", NOW)
        verified = True
    except Fault:
        verified = False
    assert offered == verified


# --- credentials that are for some peers only ---------------------------------------------------------------


def tied(credential: Credential) -> Credential:
    return evolve(credential, must_match_issuer=True)


def named(*kinds: str) -> CertificateAuthorities:
    return CertificateAuthorities(
        tuple(authority_with(kind).certificate.subject.public_bytes() for kind in kinds) or (b"0\0",)
    )


def test_a_credential_that_is_tied_to_its_authority() -> None:
    """Only a peer that names the authority sees it."""
    credentials = [tied(signed_by("p384")), signed_by("p256")]
    assert shown_by_server(credentials) is credentials[1]
    assert shown_by_server(credentials, named("rsa")) is credentials[1]
    assert shown_by_server(credentials, named("rsa", "p384")) is credentials[0]
    theirs = [tied(signed_by("p384", "client.example", client=True)), client_credential()]
    assert shown_by_client(theirs) is theirs[1]
    assert shown_by_client(theirs, named("p384")) is theirs[0]
    assert shown_by_client(theirs[:1]) is None


@refused(Reason.NO_COMMON_SIGNATURE_SCHEME)
def test_nothing_but_what_is_tied_to_another_authority() -> HostileClient:
    return HostileClient(quick_server(credentials=[tied(signed_by("p384"))])).say_hello()


@pytest.mark.parametrize("value", [1, None, "yes"])
def test_tied_is_yes_or_no(value: Any) -> None:
    with pytest.raises(ConfigError, match=r"must_match_issuer: .*expected True or False"):
        evolve(signed_by("p256"), must_match_issuer=value)


def withheld(credentials: list[Credential], *extensions: Extension) -> list[str]:
    request = CertificateRequest(b"", (SignatureAlgorithms((P256,)), *extensions))
    server = HostileServer(quick_client(credentials=credentials), request=request).complete()
    return [event.why for event in server.events if isinstance(event, CertificateWithheld)]


def test_a_client_says_that_it_shows_nothing() -> None:
    ours = [client_credential()]
    assert withheld(ours) == withheld([]) == withheld([], named("rsa")) == []
    assert withheld(ours, named("rsa")) == ["none of them was issued by an authority that the server names"]
    assert withheld([client_credential("rsa")]) == [
        "the server takes no signature that their keys can make, or not that kind of key"
    ]


def test_more_authorities_than_a_request_has_room_for() -> None:
    """They are a hint; the handshake goes on without it."""
    units = [x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, f"{number:064}") for number in range(330)]
    name = x509.Name([*units, x509.NameAttribute(NameOID.COMMON_NAME, "sansticket root with a long name")])
    many = [authority().der, *(self_signed(name) for _ in range(3))]
    for count, named in ((2, True), (4, False)):
        config = quick_server(
            client_authentication=ClientAuthentication.REQUIRED,
            trust_anchors=TrustAnchors.from_der(many[:count]),
        )
        client = HostileClient(config).complete()
        client.assert_alive()
        assert client.victim.peer_certificates == client_credential().chain
        request = next(message for message in client.heard if isinstance(message, CertificateRequest))
        assert (request.find(CertificateAuthorities) is not None) == named
        assert bool(certificate_request(config).authorities) == named, "in TLS 1.2 as well"


def self_signed(name: x509.Name) -> bytes:
    key = KEYS["p256"]()
    issuer = authority().certificate
    builder = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(issuer.not_valid_before_utc)
        .not_valid_after(issuer.not_valid_after_utc)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    )
    return builder.sign(key, SHA256()).public_bytes(Encoding.DER)
