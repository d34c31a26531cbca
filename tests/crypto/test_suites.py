"""What a suite's number stands for, said once more from the RFCs."""

import pickle

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from sansticket.codes import CipherSuite
from sansticket.crypto.suites import SUITES, TrafficKeys
from sansticket.library import AEAD_INTO

SIGNALS = {CipherSuite.EMPTY_RENEGOTIATION_INFO_SCSV, CipherSuite.FALLBACK_SCSV}


def test_every_suite_with_a_name_is_there() -> None:
    assert set(SUITES) == set(CipherSuite) - SIGNALS
    assert all(parameters.suite == number for number, parameters in SUITES.items())


@pytest.mark.parametrize("number", SUITES)
def test_a_suite_is_what_its_name_says(number: CipherSuite) -> None:
    parameters, name = SUITES[number], CipherSuite(number).name
    assert name.endswith("_" + parameters.hash_name.upper())
    assert parameters.hash_length == {"sha256": 32, "sha384": 48}[parameters.hash_name]
    assert parameters.key_length == (16 if "AES_128" in name else 32)
    ours, theirs = parameters.aead, AESGCM if "GCM" in name else ChaCha20Poly1305
    key, nonce = bytes(parameters.key_length), bytes(12)
    assert ours(key).encrypt(nonce, b"text", b"") == theirs(key).encrypt(nonce, b"text", b"")
    assert AEAD_INTO.installed is (ours is theirs)
    authentication = "ecdsa" if "ECDSA" in name else "rsa" if "RSA" in name else None
    assert parameters.tls12_authentication == authentication
    assert parameters.explicit_nonce == ("GCM" in name and "ECDHE" in name)
    assert parameters.iv_length == (4 if parameters.explicit_nonce else 12)


@pytest.mark.parametrize("number", SUITES)
def test_the_limit_is_that_of_the_aead(number: CipherSuite) -> None:
    limit = SUITES[number].record_limit
    if "GCM" in CipherSuite(number).name:
        assert limit**2 <= 2**49 < (limit + 1) ** 2  # 2^24.5
    else:
        assert limit == 2**64 - 1


@pytest.mark.parametrize("number", SUITES)
def test_the_aead_takes_keys_of_the_suite(number: CipherSuite) -> None:
    parameters = SUITES[number]
    aead = parameters.aead(bytes(parameters.key_length))
    sealed = aead.encrypt(bytes(12), b"data", b"header")
    assert len(sealed) == 4 + 16
    assert aead.decrypt(bytes(12), sealed, b"header") == b"data"
    with pytest.raises(InvalidTag):
        aead.decrypt(bytes(12), sealed, b"another")


def test_traffic_keys_are_not_printed_and_travel() -> None:
    keys = TrafficKeys(b"\xaa" * 16, b"\xaa" * 12)
    assert repr(keys) == "TrafficKeys()"
    assert pickle.loads(pickle.dumps(keys)) == keys
