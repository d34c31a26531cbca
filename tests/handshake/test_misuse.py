"""What the caller gets wrong is refused with a clear word, and nothing is lost: constructors, commands, bytes."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from typing import Any

import pytest

from sansticket import (
    ClientConnection,
    ConfigError,
    Credential,
    LocalProtocolError,
    ServerConnection,
    TrustAnchors,
)
from sansticket.commands import IssueTicket, SendData, TicketNotOpened, TicketOpened
from tests.support.configs import client_config, server_config
from tests.support.credentials import server_credential
from tests.support.pair import ConnectionPair, Side

CHAIN = server_credential().chain
KEY = server_credential().private_key

CONSTRUCTORS: list[tuple[Callable[[], object], str]] = [
    (lambda: ClientConnection(None, "host"), r"config: None; expected a ClientConfig"),
    (lambda: ClientConnection(server_config(), "host"), r"config: .*; expected a ClientConfig"),
    (lambda: ClientConnection(client_config(), 443), r"server_name: 443; expected a string, or None"),
    (lambda: ClientConnection(client_config(), b"host"), r"server_name: b'host'; expected a string"),
    (lambda: ClientConnection(client_config(), ""), r"server_name: ''; expected 1 to 253 ASCII characters"),
    (lambda: ClientConnection(client_config(), "a" * 64), r"server_name: .*; expected a host name or an IP"),
    (lambda: ClientConnection(client_config(), "a b"), r"server_name: 'a b'; expected a host name"),
    (lambda: ClientConnection(client_config(), "a..b"), r"server_name: 'a\.\.b'; expected a host name"),
    (lambda: ClientConnection(client_config(), "a\0.example"), r"server_name: .*; expected a host name"),
    (lambda: ClientConnection(client_config(), "host:443"), r"server_name: 'host:443'; expected a host name"),
    (lambda: ClientConnection(client_config(), "h\xf6st"), r"server_name: .* ASCII characters \(IDNA"),
    (lambda: ClientConnection(client_config(), None), r"server_name: None, but certificates are verified"),
    (
        lambda: ClientConnection(client_config(), "host", b"ticket"),
        r"session: a value of type bytes; expected a sequence",
    ),
    (
        lambda: ClientConnection(client_config(), "host", [None]),
        r"session: a value of type None.*; expected a Session",
    ),
    (lambda: ClientConnection(client_config(), "host", port="443"), r"port: '443'; expected an integer"),
    (lambda: ServerConnection(None), r"config: None; expected a ServerConfig"),
    (lambda: ServerConnection(client_config()), r"config: .*; expected a ServerConfig"),
    (lambda: Credential("chain.pem", KEY), r"credentials: .*; expected a sequence of certificates in DER"),
    (
        lambda: Credential(5, KEY),
        r"credentials: a value of type int; expected a sequence of certificates in DER",
    ),
    (lambda: Credential((), KEY), r"credentials: a chain needs at least one certificate"),
    (lambda: Credential(CHAIN, b"key"), r"credentials: a private_key of type bytes; expected one of crypto"),
    (lambda: Credential(CHAIN, KEY, "ed25519"), r"credentials: signature schemes ed25519 do not all fit"),
    (lambda: Credential(CHAIN, KEY, 0x0403), r"credentials: signature schemes 1027 do not all fit"),
    (
        lambda: Credential.from_pem("chain", "key"),
        r"credentials: a value of type str; expected bytes, the content of a PEM file",
    ),
    (lambda: TrustAnchors("ca.pem"), r"trust_anchors: .*; expected a sequence of certificates in DER"),
    (
        lambda: TrustAnchors(5),
        r"trust_anchors: a value of type int; expected a sequence of certificates in DER",
    ),
    (lambda: TrustAnchors(b"PEM"), r"trust_anchors: a value of type bytes; expected .*; from_pem takes PEM"),
    (
        lambda: TrustAnchors([5]),
        r"trust_anchors: one of type int; expected a sequence of certificates in DER",
    ),
    (
        lambda: TrustAnchors.from_der(5),
        r"trust_anchors: a value of type int; expected a sequence of certificates in DER",
    ),
    (
        lambda: TrustAnchors.from_pem("ca.pem"),
        r"trust_anchors: a value of type str; expected bytes, the content of a PEM file",
    ),
]


@pytest.mark.parametrize(("make", "complaint"), CONSTRUCTORS)
def test_constructors(make: Callable[[], object], complaint: str) -> None:
    with pytest.raises(ConfigError, match=f"^{complaint}"):
        make()


@pytest.mark.parametrize(
    "name", ["127.0.0.1", "::1", "Server_1.Example.", "xn--bcher-kva.example", "localhost"]
)
def test_names_that_are_taken(name: str) -> None:
    assert ClientConnection(client_config(), name).data_to_send()


SIDES = pytest.mark.parametrize("side", ["client", "server"])


def connected(side: Side) -> tuple[ConnectionPair, Any]:
    pair = ConnectionPair(client_config(), server_config(num_tickets=0))
    pair.pump()
    return pair, pair.client if side == "client" else pair.server


def still_talks(pair: ConnectionPair) -> None:
    for sender, receiver in (("client", "server"), ("server", "client")):
        pair.send(sender, SendData(b"still here"))
        assert pair.data(receiver) == b"still here"


@SIDES
@pytest.mark.parametrize("command", [5, None, SendData, b"data", "data"], ids=repr)
def test_what_is_no_command(side: Side, command: object) -> None:
    pair, connection = connected(side)
    with pytest.raises(
        LocalProtocolError, match=rf"^{type(command).__name__} in .*; expected .*SendData"
    ) as caught:
        connection.send(command)
    assert "KeyUpdate" not in str(caught.value)  # a message of the peer, which nobody can send
    still_talks(pair)


@SIDES
def test_a_command_that_comes_too_early(side: Side) -> None:
    """What has to come first is an event; the messages of the peer are none of the application's affair."""
    pair = ConnectionPair(client_config(), server_config(num_tickets=0))
    connection = pair.client if side == "client" else pair.server
    state = {"client": "WaitServerHello", "server": "WaitClientHello"}[side]
    expected = "no command but Close or Abort before HandshakeCompleted"
    with pytest.raises(LocalProtocolError, match=f"^SendData in {state}; expected {expected}$"):
        connection.send(SendData(b"data"))
    pair.pump()
    still_talks(pair)


@pytest.mark.parametrize("data", ["text", 5, None, [1, 2], array("I", [1])], ids=repr)
def test_data_that_is_not_bytes(data: object) -> None:
    with pytest.raises(TypeError, match=r"^SendData with .*; expected bytes, bytearray or memoryview"):
        SendData(data)


@pytest.mark.parametrize("make", [lambda: TicketOpened(b"", "name"), lambda: TicketNotOpened("name")])
def test_key_names_that_are_not_bytes(make: Callable[[], object]) -> None:
    with pytest.raises(TypeError, match="key_name"):
        make()


@SIDES
@pytest.mark.parametrize("data", ["text", "", 5, None, [], [22, 3, 3]], ids=repr)
def test_bytes_that_are_none(side: Side, data: object) -> None:
    """The end of the stream above all: only empty bytes are that."""
    pair, connection = connected(side)
    with pytest.raises(TypeError, match=r"^receive_data with .*; expected bytes, bytearray or memoryview"):
        connection.receive_data(data)
    still_talks(pair)


@SIDES
@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, lambda data: memoryview(data)[::1]])
def test_bytes_of_any_kind(side: Side, kind: Callable[[bytes], Any]) -> None:
    """In and out; what is handed in may change afterwards."""
    pair, connection = connected(side)
    peer = pair.server if side == "client" else pair.client
    connection.send(SendData(kind(b"out")))
    pair.pump()
    assert pair.data("server" if side == "client" else "client") == b"out"
    peer.send(SendData(b"in" * 3000))
    wire = peer.data_to_send()
    events = [event for piece in (wire[:7], wire[7:]) for event in connection.receive_data(kind(piece))]
    assert [event.data for event in events] == [b"in" * 3000]


def test_a_buffer_of_wider_items() -> None:
    pair, connection = connected("server")
    pair.client.send(SendData(b"in fours, "))
    wire = pair.client.data_to_send()
    assert len(wire) % 4 == 0
    wide = memoryview(array("I", wire))
    assert wide.itemsize == 4
    events = connection.receive_data(wide)
    assert [event.data for event in events] == [b"in fours, "]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((b"EXPORTER-x", b"", 16), r"exporter label b'EXPORTER-x'; expected ASCII text"),
        (("EXPORTER-\xfc", b"", 16), r"exporter label .*; expected ASCII text"),
        (("EXPORTER-x", "context", 16), r"exporter context 'context', length 16; expected bytes, a number"),
        (("EXPORTER-x", b"", "16"), r"exporter context b'', length '16'; expected bytes, a number"),
        (("EXPORTER-x", b"", True), r"exporter context b'', length True; expected bytes, a number"),
        (("EXPORTER-x", b"", 0), r"an exporter gives 1 to \d+ bytes, not 0"),
        (("", b"", 16), r"an exporter label has 1 to 249 bytes, not 0"),
        (("E" * 250, b"", 16), r"an exporter label has 1 to 249 bytes, not 250"),
    ],
)
@SIDES
def test_exporter(side: Side, arguments: tuple[Any, ...], complaint: str) -> None:
    pair, connection = connected(side)
    with pytest.raises(LocalProtocolError, match=f"^{complaint}"):
        connection.export_keying_material(*arguments)
    still_talks(pair)


@pytest.mark.parametrize("number", ["2", None, 1.5, -1, 65_536, True])
def test_num_tickets(number: object) -> None:
    server = ServerConnection(server_config())
    with pytest.raises(LocalProtocolError, match="expected an integer from 0 to 65535"):
        server.num_tickets = number
    assert server.num_tickets == 2


def test_a_command_that_cannot_be_keeps_what_is_queued() -> None:
    pair, server = connected("server")
    server.send(IssueTicket())
    with pytest.raises(TypeError):
        server.send(SendData("text"))
    pair.send("server", SendData(b"data"))
    assert len(pair.server_events) >= 1
    assert server.unsent_tickets == 0
    still = [type(event).__name__ for event in pair.client_events]
    assert still[-2:] == ["TicketReceived", "DataReceived"]
