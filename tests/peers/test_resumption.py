"""Tickets between us and other implementations, in both directions, and what makes them useless."""

from __future__ import annotations

import ssl

import pytest
from OpenSSL import SSL

from sansticket.codes import CipherSuite, NamedGroup
from sansticket.commands import Close, FlushTickets, IssueTicket, SealTicket, SendData
from sansticket.config.choices import ClientAuthentication, TicketFlush
from sansticket.events import HandshakeCompleted, PrepareTicket, TicketIssued, TicketReceived
from sansticket.tickets.stores.cache import SessionCache
from sansticket.wire.messages.hello import HelloRetryRequest
from sansticket.wire.messages.tls13 import Certificate, NewSessionTicket
from tests.support.certificates import authority, client_identity, server_identity
from tests.support.configs import server_config
from tests.support.credentials import anchors, client_credential, server_credential
from tests.support.foreign import FOREIGN, Foreign, Meeting, Newer, Stdlib, our_client, our_server

each_foreign = pytest.mark.parametrize("foreign", FOREIGN, ids=str)


def check(meeting: Meeting, *, resumed: bool) -> None:
    assert meeting.one(HandshakeCompleted).resumed == meeting.ours.resumed == resumed
    assert meeting.foreign.resumed(meeting.theirs) == resumed
    assert bool(meeting.messages(Certificate, "server")) != resumed
    meeting.exchange()


# --- our client ------------------------------------------------------------------------------------------------


@each_foreign
def test_each_ticket_of_theirs_resumes_and_brings_another(foreign: Foreign) -> None:
    context = foreign.server(server_identity(), alpn=["h2"])
    first = our_client(foreign, context, alpn_protocols=(b"h2",))
    check(first, resumed=False)
    sessions = [event.session for event in first.all(TicketReceived)]
    assert len(sessions) == 2
    for session in sessions:
        assert session.alpn == b"h2"
        meeting = our_client(foreign, context, session=session, alpn_protocols=(b"h2",))
        check(meeting, resumed=True)
        assert meeting.ours.peer_certificates == server_identity().chain_der
        sessions += [event.session for event in meeting.all(TicketReceived)][: 5 - len(sessions)]
    assert len(sessions) == 5


@each_foreign
def test_several_sessions_are_offered_at_once(foreign: Foreign) -> None:
    context, other = foreign.server(server_identity()), foreign.server(server_identity())
    (stranger, _) = (event.session for event in our_client(foreign, other).all(TicketReceived))
    (good, _) = (event.session for event in our_client(foreign, context).all(TicketReceived))
    for offered, place in (((stranger, good), 1), ((good, stranger), 0)):
        meeting = our_client(foreign, context, session=offered)
        check(meeting, resumed=True)
        assert meeting.one(HandshakeCompleted).record.winner == place
    check(our_client(foreign, context, session=stranger), resumed=False)


@each_foreign
def test_their_ticket_after_their_retry(foreign: Foreign) -> None:
    context = foreign.server(server_identity(), group=NamedGroup.SECP384R1)
    session = our_client(foreign, context).all(TicketReceived)[0].session
    meeting = our_client(foreign, context, session=session)
    assert meeting.messages(HelloRetryRequest)
    check(meeting, resumed=True)


@each_foreign
def test_a_ticket_is_resumed_with_another_suite_of_its_hash(foreign: Foreign) -> None:
    context = foreign.server(server_identity())
    session = our_client(foreign, context, cipher_suites=(0x1301,)).all(TicketReceived)[0].session
    meeting = our_client(foreign, context, cipher_suites=(0x1303,), session=session)
    check(meeting, resumed=True)
    assert meeting.ours.cipher_suite == CipherSuite.CHACHA20_POLY1305_SHA256


@each_foreign
def test_our_certificate_was_shown_once(foreign: Foreign) -> None:
    context = foreign.server(server_identity(), client_authority=authority())
    first = our_client(foreign, context, credentials=[client_credential()])
    assert len(first.messages(Certificate)) == 2
    session = first.all(TicketReceived)[0].session
    meeting = our_client(foreign, context, session=session, credentials=[client_credential()])
    check(meeting, resumed=True)
    assert foreign.certificate(meeting.theirs) == client_identity().chain_der[0]


@each_foreign
def test_our_largest_ticket(foreign: Foreign) -> None:
    """Their clients get it into a hello, and resume."""
    largest = {PrepareTicket: lambda question: SealTicket(bytes(57_000))}
    context, config = foreign.client(authority()), server_config(answers=largest)
    first = our_server(foreign, context, config=config)
    check(first, resumed=False)
    meeting = our_server(foreign, context, config=config, session=foreign.session(first.theirs))
    check(meeting, resumed=True)
    session = meeting.ours.session
    assert session is not None
    assert len(session.app_data) == 57_000


@pytest.mark.parametrize("number", [0, 1, 7])
def test_as_many_tickets_as_they_send(number: int) -> None:
    context = Stdlib().server(server_identity())
    context.num_tickets = number
    assert len(our_client(Stdlib(), context).all(TicketReceived)) == number


def test_tickets_that_are_names_of_sessions_in_their_cache() -> None:
    context = Stdlib().server(server_identity())
    context.options |= ssl.OP_NO_TICKET
    first = our_client(Stdlib(), context)
    first.exchange()
    first.send(Close())  # OpenSSL forgets the sessions of connections that were not closed
    first.theirs.close()
    session = first.all(TicketReceived)[0].session
    assert len(session.ticket) == 32
    check(our_client(Stdlib(), context, session=session), resumed=True)


# --- our server ------------------------------------------------------------------------------------------------


@each_foreign
def test_our_tickets_one_after_the_other(foreign: Foreign) -> None:
    context, config = foreign.client(authority(), alpn=["h2"]), server_config(alpn_protocols=(b"h2",))
    meeting = our_server(foreign, context, config=config)
    check(meeting, resumed=False)
    assert len(meeting.all(TicketIssued)) == 2
    for _ in range(3):
        meeting = our_server(foreign, context, config=config, session=foreign.session(meeting.theirs))
        check(meeting, resumed=True)
        assert len(meeting.all(TicketIssued)) == 1


@each_foreign
def test_our_ticket_after_our_retry(foreign: Foreign) -> None:
    context, config = foreign.client(authority()), server_config(groups=(NamedGroup.SECP521R1,))
    first = our_server(foreign, context, config=config)
    meeting = our_server(foreign, context, config=config, session=foreign.session(first.theirs))
    assert meeting.ours.group == NamedGroup.SECP521R1
    check(meeting, resumed=True)


@each_foreign
@pytest.mark.parametrize("age", [0, 7198, 7202])
def test_our_ticket_expires(foreign: Foreign, age: float) -> None:
    now = [server_config().clock()]
    context, config = foreign.client(authority()), server_config(clock=lambda: now[0])
    first = our_server(foreign, context, config=config)
    now[0] += age
    check(
        our_server(foreign, context, config=config, session=foreign.session(first.theirs)), resumed=age < 7200
    )


@each_foreign
def test_our_ticket_after_what_it_depends_on_has_changed(foreign: Foreign) -> None:
    context, config = foreign.client(authority()), server_config(cipher_suites=(0x1301,))
    first = our_server(foreign, context, config=config)
    for changes in (
        {"cipher_suites": (0x1302,), "ticket_keys": config.ticket_keys},
        {"session_id_context": b"another", "ticket_keys": config.ticket_keys},
        {"max_session_age": 1, "ticket_keys": config.ticket_keys, "clock": lambda: config.clock() + 2},
        {},
    ):
        session = foreign.session(first.theirs)
        check(our_server(foreign, context, config=server_config(**changes), session=session), resumed=False)


@each_foreign
def test_our_ticket_under_another_name(foreign: Foreign) -> None:
    context = foreign.client(authority())
    config = server_config(credentials=[server_credential(), server_credential("p256", "other.example")])
    first = our_server(foreign, context, config=config)
    session = foreign.session(first.theirs)
    meeting = our_server(foreign, context, config=config, session=session, server_name="other.example")
    check(meeting, resumed=False)
    assert foreign.certificate(meeting.theirs) == server_identity("p256", "other.example").chain_der[0]


@each_foreign
def test_their_certificate_was_shown_once(foreign: Foreign) -> None:
    context = foreign.client(authority(), identity=client_identity())
    config = server_config(client_authentication=ClientAuthentication.REQUIRED, trust_anchors=anchors())
    first = our_server(foreign, context, config=config)
    meeting = our_server(foreign, context, config=config, session=foreign.session(first.theirs))
    check(meeting, resumed=True)
    assert meeting.ours.peer_certificates[0] == client_identity().chain_der[0]


@each_foreign
@pytest.mark.parametrize("number", [0, 1, 9])
def test_as_many_tickets_as_we_want(foreign: Foreign, number: int) -> None:
    meeting = our_server(foreign, foreign.client(authority()), num_tickets=number)
    meeting.exchange()
    assert len(meeting.all(TicketIssued)) == len(meeting.messages(NewSessionTicket)) == number


@each_foreign
def test_tickets_that_are_names_of_sessions_in_our_cache(foreign: Foreign) -> None:
    context, config = (
        foreign.client(authority()),
        server_config(ticket_keys=None, session_cache=SessionCache()),
    )
    first = our_server(foreign, context, config=config)
    assert [len(ticket.ticket) for ticket in first.messages(NewSessionTicket)] == [32, 32]
    meeting = our_server(foreign, context, config=config, session=foreign.session(first.theirs))
    check(meeting, resumed=True)


@each_foreign
def test_tickets_on_request_and_with_the_next_write(foreign: Foreign) -> None:
    context, config = (
        foreign.client(authority()),
        server_config(num_tickets=1, ticket_flush=TicketFlush.WRITE),
    )
    meeting = our_server(foreign, context, config=config)
    assert meeting.all(TicketIssued) == []
    meeting.send(SendData(b"now"))
    assert len(meeting.all(TicketIssued)) == 1
    meeting.send(IssueTicket(3))
    meeting.send(FlushTickets())
    assert [event.ordinal for event in meeting.all(TicketIssued)] == [0, 1, 2, 3]
    meeting.exchange()
    check(our_server(foreign, context, config=config, session=foreign.session(meeting.theirs)), resumed=True)


def test_a_client_that_wants_no_tickets_of_tls_1_2_takes_those_of_tls_1_3() -> None:
    context, config = Newer().client(authority()), server_config()
    context.set_options(SSL.OP_NO_TICKET)
    first = our_server(Newer(), context, config=config)
    check(our_server(Newer(), context, config=config, session=first.theirs.tls.get_session()), resumed=True)
