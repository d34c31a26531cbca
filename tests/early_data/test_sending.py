"""What a client does with early data: whether it offers any, how it is sent, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve

from sansticket.codes import AlertDescription, AlertLevel, CipherSuite, NamedGroup, ProtocolVersion
from sansticket.commands import Close, SendData, SendEarlyData
from sansticket.config.choices import ResumedCertificates
from sansticket.connection.client import ClientConnection
from sansticket.errors import LocalProtocolError, Reason
from sansticket.events import (
    ConnectionTerminated,
    DataReceived,
    EarlyDataAccepted,
    EarlyDataReceived,
    EarlyDataRejected,
    HandshakeCompleted,
    PeerClosed,
    TicketReceived,
)
from sansticket.handshake.client.early_data import why_not
from sansticket.library import SSL_SESSIONS
from sansticket.tickets.early_data import EarlyDataReason, EarlyDataStatus
from sansticket.tickets.session import Session
from sansticket.tickets.stores.client import ClientSessionStore
from sansticket.wire.extensions.base import Extension
from sansticket.wire.extensions.key_exchange import KeyShareRetry
from sansticket.wire.extensions.negotiation import ApplicationProtocols, Cookie, SelectedVersion
from sansticket.wire.extensions.resumption import (
    EarlyData,
    PreSharedKeyOffer,
    PreSharedKeySelection,
    TicketRequestHint,
)
from sansticket.wire.messages.base import Message
from sansticket.wire.messages.hello import ClientHello, HelloRetryRequest, ServerHello
from sansticket.wire.messages.tls13 import EncryptedExtensions, EndOfEarlyData, Finished
from tests.support.configs import client_config
from tests.support.early_data import EARLY_DATA, LIMIT, EarlyServer, World, another_world, early_data_of
from tests.support.hostile import ALERT, APPLICATION_DATA, CHANGE_CIPHER_SPEC
from tests.support.hostile_server import HostileServer
from tests.support.newer import needs
from tests.support.pair import ConnectionPair
from tests.support.refusals import refused
from tests.support.state_samples import records


@pytest.fixture
def world() -> World:
    return World()


def hello_in(flight: bytes) -> ClientHello:
    return ClientHello.decode(flight[9 : 5 + int.from_bytes(flight[3:5])])


# --- whether it is offered ---------------------------------------------------------------------------------------

SUITES = (CipherSuite.AES_128_GCM_SHA256, CipherSuite.CHACHA20_POLY1305_SHA256)


@pytest.mark.parametrize(
    ("changes", "config", "suites", "reason"),
    [
        ({}, {}, SUITES, None),
        ({"max_early_data": 0}, {}, SUITES, EarlyDataReason.TICKET_FORBIDS),
        ({}, {}, SUITES[1:], EarlyDataReason.SUITE_MISMATCH),
        ({}, {"alpn_protocols": (b"http/1.1",)}, SUITES, EarlyDataReason.ALPN_MISMATCH),
        ({}, {"alpn_protocols": ()}, SUITES, EarlyDataReason.ALPN_MISMATCH),
        ({"alpn": None}, {}, SUITES, EarlyDataReason.ALPN_MISMATCH),
        ({"alpn": None}, {"alpn_protocols": ()}, SUITES, None),
        ({}, {"alpn_protocols": (b"http/1.1", b"h2")}, SUITES, None),
        ({"server_name": "other.example"}, {}, SUITES, EarlyDataReason.NAME_MISMATCH),
        ({"server_name": None}, {}, SUITES, EarlyDataReason.NAME_MISMATCH),
    ],
)
def test_what_must_hold(
    world: World,
    changes: dict[str, Any],
    config: dict[str, Any],
    suites: tuple[int, ...],
    reason: EarlyDataReason | None,
) -> None:
    session = evolve(world.session(), **changes)
    assert why_not(world.client_config(**config), "server.example", (session,), suites) is reason


def test_without_a_session(world: World) -> None:
    assert why_not(world.client_config(), "server.example", (), SUITES) is EarlyDataReason.NO_SESSION


@pytest.mark.parametrize(
    ("changes", "config", "reason"),
    [
        ({"max_early_data": 0}, {}, EarlyDataReason.TICKET_FORBIDS),
        ({}, {"early_data": False}, EarlyDataReason.DISABLED),
        ({}, {"alpn_protocols": (b"http/1.1",)}, EarlyDataReason.ALPN_MISMATCH),
    ],
)
def test_a_session_that_cannot_have_it_is_resumed_without(
    world: World, changes: dict[str, Any], config: dict[str, Any], reason: EarlyDataReason
) -> None:
    pair = world.pair(evolve(world.session(), **changes), client=world.client_config(**config))
    expected = rf"SendData after HandshakeCompleted \(early data not offered: {reason.value}"
    with pytest.raises(LocalProtocolError, match=rf"^SendEarlyData in WaitServerHello; expected {expected}"):
        pair.client.send(SendEarlyData(b"early"))
    flight = pair.client.data_to_send()
    assert hello_in(flight).find(EarlyData) is None
    assert hello_in(flight).find(PreSharedKeyOffer) is not None
    pair.deliver("server", flight)
    pair.pump()
    done = pair.event("client", HandshakeCompleted)
    assert done.resumed
    assert done.record.early_data.status is EarlyDataStatus.NOT_OFFERED
    assert done.record.early_data.reason is reason
    assert pair.client.early_data is EarlyDataStatus.NOT_OFFERED
    assert pair.client.early_data_reason is reason
    assert (reason.value in str(done.record)) == (reason is not EarlyDataReason.DISABLED)
    assert pair.server.early_data is EarlyDataStatus.NOT_OFFERED
    assert pair.server.early_data_reason is None
    assert pair.event("server", HandshakeCompleted).record.early_data.status is EarlyDataStatus.NOT_OFFERED


def test_a_session_that_is_too_old_is_not_offered_at_all(world: World) -> None:
    session = world.session()
    world.now += 7200
    pair = world.pair(session)
    assert pair.client.early_data_reason is EarlyDataReason.NO_SESSION
    assert pair.client.early_data_left == 0


def test_the_certificate_is_verified_before_it_is_offered(world: World) -> None:
    """With ``resumed_certificates``: nothing is sent to a server that is trusted no longer."""
    session = world.session()
    checked = world.client_config(resumed_certificates=ResumedCertificates.VERIFY)
    assert world.pair(session, client=checked).client.early_data is EarlyDataStatus.OFFERED
    world.now += 20 * 365 * 86400
    old = evolve(session, issued_at=world.now, authenticated_at=world.now)
    assert world.pair(old, client=checked).client.early_data_reason is EarlyDataReason.NO_SESSION


def test_it_goes_by_the_first_session(world: World) -> None:
    first, second = world.sessions()
    plain = evolve(first, max_early_data=0)
    assert world.pair([plain, second]).client.early_data_reason is EarlyDataReason.TICKET_FORBIDS
    assert world.pair([second, plain]).client.early_data is EarlyDataStatus.OFFERED


def test_the_suite_of_the_session_comes_first(world: World) -> None:
    """So that a server that goes by the client's order takes it."""
    chacha = CipherSuite.CHACHA20_POLY1305_SHA256
    session = world.session(world.server_config(cipher_suites=(chacha,)))
    assert hello_in(world.pair(session).client.data_to_send()).cipher_suites[0] == chacha


@pytest.mark.parametrize(
    ("issued", "now", "age"),
    [(1000.0, 1000.0009, 0), (1000.0, 1000.9996, 999), (1000.0, 1001.0, 1000), (1000.0, 999.0, 0)],
)
def test_the_age_is_never_rounded_up(world: World, issued: float, now: float, age: int) -> None:
    base = world.now = float(int(world.now))
    session = evolve(world.session(), issued_at=base + issued, authenticated_at=base, age_add=0)
    world.now = base + now
    offer = hello_in(world.pair(session).client.data_to_send()).find(PreSharedKeyOffer)
    assert offer is not None
    assert offer.identities[0].obfuscated_ticket_age == age


# --- how it is sent ----------------------------------------------------------------------------------------------


def test_it_leaves_with_the_hello(world: World) -> None:
    """In one write, with one change_cipher_spec between them, whose record says TLS 1.2 as all but the first do."""
    pair = world.pair(early=b"early")
    flight = list(records(pair.client.data_to_send()))
    assert [record[0] for record in flight] == [22, 20, 23]
    assert [record[1:3].hex() for record in flight] == ["0301", "0303", "0303"]
    pair.deliver("server", b"".join(flight))
    pair.pump()
    sent = [record[0] for _, data in pair.wire if _ == "client" for record in records(data)]
    assert sent.count(CHANGE_CIPHER_SPEC) == 0
    assert early_data_of(pair.server_events) == b"early"


def test_without_compatibility_mode_there_is_no_change_cipher_spec(world: World) -> None:
    client = world.client_config(middlebox_compatibility=False)
    session = world.session(client=client)
    pair = world.pair(session, client=client, early=b"early")
    assert [record[0] for record in records(pair.client.data_to_send())] == [22, 23]


def test_the_limit_is_the_tickets(world: World) -> None:
    pair = world.pair()
    assert pair.client.early_data_left == LIMIT
    pair.send("client", SendEarlyData(bytes(600)), pump=False)
    assert pair.client.early_data_left == 400
    before = pair.client.fork().data_to_send()
    with pytest.raises(LocalProtocolError, match=r"SendEarlyData of 401 bytes; expected at most 400"):
        pair.client.send(SendEarlyData(bytes(401)))
    assert pair.client.early_data_left == 400
    assert pair.client.fork().data_to_send() == before
    pair.send("client", SendEarlyData(bytes(400)), pump=False)
    assert pair.client.early_data_left == 0
    assert pair.client.send(SendEarlyData(b"")) == []
    with pytest.raises(LocalProtocolError, match="expected at most 0"):
        pair.client.send(SendEarlyData(b"x"))
    pair.pump()
    assert early_data_of(pair.server_events) == bytes(LIMIT)
    assert pair.server.early_data is EarlyDataStatus.ACCEPTED


def test_padding_is_not_counted(world: World) -> None:
    client = world.client_config(padding=lambda size: 500)
    pair = world.pair(world.session(), client=client)
    for _ in range(LIMIT):
        pair.send("client", SendEarlyData(b"x"), pump=False)
    pair.pump()
    assert early_data_of(pair.server_events) == b"x" * LIMIT
    assert pair.event("server", HandshakeCompleted)


def test_large_data_goes_in_several_records(world: World) -> None:
    server = world.server_config(max_early_data=100_000)
    pair = world.pair(world.session(server), server=server, early=bytes(range(256)) * 200)
    pair.pump()
    assert early_data_of(pair.server_events) == bytes(range(256)) * 200


@pytest.mark.parametrize("data", [bytearray(b"early"), memoryview(b"early")])
def test_any_bytes(world: World, data: Any) -> None:
    pair = world.pair()
    pair.send("client", SendEarlyData(data))
    assert early_data_of(pair.server_events) == b"early"


def test_nothing_but_the_command_is_early(world: World) -> None:
    pair = world.pair()
    expected = "no command but SendEarlyData or Close or Abort before HandshakeCompleted"
    with pytest.raises(
        LocalProtocolError, match=f"SendData in WaitServerHelloWithEarlyData; expected {expected}"
    ):
        pair.client.send(SendData(b"data"))
    pair.pump()
    pair.send("client", SendData(b"data"))
    assert early_data_of(pair.server_events) == b""
    assert pair.data("server") == b"data"


def test_a_server_sends_none(world: World) -> None:
    pair = world.pair()
    with pytest.raises(LocalProtocolError, match="SendEarlyData in WaitClientHello"):
        pair.server.send(SendEarlyData(b"x"))


def test_it_may_be_sent_until_the_servers_finished(world: World) -> None:
    """Under the keys of early data, though the server's messages are read under those of the handshake already."""
    server = EarlyServer(world.client_config(), world.session())
    server.send_early(b"one ").say_hello()
    assert server.victim.state == "tls13.WaitEncryptedExtensionsWithEarlyData"
    server.send_early(b"two ").say_extensions()
    assert server.events == [EarlyDataAccepted()]
    assert server.victim.early_data is EarlyDataStatus.ACCEPTED
    server.send_early(b"three").listen()
    assert server.data == b"one two three"
    server.say_finished().hear_finished()
    assert [type(message) for message in server.heard[1:]] == [EndOfEarlyData, Finished]
    with pytest.raises(LocalProtocolError, match=r"SendEarlyData in tls13\.ClientConnected"):
        server.victim.send(SendEarlyData(b"four"))
    server.assert_alive()
    assert isinstance(server.events[-1], HandshakeCompleted)
    assert server.victim.early_data_left == 0


def test_the_keys_wear_out(world: World) -> None:
    """There is no KeyUpdate for them (RFC 9846 section 5.5)."""
    pair = world.pair()
    sealer = pair.client._engine.outbound.writer.sealer
    assert sealer is not None
    sealer.sequence = sealer.replace_at - 1
    pair.client.send(SendEarlyData(b"last"))
    with pytest.raises(
        LocalProtocolError, match=r"SendEarlyData of 1 bytes, and the key is good for 16 more"
    ):
        pair.client.send(SendEarlyData(b"x"))
    assert pair.client.early_data_left == LIMIT - 4


# --- what becomes of it ------------------------------------------------------------------------------------------


def test_accepted(world: World) -> None:
    pair = world.pair(early=b"early")
    pair.pump()
    kinds = [type(event) for event in pair.client_events]
    assert kinds == [EarlyDataAccepted, HandshakeCompleted, TicketReceived]
    assert pair.event("client", HandshakeCompleted).record.early_data.status is EarlyDataStatus.ACCEPTED
    assert pair.client.early_data_reason is None
    assert str(pair.event("client", HandshakeCompleted).record).endswith("early data accepted")


def test_refused(world: World) -> None:
    """It is said before anything else, and nothing is sent again."""
    session = world.session()
    pair = world.pair(session, server=world.server_config(max_early_data=0), early=b"early")
    pair.pump()
    rejected, done, _ = pair.client_events
    assert rejected == EarlyDataRejected(EarlyDataReason.PEER_DECLINED, 5)
    assert isinstance(done, HandshakeCompleted)
    assert done.resumed
    assert done.record.early_data.reason is EarlyDataReason.PEER_DECLINED
    with pytest.raises(LocalProtocolError, match=r"SendEarlyData in tls13\.ClientConnected"):
        pair.client.send(SendEarlyData(b"again"))
    assert early_data_of(pair.server_events) == pair.data("server") == b""
    pair.send("client", SendData(b"again, as it should be"))
    assert pair.data("server") == b"again, as it should be"


def test_a_full_handshake(world: World) -> None:
    pair = world.pair(world.session(), server=another_world().server_config(), early=b"early")
    pair.pump()
    assert pair.client_events[0] == EarlyDataRejected(EarlyDataReason.NOT_RESUMED, 5)
    assert not pair.event("client", HandshakeCompleted).resumed
    assert pair.event("server", HandshakeCompleted).record.early_data.reason is EarlyDataReason.NOT_RESUMED


def test_another_identity(world: World) -> None:
    first, second = world.session(another_world().server_config()), world.session()
    pair = world.pair([first, second], early=b"early")
    pair.pump()
    assert pair.client_events[0] == EarlyDataRejected(EarlyDataReason.NOT_FIRST, 5)
    assert pair.event("client", HandshakeCompleted).resumed
    assert pair.event("server", HandshakeCompleted).record.early_data.reason is EarlyDataReason.NOT_FIRST


@pytest.mark.parametrize("compatible", [True, False])
def test_a_retry(world: World, compatible: bool) -> None:
    """The second hello is unprotected, without early_data, and there is no second change_cipher_spec."""
    client = world.client_config(middlebox_compatibility=compatible)
    server = world.server_config(groups=(NamedGroup.SECP256R1,))
    pair = world.pair(world.session(server, client), server=server, client=client, early=b"early")
    pair.carry("client")
    pair.carry("server")
    assert pair.client_events == [EarlyDataRejected(EarlyDataReason.HELLO_RETRY, 5)]
    assert pair.client.early_data_left == 0
    second = list(records(pair.client.fork().data_to_send()))
    assert [record[0] for record in second] == [22]
    assert hello_in(second[0]).find(EarlyData) is None
    pair.pump()
    for side in ("client", "server"):
        done = pair.event(side, HandshakeCompleted)  # type: ignore[arg-type]  # both are sides
        assert done.resumed
        assert done.record.early_data.reason is EarlyDataReason.HELLO_RETRY
    assert early_data_of(pair.server_events) == b""
    pair.send("client", SendData(b"data"))
    assert pair.data("server") == b"data"


@refused(Reason.OLDER_VERSION_AFTER_EARLY_DATA, AlertDescription.PROTOCOL_VERSION)
def test_an_older_version() -> HostileServer:
    """RFC 9846 appendix E.3: there was no such server when the ticket was given."""
    world = World()
    both = {"versions": (ProtocolVersion.TLS_1_3, ProtocolVersion.TLS_1_2)}
    server = EarlyServer(world.client_config(**both), world.session())
    server.say(ServerHello(bytes(32), server.hello.session_id, 0xC02B, ()))
    return server


@refused(Reason.OLDER_VERSION_AFTER_EARLY_DATA, AlertDescription.PROTOCOL_VERSION)
def test_an_older_version_after_a_warning() -> HostileServer:
    """RFC 6066 section 3: such servers may say before their hello that they do not know the name."""
    world = World()
    both = {"versions": (ProtocolVersion.TLS_1_3, ProtocolVersion.TLS_1_2)}
    server = EarlyServer(world.client_config(**both), world.session())
    server.send_alert(AlertDescription.UNRECOGNIZED_NAME, AlertLevel.WARNING)
    server.assert_alive()
    server.say(ServerHello(bytes(32), server.hello.session_id, 0xC02B, ()))
    return server


@pytest.mark.parametrize("answered", [True, False])
def test_a_warning_that_ends_the_connection(world: World, answered: bool) -> None:
    """There are none in TLS 1.3, if that is all the client has or what the server has said."""
    older = (ProtocolVersion.TLS_1_2,) if answered else ()
    config = world.client_config(versions=(ProtocolVersion.TLS_1_3, *older))
    server = EarlyServer(config, world.session())
    if answered:
        server.say_hello()
    server.send_alert(AlertDescription.UNRECOGNIZED_NAME, AlertLevel.WARNING)
    end = server.events[-1]
    assert isinstance(end, ConnectionTerminated)
    assert (end.reason, end.by_peer) == (Reason.PEER_ALERT, True)


# --- the alert for a server that drops what is under the keys of early data -----------------------------------------


def versions(*more: Extension) -> tuple[Extension, ...]:
    return (SelectedVersion(ProtocolVersion.TLS_1_3), *more)


FAULTY_ANSWERS = {
    "a retry for a share that is there": (
        lambda hello: HelloRetryRequest(
            hello.session_id, SUITES[0], versions(KeyShareRetry(NamedGroup.X25519))
        ),
        Reason.USELESS_RETRY,
    ),
    "a retry, and something in its record": (
        lambda hello: (
            HelloRetryRequest(hello.session_id, SUITES[0], versions(Cookie(b"cookie"))).encode() + b"\x02"
        ),
        Reason.MESSAGE_ACROSS_KEY_CHANGE,
    ),
    "an older version": (
        lambda hello: ServerHello(bytes(32), hello.session_id, 0xC02B, ()),
        Reason.OLDER_VERSION_AFTER_EARLY_DATA,
    ),
    "no session, and no share": (
        lambda hello: ServerHello(bytes(32), hello.session_id, SUITES[0], versions()),
        Reason.MISSING_EXTENSION,
    ),
    "another session than there is": (
        lambda hello: ServerHello(bytes(32), hello.session_id, SUITES[0], versions(PreSharedKeySelection(1))),
        Reason.BAD_PSK_SELECTION,
    ),
}


@pytest.mark.parametrize(("answer", "reason"), FAULTY_ANSWERS.values(), ids=FAULTY_ANSWERS)
def test_an_alert_goes_unprotected_where_nobody_has_the_keys(
    world: World, answer: Callable[[ClientHello], Message | bytes], reason: Reason
) -> None:
    server = EarlyServer(world.client_config(), world.session()).send_early(b"early").listen()
    server.send_message(answer(server.hello))
    assert [record[0] for record in records(server.victim.fork().data_to_send())] == [ALERT]
    server.assert_refused(reason)


@pytest.mark.parametrize("takes", [False, True])
def test_an_alert_for_the_extensions_of_the_server(world: World, takes: bool) -> None:
    """Whether it takes the early data stands in the same message: it goes under the keys that it reads with then."""
    extensions = (TicketRequestHint(1), *((EARLY_DATA,) if takes else ()))
    edits = {EncryptedExtensions: lambda _: EncryptedExtensions(extensions)}
    server = EarlyServer(world.client_config(), world.session(), edits=edits).send_early(b"early").listen()
    early = server.openers[0]
    server.say_hello().say_extensions()
    assert [record[0] for record in records(server.victim.fork().data_to_send())] == [APPLICATION_DATA]
    server.assert_refused(Reason.UNSOLICITED_EXTENSION)
    assert (server.openers[0] is early) is takes


def test_an_alert_for_a_server_that_may_take_early_data(world: World) -> None:
    """It resumes the session; the rest of its answer is wrong."""
    server = EarlyServer(world.client_config(), world.session()).send_early(b"early").listen()
    server.send_message(
        ServerHello(bytes(32), server.hello.session_id, SUITES[0], versions(PreSharedKeySelection(0)))
    )
    assert [record[0] for record in records(server.victim.fork().data_to_send())] == [APPLICATION_DATA]
    server.assert_refused(Reason.ILLEGAL_VALUE)


@refused(Reason.EARLY_DATA_MISMATCH)
def test_accepted_with_another_protocol() -> HostileServer:
    world = World(client={"alpn_protocols": (b"h2", b"http/1.1")})
    other = {
        EncryptedExtensions: lambda _: EncryptedExtensions((ApplicationProtocols((b"http/1.1",)), EARLY_DATA))
    }
    return EarlyServer(world.client_config(), world.session(), edits=other).say_hello().say_extensions()


@refused(Reason.EARLY_DATA_MISMATCH)
def test_accepted_with_another_suite() -> HostileServer:
    """Of the same hash, so that the session itself goes on."""
    world = World()
    session = world.session()
    suite = CipherSuite.CHACHA20_POLY1305_SHA256
    return EarlyServer(world.client_config(), session, suite=suite).say_hello().say_extensions()


@refused(Reason.EARLY_DATA_MISMATCH, detail="another identity")
def test_accepted_with_another_identity() -> HostileServer:
    world = World()
    first, second = world.sessions()
    client = ClientConnection(world.client_config(), "server.example", [first, second])
    server = HostileServer(client, session=second, selected=1).say_hello()
    server.say(EncryptedExtensions((EARLY_DATA,)))
    return server


@refused(Reason.UNSOLICITED_EXTENSION)
def test_accepted_without_a_session() -> HostileServer:
    world = World()
    client = ClientConnection(world.client_config(), "server.example", world.session())
    server = HostileServer(client).say_hello()
    server.say(EncryptedExtensions((EARLY_DATA,)))
    return server


@refused(Reason.UNSOLICITED_EXTENSION)
def test_accepted_after_a_retry() -> HostileServer:
    world = World()
    client = ClientConnection(world.client_config(), "server.example", world.session())
    server = HostileServer(client).retry(NamedGroup.SECP256R1).say_hello()
    server.say(EncryptedExtensions((EARLY_DATA,)))
    return server


# --- the store, and sessions in other forms ----------------------------------------------------------------------


def test_a_store(world: World) -> None:
    store = ClientSessionStore()
    config = world.client_config(session_store=store)
    server = world.server_config()
    ConnectionPair(config, server).pump()
    kept = ClientSessionStore.from_bytes(store.to_bytes())
    pair = ConnectionPair(world.client_config(session_store=kept), server)
    assert pair.client.early_data_left == LIMIT
    pair.send("client", SendEarlyData(b"early"))
    assert early_data_of(pair.server_events) == b"early"


def test_a_session_goes_back_that_was_never_shown(world: World) -> None:
    store = ClientSessionStore()
    config = world.client_config(session_store=store)
    ConnectionPair(config, world.server_config()).pump()
    number = len(store)
    client = ClientConnection(config, "server.example")
    client.send(SendEarlyData(b"early"))
    (end,) = client.send(Close())
    assert isinstance(end, ConnectionTerminated)
    assert end.reason is Reason.CANCELED
    assert client.data_to_send() == b""
    assert len(store) == number


@pytest.mark.parametrize(
    "form",
    [
        lambda session: Session.from_bytes(session.to_bytes()),
        pytest.param(
            lambda session: evolve(
                Session.from_openssl_der(session.to_openssl_der()),
                session_id_context=session.session_id_context,
                issued_at=session.issued_at,
            ),
            marks=needs(SSL_SESSIONS),
        ),
    ],
    ids=["native", "OpenSSL"],
)
def test_other_forms_of_a_session_know_the_limit(world: World, form: Any) -> None:
    session = form(world.session())
    assert session.max_early_data == LIMIT
    pair = world.pair(session, early=b"early")
    pair.pump()
    assert pair.server.early_data is EarlyDataStatus.ACCEPTED


# --- Close -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("taken", [True, False])
def test_close_waits_for_the_server(world: World, taken: bool) -> None:
    """Peers make of a close_notify under the keys of early data what they like: first the handshake has to end."""
    session = world.session()
    server = world.server_config() if taken else world.server_config(max_early_data=0)
    pair = world.pair(session, server=server, early=b"early")
    pair.carry("client")
    assert pair.client.send(Close()) == pair.client.send(Close()) == []
    assert pair.client.data_to_send() == b""
    with pytest.raises(LocalProtocolError, match="SendEarlyData after Close"):
        pair.client.send(SendEarlyData(b"x"))
    pair.carry("server")
    assert pair.event("client", HandshakeCompleted)
    pair.carry("client")
    assert early_data_of(pair.server_events) == (b"early" if taken else b"")
    assert pair.event("server", HandshakeCompleted)
    assert isinstance(pair.server_events[-1], PeerClosed)
    with pytest.raises(LocalProtocolError, match="SendData after Close"):
        pair.client.send(SendData(b"x"))
    pair.send("server", SendData(b"an answer"))
    assert pair.events("client", DataReceived) == [DataReceived(b"an answer")]


def test_close_at_once(world: World) -> None:
    pair = world.pair(early=b"early")
    pair.carry("client")
    (end,) = pair.client.send(Close(at_once=True))
    assert isinstance(end, ConnectionTerminated)
    assert end.reason is Reason.CANCELED
    pair.pump()
    assert early_data_of(pair.server_events) == b"early"
    assert pair.events("server", HandshakeCompleted) == []


def test_close_where_the_server_says_nothing(world: World) -> None:
    pair = world.pair(early=b"early")
    pair.carry("client")
    pair.client.send(Close())
    (end,) = pair.client.receive_data(b"")
    assert isinstance(end, ConnectionTerminated)
    assert end.reason is Reason.TRUNCATED


def test_close_after_a_refusal_with_a_question_open(world: World) -> None:
    """The handshake is waited for, whatever it asks."""
    pair = world.pair(world.session(), server=another_world().server_config(), early=b"early")
    pair.carry("client")
    pair.client.send(Close())
    pair.pump()
    assert isinstance(pair.server_events[-1], PeerClosed)


def test_a_client_that_wants_none_says_nothing(world: World) -> None:
    """Not by default, and not in the first hello of a client without a session."""
    assert not client_config().early_data
    pair = ConnectionPair(world.client_config(), world.server_config())
    assert hello_in(pair.client.data_to_send()).find(EarlyData) is None


def test_what_comes_early_says_for_whom_it_is(world: World) -> None:
    """An early request goes to a virtual host before the handshake is complete."""
    pair = world.pair(early=b"question")
    pair.carry("client")
    (event,) = pair.events("server", EarlyDataReceived)
    facts = event.connection
    assert (facts.server_name, facts.alpn_protocol, facts.version) == (
        "server.example",
        b"h2",
        ProtocolVersion.TLS_1_3,
    )
    assert facts.session is not None
