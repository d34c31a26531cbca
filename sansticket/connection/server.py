"""A server's connection."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Self

from sansticket.config.base import Config
from sansticket.config.checks import check_type
from sansticket.config.defaults import MAX_NUM_TICKETS
from sansticket.config.server import ServerConfig
from sansticket.connection.connection import Connection
from sansticket.connection.engine import Engine, SessionKeeper
from sansticket.errors import LocalProtocolError, Reason
from sansticket.events import ConnectionTerminated, Event, HandshakeCompleted, TicketIssued
from sansticket.handshake.server.start import WaitClientHello
from sansticket.handshake.server.tls13.early_data import skippable
from sansticket.text import quoted
from sansticket.tickets.session import Session
from sansticket.tickets.versions import RULES

if TYPE_CHECKING:
    from sansticket.handover.value import Handover


class CacheKeeper(SessionKeeper):
    """Puts sessions into the config's cache, and takes them out where the connection fails; and remembers of them what
    they may be revoked by."""

    __slots__ = ("_app_data", "_kept", "_key_name")

    HEEDED = frozenset({HandshakeCompleted, TicketIssued})

    def __init__(self) -> None:
        self._kept: list[Session] = []  # grows in place: there may be thousands of tickets
        self._app_data: bytes | None = None  # of the last ticket, or else of the resumed session
        self._key_name = b""  # of the ticket that was resumed

    def heed(self, event: Event, config: Config, now: float) -> None:
        """A session of the cache that was resumed, and not used up, goes too if this connection fails."""
        if isinstance(event, HandshakeCompleted) and event.session is not None:
            session, record = event.session, event.record
            if session.session_id and not (
                _config_of(config).single_use_tickets and RULES[event.version].used_once
            ):
                self._kept.append(session)
            if self._app_data is None:  # TLS 1.2 has made its ticket before
                self._app_data = session.app_data
            if record.winner is not None:
                self._key_name = record.identities[record.winner].key_name
        elif isinstance(event, TicketIssued):
            self._app_data = event.session.app_data

    def store(self, session: Session, config: Config, now: float) -> None:
        cache = _config_of(config).session_cache
        if cache is not None:
            self._kept.append(session)  # also if a hook raises: somebody may have it by then
            if not cache.keep(session, now):
                self._kept.pop()

    def ended(self, engine: Engine, event: ConnectionTerminated) -> None:
        """A connection that failed, or was cut off, takes its sessions out of the cache (RFC 9846 section 6.2).

        Not one whose stream ends after our own close_notify: browsers and proxies seldom answer it.
        """
        if event.reason is Reason.TRUNCATED and engine.outbound.closed:
            return
        cache = _config_of(engine.config).session_cache
        sessions, self._kept = self._kept, []
        if cache is not None:
            with ExitStack() as removals:  # all of them, also where a hook raises for one
                for session in reversed(sessions):
                    removals.callback(cache.remove, session)

    def why_revoked(self, engine: Engine) -> str:
        """LocalProtocolError where nobody could know."""
        revocations, established = _config_of(engine.config).revocations, engine.established
        if revocations is None:
            raise LocalProtocolError("CheckRevocations, but the config has no revocations")
        if established is None:
            return ""
        return revocations.why_refused(
            established.authenticated_at,
            family=established.family,
            app_data=self._app_data or b"",
            peer_certificates=established.peer_certificates,
            key_name=self._key_name,
        )

    def handed_over(self) -> dict[str, Any]:
        return {
            "port": None,
            "kept_sessions": tuple(self._kept),
            "revocable_data": self._app_data,
            "ticket_key_name": self._key_name,
        }

    @classmethod
    def restored(cls, handover: Handover) -> CacheKeeper:
        keeper = cls()
        keeper._kept = [*handover.kept_sessions]
        keeper._app_data, keeper._key_name = handover.revocable_data, handover.ticket_key_name
        return keeper

    def __copy__(self) -> CacheKeeper:
        twin = CacheKeeper()
        twin._kept, twin._app_data, twin._key_name = self._kept[:], self._app_data, self._key_name
        return twin


def _config_of(config: Config) -> ServerConfig:
    assert isinstance(config, ServerConfig)
    return config


class ServerConnection(Connection):
    """A server's connection.  It waits for bytes.

    ``application`` is anything that answers and the handlers of events want to have: they find it in the
    ``connection`` of each question and event.  ConfigError for a ``config`` that is none.
    """

    __slots__ = ()

    _OF_SERVER = True

    def __init__(self, config: ServerConfig, *, application: Any = None) -> None:
        check_type("config", config, ServerConfig, "a ServerConfig")
        super().__init__(config, WaitClientHello(config), CacheKeeper(), application)
        if config.stateless_retry is not None:
            # Early data may stand before the second hello, when another connection took the first.
            self._engine.reader.skip_plaintext_application_data = skippable(config.max_early_data)

    @classmethod
    def restore(cls, handover: Handover, config: ServerConfig, *, application: Any = None) -> Self:
        """The connection of which ``handover`` was exported; once, in this process or another: docs/handover.md.

        ``config`` is the one that ``SelectConfig`` chose, where it is asked.  What is in ``handover.unsent`` is the
        first in ``data_to_send``.  HandoverError for a client's, or where something in it cannot be; ConfigError names
        the field of the config that does not fit the connection.
        """
        from sansticket.connection.restores import require_side, restored

        check_type("config", config, ServerConfig, "a ServerConfig")
        require_side(handover, of_server=True)
        keeper = CacheKeeper.restored(handover)
        return cls._around(
            restored(handover, config, config.effective_session_id_context, keeper, application)
        )

    @property
    def _config(self) -> ServerConfig:
        return _config_of(self._engine.config)

    @property
    def num_tickets(self) -> int:
        """Automatic TLS 1.3 tickets after a full handshake (SSL_set_num_tickets(3)).

        That of the config, the one that ``SelectConfig`` chose, unless it is set here.  Can be set until the
        client's Finished has come, and again before ``RequestClientCertificate``.
        """
        number = self._engine.num_tickets
        return self._config.num_tickets if number is None else number

    @num_tickets.setter
    def num_tickets(self, number: int) -> None:
        if type(number) is not int or not 0 <= number <= MAX_NUM_TICKETS:
            raise LocalProtocolError(
                f"num_tickets {quoted(number)}; expected an integer from 0 to {MAX_NUM_TICKETS}"
            )
        self._engine.num_tickets = number

    @property
    def family(self) -> bytes:
        """The family of the sessions that this connection issues, see ``Session.family``.

        After a resumption that of the session.  Empty where there are no tickets, and before the handshake is done.
        """
        return self._engine.established.family if self._engine.established is not None else b""

    @property
    def session_id_context(self) -> bytes:
        """The context within which this connection's sessions can be resumed."""
        return self._config.effective_session_id_context

    @property
    def unsent_tickets(self) -> int:
        """Tickets that were made (``TicketIssued``) and whose bytes ``data_to_send`` has not handed out yet."""
        return self._engine.outbound.unsent_tickets
