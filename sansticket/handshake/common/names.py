"""The server name and the application protocol, on which both versions agree alike (RFC 6066 section 3, RFC 7301)."""

from __future__ import annotations

from typing import Final

from sansticket.config.client import ClientConfig
from sansticket.config.server import ServerConfig
from sansticket.errors import Fault, Reason
from sansticket.wire.extensions.negotiation import ApplicationProtocols, ServerNameList
from sansticket.wire.messages.base import ExtensionsMessage
from sansticket.wire.messages.hello import ClientHello

MAX_NAME: Final = 255
"""Bytes of a host name: the limit of the DNS (RFC 1035 section 2.3.4), and of what a session can hold."""


def server_name_of(hello: ClientHello) -> str | None:
    """The host name of the server_name extension, in lower case (RFC 6066 section 3)."""
    extension = hello.find(ServerNameList)
    if extension is None:
        return None
    name = extension.host_name
    if len(name) > MAX_NAME:
        raise Fault(
            Reason.ILLEGAL_VALUE, f"a host_name of {len(name)} bytes; no host has more than {MAX_NAME}"
        )
    return name.decode("ascii").lower()  # the wire has made sure that it is ASCII


def select_protocol(config: ServerConfig, hello: ClientHello) -> bytes | None:
    """RFC 7301 section 3.2: ours in our order; no overlap is fatal."""
    offered = hello.find(ApplicationProtocols)
    if offered is None or not config.alpn_protocols:
        return None
    for protocol in config.alpn_protocols:
        if protocol in offered.protocols:
            return protocol
    raise Fault(Reason.NO_COMMON_APPLICATION_PROTOCOL, f"the client offers {offered.protocols!r}")


def selected_protocol(config: ClientConfig, message: ExtensionsMessage) -> bytes | None:
    """RFC 7301 section 3.1: exactly one protocol, of those that were offered."""
    answer = message.find(ApplicationProtocols)
    if answer is None:
        return None
    if len(answer.protocols) != 1:
        raise Fault(Reason.ILLEGAL_VALUE, f"{len(answer.protocols)} protocols in ALPN; expected exactly one")
    if answer.protocols[0] not in config.alpn_protocols:
        raise Fault(Reason.UNOFFERED_APPLICATION_PROTOCOL, repr(answer.protocols[0]))
    return answer.protocols[0]
