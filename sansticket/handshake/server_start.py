"""Where a server begins: the first ClientHello, the choice of the config, and the protocol version."""

from __future__ import annotations

from typing import Final

from attrs import frozen

from sansticket.commands import UseConfig
from sansticket.config import ServerConfig
from sansticket.errors import Fault, Reason
from sansticket.events import SelectConfig
from sansticket.handshake.machine import Asking, Flight, State
from sansticket.handshake.server13_hello import WaitSecondClientHello, begin
from sansticket.handshake.server13_negotiation import server_name_of
from sansticket.handshake.server13_psk import AfterHello
from sansticket.wire.codes import ProtocolVersion
from sansticket.wire.extensions import ApplicationProtocols, SupportedVersions
from sansticket.wire.messages import ClientHello

SSL_3_0: Final = 0x0300


@frozen
class WaitClientHello(State):
    """Nothing has come yet.  RFC 9846 appendix A.2, START."""

    config: ServerConfig

    def on_client_hello(self, message: ClientHello, flight: Flight) -> AskSelectConfig:
        return AskSelectConfig(self.config, message, flight.received)


@frozen
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

    def on_use_config(self, command: UseConfig, flight: Flight) -> AfterHello | WaitSecondClientHello:
        config = command.config
        if config is not self.config:
            flight.use_config(config)
        check_version(config, self.hello)
        return begin(config, self.hello, self.raw_hello, flight)


def check_version(config: ServerConfig, hello: ClientHello) -> None:
    """Both sides have TLS 1.3 (RFC 9846 section 4.3.1), and nobody speaks of SSL 3.0 (appendix E.5)."""
    if hello.legacy_version <= SSL_3_0:
        raise Fault(Reason.UNSUPPORTED_VERSION, f"legacy_version {hello.legacy_version:#06x}")
    offered = hello.find(SupportedVersions)
    if offered is None or ProtocolVersion.TLS_1_3 not in offered.versions:
        versions = offered.versions if offered is not None else (hello.legacy_version,)
        named = ", ".join(f"{version:#06x}" for version in versions)
        raise Fault(Reason.UNSUPPORTED_VERSION, f"the client offers {named}; expected 0x0304")
