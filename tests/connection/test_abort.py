"""Abort: a fatal alert on command, during the handshake and after it, and what becomes of sessions then."""

from __future__ import annotations

from typing import Any, Final

import pytest

from sansticket import (
    ASK,
    Abort,
    AlertDescription,
    ClientConnection,
    ClientSessionStore,
    Close,
    ConnectionTerminated,
    IssueTicket,
    LocalProtocolError,
    ProtocolVersion,
    Reason,
    SendData,
    SessionCache,
    TicketReceived,
    VerifyPeer,
)
from tests.support.certificates import authority, server_identity
from tests.support.configs import client_config, server_config
from tests.support.foreign import FOREIGN, Foreign, our_client, our_server
from tests.support.pair import ConnectionPair, Side

DENIED: Final = AlertDescription.ACCESS_DENIED

each_version = pytest.mark.parametrize("version", [ProtocolVersion.TLS_1_3, ProtocolVersion.TLS_1_2])
each_foreign = pytest.mark.parametrize("foreign", FOREIGN, ids=str)


def connected(client: dict[str, Any] | None = None, **server: Any) -> ConnectionPair:
    pair = ConnectionPair(client_config(**(client or {})), server_config(**server))
    pair.pump()
    return pair


@each_version
@each_foreign
def test_another_implementation_hears_it(foreign: Foreign, version: ProtocolVersion) -> None:
    client = our_client(foreign, foreign.server(server_identity(), version=version))
    server = our_server(foreign, foreign.client(authority(), version=version))
    for meeting in (client, server):
        meeting.exchange()
        meeting.send(Abort(DENIED))
        assert (meeting.end.reason, meeting.end.alert) == (Reason.ABORTED_BY_APPLICATION, DENIED)
        assert not meeting.end.by_peer
        assert "alert access denied" in meeting.their_complaint


@each_version
@each_foreign
def test_it_hears_it_during_the_handshake(foreign: Foreign, version: ProtocolVersion) -> None:
    context = foreign.server(server_identity(), version=version)
    meeting = our_client(foreign, context, answers={VerifyPeer: ASK})
    assert meeting.ours.pending is not None
    meeting.send(Abort(AlertDescription.CERTIFICATE_UNKNOWN))
    assert "certificate unknown" in meeting.their_complaint
    assert meeting.ours.pending is None


@pytest.mark.parametrize("side", ["client", "server"])
@each_version
def test_both_sides_say_the_same_of_it(side: Side, version: ProtocolVersion) -> None:
    pair = connected(versions=(version,))
    other: Side = "server" if side == "client" else "client"
    pair.send(side, Abort(AlertDescription.INSUFFICIENT_SECURITY))
    ours, theirs = pair.event(side, ConnectionTerminated), pair.event(other, ConnectionTerminated)
    assert (ours.reason, ours.by_peer) == (Reason.ABORTED_BY_APPLICATION, False)
    assert (theirs.reason, theirs.by_peer) == (Reason.PEER_ALERT, True)
    assert ours.alert == theirs.alert == AlertDescription.INSUFFICIENT_SECURITY


def test_the_default_is_internal_error() -> None:
    pair = connected()
    pair.send("server", Abort())
    assert pair.event("client", ConnectionTerminated).alert == AlertDescription.INTERNAL_ERROR


def test_what_is_queued_stays_behind() -> None:
    pair = connected(num_tickets=0)
    pair.server.send(IssueTicket(3))
    pair.send("server", Abort())
    assert pair.events("client", TicketReceived) == []
    assert pair.client.state == pair.server.state == "Ended"


def test_what_was_written_before_leaves_before() -> None:
    pair = connected()
    pair.server.send(SendData(b"the last words"))
    pair.send("server", Abort())
    assert pair.data("client") == b"the last words"


def test_nothing_can_be_said_after_our_close_notify() -> None:
    pair = connected()
    pair.send("server", Close())
    with pytest.raises(LocalProtocolError, match=r"^Abort after Close; expected nothing more"):
        pair.server.send(Abort())


def test_the_peer_may_have_closed_its_side() -> None:
    pair = connected()
    pair.send("client", Close())
    assert pair.send("server", Abort(DENIED))[-1] == pair.event("server", ConnectionTerminated)
    assert pair.server.state == "Ended"


def test_sessions_go_with_it() -> None:
    """RFC 9846 section 6.2, RFC 5246 section 7.2.2."""
    store, cache = ClientSessionStore(), SessionCache()
    config = client_config(session_store=store)
    pair = ConnectionPair(config, server_config(ticket_keys=None, session_cache=cache))
    pair.pump()
    assert len(cache) == 2
    assert store.room(config.store_key("server.example"), config.clock()) < store.per_server
    pair.send("client", Abort())
    assert len(cache) == 0
    assert store.room(config.store_key("server.example"), config.clock()) == store.per_server


def test_a_session_that_was_never_shown_goes_back() -> None:
    store = ClientSessionStore()
    config = client_config(session_store=store)
    pair = ConnectionPair(config, server_config(num_tickets=1))
    pair.pump()
    pair.send("client", Close())
    before = store.room(config.store_key("server.example"), config.clock())
    connection = ClientConnection(config, "server.example")
    assert store.room(config.store_key("server.example"), config.clock()) == before + 1
    connection.send(Abort())
    assert connection.data_to_send() == b""
    assert store.room(config.store_key("server.example"), config.clock()) == before
