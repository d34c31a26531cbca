"""What a client of OpenSSL sees of it when its session is taken back: Python's ``ssl``, in memory."""

from __future__ import annotations

import ssl
import time

import pytest

from sansticket import (
    CheckRevocations,
    ConnectionTerminated,
    PrepareTicket,
    Reason,
    Revocations,
    SealTicket,
    SendData,
    ServerConfig,
    ServerConnection,
)
from tests.support.certificates import authority
from tests.support.configs import server_config
from tests.support.stdlib_peer import StdlibPeer, client_context, run

VERSIONS = {"1.3": ssl.TLSVersion.TLSv1_3, "1.2": ssl.TLSVersion.TLSv1_2}


@pytest.fixture(params=VERSIONS)
def context(request: pytest.FixtureRequest) -> ssl.SSLContext:
    return client_context(authority(), version=VERSIONS[request.param])


def connect(
    context: ssl.SSLContext, config: ServerConfig, session: ssl.SSLSession | None = None
) -> tuple[ServerConnection, StdlibPeer]:
    ours, peer = ServerConnection(config), StdlibPeer(context, session=session)
    run(ours, peer)
    ours.send(SendData(b"hello"))
    run(ours, peer)
    assert peer.received == b"hello"
    return ours, peer


def test_it_gets_a_full_handshake_and_on_an_open_connection_an_alert(context: ssl.SSLContext) -> None:
    revocations = Revocations()
    config = server_config(
        revocations=revocations, answers={PrepareTicket: lambda _: SealTicket(b"alice")}, clock=time.time
    )
    first, peer = connect(context, config)
    second, resumed = connect(context, config, peer.tls.session)
    assert resumed.tls.session_reused
    new = revocations.revoke_subject(b"alice", time.time() + 1)
    for ours, theirs in ((first, peer), (second, resumed)):
        (end,) = ours.send(CheckRevocations())
        assert isinstance(end, ConnectionTerminated)
        assert end.reason is Reason.SESSION_REVOKED
        run(ours, theirs)
        assert isinstance(theirs.error, ssl.SSLError)
        assert theirs.error.reason == "TLSV1_ALERT_ACCESS_DENIED"
    _, refused = connect(context, config, peer.tls.session)
    assert not refused.tls.session_reused
    assert revocations.to_bytes() == new.to_bytes()
