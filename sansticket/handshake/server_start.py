"""Where a server begins: the first ClientHello, the choice of the config, and the protocol version."""

from __future__ import annotations

from sansticket.commands import UseConfig
from sansticket.config import ServerConfig
from sansticket.events import SelectConfig
from sansticket.handshake.machine import Asking, Flight, State
from sansticket.handshake.names import server_name_of
from sansticket.handshake.server12_search import AfterHello12, begin12
from sansticket.handshake.server13_hello import WaitSecondClientHello, begin
from sansticket.handshake.server13_psk import AfterHello
from sansticket.handshake.versions import select_version
from sansticket.values import value
from sansticket.wire.codes import ProtocolVersion
from sansticket.wire.extensions import ApplicationProtocols
from sansticket.wire.messages import ClientHello


@value
class WaitClientHello(State):
    """Nothing has come yet.  RFC 9846 appendix A.2, START."""

    config: ServerConfig

    def on_client_hello(self, message: ClientHello, flight: Flight) -> AskSelectConfig:
        return AskSelectConfig(self.config, message, flight.received)


@value
class AskSelectConfig(Asking):
    """Which config serves this client?  Asked before anything of the hello is acted upon."""

    QUESTION = SelectConfig

    config: ServerConfig
    hello: ClientHello
    raw_hello: bytes

    def question(self) -> SelectConfig:
        alpn = self.hello.find(ApplicationProtocols)
        return SelectConfig(
            self.hello, server_name_of(self.hello), alpn.protocols if alpn is not None else ()
        )

    def default_answer(self, now: float) -> UseConfig:
        return UseConfig(self.config)

    def on_use_config(
        self, command: UseConfig, flight: Flight
    ) -> AfterHello | WaitSecondClientHello | AfterHello12:
        config = command.config
        if config is not self.config:
            flight.use_config(config)
        if select_version(config, self.hello) == ProtocolVersion.TLS_1_2:
            return begin12(config, self.hello, self.raw_hello, flight)
        return begin(config, self.hello, self.raw_hello, flight)
