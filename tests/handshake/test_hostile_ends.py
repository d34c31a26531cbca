"""Alerts, close_notify and the end of the stream, at every moment of a connection, on both sides."""

from __future__ import annotations

import pickle

import pytest

from sansticket.codes import AlertDescription, AlertLevel
from sansticket.commands import Close, SendData
from sansticket.connection.limits import MAX_WARNINGS
from sansticket.errors import LocalProtocolError, Reason
from sansticket.events import ConnectionTerminated, DataReceived, KeysUpdated, PeerClosed
from sansticket.keys.transcript import Transcript
from sansticket.wire.messages.alert import Alert
from sansticket.wire.messages.tls13 import KeyUpdate
from tests.support.hostile import (
    ALERT,
    APPLICATION_DATA,
    HANDSHAKE,
    HostilePeer,
    assert_over,
    held_bytes,
    plain_record,
)
from tests.support.hostile_client import HostileClient
from tests.support.hostile_server import HostileServer
from tests.support.moments import AT_THE_START, CONNECTED, IN_THE_HANDSHAKE, MOMENTS, Moment, at
from tests.support.refusals import ends, refused

# --- alerts ------------------------------------------------------------------------------------------------------


@at(MOMENTS)
@pytest.mark.parametrize("level", [AlertLevel.WARNING, AlertLevel.FATAL, 0, 255])
@pytest.mark.parametrize("description", [*AlertDescription, 41, 255])
def test_alert(moment: Moment, level: int, description: int) -> None:
    """In TLS 1.3 the description alone counts: but for two, all end the connection, and none is answered."""
    peer = moment()
    peer.send_alert(description, level)
    peer.listen()
    assert peer.alerts == []
    connected = moment in CONNECTED.values()
    if description == AlertDescription.USER_CANCELED:
        peer.assert_alive()
    elif description == AlertDescription.CLOSE_NOTIFY and connected:
        assert peer.events[-1] == PeerClosed()
    else:
        end = peer.events[-1]
        assert isinstance(end, ConnectionTerminated)
        assert (end.reason, end.alert, end.by_peer) == (Reason.PEER_ALERT, description, True)
        assert_over(peer.victim, peer.events)


@ends(Reason.PEER_ALERT)
def test_close_notify_in_the_handshake() -> ConnectionTerminated:
    server = HostileServer().say_hello()
    server.send_alert(AlertDescription.USER_CANCELED, AlertLevel.WARNING)
    server.send_alert(AlertDescription.CLOSE_NOTIFY, AlertLevel.WARNING)
    end = server.events[-1]
    assert isinstance(end, ConnectionTerminated)
    assert end.alert == AlertDescription.CLOSE_NOTIFY
    return end


@at(MOMENTS)
@refused(Reason.MALFORMED_MESSAGE)
def test_half_an_alert(moment: Moment) -> HostilePeer:
    """RFC 9846 section 5.1: alerts are not cut into pieces."""
    peer = moment()
    peer.send(ALERT, b"\x02")
    return peer


@at(MOMENTS)
@refused(Reason.MALFORMED_MESSAGE)
def test_two_alerts_in_one_record(moment: Moment) -> HostilePeer:
    peer = moment()
    peer.send(ALERT, b"\x01\x5a\x02\x28")
    return peer


@at(MOMENTS)
@refused(Reason.TOO_MANY_WARNINGS)
def test_flood_of_warnings(moment: Moment) -> HostilePeer:
    peer = moment()
    for _ in range(MAX_WARNINGS + 1):
        peer.send_alert(AlertDescription.USER_CANCELED, AlertLevel.WARNING)
    return peer


@at(IN_THE_HANDSHAKE)
def test_unprotected_alert_in_the_handshake(moment: Moment) -> None:
    """The peer may have failed before it had keys."""
    peer = moment()
    peer.deliver(plain_record(ALERT, Alert(AlertLevel.FATAL, AlertDescription.HANDSHAKE_FAILURE).encode()))
    end = peer.events[-1]
    assert isinstance(end, ConnectionTerminated)
    assert (end.reason, end.alert) == (Reason.PEER_ALERT, AlertDescription.HANDSHAKE_FAILURE)


@at(CONNECTED)
@refused(Reason.UNEXPECTED_MESSAGE)
def test_unprotected_alert_afterwards(moment: Moment) -> HostilePeer:
    """Anybody could have sent it."""
    peer = moment()
    peer.deliver(plain_record(ALERT, Alert(AlertLevel.WARNING, AlertDescription.CLOSE_NOTIFY).encode()))
    return peer


@at(CONNECTED)
def test_secrets_of_a_failed_connection_are_forgotten(moment: Moment) -> None:
    """Servers and clients MUST forget them (RFC 9846 section 6): not even a pickle has them any more."""
    peer = moment()
    assert isinstance(peer, HostileClient | HostileServer)
    peer.listen()
    up_to_the_servers_finished = Transcript(peer.suite.hash_name, peer.transcript.messages[:-1])
    exporter = peer.master.exporter(up_to_the_servers_finished.digest())
    secrets = (peer.application.client, peer.application.server, exporter)
    alive = pickle.dumps(peer.victim.fork())
    assert [secret in alive for secret in secrets] == [True] * 3
    assert len(peer.victim.export_keying_material("EXPORTER-test", b"", 16)) == 16
    peer.send_alert(AlertDescription.INTERNAL_ERROR)
    assert peer.over
    ended = pickle.dumps(peer.victim.fork())
    assert [secret in ended for secret in secrets] == [False] * 3
    with pytest.raises(LocalProtocolError, match="in Ended; expected a connection that goes on"):
        peer.victim.export_keying_material("EXPORTER-test", b"", 16)
    assert peer.victim.cipher_suite == peer.suite.suite


# --- the end of the stream ---------------------------------------------------------------------------------------


@at(MOMENTS)
@pytest.mark.parametrize("left", [b"", b"\x17", b"\x17\x03\x03\0\x20half a record"])
@ends(Reason.TRUNCATED)
def test_truncation(moment: Moment, left: bytes) -> ConnectionTerminated:
    """A stream that ends without close_notify; there is nobody to tell."""
    peer = moment()
    if peer.sealer is None and left:
        left = b"\x16" + left[1:]
    if left:
        peer.deliver(left)
    assert not peer.over
    peer.listen()
    peer.deliver(b"")
    end = peer.events[-1]
    assert isinstance(end, ConnectionTerminated)
    assert end.alert is None
    assert peer.listen().alerts == []
    assert_over(peer.victim, peer.events)
    return end


@at(CONNECTED)
def test_after_close_notify_nothing_is_read(moment: Moment) -> None:
    """And our own data can still go out: the two directions end one by one."""
    peer = moment()
    peer.send_alert(AlertDescription.CLOSE_NOTIFY, AlertLevel.WARNING)
    assert peer.events[-1] == PeerClosed()
    late = peer.record(APPLICATION_DATA, b"late")
    for data in (late, peer.record(HANDSHAKE, KeyUpdate(1).encode()), b"garbage", b"", b"x"):
        assert peer.deliver(data) == []
        assert held_bytes(peer.victim) == 0
    peer.victim.send(SendData(b"our last word"))
    peer.victim.send(Close())
    assert peer.listen().data == b"our last word"
    assert peer.alerts == [Alert(AlertLevel.WARNING, AlertDescription.CLOSE_NOTIFY)]


@at(CONNECTED)
def test_data_that_came_with_close_notify(moment: Moment) -> None:
    peer = moment()
    data = peer.record(APPLICATION_DATA, b"last")
    close = peer.record(ALERT, Alert(AlertLevel.WARNING, AlertDescription.CLOSE_NOTIFY).encode())
    assert peer.deliver(data + close + b"garbage") == [DataReceived(b"last"), PeerClosed()]
    assert held_bytes(peer.victim) == 0


@at(CONNECTED)
def test_half_close(moment: Moment) -> None:
    """After our Close the peer's data still comes in, and nothing more goes out."""
    peer = moment()
    peer.victim.send(Close())
    peer.listen()
    assert peer.alerts == [Alert(AlertLevel.WARNING, AlertDescription.CLOSE_NOTIFY)]
    assert peer.send(APPLICATION_DATA, b"still here") == [DataReceived(b"still here")]
    assert peer.send(HANDSHAKE, KeyUpdate(1).encode()) == [KeysUpdated(by_peer=True)]
    peer.update_keys()
    assert peer.send(APPLICATION_DATA, b"with new keys") == [DataReceived(b"with new keys")]
    assert peer.victim.send(Close()) == []
    with pytest.raises(LocalProtocolError, match="after Close"):
        peer.victim.send(SendData(b"x"))
    assert peer.victim.data_to_send() == b""
    peer.send_alert(AlertDescription.CLOSE_NOTIFY, AlertLevel.WARNING)
    assert peer.events[-1] == PeerClosed()


@at(CONNECTED)
@pytest.mark.parametrize("sent", [b"GET / HTTP/1.1", b"\x17\x03\x03\0\x20" + bytes(32)])
def test_failure_after_our_close(moment: Moment, sent: bytes) -> None:
    """close_notify was our last word: there is no alert to be sent, and the event says so."""
    peer = moment()
    peer.victim.send(Close())
    peer.listen()
    peer.deliver(sent)
    end = peer.events[-1]
    assert isinstance(end, ConnectionTerminated)
    assert end.alert is None
    assert peer.listen().alerts == [Alert(AlertLevel.WARNING, AlertDescription.CLOSE_NOTIFY)]


@at(AT_THE_START | IN_THE_HANDSHAKE)
@ends(Reason.CANCELED)
def test_close_in_the_handshake(moment: Moment) -> ConnectionTerminated:
    peer = moment()
    peer.events += peer.victim.send(Close())
    end = peer.events[-1]
    assert isinstance(end, ConnectionTerminated)
    assert peer.listen().alerts == [
        Alert(AlertLevel.WARNING, AlertDescription.USER_CANCELED),
        Alert(AlertLevel.WARNING, AlertDescription.CLOSE_NOTIFY),
    ]
    assert_over(peer.victim, peer.events)
    return end
