"""A client's connection, and its visit to a store of sessions."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import TYPE_CHECKING, Any, Self

from sansticket.config.base import Config
from sansticket.config.checks import as_tuple, check_items, check_range, check_type
from sansticket.config.client import ClientConfig
from sansticket.connection.connection import Connection
from sansticket.connection.engine import Engine, SessionKeeper
from sansticket.errors import Reason
from sansticket.events import (
    ConnectionTerminated,
    Event,
    HandshakeCompleted,
    TicketReceived,
)
from sansticket.handshake.client.start import normal_server_name, start
from sansticket.handshake.machine.flight import Flight
from sansticket.inputs import END_OF_TIME, check_now
from sansticket.tickets.early_data import NOT_WANTED
from sansticket.tickets.session import Session
from sansticket.tickets.stores.visit import StoreVisit

if TYPE_CHECKING:
    from sansticket.handover.value import Handover


def _sessions(given: Session | Sequence[Session] | None) -> tuple[Session, ...]:
    """What a client is to offer, in the order of preference."""
    if given is None:
        return ()
    if isinstance(given, Session):
        return (given,)
    sessions: tuple[Session, ...] = as_tuple(given)
    check_items("session", sessions, Session, "a Session")
    return sessions


class StoreKeeper(SessionKeeper):
    """Tells a visit to a store what becomes of the sessions."""

    __slots__ = ("_visit",)

    HEEDED = frozenset({TicketReceived, HandshakeCompleted})

    def __init__(self, visit: StoreVisit) -> None:
        self._visit = visit

    def heed(self, event: Event, config: Config, now: float) -> None:
        match event:
            case TicketReceived(session):
                self._visit.brought(session, now)
            case HandshakeCompleted(resumed=resumed):
                self._visit.resumed(resumed)

    def ended(self, engine: Engine, event: ConnectionTerminated) -> None:
        failed = event.reason not in (Reason.TRUNCATED, Reason.CANCELED)
        silent = engine.outbound.silent
        self._visit.ended(engine.config.clock(), silent=silent, failed=failed)
        if silent:
            engine.outbound.writer.take()  # a session that went back must not be shown

    def handed_over(self) -> dict[str, Any]:
        visit = self._visit
        return {**super().handed_over(), "port": visit.port, "kept_sessions": visit.lasting}

    def __copy__(self) -> StoreKeeper:
        return StoreKeeper(copy(self._visit))


class ClientConnection(Connection):
    """A client's connection.  Its first flight is in ``data_to_send`` as soon as it is made.

    ``server_name`` is verified against the server's certificate and sent as SNI (an IP address is only
    verified, without the zone that it may have).
    ``session`` is one session to offer, or several in the order of preference; those that cannot be used
    (expired, of another name, suite or verification policy) are not offered, and the record says why.

    With a ``session_store`` in the config there is nothing more to do about sessions.  Without ``session`` the
    connection takes the freshest from the store; those that come are put in.  One that the server refuses is
    dropped, one that was taken for a connection that fails is dropped too, and the sessions that came with it;
    but if nothing was ever taken from ``data_to_send`` (``Close`` before the transport was there), what was
    taken goes back.  ``port`` tells servers of one name apart, in the store and nowhere else.
    A connection without a ``server_name`` leaves the store alone.

    ``application`` is anything that answers and the handlers of events want to have: they find it in the
    ``connection`` of each question and event.

    ConfigError names the argument that cannot work.
    """

    __slots__ = ()

    _OF_SERVER = False

    def __init__(
        self,
        config: ClientConfig,
        server_name: str | None = None,
        session: Session | Sequence[Session] | None = None,
        *,
        port: int = 443,
        application: Any = None,
    ) -> None:
        check_type("config", config, ClientConfig, "a ClientConfig")
        check_range("port", port, 0, 65_535)
        name = normal_server_name(server_name, config)
        sessions = _sessions(session)
        now, visit, asked_for = config.clock(), None, config.ticket_request
        if now.__class__ is not float or not 0 <= now < END_OF_TIME:
            check_now(now)
        if config.session_store is not None and name is not None:
            visit = StoreVisit(config.session_store, config.store_key(name, port))
            if session is None:
                taken = visit.take(now)
                sessions = () if taken is None else (taken,)
            if config.request_tickets:
                asked_for = visit.ticket_request(now)
        try:
            flight = Flight(now, config.entropy)
            keeper = SessionKeeper() if visit is None else StoreKeeper(visit)
            super().__init__(config, start(config, name, sessions, flight, asked_for), keeper, application)
            if not config.early_data:
                self._engine.early_data = NOT_WANTED
            self._say_hello(flight)
        except BaseException:
            if visit is not None:  # there is no connection, and nothing of it was shown
                visit.ended(now, silent=True, failed=False)
            raise

    @classmethod
    def restore(cls, handover: Handover, config: ClientConfig, *, application: Any = None) -> Self:
        """The connection of which ``handover`` was exported; once, in this process or another: docs/handover.md.

        What is in ``handover.unsent`` is the first in ``data_to_send``.  A ``session_store`` in the config is visited
        if there was one before.  HandoverError for a server's, or where something in it cannot be; ConfigError names
        the field of the config that does not fit the connection.
        """
        from sansticket.connection.restores import require_side, restored

        check_type("config", config, ClientConfig, "a ClientConfig")
        require_side(handover, of_server=False)
        store, port, keeper = config.session_store, handover.port, SessionKeeper()
        if store is not None and port is not None and handover.server_name is not None:
            visit = StoreVisit(store, config.store_key(handover.server_name, port))
            visit.go_on(handover.kept_sessions)
            keeper = StoreKeeper(visit)
        return cls._around(restored(handover, config, config.session_context, keeper, application))

    @property
    def ocsp_response(self) -> bytes | None:
        """What the server has stapled to its certificate, in DER: verified if the default answer to ``VerifyPeer``
        verified the chain.  None if nothing, after a resumption, and before the handshake is done."""
        return self._engine.established.ocsp_response if self._engine.established is not None else None

    def _say_hello(self, flight: Flight) -> None:
        outbound = self._engine.outbound
        outbound.writer.legacy_record_version = 0x0301
        self._engine.carry_out(flight)
        outbound.flush()
        outbound.writer.legacy_record_version = 0x0303
