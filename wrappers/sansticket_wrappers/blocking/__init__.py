"""Blocking sockets: an ``SSLContext`` of ours whose ``wrap_socket`` gives a real ``ssl.SSLSocket``.

    context = SSLContext(ClientConfig(trust_anchors=anchors, session_store=ClientSessionStore()))
    with socket.create_connection((host, 443)) as below, context.wrap_socket(below, server_hostname=host) as sock:
        sock.sendall(b"hello")

It goes wherever an ``ssl.SSLContext`` goes: requests, urllib3, httpx, http.client, smtplib, imaplib, poplib, ftplib.
The standard library's class does all that a socket does, and ``Driver`` is what it drives in place of OpenSSL.
"""

from sansticket_wrappers.blocking.context import SSLContext, create_default_context
from sansticket_wrappers.blocking.driver import Driver
from sansticket_wrappers.blocking.questions import in_thread
from sansticket_wrappers.blocking.socket import SSLSocket

__all__ = ["Driver", "SSLContext", "SSLSocket", "create_default_context", "in_thread"]
