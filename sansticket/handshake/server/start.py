"""Where a server begins: the first ClientHello, the choice of the config, and the protocol version.

Transitions (``python -m tools.transitions --write``):

    WaitClientHello  ClientHello  AskSelectConfig, tls13.AskOpenTicket, tls13.AskDecideTicket,
                                  tls13.AskLookUpSession, tls13.AskAdmitSession, tls13.AskClaimSession,
                                  tls13.AskLookUpPsk, tls13.AskAdmitEarlyData, tls13.AskClaimEarlyData,
                                  tls13.AskSign, tls13.WaitClientFinished, tls13.WaitEndOfEarlyData,
                                  tls13.WaitSecondClientHello, tls13.WaitClientHelloWithCookie,
                                  tls12.AskOpenTicket, tls12.AskDecideTicket, tls12.AskLookUpSession,
                                  tls12.AskAdmitSession, tls12.AskSignExchange, tls12.AskPrepareTicket,
                                  tls12.AskProtectTicket, tls12.WaitClientChangeCipherSpec
    AskSelectConfig  UseConfig    tls13.AskOpenTicket, tls13.AskDecideTicket, tls13.AskLookUpSession,
                                  tls13.AskAdmitSession, tls13.AskClaimSession, tls13.AskLookUpPsk,
                                  tls13.AskAdmitEarlyData, tls13.AskClaimEarlyData, tls13.AskSign,
                                  tls13.WaitClientFinished, tls13.WaitEndOfEarlyData, tls13.WaitSecondClientHello,
                                  tls13.WaitClientHelloWithCookie, tls12.AskOpenTicket, tls12.AskDecideTicket,
                                  tls12.AskLookUpSession, tls12.AskAdmitSession, tls12.AskSignExchange,
                                  tls12.AskPrepareTicket, tls12.AskProtectTicket, tls12.WaitClientChangeCipherSpec
"""

from __future__ import annotations

from sansticket.codes import ProtocolVersion
from sansticket.commands import UseConfig
from sansticket.config.server import ServerConfig
from sansticket.events import SelectConfig
from sansticket.handshake.common.names import server_name_of
from sansticket.handshake.common.versions import select_version
from sansticket.handshake.machine.flight import Flight
from sansticket.handshake.machine.state import Asking, State
from sansticket.handshake.server.tls12.rules import AfterHello as AfterHello12
from sansticket.handshake.server.tls12.rules import begin as begin12
from sansticket.handshake.server.tls13.hello import AfterFirstHello, begin
from sansticket.values import value
from sansticket.wire.extensions.negotiation import ApplicationProtocols
from sansticket.wire.messages.hello import ClientHello


@value
class WaitClientHello(State):
    """Nothing has come yet.  RFC 9846 appendix A.2, START."""

    config: ServerConfig

    @property
    def overlooks_change_cipher_spec(self) -> bool:
        """It may stand before the second hello, when another connection took the first (RFC 9846 section 4.3.2)."""
        return self.config.stateless_retry is not None

    def on_client_hello(
        self, message: ClientHello, flight: Flight
    ) -> AskSelectConfig | AfterFirstHello | AfterHello12:
        if SelectConfig in self.config.answers:
            flight.learn(server_name=server_name_of(message))
            return AskSelectConfig(self.config, message, flight.received)
        return answer(self.config, message, flight.received, flight)


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

    def on_use_config(self, command: UseConfig, flight: Flight) -> AfterFirstHello | AfterHello12:
        config = command.config
        if config is not self.config:
            flight.use_config(config)
        return answer(config, self.hello, self.raw_hello, flight)


def answer(
    config: ServerConfig, hello: ClientHello, raw_hello: bytes, flight: Flight
) -> AfterFirstHello | AfterHello12:
    """The config is chosen; so is the version then."""
    if select_version(config, hello) == ProtocolVersion.TLS_1_2:
        return begin12(config, hello, raw_hello, flight)
    return begin(config, hello, raw_hello, flight)
