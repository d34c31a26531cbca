"""Our client and our server with the standard library's ``ssl``, in memory."""

from __future__ import annotations

import ssl
from typing import Any

import pytest

from sansticket import (
    ClientAuthentication,
    ClientConnection,
    Close,
    ConnectionTerminated,
    DataReceived,
    Event,
    HandshakeCompleted,
    KeysUpdated,
    NamedGroup,
    PeerClosed,
    Reason,
    SendData,
    ServerConnection,
    Session,
    TicketIssued,
    TicketReceived,
    UpdateKeys,
)
from tests.support.certificates import authority, client_identity, new_authority, server_identity
from tests.support.configs import client_config, server_config
from tests.support.credentials import anchors, client_credential
from tests.support.stdlib_peer import StdlibPeer, client_context, run, server_context

MEBIBYTE = bytes(range(256)) * 4096


def our_client(
    theirs: ssl.SSLContext, session: Session | None = None, **changes: Any
) -> tuple[ClientConnection, StdlibPeer, list[Event]]:
    ours = ClientConnection(client_config(**changes), "server.example", session)
    peer = StdlibPeer(theirs, server=True)
    return ours, peer, run(ours, peer)


def our_server(
    theirs: ssl.SSLContext, session: ssl.SSLSession | None = None, config: Any = None, **changes: Any
) -> tuple[ServerConnection, StdlibPeer, list[Event]]:
    ours = ServerConnection(config or server_config(**changes))
    peer = StdlibPeer(theirs, session=session)
    return ours, peer, run(ours, peer)


def kinds(happened: list[Event]) -> list[type[Event]]:
    return [type(event) for event in happened]


def data(happened: list[Event]) -> bytes:
    return b"".join(event.data for event in happened if isinstance(event, DataReceived))


def exchange(ours: ClientConnection | ServerConnection, peer: StdlibPeer) -> None:
    """A mebibyte each way, and close from both sides."""
    assert ours.send(SendData(MEBIBYTE)) == []
    run(ours, peer)
    assert peer.received == MEBIBYTE
    peer.write(MEBIBYTE)
    assert data(run(ours, peer)) == MEBIBYTE
    ours.send(Close())
    assert run(ours, peer) == []
    assert peer.closed
    peer.close()
    assert kinds(run(ours, peer)) == [PeerClosed]
    assert peer.error is None


def test_our_client_full_and_resumed() -> None:
    context = server_context(server_identity(), alpn=["http/1.1", "h2"])
    ours, peer, happened = our_client(context, alpn_protocols=(b"h2",))
    assert kinds(happened) == [HandshakeCompleted, TicketReceived, TicketReceived]
    assert not ours.resumed
    assert ours.alpn_protocol == b"h2"
    assert ours.peer_certificates == server_identity().chain_der
    exchange(ours, peer)

    ticket = happened[-1]
    assert isinstance(ticket, TicketReceived)
    ours, peer, happened = our_client(context, ticket.session, alpn_protocols=(b"h2",))
    assert kinds(happened) == [HandshakeCompleted, TicketReceived]
    assert ours.resumed
    assert peer.tls.session_reused
    exchange(ours, peer)


def test_our_server_full_and_resumed() -> None:
    config = server_config(alpn_protocols=(b"h2", b"http/1.1"))
    context = client_context(authority(), alpn=["http/1.1", "h2"])
    ours, peer, happened = our_server(context, config=config)
    assert kinds(happened) == [HandshakeCompleted, TicketIssued, TicketIssued]
    assert ours.server_name == "server.example"
    assert ours.alpn_protocol == b"h2" == str(peer.tls.selected_alpn_protocol()).encode()
    exchange(ours, peer)

    ours, peer, happened = our_server(context, peer.tls.session, config=config)
    assert kinds(happened) == [HandshakeCompleted, TicketIssued]
    assert ours.resumed
    assert peer.tls.session_reused
    exchange(ours, peer)


def test_our_client_after_a_retry() -> None:
    context = server_context(server_identity())
    context.set_ecdh_curve("secp521r1")
    ours, peer, _ = our_client(context)
    assert ours.group == NamedGroup.SECP521R1
    exchange(ours, peer)


def test_our_server_after_a_retry() -> None:
    ours, peer, _ = our_server(client_context(authority()), groups=(NamedGroup.SECP384R1,))
    assert ours.group == NamedGroup.SECP384R1
    exchange(ours, peer)


def test_our_client_shows_its_certificate() -> None:
    context = server_context(server_identity(), authority())
    ours, peer, _ = our_client(context, credentials=(client_credential(),))
    assert peer.tls.getpeercert(binary_form=True) == client_identity().chain_der[0]
    exchange(ours, peer)


def test_our_client_without_the_certificate_that_is_required() -> None:
    ours, _, happened = our_client(server_context(server_identity(), authority()))
    last = happened[-1]
    assert isinstance(last, ConnectionTerminated)
    assert last.by_peer
    assert ours.state == "Ended"


def test_our_server_asks_for_a_certificate() -> None:
    ours, peer, happened = our_server(
        client_context(authority(), client_identity()),
        client_authentication=ClientAuthentication.REQUIRED,
        trust_anchors=anchors(),
    )
    assert kinds(happened) == [HandshakeCompleted, TicketIssued, TicketIssued]
    assert ours.peer_certificates[0] == client_identity().chain_der[0]
    exchange(ours, peer)


def test_our_server_misses_the_certificate_that_it_requires() -> None:
    _, peer, happened = our_server(
        client_context(authority()),
        client_authentication=ClientAuthentication.REQUIRED,
        trust_anchors=anchors(),
    )
    last = happened[-1]
    assert isinstance(last, ConnectionTerminated)
    assert last.reason is Reason.CERTIFICATE_REQUIRED
    assert "certificate required" in str(peer.error)


def test_our_client_does_not_trust_the_server() -> None:
    stranger = new_authority("another root").issue("server.example")
    _, peer, happened = our_client(server_context(stranger))
    last = happened[-1]
    assert isinstance(last, ConnectionTerminated)
    assert last.reason is Reason.CERTIFICATE_UNTRUSTED
    assert "unknown ca" in str(peer.error)


def test_the_client_does_not_trust_our_server() -> None:
    _, peer, happened = our_server(client_context(new_authority("another root")))
    last = happened[-1]
    assert isinstance(last, ConnectionTerminated)
    assert last.by_peer
    assert last.detail == "unknown_ca"
    assert "certificate verify failed" in str(peer.error)


@pytest.mark.parametrize("request_peer", [False, True])
def test_our_server_updates_its_keys(request_peer: bool) -> None:
    ours, peer, _ = our_server(client_context(authority()))
    ours.send(UpdateKeys(request_peer=request_peer))
    happened = run(ours, peer)
    assert [event for event in happened if isinstance(event, KeysUpdated) and event.by_peer] == []
    peer.write(b"x")  # the answer to a request waits for the next write
    happened = run(ours, peer)
    assert (KeysUpdated in kinds(happened)) == request_peer
    assert data(happened) == b"x"
    exchange_after_update(ours, peer)


def exchange_after_update(ours: ServerConnection, peer: StdlibPeer) -> None:
    ours.send(SendData(b"after"))
    run(ours, peer)
    assert peer.received == b"after"
    peer.write(b"y")
    assert data(run(ours, peer)) == b"y"


def test_a_cut_stream_is_told_from_a_clean_end() -> None:
    ours, peer, _ = our_server(client_context(authority()))
    (last,) = ours.receive_data(b"")
    assert isinstance(last, ConnectionTerminated)
    assert last.reason is Reason.TRUNCATED
    ours, peer, _ = our_server(client_context(authority()))
    peer.close()
    assert kinds(run(ours, peer)) == [PeerClosed]
    assert ours.receive_data(b"") == []
