"""HMAC, HKDF and the PRFs against other implementations and published vectors."""

import hashlib
import hmac
import pickle

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from hypothesis import given
from hypothesis import strategies as st

from sansticket.crypto.hkdf import (
    EMPTY_HASHES,
    HASH_LENGTHS,
    Expander,
    derive_secret,
    expand_label,
    expand_two,
    hash_digest,
    hkdf_extract,
    hmac_digest,
    prf12,
    two_labels,
)

NAMES = st.sampled_from(["sha256", "sha384"])
ALGORITHMS = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384()}


@given(NAMES, st.binary(max_size=300), st.binary(max_size=300))
def test_hmac_is_that_of_the_standard_library(name: str, key: bytes, data: bytes) -> None:
    expected = hmac.digest(key, data, name)
    assert hmac_digest(name, key, data) == expected
    assert hkdf_extract(name, key, data) == expected
    assert Expander(name, key).mac(data) == expected


@pytest.mark.parametrize("name", ["sha256", "sha384"])
@pytest.mark.parametrize("length", [63, 64, 65, 127, 128, 129])
def test_hmac_keys_around_the_size_of_a_block(name: str, length: int) -> None:
    expected = hmac.digest(b"k" * length, b"data", name)
    assert hmac_digest(name, b"k" * length, b"data") == expected
    assert Expander(name, b"k" * length).mac(b"data") == expected


@given(
    NAMES,
    st.binary(min_size=1, max_size=64),
    st.binary(max_size=249),
    st.binary(max_size=255),
    st.one_of(st.integers(1, 150), st.integers(1, 255 * 32)),
)
def test_expand_label_is_hkdf_expand_of_the_label(
    name: str, secret: bytes, label: bytes, context: bytes, length: int
) -> None:
    info = length.to_bytes(2, "big") + bytes([6 + len(label)]) + b"tls13 " + label
    info += bytes([len(context)]) + context
    expected = HKDFExpand(ALGORITHMS[name], length, info).derive(secret)
    assert expand_label(name, secret, label, context, length) == expected
    assert Expander(name, secret).expand_label(label, context, length) == expected


@pytest.mark.parametrize("name", ["sha256", "sha384"])
def test_the_longest_output(name: str) -> None:
    longest = 255 * HASH_LENGTHS[name]
    assert len(expand_label(name, b"secret", b"label", b"", longest)) == longest


def test_derive_is_as_long_as_the_hash() -> None:
    for name, length in HASH_LENGTHS.items():
        expander = Expander(name, b"secret")
        context = EMPTY_HASHES[name]
        expected = expander.expand_label(b"derived", context, length)
        one, two = expand_two(
            name, b"secret", context, two_labels(b"derived", length, b"key", 16, len(context))
        )
        assert (one, two) == (expected, expander.expand_label(b"key", context, 16))
        assert derive_secret(name, b"secret", b"derived", context) == expected


def test_hashes() -> None:
    for name in HASH_LENGTHS:
        assert hash_digest(name, b"data") == hashlib.new(name, b"data").digest()
        assert EMPTY_HASHES[name] == hash_digest(name, b"")


def test_an_expander_travels_and_shows_nothing() -> None:
    expander = Expander("sha256", b"k" * 32)
    assert pickle.loads(pickle.dumps(expander)).mac(b"data") == expander.mac(b"data")
    assert "k" * 8 not in repr(expander)


# Published on the mailing list of the TLS working group when TLS 1.2 was new.
@pytest.mark.parametrize(
    ("name", "secret", "seed", "expected"),
    [
        (
            "sha256",
            "9bbe436ba940f017b17652849a71db35",
            "a0ba9f936cda311827a6f796ffd5198c",
            "e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a6b301791e90d35c9"
            "c9a46b4e14baf9af0fa022f7077def17abfd3797c0564bab4fbc91666e9def9b97fce34f796789ba"
            "a48082d122ee42c5a72e5a5110fff70187347b66",
        ),
        (
            "sha384",
            "b80b733d6ceefcdc71566ea48e5567df",
            "cd665cf6a8447dd6ff8b27555edb7465",
            "7b0c18e9ced410ed1804f2cfa34a336a1c14dffb4900bb5fd7942107e81c83cde9ca0faa60be9fe3"
            "4f82b1233c9146a0e534cb400fed2700884f9dc236f80edd8bfa961144c9e8d792eca722a7b32fc3"
            "d416d473ebc2c5fd4abfdad05d9184259b5bf8cd4d90fa0d31e2dec479e4f1a26066f2eea9a69236"
            "a3e52655c9e9aee691c8f3a26854308d5eaa3be85e0990703d73e56f",
        ),
    ],
)
def test_the_prf_of_tls_1_2(name: str, secret: str, seed: str, expected: str) -> None:
    output = bytes.fromhex(expected)
    for length in (1, 12, 48, len(output)):
        made = prf12(name, bytes.fromhex(secret), b"test label", bytes.fromhex(seed), length)
        assert made == output[:length]
