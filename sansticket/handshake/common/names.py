"""The server name and the application protocol, on which both versions agree alike (RFC 6066 section 3, RFC 7301)."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from sansticket.crypto.inspection import MAX_NAME, is_host_name, is_ip_address
from sansticket.errors import ConfigError, Fault, Reason
from sansticket.text import quoted
from sansticket.wire.extensions.negotiation import ApplicationProtocols, ServerNameList
from sansticket.wire.messages.base import ExtensionsMessage
from sansticket.wire.messages.hello import ClientHello

if TYPE_CHECKING:
    from sansticket.config.client import ClientConfig
    from sansticket.config.server import ServerConfig
    from sansticket.crypto.certificates import Credential

_ZONE: Final = re.compile(r"(?<=[0-9a-f:])%[!-~]+\Z")
"""Of an IPv6 address in text (RFC 4007 section 11)."""


@lru_cache(maxsize=256)
def is_dns_name(name: str) -> bool:
    """Whether a name can stand in server_name: RFC 6066 section 3 wants a DNS name, without a dot at its end.

    That is 1 to 253 characters, in labels of 1 to 63 letters, digits, hyphens and underscores.  Underscores, and
    hyphens at the ends of a label, are in no host name (RFC 1123 section 2.1), and in use all the same.  An IP address
    is none.  The client asks this of its own names, so what it sends is what a server takes; and every such name can
    be verified.
    """
    return is_host_name(name) and not is_ip_address(name)


@lru_cache(maxsize=256)
def normal_name(server_name: str) -> str:
    """The name that a client was given as it is sent, compared and verified: lower case, no dot at the end, no zone.

    The zone of an IPv6 address says through which of our interfaces it is reached, and is nobody else's concern.
    ConfigError ``server_name`` for what is neither a DNS name nor an IP address.
    """
    name = server_name.lower().removesuffix(".")
    if not name.isascii() or not 0 < len(name) <= MAX_NAME:
        raise ConfigError(
            "server_name",
            f"{quoted(server_name)}; expected 1 to {MAX_NAME} ASCII characters (IDNA A-labels for other scripts)",
        )
    if ":" in name:
        name = _ZONE.sub("", name)
    if not is_dns_name(name) and not is_ip_address(name):
        raise ConfigError("server_name", f"{quoted(server_name)}; expected a host name or an IP address")
    return name


def server_name_of(hello: ClientHello) -> str | None:
    """The host name of the server_name extension, in lower case (RFC 6066 section 3)."""
    extension = hello.find(ServerNameList)
    if extension is None:
        return None
    name = extension.host_name.decode("ascii").lower()  # the wire has made sure that it is ASCII
    return name if is_dns_name(name) else name_meant(name)


def name_meant(name: str) -> str | None:
    """What stands for the name of a client that says what it should not, and means no harm; Fault for all else.

    Browsers leave the dot at the end that stood in the URL, and so does whoever gives OpenSSL a name with one: it is no
    part of the name.  Who gives OpenSSL an IP address, or Python's ssl one with a dot or a zone, has told us no name.
    """
    meant = name.removesuffix(".")
    if is_ip_address(meant.partition("%")[0]):
        return None
    if not is_dns_name(meant):
        raise Fault(
            Reason.ILLEGAL_VALUE, f"server_name {quoted(name)}, {len(name)} bytes, which is no DNS name"
        )
    return meant


def credentials_named(config: ServerConfig, server_name: str | None) -> tuple[Credential, ...]:
    """Those whose certificate is for the name that the client asks for; none where it asks for none."""
    if server_name is None:
        return ()
    return tuple([one for one in config.credentials if one.matches(server_name)])


def select_protocol(config: ServerConfig, hello: ClientHello) -> bytes | None:
    """RFC 7301 section 3.2: ours in our order; no overlap is fatal."""
    offered = hello.find(ApplicationProtocols)
    if offered is None or not config.alpn_protocols:
        return None
    for protocol in config.alpn_protocols:
        if protocol in offered.protocols:
            return protocol
    raise Fault(Reason.NO_COMMON_APPLICATION_PROTOCOL, f"the client offers {quoted(offered.protocols)}")


def selected_protocol(config: ClientConfig, message: ExtensionsMessage) -> bytes | None:
    """RFC 7301 section 3.1: exactly one protocol, of those that were offered."""
    answer = message.find(ApplicationProtocols)
    if answer is None:
        return None
    if len(answer.protocols) != 1:
        raise Fault(Reason.ILLEGAL_VALUE, f"{len(answer.protocols)} protocols in ALPN; expected exactly one")
    if answer.protocols[0] not in config.alpn_protocols:
        raise Fault(Reason.UNOFFERED_APPLICATION_PROTOCOL, quoted(answer.protocols[0]))
    return answer.protocols[0]
