"""An established TLS 1.2 connection: nothing but data, since there is no renegotiation.

The peer may ask for one.  It is told no, by an alert that leaves the connection as it is (RFC 5246 section
7.2.2); the connection bounds how often.

Transitions (``python -m tools.transitions --write``):

    ClientConnected  HelloRequest,
                     SendData       ClientConnected
    ServerConnected  ClientHello,
                     SendData       ServerConnected
"""

from __future__ import annotations

from typing import ClassVar, Self

from sansticket.codes import AlertDescription
from sansticket.commands import SendData
from sansticket.handshake.machine.established import Established
from sansticket.handshake.machine.flight import Flight
from sansticket.handshake.tls12.states import State
from sansticket.values import value
from sansticket.wire.messages.hello import ClientHello, HelloRequest


@value
class Connected(State):
    """Both Finished messages were right."""

    ESTABLISHED: ClassVar[bool] = True

    established: Established

    @property
    def sends_at_once(self) -> bool:
        return True

    def on_send_data(self, command: SendData, flight: Flight) -> Self:
        flight.send_application_data(bytes(command.data))
        return self


class ClientConnected(Connected):
    __slots__ = ()

    def on_hello_request(self, message: HelloRequest, flight: Flight) -> Self:
        flight.send_warning(AlertDescription.NO_RENEGOTIATION)
        return self


class ServerConnected(Connected):
    __slots__ = ()

    def on_client_hello(self, message: ClientHello, flight: Flight) -> Self:
        flight.send_warning(AlertDescription.NO_RENEGOTIATION)
        return self
