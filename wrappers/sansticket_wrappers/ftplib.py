"""FTP over TLS, as the standard library has it, with data connections that resume their control connection's session.

    with FTP_TLS(context=SSLContext(ClientConfig(trust_anchors=anchors))) as ftp:
        ftp.connect("ftp.example")
        ftp.login("user", "password")
        ftp.prot_p()
        ftp.retrbinary("RETR file", print)

Servers ask for that (``require_ssl_reuse`` of vsftpd is on unless it is turned off, and proftpd does likewise): it
shows that whoever opens a data connection is who has logged in.  The standard library's class does not do it.
"""

from __future__ import annotations

import ftplib
import socket
import ssl
from typing import Any

__all__ = ["FTP_TLS"]


class FTP_TLS(ftplib.FTP_TLS):
    """The standard library's.  ``context`` may be any, of ours or not."""

    _session: Any = None
    """The freshest of the control connection, which may go on in clear (``ccc``); its data connections do not."""

    def auth(self) -> str:
        self._session = None
        return super().auth()

    def ccc(self) -> str:
        self._keep_session()
        return super().ccc()

    def ntransfercmd(self, cmd: str, rest: int | str | None = None) -> tuple[socket.socket, int | None]:
        sock, size = ftplib.FTP.ntransfercmd(self, cmd, rest)
        if self._prot_p:  # type: ignore[attr-defined]  # of the base
            self._keep_session()
            sock = self.context.wrap_socket(sock, server_hostname=self.host, session=self._session)
        return sock, size

    def _keep_session(self) -> None:
        if isinstance(self.sock, ssl.SSLSocket) and self.sock.session is not None:
            self._session = self.sock.session
