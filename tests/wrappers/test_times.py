"""Times that are none are refused at once, by every wrapper that takes them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import trio
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock

from sansticket import ClientSessionStore, ConfigError, ServerConnection
from sansticket_wrappers.asyncio import Hooks, RestartableServer, open_connection, start_server
from sansticket_wrappers.asyncio import TLSProtocol as AsyncioProtocol
from sansticket_wrappers.trio import TLSStream, open_tls_over_tcp_stream, serve_tls_over_tcp
from sansticket_wrappers.twisted import Hooks as TwistedHooks
from sansticket_wrappers.twisted import TLSClientEndpoint, TLSFactory, TLSServerEndpoint
from sansticket_wrappers.twisted import TLSProtocol as TwistedProtocol
from tests.support.configs import client_config, server_config
from tests.support.loops import run


def of_asyncio_client(**times: Any) -> None:
    asyncio.run(open_connection("127.0.0.1", 1, client_config(), **times))


def of_asyncio_server(**times: Any) -> None:
    asyncio.run(start_server(print, "127.0.0.1", 0, server_config(), **times))


def of_restartable_server(**times: Any) -> None:
    path = Path("there", "is", "no", "such", "folder")
    asyncio.run(RestartableServer.start(print, "127.0.0.1", 0, server_config(), path, **times))


def of_twisted_client(**times: Any) -> None:
    TLSClientEndpoint(Clock(), None, client_config(), "server.example", **times)


def of_twisted_server(**times: Any) -> None:
    TLSServerEndpoint(Clock(), None, server_config(), **times)


def of_asyncio_protocol(**times: Any) -> None:
    async def main() -> None:
        AsyncioProtocol(ServerConnection(server_config()), asyncio.Protocol(), Hooks(), **times)

    asyncio.run(main())


def of_twisted_protocol(**times: Any) -> None:
    TwistedProtocol(Clock(), ServerConnection(server_config()), Protocol, TwistedHooks(), **times)


def of_twisted_factory(**times: Any) -> None:
    TLSFactory(Clock(), lambda: ServerConnection(server_config()), None, **times)


def of_trio_client(**times: Any) -> None:
    async def main() -> None:
        await open_tls_over_tcp_stream("127.0.0.1", 1, client_config(), **times)

    trio.run(main)


def of_trio_server(**times: Any) -> None:
    async def handler(stream: TLSStream) -> None:
        """Nobody comes."""

    async def main() -> None:
        await serve_tls_over_tcp(handler, 0, server_config(), **times)

    trio.run(main)


HUGE = [pytest.param(10**5000, id="huge"), pytest.param(-(10**5000), id="negative")]

ALL = {
    of_asyncio_client: ("timeout", "linger", "answer_timeout"),
    of_asyncio_server: ("timeout", "linger", "answer_timeout"),
    of_restartable_server: ("timeout", "linger", "answer_timeout", "grace"),
    of_twisted_client: ("timeout", "linger", "answer_timeout"),
    of_twisted_server: ("timeout", "linger", "answer_timeout"),
    of_asyncio_protocol: ("timeout", "linger"),
    of_twisted_protocol: ("timeout", "linger"),
    of_twisted_factory: ("timeout", "linger"),
    of_trio_client: ("linger", "answer_timeout"),
    of_trio_server: ("timeout", "linger", "answer_timeout"),
}


@pytest.mark.parametrize("value", [None, "3", timedelta(seconds=3), True, -1, float("nan"), *HUGE])
@pytest.mark.parametrize(("make", "name"), [(make, name) for make, names in ALL.items() for name in names])
def test_a_time_that_is_none(make: Callable[..., None], name: str, value: Any) -> None:
    """A client of asyncio with ``timeout=None`` waited for ever, and had said nothing."""
    with pytest.raises(ConfigError, match=rf"^{name}: .*; expected a number of seconds, 0 or more$"):
        make(**{name: value})


def test_no_session_is_lost_for_it() -> None:
    class Untouched(ClientSessionStore):
        def reserve(self, *arguments: Any) -> Any:
            raise AssertionError("a session was taken")

    config = client_config(session_store=Untouched())
    with pytest.raises(ConfigError, match=r"^linger: "):
        asyncio.run(open_connection("127.0.0.1", 1, config, server_name="server.example", linger=-1))


@pytest.mark.parametrize("wrong", [{"hooks": Hooks()}, {"new_connection": ServerConnection(server_config())}])
def test_a_server_that_can_make_no_connection_says_so(wrong: dict[str, Any]) -> None:
    """asyncio drops the connection, and without debug mode says nothing."""

    async def main() -> None:
        told: list[Any] = []

        def tell(loop: object, context: dict[str, Any]) -> None:
            told.append((context["message"], type(context["exception"])))

        asyncio.get_running_loop().set_exception_handler(tell)
        async with await start_server(print, "127.0.0.1", 0, server_config(), **wrong) as server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            with suppress(ConnectionError):
                assert await reader.read() == b""
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
        assert told == [("no TLS connection could be made", TypeError)]

    run(main())
