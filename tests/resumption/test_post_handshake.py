"""Post-handshake authentication: the request, every way of answering it, and the tickets that follow.

As many as after the handshake, for the new identity (SSL_CTX_set_num_tickets(3)); at most one where the handshake
was a resumption; the number may be changed before the request.
"""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve

from sansticket.codes import AlertDescription, SignatureScheme
from sansticket.commands import (
    AcceptPeer,
    Close,
    FlushTickets,
    IssueTicket,
    ProvideSignature,
    RejectPeer,
    RequestClientCertificate,
    SendData,
    UpdateKeys,
)
from sansticket.config.choices import ASK, ClientAuthentication, TicketFlush
from sansticket.config.server import ServerConfig
from sansticket.crypto.certificates import Credential
from sansticket.crypto.signatures import certificate_verify_input, sign
from sansticket.errors import LocalProtocolError, Reason
from sansticket.events import (
    DataReceived,
    PeerAuthenticated,
    PrepareTicket,
    Sign,
    TicketIssued,
    VerifyPeer,
)
from sansticket.handshake.server.tls13.connected import MAX_REQUESTS
from sansticket.keys.tls13 import finished_mac
from sansticket.wire.extensions.certificate import PostHandshakeAuth
from sansticket.wire.messages.hello import ClientHello
from sansticket.wire.messages.tls13 import (
    Certificate,
    CertificateRequest,
    CertificateVerify,
    Finished,
)
from tests.support.certificates import authority, new_authority
from tests.support.credentials import anchors, client_credential, credential_of
from tests.support.hostile_client import HostileClient
from tests.support.hostile_server import certificate_of, with_extensions
from tests.support.pair import ConnectionPair
from tests.support.resumption import World, ending, kinds, made_by, outcome, received, resumed

ONE = client_credential()
TWO = credential_of(authority().issue("client-two.example", client=True))


def server(world: World, **changes: Any) -> ServerConfig:
    return world.server(**{"trust_anchors": anchors(), **changes})


def connect(world: World, config: ServerConfig, session: Any = None, **changes: Any) -> ConnectionPair:
    client = world.client(**{"post_handshake_auth": True, "credentials": [ONE], **changes})
    return world.connect(config, session, client=client)


def authenticate(pair: ConnectionPair) -> int:
    """Ask and answer; how many tickets came of it."""
    before = len(received(pair))
    pair.send("server", RequestClientCertificate())
    return len(received(pair)) - before


# --- counts --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [0, 1, 2, 3, 5])
@pytest.mark.parametrize("changed", [None, 0, 1, 4])
@pytest.mark.parametrize("again", [False, True])
def test_as_many_as_after_the_handshake(world: World, number: int, changed: int | None, again: bool) -> None:
    config = server(world)
    session = world.session(config, client=world.client(credentials=[ONE])) if again else None
    pair = connect(world, evolve(config, num_tickets=number), session)
    assert outcome(pair) == (again, min(1, number) if again else number)
    if changed is not None:
        pair.server.num_tickets = changed
    expected = number if changed is None else changed
    assert authenticate(pair) == (min(1, expected) if again else expected)
    assert pair.server.peer_certificates == ONE.chain


def test_the_clients_wish_counts_again(world: World) -> None:
    pair = connect(world, server(world), ticket_request=(4, 0))
    assert outcome(pair) == (False, 4)
    assert authenticate(pair) == 4


def test_with_the_next_write_where_all_tickets_wait_for_it(world: World) -> None:
    pair = connect(world, server(world, ticket_flush=TicketFlush.WRITE))
    pair.send("server", FlushTickets())
    assert len(received(pair)) == 2
    assert authenticate(pair) == 0
    assert pair.server.peer_certificates == ONE.chain
    pair.send("server", SendData(b"x"))
    assert len(received(pair)) == 4


# --- whose tickets they are ----------------------------------------------------------------------------------


@pytest.mark.parametrize("stateful", [False, True])
def test_older_tickets_stay_anonymous(world: World, stateful: bool) -> None:
    config = server(world)
    if stateful:
        config = world.stateful(trust_anchors=anchors())
    pair = connect(world, config)
    authenticate(pair)
    peers = []
    for session in received(pair):
        again = world.connect(config, made_by(world.client(), session))
        assert resumed(again)
        peers.append(again.server.peer_certificates)
    assert peers == [(), (), ONE.chain, ONE.chain]


def test_the_newest_identity(world: World) -> None:
    client = world.client(post_handshake_auth=True, credentials=[ONE])
    config = server(world)
    pair = ConnectionPair(client, config)
    pair.pump()
    authenticate(pair)
    pair.client._engine.state = evolve(pair.client._engine.state, config=evolve(client, credentials=[TWO]))
    authenticate(pair)
    assert [event.certificates for event in pair.events("server", PeerAuthenticated)] == [
        ONE.chain,
        TWO.chain,
    ]
    sessions = received(pair)
    assert len(sessions) == 6
    peers = [
        world.connect(config, made_by(world.client(), session)).server.peer_certificates
        for session in sessions[3:5]
    ]
    assert peers == [ONE.chain, TWO.chain]


def test_a_ticket_that_was_asked_for_before_is_of_the_new_identity(world: World) -> None:
    """It is made when it is written."""
    pair = connect(world, server(world, num_tickets=0))
    pair.server.send(IssueTicket())
    assert authenticate(pair) == 0
    pair.send("server", FlushTickets())
    assert pair.event("server", TicketIssued).session.peer_certificates == ONE.chain


# --- answers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [0, 2])
def test_a_client_without_a_certificate(world: World, number: int) -> None:
    pair = connect(world, server(world, num_tickets=number), credentials=())
    assert authenticate(pair) == number
    assert pair.event("server", PeerAuthenticated).certificates == ()
    pair.send("client", SendData(b"still here"))
    assert pair.data("server") == b"still here"


def test_one_that_shows_nothing_any_more(world: World) -> None:
    """Declining takes back what was shown before."""
    config = server(world, client_authentication=ClientAuthentication.OPTIONAL)
    first = connect(world, config)
    assert first.server.peer_certificates == ONE.chain
    pair = connect(world, config, made_by(world.client(), received(first)[0]), credentials=())
    assert resumed(pair)
    assert pair.server.peer_certificates == ONE.chain
    authenticate(pair)
    assert pair.server.peer_certificates == ()


def test_required(world: World) -> None:
    config = server(world, client_authentication=ClientAuthentication.REQUIRED)
    session = received(connect(world, config))[0]
    pair = connect(world, config, made_by(world.client(), session), credentials=())
    assert resumed(pair)
    authenticate(pair)
    assert ending(pair).reason is Reason.CERTIFICATE_REQUIRED
    assert ending(pair, "client").alert == AlertDescription.CERTIFICATE_REQUIRED


def test_a_certificate_of_a_stranger(world: World) -> None:
    strange = credential_of(new_authority("a stranger").issue("client.example", client=True))
    config = server(world)
    pair = connect(world, config, credentials=[strange])
    authenticate(pair)
    assert pair.event("server", PeerAuthenticated).certificates == (), "no issuer that was named"

    client = HostileClient(config, {ClientHello: lambda h: with_extensions(h, PostHandshakeAuth())})
    client.credential = strange
    client.complete().victim.send(RequestClientCertificate())
    answer(client.listen(), client.heard.index(requests(client)[0]), strange)
    client.assert_refused(Reason.CERTIFICATE_UNTRUSTED)


def test_rejected_by_the_application(world: World) -> None:
    alert = AlertDescription.ACCESS_DENIED
    config = server(world, answers={VerifyPeer: lambda question: RejectPeer(alert)})
    pair = connect(world, config)
    authenticate(pair)
    assert ending(pair).reason is Reason.CERTIFICATE_REFUSED
    assert ending(pair, "client").alert == alert
    assert pair.events("server", PeerAuthenticated) == []


def test_accepted_by_the_application_later(world: World) -> None:
    pair = connect(world, server(world, trust_anchors=None, answers={VerifyPeer: ASK}))
    assert authenticate(pair) == 0
    question = pair.event("server", VerifyPeer)
    assert question.certificates == ONE.chain
    assert question.server_name is None
    pair.send("client", SendData(b"in the meantime"))
    assert pair.data("server") == b""
    assert kinds(pair.send("server", AcceptPeer()))[:2] == ["PeerAuthenticated", "TicketIssued"]
    assert pair.data("server") == b"in the meantime"
    assert len(received(pair)) == 4


def test_a_client_whose_key_is_elsewhere(world: World) -> None:
    away = Credential(ONE.chain, None)
    pair = connect(world, server(world), credentials=[away], answers={Sign: ASK})
    assert authenticate(pair) == 0
    question = pair.event("client", Sign)
    pair.send("server", SendData(b"are you there?"))
    assert pair.data("client") == b""
    assert ONE.private_key is not None
    pair.send("client", ProvideSignature(sign(ONE.private_key, question.scheme, question.message)))
    assert pair.data("client") == b"are you there?"
    assert pair.server.peer_certificates == ONE.chain


# --- several requests ----------------------------------------------------------------------------------------


def test_several_open_requests(world: World) -> None:
    pair = connect(world, server(world))
    for _ in range(MAX_REQUESTS):
        pair.server.send(RequestClientCertificate())
    with pytest.raises(LocalProtocolError, match=f"{MAX_REQUESTS} are unanswered"):
        pair.server.send(RequestClientCertificate())
    pair.pump()
    assert len(pair.events("server", PeerAuthenticated)) == MAX_REQUESTS
    assert len(received(pair)) == 2 + 2 * MAX_REQUESTS
    assert authenticate(pair) == 2, "and there is room again"


def test_data_and_key_updates_in_between(world: World) -> None:
    pair = connect(world, server(world))
    pair.server.send(RequestClientCertificate())
    pair.server.send(SendData(b"one"))
    pair.server.send(UpdateKeys(request_peer=True))
    pair.server.send(RequestClientCertificate())
    pair.server.send(SendData(b"two"))
    pair.client.send(SendData(b"three"))
    pair.pump()
    assert len(pair.events("server", PeerAuthenticated)) == 2
    assert (pair.data("client"), pair.data("server")) == (b"onetwo", b"three")
    assert len(received(pair)) == 6


def requests(client: HostileClient) -> list[CertificateRequest]:
    return [message for message in client.heard if isinstance(message, CertificateRequest)]


def answer(client: HostileClient, place: int, credential: Credential | None = ONE) -> None:
    """The client's answer to the request that is the ``place``-th message it heard."""
    request = client.heard[place]
    assert isinstance(request, CertificateRequest)
    transcript = client.transcript.plus(client.heard_raw[place])
    chain = certificate_of(credential).entries if credential is not None else ()
    messages: list[Any] = [Certificate(request.context, chain)]
    transcript = transcript.plus(messages[0].encode())
    if credential is not None and credential.private_key is not None:
        scheme = SignatureScheme.ECDSA_SECP256R1_SHA256
        signed = certificate_verify_input(False, transcript.digest())
        messages.append(CertificateVerify(scheme, sign(credential.private_key, scheme, signed)))
        transcript = transcript.plus(messages[1].encode())
    messages.append(
        Finished(finished_mac(client.suite.hash_name, client.application.client, transcript.digest()))
    )
    for message in messages:
        client.send_message(message.encode())


def with_requests(world: World, number: int) -> tuple[HostileClient, list[int]]:
    """A client with that many open requests, and their places among what it heard."""
    edit = {ClientHello: lambda hello: with_extensions(hello, PostHandshakeAuth())}
    client = HostileClient(server(world, num_tickets=1), edit).complete()
    for _ in range(number):
        client.victim.send(RequestClientCertificate())
    client.listen()
    return client, [client.heard.index(request) for request in requests(client)]


def test_answers_out_of_order(world: World) -> None:
    client, places = with_requests(world, 3)
    for place, credential in zip((places[2], places[0], places[1]), (ONE, None, TWO), strict=True):
        answer(client, place, credential)
    authenticated = [event for event in client.events if isinstance(event, PeerAuthenticated)]
    assert [event.certificates for event in authenticated] == [ONE.chain, (), TWO.chain]
    assert client.victim.peer_certificates == TWO.chain
    client.assert_alive()


def test_an_answer_to_nothing(world: World) -> None:
    client, (place,) = with_requests(world, 1)
    answer(client, place)
    answer(client, place)
    client.assert_refused(Reason.UNEXPECTED_MESSAGE)


def test_an_answer_within_an_answer(world: World) -> None:
    client, places = with_requests(world, 2)
    for place in places:
        request = client.heard[place]
        assert isinstance(request, CertificateRequest)
        client.send_message(Certificate(request.context, certificate_of(ONE).entries).encode())
    client.assert_refused(Reason.UNEXPECTED_MESSAGE)


@pytest.mark.parametrize("message", [CertificateVerify(0x0403, b"x"), Finished(bytes(32))])
def test_the_end_of_an_answer_without_its_beginning(world: World, message: Any) -> None:
    client, _ = with_requests(world, 1)
    client.send_message(message.encode())
    client.assert_refused(Reason.UNEXPECTED_MESSAGE)


# --- where it is not allowed ---------------------------------------------------------------------------------


def test_not_offered(world: World) -> None:
    pair = connect(world, server(world), post_handshake_auth=False)
    with pytest.raises(LocalProtocolError, match="did not offer post_handshake_auth"):
        pair.server.send(RequestClientCertificate())


def test_nobody_to_verify_it(world: World) -> None:
    pair = connect(world, server(world, trust_anchors=None))
    with pytest.raises(LocalProtocolError, match="neither trust_anchors nor"):
        pair.server.send(RequestClientCertificate())


def test_only_a_server_asks(world: World) -> None:
    pair = connect(world, server(world))
    with pytest.raises(LocalProtocolError, match=r"in tls13\.ClientConnected"):
        pair.client.send(RequestClientCertificate())


def test_not_before_the_handshake_nor_after_close(world: World) -> None:
    pair = ConnectionPair(world.client(post_handshake_auth=True), server(world))
    for moment in range(2):
        with pytest.raises(LocalProtocolError, match=r"in (tls13\.)?Wait"):
            pair.server.send(RequestClientCertificate())
        if not moment:
            pair.carry("client")
    pair.pump()
    pair.server.send(Close())
    with pytest.raises(LocalProtocolError, match="Close"):
        pair.server.send(RequestClientCertificate())


@pytest.mark.parametrize("flush", TicketFlush)
def test_an_answer_after_our_close_leads_to_no_ticket(world: World, flush: TicketFlush) -> None:
    """The client is authenticated; but nothing can be written any more, and what cannot be sent is not made."""
    prepared: list[PrepareTicket] = []
    config = server(
        world, ticket_flush=flush, answers={PrepareTicket: lambda question: prepared.append(question)}
    )
    pair = connect(world, evolve(config, num_tickets=0))
    pair.server.num_tickets = 3
    pair.server.send(RequestClientCertificate())
    pair.server.send(Close())
    pair.pump()
    assert pair.event("server", PeerAuthenticated).certificates == ONE.chain
    assert pair.events("server", TicketIssued) == prepared == []
    assert pair.server.unsent_tickets == 0
    assert pair.server.state == "tls13.ServerConnected"


def test_a_client_that_has_closed_does_not_answer(world: World) -> None:
    """It could not send the answer; so nobody is asked for a signature."""
    pair = connect(world, server(world), answers={Sign: ASK})
    pair.client.send(Close())
    pair.send("server", RequestClientCertificate())
    assert pair.events("client", Sign) == []
    assert pair.client.pending is None
    pair.send("server", SendData(b"still here"))
    assert pair.data("client") == b"still here"


def test_a_request_that_was_never_answered_costs_nothing(world: World) -> None:
    pair = connect(world, server(world))
    pair.server.send(RequestClientCertificate())
    pair.carry("server")  # the client's answer stays where it is
    pair.server.send(SendData(b"on we go"))
    pair.carry("server")
    assert [event.data for event in pair.events("client", DataReceived)] == [b"on we go"]
