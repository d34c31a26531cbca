"""asyncio's streams over sansticket: ``open_connection`` and ``start_server`` with a config where ``ssl=`` would be.

    reader, writer = await open_connection("example.org", 443, config)
    server = await start_server(client_connected, "127.0.0.1", 4433, config)

``reader`` and ``writer`` are asyncio's own, so all that is known of them holds: ``drain`` is back-pressure,
``write_eof`` a half-close, ``wait_closed`` waits for the socket.  In between stands one protocol:

    the socket's transport  <->  TLSProtocol and TLSTransport  <->  the application's asyncio.Protocol

Time-outs and cancellation: a handshake that takes longer than ``timeout`` seconds, and an answer of the
application (or an observer) that does, end the connection with an alert.  So does a cancelled ``open_connection``.

The end: what is said last (close_notify or an alert) is written, then the socket's sending half is closed, and
what still comes is dropped until the peer closes, or stops taking bytes for ``linger`` seconds.  A socket closed
with unread bytes in it would send RST, and RST can destroy what the peer has not read yet: the alert.  Behind the
peer's close_notify there is nothing to wait for.
"""

from sansticket_wrappers.asyncio.early_data import EarlyData
from sansticket_wrappers.asyncio.hooks import Hooks, TLSError
from sansticket_wrappers.asyncio.moving import Moved, at_rest
from sansticket_wrappers.asyncio.passing import RestartError
from sansticket_wrappers.asyncio.protocol import TLSProtocol
from sansticket_wrappers.asyncio.restart import RestartableServer
from sansticket_wrappers.asyncio.streams import open_connection, start_server
from sansticket_wrappers.asyncio.transport import TLSTransport

__all__ = [
    "EarlyData",
    "Hooks",
    "Moved",
    "RestartError",
    "RestartableServer",
    "TLSError",
    "TLSProtocol",
    "TLSTransport",
    "at_rest",
    "open_connection",
    "start_server",
]
