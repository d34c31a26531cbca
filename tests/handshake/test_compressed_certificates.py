"""Compressed certificates (RFC 8879), in both directions, and what is no compression of a certificate."""

from __future__ import annotations

import sys
import tracemalloc
import zlib
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansticket import (
    AlertDescription,
    CertificateCompression,
    ClientAuthentication,
    ConfigError,
    PeerAuthenticated,
    ProtocolVersion,
    Reason,
    RequestClientCertificate,
    SendData,
)
from sansticket.debug.explain import HandshakeMessage, explain
from sansticket.debug.key_log import KeyLog
from sansticket.errors import Fault
from sansticket.wire import compression
from sansticket.wire.compression import ALGORITHMS, available, compressed_once, decompressed
from sansticket.wire.messages.tls13 import Certificate, CompressedCertificate
from tests.support.configs import client_config, server_config
from tests.support.credentials import anchors, client_credential, server_credential
from tests.support.hostile_server import HostileServer, quick_client
from tests.support.pair import ConnectionPair
from tests.support.refusals import refused

ZLIB: Final = CertificateCompression.ZLIB
CHAIN: Final = server_credential().chain
REQUIRED: Final = {"client_authentication": ClientAuthentication.REQUIRED}

each_algorithm = pytest.mark.parametrize("algorithm", available())


def connected(client: dict[str, Any], server: dict[str, Any]) -> tuple[ConnectionPair, list[tuple[str, Any]]]:
    """A connection with certificates on both sides, and the messages that show them."""
    log = KeyLog()
    pair = ConnectionPair(
        client_config(credentials=[client_credential()], post_handshake_auth=True, key_log=log.add, **client),
        server_config(trust_anchors=anchors(), **server),
    )
    pair.pump()
    if not pair.server.peer_certificates:
        pair.send("server", RequestClientCertificate())
    pair.send("client", SendData(b"question"))
    assert pair.data("server") == b"question"
    assert pair.client.peer_certificates == CHAIN
    assert pair.server.peer_certificates == client_credential().chain
    shown = [
        (record.sender, content.message)
        for record in explain(pair.wire, log)
        for content in record.contents
        if isinstance(content, HandshakeMessage)
        and isinstance(content.message, Certificate | CompressedCertificate)
    ]
    return pair, list(shown)


@each_algorithm
@pytest.mark.parametrize("during", [True, False])
def test_both_sides_compress(algorithm: int, during: bool) -> None:
    both = {"certificate_compression": [algorithm]}
    pair, messages = connected(both, {**both, **(REQUIRED if during else {})})
    assert [sender for sender, _ in messages] == ["server", "client"]
    for _, message in messages:
        assert isinstance(message, CompressedCertificate)
        assert message.algorithm == algorithm
        assert len(message.compressed) < message.length
    assert bool(pair.events("server", PeerAuthenticated)) != during


def test_a_side_that_does_not_ask_gets_plain_ones() -> None:
    both = {"certificate_compression": [ZLIB]}
    for client, server in (({}, both), (both, {})):
        _, messages = connected(client, {**server, **REQUIRED})
        assert [type(message) for _, message in messages] == [Certificate, Certificate]


def test_nothing_of_it_in_tls12() -> None:
    both = {"certificate_compression": [ZLIB]}
    pair, _ = connected(both, {**both, **REQUIRED, "versions": [ProtocolVersion.TLS_1_2]})
    assert pair.client.version == ProtocolVersion.TLS_1_2


def test_what_would_be_longer_goes_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    algorithm = compression.Algorithm(lambda: zlib, lambda data: data, lambda data, length: data)
    monkeypatch.setitem(ALGORITHMS, ZLIB, algorithm)
    compressed_once.cache_clear()
    both = {"certificate_compression": [ZLIB]}
    try:
        _, messages = connected(both, both)
    finally:
        compressed_once.cache_clear()
    assert [type(message) for _, message in messages] == [Certificate, Certificate]


def test_a_credential_is_compressed_once() -> None:
    compressed_once.cache_clear()
    config = client_config(certificate_compression=[ZLIB])
    for _ in range(3):
        ConnectionPair(config, server_config(certificate_compression=[ZLIB])).pump()
    assert (compressed_once.cache_info().misses, compressed_once.cache_info().hits) == (1, 2)


def test_an_algorithm_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "brotli", None)
    with pytest.raises(ConfigError, match=r"^certificate_compression: .* expected of \[1"):
        client_config(certificate_compression=[CertificateCompression.BROTLI])


# --- what is wrong -----------------------------------------------------------------------------------------------


def shown(message: CompressedCertificate, **config: Any) -> HostileServer:
    """A server that says this in the place of a Certificate."""
    client = quick_client(**{"certificate_compression": [ZLIB], **config})
    return HostileServer(client, {Certificate: lambda _: message}).serve()


def refuses(message: CompressedCertificate, reason: Reason, alert: AlertDescription, **config: Any) -> None:
    shown(message, **config).assert_refused(reason, alert, "")


ILLEGAL: Final = AlertDescription.ILLEGAL_PARAMETER


@pytest.mark.parametrize(
    "message",
    [
        CompressedCertificate(ZLIB, 99, zlib.compress(bytes(100))),
        CompressedCertificate(ZLIB, 101, zlib.compress(bytes(100))),
        CompressedCertificate(ZLIB, 0, zlib.compress(bytes(100))),
        CompressedCertificate(ZLIB, 100, zlib.compress(bytes(10**7))),
        CompressedCertificate(ZLIB, 100, zlib.compress(bytes(100))[:-1]),
        CompressedCertificate(ZLIB, 100, zlib.compress(bytes(100)) + b"x"),
        CompressedCertificate(ZLIB, 100, b"garbage"),
    ],
    ids=["less", "more", "nothing", "a bomb", "cut", "something after it", "garbage"],
)
@refused(Reason.CERTIFICATE_COMPRESSION, AlertDescription.BAD_CERTIFICATE)
def test_what_does_not_decompress(message: CompressedCertificate) -> HostileServer:
    return shown(message)


def test_what_was_not_offered() -> None:
    refuses(CompressedCertificate(2, 100, b"x"), Reason.ILLEGAL_VALUE, ILLEGAL)
    refuses(CompressedCertificate(0x4001, 100, b"x"), Reason.ILLEGAL_VALUE, ILLEGAL)
    sound = CompressedCertificate(ZLIB, 100, zlib.compress(bytes(100)))
    unexpected = AlertDescription.UNEXPECTED_MESSAGE
    refuses(sound, Reason.UNEXPECTED_MESSAGE, unexpected, certificate_compression=[])


def test_more_than_a_message_may_have() -> None:
    message = CompressedCertificate(ZLIB, 20_000, zlib.compress(bytes(20_000)))
    refuses(message, Reason.MESSAGE_TOO_LARGE, ILLEGAL, max_handshake_message=16_384)


def test_what_is_no_certificate() -> None:
    zeros = CompressedCertificate(ZLIB, 100, zlib.compress(bytes(100)))
    refuses(zeros, Reason.MALFORMED_MESSAGE, AlertDescription.DECODE_ERROR)
    empty = CompressedCertificate(ZLIB, 4, zlib.compress(bytes(4)))
    refuses(empty, Reason.NO_SERVER_CERTIFICATE, AlertDescription.DECODE_ERROR)


@each_algorithm
def test_a_bomb_stays_small(algorithm: int) -> None:
    """The output of a decompressor is bounded, and not only looked at afterwards."""
    bomb = ALGORITHMS[algorithm].compress(bytes(30_000_000))
    with pytest.raises(Fault):
        decompressed(algorithm, bomb, 1000)  # what is imported is imported
    tracemalloc.start()
    try:
        with pytest.raises(Fault, match="compressed certificate does not decompress"):
            decompressed(algorithm, bomb, 1000)
        assert tracemalloc.get_traced_memory()[1] < 200_000
    finally:
        tracemalloc.stop()


@each_algorithm
def test_the_stream_ends_where_the_message_does(algorithm: int) -> None:
    sound = ALGORITHMS[algorithm].compress(bytes(100))
    assert decompressed(algorithm, sound, 100) == bytes(100)
    for wrong in (sound + b"x", sound + sound, sound[:-1], b""):
        with pytest.raises(Fault) as caught:
            decompressed(algorithm, wrong, 100)
        assert caught.value.reason is Reason.CERTIFICATE_COMPRESSION


@given(st.sampled_from(available()), st.binary(max_size=300), st.integers(0, 300))
def test_any_bytes(algorithm: int, data: bytes, length: int) -> None:
    try:
        output = decompressed(algorithm, data, length)
    except Fault as caught:
        fault = caught
    else:
        assert len(output) == length
        return
    assert fault.reason is Reason.CERTIFICATE_COMPRESSION


@given(st.sampled_from(available()), st.binary(max_size=3000))
def test_there_and_back(algorithm: int, data: bytes) -> None:
    assert decompressed(algorithm, ALGORITHMS[algorithm].compress(data), len(data)) == data
