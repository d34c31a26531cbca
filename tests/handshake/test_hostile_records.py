"""Wrong records, at every moment of a connection, on both sides."""

from __future__ import annotations

import pytest

from sansticket.codes import NamedGroup
from sansticket.config.choices import ASK
from sansticket.connection.limits import MAX_CHANGE_CIPHER_SPECS
from sansticket.errors import Reason
from sansticket.events import DataReceived, HandshakeCompleted, SelectConfig
from sansticket.record.reader import MAX_EMPTY_RECORDS
from sansticket.wire.messages.tls13 import KeyUpdate
from tests.support.hostile import (
    ALERT,
    APPLICATION_DATA,
    CHANGE_CIPHER_SPEC,
    HANDSHAKE,
    HostilePeer,
    held_bytes,
    plain_record,
    raw_message,
)
from tests.support.hostile_client import HostileClient, quick_server
from tests.support.hostile_server import HostileServer, quick_client
from tests.support.moments import (
    AT_THE_START,
    CONNECTED,
    IN_THE_HANDSHAKE,
    MOMENTS,
    PROTECTED,
    Moment,
    at,
    table,
)
from tests.support.pair import ConnectionPair
from tests.support.refusals import case, refused
from tests.support.resumption import records_of

# --- no TLS, or not as it should be ------------------------------------------------------------------------------

SSLV2_HELLO = bytes.fromhex("802e010002001500000010010080020080030080040080")

NONSENSE = [
    case("plain HTTP request", Reason.NOT_TLS, b"GET / HTTP/1.1\r\nHost: server.example\r\n\r\n"),
    case("plain HTTP answer", Reason.NOT_TLS, b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    case("a hello of SSL 2", Reason.NOT_TLS, SSLV2_HELLO),
    case("SMTP", Reason.NOT_TLS, b"220 mail.example ESMTP\r\n"),
    case("zeros", Reason.NOT_TLS, bytes(100)),
    case("major version 2", Reason.NOT_TLS, b"\x16\x02\x00\0\1\0"),
    case("heartbeat", Reason.UNKNOWN_CONTENT_TYPE, plain_record(24, b"\x01\0\x03abc")),
    case("content type 0", Reason.UNKNOWN_CONTENT_TYPE, plain_record(0, b"x")),
    case("content type 255", Reason.UNKNOWN_CONTENT_TYPE, plain_record(255, b"x")),
    case("announced too long", Reason.RECORD_OVERFLOW, b"\x17\x03\x03\xff\xff"),
    case("unprotected, no alert", Reason.EMPTY_RECORD, plain_record(ALERT, b"")),
    case("no change_cipher_spec", Reason.EMPTY_RECORD, plain_record(CHANGE_CIPHER_SPEC, b"")),
    case("wrong byte", Reason.UNEXPECTED_CHANGE_CIPHER_SPEC, plain_record(CHANGE_CIPHER_SPEC, b"\x02")),
    case("two bytes", Reason.UNEXPECTED_CHANGE_CIPHER_SPEC, plain_record(CHANGE_CIPHER_SPEC, b"\x01\x01")),
]


@table(AT_THE_START | IN_THE_HANDSHAKE, NONSENSE)
def test_nonsense(sent: bytes, reason: Reason, moment: Moment) -> None:
    peer = moment()
    if sent[:1] == b"\x17" and peer.sealer is None:
        reason = (
            Reason.UNEXPECTED_MESSAGE
        )  # application data without keys: its length does not matter any more
    peer.deliver(sent)
    peer.assert_refused(reason)


PLAIN = [
    case("too long", Reason.RECORD_OVERFLOW, b"\x16\x03\x03\x40\x01"),
    case("no handshake message", Reason.EMPTY_RECORD, plain_record(HANDSHAKE, b"")),
    case("unprotected data", Reason.UNEXPECTED_MESSAGE, plain_record(APPLICATION_DATA, b"x")),
]


@table(AT_THE_START, PLAIN)
def test_unprotected(sent: bytes, reason: Reason, moment: Moment) -> None:
    peer = moment()
    peer.deliver(sent)
    peer.assert_refused(reason)


@at(AT_THE_START)
def test_the_largest_record_is_taken(moment: Moment) -> None:
    peer = moment()
    kind = 1 if isinstance(peer, HostileClient) else 2
    peer.deliver(plain_record(HANDSHAKE, raw_message(kind, bytes(40_000))[: 2**14]))
    peer.assert_alive()
    assert held_bytes(peer.victim) == 2**14


# --- protected records -------------------------------------------------------------------------------------------

INNER = [
    case("nothing but padding", Reason.NO_CONTENT_TYPE, (0, b"", 40)),
    case("nothing at all", Reason.NO_CONTENT_TYPE, (0, b"", 0)),
    case("unknown content", Reason.UNKNOWN_CONTENT_TYPE, (99, b"x", 0)),
    case("no message", Reason.EMPTY_RECORD, (HANDSHAKE, b"", 0)),
    case("no alert", Reason.EMPTY_RECORD, (ALERT, b"", 20)),
    case(
        "protected change_cipher_spec", Reason.UNEXPECTED_CHANGE_CIPHER_SPEC, (CHANGE_CIPHER_SPEC, b"\x01", 0)
    ),
    case("one byte too long", Reason.RECORD_OVERFLOW, (APPLICATION_DATA, bytes(2**14 + 1), 0)),
    case("padded too long", Reason.RECORD_OVERFLOW, (APPLICATION_DATA, b"x", 2**14)),
    case("handshake too long", Reason.RECORD_OVERFLOW, (HANDSHAKE, bytes(2**14 + 1), 0)),
]


@table(PROTECTED, INNER)
def test_inside_a_protected_record(sent: tuple[int, bytes, int], reason: Reason, moment: Moment) -> None:
    peer = moment()
    peer.deliver(peer.record(*sent))
    peer.assert_refused(reason)


@at(PROTECTED)
@pytest.mark.parametrize("place", [5, 10, -1])
@refused(Reason.BAD_RECORD_MAC)
def test_one_bit(moment: Moment, place: int) -> HostilePeer:
    peer = moment()
    record = bytearray(peer.record(HANDSHAKE, KeyUpdate(0).encode()))
    record[place] ^= 0x10
    peer.deliver(bytes(record))
    return peer


@at(PROTECTED)
@pytest.mark.parametrize("length", [0, 1, 15, 16, 17])
@refused(Reason.BAD_RECORD_MAC)
def test_too_short_for_a_tag(moment: Moment, length: int) -> HostilePeer:
    peer = moment()
    peer.deliver(plain_record(APPLICATION_DATA, bytes(length)))
    return peer


@at(CONNECTED)
@refused(Reason.BAD_RECORD_MAC)
def test_replay(moment: Moment) -> HostilePeer:
    peer = moment()
    record = peer.record(APPLICATION_DATA, b"once")
    peer.deliver(record)
    assert peer.events[-1] == DataReceived(b"once")
    peer.deliver(record)
    return peer


@at(CONNECTED)
@refused(Reason.BAD_RECORD_MAC)
def test_reordered_records(moment: Moment) -> HostilePeer:
    peer = moment()
    first, second = peer.record(APPLICATION_DATA, b"first"), peer.record(APPLICATION_DATA, b"second")
    peer.deliver(second + first)
    assert DataReceived(b"second") not in peer.events
    return peer


@at(CONNECTED)
@refused(Reason.BAD_RECORD_MAC)
def test_what_came_before_is_not_lost(moment: Moment) -> HostilePeer:
    """Neither the data nor the messages that came in the same bytes as the wrong record."""
    peer = moment()
    good = peer.record(APPLICATION_DATA, b"good") + peer.record(APPLICATION_DATA, b", and more")
    events = peer.deliver(good + plain_record(APPLICATION_DATA, bytes(40)))
    assert events[0] == DataReceived(b"good, and more")
    return peer


@at(CONNECTED)
@refused(Reason.SEQUENCE_EXHAUSTED)
def test_used_up_key(moment: Moment) -> HostilePeer:
    peer = moment()
    assert peer.victim._engine.reader._opener is not None
    peer.victim._engine.reader._opener.sequence = 2**64
    peer.send(APPLICATION_DATA, b"one too many")
    return peer


@at(PROTECTED)
@pytest.mark.parametrize("content_type", [HANDSHAKE])
@refused(Reason.UNEXPECTED_MESSAGE)
def test_unprotected_records_under_protection(moment: Moment, content_type: int) -> HostilePeer:
    peer = moment()
    peer.deliver(plain_record(content_type, KeyUpdate(0).encode()))
    return peer


@at(CONNECTED)
def test_empty_records(moment: Moment) -> None:
    """Some are padding of the traffic, as long as data comes between them."""
    peer = moment()
    for _ in range(3):
        for _ in range(MAX_EMPTY_RECORDS):
            peer.deliver(peer.record(APPLICATION_DATA, b"", 100))
        peer.send(APPLICATION_DATA, b"x")
    peer.assert_alive()
    assert [event for event in peer.events if isinstance(event, DataReceived)] == [DataReceived(b"x")] * 3


@at(CONNECTED)
@pytest.mark.parametrize("together", [True, False])
@refused(Reason.TOO_MANY_EMPTY_RECORDS)
def test_flood_of_empty_records(moment: Moment, together: bool) -> HostilePeer:
    peer = moment()
    records = [peer.record(APPLICATION_DATA, b"") for _ in range(MAX_EMPTY_RECORDS + 1)]
    for piece in [b"".join(records)] if together else records:
        peer.deliver(piece)
    return peer


@at(IN_THE_HANDSHAKE)
@pytest.mark.parametrize("count", [1, 3])
@refused(Reason.UNEXPECTED_MESSAGE, detail="before Finished")
def test_empty_records_in_the_handshake(moment: Moment, count: int) -> HostilePeer:
    """Application data is unexpected before Finished, with or without content (RFC 9846 sections 2 and 5.1)."""
    peer = moment()
    peer.deliver(b"".join(peer.record(APPLICATION_DATA, b"", 30) for _ in range(count)))
    return peer


def test_empty_records_right_after_finished() -> None:
    client = HostileClient().begin().say_finished()
    client.send(APPLICATION_DATA, b"")
    client.assert_alive()


# --- interleaving and fragments ----------------------------------------------------------------------------------


@at(CONNECTED)
@pytest.mark.parametrize("content_type", [ALERT, APPLICATION_DATA, CHANGE_CIPHER_SPEC])
@refused(Reason.UNEXPECTED_MESSAGE)
def test_in_the_middle_of_a_message(moment: Moment, content_type: int) -> HostilePeer:
    peer = moment()
    peer.send(HANDSHAKE, KeyUpdate(0).encode()[:3])
    content = {ALERT: b"\x01\0", APPLICATION_DATA: b"data", CHANGE_CIPHER_SPEC: b"\x01"}[content_type]
    if content_type == CHANGE_CIPHER_SPEC:
        peer.deliver(plain_record(content_type, content))
    else:
        peer.send(content_type, content)
    return peer


def waits_for_a_certificate() -> HostileServer:
    return HostileServer().say_hello().say_extensions()


@at(AT_THE_START)
@pytest.mark.parametrize("length", [131_400 - 3, 0xFFFFFF])
@refused(Reason.MALFORMED_MESSAGE)
def test_message_that_announces_too_much(moment: Moment, length: int) -> HostilePeer:
    """Its header is enough: not a byte of it is waited for."""
    peer = moment()
    kind = 1 if isinstance(peer, HostileClient) else 2
    peer.send(HANDSHAKE, bytes((kind,)) + length.to_bytes(3))
    return peer


@at(CONNECTED)
@pytest.mark.parametrize("length", [2, 0xFFFFFF])
@refused(Reason.MALFORMED_MESSAGE)
def test_key_update_that_announces_too_much(moment: Moment, length: int) -> HostilePeer:
    """There is none of two bytes (RFC 9846 section 6), and none of them is waited for."""
    peer = moment()
    peer.send(HANDSHAKE, b"\x18" + length.to_bytes(3))
    return peer


@pytest.mark.parametrize("length", [131_400 - 3, 0xFFFFFF])
@refused(Reason.MESSAGE_TOO_LARGE)
def test_chain_that_announces_too_much(length: int) -> HostilePeer:
    """A Certificate may be of any size; how much of it we take is for the config to say."""
    peer = waits_for_a_certificate()
    peer.send(HANDSHAKE, b"\x0b" + length.to_bytes(3))
    return peer


@refused(Reason.MESSAGE_TOO_LARGE)
def test_hello_that_is_more_than_the_config_takes() -> HostilePeer:
    peer = HostileClient(quick_server(max_handshake_message=16_384))
    peer.send(HANDSHAKE, b"\x01" + (16_381).to_bytes(3))
    return peer


@at(CONNECTED)
@refused(Reason.UNEXPECTED_MESSAGE)
def test_unknown_message(moment: Moment) -> HostilePeer:
    peer = moment()
    peer.send(HANDSHAKE, b"\xf0")
    return peer


@pytest.mark.parametrize(("moment", "kind"), [(HostileClient, 1), (waits_for_a_certificate, 11)])
def test_what_is_held_of_a_message_is_bounded(moment: Moment, kind: int) -> None:
    """A message of the largest size in the smallest records, and then one byte too many."""
    peer = moment()
    largest = peer.victim._engine.config.max_handshake_message
    raw = raw_message(kind, bytes(largest - 4))
    for start in range(0, largest - 1, 1000):
        peer.send(HANDSHAKE, raw[start : min(start + 1000, largest - 1)])
        assert held_bytes(peer.victim) <= largest
    peer.assert_alive()
    peer.send(HANDSHAKE, raw[-1:])
    peer.assert_refused(Reason.MALFORMED_MESSAGE)


@at(MOMENTS)
def test_what_is_held_of_a_record_is_bounded(moment: Moment) -> None:
    peer = moment()
    record = peer.record(HANDSHAKE, bytes(2**14))
    for start in range(0, len(record) - 1, 500):
        peer.deliver(record[start : min(start + 500, len(record) - 1)])
        assert held_bytes(peer.victim) <= 2**14 + 256 + 5
    peer.assert_alive()


# --- questions ---------------------------------------------------------------------------------------------------


def test_bytes_that_wait_for_an_answer_are_bounded() -> None:
    client = HostileClient(quick_server(answers={SelectConfig: ASK}, max_buffered=20_000)).say_hello()
    assert isinstance(client.victim.pending, SelectConfig)
    client.deliver(bytes(20_000))
    client.assert_alive()
    assert held_bytes(client.victim) == 20_000
    client.deliver(b"x")
    client.assert_refused(Reason.TOO_MUCH_BUFFERED)


@refused(Reason.TOO_MUCH_BUFFERED)
def test_too_many_bytes_behind_the_hello() -> HostilePeer:
    """What is in the same record as the hello counts too."""
    client = HostileClient(quick_server(answers={SelectConfig: ASK}, max_buffered=16_640))
    hello = client.hello().encode() + bytes(16_000)
    client.deliver(plain_record(HANDSHAKE, hello) + bytes(641))
    return client


# --- change_cipher_spec ------------------------------------------------------------------------------------------


@at({"client at the start": HostileServer, **IN_THE_HANDSHAKE})
def test_change_cipher_spec_in_the_handshake(moment: Moment) -> None:
    """Once the hello is sent or received it may come at any time; nobody says how often."""
    peer = moment()
    for _ in range(MAX_CHANGE_CIPHER_SPECS):
        peer.deliver(plain_record(CHANGE_CIPHER_SPEC, b"\x01"))
    peer.assert_alive()
    peer.deliver(plain_record(CHANGE_CIPHER_SPEC, b"\x01"))
    peer.assert_refused(Reason.UNEXPECTED_CHANGE_CIPHER_SPEC)


@refused(Reason.UNEXPECTED_CHANGE_CIPHER_SPEC)
def test_change_cipher_spec_before_the_hello() -> HostilePeer:
    return HostileClient().change_cipher_spec()


@at(CONNECTED)
@refused(Reason.UNEXPECTED_CHANGE_CIPHER_SPEC)
def test_change_cipher_spec_after_finished(moment: Moment) -> HostilePeer:
    peer = moment()
    peer.deliver(plain_record(CHANGE_CIPHER_SPEC, b"\x01"))
    return peer


def test_change_cipher_spec_everywhere_it_may_be() -> None:
    server = HostileServer().change_cipher_spec().say_hello().change_cipher_spec().say_extensions()
    server.change_cipher_spec().say_certificate().change_cipher_spec().say_proof().change_cipher_spec()
    server.say_finished().hear_finished().assert_alive()
    client = HostileClient().say_hello().change_cipher_spec().listen().change_cipher_spec().say_finished()
    client.assert_alive()
    assert isinstance(client.events[0], HandshakeCompleted)


@pytest.mark.parametrize("retried", [False, True])
@pytest.mark.parametrize("compatible", [False, True])
def test_each_side_sends_one_at_most(compatible: bool, retried: bool) -> None:
    """RFC 9846 appendix E.4: the server behind its first message, the client before its second flight."""
    groups = (NamedGroup.X25519, NamedGroup.SECP256R1)
    client = quick_client(groups=groups, middlebox_compatibility=compatible)
    pair = ConnectionPair(client, quick_server(groups=groups[1:] if retried else groups))
    pair.pump()
    hello, changed = [HANDSHAKE], [CHANGE_CIPHER_SPEC] if compatible else []
    for side in ("client", "server"):
        stream = b"".join(data for sender, data in pair.wire if sender == side)
        unprotected = [one[0] for one in records_of(stream) if one[0] != APPLICATION_DATA]
        assert unprotected == hello + changed + (hello if retried else [])
