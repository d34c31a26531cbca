"""Verifying chains: what is accepted, and the reason of every refusal."""

import copy
import datetime
import ipaddress
import pickle
import random
from collections.abc import Sequence
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa, x25519
from cryptography.hazmat.primitives.hashes import MD5, SHA1
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from sansticket.crypto import verification
from sansticket.crypto.certificates import TrustAnchors, verify_client_chain, verify_server_chain
from sansticket.crypto.inspection import is_named
from sansticket.crypto.verification import check_validity
from sansticket.errors import ConfigError, Fault, Reason
from sansticket.library import CRITICAL_POLICIES, Newer
from tests.support.certificates import KEYS, Authority, Identity, authority, client_identity, server_identity
from tests.support.credentials import (
    CA,
    DAY,
    NOW,
    anchors,
    anchors_of,
    client_credential,
    expired_credential,
    issue,
    of_version_1,
    premature_credential,
    root,
    server_credential,
    subordinate,
    with_chain,
)
from tests.support.edits import changed, flipped
from tests.support.weak import signed_anew

NAME = "server.example"

Extensions = Sequence[tuple[x509.ExtensionType, bool]]


def names(*dns: str) -> tuple[x509.ExtensionType, bool]:
    return x509.SubjectAlternativeName([x509.DNSName(name) for name in dns]), False


def usage(*allowed: str) -> tuple[x509.ExtensionType, bool]:
    fields = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{field: field in allowed for field in fields}), True


def leaf(issuer: Authority, extensions: Extensions, **options: Any) -> bytes:
    """A leaf with exactly these extensions."""
    certificate = issue(issuer, "leaf", KEYS["p256"]().public_key(), extensions, **options)
    return certificate.public_bytes(Encoding.DER)


def refused(
    reason: Reason, chain: Sequence[bytes], trusted: TrustAnchors | None = None, name: str = NAME
) -> str:
    with pytest.raises(Fault) as caught:
        verify_server_chain(chain, anchors() if trusted is None else trusted, name, NOW)
    assert caught.value.reason is reason, caught.value
    return caught.value.detail


def client_refused(reason: Reason, chain: Sequence[bytes], trusted: TrustAnchors | None = None) -> None:
    with pytest.raises(Fault) as caught:
        verify_client_chain(chain, anchors() if trusted is None else trusted, NOW)
    assert caught.value.reason is reason, caught.value


# --- good chains ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [*KEYS, "rsa-pss"])
def test_leaves_of_every_kind_of_key(kind: str) -> None:
    verify_server_chain(server_credential(kind).chain, anchors(), NAME, NOW)


@pytest.mark.parametrize("kind", ["p256", "p384", "p521", "rsa"])
def test_authorities_of_the_usual_kinds_of_keys(kind: str) -> None:
    other = root(make_key=KEYS[kind])
    verify_server_chain([leaf(other, [names(NAME)])], anchors_of(other), NAME, NOW)


@pytest.mark.parametrize("kind", KEYS)
def test_clients(kind: str) -> None:
    verify_client_chain(client_credential(kind).chain, anchors(), NOW)


def test_through_an_intermediate() -> None:
    middle = subordinate(authority())
    identity = middle.issue(NAME)
    whole = with_chain(identity, middle)
    verify_server_chain(whole.chain_der, anchors(), NAME, NOW)
    verify_server_chain(with_chain(identity, middle, authority()).chain_der, anchors(), NAME, NOW)
    refused(Reason.CERTIFICATE_UNTRUSTED, identity.chain_der)
    client = with_chain(middle.issue("client.example", client=True), middle)
    verify_client_chain(client.chain_der, anchors(), NOW)


def test_the_order_of_intermediates_does_not_matter_and_strangers_do_no_harm() -> None:
    first = root("first")
    second = subordinate(first, "second")
    third = subordinate(second, "third")
    identity = third.issue(NAME)
    stranger = root("stranger")
    for issuers in ((third, second), (second, third), (stranger, second, third, stranger)):
        verify_server_chain(with_chain(identity, *issuers).chain_der, anchors_of(first), NAME, NOW)


def test_an_intermediate_as_trust_anchor() -> None:
    middle = subordinate(authority())
    verify_server_chain(middle.issue(NAME).chain_der, anchors_of(middle), NAME, NOW)


def test_several_anchors() -> None:
    both = anchors_of(root("first"), authority(), root("last"))
    verify_server_chain(server_credential().chain, both, NAME, NOW)


@pytest.mark.parametrize("extensions", [(names(NAME),), (names(NAME), CA)], ids=["leaf", "authority"])
def test_a_self_signed_certificate_that_is_trusted_itself(extensions: Extensions) -> None:
    itself = root("self-signed", extensions)
    verify_server_chain([itself.der], anchors_of(itself), NAME, NOW)
    refused(Reason.CERTIFICATE_UNTRUSTED, [itself.der])
    refused(Reason.CERTIFICATE_NAME_MISMATCH, [itself.der], anchors_of(itself), "other.example")


def test_authorities_without_key_usage_and_key_identifiers() -> None:
    """As `openssl req -x509` and `openssl x509 -req` make them without a configuration."""
    bare = root("bare", (CA,))
    verify_server_chain([leaf(bare, [names(NAME)])], anchors_of(bare), NAME, NOW)


def test_a_client_without_a_subject_alternative_name() -> None:
    verify_client_chain([leaf(authority(), [])], anchors(), NOW)
    refused(Reason.CERTIFICATE_NAME_MISMATCH, [leaf(authority(), [])])


def test_the_time_may_have_a_time_zone_or_not() -> None:
    chain = server_credential().chain
    elsewhere = datetime.timezone(datetime.timedelta(hours=-11))
    for now in (NOW, NOW.replace(tzinfo=None), NOW.astimezone(elsewhere)):
        verify_server_chain(chain, anchors(), NAME, now)


def test_the_bounds_of_the_validity_belong_to_it() -> None:
    certificate = server_identity().certificate
    second = datetime.timedelta(seconds=1)
    for bound, outside in (
        (certificate.not_valid_before_utc, -second),
        (certificate.not_valid_after_utc, second),
    ):
        verify_server_chain(server_credential().chain, anchors(), NAME, bound)
        check_validity(server_credential().chain, bound, NOW)
        for check in (
            lambda when: verify_server_chain(server_credential().chain, anchors(), NAME, when),
            lambda when: check_validity(server_credential().chain, when, NOW),
        ):
            for when in (bound + outside, (bound + outside).replace(tzinfo=None)):
                with pytest.raises(Fault) as caught:
                    check(when)
                assert caught.value.reason is Reason.CERTIFICATE_EXPIRED


# --- names ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "server_name",
    ["server.example", "Server.Example", "server.example.", "www.wild.example", "127.0.0.1", "::1"],
)
def test_names_that_match(server_name: str) -> None:
    identity = authority().issue(NAME, "*.wild.example", "127.0.0.1", "::1")
    verify_server_chain(identity.chain_der, anchors(), server_name, NOW)


@pytest.mark.parametrize(
    "server_name",
    ["other.example", "example", "a.server.example", "wild.example", "a.b.wild.example", "127.0.0.2", "::2"],
)
def test_names_that_do_not(server_name: str) -> None:
    identity = authority().issue(NAME, "*.wild.example", "127.0.0.1", "::1")
    refused(Reason.CERTIFICATE_NAME_MISMATCH, identity.chain_der, name=server_name)


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1"])
def test_an_address_does_not_match_a_dns_name_that_reads_like_it(address: str) -> None:
    """RFC 9525 section 6.4."""
    chain = [leaf(authority(), [names(address, NAME)])]
    refused(Reason.CERTIFICATE_NAME_MISMATCH, chain, name=address)
    verify_server_chain(chain, anchors(), NAME, NOW)
    assert not is_named(chain[0], address)


def test_an_address_is_no_dns_name_and_a_common_name_is_no_name() -> None:
    refused(Reason.CERTIFICATE_NAME_MISMATCH, authority().issue("a.example").chain_der, name="127.0.0.1")
    refused(Reason.CERTIFICATE_NAME_MISMATCH, [leaf(authority(), [names("other.example")])], name="leaf")


@pytest.mark.parametrize(
    "server_name", ["a_b.example", "_a.example", "-a.example", "a-.example", "my_service"]
)
def test_names_in_daily_use_that_are_no_host_names_of_old(server_name: str) -> None:
    """The library does not take them; they are compared here."""
    identity = authority().issue("a_b.example", "_a.example", "-a.example", "a-.example", "my_service")
    verify_server_chain(identity.chain_der, anchors(), server_name, NOW)
    refused(Reason.CERTIFICATE_NAME_MISMATCH, server_credential().chain, name=server_name)
    refused(Reason.CERTIFICATE_UNTRUSTED, identity.chain_der, anchors_of(root()), server_name)
    client = authority().issue(server_name, client=True)
    refused(Reason.CERTIFICATE_UNSUPPORTED, client.chain_der, name=server_name)


@pytest.mark.parametrize(
    "server_name",
    [
        "",
        ".",
        "a..b",
        "*.example",
        "a b.example",
        "a\n.example",
        "bücher.example",
        "x" * 64,
        "a." * 127 + "a",
        "fe80::1%eth0",
        "fe80::1%a\nb",
    ],
)
def test_server_names_that_can_be_no_name(server_name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        verify_server_chain(server_credential().chain, anchors(), server_name, NOW)
    assert caught.value.field == "server_name"


# --- refusals ---------------------------------------------------------------------------------------------


def test_expired_and_not_yet_valid() -> None:
    refused(Reason.CERTIFICATE_EXPIRED, expired_credential().chain)
    refused(Reason.CERTIFICATE_EXPIRED, premature_credential().chain)
    for end in (-DAY, DAY):
        client = authority().issue("client.example", client=True, start=3 * DAY, end=end)
        if end < 0 * DAY:
            client_refused(Reason.CERTIFICATE_EXPIRED, client.chain_der)
        else:
            verify_client_chain(client.chain_der, anchors(), NOW)


def test_what_is_said_of_a_certificate_that_is_not_valid_now() -> None:
    """Whose it is, when it is valid, and what time it is here: the clock may be wrong."""
    chain = authority().issue(NAME, start=3 * DAY, end=-DAY).chain_der
    since, until, now = (f"{moment:%Y-%m-%d %H:%M:%S}" for moment in (NOW - 3 * DAY, NOW - DAY, NOW))
    said = refused(Reason.CERTIFICATE_EXPIRED, chain)
    assert said.endswith(f" is valid from {since} to {until}, and now it is {now} (UTC)")
    assert said.startswith(f"CN={NAME}")
    with pytest.raises(Fault) as caught:
        check_validity(chain, NOW, NOW)
    assert caught.value.detail == said
    middle = subordinate(authority(), end=-DAY)
    said = refused(Reason.CERTIFICATE_EXPIRED, with_chain(middle.issue(NAME), middle).chain_der)
    assert said.startswith(middle.certificate.subject.rfc4514_string())


def test_what_is_said_of_one_whose_subject_cannot_be_read() -> None:
    """Whoever verified it had no need to: it is not in the path.  That it is not valid now is said all the same."""
    honest, name = authority().issue("unneeded", start=3 * DAY, end=-DAY).chain_der[0], b"\x08unneeded"
    stranger = changed(honest, honest.replace(name, b"\x08\xff" + name[2:], 1))
    with pytest.raises(Fault) as caught:
        check_validity([*server_credential().chain, stranger], NOW, NOW - 2 * DAY)
    assert caught.value.reason is Reason.CERTIFICATE_EXPIRED
    assert caught.value.detail.startswith("one whose subject cannot be read is valid from ")


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["a.example", "*.b.example"], "a.example, *.b.example"),
        (["127.0.0.1"], "127.0.0.1"),
        ([f"{number}.example" for number in range(10)], "7.example and 2 more"),
    ],
)
def test_what_is_said_of_a_certificate_for_another_name(names: list[str], said: str) -> None:
    """Which name was asked for, and which there are."""
    for name in "other.example", "under_score", "127.0.0.2":
        detail = refused(Reason.CERTIFICATE_NAME_MISMATCH, authority().issue(*names).chain_der, name=name)
        assert detail.startswith(f"it is not for {name}, but for ")
        assert detail.endswith(said)


def test_an_expired_intermediate_and_an_expired_root() -> None:
    middle = subordinate(authority(), end=-DAY)
    refused(Reason.CERTIFICATE_EXPIRED, with_chain(middle.issue(NAME), middle).chain_der)
    later = NOW + 400 * DAY
    long_lived = authority().issue(NAME, end=1000 * DAY)
    with pytest.raises(Fault) as caught:
        verify_server_chain(long_lived.chain_der, anchors(), NAME, later)
    assert caught.value.reason is Reason.CERTIFICATE_EXPIRED


def test_an_empty_chain() -> None:
    assert refused(Reason.CERTIFICATE_MALFORMED, ()) == "an empty chain"
    client_refused(Reason.CERTIFICATE_MALFORMED, ())


def test_an_unknown_authority() -> None:
    stranger = root()
    refused(Reason.CERTIFICATE_UNTRUSTED, stranger.issue(NAME).chain_der)
    refused(Reason.CERTIFICATE_UNTRUSTED, with_chain(stranger.issue(NAME), stranger).chain_der)
    client_refused(Reason.CERTIFICATE_UNTRUSTED, stranger.issue("client.example", client=True).chain_der)
    refused(Reason.CERTIFICATE_UNTRUSTED, server_credential().chain, anchors_of(stranger))


def test_an_authority_that_only_has_the_name_of_ours() -> None:
    """The key identifiers tell; where there are none, the signature does."""
    identifiers = x509.SubjectKeyIdentifier.from_public_key(authority().key.public_key())
    ours = root("same name", (CA, (identifiers, False)))
    theirs = root("same name")
    refused(Reason.CERTIFICATE_UNTRUSTED, theirs.issue(NAME).chain_der, anchors_of(ours))
    refused(Reason.CERTIFICATE_INVALID, [leaf(theirs, [names(NAME)])], anchors_of(root("same name")))


def test_a_changed_certificate() -> None:
    der = server_identity().chain_der[0]
    for position in (der.index(b"server.example"), len(der) - 1):
        refused(Reason.CERTIFICATE_INVALID, [flipped(der, position)])


def test_a_chain_that_goes_round_in_circles_ends() -> None:
    first_key, second_key = KEYS["p256"](), KEYS["p256"]()
    base = authority().certificate
    first = issue(Authority(base, second_key), "first", first_key.public_key(), [CA], subject="second")
    second = issue(Authority(base, first_key), "second", second_key.public_key(), [CA], subject="first")
    bottom = leaf(Authority(first, first_key), [names(NAME)])
    chain = [bottom, *(each.public_bytes(Encoding.DER) for each in (first, second))]
    refused(Reason.CERTIFICATE_UNTRUSTED, chain)


def test_trust_speaks_before_time_and_name() -> None:
    stranger = root().issue("other.example", end=-DAY)
    refused(Reason.CERTIFICATE_UNTRUSTED, stranger.chain_der)
    refused(Reason.CERTIFICATE_EXPIRED, authority().issue("other.example", end=-DAY).chain_der)


def test_an_issuer_that_is_none() -> None:
    no_authority = Authority(server_identity().certificate, server_identity().key)
    identity = with_chain(no_authority.issue(NAME), no_authority)
    refused(Reason.CERTIFICATE_INVALID, identity.chain_der)
    forbidden = subordinate(authority(), extensions=(CA, usage("digital_signature")))
    refused(Reason.CERTIFICATE_INVALID, with_chain(forbidden.issue(NAME), forbidden).chain_der)
    allowed = subordinate(authority(), extensions=(CA, usage("key_cert_sign")))
    verify_server_chain(with_chain(allowed.issue(NAME), allowed).chain_der, anchors(), NAME, NOW)


def test_an_authority_below_the_allowed_depth() -> None:
    first = subordinate(authority(), "first")  # the root allows one
    second = subordinate(first, "second")
    refused(Reason.CERTIFICATE_INVALID, with_chain(second.issue(NAME), second, first).chain_der)


def test_the_key_usage_of_a_leaf() -> None:
    refused(Reason.CERTIFICATE_INVALID, [leaf(authority(), [names(NAME), usage("key_agreement")])])
    signing = leaf(authority(), [names(NAME), usage("digital_signature")])
    verify_server_chain([signing], anchors(), NAME, NOW)


def test_a_certificate_for_the_other_side() -> None:
    for_client = authority().issue(NAME, client=True)
    refused(Reason.CERTIFICATE_UNSUPPORTED, for_client.chain_der)
    client_refused(Reason.CERTIFICATE_UNSUPPORTED, server_credential().chain)
    both = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
    for_both = [leaf(authority(), [names(NAME), (both, False)])]
    verify_server_chain(for_both, anchors(), NAME, NOW)
    verify_client_chain(for_both, anchors(), NOW)


@pytest.mark.parametrize("kind", ["ed25519", "ed448"])
def test_authorities_that_the_library_does_not_take(kind: str) -> None:
    other = root(make_key=KEYS[kind])
    refused(Reason.CERTIFICATE_UNSUPPORTED, [leaf(other, [names(NAME)])], anchors_of(other))


def test_short_rsa_keys() -> None:
    short = root(make_key=lambda: rsa.generate_private_key(65537, 1024))
    refused(Reason.CERTIFICATE_UNSUPPORTED, [leaf(short, [names(NAME)])], anchors_of(short))


def test_rsa_keys_shorter_than_the_config_allows() -> None:
    def short(bits: int) -> list[bytes]:
        key = rsa.generate_private_key(65537, bits)
        return [issue(authority(), "leaf", key.public_key(), [names(NAME)]).public_bytes(Encoding.DER)]

    for bits in (1024, 2047):
        chain = short(bits)
        assert f"{bits} bits" in refused(Reason.CERTIFICATE_UNSUPPORTED, chain)
        client_refused(Reason.CERTIFICATE_UNSUPPORTED, chain)
        verify_server_chain(chain, anchors(), NAME, NOW, min_rsa_bits=1024)
        verify_client_chain(chain, anchors(), NOW, min_rsa_bits=1024)
    between = subordinate(authority(), key="rsa")
    whole = with_chain(between.issue(NAME), between).chain_der
    verify_server_chain(whole, anchors(), NAME, NOW)
    with pytest.raises(Fault, match="at least 3072"):
        verify_server_chain(whole, anchors(), NAME, NOW, min_rsa_bits=3072)


def test_a_chain_that_does_not_begin_with_the_leaf() -> None:
    middle = subordinate(authority())
    chain = with_chain(middle.issue(NAME), middle).chain_der
    for wrong in (chain[::-1], [middle.der, authority().der, chain[0]]):
        assert "begins with the leaf" in refused(Reason.CERTIFICATE_NAME_MISMATCH, wrong)
    assert "begins with the leaf" not in refused(
        Reason.CERTIFICATE_NAME_MISMATCH, [*chain, authority().der], name="other.example"
    )


@pytest.mark.parametrize("count", [9, 19, 60])
def test_chains_of_any_length(count: int) -> None:
    """How long one may be is the config's to say."""
    levels = [root("level")]
    for number in range(count):
        levels.append(subordinate(levels[-1], f"level {number}"))
    identity = with_chain(levels[-1].issue(NAME), *levels[:0:-1])
    path = verify_server_chain(identity.chain_der, anchors_of(levels[0]), NAME, NOW)
    assert len(path) == count + 2


def test_the_longest_chain_that_a_config_allows() -> None:
    """A hundred certificates."""
    test_chains_of_any_length(99)


def test_certificates_of_version_1() -> None:
    old = of_version_1(issue(authority(), "leaf", KEYS["p256"]().public_key()))
    client_refused(Reason.CERTIFICATE_UNSUPPORTED, [old])
    refused(Reason.CERTIFICATE_NAME_MISMATCH, [old])


def test_signature_algorithms_that_nobody_knows() -> None:
    good = server_identity().chain_der[0]
    ecdsa_with_sha256 = bytes.fromhex("06082a8648ce3d040302")
    unknown = bytes.fromhex("06082a8648ce3d04037f")
    refused(Reason.CERTIFICATE_UNSUPPORTED, [good.replace(ecdsa_with_sha256, unknown)])
    # Outside and inside of what is signed the algorithm must be the same.
    refused(Reason.CERTIFICATE_MALFORMED, [good.replace(ecdsa_with_sha256, unknown, 1)])


@pytest.mark.parametrize(("number", "algorithm"), [(4, MD5()), (5, SHA1())], ids=["MD5", "SHA-1"])
def test_broken_hashes(number: int, algorithm: Any) -> None:
    """bad_certificate for a signature that would have to be verified; that of an anchor has not (RFC 9846 section
    4.5.1.3)."""
    rsa_root = root(make_key=KEYS["rsa"])
    good = issue(rsa_root, "leaf", KEYS["p256"]().public_key(), [names(NAME)])
    verify_server_chain([good.public_bytes(Encoding.DER)], anchors_of(rsa_root), NAME, NOW)
    refused(
        Reason.CERTIFICATE_INVALID, [signed_anew(good, rsa_root.key, number, algorithm)], anchors_of(rsa_root)
    )
    between = subordinate(rsa_root)
    weak = signed_anew(between.certificate, rsa_root.key, number, algorithm)
    refused(Reason.CERTIFICATE_INVALID, [leaf(between, [names(NAME)]), weak], anchors_of(rsa_root))
    old_root = TrustAnchors.from_der([signed_anew(rsa_root.certificate, rsa_root.key, number, algorithm)])
    verify_server_chain([good.public_bytes(Encoding.DER)], old_root, NAME, NOW)


def test_an_issuer_that_cannot_sign() -> None:
    silent = Authority(
        issue(authority(), "silent", x25519.X25519PrivateKey.generate().public_key(), [CA]), KEYS["p256"]()
    )
    chain = [leaf(silent, [names(NAME)]), silent.der]
    refused(Reason.CERTIFICATE_UNSUPPORTED, chain)


def test_name_constraints() -> None:
    constraints = x509.NameConstraints([x509.DNSName("example")], None)
    inside = subordinate(authority(), extensions=(CA, (constraints, True)))
    verify_server_chain(with_chain(inside.issue(NAME), inside).chain_der, anchors(), NAME, NOW)
    outside = with_chain(inside.issue("server.test"), inside)
    refused(Reason.CERTIFICATE_INVALID, outside.chain_der, name="server.test")


def test_a_critical_extension_that_nobody_knows() -> None:
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
    refused(Reason.CERTIFICATE_INVALID, [leaf(authority(), [names(NAME), (unknown, True)])])
    verify_server_chain([leaf(authority(), [names(NAME), (unknown, False)])], anchors(), NAME, NOW)


# --- what is not well-formed ------------------------------------------------------------------------------


@pytest.mark.parametrize("garbage", [b"", b"\0", b"0\x00", b"not a certificate"])
def test_what_is_no_certificate(garbage: bytes) -> None:
    good = server_credential().chain
    for chain in ([garbage], [*good, garbage], [garbage, *good]):
        refused(Reason.CERTIFICATE_MALFORMED, chain)
        client_refused(Reason.CERTIFICATE_MALFORMED, chain)
        with pytest.raises(Fault) as caught:
            check_validity(chain, NOW, NOW)
        assert caught.value.reason is Reason.CERTIFICATE_MALFORMED


def test_an_extension_in_an_authority_that_cannot_be_read() -> None:
    for oid in (BASIC_CONSTRAINTS, KEY_USAGE, PURPOSE):
        bad = subordinate(
            authority(), extensions=(*((CA,) if oid != BASIC_CONSTRAINTS else ()), (broken(oid), False))
        )
        refused(Reason.CERTIFICATE_MALFORMED, with_chain(bad.issue(NAME), bad).chain_der)


def test_no_certificates_at_all() -> None:
    refused(Reason.CERTIFICATE_MALFORMED, [])
    client_refused(Reason.CERTIFICATE_MALFORMED, [])


SAN, KEY_USAGE, BASIC_CONSTRAINTS, PURPOSE = "2.5.29.17", "2.5.29.15", "2.5.29.19", "2.5.29.37"
AUTHORITY_KEY, SCTS, POLICIES = "2.5.29.35", "1.3.6.1.4.1.11129.2.4.2", "2.5.29.32"


def broken(oid: str) -> x509.UnrecognizedExtension:
    return x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), b"\xff\xff")


def test_extensions_that_cannot_be_read() -> None:
    """Those that are needed, and those that are critical."""
    refused(Reason.CERTIFICATE_MALFORMED, [leaf(authority(), [(broken(SAN), False)])])
    for oid in (KEY_USAGE, PURPOSE):
        refused(Reason.CERTIFICATE_MALFORMED, [leaf(authority(), [names(NAME), (broken(oid), False)])])
    for oid in (BASIC_CONSTRAINTS, AUTHORITY_KEY):
        refused(Reason.CERTIFICATE_MALFORMED, [leaf(authority(), [names(NAME), (broken(oid), True)])])
    # A library that cannot be told of policies does not look into them.
    reason = Reason.CERTIFICATE_MALFORMED if CRITICAL_POLICIES.installed else Reason.CERTIFICATE_INVALID
    refused(reason, [leaf(authority(), [names(NAME), (broken(POLICIES), True)])])


@pytest.mark.parametrize("oid", [BASIC_CONSTRAINTS, AUTHORITY_KEY, SCTS, POLICIES])
def test_an_extension_that_cannot_be_read_does_not_spoil_what_does_not_need_it(oid: str) -> None:
    chain = [leaf(authority(), [names(NAME), (broken(oid), False)])]
    verify_server_chain(chain, anchors(), NAME, NOW)
    verify_server_chain(chain, anchors(), None, NOW)
    verify_client_chain(chain, anchors(), NOW)
    refused(Reason.CERTIFICATE_NAME_MISMATCH, chain, name="other.example")


REASONS = {
    Reason.CERTIFICATE_MALFORMED,
    Reason.CERTIFICATE_UNSUPPORTED,
    Reason.CERTIFICATE_UNTRUSTED,
    Reason.CERTIFICATE_EXPIRED,
    Reason.CERTIFICATE_NAME_MISMATCH,
    Reason.CERTIFICATE_INVALID,
}


def changed_somewhere(der: bytes, chosen: random.Random) -> bytes:
    """One bit flipped, or one byte more or less."""
    edited = bytearray(der)
    position = chosen.randrange(len(edited))
    match chosen.randrange(3):
        case 0:
            edited[position] ^= 1 << chosen.randrange(8)
        case 1:
            edited[position:position] = bytes([edited[position] ^ 1 << chosen.randrange(8)])
        case _:
            del edited[position]
    return changed(der, bytes(edited))


@pytest.mark.filterwarnings("default::cryptography.utils.CryptographyDeprecationWarning")
def test_no_changed_chain_is_accepted_and_none_raises_anything_but_a_fault() -> None:
    middle = subordinate(authority())
    original = with_chain(middle.issue(NAME, "127.0.0.1"), middle).chain_der
    chosen = random.Random(7)
    for _ in range(1500):
        which = chosen.randrange(2)
        chain = list(original)
        chain[which] = changed_somewhere(original[which], chosen)
        try:
            verify_server_chain(chain, anchors(), NAME, NOW)
        except Fault as caught:
            reason = caught.reason
        else:
            # The signature is a BIT STRING that says how many of its bits do not count, which nobody signs.
            signed = [x509.load_der_x509_certificate(each[which]) for each in (original, chain)]
            assert signed[0].tbs_certificate_bytes == signed[1].tbs_certificate_bytes
            assert signed[0].signature == signed[1].signature
            continue
        assert reason in REASONS


# --- trust anchors ----------------------------------------------------------------------------------------


def test_anchors_from_pem_and_der() -> None:
    other = root()
    from_pem = TrustAnchors.from_pem(authority().pem + b"a comment\n" + other.pem)
    assert from_pem == TrustAnchors.from_der([authority().der, other.der])
    assert from_pem.certificates == (authority().der, other.der)
    assert from_pem.subjects == tuple(
        each.certificate.subject.public_bytes() for each in (authority(), other)
    )


@pytest.mark.parametrize("pem", [b"", b"no PEM", b"-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_anchors_that_cannot_be_read(pem: bytes) -> None:
    with pytest.raises(ConfigError) as caught:
        TrustAnchors.from_pem(pem)
    assert caught.value.field == "trust_anchors"


@pytest.mark.parametrize("ders", [[], [b""], [b"not a certificate"]])
def test_anchors_that_are_none(ders: list[bytes]) -> None:
    with pytest.raises(ConfigError) as caught:
        TrustAnchors.from_der(ders)
    assert caught.value.field == "trust_anchors"


def test_the_digest_stands_for_the_set() -> None:
    first, second = authority(), root()
    digest = anchors_of(first, second).digest
    assert len(digest) == 32
    assert digest == anchors_of(second, first).digest == anchors_of(first, second, first).digest
    assert len({digest, anchors_of(first).digest, anchors_of(second).digest}) == 3


def test_anchors_can_be_pickled_and_copied() -> None:
    trusted = anchors()
    assert copy.copy(trusted) is copy.deepcopy(trusted) is trusted
    twin = pickle.loads(pickle.dumps(trusted))
    assert twin == trusted
    assert twin.digest == trusted.digest
    verify_server_chain(server_credential().chain, twin, NAME, NOW)
    assert repr(trusted) == "TrustAnchors(certificates=<1>)"


def test_an_identity_is_for_its_names() -> None:
    """The factory of the tests itself: what it says is what is in the certificate."""
    identity: Identity = client_identity()
    extension = identity.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert extension.value.get_values_for_type(x509.DNSName) == ["client.example"]
    assert ipaddress.ip_address(
        "127.0.0.1"
    ) in server_identity().certificate.extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    ).value.get_values_for_type(x509.IPAddress)


def test_name_constraints_for_directories_are_refused_with_every_version(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Those that the chain keeps too: nobody compares them.  Not critical here, since others the library refuses."""
    subtree = [x509.DirectoryName(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "else")]))]
    middle = subordinate(authority(), extensions=(CA, (x509.NameConstraints(None, subtree), False)))
    chain = [leaf(middle, [names(NAME)]), middle.der]
    monkeypatch.setattr(verification, "DIRECTORY_CONSTRAINTS", Newer("it", 1))
    verify_server_chain(chain, anchors_of(authority()), NAME, NOW)
    monkeypatch.setattr(verification, "DIRECTORY_CONSTRAINTS", Newer("it", 1000))
    assert "directories" in refused(Reason.CERTIFICATE_INVALID, chain, anchors_of(authority()))
