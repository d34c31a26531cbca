"""Records smaller than the protocol's: record_size_limit (RFC 8449) and max_fragment_length (RFC 6066 section 4)."""

from __future__ import annotations

import pickle
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sansticket import (
    AlertDescription,
    ClientAuthentication,
    ConnectionTerminated,
    EarlyDataReceived,
    ProtocolVersion,
    Reason,
    ReplayRecorder,
    SendData,
    SendEarlyData,
    UpdateKeys,
)
from sansticket.codes import ContentType
from sansticket.record.tls12 import Opener as Opener12
from sansticket.record.writer import RecordWriter
from sansticket.wire.extensions.base import Extension
from sansticket.wire.extensions.negotiation import MaxFragmentLength, RecordSizeLimit
from sansticket.wire.messages.hello import ClientHello, ServerHello
from sansticket.wire.messages.tls13 import EncryptedExtensions
from tests.support.configs import client_config, server_config
from tests.support.credentials import anchors, client_credential
from tests.support.hostile12 import HostileClient12, with_
from tests.support.hostile_client import HostileClient
from tests.support.hostile_server import HostileServer, quick_client
from tests.support.pair import ConnectionPair, Side, every
from tests.support.resumption import received
from tests.support.state_samples import records

TLS12: Final = ProtocolVersion.TLS_1_2
TLS13: Final = ProtocolVersion.TLS_1_3
TAG: Final = 16
PAYLOAD: Final = bytes(range(256)) * 100

each_version = pytest.mark.parametrize("version", [TLS13, TLS12])
each_side = pytest.mark.parametrize("side", ["client", "server"])


def other(side: Side) -> Side:
    return "server" if side == "client" else "client"


def connected(version: int, client: dict[str, Any], server: dict[str, Any], **given: Any) -> ConnectionPair:
    """Everything is large: both sides show certificates, and nothing is left out."""
    pair = ConnectionPair(
        client_config(versions=(version,), credentials=[client_credential()], **client),
        server_config(
            versions=(version,),
            client_authentication=ClientAuthentication.REQUIRED,
            trust_anchors=anchors(),
            **server,
        ),
        **given,
    )
    pair.pump()
    assert pair.client.version == pair.server.version == version
    return pair


def plaintexts(pair: ConnectionPair, sender: Side) -> list[int]:
    """Bytes of plaintext, in the sense of RFC 8449, in each protected record of one side."""
    opener = pair._side(other(sender))[0]._engine.reader._opener
    extra = TAG + (opener._suite.explicit_nonce and 8 if isinstance(opener, Opener12) else 0)
    stream = b"".join(data for side, data in pair.wire if side == sender)
    found = list(records(stream))
    if isinstance(opener, Opener12):
        changed = next(i for i, record in enumerate(found) if record[0] == ContentType.CHANGE_CIPHER_SPEC)
        found = found[changed + 1 :]
    else:
        found = [record for record in found if record[0] == ContentType.APPLICATION_DATA]
    return [len(record) - 5 - extra for record in found]


def exchange(pair: ConnectionPair) -> None:
    for side in ("client", "server"):
        pair.send(side, SendData(PAYLOAD))
        if pair.client.version == TLS13:
            pair.send(side, UpdateKeys(request_peer=True))
            pair.send(side, SendData(PAYLOAD))
    expected = PAYLOAD * (2 if pair.client.version == TLS13 else 1)
    assert pair.data("client") == pair.data("server") == expected


@settings(max_examples=20)
@given(
    version=st.sampled_from([TLS13, TLS12]),
    client=st.sampled_from([64, 65, 512, 1000, 16_384, 16_385]),
    server=st.sampled_from([None, 64, 512, 16_383, 16_385]),
    padding=st.sampled_from([None, lambda length: 10**6, lambda length: 100]),
    piece=st.sampled_from([1, 700, 10**6]),
)
def test_both_sides_keep_to_both_limits(
    version: int, client: int, server: int | None, padding: Any, piece: int
) -> None:
    pair = connected(
        version,
        {"record_size_limit": client, "padding": padding},
        {"record_size_limit": server, "padding": padding},
        cut=every(piece),
    )
    exchange(pair)
    most = 16_385 if version == TLS13 else 16_384
    assert max(plaintexts(pair, "server")) == min(client, most)
    assert max(plaintexts(pair, "client")) == min(server or most, most)


@each_version
def test_nothing_is_said_and_nothing_is_limited_unless_the_client_asks(version: int) -> None:
    pair = connected(version, {}, {"record_size_limit": 64})
    exchange(pair)
    assert max(plaintexts(pair, "client")) == max(plaintexts(pair, "server")) > 16_000
    assert pair.client._engine.outbound.writer.max_fragment == 2**14


@each_version
def test_it_is_agreed_on_anew_when_a_session_is_resumed(version: int) -> None:
    server = server_config(versions=(version,))
    first = ConnectionPair(client_config(record_size_limit=500), server)
    first.pump()
    for limit in (None, 1000):
        pair = ConnectionPair(client_config(record_size_limit=limit), server, session=received(first))
        pair.pump()
        assert pair.client.resumed
        pair.send("server", SendData(PAYLOAD))
        assert pair.data("client") == PAYLOAD
        assert max(plaintexts(pair, "server")) == (limit or 16_384 + (version == TLS13))


@each_version
@each_side
@pytest.mark.parametrize("times", [1, 3])
def test_a_larger_record_is_record_overflow(version: int, side: Side, times: int) -> None:
    """Alone, and among others; what came before is heard."""
    pair = connected(version, {"record_size_limit": 100}, {"record_size_limit": 100})
    sender, content = pair._side(side)[0], 100 - (version == TLS13)
    for size in (content, content + 1):
        sender._engine.outbound.writer.max_fragment = size
        for _ in range(times):
            sender.send(SendData(bytes(size)))
        pair.pump()
    assert pair.data(other(side)) == bytes(content * times)
    end = pair.event(other(side), ConnectionTerminated)
    assert (end.reason, end.alert) == (Reason.RECORD_OVERFLOW, AlertDescription.RECORD_OVERFLOW)


@each_side
def test_padding_counts(side: Side) -> None:
    pair = connected(TLS13, {"record_size_limit": 100}, {"record_size_limit": 100})
    writer = pair._side(side)[0]._engine.outbound.writer
    writer.padding, writer.max_fragment = (lambda length: 99 - length), 200
    pair.send(side, SendData(b"all of it fits"))
    assert pair.data(other(side)) == b"all of it fits"
    writer.padding = lambda length: 100 - length
    pair.send(side, SendData(b"with one byte more"))
    assert pair.event(other(side), ConnectionTerminated).reason is Reason.RECORD_OVERFLOW


@each_version
def test_limits_go_along_with_forks_copies_and_pickles(version: int) -> None:
    pair = connected(version, {"record_size_limit": 100}, {"record_size_limit": 100})
    pair.server._engine.outbound.writer.max_fragment = 200
    pair.server.send(SendData(bytes(150)))
    record = pair.server.data_to_send()
    config = pair.client._engine.config
    assert config.record_size_limit == 100
    forks = [pair.client.fork(), pair.client.fork().fork()]
    for one in forks:
        assert one._engine.outbound.writer.max_fragment == pair.client._engine.outbound.writer.max_fragment
        (end,) = one.receive_data(record)
        assert isinstance(end, ConnectionTerminated)
        assert end.reason is Reason.RECORD_OVERFLOW
    reader = pickle.loads(pickle.dumps(pair.client._engine.reader))
    assert (reader.limit, reader._opener.limit) == (100 - (version == TLS13),) * 2


# --- what a peer says --------------------------------------------------------------------------------------------


def test_a_server_that_says_more_than_there_is() -> None:
    """It is as good as no limit; GnuTLS says the same number in both versions."""
    edits = {EncryptedExtensions: with_(RecordSizeLimit(0xFFFF))}
    server = HostileServer(quick_client(record_size_limit=16_000), edits)
    server.complete()
    assert server.victim._engine.outbound.writer.max_fragment == 2**14


@pytest.mark.parametrize("limit", [0, 63])
def test_a_server_that_says_less_than_64(limit: int) -> None:
    edits = {EncryptedExtensions: with_(RecordSizeLimit(limit))}
    HostileServer(quick_client(record_size_limit=100), edits).serve().assert_refused(Reason.ILLEGAL_VALUE)


def test_a_server_that_says_both() -> None:
    """RFC 8449 section 5.  We never ask for the other."""
    edits = {EncryptedExtensions: with_(RecordSizeLimit(100), MaxFragmentLength(1))}
    server = HostileServer(quick_client(record_size_limit=100), edits).serve()
    server.assert_refused(Reason.UNSOLICITED_EXTENSION)


def test_a_limit_in_the_wrong_message_of_tls13() -> None:
    edits = {ServerHello: with_(RecordSizeLimit(100))}
    server = HostileServer(quick_client(record_size_limit=100), edits).serve()
    server.assert_refused(Reason.FORBIDDEN_EXTENSION)


@each_version
def test_record_size_limit_goes_before_max_fragment_length(version: int) -> None:
    edits = {ClientHello: with_(MaxFragmentLength(1), RecordSizeLimit(2000))}
    writer, answer = asked(version, edits)
    assert writer.max_fragment == 2000 - (version == TLS13)
    assert [type(one) for one in answer if type(one) in (RecordSizeLimit, MaxFragmentLength)] == [
        RecordSizeLimit
    ]


@each_version
@pytest.mark.parametrize("code", [1, 2, 3, 4])
def test_max_fragment_length_is_kept_to_and_echoed(version: int, code: int) -> None:
    """Whatever our own record_size_limit is: the client does not know of it."""
    writer, answer = asked(version, {ClientHello: with_(MaxFragmentLength(code))}, record_size_limit=64)
    assert writer.max_fragment == 2 ** (8 + code)
    assert MaxFragmentLength(code) in answer


def asked(version: int, edits: dict[Any, Any], **server: Any) -> tuple[RecordWriter, tuple[Extension, ...]]:
    """What a server does when a client asks: its writer, and the extensions of its answer."""
    config = server_config(versions=(version,), **server)
    heard: list[Any] = []
    if version == TLS13:
        client: Any = HostileClient(config, edits)
        client.begin()
        heard = [m for m in client.heard if isinstance(m, EncryptedExtensions)]
    else:
        client = HostileClient12(config, edits)
        client.begin()
        heard = [m for m in client.heard if isinstance(m, ServerHello)]
    return client.victim._engine.outbound.writer, heard[0].extensions


def test_early_data_is_not_held_to_a_limit_that_its_sender_does_not_know() -> None:
    server = server_config(
        max_early_data=20_000, record_size_limit=64, replay=ReplayRecorder(since=float("-inf"))
    )
    client = client_config(early_data=True, record_size_limit=100)
    first = ConnectionPair(client, server)
    first.pump()
    pair = ConnectionPair(client, server, session=received(first)[0])
    pair.client.send(SendEarlyData(PAYLOAD[:5000]))
    pair.pump()
    assert b"".join(event.data for event in pair.events("server", EarlyDataReceived)) == PAYLOAD[:5000]
    pair.send("client", SendData(PAYLOAD))
    assert pair.data("server") == PAYLOAD
    assert pair.server._engine.reader.limit == 63
