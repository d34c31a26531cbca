"""The TLS 1.3 key schedule against the traces of RFC 8448, and what follows from its definitions."""

import copy
import hashlib
import hmac
import pickle

import pytest
from attrs.exceptions import FrozenInstanceError
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from sansticket.codes import CipherSuite
from sansticket.crypto.suites import SUITES, TrafficKeys
from sansticket.errors import LocalProtocolError
from sansticket.keys.tls13 import (
    ApplicationTraffic,
    EarlySecret,
    HandshakeSecret,
    HandshakeTraffic,
    MasterSecret,
    binder,
    export,
    finished_mac,
    next_traffic_secret,
    resumption_psk,
    traffic_keys,
)
from sansticket.keys.transcript import Transcript
from tests.support.rfc8448 import BINDERS_LENGTH, RESUMED, RETRY, SIMPLE, TICKET_NONCE, Trace

HASH = "sha256"
SUITE = SUITES[CipherSuite.AES_128_GCM_SHA256]
HASHES = [("sha256", 32, hashes.SHA256()), ("sha384", 48, hashes.SHA384())]


def transcript_of(trace: Trace) -> Transcript:
    """The transcript up to the ServerHello."""
    transcript = Transcript(HASH)
    if trace is RETRY:
        transcript = transcript.plus(trace.hellos[0]).after_retry()
    for message in trace.hellos[len(transcript.messages) :]:
        transcript = transcript.plus(message)
    return transcript


def early_of(trace: Trace) -> EarlySecret:
    if trace is RESUMED:
        return EarlySecret.from_psk(HASH, SIMPLE.secrets["resumption"])
    return EarlySecret.without_psk(HASH)


def expected_keys(trace: Trace, name: str) -> TrafficKeys:
    return TrafficKeys(trace.secrets[f"{name} key"], trace.secrets[f"{name} iv"])


def opened(record: bytes, secret: bytes) -> bytes:
    """Content and type of a record that is the first one under its traffic secret (RFC 9846 section 5.2)."""
    keys = traffic_keys(SUITE, secret)
    return SUITE.aead(keys.key).decrypt(keys.iv, record[5:], record[:5])


@pytest.mark.parametrize("trace", [SIMPLE, RESUMED, RETRY], ids=["simple", "resumed", "retry"])
def test_a_trace_from_the_hellos_to_the_end(trace: Trace) -> None:
    """What the RFC names is equal, and what it does not is right because the next record opens."""
    secrets = trace.secrets
    transcript = transcript_of(trace)
    handshake = early_of(trace).handshake(secrets["shared"])
    assert handshake.secret == secrets["handshake"]
    traffic = handshake.traffic(transcript.digest())
    assert traffic == HandshakeTraffic(secrets["c hs traffic"], secrets["s hs traffic"])

    for message in trace.flight:
        transcript = transcript.plus(message)
    server_finished = finished_mac(HASH, traffic.server, transcript.digest())
    assert server_finished == trace.server_finished[4:]
    transcript = transcript.plus(trace.server_finished)

    application = handshake.master().traffic(transcript.digest())
    for message in trace.early:
        transcript = transcript.plus(message)
    finished = b"\x14\x00\x00\x20" + finished_mac(HASH, traffic.client, transcript.digest())
    assert trace.client_finished in (finished, b"")
    if trace is not RESUMED:  # where EndOfEarlyData has the early traffic key before it
        assert opened(trace.client_finished_record, traffic.client) == finished + b"\x16"
    if trace is RETRY:
        assert opened(trace.client_close_record, application.client) == b"\x01\x00\x15"
        assert opened(trace.server_close_record, application.server) == b"\x01\x00\x15"
    else:
        assert application == ApplicationTraffic(secrets["c ap traffic"], secrets["s ap traffic"])


def test_secrets_that_the_simple_trace_names_besides() -> None:
    secrets = SIMPLE.secrets
    transcript = transcript_of(SIMPLE)
    for message in (*SIMPLE.flight, SIMPLE.server_finished):
        transcript = transcript.plus(message)
    assert EarlySecret.without_psk(HASH).secret == secrets["early"]
    master = HandshakeSecret(HASH, secrets["handshake"]).master()
    assert master == MasterSecret(HASH, secrets["master"])
    assert master.exporter(transcript.digest()) == secrets["exp master"]
    resumption = master.resumption(transcript.plus(SIMPLE.client_finished).digest())
    assert resumption == secrets["res master"]
    assert resumption_psk(HASH, resumption, TICKET_NONCE) == secrets["resumption"]


def test_secrets_that_the_resumed_trace_names_besides() -> None:
    secrets = RESUMED.secrets
    hello = RESUMED.hellos[0]
    early = early_of(RESUMED)
    assert early.secret == secrets["early"]
    truncated = Transcript(HASH).digest_of(hello[:-BINDERS_LENGTH])
    assert truncated == secrets["binder hash"]
    binder_key = early.binder_key()
    assert binder_key == secrets["res binder"]
    assert binder(HASH, binder_key, truncated) == secrets["binder"] == hello[-32:]
    hello_hash = Transcript(HASH).plus(hello).digest()
    assert early.client_early_traffic(hello_hash) == secrets["c e traffic"]
    assert early.early_exporter(hello_hash) == secrets["e exp master"]
    master = MasterSecret(HASH, secrets["master"])
    assert early.handshake(secrets["shared"]).master() == master
    transcript = transcript_of(RESUMED)
    for message in (*RESUMED.flight, RESUMED.server_finished):
        transcript = transcript.plus(message)
    assert master.exporter(transcript.digest()) == secrets["exp master"]


def test_the_retry_trace_hashes_the_first_hello() -> None:
    transcript = transcript_of(RETRY)
    assert transcript.digest() == RETRY.secrets["hello hash"]
    assert transcript.messages[0] == b"\xfe\x00\x00\x20" + hashlib.sha256(RETRY.hellos[0]).digest()


@pytest.mark.parametrize(
    ("trace", "name", "secret"),
    [
        (SIMPLE, "c hs", "c hs traffic"),
        (SIMPLE, "s hs", "s hs traffic"),
        (SIMPLE, "c ap", "c ap traffic"),
        (SIMPLE, "s ap", "s ap traffic"),
        (RESUMED, "c e", "c e traffic"),
        (RESUMED, "c hs", "c hs traffic"),
        (RESUMED, "s hs", "s hs traffic"),
        (RESUMED, "s ap", "s ap traffic"),
    ],
)
def test_traffic_keys_of_the_traces(trace: Trace, name: str, secret: str) -> None:
    assert traffic_keys(SUITE, trace.secrets[secret]) == expected_keys(trace, name)


@pytest.mark.parametrize(
    ("suite", "key_length"),
    [
        (CipherSuite.AES_128_GCM_SHA256, 16),
        (CipherSuite.AES_256_GCM_SHA384, 32),
        (CipherSuite.CHACHA20_POLY1305_SHA256, 32),
    ],
)
def test_traffic_keys_have_the_lengths_of_the_suite(suite: CipherSuite, key_length: int) -> None:
    keys = traffic_keys(SUITES[suite], b"s" * SUITES[suite].hash_length)
    assert (len(keys.key), len(keys.iv)) == (key_length, 12)


def expand(
    algorithm: hashes.HashAlgorithm, secret: bytes, label: bytes, context: bytes, length: int
) -> bytes:
    """HKDF-Expand-Label, put together differently."""
    full = b"tls13 " + label
    info = length.to_bytes(2, "big") + bytes([len(full)]) + full + bytes([len(context)]) + context
    return HKDFExpand(algorithm, length, info).derive(secret)


@pytest.mark.parametrize(("name", "length", "algorithm"), HASHES)
def test_every_step_by_its_definition(name: str, length: int, algorithm: hashes.HashAlgorithm) -> None:
    """The whole staircase for both hashes, against the library's HKDF and the standard library's HMAC."""
    th = hashlib.new(name, b"messages").digest()
    empty = hashlib.new(name).digest()
    early = hmac.digest(bytes(length), b"psk", name)
    step = EarlySecret.from_psk(name, b"psk")
    assert step.secret == early
    assert step.binder_key(b"ext binder") == expand(algorithm, early, b"ext binder", empty, length)
    assert step.binder_key() == expand(algorithm, early, b"res binder", empty, length)
    assert step.client_early_traffic(th) == expand(algorithm, early, b"c e traffic", th, length)
    assert step.early_exporter(th) == expand(algorithm, early, b"e exp master", th, length)
    handshake = hmac.digest(expand(algorithm, early, b"derived", empty, length), b"shared", name)
    second = step.handshake(b"shared")
    assert second.secret == handshake
    assert second.traffic(th) == HandshakeTraffic(
        expand(algorithm, handshake, b"c hs traffic", th, length),
        expand(algorithm, handshake, b"s hs traffic", th, length),
    )
    master = hmac.digest(expand(algorithm, handshake, b"derived", empty, length), bytes(length), name)
    third = second.master()
    assert third.secret == master
    assert third.traffic(th) == ApplicationTraffic(
        expand(algorithm, master, b"c ap traffic", th, length),
        expand(algorithm, master, b"s ap traffic", th, length),
    )
    assert third.exporter(th) == expand(algorithm, master, b"exp master", th, length)
    assert third.resumption(th) == expand(algorithm, master, b"res master", th, length)


@pytest.mark.parametrize(("name", "length", "algorithm"), HASHES)
def test_what_is_derived_from_a_single_secret(
    name: str, length: int, algorithm: hashes.HashAlgorithm
) -> None:
    secret = b"s" * length
    th = hashlib.new(name, b"messages").digest()
    assert next_traffic_secret(name, secret) == expand(algorithm, secret, b"traffic upd", b"", length)
    for nonce in (b"", b"\x00" * 8, b"n" * 255):
        assert resumption_psk(name, secret, nonce) == expand(algorithm, secret, b"resumption", nonce, length)
    finished_key = expand(algorithm, secret, b"finished", b"", length)
    assert finished_mac(name, secret, th) == hmac.digest(finished_key, th, name)
    assert binder(name, secret, th) == finished_mac(name, secret, th)


@pytest.mark.parametrize(("name", "length", "algorithm"), HASHES)
def test_export_by_its_definition(name: str, length: int, algorithm: hashes.HashAlgorithm) -> None:
    secret = b"e" * length
    empty = hashlib.new(name).digest()
    for label, context, wanted in ((b"EXPORTER-x", b"", 32), (b"l" * 249, b"c" * 1000, 255 * length)):
        derived = expand(algorithm, secret, label, empty, length)
        expected = expand(algorithm, derived, b"exporter", hashlib.new(name, context).digest(), wanted)
        assert export(name, secret, label, context, wanted) == expected


@pytest.mark.parametrize(
    ("label", "length"), [(b"", 32), (b"l" * 250, 32), (b"l", 0), (b"l", -1), (b"l", 255 * 32 + 1)]
)
def test_export_refuses_what_it_cannot_give(label: bytes, length: int) -> None:
    with pytest.raises(LocalProtocolError):
        export("sha256", b"e" * 32, label, b"", length)


STEPS = [
    EarlySecret.from_psk(HASH, b"psk"),
    HandshakeSecret(HASH, b"\xaa" * 32),
    MasterSecret(HASH, b"\xaa" * 32),
    HandshakeTraffic(b"\xaa" * 32, b"\xbb" * 32),
    ApplicationTraffic(b"\xaa" * 32, b"\xbb" * 32),
    TrafficKeys(b"\xaa" * 16, b"\xbb" * 12),
]


@pytest.mark.parametrize("step", STEPS, ids=lambda step: type(step).__name__)
def test_steps_can_be_copied_and_pickled_but_not_changed_or_printed(step: object) -> None:
    assert pickle.loads(pickle.dumps(step)) == step == copy.deepcopy(step)
    first = step.__attrs_attrs__[-1].name  # type: ignore[attr-defined]
    with pytest.raises(FrozenInstanceError):
        setattr(step, first, b"")
    assert "b'" not in repr(step)
    assert "xaa" not in repr(step)
