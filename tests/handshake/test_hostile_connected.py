"""What can be done wrong once the connection is up: KeyUpdate, tickets, post-handshake authentication."""

from __future__ import annotations

import pytest
from attrs import evolve

from sansticket.codes import HandshakeType, SignatureScheme
from sansticket.commands import IssueTicket, RequestClientCertificate, SendData, UpdateKeys
from sansticket.config.choices import ClientAuthentication
from sansticket.connection.limits import MAX_MESSAGES_WITHOUT_DATA
from sansticket.connection.server import ServerConnection
from sansticket.crypto.signatures import certificate_verify_input, sign
from sansticket.errors import LocalProtocolError, Reason
from sansticket.events import DataReceived, KeysUpdated, PeerAuthenticated, TicketReceived
from sansticket.handshake.tls13.connected import MAX_KEY_UPDATES
from sansticket.keys.tls13 import finished_mac
from sansticket.record.protection import RECORDS_IN_RESERVE
from sansticket.record.tls13 import Opener, Sealer
from sansticket.wire.extensions.base import UnknownExtension
from sansticket.wire.extensions.certificate import PostHandshakeAuth
from sansticket.wire.extensions.negotiation import ServerNameAck, ServerNameList
from sansticket.wire.extensions.resumption import EarlyDataLimit
from sansticket.wire.messages.hello import ClientHello
from sansticket.wire.messages.tls13 import (
    Certificate,
    CertificateRequest,
    CertificateVerify,
    EncryptedExtensions,
    EndOfEarlyData,
    Finished,
    KeyUpdate,
    NewSessionTicket,
)
from tests.support.credentials import anchors, client_credential
from tests.support.hostile import APPLICATION_DATA, HANDSHAKE, HostilePeer, raw_message
from tests.support.hostile_client import HostileClient, quick_server
from tests.support.hostile_server import (
    HostileServer,
    certificate_of,
    certificate_request,
    quick_client,
    with_extensions,
)
from tests.support.moments import CONNECTED, Moment, at, table
from tests.support.refusals import case, refused

KEY_UPDATES_WITHOUT_DATA = MAX_MESSAGES_WITHOUT_DATA[HandshakeType.KEY_UPDATE]
MAX_TICKETS = MAX_MESSAGES_WITHOUT_DATA[HandshakeType.NEW_SESSION_TICKET]

# --- KeyUpdate ---------------------------------------------------------------------------------------------------

KEY_UPDATES = [
    case("request_update 2", Reason.ILLEGAL_VALUE, raw_message(24, b"\x02")),
    case("request_update 255", Reason.ILLEGAL_VALUE, raw_message(24, b"\xff")),
    case("KeyUpdate without a value", Reason.MALFORMED_MESSAGE, raw_message(24, b"")),
    case("KeyUpdate with two values", Reason.MALFORMED_MESSAGE, raw_message(24, b"\0\0")),
    case("two in a record", Reason.MESSAGE_ACROSS_KEY_CHANGE, KeyUpdate(0).encode() * 2),
    case("and half a message", Reason.MESSAGE_ACROSS_KEY_CHANGE, KeyUpdate(0).encode() + b"\x18"),
]


@table(CONNECTED, KEY_UPDATES)
def test_key_update_is_refused(sent: bytes, reason: Reason, moment: Moment) -> None:
    peer = moment()
    peer.send_message(sent)
    peer.assert_refused(reason)


@at(CONNECTED)
@refused(Reason.BAD_RECORD_MAC)
def test_old_keys_after_key_update(moment: Moment) -> HostilePeer:
    peer = moment()
    peer.send_message(KeyUpdate(0))
    peer.send(APPLICATION_DATA, b"under the old key")
    return peer


@at(CONNECTED)
@refused(Reason.BAD_RECORD_MAC)
def test_new_keys_without_key_update(moment: Moment) -> HostilePeer:
    peer = moment()
    peer.update_keys()
    peer.send(APPLICATION_DATA, b"under a new key")
    return peer


@at(CONNECTED)
def test_key_updates(moment: Moment) -> None:
    """As many as may come without data, each asking for one of ours; then data, and all over again."""
    peer = moment()
    peer.listen()
    for _ in range(2):
        for _ in range(KEY_UPDATES_WITHOUT_DATA):
            peer.heard.clear()
            assert peer.send_message(KeyUpdate(1)) == [KeysUpdated(by_peer=True), KeysUpdated(by_peer=False)]
            peer.update_keys()
            peer.listen()
            peer.expect_update()
            assert peer.heard == [KeyUpdate(0)]
        assert peer.send(APPLICATION_DATA, b"data") == [DataReceived(b"data")]
    peer.victim.send(SendData(b"answer"))
    assert peer.listen().data == b"answer"


@at(CONNECTED)
def test_one_answer_for_all_requests_before_the_next_data(moment: Moment) -> None:
    """RFC 9846 section 4.7.3: whoever is silent meanwhile answers once, and whoever sends data answers before it,
    whether or not the last answer and the data behind it have left."""
    peer = moment()
    peer.listen().heard.clear()
    for data in (b"one", b"two"):
        for expected in (
            [KeysUpdated(by_peer=True), KeysUpdated(by_peer=False)],
            [KeysUpdated(by_peer=True)],
        ):
            assert peer.send_message(KeyUpdate(1)) == expected
            peer.update_keys()
        peer.victim.send(SendData(data))
        peer.expect_update()
    peer.listen()
    assert peer.heard == [KeyUpdate(0), KeyUpdate(0)]
    assert peer.data == b"onetwo"


@at(CONNECTED)
@refused(Reason.TOO_MANY_KEY_UPDATES)
def test_flood_of_key_updates(moment: Moment) -> HostilePeer:
    """Empty records between them are no data."""
    peer = moment()
    for _ in range(KEY_UPDATES_WITHOUT_DATA + 1):
        peer.send_message(KeyUpdate(0))
        peer.update_keys()
        if not peer.over:
            peer.send(APPLICATION_DATA, b"")
    return peer


@at(CONNECTED)
def test_our_own_key_update(moment: Moment) -> None:
    peer = moment()
    peer.listen().heard.clear()
    for requested in (False, True):
        assert peer.victim.send(UpdateKeys(request_peer=requested)) == [KeysUpdated(by_peer=False)]
        peer.listen()
        peer.expect_update()
    assert peer.heard == [KeyUpdate(0), KeyUpdate(1)]
    peer.victim.send(SendData(b"new keys"))
    assert peer.listen().data == b"new keys"


@at(CONNECTED)
def test_one_request_at_a_time(moment: Moment) -> None:
    """A second one while the first is open MUST NOT be sent (RFC 9846 section 4.7.3); our keys change all the same."""
    peer = moment()
    peer.listen().heard.clear()
    for expected in (1, 0, 0):
        assert peer.victim.send(UpdateKeys(request_peer=True)) == [KeysUpdated(by_peer=False)]
        peer.listen()
        peer.expect_update()
        assert peer.heard.pop() == KeyUpdate(expected)
    peer.send_message(KeyUpdate(0))
    peer.update_keys()
    peer.victim.send(UpdateKeys(request_peer=True))
    assert peer.listen().heard == [KeyUpdate(1)]


@at(CONNECTED)
def test_no_more_key_updates_than_there_are_epochs(moment: Moment) -> None:
    """The peer's requests are then ignored; what it does itself is not ours to limit."""
    peer = moment()
    peer.listen().heard.clear()
    victim = peer.victim
    victim._engine.state = evolve(victim._engine.state, key_updates=MAX_KEY_UPDATES - 1)
    assert victim.send(UpdateKeys()) == [KeysUpdated(by_peer=False)]
    peer.listen()
    peer.expect_update()
    with pytest.raises(LocalProtocolError, match="UpdateKeys after 281474976710652 updates; expected Close"):
        victim.send(UpdateKeys())
    assert peer.send_message(KeyUpdate(1)) == [KeysUpdated(by_peer=True)]
    peer.update_keys()
    victim.send(SendData(b"the same keys"))
    assert peer.listen().data == b"the same keys"
    assert peer.heard == [KeyUpdate(0)]


def nearly_used_up(peer: HostilePeer, records: int) -> None:
    """The victim's key is good for so many records more, apart from those in reserve; we count along."""
    peer.listen()
    sealer, opener = peer.victim._engine.outbound.writer.sealer, peer.openers[-1]
    assert isinstance(sealer, Sealer)
    assert isinstance(opener, Opener)
    opener.sequence += peer.suite.record_limit - RECORDS_IN_RESERVE - records - sealer.sequence
    sealer.sequence = peer.suite.record_limit - RECORDS_IN_RESERVE - records


@at(CONNECTED)
@pytest.mark.parametrize("size", [1, 2**14 - 1, 2**14, 3 * 2**14 + 1, 300_000])
def test_keys_are_replaced_before_they_are_used_up(moment: Moment, size: int) -> None:
    """Prior to the limit MUST be a KeyUpdate (RFC 9846 section 5.5): at once where the data would not fit any more."""
    peer = moment()
    records = size // 2**14 + 1
    nearly_used_up(peer, records)
    peer.heard.clear()
    assert peer.victim.send(SendData(bytes(size))) == []
    peer.listen()
    assert peer.heard == []
    nearly_used_up(peer, records - 1)
    assert peer.victim.send(SendData(bytes(size))) == [KeysUpdated(by_peer=False)]
    peer.expect_update()
    peer.listen()
    assert peer.heard == [KeyUpdate(0)]
    assert len(peer.data) == 2 * size
    assert peer.victim._engine.outbound.writer.records_left == peer.suite.record_limit - -(-size // 2**14)


def test_queued_tickets_do_not_come_in_between() -> None:
    client = HostileClient().complete()
    client.victim.send(IssueTicket())
    nearly_used_up(client, 0)
    client.heard.clear()
    client.victim.send(SendData(b"data"))
    client.expect_update()
    client.listen()
    assert [type(message) for message in client.heard] == [KeyUpdate, NewSessionTicket]
    assert client.data == b"data"


# --- messages that have no place here ----------------------------------------------------------------------------

OUT_OF_PLACE = [
    case("a hello", Reason.UNEXPECTED_MESSAGE, ClientHello(bytes(32), b"", (0x1301,)).encode()),
    case("a hello of the server's", Reason.UNEXPECTED_MESSAGE, raw_message(2, bytes(38))),
    case("EndOfEarlyData", Reason.UNEXPECTED_MESSAGE, EndOfEarlyData().encode()),
    case("EncryptedExtensions", Reason.UNEXPECTED_MESSAGE, EncryptedExtensions(()).encode()),
    case("Finished", Reason.UNEXPECTED_MESSAGE, Finished(bytes(32)).encode()),
    case("a certificate", Reason.UNEXPECTED_MESSAGE, Certificate(b"", ()).encode()),
    case("a proof", Reason.UNEXPECTED_MESSAGE, CertificateVerify(0x0403, b"").encode()),
    case("HelloRequest of TLS 1.2", Reason.UNEXPECTED_MESSAGE, raw_message(0, b"")),
    case("message_hash", Reason.UNEXPECTED_MESSAGE, raw_message(254, bytes(32))),
]


@table(CONNECTED, OUT_OF_PLACE)
def test_out_of_place(sent: bytes, reason: Reason, moment: Moment) -> None:
    peer = moment()
    peer.send_message(sent)
    peer.assert_refused(reason)


# --- tickets -----------------------------------------------------------------------------------------------------

TICKETS = [
    case("empty ticket", Reason.MALFORMED_MESSAGE, NewSessionTicket(1, 1, b"", b"").encode()),
    case(
        "a forbidden extension in a ticket",
        Reason.FORBIDDEN_EXTENSION,
        NewSessionTicket(1, 1, b"", b"x", (ServerNameAck(),)).encode(),
    ),
    case(
        "an extension twice in a ticket",
        Reason.DUPLICATE_EXTENSION,
        NewSessionTicket(1, 1, b"", b"x", (EarlyDataLimit(1), EarlyDataLimit(1))).encode(),
    ),
    case(
        "ticket cut short",
        Reason.MALFORMED_MESSAGE,
        raw_message(4, NewSessionTicket(1, 1, b"", b"x").encode()[4:-1]),
    ),
]


@pytest.mark.parametrize(("sent", "reason"), TICKETS)
def test_ticket_is_refused(sent: bytes, reason: Reason) -> None:
    server = HostileServer().complete()
    server.send_message(sent)
    server.assert_refused(reason)


@refused(Reason.UNEXPECTED_MESSAGE)
def test_ticket_to_a_server() -> HostilePeer:
    client = HostileClient().complete()
    client.send_message(NewSessionTicket(1, 1, b"", b"x"))
    return client


def test_tickets() -> None:
    """Unknown extensions of a ticket are ignored; one without lifetime is forgotten; none lives a week and more."""
    server = HostileServer().complete()
    server.ticket(lifetime=0).ticket(
        lifetime=700_000, extensions=(UnknownExtension(0x2A2A, b"x"), EarlyDataLimit(5))
    )
    server.assert_alive()
    tickets = [event for event in server.events if isinstance(event, TicketReceived)]
    assert [ticket.session.lifetime for ticket in tickets] == [604_800]
    assert tickets[0].session.max_early_data == 5


def test_many_tickets() -> None:
    server = HostileServer().complete()
    for _ in range(2):
        for number in range(MAX_TICKETS):
            server.ticket(number)
        server.send(APPLICATION_DATA, b"data")
    server.assert_alive()


@refused(Reason.TOO_MANY_TICKETS)
def test_flood_of_tickets() -> HostilePeer:
    server = HostileServer().complete()
    for number in range(MAX_TICKETS + 1):
        server.ticket(number)
    return server


@pytest.mark.parametrize("size", [1, 255, 65_000, 65_535])
def test_ticket_of_any_size(size: int) -> None:
    server = HostileServer().complete()
    server.send_message(NewSessionTicket(100, 1, bytes(255), bytes(size)))
    server.assert_alive()
    session = server.events[-1]
    assert isinstance(session, TicketReceived)
    assert len(session.session.ticket) == size


def test_a_host_with_the_longest_name_gets_a_ticket() -> None:
    name = ".".join(["a" * 63] * 4)[:253]
    edits = {ClientHello: lambda hello: with_extensions(hello, ServerNameList(name.encode()))}
    client = HostileClient(edits=edits).complete()
    client.assert_alive()
    assert len(client.tickets) == 2


# --- post-handshake authentication: servers ----------------------------------------------------------------------


class Authenticating(HostileClient):
    """A client that offered post_handshake_auth, and was asked."""

    def __init__(self, mode: ClientAuthentication = ClientAuthentication.NONE) -> None:
        config = quick_server(trust_anchors=anchors(), client_authentication=mode)
        super().__init__(config, extensions=(PostHandshakeAuth(),))
        self.complete()
        self.end_of_handshake = self.transcript

    def asked_now(self) -> CertificateRequest:
        self.events += self.victim.send(RequestClientCertificate())
        self.listen()
        request = self.heard[-1]
        assert isinstance(request, CertificateRequest)
        self.transcript = self.end_of_handshake.plus(self.heard_raw[-1])
        return request

    def answer(self, context: bytes) -> Authenticating:
        self.say(certificate_of(self.credential, context))
        if not self.over:
            self.say_proof()
        return self

    def finish(self) -> Authenticating:
        self.say(Finished(finished_mac(self.suite.hash_name, self.our_secret, self.transcript.digest())))
        return self


def test_the_honest_answer() -> None:
    client = Authenticating()
    client.answer(client.asked_now().context).finish().assert_alive()
    assert PeerAuthenticated(client_credential().chain) in client.events
    assert client.victim.peer_certificates == client_credential().chain


def test_every_request_has_a_context_of_its_own() -> None:
    """RFC 9846 section 4.4.2: unique within the connection, so that no proof serves for another request."""
    client = Authenticating()
    contexts = [client.asked_now().context for _ in range(3)]
    assert all(contexts)
    assert len(set(contexts)) == 3


def test_an_empty_answer() -> None:
    client = Authenticating()
    client.say(Certificate(client.asked_now().context, ()))
    client.finish().assert_alive()
    assert PeerAuthenticated(()) in client.events


@refused(Reason.CERTIFICATE_REQUIRED)
def test_an_empty_answer_where_one_is_required() -> HostilePeer:
    config = quick_server(trust_anchors=anchors(), client_authentication=ClientAuthentication.REQUIRED)
    client = HostileClient(config, extensions=(PostHandshakeAuth(),)).complete()
    client.victim.send(RequestClientCertificate())
    client.listen()
    request = client.heard[-1]
    assert isinstance(request, CertificateRequest)
    client.say(Certificate(request.context, ()))
    return client


@refused(Reason.UNEXPECTED_MESSAGE)
def test_an_answer_with_another_context() -> HostilePeer:
    client = Authenticating()
    client.asked_now()
    return client.answer(b"another")


@refused(Reason.UNEXPECTED_MESSAGE)
def test_two_answers_to_one_request() -> HostilePeer:
    client = Authenticating()
    context = client.asked_now().context
    client.answer(context).finish()
    return client.answer(context)


@refused(Reason.UNEXPECTED_MESSAGE)
def test_a_second_certificate_before_the_proof() -> HostilePeer:
    client = Authenticating()
    context = client.asked_now().context
    client.say(certificate_of(client.credential, context))
    client.say(certificate_of(client.credential, context))
    return client


@refused(Reason.UNEXPECTED_MESSAGE)
def test_finished_without_the_proof() -> HostilePeer:
    client = Authenticating()
    client.say(certificate_of(client.credential, client.asked_now().context))
    return client.finish()


@refused(Reason.UNEXPECTED_MESSAGE)
def test_a_proof_without_certificate() -> HostilePeer:
    client = Authenticating()
    client.asked_now()
    return client.say_proof()


@refused(Reason.BAD_FINISHED)
def test_wrong_finished() -> HostilePeer:
    client = Authenticating()
    client.answer(client.asked_now().context)
    client.say(Finished(bytes(32)))
    return client


@refused(Reason.BAD_FINISHED)
def test_finished_under_the_secret_of_the_handshake() -> HostilePeer:
    client = Authenticating()
    client.answer(client.asked_now().context)
    client.our_secret = client.traffic.client
    return client.finish()


@refused(Reason.BAD_SIGNATURE)
def test_proof_of_another_transcript() -> HostilePeer:
    """That of the handshake, which a client could have been made to sign."""
    client = Authenticating()
    client.say(certificate_of(client.credential, client.asked_now().context))
    scheme = SignatureScheme.ECDSA_SECP256R1_SHA256
    signed = certificate_verify_input(False, client.end_of_handshake.digest())
    assert client.credential.private_key is not None
    client.say(CertificateVerify(scheme, sign(client.credential.private_key, scheme, signed)))
    return client


def test_requests_need_the_offer() -> None:
    client = HostileClient(quick_server(trust_anchors=anchors())).complete()
    with pytest.raises(LocalProtocolError, match="post_handshake_auth"):
        client.victim.send(RequestClientCertificate())
    assert client.victim.data_to_send() == b""


@pytest.mark.parametrize("proved", [False, True])
@pytest.mark.parametrize("content_type", [HANDSHAKE, APPLICATION_DATA])
@refused(Reason.UNEXPECTED_MESSAGE)
def test_something_in_the_middle_of_an_answer(proved: bool, content_type: int) -> HostilePeer:
    """The messages of an answer come one right after the other (RFC 9846 section 4.7.2)."""
    client = Authenticating()
    client.say(certificate_of(client.credential, client.asked_now().context))
    if proved:
        client.say_proof()
    client.send(content_type, KeyUpdate(0).encode() if content_type == HANDSHAKE else b"data in between")
    return client


@pytest.mark.parametrize("proved", [False, True])
@pytest.mark.parametrize("behind", [0, 2], ids=lambda number: f"{number} more")
@pytest.mark.parametrize("handed_over", [False, True])
@refused(Reason.UNEXPECTED_MESSAGE)
def test_empty_data_in_the_middle_of_an_answer(proved: bool, behind: int, handed_over: bool) -> HostilePeer:
    """It is no data, and comes in between all the same."""
    client = Authenticating()
    client.say(certificate_of(client.credential, client.asked_now().context))
    if proved:
        client.say_proof()
    if handed_over:
        config = client.victim._config
        client.victim = ServerConnection.restore(client.victim.export(), config)
    client.deliver(b"".join(client.record(APPLICATION_DATA, b"") for _ in range(behind + 1)))
    return client


def test_empty_data_before_and_after_an_answer() -> None:
    client = Authenticating()
    context = client.asked_now().context
    client.send(APPLICATION_DATA, b"")
    client.answer(context).finish()
    client.send(APPLICATION_DATA, b"")
    client.send(APPLICATION_DATA, b"data")
    client.assert_alive()
    assert client.events[-1] == DataReceived(b"data")


def test_something_before_and_after_an_answer() -> None:
    client = Authenticating()
    context = client.asked_now().context
    for _ in range(2):
        client.send(APPLICATION_DATA, b"data")
        client.send_message(KeyUpdate(0))
        client.update_keys()
        if client.victim.peer_certificates == ():
            client.answer(context).finish().assert_alive()
    assert client.events.count(DataReceived(b"data")) == 2
    assert PeerAuthenticated(client_credential().chain) in client.events


def test_our_data_may_go_out_in_the_middle_of_an_answer() -> None:
    client = Authenticating()
    client.say(certificate_of(client.credential, client.asked_now().context))
    client.victim.send(SendData(b"meanwhile"))
    client.victim.send(UpdateKeys())
    assert client.listen().data == b"meanwhile"
    client.expect_update()
    client.say_proof().finish().assert_alive()


# --- post-handshake authentication: clients ----------------------------------------------------------------------


@refused(Reason.UNEXPECTED_MESSAGE)
def test_a_request_that_was_not_offered() -> HostilePeer:
    server = HostileServer().complete()
    server.send_message(certificate_request(context=b"x"))
    return server


def test_a_request_is_answered() -> None:
    config = quick_client(post_handshake_auth=True, credentials=[client_credential()])
    server = HostileServer(config).complete()
    server.heard.clear()
    server.send_message(certificate_request(context=b"mine"))
    server.listen().assert_alive()
    assert [type(message) for message in server.heard] == [Certificate, CertificateVerify, Finished]
    assert server.heard[0] == certificate_of(client_credential(), b"mine")


@refused(Reason.MISSING_EXTENSION)
def test_a_request_without_signature_algorithms() -> HostilePeer:
    server = HostileServer(quick_client(post_handshake_auth=True)).complete()
    server.send_message(CertificateRequest(b"x", ()))
    return server


@refused(Reason.TOO_MANY_CERTIFICATE_REQUESTS)
def test_flood_of_requests() -> HostilePeer:
    server = HostileServer(quick_client(post_handshake_auth=True)).complete()
    for number in range(MAX_MESSAGES_WITHOUT_DATA[HandshakeType.CERTIFICATE_REQUEST] + 1):
        server.assert_alive()
        server.send_message(certificate_request(context=bytes((number,))))
    return server


def test_many_requests_of_ours_are_answered() -> None:
    """The client says nothing else, and is no flood: it was asked as often."""
    client = Authenticating()
    for _ in range(40):
        client.answer(client.asked_now().context).finish().assert_alive()
    assert client.events.count(PeerAuthenticated(client_credential().chain)) == 40


# --- our own mistakes leave nothing behind -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "command", [IssueTicket(), RequestClientCertificate()], ids=lambda command: type(command).__name__
)
def test_a_client_has_no_tickets_to_issue(command: IssueTicket | RequestClientCertificate) -> None:
    server = HostileServer().complete()
    server.listen()
    with pytest.raises(LocalProtocolError, match=rf"{type(command).__name__} in tls13\.ClientConnected"):
        server.victim.send(command)
    assert server.victim.data_to_send() == b""
    assert server.send(HANDSHAKE, KeyUpdate(0).encode()) == [KeysUpdated(by_peer=True)]
