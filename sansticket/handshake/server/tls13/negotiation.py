"""What a TLS 1.3 ClientHello and our config lead to, before any session is looked at (RFC 9846 section 4.3.1 on)."""

from __future__ import annotations

from typing import Final

from attrs import evolve, field

from sansticket.codes import ProtocolVersion, PskKeyExchangeMode
from sansticket.config.server import ServerConfig
from sansticket.config.tickets import NoTickets
from sansticket.crypto.suites import SUITES, SuiteParameters
from sansticket.errors import Fault, Reason
from sansticket.handshake.common.sizes import RecordSizes
from sansticket.keys.transcript import Transcript
from sansticket.text import listed
from sansticket.tickets.decision import TicketCounts
from sansticket.values import value
from sansticket.wire.extensions.key_exchange import KeyShareEntry, KeyShareOffer, SupportedGroups
from sansticket.wire.extensions.negotiation import SignatureAlgorithms
from sansticket.wire.extensions.resumption import (
    PreSharedKeyOffer,
    PskKeyExchangeModes,
    TicketRequest,
)
from sansticket.wire.messages.hello import ClientHello

TLS13: Final = ProtocolVersion.TLS_1_3


@value
class TicketNumbers:
    """What the number of automatic tickets depends on.

    ``num_tickets`` is the config's, ``wanted`` the client's ticket_request (RFC 9149), ``limit`` the most that
    we grant to it.
    """

    client_takes_tickets: bool
    num_tickets: int
    wanted: tuple[int, int] | None
    limit: int

    def counts(self, num_tickets: int | None) -> TicketCounts:
        """How many tickets may follow, given the number that is set on the connection, if there is one."""
        if not self.client_takes_tickets:
            return TicketCounts.of(0)
        number = self.num_tickets if num_tickets is None else num_tickets
        return TicketCounts.of(number, self.wanted, self.limit)


@value
class Negotiated:
    """What is settled by the ClientHello alone; every later state of the handshake shares it.

    ``transcript`` ends before this ClientHello: it is empty, or ends with our HelloRetryRequest.
    """

    config: ServerConfig
    hello: ClientHello
    raw_hello: bytes = field(repr=False)
    suite: SuiteParameters
    share: KeyShareEntry | None
    """None for a client that means to go without a key exchange (psk_ke)."""
    server_name: str | None
    alpn_protocol: bytes | None
    session_id_context: bytes
    transcript: Transcript
    resumes: bool
    offers_psk_ke: bool
    ticket_numbers: TicketNumbers
    early_data: bool
    """The client offers some, or did before a HelloRetryRequest."""
    record_sizes: RecordSizes | None

    @property
    def retried(self) -> bool:
        return bool(self.transcript.messages)

    def for_hash(self, hash_name: str) -> Negotiated:
        """With a suite of this hash, if both sides have one: a session goes on under its own hash only.

        The session may come from a server that prefers other suites.  After a retry the suite is settled.
        """
        if hash_name == self.suite.hash_name or self.retried:
            return self
        suites = (
            SUITES[suite] for suite in self.config.suites_of(TLS13) if suite in self.hello.cipher_suites
        )
        fitting = next((suite for suite in suites if suite.hash_name == hash_name), None)
        if fitting is None:
            return self
        return evolve(self, suite=fitting, transcript=self.transcript.with_hash(hash_name))


def can_resume(hello: ClientHello) -> bool:
    """In the mode in which sessions go on: psk_dhe_ke (RFC 9846 section 4.3.9)."""
    modes = hello.find(PskKeyExchangeModes)
    return modes is not None and PskKeyExchangeMode.PSK_DHE_KE in modes.modes


def can_do_without(hello: ClientHello) -> bool:
    """psk_ke, for external PSKs that allow it; a client that offers psk_dhe_ke too gets that."""
    modes = hello.find(PskKeyExchangeModes)
    return modes is not None and PskKeyExchangeMode.PSK_KE in modes.modes


def ticket_numbers(config: ServerConfig, hello: ClientHello, *, resumes: bool) -> TicketNumbers:
    """A client that cannot resume takes no tickets; unless it names no mode at all, and the config has it that it may
    name one when it comes back."""
    request = hello.find(TicketRequest)
    wanted = (request.new_session_count, request.resumption_count) if request is not None else None
    takes = resumes or (config.tickets_without_psk_modes and hello.find(PskKeyExchangeModes) is None)
    return TicketNumbers(
        takes and not isinstance(config.tickets, NoTickets),
        config.num_tickets,
        wanted,
        config.max_tickets_requested,
    )


def suite_for_retry(config: ServerConfig, hello: ClientHello, suite: SuiteParameters) -> SuiteParameters:
    """A retry settles the hash before any identity is looked at, and a PSK of another one is lost then.  So where there
    may be external PSKs: a suite of the hash that the first binder has for which there is one."""
    offer = hello.find(PreSharedKeyOffer) if config.takes_psks else None
    for binder in offer.binders if offer is not None else ():
        for one in config.suites_of(TLS13):
            if one in hello.cipher_suites and SUITES[one].hash_length == len(binder):
                return SUITES[one]
    return suite


def check_hello(config: ServerConfig, hello: ClientHello) -> None:
    """RFC 9846 sections 4.2.2 and 9.2: what a TLS 1.3 ClientHello must have, and must not."""
    if hello.legacy_version != ProtocolVersion.TLS_1_2:
        raise Fault(
            Reason.UNSUPPORTED_VERSION, f"legacy_version {hello.legacy_version:#06x}; expected 0x0303"
        )
    if hello.compression_methods != b"\0":
        raise Fault(Reason.ILLEGAL_VALUE, "compression methods other than null in a TLS 1.3 ClientHello")
    groups, shares, offer = (
        hello.find(SupportedGroups),
        hello.find(KeyShareOffer),
        hello.find(PreSharedKeyOffer),
    )
    if (groups is None) != (shares is None):
        raise Fault(Reason.MISSING_EXTENSION, "supported_groups and key_share need each other")
    if offer is None and hello.find(SignatureAlgorithms) is None:
        raise Fault(Reason.MISSING_EXTENSION, "signature_algorithms")
    if offer is not None and check_offer(config, hello, offer):
        return
    if groups is None or shares is None:
        raise Fault(Reason.MISSING_EXTENSION, "supported_groups and key_share")
    check_shares(groups, shares)


def check_offer(config: ServerConfig, hello: ClientHello, offer: PreSharedKeyOffer) -> bool:
    """RFC 9846 sections 4.3.9 and 4.3.11.  A hello without a key exchange is whole, if it means to go without: True."""
    modes = hello.find(PskKeyExchangeModes)
    if modes is None:
        raise Fault(Reason.MISSING_EXTENSION, "psk_key_exchange_modes beside pre_shared_key")
    if len(offer.identities) != len(offer.binders):
        raise Fault(Reason.BINDER_COUNT, f"{len(offer.identities)} identities, {len(offer.binders)} binders")
    if PskKeyExchangeMode.PSK_KE in modes.modes and hello.find(KeyShareOffer) is None:
        if not config.takes_psks:
            raise Fault(Reason.NO_COMMON_PSK_MODE, "psk_ke; we do psk_dhe_ke only")
        return True
    return False


def check_shares(groups: SupportedGroups, shares: KeyShareOffer) -> None:
    """Key shares are a subset of the groups (RFC 9846 section 4.3.8).  That there is one of each, the wire has seen."""
    offered = frozenset(groups.groups)
    for entry in shares.shares:
        if entry.group not in offered:
            raise Fault(
                Reason.ILLEGAL_VALUE, f"a key share for group {entry.group:#06x}, not in supported_groups"
            )


def select_suite(config: ServerConfig, hello: ClientHello) -> SuiteParameters:
    for suite in config.suites_of(TLS13):
        if suite in hello.cipher_suites:
            return SUITES[suite]
    raise Fault(Reason.NO_COMMON_CIPHER_SUITE, f"the client offers {listed(hello.cipher_suites)}")


def select_group(config: ServerConfig, hello: ClientHello) -> tuple[KeyShareEntry | None, int]:
    """Our most preferred group for which the client brought a share; else the best for a retry, or 0 if there is none
    and a PSK may go without (RFC 9846 section 4.2.1).

    A round trip costs more than any difference between the groups.
    """
    groups, shares = hello.find(SupportedGroups), hello.find(KeyShareOffer)
    offered = groups.groups if groups is not None else ()
    common = [group for group in config.groups if group in offered]
    if not common and config.takes_psks and can_do_without(hello) and hello.find(PreSharedKeyOffer):
        return None, 0
    if not common:
        raise no_common_group(hello)
    entries = {entry.group: entry for entry in shares.shares} if shares is not None else {}
    for group in common:
        if group in entries:
            return entries[group], group
    return None, common[0]


def check_exchange(negotiated: Negotiated) -> None:
    """No PSK was found.  Without a share only one that does without a key exchange could have been."""
    if negotiated.share is not None:
        return
    if negotiated.hello.find(SupportedGroups) is not None:
        raise no_common_group(negotiated.hello)
    if negotiated.config.credentials:
        raise Fault(Reason.NO_COMMON_PSK_MODE, "psk_ke, and no PSK that does without a key exchange")


def no_common_group(hello: ClientHello) -> Fault:
    groups = hello.find(SupportedGroups)
    return Fault(
        Reason.NO_COMMON_GROUP, f"the client offers {listed(groups.groups if groups is not None else ())}"
    )
