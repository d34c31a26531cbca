"""TLS 1.2: which certificate is shown, and which keys are accepted."""

from __future__ import annotations

from typing import Any

from attrs import evolve

from sansticket.codes import CipherSuite, NamedGroup, SignatureScheme
from sansticket.commands import AcceptPeer
from sansticket.crypto.certificates import Credential
from sansticket.crypto.suites import SUITES
from sansticket.errors import Reason
from sansticket.events import CertificateWithheld, VerifyPeer
from sansticket.wire.extensions.base import Extension
from sansticket.wire.extensions.certificate import CertificateAuthorities
from sansticket.wire.extensions.negotiation import SignatureAlgorithmsCert
from sansticket.wire.messages.tls12 import Certificate, CertificateRequest
from tests.handshake.test_selection import authority_with, signed_by, weak
from tests.support.credentials import anchors, client_credential, server_credential
from tests.support.hostile12 import SUITE, HostileClient12, HostileServer12, client12, server12
from tests.support.refusals import refused

P256, RSA = SignatureScheme.ECDSA_SECP256R1_SHA256, SignatureScheme.RSA_PKCS1_SHA256


def shown(credentials: list[Credential], *extensions: Extension) -> Credential:
    """The one that a server with these takes for a client with these extensions."""
    client = HostileClient12(server12(credentials=credentials), extensions=extensions).begin()
    chain = next(message for message in client.heard if isinstance(message, Certificate)).certificates
    return next(credential for credential in credentials if credential.chain == chain)


def named(*kinds: str) -> CertificateAuthorities:
    return CertificateAuthorities(
        tuple(authority_with(kind).certificate.subject.public_bytes() for kind in kinds) or (b"0\0",)
    )


def test_a_server_looks_at_certificate_authorities() -> None:
    """As in TLS 1.3."""
    credentials = [signed_by(kind) for kind in ("rsa", "p256", "p384")]
    known = SignatureAlgorithmsCert((RSA, P256))
    for kind, credential in zip(("rsa", "p256", "p384"), credentials, strict=True):
        assert shown(credentials, known, named(kind)) is credential
    assert shown(credentials, known) is shown(credentials, known, named()) is credentials[0]


def test_a_server_looks_at_signature_algorithms_cert() -> None:
    credentials = [signed_by("rsa"), signed_by("p256")]
    assert shown(credentials, SignatureAlgorithmsCert((P256,))) is credentials[1]
    assert shown(credentials, SignatureAlgorithmsCert((RSA,))) is credentials[0]
    assert shown(credentials, SignatureAlgorithmsCert((SignatureScheme.ED448,))) is credentials[0]


@refused(Reason.NO_COMMON_SIGNATURE_SCHEME)
def test_nothing_but_sha1() -> HostileClient12:
    return HostileClient12(server12(credentials=[weak()])).say_hello()


def test_a_credential_that_is_tied_to_its_authority() -> None:
    credentials = [evolve(signed_by("p384"), must_match_issuer=True), signed_by("p256")]
    assert shown(credentials) is shown(credentials, named("rsa")) is credentials[1]
    assert shown(credentials, named("p384")) is credentials[0]


def withheld(credentials: list[Credential], types: bytes, *authorities: bytes) -> list[str]:
    request = CertificateRequest(types, (P256,), authorities)
    server = HostileServer12(client12(credentials=credentials), request=request).complete()
    return [event.why for event in server.events if isinstance(event, CertificateWithheld)]


def test_a_client_says_that_it_shows_nothing() -> None:
    ours, ecdsa_sign, rsa_sign = [client_credential()], b"\x40", b"\x01"
    assert withheld(ours, ecdsa_sign) == withheld([], ecdsa_sign) == []
    assert withheld(ours, ecdsa_sign, *named("rsa").names) == [
        "none of them was issued by an authority that the server names"
    ]
    assert withheld(ours, rsa_sign) == [
        "the server takes no signature that their keys can make, or not that kind of key"
    ]


# --- curves -------------------------------------------------------------------------------------------------


def on_p384(**changes: Any) -> HostileServer12:
    """A server with a key on secp384r1, for a client that offers these groups."""
    return HostileServer12(client12(**changes), credential=server_credential("p384"))


@refused(Reason.ILLEGAL_VALUE, detail="a certificate for rsa with")
def test_a_key_of_another_kind_than_the_suite_says() -> HostileServer12:
    """The signature itself is good, and of a scheme that the client offers."""
    assert SUITES[SUITE].tls12_authentication == "ecdsa"
    rsa = server_credential("rsa")
    return HostileServer12(credential=rsa, scheme=SignatureScheme.RSA_PSS_RSAE_SHA256).serve()


@refused(Reason.UNOFFERED_GROUP, detail="secp384r1")
def test_a_key_on_a_curve_that_we_did_not_offer() -> HostileServer12:
    """RFC 8422 section 5.4: the client checks it."""
    return on_p384().serve()


def test_a_key_on_a_curve_that_we_offered() -> None:
    groups = (NamedGroup.X25519, NamedGroup.SECP384R1)
    on_p384(groups=groups).complete().assert_alive()


def test_a_server_does_not_choose_it() -> None:
    credentials = [server_credential("p384"), server_credential("p256")]
    assert shown(credentials) is credentials[1]
    client = HostileClient12(server12(credentials=credentials[:1]))
    client.say_hello().assert_refused(Reason.NO_COMMON_SIGNATURE_SCHEME)


def test_curves_say_nothing_of_other_keys() -> None:
    suites = (SUITE, CipherSuite.ECDHE_RSA_WITH_AES_128_GCM_SHA256)
    config = client12(cipher_suites=suites, groups=(NamedGroup.X25519,))
    server = HostileServer12(
        config,
        suite=suites[1],
        credential=server_credential("rsa"),
        scheme=SignatureScheme.RSA_PSS_RSAE_SHA256,
    )
    server.complete().assert_alive()


def test_who_verifies_does_not_matter() -> None:
    answers = {VerifyPeer: lambda _: AcceptPeer()}
    on_p384(answers=answers, trust_anchors=anchors()).serve().assert_refused(Reason.UNOFFERED_GROUP)
