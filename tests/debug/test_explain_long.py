"""Long streams are read once: what takes time with the square of their length would take minutes here."""

from __future__ import annotations

from time import process_time

from sansticket.debug.explain import HandshakeMessage, Unread, explain
from sansticket.debug.key_log import KeyLog

MOST = 16_384


def test_long_streams_are_read_once() -> None:
    """In one piece, and where all of one direction waits for what the other never says."""
    record = b"\x17\x03\x03\x40\x00" + bytes(MOST)
    start = process_time()
    records = explain([("client", record * 3000)], KeyLog())
    assert len(records) == 3000
    assert process_time() - start < 4
    start = process_time()
    assert len(explain([("server", record)] * 3000, KeyLog())) == 3000
    assert process_time() - start < 4


def test_a_suite_that_is_said_again_and_again_is_tried_once() -> None:
    """A client's early data may be under each of the suites in its hello."""
    suites = b"\x13\x01" * 4000
    early_data = b"\0\x04\0\x2a\0\0"
    hello = b"\x03\x03" + bytes(32) + b"\0" + len(suites).to_bytes(2) + suites + b"\x01\0" + early_data
    message = b"\x01" + len(hello).to_bytes(3) + hello
    record = b"\x17\x03\x03\0\x20" + bytes(32)
    stream = b"\x16\x03\x01" + len(message).to_bytes(2) + message + record * 1000
    log = KeyLog(f"CLIENT_EARLY_TRAFFIC_SECRET {bytes(32).hex()} {bytes(32).hex()}")
    start = process_time()
    records = explain([("client", stream)], log)
    assert len(records) == 1001
    assert process_time() - start < 4


def test_a_message_in_many_records_is_put_together_once() -> None:
    size = 1023 * MOST - 4
    whole = b"\xc8" + size.to_bytes(3) + bytes(size)
    pieces = [whole[at : at + MOST] for at in range(0, len(whole), MOST)]
    stream = b"".join(b"\x16\x03\x03\x40\x00" + piece for piece in pieces)
    start = process_time()
    records = explain([("client", stream)], KeyLog())
    assert process_time() - start < 2
    (message,) = records[-1].contents
    assert isinstance(message, HandshakeMessage)
    assert (message.name, message.size, message.records) == ("message of type 200", size + 4, 1023)
    cut = explain([("client", stream[:-MOST])], KeyLog())
    assert all(isinstance(content, Unread) for one in cut[-2:] for content in one.contents)
