"""Certificate policies: required by nobody, unless an authority says that its paths must have one."""

from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from sansticket.crypto.paths import profile
from sansticket.crypto.verification import verify_server_chain
from sansticket.errors import Fault, Reason
from sansticket.library import CRITICAL_POLICIES, Newer
from tests.support.certificates import KEYS, Authority, authority
from tests.support.credentials import CA, NOW, anchors_of, issue, root, subordinate
from tests.support.newer import needs

NAME = "server.example"
ONE, TWO, ANY = "1.3.6.1.4.1.99999.1", "1.3.6.1.4.1.99999.2", "2.5.29.32.0"

Extension = tuple[x509.ExtensionType, bool]


def policies(*identifiers: str) -> Extension:
    named = [x509.PolicyInformation(x509.ObjectIdentifier(each), None) for each in identifiers]
    return x509.CertificatePolicies(named), True


def required(after: int) -> Extension:
    return x509.PolicyConstraints(require_explicit_policy=after, inhibit_policy_mapping=None), True


def no_any(after: int) -> Extension:
    return x509.InhibitAnyPolicy(after), True


MAPPINGS: Extension = (
    x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.33"), bytes.fromhex("3000")),
    False,
)


def verified(leaf: list[Extension], *issuers: list[Extension]) -> None:
    """``issuers`` from the leaf's own to the one below the anchor."""
    top = issuer = root("policy root")
    chain: list[bytes] = []
    for number, extensions in enumerate(reversed(issuers)):
        issuer = subordinate(issuer, f"level {number}", (CA, *extensions))
        chain.insert(0, issuer.der)
    name = x509.SubjectAlternativeName([x509.DNSName(NAME)])
    own = issue(issuer, "leaf", KEYS["p256"]().public_key(), [(name, False), *leaf])
    verify_server_chain([own.public_bytes(Encoding.DER), *chain], anchors_of(top), NAME, NOW)


@needs(CRITICAL_POLICIES)
@pytest.mark.parametrize(
    "path",
    [
        ([policies(ONE)], []),
        ([policies(ONE)], [policies(TWO)]),
        ([policies(ONE)], [policies(ONE), required(0)]),
        ([policies(ONE, TWO)], [policies(TWO), required(0)]),
        ([policies(ONE)], [policies(ANY), required(0)]),
        ([policies(ANY)], [policies(ONE), required(0)]),
        ([policies(ONE)], [policies(ONE)], [policies(ANY), required(0)]),
        ([], [required(3)]),
        ([], [(x509.PolicyConstraints(None, 0), True)]),
        ([policies(ANY)], [policies(ONE), no_any(1), required(0)]),
        ([policies(ONE), required(0)],),
    ],
)
def test_paths_that_have_what_they_must_have(path: Any) -> None:
    verified(*path)


@needs(CRITICAL_POLICIES)
@pytest.mark.parametrize(
    "path",
    [
        ([], [required(0)]),
        ([], [policies(ONE), required(0)]),
        ([policies(TWO)], [policies(ONE), required(0)]),
        ([policies(ONE)], [required(0)]),
        ([policies(ONE)], [], [policies(ONE), required(0)]),
        ([], [policies(ONE)], [policies(ONE), required(1)]),
        ([policies(ANY)], [policies(ONE), no_any(0), required(0)]),
        ([policies(ONE)], [policies(ANY)], [policies(ONE), no_any(0), required(0)]),
        ([policies(TWO)], [policies(ONE), MAPPINGS, required(0)]),
        ([required(0)],),
    ],
)
def test_paths_that_have_not(path: Any) -> None:
    with pytest.raises(Fault, match="require a policy") as caught:
        verified(*path)
    assert caught.value.reason is Reason.CERTIFICATE_INVALID


@needs(CRITICAL_POLICIES)
def test_a_certificate_that_is_its_own_anchor_needs_no_policy() -> None:
    name = x509.SubjectAlternativeName([x509.DNSName(NAME)])
    itself: Authority = root("itself", ((name, False), required(0)))
    verify_server_chain([itself.der], anchors_of(itself), NAME, NOW)


@needs(CRITICAL_POLICIES)
def test_what_an_anchor_requires_is_its_own_affair() -> None:
    """RFC 5280 section 6.1: the extensions of an anchor are not part of the path."""
    top = root("requires", (CA, required(0)))
    name = x509.SubjectAlternativeName([x509.DNSName(NAME)])
    own = issue(top, "leaf", KEYS["p256"]().public_key(), [(name, False)])
    verify_server_chain([own.public_bytes(Encoding.DER)], anchors_of(top, authority()), NAME, NOW)


def test_a_library_that_cannot_be_told_of_policies_refuses_the_critical(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As versions before 49 do, whose verifier refuses what is critical and unknown to it."""
    monkeypatch.setattr(profile, "CRITICAL_POLICIES", Newer("it", 1000))
    profile.extension_policies.cache_clear()
    policies = x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier(ONE), None)])
    try:
        verified([(policies, False)])
        for extension in ((policies, True), required(0)):
            with pytest.raises(Fault) as caught:
                verified([extension])
            assert caught.value.reason is Reason.CERTIFICATE_INVALID
    finally:
        profile.extension_policies.cache_clear()
