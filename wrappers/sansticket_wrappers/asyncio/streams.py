"""``open_connection`` and ``start_server``, as asyncio has them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any, cast

from sansticket import (
    Abort,
    ClientConfig,
    ClientConnection,
    ConfigError,
    LocalProtocolError,
    ServerConfig,
    ServerConnection,
    Session,
)
from sansticket_wrappers.answers import ANSWER_TIMEOUT, NO_ANSWERS, Answers, asking
from sansticket_wrappers.asyncio.hooks import NO_HOOKS, Hooks, Watch
from sansticket_wrappers.asyncio.protocol import LINGER, READ_SIZE, TIMEOUT, TLSProtocol
from sansticket_wrappers.asyncio.transport import TLSTransport
from sansticket_wrappers.making import Make
from sansticket_wrappers.times import check_times

ClientConnected = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None] | None]


async def open_connection(
    host: str,
    port: int,
    config: ClientConfig,
    *,
    server_name: str | None = None,
    session: Session | None = None,
    early_data: bytes = b"",
    answers: Answers = NO_ANSWERS,
    answer_timeout: float = ANSWER_TIMEOUT,
    hooks: Hooks | None = None,
    limit: int = 65_536,
    timeout: float = TIMEOUT,
    linger: float = LINGER,
    https_compatible: bool = False,
    read_size: int = READ_SIZE,
    watch: Watch | None = None,
    new_connection: Make = ClientConnection,
    **options: Any,
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect, and do the handshake.

    ``early_data``: what the stream begins with, if it can be sent early: see docs/early-data.md.  What became of it
    says ``writer.get_extra_info("early_data").sent``: 0 if it did not get there, and then it is to be written, or not.

    ``answers``: a coroutine function for each class of questions that are to be asked, which has ``answer_timeout``
    seconds.  ``new_connection``: makes the connection, for one that is recorded or drawn: see docs/wrappers.md.
    ``timeout``, ``linger``, ``https_compatible``, ``read_size`` and ``watch`` are those of ``TLSProtocol``; ``options``
    those of the loop's ``create_connection``: ``sock`` (connected to that host), ``local_addr`` and so on.
    Raises OSError: ``TLSError``, TimeoutError, or what connecting raises; ConfigError for what cannot work.
    """
    check_times(answer_timeout=answer_timeout, timeout=timeout, linger=linger)
    asked = asking(config, answers, ClientConfig)
    connection = new_connection(asked, server_name or host, session, port=port)
    app = asyncio.StreamReaderProtocol(reader := asyncio.StreamReader(limit))
    own = (hooks or NO_HOOKS).with_answers(answers, answer_timeout)
    tls = TLSProtocol(connection, app, own, timeout, linger, https_compatible, read_size, watch=watch)
    tls.early_data.send(connection, early_data)
    await _connect(tls, () if options.get("sock") is not None else (host, port), options)
    return reader, asyncio.StreamWriter(tls.transport, app, reader, tls.loop)


async def _connect(tls: TLSProtocol, where: tuple[Any, ...], options: dict[str, Any]) -> None:
    """Until the handshake is done, or nothing is left of it."""
    connected = False
    try:
        await tls.loop.create_connection(lambda: tls, *where, **options)
        connected = True
        await tls.ready
    except BaseException:
        if not connected:
            # If there was one, the loop has closed it, and uvloop's refuses everything.
            tls.socket_transport = None
        tls.cancel()
        raise


async def start_server(
    client_connected: ClientConnected,
    host: str | Sequence[str] | None,
    port: int | None,
    config: ServerConfig,
    *,
    early_data: bool = False,
    answers: Answers = NO_ANSWERS,
    answer_timeout: float = ANSWER_TIMEOUT,
    hooks: Callable[[], Hooks] = Hooks,
    limit: int = 65_536,
    timeout: float = TIMEOUT,
    linger: float = LINGER,
    https_compatible: bool = False,
    read_size: int = READ_SIZE,
    watch: Watch | None = None,
    new_connection: Make = ServerConnection,
    **options: Any,
) -> asyncio.Server:
    """Listen; ``client_connected`` is called after each handshake; its client gets an alert where it raises.

    ``early_data``: it is called as soon as early data comes, which it reads first.  How much came early, and whether
    the handshake is done by now, says ``writer.get_extra_info("early_data")``.  What it writes goes out before that
    only with ``ServerConfig.half_rtt``.  Without this early data is read as any other, after the handshake.

    ``answers``, for all connections, and what follows are those of ``open_connection``; a config that ``SelectConfig``
    chooses says ``ASK`` itself for those that it asks.  ``hooks`` is called for each connection, for what it alone has.
    ``options`` are those of the loop's ``create_server``, ``sock`` and so on.
    """
    check_times(answer_timeout=answer_timeout, timeout=timeout, linger=linger)
    check_sizes(limit=limit, read_size=read_size)
    asked, handler = asking(config, answers, ServerConfig), unless_failed(client_connected)

    def accept() -> TLSProtocol:
        app = asyncio.StreamReaderProtocol(asyncio.StreamReader(limit), handler)
        own = (NO_HOOKS if hooks is Hooks else hooks()).with_answers(answers, answer_timeout)
        tls = (timeout, linger, https_compatible, read_size, early_data, watch)
        return TLSProtocol(new_connection(asked), app, own, *tls)

    return await asyncio.get_running_loop().create_server(_telling(accept), host, port, **options)


def unless_failed(client_connected: ClientConnected) -> ClientConnected:
    """The same; asyncio closes the transport of one that raises, and close_notify would say that the data end here."""

    async def handle(handling: Coroutine[Any, Any, None], transport: TLSTransport) -> None:
        try:
            await handling
        except (Exception, KeyboardInterrupt, SystemExit):
            with suppress(LocalProtocolError):  # it does
                transport.command(Abort())
            raise

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Awaitable[None] | None:
        handling = client_connected(reader, writer)
        if not asyncio.iscoroutine(handling):
            return handling
        return handle(handling, cast("TLSTransport", writer.transport))

    return connected


def check_sizes(**sizes: Any) -> None:
    """ConfigError for what no connection could be made with, before one comes."""
    for name, size in sizes.items():
        if not isinstance(size, int) or isinstance(size, bool) or size < 1:
            raise ConfigError(name, f"{size!r}; expected a number of bytes, 1 or more")


class _Nobody(asyncio.Protocol):
    """Has the connection for which nobody could be made."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast("asyncio.Transport", transport).abort()


def _telling(make: Callable[[], TLSProtocol]) -> Callable[[], asyncio.BaseProtocol]:
    """The same; of what it raises asyncio says nothing unless it is debugged, and it leaves the socket open."""
    loop = asyncio.get_running_loop()

    def accept() -> asyncio.BaseProtocol:
        try:
            return make()
        except Exception as error:
            loop.call_exception_handler({"message": "no TLS connection could be made", "exception": error})
            return _Nobody()

    return accept
