"""The TLS 1.2 key schedule: published and foreign vectors, and a handshake of OpenSSL with itself."""

import copy
import hashlib
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from OpenSSL import SSL

from sansticket.codes import CipherSuite, ContentType
from sansticket.crypto.hkdf import prf12
from sansticket.crypto.suites import SUITES, TrafficKeys
from sansticket.errors import LocalProtocolError
from sansticket.keys.tls12 import ConnectionKeys, MasterSecret
from sansticket.keys.tls13 import export
from tests.support.certificates import server_identity
from tests.support.pyopenssl_peer import PyOpenSSLPeer, context

# The secrets of these are the bytes 64 to 95, the randoms 0 to 31 and 32 to 63, the session hash the bytes
# from 0 on; the results come from `openssl kdf TLS1-PRF`.
PREMASTER = bytes(range(64, 96))
CLIENT_RANDOM = bytes(range(32))
SERVER_RANDOM = bytes(range(32, 64))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "sha256",
            "7f120db9691e336abdd12b84c1c3c3368b415ba996f7033a"
            "04c122047a9b8d6139f9e72f941a498099e4c21e80583a62",
        ),
        (
            "sha384",
            "14745e4a7e9e22b4d31aced00eb4b3fc1cc6a67268d49380"
            "960689bed99dc0ff9baddc73532f95ebef1591a4a0f1e673",
        ),
    ],
)
def test_the_master_secret(name: str, expected: str) -> None:
    master = MasterSecret.plain(name, PREMASTER, CLIENT_RANDOM, SERVER_RANDOM)
    assert master == MasterSecret(name, bytes.fromhex(expected))


@pytest.mark.parametrize(
    ("name", "length", "expected"),
    [
        (
            "sha256",
            32,
            "64d7228131436322847df037388343dae7fa5e69692374f6"
            "fdc36b77dc55c5f9f2ef3f4451172b00befc61d59dbd9bf2",
        ),
        (
            "sha384",
            48,
            "70a3df0b27023d376da07546f6b3c9d8cba48eb6966f0053"
            "93aa880a9f4ab9b4389f8551f03cde2ad88ee52103d0be91",
        ),
    ],
)
def test_the_extended_master_secret(name: str, length: int, expected: str) -> None:
    master = MasterSecret.extended(name, PREMASTER, bytes(range(length)))
    assert master == MasterSecret(name, bytes.fromhex(expected))


def test_the_key_block_is_cut_in_the_order_of_the_rfc() -> None:
    master = MasterSecret("sha384", b"m" * 48)
    for suite in SUITES.values():
        if suite.tls12_authentication is None:
            continue
        keys = master.connection_keys(suite, CLIENT_RANDOM, SERVER_RANDOM)
        block = keys.client.key + keys.server.key + keys.client.iv + keys.server.iv
        assert len(block) == 2 * (suite.key_length + suite.iv_length)
        seed = SERVER_RANDOM + CLIENT_RANDOM
        assert block == prf12("sha384", b"m" * 48, b"key expansion", seed, len(block))
        assert len(keys.client.iv) == len(keys.server.iv) == (4 if suite.explicit_nonce else 12)


@given(
    st.just(b"") | st.binary(max_size=80).map(b"EXPORTER".__add__),
    st.integers(1, 200),
    st.one_of(st.none(), st.binary(max_size=300)),
)
def test_the_exporter_by_its_definition(label: bytes, length: int, given_context: bytes | None) -> None:
    seed = CLIENT_RANDOM + SERVER_RANDOM
    if given_context is not None:
        seed += len(given_context).to_bytes(2, "big") + given_context
    exported = MasterSecret("sha256", b"m" * 48).export(
        CLIENT_RANDOM, SERVER_RANDOM, label, given_context, length
    )
    assert exported == prf12("sha256", b"m" * 48, label, seed, length)


@pytest.mark.parametrize(
    ("label", "given_context", "length"),
    [
        (b"master secret", None, 16),
        (b"extended master secret", None, 16),
        (b"client finished", b"", 12),
        (b"server finished", b"", 12),
        (b"key expansion", None, 40),
        (b"EXPORTER", None, 0),
        (b"EXPORTER", bytes(65536), 16),
    ],
)
def test_the_exporter_refuses_what_it_cannot_give(
    label: bytes, given_context: bytes | None, length: int
) -> None:
    with pytest.raises(LocalProtocolError):
        MasterSecret("sha256", b"m" * 48).export(CLIENT_RANDOM, SERVER_RANDOM, label, given_context, length)


def test_secrets_are_not_printed_and_travel() -> None:
    master = MasterSecret("sha256", b"\xaa" * 48)
    assert "xaa" not in repr(master)
    assert pickle.loads(pickle.dumps(master)) == master == copy.deepcopy(master)
    keys = ConnectionKeys(TrafficKeys(b"\xaa", b"\xaa"), TrafficKeys(b"\xaa", b"\xaa"))
    assert "xaa" not in repr(keys)


# --- OpenSSL with itself ----------------------------------------------------------------------------------


def records(stream: bytes) -> list[tuple[int, bytes]]:
    found = []
    while stream:
        end = 5 + int.from_bytes(stream[3:5], "big")
        found.append((stream[0], stream[5:end]))
        stream = stream[end:]
    return found


def unprotected(suite: int, keys: TrafficKeys, content_type: int, body: bytes) -> bytes:
    """The first record under ``keys`` (RFC 5288 section 3, RFC 7905 section 2)."""
    parameters = SUITES[suite]
    nonce, ciphertext = (keys.iv + body[:8], body[8:]) if parameters.explicit_nonce else (keys.iv, body)
    associated = bytes(8) + bytes([content_type, 3, 3]) + (len(ciphertext) - 16).to_bytes(2, "big")
    return parameters.aead(keys.key).decrypt(nonce, ciphertext, associated)


def converse(client: PyOpenSSLPeer, server: PyOpenSSLPeer) -> list[tuple[str, int, bytes]]:
    """All records in the order in which they were sent: (side, content type, body)."""
    spoken = []
    while True:
        to_server = client.data_to_send()
        if to_server:
            server.receive(to_server)
        to_client = server.data_to_send()
        if to_client:
            client.receive(to_client)
        spoken += [("client", *record) for record in records(to_server)]
        spoken += [("server", *record) for record in records(to_client)]
        if not to_server and not to_client:
            return spoken


@pytest.mark.parametrize(
    ("name", "suite"),
    [
        ("ECDHE-ECDSA-AES128-GCM-SHA256", CipherSuite.ECDHE_ECDSA_WITH_AES_128_GCM_SHA256),
        ("ECDHE-ECDSA-AES256-GCM-SHA384", CipherSuite.ECDHE_ECDSA_WITH_AES_256_GCM_SHA384),
        ("ECDHE-ECDSA-CHACHA20-POLY1305", CipherSuite.ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256),
    ],
)
def test_keys_finished_and_exporter_of_openssl(name: str, suite: CipherSuite) -> None:
    server_context = context(identity=server_identity(), version=SSL.TLS1_2_VERSION)
    server_context.set_cipher_list(name.encode())
    client = PyOpenSSLPeer(context(version=SSL.TLS1_2_VERSION))
    server = PyOpenSSLPeer(server_context, server=True)
    spoken = converse(client, server)
    assert client.handshaken
    assert server.handshaken

    hash_name = SUITES[suite].hash_name
    secret = client.tls.master_key()
    client_random, server_random = client.tls.client_random(), client.tls.server_random()
    assert secret
    assert client_random
    assert server_random
    master = MasterSecret(hash_name, secret)
    keys = master.connection_keys(SUITES[suite], client_random, server_random)
    messages = b""
    finished = {}
    protected = set()
    for side, content_type, body in spoken:
        if content_type == ContentType.CHANGE_CIPHER_SPEC:
            protected.add(side)
        elif side not in protected:
            messages += body
        else:
            transcript_hash = hashlib.new(hash_name, messages).digest()
            verify_data = master.verify_data(transcript_hash, server=side == "server")
            finished[side] = b"\x14\x00\x00\x0c" + verify_data
            plaintext = unprotected(suite, getattr(keys, side), content_type, body)
            assert plaintext == finished[side]
            messages += plaintext
    assert set(finished) == {"client", "server"}

    for given_context in (None, b"", b"some context"):
        ours = master.export(client_random, server_random, b"EXPORTER-test", given_context, 50)
        assert ours == server.tls.export_keying_material(b"EXPORTER-test", 50, given_context)


def test_the_tls_1_3_exporter_of_openssl() -> None:
    lines: list[bytes] = []
    client = PyOpenSSLPeer(context(key_log=lines.append))
    server = PyOpenSSLPeer(context(identity=server_identity()), server=True)
    converse(client, server)
    secret = next(bytes.fromhex(line.split()[2].decode()) for line in lines if line.startswith(b"EXPORTER"))
    hash_name = {32: "sha256", 48: "sha384"}[len(secret)]
    for given_context in (b"", b"some context"):
        ours = export(hash_name, secret, b"EXPORTER-test", given_context, 99)
        assert ours == server.tls.export_keying_material(b"EXPORTER-test", 99, given_context)
