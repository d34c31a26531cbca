"""Clients of ours that offer a session, against servers that do everything wrong with it."""

from __future__ import annotations

from attrs import evolve

from sansticket.codes import CipherSuite
from sansticket.connection.client import ClientConnection
from sansticket.errors import Reason
from sansticket.events import ConnectionTerminated, HandshakeCompleted
from sansticket.tickets.session import Session
from sansticket.wire.extensions.key_exchange import KeyShareAnswer
from sansticket.wire.extensions.resumption import EarlyData, PreSharedKeyOffer
from sansticket.wire.messages.hello import ServerHello
from sansticket.wire.messages.tls13 import EncryptedExtensions
from tests.support.hostile_client import quick_server, session_from
from tests.support.hostile_server import (
    HostileServer,
    certificate_request,
    quick_client,
    with_extensions,
    without,
)
from tests.support.refusals import ends, refused


def offered_session() -> Session:
    """One that a client of ours may offer to server.example."""
    config = quick_client()
    made = session_from(quick_server())
    now = config.clock()
    return evolve(
        made,
        issued_at=now,
        authenticated_at=now,
        server_name="server.example",
        session_id_context=config.verification_policy,
    )


def test_resumption() -> None:
    server = HostileServer(session=offered_session()).complete()
    server.assert_alive()
    assert server.hello.find(PreSharedKeyOffer) is not None
    assert next(event for event in server.events if isinstance(event, HandshakeCompleted)).resumed


@refused(Reason.BAD_PSK_SELECTION)
def test_another_identity_than_was_offered() -> HostileServer:
    return HostileServer(session=offered_session(), selected=1).serve()


@refused(Reason.BAD_PSK_SELECTION)
def test_a_session_of_another_hash() -> HostileServer:
    return HostileServer(session=offered_session(), suite=CipherSuite.AES_256_GCM_SHA384).serve()


@refused(Reason.UNEXPECTED_MESSAGE)
def test_a_certificate_after_a_session() -> HostileServer:
    server = HostileServer(session=offered_session()).say_hello().say_extensions()
    server.session = None
    return server.say_certificate()


@refused(Reason.UNEXPECTED_MESSAGE)
def test_a_request_after_a_session() -> HostileServer:
    return HostileServer(session=offered_session(), request=certificate_request()).serve()


@ends(Reason.BAD_RECORD_MAC)
def test_a_server_that_does_not_have_the_session() -> ConnectionTerminated:
    """It has none of the keys, so that it cannot read the alert either."""
    session = offered_session()
    server = HostileServer(ClientConnection(quick_client(), "server.example", session))
    server.session = evolve(session, secret=bytes(32))
    server.serve()
    end = server.events[-1]
    assert isinstance(end, ConnectionTerminated)
    return end


@refused(Reason.ILLEGAL_VALUE)
def test_a_session_without_key_exchange() -> HostileServer:
    """psk_ke has no forward secrecy; we never offer it (RFC 9846 section 4.3.11)."""
    return HostileServer(
        edits={ServerHello: lambda hello: without(hello, KeyShareAnswer)}, session=offered_session()
    ).serve()


@refused(Reason.UNSOLICITED_EXTENSION)
def test_early_data_that_was_not_offered() -> HostileServer:
    edits = {EncryptedExtensions: lambda message: with_extensions(message, EarlyData())}
    return HostileServer(edits=edits, session=offered_session()).serve()
