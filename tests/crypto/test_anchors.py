"""Trust anchors that are no certificates of an authority as the library wants them."""

import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from sansticket.crypto.certificates import Credential
from sansticket.crypto.verification import TrustAnchors, verify_server_chain
from sansticket.errors import ConfigError, Fault, Reason
from tests.support.certificates import KEYS, Authority, authority
from tests.support.chains import with_field
from tests.support.credentials import CA, DAY, NOW, anchors_of, issue, of_version_1, root

NAME = "server.example"
SAN = (x509.SubjectAlternativeName([x509.DNSName(NAME)]), False)


def usage(signs_certificates: bool) -> tuple[x509.ExtensionType, bool]:
    return x509.KeyUsage(True, False, False, False, False, signs_certificates, False, False, False), True


def leaf(issuer: Authority, name: str = NAME) -> bytes:
    names = x509.SubjectAlternativeName([x509.DNSName(name)])
    return issue(issuer, "leaf", KEYS["p256"]().public_key(), [(names, False)]).public_bytes(Encoding.DER)


def refused(chain: list[bytes], anchors: TrustAnchors, name: str = NAME) -> Reason:
    with pytest.raises(Fault) as caught:
        verify_server_chain(chain, anchors, name, NOW)
    return caught.value.reason


@pytest.mark.parametrize("kind", ["p256", "p384", "p521", "rsa"])
def test_version_1(kind: str) -> None:
    """Of an anchor count its name and its key (RFC 5280 section 6.1.1 (d))."""
    other = root("old", (), KEYS[kind])
    old = of_version_1(other.certificate)
    own = leaf(other)
    path = verify_server_chain([own, old], TrustAnchors((old,)), NAME, NOW)
    assert [each.public_bytes(Encoding.DER) for each in path] == [own, old]
    assert refused([leaf(root("old", (), KEYS[kind]))], TrustAnchors((old,))) is Reason.CERTIFICATE_INVALID
    with pytest.raises(Fault) as caught:
        verify_server_chain([own], TrustAnchors((old,)), NAME, NOW + 340 * DAY)
    assert caught.value.reason is Reason.CERTIFICATE_EXPIRED


@pytest.mark.parametrize("extensions", [(), (usage(True),)], ids=["none", "keyUsage"])
def test_version_3_without_basic_constraints(extensions: tuple[tuple[x509.ExtensionType, bool], ...]) -> None:
    other = root("bare", extensions)
    own = leaf(other)
    path = verify_server_chain([own], anchors_of(other), NAME, NOW)
    assert [each.public_bytes(Encoding.DER) for each in path] == [own, other.der]


def test_what_the_extensions_of_an_anchor_restrict_still_counts() -> None:
    constrained = root("constrained", ((x509.NameConstraints([x509.DNSName("example")], None), True),))
    verify_server_chain([leaf(constrained)], anchors_of(constrained), NAME, NOW)
    inside = [leaf(constrained, "server.test")]
    assert refused(inside, anchors_of(constrained), "server.test") is Reason.CERTIFICATE_INVALID


@pytest.mark.parametrize(
    "extensions",
    [
        (SAN, usage(False)),
        (SAN, (x509.BasicConstraints(ca=False, path_length=None), True)),
        (CA, usage(False)),
    ],
    ids=["keyUsage without keyCertSign", "no authority", "authority that may not sign"],
)
def test_a_trusted_certificate_that_is_no_authority_issues_nothing(
    extensions: tuple[tuple[x509.ExtensionType, bool], ...],
) -> None:
    itself = root("itself", extensions)
    if SAN in extensions:
        verify_server_chain([itself.der], anchors_of(itself), NAME, NOW)
    assert refused([leaf(itself)], anchors_of(itself)) is Reason.CERTIFICATE_INVALID


def test_an_intermediate_of_version_1_is_no_authority() -> None:
    key = KEYS["p256"]()
    old = of_version_1(issue(authority(), "old", key.public_key()))
    own = leaf(Authority(x509.load_der_x509_certificate(old), key))
    assert refused([own, old], anchors_of(authority())) is Reason.CERTIFICATE_UNSUPPORTED


def test_its_name_is_among_the_authorities_once() -> None:
    other = root("bare", ())
    assert anchors_of(other, authority()).subjects == (
        other.certificate.subject.public_bytes(),
        authority().certificate.subject.public_bytes(),
    )


def behind_comments(pem: bytes, lines: int) -> bytes:
    """With a # before the first of its lines."""
    split = pem.splitlines(keepends=True)
    return b"".join([b"# " + line for line in split[:lines]] + split[lines:])


OTHER = ssl.DER_cert_to_PEM_cert(root("other").der).encode()


@pytest.mark.parametrize("lines", [1, 1000])
def test_an_anchor_behind_a_comment_is_none(lines: int) -> None:
    other = behind_comments(OTHER, lines)
    for pem in (authority().pem + other, other + authority().pem):
        assert TrustAnchors.from_pem(pem).certificates == (authority().der,)
    with pytest.raises(ConfigError, match="trust_anchors: no certificates in PEM could be read"):
        TrustAnchors.from_pem(other)


@pytest.mark.parametrize(
    "pem",
    [
        b"\xef\xbb\xbf" + authority().pem + OTHER,
        (authority().pem + OTHER).replace(b"\n", b"\r\n"),
        (authority().pem + OTHER).replace(b"\n", b"\r"),
        b"  " + (authority().pem + OTHER).replace(b"\n", b"\n\t"),
        b"one\n" + authority().pem + b"another\n" + OTHER + b"that was it",
        authority().pem.rstrip() + OTHER,
    ],
)
def test_other_forms_of_a_bundle_are_whole(pem: bytes) -> None:
    assert len(TrustAnchors.from_pem(pem).certificates) == 2


def test_blocks_without_an_end_are_read_once() -> None:
    """What takes time with the square of its length would not come to an end here."""
    beginnings = b"-----BEGIN CERTIFICATE-----\n" * 50_000
    assert TrustAnchors.from_pem(authority().pem + beginnings).certificates == (authority().der,)
    leaf = authority().issue("server.example")
    assert Credential.from_pem(leaf.chain_pem + beginnings, leaf.key_pem + beginnings).names == (
        "server.example",
    )
    with pytest.raises(ConfigError, match="trust_anchors: no certificates in PEM could be read"):
        TrustAnchors.from_pem(beginnings)


@pytest.mark.filterwarnings("error::cryptography.utils.CryptographyDeprecationWarning")
def test_a_warning_that_is_an_exception_is_a_config_error() -> None:
    """The library warns of a serial number 0, which authorities have that most systems trust."""
    pem = ssl.DER_cert_to_PEM_cert(with_field("serial", b"\x02\x01\0").sent[0]).encode()
    with pytest.raises(
        ConfigError, match=r"^trust_anchors: no certificates in PEM could be read: Parsed a serial"
    ):
        TrustAnchors.from_pem(pem)
    with pytest.raises(ConfigError, match=r"^credentials: no chain in PEM could be read: Parsed a serial"):
        Credential.from_pem(pem, authority().issue("server.example").key_pem)
