"""The making of a ticket, in both versions: the data that the application puts in, the encoding, the protection.

A ticket that no client can show is none: it must fit into a ClientHello, beside the largest key shares, a server
name and the protocols.  So what is too large is refused where it is made.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from attrs import evolve, field

from sansticket.codes import ProtocolVersion
from sansticket.commands import SealTicket, TicketProtected
from sansticket.config.server import ServerConfig
from sansticket.config.tickets import SealedTickets
from sansticket.errors import LocalProtocolError
from sansticket.handshake.common.certificates import verified_path
from sansticket.handshake.machine.flight import Flight
from sansticket.tickets.encoding import MAX_FIELD
from sansticket.tickets.session import Session
from sansticket.values import value

MAX_TICKET: Final[Mapping[int, int]] = {ProtocolVersion.TLS_1_3: 57_344, ProtocolVersion.TLS_1_2: 65_535}
"""Bytes.  TLS 1.3: what a ClientHello has room for beside all else, of the 65,535 that its extensions have together.
TLS 1.2: the length field of a ticket (RFC 5077 section 3.3)."""

AS_IT_IS: Final = SealTicket()
"""The default answer to ``PrepareTicket``."""


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
    """There can be no such ticket, though the application gave no data: a chain of certificates is too long, or keys of
    its own gave too much or nothing."""


Prepared = Sealed | ToBeProtected | NotMade


def prepare(session: Session, command: SealTicket, config: ServerConfig, flight: Flight) -> Prepared:
    """The ticket that stands for ``session``: its id if it has one, or the session itself under our keys.

    LocalProtocolError for data of which there can be no ticket.
    """
    if command.app_data is not None:
        if len(command.app_data) > MAX_FIELD:
            return unfit(session, command, len(command.app_data))
        session = evolve(session, app_data=command.app_data)
    if session.session_id:
        return Sealed(session, session.session_id)
    codec = config.tickets.codec
    if codec.keeps_verified_chain and session.peer_certificates:
        session = evolve(session, verified_chain=verified_path(config, session.peer_certificates, flight.now))
    plaintext = codec.encode(session)
    if len(plaintext) > MAX_TICKET[session.version]:
        return unfit(session, command, len(plaintext))
    if not isinstance(config.tickets, SealedTickets):
        return ToBeProtected(session, plaintext)
    ticket = config.tickets.keys.seal(plaintext, flight.now, flight.entropy)
    if not 0 < len(ticket) <= MAX_TICKET[session.version]:
        return unfit(session, command, len(ticket))
    return Sealed(session, ticket)


def unfit(session: Session, command: SealTicket, size: int) -> NotMade:
    """New data is refused to whoever gave it; where nobody gave any there is no such ticket."""
    if command.app_data is None:
        return NotMade()
    raise LocalProtocolError(
        f"SealTicket with {len(command.app_data)} bytes of app_data makes a ticket of {size} bytes; "
        f"expected at most {MAX_TICKET[session.version]}"
    )


def accepted(command: TicketProtected, session: Session) -> bytes | None:
    """The ticket that keys elsewhere have made, None if they made none.  LocalProtocolError for one of another size."""
    limit = MAX_TICKET[session.version]
    if command.ticket is not None and not 0 < len(command.ticket) <= limit:
        raise LocalProtocolError(
            f"TicketProtected has a ticket of {len(command.ticket)} bytes; expected 1 to {limit}, or None"
        )
    return command.ticket
