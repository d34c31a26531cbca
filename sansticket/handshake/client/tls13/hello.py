"""The client between its ClientHello and the ServerHello, with a HelloRetryRequest in between perhaps.

RFC 9846 sections 4.2.2 to 4.2.4 and 4.3.11; appendix A.1, WAIT_SH.

Transitions (``python -m tools.transitions --write``):

    WaitServerHelloAfterRetry  ServerHello  WaitEncryptedExtensions
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from attrs import evolve

from sansticket.codes import ExtensionType, ProtocolVersion
from sansticket.crypto.groups import generate
from sansticket.crypto.hkdf import HASH_LENGTHS
from sansticket.crypto.suites import SUITES, SuiteParameters
from sansticket.errors import Fault, Reason
from sansticket.handshake.client.offer import ClientOffer
from sansticket.handshake.client.tls13.flight import ClientHandshake, WaitEncryptedExtensions
from sansticket.handshake.machine.flight import Flight
from sansticket.handshake.machine.state import State
from sansticket.handshake.machine.version import TLS_1_3
from sansticket.keys.tls13 import EarlySecret, traffic_keys
from sansticket.psk import ExternalPsk
from sansticket.text import quoted
from sansticket.tickets.session import Session
from sansticket.values import value
from sansticket.wire.extensions.base import Extension
from sansticket.wire.extensions.key_exchange import (
    KeyShareAnswer,
    KeyShareEntry,
    KeyShareOffer,
)
from sansticket.wire.extensions.negotiation import SelectedVersion
from sansticket.wire.extensions.resumption import PreSharedKeySelection
from sansticket.wire.messages.hello import HelloRetryRequest, ServerHello

TLS13: Final = ProtocolVersion.TLS_1_3

IN_SERVER_HELLO: Final = frozenset(
    {ExtensionType.SUPPORTED_VERSIONS, ExtensionType.KEY_SHARE, ExtensionType.PRE_SHARED_KEY}
)
"""What a TLS 1.3 ServerHello may carry; the rest belongs into EncryptedExtensions (RFC 9846 section 4.2.3)."""


@value
class WaitServerHelloAfterRetry(State):
    """We sent a second ClientHello.  RFC 9846 appendix A.1, WAIT_SH; a second retry is not accepted."""

    offer: ClientOffer
    suite: SuiteParameters
    group: int | None
    """The group that the retry asked for; None if it only brought a cookie."""

    def on_server_hello(self, message: ServerHello, flight: Flight) -> WaitEncryptedExtensions:
        if message.find(SelectedVersion) is None:
            raise Fault(Reason.CHANGED_AFTER_RETRY, "an older version; the retry had TLS 1.3")
        if message.cipher_suite != self.suite.suite:
            raise Fault(
                Reason.CHANGED_AFTER_RETRY,
                f"cipher suite {message.cipher_suite:#06x}; the retry had {self.suite.suite:#06x}",
            )
        answer = message.find(KeyShareAnswer)
        if self.group is not None and answer is not None and answer.share.group != self.group:
            raise Fault(
                Reason.CHANGED_AFTER_RETRY,
                f"a share for {answer.share.group:#06x}; the retry asked for {self.group:#06x}",
            )
        return take_server_hello(self.offer, message, flight)


def with_share_of(offer: ClientOffer, group: int, flight: Flight) -> ClientOffer:
    """A share of the group that the server wants: one that we have, and did not send already."""
    if group not in offer.config.groups:
        raise Fault(Reason.UNOFFERED_GROUP, f"{group:#06x} in HelloRetryRequest")
    if any(exchange.group == group for exchange in offer.key_exchanges):
        raise Fault(Reason.USELESS_RETRY, f"a share of {group:#06x} was sent already")
    exchange = generate(group, flight.entropy)
    offer = evolve(offer, key_exchanges=(exchange,))
    return offer.with_extension(KeyShareOffer((KeyShareEntry(group, exchange.public),)))


# --- the ServerHello -----------------------------------------------------------------------------------------


def take_server_hello(
    offer: ClientOffer, message: ServerHello, flight: Flight, *, early_data: bool = False
) -> WaitEncryptedExtensions:
    """The version, the suite, the group and the session are settled; the handshake keys follow.

    While ``early_data`` is on its way, what we write stays under its keys, and change_cipher_spec was sent before it.
    """
    suite = check_answer(offer, message)
    check_offered(message.extensions, offer)
    for extension in message.extensions:
        if extension.type not in IN_SERVER_HELLO:
            raise Fault(Reason.FORBIDDEN_EXTENSION, f"{quoted(extension)} in a TLS 1.3 ServerHello")
    selected = selected_psk(offer, message, suite)
    session, psk = (selected, None) if isinstance(selected, Session) else (None, selected)
    flight.learn(version=TLS13, session=session)
    group, shared_secret = exchanged(offer, message, psk)
    if selected is None:
        early = EarlySecret.without_psk(suite.hash_name)
    else:
        early = offer.early_secrets[(*offer.sessions, *offer.psks).index(selected)]
    if psk is not None:
        flight.learn(psk_identity=psk.identity)
    transcript = offer.transcript.with_hash(suite.hash_name, flight.received)
    secret = early.handshake(shared_secret)
    traffic = secret.traffic(transcript.digest())
    if offer.hello.session_id and not (offer.retried or early_data):
        flight.send_change_cipher_spec()
    flight.protect_reads(TLS_1_3, suite, traffic_keys(suite, traffic.server))
    if not early_data:
        flight.protect_writes(TLS_1_3, suite, traffic_keys(suite, traffic.client))
    if flight.logs_secrets:
        flight.log_secrets(offer.hello.random, traffic.named)
    handshake = ClientHandshake(offer, suite, group, session, secret, traffic, psk)
    return WaitEncryptedExtensions(handshake, transcript)


def check_answer(offer: ClientOffer, message: ServerHello | HelloRetryRequest) -> SuiteParameters:
    """What ServerHello and HelloRetryRequest have in common (RFC 9846 sections 4.2.3 and 4.2.4)."""
    selected = message.find(SelectedVersion)
    if selected is None:
        raise Fault(Reason.MISSING_EXTENSION, f"supported_versions in {type(message).__name__}")
    if TLS13 not in offer.config.usable_versions:
        raise Fault(Reason.UNSOLICITED_EXTENSION, quoted(selected))
    if selected.version != TLS13:
        raise Fault(Reason.ILLEGAL_VALUE, f"selected version {selected.version:#06x} in supported_versions")
    if message.legacy_version != ProtocolVersion.TLS_1_2:
        raise Fault(
            Reason.UNSUPPORTED_VERSION, f"legacy_version {message.legacy_version:#06x}; expected 0x0303"
        )
    if message.session_id != offer.hello.session_id:
        raise Fault(Reason.SESSION_ID_NOT_ECHOED)
    if isinstance(message, ServerHello) and message.compression_method != 0:
        raise Fault(Reason.ILLEGAL_VALUE, f"compression method {message.compression_method}")
    if message.cipher_suite not in offer.config.suites_of(TLS13):
        raise Fault(Reason.UNOFFERED_CIPHER_SUITE, f"{message.cipher_suite:#06x}")
    return SUITES[message.cipher_suite]


def check_offered(extensions: Sequence[Extension], offer: ClientOffer, also: int | None = None) -> None:
    """A server may answer only what was offered (RFC 9846 section 4.3)."""
    offered = offer.extension_types
    for extension in extensions:
        if extension.type not in offered and also != extension.type:
            raise Fault(Reason.UNSOLICITED_EXTENSION, quoted(extension))


def selected_psk(
    offer: ClientOffer, message: ServerHello, suite: SuiteParameters
) -> Session | ExternalPsk | None:
    """What goes on: a session, an external PSK, or neither, which is the end where no certificate would count."""
    selection = message.find(PreSharedKeySelection)
    if selection is None:
        if offer.config.psks and offer.config.psk_only:
            raise Fault(Reason.PSK_REQUIRED, "the server takes none of ours")
        return None
    index, sessions = selection.index, offer.sessions
    if index >= len(sessions) + len(offer.psks):
        raise Fault(Reason.BAD_PSK_SELECTION, f"identity {index} of {len(sessions) + len(offer.psks)}")
    if index < len(sessions):
        hash_name = SUITES[sessions[index].cipher_suite].hash_name
    else:
        hash_name = offer.psks[index - len(sessions)].hash_name
    if hash_name != suite.hash_name:
        raise Fault(Reason.BAD_PSK_SELECTION, f"identity {index} does not fit the suite's hash")
    return sessions[index] if index < len(sessions) else offer.psks[index - len(sessions)]


def exchanged(offer: ClientOffer, message: ServerHello, psk: ExternalPsk | None) -> tuple[int, bytes]:
    """The group and the shared secret; 0 and zeros where the PSK does without (RFC 9846 section 7.1)."""
    answer = message.find(KeyShareAnswer)
    if answer is None and psk is not None and psk.does_without_key_exchange:
        return 0, bytes(HASH_LENGTHS[psk.hash_name])
    if answer is None and message.find(PreSharedKeySelection) is not None:
        raise Fault(
            Reason.ILLEGAL_VALUE, "a pre-shared key without key_share; we offered it with psk_dhe_ke only"
        )
    if answer is None:
        raise Fault(Reason.MISSING_EXTENSION, "key_share in ServerHello")
    for exchange in offer.key_exchanges:
        if exchange.group == answer.share.group:
            return exchange.group, exchange.finish(answer.share.key_exchange)
    raise Fault(Reason.UNOFFERED_GROUP, f"a key share for {answer.share.group:#06x}")
