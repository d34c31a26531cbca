"""What comes behind a close_notify is no TLS, and is kept for whoever goes on with the stream."""

import pytest

from sansticket import Close, DataReceived, PeerClosed, SendData
from sansticket.codes import ProtocolVersion
from tests.support.configs import client_config, server_config
from tests.support.pair import ConnectionPair

AFTER = b"\x17\x03\x03\x00\x01? or a line of SMTP\r\n"
"""It may look like a record: it is none."""


@pytest.mark.parametrize("version", [ProtocolVersion.TLS_1_2, ProtocolVersion.TLS_1_3])
@pytest.mark.parametrize("before", [b"", b"x" * 40_000], ids=["no data before", "data before"])
def test_what_follows_close_notify_is_kept_as_it_came(version: int, before: bytes) -> None:
    pair = ConnectionPair(client_config(versions=[version]), server_config(versions=[version]))
    pair.pump()
    pair.server.send(SendData(before))
    pair.server.send(Close())
    events = pair.client.receive_data(pair.server.data_to_send() + AFTER)
    assert events == [*([DataReceived(before)] if before else []), PeerClosed()]
    assert pair.client.trailing_data == AFTER


def test_there_is_nothing_while_the_peer_goes_on() -> None:
    pair = ConnectionPair(client_config(), server_config())
    pair.pump()
    pair.send("server", SendData(b"data"), pump=False)
    pair.client.receive_data(pair.server.data_to_send() + b"\x17\x03")
    assert pair.client.trailing_data == b""
    assert pair.client.receive_data(b"\x03") == []
    assert pair.client.trailing_data == b""


def test_only_what_came_with_it_is_there() -> None:
    """What is handed over later is dropped: the caller knows that TLS is over."""
    pair = ConnectionPair(client_config(), server_config())
    pair.pump()
    pair.send("server", Close())
    assert pair.client.receive_data(AFTER) == []
    assert pair.client.trailing_data == b""
