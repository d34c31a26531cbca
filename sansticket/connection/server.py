"""A server's connection."""

from __future__ import annotations

from sansticket.config.checks import check_type
from sansticket.config.defaults import MAX_NUM_TICKETS
from sansticket.config.server import ServerConfig
from sansticket.connection.connection import Connection
from sansticket.errors import LocalProtocolError
from sansticket.handshake.server.start import WaitClientHello


class ServerConnection(Connection):
    """A server's connection.  It waits for bytes."""

    __slots__ = ()

    _config: ServerConfig

    def __init__(self, config: ServerConfig) -> None:
        check_type("config", config, ServerConfig, "a ServerConfig")
        super().__init__(config, WaitClientHello(config))

    @property
    def num_tickets(self) -> int:
        """Automatic TLS 1.3 tickets after a full handshake (SSL_set_num_tickets(3)).

        That of the config, the one that ``SelectConfig`` chose, unless it is set here.  Can be set until the
        client's Finished has come, and again before ``RequestClientCertificate``.
        """
        return self._config.num_tickets if self._num_tickets is None else self._num_tickets

    @num_tickets.setter
    def num_tickets(self, number: int) -> None:
        if type(number) is not int or not 0 <= number <= MAX_NUM_TICKETS:
            raise LocalProtocolError(
                f"num_tickets {number!r}; expected an integer from 0 to {MAX_NUM_TICKETS}"
            )
        self._num_tickets = number

    @property
    def session_id_context(self) -> bytes:
        """The context within which this connection's sessions can be resumed."""
        return self._config.effective_session_id_context

    @property
    def unsent_tickets(self) -> int:
        """Tickets that were made (``TicketIssued``) and whose bytes ``data_to_send`` has not handed out yet."""
        return self._unsent_tickets
