"""``open_connection`` and ``start_server``, as asyncio has them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any

from sansticket import ClientConfig, ClientConnection, ServerConfig, ServerConnection, Session
from sansticket_wrappers.asyncio.hooks import Hooks
from sansticket_wrappers.asyncio.protocol import TLSProtocol

ClientConnected = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None] | None]


async def open_connection(
    host: str,
    port: int,
    config: ClientConfig,
    *,
    server_name: str | None = None,
    session: Session | None = None,
    sock: socket.socket | None = None,
    hooks: Hooks | None = None,
    limit: int = 65_536,
    **options: Any,
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect, and do the handshake.  ``sock`` is a socket that is connected already; ``options`` are those of
    ``TLSProtocol``.  Raises OSError: ``TLSError``, TimeoutError, or what connecting raises.
    """
    connection = ClientConnection(config, server_name or host, session, port=port)
    reader = asyncio.StreamReader(limit)
    app = asyncio.StreamReaderProtocol(reader)
    tls = TLSProtocol(connection, app, hooks or Hooks(), **options)
    loop = asyncio.get_running_loop()
    try:
        if sock is not None:
            await loop.create_connection(lambda: tls, sock=sock)
        else:
            await loop.create_connection(lambda: tls, host, port)
        await tls.ready
    except BaseException:
        tls.cancel()
        raise
    return reader, asyncio.StreamWriter(tls.transport, app, reader, loop)


async def start_server(
    client_connected: ClientConnected,
    host: str | None,
    port: int,
    config: ServerConfig,
    *,
    hooks: Callable[[], Hooks] = Hooks,
    limit: int = 65_536,
    **options: Any,
) -> asyncio.Server:
    """Listen; ``client_connected`` is called after each handshake.  ``hooks`` is called for each connection;
    ``options`` are those of ``TLSProtocol``.
    """

    def accept() -> TLSProtocol:
        app = asyncio.StreamReaderProtocol(asyncio.StreamReader(limit), client_connected)
        return TLSProtocol(ServerConnection(config), app, hooks(), **options)

    return await asyncio.get_running_loop().create_server(accept, host, port)
