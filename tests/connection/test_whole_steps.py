"""What is sent is sent as a whole, in its order, and within what a key may protect."""

from __future__ import annotations

import pickle
from array import array
from collections.abc import Callable
from typing import Any

import pytest

from fuzz.world import records
from sansticket import (
    ASK,
    Abort,
    AbortHandshake,
    AcceptPeer,
    ClientAuthentication,
    ClientConnection,
    Close,
    ConnectionTerminated,
    DataReceived,
    FlushTickets,
    HandshakeCompleted,
    IssueTicket,
    KeysUpdated,
    LocalProtocolError,
    PeerClosed,
    PrepareTicket,
    ProtocolVersion,
    Reason,
    RequestClientCertificate,
    SealTicket,
    SendData,
    SendEarlyData,
    ServerConnection,
    TicketFlush,
    TicketReceived,
    UpdateKeys,
    VerifyPeer,
)
from sansticket.codes import AlertDescription, ContentType, HandshakeType
from sansticket.connection.inbound import CHANGED_CIPHER_SPEC
from sansticket.connection.limits import MAX_MESSAGES_WITHOUT_DATA
from sansticket.record.protection import RECORDS_IN_RESERVE
from sansticket.wire.messages.tls13 import KeyUpdate
from tests.support.configs import client_config, server_config
from tests.support.credentials import anchors, client_credential
from tests.support.early_data import World, early_data_of
from tests.support.pair import ConnectionPair, Side
from tests.support.state_samples import as_the_peer

TLS12 = {"versions": [ProtocolVersion.TLS_1_2]}


def connected(client: dict[str, Any] | None = None, **server: Any) -> ConnectionPair:
    pair = ConnectionPair(client_config(**(client or {})), server_config(**server))
    pair.pump()
    return pair


def kinds(events: list[Any]) -> list[type]:
    return [type(event) for event in events]


# --- Close -------------------------------------------------------------------------------------------------------


def test_queued_tickets_leave_before_close_notify() -> None:
    pair = connected(num_tickets=0)
    pair.server.send(IssueTicket(3))
    pair.server.send(Close())
    events = pair.client.receive_data(pair.server.data_to_send())
    assert kinds(events) == [TicketReceived] * 3 + [PeerClosed]


def test_tickets_that_wait_for_the_first_write_leave_before_close_notify() -> None:
    pair = connected(ticket_flush=TicketFlush.WRITE)
    assert pair.events("client", TicketReceived) == []
    pair.send("server", Close())
    assert len(pair.events("client", TicketReceived)) == 2
    assert kinds(pair.client_events)[-1] is PeerClosed


def test_close_at_once_leaves_them_behind() -> None:
    pair = connected(num_tickets=0)
    pair.server.send(IssueTicket(3))
    assert pair.server.send(Close(at_once=True)) == []
    assert kinds(pair.client.receive_data(pair.server.data_to_send())) == [PeerClosed]


def asking() -> ConnectionPair:
    return connected(num_tickets=0, answers={PrepareTicket: ASK})


def test_close_waits_for_the_answers_about_tickets() -> None:
    pair = asking()
    pair.server.send(IssueTicket(2))
    (first,) = pair.server.send(Close())
    assert isinstance(first, PrepareTicket)
    assert pair.server.data_to_send() == b""
    assert pair.server.send(Close()) == [], "said once more"
    with pytest.raises(LocalProtocolError, match=r"SendData in tls13\.AskPrepareTicket"):
        pair.server.send(SendData(b"more"))
    second = pair.server.send(SealTicket())[-1]
    assert isinstance(second, PrepareTicket)
    assert PrepareTicket not in kinds(pair.server.send(SealTicket()))
    events = pair.client.receive_data(pair.server.data_to_send())
    assert kinds(events) == [TicketReceived, TicketReceived, PeerClosed]
    with pytest.raises(LocalProtocolError, match="SendData after Close"):
        pair.server.send(SendData(b"more"))


def test_data_behind_tickets_leave_before_close_notify() -> None:
    pair = asking()
    pair.server.send(IssueTicket())
    pair.server.send(SendData(b"data"))
    pair.server.send(Close())
    pair.server.send(SealTicket())
    events = pair.client.receive_data(pair.server.data_to_send())
    assert kinds(events) == [TicketReceived, DataReceived, PeerClosed]


def test_close_at_once_amid_a_question_about_a_ticket() -> None:
    pair = asking()
    pair.server.send(IssueTicket())
    pair.server.send(Close())
    (end,) = pair.server.send(Close(at_once=True))
    assert isinstance(end, ConnectionTerminated)
    assert end.reason is Reason.CANCELED
    assert pair.server.state == "Ended"


def test_a_waiting_close_ends_with_its_connection() -> None:
    pair = asking()
    pair.server.send(IssueTicket())
    pair.server.send(Close())
    (end,) = pair.server.send(AbortHandshake())
    assert isinstance(end, ConnectionTerminated)
    assert end.reason is Reason.ABORTED_BY_APPLICATION
    assert pair.server.send(Close()) == []


def test_a_waiting_close_goes_into_forks() -> None:
    pair = asking()
    pair.server.send(IssueTicket())
    pair.server.send(Close())
    twin = pair.server.fork()
    twin.send(SealTicket())
    assert kinds(pair.client.fork().receive_data(twin.data_to_send())) == [TicketReceived, PeerClosed]
    assert pair.server.data_to_send() == b""


@pytest.mark.parametrize("at_once", [None, 1, "yes"])
def test_at_once_is_a_bool(at_once: Any) -> None:
    with pytest.raises(TypeError, match="at_once"):
        Close(at_once=at_once)


# --- tickets -----------------------------------------------------------------------------------------------------


def test_waiting_tickets_are_bounded() -> None:
    with pytest.raises(ValueError, match="count"):
        IssueTicket(10**9)
    pair = connected(num_tickets=0)
    pair.server.send(IssueTicket(65_535))
    with pytest.raises(LocalProtocolError, match="makes 65536 tickets that wait; expected at most 65535"):
        pair.server.send(IssueTicket())
    assert pair.server._engine.state.queued == 65_535  # type: ignore[attr-defined]


# --- KeyUpdate ---------------------------------------------------------------------------------------------------


def test_answers_to_our_own_requests_are_not_counted() -> None:
    pair = connected()
    for _ in range(3 * MAX_MESSAGES_WITHOUT_DATA[HandshakeType.KEY_UPDATE]):
        pair.send("server", UpdateKeys(request_peer=True))
        pair.send("server", SendData(b"x"))
    assert pair.events("server", ConnectionTerminated) == []
    assert pair.server.state == "tls13.ServerConnected"


def test_updates_that_nobody_asked_for_are_counted_still() -> None:
    pair = connected()
    limit = MAX_MESSAGES_WITHOUT_DATA[HandshakeType.KEY_UPDATE]
    for number in range(limit):
        pair.send("server", UpdateKeys(request_peer=True))
        pair.send("client", UpdateKeys())
        assert pair.events("server", ConnectionTerminated) == [], number
    pair.send("client", UpdateKeys())
    assert pair.event("server", ConnectionTerminated).reason is Reason.TOO_MANY_KEY_UPDATES


@pytest.mark.parametrize("side", ["client", "server"])
def test_one_answer_is_enough_while_it_waits(side: Side) -> None:
    pair = connected()
    asks, answers = (pair.server, pair.client) if side == "client" else (pair.client, pair.server)
    for _ in range(200):
        asks._engine.state = (
            asks._engine.state.__class__(  # forgets that it asked: a peer may ask without end
                **{name: getattr(asks._engine.state, name) for name in _fields(asks._engine.state)}
                | {"asked_for_update": False}
            )
        )
        asks.send(UpdateKeys(request_peer=True))
        asks.send(SendData(b"x"))
        events = answers.receive_data(asks.data_to_send())
        assert KeysUpdated(by_peer=True) in events
    answer = answers.data_to_send()
    assert len(answer) < 100
    assert asks.receive_data(answer) == [KeysUpdated(by_peer=True)]
    asks.send(UpdateKeys(request_peer=True))
    answers.receive_data(asks.data_to_send())
    assert asks.receive_data(answers.data_to_send()) == [KeysUpdated(by_peer=True)]


def _fields(state: Any) -> list[str]:
    return [attribute.name for attribute in type(state).__attrs_attrs__]


# --- an empty record between two parts of a message --------------------------------------------------------------


@pytest.mark.parametrize("behind", [0, 1, 3], ids=lambda number: f"{number} more")
@pytest.mark.parametrize("part", [1, 3, 4, 20])
def test_empty_data_amid_a_message(part: int, behind: int) -> None:
    """RFC 9846 section 5.1: no other record comes between."""
    pair = connected()
    client = pair.client
    message = bytes((HandshakeType.NEW_SESSION_TICKET,)) + (60).to_bytes(3) + bytes(60)
    stream = as_the_peer(client, ContentType.HANDSHAKE, message[:part])
    assert client._engine.reader._opener is not None
    number = client._engine.reader._opener.sequence
    for _ in range(behind + 1):
        client._engine.reader._opener.sequence += 1
        stream += as_the_peer(client, ContentType.APPLICATION_DATA, b"")
    client._engine.reader._opener.sequence = number
    (end,) = client.receive_data(stream)
    assert isinstance(end, ConnectionTerminated)
    assert (end.reason, end.alert) == (Reason.UNEXPECTED_MESSAGE, AlertDescription.UNEXPECTED_MESSAGE)


# --- what a key may protect --------------------------------------------------------------------------------------


def use_up(pair: ConnectionPair, side: Side, records: int) -> None:
    """The keys that ``side`` writes with are good for so many records more, apart from those in reserve."""
    writes, reads = (pair.client, pair.server) if side == "client" else (pair.server, pair.client)
    sealer, opener = writes._engine.outbound.writer.sealer, reads._engine.reader._opener
    assert sealer is not None
    assert opener is not None
    sealer.sequence = opener.sequence = sealer.sequence + sealer.records_left - RECORDS_IN_RESERVE - records


def in_reserve(pair: ConnectionPair, side: Side) -> bool:
    writer = (pair.client if side == "client" else pair.server)._engine.outbound.writer
    assert writer.records_left is not None
    return writer.records_left < RECORDS_IN_RESERVE


@pytest.mark.parametrize("command", [FlushTickets(), SendData(b""), SendData(b"x"), Close()], ids=repr)
def test_keys_are_replaced_before_many_tickets(command: Any) -> None:
    pair = connected(num_tickets=0, answers={PrepareTicket: lambda question: SealTicket(bytes(50_000))})
    pair.server.send(IssueTicket(10))
    use_up(pair, "server", 5)
    assert not in_reserve(pair, "server")
    assert KeysUpdated(by_peer=False) in pair.send("server", command)
    assert len(pair.events("client", TicketReceived)) == 10
    if not isinstance(command, Close):
        assert not in_reserve(pair, "server")


@pytest.mark.parametrize(
    ("side", "versions"),
    [("client", {}), ("client", TLS12), ("server", TLS12)],
    ids=["1.3", "1.2", "server, 1.2"],
)
def test_what_is_refused_replaces_no_keys(side: Side, versions: dict[str, Any]) -> None:
    """There are no tickets to be flushed, and nothing has changed."""
    pair = connected(versions, **versions)
    use_up(pair, side, -1 if not versions else 1 - RECORDS_IN_RESERVE)
    one = pair.client if side == "client" else pair.server
    with pytest.raises(LocalProtocolError, match="FlushTickets in "):
        one.send(FlushTickets())
    assert one.data_to_send() == b""
    assert one.send(Close()) == []


def test_keys_are_replaced_after_answers_that_the_peer_caused() -> None:
    """A server can ask for certificates for ever, and takes its time with data."""
    client = {"post_handshake_auth": True, "credentials": [client_credential()]}
    pair = connected(client, trust_anchors=anchors(), answers={VerifyPeer: lambda _: _accepted()})
    use_up(pair, "client", 1)
    for _ in range(3):
        pair.send("server", RequestClientCertificate())
    assert KeysUpdated(by_peer=False) in pair.client_events
    assert not in_reserve(pair, "client")
    assert pair.events("server", ConnectionTerminated) == []


def _accepted() -> Any:
    from sansticket import AcceptPeer

    return AcceptPeer()


def test_warnings_of_tls12_do_not_use_up_a_key() -> None:
    """Where there are no new keys the connection ends, and the last record is for the alert that says so."""
    pair = connected(TLS12, **TLS12)
    use_up(pair, "server", 0)
    hello_again = bytes((HandshakeType.CLIENT_HELLO,))
    hello = pair.wire[0][1][5:]
    assert hello[:1] == hello_again
    for _ in range(RECORDS_IN_RESERVE + 5):
        events = pair.server.receive_data(_record(pair, ContentType.HANDSHAKE, hello))
        if events:
            break
        pair.server.receive_data(_record(pair, ContentType.APPLICATION_DATA, b"x"))
    (end,) = events
    assert isinstance(end, ConnectionTerminated)
    assert (end.reason, end.alert) == (Reason.SEQUENCE_EXHAUSTED, AlertDescription.INTERNAL_ERROR)
    said = list(records(pair.server.data_to_send()))
    assert len(said) == RECORDS_IN_RESERVE, "all that the key may still protect, and not one more"
    assert all(record[0] == ContentType.ALERT for record in said)


def _record(pair: ConnectionPair, content_type: int, content: bytes) -> bytes:
    return as_the_peer(pair.server, content_type, content)


@pytest.mark.parametrize("given", [None, "data", b"data", Close, KeyUpdate(0), CHANGED_CIPHER_SPEC], ids=repr)
def test_what_is_no_command(given: Any) -> None:
    """Least of all what only the peer can send: its keys would be others."""
    pair = connected()
    with pytest.raises(LocalProtocolError, match=r"\w+ in .*; expected .*"):
        pair.server.send(given)
    pair.send("client", SendData(b"on"))
    assert pair.data("server") == b"on"


class Holder:
    """An application that has its connection at hand."""

    connection: ServerConnection


@pytest.mark.parametrize(
    "act",
    [
        lambda connection: connection.send(Close()),
        lambda connection: connection.send(Abort()),
        lambda connection: connection.send(AcceptPeer()),
        lambda connection: connection.receive_data(b"\x16"),
        lambda connection: connection.receive_data(b""),
        pickle.dumps,
    ],
    ids=["Close", "Abort", "the answer", "data", "the end", "pickle"],
)
@pytest.mark.parametrize("caught", [True, False])
def test_what_a_function_does_that_has_to_answer(act: Any, caught: bool) -> None:
    """It was called amid a step: there is one end, and if it heeds the error there is none."""
    refused = []

    def verify(question: VerifyPeer) -> AcceptPeer:
        try:
            act(question.connection.application.connection)
        except LocalProtocolError as error:
            refused.append(str(error))
            if not caught:
                raise
        return AcceptPeer()

    holder = Holder()
    config = server_config(
        trust_anchors=anchors(),
        client_authentication=ClientAuthentication.REQUIRED,
        answers={VerifyPeer: verify},
    )
    client = ClientConnection(client_config(credentials=[client_credential()]), "server.example")
    holder.connection = server = ServerConnection(config, application=holder)
    events = server.receive_data(client.data_to_send())
    client.receive_data(server.data_to_send())
    events += server.receive_data(client.data_to_send())
    assert len(refused) == 1
    assert "while a function answers, in tls13.AskVerifyPeer; expected its answer before" in refused[0]
    if caught:
        assert HandshakeCompleted in kinds(events)
    else:
        (end,) = events
        assert isinstance(end, ConnectionTerminated)
        assert end.reason is Reason.ANSWER_FAILED


# --- padding and data --------------------------------------------------------------------------------------------


class Padding:
    """Fails at the call of this number."""

    def __init__(self) -> None:
        self.fails_in = -1
        self.result: Any = 1

    def __call__(self, size: int) -> Any:
        self.fails_in -= 1
        if self.fails_in == 0:
            if isinstance(self.result, Exception):
                raise self.result
            return self.result
        return 1


@pytest.mark.parametrize("result", [ValueError("no"), "many", 1.5, None])
@pytest.mark.parametrize("number", [1, 2, 3])
def test_data_are_sent_as_a_whole(number: int, result: Any) -> None:
    padding = Padding()
    pair = connected({"padding": padding})
    padding.fails_in, padding.result = number, result
    data = bytes(range(256)) * 160  # three records
    with pytest.raises(
        LocalProtocolError, match=r"SendData, but padding raised \w+; expected a number of bytes"
    ):
        pair.client.send(SendData(data))
    assert pair.client.data_to_send() == b""
    pair.send("client", SendData(data))
    assert pair.data("server") == data


def test_early_data_is_sent_as_a_whole() -> None:
    padding, world = Padding(), World()
    pair = world.pair(client=world.client_config(padding=padding))
    padding.fails_in, padding.result = 1, ValueError("no")
    hello, left = pair.client.data_to_send(), pair.client.early_data_left
    with pytest.raises(LocalProtocolError, match="SendEarlyData, but padding raised ValueError"):
        pair.client.send(SendEarlyData(b"early"))
    assert (pair.client.data_to_send(), pair.client.early_data_left) == (b"", left)
    pair.client.send(SendEarlyData(b"once more"))
    events = pair.server.receive_data(hello + pair.client.data_to_send())
    assert early_data_of(events) == b"once more"


def test_data_before_the_clients_finished_is_sent_as_a_whole() -> None:
    padding, world = Padding(), World()
    pair = world.pair(server=world.server_config(padding=padding, half_rtt=True), early=b"early")
    pair.server.receive_data(pair.client.data_to_send())
    flight, state = pair.server.data_to_send(), pair.server.state
    padding.fails_in, padding.result = 1, ValueError("no")
    with pytest.raises(LocalProtocolError, match="SendData, but padding raised ValueError"):
        pair.server.send(SendData(b"answer"))
    assert (pair.server.data_to_send(), pair.server.state) == (b"", state)
    pair.server.send(SendData(b"once more"))
    assert DataReceived(b"once more") in pair.client.receive_data(flight + pair.server.data_to_send())


def behind_tickets(padding: Padding) -> ConnectionPair:
    return connected(padding=padding, ticket_flush=TicketFlush.WRITE)


def behind_new_keys(padding: Padding) -> ConnectionPair:
    pair = connected(padding=padding)
    use_up(pair, "server", 0)
    return pair


@pytest.mark.parametrize("where", [behind_tickets, behind_new_keys])
def test_data_that_cannot_be_padded_amid_other_things(where: Callable[[Padding], ConnectionPair]) -> None:
    """They are not sent, and that is the end: nobody has to know how far it came."""
    padding = Padding()
    pair = where(padding)
    padding.fails_in, padding.result = 2, ValueError("no")
    (*_, end) = pair.send("server", SendData(b"data"))
    assert isinstance(end, ConnectionTerminated)
    assert isinstance(end.cause, ValueError)
    assert pair.data("client") == b""
    assert pair.server.state == "Ended"


@pytest.mark.parametrize("kind", ["I", "d", "h"])
def test_data_in_a_memoryview_of_larger_items(kind: str) -> None:
    pair = connected()
    numbers = array(kind, range(9_000))
    command = SendData(memoryview(numbers))
    assert repr(command) == f"SendData(data=<{len(numbers.tobytes())} bytes>)"
    pair.send("client", command)
    assert pair.data("server") == numbers.tobytes()


def test_data_in_a_memoryview_with_gaps() -> None:
    pair = connected()
    pair.send("client", SendData(memoryview(b"abcdef")[::2]))
    pair.send("client", SendData(memoryview(b"012345").cast("B", (2, 3))))
    assert pair.data("server") == b"ace012345"


@pytest.mark.parametrize("cut", [1, 4, 30, 90])
def test_what_comes_in_a_memoryview_with_gaps(cut: int) -> None:
    """However much is held already."""
    pair = connected()
    pair.server.send(SendData(b"x" * 100))
    data = pair.server.data_to_send()
    assert pair.client.receive_data(data[:cut]) == []
    spread = bytes(byte for one in data[cut:] for byte in (one, 0))
    assert pair.client.receive_data(memoryview(spread)[::2]) == [DataReceived(b"x" * 100)]


def test_the_repr_of_data_is_a_length() -> None:
    assert repr(DataReceived(b"secret")) == "DataReceived(data=<6 bytes>)"


def test_what_came_in_a_row_is_one_event() -> None:
    pair = connected()
    for _ in range(5):
        pair.server.send(SendData(b"x" * 20_000))
    (event,) = pair.client.receive_data(pair.server.data_to_send())
    assert event == DataReceived(b"x" * 100_000)
    pair.server.send(SendData(b"one"))
    pair.server.send(UpdateKeys())
    pair.server.send(SendData(b"two"))
    events = pair.client.receive_data(pair.server.data_to_send())
    assert events == [DataReceived(b"one"), KeysUpdated(by_peer=True), DataReceived(b"two")]
