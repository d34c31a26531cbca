"""websockets: its three faces, each as client and server."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import websockets.asyncio.client
import websockets.asyncio.server
import websockets.sync.client
import websockets.sync.server
import websockets.trio.client
import websockets.trio.server

from tests.support.command import PATIENCE
from tests.support.loops import run
from tests.support.resuming import resuming
from tests.support.sockets import SIDES, beside, for_server

TIMES: Any = {"open_timeout": PATIENCE, "close_timeout": PATIENCE}
KINDS = pytest.mark.parametrize("kind", SIDES)


@pytest.mark.library("websockets, blocking", "client", "server", "resumes")
@KINDS
def test_blocking(kind: str) -> None:
    def echo(connection: Any) -> None:
        for message in connection:
            connection.send(message.upper())

    with (
        websockets.sync.server.serve(echo, "127.0.0.1", 0, ssl=for_server(kind), **TIMES) as server,
        beside(server.serve_forever),
        resuming() as context,
    ):
        url = f"wss://127.0.0.1:{server.socket.getsockname()[1]}/"
        try:
            for _ in range(2):
                with websockets.sync.client.connect(url, ssl=context, proxy=None, **TIMES) as connection:
                    connection.send("a message")
                    assert connection.recv(PATIENCE) == "A MESSAGE"
        finally:
            server.shutdown()


@pytest.mark.library("websockets, asyncio", "client", "server", "resumes")
@KINDS
def test_asyncio(kind: str) -> None:
    async def echo(connection: Any) -> None:
        async for message in connection:
            await connection.send(message.upper())

    async def main() -> None:
        async with websockets.asyncio.server.serve(
            echo, "127.0.0.1", 0, ssl=for_server(kind), **TIMES
        ) as server:
            url = f"wss://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/"
            for _ in range(2):
                async with websockets.asyncio.client.connect(
                    url, ssl=context, proxy=None, **TIMES
                ) as connection:
                    await connection.send("a message")
                    assert await connection.recv() == "A MESSAGE"

    with resuming() as context:
        run(main())


@pytest.mark.library("websockets, Trio", "client", "server", "resumes")
@KINDS
def test_trio(kind: str) -> None:
    async def echo(connection: Any) -> None:
        async for message in connection:
            await connection.send(message.upper())

    async def main() -> None:
        with trio.fail_after(PATIENCE):
            async with trio.open_nursery() as nursery:
                server = await nursery.start(
                    lambda task_status: websockets.trio.server.serve(
                        echo, 0, host="127.0.0.1", ssl=for_server(kind), task_status=task_status, **TIMES
                    )
                )
                url = f"wss://127.0.0.1:{server.listeners[0].socket.getsockname()[1]}/"
                for _ in range(2):
                    async with websockets.trio.client.connect(
                        url, ssl=context, proxy=None, **TIMES
                    ) as connection:
                        await connection.send("a message")
                        assert await connection.recv() == "A MESSAGE"
                nursery.cancel_scope.cancel()

    with resuming() as context:
        trio.run(main)
