"""Where a client begins: its first ClientHello."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sansticket.config import ClientConfig
from sansticket.crypto.groups import KeyExchange, generate
from sansticket.crypto.inspection import is_ip_address
from sansticket.errors import ConfigError
from sansticket.events import VerifyPeer
from sansticket.handshake.authentication import signature_extensions
from sansticket.handshake.client13_hello import WaitServerHello
from sansticket.handshake.client_offer import ClientOffer, fit_sessions
from sansticket.handshake.machine import Flight
from sansticket.keys.transcript import Transcript
from sansticket.tickets.session import Session
from sansticket.wire.codes import PskKeyExchangeMode
from sansticket.wire.extensions import (
    ApplicationProtocols,
    Extension,
    KeyShareEntry,
    KeyShareOffer,
    PostHandshakeAuth,
    PskKeyExchangeModes,
    ServerNameList,
    SupportedGroups,
    SupportedVersions,
    TicketRequest,
)
from sansticket.wire.messages import ClientHello

MAX_NAME: Final = 255

MAX_EXTENSIONS: Final = 65_535
"""Bytes of extensions in a ClientHello; its few other bytes are not worth telling apart."""


def start(
    config: ClientConfig, server_name: str | None, sessions: Sequence[Session], flight: Flight
) -> WaitServerHello:
    """The first flight: one ClientHello, with the sessions that are fit to be offered."""
    key_exchanges = tuple(generate(group, flight.entropy) for group in config.key_share_groups())
    hello = ClientHello(
        random=flight.entropy(32),
        session_id=flight.entropy(32) if config.middlebox_compatibility else b"",
        cipher_suites=config.cipher_suites,
        extensions=hello_extensions(config, server_name, key_exchanges),
    )
    room = MAX_EXTENSIONS - len(hello.encode()) if sessions else 0
    fit, identities = fit_sessions(config, server_name, sessions, flight.now, room)
    offer = ClientOffer(config, server_name, key_exchanges, hello, fit, fit, identities, Transcript())
    return WaitServerHello(offer.sent(flight))


def hello_extensions(
    config: ClientConfig, server_name: str | None, key_exchanges: Sequence[KeyExchange]
) -> tuple[Extension, ...]:
    """All but pre_shared_key, which must be the last and depends on the others."""
    shares = tuple(KeyShareEntry(exchange.group, exchange.public) for exchange in key_exchanges)
    extensions: list[Extension] = []
    if server_name is not None and not is_ip_address(server_name):
        extensions.append(ServerNameList(server_name.encode("ascii")))
    extensions.append(SupportedGroups(config.groups))
    extensions.extend(signature_extensions(config))
    if config.alpn_protocols:
        extensions.append(ApplicationProtocols(config.alpn_protocols))
    extensions.append(SupportedVersions(config.versions))
    extensions.append(PskKeyExchangeModes((PskKeyExchangeMode.PSK_DHE_KE,)))
    extensions.append(KeyShareOffer(shares))
    if config.post_handshake_auth:
        extensions.append(PostHandshakeAuth())
    if config.ticket_request is not None:
        extensions.append(TicketRequest(*config.ticket_request))
    return tuple(extensions)


def normal_server_name(server_name: str | None, config: ClientConfig) -> str | None:
    """The name as it is sent and compared: lower case, no dot at the end.  ConfigError if it can be none."""
    if server_name is None:
        if config.verify_peer and VerifyPeer not in config.answers:
            raise ConfigError(
                "server_name", "None, but certificates are verified; expected the name of the server"
            )
        return None
    name = server_name.lower().removesuffix(".")
    if not name.isascii() or not 0 < len(name) <= MAX_NAME:
        raise ConfigError(
            "server_name",
            f"{server_name!r}; expected 1 to {MAX_NAME} ASCII characters (IDNA A-labels for other scripts)",
        )
    return name
