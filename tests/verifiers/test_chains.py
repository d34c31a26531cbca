"""Chains of every kind, verified by the default answer to ``VerifyPeer`` and by OpenSSL: who accepts what.

The table is ``tests.support.chain_kinds``; ``docs/certificates.md`` shows it.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sansticket.commands import AcceptPeer
from sansticket.crypto.inspection import signing_key_of
from sansticket.crypto.verification import TrustAnchors, verify_client_chain, verify_server_chain
from sansticket.errors import Fault, Reason
from sansticket.events import VerifyPeer
from sansticket.library import INSTALLED, ML_DSA
from sansticket.verifiers.pyopenssl import ClientVerifier, ServerVerifier
from tests.support.chain_kinds import TABLE
from tests.support.chains import Chain, Kind
from tests.support.credentials import NOW
from tests.support.documents import Document
from tests.support.newer import require

KINDS = [kind for kinds in TABLE.values() for kind in kinds]

NEWER = {
    "authority with a key of the kind mldsa65": 50,
    "certificatePolicies critical": 49,
    "cRLDistributionPoints critical": 49,
    "policyConstraints critical, nothing required": 49,
    "policyConstraints require a policy, and there is one": 49,
    "inhibitAnyPolicy critical": 49,
}
"""What the default answer accepts with this version of cryptography, and not with those before."""

OTHER_REASONS = {"intermediate of version 1", "the same extension twice"}
"""Where OpenSSL refuses for another reason."""

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*serial number:cryptography.utils.CryptographyDeprecationWarning"
)


def ours(chain: Chain) -> None:
    signing_key_of(chain.sent[0])
    anchors = TrustAnchors(chain.anchors)
    if chain.server_name is None:
        verify_client_chain(chain.sent, anchors, NOW)
    else:
        verify_server_chain(chain.sent, anchors, chain.server_name, NOW)


def openssl(chain: Chain) -> None:
    key = signing_key_of(chain.sent[0])
    question = VerifyPeer(chain.sent, chain.server_name, key, TrustAnchors(chain.anchors))
    verify = ClientVerifier() if chain.server_name is None else ServerVerifier()
    assert verify(question) == AcceptPeer()


def reason_of(verify: Callable[[Chain], None], chain: Chain) -> Reason | None:
    """None where it is accepted."""
    try:
        verify(chain)
    except Fault as fault:
        return fault.reason
    return None


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.title)
def test_who_accepts(kind: Kind) -> None:
    if "mldsa" in kind.title:
        require(ML_DSA)
    chain = kind.make()
    found = reason_of(ours, chain), reason_of(openssl, chain)
    ours_accepts, openssl_accepts = kind.verdict.value
    if NEWER.get(kind.title, 0) > INSTALLED:
        ours_accepts = False
    assert (found[0] is None, found[1] is None) == (ours_accepts, openssl_accepts), found
    if not ours_accepts and not openssl_accepts and kind.title not in OTHER_REASONS:
        assert found[0] is found[1]


def test_the_page_shows_the_table() -> None:
    """Every row in its section, in this order; the text before it is free."""
    page = Document("certificates.md")
    assert len(KINDS) >= 90
    for title, kinds in TABLE.items():
        rows = [line for line in page.section(title).splitlines() if line.startswith("| ")]
        assert rows[1:] == [
            f"| {kind.title} | {WORDS[kind.verdict.value[0]]} | {WORDS[kind.verdict.value[1]]} |"
            for kind in kinds
        ]


WORDS = {True: "yes", False: "**no**"}
