"""Record protection against numbers that others computed."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from sansticket.codes import CipherSuite
from sansticket.crypto.suites import SUITES, SuiteParameters, TrafficKeys
from sansticket.record.tls12 import Opener as Opener12
from sansticket.record.tls12 import Sealer as Sealer12
from sansticket.record.tls13 import Opener as Opener13
from sansticket.record.tls13 import Sealer as Sealer13
from tests.support.records import AES_13, CHACHA_12, GCM_12, SUITES_13, keys_for, name_of
from tests.support.rfc8448 import SIMPLE

PAYLOAD = bytes(range(50))
"""What both sides of RFC 8448 section 3 send."""

SERVER_FLIGHT = bytes.fromhex(
    "17030302a2d1ff334a56f5bff6594a07cc87b580233f500f45e489e7f33af35edf7869fcf40aa40aa2b8ea73f848a7ca"
    "07612ef9f945cb960b4068905123ea78b111b429ba9191cd05d2a389280f526134aadc7fc78c4b729df828b5ecf7b13b"
    "d9aefb0e57f271585b8ea9bb355c7c79020716cfb9b1183ef3ab20e37d57a6b9d7477609aee6e122a4cf51427325250c"
    "7d0e509289444c9b3a648f1d71035d2ed65b0e3cdd0cbae8bf2d0b227812cbb360987255cc744110c453baa4fcd61092"
    "8d809810e4b7ed1a8fd991f06aa6248204797e36a6a73b70a2559c09ead686945ba246ab66e5edd8044b4c6de3fcf2a8"
    "9441ac66272fd8fb330ef8190579b3684596c960bd596eea520a56a8d650f563aad27409960dca63d3e688611ea5e22f"
    "4415cf9538d51a200c27034272968a264ed6540c84838d89f72c24461aad6d26f59ecaba9acbbb317b66d902f4f292a3"
    "6ac1b639c637ce343117b659622245317b49eeda0c6258f100d7d961ffb138647e92ea330faeea6dfa31c7a84dc3bd7e"
    "1b7a6c7178af36879018e3f252107f243d243dc7339d5684c8b0378bf30244da8c87c843f5e56eb4c5e8280a2b48052c"
    "f93b16499a66db7cca71e4599426f7d461e66f99882bd89fc50800becca62d6c74116dbd2972fda1fa80f85df881edbe"
    "5a37668936b335583b599186dc5c6918a396fa48a181d6b6fa4f9d62d513afbb992f2b992f67f8afe67f76913fa388cb"
    "5630c8ca01e0c65d11c66a1e2ac4c85977b7c7a6999bbf10dc35ae69f5515614636c0b9b68c19ed2e31c0b3b66763038"
    "ebba42f3b38edc0399f3a9f23faa63978c317fc9fa66a73f60f0504de93b5b845e275592c12335ee340bbc4fddd50278"
    "4016e4b3be7ef04dda49f4b440a30cb5d2af939828fd4ae3794e44f94df5a631ede42c1719bfdabf0253fe5175be898e"
    "750edc53370d2b"
)
CLIENT_DATA = bytes.fromhex(
    "1703030043a23f7054b62c94d0affafe8228ba55cbefacea42f914aa66bcab3f2b9819a8a5b46b395bd54a9a20441e2b"
    "62974e1f5a6292a2977014bd1e3deae63aeebb21694915e4"
)
SERVER_DATA = bytes.fromhex(
    "17030300432e937e11ef4ac740e538ad36005fc4a46932fc3225d05f82aa1b36e30efaf97d90e6dffc602dcb501a59a8"
    "fcc49c4bf2e5f0a21c0047c2abf332540dd032e167c2955d"
)
CLOSE_NOTIFY = bytes((1, 0))


def rfc8448_keys(name: str) -> TrafficKeys:
    return TrafficKeys(SIMPLE.secrets[f"{name} key"], SIMPLE.secrets[f"{name} iv"])


@pytest.mark.parametrize(
    ("keys", "sequence", "content_type", "content", "record"),
    [
        ("s hs", 0, 22, b"".join((*SIMPLE.flight, SIMPLE.server_finished)), SERVER_FLIGHT),
        ("c hs", 0, 22, SIMPLE.client_finished, SIMPLE.client_finished_record),
        ("c ap", 0, 23, PAYLOAD, CLIENT_DATA),
        ("s ap", 1, 23, PAYLOAD, SERVER_DATA),
        ("c ap", 1, 21, CLOSE_NOTIFY, SIMPLE.client_close_record),
        ("s ap", 2, 21, CLOSE_NOTIFY, SIMPLE.server_close_record),
    ],
    ids=["server flight", "client Finished", "client data", "server data", "client close", "server close"],
)
def test_rfc8448(keys: str, sequence: int, content_type: int, content: bytes, record: bytes) -> None:
    sealer = Sealer13(AES_13, rfc8448_keys(keys), sequence)
    assert sealer.seal(content_type, content) == record
    opener = Opener13(AES_13, rfc8448_keys(keys), sequence)
    assert opener.open(record[:5], record[5:]) == (content_type, content)


def test_tls12_gcm_record_of_another_implementation() -> None:
    """Its explicit nonce is 0 while the sequence number is 1: the peer may choose it."""
    keys = TrafficKeys(bytes.fromhex("152300c2dc44c8f695d4fb1471791659"), bytes.fromhex("b56bf932"))
    body = bytes.fromhex(
        "0000000000000000ed3ca96c8bd2fbb376c2dc417f3ec249e8ab550dab1c421293f0e642a0c152b43a546a8b49b6128e"
        "e6e23454b7e580423ba985"
    )
    suite = SUITES[CipherSuite.ECDHE_RSA_WITH_AES_128_GCM_SHA256]
    opened = Opener12(suite, keys, 1).open(bytes.fromhex("170303003b"), body)
    assert opened == (23, b"GET / HTTP/1.1\r\nHost: undefined\r\n\r\n")


SEQUENCES = [0, 1, 255, 256, 0x0102030405060708, 2**64 - 1]


def xored(iv: bytes, sequence: int) -> bytes:
    """RFC 9846 section 5.3 in other words than the package's."""
    padded = bytes(4) + sequence.to_bytes(8, "big")
    return bytes(a ^ b for a, b in zip(iv, padded, strict=True))


@pytest.mark.parametrize("sequence", SEQUENCES)
@pytest.mark.parametrize("suite", SUITES_13, ids=name_of)
def test_tls13_as_the_rfc_composes_it(suite: SuiteParameters, sequence: int) -> None:
    keys = keys_for(suite)
    aead = suite.aead(keys.key)
    header = bytes((23, 3, 3, 0, 5 + 1 + 3 + 16))
    expected = header + aead.encrypt(xored(keys.iv, sequence), b"hello" + b"\x16" + bytes(3), header)
    assert Sealer13(suite, keys, sequence).seal(22, b"hello", padding=3) == expected


@pytest.mark.parametrize("sequence", SEQUENCES)
def test_tls12_gcm_as_the_rfc_composes_it(sequence: int) -> None:
    """RFC 5288: salt and explicit nonce; RFC 5246 section 6.2.3.3: the additional data."""
    keys = keys_for(GCM_12)
    number = sequence.to_bytes(8, "big")
    ciphertext = AESGCM(keys.key).encrypt(keys.iv + number, b"hello", number + bytes((22, 3, 3, 0, 5)))
    expected = bytes((22, 3, 3, 0, 8 + 5 + 16)) + number + ciphertext
    assert Sealer12(GCM_12, keys, sequence).seal(22, b"hello") == expected
    assert Opener12(GCM_12, keys, sequence).open(expected[:5], expected[5:]) == (22, b"hello")


@pytest.mark.parametrize("sequence", SEQUENCES)
def test_tls12_chacha20_as_the_rfc_composes_it(sequence: int) -> None:
    """RFC 7905 section 2: no explicit nonce, the same XOR as TLS 1.3."""
    keys = keys_for(CHACHA_12)
    number = sequence.to_bytes(8, "big")
    aead = ChaCha20Poly1305(keys.key)
    ciphertext = aead.encrypt(xored(keys.iv, sequence), b"hello", number + bytes((22, 3, 3, 0, 5)))
    expected = bytes((22, 3, 3, 0, 5 + 16)) + ciphertext
    assert Sealer12(CHACHA_12, keys, sequence).seal(22, b"hello") == expected
    assert Opener12(CHACHA_12, keys, sequence).open(expected[:5], expected[5:]) == (22, b"hello")
