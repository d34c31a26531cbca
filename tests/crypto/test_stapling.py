"""OCSP responses: whose word counts, about what, and for how long."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import pytest
from attrs import evolve
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, SHA384, SHA512
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from sansticket.codes import SignatureScheme
from sansticket.crypto.certificates import Credential
from sansticket.crypto.der import SEQUENCE, element
from sansticket.crypto.inspection import signed_with
from sansticket.crypto.stapling import MAX_RESPONDERS, MAX_RESPONSE, SKEW, WITHOUT_NEXT_UPDATE, verify_staple
from sansticket.errors import ConfigError, Fault, Reason
from tests.support.certificates import KEYS, Authority, Identity, authority, new_authority, server_identity
from tests.support.chains import purpose, usage
from tests.support.credentials import CA, DAY, NOW, credential_of, issue, root, subordinate, with_chain
from tests.support.staples import (
    GOOD,
    NEXT_UPDATE,
    NOT_KNOWN,
    OCSP_SIGNING,
    REVOKED,
    THIS_UPDATE,
    UNKNOWN,
    in_one,
    of_another_certificate,
    respond,
    responder,
    staple,
)
from tests.support.weak import signed_anew

LEAF: Final = server_identity().certificate
SECOND: Final = datetime.timedelta(seconds=1)
BAD: Final = Reason.BAD_CERTIFICATE_STATUS

good = partial(respond, LEAF, authority())


def verdict(
    response: bytes,
    now: datetime.datetime = NOW,
    path: tuple[x509.Certificate, ...] = (LEAF, authority().certificate),
    min_rsa_bits: int = 2048,
) -> Reason | None:
    """Why it does not count; None if it does."""
    try:
        verify_staple(response, path, now, min_rsa_bits)
    except Fault as fault:
        return fault.reason
    return None


# --- who signed it -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("named_by", [SHA1(), SHA256(), SHA384(), SHA512()], ids=lambda one: one.name)
@pytest.mark.parametrize("by_hash", [True, False])
def test_the_issuer_may_speak(named_by: Any, by_hash: bool) -> None:
    assert verdict(good(named_by=named_by, by_hash=by_hash)) is None


@pytest.mark.parametrize("key", [key for key in KEYS if not key.startswith("mldsa")])
def test_every_kind_of_key_may_speak(key: str) -> None:
    issuer = root(make_key=KEYS[key])
    identity = issuer.issue("server.example") if key != "rsa" else Identity((leaf_of(issuer),), None)
    path = (identity.certificate, issuer.certificate)
    assert verdict(respond(identity.certificate, issuer), path=path) is None
    by_another = respond(identity.certificate, issuer, signer=root(make_key=KEYS[key]))
    assert verdict(by_another, path=path) is BAD


def leaf_of(issuer: Authority) -> x509.Certificate:
    return issuer.issue("server.example").certificate


def test_whom_the_issuer_has_authorized() -> None:
    """By a certificate in the response, wherever it stands there."""
    delegate = responder(authority())
    assert verdict(good(signer=delegate, shown=[delegate.certificate])) is None
    shown = [LEAF, authority().certificate, delegate.certificate]
    assert verdict(good(signer=delegate, shown=shown)) is None
    assert verdict(good(signer=delegate, shown=[LEAF] * MAX_RESPONDERS + shown[2:])) is BAD
    assert verdict(good(signer=delegate)) is BAD


STRANGERS: Final[dict[str, Callable[[], Authority]]] = {
    "of another issuer": lambda: responder(new_authority("another")),
    "of another issuer of the same name": lambda: responder(new_authority()),
    "of an authority above": lambda: responder(new_authority("above")),
    "for no purpose": lambda: responder(authority(), ()),
    "for another purpose": lambda: responder(authority(), [purpose(ExtendedKeyUsageOID.SERVER_AUTH)]),
    "for any purpose": lambda: responder(authority(), [purpose(ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE)]),
    "which may not sign": lambda: responder(authority(), [OCSP_SIGNING, usage("key_agreement")]),
    "which has expired": lambda: responder(authority(), start=3 * DAY, end=-DAY),
    "which is not yet valid": lambda: responder(authority(), start=-DAY),
}


@pytest.mark.parametrize("kind", STRANGERS)
def test_nobody_else(kind: str) -> None:
    stranger = STRANGERS[kind]()
    assert verdict(good(signer=stranger, shown=[stranger.certificate])) is BAD


def test_the_server_itself_may_not() -> None:
    identity = server_identity()
    assert verdict(good(signer=Authority(identity.certificate, identity.key), shown=[LEAF])) is BAD


def test_no_certificate_speaks_for_itself() -> None:
    """Not one that is for responders too, nor another one for its key: it would be good for whoever has stolen that."""
    identity = server_identity()
    key: Any = identity.key
    for_both = purpose(ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.OCSP_SIGNING)
    leaf, twin = (issue(authority(), "server.example", key.public_key(), [for_both]) for _ in range(2))
    path = (leaf, authority().certificate)
    for shown in (leaf, twin):
        response = respond(leaf, authority(), signer=Authority(shown, key), shown=[shown])
        assert verdict(response, path=path) is BAD
    other = issue(authority(), "server.example", KEYS["p256"]().public_key(), [for_both])
    response = respond(other, authority(), signer=Authority(leaf, key), shown=[leaf])
    assert verdict(response, path=(other, authority().certificate)) is None


def test_the_issuer_is_that_of_the_path() -> None:
    """One of the same name with a key of the server's own making is none."""
    false = new_authority()
    assert false.certificate.subject == authority().certificate.subject
    assert verdict(respond(LEAF, false, shown=[false.certificate])) is BAD


def test_an_authority_in_the_middle_speaks_for_what_it_has_issued() -> None:
    above = root("above")
    middle = subordinate(above)
    leaf = leaf_of(middle)
    path = (leaf, middle.certificate, above.certificate)
    assert verdict(respond(leaf, middle), path=path) is None
    assert verdict(respond(leaf, middle, signer=above, shown=[above.certificate]), path=path) is BAD
    delegate = responder(above)
    assert verdict(respond(leaf, middle, signer=delegate, shown=[delegate.certificate]), path=path) is BAD


def test_a_certificate_that_is_the_anchor_is_its_own_issuer() -> None:
    alone = root("alone")
    assert verdict(respond(alone.certificate, alone), path=(alone.certificate,)) is None
    assert verdict(good(), path=(LEAF,)) is BAD


def test_short_keys_and_broken_hashes() -> None:
    short = responder(authority(), key="rsa")
    response = good(signer=short, shown=[short.certificate])
    assert verdict(response) is None
    assert verdict(response, min_rsa_bits=3072) is BAD
    assert verdict(over_sha1(response, short.key)) is BAD


def test_a_responder_whose_certificate_is_signed_over_a_broken_hash() -> None:
    issuer = root(make_key=KEYS["rsa"])
    leaf, delegate = leaf_of(issuer), responder(issuer)
    key: Any = issuer.key
    weak = x509.load_der_x509_certificate(signed_anew(delegate.certificate, key, 5, SHA1()))
    for shown, expected in ((delegate.certificate, None), (weak, BAD)):
        response = respond(leaf, issuer, signer=delegate, shown=[shown])
        assert verdict(response, path=(leaf, issuer.certificate)) is expected


def over_sha1(response: bytes, key: Any) -> bytes:
    """The same with another signature, which the library does not make any more."""
    parsed = ocsp.load_der_ocsp_response(response)
    signature = key.sign(parsed.tbs_response_bytes, PKCS1v15(), SHA1())
    identifiers = [bytes.fromhex(f"06092a864886f70d0101{last}") for last in ("0b", "05")]
    before, _, after = response.partition(parsed.tbs_response_bytes)
    after = after.replace(identifiers[0], identifiers[1], 1).replace(parsed.signature, signature, 1)
    changed = before + parsed.tbs_response_bytes + after
    assert signed_with(ocsp.load_der_ocsp_response(changed)) == {SignatureScheme.RSA_PKCS1_SHA1}
    return changed


# --- about what --------------------------------------------------------------------------------------------------


def test_about_another_certificate() -> None:
    assert verdict(of_another_certificate()) is BAD


def test_about_one_of_the_same_number_from_another_issuer() -> None:
    """Signed by ours, which says nothing of others: by their key, or by their name."""
    assert verdict(respond(LEAF, new_authority(), signer=authority())) is BAD
    ours = authority()
    renamed = Authority(issue(ours, "another", ours.key.public_key(), (CA,), subject="another"), ours.key)
    twin = (
        x509.CertificateBuilder(serial_number=LEAF.serial_number)
        .subject_name(LEAF.subject)
        .issuer_name(renamed.certificate.subject)
        .public_key(LEAF.public_key())  # type: ignore[arg-type]  # it is one for certificates
        .not_valid_before(LEAF.not_valid_before_utc)
        .not_valid_after(LEAF.not_valid_after_utc)
        .sign(ours.key, SHA256())
    )
    assert verdict(respond(twin, renamed), path=(twin, renamed.certificate)) is None
    assert verdict(respond(twin, renamed, signer=ours)) is BAD


def test_about_several() -> None:
    """Of what is said of ours, that it is revoked counts, and else the first."""
    other = of_another_certificate()
    ended = good(this_update=THIS_UPDATE - DAY, next_update=NOW - DAY)
    for said, expected in [
        ([other, good()], None),
        ([good(), other], None),
        ([other, other], BAD),
        ([good(REVOKED), good()], Reason.CERTIFICATE_REVOKED),
        ([good(), good(REVOKED)], Reason.CERTIFICATE_REVOKED),
        ([good(), good(REVOKED, named_by=SHA256())], Reason.CERTIFICATE_REVOKED),
        ([good(), respond(LEAF, new_authority(), REVOKED)], None),
        ([good(UNKNOWN), good()], BAD),
        ([ended, good()], BAD),
    ]:
        assert verdict(in_one(said, authority())) is expected


def test_a_critical_extension() -> None:
    nonce, archive = x509.OCSPNonce(b"nonce"), NOT_KNOWN
    assert verdict(good(extensions=[(nonce, False), (archive, False)])) is None
    assert verdict(good(extensions=[(archive, True)])) is BAD


def test_what_it_says() -> None:
    assert verdict(good(GOOD)) is None
    assert verdict(good(REVOKED)) is Reason.CERTIFICATE_REVOKED
    assert verdict(good(UNKNOWN)) is BAD
    # An old response that says so is still right; one that nobody signed is no response.
    assert verdict(good(REVOKED), NOW + 300 * DAY) is Reason.CERTIFICATE_REVOKED
    assert verdict(good(REVOKED, signer=new_authority())) is BAD


@pytest.mark.parametrize("status", [one for one in ocsp.OCSPResponseStatus if one.value])
def test_a_responder_that_has_no_answer(status: ocsp.OCSPResponseStatus) -> None:
    from cryptography.hazmat.primitives.serialization import Encoding

    response = ocsp.OCSPResponseBuilder.build_unsuccessful(status).public_bytes(Encoding.DER)
    assert verdict(response) is BAD
    with pytest.raises(ConfigError, match=f"^ocsp_response: .*its responder says {status.name.lower()}$"):
        evolve(credential_of(server_identity()), ocsp_response=response)


# --- when --------------------------------------------------------------------------------------------------------


def test_times() -> None:
    response = good()
    assert verdict(response, THIS_UPDATE - SKEW - SECOND) is BAD
    assert verdict(response, THIS_UPDATE - SKEW) is None
    assert verdict(response, NEXT_UPDATE + SKEW) is None
    assert verdict(response, NEXT_UPDATE + SKEW + SECOND) is BAD


def test_a_response_without_an_end_is_good_for_a_day() -> None:
    response = good(next_update=None)
    assert verdict(response, THIS_UPDATE + WITHOUT_NEXT_UPDATE + SKEW) is None
    assert verdict(response, THIS_UPDATE + WITHOUT_NEXT_UPDATE + SKEW + SECOND) is BAD


def test_the_end_of_time() -> None:
    last = datetime.datetime(9999, 12, 31, 23, 59, 59, tzinfo=datetime.UTC)
    assert verdict(good(next_update=last)) is None
    assert verdict(good(this_update=last, next_update=None)) is BAD


# --- what is none ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "response",
    [b"", b"x", element(SEQUENCE, b""), staple()[:-1], staple() + b"\0", LEAF.tbs_certificate_bytes],
)
def test_what_cannot_be_read(response: bytes) -> None:
    assert verdict(response) is BAD


@given(st.data())
def test_a_change_anywhere(data: st.DataObject) -> None:
    """It does not raise, and what still counts says the same: the bytes around what is signed are nobody's word."""
    response = bytearray(staple())
    place = data.draw(st.integers(0, len(response) - 1))
    response[place] ^= data.draw(st.integers(1, 255))
    found = verdict(bytes(response))
    signed = ocsp.load_der_ocsp_response(staple()).tbs_response_bytes
    assert found in (BAD, None)
    assert found is BAD or signed in bytes(response)


# --- what a server may staple ------------------------------------------------------------------------------------


def stapling(response: object, identity: Identity | None = None) -> Credential:
    return evolve(credential_of(identity or server_identity()), ocsp_response=response)


def test_a_credential_with_a_response() -> None:
    credential = stapling(staple())
    assert credential.staple_at(NOW.timestamp()) == staple()
    assert credential.staple_at(NEXT_UPDATE.timestamp()) == staple()
    assert credential.staple_at(NEXT_UPDATE.timestamp() + 1) is None
    assert stapling(good(next_update=None)).staple_at(NOW.timestamp() + 10**9) is not None
    assert credential_of(server_identity()).staple_at(NOW.timestamp()) is None
    assert credential != credential_of(server_identity())
    pem = server_identity()
    assert Credential.from_pem(pem.chain_pem, pem.key_pem, ocsp_response=staple()) == credential
    # A server hands on what it was given; it is for clients to believe it.
    assert stapling(good(REVOKED)).ocsp_response is not None


def test_a_credential_knows_its_issuer_if_it_is_in_the_chain() -> None:
    above = root("above")
    middle, other = subordinate(above), subordinate(above)
    identity = middle.issue("server.example")
    chained = with_chain(identity, middle)
    leaf = identity.certificate
    assert stapling(respond(leaf, middle), chained).ocsp_response
    assert stapling(respond(leaf, middle), identity).ocsp_response
    with pytest.raises(ConfigError, match="another certificate"):
        stapling(respond(leaf, other), chained)


@pytest.mark.parametrize(
    ("response", "problem"),
    [
        ("text", r"'text'; expected 1 to 65527 bytes, or None"),
        (b"", "expected 1 to 65527 bytes"),
        (bytes(MAX_RESPONSE + 1), "expected 1 to 65527 bytes"),
        (bytearray(staple()), "expected 1 to 65527 bytes"),
        (b"garbage", "."),
        (of_another_certificate(), "it is about another certificate than the first of the chain"),
    ],
    ids=["text", "nothing", "too much", "bytearray", "garbage", "of another"],
)
def test_what_a_credential_refuses(response: object, problem: str) -> None:
    with pytest.raises(ConfigError, match=f"^ocsp_response: .*{problem}"):
        stapling(response)
