"""Streams over TCP: to connect, and to serve."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final, Unpack

import trio

from sansticket import ClientConfig, ClientConnection, Close, ServerConfig, ServerConnection, Session
from sansticket_wrappers.answers import NO_ANSWERS, Answers, asking
from sansticket_wrappers.making import Make
from sansticket_wrappers.times import check_times
from sansticket_wrappers.trio.stream import StreamOptions, TLSStream

log: logging.Logger = logging.getLogger(__name__)

TIMEOUT: Final = 30.0


async def open_tls_over_tcp_stream(
    host: str,
    port: int,
    config: ClientConfig,
    *,
    server_name: str | None = None,
    session: Session | None = None,
    answers: Answers = NO_ANSWERS,
    application: Any = None,
    new_connection: Make = ClientConnection,
    **options: Unpack[StreamOptions],
) -> TLSStream:
    """Connect.  The handshake takes place with the first use.

    The config asks what ``answers`` answer; ``application`` is that of the connection, and ``new_connection`` makes it,
    for one that is recorded or drawn: see docs/wrappers.md.  ``options`` are those of ``TLSStream``.
    """
    check_times(**options)
    connection = new_connection(
        asking(config, answers, ClientConfig),
        server_name or host,
        session,
        port=port,
        application=application,
    )
    try:
        transport = await trio.open_tcp_stream(host, port)
    except BaseException:
        connection.send(Close())  # nothing was sent: a session that was taken from the store goes back
        raise
    return TLSStream(transport, connection, answers=answers, **options)


async def serve_tls_over_tcp(
    handler: Callable[[TLSStream], Awaitable[object]],
    port: int,
    config: ServerConfig,
    *,
    host: str | None = None,
    timeout: float = TIMEOUT,
    answers: Answers = NO_ANSWERS,
    application: Callable[[trio.SocketStream], Any] = lambda transport: None,
    new_connection: Make = ServerConnection,
    task_status: trio.TaskStatus[list[trio.SocketListener]] = trio.TASK_STATUS_IGNORED,
    **options: Unpack[StreamOptions],
) -> None:
    """Listen, for ever.  ``handler`` is called after each handshake that takes no longer than ``timeout`` seconds.

    The config asks what ``answers`` answer; one that ``SelectConfig`` chooses says ``ASK`` itself.
    What ``application`` returns for the stream of a connection is what every question and event has of the application.
    ``new_connection`` makes each, ``options`` are those of ``TLSStream``.
    Where ``application`` raises, or an answer or ``observe`` in a handshake, that is logged, and ends this connection
    alone; what ``handler`` raises comes out of here, after an alert for its client: nobody takes what was cut off there
    for the whole.
    """
    check_times(timeout=timeout, **options)
    asked = asking(config, answers, ServerConfig)

    async def serve(transport: trio.SocketStream) -> None:
        try:
            connection = new_connection(asked, application=application(transport))
        except Exception:
            log.exception("what the application knows of a connection failed")
            await trio.aclose_forcefully(transport)
            return
        async with TLSStream(transport, connection, answers=answers, **options) as stream:
            if await _completes(stream, timeout):
                await _handle(stream, handler)

    await trio.serve_tcp(serve, port, host=host, task_status=task_status)


async def _completes(stream: TLSStream, timeout: float) -> bool:
    """Whether the handshake is done in time."""
    try:
        with trio.fail_after(timeout):
            await stream.do_handshake()
    except (trio.BrokenResourceError, trio.TooSlowError):
        return False  # observe has heard of it
    except Exception:
        log.exception("a TLS handshake failed")
        return False
    return True


async def _handle(stream: TLSStream, handler: Callable[[TLSStream], Awaitable[object]]) -> None:
    """An alert for its client where it raises."""
    try:
        await handler(stream)
    except trio.Cancelled:
        raise  # nothing is said then
    except BaseException:
        stream.abort()
        raise
