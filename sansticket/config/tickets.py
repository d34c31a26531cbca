"""The four ways in which a server has tickets.

Three fields of a ``ServerConfig`` choose one of them together.  They are read once, here; everything else goes by
the value that comes of it.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import ClassVar

from sansticket.errors import ConfigError
from sansticket.events import LookUpSession, OpenTicket, ProtectTicket, Question
from sansticket.tickets.keys.protection import NATIVE, SessionCodec, TicketKeys
from sansticket.tickets.stores.cache import SessionCache
from sansticket.values import frozen


@frozen
class SealedTickets:
    """A ticket is the session, sealed by keys that we have."""

    stateless: ClassVar[bool] = True
    keys: TicketKeys

    @property
    def codec(self) -> SessionCodec:
        """How sessions are written in tickets: as the keys want it."""
        return self.keys.codec


@frozen
class TicketsSealedElsewhere:
    """A ticket is the session, sealed by whoever answers ``ProtectTicket`` and ``OpenTicket``."""

    stateless: ClassVar[bool] = True
    codec: ClassVar[SessionCodec] = NATIVE


@frozen
class StoredTickets:
    """A ticket is the id of a session that is kept: in our cache, or by whoever answers ``LookUpSession``."""

    stateless: ClassVar[bool] = False
    codec: ClassVar[SessionCodec] = NATIVE
    cache: SessionCache | None


@frozen
class NoTickets:
    """There are none."""

    stateless: ClassVar[bool] = False
    codec: ClassVar[SessionCodec] = NATIVE


Tickets = SealedTickets | TicketsSealedElsewhere | StoredTickets | NoTickets


def tickets_of(
    keys: TicketKeys | None, answered: Collection[type[Question]], cache: SessionCache | None
) -> Tickets:
    """Which way the fields ``ticket_keys``, ``answers`` and ``session_cache`` choose.  ConfigError for two at once."""
    if (OpenTicket in answered) != (ProtectTicket in answered):
        raise ConfigError("answers", "OpenTicket and ProtectTicket need each other; only one is named")
    if OpenTicket in answered:
        if keys is not None:
            raise ConfigError("ticket_keys", "given, but OpenTicket is answered too; expected one of them")
        return TicketsSealedElsewhere()
    if keys is not None:
        return SealedTickets(keys)
    return StoredTickets(cache) if cache is not None or LookUpSession in answered else NoTickets()
