"""Verifying a server whose name does not matter, and the path that verification finds."""

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

from sansticket.crypto.verification import verify_client_chain, verify_server_chain
from sansticket.errors import Fault, Reason
from tests.support.certificates import KEYS, Encoding, authority, new_authority, server_identity
from tests.support.credentials import (
    DAY,
    NOW,
    anchors,
    anchors_of,
    client_credential,
    issue,
    server_credential,
    subordinate,
    with_chain,
)

NAME = "server.example"


def in_der(path: list[x509.Certificate]) -> tuple[bytes, ...]:
    return tuple(certificate.public_bytes(Encoding.DER) for certificate in path)


def leaf(*purposes: ObjectIdentifier) -> bytes:
    """A leaf without names, for these purposes."""
    extensions = [(x509.ExtendedKeyUsage(purposes), False)] if purposes else []
    certificate = issue(authority(), "leaf", KEYS["p256"]().public_key(), extensions)
    return certificate.public_bytes(Encoding.DER)


@pytest.mark.parametrize("kind", KEYS)
def test_any_name_will_do(kind: str) -> None:
    chain = server_credential(kind, "whatever.example").chain
    assert in_der(verify_server_chain(chain, anchors(), None, NOW)) == (*chain, authority().der)


@pytest.mark.parametrize(
    "purposes",
    [(), (ExtendedKeyUsageOID.SERVER_AUTH,), (ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,)],
    ids=["none", "server", "any"],
)
def test_no_name_and_the_purpose_of_a_server(purposes: tuple[ObjectIdentifier, ...]) -> None:
    verify_server_chain([leaf(*purposes)], anchors(), None, NOW)


def test_the_purpose_of_a_client_is_not_enough() -> None:
    with pytest.raises(Fault) as caught:
        verify_server_chain(client_credential().chain, anchors(), None, NOW)
    assert caught.value.reason is Reason.CERTIFICATE_UNSUPPORTED


def test_all_else_is_verified_as_always() -> None:
    chain = server_identity().chain_der
    for trusted, moment, reason in (
        (anchors_of(new_authority("other")), NOW, Reason.CERTIFICATE_UNTRUSTED),
        (anchors(), NOW + 400 * DAY, Reason.CERTIFICATE_EXPIRED),
    ):
        with pytest.raises(Fault) as caught:
            verify_server_chain(chain, trusted, None, moment)
        assert caught.value.reason is reason


@pytest.mark.parametrize("name", [NAME, None])
def test_the_path_is_what_led_to_the_anchor(name: str | None) -> None:
    middle = subordinate(authority())
    sent = with_chain(middle.issue(NAME), middle, new_authority("not asked for")).chain_der
    path = verify_server_chain(sent, anchors(), name, NOW)
    assert in_der(path) == (sent[0], middle.der, authority().der)


def test_the_path_of_a_client() -> None:
    middle = subordinate(authority())
    sent = with_chain(middle.issue("client.example", client=True), middle).chain_der
    assert in_der(verify_client_chain(sent, anchors(), NOW)) == (*sent, authority().der)
