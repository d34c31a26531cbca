"""The ladder fits its width, and says who said what."""

from __future__ import annotations

import pytest

from sansticket import (
    AlertDescription,
    CertificateWithheld,
    ClientConnection,
    Close,
    ConnectionTerminated,
    DataReceived,
    KeysUpdated,
    NamedGroup,
    PeerAuthenticated,
    PeerClosed,
    ProtocolVersion,
    Reason,
    SendData,
    ServerConnection,
    TicketWithheld,
    UpdateKeys,
)
from sansticket.codes import CipherSuite
from sansticket.debug import words
from sansticket.debug.key_log import KeyLog
from sansticket.debug.ladder import draw
from sansticket.debug.trace import Carried, Happened, TracedPair
from sansticket.wire.extensions.certificate import CertificateStatusResponse
from sansticket.wire.extensions.key_exchange import KeyShareAnswer, KeyShareEntry
from sansticket.wire.extensions.negotiation import SelectedVersion
from sansticket.wire.extensions.resumption import PreSharedKeySelection
from sansticket.wire.messages import tls13
from sansticket.wire.messages.alert import Alert
from sansticket.wire.messages.hello import ServerHello
from sansticket.wire.messages.tls12 import (
    Certificate,
    CertificateStatus,
    ServerKeyExchange,
)
from sansticket.wire.messages.tls12 import (
    NewSessionTicket as NewSessionTicket12,
)
from sansticket.wire.messages.tls13 import CertificateEntry, Finished, KeyUpdate, NewSessionTicket
from tests.support.configs import client_config, server_config
from tests.support.newer import SHARES


@pytest.fixture(scope="module")
def talk() -> tuple[TracedPair, KeyLog]:
    log = KeyLog()
    pair = TracedPair(
        ClientConnection(client_config(key_log=log.add, padding=lambda length: 3), "server.example"),
        ServerConnection(server_config(groups=(NamedGroup.SECP521R1,))),
    )
    pair.run()
    pair.send("client", SendData(b"\xff" * 3000))
    pair.send("server", UpdateKeys(request_peer=True))
    pair.send("client", Close())
    return pair, log


@pytest.mark.parametrize("width", [60, 80, 93, 100, 200])
def test_every_line_has_its_width_and_two_rails(talk: tuple[TracedPair, KeyLog], width: int) -> None:
    head, *lines = draw(talk[0].steps, talk[1], width)
    assert head.startswith("client ")
    assert head.endswith(" server")
    assert len(head) == width
    for line in lines:
        assert len(line) == width
        assert line.isascii()
        assert line.startswith(" | ")
        assert line.endswith(" |")


def test_it_is_never_narrower_than_can_be_read(talk: tuple[TracedPair, KeyLog]) -> None:
    assert list(draw(talk[0].steps, talk[1], 10)) == list(draw(talk[0].steps, talk[1], 60))


def test_messages_and_events_in_their_order(talk: tuple[TracedPair, KeyLog]) -> None:
    lines = [line.strip(" |") for line in draw(talk[0].steps, talk[1], 200)]
    told = [line for line in lines if line.startswith(("client", "* ", "<-- ")) or line.endswith("-->")]
    beginnings = [
        "client",
        f"ClientHello: to server.example, shares of {SHARES} ---",
        "<-- 88 B ---",
        "<-- 1 B ---",
        "ChangeCipherSpec ---",
        "ClientHello: to server.example, shares of SECP521R1 ---",
        "<-- 223 B ---",
        "<-- ",
        "<-- ",
        "<-- ",
        "<-- 36 B ---",
        "* HandshakeCompleted: full, TLS 1.3, AES_128_GCM_SHA256, SECP521R1",
        "{Finished}: 3 bytes of padding ---",
        "* HandshakeCompleted: full, TLS 1.3, AES_128_GCM_SHA256, SECP521R1",
        "* TicketIssued: ticket 0 of this connection, 7200 s",
        "* TicketIssued: ticket 1 of this connection, 7200 s",
        "<-- ",
        "<-- ",
        "* TicketReceived: ",
        "* TicketReceived: ",
        "[Data]: 3000 bytes, '\\xff\\xff",
        "* DataReceived: 3000 bytes, '\\xff\\xff",
        "* KeysUpdated: ours",
        "<-- 5 B ---",
        "* KeysUpdated: the peer's",
        "* KeysUpdated: ours",
        "[KeyUpdate]: 3 bytes of padding ---",
        "* KeysUpdated: the peer's",
        "[Alert]: close_notify, 3 bytes of padding ---",
        "* PeerClosed",
    ]
    assert len(told) == len(beginnings)
    for line, beginning in zip(told, beginnings, strict=True):
        assert line.startswith(beginning), (line, beginning)
    assert told[6].endswith("ServerHello: AES_128_GCM_SHA256, SECP521R1")
    assert told[23].endswith("[KeyUpdate]: you too please")


def test_the_sums_are_those_of_the_wire(talk: tuple[TracedPair, KeyLog]) -> None:
    lines = [line.strip(" |") for line in draw(talk[0].steps, talk[1])]
    sums = [int(line.split()[1]) for line in lines if line.startswith("= ")]
    assert sums == [len(step.data) for step in talk[0].steps if isinstance(step, Carried)]
    assert sum(sums) == talk[0].carried("client") + talk[0].carried("server")


def test_without_secrets_it_says_so(talk: tuple[TracedPair, KeyLog]) -> None:
    text = " ".join(line.strip(" |") for line in draw(talk[0].steps, KeyLog(), 200))
    assert "(unread): no SERVER_HANDSHAKE_TRAFFIC_SECRET of this connection" in text


def test_what_the_stream_ends_amid_is_drawn_too() -> None:
    lines = list(
        draw([Carried("client", b"\x16\x03\x01\x01\x00half"), Happened("server", PeerClosed())], KeyLog())
    )
    assert any("* PeerClosed" in line for line in lines)
    assert "(unread): the stream ends amid a record" in lines[-1]


# --- words -----------------------------------------------------------------------------------------------------


def test_words_for_messages() -> None:
    share = KeyShareAnswer(KeyShareEntry(NamedGroup.X25519, bytes(32)))
    hello = ServerHello(
        bytes(32),
        b"",
        CipherSuite.AES_256_GCM_SHA384,
        (SelectedVersion(ProtocolVersion.TLS_1_3), share, PreSharedKeySelection(1)),
    )
    assert words.message(hello) == "AES_256_GCM_SHA384, X25519, ticket 1 accepted"
    assert words.message(NewSessionTicket(7200, 0, b"", b"t")) == "1 byte for 7200 s"
    assert words.message(NewSessionTicket12(300, b"ticket")) == "6 bytes for 300 s"
    assert words.message(Certificate((b"a", b"b"))) == "2 certificates"
    assert words.message(CertificateStatus(b"ab")) == "an OCSP response of 2 bytes"
    entries = CertificateEntry(b"a", (CertificateStatusResponse(b"ab"),)), CertificateEntry(b"b")
    assert words.message(tls13.Certificate(b"", entries)) == "2 certificates, an OCSP response of 2 bytes"
    assert words.message(tls13.Certificate(b"", ())) == "0 certificates"
    assert words.message(KeyUpdate(0)) == ""
    assert words.message(Finished(bytes(32))) == ""
    exchange = ServerKeyExchange(NamedGroup.SECP256R1, b"", 0x0403, b"")
    assert words.message(exchange) == "SECP256R1, ECDSA_SECP256R1_SHA256"


def test_words_for_events() -> None:
    assert words.event(DataReceived(b"short")) == "5 bytes, 'short'"
    assert words.event(DataReceived(b"x" * 25)) == f"25 bytes, '{'x' * 24}'..."
    assert words.event(KeysUpdated(by_peer=True)) == "the peer's"
    assert words.event(CertificateWithheld("because")) == "because"
    assert words.event(TicketWithheld("because")) == "because"
    assert words.event(PeerAuthenticated((b"",))) == "1 certificate"
    assert words.event(PeerClosed()) == ""
    ended = ConnectionTerminated(Reason.BAD_FINISHED, AlertDescription.DECRYPT_ERROR)
    assert words.event(ended) == "Finished does not verify"


def test_words_for_numbers_that_nobody_knows() -> None:
    assert words.group(0x0A0A) == "0x0a0a"
    assert words.suite(CipherSuite.AES_128_GCM_SHA256) == "AES_128_GCM_SHA256"
    assert words.alert(Alert(2, 40)) == "handshake_failure"
    assert words.alert(Alert(2, 200)) == "number 200"
    assert words.version(0x0303) == "TLS 1.2"
    assert words.version(0x0305) == "0x0305"
