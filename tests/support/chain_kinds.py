"""Chains of every kind that an authority may have made, with what our verifiers are to say of them.

In the order of ``docs/certificates.md``, which is held against this table.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.hazmat.primitives.hashes import MD5, SHA1, SHA224, SHA384
from cryptography.x509.oid import ExtendedKeyUsageOID as Purpose

from sansticket.crypto.der import element
from tests.support.certificates import KEYS, Authority, authority, client_identity, server_identity
from tests.support.chains import (
    NAME,
    Chain,
    Kind,
    Verdict,
    below,
    beside,
    der,
    doubled_extension,
    keyed_by_pss,
    leaf,
    levels,
    own_root,
    path_of,
    plain,
    policy_mappings,
    purpose,
    raw,
    raw_names,
    san,
    signed_over,
    signed_with_pss,
    trustme_chain,
    under,
    usage,
    validity,
    weak,
    with_field,
    without_subject,
)
from tests.support.credentials import (
    CA,
    DAY,
    common_name,
    issue,
    of_version_1,
    root,
    rsa_pss_identity,
    subordinate,
    with_chain,
)

BOTH, OPENSSL, OURS, NEITHER = Verdict.BOTH, Verdict.OPENSSL, Verdict.OURS, Verdict.NEITHER


def _identity(key: str) -> Kind:
    return Kind(
        f"leaf with a key of the kind {key}",
        BOTH,
        lambda: Chain(server_identity(key).chain_der, [authority().der]),
    )


def _authority(key: str, verdict: Verdict) -> Kind:
    return Kind(
        f"authority with a key of the kind {key}", verdict, own_root(CA, make_key=lambda: KEYS[key]())
    )


def _short(bits: int) -> Callable[[], rsa.RSAPrivateKey]:
    return lambda: rsa.generate_private_key(65537, bits)


def _curve(curve: ec.EllipticCurve) -> Callable[[], ec.EllipticCurvePrivateKey]:
    return lambda: ec.generate_private_key(curve)


KEY_KINDS: Final = (
    *map(_identity, ("p256", "p384", "p521", "rsa", "ed25519", "ed448", "mldsa65")),
    Kind("leaf with a key for RSASSA-PSS only", BOTH, lambda: path_of(rsa_pss_identity())),
    *(_authority(key, BOTH) for key in ("p384", "p521", "rsa", "mldsa65")),
    *(_authority(key, OPENSSL) for key in ("ed25519", "ed448")),
    Kind("authority with a key for RSASSA-PSS only", OPENSSL, keyed_by_pss),
    Kind("authority with an RSA key that signs with PSS", BOTH, signed_with_pss),
    Kind("leaf with an RSA key of 1024 bits", NEITHER, lambda: under(authority(), key=_short(1024)())),
    Kind("authority with an RSA key of 1024 bits", NEITHER, own_root(CA, make_key=_short(1024))),
    Kind("authority with an RSA key of 2047 bits", NEITHER, own_root(CA, make_key=_short(2047))),
    Kind("leaf on the curve secp224r1", NEITHER, lambda: under(authority(), key=_curve(ec.SECP224R1())())),
    Kind("authority on the curve secp224r1", OPENSSL, own_root(CA, make_key=_curve(ec.SECP224R1()))),
    Kind("authority on the curve secp256k1", OPENSSL, own_root(CA, make_key=_curve(ec.SECP256K1()))),
    Kind("authority with a DSA key", NEITHER, own_root(CA, make_key=lambda: dsa.generate_private_key(2048))),
    Kind("signature of the leaf over MD5", NEITHER, lambda: weak(4, MD5(), "leaf")),
    Kind("signature of the leaf over SHA-1", NEITHER, lambda: weak(5, SHA1(), "leaf")),
    Kind("signature of an intermediate over SHA-1", NEITHER, lambda: weak(5, SHA1(), "intermediate")),
    Kind("signature of the anchor over SHA-1", BOTH, lambda: weak(5, SHA1(), "root")),
    Kind("signature over SHA-224", OPENSSL, lambda: signed_over(SHA224())),
    Kind("signature of a P-256 key over SHA-384", BOTH, lambda: signed_over(SHA384())),
)

FORMS: Final = (
    Kind(
        "anchor of version 1",
        BOTH,
        lambda: Chain([leaf(old := root("old", ()))], [of_version_1(old.certificate)]),
    ),
    Kind("anchor of version 3 without extensions", OURS, own_root()),
    Kind("anchor with keyUsage alone", BOTH, own_root(usage("key_cert_sign"))),
    Kind("anchor with basicConstraints alone", BOTH, own_root(CA)),
    Kind("leaf of version 1, of a client", OPENSSL, lambda: _version_1_client()),
    Kind("intermediate of version 1", NEITHER, lambda: _version_1_intermediate()),
    Kind(
        "validity as GeneralizedTime before 2050",
        OPENSSL,
        lambda: with_field("validity", validity(b"20200101000000Z", b"20450101000000Z", (0x18, 0x18))),
    ),
    Kind(
        "validity as GeneralizedTime after 2049",
        BOTH,
        lambda: with_field("validity", validity(b"200101000000Z", b"20500101000000Z", (0x17, 0x18))),
    ),
    Kind(
        "validity without an end (9999)",
        BOTH,
        lambda: with_field("validity", validity(b"200101000000Z", b"99991231235959Z", (0x17, 0x18))),
    ),
    Kind("negative serial number", OPENSSL, lambda: with_field("serial", element(0x02, b"\xf0\x01"))),
    Kind("serial number 0", BOTH, lambda: with_field("serial", element(0x02, b"\0"))),
    Kind("serial number of 20 bytes", BOTH, lambda: with_field("serial", element(0x02, b"\x7f" * 20))),
    Kind("serial number of 32 bytes", OPENSSL, lambda: with_field("serial", element(0x02, b"\x7f" * 32))),
)


def _version_1_client() -> Chain:
    old = of_version_1(issue(authority(), "leaf", KEYS["p256"]().public_key()))
    return Chain([old], [authority().der], None)


def _version_1_intermediate() -> Chain:
    key = KEYS["p256"]()
    old = of_version_1(issue(authority(), "old", key.public_key()))
    issuer = Authority(x509.load_der_x509_certificate(old), key)
    return Chain([leaf(issuer), old], [authority().der])


NAMES: Final = (
    Kind("subjectAltName critical, beside a subject", BOTH, plain(san(NAME, critical=True))),
    Kind(
        "subjectAltName critical, without a subject", BOTH, lambda: without_subject(san(NAME, critical=True))
    ),
    Kind("subjectAltName not critical, without a subject", BOTH, lambda: without_subject(san(NAME))),
    Kind("the name in the subject alone", NEITHER, lambda: _without_names("leaf")),
    Kind("the name in capitals", BOTH, plain(san("SERVER.Example"))),
    Kind("another name", NEITHER, plain(san("other.example"))),
    Kind("the name with a dot at its end", NEITHER, plain(san(NAME + "."))),
    Kind("wildcard for one label", BOTH, plain(san("*.example"))),
    Kind(
        "wildcard for two labels", NEITHER, lambda: under(authority(), san("*.example"), name="a.b.example")
    ),
    Kind("wildcard for a part of a label", NEITHER, plain(san("s*.example"))),
    Kind("underscore", BOTH, lambda: under(authority(), san("my_service"), name="my_service")),
    Kind("hyphen at the end of a label", BOTH, lambda: under(authority(), san("a-.b"), name="a-.b")),
    Kind("iPAddress", BOTH, lambda: _address(x509.IPAddress(ipaddress.ip_address("192.0.2.1")))),
    Kind("IP address as a dNSName", NEITHER, lambda: _address(x509.DNSName("192.0.2.1"))),
    Kind("ediPartyName beside the name", BOTH, plain(raw_names(element(0xA5, element(0xA1, b"\x0c\x01x"))))),
    Kind("x400Address beside the name", BOTH, plain(raw_names(element(0xA3, b"\x30\0")))),
    Kind(
        "otherName beside the name",
        BOTH,
        plain(beside(x509.OtherName(x509.ObjectIdentifier("1.2.3"), b"\x05\0"))),
    ),
    Kind("directoryName beside the name", BOTH, plain(beside(x509.DirectoryName(common_name("directory"))))),
    Kind("URI beside the name", BOTH, plain(beside(x509.UniformResourceIdentifier("spiffe://example/a")))),
)


def _without_names(common_name: str) -> Chain:
    certificate = issue(authority(), common_name, KEYS["p256"]().public_key())
    return Chain([der(certificate)], [authority().der], common_name)


def _address(name: x509.GeneralName) -> Chain:
    return under(authority(), (x509.SubjectAlternativeName([name]), False), name="192.0.2.1")


_POLICY: Final = x509.CertificatePolicies(
    [x509.PolicyInformation(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), None)]
)
_POINT: Final = x509.DistributionPoint(
    [x509.UniformResourceIdentifier("http://crl.example/root.crl")], None, None, None
)
_PLACE: Final = x509.AccessDescription(
    x509.oid.AuthorityInformationAccessOID.CA_ISSUERS, x509.UniformResourceIdentifier("http://ca.example/")
)
_KEY_ID: Final = x509.SubjectKeyIdentifier(b"an identifier of 20 b")

EXTENSIONS: Final = (
    Kind("subjectAltName alone", BOTH, plain()),
    Kind("extendedKeyUsage with serverAuth", BOTH, plain(purpose(Purpose.SERVER_AUTH))),
    Kind("extendedKeyUsage critical", BOTH, plain(purpose(Purpose.SERVER_AUTH, critical=True))),
    Kind("extendedKeyUsage with anyExtendedKeyUsage", BOTH, plain(purpose(Purpose.ANY_EXTENDED_KEY_USAGE))),
    Kind("extendedKeyUsage with clientAuth alone", NEITHER, plain(purpose(Purpose.CLIENT_AUTH))),
    Kind("extendedKeyUsage with codeSigning alone", NEITHER, plain(purpose(Purpose.CODE_SIGNING))),
    Kind("keyUsage with digitalSignature", BOTH, plain(usage("digital_signature"))),
    Kind("keyUsage not critical", BOTH, plain(usage("digital_signature", critical=False))),
    Kind("keyUsage with keyEncipherment alone", NEITHER, plain(usage("key_encipherment"))),
    Kind("keyUsage with keyCertSign too", BOTH, plain(usage("digital_signature", "key_cert_sign"))),
    Kind(
        "basicConstraints CA:FALSE, critical or not", BOTH, plain((x509.BasicConstraints(False, None), False))
    ),
    Kind("basicConstraints CA:TRUE on a leaf", BOTH, plain(CA)),
    Kind("subjectKeyIdentifier critical", OURS, plain((_KEY_ID, True))),
    Kind(
        "authorityKeyIdentifier critical",
        OURS,
        lambda: under(
            authority(),
            (x509.AuthorityKeyIdentifier.from_issuer_public_key(authority().key.public_key()), True),
        ),
    ),
    Kind("authorityKeyIdentifier with issuer and serial number", BOTH, lambda: _named_by_serial_number()),
    Kind("authorityInfoAccess", BOTH, plain((x509.AuthorityInformationAccess([_PLACE]), False))),
    Kind("authorityInfoAccess critical", OURS, plain((x509.AuthorityInformationAccess([_PLACE]), True))),
    Kind("certificatePolicies critical", BOTH, plain((_POLICY, True))),
    Kind("cRLDistributionPoints critical", BOTH, plain((x509.CRLDistributionPoints([_POINT]), True))),
    Kind(
        "TLS feature (must staple)",
        BOTH,
        plain((x509.TLSFeature([x509.TLSFeatureType.status_request]), False)),
    ),
    Kind("list of SCTs that cannot be read", BOTH, plain(raw("1.3.6.1.4.1.11129.2.4.2", b"\xff\xff"))),
    Kind("name constraints", OPENSSL, plain((x509.NameConstraints([x509.DNSName("example")], None), True))),
    Kind("unknown extension", BOTH, plain(raw("1.2.3.4", b"\x05\0"))),
    Kind("unknown extension, critical", NEITHER, plain(raw("1.2.3.4", b"\x05\0", critical=True))),
    Kind("precertificate poison", NEITHER, plain((x509.PrecertPoison(), True))),
    Kind("the same extension twice", NEITHER, lambda: doubled_extension()),
)


def _named_by_serial_number() -> Chain:
    issuer = authority().certificate
    name = [x509.DirectoryName(issuer.issuer)]
    return under(authority(), (x509.AuthorityKeyIdentifier(None, name, issuer.serial_number), False))


def _constrained(permitted: object, excluded: object = None) -> x509.NameConstraints:
    return x509.NameConstraints(
        [permitted] if isinstance(permitted, x509.GeneralName) else None,
        [excluded] if isinstance(excluded, x509.GeneralName) else None,
    )


def _within(permitted: object, excluded: object = None) -> Callable[[], Chain]:
    return lambda: below(CA, (_constrained(permitted, excluded), True))


def _odd_name_within() -> Chain:
    constraint = _constrained(x509.DNSName("example")), True
    return below(CA, constraint, name="my_service.example", own=[san("my_service.example")])


AUTHORITIES: Final = (
    Kind("basicConstraints not critical", BOTH, lambda: below((CA[0], False), usage("key_cert_sign"))),
    Kind(
        "basicConstraints not critical, on the anchor", BOTH, own_root((CA[0], False), usage("key_cert_sign"))
    ),
    Kind("intermediate without basicConstraints", NEITHER, lambda: below(usage("key_cert_sign"))),
    Kind("intermediate without extensions", NEITHER, lambda: below()),
    Kind("intermediate with CA:FALSE", NEITHER, lambda: below((x509.BasicConstraints(False, None), True))),
    Kind("keyUsage with keyCertSign", BOTH, lambda: below(CA, usage("key_cert_sign"))),
    Kind("keyUsage without keyCertSign", NEITHER, lambda: below(CA, usage("digital_signature"))),
    Kind("no keyUsage", BOTH, lambda: below(CA)),
    Kind(
        "extendedKeyUsage with serverAuth, critical",
        BOTH,
        lambda: below(CA, purpose(Purpose.SERVER_AUTH, critical=True)),
    ),
    Kind(
        "extendedKeyUsage with anyExtendedKeyUsage",
        BOTH,
        lambda: below(CA, purpose(Purpose.ANY_EXTENDED_KEY_USAGE)),
    ),
    Kind("extendedKeyUsage with clientAuth alone", NEITHER, lambda: below(CA, purpose(Purpose.CLIENT_AUTH))),
    Kind("pathLenConstraint kept", BOTH, lambda: below((x509.BasicConstraints(True, 0), True))),
    Kind("pathLenConstraint broken", NEITHER, lambda: _too_deep()),
    Kind("certificatePolicies critical", BOTH, lambda: below(CA, (_POLICY, True))),
    Kind(
        "policyConstraints critical, nothing required",
        BOTH,
        lambda: below(CA, (x509.PolicyConstraints(None, 0), True)),
    ),
    Kind(
        "policyConstraints require a policy, and there is one",
        BOTH,
        lambda: below(CA, (_POLICY, True), (x509.PolicyConstraints(0, None), True), own=[(_POLICY, False)]),
    ),
    Kind(
        "policyConstraints require a policy, and there is none",
        NEITHER,
        lambda: below(CA, (_POLICY, True), (x509.PolicyConstraints(0, None), True)),
    ),
    Kind("inhibitAnyPolicy critical", BOTH, lambda: below(CA, (x509.InhibitAnyPolicy(0), True))),
    Kind("policyMappings critical", OPENSSL, lambda: below(CA, (_POLICY, True), policy_mappings())),
    Kind("name constraint kept: a domain", BOTH, _within(x509.DNSName("example"))),
    Kind("name constraint broken: a domain", NEITHER, _within(x509.DNSName("test"))),
    Kind(
        "name constraint not critical",
        BOTH,
        lambda: below(CA, (_constrained(x509.DNSName("example")), False)),
    ),
    Kind("name constraint kept: a domain, for a name with underscore", OPENSSL, lambda: _odd_name_within()),
    Kind("name constraint excludes the domain", NEITHER, _within(None, x509.DNSName("example"))),
    Kind("name constraint with a leading dot", OPENSSL, _within(x509.DNSName(".example"))),
    Kind("name constraint for every domain, an empty one", OPENSSL, _within(x509.DNSName(""))),
    Kind(
        "name constraint for addresses", BOTH, _within(x509.IPAddress(ipaddress.ip_network("192.0.2.0/24")))
    ),
    Kind("name constraint for mail, no such name", BOTH, _within(x509.RFC822Name("example"))),
    Kind(
        "name constraint for directories, kept by the subject",
        OPENSSL,
        _within(x509.DirectoryName(common_name("leaf"))),
    ),
    Kind(
        "name constraint for URIs, and there is one",
        OPENSSL,
        lambda: below(
            CA,
            (_constrained(x509.UniformResourceIdentifier(".example")), True),
            own=[beside(x509.UniformResourceIdentifier("https://a.example/"))],
        ),
    ),
)


def _too_deep() -> Chain:
    first = subordinate(authority(), "first")  # the root allows one below it
    second = subordinate(first, "second")
    return Chain([leaf(second), second.der, first.der], [authority().der])


PATHS: Final = (
    Kind("leaf and anchor", BOTH, lambda: path_of(server_identity())),
    Kind("the anchor is sent too", BOTH, lambda: path_of(with_chain(server_identity(), authority()))),
    Kind("a stranger is sent too", BOTH, lambda: path_of(with_chain(server_identity(), root("stranger")))),
    Kind("intermediates in another order", BOTH, lambda: levels(3, reverse=True)),
    Kind("leaf and 9 intermediates", BOTH, lambda: levels(9)),
    Kind("leaf and 60 intermediates", BOTH, lambda: levels(60)),
    Kind("an intermediate is missing", NEITHER, lambda: levels(3, without=1)),
    Kind("the leaf is not the first", NEITHER, lambda: _leaf_last()),
    Kind("an intermediate as anchor", BOTH, lambda: _intermediate_as_anchor()),
    Kind("the leaf itself as anchor", BOTH, lambda: _itself(san(NAME), purpose(Purpose.SERVER_AUTH))),
    Kind("an authority that is its own leaf and anchor", BOTH, lambda: _itself(san(NAME), CA)),
    Kind("another root", NEITHER, lambda: Chain(server_identity().chain_der, [root("other").der])),
    Kind("an intermediate with the name of the root", OURS, lambda: _named_as_its_issuer()),
    Kind("another root of the same name", NEITHER, lambda: _namesake()),
    Kind("a changed signature", NEITHER, lambda: _changed()),
    Kind("leaf that has expired", NEITHER, lambda: under(authority(), end=-DAY)),
    Kind("leaf that is not yet valid", NEITHER, lambda: under(authority(), start=-DAY)),
    Kind("intermediate that has expired", NEITHER, lambda: below(CA, end=-DAY)),
    Kind("anchor that has expired", NEITHER, lambda: _old_anchor()),
    Kind("two paths, of which one has expired", BOTH, lambda: _two_paths()),
)


def _leaf_last() -> Chain:
    middle = subordinate(authority())
    return Chain([middle.der, leaf(middle)], [authority().der])


def _intermediate_as_anchor() -> Chain:
    middle = subordinate(authority())
    return Chain([leaf(middle)], [middle.der])


def _itself(*extensions: tuple[x509.ExtensionType, bool]) -> Chain:
    itself = root("itself", extensions)
    return Chain([itself.der], [itself.der])


def _namesake() -> Chain:
    return Chain([leaf(root("same name"))], [root("same name").der])


def _changed() -> Chain:
    own = server_identity().chain_der[0]
    return Chain([own[:-1] + bytes((own[-1] ^ 1,))], [authority().der])


def _old_anchor() -> Chain:
    key = KEYS["p256"]()
    old = issue(
        Authority(authority().certificate, key), "old", key.public_key(), [CA], subject="old", end=-DAY
    )
    return Chain([leaf(Authority(old, key))], [der(old)])


def _named_as_its_issuer() -> Chain:
    """Nothing but the signature says which of the two has issued the leaf."""
    top = root("ours")
    middle = subordinate(top, "ours")
    return Chain([leaf(middle), middle.der], [top.der])


def _two_paths() -> Chain:
    middle = subordinate(authority(), "middle")
    expired = issue(authority(), "middle", middle.key.public_key(), [CA], end=-DAY)
    return Chain([leaf(middle), der(expired), middle.der], [authority().der])


def _of_client(*extensions: tuple[x509.ExtensionType, bool]) -> Callable[[], Chain]:
    return lambda: under(authority(), *extensions, name=None)


CLIENTS: Final = (
    Kind("extendedKeyUsage with clientAuth", BOTH, lambda: path_of(client_identity(), None)),
    Kind("extendedKeyUsage critical", BOTH, _of_client(purpose(Purpose.CLIENT_AUTH, critical=True))),
    Kind("no extendedKeyUsage", BOTH, _of_client()),
    Kind("extendedKeyUsage with serverAuth alone", NEITHER, _of_client(purpose(Purpose.SERVER_AUTH))),
    Kind("no subjectAltName", BOTH, lambda: _nameless_client()),
    Kind(
        "a mail address as subjectAltName", BOTH, lambda: _client_named(x509.RFC822Name("a@client.example"))
    ),
    Kind("subjectAltName critical", BOTH, _of_client(san("client.example", critical=True))),
    Kind(
        "ediPartyName beside a name", BOTH, _of_client(raw_names(element(0xA5, element(0xA1, b"\x0c\x01x"))))
    ),
    Kind("basicConstraints of the authority not critical", BOTH, lambda: below((CA[0], False), name=None)),
    Kind("keyUsage without digitalSignature", NEITHER, _of_client(usage("key_agreement"))),
    Kind("RSA key of 1024 bits", NEITHER, lambda: under(authority(), name=None, key=_short(1024)())),
    Kind("trustme, as it comes: a server", BOTH, lambda: trustme_chain(NAME)),
    Kind("trustme, as it comes: a client", BOTH, lambda: trustme_chain(None)),
    Kind("trustme, as it comes: below an intermediate", BOTH, lambda: trustme_chain(NAME, depth=2)),
)


def _nameless_client() -> Chain:
    return Chain([der(issue(authority(), "leaf", KEYS["p256"]().public_key()))], [authority().der], None)


def _client_named(name: x509.GeneralName) -> Chain:
    return under(authority(), (x509.SubjectAlternativeName([name]), False), name=None)


TABLE: Final = {
    "Keys and signatures": KEY_KINDS,
    "Forms": FORMS,
    "Names": NAMES,
    "Other extensions of the peer's certificate": EXTENSIONS,
    "Authorities": AUTHORITIES,
    "Paths": PATHS,
    "Clients, and trustme": CLIENTS,
}
