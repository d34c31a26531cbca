"""Where a client begins: its first ClientHello."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from sansticket.codes import ProtocolVersion
from sansticket.config.checks import check_type
from sansticket.config.client import ClientConfig
from sansticket.crypto.groups import KeyExchange, generate
from sansticket.crypto.inspection import is_ip_address
from sansticket.crypto.suites import SUITES
from sansticket.errors import ConfigError
from sansticket.events import VerifyPeer
from sansticket.handshake.client.early_data import WaitServerHelloWithEarlyData, begin_early_data
from sansticket.handshake.client.offer import OFFER_OVERHEAD, ClientOffer, room_in, size_of
from sansticket.handshake.client.sessions import fit_sessions
from sansticket.handshake.client.wait import WaitServerHello
from sansticket.handshake.common.names import normal_name
from sansticket.handshake.machine.flight import Flight
from sansticket.keys.transcript import NOTHING_SAID
from sansticket.tickets.session import Session
from sansticket.wire.extensions.base import Extension
from sansticket.wire.extensions.key_exchange import KeyShareEntry, KeyShareOffer
from sansticket.wire.extensions.negotiation import ServerNameList
from sansticket.wire.extensions.resumption import TicketRequest
from sansticket.wire.extensions.tls12 import SessionTicketExtension
from sansticket.wire.messages.hello import ClientHello

TLS12: Final = ProtocolVersion.TLS_1_2
TLS13: Final = ProtocolVersion.TLS_1_3


known_ticket_request: Final = lru_cache(maxsize=64)(TicketRequest)
"""There are few: what a program has room for is at most what it keeps for a server."""

EARLY_DATA_SIZE: Final = 4
"""Bytes of the early_data extension."""

AMPLE: Final = 24_576
"""Bytes that are free in any ClientHello, whatever the config: who needs no more need not measure.  The longest list of
protocols has 32,767 bytes, a share for every group 3,000."""


def start(
    config: ClientConfig,
    server_name: str | None,
    sessions: Sequence[Session],
    flight: Flight,
    ticket_request: tuple[int, int] | None,
) -> WaitServerHello | WaitServerHelloWithEarlyData:
    """The first flight: one ClientHello, with the sessions that are fit to be offered."""
    versions = config.usable_versions
    groups = config.key_share_groups if TLS13 in versions else ()
    key_exchanges = tuple([generate(group, flight.entropy) for group in groups])
    random = flight.entropy(32)
    session_id = flight.entropy(32) if config.middlebox_compatibility and TLS13 in versions else b""
    suites = config.suites_offered
    extensions = hello_extensions(config, server_name, key_exchanges, ticket_request)
    psks, ample = config.usable_psks, sum(map(size_of, sessions)) <= AMPLE - OFFER_OVERHEAD
    room = AMPLE if ample and not psks else room_in(extensions)
    room -= EARLY_DATA_SIZE if config.early_data else 0
    fit, places, identities = fit_sessions(config, server_name, sessions, flight.now, room)
    sessions13 = tuple([session for session in fit if session.version == TLS13])
    if sessions13:
        suites = preferring(suites, SUITES[sessions13[0].cipher_suite].hash_name)
    elif psks:
        suites = preferring(suites, psks[0].hash_name)
    session12 = None
    if len(sessions13) < len(fit):
        (session12,) = [session for session in fit if session.version == TLS12]
        session_id, extensions = showing(session12, session_id, extensions, flight)
    hello = ClientHello(random, session_id, suites, extensions)
    shown = fit, sessions13, session12, identities
    offer = ClientOffer(config, server_name, key_exchanges, hello, *shown, NOTHING_SAID, places, psks)
    flight.learn(server_name=server_name)
    return begin_early_data(offer, flight) if config.early_data else WaitServerHello(offer.sent(flight))


def hello_extensions(
    config: ClientConfig,
    server_name: str | None,
    key_exchanges: Sequence[KeyExchange],
    ticket_request: tuple[int, int] | None,
) -> tuple[Extension, ...]:
    """All but pre_shared_key, which must be the last and depends on the others."""
    extensions = config.fixed_extensions
    if server_name is not None:
        extensions = naming(server_name) + extensions
    if TLS13 in config.usable_versions:  # without any share it asks for a retry
        shares = tuple([KeyShareEntry(exchange.group, exchange.public) for exchange in key_exchanges])
        if ticket_request is not None:
            extensions = (*extensions, known_ticket_request(*ticket_request))
        extensions = (*extensions, KeyShareOffer(shares))
    return extensions


@lru_cache(maxsize=64)
def naming(server_name: str) -> tuple[Extension, ...]:
    """server_name, if it is not an IP address (RFC 6066 section 3).  A program goes to the same few servers."""
    return () if is_ip_address(server_name) else (ServerNameList(server_name.encode("ascii")).kept(),)


@lru_cache(maxsize=64)
def preferring(suites: tuple[int, ...], hash_name: str) -> tuple[int, ...]:
    """With the TLS 1.3 suites of this hash before the others.  A program offers the same suites every time.

    A session goes on under its own hash only, and there are servers, OpenSSL's among them, that choose the
    client's favourite suite before they look at its ticket.  A session that was made by another program, or
    under another config, may not have the hash of our favourite.
    """
    fitting = tuple([one for one in suites if one >> 8 == 0x13 and SUITES[one].hash_name == hash_name])
    return fitting + tuple([one for one in suites if one not in fitting])


def showing(
    session: Session, session_id: bytes, extensions: tuple[Extension, ...], flight: Flight
) -> tuple[bytes, tuple[Extension, ...]]:
    """Session id and extensions of a hello that shows a TLS 1.2 session, by its ticket or by its id.

    With a ticket any id will do, but there must be one: a server echoes it if it takes the ticket (RFC 5077
    section 3.4).
    """
    types = [one.type for one in extensions]
    if not session.ticket or SessionTicketExtension.type not in types:
        return session.session_id, extensions
    place = types.index(SessionTicketExtension.type)
    extensions = (*extensions[:place], SessionTicketExtension(session.ticket), *extensions[place + 1 :])
    return session_id or flight.entropy(32), extensions


def normal_server_name(server_name: str | None, config: ClientConfig) -> str | None:
    """The name as it is sent and compared: lower case, no dot at the end.  ConfigError if it can be none."""
    if server_name is None:
        if config.verify_peer and VerifyPeer not in config.answers and not config.psk_only:
            raise ConfigError(
                "server_name", "None, but certificates are verified; expected the name of the server"
            )
        return None
    check_type("server_name", server_name, str, "a string, or None")
    return normal_name(server_name)
