"""``ssl.SSLSocket`` with what sansticket has to say besides."""

from __future__ import annotations

import ssl
from typing import Any

from sansticket import Command
from sansticket.adapters import SSLObject
from sansticket_wrappers.blocking.driver import Driver


class SSLSocket(ssl.SSLSocket):
    """Made by ``SSLContext.wrap_socket``: the standard library's class, over a ``Driver``.

    Beyond the standard library: ``ssl_object`` and ``command``.
    """

    _sslobj: Any

    @property
    def ssl_object(self) -> SSLObject | None:
        """The TLS of this socket: ``connection``, ``resumption_record``, ``session``, ``termination``.

        To be looked at; None where there is none: not yet connected, unwrapped, shut down or closed.
        """
        driver = self._sslobj  # once: another thread may close it
        return driver.tls if isinstance(driver, Driver) else None

    def command(self, command: Command) -> None:
        """Give the connection a command, ``IssueTicket()`` or ``UpdateKeys()``, and write what it causes to be sent.

        LocalProtocolError when the state does not allow it, ValueError where there is no TLS; TimeoutError and
        SSLWantWriteError as for ``send``: then what was not written leaves with the next call that writes.
        """
        driver = self._sslobj
        if not isinstance(driver, Driver):
            raise ValueError(f"No SSL wrapper around {self}")
        driver.command(command)
