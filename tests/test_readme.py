"""What the README shows works as it stands there."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import pytest
from attrs import define, field

from sansticket import (
    Abort,
    AlertDescription,
    ClientConnection,
    Close,
    Command,
    SendData,
    ServerConnection,
    events,
)
from tests.support.command import PATIENCE, ROOT, example
from tests.support.configs import client_config, server_config

HERE: Final = {**os.environ, "PYTHONPATH": str(ROOT)}
"""The environment of a program in another folder that imports this checkout."""
README: Final = (ROOT / "README.md").read_text(encoding="utf-8")


def block(language: str, containing: str) -> str:
    """The only fenced block of that language with that text in it."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    (found,) = (text for text in blocks if containing in text)
    return found


def test_the_first_program_resumes(tmp_path: Path) -> None:
    make_certificate, _, serve = block("sh", "certificates localhost").partition("\n")
    _, *arguments = shlex.split(make_certificate)
    subprocess.run([sys.executable, *arguments], cwd=tmp_path, check=True, env=HERE, timeout=PATIENCE)
    assert serve == "python -m examples.blocking_server 4433 --chain chain.pem --key key.pem\n"
    with example(
        "blocking_server", "0", "--chain", tmp_path / "chain.pem", "--key", tmp_path / "key.pem"
    ) as server:
        port = server.wait_for("listening on port")
        program = block("python", "create_connection").replace("4433", port)
        finished = subprocess.run(
            [sys.executable, "-c", program],
            cwd=tmp_path,
            env=HERE,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
    assert finished.stderr == ""
    assert finished.stdout.splitlines() == ["full handshake", "b'HELLO'", "resumed", "b'HELLO AGAIN'"]


@define
class Stream:
    """One end of a stream in memory."""

    incoming: asyncio.Queue[bytes] = field(factory=asyncio.Queue)
    outgoing: asyncio.Queue[bytes] = field(factory=asyncio.Queue)

    async def read(self) -> bytes:
        return await self.incoming.get()

    async def write(self, data: bytes) -> None:
        if data:
            await self.outgoing.put(data)


def handler(log: list[str], greeting: bytes) -> Callable[[events.Event], Awaitable[list[Command]]]:
    """Says a greeting, and closes when it has heard one or nothing more can come."""

    async def handle(event: events.Event) -> list[Command]:
        match event:
            case events.HandshakeCompleted():
                return [SendData(greeting)]
            case events.DataReceived(data):
                log.append(data.decode())
                return [Close()]
            case events.PeerClosed():
                log.append("closed")
            case events.ConnectionTerminated(reason):
                log.append(reason.name)
        return []

    return handle


def driver() -> Any:
    namespace: dict[str, Any] = {}
    exec(block("python", "async def drive"), namespace)
    return namespace["drive"]


def test_the_driver_loop_carries_two_connections() -> None:
    drive = driver()
    client_log: list[str] = []
    server_log: list[str] = []

    async def both() -> None:
        to_client: asyncio.Queue[bytes] = asyncio.Queue()
        to_server: asyncio.Queue[bytes] = asyncio.Queue()
        client = ClientConnection(client_config(), "server.example")
        server = ServerConnection(server_config())
        await asyncio.wait_for(
            asyncio.gather(
                drive(client, Stream(to_client, to_server), handler(client_log, b"from the client")),
                drive(server, Stream(to_server, to_client), handler(server_log, b"from the server")),
            ),
            PATIENCE,
        )

    asyncio.run(both())
    assert client_log == ["from the server", "closed"]
    assert server_log == ["from the client", "closed"]


def test_the_driver_loop_when_the_end_comes_with_the_data() -> None:
    """What is answered to the first events of a list has nobody to go to: that is no mistake of the application."""
    log: list[str] = []
    stream = Stream()

    async def one() -> None:
        client = ClientConnection(client_config(), "server.example")
        server = asyncio.create_task(
            driver()(ServerConnection(server_config()), stream, handler(log, b"hello"))
        )
        await stream.incoming.put(client.data_to_send())
        client.receive_data(await asyncio.wait_for(stream.outgoing.get(), PATIENCE))
        client.send(SendData(b"good"))
        client.send(Abort(AlertDescription.INTERNAL_ERROR))
        await stream.incoming.put(client.data_to_send())
        await asyncio.wait_for(server, PATIENCE)

    asyncio.run(one())
    assert log == ["good", "PEER_ALERT"]


@pytest.mark.parametrize(("data", "reason"), [(b"", "TRUNCATED"), (b"GET / HTTP/1.1\r\n\r\n", "NOT_TLS")])
def test_the_driver_loop_ends_with_the_connection(data: bytes, reason: str) -> None:
    log: list[str] = []
    stream = Stream()

    async def one() -> None:
        await stream.incoming.put(data)
        server = ServerConnection(server_config())
        await asyncio.wait_for(driver()(server, stream, handler(log, b"")), PATIENCE)

    asyncio.run(one())
    assert log == [reason]
    assert stream.outgoing.empty() == (reason == "TRUNCATED")  # otherwise there is an alert
