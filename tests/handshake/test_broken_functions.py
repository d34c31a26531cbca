"""Functions of the config that raise: the connection ends in good order, and says what happened."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sansticket.codes import AlertDescription, AlertLevel
from sansticket.commands import SendData, UpdateKeys
from sansticket.errors import LocalProtocolError, Reason
from sansticket.events import ConnectionTerminated
from sansticket.wire.messages.alert import Alert
from tests.support.hostile_client import HostileClient, quick_server
from tests.support.hostile_server import HostileServer, quick_client
from tests.support.refusals import ends


class Broken(Exception):
    pass


class BreaksLater:
    """Does what it should until ``broken`` is set."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.broken = False

    def __call__(self, *arguments: Any) -> Any:
        if self.broken:
            raise Broken
        return self.function(*arguments)


ALERT = Alert(AlertLevel.FATAL, AlertDescription.INTERNAL_ERROR)
FUNCTIONS = {
    "clock": BreaksLater(lambda: 1_800_000_000.0),
    "entropy": BreaksLater(lambda size: bytes(range(1, 1 + size % 200)) + bytes(size - size % 200)),
    "key_log": BreaksLater(lambda line: None),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@ends(Reason.INTERNAL_ERROR)
def test_while_reading(name: str) -> ConnectionTerminated:
    function = BreaksLater(FUNCTIONS[name].function)
    client = HostileClient(quick_server(**{name: function}))
    function.broken = True
    client.say_hello()
    end = client.events[-1]
    assert isinstance(end, ConnectionTerminated)
    assert isinstance(end.cause, Broken)
    assert end.alert == AlertDescription.INTERNAL_ERROR
    assert (
        client.listen().alerts == [ALERT] or name == "key_log"
    )  # that breaks when the keys are changed already
    return end


@pytest.mark.parametrize("side", ["client", "server"])
@ends(Reason.INTERNAL_ERROR)
def test_while_a_command_is_taken(side: str) -> ConnectionTerminated:
    clock = BreaksLater(FUNCTIONS["clock"].function)
    peer = (
        HostileClient(quick_server(clock=clock)).complete()
        if side == "server"
        else HostileServer(quick_client(clock=clock, verify_peer=False)).complete()
    )
    peer.listen()
    clock.broken = True
    (end,) = peer.victim.send(UpdateKeys())
    assert isinstance(end, ConnectionTerminated)
    assert isinstance(end.cause, Broken)
    assert peer.listen().alerts == [ALERT]
    assert peer.victim.state == "Ended"
    return end


@ends(Reason.INTERNAL_ERROR)
def test_padding_while_reading() -> ConnectionTerminated:
    """Without it not even the alert can be sent, and nobody claims that it was."""
    padding = BreaksLater(lambda size: 10)
    client = HostileClient(quick_server(padding=padding))
    padding.broken = True
    client.say_hello()
    end = client.events[-1]
    assert isinstance(end, ConnectionTerminated)
    assert isinstance(end.cause, Broken)
    assert end.alert is None
    assert client.victim.state == "Ended"
    return end


@ends(Reason.NOT_TLS)
def test_padding_of_an_alert() -> ConnectionTerminated:
    """The reason is still the peer's."""
    padding = BreaksLater(lambda size: 10)
    client = HostileClient(quick_server(padding=padding)).complete()
    client.listen()
    padding.broken = True
    with pytest.raises(LocalProtocolError, match="padding raised Broken") as caught:
        client.victim.send(SendData(b"x"))
    assert isinstance(caught.value.__cause__, Broken)
    client.deliver(b"garbage")
    end = client.events[-1]
    assert isinstance(end, ConnectionTerminated)
    assert isinstance(end.cause, Broken)
    assert end.alert is None
    assert client.victim.data_to_send() == b""
    return end
