"""The making of a ticket, in both versions: the data that the application puts in, the encoding, the protection.

A ticket that no client can show is none: it must fit into a ClientHello, beside the largest key shares, a server
name and the protocols.  So what is too large is refused where it is made, to the caller who gave it; where nobody can
be told (a function of the config gave it, or nobody) that ticket is not made, and ``TicketWithheld`` says so; as it
does of one that a session is too old for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from attrs import evolve, field

from sansticket.codes import ProtocolVersion
from sansticket.commands import SealTicket, TicketProtected
from sansticket.config.choices import ASK
from sansticket.config.server import ServerConfig
from sansticket.config.tickets import NoTickets, SealedTickets
from sansticket.errors import LocalProtocolError
from sansticket.events import PrepareTicket, ProtectTicket, TicketWithheld
from sansticket.handshake.common.certificates import verified_path
from sansticket.handshake.machine.flight import Flight
from sansticket.tickets.encoding import MAX_FIELD
from sansticket.tickets.session import FAMILY_LENGTH, MAX_GENERATION, Session
from sansticket.values import value

MAX_TICKET: Final[Mapping[int, int]] = {ProtocolVersion.TLS_1_3: 57_344, ProtocolVersion.TLS_1_2: 65_535}
"""Bytes.  TLS 1.3: what a ClientHello has room for beside all else, of the 65,535 that its extensions have together.
TLS 1.2: the length field of a ticket (RFC 5077 section 3.3)."""

AS_IT_IS: Final = SealTicket()
"""The default answer to ``PrepareTicket``."""

NONE_SEALS: Final = "the ticket_keys have made none: the time of no key has come, perhaps"


@value
class Sealed:
    """It is made."""

    session: Session
    ticket: bytes


@value
class ToBeProtected:
    """The keys are elsewhere."""

    session: Session
    plaintext: bytes = field(repr=False)


@value
class NotMade:
    """There can be no such ticket, and nobody who could be told: a chain of certificates is too long, keys of the
    application's own gave too much or nothing, or a function of the config gave too much data."""


Prepared = Sealed | ToBeProtected | NotMade


def prepare(session: Session, command: SealTicket, config: ServerConfig, flight: Flight) -> Prepared:
    """The ticket that stands for ``session``: its id if it has one, or the session itself under our keys.

    LocalProtocolError for data of which there can be no ticket, if a caller gave it.
    """
    if command.app_data is not None:
        if len(command.app_data) > MAX_FIELD:
            return unfit(session, command, len(command.app_data), config, flight)
        session = evolve(session, app_data=command.app_data)
    if session.session_id:
        return Sealed(session, session.session_id)
    codec = config.tickets.codec
    if codec.keeps_verified_chain and session.peer_certificates:
        session = evolve(session, verified_chain=verified_path(config, session.peer_certificates, flight.now))
    plaintext = codec.encode(session)
    if len(plaintext) > MAX_TICKET[session.version]:
        return unfit(session, command, len(plaintext), config, flight)
    if not isinstance(config.tickets, SealedTickets):
        return ToBeProtected(session, plaintext)
    ticket = config.tickets.keys.seal(plaintext, flight.now, flight.entropy)
    if not ticket:  # whatever the data
        flight.emit(TicketWithheld(NONE_SEALS))
        return NotMade()
    if len(ticket) > MAX_TICKET[session.version]:
        return unfit(session, command, len(ticket), config, flight)
    return Sealed(session, ticket)


def family_of(resumed: Session | None, config: ServerConfig, flight: Flight) -> bytes:
    """That of the session that was resumed, known or not; after a full handshake a new one, if there can be tickets."""
    if resumed is not None:
        return resumed.family
    return b"" if isinstance(config.tickets, NoTickets) else flight.entropy(FAMILY_LENGTH)


def generation_after(resumed: Session | None) -> int:
    """Of what a connection issues; without a family there is nothing to be counted."""
    if resumed is None or not resumed.family:
        return 0
    return min(resumed.generation + 1, MAX_GENERATION)


def unfit(session: Session, command: SealTicket, size: int, config: ServerConfig, flight: Flight) -> NotMade:
    """New data is refused to a caller who gave it; otherwise there is no such ticket."""
    given = (
        "SealTicket"
        if command.app_data is None
        else f"SealTicket with {len(command.app_data)} bytes of app_data"
    )
    why = f"{given} makes a ticket of {size} bytes; expected at most {MAX_TICKET[session.version]}"
    if command.app_data is not None and config.answers.get(PrepareTicket) is ASK:
        raise LocalProtocolError(why)
    flight.emit(TicketWithheld(why))
    return NotMade()


def too_old(tickets: int, authenticated_at: float, flight: Flight) -> None:
    """There can be no more of them.  Whoever asked for them may have done so when it was not; each is told of."""
    age = flight.now - authenticated_at
    for _ in range(tickets):
        flight.emit(
            TicketWithheld(f"the session is too old for another ticket, authenticated {age:.0f} s ago")
        )


def accepted(
    command: TicketProtected, session: Session, config: ServerConfig, flight: Flight
) -> bytes | None:
    """The ticket that keys elsewhere have made, None if they made none.

    One of another size is none either, or LocalProtocolError if a caller gave it.
    """
    ticket, limit = command.ticket, MAX_TICKET[session.version]
    if ticket is None or 0 < len(ticket) <= limit:
        return ticket
    why = f"TicketProtected has a ticket of {len(ticket)} bytes; expected 1 to {limit}, or None"
    if config.answers.get(ProtectTicket) is ASK:
        raise LocalProtocolError(why)
    flight.emit(TicketWithheld(why))
    return None
