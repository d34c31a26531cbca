"""An established TLS 1.2 connection: no renegotiation, alerts that are only warnings, and what it does not have."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sansticket.codes import (
    AlertDescription,
    AlertLevel,
    NamedGroup,
    ProtocolVersion,
    SignatureScheme,
)
from sansticket.commands import (
    Close,
    Command,
    FlushTickets,
    IssueTicket,
    RequestClientCertificate,
    SendData,
    UpdateKeys,
)
from sansticket.connection.limits import MAX_WARNINGS
from sansticket.crypto.suites import GCM_RECORD_LIMIT
from sansticket.errors import LocalProtocolError, Reason
from sansticket.events import ConnectionTerminated, DataReceived, PeerClosed
from sansticket.wire.extensions.tls12 import ExtendedMasterSecret
from sansticket.wire.messages.alert import Alert
from sansticket.wire.messages.hello import ClientHello, HelloRequest, ServerHello
from sansticket.wire.messages.tls12 import Certificate, CertificateRequest
from sansticket.wire.messages.tls13 import EndOfEarlyData, KeyUpdate
from tests.support.credentials import client_credential
from tests.support.hostile import ALERT, APPLICATION_DATA, HANDSHAKE, plain_record
from tests.support.hostile12 import (
    HostileClient12,
    HostilePeer12,
    HostileServer12,
    client12,
    lacking,
    server12,
)
from tests.support.hostile_server import HostileServer
from tests.support.pair import ConnectionPair
from tests.support.refusals import refused

TLS12 = ProtocolVersion.TLS_1_2
TLS13 = ProtocolVersion.TLS_1_3
NO_RENEGOTIATION = Alert(AlertLevel.WARNING, AlertDescription.NO_RENEGOTIATION)


def connected_client() -> HostilePeer12:
    return HostileServer12().complete().listen()


def connected_server() -> HostilePeer12:
    return HostileClient12().complete()


BOTH = pytest.mark.parametrize("connected", [connected_client, connected_server], ids=["client", "server"])
Connected = Callable[[], HostilePeer12]


def ask(peer: HostilePeer12) -> None:
    """For a renegotiation."""
    peer.send_message(HelloRequest() if peer.SERVER else peer.hello)


def pair() -> ConnectionPair:
    connected = ConnectionPair(client12(), server12())
    connected.pump()
    return connected


# --- renegotiation -----------------------------------------------------------------------------------------------


@BOTH
def test_a_renegotiation_is_refused_and_the_connection_goes_on(connected: Connected) -> None:
    """RFC 5246 section 7.2.2: whoever asked decides what to do then."""
    peer = connected()
    ask(peer)
    peer.listen()
    assert peer.alerts == [NO_RENEGOTIATION]
    peer.send(APPLICATION_DATA, b"so be it")
    assert peer.events[-1] == DataReceived(b"so be it")
    peer.victim.send(SendData(b"good"))
    assert peer.listen().data == b"good"


@BOTH
def test_who_asks_again_and_again_is_cut_off(connected: Connected) -> None:
    """By another alert: no_renegotiation is always a warning (RFC 5246 section 7.2.2)."""
    peer = connected()
    for _ in range(32):
        ask(peer)
    peer.listen()
    assert peer.alerts == [NO_RENEGOTIATION] * 32
    peer.send(APPLICATION_DATA, b"x")
    for _ in range(32):
        ask(peer)
    assert not peer.over
    ask(peer)
    end = peer.events[-1]
    assert isinstance(end, ConnectionTerminated)
    assert (end.reason, end.alert) == (Reason.RENEGOTIATION, AlertDescription.UNEXPECTED_MESSAGE)
    assert peer.listen().alerts[-1] == Alert(AlertLevel.FATAL, AlertDescription.UNEXPECTED_MESSAGE)


@BOTH
def test_a_renegotiation_after_our_close_is_not_answered(connected: Connected) -> None:
    """close_notify was our last word (RFC 5246 section 7.2.1)."""
    peer = connected()
    peer.victim.send(Close())
    ask(peer)
    peer.listen()
    assert not peer.over
    assert peer.alerts == [Alert(AlertLevel.WARNING, AlertDescription.CLOSE_NOTIFY)]
    peer.send(APPLICATION_DATA, b"still on its way")
    assert peer.events[-1] == DataReceived(b"still on its way")


@BOTH
@refused(Reason.UNEXPECTED_MESSAGE)
def test_data_amid_a_renegotiation(connected: Connected) -> HostilePeer12:
    peer = connected()
    peer.send(HANDSHAKE, b"\0" if peer.SERVER else b"\x01")
    peer.send(APPLICATION_DATA, b"x")
    return peer


@refused(Reason.MALFORMED_MESSAGE)
def test_a_renegotiation_that_is_not_even_a_hello() -> HostilePeer12:
    peer = connected_server()
    peer.send_message(peer.hello.encode()[:-1])
    peer.send_message(b"x")
    return peer


@BOTH
@pytest.mark.parametrize("message", [KeyUpdate(0), EndOfEarlyData(), Certificate(())])
@refused(Reason.UNEXPECTED_MESSAGE)
def test_other_handshake_messages(connected: Connected, message: KeyUpdate) -> HostilePeer12:
    peer = connected()
    peer.send_message(message)
    return peer


# --- alerts ------------------------------------------------------------------------------------------------------


def before_the_hello() -> HostilePeer12:
    return HostileServer12()


def client_in_the_handshake() -> HostilePeer12:
    return HostileServer12().say_hello()


def server_in_the_handshake() -> HostilePeer12:
    return HostileClient12().begin()


MOMENTS = [
    before_the_hello,
    client_in_the_handshake,
    server_in_the_handshake,
    connected_client,
    connected_server,
]
AT = pytest.mark.parametrize("moment", MOMENTS)


@AT
@pytest.mark.parametrize("description", [*AlertDescription, 41, 255])
def test_a_warning_is_only_that(moment: Connected, description: int) -> None:
    """All but close_notify (RFC 5246 section 7.2.2)."""
    peer = moment()
    peer.send_alert(description, AlertLevel.WARNING)
    if description != AlertDescription.CLOSE_NOTIFY:
        peer.assert_alive()
    elif moment in (connected_client, connected_server):
        assert peer.events[-1] == PeerClosed()
    else:
        end = peer.events[-1]
        assert isinstance(end, ConnectionTerminated)
        assert (end.reason, end.by_peer) == (Reason.PEER_ALERT, True)


@AT
@pytest.mark.parametrize("level", [AlertLevel.FATAL, 0, 3])
def test_a_fatal_alert_is_the_end(moment: Connected, level: int) -> None:
    assert_the_end(moment(), AlertDescription.HANDSHAKE_FAILURE, level)


@BOTH
@pytest.mark.parametrize("level", [AlertLevel.FATAL, 0, 3])
def test_a_fatal_user_canceled_is_the_end(connected: Connected, level: int) -> None:
    """RFC 5246 section 7.2: in TLS 1.2 the level counts."""
    assert_the_end(connected(), AlertDescription.USER_CANCELED, level)


def assert_the_end(peer: HostilePeer12, description: AlertDescription, level: int) -> None:
    peer.send_alert(description, level)
    end = peer.events[-1]
    assert isinstance(end, ConnectionTerminated)
    assert (end.reason, end.alert, end.by_peer) == (Reason.PEER_ALERT, description, True)
    peer.listen()
    assert peer.alerts == []


@AT
@refused(Reason.TOO_MANY_WARNINGS)
def test_warning_after_warning(moment: Connected) -> HostilePeer12:
    peer = moment()
    for _ in range(MAX_WARNINGS):
        peer.send_alert(AlertDescription.UNRECOGNIZED_NAME, AlertLevel.WARNING)
    peer.assert_alive()
    peer.send_alert(AlertDescription.NO_RENEGOTIATION, AlertLevel.WARNING)
    return peer


@BOTH
def test_data_between_warnings(connected: Connected) -> None:
    peer = connected()
    for _ in range(3 * MAX_WARNINGS):
        peer.send_alert(AlertDescription.UNRECOGNIZED_NAME, AlertLevel.WARNING)
        peer.send(APPLICATION_DATA, b"x")
    peer.assert_alive()


@pytest.mark.parametrize("versions", [(TLS13,), (TLS13, TLS12)], ids=["TLS 1.3", "either"])
@pytest.mark.parametrize("description", [*AlertDescription, 41, 255])
def test_a_warning_before_the_version_is_known(versions: tuple[int, ...], description: int) -> None:
    """In TLS 1.3 there are none but user_canceled (RFC 9846 section 6): until it is known to be TLS 1.2, a client
    puts up with the one that servers of TLS 1.2 are known to send there (RFC 6066 section 3)."""
    server = HostileServer12(client12(versions=versions))
    server.send_alert(description, AlertLevel.WARNING)
    tolerated = description == AlertDescription.UNRECOGNIZED_NAME and TLS12 in versions
    if tolerated or description == AlertDescription.USER_CANCELED:
        server.assert_alive()
        return
    end = server.events[-1]
    assert isinstance(end, ConnectionTerminated)
    assert (end.reason, end.alert, end.by_peer) == (Reason.PEER_ALERT, description, True)


def test_after_a_retry_it_is_tls_1_3() -> None:
    client = client12(versions=(TLS13, TLS12), groups=(NamedGroup.X25519, NamedGroup.SECP256R1))
    server = HostileServer(client).retry(NamedGroup.SECP256R1)
    server.send_alert(AlertDescription.UNRECOGNIZED_NAME, AlertLevel.WARNING)
    end = server.events[-1]
    assert isinstance(end, ConnectionTerminated)
    assert (end.reason, end.by_peer) == (Reason.PEER_ALERT, True)


@BOTH
def test_an_alert_in_clear(connected: Connected) -> None:
    peer = connected()
    peer.sealer = None
    peer.send_alert(AlertDescription.CLOSE_NOTIFY, AlertLevel.WARNING)
    peer.assert_refused(Reason.BAD_RECORD_MAC)


# --- records -----------------------------------------------------------------------------------------------------


@AT
@refused(Reason.EMPTY_RECORD)
def test_an_empty_handshake_fragment(moment: Connected) -> HostilePeer12:
    """RFC 5246 section 6.2.1."""
    peer = moment()
    peer.send(HANDSHAKE, b"")
    return peer


@AT
@refused(Reason.EMPTY_RECORD)
def test_an_empty_alert(moment: Connected) -> HostilePeer12:
    peer = moment()
    peer.send(ALERT, b"")
    return peer


@BOTH
def test_empty_data_is_nothing(connected: Connected) -> None:
    """They were a countermeasure in TLS 1.0; a few are taken, and cause no event."""
    peer = connected()
    before = len(peer.events)
    for _ in range(32):
        peer.send(APPLICATION_DATA, b"")
    assert len(peer.events) == before
    peer.send(APPLICATION_DATA, b"x")
    peer.assert_alive()


@BOTH
@refused(Reason.TOO_MANY_EMPTY_RECORDS)
def test_too_much_empty_data(connected: Connected) -> HostilePeer12:
    peer = connected()
    for _ in range(33):
        peer.send(APPLICATION_DATA, b"")
    return peer


@pytest.mark.parametrize("moment", [client_in_the_handshake, server_in_the_handshake])
@refused(Reason.UNEXPECTED_MESSAGE)
def test_data_in_the_handshake(moment: Connected) -> HostilePeer12:
    peer = moment()
    peer.send(APPLICATION_DATA, b"too early")
    return peer


@pytest.mark.parametrize("data", [b"too early", b""])
@refused(Reason.UNEXPECTED_MESSAGE)
def test_data_before_the_servers_finished(data: bytes) -> HostilePeer12:
    server = HostileServer12().serve().listen().change_cipher_spec()
    server.send(APPLICATION_DATA, data)
    return server


@pytest.mark.parametrize("data", [b"too early", b""])
@refused(Reason.UNEXPECTED_MESSAGE)
def test_data_before_the_clients_finished(data: bytes) -> HostilePeer12:
    client = HostileClient12().begin().answer_flight().change_cipher_spec()
    client.send(APPLICATION_DATA, data)
    return client


@BOTH
@pytest.mark.parametrize("place", [5, 13, -1])
@refused(Reason.BAD_RECORD_MAC)
def test_a_record_with_one_bit_changed(connected: Connected, place: int) -> HostilePeer12:
    """In the explicit nonce, the ciphertext and the tag."""
    peer = connected()
    record = bytearray(peer.record(APPLICATION_DATA, b"data"))
    record[place] ^= 1
    peer.deliver(bytes(record))
    return peer


@BOTH
@refused(Reason.BAD_RECORD_MAC)
def test_a_record_of_another_type(connected: Connected) -> HostilePeer12:
    """The type is authenticated, although it is not encrypted."""
    peer = connected()
    record = peer.record(APPLICATION_DATA, b"data")
    peer.deliver(bytes((HANDSHAKE,)) + record[1:])
    return peer


@BOTH
@refused(Reason.BAD_RECORD_MAC)
def test_the_same_record_again(connected: Connected) -> HostilePeer12:
    peer = connected()
    record = peer.record(APPLICATION_DATA, b"data")
    peer.deliver(record)
    peer.deliver(record)
    return peer


@BOTH
@refused(Reason.BAD_RECORD_MAC)
def test_records_in_another_order(connected: Connected) -> HostilePeer12:
    peer = connected()
    records = [peer.record(APPLICATION_DATA, b"one"), peer.record(APPLICATION_DATA, b"two")]
    peer.deliver(records[1])
    return peer


@BOTH
@pytest.mark.parametrize("content_type", [0, 19, 24, 25, 255])
@refused(Reason.UNKNOWN_CONTENT_TYPE)
def test_a_record_of_a_type_that_there_is_not(connected: Connected, content_type: int) -> HostilePeer12:
    """RFC 5246 section 6: unexpected_message.  24 is heartbeat, which nobody asked for."""
    peer = connected()
    peer.send(content_type, b"\x01\0\x01x")
    return peer


@AT
@pytest.mark.parametrize("content_type", [HANDSHAKE, ALERT])
@refused(Reason.RECORD_OVERFLOW)
def test_a_record_that_is_too_long_is_not_waited_for(moment: Connected, content_type: int) -> HostilePeer12:
    """RFC 5246 section 6.2.3."""
    peer = moment()
    peer.deliver(bytes((content_type,)) + b"\x03\x03" + (2**14 + 2049).to_bytes(2))
    return peer


@BOTH
@refused(Reason.RECORD_OVERFLOW)
def test_more_than_a_record_may_hold(connected: Connected) -> HostilePeer12:
    peer = connected()
    peer.send(APPLICATION_DATA, bytes(2**14 + 1))
    return peer


@BOTH
@pytest.mark.parametrize("size", [0, 7, 8, 23])
@refused(Reason.BAD_RECORD_MAC)
def test_less_than_nonce_and_tag(connected: Connected, size: int) -> HostilePeer12:
    peer = connected()
    peer.deliver(plain_record(APPLICATION_DATA, bytes(size)))
    return peer


# --- certificates ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("types", "scheme", "authorities"),
    [
        (b"\x01", SignatureScheme.ECDSA_SECP256R1_SHA256, ()),
        (b"\x40", SignatureScheme.RSA_PSS_RSAE_SHA256, ()),
        (b"\x40", SignatureScheme.ED25519, ()),
        (b"\x02\x03", SignatureScheme.ECDSA_SECP256R1_SHA256, ()),
        (b"\x40", SignatureScheme.ECDSA_SECP256R1_SHA256, (b"0\0",)),
    ],
    ids=["type", "algorithm", "curve", "fixed types", "authority"],
)
def test_a_client_shows_no_certificate_that_is_not_wanted(
    types: bytes, scheme: int, authorities: tuple[bytes, ...]
) -> None:
    request = CertificateRequest(types, (scheme,), authorities)
    server = HostileServer12(client12(credentials=[client_credential()]), request=request).complete()
    server.assert_alive()
    assert Certificate(()) in server.heard


# --- what there is not -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command", [UpdateKeys(), IssueTicket(), FlushTickets(), RequestClientCertificate()], ids=repr
)
@pytest.mark.parametrize("side", ["client", "server"])
def test_commands_of_tls13(side: str, command: Command) -> None:
    connected = pair()
    victim = connected.client if side == "client" else connected.server
    with pytest.raises(LocalProtocolError, match=r"Connected; expected .*SendData"):
        victim.send(command)
    connected.send("client", SendData(b"still there"))
    assert connected.data("server") == b"still there"


def test_a_key_that_is_used_up_is_not_replaced() -> None:
    connected = pair()
    sealer, opener = connected.client._engine.outbound.writer.sealer, connected.server._engine.reader._opener
    assert sealer is not None
    assert opener is not None
    sealer.sequence = opener.sequence = GCM_RECORD_LIMIT - 21
    connected.client.send(SendData(b"x"))
    with pytest.raises(LocalProtocolError, match="the key is good for 20 more records"):
        connected.client.send(SendData(bytes(5 * 2**14)))
    connected.send("client", Close())
    assert connected.server_events[-1] == PeerClosed()


@BOTH
@refused(Reason.SEQUENCE_EXHAUSTED)
def test_the_peer_has_used_up_its_key(connected: Connected) -> HostilePeer12:
    """Sequence numbers must not wrap (RFC 5246 section 6.1)."""
    peer = connected()
    assert peer.victim._engine.reader._opener is not None
    peer.victim._engine.reader._opener.sequence = 2**64
    peer.send(APPLICATION_DATA, b"one too many")
    return peer


@BOTH
def test_our_key_is_used_up_by_answers(connected: Connected) -> None:
    """Then there is nothing left with which the alert could be sent."""
    peer = connected()
    assert peer.victim._engine.outbound.writer.sealer is not None
    peer.victim._engine.outbound.writer.sealer.sequence = 2**64
    ask(peer)
    end = peer.events[-1]
    assert isinstance(end, ConnectionTerminated)
    assert (end.reason, end.alert, end.by_peer) == (Reason.SEQUENCE_EXHAUSTED, None, False)
    assert peer.victim.data_to_send() == b""


# --- keying material ---------------------------------------------------------------------------------------------


def test_exporters() -> None:
    connected = pair()
    client, server = connected.client, connected.server
    for context in (None, b"", b"context"):
        material = client.export_keying_material("EXPORTER-test", context, 40)
        assert material == server.export_keying_material("EXPORTER-test", context, 40)
        assert len(material) == 40
    assert client.export_keying_material("EXPORTER-test", None, 9) != client.export_keying_material(
        "EXPORTER-test", b"", 9
    )
    assert client.tls_exporter() == server.tls_exporter()
    assert client.tls_exporter() == client.export_keying_material("EXPORTER-Channel-Binding", b"", 32)
    with pytest.raises(LocalProtocolError, match="cannot be an exporter label"):
        client.export_keying_material("master secret", None, 48)


def test_no_exporter_without_extended_master_secret() -> None:
    """RFC 7627 section 5.4: what another connection may have too is keying material for nothing."""
    server = HostileServer12(edits={ServerHello: lacking_extended_master_secret}).complete()
    client = HostileClient12(edits={ClientHello: lacking(ExtendedMasterSecret)}).complete()
    for victim in (server.victim, client.victim):
        assert victim.version == ProtocolVersion.TLS_1_2
        with pytest.raises(LocalProtocolError, match="without extended master secret"):
            victim.export_keying_material("EXPORTER-test", None, 16)
        with pytest.raises(LocalProtocolError, match="without extended master secret"):
            victim.tls_exporter()


def lacking_extended_master_secret(hello: ServerHello) -> ServerHello:
    changed: ServerHello = lacking(ExtendedMasterSecret)(hello)
    return changed


def test_key_log() -> None:
    lines: list[str] = []
    connected = ConnectionPair(client12(key_log=lines.append), server12(key_log=lines.append))
    connected.pump()
    ours, theirs = lines
    assert ours == theirs
    label, random, secret = ours.split()
    assert (label, len(random), len(secret)) == ("CLIENT_RANDOM", 64, 96)
