"""Our own certificates: what a credential accepts, says and selects; and reading keys out of certificates."""

import copy
import ipaddress
import pickle
import re
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa, x25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from sansticket.codes import SignatureScheme as Scheme
from sansticket.crypto.anchors import TrustAnchors
from sansticket.crypto.certificates import Credential, is_ip_address, public_key_of
from sansticket.crypto.signatures import RsaPssPublicKey, schemes_of, sign, verify
from sansticket.crypto.verification import verify_client_chain, verify_server_chain
from sansticket.errors import ConfigError, Fault, Reason
from tests.support.certificates import KEYS, Identity, authority, server_identity
from tests.support.credentials import (
    NOW,
    PSS_SHA256_IDENTIFIER,
    anchors,
    credential_of,
    issue,
    rsa_pss_identity,
    server_credential,
    subordinate,
    with_chain,
    with_key_algorithm,
)

KINDS = [*KEYS, "rsa-pss"]


def refused(*arguments: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        Credential(*arguments)
    assert caught.value.field == "credentials"
    return str(caught.value)


def leaf_for(public_key: Any, *names: x509.GeneralName) -> bytes:
    extensions = [(x509.SubjectAlternativeName(names), False)] if names else []
    return issue(authority(), "leaf", public_key, extensions).public_bytes(Encoding.DER)


# --- a credential -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_credential_of_each_kind_of_key_signs_what_its_certificate_verifies(kind: str) -> None:
    credential = server_credential(kind)
    key = public_key_of(credential.chain[0])
    for tls13 in (True, False):
        assert credential.usable_schemes(tls13) == schemes_of(key, tls13)
        for scheme in credential.usable_schemes(tls13):
            assert credential.private_key is not None
            verify(key, scheme, b"message", sign(credential.private_key, scheme, b"message", tls13), tls13)
    assert credential.usable_schemes(tls13=True)


def test_a_pss_certificate_is_used_with_pss_schemes_only() -> None:
    assert server_credential("rsa-pss").usable_schemes(tls13=True) == (
        Scheme.RSA_PSS_PSS_SHA256,
        Scheme.RSA_PSS_PSS_SHA384,
        Scheme.RSA_PSS_PSS_SHA512,
    )
    restricted = credential_of(rsa_pss_identity(identifier=PSS_SHA256_IDENTIFIER))
    assert restricted.usable_schemes(tls13=True) == (Scheme.RSA_PSS_PSS_SHA256,)


@pytest.mark.parametrize("password", [None, b"secret"])
@pytest.mark.parametrize("kind", ["p256", "rsa", "ed25519"])
def test_from_pem(kind: str, password: bytes | None) -> None:
    middle = subordinate(authority())
    identity = with_chain(server_identity(kind), middle, authority())
    encryption = NoEncryption() if password is None else BestAvailableEncryption(password)
    key_pem = identity.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
    credential = Credential.from_pem(identity.chain_pem, key_pem, password)
    assert credential.chain == identity.chain_der
    assert credential == credential_of(identity)


@pytest.mark.parametrize(
    ("chain", "key", "password"),
    [
        (b"", None, None),
        (b"no PEM", None, None),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", None, None),
        (None, b"", None),
        (None, b"no PEM", None),
        (None, None, b"a password for a key that has none"),
    ],
)
def test_from_pem_says_what_cannot_be_read(
    chain: bytes | None, key: bytes | None, password: bytes | None
) -> None:
    identity = server_identity()
    with pytest.raises(ConfigError) as caught:
        Credential.from_pem(
            identity.chain_pem if chain is None else chain,
            identity.key_pem if key is None else key,
            password,
        )
    assert caught.value.field == "credentials"


def test_what_is_behind_a_comment_is_not_read() -> None:
    """An old chain and an old key that somebody has taken away."""
    old, new = server_identity("rsa"), server_identity()
    chain, key = (
        b"# " + mine + other for mine, other in ((old.chain_pem, new.chain_pem), (old.key_pem, new.key_pem))
    )
    assert Credential.from_pem(chain, key).chain == tuple(new.chain_der)


def test_from_pem_with_a_wrong_password() -> None:
    key_pem = server_identity().key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"right")
    )
    for password in (None, b"wrong"):
        with pytest.raises(ConfigError, match="credentials"):
            Credential.from_pem(server_identity().chain_pem, key_pem, password)


def test_the_key_must_be_the_leaf_s() -> None:
    chain = server_identity("p256").chain_der
    for kind in KEYS:
        other = KEYS[kind]()
        assert "does not belong" in refused(chain, other)
    pss = rsa_pss_identity().chain_der
    assert "does not belong" in refused(pss, server_identity("rsa").key)


def test_the_chain_must_be_readable_and_not_empty() -> None:
    assert "at least one" in refused((), None)
    refused((b"",), None)
    refused((b"0\x00",), None)
    good = server_identity().chain_der[0]
    refused((good[:-1],), None)
    refused((good + b"\0",), None)
    refused((good, b"not a certificate"), None)


def test_a_key_that_no_scheme_fits() -> None:
    x25519_leaf = leaf_for(x25519.X25519PrivateKey.generate().public_key())
    assert "no signature scheme" in refused((x25519_leaf,), None)
    other_curve = ec.generate_private_key(ec.SECP256K1())
    assert "no signature scheme" in refused((leaf_for(other_curve.public_key()),), other_curve)


@pytest.mark.parametrize("signs", [True, False])
def test_a_key_that_may_not_sign(signs: bool) -> None:
    """RFC 9846 section 4.5.1.2: a certificate with keyUsage MUST have digitalSignature.  RSA key transport is gone."""
    key = KEYS["rsa"]()
    usage = x509.KeyUsage(signs, False, True, False, False, False, False, False, False)
    chain = (issue(authority(), "leaf", key.public_key(), [(usage, True)]).public_bytes(Encoding.DER),)
    if signs:
        assert Credential(chain, key).usable_schemes(tls13=True)
    else:
        why = "keyUsage of the first certificate does not allow digital signatures"
        assert refused(chain, key) == f"credentials: {why}"


def test_schemes_limit_and_order_what_is_used() -> None:
    identity = server_identity("rsa")
    wanted = (Scheme.RSA_PKCS1_SHA256, Scheme.RSA_PSS_RSAE_SHA512, Scheme.RSA_PSS_RSAE_SHA256)
    credential = credential_of(identity, wanted)
    assert credential.usable_schemes(tls13=False) == wanted
    assert credential.usable_schemes(tls13=True) == wanted[1:]


@pytest.mark.parametrize("schemes", [(), (Scheme.ED25519,), (Scheme.ECDSA_SECP256R1_SHA256, 0x0A0A)])
def test_schemes_must_fit_the_key(schemes: tuple[int, ...]) -> None:
    assert "fit the key" in refused(server_identity().chain_der, None, schemes)


def test_without_a_private_key() -> None:
    credential = Credential(server_identity().chain_der, None)
    assert credential.private_key is None
    assert credential.usable_schemes(tls13=True) == (Scheme.ECDSA_SECP256R1_SHA256,)
    assert credential.public_key == server_identity().key.public_key()


def test_a_list_will_do_as_a_chain() -> None:
    assert Credential(list(server_identity().chain_der), None).chain == server_identity().chain_der


def test_issuer_names_are_those_of_the_whole_chain() -> None:
    middle = subordinate(authority(), "the middle")
    identity = with_chain(Identity(middle.issue("server.example").chain, KEYS["p256"]()), middle)
    credential = Credential(identity.chain_der, None)
    assert credential.issuer_names == (
        middle.certificate.subject.public_bytes(),
        authority().certificate.subject.public_bytes(),
    )


@pytest.mark.parametrize("kind", [*KINDS, None])
def test_a_credential_can_be_pickled_and_copied(kind: str | None) -> None:
    credential = (
        Credential(server_identity().chain_der, None, (Scheme.ECDSA_SECP256R1_SHA256,))
        if kind is None
        else server_credential(kind)
    )
    assert copy.copy(credential) is copy.deepcopy(credential) is credential
    twin = pickle.loads(pickle.dumps(credential))
    assert twin == credential
    assert twin.names == credential.names
    assert twin.usable_schemes(True) == credential.usable_schemes(True)
    if credential.private_key is None:
        assert twin.private_key is None
    else:
        scheme = twin.usable_schemes(True)[0]
        verify(credential.public_key, scheme, b"message", sign(twin.private_key, scheme, b"message"))


def test_a_credential_shows_its_names_and_no_key() -> None:
    shown = repr(server_credential())
    assert shown == "Credential(names=('server.example', '127.0.0.1'), schemes=None)"


# --- names ------------------------------------------------------------------------------------------------


def credential_for(*names: x509.GeneralName) -> Credential:
    return Credential((leaf_for(KEYS["p256"]().public_key(), *names),), None)


def test_names_are_the_dns_names_and_addresses_of_the_leaf() -> None:
    credential = credential_for(
        x509.DNSName("WWW.Example.com"),
        x509.DNSName("*.example.org"),
        x509.RFC822Name("someone@example.com"),
        x509.IPAddress(ipaddress.ip_address("192.0.2.1")),
        x509.IPAddress(ipaddress.ip_address("2001:db8::1")),
    )
    assert credential.names == ("www.example.com", "*.example.org", "192.0.2.1", "2001:db8::1")
    assert credential_for().names == ()


@pytest.mark.parametrize(
    ("name", "server_name", "matches"),
    [
        ("example.com", "example.com", True),
        ("example.com", "EXAMPLE.com", True),
        ("Example.COM", "example.com", True),
        ("example.com", "example.com.", True),
        ("example.com", "www.example.com", False),
        ("www.example.com", "example.com", False),
        ("*.example.com", "www.example.com", True),
        ("*.example.com", "WWW.example.com", True),
        ("*.example.com", "example.com", False),
        ("*.example.com", ".example.com", False),
        ("*.example.com", "a.b.example.com", False),
        ("www.*.com", "www.example.com", False),
        ("w*.example.com", "www.example.com", False),
        ("*", "example", False),
        ("example.com", "", False),
        ("1.2.3.4", "1.2.3.4", True),
        ("1.2.3.4", "1.2.3.5", False),
        ("*.2.3.4", "1.2.3.4", False),
        ("2001:db8::1", "2001:0DB8:0::1", True),
        ("2001:db8::1", "2001:db8::2", False),
    ],
)
def test_which_names_match(name: str, server_name: str, matches: bool) -> None:
    general = x509.IPAddress(ipaddress.ip_address(name)) if is_ip_address(name) else x509.DNSName(name)
    assert credential_for(general).matches(server_name) is matches


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("192.0.2.1", True),
        ("::1", True),
        ("2001:db8::1", True),
        ("example.com", False),
        ("1.2.3", False),
        ("", False),
        ("[::1]", False),
    ],
)
def test_is_ip_address(name: str, expected: bool) -> None:
    assert is_ip_address(name) is expected


# --- keys of certificates ---------------------------------------------------------------------------------


def unreadable(der: bytes) -> Reason:
    with pytest.raises(Fault) as caught:
        public_key_of(der)
    return caught.value.reason


@pytest.mark.parametrize("kind", KEYS)
def test_the_key_of_a_certificate(kind: str) -> None:
    identity = server_identity(kind)
    assert public_key_of(identity.chain_der[0]) == identity.key.public_key()


@pytest.mark.parametrize("salt", [None, "sha256", "sha384", "sha512"])
def test_the_restriction_of_a_pss_key(salt: str | None) -> None:
    number, length = {"sha256": (1, 32), "sha384": (2, 48), "sha512": (3, 64), None: (0, 0)}[salt]
    oid = f"300d060960864801650304020{number}0500"
    identifier = (
        "300b06092a864886f70d01010a"
        if salt is None
        else f"304106092a864886f70d01010a3034a00f{oid}a11c301a06092a864886f70d010108{oid}a2030201{length:02x}"
    )
    plain = server_identity("rsa")
    key = public_key_of(with_key_algorithm(plain.certificate, bytes.fromhex(identifier)))
    assert key == RsaPssPublicKey(plain.key.public_key(), salt)


def test_a_pss_key_with_parameters_that_no_scheme_has() -> None:
    # SHA-256 with a salt of 31 bytes.
    identifier = PSS_SHA256_IDENTIFIER[:-1] + b"\x1f"
    der = with_key_algorithm(server_identity("rsa").certificate, identifier)
    assert unreadable(der) is Reason.CERTIFICATE_UNSUPPORTED


def test_keys_of_no_use() -> None:
    for key in (x25519.X25519PrivateKey.generate(), ec.generate_private_key(ec.SECP256K1())):
        assert unreadable(leaf_for(key.public_key())) is Reason.CERTIFICATE_UNSUPPORTED


def test_a_key_of_an_unknown_algorithm() -> None:
    good = server_identity("ed25519").chain_der[0]
    ed25519_oid = bytes.fromhex("06032b6570")
    assert good.count(ed25519_oid) == 1
    unknown = good.replace(ed25519_oid, bytes.fromhex("06032b657f"))
    assert unreadable(unknown) is Reason.CERTIFICATE_UNSUPPORTED


def test_a_key_that_is_none() -> None:
    good = server_identity("p256").chain_der[0]
    point = server_identity("p256").key.public_key().public_numbers()
    encoded = b"\x04" + point.x.to_bytes(32, "big") + point.y.to_bytes(32, "big")
    assert unreadable(good.replace(encoded, b"\x04" + bytes(64))) is Reason.CERTIFICATE_MALFORMED


@pytest.mark.parametrize("der", [b"", b"\0", b"0\x00", b"-----BEGIN CERTIFICATE-----", b"0\x80\x00\x00"])
def test_what_is_no_certificate(der: bytes) -> None:
    assert unreadable(der) is Reason.CERTIFICATE_MALFORMED


def test_every_strict_prefix_of_a_certificate_is_malformed() -> None:
    der = server_identity().chain_der[0]
    for length in range(len(der)):
        assert unreadable(der[:length]) is Reason.CERTIFICATE_MALFORMED
    assert unreadable(der + b"\0") is Reason.CERTIFICATE_MALFORMED


# --- what does not spoil a credential, and what does ---------------------------------------------------------


def with_raw_names(*encoded: str) -> bytes:
    """A leaf with these names beside server.example, in hexadecimal DER."""
    names = bytes.fromhex("820e") + b"server.example" + b"".join(map(bytes.fromhex, encoded))
    value = bytes((0x30, len(names))) + names
    san = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.17"), value)
    key = server_identity().key
    return issue(authority(), "leaf", key.public_key(), [(san, False)]).public_bytes(Encoding.DER)


EDI_PARTY_NAME, X400_ADDRESS = "a509a1070c057061727479", "a3023000"


@pytest.mark.parametrize("name", [EDI_PARTY_NAME, X400_ADDRESS])
def test_names_of_kinds_that_the_library_does_not_know_spoil_nothing(name: str) -> None:
    chain = (with_raw_names(name),)
    credential = Credential(chain, server_identity().key)
    assert credential.names == ("server.example",)
    assert credential.matches("server.example")
    verify_server_chain(chain, anchors(), "server.example", NOW)
    verify_server_chain(chain, anchors(), None, NOW)
    verify_client_chain(chain, anchors(), NOW)
    with pytest.raises(Fault) as caught:
        verify_server_chain(chain, anchors(), "other.example", NOW)
    assert caught.value.reason is Reason.CERTIFICATE_NAME_MISMATCH


def test_a_broken_list_of_scts_spoils_nothing() -> None:
    scts = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2"), b"\xff\xff")
    extensions = [(x509.SubjectAlternativeName([x509.DNSName("server.example")]), False), (scts, False)]
    key = server_identity().key
    own = issue(authority(), "leaf", key.public_key(), extensions).public_bytes(Encoding.DER)
    assert Credential((own,), key).names == ("server.example",)


def test_names_and_key_usage_must_be_readable() -> None:
    for oid in ("2.5.29.17", "2.5.29.15"):
        broken = x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), b"\xff\xff")
        key = server_identity().key
        own = issue(authority(), "leaf", key.public_key(), [(broken, False)]).public_bytes(Encoding.DER)
        refused((own,), key)


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1"])
def test_an_address_does_not_match_a_dns_name_that_reads_like_it(address: str) -> None:
    key = server_identity().key
    as_host = Credential((leaf_for(key.public_key(), x509.DNSName(address)),), key)
    assert as_host.names == (address,)
    assert not as_host.matches(address)
    as_address = x509.IPAddress(ipaddress.ip_address(address))
    assert Credential((leaf_for(key.public_key(), as_address),), key).matches(address)


@pytest.mark.parametrize("bits", [1024, 2047])
def test_short_rsa_keys(bits: int) -> None:
    key = rsa.generate_private_key(65537, bits)
    own = (leaf_for(key.public_key()),)
    assert f"{bits} bits; at least 2048" in refused(own, key)
    allowed = Credential(own, key, min_rsa_bits=1024)
    assert pickle.loads(pickle.dumps(allowed)) == allowed == copy.copy(allowed)
    with pytest.raises(ConfigError, match="at least 4096"):
        Credential(server_identity("rsa").chain_der, server_identity("rsa").key, min_rsa_bits=4096)


@pytest.mark.parametrize("bits", ["2048", None, 2048.0, True, -1])
def test_the_bound_for_rsa_keys_is_a_number(bits: Any) -> None:
    with pytest.raises(ConfigError, match="min_rsa_bits"):
        Credential(server_identity("rsa").chain_der, server_identity("rsa").key, min_rsa_bits=bits)


def test_a_chain_whose_leaf_is_not_the_first() -> None:
    middle = subordinate(authority())
    identity = with_chain(middle.issue("server.example"), middle)
    said = refused(identity.chain_der[::-1], identity.key)
    assert "certificate 2 of the chain, which must be the first" in said


def test_what_could_not_be_read_is_said() -> None:
    """Who has mixed up the two files knows it then."""
    identity = server_identity()
    nothing = r"^credentials: no {} in PEM could be read: there is {}; expected {}$".format
    with pytest.raises(ConfigError, match=nothing("chain", ".*PRIVATE KEY", "CERTIFICATE")):
        Credential.from_pem(identity.key_pem, identity.chain_pem)
    with pytest.raises(ConfigError, match=nothing("private key", "CERTIFICATE", "PRIVATE KEY")):
        Credential.from_pem(identity.chain_pem, identity.chain_pem)
    for label in "CERTIFICATE REQUEST", "TRUSTED CERTIFICATE", "PKCS7":
        other = identity.chain_pem.replace(b"CERTIFICATE", label.encode())
        with pytest.raises(ConfigError, match=nothing("chain", label, "CERTIFICATE")):
            Credential.from_pem(other, identity.key_pem)
    keys = re.sub(b"(BEGIN|END) .*PRIVATE", rb"\1 OPENSSH PRIVATE", identity.key_pem)
    with pytest.raises(ConfigError, match=nothing("private key", "OPENSSH PRIVATE KEY", "PRIVATE KEY")):
        Credential.from_pem(identity.chain_pem, keys)
    with pytest.raises(ConfigError, match=r"^credentials: a value of type str; expected bytes, the password"):
        Credential.from_pem(identity.chain_pem, identity.key_pem, "secret")  # type: ignore[arg-type]
    for none in b"", b"ca.pem", identity.chain_der[0]:
        with pytest.raises(
            ConfigError, match=r"^trust_anchors: .* nothing in it is PEM; expected CERTIFICATE$"
        ):
            TrustAnchors.from_pem(none)
