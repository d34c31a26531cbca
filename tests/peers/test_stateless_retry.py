"""Clients of OpenSSL whose second ClientHello is taken by another connection than the first."""

from __future__ import annotations

import os
from typing import Any, Final

import pytest

from sansticket.codes import NamedGroup
from sansticket.config.server import ServerConfig
from sansticket.connection.server import ServerConnection
from sansticket.debug.key_log import KeyLog
from sansticket.events import HandshakeCompleted
from sansticket.tickets.keys.ring import TicketKeyRing
from sansticket.tickets.keys.windowed import WindowedTicketKeys
from sansticket.wire.extensions.negotiation import Cookie
from sansticket.wire.messages.hello import ClientHello
from tests.support.certificates import authority
from tests.support.configs import server_config
from tests.support.credentials import NOW
from tests.support.foreign import FOREIGN, Foreign, Meeting
from tests.support.pair import whole

KEYS: Final = [
    TicketKeyRing.generate(NOW.timestamp(), os.urandom),
    WindowedTicketKeys(os.urandom(32), accept_for=0),
]
each = pytest.mark.parametrize("foreign", FOREIGN, ids=repr)
each_keys = pytest.mark.parametrize("keys", KEYS, ids=["ring", "windows"])


def config(keys: object) -> ServerConfig:
    """It wants a group that no client sends a share of unasked."""
    return server_config(groups=(NamedGroup.SECP384R1,), stateless_retry=keys)


def meet(foreign: Foreign, ours: ServerConfig, context: Any, session: Any = None) -> Meeting:
    """One connection of ours takes the first hello, another the second."""
    theirs = foreign.connect(context, server=False, server_name="server.example", session=session)
    first = ServerConnection(ours)
    hello = theirs.data_to_send()
    assert first.receive_data(hello) == []
    assert first.state == "tls13.WaitClientHelloWithCookie"
    retry = first.data_to_send()
    theirs.receive(retry)
    meeting = Meeting(foreign, ServerConnection(ours), theirs, KeyLog(), whole)
    meeting.wire[:0] = [("client", hello), ("server", retry)]
    return meeting


@each
@each_keys
def test_another_connection_goes_on(foreign: Foreign, keys: object) -> None:
    meeting = meet(foreign, config(keys), foreign.client(authority()))
    first, second = meeting.messages(ClientHello)
    assert first.find(Cookie) is None
    assert second.find(Cookie) is not None
    assert meeting.one(HandshakeCompleted).group == NamedGroup.SECP384R1
    meeting.exchange()


@each
def test_a_session_goes_on(foreign: Foreign) -> None:
    """Its binder is over both hellos and the retry; the ticket's keys and the cookie's are the same object."""
    ours = server_config(
        groups=(NamedGroup.SECP384R1,), stateless_retry=KEYS[0], ticket_keys=KEYS[0], clock=NOW.timestamp
    )
    context = foreign.client(authority())
    meeting = meet(foreign, ours, context)
    meeting.exchange()
    again = meet(foreign, ours, context, foreign.session(meeting.theirs))
    assert again.one(HandshakeCompleted).resumed
    assert foreign.resumed(again.theirs)
    again.exchange()


@each
def test_the_same_connection_goes_on(foreign: Foreign) -> None:
    context = foreign.client(authority())
    theirs = foreign.connect(context, server=False, server_name="server.example")
    meeting = Meeting(foreign, ServerConnection(config(KEYS[0])), theirs, KeyLog(), whole)
    assert meeting.messages(ClientHello)[1].find(Cookie) is not None
    meeting.exchange()
