"""A server's choice of config, when the ClientHello is there."""

from __future__ import annotations

from struct import unpack_from
from typing import Final, cast

from attrs import evolve

from sansticket.adapters.incoming import HEADER_LENGTH
from sansticket.adapters.members.settings import refuse_ask
from sansticket.adapters.profile import Profile
from sansticket.codes import AlertDescription, ContentType, ProtocolVersion
from sansticket.commands import AbortHandshake, UseConfig
from sansticket.config.choices import ClientAuthentication
from sansticket.config.server import ServerConfig
from sansticket.errors import Fault
from sansticket.events import SelectConfig
from sansticket.handshake.common.versions import select_version
from sansticket.handshake.machine.transitions import name_of
from sansticket.handshake.server.start import WaitClientHello
from sansticket.text import quoted

WAIT_CLIENT_HELLO: Final = name_of(WaitClientHello)
"""The state in which a server begins."""


def refusal(returned: object) -> AbortHandshake | None:
    """What an sni_callback means by what it returns: None goes on, an alert refuses, all else is an internal error."""
    if returned is None:
        return None
    try:
        return AbortHandshake(AlertDescription(cast(int, returned)))
    except ValueError:
        return AbortHandshake(AlertDescription.INTERNAL_ERROR)


def config_for(profile: Profile, question: SelectConfig) -> UseConfig | AbortHandshake:
    """What the application's own answer says, or else the config of the context, with what OpenSSL would make of it."""
    config = cast(ServerConfig, profile.config)
    if SelectConfig in config.answers:
        return _application_says(config, question)
    if profile.lenient_alpn and set(config.alpn_protocols).isdisjoint(question.alpn_protocols):
        config = evolve(config, alpn_protocols=())
    if profile.post_handshake_auth and _will_be_tls13(config, question):
        config = evolve(config, client_authentication=ClientAuthentication.NONE)
    return UseConfig(config)


def _application_says(config: ServerConfig, question: SelectConfig) -> UseConfig | AbortHandshake:
    command: object = config.answers[SelectConfig](question)  # type: ignore[operator]
    if isinstance(command, UseConfig):
        refuse_ask(command.config.answers)
        return command
    if isinstance(command, AbortHandshake):
        return command
    raise TypeError(f"{quoted(command)} as answer to SelectConfig; expected UseConfig or AbortHandshake")


def offered_suites(records: bytes | bytearray) -> tuple[int, ...]:
    """The cipher suites of a ClientHello, whole and well-formed, from the records in which it came.

    Alerts may stand among them: a warning that says nothing is passed over (``user_canceled``).
    """
    hello, start = bytearray(), 0
    while start < len(records):
        content_type, body = records[start], start + HEADER_LENGTH
        start = body + int.from_bytes(records[body - 2 : body])
        if content_type == ContentType.HANDSHAKE:
            hello += records[body:start]
    at = 4 + 2 + 32  # behind the header of the message, legacy_version and random
    at += 1 + hello[at]
    length = int.from_bytes(hello[at : at + 2])
    return unpack_from(f">{length // 2}H", hello, at + 2)


def _will_be_tls13(config: ServerConfig, question: SelectConfig) -> bool:
    try:
        return select_version(config, question.client_hello) == ProtocolVersion.TLS_1_3
    except Fault:
        return False
